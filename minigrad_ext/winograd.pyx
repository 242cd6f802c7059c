# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The third rung: Winograd's convolution, for 3 x 3 kernels that move by single pixels. Fewer multiplications.

*By hand.* Two results of a kernel of three taps, y0 = d0 g0 + d1 g1 + d2 g2 and y1 = d1 g0 + d2 g1 + d3 g2, take six
multiplications. Or four:

    m0 = (d0 - d2) g0     m1 = (d1 + d2) (g0 + g1 + g2) / 2     m2 = (d2 - d1) (g0 - g1 + g2) / 2     m3 = (d3 - d1) g2
    y0 = m0 + m1 + m2     y1 = m1 - m2 + m3

That is F(2, 3). The additions seem to outweigh what was saved. But in a convolution every d meets many kernels g,
every g many d, and every y is a sum over channels, which may as well be taken of the m. So all additions are done
once per pixel, tap or result, and what is done for each pair of channels is multiplications alone: 4 in place of 6.

*Where it comes from.* Think of polynomials, g(z) = g0 + g1 z + g2 z^2, y(z) = y0 + y1 z. The coefficient of z^k in
their product is the sum of all y[i] g[u] with i + u = k: the pairs that meet the pixel d[k]. So the trilinear form of
which the three maps are the derivatives (minigrad/backends/base.py) is, in one dimension, T = sum over k of d[k] (y
g)[k]. Now, a polynomial of degree 3 is known from its values at four points, and the value of a product is the
product of values: evaluate y and g at 0, 1, -1 and "infinity" (the highest coefficient), multiply, and interpolate.
All three steps are matrices,

    T = sum over points s of  (A y)[s] * (G g)[s] * (B^T d)[s],

and its derivatives by y and g, with . for the product of elements, are

    y = A^T [(G g) . (B^T d)]     and     g = G^T [(A y) . (B^T d)].

*What is used here* is F(4 x 4, 3 x 3): four results by three taps have degree 5, hence six points, 0, 3/4, -3/4, 3/2,
-3/2 and infinity; and in two dimensions columns are transformed first, then rows. A tile of 4 x 4 results takes 36
products instead of 144. The price is rounding: differences of large numbers appear on the way. With the points of the
literature, 0, 1, -1, 2, -2, the error is about 2.4e-6 of the result (512 channels), with ours, just as cheap, 1.1e-6;
the direct rung has 4e-7.

*The products* with a sum over channels are a matrix product for each of the 36 points s, which the kernel of tile.h
does:

    conv2d               y = A^T S A,   S[s,t,o] = sum over c of V[s,t,c] * U[s,c,o],   V = B^T d B,   U = G w G^T
    conv2d_input_grad    the same, of y and the kernels turned by 180 degrees
    conv2d_weight_grad   w = G^T S G,   S[s,o,c] = sum over t of Y[s,t,o] * V[s,t,c],   Y = A y A^T

with tiles t of all images in a row. Channels are innermost everywhere: they are what the lanes of a vector hold, so
that the transforms need no thought about lanes.

*Dilation.* With dilation d, tap u meets at place i the pixel i + u * d (less the padding). So the places a, a + d, a +
2 * d ... see pixels of one kind alone, every d-th, and among these they are neighbours: it is d ordinary convolutions
side by side, in each direction, and a tile is of every d-th place. The d tiles that begin in the columns from 4 * d * j
to 4 * d * j + d - 1 have every column up to the next j between them: they are numbered in a row, and done together.

*Caches.* V and S are nine quarters of x and y: they must not travel to memory. Where tiles outnumber channels, U is
made first; then each thread takes a block of tiles from x over V and S to y, within its second-level cache. Otherwise
weights are the larger part, and it is the other way round: V is made first; then each thread takes a panel of output
channels, makes their part of U, and multiplies all tiles with it.

*Threads* share blocks of tiles, panels, or the points s. Each number is made by one thread, which adds in an order
that only the shapes decide: the same bits for any number of threads.

