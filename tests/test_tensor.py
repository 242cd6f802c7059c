"""Tensor: what it tells about itself, what it becomes in Python and NumPy, and how it compares."""

import copy
import pickle

import numpy as np
import pytest

import minigrad
from minigrad import Tensor, nn


def shown(device: str) -> str:
    """The part of a repr that names the device: nothing on the CPU."""
    return "" if device == "cpu" else f", device='{device}'"


# --- what it is ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3, 4)])
def test_shape_and_size(shape: tuple[int, ...], device: str) -> None:
    x = minigrad.zeros(shape)
    assert x.shape == x.size() == shape
    assert x.ndim == x.dim() == len(shape)
    assert x.numel() == np.prod(shape)
    assert [x.size(k) for k in range(len(shape))] == list(shape)
    if shape:
        assert x.size(-1) == shape[-1]
        assert len(x) == shape[0]


def test_dtype_and_device(device: str) -> None:
    x = minigrad.zeros(2, dtype="int32")
    assert x.dtype is minigrad.int32
    assert x.dtype == np.int32
    assert str(x.dtype) == "int32"
    assert not x.is_floating_point()
    assert x.float().is_floating_point()
    assert x.device.name == str(x.device) == device
    assert x.device is minigrad.get_backend(device)


def test_leaves_and_results(device: str) -> None:
    x = minigrad.ones(2, requires_grad=True)
    y = x * 2
    assert (x.is_leaf, x.requires_grad, x.grad) == (True, True, None)
    assert (y.is_leaf, y.requires_grad) == (False, True)
    assert (y.detach().is_leaf, y.detach().requires_grad) == (True, False)
    with minigrad.no_grad():
        assert (x * 2).is_leaf


def test_requires_grad_is_for_floating_point_leaves(device: str) -> None:
    x = minigrad.ones(2)
    assert x.requires_grad_() is x
    assert x.requires_grad
    assert not x.requires_grad_(False).requires_grad
    with pytest.raises(TypeError, match=r"only floating-point tensors.*this one is int64.*\.float\(\)"):
        minigrad.ones(2, dtype="int64").requires_grad_()
    with pytest.raises(RuntimeError, match=r"result of an operation; use detach\(\)"):
        (x.requires_grad_() * 2).requires_grad_(False)


# --- to Python -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "kind"), [(1.5, float), (np.float64(0.1), float), (3, int), (True, bool), ([[2.0]], float)]
)
def test_item(data: object, kind: type, device: str) -> None:
    number = minigrad.tensor(data).item()
    assert type(number) is kind
    assert number == np.asarray(data).item()


def test_tolist(device: str) -> None:
    assert minigrad.tensor([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]
    assert minigrad.tensor(0.5).tolist() == 0.5
    assert minigrad.zeros(2, 0).tolist() == [[], []]


def test_numbers(device: str) -> None:
    x = minigrad.tensor([2.75], requires_grad=True)
    assert float(x) == 2.75
    assert int(x) == 2
    assert f"{x:.1f}" == "2.8"
    assert bool(x)
    assert not minigrad.tensor(0.0)
    assert not minigrad.tensor([[False]])
    assert minigrad.tensor(float("nan"))


def test_integers_as_indices(device: str) -> None:
    two = minigrad.tensor(2)
    assert "abc"[two] == "c"
    assert list(range(two)) == [0, 1]
    assert minigrad.arange(5)[two:].tolist() == [2, 3, 4]
    assert minigrad.zeros(two, 3).shape == (2, 3)
    assert minigrad.zeros(two).reshape(1, two).sum(two - 2).shape == (2,)


def test_iteration_and_unpacking(device: str) -> None:
    x = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    first, second = x
    assert first.tolist() == [1.0, 2.0]
    (second * second).sum().backward()
    assert x.grad.tolist() == [[0.0, 0.0], [6.0, 8.0]]
    assert sum(minigrad.arange(4)).item() == 6
    assert list(minigrad.zeros(0)) == []


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: x.item(), ValueError, r"item\(\) needs .* one element, .* shape \(2, 1\); use tolist"),
        (lambda x: float(x), ValueError, r"one element, this one has shape \(2, 1\)"),
        (lambda x: bool(x), ValueError, r"truth of a tensor of shape \(2, 1\) is ambiguous"),
        (lambda x: bool(x[:0]), ValueError, r"truth of a tensor of shape \(0, 1\) is ambiguous"),
        (lambda x: len(x[0, 0]), TypeError, r"len\(\) of a tensor without dimensions"),
        (lambda x: list(x[0, 0]), TypeError, r"tensor without dimensions"),
        (lambda x: "abc"[x[0, 0]], TypeError, r"only an integer tensor of one element is an index, .* float32 \(\)"),
        (lambda x: "abc"[x.long()], TypeError, r"only an integer tensor of one element is an index, .* int64 \(2, 1\)"),
        (lambda x: x.numpy(), RuntimeError, r"requires grad.*x\.detach\(\)\.numpy\(\)"),
        (lambda x: np.asarray(x), RuntimeError, r"requires grad.*x\.detach\(\)\.numpy\(\)"),
    ],
)
def test_conversions_that_have_no_answer(call, error: type[Exception], message: str, device: str) -> None:
    with pytest.raises(error, match=message):
        call(minigrad.ones(2, 1, requires_grad=True))


