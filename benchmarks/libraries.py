"""One convolution, forward and backward, in each of the libraries that conv2d.py compares."""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from shapes import Case, pair

Step = Callable[[], object]

# By device the module that it needs, and what the tables call it.
NEEDS = {"cpu": "minigrad_ext", "opencl": "pyopencl", "numpy": "numpy", "torch": "torch", "torch-cuda": "torch",
         "jax": "jax", "mygrad": "mygrad"}  # fmt: skip
TITLES = {"cpu": "minigrad", "opencl": "minigrad, OpenCL", "numpy": "NumPy, im2col", "torch": "PyTorch",
          "torch-cuda": "PyTorch, CUDA", "jax": "JAX", "mygrad": "MyGrad", "capture": "minigrad, captured"}  # fmt: skip


def can(device: str, case: Case) -> bool:
    """MyGrad's conv_nd knows no groups, and refuses strides that cut off a remainder; the others can do everything."""
    return device != "mygrad" or case.groups == case.stride == 1


def steps(device: str, case: Case, dtype: str) -> dict[str, Step]:
    """The two passes, each as a function to call: "forward", and "both" with the gradients of x and w."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in (case.x, case.w, case.geometry().y_shape)]
    makers = {"numpy": _numpy_steps, "jax": _jax_steps, "mygrad": _mygrad_steps}
    if device in makers:
        return makers[device](case, *arrays)
    library, _, place = device.partition("-")
    if library != "torch":
        return _autograd_steps(importlib.import_module("minigrad"), device, case, *arrays)
    torch = importlib.import_module("torch")
    torch.backends.cudnn.allow_tf32 = False  # float32, as elsewhere
    return _autograd_steps(torch, place or "cpu", case, *arrays)


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
    (row_padding, column_padding), stride, dilation = pair(case.padding), case.stride, case.dilation
    out_height, out_width = case.geometry().y_shape[2:]
    w = w.reshape(case.groups, out_channels // case.groups, -1)
    dy = dy.reshape(batch, case.groups, out_channels // case.groups, -1)
    inside = np.s_[:, :, row_padding : row_padding + height, column_padding : column_padding + width]

    def padded() -> Any:
        return np.zeros((batch, channels, height + 2 * row_padding, width + 2 * column_padding), x.dtype)

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
        return columns.reshape(batch, case.groups, group_channels * kernel[0] * kernel[1], -1)

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


def _jax_steps(case: Case, x: Any, w: Any, dy: Any) -> dict[str, Step]:
    """Compiled by jax.jit. XLA's pool of threads has one for every CPU, whatever the environment says."""
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    x, w, dy = map(jax.numpy.asarray, (x, w, dy))
    padding = [(each, each) for each in pair(case.padding)]

    def conv2d(x: Any, w: Any) -> Any:
        return jax.lax.conv_general_dilated(
            x, w, pair(case.stride), padding, rhs_dilation=pair(case.dilation), feature_group_count=case.groups
        )  # by default (n, c, h, k) and (o, c, u, v)

    def gradients(x: Any, w: Any, dy: Any) -> Any:
        y, pull_back = jax.vjp(conv2d, x, w)
        return y, *pull_back(dy)

    forward, both = jax.jit(conv2d), jax.jit(gradients)
    return {"forward": lambda: forward(x, w).block_until_ready(), "both": lambda: both(x, w, dy)[2].block_until_ready()}


def _mygrad_steps(case: Case, x: Any, w: Any, dy: Any) -> dict[str, Step]:
    mygrad = importlib.import_module("mygrad")
    conv_nd = importlib.import_module("mygrad.nnet.layers").conv_nd
    x, w = mygrad.tensor(x), mygrad.tensor(w)
    parameters = {"stride": case.stride, "padding": case.padding, "dilation": case.dilation}

    def forward() -> None:
        with mygrad.no_autodiff:
            conv_nd(x, w, **parameters)

    def both() -> None:
        conv_nd(x, w, **parameters).backward(dy)

    return {"forward": forward, "both": both}
