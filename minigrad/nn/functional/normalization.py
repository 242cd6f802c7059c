"""Normalization: mean 0 and variance 1, of each channel over the batch, or of each sample over its features."""

from collections.abc import Sequence
from math import prod

from minigrad.backends.geometry import Shape
from minigrad.function import Array, Function, is_grad_enabled, no_grad
from minigrad.nn.functional.arguments import check_floats
from minigrad.ops.convert import cast, common_dtype
from minigrad.ops.shape import integers, unpacked
from minigrad.tensor import Tensor


def batch_norm(input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None,
               bias: Tensor | None = None, training: bool = False, momentum: float = 0.1, eps: float = 1e-5) -> Tensor:
    """y = (x - mean) / sqrt(var + eps) * weight + bias, all of them (channels,), for x (batch, channels, ...).

    When training, mean and var (divided by n, the number of elements) are those of each channel of x, and the running
    ones are moved towards them in place: running = (1 - momentum) * running + momentum * (mean, or var * n / (n - 1)).
    Else they are the running ones.

    Source: Ioffe and Szegedy, "Batch normalization" (2015).
    """
    if input.ndim < 2:
        raise ValueError(f"batch_norm: input has shape {input.shape}, but must be (batch, channels, ...).")
    size = (input.shape[1],)
    _check_shapes("batch_norm", input, size, weight=weight, bias=bias)
    _check_shapes("batch_norm", input, size, running_mean=running_mean, running_var=running_var)
    column = (*size, *[1] * (input.ndim - 2))  # beside the axes behind the channels
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("batch_norm: needs running_mean and running_var when not training.")
        return _scaled(input - running_mean.reshape(column), running_var.reshape(column), eps, weight, bias, column)
    axes = (0, *range(2, input.ndim))
    count = prod([input.shape[axis] for axis in axes])
    if count == 1:
        raise ValueError(f"batch_norm: input {input.shape} has one value per channel, which has no variance.")
    if count == 0:
        return _scaled(input, input.new_ones(column), eps, weight, bias, column)
    weight = input.new_ones(size) if weight is None else weight
    bias = input.new_zeros(size) if bias is None else bias
    normalize = BatchNorm(eps)
    dtype = common_dtype((input, weight, bias))
    y = normalize(cast(input, dtype), cast(weight, dtype), cast(bias, dtype))
    with no_grad():
        for running, now in ((running_mean, normalize.mean), (running_var, normalize.var)):
            if running is not None:
                unbiased = count / (count - 1) if running is running_var else 1
                running.copy_(running * (1 - momentum) + y._constant(now) * (unbiased * momentum))
    return y


