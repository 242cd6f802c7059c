"""Every page, whatever it shows: complete in itself, in every light, on every width, in a notebook, with the keyboard.

`PAGES` has one of each kind.
"""

import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.teaching import page as page_module
from minigrad.teaching.page import Page, indexed, number_text


def convolution() -> Page:
    x, w = minigrad.randn(2, 2, 6, 7), minigrad.randn(2, 1, 3, 3)
    return minigrad.explain_conv2d(x, w, stride=2, padding=1, groups=2)


def replay() -> Page:
    x, w = minigrad.randn(3, 2), minigrad.randn(2, 2, requires_grad=True)
    with minigrad.record() as tape:
        for _ in range(2):
            y = (x @ w).tanh()
            (y * y).sum().backward()
    return tape.replay()


def clinic() -> Page:
    x = minigrad.randn(2, 3, dtype="float64", requires_grad=True)
    return minigrad.examine(lambda x: x * x.detach(), x)


def compare() -> Page:
    return minigrad.compare(shapes={"small": ((1, 2, 8, 8), (2, 2, 3, 3))}, seconds=0)


PAGES: dict[str, Callable[[], Page]] = {
    "clinic": clinic, "compare": compare, "convolution": convolution, "laboratory": minigrad.laboratory,
    "replay": replay,
}  # fmt: skip


@pytest.fixture(params=PAGES)
def aid(request: pytest.FixtureRequest) -> Page:
    return PAGES[request.param]()


def test_there_is_one_of_each_kind() -> None:
    folder = Path(page_module.__file__).parent / "pages"
    found = {kind: {path.stem for path in folder.glob(f"*.{kind}")} for kind in ("html", "css", "js")}
    assert found == {"html": set(PAGES), "css": {*PAGES, "page"}, "js": {*PAGES, "page"}}


def test_is_one_complete_file(aid: Page, tmp_path: Path) -> None:
    path = aid.save(tmp_path / "new" / "folder" / "page.html")
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert text == aid.html()
    assert len(text) < 200_000
    outside = set(re.findall(r"https?://[\w./-]+", text)) - {"http://www.w3.org/2000/svg"}
    assert not outside
    assert not re.search(r"<(?:script|link|img)[^>]*\b(?:src|href)=", text)
    assert re.search(r"\bfetch\(|XMLHttpRequest|import\(", text) is None


def test_has_its_numbers_as_plain_data(aid: Page) -> None:
    """In the file stands what `data()` says, digit for digit."""
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', aid.html(), re.DOTALL)
    assert text is not None
    assert_same(json.loads(text.group(1)), aid.data())


def assert_same(found: Any, expected: Any) -> None:
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert_same(found[name], value)
    elif isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(np.array(found, expected.dtype), expected)
    elif isinstance(expected, (list, tuple)):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    else:
        assert found == expected


def test_has_a_text_for_terminals(aid: Page) -> None:
    assert len(str(aid)) > 100
    assert "<" not in str(aid).replace("<=", "").replace("->", "")
    assert len(repr(aid)) < 200


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_fits_every_width_and_light(aid: Page, open_page: Callable[..., Any], scheme: str, width: int) -> None:
    page = open_page(aid, viewport={"width": width, "height": 844}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
    ground, ink = [page.evaluate(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color")]
    assert (brightness(ground) > brightness(ink)) == (scheme == "light")
    assert abs(brightness(ground) - brightness(ink)) > 0.6


def brightness(colour: str) -> float:
    return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 765


@pytest.mark.browser
def test_works_in_the_frame_of_a_notebook(aid: Page, open_page: Callable[..., Any]) -> None:
    page = open_page(f"<!doctype html><title>notebook</title>{aid._repr_html_()}")
    frame = page.frames[1]
    assert frame.locator("h1").inner_text() == aid.title
    assert page.locator("iframe").get_attribute("title") == aid.title


@pytest.mark.browser
def test_everything_has_a_name_for_screen_readers(aid: Page, open_page: Callable[..., Any]) -> None:
    page = open_page(aid)
    assert page.locator("html").get_attribute("lang") == "en"
    nameless = page.evaluate("""
        [...document.querySelectorAll("button, input, select, table, svg[role], [tabindex='0']")].filter((it) =>
          it.checkVisibility() && !(it.labels?.length || it.getAttribute("aria-label") || it.title
            || it.getAttribute("aria-hidden") || it.textContent.trim())).map((it) => it.outerHTML.slice(0, 200))""")
    assert nameless == []
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map((it) => Number(it.tagName[1]))")
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.browser
def test_every_control_is_reached_by_the_tab_key(aid: Page, open_page: Callable[..., Any]) -> None:
    page = open_page(aid)
    wanted = page.evaluate("""[...document.querySelectorAll("button, input, select, [tabindex='0']")]
        .filter((it) => it.checkVisibility() && !it.disabled && (it.type !== "radio" || it.checked)).length""")
    reached = set()
    for _ in range(wanted + 2):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
    assert len(reached - {page.evaluate("[...document.querySelectorAll('*')].indexOf(document.body)")}) >= wanted


@pytest.mark.browser
def test_prints_on_white_without_controls(aid: Page, open_page: Callable[..., Any]) -> None:
    page = open_page(aid, color_scheme="dark")
    page.emulate_media(media="print")
    assert brightness(page.evaluate("getComputedStyle(document.body).backgroundColor")) > 0.9
    assert page.locator(".bar:visible").count() == 0
    for group in page.locator(".tabs").all():  # which one is chosen belongs to the picture
        assert group.locator("label:visible").count() <= 1
    assert page.pdf()[:5] == b"%PDF-"


def test_numbers_of_all_kinds_come_through() -> None:
    class Numbers(Page):
        kind, title = "convolution", "a <b> & c"

        def data(self) -> dict[str, Any]:
            floats = np.array([0.1, np.inf, -np.inf, np.nan], np.float32)
            return {"floats": floats, "text": "</script>", "whole": np.arange(2), "pair": (1.5, float("nan"))}

    text = Numbers().html()
    assert '"floats":[0.1,"Infinity","-Infinity","NaN"]' in text
    assert "\\u003c/script>" in text
    assert '"whole":[0,1],"pair":[1.5,"NaN"]' in text
    assert "<title>a &lt;b&gt; &amp; c</title>" in text


def test_names_and_numbers() -> None:
    assert indexed("x", (0, 0, 2, 3)) == "x[0,0,2,3]"
    assert [number_text(value) for value in (-0.0, 2.0, 1 / 3, 1e-9)] == ["0", "2", "0.333333", "1e-09"]
