"""Writing in place as a differentiable operation."""

from math import prod

import numpy as np

from minigrad.backends.base import is_basic
from minigrad.function import Function, Tensor
from minigrad.ops.compare import where
from minigrad.ops.index import Key


class Write(Function):
    """y = x with y[key] = v, or, of a view of x, y.step1.step2[key] = v, in the memory of x.

    What was written no longer depends on x, the rest does not depend on v: dx = dy with dx.step1.step2[key] = 0,
    dv = dy.step1.step2[key].

    It has no `forward`: the tensor that is written (`Tensor.__setitem__`) writes its memory and records this.
    """

    def __init__(self, steps: tuple[Function, ...], key: Key) -> None:
        self.steps, self.key = steps, key

    def backward(self, dy: Tensor) -> tuple[Tensor | None, Tensor | None]:
        dx = None
        if self.needs_grad[0]:
            dx = dy.clone()
            self._viewed(dx)[self.key] = 0  # recorded in turn, if second derivatives are wanted
        return dx, self._written(self._viewed(dy)) if self.needs_grad[1] else None

    def _viewed(self, tensor: Tensor) -> Tensor:
        """The view that was written, of another tensor of the same shape."""
        for step in self.steps:
            tensor = step.again()(tensor)
        return tensor

    def _written(self, dy: Tensor) -> Tensor:
        """The part of dy at the key; 0 where a value was overwritten at once, because the key names its place again."""
        dv = dy[self.key]
        if is_basic(self.key):
            return dv
        order = np.arange(dv.numel()).reshape(dv.shape)
        last = np.empty(prod(dy.shape), np.int64)
        places = np.arange(last.size).reshape(dy.shape)[self.key]
        last[places] = order  # of several values for one place NumPy keeps the last
        return where(dv._constant(dv.device.from_numpy(last[places] == order)), dv, 0)
