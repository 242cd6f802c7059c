"""Runs the chapters of the tutorial and writes them as pages: `tools/build_tutorial.py build/docs/tutorial`.

The chapters are the notebooks in docs/tutorial, stored without outputs: a page shows those of today. What minigrad has
to show stands in it as it would in a notebook.
"""

import html
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
<nav>{links}</nav>
{body}
<p class="soft">This page shows what the notebook <code>docs/tutorial/{name}.ipynb</code> computed. To change it, and to
answer the exercises, open it in Jupyter: <code>make tutorial</code>.</p>
<nav>{links}</nav>
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

STYLE = """\
main { max-width: 60rem; }
nav { display: flex; flex-wrap: wrap; gap: 0.3rem 1.2rem; font-size: 0.9rem; margin: 0.5rem 0 1.5rem; }
nav b { font-weight: 700; }
a { color: var(--accent); }
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


def title_of(notebook: nbformat.NotebookNode) -> str:
    return str(re.match(r"# (.*)", notebook.cells[0].source)[1])


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    titles = {path: title_of(nbformat.read(path, as_version=4)) for path in CHAPTERS}
    page_style = (Path(minigrad.__file__).parent / "teaching" / "pages" / "page.css").read_text(encoding="utf-8")
    exporter = HTMLExporter(template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True)
    for path in CHAPTERS:
        body, _ = exporter.from_notebook_node(executed(path))
        for link in set(re.findall(r'href="(\.\./[^"#]+)', body)):
            body = body.replace(f'href="{link}', f'href="{moved(path, link, folder)}')
        links = " ".join([f"<b>{html.escape(title)}</b>" if other == path else
                          f'<a href="{other.stem}.html">{html.escape(title)}</a>' for other, title in titles.items()])
        title, style = html.escape(titles[path]), page_style + STYLE
        text = FRAME.format(title=title, style=style, links=links, body=body, name=path.stem)
        page = folder / f"{path.stem}.html"
        page.write_text(text, encoding="utf-8")
        print(f"{page}: {len(text) / 1024:.0f} KB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
