"""Finite differences: what a small change of an input does to a function, in float64.

For each element of an input, with the other elements as they are,

    (f(x + h) - f(x - h)) / (2 h),    h = eps max(1, |x|),

is its derivative up to O(h^2). The outputs of `f` are weighed with fixed numbers and added up, so that each element of
every output counts and no two errors cancel. What does not change is left out of the sum, so that it cannot drown what
does: a mask may hold infinities.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from minigrad import autograd
from minigrad.function import enable_grad
from minigrad.tensor import Tensor

Floats = npt.NDArray[np.float64]
Index = tuple[int, ...]


@dataclass(frozen=True)
class Tolerance:
    """How far a gradient may be from finite differences: atol + rtol |expected|, and the rounding of the difference."""

    atol: float
    rtol: float

    def wrong(self, found: Floats, expected: Floats, rounding: Floats | float = 0.0) -> npt.NDArray[np.bool_]:
        """Which elements are further away; what is not finite is."""
        with np.errstate(invalid="ignore"):
            return ~(np.abs(found - expected) <= self.atol + self.rtol * np.abs(expected) + rounding)

    def accepts(self, found: Floats, expected: Floats, rounding: Floats | float = 0.0) -> bool:
        """Whether none is."""
        return not self.wrong(found, expected, rounding).any()


class Weighed:
    """The scalar sum_k (outputs[k] * weights[k]).sum() of what `function` returns, as a function of its inputs.

    The weights are random, but always the same, and away from zero.
    """

    def __init__(self, function: Callable[..., Any], tensors: Sequence[Tensor], eps: float = 1e-6) -> None:
        self.function, self.eps = function, eps
        outputs = self.outputs(fresh(tensors))
        generator = np.random.default_rng(0)
        self.weights: list[Floats] = [generator.uniform(0.5, 1.5, output.shape) for output in outputs]

    def outputs(self, arguments: Sequence[Tensor]) -> list[Tensor]:
        """What the function returns, as a list."""
        result = self.function(*arguments)
        found = list(result) if isinstance(result, (tuple, list)) else [result]
        for output in found:
            if not isinstance(output, Tensor):
                raise TypeError(f"gradcheck: the function must return a tensor, or several, and returned "
                                f"{type(output).__name__}.")
        if not found:
            raise TypeError("gradcheck: the function must return a tensor, or several, and returned none.")
        return found

    def analytic(self, tensors: Sequence[Tensor], positions: Sequence[int]) -> list[Floats | None] | None:
        """What backward() says of the inputs at `positions`: None for one that gets nothing; None alone if no output
        depends on an input that requires grad."""
        leaves = fresh(tensors)
        with enable_grad():
            outputs = zip(self.outputs(leaves), self.weights, strict=True)
            terms = [(output * constant(output, weight)).sum() for output, weight in outputs]
            loss = sum(terms[1:], start=terms[0])
        if not loss.requires_grad:
            return None
        found = autograd.grad(loss, [leaves[position] for position in positions], allow_unused=True)
        return [None if gradient is None else gradient.numpy(force=True) for gradient in found]

    def numeric(self, tensors: Sequence[Tensor], position: int, weights: Sequence[Floats] | None = None) -> Floats:
        """What finite differences say of the input at `position`, one element after the other."""
        return self.measured(tensors, position, weights)[0]

    def measured(self, tensors: Sequence[Tensor], position: int, weights: Sequence[Floats] | None = None
                 ) -> tuple[Floats, Floats]:
        """The same, and how much of each may be rounding."""
        shape = tensors[position].shape
        differences, rounding = np.zeros(shape), np.zeros(shape)
        for at in np.ndindex(shape):
            step = self.step(tensors, position, at)
            changes = self._changes(self.moved(tensors, position, at, step), self.moved(tensors, position, at, -step))
            for weight, (change, size) in zip(weights or self.weights, changes, strict=True):
                differences[at] += (weight * change).sum() / (2 * step)
                rounding[at] += 16 * np.finfo(float).eps * (weight * size).sum() / (2 * step)
        return differences, rounding

    def sides(self, tensors: Sequence[Tensor], position: int, at: Index) -> tuple[float, float]:
        """The derivatives from the left and from the right at one element, which differ at a corner."""
        step, here = self.step(tensors, position, at), self.moved(tensors, position, at, 0.0)
        right = self._changes(self.moved(tensors, position, at, step), here)
        left = self._changes(here, self.moved(tensors, position, at, -step))
        both = [sum([float((weight * change).sum()) for weight, (change, _) in zip(self.weights, side, strict=True)])
                for side in (left, right)]
        return both[0] / step, both[1] / step

    def step(self, tensors: Sequence[Tensor], position: int, at: Index) -> float:
        """How far an element is moved."""
        value = abs(float(tensors[position].numpy(force=True)[at]))
        return self.eps * max(1.0, value) if np.isfinite(value) else self.eps

    def moved(self, tensors: Sequence[Tensor], position: int, at: Index, step: float) -> list[Floats]:
        """The outputs, with one element moved."""
        original = tensors[position]
        values = original.numpy(force=True).copy()
        values[at] += step
        arguments = fresh(tensors)
        arguments[position] = constant(original, values).requires_grad_()
        return [np.asarray(output.numpy(force=True), np.float64) for output in self.outputs(arguments)]

    def _changes(self, ends: list[Floats], starts: list[Floats]) -> Iterator[tuple[Floats, Floats]]:
        """For each output by how much its elements change, and how large those are that do."""
        for end, start in zip(ends, starts, strict=True):
            with np.errstate(invalid="ignore"):
                same = (end == start) | (np.isnan(end) & np.isnan(start))
                yield np.where(same, 0.0, end - start), np.where(same, 0.0, np.abs(end) + np.abs(start))


def constant(like: Tensor, array: Any) -> Tensor:
    """A tensor without history, on the device of another."""
    return like._constant(like.device.from_numpy(np.asarray(array)))


def fresh(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Leaves of their own with the same values: hooks, views and graphs of the caller's tensors stay out of it."""
    return [tensor.detach().clone().requires_grad_(tensor.requires_grad) for tensor in tensors]
