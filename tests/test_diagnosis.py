"""Diagnoses: each kind of mistake is told from the others, and nothing that is right is accused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import Function, GradcheckError, Tensor, nn
from minigrad.diagnosis import PATTERNS, Diagnosis
from minigrad.nn import functional as F


def inputs(*shapes: tuple[int, ...]) -> list[Tensor]:
    return [minigrad.randn(shape, dtype="float64", requires_grad=True) for shape in shapes]


class Wrong(Function):
    """x * y with a gradient that a function makes of the right ones."""

    saves_inputs = "all"

    def __init__(self, mistake: Callable[..., Any]) -> None:
        self.mistake = mistake

    def forward(self, x: Any, y: Any) -> Any:
        return self.device.mul(x, y)

    def backward(self, dz: Tensor) -> Any:
        x, y = self.inputs
        return self.mistake(dz * y, dz * x)


def diagnosis_of(function: Callable[..., Any], tensors: list[Tensor]) -> Diagnosis:
    with pytest.raises(GradcheckError) as caught:
        minigrad.gradcheck(function, tensors)
    assert caught.value.diagnosis is not None
    assert str(caught.value).endswith(f"\nDiagnosis: {caught.value.diagnosis.text}")
    assert caught.value.diagnosis.pattern in PATTERNS
    return caught.value.diagnosis


@pytest.mark.parametrize(
    ("mistake", "pattern", "position"),
    [
        (lambda dx, dy: (dx, dy * 2), "factor", 1),
        (lambda dx, dy: (dx * -1, dy), "sign", 0),
        (lambda dx, dy: (dx, None), "zero", 1),
        (lambda dx, dy: (dx * 0, dy), "zero", 0),
        (lambda dx, dy: (dx / 4, dy), "factor", 0),
        (lambda dx, dy: (dx * 1.7, dy), "factor", 0),
        (lambda dx, dy: (dx.flip(0, 1), dy), "rotated", 0),
        (lambda dx, dy: (dx.T, dy), "transposed", 0),
        (lambda dx, dy: (dx.cumsum(0), dy), "unknown", 0),
        (lambda dx, dy: (dx.exp(), dy), "without dy", 0),
        (lambda dx, dy: (dx.abs(), dy), "without dy", 0),
        (lambda dx, dy: (dx, dy * 0 + 1), "without dy", 1),
        (lambda dx, dy: (dx, dy.sum(0)), "shape", 1),
    ],
)
def test_what_is_wrong_is_told_apart(mistake: Callable[..., Any], pattern: str, position: int) -> None:
    found = diagnosis_of(lambda x, y: Wrong(mistake)(x, y), inputs((4, 4), (4, 4)))
    assert (found.pattern, found.operation, found.position) == (pattern, "Wrong", position)


def test_the_culprit_is_named_among_many() -> None:
    def function(x: Tensor, w: Tensor) -> Tensor:
        hidden = F.relu(x @ w)
        return F.log_softmax(Wrong(lambda dx, dy: (dx, -dy))(hidden.tanh(), hidden.exp()), 1)

    found = diagnosis_of(function, inputs((3, 4), (4, 4)))
    assert (found.pattern, found.operation, found.position) == ("sign", "Wrong", 1)
    assert "Wrong.backward, for its input 1" in found.text


def test_one_input_of_two_is_cut() -> None:
    found = diagnosis_of(lambda x, y: x * y.detach(), inputs((2, 3), (2, 3)))
    assert (found.pattern, found.position) == ("cut", 1)
    found = diagnosis_of(lambda x: minigrad.tensor(x.detach().numpy()) * 2, inputs((2,)))
    assert (found.pattern, found.position) == ("cut", 0)


def test_a_use_that_is_lost_further_on() -> None:
    found = diagnosis_of(lambda x: x.exp() * (x * 3).detach().sin(), inputs((2, 3)))
    assert found.pattern == "lost use"
    assert "It has 1 use of inputs[0]" in found.text


def test_a_use_that_is_lost_to_no_grad() -> None:
    def function(x: Tensor) -> Tensor:
        with minigrad.no_grad():
            scale = x.norm()
        return x / scale

    assert diagnosis_of(function, inputs((3, 2))).pattern == "lost use"


def test_a_hook_is_named() -> None:
    def function(x: Tensor) -> Tensor:
        y = x * 2
        y.register_hook(lambda dy: dy * 3)
        return y.exp()

    assert diagnosis_of(function, inputs((2, 2))).pattern == "hook"


def test_where_there_is_no_derivative() -> None:
    x = minigrad.tensor([0.0, 1.0], dtype="float64", requires_grad=True)
    found = diagnosis_of(lambda x: (x * 0) / (x * 0), [x])
    assert (found.pattern, found.text[:35]) == ("not finite", "the function has no finite value he")
    zero = minigrad.tensor([0.0], dtype="float64", requires_grad=True)
    assert diagnosis_of(lambda x: x.log(), [zero]).pattern == "not finite"


def test_a_mean_where_a_sum_belongs_and_the_other_way_round() -> None:
    def total(dx: Tensor, dy: Tensor) -> Any:
        return dx * 5, dy

    assert "is it a sum where a mean belongs" in diagnosis_of(
        lambda x, y: Wrong(total)(x, y).mean(), inputs((5, 2), (5, 2))).text
    assert "1/5: is it a mean" in diagnosis_of(
        lambda x, y: Wrong(lambda dx, dy: (dx / 5, dy))(x, y), inputs((5, 2), (5, 2))).text


class Scale(Function):
    """y = c x for a single number x, so that any wrong gradient is a multiple of the right one."""

    saves_inputs = "all"

    def forward(self, x: Any) -> Any:
        return self.device.exp(x)

    def backward(self, dy: Tensor) -> Tensor:
        return dy * 1.234


def test_a_single_number_is_not_called_a_factor() -> None:
    assert diagnosis_of(lambda x: Scale()(x), inputs(())).pattern == "unknown"


def test_a_corner_beside_the_mistake_is_not_accused() -> None:
    """relu at 0 disagrees with finite differences; the culprit is the other."""
    x = minigrad.tensor([[0.0, 1.0], [-1.0, 2.0]], dtype="float64", requires_grad=True)
    y = minigrad.tensor([[1.0, 1.5], [2.0, 3.0]], dtype="float64", requires_grad=True)
    found = diagnosis_of(lambda x, y: Wrong(lambda dx, dy: (dx, dy * 2))(F.relu(x), y), [x, y])
    assert found.operation in ("Wrong", "")
    assert found.operation != "Relu"


def test_second_derivatives_have_a_diagnosis_too() -> None:
    class Cube(Function):
        saves_inputs = "all"

        def forward(self, x: Any) -> Any:
            return self.device.power(x, 3)

        def backward(self, dy: Tensor) -> Tensor:
            (x,) = self.inputs
            return dy * 3 * x.detach() * x

    with pytest.raises(GradcheckError) as caught:
        minigrad.gradgradcheck(lambda x: Cube()(x), inputs((3,)))
    assert caught.value.diagnosis is not None
    assert caught.value.diagnosis.pattern == "lost use"


def test_a_network_that_is_right_is_right() -> None:
    layers = [nn.Conv2d(1, 2, 3, padding=1), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(8, 3)]
    model, x = nn.Sequential(*layers).double(), inputs((2, 1, 4, 4))
    examination = minigrad.examine(lambda x: model(x), x)
    assert (examination.diagnosis, examination.wrong) == (None, [])
    assert {"Conv2d", "AddBias", "Tanh", "Linear"} <= set(examination.operations)


def test_what_gradcheck_returns_without_exceptions() -> None:
    assert not minigrad.gradcheck(lambda x, y: Wrong(lambda dx, dy: (dx, dy.sum(0)))(x, y), inputs((2, 2), (2, 2)),
                                  raise_exception=False)  # fmt: skip


def test_errors_that_are_no_gradients_pass_through() -> None:
    class Breaks(Function):
        primitive = "neg"

        def backward(self, dy: Tensor) -> Tensor:
            raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        minigrad.gradcheck(lambda x: Breaks()(x), inputs((2,)))


def test_numbers_are_those_that_disagree() -> None:
    found = diagnosis_of(lambda x, y: Wrong(lambda dx, dy: (dx * 2, dy))(x, y), inputs((2, 2), (2, 2)))
    np.testing.assert_allclose(found.found, 2 * found.expected, rtol=1e-6)


# --- what people found who tried to break it: nothing that is right may be accused ------------------------------


def at(*values: float) -> Tensor:
    return minigrad.tensor(list(values), dtype="float64", requires_grad=True)


class Op(Function):
    """An operation made of two functions: of arrays forwards, of tensors backwards."""

    saves_inputs = "all"

    def __init__(self, forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
        self.way, self.back = forward, backward

    def forward(self, *arrays: Any) -> Any:
        return self.way(*arrays)

    def backward(self, dy: Tensor) -> Any:
        return self.back(dy, *self.inputs)


@pytest.mark.parametrize(
    ("function", "tensor"),
    [
        (F.relu, at(0.0, 1.0)),
        (lambda x: x.clamp(0, 1), at(0.0, 1.0)),
        (F.leaky_relu, at(0.0)),
        (lambda x: F.relu(x * 2).sum(), at(0.0, -1.0)),
        (lambda x: F.max_pool2d(x.reshape(1, 1, 2, 2), 2), at(1.0, 1.0, 1.0, 0.0)),
        (F.relu, at(*[0.0] * 30)),
        (lambda x: x.reshape(5, 6).amax(1), at(*[0.0] * 30)),
        (lambda x: F.max_pool2d(x.reshape(1, 1, 6, 6), 2), at(*[0.0] * 36)),
    ],
)
def test_corners_and_ties(function: Callable[..., Any], tensor: Tensor) -> None:
    assert diagnosis_of(function, [tensor]).pattern == "corner"


def test_random_numbers() -> None:
    x = inputs((3, 4))
    assert diagnosis_of(lambda x: x * minigrad.rand(3, 4, dtype="float64"), x).pattern == "not the same twice"
    assert diagnosis_of(lambda x: F.dropout(x, 0.5, training=True), x).pattern == "not the same twice"


def test_what_is_constant_and_which_input_is_cut() -> None:
    assert diagnosis_of(lambda x: x.sign(), inputs((3,))).pattern == "constant"
    assert diagnosis_of(lambda x: minigrad.ones(3, dtype="float64"), inputs((3,))).pattern == "constant"
    found = diagnosis_of(lambda x, y: y.detach() * 3, inputs((3,), (3,)))
    assert (found.pattern, found.position) == ("cut", 1)


def test_a_product_at_zero_whose_backward_divides() -> None:
    wrong = Op(lambda x: np.asarray(x.prod()), lambda dy, x: dy * x.prod().detach() / x)
    found = diagnosis_of(lambda x: wrong.again()(x), [at(0.0, 2.0, 3.0)])
    assert (found.pattern, found.operation) == ("nan", "Op")


MASK = minigrad.tensor(np.triu(np.ones((3, 3)), 1)).bool()


@pytest.mark.parametrize(
    ("function", "tensors"),
    [
        (lambda x: F.softmax(x.masked_fill(MASK, -float("inf")), -1), inputs((3, 3))),
        (lambda x: F.softmax(x.masked_fill(MASK, -1e9), -1), inputs((3, 3))),
        (lambda x: x * x, [at(1e5, 1.0)]),
        (lambda x: x**3, [at(0.0, 255.0, 128.0, 7.0)]),
        (lambda x: x.exp().sum().log(), [at(10.0, 20.0, 30.0)]),
        (lambda x: ((x * 1000 - 250_000) ** 2).mean(), [at(200.0, 300.0, 151.0)]),
        (lambda x: x.exp() + 0 * x.float().sin().double(), inputs((3,))),
    ],
)
def test_large_numbers_masks_and_casts_accuse_nobody(function: Callable[..., Any], tensors: list[Tensor]) -> None:
    examination = minigrad.examine(function, tensors)
    assert (examination.diagnosis, examination.wrong) == (None, []), str(examination)


@pytest.mark.parametrize(
    ("function", "tensors"),
    [
        (lambda t: (2 * np.pi * 50 * t).sin(), [at(1000.0, 2000.5)]),  # the step is a third of a radian
        (lambda x: (x * 1e6).sin(), at(0.3, -1.2, 0.8)),
        (lambda x: x.log(), [at(1e-5, 2e-5)]),
        (lambda x: 1 / x, [at(1e-5, 2e-9)]),
        (lambda x: x.sqrt(), [at(1e-7)]),
        (F.relu, [at(1e-7)]),
        (lambda x: F.log_softmax(x, 0), [at(1e6, 1e6 + 1, 1e6 - 1)]),
        (lambda x: (x + 1e10) - 1e10, at(0.3, -1.2, 0.8)),
        (lambda x: ((x + 1e10) ** 2).sum(), at(0.3, -1.2, 0.8)),
        (lambda x: (-((x / 1e-9) ** 2)).exp(), [at(0.5e-9, 1e-9)]),
        (lambda x: 1e-9 / x, [at(1e-9)]),
        (lambda x: F.softmax(x - minigrad.tensor([0.0, 1e15, 0.0], dtype="float64"), 0), at(0.3, -1.2, 0.8)),
        (lambda x: x[x > 0] ** 2, [at(1e-7, 0.5, 1.0)]),
        (lambda x: F.softmax(x + minigrad.tensor([0.0, -np.inf, 0.0], dtype="float64"), 0), at(0.3, -1.2, 0.8)),
        (lambda x: x + minigrad.tensor([0.0, -np.inf, 0.0], dtype="float64"), at(0.3, -1.2, 0.8)),
        (lambda x: minigrad.where(x > 0, x.log(), 0 * x), [at(-1.0, 1.0)]),
    ],
)
def test_steps_that_are_too_long_or_too_short_and_what_is_not_finite(
    function: Callable[..., Any], tensors: list[Tensor]
) -> None:
    examination = minigrad.examine(function, tensors)
    assert (examination.diagnosis, examination.wrong) == (None, []), str(examination)


def test_large_numbers_hide_no_mistake() -> None:
    wrong = Op(lambda x: x + 1e10, lambda dy, x: 5 * dy)
    found = diagnosis_of(lambda x: wrong.again()(x), inputs((4,)))
    assert (found.pattern, found.operation) == ("factor", "Op")
    wrong = Op(lambda x: x**2 + 1e8, lambda dy, x: dy * x)
    found = diagnosis_of(lambda x: wrong.again()(x), inputs((4,)))
    assert (found.pattern, found.operation) == ("factor", "Op")


def test_differences_that_cannot_tell_say_so() -> None:
    """The noise of a function that is not what it seems; it is no random one: it gives the same twice."""

    def noisy(x: Tensor) -> Tensor:
        noise = np.sin(1e15 * x.numpy(force=True))
        return x * 2 + minigrad.tensor(noise)

    for _ in range(10):
        found = diagnosis_of(noisy, inputs((3,)))
        assert (found.pattern, found.operation) == ("undecided", "")
    assert not minigrad.gradcheck(noisy, inputs((3,)), raise_exception=False)


def test_in_float32_nothing_is_told_and_nobody_accused() -> None:
    for seed in range(12):
        minigrad.manual_seed(seed)
        model = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 3))
        examination = minigrad.examine(lambda x: model(x.float()).double(), inputs((4, 10)))  # noqa: B023
        assert examination.wrong == []
        assert examination.diagnosis is None or examination.diagnosis.pattern == "undecided"


def test_a_gross_mistake_is_seen_in_float32_too() -> None:
    wrong = Op(np.tanh, lambda dy, x: 2 * dy * (1 - x.tanh() ** 2))
    assert diagnosis_of(lambda x: wrong.again()(x.float()).double(), inputs((4,))).pattern == "factor"


def test_a_constant_that_drowns_everything_accuses_nobody() -> None:
    found = diagnosis_of(lambda x: x + 1e30, [at(0.1, 0.2)])
    assert (found.pattern, found.operation) == ("undecided", "")


@pytest.mark.parametrize("frequency", [1e6, 3e6, 1e7, 1e8])
def test_what_changes_fast_is_no_corner(frequency: float) -> None:
    wrong = Op(lambda x: np.sin(frequency * x), lambda dy, x: dy * 0)
    assert diagnosis_of(lambda x: wrong.again()(x), [at(0.5)]).pattern == "zero"


def test_a_jump_is_not_decided() -> None:
    found = diagnosis_of(lambda x: minigrad.where(x > 0, x + 1, x), [at(0.0, 1.0, 2.0)])
    assert (found.pattern, "jumps" in found.text) == ("undecided", True)


@pytest.mark.parametrize("size", [9, 12, 16])
def test_a_stride_in_two_directions(size: int) -> None:
    def backward(dy: Tensor, x: Tensor) -> Tensor:
        right = minigrad.zeros(size, size, dtype="float64")
        right[::2, ::2] = 1
        return F.conv2d(dy[None, None], minigrad.ones(1, 1, 3, 3, dtype="float64"), padding=2)[0, 0] * right

    def forward(x: Any) -> Any:
        return sum(x[i : size - 2 + i, j : size - 2 + j] for i in range(3) for j in range(3))

    wrong = Op(forward, backward)
    found = diagnosis_of(lambda x: wrong.again()(x), inputs((size, size)))
    assert (found.pattern, "(0, 0) when divided by 2" in found.text) == ("stride", True)


def test_what_is_too_large_is_said_to_be() -> None:
    wrong = Op(lambda x, w: x @ w, lambda dy, x, w: (dy @ w.T, -(x.T @ dy)))
    w = minigrad.randn(101, 100, dtype="float64", requires_grad=True)
    examination = minigrad.examine(lambda x: wrong.again()(x, w), inputs((1, 101)))
    assert str(examination) == "All gradients are right. Operations: Op (too large to be looked into)."


def test_where_a_function_refuses_to_go_no_step_is_taken() -> None:
    def careful(x: Tensor) -> Tensor:
        if (x > 2e-5).any():
            raise ValueError("too much")
        return x.log() + x[x > 1e-6].sum()

    assert minigrad.gradcheck(careful, [at(1e-5, 1.5e-5)])


def test_what_a_function_raises_beside_its_inputs_is_said() -> None:
    def careful(x: Tensor) -> Tensor:
        if (x < 0).any():
            raise ValueError("negative")
        return x.sqrt()

    found = diagnosis_of(careful, [at(0.0)])
    assert (found.pattern, "Moved, it raises ValueError('negative')" in found.text) == ("not finite", True)


def test_inputs_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match=r"inputs\[0\] holds infinities or nan"):
        minigrad.gradcheck(lambda x: x * 2, [at(np.inf, 1.0)])


def test_where_a_norm_has_no_derivative() -> None:
    found = diagnosis_of(lambda x: (x * x).sum().sqrt(), [at(0.0, 0.0)])
    assert (found.pattern, "Sqrt has no finite value, or no derivative" in found.text) == ("not finite", True)


def test_a_hook_that_writes_into_its_gradient() -> None:
    def function(x: Tensor) -> Tensor:
        y = x * 2
        y.register_hook(lambda dy: (dy.mul_(5), None)[1])
        return y * 1

    assert diagnosis_of(function, inputs((3,))).pattern == "hook"


@pytest.mark.parametrize(
    ("forward", "backward", "tensor"),
    [
        (lambda x: np.where(x > 0, x, 0.1 * x), lambda dy, x: dy * (x > 0).double(), at(2.0, -3.0)),
        (lambda x: 1 / (1 + np.exp(-x)), lambda dy, x: dy * x.sigmoid(), at(0.0)),
        (lambda x: x**3, lambda dy, x: dy * 3 * x, at(2.0, 2.0)),
    ],
)
def test_of_one_or_two_numbers_not_much_is_said(
    forward: Callable[..., Any], backward: Callable[..., Any], tensor: Tensor
) -> None:
    wrong = Op(forward, backward)
    found = diagnosis_of(lambda x: wrong.again()(x), [tensor])
    assert (found.pattern, found.operation) == ("unknown", "Op")
    assert "more different numbers" in found.text


def test_what_is_wrong_in_the_backward_of_a_backward() -> None:
    inner = Op(np.sin, lambda dy, x: 2 * dy * x.cos())
    outer = Op(lambda x: -np.cos(x), lambda dy, x: dy * inner.again()(x))
    with pytest.raises(GradcheckError) as caught:
        minigrad.gradgradcheck(lambda x: outer.again()(x), inputs((4,)))
    assert caught.value.diagnosis is not None
    assert (caught.value.diagnosis.pattern, caught.value.diagnosis.operation) == ("factor", "Op")


def test_the_culprit_behind_a_mask_is_found() -> None:
    wrong = Op(np.sin, lambda dy, x: -dy * x.cos())
    found = diagnosis_of(lambda x: F.softmax(wrong.again()(x).masked_fill(MASK, -float("inf")), -1), inputs((3, 3)))
    assert (found.pattern, found.operation) == ("sign", "Op")


@pytest.mark.parametrize("shape", [(3, 3), (3, 4), (5, 5), (8,), (2, 9)])
def test_an_elementwise_mistake_is_not_called_one_of_padding_or_stride(shape: tuple[int, ...]) -> None:
    for seed in range(20):
        minigrad.manual_seed(seed)
        wrong = Op(lambda x: np.maximum(x, 0), lambda dy, x: dy * (x > -0.5).double())
        x = minigrad.randn(shape, dtype="float64", requires_grad=True)
        if ((x > -0.5) & (x < 0)).any():
            assert diagnosis_of(lambda x: wrong.again()(x), [x]).pattern in ("unknown", "factor")  # noqa: B023


@pytest.mark.parametrize("shape", [(4, 4), (5, 4), (4, 5)])
def test_a_running_sum_that_runs_the_wrong_way_is_not_called_shifted(shape: tuple[int, ...]) -> None:
    wrong = Op(lambda x: np.cumsum(x, 1), lambda dy, x: dy.cumsum(1))
    assert diagnosis_of(lambda x: wrong.again()(x), inputs(shape)).pattern not in ("shifted", "border", "stride")


@pytest.mark.parametrize(
    ("back", "says"),
    [
        (lambda dy, x, w: (x.T @ dy, dy @ w.T), "in the order of the inputs"),
        (lambda dy, x, w: (dy @ w.T, dy.T @ x), "the other way round"),
    ],
)
def test_shapes_that_are_wrong_for_other_reasons(back: Callable[..., Any], says: str) -> None:
    wrong = Op(lambda x, w: x @ w, back)
    assert says in diagnosis_of(lambda x, w: wrong.again()(x, w), inputs((2, 3), (3, 4))).text


def test_who_writes_into_what_belongs_to_others() -> None:
    def backward(dy: Tensor, x: Tensor) -> Tensor:
        dy *= x.exp()
        return dy

    wrong = Op(np.exp, backward)
    found = diagnosis_of(lambda x, b: wrong.again()(x) + b, inputs((3,), (3,)))
    assert (found.pattern, found.operation) == ("in place", "Op")

    def forward(x: Any) -> Any:
        x *= 2
        return x.copy()

    wrong = Op(forward, lambda dy, x: dy * 2)
    assert diagnosis_of(lambda x: wrong.again()(x.exp()), inputs((3,))).pattern in ("in place", "not the same twice")


def test_a_hook_that_only_looks_is_not_accused() -> None:
    def function(x: Tensor) -> Tensor:
        y = x * 2
        y.register_hook(lambda dy: None)
        return y * x.detach()

    assert diagnosis_of(function, inputs((3,))).pattern == "lost use"
    assert diagnosis_of(lambda x: (x.register_hook(lambda g: g * 3), x * 2)[1], inputs((3,))).pattern == "hook"


def test_a_backward_by_way_of_numpy() -> None:
    wrong = Op(np.exp, lambda dy, x: minigrad.tensor(2 * (dy * x.exp()).numpy(force=True)))
    assert diagnosis_of(lambda x: wrong.again()(x), inputs((3,))).pattern == "factor"


def test_second_derivatives_under_no_grad() -> None:
    with minigrad.no_grad():
        assert minigrad.gradgradcheck(lambda x: x.exp(), inputs((3,)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: minigrad.gradcheck(lambda x: 3.0, inputs((2,))), TypeError, "returned float"),
        (lambda: minigrad.gradcheck(lambda x: None, inputs((2,))), TypeError, "returned NoneType"),
        (lambda: minigrad.gradcheck(lambda x: [], inputs((2,))), TypeError, "returned none"),
        (lambda: minigrad.gradcheck(lambda x, y: x, [*inputs((2,)), 2.0]), TypeError, r"inputs\[1\] is float"),
        (lambda: minigrad.gradcheck(lambda x: x, inputs((2,)), eps=0), ValueError, "eps=0 must be positive"),
    ],
)
def test_says_what_is_wrong(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
