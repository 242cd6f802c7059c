"""Operations that move elements to other places: against NumPy over random shapes."""

from collections.abc import Callable
from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes

import minigrad
from minigrad import Tensor


def counted(shape: tuple[int, ...]) -> np.ndarray:
    """0, 1, 2, ...: every element another, so that none can be at the wrong place."""
    return np.arange(np.prod(shape), dtype="float32").reshape(shape)


def assert_same(found: Tensor, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(found.numpy(), expected, strict=True)


def groupings(sizes: list[int], draw: Callable) -> tuple[int, ...]:
    """`sizes` with some neighbours multiplied: a shape of as many elements."""
    cuts = sorted(draw(st.sets(st.integers(0, len(sizes)))) | {0, len(sizes)})
    return tuple(int(np.prod(sizes[start:end])) for start, end in pairwise(cuts))


@given(st.lists(st.integers(0, 3), max_size=5), st.data())
@settings(max_examples=50)
def test_reshape(device: str, sizes: list[int], data: st.DataObject) -> None:
    before, after = groupings(sizes, data.draw), groupings(sizes, data.draw)
    x = counted(before)
    assert_same(minigrad.tensor(x).reshape(after), x.reshape(after))
    assert_same(minigrad.tensor(x).reshape(*after, 1), x.reshape(*after, 1))
    if after and 0 not in after:
        axis = data.draw(st.integers(0, len(after) - 1))
        open_shape = (*after[:axis], -1, *after[axis + 1 :])
        assert_same(minigrad.tensor(x).reshape(open_shape), x.reshape(open_shape))


def test_reshape_of_what_is_not_in_row_major_order(device: str) -> None:
    x = counted((2, 3, 4))
    assert_same(minigrad.tensor(x).permute(2, 0, 1).reshape(4, 6), x.transpose(2, 0, 1).reshape(4, 6))
    assert_same(minigrad.tensor(x)[:, ::-2].reshape(-1), x[:, ::-2].reshape(-1))
    assert_same(minigrad.tensor(x[:1]).expand(5, 3, 4).reshape(-1), np.broadcast_to(x[:1], (5, 3, 4)).reshape(-1))


@given(array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=3), st.data())
@settings(max_examples=50)
def test_permute_and_what_follows_it(device: str, shape: tuple[int, ...], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(shape))))
    signed = tuple(axis - len(shape) if data.draw(st.booleans()) else axis for axis in order)
    x = counted(shape)
    moved = minigrad.tensor(x).permute(signed)
    assert_same(moved, x.transpose(order))
    assert_same(moved + moved, 2 * x.transpose(order))  # other operations read it in its new order
    assert_same(moved.permute(*np.argsort(order)), x)


@given(array_shapes(min_dims=2, max_dims=4, max_side=3), st.data())
@settings(max_examples=25)
def test_transpose(device: str, shape: tuple[int, ...], data: st.DataObject) -> None:
    a, b = (data.draw(st.integers(-len(shape), len(shape) - 1)) for _ in range(2))
    x = counted(shape)
    assert_same(minigrad.tensor(x).transpose(a, b), np.swapaxes(x, a, b))
    assert_same(minigrad.tensor(x).mT, np.swapaxes(x, -1, -2))


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_T(shape: tuple[int, ...], device: str) -> None:  # noqa: N802
    assert_same(minigrad.tensor(counted(shape)).T, counted(shape).T)


@pytest.mark.parametrize(
    ("shape", "arguments", "expected"),
    [
        ((2, 3, 4), (), (24,)),
        ((2, 3, 4), (1,), (2, 12)),
        ((2, 3, 4), (0, 1), (6, 4)),
        ((2, 3, 4), (-2, -1), (2, 12)),
        ((2, 3, 4), (1, 1), (2, 3, 4)),
        ((2, 0, 4), (1,), (2, 0)),
        ((), (), (1,)),
    ],
)
def test_flatten(shape: tuple[int, ...], arguments: tuple, expected: tuple[int, ...], device: str) -> None:
    assert_same(minigrad.tensor(counted(shape)).flatten(*arguments), counted(shape).reshape(expected))


