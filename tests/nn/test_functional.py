"""The functions behind the layers, against definitions written down again here in plain NumPy."""

from collections.abc import Callable

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor

Pair = tuple[int, int]


def numbers(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Small integers, whose sums of products are exact in float32, in whatever order."""
    return np.random.default_rng(seed).integers(-4, 5, shape).astype("float32")


def windows(x: np.ndarray, kernel: Pair, stride: Pair, dilation: Pair) -> np.ndarray:
    """(n, c, i, j, u, v): the window of x that output (i, j) looks at."""
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    every = np.lib.stride_tricks.sliding_window_view(x, spans, axis=(2, 3))
    return every[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]


def correlation(
    x: np.ndarray,
    w: np.ndarray,
    stride: Pair = (1, 1),
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> np.ndarray:
    """Cross-correlation: each group of output channels sees a group of input channels of its own."""
    x = np.pad(x, [(0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2])
    pairs = zip(np.split(x, groups, axis=1), np.split(w, groups, axis=0), strict=True)
    parts = [
        np.einsum("ncijuv,ocuv->noij", windows(part, w.shape[2:], stride, dilation), kernels) for part, kernels in pairs
    ]
    return np.concatenate(parts, axis=1)


def transposed(
    y: np.ndarray, w: np.ndarray, stride: Pair, padding: Pair, output_padding: Pair, dilation: Pair, groups: int
) -> np.ndarray:
    """Every element of y stamps the kernel, times itself, onto the result; stamps add up; the border is cut off."""
    spans = [d * (k - 1) + 1 for k, d in zip(w.shape[2:], dilation, strict=True)]
    directions = zip(y.shape[2:], stride, spans, output_padding, strict=True)
    full = [(size - 1) * s + span + extra for size, s, span, extra in directions]
    parts = []
    for part, kernels in zip(np.split(y, groups, axis=1), np.split(w, groups, axis=0), strict=True):
        x = np.zeros((len(y), w.shape[1], *full), y.dtype)
        for i, j in np.ndindex(*y.shape[2:]):
            rows = slice(i * stride[0], i * stride[0] + spans[0], dilation[0])
            columns = slice(j * stride[1], j * stride[1] + spans[1], dilation[1])
            x[:, :, rows, columns] += np.einsum("no,ocuv->ncuv", part[:, :, i, j], kernels)
        parts.append(x)
    height, width = full
    inside = np.concatenate(parts, axis=1)
    return inside[:, :, padding[0] : height - padding[0], padding[1] : width - padding[1]]


def pairs(least: int, most: int) -> st.SearchStrategy[Pair]:
    return st.tuples(st.integers(least, most), st.integers(least, most))


# --- conv2d --------------------------------------------------------------------------------------------------


@st.composite
def convolutions(draw: st.DrawFn) -> tuple:
    """Shapes of image and kernel, and parameters, that fit."""
    kernel, stride, padding, dilation = draw(pairs(1, 3)), draw(pairs(1, 3)), draw(pairs(0, 2)), draw(pairs(1, 2))
    groups, group_channels, group_outputs = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    least = [max(0, d * (k - 1) + 1 - 2 * p) for k, p, d in zip(kernel, padding, dilation, strict=True)]
    size = [small + draw(st.integers(0, 3)) for small in least]
    x_shape = (draw(st.integers(0, 2)), groups * group_channels, *size)
    return x_shape, (groups * group_outputs, group_channels, *kernel), stride, padding, dilation, groups


@given(convolutions())
@settings(max_examples=60)
def test_conv2d_of_any_geometry(device: str, geometry: tuple) -> None:
    x_shape, w_shape, stride, padding, dilation, groups = geometry
    x, w, bias = numbers(x_shape), numbers(w_shape, 1), numbers(w_shape[:1], 2)
    found = F.conv2d(
        minigrad.tensor(x), minigrad.tensor(w), minigrad.tensor(bias), stride, padding, dilation, groups
    )
    expected = correlation(x, w, stride, padding, dilation, groups) + bias[:, None, None]
    np.testing.assert_array_equal(found.numpy(), expected, strict=True)


X, W = numbers((2, 4, 7, 6)), numbers((6, 4, 3, 2), 1)
GROUPED = numbers((6, 2, 3, 2), 2)


@pytest.mark.parametrize(
    ("w", "options", "expected"),
    [
        (W, {}, correlation(X, W)),
        (W, {"stride": 2}, correlation(X, W, stride=(2, 2))),
        (W, {"stride": [1, 3]}, correlation(X, W, stride=(1, 3))),
        (W, {"stride": np.int64(2), "padding": np.array([2, 1])}, correlation(X, W, stride=(2, 2), padding=(2, 1))),
        (W, {"padding": 1}, correlation(X, W, padding=(1, 1))),
        (W, {"padding": (0, 2)}, correlation(X, W, padding=(0, 2))),
        (W, {"padding": "valid", "stride": 2}, correlation(X, W, stride=(2, 2))),
        (W, {"dilation": (2, 3)}, correlation(X, W, dilation=(2, 3))),
        (GROUPED, {"groups": 2}, correlation(X, GROUPED, groups=2)),
        (GROUPED, {"groups": np.int32(2), "padding": 1}, correlation(X, GROUPED, padding=(1, 1), groups=2)),
    ],
)
def test_conv2d_parameters(w: np.ndarray, options: dict, expected: np.ndarray, device: str) -> None:
    found = F.conv2d(minigrad.tensor(X), minigrad.tensor(w), **options)
    np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("dilation", [(1, 1), (2, 1), (3, 2)])
@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (2, 2), (4, 3), (1, 2)])
def test_same_keeps_the_size_and_pads_an_odd_row_below_or_to_the_right(
    kernel: Pair, dilation: Pair, device: str
) -> None:
    w = numbers((3, 4, *kernel))
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    around = [(total // 2, total - total // 2) for total in totals]
    found = F.conv2d(minigrad.tensor(X), minigrad.tensor(w), padding="same", dilation=dilation)
    assert found.shape == (2, 3, 7, 6)
    expected = correlation(np.pad(X, [(0, 0), (0, 0), *around]), w, dilation=dilation)
    np.testing.assert_array_equal(found.numpy(), expected)


def test_conv2d_without_a_batch_and_of_an_empty_one(device: str) -> None:
    x, w, bias = minigrad.tensor(X), minigrad.tensor(W), minigrad.ones(6)
    assert F.conv2d(x[0], w, bias).tolist() == F.conv2d(x, w, bias)[0].tolist()
    empty = minigrad.zeros(0, 4, 7, 6, requires_grad=True)
    y = F.conv2d(empty, w.requires_grad_(), bias)
    assert y.shape == (0, 6, 5, 5)
    y.sum().backward()
    assert empty.grad.shape == empty.shape
    assert not w.grad.numpy().any()


def test_conv2d_reads_views_in_their_own_order(device: str) -> None:
    x, w = minigrad.tensor(X), minigrad.tensor(W)
    found = F.conv2d(x.flip(3).transpose(2, 3), w.flip(0).mT)
    expected = correlation(X[..., ::-1].swapaxes(2, 3), W[::-1].swapaxes(2, 3))
    np.testing.assert_array_equal(found.numpy(), expected)
    repeated = F.conv2d(x[:1, :1].expand(3, 4, 7, 6), w)
    np.testing.assert_array_equal(repeated.numpy(), correlation(np.broadcast_to(X[:1, :1], (3, 4, 7, 6)), W))


def test_the_books_cross_correlation(device: str) -> None:
    K = minigrad.tensor([[0.0, 1.0], [2.0, 3.0]])
    assert minigrad.corr2d(minigrad.arange(9.0).reshape(3, 3), K).tolist() == [[19.0, 25.0], [37.0, 43.0]]


def test_the_books_edges(device: str) -> None:
    X = minigrad.ones(6, 8)
    X[:, 2:6] = 0
    K = minigrad.tensor([[1.0, -1.0]])
    assert minigrad.corr2d(X, K).tolist() == [[0.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0]] * 6
    assert not minigrad.corr2d(X.T, K).bool().numpy().any()


def test_convolution_is_correlation_with_the_kernel_turned_by_half(device: str) -> None:
    x, w = numbers((5, 6)), numbers((2, 3), 1)
    full = minigrad.corr2d(F.pad(minigrad.tensor(x), (2, 2, 1, 1)), minigrad.tensor(w).flip(0, 1))
    expected = np.zeros((6, 8), "float32")
    for i, u in np.ndindex(5, 2):
        expected[i + u] += np.convolve(x[i], w[u])  # NumPy's convolution, row by row
    np.testing.assert_array_equal(full.numpy(), expected)


# --- conv_transpose2d ----------------------------------------------------------------------------------------


@st.composite
def transposed_convolutions(draw: st.DrawFn) -> tuple:
    kernel, stride, padding, dilation = draw(pairs(1, 3)), draw(pairs(1, 3)), draw(pairs(0, 1)), draw(pairs(1, 2))
    extra = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    groups, group_channels, group_outputs = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    size = []
    for k, s, p, d, e in zip(kernel, stride, padding, dilation, extra, strict=True):
        least = 1
        while (least - 1) * s - 2 * p + d * (k - 1) + 1 + e < 1:
            least += 1
        size.append(least + draw(st.integers(0, 2)))
    y_shape = (draw(st.integers(0, 2)), groups * group_outputs, *size)
    return y_shape, (groups * group_outputs, group_channels, *kernel), stride, padding, extra, groups, dilation


@given(transposed_convolutions())
@settings(max_examples=60)
def test_conv_transpose2d_of_any_geometry(device: str, geometry: tuple) -> None:
    y_shape, w_shape, stride, padding, extra, groups, dilation = geometry
    y, w = numbers(y_shape), numbers(w_shape, 1)
    bias = numbers((w_shape[1] * groups,), 2)
    found = F.conv_transpose2d(
        minigrad.tensor(y), minigrad.tensor(w), minigrad.tensor(bias), stride, padding, extra, groups, dilation
    )
    expected = transposed(y, w, stride, padding, extra, dilation, groups) + bias[:, None, None]
    np.testing.assert_array_equal(found.numpy(), expected, strict=True)


def test_conv_transpose2d_without_a_batch(device: str) -> None:
    y, w = minigrad.tensor(numbers((2, 3, 3, 2))), minigrad.tensor(numbers((3, 2, 2, 2), 1))
    assert F.conv_transpose2d(y[1], w).tolist() == F.conv_transpose2d(y, w)[1].tolist()


def test_output_padding_chooses_among_the_sizes_that_a_stride_leaves_open(device: str) -> None:
    w = minigrad.ones(1, 1, 3, 3)
    for size in (7, 8):
        y = F.conv2d(minigrad.ones(1, 1, size, size), w, stride=2)
        assert y.shape == (1, 1, 3, 3)
        assert F.conv_transpose2d(y, w, stride=2, output_padding=size - 7).shape == (1, 1, size, size)


# --- unfold, pad ---------------------------------------------------------------------------------------------


@given(convolutions())
@settings(max_examples=40)
def test_convolution_is_a_matrix_product_of_kernels_and_unfolded_windows(device: str, geometry: tuple) -> None:
    x_shape, (_, _, *kernel), stride, padding, dilation, _ = geometry
    x = numbers(x_shape)
    columns = F.unfold(minigrad.tensor(x), kernel, dilation, padding, stride)
    padded = np.pad(x, [(0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2])
    expected = windows(padded, tuple(kernel), stride, dilation).transpose(0, 1, 4, 5, 2, 3)
    batch, channels, u, v, i, j = expected.shape
    np.testing.assert_array_equal(columns.numpy(), expected.reshape(batch, channels * u * v, i * j), strict=True)

    w = minigrad.tensor(numbers((3, channels, *kernel), 1))
    product = (w.reshape(3, -1) @ columns).reshape(batch, 3, i, j)
    direct = F.conv2d(minigrad.tensor(x), w, None, stride, padding, dilation)
    np.testing.assert_array_equal(product.numpy(), direct.numpy())


def test_unfold_without_a_batch(device: str) -> None:
    x = minigrad.tensor(X)
    assert F.unfold(x[0], (2, 3)).tolist() == F.unfold(x, (2, 3))[0].tolist()


@pytest.mark.parametrize("value", [None, 0.0, 1.5, -2, float("inf"), float("nan")])
@pytest.mark.parametrize("widths", [(), (1, 2), (0, 1, 2, 0), (1, 1, 0, 0, 2, 3)])
def test_pad(widths: tuple[int, ...], value: float, device: str) -> None:
    around = [(0, 0)] * (4 - len(widths) // 2) + [(widths[k], widths[k + 1]) for k in range(0, len(widths), 2)][::-1]
    found = F.pad(minigrad.tensor(X), widths, value=value)
    np.testing.assert_array_equal(found.numpy(), np.pad(X, around, constant_values=value or 0), strict=True)


# --- linear, mse_loss ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3,), (2, 3), (4, 2, 3), (0, 3)])
def test_linear(shape: tuple[int, ...], device: str) -> None:
    x, w, bias = numbers(shape), numbers((5, 3), 1), numbers((5,), 2)
    tensors = [minigrad.tensor(array) for array in (x, w, bias)]
    np.testing.assert_array_equal(F.linear(*tensors).numpy(), x @ w.T + bias, strict=True)
    np.testing.assert_array_equal(F.linear(*tensors[:2]).numpy(), x @ w.T, strict=True)


def test_mse_loss(device: str) -> None:
    input, target = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True), minigrad.ones(2, 2)
    assert F.mse_loss(input, target, reduction="none").tolist() == [[0.0, 1.0], [4.0, 9.0]]
    assert F.mse_loss(input, target, reduction="sum").item() == 14.0
    loss = F.mse_loss(input, target)
    assert loss.item() == 3.5
    loss.backward()
    assert input.grad.tolist() == [[0.0, 0.5], [1.0, 1.5]]


# --- numbers that are none -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_pass_through_what_looks_at_them_and_nothing_else(number: float, device: str) -> None:
    x, w = minigrad.ones(1, 1, 5, 5), minigrad.ones(1, 1, 2, 2)
    x[0, 0, 2, 3] = number
    expected = np.full((4, 4), 4.0)
    expected[1:3, 2:4] = number  # the four windows that see it
    np.testing.assert_array_equal(F.conv2d(x, w).numpy()[0, 0], expected)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_nan_and_infinity_pass_through_the_gradients(number: float, device: str) -> None:
    x = minigrad.ones(1, 1, 4, 4, requires_grad=True)
    w = minigrad.ones(1, 1, 2, 2, requires_grad=True)
    dy = minigrad.ones(1, 1, 3, 3)
    dy[0, 0, 0, 1] = number
    F.conv2d(x, w).backward(dy)
    expected = np.array([[1, 2, 2, 1], [2, 4, 4, 2], [2, 4, 4, 2], [1, 2, 2, 1]], "float32")
    expected[0:2, 1:3] = number  # the pixels that this output had seen
    np.testing.assert_array_equal(x.grad.numpy()[0, 0], expected)
    np.testing.assert_array_equal(w.grad.numpy(), np.full((1, 1, 2, 2), number))


# --- refusals (those of sizes and dtypes that issue 5 lists are in test_bad_input.py) -----------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: minigrad.corr2d(x, x[0, 0]), ValueError, r"corr2d: X must be a matrix .* got shape \(1, 1, 3, 3\)"),
        (lambda x: minigrad.corr2d(x[0, 0], x), ValueError, r"corr2d: K must be a matrix .* got shape \(1, 1, 3, 3\)"),
        (lambda x: F.unfold(x[0, 0], 2), ValueError, r"unfold: input has shape \(3, 3\), but must be \(batch, "),
        (lambda x: F.unfold(x, 4), ValueError, r"unfold: .*larger than the padded input.* spans 4 .* has 3"),
        (lambda x: F.unfold(x, 2.0), TypeError, r"unfold: kernel_size=2.0 must be an int or a pair of ints"),
        (lambda x: F.unfold(x, 2, stride=0), ValueError, r"unfold: stride=\(0, 0\) must be at least 1"),
        (lambda x: F.pad(x, (1,)), ValueError, r"pad: pad=\(1,\) must hold \(before, after\)"),
        (lambda x: F.pad(x, 1), ValueError, r"pad: pad=\(1,\) must hold \(before, after\)"),
        (lambda x: F.pad(x, (1, 1), value="a"), TypeError, r"value must be a number, got str: 'a'"),
        (lambda x: F.pad(x, (0,) * 10), ValueError, r"for at most 4 axes of shape \(1, 1, 3, 3\)"),
        (lambda x: F.pad(x, (1, -5)), ValueError, r"pad: pad=\(1, -5\) cuts more than the 3 elements of axis 3"),
        (lambda x: F.pad(x, (1.0, 0)), TypeError, r"pad: .*\(1.0, 0\) must be integers"),
        (lambda x: F.pad(x, (1, 1), mode="circular"), NotImplementedError, r"mode='circular' .*minigrad\.cat"),
        (lambda x: F.mse_loss(x, x[0]), ValueError, r"mse_loss: input \(1, 1, 3, 3\) and target \(1, 3, 3\)"),
        (lambda x: F.mse_loss(x, x, reduction="average"), ValueError, r"reduction='average' must be one of 'mean'"),
        (lambda x: F.mse_loss(x, 1.0), TypeError, r"mse_loss: needs tensors, got float"),
        (lambda x: F.linear(x, minigrad.ones(2, 4)), ValueError, r"linear: input \(1, 1, 3, 3\) .* weight \(2, 4\)"),
        (lambda x: F.linear(x, minigrad.ones(1, 3), minigrad.ones(3)), ValueError, r"bias has shape \(3,\).* \(1,\)"),
        (lambda x: F.linear(x, x[0, 0].double()), TypeError, r"linear: input is float32 .* weight float64 \(3, 3\)"),
        (lambda x: F.linear(x, [[1.0]]), TypeError, r"linear: needs tensors, got list; make one with minigrad\.tensor"),
        (lambda x: F.linear(x.long(), x), TypeError, r"linear: needs floating-point tensors, got int64"),
    ],
)
def test_refused(call: Callable[[Tensor], Tensor], error: type[Exception], message: str, device: str) -> None:
    with pytest.raises(error, match=message):
        call(minigrad.ones(1, 1, 3, 3))
