"""Convolution, its transpose, and the windows it looks at."""

from math import prod

from minigrad.backends.geometry import ConvGeometry, Pair, conv_geometry, transposed_geometry
from minigrad.nn.functional.arguments import (
    IntOrPair,
    batched,
    check_batched,
    check_floats,
    check_images,
    pair,
    single,
    unbatched,
)  # fmt: skip
from minigrad.nn.functional.resizing import pad
from minigrad.ops import conv, window
from minigrad.ops.reduce import add_bias
from minigrad.ops.shape import integers
from minigrad.tensor import Tensor


def conv2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: IntOrPair = 1,
           padding: IntOrPair | str = 0, dilation: IntOrPair = 1, groups: int = 1) -> Tensor:
    """Two-dimensional cross-correlation of a batch of images with a bank of kernels:

        y[n,o,i,j] = bias[o] + sum over c, u, v of  x[n,c,h,k] * w[o,c,u,v],
        h = i * stride - padding + u * dilation,  k = j * stride - padding + v * dilation,

    where x is zero outside the image. Deep learning calls it convolution; the kernel is not flipped.

    Args:
        input: x, (batch, in_channels, height, width), or (in_channels, height, width) without a batch.
        weight: w, (out_channels, in_channels / groups, kernel_height, kernel_width).
        bias: (out_channels,) or None.
        stride, dilation: an int or a pair (vertical, horizontal), at least 1.
        padding: likewise, at least 0; 'valid' (none) or 'same' (output as large as the input, for stride 1; an
            odd row or column goes below or to the right).
        groups: channels fall into so many groups that do not see each other.

    Returns: y, (batch, out_channels, out_height, out_width), without the batch if input had none, where
        out = floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1.

    Raises: ValueError for shapes and parameters that do not fit, TypeError for dtypes, always naming the argument.

    Source: Dive into Deep Learning, section "Convolutions for Images"; torch.nn.functional.conv2d for the conventions.
    """
    check_images("conv2d", input, weight, bias, "height", "width")
    strides, dilations = pair("conv2d", "stride", stride), pair("conv2d", "dilation", dilation)
    paddings = padding if isinstance(padding, str) else pair("conv2d", "padding", padding)
    return unbatched(_convolved("conv2d", batched(input), weight, bias, strides, paddings, dilations, groups), input)


def conv1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: IntOrPair = 1,
           padding: IntOrPair | str = 0, dilation: IntOrPair = 1, groups: int = 1) -> Tensor:
    """conv2d of images of height 1: input (batch, in_channels, width) or without batch, weight (out_channels,
    in_channels / groups, kernel_width), the other arguments as in conv2d with one number each.
    """
    check_images("conv1d", input, weight, bias, "width")
    strides, dilations = (1, single("conv1d", "stride", stride)), (1, single("conv1d", "dilation", dilation))
    paddings = padding if isinstance(padding, str) else (0, single("conv1d", "padding", padding))
    x, w = batched(input, 3).unsqueeze(2), weight.unsqueeze(2)
    return unbatched(_convolved("conv1d", x, w, bias, strides, paddings, dilations, groups).squeeze(2), input, 3)


def conv_transpose2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: IntOrPair = 1,
                     padding: IntOrPair = 0, output_padding: IntOrPair = 0, groups: int = 1,
                     dilation: IntOrPair = 1) -> Tensor:
    """The transposed convolution: conv2d's map from y back to the shape of x, which is also its gradient for x.

        x[n,c,h,k] = bias[c] + sum of  y[n,o,i,j] * w[o,c,u,v]  over all o, i, j, u, v with
                     h = i*stride-padding+u*dilation,  k = j*stride-padding+v*dilation

    Args:
        input: y, (batch, in_channels, height, width) or without the batch.
        weight: w, (in_channels, out_channels / groups, kernel_height, kernel_width).
        bias: (out_channels,) or None.
        stride, padding, dilation, groups: those of the convolution that is transposed.
        output_padding: rows and columns to add below and to the right: of the sizes that a
            strided convolution maps to the size of y, which one is meant.

    Returns: (batch, out_channels, out_height, out_width) with
        out = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1 + output_padding.

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016), chapter 4.
    """
    check_images("conv_transpose2d", input, weight, bias, "height", "width")
    (groups,) = integers("conv_transpose2d: groups", [groups])
    y = batched(input)
    strides, paddings = pair("conv_transpose2d", "stride", stride), pair("conv_transpose2d", "padding", padding)
    extras = pair("conv_transpose2d", "output_padding", output_padding)
    dilations = pair("conv_transpose2d", "dilation", dilation)
    geometry = transposed_geometry("conv_transpose2d", y.shape, weight.shape, strides, paddings, extras, dilations,
                                   groups)
    return unbatched(_biased("conv_transpose2d", conv.conv2d_input_grad(y, weight, geometry), bias), input)


