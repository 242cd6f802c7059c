"""Making tensors: values, dtypes, memory, devices and seeds."""

from collections.abc import Callable

import numpy as np
import pytest

import minigrad
from minigrad import Tensor

# --- from data -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "dtype", "values"),
    [
        (2, "int64", 2),
        (2.5, "float32", 2.5),
        (True, "bool", True),
        ([], "float32", []),
        ([1, 2], "int64", [1, 2]),
        ([1, 2.5], "float32", [1.0, 2.5]),
        ([True, 2], "int64", [1, 2]),
        ([[True], [False]], "bool", [[True], [False]]),
        (((1.0, 2.0), [3, 4]), "float32", [[1.0, 2.0], [3.0, 4.0]]),
        (range(3), "int64", [0, 1, 2]),
        (np.float64(0.5), "float64", 0.5),
        (np.int32(3), "int32", 3),
        (np.array([1.5]), "float64", [1.5]),
        (np.array([1.5], np.float32), "float32", [1.5]),
        (np.array([1, 2], np.uint8), "uint8", [1, 2]),
        (np.array([1.5, -2], ">f4"), "float32", [1.5, -2.0]),  # foreign byte order
        (np.array([1, 2], ">i8"), "int64", [1, 2]),
        (1e300, "float32", float("inf")),
    ],
)
def test_tensor(data: object, dtype: str, values: object, device: str) -> None:
    t = minigrad.tensor(data)
    assert t.dtype == dtype
    assert t.dtype.isnative
    assert t.tolist() == values
    assert t.device.name == device
    assert t.is_leaf
    assert not t.requires_grad


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint8", "bool"])
def test_tensor_of_a_given_dtype(dtype: str, device: str) -> None:
    for data in ([1, 0], [1.0, 0.0], np.array([1, 0], np.float16), np.array([1, 0], np.int16)):
        t = minigrad.tensor(data, dtype=dtype)
        assert t.dtype == dtype
        assert t.tolist() == [1, 0]


def test_tensor_of_tensors(device: str) -> None:
    assert minigrad.tensor([minigrad.tensor(1.0), minigrad.tensor(2.0)]).tolist() == [1.0, 2.0]
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    copy = minigrad.tensor(x)
    copy[0] = 100
    assert x.tolist() == [1.0, 2.0]
    assert not copy.requires_grad


