"""Dtypes and devices: what becomes of numbers that change them, and which dtype two operands meet in."""

import numpy as np
import pytest

import minigrad
from minigrad import Tensor

DTYPES = ["float32", "float64", "int32", "int64", "uint8", "bool"]


# --- casts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", DTYPES)
@pytest.mark.parametrize("source", DTYPES)
def test_cast(source: str, target: str, device: str) -> None:
    x = np.array([0, 1, 2, 100], "float64").astype(source)
    converted = minigrad.tensor(x).to(target)
    assert isinstance(converted, Tensor)
    assert str(converted.device) == device
    np.testing.assert_array_equal(converted.numpy(), x.astype(target), strict=True)


def test_floats_to_integers_are_cut_towards_zero(device: str) -> None:
    assert minigrad.tensor([-2.9, -0.5, 0.5, 2.9]).long().tolist() == [-2, 0, 0, 2]


def test_everything_but_zero_is_true(device: str) -> None:
    x = minigrad.tensor([0.0, -0.0, 0.1, -3.0, float("nan"), float("inf")])
    assert x.bool().tolist() == [False, False, True, True, True, True]


@pytest.mark.parametrize(
    ("convert", "dtype"),
    [
        (lambda x: x.double(), "float64"),
        (lambda x: x.long(), "int64"),
        (lambda x: x.bool(), "bool"),
        (lambda x: x.double().float(), "float32"),
        (lambda x: x.to(float), "float64"),  # Python's float has 64 bits; PyTorch reads it so too
        (lambda x: x.to(int), "int64"),
        (lambda x: x.to(bool), "bool"),
        (lambda x: x.to(np.int32), "int32"),
        (lambda x: x.to(minigrad.float64), "float64"),
        (lambda x: x.to("uint8"), "uint8"),
    ],
)
def test_names_of_dtypes(convert, dtype: str, device: str) -> None:
    assert convert(minigrad.ones(2)).dtype == dtype


def test_a_conversion_that_changes_nothing_returns_the_tensor_itself(device: str) -> None:
    x = minigrad.ones(2)
    assert x.float() is x
    assert x.to(device) is x
    assert x.to(x.device) is x


def test_integers_leave_the_graph_and_floats_do_not() -> None:
    x = minigrad.ones(2, requires_grad=True)
    assert x.double().requires_grad
    assert not x.long().requires_grad
    assert not x.bool().requires_grad


# --- devices -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (3,), (0, 2), (2, 3)])
def test_there_and_back(shape: tuple[int, ...], dtype: str, device: str) -> None:
    x = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    there = minigrad.tensor(x, device="reference").to(device)
    assert there.device.name == device
    np.testing.assert_array_equal(there.to("reference").numpy(), x, strict=True)
    np.testing.assert_array_equal(there.numpy(), x, strict=True)


def test_moving_to_another_device_copies(device: str) -> None:
    for other in {"reference", "cpu"} - {device}:
        x = minigrad.tensor([1.0, 2.0])
        y = x.to(other)
        y[0] = 100
        assert x.tolist() == [1.0, 2.0]


def test_gradients_travel_back_over_devices_and_dtypes(device: str) -> None:
    x = minigrad.tensor([1.0, 2.0], device="reference", requires_grad=True)
    y = x.to(device).double() * 3
    (y.cpu() * 2).sum().backward()
    assert x.grad.tolist() == [6.0, 6.0]
    assert x.grad.device is x.device
    assert x.grad.dtype == x.dtype


def test_clone_has_memory_of_its_own_and_passes_the_gradient(device: str) -> None:
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    y = x.clone()
    with minigrad.no_grad():
        x[0] = 100
    assert y.tolist() == [1.0, 2.0]
    (y * minigrad.tensor([3.0, 4.0])).sum().backward()
    assert x.grad.tolist() == [3.0, 4.0]


