"""CPU: the reference back end with faster ways to do what takes most time. Convolutions are in minigrad_ext/conv2d.pyx.

The kernels want C-contiguous arrays of one dtype, and the columns of x sorted by their remainder mod stride; both are
settled here. They write into arrays that are allocated here, where a size that does not fit raises MemoryError.
"""

import numpy as np

from minigrad.backends.base import HostArray
from minigrad.backends.geometry import ConvGeometry
from minigrad.backends.threads import get_num_threads, waiting_asleep

try:
    with waiting_asleep():
        from minigrad.backends.cpu_networks import Networks
        from minigrad_ext import conv2d as kernels
        from minigrad_ext.pool import empty_cache as empty_cache
except ImportError as error:
    raise ImportError(
        f'device "cpu" needs the compiled extension minigrad_ext.conv2d, which cannot be imported ({error}). '
        "Build it with `pip install .` (or `python setup.py build_ext --inplace`) in the checkout, which needs a C "
        'compiler; or do without: device="reference" computes the same, slowly, in plain Python.'
    ) from error


class CPU(Networks):
    name = "cpu"

    def conv2d(self, x: HostArray, w: HostArray, geometry: ConvGeometry) -> HostArray:
        y = np.empty(geometry.y_shape, x.dtype)
        kernels.conv2d(_sorted_columns(x, geometry), np.ascontiguousarray(w), y, geometry, get_num_threads())
        return y

    def conv2d_input_grad(self, y: HostArray, w: HostArray, geometry: ConvGeometry) -> HostArray:
        remainders, length = _remainders(geometry)
        x = np.empty((*geometry.x_shape[:3], remainders * length), y.dtype)
        kernels.conv2d_input_grad(np.ascontiguousarray(y), np.ascontiguousarray(w), x, geometry, get_num_threads())
        return _unsorted_columns(x, geometry)

    def conv2d_weight_grad(self, x: HostArray, y: HostArray, geometry: ConvGeometry) -> HostArray:
        w = np.zeros(geometry.w_shape, x.dtype)  # the kernel adds to it
        x = _sorted_columns(x, geometry)
        kernels.conv2d_weight_grad(x, np.ascontiguousarray(y), w, geometry, get_num_threads())
        return w


def _remainders(geometry: ConvGeometry) -> tuple[int, int]:
    """How many remainders k mod stride the columns k of x have, and how many columns the most frequent of them."""
    width, stride = geometry.x_shape[3], geometry.stride[1]
    return min(stride, width), -(-width // stride)


def _sorted_columns(x: HostArray, geometry: ConvGeometry) -> HostArray:
    """x with its columns in the order 0, s, 2s ..., 1, s + 1 ... for a stride s: what one tap meets is contiguous.

    Remainders that have a column less than the others end with one that nobody reads, so that all take the same space.
    """
    remainders, length = _remainders(geometry)
    if remainders <= 1 or length == 1:  # sorted already
        return np.ascontiguousarray(x)
    rows = np.empty((*x.shape[:3], remainders, length), x.dtype)
    for remainder in range(remainders):
        columns = x[..., remainder :: geometry.stride[1]]
        rows[..., remainder, : columns.shape[3]] = columns
    return rows.reshape(*x.shape[:3], remainders * length)


def _unsorted_columns(rows: HostArray, geometry: ConvGeometry) -> HostArray:
    """The inverse of _sorted_columns."""
    remainders, length = _remainders(geometry)
    if remainders <= 1 or length == 1:
        return rows
    rows = rows.reshape(*rows.shape[:3], remainders, length)
    x = np.empty(geometry.x_shape, rows.dtype)
    for remainder in range(remainders):
        columns = x[..., remainder :: geometry.stride[1]]
        columns[...] = rows[..., remainder, : columns.shape[3]]
    return x
