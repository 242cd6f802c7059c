"""Losses: how far a result is from what was wanted."""

from minigrad.nn.functional.arguments import check_tensors
from minigrad.tensor import Tensor


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """(input - target)^2, averaged ('mean'), added up ('sum') or as it is ('none')."""
    check_tensors("mse_loss", input, target)
    if input.shape != target.shape:
        raise ValueError(f"mse_loss: input {input.shape} and target {target.shape} must have one shape.")
    reductions = {"mean": Tensor.mean, "sum": Tensor.sum, "none": lambda squares: squares}
    if reduction not in reductions:
        raise ValueError(f"mse_loss: reduction={reduction!r} must be one of {', '.join(map(repr, reductions))}.")
    return reductions[reduction]((input - target) ** 2)  # type: ignore[no-any-return]
