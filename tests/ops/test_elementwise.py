"""Elementwise operations: values against NumPy, in every floating dtype, with everything that is not a plain number."""

import inspect
from collections.abc import Callable

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import minigrad
from minigrad import Tensor

SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 2.0, -2.5, 0.5, 1e-30, -1e30]
TOLERANCE = {"float32": 2e-6, "float64": 1e-14}

UNARY: dict[str, Callable] = {
    "neg": np.negative,
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "square": np.square,
    "reciprocal": np.reciprocal,
    "sin": np.sin,
    "cos": np.cos,
    "round": np.rint,
    "floor": np.floor,
    "ceil": np.ceil,
    "isnan": np.isnan,
    "isinf": np.isinf,
    "isfinite": np.isfinite,
    "abs": np.abs,
    "sign": np.sign,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
}
BINARY: dict[str, Callable] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    "floor_divide": np.floor_divide,
    "remainder": np.remainder,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_xor": np.logical_xor,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}
OPERATORS: dict[str, Callable] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "floor_divide": lambda x, y: x // y,
    "remainder": lambda x, y: x % y,
    "pow": lambda x, y: x**y,
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: x != y,
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
    "bitwise_and": lambda x, y: x & y,
    "bitwise_or": lambda x, y: x | y,
    "bitwise_xor": lambda x, y: x ^ y,
    "bitwise_left_shift": lambda x, y: x << y,
    "bitwise_right_shift": lambda x, y: x >> y,
    "neg": lambda x: -x,
    "positive": lambda x: +x,
    "abs": lambda x: abs(x),
    "bitwise_not": lambda x: ~x,
}


def numpy_value(function: Callable, *arrays: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.asarray(function(*arrays))


def assert_same(found: Tensor, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(found.numpy(), expected, rtol=TOLERANCE[expected.dtype.name], atol=0)
    else:
        np.testing.assert_array_equal(found.numpy(), expected)


# --- values --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", UNARY)
def test_unary(name: str, dtype: str, device: str, rng: np.random.Generator) -> None:
    x = np.concatenate([SPECIAL, rng.standard_normal(200) * 3, [-800.0, 800.0]]).astype(dtype)
    assert_same(getattr(minigrad, name)(minigrad.tensor(x)), numpy_value(UNARY[name], x))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", BINARY)
def test_binary_on_every_pair_of_special_numbers(name: str, dtype: str, device: str) -> None:
    x, y = (axis.ravel() for axis in np.meshgrid(*[np.array(SPECIAL, dtype)] * 2))
    assert_same(getattr(minigrad, name)(minigrad.tensor(x), minigrad.tensor(y)), numpy_value(BINARY[name], x, y))


@pytest.mark.parametrize("name", ["add", "mul", "lt"])
@given(shapes=mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=3, max_dims=4))
@settings(max_examples=50)
def test_operands_of_any_two_shapes_that_fit_are_broadcast(name: str, shapes, device: str) -> None:
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal(shape).astype(np.float32) for shape in shapes.input_shapes)
    assert_same(OPERATORS[name](minigrad.tensor(x), minigrad.tensor(y)), BINARY[name](x, y))


@given(
    shapes=mutually_broadcastable_shapes(num_shapes=3, min_side=0, max_side=3, max_dims=3),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=50)
def test_where_broadcasts_condition_and_operands(shapes, seed: int, device: str) -> None:
    rng = np.random.default_rng(seed)
    condition, x, y = (rng.standard_normal(shape) for shape in shapes.input_shapes)
    found = minigrad.where(minigrad.tensor(condition > 0), minigrad.tensor(x), minigrad.tensor(y))
    assert_same(found, np.where(condition > 0, x, y))


def test_where_passes_nan_and_infinity_of_the_chosen_side_only(device: str) -> None:
    bad = minigrad.tensor([float("nan"), float("inf"), float("-inf")])
    condition = minigrad.tensor([True, False, False])
    np.testing.assert_array_equal(minigrad.where(condition, bad, 0).numpy(), [np.nan, 0, 0])
    np.testing.assert_array_equal(minigrad.where(condition, 0, bad).numpy(), [0, np.inf, -np.inf])


@pytest.mark.parametrize(
    ("x", "y", "dtype"),
    [
        (1, 0, "int64"),
        (1.5, 0, "float32"),
        (True, False, "bool"),
        (np.float32(1), 0, "float32"),
        (np.ones(2), 0, "float64"),
        (1, np.zeros(2), "float64"),
    ],
)
def test_where_takes_numbers_and_numpy_arrays(x: object, y: object, dtype: str, device: str) -> None:
    found = minigrad.where(minigrad.tensor([True, False]), x, y)
    assert found.dtype == dtype
    assert found.tolist() == [x if np.ndim(x) == 0 else 1.0, 0.0]


