# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The second rung: convolution as a product of small packed matrices, with the tile kernel (tile.h) at its heart.

conv2d and conv2d_input_grad are one map, a *correlation* of some source image with some taps (u, v):

    out[n, m, i, j] = sum over c, u, v of  w[m, c, u, v] * source[n, c, i * stride + row[u], j * stride + column[v]]

For conv2d the source is x, and the taps are those of the kernel. For the input gradient the source is y, the stride is 1,
and a tap that reached forward reaches back: that is the "rotated kernel". If the convolution has a stride s, the
rows (and columns) of x fall into s kinds, by h mod s, which meet different taps: s * s correlations fill x in turn.

*Layout.* First the source is copied with the border of zeros around it, and with the rows and columns that a stride skips
between neighbours sorted into planes of their own. After that a tap is a distance in memory, and nothing asks for
strides, dilations and borders any more.

*Panels.* The places (n, i, j) of the result, images one after the other, are cut into panels of COLUMNS. What the taps see from
these places is copied side by side into a matrix (terms, COLUMNS): small images and odd widths fill it as well as large ones do.
The rest is a dense product. Each number copied serves every output channel, so the copy is cheap; where there are few output channels
the tiles read the layout itself, and the places between the rows are computed for nothing.

*Blocks.* The terms (c, u, v) are cut into blocks of about TERMS, so that a block of the panel stays in the first-level cache
while all output channels, eight at a time, pass over it. Weights are packed once per call, in the order in which tiles read them.

