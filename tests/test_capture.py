"""A captured step gives the bits of the step itself, follows what may change, and refuses what it could not follow."""

import threading
from collections.abc import Callable

import pytest

import minigrad
from minigrad import nn, optim
from minigrad.nn import functional as F
from minigrad.tensor import Tensor

Step = Callable[..., Tensor]


def training(model: nn.Module, optimizer: optim.Optimizer, loss: Step) -> Step:
    def step(*inputs: Tensor) -> Tensor:
        value = loss(model, *inputs)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value

    return step


def squares(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return ((model(x) - y) ** 2).sum()


def edge_kernel(device: str, **options: float) -> tuple[nn.Module, Step]:
    minigrad.manual_seed(0)
    layer = nn.Conv2d(1, 1, kernel_size=(1, 2), bias=False, device=device)
    return layer, training(layer, optim.SGD(layer.parameters(), lr=0.03, **options), squares)


def images(device: str, seed: int = 1) -> tuple[Tensor, Tensor]:
    minigrad.manual_seed(seed)
    return minigrad.rand(1, 1, 6, 8).to(device), minigrad.rand(1, 1, 6, 7).to(device)


def course(model: nn.Module, step: Step, batches: list[tuple[Tensor, ...]]) -> list[object]:
    """All that steps leave: losses, parameters, gradients."""
    left: list[object] = []
    for batch in batches:
        loss = step(*batch).item()
        left.append((loss, [(p.tolist(), None if p.grad is None else p.grad.tolist()) for p in model.parameters()]))
    return left


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}])
def test_the_edge_kernel_to_the_last_bit(device: str, options: dict) -> None:
    batches = [images(device, seed) for seed in (1, 2, 3, 1, 2, 3, 4, 5)]
    model, step = edge_kernel(device, **options)
    expected = course(model, step, batches)
    model, step = edge_kernel(device, **options)
    assert course(model, minigrad.capture(step, model.parameters()), batches) == expected


def network(device: str) -> tuple[nn.Module, Step]:
    minigrad.manual_seed(0)
    layers = [nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 4, 3), nn.Sigmoid(), nn.Flatten()]
    model = nn.Sequential(*layers, nn.Linear(8, 5), nn.Tanh(), nn.Linear(5, 2)).to(device)
    return model, training(model, optim.SGD(model.parameters(), lr=0.1), lambda model, x, y: F.mse_loss(model(x), y))


def test_a_network_whose_masks_and_maxima_change(device: str) -> None:
    minigrad.manual_seed(3)
    batches = [(minigrad.randn(4, 1, 6, 8).to(device), minigrad.randn(4, 2).to(device)) for _ in range(6)]
    model, step = network(device)
    expected = course(model, step, batches)
    model, step = network(device)
    assert course(model, minigrad.capture(step, model.parameters()), batches) == expected


def test_it_runs_the_step_until_two_agree_and_then_no_more() -> None:
    model, step = edge_kernel("cpu")
    runs = []
    captured = minigrad.capture(lambda *batch: runs.append(1) or step(*batch), model.parameters())
    for _ in range(5):
        loss = captured(*images("cpu"))
        assert loss.is_leaf
        assert not loss.requires_grad
    assert len(runs) == 2


def test_it_follows_memory_that_is_written_and_parameters_that_are_replaced() -> None:
    x, y = images("cpu")
    model, step = edge_kernel("cpu")
    captured = minigrad.capture(lambda: step(x, y), model.parameters())
    other, by_hand = edge_kernel("cpu")
    for k in range(6):
        assert captured().item() == by_hand(x, y).item()
        x[0, 0, 0, k] = 3.0
        if k == 3:
            for layer in (model, other):
                layer.weight.data = minigrad.ones(1, 1, 1, 2)
    assert model.weight.tolist() == other.weight.tolist()


def test_a_replay_counts_as_a_write() -> None:
    model, step = edge_kernel("cpu")
    captured = minigrad.capture(step, model.parameters())
    for _ in range(3):
        captured(*images("cpu"))
    product = (model.weight * model.weight).sum()
    captured(*images("cpu"))
    with pytest.raises(RuntimeError, match="written in place"):
        product.backward()


