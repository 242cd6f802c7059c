"""What is particular to the CPU in arithmetic, pooling, batch norm and optimizers: threads, numbers, wrong arrays."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor
from minigrad.backends.geometry import ConvGeometry
from minigrad_ext import elementwise, functions, machine, normalization, optimizers, window

CPU = minigrad.get_backend("cpu")
REFERENCE = minigrad.get_backend("reference")
FLOATS = ["float32", "float64"]
SETS = [number for number in range(len(machine.INSTRUCTION_SETS)) if machine.has(number)]


@pytest.fixture
def thread_count() -> Iterator[None]:
    """Puts the number of threads back."""
    before = minigrad.get_num_threads()
    yield
    minigrad.set_num_threads(before)


def normal(shape: tuple[int, ...], dtype: str = "float32", seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def windows(x: tuple[int, int, int, int], kernel: int, stride: int, padding: int = 0, dilation: int = 1) -> Any:
    out = [(size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1 for size in x[2:]]
    pairs = [(number, number) for number in (stride, padding, dilation)]
    return ConvGeometry(x, (x[1], 1, kernel, kernel), (*x[:2], out[0], out[1]), *pairs, x[1])


G = windows((8, 16, 30, 33), 3, 2, 1)
TILES = windows((8, 16, 30, 33), 2, 2)
PLACES = REFERENCE.max_pool2d(normal(G.x_shape), G)[1]
X, CHANNELS = (8, 16, 800), (16,)

# Large enough for several threads, in sizes that do not divide evenly.
CALLS: dict[str, Callable[[str], tuple[Any, ...]]] = {
    "add": lambda dtype: (normal((3, 33_333), dtype), normal((3, 33_333), dtype, 1)),
    "div": lambda dtype: (normal((3, 33_333), dtype), normal((3, 33_333), dtype, 1)),
    "exp": lambda dtype: (normal((3, 33_333), dtype),),
    "sigmoid": lambda dtype: (normal((3, 33_333), dtype),),
    "tanh": lambda dtype: (normal((3, 33_333), dtype),),
    "erf": lambda dtype: (normal((3, 33_333), dtype),),
    "gelu": lambda dtype: (normal((3, 33_333), dtype),),
    "gelu_grad": lambda dtype: (normal((3, 33_333), dtype), normal((3, 33_333), dtype, 1)),
    "sigmoid_grad": lambda dtype: (normal((3, 33_333), dtype), normal((3, 33_333), dtype, 1)),
    "tanh_grad": lambda dtype: (normal((3, 33_333), dtype), normal((3, 33_333), dtype, 1)),
    "softmax": lambda dtype: (normal((3, 77, 333), dtype), 2),
    "softmax_grad": lambda dtype: (normal((3, 77, 333), dtype), normal((3, 77, 333), dtype, 1), 2),
    "log_softmax": lambda dtype: (normal((3, 77, 333), dtype), 2),
    "log_softmax_grad": lambda dtype: (normal((3, 77, 333), dtype), normal((3, 77, 333), dtype, 1), 2),
    "sub": lambda dtype: (normal((300, 333), dtype), np.broadcast_to(normal((300, 1), dtype, 1), (300, 333))),
    "mul": lambda dtype: (np.broadcast_to(normal((333,), dtype, 1), (300, 333)), normal((300, 333), dtype)),
    "maximum": lambda dtype: (normal((3, 33_333), dtype), normal((3, 33_333), dtype, 1)),
    "relu": lambda dtype: (normal((3, 33_333), dtype),),
    "relu_grad": lambda dtype: (normal((3, 33_333), dtype), normal((3, 33_333), dtype, 1)),
    "where": lambda dtype: (normal((99_999,)) > 0, normal((99_999,), dtype), normal((99_999,), dtype, 1)),
    "sum": lambda dtype: (normal(X, dtype), (0, 2)),
    "sum of all": lambda dtype: (normal((3, 33_333), dtype), (0, 1)),
    "sum of rows": lambda dtype: (normal((300, 333), dtype), (1,)),
    "sum of columns": lambda dtype: (normal((300, 333), dtype), (0,)),
    "put": lambda dtype: (normal((3, 70, 333), dtype), (np.arange(210).reshape(3, 70) % 13 - 2, ...), (11, 333)),
    "add_bias": lambda dtype: (normal(X, dtype), normal(CHANNELS, dtype)),
    "max_pool2d": lambda dtype: (normal(G.x_shape, dtype), G),
    "pick": lambda dtype: (normal(G.x_shape, dtype), PLACES, G),
    "max_pool2d by tiles": lambda dtype: (normal(TILES.x_shape, dtype), TILES),
    "spread by tiles": lambda dtype: (normal(TILES.y_shape, dtype), REFERENCE.max_pool2d(normal(TILES.x_shape),
                                                                                      TILES)[1], TILES),
    "spread": lambda dtype: (normal(G.y_shape, dtype), PLACES, G),
    "batch_norm": lambda dtype: (normal(X, dtype), normal(CHANNELS, dtype), normal(CHANNELS, dtype, 1), 1e-5),
    "batch_norm_grad": lambda dtype: (
        normal(X, dtype), normal(X, dtype, 1), *[normal(CHANNELS, dtype, seed) for seed in (1, 2)],
        np.abs(normal(CHANNELS, dtype, 3)), 1e-5,
    ),
    "layer_norm": lambda dtype: (normal((333, 300), dtype), normal((300,), dtype), normal((300,), dtype, 1), 1e-5),
    "layer_norm_grad": lambda dtype: (
        normal((333, 300), dtype), normal((333, 300), dtype, 1), normal((300,), dtype, 2), normal((333,), dtype, 3),
        np.abs(normal((333,), dtype, 4)), 1e-5,
    ),
    "sgd": lambda dtype: (*[normal((99_999,), dtype, seed) for seed in range(3)], 0.1, 0.9, 0.9, 0.01, True),
    "adam": lambda dtype: (
        *[np.abs(normal((99_999,), dtype, seed)) for seed in range(5)], 0.1, 0.99, 0.1, 0.01, 1e-8, 0.1,
    ),
}  # fmt: skip


def performed(backend: Any, name: str, dtype: str) -> list[bytes]:
    """The bits of all that the call has given or written."""
    arguments = CALLS[name](dtype)
    result = getattr(backend, name.split(" ")[0])(*arguments)
    results = result if isinstance(result, tuple) else (result,)
    return [array.tobytes() for array in (*results, *arguments) if isinstance(array, np.ndarray)]


@pytest.mark.usefixtures("thread_count")
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", CALLS)
def test_the_same_bits_for_any_number_of_threads(name: str, dtype: str) -> None:
    minigrad.set_num_threads(1)
    expected = performed(CPU, name, dtype)
    for count in (2, 3, 7):
        minigrad.set_num_threads(count)
        assert performed(CPU, name, dtype) == expected


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_numbers_meet_every_element(name: str, dtype: str) -> None:
    x, number = normal((40_000,), dtype), np.array(0.75, dtype)
    for operands in [(x, number), (number, x)]:
        np.testing.assert_array_equal(getattr(CPU, name)(*operands), getattr(REFERENCE, name)(*operands))
    chosen = CPU.where(x > 0, number, x), CPU.where(x > 0, x, number)
    np.testing.assert_array_equal(chosen, (np.where(x > 0, number, x), np.where(x > 0, x, number)))


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "maximum"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_vectors_that_repeat(name: str, dtype: str) -> None:
    x = normal((7, 30, 5, 41), dtype)
    x[0, 0, 0, :3] = np.nan, np.inf, -np.inf
    for repeated in itertools.product([True, False], repeat=4):
        shape = [1 if repeats else size for size, repeats in zip(x.shape, repeated, strict=True)]
        for vector in (normal(shape, dtype, 1), normal(shape, dtype, 2)[..., ::-1]):
            y = np.broadcast_to(vector, x.shape)
            for operands in [(x, y), (y, x)]:
                np.testing.assert_array_equal(getattr(CPU, name)(*operands), getattr(REFERENCE, name)(*operands))


@settings(max_examples=60)
@given(
    st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(1, 3), st.integers(0, 7), st.integers(0, 150),
    st.sampled_from(FLOATS), st.integers(0, 2**32),
)  # fmt: skip
def test_pooling_of_any_geometry(kernel: int, stride: int, padding: int, dilation: int, more_rows: int,
                                 more_columns: int, dtype: str, seed: int) -> None:
    extent = dilation * (kernel - 1) + 1
    padding = min(padding, extent // 2)
    g = windows((2, 2, extent + more_rows, extent + more_columns), kernel, stride, padding, dilation)
    rng = np.random.default_rng(seed)
    x = rng.integers(-3, 4, g.x_shape).astype(dtype)
    x[rng.random(x.shape) < 0.05] = np.nan
    x[rng.random(x.shape) < 0.2] = -np.inf
    try:
        y, places = REFERENCE.max_pool2d(x, g)
    except ValueError:  # a window of border alone
        with pytest.raises(ValueError, match="meets no element"):
            CPU.max_pool2d(x, g)
        return
    for found, expected in zip(CPU.max_pool2d(x, g), (y, places), strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(CPU.pick(x, places, g), y)
    dy = rng.integers(-3, 4, g.y_shape).astype(dtype)
    np.testing.assert_array_equal(CPU.spread(dy, places, g), REFERENCE.spread(dy, places, g))


@pytest.mark.parametrize("number", SETS)
@pytest.mark.parametrize("name", ["exp", "sigmoid", "tanh", "erf"])
def test_functions_are_right_to_some_units_in_the_last_place(name: str, number: int) -> None:
    special = [0, -0.0, 1e-40, -1e-40, np.inf, -np.inf, np.nan, 88.7228, 88.7229, -87.4, -103.9, -104.1, 3e38, -3e38]
    near, far = np.linspace(-6, 6, 40_001), np.linspace(-110, 95, 40_001)
    x = np.concatenate([special, near, near / 1e4, far]).astype("float32")
    y = np.empty_like(x)
    getattr(functions, name)(x, y, 1, number)
    exact = getattr(REFERENCE, name)(x.astype("float64"))
    with np.errstate(over="ignore"):
        rounded = exact.astype("float32")
    np.testing.assert_array_equal(np.signbit(y[~np.isnan(y)]), np.signbit(exact[~np.isnan(y)]))
    np.testing.assert_array_equal(np.isfinite(y), np.isfinite(rounded))
    finite = np.isfinite(rounded)
    assert np.max(np.abs(y[finite] - exact[finite]) / np.spacing(np.abs(rounded[finite]))) < 3
    np.testing.assert_array_equal(y[~finite], rounded[~finite])
    for size in range(70):  # whole vectors and what is left
        part = np.full(size + 1, 7, "float32")
        getattr(functions, name)(x[:size], part[:size], 1, number)
        np.testing.assert_allclose(part, [*y[:size], 7], rtol=5e-7, atol=1e-44)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("size", [(2, 2), (3, 2), (2, 5), (28, 28), (11, 70), (5, 1100), (3, 2051)])
def test_pooling_by_tiles_of_two(size: tuple[int, int], dtype: str) -> None:
    g = windows((3, 2, *size), 2, 2)
    for geometry in (g, replace(g, y_shape=(3, 2, *[-(-length // 2) for length in size]))):  # by ceil_mode one more
        assert_pools_as_the_reference(geometry, dtype)


def assert_pools_as_the_reference(g: ConvGeometry, dtype: str) -> None:
    rng = np.random.default_rng(0)
    for special in (0, 0.02):
        x = rng.integers(-3, 4, g.x_shape).astype(dtype)
        x[rng.random(x.shape) < special] = np.nan
        x[rng.random(x.shape) < 0.4] = -np.inf
        y, places = REFERENCE.max_pool2d(x, g)
        for found, expected in zip(CPU.max_pool2d(x, g), (y, places), strict=True):
            np.testing.assert_array_equal(found, expected)
        dy = normal(g.y_shape, dtype)
        np.testing.assert_array_equal(CPU.spread(dy, places, g), REFERENCE.spread(dy, places, g))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(1, 100_001), (3000, 50), (7, 2, 3, 5000), (40_000, 3), (2, 129, 257)])
def test_sums_over_neighbouring_axes(shape: tuple[int, ...], dtype: str) -> None:
    x = np.random.default_rng(0).uniform(0, 1, shape).astype(dtype)
    for first in range(len(shape)):
        for last in range(first, len(shape)):
            axes = tuple(range(first, last + 1))
            found, expected = CPU.sum(x, axes), x.sum(axes, np.float64, keepdims=True)
            assert (found.shape, found.dtype) == (expected.shape, dtype)
            np.testing.assert_allclose(found, expected, rtol=1e-6 if dtype == "float32" else 1e-14)


def test_rows_are_put_back_where_they_were_taken() -> None:
    rng = np.random.default_rng(0)
    x, rows = rng.integers(-4, 5, (500, 6, 7)).astype("float32"), rng.integers(-90, 90, 500)
    for key in [(rows, ...), (rows,)]:
        np.testing.assert_array_equal(CPU.put(x, key, (90, 6, 7)), REFERENCE.put(x, key, (90, 6, 7)))
    for wrong in (-91, 90):
        rows[77] = wrong
        for backend in (CPU, REFERENCE):
            with pytest.raises(IndexError, match="is out of bounds for axis 0 with size 90"):
                backend.put(x, (rows, ...), (90, 6, 7))


@pytest.mark.parametrize("dtype", FLOATS)
def test_batch_norm_of_values_far_from_0(dtype: str) -> None:
    """The mean is taken away first: a mean of squares less the square of the mean would have no digit left."""
    x = normal((16, 3, 400), dtype) + np.array([1e4, -1e5, 0], dtype).reshape(3, 1)
    _, mean, var = CPU.batch_norm(x, np.ones(3, dtype), np.zeros(3, dtype), 1e-5)
    exact = x.astype("float64")
    np.testing.assert_allclose(mean, exact.mean((0, 2)), rtol=1e-6)
    np.testing.assert_allclose(var, exact.var((0, 2)), rtol=1e-3)


FAST: dict[str, tuple[Callable[..., Tensor], list[tuple[int, ...]]]] = {
    "relu": (lambda x: x.relu(), [(4, 5)]),
    "sigmoid": (lambda x: x.sigmoid(), [(4, 5)]),
    "tanh": (lambda x: x.tanh(), [(4, 5)]),
    "gelu": (F.gelu, [(4, 5)]),
    "max_pool2d": (lambda x: F.max_pool2d(x, 2), [(2, 3, 6, 7)]),
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (3, 4), w, b), [(5, 2, 3, 4), (3, 4), (3, 4)]),
    "batch_norm": (lambda x, w, b: F.batch_norm(x, None, None, w, b, True), [(6, 3, 4, 5), (3,), (3,)]),
    "softmax": (lambda x: F.softmax(x, 2), [(5, 4, 3)]),
    "log_softmax": (lambda x: F.log_softmax(x, 1), [(5, 4, 3)]),
    "cross_entropy": (lambda x: F.cross_entropy(x, minigrad.tensor([0, 2, 1], device=x.device)), [(3, 4)]),
    "linear": (lambda x, w, b: F.linear(x, w, b), [(5, 4), (3, 4), (3,)]),
    "conv2d": (lambda x, w, b: F.conv2d(x, w, b), [(2, 3, 6, 7), (4, 3, 2, 2), (4,)]),
}


@pytest.mark.parametrize("name", FAST)
def test_gradients_are_the_same_whether_they_are_recorded_or_not(name: str, device: str) -> None:
    function, shapes = FAST[name]
    inputs = [minigrad.tensor(normal(shape, "float64", k), requires_grad=True) for k, shape in enumerate(shapes)]
    weights = minigrad.tensor(normal(function(*inputs).shape, "float64", 9))
    recorded, plain = [minigrad.grad((function(*inputs) * weights).sum(), inputs, create_graph=create_graph)
                       for create_graph in (True, False)]
    for one, other in zip(recorded, plain, strict=True):
        assert not other.requires_grad
        np.testing.assert_allclose(one.numpy(force=True), other.numpy(), rtol=1e-12, atol=1e-13)


def test_parameters_in_any_layout_are_written() -> None:
    for optimizer in (minigrad.optim.SGD, minigrad.optim.Adam):
        memory = minigrad.zeros(4, 3)
        parameter = memory.T.detach().requires_grad_()
        parameter.grad = minigrad.ones(3, 4)
        optimizer([parameter], lr=0.5).step()
        np.testing.assert_allclose(memory.numpy(), np.full((4, 3), -0.5), rtol=1e-6)


def test_a_step_counts_as_a_write() -> None:
    for optimizer in (minigrad.optim.SGD, minigrad.optim.Adam):
        w = minigrad.ones(3, requires_grad=True)
        y = (w * w).sum()
        w.grad = minigrad.ones(3)
        optimizer([w]).step()
        with pytest.raises(RuntimeError, match="written in place"):
            y.backward()


def spoiled(array: Any) -> list[Any]:
    """What a kernel must refuse in place of the array: of another kind, of another size, with gaps, none at all."""
    other = array.astype("float16")
    larger = np.repeat(array, 2, -1)[..., 1:].copy()
    return [larger, other, other.astype(other.dtype.newbyteorder()), array[..., ::-1], None, 7]


KERNELS: dict[str, tuple[Callable[..., None], list[Any], list[Any]]] = {
    "add": (elementwise.add, [np.ones((2, 3))] * 2 + [np.empty((2, 3))], [2]),
    "relu": (elementwise.relu, [np.ones((2, 3)), np.empty((2, 3))], [2]),
    "erf": (functions.erf, [np.ones((2, 3)), np.empty((2, 3))], [2, 0]),
    "add_to_rows": (elementwise.add_to_rows, [np.ones((2, 3)), np.zeros(2, "q"), np.ones((4, 3))], [2]),
    "row_sums": (normalization.row_sums, [np.ones((2, 3)), np.empty(2)], [2]),
    "column_sums": (normalization.column_sums, [np.ones((2, 3)), np.empty(3)], [2]),
    "layer_norm": (
        lambda x, w, b, y, mean, var, threads: normalization.layer_norm(x, w, b, 1e-5, y, mean, var, threads),
        [np.ones((2, 3)), np.ones(3), np.ones(3), np.empty((2, 3)), np.empty(2), np.empty(2)], [2],
    ),
    "softmax_grad": (functions.softmax_grad, [np.ones((2, 3)) for _ in range(3)], [2, 0]),
    "add_bias": (elementwise.add_bias, [np.ones((2, 3, 4)), np.ones(3)], [2]),
    "where": (elementwise.where, [np.ones((2, 3), bool), *[np.ones((2, 3), "q")] * 2, np.empty((2, 3), "q")], [2]),
    "max_pool2d": (window.max_pool2d, [np.ones((1, 2, 4, 4)), np.zeros((2, 2), "i"), np.empty((1, 2, 2, 2)),
                                       np.empty((1, 2, 2, 2), "i")], [windows((1, 2, 4, 4), 2, 2), 2]),
    "pick": (window.pick, [np.ones((1, 2, 4, 4)), np.zeros((1, 2, 2, 2), "i"), np.empty((1, 2, 2, 2))], [2]),
    "spread": (window.spread, [np.ones((1, 2, 2, 2)), np.zeros((1, 2, 2, 2), "i"), np.empty((1, 2, 4, 4))], [2]),
    "channel_sums": (normalization.channel_sums, [np.ones((2, 3, 4)), np.empty(3)], [2]),
    "sgd": (optimizers.sgd, [np.ones(5) for _ in range(3)], [0.1, 0.9, 1.0, 0.0, False, 2]),
    "adam": (optimizers.adam, [np.ones(5) for _ in range(5)], [0.0, 1.0, 0.1, 0.1, 1e-8, 0.1, 2]),
}


# The array, by its position, whose size the kernel takes from the array itself.
ANY_SIZE = {"add_bias": 0, "channel_sums": 0, "row_sums": 0, "pick": 0, "spread": 2}


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_refuse_what_does_not_fit(name: str) -> None:
    kernel, arrays, rest = KERNELS[name]
    kernel(*arrays, *rest)
    for position, array in enumerate(arrays):
        has_any_size = position == ANY_SIZE.get(name)
        for wrong in spoiled(array)[int(has_any_size) :]:
            if wrong is None and (name, position) in {("sgd", 2), ("adam", 4)}:  # which may be left out
                continue
            with pytest.raises((TypeError, ValueError, BufferError, AttributeError)):
                kernel(*arrays[:position], wrong, *arrays[position + 1 :], *rest)


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_refuse_to_write_what_is_read_only(name: str) -> None:
    kernel, arrays, rest = KERNELS[name]
    locked = [array.copy() for array in arrays]
    for array in locked:
        array.flags.writeable = False
    with pytest.raises((ValueError, BufferError)):
        kernel(*locked, *rest)


def test_places_outside_the_image_are_left_alone() -> None:
    places = np.array([-1, 16, 3, 2**31 - 1], "i").reshape(1, 1, 2, 2)
    y = np.empty((1, 1, 2, 2))
    window.pick(np.ones((1, 1, 4, 4)), places, y, 1)
    np.testing.assert_array_equal(y.reshape(-1), [0, 0, 1, 0])
    x = np.empty((1, 1, 4, 4))
    window.spread(np.ones((1, 1, 2, 2)), places, x, 1)
    assert x.sum() == 1


def test_a_result_too_large_for_memory() -> None:
    x = np.broadcast_to(np.float32(1), (2**25, 2**25))
    for name in ("relu", "exp"):
        with pytest.raises(MemoryError, match="Unable to allocate"):
            getattr(CPU, name)(x)
