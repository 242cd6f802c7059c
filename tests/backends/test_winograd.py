"""Winograd's convolution: three maps that agree with float64 within its small error, whatever the sizes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad
from minigrad.backends.cpu import choose, use
from minigrad.backends.geometry import ConvGeometry, conv_geometry
from minigrad_ext import machine, winograd

CPU = minigrad.get_backend("cpu")
MAPS = ["conv2d", "conv2d_input_grad", "conv2d_weight_grad"]
SETS = [set_ for set_ in range(3) if machine.has(set_)]
Padding = int | tuple[int, int]


def geometry(x: tuple[int, ...], w: tuple[int, ...], padding: Padding = 0, groups: int = 1,
             dilation: tuple[int, int] = (1, 1)) -> ConvGeometry:
    padding = (padding, padding) if isinstance(padding, int) else padding
    return conv_geometry("test", x, w, (1, 1), padding, dilation, groups)


def operands(g: ConvGeometry, seed: int = 0, positive: bool = False, dtype: Any = np.float32) -> dict[str, Any]:
    """Random x, w and y. Positive ones, as behind a ReLU, half of them 0, are harder: differences of them are small."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, shape in (("x", g.x_shape), ("w", g.w_shape), ("y", g.y_shape)):
        arrays[name] = rng.standard_normal(shape, dtype)
        if positive and name != "w":
            arrays[name] = np.maximum(arrays[name], 0)
    return arrays


FACTORS = {"conv2d": "xw", "conv2d_input_grad": "yw", "conv2d_weight_grad": "xy"}
RESULT = {"conv2d": "y", "conv2d_input_grad": "x", "conv2d_weight_grad": "w"}


def compute(
    name: str, g: ConvGeometry, arrays: dict[str, Any], threads: int = 1, set_: int = SETS[-1]
) -> tuple[Any, bool]:
    """The result of the map, written over NaNs so that none is forgotten, and whether it claims to be finite."""
    result = np.full_like(arrays[RESULT[name]], np.nan)
    finite = getattr(winograd, name)(*[arrays[a] for a in FACTORS[name]], result, g, threads, set_)
    return result, finite


def error(name: str, g: ConvGeometry, arrays: dict[str, Any], **options: Any) -> float:
    """The norm of the difference from the exact rung, in float64, over the norm of the result."""
    found, finite = compute(name, g, arrays, **options)
    assert finite
    with use("direct"):
        expected = getattr(CPU, name)(*[arrays[a].astype(np.float64) for a in FACTORS[name]], g)
    norm = np.linalg.norm(expected)
    return float(np.linalg.norm(found - expected) / norm) if norm else float(np.abs(found).max(initial=0.0))


