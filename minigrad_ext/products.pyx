# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Matrix products on the CPU, in the shapes that layers have: z = x y.

They are one more job for the tile of tile.h: its rows are rows of x, which are read as they lie in memory, and its
columns are columns of y. Of these a *panel* is copied side by side first, so that it stays in the first-level cache
while all rows of x meet it. Where these are few the copy does not pay: then tiles read y itself; or, if y is the
transpose of a matrix, as the weight of a layer is, each z[i, j] is the product of two rows, and twelve of them grow in
registers together.

Long sums come in blocks, which are added up in the end. Threads share blocks of z. Where these begin depends on the
shapes alone, and each number is made by one thread in one order: the same bits for any number of threads.
"""

from cython.parallel cimport prange
from libc.string cimport memset

cdef extern from *:
    """
    #define PRODUCTS  /* for kernels.h */
    """

from minigrad_ext.instructions cimport copy, real, tile, tile_rows, tile_vectors, transpose

cdef extern from "instructions.h" nogil:
    void multiply_rows_float(int set, const float *x, Py_ssize_t x_row, const float *y, Py_ssize_t y_row,
                             Py_ssize_t terms, float *out, Py_ssize_t out_row, Py_ssize_t rows, Py_ssize_t columns,
                             bint fresh)
    void multiply_rows_double(int set, const double *x, Py_ssize_t x_row, const double *y, Py_ssize_t y_row,
                              Py_ssize_t terms, double *out, Py_ssize_t out_row, Py_ssize_t rows, Py_ssize_t columns,
                              bint fresh)

cdef enum:
    TERMS = 128            # of a sum that are added up before they meet the others
    ROW_TERMS = 1024       # the same for products of rows
    ROWS = 128             # of z in a block
    PANEL = 48             # columns of y in a panel; and of doubles half as many
    COLUMNS = 12           # of z in a block of products of rows
    FEW = 8                # rows, for which it does not pay to copy y
    ALONE = 300_000        # multiplications, fewer of which one thread does sooner than several

cdef struct Product:
    Py_ssize_t rows, columns, terms
    Py_ssize_t x_row, x_term     # distances in memory
    bint turned                  # whether columns of y are contiguous, not rows, and
    Py_ssize_t y_row, y_term     # distances from one of these to the next, and from term to term
    Py_ssize_t block_columns
    int set


cdef inline void copy_panel(
    const Product *m, const real *y, Py_ssize_t terms, Py_ssize_t columns, real *panel
) noexcept nogil:
    """panel[k, q] = y[k, q]; 0 for other q, which tiles may read."""
    if columns < m.block_columns:
        memset(panel, 0, terms * m.block_columns * sizeof(real))
    if m.turned:
        transpose(m.set, panel, m.block_columns, y, m.y_row, columns, terms)
    else:
        copy(m.set, panel, m.block_columns, y, m.y_row, terms, columns, False)


cdef void panel_block(
    const Product *m, const real *x, const real *y, real *z, Py_ssize_t rows, Py_ssize_t columns
) noexcept nogil:
    """A block of z as products of numbers of x and vectors of y."""
    cdef real[TERMS * PANEL] panel
    cdef real[ROWS * PANEL] beside  # for whole vectors, where z has room for part of them only
    cdef Py_ssize_t[TERMS] x_offset
    cdef Py_ssize_t[TERMS] y_offset
    cdef bint copies = rows > FEW or columns < m.block_columns or m.turned, whole = columns == m.block_columns
    cdef const real *from_
    cdef real *to = beside
    cdef Py_ssize_t to_row = m.columns if whole else m.block_columns, k = 0, a, terms
    cdef Py_ssize_t unit = tile_rows(m.set, min(<Py_ssize_t>3, tile_vectors(m.set)))
    if whole:
        to = z
    for k in range(min(TERMS, m.terms)):
        x_offset[k] = k * m.x_term
        y_offset[k] = k * (m.block_columns if copies else m.y_row)
    k = 0
    while k < m.terms:
        terms = min(TERMS, m.terms - k)
        from_ = y + k * m.y_term
        if copies:
            copy_panel(m, from_, terms, columns, panel)
            from_ = panel
        a = 0
        while a < rows:
            tile(
                m.set, x + a * m.x_row + k * m.x_term, x_offset, m.x_row, from_, y_offset, terms, to + a * to_row,
                to_row, min(unit, rows - a), columns, k == 0,
            )
            a += unit
        k += terms
    if not whole:
        copy(m.set, z, m.columns, beside, to_row, rows, columns, False)


cdef void rows_block(
    const Product *m, const real *x, const real *y, real *z, Py_ssize_t rows, Py_ssize_t columns
) noexcept nogil:
    """A block of z as products of rows of x and columns of y."""
    cdef Py_ssize_t k = 0, terms
    while k < m.terms:
        terms = min(ROW_TERMS, m.terms - k)
        if real is float:
            multiply_rows_float(m.set, x + k, m.x_row, y + k, m.y_row, terms, z, m.columns, rows, columns, k == 0)
        else:
            multiply_rows_double(m.set, x + k, m.x_row, y + k, m.y_row, terms, z, m.columns, rows, columns, k == 0)
        k += terms


cdef inline void multiply_block(
    const Product *m, const real *x, const real *y, real *z, Py_ssize_t rows, Py_ssize_t columns, bint by_rows
) noexcept nogil:
    if by_rows:
        rows_block(m, x, y, z, rows, columns)
    else:
        panel_block(m, x, y, z, rows, columns)


def matmul(const real[:, :, :] x, const real[:, :, :] y, real[:, :, ::1] z, int threads, int set):
    """z[b] = x[b] y[b], where rows or columns of y[b] must be contiguous"""
    cdef Product m
    cdef Py_ssize_t item = sizeof(real), batch = z.shape[0], down, across, block, i, j, b
    m.rows, m.columns, m.terms, m.set = x.shape[1], y.shape[2], x.shape[2], set
    if (
        x.shape[0] != batch or y.shape[0] != batch or y.shape[1] != m.terms or z.shape[1] != m.rows
        or z.shape[2] != m.columns
    ):
        raise ValueError(f"matmul: shapes {x.shape}, {y.shape} and {z.shape} do not fit.")
    if batch == 0 or m.rows == 0 or m.columns == 0:
        return
    if m.terms == 0:
        memset(&z[0, 0, 0], 0, batch * m.rows * m.columns * sizeof(real))
        return
    cdef Py_ssize_t x_matrix = x.strides[0] // item, y_matrix = y.strides[0] // item
    m.x_row, m.x_term = x.strides[1] // item, x.strides[2] // item
    m.turned = m.columns > 1 and y.strides[2] != item
    m.y_row, m.y_term = y.strides[2 if m.turned else 1] // item, y.strides[1] // item
    if m.turned and m.terms > 1 and m.y_term != 1:
        raise ValueError("matmul: rows or columns of y must be contiguous.")
    cdef bint by_rows = m.rows <= FEW and m.x_term == 1 and m.turned
    m.block_columns = COLUMNS if by_rows else PANEL * 4 // item
    down, across = (m.rows + ROWS - 1) // ROWS, (m.columns + m.block_columns - 1) // m.block_columns
    if <double> batch * m.rows * m.columns * m.terms < ALONE:
        threads = 1
    cdef const real *first_x = &x[0, 0, 0]
    cdef const real *first_y = &y[0, 0, 0]
    cdef real *first_z = &z[0, 0, 0]
    for block in prange(batch * down * across, nogil=True, schedule="dynamic", num_threads=threads):
        b, i, j = block // (down * across), block // across % down * ROWS, block % across * m.block_columns
        multiply_block(
            &m, first_x + b * x_matrix + i * m.x_row, first_y + b * y_matrix + j * (m.y_row if m.turned else 1),
            first_z + (b * m.rows + i) * m.columns + j, min(ROWS, m.rows - i), min(m.block_columns, m.columns - j),
            by_rows,
        )
