"""The charts of bench.py, drawn by matplotlib straight into files: no display is needed.

Each has a white ground of its own and can be read on a dark page. Colours are distinct to the colour-blind.
"""

import math
import statistics
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator
from report import ratios, speed, way, way_up
from shapes import CASES, LESSON, NETWORKS

BLUE, ORANGE, GREEN, INK, PALE = "#0072b2", "#d55e00", "#00825f", "#333333", "#c8c8c8"
STYLE = {"axes.edgecolor": PALE, "text.color": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK,
         "font.size": 10, "figure.facecolor": "white", "axes.facecolor": "white"}  # fmt: skip
PASSES = {"forward": (BLUE, "o"), "both": (ORANGE, "s")}
POWERS = [0.001, 0.01, 0.1, 1, 10, 100, 1000]
NAMED = ["lenet-1", "depthwise-512", "resnet-512", LESSON]  # shapes whose names have room
RUNGS = {"loops": (INK, "v"), "direct": (BLUE, "o"), "grouped": (GREEN, "D"), "winograd": (ORANGE, "s")}


def save(figure: Figure, file: Path) -> None:
    figure.savefig(file, dpi=110, metadata={"Software": None})


def headline(axes: Axes, title: str, subtitle: str, above: float = 9) -> None:
    place = {"xycoords": "axes fraction", "textcoords": "offset points"}
    axes.annotate(title, (0, 1), (0, above + 15), fontsize=13, weight="bold", **place)
    axes.annotate(subtitle, (0, 1), (0, above), fontsize=10, **place)


def bare(axes: Axes, across: str) -> None:
    axes.grid(axis=across, color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)


def plain(axis: Any, values: list[float]) -> None:
    """A logarithmic axis whose numbers are written out."""
    axis.set_ticks(values)
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def save_ratios(file: Path, results: dict[str, Any]) -> None:
    """PyTorch's time divided by minigrad's, a line for each shape; without PyTorch, NumPy's."""
    times, facts = results["conv2d"], results["conditions"]
    other, title = ("torch", "PyTorch") if "torch" in times else ("numpy", "NumPy (im2col)")
    found = {which: ratios(times, "cpu", other, which) for which in PASSES}
    lines, networks = places(list(times["cpu"]))
    with matplotlib.rc_context(STYLE):
        last = max(lines.values())
        figure = Figure(figsize=(9, 2 + 0.225 * last))
        height = figure.get_figheight()
        axes = figure.add_axes((0.21, 0.6 / height, 0.76, 1 - 1.6 / height))
        for network, line in networks.items():
            axes.annotate(network, (0.02, line), xycoords=("figure fraction", "data"), va="center", weight="bold")
        for shape, line in lines.items():
            axes.plot([its[shape] for its in found.values()], [line] * 2, color=PALE, linewidth=2, zorder=1)
        for which, (colour, marker) in PASSES.items():
            mean = statistics.geometric_mean(found[which].values())
            label = "forward" if which == "forward" else "forward and backward"
            axes.plot([found[which][shape] for shape in lines], list(lines.values()), marker, color=colour,
                      label=f"{label}: geometric mean {mean:.2f}")  # fmt: skip
            axes.axvline(mean, color=colour, linewidth=1, linestyle=":")
        every = [ratio for its in found.values() for ratio in its.values()]
        low, high = min(0.45, *every) / 1.15, max(2.2, *every) * 1.15
        axes.axvline(1, color=INK, linewidth=1.4)
        axes.set(xscale="log", ylim=(last + 1.2, -0.8), xlim=(low, high))
        axes.set_yticks(list(lines.values()), list(lines))
        bare(axes, "x")
        plain(axes.xaxis, [2.0**k for k in range(-9, 10) if low < 2.0**k < high])
        axes.annotate("minigrad is faster →", (1, last + 1), (6, 0), textcoords="offset points", fontsize=9,
                      bbox={"color": "white", "pad": 1})  # fmt: skip
        axes.set_xlabel(f"time of {title} / time of minigrad")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=2, borderaxespad=0.2, frameon=False)
        machine = facts["processor"].partition(",")[0]
        headline(axes, f"Convolutions, beside {title}", f"{machine}, {facts['threads']} threads each, float32", 30)
        save(figure, file)


def places(shapes: list[str]) -> tuple[dict[str, float], dict[str, float]]:
    """The line of each shape, and of the name of each network above its own."""
    lines, networks, line = dict[str, float](), dict[str, float](), 0.0
    for network, cases in NETWORKS.items():
        its = [shape for shape in cases if shape in shapes]
        if its:
            networks[network] = line
            lines |= {shape: line + 1 + k for k, shape in enumerate(its)}
            line += len(its) + 1.2
    return lines, networks