@st.composite
def geometries(draw: st.DrawFn) -> ConvGeometry:
    def size(least: int, most: int) -> int:
        return draw(st.integers(least, most))

    groups = draw(st.sampled_from([1, 1, 1, 2, 5]))
    channels, outputs = [max(1, size(1, 70) // groups) for _ in range(2)]
    padding = (size(0, 4), size(0, 4))
    dilation = draw(st.sampled_from([(1, 1), (1, 1), (2, 2), (1, 3), (4, 2), (3, 7), (11, 16)]))
    image = [max(1, 2 * d + 1 - 2 * p) + size(0, 19) for p, d in zip(padding, dilation, strict=True)]
    x_shape, w_shape = (size(0, 3), groups * channels, *image), (groups * outputs, channels, 3, 3)
    return geometry(x_shape, w_shape, padding, groups, dilation)


@pytest.mark.parametrize("set_", SETS)
@given(g=geometries(), positive=st.booleans())
@settings(deadline=None, max_examples=60)
def test_all_maps_agree_with_float64_on_random_sizes(set_: int, g: ConvGeometry, positive: bool) -> None:
    arrays = operands(g, positive=positive)
    for name in MAPS:
        few = arrays[RESULT[name]].size < 64  # of which all may be small by chance, though products are not
        assert error(name, g, arrays, set_=set_) < (3e-5 if few else 3e-6), (name, g)


@pytest.mark.parametrize("set_", SETS)
@given(g=geometries())
@settings(deadline=None, max_examples=40)
def test_float64_is_as_accurate_as_it_can_be(set_: int, g: ConvGeometry) -> None:
    arrays = operands(g, dtype=np.float64)
    for name in MAPS:
        few = arrays[RESULT[name]].size < 64
        assert error(name, g, arrays, set_=set_) < (1e-13 if few else 1e-14), (name, g)


@given(g=geometries(), dtype=st.sampled_from([np.float32, np.float64]))
@settings(deadline=None, max_examples=40)
def test_the_number_of_threads_does_not_change_a_bit(g: ConvGeometry, dtype: Any) -> None:
    arrays = operands(g, dtype=dtype)
    for name in MAPS:
        first, _ = compute(name, g, arrays)
        for threads in (1, 2, 3):
            assert np.array_equal(compute(name, g, arrays, threads)[0], first), (name, threads, g)


# Large enough for several threads, for several blocks of tiles, panels and chunks: few tiles, many tiles, groups.
LARGE = [
    geometry((1, 200, 7, 7), (300, 200, 3, 3), 1),
    geometry((3, 33, 40, 41), (50, 33, 3, 3), (2, 0)),
    geometry((2, 120, 19, 30), (90, 40, 3, 3), 1, groups=3),
    geometry((9, 260, 29, 30), (140, 260, 3, 3), 1),
]


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("g", LARGE)
def test_large_ones_are_accurate_and_the_same_for_all_threads(g: ConvGeometry, name: str) -> None:
    arrays = operands(g)
    assert error(name, g, arrays) < 2e-6
    first, _ = compute(name, g, arrays)
    for threads in (2, 3):
        assert np.array_equal(compute(name, g, arrays, threads)[0], first)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize(
    "g",
    [
        geometry((2, 512, 7, 7), (512, 512, 3, 3), 1),
        geometry((1, 2000, 5, 5), (30, 2000, 3, 3), 1),
        geometry((64, 3, 40, 40), (8, 3, 3, 3), 1),
    ],
)
def test_the_error_stays_small_however_long_the_sums(g: ConvGeometry, name: str, positive: bool) -> None:
    assert error(name, g, operands(g, positive=positive), threads=2) < 2.5e-6


@given(g=geometries())
@settings(deadline=None, max_examples=40)
def test_the_three_maps_are_adjoint(g: ConvGeometry) -> None:
    arrays = operands(g)
    found = [np.vdot(arrays[RESULT[name]].astype(np.float64), compute(name, g, arrays)[0]) for name in MAPS]
    scale = np.prod([np.linalg.norm(array) for array in arrays.values()])
    np.testing.assert_allclose(found, found[0], atol=3e-6 * scale)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, np.float32(3e38)])
