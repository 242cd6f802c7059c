"""The six dtypes minigrad knows (they are NumPy's), and how data from outside becomes an array of one of them."""

import builtins
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
NUMBER_TYPES = (builtins.bool, int, float, np.bool_, np.integer, np.floating)


def as_dtype(dtype: Any) -> np.dtype[Any]:
    """One of the six, from a NumPy dtype or type, a name, or Python's float (float64), int (int64) or bool."""
    try:
        return ALL["None" if dtype is None else np.dtype(dtype).name]  # to NumPy None means float64
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
        raise TypeError(f"data of dtype {array.dtype} cannot be a tensor; minigrad has {', '.join(ALL)}. Convert with "
                        ".astype(...).")
    if dtype is not None:
        return _converted(array, as_dtype(dtype))
    if not isinstance(data, (np.ndarray, np.generic)) and array.dtype == float64:
        return _converted(array, float32)
    if array.dtype.name not in ALL:
        raise TypeError(f"data of dtype {array.dtype} cannot be a tensor; minigrad has {', '.join(ALL)}. Convert it "
                        "(array.astype(np.float32)) or say dtype=minigrad.float32.")
    return array.astype(ALL[array.dtype.name], copy=False)  # native byte order


def _converted(array: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """`array` as `dtype`: floats round, to infinity if need be; what an integer dtype cannot hold is an error."""
    if dtype.kind in "iu" and dtype != array.dtype and array.size:
        _check_fits(array.min().item(), dtype)
        _check_fits(array.max().item(), dtype)
    with np.errstate(over="ignore"):
        return array.astype(dtype, copy=False)


def as_number(value: Any, dtype: np.dtype[Any]) -> Any:
    """`value`, a number of Python's or NumPy's, as a Python number that an array of `dtype` can hold."""
    number = value.item() if isinstance(value, np.generic) else value
    if not isinstance(number, (int, float)):
        raise TypeError(f"value must be a number, got {type(value).__name__}: {value!r}.")
    if dtype.kind in "iu":
        _check_fits(number, dtype)
        return int(number)
    return number


def _check_fits(number: Any, dtype: np.dtype[Any]) -> None:
    bounds = np.iinfo(dtype)
    if not bounds.min <= number <= bounds.max:  # nor is NaN between them
        raise ValueError(f"{number} does not fit dtype {dtype}, which goes from {bounds.min} to {bounds.max}.")
