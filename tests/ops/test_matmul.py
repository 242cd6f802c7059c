"""Matrix products of every rank, against NumPy."""

from collections.abc import Callable

import numpy as np
import pytest

import minigrad
from minigrad import Tensor

SHAPES = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3, 4)),
    ((1, 1), (1, 1)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 4)),
    ((2, 1, 2, 3), (3, 3, 1)),
    ((1, 2, 3), (4, 3, 2)),
    ((6, 1, 2, 3), (1, 5, 3, 4)),
    ((2, 0), (0, 3)),  # a sum of nothing is 0
    ((0, 3), (3, 2)),
    ((2, 3), (3, 0)),
    ((0, 2, 3), (3, 4)),
    ((0,), (0,)),
    ((33, 70), (70, 19)),  # more than a tile of any kernel, and no multiple of one
    ((3, 65, 64), (64, 66)),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("x_shape", "y_shape"), SHAPES)
def test_values(x_shape: tuple, y_shape: tuple, dtype: str, device: str, rng: np.random.Generator) -> None:
    x, y = (rng.integers(-9, 10, shape).astype(dtype) for shape in (x_shape, y_shape))  # sums of integers are exact
    product = minigrad.tensor(x) @ minigrad.tensor(y)
    np.testing.assert_array_equal(product.numpy(), np.asarray(x @ y), strict=True)


@pytest.mark.parametrize(("x_shape", "y_shape"), [pair for pair in SHAPES if np.prod(pair[0]) < 100])
def test_gradients_are_products_with_the_other_factor(
    x_shape: tuple, y_shape: tuple, device: str, rng: np.random.Generator
) -> None:
    """<d(xy), dz> is linear in x and in y: moving x by dx changes the sum of z * weights by <dx, gradient>, exactly."""
    x, dx, y, dy = (rng.integers(-3, 4, shape).astype(float) for shape in (x_shape, x_shape, y_shape, y_shape))
    weights = rng.integers(-3, 4, np.shape(x @ y)).astype(float)
    tensors = [minigrad.tensor(array, requires_grad=True) for array in (x, y)]
    (tensors[0] @ tensors[1]).backward(minigrad.tensor(weights))
    assert np.sum(tensors[0].grad.numpy() * dx) == np.sum((dx @ y) * weights)
    assert np.sum(tensors[1].grad.numpy() * dy) == np.sum((x @ dy) * weights)


def test_operands_that_are_views(device: str, rng: np.random.Generator) -> None:
    x = rng.integers(-9, 10, (4, 6)).astype("float32")
    t = minigrad.tensor(x)
    np.testing.assert_array_equal((t.T @ t).numpy(), x.T @ x)
    np.testing.assert_array_equal((t[::2, ::-1] @ t.T[:, 1:]).numpy(), x[::2, ::-1] @ x.T[:, 1:])
    repeated = t[0].expand(3, 6) @ t[:, :1].expand(4, 6).T  # every row: the sum of x[0], times x[k, 0]
    np.testing.assert_array_equal(repeated.numpy(), [x[0].sum() * x[:, 0]] * 3)


def test_numpy_arrays_on_either_side(device: str) -> None:
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    for product in (x @ minigrad.tensor(x), minigrad.tensor(x) @ x, minigrad.matmul(minigrad.tensor(x), x)):
        assert isinstance(product, Tensor)
        assert product.tolist() == (x @ x).tolist()


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_nan_and_infinity_reach_the_sums_they_belong_to_and_no_others(number: float, device: str) -> None:
    ones, x = minigrad.ones(3, 3), minigrad.ones(3, 3)
    x[1, 2] = number
    assert str((x @ ones).tolist()) == str([[3.0] * 3, [number] * 3, [3.0] * 3])
    assert str((ones @ x).tolist()) == str([[3.0, 3.0, number]] * 3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: x @ x, ValueError, r"shapes \(2, 3\) and \(2, 3\) do not fit: x has 3 columns, y 2 rows.*x @ y\.T"),
        (lambda x: x @ minigrad.ones(2), ValueError, r"shapes \(2, 3\) and \(2,\) do not fit"),
        (lambda x: x @ np.ones((2, 2), np.float32), ValueError, r"shapes \(2, 3\) and \(2, 2\) do not fit"),
        (lambda x: x @ minigrad.tensor(2.0), ValueError, r"shapes \(2, 3\) and \(\): a scalar is no matrix"),
        (lambda x: 2.0 @ x, ValueError, r"a scalar is no matrix"),
        (lambda x: x @ x.T.double(), TypeError, r"one dtype, got float32 and float64.*\.float\(\) or \.double\(\)"),
        (lambda x: x @ x.T.long(), TypeError, r"needs numbers of one dtype, got float32 and int64"),
        (lambda x: x.bool() @ x.T.bool(), TypeError, r"needs numbers of one dtype, got bool and bool"),
        (lambda x: x.mm(x[0]), ValueError, r"mm: shapes \(2, 3\) and \(3,\) must have 2 and 2 axes; matmul takes any"),
        (lambda x: x.mv(x.T), ValueError, r"mv: shapes \(2, 3\) and \(3, 2\) must have 2 and 1 axes"),
        (lambda x: x[0].dot(x), ValueError, r"dot: shapes \(3,\) and \(2, 3\) must have 1 and 1 axes"),
        (lambda x: x.outer(x[0]), ValueError, r"outer: shapes \(2, 3\) and \(3,\) must have 1 and 1 axes"),
        (lambda x: x.bmm(x), ValueError, r"bmm: shapes \(2, 3\) and \(2, 3\) must have 3 and 3 axes"),
        (lambda x: x[None].bmm(x[:, :, None]), ValueError, r"bmm: shapes \(1, 2, 3\), \(2, 3, 1\) differ in axis 0"),
        (lambda x: x @ [[1.0]], TypeError, r"operand must be a Tensor, a number or a NumPy array, got list"),
        (lambda x: x.expand(2, 2, 3) @ minigrad.ones(3, 3, 1), ValueError, r"\(2,\) and \(3,\) cannot be broadcast"),
    ],
)
def test_refused(call: Callable[[Tensor], Tensor], error: type[Exception], message: str, device: str) -> None:
    with pytest.raises(error, match=message):
        call(minigrad.ones(2, 3))