@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("g", [geometry((2, 20, 9, 10), (40, 20, 3, 3), 1), geometry((1, 3, 5, 6), (70, 3, 3, 3), 2)])
def test_it_says_when_a_result_is_not_finite(g: ConvGeometry, name: str, value: float) -> None:
    arrays = operands(g)
    assert compute(name, g, arrays)[1]
    for factor in FACTORS[name]:
        for place in (0, arrays[factor].size // 2, -1):
            changed = dict(arrays, **{factor: arrays[factor].copy()})
            changed[factor].flat[place] = value
            result, finite = compute(name, g, changed, threads=2)
            assert not finite
            assert not np.isfinite(result).all()


@pytest.mark.parametrize("value", [np.inf, np.nan])
@pytest.mark.parametrize("name", MAPS)
def test_on_the_ladder_infinity_and_nan_go_where_the_equations_send_them(name: str, value: float) -> None:
    g = geometry((2, 20, 9, 10), (40, 20, 3, 3), 1)
    arrays = operands(g)
    for factor in FACTORS[name]:
        arrays[factor][1, 3, 1, 2] = value
    results = []
    for rung in ("winograd", "loops"):
        with use(rung):
            results.append(getattr(CPU, name)(*[arrays[a] for a in FACTORS[name]], g))
    assert 0 < np.count_nonzero(~np.isfinite(results[0])) < results[0].size
    np.testing.assert_allclose(*results, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", MAPS)
def test_the_ladder_takes_it_where_it_saves_time(name: str) -> None:
    def chosen(x: tuple[int, ...], w: tuple[int, ...], groups: int = 1) -> str:
        return choose(geometry(x, w, 1, groups), np.dtype(np.float32), name)

    assert chosen((8, 64, 28, 64), (64, 64, 3, 3)) == "winograd"
    assert chosen((8, 64, 28, 64), (64, 64, 5, 5)) == "direct"
    assert chosen((8, 64, 28, 28), (64, 1, 3, 3), 64) == "grouped"
    assert chosen((8, 18, 28, 28), (18, 1, 3, 3), 18) == "direct"
    assert chosen((8, 64, 28, 28), (64, 1, 1, 1), 64) == "direct"
    for dilation, rung in ((6, "winograd"), (14, "direct")):  # of 33 pixels
        g = conv_geometry("test", (1, 64, 33, 33), (64, 64, 3, 3), (1, 1), (dilation,) * 2, (dilation,) * 2, 1)
        assert choose(g, np.dtype(np.float32), name) == rung
    assert chosen((8, 3, 28, 28), (64, 3, 3, 3)) == "direct"
    assert choose(geometry((8, 64, 28, 64), (64, 64, 3, 3), 1), np.dtype(np.float64), name) == "winograd"
    g = conv_geometry("test", (1, 8, 9, 9), (8, 8, 3, 3), (2, 2), (1, 1), (1, 1), 1)
    factors = [operands(g)[factor] for factor in FACTORS[name]]
    with use("winograd"), pytest.raises(ValueError, match=r"stride 1.*direct"):
        getattr(CPU, name)(*factors, g)


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize(
    "shapes",
    [
        ((0, 4, 5, 5), (4, 4, 3, 3)),
        ((2, 0, 5, 5), (4, 0, 3, 3)),
        ((2, 4, 5, 5), (0, 4, 3, 3)),
        ((1, 1, 3, 3), (1, 1, 3, 3)),
    ],
)
def test_empty_and_single_arrays(shapes: Any, name: str) -> None:
    g = geometry(*shapes)
    assert error(name, g, operands(g)) < 2e-6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", MAPS)
def test_nothing_beside_the_arrays_is_read_or_written(name: str, dtype: Any) -> None:
    """Arrays amid NaNs: whatever is read beyond them shows in the result, and what is written beyond them is seen."""
    for g in (geometry((2, 17, 9, 11), (33, 17, 3, 3), 1), geometry((1, 5, 3, 4), (6, 5, 3, 3), 2)):
        arrays, around = operands(g, dtype=dtype), {}
        for factor, array in arrays.items():
            around[factor] = np.full(array.size + 200, np.nan, dtype)
            view = around[factor][100:-100].reshape(array.shape)
            view[...] = array
            arrays[factor] = view
        expected, _ = compute(name, g, {factor: array.copy() for factor, array in arrays.items()})
        result = arrays[RESULT[name]]
        assert getattr(winograd, name)(*[arrays[a] for a in FACTORS[name]], result, g, 2, SETS[-1])
        assert np.array_equal(result, expected)
        for array in around.values():
            assert np.isnan(array[:100]).all()
            assert np.isnan(array[-100:]).all()


@pytest.mark.parametrize("name", MAPS)
def test_arrays_that_do_not_fit_are_refused(name: str) -> None:
    g = geometry((1, 2, 6, 6), (3, 2, 3, 3))
    arrays = operands(geometry((1, 2, 6, 7), (3, 2, 3, 3)))
    with pytest.raises(ValueError, match="do not fit"):
        compute(name, g, arrays)


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"),
    [((3, 5), (1, 1), (1, 1)), ((3, 3), (1, 2), (1, 1)), ((3, 3), (2, 1), (1, 1)), ((3, 3), (1, 1), (1, 17))],
)
def test_it_applies_to_small_steps_of_three_by_three(kernel: Any, stride: Any, dilation: Any) -> None:
    g = conv_geometry("test", (1, 2, 20, 36), (3, 2, *kernel), stride, (1, 1), dilation, 1)
    with pytest.raises(ValueError, match="3 x 3"):
        winograd.conv2d(*[np.zeros(s, np.float32) for s in (g.x_shape, g.w_shape, g.y_shape)], g, 1, SETS[0])
    with use("winograd"), pytest.raises(ValueError, match=r"3 x 3.*direct"):
        CPU.conv2d(np.zeros(g.x_shape, np.float32), np.zeros(g.w_shape, np.float32), g)
    assert choose(g, np.float32) != "winograd"


def test_dilation_leaves_what_no_tap_meets_at_zero() -> None:
    g = geometry((1, 1, 9, 12), (1, 1, 3, 3), dilation=(4, 5))  # one row, two columns of results
    arrays = operands(g)
    found, _ = compute("conv2d_input_grad", g, arrays)
    assert np.count_nonzero(found) == 3 * 6
    np.testing.assert_allclose(found, CPU.conv2d_input_grad(arrays["y"], arrays["w"], g), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", MAPS)
def test_an_enormous_dilation_takes_no_more_than_its_rows(name: str) -> None:
    far = 2**40
    g = conv_geometry("test", (1, 2, 5, 6), (3, 2, 3, 3), (1, 1), (far, 1), (far, 1), 1)
    arrays = operands(g)
    found, finite = compute(name, g, arrays)
    with use("loops"):
        expected = getattr(CPU, name)(*[arrays[a] for a in FACTORS[name]], g)
    assert finite
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
