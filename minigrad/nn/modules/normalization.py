"""Normalization layers, and dropout: what behaves in its own way while training."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from minigrad.creation import Device, ones, zeros
from minigrad.dtypes import int64
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.functional.arguments import check_tensors
from minigrad.nn.modules.module import Module, Parameter
from minigrad.ops.shape import integers, unpacked
from minigrad.tensor import Tensor


class _Affine(Module):
    """What is normalized is multiplied by a weight, at first ones, and shifted by a bias, at first zeros."""

    def _register(self, shape: Any, affine: bool, bias: bool, dtype: Any, device: Device) -> None:
        for name, make, wanted in (("weight", ones, affine), ("bias", zeros, affine and bias)):
            self.register_parameter(name, Parameter(make(shape, dtype=dtype, device=device)) if wanted else None)

    def reset_parameters(self) -> None:
        """Initial values."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


class _BatchNorm(_Affine):
    ranks: tuple[int, ...]  # how many axes an input may have

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True, device: Device = None, dtype: Any = None, *,
                 bias: bool = True) -> None:
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self._register(num_features, affine, bias, dtype, device)
        for name, make in (("running_mean", zeros), ("running_var", ones)):
            values = make(num_features, dtype=dtype, device=device)
            self.register_buffer(name, values if track_running_stats else None)
        count = zeros((), dtype=int64, device=device) if track_running_stats else None
        self.register_buffer("num_batches_tracked", count)

    def reset_running_stats(self) -> None:
        """Running means 0, variances 1, none of them from any batch."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Initial values, and running ones."""
        self.reset_running_stats()
        super().reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        name = type(self).__name__
        check_tensors(name, input)
        if input.ndim not in self.ranks:
            allowed = " or ".join(map(str, self.ranks))
            raise ValueError(f"{name}: input has shape {input.shape}, but must have {allowed} dimensions.")
        momentum, tracks = self.momentum or 0.0, self.training and self.track_running_stats
        if tracks:
            self.num_batches_tracked += 1
            if self.momentum is None:
                momentum = 1 / self.num_batches_tracked.item()
        own = self.training or self.running_mean is None  # mean and variance of this batch
        mean, var = (self.running_mean, self.running_var) if tracks or not own else (None, None)
        return F.batch_norm(input, mean, var, self.weight, self.bias, own, momentum, self.eps)

    def extra_repr(self) -> str:
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
                f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}")


class BatchNorm1d(_BatchNorm):
    """F.batch_norm of each feature of (batch, features) or (batch, features, length), with running means and variances.

    These are buffers, for evaluation; momentum=None averages all batches alike. Without track_running_stats the batch's
    own mean and variance serve in evaluation too. Weight starts as ones, bias as zeros.
    """

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """F.batch_norm of each channel of (batch, channels, height, width); the rest as BatchNorm1d."""

    ranks = (4,)


class LayerNorm(_Affine):
    """F.layer_norm of each sample over its last axes, which have the sizes normalized_shape.

    Weight starts as ones, bias as zeros.
    """

    def __init__(self, normalized_shape: int | Sequence[int], eps: float = 1e-5, elementwise_affine: bool = True,
                 bias: bool = True, device: Device = None, dtype: Any = None) -> None:
        self.normalized_shape = integers("LayerNorm: normalized_shape", unpacked((normalized_shape,)))
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self._register(self.normalized_shape, elementwise_affine, bias, dtype, device)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
                f"bias={self.bias is not None}")


@dataclass(eq=False, repr=False)
class Dropout(Module):
    """While training zeros elements with probability p and scales the others by 1 / (1 - p): see F.dropout."""

    p: float = 0.5
    inplace: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise ValueError(f"Dropout: p={self.p} must be a probability, from 0 to 1.")

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)
