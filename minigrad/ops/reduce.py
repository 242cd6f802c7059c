"""Summing over axes and repeating along them, each the other's gradient; and the largest and smallest elements.

Broadcasting is an operation of its own here, done before an elementwise operation. So `Add.backward` can be
`return dz, dz`, and what a broadcast operand needs, the sum over the places it was repeated to, is written once.
"""

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple, TypeAlias

from minigrad.backends.geometry import Shape, check_size
from minigrad.dtypes import as_dtype
from minigrad.function import Array, Function, Tensor
from minigrad.ops.convert import cast, clone, same_dtype
from minigrad.ops.index import gather
from minigrad.ops.shape import integers, normal_axes, reshape, sizes, unpacked

Dim = int | Sequence[int] | None
Operand: TypeAlias = Any  # a Tensor, or a number or NumPy array, which becomes a constant


class BroadcastTo(Function):
    is_view = True

    def __init__(self, shape: Shape) -> None:
        self.y_shape = shape

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        return self.device.broadcast_to(x, self.y_shape)

    def backward(self, dy: Tensor) -> Tensor:
        return SumTo(self.x_shape)(dy)


class SumTo(Function):
    """Sums over every axis that `shape` lacks in front or has with size 1."""

    def __init__(self, shape: Shape) -> None:
        self.y_shape = shape

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        lead = len(x.shape) - len(self.y_shape)
        axes = tuple(range(lead))
        if self.y_shape:
            axes += tuple([axis + lead for axis, size in enumerate(self.y_shape) if size != x.shape[axis + lead]])
        return self.device.reshape(self.device.sum(x, axes), self.y_shape)

    def backward(self, dy: Tensor) -> Tensor:
        return BroadcastTo(self.x_shape)(dy)


class AddBias(Function):
    """y[n,c,...] = x[n,c,...] + b[c], in the memory of x, which nobody else may read any more."""

    def forward(self, x: Array, b: Array) -> Array:
        self.device.add_bias(x, b)
        return self.device.getitem(x, (...,))

    def backward(self, dy: Tensor) -> tuple[Tensor, Tensor | None]:
        if not self.needs_grad[1]:
            return dy, None
        shape = (dy.shape[1], *[1] * (dy.ndim - 2))
        return dy, reshape(SumTo(shape)(dy), shape[:1])


def add_bias(x: Tensor, bias: Tensor) -> Tensor:
    """A number for each channel added to x, (batch, channels, ...), which is used up: dx = dy, db = the sum of dy."""
    return AddBias()(x, bias)


def broadcast_to(input: Tensor, shape: Sequence[int]) -> Tensor:
    """y repeats x along axes of size 1 and along new axes in front; dx is the sum of dy over the repetitions.

    It is a view that cannot be written, as its elements stand for several.
    """
    shape = integers("broadcast_to", shape)
    if [size for size in shape if size < 0] or broadcast_shape(input.shape, shape) != shape:
        raise ValueError(f"broadcast_to: shape {input.shape} does not fit {shape}; only axes of size 1 are repeated.")
    return input if input.shape == shape else BroadcastTo(shape)(input)


def expand(input: Tensor, *args: int | Sequence[int], size: Sequence[int] | None = None) -> Tensor:
    """broadcast_to with PyTorch's arguments: expand(2, 3) or expand((2, 3)); -1 leaves the size of an axis as it is."""
    sizes = integers("expand", unpacked(args, size))
    kept = (-1,) * (len(sizes) - input.ndim) + input.shape
    return broadcast_to(input, [old if size == -1 else size for old, size in zip(kept, sizes, strict=False)])


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """broadcast_to the shape of `other`."""
    return broadcast_to(input, other.shape)


def repeat(input: Tensor, *args: int | Sequence[int], repeats: Sequence[int] | None = None) -> Tensor:
    """x so many times along each axis, and along new axes in front; dx is the sum of dy over the repetitions."""
    counts = sizes("repeat", args, repeats)
    if len(counts) < input.ndim or not (args or repeats):
        raise ValueError(f"repeat: {counts} must have a number for each dimension of shape {input.shape}.")
    shape = (1,) * (len(counts) - input.ndim) + input.shape
    apart = reshape(input, [size for old in shape for size in (1, old)])
    pairs = list(zip(counts, shape, strict=True))
    repeated = clone(broadcast_to(apart, [size for pair in pairs for size in pair]))
    return reshape(repeated, [count * old for count, old in pairs])


def broadcast_shape(x: Shape, y: Shape) -> Shape:
    """The shape two operands are repeated to: aligned from the right, sizes must be equal or 1."""
    x_full, y_full = (1,) * (len(y) - len(x)) + x, (1,) * (len(x) - len(y)) + y
    pairs = list(zip(x_full, y_full, strict=True))
    for a, b in pairs:
        if a != b and a != 1 and b != 1:
            raise ValueError(f"shapes {x} and {y} cannot be broadcast together: aligned from the right, {a} meets {b}. "
                             "Sizes must be equal or 1; reshape one operand.")
    shape = tuple([b if a == 1 else a for a, b in pairs])
    check_size("broadcast", shape)
    return shape


