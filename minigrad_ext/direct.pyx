# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The second rung: convolution as a product of matrices that never exist, with the tile kernel (tile.h) at its heart.

conv2d and conv2d_input_grad are one map, a *correlation* of some source image with some taps (u, v):

    out[n, m, i, j] = sum over c, u, v of  w[m, c, u, v] * source[n, c, i * stride + row[u], j * stride + column[v]]

For conv2d the source is x, and the taps are those of the kernel. For the input gradient the source is y, the stride is
1, and a tap that reached forward reaches back: that is the "rotated kernel". If the convolution has a stride s, the
rows (and columns) of x fall into s kinds, by h mod s, which meet different taps: s * s correlations fill x in turn.

*Layout.* First the source is copied with the border of zeros around it, unless there is none. After that a tap is a
distance in memory, and nothing asks for dilations and borders any more. (The zeros behind a row serve as those before
the next one, too.)

*Tiles.* A tile is as many sums as there are registers for. Its columns, which are whole vectors, are output channels
("outs"): the weights are copied into the order in which tiles read them. Its rows are neighbouring places, whose pixels
come one by one, so it does not matter how wide images are, nor how far apart a stride takes the pixels.

Where there are few output channels, most lanes of a vector would stay empty, or a tile be a single vector wide, which
loads too much for what it does. Then places are the columns, and output channels the rows. In the layout, rows and
columns that a stride skips between neighbours are sorted into planes of their own for that, and what lies between the
rows of an image is computed for nothing.

*Panels and blocks.* The places (n, i, j) of the result, images one after the other, are cut into panels of PANEL at
most, and the terms (c, u, v) into blocks whose weights, for one tile of outs, fill most of a first-level cache. A block
stays there while all places of the panel pass over it, and their sums stay in the second-level cache until the last
block. Then the sums, with output channels last, are transposed into the result, where they come first.

*Taps that go astray*, as with large dilations, meet the image at few places. Terms that meet nothing of a piece of a
row are left out of its tile.

*Small images* with few output channels: one thread lays out one of them and does all that is to be done with it.

The weight gradient is in weight_grad.pyx.

*What is behind the last place* is computed with the others where places are in lanes, since vectors are whole, and
dropped. It is set to zero all the same: unset memory may hold denormal numbers, with which arithmetic is a hundred
times slower on some processors.

