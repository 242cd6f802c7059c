"""Reverse-mode differentiation: what an operation is, and the walk that sends gradients back.

Every differentiable operation is a `Function`. Calling one computes its result and, if anybody wants
gradients, records *who was called on what*: that record is the graph. `backward` and `grad` walk it
from the result to the leaves and apply the chain rule once per Function.

Three ideas carry the file.

*Order of birth.* A Function is born after everything it was called on. So "newest first" visits every
Function after all the Functions that used its result: a reverse topological order, for one `sort`. Plain
recursion would not do: in `b = a + a; c = b + b` it would send each half of b's gradient on separately.

*Forward speaks arrays, backward speaks Tensors.* `backward` is written with the same differentiable
operations as any program, so with `create_graph=True` it is recorded too, and gradients can be
differentiated again, to any order.

*Nothing is kept that nobody needs.* A Function holds its inputs or its result only if its own `backward`
reads them; the walk drops them as it passes. A Function never holds the Tensor it made, so a graph
has no reference cycles and is freed the moment its last user lets go.

This file imports nothing of minigrad: of a tensor it uses a few attributes, which `tensor.py` provides.
"""

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, TypeAlias
from weakref import ReferenceType

# The floors below Tensor cannot name its class, and each back end has an array type of its own.
Tensor: TypeAlias = Any
Array: TypeAlias = Any
Node: TypeAlias = Any  # what a gradient belongs to: the Function that made a tensor, or a leaf itself


class _GradMode(threading.local):
    enabled = True


_mode = _GradMode()
_births = itertools.count()
_accumulation = threading.Lock()  # threads may share leaves; each adds to their .grad as a whole


def is_grad_enabled() -> bool:
    """Whether operations are recorded in this thread."""
    return _mode.enabled


class _SetGradMode(contextlib.ContextDecorator):
    """A context manager, also usable as a decorator, that switches recording on or off."""

    enabled: bool

    def __init__(self) -> None:
        self._before: list[bool] = []  # a stack: one object may be entered more than once

    def __enter__(self) -> None:
        self._before.append(_mode.enabled)
        _mode.enabled = self.enabled

    def __exit__(self, *exception: object) -> None:
        _mode.enabled = self._before.pop()


class no_grad(_SetGradMode):  # noqa: N801  (PyTorch's name)
    """Inside `with no_grad():` nothing is recorded: for evaluation and for updating parameters."""

    enabled = False


class enable_grad(_SetGradMode):  # noqa: N801
    """Inside `with enable_grad():` operations are recorded again, even within `no_grad`."""

    enabled = True


