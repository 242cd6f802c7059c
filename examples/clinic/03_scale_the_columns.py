"""Patient 3: every column of a table is multiplied with a number of its own. The engine refuses its gradient."""

import minigrad
from minigrad.teaching.clinic import see


class ScaleColumns(minigrad.Function):
    """y[n, k] = x[n, k] * scale[k]"""

    saves_inputs = "partners"

    def forward(self, x, scale):
        return self.device.mul(x, self.device.broadcast_to(scale, x.shape))

    def backward(self, dy):
        x, scale = self.inputs
        return dy * scale, dy * x


def operation(x, scale):
    return ScaleColumns()(x, scale)


def inputs():
    return [minigrad.randn(shape, dtype="float64", requires_grad=True) for shape in ((4, 3), (3,))]


if __name__ == "__main__":
    see(operation, inputs())