*Threads* share panels and output channels. Each number of a result is made by one thread, which adds in an order that
only the shapes decide: the same bits for any number of threads, and no locks.
"""

import numpy as np

from minigrad_ext.pool import FLOATS, empty
from minigrad_ext.weight_grad import conv2d_weight_grad as conv2d_weight_grad

from cython.parallel cimport prange, threadid
from libc.string cimport memset

from minigrad_ext.geometry cimport Geometry, divide, settle, team
from minigrad_ext.instructions cimport copy, finite, lanes, put, real, tile, tile_columns, tile_rows, transpose
from minigrad_ext.layout cimport (
    COLUMNS, LANES, SLACK, TERMS, WIDE, WORKSPACE, Correlation, Cut, count_terms, find_offsets, first_out, forward,
    lay_out, layout_size, point, prepare, table_size,
)

cdef enum:
    PANEL = 256            # places of a panel where outs are in lanes, at most
    PITCH = 272            # from row to row of sums on their way to the result
    LEAST = 24             # places of a panel that is cut so that all threads have one
    NEAR = 24 * 1024       # bytes in lanes, of weights or pixels, that the other side passes over: in the nearest cache
    LONGEST = 256          # terms of a block of weights: of longer sums the errors grow
    SMALL = 1 << 18        # bytes of a layout that, with what is made of it, stays in a second-level cache


# --- weights -------------------------------------------------------------------------------------------------

cdef inline Py_ssize_t packed_size(const Correlation *m) noexcept nogil:
    return m.groups * m.room * count_terms(m)


cdef inline const real *weights_of(const Correlation *m, const real *w, const real *packed) noexcept nogil:
    """What tiles read: w itself, or the part of `packed` for this kind of places."""
    if m.packed:
        return packed + m.weights_before
    return w


cdef void pack_weights(
    const Correlation *m, const Py_ssize_t[::1] kinds, const real *w, Py_ssize_t first, Py_ssize_t last, real *packed,
) noexcept nogil:
    """Copies the weights of some kinds, for some tiles of outs (those of all groups in a row). Those of a tile become
    an array (terms, width), with zeros where it has more outs than there are."""
    cdef Py_ssize_t item, group, unit, out, outs, width, c, k
    cdef bint all_in_order = True
    cdef const Correlation *kind
    cdef const real *from_
    cdef real *to
    for item in range(first, last):
        group, unit = item // m.tiles, item % m.tiles
        out = first_out(m, unit)
        width = first_out(m, unit + 1) - out
        outs = min(width, m.outs - out)
        from_ = w + group * m.w_group + out * m.w_out
        for k in range(kinds.shape[0]):
            kind = m + kinds[k]
            to = packed + kind.weights_before + (group * m.room + out) * count_terms(kind)
            if outs < width:
                memset(to, 0, count_terms(kind) * width * sizeof(real))
            all_in_order &= kind.in_order
            if kind.in_order:
                transpose(m.set, to, width, from_, m.w_out, outs, count_terms(kind))
        if not all_in_order:
            for c in range(m.channels):
                pack_channel(m, kinds, from_ + c * m.w_channel, outs, packed, group * m.room + out, c, width)


cdef inline void pack_channel(
    const Correlation *m, const Py_ssize_t[::1] kinds, const real *w, Py_ssize_t outs, real *packed, Py_ssize_t out,
    Py_ssize_t c, Py_ssize_t width,
) noexcept nogil:
    """Of `pack_weights` one channel, of one tile that begins with `out`, for kinds whose terms are not neighbours."""
    cdef real[TERMS * COLUMNS] turned  # all taps, for one out after the other, become outs for one tap after the other
    cdef bint turns = 1 < m.w_out <= TERMS, done = False
    cdef Py_ssize_t number, t, a
    cdef const Correlation *kind
    cdef real *to
    for number in range(kinds.shape[0]):
        kind = m + kinds[number]
        if kind.in_order:
            continue
        if turns and not done:
            transpose(m.set, turned, width, w, m.w_out, outs, m.w_out)
            done = True
        to = packed + kind.weights_before + (out * m.channels + c * width) * kind.rows * kind.columns
        for t in range(kind.rows * kind.columns):
            if turns:
                copy(m.set, to + t * width, width, turned + kind.weight[t] * width, width, 1, outs, False)
            elif m.w_out == 1:
                copy(m.set, to + t * width, width, w, width, 1, outs, False)
            else:
                for a in range(outs):
                    to[t * width + a] = w[kind.weight[t] + a * m.w_out]


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
    cdef Py_ssize_t i
    if m.out_column == 1:
        copy(m.set, out, out_pitch, result, pitch, rows, columns, False)
    else:
        for i in range(rows):
            put(m.set, out + i * out_pitch, m.out_column, result + i * pitch, columns)


# --- output channels in lanes --------------------------------------------------------------------------------

cdef struct Panel:
    Py_ssize_t row, rows, j, columns  # of places, the rows of all images being numbered
    Py_ssize_t group, out, width      # of the outs of one tile


cdef Cut cut_panels(const Correlation *m, Py_ssize_t rows, int threads) noexcept nogil:
    """Cuts rows of places into panels, and so that the threads are done at the same time, as nearly as possible."""
    cdef Cut c
    cdef Py_ssize_t tiles = m.groups * m.tiles, least = -1, most, tall, time
    # If there are few tiles of outs, it takes more panels for all threads to have work.
    most = divide(rows * m.grid_width * tiles, 4 * threads if threads > 1 else 1)
    most = max(LEAST, min(PANEL, most))
    c.columns = min(m.grid_width, divide(most, LANES) * LANES)
    c.across = divide(m.grid_width, c.columns)
    c.rows = most = min(rows, max(1, most // m.grid_width))
    for tall in range(most, max(1, most // 2) - 1, -1):
        time = divide(divide(rows, tall) * c.across * tiles, threads) * tall
        if time < least or least < 0:
            least, c.rows = time, tall
    c.down = divide(rows, c.rows)
    return c


cdef inline Panel panel_of(const Correlation *m, const Cut *c, Py_ssize_t rows, Py_ssize_t item) noexcept nogil:
    """The item-th panel, with each tile of outs in turn."""
    cdef Panel p
    cdef Py_ssize_t tile = item % m.tiles
    item //= m.tiles
    p.group, p.out = item % m.groups, first_out(m, tile)
    p.width = first_out(m, tile + 1) - p.out
    item //= m.groups
    p.row, p.j = item // c.across * c.rows, item % c.across * c.columns
    p.rows, p.columns = min(c.rows, rows - p.row), min(c.columns, m.grid_width - p.j)
    return p


cdef void one_panel(
    const Correlation *m, Panel p, const real *layout, const real *w, real *out, const Py_ssize_t *offset,
    real *scratch,
) noexcept nogil:
    """The result at some places, for one tile of outs."""
    cdef Py_ssize_t terms = count_terms(m), pieces, block, done, size, k, r, a
    cdef Py_ssize_t most = min(<Py_ssize_t>LONGEST, NEAR // (<Py_ssize_t>sizeof(real) * p.width))
    cdef Py_ssize_t outs = min(p.width, m.outs - p.out)
    cdef Py_ssize_t[LONGEST] step
    cdef real *turned = scratch                  # a vector of outs on its way to the result
    cdef real *weights = turned + m.lanes * PITCH  # of a block, if they are not packed
    cdef real *sums = weights + LONGEST * m.unit
    cdef const real *x
    pieces = divide(p.columns, tile_rows(m.set, p.width // m.lanes))
    w += (p.group * m.room + p.out) * terms if m.packed else p.group * m.w_group + p.out * m.w_out
    for k in range(min(most, terms)):
        step[k] = k * p.width
    if not m.packed and outs < p.width:
        memset(weights, 0, most * p.width * sizeof(real))
    for block in range(divide(terms, most)):
        done = block * most
        size = min(most, terms - done)
        if not m.packed:
            transpose(m.set, weights, p.width, w + done, m.w_out, outs, size)
        if m.astray:
            add_met(m, &p, layout, w + done * p.width if m.packed else weights, offset, done, size, pieces, sums)
            continue
        for r in range(p.rows):
            x = layout + ((p.row + r) // m.grid_height * m.groups + p.group) * m.channels * m.plane
            x += (p.row + r) % m.grid_height * m.row_step * m.pitch + p.j * m.column_step
            for k in range(pieces):
                a = k * p.columns // pieces
                tile(
                    m.set, x + a * m.column_step, offset + done, m.column_step,
                    w + done * p.width if m.packed else weights, step, size, sums + (r * p.columns + a) * p.width,
                    p.width, (k + 1) * p.columns // pieces - a, p.width, done == 0,
                )
    for k in range(divide(outs, m.lanes)):
        write_panel(m, &p, p.out + k * m.lanes, sums + k * m.lanes, out, turned)


cdef void add_met(
    const Correlation *m, const Panel *p, const real *layout, const real *w, const Py_ssize_t *offset,
    Py_ssize_t done, Py_ssize_t size, Py_ssize_t pieces, real *sums,
) noexcept nogil:
    """A block of terms for a panel, without those that meet nothing but the border: found once for a piece of a row,
    and again for another row only if that meets other rows of taps."""
    cdef Py_ssize_t[LONGEST] met, step
    cdef Py_ssize_t k, r, a, columns, row, i, u, first, last, before, count = 0
    cdef const real *x
    for k in range(pieces):
        a, before = k * p.columns // pieces, -1
        columns = (k + 1) * p.columns // pieces - a
        for r in range(p.rows):
            row, i = (p.row + r) // m.grid_height, (p.row + r) % m.grid_height
            first, last = m.rows, 0  # of the rows of taps that meet this one
            for u in range(m.rows):
                if 0 <= m.row[u] + i * m.row_stride < m.height:
                    first, last = min(first, u), u + 1
            if first * (m.rows + 1) + last != before:
                before = first * (m.rows + 1) + last
                count = find_met(m, first, last, p.j + a, columns, offset, done, size, p.width, met, step)
            x = layout + (row * m.groups + p.group) * m.channels * m.plane
            x += i * m.row_step * m.pitch + (p.j + a) * m.column_step
            tile(
                m.set, x, met, m.column_step, w, step, count, sums + (r * p.columns + a) * p.width, p.width, columns,
                p.width, done == 0,
            )


cdef Py_ssize_t find_met(
    const Correlation *m, Py_ssize_t first, Py_ssize_t last, Py_ssize_t j, Py_ssize_t columns,
    const Py_ssize_t *offset, Py_ssize_t done, Py_ssize_t size, Py_ssize_t width, Py_ssize_t *met, Py_ssize_t *step,
) noexcept nogil:
    """Of a block of terms those of some rows of taps that meet the image at some columns from j on: where they begin in
    the layout, and where their weights are; returns how many that are."""
    cdef Py_ssize_t from_ = m.columns, to = 0, taps = m.rows * m.columns, count = 0, c, u, v, k
    for v in range(m.columns):
        k = m.column[v] + j * m.column_stride
        if k < m.width and k + (columns - 1) * m.column_stride >= 0:
            from_, to = min(from_, v), v + 1
    for c in range(done // taps, divide(done + size, taps)):
        for u in range(first, last):
            for v in range(from_, to):
                k = c * taps + u * m.columns + v - done
                if 0 <= k < size:
                    met[count], step[count] = offset[done + k], k * width
                    count += 1
    return count


cdef void write_panel(
    const Correlation *m, const Panel *p, Py_ssize_t first, const real *sums, real *out, real *turned
) noexcept nogil:
    """A vector of outs from the sums of a panel, an array (places, width), to the result."""
    cdef Py_ssize_t outs = min(m.lanes, m.outs - first), r = 0, rows = 1, i, places
    cdef bint side_by_side = m.out_column == 1 and m.out_row == p.columns  # rows are, in the result
    cdef real *to
    while r < p.rows:
        i = (p.row + r) % m.grid_height
        if side_by_side:
            rows = min(p.rows - r, m.grid_height - i)
        places = rows * p.columns
        to = place(m, out, (p.row + r) // m.grid_height, p.group * m.outs + first, i, p.j)
        if m.out_column == 1 and places % LANES == 0 and outs == m.lanes:
            transpose(m.set, to, m.out_plane, sums, p.width, places, outs)
        else:  # whole vectors, more than there is room for
            transpose(m.set, turned, PITCH, sums, p.width, divide(places, LANES) * LANES, m.lanes)
            write_out(m, turned, PITCH, outs, places, to, m.out_plane)
        sums += places * p.width
        r += rows


cdef int outs_in_lanes(
    const Correlation *m, Py_ssize_t images, const real *layout, const real *w, real *out,
    const Py_ssize_t[::1] offset, int threads,
) except -1:
    """The result for images that are laid out."""
    cdef Py_ssize_t rows = images * m.grid_height, item
    cdef Py_ssize_t private = (PANEL + LANES + LONGEST) * m.unit + m.lanes * PITCH
    cdef Cut c = cut_panels(m, rows, threads)
    cdef real[::1] scratch = empty((threads * private,), FLOATS[sizeof(real)])
    # Guided: the first half goes to one thread, mostly the same one, and what it wrote last time may be in its caches.
    for item in prange(
        c.down * c.across * m.groups * m.tiles, nogil=True, schedule="guided", num_threads=threads
    ):
        one_panel(
            m, panel_of(m, &c, rows, item), layout, w, out, &offset[0], &scratch[threadid() * private]
        )
    return 0


# --- places in lanes -----------------------------------------------------------------------------------------

cdef inline Py_ssize_t stripe_of(const Correlation *m, const real *w) noexcept nogil:
    """So many columns, in whole tiles, stay in the first-level cache while all tiles of outs pass over them."""
    cdef Py_ssize_t width = tile_columns(m.set, min(m.unit, m.outs), w), terms = max(1, min(TERMS, count_terms(m)))
    return max(1, NEAR // (<Py_ssize_t>sizeof(real) * terms * width)) * width


cdef void wide_panel(
    const Correlation *m, const real *layout, const real *w, real *out, Py_ssize_t n, Py_ssize_t group, Py_ssize_t i,
    Py_ssize_t j, const Py_ssize_t *offset, real *result,
) noexcept nogil:
    """The panel of `m.cut` that begins with place (i, j), given the layout of this group of image n and the weights, be
    they packed or not. What lies between the rows is computed, too."""
    cdef Py_ssize_t rows = min(m.cut.rows, m.grid_height - i), columns = min(m.cut.columns, m.grid_width - j)
    cdef Py_ssize_t terms = count_terms(m), places = (rows - 1) * m.pitch + columns, done = 0, size, q, u, a
    cdef Py_ssize_t term_step = m.unit if m.packed else 1, out_step = 1 if m.packed else m.w_out
    cdef Py_ssize_t unit_step = m.unit * (terms if m.packed else m.w_out)
    cdef Py_ssize_t[TERMS] step
    layout += i * m.pitch + j
    w += group * (m.room * terms if m.packed else m.w_group)
    for a in range(min(TERMS, terms)):
        step[a] = a * term_step
    while done < terms:
        size, q = min(TERMS, terms - done), 0
        while q < places:
            for u in range(m.tiles):
                tile(
                    m.set, w + u * unit_step + done * term_step, step, out_step, layout + q, offset + done, size,
                    result + u * m.unit * WIDE + q, WIDE, min(m.unit, m.outs - u * m.unit),
                    min(m.stripe, places - q), done == 0,
                )
            q += m.stripe
        done += size
    for a in range(m.outs):
        write_out(m, result + a * WIDE, m.pitch, rows, columns, place(m, out, n, group * m.outs + a, i, j), m.out_row)


cdef int places_in_lanes(
    const Correlation *m, Py_ssize_t images, const real *layout, const real *w, real *out,
    const Py_ssize_t[::1] offset, int threads,
) except -1:
    """The result for images that are laid out."""
    cdef Py_ssize_t panels = m.cut.down * m.cut.across, private = m.room * WIDE, item, image, panel
    cdef real[::1] scratch = empty((threads * private,), FLOATS[sizeof(real)])
    for item in prange(
        images * m.groups * panels, nogil=True, schedule="dynamic", num_threads=threads,
        chunksize=max(1, images * m.groups * panels // (16 * threads)),
    ):
        image, panel = item // panels, item % panels
        wide_panel(
            m, layout + image * m.channels * m.plane, w, out, image // m.groups, image % m.groups,
            panel // m.cut.across * m.cut.rows, panel % m.cut.across * m.cut.columns, &offset[0],
            &scratch[threadid() * private],
        )
    return 0


cdef int image_by_image(
    Correlation *m, Py_ssize_t kinds, Py_ssize_t size, Py_ssize_t terms, const real *source, const real *w,
    const real *packed, real *out, int threads,
) except -1:
    """One group of one image after the other, each laid out, and done for all kinds of places, by one thread: what it
    reads and writes stays in its caches."""
    cdef Py_ssize_t item, n, k, private = size + SLACK + m.room * WIDE
    cdef real[::1] scratch = empty((threads * private,), FLOATS[sizeof(real)])
    cdef Py_ssize_t[::1] offset = np.empty(max(1, terms), np.intp)
    cdef Py_ssize_t[::1] before = np.empty(kinds, np.intp)
    memset(&scratch[0], 0, threads * private * sizeof(real))
    terms = 0
    for k in range(kinds):
        before[k] = terms
        find_offsets(m + k, &offset[0] + terms)
        terms += count_terms(m + k)
    for item in prange(m.batch * m.groups, nogil=True, schedule="dynamic", num_threads=threads,
                       chunksize=max(1, m.batch * m.groups // (16 * threads))):
        n = item // m.groups
        for k in range(kinds):
            one_image(
                m + k, source, weights_of(m + k, w, packed), out, n, item - n * m.groups, &offset[0] + before[k],
                &scratch[threadid() * private], &scratch[threadid() * private] + size + SLACK, kinds == 1,
            )
    return 0


cdef void one_image(
    const Correlation *m, const real *source, const real *w, real *out, Py_ssize_t n, Py_ssize_t group,
    const Py_ssize_t *offset, real *layout, real *result, bint blank,
) noexcept nogil:
    """All places of one kind in one group of image n; `blank` as for `lay_out`."""
    cdef Py_ssize_t image = n * m.groups + group, k, i, j
    if nothing_to_add(m):
        zero_out(m, out, image * m.outs, (image + 1) * m.outs)
        return
    for k in range(m.channels):
        lay_out(m, source + (image * m.channels + k) * m.height * m.width, layout + k * m.plane, blank)
    if not blank:
        memset(layout + m.channels * m.plane, 0, SLACK * sizeof(real))
    for i in range(m.cut.down):
        for j in range(m.cut.across):
            wide_panel(m, layout, w, out, n, group, i * m.cut.rows, j * m.cut.columns, offset, result)


# --- correlations --------------------------------------------------------------------------------------------

cdef inline bint nothing_to_add(const Correlation *m) noexcept nogil:
    """Whether no tap, or no channel, meets the places of m, or there are none."""
    return count_terms(m) * m.grid_height * m.grid_width == 0


cdef void zero_out(const Correlation *m, real *out, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """Some planes of the result."""
    cdef Py_ssize_t a, i, j
    for a in range(first, last):
        for i in range(m.grid_height):
            for j in range(m.grid_width):
                out[a * m.out_plane + m.out_first + i * m.out_row + j * m.out_column] = 0


cdef bint correlate(
    Correlation *m, Py_ssize_t kinds, const real *source, const real *w, real *out, int threads
) except? False:
    """Fills `out`, by one correlation for each kind of places; returns whether it is right. It is not where the zeros
    of a border met weights that are not finite: there the equation has no product at all, and here 0 times infinity
    left a NaN."""
    cdef Py_ssize_t tiles = m.groups * m.tiles, size = 0, terms = 0, weights = m.groups * m.w_group, k, item, before = 0
    cdef bint border = False, all_finite = True
    for k in range(kinds):
        m[k].weights_before = before
        before += packed_size(m + k) if m[k].packed else 0
        terms += count_terms(m + k)
        size = max(size, layout_size(m + k) // m.groups)
        m[k].stripe = 0 if m[k].lanes else stripe_of(m + k, w)
        border |= m[k].border
    cdef Py_ssize_t[::1] to_pack = np.array([k for k in range(kinds) if m[k].packed and count_terms(m + k)], np.intp)
    cdef real[::1] packed = empty((max(1, before),), FLOATS[sizeof(real)])
    for item in prange(threads, nogil=True, schedule="static", num_threads=threads):
        if to_pack.shape[0]:
            pack_weights(m, to_pack, w, item * tiles // threads, (item + 1) * tiles // threads, &packed[0])
        if border:
            all_finite &= finite(
                m.set, w + item * weights // threads,
                (item + 1) * weights // threads - item * weights // threads,
            )
    if not m.lanes and size <= SMALL // <Py_ssize_t>sizeof(real) and m.batch * m.groups >= 2 * threads:
        image_by_image(m, kinds, size, terms, source, w, &packed[0], out, threads)
    else:
        for k in range(kinds):
            kind_by_kind(m + k, source, weights_of(m + k, w, &packed[0]), out, threads)
    return all_finite or not border


cdef int kind_by_kind(const Correlation *m, const real *source, const real *w, real *out, int threads) except -1:
    """Places of one kind, in as many images as the workspace holds at a time."""
    cdef Py_ssize_t image = layout_size(m), images, first = 0, item
    if nothing_to_add(m):
        zero_out(m, out, 0, m.batch * m.groups * m.outs)
        return 0
    images = m.batch if m.bare else max(1, min(m.batch, WORKSPACE // <Py_ssize_t>sizeof(real) // image))
    cdef real[::1] laid = empty((1 if m.bare else images * image + SLACK,), FLOATS[sizeof(real)])
    cdef Py_ssize_t[::1] offset = np.empty(count_terms(m), np.intp)
    cdef const real *layout = &laid[0]
    find_offsets(m, &offset[0])
    if m.bare:
        layout = source
    else:
        memset(&laid[images * image], 0, SLACK * sizeof(real))
    while first < m.batch:
        images = min(images, m.batch - first)
        for item in prange(
            0 if m.bare else images * m.groups * m.channels, nogil=True, schedule="static", num_threads=threads
        ):
            lay_out(m, source + item * m.height * m.width, &laid[item * m.plane], False)
        if m.lanes:
            outs_in_lanes(m, images, layout, w, out, offset, threads)
        else:
            places_in_lanes(m, images, layout, w, out, offset, threads)
        source += images * m.groups * m.channels * m.height * m.width
        out += images * m.groups * m.outs * m.out_plane
        first += images
    return 0


# --- the two maps that are correlations ----------------------------------------------------------------------

cdef inline Py_ssize_t lanes_for(
    Py_ssize_t outs, Py_ssize_t lanes, int set, Py_ssize_t taps, Py_ssize_t width
) noexcept nogil:
    """The lanes if outs are to be in them. (Measured.)"""
    cdef Py_ssize_t vectors = divide(outs, lanes)
    if taps > 1 and width >= 12:
        # Vectors of places are as good here, and the taps pay for the layout that these need. So outs must fill nearly
        # all lanes, and those of two vectors: with one a tile loads too much for what it does.
        return lanes if vectors > 1 and 7 * vectors * lanes <= 8 * outs else 0
    # A quarter, at most, would stay empty; and a tile has sums enough that none waits for the one before.
    return lanes if 3 * vectors * lanes <= 4 * outs and vectors * tile_rows(set, 1) >= 8 else 0


def conv2d(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] w, real[:, :, :, ::1] y, geometry, int threads, int set
):
    """y = conv2d(x, w); returns whether it is right (see `correlate`)"""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    cdef Py_ssize_t[::1] table = np.empty(table_size(&g), np.intp)
    cdef Correlation m
    forward(&g, &m, &table[0], set, lanes_for(
        g.out_channels, lanes(set, &w[0, 0, 0, 0]), set, g.kernel_height * g.kernel_width, g.out_width,
    ))
    return correlate(&m, 1, &x[0, 0, 0, 0], &w[0, 0, 0, 0], &y[0, 0, 0, 0], team(&g, threads))


def conv2d_input_grad(
    const real[:, :, :, ::1] y, const real[:, :, :, ::1] w, real[:, :, :, ::1] x, geometry, int threads, int set
):
    """x = conv2d_input_grad(y, w); returns whether it is right (see `correlate`)"""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    cdef Py_ssize_t rows = min(g.row_stride, g.height), columns = min(g.column_stride, g.width), kind
    cdef Py_ssize_t[:, ::1] table = np.empty((rows * columns, table_size(&g)), np.intp)
    cdef unsigned char[:, ::1] kinds = np.empty((rows * columns, sizeof(Correlation)), np.uint8)
    if x.size == 0:
        return True
    for kind in range(rows * columns):
        of_kind(
            &g, <Correlation *>&kinds[kind, 0], &table[kind, 0], kind // columns, kind % columns, set,
            lanes_for(
                g.channels, lanes(set, &w[0, 0, 0, 0]), set,
                divide(g.kernel_height, g.row_stride) * divide(g.kernel_width, g.column_stride),
                divide(g.width, g.column_stride),
            ),
        )
    return correlate(
        <Correlation *>&kinds[0, 0], rows * columns, &y[0, 0, 0, 0], &w[0, 0, 0, 0], &x[0, 0, 0, 0], team(&g, threads)
    )


cdef void of_kind(
    const Geometry *g, Correlation *m, Py_ssize_t *table, Py_ssize_t a, Py_ssize_t b, int set, Py_ssize_t lanes
) noexcept nogil:
    """The input gradient at the rows a + i * stride and the columns b + j * stride of x."""
    cdef Py_ssize_t taps = g.kernel_height * g.kernel_width, h, k, u, v
    point(m, table, g.kernel_height, g.kernel_width)
    m.batch, m.groups, m.outs, m.channels = g.batch, g.groups, g.channels, g.out_channels
    m.row_stride = m.column_stride = 1
    m.w_group, m.w_out, m.w_channel = g.out_channels * g.channels * taps, taps, g.channels * taps
    m.out_plane, m.out_row, m.out_column = g.height * g.width, g.row_stride * g.width, g.column_stride
    m.set = set
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
    prepare(m, lanes)
