"""Pools, tables, losses, normalization and dropout against plain definitions, and what they refuse."""

import inspect
import math
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor, nn

INF, NAN = math.inf, math.nan


def test_erf_is_that_of_pythons_library(device: str) -> None:
    numbers = [*np.linspace(-7, 7, 2001), 1e-300, -1e-10, 0.0, INF, -INF, NAN, 1e30]
    for dtype, units in (("float64", 4), ("float32", 4)):
        x = np.array(numbers).astype(dtype)
        expected = np.array([math.erf(number) for number in x], dtype)
        np.testing.assert_array_max_ulp(minigrad.erf(minigrad.tensor(x)).numpy(), expected, units)


@settings(max_examples=40)
@given(
    shape=st.tuples(st.integers(0, 2), st.integers(1, 2), st.integers(1, 7), st.integers(1, 7)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    halved=st.booleans(),
)
def test_pools_look_at_every_window(device: str, shape: tuple, kernel: tuple, stride: int, dilation: int, halved: bool):
    padding = min(kernel) // 2 if halved else 0
    reach = [dilation * (size - 1) for size in kernel]
    assume(all(image + 2 * padding > most for image, most in zip(shape[2:], reach, strict=True)))
    assume(dilation == 1 or padding == 0)
    x = np.random.default_rng(0).integers(-3, 4, shape).astype("float32")
    padded = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)], constant_values=NAN)
    rows, columns = (range(0, padded.shape[2 + k] - reach[k], stride) for k in (0, 1))
    windows = [padded[..., i : i + reach[0] + 1 : dilation, j : j + reach[1] + 1 : dilation]
               for i, j in product(rows, columns)]  # fmt: skip
    largest = np.stack([np.nanmax(window, (2, 3)) for window in windows], 2)
    y, indices = F.max_pool2d(minigrad.tensor(x), kernel, stride, padding, dilation, return_indices=True)
    np.testing.assert_array_equal(y.numpy(), largest.reshape(*shape[:2], len(rows), len(columns)), strict=True)
    planes = x.reshape(*shape[:2], math.prod(shape[2:]))
    np.testing.assert_array_equal(np.take_along_axis(planes, indices.flatten(2).numpy(), 2), largest)
    if dilation == 1:
        means = np.stack([np.nanmean(window, (2, 3)) for window in windows], 2)
        found = F.avg_pool2d(minigrad.tensor(x), kernel, stride, padding, count_include_pad=False)
        np.testing.assert_allclose(found.flatten(2).numpy(), means, atol=1e-6)


def test_the_gradient_of_a_pool_goes_to_the_first_largest(device: str) -> None:
    x = minigrad.tensor([[[1.0, 2.0, 2.0], [2.0, 2.0, 0.0]]], requires_grad=True)
    F.max_pool2d(x, 2, 1).backward(minigrad.tensor([[[1.0, 10.0]]]))
    assert x.grad.tolist() == [[[0.0, 11.0, 0.0], [0.0, 0.0, 0.0]]]


def test_numbers_that_are_none_stay_in_their_windows(device: str) -> None:
    x = minigrad.tensor([[[NAN, 1.0, 5.0, 4.0], [2.0, 3.0, INF, -INF]]], requires_grad=True)
    largest, mean = F.max_pool2d(x, 2), F.avg_pool2d(x[..., :3], (1, 3))
    assert np.array_equal(largest.detach().numpy(), [[[NAN, INF]]], equal_nan=True)
    assert np.array_equal(mean.detach().numpy(), [[[NAN], [INF]]], equal_nan=True)
    largest.backward(minigrad.tensor([[[INF, 2.0]]]))
    assert x.grad.tolist() == [[[INF, 0.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0]]]


