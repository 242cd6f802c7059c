"""python -m minigrad: every command runs, prints its text and writes its page; what makes no sense is refused."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from minigrad.__main__ import COMMANDS, main

NAMES = [command.__name__ for command in COMMANDS]
PATIENTS = Path(__file__).parents[1] / "examples" / "clinic"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_without_a_command_it_lists_what_there_is() -> None:
    run = subprocess.run([sys.executable, "-m", "minigrad"], capture_output=True, text=True, check=True)
    assert NAMES == ["edge", "explain", "replay", "clinic", "lab", "compare", "doctor"]
    for name in NAMES:
        assert f"    {name} " in run.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "dx[0,0,3,3] = "),
        (["--image", "4x5", "--kernel", "1,2", "--stride", "1", "--padding", "0"], "stride (1, 1), padding (0, 0)"),
    ],
)
def test_explain(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", *arguments]) == 0
    assert says in capsys.readouterr().out
    assert Path("out/explain.html").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Plain recursion would have left 6 at a, not 4."),
        (["--of", "neuron"], "bias.grad is "),
        (["--of", "network"], "network.0.weight.grad is "),
        (["--of", "network", "--depth", "0"], "loss starts with 1"),
    ],
)
def test_replay(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", *arguments, "--output", "new/page.html"]) == 0
    assert says in capsys.readouterr().out
    assert Path("new/page.html").exists()


def test_edge(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["edge"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[10].startswith("epoch 20  loss    0.00")


def test_clinic(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clinic"]) == 0
    assert "Diagnosis (lost use): " in capsys.readouterr().out
    Path("well.py").write_text("import minigrad\noperation = minigrad.exp\ninputs = lambda: "
                               "[minigrad.ones(2, dtype='float64', requires_grad=True)]\n")
    assert main(["clinic", "well.py"]) == 0
    assert "All gradients are right" in capsys.readouterr().out


@pytest.mark.skipif(not PATIENTS.exists(), reason="the tests run outside the checkout")
def test_clinic_with_a_patient(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clinic", str(PATIENTS / "06_correlate.py")]) == 1
    assert "Diagnosis (not rotated): Correlate.backward" in capsys.readouterr().out


def test_lab(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "--lr", "0.036", "--steps", "10", "--start", "0.5", "0.3"]) == 0
    assert "does not converge" in capsys.readouterr().out
    assert main(["lab", "--convolve", "--reduction", "mean", "--momentum", "0.5"]) == 0


def test_compare(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--x", "1,1,8,8", "--w", "2,1,3,3", "--padding", "1", "--seconds", "0"]) == 0
    printed = capsys.readouterr().out
    assert "Cython, tiles" in printed
    assert "padding 1" in printed


def test_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.endswith("All is well.\n")


def test_open(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    main(["lab", "--open"])
    assert opened == [Path("out/lab.html").resolve().as_uri()]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["lab", "--lr", "0"], "lr=0.0 must be a positive number"),
        (["lab", "--steps", "1000"], "steps=1000"),
        (["explain", "--image", "6"], "must be two numbers, rows and columns"),
        (["explain", "--image", "axb"], "must be whole numbers"),
        (["explain", "--kernel", "9x9"], "larger than the padded input"),
        (["explain", "--stride", "0"], "stride=(0, 0) must be at least 1"),
        (["explain", "--image", "70x70"], "too large for a page"),
        (["replay", "--depth", "-1"], "depth=-1"),
        (["compare", "--x", "1,1,8,8"], "--x and --w go together"),
        (["compare", "--stride", "2"], "--x and --w go together"),
        (["clinic", "."], ". is no file"),
        (["compare", "--x", "1,1,8", "--w", "1,1,2,2"], "needs shapes of four numbers"),
        (["clinic", "nowhere.py"], "nowhere.py"),
        (["clinic", "empty.py"], "must define operation(*inputs) and inputs()"),
        (["lab", "--output", "file/page.html"], "file"),
        (["nonsense"], "invalid choice"),
    ],
)
def test_nonsense_is_refused(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty.py").touch()
    Path("file").touch()
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert complaint in capsys.readouterr().err


def test_errors_of_a_file_are_those_of_its_author() -> None:
    """A usage message would hide the line."""
    head = "import minigrad\ninputs = lambda: [minigrad.ones(2, requires_grad=True)]\n"
    Path("floats.py").write_text(head + "operation = minigrad.exp\n")
    with pytest.raises(TypeError, match="float32"):
        main(["clinic", "floats.py"])
    Path("missing.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(ImportError, match="nothing_of_that_name"):
        main(["clinic", "missing.py"])


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such pipes")
@pytest.mark.parametrize("command", ["explain", "edge"])
def test_a_reader_who_has_seen_enough(command: str) -> None:
    program = f"{shlex.quote(sys.executable)} -m minigrad {command} | head -1"
    run = subprocess.run(["bash", "-c", f"set -o pipefail; {program}"], capture_output=True, text=True, check=True)
    assert run.stdout.count("\n") == 1
    assert run.stderr == ""
    assert command == "edge" or Path("out/explain.html").exists()
