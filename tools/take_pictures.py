"""Takes the pictures of the pages that README.md shows: `tools/take_pictures.py`, after `make browser`.

They are photographs of the pages as a browser shows them, written to docs/images.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

import minigrad
from minigrad.teaching.page import Page

IMAGES = Path(__file__).parents[1] / "docs" / "images"


def laboratory() -> Page:
    return minigrad.laboratory()


def explained() -> Page:
    minigrad.manual_seed(0)
    x, w = minigrad.randint(-3, 4, (6, 7)).float(), minigrad.randint(-3, 4, (3, 3)).float()
    dy = minigrad.randint(-2, 3, (3, 4)).float()
    return minigrad.explain_conv2d(x, w, stride=2, padding=1, grad_output=dy)


def replayed() -> Page:
    a = minigrad.tensor(1.0, requires_grad=True)
    with minigrad.record() as tape:
        b = a + a
        c = b + b
        c.backward()
    return tape.replay()


# name: (page, what to do there, the part that is photographed, width)
PICTURES: dict[str, tuple[Callable[[], Page], Callable[[Any], object], str, int]] = {
    "laboratory": (laboratory, lambda page: page.evaluate("control.go(3)"), "#charts", 1150),
    "explain": (explained, lambda page: page.evaluate("find('dx').click(), steps.go(10)"), ".card", 900),
    "replay": (replayed, lambda page: page.evaluate("control.go(2)"), "#stage", 900),
}  # fmt: skip


def main() -> None:
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("MINIGRAD_BROWSER") or next(filter(None, map(shutil.which, names)))
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name, (make, prepare, part, width) in PICTURES.items():
            file = make().save(Path(folder, f"{name}.html"))
            size = {"width": width, "height": 900}
            page = browser.new_page(viewport=size, device_scale_factor=1.5, reduced_motion="reduce")
            page.goto(file.as_uri())
            prepare(page)
            page.locator(part).first.screenshot(path=IMAGES / f"{name}.png")
            print(f"{name}.png: {(IMAGES / f'{name}.png').stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    main()
