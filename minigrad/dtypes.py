"""The six dtypes minigrad knows (they are NumPy's), and how data from outside becomes an array of one of them."""

from typing import Any

import numpy as np
import numpy.typing as npt

float32 = np.dtype(np.float32)
float64 = np.dtype(np.float64)
int32 = np.dtype(np.int32)
int64 = np.dtype(np.int64)
uint8 = np.dtype(np.uint8)
bool = np.dtype(np.bool_)

ALL = {dtype.name: dtype for dtype in (float32, float64, int32, int64, uint8, bool)}


def as_dtype(dtype: Any) -> np.dtype[Any]:
    """One of the six, from a NumPy dtype or type, a name, or Python's float (float32), int (int64) or bool."""
    if dtype is float:
        return float32
    if dtype is int:
        return int64
    try:
        return ALL[np.dtype(dtype).name]
    except (KeyError, TypeError):
        raise TypeError(f"dtype {dtype!r} is not one of {', '.join(ALL)}.") from None


def as_array(data: Any, dtype: Any = None) -> npt.NDArray[Any]:
    """`data` (nested sequences of numbers, or a NumPy array) as an array in native byte order, not copied if it is one.

    Python floats become float32, ints int64; NumPy arrays keep their dtype, which must be one of the six.
    """
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ValueError(f"data is not a regular array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"data of dtype {array.dtype} cannot be a tensor; minigrad has {', '.join(ALL)}. Convert with .astype(...).")
    if dtype is not None:
        return array.astype(as_dtype(dtype), copy=False)
    if not isinstance(data, (np.ndarray, np.generic)) and array.dtype == float64:
        return array.astype(float32)
    if array.dtype.name not in ALL:
        raise TypeError(
            f"data of dtype {array.dtype} cannot be a tensor; minigrad has {', '.join(ALL)}. "
            "Convert it (array.astype(np.float32)) or say dtype=minigrad.float32."
        )
    return array.astype(ALL[array.dtype.name], copy=False)  # native byte order
