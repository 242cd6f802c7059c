"""The table: each expression is a function of a namespace `m` and of tensors; after it come the arrays of the tensors.

Floating-point arrays become leaves that require grad (in float32 and float64 in turn), integers and bools constants.
`test_names.py` checks that no public name and no parameter of minigrad is left out.
"""

import numpy as np

_rng = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return _rng.standard_normal(shape)


def positive(*shape: int) -> np.ndarray:
    return _rng.uniform(0.5, 2.0, shape)


def ints(*values: object) -> np.ndarray:
    return np.array(values, np.int64)


def bools(*values: object) -> np.ndarray:
    return np.array(values, np.bool_)


def floats(*values: object) -> np.ndarray:
    return np.array(values, np.float64)


INF, NAN = np.inf, np.nan
TIES = floats([1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [-1.0, -5.0, -1.0])
KINKS = floats(-2.0, -0.0, 0.0, 0.5)
SPECIAL = floats(-INF, -1.0, 0.0, 2.0, INF, NAN)
MASK = bools([True, False, True], [False, False, True])

ARITHMETIC = [
    (lambda m, x, y: x + y, normal(2, 3), normal(2, 3)),
    (lambda m, x, y: x + y, normal(2, 3), normal(3)),
    (lambda m, x, y: x + y, normal(2, 1, 3), normal(4, 1)),
    (lambda m, x, y: x + y, normal(), normal(0, 3)),
    (lambda m, x: x + x, normal(3)),
    (lambda m, x: 2 + x, normal(3)),
    (lambda m, x: x + 2.5, normal(3)),
    (lambda m, x: x + True, normal(3)),
    (lambda m, x: x + np.float64(2.5), normal(3)),
    (lambda m, x: np.float64(2.5) * x, normal(3)),
    (lambda m, x: np.float32(2.5) - x, normal(3)),
    (lambda m, x: np.int64(2) / x, positive(3)),
    (lambda m, x, y: m.add(x, y), normal(2, 3), normal(3)),
    (lambda m, x, y: x.add(y), normal(2, 3), normal(3)),
    (lambda m, x, y: x - y, normal(2, 3), normal(2, 1)),
    (lambda m, x: 2 - x, normal(3)),
    (lambda m, x, y: m.sub(x, y), normal(1, 3), normal(3, 1)),
    (lambda m, x, y: x.sub(y), normal(1, 3), normal()),
    (lambda m, x, y: x * y, normal(2, 3), normal(3)),
    (lambda m, x: x * x * 3, normal(2, 3)),
    (lambda m, x: 3 * x, normal(2, 3)),
    (lambda m, x, y: m.mul(x, y), normal(2, 3), normal()),
    (lambda m, x, y: x.mul(y), normal(2, 3), normal(2, 3)),
    (lambda m, x, y: x / y, normal(2, 3), positive(3)),
    (lambda m, x: 2 / x, positive(2, 3)),
    (lambda m, x: x / 4, normal(2, 3)),
    (lambda m, x, y: m.div(x, y), normal(2, 3), positive(2, 1)),
    (lambda m, x, y: x.div(y), normal(2, 3), positive()),
    (lambda m, x, y: x / y, floats(1.0, -1.0, 0.0, INF), floats(0.0, 0.0, 0.0, INF)),
    (lambda m, x: -x, normal(2, 3)),
    (lambda m, x: m.neg(x), normal(2, 3)),
    (lambda m, x: x.neg(), normal(2, 3)),
    (lambda m, x: x**2, normal(2, 3)),
    (lambda m, x: x**3, floats(-1.5, 0.0, 2.0)),
    (lambda m, x: x**1, floats(-1.5, 0.0, 2.0)),
    (lambda m, x: x**0, floats(-1.5, 0.0, 2.0)),
    (lambda m, x: x**0.5, positive(2, 3)),
    (lambda m, x: x**-1, floats(-1.5, 2.0)),
    (lambda m, x: x**-2.5, positive(2, 3)),
    (lambda m, x: x**0.5, floats(-1.0, 0.0, INF)),
    (lambda m, x: x ** np.float64(1.5), positive(3)),
    (lambda m, x, y: x**y, positive(2, 3), normal(3)),
    (lambda m, x, y: x**y, floats(0.0, 0.0, 0.0, 2.0, -2.0), floats(0.0, 2.0, 0.5, 0.0, 2.0)),
    (lambda m, x, y: m.pow(x, y), positive(2, 3), normal(2, 1)),
    (lambda m, x: m.pow(x, 2.0), normal(2, 3)),
    (lambda m, x: x.pow(3), normal(2, 3)),
    (lambda m, y: 2**y, normal(2, 3)),
    (lambda m, y: 0**y, floats(0.0, 1.0, 2.5)),
    (lambda m, x, y: m.maximum(x, y), normal(2, 3), normal(3)),
    (lambda m, x, y: x.maximum(y), TIES, TIES[:, ::-1]),
    (lambda m, x, y: m.maximum(x, y), SPECIAL, SPECIAL[::-1]),
]

ELEMENTWISE = [
    (lambda m, x: m.exp(x), normal(2, 3)),
    (lambda m, x: x.exp(), SPECIAL),
    (lambda m, x: m.log(x), positive(2, 3)),
    (lambda m, x: x.log(), SPECIAL),
    (lambda m, x: m.abs(x), normal(2, 3)),
    (lambda m, x: x.abs(), KINKS),
    (lambda m, x: abs(x), normal(2, 3)),
    (lambda m, x: m.sign(x) * x, KINKS),
    (lambda m, x: x.sign() * x, normal(2, 3)),
    (lambda m, x: m.relu(x), normal(2, 3)),
    (lambda m, x: x.relu(), KINKS),
    (lambda m, x: m.nn.functional.relu(x) ** 2, SPECIAL),
    (lambda m, x: m.sigmoid(x), normal(2, 3)),
    (lambda m, x: x.sigmoid(), floats(-1000.0, -30.0, 0.0, 30.0, 1000.0)),
    (lambda m, x: m.nn.functional.sigmoid(x), SPECIAL),
    (lambda m, x: m.tanh(x), normal(2, 3)),
    (lambda m, x: x.tanh(), floats(-1000.0, -30.0, 0.0, 30.0, 1000.0)),
    (lambda m, x: m.nn.functional.tanh(x), SPECIAL),
    (lambda m, x: (x.exp() + 1).log().tanh().sigmoid(), normal(2, 3)),
    (lambda m, x: x.exp(), normal(0, 3)),
    (lambda m, x: x.tanh(), normal()),
    (lambda m, x: x.clone(), normal(2, 3)),
    (lambda m, x: x.detach() * x, normal(2, 3)),
    (lambda m, x: x.data * x, normal(2, 3)),
]

CHOICE = [
    (lambda m, c, x, y: m.where(c, x, y), MASK, normal(2, 3), normal(2, 3)),
    (lambda m, c, x, y: m.where(c, x, y), MASK, normal(3), normal(2, 1)),
    (lambda m, c, x, y: m.where(c, x, y), bools(True, False), normal(3, 2), normal()),
    (lambda m, x: m.where(x > 0, x, 0), normal(2, 3)),
    (lambda m, x: m.where(x > 0, 0.5, x * x), normal(2, 3)),
    (lambda m, c: m.where(c, 1, 0), MASK),
    (lambda m, c: m.where(c, 1.0, 0.0), MASK),
    (lambda m, c: m.where(c, 1, 0.5), MASK),
    (lambda m, c: m.where(c, True, False), MASK),
    (lambda m, c, k: m.where(c, k, 0), MASK, ints(1, 2, 3)),
    (lambda m, c, k: m.where(c, k, 0.5), MASK, ints(1, 2, 3)),
    (lambda m, x, y: [x == y, x != y, x < y, x <= y, x > y, x >= y], SPECIAL, SPECIAL[::-1]),
    (lambda m, x, y: [x == y, x < y, x >= y], normal(2, 1), normal(3)),
    (lambda m, x: [x == 2, x != 2, x < 2, x <= 2, x > 2, x >= 2], TIES),
    (lambda m, x, y: [x.eq(y), x.ne(y), x.lt(y), x.le(y), x.gt(y), x.ge(y)], TIES, TIES[::-1]),
    (lambda m, k: [k == 2, k != 2.5, k < 2.5, k >= 2, k > True], ints(1, 2, 3)),
    (lambda m, a, b: [a & b, a | b, ~a, a == b, a < b], MASK, ~MASK[::-1]),
    (lambda m, a: [a & True, a | False, True & a, False | a], MASK),
    (lambda m, x: x == None, normal(2)),  # noqa: E711
    (lambda m, x: x != "x", normal(2)),
]

INTEGERS = [
    (lambda m, j, k: [j + k, j - k, j * k, -k, abs(k), k**2, j**k, m.maximum(j, k)], ints(4, 5, -6), ints(3, 1, 0)),
    (lambda m, j, k: [j / k, m.div(j, k), 1 / k, k / 2], ints(4, 5, -6), ints(3, 1, 2)),
    (lambda m, k: [k + 1, k + 1.5, k * True, 2 - k, 2**k, k**0.5, k**2.0], ints(3, 1, 2)),
    (lambda m, k: [k.exp(), k.log(), k.tanh(), k.sigmoid(), k.relu(), k.sign()], ints(3, 1, 2)),
    (lambda m, x, k: [x + k, k - x, x * k, x / k, m.maximum(k, x)], normal(3), ints(3, 1, 2)),
    (lambda m, x, b: [x + b, x * b, x / b, b / x, m.maximum(b, x)], normal(3), bools(True, True, True)),
    (lambda m, b, k: [b + k, b * k, b * b, b + b, b + 1, b * 2.5, b / b, b**2], bools(True, False), ints(3, 1)),
    (lambda m, j, k: [j + k, k * j], np.array([1, 2], np.int32), ints(3, 1)),
    (lambda m, j, k: [j + k, k * j], np.array([1, 2], np.uint8), np.array([3, 1], np.int32)),
    (lambda m, j, k: [j + k, k * j, j == k], np.array([1, 2], np.int32), ints(3).reshape(())),
    (lambda m, j: [j + 1, j * 2.5, j + True, j - 1], np.array([1, 2], np.uint8)),
    (lambda m, j: [j + j, j * j], np.array([200, 100], np.uint8)),
    (lambda m, k: [k.sum(), k.sum(1), k.max(), k.amax(0), k.argmax(), k.flip(0), k.T], ints([3, 1], [2, 5])),
    (lambda m, b: [b.sum(), b.sum(0), b.float().mean(), b.reshape(-1), b.T], MASK),
    (lambda m, j: [j.sum(), j.sum(0, True)], np.array([[200, 100]], np.uint8)),
]  # fmt: skip

REDUCTIONS = [
    (lambda m, x: x.sum(), normal(2, 3, 4)),
    (lambda m, x: x.sum(1), normal(2, 3, 4)),
    (lambda m, x: x.sum(-1, True), normal(2, 3, 4)),
    (lambda m, x: x.sum((0, 2)), normal(2, 3, 4)),
    (lambda m, x: x.sum(dim=[0, -1], keepdim=True), normal(2, 3, 4)),
    (lambda m, x: x.sum(axis=1), normal(2, 3, 4)),
    (lambda m, x: x.sum(dim=()), normal(2, 3)),
    (lambda m, x: m.sum(x, 0), normal(2, 3)),
    (lambda m, x: m.sum(x), normal()),
    (lambda m, x: m.sum(x, axis=(0, 2), keepdim=True), normal(2, 3, 4)),
    (lambda m, x: [x.sum(), x.sum(0), x.sum(1)], normal(0, 3)),
    (lambda m, x: x.mean(), normal(2, 3, 4)),
    (lambda m, x: x.mean(0, keepdim=True), normal(2, 3, 4)),
    (lambda m, x: x.mean((0, 1)), normal(2, 3, 4)),
    (lambda m, x: x.mean(axis=-1), normal(2, 3)),
    (lambda m, x: m.mean(x, dim=1), normal(2, 3)),
    (lambda m, x: m.mean(x, axis=1, keepdim=True), normal(2, 3)),
    (lambda m, x: [m.mean(x.detach()), m.mean(x.detach(), 0)], normal(0, 3)),
    (lambda m, x: x.max(), normal(2, 3)),
    (lambda m, x: m.max(x), TIES),
    (lambda m, x: x.max(1), normal(2, 3)),
    (lambda m, x: x.max(0, True), TIES),
    (lambda m, x: m.max(x, dim=1, keepdim=True).values, TIES),
    (lambda m, x: m.max(x, -1).indices, TIES),
    (lambda m, x: x.max(axis=0), TIES),
    (lambda m, x: m.max(x, axis=1), TIES),
    (lambda m, x: x.max(0), SPECIAL),
    (lambda m, x: x.detach().max(), SPECIAL),
    (lambda m, x: x.amax(), TIES),
    (lambda m, x: x.amax(axis=1), TIES),
    (lambda m, x: m.amax(x, axis=0, keepdim=True), TIES),
    (lambda m, x: x.amax((0, 1), keepdim=True), normal(2, 3, 4)),
    (lambda m, x: m.amax(x, dim=(0, 2)), normal(2, 3, 4)),
    (lambda m, x: m.amax(x, 0), SPECIAL),
    (lambda m, x: [m.argmax(x), x.argmax(0), x.argmax(1, True), x.argmax(dim=-1), x.argmax(keepdim=True)], TIES),
    (lambda m, x: x.argmax(), SPECIAL),
    (lambda m, x: [m.argmax(x, dim=1), m.argmax(x, axis=0, keepdim=True), x.argmax(axis=0)], TIES),
]

SHAPES = [
    (lambda m, x: x.reshape(3, 2), normal(2, 3)),
    (lambda m, x: x.reshape((3, -1)), normal(2, 3)),
    (lambda m, x: x.reshape([6]), normal(2, 3)),
    (lambda m, x: x.reshape(()), normal(1, 1)),
    (lambda m, x: m.reshape(x, (-1, 2)), normal(2, 3)),
    (lambda m, x: x.T.reshape(-1), normal(2, 3)),
    (lambda m, x: x.reshape(-1, 3), normal(0, 3)),
    (lambda m, x: x.view(3, 2), normal(2, 3)),
    (lambda m, x: x.view(-1), normal(2, 3)),
    (lambda m, x: x.T.contiguous().view(-1), normal(2, 3)),
    (lambda m, x: [t.is_contiguous() for t in (x, x.T, x[1:], x[:, 1:], x[0], x[:, 0])], normal(2, 3)),
    (lambda m, x: x.contiguous() is x, normal(2, 3)),
    (lambda m, x: x.flatten(), normal(2, 3)),
    (lambda m, x: x.flatten(1), normal(2, 3, 4)),
    (lambda m, x: m.flatten(x, 0, 1), normal(2, 3, 4)),
    (lambda m, x: m.flatten(x, start_dim=-2, end_dim=-1), normal(2, 3, 4)),
    (lambda m, x: m.flatten(x), normal()),
    (lambda m, x: x.permute(2, 0, 1), normal(2, 3, 4)),
    (lambda m, x: x.permute((0, -1, 1)), normal(2, 3, 4)),
    (lambda m, x: m.permute(x, (1, 0)), normal(2, 3)),
    (lambda m, x: x.transpose(0, 1), normal(2, 3)),
    (lambda m, x: m.transpose(x, -1, -3), normal(2, 3, 4)),
    (lambda m, x: m.transpose(x, dim0=1, dim1=1), normal(2, 3)),
    (lambda m, x: x.T @ x, normal(2, 3)),
    (lambda m, x: x.mT * 2, normal(2, 3, 4)),
    (lambda m, x: x.squeeze(), normal(1, 3, 1)),
    (lambda m, x: x.squeeze(-1), normal(1, 3, 1)),
    (lambda m, x: m.squeeze(x, dim=1), normal(1, 3, 1)),
    (lambda m, x: m.squeeze(x), normal(2, 3)),
    (lambda m, x: x.unsqueeze(0), normal(2, 3)),
    (lambda m, x: m.unsqueeze(x, -1), normal(2, 3)),
    (lambda m, x: m.unsqueeze(x, dim=1), normal(2, 3)),
    (lambda m, x: x.unsqueeze(0), normal()),
    (lambda m, x: m.broadcast_to(x, (2, 3)), normal(3)),
    (lambda m, x: x.broadcast_to((4, 2, 3)), normal(2, 1)),
    (lambda m, x: x.broadcast_to((0, 3)), normal(1, 3)),
    (lambda m, x: x.expand(4, 2, 3), normal(2, 1)),
    (lambda m, x: x.expand((2, 3)), normal(1, 3)),
    (lambda m, x: x.expand(4, -1, 3), normal(2, 1)),
]

TAKING = [
    (lambda m, x: x[0], normal(3, 4)),
    (lambda m, x: x[-1, 2], normal(3, 4)),
    (lambda m, x: x[1:], normal(3, 4)),
    (lambda m, x: x[:, ::2], normal(3, 4)),
    (lambda m, x: x[5:], normal(3, 4)),
    (lambda m, x: x[..., 1], normal(2, 3, 4)),
    (lambda m, x: x[None, :, None, 1], normal(3, 4)),
    (lambda m, x: x[()], normal(3)),
    (lambda m, x: x[...], normal()),
    (lambda m, x: x[True], normal(3)),
    (lambda m, x: x[[0, 2, 0]], normal(3, 4)),
    (lambda m, x: x[[]], normal(3, 4)),
    (lambda m, x: x[[0, 1], [1, 1]], normal(3, 4)),
    (lambda m, x: x[:, [0, 0, -1]], normal(3, 4)),
    (lambda m, x: x[[0, 1], :, [1, 2]], normal(2, 3, 4)),
    (lambda m, x: x[:, [0, 1], [1, 2]], normal(2, 3, 4)),
    (lambda m, x: [x[0, [0, 1]], x[[0, 1], :, 2], x[:, [0, 1], 2], x[None, [0, 1], :, 2:]], normal(2, 3, 4)),
    (lambda m, x: x[1:, [True, False, True]], normal(2, 3)),
    (lambda m, x: x[np.array([0, 0])], normal(3, 4)),
    (lambda m, x, k: x[k], normal(3, 4), ints([0, 2], [0, -1])),
    (lambda m, x, j, k: x[j, k], normal(3, 4), ints([0], [2]), ints(1, 1, 3)),
    (lambda m, x, k: x[k], normal(3, 4), ints(1).reshape(())),
    (lambda m, x, k: x[k], normal(3, 4), np.array([2, 0], np.int32)),
    (lambda m, x, c: x[c], normal(2, 3), MASK),
    (lambda m, x, c: x[c], normal(2, 3), bools(True, False)),
    (lambda m, x, c: x[:, c], normal(2, 3, 2), bools(False, False, False)),
    (lambda m, x: x[x > 0], normal(2, 3)),
    (lambda m, x: x.flip(0), normal(2, 3)),
    (lambda m, x: x.flip(0, -1), normal(2, 3)),
    (lambda m, x: m.flip(x, (1,)), normal(2, 3)),
    (lambda m, x: m.flip(x, [0, 1]), normal(2, 3)),
    (lambda m, x: list(x), normal(3, 2)),
]

JOINING = [
    (lambda m, x, y: m.cat([x, y]), normal(2, 3), normal(1, 3)),
    (lambda m, x, y: m.cat((x, y, x), dim=-1), normal(2, 3), normal(2, 0)),
    (lambda m, x, y: m.concatenate([x, y], 1), normal(2, 3), normal(2, 1)),
    (lambda m, x: m.cat([x]), normal(2, 3)),
    (lambda m, j, k: m.cat([j, k]), ints(1, 2), ints(3)),
    (lambda m, x, y: m.stack([x, y]), normal(2, 3), normal(2, 3)),
    (lambda m, x, y: m.stack((x, y), 1), normal(2, 3), normal(2, 3)),
    (lambda m, x, y: m.stack([x, y], dim=-1), normal(), normal()),
    (lambda m, x: m.nn.functional.pad(x, (1, 2)), normal(2, 3)),
    (lambda m, x: m.nn.functional.pad(x, [1, 0, 0, 2]), normal(2, 3)),
    (lambda m, x: m.nn.functional.pad(x, pad=(1, 1), mode="constant", value=2.5), normal(2, 3)),
    (lambda m, x: m.nn.functional.pad(x, (1, 0), value=-np.inf), normal(2, 3)),
    (lambda m, x: m.nn.functional.pad(x, (0, 0)), normal(2, 3)),
    (lambda m, k: m.nn.functional.pad(k, (1, 0), value=7), ints([1, 2])),
]

PRODUCTS = [
    (lambda m, x, y: x @ y, normal(2, 3), normal(3, 4)),
    (lambda m, x, y: x @ y, normal(3), normal(3)),
    (lambda m, x, y: x @ y, normal(2, 3), normal(3)),
    (lambda m, x, y: x @ y, normal(3), normal(3, 4)),
    (lambda m, x, y: x @ y, normal(5, 2, 3), normal(3, 4)),
    (lambda m, x, y: x @ y, normal(5, 1, 2, 3), normal(2, 3, 4)),
    (lambda m, x, y: x @ y, normal(5, 2, 3), normal(3)),
    (lambda m, x, y: x @ y, normal(3), normal(5, 3, 2)),
    (lambda m, x, y: m.matmul(x, y), normal(0, 3), normal(3, 2)),
    (lambda m, x, y: m.matmul(x, y), normal(2, 0), normal(0, 3)),
    (lambda m, x, y: x.matmul(y), normal(2, 3).T, normal(2, 3)),
    (lambda m, x, w: m.nn.functional.linear(x, w), normal(4, 3), normal(2, 3)),
    (lambda m, x, w, b: m.nn.functional.linear(x, w, b), normal(3), normal(2, 3), normal(2)),
    (lambda m, x, w, b: m.nn.functional.linear(x, w, bias=b), normal(5, 4, 3), normal(2, 3), normal(2)),
    (lambda m, x, t: m.nn.functional.mse_loss(x, t), normal(4, 3), normal(4, 3)),
    (lambda m, x, t: m.nn.functional.mse_loss(x, t, reduction="mean"), normal(4, 3), normal(4, 3)),
    (lambda m, x, t: m.nn.functional.mse_loss(x, t, reduction="sum"), normal(4, 3), normal(4, 3)),
    (lambda m, x, t: m.nn.functional.mse_loss(x, t, reduction="none"), normal(4, 3), normal(4, 3)),
]

# Hypothesis draws geometries of convolutions in test_convolutions.py; here are the forms and defaults of arguments.
CONVOLUTIONS = [
    (lambda m, x, w: m.nn.functional.conv2d(x, w), normal(2, 3, 4, 5), normal(2, 3, 2, 3)),
    (lambda m, x, w, b: m.nn.functional.conv2d(x, w, b), normal(3, 4, 5), normal(2, 3, 2, 3), normal(2)),
    (lambda m, x, w, b: m.nn.functional.conv2d(x, w, b, 2, 1, 1, 2), normal(1, 4, 5, 4), normal(2, 2, 2, 3), normal(2)),
    (lambda m, x, w: m.nn.functional.conv2d(x, w, None, (2, 1), [0, 2], (1, 2)), normal(1, 5, 5), normal(1, 1, 3, 2)),
    (lambda m, x, w: m.nn.functional.conv2d(x, w, padding="valid"), normal(1, 1, 3, 3), normal(1, 1, 2, 3)),
    (lambda m, x, w: m.nn.functional.conv2d(x, w, padding="same", dilation=3), normal(1, 3, 3), normal(1, 1, 3, 2)),
    (lambda m, x, w: m.nn.functional.conv2d(x, w, padding=2), normal(1, 1, 1, 1), normal(1, 1, 2, 2)),
    (lambda m, y, w: m.nn.functional.conv_transpose2d(y, w), normal(2, 3, 2, 3), normal(3, 2, 2, 3)),
    (
        lambda m, y, w, b: m.nn.functional.conv_transpose2d(y, w, b, 2, 1, 1, 2, 1),
        normal(4, 3, 2),
        normal(4, 1, 2, 3),
        normal(2),
    ),
    (
        lambda m, y, w: m.nn.functional.conv_transpose2d(y, w, None, (2, 1), (1, 0), output_padding=(0, 1), dilation=2),
        normal(1, 1, 3, 3),
        normal(1, 2, 2, 2),
    ),
    (lambda m, x: m.nn.functional.unfold(x, 2), normal(2, 3, 4, 3)),
    (lambda m, x: m.nn.functional.unfold(x, (2, 3), 1, (1, 0), 2), normal(3, 4, 5)),
    (
        lambda m, x: m.nn.functional.unfold(x, kernel_size=(1, 2), dilation=(1, 2), padding=1, stride=(2, 1)),
        normal(1, 2, 4, 4),
    ),
    (lambda m, x: m.nn.functional.unfold(x, 2), normal(0, 1, 3, 3)),
]

CONVERSIONS = [
    (lambda m, x: [x.float(), x.double(), x.float().double()], normal(2, 3)),
    (lambda m, x: [x.long(), x.bool()], floats(-1.7, 0.0, 2.9)),
    (lambda m, x: x.to(m.float64), normal(2, 3)),
    (lambda m, x: x.to(m.int32), normal(2, 3)),
    (lambda m, k: [k.to(m.float32), k.to(m.uint8), k.to(m.bool), k.float()], ints(0, 1, 200)),
    (lambda m, x: [x.dtype, x.long().dtype, x.bool().dtype, (x > 0).dtype, x.argmax().dtype], normal(3)),
    (lambda m, x: [x.is_floating_point(), x.long().is_floating_point()], normal(3)),
    (lambda m, x: [x.shape, x.size(), x.size(0), x.size(-1), x.size(dim=1)], normal(2, 0)),
    (lambda m, x: [x.dim(), x.ndim, x.numel(), len(x)], normal(2, 0)),
    (lambda m, x: [x.shape, x.dim(), x.numel()], normal()),
    (lambda m, x: [x.item(), x.tolist()], normal(1)),
    (lambda m, x: [x.tolist(), x.long().tolist(), (x > 0).tolist(), x.sum().tolist()], normal(2, 3)),
    (lambda m, x: (x > 0).sum().item(), normal(2, 3)),
    (lambda m, k: [float(k), int(k), bool(k), f"{k:03d}", f"{k}"], ints(7).reshape(())),
    (lambda m, x: [float(x.detach()), int(x.detach()), bool(x)], floats(7.5)),
    (lambda m, b: [float(b), int(b), bool(b), b.item()], bools(True)),
    (lambda m, x: [x.detach().numpy(), np.asarray(x.detach()), x.numpy(force=True)], normal(2, 3)),
    (lambda m, x: np.asarray(x.detach(), dtype=np.float64), normal(2, 3)),
    (lambda m: [repr(m.tensor(data, device="cpu")) for data in (7, [1.0, 2.0], [[1, 2], [3, 4]], [True, False])],),
    (lambda m: [repr(m.tensor(data, requires_grad=True, device="cpu")) for data in ([], [[], []], [1.0, -2.0])],),
    (lambda m, x: [x.new_full((2, 1), 7), x.new_zeros((2, 3)), x.new_ones((2,))], normal(2)),
    (lambda m, x: [m.zeros_like(x), m.ones_like(x)], normal(2, 3)),
    (lambda m, k: [m.zeros_like(k), m.ones_like(k), k.new_full((2,), 7)], ints(1, 2)),
]

CREATION = [
    (lambda m: [m.tensor([1.0, 2]), m.tensor([1, 2]), m.tensor([True, False])],),
    (lambda m: [m.tensor(3), m.tensor(3.5), m.tensor(True), m.tensor([]), m.tensor([[], []])],),
    (lambda m: [m.tensor([[1, 2.5], [3, 4]]), m.tensor([True, 2]), m.tensor(((1,), (2,)))],),
    (lambda m: [m.tensor(np.arange(3)), m.tensor(np.ones((2, 2))), m.tensor(np.float32(1)), m.tensor(np.float64(1))],),
    (lambda m: [m.tensor(np.ones((2, 3)).T), m.tensor(np.ones(6)[::2])],),
    (lambda m: [m.tensor(np.int32(7)), m.tensor([np.int32(7)])],),
    (lambda m: [m.tensor([1, 2], dtype=m.float64), m.tensor([1.7, -1.7], dtype=m.int32)],),
    (lambda m: [m.tensor([0.5, 0.0], dtype=m.bool), m.tensor([1.5], dtype=float), m.tensor([1.5], dtype=int)],),
    (lambda m: [m.tensor([1, 200], dtype=m.uint8), m.tensor([2], dtype=m.float32), m.tensor([2], dtype=m.int64)],),
    (lambda m: m.tensor([1.0], requires_grad=True),),
    (lambda m: m.tensor([m.tensor(1.0), m.tensor(2.0)]),),
    (lambda m: [m.zeros(2, 3), m.zeros((2, 3)), m.zeros([2]), m.zeros(2, dtype=m.int64), m.zeros(0, 3)],),
    (lambda m: [m.ones(2, 3), m.ones((2, 3)), m.ones([2]), m.ones(2, dtype=m.bool), m.ones(())],),
    (lambda m: [m.zeros(2, requires_grad=True), m.ones(2, requires_grad=True), m.eye(2, requires_grad=True)],),
    (lambda m: [m.full((2, 3), 7), m.full((2,), 7.5), m.full([2], True), m.full((), 7, dtype=m.float64)],),
    (lambda m: [m.full((2,), np.float64(1)), m.full((2,), 1, dtype=m.float32, requires_grad=True)],),
    (lambda m: [m.arange(5), m.arange(2, 5), m.arange(1, 10, 3), m.arange(5, 0, -2), m.arange(0), m.arange(2, 2)],),
    (lambda m: [m.arange(5.0), m.arange(2.5, 5), m.arange(0, 1, 0.25), m.arange(start=1, end=7, step=2)],),
    (lambda m: [m.arange(3, dtype=m.float64), m.arange(3.0, dtype=m.int64)],),
    (lambda m: m.arange(3.0, requires_grad=True),),
    (lambda m: [m.eye(3), m.eye(2, 3), m.eye(2, m=3, dtype=m.float64), m.eye(2, dtype=m.int64)],),
    (lambda m: [t.shape for t in (m.rand(2, 3), m.rand((2,)), m.randn(2, 3), m.randn([2, 0]))],),
    (lambda m: [t.dtype for t in (m.rand(2), m.randn(2), m.rand(2, dtype=m.float64), m.randn(2, dtype=m.float64))],),
    (lambda m: [t.requires_grad for t in (m.rand(2, requires_grad=True), m.randn(2, requires_grad=True), m.randn(2))],),
]

CASES = [
    *ARITHMETIC, *ELEMENTWISE, *CHOICE, *INTEGERS, *REDUCTIONS, *SHAPES, *TAKING, *JOINING, *PRODUCTS, *CONVOLUTIONS,
    *CONVERSIONS, *CREATION,
]  # fmt: skip
