"""How the direct rung sees a convolution: as a correlation of an image with taps, on an image laid out so that a tap is
a distance in memory. Shared by direct.pyx, which explains both words, and weight_grad.pyx."""

from libc.string cimport memset

from minigrad_ext.geometry cimport Geometry, Run, divide, meet
from minigrad_ext.instructions cimport copy, pick, real, tile_rows, tile_vectors

cdef enum:
    COLUMNS = 64           # of a tile, at most
    LANES = 16             # of a vector, at most
    TERMS = 128            # of the sum, in a block
    WIDE = 384             # places of a panel, where these are in lanes
    FEW = 512              # places, for which weights in order are not packed, but a block of them when it is its turn
    SLACK = 64             # numbers behind a layout that tiles may read
    WORKSPACE = 1 << 22    # bytes, about: for the images that are in work at a time


cdef struct Cut:  # of the grid, into panels:
    Py_ssize_t rows, columns, down, across  # each of so many rows and columns, so many below and beside each other


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
    Py_ssize_t *row_kind                                  # rows r, r + sort, r + 2 * sort ... are one kind;
    Py_ssize_t *column_kind                               # here are the first row (column) of each kind that taps see,
    Py_ssize_t *row_number                                # and of which kind the row of u
    Py_ssize_t *column_number                             # and the column of v is
    Py_ssize_t row_kinds, column_kinds
    Py_ssize_t row_sort, column_sort                      # the stride if rows are sorted by it, else 1
    Py_ssize_t row_step, column_step                      # in the layout, from a place to the next one
    Py_ssize_t depth, pitch                               # of the layout: rows of a kind; distances of rows,
    Py_ssize_t area, plane                                # of kinds, and of channels
    bint border                                           # taps see beyond the border,
    bint astray                                           # and most of what some see is there
    bint bare                                             # the source itself serves as layout
    Py_ssize_t lanes, vectors                             # outs in a vector, or 0: places are in lanes; vectors of outs
    Py_ssize_t unit, tiles                                # outs in a tile, at most; tiles for the outs of a group
    Py_ssize_t room                                       # for the outs of a group, in whole vectors or tiles
    bint in_order                                         # terms are neighbours in w
    bint packed                                           # tiles read a copy of w, not w itself
    Py_ssize_t weights_before                             # in the copy, of the kinds of places before this one
    Cut cut
    Py_ssize_t stripe                                     # columns that all tiles of outs do in turn
    int set


cdef inline Py_ssize_t find_kinds(
    const Py_ssize_t *at, Py_ssize_t count, Py_ssize_t stride, Py_ssize_t *kind, Py_ssize_t *number
) noexcept nogil:
    """Sorts positions by their remainder mod stride: `kind` gets the least position of each kind, `number` the kind of
    each position; returns how many kinds there are."""
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


