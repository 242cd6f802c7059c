"""Layers that learn the number of their input channels or features from the first input, and then become plain ones."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, NoReturn

from minigrad.creation import Device, zeros
from minigrad.function import no_grad
from minigrad.nn.functional.arguments import IntOrPair, check_tensors
from minigrad.nn.modules.convolution import Conv2d
from minigrad.nn.modules.linear import Linear
from minigrad.nn.modules.module import OWN, Module, Parameter
from minigrad.nn.modules.normalization import BatchNorm2d
from minigrad.tensor import Tensor


class UninitializedTensor(Tensor):
    """A tensor with a device and a dtype, but no shape yet; `materialize(shape)` makes it an ordinary one of zeros.

    It stays the same object, so that an optimizer may have it already.
    """

    __slots__ = ()
    _becomes: type[Tensor] = Tensor

    def __init__(self, device: Device = None, dtype: Any = None) -> None:
        empty = zeros(0, device=device, dtype=dtype)
        Tensor.__init__(self, empty.array, empty.device)  # not that of Parameter, which comes next

    def materialize(self, shape: Sequence[int]) -> None:
        values = Tensor(self.array, self.device).new_zeros(shape)
        self.__class__ = self._becomes  # type: ignore[assignment]
        self.array, self.version = values.array, values.version

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise RuntimeError("a parameter or buffer of a lazy module has no shape yet: call the network once with an "
                           "input such as it will get (a dry run), or load a state dict.")

    shape = property(_refuse)
    detach = numpy = copy_ = __setitem__ = _result = _refuse

    def __reduce__(self) -> Any:  # copies wait as well
        return type(self), (self.device.name, self.dtype)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(UninitializedTensor, Parameter):
    __slots__ = ()
    _becomes = Parameter

    def __init__(self, device: Device = None, dtype: Any = None) -> None:
        super().__init__(device, dtype)
        self.requires_grad_()


class _Lazy(Module):
    """At the first forward it makes a plain layer for the input, takes over what is missing, and becomes of its class.

    Until then its parameters have no shape, but a place in an optimizer, a device and a dtype. load_state_dict gives
    them shapes, too.
    """

    _plain: type[Any]  # of a module
    _shown: str
    _axis: int  # that of the input which is as long as the layer has input channels or features

    def _wait(self, **options: Any) -> None:
        """What the constructors do, with all arguments of the plain layer but the first."""
        self._options, plain = options, self._plain(0, **options)
        self._take_over(plain)
        self._shown = plain.extra_repr()
        for name, parameter in plain._parameters.items():
            waiting = None if parameter is None else UninitializedParameter(parameter.device, parameter.dtype)
            self.register_parameter(name, waiting)
        for name, buffer in plain._buffers.items():
            known = buffer is None or buffer.ndim == 0
            self.register_buffer(name, buffer if known else UninitializedTensor(buffer.device, buffer.dtype))

    def _take_over(self, plain: Module) -> None:
        vars(self).update({name: value for name, value in vars(plain).items() if name not in OWN})

    def extra_repr(self) -> str:
        return self._shown

    def forward(self, input: Tensor) -> Tensor:
        check_tensors(type(self).__name__, input)
        if input.ndim < -self._axis:
            raise ValueError(f"{type(self).__name__}: input of shape {input.shape} must have {-self._axis} dimensions "
                             "or more.")
        place = next(chain(self.parameters(), self.buffers()), input)  # where to() may have moved them
        options = {**self._options, "device": place.device, "dtype": place.dtype}
        plain = self._plain(input.shape[self._axis], **options)
        for name, tensor in [*plain.named_parameters(), *plain.named_buffers()]:
            own = getattr(self, name)
            if isinstance(own, UninitializedTensor):  # and not loaded meanwhile
                own.materialize(tensor.shape)
                with no_grad():
                    own.copy_(tensor)
        del self._options, self._shown
        self._take_over(plain)
        self.__class__ = self._plain
        output: Tensor = self.forward(input)  # of the class it has become
        return output


class LazyLinear(_Lazy, Linear):
    """Linear whose in_features is the size of the last axis of its first input.

    Until then its parameters have no shape, but a place in an optimizer; call it once (a dry run) before reading them.
    """

    _plain, _axis = Linear, -1

    def __init__(self, out_features: int, bias: bool = True, device: Device = None, dtype: Any = None) -> None:
        self._wait(out_features=out_features, bias=bias, device=device, dtype=dtype)


class LazyConv2d(_Lazy, Conv2d):
    """Conv2d whose in_channels is the number of channels of its first input."""

    _plain, _axis = Conv2d, -3

    def __init__(self, out_channels: int, kernel_size: IntOrPair, stride: IntOrPair = 1, padding: IntOrPair | str = 0,
                 dilation: IntOrPair = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros",
                 device: Device = None, dtype: Any = None) -> None:
        self._wait(out_channels=out_channels, kernel_size=kernel_size, stride=stride, padding=padding,
                   dilation=dilation, groups=groups, bias=bias, padding_mode=padding_mode, device=device, dtype=dtype)


class LazyBatchNorm2d(_Lazy, BatchNorm2d):
    """BatchNorm2d whose num_features is the number of channels of its first input."""

    _plain, _axis = BatchNorm2d, -3

    def __init__(self, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True, device: Device = None, dtype: Any = None, *,
                 bias: bool = True) -> None:
        self._wait(eps=eps, momentum=momentum, affine=affine, track_running_stats=track_running_stats, device=device,
                   dtype=dtype, bias=bias)
