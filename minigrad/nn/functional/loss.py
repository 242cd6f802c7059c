"""Losses: how far a result is from what was wanted. `reduction` averages ('mean'), adds up ('sum') or does neither
('none').
"""

import numpy as np

from minigrad.backends.base import HostArray
from minigrad.creation import as_tensor
from minigrad.function import Array, Function, is_grad_enabled
from minigrad.nn.functional.activation import log_sigmoid, log_softmax
from minigrad.nn.functional.arguments import check_floats, check_tensors
from minigrad.nn.functional.sparse import numbers_below
from minigrad.ops.arithmetic import maximum
from minigrad.ops.compare import where
from minigrad.ops.elementwise import abs, log, log1p
from minigrad.ops.index import Put, along, gather
from minigrad.ops.reduce import broadcast_to
from minigrad.tensor import Tensor


def mse_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """(input - target)^2, reduced: their mean, or for reduction 'sum' the sum, for 'none' each by itself."""
    _check_shapes("mse_loss", input, target)
    return _reduced("mse_loss", (input - target) ** 2, reduction)


def l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """|input - target|, reduced as in mse_loss."""
    _check_shapes("l1_loss", input, target)
    return _reduced("l1_loss", abs(input - target), reduction)


def smooth_l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """d^2 / (2 beta) where |d| < beta, else |d| - beta / 2, for d = input - target; reduced as in mse_loss."""
    _check_shapes("smooth_l1_loss", input, target)
    if beta < 0:
        raise ValueError(f"smooth_l1_loss: beta={beta} must not be negative.")
    difference = input - target
    near = abs(difference.detach()) < beta
    squares = where(near, difference, 0) ** 2 * (0.5 / beta if beta else 0.0)
    return _reduced("smooth_l1_loss", where(near, squares, abs(difference) - 0.5 * beta), reduction)


def nll_loss(input: Tensor, target: Tensor, weight: Tensor | None = None, *, ignore_index: int = -100,
             reduction: str = "mean") -> Tensor:
    """-weight[t] * x[n, t] for each target t = target[n]; x are logarithms of probabilities (batch, classes).

    With axes behind, x is (batch, classes, ...) and target (batch, ...); without a batch they are (classes,) and ().
    Targets `ignore_index` count as 0; others that are no class raise IndexError. Reduced as in mse_loss, but 'mean'
    divides by the sum of weight[t] over the targets not ignored.
    """
    check_floats("nll_loss", input)
    return _of_classes("nll_loss", input, target, weight, ignore_index, reduction, 0.0)


def cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, *, ignore_index: int = -100,
                  reduction: str = "mean", label_smoothing: float = 0.0) -> Tensor:
    """nll_loss of log_softmax of the scores x, (batch, classes), (batch, classes, ...) or (classes,).

    Or, if target is floating-point and of x's shape, probabilities q of the classes: the sum over classes k of
    -weight[k] * q[k] * log_softmax(x)[k], averaged over all such sums. With label_smoothing = s, (1 - s) * q + s /
    classes takes the place of q, which for a target that is a class is 1 there and 0 elsewhere.
    """
    check_floats("cross_entropy", input)
    check_tensors("cross_entropy", target)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing={label_smoothing} must be from 0 to 1.")
    axis = _class_axis("cross_entropy", input)
    logs = log_softmax(input, axis)
    if not target.is_floating_point():
        return _of_classes("cross_entropy", logs, target, weight, ignore_index, reduction, label_smoothing)
    if target.shape == (*input.shape[:axis], *input.shape[axis + 1 :]):
        raise TypeError(f"cross_entropy: target {target.shape} is {target.dtype}; classes are int64: convert with "
                        ".long().")
    _check_shapes("cross_entropy", input, target)
    if ignore_index >= 0:
        raise ValueError(f"cross_entropy: ignore_index={ignore_index} is for targets that are classes.")
    target = target * (1 - label_smoothing) + label_smoothing / input.shape[axis]
    return _reduced("cross_entropy", (_weighted("cross_entropy", -logs, weight) * target).sum(axis), reduction)


def binary_cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, *,
                         reduction: str = "mean") -> Tensor:
    """-weight * (t * log(x) + (1 - t) * log(1 - x)) for probabilities x, reduced. Logarithms below -100 count as -100;
    dx = dy * (x - t) / max(x * (1 - x), 1e-12). Both as in PyTorch, to keep them finite.
    """
    _check_shapes("binary_cross_entropy", input, target)
    if ((input >= 0) & (input <= 1)).sum().item() < input.numel():
        raise ValueError("binary_cross_entropy: input must be probabilities, from 0 to 1; see sigmoid, or give scores "
                         "to binary_cross_entropy_with_logits.")  # fmt: skip
    losses = BinaryCrossEntropy()(input, target)
    return _reduced("binary_cross_entropy", losses if weight is None else losses * weight, reduction)


