"""What the functions of this package ask of their arguments."""

from collections.abc import Iterable, Sequence

from minigrad.backends.geometry import Pair
from minigrad.ops.shape import integers
from minigrad.tensor import Tensor

IntOrPair = int | Sequence[int]


def pair(name: str, argument: str, value: IntOrPair) -> Pair:
    """An int for both directions, or two ints (vertical, horizontal)."""
    try:
        vertical, horizontal = integers(name, tuple(value) if isinstance(value, Iterable) else (value, value))
    except (TypeError, ValueError):
        message = f"{name}: {argument}={value!r} must be an int or a pair of ints (vertical, horizontal)."
        raise TypeError(message) from None
    return vertical, horizontal


def check_tensors(name: str, *tensors: Tensor) -> None:
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name}: needs tensors, got {type(tensor).__name__}; make one with minigrad.tensor(data).")


def check_floats(name: str, *tensors: Tensor) -> None:
    check_tensors(name, *tensors)
    for tensor in tensors:
        if not tensor.is_floating_point():
            raise TypeError(
                f"{name}: needs floating-point tensors, got {tensor.dtype} {tensor.shape}; convert with .float()."
            )


def check_alike(name: str, input: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    check_floats(name, input, weight, *(() if bias is None else (bias,)))
    for other, tensor in (("weight", weight), ("bias", input if bias is None else bias)):
        if tensor.dtype != input.dtype or tensor.device is not input.device:
            raise TypeError(
                f"{name}: input is {input.dtype} {input.shape} on {input.device}, but {other} {tensor.dtype} "
                f"{tensor.shape} on {tensor.device}; they must agree. Convert with .float(), .double() or .to(device)."
            )


def check_images(name: str, input: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    check_alike(name, input, weight, bias)
    if weight.ndim != 4:
        raise ValueError(
            f"{name}: weight has shape {weight.shape}, but must have 4 dimensions (out_channels, in_channels / groups, "
            "kernel_height, kernel_width); one kernel K alone is K.reshape(1, 1, *K.shape)."
        )
    if input.ndim not in (3, 4):
        raise ValueError(
            f"{name}: input has shape {input.shape}, but must be (batch, channels, height, width) or (channels, "
            "height, width); one image X alone is X.reshape(1, 1, *X.shape)."
        )
