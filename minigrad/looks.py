"""What mistakes look like. A forgotten sign gives minus the right gradient; a kernel that was not turned gives the
gradient that a turned kernel would have; a sum over the batch that was left out gives the gradient of one image alone.

Each look is a test, tried on the numbers and, where they do not tell, by an experiment with the operation.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import Any

import numpy as np

from minigrad.differences import Floats, Tolerance, Weighed, constant
from minigrad.tensor import Tensor

_FURTHEST = 3  # places by which a gradient may be shifted, and the widest border
_TRIED = 12  # elements that are moved to see what depends on them

LOOKS = {  # in the order in which they are tried
    "nan": "backward gives what is not finite",
    "zero": "backward gives nothing",
    "without dy": "what arrives is left out",
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
class Suspect:
    """One input of one function: the gradient that was found there, and what it should be."""

    weighed: Weighed
    tensors: Sequence[Tensor]
    position: int
    found: Floats
    expected: Floats
    tolerance: Tolerance

    def looks_like(self, gradient: Floats) -> bool:
        return self.found.shape == gradient.shape and self.tolerance.accepts(self.found, gradient)

    def with_other(self, other: int, change: Callable[[Floats], Floats]) -> Floats:
        """The right gradient, if input `other` were changed."""
        original, tensors = self.tensors[other], list(self.tensors)
        changed = np.ascontiguousarray(change(original.numpy(force=True)))
        tensors[other] = constant(original, changed).requires_grad_(original.requires_grad)
        return self.weighed.numeric(tensors, self.position)

    def of_part(self, axis: int, index: int) -> Floats:
        """The right gradient, if of all outputs only those at `index` along `axis` counted."""
        weights = []
        for weight in self.weighed.weights:
            masked = np.zeros(weight.shape)
            if axis < weight.ndim:
                at = (slice(None),) * axis + (index,)
                masked[at] = weight[at]
            weights.append(masked)
        return self.weighed.numeric(self.tensors, self.position, weights)

    @cached_property
    def others(self) -> list[int]:
        """The other inputs that are matrices at least."""
        return [k for k, tensor in enumerate(self.tensors) if k != self.position and tensor.ndim >= 2]

    @cached_property
    def wrong(self) -> Any:
        """Which elements are."""
        return self.tolerance.wrong(self.found, self.expected)

    @cached_property
    def is_thin(self) -> bool:
        """Whether the inputs have fewer than three different numbers."""
        numbers = np.concatenate([tensor.numpy(force=True).ravel() for tensor in self.tensors])
        return np.unique(numbers).size < 3

    @cached_property
    def is_spatial(self) -> bool:
        """Whether an element has a part in several outputs, as pixels have. If not, its place cannot be the matter."""
        places = list(np.ndindex(self.expected.shape))
        for at in places[:: max(1, len(places) // _TRIED)]:
            step = self.weighed.step(self.tensors, self.position, at)
            ends = [self.weighed.moved(self.tensors, self.position, at, move) or [] for move in (step, -step)]
            if sum([int((one != other).sum()) for one, other in zip(*ends, strict=False)]) > 1:
                return True
        return False


def look(it: Suspect) -> tuple[str, str]:
    """The first pattern that fits, and what to say of it."""
    looks = [_nan, _zero, _without_dy, _sign, _factor, _not_rotated, _rotated, _transposed, _missing_sum]
    for each in [*looks, _shifted, _border, _stride]:
        if each in looks or (it.expected.ndim >= 1 and it.is_spatial):
            for pattern, text in each(it):
                return pattern, text
    advice = "compare the numbers with the equation, element by element"
    if it.is_thin:
        advice = "at inputs with more different numbers more could be told"
    return "unknown", f"it fits no pattern that is known; {advice}."


def _nan(it: Suspect) -> Iterator[tuple[str, str]]:
    count = int((~np.isfinite(it.found)).sum())
    if count:
        yield "nan", (f"it is nan or infinite in {count} of {it.found.size} elements, where differences are not. "
                      "Is there a division by what may be 0?")


def _zero(it: Suspect) -> Iterator[tuple[str, str]]:
    if not it.found.any():
        yield "zero", "it gives nothing where there should be something. Does it return None, or zeros, for this input?"


def _without_dy(it: Suspect) -> Iterator[tuple[str, str]]:
    """A backward is linear in dy."""
    (doubled,) = it.weighed.analytic(it.tensors, [it.position], times=-2.0) or [None]
    if doubled is None or it.looks_like(-doubled / 2):
        return
    if it.looks_like(doubled):
        yield "without dy", ("it is the same whatever dy is. By the chain rule it is dy, the gradient that arrives, "
                             "times the derivative.")
    else:
        yield "without dy", ("it does not grow with dy, the gradient that arrives: -2 dy should give -2 times as much. "
                             "Is something asked of dy, its sign perhaps, that should be asked of the input?")


def _sign(it: Suspect) -> Iterator[tuple[str, str]]:
    if it.looks_like(-it.expected):
        yield "sign", "the sign is wrong in every element. Is there a minus that the derivative has, or has not?"


def _factor(it: Suspect) -> Iterator[tuple[str, str]]:
    if it.is_thin:
        return  # what is a multiple at one or two numbers may be anything at others
    squares = float((it.expected**2).sum())
    factor = float((it.found * it.expected).sum()) / squares if squares else 0.0
    if not factor or not it.looks_like(factor * it.expected):
        return
    sizes = {size for weight in it.weighed.weights for size in (*weight.shape, weight.size)}
    sizes |= {size for tensor in it.tensors for size in (*tensor.shape, tensor.numel())}
    if abs(factor - 2) < 1e-3:
        meaning = "It counts twice what is there once" + (", or is a sum where a mean belongs." if 2 in sizes else ".")
    elif abs(factor - 0.5) < 1e-3:
        meaning = "Has one of two equal uses been left out, or the 2 of a square?"
        meaning += " Or is it a mean where a sum belongs?" if 2 in sizes else ""
    elif any([size > 1 and abs(factor * size - 1) < 1e-3 for size in sizes]):
        meaning = f"That is 1/{round(1 / factor)}: is it a mean where a sum belongs?"
    elif any([size > 1 and abs(factor - size) < 1e-3 * size for size in sizes]):
        meaning = f"There are {round(factor)} elements along some axis, or in all: is it a sum where a mean belongs?"
    else:
        meaning = "Is there a constant of the forward pass that the backward has forgotten?"
    yield "factor", f"it is {factor:.6g} times what it should be, in every element. {meaning}"


def _not_rotated(it: Suspect) -> Iterator[tuple[str, str]]:
    for other in it.others:
        if prod(it.tensors[other].shape[-2:]) > 1 and it.looks_like(it.with_other(other, _turned)):
            yield "not rotated", (
                f"it is what input {other} would give if it were rotated by 180 degrees. In the gradient of a "
                "correlation the kernel lies turned: what a tap further down met, a window further up has met. Flip it "
                "along both axes.")


def _rotated(it: Suspect) -> Iterator[tuple[str, str]]:
    if it.expected.ndim >= 2 and it.looks_like(_turned(it.expected)):
        yield "rotated", "it is rotated by 180 degrees. The gradient of a kernel lies as the kernel: flip nothing."


def _transposed(it: Suspect) -> Iterator[tuple[str, str]]:
    if it.expected.ndim >= 2 and it.looks_like(np.swapaxes(it.expected, -1, -2)):
        cure = "Take the factors in the other order, each transposed." if it.others else "Transpose it back."
        yield "transposed", f"it is transposed. {cure}"
    for other in it.others:
        shape = it.tensors[other].shape
        if shape[-1] == shape[-2] > 1 and it.looks_like(it.with_other(other, lambda array: np.swapaxes(array, -1, -2))):
            yield "transposed", (f"it uses input {other} as it is, where its transpose belongs: if y = x w, then dx = "
                                 "dy w^T and dw = x^T dy.")


def _missing_sum(it: Suspect) -> Iterator[tuple[str, str]]:
    if not it.is_spatial:
        return
    for axis in range(max([weight.ndim for weight in it.weighed.weights])):
        size = max([weight.shape[axis] for weight in it.weighed.weights if axis < weight.ndim])
        for index, which in ((0, "first"), (size - 1, "last")):
            if size > 1 and it.looks_like(it.of_part(axis, index)):
                yield "missing sum", (
                    f"only the {which} of the {size} places along axis {axis} of the result counts"
                    f"{' (is that the batch?)' if axis == 0 else ''}. What was used in several places gets the sum "
                    "over them all.")


def _shifted(it: Suspect) -> Iterator[tuple[str, str]]:
    if it.expected.ndim < 2:
        return
    steps = range(-_FURTHEST, _FURTHEST + 1)
    for down, across in sorted(product(steps, steps), key=lambda step: abs(step[0]) + abs(step[1])):
        here, there = _overlap(it.found, down, across), _overlap(it.expected, -down, -across)
        enough = 2 * there.size >= it.expected.size and min(there.shape[-2:]) > 1
        if (down, across) == (0, 0) or not enough:
            continue
        if np.unique(np.round(there, 9)).size >= 3 and it.tolerance.accepts(here, there):
            ways = [(abs(move), way) for move, way in ((down, "down"), (across, "to the right")) if move > 0]
            ways += [(abs(move), way) for move, way in ((down, "up"), (across, "to the left")) if move < 0]
            far = " and ".join([f"{move} {way}" for move, way in ways])
            yield "shifted", f"every element is {far} of its place. Has the padding been taken off the index?"


def _border(it: Suspect) -> Iterator[tuple[str, str]]:
    if it.expected.ndim < 2:
        return
    for width in range(1, _FURTHEST + 1):
        inside = it.wrong[..., width:-width, width:-width]
        ring = it.wrong.sum() / max(1, it.wrong.size - inside.size)
        if inside.size >= 4 and not inside.any() and ring >= 0.8:
            yield "border", (f"only the border is wrong, {width} wide; the inside is right. There windows reach over "
                             "the edge: look at the padding.")


def _stride(it: Suspect) -> Iterator[tuple[str, str]]:
    """Right and wrong take turns along an axis; or it is right only where both last indices leave the same."""
    for axis in range(max(0, it.wrong.ndim - 2), it.wrong.ndim):
        share = it.wrong.mean(axis=tuple([other for other in range(it.wrong.ndim) if other != axis]))
        for step, ends in product((2, 3, 4), range(_FURTHEST)):  # at the ends fewer windows meet
            inside = share[ends : len(share) - ends]
            phases = [inside[(phase - ends) % step :: step] for phase in range(step)]
            pure = all([len(phase) >= 3 and (phase.min() > 0.8 or phase.max() == 0) for phase in phases])
            right = [str(number) for number, phase in enumerate(phases) if pure and phase.max() == 0]
            if 0 < len(right) < step:
                yield "stride", (
                    f"along axis {axis} it is right only where the index leaves {', '.join(right)} when divided by "
                    f"{step}. With a stride of {step} the other places are met by other taps of the kernel, or more.")
                return
    for step, ends in product((2, 3, 4), range(_FURTHEST) if it.wrong.ndim >= 2 else ()):
        share = it.wrong.reshape(-1, *it.wrong.shape[-2:]).mean(axis=0)
        inside = share[ends : share.shape[0] - ends, ends : share.shape[1] - ends]
        parts = {(down, across): inside[(down - ends) % step :: step, (across - ends) % step :: step]
                 for down, across in product(range(step), repeat=2)}
        pure = all([part.size >= 4 and (part.min() > 0.8 or part.max() == 0) for part in parts.values()])
        good = [place for place, part in parts.items() if pure and part.max() == 0]
        if len(good) == 1:
            yield "stride", (
                f"it is right only where the last two indices leave {good[0]} when divided by {step}. With a stride of "
                f"{step} the other places are met by other taps of the kernel, or more.")
            return


def _turned(array: Floats) -> Floats:
    return array[..., ::-1, ::-1]


def _overlap(array: Floats, down: int, across: int) -> Floats:
    """The part of `array` that is still there when it has been shifted."""
    rows = slice(max(0, down), array.shape[-2] + min(0, down))
    return array[..., rows, max(0, across) : array.shape[-1] + min(0, across)]