# --- integers and bools --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
@pytest.mark.parametrize("name", [name for name in BINARY if name not in ("div", "pow", "floor_divide", "remainder")])
def test_integers_stay_integers_and_wrap_around(name: str, dtype: str, device: str) -> None:
    bounds = np.iinfo(dtype)
    x, y = (axis.ravel() for axis in np.meshgrid(*[np.array([bounds.min, 0, 1, 7, bounds.max], dtype)] * 2))
    assert_same(getattr(minigrad, name)(minigrad.tensor(x), minigrad.tensor(y)), numpy_value(BINARY[name], x, y))


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_division_of_integers_rounds_down_and_refuses_zero(dtype: str, device: str) -> None:
    numbers = [number for number in (-7, -1, 0, 1, 6, 7) if dtype != "uint8" or number >= 0]
    x, y = (axis.ravel() for axis in np.meshgrid(np.array(numbers, dtype), np.array(numbers, dtype)))
    x, y = x[y != 0], y[y != 0]
    assert_same(minigrad.tensor(x) // minigrad.tensor(y), x // y)
    assert_same(minigrad.tensor(x) % minigrad.tensor(y), x % y)
    for divide in (lambda: minigrad.tensor(x) // 0, lambda: minigrad.tensor(x) % minigrad.tensor(np.array([0], dtype))):
        with pytest.raises(RuntimeError, match=r"an integer is divided by 0 .*as floats it is inf or NaN"):
            divide()


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "bool"])
def test_bits(dtype: str, device: str) -> None:
    x, y = np.array([0, 1, 0, 1], dtype), np.array([0, 0, 1, 1], dtype)
    if dtype != "bool":
        x, y = x * np.array(77, dtype), y * np.array(100, dtype)
    for function in (np.bitwise_and, np.bitwise_or, np.bitwise_xor):
        assert_same(getattr(minigrad, function.__name__)(minigrad.tensor(x), minigrad.tensor(y)), function(x, y))
    assert_same(~minigrad.tensor(x), ~x)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_integer_powers_are_exact(dtype: str, device: str) -> None:
    x = minigrad.tensor([-3, 0, 2, 5], dtype=dtype)
    assert (x**3).tolist() == [-27, 0, 8, 125]
    assert (x**0).tolist() == [1, 1, 1, 1]
    assert (x ** minigrad.tensor([1, 2, 13, 13], dtype=dtype)).tolist() == [-3, 0, 8192, 1220703125]
    assert (x**3).dtype == dtype


def test_integers_and_bools_divide_as_float32(device: str) -> None:
    quotient = minigrad.tensor([1, 2, 3]) / minigrad.tensor([2, 0, -4])
    assert quotient.dtype == minigrad.float32
    assert quotient.tolist() == [0.5, float("inf"), -0.75]
    assert (minigrad.tensor([True, False]) / 2).tolist() == [0.5, 0.0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("logical_and", [True, False, False, False]),
        ("logical_or", [True, True, True, False]),
        ("eq", [True, False, False, True]),
        ("ne", [False, True, True, False]),
        ("lt", [False, False, True, False]),
        ("add", [True, True, True, False]),
        ("mul", [True, False, False, False]),
        ("maximum", [True, True, True, False]),
    ],
)
def test_bools(name: str, expected: list[bool], device: str) -> None:
    x, y = minigrad.tensor([True, True, False, False]), minigrad.tensor([True, False, True, False])
    found = getattr(minigrad, name)(x, y)
    assert found.dtype == minigrad.bool
    assert found.tolist() == expected


def test_not_and_bools_from_numpy_and_python_on_the_left(device: str) -> None:
    mask = minigrad.tensor([True, False])
    assert (~mask).tolist() == [False, True]
    assert (np.array([True, True]) & mask).tolist() == [True, False]
    assert (True & mask).tolist() == [True, False]
    assert (np.array([False, False]) | mask).tolist() == [True, False]
    assert (True | mask).tolist() == [True, True]


def test_a_power_of_bools_is_a_number(device: str) -> None:
    assert (minigrad.tensor([True, False]) ** 2).dtype == minigrad.int64
    assert (minigrad.tensor([True, False]) ** 2).tolist() == [1, 0]
    assert (minigrad.tensor([True, False]) ** 0.5).tolist() == [1.0, 0.0]


# --- gradients at the points where there is a choice ---------------------------------------------------------


def gradient(function: Callable[[Tensor], Tensor], values: list[float]) -> list[float]:
    x = minigrad.tensor(values, requires_grad=True)
    function(x).sum().backward()
    return x.grad.tolist()


