"""Making, splitting, repeating, gathering, comparing, converting and showing tensors; see cases.py."""

import copy
import pickle

import numpy as np

from .cases import INF, MASK, NAN, SPECIAL, bools, floats, ints, normal

PLACES = ints([0, 2], [1, 1])
NANS = floats(NAN, 1.0, INF)

LIKE = [
    (lambda m, x: [m.zeros_like(x), m.ones_like(x), m.full_like(x, 7), m.full_like(x, 0.5)], normal(2, 3)),
    (lambda m, k: [m.zeros_like(k), m.full_like(k, 0.5), m.full_like(k, True), m.empty_like(k).dtype], PLACES),
    (lambda m, b: [m.ones_like(b), m.full_like(b, 3), m.empty_like(b).shape, m.empty_like(input=b).dtype], MASK),
    (lambda m, x: [f(x, dtype=m.int32, requires_grad=False) for f in (m.zeros_like, m.ones_like)], normal(2)),
    (lambda m, x: [f(x, dtype=m.float64, requires_grad=True) for f in (m.zeros_like, m.ones_like)], normal(2)),
    (lambda m, x: m.full_like(x, fill_value=2, dtype=m.float64, requires_grad=True), normal(2)),
    (lambda m, x: m.ones_like(x, dtype=m.float64, requires_grad=True), normal(2)),
    (lambda m, k: [m.zeros_like(k, dtype=m.float32, requires_grad=True), m.ones_like(k, dtype=m.bool)], PLACES),
    (lambda m, k: m.empty_like(k, dtype=m.float32, requires_grad=True).requires_grad, PLACES),
    (lambda m, x: [x.new_zeros(2, 1), x.new_ones((2,)), x.new_full((2,), 7.5), x.new_empty(3, 2).shape], normal(2)),
    (lambda m, k: [k.new_zeros(2, dtype=m.float64, requires_grad=True), k.new_full((2,), 3.5)], PLACES),
    (lambda m, k: [k.new_ones((2,), dtype=m.float32, requires_grad=True), k.new_empty((2, 0), dtype=m.bool)], PLACES),
    (lambda m, x: [x.new_full(size=(2,), fill_value=3, dtype=m.int64), x.new_full((2,), 3, requires_grad=True)],
     normal(2)),
    (lambda m, x: x.new_empty((0, 2), requires_grad=True), normal(2)),
    (lambda m, x: [t.shape for t in (m.rand_like(x), m.randn_like(x), m.randint_like(x, 5))], normal(2, 3)),
    (lambda m, x: [t.dtype for t in (m.rand_like(x), m.randn_like(x), m.randint_like(x, 2, 5))], normal(2, 3)),
    (lambda m, k: [m.rand_like(k, dtype=m.float64, requires_grad=True).dtype, m.randint_like(k, low=5, high=6)],
     PLACES),
    (lambda m, k: m.randn_like(k, dtype=m.float64, requires_grad=True).requires_grad, PLACES),
    (lambda m, k: m.randint_like(k, 5, 6, dtype=m.float64, requires_grad=True), PLACES),
]

