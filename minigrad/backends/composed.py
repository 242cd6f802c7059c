"""Primitives made of others: their specification, and what a back end that has nothing faster does."""

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from minigrad.backends.base import Array, Backend
from minigrad.backends.geometry import ConvGeometry, Key, taps

Places = npt.NDArray[np.int32]
_int32, _bool = np.dtype(np.int32), np.dtype(np.bool_)


class Composed(Backend):
    def relu_grad(self, y: Array, dy: Array) -> Array:
        zero = self._number(0, y)
        return self.where(self.less_equal(y, zero), zero, dy)

    def sigmoid_grad(self, y: Array, dy: Array) -> Array:
        return self.mul(self.mul(dy, y), self.sub(self._number(1, y), y))

    def tanh_grad(self, y: Array, dy: Array) -> Array:
        return self.mul(dy, self.sub(self._number(1, y), self.mul(y, y)))

    def gelu(self, x: Array) -> Array:
        return self.mul(x, self._share_below(x))

    def gelu_grad(self, x: Array, dy: Array) -> Array:
        density = self._times(1 / math.sqrt(2 * math.pi), self.exp(self._times(-0.5, self.mul(x, x))))
        return self.mul(dy, self.add(self._share_below(x), self.mul(x, density)))

    def _share_below(self, x: Array) -> Array:
        """How much of the normal distribution is below x."""
        return self._times(0.5, self.add(self.erf(self._times(math.sqrt(0.5), x)), self._number(1, x)))

    def add_bias(self, x: Array, bias: Array) -> None:
        self._write(x, self.add(x, self._column(bias, x)))

    # --- softmax ----------------------------------------------------------------------------------------

    def softmax(self, x: Array, axis: int) -> Array:
        powers = self.exp(self._shifted(x, axis))
        return self.div(powers, self._sum_along(powers, axis))

    def softmax_grad(self, dy: Array, y: Array, axis: int) -> Array:
        return self.mul(y, self.sub(dy, self._sum_along(self.mul(dy, y), axis)))

    def log_softmax(self, x: Array, axis: int) -> Array:
        shifted = self._shifted(x, axis)
        logarithm = self.log(self.sum(self.exp(shifted), (axis,)))
        return self.sub(shifted, self.broadcast_to(logarithm, x.shape))

    def log_softmax_grad(self, dy: Array, y: Array, axis: int) -> Array:
        return self.sub(dy, self.mul(self.exp(y), self._sum_along(dy, axis)))

    def _shifted(self, x: Array, axis: int) -> Array:
        """x less its largest element, which changes no softmax and keeps e^x from overflowing."""
        return self.sub(x, self.broadcast_to(self.max(x, (axis,)), x.shape))

    def _sum_along(self, x: Array, axis: int) -> Array:
        """The sum along the axis, at each of its places."""
        return self.broadcast_to(self.sum(x, (axis,)), x.shape)

    # --- windows ----------------------------------------------------------------------------------------

    def max_pool2d(self, x: Array, geometry: ConvGeometry) -> tuple[Array, Array]:
        y = self.full(geometry.y_shape, -np.inf, x.dtype)
        chosen = self.copy(self.broadcast_to(self.from_numpy(first_places(geometry)), geometry.y_shape))
        for at_x, at_y, places in self._taps(geometry):
            part, before = self.copy(self.getitem(x, at_x)), self.getitem(y, at_y)
            is_nan = self.equal(self.equal(part, part), self.full(part.shape, False, _bool))
            better = self.astype(self.maximum(self.less(before, part), is_nan), _int32)
            # places only grow from tap to tap, so the larger of two is the later; a product is faster than a choice
            self.assign(chosen, at_y, self.maximum(self.getitem(chosen, at_y), self.mul(better, places)))
            self.assign(y, at_y, self.maximum(before, part))
        return y, chosen

    def pick(self, x: Array, places: Array, geometry: ConvGeometry) -> Array:
        y = self.full(geometry.y_shape, 0, x.dtype)
        for at_x, at_y, here in self._taps(geometry):
            chosen = self.equal(self.getitem(places, at_y), here)
            self.assign(y, at_y, self.where(chosen, self.getitem(x, at_x), self.getitem(y, at_y)))
        return y

    def spread(self, y: Array, places: Array, geometry: ConvGeometry) -> Array:
        x = self.full(geometry.x_shape, 0, y.dtype)
        for at_x, at_y, here in self._taps(geometry):
            part = self.getitem(y, at_y)
            part = self.where(self.equal(self.getitem(places, at_y), here), part, self._number(0, part))
            self.assign(x, at_x, self.add(self.getitem(x, at_x), part))
        return x

    def _taps(self, geometry: ConvGeometry) -> Iterator[tuple[Key, Key, Array]]:
        """Where in x and where in y each tap meets, and the places of what it meets, shaped like that part of y."""
        places = self.from_numpy(_places(geometry))
        for _, at_x, at_y in taps(geometry):
            part = self.getitem(places, at_x)
            yield at_x, at_y, self.broadcast_to(part, (*geometry.y_shape[:2], *part.shape))

    # --- batch norm -------------------------------------------------------------------------------------

    def batch_norm(self, x: Array, weight: Array, bias: Array, eps: float) -> tuple[Array, Array, Array]:
        mean = self._mean(x)
        centred = self.sub(x, self._column(mean, x))
        var = self._mean(self.mul(centred, centred))
        factor = self.mul(weight, self._inverse_root(var, eps))
        y = self.add(self.mul(centred, self._column(factor, x)), self._column(bias, x))
        return y, mean, var

    def batch_norm_grad(self, dy: Array, x: Array, weight: Array, mean: Array, var: Array,
                        eps: float) -> tuple[Array, Array, Array]:
        scale = self._column(self._inverse_root(var, eps), x)
        normal = self.mul(self.sub(x, self._column(mean, x)), scale)
        products = self.mul(dy, normal)
        level, slope = self._column(self._mean(dy), x), self._column(self._mean(products), x)
        rest = self.sub(self.sub(dy, level), self.mul(normal, slope))
        dx = self.mul(rest, self.mul(scale, self._column(weight, x)))
        return dx, self._total(products), self._total(dy)

    def _column(self, values: Array, like: Array) -> Array:
        """A number for each channel, at every place of the channel."""
        return self.broadcast_to(self.reshape(values, (like.shape[1], *[1] * (len(like.shape) - 2))), like.shape)

    def _total(self, x: Array) -> Array:
        return self.reshape(self.sum(x, (0, 2)), x.shape[1:2])

    def _mean(self, x: Array) -> Array:
        total = self._total(x)
        return self.div(total, self._number(x.shape[0] * x.shape[2], total))

    def _inverse_root(self, var: Array, eps: float) -> Array:
        return self.power(self.add(var, self._number(eps, var)), -0.5)

    # --- layer norm -------------------------------------------------------------------------------------

    def layer_norm(self, x: Array, weight: Array, bias: Array, eps: float) -> tuple[Array, Array, Array]:
        mean = self._mean_of_rows(x)
        centred = self.sub(x, self._at_each_place(mean, x))
        var = self._mean_of_rows(self.mul(centred, centred))
        normal = self.mul(centred, self._at_each_place(self._inverse_root(var, eps), x))
        y = self.add(self.mul(normal, self.broadcast_to(weight, x.shape)), self.broadcast_to(bias, x.shape))
        return y, mean, var

    def layer_norm_grad(self, dy: Array, x: Array, weight: Array, mean: Array, var: Array,
                        eps: float) -> tuple[Array, Array, Array]:
        scale = self._at_each_place(self._inverse_root(var, eps), x)
        normal = self.mul(self.sub(x, self._at_each_place(mean, x)), scale)
        g = self.mul(dy, self.broadcast_to(weight, x.shape))
        level = self._at_each_place(self._mean_of_rows(g), x)
        slope = self._at_each_place(self._mean_of_rows(self.mul(g, normal)), x)
        dx = self.mul(self.sub(self.sub(g, level), self.mul(normal, slope)), scale)
        sums = [self.reshape(self.sum(terms, (0,)), weight.shape) for terms in (self.mul(dy, normal), dy)]
        return dx, sums[0], sums[1]

    def _mean_of_rows(self, x: Array) -> Array:
        total = self.reshape(self.sum(x, (1,)), x.shape[:1])
        return self.div(total, self._number(x.shape[1], total))

    def _at_each_place(self, values: Array, like: Array) -> Array:
        """A number for each row, at every place of the row."""
        return self.broadcast_to(self.reshape(values, (like.shape[0], 1)), like.shape)

    # --- optimizers -------------------------------------------------------------------------------------

    def sgd(self, p: Array, g: Array, b: Array | None, lr: float, momentum: float, damping: float, decay: float,
            nesterov: bool) -> None:
        g = self.add(g, self._times(decay, p)) if decay else g
        if b is not None:
            self._write(b, self.add(self._times(momentum, b), self._times(damping, g)))
            g = self.add(g, self._times(momentum, b)) if nesterov else b
        self._write(p, self.sub(p, self._times(lr, g)))

    def adam(self, p: Array, g: Array, m: Array, v: Array, most: Array | None, decay: float, shrink: float,
             new_mean: float, new_square: float, eps: float, step: float) -> None:
        g = self.add(g, self._times(decay, p)) if decay else g
        self._write(m, self.add(m, self._times(new_mean, self.sub(g, m))))
        self._write(v, self.add(v, self._times(new_square, self.sub(self.mul(g, g), v))))
        if most is not None:
            self._write(most, self.maximum(v, most))
        root = self.power(v if most is None else most, 0.5)
        change = self.div(self._times(step, m), self.add(root, self._number(eps, root)))
        self._write(p, self.sub(p if shrink == 1 else self._times(shrink, p), change))

    def _times(self, number: float, x: Array) -> Array:
        return x if number == 1 else self.mul(x, self._number(number, x))

    def _write(self, x: Array, value: Array) -> None:
        self.assign(x, (...,), value)

    def _number(self, number: float, like: Array) -> Array:
        return self.full((), number, like.dtype)


def _places(geometry: ConvGeometry) -> Places:
    """The place of every element of an image."""
    _, _, height, width = geometry.x_shape
    return np.arange(height * width, dtype=np.int32).reshape(height, width)


@lru_cache(maxsize=64)
def first_places(geometry: ConvGeometry) -> Places:
    """The place of the first element of each window, which is chosen where all are -inf."""
    first, places = np.full(geometry.y_shape[2:], -1, np.int32), _places(geometry)
    for _, at_x, at_y in reversed(list(taps(geometry))):
        first[at_y] = places[at_x]
    if (first < 0).any():
        raise ValueError(f"max_pool2d: with padding={geometry.padding} and dilation={geometry.dilation} a window meets "
                         f"no element of the image {geometry.x_shape}, so there is no largest. Use less of either.")
    first.flags.writeable = False
    return first
