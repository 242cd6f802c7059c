"""OpenCL: every primitive as a kernel (minigrad_ext/*.cl) on arrays that stay in the device's memory.

The host settles shapes and indices and computes nothing else. What is a view in NumPy is one here: an array that shares
the buffer and has a layout of its own. Kernels see contiguous arrays only, which keeps them plain; a view that a kernel
is to read is gathered first.
"""

from collections.abc import Callable, Sequence
from functools import cache
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np

from minigrad.backends.base import READ_ONLY, HostArray, Shape, is_basic
from minigrad.backends.composed import Composed
from minigrad.backends.geometry import ConvGeometry
from minigrad.backends.opencl_indexing import Layout, Template, everything, positions, sorted_by_place, view_argument
from minigrad.backends.opencl_products import (
    BLOCK,
    GROUPS_PER_UNIT,
    MOST_PARTIAL_SUMS,
    STRIP,
    STRIP_ON_GPU,
    Tile,
    block_for,
    geometry_argument,
    parts,
    shares_of,
    suits_tiles,
    tile_for,
)
from minigrad.backends.opencl_runtime import DeviceArray, Runtime

_int64, _bool = np.dtype(np.int64), np.dtype(np.bool_)
_C_TYPES = {"float32": "float", "float64": "double", "int32": "int", "int64": "long", "uint8": "uchar", "bool": "uchar"}
_ELEMENT_TYPES = {1: "uchar", 4: "int", 8: "long"}  # movement sees only the size of an element
_STEPS = 64  # elements, or rows of an image, that one work-item adds up


def _elementwise(name: str, kinds: str, result: np.dtype[Any] | None = None) -> Callable[..., DeviceArray]:
    """Kernel map_`name` as a primitive for dtypes of these kinds, whose result has dtype `result` or that of x."""

    def primitive(self: "OpenCL", *operands: DeviceArray) -> DeviceArray:
        dtype, shape = operands[-1].dtype, max([x.shape for x in operands], key=len)
        if dtype.kind not in kinds:
            raise TypeError(f"{name} is not defined for {dtype}; convert with .long() or .float().")
        operands = tuple([x if x.shape == shape else self.broadcast_to(x, shape) for x in operands])
        return self._map(name, _real(dtype), dtype if result is None else result, shape, *operands)

    return primitive


@cache
def _real(dtype: np.dtype[Any]) -> str:
    """The compiler options for elements of this dtype."""
    kind = {"f": " -D FLOATING", "b": " -D TRUTH"}.get(dtype.kind, "")
    return f"-D real={_C_TYPES[dtype.name]}{kind}"


