# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The second rung: convolution as a product of small packed matrices, with the tile kernel (tile.h) at its heart.

conv2d and conv2d_input_grad are one map, a *correlation* of some source image with some taps (u, v):

    out[n, m, i, j] = sum over c, u, v of  w[m, c, u, v] * source[n, c, i * stride + row[u], j * stride + column[v]]

For conv2d the source is x, and the taps are those of the kernel. For the input gradient the source is y, the stride is
1, and a tap that reached forward reaches back: that is the "rotated kernel". If the convolution has a stride s, the
rows (and columns) of x fall into s kinds, by h mod s, which meet different taps: s * s correlations fill x in turn.

*Layout.* First the source is copied with the border of zeros around it, and with the rows and columns that a stride
skips between neighbours sorted into planes of their own. After that a tap is a distance in memory, and nothing asks for
strides, dilations and borders any more. (The zeros behind a row serve as those before the next one, too.)

*Panels.* The places (n, i, j) of the result, images one after the other, are cut into panels of PANEL. What the taps
see from these places is copied side by side into a matrix (terms, PANEL): small images and odd widths fill it as well
as large ones do. The rest is a dense product. Each number copied serves every output channel, so the copy is cheap;
where there are few output channels the tiles read the layout itself, and the places between the rows are computed for
nothing. If images are small as well, one thread lays out one of them and does all that is to be done with it.

*Blocks and stripes.* The terms (c, u, v) are cut into blocks of about TERMS, so that a block of the panel stays in the
second-level cache. All output channels, as many at a time as a tile has rows, pass over one stripe of it, which stays
in the first-level cache, and then over the next. Weights are read where they lie; only those of an input gradient are
packed, in the order in which tiles read them.

The weight gradient is in weight_grad.pyx.

*What is behind the last place* is computed with the others, since vectors are whole, and dropped. It is set to zero all
the same: unset memory may hold denormal numbers, with which arithmetic is a hundred times slower on some processors.

