"""Functions of each element by itself."""

import math

from minigrad.function import Array, Function, Tensor, is_grad_enabled
from minigrad.ops.arithmetic import div, pow
from minigrad.ops.convert import as_float, check_not_bool


class Exp(Function):
    primitive = "exp"
    saves_output = True

    def backward(self, dy: Tensor) -> Tensor:
        return dy * self.output


def exp(input: Tensor) -> Tensor:
    """y = e^x, dx = dy * y."""
    return Exp()(as_float(input))


class Log(Function):
    primitive = "log"
    saves_inputs = "all"

    def backward(self, dy: Tensor) -> Tensor:
        (x,) = self.inputs
        return dy / x


def log(input: Tensor) -> Tensor:
    """y = ln x, dx = dy / x. -inf at 0, NaN for negative x."""
    return Log()(as_float(input))


class Log1p(Function):
    primitive = "log1p"
    saves_inputs = "all"

    def backward(self, dy: Tensor) -> Tensor:
        (x,) = self.inputs
        return dy / (x + 1)


def log1p(input: Tensor) -> Tensor:
    """y = ln(1 + x), accurate for small x; dx = dy / (1 + x)."""
    return Log1p()(as_float(input))


class Sqrt(Function):
    saves_output = True

    def forward(self, x: Array) -> Array:
        return self.device.power(x, 0.5)

    def backward(self, dy: Tensor) -> Tensor:
        return dy / (2 * self.output)


def sqrt(input: Tensor) -> Tensor:
    """y = x^(1/2), dx = dy / (2 y): infinite at 0. NaN for negative x."""
    return Sqrt()(as_float(input))


def square(input: Tensor) -> Tensor:
    """y = x^2, dx = 2 x dy."""
    return pow(input, 2)


def reciprocal(input: Tensor) -> Tensor:
    """y = 1 / x, dx = -dy / x^2. Integers as float32; infinite at 0."""
    return div(input._as_operand(1), input)


class Sin(Function):
    primitive = "sin"
    saves_inputs = "all"

    def backward(self, dy: Tensor) -> Tensor:
        (x,) = self.inputs
        return dy * cos(x)


def sin(input: Tensor) -> Tensor:
    """y = sin x, dx = dy * cos x."""
    return Sin()(as_float(input))


class Cos(Function):
    primitive = "cos"
    saves_inputs = "all"

    def backward(self, dy: Tensor) -> Tensor:
        (x,) = self.inputs
        return -dy * sin(x)


def cos(input: Tensor) -> Tensor:
    """y = cos x, dx = -dy * sin x."""
    return Cos()(as_float(input))


class Abs(Function):
    primitive = "abs"
    saves_inputs = "all"

    def backward(self, dy: Tensor) -> Tensor:
        (x,) = self.inputs
        return dy * sign(x)


def abs(input: Tensor) -> Tensor:
    """y = |x|, dx = dy * sign(x); at 0, where |x| has no derivative, 0."""
    return Abs()(input)


def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1 by the sign of x. Its derivative is 0 wherever it has one, so it is not recorded."""
    check_not_bool("sign", input)
    return input._constant(input.device.sign(input.array))


def round(input: Tensor) -> Tensor:
    """The nearest whole number, of two the even one. Not recorded, as sign."""
    check_not_bool("round", input)
    x = input.detach()
    return x._constant(x.device.round(x.array)) if x.is_floating_point() else x.clone()


def floor(input: Tensor) -> Tensor:
    """The largest whole number that is not above x. Not recorded, as sign."""
    y = round(input)
    return y - (y > input)


def ceil(input: Tensor) -> Tensor:
    """The smallest whole number that is not below x. Not recorded, as sign."""
    y = round(input)
    return y + (y < input)


class Relu(Function):
    primitive = "relu"
    saves_output = True

    def backward(self, dy: Tensor) -> Tensor:
        return ReluGrad()(self.output, dy)


class ReluGrad(Function):
    """dx = dy where y > 0 or NaN, else 0: linear in dy, so that it is its own gradient. For y there is none."""

    primitive = "relu_grad"
    saves_inputs = ((), (0,))

    def backward(self, ddx: Tensor) -> tuple[None, Tensor]:
        return None, ReluGrad()(self.inputs[0], ddx)


def relu(input: Tensor) -> Tensor:
    """y = max(x, 0), dx = dy where x > 0, else 0. NaN passes through."""
    return Relu()(input)


class Sigmoid(Function):
    primitive = "sigmoid"
    saves_output = True

    def backward(self, dy: Tensor) -> Tensor:
        y = self.output
        if is_grad_enabled():
            return dy * y * (1 - y)
        return dy._constant(self.device.sigmoid_grad(y.array, dy.array))  # the same, which nobody will differentiate


def sigmoid(input: Tensor) -> Tensor:
    """y = 1 / (1 + e^-x), dx = dy * y * (1 - y)."""
    return Sigmoid()(as_float(input))


class Tanh(Function):
    primitive = "tanh"
    saves_output = True

    def backward(self, dy: Tensor) -> Tensor:
        y = self.output
        if is_grad_enabled():
            return dy * (1 - y * y)
        return dy._constant(self.device.tanh_grad(y.array, dy.array))


def tanh(input: Tensor) -> Tensor:
    """y = tanh x, dx = dy * (1 - y^2)."""
    return Tanh()(as_float(input))


class Erf(Function):
    primitive = "erf"
    saves_inputs = "all"

    def backward(self, dy: Tensor) -> Tensor:
        (x,) = self.inputs
        return dy * exp(-x * x) * (2 / math.sqrt(math.pi))


def erf(input: Tensor) -> Tensor:
    """y = 2 / sqrt(pi) * the integral of e^-t^2 from 0 to x, dx = dy * 2 / sqrt(pi) * e^-x^2."""
    return Erf()(as_float(input))