ARRAYS: dict[str, Callable[[], np.ndarray]] = {
    "contiguous": lambda: np.arange(12.0).reshape(3, 4),
    "transposed": lambda: np.arange(12.0).reshape(4, 3).T,
    "reversed": lambda: np.arange(12.0).reshape(3, 4)[::-1, ::-1],
    "strided": lambda: np.arange(48.0).reshape(6, 8)[::2, 1::2],
    "broadcast": lambda: np.broadcast_to(np.arange(4.0), (3, 4)),
    "unaligned": lambda: np.frombuffer(bytes(1) + np.arange(12.0).tobytes(), np.uint8)[1:].view(float).reshape(3, 4),
    "foreign byte order": lambda: np.arange(12.0).reshape(3, 4).astype(">f8"),
    "empty": lambda: np.zeros((0, 4)),
    "without axes": lambda: np.array(3.0),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_tensor_copies_whatever_the_layout(name: str, device: str) -> None:
    array = ARRAYS[name]()
    t = minigrad.tensor(array)
    before = array.tolist()
    assert t.tolist() == before
    assert (t * 2 + 1).tolist() == (array * 2 + 1).tolist()
    t[...] = -1  # the copy may be written even where the array is read-only
    assert array.tolist() == before


@pytest.mark.parametrize("name", [name for name in ARRAYS if name != "foreign byte order"])
def test_from_numpy_shares_whatever_the_layout(name: str) -> None:
    array = ARRAYS[name]()
    t = minigrad.from_numpy(array)
    assert t.tolist() == array.tolist()
    assert (t * 2 + 1).tolist() == (array * 2 + 1).tolist()
    if array.flags.writeable:
        array[...] = 7
        assert t.tolist() == array.tolist()
        t[...] = 8
        assert array.tolist() == t.tolist()
    else:
        with pytest.raises(RuntimeError, match=r"read-only.*x\.clone\(\)"):
            t[...] = 8


# --- of one value, of a pattern ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "dtype", "values"),
    [
        (lambda: minigrad.zeros(2, 3), "float32", [[0.0] * 3] * 2),
        (lambda: minigrad.zeros((2, 1)), "float32", [[0.0], [0.0]]),
        (lambda: minigrad.zeros([2]), "float32", [0.0, 0.0]),
        (lambda: minigrad.zeros(), "float32", 0.0),
        (lambda: minigrad.zeros(0, 3), "float32", []),
        (lambda: minigrad.zeros(np.int64(2), dtype="int32"), "int32", [0, 0]),
        (lambda: minigrad.ones(2, dtype="float64"), "float64", [1.0, 1.0]),
        (lambda: minigrad.ones((1, 2), dtype=bool), "bool", [[True, True]]),
        (lambda: minigrad.full((2,), 3), "int64", [3, 3]),
        (lambda: minigrad.full((2,), 0.5), "float32", [0.5, 0.5]),
        (lambda: minigrad.full((2,), True), "bool", [True, True]),
        (lambda: minigrad.full((), 2.5, dtype="int64"), "int64", 2),
        (lambda: minigrad.full((1,), 1e300), "float32", [float("inf")]),
        (lambda: minigrad.arange(3), "int64", [0, 1, 2]),
        (lambda: minigrad.arange(1, 7, 2), "int64", [1, 3, 5]),
        (lambda: minigrad.arange(3, 0, -1), "int64", [3, 2, 1]),
        (lambda: minigrad.arange(3.0), "float32", [0.0, 1.0, 2.0]),
        (lambda: minigrad.arange(0, 1, np.float32(0.25)), "float32", [0.0, 0.25, 0.5, 0.75]),
        (lambda: minigrad.arange(2, dtype="float64"), "float64", [0.0, 1.0]),
        (lambda: minigrad.eye(2), "float32", [[1.0, 0.0], [0.0, 1.0]]),
        (lambda: minigrad.eye(2, 3, dtype="int64"), "int64", [[1, 0, 0], [0, 1, 0]]),
    ],
)
def test_values(made: Callable[[], Tensor], dtype: str, values: object, device: str) -> None:
    t = made()
    assert t.dtype == dtype
    assert t.tolist() == values
    assert t.device.name == device
    t[...] = 1  # not the read-only memory of something else
    assert t.tolist() == np.ones_like(values).tolist()


@pytest.mark.parametrize("make", [minigrad.zeros, minigrad.ones, minigrad.rand, minigrad.randn])
def test_device_dtype_and_requires_grad(make: Callable[..., Tensor], device: str) -> None:
    minigrad.set_default_device("reference")
    t = make(2, dtype="float64", device=device, requires_grad=True)
    assert (t.device.name, t.dtype, t.requires_grad) == (device, minigrad.float64, True)


@pytest.mark.parametrize("dtype", ["float64", "int32", "bool"])
def test_like_another(dtype: str, device: str) -> None:
    x = minigrad.ones(2, 3, dtype=dtype)
    minigrad.set_default_device("reference")  # the new ones live where x does, not where others would
    for t, value in [
        (minigrad.zeros_like(x), 0),
        (minigrad.ones_like(x), 1),
        (x.new_zeros((2, 3)), 0),
        (x.new_zeros(2, 3), 0),
        (x.new_ones((2, 3)), 1),
        (x.new_ones(2, 3), 1),
        (x.new_full((2, 3), 1), 1),
    ]:
        assert (t.shape, t.dtype, t.device) == (x.shape, x.dtype, x.device)
        assert t.tolist() == [[value] * 3] * 2


