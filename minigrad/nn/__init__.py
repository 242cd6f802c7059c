"""Layers (modules with parameters), the functions they call (`minigrad.nn.functional`, usually imported as F), initial
values (`minigrad.nn.init`).
"""

from minigrad.absent import explain_absence as _explain_absence
from minigrad.nn import functional, init, utils
from minigrad.nn.modules import (
    GELU, AdaptiveAvgPool2d, AvgPool2d, BatchNorm1d, BatchNorm2d, BCELoss, BCEWithLogitsLoss, Conv1d, Conv2d,
    ConvTranspose2d, CrossEntropyLoss, Dropout, Embedding, Flatten, Identity, L1Loss, LayerNorm, LazyBatchNorm2d,
    LazyConv2d, LazyLinear, LeakyReLU, Linear, LogSoftmax, MaxPool2d, Module, ModuleList, MSELoss, NLLLoss, Parameter,
    ReLU, Sequential, Sigmoid, SiLU, SmoothL1Loss, Softmax, Softplus, Tanh,
)  # fmt: skip

__all__ = [
    "Module", "Parameter", "Sequential", "ModuleList", "Linear", "Conv1d", "Conv2d", "ConvTranspose2d", "Embedding",
    "LazyLinear", "LazyConv2d", "LazyBatchNorm2d", "MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d", "BatchNorm1d",
    "BatchNorm2d", "LayerNorm", "Dropout", "Flatten", "Identity", "ReLU", "LeakyReLU", "GELU", "SiLU", "Softplus",
    "Sigmoid", "Tanh", "Softmax", "LogSoftmax", "MSELoss", "L1Loss", "SmoothL1Loss", "NLLLoss", "CrossEntropyLoss",
    "BCELoss", "BCEWithLogitsLoss", "functional", "init", "utils",
]

_explain_absence(globals())