# --- repr ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: minigrad.tensor([1.0, 2.5]), "tensor([1.0000, 2.5000]{})"),
        (lambda: minigrad.tensor(3.0), "tensor(3.{})"),
        (lambda: minigrad.tensor(7), "tensor(7{})"),
        (lambda: minigrad.tensor([True, False]), "tensor([ True, False]{})"),
        (lambda: minigrad.tensor([[1, 2], [3, 4]]), "tensor([[1, 2],\n        [3, 4]]{})"),
        (lambda: minigrad.tensor([1 / 3, -2 / 3]), "tensor([ 0.3333, -0.6667]{})"),
        (lambda: minigrad.tensor([1e-8]), "tensor([1.0000e-08]{})"),  # not 0.
        (lambda: minigrad.tensor([float("nan"), float("inf"), 1.0]), "tensor([nan, inf, 1.]{})"),
        (lambda: minigrad.tensor([]), "tensor([]{})"),
        (lambda: minigrad.zeros(0, 3), "tensor([]{}, size=(0, 3))"),
        (lambda: minigrad.tensor([1.0], dtype="float64"), "tensor([1.]{}, dtype=float64)"),
        (lambda: minigrad.tensor([1], dtype="uint8"), "tensor([1]{}, dtype=uint8)"),
        (lambda: minigrad.ones(2, requires_grad=True), "tensor([1., 1.]{}, requires_grad=True)"),
        (lambda: minigrad.ones(2, requires_grad=True) * 2, "tensor([2., 2.]{}, creator=<Mul>)"),
        (lambda: minigrad.tensor([], dtype="int64"), "tensor([]{}, dtype=int64)"),
        (lambda: minigrad.arange(2000), "tensor([   0,    1,    2,  ..., 1997, 1998, 1999]{})"),
    ],
)
def test_repr(make, expected: str, device: str) -> None:
    assert repr(make()) == expected.format(shown(device))


# --- NumPy ---------------------------------------------------------------------------------------------------


def test_numpy_shares_memory_where_the_device_is_the_host(device: str) -> None:
    x = minigrad.tensor([1.0, 2.0])
    array = x.numpy()
    assert isinstance(array, np.ndarray)
    array[0] = 100
    assert x.tolist() == ([1.0, 2.0] if device == "opencl" else [100.0, 2.0])


def test_numpy_of_a_graph_by_force_or_detached(device: str) -> None:
    x = minigrad.ones(2, requires_grad=True) * 3
    np.testing.assert_array_equal(x.numpy(force=True), [3, 3])
    np.testing.assert_array_equal(x.detach().numpy(), [3, 3])


def test_numpy_functions_take_tensors(device: str) -> None:
    x = minigrad.tensor([1.0, 4.0])
    assert type(np.sqrt(x)) is np.ndarray
    np.testing.assert_array_equal(np.sqrt(x), [1, 2])
    np.testing.assert_array_equal(np.asarray(x, dtype=np.float64), [1.0, 4.0], strict=True)
    assert np.array(x).dtype == np.float32


