# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The third rung: Winograd's convolution."""

import numpy as np

from cython.parallel cimport prange, threadid
from libc.string cimport memset

from minigrad_ext.geometry cimport Geometry, settle, team

cdef extern from *:
    "#define WINOGRAD"

cdef extern from "instructions.h" nogil:
    const Py_ssize_t SEGMENT
    Py_ssize_t lanes_float(int set)
    void transform_image(int set, const float *x, Py_ssize_t height, Py_ssize_t width, Py_ssize_t channels,
                         const float *end, Py_ssize_t row, Py_ssize_t column, Py_ssize_t tiles, float *out,
                         Py_ssize_t out_tile, Py_ssize_t out_plane)
    void transform_result(int set, const float *y, Py_ssize_t height, Py_ssize_t width, Py_ssize_t channels,
                         const float *end, Py_ssize_t row, Py_ssize_t column, Py_ssize_t tiles, float *out,
                         Py_ssize_t out_tile, Py_ssize_t out_plane)
    int finish_result(int set, const float *input, Py_ssize_t in_tile, Py_ssize_t in_plane, float *y, Py_ssize_t height,
                      Py_ssize_t width, Py_ssize_t channels, Py_ssize_t row, Py_ssize_t column, Py_ssize_t tiles)
    void transform_kernel(int set, const float *w, Py_ssize_t w_output, Py_ssize_t outputs, const float *end,
                          int turned, float *out, Py_ssize_t out_plane)
    void finish_kernel(int set, const float *input, Py_ssize_t in_plane, Py_ssize_t channels, float *w)
    void multiply(int set, const float *w, Py_ssize_t w_row, Py_ssize_t rows, const float *x, Py_ssize_t vectors,
                  Py_ssize_t columns, float *out, Py_ssize_t out_row, Py_ssize_t terms)
    void accumulate(int set, const float *w, Py_ssize_t w_term, Py_ssize_t rows, const float *x, Py_ssize_t x_term,
                    Py_ssize_t vectors, Py_ssize_t columns, float *out, Py_ssize_t out_row, Py_ssize_t terms, bint fresh)

cdef enum:
    POSITIONS = 36
    ALIGNED = 16

cdef Py_ssize_t TILES = 48, SHARE = 2, MODE = -1
cdef Py_ssize_t CHUNK = 1 << 24
def tune(tiles, share, mode, chunk=1<<24):
    global TILES, SHARE, MODE, CHUNK
    CHUNK = chunk
    TILES, SHARE, MODE = tiles, share, mode


cdef struct Map:
    Py_ssize_t groups, channels, outputs                  # of one group
    Py_ssize_t height, width, out_height, out_width, top, left
    Py_ssize_t across, image, tiles                       # tiles in a row, in an image, in the batch
    Py_ssize_t block                                      # tiles that are in work together
    Py_ssize_t lanes, vectors, panel, panels, share
    Py_ssize_t v_row, v_plane, u_row, u_plane, m_row, m_plane    # distances
    Py_ssize_t w_group, w_output, w_channel
    bint turned
    int set
    const float *x
    const float *x_end
    const float *w
    const float *w_end
    float *y


