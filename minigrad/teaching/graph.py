"""The graph behind a tensor as plain data, and its parts as boxes: what draws or replays it needs no engine any more.

The engine keeps no names, and of the values only what some `backward` reads. Names come from the variables of whoever
asks; values from these, too, from what the graph has saved, and from a tape that ran along.
"""

import contextlib
import inspect
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from types import FrameType
from typing import Any, NamedTuple
from weakref import ReferenceType, ref

import numpy as np

from minigrad.autograd import reached
from minigrad.function import Function, Part
from minigrad.nn.modules.module import Module
from minigrad.ops.shape import integers
from minigrad.tensor import Tensor

_WHOLE = 256  # the most elements that a glimpse keeps
_LISTED = 100  # elements of a list that have names: xs[0], xs[1] ...
_BOXES, _OPERATIONS = 40, 200  # beyond which modules become boxes; the most boxes that are drawn of what has no modules


@dataclass(frozen=True)
class Glimpse:
    """A small tensor as it was, a large one in outline: the least, the mean and the largest of its elements."""

    shape: tuple[int, ...]
    dtype: str
    values: list[Any] | float | None  # nested as the tensor is; None if it is large
    outline: tuple[float, float, float] | None  # None if it has no elements

    @classmethod
    def of(cls, tensor: Tensor) -> "Glimpse":
        array = type(tensor.device).to_numpy(tensor.device, tensor.array)  # which a step that is captured does not see
        size = array.size
        values = np.array(array.astype(str), float).tolist() if 0 < size <= _WHOLE else None  # in its own few digits
        with np.errstate(all="ignore"):
            outline = (float(array.min()), float(array.mean()), float(array.max())) if size else None
        return cls(tensor.shape, str(tensor.dtype), values, outline)

    def __str__(self) -> str:
        if self.outline is None:
            return "empty"
        if self.values is not None and prod(self.shape) <= 4:
            return _nested(self.values)
        least, _, most = map(_brief, self.outline)
        return f"{least} to {most}" if least != most else f"all {least}"


def _brief(number: float) -> str:
    return f"{number + 0.0:.4g}"


def _nested(values: Any) -> str:
    return f"[{', '.join(map(_nested, values))}]" if isinstance(values, list) else _brief(values)


@dataclass
class Node:
    """A Function with the tensor that it made, or a tensor that no recorded operation made: a leaf, or a constant."""

    operation: str  # the class of the Function; "" for a tensor
    name: str  # of the variable; "" if it is not known
    shape: tuple[int, ...]
    dtype: str
    requires_grad: bool
    inputs: list[int | None]  # numbers of nodes; None for a constant of which nothing is known
    value: Glimpse | None = None
    gradient: Glimpse | None = None  # what is in .grad
    path: tuple[str, ...] = ()  # the modules it is part of, outermost first
    kinds: tuple[str, ...] = ()  # their classes
    parts: tuple[int, ...] = field(default=(), repr=False)  # the same, each call with a number of its own

    @property
    def short(self) -> str:
        return self.name or self.operation or ("tensor" if self.requires_grad else "constant")

    @property
    def title(self) -> str:
        return " = ".join(filter(None, [self.name, self.operation])) or ("tensor" if self.requires_grad else "constant")


@dataclass
class Graph:
    """Nodes, inputs before what is made of them; the numbers of those that it was traced from."""

    nodes: list[Node]
    outputs: list[int]

    def called(self, number: int, whole: bool = False) -> str:
        """What a node is called, in short or as a `whole`: by its number, too, where others have the same name."""
        node = self.nodes[number]
        name = node.title if whole else node.short
        return name if self._names[node.short] == 1 else f"{name} #{number}"

    @cached_property
    def _names(self) -> Counter[str]:
        return Counter([node.short for node in self.nodes])


def caller() -> FrameType:
    """The innermost function under way that is none of ours (but those that show something are)."""
    frame = sys._getframe(1)
    while _is_ours(str(frame.f_globals.get("__name__"))) and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _is_ours(name: str) -> bool:
    return name.startswith("minigrad.") and name != "minigrad.__main__"


def checked_depth(name: str, depth: int | None) -> int | None:
    """How many levels of modules to open, as `boxes` takes it."""
    if depth is None:
        return None
    (levels,) = integers(f"{name}: depth", [depth])
    if levels < 0:
        raise ValueError(f"{name}: depth={levels} must be at least 0, or None.")
    return levels


