"""What is particular to the CPU: threads, memory layout, and kernels that defend themselves."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import minigrad
from minigrad.backends import threads
from minigrad.backends.cpu import instruction_sets, use
from minigrad.backends.geometry import ConvGeometry, conv_geometry, transposed_geometry
from minigrad_ext import direct, loops

CPU = minigrad.get_backend("cpu")
REFERENCE = minigrad.get_backend("reference")
MAPS = ["conv2d", "conv2d_input_grad", "conv2d_weight_grad"]
RUNGS = [(rung, instructions) for rung in ("loops", "direct", "grouped") for instructions in instruction_sets()]


def geometry(
    x: tuple[int, ...], w: tuple[int, ...], stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> ConvGeometry:
    pairs = [(value, value) if isinstance(value, int) else value for value in (stride, padding, dilation)]
    return conv_geometry("test", x, w, *pairs, groups)


def operands(name: str, g: ConvGeometry, draw: Callable[[tuple[int, ...]], Any]) -> tuple[Any, Any]:
    """The two factors of the map called `name`, filled by `draw`."""
    shapes = {
        "conv2d": (g.x_shape, g.w_shape),
        "conv2d_input_grad": (g.y_shape, g.w_shape),
        "conv2d_weight_grad": (g.x_shape, g.y_shape),
    }
    first, second = shapes[name]
    return draw(first), draw(second)


def integers(rng: np.random.Generator, dtype: Any, special: float = 0.0) -> Callable[[tuple[int, ...]], Any]:
    """Small whole numbers, whose sums are exact in any order; a share of infinities and NaNs among them."""

    def draw(shape: tuple[int, ...]) -> Any:
        values = rng.integers(-4, 5, shape).astype(dtype)
        odd = rng.random(shape) < special
        values[odd] = rng.choice([np.nan, np.inf, -np.inf], np.count_nonzero(odd))
        return values

    return draw


def assert_agrees(g: ConvGeometry, draw: Callable[[tuple[int, ...]], Any]) -> None:
    """All rungs, with all instruction sets that the machine has, give what plain Python gives."""
    for name in MAPS:
        arrays = operands(name, g, draw)
        expected = getattr(REFERENCE, name)(*arrays, g)
        for rung, instructions in RUNGS:
            with use(rung, instructions):
                found = getattr(CPU, name)(*arrays, g)
            assert found.dtype == expected.dtype
            assert found.flags.c_contiguous
            np.testing.assert_array_equal(found, expected, err_msg=f"{name} on {rung}, {instructions}, with {g}")


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("special", [0.0, 0.01])
def test_a_kernel_as_large_as_the_image_is_a_product_of_matrices(name: str, special: float) -> None:
    g = geometry((12, 9, 5, 4), (17, 9, 5, 4), stride=(3, 2))
    arrays = operands(name, g, integers(np.random.default_rng(0), "float32", special))
    arrays = arrays[0], arrays[1].transpose(3, 1, 2, 0).copy().transpose(3, 1, 2, 0)  # in another order in memory
    expected = getattr(REFERENCE, name)(*arrays, g)
    np.testing.assert_array_equal(getattr(CPU, name)(*arrays, g), expected)


@pytest.fixture
def thread_count() -> Iterator[None]:
    """Puts the number of threads back."""
    before = minigrad.get_num_threads()
    yield
    minigrad.set_num_threads(before)


# --- the three maps agree with plain Python ------------------------------------------------------------------


@st.composite
def geometries(draw: st.DrawFn) -> ConvGeometry:
    def size(least: int, most: int) -> int:
        return draw(st.integers(least, most))

    groups, channels, out_channels = size(1, 3), size(0, 6), size(0, 6)
    kernel = (size(1, 3), size(1, 4))
    stride, padding, dilation = ((size(least, most), size(least, most)) for least, most in ((1, 5), (0, 4), (1, 3)))
    image = tuple(max(0, dilation[a] * (kernel[a] - 1) + 1 - 2 * padding[a]) + size(0, 6) for a in (0, 1))
    x_shape, w_shape = (size(0, 3), groups * channels, *image), (groups * out_channels, channels, *kernel)
    g = conv_geometry("test", x_shape, w_shape, stride, padding, dilation, groups)  # type: ignore[arg-type]
    assume(g.flops < 20_000)  # plain Python takes a microsecond for two
    return g


@settings(max_examples=60)
@given(g=geometries(), dtype=st.sampled_from(["float32", "float64"]), seed=st.integers(0, 2**32 - 1))
def test_random_geometries(g: ConvGeometry, dtype: str, seed: int) -> None:
    assert_agrees(g, integers(np.random.default_rng(seed), dtype))


@settings(max_examples=40)
@given(g=geometries(), dtype=st.sampled_from(["float32", "float64"]), seed=st.integers(0, 2**32 - 1))
def test_infinity_and_nan_go_where_the_equations_send_them(g: ConvGeometry, dtype: str, seed: int) -> None:
    assert_agrees(g, integers(np.random.default_rng(seed), dtype, special=0.05))


@pytest.mark.parametrize(
    "g",
    [
        geometry((1, 1, 2, 1100), (1, 1, 1, 3), padding=1),  # rows longer than a tile
        geometry((1, 1, 1, 1300), (1, 1, 1, 2), stride=(1, 2)),
        geometry((1, 2, 60, 20), (1, 2, 1, 1)),  # a 1 x 1 kernel: one row longer than a tile
        geometry((3, 1, 80, 3), (1, 1, 3, 2)),  # more rows, and more images, than conv2d_weight_grad takes at once
        geometry((1, 9, 3, 3), (10, 9, 2, 2)),  # blocks of channels with one and two left over
        geometry((1, 8, 2, 2), (4, 4, 1, 1), groups=2),
        geometry((2, 3, 0, 4), (2, 3, 1, 2), padding=1),  # an image of no pixels has an edge all the same
        geometry((1, 0, 3, 3), (2, 0, 2, 2)),  # the empty sum is 0
        geometry((0, 1, 3, 3), (2, 1, 2, 2)),
        geometry((1, 1, 5, 5), (1, 1, 2, 2), stride=(3, 7)),  # remainders that nothing meets
        transposed_geometry("test", (1, 2, 3, 3), (2, 1, 1, 1), (1, 1), (0, 0), (1, 1), (2, 2), 1),
    ],
    ids=lambda g: f"{g.x_shape}*{g.w_shape}",
)
def test_particular_geometries(g: ConvGeometry, rng: np.random.Generator) -> None:
    assert_agrees(g, integers(rng, np.float32))


@st.composite
def many(draw: st.DrawFn, groups: int, channels: int, outs: int, flops: int) -> ConvGeometry:
    """At most so many groups, channels and outputs, which fill the vectors of any instruction set, or do not quite."""

    def pair(least: int, most: int) -> tuple[int, int]:
        return draw(st.tuples(st.integers(least, most), st.integers(least, most)))

    groups, channels, outs = (draw(st.integers(1, most)) for most in (groups, channels, outs))
    kernel, stride, padding, dilation = pair(1, 4), pair(1, 4), pair(0, 4), pair(1, 3)
    image = [max(1, dilation[a] * (kernel[a] - 1) + 1 - 2 * padding[a]) + pair(0, 30)[a] for a in (0, 1)]
    x_shape, w_shape = (draw(st.integers(1, 4)), groups * channels, *image), (groups * outs, channels, *kernel)
    g = conv_geometry("test", x_shape, w_shape, stride, padding, dilation, groups)  # type: ignore[arg-type]
    assume(g.flops < flops)  # the loops take half a millisecond for 4,000,000
    return g


def assert_agrees_with_loops(rung: str, g: ConvGeometry, draw: Callable[[tuple[int, ...]], Any]) -> None:
    for name in MAPS:
        arrays = operands(name, g, draw)
        with use("loops"):
            expected = getattr(CPU, name)(*arrays, g)
        for instructions in instruction_sets():
            with use(rung, instructions):
                found = getattr(CPU, name)(*arrays, g)
            np.testing.assert_array_equal(found, expected, err_msg=f"{name} on {rung}, {instructions}, with {g}")


@settings(max_examples=200)
@given(g=many(2, 40, 90, 4_000_000), dtype=st.sampled_from(["float32", "float64"]), seed=st.integers(0, 2**32 - 1))
def test_direct_agrees_with_loops_on_many_channels(g: ConvGeometry, dtype: str, seed: int) -> None:
    assert_agrees_with_loops("direct", g, integers(np.random.default_rng(seed), dtype))


@pytest.mark.parametrize(
    "g",
    [
        geometry((2, 5, 20, 30), (49, 5, 2, 2)),  # places enough for all weights to be packed first
        geometry((3, 6, 40, 13), (70, 6, 3, 3), stride=2, padding=1),
        geometry((1, 3, 3, 700), (20, 3, 1, 2), padding=(0, 1)),  # rows longer than a panel
        geometry((4, 130, 5, 5), (36, 130, 3, 3), padding=1),  # blocks of terms, the last of them smaller
        geometry((40, 9, 4, 4), (17, 9, 3, 2)),  # blocks of terms over many images
        geometry((2, 40, 19, 23), (33, 40, 3, 3), padding=15, dilation=(15, 14)),  # taps that meet little
        geometry((3, 70, 9, 11), (18, 70, 3, 4), padding=(9, 12), dilation=(8, 7), stride=(2, 3)),
        geometry((9, 20, 3, 2), (24, 20, 5, 4), padding=(2, 3)),
        geometry((2, 40, 14, 14), (64, 20, 3, 3), stride=(2, 1), padding=1, groups=2),
        geometry((2, 16, 9, 7), (160, 16, 1, 1)),  # the image itself serves, as one row
        geometry((2, 16, 9, 7), (16, 16, 2, 1)),  # and row by row
        geometry((5, 24, 30, 14), (24, 1, 3, 3), padding=1, groups=24),  # one after the other, without any lanes
        geometry((3, 4, 9, 14), (6, 2, 5, 5), padding=2, groups=2),  # more taps than a dot product takes at once
    ],
    ids=lambda g: f"{g.x_shape}*{g.w_shape}",
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_direct_agrees_with_loops_on_large_ones(g: ConvGeometry, dtype: str, rng: np.random.Generator) -> None:
    assert_agrees_with_loops("direct", g, integers(rng, dtype))


@settings(max_examples=200)
@given(g=many(40, 3, 3, 2_000_000), dtype=st.sampled_from(["float32", "float64"]), seed=st.integers(0, 2**32 - 1),
       special=st.sampled_from([0, 0, 0.001]))  # fmt: skip
def test_grouped_agrees_with_loops_on_many_groups(g: ConvGeometry, dtype: str, seed: int, special: float) -> None:
    assert_agrees_with_loops("grouped", g, integers(np.random.default_rng(seed), dtype, special))


@pytest.mark.parametrize("name", MAPS)
def test_a_stride_of_a_billion_takes_a_single_step_in_no_memory(name: str, rng: np.random.Generator) -> None:
    g = geometry((3, 16, 5, 4), (16, 1, 3, 3), stride=2**58, padding=1, groups=16)
    arrays = operands(name, g, integers(rng, np.float32))
    with use("loops"):
        expected = getattr(CPU, name)(*arrays, g)
    for rung in ("direct", "grouped"):
        with use(rung):
            np.testing.assert_array_equal(getattr(CPU, name)(*arrays, g), expected)


@pytest.mark.parametrize("rung", ["loops", "direct", "grouped", "winograd"])
def test_derivatives_on_every_rung(rung: str, rng: np.random.Generator) -> None:
    x = minigrad.tensor(rng.standard_normal((2, 18, 3, 4)), requires_grad=True)
    w = minigrad.tensor(rng.standard_normal((18, 1, 3, 3)), requires_grad=True)
    with use(rung):
        for check in (minigrad.gradcheck, minigrad.gradgradcheck):
            assert check(lambda x, w: minigrad.nn.functional.conv2d(x, w, padding=1, groups=18), (x, w))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_grouped_agrees_with_loops_on_large_images(dtype: str, rng: np.random.Generator) -> None:
    """Which are cut into strips."""
    for stride in (1, 2):
        g = geometry((2, 34, 130, 90), (34, 1, 3, 3), stride=stride, padding=1, groups=34)
        assert_agrees_with_loops("grouped", g, integers(rng, dtype))


@pytest.mark.parametrize(("rung", "bound"), [("loops", 1e-6), ("direct", 1e-6), ("grouped", 1e-6), ("winograd", 3e-6)])
@pytest.mark.parametrize("name", MAPS)
def test_float32_is_accurate(name: str, rung: str, bound: float, rng: np.random.Generator) -> None:
    g = geometry((4, 96, 20, 20), (32, 96, 3, 3), padding=1)
    arrays = operands(name, g, rng.standard_normal)
    exact = getattr(CPU, name)(*arrays, g)
    with use(rung):
        found = getattr(CPU, name)(*[array.astype(np.float32) for array in arrays], g)
    assert np.linalg.norm((found - exact).ravel()) < bound * np.linalg.norm(exact.ravel())


@pytest.mark.parametrize("rung", ["loops", "direct", "grouped"])
@pytest.mark.parametrize("groups", [1, 16])
def test_sums_over_a_million_places_are_accurate(rung: str, groups: int, rng: np.random.Generator) -> None:
    g = geometry((1, groups, 1024, 1024), (groups, 1, 1, 2), groups=groups)
    arrays = [array.astype(np.float32) for array in operands("conv2d_weight_grad", g, rng.standard_normal)]
    exact = CPU.conv2d_weight_grad(*[array.astype(np.float64) for array in arrays], g)
    with use(rung):
        found = CPU.conv2d_weight_grad(*arrays, g)
    assert np.linalg.norm(found - exact) < 2e-6 * np.linalg.norm(exact)


@pytest.mark.parametrize("name", MAPS)
def test_more_channels_than_pass_over_a_panel_together(name: str, rng: np.random.Generator) -> None:
    g = geometry((2, 3, 6, 7), (1100, 3, 2, 3), padding=1)
    arrays = operands(name, g, integers(rng, np.float32))
    with use("loops"):
        expected = getattr(CPU, name)(*arrays, g)
    with use("direct"):
        np.testing.assert_array_equal(getattr(CPU, name)(*arrays, g), expected)


# --- threads -------------------------------------------------------------------------------------------------

SHARED_OUT = [  # big enough for several threads, and for all ways that the rungs have
    geometry((2, 5, 33, 31), (7, 5, 3, 3), padding=1),
    geometry((3, 8, 30, 30), (12, 4, 3, 3), stride=2, groups=2),
    geometry((1, 16, 40, 40), (16, 16, 1, 1)),
    geometry((1, 1, 300, 300), (1, 1, 2, 3)),
    geometry((40, 6, 14, 14), (24, 6, 5, 5)),
    geometry((2, 20, 24, 24), (20, 1, 3, 3), padding=1, groups=20),
    geometry((5, 46, 33, 29), (46, 1, 3, 3), padding=1, stride=2, groups=46),
    geometry((2, 24, 18, 18), (40, 24, 3, 3), padding=2, dilation=2),
]


@pytest.mark.usefixtures("thread_count")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("g", SHARED_OUT, ids=lambda g: f"{g.x_shape}*{g.w_shape}")
def test_same_bits_for_any_number_of_threads(g: ConvGeometry, name: str, dtype: str, rng: np.random.Generator) -> None:
    arrays = operands(name, g, lambda shape: rng.standard_normal(shape).astype(dtype))
    minigrad.set_num_threads(1)
    alone = getattr(CPU, name)(*arrays, g)
    for n in (1, 2, 3, 8, 8):
        minigrad.set_num_threads(n)
        np.testing.assert_array_equal(getattr(CPU, name)(*arrays, g), alone)


@pytest.mark.usefixtures("thread_count")
@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize(("rung", "instructions"), RUNGS)
def test_same_bits_on_every_rung(rung: str, instructions: str, name: str, rng: np.random.Generator) -> None:
    for g in SHARED_OUT:
        arrays = operands(name, g, rng.standard_normal)
        results = []
        for n in (1, 2, 3):
            minigrad.set_num_threads(n)
            with use(rung, instructions):
                results.append(getattr(CPU, name)(*arrays, g))
        np.testing.assert_array_equal(results[0], results[1])
        np.testing.assert_array_equal(results[0], results[2])


@pytest.mark.usefixtures("thread_count")
def test_python_threads_may_convolve_at_once(rng: np.random.Generator) -> None:
    minigrad.set_num_threads(2)
    work = [(name, g, operands(name, g, rng.standard_normal)) for g in SHARED_OUT for name in MAPS]
    expected = [getattr(CPU, name)(*arrays, g) for name, g, arrays in work]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            found = list(pool.map(lambda task: getattr(CPU, task[0])(*task[2], task[1]), work))
            for a, b in zip(found, expected, strict=True):
                np.testing.assert_array_equal(a, b)


FORK = """
import os, signal, sys
import numpy as np, minigrad

