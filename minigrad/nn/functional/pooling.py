"""Pooling: one number for each window of an image."""

from typing import Any

import numpy as np

from minigrad.backends.geometry import ConvGeometry
from minigrad.nn.functional.arguments import IntOrPair, batched, check_batched, check_floats, pair, unbatched
from minigrad.ops import conv, window
from minigrad.ops.index import narrow, stack
from minigrad.tensor import Tensor


def max_pool2d(input: Tensor, kernel_size: IntOrPair, stride: IntOrPair | None = None, padding: IntOrPair = 0,
               dilation: IntOrPair = 1, ceil_mode: bool = False, return_indices: bool = False) -> Any:
    """y[n,c,i,j] = the largest x[n,c,h,k] of window (i, j), NaN if there is one; its gradient goes to that element, the
    first of several. Windows are those of conv2d; the border counts as -inf, but a window of border alone is an error.

    stride is kernel_size unless given. With `ceil_mode` a last window may reach beyond the border. Result (batch,
    channels, out_height, out_width), without batch if input (batch, channels, height, width) had none; with
    `return_indices` also where the largest are, h * width + k, as int64.
    """
    x, geometry = _geometry("max_pool2d", input, kernel_size, stride, padding, dilation, ceil_mode)
    if not return_indices:
        return unbatched(window.max_pool2d(x, geometry), input)
    y, indices = window.max_pool2d_with_indices(x, geometry)
    return unbatched(y, input), unbatched(indices, input)


def avg_pool2d(input: Tensor, kernel_size: IntOrPair, stride: IntOrPair | None = None, padding: IntOrPair = 0,
               ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None) -> Tensor:
    """y[n,c,i,j] = the sum of x[n,c,h,k] over window (i, j), divided by the number of its elements: those of the image
    and, with `count_include_pad`, of the padding; or by `divisor_override`. Windows as in max_pool2d, the border 0.
    """
    x, geometry = _geometry("avg_pool2d", input, kernel_size, stride, padding, 1, ceil_mode)
    if divisor_override == 0:
        raise ValueError("avg_pool2d: divisor_override=0 must not be 0; None divides by the size of the window.")
    batch, channels, *image = x.shape
    ones = x.new_ones(1, 1, *geometry.w_shape[2:])  # a sum is a convolution of each channel with ones
    planes = ConvGeometry((batch * channels, 1, *image), ones.shape, (batch * channels, 1, *geometry.y_shape[2:]),
                          geometry.stride, geometry.padding, geometry.dilation, 1)
    sums = conv.conv2d(x.reshape(planes.x_shape), ones, planes).reshape(geometry.y_shape)
    if divisor_override is None:
        rows, columns = (_counts(geometry, axis, count_include_pad) for axis in (0, 1))
        if len({*rows}) == len({*columns}) == 1:
            return unbatched(sums / (rows[0] * columns[0]), input)
        sizes = np.array(np.outer(rows, columns), x.dtype)
        return unbatched(sums / x._constant(x.device.from_numpy(sizes)), input)
    return unbatched(sums / divisor_override, input)


def adaptive_avg_pool2d(input: Tensor, output_size: int | tuple[int | None, int | None] | None) -> Tensor:
    """An image of output_size = (height, width), whatever the size of the input: element (i, j) is the mean of rows
    floor(i * size / out) to ceil((i + 1) * size / out), the latter excluded, and of columns likewise.

    One number stands for both; None leaves an axis as it is. Input (batch, channels, height, width) or without batch.
    """
    check_floats("adaptive_avg_pool2d", input)
    check_batched("adaptive_avg_pool2d", input, "height", "width")
    wanted: Any = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size, output_size)
    kept = tuple([input.shape[k - 2] if want is None and k < 2 else want for k, want in enumerate(wanted)])
    height, width = pair("adaptive_avg_pool2d", "output_size", kept)
    if min(height, width) < 1 or 0 in input.shape[-3:]:
        raise ValueError(f"adaptive_avg_pool2d: input {input.shape} and output_size={output_size} must have sizes of "
                         "at least 1.")
    if height == width == 1:
        return input.mean((-2, -1), keepdim=True)
    return _means(_means(input, input.ndim - 2, height), input.ndim - 1, width)


def _means(x: Tensor, axis: int, out: int) -> Tensor:
    """The means along `axis` of `out` parts that cover it evenly."""
    lead, size = x.shape[:axis], x.shape[axis]
    if size % out == 0:
        return x.clone() if size == out else x.reshape(*lead, out, size // out, *x.shape[axis + 1 :]).mean(axis + 1)
    bounds = [(k * size // out, -(-(k + 1) * size // out)) for k in range(out)]
    return stack([narrow(x, axis, start, end - start).mean(axis) for start, end in bounds], axis)


def _geometry(name: str, input: Tensor, kernel_size: IntOrPair, stride: IntOrPair | None, padding: IntOrPair,
              dilation: IntOrPair, ceil_mode: bool) -> tuple[Tensor, ConvGeometry]:
    """The input with a batch axis, and the windows over it as a convolution of each channel with itself."""
    check_floats(name, input)
    check_batched(name, input, "height", "width")
    x = batched(input)
    if 0 in x.shape[1:]:
        raise ValueError(f"{name}: input {input.shape} has no elements; only the batch may be empty.")
    kernel = pair(name, "kernel_size", kernel_size)
    strides = kernel if stride is None else pair(name, "stride", stride)
    paddings, dilations = pair(name, "padding", padding), pair(name, "dilation", dilation)
    for argument, value, least in (("kernel_size", kernel, 1), ("stride", strides, 1), ("dilation", dilations, 1)):
        if min(value) < least:
            raise ValueError(f"{name}: {argument}={value} must be at least {least} in both directions.")
    axes = zip(x.shape[2:], kernel, strides, paddings, dilations, strict=True)
    sizes = [_windows(name, *axis, ceil_mode) for axis in axes]
    (batch, channels), w_shape = x.shape[:2], (x.shape[1], 1, *kernel)
    y_shape = (batch, channels, sizes[0], sizes[1])
    return x, ConvGeometry(x.shape, w_shape, y_shape, strides, paddings, dilations, channels)


def _windows(name: str, size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    """How many windows there are along an axis. One that begins in the padding behind the image does not count."""
    extent = dilation * (kernel - 1) + 1
    if not 0 <= padding <= extent // 2:
        raise ValueError(f"{name}: padding={padding} must be at least 0 and at most half of the window's {extent}.")
    steps = size + 2 * padding - extent
    out = (-(-steps // stride) if ceil_mode else steps // stride) + 1
    if ceil_mode and (out - 1) * stride >= size + padding:
        out -= 1
    if out < 1:
        raise ValueError(f"{name}: the window spans {extent} elements, but an axis of the input with padding={padding} "
                         f"has {size + 2 * padding}. Use a larger image, more padding, or a smaller window.")
    return out


def _counts(geometry: ConvGeometry, axis: int, count_include_pad: bool) -> list[int]:
    """How many rows (or columns) of the image, or of the padded image, each window has."""
    size, padding = geometry.x_shape[2 + axis], geometry.padding[axis]
    low, high = (-padding, size + padding) if count_include_pad else (0, size)
    starts = [i * geometry.stride[axis] - padding for i in range(geometry.y_shape[2 + axis])]
    return [min(start + geometry.w_shape[2 + axis], high) - max(start, low) for start in starts]
