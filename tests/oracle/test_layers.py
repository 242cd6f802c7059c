"""Layers and what the table of cases cannot hold: buffers, training and evaluation, random numbers, messages, repr."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad

from .replay import replayed, same, torch
from .test_modules import fill, quantiles

pytestmark = pytest.mark.oracle

# Each layer with the shape of an input for it.
LAYERS = [
    (lambda m: m.nn.Conv1d(3, 4, 2), (2, 3, 5)),
    (
        lambda m: m.nn.Conv1d(
            in_channels=2, out_channels=4, kernel_size=(3,), stride=2, padding=1, dilation=1, groups=2, bias=False,
            padding_mode="reflect", dtype=m.float64,
        ),
        (2, 6),
    ),
    (lambda m: m.nn.Conv1d(2, 2, 3, padding="same", padding_mode="replicate"), (1, 2, 4)),
    (lambda m: m.nn.Conv2d(2, 4, (3, 2), 2, (1, 2), padding_mode="replicate", bias=False), (1, 2, 4, 5)),
    (lambda m: m.nn.Conv2d(1, 1, (3, 2), padding="same", padding_mode="reflect"), (2, 1, 4, 5)),
    (lambda m: m.nn.Conv2d(1, 1, 2, padding="valid", padding_mode="reflect"), (2, 1, 4, 5)),
    (lambda m: m.nn.ConvTranspose2d(2, 2, 2, padding_mode="zeros"), (1, 2, 3, 3)),
    (lambda m: m.nn.MaxPool2d(2), (2, 3, 4, 5)),
    (lambda m: m.nn.MaxPool2d((3, 2), 2, 1, 1, False, True), (2, 3, 4, 5)),
    (
        lambda m: m.nn.MaxPool2d(
            kernel_size=2, stride=(2, 1), padding=0, dilation=2, return_indices=False, ceil_mode=False
        ),
        (1, 2, 5, 4),
    ),
    (lambda m: m.nn.AvgPool2d(2), (2, 3, 4, 5)),
    (lambda m: m.nn.AvgPool2d(3, 2, 1, True, False, 2), (2, 3, 4, 5)),
    (
        lambda m: m.nn.AvgPool2d(
            kernel_size=(3, 2), stride=2, padding=1, ceil_mode=False, count_include_pad=True, divisor_override=None
        ),
        (3, 4, 5),
    ),
    (lambda m: m.nn.AdaptiveAvgPool2d((1, None)), (2, 3, 4, 5)),
    (lambda m: m.nn.AdaptiveAvgPool2d(output_size=3), (2, 3, 4, 5)),
    (lambda m: m.nn.BatchNorm1d(3), (4, 3)),
    (lambda m: m.nn.BatchNorm1d(num_features=3, eps=1e-3, momentum=0.3, affine=True, dtype=m.float64), (4, 3, 2)),
    (lambda m: m.nn.BatchNorm2d(3), (2, 3, 4, 2)),
    (lambda m: m.nn.BatchNorm2d(3, 1e-3, None, False, True), (2, 3, 4, 2)),
    (lambda m: m.nn.BatchNorm2d(num_features=2, eps=1e-3, momentum=None, affine=True, track_running_stats=False),
     (2, 2, 3, 2)),
    (lambda m: m.nn.BatchNorm1d(2, affine=False, track_running_stats=False), (3, 2)),
    (lambda m: m.nn.BatchNorm1d(2, bias=False), (3, 2)),
    (lambda m: m.nn.BatchNorm2d(2, dtype=m.float64, bias=False), (3, 2, 1, 2)),
    (lambda m: m.nn.LayerNorm(3), (2, 3)),
    (lambda m: m.nn.LayerNorm([2, 3], 1e-3, True, False), (4, 2, 3)),
    (lambda m: m.nn.LayerNorm(normalized_shape=(3,), eps=1e-3, elementwise_affine=False, bias=True), (4, 2, 3)),
    (lambda m: m.nn.LayerNorm((2, 3), dtype=m.float64), (4, 2, 3)),
    (lambda m: m.nn.Dropout(0.0), (2, 3)),
    (lambda m: m.nn.Dropout(1.0), (2, 3)),
    (lambda m: m.nn.Dropout(p=0.3, inplace=False).eval(), (2, 3)),
    (lambda m: m.nn.Flatten(), (2, 3, 4)),
    (lambda m: m.nn.Flatten(start_dim=0, end_dim=1), (2, 3, 4)),
    (lambda m: m.nn.Identity(54, anything=True), (2, 3)),
    (lambda m: m.nn.ReLU(inplace=False), (2, 3)),
    (lambda m: m.nn.LeakyReLU(), (2, 3)),
    (lambda m: m.nn.LeakyReLU(0.2, False), (2, 3)),
    (lambda m: m.nn.LeakyReLU(negative_slope=0.3, inplace=False), (2, 3)),
    (lambda m: m.nn.GELU(), (2, 3)),
    (lambda m: m.nn.GELU(approximate="tanh"), (2, 3)),
    (lambda m: m.nn.SiLU(inplace=False), (2, 3)),
    (lambda m: m.nn.Softplus(), (2, 3)),
    (lambda m: m.nn.Softplus(beta=2, threshold=1), (2, 3)),
    (lambda m: m.nn.Softmax(1), (2, 3)),
    (lambda m: m.nn.Softmax(dim=0), (2, 3)),
    (lambda m: m.nn.LogSoftmax(-1), (2, 3)),
    (lambda m: m.nn.LogSoftmax(dim=0), (2, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "shape"), LAYERS)
def test_layers_have_pytorchs_state_repr_values_and_gradients(device: str, layer, shape) -> None:
    def described(m):
        module = fill(m, layer(m))
        dtype = next((p.dtype for p in module.parameters()), m.float32)
        rng = np.random.default_rng(1)
        seen = {"repr": repr(module), "state": list(module.state_dict()), "steps": []}
        for training in (True, True, False):
            x = m.tensor(rng.standard_normal(shape), dtype=dtype, requires_grad=True)
            y = (module.train() if training and not repr(module).startswith("Dropout(p=0.3") else module.eval())(x)
            (y * y).sum().backward()
            seen["steps"] += [y, x.grad, {name: value.clone() for name, value in module.state_dict().items()}]
        return {**seen, "gradients": [p.grad for p in module.parameters()]}

    same(described(minigrad), described(torch))


@replayed
def test_attributes_of_layers(m):
    conv, pool = m.nn.Conv2d(2, 4, 3, 2, 1, groups=2), m.nn.MaxPool2d(2)
    up = m.nn.ConvTranspose2d(4, 2, (3, 2), stride=(2, 1), output_padding=(1, 0), padding=1, groups=2)
    return [
        [conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups],
        [conv.transposed, conv.output_padding, conv.padding_mode, m.nn.Conv2d(1, 1, 3, padding="same").padding],
        [up.in_channels, up.out_channels, up.kernel_size, up.stride, up.padding, up.output_padding, up.transposed],
        [pool.kernel_size, pool.stride, pool.padding, pool.dilation, pool.return_indices, pool.ceil_mode],
        [m.nn.Linear(2, 3).in_features, m.nn.Linear(2, 3).out_features, m.nn.Linear(2, 3, bias=False).bias],
        [m.nn.BatchNorm2d(3).num_features, m.nn.LayerNorm(3).normalized_shape, m.nn.Embedding(3, 2, -1).padding_idx],
        [m.nn.CrossEntropyLoss().weight, m.nn.CrossEntropyLoss().ignore_index, m.nn.BCEWithLogitsLoss().pos_weight],
        [repr(m.nn.ConvTranspose2d(4, 2, 3, 2, 1, 1, 2, False, 2)), repr(m.nn.Conv1d(1, 1, 3, bias=False)), repr(up)],
        [repr(m.nn.ReLU(inplace=True)), repr(m.nn.LeakyReLU(0.1, True)), repr(m.nn.SiLU(True)), repr(m.nn.Softmax())],
        [repr(m.nn.Embedding(4, 2)), repr(m.nn.Embedding(4, 2, padding_idx=1)), repr(m.nn.Dropout(0.2, True))],
    ]


@replayed
def test_embedding(m):
    table = m.nn.Embedding(num_embeddings=4, embedding_dim=2, padding_idx=-3, dtype=m.float64)
    padding = table.weight[1].detach().clone()
    y = fill(m, table)(m.tensor([[0, 1], [1, 3]]))
    (y * y).sum().backward()
    return [padding, y, table.weight.grad, list(table.state_dict())]


@replayed
def test_parameters_are_reset(m):
    layers = [m.nn.Linear(2, 2), m.nn.Conv2d(1, 1, 2), m.nn.BatchNorm1d(2), m.nn.LayerNorm(2), m.nn.Embedding(3, 2, 0)]
    seen = []
    for layer in layers:
        with m.no_grad():
            for parameter in layer.parameters():
                parameter.fill_(7.0)
        layer.reset_parameters()
        seen += [bool((parameter == 7.0).sum() == 0) for parameter in layer.parameters()]
    layers[2](m.tensor([[1.0, 2.0], [3.0, 5.0]]))
    layers[2].reset_running_stats()
    return [seen, layers[2].state_dict(), layers[3].state_dict(), layers[4].weight[0].detach()]


@replayed
def test_losses_as_modules(m):
    rng = np.random.default_rng(0)
    x = m.tensor(rng.standard_normal((4, 3)), requires_grad=True)
    t, w = m.tensor(rng.uniform(0, 1, (4, 3))), m.tensor(rng.uniform(0.5, 1, 3))
    k = m.tensor([0, 2, 1, 2])
    losses = [
        (m.nn.MSELoss(), x, t), (m.nn.MSELoss(reduction="sum"), x, t),
        (m.nn.L1Loss(), x, t), (m.nn.L1Loss(reduction="none"), x, t),
        (m.nn.SmoothL1Loss(), x, t), (m.nn.SmoothL1Loss(reduction="sum", beta=0.5), x, t),
        (m.nn.NLLLoss(), x, k), (m.nn.NLLLoss(weight=w, ignore_index=2, reduction="mean"), x, k),
        (m.nn.CrossEntropyLoss(), x, k), (m.nn.CrossEntropyLoss(w), x, t),
        (m.nn.CrossEntropyLoss(weight=w, ignore_index=1, reduction="sum", label_smoothing=0.1), x, k),
        (m.nn.BCELoss(), x.sigmoid(), t), (m.nn.BCELoss(weight=w, reduction="sum"), x.sigmoid(), t),
        (m.nn.BCEWithLogitsLoss(), x, t),
        (m.nn.BCEWithLogitsLoss(weight=w, reduction="sum", pos_weight=w * 2), x, t),
    ]  # fmt: skip
    return [[loss(*inputs), repr(loss), list(loss.state_dict())] for loss, *inputs in losses]


@replayed
def test_binary_cross_entropy_and_its_first_gradients(m):
    """PyTorch's second gradient is not the derivative of its first: it has 1e-12 at other places."""
    def gradients(loss, *tensors):
        return [loss.detach(), *m.autograd.grad(loss, tensors)]

    x = m.tensor([[0.2, 0.5, 0.7], [0.9, 0.01, 0.4]], dtype=m.float64, requires_grad=True)
    t = m.tensor([[0.0, 0.5, 1.0], [1.0, 0.3, 0.0]], dtype=m.float64, requires_grad=True)
    w = m.tensor([0.5, 1.0, 2.0], dtype=m.float64)
    edges = m.tensor([0.0, 0.0, 1e-30, 1e-20, 1.0, 1.0, 1.0 - 1e-7], requires_grad=True)
    targets = m.tensor([0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0])
    return [
        gradients(m.nn.functional.binary_cross_entropy(x, t), x, t),
        gradients(m.nn.functional.binary_cross_entropy(input=x, target=t, weight=w, reduction="sum"), x, t),
        gradients(m.nn.functional.binary_cross_entropy(edges, targets, reduction="sum"), edges),
        m.nn.functional.binary_cross_entropy(edges, targets, reduction="none"),
    ]


