"""The sizes of one convolution as the kernels use them: checked, so that nothing outside the arrays is touched."""

from minigrad_ext.arrays cimport Array4

cdef struct Geometry:
    Py_ssize_t batch, groups, out_channels, channels  # channels are counted per group
    Py_ssize_t height, width, kernel_height, kernel_width, out_height, out_width
    Py_ssize_t row_stride, column_stride, row_padding, column_padding, row_dilation, column_dilation


cdef inline Py_ssize_t divide(Py_ssize_t size, Py_ssize_t by) noexcept nogil:
    """How many of the size `by` are needed to hold `size`."""
    return (size + by - 1) // max(1, by)


cdef inline tuple sizes(const Py_ssize_t *shape):
    return shape[0], shape[1], shape[2], shape[3]


cdef inline bint equal(const Py_ssize_t *shape, const long long *other) noexcept nogil:
    return shape[0] == other[0] and shape[1] == other[1] and shape[2] == other[2] and shape[3] == other[3]


cdef inline Geometry settle(geometry, const Py_ssize_t *x, const Py_ssize_t *w, const Py_ssize_t *y) except *:
    """The numbers of a ConvGeometry, which must fit the shapes of the three arrays."""
    cdef Geometry g
    cdef bytes numbers = geometry.numbers
    if len(numbers) != 19 * sizeof(long long):
        raise ValueError(f"convolution: each shape must have four sizes in {geometry}.")
    cdef const long long *n = <const long long *> <const char *> numbers
    cdef Py_ssize_t in_channels = n[1], out_channels = n[4]
    cdef Py_ssize_t limit = <Py_ssize_t>1 << 60  # the sum of a few smaller numbers does not overflow
    g.batch, g.height, g.width = n[0], n[2], n[3]
    g.channels, g.kernel_height, g.kernel_width, g.out_height, g.out_width = n[5], n[6], n[7], n[10], n[11]
    g.row_stride, g.column_stride, g.row_padding, g.column_padding = n[12], n[13], n[14], n[15]
    g.row_dilation, g.column_dilation, g.groups = n[16], n[17], n[18]
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
        or not equal(x, n) or not equal(w, n + 4) or not equal(y, n + 8) or y[0] != g.batch or y[1] != out_channels
    ):
        raise ValueError(f"convolution: arrays x {sizes(x)}, w {sizes(w)}, y {sizes(y)} do not fit {geometry}.")
    return g


cdef inline Geometry settle_arrays(geometry, const Array4 *x, const Array4 *w, const Array4 *y) except *:
    """The same, for arrays that must be of one kind too."""
    if x.kind != y.kind or w.kind != y.kind:
        raise ValueError(f"convolution: arrays of kinds x {chr(x.kind)!r}, w {chr(w.kind)!r}, y {chr(y.kind)!r}")
    return settle(geometry, x.shape, w.shape, y.shape)


cdef inline int team(const Geometry *g, int threads) noexcept nogil:
    """The number of threads to use: for less than some 300,000 multiplications a second one is not worth waking."""
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
    if stride == 1:  # saves two divisions, which take as long as a row of a small image
        run.start, run.stop = max(start, -first), min(stop, size - first)
    else:
        run.start = max(start, 0 if first >= 0 else (stride - 1 - first) // stride)
        run.stop = min(stop, 0 if first >= size else (size - 1 - first) // stride + 1)
    run.stop = max(run.start, run.stop)
    return run
