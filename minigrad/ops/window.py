"""Windows: what a kernel of some size meets as it steps over an image, without any weights.

Row (i, j) of the windows and tap (u, v) meet element h = i * stride - padding + u * dilation, k likewise, of the image
(see ConvGeometry); beyond its border there is nothing. Two pairs of Functions, in each of which one is the other's
gradient: all elements of all windows (Unfold, Fold), and one chosen element of each (Pick, Spread), the largest.
"""

import numpy as np

from minigrad.backends.geometry import ConvGeometry, Key, Shape, taps
from minigrad.function import Array, Function, Tensor


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
        for tap, at_x, (_, i, j) in taps(geometry):
            self.device.assign(y, (slice(None), slice(None), tap, i, j), self.device.getitem(x, at_x))
        return y

    def backward(self, dy: Tensor) -> Tensor:
        return Fold(self.geometry)(dy)


class Fold(_Windows):
    def forward(self, y: Array) -> Array:
        x = self.zeros(self.geometry.x_shape, y)
        for tap, at_x, (_, i, j) in taps(self.geometry):
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
    """`places` (int32, shaped like y) has the place h * width + k in x of the element chosen from each window."""

    def __init__(self, geometry: ConvGeometry, places: Array = None) -> None:
        self.geometry, self.places = geometry, places


class Pick(_Choice):
    def forward(self, x: Array) -> Array:
        return self.device.pick(x, self.places, self.geometry)

    def backward(self, dy: Tensor) -> Tensor:
        return Spread(self.geometry, self.places)(dy)


class Spread(_Choice):
    def forward(self, y: Array) -> Array:
        return self.device.spread(y, self.places, self.geometry)

    def backward(self, dx: Tensor) -> Tensor:
        return Pick(self.geometry, self.places)(dx)


class MaxPool2d(_Choice):
    """Picks what it finds to be the largest, so its gradients are those of Pick."""

    def forward(self, x: Array) -> Array:
        y, self.places = self.device.max_pool2d(x, self.geometry)
        return y

    def backward(self, dy: Tensor) -> Tensor:
        return Spread(self.geometry, self.places)(dy)


def max_pool2d(x: Tensor, geometry: ConvGeometry) -> Tensor:
    """y[n,c,i,j] = the largest x[n,c,h,k] that window (i, j) meets, the first of several; dx is dy at its place, summed
    over the windows that chose it. NaN if there is one.
    """
    return MaxPool2d(geometry)(x)


def max_pool2d_with_indices(x: Tensor, geometry: ConvGeometry) -> tuple[Tensor, Tensor]:
    """max_pool2d, and the place of each element it chose, h * width + k, as int64."""
    pool = MaxPool2d(geometry)
    return pool(x), x._constant(x.device.astype(pool.places, np.dtype(np.int64)))
