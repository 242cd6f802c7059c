"""Finite differences: what a small change of an input does to a function, in float64.

For each element of an input, with the other elements as they are,

    (f(x + h) - f(x - h)) / (2 h),    h = eps max(1, |x|),

is its derivative up to O(h^2). The outputs of `f` are weighed with fixed numbers and added up, so that each element of
every output counts and no two errors cancel. The changes are added, not the outputs, so that a large output that does
not change cannot drown one that does. Outputs that are not finite do not count: a mask may hold infinities.

One step does not suit every function: for sin(1e6 x) it is too long, for x + 1e10 it drowns in rounding. So where
differences contradict a gradient, other steps are tried (`closely`), and those believed that agree with each other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from minigrad import autograd
from minigrad.function import enable_grad
from minigrad.tensor import Tensor

Floats = npt.NDArray[np.float64]
Index = tuple[int, ...]

_POWERS = range(-12, 7)  # steps that are tried: h times these powers of ten
_BELIEVED = 16  # so many of them without any change, to a step of 1000 h, are a derivative of 0, and no rounding
_NEIGHBOURS = 2  # on each side, which must agree
_VAGUE = 100.0  # differences that are so many tolerances apart say nothing
_SAMPLE = 20  # elements that are looked at first


@dataclass(frozen=True)
class Tolerance:
    """How far a gradient may be from finite differences: atol + rtol |expected|, and what these may be off by."""

    atol: float
    rtol: float

    def wrong(self, found: Floats, expected: Floats, doubt: Floats | float = 0.0) -> npt.NDArray[np.bool_]:
        """Which elements are further away; what is not finite is."""
        with np.errstate(invalid="ignore"):
            return ~(np.abs(found - expected) <= self.atol + self.rtol * np.abs(expected) + doubt)

    def accepts(self, found: Floats, expected: Floats, doubt: Floats | float = 0.0) -> bool:
        """Whether none is."""
        return not self.wrong(found, expected, doubt).any()


class Weighed:
    """The scalar sum_k (outputs[k] * weights[k]).sum() of what `function` returns, as a function of its inputs.

    The weights are random, but always the same, of both signs, and away from zero; that of a scalar is negative.
    """

    def __init__(self, function: Callable[..., Any], tensors: Sequence[Tensor], eps: float = 1e-6) -> None:
        self.function, self.eps = function, eps
        self.refusal: Exception | None = None  # what the function raised last, when an element was moved
        arrays = [np.asarray(output.numpy(force=True), np.float64) for output in self.outputs(fresh(tensors))]
        generator = np.random.default_rng(0)
        self.counted = [np.isfinite(array) for array in arrays]
        largest = max([np.abs(array[its]).max(initial=0) for array, its in zip(arrays, self.counted, strict=True)])
        self.grain = float(np.spacing(largest))  # the least change that every output can show
        signs = [generator.choice([1.0, -1.0], its.shape) for its in self.counted]
        sizes = [generator.uniform(0.5, 1.5, its.shape) for its in self.counted]
        self.weights: list[Floats] = [np.where(its, sign * size, 0.0) for its, sign, size in
                                      zip(self.counted, signs, sizes, strict=True)]

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

    def analytic(self, tensors: Sequence[Tensor], positions: Sequence[int], times: float = 1.0
                 ) -> list[Floats | None] | None:
        """What backward() says of the inputs at `positions`, if what it starts with are the weights `times` a number:
        None for one that gets nothing; None alone if no output depends on an input that requires grad."""
        leaves = fresh(tensors)
        with enable_grad():
            outputs = zip(self.outputs(leaves), self.weights, strict=True)
            terms = [(output * constant(output, times * weight)).sum() for output, weight in outputs]
            loss = sum(terms[1:], start=terms[0])
        if not loss.requires_grad:
            return None
        found = autograd.grad(loss, [leaves[position] for position in positions], allow_unused=True)
        return [None if gradient is None else gradient.numpy(force=True) for gradient in found]

    def numeric(self, tensors: Sequence[Tensor], position: int, weights: Sequence[Floats] | None = None) -> Floats:
        """What finite differences say of the input at `position`, one element after the other."""
        differences = np.zeros(tensors[position].shape)
        for at in np.ndindex(differences.shape):
            step = self.step(tensors, position, at)
            differences[at] = self.slope(tensors, position, at, -step, step, weights)
        return differences

    def compared(self, tensors: Sequence[Tensor], position: int, found: Floats, tolerance: Tolerance
                 ) -> tuple[Floats, Floats]:
        """The same, with a closer look where it contradicts `found`; and by how much each may be off."""
        expected = self.numeric(tensors, position)
        doubt, wrong = np.zeros(expected.shape), tolerance.wrong(found, expected)
        places = [at for at in np.ndindex(expected.shape) if wrong[at]]
        sample = places[:: max(1, len(places) // _SAMPLE)]
        looks = {at: self.closely(tensors, position, at, found, tolerance) for at in sample}
        first = np.array([expected[at] for at in sample])
        second, vague = np.array([looks[at] for at in sample]).reshape(-1, 2).T
        if tolerance.wrong(first, second).any() or np.isinf(vague).any():
            looks |= {at: self.closely(tensors, position, at, found, tolerance) for at in places if at not in looks}
            for at, look in looks.items():
                expected[at], doubt[at] = look
        return expected, doubt

    def closely(self, tensors: Sequence[Tensor], position: int, at: Index, found: Floats, tolerance: Tolerance
                ) -> tuple[float, float]:
        """The derivative by one element, and by how much it may be off.

        Too long a step leaves the neighbourhood, too short a one drowns in rounding; between them differences agree. So
        of all steps it is the shortest whose difference agrees with those of its neighbours, or else the one for which
        they differ least. That nothing changes is no evidence over a step that outputs are too large to notice.
        """
        steps = [self.step(tensors, position, at) * 10.0**power for power in _POWERS]
        slopes = [self.slope(tensors, position, at, -step, step) for step in steps]
        here = slopes[_POWERS.index(0)]
        if not np.isfinite(slopes).any():
            return here, 0.0
        still = next((k for k, slope in enumerate(slopes) if slope != 0 and np.isfinite(slope)), len(slopes))
        for k in range(still):
            if still < _BELIEVED or 2 * steps[k] * max(abs(found[at]), tolerance.atol) < self.grain:
                slopes[k] = np.nan
        best, slope, doubt = np.inf, here, 0.0
        for k in range(_NEIGHBOURS, len(slopes) - _NEIGHBOURS):
            with np.errstate(invalid="ignore"):
                around = np.array(slopes[k - _NEIGHBOURS : k + _NEIGHBOURS + 1])
                apart = np.abs(around - slopes[k]).max()  # nan if any is
            if np.isfinite(apart) and apart / (tolerance.atol + tolerance.rtol * abs(slopes[k])) < best:
                best = apart / (tolerance.atol + tolerance.rtol * abs(slopes[k]))
                slope, doubt = slopes[k], apart
            if best < 0.1:
                break
        return slope, doubt if best < _VAGUE else np.inf

    def slope(self, tensors: Sequence[Tensor], position: int, at: Index, left: float, right: float,
              weights: Sequence[Floats] | None = None) -> float:
        """The change of the weighed sum from one element moved by `left` to the same moved by `right`, by length; nan
        where the function refuses to go, or returns another number of elements.
        """
        value = float(tensors[position].numpy(force=True)[at])
        length = (value + right) - (value + left)  # of the step as it is after rounding
        starts, ends = [self.moved(tensors, position, at, step) for step in (left, right)]
        if not length or starts is None or ends is None:
            return np.nan
        change = 0.0
        with np.errstate(invalid="ignore", over="ignore"):
            for weight, start, end, counted in zip(weights or self.weights, starts, ends, self.counted, strict=True):
                change += float((weight * np.where(counted, end - start, 0.0)).sum())
        return change / length

    def step(self, tensors: Sequence[Tensor], position: int, at: Index) -> float:
        """How far an element is moved."""
        value = abs(float(tensors[position].numpy(force=True)[at]))
        return self.eps * max(1.0, value) if np.isfinite(value) else self.eps

    def moved(self, tensors: Sequence[Tensor], position: int, at: Index, step: float) -> list[Floats] | None:
        """The outputs, with one element moved; None if the function raises there, or returns others than here."""
        original = tensors[position]
        values = original.numpy(force=True).copy()
        values[at] += step
        arguments = fresh(tensors)
        arguments[position] = constant(original, values).requires_grad_()
        try:
            outputs = self.outputs(arguments)
        except Exception as error:  # noqa: BLE001  (here it did not: a step has left where it is defined)
            self.refusal = error
            return None
        arrays = [np.asarray(output.numpy(force=True), np.float64) for output in outputs]
        return arrays if [array.shape for array in arrays] == [its.shape for its in self.counted] else None


def constant(like: Tensor, array: Any) -> Tensor:
    """A tensor without history, on the device of another."""
    return like._constant(like.device.from_numpy(np.asarray(array)))


def fresh(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Leaves of their own with the same values: hooks, views and graphs of the caller's tensors stay out of it."""
    return [tensor.detach().clone().requires_grad_(tensor.requires_grad) for tensor in tensors]
