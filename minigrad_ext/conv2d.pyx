# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The three convolutions on the CPU: one idea three times.

All three are partial derivatives of one trilinear form (minigrad/backends/base.py explains it):

    T = sum over n, o, c, i, j, u, v of  y[n,o,i,j] * x[n,c,h,k] * w[o,c,u,v],
    h = i * stride - padding + u * dilation,  k = j * stride - padding + v * dilation.

Fix all but j: k runs along a row of x while j runs along a row of y. So each map is a sum of *row updates*, loops
without branches over memory that lies side by side, which any compiler turns into vector instructions:

    conv2d               y[n,o,i,:]  +=  w[o,c,u,v] * x[n,c,h,:]
    conv2d_input_grad    x[n,c,h,:]  +=  w[o,c,u,v] * y[n,o,i,:]
    conv2d_weight_grad   total[:]    +=  y[n,o,i,:] * x[n,c,h,:],    and in the end  w[o,c,u,v] = sum of total

`update` is that loop, for all three. Around it stands the same blocking each time:

*Outputs and terms.* One update makes OUTPUTS channels of the result from TERMS terms of the sum, so that every number
is loaded once and used several times. Channels and terms that are left over are done one by one.

*Tiles.* The sums grow in a tile, OUTPUTS x PLACES numbers that stay in the first-level cache. For the first two maps
the places are whole rows, as many as fit, and a block of weights, once loaded, serves them all.

*Outside the image* nothing is multiplied: `meet_rows` and `meet_columns` (tiles.pxd) compute for which i and j a tap
falls inside, and loops begin and end there. Infinities and NaNs go exactly where the equations send them.

*Strides.* The caller stores the columns of x sorted by k mod stride. The columns that one tap meets, k, k + stride,
k + 2 * stride ..., are then neighbours, and rows stay contiguous.

