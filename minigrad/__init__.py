"""minigrad: a small reverse-mode autograd engine to learn from, with the habits of PyTorch.

    import minigrad

    x = minigrad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (x * x).sum().backward()
    x.grad                                  # tensor([2., 4., 6.])
"""

from minigrad import nn, optim
from minigrad.autograd import grad
from minigrad.backends import get_backend
from minigrad.backends.threads import get_num_threads, set_num_threads
from minigrad.creation import (
    arange,
    eye,
    from_numpy,
    full,
    get_default_device,
    manual_seed,
    ones,
    ones_like,
    rand,
    randn,
    set_default_device,
    tensor,
    zeros,
    zeros_like,
)
from minigrad.dtypes import bool, float32, float64, int32, int64, uint8
from minigrad.function import Function, enable_grad, is_grad_enabled, no_grad
from minigrad.gradcheck import GradcheckError, gradcheck, gradgradcheck
from minigrad.nn.functional import corr2d
from minigrad.ops.elementwise import (
    abs, add, div, exp, log, maximum, mul, neg, pow, relu, sigmoid, sign, sub, tanh, where,
)  # fmt: skip
from minigrad.ops.index import cat, concatenate, flip, stack, take_along_dim
from minigrad.ops.matmul import matmul
from minigrad.ops.reduce import amax, argmax, broadcast_to, max, mean, sum
from minigrad.ops.shape import flatten, permute, reshape, squeeze, transpose, unsqueeze
from minigrad.tensor import Tensor

__version__ = "0.1.0"

__all__ = [  # what type checkers let users of a typed package import
    "Function", "GradcheckError", "Tensor", "abs", "add", "amax", "arange", "argmax", "bool", "broadcast_to",
    "cat", "concatenate", "corr2d", "div", "enable_grad", "exp", "eye", "flatten", "flip", "float32", "float64",
    "from_numpy", "full", "get_backend", "get_default_device", "get_num_threads", "grad", "gradcheck",
    "gradgradcheck", "int32", "int64", "is_grad_enabled", "log", "manual_seed", "matmul", "max", "maximum",
    "mean", "mul", "neg", "nn", "no_grad", "ones", "ones_like", "optim", "permute", "pow", "rand", "randn",
    "relu", "reshape", "set_default_device", "set_num_threads", "sigmoid", "sign", "squeeze", "stack", "sub",
    "sum", "take_along_dim", "tanh", "tensor", "transpose", "uint8", "unsqueeze", "where", "zeros",
    "zeros_like",
]
