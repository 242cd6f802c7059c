"""What is the matter with a wrong gradient: which `backward` it comes from, and what mistake it looks like.

The operations that a function records are taken one by one, each at the inputs that it had, and its `backward` is
compared with finite differences of its own `forward`. If all are right, what is lost is lost between them: the graph
was cut, or a tensor was changed behind its back. What a mistake looks like is in looks.py.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.autograd import grad, reached
from minigrad.differences import Floats, Tolerance, Weighed, constant, fresh
from minigrad.dtypes import float32, float64
from minigrad.function import Function, Tape, enable_grad, no_grad, watched_by
from minigrad.looks import LOOKS, Suspect, look
from minigrad.tensor import Tensor

_MOST = 10_000  # elements of the inputs of an operation that is looked into

PATTERNS = {  # in the order in which they are tried
    "shape": "the gradient has not the shape of its input",
    "not finite": "there is no derivative there",
    "not the same twice": "the function is another in each call",
    "in place": "a backward or a forward writes into what it was given",
    **LOOKS,
    "undecided": "finite differences cannot tell: they change with the step",
    "corner": "there is a corner, and each side has a derivative of its own",
    "constant": "the result does not change with the input",
    "cut": "the graph does not lead to the input",
    "hook": "a hook changes the gradient",
    "lost use": "one of several uses of a tensor is not in the graph",
}


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What is wrong, and where.

    `pattern` is one of the names in PATTERNS; `operation` the class whose `backward` is wrong, "" if none is;
    `position` the input of it, or else of the function, whose gradient `found` should have been `expected` (None both
    where there are no two arrays to compare).
    """

    pattern: str
    text: str
    operation: str
    position: int
    found: Floats | None
    expected: Floats | None
    backward: Callable[..., Any] | None = None  # of that class

    def __str__(self) -> str:
        return self.text


Call = tuple[Function, list[Tensor]]  # an operation, and copies of what it was called on


def diagnose(function: Callable[..., Any], tensors: Sequence[Tensor], position: int, found: Floats | None,
             expected: Floats, doubt: Floats | float, eps: float, tolerance: Tolerance) -> Diagnosis:
    """What is wrong with the gradient `found` of input `position` of `function`, which should be `expected`, or off
    that by no more than `doubt`.
    """
    weighed, name = Weighed(function, tensors, eps), f"inputs[{position}]"
    gradient = np.zeros(expected.shape) if found is None else found

    def verdict(pattern: str, text: str) -> Diagnosis:
        return Diagnosis(pattern, text, "", position, gradient, expected)

    calls, uses, outputs = _recorded(weighed, tensors, position)
    for call in calls:
        for diagnosis in _wrong_shape(*call):
            return diagnosis
    if not np.isfinite(expected).all():
        at = next(at for at in np.ndindex(expected.shape) if not np.isfinite(expected[at]))
        step = weighed.step(tensors, position, at)
        weighed.slope(tensors, position, at, -step, step)
        refusal = f" (Moved, it raises {weighed.refusal!r}.)" if weighed.refusal is not None else ""
        return verdict("not finite", f"finite differences for {name} are not finite here. Take inputs away from where "
                       f"the function has no value or no derivative.{refusal}")
    if not _is_same_twice(weighed, tensors):
        return verdict("not the same twice", "two calls with the same inputs give different results: random numbers "
                       "or a state that changes. Nothing can be said of its gradient. Seed it inside the function.")
    for diagnosis in _of_operations(calls, eps, tolerance):
        return diagnosis
    if np.any(doubt) and tolerance.accepts(gradient, expected, doubt):
        return verdict("undecided", f"finite differences cannot tell what the gradient of {name} is: they change with "
                       "the step. Numbers of very different sizes may cancel, float32 may be on the way, or the "
                       "function jumps there, or changes faster than that. Take other inputs, or another eps.")
    if _at_corners(weighed, tensors, position, gradient, expected, tolerance):
        return verdict("corner", f"{name} lies at a corner of the function, as 0 is one of relu: from the left it has "
                       "another derivative than from the right, and what lies between is a gradient. Move it a little.")
    if uses == 0 and not expected.any():
        return verdict("constant", f"the result does not change with {name}, or only in steps, as that of sign, argmax "
                       "or a comparison does: there is no gradient to be had.")
    if uses == 0:
        return verdict("cut", f"the graph is cut: no recorded operation uses {name}, though the result depends on it. "
                       "It went through .detach(), .data, .numpy(), .item() or no_grad(), or into a new tensor made of "
                       "its numbers. Use the tensor itself.")
    if _hooks_change(outputs):
        return verdict("hook", f"a hook changes the gradient of {name} on its way. Every backward itself is right.")
    if not np.isfinite(gradient).all() and not all([counted.all() for counted in weighed.counted]):
        return verdict("not finite", "the function has no finite value here, and so no derivative. Take other inputs.")
    if not np.isfinite(gradient).all():
        return verdict("not finite", f"backward gives nan or infinities for {name}, though every backward by itself is "
                       f"right{_without_derivative(calls, eps)}. Take inputs away from there.")
    if len(calls) == len(reached(outputs)) and all([_is_examinable(*call) for call in calls]):
        return verdict("lost use", "every backward on the way is right, so something is missing in the graph. It has "
                       f"{uses} {'use' if uses == 1 else 'uses'} of {name}: another may go through .detach(), .data, "
                       ".numpy(), .item() or no_grad(), there or further on; or a tensor was written behind its back.")
    pattern, text = look(Suspect(weighed, tensors, position, gradient, expected, tolerance))
    if pattern == "unknown" and any([tensor.dtype == float32 for _, inputs in calls for tensor in inputs]):
        return verdict("undecided", f"finite differences cannot tell what the gradient of {name} is: some of the "
                       "function is computed in float32, which rounds too coarsely for them. Say .double() there.")
    large = dict.fromkeys([type(function).__name__ for function, inputs in calls if _is_large(inputs)])
    more = f" {', '.join(large)} had too much to be looked into: smaller inputs would tell more." if large else ""
    return verdict(pattern, f"the gradient of {name}: {text}{more}")


