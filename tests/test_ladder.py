"""docs/ladder.md is right: its Python runs and does what it says, and what it links to, quotes and names is there."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.backends import cpu

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "ladder.md"

page = pytest.mark.skipif(not PAGE.exists(), reason="the tests run outside the checkout")
checkout = pytest.mark.skipif(not (ROOT / "minigrad_ext").exists(), reason="the tests run outside the checkout")


def text() -> str:
    return PAGE.read_text(encoding="utf-8")


@page
def test_the_code_of_the_page() -> None:
    names: dict[str, Any] = {}
    threads = minigrad.get_num_threads()
    for block in re.findall(r"```python\n(.*?)```", text(), re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), names)
    minigrad.set_num_threads(threads)

    assert round(names["operations"] / 1e9, 2) == 0.92
    assert round(names["intensity"]) == 141
    assert names["roof"](1e-3, 10) == pytest.approx(0.01)
    for found in (names["y_baseline"].numpy(), names["y_numpy"]):
        assert names["error"](found) < 1e-6
    d, g = np.random.default_rng(0).standard_normal((2, 4))
    np.testing.assert_allclose(names["two_outputs"](d, g[:3]), np.correlate(d, g[:3]))
    assert names["closer"] < 0.7 * names["textbook"] < 5e-6
    image, weights = names["x"].numpy()[0, :2, :6, :6], names["w"].numpy()[:3, :2]
    expected = minigrad.nn.functional.conv2d(minigrad.tensor(image[None]), minigrad.tensor(weights)).numpy()[0]
    np.testing.assert_allclose(names["plain"](image, weights), expected, atol=1e-4)
    assert names["rung"] == "winograd"
    assert names["errors"].keys() == {"loops", "direct", "winograd"}
    assert max(names["errors"].values()) < 5e-6
    assert len(names["speeds"]) == 3 + len(cpu.instruction_sets())


@page
@checkout
def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", text())
    assert len(links) > 10
    results = ROOT / "benchmarks" / "results" / "results.json"  # `make bench` writes it, and what is beside it
    missing = [link for link in links if not (PAGE.parent / link).exists()]
    assert [link for link in missing if results.exists() or "benchmarks/results" not in link] == []


@page
@checkout
def test_quoted_lines_stand_in_the_kernels() -> None:
    source = "\n".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "minigrad_ext").glob("*.h")))
    lines = {line.strip() for line in source.splitlines()}
    quoted = [line.strip() for block in re.findall(r"```c\n(.*?)```", text(), re.DOTALL) for line in block.splitlines()]
    assert quoted
    assert [line for line in quoted if line not in lines] == []
