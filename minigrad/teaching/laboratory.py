"""The laboratory: the main job, learning the edge kernel, taken apart. How fast is it, and when does it fail?

The loss of a linear layer is a quadratic in its weights. With two weights w = (w[0], w[1]), the kernel,

    L(w) = 1/2 (w - w*)^T H (w - w*),        gradient g = H (w - w*),

and H, the second derivatives, is the same everywhere. A step of SGD with momentum mu and learning rate lr,

    v <- mu v + g,    w <- w - lr v,

acts on each eigenvector of H by itself. There, for eigenvalue h, the error is multiplied per step by 1 - lr h; with
momentum in the long run by the larger root |z| of

    z^2 - (1 + mu - lr h) z + mu = 0.

The slowest direction decides how fast it goes, and where |z| reaches 1, at lr = 2 (1 + mu) / h for the largest h, it
fails.

Source: Polyak, "Some methods of speeding up the convergence of iteration methods" (1964); Goh, "Why momentum really
works" (Distill, 2017).
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad import autograd
from minigrad.creation import ones, tensor
from minigrad.dtypes import float64
from minigrad.function import enable_grad
from minigrad.nn.functional import corr2d
from minigrad.ops.index import flip, stack
from minigrad.ops.reduce import mean
from minigrad.ops.reduce import sum as total
from minigrad.optim.sgd import SGD
from minigrad.teaching.page import Page, number_text
from minigrad.tensor import Tensor

_STEPS = 500  # the most
_SETTINGS = [(reduction, convolve) for reduction in ("sum", "mean") for convolve in (False, True)]


class Experiment:
    """The image, its edges, and the loss of a kernel: `reduction` is "sum" or "mean" over the 42 cells of the edges.

    With `convolve` the kernel is flipped before it is laid on the image, as mathematics has it: what is learned is then
    [-1, 1] in place of [1, -1].
    """

    def __init__(self, reduction: str, convolve: bool) -> None:
        self.reduction, self.convolve = reduction, convolve
        self.image = ones(6, 8, dtype=float64, device="cpu")
        self.image[:, 2:6] = 0
        self.edges = corr2d(self.image, tensor([[1.0, -1.0]], dtype=float64, device="cpu"))
        start = self.kernel((0.0, 0.0))
        with enable_grad():
            (gradient,) = autograd.grad(self.loss(start), start, create_graph=True)
            rows = [autograd.grad(element, start, retain_graph=True)[0].flatten() for element in gradient.flatten()]
        self.hessian = stack(rows).numpy(force=True)
        self.target = -np.linalg.solve(self.hessian, gradient.flatten().numpy(force=True))  # Newton's step: exact here

    def kernel(self, weights: Sequence[float]) -> Tensor:
        """(w[0], w[1]) as a kernel that learns."""
        return tensor([list(weights)], dtype=float64, device="cpu", requires_grad=True)

    def predict(self, kernel: Tensor) -> Tensor:
        """The edges that a kernel finds in the image."""
        return corr2d(self.image, flip(kernel, (0, 1)) if self.convolve else kernel)

    def loss(self, kernel: Tensor) -> Tensor:
        """(predict(kernel) - edges)^2, summed or averaged."""
        squares = (self.predict(kernel) - self.edges) ** 2
        return total(squares) if self.reduction == "sum" else mean(squares)

    def train(self, lr: float, momentum: float, start: Sequence[float], steps: int
              ) -> tuple[list[list[float]], list[float]]:
        """The kernels and the losses before each step of SGD, and after the last."""
        kernel = self.kernel(start)
        optimizer = SGD([kernel], lr=lr, momentum=momentum)
        kernels, losses = [], []
        with enable_grad(), np.errstate(over="ignore", invalid="ignore"):  # it may well explode
            for step in range(steps + 1):
                loss = self.loss(kernel)
                kernels.append(kernel.flatten().tolist())
                losses.append(loss.item())
                if step < steps:
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
        return kernels, losses


def laboratory(lr: float = 0.03, momentum: float = 0.0, start: Sequence[float] = (0.5, 0.3), *, reduction: str = "sum",
               convolve: bool = False, steps: int = 10) -> "Laboratory":
    """Learns the edge kernel and says what to expect of that: a page with sliders, whose numbers these are.

        minigrad.laboratory(lr=1 / 36).save("lab.html")
        print(minigrad.laboratory(lr=0.036))             # explodes; the text says why

    Args:
        lr, momentum: of SGD; lr above 0, momentum from 0 to below 1.
        start: the kernel (w[0], w[1]) to begin with.
        reduction: "sum" or "mean" of the squared errors. A learning rate that is right for one crawls with the other.
        convolve: whether to flip the kernel, as a true convolution does; it learns [-1, 1] then.
        steps: how many, 1 to 500.
    """
    if not (isinstance(lr, (int, float)) and 0 < lr < math.inf):
        raise ValueError(f"laboratory: lr={lr!r} must be a positive number, such as 0.03.")
    if not (isinstance(momentum, (int, float)) and 0 <= momentum < 1):
        raise ValueError(f"laboratory: momentum={momentum!r} must be from 0 to below 1.")
    try:
        weights = [float(weight) for weight in start]
    except (TypeError, ValueError):
        weights = []
    if len(weights) != 2 or not all(map(math.isfinite, weights)):
        raise ValueError(f"laboratory: start={start!r} must be two numbers, the kernel to begin with.")
    if reduction not in ("sum", "mean"):
        raise ValueError(f"laboratory: reduction={reduction!r} must be 'sum' or 'mean'.")
    if not (isinstance(steps, int) and 1 <= steps <= _STEPS):
        raise ValueError(f"laboratory: steps={steps!r} must be an int from 1 to {_STEPS}.")
    return Laboratory(float(lr), float(momentum), weights, reduction, convolve, steps)


class Laboratory(Page):
    """What `laboratory` returns. `kernels` and `losses` before each step and after the last, as the engine computed
    them; `hessian`, its `eigenvalues`, the `target`; the `limit` of the learning rate, and the `rate`, as predicted: by
    what the error is multiplied per step in the long run.
    """

    kind = "laboratory"
    title = "The edge-kernel laboratory"
    height = 1750

    def __init__(self, lr: float, momentum: float, start: list[float], reduction: str, convolve: bool,
                 steps: int) -> None:
        self.lr, self.momentum, self.start, self.steps = lr, momentum, start, steps
        self.reduction, self.convolve = reduction, convolve
        self.experiment = Experiment(reduction, convolve)
        self.hessian, self.target = self.experiment.hessian, self.experiment.target
        self.eigenvalues = np.linalg.eigvalsh(self.hessian)
        self.kernels, self.losses = self.experiment.train(lr, momentum, start, steps)

    @property
    def limit(self) -> float:
        """From this learning rate on it does not converge."""
        return float(2 * (1 + self.momentum) / self.eigenvalues[-1])

    @property
    def rate(self) -> float:
        """By what the error is multiplied per step in the long run: the slowest of the two directions."""
        coefficients = [(1, -(1 + self.momentum - self.lr * value), self.momentum) for value in self.eigenvalues]
        return max([float(np.abs(np.roots(each)).max()) for each in coefficients])

    @property
    def measured(self) -> float:
        """The same as the second half of the steps had it: the mean factor, from the losses; nan where they are too
        large to be numbers, or so small that rounding is all that is left.
        """
        half = self.steps // 2
        if not 1e-24 * self.losses[0] < self.losses[-1] < math.inf or not self.losses[half] < math.inf:
            return math.nan
        return float((self.losses[-1] / self.losses[half]) ** (0.5 / (self.steps - half)))

    def __str__(self) -> str:
        low, high = map(float, self.eigenvalues)
        ends, best = f"{number_text(low)} and {number_text(high)}", number_text(2 / (low + high))
        limit, kernel = number_text(self.limit), ", ".join(map(number_text, self.kernels[-1]))
        verdict = "converges" if self.lr < self.limit else f"does not converge: lr must be below {limit}"
        rate, measured = number_text(self.rate), f"by {number_text(self.measured)}"
        if math.isnan(self.measured):
            measured = "it has arrived" if self.losses[-1] <= self.losses[0] else "it is beyond all numbers"
        target, loss = self.target.round(9).tolist(), number_text(self.losses[-1])
        return f"""\
The loss is a quadratic with Hessian {self.hessian.round(9).tolist()}: eigenvalues {ends}.
lr {number_text(self.lr)}, momentum {number_text(self.momentum)}: {verdict}.
The limit is 2 (1 + momentum) / {number_text(high)} = {limit}; without momentum the best lr is {best}.
The error is multiplied per step by {rate} in the long run; {measured} in the second half of {self.steps} steps.
After {self.steps} steps: kernel [{kernel}], loss {loss}; the target is {target}."""

    def __repr__(self) -> str:
        return f"<Laboratory: lr {self.lr:g}, momentum {self.momentum:g}, {self.reduction}, {self.steps} steps>"

    def data(self) -> dict[str, Any]:
        experiments = {f"{reduction},{convolve}": Experiment(reduction, convolve) for reduction, convolve in _SETTINGS}
        return {
            "lr": self.lr, "momentum": self.momentum, "start": self.start, "steps": self.steps,
            "reduction": self.reduction, "convolve": self.convolve, "most": _STEPS,
            "image": self.experiment.image.numpy(), "edges": self.experiment.edges.numpy(),
            "experiments": {name: {"hessian": it.hessian, "target": it.target} for name, it in experiments.items()},
        }
