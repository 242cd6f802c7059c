"""Function: one differentiable operation. Calling one computes its result and records *who was called on what*.

That record is the graph: every tensor knows the Function that made it (its creator), every Function where the gradients
of its inputs go (its edges). `autograd.py` walks it backwards.

*Forward speaks arrays, backward speaks Tensors.* `backward` is written with the same differentiable operations as any
program, so the walk can record it too (`create_graph=True`), and gradients can be differentiated again, to any order.

*Nothing is kept that nobody needs.* A Function holds its inputs or its result only if its own `backward` reads them. It
never holds the Tensor it made, so a graph has no reference cycles and is freed when its last user lets go.

This file imports nothing of minigrad: of a tensor it uses a few attributes, which `tensor.py` provides.
"""

import contextlib
import inspect
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar
from weakref import ReferenceType, ref

if TYPE_CHECKING:  # the name alone, for annotations: at run time nothing above this file is imported
    from minigrad.tensor import Tensor as Tensor
else:
    Tensor = Any

Array: TypeAlias = Any  # each back end has a type of its own
Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Node: TypeAlias = Any  # what a gradient belongs to: the Function that made a tensor, or a leaf itself


# A call of a module that is under way: the Part that it is within, or None; the module; its class. A plain tuple, as it
# is made in a hurry.
Part: TypeAlias = tuple[Any, ReferenceType[Any], type]


class _Thread(threading.local):
    """What each thread has of its own."""

    enabled = True  # whether operations are recorded
    needs_grad: tuple[bool, ...] = ()  # of the Function whose backward is under way
    part: Part | None = None  # the module under way
    tape: "Tape | None" = None  # who else is told of what happens

    def __init__(self) -> None:
        self.before: list[bool] = []  # what the `with` statements under way will restore


class Tape:
    """Who is told, during `with watched_by(tape):`, of what the engine does in this thread. Subclasses listen to what
    they want to know, as teaching/tape.py does.
    """

    follows = False  # whether it is told, too, of what the backward of a walk records for derivatives of derivatives

    def made(self, function: "Function", inputs: tuple[Tensor, ...], result: Tensor) -> None:
        """`function` has become a node of the graph, on the way forward."""

    def starts(self, outputs: Sequence[Tensor], seeds: Sequence[Tensor]) -> None:
        """A walk back starts from `outputs`, each with the gradient in `seeds`."""

    def hooked(self, node: Node, before: Tensor, after: Tensor) -> None:
        """The gradient of `node` was complete; its hooks made `after` of it, or left it as it was."""

    def visits(self, function: "Function", dy: Tensor) -> None:
        """The walk has come to `function`; the gradient of its result is complete."""

    def adds(self, function: "Function", position: int, dx: Tensor, before: Tensor | None, after: Tensor) -> None:
        """`function` gives dx to its input at `position`, whose gradient was `before` and is `after`."""

    def stores(self, leaf: Tensor, before: Tensor | None, gradient: Tensor) -> None:
        """The walk is through, and has found `gradient`, for a leaf whose .grad was `before`."""


_thread = _Thread()
_births = itertools.count(1)
_tapes: list[None] = []  # as long as there are tapes, in whichever thread: mostly empty, and then nobody looks further


def begin_part(module: Any) -> Part | None:
    """From now on Functions that are recorded are part of `module`; returns what they were part of, for `end_part`."""
    outer = _thread.part
    _thread.part = (outer, ref(module), type(module))
    return outer


def end_part(outer: Part | None) -> None:
    """The call is over: what follows is again part of `outer`."""
    _thread.part = outer


@contextlib.contextmanager
def watched_by(tape: Tape | None) -> Iterator[None]:
    """Inside `with watched_by(tape):` that tape is told of what happens, and no other; None stands for nobody."""
    before, _thread.tape = _thread.tape, tape
    _tapes.append(None)
    try:
        yield
    finally:
        _tapes.pop()
        _thread.tape = before


def watcher() -> Tape | None:
    """Who is told of what happens in this thread."""
    return _thread.tape if _tapes else None


def is_grad_enabled() -> bool:
    """Whether operations are recorded in this thread."""
    return _thread.enabled


