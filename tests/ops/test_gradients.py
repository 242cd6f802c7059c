"""Every operation's first and second derivative against finite differences, on every device."""

from collections.abc import Callable

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import Function, Tensor
from minigrad.nn.functional import loss
from minigrad.ops import (
    arithmetic,
    compare,
    conv,
    convert,
    elementwise,
    index,
    matmul,
    reduce,
    shape,
    statistics,
    window,
)

MODULES = (arithmetic, compare, conv, convert, elementwise, index, loss, matmul, reduce, shape, statistics, window)


def well_apart(x: np.ndarray) -> np.ndarray:
    """Numbers far from 0 and from each other, for operations with a kink there."""
    return np.random.default_rng(1).permutation(np.linspace(-1.9, 2.0, x.size)).reshape(x.shape)


def positive(x: np.ndarray) -> np.ndarray:
    return np.abs(x) + 0.3


def seeded(function: Callable[..., Tensor], x: Tensor) -> Tensor:
    """With the same random numbers in every call."""
    minigrad.manual_seed(0)
    return function(x)


TARGETS = minigrad.tensor([[0, 2], [-1, 1]], device="reference")
STRIDED = conv.ConvGeometry((1, 1, 4, 4), (2, 1, 2, 2), (1, 2, 2, 2), (2, 2), (0, 0), (1, 1), 1)

