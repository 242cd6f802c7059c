"""compare(): every rung computes the same, and the sources are those that run."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad
from minigrad.backends.geometry import conv_geometry
from minigrad.teaching import compare as module
from minigrad.teaching.compare import CONCEPTS, Comparison, numpy_conv2d, sources

SMALL = [((2, 4, 9, 8), (6, 2, 3, 3), {"padding": 1, "stride": (1, 1), "groups": 2})]


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return minigrad.compare("conv2d", SMALL, seconds=0.001)


def test_every_rung_computes_the_same(comparison: Comparison) -> None:
    rungs = {row.rung: row for row in comparison.rows}
    expected = {"plain Python", "NumPy", "Cython, plain loops", "Cython, tiles", "Cython, groups in lanes"}
    assert expected | {"Cython, Winograd", "OpenCL", "PyTorch"} <= set(rungs)
    done = [row for row in comparison.rows if row.seconds is not None]
    assert len(done) >= 7
    assert all(row.difference is not None and row.difference < 1e-4 for row in done)
    assert all(row.gflops == pytest.approx(2e-9 * 2 * 6 * 9 * 8 * 2 * 9 / row.seconds) for row in done)
    assert all((row.seconds is None) == bool(row.reason) for row in comparison.rows)
    assert comparison.peak is not None
    assert rungs["NumPy"].share == pytest.approx(rungs["NumPy"].gflops / comparison.peak, rel=0.5)
    assert any(row.rung.startswith("minigrad takes: ") for row in comparison.rows)


def test_the_text(comparison: Comparison) -> None:
    lines = str(comparison).splitlines()
    assert lines[0] == ("2 x 4 x 9 x 8 with 6 x 2 x 3 x 3 padding 1 stride (1, 1) groups 2: 0.0311 million operations")
    assert lines[1].split() == ["ms", "GFLOP/s", "of", "the", "peak", "difference"]
    assert lines[2].startswith("  plain Python   ")
    assert re.fullmatch(r"The peak of \d+ threads? is \d+ GFLOP/s, measured in registers alone\.", lines[-1])


def test_what_would_take_too_long_or_cannot_be_done_says_so() -> None:
    rows = minigrad.compare(shapes={"large": ((8, 16, 32, 32), (16, 16, 5, 5))}, seconds=0).rows
    reasons = {row.rung: row.reason for row in rows if row.seconds is None}
    assert re.fullmatch(r"it would take about \d+ seconds", reasons["plain Python"])
    assert "3 x 3 kernel" in reasons["Cython, Winograd"]
    assert {row.shape for row in rows} == {"large"}


def test_a_missing_extension_and_a_missing_torch_are_rows_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> Any:
        raise ImportError(f"no {name}: build it")

    monkeypatch.setattr(module, "import_module", refuse)
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    comparison = minigrad.compare(shapes=SMALL, seconds=0)
    reasons = {row.rung: row.reason for row in comparison.rows if row.seconds is None}
    assert "build it" in reasons["Cython"]
    assert reasons["PyTorch"] == "it is not installed: pip install torch"
    assert comparison.peak is None
    assert "peak of" not in str(comparison)


def test_a_missing_driver_is_a_row_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(name: str) -> Any:
        if name == "opencl":
            raise RuntimeError("there is no OpenCL platform")
        return minigrad.get_backend(name)

    monkeypatch.setattr(module, "get_backend", refused)
    reasons = {row.rung: row.reason for row in minigrad.compare(shapes=SMALL, seconds=0).rows}
    assert reasons["OpenCL"] == "there is no OpenCL platform"


@given(
    batch=st.integers(1, 2), groups=st.integers(1, 2), kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)), padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
)  # fmt: skip
@settings(max_examples=60)
def test_im2col_of_any_geometry(batch: int, groups: int, kernel: Any, stride: Any, padding: Any, dilation: Any) -> None:
    x_shape, w_shape = (batch, 2 * groups, 7, 6), (3 * groups, 2, *kernel)
    geometry = conv_geometry("test", x_shape, w_shape, stride, padding, dilation, groups)
    rng = np.random.default_rng(0)
    x, w = rng.integers(-4, 5, x_shape).astype(float), rng.integers(-4, 5, w_shape).astype(float)
    expected = minigrad.get_backend("cpu").conv2d(x, w, geometry)
    np.testing.assert_array_equal(numpy_conv2d(x, w, geometry), expected)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: minigrad.compare("matmul"), "operation='matmul' is not there; 'conv2d' is"),
        (lambda: minigrad.compare(shapes=[((1, 1, 4, 4),)]), "must be a pair"),
        (lambda: minigrad.compare(shapes=[3]), "compare: 3 must be a pair"),
        (lambda: minigrad.compare(shapes=5), "shapes=5 must be a list"),
        (lambda: minigrad.compare(shapes=[((0, 1, 4, 4), (1, 1, 2, 2))]), "sizes of at least 1"),
        (lambda: minigrad.compare(shapes=[((1, 1, 4, 4), (1, 1, 2, 2), {"groups": 1.0})]), "an int for groups"),
        (lambda: minigrad.compare(shapes=[((1, 1, 4, 4), (1, 1, 2, 2), {}, 1)]), "must be a pair"),
        (lambda: minigrad.compare(seconds="a"), "seconds='a'"),
        (lambda: minigrad.compare(shapes=[((1, 4, 4), (1, 1, 2, 2))]), "needs shapes of four numbers"),
        (lambda: minigrad.compare(shapes=[((1, 1, 4, 4), (1, 1, 2, 2), {"pad": 1})]), "no other parameters"),
        (lambda: minigrad.compare(shapes=[((1, 1, 4, 4), (1, 1, 9, 2))]), "larger than the padded input"),
        (lambda: minigrad.compare(seconds=-1), "seconds=-1 must not be negative"),
        (lambda: minigrad.compare(seconds=float("nan")), "seconds=nan"),
    ],
)
def test_says_what_is_wrong(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_every_source_does_everything_and_is_the_one_that_runs() -> None:
    for source in sources():
        done = {concept for line in source["lines"] for concept in line["concepts"]}
        assert done == set(CONCEPTS), source["name"]
        root = Path(minigrad.__file__).parents[1]
        text = (root / source["file"]).read_text(encoding="utf-8")
        assert all(line["text"].strip() in text for line in source["lines"])


@pytest.mark.browser
def test_the_page_shows_rows_and_matching_lines(comparison: Comparison, open_page: Callable[..., Any]) -> None:
    page = open_page(comparison)
    rows = page.locator("#shapes tbody tr")
    assert rows.count() == len(comparison.rows)
    for number, row in enumerate(comparison.rows):
        assert rows.nth(number).locator("th").inner_text() == row.rung
        cells = rows.nth(number).locator("td").all_inner_texts()
        if row.seconds is None:
            assert cells == [row.reason]
        else:
            assert float(cells[1]) == pytest.approx(1000 * row.seconds, rel=1e-2)
            assert float(cells[2]) == pytest.approx(row.gflops, rel=1e-2)
            assert float(cells[4].replace("\N{MINUS SIGN}", "-")) == pytest.approx(row.difference, rel=0.06)
    widths = page.locator("#shapes .fill").evaluate_all("its => its.map(it => it.getBoundingClientRect().width)")
    speeds = [row.gflops for row in comparison.rows if row.gflops]
    assert np.argmax(widths) == np.argmax(speeds)

    def marked() -> list[str]:
        return [line.strip() for line in page.locator("#sources .same").all_inner_texts()]

    assert "y[y_at] += x[x_at] * w[w_at]" in marked()
    page.locator("input[value=inside]").check()
    assert "if 0 <= h < height and 0 <= k < width:" in marked()
    assert "rows = meet_rows(g, u)" in marked()
    page.get_by_text("for (int c = begin; c < end; c++)").hover()
    assert "for c in range(g.channels):" in marked()
    assert not any("+=" in line for line in marked())
