"""ConvGeometry: the sizes of one convolution, settled and checked once, shared by its three maps."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod
from typing import Any

Pair = tuple[int, int]
Shape = tuple[int, ...]
Key = tuple[Any, ...]

_ADDRESSABLE = 2**63 - 1  # bytes: the most that any array can have


@dataclass(frozen=True)
class ConvGeometry:
    """Shapes and parameters of y = conv2d(x, w), in which element (i, j) of y meets, at tap (u, v) of w, the element

        h = i * stride[0] - padding[0] + u * dilation[0],    k = j * stride[1] - padding[1] + v * dilation[1]

    of x, if there is one; outside the image lies zero. Channels fall into `groups` that do not see each other.
    The three maps conv2d, conv2d_input_grad and conv2d_weight_grad pass one geometry on unchanged. That settles which
    of the image sizes that lead to the same output size is meant when a stride has cut off a remainder.
    """

    x_shape: Shape  # (batch, in_channels, height, width)
    w_shape: Shape  # (out_channels, in_channels / groups, kernel_height, kernel_width)
    y_shape: Shape  # (batch, out_channels, out_height, out_width)
    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int

    @cached_property
    def flops(self) -> int:
        """Floating-point operations of each of the three maps (a multiply-add counts as 2), padding included."""
        return 2 * prod(self.y_shape) * prod(self.w_shape[1:])

    @cached_property
    def numbers(self) -> bytes:
        """All of it as integers of 64 bits, one after the other: kernels read these sooner than nineteen objects."""
        shapes = (*self.x_shape, *self.w_shape, *self.y_shape)
        return array("q", [*shapes, *self.stride, *self.padding, *self.dilation, self.groups]).tobytes()


@lru_cache(1024)  # a network asks for the same few in each step
def conv_geometry(name: str, x_shape: Shape, w_shape: Shape, stride: Pair, padding: Pair, dilation: Pair,
                  groups: int) -> ConvGeometry:
    """Geometry of a convolution of an image `x_shape` with a kernel `w_shape`; `name` is the caller, for its errors.

    out = floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1 in each direction.
    """
    _check_parameters(name, w_shape, stride, padding, dilation, groups)
    (batch, channels, *image), (out_channels, group_channels, *kernel) = x_shape, w_shape
    if channels != group_channels * groups:
        raise ValueError(f"{name}: input {x_shape} has {channels} channels, but weight {w_shape} with groups={groups} "
                         f"expects {group_channels * groups}. The weight's shape is (out_channels, in_channels / "
                         "groups, kernel_height, kernel_width).")
    if out_channels % groups:
        raise ValueError(f"{name}: groups={groups} does not divide the {out_channels} output channels of weight "
                         f"{w_shape}; every group must make equally many.")
    size = []
    for axis in (0, 1):
        padded = image[axis] + 2 * padding[axis]
        extent = dilation[axis] * (kernel[axis] - 1) + 1
        if extent > padded:
            raise ValueError(f"{name}: the kernel is larger than the padded input: weight {w_shape} with "
                             f"dilation={dilation} spans {extent} elements of axis {axis - 2}, input {x_shape} with "
                             f"padding={padding} has {padded}. Use a larger image, more padding, or a smaller kernel "
                             "or dilation.")
        size.append((padded - extent) // stride[axis] + 1)
    y_shape = (batch, out_channels, size[0], size[1])
    check_size(name, y_shape)
    return ConvGeometry(x_shape, w_shape, y_shape, stride, padding, dilation, groups)


def transposed_geometry(name: str, y_shape: Shape, w_shape: Shape, stride: Pair, padding: Pair, output_padding: Pair,
                        dilation: Pair, groups: int) -> ConvGeometry:
    """Geometry of the convolution that `y_shape` would come out of: a transposed convolution runs it backwards.

    size = (out - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1 + output_padding in each direction. The last
    term chooses among the `stride` image sizes that a strided convolution maps to the same `out`.
    """
    _check_parameters(name, w_shape, stride, padding, dilation, groups)
    (batch, channels, *out), (out_channels, group_channels, *kernel) = y_shape, w_shape
    if channels != out_channels:
        raise ValueError(f"{name}: input {y_shape} has {channels} channels, but weight {w_shape} expects "
                         f"{out_channels}. The weight's shape is (in_channels, out_channels / groups, kernel_height, "
                         "kernel_width).")
    if channels % groups:
        raise ValueError(f"{name}: groups={groups} does not divide the {channels} channels of input {y_shape}.")
    size = []
    for axis in (0, 1):
        if not 0 <= output_padding[axis] < max(stride[axis], dilation[axis]):
            raise ValueError(f"{name}: output_padding={output_padding} must be at least 0 and smaller than "
                             f"stride={stride} or dilation={dilation}; it only chooses among the sizes that a stride "
                             "leaves open.")
        extent = dilation[axis] * (kernel[axis] - 1) + 1
        size.append((out[axis] - 1) * stride[axis] - 2 * padding[axis] + extent + output_padding[axis])
        if out[axis] < 1 or size[axis] < 1:
            raise ValueError(f"{name}: input {y_shape} with weight {w_shape}, stride={stride}, padding={padding} gives "
                             f"{size[axis]} elements along axis {axis - 2}; need at least 1. Use less padding or a "
                             "larger input.")
    x_shape = (batch, group_channels * groups, size[0], size[1])
    check_size(name, x_shape)
    return ConvGeometry(x_shape, w_shape, y_shape, stride, padding, dilation, groups)


def _check_parameters(name: str, w_shape: Shape, stride: Pair, padding: Pair, dilation: Pair, groups: int) -> None:
    for argument, value, least in (("stride", stride, 1), ("padding", padding, 0), ("dilation", dilation, 1)):
        if min(value) < least:
            raise ValueError(f"{name}: {argument}={value} must be at least {least} in both directions.")
    if groups < 1:
        raise ValueError(f"{name}: groups={groups} must be at least 1.")
    if min(w_shape[2:]) < 1:
        raise ValueError(f"{name}: weight {w_shape} has an empty kernel; both of its last two sizes must be at least "
                         "1.")


def check_size(name: str, shape: Shape) -> None:
    """Raises if no array can be so large; sizes are Python's integers here, which do not overflow."""
    if 8 * prod(shape) > _ADDRESSABLE:
        raise ValueError(f"{name}: a result of shape {shape} has {prod(shape):,} elements, more than can be addressed.")


def meetings(geometry: ConvGeometry, axis: int, tap: int) -> tuple[slice, slice]:
    """Which elements of the image `tap` meets along this axis, and in which windows."""
    stride, offset = geometry.stride[axis], tap * geometry.dilation[axis] - geometry.padding[axis]
    size, windows = geometry.x_shape[2 + axis], geometry.y_shape[2 + axis]
    first, end = max(0, -(offset // stride)), min(windows, (size - 1 - offset) // stride + 1)
    if first >= end:
        return slice(0, 0), slice(0, 0)
    return slice(first * stride + offset, (end - 1) * stride + offset + 1, stride), slice(first, end)


def taps(geometry: ConvGeometry) -> Iterator[tuple[int, Key, Key]]:
    """Every tap that meets the image at all, in row-major order: its number, where in x, and where in y."""
    _, _, height, width = geometry.w_shape
    for u in range(height):
        rows, i = meetings(geometry, 0, u)
        for v in range(width):
            columns, j = meetings(geometry, 1, v)
            if rows.stop and columns.stop:
                yield u * width + v, (..., rows, columns), (..., i, j)
