"""SGD against its formulas, written out once more in NumPy's float64."""

import numpy as np
import pytest

import minigrad
from minigrad import Tensor, nn, optim


def steps_by_hand(
    p: np.ndarray,
    gradients: list[np.ndarray],
    lr: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
) -> list[np.ndarray]:
    """The parameter after each step."""
    path, b = [], None
    for gradient in gradients:
        g = gradient + weight_decay * p
        if momentum:
            b = g if b is None else momentum * b + (1 - dampening) * g
            g = g + momentum * b if nesterov else b
        p = p - lr * g
        path.append(p)
    return path


OPTIONS = [
    {"lr": 0.1},
    {"lr": 0.0},
    {"lr": 0.1, "weight_decay": 0.5},
    {"lr": 0.1, "momentum": 0.9},
    {"lr": 0.1, "momentum": 0.9, "dampening": 0.5},
    {"lr": 0.1, "momentum": 0.9, "nesterov": True},
    {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01, "dampening": 0.1},
    {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.5, "nesterov": True},
]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-13)])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_sgd(options: dict, dtype: str, tolerance: float, device: str, rng: np.random.Generator) -> None:
    start, gradients = rng.standard_normal((2, 3)), rng.standard_normal((5, 2, 3))
    p = minigrad.tensor(start, dtype=dtype, requires_grad=True)
    optimizer = optim.SGD([p], **options)
    for gradient, expected in zip(gradients, steps_by_hand(start, list(gradients), **options), strict=True):
        optimizer.zero_grad()
        (p * minigrad.tensor(gradient, dtype=dtype)).sum().backward()
        before = p.grad.tolist()
        optimizer.step()
        np.testing.assert_allclose(p.tolist(), expected, rtol=tolerance)
        assert p.grad.tolist() == before  # the gradient itself is not touched
        assert p.is_leaf
        assert p.requires_grad
        assert p.dtype == dtype


def test_parameters_have_momenta_of_their_own_and_those_without_gradient_stay(device: str) -> None:
    used, unused = minigrad.ones(1, requires_grad=True), minigrad.ones(1, requires_grad=True)
    optimizer = optim.SGD([used, unused], lr=1.0, momentum=0.5)
    (used * 1).sum().backward()
    optimizer.step()
    assert (used.item(), unused.item()) == (0.0, 1.0)
    optimizer.zero_grad()
    assert used.grad is None
    (unused * 1).sum().backward()
    optimizer.step()
    assert (used.item(), unused.item()) == (0.0, 0.0)  # no gradient, no step, whatever the momentum


def test_the_learning_rate_may_change_on_the_way(device: str) -> None:
    p = minigrad.ones(1, requires_grad=True)
    optimizer = optim.SGD([p], lr=1.0)
    (p * 1).sum().backward()
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.25
    optimizer.step()
    assert p.item() == -0.25


def test_a_layer_learns(device: str) -> None:
    layer = nn.Linear(2, 1)
    x = minigrad.randn(20, 2)
    target = x @ minigrad.tensor([[2.0], [-1.0]]) + 0.5
    optimizer = optim.SGD(layer.parameters(), lr=0.2, momentum=0.5)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.mse_loss(layer(x), target).backward()
        optimizer.step()
    np.testing.assert_allclose(layer.weight.tolist(), [[2.0, -1.0]], atol=1e-3)
    np.testing.assert_allclose(layer.bias.tolist(), [0.5], atol=1e-3)


def test_a_step_taken_before_backward_is_noticed(device: str) -> None:
    p = minigrad.ones(1, requires_grad=True)
    optimizer = optim.SGD([p], lr=1.0)
    loss = (p * p).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(RuntimeError, match="written in place"):
        loss.backward()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -0.1}, r"SGD: lr=-0.1 must not be negative"),
        ({"lr": float("nan")}, r"SGD: lr=nan"),
        ({"momentum": -1}, r"SGD: momentum=-1 must not be negative"),
        ({"weight_decay": -1.0}, r"SGD: weight_decay=-1.0 must not be negative"),
        ({"nesterov": True}, r"nesterov needs momentum > 0 and dampening = 0, got 0.0 and 0.0"),
        ({"nesterov": True, "momentum": 0.9, "dampening": 0.1}, r"nesterov needs .* got 0.9 and 0.1"),
    ],
)
def test_bad_options(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        optim.SGD([minigrad.ones(1, requires_grad=True)], **options)


def plain() -> Tensor:
    return minigrad.ones(2)


def result() -> Tensor:
    return minigrad.ones(2, requires_grad=True) * 2


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (list, r"SGD: params is empty; pass model\.parameters\(\)"),
        (lambda: iter(()), r"SGD: params is empty"),
        (lambda: [plain()], r"params\[0\] must be a leaf tensor that requires grad, got tensor"),
        (lambda: [nn.Parameter(plain()), result()], r"params\[1\] must be a leaf tensor that requires grad"),
        (lambda: [np.ones(2)], r"params\[0\] must be a leaf tensor .* got array"),
        (lambda: minigrad.ones(2, requires_grad=True), r"params\[0\] must be a leaf tensor"),  # a tensor is no list
    ],
)
def test_bad_params(params, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        optim.SGD(params(), lr=0.1)
