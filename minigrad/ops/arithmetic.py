"""Arithmetic of each element by itself. Operands are brought to one dtype and one shape first (`reduce.operands`).

Forwards, each is one primitive of the device, which `primitive` names; what there is to read is the way back.
"""

from minigrad.dtypes import as_number
from minigrad.function import Array, Function, Tensor, is_grad_enabled
from minigrad.ops.compare import eq, where
from minigrad.ops.convert import as_float, check_not_bool
from minigrad.ops.reduce import Operand, mirrored, operands


class Neg(Function):
    primitive = "neg"

    def backward(self, dy: Tensor) -> Tensor:
        return -dy


def neg(input: Tensor) -> Tensor:
    """y = -x, dx = -dy."""
    check_not_bool("neg", input)
    return Neg()(input)


def positive(input: Tensor) -> Tensor:
    """y = x, the same tensor."""
    check_not_bool("positive", input)
    return input


class Add(Function):
    primitive = "add"

    def backward(self, dz: Tensor) -> tuple[Tensor, Tensor]:
        return dz, dz


def add(input: Tensor, other: Operand, *, alpha: float = 1) -> Tensor:
    """z = x + alpha y, dx = dz, dy = alpha dz."""
    x, y = operands(input, other)
    return Add()(x, _scaled(y, alpha))


class Sub(Function):
    primitive = "sub"

    def backward(self, dz: Tensor) -> tuple[Tensor, Tensor | None]:
        return dz, -dz if self.needs_grad[1] else None


def sub(input: Tensor, other: Operand, *, alpha: float = 1) -> Tensor:
    """z = x - alpha y, dx = dz, dy = -alpha dz."""
    x, y = operands(input, other)
    check_not_bool("sub", x)
    return Sub()(x, _scaled(y, alpha))


def _scaled(y: Tensor, alpha: float) -> Tensor:
    """alpha y, in y's dtype."""
    if type(alpha) is int and alpha == 1:
        return y
    if not isinstance(alpha, int if y.dtype.kind != "f" else (int, float)) or isinstance(alpha, bool):
        raise TypeError(f"alpha={alpha!r} must be a number that {y.dtype} can hold; or multiply first: x + alpha * y.")
    return mul(y, y.new_full((), alpha))


