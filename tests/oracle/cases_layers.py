"""The table of nn.functional, beyond the convolutions, products and paddings that cases.py has."""

from .cases import INF, KINKS, NAN, SPECIAL, TIES, floats, ints, normal, positive

IMAGE_TIES = TIES.reshape(1, 1, 3, 3)
EDGES = floats(-1000.0, -30.0, -0.0, 0.0, 0.5, 19.0, 21.0, 1000.0)
IMAGE_NAN = floats([[[1.0, NAN, 3.0, NAN], [NAN, 2.0, 0.0, 1.0], [-INF, -INF, INF, 1.0], [-INF, -INF, 1.0, INF]]])

CONVOLUTIONS = [
    (lambda m, x, w: m.nn.functional.conv1d(x, w), normal(2, 3, 5), normal(4, 3, 2)),
    (lambda m, x, w, b: m.nn.functional.conv1d(x, w, b, 2, 1, 2, 2), normal(4, 6), normal(2, 2, 3), normal(2)),
    (
        lambda m, x, w, b: m.nn.functional.conv1d(x, w, bias=b, stride=(2,), padding=[1], dilation=1, groups=1),
        normal(1, 2, 6),
        normal(3, 2, 3),
        normal(3),
    ),
    (lambda m, x, w: m.nn.functional.conv1d(x, w, padding="same", dilation=3), normal(1, 1, 5), normal(1, 1, 2)),
    (lambda m, x, w: m.nn.functional.conv1d(x, w, padding="valid"), normal(1, 5), normal(1, 1, 2)),
    (lambda m, y: m.nn.functional.fold(y, (3, 4), 2), normal(2, 8, 6)),
    (lambda m, y: m.nn.functional.fold(y, 4, (2, 3), 1, (1, 0), 2), normal(6, 3)),
    (
        lambda m, y: m.nn.functional.fold(
            y, output_size=(4, 5), kernel_size=(1, 2), dilation=(1, 2), padding=1, stride=(2, 1)
        ),
        normal(1, 4, 15),
    ),
    (lambda m, x: m.nn.functional.fold(m.nn.functional.unfold(x, 3, 1, 1), (4, 4), 3, padding=1), normal(2, 2, 4, 4)),
]

POOLING = [
    (lambda m, x: m.nn.functional.max_pool2d(x, 2), normal(2, 3, 4, 6)),
    (lambda m, x: m.nn.functional.max_pool2d(x, 3, 2, 1), normal(2, 3, 5, 6)),
    (lambda m, x: m.nn.functional.max_pool2d(x, (2, 3), (1, 2), (1, 0), (2, 1), True, True), normal(3, 5, 6)),
    (
        lambda m, x: m.nn.functional.max_pool2d(
            x, kernel_size=3, stride=2, padding=1, dilation=1, ceil_mode=True, return_indices=True
        ),
        normal(1, 2, 6, 5),
    ),
    (lambda m, x: m.nn.functional.max_pool2d(x, 2, 1, return_indices=True), IMAGE_TIES),
    (lambda m, x: m.nn.functional.max_pool2d(x, 2, stride=2, return_indices=True), IMAGE_NAN),
    (lambda m, x: m.nn.functional.max_pool2d(x, 3, stride=1, padding=1, return_indices=True), IMAGE_NAN),
    (lambda m, x: m.nn.functional.max_pool2d(x, 2, ceil_mode=True), normal(1, 1, 3, 3)),
    (lambda m, x: m.nn.functional.max_pool2d(x, 3, 3, ceil_mode=True), normal(1, 1, 7, 8)),
    (lambda m, x: m.nn.functional.max_pool2d(x, 1, 2), normal(1, 1, 3, 4)),
    (lambda m, x: m.nn.functional.max_pool2d(x, 2), normal(0, 2, 4, 4)),
    (lambda m, x: m.nn.functional.avg_pool2d(x, 2), normal(2, 3, 4, 6)),
    (lambda m, x: m.nn.functional.avg_pool2d(x, 3, 2, 1), normal(2, 3, 5, 6)),
    (lambda m, x: m.nn.functional.avg_pool2d(x, (2, 3), (1, 2), (1, 0), True, False, 5), normal(3, 5, 6)),
    (lambda m, x: m.nn.functional.avg_pool2d(x, 3, 2, 1, True), normal(2, 3, 6, 5)),
    (lambda m, x: m.nn.functional.avg_pool2d(x, 3, 2, 1, True, False), normal(2, 3, 6, 5)),
    (
        lambda m, x: m.nn.functional.avg_pool2d(
            x, kernel_size=2, stride=2, padding=1, ceil_mode=False, count_include_pad=False, divisor_override=3
        ),
        normal(1, 2, 6, 5),
    ),
    (lambda m, x: m.nn.functional.avg_pool2d(x, 2, ceil_mode=True), normal(1, 1, 3, 5)),
    (lambda m, x: m.nn.functional.avg_pool2d(x, 4, 3, 2, ceil_mode=True), normal(1, 1, 7, 8)),
    (lambda m, x: m.nn.functional.adaptive_avg_pool2d(x, 1), normal(2, 3, 4, 5)),
    (lambda m, x: m.nn.functional.adaptive_avg_pool2d(x, (2, 5)), normal(3, 4, 5)),
    (lambda m, x: m.nn.functional.adaptive_avg_pool2d(x, (3, None)), normal(2, 2, 7, 4)),
    (lambda m, x: m.nn.functional.adaptive_avg_pool2d(x, output_size=(7, 2)), normal(1, 2, 5, 7)),
]