def test_fold_is_the_adjoint_of_unfold(device: str) -> None:
    rng = np.random.default_rng(0)
    x, y = minigrad.tensor(rng.standard_normal((2, 3, 5, 6))), minigrad.tensor(rng.standard_normal((2, 18, 12)))
    arguments = {"kernel_size": (2, 3), "dilation": (2, 1), "padding": 1, "stride": (2, 2)}
    columns = F.unfold(x, **arguments)
    assert columns.shape == (2, 18, 9)
    y = y[..., :9]
    left, right = (columns * y).sum().item(), (x * F.fold(y, (5, 6), **arguments)).sum().item()
    assert left == pytest.approx(right, rel=1e-12)


def test_dropout_draws_the_same_numbers_on_every_device(device: str) -> None:
    minigrad.manual_seed(3)
    x = minigrad.ones(4, 5)
    first, second = F.dropout(x, 0.4), nn.Dropout(0.4)(x)
    minigrad.manual_seed(3)
    expected = [F.dropout(x.to("reference"), 0.4).tolist() for _ in range(2)]
    assert [first.tolist(), second.tolist()] == expected
    assert expected[0] != expected[1]
    assert F.dropout(x, 0.4, training=False) is x


def test_batch_norm_counts_and_averages_batches(device: str) -> None:
    layer = nn.BatchNorm1d(1, momentum=None)
    for numbers in ([[1.0], [3.0]], [[5.0], [9.0]]):
        layer(minigrad.tensor(numbers))
    assert layer.num_batches_tracked.item() == 2
    assert layer.running_mean.tolist() == [4.5]  # of the means 2 and 7
    assert layer.running_var.tolist() == [5.0]  # of the variances 2 and 8
    assert layer.num_batches_tracked.dtype == minigrad.int64
    before = layer.eval()(minigrad.tensor([[4.5]])).item()
    assert (before, layer.num_batches_tracked.item()) == (0.0, 2)
    assert not layer.running_mean.requires_grad


