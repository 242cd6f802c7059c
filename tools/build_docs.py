"""Writes what stands beside the API reference, a front page and the tutorial: `tools/build_docs.py build/docs`.

The chapters are the notebooks in docs/tutorial, stored without outputs: they are run, and a page shows the outputs of
today. What minigrad has to show stands in it as it would in a notebook.
"""

import html
import importlib
import os
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbconvert import HTMLExporter

import minigrad

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT / "docs" / "tutorial").glob("*.ipynb"))

MODULES = ["minigrad", "minigrad.nn", "minigrad.nn.functional", "minigrad.nn.init", "minigrad.optim",
           "minigrad.optim.lr_scheduler", "minigrad.utils.data", "minigrad.teaching"]  # where users look things up

FRAME = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
{body}
</main>
<script>
// Pages in frames say how high they are.
addEventListener("message", (event) => {{
  const frame = [...document.querySelectorAll("iframe")].find((each) => each.contentWindow === event.source);
  if (frame && event.data.minigrad) frame.style.height = `${{event.data.minigrad}}px`;
}});
</script>
</body>
</html>
"""

CHAPTER = """\
<nav>{links}</nav>
{body}
<p class="soft">This page shows what the notebook <code>docs/tutorial/{name}.ipynb</code> computed. To change it, and to
answer the exercises, open it in Jupyter: <code>make tutorial</code>.</p>
<nav>{links}</nav>
"""

FRONT = """\
<h1>minigrad</h1>
<p>A small automatic-differentiation framework to learn from, and to get work done with. In a terminal,
<code>python -m minigrad</code> lists what there is to see.</p>
<h2>Learn: the tutorial</h2>
<dl>
{chapters}
</dl>
<h2>Look up: the reference</h2>
<dl>
{modules}
</dl>
"""

STYLE = """\
main { max-width: 60rem; }
nav { display: flex; flex-wrap: wrap; gap: 0.3rem 1.2rem; font-size: 0.9rem; margin: 0.5rem 0 1.5rem; }
nav b { font-weight: 700; }
a { color: var(--accent); }
dt { margin-top: 0.8rem; }
dd { margin: 0; max-width: 52rem; }
.anchor-link, .prompt { display: none; }
.highlight pre { background: var(--card); border: 1px solid var(--line); white-space: pre; }
pre { font-size: 0.85rem; }
.highlight .k, .highlight .kn, .highlight .kc, .highlight .ow { color: var(--accent); font-weight: 600; }
.highlight .s1, .highlight .s2, .highlight .mi, .highlight .mf { color: var(--string); }
.highlight .c1 { color: var(--soft); font-style: italic; }
.output_area { margin: 0.3rem 0 1rem; overflow-x: auto; }
.output_area pre { background: none; padding: 0 0.6rem; color: var(--soft); }
.output_area svg { max-width: 100%; height: auto; }
:root { --string: light-dark(#a3460b, #e8a06a); }
"""


def executed(path: Path) -> nbformat.NotebookNode:
    """The notebook with its outputs, run from the top in the folder where it lies."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}}).execute()
    return notebook


def moved(chapter: Path, link: str, folder: Path) -> str:
    """A link of a chapter to another file, as it is for the page in `folder`."""
    return Path(os.path.relpath(chapter.parent / link, folder)).as_posix()


def opening(path: Path) -> tuple[str, str]:
    """The title of a chapter, and its first paragraph."""
    title, paragraph = nbformat.read(path, as_version=4).cells[0].source.split("\n\n")[:2]
    return title.removeprefix("# "), paragraph.replace("*", "")


def summary(name: str) -> str:
    """The first sentence of a module's docstring."""
    docstring = importlib.import_module(name).__doc__ or ""
    return re.split(r"(?<=\.)\s", docstring)[0].removeprefix("minigrad: ").replace("`", "")


def write(path: Path, title: str, body: str) -> None:
    page_style = (Path(minigrad.__file__).parent / "teaching" / "pages" / "page.css").read_text(encoding="utf-8")
    text = FRAME.format(title=html.escape(title), style=page_style + STYLE, body=body)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(f"{path}: {len(text) / 1024:.0f} KB")


def entries(links: dict[str, tuple[str, str]]) -> str:
    """A list of links, each with its title and what is there to read."""
    return "\n".join([f'<dt><a href="{link}">{html.escape(title)}</a></dt><dd>{html.escape(text)}</dd>'
                      for link, (title, text) in links.items()])


def write_front_page(folder: Path) -> None:
    chapters = {f"tutorial/{path.stem}.html": opening(path) for path in CHAPTERS}
    modules = {name.replace(".", "/") + ".html": (name, summary(name)) for name in MODULES}
    write(folder / "index.html", "minigrad", FRONT.format(chapters=entries(chapters), modules=entries(modules)))


def write_tutorial(folder: Path) -> None:
    titles = {path: opening(path)[0] for path in CHAPTERS}
    exporter = HTMLExporter(template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True)
    for path in CHAPTERS:
        body, _ = exporter.from_notebook_node(executed(path))
        for link in set(re.findall(r'href="(\.\./[^"#]+)', body)):
            body = body.replace(f'href="{link}', f'href="{moved(path, link, folder)}')
        links = ['<a href="../index.html">minigrad</a>']
        links += [f"<b>{html.escape(title)}</b>" if other == path else
                  f'<a href="{other.stem}.html">{html.escape(title)}</a>' for other, title in titles.items()]
        body = CHAPTER.format(links=" ".join(links), body=body, name=path.stem)
        write(folder / f"{path.stem}.html", titles[path], body)


if __name__ == "__main__":
    write_front_page(Path(sys.argv[1]))
    write_tutorial(Path(sys.argv[1]) / "tutorial")
