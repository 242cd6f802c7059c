"""Checks that the pages `make docs` has written show every docstring whole: `tools/check_docs.py build/docs`.

A docstring is read in two places, in the source and on a page, where Markdown may eat some of it: `<x, y>` as a tag,
`a*b*c` as emphasis, an indented table as a paragraph. So the text that a browser shows of each is compared with the
docstring, character by character but for white space; lines set apart by indentation, and columns, must be set as code.
And every link to another file must lead to one.
"""

import importlib
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

from pdoc.doc import Module


class Page(HTMLParser):
    """The visible text of every docstring of a page, and apart from it what is set as code, by the id of its member."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.shown: dict[str, str] = {}
        self.code: dict[str, str] = {}
        self._owner, self._depth, self._pre = "", 0, 0  # the member; divs open in its docstring; blocks of code
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if self._depth:
            self._depth += tag == "div"
            self._pre += tag == "pre"
        elif tag in ("section", "div") and attributes.get("id"):
            self._owner = str(attributes["id"])
        elif tag == "div" and attributes.get("class") == "docstring":
            self._depth = 1
            self.shown[self._owner] = self.code[self._owner] = ""

    def handle_endtag(self, tag: str) -> None:
        if self._depth:
            self._depth -= tag == "div"
            self._pre -= tag == "pre"

    def handle_data(self, data: str) -> None:
        if self._depth:
            self.shown[self._owner] += data
            self.code[self._owner] += data if self._pre else ""


def plain(docstring: str) -> str:
    """A docstring as it should be seen: without the marks of code, emphasis and lists, and without white space."""
    text = re.sub(r"^Args:$", "Arguments:", docstring, flags=re.MULTILINE)  # pdoc's word for it
    blocks = text.split("\n\n")
    blocks = [re.sub(r"^- ", "", block, flags=re.MULTILINE) if block.startswith("- ") else block for block in blocks]
    text = re.sub(r"(?<![\w*)\]])(\*\*?)(?=\w)([^*]*[\w.])\1(?![\w*(])", r"\2", "".join(blocks))
    return squeezed(text.replace("`", ""))


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


def set_apart(docstring: str) -> list[str]:
    """The lines indented below a blank line (not those of Args, which pdoc makes a list), and those with columns."""
    found, apart = [], False
    for before, line in zip(["", *docstring.splitlines()], docstring.splitlines(), strict=False):
        apart = line.startswith("    ") and (apart or not before.strip())
        if apart or re.search(r"\S   +\S", line):
            found.append(line.strip())
    return found


def faults(page: Page, module: Module) -> list[str]:
    found = []
    for owner in page.shown:
        member = module.get(owner) if owner else module
        docstring = member.docstring if member else ""
        wanted, shown = plain(docstring), squeezed(page.shown[owner])
        where = f"{module.modulename}:{owner}"
        if wanted != shown:
            at = next((k for k, (a, b) in enumerate(zip(wanted, shown, strict=False)) if a != b), len(shown))
            around = slice(max(0, at - 20), at + 40)
            found.append(f"{where}: the page shows {shown[around]!r} for {wanted[around]!r}")
        lines = [squeezed(line) for line in page.code[owner].splitlines()]
        found += [f"{where}: not set as code: {line!r}" for line in set_apart(docstring) if squeezed(line) not in lines]
    return found


def astray(path: Path) -> list[str]:
    """The links of a page that lead nowhere; a $ is one that a script fills in."""
    links = set(re.findall(r'href="([^"#:$]+)(?:#[^"]*)?"', path.read_text(encoding="utf-8")))
    return [f"{path}: {link} leads nowhere" for link in sorted(links) if not (path.parent / link).exists()]


if __name__ == "__main__":
    root = Path(sys.argv[1])
    pages = [*root.glob("minigrad.html"), *sorted(root.glob("minigrad/**/*.html"))]
    problems, count = [], 0
    for path in pages:
        page = Page(path)
        name = ".".join(path.relative_to(root).with_suffix("").parts)
        module = importlib.import_module(name)
        for late in getattr(module, "__all__", []):  # what is loaded when it is first asked for
            getattr(module, late)
        problems += faults(page, Module(module))
        count += len(page.shown)
    problems += [problem for path in root.glob("**/*.html") for problem in astray(path)]
    print("\n".join(problems) or f"{count} docstrings on {len(pages)} pages are shown whole")
    sys.exit(bool(problems) or count < 500)
