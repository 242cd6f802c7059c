"""Layers (modules with parameters), the functions they call (`minigrad.nn.functional`, usually imported as F), initial
values (`minigrad.nn.init`).
"""

from minigrad.absent import explain_absence as _explain_absence
from minigrad.nn import functional, init, utils
from minigrad.nn.modules.activation import GELU, LeakyReLU, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh
from minigrad.nn.modules.container import ModuleList, Sequential
from minigrad.nn.modules.convolution import Conv1d, Conv2d, ConvTranspose2d
from minigrad.nn.modules.lazy import LazyBatchNorm2d, LazyConv2d, LazyLinear
from minigrad.nn.modules.linear import Flatten, Identity, Linear
from minigrad.nn.modules.loss import (
    BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, L1Loss, MSELoss, NLLLoss, SmoothL1Loss,
)  # fmt: skip
from minigrad.nn.modules.module import Module, Parameter
from minigrad.nn.modules.normalization import BatchNorm1d, BatchNorm2d, Dropout, LayerNorm
from minigrad.nn.modules.pooling import AdaptiveAvgPool2d, AvgPool2d, MaxPool2d
from minigrad.nn.modules.sparse import Embedding

__all__ = [
    "Module", "Parameter", "Sequential", "ModuleList", "Linear", "Conv1d", "Conv2d", "ConvTranspose2d", "Embedding",
    "LazyLinear", "LazyConv2d", "LazyBatchNorm2d", "MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d", "BatchNorm1d",
    "BatchNorm2d", "LayerNorm", "Dropout", "Flatten", "Identity", "ReLU", "LeakyReLU", "GELU", "SiLU", "Softplus",
    "Sigmoid", "Tanh", "Softmax", "LogSoftmax", "MSELoss", "L1Loss", "SmoothL1Loss", "NLLLoss", "CrossEntropyLoss",
    "BCELoss", "BCEWithLogitsLoss", "functional", "init", "utils",
]

_explain_absence(globals())