def examined(function: Callable[..., Any], tensors: Sequence[Tensor], eps: float, tolerance: Tolerance
             ) -> tuple[list[str], list[Diagnosis], list[str]]:
    """The operations that `function` records, by name, oldest first; what is wrong with any by itself; and the names of
    those that had too many elements to be looked into.
    """
    calls, _, _ = _recorded(Weighed(function, tensors, eps), tensors, 0)
    wrong = list(_of_operations(calls, eps, tolerance))
    large = [type(function).__name__ for function, inputs in calls if _is_large(inputs)]
    return [type(call).__name__ for call, _ in calls], wrong, large


class _Witness(Tape):
    """Keeps what every operation was called on, those too that a backward records for second derivatives."""

    follows = True

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def made(self, function: Function, inputs: tuple[Tensor, ...], result: Tensor) -> None:
        edges = function.edges
        copies = [tensor.detach().clone().requires_grad_(edges[k] is not None) for k, tensor in enumerate(inputs)]
        self.calls.append((function, copies))


def _recorded(weighed: Weighed, tensors: Sequence[Tensor], position: int) -> tuple[list[Call], int, list[Tensor]]:
    """The operations that lead to the outputs, oldest first; how often one uses input `position`; the outputs."""
    leaves, witness = fresh(tensors), _Witness()
    with enable_grad(), watched_by(witness):
        outputs = weighed.outputs(leaves)
    leading = set(reached(outputs))
    calls = [(function, inputs) for function, inputs in witness.calls if function in leading]
    return calls, sum([edge is leaves[position] for function in leading for edge in function.edges]), outputs


def _is_examinable(function: Function, inputs: list[Tensor]) -> bool:
    """Whether it has a forward of its own, and numbers that finite differences can tell apart, and not too many."""
    return _can_be_called(function) and not _is_large(inputs) and all([tensor.dtype == float64 for tensor in inputs])


def _is_large(inputs: list[Tensor]) -> bool:
    return sum([tensor.numel() for tensor in inputs]) > _MOST


