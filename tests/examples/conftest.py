"""What the tests of the examples share: a test file names its script in SCRIPT, here it is loaded and run."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from matplotlib.image import imread

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def script(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, with its folder on the path as if it had been run."""
    file: Path = request.module.SCRIPT
    monkeypatch.syspath_prepend(file.parent)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(
    script: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Runs the script in an empty folder; returns its exit status and what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str]:
        return script.main(arguments), capsys.readouterr().out

    return run


@pytest.fixture
def no_picture(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script as it runs where matplotlib is missing: what is printed is the same, and comes sooner."""
    monkeypatch.setattr("command_line.installed", lambda package: package != "matplotlib")


@pytest.fixture
def refused(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Runs the script in an empty folder with arguments that it refuses; returns its complaint."""
    monkeypatch.chdir(tmp_path)
    Path("file").touch()

    def refused(*arguments: str) -> str:
        with pytest.raises(SystemExit) as stopped:
            script.main(arguments)
        assert stopped.value.code == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        return printed.err

    return refused


@pytest.fixture
def fast_device(device: str) -> str:
    """The devices that learn from many images in seconds."""
    if device == "reference":
        pytest.skip("the convolutions of the reference are plain loops")
    return device


@pytest.fixture
def is_picture() -> Callable[[Path], bool]:
    """Whether the file is a PNG of some size in which something is drawn."""

    def is_picture(file: Path) -> bool:
        pixels = imread(file)
        return min(pixels.shape[:2]) > 500 and pixels[..., :3].std() > 0.05 and len(np.unique(pixels[::4, ::4, 0])) > 20

    return is_picture
