"""CPU: the reference back end with faster ways to do what takes most time. The fast kernels are in minigrad_ext."""

from math import prod

from minigrad.backends import ladder
from minigrad.backends.base import HostArray
from minigrad.backends.cpu_networks import Networks
from minigrad.backends.extension import pool
from minigrad.backends.geometry import ConvGeometry
from minigrad.backends.ladder import choose as choose
from minigrad.backends.ladder import instruction_sets as instruction_sets
from minigrad.backends.ladder import peak as peak
from minigrad.backends.ladder import use as use

empty, empty_cache = pool.empty, pool.empty_cache
_SMALL = 1 << 18  # multiplications of a matrix product, below which NumPy does them in this thread, and as fast


class CPU(Networks):
    name = "cpu"

    def matmul(self, x: HostArray, y: HostArray) -> HostArray:
        matrices = prod(x.shape[:-2])
        if x.dtype.kind != "f" or matrices * x.shape[-2] * x.shape[-1] * y.shape[-1] <= _SMALL:
            return super().matmul(x, y)
        z = empty((*x.shape[:-1], y.shape[-1]), x.dtype)
        ladder.multiply(*[array.reshape(matrices, *array.shape[-2:]) for array in (x, y, z)])
        return z

    def conv2d(self, x: HostArray, w: HostArray, geometry: ConvGeometry) -> HostArray:
        return ladder.convolve("conv2d", x, w, empty(geometry.y_shape, x.dtype), geometry)

    def conv2d_input_grad(self, y: HostArray, w: HostArray, geometry: ConvGeometry) -> HostArray:
        return ladder.convolve("conv2d_input_grad", y, w, empty(geometry.x_shape, y.dtype), geometry)

    def conv2d_weight_grad(self, x: HostArray, y: HostArray, geometry: ConvGeometry) -> HostArray:
        return ladder.convolve("conv2d_weight_grad", x, y, empty(geometry.w_shape, x.dtype), geometry)
