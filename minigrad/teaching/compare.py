"""compare(): one convolution on every rung, from plain Python to the fastest, with the sources side by side.

What is timed is y = conv2d(x, w) alone, in float32, here and now, in one process: good for seeing what makes the
difference. Claims about speed are measured with more care, in benchmarks/.
"""

import inspect
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from minigrad.backends import get_backend
from minigrad.backends.geometry import ConvGeometry, Shape, conv_geometry
from minigrad.backends.threads import get_num_threads
from minigrad.nn.functional.arguments import pair
from minigrad.teaching.page import Page, number_text

Floats = npt.NDArray[Any]
Convolve = Callable[[], Floats]

_PYTHON = 4_000_000  # floating-point operations, a second or two in plain Python, which does no more
_DEFAULT = {  # a digit, a layer of a network for photographs, and one whose channels do not see each other
    "a digit": ((1, 1, 28, 28), (6, 1, 5, 5), {"padding": 2}),
    "64 channels": ((1, 64, 56, 56), (64, 64, 3, 3), {"padding": 1}),
    "depthwise": ((1, 64, 56, 56), (64, 1, 3, 3), {"padding": 1, "groups": 64}),
}

# What the lines of every source do, and how to find them in it.
CONCEPTS = {
    "cells": "for every cell of y",
    "taps": "for every channel and every tap of the kernel",
    "place": "the pixel under the tap",
    "inside": "beside the image nothing is added",
    "add": "multiply and add",
}
_LINES: dict[str, dict[str, list[str]]] = {
    "plain Python": {
        "cells": ["for n, o, i, j, c, u, v in"], "taps": ["for n, o, i, j, c, u, v in"],
        "place": ["h = i *", "k = j *"], "inside": ["if 0 <= h < height"], "add": ["y[y_at] +="],
    },
    "NumPy": {
        "cells": ["windows = np.lib"], "taps": ["windows = np.lib"], "place": ["[:, :, ::"], "inside": ["np.pad("],
        "add": ["np.matmul("],
    },
    "Cython": {
        "cells": ["for i in range(rows.start", "for j in range(columns.start"],
        "taps": ["for c in range(g.channels)", "for u in range(g.kernel", "for v in range(g.kernel"],
        "place": ["h = i *", "x_row, y_row ="], "inside": ["rows = meet_rows", "columns = meet_columns"],
        "add": ["y_row[j] +="],
    },
    "OpenCL": {
        "cells": ["const int n, const int o, const int i, const int j"],
        "taps": ["for (int c", "for (int u", "for (int v"], "place": ["const int h = i *", "const int k = j *"],
        "inside": ["if (h >= 0"], "add": ["y += x[", "* w[("],
    },
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """What one rung took for one shape. `seconds` and what follows are None where it was left out; `reason` says why.

    `gflops` are the multiplications and additions in the definition per second, in billions; `share` is that of what
    all threads can do at most; `difference` is the largest from the same in float64.
    """

    shape: str
    rung: str
    seconds: float | None
    gflops: float | None
    share: float | None
    difference: float | None
    reason: str = ""


def compare(operation: str = "conv2d", shapes: Any = None, *, seconds: float = 0.2) -> "Comparison":
    """The same convolution on every rung that there is here: plain Python, NumPy, Cython, OpenCL; PyTorch if installed.

        print(minigrad.compare("conv2d", [((1, 64, 56, 56), (64, 64, 3, 3), {"padding": 1})]))
        minigrad.compare().save("compare.html")            # with charts, and the sources line beside line

    Args:
        operation: "conv2d".
        shapes: of x and w, and the parameters that F.conv2d takes by name: a list of such pairs or triples, or a dict
            that gives them names. If None, three that differ.
        seconds: to spend on each, after one run to warm up; of the times the median counts.

    Raises: ValueError for another operation, or for shapes that do not fit. A rung that is not there is no error: the
        row says how to get it.
    """
    if operation != "conv2d":
        raise ValueError(f"compare: operation={operation!r} is not there; 'conv2d' is.")
    if not (isinstance(seconds, (int, float)) and seconds >= 0):
        raise ValueError(f"compare: seconds={seconds!r} must not be negative.")
    cases = dict(_cases(_DEFAULT if shapes is None else shapes))
    peak = _peak()
    rows = [row for name, geometry in cases.items() for row in _rows(name, geometry, seconds, peak)]
    return Comparison(cases, rows, peak)


def _cases(shapes: Any) -> Iterator[tuple[str, ConvGeometry]]:
    """Names and geometries, checked."""
    if not hasattr(shapes, "__iter__"):
        raise ValueError(f"compare: shapes={shapes!r} must be a list of pairs of shapes, or a dict that names them.")
    named = shapes.items() if isinstance(shapes, Mapping) else [("", each) for each in shapes]
    for name, case in named:
        try:
            x, w, more = (*case, {}) if len(case) == 2 else case
            x_shape, w_shape, options = tuple(map(int, x)), tuple(map(int, w)), dict(more)
        except (TypeError, ValueError):
            raise ValueError(f"compare: {case!r} must be a pair (shape of x, shape of w), or with the parameters as a "
                             "dict behind them: ((1, 1, 28, 28), (6, 1, 5, 5), {'padding': 2}).") from None
        if 0 in x_shape + w_shape or type(options.get("groups", 1)) is not int:
            raise ValueError(f"compare: {case!r} must have sizes of at least 1, and an int for groups.")
        if len(x_shape) != 4 or len(w_shape) != 4 or options.keys() - {"stride", "padding", "dilation", "groups"}:
            raise ValueError(f"compare: {case!r} needs shapes of four numbers, (batch, channels, height, width) and "
                             "(out_channels, channels / groups, height, width), and no other parameters than stride, "
                             "padding, dilation and groups.")
        parameters = [pair("compare", key, options.get(key, least)) for key, least in
                      (("stride", 1), ("padding", 0), ("dilation", 1))]
        groups = options.get("groups", 1)
        geometry = conv_geometry("compare", x_shape, w_shape, *parameters, groups)
        yield name or _described(x_shape, w_shape, options), geometry


def _described(x: Shape, w: Shape, options: dict[str, Any]) -> str:
    parts = [" x ".join(map(str, x)), "with", " x ".join(map(str, w))]
    return " ".join(parts + [f"{key} {value}" for key, value in options.items()])


def _rows(name: str, geometry: ConvGeometry, seconds: float, peak: float | None) -> Iterator[Row]:
    generator = np.random.default_rng(0)
    x, w = [generator.standard_normal(shape, np.float32) for shape in (geometry.x_shape, geometry.w_shape)]
    right = numpy_conv2d(x.astype(np.float64), w.astype(np.float64), geometry)
    for rung, contender in _contenders(x, w, geometry):
        if isinstance(contender, str):
            yield Row(name, rung, None, None, None, None, contender)
            continue
        difference = float(np.abs(contender() - right).max(initial=0))
        taken = _median(contender, seconds)
        speed = geometry.flops / taken * 1e-9
        yield Row(name, rung, taken, speed, speed / peak if peak and rung != "OpenCL" else None, difference)


def _median(contender: Convolve, seconds: float) -> float:
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or (len(times) < 3 and times[0] < seconds) or time.perf_counter() < end:
        start = time.perf_counter()
        contender()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def _contenders(x: Floats, w: Floats, geometry: ConvGeometry) -> Iterator[tuple[str, Convolve | str]]:
    """Each rung with what computes it, or why it is left out."""
    reference = get_backend("reference")
    if geometry.flops <= _PYTHON:
        yield "plain Python", lambda: reference.conv2d(x, w, geometry)
    else:
        yield "plain Python", f"it would take about {geometry.flops / 2e6:,.0f} seconds"
    yield "NumPy", lambda: numpy_conv2d(x, w, geometry)
    yield from _on_the_processor(x, w, geometry)
    yield "OpenCL", _on_opencl(x, w, geometry)
    yield "PyTorch", _in_torch(x, w, geometry)


def _on_the_processor(x: Floats, w: Floats, geometry: ConvGeometry) -> Iterator[tuple[str, Convolve | str]]:
    try:
        cpu = import_module("minigrad.backends.cpu")
    except ImportError as error:
        yield "Cython", str(error)
        return
    device, names = get_backend("cpu"), {"loops": "Cython, plain loops", "direct": "Cython, tiles"}
    if geometry.groups > 1:
        names["grouped"] = "Cython, groups in lanes"
    names["winograd"] = "Cython, Winograd"
    for rung, title in names.items():
        with cpu.use(rung):  # until the next is asked for, so that it is no part of what is timed
            try:
                device.conv2d(x, w, geometry)
            except ValueError as error:
                yield title, str(error).partition(";")[0]
                continue
            yield title, lambda: device.conv2d(x, w, geometry)
    yield f"minigrad takes: {cpu.choose(geometry, x.dtype)}", lambda: device.conv2d(x, w, geometry)


def _on_opencl(x: Floats, w: Floats, geometry: ConvGeometry) -> Convolve | str:
    try:
        device = get_backend("opencl")
    except RuntimeError as error:
        return str(error)
    images, kernels = device.from_numpy(x), device.from_numpy(w)
    return lambda: device.to_numpy(device.conv2d(images, kernels, geometry))


def _in_torch(x: Floats, w: Floats, geometry: ConvGeometry) -> Convolve | str:
    if find_spec("torch") is None:
        return "it is not installed: pip install torch"
    torch = import_module("torch")
    images, kernels, g = torch.from_numpy(x), torch.from_numpy(w), geometry
    convolve = torch.nn.functional.conv2d
    return lambda: convolve(images, kernels, None, g.stride, g.padding, g.dilation, g.groups).numpy()


def _peak() -> float | None:
    """What all threads can multiply and add at most, in GFLOP/s, measured; None without the compiled kernels."""
    try:
        return float(import_module("minigrad.backends.cpu").peak()) * get_num_threads()
    except ImportError:
        return None


def numpy_conv2d(x: Floats, w: Floats, geometry: ConvGeometry) -> Floats:
    """The textbook's way, im2col: windows of x become columns of a matrix, and the rest is a product of matrices."""
    (outputs, channels, *kernel), groups = geometry.w_shape, geometry.groups
    (p, q), (s, t), (d, e) = geometry.padding, geometry.stride, geometry.dilation
    x = np.pad(x, ((0, 0), (0, 0), (p, p), (q, q)))
    extent = (d * (kernel[0] - 1) + 1, e * (kernel[1] - 1) + 1)
    windows = np.lib.stride_tricks.sliding_window_view(x, extent, (2, 3))  # (n, c, i, j, u, v), a view
    windows = windows[:, :, ::s, ::t, ::d, ::e].transpose(0, 1, 4, 5, 2, 3)
    columns = windows.reshape(len(x), groups, channels * kernel[0] * kernel[1], -1)  # copies
    y: Floats = np.matmul(w.reshape(groups, outputs // groups, -1), columns)
    return y.reshape(geometry.y_shape)


class Comparison(Page):
    """What `compare` returns: `rows`, a Row for each rung of each shape; the `peak` of the machine in GFLOP/s."""

    kind = "compare"
    title = "One operation, every rung"
    height = 1500

    def __init__(self, cases: dict[str, ConvGeometry], rows: list[Row], peak: float | None) -> None:
        self.cases, self.rows, self.peak = cases, rows, peak

    def __str__(self) -> str:
        lines = []
        for name, geometry in self.cases.items():
            lines.append(f"{name}: {geometry.flops * 1e-6:,.3g} million operations")
            lines.append(f"{'':32}{'ms':>12}{'GFLOP/s':>11}{'of the peak':>13}{'difference':>13}")
            lines += [f"  {row.rung:30}{_columns(row)}" for row in self.rows if row.shape == name] + [""]
        if self.peak is not None:
            threads = f"{get_num_threads()} thread{'s' * (get_num_threads() > 1)}"
            lines.append(f"The peak of {threads} is {self.peak:.0f} GFLOP/s, measured in registers alone.")
        return "\n".join(lines).rstrip()

    def __repr__(self) -> str:
        return f"<Comparison of {len(self.cases)} shapes on {len(self.rows)} rungs in all>"

    def data(self) -> dict[str, Any]:
        sizes = {name: {"x": g.x_shape, "w": g.w_shape, "flops": g.flops} for name, g in self.cases.items()}
        return {
            "shapes": sizes, "rows": [asdict(row) for row in self.rows], "peak": self.peak,
            "threads": get_num_threads(), "concepts": CONCEPTS, "sources": sources(),
        }


def _columns(row: Row) -> str:
    if row.seconds is None:
        return f"    {row.reason.splitlines()[0][:90]}"
    share = "" if row.share is None else f"{100 * row.share:.3g}%"
    return f"{number_text(1000 * row.seconds):>12}{row.gflops:>11.3g}{share:>13}{row.difference:>13.1e}"


def sources() -> list[dict[str, Any]]:
    """The texts that say what a convolution is, in each language, line by line with what the line does."""
    reference = sys.modules[type(get_backend("reference")).__module__]
    loops = inspect.getsource(reference._meetings)
    python = textwrap.dedent(inspect.getsource(inspect.unwrap(reference.Reference.conv2d))) + "\n\n" + loops
    texts = {
        "plain Python": ("minigrad/backends/reference.py", python),
        "NumPy": ("minigrad/teaching/compare.py", inspect.getsource(numpy_conv2d)),
        "Cython": ("minigrad_ext/loops.pyx", _part("loops.pyx", "cdef inline void conv2d_plane(", "\n\n\n")),
        "OpenCL": ("minigrad_ext/geometry.cl", _part("geometry.cl", "real conv2d_element(", "\n}\n") + "\n}"),
    }
    return [{"name": name, "file": file, "lines": _marked(name, text)} for name, (file, text) in texts.items()]


def _part(file: str, start: str, end: str) -> str:
    """The text of a kernel, from `start` up to `end`."""
    (folder,) = import_module("minigrad_ext").__path__
    text = Path(folder, file).read_text(encoding="utf-8")
    return start + text.partition(start)[2].partition(end)[0]


def _marked(name: str, text: str) -> list[dict[str, Any]]:
    marks = _LINES[name].items()
    lines = []
    for line in text.rstrip().splitlines():
        concepts = [concept for concept, parts in marks if any([part in line for part in parts])]
        lines.append({"text": line, "concepts": concepts})
    return lines
