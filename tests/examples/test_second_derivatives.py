"""Newton's method through conv2d: what it prints and draws, and that its second derivatives are right."""

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import minigrad

SCRIPT = Path(__file__).parents[2] / "examples" / "second_derivatives.py"

pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="the tests run outside the checkout")

Run = Callable[..., tuple[int, str]]


def newton_errors(printed: str) -> list[float]:
    """The errors of Newton's method by step, as printed."""
    return [float(error) for error in re.findall(r"^ +\d+ +\S+ +(\S+)$", printed, re.MULTILINE)]


def test_prints_and_draws_what_the_hessian_buys(run: Run, device: str, is_picture: Callable[[Path], bool]) -> None:
    status, printed = run("--device", device)
    assert status == 0
    assert f"on {device}" in printed
    assert "Hessian           [36, 24]\n  Hessian           [24, 36]\n  eigenvalues       12 and 60" in printed
    assert "stable below 2 / 60 = 0.03333, best at 2 / (12 + 60) = 0.02778" in printed
    steps = re.findall(r"within 0.0001 after (\d+) step", printed)
    assert len(steps) == 3
    assert int(steps[0]) > int(steps[1]) > 10 * int(steps[2]) == 10
    picture = Path("out", f"second_derivatives_{device}.png")
    assert printed.endswith(f"Picture: {picture}\n")
    assert is_picture(picture)


@pytest.mark.usefixtures("no_picture")
@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_newton_squares_the_error(run: Run, device: str, seed: str) -> None:
    _, printed = run("--device", device, "--seed", seed, "--steps", "8")
    errors = newton_errors(printed)
    assert len(errors) == 8
    assert errors[-1] < 1e-14
    for error, following in pairwise(errors[2:-1]):
        assert following < max(10 * error**2, 1e-14)


def test_the_second_derivatives_are_those_of_finite_differences(script: ModuleType, device: str) -> None:
    loss, solution = script.detector_problem("float64")
    w = solution + 0.1
    gradient, hessian = script.gradient_and_hessian(loss, w)
    numbers = [loss(minigrad.tensor(w + step)).item() for step in (1e-5 * np.eye(10))]
    below = [loss(minigrad.tensor(w - step)).item() for step in (1e-5 * np.eye(10))]
    np.testing.assert_allclose(gradient, np.subtract(numbers, below) / 2e-5, rtol=1e-6, atol=1e-7)
    rows = [
        script.gradient_and_hessian(loss, w + step)[0] - script.gradient_and_hessian(loss, w - step)[0]
        for step in 1e-5 * np.eye(10)
    ]
    np.testing.assert_allclose(hessian, np.array(rows) / 2e-5, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("no_picture")
def test_where_there_is_no_double_precision(
    script: ModuleType, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def single(*shape: int, dtype: str, device: str) -> None:
        raise TypeError(f"{device} has no {dtype}")

    monkeypatch.setattr(script.minigrad, "zeros", single)
    assert script.best_dtype("cpu") == "float32"
    monkeypatch.undo()
    loss, solution = script.detector_problem("float32")
    path = script.path(script.newton(loss), np.zeros_like(solution), 7)
    assert path.dtype == np.float32
    assert script.errors(path, solution)[-1] < 1e-5


@pytest.mark.usefixtures("no_picture")
def test_few_steps_and_the_seed(run: Run) -> None:
    first, again, other = (run("--seed", seed, "--steps", "1")[1] for seed in ("3", "3", "4"))
    assert first == again != other
    assert len(newton_errors(first)) == 2


def test_bad_arguments(refused: Callable[..., str]) -> None:
    assert "--steps 0 must be at least 1" in refused("--steps", "0")
    assert "--seed -1 must not be negative" in refused("--seed", "-1")
    assert "must end in .png" in refused("--output", "picture.jpg")
    assert "invalid choice: 'gpu'" in refused("--device", "gpu")