@replayed
def test_in_place_activations(m):
    seen = []
    for function in (
        lambda x: m.nn.functional.relu(x, inplace=True),
        lambda x: m.nn.functional.leaky_relu(x, 0.2, inplace=True),
        lambda x: m.nn.functional.silu(x, inplace=True),
        lambda x: m.nn.functional.dropout(x, 1.0, inplace=True),
        m.nn.ReLU(inplace=True),
        m.nn.SiLU(inplace=True),
        m.nn.LeakyReLU(inplace=True),
        m.nn.Dropout(0.0, inplace=True),
    ):
        w = m.tensor([-1.0, 0.5, 2.0], requires_grad=True)
        x = w * 2
        y = function(x)
        (y * y).sum().backward()
        seen += [y is x, x, w.grad]
    return seen


# --- random numbers ------------------------------------------------------------------------------------------


@replayed
def test_dropout_of_nothing_and_of_all(m):
    x = m.tensor([[1.0, -2.0], [3.0, 4.0]], requires_grad=True)
    return [
        m.nn.functional.dropout(x, p=0.0), m.nn.functional.dropout(x, 1.0, True),
        m.nn.functional.dropout(input=x, p=0.5, training=False, inplace=False),
        m.nn.Dropout(p=1.0)(x), m.nn.Dropout().eval()(x),
    ]  # fmt: skip


