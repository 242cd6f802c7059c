# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Elementwise arithmetic on the CPU, by several threads.

These loops wait for memory, whatever the instruction set. A literal `operation` lets the compiler make a loop of each.
"""

from cython.parallel cimport prange

from minigrad_ext.arrays cimport block_end, blocks, kind_of, reads, real, team, writes, BLOCK

cdef enum Operation:
    ADD
    SUB
    MUL
    DIV
    RELU_GRAD


cdef inline real value(Operation operation, real x, real y) noexcept nogil:
    if operation == ADD:
        return x + y
    if operation == SUB:
        return x - y
    if operation == MUL:
        return x * y
    if operation == DIV:
        return x / y
    return 0 if x <= 0 else y


cdef inline void apply(
    Operation operation, const real *x, const real *y, real *z, Py_ssize_t start, Py_ssize_t end
) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(start, end):
        z[j] = value(operation, x[j], y[j])


cdef inline void apply_all(
    Operation operation, const real *x, const real *y, real *z, Py_ssize_t size, int threads
) noexcept:
    cdef Py_ssize_t block
    for block in prange(blocks(size), nogil=True, schedule="static", num_threads=team(size, threads)):
        apply(operation, x, y, z, block * BLOCK, block_end(block, size))


cdef void choose(
    Operation operation, const real *x, const real *y, real *z, Py_ssize_t size, int threads
) noexcept:
    if operation == ADD:
        apply_all(ADD, x, y, z, size, threads)
    elif operation == SUB:
        apply_all(SUB, x, y, z, size, threads)
    elif operation == MUL:
        apply_all(MUL, x, y, z, size, threads)
    elif operation == DIV:
        apply_all(DIV, x, y, z, size, threads)
    else:
        apply_all(RELU_GRAD, x, y, z, size, threads)


cdef binary(Operation operation, x, y, z, int threads):
    cdef Py_ssize_t size = z.size
    cdef char kind = kind_of(z)
    if kind == b"f":
        choose(operation, <const float *> reads(x, kind, size), <const float *> reads(y, kind, size),
               <float *> writes(z, kind, size), size, threads)
    else:
        choose(operation, <const double *> reads(x, b"d", size), <const double *> reads(y, b"d", size),
               <double *> writes(z, b"d", size), size, threads)


def add(x, y, z, int threads):
    """z = x + y; as below, of arrays of one size, all of float32 or all of float64, z new or one of the others"""
    binary(ADD, x, y, z, threads)


def sub(x, y, z, int threads):
    """z = x - y"""
    binary(SUB, x, y, z, threads)


def mul(x, y, z, int threads):
    """z = x * y"""
    binary(MUL, x, y, z, threads)


def div(x, y, z, int threads):
    """z = x / y"""
    binary(DIV, x, y, z, threads)


def relu_grad(y, dy, dx, int threads):
    """dx = 0 where y <= 0, else dy"""
    binary(RELU_GRAD, y, dy, dx, threads)


def relu(x, y, int threads):
    """y = max(x, 0), which is relu_grad(x, x)"""
    binary(RELU_GRAD, x, x, y, threads)


cdef void add_rows(
    real *x, const real *bias, Py_ssize_t rows, Py_ssize_t channels, Py_ssize_t places, int threads
) noexcept:
    cdef Py_ssize_t row, j
    for row in prange(rows, nogil=True, schedule="static", num_threads=team(rows * places, threads)):
        for j in range(row * places, (row + 1) * places):
            x[j] += bias[row % channels]


def add_bias(x, bias, int threads):
    """x += bias, for x of (batch, channels, places) and bias of (channels,)"""
    cdef Py_ssize_t batch, channels, places, size
    cdef char kind = kind_of(x)
    batch, channels, places = x.shape
    size = batch * channels * places
    if kind == b"f":
        add_rows(<float *> writes(x, kind, size), <const float *> reads(bias, kind, channels), batch * channels,
                 channels, places, threads)
    else:
        add_rows(<double *> writes(x, b"d", size), <const double *> reads(bias, b"d", channels), batch * channels,
                 channels, places, threads)
