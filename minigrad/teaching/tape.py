"""record(): a tape of what backward() does, contribution by contribution, to be replayed.

The engine tells whoever watches (function.Tape) of each step. What the tape keeps of it are plain numbers, so a replay
needs no graph any more, and none is kept alive.

Beside the walk that took place, the tape tries out another, which looks simpler: plain recursion. Every Function, as
soon as its result gets a contribution, passes on the gradient that has arrived so far,

    def backward(tensor):
        for input, dx in contributions(tensor, tensor.grad):
            input.grad += dx
            backward(input)

In `b = a + a; c = b + b` b is reached twice, and what it had the first time is passed on again: a gets 6 instead of 4.
"""

import inspect
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from os import PathLike
from types import FrameType, TracebackType
from typing import Any, Self

import numpy as np

from minigrad import function as engine
from minigrad.autograd import reached
from minigrad.function import Function, no_grad, watched_by
from minigrad.teaching.drawing import Drawing
from minigrad.teaching.graph import Constant, Glimpse, Graph, Names, Node, caller, checked_depth, trace
from minigrad.teaching.page import Page
from minigrad.tensor import Tensor

_STEPS = 1000  # the most that a tape keeps of one walk
_KEPT, _WALKS = 100, 5  # the most that a tape keeps, and that a page shows
_WORD, _LETTERS = "grad ", 20  # what stands in a box before its gradient, and how much of that
_OPERATIONS, _ELEMENTS, _CALLS = 60, 10_000, 100  # the largest graph on which recursion is tried


@dataclass(frozen=True)
class Step:
    """A gradient arrives at node `target`: there was `before` (None for nothing), dx comes, and it is `after`.

    It comes from node `source`, whose input at `position` the target is, and whose own gradient is `dy`; at the start,
    with the seed, from nobody (source None). With `hooked`, all have arrived, and hooks made `after` of their sum dx.
    With `stored`, the walk is through, and dx is added to what is in `.grad`.
    """

    target: int
    source: int | None
    position: int
    dy: Glimpse | None
    before: Glimpse | None
    dx: Glimpse
    after: Glimpse
    stored: bool = False
    hooked: bool = False

    def text(self, graph: Graph) -> str:
        """The step as a sentence."""
        target = graph.called(self.target)
        added = f"{self.before} + {self.dx} = {self.after}" if self.before is not None else str(self.after)
        if self.stored:
            return f"{target}.grad is {added}"
        if self.hooked:
            return f"a hook of {target} makes {self.after} of {self.dx}"
        if self.source is None:
            return f"{target} starts with {added}"
        source = graph.called(self.source, whole=True)
        return f"{source}, dy = {self.dy}, gives {self.dx} to its input {self.position}: {target} has {added}"


@dataclass
class Walk:
    """One backward(): the graph, the steps in their order, and the steps that plain recursion would have taken.

    `recursion` is None where it was not tried; `obstacle` says why. `calls` is how often recursion would have called
    the Functions of the graph, which the walk visits once each. `left_out` counts steps beyond the first 1000.
    `sources` has the text of the backward of each node that was visited.
    """

    graph: Graph
    steps: list[Step]
    calls: int
    recursion: list[Step] | None = None
    obstacle: str = ""
    left_out: int = 0
    sources: dict[int, str] = field(default_factory=dict)

    @property
    def operations(self) -> int:
        """How many there are in the graph."""
        return sum([bool(node.operation) for node in self.graph.nodes])

    def gradients(self, steps: Sequence[Step]) -> dict[int, Glimpse]:
        """What these steps leave at the leaves, by their numbers."""
        leaves = {number for number, node in enumerate(self.graph.nodes) if not node.operation}
        return {step.target: step.after for step in steps if step.target in leaves and not step.stored}

    def __str__(self) -> str:
        lines = [f"{number:3}  {step.text(self.graph)}" for number, step in enumerate(self.steps, 1)]
        if self.left_out:
            lines.append(f"     ... {self.left_out:,} steps more")
        if self.recursion is not None and self.calls > self.operations:  # else both do the same
            right, wrong = self.gradients(self.steps), self.gradients(self.recursion)
            for leaf, gradient in right.items():
                if leaf in wrong and str(wrong[leaf]) != str(gradient):
                    name = self.graph.called(leaf)
                    lines.append(f"Plain recursion would have left {wrong[leaf]} at {name}, not {gradient}.")
        return "\n".join(lines)


