"""What is the matter with a wrong gradient: which `backward` it comes from, and what mistake it looks like.

*Where.* The operations that a function records are taken one by one, each at the inputs that it had, and its `backward`
is compared with finite differences of its own `forward`. If all are right, what is lost is lost between them: the graph
was cut.

*What.* A mistake has a look. A forgotten sign gives minus the right gradient; a kernel that was not turned gives the
gradient that a turned kernel would have; a sum over the batch that was left out gives the gradient of one image alone.
Each look is a test below, tried on the numbers and, where they do not tell, by an experiment with the operation.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np

from minigrad.autograd import reached
from minigrad.differences import Floats, Weighed
from minigrad.function import Function, Tape, enable_grad, watched_by
from minigrad.tensor import Tensor

_MOST = 3000  # elements of the inputs of an operation that is looked into
_FURTHEST = 3  # places by which a gradient may be shifted, and the widest border


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What is wrong, and where.

    `pattern` is one of the names in PATTERNS; `operation` the class whose `backward` is wrong, "" if none is;
    `position` the input of it, or else of the function, whose gradient `found` should have been `expected`.
    """

    pattern: str
    text: str
    operation: str
    position: int
    found: Floats
    expected: Floats
    backward: Callable[..., Any] | None = None  # of that class

    def __str__(self) -> str:
        return self.text


PATTERNS = {  # in the order in which they are tried
    "not finite": "the function has no derivative there",
    "cut": "the graph does not lead to the input",
    "hook": "a hook changes the gradient",
    "lost use": "one of several uses of a tensor is not in the graph",
    "shape": "a sum over broadcast axes is missing",
    "zero": "backward gives nothing",
    "sign": "the wrong sign",
    "factor": "a constant factor",
    "not rotated": "the kernel is not rotated",
    "rotated": "the gradient itself is rotated",
    "transposed": "a matrix is transposed",
    "missing sum": "only one place of an axis counts",
    "shifted": "everything is in its neighbour's place",
    "border": "only the border is wrong",
    "stride": "right or wrong in every s-th place",
    "unknown": "none of these",
}


@dataclass(frozen=True)
class _Suspect:
    """One input of one function: the gradient that was found there, and what it should be."""

    weighed: Weighed
    tensors: Sequence[Tensor]
    position: int
    found: Floats
    expected: Floats
    accepts: Callable[[Floats, Floats], bool]

    def looks_like(self, gradient: Floats) -> bool:
        return self.found.shape == gradient.shape and self.accepts(self.found, gradient)

    def with_other(self, other: int, change: Callable[[Floats], Floats]) -> Floats:
        """The right gradient, if input `other` were changed."""
        original = self.tensors[other]
        changed = np.ascontiguousarray(change(original.numpy(force=True)))
        tensors = list(self.tensors)
        tensors[other] = original._constant(original.device.from_numpy(changed)).requires_grad_(original.requires_grad)
        return self.weighed.numeric(tensors, self.position)

    def of_part(self, axis: int, index: int) -> Floats | None:
        """The right gradient, if of all outputs only those at `index` along `axis` counted."""
        weights = []
        for weight in self.weighed.weights:
            mask = np.zeros(weight.shape)
            if axis < mask.ndim:
                mask[(slice(None),) * axis + (index,)] = 1
            weights.append(weight * weight._constant(weight.device.from_numpy(mask)))
        return self.weighed.numeric(self.tensors, self.position, weights)


def diagnose(function: Callable[..., Any], tensors: Sequence[Tensor], position: int, found: Floats | None,
             expected: Floats, eps: float, accepts: Callable[[Floats, Floats], bool]) -> Diagnosis:
    """What is wrong with the gradient `found` of input `position` of `function`, which should be `expected`."""
    nothing = np.zeros(expected.shape)
    weighed = Weighed(function, tensors, eps)
    calls, uses = _recorded(weighed, tensors, position)
    name = f"inputs[{position}]"
    if not np.isfinite(expected).all():
        text = (f"the derivative for {name} is not finite here, by finite differences either. Take inputs away from "
                "where the function has none.")
        return Diagnosis("not finite", text, "", position, nothing if found is None else found, expected)
    if uses == 0:
        text = (f"the graph is cut: no recorded operation uses {name}, though the result depends on it. It went "
                "through .detach(), .data, .numpy(), .item() or no_grad(), or into a new tensor made of its numbers. "
                "Use the tensor itself.")
        return Diagnosis("cut", text, "", position, nothing, expected)
    for diagnosis in _of_operations(calls, eps, accepts):
        return diagnosis
    gradient = nothing if found is None else found
    if any([call.hooks for call, _ in calls]):
        text = f"a hook changes the gradient of {name} on its way. Every backward itself is right."
        return Diagnosis("hook", text, "", position, gradient, expected)
    small = all([sum([tensor.numel() for tensor in inputs]) <= _MOST for _, inputs in calls])
    if small and all([_is_examinable(call) for call, _ in calls]):
        text = (f"one use of {name} is lost: every backward on the way is right, but the graph has only {uses} of its "
                "uses. Another goes through .detach(), .data, .numpy(), .item() or no_grad(), there or further on.")
        return Diagnosis("lost use", text, "", position, gradient, expected)
    suspect = _Suspect(weighed, tensors, position, gradient, expected, accepts)
    pattern, look = _look(suspect)
    return Diagnosis(pattern, f"the gradient of {name}: {look}", "", position, gradient, expected)