*Threads* share the panels. Each number of a result is made by one thread, which adds in an order that only the shapes
decide: the same bits for any number of threads, and no locks.
"""

import numpy as np

from minigrad_ext.pool import empty
from minigrad_ext.weight_grad import conv2d_weight_grad as conv2d_weight_grad

from cython.parallel cimport prange, threadid
from libc.string cimport memset

from minigrad_ext.geometry cimport Geometry, settle, team
from minigrad_ext.instructions cimport copy, finite, put, real, tile
from minigrad_ext.layout cimport (
    AT_ONCE, COLUMNS, FEW, LANES, SLACK, TERMS, WIDE, WORKSPACE, Correlation, Cut, forward, lay_out, layout_size,
    point, prepare, table_size,
)

cdef enum:
    PANEL = 192            # columns of a panel: places
    PITCH = 208            # from row to row of a panel: copies of whole vectors may reach beyond the columns
    STRIPE = 24 * 1024     # bytes of a panel that weights pass over together
    MOST = 128             # tiles of outs that pass over a panel together: their sums should stay in the caches
    SMALL = 1 << 18        # bytes of a layout that, with what is made of it, stays in a second-level cache


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


cdef inline Py_ssize_t count_terms(const Correlation *m) noexcept nogil:
    return m.channels * m.rows * m.columns


cdef void pack_weights(
    const Correlation *m, const Py_ssize_t[::1] kinds, const real *w, Py_ssize_t first_unit, Py_ssize_t last_unit,
    real *packed,
) noexcept nogil:
    """The weights of some kinds, and of each unit of outs, as an array (terms, unit). They are read in the order in
    which they lie in w, once for all kinds."""
    cdef Py_ssize_t unit, out, outs, a, c, t, k, number, taps
    cdef real *to
    cdef const real *from_
    for c in range(m.channels):
        for unit in range(first_unit, last_unit):
            out = unit % m.tiles * m.unit
            outs = min(m.unit, m.outs - out)
            for number in range(kinds.shape[0]):
                k = kinds[number]
                taps = m[k].rows * m[k].columns
                to = packed + weights_before(m + k) + unit * m[k].unit_step + c * taps * m.unit
                for t in range(taps):
                    from_ = w + unit // m.tiles * m.w_group + out * m.w_out + c * m.w_channel + m[k].weight[t]
                    for a in range(outs):
                        to[t * m.unit + a] = from_[a * m.w_out]


cdef inline Py_ssize_t weights_before(const Correlation *m) noexcept nogil:
    """How many packed weights of other kinds there are before those of m."""
    return m.terms_before * m.groups * m.tiles * m.unit


cdef inline const real *weights_of(
    const Correlation *m, const real *w, Py_ssize_t unit, Py_ssize_t term
) noexcept nogil:
    """Where those of a unit, from some term on, are in w, be it packed or not."""
    return w + unit // m.tiles * m.group_step + unit % m.tiles * m.unit_step + term * m.term_step


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
    """What the taps of the block see from the places of the panel: an array (channels, taps, PITCH)."""
    cdef Py_ssize_t t, k, size
    cdef const Segment *s
    for t in range(b.tap, b.tap + b.taps):
        for k in range(count):
            s = segments + k
            # Whole vectors, where there is something behind them; the next segment overwrites what is too much.
            size = s.size if m.flat else (s.size + LANES - 1) // LANES * LANES
            copy(
                m.set, panel + (t - b.tap) * PITCH + s.at, b.taps * PITCH,
                layout + ((s.n * m.groups + group) * m.channels + b.channel) * m.plane
                + m.tap[t] + s.i * m.pitch + s.j, m.plane, b.channels, size,
            )


cdef inline Py_ssize_t stripe_of(Py_ssize_t column) noexcept nogil:
    """How many columns, of so many bytes each, stay in the first-level cache while all units of outs pass over them."""
    return max(COLUMNS // 2, STRIPE // column // COLUMNS * COLUMNS)


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
        copy(m.set, out, out_pitch, result, pitch, rows, columns)
    else:
        for i in range(rows):
            put(m.set, out + i * out_pitch, m.out_column, result + i * pitch, columns)


cdef void packed_panel(
    const Correlation *m, const real *layout, const real *w, real *out, Py_ssize_t start, Py_ssize_t stop,
    Py_ssize_t unit, Py_ssize_t last_unit, const Py_ssize_t *offset, real *panel,
) noexcept nogil:
    """The result at places start ... stop - 1, for some units: those of all groups in a row."""
    cdef Segment segments[PANEL]
    cdef Py_ssize_t count = find_segments(m, start, stop, segments)
    cdef Py_ssize_t end, group, done, first, outs, u
    # Whole tiles go right to their place; others, which write more than there is, through an array of their own.
    cdef bint straight = (
        (stop - start) % LANES == 0 and segments[0].n == segments[count - 1].n
        and m.out_column == 1 and m.out_row == m.grid_width
    )
    cdef real *result = panel + TERMS * PITCH
    cdef real *to
    cdef Py_ssize_t pitch = m.out_plane if straight else PANEL, k, q, stripe
    cdef const Segment *s
    cdef Block b
    while unit < last_unit:
        group = unit // m.tiles
        end = min(last_unit, (group + 1) * m.tiles)
        first = unit % m.tiles * m.unit
        outs = min(m.outs, (end - group * m.tiles) * m.unit) - first
        if straight:
            result = place(m, out, segments[0].n, group * m.outs + first, segments[0].i, segments[0].j)
        done = 0
        memset(&b, 0, sizeof(b))
        while next_block(m, &b):
            pack_panel(m, layout, group, &b, segments, count, panel)
            for k in range(b.channels * b.taps if (stop - start) % LANES else 0):
                memset(panel + k * PITCH + stop - start, 0, LANES * sizeof(real))
            stripe = stripe_of(<Py_ssize_t>sizeof(real) * b.channels * b.taps)
            q = 0
            while q < stop - start:
                for u in range(unit, end):
                    tile(
                        m.set, weights_of(m, w, u, done), m.term_step, m.out_step, panel + q, offset,
                        b.channels * b.taps, result + (u - unit) * m.unit * pitch + q, pitch,
                        min(m.unit, outs - (u - unit) * m.unit), min(stripe, stop - start - q), done == 0,
                    )
                q += stripe
            done += b.channels * b.taps
        for k in range(0 if straight else count):
            s = segments + k
            to = place(m, out, s.n, group * m.outs + first, s.i, s.j)
            write_out(m, result + s.at, PANEL, outs, s.size, to, m.out_plane)
        unit = end


cdef void wide_panel(
    const Correlation *m, const real *layout, const real *w, real *out, Py_ssize_t image, Py_ssize_t i,
    Py_ssize_t rows, Py_ssize_t j, Py_ssize_t columns, Py_ssize_t first_tile, const Py_ssize_t *offset, real *result,
) noexcept nogil:
    """Part of the result of some outs of one group of one image, from place (i, j) on, given the image's layout. What
    lies between the rows is computed, too."""
    cdef Py_ssize_t n = image // m.groups, group = image % m.groups, u, a, done = 0, size, first = first_tile * m.unit
    cdef Py_ssize_t terms = m.channels * m.rows * m.columns, outs = min(AT_ONCE * m.unit, m.outs - first)
    cdef Py_ssize_t places = (rows - 1) * m.pitch + columns, q, stripe
    layout += i * m.pitch + j
    w = weights_of(m, w, group * m.tiles + first_tile, 0)
    while done < terms:
        size = min(TERMS, terms - done)
        stripe = stripe_of(<Py_ssize_t>sizeof(real) * size)
        q = 0
        while q < places:
            for u in range((outs + m.unit - 1) // m.unit):
                tile(
                    m.set, w + u * m.unit_step + done * m.term_step, m.term_step, m.out_step, layout + q,
                    offset + done, size, result + u * m.unit * WIDE + q, WIDE, min(m.unit, outs - u * m.unit),
                    min(stripe, places - q), done == 0,
                )
            q += stripe
        done += size
    for a in range(outs):
        write_out(
            m, result + a * WIDE, m.pitch, rows, columns, place(m, out, n, group * m.outs + first + a, i, j), m.out_row
        )


cdef inline void cut_panel(
    const Correlation *m, const real *layout, const real *w, real *out, Py_ssize_t image,
    Py_ssize_t panel, Py_ssize_t part, const Py_ssize_t *offset, real *result,
) noexcept nogil:
    """One of the panels that `m.cut` speaks of, and one of its parts of the outs."""
    cdef const Cut *c = &m.cut
    cdef Py_ssize_t i = panel // c.across * c.rows, j = panel % c.across * c.columns
    wide_panel(
        m, layout, w, out, image, i, min(c.rows, m.grid_height - i), j, min(c.columns, m.grid_width - j),
        part * AT_ONCE, offset, result,
    )


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


cdef void find_offsets(const Correlation *m, Py_ssize_t *offset) noexcept nogil:
    """Where in the layout of an image each term begins."""
    cdef Py_ssize_t k
    cdef Block b
    memset(&b, 0, sizeof(b))
    while next_block(m, &b):
        for k in range(b.channels * b.taps):
            offset[0] = (b.channel + k // b.taps) * m.plane + m.tap[b.tap + k % b.taps]
            offset += 1


cdef bint correlate(
    Correlation *m, Py_ssize_t kinds, const real *source, const real *w, real *out, int threads
) except? False:
    """Fills `out`, by one correlation for each kind of places; returns whether it is right. It is not where the zeros
    of a border met weights that are not finite: there the equation has no product at all, and here 0 times infinity
    left a NaN."""
    cdef Py_ssize_t units = m.groups * m.tiles, size = 0, terms = 0, weights = m.groups * m.w_group, k, item
    cdef bint wide = True, border = False, all_finite = True
    for k in range(kinds):
        m[k].terms_before = terms
        terms += count_terms(m + k)
        size = max(size, layout_size(m + k) // m.groups)
        wide &= m[k].wide
        border |= m[k].border
    cdef Py_ssize_t[::1] to_pack = np.array(
        [k for k in range(kinds) if count_terms(m + k) > 0 and not m[k].in_order], np.intp)
    cdef real[::1] packed = empty((max(1, units * terms * m.unit) if to_pack.shape[0] else 1,), type_of(w))
    for item in prange(threads, nogil=True, schedule="static", num_threads=threads):
        if to_pack.shape[0]:
            pack_weights(m, to_pack, w, item * units // threads, (item + 1) * units // threads, &packed[0])
        if border:
            all_finite &= finite(
                m.set, w + item * weights // threads,
                (item + 1) * weights // threads - item * weights // threads,
            )
    if wide and size <= SMALL // <Py_ssize_t>sizeof(real) and m.batch * m.groups >= 2 * threads:
        image_by_image(m, kinds, size, terms, source, w, &packed[0], out, threads)
    else:
        for k in range(kinds):
            kind_by_kind(m + k, source, w if m[k].in_order else &packed[0] + weights_before(m + k), out, threads)
    return all_finite or not border


cdef inline type_of(const real *w):
    return np.dtype(np.float32 if real is float else np.float64)


cdef int image_by_image(
    Correlation *m, Py_ssize_t kinds, Py_ssize_t size, Py_ssize_t terms, const real *source, const real *w,
    const real *packed, real *out, int threads,
) except -1:
    """One group of one image after the other, each laid out, and done for all kinds of places, by one thread: what it
    reads and writes stays in its caches. Panels are not packed."""
    cdef Py_ssize_t item, k, private = size + SLACK + AT_ONCE * m.unit * WIDE
    cdef real[::1] scratch = empty((threads * private,), type_of(w))
    cdef Py_ssize_t[::1] offset = np.empty(max(1, terms), np.intp)
    for k in range(kinds):
        find_offsets(m + k, &offset[0] + m[k].terms_before)
    for item in prange(m.batch * m.groups, nogil=True, schedule="dynamic", num_threads=threads,
                       chunksize=max(1, m.batch * m.groups // (16 * threads))):
        for k in range(kinds):
            one_image(
                m + k, source, w if m[k].in_order else packed + weights_before(m + k), out, item,
                &offset[0] + m[k].terms_before, &scratch[threadid() * private],
                &scratch[threadid() * private] + size + SLACK,
            )
    return 0


cdef void one_image(
    const Correlation *m, const real *source, const real *w, real *out, Py_ssize_t image,
    const Py_ssize_t *offset, real *layout, real *result,
) noexcept nogil:
    """All places of one kind in one group of one image."""
    cdef Py_ssize_t k, panel
    if nothing_to_add(m):
        zero_out(m, out, image * m.outs, (image + 1) * m.outs)
        return
    for k in range(m.channels):
        lay_out(m, source + (image * m.channels + k) * m.height * m.width, layout + k * m.plane)
    memset(layout + m.channels * m.plane, 0, SLACK * sizeof(real))
    for panel in range(m.cut.panels):
        for k in range(m.cut.parts):
            cut_panel(m, layout, w, out, image, panel, k, offset, result)


cdef int kind_by_kind(Correlation *m, const real *source, const real *w, real *out, int threads) except -1:
    """Places of one kind in all images."""
    cdef Py_ssize_t units = m.groups * m.tiles, terms = count_terms(m), image, images, first
    cdef Py_ssize_t places, runs, vectors, panels, parts, item, p, k, first_place
    cdef Py_ssize_t private = AT_ONCE * m.unit * WIDE if m.wide else TERMS * PITCH + min(m.tiles, MOST) * m.unit * PANEL
    if nothing_to_add(m):
        zero_out(m, out, 0, m.batch * m.groups * m.outs)
        return 0
    image = layout_size(m)
    dtype = type_of(w)
    images = m.batch if m.flat else max(1, min(m.batch, WORKSPACE // <Py_ssize_t>sizeof(real) // image))
    cdef real[::1] laid = empty((1 if m.flat else images * image + SLACK,), dtype)
    cdef real[::1] scratch = empty((threads * private,), dtype)
    cdef Py_ssize_t[::1] offset = np.empty(max(terms, TERMS), np.intp)
    cdef const real *layout = &laid[0]
    if m.wide:
        find_offsets(m, &offset[0])
    else:
        for k in range(TERMS):
            offset[k] = k * PITCH
    if not m.flat:
        memset(&laid[images * image], 0, SLACK * sizeof(real))
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
            panels = m.cut.panels * m.cut.parts
            for item in prange(
                images * m.groups * panels, nogil=True, schedule="dynamic", num_threads=threads,
                chunksize=max(1, images * m.groups * panels // (16 * threads)),
            ):
                cut_panel(
                    m, layout + item // panels * m.channels * m.plane, w, out, item // panels,
                    item // m.cut.parts % m.cut.panels, item % m.cut.parts, &offset[0], &scratch[threadid() * private],
                )
        else:
            # Runs of places: each image, or all of them where they are small. (Results of one go right to their place.)
            places = m.grid_height * m.grid_width
            runs = images if places >= 4 * PANEL else 1
            places = places * images // runs
            vectors = (places + LANES - 1) // LANES
            panels = (places + PANEL - 1) // PANEL
            # Few panels, or many units: these are shared out as well, though each part then packs the panel anew.
            parts = (units + MOST - 1) // MOST
            if threads > 1:
                parts = max(parts, min(units, (4 * threads + runs * panels - 1) // (runs * panels)))
            for item in prange(
                runs * panels * parts, nogil=True, schedule="dynamic", num_threads=threads,
                chunksize=max(1, runs * panels * parts // (16 * threads)),
            ):
                first_place = item // (panels * parts) * places
                p = item // parts % panels
                packed_panel(
                    m, layout, w, out, first_place + p * vectors // panels * LANES,
                    first_place + min(places, (p + 1) * vectors // panels * LANES), item % parts * units // parts,
                    (item % parts + 1) * units // parts, &offset[0], &scratch[threadid() * private],
                )
        source += images * m.groups * m.channels * m.height * m.width
        out += images * m.groups * m.outs * m.out_plane
        first += images
    return 0


# --- the two maps that are correlations ----------------------------------------------------------------------

def conv2d(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] w, real[:, :, :, ::1] y, geometry, int threads, int set
):
    """y = conv2d(x, w); returns whether it is right (see `correlate`)"""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    cdef Py_ssize_t[::1] table = np.empty(table_size(&g), np.intp)
    cdef Correlation m
    forward(&g, &m, &table[0], set)
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
        of_kind(&g, <Correlation *>&kinds[kind, 0], &table[kind, 0], kind // columns, kind % columns, set)
    return correlate(
        <Correlation *>&kinds[0, 0], rows * columns, &y[0, 0, 0, 0], &w[0, 0, 0, 0], &x[0, 0, 0, 0], team(&g, threads)
    )


cdef void of_kind(
    const Geometry *g, Correlation *m, Py_ssize_t *table, Py_ssize_t a, Py_ssize_t b, int set
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
    prepare(m)
