"""Helpers for training."""

import math
from collections.abc import Iterable

from minigrad.creation import zeros
from minigrad.function import no_grad
from minigrad.ops.index import stack
from minigrad.ops.statistics import norm
from minigrad.tensor import Tensor


def clip_grad_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0,
                    error_if_nonfinite: bool = False) -> Tensor:
    """Scales the gradients of all parameters, in place, by min(1, max_norm / (norm + 1e-6)); returns the norm:

        norm = (sum over all elements g of |g|^norm_type)^(1 / norm_type), the largest |g| for infinity.
    """
    tensors = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    gradients = [tensor.grad.detach() for tensor in tensors if tensor.grad is not None]
    if not norm_type > 0:
        raise ValueError(f"clip_grad_norm_: norm_type={norm_type} must be positive; infinity is the largest element.")
    if not gradients:
        return zeros(())
    first = gradients[0]
    with no_grad():
        total = norm(stack([norm(one, norm_type).to(first.dtype).to(first.device) for one in gradients]), norm_type)
        if error_if_nonfinite and not math.isfinite(total.item()):
            raise RuntimeError(f"clip_grad_norm_: the norm of the gradients is {total.item()}, so they cannot be "
                               "scaled; with error_if_nonfinite=False they would become NaN or 0.")
        scale = (max_norm / (total + 1e-6)).clamp(max=1.0)
        for gradient in gradients:
            gradient *= scale.to(gradient.dtype).to(gradient.device)
    return total


def zero_grad(tensor: Tensor, set_to_none: bool) -> None:
    """Forgets the gradient of `tensor`, or fills it with zeros."""
    grad = None if set_to_none or tensor.grad is None else tensor.grad.detach().zero_()
    tensor.grad = grad
