"""Random numbers: where they come from, and tensors made of them.

They are drawn on the host, so one seed gives the same numbers on every device (and others than PyTorch's). The state of
a generator is a tensor: saved with the weights, it lets training go on as if it had never stopped.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from minigrad.creation import Device, make
from minigrad.dtypes import as_array, as_dtype, as_number, float32
from minigrad.function import is_grad_enabled
from minigrad.ops.reduce import broadcast_shape
from minigrad.ops.shape import integers, sizes
from minigrad.tensor import Tensor

_WORD = 16  # bytes; the state is four numbers that fit


class Generator:
    """A source of random numbers; rand, randn and all that draw share one, unless given another as `generator`.

    Threads may draw from one: each call gets its numbers whole, but which gets them first is chance. A forked process
    goes on from a copy of the state, so give each worker a seed of its own.
    """

    @cached_property
    def _source(self) -> "np.random.Generator":
        return np.random.default_rng()  # when first asked for: loading numpy.random takes a fifth of `import minigrad`

    def manual_seed(self, seed: int) -> "Generator":
        """Starts the numbers anew, the same for the same seed, from -2^63 to 2^64 - 1; -1 is 2^64 - 1."""
        (number,) = integers("manual_seed", [seed])
        if not -(2**63) <= number < 2**64:
            raise ValueError(f"manual_seed: seed={seed} must be from -2^63 to 2^64 - 1.")
        self._source = np.random.default_rng(number % 2**64)
        return self

    def get_state(self) -> Tensor:
        """The state, 64 bytes: a copy, as a uint8 tensor."""
        bits = self._source.bit_generator
        with bits.lock:
            state = bits.state
        words = (state["state"]["state"], state["state"]["inc"], state["has_uint32"], state["uinteger"])
        data = bytearray().join([word.to_bytes(_WORD, "little") for word in words])
        return make(np.frombuffer(data, np.uint8), None, False)

    def set_state(self, new_state: Tensor) -> None:
        """Goes on from a state that get_state() returned."""
        if not isinstance(new_state, Tensor) or new_state.dtype != np.uint8 or new_state.shape != (4 * _WORD,):
            raise TypeError(f"set_state: new_state must be a uint8 tensor of {4 * _WORD} bytes, got {new_state!r}.")
        data = new_state.numpy().tobytes()
        state, inc, has, half = [int.from_bytes(data[k : k + _WORD], "little") for k in range(0, len(data), _WORD)]
        if has > 1 or half >= 2**32 or inc % 2 == 0:
            raise ValueError("set_state: new_state is no state of a generator; pass what get_state() returned.")
        generator = np.random.Generator(np.random.PCG64())
        words = {"state": {"state": state, "inc": inc}, "has_uint32": has, "uinteger": half}
        generator.bit_generator.state = {"bit_generator": "PCG64", **words}
        self._source = generator


_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Starts the random numbers of rand, randn, nn.init ... anew: the same for the same seed, on every device.

    Returns the generator that they share.
    """
    return _generator.manual_seed(seed)


def get_rng_state() -> Tensor:
    """The state of the shared generator as a uint8 tensor, to be stored in a checkpoint."""
    return _generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """The shared generator goes on from a state that get_rng_state() returned."""
    _generator.set_state(new_state)


def _source(name: str, generator: Generator | None) -> "np.random.Generator":
    if generator is not None and not isinstance(generator, Generator):
        raise TypeError(f"{name}: generator must be a minigrad.Generator, got {type(generator).__name__}.")
    return (generator or _generator)._source


def _float(name: str, dtype: Any) -> np.dtype[Any]:
    kind = as_dtype(dtype or float32)
    if kind.kind != "f":
        raise TypeError(f"{name}: dtype={kind} must be float32 or float64; round numbers with .to({kind.name!r}).")
    return kind


def rand(*args: Any, size: Any = None, generator: Generator | None = None, dtype: Any = None, device: Device = None,
         requires_grad: bool = False) -> Tensor:
    """Random numbers spread evenly over [0, 1)."""
    kind = _float("rand", dtype)
    numbers = _source("rand", generator).random(sizes("rand", args, size)).astype(kind)
    below_one = np.nextafter(kind.type(1), kind.type(0))  # rounding to float32 may have reached 1
    return make(np.minimum(numbers, below_one), device, requires_grad)