*Threads* share the panels. Each number of a result is made by one thread, which adds in an order that only the shapes decide: the
same bits for any number of threads, and no locks.
"""

import numpy as np

from minigrad_ext.pool import empty

from cython.parallel cimport prange, threadid
from libc.string cimport memcpy, memset

from minigrad_ext.geometry cimport Geometry, Run, meet, settle, team
from minigrad_ext.instructions cimport copy, dot, pick, real, tile, transpose

cdef enum:
    ROWS = 8               # rows of a tile: output channels
    COLUMNS = 48           # its columns: places
    LANES = 16             # columns come in multiples of this
    MOST = 4 * COLUMNS     # columns of a panel where there are many weights,
    MANY = 1 << 17         # more than these: then it pays to use each, once loaded, for more places
    TERMS = 128            # of the sum, in a block
    FEW = 16               # output channels for which packing a panel does not pay; for more, where TERMS are many and no
    WIDER = 8              # more than an eighth of the places are computed for nothing, it does not pay either
    WIDE = 384             # places of a panel that is not packed, and
    AT_ONCE = 8            # tiles of outs that pass over it together
    SLACK = 64             # numbers behind a layout that tiles may read
    NARROW = 8             # channels * kernel width for which they do not make a good tile of the weight gradient
    WORKSPACE = 1 << 22    # bytes, about: for the images that are in work at a time


# --- one correlation -----------------------------------------------------------------------------------------

cdef struct Correlation:
    Py_ssize_t batch, groups, outs, channels              # outs and channels per group
    Py_ssize_t height, width                              # of the source
    Py_ssize_t grid_height, grid_width                    # of the places (i, j)
    Py_ssize_t row_stride, column_stride                  # between the pixels that neighbouring places see
    Py_ssize_t rows, columns                              # how many u and v there are
    Py_ssize_t *row                                       # of u, relative to the place; likewise
    Py_ssize_t *column                                    # of v
    Py_ssize_t *weight                                    # of tap u * columns + v: its place in w
    Py_ssize_t w_group, w_out, w_channel                  # distances in w
    Py_ssize_t out_plane, out_first, out_row, out_column  # place (i, j) is at first + i * row + j * column of a plane
    # Found by `prepare`:
    Py_ssize_t *tap                                       # where in the layout tap u * columns + v is, for place (0, 0)
    Py_ssize_t *row_kind                                  # rows r, r + stride, r + 2 * stride ... are one kind;
    Py_ssize_t *column_kind                               # here are the first row (column) of each kind that taps see,
    Py_ssize_t *row_number                                # and of which kind the row of u
    Py_ssize_t *column_number                             # and the column of v is
    Py_ssize_t row_kinds, column_kinds
    Py_ssize_t depth, pitch, plane                        # of the layout: rows of a kind, their distance, that of channels
    Py_ssize_t tiles                                      # of ROWS outs, per group
    Py_ssize_t panel, panel_pitch                         # columns of a panel; copies of whole vectors reach beyond them
    bint in_order                                         # channels and taps follow each other in w as they are counted
    bint border                                           # taps see beyond the border
    bint wide                                             # panels are not packed: there are few outs
    bint flat                                             # the source serves as layout
    bint turned                                           # a flat source of one image with channels last
    int set


cdef Py_ssize_t find_kinds(
    const Py_ssize_t *at, Py_ssize_t count, Py_ssize_t stride, Py_ssize_t *kind, Py_ssize_t *number
) noexcept nogil:
    """Sorts positions by their remainder mod stride: `kind` gets the least position of each kind, `number` the kind of each
    position; returns how many kinds there are."""
    cdef Py_ssize_t kinds = 0, a, k
    for a in range(count):
        for k in range(kinds):
            if (at[a] - kind[k]) % stride == 0:
                break
        else:
            k = kinds
            kind[k] = at[a]
            kinds += 1
        kind[k] = min(kind[k], at[a])
        number[a] = k
    return kinds


cdef Py_ssize_t extent(
    const Py_ssize_t *at, Py_ssize_t count, Py_ssize_t stride, const Py_ssize_t *kind, const Py_ssize_t *number
) noexcept nogil:
    """How many steps of the stride lie between the least position of a kind and the largest of that kind, at most."""
    cdef Py_ssize_t steps = 0, a
    for a in range(count):
        steps = max(steps, (at[a] - kind[number[a]]) // stride)
    return steps


cdef void prepare(Correlation *m) noexcept nogil:
    """Plans the layout, an array (channels, row kinds, column kinds, grid height and more, grid width and more)."""
    cdef Py_ssize_t u, v, k
    m.tiles = (m.outs + ROWS - 1) // ROWS
    m.panel = MOST if m.outs * m.channels * m.rows * m.columns > MANY else COLUMNS
    m.panel_pitch = m.panel + LANES
    m.turned = False
    m.flat = m.outs > FEW and (
        m.rows == 1 and m.columns == 1 and m.row[0] == 0 and m.column[0] == 0 and m.row_stride == 1
        and m.column_stride == 1 and m.grid_height == m.height and m.grid_width == m.width
    )
    if m.flat and m.out_row == m.width and m.out_column == 1:  # rows do not matter: the image is one long row
        m.width = m.grid_width = m.height * m.width
        m.height = m.grid_height = 1
    m.row_kinds = find_kinds(m.row, m.rows, m.row_stride, m.row_kind, m.row_number)
    m.column_kinds = find_kinds(m.column, m.columns, m.column_stride, m.column_kind, m.column_number)
    m.depth = m.grid_height + extent(m.row, m.rows, m.row_stride, m.row_kind, m.row_number)
    m.pitch = m.grid_width + extent(m.column, m.columns, m.column_stride, m.column_kind, m.column_number)
    m.plane = m.row_kinds * m.column_kinds * m.depth * m.pitch
    m.wide = m.outs <= FEW or (
        not m.flat and WIDER * (m.pitch - m.grid_width) <= m.pitch and m.channels * m.rows * m.columns >= TERMS
    )
    m.in_order = m.w_channel == m.rows * m.columns
    for k in range(m.rows * m.columns):
        m.in_order &= m.weight[k] == k
    m.border = False
    for u in range(m.rows):
        m.border |= m.row[u] < 0 or m.row[u] + (m.grid_height - 1) * m.row_stride >= m.height
    for v in range(m.columns):
        m.border |= m.column[v] < 0 or m.column[v] + (m.grid_width - 1) * m.column_stride >= m.width
    for u in range(m.rows):
        for v in range(m.columns):
            k = m.row_number[u] * m.column_kinds + m.column_number[v]
            m.tap[u * m.columns + v] = (
                k * m.depth + (m.row[u] - m.row_kind[m.row_number[u]]) // m.row_stride
            ) * m.pitch + (m.column[v] - m.column_kind[m.column_number[v]]) // m.column_stride


cdef Py_ssize_t layout_size(const Correlation *m) except -1:
    """The numbers of one image as it is laid out."""
    cdef double size = <double>m.groups * m.channels * m.row_kinds * m.column_kinds * m.depth * m.pitch
    if size > 1e15:
        raise MemoryError(f"convolution: padding and dilation spread one image over {size:.0e} numbers.")
    return m.groups * m.channels * m.plane


cdef void lay_out(const Correlation *m, const real *source, real *plane) noexcept nogil:
    """One channel of one image as taps see it, zeros beyond the border."""
    cdef Py_ssize_t a, b, i
    cdef const real *from_
    cdef Run rows, columns
    for a in range(m.row_kinds):
        rows = meet(m.row_kind[a], m.row_stride, m.height, 0, m.depth)
        for b in range(m.column_kinds):
            columns = meet(m.column_kind[b], m.column_stride, m.width, 0, m.pitch)
            if rows.stop - rows.start < m.depth or columns.stop - columns.start < m.pitch:
                memset(plane, 0, m.depth * m.pitch * sizeof(real))
            if rows.start < rows.stop and columns.start < columns.stop:
                from_ = source + (m.row_kind[a] + rows.start * m.row_stride) * m.width
                from_ += m.column_kind[b] + columns.start * m.column_stride
                if m.column_stride == 1:
                    copy(
                        m.set, plane + rows.start * m.pitch + columns.start, m.pitch, from_, m.row_stride * m.width,
                        rows.stop - rows.start, columns.stop - columns.start,
                    )
                else:
                    for i in range(rows.start, rows.stop):
                        pick(
                            m.set, plane + i * m.pitch + columns.start, from_, m.column_stride,
                            columns.stop - columns.start,
                        )
                        from_ += m.row_stride * m.width
            plane += m.depth * m.pitch


# --- blocks of terms -----------------------------------------------------------------------------------------

cdef struct Block:
    Py_ssize_t channel, channels, tap, taps  # so many channels from `channel` on, and so many taps


cdef inline bint next_block(const Correlation *m, Block *b) noexcept nogil:
    """Steps to the next block; to the first one from {0}. False if there is none."""
    cdef Py_ssize_t taps = m.rows * m.columns
    b.tap += b.taps
    if b.tap >= taps or b.taps == 0:
        b.channel += b.channels
        b.tap = 0
    b.channels = min(max(1, TERMS // max(1, taps)), m.channels - b.channel)
    b.taps = min(TERMS, taps - b.tap)
    return b.channels > 0 and b.taps > 0


cdef void pack_weights(
    const Correlation *m, const real *w, Py_ssize_t first_unit, Py_ssize_t last_unit, real *packed, bint *finite
) noexcept nogil:
    """The weights of each unit of ROWS outs as an array (terms, ROWS), in the order of the blocks; rows without an out are 0.
    Clears `finite` if one is infinite or NaN."""
    cdef Py_ssize_t terms = m.channels * m.rows * m.columns, done = 0, unit, out, rows, a, c, k, t
    cdef real zero[ROWS]
    cdef real *to
    cdef const real *from_
    cdef const real *start
    cdef Block b
    memset(zero, 0, sizeof(zero))
    memset(&b, 0, sizeof(b))
    while next_block(m, &b):
        for unit in range(first_unit, last_unit):
            out = unit % m.tiles * ROWS
            rows = min(ROWS, m.outs - out)
            start = w + unit // m.tiles * m.w_group + out * m.w_out + b.channel * m.w_channel
            to = packed + (unit * terms + done) * ROWS
            if rows < ROWS:
                memset(to, 0, b.channels * b.taps * ROWS * sizeof(real))
            if m.in_order:
                transpose(m.set, to, ROWS, start + b.tap, m.w_out, rows, b.channels * b.taps)
            else:
                for c in range(b.channels):
                    for t in range(b.taps):
                        from_ = start + c * m.w_channel + m.weight[b.tap + t]
                        for a in range(rows):
                            to[(c * b.taps + t) * ROWS + a] = from_[a * m.w_out]
            for k in range(b.channels * b.taps):
                for a in range(ROWS):
                    zero[a] += 0 * to[k * ROWS + a]  # NaN for infinities and NaNs
        done += b.channels * b.taps
    for a in range(ROWS):
        if zero[a] != 0:
            finite[0] = False


# --- panels --------------------------------------------------------------------------------------------------

cdef struct Segment:  # places of a panel that are neighbours in a row
    Py_ssize_t n, i, j, size, at


cdef inline Py_ssize_t find_segments(
    const Correlation *m, Py_ssize_t start, Py_ssize_t stop, Segment *segments
) noexcept nogil:
    """The rows, or parts of rows, that the places start ... stop - 1 are in; returns how many."""
    cdef Py_ssize_t count = 0, at = 0, row = start // m.grid_width, j = start % m.grid_width
    cdef Py_ssize_t n = row // m.grid_height, i = row % m.grid_height
    while at < stop - start:
        segments[count].n, segments[count].i, segments[count].j, segments[count].at = n, i, j, at
        segments[count].size = min(m.grid_width - j, stop - start - at)
        at += segments[count].size
        count += 1
        j = 0
        i += 1
        if i == m.grid_height:
            i = 0
            n += 1
    return count


cdef void pack_panel(
    const Correlation *m, const real *layout, Py_ssize_t group, const Block *b, const Segment *segments,
    Py_ssize_t count, real *panel,
) noexcept nogil:
    """What the taps of the block see from the places of the panel: an array (channels, taps, panel_pitch)."""
    cdef Py_ssize_t t, k, size
    cdef const Segment *s
    if m.turned:
        s = segments
        transpose(m.set, panel, m.panel_pitch, layout + s.j * m.plane + b.channel, m.plane, s.size, b.channels)
        return
    for t in range(b.tap, b.tap + b.taps):
        for k in range(count):
            s = segments + k
            # Whole vectors, where there is something behind them; the next segment overwrites what is too much.
            size = s.size if m.flat else (s.size + LANES - 1) // LANES * LANES
            copy(
                m.set, panel + (t - b.tap) * m.panel_pitch + s.at, b.taps * m.panel_pitch,
                layout + ((s.n * m.groups + group) * m.channels + b.channel) * m.plane
                + m.tap[t] + s.i * m.pitch + s.j, m.plane, b.channels, size,
            )


cdef inline real *place(
    const Correlation *m, real *out, Py_ssize_t n, Py_ssize_t channel, Py_ssize_t i, Py_ssize_t j
) noexcept nogil:
    """Where place (n, i, j) of a channel (of all groups) is in the result."""
    return out + (n * m.groups * m.outs + channel) * m.out_plane + m.out_first + i * m.out_row + j * m.out_column


cdef inline void write_out(
    const Correlation *m, const real *result, Py_ssize_t pitch, Py_ssize_t rows, Py_ssize_t columns, real *out,
    Py_ssize_t out_pitch,
) noexcept nogil:
    """Takes `rows` of a result, `pitch` apart, to their places, `out_pitch` apart."""
    cdef Py_ssize_t i, j
    if m.out_column == 1:
        copy(m.set, out, out_pitch, result, pitch, rows, columns)
    else:
        for i in range(rows):
            for j in range(columns):
                out[i * out_pitch + j * m.out_column] = result[i * pitch + j]


cdef void packed_panel(
    const Correlation *m, const real *layout, const real *packed, real *out, Py_ssize_t start, Py_ssize_t stop,
    Py_ssize_t unit, Py_ssize_t last_unit, const Py_ssize_t *offset, real *panel,
) noexcept nogil:
    """The result at places start ... stop - 1, for some units: tiles of ROWS outs, those of all groups in a row."""
    cdef Segment segments[MOST]
    cdef Py_ssize_t count = find_segments(m, start, stop, segments)
    cdef Py_ssize_t terms = m.channels * m.rows * m.columns, end, group, done, first, outs, u
    # Whole tiles go right to their place; others, which write more than there is, through an array of their own.
    cdef bint straight = (
        m.outs % ROWS == 0 and (stop - start) % LANES == 0 and segments[0].n == segments[count - 1].n
        and m.out_column == 1 and m.out_row == m.grid_width
    )
    cdef real *result = panel + TERMS * m.panel_pitch
    cdef real *to
    cdef Py_ssize_t pitch = m.out_plane if straight else m.panel, k
    cdef const Segment *s
    cdef Block b
    while unit < last_unit:
        group = unit // m.tiles
        end = min(last_unit, (group + 1) * m.tiles)
        first = unit % m.tiles * ROWS
        outs = min(m.outs, (end - group * m.tiles) * ROWS) - first
        if straight:
            result = place(m, out, segments[0].n, group * m.outs + first, segments[0].i, segments[0].j)
        done = 0
        memset(&b, 0, sizeof(b))
        while next_block(m, &b):
            pack_panel(m, layout, group, &b, segments, count, panel)
            for u in range(unit, end):
                tile(
                    m.set, packed + (u * terms + done) * ROWS, panel, offset, b.channels * b.taps,
                    result + (u - unit) * ROWS * pitch, pitch, min(ROWS, outs - (u - unit) * ROWS), stop - start,
                    done == 0,
                )
            done += b.channels * b.taps
        for k in range(0 if straight else count):
            s = segments + k
            to = place(m, out, s.n, group * m.outs + first, s.i, s.j)
            write_out(m, result + s.at, m.panel, outs, s.size, to, m.out_plane)
        unit = end


cdef void wide_panel(
    const Correlation *m, const real *layout, const real *packed, real *out, Py_ssize_t image, Py_ssize_t i,
    Py_ssize_t rows, Py_ssize_t j, Py_ssize_t columns, Py_ssize_t first_tile, const Py_ssize_t *offset, real *result,
) noexcept nogil:
    """Part of the result of some outs of one group of one image, from place (i, j) on: what lies between its rows is
    computed, too."""
    cdef Py_ssize_t n = image // m.groups, group = image % m.groups, u, a, done = 0, size, first = first_tile * ROWS
    cdef Py_ssize_t terms = m.channels * m.rows * m.columns, outs = min(AT_ONCE * ROWS, m.outs - first)
    layout += image * m.channels * m.plane + i * m.pitch + j
    packed += (group * m.tiles + first_tile) * terms * ROWS
    while done < terms:
        size = min(TERMS, terms - done)
        for u in range((outs + ROWS - 1) // ROWS):
            tile(
                m.set, packed + (u * terms + done) * ROWS, layout, offset + done, size, result + u * ROWS * WIDE, WIDE,
                min(ROWS, outs - u * ROWS), (rows - 1) * m.pitch + columns, done == 0,
            )
        done += size
    for a in range(outs):
        write_out(
            m, result + a * WIDE, m.pitch, rows, columns, place(m, out, n, group * m.outs + first + a, i, j), m.out_row
        )


cdef int correlate(Correlation *m, const real *source, const real *w, real *out, int threads) except -1:
    """Fills `out`; returns whether it is right. It is not where the zeros of a border met weights that are not finite: there
    the equation has no product at all, and here 0 times infinity left a NaN."""
    cdef Py_ssize_t units = m.groups * m.tiles, terms = m.channels * m.rows * m.columns, image, images, first
    cdef Py_ssize_t places, vectors, panels, parts, item, p, k, down, rows, across, columns
    cdef Py_ssize_t private = AT_ONCE * ROWS * WIDE if m.wide else TERMS * m.panel_pitch + m.tiles * ROWS * m.panel
    cdef Block b
    cdef bint finite = True
    if m.batch * units * m.grid_height * m.grid_width == 0:
        return True
    if terms == 0:  # no tap, or no channel, meets these places
        zero_out(m, out)
        return True
    image = layout_size(m)
    dtype = np.dtype(np.float32 if real is float else np.float64)
    images = m.batch if m.flat else max(1, min(m.batch, WORKSPACE // <Py_ssize_t>sizeof(real) // image))
    cdef real[::1] laid = empty((1 if m.flat else images * image + SLACK,), dtype)
    cdef real[::1] packed = empty((units * terms * ROWS,), dtype)
    cdef real[::1] scratch = empty((threads * private,), dtype)
    cdef Py_ssize_t[::1] offset = np.empty(max(terms, TERMS), np.intp)
    cdef const real *layout = &laid[0]
    if m.wide:
        k = 0
        memset(&b, 0, sizeof(b))
        while next_block(m, &b):
            for p in range(b.channels * b.taps):
                offset[k] = (b.channel + p // b.taps) * m.plane + m.tap[b.tap + p % b.taps]
                k += 1
    else:
        for k in range(TERMS):
            offset[k] = k * m.panel_pitch
    for item in prange(threads, nogil=True, schedule="static", num_threads=threads):
        pack_weights(m, w, item * units // threads, (item + 1) * units // threads, &packed[0], &finite)
    first = 0
    while first < m.batch:
        images = min(images, m.batch - first)
        if m.flat:
            layout = source
        else:
            for item in prange(
                images * m.groups * m.channels, nogil=True, schedule="static", num_threads=threads
            ):
                lay_out(m, source + item * m.height * m.width, &laid[item * m.plane])
        if m.wide:
            rows = min(m.grid_height, max(1, WIDE // m.pitch))
            down = (m.grid_height + rows - 1) // rows
            columns = min(m.grid_width, WIDE)
            across = (m.grid_width + columns - 1) // columns
            panels = down * across
            parts = (m.tiles + AT_ONCE - 1) // AT_ONCE
            for item in prange(
                images * m.groups * panels * parts, nogil=True, schedule="dynamic", num_threads=threads,
                chunksize=max(1, images * m.groups * panels * parts // (16 * threads)),
            ):
                p = item // parts % panels
                wide_panel(
                    m, layout, &packed[0], out, item // (panels * parts), p // across * rows,
                    min(rows, m.grid_height - p // across * rows), p % across * columns,
                    min(columns, m.grid_width - p % across * columns), item % parts * AT_ONCE, &offset[0],
                    &scratch[threadid() * private],
                )
        else:
            places = images * m.grid_height * m.grid_width
            vectors = (places + LANES - 1) // LANES
            panels = (places + m.panel - 1) // m.panel
            # Few panels: the units are shared out as well, though each part then packs the panel anew.
            parts = max(1, min(units, (4 * threads + panels - 1) // panels)) if threads > 1 else 1
            for item in prange(
                panels * parts, nogil=True, schedule="dynamic", num_threads=threads,
                chunksize=max(1, panels * parts // (16 * threads)),
            ):
                p = item // parts
                packed_panel(
                    m, layout, &packed[0], out, p * vectors // panels * LANES,
                    min(places, (p + 1) * vectors // panels * LANES), item % parts * units // parts,
                    (item % parts + 1) * units // parts, &offset[0], &scratch[threadid() * private],
                )
        source += images * m.groups * m.channels * m.height * m.width
        out += images * m.groups * m.outs * m.out_plane
        first += images
    return finite or not m.border


cdef void zero_out(const Correlation *m, real *out) noexcept nogil:
    cdef Py_ssize_t a, i, j
    for a in range(m.batch * m.groups * m.outs):
        for i in range(m.grid_height):
            for j in range(m.grid_width):
                out[a * m.out_plane + m.out_first + i * m.out_row + j * m.out_column] = 0


# --- the two maps that are correlations ----------------------------------------------------------------------

cdef void point(Correlation *m, Py_ssize_t *table, Py_ssize_t rows, Py_ssize_t columns) noexcept nogil:
    """Gives the arrays of m their parts of a table of 3 * rows + 3 * columns + 2 * rows * columns numbers."""
    m.row, m.row_kind, m.row_number = table, table + rows, table + 2 * rows
    table += 3 * rows
    m.column, m.column_kind, m.column_number = table, table + columns, table + 2 * columns
    table += 3 * columns
    m.weight, m.tap = table, table + rows * columns


cdef inline Py_ssize_t table_size(const Geometry *g) noexcept nogil:
    return 3 * g.kernel_height + 3 * g.kernel_width + 2 * g.kernel_height * g.kernel_width


cdef void forward(const Geometry *g, Correlation *m, Py_ssize_t *table, int set) noexcept nogil:
    """conv2d as a correlation"""
    cdef Py_ssize_t taps = g.kernel_height * g.kernel_width, u, v
    point(m, table, g.kernel_height, g.kernel_width)
    m.batch, m.groups, m.outs, m.channels = g.batch, g.groups, g.out_channels, g.channels
    m.height, m.width, m.grid_height, m.grid_width = g.height, g.width, g.out_height, g.out_width
    m.row_stride, m.column_stride, m.rows, m.columns = g.row_stride, g.column_stride, g.kernel_height, g.kernel_width
    m.w_group, m.w_out, m.w_channel = g.out_channels * g.channels * taps, g.channels * taps, taps
    m.out_plane, m.out_first, m.out_row, m.out_column = g.out_height * g.out_width, 0, g.out_width, 1
    m.set = set
    for u in range(g.kernel_height):
        m.row[u] = u * g.row_dilation - g.row_padding
        for v in range(g.kernel_width):
            m.column[v] = v * g.column_dilation - g.column_padding
            m.weight[u * g.kernel_width + v] = u * g.kernel_width + v
    prepare(m)


def conv2d(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] w, real[:, :, :, ::1] y, geometry, int threads, int set
):
    """y = conv2d(x, w); returns whether it is right (see `correlate`)"""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    cdef Py_ssize_t[::1] table = np.empty(table_size(&g), np.intp)
    cdef Correlation m
    forward(&g, &m, &table[0], set)
    return <bint>correlate(&m, &x[0, 0, 0, 0], &w[0, 0, 0, 0], &y[0, 0, 0, 0], team(&g, threads))


def conv2d_input_grad(
    const real[:, :, :, ::1] y, const real[:, :, :, ::1] w, real[:, :, :, ::1] x, geometry, int threads, int set
):
    """x = conv2d_input_grad(y, w); returns whether it is right (see `correlate`)"""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    cdef Py_ssize_t[::1] table = np.empty(table_size(&g), np.intp)
    cdef Correlation m
    cdef Py_ssize_t taps = g.kernel_height * g.kernel_width, a, b, h, k, u, v
    cdef bint right = True
    point(&m, &table[0], g.kernel_height, g.kernel_width)
    m.batch, m.groups, m.outs, m.channels = g.batch, g.groups, g.channels, g.out_channels
    m.row_stride = m.column_stride = 1
    m.w_group, m.w_out, m.w_channel = g.out_channels * g.channels * taps, taps, g.channels * taps
    m.out_plane, m.out_row, m.out_column = g.height * g.width, g.row_stride * g.width, g.column_stride
    m.set = set
    for a in range(min(g.row_stride, g.height)):
        for b in range(min(g.column_stride, g.width)):
            # Row h = a + i * s of x meets tap u in row (h + padding - u * dilation) / s = i + m.row of y.
            m.rows = m.columns = 0
            for u in range(g.kernel_height):
                h = a + g.row_padding - u * g.row_dilation
                if h % g.row_stride == 0:
                    m.row[m.rows], m.row_number[m.rows] = h // g.row_stride, u
                    m.rows += 1
            for v in range(g.kernel_width):
                k = b + g.column_padding - v * g.column_dilation
                if k % g.column_stride == 0:
                    m.column[m.columns], m.column_number[m.columns] = k // g.column_stride, v
                    m.columns += 1
            for u in range(m.rows):
                for v in range(m.columns):
                    m.weight[u * m.columns + v] = m.row_number[u] * g.kernel_width + m.column_number[v]
            m.height, m.width = g.out_height, g.out_width
            m.grid_height = (g.height - a + g.row_stride - 1) // g.row_stride
            m.grid_width = (g.width - b + g.column_stride - 1) // g.column_stride
            m.out_first = a * g.width + b
            prepare(&m)
            right &= correlate(&m, &y[0, 0, 0, 0], &w[0, 0, 0, 0], &x[0, 0, 0, 0], team(&g, threads))
    return right


# --- matrix products -----------------------------------------------------------------------------------------

def matmul(const real[:, :] x, const real[:, :] y, real[:, ::1] z, int threads, int set):
    """z = x y, which is a 1 x 1 convolution: rows of x are the outs, columns of y the places, the sum is over channels.

    The elements of x may lie as they like; of y, rows or columns must be contiguous.
    """
    cdef Correlation m
    cdef Py_ssize_t table[8]
    cdef Py_ssize_t item = sizeof(real)
    memset(&m, 0, sizeof(m))
    memset(table, 0, sizeof(table))
    point(&m, table, 1, 1)
    m.batch = m.groups = m.height = m.grid_height = m.rows = m.columns = m.row_stride = m.column_stride = 1
    m.outs, m.channels = x.shape[0], x.shape[1]
    m.width = m.grid_width = m.out_row = m.out_plane = y.shape[1]
    m.w_out, m.w_channel, m.out_column = x.strides[0] // item, x.strides[1] // item, 1
    m.set = set
    if y.shape[0] != x.shape[1] or z.shape[0] != x.shape[0] or z.shape[1] != y.shape[1]:
        raise ValueError(f"matmul: shapes {x.shape}, {y.shape} and {z.shape} do not fit.")
    prepare(&m)
    m.wide, m.flat = False, True
    m.turned = y.strides[1] != item
    m.plane = (y.strides[1] if m.turned else y.strides[0]) // item
    if <double>m.outs * m.channels * m.width < 300_000:
        threads = 1
    correlate(&m, &y[0, 0], &x[0, 0], &z[0, 0], threads)


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
    """w = conv2d_weight_grad(x, y); returns whether it is right: a NaN may come of zeros of the border"""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    cdef Py_ssize_t i
    cdef bint right = True
    cdef const real *numbers = &w[0, 0, 0, 0]
    if w.shape[0] * w.shape[1] == 0:
        return True
    if g.batch * g.out_height * g.out_width == 0:
        w[:, :, :, :] = 0
        return True
    threads = team(&g, threads)
    if g.channels * g.kernel_width > NARROW or not narrow_weight_grad(x, y, w, &g, threads, set):
        broad_weight_grad(x, y, w, &g, threads, set)
    if g.row_padding > 0 or g.column_padding > 0:
        for i in range(w.shape[0] * w.shape[1] * w.shape[2] * w.shape[3]):
            right &= numbers[i] == numbers[i]
    return right


cdef int broad_weight_grad(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] y, real[:, :, :, ::1] w, const Geometry *g, int threads, int set
) except -1:
    cdef Parts p
    cdef Py_ssize_t images, first, n, item, i, group, parts, block, c, u, v, from_, to
    cdef Py_ssize_t taps = g.kernel_height * g.kernel_width
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
    dtype = np.dtype(np.float32 if real is float else np.float64)
    cdef real[::1] laid_x = empty((images * g.groups * p.image + COLUMNS,), dtype)
    cdef real[::1] laid_y = empty((images * g.groups * p.tiles * p.places * ROWS,), dtype)
    cdef real[::1] sums = empty((g.groups * p.tiles * ROWS * p.runs * p.run,), dtype)
    cdef Py_ssize_t[::1] offset = np.empty(p.places, np.intp)
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
                g, &p, &y[n, group * g.out_channels, 0, 0], &laid_y[item * p.tiles * p.places * ROWS], set
            )
        for item in prange(
            g.groups * p.runs * p.blocks * parts, nogil=True, schedule="dynamic", num_threads=threads
        ):
            group = item // (p.runs * p.blocks * parts)
            block = item // parts % (p.runs * p.blocks)
            for i in range(images):
                n = i * g.groups + group
                add_products(
                    g, &p, &laid_x[n * p.image], &laid_y[n * p.tiles * p.places * ROWS], &offset[0],
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
    return 0


cdef void add_dots(
    const Correlation *m, const real *layout, const real *y, real *sums, Py_ssize_t image, Py_ssize_t out,
    Py_ssize_t last_out, const Py_ssize_t *offset, real *rows, Py_ssize_t size,
) noexcept nogil:
    """sums[o, k] += what one group of one image contributes, for some of its outs; `rows` holds a laid-out plane of y"""
    cdef Py_ssize_t group = image % m.groups, terms = m.channels * m.rows * m.columns, o
    layout += image * m.channels * m.plane
    for o in range(out, last_out):
        copy(
            m.set, rows, m.pitch, y + (image * m.outs + o) * m.grid_height * m.grid_width, m.grid_width, m.grid_height,
            m.grid_width,
        )
        dot(m.set, rows, layout, offset, terms, size, sums + (group * m.outs + o) * terms)


cdef bint narrow_weight_grad(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] y, real[:, :, :, ::1] w, const Geometry *g, int threads, int set
) except -1:
    """Where channels would leave most lanes of a tile empty, the places of y go there: a dot product for each weight.

    Rows of y are laid out like those of x, with zeros between them. There they meet what taps do not see, which adds nothing,
    unless it is infinite or NaN. Whether that happened shows in the result: False is the answer then, and w is not to be used.
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
    for k in range(w.shape[0] * terms):
        if sums[k] - sums[k] != 0:
            return False
    return True
