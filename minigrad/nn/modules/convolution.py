"""Convolutional layers."""

from typing import Any

from minigrad.creation import Device, zeros
from minigrad.nn import functional as F
from minigrad.nn.functional.arguments import IntOrPair, pair, single
from minigrad.nn.modules.linear import reset
from minigrad.nn.modules.module import Module, Parameter
from minigrad.ops.shape import integers
from minigrad.tensor import Tensor


class _Convolution(Module):
    """What the layers have in common. Numbers are kept for each of the axes of an image, of which there are `axes`."""

    axes: int
    transposed = False

    def __init__(self, in_channels: int, out_channels: int, kernel_size: IntOrPair, stride: IntOrPair = 1,
                 padding: IntOrPair | str = 0, dilation: IntOrPair = 1, groups: int = 1, bias: bool = True,
                 padding_mode: str = "zeros", device: Device = None, dtype: Any = None) -> None:
        name = type(self).__name__
        integers(f"{name}: in_channels, out_channels, groups", (in_channels, out_channels, groups))
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(f"{name}: groups={groups} must divide in_channels={in_channels} and "
                             f"out_channels={out_channels}.")
        modes = ("zeros",) if self.transposed else ("zeros", "reflect", "replicate")
        if padding_mode not in modes:
            raise ValueError(f"{name}: padding_mode={padding_mode!r} must be one of {', '.join(map(repr, modes))}.")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.groups, self.padding_mode = groups, padding_mode
        self.kernel_size, self.stride = self._numbers("kernel_size", kernel_size), self._numbers("stride", stride)
        self.padding = padding if isinstance(padding, str) else self._numbers("padding", padding)
        if isinstance(padding, str) and padding != "valid" and (padding != "same" or set(self.stride) != {1}):
            raise ValueError(f"{name}: padding={padding!r} must be numbers, 'valid' or, for stride 1 only, 'same'.")
        self.dilation, self.output_padding = self._numbers("dilation", dilation), (0,) * self.axes
        outer, inner = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        self.weight = Parameter(zeros(outer, inner // groups, *self.kernel_size, dtype=dtype, device=device))
        self.register_parameter("bias", Parameter(zeros(out_channels, dtype=dtype, device=device)) if bias else None)
        self.reset_parameters()

    def _numbers(self, argument: str, value: IntOrPair) -> tuple[int, ...]:
        name = type(self).__name__
        return pair(name, argument, value) if self.axes == 2 else (single(name, argument, value),)

    def reset_parameters(self) -> None:
        """New initial values."""
        reset(self.weight, self.bias)

    def _padded(self, input: Tensor) -> tuple[Tensor, Any]:
        """The input and the padding that is left to do: zeros."""
        if self.padding_mode == "zeros" or self.padding == "valid":
            return input, self.padding
        if isinstance(self.padding, str):
            totals = [dilation * (size - 1) for dilation, size in zip(self.dilation, self.kernel_size, strict=True)]
            borders = [(total // 2, total - total // 2) for total in totals]
        else:
            borders = [(border, border) for border in self.padding]
        return F.pad(input, [width for border in reversed(borders) for width in border], mode=self.padding_mode), 0

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        zeros, ones = (0,) * self.axes, (1,) * self.axes
        usual = {"padding": zeros, "dilation": ones, "output_padding": zeros, "groups": 1, "bias": True,
                 "padding_mode": "zeros"}  # fmt: skip
        own = {**vars(self), "bias": self.bias is not None}
        return ", ".join([text, *[f"{name}={own[name]}" for name, value in usual.items() if own[name] != value]])


class Conv1d(_Convolution):
    """F.conv1d with a weight and a bias that are learned: Conv2d for signals (batch, channels, width)."""

    axes = 1

    def forward(self, input: Tensor) -> Tensor:
        x, padding = self._padded(input)
        return F.conv1d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv2d(_Convolution):
    """The convolutional layer: F.conv2d with a weight and a bias that are learned.

    Weight (out_channels, in_channels / groups, kh, kw) and bias (out_channels,) start uniform over +-1 / sqrt(fan_in),
    fan_in = in_channels / groups * kh * kw, as in PyTorch. Padding is with zeros, or as F.pad has it for padding_mode
    'reflect' and 'replicate'.
    """

    axes = 2

    def forward(self, input: Tensor) -> Tensor:
        x, padding = self._padded(input)
        return F.conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class ConvTranspose2d(_Convolution):
    """The transposed convolutional layer: F.conv_transpose2d with a weight and a bias that are learned.

    Weight (in_channels, out_channels / groups, kh, kw) and bias (out_channels,) start as in Conv2d.
    """

    axes, transposed = 2, True

    def __init__(self, in_channels: int, out_channels: int, kernel_size: IntOrPair, stride: IntOrPair = 1,
                 padding: IntOrPair = 0, output_padding: IntOrPair = 0, groups: int = 1, bias: bool = True,
                 dilation: IntOrPair = 1, padding_mode: str = "zeros", device: Device = None,
                 dtype: Any = None) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode,
                         device, dtype)
        self.output_padding = self._numbers("output_padding", output_padding)

    def forward(self, input: Tensor) -> Tensor:
        return F.conv_transpose2d(input, self.weight, self.bias, self.stride, self._padded(input)[1],
                                  self.output_padding, self.groups, self.dilation)
