"""What was measured, said in tables.

`results` is what bench.py writes to results.json: {"conditions", "conv2d", "ladder", "training", "import"}.
"""

import statistics
from typing import Any

from libraries import TITLES
from shapes import CASES, LESSON, RESNET
from tables import Rows, cell, facts, markdown

Times = dict[str, dict[str, float]]  # seconds, by shape and pass

MAPS = {"forward": 1, "both": 3}  # how many of the three maps a pass computes


# --- conv2d.py -----------------------------------------------------------------------------------------------


def alike(times: dict[str, Times]) -> tuple[dict[str, Times], str]:
    """By device the contenders that were measured as the first one was; and the one with which they are compared."""
    parts = {contender: contender.partition(":") for contender in times}
    usual = next(iter(parts.values()))[2]
    found = {device: times[contender] for contender, (device, _, settings) in parts.items() if settings == usual}
    return found, next((each for each in ("torch", "torch-cuda", "numpy") if each in found), next(iter(found)))


def ratios(times: dict[str, Times], contender: str, other: str, which: str) -> dict[str, float]:
    """By shape: how many times as long the other one takes."""
    mine, its = times[contender], times[other]
    return {shape: its[shape][which] / mine[shape][which] for shape in mine if shape in its}


def means(times: dict[str, Times]) -> str:
    """Geometric means over the shapes, and the worst of them, beside PyTorch (or NumPy, where that is missing)."""
    times, yardstick = alike(times)
    rows = []
    for device in [each for each in times if each != yardstick] or [yardstick]:
        row = {f"x {TITLES[yardstick]}": TITLES[device]}
        for which in MAPS:
            found = ratios(times, device, yardstick, which)
            worst = min(found, key=lambda shape: found[shape])
            row |= {which: statistics.geometric_mean(found.values()), f"worst {which}": f"{cell(found[worst])} {worst}"}
        rows.append(row)
    return markdown(rows)


def every_shape(times: dict[str, Times]) -> str:
    batches = next((int(each[8:]) for each in next(iter(times)).split(":") if each.startswith("batches=")), 1)
    times, yardstick = alike(times)
    rows = []
    for shape in next(iter(times.values())):
        for device in [device for device, its in times.items() if shape in its]:
            row: dict[str, Any] = {"shape": shape, "library": TITLES[device]}
            for which, maps in MAPS.items():
                seconds = times[device][shape][which]
                row[f"{which} ms"] = seconds * 1e3
                row[f"{which} GFLOP/s"] = maps * batches * CASES[shape].geometry().flops / seconds * 1e-9
                row[f"{which} x {TITLES[yardstick]}"] = times[yardstick][shape][which] / seconds
            rows.append(row)
    return markdown(rows)


def scaling(times: dict[str, Times]) -> str:
    """What more threads, larger batches and wider numbers cost, forward and backward."""
    rows = []
    for contender in times:
        device, _, setting = contender.partition(":")
        if setting:
            where = "ResNet's 3x3 layers" if "threads" in setting else "all shapes"
            found = ratios(times, device, contender, "both")
            values = [value for shape, value in found.items() if shape in RESNET or where == "all shapes"]
            row = {"time against the usual": f"{TITLES[device]}, {setting.replace('=', ' ')}", "on": where}
            row |= {"geometric mean": statistics.geometric_mean(values), "least": min(values), "most": max(values)}
            rows.append(row)
    return markdown(rows)


# --- ladder.py -----------------------------------------------------------------------------------------------


def limits(ladder: dict[str, Any]) -> dict[str, str]:
    limit = {name: f"{value:.0f}" for name, value in ladder["machine"].items()}
    return {
        "peak of one thread": f"{limit['peak float32']} GFLOP/s in float32, {limit['peak float64']} in float64",
        "copying with one thread": f"{limit['memory']} GB/s in memory, {limit['cache']} in the second-level cache",
    }


def speed(row: dict[str, Any], which: str | None = None) -> float:
    """GFLOP/s of one map, or of all three together."""
    seconds = [row["seconds"][which]] if which else row["seconds"].values()
    return len(seconds) * CASES[row["shape"]].geometry().flops / sum(seconds) * 1e-9


def way(row: dict[str, Any]) -> str:
    threads = f", {row['threads']} threads" if row["threads"] > 1 else ""
    instructions = f", {row['instructions']}" if row["rung"] in ("direct", "grouped", "winograd") else ""
    return row["rung"] + instructions + threads


