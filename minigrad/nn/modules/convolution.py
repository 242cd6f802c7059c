"""Convolutional layers."""

import math
from collections.abc import Sequence
from typing import Any

from minigrad.creation import Device, zeros
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.functional.arguments import pair
from minigrad.nn.modules.linear import initial_bias
from minigrad.nn.modules.module import Module, Parameter
from minigrad.ops.shape import integers
from minigrad.tensor import Tensor


class Conv2d(Module):
    """The convolutional layer: F.conv2d with a weight and a bias that are learned.

    Weight (out_channels, in_channels / groups, kh, kw) and bias (out_channels,) start uniform over +-1 / sqrt(fan_in),
    fan_in = in_channels / groups * kh * kw, as in PyTorch.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] | str = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        device: Device = None,
        dtype: Any = None,
    ) -> None:
        _check_channels("Conv2d", in_channels, out_channels, groups)
        kernel = pair("Conv2d", "kernel_size", kernel_size)
        weight = zeros(out_channels, in_channels // groups, *kernel, dtype=dtype, device=device)
        self.weight = Parameter(init.kaiming_uniform_(weight, math.sqrt(5)))
        self.bias = initial_bias(out_channels, math.prod(weight.shape[1:]), dtype, device) if bias else None
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups

    def forward(self, input: Tensor) -> Tensor:
        return F.conv2d(input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def extra_repr(self) -> str:
        out_channels, channels, *kernel = self.weight.shape
        return (
            f"{channels * self.groups}, {out_channels}, kernel_size={tuple(kernel)}, stride={self.stride}, "
            f"padding={self.padding}, dilation={self.dilation}, groups={self.groups}, bias={self.bias is not None}"
        )


class ConvTranspose2d(Module):
    """The transposed convolutional layer: F.conv_transpose2d with a weight and a bias that are learned.

    Weight (in_channels, out_channels / groups, kh, kw) and bias (out_channels,) start as in Conv2d.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        output_padding: int | Sequence[int] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | Sequence[int] = 1,
        device: Device = None,
        dtype: Any = None,
    ) -> None:
        _check_channels("ConvTranspose2d", in_channels, out_channels, groups)
        kernel = pair("ConvTranspose2d", "kernel_size", kernel_size)
        weight = zeros(in_channels, out_channels // groups, *kernel, dtype=dtype, device=device)
        self.weight = Parameter(init.kaiming_uniform_(weight, math.sqrt(5)))
        self.bias = initial_bias(out_channels, math.prod(weight.shape[1:]), dtype, device) if bias else None
        self.stride, self.padding, self.output_padding = stride, padding, output_padding
        self.groups, self.dilation = groups, dilation

    def forward(self, input: Tensor) -> Tensor:
        return F.conv_transpose2d(
            input, self.weight, self.bias, self.stride, self.padding, self.output_padding, self.groups, self.dilation
        )

    def extra_repr(self) -> str:
        channels, out_channels, *kernel = self.weight.shape
        return (
            f"{channels}, {out_channels * self.groups}, kernel_size={tuple(kernel)}, stride={self.stride}, "
            f"padding={self.padding}, output_padding={self.output_padding}, groups={self.groups}, "
            f"dilation={self.dilation}, bias={self.bias is not None}"
        )


def _check_channels(name: str, in_channels: int, out_channels: int, groups: int) -> None:
    integers(f"{name}: in_channels, out_channels, groups", (in_channels, out_channels, groups))
    if groups < 1 or in_channels % groups or out_channels % groups:
        raise ValueError(
            f"{name}: groups={groups} must divide in_channels={in_channels} and out_channels={out_channels}."
        )
