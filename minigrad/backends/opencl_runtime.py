"""The OpenCL machinery below the primitives: device, context and queue, memory, compiled programs, launches.

One in-order queue runs everything. So a command sees the results of those before it, and memory may go back to the pool
as soon as Python lets go of it: whoever gets it next is queued later. `download` waits for the device; so does
`upload` where the driver, as PoCL, reads the host's memory only when the copy's turn has come.
"""

import os
import threading
import warnings
from importlib.resources import files
from math import prod
from typing import Any

import numpy as np

from minigrad.backends.base import HostArray, Shape
from minigrad.backends.opencl_indexing import Layout

try:
    import pyopencl as cl
    from pyopencl.tools import ImmediateAllocator, MemoryPool
except ImportError as error:
    raise RuntimeError(f"device 'opencl' needs PyOpenCL, which cannot be imported ({error}). Install it: pip install "
                       "'minigrad-learn[opencl]'") from error

_REMEDY = (
    "On Linux x86-64, pip install 'minigrad-learn[opencl]' brings PoCL, a driver for the processor. Elsewhere install "
    "the driver of your graphics card and a loader for it (Debian: apt install ocl-icd-libopencl1 pocl-opencl-icd)."
)
_INT32 = np.iinfo(np.int32)
_MOST_ELEMENTS = 2**31 - 2**16  # kernels count in 32-bit ints, up to a size rounded up to whole work-groups

Argument = Any  # of a kernel: DeviceArray, None (a null pointer), int, NumPy scalar, or a NumPy array as a struct


class DeviceArray:
    """An array in the device's memory: all elements of its buffer in their order; or, with a `layout`, a view of some.

    `buffer` is None where there is no element to hold.
    """

    __slots__ = ("buffer", "dtype", "layout", "shape")

    def __init__(self, shape: Shape, dtype: np.dtype[Any], buffer: Any, layout: Layout | None = None) -> None:
        self.shape, self.dtype, self.buffer, self.layout = shape, dtype, buffer, layout

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def memory(self) -> "DeviceArray":
        """The whole buffer."""
        return self if self.layout is None else DeviceArray(self.layout.whole.shape, self.dtype, self.buffer)


class _Turn:
    """The command queue for one thread at a time: `with turn as queue`. All use of it comes through here.

    A kernel is given its arguments and then launched, which must not be interrupted. And drivers and PyOpenCL are less
    safe than the standard wants them: NVIDIA's crashed when several threads called it at once.
    """

    def __init__(self, queue: Any) -> None:
        self._queue, self._lock, self._process = queue, threading.RLock(), os.getpid()

    def __enter__(self) -> Any:
        if os.getpid() != self._process:
            raise RuntimeError("device 'opencl' was used before this process was forked, and OpenCL drivers do not "
                               "survive a fork. Use it only in the child, or start workers with "
                               "multiprocessing.get_context('spawn').")
        self._lock.acquire()
        return self._queue

    def __exit__(self, *exception: object) -> None:
        self._lock.release()