def broadcast(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Both operands in their common shape; one that is a number stays as it is."""
    if x.array.shape == y.array.shape or _is_number(y) or _is_number(x):
        return x, y
    shape = broadcast_shape(x.shape, y.shape)
    return repeated(x, shape), repeated(y, shape)


def operands(x: Tensor, y: Operand) -> tuple[Tensor, Tensor]:
    """Both operands as tensors of one dtype and one shape; a number takes the dtype of the tensor it meets."""
    y = y if type(y) is type(x) else x._as_operand(y)
    if x.array.shape == y.array.shape and x.array.dtype == y.array.dtype and x.device is y.device:
        return x, y
    if x.device is not y.device:
        raise TypeError(f"operands are on {x.device} and {y.device}; move one of them with .to(device).")
    return broadcast(*same_dtype(x, y))


def repeated(input: Tensor, shape: Shape) -> Tensor:
    """An operand of an elementwise Function in the shape of the others, or as it is if it is a number."""
    return input if input.shape == shape or _is_number(input) else BroadcastTo(shape)(input)


def _is_number(x: Tensor) -> bool:
    """Whether x meets every element by itself (see backends/base.py): its gradient, a sum over them, is not wanted."""
    return x.array.shape == () and x._node() is None


def reduced_axes(name: str, input: Tensor, dim: Dim, axis: Dim) -> Shape:
    """The axes that `dim` (or NumPy's name for it, `axis`) means, sorted; all of them for None and ()."""
    if dim is not None and axis is not None:
        raise TypeError(f"{name}: give dim or axis, not both; they are two names for one thing.")
    chosen = axis if dim is None else dim
    every = tuple(range(input.ndim))
    if chosen is None:
        return every
    return tuple(sorted(normal_axes(name, input.shape, unpacked((chosen,))))) or every  # for (), as in PyTorch


def _one_axis(name: str, input: Tensor, dim: int | None, axis: int | None) -> int:
    axes = reduced_axes(name, input, dim, axis)
    if len(axes) != 1:
        raise TypeError(f"{name}: dim={axes} must be one dimension, along which positions count; amax takes several.")
    return axes[0]


def _with_axes(shape: Shape, axes: Shape, keepdim: bool) -> Shape:
    """`shape` after a reduction over axes: they have size 1, or are gone."""
    return tuple([1 if axis in axes else size for axis, size in enumerate(shape) if keepdim or axis not in axes])


def sum(input: Tensor, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None, dtype: Any = None) -> Tensor:
    """The sum over `dim` (an axis, several, or all if None); dx repeats dy along the summed axes.

    The axes vanish, or stay with size 1 if `keepdim`. Integers and bools add up in int64, all in `dtype` if it is
    given. `axis` is NumPy's name for `dim`.
    """
    if dim is None and axis is None and dtype is None and not keepdim and input.is_floating_point():
        return SumTo(())(input)  # as below, sooner: most losses end with it
    axes = reduced_axes("sum", input, dim, axis)
    if dtype is not None:
        return cast(sum(cast(input, as_dtype(dtype)), axes, keepdim), as_dtype(dtype))
    input = input if input.is_floating_point() else input.long()
    shape = _with_axes(input.shape, axes, keepdim)
    if keepdim or axes == tuple(range(len(axes))):  # SumTo sees by itself which axes those are
        return SumTo(shape)(input)
    return reshape(SumTo(_with_axes(input.shape, axes, True))(input), shape)


def mean(input: Tensor, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None, dtype: Any = None) -> Tensor:
    """The sum over `dim` divided by the number of elements summed; dx = dy / that number. NaN for none."""
    input = input if dtype is None else cast(input, as_dtype(dtype))
    if not input.is_floating_point():
        raise TypeError(f"mean: needs a floating-point tensor, got {input.dtype}; convert with .float().")
    axes = reduced_axes("mean", input, dim, axis)
    return sum(input, axes, keepdim) / prod([input.shape[axis] for axis in axes])


class Max(Function):
    saves_inputs = "all"
    saves_output = True

    def __init__(self, axes: Shape) -> None:
        self.axes = axes

    def forward(self, x: Array) -> Array:
        return self.device.max(x, self.axes)

    def backward(self, dy: Tensor) -> Tensor:
        (x,) = self.inputs
        largest: Tensor = (x == self.output).to(dy.dtype)
        return largest * (dy / sum(largest, self.axes, keepdim=True))


def amax(input: Tensor, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None) -> Tensor:
    """The largest element over `dim`; dy goes to it, in equal shares where several are. NaN if there is one."""
    return _amax("amax", input, dim, keepdim, axis)


def amin(input: Tensor, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None) -> Tensor:
    """The smallest element over `dim`; the rest as amax."""
    return mirrored(_amax("amin", mirrored(input), dim, keepdim, axis))


def _amax(name: str, input: Tensor, dim: Dim, keepdim: bool, axis: Dim) -> Tensor:
    axes = reduced_axes(name, input, dim, axis)
    _check_not_empty(name, input.shape, axes)
    return reshape(Max(axes)(input), _with_axes(input.shape, axes, keepdim))


def mirrored(input: Tensor) -> Tensor:
    """The same values in reverse order, so that the smallest becomes the largest: -x, or ~x = -1 - x, which integers
    and bools always have. Twice gives x back.
    """
    return -input if input.is_floating_point() else ~input


class ValuesAndIndices(NamedTuple):
    values: Tensor
    indices: Tensor


def max(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Tensor | None = None,
        axis: int | None = None) -> Any:
    """The largest element of all, x.max(); or along one axis, with its position: values, indices = x.max(dim).

    Along an axis dy goes to the element at `indices`, the first of the largest; over all elements, in equal shares to
    each largest. Of two tensors, x.max(other), it is `maximum`.
    """
    if (partner := _partner("max", dim, keepdim, other, axis)) is not None:
        return input.maximum(partner)
    if dim is None and axis is None:
        return amax(input, None, keepdim)
    return _found("max", argmax, input, dim, keepdim, axis)


def min(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Tensor | None = None,
        axis: int | None = None) -> Any:
    """The smallest element of all, along one axis, or of two tensors: as max."""
    if (partner := _partner("min", dim, keepdim, other, axis)) is not None:
        return input.minimum(partner)
    if dim is None and axis is None:
        return amin(input, None, keepdim)
    return _found("min", argmin, input, dim, keepdim, axis)


def _partner(name: str, dim: Any, keepdim: bool, other: Tensor | None, axis: int | None) -> Tensor | None:
    """The second tensor, if max or min are called with two."""
    if other is None and not hasattr(dim, "creator"):
        return None
    if keepdim or axis is not None or (other is not None and dim is not None):
        raise TypeError(f"{name}: of two tensors there is no dim, axis or keepdim.")
    return dim if other is None else other


def _found(name: str, find: Any, input: Tensor, dim: Any, keepdim: bool, axis: int | None) -> ValuesAndIndices:
    along = _one_axis(name, input, dim, axis)
    indices = find(input, along, keepdim=True)
    values = gather(input, along, indices)
    shape = _with_axes(input.shape, (along,), keepdim)
    return ValuesAndIndices(reshape(values, shape), reshape(indices, shape))


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None) -> Tensor:
    """The position (int64) of the first largest element along `dim`; in the flattened tensor if None."""
    return _argmax("argmax", input, dim, keepdim, axis)


def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None) -> Tensor:
    """The position (int64) of the first smallest element along `dim`; in the flattened tensor if None."""
    return _argmax("argmin", mirrored(input.detach()), dim, keepdim, axis)


