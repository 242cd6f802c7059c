"""Checks that a function's gradients are right: against finite differences, in float64.

The derivative of a function is what a small change of its input does to its output. So for each element of each input

    (f(x + eps) - f(x - eps)) / (2 eps)    must equal    what backward() computes for it, up to O(eps^2).

The outputs are weighed with fixed random numbers and added up, so that each element of every output counts and no two
errors cancel.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad import autograd
from minigrad.dtypes import float64
from minigrad.tensor import Tensor


class GradcheckError(AssertionError):
    """A gradient that finite differences contradict; says in which input, where, and both numbers."""


def gradcheck(function: Callable[..., Any], inputs: Tensor | Sequence[Tensor], *, eps: float = 1e-6, atol: float = 1e-5,
              rtol: float = 1e-3, raise_exception: bool = True) -> bool:
    """Whether the gradients of `function(*inputs)` agree with central differences.

    Every input that requires grad is checked, element by element: |analytic - numeric| <= atol + rtol * |numeric|.
    They must be float64: in float32 the difference of two rounded numbers says little. `function` may return one
    tensor or several. Raises GradcheckError with the input, the index and both numbers; with raise_exception=False
    returns False instead.
    """
    tensors = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    checked = _checked_positions("gradcheck", tensors)
    weights = _weights(_outputs(function, tensors))

    def scalar(*arguments: Tensor) -> Tensor:
        terms = [(output * weight).sum() for output, weight in zip(_outputs(function, arguments), weights, strict=True)]
        return sum(terms[1:], start=terms[0])

    leaves = _fresh(tensors)
    loss = scalar(*leaves)
    if not loss.requires_grad:
        return _failed("gradcheck: no output of the function depends on an input that requires grad.", raise_exception)
    analytic = autograd.grad(loss, [leaves[position] for position in checked], allow_unused=True)
    for position, gradient in zip(checked, analytic, strict=True):
        found = np.zeros(tensors[position].shape) if gradient is None else gradient.numpy(force=True)
        expected = _central_differences(scalar, tensors, position, eps)
        wrong = ~(np.abs(found - expected) <= atol + rtol * np.abs(expected))
        if wrong.any():
            at = np.unravel_index(int(np.argmax(wrong)), found.shape)
            where = f"[{', '.join(map(str, at))}]" if at else ""
            return _failed(
                f"gradcheck: the gradient of inputs[{position}] (shape {tensors[position].shape}) is wrong at "
                f"{where or 'its element'}: backward says {found[at]:.10g}, finite differences {expected[at]:.10g} "
                f"({int(wrong.sum())} of {wrong.size} elements are wrong).",
                raise_exception,
            )
    return True


def gradgradcheck(function: Callable[..., Any], inputs: Tensor | Sequence[Tensor], *, eps: float = 1e-6,
                  atol: float = 1e-5, rtol: float = 1e-3, raise_exception: bool = True) -> bool:
    """Whether the second derivatives are right too: a gradcheck of the function that computes the gradients.

    That function's inputs are those of `function` and the gradients of its outputs, which start at fixed random values.
    """
    tensors = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    checked = _checked_positions("gradgradcheck", tensors)
    seeds = [weight.requires_grad_() for weight in _weights(_outputs(function, tensors))]

    def gradients(*arguments: Tensor) -> list[Tensor]:
        points, grad_outputs = arguments[: len(tensors)], arguments[len(tensors) :]
        outputs = _outputs(function, points)
        pairs = [(output, seed) for output, seed in zip(outputs, grad_outputs, strict=True) if output.requires_grad]
        ends, wanted = [output for output, _ in pairs], [points[position] for position in checked]
        found = autograd.grad(ends, wanted, [seed for _, seed in pairs], create_graph=True, allow_unused=True)
        return [gradient for gradient in found if gradient is not None]

    return gradcheck(gradients, [*tensors, *seeds], eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception)


def _checked_positions(name: str, tensors: Sequence[Tensor]) -> list[int]:
    positions = [position for position, tensor in enumerate(tensors) if tensor.requires_grad]
    if not positions:
        raise ValueError(f"{name}: no input requires grad, so there is nothing to check; create one with "
                         "requires_grad=True.")
    for position in positions:
        if tensors[position].dtype != float64:
            raise TypeError(f"{name}: inputs[{position}] is {tensors[position].dtype}; finite differences need float64 "
                            "(.double()).")
    return positions


def _outputs(function: Callable[..., Any], inputs: Sequence[Tensor]) -> list[Tensor]:
    result = function(*inputs)
    return list(result) if isinstance(result, (tuple, list)) else [result]


def _weights(outputs: Sequence[Tensor]) -> list[Tensor]:
    """Fixed random numbers shaped like the outputs, away from zero."""
    generator = np.random.default_rng(0)
    arrays = [generator.uniform(0.5, 1.5, output.shape) for output in outputs]
    return [output._constant(output.device.from_numpy(array)) for output, array in zip(outputs, arrays, strict=True)]


def _fresh(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Leaves of their own with the same values: hooks, views and graphs of the caller's tensors stay out of it."""
    return [tensor.detach().clone().requires_grad_(tensor.requires_grad) for tensor in tensors]


def _central_differences(scalar: Callable[..., Tensor], tensors: Sequence[Tensor], position: int,
                         eps: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """d scalar / d tensors[position], one element after the other."""
    values = tensors[position].numpy(force=True)
    differences = np.empty(values.shape)
    for at in np.ndindex(values.shape):
        ends = []
        for step in (eps, -eps):
            moved = values.copy()
            moved[at] += step
            arguments = _fresh(tensors)
            original = tensors[position]
            arguments[position] = original._constant(original.device.from_numpy(moved)).requires_grad_()
            ends.append(scalar(*arguments).item())
        differences[at] = (ends[0] - ends[1]) / (2 * eps)
    return differences


def _failed(message: str, raise_exception: bool) -> bool:
    if raise_exception:
        raise GradcheckError(message)
    return False
