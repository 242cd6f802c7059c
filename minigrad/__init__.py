"""minigrad: a small reverse-mode autograd engine to learn from, with the habits of PyTorch.

    import minigrad

    x = minigrad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (x * x).sum().backward()
    x.grad                                  # tensor([2., 4., 6.])

On this page are the functions and, below them, `Tensor`, which has most of them as methods. The dtypes are float32,
float64, int32, int64, uint8 and bool. Beside it:

- `minigrad.nn`: layers, losses and modules of your own; `minigrad.nn.functional`: what they compute;
  `minigrad.nn.init`: initial values; `minigrad.nn.utils`
- `minigrad.optim`: optimizers; `minigrad.optim.lr_scheduler`: how their lr changes
- `minigrad.utils.data`: data sets, and loaders that make batches of them
- `minigrad.teaching`: what there is to see, and `python -m minigrad`, which shows it

How it works, in the order to read:

- `minigrad.function`: what an operation is, and how a graph of them is recorded
- `minigrad.autograd`: how the graph is walked backwards
- `minigrad.tensor`: the array with a place in the graph; views, and writing in place (`minigrad.ops.write`)
- `minigrad.ops.arithmetic`, `minigrad.ops.reduce`, `minigrad.ops.conv`: operations with their gradients
- `minigrad.backends.base`: the primitives that they are made of, for whoever ports minigrad to another device
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING  # no public name

from minigrad import cuda, nn, optim, utils
from minigrad.absent import explain_absence as _explain_absence  # no public name
from minigrad.arguments import explain_arguments as _explain_arguments  # no public name
from minigrad.autograd import grad
from minigrad.backends import get_backend
from minigrad.backends import get_backend as device
from minigrad.backends.threads import get_num_threads, set_num_threads
from minigrad.capture import capture
from minigrad.creation import (
    arange, as_tensor, empty, empty_like, eye, from_dlpack, from_numpy, full, full_like, get_default_device, linspace,
    ones, ones_like, set_default_device, tensor, zeros, zeros_like,
)  # fmt: skip
from minigrad.dtypes import bool, float32, float64, int32, int64, uint8
from minigrad.dtypes import float32 as float
from minigrad.dtypes import float64 as double
from minigrad.dtypes import int32 as int
from minigrad.dtypes import int64 as long
from minigrad.function import Function, enable_grad, is_grad_enabled, no_grad
from minigrad.function import no_grad as inference_mode
from minigrad.gradcheck import GradcheckError, gradcheck, gradgradcheck
from minigrad.nn.functional import corr2d, log_softmax, softmax
from minigrad.ops.arithmetic import (
    add, clamp, div, floor_divide, maximum, minimum, mul, neg, positive, pow, remainder, sub,
)  # fmt: skip
from minigrad.ops.compare import (
    allclose, bitwise_and, bitwise_left_shift, bitwise_not, bitwise_or, bitwise_right_shift, bitwise_xor, eq, equal,
    ge, gt, isclose, isfinite, isinf, isnan, le, logical_and, logical_not, logical_or, logical_xor, lt, masked_fill,
    ne, where,
)  # fmt: skip
from minigrad.ops.elementwise import (
    abs, ceil, cos, erf, exp, floor, log, log1p, reciprocal, relu, round, sigmoid, sign, sin, sqrt, square, tanh,
)  # fmt: skip
from minigrad.ops.elementwise import abs as absolute
from minigrad.ops.index import (
    cat, chunk, concatenate, flip, gather, narrow, nonzero, select, split, stack, unbind,
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

if _TYPE_CHECKING:  # at run time they are loaded when they are first asked for: what one learns with is seldom in use
    from minigrad.teaching.doctor import doctor
    from minigrad.teaching.clinic import examine
    from minigrad.teaching.compare import compare
    from minigrad.teaching.convolution import conv2d_matrix, explain_conv2d
    from minigrad.teaching.drawing import draw
    from minigrad.teaching.laboratory import laboratory
    from minigrad.teaching.tape import record

__version__ = "0.1.0"

__all__ = [  # what type checkers let users of a typed package import, in the order of the API reference
    "tensor", "as_tensor", "from_numpy", "from_dlpack",
    "zeros", "ones", "full", "empty", "zeros_like", "ones_like", "full_like", "empty_like", "arange", "linspace",
    "eye",
    "rand", "randn", "randint", "randperm", "normal", "rand_like", "randn_like", "randint_like", "manual_seed",
    "get_rng_state", "set_rng_state",
    "float32", "float64", "int32", "int64", "uint8", "bool", "float", "double", "int", "long",
    "abs", "absolute", "neg", "positive", "sign", "exp", "log", "log1p", "sqrt", "square", "reciprocal", "sin", "cos",
    "tanh", "sigmoid", "softmax", "log_softmax", "relu", "erf", "round", "floor", "ceil", "clamp",
    "add", "sub", "mul", "div", "floor_divide", "remainder", "pow", "maximum", "minimum",
    "eq", "ne", "lt", "le", "gt", "ge", "isclose", "allclose", "equal", "isnan", "isinf", "isfinite", "logical_and",
    "logical_or", "logical_xor", "logical_not", "where", "masked_fill", "nonzero",
    "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "bitwise_left_shift", "bitwise_right_shift",
    "sum", "mean", "prod", "var", "std", "norm", "logsumexp", "max", "min", "amax", "amin", "argmax", "argmin", "all",
    "any", "cumsum",
    "matmul", "mm", "mv", "bmm", "dot", "outer",
    "reshape", "flatten", "squeeze", "unsqueeze", "permute", "transpose", "broadcast_to", "flip",
    "cat", "concatenate", "stack", "split", "chunk", "unbind", "narrow", "select", "gather",
    "no_grad", "inference_mode", "enable_grad", "is_grad_enabled", "grad", "gradcheck", "gradgradcheck", "capture",
    "save", "load", "get_num_threads", "set_num_threads", "set_default_device", "get_default_device",
    "device", "get_backend",
    "corr2d",
    "explain_conv2d", "conv2d_matrix", "record", "draw", "examine", "laboratory", "compare",
    "doctor",
    "Tensor", "Function", "Generator", "GradcheckError",
    "cuda", "nn", "optim", "utils",
]

_explain_arguments(globals())
_explain_absence(globals(), late={
    "compare": "minigrad.teaching.compare", "conv2d_matrix": "minigrad.teaching.convolution",
    "doctor": "minigrad.teaching.doctor", "draw": "minigrad.teaching.drawing", "examine": "minigrad.teaching.clinic",
    "explain_conv2d": "minigrad.teaching.convolution", "laboratory": "minigrad.teaching.laboratory",
    "record": "minigrad.teaching.tape",
})  # fmt: skip
