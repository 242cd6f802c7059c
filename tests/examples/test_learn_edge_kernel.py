"""The main job: what it prints, what it draws, and what it says to arguments that make no sense."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import minigrad

SCRIPT = Path(__file__).parents[2] / "examples" / "learn_edge_kernel.py"

pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="the tests run outside the checkout")

Run = Callable[..., tuple[int, str]]
Judge = Callable[[Path], bool]


def learned(printed: str) -> list[float]:
    """The learned kernel, as printed."""
    found = re.search(r"learned kernel +\[ *(\S+), +(\S+)\]", printed)
    assert found is not None
    return [float(weight) for weight in found.groups()]


def losses(printed: str) -> dict[int, float]:
    """Loss by epoch, as printed."""
    return {int(epoch): float(loss) for epoch, loss in re.findall(r"epoch +(\d+)  loss (\S+)$", printed, re.MULTILINE)}


def test_learns_the_kernel_within_a_tenth_in_ten_epochs(run: Run, device: str, is_picture: Judge) -> None:
    status, printed = run("--device", device)
    assert status == 0
    assert f"on {device}" in printed
    np.testing.assert_allclose(learned(printed), [1, -1], atol=0.1)
    by_epoch = losses(printed)
    assert list(by_epoch) == [0, 2, 4, 6, 8, 10]
    assert list(by_epoch.values()) == sorted(by_epoch.values(), reverse=True)
    picture = Path("out", f"learn_edge_kernel_{device}.png")
    assert printed.endswith(f"Picture: {picture}\n")
    assert is_picture(picture)


@pytest.mark.usefixtures("no_picture")
def test_the_advised_number_of_epochs_brings_it_within_a_ten_thousandth(run: Run, device: str) -> None:
    _, printed = run("--device", device)
    advice = re.search(r"--epochs (\d+) to come within 0.0001", printed)
    assert advice is not None
    status, printed = run("--device", device, "--epochs", advice[1])
    assert status == 0
    np.testing.assert_allclose(learned(printed), [1, -1], atol=1e-4)
    assert "to come within" not in printed


@pytest.mark.parametrize("corner", [(0.7071, 0.7071), (-0.7071, -0.7071), (-0.7071, 0.7071), (0.7071, -0.7071)])
def test_every_seed_ends_within_a_tenth(script: ModuleType, corner: tuple[float, float]) -> None:
    """The error is linear in the initial weights, which lie in a square: it is largest for a corner of the square."""
    X, Y, _ = script.image_and_edges("reference")
    layer = minigrad.nn.Conv2d(1, 1, (1, 2), bias=False, device="reference")
    assert layer.weight.abs().max().item() <= 0.7072
    layer.weight.data[:] = minigrad.tensor(corner, device="reference")
    steps = script.gradient_descent(layer, X, Y, lr=0.03)
    kernels = [kernel for _, (_, kernel) in zip(range(41), steps, strict=False)]
    np.testing.assert_allclose(kernels[10], [1, -1], atol=0.09)
    np.testing.assert_allclose(kernels[40], [1, -1], atol=1e-4)


@pytest.mark.usefixtures("no_picture")
def test_the_seed_chooses_the_initial_kernel(run: Run) -> None:
    first, again, other = (run("--device", "reference", "--seed", seed)[1] for seed in ("3", "3", "4"))
    assert first == again
    assert losses(first)[0] != losses(other)[0]


def test_the_loss_is_the_quadratic_that_the_hessian_says(script: ModuleType, device: str) -> None:
    X, Y, K = script.image_and_edges(device)
    layer = minigrad.nn.Conv2d(1, 1, (1, 2), bias=False)
    curvature = script.hessian(script.squared_error(layer, X, Y), layer.weight)
    np.testing.assert_array_equal(curvature, [[36, 24], [24, 36]])
    error = (layer.weight.detach().flatten() - K.flatten()).numpy()
    assert script.squared_error(layer, X, Y).item() == pytest.approx(error @ curvature @ error / 2, rel=1e-5)


@pytest.mark.usefixtures("no_picture")
@pytest.mark.parametrize(
    ("lr", "epochs", "factor"), [("0.036", "10", "-1.16"), ("0.04", "200", "-1.4"), ("1e30", "5", "-6e+31")]
)
def test_a_learning_rate_beyond_the_limit_is_reported(run: Run, device: str, lr: str, epochs: str, factor: str) -> None:
    status, printed = run("--device", device, "--lr", lr, "--epochs", epochs)
    assert status == 1
    assert f"lr {float(lr)} must be below 2 / 60 = 0.03333" in printed
    assert f"= {factor}." in printed
    assert np.isfinite(learned(printed)).all()
    assert "nan" not in printed


@pytest.mark.parametrize("lr", ["0.036", "0.04", "1e30"])
def test_a_learning_rate_beyond_the_limit_has_a_picture_too(run: Run, lr: str, is_picture: Judge) -> None:
    status, _ = run("--device", "reference", "--lr", lr, "--epochs", "200", "--output", "diverged.png")
    assert status == 1
    assert is_picture(Path("diverged.png"))


@pytest.mark.usefixtures("no_picture")
def test_a_learning_rate_just_below_the_limit_is_no_error(run: Run) -> None:
    status, printed = run("--device", "reference", "--lr", "0.0333", "--epochs", "3")
    assert status == 0
    assert list(losses(printed)) == [0, 2, 3]
    assert "over 1000 more epochs" in printed


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--device", "gpu"], "invalid choice: 'gpu'"),
        (["--epochs", "0"], "--epochs 0 must be at least 1"),
        (["--epochs", "ten"], "invalid int value: 'ten'"),
        (["--lr", "-0.1"], "--lr -0.1 must be a positive number"),
        (["--lr", "nan"], "--lr nan must be a positive number"),
        (["--lr", "inf"], "--lr inf must be a positive number"),
        (["--seed", "-1"], "--seed -1 must not be negative"),
        (["--output", "picture.jpg"], "--output picture.jpg must end in .png"),
        (["--output", "file/picture.png"], f"--output {Path('file/picture.png')}: "),
    ],
)
def test_bad_arguments(refused: Callable[..., str], arguments: list[str], complaint: str) -> None:
    assert complaint in refused("--device", "reference", *arguments)


def test_a_device_that_cannot_start_is_a_bad_argument(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str) -> None:
        raise ImportError("install something")

    monkeypatch.setattr("command_line.get_backend", broken)
    assert "--device opencl: install something" in refused("--device", "opencl")


@pytest.mark.usefixtures("no_picture")
def test_without_matplotlib_there_is_no_picture_unless_it_was_asked_for(run: Run, refused: Callable[..., str]) -> None:
    status, printed = run("--device", "reference")
    assert status == 0
    assert "pip install matplotlib" in printed
    assert not Path("out").exists()
    assert "pip install matplotlib" in refused("--device", "reference", "--output", "picture.png")


def test_as_a_program(device: str, tmp_path: Path, is_picture: Judge) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parents[1]), "MINIGRAD_DEVICE": device}
    command = [sys.executable, str(SCRIPT), "--epochs", "40", "--output", "new folder/learned.png"]
    finished = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert f"on {device}" in finished.stdout
    np.testing.assert_allclose(learned(finished.stdout), [1, -1], atol=1e-4)
    assert is_picture(tmp_path / "new folder" / "learned.png")