def _can_be_called(function: Function) -> bool:
    """Whether it has a forward: writing in place has none."""
    return function.primitive is not None or type(function).forward is not Function.forward


def _of_operations(calls: Sequence[Call], eps: float, tolerance: Tolerance) -> Iterator[Diagnosis]:
    for function, inputs in calls:
        shapes = list(_wrong_shape(function, inputs))
        yield from shapes
        if not shapes and _is_examinable(function, inputs):
            yield from _examined(function, inputs, eps, tolerance)


def _examined(function: Function, inputs: list[Tensor], eps: float, tolerance: Tolerance) -> Iterator[Diagnosis]:
    """What is wrong with the backward of one operation, if anything is."""
    weighed, name = Weighed(lambda *arguments: function.again()(*arguments), inputs, eps), type(function).__name__
    if weighed.outputs(fresh(inputs))[0].dtype != float64 or not _is_same_twice(weighed, inputs):
        return
    backward = type(function).backward
    if writes := _writes(function, inputs):
        yield Diagnosis("in place", f"{name}.{writes}", name, 0, None, None, backward)
        return
    positions = [k for k, tensor in enumerate(inputs) if tensor.requires_grad]
    for k, found in zip(positions, weighed.analytic(inputs, positions) or [None] * len(positions), strict=True):
        gradient = np.zeros(inputs[k].shape) if found is None else found
        expected, doubt = weighed.compared(inputs, k, gradient, tolerance)
        if not all([counted.all() for counted in weighed.counted]):  # then it may be nan where nobody can tell
            gradient = np.where(np.isfinite(gradient), gradient, expected)
        if not tolerance.accepts(gradient, expected, doubt) and np.isfinite(expected).all() and not _at_corners(
                weighed, inputs, k, gradient, expected, tolerance, doubt):
            pattern, text = look(Suspect(weighed, inputs, k, gradient, expected, tolerance))
            text = f"{name}.backward, for its input {k}: {text}"
            yield Diagnosis(pattern, text, name, k, gradient, expected, backward)


def _is_same_twice(weighed: Weighed, tensors: Sequence[Tensor]) -> bool:
    first, second = [[output.numpy(force=True) for output in weighed.outputs(fresh(tensors))] for _ in range(2)]
    return all([np.array_equal(one, other, equal_nan=one.dtype.kind == "f") for one, other in
                zip(first, second, strict=True)])


def _at_corners(weighed: Weighed, tensors: Sequence[Tensor], position: int, found: Floats, expected: Floats,
                tolerance: Tolerance, doubt: Floats | float = 0.0) -> bool:
    """Whether every element that disagrees lies at a corner, and has a gradient between those of the two sides."""
    wrong = tolerance.wrong(found, expected, doubt)
    for at in np.ndindex(found.shape):
        if not wrong[at]:
            continue
        step = weighed.step(tensors, position, at)
        ends = [((-far, 0.0), (0.0, far)) for far in (step, 10 * step, 100 * step, 1000 * step)]
        sides = [sorted([weighed.slope(tensors, position, at, *end) for end in both]) for both in ends]
        if not any([_is_corner(three, float(found[at])) for three in (sides[:3], sides[1:])]):
            return False
    return bool(wrong.any())


def _is_corner(sides: Sequence[Sequence[float]], found: float) -> bool:
    """Whether slopes to the left and to the right differ, by the same over short and longer steps (where a function is
    smooth they differ like the steps), and `found` is between them."""
    gaps = [high - low for low, high in sides]
    low, high = sides[-1]
    margin = 1e-3 * max(1e-2, abs(low), abs(high))
    return min(gaps) > margin and max(gaps) < 1.3 * min(gaps) and low - margin <= found <= high + margin


