"""minigrad: a small reverse-mode autograd engine to learn from, with the habits of PyTorch.

    import minigrad

    x = minigrad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (x * x).sum().backward()
    x.grad                                  # tensor([2., 4., 6.])
"""

from minigrad import nn, optim
from minigrad.arguments import explain_arguments as _explain_arguments  # no public name
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
    abs, add, bitwise_and, bitwise_left_shift, bitwise_not, bitwise_or, bitwise_right_shift, bitwise_xor, ceil, clamp,
    cos, div, eq, exp, floor, floor_divide, ge, gt, isfinite, isinf, isnan, le, log, log1p, logical_and, logical_not,
    logical_or, logical_xor, lt, maximum, minimum, mul, ne, neg, positive, pow, reciprocal, relu, remainder, round,
    sigmoid, sign, sin, sqrt, square, sub, tanh, where,
)  # fmt: skip
from minigrad.ops.elementwise import abs as absolute
from minigrad.ops.index import cat, concatenate, flip, stack, take_along_dim
from minigrad.ops.matmul import bmm, dot, matmul, mm, mv, outer
from minigrad.ops.reduce import all, amax, amin, any, argmax, argmin, broadcast_to, max, mean, min, sum
from minigrad.ops.shape import flatten, permute, reshape, squeeze, transpose, unsqueeze
from minigrad.ops.statistics import cumsum, logsumexp, norm, prod, std, var
from minigrad.tensor import Tensor

__version__ = "0.1.0"

__all__ = [  # what type checkers let users of a typed package import
    "Function", "GradcheckError", "Tensor", "abs", "absolute", "add", "all", "amax", "amin", "any", "arange",
    "argmax", "argmin", "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "bmm", "bool", "broadcast_to", "cat", "ceil", "clamp", "concatenate", "corr2d", "cos", "cumsum",
    "div", "dot", "enable_grad", "eq", "exp", "eye", "flatten", "flip", "float32", "float64", "floor",
    "floor_divide", "from_numpy", "full", "ge", "get_backend", "get_default_device", "get_num_threads", "grad",
    "gradcheck", "gradgradcheck", "gt", "int32", "int64", "is_grad_enabled", "isfinite", "isinf", "isnan", "le",
    "log", "log1p", "logical_and", "logical_not", "logical_or", "logical_xor", "logsumexp", "lt", "manual_seed",
    "matmul", "max", "maximum", "mean", "min", "minimum", "mm", "mul", "mv", "ne", "neg", "nn", "no_grad", "norm",
    "ones", "ones_like", "optim", "outer", "permute", "positive", "pow", "prod", "rand", "randn", "reciprocal",
    "relu", "remainder", "reshape", "round", "set_default_device", "set_num_threads", "sigmoid", "sign", "sin",
    "sqrt", "square", "squeeze", "stack", "std", "sub", "sum", "take_along_dim", "tanh", "tensor", "transpose",
    "uint8", "unsqueeze", "var", "where", "zeros", "zeros_like",
]

_explain_arguments(globals())
