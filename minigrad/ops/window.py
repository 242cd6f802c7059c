"""Windows: what a kernel of some size meets as it steps over an image, without any weights.

Row (i, j) of the windows and tap (u, v) meet element h = i * stride - padding + u * dilation, k likewise, of the image
(see ConvGeometry); beyond its border there is nothing. Two pairs of Functions, in each of which one is the other's
gradient: all elements of all windows (Unfold, Fold), and one chosen element of each (Pick, Spread), the largest.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from minigrad.backends.geometry import ConvGeometry, Shape
from minigrad.function import Array, Function, Tensor

Key = tuple[Any, ...]
Places = npt.NDArray[np.int32]


def _meetings(geometry: ConvGeometry, axis: int, tap: int) -> tuple[slice, slice]:
    """Which elements of the image `tap` meets along this axis, and in which windows."""
    stride, offset = geometry.stride[axis], tap * geometry.dilation[axis] - geometry.padding[axis]
    size, windows = geometry.x_shape[2 + axis], geometry.y_shape[2 + axis]
    first, end = max(0, -(offset // stride)), min(windows, (size - 1 - offset) // stride + 1)
    if first >= end:
        return slice(0, 0), slice(0, 0)
    return slice(first * stride + offset, (end - 1) * stride + offset + 1, stride), slice(first, end)


def _taps(geometry: ConvGeometry) -> Iterator[tuple[int, Key, Key]]:
    """Every tap that meets the image at all, in row-major order: its number, where in x, and where in y."""
    _, _, height, width = geometry.w_shape
    for u in range(height):
        rows, i = _meetings(geometry, 0, u)
        for v in range(width):
            columns, j = _meetings(geometry, 1, v)
            if rows.stop and columns.stop:
                yield u * width + v, (..., rows, columns), (..., i, j)


class _Windows(Function):
    def __init__(self, geometry: ConvGeometry) -> None:
        self.geometry = geometry

    def zeros(self, shape: Shape, like: Array) -> Array:
        return self.device.full(shape, 0, like.dtype)

    def add(self, x: Array, key: Key, part: Array) -> None:
        """x[key] += part"""
        self.device.assign(x, key, self.device.add(self.device.getitem(x, key), part))


class Unfold(_Windows):
    def forward(self, x: Array) -> Array:
        geometry = self.geometry
        y = self.zeros((*x.shape[:2], geometry.w_shape[2] * geometry.w_shape[3], *geometry.y_shape[2:]), x)
        for tap, at_x, (_, i, j) in _taps(geometry):
            self.device.assign(y, (slice(None), slice(None), tap, i, j), self.device.getitem(x, at_x))
        return y

    def backward(self, dy: Tensor) -> Tensor:
        return Fold(self.geometry)(dy)


class Fold(_Windows):
    def forward(self, y: Array) -> Array:
        x = self.zeros(self.geometry.x_shape, y)
        for tap, at_x, (_, i, j) in _taps(self.geometry):
            self.add(x, at_x, self.device.getitem(y, (slice(None), slice(None), tap, i, j)))
        return x

    def backward(self, dx: Tensor) -> Tensor:
        return Unfold(self.geometry)(dx)


def unfold(x: Tensor, geometry: ConvGeometry) -> Tensor:
    """y[n,c,t,i,j] = x[n,c,h,k], where tap t = u * kernel_width + v of window (i, j) meets (h, k); 0 beyond the border.

    dx = fold(dy). (`nn.functional.unfold` is the function for users.)
    """
    return Unfold(geometry)(x)


def fold(y: Tensor, geometry: ConvGeometry) -> Tensor:
    """x[n,c,h,k] = the sum of y[n,c,t,i,j] over all t, i, j that meet (h, k); dy = unfold(dx)."""
    return Fold(geometry)(y)


class _Choice(_Windows):
    """`indices` (int32, shaped like y) has the place h * width + k in x of the element chosen from each window."""

    def __init__(self, geometry: ConvGeometry, indices: Array = None) -> None:
        self.geometry, self.indices = geometry, indices

    def taps(self) -> Iterator[tuple[Key, Key, Array]]:
        """Where in x and where in y each tap meets, and the places of what it meets, shaped like that part of y."""
        places, lead = self.device.from_numpy(self.places()), self.geometry.y_shape[:2]
        for _, at_x, at_y in _taps(self.geometry):
            part = self.device.getitem(places, at_x)
            yield at_x, at_y, self.device.broadcast_to(part, (*lead, *part.shape))

    def places(self) -> Places:
        """The place of every element of an image."""
        _, _, height, width = self.geometry.x_shape
        return np.arange(height * width, dtype=np.int32).reshape(height, width)


class Pick(_Choice):
    def forward(self, x: Array) -> Array:
        device, y = self.device, self.zeros(self.geometry.y_shape, x)
        for at_x, at_y, places in self.taps():
            chosen = device.equal(device.getitem(self.indices, at_y), places)
            device.assign(y, at_y, device.where(chosen, device.getitem(x, at_x), device.getitem(y, at_y)))
        return y

    def backward(self, dy: Tensor) -> Tensor:
        return Spread(self.geometry, self.indices)(dy)


class Spread(_Choice):
    def forward(self, y: Array) -> Array:
        device, x = self.device, self.zeros(self.geometry.x_shape, y)
        for at_x, at_y, places in self.taps():
            part = device.getitem(y, at_y)
            chosen = device.equal(device.getitem(self.indices, at_y), places)
            self.add(x, at_x, device.where(chosen, part, self.zeros(part.shape, part)))
        return x

    def backward(self, dx: Tensor) -> Tensor:
        return Pick(self.geometry, self.indices)(dx)


class MaxPool2d(_Choice):
    """Picks what it finds to be the largest, so its gradients are those of Pick."""

    def forward(self, x: Array) -> Array:
        device, shape = self.device, self.geometry.y_shape
        y = device.full(shape, -np.inf, x.dtype)
        self.indices = device.copy(device.broadcast_to(device.from_numpy(self.first()), shape))
        for at_x, at_y, places in self.taps():
            part, before = device.copy(device.getitem(x, at_x)), device.getitem(y, at_y)
            is_nan = device.equal(device.equal(part, part), device.full(part.shape, False, np.dtype(np.bool_)))
            better = device.astype(device.maximum(device.less(before, part), is_nan), places.dtype)
            # places only grow from tap to tap, so the larger of two is the later; a product is faster than a choice
            later = device.maximum(device.getitem(self.indices, at_y), device.mul(better, places))
            device.assign(self.indices, at_y, later)
            device.assign(y, at_y, device.maximum(before, part))
        return y

    def backward(self, dy: Tensor) -> Tensor:
        return Spread(self.geometry, self.indices)(dy)

    def first(self) -> Places:
        """The place of the first element of each window, which is chosen where all are -inf."""
        first, places = np.full(self.geometry.y_shape[2:], -1, np.int32), self.places()
        for _, at_x, at_y in reversed(list(_taps(self.geometry))):
            first[at_y] = places[at_x]
        if (first < 0).any():
            raise ValueError(f"max_pool2d: with padding={self.geometry.padding} and dilation={self.geometry.dilation} "
                             f"a window meets no element of the image {self.geometry.x_shape}, so there is no largest. "
                             "Use less of either.")
        return first


def max_pool2d(x: Tensor, geometry: ConvGeometry) -> tuple[Tensor, Tensor]:
    """y[n,c,i,j] = the largest x[n,c,h,k] that window (i, j) meets, the first of several; dx is dy at its place, summed
    over the windows that chose it. NaN if there is one. Also the place, h * width + k, as int64.
    """
    pool = MaxPool2d(geometry)
    return pool(x), x._constant(x.device.astype(pool.indices, np.dtype(np.int64)))