def randn(*args: Any, size: Any = None, generator: Generator | None = None, dtype: Any = None, device: Device = None,
          requires_grad: bool = False) -> Tensor:
    """Normally distributed random numbers with mean 0 and variance 1."""
    numbers = _source("randn", generator).standard_normal(sizes("randn", args, size))
    return make(numbers.astype(_float("randn", dtype)), device, requires_grad)


def normal(mean: Any, std: Any = 1.0, size: Sequence[int] | None = None, *, generator: Generator | None = None,
           dtype: Any = None, device: Device = None, requires_grad: bool = False) -> Tensor:
    """mean + std * randn(...): of two numbers and a size, or of tensors (one or two), broadcast together.

    The result has no gradient with respect to mean and std; mean + std * minigrad.randn(size) has.
    """
    tensors = [x for x in (mean, std) if isinstance(x, Tensor)]
    if bool((std < 0).sum()) if isinstance(std, Tensor) else not std >= 0:
        raise ValueError(f"normal: std={std} must not be negative.")
    if not tensors:
        if size is None:
            raise TypeError(f"normal: of two numbers the size is needed too, as in normal({mean}, {std}, (2, 3)).")
        numbers: Tensor = randn(size, generator=generator, dtype=_float("normal", dtype), device=device) * std + mean
        return numbers.requires_grad_(requires_grad)
    if size is not None or dtype is not None or device is not None or requires_grad:
        raise TypeError("normal: with tensors for mean or std, size, dtype, device and requires_grad are theirs.")
    if is_grad_enabled() and any([tensor.requires_grad for tensor in tensors]):
        raise RuntimeError("normal: no gradient reaches mean and std. Write mean + std * minigrad.randn(size), or pass "
                           "them detached.")
    shape = broadcast_shape(tensors[0].shape, tensors[-1].shape)
    kind = _float("normal", tensors[0].dtype)
    drawn: Tensor = randn(shape, generator=generator, dtype=kind, device=tensors[0].device) * std + mean
    return drawn


def randint(low: int = 0, high: int | None = None, size: Sequence[int] | None = None, *,
            generator: Generator | None = None, dtype: Any = None, device: Device = None,
            requires_grad: bool = False) -> Tensor:
    """Random integers from low to high - 1: randint(low, high, size), or from 0 on: randint(high, size).

    int64 unless told.
    """
    if size is None:  # the last of the arguments given by position is the size
        low, high, size = 0, low, high  # type: ignore[assignment]
    elif high is None:
        low, high = 0, low
    kind, (low, high) = as_dtype(dtype or int), integers("randint", (low, high))
    if low >= high:
        raise ValueError(f"randint: there are no integers from low={low} up to, but without, high={high}.")
    for number in (low, high - 1):
        if as_number(number, kind) != kind.type(number):  # raises where an integer dtype cannot hold it
            raise ValueError(f"randint: dtype={kind} cannot hold {number}, of low={low}, high={high}.")
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"randint: size={size!r} must be a tuple, as in randint({low}, {high}, (2, 3)).")
    numbers = _source("randint", generator).integers(low, high, sizes("randint", [size]))
    return make(as_array(numbers, kind), device, requires_grad)


def randperm(n: int, *, generator: Generator | None = None, dtype: Any = None, device: Device = None,
             requires_grad: bool = False) -> Tensor:
    """The numbers 0 ... n - 1 in random order; int64 unless told."""
    numbers = _source("randperm", generator).permutation(*sizes("randperm", [n]))
    return make(as_array(numbers, dtype or int), device, requires_grad)


def rand_like(input: Tensor, *, dtype: Any = None, device: Device = None, requires_grad: bool = False) -> Tensor:
    """`rand` of the shape, dtype and device of `input`."""
    return rand(input.shape, **_like(input, dtype, device), requires_grad=requires_grad)


def randn_like(input: Tensor, *, dtype: Any = None, device: Device = None, requires_grad: bool = False) -> Tensor:
    """`randn` of the shape, dtype and device of `input`."""
    return randn(input.shape, **_like(input, dtype, device), requires_grad=requires_grad)


def randint_like(input: Tensor, low: int, high: int | None = None, *, dtype: Any = None, device: Device = None,
                 requires_grad: bool = False) -> Tensor:
    """`randint` of the shape, dtype and device of `input`: randint_like(x, high) or randint_like(x, low, high)."""
    return randint(low, high, input.shape, **_like(input, dtype, device), requires_grad=requires_grad)


def _like(input: Tensor, dtype: Any, device: Device) -> dict[str, Any]:
    return {"dtype": input.dtype if dtype is None else dtype, "device": input.device if device is None else device}