class SetGradMode(contextlib.ContextDecorator):
    """A context manager that switches recording on or off; a decorator as well, @no_grad() or @no_grad."""

    enabled: bool

    if not TYPE_CHECKING:  # to a type checker no_grad() would be anything

        def __new__(cls, orig_func: Any = None) -> Any:
            return super().__new__(cls) if orig_func is None else cls()(orig_func)

    def __enter__(self) -> None:
        _thread.before.append(_thread.enabled)  # kept by the thread: threads may enter one object at once
        _thread.enabled = self.enabled

    def __exit__(self, *exception: object) -> None:
        _thread.enabled = _thread.before.pop()

    def __call__(self, function: Decorated) -> Decorated:
        if inspect.isgeneratorfunction(function):  # its body runs later, when the decorator is through
            raise TypeError(f"{type(self).__name__}() cannot decorate a generator; write `with` inside "
                            f"{function.__name__}.")
        return super().__call__(function)


class no_grad(SetGradMode):  # noqa: N801  (PyTorch's name)
    """Inside `with no_grad():` nothing is recorded: for evaluation and for updating parameters."""

    enabled = False


class enable_grad(SetGradMode):  # noqa: N801
    """Inside `with enable_grad():` operations are recorded again, even within `no_grad`."""

    enabled = True