def corr2d(X: Tensor, K: Tensor) -> Tensor:
    """The book's two-dimensional cross-correlation: Y[i, j] = sum over u, v of X[i+u, j+v] * K[u, v].

    X is one image (height, width), K one kernel (kh, kw); the result is (height - kh + 1, width - kw + 1).
    """
    check_floats("corr2d", X, K)
    for name, matrix in (("X", X), ("K", K)):
        if matrix.ndim != 2:
            raise ValueError(f"corr2d: {name} must be a matrix (height, width), got shape {matrix.shape}; see F.conv2d "
                             "for batches.")
    return conv2d(X.reshape(1, 1, *X.shape), K.reshape(1, 1, *K.shape)).squeeze(0).squeeze(0)


def unfold(input: Tensor, kernel_size: IntOrPair, dilation: IntOrPair = 1, padding: IntOrPair = 0,
           stride: IntOrPair = 1) -> Tensor:
    """The windows that a convolution looks at, as columns ("im2col"): with them convolution is one matrix product,

        conv2d(x, w) = w.reshape(out_channels, -1) @ unfold(x, kernel)    (up to the shape of the image).

    Input (batch, channels, height, width) or without batch; result (batch, channels * kh * kw, windows), columns in
    row-major order of the window's place, rows in row-major order of (channel, u, v).
    """
    check_floats("unfold", input)
    check_batched("unfold", input, "height", "width")
    x = batched(input)
    geometry = _window_geometry("unfold", x.shape, kernel_size, dilation, padding, stride)
    return unbatched(window.unfold(x, geometry).flatten(3).flatten(1, 2), input)


def fold(input: Tensor, output_size: IntOrPair, kernel_size: IntOrPair, dilation: IntOrPair = 1, padding: IntOrPair = 0,
         stride: IntOrPair = 1) -> Tensor:
    """unfold's columns back at their places in an image of output_size = (height, width); where windows overlap, they
    add up. It is the gradient of unfold.

    Input (batch, channels * kh * kw, windows) or without batch; result (batch, channels, height, width).
    """
    check_floats("fold", input)
    (height, width), taps = pair("fold", "output_size", output_size), prod(pair("fold", "kernel_size", kernel_size))
    if input.ndim not in (2, 3) or taps < 1 or input.shape[-2] % taps:
        raise ValueError(f"fold: input has shape {input.shape}, but must be (batch, channels * {taps}, windows) for "
                         f"kernel_size={kernel_size}.")
    y = batched(input, 3)
    shape = (y.shape[0], y.shape[1] // taps, height, width)
    geometry = _window_geometry("fold", shape, kernel_size, dilation, padding, stride)
    windows = geometry.y_shape[2:]
    if y.shape[2] != prod(windows):
        raise ValueError(f"fold: input {input.shape} has {y.shape[2]} windows, an image of output_size={output_size} "
                         f"has {windows}.")
    return unbatched(window.fold(y.reshape(*shape[:2], taps, *windows), geometry), input, 3)


def _window_geometry(name: str, shape: tuple[int, ...], kernel: IntOrPair, dilation: IntOrPair, padding: IntOrPair,
                     stride: IntOrPair) -> ConvGeometry:
    names = {"kernel_size": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    kernel, strides, paddings, dilations = (pair(name, argument, value) for argument, value in names.items())
    return conv_geometry(name, shape, (1, shape[1], *kernel), strides, paddings, dilations, 1)


def _convolved(name: str, x: Tensor, w: Tensor, bias: Tensor | None, stride: Pair, padding: Pair | str, dilation: Pair,
               groups: int) -> Tensor:
    if type(groups) is not int:
        (groups,) = integers(f"{name}: groups", [groups])
    if isinstance(padding, str):
        x, padding = _pad_for(name, padding, x, w, stride, dilation)
    geometry = conv_geometry(name, x.array.shape, w.array.shape, stride, padding, dilation, groups)
    y = conv.conv2d(x, w, geometry)
    return y if bias is None else _biased(name, y, bias)


def _pad_for(name: str, padding: str, x: Tensor, weight: Tensor, stride: Pair, dilation: Pair) -> tuple[Tensor, Pair]:
    """Padding by name, as numbers that are equal on both sides; an odd one out is added to the image right away."""
    if padding == "valid":
        return x, (0, 0)
    if padding != "same":
        raise ValueError(f"{name}: padding={padding!r} must be an int, a pair of ints, 'valid' or 'same'.")
    if stride != (1, 1):
        raise ValueError(f"{name}: padding='same' needs stride 1, got {stride}; give the padding as numbers.")
    totals = [dilation[axis] * (weight.shape[2 + axis] - 1) for axis in (0, 1)]
    if totals[0] % 2 or totals[1] % 2:
        x = pad(x, (0, totals[1] % 2, 0, totals[0] % 2))
    return x, (totals[0] // 2, totals[1] // 2)


def _biased(name: str, y: Tensor, bias: Tensor | None) -> Tensor:
    """Adds the bias to every place of its channel."""
    if bias is None:
        return y
    channels = y.shape[1]
    if bias.shape != (channels,):
        raise ValueError(f"{name}: bias has shape {bias.shape}, but there are {channels} output channels: expected "
                         f"({channels},).")
    return add_bias(y, bias)
