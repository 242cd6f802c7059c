"""Making tensors: from data, of one value, of random numbers; and which device they live on unless told."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from minigrad.backends import get_backend
from minigrad.backends.base import Backend
from minigrad.dtypes import as_array, as_dtype, as_number, float32, int64
from minigrad.ops.shape import sizes
from minigrad.tensor import Tensor

Device = str | Backend | None

_default_device = os.environ.get("MINIGRAD_DEVICE", "cpu")
_generator = np.random.default_rng()


def set_default_device(device: str | Backend) -> None:
    """New tensors live on `device` ("cpu", "opencl" or "reference") unless told otherwise.

    At the start it is the environment variable MINIGRAD_DEVICE, or "cpu".
    """
    global _default_device
    backend = device if isinstance(device, Backend) else get_backend(device)  # raises now, not at the next tensor
    _default_device = backend.name


def get_default_device() -> str:
    """The name of the device on which new tensors live unless told otherwise."""
    return _default_device


def manual_seed(seed: int) -> None:
    """Starts the random numbers of rand, randn and nn.init anew: the same for the same seed, on every device."""
    global _generator
    _generator = np.random.default_rng(seed)


def _backend(device: Device) -> Backend:
    return device if isinstance(device, Backend) else get_backend(_default_device if device is None else device)


def _make(array: npt.NDArray[Any], device: Device, requires_grad: bool) -> Tensor:
    backend = _backend(device)
    tensor = Tensor(backend.from_numpy(array), backend)
    return tensor.requires_grad_() if requires_grad else tensor


def tensor(data: Any, dtype: Any = None, device: Device = None, requires_grad: bool = False) -> Tensor:
    """A leaf holding a copy of `data`: nested lists of numbers, or anything NumPy understands as an array.

    Python floats become float32, ints int64, bools bool; NumPy arrays keep their dtype.
    """
    if isinstance(data, Tensor):
        data = data.numpy(force=True)
    return _make(as_array(data, dtype).copy(order="C"), device, requires_grad)


def from_numpy(array: npt.NDArray[Any]) -> Tensor:
    """A tensor on the CPU that shares the array's memory: writes to one are seen in the other."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: needs a NumPy array, got {type(array).__name__}; use minigrad.tensor(data).")
    if not array.dtype.isnative:
        raise ValueError(f"from_numpy: byte order {array.dtype} cannot be shared; copy with minigrad.tensor(array).")
    return _make(as_array(array), "cpu", False)


def full(
    shape: Sequence[int], value: float, dtype: Any = None, device: Device = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of the given shape, every element `value`; float32, int64 or bool after it unless told."""
    backend = _backend(device)
    number = value.item() if isinstance(value, np.generic) else value  # np.float64(1) counts as 1.0
    kind = as_dtype(dtype) if dtype is not None else float32 if isinstance(number, float) else as_dtype(type(number))
    result = Tensor(backend.full(sizes("full", (shape,)), as_number(number, kind), kind), backend)
    return result.requires_grad_() if requires_grad else result


def zeros(*shape: Any, dtype: Any = None, device: Device = None, requires_grad: bool = False) -> Tensor:
    """Zeros: zeros(2, 3) or zeros((2, 3)); float32 unless told."""
    return full(sizes("zeros", shape), 0.0, dtype, device, requires_grad)


def ones(*shape: Any, dtype: Any = None, device: Device = None, requires_grad: bool = False) -> Tensor:
    """Ones: ones(2, 3) or ones((2, 3)); float32 unless told."""
    return full(sizes("ones", shape), 1.0, dtype, device, requires_grad)


def zeros_like(input: Tensor) -> Tensor:
    """Zeros of the shape, dtype and device of `input`."""
    return input.new_zeros(input.shape)


def ones_like(input: Tensor) -> Tensor:
    """Ones of the shape, dtype and device of `input`."""
    return input.new_ones(input.shape)


def arange(
    start: float,
    end: float | None = None,
    step: float = 1,
    *,
    dtype: Any = None,
    device: Device = None,
    requires_grad: bool = False,
) -> Tensor:
    """start, start + step, ... below end: arange(end), arange(start, end) or arange(start, end, step).

    int64 if all three are ints, else float32.
    """
    if end is None:
        start, end = 0, start
    if step == 0 or (end - start) * step < 0:
        raise ValueError(f"arange: steps of {step} do not lead from {start} to {end}.")
    numbers = np.arange(start, end, step)
    kind = as_dtype(dtype) if dtype is not None else float32 if numbers.dtype.kind == "f" else int64
    return _make(numbers.astype(kind), device, requires_grad)


def eye(n: int, m: int | None = None, dtype: Any = None, device: Device = None, requires_grad: bool = False) -> Tensor:
    """The n x m matrix with ones on the diagonal."""
    n, m = sizes("eye", (n, n if m is None else m))
    return _make(np.eye(n, m, dtype=as_dtype(dtype or float32)), device, requires_grad)


def rand(*shape: Any, dtype: Any = None, device: Device = None, requires_grad: bool = False) -> Tensor:
    """Random numbers spread evenly over [0, 1)."""
    kind = _float("rand", dtype)
    numbers = _generator.random(sizes("rand", shape)).astype(kind)
    below_one = np.nextafter(kind.type(1), kind.type(0))  # rounding to float32 may have reached 1
    return _make(np.minimum(numbers, below_one), device, requires_grad)


def randn(*shape: Any, dtype: Any = None, device: Device = None, requires_grad: bool = False) -> Tensor:
    """Normally distributed random numbers with mean 0 and variance 1."""
    kind = _float("randn", dtype)
    return _make(_generator.standard_normal(sizes("randn", shape)).astype(kind), device, requires_grad)


def _float(name: str, dtype: Any) -> np.dtype[Any]:
    kind = as_dtype(dtype or float32)
    if kind.kind != "f":
        raise TypeError(f"{name}: dtype={kind} must be float32 or float64; round numbers with .to({kind.name!r}).")
    return kind
