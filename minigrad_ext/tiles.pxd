"""What the convolutions of conv2d.pyx share besides arithmetic: their sizes, which taps meet the image, and the tiles
into which a result is cut."""

cdef enum:
    OUTPUTS = 4  # channels of the result that are computed together


# --- the sizes of one convolution ----------------------------------------------------------------------------

cdef struct Geometry:
    Py_ssize_t batch, groups, out_channels, channels  # channels are counted per group
    Py_ssize_t height, width, kernel_height, kernel_width, out_height, out_width
    Py_ssize_t row_stride, column_stride, row_padding, column_padding, row_dilation, column_dilation
    Py_ssize_t period, row  # columns with one k mod stride; columns of a row of x as it is stored


cdef inline tuple sizes(const Py_ssize_t *shape):
    return shape[0], shape[1], shape[2], shape[3]


cdef inline Geometry settle(geometry, const Py_ssize_t *x, const Py_ssize_t *w, const Py_ssize_t *y) except *:
    """The numbers of a ConvGeometry. Checked, so that with arrays of these shapes nothing outside them is touched."""
    cdef Geometry g
    cdef Py_ssize_t in_channels, out_channels
    cdef Py_ssize_t limit = <Py_ssize_t>1 << 60  # the sum of a few smaller numbers does not overflow
    g.batch, in_channels, g.height, g.width = geometry.x_shape
    out_channels, g.channels, g.kernel_height, g.kernel_width = geometry.w_shape
    g.out_height, g.out_width = geometry.y_shape[2:]
    g.row_stride, g.column_stride = geometry.stride
    g.row_padding, g.column_padding = geometry.padding
    g.row_dilation, g.column_dilation = geometry.dilation
    g.groups = geometry.groups
    if not (
        1 <= g.row_stride <= min(limit, 4 * limit // max(1, g.out_height))
        and 1 <= g.column_stride <= min(limit, 4 * limit // max(1, g.out_width))
        and 0 <= g.row_padding <= limit and 0 <= g.column_padding <= limit
        and 1 <= g.row_dilation <= limit // max(1, g.kernel_height)
        and 1 <= g.column_dilation <= limit // max(1, g.kernel_width)
    ):
        raise ValueError(f"convolution: a stride, padding or dilation is out of range (at most 2^60) in {geometry}.")
    g.out_channels = out_channels // max(1, g.groups)
    g.period = (g.width + g.column_stride - 1) // g.column_stride
    g.row = min(g.column_stride, g.width) * g.period
    if (
        g.groups < 1 or in_channels % g.groups or in_channels // g.groups != g.channels or out_channels % g.groups
        or sizes(x) != (g.batch, in_channels, g.height, g.row)
        or sizes(w) != geometry.w_shape
        or sizes(y) != geometry.y_shape or y[0] != g.batch or y[1] != out_channels
    ):
        raise ValueError(f"convolution: arrays x {sizes(x)}, w {sizes(w)}, y {sizes(y)} do not fit {geometry}.")
    return g


cdef inline void flatten(Geometry *g) noexcept:
    """A 1 x 1 kernel that visits every pixel does not care about rows: make the image one long row."""
    cdef bint pointwise = g.kernel_height == 1 and g.kernel_width == 1
    cdef bint everywhere = g.row_stride == 1 and g.column_stride == 1 and g.row_padding == 0 and g.column_padding == 0
    if pointwise and everywhere and g.out_height == g.height and g.out_width == g.width:
        g.width = g.period = g.row = g.out_width = g.height * g.width
        g.height = g.out_height = 1


cdef struct Run:
    Py_ssize_t start, stop  # the outputs i with start <= i < stop meet the image,
    Py_ssize_t at           # the first of them at row h = at, the next at h = at + stride ...


cdef inline Run meet(
    Py_ssize_t first, Py_ssize_t stride, Py_ssize_t low, Py_ssize_t high, Py_ssize_t start, Py_ssize_t stop
) noexcept nogil:
    """The i with start <= i < stop and low <= first + i * stride < high. (Or the j, for columns.)"""
    cdef Run run
    run.start = max(start, 0 if first >= low else (low - first + stride - 1) // stride)
    run.stop = min(stop, 0 if first >= high else (high - 1 - first) // stride + 1)
    run.at = first + run.start * stride
    return run


cdef inline Run meet_rows(
    const Geometry *g, Py_ssize_t u, Py_ssize_t low, Py_ssize_t high, Py_ssize_t start, Py_ssize_t stop
) noexcept nogil:
    """The rows i of y, start <= i < stop, that meet at tap row u a row h of x with low <= h < high."""
    return meet(u * g.row_dilation - g.row_padding, g.row_stride, low, high, start, stop)


cdef inline Run meet_columns(const Geometry *g, Py_ssize_t v, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """The columns j of y, start <= j < stop, that meet at tap column v a column k of x.

    `at` is not k itself but the place of column k in its row, which is sorted by k mod stride; the next j meets the
    next place.
    """
    cdef Run run = meet(v * g.column_dilation - g.column_padding, g.column_stride, 0, g.width, start, stop)
    run.at = run.at % g.column_stride * g.period + run.at // g.column_stride
    return run


# --- tiles ---------------------------------------------------------------------------------------------------

cdef struct Cut:
    Py_ssize_t groups, channels, height, width  # of the result, channels per group
    Py_ssize_t blocks, tile_height, tile_width, down, across, tiles

cdef struct Tile:
    Py_ssize_t n, group, channel, outputs       # outputs: OUTPUTS or 1 channels of the group, from `channel` on
    Py_ssize_t top, bottom, left, right         # rows top ... bottom - 1, columns left ... right - 1


cdef inline Cut cut(
    Py_ssize_t batch, Py_ssize_t groups, Py_ssize_t channels, Py_ssize_t height, Py_ssize_t width, Py_ssize_t places
) noexcept:
    """Cuts a result (batch, groups * channels, height, width) into tiles of at most OUTPUTS x `places` numbers."""
    cdef Cut c
    c.groups, c.channels, c.height, c.width = groups, channels, height, width
    c.blocks = channels // OUTPUTS + channels % OUTPUTS
    c.tile_width = max(1, min(width, places))
    c.tile_height = max(1, min(height, places // c.tile_width))
    c.down = (height + c.tile_height - 1) // c.tile_height
    c.across = (width + c.tile_width - 1) // c.tile_width
    c.tiles = batch * groups * c.blocks * c.down * c.across
    return c


cdef inline Tile tile(const Cut *c, Py_ssize_t number) noexcept nogil:
    """The tile of that number, 0 <= number < c.tiles."""
    cdef Tile t
    cdef Py_ssize_t block, whole = c.channels // OUTPUTS  # so many blocks of OUTPUTS channels; the rest have one
    t.left = number % c.across * c.tile_width
    t.right = min(c.width, t.left + c.tile_width)
    number = number // c.across
    t.top = number % c.down * c.tile_height
    t.bottom = min(c.height, t.top + c.tile_height)
    number = number // c.down
    block = number % c.blocks
    t.outputs = OUTPUTS if block < whole else 1
    t.channel = block * OUTPUTS if block < whole else whole * OUTPUTS + block - whole
    number = number // c.blocks
    t.group = number % c.groups
    t.n = number // c.groups
    return t
