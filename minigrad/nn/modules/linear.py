"""The fully connected layer."""

import math
from typing import Any

from minigrad.creation import Device, zeros
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.modules.module import Module, Parameter
from minigrad.tensor import Tensor


def initial_bias(size: int, fan_in: int, dtype: Any, device: Device) -> Parameter:
    bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
    return Parameter(init.uniform_(zeros(size, dtype=dtype, device=device), -bound, bound))


class Linear(Module):
    """The fully connected layer: y = x w^T + bias.

    Weight (out_features, in_features) and bias start uniform over +-1 / sqrt(in_features), as in PyTorch.
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Device = None, dtype: Any = None
    ) -> None:
        weight = zeros(out_features, in_features, dtype=dtype, device=device)
        self.weight = Parameter(init.kaiming_uniform_(weight, math.sqrt(5)))
        self.bias = initial_bias(out_features, in_features, dtype, device) if bias else None

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        out_features, in_features = self.weight.shape
        return f"in_features={in_features}, out_features={out_features}, bias={self.bias is not None}"