cdef float *aligned(float[::1] a) noexcept:
    cdef size_t at = <size_t>&a[0]
    return <float *>((at + 63) // 64 * 64)


cdef Py_ssize_t odd(Py_ssize_t size, Py_ssize_t lanes) noexcept:
    """size, rounded up to an odd number of vectors, so that rows do not fall upon each other in the cache"""
    return (size + lanes - 1) // lanes // 2 * 2 * lanes + lanes


cdef void transform_images(const Map *m, Py_ssize_t group, Py_ssize_t first, Py_ssize_t last, float *v) noexcept nogil:
    cdef Py_ssize_t c = 0, t, n, i, j, size, plane = m.height * m.width
    while c < m.channels:
        t = first
        while t < last:
            n = t // m.image
            i = t % m.image // m.across
            j = t % m.across
            size = min(SEGMENT, min(m.across - j, last - t))
            transform_image(
                m.set, m.x + ((n * m.groups + group) * m.channels + c) * plane, m.height, m.width, min(m.lanes, m.channels - c),
                m.x_end, 4 * i - m.top, 4 * j - m.left, size, v + (t - first) * m.v_row + c, m.v_row, m.v_plane,
            )
            t += size
        c += m.lanes


cdef void transform_kernels(const Map *m, Py_ssize_t group, Py_ssize_t first, Py_ssize_t last, float *u) noexcept nogil:
    cdef Py_ssize_t o, c, panel, vector
    for panel in range(first, last):
        for vector in range(m.vectors):
            o = panel * m.panel + vector * m.lanes
            if o >= m.outputs:
                break
            for c in range(m.channels):
                transform_kernel(
                    m.set, m.w + group * m.w_group + o * m.w_output + c * m.w_channel, m.w_output, min(m.lanes, m.outputs - o),
                    m.w_end, m.turned, u + (panel - first) * m.panel * m.channels + c * m.panel + vector * m.lanes, m.u_plane,
                )


cdef void multiply_block(
    const Map *m, Py_ssize_t group, Py_ssize_t first, Py_ssize_t last, Py_ssize_t panel, const float *v, const float *u, float *s
) noexcept nogil:
    """The tiles first ... last - 1 of the result, for `share` panels"""
    cdef Py_ssize_t p, t, n, i, j, o, size, plane = m.out_height * m.out_width
    cdef Py_ssize_t start = panel * m.panel, columns = min(m.share * m.panel, m.outputs - panel * m.panel)
    for p in range(POSITIONS):
        multiply(
            m.set, v + p * m.v_plane, m.v_row, last - first, u + p * m.u_plane, m.vectors, columns, s + p * m.m_plane, m.m_row,
            m.channels,
        )
    o = 0
    while o < columns:
        t = first
        while t < last:
            n = t // m.image
            i = t % m.image // m.across
            j = t % m.across
            size = min(SEGMENT, min(m.across - j, last - t))
            finish_result(
                m.set, s + (t - first) * m.m_row + o, m.m_row, m.m_plane,
                m.y + ((n * m.groups + group) * m.outputs + start + o) * plane, m.out_height, m.out_width,
                min(m.lanes, columns - o), 4 * i, 4 * j, size,
            )
            t += size
        o += m.lanes


cdef int correlate(Map *m, Py_ssize_t batch, int threads) except -1:
    cdef Py_ssize_t blocks, parts, item, group, block, part, v_block, u_part, m_block, first, last, k, vectors
    m.across = (m.out_width + 3) // 4
    m.image = m.across * ((m.out_height + 3) // 4)
    m.tiles = batch * m.image
    m.lanes = lanes_float(m.set)
    vectors = (m.outputs + m.lanes - 1) // m.lanes
    m.vectors = 3 if vectors % 3 == 0 else min(2, vectors)
    m.panel = m.vectors * m.lanes
    m.panels = (vectors + m.vectors - 1) // m.vectors
    m.share = min(m.panels, SHARE)
    parts = (m.panels + m.share - 1) // m.share
    blocks = (m.tiles + TILES - 1) // TILES
    blocks = min(m.tiles, (blocks + threads - 1) // threads * threads)
    m.block = (m.tiles + blocks - 1) // blocks
    m.block = (m.block + 7) // 8 * 8
    blocks = (m.tiles + m.block - 1) // m.block
    m.v_row = odd(m.channels, m.lanes)
    m.v_plane = odd(m.block * m.v_row, m.lanes)
    m.m_row = odd(m.share * m.panel, m.lanes)
    m.m_plane = odd(m.block * m.m_row, m.lanes)
    v_block, m_block = POSITIONS * m.v_plane, POSITIONS * m.m_plane
    cdef float[::1] kept, scratch
    cdef float *a
    cdef float *b
    if (m.tiles >= m.outputs) if MODE < 0 else MODE == 0:
        m.u_plane = m.panels * m.panel * m.channels + m.lanes
        kept = np.empty(m.groups * POSITIONS * m.u_plane + ALIGNED, np.float32)
        scratch = np.empty(threads * (v_block + m_block) + ALIGNED, np.float32)
        a, b = aligned(kept), aligned(scratch)
        for item in prange(m.groups * m.panels, nogil=True, schedule="dynamic", num_threads=threads):
            group = item // m.panels
            part = item % m.panels
            transform_kernels(m, group, part, part + 1, a + group * POSITIONS * m.u_plane + part * m.panel * m.channels)
        for item in prange(m.groups * blocks, nogil=True, schedule="dynamic", num_threads=threads):
            multiply_all_parts(m, item // blocks, item % blocks, parts, a, b + threadid() * (v_block + m_block))
    else:
        m.u_plane = m.share * m.panel * m.channels + m.lanes
        u_part = POSITIONS * m.u_plane
        kept = np.empty(m.groups * blocks * v_block + ALIGNED, np.float32)
        scratch = np.empty(threads * (u_part + m_block) + ALIGNED, np.float32)
        a, b = aligned(kept), aligned(scratch)
        for item in prange(m.groups * blocks, nogil=True, schedule="dynamic", num_threads=threads):
            first = item % blocks * m.block
            transform_images(m, item // blocks, first, min(m.tiles, first + m.block), a + item * v_block)
        for item in prange(m.groups * parts, nogil=True, schedule="dynamic", num_threads=threads):
            multiply_all_blocks(m, item // parts, item % parts, blocks, a, b + threadid() * (u_part + m_block))
    return 0


cdef void multiply_all_parts(const Map *m, Py_ssize_t group, Py_ssize_t block, Py_ssize_t parts, const float *u, float *scratch) noexcept nogil:
    cdef Py_ssize_t part, first = block * m.block, last = min(m.tiles, first + m.block)
    transform_images(m, group, first, last, scratch)
    for part in range(parts):
        multiply_block(
            m, group, first, last, part * m.share, scratch,
            u + group * POSITIONS * m.u_plane + part * m.share * m.panel * m.channels, scratch + POSITIONS * m.v_plane,
        )


cdef void multiply_all_blocks(const Map *m, Py_ssize_t group, Py_ssize_t part, Py_ssize_t blocks, const float *v, float *scratch) noexcept nogil:
    cdef Py_ssize_t block, first
    transform_kernels(m, group, part * m.share, min(m.panels, (part + 1) * m.share), scratch)
    for block in range(blocks):
        first = block * m.block
        multiply_block(
            m, group, first, min(m.tiles, first + m.block), part * m.share,
            v + (group * blocks + block) * POSITIONS * m.v_plane, scratch, scratch + POSITIONS * m.u_plane,
        )


def conv2d(
    const float[:, :, :, ::1] x, const float[:, :, :, ::1] w, float[:, :, :, ::1] y, geometry, int threads, int set
):
    """y = conv2d(x, w)"""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    cdef Map m
    if <Py_ssize_t>y.size == 0:
        return
    m.groups, m.channels, m.outputs = g.groups, g.channels, g.out_channels
    m.height, m.width, m.out_height, m.out_width = g.height, g.width, g.out_height, g.out_width
    m.top, m.left = g.row_padding, g.column_padding
    m.w_group, m.w_output, m.w_channel, m.turned = g.out_channels * g.channels * 9, g.channels * 9, 9, False
    m.x, m.w, m.y, m.set = &x[0, 0, 0, 0], &w[0, 0, 0, 0], &y[0, 0, 0, 0], set
    m.x_end, m.w_end = m.x + <Py_ssize_t>x.size, m.w + <Py_ssize_t>w.size
    correlate(&m, g.batch, team(&g, threads))


def conv2d_input_grad(
    const float[:, :, :, ::1] y, const float[:, :, :, ::1] w, float[:, :, :, ::1] x, geometry, int threads, int set
):
    """x = conv2d_input_grad(y, w)"""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    cdef Map m
    if <Py_ssize_t>x.size == 0:
        return
    m.groups, m.channels, m.outputs = g.groups, g.out_channels, g.channels
    m.height, m.width, m.out_height, m.out_width = g.out_height, g.out_width, g.height, g.width
    m.top, m.left = 2 - g.row_padding, 2 - g.column_padding
    m.w_group, m.w_output, m.w_channel, m.turned = g.out_channels * g.channels * 9, 9, g.channels * 9, True
    m.x, m.w, m.y, m.set = &y[0, 0, 0, 0], &w[0, 0, 0, 0], &x[0, 0, 0, 0], set
    m.x_end, m.w_end = m.x + <Py_ssize_t>y.size, m.w + <Py_ssize_t>w.size
    correlate(&m, g.batch, team(&g, threads))


# --- the weight gradient -------------------------------------------------------------------------------------

cdef void transform_chunk(
    const Map *m, Py_ssize_t group, Py_ssize_t start, Py_ssize_t first, Py_ssize_t last, float *v, float *s
) noexcept nogil:
    """Tiles first ... last - 1 of x and of y, in a chunk that begins with tile `start`"""
    cdef Py_ssize_t o = 0, t, n, i, j, size, plane = m.out_height * m.out_width
    transform_images(m, group, first, last, v + (first - start) * m.v_row)
    while o < m.outputs:
        t = first
        while t < last:
            n = t // m.image
            i = t % m.image // m.across
            j = t % m.across
            size = min(SEGMENT, min(m.across - j, last - t))
            transform_result(
                m.set, m.w + ((n * m.groups + group) * m.outputs + o) * plane, m.out_height, m.out_width,
                min(m.lanes, m.outputs - o), m.w_end, 4 * i, 4 * j, size, s + (t - start) * m.u_row + o, m.u_row, m.u_plane,
            )
            t += size
        o += m.lanes


cdef void finish_kernels(const Map *m, Py_ssize_t o, const float *s) noexcept nogil:
    cdef Py_ssize_t c = 0
    while c < m.channels:
        finish_kernel(m.set, s + c, m.m_plane, min(m.lanes, m.channels - c), m.y + (o * m.channels + c) * 9)
        c += m.lanes


def conv2d_weight_grad(
    const float[:, :, :, ::1] x, const float[:, :, :, ::1] y, float[:, :, :, ::1] w, geometry, int threads, int set
):
    """w = conv2d_weight_grad(x, y)"""
    cdef Geometry g = settle(geometry, x.shape, w.shape, y.shape)
    cdef Map m
    cdef Py_ssize_t chunk, start, stop, item, group, p, first, vectors, v_group, u_group, m_group
    if <Py_ssize_t>w.size == 0:
        return
    threads = team(&g, threads)
    m.set, m.lanes = set, lanes_float(set)
    m.groups, m.channels, m.outputs = g.groups, g.channels, g.out_channels
    m.height, m.width, m.out_height, m.out_width = g.height, g.width, g.out_height, g.out_width
    m.top, m.left = g.row_padding, g.column_padding
    m.across = (m.out_width + 3) // 4
    m.image = m.across * ((m.out_height + 3) // 4)
    m.tiles = g.batch * m.image
    m.x, m.w, m.y = &x[0, 0, 0, 0], &y[0, 0, 0, 0], &w[0, 0, 0, 0]
    m.x_end, m.w_end = m.x + <Py_ssize_t>x.size, m.w + <Py_ssize_t>y.size
    if m.tiles == 0:
        w[:, :, :, :] = 0
        return
    vectors = (m.channels + m.lanes - 1) // m.lanes
    m.vectors = 3 if vectors % 3 == 0 else min(2, vectors)
    m.v_row, m.u_row = odd(m.channels, m.lanes), odd(m.outputs, m.lanes)
    chunk = CHUNK // (4 * POSITIONS * m.groups * (m.v_row + m.u_row))
    chunk = max(128, chunk // 128 * 128)
    chunk = min(chunk, m.tiles)
    m.v_plane, m.u_plane = odd(chunk * m.v_row, m.lanes), odd(chunk * m.u_row, m.lanes)
    m.m_row = m.v_row
    m.m_plane = odd(m.outputs * m.m_row, m.lanes)
    v_group, u_group, m_group = POSITIONS * m.v_plane, POSITIONS * m.u_plane, POSITIONS * m.m_plane
    cdef float[::1] scratch = np.empty(m.groups * (v_group + u_group + m_group) + ALIGNED, np.float32)
    cdef float *v = aligned(scratch)
    cdef float *u = v + m.groups * v_group
    cdef float *sums = u + m.groups * u_group
    start = 0
    while start < m.tiles:
        stop = min(m.tiles, start + chunk)
        for item in prange(m.groups * ((stop - start + 15) // 16), nogil=True, schedule="dynamic", num_threads=threads):
            group = item % m.groups
            first = start + item // m.groups * 16
            transform_chunk(&m, group, start, first, min(stop, first + 16), v + group * v_group, u + group * u_group)
        for item in prange(m.groups * POSITIONS, nogil=True, schedule="dynamic", num_threads=threads):
            accumulate(
                set, u + item // POSITIONS * u_group + item % POSITIONS * m.u_plane, m.u_row, m.outputs,
                v + item // POSITIONS * v_group + item % POSITIONS * m.v_plane, m.v_row, m.vectors, m.channels,
                sums + item // POSITIONS * m_group + item % POSITIONS * m.m_plane, m.m_row, stop - start, start == 0,
            )
        start = stop
    for item in prange(m.groups * m.outputs, nogil=True, schedule="static", num_threads=threads):
        finish_kernels(&m, item, sums + item // m.outputs * m_group + item % m.outputs * m.m_row)
