"""The patients of examples/clinic: each is caught and named rightly, and gets well by mending the wrong line."""

import re
from pathlib import Path
from typing import Any

import pytest

import minigrad
from minigrad import GradcheckError

CLINIC = Path(__file__).parents[2] / "examples" / "clinic"

pytestmark = pytest.mark.skipif(not CLINIC.exists(), reason="the tests run outside the checkout")

# patient: (pattern, operation and input that are to be named, what is wrong in the file, what belongs there)
ANSWERS: dict[str, tuple[str, str, int, str, str]] = {
    "01_square": ("factor", "Square", 0, "return dy * x\n", "return dy * 2 * x\n"),
    "02_cosine": ("sign", "Cosine", 0, "return dy * x.sin()", "return -dy * x.sin()"),
    "03_scale_the_columns": ("shape", "ScaleColumns", 1, "dy * scale, dy * x\n", "dy * scale, (dy * x).sum(0)\n"),
    "04_linear": ("missing sum", "Linear", 1, "    dw = dy[n]", "    dw = (0 if n == 0 else dw) + dy[n]"),
    "05_mix": ("transposed", "Mix", 0, "dy @ w,", "dy @ w.T,"),
    "06_correlate": ("not rotated", "Correlate", 0, "w.transpose(0, 1))\n", "w.transpose(0, 1).flip(2, 3))\n"),
    "07_correlate_again": ("rotated", "Correlate", 1, "1)).transpose(0, 1).flip(2, 3)\n", "1)).transpose(0, 1)\n"),
    "08_padded": ("shifted", "Padded", 0, "[:, :, :height, :width]", "[:, :, 1 : 1 + height, 1 : 1 + width]"),
    "09_blur": (
        "border", "Blur", 0, "dy / 9,", "dy / F.conv2d(dy.new_ones(dy.shape), dy.new_ones(1, 1, 3, 3), padding=1),",
    ),
    "10_every_other": ("stride", "EveryOther", 0, "2] = dy", "2] += dy"),
    "11_gate": ("lost use", "", 0, "x.detach()", "x"),
    "12_logarithm": ("cut", "", 0, "minigrad.tensor(np.log1p(x.detach().numpy() ** 2))", "(1 + x**2).log()"),
}  # fmt: skip


def loaded(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "patient"}
    exec(compile(source, "patient", "exec"), names)
    return names


def test_there_are_a_dozen() -> None:
    assert sorted(path.stem for path in CLINIC.glob("*.py")) == sorted(ANSWERS)


@pytest.mark.parametrize("patient", ANSWERS)
def test_the_patient_is_caught_and_named_rightly(patient: str, device: str) -> None:
    pattern, operation, position, _, _ = ANSWERS[patient]
    names = loaded((CLINIC / f"{patient}.py").read_text(encoding="utf-8"))
    if device != "cpu" and patient == "12_logarithm":
        pytest.skip("NumPy's tensors are on the CPU")
    with pytest.raises(GradcheckError, match=re.escape("\nDiagnosis: ")) as caught:
        minigrad.gradcheck(names["operation"], names["inputs"]())
    diagnosis = caught.value.diagnosis
    assert diagnosis is not None
    assert (diagnosis.pattern, diagnosis.operation, diagnosis.position) == (pattern, operation, position)


@pytest.mark.parametrize("patient", ANSWERS)
def test_the_patient_gets_well(patient: str) -> None:
    *_, wrong, right = ANSWERS[patient]
    source = (CLINIC / f"{patient}.py").read_text(encoding="utf-8")
    assert source.count(wrong) == 1
    names = loaded(source.replace(wrong, right))
    examination = minigrad.examine(names["operation"], names["inputs"]())
    assert examination.diagnosis is None, examination
    assert examination.wrong == []


@pytest.mark.parametrize("patient", ANSWERS)
def test_the_file_does_not_give_the_answer_away(patient: str) -> None:
    docstring = (CLINIC / f"{patient}.py").read_text(encoding="utf-8").split('"""')[1]
    assert ANSWERS[patient][0] not in docstring


def test_a_patient_is_seen_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    with pytest.raises(SystemExit) as stopped:
        exec(compile((CLINIC / "01_square.py").read_text(encoding="utf-8"), "01_square.py", "exec"), names)
    assert stopped.value.code == 1
    printed = capsys.readouterr().out
    assert "Diagnosis (factor): Square.backward, for its input 0: it is 0.5 times" in printed
    assert "Page: out/clinic.html" in printed.replace("\\", "/")
    assert Path("out/clinic.html").exists()