# name: (function, shapes of its inputs), and, where not any numbers will do, how to choose them
CASES: dict[str, tuple] = {
    "neg": (lambda x: -x, (2, 3)),
    "positive": (lambda x: (+x) ** 2, (2, 3)),
    "exp": (minigrad.exp, (2, 3)),
    "log": (minigrad.log, (2, 3), positive),
    "abs": (minigrad.abs, (2, 3), well_apart),
    "log1p": (minigrad.log1p, (2, 3), positive),
    "sqrt": (minigrad.sqrt, (2, 3), positive),
    "square": (minigrad.square, (2, 3)),
    "reciprocal": (minigrad.reciprocal, (2, 3), positive),
    "sin": (minigrad.sin, (2, 3)),
    "cos": (minigrad.cos, (2, 3)),
    "clamp": (lambda x: x.clamp(-1, 1) ** 2, (2, 3), well_apart),
    "clamp, tensors": (lambda x, y: x.clamp(min=y).clamp(max=y * y) ** 2, (2, 3), (3,), well_apart),
    "relu": (minigrad.relu, (2, 3), well_apart),
    "sigmoid": (minigrad.sigmoid, (2, 3)),
    "tanh": (minigrad.tanh, (2, 3)),
    "erf": (minigrad.erf, (2, 3)),
    "add": (lambda x, y: x + y, (2, 3), (2, 3)),
    "add, broadcast": (lambda x, y: x + y, (2, 1), (3,)),
    "add, scalar": (lambda x: 1.5 + x, (2, 3)),
    "sub": (lambda x, y: x - y, (2, 3), (3,)),
    "add, alpha": (lambda x, y: x.add(y, alpha=0.5) * x.sub(y, alpha=3), (2, 3), (3,)),
    "sub, scalar": (lambda x: 2 - x, (2, 3)),
    "mul": (lambda x, y: x * y, (2, 3), (2, 3)),
    "mul, broadcast": (lambda x, y: x * y, (2, 1, 3), (4, 1)),
    "mul, by itself": (lambda x: x * x, (2, 3)),
    "div": (lambda x, y: x / y, (2, 3), (3,), positive),
    "div, scalar": (lambda x: 2 / x, (2, 3), positive),
    "remainder": (lambda x, y: (x % y) ** 2, (2, 3), (3,), well_apart),
    "remainder, scalar": (lambda x: (x % 0.7) * (1.3 % x), (2, 3), positive),
    "pow": (lambda x, y: x**y, (2, 3), (2, 3), positive),
    "pow, scalar base": (lambda x: 1.7**x, (2, 3)),
    "pow, scalar exponent": (lambda x: x**-1.5, (2, 3), positive),
    "pow, integer exponent": (lambda x: x**3, (2, 3)),
    "pow, square": (lambda x: x**2, (2, 3)),
    "pow, zero": (lambda x: x**0 + x, (2, 3)),
    "maximum": (minigrad.maximum, (2, 3), (2, 3), well_apart),
    "minimum": (lambda x, y: minigrad.minimum(x, y) ** 2, (2, 3), (2, 3), well_apart),
    "where": (lambda x, y: minigrad.where(x > y, x * 2, y * y), (2, 3), (3,), well_apart),
    "sum": (lambda x: x.sum(), (2, 3)),
    "sum, dim": (lambda x: x.sum(1), (2, 3, 2)),
    "sum, dims, keepdim": (lambda x: x.sum((0, -1), keepdim=True) * x, (2, 3, 2)),
    "mean": (lambda x: x.mean((1, 2)) ** 2, (2, 3, 2)),
    "amax": (lambda x: x.amax(1) ** 2, (2, 3, 2), well_apart),
    "amin": (lambda x: x.amin(1) ** 2, (2, 3, 2), well_apart),
    "min": (lambda x: x.min() ** 2, (2, 3), well_apart),
    "min, dim": (lambda x: x.min(0).values ** 2, (3, 2), well_apart),
    "var": (lambda x: x.var(1), (2, 3, 2)),
    "std": (lambda x: x.std((0, 2), correction=0), (2, 3, 2)),
    "norm": (lambda x: x.norm(), (2, 3)),
    "norm, 1": (lambda x: x.norm(1, 1) ** 2, (2, 3), well_apart),
    "norm, 3": (lambda x: x.norm(3, 1), (2, 3), well_apart),
    "norm, 0.5": (lambda x: x.norm(0.5, 1), (2, 3), well_apart),
    "norm, inf": (lambda x: x.norm(float("inf"), 1) ** 2, (2, 3), well_apart),
    "logsumexp": (lambda x: x.logsumexp(1), (2, 3)),
    "prod": (lambda x: x.prod(), (2, 3)),
    "prod, zeros": (lambda x: (x * (x > 0)).prod(1), (2, 3), well_apart),
    "cumsum": (lambda x: x.cumsum(1) ** 2, (2, 5, 2)),
    "max": (lambda x: x.max(), (2, 3), well_apart),
    "max, dim": (lambda x: x.max(0).values ** 2, (3, 2), well_apart),
    "broadcast_to": (lambda x: x.broadcast_to((4, 2, 3)) ** 2, (2, 1)),
    "reshape": (lambda x: x.reshape(3, -1) ** 2, (2, 3)),
    "view": (lambda x: x.view(3, -1) ** 2, (2, 3)),
    "expand": (lambda x: x.expand(4, -1, 3) ** 2, (2, 1)),
    "flatten": (lambda x: x.flatten(1) ** 2, (2, 3, 2)),
    "permute": (lambda x: x.permute(2, 0, 1) ** 2, (2, 3, 4)),
    "transpose": (lambda x: x.transpose(0, 2) ** 2, (2, 3, 4)),
    "T": (lambda x: x.T @ x, (2, 3)),
    "mT": (lambda x: x.mT @ x, (2, 2, 3)),
    "squeeze, unsqueeze": (lambda x: x.squeeze(1).unsqueeze(0) ** 2, (2, 1, 3)),
    "squeeze, several": (lambda x: x.squeeze((0, 2)) ** 2, (1, 2, 1, 3)),
    "repeat": (lambda x: x.repeat(2, 1, 3) ** 2, (2, 2)),
    "split": (lambda x: x.split(2, 1)[1] * x.split([3, 2], 1)[1][:, :1], (2, 5)),
    "unbind, chunk": (lambda x: x.unbind(1)[0] * x.chunk(2, 1)[1].narrow(1, 0, 1).select(1, 0), (2, 3)),
    "gather": (lambda x: x.gather(1, minigrad.tensor([[0, 2, 0], [1, 1, 1]], device=x.device)) ** 2, (3, 3)),
    "masked_fill": (lambda x, value: x.masked_fill(x > 0, value) ** 2, (2, 3), (), well_apart),
    "flip": (lambda x: x.flip(0, 2) ** 2, (2, 3, 2)),
    "getitem, slices": (lambda x: x[1:, ::2, None, -1] ** 2, (3, 4, 2)),
    "getitem, element": (lambda x: x[1, 0] ** 2, (3, 4)),
    "getitem, repeated": (lambda x: x[[0, 2, 0, 0]] ** 2, (3, 2)),
    "getitem, pairs": (lambda x: x[[0, 1, 1], [2, 0, 0]] ** 2, (2, 3)),
    "getitem, mask": (lambda x: x[x > 0] ** 2, (3, 4), well_apart),
    "pad": (lambda x: F.pad(x, (0, 2, 1, 0)) ** 2, (2, 3)),
    "F.pad": (lambda x: F.pad(x, (1, 2, 0, 1), value=0.5) ** 2, (2, 3)),
    "cat": (lambda x, y: minigrad.cat([x, y, x], dim=1) ** 2, (2, 3), (2, 1)),
    "stack": (lambda x, y: minigrad.stack([x, y], dim=1) ** 2, (2, 3), (2, 3)),
    "clone": (lambda x: x.clone() ** 2, (2, 3)),
    "to": (lambda x: x.to("cpu").to("reference") ** 2, (2, 3)),
    "matmul": (lambda x, y: x @ y, (2, 3), (3, 4)),
    "matmul, batch": (lambda x, y: x @ y, (2, 1, 2, 3), (4, 3, 2)),
    "matmul, vectors": (lambda x, y: x @ y, (3,), (3,)),
    "matmul, row": (lambda x, y: x @ y, (3,), (2, 3, 2)),
    "matmul, column": (lambda x, y: x @ y, (2, 4, 3), (3,)),
    "mm, mv": (lambda x, y, v: x.mm(y).mv(v), (2, 3), (3, 4), (4,)),
    "bmm": (lambda x, y: x.bmm(y), (2, 2, 3), (2, 3, 1)),
    "dot, outer": (lambda x, y: x.dot(y) * x.outer(y), (3,), (3,)),
    "conv2d": (lambda x, w, b: F.conv2d(x, w, b), (2, 2, 4, 3), (3, 2, 2, 2), (3,)),
    "conv2d, all parameters": (
        lambda x, w: F.conv2d(x, w, stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2),
        (1, 4, 5, 4),
        (2, 2, 2, 3),
    ),
    "conv2d, same, even kernel": (lambda x, w: F.conv2d(x, w, padding="same"), (1, 1, 3, 4), (1, 1, 2, 3)),
    "conv2d, unbatched": (lambda x, w: F.conv2d(x, w), (1, 3, 3), (1, 1, 2, 2)),
    "conv_transpose2d": (
        lambda y, w, b: F.conv_transpose2d(y, w, b, stride=2, padding=1, output_padding=1, groups=2),
        (1, 2, 2, 3),
        (2, 1, 3, 2),
        (2,),
    ),
    "conv2d_weight_grad": (
        lambda x, y: conv.conv2d_weight_grad(x, y, STRIDED),
        (1, 1, 4, 4),
        (1, 2, 2, 2),
    ),
    "unfold": (lambda x: F.unfold(x, (2, 3), dilation=(1, 1), padding=1, stride=2) ** 2, (1, 2, 4, 4)),
    "corr2d": (minigrad.corr2d, (4, 4), (2, 3)),
    "linear": (F.linear, (2, 3), (4, 3), (4,)),
    "mse_loss": (F.mse_loss, (2, 3), (2, 3)),
    "conv1d": (lambda x, w, b: F.conv1d(x, w, b, 2, 1, 2, 2), (2, 4, 6), (2, 2, 3), (2,)),
    "conv1d, same": (lambda x, w: F.conv1d(x, w, padding="same"), (1, 2, 4), (1, 2, 2)),
    "fold": (lambda y: F.fold(y, (4, 4), (2, 3), dilation=1, padding=1, stride=(2, 1)) ** 2, (1, 12, 12)),
    "max_pool2d": (lambda x: F.max_pool2d(x, 2) ** 2, (2, 2, 4, 5), well_apart),
    "max_pool2d, overlapping": (lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True) ** 2, (1, 2, 4, 5), well_apart),
    "max_pool2d, dilated": (lambda x: F.max_pool2d(x, (2, 3), 1, 1, (2, 1)) ** 2, (2, 5, 4), well_apart),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, (3, 2), 2, 1, True, False) ** 2, (2, 2, 4, 5)),
    "adaptive_avg_pool2d": (lambda x: F.adaptive_avg_pool2d(x, (2, 3)) ** 2, (2, 4, 5)),
    "pad, reflect": (lambda x: F.pad(x, (2, 1, 0, 1), "reflect") ** 2, (1, 3, 4)),
    "pad, replicate": (lambda x: F.pad(x, (2, 1, 0, 3), "replicate") ** 2, (1, 2, 3)),
    "pad, cut": (lambda x: F.pad(x, (-1, 1, 0, -1)) ** 2, (1, 2, 3)),
    "interpolate": (lambda x: F.interpolate(x, (4, 5)) ** 2, (1, 2, 2, 3)),
    "leaky_relu": (F.leaky_relu, (2, 3), well_apart),
    "relu, in place": (lambda x: F.relu(x * 1, inplace=True) ** 2, (2, 3), well_apart),
    "gelu": (F.gelu, (2, 3)),
    "gelu, tanh": (lambda x: F.gelu(x, approximate="tanh"), (2, 3)),
    "silu": (F.silu, (2, 3)),
    "softplus": (lambda x: F.softplus(x, 2.0, 1.0), (2, 3)),
    "softmax": (lambda x: F.softmax(x, 1), (2, 3)),
    "log_softmax": (lambda x: F.log_softmax(x, 0), (2, 3)),
    "dropout": (lambda x: seeded(F.dropout, x) ** 2, (3, 4)),
    "batch_norm": (lambda x, w, b: F.batch_norm(x, None, None, w, b, True), (3, 2, 2), (2,), (2,)),
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (2, 3), w, b), (2, 2, 3), (2, 3), (2, 3)),
    "embedding": (lambda w: F.embedding(minigrad.tensor([0, 2, 0, 1], device=w.device), w) ** 2, (3, 2)),
    "l1_loss": (F.l1_loss, (2, 3), (2, 3), well_apart),
    "smooth_l1_loss": (lambda x, y: F.smooth_l1_loss(x, y, beta=0.7), (2, 3), (2, 3), well_apart),
    "nll_loss": (lambda x: F.nll_loss(x, minigrad.tensor([0, 2, -100], device=x.device)) ** 2, (3, 3)),
    "nll_loss, none ignored": (lambda x: F.nll_loss(x, TARGETS.to(x.device).clamp(min=0)) ** 2, (2, 3, 2)),
    "cross_entropy, sum": (
        lambda x: F.cross_entropy(x, TARGETS.to(x.device).clamp(min=0), reduction="sum"),
        (2, 3, 2),
    ),
    "cross_entropy": (
        lambda x: F.cross_entropy(x, TARGETS.to(x.device), ignore_index=-1, label_smoothing=0.1),
        (2, 3, 2),
    ),
    "cross_entropy, probabilities": (lambda x, q: F.cross_entropy(x, q, label_smoothing=0.1), (2, 3), (2, 3)),
    "binary_cross_entropy": (lambda x, t: F.binary_cross_entropy(x.sigmoid(), t), (2, 3), (2, 3)),
    "binary_cross_entropy_with_logits": (F.binary_cross_entropy_with_logits, (2, 3), (2, 3)),
}