# --- the dtype that two operands meet in ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        ("float32", "int64", "float32"),
        ("float64", "int32", "float64"),
        ("float32", "bool", "float32"),
        ("int32", "int64", "int64"),
        ("uint8", "int32", "int32"),
        ("uint8", "bool", "uint8"),
        ("int64", "bool", "int64"),
        ("float32", "float64", "float64"),
        ("bool", "bool", "bool"),
    ],
)
def test_the_higher_kind_wins_and_then_the_wider(x: str, y: str, expected: str, device: str) -> None:
    operands = minigrad.ones(2, dtype=x), minigrad.ones(2, dtype=y)
    for a, b in (operands, operands[::-1]):
        assert (a + b).dtype == expected
        assert minigrad.maximum(a, b).dtype == expected
        assert (a * b).tolist() == [1, 1]
        assert (a == b).tolist() == [True, True]
        assert minigrad.where(a > 0, a, b).dtype == expected
        assert minigrad.cat([a, b]).dtype == minigrad.stack([a, b]).dtype == expected


NUMBERS = [True, 3, 0.5, np.bool_(True), np.int64(3), np.uint8(3), np.float32(0.5), np.float64(0.5)]


@pytest.mark.parametrize("number", NUMBERS, ids=repr)
@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_change_the_kind_but_never_the_precision(dtype: str, number: object, device: str) -> None:
    kinds = "buif"
    x, kind = minigrad.ones(2, dtype=dtype), np.asarray(number).dtype.kind
    expected = dtype
    if kinds.index(kind) > kinds.index(x.dtype.kind) and not (kind == "i" and x.dtype.kind == "u"):
        expected = "float32" if kind == "f" else "int64"
    for result in (x * number, number * x, minigrad.maximum(x, number)):
        assert isinstance(result, Tensor)
        assert result.dtype == expected
    assert (x * number).tolist() == [float(number)] * 2


def test_a_tensor_without_axes_counts_as_a_number(device: str) -> None:
    assert (minigrad.ones(2, dtype="int32") + minigrad.tensor(1)).dtype == minigrad.int32
    assert (minigrad.ones(2, dtype="int32") + minigrad.tensor(1.0)).dtype == minigrad.float32
    assert (minigrad.tensor(1) + minigrad.ones(2, dtype="int32")).dtype == minigrad.int32
    assert (minigrad.ones(2) * minigrad.tensor(2.0, dtype="float64")).dtype == minigrad.float32
    assert (minigrad.tensor(2.0, dtype="float64") * minigrad.tensor(2.0)).dtype == minigrad.float64


def test_gradients_of_two_precisions_come_back_in_each(device: str) -> None:
    single, double = minigrad.ones(2, requires_grad=True), minigrad.ones(2, dtype="float64", requires_grad=True)
    (single * double + minigrad.stack([single, double]).sum(0)).sum().backward()
    assert (single.grad.dtype, double.grad.dtype) == (minigrad.float32, minigrad.float64)
    assert single.grad.tolist() == double.grad.tolist() == [2.0, 2.0]


# --- refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        ("gpu", ValueError, r"device 'gpu' is not one of 'reference', 'cpu', 'opencl'"),
        (np.float16, TypeError, r"float16.* is not one of float32, float64, int32, int64, uint8, bool"),
        (complex, TypeError, r"complex.* is not one of float32"),
        (3, TypeError, r"dtype 3 is not one of float32"),
    ],
)
def test_unknown_targets(target: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        minigrad.ones(2).to(target)


JOINT = {
    "add": lambda x, y: x + y,
    "matmul": lambda x, y: x @ y,
    "where": lambda x, y: minigrad.where(x > 0, y, y),
    "cat": lambda x, y: minigrad.cat([x, y]),
}


@pytest.mark.parametrize("name", JOINT)
def test_operands_on_two_devices(name: str, device: str) -> None:
    other = "reference" if device != "reference" else "cpu"
    with pytest.raises(TypeError, match=rf"on {device}.*on {other}|on {device} and {other}"):
        JOINT[name](minigrad.ones(2), minigrad.ones(2, device=other))
