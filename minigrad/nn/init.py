"""Initial values for parameters, written in place. Random numbers come from `minigrad.manual_seed`'s generator."""

import math

from minigrad.function import no_grad
from minigrad.random import rand
from minigrad.tensor import Tensor


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Fills `tensor` with random numbers spread evenly over [a, b)."""
    if a > b:
        raise ValueError(f"uniform_: there are no numbers from a={a} up to b={b}.")
    with no_grad():
        # drawn on the host, in double precision, which not every device has: the same numbers everywhere
        numbers = rand(tensor.shape, dtype="float64", device="reference") * (b - a) + a
        return tensor.copy_(numbers.to(tensor.dtype).to(tensor.device))


def kaiming_uniform_(tensor: Tensor, a: float = 0.0) -> Tensor:
    """Fills a weight uniformly over +-sqrt(6 / ((1 + a^2) fan_in)): signals keep their size through relus.

    Source: He et al., "Delving deep into rectifiers" (2015).

    fan_in is the number of inputs each output sums over: all axes but the first. `a` is the slope of a leaky relu.
    """
    if tensor.ndim < 2:
        raise ValueError(f"kaiming_uniform_: a weight has at least 2 dimensions, got shape {tensor.shape}.")
    fan_in = math.prod(tensor.shape[1:])
    bound = math.sqrt(6.0 / ((1.0 + a * a) * fan_in)) if fan_in else 0.0
    return uniform_(tensor, -bound, bound)
