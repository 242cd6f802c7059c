"""Images made larger or smaller."""

from collections.abc import Sequence

from minigrad.nn.functional.arguments import check_tensors
from minigrad.ops import index
from minigrad.ops.elementwise import where
from minigrad.ops.shape import integers, unpacked
from minigrad.tensor import Tensor


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """A border of `value`: pad = (left, right), or (left, right, top, bottom), ..., last axis first."""
    if mode != "constant":
        raise NotImplementedError(
            f"pad: mode {mode!r} is not there yet; join slices with minigrad.cat, or use mode='constant'."
        )
    check_tensors("pad", input)
    pad = integers("pad: pad", unpacked((pad,)))
    if len(pad) % 2 or len(pad) > 2 * input.ndim:
        raise ValueError(
            f"pad: pad={tuple(pad)} must hold (before, after) for at most {input.ndim} axes of shape {input.shape}."
        )
    last = [(pad[k], pad[k + 1]) for k in range(0, len(pad), 2)][::-1]
    widths = [(0, 0)] * (input.ndim - len(last)) + last
    result = index.pad(input, widths)
    if value:
        inside = index.pad(input._constant(input.detach().new_ones(input.shape).array), widths) == 1
        result = where(inside, result, input.new_full((), value))
    return result
