"""For tests of pages: a browser without network, and how a page is opened in it.

`make browser` requires one. Elsewhere these tests are skipped where playwright, or a Chromium or Chrome, is missing.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"]
DESKTOP = {"width": 1280, "height": 900}


def missing(what: str) -> Any:
    """Leaves the test out, unless a browser is required."""
    if os.environ.get("MINIGRAD_REQUIRE_BROWSER") == "1":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415  (only `make browser` installs it)
    except ImportError:
        missing("playwright is not installed: make browser installs it")
    path = os.environ.get("MINIGRAD_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        missing(f"none of {', '.join(NAMES)} is installed; MINIGRAD_BROWSER may name another Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Opened:
    """A page in the browser, and what it complained of."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens an aid, saved as a file, or a text of HTML; afterwards checks that nothing was complained of or fetched."""
    opened: list[Opened] = []

    def open_page(aid: Any, **options: Any) -> Any:
        context = browser.new_context(**{"viewport": DESKTOP, "reduced_motion": "reduce", **options})
        it = Opened(context.new_page())
        opened.append(it)
        file = tmp_path / f"page{len(opened)}.html"
        if isinstance(aid, str):
            file.write_text(aid, encoding="utf-8")
        else:
            aid.save(file)
        it.page.goto(file.as_uri())
        return it.page

    yield open_page
    for it in opened:
        fetched = [url for url in it.requests if not url.startswith(("file:", "data:", "about:"))]
        it.page.context.close()
        assert (it.complaints, fetched) == ([], [])
