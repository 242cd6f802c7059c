"""CPU: the reference back end with its three convolutions replaced by compiled ones, minigrad_ext/conv2d.pyx.

The kernels want C-contiguous arrays of one dtype, and the columns of x sorted by their remainder mod stride; both are
settled here. They write into arrays that are allocated here, where a size that does not fit raises MemoryError.
"""

import numpy as np

from minigrad.backends.base import HostArray
from minigrad.backends.geometry import ConvGeometry
from minigrad.backends.reference import Reference
from minigrad.backends.threads import get_num_threads

try:
    from minigrad_ext import conv2d as kernels
except ImportError as error:
    raise ImportError(
        f'device "cpu" needs the compiled extension minigrad_ext.conv2d, which cannot be imported ({error}). '
        "Build it with `pip install .` (or `python setup.py build_ext --inplace`) in the checkout, which needs a C "
        'compiler; or do without: device="reference" computes the same, slowly, in plain Python.'
    ) from error


class CPU(Reference):
    name = "cpu"

    def conv2d(self, x: HostArray, w: HostArray, geometry: ConvGeometry) -> HostArray:
        y = np.empty(geometry.y_shape, x.dtype)
        kernels.conv2d(_sorted_columns(x, geometry), np.ascontiguousarray(w), y, geometry, get_num_threads())
        return y

    def conv2d_input_grad(self, y: HostArray, w: HostArray, geometry: ConvGeometry) -> HostArray:
        phases, period = _phases(geometry)
        x = np.empty((*geometry.x_shape[:3], phases * period), y.dtype)
        kernels.conv2d_input_grad(np.ascontiguousarray(y), np.ascontiguousarray(w), x, geometry, get_num_threads())
        return _unsorted_columns(x, geometry)

    def conv2d_weight_grad(self, x: HostArray, y: HostArray, geometry: ConvGeometry) -> HostArray:
        w = np.zeros(geometry.w_shape, x.dtype)  # the kernel adds to it
        x = _sorted_columns(x, geometry)
        kernels.conv2d_weight_grad(x, np.ascontiguousarray(y), w, geometry, get_num_threads())
        return w


def _phases(geometry: ConvGeometry) -> tuple[int, int]:
    """How many different remainders k mod stride the columns k of x have, and how many columns the first of them."""
    width, stride = geometry.x_shape[3], geometry.stride[1]
    return min(stride, width), -(-width // stride)


def _sorted_columns(x: HostArray, geometry: ConvGeometry) -> HostArray:
    """x with its columns in the order 0, s, 2s ..., 1, s + 1 ... for a stride s: what one tap meets is contiguous.

    Remainders that have a column less than the others get an empty one, so that all take the same space.
    """
    phases, period = _phases(geometry)
    if phases == 1 or period <= 1:
        return np.ascontiguousarray(x)
    rows = np.zeros((*x.shape[:3], period * phases), x.dtype)
    rows[..., : x.shape[3]] = x
    return rows.reshape(*x.shape[:3], period, phases).swapaxes(3, 4).reshape(rows.shape)


def _unsorted_columns(x: HostArray, geometry: ConvGeometry) -> HostArray:
    """The inverse of _sorted_columns."""
    phases, period = _phases(geometry)
    if phases == 1 or period <= 1:
        return x
    rows = x.reshape(*x.shape[:3], phases, period).swapaxes(3, 4).reshape(x.shape)
    return np.ascontiguousarray(rows[..., : geometry.x_shape[3]])