cdef inline Py_ssize_t extent(
    const Py_ssize_t *at, Py_ssize_t count, Py_ssize_t stride, const Py_ssize_t *kind, const Py_ssize_t *number
) noexcept nogil:
    """How many steps of the stride lie between the least position of a kind and the largest of that kind, at most."""
    cdef Py_ssize_t steps = 0, a
    for a in range(count):
        steps = max(steps, (at[a] - kind[number[a]]) // stride)
    return steps


cdef inline void find_pitch(Correlation *m) noexcept nogil:
    """The distance of rows. The zeros to the right of a row are those to the left of the next one, too."""
    cdef Py_ssize_t b, zeros, right = 0
    cdef Py_ssize_t places = max(0, m.grid_width - 1) * m.column_step + 1
    cdef Py_ssize_t reach = places + extent(m.column, m.columns, m.column_sort, m.column_kind, m.column_number)
    cdef Run columns
    m.pitch = places
    for b in range(m.column_kinds):
        columns = meet(m.column_kind[b], m.column_sort, m.width, 0, reach)
        if columns.start < columns.stop:
            zeros = max(columns.start, reach - columns.stop)
            m.pitch = max(m.pitch, columns.stop - columns.start + zeros)
            right = max(right, reach - columns.stop)
        else:
            right = reach
    m.area = m.depth * m.pitch + right


cdef inline Py_ssize_t count_terms(const Correlation *m) noexcept nogil:
    return m.channels * m.rows * m.columns


cdef inline void find_offsets(const Correlation *m, Py_ssize_t *offset) noexcept nogil:
    """Where in the layout of an image each term (c, u, v) begins."""
    cdef Py_ssize_t k, taps = m.rows * m.columns
    for k in range(m.channels * taps):
        offset[k] = k // taps * m.plane + m.tap[k % taps]


cdef inline Py_ssize_t first_out(const Correlation *m, Py_ssize_t tile) noexcept nogil:
    """Of a tile. Those with outs in lanes differ by a vector at most."""
    return tile * m.vectors // m.tiles * m.lanes if m.lanes else tile * m.unit


cdef inline bint sees_itself(const Correlation *m) noexcept nogil:
    """Whether each place sees its own pixel alone, and the result is an image like the source."""
    return (
        m.rows == 1 and m.columns == 1 and m.row[0] == 0 and m.column[0] == 0 and m.row_stride == 1
        and m.column_stride == 1 and m.grid_height == m.height and m.grid_width == m.width
        and m.out_row == m.width and m.out_column == 1
    )


cdef inline bint go_astray(const Correlation *m) noexcept nogil:
    """Whether taps see so much beyond the border that it pays to leave out what they do not meet: a quarter."""
    cdef Py_ssize_t u, v
    cdef double rows = 0, columns = 0
    cdef Run run
    for u in range(m.rows):
        run = meet(m.row[u], m.row_stride, m.height, 0, m.grid_height)
        rows += run.stop - run.start
    for v in range(m.columns):
        run = meet(m.column[v], m.column_stride, m.width, 0, m.grid_width)
        columns += run.stop - run.start
    return 4 * rows * columns < 3.0 * m.rows * m.grid_height * m.columns * m.grid_width


cdef inline void prepare(Correlation *m, Py_ssize_t lanes) noexcept nogil:
    """Plans the layout, an array (channels, row kinds, column kinds, depth, pitch and zeros), and the tiles. A vector
    holds `lanes` outs, or else places if that is 0."""
    cdef Py_ssize_t u, v, k
    m.lanes, m.vectors = lanes, divide(m.outs, lanes)
    m.border = False
    for u in range(m.rows):
        m.border |= m.row[u] < 0 or m.row[u] + (m.grid_height - 1) * m.row_stride >= m.height
    for v in range(m.columns):
        m.border |= m.column[v] < 0 or m.column[v] + (m.grid_width - 1) * m.column_stride >= m.width
    m.astray = m.border and go_astray(m)
    m.in_order = m.w_channel == m.rows * m.columns
    for k in range(m.rows * m.columns):
        m.in_order &= m.weight[k] == k
    m.bare = m.lanes > 0 and not m.border
    if m.bare and sees_itself(m):  # rows do not matter: the image is one long row
        m.width = m.grid_width = m.height * m.width
        m.height = m.grid_height = 1
    # Where places are in lanes, neighbours must be neighbours in the layout: pixels are sorted into kinds for that.
    m.row_sort = 1 if m.lanes else m.row_stride
    m.column_sort = 1 if m.lanes else m.column_stride
    m.row_step, m.column_step = m.row_stride // m.row_sort, m.column_stride // m.column_sort
    m.row_kinds = find_kinds(m.row, m.rows, m.row_sort, m.row_kind, m.row_number)
    m.column_kinds = find_kinds(m.column, m.columns, m.column_sort, m.column_kind, m.column_number)
    if m.bare:
        for k in range(m.row_kinds):
            m.row_kind[k] = 0
        for k in range(m.column_kinds):
            m.column_kind[k] = 0
        m.depth, m.pitch, m.area = m.height, m.width, m.height * m.width
    else:
        m.depth = max(0, m.grid_height - 1) * m.row_step + 1
        m.depth += extent(m.row, m.rows, m.row_sort, m.row_kind, m.row_number)
        find_pitch(m)
    m.plane = m.row_kinds * m.column_kinds * m.area
    for u in range(m.rows):
        for v in range(m.columns):
            k = m.row_number[u] * m.column_kinds + m.column_number[v]
            m.tap[u * m.columns + v] = (
                k * m.area + (m.row[u] - m.row_kind[m.row_number[u]]) // m.row_sort * m.pitch
                + (m.column[v] - m.column_kind[m.column_number[v]]) // m.column_sort
            )
    if m.lanes:
        k = tile_vectors(m.set)  # or one less, if then a tile has a whole row of places
        if tile_rows(m.set, k) < m.grid_width <= tile_rows(m.set, k - 1):
            k -= 1
        m.tiles = divide(m.vectors, k)
        m.unit, m.room = divide(m.vectors, m.tiles) * m.lanes, m.vectors * m.lanes
        m.packed = not m.in_order or m.batch * m.grid_height * m.grid_width > FEW
        return
    m.unit = tile_rows(m.set, min(<Py_ssize_t>3, tile_vectors(m.set)))
    m.tiles = divide(m.outs, m.unit)
    m.room, m.packed = m.tiles * m.unit, not m.in_order
    m.cut.rows = min(m.grid_height, max(1, WIDE // max(1, m.pitch)))
    m.cut.columns = min(m.grid_width, WIDE)
    m.cut.down = divide(m.grid_height, m.cut.rows)
    m.cut.across = divide(m.grid_width, m.cut.columns)


cdef inline Py_ssize_t layout_size(const Correlation *m) except -1:
    """The numbers of one image as it is laid out."""
    cdef double size = <double>m.groups * m.channels * m.row_kinds * m.column_kinds * (<double>m.depth * m.pitch)
    if size > 1e15:
        raise MemoryError(f"convolution: padding and dilation spread one image over {size:.0e} numbers.")
    return m.groups * m.channels * m.plane


cdef inline void lay_out(const Correlation *m, const real *source, real *plane, bint blank) noexcept nogil:
    """One channel of one image as taps see it, zeros beyond the border. `blank` says that these are there already."""
    cdef Py_ssize_t a, b, i
    cdef const real *from_
    cdef Run rows, columns
    for a in range(m.row_kinds):
        rows = meet(m.row_kind[a], m.row_sort, m.height, 0, m.depth)
        for b in range(m.column_kinds):
            columns = meet(m.column_kind[b], m.column_sort, m.width, 0, m.pitch)
            if not blank and (rows.stop - rows.start < m.depth or columns.stop - columns.start < m.pitch):
                memset(plane, 0, m.area * sizeof(real))
            if rows.start < rows.stop and columns.start < columns.stop:
                from_ = source + (m.row_kind[a] + rows.start * m.row_sort) * m.width
                from_ += m.column_kind[b] + columns.start * m.column_sort
                if m.column_sort == 1:
                    copy(
                        m.set, plane + rows.start * m.pitch + columns.start, m.pitch, from_, m.row_sort * m.width,
                        rows.stop - rows.start, columns.stop - columns.start, True,
                    )
                else:
                    for i in range(rows.start, rows.stop):
                        pick(
                            m.set, plane + i * m.pitch + columns.start, from_, m.column_sort,
                            columns.stop - columns.start,
                        )
                        from_ += m.row_sort * m.width
            plane += m.area


cdef inline void point(Correlation *m, Py_ssize_t *table, Py_ssize_t rows, Py_ssize_t columns) noexcept nogil:
    """Gives the arrays of m their parts of a table of 3 * rows + 3 * columns + 2 * rows * columns numbers."""
    m.row, m.row_kind, m.row_number = table, table + rows, table + 2 * rows
    table += 3 * rows
    m.column, m.column_kind, m.column_number = table, table + columns, table + 2 * columns
    table += 3 * columns
    m.weight, m.tap = table, table + rows * columns


cdef inline Py_ssize_t table_size(const Geometry *g) noexcept nogil:
    return 3 * g.kernel_height + 3 * g.kernel_width + 2 * g.kernel_height * g.kernel_width


cdef inline void forward(
    const Geometry *g, Correlation *m, Py_ssize_t *table, int set, Py_ssize_t lanes
) noexcept nogil:
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
    prepare(m, lanes)
