# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The rung for many small groups, such as those of a depthwise convolution: a vector holds one pixel of many groups.

Groups do not see each other. So what the loops do with a number they can do with a vector of numbers, one of each
group: no lane stays empty for want of channels, and no vector begins in the middle of another.

    out[n, m, i, j] = sum over c, u, v of  w[m, c, u, v] * source[n, c, row, column]      (each a vector of groups)

*Layout.* Some rows of the image, as many as a cache likes, are transposed: an array (channels, rows, columns, lanes),
with a border of zeros. After that a tap (c, u, v) is a distance in memory. The result is an array (rows, columns,
lanes), and transposed back.

The two maps that make an image are one correlation. For conv2d, place q of an axis, row or column, sees pixel
q * stride + u * dilation - padding of the source. For the input gradient with a stride s, pixels of x fall into s
kinds, by h mod s: pixel h = a + q * s meets tap u in (h + padding - u * dilation) / s of y, which is
q + (a + padding - u * dilation) / s, if that is a whole number.

The weight gradient multiplies the same layout of x with y, transposed, and sums in the registers of the weights.

*Threads* share images, blocks of groups and strips of rows. Weights are summed by some images at a time, and these sums
in the end: how many depends on the shapes alone, and so no bit depends on the number of threads.
"""

import numpy as np

from minigrad_ext.pool import FLOATS, empty

from cython.parallel cimport prange, threadid
from libc.string cimport memcpy, memset

from minigrad_ext.geometry cimport Geometry, Run, divide, meet, settle, team
from minigrad_ext.instructions cimport finite, lanes, lanewise, lanewise_dots, real, transpose

cdef enum:
    STRIP = 128 * 1024     # bytes that a thread works on at a time, about
    SHARES = 16            # of the images and blocks of groups, that sum weights for themselves, about


cdef struct Axis:          # rows, or columns, of a correlation
    Py_ssize_t source, out       # how many there are
    Py_ssize_t kinds             # of out
    Py_ssize_t places            # of the first kind, which has most
    Py_ssize_t step              # from place to place of a kind, in the source
    Py_ssize_t first, reach      # of the source: what place 0 sees of it begins there, and is so long
    Py_ssize_t stride, padding, dilation, taps
    bint back                    # the input gradient


cdef struct Plan:
    Py_ssize_t batch, groups, channels, outs      # channels and outs per group
    Axis row, column
    Py_ssize_t w_group, w_out, w_channel          # distances in w
    Py_ssize_t terms                              # of all kinds together
    Py_ssize_t *offset                            # of each term: where in the layout it begins, for place (0, 0),
    Py_ssize_t *weight                            # and where in w it is
    Py_ssize_t *begin                             # of each kind of places, and of one more: the first of its terms
    Py_ssize_t lanes, blocks                      # groups in a vector; vectors for all groups
    Py_ssize_t depth, pitch                       # rows and columns of the layout
    Py_ssize_t rows, strips                       # places of a strip, in the direction of rows; strips of an image
    int set


# --- planning ------------------------------------------------------------------------------------------------

cdef inline bint sees(const Axis *a, Py_ssize_t kind, Py_ssize_t tap, Py_ssize_t *position) noexcept nogil:
    """Whether the first place of a kind sees anything by a tap; and where in the source that is."""
    cdef Py_ssize_t at = tap * a.dilation - a.padding
    if not a.back:
        position[0] = at
        return True
    position[0] = (kind - at) // a.stride
    return (kind - at) % a.stride == 0


cdef Axis axis(
    Py_ssize_t x, Py_ssize_t y, Py_ssize_t taps, Py_ssize_t stride, Py_ssize_t padding, Py_ssize_t dilation, bint back
) noexcept nogil:
    cdef Axis a
    cdef Py_ssize_t kind, tap, at, last = 0
    cdef bint found = False
    a.stride, a.padding, a.dilation, a.taps, a.back = stride, padding, dilation, taps, back
    a.source, a.out = y if back else x, x if back else y
    a.kinds = min(stride, x) if back else 1
    a.places = divide(a.out, a.kinds)
    a.step = 1 if back or a.places == 1 else stride  # of a single place there is none, however far it would be
    a.first = 0
    for kind in range(a.kinds):
        for tap in range(taps):
            if sees(&a, kind, tap, &at):
                a.first = min(at, a.first) if found else at
                last = max(at, last) if found else at
                found = True
    a.reach = last - a.first + 1
    return a


cdef int plan(
    const Geometry *g, Plan *p, Py_ssize_t[::1] table, bint back, Py_ssize_t lanes, int set, int threads,
    Py_ssize_t size,
) except -1:
    """`table` has room for two numbers for each weight of a group, and one for each kind of places; `size` is that of a
    number."""
    cdef Py_ssize_t taps = g.kernel_height * g.kernel_width, most = g.channels * taps, fixed, each
    cdef Py_ssize_t a, b, c, u, v, h, k
    if back:
        p.channels, p.outs, p.w_out, p.w_channel = g.out_channels, g.channels, taps, g.channels * taps
        most = g.out_channels * taps
    else:
        p.channels, p.outs, p.w_out, p.w_channel = g.channels, g.out_channels, g.channels * taps, taps
    p.batch, p.groups, p.w_group, p.set = g.batch, g.groups, g.out_channels * g.channels * taps, set
    p.row = axis(g.height, g.out_height, g.kernel_height, g.row_stride, g.row_padding, g.row_dilation, back)
    p.column = axis(g.width, g.out_width, g.kernel_width, g.column_stride, g.column_padding, g.column_dilation, back)
    p.lanes, p.blocks = lanes, divide(g.groups, lanes)
    p.pitch = (p.column.places - 1) * p.column.step + p.column.reach
    if <double>max(p.row.reach, p.row.step) * (p.pitch + p.column.source) * p.channels * lanes > 1e14:
        raise MemoryError(f"convolution: padding and dilation spread one row over {<double>p.pitch:.0e} numbers.")
    # Strips: as large as a cache likes, and small enough that all threads have some.
    fixed = p.channels * p.row.reach * p.pitch
    each = p.row.step * (p.channels * p.pitch + p.column.source) + p.row.kinds * p.column.out
    p.rows = max(1, (STRIP // (size * lanes) - fixed) // each)
    p.rows = max(1, min(p.rows, divide(p.row.places, divide(4 * threads, p.batch * p.blocks))))
    p.strips = divide(p.row.places, p.rows)
    p.rows = divide(p.row.places, p.strips)
    p.depth = (p.rows - 1) * p.row.step + p.row.reach
    p.offset, p.weight, p.begin, p.terms = &table[0], &table[most], &table[2 * most], 0
    for a in range(p.row.kinds):
        for b in range(p.column.kinds):
            p.begin[a * p.column.kinds + b] = p.terms
            for c in range(p.channels):
                for u in range(p.row.taps):
                    for v in range(p.column.taps):
                        if sees(&p.row, a, u, &h) and sees(&p.column, b, v, &k):
                            p.offset[p.terms] = (
                                (c * p.depth + h - p.row.first) * p.pitch + k - p.column.first
                            ) * lanes
                            p.weight[p.terms] = c * p.w_channel + u * p.column.taps + v
                            p.terms += 1
    p.begin[p.row.kinds * p.column.kinds] = p.terms
    return 0


cdef inline Py_ssize_t table_size(const Geometry *g, bint back) noexcept nogil:
    cdef Py_ssize_t weights = max(g.channels, g.out_channels) * g.kernel_height * g.kernel_width
    return 2 * weights + (min(g.row_stride, g.height) * min(g.column_stride, g.width) if back else 1) + 1


# --- layout --------------------------------------------------------------------------------------------------

cdef inline Py_ssize_t layout_size(const Plan *p) noexcept nogil:
    return p.channels * p.depth * p.pitch * p.lanes


cdef inline Py_ssize_t dense_size(const Plan *p) noexcept nogil:
    return p.depth * p.column.source * p.lanes


cdef void lay_out(
    const Plan *p, const real *source, Py_ssize_t n, Py_ssize_t block, Py_ssize_t first, Py_ssize_t depth,
    real *layout, real *dense,
) noexcept nogil:
    """So many rows of image n as taps see them, of a block of groups; the columns of the border are zero already."""
    cdef Py_ssize_t groups = min(p.lanes, p.groups - block * p.lanes), c, r
    cdef Py_ssize_t image = p.row.source * p.column.source, row = p.pitch * p.lanes
    cdef Run rows = meet(p.row.first + first, 1, p.row.source, 0, depth)
    cdef Run columns = meet(p.column.first, 1, p.column.source, 0, p.pitch)
    if rows.start == rows.stop or columns.start == columns.stop:  # nothing of the image
        memset(layout, 0, layout_size(p) * sizeof(real))
        return
    source += (n * p.groups + block * p.lanes) * p.channels * image + (rows.first + rows.start) * p.column.source
    for c in range(p.channels):
        memset(layout, 0, rows.start * row * sizeof(real))
        memset(layout + rows.stop * row, 0, (depth - rows.stop) * row * sizeof(real))
        transpose(
            p.set, dense, p.lanes, source, p.channels * image, groups, (rows.stop - rows.start) * p.column.source
        )
        for r in range(rows.stop - rows.start):
            memcpy(
                layout + (rows.start + r) * row + columns.start * p.lanes,
                dense + (r * p.column.source + columns.first + columns.start) * p.lanes,
                (columns.stop - columns.start) * p.lanes * sizeof(real),
            )
        source += image
        layout += p.depth * row


# --- the two maps that are correlations ----------------------------------------------------------------------

cdef void pack(const Plan *p, const real *w, real *packed, Py_ssize_t block) noexcept nogil:
    """The weights of a block of groups as an array (outs, terms, lanes)."""
    cdef Py_ssize_t groups = min(p.lanes, p.groups - block * p.lanes), o, k, lane
    packed += block * p.outs * p.terms * p.lanes
    w += block * p.lanes * p.w_group
    for o in range(p.outs):
        for k in range(p.terms):
            for lane in range(groups):
                packed[lane] = w[lane * p.w_group + o * p.w_out + p.weight[k]]
            for lane in range(groups, p.lanes):
                packed[lane] = 0
            packed += p.lanes


cdef void one_strip(
    const Plan *p, const real *source, const real *packed, real *out, Py_ssize_t n, Py_ssize_t block,
    Py_ssize_t strip, real *layout,
) noexcept nogil:
    """The result for one strip of one image, for a block of groups."""
    cdef Py_ssize_t first = strip * p.rows, rows = min(p.rows, p.row.places - first), o, a, b, q
    cdef Py_ssize_t groups = min(p.lanes, p.groups - block * p.lanes), plane = p.row.out * p.column.out
    cdef Py_ssize_t top = first * p.row.kinds, height = min(rows * p.row.kinds, p.row.out - top)
    cdef const Py_ssize_t *begin
    cdef real *dense = layout + layout_size(p)
    cdef real *result = dense + dense_size(p)
    lay_out(p, source, n, block, first * p.row.step, (rows - 1) * p.row.step + p.row.reach, layout, dense)
    out += ((n * p.groups + block * p.lanes) * p.outs * p.row.out + top) * p.column.out
    for o in range(p.outs):
        for a in range(p.row.kinds):
            for b in range(p.column.kinds):
                begin = p.begin + a * p.column.kinds + b
                for q in range(divide(height - a, p.row.kinds)):
                    lanewise(
                        p.set, packed + ((block * p.outs + o) * p.terms + begin[0]) * p.lanes,
                        layout + q * p.row.step * p.pitch * p.lanes, p.offset + begin[0], begin[1] - begin[0],
                        p.column.step, result + ((q * p.row.kinds + a) * p.column.out + b) * p.lanes,
                        p.column.kinds, divide(p.column.out - b, p.column.kinds),
                    )
        transpose(p.set, out + o * plane, p.outs * plane, result, p.lanes, height * p.column.out, groups)


cdef bint correlate(
    const Geometry *g, bint back, const real *source, const real *w, real *out, int threads, int set
) except? False:
    """Returns whether the result is right: a weight that is not finite makes a NaN of the border's zeros."""
    cdef Plan p
    cdef Py_ssize_t item, image, private, weights = g.groups * g.out_channels * g.channels
    weights *= g.kernel_height * g.kernel_width
    cdef Py_ssize_t[::1] table = np.empty(table_size(g, back), np.intp)
    plan(g, &p, table, back, lanes(set, w), set, threads, sizeof(real))
    private = layout_size(&p) + dense_size(&p) + p.rows * p.row.kinds * p.column.out * p.lanes
    cdef real[::1] packed = empty((max(1, p.blocks * p.outs * p.terms * p.lanes),), FLOATS[sizeof(real)])
    cdef real[::1] scratch = empty((threads * private,), FLOATS[sizeof(real)])
    for item in prange(threads, nogil=True, schedule="static", num_threads=threads):
        memset(&scratch[item * private], 0, private * sizeof(real))
        for image in range(item * p.blocks // threads, (item + 1) * p.blocks // threads):
            pack(&p, w, &packed[0], image)
    for item in prange(p.batch * p.blocks * p.strips, nogil=True, schedule="guided", num_threads=threads):
        image = item // p.strips
        one_strip(
            &p, source, &packed[0], out, image // p.blocks, image % p.blocks, item % p.strips,
            &scratch[threadid() * private],
        )
    return finite(set, w, weights)


def conv2d(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] w, real[:, :, :, ::1] y, geometry, int threads, int set
):
    """y = conv2d(x, w); returns whether it is right (see `correlate`)"""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    if y.size == 0:
        return True
    return correlate(&g, False, &x[0, 0, 0, 0], &w[0, 0, 0, 0], &y[0, 0, 0, 0], team(&g, threads), set)