@pytest.mark.parametrize(
    ("function", "values", "expected"),
    [
        (minigrad.relu, [0.0, -0.0, 1.0, np.inf], [0.0, 0.0, 1.0, 1.0]),
        (lambda x: minigrad.minimum(x, 1.0), [0.0, 1.0, 2.0], [1.0, 0.5, 0.0]),
        (lambda x: minigrad.clamp(x, 0, 1), [-1.0, 0.0, 1.0, 2.0, np.nan], [0.0, 1.0, 1.0, 0.0, 0.0]),
        (minigrad.relu, [np.nan], [1.0]),  # "not known to be negative", as in PyTorch
        (minigrad.abs, [0.0, -2.0, 3.0], [0.0, -1.0, 1.0]),
        (lambda x: minigrad.maximum(x, 1.0), [0.0, 1.0, 2.0], [0.0, 0.5, 1.0]),
        (lambda x: x**2, [0.0], [0.0]),
        (lambda x: x**1, [0.0], [1.0]),
        (lambda x: x**0, [0.0, np.inf], [0.0, 0.0]),
        (lambda x: x ** minigrad.tensor([0.0, 2.0]), [0.0, 0.0], [0.0, 0.0]),
        (lambda x: 0.0**x, [2.0, 0.0], [0.0, 0.0]),
        (lambda x: minigrad.sigmoid(x), [-1000.0, 1000.0], [0.0, 0.0]),
        (lambda x: minigrad.tanh(x), [-1000.0, 1000.0], [0.0, 0.0]),
    ],
)
def test_gradient_where_there_is_a_choice(
    function: Callable[[Tensor], Tensor], values: list[float], expected: list[float], device: str
) -> None:
    np.testing.assert_allclose(gradient(function, values), expected, atol=2e-7)


def test_sign_and_comparisons_are_constants() -> None:
    x = minigrad.ones(2, requires_grad=True)
    for result in (minigrad.sign(x), x > 0, x == x, x != 1):
        assert not result.requires_grad


# --- one operation, three spellings --------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_are_the_functions(name: str) -> None:
    dtype = "int64" if name.startswith("bitwise") else "float32"
    operands = [minigrad.tensor(values, dtype=dtype) for values in ([5, 0], [1, 2])]
    operands = operands[: OPERATORS[name].__code__.co_argcount]
    assert OPERATORS[name](*operands).tolist() == getattr(minigrad, name)(*operands).tolist()


@pytest.mark.parametrize("name", [*UNARY, "add", "sub", "mul", "div", "pow", "maximum"])
def test_public_functions_are_the_methods(name: str) -> None:
    function = getattr(minigrad, name)
    assert inspect.unwrap(function) is getattr(Tensor, name)


# --- refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x, mask: -mask, TypeError, r"neg: bools have no sign; invert with ~x"),
        (lambda x, mask: mask - mask, TypeError, r"sub: bools have no sign.*x != y"),
        (lambda x, mask: minigrad.sign(mask), TypeError, r"sign: bools have no sign"),
        (lambda x, mask: x & mask, TypeError, r"& is for tensors of bools such as x > 0, and integers, not for"),
        (lambda x, mask: x | 1, TypeError, r"\| is for tensors of bools such as x > 0, and integers, not"),
        (lambda x, mask: ~x, TypeError, r"~ is for tensors of bools such as x > 0, and integers, not"),
        (lambda x, mask: x << 1, TypeError, r"<< is for tensors of integers, not for float32"),
        (lambda x, mask: mask >> mask, TypeError, r">> is for tensors of integers, not for bool"),
        (lambda x, mask: mask % mask, TypeError, r"remainder: bools have no sign"),
        (lambda x, mask: +mask, TypeError, r"positive: bools have no sign"),
        (lambda x, mask: x.add(x, alpha="2"), TypeError, r"alpha='2' must be a number that float32 can hold"),
        (lambda x, mask: x.long().add(1, alpha=0.5), TypeError, r"alpha=0.5 must be a number that int64 can hold"),
        (lambda x, mask: x.div(2, rounding_mode="up"), ValueError, r"rounding_mode must be None.*, got 'up'"),
        (lambda x, mask: x.clamp(), ValueError, r"clamp: at least one of min and max must be given"),
        (lambda x, mask: minigrad.where(x, x, x), TypeError, r"condition must be a bool tensor .*got float32"),
        (lambda x, mask: minigrad.where([True], x, x), TypeError, r"condition must be a bool tensor.* got list"),
        (lambda x, mask: minigrad.where(np.array([True, False]), x, x), TypeError, r"condition must be .* got ndarray"),
        (lambda x, mask: x * [1.0, 2.0], TypeError, r"operand must be a Tensor, a number or a NumPy array, got list"),
        (lambda x, mask: None * x, TypeError, r"operand must be .* got NoneType: None"),
        (lambda x, mask: x < "a", TypeError, r"operand must be .* got str: 'a'"),
        (lambda x, mask: x + 1j, TypeError, r"operand must be .* got complex"),
        (lambda x, mask: x + np.ones(2, np.float16), TypeError, r"float16 cannot be a tensor"),
        (lambda x, mask: x.long() ** -1, ValueError, r"int64 to the power -1 is no integer; convert with .float\(\)"),
        (lambda x, mask: x + minigrad.ones(3), ValueError, r"shapes \(2,\) and \(3,\) cannot be broadcast.*2 meets 3"),
    ],
)
def test_refused(call: Callable[[Tensor, Tensor], Tensor], error: type[Exception], message: str, device: str) -> None:
    with pytest.raises(error, match=message):
        call(minigrad.ones(2), minigrad.tensor([True, False]))
