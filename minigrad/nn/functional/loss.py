"""Losses: how far a result is from what was wanted. `reduction` averages ('mean'), adds up ('sum') or does neither
('none').
"""

import numpy as np

from minigrad.function import Array, Function
from minigrad.nn.functional.activation import log_sigmoid, log_softmax
from minigrad.nn.functional.arguments import check_floats, check_tensors
from minigrad.nn.functional.sparse import numbers_below
from minigrad.ops.elementwise import abs, log, log1p, where
from minigrad.ops.index import take_along_dim
from minigrad.tensor import Tensor


def mse_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """(input - target)^2, reduced."""
    return _reduced("mse_loss", _difference("mse_loss", input, target) ** 2, reduction)


def l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """|input - target|, reduced."""
    return _reduced("l1_loss", abs(_difference("l1_loss", input, target)), reduction)


def smooth_l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """d^2 / (2 beta) where |d| < beta, else |d| - beta / 2, for d = input - target; reduced."""
    if beta < 0:
        raise ValueError(f"smooth_l1_loss: beta={beta} must not be negative.")
    difference = _difference("smooth_l1_loss", input, target)
    size = abs(difference)
    if beta == 0:
        return _reduced("smooth_l1_loss", size, reduction)
    near = size < beta
    losses = where(near, where(near, difference, 0) ** 2 * (0.5 / beta), size - 0.5 * beta)
    return _reduced("smooth_l1_loss", losses, reduction)


def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """-weight[t] * x[n, t] for each target t = target[n]; x are logarithms of probabilities (batch, classes).

    With axes behind, x is (batch, classes, ...) and target (batch, ...); without a batch they are (classes,) and ().
    Targets `ignore_index` count as 0. 'mean' divides by the sum of weight[t] over the others.
    """
    return _chosen("nll_loss", -_log_probabilities("nll_loss", input), target, weight, ignore_index, reduction, 0.0)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """nll_loss of log_softmax of the scores x, (batch, classes), (batch, classes, ...) or (classes,).

    Or, if target has x's shape and probabilities q of the classes: -sum over k of weight[k] * q[k] * log_softmax(x)[k],
    where 'mean' divides by the number of such sums. With label_smoothing = s, q = (1 - s) * q + s / classes; the
    classes of integer targets have q = 1.
    """
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing={label_smoothing} must be from 0 to 1.")
    check_tensors("cross_entropy", input, target)
    losses = -log_softmax(_log_probabilities("cross_entropy", input), min(1, input.ndim - 1))
    if not target.is_floating_point():
        return _chosen("cross_entropy", losses, target, weight, ignore_index, reduction, label_smoothing)
    if ignore_index >= 0:
        raise ValueError(f"cross_entropy: ignore_index={ignore_index} is for integer targets, not for probabilities.")
    _difference("cross_entropy", input, target)
