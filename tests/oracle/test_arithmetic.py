"""First derivatives where there is a choice, and where PyTorch's second ones are not finite."""

import pytest

from .replay import replayed

pytestmark = pytest.mark.oracle

INF = float("inf")


def gradients(m, functions, values):
    x = m.tensor(values, dtype=m.float64, requires_grad=True)
    return [m.autograd.grad(function(x).sum(), x)[0] for function in functions]


@replayed
def test_norms_at_zero(m):
    norms = [lambda x, p=p: x.norm(p, 1) for p in (0.5, 1, 1.5, 2, 3, INF, -INF)]
    return gradients(m, norms, [[0.0, 0.0], [0.0, 2.0], [3.0, -3.0]])


@replayed
def test_deviations_at_zero(m):
    return gradients(m, [lambda x: x.std(1), lambda x: x.var(1)], [[1.0, 1.0], [0.0, 2.0]])


@replayed
def test_products_of_zeros(m):
    return gradients(m, [lambda x: x.prod(0), lambda x: x.prod(1)], [[0.0, 0.0, 1.0], [0.0, 2.0, 3.0], [1.0, 2.0, 3.0]])


@replayed
def test_bounds(m):
    bounds = [lambda x: x.clamp(0, 1), lambda x: x.clamp(min=1), lambda x: x.clamp(max=0), lambda x: x.clamp(3, 2)]
    return gradients(m, bounds, [-1.0, -0.0, 0.0, 1.0, 1.5, INF, -INF, float("nan")])


@replayed
def test_roots_of_signed_zeros(m):
    return gradients(m, [lambda x: x.sqrt(), lambda x: x.reciprocal()], [0.0, -0.0, INF, 4.0])


@replayed
def test_in_place(m):
    x, k = m.tensor([7.0, -7.0]), m.tensor([5, -6])
    x.add_(m.tensor([1.0, 2.0], dtype=m.float64), alpha=2)
    x.sub_(m.tensor([1, 2]), alpha=-1)
    k &= 7
    k |= m.tensor([8, 1])
    return [x, k, x.clone().div_(2, rounding_mode="floor"), k.clone().div_(2, rounding_mode="trunc")]