class Names:
    """The variables that a function, and the module it is in, can name: tensors, and the parameters of modules."""

    def __init__(self, frame: FrameType) -> None:
        self.tensors: dict[Any, str] = {}  # by node: a Function, or a leaf
        self.constants: dict[int, str] = {}  # by the id of the tensor
        self.modules: dict[int, str] = {}  # by its id
        self.values: dict[Any, Tensor] = {}
        variables = frame.f_locals
        for namespace in (variables, frame.f_globals):
            for name, value in list(namespace.items()):
                if name.isidentifier() and not name.startswith("_"):  # a notebook's _ and _1 are names for anything
                    with contextlib.suppress(Exception):  # a module, say, that cannot list its parameters
                        self.add(name, value)
        if frame.f_code.co_flags & inspect.CO_OPTIMIZED and type(variables) is dict:
            variables.clear()  # before Python 3.13 a copy, which would keep alive what the function lets go of

    def add(self, name: str, value: Any) -> None:
        if issubclass(type(value), Tensor):  # not isinstance, which asks the object: proxies may object
            node = value._creator or (value if value._requires_grad else None)  # as it is: a look changes nothing
            self.constants.setdefault(id(value), name)
            if node is not None:
                self.tensors.setdefault(node, name)
                self.values.setdefault(node, value)
        elif type(value) in (list, tuple):
            for position, part in enumerate(value[:_LISTED]):
                if issubclass(type(part), Tensor):
                    self.add(f"{name}[{position}]", part)
        elif issubclass(type(value), Module):
            self.modules.setdefault(id(value), name)
            for path, parameter in value.named_parameters():
                self.tensors.setdefault(parameter, f"{name}.{path}")

    def add_module_of(self, part: Part | None) -> None:
        """What nobody calls by a name is called by its class."""
        while part is not None and part[0] is not None:
            part = part[0]
        if part is not None and (module := part[1]()) is not None and id(module) not in self.modules:
            self.add(part[2].__name__, module)

    def of_part(self, part: Part) -> list[str]:
        """What the modules are called in whose call `part` something happened, outermost first."""
        outer, reference, kind = part
        module, whole = reference(), outer[1]() if outer else None
        within = [name for name, child in whole.named_children() if child is module] if whole is not None else []
        name = within[0] if within else self.modules.get(id(module), kind.__name__)
        return [*(self.of_part(outer) if outer else []), name]


class Constant(NamedTuple):
    """A tensor without a graph, as it was when it was used: who it is, how often it had been written, and its value."""

    who: ReferenceType[Tensor]
    writes: int
    value: Glimpse

    @classmethod
    def of(cls, tensor: Tensor) -> "Constant":
        return cls(ref(tensor), tensor.version.count, Glimpse.of(tensor))


def trace(outputs: Sequence[Tensor], names: Names, values: Mapping[int, Glimpse],
          constants: Mapping[tuple[int, int], Constant]) -> tuple[Graph, dict[Any, int]]:
    """The graph behind `outputs`, and the number of each Function and leaf in it.

    `values` are known of Functions, by their birth, `constants` of (birth, position of the input).
    """
    functions = reached(outputs)
    for function in functions:
        names.add_module_of(function.part)
    nodes: list[Node] = []
    numbers: dict[Any, int] = {}
    used: dict[Any, tuple[Constant, int]] = {}  # constants that are drawn, with their numbers
    calls: dict[int, int] = {}  # of modules, in the order they are met
    known = {function: values[function.birth] for function in functions if function.birth in values}
    leading = set(functions)
    for node, tensor in [*names.values.items(), *[(output._node(), output) for output in outputs]]:
        if node in leading and node not in known:
            known[node] = Glimpse.of(tensor)
    saved: dict[Function, dict[int | None, Tensor]] = {function: {} for function in functions}
    changed = set()  # leaves that have been written in place since they were used
    for function in functions:
        for position, tensor, is_unchanged in function.known():
            if is_unchanged:
                saved[function][position] = tensor
            elif position is not None:
                changed.add(function.edges[position])
    for function in functions:  # what one has saved of another's result
        for position, tensor in saved[function].items():
            node = function if position is None else function.edges[position]
            if node is not None and node not in known:
                known[node] = Glimpse.of(tensor)

    def tensor_node(tensor: Tensor, name: str) -> int:
        gradient = None if tensor.grad is None else Glimpse.of(tensor.grad)
        value = None if tensor in changed else Glimpse.of(tensor)
        nodes.append(Node("", name, tensor.shape, str(tensor.dtype), True, [], value, gradient))
        return len(nodes) - 1

    def constant_node(function: Function, position: int) -> int | None:
        tensor = saved[function].get(position)
        constant = constants.get((function.birth, position)) or (None if tensor is None else Constant.of(tensor))
        if constant is None:
            return None
        key = (id(constant.who), constant.writes)  # of the reference: there is one for each tensor, kept in `used`
        if key not in used:
            used[key] = (constant, len(nodes))
            name, value = names.constants.get(id(constant.who()), ""), constant.value
            nodes.append(Node("", name, value.shape, value.dtype, False, [], value))
        return used[key][1]

    for function in functions:
        inputs = []
        for position, edge in enumerate(function.edges):
            if edge is not None and edge not in numbers:
                numbers[edge] = tensor_node(edge, names.tensors.get(edge, ""))
            inputs.append(constant_node(function, position) if edge is None else numbers[edge])
        parts = list(_parts(function.part))
        path = names.of_part(parts[-1]) if parts else []
        value = known.get(function)
        nodes.append(Node(type(function).__name__, names.tensors.get(function, ""), function.shape,
                          value.dtype if value else "", True, inputs, value, None, tuple(path),
                          tuple([part[2].__name__ for part in parts]),
                          tuple([calls.setdefault(id(part), len(calls)) for part in parts])))
        numbers[function] = len(nodes) - 1
    for output in outputs:
        leaf = output._node()
        if leaf not in numbers:
            numbers[leaf] = tensor_node(output, names.tensors.get(leaf, ""))
    return Graph(nodes, [numbers[output._node()] for output in outputs]), numbers


