# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The first rung: the three convolutions as plain loops. They say what the faster rungs must compute.

All three are partial derivatives of one trilinear form (minigrad/backends/base.py explains it):

    T = sum over n, o, c, i, j, u, v of  y[n,o,i,j] * x[n,c,h,k] * w[o,c,u,v],
    h = i * stride - padding + u * dilation,  k = j * stride - padding + v * dilation.

The innermost loop runs along a row, j of y and k of x, over memory that lies side by side: without strides, a compiler
makes vectors of it. Outside the image nothing is multiplied: `meet` (geometry.pxd) computes for which i and j a tap
falls inside, and the loops begin and end there.

Every rung returns whether its result is right; this one always is.

Each thread has planes of the result for itself, (n, o), (n, c) or (o, c), so nobody waits for anybody, and each number
is summed in an order of its own: it has the same bits for any number of threads. One thread alone goes past OpenMP,
which would take half of the time of a tiny convolution.
"""

from cpython.buffer cimport PyBUF_WRITABLE
from cython.parallel cimport prange

from minigrad_ext.arrays cimport Array4, array4, real
from minigrad_ext.geometry cimport Geometry, Run, meet, settle_arrays, team


def conv2d(x, w, y, geometry, int threads, int set):
    """y[n,o,i,j] = sum over c, u, v of x[n,c,h,k] * w[o,c,u,v]"""
    cdef Array4 a = array4(x, 0), b = array4(w, 0), result = array4(y, PyBUF_WRITABLE)
    cdef Geometry g = settle_arrays(geometry, &a, &b, &result)
    if result.kind == b"f":
        conv2d_planes(<const float *> a.memory, <const float *> b.memory, <float *> result.memory, &g, threads)
    else:
        conv2d_planes(<const double *> a.memory, <const double *> b.memory, <double *> result.memory, &g, threads)
    return True


cdef void conv2d_planes(const real *x, const real *w, real *y, const Geometry *g, int threads) noexcept:
    cdef Py_ssize_t plane, outs = g.groups * g.out_channels
    threads = team(g, threads)
    if threads == 1:
        with nogil:
            for plane in range(g.batch * outs):
                conv2d_plane(x, w, y, g, plane // outs, plane % outs)
        return
    for plane in prange(g.batch * outs, nogil=True, schedule="static", num_threads=threads):
        conv2d_plane(x, w, y, g, plane // outs, plane % outs)


cdef inline void conv2d_plane(
    const real *x, const real *w, real *y, const Geometry *g, Py_ssize_t n, Py_ssize_t o
) noexcept nogil:
    cdef Py_ssize_t c, i, j, h, u, v, x_c = o // g.out_channels * g.channels
    cdef Run rows, columns
    cdef const real *x_row
    cdef real *y_row
    cdef real weight
    for i in range(g.out_height):
        for j in range(g.out_width):
            y[in_y(g, n, o, i) + j] = 0
    for c in range(g.channels):
        for u in range(g.kernel_height):
            rows = meet_rows(g, u)
            for v in range(g.kernel_width):
                columns = meet_columns(g, v)
                weight = w[in_w(g, o, c, u) + v]
                for i in range(rows.start, rows.stop):
                    h = i * g.row_stride - g.row_padding + u * g.row_dilation
                    x_row, y_row = x + in_x(g, n, x_c + c, h), y + in_y(g, n, o, i)
                    for j in range(columns.start, columns.stop):
                        y_row[j] += weight * x_row[columns.first + j * g.column_stride]


def conv2d_input_grad(y, w, x, geometry, int threads, int set):
    """x[n,c,h,k] = sum over o, i, j, u, v that meet (h, k) of y[n,o,i,j] * w[o,c,u,v]"""
    cdef Array4 a = array4(y, 0), b = array4(w, 0), result = array4(x, PyBUF_WRITABLE)
    cdef Geometry g = settle_arrays(geometry, &result, &b, &a)
    if result.kind == b"f":
        input_grad_planes(<const float *> a.memory, <const float *> b.memory, <float *> result.memory, &g, threads)
    else:
        input_grad_planes(<const double *> a.memory, <const double *> b.memory, <double *> result.memory, &g, threads)
    return True


cdef void input_grad_planes(const real *y, const real *w, real *x, const Geometry *g, int threads) noexcept:
    cdef Py_ssize_t plane, channels = g.groups * g.channels
    threads = team(g, threads)
    if threads == 1:
        with nogil:
            for plane in range(g.batch * channels):
                input_grad_plane(y, w, x, g, plane // channels, plane % channels)
        return
    for plane in prange(g.batch * channels, nogil=True, schedule="static", num_threads=threads):
        input_grad_plane(y, w, x, g, plane // channels, plane % channels)


cdef inline void input_grad_plane(
    const real *y, const real *w, real *x, const Geometry *g, Py_ssize_t n, Py_ssize_t x_c
) noexcept nogil:
    cdef Py_ssize_t o, i, j, h, k, u, v, c = x_c % g.channels, first = x_c // g.channels * g.out_channels
    cdef Run rows, columns
    cdef real *x_row
    cdef const real *y_row
    cdef real weight
    for h in range(g.height):
        for k in range(g.width):
            x[in_x(g, n, x_c, h) + k] = 0
    for o in range(first, first + g.out_channels):
        for u in range(g.kernel_height):
            rows = meet_rows(g, u)
            for v in range(g.kernel_width):
                columns = meet_columns(g, v)
                weight = w[in_w(g, o, c, u) + v]
                for i in range(rows.start, rows.stop):
                    h = i * g.row_stride - g.row_padding + u * g.row_dilation
                    x_row, y_row = x + in_x(g, n, x_c, h), y + in_y(g, n, o, i)
                    for j in range(columns.start, columns.stop):
                        x_row[columns.first + j * g.column_stride] += weight * y_row[j]


def conv2d_weight_grad(x, y, w, geometry, int threads, int set):
    """w[o,c,u,v] = sum over n, i, j of x[n,c,h,k] * y[n,o,i,j]"""
    cdef Array4 a = array4(x, 0), b = array4(y, 0), result = array4(w, PyBUF_WRITABLE)
    cdef Geometry g = settle_arrays(geometry, &a, &result, &b)
    if result.kind == b"f":
        weight_grad_planes(<const float *> a.memory, <const float *> b.memory, <float *> result.memory, &g, threads)
    else:
        weight_grad_planes(<const double *> a.memory, <const double *> b.memory, <double *> result.memory, &g, threads)
    return True


cdef void weight_grad_planes(const real *x, const real *y, real *w, const Geometry *g, int threads) noexcept:
    cdef Py_ssize_t plane, outs = g.groups * g.out_channels
    threads = team(g, threads)
    if threads == 1:
        with nogil:
            for plane in range(outs * g.channels):
                weight_grad_plane(x, y, w, g, plane // g.channels, plane % g.channels)
        return
    for plane in prange(outs * g.channels, nogil=True, schedule="static", num_threads=threads):
        weight_grad_plane(x, y, w, g, plane // g.channels, plane % g.channels)


cdef inline void weight_grad_plane(
    const real *x, const real *y, real *w, const Geometry *g, Py_ssize_t o, Py_ssize_t c
) noexcept nogil:
    cdef Py_ssize_t n, i, j, h, u, v, x_c = o // g.out_channels * g.channels + c
    cdef Run rows, columns
    cdef const real *x_row
    cdef const real *y_row
    cdef real all, image, row  # long sums are more accurate in parts
    for u in range(g.kernel_height):
        rows = meet_rows(g, u)
        for v in range(g.kernel_width):
            columns = meet_columns(g, v)
            all = 0
            for n in range(g.batch):
                image = 0
                for i in range(rows.start, rows.stop):
                    h = i * g.row_stride - g.row_padding + u * g.row_dilation
                    x_row, y_row = x + in_x(g, n, x_c, h), y + in_y(g, n, o, i)
                    row = 0
                    for j in range(columns.start, columns.stop):
                        row = row + y_row[j] * x_row[columns.first + j * g.column_stride]
                    image = image + row
                all = all + image
            w[in_w(g, o, c, u) + v] = all


# Where in memory a row begins, in elements: in C order, the last index counts places side by side.

cdef inline Py_ssize_t in_x(const Geometry *g, Py_ssize_t n, Py_ssize_t c, Py_ssize_t h) noexcept nogil:
    """x[n, c, h, 0]"""
    return ((n * g.groups * g.channels + c) * g.height + h) * g.width


cdef inline Py_ssize_t in_y(const Geometry *g, Py_ssize_t n, Py_ssize_t o, Py_ssize_t i) noexcept nogil:
    """y[n, o, i, 0]"""
    return ((n * g.groups * g.out_channels + o) * g.out_height + i) * g.out_width


cdef inline Py_ssize_t in_w(const Geometry *g, Py_ssize_t o, Py_ssize_t c, Py_ssize_t u) noexcept nogil:
    """w[o, c, u, 0]"""
    return ((o * g.channels + c) * g.kernel_height + u) * g.kernel_width


cdef inline Run meet_rows(const Geometry *g, Py_ssize_t u) noexcept nogil:
    """The rows i of y that meet at tap row u a row of x."""
    return meet(u * g.row_dilation - g.row_padding, g.row_stride, g.height, 0, g.out_height)


cdef inline Run meet_columns(const Geometry *g, Py_ssize_t v) noexcept nogil:
    """The columns j of y that meet at tap column v a column of x."""
    return meet(v * g.column_dilation - g.column_padding, g.column_stride, g.width, 0, g.out_width)
