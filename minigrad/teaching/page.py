"""A page: one HTML file that shows what the engine has computed, and works by itself, without network or server.

Every aid of this package is a Page. It holds plain numbers; `print` shows them as text, a notebook shows the page, and
`save` writes it. The page is a frame around what is its own: the numbers, and three files in pages/ that draw them,
`kind.html`, `kind.css` and `kind.js`. What all have in common is in page.css and page.js.
"""

import html
import json
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

# The browser itself sees to it that a page stays by itself.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"

_FRAME = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}</main>
<footer>Computed by minigrad. This file is complete: it needs no network.</footer>
<script type="application/json" id="data">{data}</script>
<script>
{script}</script>
</body>
</html>
"""


class Page:
    """What there is to see: `print(it)` in a terminal, `it` in a notebook, `it.save("it.html")` for a browser."""

    kind: str  # names the page's files in pages/
    title: str
    height = 760  # of the frame in a notebook, in pixels

    def data(self) -> dict[str, Any]:
        """The numbers of the page: arrays, numbers, texts, lists and dicts of them."""
        raise NotImplementedError

    def html(self) -> str:
        """The page as a text."""
        text = json.dumps(_plain(self.data()), separators=(",", ":"), allow_nan=False)
        return _FRAME.format(
            policy=_POLICY,
            title=html.escape(self.title),
            style=_file("page.css") + _file(f"{self.kind}.css"),
            body=_file(f"{self.kind}.html"),
            data=text.replace("<", "\\u003c"),  # nothing in it ends the script
            script=_file("page.js") + _file(f"{self.kind}.js"),
        )

    def save(self, path: str | PathLike[str]) -> Path:
        """Writes the page into one file, whose folder is made if need be, and returns its path."""
        text, path = self.html(), Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def _repr_html_(self) -> str:
        """What a notebook shows: the page in a frame, which keeps its style and its script to itself."""
        attributes = {"sandbox": "allow-scripts", "title": self.title, "srcdoc": self.html(),
                      "style": f"width: 100%; height: {self.height}px; border: 0"}
        written = " ".join([f'{name}="{html.escape(value)}"' for name, value in attributes.items()])
        return f"<iframe {written}></iframe>"


def number_text(value: float) -> str:
    """A number for people: six digits that count, and no sign before a zero."""
    return f"{value + 0.0:.6g}"


def indexed(name: str, index: Sequence[int]) -> str:
    """An element by its name, such as x[0,0,2,3]."""
    return f"{name}[{','.join(map(str, index))}]"


def _file(name: str) -> str:
    return (Path(__file__).parent / "pages" / name).read_text(encoding="utf-8")


def _plain(value: Any) -> Any:
    """`value` as JSON has it. A float32 is written in its own few digits; what is not finite as a text."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist() if value.dtype != np.float32 else _own_digits(value))
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not np.isfinite(value):
        return "NaN" if np.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _own_digits(array: np.ndarray[Any, np.dtype[np.float32]]) -> Any:
    return np.array([float(str(number)) for number in array.ravel()]).reshape(array.shape).tolist()
