# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The second rung: convolution as a product of small packed matrices, with the tile kernel (tile.h) at its heart.

conv2d and conv2d_input_grad are one map, a *correlation* of some source image with some taps:

    out[n, m, i, j] = sum over channels c and taps t of  w[m, c, t] * source[n, c, i * stride + row[t], j * stride + column[t]]

For conv2d the source is x, and the taps are those of the kernel. For the input gradient the source is y, the stride is 1,
and a tap that reached forward reaches back: that is the "rotated kernel". If the convolution has a stride s, then the
rows (and columns) of x fall into s kinds, by h mod s, that meet different taps: s * s correlations fill x in turn.

*Panels.* The places (n, i, j) of the result, all images in a row, are cut into panels of COLUMNS. What the taps see from
these places is copied side by side into a matrix (terms, COLUMNS), zeros where they see beyond the border. The copy
makes stride, dilation, padding and small images vanish: the rest is one dense product, whatever the geometry. Each number copied is used for
every output channel, so that the copy is cheap beside the product.

*Blocks.* The terms (c, t) are cut into blocks of about TERMS, so that a block of the panel stays in the first-level cache while
all output channels, eight at a time, pass over it. Weights are packed once per call, in the order in which tiles read them.

*The weight gradient* is the same tile with other letters: rows are output channels o, the terms of the sum are the places of
y, and the columns are channels c of x, or, as these are neighbours as well, (v, c) for a whole row of the kernel. For that
x is copied with channels last, y in groups of eight channels.

