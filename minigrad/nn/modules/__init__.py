"""Module and Parameter, containers, and the layers: each calls its function of nn.functional."""

from minigrad.nn.modules.activation import GELU, LeakyReLU, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh
from minigrad.nn.modules.container import ModuleList, Sequential
from minigrad.nn.modules.convolution import Conv1d, Conv2d, ConvTranspose2d
from minigrad.nn.modules.lazy import LazyBatchNorm2d, LazyConv2d, LazyLinear
from minigrad.nn.modules.linear import Flatten, Identity, Linear
from minigrad.nn.modules.loss import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
)
from minigrad.nn.modules.module import Module, Parameter
from minigrad.nn.modules.normalization import BatchNorm1d, BatchNorm2d, Dropout, LayerNorm
from minigrad.nn.modules.pooling import AdaptiveAvgPool2d, AvgPool2d, MaxPool2d
from minigrad.nn.modules.sparse import Embedding

__all__ = [
    "GELU", "AdaptiveAvgPool2d", "AvgPool2d", "BCELoss", "BCEWithLogitsLoss", "BatchNorm1d", "BatchNorm2d",
    "Conv1d", "Conv2d", "ConvTranspose2d", "CrossEntropyLoss", "Dropout", "Embedding", "Flatten", "Identity",
    "L1Loss", "LayerNorm", "LazyBatchNorm2d", "LazyConv2d", "LazyLinear", "LeakyReLU", "Linear", "LogSoftmax",
    "MSELoss", "MaxPool2d", "Module", "ModuleList", "NLLLoss", "Parameter", "ReLU", "Sequential", "SiLU", "Sigmoid",
    "SmoothL1Loss", "Softmax", "Softplus", "Tanh",
]  # fmt: skip
