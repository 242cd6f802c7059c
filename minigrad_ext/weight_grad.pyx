# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The weight gradient of the direct rung: the same tile with other letters.

    w[o,c,u,v] = sum over n, i, j of x[n,c,h,k] * y[n,o,i,j]

The rows of a tile are output channels o, the terms of its sum are the places (i, j) of y, and its columns are what a
place meets in x, (u, v, c). For that x is copied with channels last: then a row (v, c) of the kernel, or c alone if it
is dilated, lies side by side, as a *piece*. It is done in bands that stay in the second-level cache. The columns are
cut into blocks; what TERMS places meet in a block is copied into a panel, which stays in the first-level cache while
all units pass over it. Where there are few units the copy does not pay: then tiles read x itself, a block is cut from
one piece, and a table says where each place begins. Sums stay in a tile for TERMS places, and go to memory between
them, which makes long sums the more accurate.

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
    BAND = 1 << 18         # bytes of what is laid out at a time, about
    FEW_UNITS = 4          # units of outs for which it does not pay to copy what places meet


cdef struct Parts:
    Py_ssize_t unit, units                     # outs in the rows of a tile; such units of outs, per group
    Py_ssize_t pieces, piece                   # of what a place meets: how many, of how many numbers
    bint packed                                # panels are made
    Py_ssize_t runs, run, blocks               # columns: so many runs of so many numbers, in so many blocks each
    Py_ssize_t rows, height                    # of y in a band, and of x that they meet
    Py_ssize_t width, places                   # of x, and of a band of y
    Py_ssize_t size                            # numbers of a band of x as it is laid out


cdef void lay_out_row(
    const Geometry *g, const Parts *p, const real *x, Py_ssize_t h, real *row, int set
) noexcept nogil:
    """Row h of an image and its border, with channels last: an array (width, channels), 0 beyond the border."""
    cdef Py_ssize_t start = min(p.width, g.column_padding), stop
    stop = max(start, min(p.width, g.width + g.column_padding))
    if not 0 <= h - g.row_padding < g.height:
        stop = start = p.width
    memset(row, 0, start * g.channels * sizeof(real))
    memset(row + stop * g.channels, 0, (p.width - stop) * g.channels * sizeof(real))
    if start < stop:
        transpose(
            set, row + start * g.channels, g.channels, x + (h - g.row_padding) * g.width + start - g.column_padding,
            g.height * g.width, g.channels, stop - start,
        )


cdef inline Py_ssize_t piece_offset(const Geometry *g, const Parts *p, Py_ssize_t piece) noexcept nogil:
    """Where a piece begins in x with channels last, for place (0, 0)."""
    if p.piece == g.channels:  # one for each tap
        return g.channels * (
            piece // g.kernel_width * g.row_dilation * p.width + piece % g.kernel_width * g.column_dilation
        )
    return piece * g.row_dilation * p.width * g.channels


