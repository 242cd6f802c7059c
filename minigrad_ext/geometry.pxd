"""The sizes of one convolution as the kernels use them: checked, so that nothing outside the arrays is touched."""

cdef struct Geometry:
    Py_ssize_t batch, groups, out_channels, channels  # channels are counted per group
    Py_ssize_t height, width, kernel_height, kernel_width, out_height, out_width
    Py_ssize_t row_stride, column_stride, row_padding, column_padding, row_dilation, column_dilation


cdef inline tuple sizes(const Py_ssize_t *shape):
    return shape[0], shape[1], shape[2], shape[3]


cdef inline Geometry settle(geometry, const Py_ssize_t *x, const Py_ssize_t *w, const Py_ssize_t *y) except *:
    """The numbers of a ConvGeometry, which must fit the shapes of the three arrays."""
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
    if (
        g.groups < 1 or in_channels % g.groups or in_channels // g.groups != g.channels or out_channels % g.groups
        or sizes(x) != geometry.x_shape or sizes(w) != geometry.w_shape
        or sizes(y) != geometry.y_shape or y[0] != g.batch or y[1] != out_channels
    ):
        raise ValueError(f"convolution: arrays x {sizes(x)}, w {sizes(w)}, y {sizes(y)} do not fit {geometry}.")
    return g


cdef inline int team(const Geometry *g, int threads) noexcept nogil:
    """The number of threads to use: below some 300,000 multiplications, waking a second one takes longer than it saves."""
    cdef double products = <double>g.batch * g.groups * g.out_channels * g.out_height * g.out_width
    products *= <double>g.channels * g.kernel_height * g.kernel_width
    return threads if products >= 300_000 and threads > 1 else 1


# --- which taps meet the image -------------------------------------------------------------------------------

cdef struct Run:
    Py_ssize_t first, start, stop  # the i with start <= i < stop meet first + i * stride


cdef inline Run meet(
    Py_ssize_t first, Py_ssize_t stride, Py_ssize_t size, Py_ssize_t start, Py_ssize_t stop
) noexcept nogil:
    """The i with start <= i < stop and 0 <= first + i * stride < size; start >= 0."""
    cdef Run run
    run.first = first
    run.start = max(start, 0 if first >= 0 else (stride - 1 - first) // stride)
    run.stop = min(stop, 0 if first >= size else (size - 1 - first) // stride + 1)
    run.stop = max(run.start, run.stop)
    return run
