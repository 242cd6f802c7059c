# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Max pooling on the CPU, and the two maps that are its derivatives of every order (minigrad/ops/window.py).

`max_pool2d` takes one tap after the other, (u, v), through all windows of an image: what it meets is compared with the
largest so far, and choices between two numbers take the place of branches, which no processor could predict. Each
image of each channel is one thread's.
"""

from cython.parallel cimport prange
from libc.math cimport INFINITY

from minigrad_ext.arrays cimport kind_of, reads, real, team, writes

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


cdef inline void compare(
    const real *x, Py_ssize_t stride, int place, real *y, int *places, Py_ssize_t size
) noexcept nogil:
    """y[j] = the larger of y[j] and x[j * stride], which is at `place` + j * stride; NaN is larger than all."""
    cdef Py_ssize_t j
    cdef int before, step = <int> stride
    cdef real element, largest
    for j in range(size):
        element, largest, before = x[j * stride], y[j], places[j]
        y[j] = element if (element > largest) | (element != element) else largest
        places[j] = place if (element > largest) | (element != element) else before
        place += step


cdef void pool_image(
    const real *x, const int *first, real *y, int *places, const Axis *rows, const Axis *columns
) noexcept nogil:
    cdef Py_ssize_t i, j, at, size, u, v
    cdef Run across, down
    for j in range(rows.windows * columns.windows):
        y[j] = -INFINITY
        places[j] = first[j]
    for u in range(rows.kernel):
        down = meet(rows, u)
        for v in range(columns.kernel):
            across = meet(columns, v)
            size = across.stop - across.start
            for i in range(down.start, down.stop):
                j = i * columns.windows + across.start
                at = (down.at + (i - down.start) * rows.stride) * columns.size + across.at
                if columns.stride == 1:  # a literal, so that the compiler makes vectors
                    compare(x + at, 1, <int> at, y + j, places + j, size)
                elif columns.stride == 2:
                    compare(x + at, 2, <int> at, y + j, places + j, size)
                else:
                    compare(x + at, columns.stride, <int> at, y + j, places + j, size)


cdef void pool(
    const real *x, const int *first, real *y, int *places, Axis rows, Axis columns, Py_ssize_t images, int threads
) noexcept:
    cdef Py_ssize_t image, inputs = rows.size * columns.size, outputs = rows.windows * columns.windows
    for image in prange(images, nogil=True, schedule="static", num_threads=team(images * inputs, threads)):
        pool_image(x + image * inputs, first, y + image * outputs, places + image * outputs, &rows, &columns)


def max_pool2d(x, first, y, places, geometry, int threads):
    """y, places = max_pool2d(x); `first` (int32) has the place of the first element of each window of an image."""
    cdef Axis rows = axis_of(geometry, 0), columns = axis_of(geometry, 1)
    cdef Py_ssize_t images = geometry.x_shape[0] * geometry.x_shape[1]
    cdef Py_ssize_t inputs = rows.size * columns.size, outputs = rows.windows * columns.windows
    cdef const int *begin = <const int *> reads(first, b"i", outputs)
    cdef int *found = <int *> writes(places, b"i", images * outputs)
    cdef char kind = kind_of(x)
    if kind == b"f":
        pool[float](<const float *> reads(x, kind, images * inputs), begin,
                    <float *> writes(y, kind, images * outputs), found, rows, columns, images, threads)
    else:
        pool[double](<const double *> reads(x, b"d", images * inputs), begin,
                     <double *> writes(y, b"d", images * outputs), found, rows, columns, images, threads)


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