def conv2d_input_grad(
    const real[:, :, :, ::1] y, const real[:, :, :, ::1] w, real[:, :, :, ::1] x, geometry, int threads, int set
):
    """x = conv2d_input_grad(y, w); returns whether it is right (see `correlate`)"""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    if x.size == 0:
        return True
    return correlate(&g, True, &y[0, 0, 0, 0], &w[0, 0, 0, 0], &x[0, 0, 0, 0], team(&g, threads), set)


# --- the weight gradient -------------------------------------------------------------------------------------

cdef void add_strips(
    const Plan *p, const real *x, const real *y, real *sums, Py_ssize_t n, Py_ssize_t block, real *layout
) noexcept nogil:
    """sums[o, c, u, v] += what image n contributes, for a block of groups"""
    cdef Py_ssize_t groups = min(p.lanes, p.groups - block * p.lanes), plane = p.row.out * p.column.out
    cdef Py_ssize_t strip, first, rows, o, i
    cdef real *dense = layout + layout_size(p)
    y += (n * p.groups + block * p.lanes) * p.outs * plane
    for strip in range(p.strips):
        first, rows = strip * p.rows, min(p.rows, p.row.places - strip * p.rows)
        lay_out(p, x, n, block, first * p.row.step, (rows - 1) * p.row.step + p.row.reach, layout, dense)
        for o in range(p.outs):
            transpose(
                p.set, dense, p.lanes, y + o * plane + first * p.column.out, p.outs * plane, groups,
                rows * p.column.out,
            )
            for i in range(rows):
                lanewise_dots(
                    p.set, dense + i * p.column.out * p.lanes, layout + i * p.row.step * p.pitch * p.lanes, p.offset,
                    p.terms, p.column.step, p.column.out, sums + o * p.terms * p.lanes,
                )


