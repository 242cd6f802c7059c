"""Every primitive of every back end against `Reference`, on arrays of every kind that a caller may pass.

Where sums are compared, the arrays hold small whole numbers, so that every order of addition gives the same bits.
The device fixture fails where OpenCL is missing, unless MINIGRAD_TEST_WITHOUT_OPENCL=1 says that it may be.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from minigrad.backends import get_backend
from minigrad.backends.base import Backend
from minigrad.backends.geometry import ConvGeometry, conv_geometry
from minigrad.backends.reference import Reference

REFERENCE = Reference()
FLOATS = ["float32", "float64"]
INTEGERS = ["int32", "int64", "uint8"]
NUMBERS = FLOATS + INTEGERS
ALL = [*NUMBERS, "bool"]
# Without axes, without elements, with one; the last two span several work-groups and several steps of a reduction.
SHAPES = [(), (0,), (1,), (2, 0, 3), (1, 1, 1), (5,), (3, 4), (2, 3, 4), (130, 33), (5000,)]
others = pytest.mark.parametrize("device", ["cpu", "opencl"], indirect=True)  # all but the one that is compared with

Arguments = tuple[Any, ...]


# --- values ------------------------------------------------------------------------------------------------


def whole(shape: Sequence[int], dtype: Any, seed: int = 0) -> np.ndarray:
    """Small whole numbers."""
    numbers = np.random.default_rng(seed).integers(-4, 5, tuple(shape))
    return np.asarray(np.abs(numbers) if np.dtype(dtype).kind == "u" else numbers, dtype)


def special(dtype: Any) -> np.ndarray:
    """Zeros, infinities, NaN, the largest, the smallest and denormal floats, and some ordinary ones."""
    limits = np.finfo(dtype)
    extremes = [0, 1, 0.5, 2, 3, np.inf, limits.max, limits.tiny, limits.smallest_subnormal, limits.tiny / 3, 88, 1000]
    ordinary = np.random.default_rng(0).standard_normal(40)
    return np.concatenate([extremes, np.negative(extremes), [np.nan], ordinary]).astype(dtype)


def operands(count: int, dtype: str) -> Iterator[Arguments]:
    """`count` arrays of one shape; for floats also all combinations of special values."""
    for shape in SHAPES:
        yield tuple(whole(shape, dtype, seed) for seed in range(count))
    if dtype in FLOATS:
        combinations = np.meshgrid(*[special(dtype)] * count)
        yield tuple(array.reshape(-1) for array in combinations)


def spread(array: np.ndarray) -> np.ndarray:
    """Every third element of a larger array."""
    larger = np.zeros((*array.shape, 3), array.dtype)
    larger[..., 1] = array
    return larger[..., 1]


def backwards(array: np.ndarray) -> np.ndarray:
    return np.flip(np.flip(array).copy())


def columns_first(array: np.ndarray) -> np.ndarray:
    return array.copy(order="F")


def read_only(array: np.ndarray) -> np.ndarray:
    locked = array.copy()
    locked.flags.writeable = False
    return locked


LAYOUTS = [spread, backwards, columns_first, read_only]  # the same values in memory of every kind


# --- the cases: for each primitive its dtypes, and arguments to call it with ------------------------------------


def one(dtype: str) -> Iterator[Arguments]:
    return operands(1, dtype)


def two(dtype: str) -> Iterator[Arguments]:
    return operands(2, dtype)


def conditional(dtype: str) -> Iterator[Arguments]:
    for shape in SHAPES:
        yield whole(shape, "bool"), whole(shape, dtype, 1), whole(shape, dtype, 2)


def divisions(dtype: str) -> Iterator[Arguments]:
    for x, y in two(dtype):
        yield x, y if dtype in FLOATS else np.where(y == 0, np.array(3, dtype), y)
    if dtype in INTEGERS:
        limits = np.iinfo(dtype)
        x, y = np.meshgrid([limits.min, limits.min + 1, limits.max, 7], [limits.min, limits.max, 1, 2, limits.max // 2])
        yield x.astype(dtype), np.where(y == 0, 3, y).astype(dtype)
        if dtype != "uint8":
            yield np.array([limits.min, limits.max, 5, -5], dtype), np.full(4, -1, dtype)


def shifts(dtype: str) -> Iterator[Arguments]:
    limits = np.iinfo(dtype)
    x, y = np.meshgrid([limits.min, limits.max, 0, 1, 5, 77], [0, 1, 3, 7, 8, 31, 32, 63, 64, 100])
    yield x.astype(dtype), y.astype(dtype)
    yield from two(dtype)


def powers(dtype: str) -> Iterator[Arguments]:
    for x, y in operands(2, dtype):
        yield x, np.abs(y) if dtype in ("int32", "int64") else y
    numbers = [0, 1, 2, 3, 7, -1, -2, 0.5, -0.5, 2.5, 40.0] if dtype in FLOATS else [0, 1, 2, 3, 7]
    for number in numbers:
        yield whole((3, 4), dtype), number
        if dtype in FLOATS:
            yield special(dtype), number


def conversions(dtype: str) -> Iterator[Arguments]:
    for target, shape in itertools.product(ALL, SHAPES):
        x = whole(shape, dtype)
        yield np.asarray(np.abs(x)) if target == "uint8" else x, np.dtype(target)
    if dtype in FLOATS:
        fractions = np.array([-2.9, -0.5, 0.0, 0.5, 2.9], dtype)
        yield from [(fractions, np.dtype(target)) for target in ("int32", "int64", "bool", "float32", "float64")]
        yield special(dtype), np.dtype("bool")


def fills(dtype: str) -> Iterator[Arguments]:
    numbers = [0, 1, 2.5, -1.5, float("inf"), float("nan")] if dtype in FLOATS else [0, 1, True]
    for shape, number in itertools.product(SHAPES, numbers):
        yield shape, number, np.dtype(dtype)


def subsets(rank: int) -> Iterator[tuple[int, ...]]:
    for count in range(rank + 1):
        yield from itertools.combinations(range(rank), count)


def sums(dtype: str) -> Iterator[Arguments]:
    for shape in [*SHAPES, (3, 200, 2), (2, 1, 70, 1), (6, 4, 50, 70)]:
        for axes in subsets(len(shape)):
            yield whole(shape, dtype), axes
    if dtype in FLOATS:
        yield np.array([[np.inf, 1], [np.nan, 1], [np.inf, -np.inf]], dtype), (1,)


def maxima(dtype: str) -> Iterator[Arguments]:
    for x, axes in sums(dtype):
        if 0 not in [x.shape[axis] for axis in axes]:
            yield x, axes
    if dtype in FLOATS:
        x = whole((3, 500), dtype)
        x[0, 77], x[1, :], x[2, 499] = np.nan, -np.inf, np.inf
        yield from [(x, (1,)), (x, (0, 1))]


def positions_of_maxima(dtype: str) -> Iterator[Arguments]:
    for x, axes in maxima(dtype):
        if len(axes) == 1:
            yield x, axes[0]
    if dtype in FLOATS:
        x = whole((5000,), dtype)
        x[[99, 4321]] = np.nan
        yield x, 0


def activated(dtype: str) -> Iterator[Arguments]:
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        yield np.array(rng.standard_normal(shape) * 3, dtype), np.array(rng.standard_normal(shape), dtype)
    odd = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1e-40, 30, -30], dtype)
    yield odd, np.ones_like(odd)
    yield np.ones_like(odd), odd


def activated_once(dtype: str) -> Iterator[Arguments]:
    for x, _ in activated(dtype):
        yield (x,)


def along_axes(dtype: str) -> Iterator[Arguments]:
    normal = np.random.default_rng(0).standard_normal
    for shape in [(5,), (3, 4), (2, 3, 4), (7, 100), (40, 33), (3, 1000)]:
        for axis in range(len(shape)):
            yield (normal(shape) * 8).astype(dtype), axis
    far = np.array([[1000, 1001, 999], [-1000, -1000, -1001], [3e38, -3e38, 0], [-np.inf, 0, 1]], dtype)
    odd = np.array([[np.inf, 0, 1], [np.nan, 0, 1], [-np.inf, -np.inf, -np.inf], [1e-40, -1e-40, 0]], dtype)
    yield from [(far, 1), (far.T.copy(), 0), (odd, 1)]


def along_axes_back(dtype: str) -> Iterator[Arguments]:
    for x, axis in along_axes(dtype):
        y = np.where(np.isfinite(x), np.clip(x, -1000, 1000), 0) / 100  # of larger ones, sums would be all rounding
        yield np.clip(x, -1000, 1000), -np.abs(y), axis


def new_shapes(dtype: str) -> Iterator[Arguments]:
    for old, new in [((), (1, 1)), ((0, 3), (2, 0)), ((2, 3, 4), (4, 6)), ((24,), (2, 3, 4)), ((1,), ())]:
        yield whole(old, dtype), new


def permutations(dtype: str) -> Iterator[Arguments]:
    for shape in [(), (3,), (3, 4), (2, 3, 4), (2, 0, 3), (1, 5, 1), (37, 2, 18)]:
        for axes in itertools.permutations(range(len(shape))):
            yield whole(shape, dtype), axes
    yield whole((2,) * 12, dtype), (11, 0, 9, 2, 7, 4, 5, 6, 3, 8, 1, 10)


def broadcasts(dtype: str) -> Iterator[Arguments]:
    for old, new in [((), ()), ((), (2, 3)), ((1,), (0,)), ((0,), (4, 0)), ((4, 1), (4, 70)), ((3,), (3,))]:
        yield whole(old, dtype), new
    yield whole((1, 3, 1), dtype), (2, 5, 3, 4)


# Indices into shape (4, 3, 5) as ops/index.py passes them on: tuples with one Ellipsis.
BASIC_KEYS: list[tuple[Any, ...]] = [
    (...,),
    (slice(None), ...),
    (None, ..., None),
    (2, ...),
    (-1, 2, 3, ...),
    (..., slice(None, None, -1)),
    (slice(3, 0, -2), None, 1, ..., slice(1, None, 3)),
    (slice(1, 1), ...),
    (slice(1, 3), ...),
]
ADVANCED_KEYS: list[tuple[Any, ...]] = [
    (np.array([0, 2, 2, 0, 3]), ...),
    (np.array([[-1, 0], [-1, 1]]), slice(None), np.array([4, 4]), ...),
    (slice(None), np.array([[0], [2]]), np.array([1, 1, 0]), ...),
    (np.array([1]), None, 2, ..., np.array([0, 0, 0])),
    (np.array([], np.int64), ...),
    (np.array(2), ...),
    (np.array([True, False, True, True]), ...),
    (np.arange(60).reshape(4, 3, 5) % 7 == 0, ...),
    (np.zeros((4, 3, 5), bool), ...),
    (np.zeros(200, np.int64), ...),
]
KEYS = BASIC_KEYS + ADVANCED_KEYS


def taken(dtype: str) -> Iterator[Arguments]:
    yield from [(whole((4, 3, 5), dtype), key) for key in KEYS]
    yield whole((), dtype), (...,)
    yield whole((0, 3), dtype), (slice(None), 1, ...)
    yield whole((130, 33), dtype), (..., 7)


def put_back(dtype: str) -> Iterator[Arguments]:
    for x, key in taken(dtype):
        yield whole(x[key].shape, dtype), key, x.shape


def assignments(dtype: str) -> Iterator[Arguments]:
    for x, key in taken(dtype):
        yield x, key, whole(x[key].shape, dtype, 1)


def joined(dtype: str) -> Iterator[Arguments]:
    joints = [([(3,)], 0), ([(2, 3), (0, 3), (4, 3)], 0), ([(2, 3), (2, 1)], 1), ([(2, 3, 40), (2, 2, 40)], 1)]
    for shapes, axis in [*joints, ([(0,), (0,)], 0)]:
        yield [whole(shape, dtype, seed) for seed, shape in enumerate(shapes)], axis


def products(dtype: str) -> Iterator[Arguments]:
    small, empty = [(2, 3, 4), (1, 1, 1)], [(0, 3, 2), (2, 0, 3), (3, 2, 0)]
    blocks = [(8, 8, 8), (9, 17, 23), (40, 5, 70)]  # whole blocks of 8, and broken ones
    for (rows, length, columns), batch in itertools.product([*small, *empty, *blocks], [(), (1,), (2, 3), (0,)]):
        yield whole((*batch, rows, length), dtype, 1), whole((*batch, length, columns), dtype, 2)


GEOMETRIES = [
    conv_geometry("conv2d", *sizes)
    for sizes in [
        # x, w, stride, padding, dilation, groups
        ((1, 1, 6, 8), (1, 1, 1, 2), (1, 1), (0, 0), (1, 1), 1),
        ((2, 3, 5, 7), (4, 3, 3, 2), (1, 1), (1, 1), (1, 1), 1),
        ((1, 9, 3, 21), (10, 9, 2, 3), (1, 1), (1, 2), (1, 1), 1),  # broken blocks and strips
        ((2, 2, 9, 20), (3, 2, 3, 3), (2, 3), (1, 0), (1, 2), 1),  # a stride that leaves a remainder
        ((1, 1, 3, 12), (1, 1, 1, 3), (1, 2), (0, 4), (1, 3), 1),  # a strip that begins in a row and ends beyond it
        ((1, 4, 4, 6), (6, 2, 2, 2), (1, 2), (0, 1), (2, 1), 2),
        ((2, 5, 4, 4), (5, 1, 3, 3), (1, 1), (1, 1), (1, 1), 5),  # depthwise
        ((1, 1, 2, 2), (1, 1, 5, 4), (1, 1), (3, 2), (1, 1), 1),  # the kernel is larger than the image
        ((1, 1, 1, 1), (1, 1, 1, 1), (4, 3), (5, 7), (1, 1), 1),  # mostly padding
        ((0, 2, 4, 4), (3, 2, 2, 2), (1, 1), (0, 0), (1, 1), 1),  # an empty batch
        ((2, 0, 3, 3), (2, 0, 2, 2), (1, 1), (0, 0), (1, 1), 1),  # no channels
        ((70, 1, 3, 2), (1, 1, 1, 1), (1, 1), (0, 0), (1, 1), 1),  # more than 64 rows to add up
    ]
]


def convolutions(first: str, second: str) -> Callable[[str], Iterator[Arguments]]:
    def arguments(dtype: str) -> Iterator[Arguments]:
        for geometry in GEOMETRIES:
            yield whole(getattr(geometry, first), dtype, 1), whole(getattr(geometry, second), dtype, 2), geometry

    return arguments


WINDOWS = [
    ConvGeometry(x_shape, (x_shape[1], 1, *kernel), y_shape, stride, padding, dilation, x_shape[1])
    for x_shape, kernel, y_shape, stride, padding, dilation in [
        ((2, 3, 4, 6), (2, 2), (2, 3, 2, 3), (2, 2), (0, 0), (1, 1)),
        ((1, 2, 5, 9), (3, 2), (1, 2, 3, 9), (1, 1), (0, 1), (1, 2)),
        ((1, 1, 7, 8), (3, 3), (1, 1, 3, 3), (3, 3), (1, 1), (1, 1)),  # the last windows reach beyond the border
        ((2, 2, 6, 5), (1, 2), (2, 2, 2, 2), (3, 2), (0, 0), (1, 1)),
        ((0, 2, 4, 4), (2, 2), (0, 2, 2, 2), (2, 2), (0, 0), (1, 1)),
        ((4, 16, 40, 40), (2, 2), (4, 16, 20, 20), (2, 2), (0, 0), (1, 1)),  # several threads
    ]
]


def pooled(dtype: str) -> Iterator[Arguments]:
    for geometry in WINDOWS:
        yield whole(geometry.x_shape, dtype), geometry
        x = whole(geometry.x_shape, dtype)
        x[np.abs(x) == 3] = -np.inf
        x[x == 4] = np.nan
        yield x, geometry
        yield np.full_like(x, -np.inf), geometry


def places_of(geometry: ConvGeometry) -> np.ndarray:
    return REFERENCE.max_pool2d(whole(geometry.x_shape, "float32"), geometry)[1]


def picked(dtype: str) -> Iterator[Arguments]:
    for geometry in WINDOWS:
        yield whole(geometry.x_shape, dtype, 1), places_of(geometry), geometry


def spread_out(dtype: str) -> Iterator[Arguments]:
    for geometry in WINDOWS:
        yield whole(geometry.y_shape, dtype, 1), places_of(geometry), geometry


def biased(dtype: str) -> Iterator[Arguments]:
    for shape in [(2, 3, 4), (2, 3, 0), (0, 3, 2), (3, 5), (2, 3, 4, 5), (1, 1, 1, 1), (7, 5, 33, 50)]:
        yield whole(shape, dtype), whole(shape[1:2], dtype, 1)


def normalized(dtype: str) -> Iterator[Arguments]:
    for shape in [(2, 3, 4), (1, 1, 2), (5, 3, 1), (3, 2, 37), (2, 3, 5000), (16, 40, 100)]:
        rng = np.random.default_rng(0)
        yield rng.standard_normal(shape).astype(dtype) + 3, whole(shape[1:2], dtype), whole(shape[1:2], dtype, 1), 1e-5
    x = rng.standard_normal((3, 4, 5)).astype(dtype)
    x[0, 0, 0], x[1, 1, 1], x[:, 2] = np.inf, np.nan, 7
    yield x, whole((4,), dtype), whole((4,), dtype, 1), 1e-5


def normalized_back(dtype: str) -> Iterator[Arguments]:
    for x, weight, bias, eps in normalized(dtype):
        _, mean, var = REFERENCE.batch_norm(x, weight, bias, eps)
        yield np.random.default_rng(1).standard_normal(x.shape).astype(dtype), x, weight, mean, var, eps


def rows_normalized(dtype: str) -> Iterator[Arguments]:
    for x, _, _, eps in normalized(dtype):
        for shape in [(x.shape[0], -1), (-1, x.shape[2]), (-1, 1), (1, -1)]:
            rows = x.reshape(shape)
            yield rows, whole(rows.shape[1:], dtype), whole(rows.shape[1:], dtype, 1), eps


def rows_normalized_back(dtype: str) -> Iterator[Arguments]:
    for x, weight, bias, eps in rows_normalized(dtype):
        _, mean, var = REFERENCE.layer_norm(x, weight, bias, eps)
        yield np.random.default_rng(1).standard_normal(x.shape).astype(dtype), x, weight, mean, var, eps


PARAMETERS = [(), (0,), (3,), (2, 3, 4), (70_000,)]


def descents(dtype: str) -> Iterator[Arguments]:
    for shape, remembers, decay, nesterov in itertools.product(PARAMETERS, [True, False], [0.0, 0.5], [True, False]):
        p, g, b = [whole(shape, dtype, seed) for seed in range(3)]
        yield p, g, b if remembers else None, 0.25, 0.5, 0.75, decay, nesterov and remembers
    infinite = np.array([np.inf, -np.inf, np.nan, 1], dtype)
    for p, g in [(infinite, np.ones_like(infinite)), (np.ones_like(infinite), infinite)]:
        yield p, g, None, 0.25, 0.5, 0.75, 0.0, False


def adam_steps(dtype: str) -> Iterator[Arguments]:
    for shape, keeps_most, decay, shrink in itertools.product(PARAMETERS, [True, False], [0.0, 0.5], [1.0, 0.75]):
        p, g, m, v, most = [whole(shape, dtype, seed) for seed in range(5)]
        v, most = np.asarray(np.abs(v)), np.asarray(np.abs(most))
        yield p, g, m, v, most if keeps_most else None, decay, shrink, 0.5, 0.25, 1.0, 0.5
    infinite = np.array([np.inf, -np.inf, np.nan, 1], dtype)
    for k in range(5):
        arrays = [np.ones_like(infinite) for _ in range(5)]
        arrays[k] = np.abs(infinite) if k > 2 else infinite
        yield (*arrays, 0.0, 1.0, 0.5, 0.25, 1.0, 0.5)


CASES: dict[str, tuple[list[str], Callable[[str], Iterator[Arguments]]]] = {
    "full": (ALL, fills),
    "copy": (ALL, one),
    "astype": (ALL, conversions),
    "neg": (NUMBERS, one),
    "exp": (FLOATS, one),
    "log": (FLOATS, one),
    "log1p": (FLOATS, one),
    "sin": (FLOATS, one),
    "cos": (FLOATS, one),
    "round": (FLOATS, one),
    "abs": (ALL, one),
    "sign": (NUMBERS, one),
    "relu": (ALL, one),
    "sigmoid": (FLOATS, one),
    "tanh": (FLOATS, one),
    "erf": (FLOATS, one),
    "add": (ALL, two),
    "sub": (NUMBERS, two),
    "mul": (ALL, two),
    "div": (FLOATS, two),
    "floor_divide": (NUMBERS, divisions),
    "remainder": (NUMBERS, divisions),
    "bitwise_and": ([*INTEGERS, "bool"], two),
    "bitwise_or": ([*INTEGERS, "bool"], two),
    "bitwise_xor": ([*INTEGERS, "bool"], two),
    "left_shift": (INTEGERS, shifts),
    "right_shift": (INTEGERS, shifts),
    "power": (NUMBERS, powers),
    "maximum": (ALL, two),
    "equal": (ALL, two),
    "less": (ALL, two),
    "less_equal": (ALL, two),
    "where": (ALL, conditional),
    "sum": (ALL, sums),
    "max": (ALL, maxima),
    "argmax": (ALL, positions_of_maxima),
    "reshape": (ALL, new_shapes),
    "permute": (ALL, permutations),
    "broadcast_to": (ALL, broadcasts),
    "getitem": (ALL, taken),
    "put": (ALL, put_back),
    "concatenate": (ALL, joined),
    "assign": (ALL, assignments),
    "matmul": (NUMBERS, products),
    "relu_grad": (ALL, two),
    "sigmoid_grad": (FLOATS, activated),
    "tanh_grad": (FLOATS, activated),
    "gelu": (FLOATS, activated_once),
    "gelu_grad": (FLOATS, activated),
    "add_bias": (NUMBERS, biased),
    "softmax": (FLOATS, along_axes),
    "softmax_grad": (FLOATS, along_axes_back),
    "log_softmax": (FLOATS, along_axes),
    "log_softmax_grad": (FLOATS, along_axes_back),
    "max_pool2d": (FLOATS, pooled),
    "pick": (FLOATS, picked),
    "spread": (FLOATS, spread_out),
    "batch_norm": (FLOATS, normalized),
    "batch_norm_grad": (FLOATS, normalized_back),
    "layer_norm": (FLOATS, rows_normalized),
    "layer_norm_grad": (FLOATS, rows_normalized_back),
    "sgd": (FLOATS, descents),
    "adam": (FLOATS, adam_steps),
    "conv2d": (FLOATS, convolutions("x_shape", "w_shape")),
    "conv2d_input_grad": (FLOATS, convolutions("y_shape", "w_shape")),
    "conv2d_weight_grad": (FLOATS, convolutions("x_shape", "y_shape")),
}
# The others are exact, or rounded as IEEE 754 prescribes.
ROUNDED = {"exp", "log", "log1p", "sin", "cos", "sigmoid", "tanh", "erf", "power", "sgd", "adam"}
# These add numbers that are not whole, in an order of their own or with one rounding for two operations.
SUMMED = {"batch_norm", "batch_norm_grad", "layer_norm", "layer_norm_grad", "softmax", "softmax_grad", "log_softmax",
          "log_softmax_grad", "gelu", "gelu_grad", "sigmoid_grad", "tanh_grad"}  # fmt: skip
WRITES = {"assign": [0], "add_bias": [0], "sgd": [0, 2], "adam": [0, 2, 3, 4]}  # which arguments


# --- comparing ---------------------------------------------------------------------------------------------


def perform(backend: Any, name: str, arguments: Arguments, layout: Callable[..., np.ndarray] = np.copy) -> Any:
    """What the primitive makes of these arguments, or writes into them.

    The arrays and lists of arrays among them go to the device.
    """

    def on_device(argument: Any) -> Any:
        if isinstance(argument, list):
            return [on_device(array) for array in argument]
        return backend.from_numpy(layout(argument)) if isinstance(argument, np.ndarray) else argument

    moved = [on_device(argument) for argument in arguments]
    result = getattr(backend, name)(*moved)
    if name in WRITES:
        result = tuple([moved[k] for k in WRITES[name] if moved[k] is not None])
    return tuple([backend.to_numpy(one) for one in result]) if isinstance(result, tuple) else backend.to_numpy(result)


def same(found: Any, expected: Any, name: str = "") -> None:
    if isinstance(found, tuple):
        for one, other in zip(found, expected, strict=True):
            same(one, other, name)
        return
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    if found.dtype == bool:  # every byte must be 0 or 1: to NumPy a 2 would do for True as well
        found, expected = found.view(np.uint8), expected.view(np.uint8)
    if name in ROUNDED and found.dtype.kind == "f":
        limits = np.finfo(found.dtype)
        np.testing.assert_allclose(found, expected, rtol=16 * limits.eps, atol=limits.tiny)
    elif name in SUMMED:
        tolerance = 1e-5 if found.dtype == np.float32 else 1e-13
        scale = np.abs(expected[np.isfinite(expected)]).max(initial=1)
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * scale)
    else:
        np.testing.assert_array_equal(found, expected)


@others
@pytest.mark.parametrize(
    ("name", "dtype"), [(name, dtype) for name, (dtypes, _) in CASES.items() for dtype in dtypes]
)
def test_agrees_with_the_reference(name: str, dtype: str, device: str) -> None:
    _, cases = CASES[name]
    for arguments in cases(dtype):
        same(perform(get_backend(device), name, arguments), perform(REFERENCE, name, arguments), name)


PAIRS = ["add", "sub", "mul", "div", "floor_divide", "remainder", "power", "maximum", "equal", "less", "less_equal"]


@pytest.mark.parametrize("name", [*PAIRS, "where"])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(5,), (1, 3, 4), (130, 133)])  # the last is large enough for kernels of its own
def test_an_operand_without_axes_meets_every_element(name: str, dtype: str, shape: tuple, device: str) -> None:
    x, number = whole(shape, dtype) + 5, np.array(2, dtype)
    condition = [x > 4] if name == "where" else []
    for arguments in ([x, number], [number, x]):
        repeated = [np.broadcast_to(one, shape).copy() for one in arguments]
        expected = perform(REFERENCE, name, (*condition, *repeated))
        same(perform(get_backend(device), name, (*condition, *arguments)), expected, name)


@others
@pytest.mark.parametrize("name", [name for name in CASES if name not in WRITES])  # which writes, see below
def test_takes_arrays_in_any_layout(name: str, device: str) -> None:
    dtypes, cases = CASES[name]
    for arguments in cases("float32" if "float32" in dtypes else dtypes[0]):
        if max([array.size for array in arguments if isinstance(array, np.ndarray)], default=0) < 100:
            expected = perform(REFERENCE, name, arguments)
            for layout in LAYOUTS:
                same(perform(get_backend(device), name, arguments, layout), expected, name)


# --- what the cases do not show ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ALL)
def test_to_the_device_and_back(dtype: str, device: str) -> None:
    backend = get_backend(device)
    for shape, layout in itertools.product(SHAPES, LAYOUTS):
        x = whole(shape, dtype)
        same(backend.to_numpy(backend.from_numpy(layout(x))), x)


def test_what_shares_memory(device: str) -> None:
    backend = get_backend(device)
    x = backend.from_numpy(whole((3, 4), "float32"))
    views = [backend.reshape(x, (12,)), backend.getitem(x, (...,)), backend.getitem(x, (slice(None), None, ...))]
    views += [backend.permute(x, (1, 0)), backend.getitem(x, (1, ...)), backend.broadcast_to(x, (2, 3, 4))]
    views += [backend.reshape(backend.getitem(x, (slice(None), slice(0, None, 2), ...)), (3, 1, 2))]
    for y in [x, *views]:
        assert backend.shares_memory(x, y)
    assert [backend.is_contiguous(y) for y in views] == [True, True, True, False, True, False, False]
    new = [backend.copy(x), backend.neg(x), backend.sum(x, ()), backend.max(x, ()), backend.astype(x, x.dtype)]
    new += [backend.reshape(backend.permute(x, (1, 0)), (12,)), backend.copy(backend.permute(x, (1, 0)))]
    new += [backend.put(x, (...,), (3, 4)), backend.concatenate([x], 0), backend.getitem(x, (np.arange(3), ...))]
    for y in new:
        assert not backend.shares_memory(x, y)


def test_writing_a_copy_leaves_the_original(device: str) -> None:
    backend = get_backend(device)
    x = backend.from_numpy(whole((3, 4), "float32"))
    y = backend.copy(x)
    backend.assign(y, (...,), backend.full((3, 4), 9, np.dtype("float32")))
    same(backend.to_numpy(x), whole((3, 4), "float32"))
    same(backend.to_numpy(y), np.full((3, 4), 9, "float32"))


def test_writing_what_shares_memory_writes_the_original(device: str) -> None:
    backend = get_backend(device)
    x = backend.copy(backend.from_numpy(np.zeros((2, 3), "float32")))
    backend.assign(backend.reshape(x, (6,)), (slice(None, None, 2), ...), backend.full((3,), 1, np.dtype("float32")))
    backend.assign(backend.getitem(x, (...,)), (1, 1, ...), backend.full((), 7, np.dtype("float32")))
    columns = backend.getitem(backend.permute(x, (1, 0)), (slice(None, None, -1), ...))
    backend.assign(columns, (np.array([0, 0]), 1, ...), backend.from_numpy(np.array([8, 9], "float32")))
    same(backend.to_numpy(x), np.array([[1, 0, 1], [0, 7, 9]], "float32"))


def test_what_is_repeated_is_not_written(device: str) -> None:
    backend = get_backend(device)
    x = backend.broadcast_to(backend.full((3,), 1, np.dtype("float32")), (2, 3))
    with pytest.raises(RuntimeError, match=r"expanded or broadcast.*x\.clone\(\)"):
        backend.assign(x, (0, ...), backend.full((3,), 2, np.dtype("float32")))


def test_float32_sums_are_accurate(device: str) -> None:
    """A running sum would be off by about 1e-5."""
    x = np.random.default_rng(0).uniform(0, 1, (3, 10**6)).astype("float32")
    expected = x.sum(1, np.float64, keepdims=True)
    np.testing.assert_allclose(perform(get_backend(device), "sum", (x, (1,))), expected, rtol=5e-7)


def test_integer_exponents_are_exact(device: str) -> None:
    for dtype in FLOATS:
        x = np.random.default_rng(0).standard_normal(100).astype(dtype)
        backend = get_backend(device)
        same(perform(backend, "power", (x, 0)), np.ones_like(x))
        same(perform(backend, "power", (x, 1)), x)
        same(perform(backend, "power", (x, 2)), x * x)
        same(perform(backend, "power", (x, -1)), 1 / x)
        same(perform(backend, "power", (np.abs(x), 0.5)), np.sqrt(np.abs(x)))
        same(perform(backend, "power", (np.arange(10, dtype=dtype), 3)), np.arange(10, dtype=dtype) ** 3)


@pytest.mark.parametrize("exponent", [-1, np.array([2, -1], "int32")])
def test_integers_have_no_negative_powers(exponent: Any, device: str) -> None:
    with pytest.raises(ValueError, match=r"[Ii]ntegers to negative (integer )?powers"):
        perform(get_backend(device), "power", (np.array([2, 3], "int32"), exponent))


def test_the_same_bits_every_time(device: str) -> None:
    """Of everything that adds up: the order of additions is fixed."""
    backend = get_backend(device)
    normal = np.random.default_rng(0).standard_normal
    geometry = conv_geometry("conv2d", (4, 3, 20, 21), (5, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1)
    if device == "reference":  # whose convolutions are slow
        geometry = GEOMETRIES[1]
    x, w, y = [normal(shape).astype("float32") for shape in (geometry.x_shape, geometry.w_shape, geometry.y_shape)]
    for name, arguments in {
        "sum": (normal((300, 70)).astype("float32"), (0, 1)),
        "put": (normal(1000).astype("float32"), (np.arange(1000) % 7, ...), (7,)),
        "matmul": (normal((50, 60)).astype("float32"), normal((60, 40)).astype("float32")),
        "conv2d": (x, w, geometry),
        "conv2d_input_grad": (y, w, geometry),
        "conv2d_weight_grad": (x, y, geometry),
    }.items():
        same(perform(backend, name, arguments), perform(backend, name, arguments))


# --- convolutions of every geometry ------------------------------------------------------------------------------


@st.composite
def geometries(draw: st.DrawFn) -> ConvGeometry:
    """A random convolution, small enough for the loops of `Reference`."""
    small = st.integers(1, 3)
    groups, channels, outputs = draw(small), draw(small), draw(st.sampled_from([1, 2, 9]))
    stride, dilation, padding = [draw(st.tuples(sizes, sizes)) for sizes in (small, small, st.integers(0, 3))]
    kernel = draw(st.tuples(small, st.integers(1, 4)))
    image = []
    for axis, most in [(0, 5), (1, 12)]:
        least = dilation[axis] * (kernel[axis] - 1) + 1 - 2 * padding[axis]  # for an output of size 1
        image.append(draw(st.integers(max(1, least), max(1, least) + most)))
    batch = draw(st.integers(0, 2))
    x_shape, w_shape = (batch, groups * channels, *image), (groups * outputs, channels, *kernel)
    return conv_geometry("conv2d", x_shape, w_shape, stride, padding, dilation, groups)


@others
@settings(max_examples=40)
@given(geometry=geometries(), dtype=st.sampled_from(FLOATS), seed=st.integers(0, 2**32))
def test_convolutions_of_any_geometry(geometry: ConvGeometry, dtype: str, seed: int, device: str) -> None:
    x, w, y = [whole(shape, dtype, seed) for shape in (geometry.x_shape, geometry.w_shape, geometry.y_shape)]
    for name, first, second in [("conv2d", x, w), ("conv2d_input_grad", y, w), ("conv2d_weight_grad", x, y)]:
        arguments = (first, second, geometry)
        same(perform(get_backend(device), name, arguments), perform(REFERENCE, name, arguments))


@settings(max_examples=25)
@given(geometry=geometries(), seed=st.integers(0, 2**32))
def test_convolutions_are_adjoint(geometry: ConvGeometry, seed: int, device: str) -> None:
    """Derivatives of one trilinear form: <conv2d(x,w),y> = <x,input_grad(y,w)> = <w,weight_grad(x,y)>."""
    backend = get_backend(device)
    x, w, y = [whole(shape, "float64", seed) for shape in (geometry.x_shape, geometry.w_shape, geometry.y_shape)]
    form = (perform(backend, "conv2d", (x, w, geometry)) * y).sum()
    assert form == (x * perform(backend, "conv2d_input_grad", (y, w, geometry))).sum()
    assert form == (w * perform(backend, "conv2d_weight_grad", (x, y, geometry))).sum()


@others
@pytest.mark.parametrize("number", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("geometry", [geometry for geometry in GEOMETRIES if 0 not in geometry.x_shape])
def test_convolutions_that_are_not_finite(geometry: ConvGeometry, number: float, device: str) -> None:
    """Infinity reaches what it meets and nothing else: a tap outside the image is skipped, it is not zero times it."""
    for name, first, second in [
        ("conv2d", geometry.x_shape, geometry.w_shape),
        ("conv2d_input_grad", geometry.y_shape, geometry.w_shape),
        ("conv2d_weight_grad", geometry.x_shape, geometry.y_shape),
    ]:
        for position in (0, 1):
            factors = [whole(first, "float32", 1), whole(second, "float32", 2)]
            factors[position].flat[:: max(1, factors[position].size // 2)] = number
            arguments = (*factors, geometry)
            same(perform(get_backend(device), name, arguments), perform(REFERENCE, name, arguments))


@others
def test_matrices_that_are_not_finite(device: str) -> None:
    x, y = whole((9, 11), "float32", 1), whole((11, 10), "float32", 2)
    x[3, 4], x[8, 1], y[10, 9] = np.inf, np.nan, -np.inf
    same(perform(get_backend(device), "matmul", (x, y)), perform(REFERENCE, "matmul", (x, y)))


# --- nothing is left out ---------------------------------------------------------------------------------------


class Recorder:
    """The reference back end, and which of its primitives have been called."""

    def __init__(self) -> None:
        self.called: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.called.add(name)
        return getattr(REFERENCE, name)


def test_the_cases_call_every_primitive() -> None:
    recorder = Recorder()
    for name, (dtypes, cases) in CASES.items():
        perform(recorder, name, next(iter(cases(dtypes[0]))))
    apart = {"shares_memory", "is_contiguous"}  # in the test of what shares memory
    assert {*Backend.__abstractmethods__, *Backend.__annotations__} - {"name", "watcher"} - recorder.called == apart
