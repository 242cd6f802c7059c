"""Sums, means, maxima and broadcasting: values against NumPy over random shapes and axes."""

from collections.abc import Callable

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes

import minigrad
from minigrad import Tensor


@st.composite
def shape_and_dim(draw, min_side: int = 0) -> tuple[tuple[int, ...], int | tuple[int, ...] | None]:
    """A shape and a choice of its axes, some of them counted from the back."""
    shape = draw(array_shapes(min_dims=0, max_dims=4, min_side=min_side, max_side=4))
    axes = draw(st.lists(st.integers(0, max(len(shape) - 1, 0)), unique=True, max_size=len(shape)))
    dim = tuple(axis - len(shape) if draw(st.booleans()) else axis for axis in axes)
    if not dim:
        return shape, None
    return shape, dim[0] if len(dim) == 1 and draw(st.booleans()) else dim


def small_integers(shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray:
    """Numbers whose sums are exact in every order, with many ties."""
    return np.random.default_rng(len(shape)).integers(-9, 10, shape).astype(dtype)


@given(shape_and_dim(), st.booleans(), st.sampled_from(["float32", "float64", "int64", "int32", "bool"]))
@settings(max_examples=100)
def test_sum(device: str, shape_dim, keepdim: bool, dtype: str) -> None:
    shape, dim = shape_dim
    x = small_integers(shape, dtype)
    found = minigrad.tensor(x).sum(dim, keepdim)
    expected = np.sum(x, axis=dim, keepdims=keepdim)
    assert found.dtype == (dtype if dtype.startswith("float") else "int64")
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found.numpy(), expected)


@given(shape_and_dim(min_side=1), st.booleans())
@settings(max_examples=50)
def test_mean(device: str, shape_dim, keepdim: bool) -> None:
    shape, dim = shape_dim
    x = small_integers(shape, "float64")
    found = minigrad.tensor(x).mean(dim, keepdim)
    expected = np.mean(x, axis=dim, keepdims=keepdim)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-14)


@given(shape_and_dim(min_side=1), st.booleans(), st.sampled_from(["float32", "float64", "int64", "uint8", "bool"]))
@settings(max_examples=100)
def test_amax(device: str, shape_dim, keepdim: bool, dtype: str) -> None:
    shape, dim = shape_dim
    x = small_integers(shape, "int64").astype(dtype)
    found = minigrad.tensor(x).amax(dim, keepdim)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found.numpy(), np.max(x, axis=dim, keepdims=keepdim), strict=True)


@given(array_shapes(min_dims=1, max_dims=4, max_side=5), st.data(), st.booleans())
@settings(max_examples=50)
def test_max_and_argmax_along_an_axis_find_the_first_of_the_largest(
    device: str, shape: tuple[int, ...], data: st.DataObject, keepdim: bool
) -> None:
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = small_integers(shape)
    values, indices = minigrad.tensor(x).max(dim, keepdim)
    np.testing.assert_array_equal(values.numpy(), np.max(x, dim, keepdims=keepdim), strict=True)
    np.testing.assert_array_equal(indices.numpy(), np.argmax(x, dim, keepdims=keepdim), strict=True)
    assert minigrad.tensor(x).argmax(dim, keepdim).tolist() == indices.tolist()


def test_max_and_argmax_of_all(device: str) -> None:
    x = minigrad.tensor([[1.0, 7.0, 2.0], [7.0, 0.0, 7.0]])
    assert x.max().item() == 7.0
    assert x.argmax().item() == 1
    assert x.argmax(keepdim=True).tolist() == [[1]]
    assert x.max(keepdim=True).tolist() == [[7.0]]
    assert minigrad.tensor(3.0).max().item() == 3.0
    assert minigrad.tensor(3.0).argmax().item() == 0


REDUCTIONS = ["sum", "mean", "amax"]


@pytest.mark.parametrize("name", REDUCTIONS)
def test_dim_may_be_a_list_numpys_integer_or_called_axis(name: str, device: str) -> None:
    x = small_integers((2, 3, 4))
    expected = getattr(np, name)(x, axis=(0, 2)).tolist()
    reduce = getattr(minigrad, name)
    for reduced in (
        reduce(minigrad.tensor(x), [0, 2]),
        reduce(minigrad.tensor(x), dim=(np.int64(0), -1)),
        reduce(minigrad.tensor(x), axis=(2, 0)),
        getattr(minigrad.tensor(x), name)((0, 2)),
    ):
        np.testing.assert_allclose(reduced.tolist(), expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["max", "argmax"])
def test_axis_is_another_name_for_dim_of_max(name: str, device: str) -> None:
    x = minigrad.tensor(small_integers((3, 4)))
    by_dim, by_axis = getattr(x, name)(1), getattr(x, name)(axis=np.int32(-1))
    assert str(by_dim) == str(by_axis)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_pass_through(number: float, device: str) -> None:
    x = np.array([[1.0, number, 2.0], [3.0, 4.0, 5.0]])
    t = minigrad.tensor(x)
    for name in REDUCTIONS:
        np.testing.assert_array_equal(getattr(t, name)(1).numpy(), getattr(np, name)(x, axis=1))
    values, indices = t.max(1)
    np.testing.assert_array_equal(values.numpy(), np.max(x, axis=1))
    np.testing.assert_array_equal(indices.numpy(), np.argmax(x, axis=1))


