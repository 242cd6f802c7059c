"""Module: parameters and the modules made of them; and the layers."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Self

from minigrad.creation import Device, zeros
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.ops.shape import integers
from minigrad.tensor import Tensor


class Parameter(Tensor):
    """A tensor that a module learns: a leaf that requires grad, found by `Module.parameters()`."""

    __slots__ = ()

    def __init__(self, data: Tensor, requires_grad: bool = True) -> None:
        if not isinstance(data, Tensor):
            raise TypeError(
                f"Parameter: needs a tensor, got {type(data).__name__}; make one with minigrad.tensor(data)."
            )
        super().__init__(data.array, data.device, None, data.version)
        self.requires_grad_(requires_grad)


class Module:
    """A part of a network: a function with parameters.

    Subclasses set parameters and modules as attributes, and define `forward`.
    """

    training = True

    def forward(self, *inputs: Any, **options: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define forward(self, ...)")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return self.forward(*inputs, **options)

    def children(self) -> Iterator["Module"]:
        return (child for _, child in self.named_children())

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Module))

    def modules(self) -> Iterator["Module"]:
        """This module and all below it, each once."""
        below = [module for child in self.children() for module in child.modules()]
        return iter(dict.fromkeys([self, *below]))

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """Every parameter with its path, such as "0.weight"; one used in two places comes once."""
        seen: set[Parameter] = set()
        for name, parameter in self._paths(f"{prefix}." if prefix else ""):
            if parameter not in seen:
                seen.add(parameter)
                yield name, parameter

    def _paths(self, prefix: str) -> Iterator[tuple[str, Parameter]]:
        for name, value in vars(self).items():
            if isinstance(value, Parameter):
                yield prefix + name, value
        for name, child in self.named_children():
            yield from child._paths(f"{prefix}{name}.")

    def parameters(self) -> Iterator[Parameter]:
        return (parameter for _, parameter in self.named_parameters())

    def zero_grad(self) -> None:
        """Forgets the gradients, so that the next backward() does not add to them."""
        for parameter in self.parameters():
            parameter.grad = None

    def train(self, mode: bool = True) -> Self:
        """Sets training mode for this module and all below it; returns it."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        return self.train(False)

    def to(self, target: Any) -> Self:
        """Moves every parameter to another device or dtype, in place; returns the module."""
        for parameter in self.parameters():
            moved = parameter.detach().to(target)
            if not moved.is_floating_point():
                raise TypeError(f"Module.to: parameters must stay floating-point to be learned, got {moved.dtype}.")
            parameter.array, parameter.device, parameter.version = moved.array, moved.device, moved.version
            parameter.grad = None if parameter.grad is None else parameter.grad.to(target)
        return self

    def extra_repr(self) -> str:
        """The arguments to show in repr()."""
        return ""

    def __repr__(self) -> str:
        lines = [f"  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.named_children()]
        body = "\n" + "\n".join(lines) + "\n" if lines else self.extra_repr()
        return f"{type(self).__name__}({body})"


class Sequential(Module):
    """Modules one after the other: each gets what the one before returned."""

    def __init__(self, *modules: Module) -> None:
        for position, module in enumerate(modules):
            if not isinstance(module, Module):
                raise TypeError(f"Sequential: modules[{position}] must be a Module such as nn.ReLU(), got {module!r}.")
            setattr(self, str(position), module)

    def forward(self, input: Any) -> Any:
        for module in self.children():
            input = module(input)
        return input

    def __getitem__(self, position: int | slice) -> Module:
        chosen = list(self.children())[position]
        return Sequential(*chosen) if isinstance(chosen, list) else chosen

    def __len__(self) -> int:
        return len(list(self.children()))


def _bias(size: int, fan_in: int, dtype: Any, device: Device) -> Parameter:
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
        self.bias = _bias(out_features, in_features, dtype, device) if bias else None

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        out_features, in_features = self.weight.shape
        return f"in_features={in_features}, out_features={out_features}, bias={self.bias is not None}"


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
        kernel = F._pair("Conv2d", "kernel_size", kernel_size)
        weight = zeros(out_channels, in_channels // groups, *kernel, dtype=dtype, device=device)
        self.weight = Parameter(init.kaiming_uniform_(weight, math.sqrt(5)))
        self.bias = _bias(out_channels, math.prod(weight.shape[1:]), dtype, device) if bias else None
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
        kernel = F._pair("ConvTranspose2d", "kernel_size", kernel_size)
        weight = zeros(in_channels, out_channels // groups, *kernel, dtype=dtype, device=device)
        self.weight = Parameter(init.kaiming_uniform_(weight, math.sqrt(5)))
        self.bias = _bias(out_channels, math.prod(weight.shape[1:]), dtype, device) if bias else None
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


class ReLU(Module):
    """max(x, 0), elementwise."""

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input)


class Sigmoid(Module):
    """1 / (1 + e^-x), elementwise."""

    def forward(self, input: Tensor) -> Tensor:
        return F.sigmoid(input)


class Tanh(Module):
    """tanh x, elementwise."""

    def forward(self, input: Tensor) -> Tensor:
        return F.tanh(input)
