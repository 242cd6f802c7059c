# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Matrix products on the CPU, in the shapes that layers have: z = x y.

Of z, four rows of as many columns as three vectors have are made at once: each number of x meets three vectors of y.
These columns of y, a *panel*, are copied side by side first, so that they stay in the caches while all rows of x meet
them. x is read as it lies in memory, and so is y where it meets few rows: there each z[i, j] is the product of a row of
x and a row of what y is the transpose of, as the weight of a layer is; twelve of them grow in registers together.

Long sums come in blocks, which are added up in the end. Threads share blocks of z. Where these begin depends on the
shapes alone, and each number is made by one thread in one order: the same bits for any number of threads.
"""

from cython.parallel cimport prange
from libc.string cimport memset

cdef extern from *:
    """
    #define PRODUCTS  /* for kernels.h */
    """

cdef extern from "instructions.h" nogil:
    void multiply_panel_float(int set, const float *x, Py_ssize_t x_row, Py_ssize_t x_term, const float *y,
                              Py_ssize_t y_row, Py_ssize_t terms, float *out, Py_ssize_t out_row, Py_ssize_t rows,
                              Py_ssize_t columns, bint fresh)
    void multiply_panel_double(int set, const double *x, Py_ssize_t x_row, Py_ssize_t x_term, const double *y,
                               Py_ssize_t y_row, Py_ssize_t terms, double *out, Py_ssize_t out_row, Py_ssize_t rows,
                               Py_ssize_t columns, bint fresh)
    void pack_panel_float(int set, float *panel, const float *y, Py_ssize_t y_row, Py_ssize_t terms, Py_ssize_t columns)
    void pack_panel_double(int set, double *panel, const double *y, Py_ssize_t y_row, Py_ssize_t terms,
                           Py_ssize_t columns)
    void turn_panel_float(int set, float *panel, const float *y, Py_ssize_t y_row, Py_ssize_t terms, Py_ssize_t columns)
    void turn_panel_double(int set, double *panel, const double *y, Py_ssize_t y_row, Py_ssize_t terms,
                           Py_ssize_t columns)
    void multiply_rows_float(int set, const float *x, Py_ssize_t x_row, const float *y, Py_ssize_t y_row,
                             Py_ssize_t terms, float *out, Py_ssize_t out_row, Py_ssize_t rows, Py_ssize_t columns,
                             bint fresh)
    void multiply_rows_double(int set, const double *x, Py_ssize_t x_row, const double *y, Py_ssize_t y_row,
                              Py_ssize_t terms, double *out, Py_ssize_t out_row, Py_ssize_t rows, Py_ssize_t columns,
                              bint fresh)
    Py_ssize_t panel_columns_float(int set)
    Py_ssize_t panel_columns_double(int set)

ctypedef fused real:
    float
    double

cdef enum:
    TERMS = 256            # of a sum that are added up before they meet the others
    ROW_TERMS = 1024       # the same for products of rows
    ROWS = 128             # of z in a block
    COLUMNS = 12           # the same for products of rows
    WIDEST = 48            # panel_columns at most
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
    if m.turned:
        if real is float:
            turn_panel_float(m.set, panel, y, m.y_row, terms, columns)
        else:
            turn_panel_double(m.set, panel, y, m.y_row, terms, columns)
    elif real is float:
        pack_panel_float(m.set, panel, y, m.y_row, terms, columns)
    else:
        pack_panel_double(m.set, panel, y, m.y_row, terms, columns)


cdef void panel_block(
    const Product *m, const real *x, const real *y, real *z, Py_ssize_t rows, Py_ssize_t columns
) noexcept nogil:
    """A block of z as products of numbers of x and vectors of y."""
    cdef real[TERMS * WIDEST] copied
    cdef const real *part
    cdef Py_ssize_t part_row = m.y_row, k = 0, terms
    cdef bint copies = rows > FEW or columns < m.block_columns or m.turned
    while k < m.terms:
        terms = min(TERMS, m.terms - k)
        part = y + k * m.y_term
        if copies:
            copy_panel(m, part, terms, columns, copied)
            part, part_row = copied, m.block_columns
        if real is float:
            multiply_panel_float(m.set, x + k * m.x_term, m.x_row, m.x_term, part, part_row, terms, z, m.columns, rows,
                                 columns, k == 0)
        else:
            multiply_panel_double(m.set, x + k * m.x_term, m.x_row, m.x_term, part, part_row, terms, z, m.columns, rows,
                                  columns, k == 0)
        k += terms


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
    m.block_columns = COLUMNS if by_rows else panel_columns_float(set) if real is float else panel_columns_double(set)
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
