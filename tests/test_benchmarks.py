"""make bench runs: little of everything, all the way to tables and charts. What it measures is for people to judge."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
from matplotlib.image import imread

FOLDER = Path(__file__).parents[1] / "benchmarks"

pytestmark = [
    pytest.mark.skipif(not FOLDER.exists(), reason="the tests run outside the checkout"),
    pytest.mark.skipif(sys.platform == "win32", reason="memory is measured as Unix does"),
]


def load(name: str) -> ModuleType:
    """A file of benchmarks/ as a module."""
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_quick_run_of_everything(tmp_path: Path) -> None:
    command = [sys.executable, FOLDER / "bench.py", "--quick", "--results", tmp_path]
    environment = os.environ | {"MPLBACKEND": "agg"}
    subprocess.run(command, check=True, env=environment, stderr=subprocess.PIPE, text=True, timeout=600)

    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert results.keys() == {"conditions", "conv2d", "ladder", "training", "import"}
    assert {"processor", "compiler", "versions", "threads"} <= results["conditions"].keys()
    for times in results["conv2d"].values():
        assert all(seconds > 0 for shape in times.values() for seconds in shape.values())
    for row in results["ladder"]["rows"]:
        assert max(row["error"].values()) < 5e-6, row
    assert {row["rung"] for row in results["ladder"]["rows"]} == {"loops", "direct", "grouped", "winograd", "default"}
    assert min(results["ladder"]["machine"].values()) > 0

    page = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "| minigrad " in page
    assert "nan" not in page
    for picture in ("ratios.png", "roofline.png", "rungs.png"):
        pixels = imread(tmp_path / picture)
        assert picture in page
        assert pixels[..., 3].min() == 1, "the ground is opaque, for dark pages"
        assert pixels[..., :3].std() > 0.05


def test_quick_results_do_not_replace_those_that_are_kept() -> None:
    command = [sys.executable, FOLDER / "bench.py", "--quick"]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    assert run.returncode == 2
    assert "--results" in run.stderr


def test_medians_are_taken_under_each_key() -> None:
    turns = load("turns")
    values = [{"a": {"b": 1.0}, "name": "x"}, {"a": {"b": 9.0}, "name": "x"}, {"a": {"b": 2.0}, "name": "x"}]
    assert turns.median(values) == {"a": {"b": 2.0}, "name": "x"}


def test_a_turn_is_a_process_with_so_many_threads() -> None:
    line = "import json, os; print(json.dumps([os.environ['OMP_NUM_THREADS'], os.getpid()]))"
    threads, process = load("turns").turn(["-c", line], 3)
    assert threads == "3"
    assert process != os.getpid()


def test_a_step_is_warmed_up_and_a_slow_one_timed_once() -> None:
    turns, calls = load("turns"), []

    def step() -> None:
        calls.append(0)
        if len(calls) == 1:
            time.sleep(0.05)  # such as a compiler takes

    assert turns.measure(step, 0.005) < 0.02
    assert len(calls) >= 4
    calls.clear()
    turns.measure(lambda: calls.append(0), -1.0)
    assert len(calls) == 2


def test_marked_tables_are_replaced_and_nothing_else(tmp_path: Path) -> None:
    tables, document = load("tables"), tmp_path / "page.md"
    page = "before\n<!-- table: one -->\n{}<!-- end -->\nbetween\n<!-- table: two -->\n{}<!-- end -->\n"
    document.write_text(page.format("old\n", ""))
    one = "| a    | b       |\n| ---- | ------- |\n| 1.00 |         |\n|      | 1.2e-04 |"
    assert tables.markdown([{"a": 1.0}, {"b": 0.00012}]) == one
    for _ in range(2):  # once more changes nothing
        tables.fill(document, {"one": one, "two": r"\1", "three": "unused"})
        assert document.read_text() == page.format(f"\n{one}\n\n", "\n\\1\n\n")


def test_documents_mark_only_tables_that_there_are() -> None:
    *_, source = (FOLDER / "report.py").read_text(encoding="utf-8").partition("def named(")
    there = re.findall(r'^        "(\w+)":', source, re.MULTILINE)
    for document in (FOLDER.parent / "README.md", FOLDER.parent / "docs" / "ladder.md"):
        text = document.read_text(encoding="utf-8")
        marked = re.findall(r"<!-- table: (\w+) -->\n", text)
        assert marked
        assert set(marked) <= set(there)
        assert text.count("<!-- end -->") == len(marked)