@pytest.mark.parametrize(
    ("shape", "dim", "expected"),
    [
        ((1, 2, 1, 3), None, (2, 3)),
        ((1, 2, 1, 3), 0, (2, 1, 3)),
        ((1, 2, 1, 3), -2, (1, 2, 3)),
        ((1, 2, 1, 3), 1, (1, 2, 1, 3)),  # not of size 1: stays, as in PyTorch
        ((1, 1), None, ()),
        ((1, 0), 0, (0,)),
        ((), None, ()),
    ],
)
def test_squeeze(shape: tuple[int, ...], dim: int | None, expected: tuple[int, ...], device: str) -> None:
    assert_same(minigrad.tensor(counted(shape)).squeeze(dim), counted(shape).reshape(expected))


@pytest.mark.parametrize("dim", [-4, -3, -2, -1, 0, 1, 2, 3])
def test_unsqueeze(dim: int, device: str) -> None:
    x = counted((2, 3, 4))
    assert_same(minigrad.tensor(x).unsqueeze(dim), np.expand_dims(x, dim))
    assert minigrad.tensor(1.0).unsqueeze(0).shape == (1,)


def test_sizes_and_axes_may_be_numpys_integers(device: str) -> None:
    x, two, one = minigrad.tensor(counted((2, 3))), np.int64(2), np.uint8(1)
    assert x.reshape(np.int32(6)).shape == (6,)
    assert x.reshape(np.array([3, 2])).shape == (3, 2)
    assert x.permute(one, np.int64(0)).shape == (3, 2)
    assert x.unsqueeze(two).transpose(np.int64(0), two).shape == (1, 3, 2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: x.reshape(4, 2), ValueError, r"shape \(2, 3\) has 6 elements, \(4, 2\) has 8"),
        (lambda x: x.reshape(4, -1), ValueError, r"cannot infer the size -1 in \(4, -1\) for shape \(2, 3\)"),
        (lambda x: x.reshape(-1, -1), ValueError, r"cannot infer the size -1 in \(-1, -1\)"),
        (lambda x: x[:0].reshape(0, -1), ValueError, r"cannot infer the size -1 in \(0, -1\)"),
        (lambda x: x.reshape(-2, -3), ValueError, r"shape \(2, 3\) has 6 elements, \(-2, -3\)"),
        (lambda x: x.reshape(2.0, 3), TypeError, r"reshape: \(2.0, 3\) must be integers"),
        (lambda x: x.reshape(None), TypeError, r"reshape: \(None,\) must be integers"),
        (lambda x: x.reshape(x), TypeError, r"reshape: .* must be integers"),
        (lambda x: x.permute(0), ValueError, r"permute: dims=\(0,\) must name every dimension of shape \(2, 3\) once"),
        (lambda x: x.permute(0, 0), ValueError, r"permute: dim=\(0, 0\) names a dimension of shape \(2, 3\) twice"),
        (lambda x: x.permute(0, 2), IndexError, r"permute: dim=2 does not exist in shape \(2, 3\)"),
        (lambda x: x.transpose(0, -3), IndexError, r"transpose: dim=-3 does not exist in shape \(2, 3\)"),
        (lambda x: x.flatten(1, 0), ValueError, r"flatten: start_dim=1 comes after end_dim=0"),
        (lambda x: x.squeeze(2), IndexError, r"squeeze: dim=2 does not exist"),
        (lambda x: x.squeeze((0, 0)), ValueError, r"squeeze: dim=\(0, 0\) names a dimension .* twice"),
        (lambda x: x.repeat(2), ValueError, r"repeat: \(2,\) must have a number for each dimension of shape \(2, 3\)"),
        (lambda x: x.repeat(2, -1), ValueError, r"repeat: shape \(2, -1\) must not have negative sizes"),
        (lambda x: x.unsqueeze(4), IndexError, r"unsqueeze: dim=4 does not exist"),
        (lambda x: x.unsqueeze(0).T, ValueError, r"\.T is for matrices, this tensor has shape \(1, 2, 3\); use \.mT"),
    ],
)
def test_refused(call: Callable[[Tensor], Tensor], error: type[Exception], message: str, device: str) -> None:
    with pytest.raises(error, match=message):
        call(minigrad.ones(2, 3))
