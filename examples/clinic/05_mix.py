"""Patient 5: channels are mixed, y = x w. Shapes are right, so nobody noticed."""

import minigrad
from minigrad.teaching.clinic import see


class Mix(minigrad.Function):
    """y = x w: x (batch, channels), w (channels, channels)"""

    saves_inputs = "partners"
    primitive = "matmul"

    def backward(self, dy):
        x, w = self.inputs
        return dy @ w, x.T @ dy


def operation(x, w):
    return Mix()(x, w)


def inputs():
    return [minigrad.randn(shape, dtype="float64", requires_grad=True) for shape in ((4, 3), (3, 3))]


if __name__ == "__main__":
    see(operation, inputs())
