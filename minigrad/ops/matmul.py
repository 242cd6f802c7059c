"""Matrix products."""

from minigrad.function import Array, Function, Tensor
from minigrad.ops.convert import same_dtype
from minigrad.ops.reduce import broadcast_shape, broadcast_to
from minigrad.ops.shape import reshape


class MatMul(Function):
    """Z = X Y for matrices in the last two axes: dX = dZ Y^T, dY = X^T dZ. Leading axes are equal."""

    saves_inputs = "partners"

    def forward(self, x: Array, y: Array) -> Array:
        return self.device.matmul(x, y)

    def backward(self, dz: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, y = self.inputs
        return dz @ y.mT if self.needs_grad[0] else None, x.mT @ dz if self.needs_grad[1] else None


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """z[..., i, j] = sum_k x[..., i, k] y[..., k, j]; dx = dz y^T, dy = x^T dz.

    Shapes (..., n, k) @ (..., k, m) -> (..., n, m), leading axes broadcast. A vector on the left is a row, on the right
    a column, and its axis vanishes from the result: (k,) @ (k,) is the dot product.
    """
    x, y = input, input._as_operand(other)
    if not (x.is_floating_point() and y.is_floating_point()):
        raise TypeError(f"matmul: needs floating-point tensors, got {x.dtype} and {y.dtype}; convert with .float().")
    x, y = same_dtype(x, y)
    if x.ndim == 0 or y.ndim == 0:
        raise ValueError(f"matmul: shapes {x.shape} and {y.shape}: a scalar is no matrix; multiply with *.")
    rows, columns = x.ndim > 1, y.ndim > 1
    x = x if rows else reshape(x, (1, *x.shape))
    y = y if columns else reshape(y, (*y.shape, 1))
    if x.shape[-1] != y.shape[-2]:
        raise ValueError(
            f"matmul: shapes {input.shape} and {other.shape} do not fit: x has {x.shape[-1]} columns, y {y.shape[-2]} "
            "rows. Did you mean a transpose, such as x @ y.T?"
        )
    lead = broadcast_shape(x.shape[:-2], y.shape[:-2])
    z = MatMul()(broadcast_to(x, (*lead, *x.shape[-2:])), broadcast_to(y, (*lead, *y.shape[-2:])))
    if rows and columns:
        return z
    return reshape(z, (*lead, *(x.shape[-2:-1] if rows else ()), *(y.shape[-1:] if columns else ())))