def _argmax(name: str, input: Tensor, dim: int | None, keepdim: bool, axis: int | None) -> Tensor:
    if dim is None and axis is None:
        flat = _argmax(name, reshape(input, (-1,)), 0, False, None)
        return reshape(flat, (1,) * input.ndim) if keepdim else flat
    along = _one_axis(name, input, dim, axis)
    _check_not_empty(name, input.shape, (along,))
    indices = input._constant(input.device.argmax(input.array, along))
    return reshape(indices, _with_axes(input.shape, (along,), keepdim))


def any(input: Tensor, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None) -> Tensor:
    """Whether an element over `dim` is not 0, as bool (uint8 for uint8); of none, False."""
    return _truth(input, _found_over("any", input.ne(0), dim, keepdim, axis))


def all(input: Tensor, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None) -> Tensor:
    """Whether no element over `dim` is 0, as bool (uint8 for uint8); of none, True."""
    return _truth(input, ~_found_over("all", input.eq(0), dim, keepdim, axis))


def _found_over(name: str, marks: Tensor, dim: Dim, keepdim: bool, axis: Dim) -> Tensor:
    """Whether one of the `marks` over `dim` is set; for (), which means no axis here (as in PyTorch), each alone."""
    if () not in (dim, axis):
        marks = sum(marks, reduced_axes(name, marks, dim, axis), keepdim) != 0
    return marks


def _truth(input: Tensor, result: Tensor) -> Tensor:
    return cast(result, input.dtype) if input.dtype.kind == "u" else result


def _check_not_empty(name: str, shape: Shape, axes: Shape) -> None:
    if 0 in [shape[axis] for axis in axes]:
        raise ValueError(f"{name}: shape {shape} has no elements along axes {axes} to choose from.")