def test_dropout_keeps_as_many_as_pytorchs(device: str) -> None:
    for m in (minigrad, torch):
        m.manual_seed(0)
        x = m.ones(200, 500, requires_grad=True)
        y = m.nn.functional.dropout(x, 0.3)
        y.sum().backward()
        values = y.detach().numpy()
        assert np.allclose(np.unique(values), [0.0, 1 / 0.7])
        assert abs((values == 0).mean() - 0.3) < 0.01  # one sigma is 0.0015
        same(minigrad.tensor(x.grad.numpy()), torch.tensor(values))


INITIAL = {
    "conv1d weight": lambda m: m.nn.Conv1d(40, 500, 10, groups=2).weight,
    "conv1d bias": lambda m: m.nn.Conv1d(2, 100_000, 3).bias,
}


@pytest.mark.parametrize("name", INITIAL)
def test_initial_values_are_spread_as_pytorchs(device: str, name: str) -> None:
    torch.manual_seed(0)
    expected = quantiles(INITIAL[name](torch))
    np.testing.assert_allclose(quantiles(INITIAL[name](minigrad)), expected, atol=0.01 * (expected[-1] - expected[0]))


def test_embeddings_are_spread_as_pytorchs(device: str) -> None:
    torch.manual_seed(0)
    ours, theirs = (quantiles(m.nn.Embedding(200, 500).weight)[1:-1] for m in (minigrad, torch))
    np.testing.assert_allclose(ours, theirs, atol=0.03)


