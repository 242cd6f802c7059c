"""Filters learned from a photograph: on every device that has fast convolutions, with few steps."""

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import minigrad
from minigrad.nn import functional as F

SCRIPT = Path(__file__).parents[2] / "examples" / "learn_filters.py"

pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="the tests run outside the checkout")

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def small(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The middle of the photograph alone: what is learned is the same, and comes sooner."""
    photograph = script.photograph()
    monkeypatch.setattr(script, "photograph", lambda: photograph[60:160, 80:180])


@pytest.mark.usefixtures("small")
def test_finds_the_kernels_and_draws(run: Run, fast_device: str, is_picture: Callable[[Path], bool]) -> None:
    status, printed = run("--device", fast_device, "--network-steps", "2")
    assert status == 0
    assert f"on {fast_device}" in printed
    found = re.findall(r"(\w+) +largest error of a weight: (\S+) +\(not whitened: (\S+)\)", printed)
    assert [name for name, *_ in found] == ["blur", "sobel", "laplace"]
    assert all(float(error) < 1e-5 for _, error, _ in found)
    assert all(float(raw) > 0.05 for _, _, raw in found)
    for picture in (f"learn_filters_{fast_device}.png", f"learn_filters_{fast_device}_network.png"):
        assert is_picture(Path("out", picture))


@pytest.mark.usefixtures("fast_device")
def test_the_network_learns_what_no_kernel_can(script: ModuleType) -> None:
    grey = script.photograph()[40:200]
    x = minigrad.tensor(grey - grey.mean())[None, None]
    _, (network, kernel), channels = script.nonlinear_filter(x, steps=250, seed=1)
    assert network > 0.9
    assert kernel < 0.2
    assert channels.shape == (16, 158, 126)


def test_whitening_makes_all_directions_equally_steep(script: ModuleType) -> None:
    grey = script.photograph()
    assert grey.shape == (300, 256)
    assert 0 <= grey.min() < 0.1 < 0.9 < grey.max() <= 1
    x = minigrad.tensor(grey - grey.mean())[None, None]
    raw = np.linalg.eigvalsh(script.covariance(x))
    white = np.linalg.eigvalsh(script.covariance(F.conv2d(x, script.whitening_kernel(x))))
    assert raw[-1] / raw[0] > 1000
    assert white[-1] / white[0] < 2


@pytest.mark.usefixtures("small")
def test_the_seed_chooses_the_initial_kernels(run: Run) -> None:
    few = ("--steps", "1", "--network-steps", "1", "--output", "few.png")
    first, again, other = (run("--seed", seed, *few)[1] for seed in ("3", "3", "4"))
    assert first == again != other


def test_bad_arguments(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--steps 0 must be at least 1" in refused("--steps", "0")
    assert "--network-steps -1 must be at least 1" in refused("--network-steps", "-1")
    assert "must end in .png" in refused("--output", "picture.jpg")
    monkeypatch.setattr("command_line.installed", lambda package: False)
    assert "the photograph comes with matplotlib; install it with: pip install matplotlib" in refused()