CREATION = [
    (lambda m: [m.as_tensor([1, 2.5]), m.as_tensor(3), m.as_tensor(np.ones(2)), m.as_tensor([[True]])],),
    (lambda m: [m.as_tensor([1, 2], dtype=m.float64), m.as_tensor(np.ones(2), dtype=m.float32)],),
    (lambda m, x: [m.as_tensor(x) is x, m.as_tensor(x, dtype=x.dtype) is x, m.as_tensor(data=x * 2) + x], normal(3)),
    (lambda m, x: m.as_tensor(x, dtype=m.float64) * 2, normal(3)),
    (lambda m: [m.empty(2, 3).shape, m.empty((2,)).dtype, m.empty(0, dtype=m.int64), m.empty(0, requires_grad=True)],),
    (lambda m: [m.linspace(0, 1, 5), m.linspace(2, -3.5, 4), m.linspace(0, 1, 1), m.linspace(0, 1, 0)],),
    (lambda m: [m.linspace(-3, 10, steps=6, dtype=m.int64), m.linspace(start=1, end=2, steps=3, dtype=m.float64)],),
    (lambda m: [m.linspace(0, 1, 2, requires_grad=True), m.linspace(m.tensor(0.0), 10, 11)],),
    (lambda m: [m.full(size=(2,), fill_value=7), m.full((), 1.5), m.full((2, 0), False)],),
    (lambda m: [t.shape for t in (m.randint(10, (2, 3)), m.randint(3, 10, (2,)), m.randint(high=9, size=(0,)))],),
    (lambda m: [m.randint(5, 6, (2, 2)), m.randint(low=-3, high=-2, size=(2,)), m.randint(1, size=(2,))],),
    (lambda m: [m.randint(1, 2, (2,), dtype=t) for t in (m.uint8, m.int32, m.float32, m.bool)],),
    (lambda m: [m.randint(5, 6, (2,), dtype=m.float64, requires_grad=True), m.randint(255, 256, (1,), dtype=m.uint8)],),
    (lambda m: [m.randperm(5).dtype, m.randperm(1), m.randperm(0), m.randperm(n=1, dtype=m.float32)],),
    (lambda m: [sorted(m.randperm(9).tolist()), m.randperm(1, dtype=m.float64, requires_grad=True)],),
    (lambda m: [t.shape for t in (m.normal(0, 1, (2, 3)), m.normal(mean=0.0, std=1.0, size=(2,)))],),
    (lambda m: [m.normal(2, 0, (2,)), m.normal(2.5, 0.0, (2,), dtype=m.float64, requires_grad=True)],),
    (lambda m, x: [m.normal(x.detach(), 0), m.normal(x.detach(), 0 * x.detach()), m.normal(2, 0 * x.detach())],
     normal(2, 3)),
    (lambda m, x, s: m.normal(x.detach(), s.detach()).shape, normal(2, 1), np.ones(3)),
    (lambda m: m.normal(2.0, 0.0, (2,), generator=m.Generator().manual_seed(3)),),
    (lambda m: m.randint(5, 6, (2,), generator=m.Generator().manual_seed(3)),),
    (lambda m: m.randperm(1, generator=m.Generator().manual_seed(3)),),
    (lambda m, x: [m.normal(x.detach()).dtype, m.normal(x.detach()).requires_grad], normal(2)),
]

MOVING = [
    (lambda m, x: m.split(x, 2), normal(5, 2)),
    (lambda m, x: m.split(x, [1, 0, 3], dim=1), normal(2, 4)),
    (lambda m, x: x.split((3, 2), -2), normal(5, 2)),
    (lambda m, x: [*x.split(7), *x[:0].split(2), *x[:0].split(0)], normal(5, 2)),
    (lambda m, x: m.split(x, split_size_or_sections=3, dim=-1)[1] ** 2, normal(2, 4)),
    (lambda m, x: m.chunk(x, 2), normal(5, 2)),
    (lambda m, x: [len(x.chunk(chunks, 1)) for chunks in range(1, 8)], normal(2, 6)),
    (lambda m, x: [*m.chunk(x, chunks=3, dim=1), *x[:0].chunk(3)], normal(2, 7)),
    (lambda m, x: m.unbind(x), normal(3, 2)),
    (lambda m, x: [*x.unbind(-1), *m.unbind(x, dim=1), *x[:0].unbind()], normal(3, 2)),
    (lambda m, x: [m.narrow(x, 1, 1, 2), x.narrow(0, -2, 2), x.narrow(-1, 4, 0)], normal(3, 4)),
    (lambda m, x: m.narrow(x, dim=0, start=m.tensor(1), length=1), normal(3, 2)),
    (lambda m, x: [m.select(x, 1, -1), x.select(0, 2), m.select(x, dim=-2, index=0)], normal(3, 4)),
    (lambda m, x: [x.repeat(2, 1), x.repeat((1, 2)), x.repeat(2, 1, 3), x.repeat(0, 2), x.repeat(1, 1)], normal(2, 3)),
    (lambda m, x: [x.repeat(3), x.repeat(2, 2)], normal()),
    (lambda m, x: x.repeat(2, 3) ** 2, normal(2, 1)),
    (lambda m, x: [x.squeeze((0, 2)), x.squeeze((0, 1)), m.squeeze(x, [-1]), x.squeeze(())], normal(1, 3, 1)),
    (lambda m, x, y: [x.view_as(y), x.reshape_as(y), x.T.reshape_as(y)], normal(2, 3), normal(6)),
    (lambda m, x, y: x.expand_as(y) * y, normal(3), normal(2, 3)),
    (lambda m, x: [m.flatten(x, end_dim=1), m.flatten(x, 1, 2), x.flatten(end_dim=0)], normal(2, 3, 2)),
]

