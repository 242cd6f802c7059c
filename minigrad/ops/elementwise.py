"""Operations that treat each element by itself. Operands are broadcast to one shape first (`reduce.broadcast`)."""

import math
from math import inf
from typing import Any, TypeAlias, overload

from minigrad.function import Array, Function, Tensor
from minigrad.ops.convert import as_float, cast, same_dtype
from minigrad.ops.index import getitem, nonzero
from minigrad.ops.reduce import broadcast, broadcast_shape, broadcast_to, mirrored

Operand: TypeAlias = Any  # a Tensor, or a number or NumPy array, which becomes a constant

# --- one operand -------------------------------------------------------------------------------------------


class Neg(Function):
    def forward(self, x: Array) -> Array:
        return self.device.neg(x)

    def backward(self, dy: Tensor) -> Tensor:
        return -dy


def neg(input: Tensor) -> Tensor:
    """y = -x, dx = -dy."""
    _check_not_bool("neg", input)
    return Neg()(input)


def positive(input: Tensor) -> Tensor:
    """y = x, the same tensor."""
    _check_not_bool("positive", input)
    return input


class Exp(Function):
    saves_output = True

    def forward(self, x: Array) -> Array:
        return self.device.exp(x)

    def backward(self, dy: Tensor) -> Tensor:
        return dy * self.output


def exp(input: Tensor) -> Tensor:
    """y = e^x, dx = dy * y."""
    return Exp()(as_float(input))


class Log(Function):
    saves_inputs = "all"

    def forward(self, x: Array) -> Array:
        return self.device.log(x)

    def backward(self, dy: Tensor) -> Tensor:
        (x,) = self.inputs
        return dy / x


def log(input: Tensor) -> Tensor:
    """y = ln x, dx = dy / x. -inf at 0, NaN for negative x."""
    return Log()(as_float(input))


class Log1p(Function):
    saves_inputs = "all"

    def forward(self, x: Array) -> Array:
        return self.device.log1p(x)

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
    saves_inputs = "all"

    def forward(self, x: Array) -> Array:
        return self.device.sin(x)

    def backward(self, dy: Tensor) -> Tensor:
        (x,) = self.inputs
        return dy * cos(x)


def sin(input: Tensor) -> Tensor:
    """y = sin x, dx = dy * cos x."""
    return Sin()(as_float(input))


class Cos(Function):
    saves_inputs = "all"

    def forward(self, x: Array) -> Array:
        return self.device.cos(x)

    def backward(self, dy: Tensor) -> Tensor:
        (x,) = self.inputs
        return -dy * sin(x)


def cos(input: Tensor) -> Tensor:
    """y = cos x, dx = -dy * sin x."""
    return Cos()(as_float(input))


class Abs(Function):
    saves_inputs = "all"

    def forward(self, x: Array) -> Array:
        return self.device.abs(x)

    def backward(self, dy: Tensor) -> Tensor:
        (x,) = self.inputs
        return dy * sign(x)


def abs(input: Tensor) -> Tensor:
    """y = |x|, dx = dy * sign(x); at 0, where |x| has no derivative, 0."""
    return Abs()(input)


