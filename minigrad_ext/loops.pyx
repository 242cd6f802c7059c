# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The first rung: the three convolutions as plain loops. They say what the faster rungs must compute.

All three are partial derivatives of one trilinear form (minigrad/backends/base.py explains it):

    T = sum over n, o, c, i, j, u, v of  y[n,o,i,j] * x[n,c,h,k] * w[o,c,u,v],
    h = i * stride - padding + u * dilation,  k = j * stride - padding + v * dilation.

The innermost loop runs along a row, j of y and k of x, over memory that lies side by side: without strides, a compiler makes vectors
of it. Outside the image nothing is multiplied: `meet` (geometry.pxd) computes for which i and j a tap falls inside, and
the loops begin and end there.

Every rung returns whether its result is right; this one always is.

Each thread has planes of the result for itself, (n, o), (n, c) or (o, c), so nobody waits for anybody, and each number is summed
in an order of its own: it has the same bits for any number of threads.
"""

from cython.parallel cimport prange

from minigrad_ext.geometry cimport Geometry, Run, meet, settle, team
from minigrad_ext.instructions cimport real


def conv2d(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] w, real[:, :, :, ::1] y, geometry, int threads, int set
):
    """y[n,o,i,j] = sum over c, u, v of x[n,c,h,k] * w[o,c,u,v]"""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    cdef Py_ssize_t plane, planes = y.shape[0] * y.shape[1]
    y[:, :, :, :] = 0
    for plane in prange(planes, nogil=True, schedule="static", num_threads=team(&g, threads)):
        conv2d_plane(x, w, y, &g, plane // y.shape[1], plane % y.shape[1])
    return True


cdef inline void conv2d_plane(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] w, real[:, :, :, ::1] y, const Geometry *g,
    Py_ssize_t n, Py_ssize_t o,
) noexcept nogil:
    cdef Py_ssize_t c, i, j, h, u, v, x_c = o // g.out_channels * g.channels
    cdef Run rows, columns
    for c in range(g.channels):
        for u in range(g.kernel_height):
            rows = meet_rows(g, u)
            for v in range(g.kernel_width):
                columns = meet_columns(g, v)
                for i in range(rows.start, rows.stop):
                    h = i * g.row_stride - g.row_padding + u * g.row_dilation
                    for j in range(columns.start, columns.stop):
                        y[n, o, i, j] += w[o, c, u, v] * x[n, x_c + c, h, columns.first + j * g.column_stride]


def conv2d_input_grad(
    const real[:, :, :, ::1] y, const real[:, :, :, ::1] w, real[:, :, :, ::1] x, geometry, int threads, int set
):
    """x[n,c,h,k] = sum over o, i, j, u, v that meet (h, k) of y[n,o,i,j] * w[o,c,u,v]"""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    cdef Py_ssize_t plane, planes = x.shape[0] * x.shape[1]
    x[:, :, :, :] = 0
    for plane in prange(planes, nogil=True, schedule="static", num_threads=team(&g, threads)):
        input_grad_plane(y, w, x, &g, plane // x.shape[1], plane % x.shape[1])
    return True


cdef inline void input_grad_plane(
    const real[:, :, :, ::1] y, const real[:, :, :, ::1] w, real[:, :, :, ::1] x, const Geometry *g,
    Py_ssize_t n, Py_ssize_t x_c,
) noexcept nogil:
    cdef Py_ssize_t o, i, j, h, u, v, c = x_c % g.channels, first = x_c // g.channels * g.out_channels
    cdef Run rows, columns
    for o in range(first, first + g.out_channels):
        for u in range(g.kernel_height):
            rows = meet_rows(g, u)
            for v in range(g.kernel_width):
                columns = meet_columns(g, v)
                for i in range(rows.start, rows.stop):
                    h = i * g.row_stride - g.row_padding + u * g.row_dilation
                    for j in range(columns.start, columns.stop):
                        x[n, x_c, h, columns.first + j * g.column_stride] += w[o, c, u, v] * y[n, o, i, j]


def conv2d_weight_grad(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] y, real[:, :, :, ::1] w, geometry, int threads, int set
):
    """w[o,c,u,v] = sum over n, i, j of x[n,c,h,k] * y[n,o,i,j]"""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    cdef Py_ssize_t plane, planes = w.shape[0] * w.shape[1]
    for plane in prange(planes, nogil=True, schedule="static", num_threads=team(&g, threads)):
        weight_grad_plane(x, y, w, &g, plane // w.shape[1], plane % w.shape[1])
    return True


cdef inline void weight_grad_plane(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] y, real[:, :, :, ::1] w, const Geometry *g,
    Py_ssize_t o, Py_ssize_t c,
) noexcept nogil:
    cdef Py_ssize_t n, i, j, h, u, v, x_c = o // g.out_channels * g.channels + c
    cdef Run rows, columns
    cdef real image, row  # long sums are more accurate in parts
    for u in range(g.kernel_height):
        rows = meet_rows(g, u)
        for v in range(g.kernel_width):
            columns = meet_columns(g, v)
            w[o, c, u, v] = 0
            for n in range(g.batch):
                image = 0
                for i in range(rows.start, rows.stop):
                    h = i * g.row_stride - g.row_padding + u * g.row_dilation
                    row = 0
                    for j in range(columns.start, columns.stop):
                        row = row + y[n, o, i, j] * x[n, x_c, h, columns.first + j * g.column_stride]
                    image = image + row
                w[o, c, u, v] += image


cdef inline Run meet_rows(const Geometry *g, Py_ssize_t u) noexcept nogil:
    """The rows i of y that meet at tap row u a row of x."""
    return meet(u * g.row_dilation - g.row_padding, g.row_stride, g.height, 0, g.out_height)


cdef inline Run meet_columns(const Geometry *g, Py_ssize_t v) noexcept nogil:
    """The columns j of y that meet at tap column v a column of x."""
    return meet(v * g.column_dilation - g.column_padding, g.column_stride, g.width, 0, g.out_width)
