"""Checks that a function's gradients are right, against finite differences in float64; if not, says what is wrong."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad import autograd
from minigrad.diagnosis import Diagnosis, diagnose
from minigrad.differences import Floats, Tolerance, Weighed, constant, fresh
from minigrad.dtypes import float64
from minigrad.function import enable_grad
from minigrad.tensor import Tensor


class GradcheckError(AssertionError):
    """A gradient that finite differences contradict; says in which input, where, both numbers, and what it looks like.

    `diagnosis` has the same as plain data.
    """

    def __init__(self, message: str, diagnosis: Diagnosis | None = None) -> None:
        super().__init__(message)
        self.diagnosis = diagnosis


def gradcheck(function: Callable[..., Any], inputs: Tensor | Sequence[Tensor], *, eps: float = 1e-6, atol: float = 1e-5,
              rtol: float = 1e-3, raise_exception: bool = True) -> bool:
    """Whether the gradients of `function(*inputs)` agree with central differences.

    Every input that requires grad is checked, element by element: |analytic - numeric| <= atol + rtol * |numeric|.
    `eps` is by how much elements are moved, relative to those above 1; where that contradicts, other steps are tried.
    They must be float64: in float32 the difference of two rounded numbers says little. `function` may return one
    tensor or several. Raises GradcheckError with the input, the index, both numbers and a diagnosis: whose backward is
    wrong, and what mistake it looks like; or that differences cannot tell. With raise_exception=False returns False
    instead.
    """
    tensors = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    checked = _checked_positions("gradcheck", tensors, eps)
    weighed, tolerance = Weighed(function, tensors, eps), Tolerance(atol, rtol)

    def failed(message: str, position: int, found: Floats | None, expected: Floats, doubt: Floats | float) -> bool:
        if not raise_exception:
            return False
        diagnosis = diagnose(function, tensors, position, found, expected, doubt, eps, tolerance)
        raise GradcheckError(f"{message}\nDiagnosis: {diagnosis}", diagnosis)

    try:
        analytic = weighed.analytic(tensors, checked)
    except RuntimeError as error:  # a gradient of the wrong shape has a diagnosis, too
        position = checked[0]
        diagnosis = diagnose(function, tensors, position, None, weighed.numeric(tensors, position), 0, eps, tolerance)
        if diagnosis.pattern != "shape":
            raise
        if not raise_exception:
            return False
        raise GradcheckError(f"gradcheck: {error}\nDiagnosis: {diagnosis}", diagnosis) from error
    if analytic is None:
        message = "gradcheck: no output of the function depends on an input that requires grad."
        numeric = {position: weighed.numeric(tensors, position) for position in checked}
        position = next((position for position in checked if numeric[position].any()), checked[0])
        return failed(message, position, None, numeric[position], 0)
    for position, gradient in zip(checked, analytic, strict=True):
        found = np.zeros(tensors[position].shape) if gradient is None else gradient
        expected, doubt = weighed.compared(tensors, position, found, tolerance)
        wrong, told = tolerance.wrong(found, expected, doubt), "wrong"
        if not wrong.any():
            wrong, told = tolerance.wrong(found, expected), "not confirmed"
        if wrong.any():
            at = np.unravel_index(int(np.argmax(wrong)), found.shape)
            where = f"[{', '.join(map(str, at))}]" if at else "its element"
            return failed(
                f"gradcheck: the gradient of inputs[{position}] (shape {tensors[position].shape}) is {told} at "
                f"{where}: backward says {found[at]:.10g}, finite differences {expected[at]:.10g} "
                f"({int(wrong.sum())} of {wrong.size} elements are {told}).",
                position, gradient, expected, doubt,
            )
    return True


def gradgradcheck(function: Callable[..., Any], inputs: Tensor | Sequence[Tensor], *, eps: float = 1e-6,
                  atol: float = 1e-5, rtol: float = 1e-3, raise_exception: bool = True) -> bool:
    """Whether the second derivatives are right too: a gradcheck of the function that computes the gradients.

    That function's inputs are those of `function` and the gradients of its outputs, which start at fixed random values.
    """
    tensors = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    checked = _checked_positions("gradgradcheck", tensors, eps)
    weighed = Weighed(function, tensors)
    outputs = zip(weighed.outputs(fresh(tensors)), weighed.weights, strict=True)
    seeds = [constant(output, weight).requires_grad_() for output, weight in outputs]

    def gradients(*arguments: Tensor) -> list[Tensor]:
        points, grad_outputs = arguments[: len(tensors)], arguments[len(tensors) :]
        with enable_grad():
            outputs = weighed.outputs(points)
        pairs = [(output, seed) for output, seed in zip(outputs, grad_outputs, strict=True) if output.requires_grad]
        ends, wanted = [output for output, _ in pairs], [points[position] for position in checked]
        seeded = [seed for _, seed in pairs]
        found = autograd.grad(ends, wanted, seeded, create_graph=True, allow_unused=True)
        return [gradient for gradient in found if gradient is not None]

    return gradcheck(gradients, [*tensors, *seeds], eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception)


def _checked_positions(name: str, tensors: Sequence[Any], eps: float) -> list[int]:
    if not eps > 0:
        raise ValueError(f"{name}: eps={eps} must be positive: by so much elements are moved.")
    for position, tensor in enumerate(tensors):
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name}: inputs[{position}] is {type(tensor).__name__}, no tensor; let the function have "
                            "it from elsewhere, or make a tensor of it.")
    positions = [position for position, tensor in enumerate(tensors) if tensor.requires_grad]
    if not positions:
        raise ValueError(f"{name}: no input requires grad, so there is nothing to check; create one with "
                         "requires_grad=True.")
    for position in positions:
        if tensors[position].dtype != float64:
            raise TypeError(f"{name}: inputs[{position}] is {tensors[position].dtype}; finite differences need float64 "
                            "(.double()).")
        if not np.isfinite(tensors[position].numpy(force=True)).all():
            raise ValueError(f"{name}: inputs[{position}] holds infinities or nan, of which there are no differences. "
                             "Take finite numbers, or requires_grad=False for a mask.")
    return positions
