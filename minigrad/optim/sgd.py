"""Stochastic gradient descent."""

from collections.abc import Iterable
from typing import Any

from minigrad.optim.optimizer import Optimizer
from minigrad.tensor import Tensor


class SGD(Optimizer):
    """Stochastic gradient descent, with PyTorch's momentum:

        g <- grad + weight_decay * p                   (grad is -grad if maximize)
        b <- momentum * b + (1 - dampening) * g        (b = g at the first step)
        p <- p - lr * b                                (p - lr * (g + momentum * b) if nesterov)

    Source: torch.optim.SGD; Sutskever et al., "On the importance of initialization and momentum in deep learning"
    (2013).
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, momentum: float = 0.0, dampening: float = 0.0,
                 weight_decay: float = 0.0, nesterov: bool = False, *, maximize: bool = False) -> None:
        if nesterov and (momentum == 0 or dampening != 0):
            raise ValueError(f"SGD: nesterov needs momentum > 0 and dampening = 0, got {momentum} and {dampening}.")
        options = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        super().__init__(params, {**options, "nesterov": nesterov, "maximize": maximize})

    def _update(self, parameter: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        momentum, damping, velocity = group["momentum"], 1 - group["dampening"], None
        if momentum:
            velocity = state.get("momentum_buffer")
            if velocity is None:
                damping = 1.0  # as b is 0, the formula then gives g
                velocity = state["momentum_buffer"] = parameter.new_zeros(parameter.shape)
            velocity.version.count += 1
        b = None if velocity is None else velocity.array
        parameter.device.sgd(parameter.array, gradient.array, b, group["lr"], momentum, damping, group["weight_decay"],
                             group["nesterov"])
        parameter.version.count += 1