class Function:
    """One differentiable operation; each object is one application of it, a node of the graph.

    A subclass takes the operation's parameters in `__init__` and defines

    - `forward(*arrays) -> array`: the value, through the primitives of `self.device`; where that is one of them
      alone, say `primitive = "exp"` instead;
    - `backward(dy) -> dx` or `(dx0, dx1, ...)`: given the gradient dy of the result (a Tensor shaped like
      it), the gradient of each input (a Tensor shaped like that input, or None for "none").

    What `backward` reads must be declared, so that nothing else is kept alive:

    - `saves_inputs = "all"` provides `self.inputs`; a tuple says for each input which ones its gradient reads:
      `((1,), (0,))`, in short `"partners"`, for products, where the gradient of one factor needs only the other.
      `self.inputs[i]` is there if the gradient of an input that reads it is needed;
    - `saves_output = True` provides `self.output`.

    `self.needs_grad[i]` tells `backward` whether anybody asked for the gradient of input i: test it
    where a gradient is expensive. `is_view = True` says that the result may share the input's memory; then `__init__`
    and `forward` keep parameters only, no arrays and tensors. `fresh_gradients = True` says that every gradient is in
    memory of its own, which nobody else knows of, so that a leaf need not copy it.
    """

    __slots__ = ("__dict__", "_output", "_saved", "device", "edges", "hooks", "part", "retained", "shape", "spent")

    birth = 0  # until it becomes a node of the graph
    primitive: str | None = None
    saves_inputs: str | tuple[tuple[int, ...], ...] | None = None
    saves_output = False
    is_view = False
    fresh_gradients = False

    device: Any  # the Backend whose primitives `forward` uses
    edges: tuple[Node | None, ...]  # per input: where its gradient goes; None if it needs none
    hooks: dict[int, Callable[[Tensor], Tensor | None]] | None
    part: Part | None  # the call of a module that it belongs to
    retained: "ReferenceType[Tensor] | None"  # the result, if it asked for its gradient (retain_grad)

    def forward(self, *arrays: Array) -> Array:
        if self.primitive is None:
            raise NotImplementedError(f"{type(self).__name__} must define forward(self, *arrays)")
        return getattr(self.device, self.primitive)(*arrays)

    def backward(self, dy: Tensor) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define backward(self, dy)")

    def __call__(self, *inputs: Tensor) -> Tensor:
        if self.birth:  # this object is a node of a graph already, which the call is not to change
            return self.again()(*inputs)
        first = inputs[0]
        device, dtype, arrays = first.device, first.array.dtype, []
        for tensor in inputs:
            array = tensor.array
            if tensor.device is not device or array.dtype != dtype:
                raise TypeError(self._mismatch(inputs))
            arrays.append(array)
        self.device = device
        array = self.forward(*arrays)
        edges = edges_to(inputs)
        result = first._result(array, self, edges is not None)
        if edges is not None:
            self.record(inputs, edges, result)
        return result

    def record(self, inputs: tuple[Tensor, ...], edges: tuple[Node | None, ...], result: Tensor) -> None:
        """Makes this a node of the graph, between what made `inputs` and what will use `result`."""
        self.birth = next(_births)
        self.edges = edges
        self.shape = result.array.shape
        self.hooks = self.retained = None
        self.part = _thread.part
        self.spent = False
        self._saved: list[Any] | None = None
        self._output: tuple[Tensor, Array, int] | None = None
        if self.saves_inputs == "all":
            self._saved = [(tensor, tensor.array, tensor.version.count) for tensor in inputs]
        elif self.saves_inputs == "partners":
            self._saved = [None if edges[1 - k] is None else (tensor, tensor.array, tensor.version.count)
                           for k, tensor in enumerate(inputs)]
        elif self.saves_inputs:
            readers: Any = self.saves_inputs
            read = [k for edge, reads in zip(edges, readers, strict=True) if edge is not None for k in reads]
            self._saved = [(tensor, tensor.array, tensor.version.count) if k in read else None
                           for k, tensor in enumerate(inputs)]
        if self.saves_output:
            # A twin without history: holding the result itself would close a reference cycle.
            self._output = (result.detach(), result.array, result.version.count)
        if _tapes and _thread.tape is not None:
            _thread.tape.made(self, inputs, result)

    @classmethod
    def apply(cls, *inputs: Any) -> Any:
        """What scripts for PyTorch call. Here a Function is an object: Square()(x)."""
        raise TypeError(f"{cls.__name__}.apply: write {cls.__name__}()(x). Each call has an object of its own, so "
                        "forward(self, *arrays) and backward(self, dy) are ordinary methods; for ctx.save_for_backward "
                        "say saves_inputs = 'all'.")

    @property
    def needs_grad(self) -> tuple[bool, ...]:
        """For each input, whether the walk under way asks for its gradient."""
        return _thread.needs_grad

    def differentiate(self, dy: Tensor, needs_grad: tuple[bool, ...]) -> Any:
        """backward(dy) for a walk that asks for these gradients. (Another thread may walk this graph for others.)"""
        before, _thread.needs_grad = _thread.needs_grad, needs_grad
        try:
            return self.backward(dy)
        finally:
            _thread.needs_grad = before

    def again(self) -> Self:
        """A Function with the same parameters, to be called anew."""
        function = type(self).__new__(type(self))
        vars(function).update(vars(self), birth=0)  # its parameters; a place in the graph is in the other __slots__
        return function

    @property
    def inputs(self) -> list[Tensor]:
        """The saved inputs (None for one that no gradient reads), checked to be unchanged."""
        if self._saved is None:
            raise RuntimeError(self.gone())
        return [None if saved is None else self._unchanged(*saved) for saved in self._saved]  # type: ignore[misc]

    @property
    def output(self) -> Tensor:
        """The result, checked to be unchanged, with its place in the graph (for higher derivatives)."""
        if self._output is None:
            raise RuntimeError(self.gone())
        return self._unchanged(*self._output)._with_creator(self)

    def known(self) -> Iterator[tuple[int | None, Tensor, bool]]:
        """What is saved: the position among the inputs, None for the result; the tensor; whether it is as it was."""
        for position, saved in [*enumerate(self._saved or ()), (None, self._output)]:
            if saved is not None:
                tensor, array, version = saved
                yield position, tensor, tensor.array is array and tensor.version.count == version

    def _unchanged(self, tensor: Tensor, array: Array, version: int) -> Tensor:
        if tensor.array is not array or tensor.version.count != version:
            raise RuntimeError(f"{type(self).__name__}.backward needs a tensor of shape {tuple(tensor.shape)} as it "
                               "was in the forward pass, but it has been written in place or replaced (.data = ...) "
                               "since. Write into a copy (x.clone()), or compute a new tensor instead of changing this "
                               "one.")
        return tensor

    def gone(self) -> str:
        """Why what `backward` wants to read is not there: the text of an error."""
        name = type(self).__name__
        if self.spent:
            return (
                f"backward through {name} a second time: the first backward() freed the arrays it had saved. "
                "Say backward(retain_graph=True) the first time, or compute the result again."
            )
        return f"{name}.backward reads inputs or output that the class does not save: set saves_inputs or saves_output."

    def _mismatch(self, inputs: Iterable[Tensor]) -> str:
        operands = ", ".join(f"{tensor.dtype} {tuple(tensor.shape)} on {tensor.device}" for tensor in inputs)
        return (
            f"{type(self).__name__} needs all its tensors on one device and of one dtype, got {operands}. "
            "Convert with .to(device), .float() or .double()."
        )

    def release(self) -> None:
        """Lets go of what was saved; the walk has passed."""
        self._saved = self._output = None
        self.spent = True


def edges_to(inputs: tuple[Tensor, ...]) -> tuple[Node | None, ...] | None:
    """For each input, where its gradient goes; None if none of them needs one, or if nothing is recorded.

    Edges lead to the Function that has made an input *at this moment*: a tensor written later in place has a new maker,
    and gradients of its old value must not go there.
    """
    if not _thread.enabled:
        return None
    edges, needed = [], False
    for tensor in inputs:
        node = tensor._node()
        edges.append(node)
        needed = needed or node is not None
    return tuple(edges) if needed else None
