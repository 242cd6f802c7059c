"""Convolution, its transpose, and the windows it looks at."""

from minigrad.backends.geometry import Pair, conv_geometry, transposed_geometry
from minigrad.nn.functional.arguments import IntOrPair, check_floats, check_images, pair
from minigrad.ops import conv, index
from minigrad.ops.shape import integers
from minigrad.tensor import Tensor


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: IntOrPair = 1,
    padding: IntOrPair | str = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> Tensor:
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
    check_images("conv2d", input, weight, bias)
    (groups,) = integers("conv2d: groups", [groups])
    strides, dilations = pair("conv2d", "stride", stride), pair("conv2d", "dilation", dilation)
    x = input if input.ndim == 4 else input.unsqueeze(0)
    if isinstance(padding, str):
        x, paddings = _pad_for(padding, x, weight, strides, dilations)
    else:
        paddings = pair("conv2d", "padding", padding)
    geometry = conv_geometry("conv2d", x.shape, weight.shape, strides, paddings, dilations, groups)
    return _finish("conv2d", conv.conv2d(x, weight, geometry), bias, input)


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    output_padding: IntOrPair = 0,
    groups: int = 1,
    dilation: IntOrPair = 1,
) -> Tensor:
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
    check_images("conv_transpose2d", input, weight, bias)
    (groups,) = integers("conv_transpose2d: groups", [groups])
    y = input if input.ndim == 4 else input.unsqueeze(0)
    strides, paddings = pair("conv_transpose2d", "stride", stride), pair("conv_transpose2d", "padding", padding)
    extras = pair("conv_transpose2d", "output_padding", output_padding)
    dilations = pair("conv_transpose2d", "dilation", dilation)
    geometry = transposed_geometry(
        "conv_transpose2d", y.shape, weight.shape, strides, paddings, extras, dilations, groups
    )
    return _finish("conv_transpose2d", conv.conv2d_input_grad(y, weight, geometry), bias, input)


def corr2d(X: Tensor, K: Tensor) -> Tensor:
    """The book's two-dimensional cross-correlation: Y[i, j] = sum over u, v of X[i+u, j+v] * K[u, v].

    X is one image (height, width), K one kernel (kh, kw); the result is (height - kh + 1, width - kw + 1).
    """
    check_floats("corr2d", X, K)
    for name, matrix in (("X", X), ("K", K)):
        if matrix.ndim != 2:
            raise ValueError(
                f"corr2d: {name} must be a matrix (height, width), got shape {matrix.shape}; see F.conv2d for batches."
            )
    return conv2d(X.reshape(1, 1, *X.shape), K.reshape(1, 1, *K.shape)).squeeze(0).squeeze(0)


def unfold(
    input: Tensor, kernel_size: IntOrPair, dilation: IntOrPair = 1, padding: IntOrPair = 0, stride: IntOrPair = 1
) -> Tensor:
    """The windows that a convolution looks at, as columns ("im2col"): with them convolution is one matrix product,

        conv2d(x, w) = w.reshape(out_channels, -1) @ unfold(x, kernel)    (up to the shape of the image).

    Input (batch, channels, height, width) or without batch; result (batch, channels * kh * kw, windows), columns in
    row-major order of the window's place, rows in row-major order of (channel, u, v).
    """
    check_floats("unfold", input)
    if input.ndim not in (3, 4):
        raise ValueError(f"unfold: input must be (batch, channels, height, width), got shape {input.shape}.")
    names = {"kernel_size": kernel_size, "dilation": dilation, "padding": padding, "stride": stride}
    kernel, dilations, paddings, strides = (pair("unfold", name, value) for name, value in names.items())
    x = input if input.ndim == 4 else input.unsqueeze(0)
    w_shape = (1, x.shape[1], *kernel)
    height, width = conv_geometry("unfold", x.shape, w_shape, strides, paddings, dilations, 1).y_shape[2:]
    x = index.pad(x, [(0, 0), (0, 0), (paddings[0], paddings[0]), (paddings[1], paddings[1])])
    rows, columns = slice(0, height * strides[0], strides[0]), slice(0, width * strides[1], strides[1])
    taps = [
        x[:, :, u * dilations[0] :, v * dilations[1] :][:, :, rows, columns]
        for u in range(kernel[0])
        for v in range(kernel[1])
    ]
    windows = index.stack(taps, dim=2).reshape(x.shape[0], x.shape[1] * kernel[0] * kernel[1], height * width)
    return windows if input.ndim == 4 else windows.squeeze(0)


def _pad_for(padding: str, x: Tensor, weight: Tensor, stride: Pair, dilation: Pair) -> tuple[Tensor, Pair]:
    """Padding by name, as numbers that are equal on both sides; an odd one out is added to the image right away."""
    if padding == "valid":
        return x, (0, 0)
    if padding != "same":
        raise ValueError(f"conv2d: padding={padding!r} must be an int, a pair of ints, 'valid' or 'same'.")
    if stride != (1, 1):
        raise ValueError(f"conv2d: padding='same' needs stride 1, got {stride}; give the padding as numbers.")
    totals = [dilation[axis] * (weight.shape[2 + axis] - 1) for axis in (0, 1)]
    if totals[0] % 2 or totals[1] % 2:
        x = index.pad(x, [(0, 0), (0, 0), (0, totals[0] % 2), (0, totals[1] % 2)])
    return x, (totals[0] // 2, totals[1] // 2)


def _finish(name: str, y: Tensor, bias: Tensor | None, input: Tensor) -> Tensor:
    """Adds the bias to every place of its channel, and takes the batch axis off again if the input had none."""
    if bias is not None:
        channels = y.shape[1]
        if bias.shape != (channels,):
            raise ValueError(
                f"{name}: bias has shape {bias.shape}, but there are {channels} output channels: expected "
                f"({channels},)."
            )
        y = y + bias.reshape(channels, 1, 1)
    return y if input.ndim == 4 else y.squeeze(0)