LEFT = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
    "**": lambda x, y: x**y,
    "==": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
}
VALUES = np.array([1.0, 2.0, 3.0], np.float32)
OPERANDS = [VALUES, np.array(2, np.float32), np.float32(2), np.float64(2), np.int64(2), 2, 2.0]


@pytest.mark.parametrize("left", OPERANDS, ids=repr)
@pytest.mark.parametrize("symbol", LEFT)
def test_numpy_and_python_on_the_left_give_tensors(symbol: str, left: object, device: str) -> None:
    found = LEFT[symbol](left, minigrad.tensor(VALUES))
    assert isinstance(found, Tensor)
    assert found.device.name == device
    expected = LEFT[symbol](np.asarray(left, np.float32), VALUES)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6, strict=True)


def test_gradients_flow_past_arrays_on_the_left(device: str) -> None:
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    (np.array([3.0, 4.0], np.float32) * x).sum().backward()
    assert x.grad.tolist() == [3.0, 4.0]


def test_an_array_takes_in_a_tensor(device: str) -> None:
    array = np.array([1.0, 2.0], np.float32)
    array[0] = minigrad.tensor(7.0)
    array[...] += minigrad.tensor([1.0, 1.0])
    assert array.tolist() == [8.0, 3.0]
    with pytest.raises(RuntimeError, match=r"x\.detach\(\)\.numpy\(\)"):
        array[...] += minigrad.ones(2, requires_grad=True)


def test_an_array_plus_equals_a_tensor_is_a_new_tensor(device: str) -> None:
    """As with array + x; NumPy leaves the operator to the tensor, which does not write arrays."""
    array = before = np.array([1.0, 2.0], np.float32)
    array += minigrad.tensor([1.0, 1.0])
    assert isinstance(array, Tensor)
    assert array.tolist() == [2.0, 3.0]
    assert before.tolist() == [1.0, 2.0]


def test_array_copies_as_numpy_asks_for(device: str) -> None:
    x = minigrad.tensor([1.0, 2.0])
    assert np.array(x, copy=True) is not x.numpy()
    assert not np.shares_memory(np.array(x), x.numpy())
    with pytest.raises(ValueError, match="copy"):
        np.asarray(x, np.float64, copy=False)
    if device == "opencl":
        with pytest.raises(ValueError, match="a NumPy array cannot share memory on opencl; leave out copy=False"):
            np.asarray(x, copy=False)
    else:
        assert np.shares_memory(np.asarray(x, copy=False), x.numpy())


def test_an_array_may_change_after_it_was_an_operand(device: str) -> None:
    x, array = minigrad.tensor([1.0, 2.0], requires_grad=True), np.array([3.0, 4.0], np.float32)
    y = (x * array).sum()
    array[:] = 100
    y.backward()
    assert x.grad.tolist() == [3.0, 4.0]


# --- DLPack --------------------------------------------------------------------------------------------------


def test_numpy_takes_our_memory_by_dlpack(device: str) -> None:
    x = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    if device == "opencl":
        for take in (np.from_dlpack, minigrad.from_dlpack):
            with pytest.raises(BufferError, match=r"DLPack: memory on opencl is not shared.*pass x\.cpu\(\)"):
                take(x)
        x = x.cpu()
    array, y = np.from_dlpack(x.T), minigrad.from_dlpack(x)
    assert x.__dlpack_device__() == (1, 0)
    x[0, 1] = 10
    assert array.tolist() == [[1.0, 3.0], [10.0, 4.0]]
    y[0, 0] = 20
    assert x.tolist() == [[20.0, 10.0], [3.0, 4.0]]
    for shared in (x.requires_grad_(), x * 2):
        with pytest.raises(BufferError, match=r"would leave the graph; pass x\.detach\(\)"):
            np.from_dlpack(shared)


def test_views_that_go_backwards_are_not_shared_by_dlpack() -> None:
    with pytest.raises(BufferError, match=r"goes backwards.*x\.clone\(\)"):
        np.from_dlpack(minigrad.arange(3, device="cpu")[::-1])


