"""Winograd's convolution with dilation: d * d ordinary ones, on every d-th row and column.

In one direction, tap u of a kernel with dilation d and padding p meets at place i the pixel h = i - p + u * d. So the
places i = a, a + d, a + 2 * d ... see pixels of one kind alone, h = r, r + d, r + 2 * d ... with r = (a - p) mod d, and
among these they are neighbours: the k-th place sees pixels number k + u + (a - p - r) / d, as without dilation.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from types import EllipsisType

import numpy as np

from minigrad.backends.base import HostArray
from minigrad.backends.extension import pool
from minigrad.backends.extension import winograd as kernels
from minigrad.backends.geometry import ConvGeometry, Pair, Shape

empty = pool.empty
Key = tuple[EllipsisType, slice, slice]


def applies(geometry: ConvGeometry, dtype: np.dtype[np.generic]) -> bool:
    """Whether this rung can do it: a 3 x 3 kernel that moves by single pixels."""
    return geometry.w_shape[2:] == (3, 3) and geometry.stride == (1, 1) and np.dtype(dtype).kind == "f"


def conv2d(x: HostArray, w: HostArray, y: HostArray, geometry: ConvGeometry, threads: int, set: int) -> bool:
    """y = conv2d(x, w). Returns whether all of it is finite."""
    if geometry.dilation == (1, 1):
        return kernels.conv2d(x, w, y, geometry, threads, set)
    finite = True
    for part, of_x, of_y in _parts(geometry):
        result = empty(part.y_shape, y.dtype)
        finite &= kernels.conv2d(_gathered(x, of_x, part.x_shape), w, result, part, threads, set)
        _spread(result, of_y, y)
    return finite


def conv2d_input_grad(y: HostArray, w: HostArray, x: HostArray, geometry: ConvGeometry, threads: int,
                      set: int) -> bool:
    """x = conv2d_input_grad(y, w). Returns whether all of it is finite."""
    if geometry.dilation == (1, 1):
        return kernels.conv2d_input_grad(y, w, x, geometry, threads, set)
    finite = True
    x.fill(0)  # there may be pixels that nothing meets
    for part, of_x, of_y in _parts(geometry):
        result = empty(part.x_shape, x.dtype)
        finite &= kernels.conv2d_input_grad(_gathered(y, of_y, part.y_shape), w, result, part, threads, set)
        _spread(result, of_x, x)
    return finite


def conv2d_weight_grad(x: HostArray, y: HostArray, w: HostArray, geometry: ConvGeometry, threads: int,
                       set: int) -> bool:
    """w = conv2d_weight_grad(x, y). Returns whether all of it is finite."""
    if geometry.dilation == (1, 1):
        return kernels.conv2d_weight_grad(x, y, w, geometry, threads, set)
    finite, result = True, empty(w.shape, w.dtype)
    w.fill(0)
    for part, of_x, of_y in _parts(geometry):
        arrays = _gathered(x, of_x, part.x_shape), _gathered(y, of_y, part.y_shape)
        finite &= kernels.conv2d_weight_grad(*arrays, result, part, threads, set)
        w += result
    return finite


def _gathered(images: HostArray, keys: list[Key], shape: Shape) -> HostArray:
    """The parts of the images, one batch after the other."""
    batch = empty(shape, images.dtype)
    for key, part in zip(keys, np.split(batch, len(keys)), strict=True):
        part[...] = images[key]
    return batch


def _spread(batch: HostArray, keys: list[Key], images: HostArray) -> None:
    """The inverse of _gathered."""
    for key, part in zip(keys, np.split(batch, len(keys)), strict=True):
        images[key] = part


@lru_cache(maxsize=64)
def _parts(geometry: ConvGeometry) -> list[tuple[ConvGeometry, list[Key], list[Key]]]:
    """The ordinary convolutions, those of one size as one batch: their sizes, and which parts of x and y they take."""
    parts: dict[tuple[Shape, Shape, Pair], tuple[list[Key], list[Key]]] = {}
    for (rows_x, rows_y, top), (columns_x, columns_y, left) in product(_kinds(geometry, 0), _kinds(geometry, 1)):
        x_size, y_size = ((len(range(shape[2])[rows]), len(range(shape[3])[columns])) for shape, rows, columns in (
            (geometry.x_shape, rows_x, columns_x), (geometry.y_shape, rows_y, columns_y)))
        of_x, of_y = parts.setdefault((x_size, y_size, (top, left)), ([], []))
        of_x.append((..., rows_x, columns_x))
        of_y.append((..., rows_y, columns_y))
    found = []
    for (x_image, y_image, padding), (of_x, of_y) in parts.items():
        batch = geometry.x_shape[0] * len(of_x)
        x_shape, y_shape = (batch, geometry.x_shape[1], *x_image), (batch, geometry.y_shape[1], *y_image)
        part = ConvGeometry(x_shape, geometry.w_shape, y_shape, (1, 1), padding, (1, 1), geometry.groups)
        found.append((part, of_x, of_y))
    return found


def _kinds(geometry: ConvGeometry, axis: int) -> Iterator[tuple[slice, slice, int]]:
    """Along an axis: every d-th pixel of x, every d-th place of y that sees them, and the padding between them."""
    dilation, padding = geometry.dilation[axis], geometry.padding[axis]
    for a in range(min(dilation, geometry.y_shape[2 + axis])):
        ahead, r = divmod(a - padding, dilation)  # the first place sees pixel number `ahead` of kind r first
        yield slice(r + dilation * max(0, ahead), None, dilation), slice(a, None, dilation), max(0, -ahead)
