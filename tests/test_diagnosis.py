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
        (lambda dx, dy: (dx.exp(), dy), "unknown", 0),
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
    assert "only 1 of its uses" in found.text


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
    assert found.pattern == "not finite"


def test_a_mean_where_a_sum_belongs_and_the_other_way_round() -> None:
    def total(dx: Tensor, dy: Tensor) -> Any:
        return dx * 5, dy

    assert "the size of an axis: is it a sum" in diagnosis_of(
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
    """relu at 0 disagrees with finite differences there; the culprit is the other."""
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
