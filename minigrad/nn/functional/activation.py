"""Activations: functions of each element by itself, and softmax."""

import math
from typing import Any

from minigrad.dtypes import as_dtype, float64
from minigrad.function import Array, Function, is_grad_enabled
from minigrad.nn.functional.arguments import check_floats, check_tensors, written
from minigrad.ops import elementwise
from minigrad.ops.compare import where
from minigrad.ops.elementwise import erf, exp, log, log1p, sigmoid
from minigrad.ops.reduce import reduced_axes
from minigrad.random import rand
from minigrad.tensor import Tensor


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """y = max(x, 0), dx = dy where x > 0, else 0. NaN passes through."""
    check_tensors("relu", input)
    return written(input, elementwise.relu(input), inplace)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """y = x where x > 0, else negative_slope * x."""
    check_floats("leaky_relu", input)
    return written(input, where(input > 0, input, input * negative_slope), inplace)


class Gelu(Function):
    primitive = "gelu"
    saves_inputs = "all"

    def backward(self, dy: Tensor) -> Tensor:
        (x,) = self.inputs
        if is_grad_enabled():
            below, density = 0.5 * (1 + erf(x * math.sqrt(0.5))), exp(x * x * -0.5) / math.sqrt(2 * math.pi)
            return dy * (below + x * density)
        return dy._constant(self.device.gelu_grad(x.array, dy.array))


def gelu(input: Tensor, *, approximate: str = "none") -> Tensor:
    """y = x * P(normal number < x) = x / 2 * (1 + erf(x / sqrt(2))); with approximate='tanh' nearly that:
    x / 2 * (1 + tanh z) = x * sigmoid(2 z) for z = sqrt(2 / pi) * (x + 0.044715 x^3).

    Source: Hendrycks and Gimpel, "Gaussian error linear units" (2016).
    """
    check_floats("gelu", input)
    if approximate == "none":
        return Gelu()(input)
    if approximate != "tanh":
        raise ValueError(f"gelu: approximate={approximate!r} must be 'none' or 'tanh'.")
    cube = input * input * input  # a power takes ten times as long
    return input * sigmoid((input + 0.044715 * cube) * (2 * math.sqrt(2 / math.pi)))


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """y = x / (1 + e^-x), also known as swish."""
    check_floats("silu", input)
    x = input.clone() if inplace else input  # the product needs the old values
    return written(input, x * sigmoid(x), inplace)


def softplus(input: Tensor, beta: float = 1, threshold: float = 20) -> Tensor:
    """y = log(1 + e^(beta x)) / beta; x itself where beta x > threshold, where the two are the same."""
    check_floats("softplus", input)
    scaled = input * beta
    linear = scaled > threshold
    return where(linear, input, log1p(exp(where(linear, 0, scaled))) / beta)


def log_sigmoid(x: Tensor) -> Tensor:
    """log(1 / (1 + e^-x)) = min(x, 0) - log(1 + e^-|x|). Both choices are made alike at 0, so dx is right there too."""
    negative = x < 0
    return where(negative, x, 0) - log1p(exp(where(negative, x, -x)))


class Softmax(Function):
    saves_output = True

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x: Array) -> Array:
        return self.device.softmax(x, self.axis)

    def backward(self, dy: Tensor) -> Tensor:
        y = self.output
        if is_grad_enabled():
            return y * (dy - (dy * y).sum(self.axis, keepdim=True))
        return dy._constant(self.device.softmax_grad(dy.array, y.array, self.axis))  # which nobody will differentiate


def softmax(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """y = e^x / (the sum of e^x along dim), in `dtype` if it is given; dx = y * (dy - the sum of dy * y along dim)."""
    x = _floats("softmax", input, dim, dtype)
    axes = reduced_axes("softmax", x, dim, None)
    if len(axes) == 1 and x.numel():
        return Softmax(axes[0])(x)
    powers = exp(_shifted(x, dim))
    return powers / powers.sum(dim, keepdim=True)


class LogSoftmax(Softmax):
    def forward(self, x: Array) -> Array:
        return self.device.log_softmax(x, self.axis)

    def backward(self, dy: Tensor) -> Tensor:
        y = self.output
        if is_grad_enabled():
            return dy - exp(y) * dy.sum(self.axis, keepdim=True)
        return dy._constant(self.device.log_softmax_grad(dy.array, y.array, self.axis))


def log_softmax(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """y = log(softmax(x)) = x - log(the sum of e^x along dim), also where softmax is too small to be told from 0;
    dx = dy - softmax(x) * (the sum of dy along dim).
    """
    x = _floats("log_softmax", input, dim, dtype)
    axes = reduced_axes("log_softmax", x, dim, None)
    if len(axes) == 1 and x.numel():
        return LogSoftmax(axes[0])(x)
    shifted = _shifted(x, dim)
    return shifted - log(exp(shifted).sum(dim, keepdim=True))


def _shifted(x: Tensor, dim: int | None) -> Tensor:
    """x less its largest element, which changes no softmax and keeps e^x from overflowing."""
    return x - x.detach().amax(dim, keepdim=True)


def _floats(name: str, input: Tensor, dim: int | None, dtype: Any) -> Tensor:
    """The argument of a softmax, in the dtype it is to be computed in."""
    check_tensors(name, input)
    if dim is None:
        raise TypeError(f"{name}: needs dim, along which the results add up to 1; for scores (batch, classes) dim=1.")
    x = input if dtype is None else input.to(as_dtype(dtype))
    check_floats(name, x)
    return x


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """y = 0 with probability p, else x / (1 - p), so that means stay as they are; x itself if not training.

    The random numbers are those of minigrad.manual_seed's generator, the same on every device.

    Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014).
    """
    check_floats("dropout", input)
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p={p} must be a probability, from 0 to 1.")
    if not training:
        return input
    kept = rand(input.shape, dtype=float64, device="reference") >= p
    factors = kept.to(input.dtype).to(input.device) * (1 / (1 - p) if p < 1 else 0.0)
    return written(input, input * factors, inplace)
