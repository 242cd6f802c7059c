"""Layers (modules with parameters), the functions they call (`functional`, usually imported as F), initial values."""

from minigrad.nn import functional, init
from minigrad.nn.modules import Conv2d, ConvTranspose2d, Linear, Module, Parameter, ReLU, Sequential, Sigmoid, Tanh

__all__ = [
    "Conv2d", "ConvTranspose2d", "Linear", "Module", "Parameter", "ReLU", "Sequential", "Sigmoid", "Tanh",
    "functional", "init",
]  # fmt: skip
