"""Patient 9: the blur. A pixel becomes the mean of its neighbourhood, of those that are in the image. It frays."""

import minigrad
from minigrad.backends.geometry import conv_geometry
from minigrad.nn import functional as F
from minigrad.teaching.clinic import see


class Blur(minigrad.Function):
    """y = conv2d(x, ones) / count, where count is the number of pixels of each window that are in the image"""

    def forward(self, x):
        geometry = conv_geometry("Blur", x.shape, (1, 1, 3, 3), (1, 1), (1, 1), (1, 1), 1)
        ones = self.device.full((1, 1, 3, 3), 1, x.dtype)
        count = self.device.conv2d(self.device.full(x.shape, 1, x.dtype), ones, geometry)
        return self.device.div(self.device.conv2d(x, ones, geometry), count)

    def backward(self, dy):
        return F.conv2d(dy / 9, dy.new_ones(1, 1, 3, 3), padding=1)


def operation(x):
    return Blur()(x)


def inputs():
    return [minigrad.randn(2, 1, 7, 7, dtype="float64", requires_grad=True)]


if __name__ == "__main__":
    see(operation, inputs())