minigrad.set_num_threads(2)
x, w = minigrad.ones(1, 16, 32, 32), minigrad.ones(16, 16, 3, 3)
before = minigrad.nn.functional.conv2d(x, w).numpy()
pid = os.fork()
if pid == 0:
    signal.alarm(60)  # a hang ends the child, and the parent sees it
    status = 1
    try:
        assert minigrad.get_num_threads() == 1
        assert np.array_equal(minigrad.nn.functional.conv2d(x, w).numpy(), before)
        minigrad.set_num_threads(1)
        minigrad.set_num_threads(2)
    except RuntimeError as error:
        status = 0 if "spawn" in str(error) else 2
    finally:
        os._exit(status)
_, status = os.waitpid(pid, 0)
assert np.array_equal(minigrad.nn.functional.conv2d(x, w).numpy(), before)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    """The program in a Python of its own."""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_forked_after_a_parallel_region_works() -> None:
    result = run(FORK)
    assert result.returncode == 0, result


@pytest.mark.usefixtures("thread_count")
def test_number_of_threads() -> None:
    minigrad.set_num_threads(3)
    assert minigrad.get_num_threads() == 3
    for n in (0, -1, 2.0, "2", True, 10**6):
        with pytest.raises(ValueError, match=r"set_num_threads: n=.* must be an int from 1 to"):
            minigrad.set_num_threads(n)  # type: ignore[arg-type]
    assert minigrad.get_num_threads() == 3