def test_the_like_family_takes_other_dtypes_and_devices(device: str) -> None:
    x = minigrad.ones(2, 3, dtype="int32", device="reference")
    makers = [
        minigrad.zeros_like, minigrad.ones_like, minigrad.empty_like, minigrad.rand_like, minigrad.randn_like,
        lambda x, **options: minigrad.full_like(x, 2, **options),
        lambda x, **options: minigrad.randint_like(x, 5, **options),
        lambda x, **options: x.new_zeros(x.shape, **options),
        lambda x, **options: x.new_ones(*x.shape, **options),
        lambda x, **options: x.new_full(x.shape, 3, **options),
        lambda x, **options: x.new_empty(x.shape, **options),
    ]  # fmt: skip
    for make in makers:
        t = make(x, dtype="float64", device=device, requires_grad=True)
        assert (t.shape, t.dtype, t.device.name, t.requires_grad) == ((2, 3), "float64", device, True)


def test_as_tensor_copies_only_where_it_must(device: str) -> None:
    array = np.array([1.0, 2.0])
    t = minigrad.as_tensor(array)
    assert (t.dtype, t.device.name) == ("float64", device)
    array[0] = 10
    assert t.tolist() == ([1.0, 2.0] if device == "opencl" else [10.0, 2.0])
    assert minigrad.as_tensor(array, dtype="float32").tolist() == [10.0, 2.0]
    x = minigrad.ones(2, requires_grad=True)
    assert minigrad.as_tensor(x) is x
    assert minigrad.as_tensor(x, dtype="float32", device=device) is x
    minigrad.as_tensor(x, dtype="float64", device="reference").sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]
    assert minigrad.as_tensor([1, 2.5]).tolist() == [1.0, 2.5]


def test_a_tensor_of_a_tensor_stays_on_its_device(device: str) -> None:
    assert minigrad.tensor(minigrad.ones(1, device="reference")).device.name == "reference"
    assert minigrad.tensor(minigrad.ones(1, device="reference"), device=device).device.name == device


# --- random --------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_numbers_on_every_device(device: str) -> None:
    draws = []
    for place in (device, "reference"):
        minigrad.manual_seed(7)
        draws.append([make(3, 2, device=place).tolist() for make in (minigrad.rand, minigrad.randn)])
    assert draws[0] == draws[1]
    assert minigrad.rand(3, 2).tolist() != draws[0][0]


def test_distributions(device: str) -> None:
    uniform, normal = minigrad.rand(20_000).numpy(), minigrad.randn(20_000).numpy()
    assert 0 <= uniform.min() < 0.001 < 0.999 < uniform.max() < 1
    assert uniform.mean() == pytest.approx(1 / 2, abs=0.01)
    assert uniform.var() == pytest.approx(1 / 12, abs=0.005)
    assert normal.mean() == pytest.approx(0, abs=0.03)
    assert normal.var() == pytest.approx(1, abs=0.05)


