"""Optimizers against their formulas, written out once more in NumPy's float64; their groups, states and schedules."""

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


# --- Adam ----------------------------------------------------------------------------------------------------


def adam_by_hand(
    p: np.ndarray,
    gradients: list[np.ndarray],
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    amsgrad: bool = False,
    maximize: bool = False,
    decoupled: bool = False,
) -> list[np.ndarray]:
    """The parameter after each step, as the papers write it."""
    path, m, v, largest = [], 0.0, 0.0, 0.0
    for t, gradient in enumerate(gradients, start=1):
        g = -gradient if maximize else gradient
        if decoupled:
            p = p - lr * weight_decay * p
        else:
            g = g + weight_decay * p
        m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g**2
        largest = np.maximum(largest, v)
        unbiased = (largest if amsgrad else v) / (1 - betas[1] ** t)
        p = p - lr * m / (1 - betas[0] ** t) / (np.sqrt(unbiased) + eps)
        path.append(p)
    return path


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lr": 0.1, "weight_decay": 0.5},
        {"lr": 0.1, "betas": (0.5, 0.6), "eps": 1e-3},
        {"lr": 0.1, "amsgrad": True, "betas": (0.9, 0.5)},
        {"lr": 0.1, "maximize": True, "weight_decay": 0.1, "amsgrad": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [optim.Adam, optim.AdamW])
def test_adam(kind: type, options: dict, dtype: str, tolerance: float, device: str, rng: np.random.Generator) -> None:
    start, gradients = rng.standard_normal((2, 3)), rng.standard_normal((20, 2, 3))
    p = minigrad.tensor(start, dtype=dtype, requires_grad=True)
    optimizer = kind([p], **options)
    decoupled = kind is optim.AdamW
    decay = {"weight_decay": options.get("weight_decay", 0.01 if decoupled else 0.0)}
    expected = adam_by_hand(start, list(gradients), **{**options, **decay}, decoupled=decoupled)
    for gradient, values in zip(gradients, expected, strict=True):
        p.grad = minigrad.tensor(gradient, dtype=dtype)
        optimizer.step()
        np.testing.assert_allclose(p.tolist(), values, rtol=tolerance, atol=tolerance)
        assert p.grad.tolist() == gradient.astype(dtype).tolist()


# --- groups, closures, states --------------------------------------------------------------------------------


def two(device: str | None = None) -> list[Tensor]:
    return [minigrad.ones(2, requires_grad=True, device=device), minigrad.ones(3, requires_grad=True, device=device)]


def three() -> list[Tensor]:
    return [*two(), minigrad.ones((), requires_grad=True)]


def stepped() -> list[Tensor]:
    params = two()
    params[0].grad = minigrad.ones(2)
    return params


def test_groups_have_options_of_their_own_and_the_defaults(device: str) -> None:
    x, y = two()
    optimizer = optim.SGD([{"params": [x], "lr": 1.0}, {"params": y, "name": "second"}], lr=0.5, momentum=0.25)
    optimizer.add_param_group({"params": [z := minigrad.ones(1, requires_grad=True)], "momentum": 0})
    options = [(group["lr"], group["momentum"]) for group in optimizer.param_groups]
    assert options == [(1.0, 0.25), (0.5, 0.25), (0.5, 0)]
    assert optimizer.param_groups[1]["name"] == "second"
    (x.sum() + y.sum() + z.sum()).backward()
    optimizer.step()
    optimizer.step()
    assert (x[0].item(), y[0].item(), z.item()) == (1 - 2.25, 1 - 0.5 * 2.25, 0.0)
    assert set(optimizer.state) == {x, y, z}
    optimizer.zero_grad(set_to_none=False)
    assert x.grad.tolist() == [0.0, 0.0]
    optimizer.zero_grad()
    assert x.grad is y.grad is None


