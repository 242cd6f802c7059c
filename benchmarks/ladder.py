"""What each rung of the ladder is worth: the same convolution by loops, tiles, groups in vectors, and Winograd's way.

    python benchmarks/ladder.py
    python benchmarks/ladder.py --shapes resnet-64 --rounds 5

On each shape each rung that can do it computes the three maps (y, dx and dw) with one thread and each instruction set
that the machine has; what minigrad takes by itself, the "default", does so with all threads, too. Times are medians, an
error is the norm of the difference over the norm, against float64. `peak` is how many multiplications and additions one
thread can do at all, measured by the kernels themselves; bandwidths are those of NumPy's copies. What the numbers mean
is said in docs/ladder.md.
"""

import argparse
import functools
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import report
import tables
from shapes import CASES, Case
from turns import USABLE, measure, take_turns, turn

import minigrad
from minigrad.backends import cpu

WAY = ["rung", "instructions", "threads"]
MAPS = ["y", "dx", "dw"]
PYTHON = Case((1, 1, 28, 28), (2, 1, 5, 5))  # small enough for plain Python

Maps = dict[str, Callable[[], Any]]


def three_maps(case: Case, dtype: str, device: str = "cpu") -> Maps:
    """As functions to call: y = conv2d(x, w), and of some dy the gradients dx and dw."""
    backend, geometry, rng = minigrad.get_backend(device), case.geometry(), np.random.default_rng(0)
    x, w, dy = (rng.standard_normal(shape, "float32").astype(dtype) for shape in (case.x, case.w, geometry.y_shape))
    return {
        "y": lambda: backend.conv2d(x, w, geometry),
        "dx": lambda: backend.conv2d_input_grad(dy, w, geometry),
        "dw": lambda: backend.conv2d_weight_grad(x, dy, geometry),
    }


def variants(case: Case) -> list[dict[str, Any]]:
    """The ways up to the top, from below. Loops are in Cython, and the compiler's choice of instructions.

    "default" is what minigrad takes by itself, which may be another rung for each map.
    """
    *others, best = cpu.instruction_sets()
    ways = [("loops", best, 1)]
    ways += [("direct", each, 1) for each in (*others, best)]
    ways += [("grouped", each, 1) for each in (*others, best) if case.groups > 1]
    ways += [("winograd", each, 1) for each in (*others, best) if possible("winograd", case)]
    ways += [("default", best, threads) for threads in sorted({1, USABLE})]
    return [dict(zip(WAY, way, strict=True)) for way in ways]


def possible(rung: str, case: Case) -> bool:
    tiny = case._replace(x=(1, *case.x[1:]))
    try:
        with cpu.use(rung):
            three_maps(tiny, "float32")["y"]()
    except ValueError:
        return False
    return True


def turn_here(shapes: list[str], seconds: float) -> dict[str, Any]:
    """One turn, in this process: rows by shape, and the limits of the machine."""
    rows = {}
    for shape in shapes:
        maps, exact, found = three_maps(CASES[shape], "float32"), three_maps(CASES[shape], "float64"), {}
        for variant in variants(CASES[shape]):
            minigrad.set_num_threads(variant["threads"])
            name = " ".join([shape, *map(str, variant.values())])
            with cpu.use(None if variant["rung"] == "default" else variant["rung"], variant["instructions"]):
                times = {each: measure(maps[each], seconds) for each in MAPS}
                rows[name] = variant | {"shape": shape, "seconds": times}
                found[name] = {each: maps[each]() for each in MAPS}
        minigrad.set_num_threads(USABLE)
        # Not before all is timed: NumPy's norm wakes threads of a BLAS, which stay awake and get in the way of others.
        with cpu.use("direct"):
            right = {each: exact[each]() for each in MAPS}
        for name, results in found.items():
            rows[name]["error"] = {each: error(results[each], right[each]) for each in MAPS}
    return {"rows": rows, "machine": machine()}


def error(found: Any, right: Any) -> float:
    return float(np.linalg.norm(found - right) / np.linalg.norm(right))


def machine() -> dict[str, float]:
    """What one thread can do at all: GFLOP/s, and GB/s in memory and in the second-level cache. And in plain Python."""
    limits = {f"peak {dtype}": cpu.peak(np.dtype(dtype)) for dtype in ("float32", "float64")}
    for place, size in (("memory", 2**28), ("cache", 2**18)):
        source, copy = np.ones(size, np.uint8), np.ones(size, np.uint8)
        limits[place] = 2 * size / measure(functools.partial(np.copyto, copy, source), 0.3) * 1e-9
    with_python = three_maps(PYTHON, "float32", "reference")["y"]
    return limits | {"python": PYTHON.geometry().flops / measure(with_python, 0.1) * 1e-9}


def climb(shapes: list[str], rounds: int, seconds: float) -> dict[str, Any]:
    """The medians of all rounds: {"rows": [...], "machine": {...}}."""
    command = [__file__, "--turn", "--shapes", *shapes, "--seconds", str(seconds)]
    value = take_turns({"minigrad": functools.partial(turn, command)}, rounds)["minigrad"]
    return value | {"rows": list(value["rows"].values())}


def main() -> None:
    parser = argparse.ArgumentParser(description="Times the rungs of the ladder.")
    add = parser.add_argument
    add("--shapes", nargs="+", choices=CASES, default=list(CASES), metavar="SHAPE", help=" ".join(CASES))
    add("--rounds", type=int, default=3)
    add("--seconds", type=float, default=0.03, help="to spend on each shape, variant and map in a round")
    add("--turn", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.turn:
        print(json.dumps(turn_here(options.shapes, options.seconds)))
        return
    found = climb(options.shapes, options.rounds, options.seconds)
    print(tables.facts(tables.conditions() | report.limits(found)), report.every_rung(found), sep="\n\n")


if __name__ == "__main__":
    main()
