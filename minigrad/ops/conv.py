"""Convolution: three Functions that are each other's gradients.

    T = sum over n, o, c, i, j, u, v of  y[n,o,i,j] * x[n,c,h,k] * w[o,c,u,v]        (see backends/base.py)

is linear in x, in w and in y. Its three partial derivatives are the three maps below; the derivatives of each map are
the other two, applied to what is at hand. So convolution can be differentiated as often as one likes, and only three
kernels are needed. Everything else is reading the right letters off T:

    map                       of      incoming    gradients
    conv2d                    x, w    dy          input_grad(dy, w) for x,    weight_grad(x, dy) for w
    conv2d_input_grad         y, w    dx          conv2d(dx, w) for y,        weight_grad(dx, y) for w
    conv2d_weight_grad        x, y    dw          input_grad(y, dw) for x,    conv2d(x, dw) for y

`conv2d_input_grad` is also known as the transposed convolution.
"""

from minigrad.backends.geometry import ConvGeometry
from minigrad.function import Array, Function, Tensor


class _Convolution(Function):
    """What the three have in common: two factors, of which the gradient of one needs the other, and the geometry."""

    saves_inputs = "partners"
    fresh_gradients = True

    def __init__(self, geometry: ConvGeometry) -> None:
        self.geometry = geometry


class Conv2d(_Convolution):
    def forward(self, x: Array, w: Array) -> Array:
        return self.device.conv2d(x, w, self.geometry)

    def backward(self, dy: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, w = self.inputs
        dx = conv2d_input_grad(dy, w, self.geometry) if self.needs_grad[0] else None
        return dx, conv2d_weight_grad(x, dy, self.geometry) if self.needs_grad[1] else None


class Conv2dInputGrad(_Convolution):
    def forward(self, y: Array, w: Array) -> Array:
        return self.device.conv2d_input_grad(y, w, self.geometry)

    def backward(self, dx: Tensor) -> tuple[Tensor | None, Tensor | None]:
        y, w = self.inputs
        dy = conv2d(dx, w, self.geometry) if self.needs_grad[0] else None
        return dy, conv2d_weight_grad(dx, y, self.geometry) if self.needs_grad[1] else None


class Conv2dWeightGrad(_Convolution):
    def forward(self, x: Array, y: Array) -> Array:
        return self.device.conv2d_weight_grad(x, y, self.geometry)

    def backward(self, dw: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, y = self.inputs
        dx = conv2d_input_grad(y, dw, self.geometry) if self.needs_grad[0] else None
        return dx, conv2d(x, dw, self.geometry) if self.needs_grad[1] else None


def conv2d(x: Tensor, w: Tensor, geometry: ConvGeometry) -> Tensor:
    """y[n,o,i,j] = sum over c, u, v of x[n,c,h,k] * w[o,c,u,v]. (`nn.functional.conv2d` is the function for users.)"""
    return Conv2d(geometry)(x, w)


def conv2d_input_grad(y: Tensor, w: Tensor, geometry: ConvGeometry) -> Tensor:
    """x[n,c,h,k] = sum over the o, i, j, u, v that meet (h, k) of y[n,o,i,j] * w[o,c,u,v]."""
    return Conv2dInputGrad(geometry)(y, w)


def conv2d_weight_grad(x: Tensor, y: Tensor, geometry: ConvGeometry) -> Tensor:
    """w[o,c,u,v] = sum over n, i, j of x[n,c,h,k] * y[n,o,i,j]."""
    return Conv2dWeightGrad(geometry)(x, y)