class Runtime:
    """One device with its context, queue and memory pool, and the programs compiled for it so far."""

    def __init__(self) -> None:
        self.context = _create_context()
        self.device = self.context.devices[0]
        self._check_compiler()
        self.is_processor = bool(self.device.type & cl.device_type.CPU)
        # What a work-item of a light kernel does: a processor wants neighbours in a loop, which it vectorises, a GPU in
        # neighbouring work-items. Kernels know it as RUN.
        self.run = 16 if self.is_processor else 1
        self._most_bytes = self.device.max_mem_alloc_size  # in one array
        self._has_double = bool(self.device.double_fp_config)
        queue = cl.CommandQueue(self.context, self.device)
        self._turn = _Turn(queue)
        self._pool = MemoryPool(ImmediateAllocator(queue))
        self._programs: dict[tuple[str, str], Any] = {}
        self._kernels: dict[tuple[str, str, str], Any] = {}

    def _check_compiler(self) -> None:
        """PoCL says "generic" of a processor that is newer than its compiler, which then, mostly, compiles nothing."""
        if not self.device.version.endswith("-generic"):
            return
        try:
            cl.Program(self.context, "kernel void nothing() {}").build()
        except cl.RuntimeError as error:
            raise RuntimeError(f"device 'opencl': PoCL {self.device.driver_version} does not know this processor, "
                               f"{self.device.name}, and compiles nothing for it. Use device 'cpu', or a newer PoCL "
                               "(conda install -c conda-forge pocl pyopencl).") from error

    def empty(self, shape: Shape, dtype: np.dtype[Any]) -> DeviceArray:
        """An array whose elements are undefined."""
        size = prod(shape)
        if size > _MOST_ELEMENTS:
            raise ValueError(f"an array of shape {shape} has {size:,} elements; device 'opencl' counts in 32 bits and "
                             f"takes at most {_MOST_ELEMENTS:,}. Work on it in parts, or use device 'cpu'.")
        if dtype == np.float64 and not self._has_double:
            raise TypeError(f"{self.device.name} has no double precision, so float64 cannot live there; use float32.")
        nbytes = size * dtype.itemsize
        if nbytes > self._most_bytes:
            raise MemoryError(f"an array of shape {shape} takes {nbytes:,} bytes; {self.device.name} allows "
                              f"{self._most_bytes:,}.")
        try:
            with self._turn:
                return DeviceArray(shape, dtype, self._pool.allocate(nbytes) if size else None)
        except cl.MemoryError as error:
            message = f"{self.device.name} has no memory left for an array of shape {shape}, {nbytes:,} bytes."
            raise MemoryError(message) from error

    def upload(self, array: HostArray) -> DeviceArray:
        x = self.empty(array.shape, array.dtype)
        if x.buffer is not None:
            with self._turn as queue:
                cl.enqueue_copy(queue, x.buffer, np.asarray(array, order="C"))
        return x

    def download(self, x: DeviceArray) -> HostArray:
        array = np.empty(x.shape, x.dtype)
        if x.buffer is not None:
            with self._turn as queue:
                cl.enqueue_copy(queue, array, x.buffer)
        return array

    def full(self, shape: Shape, value: float, dtype: np.dtype[Any]) -> DeviceArray:
        y = self.empty(shape, dtype)
        if y.buffer is not None:
            with np.errstate(over="ignore"):  # 1e300 is infinity in float32
                number = np.full((), value, dtype)
            with self._turn as queue:
                cl.enqueue_fill_buffer(queue, y.buffer, number, 0, y.nbytes)
        return y

    def copy(self, x: DeviceArray) -> DeviceArray:
        y = self.empty(x.shape, x.dtype)
        if y.buffer is not None:
            with self._turn as queue:
                cl.enqueue_copy(queue, y.buffer, x.buffer, byte_count=y.nbytes)
        return y

    def launch(self, sources: str, options: str, name: str, size: Shape, *arguments: Argument,
               local: Shape = (64,)) -> None:
        """Runs kernel `name`, compiled with `options`, on at least `size` work-items.

        `sources` names its file minigrad_ext/*.cl; if several, separated by spaces, they are compiled as one text.
        The size is rounded up to whole work-groups of size `local`, and the kernel ignores what is too much. Drivers
        for processors compile a kernel anew for every work-group size, so each kernel keeps to one.
        """
        if 0 in size:
            return
        rounded = tuple([-(-items // group) * group for items, group in zip(size, local, strict=True)])
        with self._turn as queue:
            kernel = self._kernel(sources, options, name)
            for position, argument in enumerate(arguments):
                kernel.set_arg(position, _as_kernel_argument(argument))
            cl.enqueue_nd_range_kernel(queue, kernel, rounded, local)

    def _kernel(self, sources: str, options: str, name: str) -> Any:
        kernel = self._kernels.get((sources, options, name))
        if kernel is None:
            kernel = self._kernels[sources, options, name] = cl.Kernel(self._program(sources, options), name)
        return kernel

    def _program(self, sources: str, options: str) -> Any:
        program = self._programs.get((sources, options))
        if program is None:
            texts = [(files("minigrad_ext") / f"{name}.cl").read_text(encoding="utf-8") for name in sources.split()]
            program = self._programs[sources, options] = self._compile("\n".join(texts), options)
        return program

    def _compile(self, text: str, options: str) -> Any:
        exact = self.device.single_fp_config & cl.device_fp_config.CORRECTLY_ROUNDED_DIVIDE_SQRT
        division = "-cl-fp32-correctly-rounded-divide-sqrt" if exact else ""
        with warnings.catch_warnings():  # NVIDIA's compiler remarks on every kernel, even with -w, no warnings
            warnings.simplefilter("ignore", cl.CompilerWarning)
            return cl.Program(self.context, text).build(f"{options} -D RUN={self.run} {division} -w")


def _int32(value: int) -> np.int32:
    """`value` as an int argument of a kernel."""
    if not _INT32.min <= value <= _INT32.max:
        raise ValueError(f"{value:,} is too much for device 'opencl', which counts in 32 bits; use device 'cpu'.")
    return np.int32(value)


def _as_kernel_argument(argument: Argument) -> Any:
    if isinstance(argument, DeviceArray):
        return argument.buffer
    return _int32(argument) if isinstance(argument, int) else argument


def _create_context() -> Any:
    """A context on the device that the environment variable PYOPENCL_CTX names, else on the first GPU, else on any."""
    try:
        platforms = cl.get_platforms()
    except cl.Error as error:  # what the loader raises if it finds no driver
        raise RuntimeError(f"device 'opencl': there is no OpenCL platform ({error}). {_REMEDY}") from error
    names = [platform.name for platform in platforms]
    if choice := os.environ.get("PYOPENCL_CTX"):
        try:
            return cl.create_some_context(interactive=False)
        except (cl.Error, RuntimeError) as error:
            raise RuntimeError(f"device 'opencl': PYOPENCL_CTX={choice!r} does not choose a device ({error}). The "
                               f"platforms are {names}. Write PYOPENCL_CTX=0 for the first of them, 0:1 for its second "
                               "device, or unset it.") from error
    devices = [device for platform in platforms for device in platform.get_devices()]
    if not devices:
        raise RuntimeError(f"device 'opencl': the OpenCL platforms {names} have no device. {_REMEDY}")
    return cl.Context([next((device for device in devices if device.type & cl.device_type.GPU), devices[0])])