class Tape(engine.Tape):
    """What `record` returns: `walks` has one Walk for each backward() or grad() inside the `with` statement, of the
    first 100; `left_out` counts the others.
    """

    def __init__(self) -> None:
        self.walks: list[Walk] = []
        self.left_out = 0
        self._values: dict[int, Glimpse] = {}  # by birth of a Function: the tape keeps none alive
        self._constants: dict[tuple[int, int], Constant] = {}  # by birth, and position of the input
        self._caller: FrameType | None = None
        self._walk: Walk | None = None  # under way
        self._numbers: dict[Any, int] = {}
        self._dy: Glimpse | None = None

    def __enter__(self) -> Self:
        self._caller = caller()
        self._watch = watched_by(self)
        self._watch.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._watch.__exit__(kind, error, trace)
        self._caller, self._walk, self._numbers, self._values, self._constants = None, None, {}, {}, {}

    # --- what the engine tells ----------------------------------------------------------------------------

    def made(self, function: Function, inputs: tuple[Tensor, ...], result: Tensor) -> None:
        self._values[function.birth] = Glimpse.of(result)
        for position, tensor in enumerate(inputs):
            if function.edges[position] is None and tensor.version is not result.version:  # no longer what it was
                self._constants[function.birth, position] = Constant.of(tensor)

    def starts(self, outputs: Sequence[Tensor], seeds: Sequence[Tensor]) -> None:
        assert self._caller is not None, "a tape is told of nothing outside its with statement"
        if len(self.walks) == _KEPT:
            self.left_out += 1
            self._walk = None
            return
        graph, self._numbers = trace(outputs, Names(self._caller), self._values, self._constants)
        starts: list[Step] = []
        sums: dict[Any, Tensor] = {}
        with watched_by(None), no_grad():
            for output, seed in zip(outputs, seeds, strict=True):
                node, before = output._node(), sums.get(output._node())
                sums[node] = seed.clone() if before is None else before + seed
                starts.append(self._step(None, 0, node, None, before, seed, sums[node]))
        self._walk = walk = Walk(graph, starts, _calls(outputs))
        self.walks.append(walk)
        walk.obstacle = _obstacle(walk, reached(outputs))
        if not walk.obstacle:
            with watched_by(None), no_grad():
                walk.recursion = [*starts, *self._recursed(sums)]

    def hooked(self, node: Any, before: Tensor, after: Tensor) -> None:
        if not np.array_equal(before.numpy(force=True), after.numpy(force=True), equal_nan=True):
            self._keep(None, 0, node, None, before, after, hooked=True)

    def visits(self, function: Function, dy: Tensor) -> None:
        if self._walk is not None:
            self._dy = Glimpse.of(dy)
            self._walk.sources[self._numbers[function]] = _source(function)

    def adds(self, function: Function, position: int, dx: Tensor, before: Tensor | None, after: Tensor) -> None:
        self._keep(function, position, function.edges[position], before, dx, after)

    def stores(self, leaf: Tensor, before: Tensor | None, gradient: Tensor) -> None:
        node = leaf if leaf in self._numbers else leaf._creator  # of a tensor that called retain_grad()
        if node in self._numbers:
            with watched_by(None), no_grad():
                after = gradient if before is None else before + gradient
            self._keep(None, 0, node, before, gradient, after, stored=True)

    def _keep(self, function: Function | None, position: int, node: Any, before: Tensor | None, dx: Tensor,
              after: Tensor, **kind: bool) -> None:
        if self._walk is None:
            return
        if len(self._walk.steps) < _STEPS:
            dy = None if function is None else self._dy
            self._walk.steps.append(self._step(function, position, node, dy, before, dx, after, **kind))
        else:
            self._walk.left_out += 1

    def _step(self, function: Function | None, position: int, node: Any, dy: Glimpse | None, before: Tensor | None,
              dx: Tensor, after: Tensor, **kind: bool) -> Step:
        source = None if function is None else self._numbers[function]
        glimpse = None if before is None else Glimpse.of(before)
        return Step(self._numbers[node], source, position, dy, glimpse, Glimpse.of(dx), Glimpse.of(after), **kind)

    def _recursed(self, sums: dict[Any, Tensor]) -> list[Step]:
        """The steps of plain recursion from nodes whose gradients so far are `sums`."""
        steps: list[Step] = []

        def backward(function: Function) -> None:
            dy = sums[function]
            dxs = function.differentiate(dy, tuple([edge is not None for edge in function.edges]))
            for position, dx in enumerate(dxs if isinstance(dxs, tuple) else (dxs,)):
                edge = function.edges[position]
                if dx is not None and edge is not None:
                    before = sums.get(edge)
                    sums[edge] = dx if before is None else before + dx
                    steps.append(self._step(function, position, edge, Glimpse.of(dy), before, dx, sums[edge]))
                    if isinstance(edge, Function):
                        backward(edge)

        for node in list(sums):
            if isinstance(node, Function):
                backward(node)
        return steps

    # --- what there is to see -----------------------------------------------------------------------------

    def replay(self, path: str | PathLike[str] | None = None, depth: int | None = None) -> "Replay":
        """The page that shows the walks step by step; written to `path`, if one is given.

        `depth` is as in `draw`. Raises RuntimeError if nothing walked inside the `with` statement.
        """
        if not self.walks:
            raise RuntimeError("replay: no backward() was called inside `with minigrad.record() as tape:`, so there is "
                               "nothing to see. (A captured step replays primitives, and walks no graph: record the "
                               "step itself.)")
        page = Replay(self, checked_depth("replay", depth))
        if path is not None:
            page.save(path)
        return page

    def __str__(self) -> str:
        many = len(self.walks) > 1
        texts = [(f"backward {number}\n" if many else "") + str(walk) for number, walk in enumerate(self.walks, 1)]
        texts += [f"... {self.left_out:,} more, which are not kept"] if self.left_out else []
        return "\n\n".join(texts) or "an empty tape: no backward() was called inside the with statement"

    def __repr__(self) -> str:
        return f"<Tape of {len(self.walks)} walks, {sum([len(walk.steps) for walk in self.walks])} steps>"


