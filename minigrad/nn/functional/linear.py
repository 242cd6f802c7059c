"""The product with a weight matrix."""

from math import prod

from minigrad.function import Array, Function
from minigrad.nn.functional.arguments import check_alike
from minigrad.ops.reduce import add_bias
from minigrad.tensor import Tensor


class Linear(Function):
    """Y = X W^T for matrices: dX = dY W, dW = dY^T X. (X @ W.T would give the transpose of dW, to be turned back.)"""

    saves_inputs = "partners"
    fresh_gradients = True

    def forward(self, x: Array, w: Array) -> Array:
        return self.device.matmul(x, self.device.permute(w, (1, 0)))

    def backward(self, dy: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, w = self.inputs
        return dy @ w if self.needs_grad[0] else None, dy.mT @ x if self.needs_grad[1] else None


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y = x w^T + bias for x (..., in_features), w (out_features, in_features), bias (out_features,)."""
    check_alike("linear", input, weight, bias)
    if weight.ndim not in (1, 2) or input.ndim == 0 or input.shape[-1] != weight.shape[-1]:
        raise ValueError(f"linear: input {input.shape} does not fit weight {weight.shape}; they must be (..., "
                         "in_features) and (out_features, in_features).")
    if bias is not None and bias.shape != weight.shape[:-1]:
        raise ValueError(f"linear: bias has shape {bias.shape}, but weight {weight.shape} expects {weight.shape[:-1]}.")
    if weight.ndim == 1:
        y: Tensor = input @ weight
        return y if bias is None else y + bias
    lead = input.shape[:-1]
    x = input if input.ndim == 2 else input.reshape(prod(lead), input.shape[-1])
    y = Linear()(x, weight)
    y = y if bias is None else add_bias(y, bias)
    return y if input.ndim == 2 else y.reshape(*lead, weight.shape[0])
