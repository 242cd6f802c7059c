"""Integers as rows of a table: embedding, one_hot."""

import numpy as np

from minigrad.backends.base import HostArray
from minigrad.creation import arange
from minigrad.dtypes import int32, int64
from minigrad.nn.functional.arguments import check_floats, check_tensors
from minigrad.ops.compare import where
from minigrad.tensor import Tensor


def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """y[..., :] = weight[input[...], :] for integers `input` (int64, int32) of any shape, weight (rows, columns). The
    row `padding_idx` gets no gradient.
    """
    check_floats("embedding", weight)
    if weight.ndim != 2:
        raise ValueError(f"embedding: weight has shape {weight.shape}, but must be (rows, columns).")
    rows = weight.shape[0]
    check_tensors("embedding", input)
    numbers = numbers_below("embedding", "input", input.long() if input.dtype == int32 else input, rows)
    y = weight[numbers]
    if padding_idx is None:
        return y
    if not -rows <= padding_idx < rows:
        raise ValueError(f"embedding: padding_idx={padding_idx} is no row of weight {weight.shape}.")
    return where((input == padding_idx % rows).unsqueeze(-1), y.detach(), y)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """y[..., k] = 1 where the integer is k, else 0, as int64; as many k as needed, unless num_classes is given."""
    numbers = numbers_below("one_hot", "tensor", tensor, np.inf if num_classes == -1 else num_classes)
    if num_classes == -1:
        if not numbers.size:
            raise ValueError("one_hot: a tensor without elements does not tell num_classes; give it.")
        num_classes = int(numbers.max()) + 1
    hot: Tensor = tensor.unsqueeze(-1) == arange(num_classes, device=tensor.device)
    return hot.long()


def numbers_below(name: str, argument: str, tensor: Tensor, end: float, ignored: int | None = None) -> HostArray:
    """The integers of `tensor` on the host, each (but those `ignored`) from 0 to below `end`: none is counted from the
    back. The host is where positions are settled (see ops/index.py).
    """
    check_tensors(name, tensor)
    if tensor.dtype != int64:
        raise TypeError(f"{name}: {argument} must be int64, got {tensor.dtype} {tensor.shape}; convert with .long().")
    numbers = tensor.numpy()
    wrong = numbers[((numbers < 0) | (numbers >= end)) & (numbers != ignored if ignored is not None else True)]
    if wrong.size:
        raise IndexError(f"{name}: {argument} has {wrong[0]}, but must be at least 0 and below {end}.")
    return numbers
