"""What the functions of this package ask of their arguments."""

from collections.abc import Sequence

from minigrad.backends.geometry import Pair
from minigrad.ops.shape import integers
from minigrad.tensor import Tensor

IntOrPair = int | Sequence[int]


def single(name: str, argument: str, value: IntOrPair) -> int:
    """An int, alone or as a sequence of one."""
    try:
        (number,) = integers(name, tuple(value) if hasattr(value, "__iter__") else (value,))
    except (TypeError, ValueError):
        raise TypeError(f"{name}: {argument}={value!r} must be an int.") from None
    return number


def pair(name: str, argument: str, value: IntOrPair) -> Pair:
    """An int for both directions, or two ints (vertical, horizontal)."""
    if type(value) is int:
        return value, value
    if type(value) is tuple and len(value) == 2 and type(value[0]) is type(value[1]) is int:  # as layers have it
        return value
    try:
        vertical, horizontal = integers(name, tuple(value) if hasattr(value, "__iter__") else (value, value))
    except (TypeError, ValueError):
        message = f"{name}: {argument}={value!r} must be an int or a pair of ints (vertical, horizontal)."
        raise TypeError(message) from None
    return vertical, horizontal


def check_tensors(name: str, *tensors: Tensor) -> None:
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name}: needs tensors, got {type(tensor).__name__}; make one with minigrad.tensor(data).")


def check_floats(name: str, *tensors: Tensor) -> None:
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            check_tensors(name, tensor)
        if tensor.array.dtype.kind != "f":
            raise TypeError(f"{name}: needs floating-point tensors, got {tensor.dtype} {tensor.shape}; convert with "
                            ".float().")


def check_alike(name: str, input: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    others = (weight,) if bias is None else (weight, bias)
    check_floats(name, input, *others)
    for tensor in others:
        if tensor.device is not input.device or tensor.array.dtype != input.array.dtype:
            raise TypeError(f"{name}: input is {input.dtype} {input.shape} on {input.device}, but "
                            f"{'weight' if tensor is weight else 'bias'} {tensor.dtype} {tensor.shape} on "
                            f"{tensor.device}; they must agree. Convert with .float(), .double() or .to(device).")


def check_images(name: str, input: Tensor, weight: Tensor, bias: Tensor | None, *axes: str) -> None:
    """`axes` names those of an image, such as "height", "width", which come last in input and weight."""
    check_alike(name, input, weight, bias)
    rank = len(axes)
    if len(weight.array.shape) != 2 + rank:
        kernel = ", ".join(f"kernel_{axis}" for axis in axes)
        raise ValueError(f"{name}: weight has shape {weight.shape}, but must have {2 + rank} dimensions (out_channels, "
                         f"in_channels / groups, {kernel}); one kernel K alone is K.reshape(1, 1, *K.shape).")
    check_batched(name, input, *axes)


def check_batched(name: str, input: Tensor, *axes: str) -> None:
    rank = 1 + len(axes)
    if len(input.array.shape) not in (rank, rank + 1):
        image = ", ".join(axes)
        raise ValueError(f"{name}: input has shape {input.shape}, but must be (batch, channels, {image}) or (channels, "
                         f"{image}); one image X alone is X.reshape(1, 1, *X.shape).")


def batched(input: Tensor, rank: int = 4) -> Tensor:
    """`input` with a batch axis in front, if it had none."""
    return input if len(input.array.shape) == rank else input.unsqueeze(0)


def unbatched(result: Tensor, input: Tensor, rank: int = 4) -> Tensor:
    """`result` without the batch axis that `batched` gave to `input`."""
    return result if len(input.array.shape) == rank else result.squeeze(0)


def written(input: Tensor, result: Tensor, inplace: bool) -> Tensor:
    """`result`; in the memory of `input`, if it is to be done in place."""
    return input.copy_(result) if inplace else result
