"""Patient 10: a kernel of three goes along a row, two pixels at a time. Its windows overlap, and something is amiss."""

import minigrad
from minigrad.backends.geometry import conv_geometry
from minigrad.teaching.clinic import see


class EveryOther(minigrad.Function):
    """y[n, 0, 0, j] = x[n, 0, 0, 2 j] * w[0] + x[n, 0, 0, 2 j + 1] * w[1] + x[n, 0, 0, 2 j + 2] * w[2]"""

    saves_inputs = "partners"

    def forward(self, x, w):
        geometry = conv_geometry("EveryOther", x.shape, w.shape, (1, 2), (0, 0), (1, 1), 1)
        return self.device.conv2d(x, w, geometry)

    def backward(self, dy):
        x, w = self.inputs
        width, dx, dw = dy.shape[3], None, None
        if self.needs_grad[0]:
            dx = dy.new_zeros(*dy.shape[:3], 2 * width + 1)
            for tap in range(3):
                dx[..., tap : tap + 2 * width : 2] = dy * w[0, 0, 0, tap]
        if self.needs_grad[1]:
            taps = [(x[..., tap : tap + 2 * width : 2] * dy).sum() for tap in range(3)]
            dw = minigrad.stack(taps).reshape(1, 1, 1, 3)
        return dx, dw


def operation(x, w):
    return EveryOther()(x, w)


def inputs():
    return [minigrad.randn(shape, dtype="float64", requires_grad=True) for shape in ((2, 1, 1, 11), (1, 1, 1, 3))]


if __name__ == "__main__":
    see(operation, inputs())