def examined(function: Callable[..., Any], tensors: Sequence[Tensor], eps: float,
             accepts: Callable[[Floats, Floats], bool]) -> tuple[list[str], list[Diagnosis]]:
    """The operations that `function` records, by name, oldest first; and what is wrong with any by itself."""
    calls, _ = _recorded(Weighed(function, tensors, eps), tensors, 0)
    return [type(call).__name__ for call, _ in calls], list(_of_operations(calls, eps, accepts))


class _Witness(Tape):
    """Keeps what every operation was called on."""

    def __init__(self) -> None:
        self.calls: list[tuple[Function, list[Tensor]]] = []

    def made(self, function: Function, inputs: tuple[Tensor, ...], result: Tensor) -> None:
        edges = function.edges
        copies = [tensor.detach().clone().requires_grad_(edges[k] is not None) for k, tensor in enumerate(inputs)]
        self.calls.append((function, copies))


def _recorded(weighed: Weighed, tensors: Sequence[Tensor], position: int
              ) -> tuple[list[tuple[Function, list[Tensor]]], int]:
    """The operations that lead to the outputs, oldest first, with their inputs; how often one uses input `position`."""
    leaves = [tensor.detach().clone().requires_grad_(tensor.requires_grad) for tensor in tensors]
    witness = _Witness()
    with enable_grad(), watched_by(witness):
        outputs = weighed.outputs(leaves)
    leading = set(reached(outputs))
    calls = [(function, inputs) for function, inputs in witness.calls if function in leading]
    return calls, sum([edge is leaves[position] for function in leading for edge in function.edges])


def _of_operations(calls: Sequence[tuple[Function, list[Tensor]]], eps: float,
                   accepts: Callable[[Floats, Floats], bool]) -> Iterator[Diagnosis]:
    for call, inputs in calls:
        yield from _examined(call, inputs, eps, accepts)


def _is_examinable(function: Function) -> bool:
    """Whether it has a forward of its own, and its numbers are those that finite differences need."""
    return function.primitive is not None or type(function).forward is not Function.forward


def _examined(function: Function, inputs: list[Tensor], eps: float, accepts: Callable[[Floats, Floats], bool]
              ) -> Iterator[Diagnosis]:
    """What is wrong with the backward of one operation, if anything is."""
    if not _is_examinable(function) or sum([tensor.numel() for tensor in inputs]) > _MOST:
        return
    name = type(function).__name__
    for k, shape in _wrong_shapes(function, inputs):
        text = (f"{name}.backward returns a gradient of shape {shape} for its input {k} of shape {inputs[k].shape}. A "
                "gradient has the shape of what it belongs to: what was broadcast, and so used in several places, gets "
                "the sum over these. Sum over the axes that were repeated.")
        nothing = np.zeros(inputs[k].shape)
        yield Diagnosis("shape", text, name, k, nothing, nothing, type(function).backward)
        return
    positions = [k for k, tensor in enumerate(inputs) if tensor.requires_grad]
    weighed = Weighed(lambda *arguments: function.again()(*arguments), inputs, eps)
    for k, found in zip(positions, weighed.analytic(inputs, positions) or [None] * len(positions), strict=True):
        expected = weighed.numeric(inputs, k)
        gradient = np.zeros(expected.shape) if found is None else found
        if not accepts(gradient, expected) and not _is_kink(weighed, inputs, k, accepts):
            pattern, look = _look(_Suspect(weighed, inputs, k, gradient, expected, accepts))
            text = f"{name}.backward, for its input {k}: {look}"
            yield Diagnosis(pattern, text, name, k, gradient, expected, type(function).backward)


