"""Matrix products on the CPU: every shape, every way to lie in memory, every instruction set and number of threads."""

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import minigrad
from minigrad.backends.cpu import instruction_sets
from minigrad_ext import machine, products

SETS = [machine.INSTRUCTION_SETS.index(name) for name in instruction_sets()]
FLOATS = ["float32", "float64"]


def numbers(rng: np.random.Generator, shape: tuple[int, ...], dtype: str, special: float = 0) -> Any:
    """Small whole numbers, whose sums are exact in any order; a share of infinities and NaNs among them."""
    values = rng.integers(-4, 5, shape).astype(dtype)
    odd = rng.random(shape) < special
    values[odd] = rng.choice([np.nan, np.inf, -np.inf], np.count_nonzero(odd))
    return values


def product(x: Any, y: Any, threads: int = 1, number: int = SETS[-1]) -> Any:
    z = np.full((*x.shape[:2], y.shape[2]), 7, x.dtype)
    products.matmul(x, y, z, threads, number)
    return z


def turned(x: Any) -> Any:
    """The same matrices with their columns contiguous."""
    return np.ascontiguousarray(x.swapaxes(1, 2)).swapaxes(1, 2)


def with_gaps(x: Any) -> Any:
    wide = np.full((*x.shape[:-1], x.shape[-1] + 3), 9, x.dtype)
    wide[..., :-3] = x
    return wide[..., :-3]


@settings(max_examples=150)
@given(
    st.integers(0, 3), st.integers(0, 20) | st.integers(120, 140), st.integers(0, 40) | st.integers(250, 300),
    st.integers(0, 60), st.sampled_from([np.asarray, turned, with_gaps, lambda x: x[..., ::-1]]),
    st.sampled_from([np.asarray, turned, with_gaps]), st.sampled_from(FLOATS), st.sampled_from([0.0, 0.02]),
    st.integers(0, 2**32),
)  # fmt: skip
def test_products_of_any_shape(batch: int, rows: int, terms: int, columns: int, lay_x: Any, lay_y: Any, dtype: str,
                               special: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = numbers(rng, (batch, rows, terms), dtype, special), numbers(rng, (batch, terms, columns), dtype, special)
    x, y = lay_x(x), lay_y(y)
    with np.errstate(invalid="ignore"):
        expected = np.matmul(x, y)
    for number in SETS:
        np.testing.assert_array_equal(product(x, y, 1, number), expected)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(1, 100, 400, 120), (6, 33, 70, 50), (1, 5, 2000, 130), (1, 300, 1100, 7)])
@pytest.mark.parametrize("lay", [np.asarray, turned])
def test_the_same_bits_for_any_number_of_threads(shape: tuple[int, int, int, int], lay: Any, dtype: str) -> None:
    batch, rows, terms, columns = shape
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, rows, terms)).astype(dtype)
    y = lay(rng.standard_normal((batch, terms, columns)).astype(dtype))
    one = product(x, y)
    bound = 1e-3 if dtype == "float32" else 1e-9
    np.testing.assert_allclose(one, np.matmul(x.astype("float64"), y), rtol=0, atol=bound)
    for threads in (2, 3, 7):
        assert product(x, y, threads).tobytes() == one.tobytes()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("arrange", [lambda x: x[:, ::2], lambda x: x[:, :, ::-1], lambda x: x[::-1], turned])
def test_the_back_end_copies_what_kernels_do_not_read(arrange: Any, dtype: str) -> None:
    cpu = minigrad.get_backend("cpu")
    rng = np.random.default_rng(1)
    x, y = numbers(rng, (3, 200, 130), dtype), arrange(numbers(rng, (3, 260, 64), dtype))
    x = x if y.shape[1] == 130 else np.concatenate([x, x], 2)
    np.testing.assert_array_equal(cpu.matmul(x, y), np.matmul(x, y))
    z = np.swapaxes(numbers(rng, (130, 2, 200), dtype), 0, 1)
    np.testing.assert_array_equal(cpu.matmul(z.swapaxes(1, 2), z), np.matmul(z.swapaxes(1, 2), z))


def test_shapes_that_do_not_fit() -> None:
    x = np.ones((1, 3, 4), "float32")
    with pytest.raises(ValueError, match="do not fit"):
        product(x, np.ones((1, 3, 4), "float32"))
    with pytest.raises(ValueError, match="contiguous"):
        product(x, np.ones((1, 8, 10), "float32")[:, ::2, ::2])
