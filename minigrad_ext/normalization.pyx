# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Batch norm and layer norm on the CPU, and sums. Each channel, or row, is one thread's, from the cache.

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
from libc.stdlib cimport free, malloc

from minigrad_ext.arrays cimport kind_of, reads, real, team, writes

cdef enum:
    LANES = 32  # more than the compiler would take apart into 32 single sums
    STRETCH = 2048  # numbers that one partial sum has
    PIECE = 16_384  # numbers of a row that one thread adds up
    WIDE = 128      # columns that are added up together

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


cdef void sum_pieces(const real *x, double *pieces, Py_ssize_t rows, Py_ssize_t size, int threads) noexcept:
    cdef Py_ssize_t count = (size + PIECE - 1) // PIECE, k
    for k in prange(rows * count, nogil=True, schedule="static", num_threads=threads):
        pieces[k] = sum_of(
            PLAIN, x + k // count * size + k % count * PIECE, 0, x, min(PIECE, size - k % count * PIECE)
        )


cdef void sum_rows(const real *x, real *y, double *pieces, Py_ssize_t rows, Py_ssize_t size, int threads) noexcept:
    cdef Py_ssize_t count = (size + PIECE - 1) // PIECE, r, k
    cdef double total
    if rows == 1 and count == 1:  # at once: OpenMP would take most of the time
        y[0] = <real> sum_of(PLAIN, x, 0, x, size)
        return
    sum_pieces(x, pieces, rows, size, threads)
    for r in range(rows):
        total = 0
        for k in range(count):
            total += pieces[r * count + k]
        y[r] = <real> total


