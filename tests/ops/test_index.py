"""Taking out, putting back and joining: every kind of index against NumPy's, read, written and differentiated."""

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays, basic_indices, integer_array_indices

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor

SHAPES = array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)


def counted(shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray:
    return np.arange(1, np.prod(shape) + 1, dtype=dtype).reshape(shape)


@st.composite
def shape_and_key(draw) -> tuple[tuple[int, ...], Any]:
    """A shape and an index of it: ints, slices, None and Ellipsis, or arrays of integers, or a mask."""
    shape = draw(SHAPES)
    kinds = [
        basic_indices(shape, allow_newaxis=True, max_dims=5),
        integer_array_indices(shape, result_shape=array_shapes(max_dims=2, min_side=0, max_side=3)),
        st.integers(1, len(shape)).flatmap(lambda rank: arrays(bool, shape[:rank])),
    ]
    return shape, draw(st.one_of(kinds))


MIXED = [
    (slice(None), [2, 0, 2]),
    ([1, 0], slice(None), 1),
    ([1, 0], None, slice(1, 3), [[3], [0]]),
    (..., 0, [1, 1]),
    (None, [1]),
    (np.array([True, False]), 2),
    (np.array([True, True]), slice(None), [0, 1]),
    (slice(None), np.array([True, False, True])),
    (np.array([[True, False, False], [True, True, False]]), slice(None, None, 2)),
    ([], slice(1)),
    (slice(None, None, -1), -1, slice(-2, None, -1)),
    (np.int64(1), np.uint8(2)),
    (np.array(1), slice(np.int64(1), np.int64(3))),
    [1, 0, 1],
    [[0], [1]],
    True,
    range(2),
]


def check(shape: tuple[int, ...], key: Any) -> None:
    """x[key], its gradient, and x[key] = value: all as NumPy has them."""
    x = counted(shape)
    t = minigrad.tensor(x, requires_grad=True)
    taken = t[key]
    np.testing.assert_array_equal(taken.detach().numpy(), x[key], strict=True)

    weights = counted(x[key].shape)
    taken.backward(minigrad.tensor(weights))
    expected = np.zeros_like(x)
    np.add.at(expected, key, weights)  # elements that are named twice get both
    np.testing.assert_array_equal(t.grad.numpy(), expected)

    written = minigrad.tensor(x)
    written[key] = -1.5
    x[key] = -1.5
    np.testing.assert_array_equal(written.numpy(), x)


@given(shape_and_key())
@settings(max_examples=150)
def test_any_index(device: str, shape_key: tuple[tuple[int, ...], Any]) -> None:
    check(*shape_key)


@pytest.mark.parametrize("key", MIXED, ids=str)
def test_mixed_indices(key: Any, device: str) -> None:
    check((2, 3, 4), key)


def test_tensors_as_indices(device: str) -> None:
    x = minigrad.tensor(counted((3, 4)))
    assert x[minigrad.tensor([2, 0])].tolist() == counted((3, 4))[[2, 0]].tolist()
    assert x[:, minigrad.tensor([True, False, False, True])].tolist() == counted((3, 4))[:, [0, 3]].tolist()
    assert x[x > 10].tolist() == [11.0, 12.0]
    assert x[minigrad.tensor(1), minigrad.tensor(2)].item() == 7.0


def test_an_index_may_change_after_its_use(device: str) -> None:
    rows = np.array([0, 1])
    x = minigrad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x[rows]
    rows[:] = 2
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 0.0]


@given(SHAPES, st.data())
@settings(max_examples=50)
def test_written_values_are_broadcast(device: str, shape: tuple[int, ...], data: st.DataObject) -> None:
    key = data.draw(basic_indices(shape, allow_newaxis=True, max_dims=5))
    x = counted(shape)
    sizes = tuple(data.draw(st.sampled_from([size, 1])) for size in x[key].shape)
    value = -counted(sizes[data.draw(st.integers(0, len(sizes))) :])
    written = minigrad.tensor(x)
    written[key] = minigrad.tensor(value)
    x[key] = value
    np.testing.assert_array_equal(written.numpy(), x)


@given(SHAPES, st.data())
@settings(max_examples=25)
def test_flip(device: str, shape: tuple[int, ...], data: st.DataObject) -> None:
    dims = data.draw(st.lists(st.integers(0, len(shape) - 1), unique=True))
    x, expected = counted(shape), np.flip(counted(shape), dims)
    np.testing.assert_array_equal(minigrad.tensor(x).flip(dims).numpy(), expected)
    signed = [dim - len(shape) for dim in dims]
    np.testing.assert_array_equal(minigrad.flip(minigrad.tensor(x), *signed).numpy(), expected)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 2)), max_size=3))
