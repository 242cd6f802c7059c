"""Which elements an index selects, worked out on the host by NumPy's own rules, in the form that kernels take."""

from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from minigrad.backends.base import Shape

MOST_AXES = 16  # MAX_RANK in movement.cl

Template = npt.NDArray[np.int8]
IndexArray = npt.NDArray[np.int32]


def template(shape: Shape) -> Template:
    """Memory that nobody reads or writes, one byte per element: NumPy's views of it tell offsets and strides."""
    return np.empty(shape, np.int8)


def _offset(whole: Template, view: Template) -> int:
    """How many elements of `whole` lie before the first one of `view`."""
    before: int = view.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    return before


def is_everything(whole: Template, view: Template) -> bool:
    """Whether `view` shows all elements of `whole` in their order."""
    return view.size == whole.size and view.flags.c_contiguous and _offset(whole, view) == 0


def joined_axes(view: Template) -> tuple[list[int], list[int]]:
    """Sizes and strides of the fewest axes that show the same elements in the same order; at least one axis."""
    sizes, strides = [1], [0]
    for size, stride in zip(view.shape, view.strides, strict=True):
        if sizes[-1] == 1:
            sizes[-1], strides[-1] = size, stride
        elif strides[-1] == size * stride:  # stepping along one axis continues the other
            sizes[-1], strides[-1] = sizes[-1] * size, stride
        elif size != 1:
            sizes.append(size)
            strides.append(stride)
    return sizes, strides


def view_argument(whole: Template, view: Template) -> tuple[IndexArray, int]:
    """`view` as the struct View of movement.cl, and the length of its rows."""
    sizes, strides = joined_axes(view)
    if len(sizes) > MOST_AXES:
        raise ValueError(
            f"device 'opencl' moves elements along at most {MOST_AXES} axes at once, shape {view.shape} has "
            f"{len(sizes)}. Join axes with reshape first, move them in two steps, or use device 'cpu'."
        )
    unused = [0] * (MOST_AXES - len(sizes))
    return np.array([len(sizes), _offset(whole, view), *sizes, *unused, *strides, *unused], np.int32), sizes[-1]


def is_basic(key: Any) -> bool:
    """Whether a key has only ints, slices, None and Ellipsis, so that it selects a strided view."""
    return not any([isinstance(part, np.ndarray) for part in key])


def positions(shape: Shape, key: Any) -> IndexArray:
    """Of the elements that `key` selects, in the shape of the selection: their positions in the flattened array."""
    selected: IndexArray = np.arange(prod(shape), dtype=np.int32).reshape(shape)[key]
    return selected


def sorted_by_place(places: IndexArray) -> tuple[IndexArray, IndexArray, IndexArray]:
    """Sources k grouped by their place, places[k]: each place once, where its group starts in the sources, the sources.

    Group g is sources[starts[g] : starts[g + 1]], in increasing order.
    """
    sources = np.argsort(places, kind="stable").astype(np.int32)
    unique, starts = np.unique(places[sources], return_index=True)
    return unique, np.append(starts, places.size).astype(np.int32), sources