RESIZING = [
    (lambda m, x: m.nn.functional.pad(x, (1, 2), mode="reflect"), normal(2, 4)),
    (lambda m, x: m.nn.functional.pad(x, (1, 2, 0, 3), "reflect"), normal(2, 4, 5)),
    (lambda m, x: m.nn.functional.pad(x, (1, 2), "replicate"), normal(2, 2)),
    (lambda m, x: m.nn.functional.pad(x, (4, 0, 1, 2), mode="replicate"), normal(1, 2, 3, 2)),
    (lambda m, x: m.nn.functional.pad(x, (-1, 2, 1, -2), value=1.5), normal(2, 4, 5)),
    (lambda m, x: m.nn.functional.pad(x, (-2, -2)), normal(2, 4)),
    (lambda m, x: m.nn.functional.interpolate(x, 7), normal(2, 3, 4, 5)),
    (lambda m, x: m.nn.functional.interpolate(x, (8, 3)), normal(2, 3, 4, 5)),
    (lambda m, x: m.nn.functional.interpolate(x, size=(9, 5)), normal(1, 2, 3, 5)),
    (lambda m, x: m.nn.functional.interpolate(x, scale_factor=2), normal(1, 2, 3, 4)),
    (lambda m, x: m.nn.functional.interpolate(x, None, (0.5, 2.6), "nearest"), normal(1, 3, 5, 4)),
    (lambda m, x: m.nn.functional.interpolate(x, scale_factor=1.7, mode="nearest"), normal(1, 3, 5)),
    (lambda m, x: m.nn.functional.interpolate(x, scale_factor=1.5), normal(1, 2, 2, 3, 4)),
]

ACTIVATIONS = [
    (lambda m, x: m.erf(x), normal(2, 3)),
    (lambda m, x: x.erf(), floats(-6.0, -3.5, -0.5, -1e-9, 0.0, 0.46875, 0.5, 1.0, 4.0, 10.0)),
    (lambda m, x: x.erf(), SPECIAL),
    (lambda m, x: m.nn.functional.leaky_relu(x), normal(2, 3)),
    (lambda m, x: m.nn.functional.leaky_relu(x, 0.2), KINKS),
    (lambda m, x: m.nn.functional.leaky_relu(x, negative_slope=0.3), SPECIAL),
    (lambda m, x: m.nn.functional.gelu(x), normal(2, 3)),
    (lambda m, x: m.nn.functional.gelu(x, approximate="none"), EDGES),
    (lambda m, x: m.nn.functional.gelu(x, approximate="tanh"), normal(2, 3)),
    (lambda m, x: m.nn.functional.gelu(x, approximate="tanh"), EDGES),
    (lambda m, x: m.nn.functional.silu(x), normal(2, 3)),
    (lambda m, x: m.nn.functional.silu(x), EDGES),
    (lambda m, x: m.nn.functional.softplus(x), normal(2, 3)),
    (lambda m, x: m.nn.functional.softplus(x), EDGES),
    (lambda m, x: m.nn.functional.softplus(x, 2, 10), EDGES),
    (lambda m, x: m.nn.functional.softplus(x, beta=0.5, threshold=5), normal(2, 3)),
    (lambda m, x: m.nn.functional.softmax(x, 1), normal(2, 3)),
    (lambda m, x: m.nn.functional.softmax(x, dim=0), TIES),
    (lambda m, x: m.nn.functional.softmax(x, -2, dtype=m.float64), normal(2, 3, 2)),
    (lambda m, x: m.nn.functional.softmax(x, 0), EDGES),
    (lambda m, x: m.nn.functional.softmax(x, 1), floats([0.0, -INF, 1.0], [-INF, 3.0, -INF])),
    (lambda m, k: m.nn.functional.softmax(k, 0, dtype=m.float32), ints(1, 2, 3)),
    (lambda m, x: m.nn.functional.log_softmax(x, 1), normal(2, 3)),
    (lambda m, x: m.nn.functional.log_softmax(x, dim=0), EDGES),
    (lambda m, x: m.nn.functional.log_softmax(x, -1, dtype=m.float64), normal(2, 3, 2)),
]