def row_sums(x, y, int threads):
    """y[r] = sum over j of x[r,j]"""
    cdef Py_ssize_t rows, size
    rows, size = x.shape
    cdef char kind = kind_of(x)
    cdef double *pieces = <double *> malloc(max(1, rows * ((size + PIECE - 1) // PIECE)) * sizeof(double))
    if pieces == NULL:
        raise MemoryError("row_sums: no memory for sums of parts of the rows")
    try:
        if kind == b"f":
            sum_rows(<const float *> reads(x, kind, rows * size), <float *> writes(y, kind, rows), pieces, rows, size,
                     team(rows * size, threads))
        else:
            sum_rows(<const double *> reads(x, b"d", rows * size), <double *> writes(y, b"d", rows), pieces, rows, size,
                     team(rows * size, threads))
    finally:
        free(pieces)


cdef void sum_columns(
    const real *x, real *y, Py_ssize_t rows, Py_ssize_t width, Py_ssize_t start, Py_ssize_t columns
) noexcept nogil:
    """Of some columns at most WIDE: 64 rows are added up at a time, and then these sums."""
    cdef real[WIDE] some
    cdef double[WIDE] total
    cdef Py_ssize_t r = 0, end, j
    for j in range(columns):
        total[j] = 0
    while r < rows:
        end = min(rows, r + STRETCH // LANES)
        for j in range(columns):
            some[j] = 0
        while r < end:
            for j in range(columns):
                some[j] += x[r * width + start + j]
            r += 1
        for j in range(columns):
            total[j] += some[j]
    for j in range(columns):
        y[start + j] = <real> total[j]


cdef void sum_all_columns(const real *x, real *y, Py_ssize_t rows, Py_ssize_t width, int threads) noexcept:
    cdef Py_ssize_t part, parts = (width + WIDE - 1) // WIDE
    for part in prange(parts, nogil=True, schedule="static", num_threads=threads):
        sum_columns(x, y, rows, width, part * WIDE, min(WIDE, width - part * WIDE))


def column_sums(x, y, int threads):
    """y[j] = sum over r of x[r,j]"""
    cdef Py_ssize_t rows = x.shape[0], width = x.shape[1]
    cdef char kind = kind_of(x)
    if kind == b"f":
        sum_all_columns(<const float *> reads(x, kind, rows * width), <float *> writes(y, kind, width), rows, width,
                        team(rows * width, threads))
    else:
        sum_all_columns(<const double *> reads(x, b"d", rows * width), <double *> writes(y, b"d", width), rows, width,
                        team(rows * width, threads))


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


# --- layer norm: each row by itself ------------------------------------------------------------------------------

cdef void forward_row(
    const real *x, const real *weight, const real *bias, double eps, real *y, real *mean, real *var, Py_ssize_t size
) noexcept nogil:
    cdef Py_ssize_t j
    cdef real middle, scale
    mean[0] = middle = <real> (sum_of(PLAIN, x, 0, x, size) / size)
    cdef double squares = sum_of(SQUARES, x, middle, x, size) / size
    var[0] = <real> squares
    scale = <real> (1 / sqrt(squares + eps))
    for j in range(size):
        y[j] = (x[j] - middle) * scale * weight[j] + bias[j]


cdef void forward_rows(
    const real *x, const real *weight, const real *bias, double eps, real *y, real *mean, real *var, Py_ssize_t rows,
    Py_ssize_t size, int threads,
) noexcept:
    cdef Py_ssize_t r
    for r in prange(rows, nogil=True, schedule="static", num_threads=threads):
        forward_row(x + r * size, weight, bias, eps, y + r * size, mean + r, var + r, size)


def layer_norm(x, weight, bias, double eps, y, mean, var, int threads):
    """y, mean, var = layer_norm(x, weight, bias, eps)"""
    cdef Py_ssize_t rows = x.shape[0], size = x.shape[1]
    cdef char kind = kind_of(x)
    if kind == b"f":
        forward_rows[float](
            <const float *> reads(x, kind, rows * size), <const float *> reads(weight, kind, size),
            <const float *> reads(bias, kind, size), eps, <float *> writes(y, kind, rows * size),
            <float *> writes(mean, kind, rows), <float *> writes(var, kind, rows), rows, size,
            team(rows * size, threads),
        )
    else:
        forward_rows[double](
            <const double *> reads(x, b"d", rows * size), <const double *> reads(weight, b"d", size),
            <const double *> reads(bias, b"d", size), eps, <double *> writes(y, b"d", rows * size),
            <double *> writes(mean, b"d", rows), <double *> writes(var, b"d", rows), rows, size,
            team(rows * size, threads),
        )


cdef void backward_row(
    const real *dy, const real *x, const real *weight, real mean, double scale, real *dx, Py_ssize_t size
) noexcept nogil:
    cdef Py_ssize_t j
    cdef real factor = <real> scale, level, slope
    for j in range(size):
        dx[j] = dy[j] * weight[j]
    level = <real> (sum_of(PLAIN, dx, 0, dx, size) / size)
    slope = <real> (sum_of(PRODUCTS, x, mean, dx, size) * scale * scale / size)
    for j in range(size):
        dx[j] = factor * (dx[j] - level - (x[j] - mean) * slope)


cdef void backward_columns(
    const real *dy, const real *x, const real *mean, const real *var, double eps, real *dweight, real *dbias,
    Py_ssize_t rows, Py_ssize_t width, Py_ssize_t start, Py_ssize_t columns,
) noexcept nogil:
    """Of some columns at most WIDE: 64 rows are added up at a time, and then these sums."""
    cdef real[WIDE] products, plain
    cdef double[WIDE] all_products, total
    cdef Py_ssize_t r = 0, end, j
    cdef real scale
    for j in range(columns):
        all_products[j] = total[j] = 0
    while r < rows:
        end = min(rows, r + STRETCH // LANES)
        for j in range(columns):
            products[j] = plain[j] = 0
        while r < end:
            scale = <real> (1 / sqrt(var[r] + eps))
            for j in range(columns):
                plain[j] += dy[r * width + start + j]
                products[j] += dy[r * width + start + j] * (x[r * width + start + j] - mean[r]) * scale
            r += 1
        for j in range(columns):
            total[j] += plain[j]
            all_products[j] += products[j]
    for j in range(columns):
        dbias[start + j], dweight[start + j] = <real> total[j], <real> all_products[j]


cdef void backward_rows(
    const real *dy, const real *x, const real *weight, const real *mean, const real *var, double eps, real *dx,
    real *dweight, real *dbias, Py_ssize_t rows, Py_ssize_t size, int threads,
) noexcept:
    cdef Py_ssize_t r, part, parts = (size + WIDE - 1) // WIDE
    for r in prange(rows, nogil=True, schedule="static", num_threads=threads):
        backward_row(dy + r * size, x + r * size, weight, mean[r], 1 / sqrt(var[r] + eps), dx + r * size, size)
    for part in prange(parts, nogil=True, schedule="static", num_threads=threads):
        backward_columns(
            dy, x, mean, var, eps, dweight, dbias, rows, size, part * WIDE, min(WIDE, size - part * WIDE)
        )


def layer_norm_grad(dy, x, weight, mean, var, double eps, dx, dweight, dbias, int threads):
    """dx, dweight, dbias = layer_norm_grad(dy, x, weight, mean, var, eps)"""
    cdef Py_ssize_t rows = x.shape[0], size = x.shape[1]
    cdef char kind = kind_of(x)
    if kind == b"f":
        backward_rows[float](
            <const float *> reads(dy, kind, rows * size), <const float *> reads(x, kind, rows * size),
            <const float *> reads(weight, kind, size), <const float *> reads(mean, kind, rows),
            <const float *> reads(var, kind, rows), eps, <float *> writes(dx, kind, rows * size),
            <float *> writes(dweight, kind, size), <float *> writes(dbias, kind, size), rows, size,
            team(rows * size, threads),
        )
    else:
        backward_rows[double](
            <const double *> reads(dy, b"d", rows * size), <const double *> reads(x, b"d", rows * size),
            <const double *> reads(weight, b"d", size), <const double *> reads(mean, b"d", rows),
            <const double *> reads(var, b"d", rows), eps, <double *> writes(dx, b"d", rows * size),
            <double *> writes(dweight, b"d", size), <double *> writes(dbias, b"d", size), rows, size,
            team(rows * size, threads),
        )
