"""Where each cell of a convolution, and of its gradients, comes from; and convolution as one matrix.

All three maps are correlations. With s, d and p for stride, dilation and padding, and 0 where there is nothing:

    y[i, j]   adds up  x[i s - p + u d, j s - p + v d] * w[u, v]        over the taps (u, v)
    dx[h, k]  adds up  dy[i, j] * w[u, v]       over the taps for which i s - p + u d = h and j s - p + v d = k
    dw[u, v]  adds up  x[i s - p + u d, j s - p + v d] * dy[i, j]       over the windows (i, j), and over the batch

Read the second line as a picture: put dy down with s - 1 holes between its cells, and the window that lies on it holds
the kernel turned by 180 degrees, because a tap further down in w was met by a window further up.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from minigrad import autograd
from minigrad.backends.geometry import ConvGeometry, Pair, check_size, conv_geometry, taps
from minigrad.creation import as_tensor
from minigrad.function import enable_grad
from minigrad.nn import functional as F
from minigrad.nn.functional.arguments import IntOrPair, check_floats, pair
from minigrad.ops.index import cat
from minigrad.ops.shape import integers
from minigrad.teaching.page import Page, indexed, number_text
from minigrad.tensor import Tensor

Index = tuple[int, ...]
_MAPS = ("y", "dx", "dw")
_SIDE, _NUMBERS = 64, 100_000  # the largest image, with its border, and the most numbers that a page shows
_IN_TEXT = 12  # products of one cell that its text lists
_MATRIX = 2**27  # elements


@dataclass(frozen=True)
class Factor:
    """One element of x, w or dy."""

    name: str
    index: Index
    value: float

    def __str__(self) -> str:
        return indexed(self.name, self.index)


class Term(NamedTuple):
    """One of the products that make up a cell."""

    left: Factor
    right: Factor

    @property
    def product(self) -> float:
        return self.left.value * self.right.value


class Miss(NamedTuple):
    """An element that meets nothing in this cell, and why."""

    factor: Factor
    reason: str


@dataclass(frozen=True)
class Cell:
    """One cell of y, dx or dw: the value that the engine computed, the products it is the sum of, and what is left out.

    `str(cell)` writes the sum out.
    """

    name: str
    index: Index
    value: float
    terms: list[Term]
    misses: list[Miss]

    def __str__(self) -> str:
        shown, more = self.terms[:_IN_TEXT], len(self.terms) - _IN_TEXT
        rest = [f"... ({more} more)"] if more > 0 else []
        name = indexed(self.name, self.index)
        names = [f"{term.left} * {term.right}" for term in shown]
        values = [f"{number_text(term.left.value)} * {number_text(term.right.value)}" for term in shown]
        sums = [" + ".join(terms + rest) or "nothing" for terms in (names, values)]
        lines = [f"{name} = {sums[0]}"]
        lines += [f"{' ' * len(name)} = {text}" for text in (sums[1], number_text(self.value))]
        reasons = dict.fromkeys(miss.reason for miss in self.misses)
        for reason in reasons:
            missing = [str(miss.factor) for miss in self.misses if miss.reason == reason]
            dots = ", ..." if len(missing) > _IN_TEXT else ""
            lines.append(f"left out: {', '.join(missing[:_IN_TEXT])}{dots} ({reason})")
        return "\n".join(lines)


def explain_conv2d(input: Tensor, weight: Tensor, stride: IntOrPair = 1, padding: IntOrPair = 0,
                   dilation: IntOrPair = 1, groups: int = 1, *, grad_output: Tensor | None = None
                   ) -> "ConvolutionExplained":
    """What every cell of y = conv2d(x, w), of dx and of dw is made of, as a page to step through.

        explanation = minigrad.explain_conv2d(x, w, padding=1)
        explanation.save("explain.html")                # or as the last line of a cell in a notebook
        print(explanation.cell("dx", 0, 0, 2, 3))       # dx[0,0,2,3] = dy[0,0,1,3] * w[0,0,2,1] + ...

    Args:
        input: x, (batch, in_channels, height, width); (in_channels, height, width) or, with a matrix as weight,
            (height, width) will do.
        weight: w, (out_channels, in_channels / groups, kernel_height, kernel_width), or (kernel_height, kernel_width).
        stride, padding, dilation, groups: as in F.conv2d, the padding in numbers.
        grad_output: dy, the gradient that arrives at y, in y's shape; ones if left out, as y.sum().backward() has it.

    Raises: as F.conv2d. A page shows images of up to 64 rows and columns; texts and numbers have no such limit.
    """
    check_floats("explain_conv2d", input, weight)
    if weight.ndim == 2 == input.ndim:
        input, weight = input.reshape(1, 1, *input.shape), weight.reshape(1, 1, *weight.shape)
    elif input.ndim == 3:
        input = input.unsqueeze(0)
    parameters = _pairs("explain_conv2d", stride, padding, dilation)
    x, w = input.detach().requires_grad_(), weight.detach().requires_grad_()
    with enable_grad():
        y = F.conv2d(x, w, None, *parameters, groups=groups)
    if 0 in x.shape:
        raise ValueError(f"explain_conv2d: input {x.shape} has no element, so there is nothing to explain.")
    if grad_output is None:
        dy = y.detach().new_ones(y.shape)
    else:
        check_floats("explain_conv2d", grad_output)
        if grad_output.numel() != y.numel() or grad_output.shape != y.shape[y.ndim - grad_output.ndim :]:
            raise ValueError(f"explain_conv2d: grad_output has shape {grad_output.shape}, but y has {y.shape}: there "
                             "is one gradient for each cell of y.")
        dy = grad_output.detach().reshape(y.shape)
    dx, dw = autograd.grad(y, [x, w], dy)
    geometry = conv_geometry("explain_conv2d", x.shape, w.shape, *parameters, groups)
    arrays = {"x": x, "w": w, "y": y, "dy": dy, "dx": dx, "dw": dw}
    return ConvolutionExplained(geometry, {name: value.numpy(force=True) for name, value in arrays.items()})


class ConvolutionExplained(Page):
    """What `explain_conv2d` returns: `arrays` has x, w, y, dy, dx and dw as the engine computed them (NumPy arrays),
    `geometry` their sizes, `cell` the products behind each cell.
    """

    kind = "convolution"
    title = "Where a gradient cell comes from"
    height = 1250

    def __init__(self, geometry: ConvGeometry, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self.geometry, self.arrays = geometry, arrays

    def cell(self, name: str, *index: int) -> Cell:
        """The cell of "y", "dx" or "dw" at `index`; leading indices may be left out where there is but one."""
        if name not in _MAPS:
            raise ValueError(f"cell: {name!r} is not one of {', '.join(map(repr, _MAPS))}.")
        array = self.arrays[name]
        place = (0,) * (array.ndim - len(index)) + integers("cell", index)
        ambiguous = len(index) < array.ndim and prod(array.shape[: array.ndim - len(index)]) != 1
        inside = len(place) == array.ndim and all([0 <= at < size for at, size in zip(place, array.shape, strict=True)])
        if ambiguous or not inside:
            raise IndexError(f"cell: {indexed(name, index)} is no cell of {name}, whose shape is {array.shape}.")
        terms: list[Term] = []
        misses: list[Miss] = []
        for left, right, reason in {"y": self._of_y, "dx": self._of_dx, "dw": self._of_dw}[name](*place):
            if left is None:
                misses.append(Miss(self._factor(*right), reason))
            else:
                terms.append(Term(self._factor(*left), self._factor(*right)))
        return Cell(name, place, array[place].item(), terms, misses)

    def _factor(self, name: str, index: Index) -> Factor:
        return Factor(name, index, self.arrays[name][index].item())

    # Each yields (left, right, ""): two elements, by name and index, whose product is part of the cell; or, for a right
    # one that meets nothing there, (None, right, the reason).

    def _of_y(self, n: int, o: int, i: int, j: int) -> Iterator[Any]:
        first = self._first_channel(o)
        for c, u, v in self._taps():
            at, tap = self._pixel(i, j, u, v), ("w", (o, c, u, v))
            yield (("x", (n, first + c, *at)), tap, "") if at else (None, tap, "lies on the padding")

    def _of_dx(self, n: int, c: int, h: int, k: int) -> Iterator[Any]:
        _, channels, height, width = self.geometry.w_shape
        outputs = self.geometry.w_shape[0] // self.geometry.groups
        first = c // channels * outputs
        for o, u, v in product(range(first, first + outputs), range(height)[::-1], range(width)[::-1]):
            window, reason = self._window(h, k, u, v)
            tap = ("w", (o, c % channels, u, v))
            yield (("dy", (n, o, *window)), tap, "") if window else (None, tap, reason)

    def _of_dw(self, o: int, c: int, u: int, v: int) -> Iterator[Any]:
        batch, _, rows, columns = self.geometry.y_shape
        first = self._first_channel(o)
        for n, i, j in product(range(batch), range(rows), range(columns)):
            at, window = self._pixel(i, j, u, v), ("dy", (n, o, i, j))
            yield (("x", (n, first + c, *at)), window, "") if at else (None, window, "its tap lies on the padding")

    def _taps(self) -> Iterator[Index]:
        return product(*map(range, self.geometry.w_shape[1:]))

    def _first_channel(self, o: int) -> int:
        """The first of the channels that output channel o sees."""
        return o // (self.geometry.w_shape[0] // self.geometry.groups) * self.geometry.w_shape[1]

    def _pixel(self, i: int, j: int, u: int, v: int) -> Index | None:
        """What tap (u, v) meets in window (i, j); None beside the image."""
        place = [at * stride - padding + tap * dilation for at, tap, stride, padding, dilation in
                 zip((i, j), (u, v), self.geometry.stride, self.geometry.padding, self.geometry.dilation, strict=True)]
        size = self.geometry.x_shape[2:]
        return tuple(place) if all([0 <= at < most for at, most in zip(place, size, strict=True)]) else None

    def _window(self, h: int, k: int, u: int, v: int) -> tuple[Index | None, str]:
        """The window whose tap (u, v) meets pixel (h, k); None, and the reason, if there is none."""
        geometry = self.geometry
        place = [at + padding - tap * dilation for at, tap, padding, dilation in
                 zip((h, k), (u, v), geometry.padding, geometry.dilation, strict=True)]
        ends = [stride * (size - 1) for stride, size in zip(geometry.stride, geometry.y_shape[2:], strict=True)]
        if not all([0 <= at <= end for at, end in zip(place, ends, strict=True)]):
            return None, "no window lies there"
        if any([at % stride for at, stride in zip(place, geometry.stride, strict=True)]):
            return None, "falls into a hole that the stride leaves"
        return tuple([at // stride for at, stride in zip(place, geometry.stride, strict=True)]), ""

    def __str__(self) -> str:
        """The sizes, and a cell of each map, from its middle, as a sum of products."""
        g = self.geometry
        sizes = f"x {g.x_shape}, w {g.w_shape}, y {g.y_shape}"
        steps = f"stride {g.stride}, padding {g.padding}, dilation {g.dilation}, groups {g.groups}"
        parts = [f"y = conv2d(x, w): {sizes}, {steps}"]
        parts += [str(self.cell(name, *[size // 2 for size in self.arrays[name].shape])) for name in _MAPS]
        parts.append('Any other: .cell("dx", 0, 0, 2, 3). All of them, as a page: .save("explain.html").')
        return "\n\n".join(parts)

    def __repr__(self) -> str:
        return f"<ConvolutionExplained of x {self.geometry.x_shape} and w {self.geometry.w_shape}>"

    def data(self) -> dict[str, Any]:
        g = self.geometry
        size = [image + 2 * padding for image, padding in zip(g.x_shape[2:], g.padding, strict=True)]
        size += [image + dilation * (kernel - 1) for image, dilation, kernel in
                 zip(g.x_shape[2:], g.dilation, g.w_shape[2:], strict=True)]
        count = sum([array.size for array in self.arrays.values()])
        if max(size) > _SIDE or count > _NUMBERS:
            raise ValueError(f"explain_conv2d: x {g.x_shape} and w {g.w_shape} are too large for a page, which shows "
                             f"images of up to {_SIDE} rows and columns, border included, and {_NUMBERS:,} numbers in "
                             "all. Show a part: x[:1, :3, :16, :16]. (print and .cell() take any size.)")
        return {**self.arrays, "stride": g.stride, "padding": g.padding, "dilation": g.dilation, "groups": g.groups}


def conv2d_matrix(weight: Tensor, input_size: Sequence[int], stride: IntOrPair = 1, padding: IntOrPair = 0,
                  dilation: IntOrPair = 1, groups: int = 1) -> Tensor:
    """Convolution as one matrix M: for an image x, row by row and channel by channel in one long vector,

        y = M x    and so    dx = M^T dy.

    Row (o, i, j) of M holds the kernel of output channel o where window (i, j) lies, and zeros elsewhere. From row to
    row the kernel moves along: the same few weights stand in M again and again.

    Args:
        weight: w, (out_channels, in_channels / groups, kernel_height, kernel_width), or (kernel_height, kernel_width).
        input_size: (height, width) of the images.
        stride, padding, dilation, groups: as in F.conv2d, the padding in numbers.

    Returns: M, (out_channels * out_height * out_width, in_channels * height * width), made of `weight` by operations
    that are recorded: gradients of M come back to it, added up over all places of each weight.

    Raises: ValueError if M would have more than 2^27 elements; else as F.conv2d.

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016), section 4.1.
    """
    check_floats("conv2d_matrix", weight)
    if weight.ndim == 2:
        weight = weight.reshape(1, 1, *weight.shape)
    if weight.ndim != 4 or 0 in weight.shape:
        raise ValueError(f"conv2d_matrix: weight has shape {weight.shape}, but must have 4 dimensions, or 2, and an "
                         "element at least.")
    height, width = pair("conv2d_matrix", "input_size", input_size)
    (groups,) = integers("conv2d_matrix: groups", [groups])
    shape = (1, weight.shape[1] * groups, height, width)
    parameters = _pairs("conv2d_matrix", stride, padding, dilation)
    geometry = conv_geometry("conv2d_matrix", shape, weight.shape, *parameters, groups)
    rows, columns = prod(geometry.y_shape), prod(shape)
    check_size("conv2d_matrix", (rows, columns))
    if rows * columns > _MATRIX:
        raise ValueError(f"conv2d_matrix: M would have {rows:,} rows and {columns:,} columns, {rows * columns:,} "
                         f"elements of which hardly any is not zero; at most {_MATRIX:,} are made. Use smaller images.")
    flat = weight.flatten()
    return cat([flat.new_zeros(1), flat])[as_tensor(_numbers(geometry), device=weight.device)]


def _numbers(geometry: ConvGeometry) -> npt.NDArray[np.int64]:
    """For every entry of the matrix 1 + the number of its weight, as w lists them; 0 where no tap falls."""
    (outputs, channels, *_), group = geometry.w_shape, geometry.w_shape[0] // geometry.groups
    numbers = np.arange(1, 1 + prod(geometry.w_shape)).reshape(outputs, channels, -1)
    entries = np.zeros(geometry.y_shape[1:] + geometry.x_shape[1:], np.int64)
    windows, pixels = [np.indices(shape[2:], sparse=True) for shape in (geometry.y_shape, geometry.x_shape)]
    for tap, (_, rows, columns), (_, i, j) in taps(geometry):
        h, k, i, j = pixels[0][rows], pixels[1][:, columns], windows[0][i], windows[1][:, j]
        for o, c in np.ndindex(outputs, channels):
            entries[o, i, j, o // group * channels + c, h, k] = numbers[o, c, tap]
    return entries.reshape(prod(geometry.y_shape), prod(geometry.x_shape))


def _pairs(name: str, stride: IntOrPair, padding: IntOrPair, dilation: IntOrPair) -> tuple[Pair, Pair, Pair]:
    return pair(name, "stride", stride), pair(name, "padding", padding), pair(name, "dilation", dilation)
