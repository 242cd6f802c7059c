"""The functions behind the layers, usually imported as F: here arguments, as in torch.nn.functional, are checked."""

from minigrad.nn.functional.convolution import conv2d, conv_transpose2d, corr2d, unfold
from minigrad.nn.functional.linear import linear
from minigrad.nn.functional.loss import mse_loss
from minigrad.nn.functional.resizing import pad
from minigrad.ops.elementwise import relu, sigmoid, tanh

__all__ = ["conv2d", "conv_transpose2d", "corr2d", "linear", "mse_loss", "pad", "relu", "sigmoid", "tanh", "unfold"]