def record() -> Tape:
    """Records what backward() does, to be seen step by step:

        with minigrad.record() as tape:
            loss.backward()
        tape.replay("backward.html")       # the page; tape.replay() in a notebook
        print(tape)                        # a line for each step
        tape.walks[0].steps                # plain data

    Variables of the caller lend their names. A forward pass inside the `with` statement lends its values; of one
    outside those are shown that variables, or the graph itself, have kept. Each backward() is a walk of its own, so a
    second one shows what accumulates in .grad. A captured step walks no graph: record the step that was captured.
    """
    return Tape()


def _calls(outputs: Sequence[Tensor]) -> int:
    """How often plain recursion would call Functions: each as often as there are ways to it."""
    functions = reached(outputs)
    ways = dict.fromkeys(functions, 0)
    for output in outputs:
        if output.creator is not None:
            ways[output.creator] += 1
    for function in reversed(functions):
        for edge in function.edges:
            if edge in ways:
                ways[edge] += ways[function]
    return sum(ways.values())


def _obstacle(walk: Walk, functions: Sequence[Function]) -> str:
    """Why recursion cannot be tried on this graph, if there is a reason. It calls backwards again and again."""
    if len(functions) > _OPERATIONS or any([prod(node.shape) > _ELEMENTS for node in walk.graph.nodes]):
        return "The graph is too large to try it out here."
    if walk.calls > _CALLS:
        return "That is too often to try it out here."
    if not all([type(function).__module__.startswith("minigrad.") for function in functions]):
        return "Here it is not tried out: some operations are not minigrad's own, and may do more than compute."
    if any([node.hooks for function in functions for node in (function, *function.edges) if node is not None]):
        return "Here it is not tried out: hooks change gradients on their way."
    return ""


def _source(function: Function) -> str:
    """The text of its backward."""
    try:
        return textwrap.dedent(inspect.getsource(function.backward))
    except (OSError, TypeError):  # typed into an interpreter that keeps no text; or no function of Python's at all
        return ""


class Replay(Page):
    """The page of a tape."""

    kind = "replay"
    title = "How the gradients came back"
    height = 1000

    def __init__(self, tape: Tape, depth: int | None = None) -> None:
        self.tape, self.depth = tape, depth

    def data(self) -> dict[str, Any]:
        walks = self.tape.walks[:_WALKS]
        more = len(self.tape.walks) - len(walks) + self.tape.left_out
        return {"walks": [self._walk(walk) for walk in walks], "more": more}

    def _walk(self, walk: Walk) -> dict[str, Any]:
        """A walk for the page: the picture, and in which box and on which line of it things happen."""
        drawing, nodes = Drawing(walk.graph, self.depth), walk.graph.nodes
        box = {member: number for number, each in enumerate(drawing.boxes) for member in each.members}
        letters = [0] * len(drawing.boxes)
        for step in [*walk.steps, *(walk.recursion or [])]:
            text = len(_WORD) + min(_LETTERS, len(str(step.after)))
            letters[box[step.target]] = max(letters[box[step.target]], text)
        sources = list(dict.fromkeys(walk.sources.values()))
        return {
            "svg": drawing.picture(letters), "word": _WORD, "letters": _LETTERS,
            "nodes": [{**_plain_node(node), "box": box[number]} for number, node in enumerate(nodes)],
            "lines": {f"{number},{position}": line for (number, position), line in drawing.line_of.items()},
            "sources": sources, "source_of": {str(number): sources.index(it) for number, it in walk.sources.items()},
            "walk": [_plain_step(step) for step in walk.steps],
            "recursion": None if walk.recursion is None else [_plain_step(step) for step in walk.recursion],
            "obstacle": walk.obstacle, "left_out": walk.left_out, "operations": _count(walk.operations),
            "calls": _count(walk.calls), "again": walk.calls > walk.operations,
        }

    def __str__(self) -> str:
        return str(self.tape)


def _count(number: int) -> str:
    """A number of any size for people."""
    return f"{number:,}" if number < 10**15 else f"about 2^{number.bit_length() - 1}"


def _plain_node(node: Node) -> dict[str, Any]:
    return {"title": node.title, "short": node.short, "operation": node.operation, "shape": node.shape,
            "dtype": node.dtype, "value": _plain(node.value), "path": ".".join(node.path)}


def _plain_step(step: Step) -> dict[str, Any]:
    glimpses = {name: _plain(getattr(step, name)) for name in ("dy", "before", "dx", "after")}
    return {"target": step.target, "source": step.source, "position": step.position, "stored": step.stored,
            "hooked": step.hooked, **glimpses}


def _plain(glimpse: Glimpse | None) -> dict[str, Any] | None:
    if glimpse is None:
        return None
    return {"shape": glimpse.shape, "values": glimpse.values, "outline": glimpse.outline, "text": str(glimpse)}
