"""Reductions and running sums that other operations make up; none has a Function of its own."""

from math import prod as product
from typing import Any

from minigrad.dtypes import as_dtype
from minigrad.function import Tensor
from minigrad.ops.compare import where
from minigrad.ops.convert import as_float, cast
from minigrad.ops.elementwise import abs, exp, log, sqrt
from minigrad.ops.index import cat, stack
from minigrad.ops.reduce import Dim, amax, amin, mean, reduced_axes, sum
from minigrad.ops.shape import normal_axes, reshape

INF = float("inf")


def var(input: Tensor, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *,
        correction: float | None = None, axis: Dim = None) -> Tensor:
    """sum (x - mean)^2 / (n - correction) over the n elements along `dim`; NaN or infinite if there are too few.

    `correction` is 1, which makes it an unbiased estimate, or 0 for unbiased=False. As in PyTorch var(False) is
    var(unbiased=False).
    """
    if not input.is_floating_point():
        raise TypeError(f"var: needs a floating-point tensor, got {input.dtype}; convert with .float().")
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    axes = reduced_axes("var", input, dim, axis)
    taken = float(unbiased) if correction is None else correction
    squares = sum((input - mean(input, axes, True)) ** 2, axes, keepdim)
    return squares / max(product([input.shape[axis] for axis in axes]) - taken, 0)


def std(input: Tensor, dim: Dim = None, unbiased: bool = True, keepdim: bool = False, *,
        correction: float | None = None, axis: Dim = None) -> Tensor:
    """The square root of var; its gradient at 0 is 0."""
    return _power(var(input, dim, unbiased, keepdim, correction=correction, axis=axis), 0.5)


def _power(x: Tensor, exponent: float) -> Tensor:
    """x^exponent for x >= 0, whose derivative at 0, which may be infinite, is taken to be 0."""
    zero = x == 0
    safe = where(zero, 1, x)
    return where(zero, INF if exponent < 0 else 0, sqrt(safe) if exponent == 0.5 else safe**exponent)


def norm(input: Tensor, p: Any = "fro", dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """(sum |x|^p)^(1/p); the largest |x| for p = inf, the smallest for -inf, the number of x that are not 0 for p = 0.

    "fro" and None mean 2. Where the norm is 0, so is its gradient.
    """
    input = input if dtype is None else cast(input, as_dtype(dtype))
    if not input.is_floating_point():
        raise TypeError(f"norm: needs a floating-point tensor, got {input.dtype}; convert with .float().")
    p = 2 if p in ("fro", None) else p
    if isinstance(p, bool) or not isinstance(p, (int, float)):
        raise TypeError(f"norm: p={p!r} must be a number or 'fro'.")
    if p == 2:
        return _power(sum(input * input, dim, keepdim), 0.5)
    if p in (INF, -INF):
        return (amax if p > 0 else amin)(abs(input), dim, keepdim)
    if p == 0:
        return sum(input != 0, dim, keepdim, dtype=input.dtype)
    return sum(abs(input), dim, keepdim) if p == 1 else _power(sum(_power(abs(input), p), dim, keepdim), 1 / p)


def logsumexp(input: Tensor, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None) -> Tensor:
    """y = ln sum e^x over `dim`, without overflow; dx = dy * e^(x - y). -inf for none."""
    input = as_float(input)
    axes = reduced_axes("logsumexp", input, dim, axis)
    if dim is None and axis is None:
        raise TypeError("logsumexp: dim must be given, an axis or several.")
    if 0 in [input.shape[axis] for axis in axes]:
        return log(sum(exp(input), axes, keepdim))
    largest = amax(input.detach(), axes, True)
    largest = where(abs(largest) == INF, 0, largest)
    y = log(sum(exp(input - largest), axes, True)) + largest
    return y if keepdim else reshape(y, [size for axis, size in enumerate(y.shape) if axis not in axes])


def prod(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, axis: Any = None) -> Tensor:
    """The product along `dim`, of all elements if None; 1 for none. Integers and bools are multiplied in int64.

    Pairs are multiplied, then pairs of products, and so on. So the gradient, the product of all the others, is right
    also where an element is 0.
    """
    if dim is None and axis is None:
        return prod(reshape(input, (-1,)), 0, dtype=dtype)
    x = _summand(input, dtype)
    (along,) = normal_axes("prod", input.shape, (axis if dim is None else dim,))
    every = (slice(None),) * along
    if x.shape[along] < 2:
        x = cat([x, x.new_ones((*x.shape[:along], 1, *x.shape[along + 1 :]))], along)
    while (size := x.shape[along]) > 1:
        half = size // 2
        pairs = x[(*every, slice(half))] * x[(*every, slice(half, 2 * half))]
        x = cat([pairs, x[(*every, slice(2 * half, None))]], along) if size % 2 else pairs
    return x if keepdim else reshape(x, (*x.shape[:along], *x.shape[along + 1 :]))


def cumsum(input: Tensor, dim: int | None = None, *, dtype: Any = None, axis: int | None = None) -> Tensor:
    """y[k] = x[0] + ... + x[k] along `dim`, dx[k] = dy[k] + dy[k+1] + ... Integers and bools add up in int64."""
    chosen: Any = axis if dim is None else dim
    (along,) = normal_axes("cumsum", input.shape, [chosen])
    return _running_sum(_summand(input, dtype), along)


def _running_sum(x: Tensor, axis: int) -> Tensor:
    """Running sums of pairs are those at every second place; one element more leads to the next place.

    So all of it takes a few additions for each element, and each sum has few roundings (Blelloch 1990, Prefix sums and
    their applications).
    """
    size, every = x.shape[axis], (slice(None),) * axis
    if size < 2:
        return x.clone()
    odd = _running_sum(x[(*every, slice(0, size - 1, 2))] + x[(*every, slice(1, None, 2))], axis)
    even = cat([x[(*every, slice(1))], x[(*every, slice(2, None, 2))] + odd[(*every, slice((size - 1) // 2))]], axis)
    half = size // 2
    both = stack([even[(*every, slice(half))], odd], axis + 1)
    both = reshape(both, (*x.shape[:axis], 2 * half, *x.shape[axis + 1 :]))
    return cat([both, even[(*every, slice(half, None))]], axis) if size % 2 else both


def _summand(input: Tensor, dtype: Any) -> Tensor:
    """What prod and cumsum work on: `input` in `dtype`; if None, integers and bools in int64."""
    if dtype is None:
        return input if input.is_floating_point() else input.long()
    return cast(input, as_dtype(dtype))