def test_we_take_the_memory_of_numpy_by_dlpack() -> None:
    array = np.arange(6.0).reshape(2, 3)
    x = minigrad.from_dlpack(array.T[::2])
    assert (x.tolist(), x.dtype, x.device.name) == ([[0.0, 3.0], [2.0, 5.0]], "float64", "cpu")
    array[0, 0] = 10
    x[1, 1] = 20
    assert x.tolist() == [[10.0, 3.0], [2.0, 20.0]]
    assert array[1, 2] == 20
    array.flags.writeable = False
    with pytest.raises(RuntimeError, match=r"read-only.*x\.clone\(\)"):
        minigrad.from_dlpack(array).zero_()
    assert minigrad.from_dlpack(np.array([True, False])).tolist() == [True, False]


def test_what_dlpack_cannot_give() -> None:
    class OnGraphicsCard:
        def __dlpack__(self) -> None: ...
        def __dlpack_device__(self) -> tuple[int, int]:
            return 2, 0

    with pytest.raises(BufferError, match=r"DLPack's type 2; copy it to the host first"):
        minigrad.from_dlpack(OnGraphicsCard())
    with pytest.raises(TypeError, match=r"from_dlpack: needs an array with __dlpack__, got list"):
        minigrad.from_dlpack([1.0])
    with pytest.raises(TypeError, match=r"float16 cannot be a tensor.*astype"):
        minigrad.from_dlpack(np.ones(2, np.float16))


# --- comparing -----------------------------------------------------------------------------------------------


def test_comparison_is_elementwise_with_numbers_and_false_with_anything_else(device: str) -> None:
    x = minigrad.tensor([1.0, 2.0])
    assert (x == 1).tolist() == [True, False]
    assert (x != np.ones(2, np.float32)).tolist() == [False, True]
    for other in (None, "a", [1.0, 2.0], object()):
        assert (x == other) is False
        assert (x != other) is True
    assert (x.grad == None) is True  # noqa: E711


def test_hashed_by_identity(device: str) -> None:
    x, y = minigrad.ones(2), minigrad.ones(2)
    names = {x: "x", y: "y"}
    assert names[x] == "x"
    assert names[y] == "y"
    assert len({x, y, x}) == 2
    assert x in {x}
    assert x.detach() not in {x}


# --- copy.deepcopy and pickle --------------------------------------------------------------------------------


DUPLICATE = {"deepcopy": copy.deepcopy, "pickle": lambda x: pickle.loads(pickle.dumps(x))}


@pytest.mark.parametrize("how", DUPLICATE)
def test_deepcopy_and_pickle(how: str, device: str) -> None:
    duplicate = DUPLICATE[how]
    layer = nn.Linear(2, 1)
    layer(minigrad.ones(1, 2)).sum().backward()
    layer.tied = layer.weight
    twin = duplicate(layer)
    assert twin.weight.tolist() == layer.weight.tolist()
    assert twin.weight.grad.tolist() == [[1.0, 1.0]]
    assert twin.weight.device is layer.weight.device
    assert isinstance(twin.weight, nn.Parameter)
    assert twin.tied is twin.weight
    before = layer.weight.tolist()
    with minigrad.no_grad():
        twin.weight.zero_()
    twin.weight.grad.zero_()
    assert layer.weight.tolist() == before
    assert layer.weight.grad.tolist() == [[1.0, 1.0]]
    with pytest.raises(RuntimeError, match=r"for leaves.*x\.detach\(\)"):
        duplicate(layer.weight * 2)


@pytest.mark.parametrize("how", DUPLICATE)
def test_copies_have_memory_of_their_own_and_no_hooks(how: str, device: str) -> None:
    x = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    whole, row, column = DUPLICATE[how]([x, x[0], x.T[1]])
    assert [whole.tolist(), row.tolist(), column.tolist()] == [[[1.0, 2.0], [3.0, 4.0]], [1.0, 2.0], [2.0, 4.0]]
    row[0] = 10
    assert x[0, 0].item() == whole[0, 0].item() == 1.0
    x.requires_grad_().register_hook(lambda gradient: gradient * 100)
    twin = DUPLICATE[how](x)
    (twin * 2).sum().backward()
    assert twin.grad.tolist() == [[2.0, 2.0], [2.0, 2.0]]
    assert x.grad is None


@pytest.mark.parametrize("how", [*DUPLICATE, "copy"])
def test_a_copied_device_is_the_device(how: str, device: str) -> None:
    backend = minigrad.get_backend(device)
    assert (DUPLICATE | {"copy": copy.copy})[how](backend) is backend


