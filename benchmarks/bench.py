"""Everything that is claimed about speed, measured anew: what `make bench` runs.

    python benchmarks/bench.py                       # a quarter of an hour; writes benchmarks/results
    python benchmarks/bench.py --quick --results out/bench
    python benchmarks/bench.py --only conv2d ladder  # the rest stays as results.json has it
    python benchmarks/bench.py --only                # measures nothing, writes tables and pictures anew

Writes results.json; README.md, all tables; ratios.png, roofline.png and rungs.png, the charts; and the marked tables of
the README and of docs/ladder.md, unless the results go elsewhere. For figures worth keeping let the machine do nothing
else.
"""

import argparse
import functools
import json
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import charts
import conv2d
import edge
import ladder
import report
import tables
import training
from shapes import CASES, QUICK
from turns import USABLE, run, take_turns, timed

HERE = Path(__file__).parent
KEPT = HERE / "results"
TEXTS = [HERE.parent / "README.md", HERE.parent / "docs" / "ladder.md"]
SETTINGS = ["cpu:threads=1", "cpu:dtype=float64", "cpu:batches=2"]  # with which minigrad's times are taken, too


def measure_conv2d(quick: bool) -> Any:
    contenders = [device for device in conv2d.INSTALLED if device != "opencl"]
    if quick:
        return conv2d.compare(contenders + SETTINGS[:1], QUICK, rounds=1, seconds=0.001)
    return conv2d.compare(contenders + SETTINGS, list(CASES), rounds=5, seconds=0.05)


def measure_ladder(quick: bool) -> Any:
    if quick:
        return ladder.climb(QUICK, rounds=1, seconds=0.001)
    return ladder.climb(list(CASES), rounds=3, seconds=0.03)


def measure_training(quick: bool) -> Any:
    """A step of LeNet-5 and of a small VGG, with memory; a step of the edge kernel."""
    devices = [device for device in training.INSTALLED if device != "opencl"]
    rounds = 1 if quick else 5
    lenet = training.compare(HERE / "lenet.py", devices, rounds, batch=100, images=500 if quick else 4000)
    vgg = training.compare(HERE / "vgg.py", devices, rounds, batch=8 if quick else 32, images=8 if quick else 320)
    return {"LeNet-5, an epoch": lenet, "VGG, ten steps": vgg, "edge kernel, a step": edge.compare(rounds)}


def measure_import(quick: bool) -> dict[str, float]:
    """Seconds beyond those that Python takes to start."""

    def importing(line: str) -> Callable[[], float]:
        return lambda: timed(functools.partial(run, ["-c", line]))

    lines = {"Python": "pass"} | {each: f"import {each}" for each in ("numpy", "minigrad", "torch") if find_spec(each)}
    found = take_turns({name: importing(line) for name, line in lines.items()}, 2 if quick else 11)
    return {name: seconds - found["Python"] for name, seconds in found.items() if name != "Python"}


PARTS = {"conv2d": measure_conv2d, "ladder": measure_ladder, "training": measure_training, "import": measure_import}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures everything and writes tables and charts.")
    parser.add_argument("--quick", action="store_true", help="little of everything: shows that it runs, not how fast")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS), metavar="PART", help=" ".join(PARTS))
    parser.add_argument("--results", type=Path, default=KEPT, metavar="FOLDER")
    options = parser.parse_args()
    if options.quick and options.results == KEPT:
        parser.error("--quick is no measurement to keep: say where its results go, such as --results out/bench")
    options.results.mkdir(parents=True, exist_ok=True)
    file = options.results / "results.json"
    results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    conditions = tables.conditions() | {"threads": str(USABLE)}
    for part in options.only:
        print(part, file=sys.stderr, flush=True)
        results |= {"conditions": conditions, part: PARTS[part](options.quick)}
        file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    write(results, options.results)


def write(results: dict[str, Any], folder: Path) -> None:
    """All tables and charts of complete results."""
    named = report.named(results)
    (folder / "README.md").write_text(report.document(results), encoding="utf-8")
    charts.save_ratios(folder / "ratios.png", results)
    charts.save_roofline(folder / "roofline.png", results)
    charts.save_rungs(folder / "rungs.png", results)
    for text in TEXTS if folder == KEPT else ():
        tables.fill(text, named)


if __name__ == "__main__":
    main()
