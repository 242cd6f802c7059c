"""Taking elements out by an index and putting them back at it, each the other's gradient; and joining tensors.

Flipping is taking out with a step of -1.
"""

import re
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from minigrad.backends.base import HostArray, Shape, is_basic
from minigrad.function import Array, Function, Tensor
from minigrad.ops.convert import cast, clone, common_dtype
from minigrad.ops.shape import integers, normal_axes, reshape, unpacked

Key = tuple[Any, ...]


def normal_key(key: Any) -> Key:
    """An index as back ends take it: a tuple of ints, slices, None, NumPy index and mask arrays, and one Ellipsis.

    Index tensors and lists are copied to the host, where the shape of a result is decided. They are a few integers;
    the data they select stays on its device. (The Ellipsis makes NumPy return an array also for a single element.)
    """
    parts = tuple([_normal_part(part) for part in (key if isinstance(key, tuple) else (key,))])
    if not is_basic(parts):
        _check_order_of_axes(parts)
    return parts if any([part is Ellipsis for part in parts]) else (*parts, Ellipsis)


def _normal_part(part: Any) -> Any:
    if part is None or part is Ellipsis or type(part) in (int, slice):
        return part
    array = np.array(part.numpy() if hasattr(part, "creator") else part)  # a copy: the caller may write into his own
    if array.dtype == np.uint8 and not isinstance(part, np.uint8):
        raise IndexError("an index of uint8 could mean positions or a mask; say which with .long() or .bool().")
    if array.ndim == 0 and array.dtype.kind in "iu":
        return int(array)
    if array.size == 0 and array.dtype.kind == "f":  # x[[]]
        array = array.astype(np.int64)
    if array.dtype.kind not in "iub":
        raise IndexError(f"an index must be made of integers, slices, None, ... or bool masks; got {part!r}.")
    return array


def _check_order_of_axes(parts: Key) -> None:
    """NumPy counts integers beside index arrays as arrays, and puts the axes of separated arrays first; PyTorch takes
    the integers beforehand. Where this leads to two different shapes, neither is right for everybody.

    That is where arrays and integers are separated, for NumPy, and the arrays alone are neighbours behind a slice, for
    PyTorch, which leaves their axes there.
    """
    kinds = "".join(["a" if isinstance(part, np.ndarray) else "i" if isinstance(part, int) else "s" for part in parts])
    if re.search("[ai]s+[ai]", kinds) and re.fullmatch("s+a+s*", kinds.replace("i", "")):
        raise IndexError("an index with a slice, None or ... between an integer and an array: NumPy and PyTorch order "
                         "the axes of the result differently. Index twice, first with the integers: x[0][:, [1, 2]] "
                         "for x[0, :, [1, 2]].")


class GetItem(Function):
    def __init__(self, key: Key) -> None:
        self.key = key
        self.is_view = is_basic(key)

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        return self.device.getitem(x, self.key)

    def backward(self, dy: Tensor) -> Tensor:
        return Put(self.key, self.x_shape)(dy)


class Put(Function):
    """y = 0, then y[key] += x."""

    def __init__(self, key: Key, shape: Shape) -> None:
        self.key, self.y_shape = key, shape

    def forward(self, x: Array) -> Array:
        return self.device.put(x, self.key, self.y_shape)

    def backward(self, dy: Tensor) -> Tensor:
        return GetItem(self.key)(dy)


def getitem(input: Tensor, key: Any) -> Tensor:
    """y = x[key]; dx is 0 but for dx[key] += dy. Ints, slices, None, Ellipsis, integer and bool arrays, as in NumPy."""
    return GetItem(normal_key(key))(input)


def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """The `length` elements from `start` on along axis `dim`, as a view: x[:, start : start + length] for dim=1."""
    (axis,), (first, count) = normal_axes("narrow", input.shape, [dim]), integers("narrow", (start, length))
    size = input.shape[axis]
    first += size if first < 0 else 0
    if not 0 <= first <= first + count <= size:
        raise IndexError(f"narrow: start={start}, length={length} leads out of dim={dim} of shape {input.shape}, or "
                         "backwards.")
    return getitem(input, (*[slice(None)] * axis, slice(first, first + count)))


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """x[index] for dim=0, x[:, index] for dim=1 ...: a view, without that axis."""
    (axis,) = normal_axes("select", input.shape, [dim])
    return getitem(input, (*[slice(None)] * axis, *integers("select", [index])))


