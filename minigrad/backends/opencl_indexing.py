"""Which elements a view shows and an index selects, worked out on the host by NumPy's own rules, as kernels take it."""

from math import prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from minigrad.backends.base import Shape

MOST_AXES = 16  # MAX_RANK in movement.cl

Template = npt.NDArray[np.int8]  # nobody reads or writes it: a byte per element, whose place tells the element's place
IndexArray = npt.NDArray[np.int32]


class Layout(NamedTuple):
    """Which elements of a buffer an array shows, and in which order: NumPy's view of a template of the buffer."""

    whole: Template
    view: Template

    @property
    def offset(self) -> int:
        """How many elements of the buffer lie before the first one of the view."""
        before: int = self.view.__array_interface__["data"][0] - self.whole.__array_interface__["data"][0]
        return before

    def is_everything(self) -> bool:
        """Whether the view shows all elements of the buffer in their order."""
        return self.view.size == self.whole.size and self.view.flags.c_contiguous and self.offset == 0

    def places(self) -> IndexArray:
        """For each element of the view: its place in the buffer."""
        places: IndexArray = np.full(self.view.shape, self.offset, np.int32)
        for axis, (size, stride) in enumerate(zip(self.view.shape, self.view.strides, strict=True)):
            steps = np.arange(size, dtype=np.int32) * np.int32(stride)
            places += steps.reshape(size, *[1] * (self.view.ndim - axis - 1))
        return places


def everything(shape: Shape) -> Layout:
    """All elements of a buffer, as an array of this shape."""
    whole = np.empty(shape, np.int8)
    return Layout(whole, whole)


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


def view_argument(layout: Layout) -> tuple[IndexArray, int]:
    """`layout` as the struct View of movement.cl, and the length of its rows."""
    sizes, strides = joined_axes(layout.view)
    if len(sizes) > MOST_AXES:
        raise ValueError(f"device 'opencl' moves elements along at most {MOST_AXES} axes at once, shape "
                         f"{layout.view.shape} has {len(sizes)}. Join axes with reshape first, move them in two steps, "
                         "or use device 'cpu'.")
    unused = [0] * (MOST_AXES - len(sizes))
    return np.array([len(sizes), layout.offset, *sizes, *unused, *strides, *unused], np.int32), sizes[-1]


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
