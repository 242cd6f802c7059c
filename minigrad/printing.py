"""How a tensor is shown: in the format of PyTorch, down to the blanks."""

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

_WIDTH, _EDGE, _MOST = 80, 3, 1000  # of a line; elements shown at each end of a long axis; elements shown in full


def described(prefix: str, array: npt.NDArray[Any], notes: Sequence[str]) -> str:
    """The prefix, such as "tensor(", the numbers and then the notes, in lines of at most 80 characters."""
    long = _EDGE if array.size > _MOST else 0
    text = prefix + (_lines(array, len(prefix), long, *_format(_edges(array, long))) if array.size else "[]")
    length = len(text) - text.rfind("\n") + 1
    for note in notes:
        if length + len(note) + 2 > _WIDTH:
            text, length = f"{text},\n{' ' * len(prefix)}{note}", len(prefix) + len(note)
        else:
            text, length = f"{text}, {note}", length + len(note) + 2
    return text + ")"


def _edges(array: npt.NDArray[Any], long: int) -> npt.NDArray[Any]:
    """What will be shown of the array."""
    for axis, size in enumerate(array.shape):
        if 0 < 2 * long < size:
            array = array.take([*range(long), *range(-long, 0)], axis)
    return array


def _format(array: npt.NDArray[Any]) -> tuple[Callable[[Any], str], int]:
    """How to write a number of the array, and how many characters that takes.

    Floats get four decimals, none if all are whole, and an exponent if they are very large, small, or far apart.
    """
    numbers = array.reshape(-1).tolist()
    write: Callable[[Any], str] = str
    sizing = numbers
    if array.dtype.kind == "f":
        sizing = [number for number in numbers if isfinite(number) and number != 0]
        large, small = max(map(abs, sizing), default=1.0), min(map(abs, sizing), default=1.0)
        if large / small > 1000 or large > 1e8 or small < 1e-4:
            write = "{:.4e}".format
        elif all([number == int(number) for number in sizing]):
            write = _whole
        else:
            write = "{:.4f}".format
    width = max([len(write(number)) for number in sizing], default=1)
    return lambda number: write(number).rjust(width), width


def _whole(number: float) -> str:
    return f"{number:.0f}." if isfinite(number) else str(number)


def _lines(array: npt.NDArray[Any], indent: int, long: int, write: Callable[[Any], str], width: int) -> str:
    if array.ndim == 0:
        return write(array.item())
    cut = 0 < 2 * long < len(array)
    rows = np.concatenate([array[:long], array[-long:]]) if cut else array
    if array.ndim == 1:
        parts, in_line, dots = [write(number) for number in rows.tolist()], (_WIDTH - indent) // (width + 2), " ..."
    else:
        parts, in_line, dots = [_lines(row, indent + 1, long, write, width) for row in rows], 1, "..."
    if cut:
        parts.insert(long, dots)
    in_line, margin = max(1, in_line), "\n" * max(1, array.ndim - 1) + " " * (indent + 1)
    lines = [", ".join(parts[start : start + in_line]) for start in range(0, len(parts), in_line)]
    return "[" + f",{margin}".join(lines) + "]"