def inputs_of(case: tuple, device: str) -> tuple[Callable[..., Tensor], list[Tensor]]:
    function, *rest = case
    choose = rest.pop() if callable(rest[-1]) else lambda x: x
    generator = np.random.default_rng(0)
    # one draw for all inputs, so that numbers far from each other are so across inputs too
    sizes = [int(np.prod(size)) for size in rest]
    numbers = np.split(choose(generator.standard_normal(sum(sizes))), np.cumsum(sizes)[:-1])
    arrays = [part.reshape(size) for part, size in zip(numbers, rest, strict=True)]
    return function, [minigrad.tensor(array, device=device, requires_grad=True) for array in arrays]


@pytest.mark.parametrize("name", CASES)
def test_first_derivative(name: str, device: str) -> None:
    assert minigrad.gradcheck(*inputs_of(CASES[name], device))


@pytest.mark.parametrize("name", CASES)
def test_second_derivative(name: str, device: str) -> None:
    assert minigrad.gradgradcheck(*inputs_of(CASES[name], device))


@pytest.mark.parametrize("name", CASES)
def test_no_operation_that_is_right_is_accused(name: str) -> None:
    """Neither by itself, nor where another is wrong. (A diagnosis knows no devices: one will do.)"""
    function, inputs = inputs_of(CASES[name], "cpu")
    examination = minigrad.examine(function, inputs)
    assert (examination.diagnosis, examination.wrong) == (None, [])
    with pytest.raises(minigrad.GradcheckError) as caught:
        minigrad.gradcheck(lambda x, *others: [function(x, *others).to("cpu"), Wrong()(x)], inputs)
    assert caught.value.diagnosis.operation == "Wrong"


