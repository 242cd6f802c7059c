"""What this machine can do: its instruction sets, and how fast one thread multiplies and adds. How this was compiled."""

import time

from minigrad_ext.instructions cimport has_instructions, multiply_adds_double, multiply_adds_float

cdef extern from *:
    """
    #ifdef _OPENMP
    #define OPENMP_VERSION _OPENMP
    #else
    #define OPENMP_VERSION 0
    #endif
    """
    int OPENMP_VERSION

INSTRUCTION_SETS = ("baseline", "avx2", "avx512")  # in the order of instructions.h


def has(int set) -> bool:
    """Whether the machine has the instruction set of that number."""
    return has_instructions(set)


def openmp() -> int:
    """The version of OpenMP that the kernels were compiled with, a year and a month; 0 if with none."""
    return OPENMP_VERSION


def peak(int set, bint double) -> float:
    """GFLOP/s of one thread that does nothing but multiply and add in registers, the best of some short runs."""
    cdef Py_ssize_t count = 100_000
    best = 0.0
    for _ in range(10):
        start = time.perf_counter()
        if double:
            operations = multiply_adds_double(set, count)
        else:
            operations = multiply_adds_float(set, count)
        best = max(best, operations / (time.perf_counter() - start))
    return best * 1e-9
