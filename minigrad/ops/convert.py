"""Operations that change what an element is or where it lives: dtype, device, and a copy of its own."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from minigrad.dtypes import float32
from minigrad.function import Array, Function, Tensor

KINDS = {"b": 0, "u": 1, "i": 1, "f": 2}  # of dtypes, in the order in which each can hold the ones before


class Cast(Function):
    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    def forward(self, x: Array) -> Array:
        self.x_dtype = x.dtype
        return self.device.astype(x, self.dtype)

    def backward(self, dy: Tensor) -> Tensor:
        return cast(dy, self.x_dtype)


def cast(input: Tensor, dtype: np.dtype[Any]) -> Tensor:
    """y = x in another dtype, dx = dy in x's. Integers and bools have no gradient: they cut the graph."""
    if input.array.dtype == dtype:
        return input
    return Cast(dtype)(input if dtype.kind == "f" else input.detach())


def as_float(input: Tensor) -> Tensor:
    """A floating-point tensor as it is, integers and bools as float32."""
    return input if input.array.dtype.kind == "f" else cast(input, float32)


def common_dtype(tensors: Iterable[Tensor]) -> np.dtype[Any]:
    """The dtype in which tensors meet: of the highest kind, bool < integer < float; if of one kind, that of the tensors
    with axes (one without any counts as a number), of these the widest.
    """
    return max(tensors, key=lambda x: (KINDS[x.dtype.kind], x.ndim > 0, x.dtype.itemsize)).dtype


def same_dtype(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Both operands in their common dtype."""
    if x.array.dtype == y.array.dtype:
        return x, y
    dtype = common_dtype((x, y))
    return cast(x, dtype), cast(y, dtype)


def check_not_bool(name: str, x: Tensor) -> None:
    if x.array.dtype.kind == "b":
        raise TypeError(f"{name}: bools have no sign; invert with ~x, compare with x != y, or count with x.long().")


class ToDevice(Function):
    def __init__(self, target: Any) -> None:
        self.target = target

    def forward(self, x: Array) -> Array:
        self.source, self.device = self.device, self.target  # the result belongs to the target
        return self.target.from_numpy(self.source.to_numpy(x).copy())

    def backward(self, dy: Tensor) -> Tensor:
        return ToDevice(self.source)(dy)


def to_device(input: Tensor, target: Any) -> Tensor:
    """y = x on another device, dx = dy brought back."""
    return input if input.device is target else ToDevice(target)(input)


class Clone(Function):
    primitive = "copy"

    def backward(self, dy: Tensor) -> Tensor:
        return dy


def clone(input: Tensor) -> Tensor:
    """y = x in memory of its own, dx = dy."""
    return Clone()(input)


def contiguous(input: Tensor) -> Tensor:
    """x itself if its elements follow each other in memory in row-major order, else a copy in which they do."""
    return input if input.is_contiguous() else clone(input)
