"""gradcheck and gradgradcheck themselves: they must accuse what is wrong, name it, and accept what is right."""

import pytest

import minigrad
from minigrad import Function, GradcheckError, Tensor


class Product(Function):
    """x * y with a gradient for y that can be made wrong."""

    saves_inputs = "all"
    factor: float = 1.0

    def forward(self, x, y):
        return self.device.mul(x, y)

    def backward(self, dz):
        x, y = self.inputs
        return dz * y, dz * x * self.factor


class Doubled(Product):
    factor = 2.0


class FirstOnly(Function):
    """x^2 whose gradient is right, but leaves the graph: its second derivative is lost."""

    saves_inputs = "all"

    def forward(self, x):
        return self.device.mul(x, x)

    def backward(self, dy):
        (x,) = self.inputs
        return dy * 2 * x.detach()


def inputs(*shapes: tuple[int, ...]) -> list[Tensor]:
    return [minigrad.randn(shape, dtype="float64", requires_grad=True) for shape in shapes]


def test_a_right_gradient_passes(device: str) -> None:
    assert minigrad.gradcheck(lambda x, y: Product()(x, y), inputs((2, 3), (2, 3)))
    assert minigrad.gradgradcheck(lambda x, y: Product()(x, y), inputs((2, 3), (2, 3)))


def test_a_wrong_gradient_is_named_with_input_index_and_both_numbers() -> None:
    x = minigrad.tensor([[3.0, 5.0]], dtype="float64", requires_grad=True)
    y = minigrad.tensor([[0.5, 0.25]], dtype="float64", requires_grad=True)
    with pytest.raises(GradcheckError) as caught:
        minigrad.gradcheck(lambda x, y: Doubled()(x, y), [x, y])
    message = str(caught.value)
    assert "inputs[1] (shape (1, 2)) is wrong at [0, 0]" in message
    numbers = message.split("backward says ")[1].split(" (")[0].split(", finite differences ")
    said, found = map(float, numbers)
    assert said == pytest.approx(2 * found, rel=1e-6)
    assert "2 of 2 elements" in message


def test_a_single_wrong_element_is_found() -> None:
    def function(x: Tensor) -> Tensor:
        y = x * 2
        y.register_hook(lambda dy: dy * minigrad.tensor([1.0, 1.0, 1.01], dtype="float64"))
        return y

    with pytest.raises(GradcheckError, match=r"inputs\[0\] .* at \[2\].*1 of 3"):
        minigrad.gradcheck(function, inputs((3,)))


def test_a_lost_second_derivative_is_found() -> None:
    x = inputs((3,))
    assert minigrad.gradcheck(lambda x: FirstOnly()(x), x)
    with pytest.raises(GradcheckError):
        minigrad.gradgradcheck(lambda x: FirstOnly()(x), x)


def test_a_cut_graph_is_found() -> None:
    with pytest.raises(GradcheckError, match="no output of the function depends"):
        minigrad.gradcheck(lambda x: x.detach() * 2, inputs((2,)))
    with pytest.raises(GradcheckError, match=r"backward says 0, finite differences"):
        minigrad.gradcheck(lambda x, y: x * y.detach(), inputs((2,), (2,)))


def test_without_exceptions_the_answer_is_false() -> None:
    assert not minigrad.gradcheck(lambda x, y: Doubled()(x, y), inputs((2,), (2,)), raise_exception=False)
    assert not minigrad.gradgradcheck(lambda x: FirstOnly()(x), inputs((2,)), raise_exception=False)


def test_a_nan_gradient_is_wrong() -> None:
    x = minigrad.tensor([0.0], dtype="float64", requires_grad=True)
    with pytest.raises(GradcheckError, match="nan"):
        minigrad.gradcheck(lambda x: (x * 0) / (x * 0), x)


def test_inputs_that_cannot_be_checked_are_refused() -> None:
    with pytest.raises(TypeError, match=r"inputs\[0\] is float32.*double"):
        minigrad.gradcheck(minigrad.exp, minigrad.ones(2, requires_grad=True))
    with pytest.raises(ValueError, match="requires_grad=True"):
        minigrad.gradcheck(minigrad.exp, minigrad.ones(2, dtype="float64"))


def test_several_outputs_and_inputs_that_need_no_gradient() -> None:
    x, constant = inputs((2, 2), (2, 2))
    constant.requires_grad_(False)
    assert minigrad.gradcheck(lambda x, c: (x * c, x.sum()), [x, constant])
    assert minigrad.gradgradcheck(lambda x, c: (x * c * x, x.sum() ** 2), [x, constant])
    assert x.grad is None
