"""Patient 1: the square, y = x^2. Every step of gradient descent is too short."""

import minigrad
from minigrad.teaching.clinic import see


class Square(minigrad.Function):
    saves_inputs = "all"

    def forward(self, x):
        return self.device.mul(x, x)

    def backward(self, dy):
        (x,) = self.inputs
        return dy * x


def operation(x):
    return Square()(x)


def inputs():
    return [minigrad.randn(3, 4, dtype="float64", requires_grad=True)]


if __name__ == "__main__":
    see(operation, inputs())