def test_rand_stays_below_one_when_rounded_to_float32(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    class AlmostOne:
        def random(self, shape: tuple[int, ...]) -> np.ndarray:
            return np.full(shape, 1 - 2.0**-53)

    monkeypatch.setattr(minigrad.manual_seed(0), "_source", AlmostOne())
    for dtype in ("float32", "float64"):
        assert 0.9999 < minigrad.rand(1, dtype=dtype).item() < 1


@pytest.mark.parametrize(
    ("draw", "low", "high"),
    [
        (lambda: minigrad.randint(3, (1000,)), 0, 2),
        (lambda: minigrad.randint(-2, 4, (10, 100)), -2, 3),
        (lambda: minigrad.randint(high=256, size=(5000,), dtype="uint8"), 0, 255),
        (lambda: minigrad.randint_like(minigrad.zeros(500), 1, 4), 1, 3),
    ],
)
def test_random_integers_reach_both_ends(draw: Callable[[], Tensor], low: int, high: int, device: str) -> None:
    numbers = draw().numpy()
    assert (numbers.min(), numbers.max()) == (low, high)


def test_random_permutations(device: str) -> None:
    draws = [minigrad.randperm(20).tolist() for _ in range(3)]
    assert all(sorted(draw) == list(range(20)) for draw in draws)
    assert len(set(map(tuple, draws))) == 3


def test_normal(device: str) -> None:
    numbers = minigrad.normal(5, 2, (20_000,)).numpy()
    assert numbers.mean() == pytest.approx(5, abs=0.06)
    assert numbers.std() == pytest.approx(2, abs=0.06)
    mean, std = minigrad.tensor([0.0, 100.0], dtype="float64"), minigrad.tensor([[1e-3], [0.0]], dtype="float64")
    t = minigrad.normal(mean, std)
    assert (t.shape, t.dtype, t.device.name) == ((2, 2), "float64", device)
    assert t[1].tolist() == [0.0, 100.0]
    assert 0 < abs(t[0, 0].item()) < 0.01


def test_the_state_is_a_tensor_that_can_be_stored(device: str) -> None:
    minigrad.manual_seed(5)
    minigrad.randint(9, (3,), dtype="int32")  # leaves half a random number behind, in the state too
    state = minigrad.get_rng_state()
    assert (state.dtype, state.shape, state.device.name) == ("uint8", (64,), device)
    stored = state.numpy().tobytes()
    state.zero_()  # a copy, which may be written
    draws = [minigrad.randn(3).tolist(), minigrad.randint(9, (3,)).tolist(), minigrad.randperm(9).tolist()]
    minigrad.manual_seed(6)
    minigrad.set_rng_state(minigrad.tensor(np.frombuffer(stored, np.uint8), device="reference"))
    assert [minigrad.randn(3).tolist(), minigrad.randint(9, (3,)).tolist(), minigrad.randperm(9).tolist()] == draws


# --- the default device --------------------------------------------------------------------------------------


def test_the_default_device(device: str) -> None:
    assert minigrad.get_default_device() == device
    assert minigrad.ones(1).device.name == device
    assert minigrad.ones(1, device="reference").device.name == "reference"
    with pytest.raises(ValueError, match=r"device 'gpu' is not one of 'reference', 'cpu', 'opencl'"):
        minigrad.set_default_device("gpu")
    assert minigrad.get_default_device() == device
    minigrad.set_default_device(minigrad.get_backend("reference"))
    assert minigrad.get_default_device() == "reference"


# --- refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: minigrad.tensor([[1], [1, 2]]), ValueError, r"data is not a regular array"),
        (lambda: minigrad.tensor([1], dtype="float16"), TypeError, r"dtype 'float16' is not one of float32, float64"),
        (lambda: minigrad.tensor([1.0], device="gpu"), ValueError, r"device 'gpu' is not one of"),
        (lambda: minigrad.tensor([1], requires_grad=True), TypeError, r"this one is int64; convert with \.float\(\)"),
        (lambda: minigrad.tensor([300], dtype="uint8"), ValueError, r"300 does not fit dtype uint8, .* from 0 to 255"),
        (lambda: minigrad.tensor([-1, 5], dtype="uint8"), ValueError, r"-1 does not fit dtype uint8"),
        (lambda: minigrad.tensor(2**40, dtype="int32"), ValueError, r"1099511627776 does not fit dtype int32"),
        (lambda: minigrad.tensor([2.0**63], dtype="int64"), ValueError, r"does not fit dtype int64"),
        (lambda: minigrad.tensor([float("nan")], dtype="int64"), ValueError, r"nan does not fit dtype int64"),
        (lambda: minigrad.full((2,), 300, dtype="uint8"), ValueError, r"300 does not fit dtype uint8"),
        (lambda: minigrad.full((2,), float("inf"), dtype="int64"), ValueError, r"inf does not fit dtype int64"),
        (lambda: minigrad.full((2,), [1, 2], dtype="int64"), TypeError, r"value must be a number, got list: \[1, 2\]"),
        (lambda: minigrad.full((2,), None, dtype="float32"), TypeError, r"value must be a number, got NoneType"),
        (lambda: minigrad.full((2,), "1"), TypeError, r"str"),
        (lambda: minigrad.eye(2.0), TypeError, r"eye: \(2.0, 2.0\) must be integers"),
        (lambda: minigrad.eye(-1), ValueError, r"eye: shape \(-1, -1\) must not have negative sizes"),
        (lambda: minigrad.ones(1).new_full((2.0,), 1), TypeError, r"new_full: \(2.0,\) must be integers"),
        (lambda: minigrad.ones(1).new_zeros(-1), ValueError, r"new_zeros: shape \(-1,\) must not have negative sizes"),
        (lambda: minigrad.zeros(2.0), TypeError, r"zeros: \(2.0,\) must be integers"),
        (lambda: minigrad.ones(2, -1), ValueError, r"ones: shape \(2, -1\) must not have negative sizes"),
        (lambda: minigrad.rand(-1), ValueError, r"rand: shape \(-1,\) must not have negative sizes"),
        (lambda: minigrad.zeros(True), TypeError, r"zeros: \(True,\) must be integers"),
        (lambda: minigrad.arange(0, 1, 0), ValueError, r"arange: steps of 0 do not lead from 0 to 1"),
        (lambda: minigrad.arange(3, 1), ValueError, r"arange: steps of 1 do not lead from 3 to 1"),
        (lambda: minigrad.rand(2, dtype="int64"), TypeError, r"rand: dtype=int64 must be float32 or float64"),
        (lambda: minigrad.randn(2, dtype=bool), TypeError, r"randn: dtype=bool must be float32 or float64"),
        (lambda: minigrad.randint(0, (2,)), ValueError, r"randint: there are no integers from low=0 .* high=0"),
        (lambda: minigrad.randint(10), TypeError, r"randint"),
        (lambda: minigrad.randint(10, 2), TypeError, r"randint: size=2 must be a tuple, as in randint\(0, 10,"),
        (lambda: minigrad.randint(0, 300, (1,), dtype="uint8"), ValueError, r"299 does not fit dtype uint8"),
        (lambda: minigrad.randint(0, 3, (1,), dtype=bool), ValueError, r"randint: dtype=bool cannot hold 2, of low=0"),
        (lambda: minigrad.randperm(-1), ValueError, r"randperm: shape \(-1,\) must not have negative sizes"),
        (lambda: minigrad.normal(0, 1), TypeError, r"normal: of two numbers the size is needed too"),
        (lambda: minigrad.normal(0, -1, (2,)), ValueError, r"normal: std=-1 must not be negative"),
        (lambda: minigrad.normal(minigrad.ones(1, requires_grad=True)), RuntimeError, r"mean \+ std \* minigrad\.ra"),
        (lambda: minigrad.normal(minigrad.ones(1), 1, (2,)), TypeError, r"normal: with tensors for mean or std, size"),
        (lambda: minigrad.rand(2, generator=np.random.default_rng()), TypeError, r"must be a minigrad\.Generator"),
        (lambda: minigrad.manual_seed(0.5), TypeError, r"manual_seed: \(0\.5,\) must be integers"),
        (lambda: minigrad.manual_seed(2**64), ValueError, r"seed=18446744073709551616 must be from -2\^63"),
        (lambda: minigrad.set_rng_state(minigrad.zeros(3)), TypeError, r"must be a uint8 tensor of 64 bytes"),
        (lambda: minigrad.set_rng_state(minigrad.zeros(64, dtype="uint8")), ValueError, r"is no state of a generator"),
        (lambda: minigrad.linspace(0, 1, -1), ValueError, r"linspace: shape \(-1,\) must not have negative sizes"),
        (lambda: minigrad.from_numpy([1.0]), TypeError, r"needs a NumPy array, got list; use minigrad.tensor"),
        (lambda: minigrad.from_numpy(np.ones(2, ">f4")), ValueError, r"from_numpy: byte order >f4 cannot be shared"),
        (lambda: minigrad.from_numpy(np.ones(2, "f2")), TypeError, r"float16 cannot be a tensor.*astype"),
        (lambda: Tensor([1.0]), TypeError, r"to make a tensor write minigrad\.tensor"),
    ],
)
def test_refused(call: Callable[[], Tensor], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
