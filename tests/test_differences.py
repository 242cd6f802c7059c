"""Finite differences find the step that suits a function, and know when none does."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import Tensor
from minigrad.differences import Tolerance, Weighed

TOLERANCE = Tolerance(1e-5, 1e-3)


def at(value: float) -> list[Tensor]:
    return [minigrad.tensor(value, dtype="float64", requires_grad=True)]


def closely(function: Callable[[Tensor], Tensor], value: float) -> tuple[float, float]:
    """The derivative of a function of one number, and by how much it may be off."""
    weighed = Weighed(function, at(value))
    slope, doubt = weighed.closely(at(value), 0, (), np.array(1.0), TOLERANCE)
    weight = float(weighed.weights[0])
    return slope / weight, abs(doubt / weight)


def test_the_weight_of_a_scalar_is_negative() -> None:
    """Else a backward that takes dy without its sign would look right."""
    assert Weighed(minigrad.exp, at(1.0)).weights[0] < 0
    signs = np.sign(Weighed(minigrad.exp, [minigrad.ones(8, dtype="float64")]).weights[0])
    assert set(signs) == {-1, 1}


@given(scale=st.floats(-9, 7), phase=st.floats(-3, 3))
def test_functions_of_every_scale(scale: float, phase: float) -> None:
    k = 10.0**scale
    slope, doubt = closely(lambda x: (x * k).sin(), phase / k)
    assert slope == pytest.approx(k * math.cos(phase), rel=1e-3, abs=1e-4 * k + 1e-5)
    assert doubt < 0.02 * k + 1e-3


@given(exponent=st.floats(-9, 9))
def test_places_of_every_size(exponent: float) -> None:
    x = 10.0**exponent
    for function, right in ((minigrad.log, 1 / x), (minigrad.sqrt, 0.5 / math.sqrt(x)), (lambda x: 1 / x, -1 / x**2)):
        slope, _ = closely(function, x)
        assert slope == pytest.approx(right, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize(
    ("function", "value"),
    [
        (lambda x: x + 1e30, 1.0),
        (lambda x: x * 2 + minigrad.tensor(np.sin(1e15 * x.numpy(force=True))), 0.3),
        (lambda x: minigrad.where(x > 0, x + 1, x), 0.0),
    ],
)
def test_where_no_step_tells_anything_the_doubt_is_infinite(function: Callable[[Tensor], Tensor], value: float) -> None:
    assert closely(function, value)[1] == math.inf


def test_what_does_not_change_has_the_derivative_zero() -> None:
    assert closely(lambda x: x.round(), 0.3) == (0, 0)
    assert closely(lambda x: x.clamp(min=0.5), -3.0) == (0, 0)


def test_outputs_that_are_not_finite_do_not_count() -> None:
    mask = minigrad.tensor([0.0, -np.inf], dtype="float64")
    weighed = Weighed(lambda x: x + mask, [minigrad.ones(2, dtype="float64")])
    assert weighed.weights[0][1] == 0
    assert weighed.numeric([minigrad.ones(2, dtype="float64")], 0) == pytest.approx([weighed.weights[0][0], 0])


def test_a_step_that_leaves_the_domain_gives_nothing() -> None:
    def careful(x: Tensor) -> Tensor:
        if (x < 0).any():
            raise ValueError("negative")
        return x.sqrt()

    weighed = Weighed(careful, at(1e-7))
    assert np.isnan(weighed.numeric(at(1e-7), 0))
    assert closely(careful, 1e-7)[0] == pytest.approx(0.5 / math.sqrt(1e-7), rel=1e-3)
