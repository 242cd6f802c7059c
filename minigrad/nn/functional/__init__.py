"""The functions behind the layers, usually imported as F: here arguments, as in torch.nn.functional, are checked."""

from minigrad.absent import explain_absence as _explain_absence
from minigrad.arguments import explain_arguments as _explain_arguments
from minigrad.nn.functional.activation import dropout, gelu, leaky_relu, log_softmax, relu, silu, softmax, softplus
from minigrad.nn.functional.convolution import conv1d, conv2d, conv_transpose2d, corr2d, fold, unfold
from minigrad.nn.functional.linear import linear
from minigrad.nn.functional.loss import (
    binary_cross_entropy, binary_cross_entropy_with_logits, cross_entropy, l1_loss, mse_loss, nll_loss, smooth_l1_loss,
)  # fmt: skip
from minigrad.nn.functional.normalization import batch_norm, layer_norm
from minigrad.nn.functional.pooling import adaptive_avg_pool2d, avg_pool2d, max_pool2d
from minigrad.nn.functional.resizing import interpolate, pad
from minigrad.nn.functional.sparse import embedding, one_hot
from minigrad.ops.elementwise import sigmoid, tanh

__all__ = [
    "adaptive_avg_pool2d", "avg_pool2d", "batch_norm", "binary_cross_entropy", "binary_cross_entropy_with_logits",
    "conv1d", "conv2d", "conv_transpose2d", "corr2d", "cross_entropy", "dropout", "embedding", "fold", "gelu",
    "interpolate", "l1_loss", "layer_norm", "leaky_relu", "linear", "log_softmax", "max_pool2d", "mse_loss", "nll_loss",
    "one_hot", "pad", "relu", "sigmoid", "silu", "smooth_l1_loss", "softmax", "softplus", "tanh", "unfold",
]  # fmt: skip

_explain_arguments(globals())
_explain_absence(globals())