def save_roofline(file: Path, results: dict[str, Any]) -> None:
    """Speed over arithmetic intensity, the forward map with one thread: a point for each shape and rung.

    Without the edge kernel, whose time is that of a call.
    """
    machine, rows = results["ladder"]["machine"], results["ladder"]["rows"]
    peak, best = machine["peak float32"], rows[0]["instructions"]  # those of the loops are the best that there are
    rows = [row for row in rows if (row["instructions"], row["threads"]) == (best, 1) and row["shape"] != "edge"]
    intensity = {row["shape"]: CASES[row["shape"]].geometry().flops / CASES[row["shape"]].bytes() for row in rows}
    lowest = min(speed(row, "y") for row in rows)
    left, right = min(intensity.values()) / 4, max(intensity.values()) * 1.6
    low, high = lowest / 12, peak * 5
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, 6.2))
        axes = figure.add_axes((0.08, 0.09, 0.89, 0.79))
        note = {"textcoords": "offset points", "fontsize": 9}
        for where, style in (("memory", "-"), ("second-level cache", "--")):
            bandwidth = machine[where.rpartition(" ")[2]]
            axes.plot([left, peak / bandwidth, right], [left * bandwidth, peak, peak], style, color=INK, linewidth=1.3)
            x, y = left * 1.1, left * bandwidth * 1.3  # a little above the line, and parallel to it
            axes.text(x, y, f"{where}, {bandwidth:.0f} GB/s", fontsize=9, rotation=math.degrees(math.atan(y / x)),
                      rotation_mode="anchor", transform_rotates_text=True)  # fmt: skip
        corner = (peak / machine["memory"], peak)
        axes.annotate(f"peak of one thread, {peak:.0f} GFLOP/s", corner, (5, 5), va="bottom", **note)
        for rung, (colour, marker) in RUNGS.items():
            its = [row for row in rows if row["rung"] == rung]
            axes.plot([intensity[row["shape"]] for row in its], [speed(row, "y") for row in its], marker, color=colour,
                      label=rung, alpha=0.85)  # fmt: skip
        for shape in NAMED:
            speeds = [speed(row, "y") for row in rows if row["shape"] == shape]
            if speeds:
                place = (intensity[shape], min(speeds))
                axes.annotate(shape, place, (0, -9), rotation=90, ha="center", va="top", **note)
        axes.set(xscale="log", yscale="log", xlim=(left, right), ylim=(low, high))
        bare(axes, "both")
        plain(axes.xaxis, [2.0**k for k in range(-9, 12) if left < 2.0**k < right])
        plain(axes.yaxis, [each for each in POWERS if low < each < high])
        axes.set_xlabel("arithmetic intensity: operations per byte of x, w and y")
        axes.legend(loc="lower right", edgecolor=PALE, framealpha=1)
        headline(axes, "Roofline", "GFLOP/s of y = conv2d(x, w), counted by the definition, one thread, float32")
        save(figure, file)


def save_rungs(file: Path, results: dict[str, Any]) -> None:
    """How fast each rung is on the lesson's shape, all three maps, from plain Python up."""
    machine, rows = results["ladder"]["machine"], way_up(results["ladder"])
    speeds = {"plain Python": machine["python"]} | {way(row): speed(row) for row in rows}
    low, high = min(speeds.values()) / 3, max(machine["peak float32"], *speeds.values()) * 3
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, 1.7 + 0.4 * len(speeds)))
        height = figure.get_figheight()
        axes = figure.add_axes((0.27, 0.6 / height, 0.7, 1 - 1.45 / height))
        colours = [INK, *[RUNGS.get(row["rung"], (GREEN, ""))[0] for row in rows]]
        for line, (value, colour) in enumerate(zip(speeds.values(), colours, strict=True)):
            axes.plot([low, value], [line, line], color=PALE, linewidth=2, zorder=1)
            axes.plot(value, line, "o", color=colour, markersize=8)
            axes.annotate(f"{value:.0f}" if value >= 10 else f"{value:.2g}", (value, line), (9, 0),
                          textcoords="offset points", va="center", bbox={"color": "white", "pad": 1})  # fmt: skip
        axes.axvline(machine["peak float32"], color=INK, linewidth=1.2, zorder=0)
        axes.annotate("peak of one thread", (machine["peak float32"], -0.6), (-5, 0), textcoords="offset points",
                      ha="right", va="center", fontsize=9)  # fmt: skip
        axes.set(xscale="log", xlim=(low, high), ylim=(len(speeds) - 0.5, -1))
        axes.set_yticks(range(len(speeds)), list(speeds))
        bare(axes, "x")
        plain(axes.xaxis, [each for each in POWERS if low < each < high])
        axes.set_xlabel("GFLOP/s, counted by the definition")
        case = CASES[LESSON]
        headline(axes, "Up the ladder", f"y, dx and dw of {LESSON}: x {case.x}, w {case.w}, float32")
        save(figure, file)
