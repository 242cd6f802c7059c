"""One convolution, forward and backward, in each of the libraries that conv2d.py compares; and the shapes it uses."""

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import minigrad
from minigrad.backends.geometry import ConvGeometry, conv_geometry

Step = Callable[[], object]


class Case(NamedTuple):
    x: tuple[int, int, int, int]
    w: tuple[int, int, int, int]
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1

    def geometry(self) -> ConvGeometry:
        pairs = [(number, number) for number in self[2:5]]
        return conv_geometry("conv2d", self.x, self.w, *pairs, self.groups)


CASES = {
    "edge": Case((1, 1, 6, 8), (1, 1, 1, 2)),  # the book's edge kernel
    "lenet-1": Case((64, 1, 28, 28), (6, 1, 5, 5), padding=2),
    "lenet-2": Case((64, 6, 14, 14), (16, 6, 5, 5)),
    "vgg-first": Case((2, 3, 224, 224), (64, 3, 3, 3), padding=1),
    "32x32": Case((16, 32, 32, 32), (32, 32, 3, 3), padding=1),
    "resnet-64": Case((4, 64, 56, 56), (64, 64, 3, 3), padding=1),
    "resnet-128": Case((4, 128, 28, 28), (128, 128, 3, 3), padding=1),
    "resnet-256": Case((4, 256, 14, 14), (256, 256, 3, 3), padding=1),
    "resnet-512": Case((4, 512, 7, 7), (512, 512, 3, 3), padding=1),
    "stride-2": Case((4, 64, 56, 56), (128, 64, 3, 3), stride=2, padding=1),
    "7x7-stride-2": Case((2, 3, 224, 224), (64, 3, 7, 7), stride=2, padding=3),
    "1x1": Case((4, 64, 56, 56), (256, 64, 1, 1)),
    "1x1-stride-2": Case((4, 256, 56, 56), (512, 256, 1, 1), stride=2),
    "depthwise": Case((8, 64, 56, 56), (64, 1, 3, 3), padding=1, groups=64),
    "groups-4": Case((4, 64, 56, 56), (64, 16, 3, 3), padding=1, groups=4),
    "dilated": Case((4, 64, 56, 56), (64, 64, 3, 3), padding=2, dilation=2),
    "odd": Case((3, 13, 37, 29), (17, 13, 5, 3), padding=1),
}


def steps(device: str, case: Case, dtype: str) -> dict[str, Step]:
    """The two passes, each as a function to call: "forward", and "both" with the gradients of x and w."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in (case.x, case.w, case.geometry().y_shape)]
    if device == "numpy":
        return _numpy_steps(case, *arrays)
    if device == "torch":
        return _autograd_steps(importlib.import_module("torch"), "cpu", case, *arrays)
    if device == "torch-cuda":
        torch = importlib.import_module("torch")
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False  # true float32, as elsewhere
        return _autograd_steps(torch, "cuda", case, *arrays)
    return _autograd_steps(minigrad, device, case, *arrays)


def _autograd_steps(library: Any, device: str, case: Case, x: Any, w: Any, dy: Any) -> dict[str, Step]:
    """minigrad and PyTorch: as far as this goes, they are one API."""
    x, w = (library.tensor(array, device=device, requires_grad=True) for array in (x, w))
    dy = library.tensor(dy, device=device)
    parameters = (None, *case[2:])  # no bias

    def wait(result: Any) -> None:
        if device in ("opencl", "cuda"):  # work is queued there: read one element of the last result
            result.detach()[0, 0, 0, 0].item()

    def forward() -> None:
        with library.no_grad():
            wait(library.nn.functional.conv2d(x, w, *parameters))

    def both() -> None:
        library.nn.functional.conv2d(x, w, *parameters).backward(dy)
        wait(w.grad)
        x.grad = w.grad = None

    return {"forward": forward, "both": both}


def _numpy_steps(case: Case, x: Any, w: Any, dy: Any) -> dict[str, Step]:
    """The textbook method, im2col: copy the windows of x into the columns of a matrix; the rest is matrix products."""
    (batch, channels, height, width), (out_channels, group_channels, *kernel) = case.x, case.w
    _, _, stride, padding, dilation, groups = case
    out_height, out_width = case.geometry().y_shape[2:]
    w = w.reshape(groups, out_channels // groups, -1)
    dy = dy.reshape(batch, groups, out_channels // groups, -1)
    inside = np.s_[:, :, padding : padding + height, padding : padding + width]

    def padded() -> Any:
        return np.zeros((batch, channels, height + 2 * padding, width + 2 * padding), x.dtype)

    def at(image: Any, u: int, v: int) -> Any:
        """The pixels that tap (u, v) meets."""
        corner = image[:, :, u * dilation :, v * dilation :]
        return corner[:, :, : out_height * stride : stride, : out_width * stride : stride]

    def im2col() -> Any:
        image = padded()
        image[inside] = x
        columns = np.empty((batch, channels, *kernel, out_height, out_width), x.dtype)
        for u, v in np.ndindex(*kernel):
            columns[:, :, u, v] = at(image, u, v)
        return columns.reshape(batch, groups, group_channels * kernel[0] * kernel[1], -1)

    def col2im(columns: Any) -> Any:
        columns = columns.reshape(batch, channels, *kernel, out_height, out_width)
        image = padded()
        for u, v in np.ndindex(*kernel):
            at(image, u, v)[...] += columns[:, :, u, v]
        return image[inside]

    def forward() -> Any:
        return w @ im2col()

    def both() -> Any:
        columns = im2col()
        return w @ columns, col2im(w.swapaxes(1, 2) @ dy), (dy @ columns.swapaxes(2, 3)).sum(0)

    return {"forward": forward, "both": both}