class Mul(Function):
    primitive = "mul"
    saves_inputs = "partners"

    def backward(self, dz: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, y = self.inputs
        return dz * y if self.needs_grad[0] else None, dz * x if self.needs_grad[1] else None


def mul(input: Tensor, other: Operand) -> Tensor:
    """z = x * y, dx = dz * y, dy = dz * x."""
    return Mul()(*operands(input, other))


class Div(Function):
    primitive = "div"
    saves_inputs = ((1,), (0, 1))

    def backward(self, dz: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, y = self.inputs
        dx = dz / y
        return dx, -dx * (x / y) if self.needs_grad[1] else None


def div(input: Tensor, other: Operand, *, rounding_mode: str | None = None) -> Tensor:
    """z = x / y, dx = dz / y, dy = -dz * x / y^2. Integers are divided as float32.

    With rounding_mode "floor" it is floor_divide, with "trunc" rounded towards zero; neither is recorded, as sign.
    """
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if rounding_mode == "trunc":
        x, y = _numbers("div", input.detach(), other)
        if x.is_floating_point():
            z = div(x, y.detach())
            return where(z < 0, z.ceil(), z.floor())
        return add(floor_divide(x, y), (remainder(x, y) != 0) & ((x < 0) != (y < 0)))
    if rounding_mode is not None:
        raise ValueError(f"div: rounding_mode must be None, 'floor' or 'trunc', got {rounding_mode!r}.")
    if not str(getattr(other, "dtype", "")).startswith("float"):
        input = as_float(input)  # before they meet: -2 is no byte, but a byte can be divided by it
    return Div()(*operands(input, other))


def floor_divide(input: Tensor, other: Operand) -> Tensor:
    """x // y: the largest whole number that is not above x / y. Not recorded, as sign."""
    x, y = _numbers("floor_divide", input.detach(), other)
    return x._constant(x.device.floor_divide(x.array, y.array))


class Remainder(Function):
    primitive = "remainder"
    saves_inputs = ((), (0, 1))

    def backward(self, dz: Tensor) -> tuple[Tensor, Tensor | None]:
        x, y = self.inputs
        return dz, -dz * floor_divide(x, y) if self.needs_grad[1] else None


def remainder(input: Tensor, other: Operand) -> Tensor:
    """z = x % y = x - y * (x // y), with the sign of y; dx = dz, dy = -dz * (x // y)."""
    return Remainder()(*_numbers("remainder", input, other))


def _numbers(name: str, input: Tensor, other: Operand) -> tuple[Tensor, Tensor]:
    """The operands of a division without fractions: no bools, and no integer divided by 0."""
    x, y = operands(input, other)
    check_not_bool(name, x)
    if not x.is_floating_point() and (y == 0).sum().item():
        raise RuntimeError(f"{name}: an integer is divided by 0 (ZeroDivisionError); as floats it is inf or NaN.")
    return x, y


class Pow(Function):
    primitive = "power"
    saves_inputs = "all"

    def backward(self, dz: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, y = self.inputs
        dx = dz * where(y == 0, 0, y * x ** (y - 1)) if self.needs_grad[0] else None
        # x^y ln x tends to 0 as x does, for y >= 0; the formula would give 0 * -inf
        dy = dz * where((x == 0) & (y >= 0), 0, x**y * x.log()) if self.needs_grad[1] else None
        return dx, dy


class PowScalar(Function):
    saves_inputs = "all"

    def __init__(self, exponent: float) -> None:
        self.exponent = exponent

    def forward(self, x: Array) -> Array:
        return self.device.power(x, self.exponent)

    def backward(self, dz: Tensor) -> Tensor:
        (x,) = self.inputs
        if self.exponent == 0:  # the formula would give 0 * infinity at 0
            return dz.new_zeros(dz.shape)
        if self.exponent == 2 and not is_grad_enabled():
            return dz * (x + x)  # the same bits; what is recorded depends on x in derivatives of all orders
        return dz * (self.exponent * x ** (self.exponent - 1))


def pow(input: Tensor, exponent: Operand) -> Tensor:
    """z = x^y, dx = dz * y * x^(y-1), dy = dz * x^y * ln x. The exponent is a number or a tensor."""
    if input.dtype.kind == "b" and getattr(exponent, "dtype", input.dtype) == input.dtype:
        input = input.long()  # as in PyTorch; a power of bools is a number
    if isinstance(exponent, (int, float)):
        whole = isinstance(exponent, int)
        if whole and input.array.dtype.kind != "f":
            if exponent < 0:
                raise ValueError(f"pow: {input.dtype} to the power {exponent} is no integer; convert with .float().")
            as_number(exponent, input.dtype)  # raises if that cannot hold it
        return PowScalar(exponent if whole else float(exponent))(input if whole else as_float(input))
    return Pow()(*operands(input, exponent))


class Maximum(Function):
    primitive = "maximum"
    saves_inputs = "all"

    def backward(self, dz: Tensor) -> tuple[Tensor, Tensor]:
        x, y = self.inputs
        shared = where(x == y, dz / 2, dz)
        return where(x < y, 0, shared), where(y < x, 0, shared)


def maximum(input: Tensor, other: Operand) -> Tensor:
    """z = the larger of x and y; dz goes to it, half to each where they are equal (as in PyTorch). NaN if either is."""
    return Maximum()(*operands(input, other))


def minimum(input: Tensor, other: Operand) -> Tensor:
    """z = the smaller of x and y; dz goes to it, half to each where they are equal. NaN if either is."""
    x, y = operands(input, other)
    return mirrored(maximum(mirrored(x), mirrored(y)))


def clamp(input: Tensor, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """z = x where min <= x <= max, else the bound it exceeds (max, if min > max); dz goes where the value came from."""
    if min is None and max is None:
        raise ValueError("clamp: at least one of min and max must be given.")
    nearest = input.detach()
    nearest = nearest if min is None else maximum(nearest, min)
    nearest = nearest if max is None else minimum(nearest, max)
    return where(eq(nearest, input), input, nearest) if input.requires_grad or nearest.requires_grad else nearest
