"""Pooling layers."""

from dataclasses import dataclass, field
from typing import Any

from minigrad.nn import functional as F
from minigrad.nn.functional.arguments import IntOrPair
from minigrad.nn.modules.module import Module
from minigrad.tensor import Tensor


@dataclass(eq=False, repr=False)
class MaxPool2d(Module):
    """F.max_pool2d: the largest element of each window."""

    kernel_size: IntOrPair
    stride: IntOrPair | None = None
    padding: IntOrPair = 0
    dilation: IntOrPair = 1
    return_indices: bool = field(default=False, repr=False)
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        self.stride = self.kernel_size if self.stride is None else self.stride

    def forward(self, input: Tensor) -> Any:
        return F.max_pool2d(input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode,
                            self.return_indices)


@dataclass(eq=False, repr=False)
class AvgPool2d(Module):
    """F.avg_pool2d: the mean of each window."""

    kernel_size: IntOrPair
    stride: IntOrPair | None = None
    padding: IntOrPair = 0
    ceil_mode: bool = field(default=False, repr=False)
    count_include_pad: bool = field(default=True, repr=False)
    divisor_override: int | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.stride = self.kernel_size if self.stride is None else self.stride

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool2d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
                            self.count_include_pad, self.divisor_override)


@dataclass(eq=False, repr=False)
class AdaptiveAvgPool2d(Module):
    """F.adaptive_avg_pool2d: means of as many parts of an image as the output is to have."""

    output_size: Any

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(input, self.output_size)
