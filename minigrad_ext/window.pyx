# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Max pooling on the CPU, and the two maps that are its derivatives of every order (minigrad/ops/window.py).

`max_pool2d` takes one tap after the other, (u, v), along a row of windows: what it meets is compared with the largest
so far, and choices between two numbers take the place of branches, which no processor could predict. Each image of each
channel is one thread's. Windows of 2 x 2 side by side, which most networks have, are done in halves: the larger of two
neighbours, along all rows at one go, and then the larger of two of those.
"""

from cython.parallel cimport prange
from libc.math cimport INFINITY
from libc.stdlib cimport free, malloc

from minigrad_ext.arrays cimport kind_of, reads, real, team, writes

cdef enum:
    COLUMNS = 64     # windows of a row that are done together
    PAIRS = 1024     # pairs of neighbours that are done together

cdef struct Axis:    # what is said of rows, or of columns
    Py_ssize_t size, windows, kernel, stride, padding, dilation

cdef struct Run:     # the windows start ... stop - 1 meet the image with a tap, the first of them at the element `at`
    Py_ssize_t start, stop, at


cdef Axis axis_of(geometry, Py_ssize_t k) except *:
    cdef Axis axis
    axis.size, axis.windows, axis.kernel = geometry.x_shape[2 + k], geometry.y_shape[2 + k], geometry.w_shape[2 + k]
    axis.stride, axis.padding, axis.dilation = geometry.stride[k], geometry.padding[k], geometry.dilation[k]
    if axis.stride < 1 or axis.dilation < 1 or axis.padding < 0 or axis.kernel < 1 or axis.size < 0:
        raise ValueError(f"window: no such geometry: {geometry}")
    return axis


cdef inline Run meet(const Axis *axis, Py_ssize_t tap) noexcept nogil:
    """Which windows i have i * stride + offset, where the tap is, within the image."""
    cdef Py_ssize_t offset = tap * axis.dilation - axis.padding
    cdef Run run
    run.start = run.stop = run.at = 0
    if offset < axis.size:
        run.start = (axis.stride - 1 - offset) // axis.stride if offset < 0 else 0
        run.stop = min(axis.windows, (axis.size - 1 - offset) // axis.stride + 1)
        run.at = run.start * axis.stride + offset
    return run


cdef inline int compare(
    const real *x, Py_ssize_t stride, int place, real *largest, int *places, Py_ssize_t size
) noexcept nogil:
    """largest[j] = the larger of itself and x[j * stride], which is at `place` + j * stride. Returns whether it met
    NaN, for which this does not hold.
    """
    cdef Py_ssize_t j
    cdef int larger, before, nans = 0, step = <int> stride
    cdef real element, most
    for j in range(size):
        element, most, before = x[j * stride], largest[j], places[j]
        larger = element > most
        largest[j] = element if element > most else most
        places[j] = before ^ ((before ^ place) & -larger)  # with bits instead of a branch
        place += step
        nans |= element != element
    return nans


cdef void compare_nans(
    const real *x, Py_ssize_t stride, int place, real *largest, int *places, Py_ssize_t size
) noexcept nogil:
    """The same, slowly, with NaN larger than all."""
    cdef Py_ssize_t j
    for j in range(size):
        if x[j * stride] > largest[j] or x[j * stride] != x[j * stride]:
            largest[j], places[j] = x[j * stride], place + <int> (j * stride)


cdef bint pool_windows(
    const real *x, const int *first, real *y, int *places, const Axis *rows, const Axis *columns, const Run *runs,
    Py_ssize_t i, Py_ssize_t left, Py_ssize_t right, bint nans,
) noexcept nogil:
    """The windows left ... right - 1 of row i. Returns whether it met NaN, which it must be told of.

    runs[v] are the windows of a row whose tap v is within the image.
    """
    cdef real[COLUMNS] largest
    cdef int[COLUMNS] chosen
    cdef int met = 0, place
    cdef Py_ssize_t h, j, size, u, v
    cdef const real *here
    for j in range(right - left):
        largest[j] = -INFINITY
        chosen[j] = first[i * columns.windows + left + j]
    for u in range(rows.kernel):
        h = i * rows.stride + u * rows.dilation - rows.padding
        if h < 0 or h >= rows.size:
            continue
        for v in range(columns.kernel):
            j = max(runs[v].start, left)
            size = min(runs[v].stop, right) - j
            place = <int> (h * columns.size + runs[v].at + (j - runs[v].start) * columns.stride)
            here = x + place
            j -= left
            if nans:
                compare_nans(here, columns.stride, place, largest + j, chosen + j, size)
            elif columns.stride == 1:  # a literal, so that the compiler makes vectors
                met |= compare(here, 1, place, largest + j, chosen + j, size)
            elif columns.stride == 2:
                met |= compare(here, 2, place, largest + j, chosen + j, size)
            else:
                met |= compare(here, columns.stride, place, largest + j, chosen + j, size)
    for j in range(right - left):
        y[i * columns.windows + left + j] = largest[j]
        places[i * columns.windows + left + j] = chosen[j]
    return met


cdef inline bint tiles_by_two(const Axis *axis) noexcept nogil:
    """Whether the windows are those of two neighbours, side by side; none reaches beyond the image."""
    return (
        axis.kernel == 2 and axis.stride == 2 and axis.padding == 0 and axis.dilation == 1
        and 2 * axis.windows <= axis.size
    )


cdef inline int compare_pairs(
    const real *x, int place, real *larger, int *places, Py_ssize_t size
) noexcept nogil:
    """larger[k] = the larger of x[2 * k] and x[2 * k + 1], which are at `place` + 2 * k and behind it. Returns whether
    it met NaN, for which this does not hold."""
    cdef Py_ssize_t k
    cdef int nans = 0
    cdef real one, other
    for k in range(size):
        one, other = x[2 * k], x[2 * k + 1]
        larger[k] = other if other > one else one
        places[k] = place + <int> (2 * k) + (other > one)
        nans |= (one != one) | (other != other)
    return nans


cdef bint pool_tiles(const real *x, real *y, int *places, Py_ssize_t width, Py_ssize_t windows, Py_ssize_t rows,
                     int place) noexcept nogil:
    """Some rows of windows of 2 x 2, side by side; x is at `place` of its image. Returns whether it met NaN."""
    cdef real[PAIRS] larger
    cdef int[PAIRS] chosen
    cdef Py_ssize_t i, j, upper, lower
    cdef int met = 0, below
    if width == 2 * windows:
        met = compare_pairs(x, place, larger, chosen, 2 * rows * windows)
    else:  # there is a column too much
        for i in range(2 * rows):
            met |= compare_pairs(x + i * width, place + <int> (i * width), larger + i * windows, chosen + i * windows,
                                 windows)
    for i in range(rows):
        for j in range(i * windows, (i + 1) * windows):
            upper, lower = j + i * windows, j + (i + 1) * windows
            below = larger[lower] > larger[upper]
            y[j] = larger[lower] if larger[lower] > larger[upper] else larger[upper]
            places[j] = chosen[upper] ^ ((chosen[upper] ^ chosen[lower]) & -below)
    return met


cdef void pool_image(
    const real *x, const int *first, real *y, int *places, const Axis *rows, const Axis *columns, const Run *runs
) noexcept nogil:
    cdef Py_ssize_t i = 0, left, right, size
    cdef bint met = True
    if tiles_by_two(rows) and tiles_by_two(columns) and 2 * columns.windows <= PAIRS:
        met = False
        while i < rows.windows:
            size = min(rows.windows - i, PAIRS // (2 * columns.windows))
            met |= pool_tiles(
                x + 2 * i * columns.size, y + i * columns.windows, places + i * columns.windows, columns.size,
                columns.windows, size, <int> (2 * i * columns.size),
            )
            i += size
    if not met:
        return
    for i in range(rows.windows):
        left = 0
        while left < columns.windows:
            right = min(left + COLUMNS, columns.windows)
            if pool_windows(x, first, y, places, rows, columns, runs, i, left, right, False):
                pool_windows(x, first, y, places, rows, columns, runs, i, left, right, True)
            left = right


cdef void pool(
    const real *x, const int *first, real *y, int *places, Axis rows, Axis columns, const Run *runs, Py_ssize_t images,
    int threads,
) noexcept:
    cdef Py_ssize_t image, inputs = rows.size * columns.size, outputs = rows.windows * columns.windows
    for image in prange(images, nogil=True, schedule="static", num_threads=team(images * inputs, threads)):
        pool_image(
            x + image * inputs, first, y + image * outputs, places + image * outputs, &rows, &columns, runs
        )


def max_pool2d(x, first, y, places, geometry, int threads):
    """y, places = max_pool2d(x); `first` (int32) has the place of the first element of each window of an image."""
    cdef Axis rows = axis_of(geometry, 0), columns = axis_of(geometry, 1)
    cdef Py_ssize_t images = geometry.x_shape[0] * geometry.x_shape[1]
    cdef Py_ssize_t inputs = rows.size * columns.size, outputs = rows.windows * columns.windows
    cdef const int *begin = <const int *> reads(first, b"i", outputs)
    cdef int *found = <int *> writes(places, b"i", images * outputs)
    cdef char kind = b"f" if kind_of(x) == b"f" else b"d"
    cdef const void *elements = reads(x, kind, images * inputs)
    cdef void *results = writes(y, kind, images * outputs)
    cdef Py_ssize_t v
    cdef Run *runs = <Run *> malloc(columns.kernel * sizeof(Run))
    if runs == NULL:
        raise MemoryError("max_pool2d: no memory for a list of the columns of a window")
    for v in range(columns.kernel):
        runs[v] = meet(&columns, v)
    if kind == b"f":
        pool[float](<const float *> elements, begin, <float *> results, found, rows, columns, runs, images, threads)
    else:
        pool[double](<const double *> elements, begin, <double *> results, found, rows, columns, runs, images, threads)
    free(runs)


cdef void pick_all(
    const real *x, const int *places, real *y, Py_ssize_t images, Py_ssize_t inputs, Py_ssize_t outputs, int threads
) noexcept:
    cdef Py_ssize_t image, j, place
    for image in prange(images, nogil=True, schedule="static", num_threads=team(images * outputs, threads)):
        for j in range(image * outputs, (image + 1) * outputs):
            place = places[j]
            y[j] = x[image * inputs + place] if 0 <= place < inputs else 0


cdef void spread_all(
    const real *y, const int *places, real *x, Py_ssize_t images, Py_ssize_t inputs, Py_ssize_t outputs, int threads
) noexcept:
    cdef Py_ssize_t image, j, place
    for image in prange(images, nogil=True, schedule="static", num_threads=team(images * inputs, threads)):
        for j in range(image * inputs, (image + 1) * inputs):
            x[j] = 0
        for j in range(image * outputs, (image + 1) * outputs):
            place = places[j]
            if 0 <= place < inputs:
                x[image * inputs + place] += y[j]


def pick(x, places, y, int threads):
    """y = pick(x, places)"""
    cdef Py_ssize_t images = x.shape[0] * x.shape[1], inputs = x.shape[2] * x.shape[3]
    cdef Py_ssize_t outputs = y.shape[2] * y.shape[3]
    cdef const int *found = <const int *> reads(places, b"i", images * outputs)
    cdef char kind = kind_of(x)
    if kind == b"f":
        pick_all[float](<const float *> reads(x, kind, images * inputs), found,
                        <float *> writes(y, kind, images * outputs), images, inputs, outputs, threads)
    else:
        pick_all[double](<const double *> reads(x, b"d", images * inputs), found,
                         <double *> writes(y, b"d", images * outputs), images, inputs, outputs, threads)


def spread(y, places, x, int threads):
    """x = spread(y, places)"""
    cdef Py_ssize_t images = x.shape[0] * x.shape[1], inputs = x.shape[2] * x.shape[3]
    cdef Py_ssize_t outputs = y.shape[2] * y.shape[3]
    cdef const int *found = <const int *> reads(places, b"i", images * outputs)
    cdef char kind = kind_of(x)
    if kind == b"f":
        spread_all[float](<const float *> reads(y, kind, images * outputs), found,
                          <float *> writes(x, kind, images * inputs), images, inputs, outputs, threads)
    else:
        spread_all[double](<const double *> reads(y, b"d", images * outputs), found,
                           <double *> writes(x, b"d", images * inputs), images, inputs, outputs, threads)