*Threads* share the panels (or the parts of w). Each number of a result is made by one thread, which adds in an order that only
the shapes decide: the same bits for any number of threads, and no locks.
"""

import numpy as np

from cython.parallel cimport prange, threadid
from libc.string cimport memset

from minigrad_ext.geometry cimport Geometry, Run, meet, settle, team
from minigrad_ext.instructions cimport gather, real, tile, transpose

cdef enum:
    ROWS = 8               # rows of a tile: output channels
    COLUMNS = 48           # its columns: places
    LANES = 16             # columns come in multiples of this
    TERMS = 128            # of the sum, in a block
    WORKSPACE = 1 << 22    # bytes, about: for the images that the weight gradient has in work at a time


# --- one correlation -----------------------------------------------------------------------------------------

cdef struct Correlation:
    Py_ssize_t batch, groups, outs, channels, taps       # outs and channels per group
    Py_ssize_t height, width                             # of the source
    Py_ssize_t grid_height, grid_width                   # of the places (i, j)
    Py_ssize_t row_stride, column_stride                 # between the pixels that neighbouring places see
    Py_ssize_t w_group, w_out, w_channel                 # distances in w
    Py_ssize_t out_plane, out_first, out_row, out_column # in the planes of the result: place (i, j) is at first + i * row + j * column
    const Py_ssize_t *row                                # of tap t, relative to the place
    const Py_ssize_t *column
    const Py_ssize_t *weight                             # of tap t, its place in w
    const Py_ssize_t *offset                             # k * COLUMNS
    Py_ssize_t out_tiles                                 # per group, ROWS outs each
    int set

cdef struct Segment:  # places of a panel that are neighbours in a row
    Py_ssize_t n, i, j, size, at

cdef struct Block:  # terms: so many channels from `channel` on, and so many taps
    Py_ssize_t channel, channels, tap, taps


cdef inline bint next_block(const Correlation *m, Block *b) noexcept nogil:
    """Steps to the next block; the first one after {0}. False if there is none."""
    b.tap += b.taps
    if b.tap >= m.taps or b.taps == 0:
        b.channel += b.channels
        b.tap = 0
    b.channels = min(max(1, TERMS // max(1, m.taps)), m.channels - b.channel)
    b.taps = min(TERMS, m.taps - b.tap)
    return b.channels > 0 and b.taps > 0


cdef void pack_weights(const Correlation *m, const real *w, Py_ssize_t unit, real *packed) noexcept nogil:
    """The weights of ROWS outs as an array (terms, ROWS), rows without an out being 0."""
    cdef Py_ssize_t group = unit // m.out_tiles, out = unit % m.out_tiles * ROWS
    cdef Py_ssize_t rows = min(ROWS, m.outs - out), a, c, t
    cdef Block b
    cdef const real *source
    w += group * m.w_group + out * m.w_out
    memset(&b, 0, sizeof(b))
    while next_block(m, &b):
        for t in range(b.tap, b.tap + b.taps):
            source = w + b.channel * m.w_channel + m.weight[t]
            for c in range(b.channels):
                if rows == ROWS:
                    for a in range(ROWS):
                        packed[a] = source[c * m.w_channel + a * m.w_out]
                else:
                    for a in range(ROWS):
                        packed[a] = source[c * m.w_channel + a * m.w_out] if a < rows else 0
                packed += ROWS


cdef void pack_panel(
    const Correlation *m, const real *source, Py_ssize_t group, const Block *b, const Segment *segments,
    Py_ssize_t count, const real *zeros, real *panel,
) noexcept nogil:
    """What the taps of the block see from the places of the panel: an array (taps, channels, COLUMNS)."""
    cdef Py_ssize_t plane = m.height * m.width, channels = m.groups * m.channels
    cdef Py_ssize_t t, k, h
    cdef Run run
    cdef const Segment *s
    cdef const real *first
    cdef real *to
    for t in range(b.tap, b.tap + b.taps):
        for k in range(count):
            s = segments + k
            to = panel + (t - b.tap) * b.channels * COLUMNS + s.at
            h = s.i * m.row_stride + m.row[t]
            run.start = run.stop = s.j
            if 0 <= h < m.height:
                run = meet(m.column[t], m.column_stride, m.width, s.j, s.j + s.size)
            if run.start >= run.stop:
                gather(m.set, to, COLUMNS, zeros, 0, b.channels, 1, s.size)
                continue
            if run.start > s.j:
                gather(m.set, to, COLUMNS, zeros, 0, b.channels, 1, run.start - s.j)
            if run.stop < s.j + s.size:
                gather(m.set, to + run.stop - s.j, COLUMNS, zeros, 0, b.channels, 1, s.j + s.size - run.stop)
            first = source + (s.n * channels + group * m.channels + b.channel) * plane
            first += h * m.width + run.start * m.column_stride + m.column[t]
            gather(m.set, to + run.start - s.j, COLUMNS, first, plane, b.channels, m.column_stride, run.stop - run.start)


cdef inline Py_ssize_t find_segments(
    const Correlation *m, Py_ssize_t start, Py_ssize_t stop, Segment *segments
) noexcept nogil:
    """The rows, and parts of rows, that the places start ... stop - 1 are in; returns how many."""
    cdef Py_ssize_t count = 0, q = start, image = m.grid_height * m.grid_width
    while q < stop:
        segments[count].n = q // image
        segments[count].i = q % image // m.grid_width
        segments[count].j = q % m.grid_width
        segments[count].size = min(m.grid_width - segments[count].j, stop - q)
        segments[count].at = q - start
        q += segments[count].size
        count += 1
    return count


cdef void correlate_panel(
    const Correlation *m, const real *source, const real *packed, real *out, Py_ssize_t start, Py_ssize_t stop,
    Py_ssize_t first_unit, Py_ssize_t last_unit, const real *zeros, real *panel, real *result,
) noexcept nogil:
    """The result at places start ... stop - 1, for some units: tiles of ROWS outs, those of all groups in a row."""
    cdef Segment segments[COLUMNS]
    cdef Py_ssize_t count = find_segments(m, start, stop, segments)
    cdef Py_ssize_t terms = m.channels * m.taps, unit = first_unit, end, group, position, rows, a, j, k, u
    cdef const Segment *s
    cdef real *to
    cdef Block b
    while unit < last_unit:
        group = unit // m.out_tiles
        end = min(last_unit, (group + 1) * m.out_tiles)
        rows = min(m.outs, (end - group * m.out_tiles) * ROWS) - unit % m.out_tiles * ROWS
        position = 0
        memset(&b, 0, sizeof(b))
        while next_block(m, &b):
            pack_panel(m, source, group, &b, segments, count, zeros, panel)
            for u in range(unit, end):
                tile(
                    m.set, packed + (u * terms + position) * ROWS, panel, m.offset, b.channels * b.taps,
                    result + (u - unit) * ROWS * COLUMNS, COLUMNS, min(ROWS, rows - (u - unit) * ROWS), stop - start,
                    position == 0,
                )
            position += b.channels * b.taps
        if position == 0:  # no tap, or no channel, meets these places
            memset(result, 0, rows * COLUMNS * sizeof(real))
        for k in range(count):
            s = segments + k
            to = out + (s.n * m.groups * m.outs + group * m.outs + unit % m.out_tiles * ROWS) * m.out_plane
            to += m.out_first + s.i * m.out_row + s.j * m.out_column
            if m.out_column == 1:
                gather(m.set, to, m.out_plane, result + s.at, COLUMNS, rows, 1, s.size)
            else:
                for a in range(rows):
                    for j in range(s.size):
                        to[a * m.out_plane + j * m.out_column] = result[a * COLUMNS + s.at + j]
        unit = end


cdef int correlate(Correlation *m, const real *source, const real *w, real *out, int threads) except -1:
    cdef Py_ssize_t places = m.batch * m.grid_height * m.grid_width
    cdef Py_ssize_t vectors = (places + LANES - 1) // LANES, panels = (places + COLUMNS - 1) // COLUMNS
    cdef Py_ssize_t units, terms = m.channels * m.taps, parts, item, part, p, u
    cdef size_t private
    if m.taps == 1 and m.row[0] == 0 and m.column[0] == 0 and m.row_stride == 1 and m.column_stride == 1 and (
        m.grid_height == m.height and m.grid_width == m.width and m.out_row == m.width and m.out_column == 1
    ):  # rows do not matter: make the image one long row
        m.width = m.grid_width = m.height * m.width
        m.height = m.grid_height = 1
    m.out_tiles = (m.outs + ROWS - 1) // ROWS
    units = m.groups * m.out_tiles
    # Few panels: the units are shared out as well, though each part then packs the panel anew.
    parts = max(1, min(units, (4 * threads + panels - 1) // max(1, panels))) if threads > 1 else 1
    private = (TERMS + m.out_tiles * ROWS) * COLUMNS
    dtype = np.float32 if real is float else np.float64
    cdef real[::1] packed = np.empty(units * terms * ROWS + 1, dtype)
    cdef real[::1] scratch = np.empty(threads * private + COLUMNS, dtype)
    cdef real *zeros = &scratch[threads * private]
    cdef real *panel
    memset(zeros, 0, COLUMNS * sizeof(real))
    if places == 0:
        return 0
    for u in prange(units, nogil=True, schedule="static", num_threads=threads):
        pack_weights(m, w, u, &packed[u * terms * ROWS])
    for item in prange(
        panels * parts, nogil=True, schedule="dynamic", num_threads=threads,
        chunksize=max(1, panels * parts // (16 * threads)),
    ):
        p = item // parts
        part = item % parts
        panel = &scratch[threadid() * private]
        correlate_panel(
            m, source, &packed[0], out, p * vectors // panels * LANES, min(places, (p + 1) * vectors // panels * LANES),
            part * units // parts, (part + 1) * units // parts, zeros, panel, panel + TERMS * COLUMNS,
        )
    return 0


# --- the two maps that are correlations ----------------------------------------------------------------------

def conv2d(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] w, real[:, :, :, ::1] y, geometry, int threads, int set
):
    """y = conv2d(x, w)"""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    cdef Correlation m
    cdef Py_ssize_t taps = g.kernel_height * g.kernel_width, t
    cdef Py_ssize_t[:, ::1] tables = _tables(taps)
    m.batch, m.groups, m.outs, m.channels, m.taps = g.batch, g.groups, g.out_channels, g.channels, taps
    m.height, m.width, m.grid_height, m.grid_width = g.height, g.width, g.out_height, g.out_width
    m.row_stride, m.column_stride = g.row_stride, g.column_stride
    m.w_group, m.w_out, m.w_channel = g.out_channels * g.channels * taps, g.channels * taps, taps
    m.out_plane, m.out_first, m.out_row, m.out_column = g.out_height * g.out_width, 0, g.out_width, 1
    for t in range(taps):
        tables[0, t] = t // g.kernel_width * g.row_dilation - g.row_padding
        tables[1, t] = t % g.kernel_width * g.column_dilation - g.column_padding
        tables[2, t] = t
    m.row, m.column, m.weight, m.offset, m.set = &tables[0, 0], &tables[1, 0], &tables[2, 0], &tables[3, 0], set
    correlate(&m, &x[0, 0, 0, 0], &w[0, 0, 0, 0], &y[0, 0, 0, 0], team(&g, threads))


def conv2d_input_grad(
    const real[:, :, :, ::1] y, const real[:, :, :, ::1] w, real[:, :, :, ::1] x, geometry, int threads, int set
):
    """x = conv2d_input_grad(y, w)"""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    cdef Correlation m
    cdef Py_ssize_t taps = g.kernel_height * g.kernel_width, a, b, u, v, h, k
    cdef Py_ssize_t[:, ::1] tables = _tables(taps)
    m.batch, m.groups, m.outs, m.channels = g.batch, g.groups, g.channels, g.out_channels
    m.row_stride = m.column_stride = 1
    m.w_group, m.w_out, m.w_channel = g.out_channels * g.channels * taps, taps, g.channels * taps
    m.out_plane, m.out_row, m.out_column = g.height * g.width, g.row_stride * g.width, g.column_stride
    m.row, m.column, m.weight, m.offset, m.set = &tables[0, 0], &tables[1, 0], &tables[2, 0], &tables[3, 0], set
    for a in range(min(g.row_stride, g.height)):
        for b in range(min(g.column_stride, g.width)):
            # The rows h = a + s * i of x meet tap u in row (h + padding - u * dilation) / s = i + row of y.
            m.taps = 0
            for u in range(g.kernel_height):
                for v in range(g.kernel_width):
                    h = a + g.row_padding - u * g.row_dilation
                    k = b + g.column_padding - v * g.column_dilation
                    if h % g.row_stride == 0 and k % g.column_stride == 0:
                        tables[0, m.taps], tables[1, m.taps] = h // g.row_stride, k // g.column_stride
                        tables[2, m.taps] = u * g.kernel_width + v
                        m.taps += 1
            m.height, m.width = g.out_height, g.out_width
            m.grid_height = (g.height - a + g.row_stride - 1) // g.row_stride
            m.grid_width = (g.width - b + g.column_stride - 1) // g.column_stride
            m.out_first = a * g.width + b
            correlate(&m, &y[0, 0, 0, 0], &w[0, 0, 0, 0], &x[0, 0, 0, 0], team(&g, threads))


cdef _tables(Py_ssize_t taps):
    tables = np.empty((4, max(taps, TERMS)), np.intp)
    tables[3] = np.arange(len(tables[3])) * COLUMNS
    return tables


# --- the weight gradient -------------------------------------------------------------------------------------

cdef struct Parts:
    Py_ssize_t tiles, runs, run, blocks, span  # see conv2d_weight_grad
    Py_ssize_t height, width, image, places    # of x with channels last; numbers per image and group; places of y


cdef void lay_out_x(const Geometry *g, const Parts *p, const real *x, real *image, int set) noexcept nogil:
    """One group of one image with channels last, (height, width, channels): what taps can see of it, 0 beyond the border."""
    cdef Py_ssize_t h, start = min(p.width, g.column_padding), stop
    stop = max(start, min(p.width, g.width + g.column_padding))
    for h in range(p.height):
        if 0 <= h - g.row_padding < g.height:
            memset(image, 0, start * g.channels * sizeof(real))
            transpose(
                set, image + start * g.channels, g.channels, x + (h - g.row_padding) * g.width + start - g.column_padding,
                g.height * g.width, g.channels, stop - start,
            )
            memset(image + stop * g.channels, 0, (p.width - stop) * g.channels * sizeof(real))
        else:
            memset(image, 0, p.width * g.channels * sizeof(real))
        image += p.width * g.channels


cdef void lay_out_y(const Geometry *g, const Parts *p, const real *y, real *rows, int set) noexcept nogil:
    """One group of one image of y as an array (tiles, places, ROWS)."""
    cdef Py_ssize_t u
    for u in range(p.tiles):
        transpose(
            set, rows, ROWS, y + u * ROWS * p.places, p.places, min(ROWS, g.out_channels - u * ROWS), p.places
        )
        rows += p.places * ROWS


cdef void add_products(
    const Geometry *g, const Parts *p, const real *image, const real *rows, const Py_ssize_t *offset, real *sums,
    Py_ssize_t block, Py_ssize_t first_tile, Py_ssize_t last_tile, bint fresh, int set,
) noexcept nogil:
    """sums[o, run, ...] += what one group of one image contributes to a block of columns, for some tiles of channels o"""
    cdef Py_ssize_t run = block // p.blocks, part = block % p.blocks, vectors = p.run // LANES
    cdef Py_ssize_t start = part * vectors // p.blocks * LANES, stop = (part + 1) * vectors // p.blocks * LANES
    cdef Py_ssize_t q, u, size
    if p.span == g.channels:  # a run for each tap
        image += (run // g.kernel_width * g.row_dilation * p.width + run % g.kernel_width * g.column_dilation) * g.channels
    else:  # a run for each row of the kernel
        image += run * g.row_dilation * p.width * g.channels
    q = 0
    while q < p.places:
        size = min(TERMS, p.places - q)
        for u in range(first_tile, last_tile):
            tile(
                set, rows + (u * p.places + q) * ROWS, image + start, offset + q, size,
                sums + (u * ROWS * p.runs + run) * p.run + start, p.runs * p.run,
                min(ROWS, g.out_channels - u * ROWS), stop - start, fresh and q == 0,
            )
        q += size


def conv2d_weight_grad(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] y, real[:, :, :, ::1] w, geometry, int threads, int set
):
    """w = conv2d_weight_grad(x, y)"""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    cdef Parts p
    cdef Py_ssize_t images, items, first, n, item, i, group, parts, block, c, o, u, v, from_, to
    cdef Py_ssize_t taps = g.kernel_height * g.kernel_width
    if w.shape[0] * w.shape[1] == 0:
        return
    if g.batch * g.out_height * g.out_width == 0:
        w[:, :, :, :] = 0
        return
    threads = team(&g, threads)
    p.places = g.out_height * g.out_width
    p.tiles = (g.out_channels + ROWS - 1) // ROWS
    # Neighbours in memory that one place of y meets: a whole row of the kernel, unless it is dilated.
    p.span = g.channels if g.column_dilation > 1 else g.kernel_width * g.channels
    p.runs = taps if g.column_dilation > 1 else g.kernel_height
    p.run = (p.span + LANES - 1) // LANES * LANES
    p.blocks = (p.run + COLUMNS - 1) // COLUMNS
    p.height = (g.out_height - 1) * g.row_stride + (g.kernel_height - 1) * g.row_dilation + 1
    p.width = (g.out_width - 1) * g.column_stride + (g.kernel_width - 1) * g.column_dilation + 1
    p.image = p.height * p.width * g.channels
    images = max(1, min(g.batch, WORKSPACE // <Py_ssize_t>sizeof(real) // max(
        1, g.groups * (p.image + p.tiles * p.places * ROWS))))
    parts = max(1, min(p.tiles, (8 * threads + g.groups * p.runs * p.blocks - 1) // (g.groups * p.runs * p.blocks)))
    parts = parts if threads > 1 else 1
    dtype = np.float32 if real is float else np.float64
    cdef real[::1] laid_x = np.empty(images * g.groups * p.image + COLUMNS, dtype)
    cdef real[::1] laid_y = np.empty(images * g.groups * p.tiles * p.places * ROWS, dtype)
    cdef real[::1] sums = np.empty(g.groups * p.tiles * ROWS * p.runs * p.run, dtype)
    cdef Py_ssize_t[::1] offset = np.empty(p.places, np.intp)
    for i in range(p.places):
        offset[i] = (i // g.out_width * g.row_stride * p.width + i % g.out_width * g.column_stride) * g.channels
    first = 0
    while first < g.batch:
        images = min(images, g.batch - first)
        for item in prange(images * g.groups, nogil=True, schedule="static", num_threads=threads):
            n = first + item // g.groups
            group = item % g.groups
            lay_out_x(&g, &p, &x[n, group * g.channels, 0, 0], &laid_x[item * p.image], set)
            lay_out_y(
                &g, &p, &y[n, group * g.out_channels, 0, 0], &laid_y[item * p.tiles * p.places * ROWS], set
            )
        for item in prange(
            g.groups * p.runs * p.blocks * parts, nogil=True, schedule="dynamic", num_threads=threads
        ):
            group = item // (p.runs * p.blocks * parts)
            block = item // parts % (p.runs * p.blocks)
            for i in range(images):
                n = i * g.groups + group
                add_products(
                    &g, &p, &laid_x[n * p.image], &laid_y[n * p.tiles * p.places * ROWS], &offset[0],
                    &sums[group * p.tiles * ROWS * p.runs * p.run], block, item % parts * p.tiles // parts,
                    (item % parts + 1) * p.tiles // parts, first + i == 0, set,
                )
        first += images
    for item in prange(g.groups * g.out_channels, nogil=True, schedule="static", num_threads=threads):
        from_ = (item // g.out_channels * p.tiles * ROWS + item % g.out_channels) * p.runs * p.run
        for u in range(g.kernel_height):
            for v in range(g.kernel_width):
                to = from_ + (u * g.kernel_width + v) * p.run if g.column_dilation > 1 else (
                    from_ + u * p.run + v * g.channels)
                for c in range(g.channels):
                    w[item, c, u, v] = sums[to + c]