def test_reducing_nothing(device: str) -> None:
    empty = minigrad.zeros(2, 0)
    assert empty.sum().item() == 0.0
    assert empty.sum(1).tolist() == [0.0, 0.0]
    assert empty.sum(0).shape == (0,)
    assert np.isnan(empty.mean(1).numpy()).all()
    assert empty.mean(0).shape == (0,)
    assert empty.amax(0).shape == (0,)
    assert empty.max(0).indices.shape == (0,)
    assert minigrad.tensor(4.0).sum().item() == 4.0
    assert minigrad.tensor(4.0).mean().item() == 4.0


def test_many_float32_numbers_add_up_precisely(device: str) -> None:
    """A plain running sum would stop growing at 2^24: it must be taken in pieces or in a wider type."""
    x = minigrad.full((2**25,), 1.0)
    assert x.sum().item() == 2**25
    assert x.mean().item() == 1.0


# --- gradients where elements tie ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x.max(), [[0, 1 / 3, 0], [1 / 3, 0, 1 / 3]]),
        (lambda x: x.amax((0, 1)), [[0, 1 / 3, 0], [1 / 3, 0, 1 / 3]]),
        (lambda x: x.amax(1).sum(), [[0, 1, 0], [1 / 2, 0, 1 / 2]]),
        (lambda x: x.max(1).values.sum(), [[0, 1, 0], [1, 0, 0]]),
        (lambda x: x.max(0).values.sum(), [[0, 1, 0], [1, 0, 1]]),
    ],
)
def test_gradient_of_ties(function: Callable[[Tensor], Tensor], expected: list, device: str) -> None:
    x = minigrad.tensor([[1.0, 7.0, 2.0], [7.0, 0.0, 7.0]], requires_grad=True)
    function(x).backward()
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-6)


# --- broadcasting --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "target"),
    [((), (2, 3)), ((3,), (2, 3)), ((2, 1), (2, 3)), ((1, 1), (4, 5)), ((2, 3), (2, 3)), ((1, 3), (0, 3)), ((), (0,))],
)
def test_broadcast_to(shape: tuple[int, ...], target: tuple[int, ...], device: str) -> None:
    x = small_integers(shape)
    np.testing.assert_array_equal(
        minigrad.tensor(x).broadcast_to(target).numpy(), np.broadcast_to(x, target), strict=True
    )


def test_expand_takes_sizes_one_by_one_and_keeps_those_that_are_minus_one(device: str) -> None:
    x = minigrad.tensor([[1.0], [2.0]])
    assert x.expand(2, 3).tolist() == [[1.0] * 3, [2.0] * 3]
    assert x.expand((-1, 3)).tolist() == [[1.0] * 3, [2.0] * 3]
    assert x.expand(4, -1, np.int64(3)).shape == (4, 2, 3)
    assert x.expand(2, -1).tolist() == [[1.0], [2.0]]


# --- refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: x.sum(2), IndexError, r"sum: dim=2 does not exist in shape \(2, 3\)"),
        (lambda x: x.mean(-3), IndexError, r"mean: dim=-3 does not exist in shape \(2, 3\)"),
        (lambda x: x.sum((0, -2)), ValueError, r"sum: dim=\(0, -2\) names a dimension of shape \(2, 3\) twice"),
        (lambda x: x.sum(1.0), TypeError, r"sum: \(1.0,\) must be integers"),
        (lambda x: x.amax("row"), TypeError, r"amax: .* must be integers"),
        (lambda x: x.sum(dim=0, axis=0), TypeError, r"sum: give dim or axis, not both"),
        (lambda x: x.max((0, 1)), TypeError, r"max: dim=\(0, 1\) must be one dimension.*amax takes several"),
        (lambda x: x.argmax((0, 1)), TypeError, r"argmax: dim=\(0, 1\) must be one dimension"),
        (lambda x: x.long().mean(), TypeError, r"mean: needs a floating-point tensor, got int64.*\.float\(\)"),
        (lambda x: x[:0].max(), ValueError, r"max: shape \(0, 3\) has no elements along axes \(0, 1\)"),
        (lambda x: x[:0].amax(0), ValueError, r"amax: shape \(0, 3\) has no elements along axes \(0,\)"),
        (lambda x: x[:0].argmax(0), ValueError, r"argmax: shape \(0, 3\) has no elements"),
        (lambda x: x.broadcast_to((3,)), ValueError, r"broadcast_to: shape \(2, 3\) does not fit \(3,\)"),
        (lambda x: x.broadcast_to((4, 3)), ValueError, r"shapes \(2, 3\) and \(4, 3\) cannot be broadcast"),
        (lambda x: x.broadcast_to((-1, 3)), ValueError, r"shape \(2, 3\) does not fit \(-1, 3\)"),
        (lambda x: x.expand(-1, -1, -1), ValueError, r"shape \(2, 3\) does not fit \(-1, 2, 3\)"),
        (lambda x: x.broadcast_to((2.0, 3)), TypeError, r"broadcast_to: \(2.0, 3\) must be integers"),
    ],
)
def test_refused(call: Callable[[Tensor], Tensor], error: type[Exception], message: str, device: str) -> None:
    with pytest.raises(error, match=message):
        call(minigrad.ones(2, 3))