def every_rung(ladder: dict[str, Any]) -> str:
    """The time of each map, GFLOP/s of all three, their share of the peak, and errors against float64."""
    peak, rows = ladder["machine"]["peak float32"], []
    for row in ladder["rows"]:
        cells = {"shape": row["shape"], "rung": way(row)}
        cells |= {f"{each} ms": seconds * 1e3 for each, seconds in row["seconds"].items()}
        cells |= {"GFLOP/s": speed(row), "of the peak": f"{speed(row) / peak / row['threads']:.0%}"}
        rows.append(cells | {f"error of {each}": value for each, value in row["error"].items()})
    return markdown(rows)


def way_up(ladder: dict[str, Any]) -> Rows:
    """The rows of one shape, on which the lesson is taught: a change at a time, each on top of those before."""
    rows = [row for row in ladder["rows"] if row["shape"] == LESSON]
    best, threads = rows[0]["instructions"], rows[-1]["threads"]  # of the loops, which have the best; of the last row
    top = [("winograd", best, 1), ("default", best, threads)]
    ways = [(row["rung"], row["instructions"], row["threads"]) for row in rows]
    return [row for row, way in zip(rows, ways, strict=True) if way[0] in ("loops", "direct") or way in top]


def rungs(ladder: dict[str, Any]) -> str:
    """The way up, from plain Python; and each rung's largest error on any shape."""
    peak, below = ladder["machine"]["peak float32"], ladder["machine"]["python"]
    rows: Rows = [{"rung": "plain Python", "GFLOP/s": below, "x the rung below": ""}]
    for row in way_up(ladder):
        found, alike = speed(row), [other for other in ladder["rows"] if way(other) == way(row)]
        largest = max(value for other in alike for value in other["error"].values())
        rows.append({"rung": way(row), "GFLOP/s": found, "x the rung below": found / below})
        rows[-1] |= {"of the peak": f"{found / peak / row['threads']:.0%}", "largest error on any shape": largest}
        below = found
    return markdown(rows)


# --- the rest, and all together ------------------------------------------------------------------------------


def training(results: dict[str, Any]) -> str:
    """Whole networks, time and memory of the process; and the edge kernel."""
    rows: Rows = []
    for name, libraries in results["training"].items():
        torch = libraries.get("torch", {})
        for device, found in libraries.items():
            row: dict[str, Any] = {"training": name, "library": TITLES[device], "ms": found["seconds"] * 1e3}
            if torch:
                row["x PyTorch"] = torch["seconds"] / found["seconds"]
            if "MB" in found:
                row["MB at most"] = found["MB"]
            if "MB" in torch:
                row["of PyTorch's"] = f"{found['MB'] / torch['MB']:.0%}"
            rows.append(row)
    return markdown(rows)


def imports(results: dict[str, Any]) -> str:
    return markdown([{f"import {name}": f"{seconds:.2f} s" for name, seconds in results["import"].items()}])


def named(results: dict[str, Any]) -> dict[str, str]:
    """The tables that documents show."""
    return {
        "machine": facts(results["conditions"] | limits(results["ladder"])),
        "means": means(results["conv2d"]),
        "training": training(results),
        "imports": imports(results),
        "scaling": scaling(results["conv2d"]),
        "rungs": rungs(results["ladder"]),
    }


def document(results: dict[str, Any]) -> str:
    """All of them, on one page."""
    tables = named(results)
    return f"""# What `make bench` measured

How it is measured is said in benchmarks/turns.py, what is measured in the file that each section names. A ratio above 1
is a library that is faster than PyTorch.

{tables["machine"]}

## Convolutions: conv2d.py

![PyTorch's time divided by minigrad's, by shape](ratios.png)

{tables["means"]}

{tables["scaling"]}

## Training: lenet.py, vgg.py, edge.py

{tables["training"]}

Seconds beyond those that Python takes to start, once modules are compiled to bytecode:

{tables["imports"]}

## The ladder: ladder.py

![GFLOP/s by rung](rungs.png)

![GFLOP/s over arithmetic intensity](roofline.png)

## Every shape: conv2d.py

{every_shape(results["conv2d"])}

## Every rung: ladder.py

One thread unless said otherwise; GFLOP/s of the three maps together; errors are norms of the difference over norms,
against float64. The default is what minigrad takes by itself.

{every_rung(results["ladder"])}
"""
