"""examine(): what it says, and what its page shows of it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import Function, Tensor
from minigrad.teaching.clinic import Examination


class Doubled(Function):
    """x y, whose gradient for y is twice what it should be."""

    saves_inputs = "all"

    def forward(self, x: Any, y: Any) -> Any:
        return self.device.mul(x, y)

    def backward(self, dz: Tensor) -> tuple[Tensor, Tensor]:
        x, y = self.inputs
        return dz * y, dz * x * 2


def ill(*shape: int) -> Examination:
    x, y = [minigrad.randn(shape, dtype="float64", requires_grad=True) for _ in range(2)]
    return minigrad.examine(lambda x, y: Doubled()(x.exp(), y).tanh(), [x, y])


def test_says_who_is_wrong_and_how() -> None:
    examination = ill(2, 3)
    lines = str(examination).splitlines()
    assert lines[0].startswith("gradcheck: the gradient of inputs[1] (shape (2, 3)) is wrong at [0, 0]")
    assert lines[1].startswith("Diagnosis (factor): Doubled.backward, for its input 1: it is 2 times")
    assert lines[2] == "Operations: Exp, Doubled (wrong), Tanh."
    assert examination.source.startswith("def backward(self, dz: Tensor)")
    assert examination.source.endswith("    return dz * y, dz * x * 2\n")
    assert repr(examination) == "<Examination: factor>"


def test_says_that_all_is_well() -> None:
    x = minigrad.randn(3, dtype="float64", requires_grad=True)
    examination = minigrad.examine(minigrad.exp, x)
    assert str(examination) == "All gradients are right. Operations: Exp."
    assert examination.data()["pattern"] is None
    assert repr(examination) == "<Examination: well>"


class AddBias(Function):
    def forward(self, x: Any, b: Any) -> Any:
        return self.device.add(x, b)

    def backward(self, dy: Tensor) -> tuple[Tensor, Tensor]:
        return dy, dy


class Tripled(Function):
    """3 x, by a backward that writes into what it is given."""

    def forward(self, x: Any) -> Any:
        return self.device.add(x, self.device.add(x, x))

    def backward(self, dy: Tensor) -> Tensor:
        return dy.mul_(3)


def test_a_gradient_of_the_wrong_shape() -> None:
    x, b = [minigrad.randn(*shape, dtype="float64", requires_grad=True) for shape in ((5, 4), (4,))]
    examination = minigrad.examine(lambda x, b: AddBias()(x, b).exp(), [x, b])
    assert examination.diagnosis is not None
    assert (examination.diagnosis.pattern, examination.wrong) == ("shape", ["AddBias"])
    assert "sum over the axes" in str(examination)
    assert examination.data()["shape"] is None


def test_an_operation_that_is_wrong_for_what_is_not_among_the_inputs() -> None:
    x, y = [minigrad.randn(2, 3, dtype="float64", requires_grad=True) for _ in range(2)]
    examination = minigrad.examine(lambda x: Doubled()(x, y), x)
    assert examination.diagnosis is not None
    assert (examination.diagnosis.pattern, examination.diagnosis.position) == ("factor", 1)
    assert str(examination).startswith("The gradients of all inputs are right, but not all that its operations do.\n")


@pytest.mark.browser
def test_where_there_are_no_two_gradients_none_are_shown(open_page: Callable[..., Any]) -> None:
    def function(x: Tensor) -> Tensor:
        y = x * 1
        return Tripled()(y) + y

    examination = minigrad.examine(function, minigrad.randn(3, dtype="float64", requires_grad=True))
    page = open_page(examination)
    assert page.locator("#verdict").inner_text().startswith("in place: Tripled.backward writes into dy")
    assert page.locator("#chart").is_hidden()


def test_wrong_inputs_are_refused_as_by_gradcheck() -> None:
    with pytest.raises(TypeError, match="float64"):
        minigrad.examine(minigrad.exp, minigrad.ones(2, requires_grad=True))


def test_a_large_gradient_is_not_shown_cell_by_cell() -> None:
    w = minigrad.ones(2, dtype="float64")
    x = minigrad.ones(70, 70, dtype="float64", requires_grad=True)
    examination = minigrad.examine(lambda x: (x * w[0].detach() * x[0, 0].detach()).sum(), x)
    assert examination.data()["found"] is None
    assert "elements are wrong" in str(examination)


@pytest.mark.browser
def test_the_page_shows_both_gradients(open_page: Callable[..., Any]) -> None:
    examination = ill(2, 3)
    assert examination.diagnosis is not None
    page = open_page(examination)
    assert page.locator("#verdict").inner_text() == f"factor: {examination.diagnosis.text}"
    assert page.locator("#operations .wrong").all_inner_texts() == ["Doubled"]
    assert page.locator("#patterns .this").all_inner_texts() == ["factor", "a constant factor"]
    assert "return dz * y, dz * x * 2" in page.locator("#source code").inner_text()
    tables = page.locator("#matrices table").all()
    shown = [[cell.get_attribute("title") for cell in table.locator("td").all()] for table in tables]
    numbers = np.array([[float(text.replace("\N{MINUS SIGN}", "-")) for text in cells] for cells in shown])
    np.testing.assert_allclose(numbers[0], examination.diagnosis.found.ravel(), rtol=1e-6)
    np.testing.assert_allclose(numbers[1], examination.diagnosis.expected.ravel(), rtol=1e-6)
    np.testing.assert_allclose(numbers[2], numbers[0] - numbers[1], rtol=1e-5)
    tables[1].locator("td").nth(4).hover()
    assert page.locator("#numbers").inner_text().startswith("[1, 1]: backward gives ")
    assert page.locator("#numbers").inner_text().endswith("; 2 times as much")
    assert page.locator("td.same").count() == 3
    tables[0].locator("td").nth(4).focus()
    page.keyboard.press("ArrowUp")
    assert page.locator("#numbers").inner_text().startswith("[0, 1]: ")


@pytest.mark.browser
def test_the_page_of_one_that_is_well(open_page: Callable[..., Any]) -> None:
    x = minigrad.randn(3, dtype="float64", requires_grad=True)
    page = open_page(minigrad.examine(minigrad.exp, x))
    assert page.locator("#verdict").inner_text() == "All gradients are right: finite differences agree."
    assert page.locator("#chart").is_hidden()
    assert page.locator("#source").is_hidden()
