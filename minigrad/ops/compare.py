"""Questions that each element answers with true or false: comparisons, logic, bits; and choosing by the answer.

None has a gradient but `where` and what is made of it.
"""

from math import inf
from typing import Any, overload

from minigrad.function import Array, Function, Tensor
from minigrad.ops.convert import cast
from minigrad.ops.index import nonzero
from minigrad.ops.reduce import Operand, broadcast, broadcast_shape, broadcast_to, operands, repeated


def _compare(name: str, input: Tensor, other: Operand) -> Tensor:
    x, y = operands(input.detach(), other)
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


def isnan(input: Tensor) -> Tensor:
    """Whether an element is NaN, as bool."""
    return ne(input, input)


def isinf(input: Tensor) -> Tensor:
    """Whether an element is infinite, as bool."""
    return eq(input.detach().abs(), inf)


def isfinite(input: Tensor) -> Tensor:
    """Whether an element is neither infinite nor NaN, as bool."""
    return lt(input.detach().abs(), inf)


def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
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
    distance = (x - y).abs()
    same |= (distance <= atol + rtol * y.abs()) & (distance < inf)
    return same | (ne(x, x) & ne(y, y)) if equal_nan else same


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
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
    x, y = operands(input, other)
    if x.dtype.kind not in ("iu" if "shift" in name else "iub"):
        kinds = "integers" if "shift" in name else "bools such as x > 0, and integers"
        raise TypeError(f"{symbol} is for tensors of {kinds}, not for {x.dtype}.")
    return x._constant(getattr(x.device, name)(x.array, y.array))


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
    x, y = operands(like._as_operand(input), other)
    if condition.device is not x.device:
        raise TypeError(f"where: condition is on {condition.device}, operands on {x.device}; move one with "
                        ".to(device).")
    shape = broadcast_shape(condition.shape, broadcast_shape(x.shape, y.shape))
    return Where(broadcast_to(condition, shape))(repeated(x, shape), repeated(y, shape))


def masked_fill(input: Tensor, mask: Tensor, value: Operand) -> Tensor:
    """y = value where the bool tensor `mask` holds, else x. A number, or a tensor without axes, is put in x's dtype."""
    value = cast(value, input.dtype) if hasattr(value, "creator") else input.new_full((), value)
    if value.ndim:
        raise ValueError(f"masked_fill: value must be one number, got shape {value.shape}; use minigrad.where.")
    return where(mask, value, input)
