"""Tensor: an array on a device, its gradient, and its place in the graph. Its operators are in methods.py.

A Tensor is small: the array, the device it lives on, the Function that made it (its *creator*; None for a leaf), and a
version counter that counts writes in place. Views of one memory share one counter, so the backward walk
notices when a saved value has been overwritten and raises instead of computing a wrong gradient.

*Writing in place is an operation like any other.* x[0] = v makes a new x of the old one and v; it only happens to use
the memory of the old one, and the tensor x moves on to the new one's place in the graph (`ops/write.py`). A view knows
from which tensor it was taken, and how. So a write through a view gives that tensor a new creator, and every other view
of the memory, when it is next used, is taken from it anew.
"""

from collections.abc import Callable, Iterator
from math import prod
from typing import TYPE_CHECKING, Any, Self
from weakref import ref

import numpy as np
import numpy.typing as npt

from minigrad import autograd, printing
from minigrad.absent import INSTEAD, absent
from minigrad.autograd import RemovableHandle
from minigrad.backends import get_backend
from minigrad.backends.base import Backend
from minigrad.dtypes import ALL, NUMBER_TYPES, as_array, as_dtype, as_number, float32, float64, int32, int64
from minigrad.function import Array, Function, Node, edges_to, enable_grad, is_grad_enabled
from minigrad.methods import OPERAND_TYPES, Methods
from minigrad.ops import compare, convert, index, reduce
from minigrad.ops import shape as shaping
from minigrad.ops.convert import KINDS
from minigrad.ops.write import Write

Integer = int  # Tensor has methods called int, float and bool, which hide the types inside the class
Number = int | float


class Version:
    """Counts the writes to one memory."""

    count = 0  # until the first, which gives the object a count of its own


class View:
    """Where a view comes from: its `base`, which is none itself, and the steps (Functions) that lead from there to it.

    `seen` is the version of the memory for which the view's creator is right. A view taken under no_grad() is not
    `tracked`: it has no history, whatever is written later.
    """

    __slots__ = ("base", "seen", "steps", "tracked")

    def __init__(self, base: "Tensor", steps: tuple[Function, ...], seen: int, tracked: bool) -> None:
        self.base, self.steps, self.seen, self.tracked = base, steps, seen, tracked


