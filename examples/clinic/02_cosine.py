"""Patient 2: the cosine. Gradient descent climbs."""

import minigrad
from minigrad.teaching.clinic import see


class Cosine(minigrad.Function):
    saves_inputs = "all"
    primitive = "cos"  # forward is this primitive of the device

    def backward(self, dy):
        (x,) = self.inputs
        return dy * x.sin()


def operation(x):
    return Cosine()(x)


def inputs():
    return [minigrad.randn(5, dtype="float64", requires_grad=True)]


if __name__ == "__main__":
    see(operation, inputs())
