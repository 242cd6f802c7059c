"""How fast conv2d is on each device, beside NumPy and PyTorch.

    python benchmarks/conv2d.py                                  # everything that is installed
    python benchmarks/conv2d.py --devices cpu torch --shapes lenet-1 resnet-64 --rounds 5
    python benchmarks/conv2d.py --threads 1 --dtype float64 --output table.md

Method. Each library is measured in a process of its own, so that no pool of threads and no allocator disturbs
another's, and all get the same number of threads. The processes take turns, A B C A B C ..., for some rounds: when the
machine gets slower or busier, it does so for all. In its turn a library does every shape and both passes: one step to
warm up, then steps timed one by one, at least three and for at least --seconds, of which the median counts. The table
shows medians over the rounds.

Passes. `forward` is y = conv2d(x, w) with no graph recorded; `both` is that with a graph, and the gradients of x and w.

Numbers. GFLOP/s count the multiplications and additions in the definition, padding included, three times for `both`,
whatever the library really does. `x PyTorch` is PyTorch's time divided by the library's: 2 means twice as fast as
PyTorch; its geometric means over the shapes come first. `numpy` is im2col and a BLAS product (libraries.py), which is
not part of minigrad but a yardstick.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from libraries import CASES, Step, steps

PASSES = {"forward": 1, "both": 3}  # and how many of the three maps it computes
NEEDS = {"cpu": "minigrad_ext.direct", "opencl": "pyopencl", "reference": "numpy", "numpy": "numpy", "torch": "torch"}
POOLS = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POCL_MAX_PTHREAD_COUNT"]
YARDSTICKS = {"NumPy": "numpy", "PyTorch": "torch"}
SMALL = 1e5  # floating-point operations: the most that plain Python is asked for

Times = dict[str, dict[str, float]]  # seconds, by shape and pass


# --- measuring -----------------------------------------------------------------------------------------------


def measure(step: Step, seconds: float) -> float:
    step()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def turn_here(device: str, options: argparse.Namespace) -> Times:
    """One library's turn, in this process."""
    if device == "torch":
        import_module("torch").set_num_threads(options.threads)
    times: Times = {}
    for shape in options.shapes:
        if device != "reference" or CASES[shape].geometry().flops <= SMALL:
            library = steps(device, CASES[shape], options.dtype)
            times[shape] = {each: measure(library[each], options.seconds) for each in PASSES}
    return times


def turn(device: str, options: argparse.Namespace) -> Times:
    """One library's turn, in a process of its own. Pools of threads learn their size from the environment."""
    command = [sys.executable, __file__, "--here", "--devices", device, "--shapes", *options.shapes]
    for name in ("dtype", "threads", "seconds"):
        command += [f"--{name}", str(getattr(options, name))]
    environment = os.environ | dict.fromkeys(POOLS, str(options.threads))
    output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout
    return json.loads(output)  # type: ignore[no-any-return]


def median(turns: list[Times]) -> Times:
    return {shape: {each: statistics.median(t[shape][each] for t in turns) for each in PASSES} for shape in turns[0]}


# --- reporting -----------------------------------------------------------------------------------------------


def table(results: dict[str, Times], shapes: list[str]) -> list[dict[str, Any]]:
    """A row for each shape and device."""
    rows = []
    for shape in shapes:
        for device, times in results.items():
            if shape in times:
                row: dict[str, Any] = {"shape": shape, "device": device}
                for each, maps in PASSES.items():
                    seconds = times[shape][each]
                    row[f"{each} ms"] = seconds * 1e3
                    row[f"{each} GFLOP/s"] = maps * CASES[shape].geometry().flops / seconds * 1e-9
                    if "torch" in results:
                        row[f"{each} x PyTorch"] = results["torch"][shape][each] / seconds
                rows.append(row)
    return rows


def means(results: dict[str, Times]) -> list[dict[str, Any]]:
    """A row for each device: how much faster than NumPy and PyTorch, geometric means over the shapes."""
    # The reference does tiny shapes only, so a mean of its own would be one over other shapes.
    devices = {device: times for device, times in results.items() if device != "reference"}
    yardsticks = {name: devices[device] for name, device in YARDSTICKS.items() if device in devices}
    rows = []
    for device, times in devices.items() if yardsticks else ():
        row: dict[str, Any] = {"geometric mean": device}
        for name, yardstick in yardsticks.items():
            for each in PASSES:
                ratios = [yardstick[shape][each] / times[shape][each] for shape in times]
                row[f"{each} x {name}"] = statistics.geometric_mean(ratios)
        rows.append(row)
    return rows


def markdown(rows: list[dict[str, Any]]) -> str:
    def cell(value: Any) -> str:
        return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 3}f}" if isinstance(value, float) else value

    lines = [list(rows[0]), ["-"] * len(rows[0]), *[[cell(value) for value in row.values()] for row in rows]]
    widths = [max(len(line[k]) for line in lines) for k in range(len(rows[0]))]
    lines[1] = ["-" * width for width in widths]
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)


def conditions(options: argparse.Namespace) -> dict[str, str]:
    """What the numbers depend on."""

    def lines(*command: str) -> list[str]:
        try:
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        except (OSError, subprocess.CalledProcessError):
            return []

    model = [line.partition(":")[2].strip() for line in lines("lscpu") if line.startswith("Model name")]
    packages = [name for name in ("numpy", "torch", "pyopencl", "pocl-binary-distribution") if _installed(name)]
    return {
        "processor": f"{model[0] if model else 'unknown'}, {os.cpu_count()} CPUs",
        "compiler": (lines("cc", "--version") or ["unknown"])[0],
        "versions": ", ".join([f"python {sys.version.split()[0]}", *[f"{p} {metadata.version(p)}" for p in packages]]),
        "measured": f"{options.dtype}, {options.threads} threads, medians over {options.rounds} rounds",
    }


def _installed(package: str) -> bool:
    return any(metadata.distributions(name=package))


def main() -> None:
    installed = [device for device, module in NEEDS.items() if find_spec(module)]
    usable = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)
    parser = argparse.ArgumentParser(description="Times conv2d: forward, and forward with backward.")
    add = parser.add_argument
    add("--devices", nargs="+", choices=NEEDS, default=installed, metavar="DEVICE", help=" ".join(NEEDS))
    add("--shapes", nargs="+", choices=CASES, default=list(CASES), metavar="SHAPE", help=" ".join(CASES))
    add("--rounds", type=int, default=3, help="turns of each library")
    add("--seconds", type=float, default=0.2, help="to spend on each shape and pass in a turn")
    add("--threads", type=int, default=len(usable), help="for every library")
    add("--dtype", choices=["float32", "float64"], default="float32")
    add("--output", type=Path, metavar="FILE", help="also write the table, as .md or .json")
    add("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()

    if options.here:
        print(json.dumps(turn_here(options.devices[0], options)))
        return
    turns: dict[str, list[Times]] = {device: [] for device in options.devices}
    for number in range(options.rounds):
        for device in options.devices:
            print(f"round {number + 1} of {options.rounds}: {device}", file=sys.stderr)
            turns[device].append(turn(device, options))
    results = {device: median(turns[device]) for device in options.devices}
    rows, summary = table(results, options.shapes), means(results)
    facts = conditions(options)
    tables = [markdown(each) for each in (summary, rows) if each]
    text = "\n".join([*[f"- {name}: {value}" for name, value in facts.items()], "", "\n\n".join(tables)])
    print(text)
    if options.output:
        everything = facts | {"means": summary, "rows": rows}
        content = json.dumps(everything, indent=1) if options.output.suffix == ".json" else text
        options.output.write_text(content + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