def test_targets_are_checked_where_they_are_used(device: str) -> None:
    scores = minigrad.zeros(2, 3, requires_grad=True)
    loss = F.cross_entropy(scores, minigrad.tensor([-7, 2]), ignore_index=-7)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(3), rel=1e-6)
    assert scores.grad[0].tolist() == [0.0, 0.0, 0.0]
    for wrong in (3, -1, -100, 2**40):
        with pytest.raises(IndexError, match=rf"cross_entropy: target has {wrong}, .* below 3"):
            F.cross_entropy(scores, minigrad.tensor([0, wrong]), ignore_index=-7)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: F.max_pool2d(x, 4), ValueError, r"max_pool2d: the window spans 4 elements, .* has 3"),
        (lambda x: F.max_pool2d(x, 2, padding=2), ValueError, r"padding=2 must be .* at most half of the window's 2"),
        (lambda x: F.max_pool2d(x, 0), ValueError, r"max_pool2d: kernel_size=\(0, 0\) must be at least 1"),
        (lambda x: F.max_pool2d(x[0, 0], 2), ValueError, r"max_pool2d: input has shape \(3, 3\), but must be \(batch"),
        (lambda x: F.max_pool2d(x[:, :, :1, :1], (1, 2), 1, (0, 1), 2), ValueError, r"a window meets no element"),
        (lambda x: F.avg_pool2d(x, 2, divisor_override=0), ValueError, r"divisor_override=0 must not be 0"),
        (lambda x: F.adaptive_avg_pool2d(x, (1, 2, 3)), TypeError, r"output_size=.* pair of ints"),
        (lambda x: F.adaptive_avg_pool2d(x, 0), ValueError, r"output_size=0 must have sizes of at least 1"),
        (lambda x: F.fold(x[0], 2, 2), ValueError, r"fold: input has shape \(1, 3, 3\), .* channels \* 4, windows"),
        (lambda x: F.conv1d(x[0], x), ValueError, r"conv1d: weight has shape .* 3 dimensions .* kernel_width"),
        (lambda x: F.conv1d(x[0], x[0], stride=(1, 1)), TypeError, r"conv1d: stride=\(1, 1\) must be an int"),
        (lambda x: F.pad(x, (3, 0), "reflect"), ValueError, r"mode='reflect' cannot take \(3, 0\) elements from the 3"),
        (lambda x: F.pad(x, (-1, 0), "replicate"), ValueError, r"takes no .* negative widths pad=\(-1, 0\)"),
        (lambda x: F.interpolate(x, 2, mode="bilinear"), NotImplementedError, r"mode='bilinear' .* only 'nearest'"),
        (lambda x: F.interpolate(x), ValueError, r"interpolate: needs either size or scale_factor"),
        (lambda x: F.interpolate(x, 0), ValueError, r"interpolate: 0 makes 0 of the 3 elements of axis 2"),
        (lambda x: F.softmax(x), TypeError, r"softmax: needs dim, .* dim=1"),
        (lambda x: F.gelu(x, approximate="none!"), ValueError, r"gelu: approximate='none!' must be 'none' or 'tanh'"),
        (lambda x: F.dropout(x, 1.5), ValueError, r"dropout: p=1.5 must be a probability"),
        (lambda x: nn.Dropout(-1), ValueError, r"Dropout: p=-1 must be a probability"),
        (lambda x: F.batch_norm(x, None, None), ValueError, r"needs running_mean and running_var when not training"),
        (lambda x: F.batch_norm(x[..., 0, 0], None, None, training=True), ValueError, r"one value per channel"),
        (lambda x: nn.BatchNorm2d(1)(x[0]), ValueError, r"BatchNorm2d: input has shape .* must have 4 dimensions"),
        (lambda x: nn.BatchNorm2d(2)(x), ValueError, r"batch_norm: weight is \(2,\) .* must be \(1,\)"),
        (lambda x: F.layer_norm(x, (2,)), ValueError, r"layer_norm: input .* does not end in normalized_shape=\(2,\)"),
        (lambda x: F.embedding(minigrad.tensor([3]), x[0, 0]), IndexError, r"embedding: input has 3, .* below 3"),
        (lambda x: F.embedding(minigrad.tensor([-1]), x[0, 0]), IndexError, r"embedding: input has -1"),
        (lambda x: F.embedding(minigrad.tensor([0]), x[0, 0], 3), ValueError, r"padding_idx=3 is no row of weight"),
        (lambda x: nn.Embedding(3, 2, 3), ValueError, r"padding_idx=3 must be below num_embeddings=3"),
        (lambda x: F.one_hot(minigrad.tensor([2]), 2), IndexError, r"one_hot: tensor has 2, .* below 2"),
        (lambda x: F.one_hot(x), TypeError, r"one_hot: tensor must be int64, got float32"),
        (lambda x: F.l1_loss(x, x[0]), ValueError, r"l1_loss: input .* and target .* must have one shape"),
        (lambda x: F.nll_loss(x[0, 0], minigrad.tensor([0, 1])), ValueError, r"target has shape \(2,\), .* \(3,\)"),
        (lambda x: F.nll_loss(x[0, 0], x[0, 0, 0]), TypeError, r"nll_loss: target must be int64, got float32"),
        (
            lambda x: F.nll_loss(x[0, 0], minigrad.tensor([0, 1, 2]), minigrad.ones(2)),
            ValueError,
            r"nll_loss: weight is float32 \(2,\), but must be float32 \(3,\)",
        ),
        (lambda x: F.cross_entropy(x, x[:, 0]), TypeError, r"\(1, 3, 3\) is float32; classes are int64: .*\.long"),
        (lambda x: F.cross_entropy(x, x.long()), ValueError, r"needs \(1, 3, 3\): a class for each\. \(Probabilities"),
        (lambda x: F.cross_entropy(x, x, ignore_index=1), ValueError, r"ignore_index=1 is for targets that are"),
        (lambda x: F.cross_entropy(x, x, label_smoothing=2), ValueError, r"label_smoothing=2 must be from 0 to 1"),
        (lambda x: F.binary_cross_entropy(x * 2, x), ValueError, r"must be probabilities, .*_with_logits"),
        (lambda x: F.smooth_l1_loss(x, x, beta=-1), ValueError, r"smooth_l1_loss: beta=-1 must not be negative"),
        (lambda x: nn.Conv2d(1, 1, 3, padding_mode="circular"), ValueError, r"padding_mode='circular' must be one of"),
    ],
)
def test_refused(call: Callable[[Tensor], Tensor], error: type[Exception], message: str, device: str) -> None:
    with pytest.raises(error, match=message):
        call(minigrad.ones(1, 1, 3, 3))