TAKING = [
    (lambda m, x, k: m.gather(x, 1, k), normal(2, 3), PLACES),
    (lambda m, x, k: x.gather(1, k) ** 2, normal(4, 3), PLACES),
    (lambda m, x, k: m.gather(x, dim=-2, index=k), normal(3, 3), ints([0, 2, 0], [2, 2, 1], [0, 0, 0], [1, 1, 1])),
    (lambda m, x, k: x.gather(0, k), normal(4), ints(3, 3, 0)),
    (lambda m, x, k: x.gather(0, k), normal(4), np.array([3, 1], np.int32)),
    (lambda m, x, k: x.gather(1, k[:0]), normal(4, 3), PLACES),
    (lambda m, j, k: j.gather(1, k), ints([1, 2, 3], [4, 5, 6]), PLACES),
    (lambda m, x, k: -x.gather(1, k[:, None]), normal(3, 4),
     ints(1, 3, 0)),
    (lambda m, x, c: [m.masked_fill(x, c, 7), x.masked_fill(c, -INF), x[0].masked_fill(c, 0.5)], normal(2, 3), MASK),
    (lambda m, x, c, v: m.masked_fill(x, mask=c, value=v), normal(2, 3), bools(True, False, True), normal()),
    (lambda m, k, c: [k.masked_fill(c, 7), k.masked_fill(c, 0.5), k.masked_fill(c, m.tensor(2.5))], PLACES,
     bools(True, False)),
    (lambda m, x, c: x.masked_fill(c, m.tensor(3)), normal(2, 3), MASK),
    (lambda m, c: [c.masked_fill(c, False), c.masked_fill(~c, 2)], MASK),
    (lambda m, x: [m.nonzero(x), x.nonzero(), x.nonzero(as_tuple=True), m.where(x)], floats([0, 1, 2], [-3, 0, NAN])),
    (lambda m, x: [m.nonzero(x > 0, as_tuple=True), m.nonzero(input=x), m.where(x > 0)], floats(2.0).reshape(())),
    (lambda m, x: x[m.where(x > 0)] * x[(x > 0).nonzero(as_tuple=True)], normal(2, 3)),
]

COMPARING = [
    (lambda m, x, y: [m.isclose(x, y), x.isclose(x), m.allclose(x, y), x.allclose(x)], SPECIAL, SPECIAL[::-1]),
    (lambda m, x: [m.isclose(x, x, equal_nan=True), m.allclose(x, x, equal_nan=True), m.allclose(x, x)], NANS),
    (lambda m, x, y: m.isclose(x, y, equal_nan=True), SPECIAL, SPECIAL[::-1]),
    (lambda m, x: [m.isclose(x, x + 2e-5), m.allclose(x, x + 2e-5, atol=3e-5), x.allclose(x * 1.001, 0.01)], normal(9)),
    (lambda m, x: m.isclose(input=x, other=x[:1], rtol=0.5, atol=0.25), normal(9)),
    (lambda m, x: m.allclose(input=x, other=x[:1], rtol=0.5, atol=10), normal(9)),
    (lambda m, x: [x.isclose(x, rtol=0, atol=0, equal_nan=True), x.allclose(x, 0, atol=0, equal_nan=True)], NANS),
    (lambda m, x: m.isclose(x, x, 0, 0), normal(1)),
    (lambda m, j, k: [m.isclose(j, k), m.isclose(j, k, atol=1), m.allclose(j, k, 0.5)], ints(1, 2, -5), ints(1, 3, -6)),
    (lambda m, j, k: m.isclose(j, k, atol=2), np.array([1, 255], np.uint8), np.array([3, 0], np.uint8)),
    (lambda m, a, b: [m.isclose(a, b), m.allclose(a, b)], MASK, ~MASK),
    (lambda m, x, y: [m.equal(x, y), m.equal(x, x.clone()), x.equal(x[:1]), x.equal(x[None])], SPECIAL, SPECIAL[::-1]),
    (lambda m, x: [m.equal(input=x, other=x + 0), m.equal(x[:0], x[:0]), m.equal(x[:0], x[:0, :1])], normal(2, 3)),
    (lambda m, j: [m.equal(j, j.float()), m.equal(j, j.int()), m.equal(j > 0, j > 0)], PLACES),
]