class BatchNorm(Function):
    """y = (x - mean) / sqrt(var + eps) * w + b, with mean and var of each channel of x: (batch, channels, ...)."""

    saves_inputs = ((0, 1), (0, 1), (0, 1))  # the primitive computes the three gradients at once

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def forward(self, x: Array, w: Array, b: Array) -> Array:
        y, self.mean, self.var = self.device.batch_norm(self._places_last(x), w, b, self.eps)
        return self.device.reshape(y, x.shape)

    def backward(self, dy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, w, _ = self.inputs
        if is_grad_enabled():
            return self._recorded(dy, x, w)
        arrays = self._places_last(dy.array), self._places_last(x.array), w.array
        dx, dw, db = self.device.batch_norm_grad(*arrays, self.mean, self.var, self.eps)
        return dy._constant(self.device.reshape(dx, dy.shape)), dy._constant(dw), dy._constant(db)

    def _recorded(self, dy: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same in operations, which have derivatives in their turn."""
        axes, column = (0, *range(2, x.ndim)), (x.shape[1], *[1] * (x.ndim - 2))
        centred = x - x.mean(axes, keepdim=True)
        scale = ((centred * centred).mean(axes, keepdim=True) + self.eps) ** -0.5
        normal = centred * scale
        products = dy * normal
        rest = dy - dy.mean(axes, keepdim=True) - normal * products.mean(axes, keepdim=True)
        return rest * scale * w.reshape(column), products.sum(axes), dy.sum(axes)

    def _places_last(self, x: Array) -> Array:
        return self.device.reshape(x, (*x.shape[:2], prod(x.shape[2:])))


def layer_norm(input: Tensor, normalized_shape: int | Sequence[int], weight: Tensor | None = None,
               bias: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """y = (x - mean) / sqrt(var + eps) * weight + bias, with mean and var over the last axes of x, which have the sizes
    `normalized_shape`, as weight and bias have.

    Source: Ba, Kiros and Hinton, "Layer normalization" (2016).
    """
    shape = integers("layer_norm: normalized_shape", unpacked((normalized_shape,)))
    _check_shapes("layer_norm", input, shape, weight=weight, bias=bias)
    if not shape or input.shape[-len(shape) :] != shape:
        raise ValueError(f"layer_norm: input {input.shape} does not end in normalized_shape={shape}.")
    weight = input.new_ones(shape) if weight is None else weight
    bias = input.new_zeros(shape) if bias is None else bias
    if input.numel() == 0:
        return input * weight + bias
    dtype = common_dtype((input, weight, bias))
    return LayerNorm(len(shape), eps)(cast(input, dtype), cast(weight, dtype), cast(bias, dtype))


class LayerNorm(Function):
    """y = (x - mean) / sqrt(var + eps) * w + b, with mean and var over the last `rank` axes of x."""

    saves_inputs = ((0, 1), (0, 1), (0, 1))  # the primitive computes the three gradients at once

    def __init__(self, rank: int, eps: float) -> None:
        self.rank, self.eps = rank, eps

    def forward(self, x: Array, w: Array, b: Array) -> Array:
        device, places = self.device, (prod(w.shape),)
        w, b = device.reshape(w, places), device.reshape(b, places)
        y, self.mean, self.var = device.layer_norm(self._rows(x), w, b, self.eps)
        return device.reshape(y, x.shape)

    def backward(self, dy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, w, _ = self.inputs
        if is_grad_enabled():
            return self._recorded(dy, x, w)
        device = self.device
        arrays = self._rows(dy.array), self._rows(x.array), device.reshape(w.array, (prod(w.shape),))
        gradients = device.layer_norm_grad(*arrays, self.mean, self.var, self.eps)
        dx, dw, db = [device.reshape(one, like.shape) for one, like in zip(gradients, (x, w, w), strict=True)]
        return dy._constant(dx), dy._constant(dw), dy._constant(db)

    def _recorded(self, dy: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same in operations, which have derivatives in their turn."""
        rows, axes = tuple(range(x.ndim - self.rank)), tuple(range(x.ndim - self.rank, x.ndim))
        centred = x - x.mean(axes, keepdim=True)
        scale = ((centred * centred).mean(axes, keepdim=True) + self.eps) ** -0.5
        normal, g = centred * scale, dy * w
        dx = (g - g.mean(axes, keepdim=True) - normal * (g * normal).mean(axes, keepdim=True)) * scale
        return dx, (dy * normal).sum(rows) if rows else dy * normal, dy.sum(rows) if rows else dy

    def _rows(self, x: Array) -> Array:
        at = len(x.shape) - self.rank
        return self.device.reshape(x, (prod(x.shape[:at]), prod(x.shape[at:])))


def _scaled(centred: Tensor, var: Tensor, eps: float, weight: Tensor | None, bias: Tensor | None,
            shape: Shape) -> Tensor:
    y = centred * (var + eps) ** -0.5
    y = y if weight is None else y * weight.reshape(shape)
    return y if bias is None else y + bias.reshape(shape)


def _check_shapes(name: str, input: Tensor, shape: Shape, **others: Tensor | None) -> None:
    given = {argument: tensor for argument, tensor in others.items() if tensor is not None}
    check_floats(name, input, *given.values())
    for argument, tensor in given.items():
        if tensor.shape != shape or tensor.device is not input.device:
            raise ValueError(f"{name}: {argument} is {tensor.shape} on {tensor.device}, but must be {shape} on "
                             f"{input.device}, as input is {input.shape}.")