def conv2d_weight_grad(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] y, real[:, :, :, ::1] w, geometry, int threads, int set
):
    """w = conv2d_weight_grad(x, y); returns whether it is right: a NaN may come of zeros of the border"""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    cdef Plan p
    cdef Py_ssize_t[::1] table = np.empty(table_size(&g, False), np.intp)
    cdef Py_ssize_t item, block, share, shares, n, k, size, private, groups
    if w.size == 0:
        return True
    if y.size == 0 or x.size == 0:
        w[:, :, :, :] = 0
        return True
    threads = team(&g, threads)
    plan(&g, &p, table, False, lanes(set, &w[0, 0, 0, 0]), set, 1, sizeof(real))
    shares = min(p.batch, divide(SHARES, p.blocks))
    size = p.outs * p.terms * p.lanes
    private = layout_size(&p) + max(dense_size(&p), p.rows * p.column.out * p.lanes)
    cdef real[::1] sums = empty((p.blocks * shares * size,), FLOATS[sizeof(real)])
    cdef real[::1] scratch = empty((threads * private,), FLOATS[sizeof(real)])
    for item in prange(threads, nogil=True, schedule="static", num_threads=threads):
        memset(&scratch[item * private], 0, private * sizeof(real))
    for item in prange(p.blocks * shares, nogil=True, schedule="dynamic", num_threads=threads):
        share = item % shares
        memset(&sums[item * size], 0, size * sizeof(real))
        for n in range(share * p.batch // shares, (share + 1) * p.batch // shares):
            add_strips(
                &p, &x[0, 0, 0, 0], &y[0, 0, 0, 0], &sums[item * size], n, item // shares,
                &scratch[threadid() * private],
            )
    for block in prange(p.blocks, nogil=True, schedule="static", num_threads=threads):
        groups = min(p.lanes, p.groups - block * p.lanes)
        for share in range(1, shares):
            for k in range(size):
                sums[block * shares * size + k] += sums[(block * shares + share) * size + k]
        for k in range(p.outs):
            transpose(
                set, &w[(block * p.lanes * p.outs + k), 0, 0, 0], p.outs * p.terms,
                &sums[block * shares * size + k * p.terms * p.lanes], p.lanes, p.terms, groups,
            )
    return finite(set, &w[0, 0, 0, 0], w.shape[0] * w.shape[1] * w.shape[2] * w.shape[3])
