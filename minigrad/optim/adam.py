"""Adam and AdamW."""

from collections.abc import Iterable, Sequence
from typing import Any

from minigrad.optim.optimizer import Optimizer
from minigrad.tensor import Tensor


class Adam(Optimizer):
    """Steps of about lr in each coordinate, from running means of the gradient and of its square:

        g <- grad + weight_decay * p                   (grad is -grad if maximize)
        m <- m + (1 - beta1) * (g - m)                 (0 before the first step)
        v <- v + (1 - beta2) * (g^2 - v)               (its largest value so far in the next line, if amsgrad)
        p <- p - lr / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + eps)         at step t = 1, 2, ...

    Source: Kingma and Ba, "Adam: a method for stochastic optimization" (2015).
    """

    decoupled = False  # whether weight decay leaves the gradient alone

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, betas: Sequence[float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.0, amsgrad: bool = False, *,
                 maximize: bool = False) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad}
        super().__init__(params, {**options, "maximize": maximize})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        betas = param_group.get("betas", self.defaults["betas"])
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"{type(self).__name__}: betas={betas} must be two numbers in [0, 1).")
        super().add_param_group(param_group)

    def _update(self, parameter: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        (beta1, beta2), lr, decay = group["betas"], group["lr"], group["weight_decay"]
        if not state:
            state.update(step=0, exp_avg=_zeros(parameter), exp_avg_sq=_zeros(parameter))
        if group["amsgrad"] and "max_exp_avg_sq" not in state:
            state["max_exp_avg_sq"] = _zeros(parameter)
        step = state["step"] = state["step"] + 1
        unbias = (1 - beta2**step) ** 0.5  # taken into the numbers: one pass over the elements less
        written = [parameter, state["exp_avg"], state["exp_avg_sq"]]
        written += [state["max_exp_avg_sq"]] if group["amsgrad"] else []
        p, m, v, *most = [tensor.array for tensor in written]
        parameter.device.adam(
            p, gradient.array, m, v, most[0] if most else None, 0.0 if self.decoupled else decay,
            1 - lr * decay if self.decoupled else 1.0, 1 - beta1, 1 - beta2, group["eps"] * unbias,
            lr * unbias / (1 - beta1**step),
        )  # fmt: skip
        for tensor in written:
            tensor.version.count += 1


def _zeros(parameter: Tensor) -> Tensor:
    return parameter.new_zeros(parameter.shape)


class AdamW(Adam):
    """Adam with weight decay apart from the gradient: p <- (1 - lr * weight_decay) p before each step.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization" (2019).
    """

    decoupled = True

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, betas: Sequence[float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 1e-2, amsgrad: bool = False, *,
                 maximize: bool = False) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)
