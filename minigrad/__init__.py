"""minigrad: a small reverse-mode autograd engine to learn from, with the habits of PyTorch.

    import minigrad

    x = minigrad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (x * x).sum().backward()
    x.grad                                  # tensor([2., 4., 6.])
"""

from minigrad import nn, optim, utils
from minigrad.arguments import explain_arguments as _explain_arguments  # no public name
from minigrad.autograd import grad
from minigrad.backends import get_backend
from minigrad.backends.threads import get_num_threads, set_num_threads
from minigrad.creation import (
    arange, as_tensor, empty, empty_like, eye, from_dlpack, from_numpy, full, full_like, get_default_device, linspace,
    ones, ones_like, set_default_device, tensor, zeros, zeros_like,
)  # fmt: skip
from minigrad.dtypes import bool, float32, float64, int32, int64, uint8
from minigrad.function import Function, enable_grad, is_grad_enabled, no_grad
from minigrad.gradcheck import GradcheckError, gradcheck, gradgradcheck
from minigrad.nn.functional import corr2d
from minigrad.ops.elementwise import (
    abs, add, allclose, bitwise_and, bitwise_left_shift, bitwise_not, bitwise_or, bitwise_right_shift, bitwise_xor,
    ceil, clamp, cos, div, eq, equal, erf, exp, floor, floor_divide, ge, gt, isclose, isfinite, isinf, isnan, le, log,
    log1p, logical_and, logical_not, logical_or, logical_xor, lt, masked_fill, masked_select, maximum, minimum,
    mul, ne, neg, positive, pow, reciprocal, relu, remainder, round, sigmoid, sign, sin, sqrt, square, sub, tanh,
    where,
)  # fmt: skip
from minigrad.ops.elementwise import abs as absolute
from minigrad.ops.index import (
    cat, chunk, concatenate, flip, gather, index_select, narrow, nonzero, select, split, stack, take_along_dim, unbind,
)  # fmt: skip
from minigrad.ops.matmul import bmm, dot, matmul, mm, mv, outer
from minigrad.ops.reduce import all, amax, amin, any, argmax, argmin, broadcast_to, max, mean, min, sum
from minigrad.ops.shape import flatten, permute, reshape, squeeze, transpose, unsqueeze
from minigrad.ops.statistics import cumsum, logsumexp, norm, prod, std, var
from minigrad.random import (
    Generator, get_rng_state, manual_seed, normal, rand, rand_like, randint, randint_like, randn, randn_like, randperm,
    set_rng_state,
)  # fmt: skip
from minigrad.serialization import load, save
from minigrad.tensor import Tensor

__version__ = "0.1.0"

__all__ = [  # what type checkers let users of a typed package import
    "Function", "Generator", "GradcheckError", "Tensor", "abs", "absolute", "add", "all", "allclose", "amax",
    "amin", "any", "arange", "argmax", "argmin", "as_tensor", "bitwise_and", "bitwise_left_shift", "bitwise_not",
    "bitwise_or", "bitwise_right_shift", "bitwise_xor", "bmm", "bool", "broadcast_to", "cat", "ceil", "chunk",
    "clamp", "concatenate", "corr2d", "cos", "cumsum", "div", "dot", "empty", "empty_like", "enable_grad", "eq",
    "equal", "erf", "exp", "eye", "flatten", "flip", "float32", "float64", "floor", "floor_divide", "from_dlpack",
    "from_numpy", "full", "full_like", "gather", "ge", "get_backend", "get_default_device", "get_num_threads",
    "get_rng_state", "grad", "gradcheck", "gradgradcheck", "gt", "index_select", "int32", "int64",
    "is_grad_enabled", "isclose", "isfinite", "isinf", "isnan", "le", "linspace", "load", "log", "log1p",
    "logical_and", "logical_not", "logical_or", "logical_xor", "logsumexp", "lt", "manual_seed", "masked_fill",
    "masked_select", "matmul", "max", "maximum", "mean", "min", "minimum", "mm", "mul", "mv", "narrow", "ne", "neg",
    "nn", "no_grad", "nonzero", "norm", "normal", "ones", "ones_like", "optim", "outer", "permute", "positive",
    "pow", "prod", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm", "reciprocal",
    "relu", "remainder", "reshape", "round", "save", "select", "set_default_device", "set_num_threads",
    "set_rng_state", "sigmoid", "sign", "sin", "split", "sqrt", "square", "squeeze", "stack", "std", "sub", "sum",
    "take_along_dim", "tanh", "tensor", "transpose", "uint8", "unbind", "unsqueeze", "utils", "var", "where",
    "zeros", "zeros_like",
]

_explain_arguments(globals())