@settings(max_examples=25)
def test_pad(device: str, axes: list[tuple[int, int, int]]) -> None:
    x = counted(tuple(size for size, _, _ in axes))
    widths = [(before, after) for _, before, after in axes]
    expected = np.pad(x, widths) if axes else x
    flat = [width for pair in reversed(widths) for width in pair]  # F.pad counts from the last axis
    np.testing.assert_array_equal(F.pad(minigrad.tensor(x), flat).numpy(), expected, strict=True)


@given(array_shapes(min_dims=1, max_dims=3, max_side=4), st.data())
@settings(max_examples=25)
def test_gather_meets_the_first_elements_of_the_other_axes(
    device: str, shape: tuple[int, ...], data: st.DataObject
) -> None:
    dim = data.draw(st.integers(0, len(shape) - 1))
    wanted = [data.draw(st.integers(0, 3 if axis == dim else size)) for axis, size in enumerate(shape)]
    indices = data.draw(arrays("int64", tuple(wanted), elements=st.integers(0, shape[dim] - 1)))
    first = tuple([slice(None) if axis == dim else slice(size) for axis, size in enumerate(wanted)])
    np.testing.assert_array_equal(
        minigrad.gather(minigrad.tensor(counted(shape)), dim, minigrad.tensor(indices)).numpy(),
        np.take_along_axis(counted(shape)[first], indices, dim),
    )


@given(array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=7), st.integers(1, 8), st.data())
@settings(max_examples=25)
def test_pieces_make_up_the_whole(device: str, shape: tuple[int, ...], size: int, data: st.DataObject) -> None:
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = minigrad.tensor(counted(shape))
    sizes = [piece.shape[dim] for piece in x.chunk(3, dim)]
    for pieces in (x.split(size, dim), x.chunk(size, dim), x.split(sizes, dim)):
        assert minigrad.equal(minigrad.cat(pieces, dim), x)
    assert [piece.shape[dim] for piece in x.split(size, dim)][:-1] == [size] * (max(shape[dim] - 1, 0) // size)
    rows = x.unbind(dim)
    assert len(rows) == shape[dim]
    if rows:
        assert minigrad.equal(minigrad.stack(rows, dim), x)


def test_gradients_of_pieces_meet_again(device: str) -> None:
    x = minigrad.tensor(counted((2, 3)), requires_grad=True)
    (left, right), (first, second) = x.split([1, 2], 1), x.unbind()
    ((left * 10).sum() + (right * 100).sum() + (first * second).sum()).backward()
    assert x.grad.tolist() == [[14.0, 105.0, 106.0], [11.0, 102.0, 103.0]]


# --- joining -------------------------------------------------------------------------------------------------


@given(array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=3), st.data())
@settings(max_examples=50)
def test_cat_and_the_pieces_of_its_gradient(device: str, shape: tuple[int, ...], data: st.DataObject) -> None:
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    before, after = shape[: dim % len(shape)], shape[dim % len(shape) + 1 :]
    sizes = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=4))
    pieces = [counted((*before, size, *after)) for size in sizes]
    tensors = [minigrad.tensor(piece, requires_grad=True) for piece in pieces]
    joined = minigrad.cat(tensors, dim)
    expected = np.concatenate(pieces, dim)
    np.testing.assert_array_equal(joined.detach().numpy(), expected, strict=True)
    joined.backward(minigrad.tensor(counted(expected.shape)))
    gradients = np.split(counted(expected.shape), np.cumsum(sizes)[:-1], dim)
    for tensor, gradient in zip(tensors, gradients, strict=True):
        np.testing.assert_array_equal(tensor.grad.numpy(), gradient)


@pytest.mark.parametrize("dim", [-3, -2, -1, 0, 1, 2])
def test_stack(dim: int, device: str) -> None:
    pieces = [counted((2, 3)), -counted((2, 3))]
    np.testing.assert_array_equal(
        minigrad.stack([minigrad.tensor(piece) for piece in pieces], dim).numpy(), np.stack(pieces, dim)
    )