def _wrong_shapes(function: Function, inputs: list[Tensor]) -> Iterator[tuple[int, tuple[int, ...]]]:
    leaves = [tensor.detach().clone().requires_grad_(tensor.requires_grad) for tensor in inputs]
    with enable_grad():
        result = function.again()(*leaves)
    again = result.creator
    assert again is not None
    dy = result.detach().new_ones(result.shape)
    dxs = again.differentiate(dy, tuple([edge is not None for edge in again.edges]))
    for k, dx in enumerate(dxs if isinstance(dxs, tuple) else (dxs,)):
        if k < len(inputs) and isinstance(dx, Tensor) and inputs[k].requires_grad and dx.shape != inputs[k].shape:
            yield k, dx.shape


def _is_kink(weighed: Weighed, inputs: list[Tensor], position: int, accepts: Callable[[Floats, Floats], bool]) -> bool:
    """Whether the disagreement is gone a little to the side, as beside the corner of a relu."""
    generator = np.random.default_rng(1)
    beside = []
    for tensor in inputs:
        array = tensor.numpy(force=True)
        moved = np.asarray(array + generator.uniform(1e-3, 2e-3, array.shape))
        beside.append(tensor._constant(tensor.device.from_numpy(moved)).requires_grad_(tensor.requires_grad))
    (found,) = weighed.analytic(beside, [position]) or [None]
    expected = weighed.numeric(beside, position)
    return accepts(np.zeros(expected.shape) if found is None else found, expected)


# --- looks ------------------------------------------------------------------------------------------------


def _look(it: _Suspect) -> tuple[str, str]:
    """The first pattern that fits, and what to say of it."""
    for look in (_zero, _sign, _factor, _not_rotated, _rotated, _transposed, _missing_sum, _shifted, _border, _stride):
        for pattern, text in look(it):
            return pattern, text
    return "unknown", "it fits no pattern that is known; compare the numbers with the equation, element by element."


def _zero(it: _Suspect) -> Iterator[tuple[str, str]]:
    if not it.found.any():
        yield "zero", "it gives nothing where there should be something. Does it return None, or zeros, for this input?"


def _sign(it: _Suspect) -> Iterator[tuple[str, str]]:
    if it.looks_like(-it.expected):
        yield "sign", "the sign is wrong in every element. Is there a minus that the derivative has, or has not?"


def _factor(it: _Suspect) -> Iterator[tuple[str, str]]:
    squares = float((it.expected**2).sum())
    factor = float((it.found * it.expected).sum()) / squares if squares else 0.0
    if not factor or not it.looks_like(factor * it.expected):
        return
    sizes = {size for weight in it.weighed.weights for size in (*weight.shape, weight.numel())}
    sizes |= {size for tensor in it.tensors for size in (*tensor.shape, tensor.numel())}
    if abs(factor - 2) < 1e-3:
        meaning = "It counts twice what is there once."
    elif abs(factor - 0.5) < 1e-3:
        meaning = "Has one of two equal uses been left out, or the 2 of a square?"
    elif any([size > 1 and abs(factor * size - 1) < 1e-3 for size in sizes]):
        meaning = f"That is 1/{round(1 / factor)}: is it a mean where a sum belongs?"
    elif any([size > 1 and abs(factor - size) < 1e-3 * size for size in sizes]):
        meaning = f"That is {round(factor)}, the size of an axis: is it a sum where a mean belongs?"
    elif np.unique(np.round(it.expected, 9)).size < 3:
        return  # of one or two numbers each is a multiple of any other
    else:
        meaning = "Is there a constant of the forward pass that the backward has forgotten?"
    yield "factor", f"it is {factor:.6g} times what it should be, in every element. {meaning}"


def _not_rotated(it: _Suspect) -> Iterator[tuple[str, str]]:
    for other in _others(it):
        if prod(it.tensors[other].shape[-2:]) > 1 and it.looks_like(it.with_other(other, _turned)):
            yield "not rotated", (
                f"it is what input {other} would give if it were rotated by 180 degrees. In the gradient of a "
                "correlation the kernel lies turned: what a tap further down met, a window further up has met. Flip it "
                "along both axes.")


def _rotated(it: _Suspect) -> Iterator[tuple[str, str]]:
    if it.expected.ndim >= 2 and it.looks_like(_turned(it.expected)):
        yield "rotated", "it is rotated by 180 degrees. The gradient of a kernel lies as the kernel: flip nothing."


