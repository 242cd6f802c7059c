"""Tensor: an array on a device, its gradient, and its place in the graph. Operators and methods are those of `ops`.

A Tensor is small: the array, the device it lives on, the Function that made it (its *creator*; None for a leaf), and a
version counter that counts writes in place. Views of one memory share one counter, so the backward walk
notices when a saved value has been overwritten and raises instead of computing a wrong gradient.

*Writing in place is an operation like any other.* x[0] = v makes a new x of the old one and v; it only happens to use
the memory of the old one, and the tensor x moves on to the new one's place in the graph (`ops/write.py`). A view knows
from which tensor it was taken, and how. So a write through a view gives that tensor a new creator, and every other view
of the memory, when it is next used, is taken from it anew.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any, Self
from weakref import ref

import numpy as np
import numpy.typing as npt

from minigrad import autograd
from minigrad.autograd import RemovableHandle
from minigrad.backends import get_backend
from minigrad.backends.base import Backend
from minigrad.dtypes import ALL, as_array, as_dtype, as_number, float32, float64, int64
from minigrad.function import Array, Function, enable_grad, is_grad_enabled, node_of
from minigrad.ops import convert, elementwise, index, matmul, reduce, statistics
from minigrad.ops import shape as shaping
from minigrad.ops.convert import KINDS
from minigrad.ops.write import Write

Number = int | float  # Tensor has methods called float and bool, which hide the types inside the class
_NUMBER_TYPES = (bool, int, float, np.bool_, np.integer, np.floating)
_OPERAND_TYPES = (*_NUMBER_TYPES, np.ndarray)


def _reflected(operation: Callable[["Tensor", "Tensor"], "Tensor"]) -> Callable[["Tensor", Any], "Tensor"]:
    """The method for `other ? tensor`, where `other` is no tensor and cannot answer itself."""
    return lambda self, other: operation(self._as_operand(other), self)


def _in_place(operation: Callable[..., "Tensor"]) -> Callable[..., Any]:
    """The method x.operation_(...): x takes over the result, in its own memory; returns x."""

    @wraps(operation)
    def method(self: "Tensor", *arguments: Any, **options: Any) -> "Tensor":
        recorded = is_grad_enabled() and any([getattr(x, "requires_grad", False) for x in (self, *arguments)])
        before = self.clone() if recorded else self  # backward may read the old values when they are no more
        return self._become(operation(before, *arguments, **options))

    method.__name__, method.__doc__ = f"{operation.__name__}_", f"x = {operation.__name__}(x, ...) in x's own memory."
    return method


class Version:
    """Counts the writes to one memory."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class View:
    """Where a view comes from: its `base`, which is none itself, and the steps (Functions) that lead from there to it.

    `seen` is the version of the memory for which the view's creator is right. A view taken under no_grad() is not
    `tracked`: it has no history, whatever is written later.
    """

    __slots__ = ("base", "seen", "steps", "tracked")

    def __init__(self, base: "Tensor", steps: tuple[Function, ...], seen: int, tracked: bool) -> None:
        self.base, self.steps, self.seen, self.tracked = base, steps, seen, tracked


