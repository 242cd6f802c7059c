"""Layers (modules with parameters), the functions they call (`functional`, usually imported as F), initial values."""

from minigrad.nn import functional, init, utils
from minigrad.nn.modules import (
    Conv2d, ConvTranspose2d, LazyConv2d, LazyLinear, Linear, Module, ModuleList, Parameter, ReLU, Sequential, Sigmoid,
    Tanh,
)  # fmt: skip

__all__ = [
    "Conv2d", "ConvTranspose2d", "LazyConv2d", "LazyLinear", "Linear", "Module", "ModuleList", "Parameter", "ReLU",
    "Sequential", "Sigmoid", "Tanh", "functional", "init", "utils",
]  # fmt: skip
