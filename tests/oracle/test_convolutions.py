"""Convolutions of random geometry have PyTorch's value, gradients and second gradients."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.backends.cpu import use

from .replay import replay

# PyTorch says so whenever the padding of 'same' is odd
pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore:Using padding='same'")]

Arguments = dict[str, Any]


def pairs(least: int, most: int) -> st.SearchStrategy[int | tuple[int, int]]:
    numbers = st.integers(least, most)
    return numbers | st.tuples(numbers, numbers)


def both(pair: int | tuple[int, int]) -> tuple[int, int]:
    return pair if isinstance(pair, tuple) else (pair, pair)


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[list[np.ndarray], Arguments]:
    """The arrays x, w and perhaps bias, and the keyword arguments of a conv2d that exists."""
    dilation, groups, kernel = draw(pairs(1, 3)), draw(st.integers(1, 3)), draw(st.tuples(*[st.integers(1, 3)] * 2))
    padding = draw(pairs(0, 3) | st.sampled_from(["same", "valid"]))
    stride = 1 if padding == "same" else draw(pairs(1, 3))
    borders = {"valid": (0, 0), "same": (9, 9)}  # "same" pads as much as it takes
    extents = [d * (k - 1) + 1 for d, k in zip(both(dilation), kernel, strict=True)]
    least = [max(1, e - 2 * p) for e, p in zip(extents, borders.get(padding) or both(padding), strict=True)]
    image = [draw(st.integers(size, size + 4)) for size in least]
    channels, outputs = draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    arrays = draw_arrays(draw, [groups * channels, *image], [outputs, channels, *kernel], outputs)
    return arrays, {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


@st.composite
def transposed_convolutions(draw: st.DrawFn) -> tuple[list[np.ndarray], Arguments]:
    """The arrays y, w and perhaps bias, and the keyword arguments of a conv_transpose2d that exists."""
    stride, dilation, groups = draw(pairs(1, 3)), draw(pairs(1, 3)), draw(st.integers(1, 3))
    kernel, image = draw(st.tuples(*[st.integers(1, 3)] * 2)), draw(st.tuples(*[st.integers(1, 4)] * 2))
    output_padding, padding = [], []
    for s, d, k, size in zip(both(stride), both(dilation), kernel, image, strict=True):
        output_padding.append(draw(st.integers(0, max(s, d) - 1)))
        full = (size - 1) * s + d * (k - 1) + 1 + output_padding[-1]
        padding.append(draw(st.integers(0, min(3, (full - 1) // 2))))
    channels, outputs = groups * draw(st.integers(1, 2)), draw(st.integers(1, 2))
    arrays = draw_arrays(draw, [channels, *image], [channels, outputs, *kernel], groups * outputs)
    return arrays, {
        "stride": stride,
        "padding": tuple(padding),
        "output_padding": tuple(output_padding),
        "dilation": dilation,
        "groups": groups,
    }


def draw_arrays(draw: st.DrawFn, image: list[int], weight: list[int], outputs: int) -> list[np.ndarray]:
    """A batch (of none, one or two) or a single image without a batch axis, a weight, and perhaps a bias."""
    shapes = [draw(st.sampled_from([[], [0], [1], [2]])) + image, weight, *([[outputs]] if draw(st.booleans()) else [])]
    rng, dtype = np.random.default_rng(draw(st.integers(0, 99))), draw(st.sampled_from([np.float32, np.float64]))
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


@given(convolutions())
@settings(max_examples=40)
def test_conv2d(device: str, drawn: tuple[list[np.ndarray], Arguments]) -> None:
    arrays, arguments = drawn
    replay(lambda m, x, w, b=None: m.nn.functional.conv2d(x, w, b, **arguments), arrays)


@pytest.mark.parametrize("rung", ["loops", "direct", "grouped", "winograd"])
@pytest.mark.parametrize(
    ("x", "w", "groups"), [((2, 20, 9, 11), (24, 20, 3, 3), 1), ((3, 34, 7, 10), (34, 1, 3, 3), 34)]
)
def test_conv2d_on_every_rung(rung: str, x: tuple[int, ...], w: tuple[int, ...], groups: int) -> None:
    """Which is the loops where convolutions are as small as those above."""
    rng = np.random.default_rng(0)
    for stride, dilation in ((1, 1), (1, 2), *[(2, 1)] * (rung != "winograd")):
        arguments = {"stride": stride, "padding": 1, "dilation": dilation, "groups": groups}
        with use(rung):
            replay(lambda m, x, w: m.nn.functional.conv2d(x, w, **arguments),  # noqa: B023  (called here and now)
                   [rng.standard_normal(shape) for shape in (x, w)])  # fmt: skip


@given(transposed_convolutions())
@settings(max_examples=40)
def test_conv_transpose2d(device: str, drawn: tuple[list[np.ndarray], Arguments]) -> None:
    arrays, arguments = drawn
    replay(lambda m, y, w, b=None: m.nn.functional.conv_transpose2d(y, w, b, **arguments), arrays)