NORMALIZATION = [
    (
        lambda m, x, a, v: m.nn.functional.batch_norm(x, a.detach(), v.detach()),
        normal(4, 3), normal(3), positive(3),
    ),
    (
        lambda m, x, a, v, w, b: m.nn.functional.batch_norm(x, a.detach(), v.detach(), w, b, False, 0.2, 1e-3),
        normal(2, 3, 4, 2), normal(3), positive(3), normal(3), normal(3),
    ),
    (
        lambda m, x, w, b: m.nn.functional.batch_norm(x, None, None, weight=w, bias=b, training=True, eps=1e-3),
        normal(2, 3, 4, 2), normal(3), normal(3),
    ),
    (lambda m, x: m.nn.functional.batch_norm(x, None, None, training=True), normal(5, 3)),
    (
        lambda m, x, a, v: [
            m.nn.functional.batch_norm(
                x, running_mean=a.detach(), running_var=v.detach(), training=True, momentum=0.3
            ), a.detach(), v.detach(),
        ],
        normal(3, 2, 4), normal(2), positive(2),
    ),
    (lambda m, x: m.nn.functional.layer_norm(x, (3,)), normal(4, 3)),
    (lambda m, x, w, b: m.nn.functional.layer_norm(x, [2, 3], w, b), normal(4, 2, 3), normal(2, 3), normal(2, 3)),
    (
        lambda m, x, w, b: m.nn.functional.layer_norm(x, normalized_shape=(3,), weight=w, bias=b, eps=1e-2),
        normal(2, 2, 3), normal(3), normal(3),
    ),
]  # fmt: skip

TABLES = [
    (lambda m, k, w: m.nn.functional.embedding(k, w), ints([0, 2, 0], [1, 1, 3]), normal(4, 2)),
    (lambda m, k, w: m.nn.functional.embedding(k.to(m.int32), w), ints(3, 3), normal(4, 2)),
    (lambda m, k, w: m.nn.functional.embedding(k, w, 2), ints(0, 2, 2, 1), normal(4, 2)),
    (lambda m, k, w: m.nn.functional.embedding(input=k, weight=w, padding_idx=-1), ints([3, 0]), normal(4, 2)),
    (lambda m, k: m.nn.functional.one_hot(k), ints([0, 2], [1, 0])),
    (lambda m, k: m.nn.functional.one_hot(k, 4), ints(0, 2)),
    (lambda m, k: m.nn.functional.one_hot(k, num_classes=3), ints(1).reshape(())),
]

PROBABILITIES = floats([0.2, 0.5, 0.3], [0.0, 1.0, 0.0])

