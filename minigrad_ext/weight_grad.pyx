# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The weight gradient of the direct rung: the same tile with other letters.

    w[o,c,u,v] = sum over n, i, j of x[n,c,h,k] * y[n,o,i,j]

The rows of a tile are output channels o, the terms of its sum are the places (i, j) of y, and its columns are channels
c of x, or, as these are neighbours as well, (v, c) for a whole row of the kernel. For that x is copied with channels
last, and y in groups of eight channels; a table says where in x each place of y begins. Sums stay in a tile for TERMS
places, and go to memory between them, which makes long sums the more accurate.

Where there are few channels, in groups of one or in a first layer, they would leave most lanes of a vector empty. Then
the places of y go there: a dot product for each weight.

*Threads* share the parts of w, and each walks the images in order: no sum is shared, and nothing depends on their
number.
"""

import numpy as np

from minigrad_ext.pool import empty

from cython.parallel cimport prange, threadid
from libc.string cimport memcpy, memset

from minigrad_ext.geometry cimport Geometry, settle, team
from minigrad_ext.instructions cimport copy, dot, finite, real, tile, tile_rows, transpose
from minigrad_ext.layout cimport (
    COLUMNS, LANES, SLACK, TERMS, WORKSPACE, Correlation, forward, lay_out, layout_size, table_size
)

cdef enum:
    NARROW = 8             # channels * kernel width for which they do not make a good tile
    PACKED = 4             # units of outs from which on it pays to copy what they meet side by side


cdef struct Parts:
    Py_ssize_t unit, tiles, runs, run, blocks, span  # see conv2d_weight_grad
    Py_ssize_t height, width, image, places    # of x with channels last; numbers per image and group; places of y


cdef void lay_out_x(const Geometry *g, const Parts *p, const real *x, real *image, int set) noexcept nogil:
    """One group of one image with channels last, (height, width, channels): what taps can see, 0 beyond the border."""
    cdef Py_ssize_t h, start = min(p.width, g.column_padding), stop
    stop = max(start, min(p.width, g.width + g.column_padding))
    for h in range(p.height):
        if 0 <= h - g.row_padding < g.height:
            memset(image, 0, start * g.channels * sizeof(real))
            transpose(
                set, image + start * g.channels, g.channels,
                x + (h - g.row_padding) * g.width + start - g.column_padding, g.height * g.width, g.channels,
                stop - start,
            )
            memset(image + stop * g.channels, 0, (p.width - stop) * g.channels * sizeof(real))
        else:
            memset(image, 0, p.width * g.channels * sizeof(real))
        image += p.width * g.channels


cdef void lay_out_y(const Geometry *g, const Parts *p, const real *y, real *rows, int set) noexcept nogil:
    """One group of one image of y as an array (tiles, places, unit)."""
    cdef Py_ssize_t u
    for u in range(p.tiles):
        transpose(
            set, rows, p.unit, y + u * p.unit * p.places, p.places, min(p.unit, g.out_channels - u * p.unit), p.places
        )
        rows += p.places * p.unit


cdef void add_products(
    const Geometry *g, const Parts *p, const real *image, const real *rows, const Py_ssize_t *offset, real *sums,
    Py_ssize_t block, Py_ssize_t first_tile, Py_ssize_t last_tile, bint fresh, const Py_ssize_t *at, real *panel,
    int set,
) noexcept nogil:
    """sums[o, run, ...] += what one group of one image contributes to a block of columns, for some tiles of o"""
    cdef Py_ssize_t run = block // p.blocks, part = block % p.blocks, vectors = p.run // LANES
    cdef Py_ssize_t start = part * vectors // p.blocks * LANES, stop = (part + 1) * vectors // p.blocks * LANES
    cdef Py_ssize_t q, u, k, size
    cdef bint packed = last_tile - first_tile >= PACKED
    if p.span == g.channels:  # a run for each tap
        image += run // g.kernel_width * g.row_dilation * p.width * g.channels
        image += run % g.kernel_width * g.column_dilation * g.channels
    else:  # a run for each row of the kernel
        image += run * g.row_dilation * p.width * g.channels
    image += start
    q = 0
    while q < p.places:
        size = min(TERMS, p.places - q)
        if packed:
            for k in range(size):
                copy(set, panel + k * COLUMNS, 0, image + offset[q + k], 0, 1, stop - start)
        for u in range(first_tile, last_tile):
            tile(
                set, rows + (u * p.places + q) * p.unit,
                panel if packed else image, at if packed else offset + q, size,
                sums + (u * p.unit * p.runs + run) * p.run + start, p.runs * p.run,
                min(p.unit, g.out_channels - u * p.unit), stop - start, fresh and q == 0,
            )
        q += size


def conv2d_weight_grad(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] y, real[:, :, :, ::1] w, geometry, int threads, int set
):
    """w = conv2d_weight_grad(x, y); returns whether it is right: a NaN may come of zeros of the border"""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    cdef bint no_border = g.row_padding == 0 and g.column_padding == 0
    if w.shape[0] * w.shape[1] == 0:
        return True
    if g.batch * g.out_height * g.out_width == 0:
        w[:, :, :, :] = 0
        return True
    threads = team(&g, threads)
    if g.channels * g.kernel_width > NARROW or not narrow_weight_grad(x, y, w, &g, threads, set):
        broad_weight_grad(x, y, w, &g, threads, set)
    return no_border or finite(set, &w[0, 0, 0, 0], w.shape[0] * w.shape[1] * w.shape[2] * w.shape[3])


cdef int broad_weight_grad(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] y, real[:, :, :, ::1] w, const Geometry *g, int threads,
    int set,
) except -1:
    cdef Parts p
    cdef Py_ssize_t images, first, n, item, i, group, parts, block, u
    cdef Py_ssize_t taps = g.kernel_height * g.kernel_width
    cdef real *part
    p.places = g.out_height * g.out_width
    p.unit = tile_rows(set)
    p.tiles = (g.out_channels + p.unit - 1) // p.unit
    # Neighbours in memory that one place of y meets: a whole row of the kernel, unless it is dilated.
    p.span = g.channels if g.column_dilation > 1 else g.kernel_width * g.channels
    p.runs = taps if g.column_dilation > 1 else g.kernel_height
    p.run = (p.span + LANES - 1) // LANES * LANES
    p.blocks = (p.run + COLUMNS - 1) // COLUMNS
    p.height = (g.out_height - 1) * g.row_stride + (g.kernel_height - 1) * g.row_dilation + 1
    p.width = (g.out_width - 1) * g.column_stride + (g.kernel_width - 1) * g.column_dilation + 1
    p.image = p.height * p.width * g.channels
    images = max(1, min(g.batch, WORKSPACE // <Py_ssize_t>sizeof(real) // max(
        1, g.groups * (p.image + p.tiles * p.places * p.unit))))
    parts = max(1, min(p.tiles, (8 * threads + g.groups * p.runs * p.blocks - 1) // (g.groups * p.runs * p.blocks)))
    parts = parts if threads > 1 else 1
    dtype = np.dtype(np.float32 if real is float else np.float64)
    cdef real[::1] laid_x = empty((images * g.groups * p.image + COLUMNS,), dtype)
    cdef real[::1] laid_y = empty((images * g.groups * p.tiles * p.places * p.unit,), dtype)
    cdef real[::1] sums = empty((g.groups * p.tiles * p.unit * p.runs * p.run,), dtype)
    cdef real[::1] panels = empty((threads * TERMS * COLUMNS,), dtype)
    cdef Py_ssize_t[::1] offset = np.empty(p.places, np.intp), at = np.arange(0, TERMS * COLUMNS, COLUMNS, np.intp)
    for i in range(p.places):
        offset[i] = (i // g.out_width * g.row_stride * p.width + i % g.out_width * g.column_stride) * g.channels
    first = 0
    while first < g.batch:
        images = min(images, g.batch - first)
        for item in prange(images * g.groups, nogil=True, schedule="static", num_threads=threads):
            n = first + item // g.groups
            group = item % g.groups
            lay_out_x(g, &p, &x[n, group * g.channels, 0, 0], &laid_x[item * p.image], set)
            lay_out_y(
                g, &p, &y[n, group * g.out_channels, 0, 0], &laid_y[item * p.tiles * p.places * p.unit], set
            )
        for item in prange(
            g.groups * p.runs * p.blocks * parts, nogil=True, schedule="dynamic", num_threads=threads
        ):
            group = item // (p.runs * p.blocks * parts)
            block = item // parts % (p.runs * p.blocks)
            for i in range(images):
                n = i * g.groups + group
                add_products(
                    g, &p, &laid_x[n * p.image], &laid_y[n * p.tiles * p.places * p.unit], &offset[0],
                    &sums[group * p.tiles * p.unit * p.runs * p.run], block, item % parts * p.tiles // parts,
                    (item % parts + 1) * p.tiles // parts, first + i == 0, &at[0],
                    &panels[threadid() * TERMS * COLUMNS], set,
                )
        first += images
    for item in prange(g.groups * g.out_channels, nogil=True, schedule="static", num_threads=threads):
        part = &sums[(item // g.out_channels * p.tiles * p.unit + item % g.out_channels) * p.runs * p.run]
        for u in range(p.runs):  # channels are to come first again
            transpose(
                set, &w[item, 0, 0, 0] + u * (p.span // g.channels), taps, part + u * p.run, g.channels,
                p.span // g.channels, g.channels,
            )
    return 0


cdef void add_dots(
    const Correlation *m, const real *layout, const real *y, real *sums, Py_ssize_t image, Py_ssize_t out,
    Py_ssize_t last_out, const Py_ssize_t *offset, real *rows, Py_ssize_t size,
) noexcept nogil:
    """sums[o, k] += what one group of one image contributes, for some of its outs; `rows` is for a plane of y"""
    cdef Py_ssize_t group = image % m.groups, terms = m.channels * m.rows * m.columns, o
    layout += image * m.channels * m.plane
    for o in range(out, last_out):
        copy(
            m.set, rows, m.pitch, y + (image * m.outs + o) * m.grid_height * m.grid_width, m.grid_width, m.grid_height,
            m.grid_width,
        )
        dot(m.set, rows, layout, offset, terms, size, sums + (group * m.outs + o) * terms)


cdef bint narrow_weight_grad(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] y, real[:, :, :, ::1] w, const Geometry *g, int threads,
    int set,
) except -1:
    """Where channels would leave most lanes of a tile empty, the places of y go there: a dot product for each weight.

    Rows of y are laid out like those of x, with zeros between them. There they meet what taps do not see, which adds
    nothing, unless it is infinite or NaN. Whether that happened shows in the result: False is the answer then, and w is
    not to be used.
    """
    cdef Correlation m
    cdef Py_ssize_t terms = g.channels * g.kernel_height * g.kernel_width, size
    cdef Py_ssize_t parts = max(1, min(g.out_channels, (2 * threads + g.groups - 1) // g.groups)) if threads > 1 else 1
    cdef Py_ssize_t image, images, first = 0, item, i, k, c
    cdef Py_ssize_t[::1] table = np.empty(table_size(g), np.intp)
    cdef Py_ssize_t[::1] offset = np.empty(terms, np.intp)
    forward(g, &m, &table[0], set)
    size = (m.grid_height * m.pitch + LANES - 1) // LANES * LANES
    image = layout_size(&m)
    images = max(1, min(m.batch, WORKSPACE // <Py_ssize_t>sizeof(real) // max(1, image)))
    dtype = np.dtype(np.float32 if real is float else np.float64)
    cdef real[::1] laid = np.zeros(images * image + SLACK, dtype)
    cdef real[::1] rows = np.zeros(threads * size, dtype)
    cdef real[::1] sums = np.zeros(w.shape[0] * terms, dtype)
    for c in range(g.channels):
        for k in range(m.rows * m.columns):
            offset[c * m.rows * m.columns + k] = c * m.plane + m.tap[k]
    while first < m.batch:
        images = min(images, m.batch - first)
        for item in prange(images * m.groups * m.channels, nogil=True, schedule="static", num_threads=threads):
            lay_out(&m, &x[first, 0, 0, 0] + item * m.height * m.width, &laid[item * m.plane])
        for item in prange(m.groups * parts, nogil=True, schedule="static", num_threads=threads):
            for i in range(images):
                add_dots(
                    &m, &laid[0], &y[first, 0, 0, 0], &sums[0], i * m.groups + item // parts,
                    item % parts * m.outs // parts, (item % parts + 1) * m.outs // parts, &offset[0],
                    &rows[threadid() * size], size,
                )
        first += images
    memcpy(&w[0, 0, 0, 0], &sums[0], w.shape[0] * terms * sizeof(real))
    return finite(set, &sums[0], w.shape[0] * terms)