class BinaryCrossEntropy(Function):
    saves_inputs = "all"

    def forward(self, x: Array, t: Array) -> Array:
        device = self.device
        one, least = device.full(x.shape, 1, x.dtype), device.full(x.shape, -100, x.dtype)
        log_x = device.maximum(device.log(x), least)
        log_rest = device.maximum(device.log1p(device.neg(x)), least)
        return device.neg(device.add(device.mul(t, log_x), device.mul(device.sub(one, t), log_rest)))

    def backward(self, dy: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, t = self.inputs
        dx = dy * (x - t) / maximum(x * (1 - x), 1e-12) if self.needs_grad[0] else None
        return dx, dy * (maximum(log1p(-x), -100) - maximum(log(x), -100)) if self.needs_grad[1] else None


def binary_cross_entropy_with_logits(input: Tensor, target: Tensor, weight: Tensor | None = None, *,
                                     reduction: str = "mean", pos_weight: Tensor | None = None) -> Tensor:
    """binary_cross_entropy of sigmoid(x), also where that is too close to 0 or 1: for s = log(sigmoid(x)),
    -weight * (pos_weight * t * s + (1 - t) * (s - x)), reduced.
    """
    _check_shapes("binary_cross_entropy_with_logits", input, target)
    factor = 1 if pos_weight is None else 1 + (pos_weight - 1) * target
    losses = (1 - target) * input - factor * log_sigmoid(input)
    return _reduced("binary_cross_entropy_with_logits", losses if weight is None else losses * weight, reduction)


def _reduced(name: str, losses: Tensor, reduction: str) -> Tensor:
    reductions = {"mean": Tensor.mean, "sum": Tensor.sum, "none": lambda losses: losses}
    if reduction not in reductions:
        raise ValueError(f"{name}: reduction={reduction!r} must be one of {', '.join(map(repr, reductions))}.")
    return reductions[reduction](losses)  # type: ignore[no-any-return]


def _check_shapes(name: str, input: Tensor, target: Tensor) -> None:
    check_tensors(name, input, target)
    if input.shape != target.shape:
        raise ValueError(f"{name}: input {input.shape} and target {target.shape} must have one shape.")


def _class_axis(name: str, input: Tensor) -> int:
    if input.ndim == 0:
        raise ValueError(f"{name}: input is a single number, but must be (classes,) or (batch, classes, ...).")
    return min(1, input.ndim - 1)


def _weighted(name: str, losses: Tensor, weight: Tensor | None) -> Tensor:
    """Losses (batch, classes, ...), each times the weight of its class."""
    if weight is None:
        return losses
    axis = _class_axis(name, losses)
    if weight.shape != (losses.shape[axis],) or weight.dtype != losses.dtype:
        raise ValueError(f"{name}: weight is {weight.dtype} {weight.shape}, but must be {losses.dtype} "
                         f"({losses.shape[axis]},): one for each class.")
    return losses * weight.reshape(-1, *[1] * (losses.ndim - axis - 1))


class LossOfClasses(Function):
    """y = - the sum of x[.., t, ..] / count, where t is target[.., ..]; dx = -dy / count at these places, else 0."""

    fresh_gradients = True

    def __init__(self, axis: int, target: HostArray, count: int) -> None:
        self.axis, self.target, self.count = axis, np.expand_dims(target.copy(), axis), count  # others may write there

    def forward(self, x: Array) -> Array:
        device, self.x_shape = self.device, x.shape
        self.key = (*along(self.target.shape, self.axis, self.target), Ellipsis)
        total = device.sum(device.getitem(x, self.key), tuple(range(len(x.shape))))
        return device.div(device.reshape(total, ()), device.full((), -self.count, x.dtype))

    def backward(self, dy: Tensor) -> Tensor:
        share = broadcast_to(dy / -self.count, self.target.shape)
        if is_grad_enabled():
            return Put(self.key, self.x_shape)(share)
        dx = self.device.full(self.x_shape, 0, dy.array.dtype)  # no place is named twice
        self.device.assign(dx, self.key, share.array)
        return dy._constant(dx)


def _of_classes(name: str, logs: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str,
                smoothing: float) -> Tensor:
    """Of the logarithms (batch, classes, ...) of all classes those of the targets, negative, weighted, smoothed and
    reduced."""
    axis = _class_axis(name, logs)
    classes, expected = logs.shape[axis], (*logs.shape[:axis], *logs.shape[axis + 1 :])
    check_tensors(name, target)
    if target.shape != expected:
        raise ValueError(f"{name}: target has shape {target.shape}, but input {logs.shape} needs {expected}: a class "
                         "for each. (Probabilities of the classes, for cross_entropy, are floating-point.)")
    numbers = numbers_below(name, "target", target, classes, ignore_index)
    ignored = numbers == ignore_index
    if weight is None and not smoothing and reduction in ("mean", "sum") and not ignored.any():
        return LossOfClasses(axis, numbers, numbers.size if reduction == "mean" else 1)(logs)
    losses = -logs
    weighted = _weighted(name, losses, weight)
    places = as_tensor(np.where(ignored, 0, numbers), device="reference")  # the host looks them up
    chosen = gather(weighted, axis, places.unsqueeze(axis)).squeeze(axis)
    if smoothing:
        chosen = chosen * (1 - smoothing) + weighted.sum(axis) * (smoothing / classes)
    if weight is None and not ignored.any():
        return _reduced(name, chosen, reduction)
    kept = target != ignore_index
    chosen = where(kept, chosen, 0)
    if reduction != "mean":
        return _reduced(name, chosen, reduction)
    total = kept.to(losses.dtype) if weight is None else where(kept, weight[places], 0)
    return chosen.sum() / total.sum()
