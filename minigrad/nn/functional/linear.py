"""The product with a weight matrix."""

from minigrad.nn.functional.arguments import check_alike
from minigrad.tensor import Tensor


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y = x w^T + bias for x (..., in_features), w (out_features, in_features), bias (out_features,)."""
    check_alike("linear", input, weight, bias)
    if weight.ndim not in (1, 2) or input.ndim == 0 or input.shape[-1] != weight.shape[-1]:
        raise ValueError(f"linear: input {input.shape} does not fit weight {weight.shape}; they must be (..., "
                         "in_features) and (out_features, in_features).")
    if bias is not None and bias.shape != weight.shape[:-1]:
        raise ValueError(f"linear: bias has shape {bias.shape}, but weight {weight.shape} expects {weight.shape[:-1]}.")
    y: Tensor = input @ weight.T
    return y if bias is None else y + bias