def _parts(part: Part | None) -> Iterator[Part]:
    """The calls of modules within which something happened, outermost first."""
    if part is not None:
        yield from _parts(part[0])
        yield part


@dataclass
class Box:
    """What is drawn as one: a node, or all that a call of a module has recorded, or the rest of a long graph."""

    title: str
    kind: str  # "leaf", "constant", "function", "module" or "rest"
    members: list[int]
    lines: list[str] = field(default_factory=list)


Line = tuple[int, int]
Lines = dict[tuple[int, int], Line]  # by number of a node and position of its input


def boxes(graph: Graph, depth: int | None = None) -> tuple[list[Box], Lines]:
    """The graph as boxes; and for each input of a node that comes from another box, between which boxes a line runs.

    `depth` says how many levels of modules are opened, 0 none. If None, as many as make at most 40 boxes. What is still
    too long loses its beginning, which becomes one box.
    """
    deepest = max([len(node.parts) for node in graph.nodes], default=0)
    if depth is None:
        depth = next((level for level in range(deepest, 0, -1) if len(set(_keys(graph, level))) <= _BOXES), 0)
    for level in range(min(depth, deepest), deepest + 1):
        drawn, lines = _boxes(graph, _keys(graph, level))
        if all([source < target for source, target in lines.values()]):
            break  # else a module was left and entered again, as threads can do it: its box would be in a circle
    return drawn, lines


def _boxes(graph: Graph, keys: list[Any]) -> tuple[list[Box], Lines]:
    """Nodes with the same key as one box."""
    order = list(dict.fromkeys(keys))
    if len(order) > _OPERATIONS:
        hidden = set(order[:-_OPERATIONS])
        keys = [("rest",) if key in hidden else key for key in keys]
        order = list(dict.fromkeys(keys))
    members: dict[Any, list[int]] = {key: [] for key in order}
    for number, key in enumerate(keys):
        members[key].append(number)
    order.sort(key=lambda key: members[key][-1])  # a box stands where its result was made
    place = {key: position for position, key in enumerate(order)}
    lines = {(number, position): (place[keys[source]], place[keys[number]])
             for number, node in enumerate(graph.nodes) for position, source in enumerate(node.inputs)
             if source is not None and keys[source] != keys[number]}
    return [_box(graph, key, members[key]) for key in order], lines


def _keys(graph: Graph, depth: int) -> list[Any]:
    """For every node what it is drawn with: itself, or the call of a module. With that go its parameters, and tensors
    without a name, if nobody else uses them.
    """
    keys: list[Any] = [number if len(node.parts) <= depth else node.parts[: depth + 1]
                       for number, node in enumerate(graph.nodes)]
    inner = {number for number, node in enumerate(graph.nodes)
             if not node.operation and ("." in node.name or not node.name)}
    users: dict[int, set[Any]] = {}
    for number, node in enumerate(graph.nodes):
        for source in inner.intersection(node.inputs):
            users.setdefault(source, set()).add(keys[number])
    for source, using in users.items():
        if len(using) == 1 and isinstance(key := next(iter(using)), tuple):
            keys[source] = key
    return keys


def _box(graph: Graph, key: Any, members: list[int]) -> Box:
    last = graph.nodes[members[-1]]
    shape = shape_text(last.shape) + (f" {last.dtype}" if last.dtype not in ("", "float32") else "")
    if not isinstance(key, tuple):
        kind = "function" if last.operation else "leaf" if last.requires_grad else "constant"
        return Box(last.title, kind, members, [shape, "" if last.value is None else str(last.value)])
    inside = [graph.nodes[member] for member in members]
    count = sum([bool(node.operation) for node in inside])
    learned = [prod(node.shape) for node in inside if not node.operation and node.requires_grad]
    contents = f"{count:,} operation{'s' if count != 1 else ''}"
    if key == ("rest",):
        return Box(f"{contents} more", "rest", members, ["too many to draw"])
    if learned:
        contents += f", {sum(learned):,} parameters"
    name, kind = ".".join(last.path[: len(key)]), last.kinds[len(key) - 1]
    return Box(name if name == kind else f"{name}: {kind}", "module", members, [contents, shape])


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape for people: 2 x 3, and "scalar" for ()."""
    return " x ".join(map(str, shape)) or "scalar"