# --- pooling and interpolation, of any sizes -----------------------------------------------------------------


@st.composite
def pools(draw: st.DrawFn) -> dict:
    pair = lambda low, high: st.tuples(st.integers(low, high), st.integers(low, high))  # noqa: E731
    kernel = draw(pair(1, 4))
    return {
        "shape": (draw(st.integers(1, 2)), draw(st.integers(1, 2)), *draw(pair(1, 9))),
        "kernel_size": kernel,
        "stride": draw(st.none() | pair(1, 4)),
        "padding": tuple(draw(st.integers(0, size // 2)) for size in kernel),
        "ceil_mode": draw(st.booleans()),
    }


@given(arguments=pools(), dilation=st.integers(1, 2), include=st.booleans(), whole=st.booleans())
@settings(max_examples=60)
def test_pools_of_any_geometry(device: str, arguments: dict, dilation: int, include: bool, whole: bool) -> None:
    """With numbers that are often equal; a geometry that PyTorch refuses, minigrad refuses."""
    options = dict(arguments)
    numbers = np.random.default_rng(0).integers(-2, 3, options.pop("shape")).astype(np.float64)

    def pooled(m):
        x = m.tensor(numbers, requires_grad=True)
        largest = lambda: m.nn.functional.max_pool2d(x, **options, dilation=dilation, return_indices=True)  # noqa: E731
        average = lambda: [m.nn.functional.avg_pool2d(x, **options, count_include_pad=include)]  # noqa: E731
        try:
            y = largest() if whole else average()
        except (ValueError, RuntimeError):
            return ["refused"]
        if np.isinf(y[0].detach().numpy()).any():
            return ["refused"]  # a window meets nothing; PyTorch's gradient would be written outside the image
        dy = np.random.default_rng(1).standard_normal(tuple(y[0].shape))
        return [*y, *m.autograd.grad(y[0], x, m.tensor(dy))]

    same(pooled(minigrad), pooled(torch))


@given(
    shape=st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 20), st.integers(1, 20)),
    new=st.tuples(st.integers(1, 25), st.integers(1, 25)),  # few enough for sums in float32, see replay.TOLERANCE
    scale=st.sampled_from([0.5, 1.0, 1.05, 1.3, 2.0, 2.5, 3.0, 1 / 3]) | st.none(),
)
@settings(max_examples=60)
def test_images_of_any_size(device: str, shape: tuple, new: tuple, scale: float | None) -> None:
    numbers = np.random.default_rng(0).standard_normal(shape).astype(np.float32)

    def resized(m):
        x = m.tensor(numbers, requires_grad=True)
        try:
            y = m.nn.functional.interpolate(x, new if scale is None else None, scale)
        except (ValueError, RuntimeError):
            return "refused"
        pooled = m.nn.functional.adaptive_avg_pool2d(x.double(), new)
        return [y, pooled, *m.autograd.grad((y * y).sum() + (pooled**3).sum(), [x])]

    same(resized(minigrad), resized(torch))