class OpenCL(Composed):
    name = "opencl"

    def __init__(self) -> None:
        self._runtime = Runtime()
        self._strip = STRIP if self._runtime.is_processor else STRIP_ON_GPU
        self._groups_wanted = GROUPS_PER_UNIT * self._runtime.device.max_compute_units

    # --- to and from the host ---------------------------------------------------------------------------

    def from_numpy(self, array: HostArray) -> DeviceArray:
        return self._runtime.upload(array)

    def to_numpy(self, x: DeviceArray) -> HostArray:
        return self._runtime.download(self._dense(x))

    def full(self, shape: Shape, value: float, dtype: np.dtype[Any]) -> DeviceArray:
        return self._runtime.full(shape, value, dtype)

    def copy(self, x: DeviceArray) -> DeviceArray:
        return self._runtime.copy(x) if x.layout is None else self._dense(x)

    def astype(self, x: DeviceArray, dtype: np.dtype[Any]) -> DeviceArray:
        if dtype == x.dtype:
            return self.copy(x)
        if dtype == _bool:
            return self._map("nonzero", _real(x.dtype), dtype, x.shape, x)
        return self._map("convert", f"{_real(x.dtype)} -D target={_C_TYPES[dtype.name]}", dtype, x.shape, x)

    def shares_memory(self, x: DeviceArray, y: DeviceArray) -> bool:
        return x.buffer is y.buffer

    def is_contiguous(self, x: DeviceArray) -> bool:
        return x.layout is None or x.layout.view.flags.c_contiguous

    # --- elementwise ------------------------------------------------------------------------------------

    neg = _elementwise("neg", "fiu")
    exp = _elementwise("exp", "f")
    log = _elementwise("log", "f")
    log1p = _elementwise("log1p", "f")
    sin = _elementwise("sin", "f")
    cos = _elementwise("cos", "f")
    round = _elementwise("round", "f")
    abs = _elementwise("abs", "fiub")
    sign = _elementwise("sign", "fiu")
    relu = _elementwise("relu", "fiub")
    sigmoid = _elementwise("sigmoid", "f")
    tanh = _elementwise("tanh", "f")
    erf = _elementwise("erf", "f")
    add = _elementwise("add", "fiub")
    sub = _elementwise("sub", "fiu")
    mul = _elementwise("mul", "fiub")
    div = _elementwise("div", "f")
    floor_divide = _elementwise("floor_divide", "fiu")
    remainder = _elementwise("remainder", "fiu")
    bitwise_and = _elementwise("bitwise_and", "iub")
    bitwise_or = _elementwise("bitwise_or", "iub")
    bitwise_xor = _elementwise("bitwise_xor", "iub")
    left_shift = _elementwise("left_shift", "iu")
    right_shift = _elementwise("right_shift", "iu")
    maximum = _elementwise("maximum", "fiub")
    equal = _elementwise("equal", "fiub", _bool)
    less = _elementwise("less", "fiub", _bool)
    less_equal = _elementwise("less_equal", "fiub", _bool)
    where = _elementwise("where", "fiub")
    relu_grad = _elementwise("relu_grad", "fiub")
    _power = _elementwise("power", "fiu")

    def power(self, x: DeviceArray, y: DeviceArray | float) -> DeviceArray:
        if x.dtype.kind == "i" and self._has_negative(y):
            raise ValueError("integers to negative powers are no integers; convert with .float() first.")
        if isinstance(y, DeviceArray):
            return self._power(x, y)
        return self._map("power_number", _real(x.dtype), x.dtype, x.shape, x.dtype.type(y), x)

    def _has_negative(self, y: DeviceArray | float) -> bool:
        if not isinstance(y, DeviceArray):
            return y < 0
        negative = self.less(y, self.full(y.shape, 0, y.dtype))
        return bool(self.to_numpy(self.sum(negative, tuple(range(len(y.shape))))).any())

    def _map(self, name: str, options: str, dtype: np.dtype[Any], shape: Shape, *arguments: Any) -> DeviceArray:
        y = self._runtime.empty(shape, dtype)
        items = parts(y.size, self._runtime.run)
        self._launch("elementwise", options, f"map_{name}", (items,), y.size, *arguments, y)
        return y

    def _launch(self, source: str, options: str, name: str, size: Shape, *arguments: Any, local: Shape = (64,)) -> None:
        """Runs a kernel on contiguous arrays: views are gathered first."""
        dense = [self._dense(argument) if isinstance(argument, DeviceArray) else argument for argument in arguments]
        self._runtime.launch(source, options, name, size, *dense, local=local)

    # --- reductions -------------------------------------------------------------------------------------

    def sum(self, x: DeviceArray, axes: tuple[int, ...]) -> DeviceArray:
        y = self._reduce("reduce_sum", x if x.dtype.kind == "f" else self.astype(x, _int64), axes)
        return self.copy(y) if y is x else y

    def max(self, x: DeviceArray, axes: tuple[int, ...]) -> DeviceArray:
        y = self._reduce("reduce_max", x, axes)
        return self.copy(y) if y is x else y

    def _reduce(self, kernel: str, x: DeviceArray, axes: tuple[int, ...]) -> DeviceArray:
        """Folds one axis after the other to size 1; x itself if they have size 1 already."""
        for axis in reversed(axes):
            while (length := x.shape[axis]) != 1:
                y = self._runtime.empty(_folded(x.shape, axis), x.dtype)
                inner, chunks = prod(x.shape[axis + 1 :]), y.shape[axis]
                self._launch("reduce", _real(x.dtype), kernel, (y.size,), y.size, length, inner, chunks, x, y)
                x = y
        return x

    def argmax(self, x: DeviceArray, axis: int) -> DeviceArray:
        length, inner, real = x.shape[axis], prod(x.shape[axis + 1 :]), _real(x.dtype)
        candidates, shape = None, x.shape
        while candidates is None or shape[axis] != 1:
            count, shape = shape[axis], _folded(shape, axis)
            y = self._runtime.empty(shape, _int64)
            sizes = (y.size, count, inner, shape[axis], length)
            self._launch("reduce", real, "reduce_argmax", (y.size,), *sizes, x, candidates, y)
            candidates = y
        return candidates

    # --- movement ---------------------------------------------------------------------------------------

    def reshape(self, x: DeviceArray, shape: Shape) -> DeviceArray:
        if x.layout is not None:
            view = x.layout.view.reshape(shape)
            if np.may_share_memory(view, x.layout.whole):  # else NumPy had to copy, so the elements must be
                return self._view(x, lambda _: view)
            x = self._dense(x)
        return DeviceArray(shape, x.dtype, x.buffer)

    def permute(self, x: DeviceArray, axes: tuple[int, ...]) -> DeviceArray:
        return self._view(x, lambda template: template.transpose(axes))

    def broadcast_to(self, x: DeviceArray, shape: Shape) -> DeviceArray:
        return self._view(x, lambda template: np.broadcast_to(template, shape))

    def getitem(self, x: DeviceArray, key: Any) -> DeviceArray:
        if is_basic(key):
            return self._view(x, lambda template: template[key])
        sources = positions(x.shape, key)
        y = self._runtime.empty(sources.shape, x.dtype)
        self._move("gather_at", (y.size,), y.size, self._runtime.upload(sources), x, y)
        return y

    def put(self, x: DeviceArray, key: Any, shape: Shape) -> DeviceArray:
        if x.dtype == _bool:
            return self.astype(self.put(self.astype(x, _int64), key, shape), _bool)
        y = self.full(shape, 0, x.dtype)
        if is_basic(key):
            self._scatter(x, self.getitem(y, key))
        else:
            indices = [self._runtime.upload(array) for array in sorted_by_place(positions(shape, key).reshape(-1))]
            size = indices[0].size
            self._launch("reduce", _real(x.dtype), "put_sums", (size,), size, *indices, x, y)
        return y

    def concatenate(self, arrays: Sequence[DeviceArray], axis: int) -> DeviceArray:
        shape, ends = arrays[0].shape, list(accumulate(array.shape[axis] for array in arrays))
        y = self._runtime.empty((*shape[:axis], ends[-1], *shape[axis + 1 :]), arrays[0].dtype)
        for array, end in zip(arrays, ends, strict=True):
            piece = (*[slice(None)] * axis, slice(end - array.shape[axis], end))
            self._scatter(array, self.getitem(y, piece))
        return y

    def assign(self, x: DeviceArray, key: Any, value: DeviceArray) -> None:
        layout = x.layout or everything(x.shape)
        if not layout.view.flags.writeable:
            raise RuntimeError(READ_ONLY)
        if is_basic(key):
            self._scatter(value, self.getitem(x, key))
        else:
            places, starts, sources = sorted_by_place(layout.places()[key].reshape(-1))
            last = sources[starts[1:] - 1]  # of several values for one place NumPy keeps the last
            indices = [self._runtime.upload(array) for array in (places, last)]
            self._move("scatter_at", (places.size,), places.size, *indices, value, x.memory)

    def _view(self, x: DeviceArray, show: Callable[[Template], Template]) -> DeviceArray:
        """The elements of x that `show` picks, in the memory of x."""
        whole, view = x.layout or everything(x.shape)
        layout = Layout(whole, show(view))
        return DeviceArray(layout.view.shape, x.dtype, x.buffer, None if layout.is_everything() else layout)

    def _dense(self, x: DeviceArray) -> DeviceArray:
        """x itself if it is contiguous, else its elements gathered."""
        if x.layout is None:
            return x
        y = self._runtime.empty(x.shape, x.dtype)
        self._move_rows("gather", x.layout, x.memory, y)
        return y

    def _scatter(self, x: DeviceArray, view: DeviceArray) -> None:
        """Writes x into the memory that `view` shows."""
        layout = view.layout or everything(view.shape)
        self._move_rows("scatter", layout, x, view.memory)

    def _move_rows(self, kernel: str, layout: Layout, x: DeviceArray, y: DeviceArray) -> None:
        if layout.view.size:
            argument, length = view_argument(layout)
            rows = layout.view.size // length
            self._move(kernel, (rows * parts(length, self._runtime.run),), rows, argument, x, y)

    def _move(self, kernel: str, size: Shape, *arguments: Any) -> None:
        options = f"-D element={_ELEMENT_TYPES[arguments[-1].dtype.itemsize]}"
        self._launch("movement", options, kernel, size, *arguments)

    # --- products ---------------------------------------------------------------------------------------

    def matmul(self, x: DeviceArray, y: DeviceArray) -> DeviceArray:
        *batch, rows, length = x.shape
        columns = y.shape[-1]
        z = self._runtime.empty((*batch, rows, columns), x.dtype)
        arguments = rows, columns, length, x, y, z
        if self._runtime.is_processor:
            size = parts(columns, STRIP), parts(rows, BLOCK), prod(batch)
            options = f"{_real(x.dtype)} -D BLOCK={BLOCK} -D STRIP={STRIP}"
            self._launch("matmul", options, "matmul", size, *arguments, local=(8, 4, 1))
        else:
            tile = tile_for(rows, columns)
            tiles = tile.cover(columns), tile.cover(rows), prod(batch)
            self._launch_tiles("tiles matmul_tiles", "matmul", tile, tiles, *arguments)
        return z

    def conv2d(self, x: DeviceArray, w: DeviceArray, geometry: ConvGeometry) -> DeviceArray:
        batch, out_channels, out_height, out_width = shape = geometry.y_shape
        rows, places, terms = out_channels // geometry.groups, batch * out_height * out_width, geometry.w_shape[1]
        if self._uses_tiles(rows, places, terms):
            return self._sum_of_tiles("conv2d", geometry, shape, rows, places, 1, terms, x, w)
        y = self._runtime.empty(shape, x.dtype)
        strips = out_height * parts(out_width, self._strip)
        self._launch_blocks("conv2d", geometry, strips, rows, batch, x, w, y)
        return y

    def conv2d_input_grad(self, y: DeviceArray, w: DeviceArray, geometry: ConvGeometry) -> DeviceArray:
        batch, _, height, width = shape = geometry.x_shape
        # The columns that meet the same taps are those of one phase: of one remainder by the stride. So are the rows.
        row_phases, column_phases = min(geometry.stride[0], height), min(geometry.stride[1], width)
        columns = parts(width, column_phases)
        rows, places = geometry.w_shape[1], batch * parts(height, row_phases) * columns
        phases, terms = row_phases * column_phases, geometry.w_shape[0] // geometry.groups
        if self._uses_tiles(rows, places, terms):
            return self._sum_of_tiles("conv2d_input_grad", geometry, shape, rows, places, phases, terms, y, w)
        x = self._runtime.empty(shape, y.dtype)
        strips = height * column_phases * parts(columns, self._strip)
        self._launch_blocks("conv2d_input_grad", geometry, strips, rows, batch, y, w, x)
        return x

    def conv2d_weight_grad(self, x: DeviceArray, y: DeviceArray, geometry: ConvGeometry) -> DeviceArray:
        # The sum over n, i, j is cut into shares: work for many, and no long running sum in float32.
        batch, out_channels, out_height, out_width = geometry.y_shape
        _, channels, *kernel = shape = geometry.w_shape
        rows, terms, taps = out_channels // geometry.groups, batch * out_height * out_width, prod(kernel)
        if self._uses_tiles(rows, channels, terms):
            return self._sum_of_tiles("conv2d_weight_grad", geometry, shape, rows, channels, taps, terms, x, y)
        most = max(1, MOST_PARTIAL_SUMS // max(1, prod(shape)))
        shares = min(parts(batch * out_height, _STEPS if self._runtime.is_processor else _STEPS // 8), most)
        w = self._runtime.empty((shares, *shape), x.dtype)
        self._launch_blocks("conv2d_weight_grad", geometry, channels * taps, rows, shares, shares, x, y, w)
        return self.reshape(self._reduce("reduce_sum", w, (0,)), shape)

    def _launch_blocks(self, kernel: str, geometry: ConvGeometry, strips: int, rows: int, copies: int,
                       *arguments: Any) -> None:
        """Runs a kernel of conv2d.cl; `rows` are the channels of one group of the result."""
        block = block_for(rows)
        options = f"{_real(arguments[-1].dtype)} -D BLOCK={block} -D STRIP={self._strip}"
        size = strips, geometry.groups * parts(rows, block), copies
        argument = geometry_argument(geometry)
        self._launch("geometry conv2d", options, kernel, size, argument, *arguments, local=(32, 1, 1))

    def _uses_tiles(self, rows: int, places: int, terms: int) -> bool:
        return not self._runtime.is_processor and suits_tiles(rows, places, terms)

    def _sum_of_tiles(self, kernel: str, geometry: ConvGeometry, shape: Shape, rows: int, places: int, products: int,
                      terms: int, *arguments: Any) -> DeviceArray:
        """The result, of this shape, of a kernel of conv2d_tiles.cl: `products` matrix products for each group."""
        tile = tile_for(rows, places)
        tiles = products * tile.cover(places), geometry.groups * tile.cover(rows)
        shares = shares_of(terms, tile, prod(tiles), self._groups_wanted, prod(shape))
        y = self._runtime.empty((shares, *shape), arguments[0].dtype)
        argument = geometry_argument(geometry)
        self._launch_tiles("geometry tiles conv2d_tiles", kernel, tile, (*tiles, shares),
                           argument, parts(terms, shares), *arguments, y)  # fmt: skip
        return self.reshape(self._reduce("reduce_sum", y, (0,)), shape)

    def _launch_tiles(self, sources: str, kernel: str, tile: Tile, tiles: Shape, *arguments: Any) -> None:
        options, items = f"{_real(arguments[-1].dtype)} {tile.options}", tile.side**2
        self._launch(sources, options, kernel, (tiles[0] * items, *tiles[1:]), *arguments, local=(items, 1, 1))


def _folded(shape: Shape, axis: int) -> Shape:
    """`shape` after one step of a reduction along axis."""
    return (*shape[:axis], max(1, parts(shape[axis], _STEPS)), *shape[axis + 1 :])