class Tensor:
    """An n-dimensional array that can be differentiated. Made by `minigrad.tensor` and friends, or by operations.

    `shape` (tuple of ints), `dtype` (NumPy dtype), `device` (Backend), `requires_grad`, and for leaves `grad`: the
    gradient, a Tensor of the same shape, summed over all `backward()` calls since it was last reset.
    """

    __slots__ = ("__weakref__", "_creator", "_grad", "_requires_grad", "_view", "array", "device", "hooks", "version")

    array: Array  # the values, in the type of the device; write them only through the tensor, which counts versions
    device: Backend
    hooks: dict[int, Callable[["Tensor"], "Tensor | None"]] | None

    def __init__(
        self,
        array: Array,
        device: Backend | None = None,
        creator: Function | None = None,
        version: Version | None = None,
    ) -> None:
        if device is None:
            raise TypeError(
                "Tensor(...) wraps an array of a device; to make a tensor write minigrad.tensor([1.0, 2.0])."
            )
        self.array = array
        self.device = device
        self._creator = creator
        self._requires_grad = False  # asked for; results of recorded operations require grad by themselves
        self._view: View | None = None
        self.version = Version() if version is None else version
        self._grad: Tensor | None = None
        self.hooks = None

    # --- what the floors below ask of a tensor ------------------------------------------------------------

    def _result(self, array: Array, function: Function, recorded: bool) -> "Tensor":
        """The tensor that `function`, called on this one, made."""
        if not (function.is_view and function.device.shares_memory(array, self.array)):
            return Tensor(array, function.device, function if recorded else None)
        result = Tensor(array, function.device, function if recorded else None, self.version)
        view = self._view or View(self, (), 0, True)
        tracked = view.tracked and is_grad_enabled()
        result._view = View(view.base, (*view.steps, function), self.version.count, tracked)
        return result

    def _with_creator(self, creator: Function) -> "Tensor":
        return Tensor(self.array, self.device, creator, self.version)

    def _constant(self, array: Array) -> "Tensor":
        """A tensor without history around an array of this tensor's device."""
        return Tensor(array, self.device)

    def _as_operand(self, value: Any) -> "Tensor":
        """`value` as the other operand of a binary operation; numbers become constants of this tensor's dtype."""
        if isinstance(value, Tensor):
            return value
        if not isinstance(value, _OPERAND_TYPES):
            raise TypeError(
                f"operand must be a Tensor, a number or a NumPy array, got {type(value).__name__}: {value!r}."
            )
        if isinstance(value, np.ndarray):
            return Tensor(self.device.from_numpy(as_array(value).copy()), self.device)
        dtype = self._dtype_for(value)
        return Tensor(self.device.full((), as_number(value, dtype), dtype), self.device)

    def _dtype_for(self, number: Any) -> np.dtype[Any]:
        """The dtype a number takes when it meets this tensor: its own, unless that cannot hold numbers of the kind."""
        if self.dtype.kind == "f" or isinstance(number, (bool, np.bool_)):
            return self.dtype
        if isinstance(number, (int, np.integer)):
            return int64 if self.dtype.kind == "b" else self.dtype
        return float32

    # --- what it is ---------------------------------------------------------------------------------------

    @property
    def creator(self) -> Function | None:
        """The Function that made this tensor; None for a leaf."""
        if self._view is not None and self._view.seen != self.version.count:
            self._take_again(self._view)
        return self._creator

    def _take_again(self, view: View) -> None:
        """Gives this view, whose memory has been written since it was taken, the history it has now."""
        view.seen = self.version.count
        if view.tracked and view.base.version is self.version:
            with enable_grad():
                again = view.base
                for step in view.steps:
                    again = step.again()(again)
            self._set_creator(again._creator)

    def _set_creator(self, creator: Function | None) -> None:
        before, self._creator = self._creator, creator
        if creator is not None and before is not None and before.retained is not None and before.retained() is self:
            creator.retained, before.retained = before.retained, None  # retain_grad() is of the tensor, as it is now

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made it: gradients of leaves that require grad are kept in `.grad`."""
        return self.creator is None

    @property
    def data(self) -> "Tensor":
        """The same memory without history, for writing parameters: w.data -= lr * w.grad. Writes are still counted."""
        return self.detach()

    @data.setter
    def data(self, value: "Tensor") -> None:
        self._check_like("data", value)
        if value.array is not self.array:  # as for `w.data -= g`, where the memory is w's own
            self.array, self.version, self._view = value.array, value.version, None

    def size(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else self.shape[dim]

    def dim(self) -> int:
        return len(self.shape)

    def numel(self) -> int:
        """The number of elements."""
        total = 1
        for size in self.shape:
            total *= size
        return total

    def is_floating_point(self) -> bool:
        return self.dtype.kind == "f"

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a tensor without dimensions")
        return self.shape[0]

    def __iter__(self) -> Iterator["Tensor"]:
        return (self[k] for k in range(len(self)))

    def __repr__(self) -> str:
        body = np.array2string(self.numpy(force=True), separator=", ", prefix="tensor(", precision=4)
        extras = f", size={self.shape}" if self.numel() == 0 and self.ndim > 1 else ""
        extras += "" if self.dtype in (np.float32, np.int64, np.bool_) else f", dtype={self.dtype}"
        extras += "" if self.device.name == "cpu" else f", device={self.device.name!r}"
        if self.creator is not None:
            extras += f", creator=<{type(self.creator).__name__}>"
        elif self.requires_grad:
            extras += ", requires_grad=True"
        return f"tensor({body}{extras})"

    def __reduce__(self) -> Any:
        """What copy.deepcopy and pickle keep of a leaf: its values, the name of its device and its gradient."""
        if self.creator is not None:
            raise RuntimeError("deepcopy and pickle are for leaves; this tensor is part of a graph: write x.detach().")
        return _rebuilt, (type(self), self.numpy(force=True), self.device.name, self.requires_grad, self.grad)

    # --- gradients ----------------------------------------------------------------------------------------

    def backward(
        self, gradient: "Tensor | None" = None, retain_graph: bool | None = None, create_graph: bool = False
    ) -> None:
        """Adds d<self, gradient>/d(leaf) to `.grad` of every leaf that requires grad.

        A tensor of one element needs no `gradient` (it is 1). The arrays saved for this walk are freed as it passes,
        unless `retain_graph`; with `create_graph` the gradients are recorded and can be differentiated again. Gradients
        add up over calls: reset them with `grad = None` or `optimizer.zero_grad()`.
        """
        autograd.backward([self], [gradient], retain_graph, create_graph)

    @property
    def grad(self) -> "Tensor | None":
        """The gradient that backward() has left here."""
        return self._grad

    @grad.setter
    def grad(self, value: "Tensor | None") -> None:
        if value is not None:
            self._check_like("grad", value)
        self._grad = value

    def _check_like(self, name: str, value: Any) -> None:
        if not isinstance(value, Tensor):
            got = type(value).__name__
            raise TypeError(f".{name} must be a tensor, got {got}; to write values use .{name}[...] = value.")
        if value.shape != self.shape or value.dtype != self.dtype or value.device is not self.device:
            raise ValueError(f".{name} is {_describe(self)}; cannot replace it by {_describe(value)}.")

    @property
    def requires_grad(self) -> Any:
        """Whether operations on this tensor are recorded; assigning does what requires_grad_ does."""
        return self._requires_grad or self.creator is not None

    @requires_grad.setter
    def requires_grad(self, value: Any) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Marks this leaf as one whose gradient is wanted (or not); returns it."""
        if self.creator is not None:
            if requires_grad:
                return self
            raise RuntimeError("requires_grad_(False) on the result of an operation; use detach() to leave the graph.")
        if requires_grad and self.dtype.kind != "f":
            raise TypeError(
                f"only floating-point tensors can require grad, this one is {self.dtype}; convert with .float()."
            )
        self._requires_grad = requires_grad
        if requires_grad:
            self._view = None  # from now on a leaf of its own, though in the same memory
        return self

    def detach(self) -> "Tensor":
        """The same memory, outside the graph: no gradient flows through it."""
        return Tensor(self.array, self.device, None, self.version)

    def retain_grad(self) -> None:
        """Asks that backward() also sets `.grad` of this tensor, though it is no leaf."""
        if not self.requires_grad:
            raise RuntimeError("retain_grad() on a tensor that does not require grad.")
        if self.creator is not None:
            self.creator.retained = ref(self)  # weak: the graph never holds the tensors it made

    def register_hook(self, hook: Callable[["Tensor"], "Tensor | None"]) -> RemovableHandle:
        """Calls hook(gradient) when this tensor's gradient is complete; what it returns, if not None, replaces it."""
        if not self.requires_grad:
            raise RuntimeError("register_hook() on a tensor that does not require grad.")
        if not callable(hook):
            raise TypeError(f"register_hook: hook must be a function of the gradient, got {type(hook).__name__}.")
        return RemovableHandle(node_of(self), hook)

    # --- writing in place ---------------------------------------------------------------------------------

    def __setitem__(self, key: Any, value: Any) -> None:
        """x[key] = value in x's memory. It is recorded: gradients flow to the value, and to what x keeps of itself."""
        key = index.normal_key(key)
        value = self.new_full((), value) if isinstance(value, _NUMBER_TYPES) else self._as_operand(value)
        if value.device is not self.device:
            raise TypeError(
                f"x is on {self.device}, value on {value.device}; move it with value.to({self.device.name!r})."
            )
        view = self._view or View(self, (), 0, True)
        recorded = is_grad_enabled() and (view.base.requires_grad or value.requires_grad)
        if recorded:
            self._check_may_be_written(view)
        else:
            value = value.detach()
        target = self.device.getitem(self.array, key).shape
        while value.ndim > len(target) and value.shape[0] == 1:
            value = value.squeeze(0)
        value = convert.cast(reduce.broadcast_to(value, target), self.dtype)
        if self.device.shares_memory(value.array, self.array):
            value = value.clone()  # x[1:] = x[:-1]
        creator = Write(view.steps, key)
        if recorded:
            creator.record((view.base, value), view.base)
        self.device.assign(self.array, key, value.array)
        self.version.count += 1
        if recorded:
            view.base._set_creator(creator)

    def _check_may_be_written(self, view: View) -> None:
        """Refuses writes that no gradient could pass, or whose gradient would be a wrong one."""
        of_view = "a view of " if self._view is not None else ""
        if view.base.creator is None and view.base.requires_grad:
            raise RuntimeError(
                f"writing in place into {of_view}a leaf that requires grad would lose its old value from the graph. To "
                "update a parameter, write under `with minigrad.no_grad():`; else write into x.clone()."
            )
        if not view.tracked:
            raise RuntimeError(
                "a view that was taken under no_grad() is written in place where gradients are recorded, so it is not "
                "clear what is meant. Take it and write it both inside `with minigrad.no_grad():`, or both outside."
            )
        if view.base.version is not self.version:
            raise RuntimeError(
                "the memory of the tensor that this view was taken from has been replaced (.data = ...) since; take "
                "the view again before writing it."
            )

    def copy_(self, source: Any) -> Self:
        """self[...] = source, where `source` has no more axes than this tensor."""
        if isinstance(source, Tensor) and source.ndim > self.ndim:
            raise ValueError(f"copy_: a source of shape {source.shape} does not fit {self.shape}; squeeze it first.")
        self[...] = source
        return self

    def zero_(self) -> Self:
        return self.copy_(0)

    def fill_(self, value: Number) -> Self:
        return self.copy_(value)

    def _become(self, result: "Tensor") -> Self:
        """Takes over the values, and the history, of `result`."""
        if KINDS[result.dtype.kind] > KINDS[self.dtype.kind]:
            raise TypeError(
                f"the result is {result.dtype} and does not fit into this {self.dtype} tensor; write x = x + y instead."
            )
        if result.shape != self.shape:
            raise ValueError(
                f"a result of shape {result.shape} does not fit {self.shape}, the tensor to be written in place; write "
                "x = x + y instead."
            )
        return self.copy_(result)

    add_ = __iadd__ = _in_place(elementwise.add)
    sub_ = __isub__ = _in_place(elementwise.sub)
    mul_ = __imul__ = _in_place(elementwise.mul)
    div_ = __itruediv__ = _in_place(elementwise.div)
    pow_ = __ipow__ = _in_place(elementwise.pow)
    __iand__ = _in_place(elementwise.bitwise_and)
    __ior__ = _in_place(elementwise.bitwise_or)

    # --- to other dtypes, devices and types -----------------------------------------------------------------

    def to(self, target: Any) -> "Tensor":
        """This tensor in another dtype or on another device ("cpu", "opencl", "reference"); gradients flow back."""
        if isinstance(target, Backend):
            return convert.to_device(self, target)
        if isinstance(target, str) and target not in ALL:
            return convert.to_device(self, get_backend(target))
        return convert.cast(self, as_dtype(target))

    def cpu(self) -> "Tensor":
        return self.to("cpu")

    def float(self) -> "Tensor":
        return convert.cast(self, float32)

    def double(self) -> "Tensor":
        return convert.cast(self, float64)

    def long(self) -> "Tensor":
        return convert.cast(self, int64)

    def bool(self) -> "Tensor":
        return convert.cast(self, ALL["bool"])

    def numpy(self, *, force: Any = False) -> npt.NDArray[Any]:
        """The values as a NumPy array, sharing memory on the CPU. Refuses a tensor in a graph: gradients end here.

        `force=True` detaches first.
        """
        if self.requires_grad and not force:
            raise RuntimeError(
                "numpy() of a tensor that requires grad would leave the graph; write x.detach().numpy()."
            )
        return self.device.to_numpy(self.array)

    def __array__(self, dtype: Any = None, copy: Any = None) -> npt.NDArray[Any]:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    __array_priority__ = 1000  # ndarray * tensor is ours to answer

    def item(self) -> Any:
        """The only element, as a Python number."""
        if self.numel() != 1:
            raise ValueError(f"item() needs a tensor of one element, this one has shape {self.shape}; use tolist().")
        return self.numpy(force=True).item()

    def tolist(self) -> Any:
        return self.numpy(force=True).tolist()

    def __float__(self) -> Any:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self.numel() != 1:
            raise TypeError(f"only an integer tensor of one element is an index, this one is {_describe(self)}.")
        return int(self.item())

    def __bool__(self) -> Any:
        if self.numel() != 1:
            raise ValueError(f"the truth of a tensor of shape {self.shape} is ambiguous; use .item() of one element.")
        return self.item() != 0

    def __format__(self, spec: str) -> str:
        return format(self.item() if self.ndim == 0 or (spec and self.numel() == 1) else str(self), spec)

    def new_full(self, shape: Sequence[int], value: Any) -> "Tensor":
        """A tensor of this one's dtype and device, filled with `value`."""
        size = shaping.sizes("new_full", (shape,))
        return self._constant(self.device.full(size, as_number(value, self.dtype), self.dtype))

    def new_zeros(self, *shape: int | Sequence[int]) -> "Tensor":
        return self.new_full(shaping.sizes("new_zeros", shape), 0)

    def new_ones(self, *shape: int | Sequence[int]) -> "Tensor":
        return self.new_full(shaping.sizes("new_ones", shape), 1)

    # --- operations: each is a function of `ops`, where it is explained ---------------------------------------

    clone = convert.clone
    exp = elementwise.exp
    log = elementwise.log
    log1p = elementwise.log1p
    sqrt = elementwise.sqrt
    square = elementwise.square
    reciprocal = elementwise.reciprocal
    sin = elementwise.sin
    cos = elementwise.cos
    abs = absolute = __abs__ = elementwise.abs
    sign = elementwise.sign
    round = elementwise.round
    floor = elementwise.floor
    ceil = elementwise.ceil
    isnan = elementwise.isnan
    isinf = elementwise.isinf
    isfinite = elementwise.isfinite
    relu = elementwise.relu
    sigmoid = elementwise.sigmoid
    tanh = elementwise.tanh
    maximum = elementwise.maximum
    minimum = elementwise.minimum
    clamp = elementwise.clamp
    neg = __neg__ = elementwise.neg
    positive = __pos__ = elementwise.positive
    add = elementwise.add
    sub = elementwise.sub
    mul = elementwise.mul
    div = elementwise.div
    floor_divide = __floordiv__ = elementwise.floor_divide
    remainder = __mod__ = elementwise.remainder
    pow = __pow__ = elementwise.pow
    sum = reduce.sum
    mean = reduce.mean
    max = reduce.max
    min = reduce.min
    amax = reduce.amax
    amin = reduce.amin
    argmax = reduce.argmax
    argmin = reduce.argmin
    all = reduce.all
    any = reduce.any
    var = statistics.var
    std = statistics.std
    norm = statistics.norm
    logsumexp = statistics.logsumexp
    prod = statistics.prod
    cumsum = statistics.cumsum
    broadcast_to = reduce.broadcast_to
    expand = reduce.expand
    reshape = shaping.reshape
    flatten = shaping.flatten
    permute = shaping.permute
    transpose = shaping.transpose
    squeeze = shaping.squeeze
    unsqueeze = shaping.unsqueeze
    flip = index.flip
    mm = matmul.mm
    mv = matmul.mv
    bmm = matmul.bmm
    dot = matmul.dot
    outer = matmul.outer
    __rmatmul__ = _reflected(matmul.matmul)
    matmul = __matmul__ = matmul.matmul
    eq = elementwise.eq
    ne = elementwise.ne
    lt = __lt__ = elementwise.lt
    le = __le__ = elementwise.le
    gt = __gt__ = elementwise.gt
    ge = __ge__ = elementwise.ge

    __getitem__ = index.getitem
    __add__ = __radd__ = elementwise.add
    __mul__ = __rmul__ = elementwise.mul
    __sub__ = elementwise.sub
    __truediv__ = elementwise.div
    logical_and = elementwise.logical_and
    logical_or = elementwise.logical_or
    logical_xor = elementwise.logical_xor
    logical_not = elementwise.logical_not
    bitwise_and = __and__ = __rand__ = elementwise.bitwise_and
    bitwise_or = __or__ = __ror__ = elementwise.bitwise_or
    bitwise_xor = __xor__ = __rxor__ = elementwise.bitwise_xor
    bitwise_not = __invert__ = elementwise.bitwise_not
    bitwise_left_shift = __lshift__ = elementwise.bitwise_left_shift
    bitwise_right_shift = __rshift__ = elementwise.bitwise_right_shift
    __rsub__ = _reflected(elementwise.sub)
    __rtruediv__ = _reflected(elementwise.div)
    __rfloordiv__ = _reflected(elementwise.floor_divide)
    __rmod__ = _reflected(elementwise.remainder)
    __rpow__ = _reflected(elementwise.pow)
    __rlshift__ = _reflected(elementwise.bitwise_left_shift)
    __rrshift__ = _reflected(elementwise.bitwise_right_shift)

    def __eq__(self, other: object) -> Any:
        return elementwise.eq(self, other) if isinstance(other, (Tensor, *_OPERAND_TYPES)) else NotImplemented

    def __ne__(self, other: object) -> Any:
        return elementwise.ne(self, other) if isinstance(other, (Tensor, *_OPERAND_TYPES)) else NotImplemented

    __hash__ = object.__hash__  # by identity: __eq__ compares elements

    def is_contiguous(self) -> Any:
        """Whether the elements follow each other in memory in row-major order, as `view` wants them."""
        return self.device.is_contiguous(self.array)

    def contiguous(self) -> "Tensor":
        """This tensor if it is contiguous, else a copy that is."""
        return self if self.is_contiguous() else self.clone()

    def view(self, *shape: int | Sequence[int]) -> "Tensor":
        """reshape without copying: writing to one is writing to the other. Refuses what only a copy can do."""
        result = shaping.reshape(self, *shape)
        if self.numel() and not self.device.shares_memory(result.array, self.array):
            raise RuntimeError(
                f"view: the elements of this tensor of shape {self.shape} are not in row-major order in memory (it is "
                f"a transpose or a slice), so shape {result.shape} needs a copy; write reshape(...)."
            )
        return result

    @property
    def T(self) -> "Tensor":  # noqa: N802  (PyTorch's name)
        """The transposed matrix."""
        if self.ndim > 2:
            raise ValueError(f".T is for matrices, this tensor has shape {self.shape}; use .mT or permute.")
        return self.permute(*reversed(range(self.ndim)))

    @property
    def mT(self) -> "Tensor":  # noqa: N802
        """Every matrix in the last two axes transposed."""
        return self.transpose(-2, -1)


def _describe(tensor: Tensor) -> str:
    return f"{tensor.dtype} {tensor.shape} on {tensor.device}"


def _rebuilt(
    kind: type[Tensor], array: npt.NDArray[Any], device: str, requires_grad: bool, grad: Tensor | None
) -> Tensor:
    tensor, backend = kind.__new__(kind), get_backend(device)
    Tensor.__init__(tensor, backend.from_numpy(array.copy()), backend)
    tensor.requires_grad, tensor.grad = requires_grad, grad
    return tensor