def test_scalars_are_stacked_and_rows_unpacked(device: str) -> None:
    assert minigrad.stack([minigrad.tensor(k) for k in range(3)]).tolist() == [0, 1, 2]
    first, second = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert minigrad.stack((second, first)).tolist() == [[3.0, 4.0], [1.0, 2.0]]


@pytest.mark.parametrize("dtype", ["float64", "int32", "int64", "uint8", "bool"])
def test_moving_elements_keeps_their_dtype(dtype: str, device: str) -> None:
    x = (counted((2, 3), "int64") % 2).astype(dtype)
    t = minigrad.tensor(x)
    for moved, expected in [
        (t[:, [2, 0]], x[:, [2, 0]]),
        (t[t > 0], x[x > 0]),
        (t.flip(0), x[::-1]),
        (minigrad.cat([t, t], 1), np.concatenate([x, x], 1)),
        (F.pad(t, (1, 2)), np.pad(x, [(0, 0), (1, 2)])),
        (F.pad(t, (1, 2), value=1), np.pad(x, [(0, 0), (1, 2)], constant_values=1)),
    ]:
        np.testing.assert_array_equal(moved.numpy(), expected, strict=True)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: x[2], IndexError, r"index 2 is out of bounds for axis 0 with size 2"),
        (lambda x: x[:, -4], IndexError, r"index -4 is out of bounds for axis 1 with size 3"),
        (lambda x: x[[0, 5]], IndexError, r"index 5 is out of bounds for axis 0 with size 2"),
        (lambda x: x[0, 0, 0], IndexError, r"too many indices"),
        (lambda x: x[..., 0, ...], IndexError, r"single ellipsis"),
        (lambda x: x[1.0], IndexError, r"an index must be made of integers.*got 1.0"),
        (lambda x: x["a"], IndexError, r"an index must be made of integers.*got 'a'"),
        (lambda x: x[x.detach()], IndexError, r"an index must be made of integers"),
        (lambda x: x[[True, False, True]], IndexError, r"boolean index did not match.*size of axis is 2 .* is 3"),
        (lambda x: x[[0, 1], [0, 1, 2]], IndexError, r"shape mismatch.*\(2,\) \(3,\)"),
        (lambda x: x.gather(1, x), TypeError, r"gather: indices must be a tensor of integers.*got float32"),
        (lambda x: x.gather(1, [[0]]), TypeError, r"gather: indices must be a tensor of integers.*got list"),
        (lambda x: x.gather(1, x.long() + 2), IndexError, r"gather: index 3 does not exist along dim=1 of shape"),
        (lambda x: x.gather(1, -x.long()), IndexError, r"gather: index -1 does not exist along dim=1"),
        (lambda x: x.gather(1, x.T.long()), ValueError, r"gather: index \(3, 2\) .* as many dimensions as .* \(2, 3\)"),
        (lambda x: x.narrow(1, 2, 2), IndexError, r"narrow: start=2, length=2 leads out of dim=1 of shape \(2, 3\)"),
        (lambda x: x.split(0), ValueError, r"split: split_size=0 must be positive"),
        (lambda x: x.split([1, 1], 1), ValueError, r"split: sizes \(1, 1\) must add up to the 3 of dim=1"),
        (lambda x: x.chunk(0), ValueError, r"chunk: chunks=0 must be positive"),
        (lambda x: x.masked_fill(x > 0, x), ValueError, r"masked_fill: value must be one number, got shape \(2, 3\)"),
        (lambda x: minigrad.flip(x, 2), IndexError, r"flip: dim=2 does not exist in shape \(2, 3\)"),
        (lambda x: minigrad.cat([]), ValueError, r"cat: needs at least one tensor"),
        (lambda x: minigrad.stack([]), ValueError, r"stack: needs at least one tensor"),
        (lambda x: minigrad.cat([x, x[0]]), ValueError, r"cat: tensors\[1\] has shape \(3,\), tensors\[0\] \(2, 3\)"),
        (lambda x: minigrad.cat([x, x.T]), ValueError, r"\[1\] has shape \(3, 2\).*differ only along dim=0"),
        (lambda x: minigrad.cat([x, x], 2), IndexError, r"cat: dim=2 does not exist in shape \(2, 3\)"),
        (lambda x: minigrad.stack([x, x[:1]]), ValueError, r"stack: tensors\[1\] has shape \(1, 3\)"),
    ],
)
def test_refused(call: Callable[[Tensor], Tensor], error: type[Exception], message: str, device: str) -> None:
    with pytest.raises(error, match=message):
        call(minigrad.ones(2, 3))
