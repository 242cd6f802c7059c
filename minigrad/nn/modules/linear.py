"""The fully connected layer, and layers that only arrange what others compute."""

import math
from dataclasses import dataclass
from typing import Any

from minigrad.creation import Device, zeros
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.functional.arguments import check_tensors
from minigrad.nn.modules.module import Module, Parameter
from minigrad.tensor import Tensor


def reset(weight: Tensor, bias: Tensor | None) -> None:
    """New initial values, uniform over +-1 / sqrt(fan_in): PyTorch's for layers that are products with a weight."""
    init.kaiming_uniform_(weight, math.sqrt(5))
    fan_in = math.prod(weight.shape[1:])
    if bias is not None:
        bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
        init.uniform_(bias, -bound, bound)


class Linear(Module):
    """The fully connected layer: y = x w^T + bias.

    Weight (out_features, in_features) and bias start uniform over +-1 / sqrt(in_features), as in PyTorch.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, device: Device = None,
                 dtype: Any = None) -> None:
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(zeros(out_features, in_features, dtype=dtype, device=device))
        self.register_parameter("bias", Parameter(zeros(out_features, dtype=dtype, device=device)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """New initial values."""
        reset(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Identity(Module):
    """The input as it is; arguments are ignored."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def forward(self, input: Any) -> Any:
        return input


@dataclass(eq=False, repr=False)
class Flatten(Module):
    """Joins the axes from start_dim to end_dim; those of an image, unless given."""

    start_dim: int = 1
    end_dim: int = -1

    def forward(self, input: Tensor) -> Tensor:
        check_tensors("Flatten", input)
        return input.flatten(self.start_dim, self.end_dim)
