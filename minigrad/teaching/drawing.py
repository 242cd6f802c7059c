"""draw(): the graph behind a tensor as a picture. SVG needs no other program; DOT is for those who have graphviz."""

import html
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from minigrad.teaching.graph import Box, Graph, Line, Names, boxes, caller, checked_depth, trace
from minigrad.teaching.layout import layered
from minigrad.tensor import Tensor

_LINE, _LETTER, _MARGIN = 17.0, 7.3, 12.0  # heights and widths, in pixels
_FEWEST = 7  # letters for which every box has room

_STYLE = """\
.graph { font: 12px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.graph rect { fill: #ffffff; stroke: #8a9199; }
.graph text { fill: #24272b; text-anchor: middle; }
.graph .title { font-weight: 700; }
.graph .leaf rect { fill: #e2f2ec; stroke: #00734f; }
.graph .constant rect { fill: #f4f2ed; stroke-dasharray: 4 3; }
.graph .module rect { fill: #e6eff6; }
.graph .rest rect { fill: #f4f2ed; stroke-dasharray: 2 4; }
.graph .output rect { stroke-width: 2.5; }
.graph .line { fill: none; stroke: #8a9199; stroke-width: 1.5; }
@media screen and (prefers-color-scheme: dark) {
  .graph rect { fill: #1d2024; stroke: #767d85; }
  .graph text { fill: #e6e3dc; }
  .graph .leaf rect { fill: #143328; stroke: #4fc79b; }
  .graph .constant rect, .graph .rest rect { fill: #23262a; }
  .graph .module rect { fill: #1c2b37; }
}
"""


def draw(output: Tensor, depth: int | None = None) -> "Drawing":
    """The graph that `output` was computed by: operations, leaves, shapes and what is known of their values.

        minigrad.draw(loss)                      # in a notebook: the picture
        minigrad.draw(loss).save("loss.svg")     # or .dot, for graphviz
        print(minigrad.draw(loss))               # in a terminal: a line for each operation

    Variables of the caller lend their names. A value is shown where a variable, or the graph itself, has kept it. Draw
    before an optimizer writes into the parameters: once backward() has freed what it needed, leaves show what they
    hold now.

    Args:
        output: a tensor that requires grad; it may have any shape, and backward() need not have been called.
        depth: how many levels of modules are opened: with 0 every module is one box. If None, as many as there is room
            for. Of a graph of thousands of operations without modules the last 200 are drawn.
    """
    if not isinstance(output, Tensor):
        raise TypeError(f"draw: needs a tensor, got {type(output).__name__}; call it on the loss, for example.")
    if output.creator is None and output.requires_grad:
        raise ValueError(f"draw: this tensor of shape {output.shape} is a leaf: nothing was computed for it. Draw what "
                         "was computed from it, such as the loss.")
    if output.creator is None:
        raise ValueError(f"draw: this tensor of shape {output.shape} has no graph: nothing that it was computed from "
                         "requires grad, or it was computed under no_grad(), or detached. Set requires_grad=True on an "
                         "input.")
    depth = checked_depth("draw", depth)
    graph, _ = trace([output], Names(caller()), {}, {})
    return Drawing(graph, depth)


