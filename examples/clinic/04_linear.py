"""Patient 4: the fully connected layer. It learns, but as if it had seen a single example of each batch."""

import minigrad
from minigrad.teaching.clinic import see


class Linear(minigrad.Function):
    """y = x w^T: x (batch, features), w (outputs, features)"""

    saves_inputs = "partners"

    def forward(self, x, w):
        return self.device.matmul(x, self.device.permute(w, (1, 0)))

    def backward(self, dy):
        x, w = self.inputs
        dw = None
        for n in range(dy.shape[0]):
            dw = dy[n].unsqueeze(1) * x[n].unsqueeze(0)
        return dy @ w, dw


def operation(x, w):
    return Linear()(x, w)


def inputs():
    return [minigrad.randn(shape, dtype="float64", requires_grad=True) for shape in ((4, 3), (2, 3))]


if __name__ == "__main__":
    see(operation, inputs())