*Threads* take the tiles of the result as they come; one that the machine slows down takes fewer. Each number is written
by one thread, which adds in an order that only the shapes decide: the result has the same bits for any number of
threads, and nothing needs a lock.
"""

from cython.parallel cimport prange

from minigrad_ext.tiles cimport OUTPUTS, Cut, Geometry, Run, Tile, cut, flatten, meet_columns, meet_rows, settle, tile

ctypedef fused real:
    float
    double

cdef enum:
    TERMS = 4
    PLACES = 512
    CHANNELS = 8     # of x that meet, in conv2d_weight_grad, a block of y while it is in the cache; the block has
    ROWS = 64        # about so many rows
    ALONE = 300_000  # multiplications, fewer of which one thread does sooner than several


# --- the row update ------------------------------------------------------------------------------------------

cdef inline void add_rows(
    real *total, const real *f, Py_ssize_t f_output, Py_ssize_t f_term, Py_ssize_t f_place,
    const real *x, Py_ssize_t x_term, Py_ssize_t outputs, Py_ssize_t terms, Py_ssize_t size,
) noexcept nogil:
    cdef Py_ssize_t a, b, j
    cdef real s
    for j in range(size):
        for a in range(outputs):
            s = f[a * f_output + j * f_place] * x[j]
            for b in range(1, terms):
                s = s + f[a * f_output + b * f_term + j * f_place] * x[b * x_term + j]
            total[a * PLACES + j] += s


cdef inline void update(
    real *total, const real *f, Py_ssize_t f_output, Py_ssize_t f_term, Py_ssize_t f_place,
    const real *x, Py_ssize_t x_term, Py_ssize_t outputs, Py_ssize_t terms, Py_ssize_t size,
) noexcept nogil:
    """total[a, j] += sum over b of f[a, b, j] * x[b, j], for `outputs` values of a, `terms` of b and `size` of j.

    The arguments f_... and x_... are the distances between neighbours. Literal numbers of outputs and terms let the
    compiler unroll the inner loops of `add_rows` and turn the one over j into vector instructions.
    """
    if outputs == OUTPUTS and terms == TERMS:
        add_rows(total, f, f_output, f_term, f_place, x, x_term, OUTPUTS, TERMS, size)
    elif outputs == OUTPUTS:
        add_rows(total, f, f_output, f_term, f_place, x, x_term, OUTPUTS, 1, size)
    elif terms == TERMS:
        add_rows(total, f, f_output, f_term, f_place, x, x_term, 1, TERMS, size)
    else:
        add_rows(total, f, f_output, f_term, f_place, x, x_term, 1, 1, size)


cdef inline void clear(real *total, Py_ssize_t outputs, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t a, j
    for a in range(outputs):
        for j in range(size):
            total[a * PLACES + j] = 0


cdef inline void fold(real *total, Py_ssize_t outputs, Py_ssize_t size) noexcept nogil:
    """total[a, 0] = sum over j of total[a, j], by halves: fast, and as accurate as sums of few numbers are."""
    cdef Py_ssize_t a, j, half
    while size > 1:
        half = (size + 1) // 2
        for a in range(outputs):
            for j in range(size - half):
                total[a * PLACES + j] += total[a * PLACES + half + j]
        size = half


cdef inline int team(const Geometry *g, int threads) noexcept nogil:
    """The number of threads to use."""
    cdef double products = <double>g.batch * g.groups * g.out_channels * g.out_height * g.out_width
    products *= <double>g.channels * g.kernel_height * g.kernel_width
    return threads if products >= ALONE and threads > 1 else 1


# --- y[n,o,i,j] = sum over c, u, v of x[n,c,h,k] * w[o,c,u,v] ------------------------------------------------

cdef inline void conv2d_tile(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] w, real[:, :, :, ::1] y, const Geometry *g, Tile t
) noexcept nogil:
    cdef real total[OUTPUTS * PLACES]
    cdef real weights[OUTPUTS * TERMS]
    cdef Py_ssize_t n = t.n, o = t.group * g.out_channels + t.channel, x_c = t.group * g.channels
    cdef Py_ssize_t a, b, c = 0, h, i, j, u, v, terms, width = t.right - t.left
    cdef Run rows, columns
    clear(total, t.outputs, (t.bottom - t.top) * width)
    while c < g.channels:
        terms = TERMS if c + TERMS <= g.channels else 1
        for u in range(g.kernel_height):
            rows = meet_rows(g, u, 0, g.height, t.top, t.bottom)
            for v in range(g.kernel_width):
                columns = meet_columns(g, v, t.left, t.right)
                if columns.start >= columns.stop:
                    continue
                for a in range(t.outputs):
                    for b in range(terms):
                        weights[a * TERMS + b] = w[o + a, c + b, u, v]
                for i in range(rows.start, rows.stop):
                    h = rows.at + (i - rows.start) * g.row_stride
                    update(
                        &total[(i - t.top) * width + columns.start - t.left], weights, TERMS, 1, 0,
                        &x[n, x_c + c, h, columns.at], g.height * g.row,
                        t.outputs, terms, columns.stop - columns.start,
                    )
        c += terms
    for a in range(t.outputs):
        for i in range(t.top, t.bottom):
            for j in range(t.left, t.right):
                y[n, o + a, i, j] = total[a * PLACES + (i - t.top) * width + j - t.left]


def conv2d(const real[:, :, :, ::1] x, const real[:, :, :, ::1] w, real[:, :, :, ::1] y, geometry, int threads):
    """y = conv2d(x, w)"""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    flatten(&g)
    cdef Cut tiles = cut(g.batch, g.groups, g.out_channels, g.out_height, g.out_width, PLACES)
    cdef Py_ssize_t number
    for number in prange(tiles.tiles, nogil=True, schedule="dynamic", num_threads=team(&g, threads)):
        conv2d_tile(x, w, y, &g, tile(&tiles, number))


# --- x[n,c,h,k] = sum over o, i, j, u, v that meet (h, k) of y[n,o,i,j] * w[o,c,u,v] -------------------------

cdef inline void input_grad_tile(
    const real[:, :, :, ::1] y, const real[:, :, :, ::1] w, real[:, :, :, ::1] x, const Geometry *g, Tile t
) noexcept nogil:
    cdef real total[OUTPUTS * PLACES]
    cdef real weights[OUTPUTS * TERMS]
    cdef Py_ssize_t n = t.n, c = t.channel, x_c = t.group * g.channels + c, y_o = t.group * g.out_channels
    cdef Py_ssize_t a, b, o = 0, h, i, k, u, v, terms, width = t.right - t.left
    cdef Run rows, columns
    clear(total, t.outputs, (t.bottom - t.top) * width)
    while o < g.out_channels:
        terms = TERMS if o + TERMS <= g.out_channels else 1
        for u in range(g.kernel_height):
            rows = meet_rows(g, u, t.top, t.bottom, 0, g.out_height)
            for v in range(g.kernel_width):
                columns = meet_columns(g, v, 0, g.out_width)
                k = max(t.left, columns.at)  # the tile may begin and end within the run
                columns.stop = min(columns.stop, columns.start + t.right - columns.at)
                columns.start += k - columns.at
                if columns.start >= columns.stop:
                    continue
                for a in range(t.outputs):
                    for b in range(terms):
                        weights[a * TERMS + b] = w[y_o + o + b, c + a, u, v]
                for i in range(rows.start, rows.stop):
                    h = rows.at + (i - rows.start) * g.row_stride
                    update(
                        &total[(h - t.top) * width + k - t.left], weights, TERMS, 1, 0,
                        &y[n, y_o + o, i, columns.start], g.out_height * g.out_width,
                        t.outputs, terms, columns.stop - columns.start,
                    )
        o += terms
    for a in range(t.outputs):
        for h in range(t.top, t.bottom):
            for k in range(t.left, t.right):
                x[n, x_c + a, h, k] = total[a * PLACES + (h - t.top) * width + k - t.left]


def conv2d_input_grad(
    const real[:, :, :, ::1] y, const real[:, :, :, ::1] w, real[:, :, :, ::1] x, geometry, int threads
):
    """x = conv2d_input_grad(y, w)"""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    flatten(&g)
    cdef Cut tiles = cut(g.batch, g.groups, g.channels, g.height, g.row, PLACES)
    cdef Py_ssize_t number
    for number in prange(tiles.tiles, nogil=True, schedule="dynamic", num_threads=team(&g, threads)):
        input_grad_tile(y, w, x, &g, tile(&tiles, number))


# --- w[o,c,u,v] = sum over n, i, j of x[n,c,h,k] * y[n,o,i,j] ------------------------------------------------

cdef inline void weight_grad_images(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] y, real[:, :, :, ::1] w, const Geometry *g, const Tile *t,
    Py_ssize_t first, Py_ssize_t last, Py_ssize_t c, Py_ssize_t u, Py_ssize_t v,
) noexcept nogil:
    """w[o,c,u,v] += what the images first ... last - 1 contribute"""
    cdef real total[OUTPUTS * PLACES]
    cdef Py_ssize_t o = t.group * g.out_channels + t.channel, x_c = t.group * g.channels
    cdef Py_ssize_t a, h, i, left, n, piece, terms
    cdef Py_ssize_t step = g.row * min(g.row_stride, g.height)  # where two rows meet x, the stride is the smaller
    cdef Run columns, rows = meet_rows(g, u, 0, g.height, 0, g.out_height)
    for piece in range((g.out_width + PLACES - 1) // PLACES):
        left = piece * PLACES
        columns = meet_columns(g, v, left, min(g.out_width, left + PLACES))
        if columns.start >= columns.stop:
            continue
        clear(total, t.outputs, columns.stop - columns.start)
        for n in range(first, last):
            i = rows.start
            while i < rows.stop:
                terms = TERMS if i + TERMS <= rows.stop else 1
                h = rows.at + (i - rows.start) * g.row_stride
                update(
                    total, &y[n, o, i, columns.start], g.out_height * g.out_width, g.out_width, 1,
                    &x[n, x_c + c, h, columns.at], step,
                    t.outputs, terms, columns.stop - columns.start,
                )
                i += terms
        fold(total, t.outputs, columns.stop - columns.start)
        for a in range(t.outputs):
            w[o + a, c, u, v] += total[a * PLACES]


cdef inline void weight_grad_tile(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] y, real[:, :, :, ::1] w, const Geometry *g, Tile t
) noexcept nogil:
    """All u and v for some channels o and c: the rows of the tile are channels of x."""
    cdef Py_ssize_t c, n = 0, u, v, images = max(1, ROWS // max(1, g.out_height))
    while n < g.batch:
        for c in range(t.top, t.bottom):
            for u in range(g.kernel_height):
                for v in range(g.kernel_width):
                    weight_grad_images(x, y, w, g, &t, n, min(g.batch, n + images), c, u, v)
        n += images


def conv2d_weight_grad(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] y, real[:, :, :, ::1] w, geometry, int threads
):
    """w += conv2d_weight_grad(x, y)"""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    cdef Cut tiles = cut(1, g.groups, g.out_channels, g.channels, 1, CHANNELS)
    cdef Py_ssize_t number
    for number in prange(tiles.tiles, nogil=True, schedule="dynamic", num_threads=team(&g, threads)):
        weight_grad_tile(x, y, w, &g, tile(&tiles, number))
