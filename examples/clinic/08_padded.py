"""Patient 8: correlation with a padding of 1, so that y is as large as x. The image that it draws wanders off."""

import minigrad
from minigrad.backends.geometry import conv_geometry
from minigrad.nn import functional as F
from minigrad.teaching.clinic import see


class Padded(minigrad.Function):
    """y = conv2d(x, w, padding=1)"""

    saves_inputs = "partners"

    def forward(self, x, w):
        geometry = conv_geometry("Padded", x.shape, w.shape, (1, 1), (1, 1), (1, 1), 1)
        return self.device.conv2d(x, w, geometry)

    def backward(self, dy):
        x, w = self.inputs
        height, width = dy.shape[2:]
        with_border = F.conv_transpose2d(dy, w)  # two rows and columns larger than x
        dx = with_border[:, :, :height, :width]
        dw = F.conv2d(x.transpose(0, 1), dy.transpose(0, 1), padding=1).transpose(0, 1)
        return dx, dw


def operation(x, w):
    return Padded()(x, w)


def inputs():
    return [minigrad.randn(shape, dtype="float64", requires_grad=True) for shape in ((1, 1, 5, 6), (1, 1, 3, 3))]


if __name__ == "__main__":
    see(operation, inputs())
