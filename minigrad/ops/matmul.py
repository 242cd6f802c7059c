"""Matrix products."""

from minigrad.function import Array, Function, Tensor
from minigrad.ops.reduce import broadcast_shape, broadcast_to
from minigrad.ops.shape import reshape


class MatMul(Function):
    """Z = X Y for matrices in the last two axes: dX = dZ Y^T, dY = X^T dZ. Leading axes are equal."""

    saves_inputs = "partners"
    fresh_gradients = True

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
    if x.dtype != y.dtype or x.dtype.kind == "b":
        raise TypeError(f"matmul: needs numbers of one dtype, got {x.dtype} and {y.dtype}; convert with .float() or "
                        ".double().")
    if x.ndim == 0 or y.ndim == 0:
        raise ValueError(f"matmul: shapes {x.shape} and {y.shape}: a scalar is no matrix; multiply with *.")
    rows, columns = x.ndim > 1, y.ndim > 1
    x = x if rows else reshape(x, (1, *x.shape))
    y = y if columns else reshape(y, (*y.shape, 1))
    if x.shape[-1] != y.shape[-2]:
        raise ValueError(f"matmul: shapes {input.shape} and {other.shape} do not fit: x has {x.shape[-1]} columns, y "
                         f"{y.shape[-2]} rows. Did you mean a transpose, such as x @ y.T?")
    if rows and columns and x.shape[:-2] == y.shape[:-2]:  # as mostly: nothing is to be repeated
        return MatMul()(x, y)
    lead = broadcast_shape(x.shape[:-2], y.shape[:-2])
    z = MatMul()(broadcast_to(x, (*lead, *x.shape[-2:])), broadcast_to(y, (*lead, *y.shape[-2:])))
    if rows and columns:
        return z
    return reshape(z, (*lead, *(x.shape[-2:-1] if rows else ()), *(y.shape[-1:] if columns else ())))


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """matmul of two matrices: shapes (n, k), (k, m) -> (n, m)."""
    return matmul(*_of_ranks("mm", input, 2, mat2, 2))


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """matmul of a matrix and a vector: shapes (n, k), (k,) -> (n,)."""
    return matmul(*_of_ranks("mv", input, 2, vec, 1))


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """matmul of as many matrices each: shapes (b, n, k), (b, k, m) -> (b, n, m)."""
    if input.shape[:1] != mat2.shape[:1]:
        raise ValueError(f"bmm: shapes {input.shape}, {mat2.shape} differ in axis 0; matmul repeats single matrices.")
    return matmul(*_of_ranks("bmm", input, 3, mat2, 3))


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """sum_k x[k] y[k] of two vectors."""
    return matmul(*_of_ranks("dot", input, 1, tensor, 1))


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """z[i, j] = x[i] y[j] of two vectors."""
    x, y = _of_ranks("outer", input, 1, vec2, 1)
    return reshape(x, (-1, 1)) * y


def _of_ranks(name: str, x: Tensor, x_rank: int, y: Tensor, y_rank: int) -> tuple[Tensor, Tensor]:
    if (x.ndim, y.ndim) != (x_rank, y_rank):
        raise ValueError(f"{name}: shapes {x.shape} and {y.shape} must have {x_rank} and {y_rank} axes; matmul takes "
                         "any shapes.")
    return x, y