def test_shallow_copies_share_memory_and_its_version(device: str) -> None:
    x = nn.Parameter(minigrad.tensor([1.0, 2.0]))
    twin = copy.copy(x)
    assert isinstance(twin, nn.Parameter)
    assert (twin.requires_grad, twin.grad) == (True, None)
    y = (x * x).sum()
    with minigrad.no_grad():
        twin[0] = 10
    assert x.tolist() == [10.0, 2.0]
    with pytest.raises(RuntimeError, match="written in place"):
        y.backward()
    with pytest.raises(RuntimeError, match=r"copy\.copy: only for leaves.*x\.detach\(\)"):
        copy.copy(x * 2)


# --- views and copies ----------------------------------------------------------------------------------------

SAME_ORDER = {  # every element keeps its place: all devices share the memory
    "all of it": lambda x: x[:],
    "new axis": lambda x: x[None],
    "reshape": lambda x: x.reshape(6),
    "view": lambda x: x.view(3, 2),
    "flatten": lambda x: x.flatten(),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "detach": lambda x: x.detach(),
    "data": lambda x: x.data,
}
REORDERED = {
    "slice": lambda x: x[1:],
    "row": lambda x: x[1],
    "row, by NumPy's integer": lambda x: x[np.int64(1)],
    "row, by a tensor": lambda x: x[minigrad.tensor(1)],
    "step": lambda x: x[:, ::-2],
    "transpose": lambda x: x.transpose(0, 1),
    "T": lambda x: x.T,
    "permute": lambda x: x.permute(1, 0),
    "view of a slice": lambda x: x[1:].view(-1),
    "narrow": lambda x: x.narrow(0, 1, 1),
    "select": lambda x: x.select(0, 1),
    "split": lambda x: x.split([1, 2], dim=1)[0],
    "chunk": lambda x: x.chunk(2)[1],
    "unbind": lambda x: x.unbind(1)[0],
}
COPIES = {
    "clone": lambda x: x.clone(),
    "tensor": lambda x: minigrad.tensor(x),
    "index": lambda x: x[[1, 0]],
    "mask": lambda x: x[x > 2],
    "arithmetic": lambda x: x + 0,
    "cast": lambda x: x.double(),
    "cat of one": lambda x: minigrad.cat([x]),
    "sum over nothing": lambda x: x[None].sum(0),
    "to, copy": lambda x: x.to(x.dtype, copy=True),
    "repeat": lambda x: x.repeat(1, 1),
    "flip": lambda x: x.flip(0),
    "pad by nothing": lambda x: nn.functional.pad(x, (0, 0)),
    "interpolate to the same": lambda x: nn.functional.interpolate(x[None], 3),
    "pool to the same": lambda x: nn.functional.adaptive_avg_pool2d(x[None], (2, 3)),
    "gather": lambda x: x.gather(0, minigrad.tensor([[0, 1, 0]])),
    "masked_fill": lambda x: x.masked_fill(x < 0, 1),
}


@pytest.mark.parametrize("name", [*SAME_ORDER, *REORDERED])
def test_views_share_memory(name: str, device: str) -> None:
    x = minigrad.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    view = (SAME_ORDER | REORDERED)[name](x)
    view[...] = 0
    assert x[1, 0].item() == 0
    x[...] = 7
    assert set(view.flatten().tolist()) == {7.0}


@pytest.mark.parametrize("name", COPIES)
def test_copies_do_not(name: str, device: str) -> None:
    x = minigrad.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    copy = COPIES[name](x)
    before = copy.tolist()
    x[...] = 0
    assert copy.tolist() == before
    copy[...] = 1
    assert set(x.flatten().tolist()) == {0.0}


def test_view_refuses_what_only_a_copy_can_do(device: str) -> None:
    x = minigrad.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    with pytest.raises(RuntimeError, match=r"view: .* shape \(3, 2\) .* \(6,\) needs a copy; write reshape"):
        x.T.view(6)
    assert x.T.reshape(6).tolist() == [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]
    with pytest.raises(TypeError, match=r"view: bytes cannot be read as another dtype; \.to\('int64'\) converts"):
        x.view(minigrad.int64)