cdef inline Py_ssize_t block_start(const Parts *p, Py_ssize_t block) noexcept nogil:
    """The first column of a block: whole vectors, the same number for each block as far as possible."""
    return min(p.run, block * ((p.run + LANES - 1) // LANES) // p.blocks * LANES)


cdef void pack_places(
    const Geometry *g, const Parts *p, const real *image, Py_ssize_t place, Py_ssize_t last_place, Py_ssize_t start,
    Py_ssize_t stop, real *panel, int set,
) noexcept nogil:
    """What some places meet in the columns start ... stop - 1: an array (places, COLUMNS)."""
    cdef Py_ssize_t count, column, at, size, j
    cdef const real *row
    while place < last_place:
        j = place % g.out_width
        count = min(g.out_width - j, last_place - place)
        row = image + (place // g.out_width * g.row_stride * p.width + j * g.column_stride) * g.channels
        column = start
        while column < stop:
            at = column % p.piece
            size = min(p.piece - at, stop - column)
            copy(
                set, panel + column - start, COLUMNS, row + piece_offset(g, p, column // p.piece) + at,
                g.column_stride * g.channels, count, size,
            )
            column += size
        panel += count * COLUMNS
        place += count


cdef void add_products(
    const Geometry *g, const Parts *p, const real *image, const real *y, const Py_ssize_t *offset,
    const Py_ssize_t *count, const Py_ssize_t *panel_offset, real *panel, real *sums, Py_ssize_t block, Py_ssize_t first_unit,
    Py_ssize_t last_unit, bint fresh, int set,
) noexcept nogil:
    """sums[o, ...] += what one group of one image contributes to a block of columns, for some units of o"""
    cdef Py_ssize_t start = block_start(p, block % p.blocks), stop = block_start(p, block % p.blocks + 1)
    cdef Py_ssize_t place = 0, u, size, out_plane = g.out_height * g.out_width
    cdef const real *columns = panel
    if not p.packed:
        columns = image + piece_offset(g, p, block // p.blocks) + start
    for u in range(TERMS if p.packed and (stop - start) % LANES else 0):  # what may lie there may be slow to add
        memset(panel + u * COLUMNS + stop - start, 0, (COLUMNS - stop + start) * sizeof(real))
    while place < p.places:
        size = min(TERMS, p.places - place)
        if p.packed:
            pack_places(g, p, image, place, place + size, start, stop, panel, set)
        for u in range(first_unit, last_unit):
            tile(
                set, y + u * p.unit * out_plane + place, count, out_plane, columns,
                panel_offset if p.packed else offset + place, size, sums + u * p.unit * COLUMNS, COLUMNS,
                min(p.unit, g.out_channels - u * p.unit), stop - start, fresh and place == 0,
            )
        place += size


cdef void finish(const Geometry *g, const Parts *p, const real *sums, Py_ssize_t o, real *w) noexcept nogil:
    """The weights of output channel o of a group: channels are to come first again."""
    cdef Py_ssize_t taps = g.kernel_height * g.kernel_width, block, column, stop, at, c, tap
    cdef const real *from_
    for block in range(p.runs * p.blocks):
        column, stop = block_start(p, block % p.blocks), block_start(p, block % p.blocks + 1)
        from_ = sums + (block * p.units * p.unit + o) * COLUMNS
        while column < stop:
            at = column if p.packed else block // p.blocks * p.piece + column   # in the order (u, v, c)
            c = at % g.channels
            tap = at // g.channels
            for c in range(c, min(g.channels, c + stop - column)):
                w[c * taps + tap] = from_[0]
                from_ += 1
                column += 1


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


cdef void fit_band(const Geometry *g, Parts *p) noexcept:
    """The sizes that follow from the rows of a band."""
    p.places = p.rows * g.out_width
    p.height = (p.rows - 1) * g.row_stride + (g.kernel_height - 1) * g.row_dilation + 1
    p.size = p.height * p.width * g.channels


cdef int broad_weight_grad(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] y, real[:, :, :, ::1] w, const Geometry *g, int threads,
    int set,
) except -1:
    cdef Parts p
    cdef Py_ssize_t taps = g.kernel_height * g.kernel_width, images, first, row, n, item, i, parts, block, blocks, band
    p.unit = tile_rows(set)
    p.units = (g.out_channels + p.unit - 1) // p.unit
    p.piece = g.channels if g.column_dilation > 1 else g.kernel_width * g.channels
    p.pieces = taps if g.column_dilation > 1 else g.kernel_height
    p.packed = p.units > FEW_UNITS
    p.runs = 1 if p.packed else p.pieces
    p.run = p.pieces * p.piece if p.packed else p.piece
    p.blocks = (p.run + COLUMNS - 1) // COLUMNS
    blocks = g.groups * p.runs * p.blocks
    p.width = (g.out_width - 1) * g.column_stride + (g.kernel_width - 1) * g.column_dilation + 1
    # Some images, or a band of rows of one, that stay in the second-level cache; but enough places for a long sum.
    n = g.groups * (p.width * g.channels * g.row_stride + g.out_width * p.units * p.unit) * <Py_ssize_t>sizeof(real)
    p.rows = max(BAND // max(1, n), (TERMS + g.out_width - 1) // g.out_width)
    images = max(1, min(g.batch, p.rows // g.out_height))
    n = (g.out_height + p.rows - 1) // p.rows
    p.rows = band = (g.out_height + n - 1) // n
    fit_band(g, &p)
    # Few blocks: their units are shared out as well, though each part then packs the panel anew.
    parts = 1 if threads == 1 else max(1, min(
        p.units // FEW_UNITS if p.packed else p.units, (4 * threads + blocks - 1) // blocks))
    dtype = np.dtype(np.float32 if real is float else np.float64)
    cdef real[::1] laid = empty((images * g.groups * p.size + COLUMNS,), dtype)
    cdef real[::1] sums = empty((blocks * p.units * p.unit * COLUMNS,), dtype)
    cdef real[::1] panels = empty((threads * TERMS * COLUMNS,), dtype)
    cdef Py_ssize_t[::1] offset = np.empty(p.places, np.intp)
    cdef Py_ssize_t[::1] count = np.arange(TERMS, dtype=np.intp)
    cdef Py_ssize_t[::1] panel_offset = np.arange(0, TERMS * COLUMNS, COLUMNS, np.intp)
    for i in range(p.places):
        offset[i] = (i // g.out_width * g.row_stride * p.width + i % g.out_width * g.column_stride) * g.channels
    memset(&laid[images * g.groups * p.size], 0, COLUMNS * sizeof(real))
    first = row = 0
    while first < g.batch:
        images = min(images, g.batch - first)
        p.rows = min(band, g.out_height - row)
        fit_band(g, &p)
        for item in prange(images * g.groups * p.height, nogil=True, schedule="static", num_threads=threads):
            n = item // p.height
            lay_out_row(
                g, &p, &x[first + n // g.groups, n % g.groups * g.channels, 0, 0], row * g.row_stride + item % p.height,
                &laid[item * p.width * g.channels], set,
            )
        for item in prange(blocks * parts, nogil=True, schedule="dynamic", num_threads=threads):
            block = item // parts
            for i in range(images):
                n = block // (p.runs * p.blocks)
                add_products(
                    g, &p, &laid[(i * g.groups + n) * p.size], &y[first + i, n * g.out_channels, row, 0], &offset[0],
                    &count[0], &panel_offset[0], &panels[threadid() * TERMS * COLUMNS],
                    &sums[block * p.units * p.unit * COLUMNS],
                    block % (p.runs * p.blocks), item % parts * p.units // parts,
                    (item % parts + 1) * p.units // parts, first + i + row == 0, set,
                )
        row += p.rows
        if row == g.out_height:
            first += images
            row = 0
    for item in prange(g.groups * g.out_channels, nogil=True, schedule="static", num_threads=threads):
        finish(
            g, &p, &sums[item // g.out_channels * p.runs * p.blocks * p.units * p.unit * COLUMNS],
            item % g.out_channels, &w[item, 0, 0, 0],
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
    forward(g, &m, &table[0], set, 0)
    size = (m.grid_height * m.pitch + LANES - 1) // LANES * LANES
    image = layout_size(&m)
    images = max(1, min(m.batch, WORKSPACE // <Py_ssize_t>sizeof(real) // max(1, image)))
    dtype = np.dtype(np.float32 if real is float else np.float64)
    cdef real[::1] laid = np.zeros(images * image + m.pitch + SLACK, dtype)
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