def test_a_closure_computes_the_loss_with_recording(device: str) -> None:
    p = minigrad.ones(2, requires_grad=True)
    optimizer = optim.SGD([p], lr=0.5)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with minigrad.no_grad():
        assert optimizer.step(closure).item() == 2.0
    assert p.tolist() == [0.0, 0.0]
    assert optimizer.step() is None


def test_frozen_parameters_stay_and_a_recorded_gradient_leaves_no_graph_behind(device: str) -> None:
    p, frozen = minigrad.ones(1, requires_grad=True), minigrad.ones(1)
    optimizer = optim.SGD([p, frozen], lr=0.5, momentum=0.5)
    (p**3).sum().backward(create_graph=True)
    assert p.grad.requires_grad
    optimizer.step()
    assert (p.item(), frozen.item()) == (-0.5, 1.0)
    assert not optimizer.state[p]["momentum_buffer"].requires_grad


MAKERS = {
    "SGD": lambda params: optim.SGD(params, lr=0.1, momentum=0.9),
    "Adam": lambda params: optim.Adam(params, lr=0.1, amsgrad=True),
    "AdamW, in groups": lambda params: optim.AdamW([{"params": params[:1], "lr": 0.2}, {"params": params[1:]}]),
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_loaded_state_goes_on_to_the_same_bits(name: str, device: str) -> None:
    def steps(params: list[Tensor], optimizer: optim.Optimizer, numbers: range) -> list[list[float]]:
        for k in numbers:
            optimizer.zero_grad()
            sum((((p - k) ** 2).sum() for p in params), start=minigrad.zeros(())).backward()
            optimizer.step()
        return [p.tolist() for p in params]

    params = three()
    optimizer = MAKERS[name](params)
    steps(params, optimizer, range(3))
    copies = [minigrad.tensor(p, requires_grad=True) for p in params]
    resumed = MAKERS[name](copies)
    state = optimizer.state_dict()
    resumed.load_state_dict(state)
    for before, after in zip(state["state"].values(), resumed.state_dict()["state"].values(), strict=True):
        assert {key: type(value) for key, value in before.items()} == {key: type(value) for key, value in after.items()}
    expected = steps(params, optimizer, range(3, 6))
    assert steps(copies, resumed, range(3, 6)) == expected  # and stepping the one has not changed the other


def test_a_state_takes_the_device_and_dtype_of_the_parameters(device: str) -> None:
    first = optim.Adam([minigrad.ones(2, requires_grad=True, device="reference")])
    first.param_groups[0]["params"][0].grad = minigrad.ones(2, device="reference")
    first.step()
    p = minigrad.ones(2, dtype="float64", requires_grad=True)
    second = optim.Adam([p], lr=5.0)
    second.load_state_dict(first.state_dict())
    assert second.param_groups[0]["lr"] == 1e-3
    assert second.state[p]["step"] == 1
    mean = second.state[p]["exp_avg"]
    assert (mean.dtype, mean.device.name) == (minigrad.float64, device)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (lambda: two()[:1], r"the state has groups of \[2\] parameters, this optimizer of \[1\]"),
        (lambda: [{"params": p} for p in two()], r"groups of \[2\] parameters, this optimizer of \[1, 1\]"),
        (lambda: two()[::-1], r"exp_avg of parameter 0 has shape \(2,\), the parameter \(3,\)"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(params, message: str) -> None:
    saved = optim.Adam(two())
    for p in saved.param_groups[0]["params"]:
        p.grad = p.detach()
    saved.step()
    optimizer = optim.Adam(params(), lr=0.5)
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(saved.state_dict())
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert not optimizer.state


def test_repr_names_the_options() -> None:
    assert "lr: 0.5\n    maximize: False\n    momentum: 0.0" in repr(optim.SGD(two(), lr=0.5))


# --- schedules -----------------------------------------------------------------------------------------------

SCHEDULES = {
    "StepLR": (lambda o: optim.lr_scheduler.StepLR(o, 2, 0.5), [8, 8, 4, 4, 2, 2]),
    "LambdaLR": (lambda o: optim.lr_scheduler.LambdaLR(o, lambda epoch: 1 / (epoch + 1)), [8, 4, 8 / 3, 2, 1.6, 8 / 6]),
    "CosineAnnealingLR": (
        lambda o: optim.lr_scheduler.CosineAnnealingLR(o, 4, 2.0),
        [2 + 3 * (1 + np.cos(np.pi * epoch / 4)) for epoch in range(12)],
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name: str) -> None:
    make, expected = SCHEDULES[name]
    optimizer = optim.SGD(two(), lr=8.0)
    schedule, seen = make(optimizer), []
    for _ in expected:
        assert schedule.get_last_lr() == [optimizer.param_groups[0]["lr"]]
        seen += schedule.get_last_lr()
        schedule.step()
    assert seen == pytest.approx(expected)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_goes_on_from_its_state(name: str) -> None:
    first = optim.SGD(two(), lr=8.0)
    schedule = SCHEDULES[name][0](first)
    schedule.step()
    second = optim.SGD(two(), lr=1.0)
    resumed = SCHEDULES[name][0](second)
    resumed.load_state_dict(schedule.state_dict())
    second.load_state_dict(first.state_dict())
    for _ in range(5):
        schedule.step()
        resumed.step()
        assert resumed.last_epoch == schedule.last_epoch
        assert resumed.get_last_lr() == schedule.get_last_lr()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda o: optim.lr_scheduler.StepLR([1], 2), TypeError, r"StepLR: needs an optimizer, got list"),
        (lambda o: optim.lr_scheduler.StepLR(o, 2, last_epoch=3), KeyError, r"param_groups\[0\] has no 'initial_lr'"),
        (lambda o: optim.lr_scheduler.LambdaLR(o, [abs, abs]), ValueError, r"2 functions for 1 groups"),
        (lambda o: optim.lr_scheduler.LRScheduler(o), NotImplementedError, r"LRScheduler must define get_lr"),
        (lambda o: optim.Optimizer(stepped(), {}).step(), NotImplementedError, r"Optimizer must define step"),
    ],
)
def test_refused(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(optim.SGD(two(), lr=0.1))


# --- bad options ---------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -0.1}, r"AdamW: lr=-0.1 must not be negative"),
        ({"eps": -1e-8}, r"AdamW: eps=-1e-08 must not be negative"),
        ({"betas": (0.9, 1.0)}, r"AdamW: betas=\(0.9, 1.0\) must be two numbers in \[0, 1\)"),
        ({"betas": (0.9,)}, r"AdamW: betas=\(0.9,\) must be two numbers"),
    ],
)
def test_bad_options_of_adam(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        optim.AdamW(two(), **options)
    with pytest.raises(ValueError, match=message):
        optim.AdamW([{"params": two(), **options}])


def plain() -> Tensor:
    return minigrad.ones(2)


def result() -> Tensor:
    return minigrad.ones(2, requires_grad=True) * 2


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (list, r"SGD: params is empty; pass model\.parameters\(\) .* nn\.ModuleList"),
        (lambda: iter(()), r"SGD: params is empty"),
        (lambda: [nn.Parameter(plain()), result()], r"params\[1\] must be a leaf tensor, got tensor"),
        (lambda: [np.ones(2)], r"params\[0\] must be a leaf tensor, got array"),
        (lambda: [p := plain(), p], r"params\[1\] of shape \(2,\) is there twice"),
        (lambda: [{"params": [p := plain()]}, {"params": p}], r"params\[0\] of shape \(2,\) is there twice"),
        (lambda: minigrad.ones(2, requires_grad=True), r"params\[0\] must be a leaf tensor"),  # a tensor is no list
    ],
)
def test_bad_params(params, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        optim.SGD(params(), lr=0.1)


def test_a_model_is_no_list_of_parameters() -> None:
    with pytest.raises(TypeError, match=r"SGD: params must be .*, got Linear; pass model\.parameters\(\)"):
        optim.SGD(nn.Linear(1, 1), lr=0.1)
