"""What networks do on the CPU besides convolution: arithmetic into pooled memory, activations, pooling, optimizers ...

Arithmetic on arrays of less than SMALL bytes, with gaps or of integers is left to NumPy, which is as good there.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from minigrad.backends.base import HostArray, Shape
from minigrad.backends.composed import first_places
from minigrad.backends.extension import elementwise, functions, machine, normalization, optimizers, pool, window
from minigrad.backends.geometry import ConvGeometry
from minigrad.backends.reference import Reference, quiet
from minigrad.backends.threads import get_num_threads

empty = pool.empty
SMALL = 32 * 1024  # bytes
_int32 = np.dtype(np.int32)
_SET = max([number for number in range(len(machine.INSTRUCTION_SETS)) if machine.has(number)])
Primitive = Callable[..., HostArray]


def _kernel(kernel: Callable[..., None]) -> Primitive:
    """A primitive of which a kernel of functions.pyx does all."""

    def primitive(self: Reference, *arrays: HostArray) -> HostArray:
        z = empty(arrays[0].shape, arrays[0].dtype)
        kernel(*map(np.ascontiguousarray, arrays), z, get_num_threads(), _SET)
        return z

    return primitive


def _pooled_one(name: str, ufunc: Callable[..., Any]) -> Primitive:
    """The primitive `name` of Reference, whose result is written into pooled memory where it is large."""
    plain = getattr(Reference, name)

    def primitive(self: Reference, x: HostArray) -> HostArray:
        if x.nbytes < SMALL or not x.flags.c_contiguous:
            return plain(self, x)  # type: ignore[no-any-return]  # keeps the order of the axes in memory
        with np.errstate(all="ignore"):
            return np.asarray(ufunc(x, out=empty(x.shape, x.dtype)))

    return primitive


def _pooled_two(name: str, ufunc: Callable[..., Any], kernel: Callable[..., None]) -> Primitive:
    """The same for two operands. The kernel takes over where it can: for floats that lie side by side, numbers, and
    vectors that repeat."""
    plain = getattr(Reference, name)

    @np.errstate(all="ignore")
    def large(*arrays: HostArray) -> HostArray:
        x = arrays[0] if arrays[0].shape else arrays[1]
        z = empty(x.shape, x.dtype)
        if x.dtype.kind == "f":
            operands, inner = _without_repetitions(arrays)
            if inner:
                kernel(*operands, z, get_num_threads(), inner)
                return z
        return np.asarray(ufunc(*arrays, out=z))

    def primitive(self: Reference, x: HostArray, y: HostArray) -> HostArray:
        if x.nbytes < SMALL and y.nbytes < SMALL:
            return np.asarray(quiet.copy().run(ufunc, x, y))  # as `plain`, sooner by a call
        if not any([array.flags.c_contiguous and array.shape for array in (x, y)]):
            return plain(self, x, y)  # type: ignore[no-any-return]
        return large(x, y)

    return primitive


class Networks(Reference):
    _empty = staticmethod(empty)
    neg = _pooled_one("neg", np.negative)
    exp = _kernel(functions.exp)
    sigmoid = _kernel(functions.sigmoid)
    tanh = _kernel(functions.tanh)
    erf = _kernel(functions.erf)
    gelu = _kernel(functions.gelu)
    gelu_grad = _kernel(functions.gelu_grad)
    sigmoid_grad = _kernel(functions.sigmoid_grad)
    tanh_grad = _kernel(functions.tanh_grad)
    log = _pooled_one("log", np.log)
    sin = _pooled_one("sin", np.sin)
    cos = _pooled_one("cos", np.cos)
    abs = _pooled_one("abs", np.abs)
    add = _pooled_two("add", np.add, elementwise.add)
    sub = _pooled_two("sub", np.subtract, elementwise.sub)
    mul = _pooled_two("mul", np.multiply, elementwise.mul)
    div = _pooled_two("div", np.divide, elementwise.div)
    maximum = _pooled_two("maximum", np.maximum, elementwise.maximum)

    def relu(self, x: HostArray) -> HostArray:
        if x.nbytes < SMALL or x.dtype.kind != "f":
            return super().relu(x)
        y = empty(x.shape, x.dtype)
        elementwise.relu(np.ascontiguousarray(x), y, get_num_threads())
        return y

    def where(self, condition: HostArray, x: HostArray, y: HostArray) -> HostArray:
        if condition.size * x.itemsize < SMALL or x.itemsize < 4 or not condition.shape:
            return np.asarray(super().where(condition, x, y))
        z = empty(condition.shape, x.dtype)
        bits = np.dtype(f"i{x.itemsize}")
        first, second = [_element_or_all(array).view(bits) for array in (x, y)]
        elementwise.where(np.ascontiguousarray(condition), first, second, z.view(bits), get_num_threads())
        return z

    def relu_grad(self, y: HostArray, dy: HostArray) -> HostArray:
        if y.nbytes < SMALL or y.dtype.kind != "f":
            return np.asarray(super().relu_grad(y, dy))
        dx = empty(y.shape, y.dtype)
        elementwise.relu_grad(np.ascontiguousarray(y), np.ascontiguousarray(dy), dx, get_num_threads())
        return dx

    def add_bias(self, x: HostArray, bias: HostArray) -> None:
        if not _may_be_written(x) or x.dtype.kind != "f":
            super().add_bias(x, bias)
            return
        elementwise.add_bias(_places_last(x), np.ascontiguousarray(bias), get_num_threads())

    def sum(self, x: HostArray, axes: tuple[int, ...]) -> HostArray:
        if x.dtype.kind != "f" or not x.flags.c_contiguous or not axes:
            return super().sum(x, axes)
        if len(axes) == x.ndim:
            y = np.empty((1,) * x.ndim, x.dtype)
            normalization.row_sums(x.reshape(1, x.size), y, get_num_threads())
            return y
        if x.nbytes < SMALL:
            return super().sum(x, axes)
        first, last = axes[0], axes[-1] + 1
        lead, summed, rest = x.shape[:first], x.shape[first:last], x.shape[last:]
        y = np.empty([1 if axis in axes else size for axis, size in enumerate(x.shape)], x.dtype)
        if axes == (0, *range(2, x.ndim)) and x.ndim > 2:
            normalization.channel_sums(_places_last(x), y, get_num_threads())
        elif len(axes) == len(summed) and not rest:
            normalization.row_sums(x.reshape(prod(lead), prod(summed)), y, get_num_threads())
        elif len(axes) == len(summed) and not lead:
            normalization.column_sums(x.reshape(prod(summed), prod(rest)), y, get_num_threads())
        else:
            return super().sum(x, axes)
        return y

    def put(self, x: HostArray, key: Any, shape: Shape) -> HostArray:
        rows = key[0] if key and len(key) == 1 + (key[-1] is Ellipsis) else None
        if not isinstance(rows, np.ndarray) or rows.dtype.kind != "i" or x.dtype.kind != "f" or x.nbytes < SMALL:
            return super().put(x, key, shape)
        y = self.full(shape, 0, x.dtype)
        rows = np.where(rows < 0, rows + shape[0], rows).astype(np.int64).reshape(-1)
        parts = np.ascontiguousarray(x).reshape(len(rows), prod(shape[1:]))
        elementwise.add_to_rows(parts, rows, y.reshape(shape[0], prod(shape[1:])), get_num_threads())
        return y

    def copy(self, x: HostArray) -> HostArray:
        if x.nbytes < SMALL:
            return x.copy()
        y = empty(x.shape, x.dtype)
        np.copyto(y, x)
        return y

    # --- softmax ----------------------------------------------------------------------------------------

    def softmax(self, x: HostArray, axis: int) -> HostArray:
        return self._by_rows("softmax", axis, x)

    def softmax_grad(self, dy: HostArray, y: HostArray, axis: int) -> HostArray:
        return self._by_rows("softmax_grad", axis, dy, y)

    def log_softmax(self, x: HostArray, axis: int) -> HostArray:
        return self._by_rows("log_softmax", axis, x)

    def log_softmax_grad(self, dy: HostArray, y: HostArray, axis: int) -> HostArray:
        return self._by_rows("log_softmax_grad", axis, dy, y)

    def _by_rows(self, name: str, axis: int, *arrays: HostArray) -> HostArray:
        """By the kernel of that name, which works along the last axis."""
        if axis != arrays[0].ndim - 1:
            return getattr(super(), name)(*arrays, axis)  # type: ignore[no-any-return]
        z = empty(arrays[0].shape, arrays[0].dtype)
        getattr(functions, name)(*map(np.ascontiguousarray, arrays), z, get_num_threads(), _SET)
        return z

    # --- windows ----------------------------------------------------------------------------------------

    def max_pool2d(self, x: HostArray, geometry: ConvGeometry) -> tuple[HostArray, HostArray]:
        y, places = empty(geometry.y_shape, x.dtype), empty(geometry.y_shape, _int32)
        first = first_places(geometry)
        window.max_pool2d(np.ascontiguousarray(x), first, y, places, geometry, get_num_threads())
        return y, places

    def pick(self, x: HostArray, places: HostArray, geometry: ConvGeometry) -> HostArray:
        y = empty(geometry.y_shape, x.dtype)
        window.pick(np.ascontiguousarray(x), np.ascontiguousarray(places), y, get_num_threads())
        return y

    def spread(self, y: HostArray, places: HostArray, geometry: ConvGeometry) -> HostArray:
        x = empty(geometry.x_shape, y.dtype)
        window.spread(np.ascontiguousarray(y), np.ascontiguousarray(places), x, get_num_threads())
        return x

    # --- batch norm, layer norm -------------------------------------------------------------------------

    def batch_norm(self, x: HostArray, weight: HostArray, bias: HostArray,
                   eps: float) -> tuple[HostArray, HostArray, HostArray]:
        y, mean, var = empty(x.shape, x.dtype), np.empty_like(weight), np.empty_like(weight)
        x, weight, bias = map(np.ascontiguousarray, (x, weight, bias))
        normalization.batch_norm(x, weight, bias, eps, y, mean, var, get_num_threads())
        return y, mean, var

    def batch_norm_grad(self, dy: HostArray, x: HostArray, weight: HostArray, mean: HostArray, var: HostArray,
                        eps: float) -> tuple[HostArray, HostArray, HostArray]:
        dx, dweight, dbias = empty(x.shape, x.dtype), np.empty_like(mean), np.empty_like(mean)
        dy, x, weight, mean, var = map(np.ascontiguousarray, (dy, x, weight, mean, var))
        normalization.batch_norm_grad(dy, x, weight, mean, var, eps, dx, dweight, dbias, get_num_threads())
        return dx, dweight, dbias

    def layer_norm(self, x: HostArray, weight: HostArray, bias: HostArray,
                   eps: float) -> tuple[HostArray, HostArray, HostArray]:
        y, mean, var = empty(x.shape, x.dtype), np.empty(x.shape[:1], x.dtype), np.empty(x.shape[:1], x.dtype)
        x, weight, bias = map(np.ascontiguousarray, (x, weight, bias))
        normalization.layer_norm(x, weight, bias, eps, y, mean, var, get_num_threads())
        return y, mean, var

    def layer_norm_grad(self, dy: HostArray, x: HostArray, weight: HostArray, mean: HostArray, var: HostArray,
                        eps: float) -> tuple[HostArray, HostArray, HostArray]:
        dx, dweight, dbias = empty(x.shape, x.dtype), np.empty_like(weight), np.empty_like(weight)
        dy, x, weight, mean, var = map(np.ascontiguousarray, (dy, x, weight, mean, var))
        normalization.layer_norm_grad(dy, x, weight, mean, var, eps, dx, dweight, dbias, get_num_threads())
        return dx, dweight, dbias

    # --- optimizers -------------------------------------------------------------------------------------

    def sgd(self, p: HostArray, g: HostArray, b: HostArray | None, lr: float, momentum: float, damping: float,
            decay: float, nesterov: bool) -> None:
        if not (p.flags.carray and (b is None or b.flags.carray)):
            super().sgd(p, g, b, lr, momentum, damping, decay, nesterov)
            return
        g = np.ascontiguousarray(g)
        optimizers.sgd(p, g, b, lr, momentum, damping, decay, nesterov, get_num_threads())

    def adam(self, p: HostArray, g: HostArray, m: HostArray, v: HostArray, most: HostArray | None, decay: float,
             shrink: float, new_mean: float, new_square: float, eps: float, step: float) -> None:
        if not _may_be_written(p, m, v, most):
            super().adam(p, g, m, v, most, decay, shrink, new_mean, new_square, eps, step)
            return
        g = np.ascontiguousarray(g)
        optimizers.adam(p, g, m, v, most, decay, shrink, new_mean, new_square, eps, step, get_num_threads())


def _without_repetitions(arrays: tuple[HostArray, ...]) -> tuple[tuple[HostArray, ...], int]:
    """The operands as kernels take them, one of which may be a vector, and how often each of its numbers repeats; 0
    if that is not how they lie."""
    odd = [array for array in arrays if not array.flags.c_contiguous]
    if not odd:
        return arrays, 1
    steps, shape, first = odd[0].strides, odd[0].shape, 0
    last = len(shape)
    while last > 0 and not steps[last - 1]:
        last -= 1
    while first < last and not steps[first]:
        first += 1
    vector = odd[0][(0,) * first + (slice(None),) * (last - first) + (0,) * (len(shape) - last)]
    if len(odd) > 1 or not vector.flags.c_contiguous:
        return arrays, 0
    return tuple([vector if array is odd[0] else array for array in arrays]), prod(shape[last:])


def _may_be_written(*arrays: HostArray | None) -> bool:
    """By a kernel; for others NumPy knows how, or what to say."""
    return all([array is None or array.flags.carray for array in arrays])


def _places_last(x: HostArray) -> HostArray:
    """The contiguous x, (batch, channels, ...), as (batch, channels, places)."""
    return x.reshape(*x.shape[:2], prod(x.shape[2:]))


def _element_or_all(x: HostArray) -> HostArray:
    """The one element of x, if it is repeated; else x, contiguous."""
    if x.size > 1 and not any(x.strides):
        return x[(slice(1),) * x.ndim].reshape(1)
    return np.ascontiguousarray(x)