def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1 by the sign of x. Its derivative is 0 wherever it has one, so it is not recorded."""
    _check_not_bool("sign", input)
    return input._constant(input.device.sign(input.array))


def round(input: Tensor) -> Tensor:
    """The nearest whole number, of two the even one. Not recorded, as sign."""
    _check_not_bool("round", input)
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


def isnan(input: Tensor) -> Tensor:
    """Whether an element is NaN, as bool."""
    return ne(input, input)


def isinf(input: Tensor) -> Tensor:
    """Whether an element is infinite, as bool."""
    return eq(abs(input.detach()), float("inf"))


def isfinite(input: Tensor) -> Tensor:
    """Whether an element is neither infinite nor NaN, as bool."""
    return lt(abs(input.detach()), float("inf"))


class Relu(Function):
    saves_output = True

    def forward(self, x: Array) -> Array:
        return self.device.relu(x)

    def backward(self, dy: Tensor) -> Tensor:
        return where(self.output <= 0, 0, dy)  # so dy reaches a NaN


def relu(input: Tensor) -> Tensor:
    """y = max(x, 0), dx = dy where x > 0, else 0. NaN passes through."""
    return Relu()(input)


class Sigmoid(Function):
    saves_output = True

    def forward(self, x: Array) -> Array:
        return self.device.sigmoid(x)

    def backward(self, dy: Tensor) -> Tensor:
        y = self.output
        return dy * y * (1 - y)


def sigmoid(input: Tensor) -> Tensor:
    """y = 1 / (1 + e^-x), dx = dy * y * (1 - y)."""
    return Sigmoid()(as_float(input))


class Tanh(Function):
    saves_output = True

    def forward(self, x: Array) -> Array:
        return self.device.tanh(x)

    def backward(self, dy: Tensor) -> Tensor:
        y = self.output
        return dy * (1 - y * y)


def tanh(input: Tensor) -> Tensor:
    """y = tanh x, dx = dy * (1 - y^2)."""
    return Tanh()(as_float(input))


class Erf(Function):
    saves_inputs = "all"

    def forward(self, x: Array) -> Array:
        return self.device.erf(x)

    def backward(self, dy: Tensor) -> Tensor:
        (x,) = self.inputs
        return dy * exp(-x * x) * (2 / math.sqrt(math.pi))


def erf(input: Tensor) -> Tensor:
    """y = 2 / sqrt(pi) * the integral of e^-t^2 from 0 to x, dx = dy * 2 / sqrt(pi) * e^-x^2."""
    return Erf()(as_float(input))


# --- two operands ------------------------------------------------------------------------------------------


class Add(Function):
    def forward(self, x: Array, y: Array) -> Array:
        return self.device.add(x, y)

    def backward(self, dz: Tensor) -> tuple[Tensor, Tensor]:
        return dz, dz


def add(input: Tensor, other: Operand, *, alpha: float = 1) -> Tensor:
    """z = x + alpha y, dx = dz, dy = alpha dz."""
    x, y = _operands(input, other)
    return Add()(x, _scaled(y, alpha))


class Sub(Function):
    def forward(self, x: Array, y: Array) -> Array:
        return self.device.sub(x, y)

    def backward(self, dz: Tensor) -> tuple[Tensor, Tensor | None]:
        return dz, -dz if self.needs_grad[1] else None


def sub(input: Tensor, other: Operand, *, alpha: float = 1) -> Tensor:
    """z = x - alpha y, dx = dz, dy = -alpha dz."""
    x, y = _operands(input, other)
    _check_not_bool("sub", x)
    return Sub()(x, _scaled(y, alpha))


def _scaled(y: Tensor, alpha: float) -> Tensor:
    """alpha y, in y's dtype."""
    if type(alpha) is int and alpha == 1:
        return y
    if not isinstance(alpha, int if y.dtype.kind != "f" else (int, float)) or isinstance(alpha, bool):
        raise TypeError(f"alpha={alpha!r} must be a number that {y.dtype} can hold; or multiply first: x + alpha * y.")
    return mul(y, y.new_full((), alpha))