def test_number_of_threads_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for setting, n in (("3", 3), ("5,2", 5), (" 4 ", 4)):
        monkeypatch.setenv("OMP_NUM_THREADS", setting)
        assert threads._default() == n
    for setting in ("0", "-1", "many", "2.5", "1000000"):
        monkeypatch.setenv("OMP_NUM_THREADS", setting)
        with pytest.raises(ValueError, match=r"OMP_NUM_THREADS=.* must be a number from 1 to"):
            threads._default()
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert 1 <= threads._default() <= (os.cpu_count() or 1)


# --- memory --------------------------------------------------------------------------------------------------


def _spread(array: Any) -> Any:
    """The same numbers with gaps in between."""
    gaps = np.full([2 * size for size in array.shape], np.nan, array.dtype)
    gaps[::2, ::2, ::2, ::2] = array
    return gaps[::2, ::2, ::2, ::2]


def _read_only(array: Any) -> Any:
    array = array.copy()
    array.flags.writeable = False
    return array


LAYOUTS = {
    "read-only": _read_only,
    "with gaps": _spread,
    "reversed": lambda array: array[::-1, ::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1, ::-1],
    "transposed": lambda array: array.transpose(3, 2, 1, 0).copy().transpose(3, 2, 1, 0),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", MAPS)
def test_any_layout_of_the_operands(name: str, stride: int, layout: str, rng: np.random.Generator) -> None:
    g = geometry((2, 3, 6, 7), (5, 3, 2, 3), stride=stride, padding=1)
    arrays = operands(name, g, rng.standard_normal)
    laid_out = [LAYOUTS[layout](array) for array in arrays]
    expected = getattr(CPU, name)(*arrays, g)
    np.testing.assert_array_equal(getattr(CPU, name)(*laid_out, g), expected)
    for array, original in zip(laid_out, arrays, strict=True):
        np.testing.assert_array_equal(array, original)


def test_a_broadcast_operand() -> None:
    g = geometry((2, 3, 6, 7), (5, 3, 2, 3))
    ones = [np.broadcast_to(np.float32(1), shape) for shape in (g.x_shape, g.w_shape)]
    np.testing.assert_array_equal(CPU.conv2d(*ones, g), np.full(g.y_shape, 18, np.float32))


def test_a_result_too_large_for_memory() -> None:
    g = geometry((1, 1, 1, 1), (1, 1, 1, 1), padding=2**25)
    with pytest.raises(MemoryError):
        CPU.conv2d(np.ones(g.x_shape), np.ones(g.w_shape), g)


@pytest.mark.parametrize("name", MAPS)
def test_enormous_stride_and_padding(name: str) -> None:
    g = geometry((1, 1, 2, 40), (1, 1, 1, 1), stride=2**59, padding=2**59)  # of y, 3 x 3, y[1, 1] meets x[0, 0]
    result = getattr(CPU, name)(*operands(name, g, lambda shape: np.full(shape, 2.0)), g)
    assert result.sum() == 4
    assert result.max() == 4


# --- kernels called directly ---------------------------------------------------------------------------------

G = geometry((2, 4, 6, 8), (6, 2, 3, 3), stride=(1, 2), padding=1, groups=2)


def kernel_arguments(name: str, g: ConvGeometry = G, **shapes: tuple[int, ...]) -> list[Any]:
    """Zeros for the kernel called `name`, shaped to fit G except as told."""
    shapes = {"x": G.x_shape, "w": G.w_shape, "y": G.y_shape} | shapes
    order = {"conv2d": "xwy", "conv2d_input_grad": "ywx", "conv2d_weight_grad": "xyw"}[name]
    return [np.zeros(shapes[letter]) for letter in order] + [g, 2, 0]


@pytest.mark.parametrize("kernels", [loops, direct], ids=["loops", "direct"])
@pytest.mark.parametrize("name", MAPS)
def test_kernels_take_what_fits(name: str, kernels: Any) -> None:
    getattr(kernels, name)(*kernel_arguments(name))


WRONG_GEOMETRIES = {
    "no groups": {"groups": 0},
    "negative groups": {"groups": -2},
    "other groups": {"groups": 1},
    "too many groups": {"groups": 4},
    "no stride": {"stride": (0, 2)},
    "negative stride": {"stride": (1, -2)},
    "negative padding": {"padding": (-1, 1)},
    "no dilation": {"dilation": (1, 0)},
    "dilation that overflows": {"dilation": (1, 2**62)},
    "stride that overflows": {"stride": (2**62, 2)},
    "stride whose multiples overflow": {"stride": (2**60, 2)},
    "padding that overflows": {"padding": (2**62, 1)},
    "other batch": {"x_shape": (3, 4, 6, 8)},
    "other image": {"x_shape": (2, 4, 7, 8)},
    "other kernel": {"w_shape": (6, 2, 3, 4)},
    "other output": {"y_shape": (2, 6, 6, 5)},
    "a size too few": {"x_shape": (2, 4, 6)},
}


@pytest.mark.parametrize("kernels", [loops, direct], ids=["loops", "direct"])
@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("change", WRONG_GEOMETRIES.values(), ids=WRONG_GEOMETRIES)
def test_kernels_refuse_another_geometry(name: str, kernels: Any, change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="convolution: "):
        getattr(kernels, name)(*kernel_arguments(name, replace(G, **change)))


@pytest.mark.parametrize("kernels", [loops, direct], ids=["loops", "direct"])
@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("axis", range(4))
@pytest.mark.parametrize("array", ["x", "w", "y"])
def test_kernels_refuse_arrays_of_other_shapes(name: str, kernels: Any, array: str, axis: int) -> None:
    for change in (-1, 1):
        shape = list(getattr(G, f"{array}_shape"))
        shape[axis] += change
        with pytest.raises(ValueError, match="do not fit"):
            getattr(kernels, name)(*kernel_arguments(name, **{array: tuple(shape)}))


def test_a_consistent_geometry_that_no_convolution_has_is_harmless() -> None:
    """Taps reach past every edge of x, and y reaches past where taps meet x: the loops stop in time."""
    g = ConvGeometry((1, 1, 2, 3), (1, 1, 9, 9), (1, 1, 20, 20), (3, 2), (5, 4), (2, 2), 1)
    assert_agrees(g, np.ones)
    g = ConvGeometry((1, 1, 5, 5), (1, 1, 1, 1), (1, 1, 3, 7), (1, 1), (0, 0), (1, 1), 1)
    assert_agrees(g, np.ones)


@pytest.mark.parametrize("kernels", [loops, direct], ids=["loops", "direct"])
@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize(
    ("position", "spoil"),
    [
        (0, lambda array: array.astype(np.float32)),  # two dtypes
        (1, lambda array: array.astype(np.float32)),
        (2, lambda array: array.astype(np.float32)),
        (0, lambda array: array[0]),  # three axes
        (1, lambda array: array[..., ::-1]),  # not contiguous
        (2, _read_only),
        (2, lambda _: None),
    ],
)
def test_kernels_refuse_other_arrays(
    name: str, kernels: Any, position: int, spoil: Callable[[Any], Any]
) -> None:
    arguments = kernel_arguments(name)
    arguments[position] = spoil(arguments[position])
    with pytest.raises((TypeError, ValueError)):
        getattr(kernels, name)(*arguments)


@pytest.mark.parametrize("kernels", [loops, direct], ids=["loops", "direct"])
@pytest.mark.parametrize("name", MAPS)
def test_kernels_refuse_other_dtypes(name: str, kernels: Any) -> None:
    *arrays, g, n, number = kernel_arguments(name)
    for dtype in (np.float16, np.int64, np.complex128, np.dtype(float).newbyteorder()):
        with pytest.raises((TypeError, ValueError)):
            getattr(kernels, name)(*[array.astype(dtype) for array in arrays], g, n, number)


# --- without the extension -----------------------------------------------------------------------------------

MISSING = """
import sys
sys.modules["minigrad_ext.direct"] = None  # as if it had not been built
import minigrad

minigrad.set_num_threads(1)
assert minigrad.ones(2, device="reference").tolist() == [1, 1]
try:
    minigrad.ones(2, device="cpu")
except ImportError as error:
    print(error)
"""


def test_without_the_extension_the_error_says_what_to_do() -> None:
    result = run(MISSING)
    assert result.returncode == 0, result
    for words in ('device "cpu"', "pip install .", "python setup.py build_ext --inplace", 'device="reference"'):
        assert words in result.stdout