class Tensor(Methods):
    """An n-dimensional array that can be differentiated. Made by `minigrad.tensor` and friends, or by operations.

    `shape` (tuple of ints), `dtype` (NumPy dtype), `device` (Backend), `requires_grad`, and for leaves `grad`: the
    gradient, a Tensor of the same shape, summed over all `backward()` calls since it was last reset.
    """

    __slots__ = ("__weakref__", "_creator", "_grad", "_requires_grad", "_view", "array", "device", "hooks", "version")

    array: Array  # the values, in the type of the device; write them only through the tensor, which counts versions
    device: Backend
    hooks: dict[Integer, Callable[["Tensor"], "Tensor | None"]] | None

    def __init__(self, array: Array, device: Backend | None = None, creator: Function | None = None,
                 version: Version | None = None) -> None:
        if device is None or isinstance(device, Integer):  # Tensor([1.0]), Tensor(2, 3)
            raise TypeError("Tensor(...) wraps an array of a device; to make a tensor write minigrad.tensor([1.0, "
                            "2.0]).")
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
        creator = function if recorded else None
        if not function.is_view or not function.device.shares_memory(array, self.array):
            if array is self.array:  # a Function that changes gradients only, and does not say that it is a view
                array = function.device.copy(array)
            return Tensor(array, function.device, creator)
        result = Tensor(array, function.device, creator, self.version)
        view = self._view or View(self, (), 0, True)
        tracked = view.tracked and is_grad_enabled()
        result._view = View(view.base, (*view.steps, function), self.version.count, tracked)
        return result

    def _node(self) -> Node | None:
        """What its gradient belongs to: the Function that made this tensor, or a leaf itself; None if it needs none."""
        creator = self._creator if self._view is None else self.creator
        if creator is not None:
            return creator
        return self if self._requires_grad else None

    def _with_creator(self, creator: Function) -> "Tensor":
        return Tensor(self.array, self.device, creator, self.version)

    def _constant(self, array: Array) -> "Tensor":
        """A tensor without history around an array of this tensor's device."""
        return Tensor(array, self.device)

    def _copied(self) -> "Tensor":
        """clone(), without history."""
        return Tensor(self.device.copy(self.array), self.device)

    def _as_operand(self, value: Any) -> "Tensor":
        """`value` as the other operand of a binary operation; numbers become constants of this tensor's dtype."""
        if isinstance(value, Tensor):
            return value
        if not isinstance(value, OPERAND_TYPES):
            raise TypeError(f"operand must be a Tensor, a number or a NumPy array, got {type(value).__name__}: "
                            f"{value!r}.")
        if isinstance(value, np.ndarray):
            return Tensor(self.device.from_numpy(as_array(value).copy()), self.device)
        return self._number(value, self.array.dtype if self.array.dtype.kind == "f" else self._dtype_for(value))

    def _number(self, value: Any, dtype: np.dtype[Any]) -> "Tensor":
        """A constant without axes."""
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
    def shape(self) -> tuple[Integer, ...]:
        """The sizes of the axes, as a tuple of ints."""
        return self.array.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        """What the elements are: float32, float64, int32, int64, uint8 or bool, of minigrad and of NumPy."""
        return self.array.dtype  # type: ignore[no-any-return]

    @property
    def ndim(self) -> Integer:
        """The number of axes."""
        return len(self.array.shape)

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

    def size(self, dim: Integer | None = None) -> Any:
        """The shape, or the size of one axis."""
        return self.shape if dim is None else self.shape[dim]

    def dim(self) -> Integer:
        """The number of axes, as ndim."""
        return len(self.shape)

    def numel(self) -> Integer:
        """The number of elements."""
        return prod(self.array.shape)

    nelement = numel

    def is_floating_point(self) -> bool:
        """Whether the dtype is float32 or float64: only such tensors can require grad."""
        return self.array.dtype.kind == "f"  # type: ignore[no-any-return]

    if not TYPE_CHECKING:  # to a type checker it would mean that every name exists

        def __getattr__(self, name: str) -> Any:
            if name.endswith("_") and hasattr(type(self), name[:-1]) and name not in INSTEAD:
                raise AttributeError(f"Tensor has no {name!r}. Write x = x.{name[:-1]}(...), or x[...] = that.")
            raise absent("Tensor", name)

    def __len__(self) -> Integer:
        if not self.shape:
            raise TypeError("len() of a tensor without dimensions")
        return self.shape[0]

    def __iter__(self) -> Iterator["Tensor"]:
        return (self[k] for k in range(len(self)))

    def __contains__(self, element: Any) -> Any:
        return compare.eq(self, element).any().item() != 0

    def __repr__(self) -> str:
        """PyTorch's format. Where PyTorch writes grad_fn=<MulBackward0>, the Function that made it: creator=<Mul>."""
        usual = self.dtype == float32 or (self.numel() > 0 and self.dtype.kind in "ib" and self.dtype != int32)
        notes = [] if self.device.name == "cpu" else [f"device={self.device.name!r}"]
        notes += [f"size={self.shape}"] if self.numel() == 0 and self.ndim != 1 else []
        notes += [] if usual else [f"dtype={self.dtype}"]
        if self.creator is not None:
            notes.append(f"creator=<{type(self.creator).__name__}>")
        elif self.requires_grad:
            notes.append("requires_grad=True")
        return printing.described("tensor(", self.numpy(force=True), notes)

    def __copy__(self) -> Self:
        """A second leaf on the same memory."""
        self._check_leaf("copy.copy")
        twin = type(self).__new__(type(self))
        Tensor.__init__(twin, self.array, self.device, None, self.version)
        return twin.requires_grad_(self.requires_grad)

    def __reduce__(self) -> Any:
        """What copy.deepcopy and pickle keep of a leaf: its class, values, device, requires_grad and gradient.

        The values get memory of their own, also where it was shared with another tensor. Hooks stay behind.
        """
        self._check_leaf("copy.deepcopy and pickle")
        return _rebuilt, (type(self), self.numpy(force=True), self.device.name, self.requires_grad, self.grad)

    def _check_leaf(self, name: str) -> None:
        if self.creator is not None:
            raise RuntimeError(f"{name}: only for leaves, and this tensor is part of a graph; write x.detach().")

    # --- gradients ----------------------------------------------------------------------------------------

    def backward(self, gradient: "Tensor | None" = None, retain_graph: bool | None = None,
                 create_graph: bool = False) -> None:
        """Adds the gradient of (self * gradient).sum() to `.grad` of every leaf that requires grad.

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
        new, old = value.array, self.array
        if new.shape != old.shape or new.dtype != old.dtype or value.device is not self.device:
            raise ValueError(f".{name} is {_describe(self)}; cannot replace it by {_describe(value)}.")

    @property
    def requires_grad(self) -> Any:
        """Whether operations on this tensor are recorded; assigning does what requires_grad_ does."""
        return self._node() is not None

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
            raise TypeError(f"only floating-point tensors can require grad, this one is {self.dtype}; convert with "
                            ".float().")
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
        return RemovableHandle(self._node(), hook)

    # --- writing in place ---------------------------------------------------------------------------------

    def __setitem__(self, key: Any, value: Any) -> None:
        """x[key] = value in x's memory. It is recorded: gradients flow to the value, and to what x keeps of itself."""
        self._write(index.normal_key(key), value)

    def _write(self, key: index.Key, value: Any) -> None:
        value = self._number(value, self.dtype) if isinstance(value, NUMBER_TYPES) else self._as_operand(value)
        if value.device is not self.device:
            raise TypeError(f"x is on {self.device}, value on {value.device}; move it with "
                            f"value.to({self.device.name!r}).")
        value = convert.cast(value, self.dtype)  # integers and bools leave the graph
        view = self._view or View(self, (), 0, True)
        recorded = edges_to((view.base, value)) is not None
        if recorded:
            self._check_may_be_written(view)
        target = self.device.getitem(self.array, key).shape
        while value.ndim > len(target) and value.shape[0] == 1:
            value = value.squeeze(0)
        if value.shape != target:
            value = reduce.broadcast_to(value, target)
        if self.device.shares_memory(value.array, self.array):
            value = value.clone()  # x[1:] = x[:-1]
        creator = Write(view.steps, key)
        edges = edges_to((view.base, value))
        self.device.assign(self.array, key, value.array)
        self.version.count += 1
        if edges:
            creator.record((view.base, value), edges, view.base)
            view.base._set_creator(creator)

    def _check_may_be_written(self, view: View) -> None:
        """Refuses writes that no gradient could pass, or whose gradient would be a wrong one."""
        of_view = "a view of " if self._view is not None else ""
        if view.base.creator is None and view.base.requires_grad:
            raise RuntimeError(f"writing in place into {of_view}a leaf that requires grad would lose its old value "
                               "from the graph. To update a parameter, write under `with minigrad.no_grad():`; else "
                               "write into x.clone().")
        if not view.tracked:
            raise RuntimeError("a view that was taken under no_grad() is written in place where gradients are "
                               "recorded, so it is not clear what is meant. Take it and write it both inside `with "
                               "minigrad.no_grad():`, or both outside.")
        if view.base.version is not self.version:
            raise RuntimeError("the memory of the tensor that this view was taken from has been replaced (.data = ...) "
                               "since; take the view again before writing it.")

    def copy_(self, source: Any) -> Self:
        """self[...] = source, where `source` has no more axes than this tensor."""
        if isinstance(source, Tensor) and source.ndim > self.ndim:
            raise ValueError(f"copy_: a source of shape {source.shape} does not fit {self.shape}; squeeze it first.")
        self._write((...,), source)
        return self

    def zero_(self) -> Self:
        """Every element becomes 0, in place; returns the tensor."""
        return self.copy_(0)

    def fill_(self, value: Number) -> Self:
        """Every element becomes `value`, in place; returns the tensor."""
        return self.copy_(value)

    def _become(self, result: "Tensor") -> Self:
        """Takes over the values, and the history, of `result`."""
        if KINDS[result.dtype.kind] > KINDS[self.dtype.kind]:
            raise TypeError(f"the result is {result.dtype} and does not fit into this {self.dtype} tensor; write x = x "
                            "+ y instead.")
        if result.shape != self.shape:
            raise ValueError(f"a result of shape {result.shape} does not fit {self.shape}, the tensor to be written in "
                             "place; write x = x + y instead.")
        return self.copy_(result)

    # --- to other dtypes, devices and types -----------------------------------------------------------------

    def to(self, target: Any = None, dtype: Any = None, *, device: Any = None, copy: Any = False,
           non_blocking: Any = False) -> "Tensor":
        """In another dtype or on another device ("cpu", "opencl", "reference"); gradients flow back.

        to(dtype), to(device), to(device, dtype) or to(other): those of another tensor. The result is this tensor itself
        if nothing changes, unless `copy`. `non_blocking`, which permits PyTorch not to wait, changes nothing here.
        """
        where = kind = None
        if isinstance(target, Tensor):
            where, kind = target.device, target.dtype
        elif isinstance(target, Backend) or (isinstance(target, str) and target not in ALL):
            where = get_backend(target)
        elif target is not None:
            kind = as_dtype(target)
        if (where is not None and device is not None) or (kind is not None and dtype is not None):
            raise TypeError(f"to: {target!r} says already what device={device} or dtype={dtype} says again.")
        where = where or (self.device if device is None else get_backend(device))
        kind = kind or (self.dtype if dtype is None else as_dtype(dtype))
        # The smaller of the dtypes travels: not every device has double precision.
        result = convert.cast(self, kind) if kind.itemsize < self.dtype.itemsize else self
        result = convert.cast(convert.to_device(result, where), kind)
        return convert.clone(result) if copy and result is self else result

    def type(self, dtype: Any) -> "Tensor":
        """to(dtype)"""
        return self.to(as_dtype(dtype))

    def type_as(self, other: "Tensor") -> "Tensor":
        """to(other): of its dtype and device."""
        return self.to(other)

    def cpu(self) -> "Tensor":
        """to("cpu")"""
        return self.to("cpu")

    def float(self) -> "Tensor":
        """to(float32)"""
        return convert.cast(self, float32)

    def double(self) -> "Tensor":
        """to(float64)"""
        return convert.cast(self, float64)

    def int(self) -> "Tensor":
        """to(int32): towards zero."""
        return convert.cast(self, int32)

    def long(self) -> "Tensor":
        """to(int64): towards zero."""
        return convert.cast(self, int64)

    def bool(self) -> "Tensor":
        """to(bool): whether an element is not 0."""
        return convert.cast(self, ALL["bool"])

    def numpy(self, *, force: Any = False) -> npt.NDArray[Any]:
        """The values as a NumPy array, sharing memory on the CPU. Refuses a tensor in a graph: gradients end here.

        `force=True` detaches first.
        """
        if self.requires_grad and not force:
            raise RuntimeError("numpy() of a tensor that requires grad would leave the graph; write "
                               "x.detach().numpy(). To make one tensor of several, write minigrad.stack([x, y]).")
        return self.device.to_numpy(self.array)

    def __array__(self, dtype: Any = None, copy: Any = None) -> npt.NDArray[Any]:
        array = self.numpy()
        if copy is False and array is not self.array:
            raise ValueError(f"a NumPy array cannot share memory on {self.device}; leave out copy=False.")
        return np.asarray(array, dtype, copy=copy)

    __array_priority__ = 1000  # ndarray * tensor is ours to answer

    def __dlpack__(self, **options: Any) -> Any:
        """This memory for another library, by the DLPack protocol: torch.from_dlpack(x), np.from_dlpack(x).

        Writes to one are seen in the other, but not counted in the other: do not write what a graph has saved.
        """
        return self._shareable().__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._shareable().__dlpack_device__()

    def _shareable(self) -> Any:
        if self.requires_grad:
            raise BufferError("DLPack: a tensor that requires grad would leave the graph; pass x.detach().")
        array = self.numpy()
        if self.array is not array:
            raise BufferError(f"DLPack: memory on {self.device} is not shared with other libraries; pass x.cpu().")
        if min(array.strides, default=0) < 0:
            raise BufferError("DLPack: PyTorch dies of a view that goes backwards (x[::-1]); pass x.clone().")
        return array

    def item(self) -> Any:
        """The only element, as a Python number."""
        if self.numel() != 1:
            raise ValueError(f"item() needs a tensor of one element, this one has shape {self.shape}; use tolist().")
        return self.numpy(force=True).item()

    def tolist(self) -> Any:
        """The elements as Python numbers in nested lists."""
        return self.numpy(force=True).tolist()

    def __float__(self) -> Any:
        return float(self.item())

    def __int__(self) -> Integer:
        return int(self.item())

    def __index__(self) -> Integer:
        if self.dtype.kind not in "iu" or self.numel() != 1:
            raise TypeError(f"only an integer tensor of one element is an index, this one is {_describe(self)}.")
        return int(self.item())

    def __bool__(self) -> Any:
        if self.numel() != 1:
            raise ValueError(f"the truth of a tensor of shape {self.shape} is ambiguous; use .item() of one element.")
        return self.item() != 0

    def __format__(self, spec: str) -> str:
        return format(self.item() if self.ndim == 0 or (spec and self.numel() == 1) else str(self), spec)

    def new_full(self, size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None,
                 requires_grad: Any = False) -> "Tensor":
        """A tensor filled with `fill_value`, of this one's dtype and device unless told."""
        kind = self.dtype if dtype is None else as_dtype(dtype)
        backend = self.device if device is None else get_backend(device)
        array = backend.full(shaping.sizes("new_full", (size,)), as_number(fill_value, kind), kind)
        return Tensor(array, backend).requires_grad_(requires_grad)

    def new_zeros(self, *args: Any, size: Any = None, dtype: Any = None, device: Any = None,
                  requires_grad: Any = False) -> "Tensor":
        """Zeros, of this one's dtype and device unless told: new_zeros(2, 3) or new_zeros((2, 3))."""
        shape = shaping.sizes("new_zeros", args, size)
        return self.new_full(shape, 0, dtype=dtype, device=device, requires_grad=requires_grad)

    def new_ones(self, *args: Any, size: Any = None, dtype: Any = None, device: Any = None,
                 requires_grad: Any = False) -> "Tensor":
        """Ones, as new_zeros."""
        shape = shaping.sizes("new_ones", args, size)
        return self.new_full(shape, 1, dtype=dtype, device=device, requires_grad=requires_grad)

    new_empty = new_zeros


def _describe(tensor: Tensor) -> str:
    return f"{tensor.dtype} {tensor.shape} on {tensor.device}"


def _rebuilt(kind: type[Tensor], array: npt.NDArray[Any], device: str, requires_grad: bool,
             grad: Tensor | None) -> Tensor:
    tensor, backend = kind.__new__(kind), get_backend(device)
    Tensor.__init__(tensor, backend.from_numpy(array.copy()), backend)
    tensor.requires_grad, tensor.grad = requires_grad, grad
    return tensor
