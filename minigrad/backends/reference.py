"""Reference: every primitive in NumPy, the convolutions in plain Python loops. The specification; needs no compiler."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextvars import Context
from functools import wraps
from itertools import product
from typing import Any, TypeVar

import numpy as np

from minigrad.backends.base import READ_ONLY, HostArray, Shape, is_basic
from minigrad.backends.composed import Composed
from minigrad.backends.geometry import ConvGeometry

Index = tuple[int, int, int, int]
Primitive = TypeVar("Primitive", bound=Callable[..., HostArray])


quiet = Context()  # what NumPy warns of is a context variable, which keeps its value in here
quiet.run(np.seterr, all="ignore")


def _silent(primitive: Primitive) -> Primitive:
    """No NumPy warnings for overflow and NaN: they are values like any other, and pass through as in PyTorch.

    Each call has a copy of the quiet context, as no two calls may run in one: 0.1 us, where np.errstate takes 0.6. (It
    sees no context variables of the caller.)
    """

    @wraps(primitive)
    def call(*arguments: Any) -> HostArray:
        return quiet.copy().run(primitive, *arguments)

    return call  # type: ignore[return-value]


def _of_one(ufunc: Callable[..., Any]) -> Callable[..., HostArray]:
    """`ufunc` as a primitive. It always gives an array, where ufuncs turn those without axes into scalars."""
    return lambda self, x: np.asarray(quiet.copy().run(ufunc, x))


def _of_two(ufunc: Callable[..., Any]) -> Callable[..., HostArray]:
    """The same for two operands, which are named: *arrays would take as long as the ufunc."""
    return lambda self, x, y: np.asarray(quiet.copy().run(ufunc, x, y))


def _sigmoid(x: HostArray) -> HostArray:
    small: HostArray = np.exp(-np.abs(x))  # never overflows
    return np.asarray(np.where(x < 0, small, x.dtype.type(1)) / (1 + small))


_add_reduce: Any = np.add.reduce  # np.sum takes a detour of 2 us
_erf = np.frompyfunc(math.erf, 1, 1)  # NumPy has none. Cody's rational functions would take half the time


class Reference(Composed):
    name = "reference"
    _empty: Callable[..., HostArray] = staticmethod(np.empty)

    def from_numpy(self, array: HostArray) -> HostArray:
        return array

    def to_numpy(self, x: HostArray) -> HostArray:
        return x

    def full(self, shape: Shape, value: float, dtype: np.dtype[Any]) -> HostArray:
        y = self._empty(shape, dtype)
        quiet.copy().run(y.fill, value)  # np.full takes 1 us more
        return y

    def copy(self, x: HostArray) -> HostArray:
        return x.copy(order="C")

    @_silent
    def astype(self, x: HostArray, dtype: np.dtype[Any]) -> HostArray:
        return x.astype(dtype, order="C")

    def shares_memory(self, x: HostArray, y: HostArray) -> bool:
        return np.may_share_memory(x, y)

    def is_contiguous(self, x: HostArray) -> bool:
        return x.flags.c_contiguous

    neg = _of_one(np.negative)
    exp = _of_one(np.exp)
    log = _of_one(np.log)
    log1p = _of_one(np.log1p)
    sin = _of_one(np.sin)
    cos = _of_one(np.cos)
    round = _of_one(np.rint)
    abs = _of_one(np.abs)
    sign = _of_one(np.sign)
    relu = _of_one(lambda x: np.maximum(x, x.dtype.type(0)))
    sigmoid = _of_one(_sigmoid)
    tanh = _of_one(np.tanh)
    erf = _of_one(lambda x: np.asarray(_erf(x), x.dtype))
    add = _of_two(np.add)
    sub = _of_two(np.subtract)
    mul = _of_two(np.multiply)
    div = _of_two(np.divide)
    floor_divide = _of_two(np.floor_divide)
    remainder = _of_two(np.remainder)
    bitwise_and = _of_two(np.bitwise_and)
    bitwise_or = _of_two(np.bitwise_or)
    bitwise_xor = _of_two(np.bitwise_xor)
    left_shift = _of_two(np.left_shift)
    right_shift = _of_two(np.right_shift)
    power = _of_two(lambda x, y: x**y)  # the operator: NumPy has shortcuts for 2 and 0.5 there
    maximum = _of_two(np.maximum)
    equal = _of_two(np.equal)
    less = _of_two(np.less)
    less_equal = _of_two(np.less_equal)

    def where(self, condition: HostArray, x: HostArray, y: HostArray) -> HostArray:
        return np.where(condition, x, y)

    def sum(self, x: HostArray, axes: tuple[int, ...]) -> HostArray:
        dtype = None if x.dtype.kind == "f" else np.int64
        return np.asarray(quiet.copy().run(_add_reduce, x, axes, dtype, None, True))

    def max(self, x: HostArray, axes: tuple[int, ...]) -> HostArray:
        return np.asarray(np.max(x, axis=axes, keepdims=True))

    def argmax(self, x: HostArray, axis: int) -> HostArray:
        return np.asarray(np.argmax(x, axis=axis, keepdims=True), np.int64)

    def reshape(self, x: HostArray, shape: Shape) -> HostArray:
        return x.reshape(shape)

    def permute(self, x: HostArray, axes: tuple[int, ...]) -> HostArray:
        return x.transpose(axes)

    def broadcast_to(self, x: HostArray, shape: Shape) -> HostArray:
        if x.size != 1:
            return np.broadcast_to(x, shape)
        y: HostArray = np.ndarray(shape, x.dtype, x, 0, (0,) * len(shape))  # the same, sooner by 3 us
        y.flags.writeable = False
        return y

    def getitem(self, x: HostArray, key: Any) -> HostArray:
        return np.asarray(x[key])

    def put(self, x: HostArray, key: Any, shape: Shape) -> HostArray:
        y = np.zeros(shape, x.dtype)
        if is_basic(key):
            y[key] = x
        else:
            np.add.at(y, key, x)
        return y

    def concatenate(self, arrays: Sequence[HostArray], axis: int) -> HostArray:
        return np.concatenate(arrays, axis)

    def assign(self, x: HostArray, key: Any, value: HostArray) -> None:
        if not x.flags.writeable:
            raise RuntimeError(READ_ONLY)
        x[key] = value

    @_silent
    def matmul(self, x: HostArray, y: HostArray) -> HostArray:
        return np.asarray(np.matmul(x, y))

    @_silent
    def conv2d(self, x: HostArray, w: HostArray, geometry: ConvGeometry) -> HostArray:
        y = np.zeros(geometry.y_shape, x.dtype)
        for x_at, w_at, y_at in _meetings(geometry):
            y[y_at] += x[x_at] * w[w_at]
        return y

    @_silent
    def conv2d_input_grad(self, y: HostArray, w: HostArray, geometry: ConvGeometry) -> HostArray:
        x = np.zeros(geometry.x_shape, y.dtype)
        for x_at, w_at, y_at in _meetings(geometry):
            x[x_at] += y[y_at] * w[w_at]
        return x

    @_silent
    def conv2d_weight_grad(self, x: HostArray, y: HostArray, geometry: ConvGeometry) -> HostArray:
        w = np.zeros(geometry.w_shape, x.dtype)
        for x_at, w_at, y_at in _meetings(geometry):
            w[w_at] += x[x_at] * y[y_at]
        return w


def _meetings(geometry: ConvGeometry) -> Iterator[tuple[Index, Index, Index]]:
    """Every term of the trilinear form (base.py): where in x, in w and in y its three factors stand."""
    (batch, _, height, width), (out_channels, channels, *kernel) = geometry.x_shape, geometry.w_shape
    (row_stride, column_stride), (row_padding, column_padding) = geometry.stride, geometry.padding
    row_dilation, column_dilation = geometry.dilation
    outputs_per_group = out_channels // geometry.groups
    everything = (batch, out_channels, *geometry.y_shape[2:], channels, *kernel)
    for n, o, i, j, c, u, v in product(*map(range, everything)):
        h = i * row_stride - row_padding + u * row_dilation
        k = j * column_stride - column_padding + v * column_dilation
        if 0 <= h < height and 0 <= k < width:
            yield (n, o // outputs_per_group * channels + c, h, k), (o, c, u, v), (n, o, i, j)