def _wrong_shape(function: Function, inputs: list[Tensor]) -> Iterator[Diagnosis]:
    """The first gradient of an operation that has not the shape of what it belongs to."""
    if not _can_be_called(function):
        return
    with enable_grad():
        result = function.again()(*fresh(inputs))
    again = result.creator
    assert again is not None
    with no_grad():
        dxs = again.differentiate(result.detach().new_ones(result.shape),
                                  tuple([edge is not None for edge in again.edges]))
    shapes = [tensor.shape for tensor in inputs]
    for k, dx in enumerate(dxs if isinstance(dxs, tuple) else (dxs,)):
        if k < len(inputs) and isinstance(dx, Tensor) and inputs[k].requires_grad and dx.shape != shapes[k]:
            name = type(function).__name__
            text = (f"{name}.backward returns a gradient of shape {dx.shape} for input {k} of shape {shapes[k]}. "
                    f"A gradient has the shape of what it belongs to. {_why(dx.shape, shapes, k)}")
            yield Diagnosis("shape", text, name, k, None, None, type(function).backward)
            return


def _without_derivative(calls: Sequence[Call], eps: float) -> str:
    """Which operations have no value, or no derivative, where they were called."""
    names = []
    for function, inputs in calls:
        if _is_examinable(function, inputs):
            weighed = Weighed(lambda *arguments, it=function: it.again()(*arguments), inputs, eps)
            differences = [weighed.numeric(inputs, k) for k, tensor in enumerate(inputs) if tensor.requires_grad]
            if not all([its.all() for its in [*weighed.counted, *map(np.isfinite, differences)]]):
                names.append(type(function).__name__)
    found = ", ".join(dict.fromkeys(names))
    return f": {found} has no finite value, or no derivative, where it was called" if found else ""


def _why(found: tuple[int, ...], shapes: list[tuple[int, ...]], k: int) -> str:
    wanted = shapes[k]
    padded = (1,) * (len(found) - len(wanted)) + wanted
    if len(padded) == len(found) and all([size in (1, whole) for size, whole in zip(padded, found, strict=True)]):
        return ("What was broadcast, and so used in several places, gets the sum over these: sum over the axes that "
                "were repeated.")
    if found in shapes[:k] + shapes[k + 1 :]:
        return "It is that of another input: are the gradients in the order of the inputs?"
    if found == wanted[::-1]:
        return "It is the other way round: is a transpose missing, or one too many?"
    if len(found) == len(wanted) == 4:
        return "Of images: has the padding been cut off, and the stride been spread out?"
    return ""


def _writes(function: Function, inputs: list[Tensor]) -> str:
    """What a forward or a backward of somebody's own writes into, which belongs to others."""
    if type(function).__module__.startswith("minigrad."):
        return ""  # some of ours do, where nobody else reads it
    leaves = fresh(inputs)
    with enable_grad():
        result = function.again()(*leaves)
    if any([not np.array_equal(leaf.numpy(force=True), tensor.numpy(force=True), equal_nan=True) for leaf, tensor in
            zip(leaves, inputs, strict=True)]):
        return "forward writes into its input, which others may read: work on a copy."
    dy = constant(result, np.full(result.shape, 2.0))
    again = result.creator
    assert again is not None
    with no_grad():
        again.differentiate(dy, tuple([edge is not None for edge in again.edges]))
    if (dy.numpy(force=True) != 2).any():
        return "backward writes into dy, which others get as well: make a new tensor."
    return ""


def _hooks_change(outputs: list[Tensor]) -> bool:
    """Whether any hook on the way returns another gradient than it was given, or makes one of that."""
    changed = []

    def spied(hook: Callable[[Tensor], Tensor | None]) -> Callable[[Tensor], Tensor | None]:
        def spy(gradient: Tensor) -> Tensor | None:
            before = gradient.numpy(force=True).copy()
            after = hook(gradient)
            passed = gradient if after is None else after
            changed.append(not np.array_equal(passed.numpy(force=True), before, equal_nan=True))
            return after

        return spy

    functions = reached(outputs)
    nodes = {node for function in functions for node in (function, *function.edges) if node is not None}
    for node in nodes:
        if node.hooks:
            node.hooks.update({key: spied(hook) for key, hook in node.hooks.items()})
    leaves = [node for node in nodes if isinstance(node, Tensor)]
    ends = [output for output in outputs if output.requires_grad]
    seeds = [constant(output, np.ones(output.shape, output.dtype)) for output in ends]
    grad(ends, leaves, seeds, allow_unused=True)
    return any(changed)
