"""The ladder: the ways in which the CPU computes convolutions, from plain loops to fast ones, and which is taken when.

A rung is a module of minigrad_ext with the three maps of ops/conv.py:

    loops       plain loops, which say what the others must compute
    direct      copies what a kernel sees into small matrices, and multiplies these in registers
    grouped     many small groups: sixteen at a time, one in each lane of a vector
    winograd    3 x 3 kernels with fewer multiplications

Where a kernel is as large as the image, its convolution is a product of matrices. `choose` picks; `use` forces a rung,
or an instruction set, to compare them. docs/ladder.md climbs it step by step.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from minigrad.backends.base import HostArray
from minigrad.backends.extension import direct, grouped, loops, machine, products, winograd
from minigrad.backends.geometry import ConvGeometry, meetings
from minigrad.backends.threads import get_num_threads

RUNGS = {"loops": loops, "direct": direct, "grouped": grouped, "winograd": winograd}
_SETS = [number for number in range(len(machine.INSTRUCTION_SETS)) if machine.has(number)]
_SMALL = 20_000  # floating-point operations, which plain loops do in less time than it takes to prepare anything

# What `use` says: the rung, None if `choose` is to name it, and the number of the instruction set.
_forced: ContextVar[tuple[str | None, int]] = ContextVar("forced", default=(None, _SETS[-1]))


def choose(geometry: ConvGeometry, dtype: Any, name: str = "conv2d") -> str:
    """The name of the rung that convolutions of this geometry and dtype take by themselves, or that another of the
    three maps takes, by its `name`. (Nothing depends on the dtype: lines drawn for float32 were right for float64.)"""
    return "loops" if geometry.flops <= _SMALL else _choose(geometry, name)


@lru_cache(1024)
def _choose(geometry: ConvGeometry, name: str) -> str:
    """`choose` where it takes thought."""
    if _is_product(geometry):
        return "product"
    reach = [dilation * (kernel - 1) + padding for dilation, kernel, padding in
             zip(geometry.dilation, geometry.w_shape[2:], geometry.padding, strict=True)]
    if max(reach) > 4 * max(64, *geometry.x_shape[2:], *geometry.y_shape[2:]):
        return "loops"  # which need no space for what is sprawling
    if _fills_lanes(geometry, name):
        return "grouped"
    return "winograd" if _winograd_applies(geometry) and _saves(geometry, name) else "direct"


def _fills_lanes(geometry: ConvGeometry, name: str) -> bool:
    """Whether vectors of groups are the better ones: most of their lanes are filled, which channels could not do."""
    (outputs, channels, *kernel), groups = geometry.w_shape, geometry.groups
    few = 64 if name == "conv2d_weight_grad" else 1  # pairs of channels in a group (measured)
    return prod(kernel) > 1 and channels * outputs <= few * groups and 4 * groups >= 3 * 16 * -(-groups // 16)


def _winograd_applies(geometry: ConvGeometry) -> bool:
    """Whether that rung can do it: a 3 x 3 kernel that moves by single pixels, and is not torn apart too far."""
    return geometry.w_shape[2:] == (3, 3) and geometry.stride == (1, 1) and geometry.dilation[1] <= 16


def _saves(geometry: ConvGeometry, name: str) -> bool:
    """Whether the multiplications that Winograd saves, a number for each pair of channels, outweigh its transforms, a
    number for each channel. (Measured; the transforms take channels by sixteens.)"""
    channels, outputs = geometry.w_shape[1], geometry.w_shape[0] // geometry.groups
    # Tiles are of 4 x 4 results; with dilation, of every d-th. They reach beyond small images.
    tiles = geometry.y_shape[0] * prod([dilation * -(-size // (4 * dilation)) for size, dilation in
                                        zip(geometry.y_shape[2:], geometry.dilation, strict=True)])
    least = 0.65 if name == "conv2d_weight_grad" else 0.5
    if 5 * geometry.y_shape[0] * prod(geometry.y_shape[2:]) < 32 * tiles or _met(geometry) < least:
        return False
    if name == "conv2d_weight_grad":  # what is summed over tiles is transformed for each pair: tiles must be many
        return min(channels, outputs) >= 16 and channels >= 32 and 32 * tiles >= max(channels, outputs)
    return channels * outputs >= 6 * 16 * (-(-channels // 16) + -(-outputs // 16))


def _met(geometry: ConvGeometry) -> float:
    """The share of the multiplications whose pixel is in the image: "direct" leaves out most of the others."""
    share = 1.0
    for axis in (0, 1):
        windows = [meetings(geometry, axis, tap)[1] for tap in range(geometry.w_shape[2 + axis])]
        share *= sum([each.stop - each.start for each in windows]) / (len(windows) * geometry.y_shape[2 + axis])
    return share


def instruction_sets() -> tuple[str, ...]:
    """The instruction sets that this machine has, slowest first; the last is used."""
    return tuple([machine.INSTRUCTION_SETS[number] for number in _SETS])


@contextmanager
def use(rung: str | None = None, instructions: str | None = None) -> Iterator[None]:
    """Inside `with use("direct"):` this thread's convolutions on the CPU take that rung, if None the one that `choose`
    names; and products use that instruction set: "baseline", "avx2" or "avx512".

    Results differ in their last digits from rung to rung, those of "winograd" in about two digits more; "direct" is
    exact to rounding. A rung that cannot do a convolution raises ValueError when it is to do it.
    """
    if rung is not None and rung not in RUNGS:
        raise ValueError(f"use: rung={rung!r} is not one of {', '.join(map(repr, RUNGS))}.")
    if instructions is not None and instructions not in instruction_sets():
        raise ValueError(f"use: instructions={instructions!r} must be one of those that this machine has: "
                         f"{', '.join(map(repr, instruction_sets()))}.")
    number = _forced.get()[1] if instructions is None else machine.INSTRUCTION_SETS.index(instructions)
    before = _forced.set((rung, number))
    try:
        yield
    finally:
        _forced.reset(before)


def peak(dtype: Any = np.float32) -> float:
    """What one thread can do at most, in GFLOP/s: measured, with multiplications and additions in registers alone."""
    return float(machine.peak(_forced.get()[1], np.dtype(dtype) == np.float64))


def convolve(name: str, a: HostArray, b: HostArray, result: HostArray, geometry: ConvGeometry) -> HostArray:
    """result = conv2d(a, b), or another of the three maps by its `name`, on the rung that is to do it."""
    rung, number = _forced.get()
    if rung is None:
        rung = choose(geometry, a.dtype, name)
    if rung == "product":
        return _multiply(name, a, b, result)
    if rung == "winograd" and not _winograd_applies(geometry):
        raise ValueError(f'use("winograd"): it does convolutions with a 3 x 3 kernel, stride 1 and a dilation of '
                         f'columns up to 16; this one is {geometry}. Use "direct".')
    a, b, threads = np.ascontiguousarray(a), np.ascontiguousarray(b), get_num_threads()
    while not getattr(RUNGS[rung], name)(a, b, result, geometry, threads, number):
        rung = "direct" if rung == "winograd" else "loops"  # infinities may have left NaNs where they do not belong
    return result


def _is_product(geometry: ConvGeometry) -> bool:
    """Whether the kernel is as large as the image."""
    return (geometry.w_shape[2:] == geometry.x_shape[2:] and geometry.padding == (0, 0) and geometry.dilation == (1, 1)
            and geometry.groups == 1)


def _multiply(name: str, a: HostArray, b: HostArray, result: HostArray) -> HostArray:
    """The same, of images and kernels as rows: Y = X W^T, X = Y W, W = Y^T X."""
    a, b = [np.ascontiguousarray(array).reshape(1, len(array), -1) for array in (a, b)]
    x, y = {"conv2d": (a, b.mT), "conv2d_input_grad": (a, b), "conv2d_weight_grad": (b.mT, a)}[name]
    multiply(x, y, result.reshape(1, len(result), -1))
    return result


def multiply(x: HostArray, y: HostArray, result: HostArray) -> HostArray:
    """result = x y, for arrays of matrices (batch, rows, columns)."""
    if y.itemsize not in y.strides[1:] or any([step % y.itemsize for step in (*x.strides, *y.strides)]):
        x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
    products.matmul(x, y, result, get_num_threads(), _forced.get()[1])
    return result