LOSSES = [
    (lambda m, x, t: m.nn.functional.l1_loss(x, t), normal(4, 3), normal(4, 3)),
    (lambda m, x, t: m.nn.functional.l1_loss(x, t, reduction="sum"), normal(4, 3), normal(4, 3)),
    (lambda m, x, t: m.nn.functional.l1_loss(x, t, reduction="none"), KINKS, floats(0.0, 0.0, 0.0, 0.5)),
    (lambda m, x, t: m.nn.functional.smooth_l1_loss(x, t), normal(4, 3), normal(4, 3)),
    (lambda m, x, t: m.nn.functional.smooth_l1_loss(x, t, reduction="sum", beta=0.3), normal(4, 3), normal(4, 3)),
    (lambda m, x, t: m.nn.functional.smooth_l1_loss(x, t, reduction="none", beta=0), KINKS, floats(0.0, 0.0, 0.0, 0.5)),
    (lambda m, x, t: m.nn.functional.smooth_l1_loss(x, t, beta=2.0, reduction="sum"), KINKS, floats(0.0, 0.0, 2, 9)),
    (lambda m, x, k: m.nn.functional.nll_loss(x, k), normal(3, 4), ints(0, 3, 1)),
    (lambda m, x, k: m.nn.functional.nll_loss(x, k), normal(4), ints(2).reshape(())),
    (lambda m, x, k, w: m.nn.functional.nll_loss(x, k, w.detach()), normal(3, 4), ints(0, 3, 1), positive(4)),
    (
        lambda m, x, k, w: m.nn.functional.nll_loss(x, k, weight=w.detach(), ignore_index=3, reduction="mean"),
        normal(4, 4), ints(0, 3, 1, 1), positive(4),
    ),
    (
        lambda m, x, k, w: m.nn.functional.nll_loss(x, k, w.detach(), ignore_index=-1, reduction="none"),
        normal(2, 3, 2, 2), ints([[0, -1], [1, 1]], [[2, 2], [-1, 0]]), positive(3),
    ),
    (lambda m, x, k: m.nn.functional.nll_loss(x, k, reduction="sum"), normal(2, 3, 2), ints([0, -100], [2, 1])),
    (lambda m, x, k: m.nn.functional.nll_loss(x, k), normal(2, 3), ints(-100, -100)),
    (lambda m, x, k: m.nn.functional.nll_loss(x, k, ignore_index=1), floats([0.0, -INF], [-1.0, NAN]), ints(0, 1)),
    (lambda m, x, k: m.nn.functional.cross_entropy(x, k), normal(3, 4), ints(0, 3, 1)),
    (lambda m, x, k: m.nn.functional.cross_entropy(x, k), normal(4), ints(2).reshape(())),
    (lambda m, x, k: m.nn.functional.cross_entropy(x, k), floats([1000.0, 0.0], [-1000.0, 0.0]), ints(1, 0)),
    (
        lambda m, x, k, w: m.nn.functional.cross_entropy(
            x, k, w.detach(), ignore_index=3, reduction="mean", label_smoothing=0.1
        ),
        normal(4, 4), ints(0, 3, 1, 1), positive(4),
    ),
    (lambda m, x, k: m.nn.functional.cross_entropy(x, k, label_smoothing=0.3), normal(3, 4), ints(0, -100, 1)),
    (
        lambda m, x, k, w: m.nn.functional.cross_entropy(x, k, weight=w.detach(), label_smoothing=0.2, reduction="sum"),
        normal(2, 3, 2, 2), ints([[0, -100], [1, 1]], [[2, 2], [-100, 0]]), positive(3),
    ),
    (
        lambda m, x, k: m.nn.functional.cross_entropy(input=x, target=k, label_smoothing=0.2, reduction="none"),
        normal(2, 3, 2), ints([0, -100], [2, 1]),
    ),
    (lambda m, x, q: m.nn.functional.cross_entropy(x, q), normal(2, 3), PROBABILITIES),
    (lambda m, x, q: m.nn.functional.cross_entropy(x, q), normal(3), PROBABILITIES[0]),
    (
        lambda m, x, q, w: m.nn.functional.cross_entropy(x, q, w.detach(), label_smoothing=0.2, reduction="none"),
        normal(2, 3, 2), positive(2, 3, 2), positive(3),
    ),
    (
        lambda m, x, q, w: m.nn.functional.cross_entropy(x, q, weight=w.detach(), reduction="mean"),
        normal(2, 3, 2), positive(2, 3, 2), positive(3),
    ),
    (lambda m, x, t: m.nn.functional.binary_cross_entropy_with_logits(x, t), normal(2, 3), positive(2, 3) / 3),
    (
        lambda m, x, t: m.nn.functional.binary_cross_entropy_with_logits(x, t, reduction="none"),
        EDGES, floats(0.0, 1.0, 1.0, 0.0, 0.5, 1.0, 0.0, 1.0),
    ),
    (
        lambda m, x, t, w, p: m.nn.functional.binary_cross_entropy_with_logits(
            x, t, weight=w.detach(), reduction="sum", pos_weight=p.detach()
        ),
        normal(2, 3), positive(2, 3) / 3, positive(2, 1), positive(3),
    ),
]  # fmt: skip

CASES = [
    *CONVOLUTIONS, *POOLING, *RESIZING, *ACTIVATIONS, *NORMALIZATION, *TABLES, *LOSSES,
]  # fmt: skip
