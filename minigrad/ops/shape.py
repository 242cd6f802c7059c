"""Operations that arrange the same elements under another shape; where the device can, they are views."""

import operator
from collections.abc import Sequence
from contextlib import suppress
from math import prod
from typing import Any

import numpy as np

from minigrad.backends.geometry import Shape, check_size
from minigrad.function import Array, Function, Tensor


def integers(name: str, numbers: Sequence[Any]) -> Shape:
    """`numbers` as Python ints, those of NumPy included; `name` is the caller, for the error."""
    try:
        if not any([isinstance(number, bool) for number in numbers]):
            return tuple([operator.index(number) for number in numbers])
    except TypeError:
        pass
    raise TypeError(f"{name}: {tuple(numbers)} must be integers.")


def unpacked(arguments: Sequence[Any], named: Any = None) -> Sequence[Any]:
    """Sizes or axes given one by one, f(x, 2, 3), together, f(x, (2, 3)), or by name, f(x, dims=(2, 3))."""
    if named is not None:
        if arguments:
            raise TypeError(f"{tuple(arguments)} and {named} are two answers to one question; give one of them.")
        arguments = (named,)
    if len(arguments) == 1 and hasattr(arguments[0], "__iter__"):
        with suppress(TypeError):  # an array without axes
            return tuple(arguments[0])
    return arguments


def sizes(name: str, arguments: Sequence[Any], named: Any = None) -> Shape:
    """The shape of a new array, given as f(2, 3), f((2, 3)) or f(size=(2, 3)), checked."""
    shape = integers(name, unpacked(arguments, named))
    if min(shape, default=0) < 0:
        raise ValueError(f"{name}: shape {shape} must not have negative sizes.")
    check_size(name, shape)
    return shape


def normal_axes(name: str, shape: Shape, axes: Sequence[int]) -> Shape:
    """`axes` of a tensor of this shape counted from the front, checked; `name` is the caller, for the errors."""
    rank, axes = len(shape), integers(name, axes)
    for axis in axes:
        if not -rank <= axis < rank:
            raise IndexError(f"{name}: dim={axis} does not exist in shape {shape}; it has {rank} dimensions.")
    normal = tuple([axis % rank for axis in axes])
    if len(set(normal)) != len(normal):
        raise ValueError(f"{name}: dim={tuple(axes)} names a dimension of shape {shape} twice.")
    return normal


class Reshape(Function):
    is_view = True

    def __init__(self, shape: Shape) -> None:
        self.y_shape = shape

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        return self.device.reshape(x, self.y_shape)

    def backward(self, dy: Tensor) -> Tensor:
        return Reshape(self.x_shape)(dy)


def reshape(input: Tensor, *args: int | Sequence[int], shape: Sequence[int] | None = None) -> Tensor:
    """The same elements in the same (row-major) order under another shape; one size may be -1: "what is left".

    A view where the memory allows it, else a copy; dx is dy in the old shape. So too flatten, squeeze, unsqueeze.
    """
    new = integers("reshape", unpacked(args, shape))
    if -1 in new:
        known = -prod(new)
        if new.count(-1) > 1 or known <= 0 or input.numel() % known:
            raise ValueError(f"reshape: cannot infer the size -1 in {new} for shape {input.shape} of {input.numel()} "
                             "elements.")
        new = tuple([input.numel() // known if size == -1 else size for size in new])
    if prod(new) != input.numel() or any([size < 0 for size in new]):
        raise ValueError(f"reshape: shape {input.shape} has {input.numel()} elements, {new} has {prod(new)}.")
    return Reshape(new)(input)


def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """reshape to the shape of `other`."""
    return reshape(input, other.shape)


def view(input: Tensor, *args: int | Sequence[int], size: Sequence[int] | None = None) -> Tensor:
    """reshape without copying: writing to one is writing to the other. Refuses what only a copy can do."""
    if len(args) == 1 and isinstance(args[0], np.dtype):
        raise TypeError(f"view: bytes cannot be read as another dtype; .to({str(args[0])!r}) converts numbers.")
    result = reshape(input, *args, shape=size)
    if input.numel() and not input.device.shares_memory(result.array, input.array):
        raise RuntimeError(f"view: the elements of this tensor of shape {input.shape} are not in row-major order in "
                           f"memory (it is a transpose or a slice), so shape {result.shape} needs a copy; write "
                           "reshape(...).")
    return result


def view_as(input: Tensor, other: Tensor) -> Tensor:
    """view with the shape of `other`."""
    return view(input, other.shape)


def is_contiguous(input: Tensor) -> bool:
    """Whether the elements follow each other in memory in row-major order, as `view` wants them."""
    return input.device.is_contiguous(input.array)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Joins the axes from start_dim to end_dim, both included, into one."""
    if input.ndim == 0:
        return reshape(input, 1)
    (start,), (end,) = normal_axes("flatten", input.shape, [start_dim]), normal_axes("flatten", input.shape, [end_dim])
    if start > end:
        raise ValueError(f"flatten: start_dim={start_dim} comes after end_dim={end_dim} in shape {input.shape}.")
    return reshape(input, (*input.shape[:start], prod(input.shape[start : end + 1]), *input.shape[end + 1 :]))


class Permute(Function):
    is_view = True

    def __init__(self, axes: Shape) -> None:
        self.axes = axes

    def forward(self, x: Array) -> Array:
        return self.device.permute(x, self.axes)

    def backward(self, dy: Tensor) -> Tensor:
        return Permute(tuple(sorted(range(len(self.axes)), key=self.axes.__getitem__)))(dy)  # the inverse permutation


def permute(input: Tensor, *args: int | Sequence[int], dims: Sequence[int] | None = None) -> Tensor:
    """y.shape[k] = x.shape[dims[k]]: the axes in another order, as a view."""
    axes = normal_axes("permute", input.shape, unpacked(args, dims))
    if len(axes) != input.ndim:
        raise ValueError(f"permute: dims={axes} must name every dimension of shape {input.shape} once.")
    return Permute(axes)(input)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Exchanges two axes: a view."""
    axes = list(range(input.ndim))
    (a,), (b,) = normal_axes("transpose", input.shape, [dim0]), normal_axes("transpose", input.shape, [dim1])
    axes[a], axes[b] = b, a
    return Permute(tuple(axes))(input)


def T(input: Tensor) -> Tensor:  # noqa: N802  (PyTorch's name)
    """The transposed matrix, as a view; a vector as it is."""
    if input.ndim > 2:
        raise ValueError(f".T is for matrices, this tensor has shape {input.shape}; use .mT or permute.")
    return permute(input, *reversed(range(input.ndim)))


def mT(input: Tensor) -> Tensor:  # noqa: N802
    """Every matrix in the last two axes transposed."""
    return transpose(input, -2, -1)


def squeeze(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Drops the axes of size 1; with `dim`, an axis or several, only those of them that have size 1."""
    chosen = range(input.ndim) if dim is None else normal_axes("squeeze", input.shape, unpacked((dim,)))
    return reshape(input, [size for axis, size in enumerate(input.shape) if size != 1 or axis not in chosen])


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """Inserts an axis of size 1 at `dim`."""
    shape = list(input.shape)
    (position,) = normal_axes("unsqueeze", (*input.shape, 1), [dim])
    shape.insert(position, 1)
    return reshape(input, shape)
