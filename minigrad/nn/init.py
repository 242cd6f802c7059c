"""Initial values for parameters, written in place; as in PyTorch, they are not recorded.

Random numbers are drawn on the host in double precision, which not every device has: the same numbers everywhere.

Sources: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010); He et
al., "Delving deep into rectifiers" (2015).
"""

import math

from minigrad.function import no_grad
from minigrad.random import Generator, rand, randn
from minigrad.tensor import Tensor

_GAINS = {"linear": 1.0, "conv1d": 1.0, "conv2d": 1.0, "conv_transpose1d": 1.0, "conv_transpose2d": 1.0,
          "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}  # fmt: skip


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fills `tensor` with random numbers spread evenly over [a, b)."""
    if a > b:
        raise ValueError(f"uniform_: there are no numbers from a={a} up to b={b}.")
    return _filled(tensor, rand(tensor.shape, dtype="float64", device="reference", generator=generator) * (b - a) + a)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fills `tensor` with normally distributed random numbers of that mean and standard deviation."""
    if not std >= 0:
        raise ValueError(f"normal_: std={std} must not be negative.")
    return _filled(tensor, randn(tensor.shape, dtype="float64", device="reference", generator=generator) * std + mean)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fills `tensor` with `val`."""
    with no_grad():
        return tensor.fill_(val)


def zeros_(tensor: Tensor) -> Tensor:
    """Fills `tensor` with 0."""
    return constant_(tensor, 0)


def ones_(tensor: Tensor) -> Tensor:
    """Fills `tensor` with 1."""
    return constant_(tensor, 1)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform with the deviation gain * sqrt(2 / (fan_in + fan_out)): signals and gradients both keep their size."""
    bound = gain * _root(6.0, sum(_fans("xavier_uniform_", tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with the deviation gain * sqrt(2 / (fan_in + fan_out))."""
    return normal_(tensor, 0.0, gain * _root(2.0, sum(_fans("xavier_normal_", tensor))), generator)


def kaiming_uniform_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                     generator: Generator | None = None) -> Tensor:
    """Uniform with the deviation gain / sqrt(fan): signals keep their size through the nonlinearity.

    `a` is the slope of a leaky relu on its negative side; mode "fan_out" keeps the size of gradients instead.
    """
    bound = calculate_gain(nonlinearity, a) * _root(3.0, _fan("kaiming_uniform_", tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                    generator: Generator | None = None) -> Tensor:
    """Normal with the deviation gain / sqrt(fan)."""
    std = calculate_gain(nonlinearity, a) * _root(1.0, _fan("kaiming_normal_", tensor, mode))
    return normal_(tensor, 0.0, std, generator)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """What weights are multiplied by to make up for the nonlinearity: sqrt(2 / (1 + param^2)) for "leaky_relu"."""
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in _GAINS:
        raise ValueError(f"calculate_gain: nonlinearity={nonlinearity!r} is not of {', '.join(_GAINS)}, leaky_relu.")
    return _GAINS[nonlinearity]


def _fans(name: str, tensor: Tensor) -> tuple[int, int]:
    """fan_in, fan_out: how many inputs each output of a weight sums over, and how many outputs each input reaches."""
    if tensor.ndim < 2:
        raise ValueError(f"{name}: a weight has at least 2 dimensions, got shape {tensor.shape}.")
    outputs, inputs, *kernel = tensor.shape
    return inputs * math.prod(kernel), outputs * math.prod(kernel)


def _fan(name: str, tensor: Tensor, mode: str) -> int:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"{name}: mode={mode!r} must be 'fan_in' or 'fan_out'.")
    return _fans(name, tensor)[mode == "fan_out"]


def _root(numerator: float, fan: int) -> float:
    return math.sqrt(numerator / fan) if fan else 0.0  # a weight without elements


def _filled(tensor: Tensor, numbers: Tensor) -> Tensor:
    with no_grad():
        return tensor.copy_(numbers.to(tensor.dtype).to(tensor.device))
