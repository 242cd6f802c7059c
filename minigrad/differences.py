"""Finite differences: what a small change of an input does to a function, in float64.

For each element of an input, with the other elements as they are,

    (f(x + eps) - f(x - eps)) / (2 eps)

is its derivative up to O(eps^2). The outputs of `f` are weighed with fixed numbers and added up, so that each element
of every output counts and no two errors cancel.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from minigrad import autograd
from minigrad.function import enable_grad
from minigrad.tensor import Tensor

Floats = npt.NDArray[np.float64]


class Weighed:
    """The scalar sum_k (outputs[k] * weights[k]).sum() of what `function` returns, as a function of its inputs.

    The weights are random, but always the same, and away from zero.
    """

    def __init__(self, function: Callable[..., Any], tensors: Sequence[Tensor], eps: float = 1e-6) -> None:
        self.function, self.eps = function, eps
        outputs = self.outputs(_fresh(tensors))
        generator = np.random.default_rng(0)
        arrays = [generator.uniform(0.5, 1.5, output.shape) for output in outputs]
        self.weights = [output._constant(output.device.from_numpy(array)) for output, array in
                        zip(outputs, arrays, strict=True)]

    def outputs(self, arguments: Sequence[Tensor]) -> list[Tensor]:
        """What the function returns, as a list."""
        result = self.function(*arguments)
        return list(result) if isinstance(result, (tuple, list)) else [result]

    def __call__(self, arguments: Sequence[Tensor], weights: Sequence[Tensor] | None = None) -> Tensor:
        pairs = zip(self.outputs(arguments), weights or self.weights, strict=True)
        terms = [(output * weight).sum() for output, weight in pairs]
        return sum(terms[1:], start=terms[0])

    def analytic(self, tensors: Sequence[Tensor], positions: Sequence[int]) -> list[Floats | None] | None:
        """What backward() says of the inputs at `positions`: None for one that gets nothing; None alone if no output
        depends on an input that requires grad."""
        leaves = _fresh(tensors)
        with enable_grad():
            loss = self(leaves)
        if not loss.requires_grad:
            return None
        found = autograd.grad(loss, [leaves[position] for position in positions], allow_unused=True)
        return [None if gradient is None else gradient.numpy(force=True) for gradient in found]

    def numeric(self, tensors: Sequence[Tensor], position: int, weights: Sequence[Tensor] | None = None) -> Floats:
        """What finite differences say of the input at `position`, one element after the other."""
        original = tensors[position]
        values = original.numpy(force=True)
        differences = np.empty(values.shape)
        for at in np.ndindex(values.shape):
            ends = []
            for step in (self.eps, -self.eps):
                moved = values.copy()
                moved[at] += step
                arguments = _fresh(tensors)
                arguments[position] = original._constant(original.device.from_numpy(moved)).requires_grad_()
                ends.append(self(arguments, weights).item())
            differences[at] = (ends[0] - ends[1]) / (2 * self.eps)
        return differences


def _fresh(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Leaves of their own with the same values: hooks, views and graphs of the caller's tensors stay out of it."""
    return [tensor.detach().clone().requires_grad_(tensor.requires_grad) for tensor in tensors]