class Function:
    """One differentiable operation; each object is one application of it, a node of the graph.

    A subclass takes the operation's parameters in `__init__` and defines

    - `forward(*arrays) -> array`: the value, through the primitives of `self.device`;
    - `backward(dy) -> dx` or `(dx0, dx1, ...)`: given the gradient dy of the result (a Tensor shaped like
      it), the gradient of each input (a Tensor shaped like that input, or None for "none").

    What `backward` reads must be declared, so that nothing else is kept alive:

    - `saves_inputs = "all"` provides `self.inputs`; `"partners"` does so for products, where the gradient
      of one of two inputs needs only the other: `self.inputs[i]` is there if the other input needs a gradient;
    - `saves_output = True` provides `self.output`.

    `self.needs_grad[i]` tells `backward` whether anybody asked for the gradient of input i: test it
    where a gradient is expensive. `is_view = True` says that the result may share the input's memory.
    """

    __slots__ = ("_output", "_saved", "birth", "device", "edges", "hooks", "needs_grad", "retained", "shape", "spent")

    saves_inputs: str | None = None
    saves_output = False
    is_view = False

    device: Any  # the Backend whose primitives `forward` uses
    edges: tuple[Node | None, ...]  # per input: where its gradient goes; None if it needs none
    hooks: dict[int, Callable[[Tensor], Tensor | None]] | None
    retained: "ReferenceType[Any] | None"  # the result, if it asked for its gradient (retain_grad)

    def forward(self, *arrays: Array) -> Array:
        raise NotImplementedError(f"{type(self).__name__} must define forward(self, *arrays)")

    def backward(self, dy: Tensor) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define backward(self, dy)")

    def __call__(self, *inputs: Tensor) -> Tensor:
        first = inputs[0]
        self.device = first.device
        for tensor in inputs:
            if tensor.device is not first.device or tensor.dtype != first.dtype:
                raise TypeError(self._mismatch(inputs))
        array = self.forward(*[tensor.array for tensor in inputs])
        recorded = _mode.enabled and any([tensor.requires_grad for tensor in inputs])
        result = first._result(array, self, recorded)
        if recorded:
            self._record(inputs, result)
        return result

    def _record(self, inputs: tuple[Tensor, ...], result: Tensor) -> None:
        self.birth = next(_births)
        self.shape = result.shape
        self.hooks = self.retained = None
        self.spent = False
        # Edges lead to the Function that had made an input *at this moment*: a tensor written later
        # in place has a new maker, and gradients of its old value must not go there.
        self.edges = tuple([node_of(tensor) if tensor.requires_grad else None for tensor in inputs])
        self._saved = self._output = None
        if self.saves_inputs == "all":
            self._saved = [(tensor, tensor.version.count) for tensor in inputs]
        elif self.saves_inputs == "partners":
            x, y = inputs
            self._saved = [(x, x.version.count) if y.requires_grad else None,
                           (y, y.version.count) if x.requires_grad else None]
        if self.saves_output:
            # A twin without history: holding the result itself would close a reference cycle.
            self._output = (result.detach(), result.version.count)

    @property
    def inputs(self) -> list[Tensor]:
        """The saved inputs (None for one that the walk does not need), checked to be unchanged."""
        if self._saved is None:
            raise RuntimeError(self._gone())
        return [None if saved is None else self._unchanged(*saved) for saved in self._saved]

    @property
    def output(self) -> Tensor:
        """The result, checked to be unchanged, with its place in the graph (for higher derivatives)."""
        if self._output is None:
            raise RuntimeError(self._gone())
        return self._unchanged(*self._output)._with_creator(self)

    def _unchanged(self, tensor: Tensor, version: int) -> Tensor:
        if tensor.version.count != version:
            raise RuntimeError(
                f"{type(self).__name__}.backward needs a tensor of shape {tuple(tensor.shape)} as it was in the forward "
                f"pass, but it has been written in place since (version {tensor.version.count}, saved at {version}). "
                "Write into a copy (x.clone()), or compute a new tensor instead of changing this one."
            )
        return tensor

    def _gone(self) -> str:
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

    def _release(self) -> None:
        self._saved = self._output = None
        self.spent = True


def node_of(tensor: Tensor) -> Node:
    """What the gradient of `tensor` belongs to: the Function that made it, or a leaf itself."""
    return tensor if tensor.creator is None else tensor.creator


