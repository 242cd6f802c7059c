"""Optimizers: they write parameters in place, from the gradients that backward() left in `.grad`."""

from collections.abc import Iterable

from minigrad.function import no_grad
from minigrad.tensor import Tensor


class SGD:
    """Stochastic gradient descent, with PyTorch's momentum:

        g <- grad + weight_decay * p
        b <- momentum * b + (1 - dampening) * g        (b = g at the first step)
        p <- p - lr * b                                (p - lr * (g + momentum * b) if nesterov)

    Source: torch.optim.SGD; Sutskever et al., "On the importance of initialization and momentum in deep learning"
    (2013).
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        self.params = list(params)
        if not self.params:
            raise ValueError("SGD: params is empty; pass model.parameters() (once: it is an iterator).")
        for position, parameter in enumerate(self.params):
            if not isinstance(parameter, Tensor) or parameter.creator is not None or not parameter.requires_grad:
                raise ValueError(
                    f"SGD: params[{position}] must be a leaf tensor that requires grad, got {parameter!r}."
                )
        for name, value in (("lr", lr), ("momentum", momentum), ("weight_decay", weight_decay)):
            if not value >= 0:
                raise ValueError(f"SGD: {name}={value} must not be negative.")
        if nesterov and (momentum == 0 or dampening != 0):
            raise ValueError(f"SGD: nesterov needs momentum > 0 and dampening = 0, got {momentum} and {dampening}.")
        self.lr, self.momentum, self.dampening = lr, momentum, dampening
        self.weight_decay, self.nesterov = weight_decay, nesterov
        self._velocities: dict[Tensor, Tensor] = {}

    @no_grad()
    def step(self) -> None:
        """One update of every parameter that has a gradient."""
        for parameter in self.params:
            if parameter.grad is None:
                continue
            update = parameter.grad
            if self.weight_decay:
                update = update + self.weight_decay * parameter
            if self.momentum:
                update = self._with_momentum(parameter, update)
            parameter -= self.lr * update

    def _with_momentum(self, parameter: Tensor, gradient: Tensor) -> Tensor:
        before = self._velocities.get(parameter)
        velocity = gradient if before is None else self.momentum * before + (1 - self.dampening) * gradient
        self._velocities[parameter] = velocity.detach().clone() if before is None else velocity
        return gradient + self.momentum * velocity if self.nesterov else velocity

    def zero_grad(self) -> None:
        """Forgets the gradients, so that the next backward() does not add to them."""
        for parameter in self.params:
            parameter.grad = None