class Wrong(Function):
    """y = sin(x) + 2 x, with a gradient that is none."""

    saves_inputs = "all"

    def forward(self, x: object) -> object:
        return self.device.add(self.device.sin(x), self.device.add(x, x))

    def backward(self, dy: Tensor) -> Tensor:
        (x,) = self.inputs
        return dy * (x * x + 1.5)


def test_cast_gradients_come_back_in_the_dtype_of_the_input(device: str) -> None:
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    (x.double() ** 2).sum().backward()
    assert x.grad.dtype == minigrad.float32
    assert x.grad.tolist() == [2.0, 4.0]


def test_no_function_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new Function in `ops` must get a case above (Cast, which float64 alone cannot show, has the test before this
    one).
    """
    recorded: set[type] = {convert.Cast}
    record = Function.record

    def watched(self: Function, *arguments: object) -> None:
        recorded.add(type(self))
        record(self, *arguments)

    monkeypatch.setattr(Function, "record", watched)
    for case in CASES.values():
        function, inputs = inputs_of(case, "reference")
        function(*inputs)
    defined = {
        value
        for module in MODULES
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Function) and value.__module__ == module.__name__
    }
    # Base classes; and what only the derivatives of getitem, max_pool2d and relu call.
    assert defined - recorded == {
        conv._Convolution, index.Put, window._Windows, window._Choice, window.Pick, window.Spread,
        elementwise.ReluGrad,
    }  # fmt: skip
