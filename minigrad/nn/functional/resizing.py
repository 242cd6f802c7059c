"""Images made larger or smaller."""

from collections.abc import Iterable, Sequence
from math import floor
from typing import Any

import numpy as np
import numpy.typing as npt

from minigrad.backends.geometry import check_size
from minigrad.nn.functional.arguments import check_floats, check_tensors
from minigrad.ops.index import cat, narrow
from minigrad.ops.shape import integers, unpacked
from minigrad.tensor import Tensor

Places = npt.NDArray[np.int64]


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """A border: pad = (left, right), or (left, right, top, bottom), ..., last axis first. Negative widths cut off.

    It holds `value` (0 unless given), or for mode='reflect' what lies as far inside the border, for mode='replicate'
    the outermost elements.
    """
    check_tensors("pad", input)
    widths = integers("pad: pad", unpacked((pad,)))
    if len(widths) % 2 or len(widths) > 2 * input.ndim:
        raise ValueError(f"pad: pad={widths} must hold (before, after) for at most {input.ndim} axes of shape "
                         f"{input.shape}.")
    if mode not in ("constant", "reflect", "replicate"):
        raise NotImplementedError(f"pad: mode={mode!r} must be 'constant', 'reflect' or 'replicate'; or join slices "
                                  "with minigrad.cat.")  # fmt: skip
    if mode != "constant" and (value or min(widths, default=0) < 0):
        raise ValueError(f"pad: mode={mode!r} takes no value={value} and no negative widths pad={widths}.")
    for k, (before, after) in enumerate(zip(widths[::2], widths[1::2], strict=True)):
        input = _bordered(input, input.ndim - 1 - k, before, after, mode, value or 0)
    return input if max(widths, default=0) > 0 else input.clone()  # never a view of the input


def _bordered(x: Tensor, axis: int, before: int, after: int, mode: str, value: float) -> Tensor:
    def constant(width: int) -> Tensor:
        return x.new_full((*x.shape[:axis], width, *x.shape[axis + 1 :]), value)

    size = x.shape[axis]
    check_size("pad", (*x.shape[:axis], max(0, before + size + after), *x.shape[axis + 1 :]))
    if min(before, after) < 0:
        if size + min(before, 0) + min(after, 0) < 0:
            raise ValueError(f"pad: pad=({before}, {after}) cuts more than the {size} elements of axis {axis}.")
        x = narrow(x, axis, max(0, -before), size + min(before, 0) + min(after, 0))
        before, after = max(0, before), max(0, after)
    if before == after == 0:
        return x
    if mode == "constant":
        return cat([constant(before), x, constant(after)], axis)
    if size < 1 or (mode == "reflect" and max(before, after) >= size):
        raise ValueError(f"pad: mode={mode!r} cannot take ({before}, {after}) elements from the {size} of axis {axis}.")
    if mode == "reflect":
        ends = narrow(x, axis, 1, before), narrow(x, axis, size - 1 - after, after)
        return cat([ends[0].flip(axis), x, ends[1].flip(axis)], axis)
    return cat([*[narrow(x, axis, 0, 1)] * before, x, *[narrow(x, axis, size - 1, 1)] * after], axis)


def interpolate(input: Tensor, size: int | Sequence[int] | None = None,
                scale_factor: float | Sequence[float] | None = None, mode: str = "nearest") -> Tensor:
    """An image of another size, (height, width), or of floor(scale_factor * size): y[n,c,i,j] = x[n,c,h,k] with
    h = floor(i * height_in / height_out), or floor(i / scale_factor) if that was given, k likewise.

    Input (batch, channels, ...) with one, two or three axes behind; one number stands for all of them.
    """
    check_floats("interpolate", input)
    if mode != "nearest":
        raise NotImplementedError(f"interpolate: mode={mode!r} is not there; only 'nearest' is.")
    axes = input.ndim - 2
    if not 1 <= axes <= 3:
        raise ValueError(f"interpolate: input has shape {input.shape}, but must be (batch, channels, height, width).")
    if (size is None) == (scale_factor is None):
        raise ValueError(f"interpolate: needs either size or scale_factor, got {size} and {scale_factor}.")
    given = size if scale_factor is None else scale_factor
    numbers: tuple[Any, ...] = tuple(given) if isinstance(given, Iterable) else (given,) * axes
    if len(numbers) != axes:
        raise ValueError(f"interpolate: {given} must have {axes} numbers for the last axes of input {input.shape}.")
    if size is not None:
        numbers = integers("interpolate: size", numbers)
    for axis, (old, number) in enumerate(zip(input.shape[2:], numbers, strict=True), 2):
        new = number if scale_factor is None else floor(old * number)
        if new < 1 or old < 1:
            raise ValueError(f"interpolate: {given} makes {new} of the {old} elements of axis {axis} of input.")
        step = input.dtype.type(old) / input.dtype.type(new) if scale_factor is None else 1 / number
        input = _nearest(input, axis, _positions(input, axis, new, step, axes == 2))
    return input


def _positions(x: Tensor, axis: int, new: int, step: float, direct: bool) -> Places:
    """floor(i * step) as PyTorch computes it: it rounds the product to float32, and takes short cuts for images."""
    old, places = x.shape[axis], np.arange(new, dtype=np.int64)
    if direct and new in (old, 2 * old):
        places //= new // old
        return places
    products = (places.astype(x.dtype) * x.dtype.type(step)).astype(np.float32)
    places[...] = np.minimum(products, old - 1)
    return places


def _nearest(x: Tensor, axis: int, places: Places) -> Tensor:
    times, rest = divmod(len(places), x.shape[axis])
    if rest == 0 and (places == np.arange(len(places)) // times).all():  # the gradient of a repetition is a plain sum
        repeated = x.unsqueeze(axis + 1).expand(*x.shape[: axis + 1], times, *x.shape[axis + 1 :])
        return repeated.clone().reshape(*x.shape[:axis], len(places), *x.shape[axis + 1 :])
    return x[(*[slice(None)] * axis, places)]