def test_results_are_new_each_time() -> None:
    model, step = edge_kernel("cpu")
    captured = minigrad.capture(step, model.parameters())
    losses = [captured(*images("cpu", seed)) for seed in range(5)]
    gradient = model.weight.grad
    values, before = [loss.item() for loss in losses], gradient.tolist()
    captured(*images("cpu", 7))
    assert [loss.item() for loss in losses] == values
    assert len(set(values)) == 5
    assert gradient.tolist() == before


def test_constants_made_within_are_kept_and_written_ones_made_anew() -> None:
    w = minigrad.ones(3, requires_grad=True)

    def step() -> Tensor:
        total = minigrad.zeros(3) + minigrad.tensor([1.0, 2.0, 3.0])
        total += 1
        loss = (minigrad.cat([w, total]) * 2).sum()
        w.grad = None
        loss.backward()
        return loss

    captured = minigrad.capture(step, [w])
    assert [captured().item() for _ in range(4)] == [24.0] * 4
    assert w.grad.tolist() == [2, 2, 2]


def refusals() -> dict[str, tuple[Callable[[Tensor], Tensor], str]]:
    steps = iter(range(100))
    data = minigrad.ones(2)

    def adds_up(w: Tensor) -> Tensor:
        (loss := (w * w).sum()).backward()
        return loss

    def writes_data(w: Tensor) -> Tensor:
        made = minigrad.tensor([0.0, 0.0])
        made += 1
        return (w * made).sum()

    return {
        "a counter": (lambda w: (w * next(steps)).sum(), "no two steps in a row were the same"),
        "random numbers": (lambda w: (w * minigrad.rand(2)).sum(), "no two steps in a row were the same"),
        "a longer way": (lambda w: sum([w.sum() for _ in range(next(steps))], w.sum()), "no two steps in a row"),
        "a value that is read": (lambda w: w.sum() * w.sum().item(), "reads values"),
        "a branch": (lambda w: w.sum() if w.sum() > 0 else -w.sum(), "reads values"),
        "a print": (lambda w: (repr(w), w.sum())[1], "reads values"),
        "an index tensor": (lambda w: w[minigrad.tensor([0, 1])].sum(), "reads values"),
        "no tensor": (lambda w: 3.0, "must return a tensor"),
        "a tensor from elsewhere": (lambda w: data, "must return a tensor"),
        "no zero_grad": (adds_up, "adds to the .grad it finds"),
        "data that is written": (writes_data, "makes of data"),
        "a capture within": (lambda w: minigrad.capture(lambda: w.sum(), [w])(), "being recorded"),
    }


@pytest.mark.parametrize("name", refusals())
def test_what_it_refuses(name: str) -> None:
    compute, message = refusals()[name]
    w = minigrad.ones(2, requires_grad=True)
    captured = minigrad.capture(lambda: compute(w), [w])
    with pytest.raises(RuntimeError, match=message):
        [captured() for _ in range(5)]
    assert minigrad.capture(lambda: w.sum(), [w])().item() == 2  # and the device is as before


def test_arguments_that_are_not_as_recorded() -> None:
    model, step = edge_kernel("cpu")
    captured = minigrad.capture(step, model.parameters())
    x, y = images("cpu")
    for _ in range(3):
        captured(x, y)
    for wrong in [(x,), (x, y, y), (x[..., 1:], y), (x, y.double()), (x.to("reference"), y)]:
        with pytest.raises(ValueError, match="Capture it anew"):
            captured(*wrong)
    with pytest.raises(ValueError, match="same tensor"):
        minigrad.capture(step, model.parameters())(x, x)
    with pytest.raises(ValueError, match="parameters is empty"):
        minigrad.capture(step, iter([]))


def test_other_threads_compute_meanwhile_and_replay_together() -> None:
    w = minigrad.ones(2, requires_grad=True)
    inside, done = threading.Event(), threading.Event()
    results: list[float] = []

    def other() -> None:
        inside.wait(10)
        results.append((minigrad.ones(3) * 5).sum().item())  # .item() is no matter of the capture
        with pytest.raises(RuntimeError, match="one at a time"):
            minigrad.capture(lambda: w.sum(), [w])()
        done.set()

    def step() -> Tensor:
        inside.set()
        done.wait(10)
        return (w * 3).sum()

    thread = threading.Thread(target=other)
    thread.start()
    captured = minigrad.capture(step, [w])
    assert [captured().item() for _ in range(3)] == [6, 6, 6]
    thread.join()
    assert results == [15]
    threads = [threading.Thread(target=lambda: results.append(captured().item())) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert results == [15, *[6] * 8]
