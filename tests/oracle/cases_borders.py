"""The table for the borders of what functions take: where something else than PyTorch's was returned once."""

from .cases import INF, KINKS, MASK, NAN, floats, ints, normal
from .cases_arithmetic import BYTES

_ZERO = floats(0.0, 1.0)

CASES = [
    (lambda m, j, k: [j / k, k / j, j[0] / m.tensor(-2), j / 2.5, m.div(j, -3), -3 / j], BYTES[:2], ints(-2, 3)),
    (lambda m, j, x: [j / x, x / j, m.tensor([2**24 + 1]) / m.tensor(1.0, dtype=m.float64)], BYTES[:2], normal(2)),
    (lambda m, b, j, k: [b**j, b ** k.to(m.int32), b**k, j**b, b**2, k**1e30], MASK[0, :2], BYTES[:2], ints(2, 0)),
    (lambda m, x: [x.all(()), x.any(dim=()), m.all(x, dim=(), keepdim=True), (x > 2).any(())], KINKS.reshape(2, 2)),
    (lambda m, x, y: [x.clamp(y), x.detach().clamp(y), x.detach().clamp(max=y)], KINKS, floats(-2.0, 0.0, -1.0, 1.0)),
    (lambda m, k, x: m.zeros(3, dtype=m.int64).copy_(x), ints(1), normal(3)),
    (lambda m, x: [m.nn.functional.interpolate(x, s) for s in (3, 6, 4)], normal(1, 2, 3)),
    (lambda m, x: m.nn.functional.interpolate(x.detach(), scale_factor=2.3), normal(1, 1, 2, 3, 3)),
    (lambda m, x: written(m, x, lambda x: x.flip(0)), normal(2, 3)),
    (lambda m, x: written(m, x, lambda x: x.flip(())), normal(2, 3)),
    (lambda m, x: written(m, x, lambda x: m.nn.functional.pad(x, (0, 0))), normal(2, 3)),
    (lambda m, x: written(m, x, lambda x: m.nn.functional.pad(x, (-1, 0))), normal(2, 3)),
    (lambda m, x: written(m, x, lambda x: m.nn.functional.pad(x, (0, 0), mode="reflect")), normal(2, 3)),
    (lambda m, x: written(m, x, lambda x: m.nn.functional.interpolate(x[None], 3)), normal(2, 3)),
    (lambda m, x: written(m, x, lambda x: m.nn.functional.interpolate(x[:, :1, None], 3)), normal(2, 3)),
    (lambda m, x: written(m, x, lambda x: m.nn.functional.adaptive_avg_pool2d(x[None], (2, None))), normal(2, 3)),
    (lambda m, x: batch_of_nothing(m), _ZERO),
    (lambda m, x: m.nn.functional.dropout(x, 0.0), floats(INF, NAN, -0.0)),
    (lambda m, b: [b.all(()), b.any(())], MASK),
    (lambda m, x: [m.zeros(size=(2, 3)), m.ones(size=[2], dtype=m.int64), m.empty(size=(0, 2)), m.zeros((2,))], _ZERO),
    (lambda m, x: [m.rand(size=(2, 3)).shape, m.randn(size=(2,)).shape], _ZERO),
    (lambda m, x: [x.new_zeros(size=(2,)), x.new_ones(size=(0, 2))], _ZERO),
    (lambda m, x: [x.reshape(shape=(3, -1)), m.reshape(x, shape=(6,)), x.view(size=(3, 2))], normal(2, 3)),
    (lambda m, x: [x.permute(dims=(1, 0)), m.permute(x, dims=(-1, 0))], normal(2, 3)),
    (lambda m, x: [x.flip(dims=(1,)), m.flip(x, dims=[0, 1])], normal(2, 3)),
    (lambda m, x: [x[:, :1].expand(size=(-1, 4)), x.repeat(repeats=(1, 2))], normal(2, 3)),
    (lambda m, x: [m.arange(end=3), m.arange(3.0, dtype=m.int64), m.arange(1, 4.0, 2, dtype=m.uint8)], _ZERO),
    (lambda m, x, j: [0.5 in x, 3 in x, x[:2] in x[:2], NAN in x, 255 in j, True in j, x[:0] in x[:0]], KINKS, BYTES),
]  # fmt: skip


def written(m, x, function):
    """What is left of x when the result of a function of it has been written in place, and that result."""
    x = x * 1
    y = function(x)
    y += 1
    return [x, y]


def batch_of_nothing(m):
    """Running statistics learn nothing from it."""
    mean, var = m.ones(3), m.ones(3)
    y = m.nn.functional.batch_norm(m.zeros(0, 3, 2), mean, var, training=True)
    return [y, mean, var]
