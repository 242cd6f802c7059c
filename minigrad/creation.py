"""Making tensors: from data, of one value, of a pattern; and which device they live on unless told.

The functions take PyTorch's arguments: `dtype`, `device` and `requires_grad` by name, those of the `*_like` family
being the input's unless told.
"""

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


def set_default_device(device: str | Backend) -> None:
    """New tensors live on `device` ("cpu", "opencl" or "reference") unless told otherwise.

    At the start it is the environment variable MINIGRAD_DEVICE, or "cpu".
    """
    global _default_device
    _default_device = get_backend(device).name  # raises now, not at the next tensor


def get_default_device() -> str:
    """The name of the device on which new tensors live unless told otherwise."""
    return _default_device


def make(array: npt.NDArray[Any], device: Device, requires_grad: bool) -> Tensor:
    """A leaf around `array`, whose memory it shares if the device is the host."""
    backend = get_backend(_default_device if device is None else device)
    return Tensor(backend.from_numpy(array), backend).requires_grad_(requires_grad)


def tensor(data: Any, *, dtype: Any = None, device: Device = None, requires_grad: bool = False) -> Tensor:
    """A leaf holding a copy of `data`: nested lists of numbers, a tensor, or anything NumPy understands as an array.

    Python floats become float32, ints int64, bools bool; arrays keep their dtype, tensors also their device.
    """
    if isinstance(data, Tensor):
        data, device = data.numpy(force=True), data.device if device is None else device
    return make(as_array(data, dtype).copy(order="C"), device, requires_grad)


def as_tensor(data: Any, *, dtype: Any = None, device: Device = None) -> Tensor:
    """`data` as a tensor, copied only where it must be: a tensor of that dtype and device is returned as it is, a NumPy
    array of that dtype shares its memory with the result if the device is the host.
    """
    return data.to(device, dtype) if isinstance(data, Tensor) else make(as_array(data, dtype), device, False)


def from_numpy(array: npt.NDArray[Any]) -> Tensor:
    """A tensor on the CPU that shares the array's memory: writes to one are seen in the other."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: needs a NumPy array, got {type(array).__name__}; use minigrad.tensor(data).")
    if not array.dtype.isnative:
        raise ValueError(f"from_numpy: byte order {array.dtype} cannot be shared; copy with minigrad.tensor(array).")
    return make(as_array(array), "cpu", False)


def from_dlpack(ext_tensor: Any) -> Tensor:
    """A tensor on the CPU that shares the memory of another library's array, given by the DLPack protocol.

    Writes to one are seen in the other, but not counted in the other: do not write what a graph has saved.
    """
    if not hasattr(ext_tensor, "__dlpack_device__"):
        raise TypeError(f"from_dlpack: needs an array with __dlpack__, got {type(ext_tensor).__name__}.")
    kind = int(ext_tensor.__dlpack_device__()[0])
    if kind != 1:  # kDLCPU
        raise BufferError(f"from_dlpack: the array is on a device of DLPack's type {kind}; copy it to the host first.")
    return from_numpy(np.from_dlpack(ext_tensor))


def full(size: Sequence[int], fill_value: float, *, dtype: Any = None, device: Device = None,
         requires_grad: bool = False) -> Tensor:
    """A tensor of shape `size`, every element `fill_value`; unless told, of dtype float32, int64 or bool as that is."""
    backend = get_backend(_default_device if device is None else device)
    number = fill_value.item() if isinstance(fill_value, np.generic) else fill_value  # np.float64(1) counts as 1.0
    kind = as_dtype(dtype or {bool: bool, int: int64}.get(type(number), float32))
    array = backend.full(sizes("full", (size,)), as_number(number, kind), kind)
    return Tensor(array, backend).requires_grad_(requires_grad)


def zeros(*args: Any, size: Any = None, dtype: Any = None, device: Device = None,
          requires_grad: bool = False) -> Tensor:
    """Zeros: zeros(2, 3), zeros((2, 3)) or zeros(size=(2, 3)); float32 unless told."""
    return full(sizes("zeros", args, size), 0.0, dtype=dtype, device=device, requires_grad=requires_grad)


def ones(*args: Any, size: Any = None, dtype: Any = None, device: Device = None,
         requires_grad: bool = False) -> Tensor:
    """Ones: ones(2, 3), ones((2, 3)) or ones(size=(2, 3)); float32 unless told."""
    return full(sizes("ones", args, size), 1.0, dtype=dtype, device=device, requires_grad=requires_grad)


def empty(*args: Any, size: Any = None, dtype: Any = None, device: Device = None,
          requires_grad: bool = False) -> Tensor:
    """For values that will be written before they are read; they happen to be zeros, on which nobody should rely."""
    return full(sizes("empty", args, size), 0.0, dtype=dtype, device=device, requires_grad=requires_grad)


def full_like(input: Tensor, fill_value: float, *, dtype: Any = None, device: Device = None,
              requires_grad: bool = False) -> Tensor:
    """Every element `fill_value`, in the shape, dtype and device of `input`."""
    return input.new_full(input.shape, fill_value, dtype=dtype, device=device, requires_grad=requires_grad)


def zeros_like(input: Tensor, *, dtype: Any = None, device: Device = None, requires_grad: bool = False) -> Tensor:
    """Zeros of the shape, dtype and device of `input`."""
    return full_like(input, 0, dtype=dtype, device=device, requires_grad=requires_grad)


def ones_like(input: Tensor, *, dtype: Any = None, device: Device = None, requires_grad: bool = False) -> Tensor:
    """Ones of the shape, dtype and device of `input`."""
    return full_like(input, 1, dtype=dtype, device=device, requires_grad=requires_grad)


def empty_like(input: Tensor, *, dtype: Any = None, device: Device = None, requires_grad: bool = False) -> Tensor:
    """`empty` of the shape, dtype and device of `input`."""
    return full_like(input, 0, dtype=dtype, device=device, requires_grad=requires_grad)


def arange(start: float | None = None, end: float | None = None, step: float = 1, *, dtype: Any = None,
           device: Device = None, requires_grad: bool = False) -> Tensor:
    """start, start + step, ... below end: arange(end), arange(start, end) or arange(start, end, step).

    int64 if all three are ints, else float32.
    """
    if end is None:
        start, end = None, start
    if end is None:
        raise TypeError("arange: needs an end, as in arange(3).")
    start = 0 if start is None else start
    if dtype is not None and as_dtype(dtype).kind in "iu" and any([number % 1 for number in (start, end, step)]):
        raise ValueError(f"arange: {start}, {end} and {step} must be whole numbers for dtype={dtype}; round them.")
    if step == 0 or (end - start) * step < 0:
        raise ValueError(f"arange: steps of {step} do not lead from {start} to {end}.")
    numbers = np.arange(start, end, step)
    kind = as_dtype(dtype) if dtype is not None else float32 if numbers.dtype.kind == "f" else int64
    return make(as_array(numbers, kind), device, requires_grad)


def linspace(start: float, end: float, steps: int, *, dtype: Any = None, device: Device = None,
             requires_grad: bool = False) -> Tensor:
    """`steps` numbers from start to end, both included, at equal distances; float32 unless told."""
    (number,) = sizes("linspace", [steps])
    return make(as_array(np.linspace(start, end, number), dtype or float32), device, requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Device = None,
        requires_grad: bool = False) -> Tensor:
    """The n x m matrix with ones on the diagonal."""
    n, m = sizes("eye", (n, n if m is None else m))
    return make(np.eye(n, m, dtype=as_dtype(dtype or float32)), device, requires_grad)
