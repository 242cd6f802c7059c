# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The steps of optimizers on the CPU: parameters and what is remembered of them, in place, in one pass."""

from cython.parallel cimport prange
from libc.math cimport sqrt, sqrtf

from minigrad_ext.arrays cimport BLOCK, block_end, blocks, kind_of, reads, real, team, writes

cdef struct Adam:
    double decay, new_mean, new_square, eps, step_size, shrink


cdef inline real root(real x) noexcept nogil:
    return sqrtf(x) if real is float else sqrt(x)


cdef inline void adam_part(
    real *p, const real *g, real *m, real *v, real *most, real decay, real new_mean, real new_square, real eps,
    real step_size, real shrink, Py_ssize_t start, Py_ssize_t end, bint keeps_most,
) noexcept nogil:
    cdef Py_ssize_t j
    cdef real gradient, square
    for j in range(start, end):
        gradient = g[j] + decay * p[j] if decay != 0 else g[j]  # p may be infinite
        m[j] += new_mean * (gradient - m[j])
        v[j] += new_square * (gradient * gradient - v[j])
        square = v[j]
        if keeps_most:
            square = most[j] = most[j] if (most[j] > square) | (most[j] != most[j]) else square
        p[j] = p[j] * shrink - step_size * m[j] / (root(square) + eps)


cdef void adam_all(
    real *p, const real *g, real *m, real *v, real *most, Adam a, Py_ssize_t size, int threads
) noexcept:
    cdef Py_ssize_t block
    for block in prange(blocks(size), nogil=True, schedule="static", num_threads=team(size, threads)):
        if most == NULL:
            adam_part(p, g, m, v, most, <real> a.decay, <real> a.new_mean, <real> a.new_square, <real> a.eps,
                      <real> a.step_size, <real> a.shrink, block * BLOCK, block_end(block, size), False)
        else:
            adam_part(p, g, m, v, most, <real> a.decay, <real> a.new_mean, <real> a.new_square, <real> a.eps,
                      <real> a.step_size, <real> a.shrink, block * BLOCK, block_end(block, size), True)


def adam(
    p, g, m, v, most, double decay, double shrink, double new_mean, double new_square, double eps, double step_size,
    int threads,
):
    """adam(p, g, m, v, most or None, ...), all arrays but g written in place"""
    cdef Py_ssize_t size = p.size
    cdef Adam a = Adam(decay, new_mean, new_square, eps, step_size, shrink)
    cdef char kind = kind_of(p)
    if kind == b"f":
        adam_all(<float *> writes(p, kind, size), <const float *> reads(g, kind, size), <float *> writes(m, kind, size),
                 <float *> writes(v, kind, size), NULL if most is None else <float *> writes(most, kind, size),
                 a, size, threads)
    else:
        adam_all(<double *> writes(p, b"d", size), <const double *> reads(g, b"d", size),
                 <double *> writes(m, b"d", size), <double *> writes(v, b"d", size),
                 NULL if most is None else <double *> writes(most, b"d", size), a, size, threads)


cdef inline void sgd_part(
    real *p, const real *g, real *b, real lr, real momentum, real damping, real decay, real pull, Py_ssize_t start,
    Py_ssize_t end, bint remembers,
) noexcept nogil:
    cdef Py_ssize_t j
    cdef real gradient
    for j in range(start, end):
        gradient = g[j] + decay * p[j] if decay != 0 else g[j]  # p may be infinite
        if remembers:
            b[j] = momentum * b[j] + damping * gradient
            gradient = pull * gradient + (momentum if pull else 1) * b[j]
        p[j] -= lr * gradient


cdef void sgd_all(
    real *p, const real *g, real *b, double lr, double momentum, double damping, double decay, bint nesterov,
    Py_ssize_t size, int threads,
) noexcept:
    cdef Py_ssize_t block
    if b == NULL and size < BLOCK:  # at once: OpenMP would take half of the time
        sgd_part(p, g, b, <real> lr, 0, 0, <real> decay, 0, 0, size, False)
        return
    for block in prange(blocks(size), nogil=True, schedule="static", num_threads=team(size, threads)):
        if b == NULL:
            sgd_part(p, g, b, <real> lr, 0, 0, <real> decay, 0, block * BLOCK, block_end(block, size), False)
        elif nesterov:
            sgd_part(p, g, b, <real> lr, <real> momentum, <real> damping, <real> decay, 1, block * BLOCK,
                     block_end(block, size), True)
        else:
            sgd_part(p, g, b, <real> lr, <real> momentum, <real> damping, <real> decay, 0, block * BLOCK,
                     block_end(block, size), True)


def sgd(p, g, b, double lr, double momentum, double damping, double decay, bint nesterov, int threads):
    """sgd(p, g, b or None, ...), p and b written in place"""
    cdef Py_ssize_t size = p.size
    cdef char kind = kind_of(p)
    if kind == b"f":
        sgd_all(<float *> writes(p, kind, size), <const float *> reads(g, kind, size),
                NULL if b is None else <float *> writes(b, kind, size), lr, momentum, damping, decay, nesterov, size,
                threads)
    else:
        sgd_all(<double *> writes(p, b"d", size), <const double *> reads(g, b"d", size),
                NULL if b is None else <double *> writes(b, b"d", size), lr, momentum, damping, decay, nesterov, size,
                threads)