# name: (arguments, and of each input the shape, or a list of indices)
ROWS, SIGNAL, IMAGE = (2, 3), (1, 2, 4), (1, 2, 3, 3)
GRADIENTS: dict[str, tuple] = {
    "Linear": ((3, 2), ROWS), "LazyLinear": ((2,), ROWS), "Embedding": ((3, 2, 1), [0, 2, 0]),
    "Conv1d": ((2, 2, 2, 1, 1), SIGNAL), "Conv2d": ((2, 2, 2, 1, 1, 1, 2), IMAGE), "LazyConv2d": ((1, 2), IMAGE),
    "ConvTranspose2d": ((2, 1, 2, 2), IMAGE),
    "MaxPool2d": ((2,), IMAGE), "AvgPool2d": ((2, 1), IMAGE), "AdaptiveAvgPool2d": ((2,), IMAGE),
    "BatchNorm1d": ((2,), SIGNAL), "BatchNorm2d": ((2,), IMAGE), "LazyBatchNorm2d": ((), IMAGE),
    "LayerNorm": ((3,), ROWS), "Dropout": ((), IMAGE), "Flatten": ((), IMAGE), "Identity": ((), ROWS),
    "Softmax": ((1,), ROWS), "LogSoftmax": ((1,), ROWS), "NLLLoss": ((), ROWS, [0, 2]),
    **dict.fromkeys(("ReLU", "LeakyReLU", "GELU", "SiLU", "Softplus", "Sigmoid", "Tanh"), ((), ROWS)),
    **dict.fromkeys(("MSELoss", "L1Loss", "SmoothL1Loss", "BCELoss", "BCEWithLogitsLoss"), ((), ROWS, ROWS)),
    "CrossEntropyLoss": ((), ROWS, ROWS),
}  # fmt: skip


@pytest.mark.parametrize("check", [minigrad.gradcheck, minigrad.gradgradcheck])
@pytest.mark.parametrize("name", GRADIENTS)
def test_derivatives_of_layers(name: str, check: Callable[..., bool], device: str) -> None:
    """With respect to inputs and parameters."""
    arguments, *shapes = GRADIENTS[name]
    layer = getattr(nn, name)(*arguments).double()
    low, high = (0.05, 0.95) if name == "BCELoss" else (-0.9, 1.0)
    numbers = iter(np.random.default_rng(0).permutation(np.linspace(low, high, 20)))  # no two alike, none at a kink
    inputs = [
        minigrad.tensor(shape)
        if isinstance(shape, list)
        else minigrad.tensor(np.reshape([next(numbers) for _ in range(math.prod(shape))], shape), requires_grad=True)
        for shape in shapes
    ]
    layer(*inputs)  # a lazy one knows its parameters from here on
    parameters = dict(layer.named_parameters())

    def called(*tensors: Tensor) -> Tensor:
        minigrad.manual_seed(0)  # of dropout
        vars(layer)["_parameters"].update(zip(parameters, tensors[len(inputs) :], strict=True))
        return layer(*tensors[: len(inputs)])

    assert check(called, [*inputs, *parameters.values()])


def test_no_layer_is_left_out() -> None:
    layers = {name for name in nn.__all__ if inspect.isclass(getattr(nn, name))}
    assert layers - set(GRADIENTS) == {"Module", "Parameter", "Sequential", "ModuleList"}
