"""Other spellings that scripts for PyTorch use, and the remedies for what minigrad leaves out."""

import math

import numpy as np
import pytest

import minigrad
from minigrad.absent import INSTEAD

from .replay import replayed, same, torch

pytestmark = pytest.mark.oracle


@replayed
def test_names_of_dtypes(m):
    return [m.float, m.double, m.int, m.long, m.tensor([1, 2], dtype=m.float), m.ones(2).to(m.long)]


@replayed
def test_size_by_name(m):
    sized = [m.zeros(size=(2, 3)), m.ones(size=[2]), m.ones(size=(), dtype=m.int64), m.zeros(size=(2, 0))]
    return [*sized, [f(size=(2, 3)).dim() for f in (m.empty, m.rand, m.randn)]]


@replayed
def test_softmax_without_f(m):
    x = m.tensor([[1.0, 2.0], [3.0, -1.0]], requires_grad=True)
    powers = [m.softmax(x, 1), m.softmax(input=x, dim=0, dtype=m.float64), m.log_softmax(x, -1)]
    return [*powers, m.log_softmax(input=x, dim=0, dtype=m.float64)]


@replayed
def test_short_methods(m):
    x = m.tensor([[1.0, 2.0, 3.0]])
    return [x.t(), x[0].t(), x.t().shape, x.nelement(), m.cumsum(x, axis=1), x.cumsum(axis=-1)]


@replayed
def test_inference_records_nothing(m):
    x = m.ones(2, requires_grad=True)

    @m.inference_mode()
    def double(x):
        return x * 2

    with m.inference_mode():
        return [(x * 2).requires_grad, double(x).requires_grad, m.is_grad_enabled()]


@replayed
def test_grad_with_an_argument_of_old(m):
    x = m.ones(2, requires_grad=True)
    y = (x**3).sum()
    return [m.autograd.grad(y, x, None, True, True, True), m.autograd.grad(outputs=y, inputs=x, only_inputs=True)]


@replayed
def test_parameters_are_shown_as_such(m):
    layer = m.nn.LayerNorm(2)
    shown = [repr(layer.weight), str(m.nn.Parameter(m.zeros(1, 2), requires_grad=False)), f"{layer.bias}"]
    return [text.replace(", device='opencl'", "").replace(", device='reference'", "") for text in shown]


def test_what_has_a_remedy_is_in_pytorch_and_not_in_minigrad() -> None:
    ours = [minigrad, minigrad.nn, minigrad.nn.functional, minigrad.Tensor]
    theirs = [torch, torch.nn, torch.nn.functional, torch.Tensor]
    here = {name for name in INSTEAD for home in ours if name in vars(home)}
    assert here == {"cuda", "log_softmax", "softmax"}  # which some have and others have not
    assert [name for name in INSTEAD if not any(hasattr(home, name) for home in theirs)] == []


REMEDIES = {
    "addmm": (lambda m, x, y: m.addmm(x, x, y), lambda m, x, y: x + x @ y),
    "bincount": (
        lambda m, x, y: m.bincount((x > 0).long()[0]),
        lambda m, x, y: m.nn.functional.one_hot((x > 0).long()[0]).sum(0),
    ),
    "cdist": (lambda m, x, y: m.cdist(x, y), lambda m, x, y: ((x[:, None] - y) ** 2).sum(-1).sqrt()),
    "clip": (lambda m, x, y: m.clip(x, 0, 1), lambda m, x, y: m.clamp(x, 0, 1)),
    "diag of a matrix": (lambda m, x, y: m.diag(x), lambda m, x, y: x[range(3), range(3)]),
    "diag of a vector": (lambda m, x, y: m.diag(x[0]), lambda m, x, y: x[0] * m.eye(3)),
    "hstack": (lambda m, x, y: m.hstack([x, y]), lambda m, x, y: m.cat([x, y], dim=1)),
    "log10": (lambda m, x, y: x.abs().log10(), lambda m, x, y: x.abs().log() / math.log(10)),
    "normalize": (lambda m, x, y: m.nn.functional.normalize(x), lambda m, x, y: x / x.norm(dim=1, keepdim=True)),
    "roll": (lambda m, x, y: m.roll(x, 2, 0), lambda m, x, y: m.cat([x[-2:], x[:-2]])),
    "rsqrt": (lambda m, x, y: m.rsqrt(x.abs()), lambda m, x, y: x.abs() ** -0.5),
    "sort": (lambda m, x, y: m.sort(x[0])[0], lambda m, x, y: x[0][np.argsort(x[0].numpy(force=True))]),
    "tan": (lambda m, x, y: m.tan(x), lambda m, x, y: x.sin() / x.cos()),
    "tril": (lambda m, x, y: m.tril(x), lambda m, x, y: x * (m.arange(3)[:, None] >= m.arange(3))),
    "triu": (lambda m, x, y: m.triu(x), lambda m, x, y: x * (m.arange(3)[:, None] <= m.arange(3))),
    "vstack": (lambda m, x, y: m.vstack([x, y]), lambda m, x, y: m.cat([x, y], dim=0)),
}  # fmt: skip


@pytest.mark.parametrize("name", REMEDIES)
def test_a_remedy_does_what_pytorch_does(device: str, rng: np.random.Generator, name: str) -> None:
    arrays = [rng.standard_normal((3, 3)).astype(np.float32) for _ in range(2)]
    theirs, ours = REMEDIES[name]
    same(ours(minigrad, *map(minigrad.tensor, arrays)), theirs(torch, *map(torch.tensor, arrays)))


def test_the_remedy_for_multinomial_draws_as_often_as_it_should(device: str) -> None:
    p = minigrad.tensor([[0.5, 0.25, 0.25], [0.0, 0.0, 1.0]])
    draws = [(p.cumsum(-1)[..., :-1] < minigrad.rand(len(p), 1)).sum(-1, keepdim=True) for _ in range(400)]
    counts = minigrad.nn.functional.one_hot(minigrad.cat(draws, 1), 3).sum(1) / 400
    np.testing.assert_allclose(counts.numpy(), p.numpy(), atol=0.08)
