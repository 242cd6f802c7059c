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
    arange, as_tensor, empty, empty_like, eye, from_dlpack, from_numpy, full, full_like, get_default_device, linspace,
    ones, ones_like, set_default_device, tensor, zeros, zeros_like,
)  # fmt: skip
from minigrad.dtypes import bool, float32, float64, int32, int64, uint8
from minigrad.function import Function, enable_grad, is_grad_enabled, no_grad
from minigrad.gradcheck import GradcheckError, gradcheck, gradgradcheck
from minigrad.nn.functional import corr2d
from minigrad.ops.elementwise import (
    abs, add, allclose, div, equal, exp, isclose, log, masked_fill, masked_select, maximum, mul, neg, pow, relu,
    sigmoid, sign, sub, tanh, where,
)  # fmt: skip
from minigrad.ops.index import (
    cat, chunk, concatenate, flip, gather, index_select, narrow, nonzero, select, split, stack, take_along_dim, unbind,
)  # fmt: skip
from minigrad.ops.matmul import matmul
from minigrad.ops.reduce import amax, argmax, broadcast_to, max, mean, sum
from minigrad.ops.shape import flatten, permute, reshape, squeeze, transpose, unsqueeze
from minigrad.random import (
    Generator, get_rng_state, manual_seed, normal, rand, rand_like, randint, randint_like, randn, randn_like, randperm,
    set_rng_state,
)  # fmt: skip
from minigrad.tensor import Tensor

__version__ = "0.1.0"

__all__ = [  # what type checkers let users of a typed package import
    "Function", "Generator", "GradcheckError", "Tensor", "abs", "add", "allclose", "amax", "arange", "argmax",
    "as_tensor", "bool", "broadcast_to", "cat", "chunk", "concatenate", "corr2d", "div", "empty", "empty_like",
    "enable_grad", "equal", "exp", "eye", "flatten", "flip", "float32", "float64", "from_dlpack", "from_numpy",
    "full", "full_like", "gather", "get_backend", "get_default_device", "get_num_threads", "get_rng_state", "grad",
    "gradcheck", "gradgradcheck", "index_select", "int32", "int64", "is_grad_enabled", "isclose", "linspace", "log",
    "manual_seed", "masked_fill", "masked_select", "matmul", "max", "maximum", "mean", "mul", "narrow", "neg", "nn",
    "no_grad", "nonzero", "normal", "ones", "ones_like", "optim", "permute", "pow", "rand", "rand_like", "randint",
    "randint_like", "randn", "randn_like", "randperm", "relu", "reshape", "select", "set_default_device",
    "set_num_threads", "set_rng_state", "sigmoid", "sign", "split", "squeeze", "stack", "sub", "sum",
    "take_along_dim", "tanh", "tensor", "transpose", "uint8", "unbind", "unsqueeze", "where", "zeros", "zeros_like",
]
