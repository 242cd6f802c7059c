"""Schedulers: each `step()`, usually after an epoch, gives every parameter group of an optimizer its next lr.

As in PyTorch, StepLR and CosineAnnealingLR start from the lr they find, so that several schedulers may be chained.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from minigrad.optim.optimizer import Optimizer


class LRScheduler:
    """The base of all: a subclass defines `get_lr`, the next lr of each group.

    `last_epoch` counts the steps: -1 starts, more goes on from there, with the "initial_lr" that each group then has.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__}: needs an optimizer, got {type(optimizer).__name__}.")
        self.optimizer = optimizer
        for position, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(f"{type(self).__name__}: param_groups[{position}] has no 'initial_lr', from which "
                               f"last_epoch={last_epoch} could go on; load the optimizer's state dict first, or the "
                               "scheduler's instead.")
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._initial = True
        self.step()
        self._initial = False

    def get_lr(self) -> list[float]:
        """The next lr of each group."""
        raise NotImplementedError(f"{type(self).__name__} must define get_lr(self)")

    def get_last_lr(self) -> list[float]:
        """The lr of each group, as the last step has left it."""
        return self._last_lr

    def step(self) -> None:
        """Gives each group its next lr."""
        self.last_epoch += 1
        for group, lr in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = lr
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """All but the optimizer and functions."""
        return {name: value for name, value in vars(self).items() if name not in ("optimizer", "lr_lambdas")}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what state_dict() gave. The lr of the groups is in the state of the optimizer."""
        vars(self).update(state_dict)

    def _lrs(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]


class StepLR(LRScheduler):
    """lr <- gamma * lr every `step_size` epochs."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        due = self.last_epoch > 0 and self.last_epoch % self.step_size == 0
        return [lr * self.gamma if due else lr for lr in self._lrs()]


class LambdaLR(LRScheduler):
    """lr = initial lr * lr_lambda(epoch); one function, or one for each group."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
                 last_epoch: int = -1) -> None:
        groups = len(optimizer.param_groups)
        self.lr_lambdas = [lr_lambda] * groups if callable(lr_lambda) else list(lr_lambda)
        if len(self.lr_lambdas) != groups:
            raise ValueError(f"LambdaLR: {len(self.lr_lambdas)} functions for {groups} groups; give one, or as many.")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        return [lr * function(self.last_epoch) for lr, function in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from the initial lr at epoch 0 down to eta_min at epoch T_max (and up again thereafter):

        lr = eta_min + (initial lr - eta_min) * (1 + cos(pi * epoch / T_max)) / 2

    Each step multiplies lr - eta_min by the quotient of two neighbours on that curve. Source: torch.optim.lr_scheduler;
    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017).
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def _height(self, epoch: int) -> float:
        return 1 + math.cos(math.pi * epoch / self.T_max)

    def get_lr(self) -> list[float]:
        epoch, low = self.last_epoch, self.eta_min
        if self._initial:
            return self._lrs()
        if (epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # the step before ended at the bottom: no quotient
            up = (1 - math.cos(math.pi / self.T_max)) / 2
            return [lr + (base - low) * up for lr, base in zip(self._lrs(), self.base_lrs, strict=True)]
        return [low + (lr - low) * self._height(epoch) / self._height(epoch - 1) for lr in self._lrs()]
