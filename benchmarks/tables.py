"""Tables in Markdown, the conditions under which they were measured, and their places in documents."""

import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

Rows = list[dict[str, Any]]
PACKAGES = ["numpy", "torch", "jax", "mygrad", "pyopencl", "pocl-binary-distribution"]


def markdown(rows: Rows) -> str:
    """A line for each row under the columns of all; what a row lacks stays empty."""
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
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f}" if value >= 0.1 else f"{value:.2g}"


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
    versions = [f"Python {platform.python_version()}", *[f"{name} {metadata.version(name)}" for name in installed]]
    return {
        "processor": f"{model}, {os.cpu_count()} CPUs",
        "system": f"{platform.system()} {platform.machine()}",
        "compiler": first_line(r"^(.+)$", "cc", "--version"),
        "versions": ", ".join(versions),
        "load before": f"{os.getloadavg()[0]:.2f} processes",
    }


def fill(document: Path, tables: dict[str, str]) -> None:
    """Replaces what stands in a document between `<!-- table: NAME -->` and the next `<!-- end -->`."""
    text = document.read_text(encoding="utf-8")

    def replaced(place: re.Match[str]) -> str:
        return f"<!-- table: {place[1]} -->\n\n{tables[place[1]]}\n\n<!-- end -->"

    text = re.sub(r"<!-- table: (\w+) -->\n.*?<!-- end -->", replaced, text, flags=re.DOTALL)
    document.write_text(text, encoding="utf-8")
