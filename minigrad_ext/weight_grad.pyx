# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The weight gradient of the direct rung: the same tile with other letters.

    w[o,c,u,v] = sum over n, i, j of x[n,c,h,k] * y[n,o,i,j]

The terms of a tile are places (n, i, j) now, TERMS at a time, one image after the other. Its columns are output
channels again: for that the block of y is transposed, and stays in the first-level cache while all of x that these
places see passes over it. Its rows are channels of x under one tap (u, v): these are a plane apart. Where there are
fewer channels than taps in a row, its rows are these taps.

Sums stay in a tile for TERMS places, and go to memory between them, which makes long sums the more accurate. They are
an array (c, u, v, o), and transposed into w in the end.

Where there are few output channels, they would leave most lanes of a vector empty. Then the places go there: a dot
product for each weight.

*Threads* share the parts of w, and each walks the images in order: no sum is shared, and nothing depends on their
number.
"""

import numpy as np

from minigrad_ext.pool import FLOATS, empty

from cython.parallel cimport prange, threadid
from libc.string cimport memset

from minigrad_ext.geometry cimport Geometry, divide, settle, team
from minigrad_ext.instructions cimport copy, dot, finite, lanes, real, tile, tile_rows, transpose
from minigrad_ext.layout cimport (
    LANES, SLACK, TERMS, WORKSPACE, Correlation, count_terms, find_offsets, first_out, forward, lay_out, layout_size,
    table_size,
)

cdef enum:
    MANY = 16              # pieces, for which it takes little to turn y once more
    LONG = 4096            # places of a dot product, a multiple of LANES: of longer sums the errors grow


cdef struct Pieces:       # of what an out meets in one group, its channels and taps: the rows of a tile
    bint taps             # whether these are taps, the channel and u being the same, or channels under one tap
    Py_ssize_t cuts       # of the channels, or of the taps in a row, into so many
    Py_ssize_t count


def conv2d_weight_grad(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] y, real[:, :, :, ::1] w, geometry, int threads, int set
):
    """w = conv2d_weight_grad(x, y); returns whether it is right: a NaN may come of zeros of the border"""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    cdef bint no_border = g.row_padding == 0 and g.column_padding == 0
    if w.size == 0:
        return True
    if g.batch * g.out_height * g.out_width == 0:
        w[:, :, :, :] = 0
        return True
    threads = team(&g, threads)
    if 4 * g.out_channels >= 3 * lanes(set, &w[0, 0, 0, 0]) or not narrow_weight_grad(x, y, w, &g, threads, set):
        broad_weight_grad(x, y, w, &g, threads, set)
    return no_border or finite(set, &w[0, 0, 0, 0], w.shape[0] * w.shape[1] * w.shape[2] * w.shape[3])


# --- output channels in lanes --------------------------------------------------------------------------------

cdef void turn_places(
    const Correlation *m, const real *y, Py_ssize_t place, Py_ssize_t size, Py_ssize_t out, Py_ssize_t width,
    real *turned, Py_ssize_t *offset,
) noexcept nogil:
    """Some places of y, the first of them in the first image, as an array (places, width), for the outs from `out` on;
    and where in the layout these places are."""
    cdef Py_ssize_t plane = m.grid_height * m.grid_width, outs = min(width, m.outs - out), n = 0, count, k, i, j
    if outs < width:
        memset(turned, 0, size * width * sizeof(real))
    while size > 0:
        count = min(size, plane - place)
        transpose(m.set, turned, width, y + (n * m.groups * m.outs + out) * plane + place, plane, outs, count)
        i, j = place // m.grid_width, place % m.grid_width
        for k in range(count):
            offset[k] = n * m.groups * m.channels * m.plane + i * m.row_step * m.pitch + j * m.column_step
            j += 1
            if j == m.grid_width:
                j = 0
                i += 1
        turned += count * width
        offset += count
        size -= count
        place = 0
        n += 1


cdef inline void add_piece(
    const Correlation *m, const Pieces *p, Py_ssize_t piece, const real *layout, const Py_ssize_t *offset,
    const real *turned, const Py_ssize_t *step, Py_ssize_t places, real *sums, Py_ssize_t width, bint fresh,
) noexcept nogil:
    """sums[c, u, v, o] += what some places contribute, for one piece and `width` outs"""
    cdef Py_ssize_t taps = m.rows * m.columns, cut = piece % p.cuts, c, tap, rows, step_in_x, step_in_w
    piece //= p.cuts
    if p.taps:
        c, tap = piece // m.rows, piece % m.rows * m.columns + cut * m.columns // p.cuts
        rows = (cut + 1) * m.columns // p.cuts - cut * m.columns // p.cuts
        step_in_x, step_in_w = m.tap[min(1, m.columns - 1)] - m.tap[0], 1
    else:
        c, tap = cut * m.channels // p.cuts, piece
        rows = (cut + 1) * m.channels // p.cuts - c
        step_in_x, step_in_w = m.plane, taps
    tile(
        m.set, layout + c * m.plane + m.tap[tap], offset, step_in_x, turned, step, places,
        sums + (c * taps + tap) * m.room, step_in_w * m.room, rows, width, fresh,
    )


cdef Py_ssize_t find_met(
    const Correlation *m, const Pieces *p, Py_ssize_t tap, Py_ssize_t place, Py_ssize_t places,
    const Py_ssize_t *offset, Py_ssize_t width, Py_ssize_t *met, Py_ssize_t *step,
) noexcept nogil:
    """Of some places, the first of them in the first image, those where a tap, or a row of them, meets the image: where
    they are in the layout and among the turned places; returns how many that are."""
    cdef Py_ssize_t i = place // m.grid_width, j = place % m.grid_width, count = 0, k, h, column
    for k in range(places):
        h = m.row[tap if p.taps else tap // m.columns] + i * m.row_stride
        column = 0 if p.taps else m.column[tap % m.columns] + j * m.column_stride
        if 0 <= h < m.height and 0 <= column < m.width:
            met[count], step[count] = offset[k], k * width
            count += 1
        j += 1
        if j == m.grid_width:
            j, i = 0, i + 1 if i + 1 < m.grid_height else 0
    return count


cdef void add_products(
    const Correlation *m, const Pieces *p, const real *layout, const real *y, Py_ssize_t images, Py_ssize_t group,
    Py_ssize_t unit, Py_ssize_t piece, Py_ssize_t last_piece, real *sums, real *turned, bint fresh,
) noexcept nogil:
    """sums[c, u, v, o] += what some images contribute, for some pieces and one tile of outs"""
    cdef Py_ssize_t plane = m.grid_height * m.grid_width, blocks = divide(images * plane, TERMS), k, block, place, size
    cdef Py_ssize_t out = first_out(m, unit), width = first_out(m, unit + 1) - out
    cdef Py_ssize_t tap, before, count
    cdef Py_ssize_t[TERMS] step, offset, met
    cdef const Py_ssize_t *where = &met[0] if m.astray else &offset[0]
    cdef const real *from_
    for k in range(TERMS):
        step[k] = k * width
    for block in range(blocks):
        place = block * images * plane // blocks
        size = (block + 1) * images * plane // blocks - place
        from_ = y + (place // plane * m.groups + group) * m.outs * plane
        turn_places(m, from_, place % plane, size, out, width, turned, offset)
        from_ = layout + (place // plane * m.groups + group) * m.channels * m.plane
        before, count = -1, size
        for k in range(piece, last_piece):
            if m.astray and k // p.cuts != before:  # else all places, as they are
                before = k // p.cuts
                tap = before % m.rows if p.taps else before
                count = find_met(m, p, tap, place % plane, size, offset, width, met, step)
            add_piece(
                m, p, k, from_, where, turned, step, count,
                sums + group * count_terms(m) * m.room + out, width, fresh and block == 0,
            )


cdef int broad_weight_grad(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] y, real[:, :, :, ::1] w, const Geometry *g, int threads,
    int set,
) except -1:
    cdef Correlation m
    cdef Pieces p
    cdef Py_ssize_t[::1] table = np.empty(table_size(g), np.intp)
    cdef Py_ssize_t images, image, first = 0, item, parts = 1, part, unit, terms
    forward(g, &m, &table[0], set, lanes(set, &w[0, 0, 0, 0]))
    terms = count_terms(&m)
    p.taps = m.channels < m.columns
    p.cuts = divide(m.columns if p.taps else m.channels, tile_rows(set, m.unit // m.lanes))
    p.count = p.cuts * (m.channels * m.rows if p.taps else m.rows * m.columns)
    image = layout_size(&m)
    images = m.batch if m.bare else max(1, min(m.batch, WORKSPACE // <Py_ssize_t>sizeof(real) // max(1, image)))
    # Few tiles: their pieces are shared out as well, though each part then turns y anew, which pays for MANY pieces in
    # any case, so that threads need not wait for each other; if pieces are few, tiles are smaller.
    if threads > 1:
        m.tiles = min(m.vectors, max(m.tiles, divide(threads, m.groups * p.count)))
        parts = min(divide(2 * threads, m.groups * m.tiles), p.count // MANY)
        parts = min(p.count, max(parts, divide(threads, m.groups * m.tiles)))
    cdef real[::1] laid = empty((1 if m.bare else images * image,), FLOATS[sizeof(real)])
    cdef real[::1] sums = empty((m.groups * terms * m.room,), FLOATS[sizeof(real)])
    cdef real[::1] turned = empty((threads * TERMS * m.unit,), FLOATS[sizeof(real)])
    cdef const real *layout = &laid[0]
    while first < m.batch:
        images = min(images, m.batch - first)
        if m.bare:
            layout = &x[first, 0, 0, 0]
        for item in prange(
            0 if m.bare else images * m.groups * m.channels, nogil=True, schedule="static", num_threads=threads
        ):
            lay_out(&m, &x[first, 0, 0, 0] + item * m.height * m.width, &laid[item * m.plane], False)
        for item in prange(m.groups * m.tiles * parts, nogil=True, schedule="dynamic", num_threads=threads):
            part = item % parts
            unit = item // parts
            add_products(
                &m, &p, layout, &y[first, 0, 0, 0], images, unit // m.tiles, unit % m.tiles, part * p.count // parts,
                (part + 1) * p.count // parts, &sums[0], &turned[threadid() * TERMS * m.unit], first == 0,
            )
        first += images
    for item in prange(m.groups * m.vectors, nogil=True, schedule="static", num_threads=threads):
        unit = item % m.vectors * m.lanes
        transpose(
            set, &w[item // m.vectors * m.outs + unit, 0, 0, 0], terms,
            &sums[item // m.vectors * terms * m.room + unit], m.room, terms, min(m.lanes, m.outs - unit),
        )
    return 0


# --- places in lanes -----------------------------------------------------------------------------------------

cdef void add_dots(
    const Correlation *m, const real *x, const real *y, real *sums, Py_ssize_t group, Py_ssize_t out,
    Py_ssize_t last_out, const Py_ssize_t *offset, real *layout, real *rows, Py_ssize_t size,
) noexcept nogil:
    """sums[o, k] for some outs of a group; `layout` is for its part of one image, and `rows` for a plane of y."""
    cdef Py_ssize_t terms = count_terms(m), image, n, c, o, q
    memset(sums + (group * m.outs + out) * terms, 0, (last_out - out) * terms * sizeof(real))
    for n in range(m.batch):
        image = n * m.groups + group
        for c in range(m.channels):
            lay_out(m, x + (image * m.channels + c) * m.height * m.width, layout + c * m.plane, True)
        for o in range(out, last_out):
            copy(
                m.set, rows, m.pitch, y + (image * m.outs + o) * m.grid_height * m.grid_width, m.grid_width,
                m.grid_height, m.grid_width, True,
            )
            q = 0
            while q < size:
                dot(
                    m.set, rows + q, layout + q, offset, terms, min(<Py_ssize_t>LONG, size - q),
                    sums + (group * m.outs + o) * terms,
                )
                q += LONG


cdef bint narrow_weight_grad(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] y, real[:, :, :, ::1] w, const Geometry *g, int threads,
    int set,
) except -1:
    """Where output channels would leave most lanes of a tile empty, the places of y go there: a dot product for each
    weight.

    Rows of y are laid out like those of x, with zeros between them. There they meet what taps do not see, which adds
    nothing, unless it is infinite or NaN. Whether that happened shows in the result: False is the answer then, and w is
    not to be used.
    """
    cdef Correlation m
    cdef Py_ssize_t parts = min(g.out_channels, divide(threads, g.groups))  # of the outs of a group
    cdef Py_ssize_t size, laid, private, item
    cdef Py_ssize_t[::1] table = np.empty(table_size(g), np.intp)
    forward(g, &m, &table[0], set, 0)
    cdef Py_ssize_t[::1] offset = np.empty(count_terms(&m), np.intp)
    find_offsets(&m, &offset[0])
    size = divide(m.grid_height * m.pitch, LANES) * LANES
    laid = divide(layout_size(&m) // m.groups + m.pitch + SLACK, LANES) * LANES
    private = laid + size
    cdef real[::1] scratch = empty((threads * private,), FLOATS[sizeof(real)])
    memset(&scratch[0], 0, threads * private * sizeof(real))
    for item in prange(m.groups * parts, nogil=True, schedule="static", num_threads=threads):
        add_dots(
            &m, &x[0, 0, 0, 0], &y[0, 0, 0, 0], &w[0, 0, 0, 0], item // parts, item % parts * m.outs // parts,
            (item % parts + 1) * m.outs // parts, &offset[0], &scratch[threadid() * private],
            &scratch[threadid() * private] + laid, size,
        )
    return finite(set, &w[0, 0, 0, 0], g.groups * g.out_channels * count_terms(&m))