class Drawing:
    """What `draw` returns: `svg` and `dot` are texts, `graph` is the plain data, `boxes` and `lines` what is drawn."""

    def __init__(self, graph: Graph, depth: int | None = None) -> None:
        self.graph = graph
        self.boxes, its = boxes(graph, depth)
        self.lines: list[Line] = []  # from which box to which
        self.line_of: dict[tuple[int, int], int] = {}  # for a node and the position of its input
        for place, line in its.items():
            kinds = {self.boxes[end].kind for end in line}
            if kinds & {"module", "rest"} and line in self.lines:  # one for all that goes there
                self.line_of[place] = self.lines.index(line)
            else:
                self.line_of[place] = len(self.lines)
                self.lines.append(line)
        self._outputs = {number for number, box in enumerate(self.boxes) if set(box.members) & set(graph.outputs)}

    @property
    def svg(self) -> str:
        """The picture as a text."""
        return self.picture([0] * len(self.boxes))

    def picture(self, letters: Sequence[int]) -> str:
        """The picture, with #box0, #box1 ... and #line0, #line1 ... as the ids of its parts. A box whose number in
        `letters` is not 0 has an empty line, .gradient, with room for so many.
        """
        sizes = [_size(box, count) for box, count in zip(self.boxes, letters, strict=True)]
        layout = layered(sizes, self.lines)
        width, height = layout.width + 2 * _MARGIN, layout.height + 2 * _MARGIN
        size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
        name = 'role="group" aria-label="The graph, inputs at the top"'
        parts = [f'<svg xmlns="http://www.w3.org/2000/svg" class="graph" {size} {name}>', f"<style>\n{_STYLE}</style>"]
        parts += [f'<path class="line" id="line{number}" d="{_curve(points)}"/>' for number, points in
                  enumerate(layout.lines)]
        for number, (box, centre) in enumerate(zip(self.boxes, layout.centres, strict=True)):
            kind = box.kind + (" output" if number in self._outputs else "")
            group = f'<g class="box {kind}" id="box{number}">'
            parts.append(_drawn(group, box, centre, sizes[number], letters[number]))
        return "\n".join([*parts, "</svg>\n"])

    @property
    def dot(self) -> str:
        """The graph in graphviz's language."""
        lines = ["digraph {", "  node [shape=box, fontname=monospace];"]
        for number, box in enumerate(self.boxes):
            label = "\\n".join([part.replace("\\", "\\\\").replace('"', '\\"') for part in _texts(box)])
            style = {"leaf": ", style=bold", "constant": ", style=dashed", "rest": ", style=dotted"}.get(box.kind, "")
            lines.append(f'  box{number} [label="{label}"{style}];')
        lines += [f"  box{source} -> box{target};" for source, target in self.lines]
        return "\n".join([*lines, "}", ""])

    def save(self, path: str | PathLike[str]) -> Path:
        """Writes the picture: a name that ends in .dot gets graphviz's language, any other SVG."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.dot if path.suffix == ".dot" else self.svg, encoding="utf-8")
        return path

    def _repr_svg_(self) -> str:
        return self.svg

    def __str__(self) -> str:
        lines = []
        sources: list[list[str]] = [[] for _ in self.boxes]
        for source, target in self.lines:
            sources[target].append(f"#{source}")
        for number, box in enumerate(self.boxes):
            made = f" of {', '.join(sources[number])}" if sources[number] else ""
            lines.append(f"#{number:<3} {box.title + made:36} {', '.join(filter(None, box.lines))}".rstrip())
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Drawing of {len(self.graph.nodes)} nodes in {len(self.boxes)} boxes>"


def _texts(box: Box) -> list[str]:
    return [box.title, *filter(None, box.lines)]


def _size(box: Box, letters: int) -> tuple[float, float]:
    texts = _texts(box)
    most = max([_FEWEST, letters, *map(len, texts)])
    return _LETTER * most + 20, _LINE * (len(texts) + (letters > 0)) + 12


def _drawn(group: str, box: Box, centre: tuple[float, float], size: tuple[float, float], letters: int) -> str:
    x, y = centre[0] - size[0] / 2 + _MARGIN, centre[1] - size[1] / 2 + _MARGIN
    title, *lines = _texts(box)
    texts = [("title", title), *[("text", line.replace("-", "\N{MINUS SIGN}")) for line in lines]]
    texts += [("gradient", "")] if letters else []
    parts = [group, f'<rect x="{x:.1f}" y="{y:.1f}" width="{size[0]:.1f}" height="{size[1]:.1f}" rx="7"/>']
    for row, (kind, text) in enumerate(texts):
        place = f'x="{x + size[0] / 2:.1f}" y="{y + _LINE * (row + 1) + 2:.1f}"'
        parts.append(f'<text class="{kind}" {place}>{html.escape(text)}</text>')
    return "".join([*parts, "</g>"])


def _curve(points: list[Any]) -> str:
    """A line through the points that leaves and enters upright."""
    (x, y), *others = [(x + _MARGIN, y + _MARGIN) for x, y in points]
    path = [f"M{x:.1f} {y:.1f}"]
    for to_x, to_y in others:
        middle = (y + to_y) / 2
        path.append(f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}")
        x, y = to_x, to_y
    return "".join(path)
