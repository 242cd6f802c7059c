"""The operations as a tensor's methods and operators: each is a function of `ops`, where it is explained."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from minigrad.dtypes import NUMBER_TYPES
from minigrad.function import Tensor, is_grad_enabled
from minigrad.ops import arithmetic, compare, convert, elementwise, index, matmul, reduce, shape, statistics

OPERAND_TYPES = (*NUMBER_TYPES, np.ndarray)


def _reflected(operation: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Any, Any], Tensor]:
    """The method for `other ? tensor`, where `other` is no tensor and cannot answer itself."""
    return lambda self, other: operation(self._as_operand(other), self)


def _comparison(operation: Callable[[Tensor, Any], Tensor]) -> Callable[[Any, object], Any]:
    """The method for == and !=, which Python also calls with what is no operand."""

    def method(self: Any, other: object) -> Any:
        is_operand = hasattr(other, "creator") or isinstance(other, OPERAND_TYPES)
        return operation(self, other) if is_operand else NotImplemented

    return method


def _in_place(operation: Callable[..., Tensor]) -> Callable[..., Any]:
    """The method x.operation_(...): x takes over the result, in its own memory; returns x."""

    @wraps(operation)
    def method(self: Any, *arguments: Any, **options: Any) -> Any:
        recorded = is_grad_enabled() and any([getattr(x, "requires_grad", False) for x in (self, *arguments)])
        before = self.clone() if recorded else self  # backward may read the old values when they are no more
        return self._become(operation(before, *arguments, **options))

    method.__name__, method.__doc__ = f"{operation.__name__}_", f"x = {operation.__name__}(x, ...) in x's own memory."
    return method


class Methods:
    """What `Tensor` inherits: x.sum(0) is sum(x, 0), x + y is add(x, y); x.add_(y) and x += y write it into x."""

    __slots__ = ()

    # --- arithmetic: method, operator, with the tensor on the right, in place ---------------------------------

    neg = __neg__ = arithmetic.neg
    positive = __pos__ = arithmetic.positive
    add = __add__ = __radd__ = arithmetic.add
    add_ = __iadd__ = _in_place(arithmetic.add)
    sub = __sub__ = arithmetic.sub
    __rsub__ = _reflected(arithmetic.sub)
    sub_ = __isub__ = _in_place(arithmetic.sub)
    mul = __mul__ = __rmul__ = arithmetic.mul
    mul_ = __imul__ = _in_place(arithmetic.mul)
    div = __truediv__ = arithmetic.div
    div_ = __itruediv__ = _in_place(arithmetic.div)

    def __rtruediv__(self: Any, other: Any) -> Any:
        return arithmetic.div(convert.as_float(self)._as_operand(other), self)  # -3 / bytes is no matter of bytes

    floor_divide = __floordiv__ = arithmetic.floor_divide
    __rfloordiv__ = _reflected(arithmetic.floor_divide)
    floor_divide_ = __ifloordiv__ = _in_place(arithmetic.floor_divide)
    remainder = __mod__ = arithmetic.remainder
    __rmod__ = _reflected(arithmetic.remainder)
    remainder_ = __imod__ = _in_place(arithmetic.remainder)
    pow = __pow__ = arithmetic.pow
    __rpow__ = _reflected(arithmetic.pow)
    pow_ = __ipow__ = _in_place(arithmetic.pow)
    maximum = arithmetic.maximum
    minimum = arithmetic.minimum
    clamp = arithmetic.clamp
    clamp_ = _in_place(arithmetic.clamp)

    # --- comparisons, logic and bits --------------------------------------------------------------------------

    eq = compare.eq
    ne = compare.ne
    __eq__ = _comparison(compare.eq)
    __ne__ = _comparison(compare.ne)
    __hash__ = object.__hash__  # by identity: __eq__ compares elements
    lt = __lt__ = compare.lt
    le = __le__ = compare.le
    gt = __gt__ = compare.gt
    ge = __ge__ = compare.ge
    isnan = compare.isnan
    isinf = compare.isinf
    isfinite = compare.isfinite
    isclose = compare.isclose
    allclose = compare.allclose
    equal = compare.equal
    logical_and = compare.logical_and
    logical_or = compare.logical_or
    logical_xor = compare.logical_xor
    logical_not = compare.logical_not
    bitwise_and = __and__ = __rand__ = compare.bitwise_and
    bitwise_and_ = __iand__ = _in_place(compare.bitwise_and)
    bitwise_or = __or__ = __ror__ = compare.bitwise_or
    bitwise_or_ = __ior__ = _in_place(compare.bitwise_or)
    bitwise_xor = __xor__ = __rxor__ = compare.bitwise_xor
    bitwise_xor_ = __ixor__ = _in_place(compare.bitwise_xor)
    bitwise_not = __invert__ = compare.bitwise_not
    bitwise_left_shift = __lshift__ = compare.bitwise_left_shift
    __rlshift__ = _reflected(compare.bitwise_left_shift)
    bitwise_left_shift_ = __ilshift__ = _in_place(compare.bitwise_left_shift)
    bitwise_right_shift = __rshift__ = compare.bitwise_right_shift
    __rrshift__ = _reflected(compare.bitwise_right_shift)
    bitwise_right_shift_ = __irshift__ = _in_place(compare.bitwise_right_shift)
    masked_fill = compare.masked_fill
    masked_fill_ = _in_place(compare.masked_fill)

    # --- functions of each element ----------------------------------------------------------------------------

    exp = elementwise.exp
    log = elementwise.log
    log1p = elementwise.log1p
    sqrt = elementwise.sqrt
    square = elementwise.square
    reciprocal = elementwise.reciprocal
    sin = elementwise.sin
    cos = elementwise.cos
    abs = absolute = __abs__ = elementwise.abs
    sign = elementwise.sign
    round = elementwise.round
    floor = elementwise.floor
    ceil = elementwise.ceil
    relu = elementwise.relu
    sigmoid = elementwise.sigmoid
    tanh = elementwise.tanh
    erf = elementwise.erf

    # --- reductions, repetitions and products -----------------------------------------------------------------

    sum = reduce.sum
    mean = reduce.mean
    max = reduce.max
    min = reduce.min
    amax = reduce.amax
    amin = reduce.amin
    argmax = reduce.argmax
    argmin = reduce.argmin
    all = reduce.all
    any = reduce.any
    var = statistics.var
    std = statistics.std
    norm = statistics.norm
    logsumexp = statistics.logsumexp
    prod = statistics.prod
    cumsum = statistics.cumsum
    broadcast_to = reduce.broadcast_to
    expand = reduce.expand
    expand_as = reduce.expand_as
    repeat = reduce.repeat
    mm = matmul.mm
    mv = matmul.mv
    bmm = matmul.bmm
    dot = matmul.dot
    outer = matmul.outer
    __rmatmul__ = _reflected(matmul.matmul)
    matmul = __matmul__ = matmul.matmul

    # --- elements at other places -----------------------------------------------------------------------------

    clone = convert.clone
    is_contiguous = shape.is_contiguous
    contiguous = convert.contiguous
    reshape = shape.reshape
    reshape_as = shape.reshape_as
    view = shape.view
    view_as = shape.view_as
    flatten = shape.flatten
    permute = shape.permute
    transpose = shape.transpose
    T = property(shape.T)
    t = shape.T
    mT = property(shape.mT)  # noqa: N815  (PyTorch's name)
    squeeze = shape.squeeze
    unsqueeze = shape.unsqueeze
    flip = index.flip
    narrow = index.narrow
    select = index.select
    split = index.split
    chunk = index.chunk
    unbind = index.unbind
    gather = index.gather
    nonzero = index.nonzero
    __getitem__ = index.getitem