def _transposed(it: _Suspect) -> Iterator[tuple[str, str]]:
    if it.expected.ndim >= 2 and it.looks_like(np.swapaxes(it.expected, -1, -2)):
        yield "transposed", "it is transposed. Take the factors in the other order, each transposed."
    for other in _others(it):
        shape = it.tensors[other].shape
        if shape[-1] == shape[-2] > 1 and it.looks_like(it.with_other(other, lambda array: np.swapaxes(array, -1, -2))):
            yield "transposed", f"it uses input {other} as it is, where its transpose belongs: if y = x w, dx = dy w^T."


def _missing_sum(it: _Suspect) -> Iterator[tuple[str, str]]:
    for axis in range(max([weight.ndim for weight in it.weighed.weights])):
        size = max([weight.shape[axis] for weight in it.weighed.weights if axis < weight.ndim])
        for index, which in ((0, "first"), (size - 1, "last")):
            part = it.of_part(axis, index) if size > 1 else None
            if part is not None and it.looks_like(part):
                yield "missing sum", (
                    f"only the {which} of the {size} places along axis {axis} of the result counts"
                    f"{' (is that the batch?)' if axis == 0 else ''}. What was used in several places gets the sum "
                    "over them all.")


def _shifted(it: _Suspect) -> Iterator[tuple[str, str]]:
    if it.expected.ndim < 2:
        return
    steps = range(-_FURTHEST, _FURTHEST + 1)
    for down, across in sorted(product(steps, steps), key=lambda step: abs(step[0]) + abs(step[1])):
        if (down, across) == (0, 0):
            continue
        here, there = _overlap(it.found, down, across), _overlap(it.expected, -down, -across)
        if np.count_nonzero(there) >= 4 and np.unique(np.round(there, 9)).size >= 3 and it.accepts(here, there):
            ways = [(abs(steps), way) for steps, way in ((down, "down"), (across, "to the right")) if steps > 0]
            ways += [(abs(steps), way) for steps, way in ((down, "up"), (across, "to the left")) if steps < 0]
            far = " and ".join([f"{steps} {way}" for steps, way in ways])
            yield "shifted", f"every element is {far} of its place. Has the padding been taken off the index?"


def _border(it: _Suspect) -> Iterator[tuple[str, str]]:
    wrong = _wrong(it)
    if it.expected.ndim < 2:
        return
    for width in range(1, _FURTHEST + 1):
        inside = wrong[..., width:-width, width:-width]
        if inside.size and not inside.any():
            yield "border", (f"only the border is wrong, {width} wide; the inside is right. There windows reach over "
                             "the edge: look at the padding.")
            return


def _stride(it: _Suspect) -> Iterator[tuple[str, str]]:
    wrong = _wrong(it)
    for axis in range(max(0, wrong.ndim - 2), wrong.ndim):
        along = wrong.any(axis=tuple([other for other in range(wrong.ndim) if other != axis]))
        for step, ends in product((2, 3, 4), range(_FURTHEST)):  # at the ends fewer windows meet
            phases = [along[ends : len(along) - ends][(phase - ends) % step :: step] for phase in range(step)]
            pure = all([len(phase) >= 2 and (phase.all() or not phase.any()) for phase in phases])
            right = [str(number) for number, phase in enumerate(phases) if not phase.any()]
            if pure and 0 < len(right) < step:
                yield "stride", (
                    f"along axis {axis} it is right only where the index leaves {', '.join(right)} when divided by "
                    f"{step}. With a stride of {step} the other places are met by other taps of the kernel, or more.")
                return


def _others(it: _Suspect) -> list[int]:
    """The other inputs that are matrices at least."""
    return [k for k, tensor in enumerate(it.tensors) if k != it.position and tensor.ndim >= 2]


def _wrong(it: _Suspect) -> Any:
    return np.array([not it.accepts(found, expected) for found, expected in
                     zip(it.found.reshape(-1, 1), it.expected.reshape(-1, 1), strict=True)]).reshape(it.expected.shape)


def _turned(array: Floats) -> Floats:
    return array[..., ::-1, ::-1]


def _overlap(array: Floats, down: int, across: int) -> Floats:
    """The part of `array` that is still there when it has been shifted."""
    rows = slice(max(0, down), array.shape[-2] + min(0, down))
    return array[..., rows, max(0, across) : array.shape[-1] + min(0, across)]
