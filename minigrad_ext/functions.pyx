# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Exponentials and their kin on the CPU, by several threads: of each element, and of each row (functions.h)."""

from cython.parallel cimport prange

from minigrad_ext.arrays cimport kind_of, reads, real, writes

cdef extern from *:
    """
    #define FUNCTIONS  /* for kernels.h */
    """

cdef extern from "instructions.h" nogil:
    void each_float(int set, int f, const float *x, const float *y, float *z, Py_ssize_t size)
    void each_double(int set, int f, const double *x, const double *y, double *z, Py_ssize_t size)
    void softmax_float(int set, const float *x, float *y, Py_ssize_t size)
    void softmax_double(int set, const double *x, double *y, Py_ssize_t size)
    void log_softmax_float(int set, const float *x, float *y, Py_ssize_t size)
    void log_softmax_double(int set, const double *x, double *y, Py_ssize_t size)
    void softmax_grad_float(int set, const float *dy, const float *y, float *dx, Py_ssize_t size)
    void softmax_grad_double(int set, const double *dy, const double *y, double *dx, Py_ssize_t size)
    void log_softmax_grad_float(int set, const float *dy, const float *y, float *dx, Py_ssize_t size)
    void log_softmax_grad_double(int set, const double *dy, const double *y, double *dx, Py_ssize_t size)

cdef enum:
    FEW = 8192   # elements, fewer of which one thread does sooner than several
    PART = 2048  # elements that a thread does in one go

cdef enum Each:  # in the order of functions.h
    EXP
    SIGMOID
    TANH
    ERF
    GELU
    GELU_GRAD
    SIGMOID_GRAD
    TANH_GRAD

cdef enum Rows:
    SOFTMAX
    SOFTMAX_GRAD
    LOG_SOFTMAX
    LOG_SOFTMAX_GRAD


cdef inline int team(Py_ssize_t size, int threads) noexcept nogil:
    return threads if size >= FEW and threads > 1 else 1


cdef inline void each_block(int set, Each f, const real *x, const real *y, real *z, Py_ssize_t size) noexcept nogil:
    if real is float:
        each_float(set, f, x, y, z, size)
    else:
        each_double(set, f, x, y, z, size)


cdef void each_all(int set, Each f, const real *x, const real *y, real *z, Py_ssize_t size, int threads) noexcept:
    cdef Py_ssize_t pieces = (size + PART - 1) // PART, piece, start
    for piece in prange(pieces, nogil=True, schedule="static", num_threads=team(size, threads)):
        start = piece * PART
        each_block(set, f, x + start, y + start, z + start, min(size - start, PART))


cdef each(Each f, x, y, z, int threads, int set):
    cdef Py_ssize_t size = x.size
    cdef char kind = kind_of(x)
    if kind == b"f":
        each_all(set, f, <const float *> reads(x, kind, size), <const float *> reads(y, kind, size),
                 <float *> writes(z, kind, size), size, threads)
    else:
        each_all(set, f, <const double *> reads(x, b"d", size), <const double *> reads(y, b"d", size),
                 <double *> writes(z, b"d", size), size, threads)


def exp(x, y, int threads, int set):
    """y = e^x"""
    each(EXP, x, x, y, threads, set)


def sigmoid(x, y, int threads, int set):
    """y = 1 / (1 + e^-x)"""
    each(SIGMOID, x, x, y, threads, set)


def tanh(x, y, int threads, int set):
    """y = tanh(x)"""
    each(TANH, x, x, y, threads, set)


def erf(x, y, int threads, int set):
    """y = erf(x)"""
    each(ERF, x, x, y, threads, set)


def gelu(x, y, int threads, int set):
    """y = x / 2 * (1 + erf(x / sqrt(2)))"""
    each(GELU, x, x, y, threads, set)


def gelu_grad(x, dy, dx, int threads, int set):
    """dx = gelu_grad(x, dy)"""
    each(GELU_GRAD, x, dy, dx, threads, set)


def sigmoid_grad(y, dy, dx, int threads, int set):
    """dx = dy * y * (1 - y)"""
    each(SIGMOID_GRAD, y, dy, dx, threads, set)


def tanh_grad(y, dy, dx, int threads, int set):
    """dx = dy * (1 - y * y)"""
    each(TANH_GRAD, y, dy, dx, threads, set)


cdef void row(int set, Rows f, const real *x, const real *y, real *z, Py_ssize_t size) noexcept nogil:
    if real is float:
        if f == SOFTMAX:
            softmax_float(set, x, z, size)
        elif f == LOG_SOFTMAX:
            log_softmax_float(set, x, z, size)
        elif f == SOFTMAX_GRAD:
            softmax_grad_float(set, x, y, z, size)
        else:
            log_softmax_grad_float(set, x, y, z, size)
    else:
        if f == SOFTMAX:
            softmax_double(set, x, z, size)
        elif f == LOG_SOFTMAX:
            log_softmax_double(set, x, z, size)
        elif f == SOFTMAX_GRAD:
            softmax_grad_double(set, x, y, z, size)
        else:
            log_softmax_grad_double(set, x, y, z, size)


cdef void rows_all(
    int set, Rows f, const real *x, const real *y, real *z, Py_ssize_t rows, Py_ssize_t size, int threads
) noexcept:
    cdef Py_ssize_t r
    for r in prange(rows, nogil=True, schedule="static", num_threads=team(rows * size, threads)):
        row(set, f, x + r * size, y + r * size, z + r * size, size)


cdef each_row(Rows f, x, y, z, int threads, int set):
    cdef Py_ssize_t size = x.shape[x.ndim - 1], elements = x.size
    cdef Py_ssize_t rows = elements // size if size else 0
    cdef char kind = kind_of(x)
    if kind == b"f":
        rows_all(set, f, <const float *> reads(x, kind, elements), <const float *> reads(y, kind, elements),
                 <float *> writes(z, kind, elements), rows, size, threads)
    else:
        rows_all(set, f, <const double *> reads(x, b"d", elements), <const double *> reads(y, b"d", elements),
                 <double *> writes(z, b"d", elements), rows, size, threads)


def softmax(x, y, int threads, int set):
    """y = e^x / (the sum of e^x along the last axis)"""
    each_row(SOFTMAX, x, x, y, threads, set)


def softmax_grad(dy, y, dx, int threads, int set):
    """dx = y * (dy - the sum of dy * y along the last axis)"""
    each_row(SOFTMAX_GRAD, dy, y, dx, threads, set)


def log_softmax(x, y, int threads, int set):
    """y = x - log(the sum of e^x along the last axis)"""
    each_row(LOG_SOFTMAX, x, x, y, threads, set)


def log_softmax_grad(dy, y, dx, int threads, int set):
    """dx = dy - e^y * the sum of dy along the last axis"""
    each_row(LOG_SOFTMAX_GRAD, dy, y, dx, threads, set)
