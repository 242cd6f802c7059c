"""Operations that change what an element is or where it lives: dtype, device, and a copy of its own."""

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
    if input.dtype == dtype:
        return input
    return Cast(dtype)(input if dtype.kind == "f" else input.detach())


def as_float(input: Tensor) -> Tensor:
    """A floating-point tensor as it is, integers and bools as float32."""
    return input if input.dtype.kind == "f" else cast(input, float32)


def same_dtype(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Both operands in one dtype: of the higher kind, bool < integer < float; if of one kind, that of the operand with
    axes (a tensor without any counts as a number), else the wider.
    """
    if x.dtype == y.dtype:
        return x, y
    higher = max(x, y, key=lambda tensor: (KINDS[tensor.dtype.kind], tensor.ndim > 0, tensor.dtype.itemsize))
    return cast(x, higher.dtype), cast(y, higher.dtype)


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
    def forward(self, x: Array) -> Array:
        return self.device.copy(x)

    def backward(self, dy: Tensor) -> Tensor:
        return dy


def clone(input: Tensor) -> Tensor:
    """y = x in memory of its own, dx = dy."""
    return Clone()(input)
