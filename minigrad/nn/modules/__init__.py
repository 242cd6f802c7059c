"""Module and Parameter, containers, and the layers: each calls its function of nn.functional."""

from minigrad.nn.modules.activation import ReLU, Sigmoid, Tanh
from minigrad.nn.modules.container import ModuleList, Sequential
from minigrad.nn.modules.convolution import Conv2d, ConvTranspose2d
from minigrad.nn.modules.lazy import LazyConv2d, LazyLinear
from minigrad.nn.modules.linear import Linear
from minigrad.nn.modules.module import Module, Parameter

__all__ = [
    "Conv2d", "ConvTranspose2d", "LazyConv2d", "LazyLinear", "Linear", "Module", "ModuleList", "Parameter", "ReLU",
    "Sequential", "Sigmoid", "Tanh",
]  # fmt: skip