class Mul(Function):
    saves_inputs = "partners"

    def forward(self, x: Array, y: Array) -> Array:
        return self.device.mul(x, y)

    def backward(self, dz: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, y = self.inputs
        return dz * y if self.needs_grad[0] else None, dz * x if self.needs_grad[1] else None


def mul(input: Tensor, other: Operand) -> Tensor:
    """z = x * y, dx = dz * y, dy = dz * x."""
    return Mul()(*_operands(input, other))


class Div(Function):
    saves_inputs = ((1,), (0, 1))

    def forward(self, x: Array, y: Array) -> Array:
        return self.device.div(x, y)

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
            return where(z < 0, ceil(z), floor(z))
        return add(floor_divide(x, y), (remainder(x, y) != 0) & ((x < 0) != (y < 0)))
    if rounding_mode is not None:
        raise ValueError(f"div: rounding_mode must be None, 'floor' or 'trunc', got {rounding_mode!r}.")
    x, y = _operands(input, other)
    return Div()(as_float(x), as_float(y))


def floor_divide(input: Tensor, other: Operand) -> Tensor:
    """x // y: the largest whole number that is not above x / y. Not recorded, as sign."""
    x, y = _numbers("floor_divide", input.detach(), other)
    return x._constant(x.device.floor_divide(x.array, y.array))


class Remainder(Function):
    saves_inputs = ((), (0, 1))

    def forward(self, x: Array, y: Array) -> Array:
        return self.device.remainder(x, y)

    def backward(self, dz: Tensor) -> tuple[Tensor, Tensor | None]:
        x, y = self.inputs
        return dz, -dz * floor_divide(x, y) if self.needs_grad[1] else None


def remainder(input: Tensor, other: Operand) -> Tensor:
    """z = x % y = x - y * (x // y), with the sign of y; dx = dz, dy = -dz * (x // y)."""
    return Remainder()(*_numbers("remainder", input, other))


def _numbers(name: str, input: Tensor, other: Operand) -> tuple[Tensor, Tensor]:
    """The operands of a division without fractions: no bools, and no integer divided by 0."""
    x, y = _operands(input, other)
    _check_not_bool(name, x)
    if not x.is_floating_point() and (y == 0).sum().item():
        raise RuntimeError(f"{name}: an integer is divided by 0 (ZeroDivisionError); as floats it is inf or NaN.")
    return x, y


class Pow(Function):
    saves_inputs = "all"

    def forward(self, x: Array, y: Array) -> Array:
        return self.device.power(x, y)

    def backward(self, dz: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, y = self.inputs
        dx = dz * where(y == 0, 0, y * x ** (y - 1)) if self.needs_grad[0] else None
        # x^y ln x tends to 0 as x does, for y >= 0; the formula would give 0 * -inf
        dy = dz * where((x == 0) & (y >= 0), 0, x**y * log(x)) if self.needs_grad[1] else None
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
        return dz * (self.exponent * x ** (self.exponent - 1))


def pow(input: Tensor, exponent: Operand) -> Tensor:
    """z = x^y, dx = dz * y * x^(y-1), dy = dz * x^y * ln x. The exponent is a number or a tensor."""
    if input.dtype.kind == "b":
        input = input.long()  # as in PyTorch; a power of bools is a number
    if isinstance(exponent, (int, float)):
        whole = isinstance(exponent, int)
        if whole and exponent < 0 and not input.is_floating_point():
            raise ValueError(f"pow: {input.dtype} to the power {exponent} is no integer; convert with .float() first.")
        return PowScalar(exponent if whole else float(exponent))(input if whole else as_float(input))
    return Pow()(*_operands(input, exponent))


class Maximum(Function):
    saves_inputs = "all"

    def forward(self, x: Array, y: Array) -> Array:
        return self.device.maximum(x, y)

    def backward(self, dz: Tensor) -> tuple[Tensor, Tensor]:
        x, y = self.inputs
        shared = where(x == y, dz / 2, dz)
        return where(x < y, 0, shared), where(y < x, 0, shared)


def maximum(input: Tensor, other: Operand) -> Tensor:
    """z = the larger of x and y; dz goes to it, half to each where they are equal (as in PyTorch). NaN if either is."""
    return Maximum()(*_operands(input, other))


def minimum(input: Tensor, other: Operand) -> Tensor:
    """z = the smaller of x and y; dz goes to it, half to each where they are equal. NaN if either is."""
    x, y = _operands(input, other)
    return mirrored(maximum(mirrored(x), mirrored(y)))


def clamp(input: Tensor, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """z = x where min <= x <= max, else the bound it exceeds (max, if min > max); dz goes where the value came from."""
    if min is None and max is None:
        raise ValueError("clamp: at least one of min and max must be given.")
    nearest = input.detach()
    nearest = nearest if min is None else maximum(nearest, min)
    nearest = nearest if max is None else minimum(nearest, max)
    return where(eq(nearest, input), input, nearest) if input.requires_grad else nearest


class Where(Function):
    def __init__(self, condition: Tensor) -> None:
        self.condition = (condition, condition.array, condition.version.count)

    def forward(self, x: Array, y: Array) -> Array:
        _, condition, _ = self.condition
        return self.device.where(condition, x, y)

    def backward(self, dz: Tensor) -> tuple[Tensor | None, Tensor | None]:
        condition = self._unchanged(*self.condition)
        x_grad = where(condition, dz, 0) if self.needs_grad[0] else None
        return x_grad, where(condition, 0, dz) if self.needs_grad[1] else None


@overload
def where(condition: Tensor) -> tuple[Tensor, ...]: ...
@overload
def where(condition: Tensor, input: Operand, other: Operand) -> Tensor: ...
def where(condition: Tensor, input: Operand = None, other: Operand = None) -> Any:
    """z = x where the bool tensor `condition` holds, else y; dz goes where the value came from.

    where(condition) alone is nonzero(condition, as_tuple=True).
    """
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if not hasattr(condition, "creator") or condition.dtype.kind != "b":
        got = condition.dtype if hasattr(condition, "creator") else type(condition).__name__
        raise TypeError(f"where: condition must be a bool tensor such as x > 0, got {got}.")
    like = next((x for x in (input, other) if hasattr(x, "creator")), condition)  # numbers take the dtype of the tensor
    x, y = _operands(like._as_operand(input), other)
    if condition.device is not x.device:
        raise TypeError(
            f"where: condition is on {condition.device}, operands on {x.device}; move one with .to(device)."
        )
    shape = broadcast_shape(condition.shape, x.shape)
    return Where(broadcast_to(condition, shape))(broadcast_to(x, shape), broadcast_to(y, shape))


def masked_fill(input: Tensor, mask: Tensor, value: Operand) -> Tensor:
    """y = value where the bool tensor `mask` holds, else x. A number, or a tensor without axes, is put in x's dtype."""
    value = cast(value, input.dtype) if hasattr(value, "creator") else input.new_full((), value)
    if value.ndim:
        raise ValueError(f"masked_fill: value must be one number, got shape {value.shape}; use minigrad.where.")
    return where(mask, value, input)


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements of x where the bool tensor `mask` holds, in one row; the two are broadcast."""
    if mask.dtype.kind != "b":
        raise TypeError(f"masked_select: mask must be a bool tensor such as x > 0, got {mask.dtype}.")
    x, chosen = broadcast(input, mask)
    return getitem(x, chosen)


def _compare(name: str, input: Tensor, other: Operand) -> Tensor:
    x, y = _operands(input.detach(), other)
    return x._constant(getattr(x.device, name)(x.array, y.array))


def eq(input: Tensor, other: Operand) -> Tensor:
    """x == y, elementwise, as bool. Comparisons have no gradient."""
    return _compare("equal", input, other)


def ne(input: Tensor, other: Operand) -> Tensor:
    """x != y, elementwise; true for NaN."""
    return logical_not(eq(input, other))


def lt(input: Tensor, other: Operand) -> Tensor:
    """x < y, elementwise; false for NaN, as are all but `ne`."""
    return _compare("less", input, other)


def le(input: Tensor, other: Operand) -> Tensor:
    """x <= y, elementwise."""
    return _compare("less_equal", input, other)


def gt(input: Tensor, other: Operand) -> Tensor:
    """x > y, elementwise."""
    return lt(input._as_operand(other), input)


def ge(input: Tensor, other: Operand) -> Tensor:
    """x >= y, elementwise."""
    return le(input._as_operand(other), input)


def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Tensor:
    """|x - y| <= atol + rtol * |y|, elementwise, as bool. So are equal infinities close, and NaNs with `equal_nan`."""
    _check_tensor("isclose", other)
    if input.dtype != other.dtype:
        raise TypeError(f"isclose: tensors of {input.dtype} and {other.dtype}; convert one with .to(dtype).")
    if not (rtol >= 0 and atol >= 0):
        raise ValueError(f"isclose: rtol={rtol} and atol={atol} must not be negative.")
    x, y = broadcast(input.detach(), other.detach())
    same = eq(x, y)
    if not x.is_floating_point():
        x, y = x.long(), y.long()  # bytes cannot tell 1 - 2 from 255
    distance = abs(x - y)
    same |= (distance <= atol + rtol * abs(y)) & (distance < inf)
    return same | (ne(x, x) & ne(y, y)) if equal_nan else same


def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Whether all elements are close, as `isclose` has it."""
    close = isclose(input, other, rtol, atol, equal_nan)
    return close.numel() == int(close.sum())


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether the shapes are the same and all elements are."""
    _check_tensor("equal", other)
    return input.shape == other.shape and input.numel() == int(eq(input, other).sum())


def _check_tensor(name: str, other: Any) -> None:
    if not hasattr(other, "creator"):
        raise TypeError(f"{name}: compares tensors, got {type(other).__name__}; use minigrad.tensor(data).")


def logical_and(input: Tensor, other: Operand) -> Tensor:
    """Whether x and y both are not 0, as bool."""
    return bitwise_and(ne(input, False), ne(input._as_operand(other), False))


def logical_or(input: Tensor, other: Operand) -> Tensor:
    """Whether x or y is not 0, as bool."""
    return bitwise_or(ne(input, False), ne(input._as_operand(other), False))


def logical_xor(input: Tensor, other: Operand) -> Tensor:
    """Whether just one of x and y is not 0, as bool."""
    return ne(ne(input, False), ne(input._as_operand(other), False))


def logical_not(input: Tensor) -> Tensor:
    """Whether x is 0, as bool."""
    return eq(input, False)


def bitwise_and(input: Tensor, other: Operand) -> Tensor:
    """x & y: the bits that both have; of bools, whether both hold."""
    return _bitwise("bitwise_and", "&", input, other)


def bitwise_or(input: Tensor, other: Operand) -> Tensor:
    """x | y: the bits that one has or the other; of bools, whether one holds."""
    return _bitwise("bitwise_or", "|", input, other)


def bitwise_xor(input: Tensor, other: Operand) -> Tensor:
    """x ^ y: the bits that just one has; of bools, whether they differ."""
    return _bitwise("bitwise_xor", "^", input, other)


def bitwise_not(input: Tensor) -> Tensor:
    """~x: the bits that x lacks, for signed integers -1 - x; of bools, whether x does not hold."""
    return _bitwise("bitwise_xor", "~", input, {"b": True, "u": 255}.get(input.dtype.kind, -1))


def bitwise_left_shift(input: Tensor, other: Operand) -> Tensor:
    """x << y = x * 2^y for integers, without the bits that do not fit."""
    return _bitwise("left_shift", "<<", input, other)


def bitwise_right_shift(input: Tensor, other: Operand) -> Tensor:
    """x >> y = x // 2^y for integers."""
    return _bitwise("right_shift", ">>", input, other)


def _bitwise(name: str, symbol: str, input: Tensor, other: Operand) -> Tensor:
    x, y = _operands(input, other)
    if x.dtype.kind not in ("iu" if "shift" in name else "iub"):
        kinds = "integers" if "shift" in name else "bools such as x > 0, and integers"
        raise TypeError(f"{symbol} is for tensors of {kinds}, not for {x.dtype}.")
    return x._constant(getattr(x.device, name)(x.array, y.array))


def _check_not_bool(name: str, x: Tensor) -> None:
    if x.dtype.kind == "b":
        raise TypeError(f"{name}: bools have no sign; invert with ~x, compare with x != y, or count with x.long().")


def _operands(x: Tensor, y: Operand) -> tuple[Tensor, Tensor]:
    """Both operands as tensors of one dtype and one shape; a number takes the dtype of the tensor it meets."""
    y = x._as_operand(y)
    if x.device is not y.device:
        raise TypeError(f"operands are on {x.device} and {y.device}; move one of them with .to(device).")
    return broadcast(*same_dtype(x, y))