*Infinity and NaN* spread over a tile, as infinity - infinity is NaN. The functions return whether all numbers of the
result are finite. If not, the caller must take the direct rung, which puts each where the equation does.

After S. Winograd, Arithmetic complexity of computations (1980); A. Lavin, S. Gray, Fast algorithms for convolutional
neural networks (2015), https://arxiv.org/abs/1509.09308.
"""

from cython.parallel cimport prange, threadid

from minigrad_ext.pool import FLOATS, empty

cdef extern from *:
    "#define WINOGRAD"

from minigrad_ext.geometry cimport Geometry, divide, settle, team
from minigrad_ext.instructions cimport lanes, real, tile_vectors
from minigrad_ext.transforms cimport (
    SEGMENT, TERMS, finish_w, finish_y, multiply_u_v, multiply_v_u, transform_tiles, transform_w
)

cdef enum:
    POINTS = 36
    TILES = 48            # in a block, about
    WORKSPACE = 1 << 21   # bytes for each thread, about: what the weight gradient has in work at a time


# --- sizes ---------------------------------------------------------------------------------------------------

cdef struct Images:  # an array (batch, groups * channels, height, width)
    const void *start   # of numbers of the type that the functions below are for
    const void *end
    Py_ssize_t channels, height, width
    Py_ssize_t top, left   # padding: places begin at pixel (-top, -left)

cdef struct Array:  # (POINTS, rows, columns) for each group; rows and planes do not fall upon each other in the cache
    Py_ssize_t row, plane, group   # distances

cdef struct Map:
    Images x, y
    Py_ssize_t groups, across, image, tiles    # tiles in a row of an image, in an image, in all
    Py_ssize_t row_dilation, dilation          # of rows, of columns
    Py_ssize_t lanes, vectors, panel, panels   # vectors and channels in a panel
    int set


cdef inline Py_ssize_t odd(Py_ssize_t size, Py_ssize_t lanes) noexcept nogil:
    """At least `size`; an odd number of vectors."""
    return divide(size, lanes) // 2 * 2 * lanes + lanes


cdef Array array(const Map *m, Py_ssize_t rows, Py_ssize_t columns) noexcept:
    cdef Array a
    a.row = odd(columns, m.lanes)
    a.plane = odd(rows * a.row, m.lanes)
    a.group = POINTS * a.plane
    return a


cdef Map settle_map(const Geometry *g, geometry, int set, Py_ssize_t lanes) except *:
    cdef Map m
    if (
        g.kernel_height != 3 or g.kernel_width != 3 or g.row_stride != 1 or g.column_stride != 1
        or g.column_dilation > SEGMENT
    ):
        raise ValueError(f"winograd: only 3 x 3 kernels with stride 1 and a dilation of columns of at most {SEGMENT}, "
                         f"which {geometry} has not.")
    m.row_dilation, m.dilation = g.row_dilation, g.column_dilation
    m.set, m.groups, m.lanes = set, g.groups, lanes
    m.x.channels, m.x.height, m.x.width = g.channels, g.height, g.width
    m.y.channels, m.y.height, m.y.width = g.out_channels, g.out_height, g.out_width
    m.x.top, m.x.left, m.y.top, m.y.left = g.row_padding, g.column_padding, 0, 0
    return m


cdef void cut(Map *m, Py_ssize_t batch, Py_ssize_t channels) noexcept:
    """Cuts y into tiles, and `channels` into panels as wide as each other."""
    cdef Py_ssize_t vectors = divide(channels, m.lanes)
    cdef Py_ssize_t above = m.y.height // (4 * m.row_dilation) * 4 * m.row_dilation  # rows above the last tiles
    m.across = divide(m.y.width, 4 * m.dilation) * m.dilation
    m.image = (above // 4 + min(m.row_dilation, m.y.height - above)) * m.across
    m.tiles = batch * m.image
    m.panels = divide(vectors, tile_vectors(m.set))
    m.vectors = max(1, divide(vectors, m.panels))
    m.panel = m.vectors * m.lanes


cdef struct Segment:  # tiles that are neighbours in a row of image n; the first has this number in the row
    Py_ssize_t n, row, first, tiles


cdef inline Segment segment(const Map *m, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """The tiles from `first` on, as far as the end of their row, or `last`, or the last of those that share columns."""
    cdef Segment s
    cdef Py_ssize_t row = first % m.image // m.across, most = SEGMENT // m.dilation * m.dilation
    s.n, s.row = first // m.image, row // m.row_dilation * 4 * m.row_dilation + row % m.row_dilation
    s.first = first % m.across
    s.tiles = min(most - s.first % m.dilation, min(m.across - s.first, last - first))
    return s


# --- all tiles, all channels ---------------------------------------------------------------------------------

cdef void transform_images(
    const Map *m, const Images *a, Py_ssize_t group, Py_ssize_t first, Py_ssize_t last, real *out, const Array *v
) noexcept nogil:
    """out[s, t - first, c] for the tiles first <= t < last, of x or of y."""
    cdef Py_ssize_t c = 0, t, channels
    cdef const real *start
    cdef Segment s
    while c < a.channels:
        t = first
        while t < last:
            s = segment(m, t, last)
            start = <const real *>a.start + ((s.n * m.groups + group) * a.channels + c) * a.height * a.width
            channels = min(m.lanes, a.channels - c)
            transform_tiles(
                m.set, start, <const real *>a.end, a.height, a.width, channels, s.row - a.top, -a.left,
                m.row_dilation, m.dilation, s.first, s.tiles, a == &m.y, out + (t - first) * v.row + c, v.row, v.plane,
            )
            t += s.tiles
        c += m.lanes


cdef struct Weights:
    const void *start
    const void *end
    Py_ssize_t group, output, channel   # distances
    bint turned


cdef void transform_weights(
    const Map *m, const Weights *w, Py_ssize_t group, Py_ssize_t panel, Py_ssize_t first, Py_ssize_t last, real *out,
    Py_ssize_t plane,
) noexcept nogil:
    """out[s, c - first, o] for some channels c of x, and the output channels o of a panel."""
    cdef Py_ssize_t c, o = panel * m.panel, end = min(m.y.channels, o + m.panel)
    while o < end:
        for c in range(first, last):
            transform_w(m.set, <const real *>w.start + group * w.group + o * w.output + c * w.channel,
                        <const real *>w.end, w.output, min(m.lanes, end - o), w.turned,
                        out + (c - first) * m.panel, plane)
        o += m.lanes
        out += m.lanes


cdef void multiply(
    const Map *m, Py_ssize_t tiles, Py_ssize_t outputs, const real *v, const Array *v_array, const real *u,
    Py_ssize_t u_plane, real *sums, const Array *s_array, Py_ssize_t channels, bint fresh,
) noexcept nogil:
    """sums[s, t, o] (+)= the sum of v[s, t, c] * u[s, c, o] over some channels c of x"""
    cdef Py_ssize_t s
    for s in range(POINTS):
        multiply_v_u(m.set, v + s * v_array.plane, v_array.row, tiles, u + s * u_plane, m.vectors, outputs,
                     sums + s * s_array.plane, s_array.row, channels, fresh)


cdef bint finish(
    const Map *m, Py_ssize_t group, Py_ssize_t first, Py_ssize_t last, Py_ssize_t start, Py_ssize_t stop,
    const real *sums, const Array *s_array,
) noexcept nogil:
    """Tiles first ... last - 1 of channels start ... stop - 1 of y, from their sums. Returns whether a number is not
    finite."""
    cdef Py_ssize_t o = start, t
    cdef Segment part
    cdef bint not_finite = False
    while o < stop:
        t = first
        while t < last:
            part = segment(m, t, last)
            not_finite |= finish_y(
                m.set, sums + (t - first) * s_array.row + o - start, s_array.row, s_array.plane,
                <real *>m.y.start + ((part.n * m.groups + group) * m.y.channels + o) * m.y.height * m.y.width,
                m.y.height, m.y.width, min(m.lanes, stop - o), part.row, 4 * part.first,
                m.row_dilation, m.dilation, part.tiles,
            )
            t += part.tiles
        o += m.lanes
    return not_finite


# --- y = A^T [(G w G^T) . (B^T x B)] A -----------------------------------------------------------------------

cdef bint tiles_in_turn(Map *m, const Weights *w, const real *weights, int threads) except *:
    """First U, then blocks of tiles."""
    cdef Py_ssize_t item, blocks, block, private, c, panel, plane = odd(m.panels * m.panel * m.x.channels, m.lanes)
    cdef Py_ssize_t cuts = divide(m.x.channels, 16)
    cdef bint not_finite = False
    cdef Array v, s
    blocks = divide(m.tiles, TILES)
    blocks = divide(blocks, threads) * threads   # as many for each thread
    block = divide(divide(m.tiles, blocks), m.dilation) * m.dilation   # for finish_y
    blocks = divide(m.tiles, block)
    v, s = array(m, block, m.x.channels), array(m, block, m.y.channels)
    private = v.group + s.group
    cdef real[::1] shared = empty((m.groups * POINTS * plane,), FLOATS[sizeof(real)])
    cdef real[::1] scratch = empty((threads * private,), FLOATS[sizeof(real)])
    cdef real *u = &shared[0]
    cdef real *mine = &scratch[0]
    for item in prange(m.groups * m.panels * cuts, nogil=True, schedule="static", num_threads=threads):
        c = item % cuts * m.x.channels // cuts
        panel = item // cuts
        transform_weights(
            m, w, panel // m.panels, panel % m.panels, c, (item % cuts + 1) * m.x.channels // cuts,
            u + panel // m.panels * POINTS * plane + (panel % m.panels * m.x.channels + c) * m.panel, plane,
        )
    for item in prange(m.groups * blocks, nogil=True, schedule="dynamic", num_threads=threads):
        not_finite |= block_of_tiles(m, item // blocks, item % blocks * block, min(m.tiles,
                                                                                   (item % blocks + 1) * block),
                                     u + item // blocks * POINTS * plane, plane, mine + threadid() * private, &v, &s)
    return not_finite


cdef bint block_of_tiles(
    const Map *m, Py_ssize_t group, Py_ssize_t first, Py_ssize_t last, const real *u, Py_ssize_t u_plane, real *mine,
    const Array *v, const Array *s,
) noexcept nogil:
    transform_images(m, &m.x, group, first, last, mine, v)
    multiply(m, last - first, m.y.channels, mine, v, u, u_plane, mine + v.group, s, m.x.channels, True)
    return finish(m, group, first, last, 0, m.y.channels, mine + v.group, s)


cdef bint panels_in_turn(Map *m, const Weights *w, const real *weights, int threads) except *:
    """First V, then panels of output channels."""
    cdef Py_ssize_t item, blocks = divide(m.tiles, 8), private
    cdef Py_ssize_t plane = odd(m.panel * min(<Py_ssize_t>TERMS, m.x.channels), m.lanes)
    cdef bint not_finite = False
    cdef Array v = array(m, m.tiles, m.x.channels), s = array(m, m.tiles, m.panel)
    private = POINTS * plane + s.group
    cdef real[::1] shared = empty((m.groups * v.group,), FLOATS[sizeof(real)])
    cdef real[::1] scratch = empty((threads * private,), FLOATS[sizeof(real)])
    cdef real *all_v = &shared[0]
    cdef real *mine = &scratch[0]
    for item in prange(m.groups * blocks, nogil=True, schedule="dynamic", num_threads=threads):
        transform_images(m, &m.x, item // blocks, item % blocks * 8, min(m.tiles, item % blocks * 8 + 8),
                         all_v + item // blocks * v.group + item % blocks * 8 * v.row, &v)
    for item in prange(m.groups * m.panels, nogil=True, schedule="dynamic", num_threads=threads):
        not_finite |= panel_of_outputs(m, w, item // m.panels, item % m.panels, all_v + item // m.panels * v.group, &v,
                                       mine + threadid() * private, plane, &s)
    return not_finite


cdef bint panel_of_outputs(
    const Map *m, const Weights *w, Py_ssize_t group, Py_ssize_t panel, const real *v, const Array *v_array,
    real *mine, Py_ssize_t plane, const Array *s,
) noexcept nogil:
    """The weights for TERMS channels at a time: U stays in the second-level cache between its making and its use."""
    cdef Py_ssize_t start = panel * m.panel, stop = min(m.y.channels, start + m.panel), c = 0, channels
    cdef real *sums = mine + POINTS * plane
    while c == 0 or c < m.x.channels:
        channels = min(<Py_ssize_t>TERMS, m.x.channels - c)
        transform_weights(m, w, group, panel, c, c + channels, mine, plane)
        multiply(m, m.tiles, stop - start, v + c, v_array, mine, plane, sums, s, channels, c == 0)
        c += channels if channels else 1
    return finish(m, group, 0, m.tiles, start, stop, sums, s)


cdef bint correlate(Map *m, const Weights *w, const real *weights, Py_ssize_t batch, int threads) except *:
    cut(m, batch, m.y.channels)
    if m.tiles * m.groups * m.y.channels == 0:
        return False
    if m.tiles < m.y.channels:
        return panels_in_turn(m, w, weights, threads)
    return tiles_in_turn(m, w, weights, threads)


def conv2d(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] w, real[:, :, :, ::1] y, geometry, int threads, int set
):
    """y = conv2d(x, w). Returns whether all of it is finite."""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    cdef Map m = settle_map(&g, geometry, set, lanes(set, &w[0, 0, 0, 0]))
    cdef Weights weights
    m.x.start, m.y.start, weights.start = &x[0, 0, 0, 0], &y[0, 0, 0, 0], &w[0, 0, 0, 0]
    m.x.end, weights.end = &x[0, 0, 0, 0] + <Py_ssize_t>x.size, &w[0, 0, 0, 0] + <Py_ssize_t>w.size
    weights.group, weights.output, weights.channel = g.out_channels * g.channels * 9, g.channels * 9, 9
    weights.turned = False
    return not correlate(&m, &weights, &w[0, 0, 0, 0], g.batch, team(&g, threads))


def conv2d_input_grad(
    const real[:, :, :, ::1] y, const real[:, :, :, ::1] w, real[:, :, :, ::1] x, geometry, int threads, int set
):
    """x = conv2d_input_grad(y, w). Returns whether all of it is finite."""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    cdef Map m = settle_map(&g, geometry, set, lanes(set, &w[0, 0, 0, 0]))
    cdef Weights weights
    m.x, m.y = m.y, m.x
    m.x.top, m.x.left = 2 * g.row_dilation - g.row_padding, 2 * g.column_dilation - g.column_padding
    m.x.start, m.y.start, weights.start = &y[0, 0, 0, 0], &x[0, 0, 0, 0], &w[0, 0, 0, 0]
    m.x.end, weights.end = &y[0, 0, 0, 0] + <Py_ssize_t>y.size, &w[0, 0, 0, 0] + <Py_ssize_t>w.size
    weights.group, weights.output, weights.channel = g.out_channels * g.channels * 9, 9, g.channels * 9
    weights.turned = True
    return not correlate(&m, &weights, &w[0, 0, 0, 0], g.batch, team(&g, threads))


# --- w = G^T [(A y A^T) . (B^T x B)] G -----------------------------------------------------------------------

cdef void chunk_of_tiles(
    const Map *m, Py_ssize_t group, Py_ssize_t first, Py_ssize_t last, real *v, const Array *v_array, real *u,
    const Array *u_array,
) noexcept nogil:
    transform_images(m, &m.x, group, first, last, v, v_array)
    transform_images(m, &m.y, group, first, last, u, u_array)


cdef bint finish_row(const Map *m, const real *sums, Py_ssize_t plane, real *w) noexcept nogil:
    """The kernels w[c] of one output channel. Returns whether a number is not finite."""
    cdef Py_ssize_t c = 0
    cdef bint not_finite = False
    while c < m.x.channels:
        not_finite |= finish_w(m.set, sums + c, plane, w + c * 9, min(m.lanes, m.x.channels - c))
        c += m.lanes
    return not_finite


def conv2d_weight_grad(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] y, real[:, :, :, ::1] w, geometry, int threads, int set
):
    """w = conv2d_weight_grad(x, y). Returns whether all of it is finite.

    Chunks of tiles, as many as the workspace holds, are transformed and multiplied in turn; a multiple of TERMS each,
    so that their number does not change the order of a sum. If there is one chunk alone, then the sums S of some output
    channels are finished before those of the next begin.
    """
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    cdef Map m = settle_map(&g, geometry, set, lanes(set, &w[0, 0, 0, 0]))
    cdef Py_ssize_t chunk, start, stop, first, last, item, group, point, blocks, outputs
    cdef bint not_finite = False
    cdef Array v, u, s
    cut(&m, g.batch, g.channels)
    if <Py_ssize_t>w.size == 0:
        return True
    if m.tiles == 0:
        w[:, :, :, :] = 0
        return True
    threads = team(&g, threads)
    m.x.start, m.y.start = &x[0, 0, 0, 0], &y[0, 0, 0, 0]
    m.x.end, m.y.end = &x[0, 0, 0, 0] + <Py_ssize_t>x.size, &y[0, 0, 0, 0] + <Py_ssize_t>y.size
    cdef Py_ssize_t channel = <Py_ssize_t>sizeof(real) * POINTS * g.groups  # bytes for one, of one tile
    chunk = threads * WORKSPACE // (channel * (odd(g.channels, m.lanes) + odd(g.out_channels, m.lanes)))
    chunk = min(m.tiles, max(TERMS, chunk // TERMS * TERMS))
    outputs = g.out_channels if chunk < m.tiles else min(
        g.out_channels, max(24, threads * WORKSPACE // (channel * odd(g.channels, m.lanes)) // 24 * 24))
    v, u, s = array(&m, chunk, g.channels), array(&m, chunk, g.out_channels), array(&m, outputs, g.channels)
    cdef real[::1] workspace = empty((g.groups * (v.group + u.group + s.group),), FLOATS[sizeof(real)])
    cdef real *all_v = &workspace[0]
    cdef real *all_u = all_v + g.groups * v.group
    cdef real *sums = all_u + g.groups * u.group
    start = 0
    while start < m.tiles:
        stop = min(m.tiles, start + chunk)
        blocks = divide(stop - start, 16)
        for item in prange(g.groups * blocks, nogil=True, schedule="guided", num_threads=threads):
            group = item // blocks
            first = item % blocks * 16
            chunk_of_tiles(&m, group, start + first, min(stop, start + first + 16),
                           all_v + group * v.group + first * v.row, &v, all_u + group * u.group + first * u.row, &u)
        first = 0
        while first < g.out_channels:
            last = min(g.out_channels, first + outputs)
            for item in prange(g.groups * POINTS, nogil=True, schedule="guided", num_threads=threads):
                group = item // POINTS
                point = item % POINTS
                multiply_u_v(set, all_u + group * u.group + point * u.plane + first, u.row, last - first,
                             all_v + group * v.group + point * v.plane, v.row, m.vectors, g.channels,
                             sums + group * s.group + point * s.plane, s.row, stop - start, start == 0)
            if stop == m.tiles:
                for item in prange(g.groups * (last - first), nogil=True, schedule="static", num_threads=threads):
                    group = item // (last - first)
                    point = item % (last - first)
                    not_finite |= finish_row(&m, sums + group * s.group + point * s.row, s.plane,
                                             &w[group * g.out_channels + first + point, 0, 0, 0])
            first = last
        start = stop
    return not not_finite
