# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Elementwise arithmetic on the CPU, by several threads.

These loops wait for memory, whatever the instruction set. A literal `operation` lets the compiler make a loop of each;
a thread chooses the loop for a block, as the compiler would not see through what starts threads.
"""

from cython.parallel cimport prange

from minigrad_ext.arrays cimport block_end, blocks, kind_of, reads, real, team, writes, BLOCK

ctypedef fused bits:
    int
    long long

cdef enum Operation:
    ADD
    SUB
    MUL
    DIV
    MAXIMUM
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
    if operation == MAXIMUM:
        return x if (x > y) | (x != x) else y
    return 0 if x <= 0 else y


cdef inline void apply_steps(
    Operation operation, const real *x, bint x_repeats, const real *y, bint y_repeats, real *z, Py_ssize_t start,
    Py_ssize_t end,
) noexcept nogil:
    cdef Py_ssize_t j
    cdef real number
    if x_repeats:
        number = x[0]  # read once: for all that the compiler knows, z could be the same memory
        for j in range(start, end):
            z[j] = value(operation, number, y[j])
    elif y_repeats:
        number = y[0]
        for j in range(start, end):
            z[j] = value(operation, x[j], number)
    else:
        for j in range(start, end):
            z[j] = value(operation, x[j], y[j])


cdef void apply_block(
    Operation operation, const real *x, bint x_repeats, const real *y, bint y_repeats, real *z, Py_ssize_t start,
    Py_ssize_t end,
) noexcept nogil:
    if operation == ADD:
        apply_steps(ADD, x, x_repeats, y, y_repeats, z, start, end)
    elif operation == SUB:
        apply_steps(SUB, x, x_repeats, y, y_repeats, z, start, end)
    elif operation == MUL:
        apply_steps(MUL, x, x_repeats, y, y_repeats, z, start, end)
    elif operation == DIV:
        apply_steps(DIV, x, x_repeats, y, y_repeats, z, start, end)
    elif operation == MAXIMUM:
        apply_steps(MAXIMUM, x, x_repeats, y, y_repeats, z, start, end)
    else:
        apply_steps(RELU_GRAD, x, x_repeats, y, y_repeats, z, start, end)


cdef void apply(
    Operation operation, const real *x, bint x_repeats, const real *y, bint y_repeats, real *z, Py_ssize_t size,
    int threads,
) noexcept:
    cdef Py_ssize_t block
    for block in prange(blocks(size), nogil=True, schedule="static", num_threads=team(size, threads)):
        apply_block(operation, x, x_repeats, y, y_repeats, z, block * BLOCK, block_end(block, size))


cdef void apply_rows(
    Operation operation, const real *x, bint x_repeats, const real *y, bint y_repeats, real *z, Py_ssize_t rows,
    Py_ssize_t middle, Py_ssize_t inner, int threads,
) noexcept:
    """The same where one of x and y is a vector that repeats: each of its numbers `inner` times, and all that again."""
    cdef Py_ssize_t r, size = inner if inner > 1 else middle, at
    for r in prange(rows, nogil=True, schedule="static", num_threads=team(rows * size, threads)):
        at = r % middle if inner > 1 else 0
        apply_block(
            operation, x + (at if x_repeats else r * size), x_repeats and inner > 1,
            y + (at if y_repeats else r * size), y_repeats and inner > 1, z + r * size, 0, size,
        )


cdef binary(Operation operation, x, y, z, int threads, Py_ssize_t inner):
    cdef Py_ssize_t size = z.size, x_size = x.size, y_size = y.size
    cdef Py_ssize_t middle = min(x_size, y_size), rows
    cdef bint x_repeats = x_size < size, y_repeats = y_size < size, numbers = middle == 1
    cdef char kind = kind_of(z)
    cdef const void *first = reads(x, kind, middle if x_repeats else size)
    cdef const void *second = reads(y, kind, middle if y_repeats else size)
    if x_repeats and y_repeats or (middle < size and not numbers and (inner < 1 or size % (middle * inner))):
        raise ValueError(f"elementwise: {x_size} and {y_size} numbers, {inner} times each, do not make {size}")
    if numbers or middle == size:
        if kind == b"f":
            apply(operation, <const float *> first, x_repeats, <const float *> second, y_repeats,
                  <float *> writes(z, kind, size), size, threads)
        else:
            apply(operation, <const double *> first, x_repeats, <const double *> second, y_repeats,
                  <double *> writes(z, b"d", size), size, threads)
        return
    rows = size // (inner if inner > 1 else middle)
    if kind == b"f":
        apply_rows(operation, <const float *> first, x_repeats, <const float *> second, y_repeats,
                   <float *> writes(z, kind, size), rows, middle, inner, threads)
    else:
        apply_rows(operation, <const double *> first, x_repeats, <const double *> second, y_repeats,
                   <double *> writes(z, b"d", size), rows, middle, inner, threads)


def add(x, y, z, int threads, Py_ssize_t inner=1):
    """z = x + y; as below, all float32 or all float64, of one size; z may be one of them.

    Of x and y one may be a number, or a vector that repeats: each of its numbers `inner` times, and all that again.
    """
    binary(ADD, x, y, z, threads, inner)


def sub(x, y, z, int threads, Py_ssize_t inner=1):
    """z = x - y"""
    binary(SUB, x, y, z, threads, inner)


def mul(x, y, z, int threads, Py_ssize_t inner=1):
    """z = x * y"""
    binary(MUL, x, y, z, threads, inner)


def div(x, y, z, int threads, Py_ssize_t inner=1):
    """z = x / y"""
    binary(DIV, x, y, z, threads, inner)


def maximum(x, y, z, int threads, Py_ssize_t inner=1):
    """z = the larger of x and y, NaN if either is"""
    binary(MAXIMUM, x, y, z, threads, inner)


def relu_grad(y, dy, dx, int threads):
    """dx = 0 where y <= 0, else dy"""
    binary(RELU_GRAD, y, dy, dx, threads, 1)


def relu(x, y, int threads):
    """y = max(x, 0), which is relu_grad(x, x)"""
    binary(RELU_GRAD, x, x, y, threads, 1)


cdef inline void choose_steps(
    const char *condition, const bits *x, Py_ssize_t x_step, const bits *y, Py_ssize_t y_step, bits *z,
    Py_ssize_t start, Py_ssize_t end,
) noexcept nogil:
    cdef Py_ssize_t j
    cdef bits first = x[0], second = y[0], one, other
    for j in range(start, end):
        one, other = x[j] if x_step else first, y[j] if y_step else second
        z[j] = other ^ ((other ^ one) & -<bits> condition[j])


cdef void choose_block(
    const char *condition, const bits *x, bint x_repeats, const bits *y, bint y_repeats, bits *z, Py_ssize_t start,
    Py_ssize_t end,
) noexcept nogil:
    if x_repeats and y_repeats:
        choose_steps(condition, x, 0, y, 0, z, start, end)
    elif x_repeats:
        choose_steps(condition, x, 0, y, 1, z, start, end)
    elif y_repeats:
        choose_steps(condition, x, 1, y, 0, z, start, end)
    else:
        choose_steps(condition, x, 1, y, 1, z, start, end)


cdef void choose(
    const char *condition, const bits *x, bint x_repeats, const bits *y, bint y_repeats, bits *z,
    Py_ssize_t size, int threads,
) noexcept:
    cdef Py_ssize_t block
    for block in prange(blocks(size), nogil=True, schedule="static", num_threads=team(size, threads)):
        choose_block(condition, x, x_repeats, y, y_repeats, z, block * BLOCK, block_end(block, size))


def where(condition, x, y, z, int threads):
    """z = x where `condition` holds, else y, for integers of 32 or 64 bits, as which floats may be viewed. With bits,
    as branches are slow where a condition is random. Of x and y each may be a single number.
    """
    cdef Py_ssize_t size = z.size, x_size = x.size, y_size = y.size
    cdef char kind = kind_of(z)
    cdef const char *c = <const char *> reads(condition, b"?", size)
    cdef const void *first = reads(x, kind, 1 if x_size == 1 else size)
    cdef const void *second = reads(y, kind, 1 if y_size == 1 else size)
    cdef void *result = writes(z, kind, size)
    if z.itemsize == 4:
        choose(c, <const int *> first, x_size == 1, <const int *> second, y_size == 1, <int *> result, size, threads)
    elif z.itemsize == 8:
        choose(c, <const long long *> first, x_size == 1, <const long long *> second, y_size == 1,
               <long long *> result, size, threads)
    else:
        raise ValueError(f"where: {z.dtype} has neither 32 nor 64 bits")


cdef inline void add_row(real *x, const real *bias, Py_ssize_t channels, Py_ssize_t places) noexcept nogil:
    """To `places` places of each of the channels; if there is one place alone, the channels are neighbours."""
    cdef Py_ssize_t c, j
    cdef real number
    if places == 1:
        for c in range(channels):
            x[c] += bias[c]
        return
    for c in range(channels):
        number = bias[c]
        for j in range(c * places, (c + 1) * places):
            x[j] += number


cdef void add_rows(
    real *x, const real *bias, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t places, int threads
) noexcept:
    cdef Py_ssize_t n, size = channels * places
    for n in prange(batch, nogil=True, schedule="static", num_threads=team(batch * size, threads)):
        add_row(x + n * size, bias, channels, places)


def add_bias(x, bias, int threads):
    """x += bias, for x of (batch, channels, places) and bias of (channels,)"""
    cdef Py_ssize_t batch, channels, places, size
    cdef char kind = kind_of(x)
    batch, channels, places = x.shape
    size = batch * channels * places
    if kind == b"f":
        add_rows(<float *> writes(x, kind, size), <const float *> reads(bias, kind, channels), batch, channels, places,
                 threads)
    else:
        add_rows(<double *> writes(x, b"d", size), <const double *> reads(bias, b"d", channels), batch, channels,
                 places, threads)


cdef void add_part(
    const real *x, const long long *rows, real *y, Py_ssize_t count, Py_ssize_t width, Py_ssize_t start, Py_ssize_t end
) noexcept nogil:
    cdef Py_ssize_t k, j
    cdef const real *one
    cdef real *sum
    for k in range(count):
        one, sum = x + k * width, y + rows[k] * width
        for j in range(start, end):
            sum[j] += one[j]


cdef void add_parts(
    const real *x, const long long *rows, real *y, Py_ssize_t count, Py_ssize_t width, int threads
) noexcept:
    cdef int part, parts = team(count * width, threads)  # of the columns: each number is one thread's
    for part in prange(parts, nogil=True, schedule="static", num_threads=parts):
        add_part(x, rows, y, count, width, part * width // parts, (part + 1) * width // parts)


def add_to_rows(x, rows, y, int threads):
    """y[rows[k]] += x[k] for each k, for x of (count, width), y of (height, width) and `rows` of int64"""
    cdef Py_ssize_t k, count = x.shape[0], width = x.shape[1], height = y.shape[0]
    cdef char kind = kind_of(x), of_rows = kind_of(rows)
    if of_rows not in (b"l", b"q") or rows.itemsize != 8:  # int64 by its names in C, long and long long
        raise ValueError("kernel: rows must be int64")
    cdef const long long *numbers = <const long long *> reads(rows, of_rows, count)
    for k in range(count):
        if not 0 <= numbers[k] < height:
            raise IndexError(f"index {numbers[k]} is out of bounds for axis 0 with size {height}")
    if kind == b"f":
        add_parts(<const float *> reads(x, kind, count * width), numbers, <float *> writes(y, kind, height * width),
                  count, width, threads)
    else:
        add_parts(<const double *> reads(x, b"d", count * width), numbers, <double *> writes(y, b"d", height * width),
                  count, width, threads)
