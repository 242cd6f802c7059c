"""The answers to the exercises check themselves: `check("1.1", answer)` says whether it is right, or gives a hint.

What is right is computed here, by minigrad or by NumPy; it is not written down.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import minigrad
from minigrad import Tensor
from minigrad.nn import functional as F


def check(exercise: str, answer: Any) -> bool | None:
    """Prints whether the answer is right; if not, a hint. `...` stands for no answer yet."""
    if exercise not in CHECKS:
        raise ValueError(f"check: there is no exercise {exercise!r}; there are {', '.join(CHECKS)}.")
    if answer is ...:
        print(f"Exercise {exercise}: no answer yet. Put it where the ... is, and run the cell again.")
        return None
    try:
        hint = CHECKS[exercise](answer)
    except Exception as error:  # noqa: BLE001  (of the answer, whatever it is)
        hint = f"It raises {type(error).__name__}: {error}"
    print(f"Exercise {exercise}: " + ("right!" if hint is None else f"not yet. {hint}"))
    return hint is None


def number(value: float) -> Tensor:
    return minigrad.tensor(value, dtype="float64", requires_grad=True)


def close(answer: Any, right: Any) -> bool:
    """Whether these are the same numbers, in the same shape; three digits are enough, and a single number has any."""
    try:
        found = np.asarray(answer.tolist() if isinstance(answer, Tensor) else answer, float)
    except (TypeError, ValueError):
        return False
    expected = np.asarray(right, float)
    if found.size == expected.size == 1:
        found = found.reshape(expected.shape)
    return found.shape == expected.shape and bool(np.allclose(found, expected, rtol=5e-4, atol=1e-6))


def derivative_of_a_product(answer: Any) -> str | None:
    a, b = number(2.0), number(5.0)
    (3 * a * b).backward()
    return None if close(answer, a.grad.item()) else "Move a by a little, h: by how much does 3 a b change, per h?"


def derivative_of_a_function(answer: Any) -> str | None:
    if not callable(answer):
        return "The answer is a function of x: lambda x: ..."
    for value in (-1.5, 0.3, 2.0):
        x = number(value)
        (x * x * x - 4 * x).backward()
        if not close(answer(value), x.grad.item()):
            return f"At x = {value} it gives {answer(value)}. The power comes down in front, and is one less."
    return None


def chain_of_two(answer: Any) -> str | None:
    x = number(0.5)
    (x * 3).exp().backward()
    return None if close(answer, x.grad.item()) else "exp(u) has the derivative exp(u); and how fast does u = 3 x grow?"


def used_three_times(answer: Any) -> str | None:
    a = number(3.0)
    b = a * a
    (b + a).backward()
    return None if close(answer, a.grad.item()) else "a is used three times: twice in a * a, once in b + a. Add up."


def calls_of_recursion(answer: Any) -> str | None:
    if not callable(answer):
        return "The answer is a function of n: lambda n: ..."
    for n in (1, 2, 5, 10):
        a = number(1.0)
        with minigrad.record() as tape:
            for _ in range(n):
                a = a + a
            a.backward()
        if not close(answer(n), tape.walks[0].calls):
            return f"For n = {n} it is {tape.walks[0].calls}. How many ways lead from the last sum to the first?"
    return None


def after_three_backwards(answer: Any) -> str | None:
    x = number(5.0)
    for _ in range(3):
        (x * x).backward()
    return None if close(answer, x.grad.item()) else "Nobody called zero_grad(): all that arrives is added up."


def shape_of_a_gradient(answer: Any) -> str | None:
    x, bias = minigrad.ones(4, 3), minigrad.ones(3, requires_grad=True)
    (x + bias).sum().backward()
    right = bias.grad.shape
    if not hasattr(answer, "__len__") and close(answer, right):
        return "Almost: a shape is a tuple, and a tuple of one number is (3,)."
    return None if close(answer, right) else "A gradient has the shape of what it belongs to, whatever it meets."


def largest_learning_rate(answer: Any) -> str | None:
    right = minigrad.laboratory(reduction="mean").limit
    return None if close(answer, right) else "2 by the largest eigenvalue; and the mean is the sum divided by 42."


def mended_operation(answer: Any) -> str | None:
    x = minigrad.tensor([[0.5, -1.0, 2.0]], dtype="float64", requires_grad=True)
    y = answer(x)
    if not close(y.detach(), np.tanh(x.detach().numpy())):
        return "It must still be the hyperbolic tangent: leave forward as it is."
    diagnosis = minigrad.examine(answer, x).diagnosis
    return None if diagnosis is None else f"The clinic says: {diagnosis}"


def cell_of_a_gradient(answer: Any) -> str | None:
    X, K = minigrad.ones(4, 4), minigrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    right = minigrad.explain_conv2d(X, K).cell("dx", 1, 1).value
    return None if close(answer, right) else "Pixel (1, 1) was met by four windows, each time by another weight."


def matrix_of_a_kernel(answer: Any) -> str | None:
    right = minigrad.conv2d_matrix(minigrad.tensor([[2.0, 0.0, -1.0]]), (1, 5)).tolist()
    if close(answer, np.array(right)[::-1, ::-1]):
        return "That is the flipped kernel. Nothing is flipped: row j holds the kernel as it is, from column j on."
    return None if close(answer, right) else "It has a row for each of 3 windows, and a column for each of 5 pixels."


def rotated_kernel(answer: Any) -> str | None:
    minigrad.manual_seed(0)
    x, w = minigrad.randn(1, 1, 5, 5, requires_grad=True), minigrad.randn(1, 1, 3, 3)
    dy = minigrad.randn(1, 1, 3, 3)
    F.conv2d(x, w).backward(dy)
    found = answer(dy, w)
    if not isinstance(found, Tensor) or found.shape != x.shape:
        return f"dx has the shape of x, {x.shape}: so far the windows must reach beyond dy. F.pad gives it a border."
    if close(found, F.conv2d(F.pad(dy, [2] * 4), w).tolist()):
        return "Almost: the kernel lies turned by 180 degrees on dy. w.flip(2, 3) turns it."
    return None if close(found, x.grad.tolist()) else "It is one conv2d: of dy with a border of 2, and of w, turned."


def size_after_a_layer(answer: Any) -> str | None:
    right = F.conv2d(minigrad.zeros(1, 1, 28, 28), minigrad.zeros(6, 1, 5, 5), stride=2, padding=1).shape
    return None if close(answer, right) else "floor((28 + 2 padding - 5) / stride) + 1; a channel for each kernel."


def parameters_of_a_layer(answer: Any) -> str | None:
    layer = minigrad.nn.Conv2d(6, 16, kernel_size=5)
    right = sum(parameter.numel() for parameter in layer.parameters())
    return None if close(answer, right) else "16 kernels of 6 x 5 x 5 weights; and a bias for each."


def loss_of_a_guess(answer: Any) -> str | None:
    return None if close(answer, math.log(10)) else "Cross entropy is -log(probability of the right class): of 1/10."


CHECKS: dict[str, Callable[[Any], str | None]] = {
    "1.1": derivative_of_a_product, "1.2": derivative_of_a_function, "1.3": chain_of_two,
    "2.1": used_three_times, "2.2": calls_of_recursion, "2.3": after_three_backwards,
    "3.1": shape_of_a_gradient, "3.2": largest_learning_rate, "3.3": mended_operation,
    "4.1": cell_of_a_gradient, "4.2": matrix_of_a_kernel, "4.3": rotated_kernel,
    "5.1": size_after_a_layer, "5.2": parameters_of_a_layer, "5.3": loss_of_a_guess,
}  # fmt: skip
