"""Tables in Markdown of what was measured, under what conditions, and where they stand in the documents.

Results are dictionaries as bench.py writes them to results.json: {"conditions", "conv2d", "ladder", "training", "import"}.
"""

import os
import platform
import re
import statistics
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from libraries import TITLES
from shapes import CASES, RESNET

Rows = list[dict[str, Any]]
Times = dict[str, dict[str, float]]  # seconds, by shape and pass

PACKAGES = ["numpy", "torch", "jax", "mygrad", "pyopencl", "pocl-binary-distribution"]
MAPS = {"forward": 1, "both": 3}


def markdown(rows: Rows) -> str:
    """Numbers have three digits, or none after the point; what a row lacks stays empty."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [columns, ["-"] * len(columns), *[[cell(row.get(column, "")) for column in columns] for row in rows]]
    widths = [max(len(line[k]) for line in lines) for k in range(len(columns))]
    lines[1] = ["-" * width for width in widths]
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)


def cell(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    if value and abs(value) < 0.001:
        return f"{value:.1e}"
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f}" if value >= 1 else f"{value:.2g}"


def facts(named: dict[str, str]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in named.items())


def conditions() -> dict[str, str]:
    """What the numbers depend on."""

    def first_line(pattern: str, *command: str) -> str:
        try:
            output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            output = ""
        found = re.search(pattern, output, re.MULTILINE)
        return found[1].strip() if found else "unknown"

    model = first_line(r"^Model name:(.*)$", "lscpu") if sys.platform == "linux" else platform.processor()
    installed = [name for name in PACKAGES if any(metadata.distributions(name=name))]
    return {
        "processor": f"{model}, {os.cpu_count()} CPUs",
        "system": f"{platform.system()} {platform.machine()}",
        "compiler": first_line(r"^(.+)$", "cc", "--version"),
        "versions": ", ".join([f"Python {platform.python_version()}", *[f"{p} {metadata.version(p)}" for p in installed]]),
    }


def fill(document: Path, tables: dict[str, str]) -> None:
    """Replaces what stands in a document between `<!-- table: NAME -->` and the next `<!-- end -->`."""
    text = document.read_text(encoding="utf-8")
    for name, table in tables.items():
        text = re.sub(rf"(<!-- table: {name} -->\n).*?(?=<!-- end -->)", lambda m, t=table: f"{m[1]}\n{t}\n\n", text, flags=re.S)
    document.write_text(text, encoding="utf-8")


# --- conv2d.py -----------------------------------------------------------------------------------------------


def plain(times: dict[str, Times]) -> dict[str, Times]:
    """Contenders under the usual conditions; the others have settings behind a colon."""
    return {contender: its for contender, its in times.items() if ":" not in contender}


def ratios(times: dict[str, Times], contender: str, other: str, which: str) -> dict[str, float]:
    """By shape: how many times as long the other one takes."""
    mine, its = times[contender], times[other]
    return {shape: its[shape][which] / mine[shape][which] for shape in mine if shape in its}


def means(times: dict[str, Times]) -> str:
    """Geometric means over the shapes, and the worst of them, beside PyTorch (or NumPy, where that is missing)."""
    contenders = plain(times)
    yardstick = next((each for each in ("torch", "numpy") if each in contenders), next(iter(contenders)))
    rows = []
    for contender in contenders:
        row = {f"x {TITLES[yardstick]}": TITLES[contender]}
        for which in MAPS:
            found = ratios(times, contender, yardstick, which)
            worst = min(found, key=lambda shape: found[shape])
            row |= {which: statistics.geometric_mean(found.values()), f"worst {which}": f"{cell(found[worst])} {worst}"}
        rows.append(row)
    return markdown(rows)


def every_shape(times: dict[str, Times]) -> str:
    rows = []
    for shape in next(iter(times.values())):
        for contender, its in plain(times).items():
            row: dict[str, Any] = {"shape": shape, "library": TITLES[contender]}
            for which, maps in MAPS.items() if shape in its else ():
                seconds = its[shape][which]
                row[f"{which} ms"] = seconds * 1e3
                row[f"{which} GFLOP/s"] = maps * CASES[shape].geometry().flops / seconds * 1e-9
                if "torch" in times:
                    row[f"{which} x PyTorch"] = times["torch"][shape][which] / seconds
            rows.append(row)
    return markdown(rows)


def scaling(times: dict[str, Times]) -> str:
    """What more threads, larger batches and wider numbers cost, forward and backward."""
    rows = []
    for contender in times:
        device, _, setting = contender.partition(":")
        if setting and device in times:
            shapes = [shape for shape in times[contender] if shape in RESNET or "threads" not in setting]
            found = ratios(times, device, contender, "both")
            values = [found[shape] for shape in shapes]
            where = "ResNet's 3x3 layers" if "threads" in setting else "all shapes"
            rows.append({"time against the usual": f"{TITLES[device]}, {setting.replace('=', ' ')}", "on": where,
                         "geometric mean": statistics.geometric_mean(values), "least": min(values), "most": max(values)})
    return markdown(rows)


# --- ladder.py -----------------------------------------------------------------------------------------------


def limits(ladder: dict[str, Any]) -> dict[str, str]:
    limit = ladder["machine"]
    return {
        "peak of one thread": f"{limit['peak float32']:.0f} GFLOP/s in float32, {limit['peak float64']:.0f} in float64",
        "copying with one thread": f"{limit['memory']:.0f} GB/s in memory, {limit['cache']:.0f} in the second-level cache",
    }


def speed(row: dict[str, Any], which: str | None = None) -> float:
    """GFLOP/s of one map, or of all three together."""
    seconds = [row["seconds"][which]] if which else row["seconds"].values()
    return len(seconds) * CASES[row["shape"]].geometry().flops / sum(seconds) * 1e-9


def way(row: dict[str, Any]) -> str:
    threads = f", {row['threads']} threads" if row["threads"] > 1 else ""
    return row["rung"] + (f", {row['instructions']}" if row["rung"] != "loops" else "") + threads


def every_rung(ladder: dict[str, Any]) -> str:
    """GFLOP/s of each map, their share of the peak, and the error against float64. `*`: what minigrad takes."""
    peak, rows = ladder["machine"]["peak float32"], []
    for row in ladder["rows"]:
        cells = {"shape": row["shape"], "rung": way(row) + " *" * row["chosen"]}
        cells |= {f"{each} ms": seconds * 1e3 for each, seconds in row["seconds"].items()}
        cells |= {"GFLOP/s": speed(row), "of the peak": f"{speed(row) / peak / row['threads']:.0%}"}
        rows.append(cells | {f"error of {each}": value for each, value in row["error"].items()})
    return markdown(rows)


def rungs(ladder: dict[str, Any], shape: str) -> str:
    """One shape's way up, from plain Python; and each rung's largest error on any shape."""
    peak, below = ladder["machine"]["peak float32"], ladder["machine"]["python"]
    rows: Rows = [{"rung": "plain Python (the reference)", "GFLOP/s": below, "x the rung below": "",
                   "of the peak": f"{below / peak:.2%}", "largest error on any shape": ""}]  # fmt: skip
    for row in (row for row in ladder["rows"] if row["shape"] == shape):
        found, alike = speed(row), [other for other in ladder["rows"] if way(other) == way(row)]
        largest = max(value for other in alike for value in other["error"].values())
        rows.append({"rung": way(row), "GFLOP/s": found, "x the rung below": found / below,
                     "of the peak": f"{found / peak / row['threads']:.0%}", "largest error on any shape": largest})  # fmt: skip
        below = found
    return markdown(rows)
