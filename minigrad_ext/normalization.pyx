# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Batch norm on the CPU, and sums over channels: each channel by one thread, from the cache.

x is (batch, channels, places), so a channel is `batch` rows of `places` neighbours. A thread reads those of one channel
twice: for mean and variance, and for the result. Of each row it takes the sum, and the squares of the distances from
the mean of the row; these make up the squares around the common mean with those of the rows before,

    squares = squares before + squares of the row + distance of the means^2 * places * n / (n + 1),    n = rows before.

Sums grow in 32 lanes, which the compiler turns into vectors, over 64 numbers at most; these partial sums are added up
in double precision. Which numbers are added when depends on the shapes alone.

Source: Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances" (1979).
"""

from cython.parallel cimport prange
from libc.math cimport sqrt

from minigrad_ext.arrays cimport kind_of, reads, real, team, writes

cdef enum:
    LANES = 32  # more than the compiler would take apart into 32 single sums
    STRETCH = 2048  # numbers that one partial sum has

cdef enum Sum:
    PLAIN
    SQUARES
    PRODUCTS


cdef inline real term(Sum which, real x, real mean, real y) noexcept nogil:
    if which == PLAIN:
        return x
    return (x - mean) * (x - mean) if which == SQUARES else (x - mean) * y


cdef inline double sum_of(Sum which, const real *x, real mean, const real *y, Py_ssize_t size) noexcept nogil:
    """The sum over j of x[j], of (x[j] - mean)^2, or of (x[j] - mean) * y[j].

    A literal `which` lets the compiler make a loop of each.
    """
    cdef real[LANES] lanes
    cdef Py_ssize_t j = 0, k, end
    cdef double total = 0
    while j < size:
        end = min(size, j + STRETCH)
        for k in range(LANES):
            lanes[k] = 0
        while j + LANES <= end:
            for k in range(LANES):
                lanes[k] += term(which, x[j + k], mean, y[j + k])
            j += LANES
        while j < end:
            lanes[0] += term(which, x[j], mean, y[j])
            j += 1
        for k in range(LANES // 2):
            lanes[k] += lanes[k + LANES // 2]
        for k in range(LANES // 4):
            lanes[k] += lanes[k + LANES // 4]
        for k in range(LANES // 8):
            lanes[k] += lanes[k + LANES // 8]
        total += (<double> lanes[0] + lanes[1]) + (<double> lanes[2] + lanes[3])
    return total


cdef void sum_channel(const real *x, real *y, Py_ssize_t batch, Py_ssize_t places, Py_ssize_t step) noexcept nogil:
    cdef Py_ssize_t n
    cdef double total = 0
    for n in range(batch):
        total += sum_of(PLAIN, x + n * step, 0, x, places)
    y[0] = <real> total


cdef void sum_channels(
    const real *x, real *y, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t places, int threads
) noexcept:
    cdef Py_ssize_t c
    for c in prange(channels, nogil=True, schedule="static", num_threads=threads):
        sum_channel(x + c * places, y + c, batch, places, channels * places)


def channel_sums(x, y, int threads):
    """y[c] = sum over n and j of x[n,c,j]"""
    cdef Py_ssize_t batch, channels, places, size
    cdef char kind = kind_of(x)
    batch, channels, places = x.shape
    size = batch * channels * places
    if kind == b"f":
        sum_channels(<const float *> reads(x, kind, size), <float *> writes(y, kind, channels), batch, channels, places,
                     team(size, threads))
    else:
        sum_channels(<const double *> reads(x, b"d", size), <double *> writes(y, b"d", channels), batch, channels,
                     places, team(size, threads))


cdef void forward_channel(
    const real *x, real weight, real bias, double eps, real *y, real *mean, real *var, Py_ssize_t batch,
    Py_ssize_t places, Py_ssize_t step,
) noexcept nogil:
    cdef Py_ssize_t j, n
    cdef double total = 0, squares = 0, sum, distance, count = <double> batch * places
    cdef real middle, scale
    for n in range(batch):
        sum = sum_of(PLAIN, x + n * step, 0, x, places)
        middle = <real> (sum / places)
        squares += sum_of(SQUARES, x + n * step, middle, x, places)
        if n > 0:
            distance = sum / places - total / (<double> n * places)
            squares += distance * distance * places * n / (n + 1)
        total += sum
    mean[0] = middle = <real> (total / count)
    var[0] = <real> (squares / count)
    scale = <real> (weight / sqrt(squares / count + eps))
    for n in range(batch):
        for j in range(n * step, n * step + places):
            y[j] = (x[j] - middle) * scale + bias


cdef void forward(
    const real *x, const real *weight, const real *bias, double eps, real *y, real *mean, real *var,
    Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t places, int threads,
) noexcept:
    cdef Py_ssize_t c
    for c in prange(channels, nogil=True, schedule="static", num_threads=threads):
        forward_channel(
            x + c * places, weight[c], bias[c], eps, y + c * places, mean + c, var + c, batch, places, channels * places
        )


def batch_norm(x, weight, bias, double eps, y, mean, var, int threads):
    """y, mean, var = batch_norm(x, weight, bias, eps)"""
    cdef Py_ssize_t batch, channels, places, size
    cdef char kind = kind_of(x)
    batch, channels, places = x.shape
    size = batch * channels * places
    if kind == b"f":
        forward[float](
            <const float *> reads(x, kind, size), <const float *> reads(weight, kind, channels),
            <const float *> reads(bias, kind, channels), eps, <float *> writes(y, kind, size),
            <float *> writes(mean, kind, channels), <float *> writes(var, kind, channels),
            batch, channels, places, team(size, threads),
        )
    else:
        forward[double](
            <const double *> reads(x, b"d", size), <const double *> reads(weight, b"d", channels),
            <const double *> reads(bias, b"d", channels), eps, <double *> writes(y, b"d", size),
            <double *> writes(mean, b"d", channels), <double *> writes(var, b"d", channels),
            batch, channels, places, team(size, threads),
        )


cdef void backward_channel(
    const real *dy, const real *x, real weight, real mean, real var, double eps, real *dx, real *dweight, real *dbias,
    Py_ssize_t batch, Py_ssize_t places, Py_ssize_t step,
) noexcept nogil:
    cdef Py_ssize_t j, n
    cdef double total = 0, products = 0, count = <double> batch * places, scale = 1 / sqrt(var + eps)
    cdef real factor, slope, level
    for n in range(batch):
        total += sum_of(PLAIN, dy + n * step, 0, dy, places)
        products += sum_of(PRODUCTS, x + n * step, mean, dy + n * step, places)
    dbias[0] = <real> total
    dweight[0] = <real> (products * scale)
    factor = <real> (weight * scale)
    level = <real> (total / count)
    slope = <real> (products * scale * scale / count)
    for n in range(batch):
        for j in range(n * step, n * step + places):
            dx[j] = factor * (dy[j] - level - (x[j] - mean) * slope)


cdef void backward(
    const real *dy, const real *x, const real *weight, const real *mean, const real *var, double eps, real *dx,
    real *dweight, real *dbias, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t places, int threads,
) noexcept:
    cdef Py_ssize_t c
    for c in prange(channels, nogil=True, schedule="static", num_threads=threads):
        backward_channel(
            dy + c * places, x + c * places, weight[c], mean[c], var[c], eps, dx + c * places, dweight + c, dbias + c,
            batch, places, channels * places,
        )


def batch_norm_grad(dy, x, weight, mean, var, double eps, dx, dweight, dbias, int threads):
    """dx, dweight, dbias = batch_norm_grad(dy, x, weight, mean, var, eps)"""
    cdef Py_ssize_t batch, channels, places, size
    cdef char kind = kind_of(x)
    batch, channels, places = x.shape
    size = batch * channels * places
    if kind == b"f":
        backward[float](
            <const float *> reads(dy, kind, size), <const float *> reads(x, kind, size),
            <const float *> reads(weight, kind, channels), <const float *> reads(mean, kind, channels),
            <const float *> reads(var, kind, channels), eps, <float *> writes(dx, kind, size),
            <float *> writes(dweight, kind, channels), <float *> writes(dbias, kind, channels),
            batch, channels, places, team(size, threads),
        )
    else:
        backward[double](
            <const double *> reads(dy, b"d", size), <const double *> reads(x, b"d", size),
            <const double *> reads(weight, b"d", channels), <const double *> reads(mean, b"d", channels),
            <const double *> reads(var, b"d", channels), eps, <double *> writes(dx, b"d", size),
            <double *> writes(dweight, b"d", channels), <double *> writes(dbias, b"d", channels),
            batch, channels, places, team(size, threads),
        )