CONVERTING = [
    (lambda m, x: [x.to(m.float64), x.to(dtype=m.int32), x.to(x.device, m.float32), x.to(x.device, dtype=m.float64)],
     normal(3)),
    (lambda m, x: [x.to(x.dtype) is x, x.to() is x, x.to(None) is x, x.to(x) is x, x.to(x.dtype, copy=True) is x],
     normal(3)),
    (lambda m, x, y: [x.to(y), x.type_as(y), y.type_as(x)], normal(3), ints(1)),
    (lambda m, x: x.to(m.float64, copy=True, non_blocking=True) ** 2, normal(3)),
    (lambda m, x: [x.cpu().to(x.device) ** 2, x.detach().cpu()], normal(3)),
    (lambda m, x: x.to(device=x.device, dtype=m.float64, non_blocking=False, copy=False) ** 2, normal(3)),
    (lambda m, x: [x.int(), x.type(m.uint8), x.type(dtype=m.int64), x.type(m.float64)], floats(1.7, 0.0, 200.9)),
    (lambda m, k: [k.int(), k.int().dtype, k.type(m.bool)], ints(-3, 0, 2**31 - 1)),
    (lambda m, x: [copy.copy(x) is x, copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))], normal(2, 3)),
    (lambda m, x: [copy.deepcopy(x.detach().T), pickle.loads(pickle.dumps(x.detach()[1:]))], normal(2, 3)),
]


def shown(m, *data: object, **options: object) -> list[str]:
    return [repr(m.tensor(numbers, device="cpu", **options)) for numbers in data]


_LADDER = np.float32(10) ** np.arange(-6, 9, dtype=np.float32)

SHOWING = [
    (lambda m: shown(m, 7, -7, True, 3.0, 3.25, 1e-9, NAN, -INF, 0.0, -0.0, 1e9, 123456.0, 99999999.0, 2e8),),
    (lambda m: shown(m, [1.0, 2.0], [1.5, -2.0], [1.0, NAN], [0.0, INF, -1.5], [NAN, INF], [1e-5, 1.0], [1e-4, 0.05]),),
    (lambda m: shown(m, [999.0, 1.0], [1001.0, 1.0], [1000.5, 1.0], [1e-3, 1.0], [1e-5], [0.0, 1e-4], [5e-5, INF]),),
    (lambda m: shown(m, *(np.float32([number, 2.5]) for number in _LADDER)),),
    (lambda m: shown(m, *(np.float32([number, 2 * number]) for number in _LADDER)),),
    (lambda m: shown(m, [True, False], [[True], [True]], [1, -20, 300], [[1, 2], [3, 4]], [[[1]], [[20]]]),),
    (lambda m: shown(m, [], [[]], [[], []], np.zeros((2, 0, 3), np.float32), requires_grad=True),),
    (lambda m: shown(m, np.arange(40), np.arange(40.0).astype("f4") / 7, np.arange(100).reshape(2, 50)),),
    (lambda m: shown(m, np.arange(1000), np.arange(1001), np.arange(2000).astype("f4") / 3, np.zeros(1001, np.bool_)),),
    (lambda m: shown(m, np.arange(1200).reshape(3, 400), np.arange(1200).reshape(400, 3), np.arange(1200)[None]),),
    (lambda m: shown(m, np.arange(1080).reshape(9, 4, 30), np.arange(2401, dtype=np.float32).reshape(7, 7, 7, 7)),),
    (lambda m: shown(m, np.arange(24).reshape(2, 3, 4), np.arange(16, dtype=np.float32).reshape(2, 2, 2, 2)),),
    (lambda m: shown(m, *(np.arange(size, dtype=np.float32) for size in range(11, 16)), requires_grad=True),),
    (lambda m: [str(m.tensor([0.5, 1.0], device="cpu")), f"{m.tensor([0.5], device='cpu')}"],),
]

CASES = [*LIKE, *CREATION, *MOVING, *TAKING, *COMPARING, *CONVERTING, *SHOWING]