def split(tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of one size along `dim`, the last being what is left; or of a list of sizes, which add up to the whole.

    They are views, as are those of chunk and unbind.
    """
    (axis,) = normal_axes("split", tensor.shape, [dim])
    size, sections = tensor.shape[axis], integers("split", unpacked((split_size_or_sections,)))
    if isinstance(split_size_or_sections, Sequence):
        if min(sections, default=0) < 0 or sum(sections) != size:
            raise ValueError(f"split: sizes {sections} must add up to the {size} of dim={dim} of shape {tensor.shape}.")
    else:
        (step,) = sections
        if step < 0 or (step == 0 and size > 0):
            raise ValueError(f"split: split_size={step} must be positive.")
        sections = tuple([min(step, size - start) for start in range(0, size, step or 1)]) or (0,)
    starts = accumulate(sections, initial=0)
    return tuple([narrow(tensor, axis, start, length) for start, length in zip(starts, sections, strict=False)])


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` pieces along `dim`, all of one size but the last, which may be smaller."""
    (axis,), (count,) = normal_axes("chunk", input.shape, [dim]), integers("chunk", [chunks])
    if count < 1:
        raise ValueError(f"chunk: chunks={chunks} must be positive.")
    return split(input, -(-input.shape[axis] // count) or [0] * count, axis)


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """All the slices along `dim`, which vanishes from them."""
    (axis,) = normal_axes("unbind", input.shape, [dim])
    return tuple([select(input, axis, position) for position in range(input.shape[axis])])


def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """y[.., k, ..] = x[.., index[.., k, ..], ..] along axis `dim`; dx[.., index[.., k, ..], ..] += dy[.., k, ..].

    y is shaped like index, which along the other axes may be smaller than x: it meets the first elements there.
    """
    (axis,) = normal_axes("gather", input.shape, [dim])
    places = _positions("gather", index, input.shape, axis)
    pairs = list(zip(index.shape, input.shape, strict=False))
    if index.ndim != input.ndim or any([size > most for size, most in pairs[:axis] + pairs[axis + 1 :]]):
        raise ValueError(f"gather: index {index.shape} must have as many dimensions as input {input.shape}, none of "
                         f"them larger, save dim={dim}.")
    return getitem(input, along(index.shape, axis, places))


def _positions(name: str, index: Tensor, shape: Shape, axis: int) -> HostArray:
    """An index tensor as an array of positions along an axis, checked."""
    if not hasattr(index, "creator") or index.dtype.kind != "i":
        got = index.dtype if hasattr(index, "creator") else type(index).__name__
        raise TypeError(f"{name}: indices must be a tensor of integers, int64 or int32, got {got}.")
    places = index.numpy()
    for place in (places.min(initial=0), places.max(initial=0)):
        if not 0 <= place < shape[axis] and places.size:
            raise IndexError(f"{name}: index {place} does not exist along dim={axis} of shape {shape}.")
    return places


def along(shape: Shape, axis: int, places: HostArray) -> Key:
    """The key that names places[.., k, ..] along the axis, and along the others every place of `shape`."""
    every = [np.arange(size).reshape(size, *[1] * (len(shape) - k - 1)) for k, size in enumerate(shape)]
    return (*every[:axis], places, *every[axis + 1 :])


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The positions of the elements that are not 0, one in each row of an int64 tensor; or `as_tuple` a tensor for each
    axis, so that x[nonzero(x, as_tuple=True)] are these elements.
    """
    values = input.numpy(force=True)  # how many there are is decided on the host
    places = np.argwhere(np.atleast_1d(values) if as_tuple else values)
    positions = input._constant(input.device.from_numpy(places))
    return unbind(positions, 1) if as_tuple else positions


def flip(input: Tensor, *args: int | Sequence[int], dims: Sequence[int] | None = None) -> Tensor:
    """The elements in reverse order along each of `dims`; as in PyTorch a copy, while x[::-1] is a view."""
    axes = normal_axes("flip", input.shape, unpacked(args, dims))
    return clone(GetItem((*[slice(None, None, -1 if k in axes else 1) for k in range(input.ndim)], Ellipsis))(input))


class Concatenate(Function):
    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, *arrays: Array) -> Array:
        self.sizes = [array.shape[self.axis] for array in arrays]
        return self.device.concatenate(arrays, self.axis)

    def backward(self, dy: Tensor) -> tuple[Tensor | None, ...]:
        lead, start, pieces = (slice(None),) * self.axis, 0, []
        for needed, size in zip(self.needs_grad, self.sizes, strict=True):
            pieces.append(dy[(*lead, slice(start, start + size))] if needed else None)
            start += size
        return tuple(pieces)


def _pieces(name: str, tensors: Any) -> list[Tensor]:
    """The tensors to join, as a list of at least one."""
    if hasattr(tensors, "creator"):
        raise TypeError(f"{name}: needs a list of tensors, got one tensor of shape {tensors.shape}; its rows are "
                        "list(x).")
    pieces = list(tensors)
    if not pieces:
        raise ValueError(f"{name}: needs at least one tensor.")
    for position, piece in enumerate(pieces):
        if not hasattr(piece, "creator"):
            raise TypeError(f"{name}: tensors[{position}] must be a tensor, got {type(piece).__name__}: {piece!r}.")
    return pieces


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors one after the other along axis `dim`, in their common dtype; each gets its piece of dy."""
    tensors = _pieces("cat", tensors)
    (axis,) = normal_axes("cat", tensors[0].shape, [dim])
    first = tensors[0].shape
    for position, tensor in enumerate(tensors):
        rest = (*tensor.shape[:axis], *tensor.shape[axis + 1 :])
        if tensor.ndim != len(first) or rest != (*first[:axis], *first[axis + 1 :]):
            raise ValueError(f"cat: tensors[{position}] has shape {tensor.shape}, tensors[0] {first}; they may differ "
                             f"only along dim={dim}.")
    dtype = common_dtype(tensors)
    return Concatenate(axis)(*[cast(tensor, dtype) for tensor in tensors])


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape along a new axis `dim`: y[k] = tensors[k] for dim=0."""
    tensors = _pieces("stack", tensors)
    shape = tensors[0].shape
    for position, tensor in enumerate(tensors):
        if tensor.shape != shape:
            raise ValueError(f"stack: tensors[{position}] has shape {tensor.shape}, tensors[0] {shape}; they must be "
                             "equal.")
    (axis,) = normal_axes("stack", (*shape, 1), [dim])
    return cat([reshape(tensor, (*shape[:axis], 1, *shape[axis:])) for tensor in tensors], axis)


concatenate = cat  # NumPy's name, which PyTorch has too
