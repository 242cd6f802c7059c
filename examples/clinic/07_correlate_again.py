"""Patient 7: correlation, after it had heard that something has to be turned."""

import minigrad
from minigrad.backends.geometry import conv_geometry
from minigrad.nn import functional as F
from minigrad.teaching.clinic import see


class Correlate(minigrad.Function):
    """y = conv2d(x, w)"""

    saves_inputs = "partners"

    def forward(self, x, w):
        geometry = conv_geometry("Correlate", x.shape, w.shape, (1, 1), (0, 0), (1, 1), 1)
        return self.device.conv2d(x, w, geometry)

    def backward(self, dy):
        x, w = self.inputs
        border = w.shape[-1] - 1
        dx = F.conv2d(F.pad(dy, [border] * 4), w.transpose(0, 1).flip(2, 3))
        dw = F.conv2d(x.transpose(0, 1), dy.transpose(0, 1)).transpose(0, 1).flip(2, 3)
        return dx, dw


def operation(x, w):
    return Correlate()(x, w)


def inputs():
    return [minigrad.randn(shape, dtype="float64", requires_grad=True) for shape in ((2, 1, 5, 5), (2, 1, 3, 3))]


if __name__ == "__main__":
    see(operation, inputs())