def backward(
    outputs: Sequence[Tensor],
    grad_outputs: Sequence[Tensor | None],
    retain_graph: bool | None = None,
    create_graph: bool = False,
) -> None:
    """Add the gradient of sum_k <outputs[k], grad_outputs[k]> to `.grad` of every leaf that requires grad."""
    seeds = _seeds(outputs, grad_outputs)
    gradients, retained = _walk(outputs, seeds, None, _retain(retain_graph, create_graph), create_graph)
    with _accumulation, _recording(create_graph):
        for tensor, gradient in [*gradients.items(), *retained]:
            if tensor.grad is None:
                tensor.grad = gradient.clone()  # its own memory: zeroing one gradient must not touch another
            elif create_graph:
                tensor.grad = tensor.grad + gradient
            else:
                tensor.grad += gradient


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of sum_k <outputs[k], grad_outputs[k]> with respect to `inputs`, as a tuple.

    No `.grad` is touched, and only what leads to `inputs` is computed. `grad_outputs` may be left out for
    outputs of one element (its gradient is then 1). With `create_graph=True` the gradients are themselves
    recorded and can be differentiated. An input that the outputs do not depend on is an error, or
    None with `allow_unused=True`. Same signature as `torch.autograd.grad`.
    """
    outputs, inputs = _sequence(outputs), _sequence(inputs)
    grad_outputs = [None] * len(outputs) if grad_outputs is None else _sequence(grad_outputs)
    for position, tensor in enumerate(inputs):
        if not tensor.requires_grad:
            raise RuntimeError(f"grad: inputs[{position}] does not require grad; call requires_grad_() before using it.")
    seeds = _seeds(outputs, grad_outputs)
    wanted = {node_of(tensor) for tensor in inputs}
    found, _ = _walk(outputs, seeds, wanted, _retain(retain_graph, create_graph), create_graph)
    results = tuple(found.get(node_of(tensor)) for tensor in inputs)
    for position, result in enumerate(results):
        if result is None and not allow_unused:
            raise RuntimeError(
                f"grad: the outputs do not depend on inputs[{position}] (shape {tuple(inputs[position].shape)}). Was it used "
                "through .detach(), .data, .numpy() or under no_grad()? Say allow_unused=True to get None for it."
            )
    return results


def _sequence(tensors: Any) -> list[Any]:
    return list(tensors) if isinstance(tensors, (tuple, list)) else [tensors]


def _retain(retain_graph: bool | None, create_graph: bool) -> bool:
    return create_graph if retain_graph is None else retain_graph


def _recording(create_graph: bool) -> _SetGradMode:
    return enable_grad() if create_graph else no_grad()


def _seeds(outputs: Sequence[Tensor], grad_outputs: Sequence[Tensor | None]) -> list[Tensor]:
    """The gradient each output starts with, checked; 1 for an output of one element."""
    if len(outputs) != len(grad_outputs):
        raise ValueError(f"grad: {len(outputs)} outputs but {len(grad_outputs)} grad_outputs; give one for each output.")
    seeds = []
    for output, seed in zip(outputs, grad_outputs, strict=True):
        if not output.requires_grad:
            raise RuntimeError(
                f"backward from a tensor of shape {tuple(output.shape)} that has no graph: nothing it was computed from "
                "requires grad (or it was computed under no_grad(), or detached). Set requires_grad=True on an input."
            )
        if output.creator is not None and output.creator.spent:
            raise RuntimeError(output.creator._gone())
        if seed is None:
            if output.numel() != 1:
                raise RuntimeError(
                    f"backward from a tensor of shape {tuple(output.shape)}: only a scalar has a gradient by itself. Reduce it "
                    "(loss.sum() or loss.mean()), or give backward(gradient=...) a weight for each element."
                )
            seed = output.new_ones(output.shape)
        elif seed.shape != output.shape or seed.dtype != output.dtype or seed.device is not output.device:
            raise ValueError(
                f"backward: gradient is {seed.dtype} {tuple(seed.shape)} on {seed.device}, but the output it weighs is "
                f"{output.dtype} {tuple(output.shape)} on {output.device}; they must match."
            )
        seeds.append(seed)
    return seeds


def _walk(
    outputs: Sequence[Tensor], seeds: Sequence[Tensor], wanted: set[Node] | None, retain_graph: bool, create_graph: bool
) -> tuple[dict[Node, Tensor], list[tuple[Tensor, Tensor]]]:
    """Carry the gradients back through the graph: the chain rule, newest Function first.

    Returns the gradients of the `wanted` nodes (of all leaves, if None) and, for tensors that called
    retain_grad(), pairs of tensor and gradient. Nothing is written before the walk is through, so an
    error on the way leaves every `.grad` as it was.
    """
    gradients: dict[Node, Tensor] = {}  # in flight, and at the end those of the leaves
    found: dict[Node, Tensor] = {}
    retained: list[tuple[Tensor, Tensor]] = []

    def arrive(node: Node, gradient: Tensor) -> None:
        before = gradients.get(node)
        gradients[node] = gradient if before is None else before + gradient  # used twice: gradients add

    with _recording(create_graph):
        for output, seed in zip(outputs, seeds, strict=True):
            arrive(node_of(output), seed)
        path = _path(outputs, wanted)
        while path:
            function = path.pop()
            dy = gradients.pop(function, None)
            if dy is None:  # every user of its result answered "no gradient"
                continue
            dy = _hooked(function, dy)
            if function.retained is not None and (result := function.retained()) is not None:
                retained.append((result, dy))
            if wanted is not None and function in wanted:
                found[function] = dy
            if any(function.needs_grad):
                for needed, edge, dx in zip(function.needs_grad, function.edges, _backward(function, dy), strict=True):
                    if needed and dx is not None:
                        arrive(edge, dx)
                if not retain_graph:
                    function._release()
        for leaf, gradient in gradients.items():
            if wanted is None or leaf in wanted:
                found[leaf] = _hooked(leaf, gradient)
    return found, retained


def _path(outputs: Sequence[Tensor], wanted: set[Node] | None) -> list[Function]:
    """The Functions to walk, oldest first, each told in `needs_grad` which of its gradients are needed."""
    reached = {output.creator for output in outputs if output.creator is not None}
    pending = list(reached)
    while pending:
        for edge in pending.pop().edges:
            if isinstance(edge, Function) and edge not in reached:
                reached.add(edge)
                pending.append(edge)
    path = []
    leading: set[Node] = set() if wanted is None else set(wanted)  # nodes whose gradient is needed
    for function in sorted(reached, key=lambda function: function.birth):
        function.needs_grad = tuple([edge is not None and (wanted is None or edge in leading) for edge in function.edges])
        if any(function.needs_grad) or function in leading:
            leading.add(function)
            path.append(function)
    return path


def _backward(function: Function, dy: Tensor) -> tuple[Tensor | None, ...]:
    """function.backward(dy) as a tuple with one gradient per input, its shapes checked."""
    dxs = function.backward(dy)
    if not isinstance(dxs, tuple):
        dxs = (dxs,)
    name = type(function).__name__
    if len(dxs) != len(function.edges):
        raise RuntimeError(f"{name}.backward returned {len(dxs)} gradients for {len(function.edges)} inputs.")
    for position, (edge, dx) in enumerate(zip(function.edges, dxs, strict=True)):
        if edge is not None and dx is not None and dx.shape != edge.shape:
            raise RuntimeError(
                f"{name}.backward returned a gradient of shape {tuple(dx.shape)} for input {position} "
                f"of shape {tuple(edge.shape)}; a gradient has the shape of what it belongs to."
            )
    return dxs


def _hooked(node: Node, gradient: Tensor) -> Tensor:
    for hook in list((node.hooks or {}).values()):
        replacement = hook(gradient)
        if replacement is not None:
            if replacement.shape != gradient.shape:
                raise RuntimeError(f"hook returned shape {tuple(replacement.shape)}, gradient is {tuple(gradient.shape)}.")
            gradient = replacement
    return gradient


class RemovableHandle:
    """What `register_hook` returns: `remove()` takes the hook off again; usable in a `with` statement."""

    _keys = itertools.count()

    def __init__(self, node: Node, hook: Callable[[Tensor], Tensor | None]) -> None:
        if node.hooks is None:
            node.hooks = {}
        self._hooks, self._key = node.hooks, next(self._keys)
        self._hooks[self._key] = hook

    def remove(self) -> None:
        self._hooks.pop(self._key, None)

    def __enter__(self) -> "RemovableHandle":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()
