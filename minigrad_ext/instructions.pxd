"""The kernels of tile.h as Cython sees them: for float and double under one name, `set` being the instruction set."""

ctypedef fused real:
    float
    double

cdef extern from "instructions.h" nogil:
    int BASELINE, AVX2, AVX512
    bint has_instructions(int set)
    Py_ssize_t tile_vectors(int set)                           # of a tile of many rows, at most
    Py_ssize_t tile_rows(int set, Py_ssize_t vectors)          # of a tile of so many vectors
    Py_ssize_t tile_columns_float(int set, Py_ssize_t rows)    # of a tile of so many rows
    Py_ssize_t tile_columns_double(int set, Py_ssize_t rows)
    Py_ssize_t lanes_float(int set)
    Py_ssize_t lanes_double(int set)
    void tile_float(int set, const float *w, const Py_ssize_t *w_offset, Py_ssize_t w_row, const float *x,
                    const Py_ssize_t *x_offset, Py_ssize_t terms, float *out, Py_ssize_t out_row, Py_ssize_t rows,
                    Py_ssize_t columns, bint fresh)
    void tile_double(int set, const double *w, const Py_ssize_t *w_offset, Py_ssize_t w_row, const double *x,
                    const Py_ssize_t *x_offset, Py_ssize_t terms, double *out, Py_ssize_t out_row, Py_ssize_t rows,
                    Py_ssize_t columns, bint fresh)
    void dot_float(int set, const float *y, const float *x, const Py_ssize_t *offset, Py_ssize_t terms, Py_ssize_t
                   size, float *out)
    void dot_double(int set, const double *y, const double *x, const Py_ssize_t *offset, Py_ssize_t terms, Py_ssize_t
                    size, double *out)
    void lanewise_float(int set, const float *w, const float *x, const Py_ssize_t *offset, Py_ssize_t terms, Py_ssize_t
                        step, float *out, Py_ssize_t out_step, Py_ssize_t places)
    void lanewise_double(int set, const double *w, const double *x, const Py_ssize_t *offset, Py_ssize_t terms,
                         Py_ssize_t step, double *out, Py_ssize_t out_step, Py_ssize_t places)
    void lanewise_dots_float(int set, const float *y, const float *x, const Py_ssize_t *offset, Py_ssize_t terms,
                             Py_ssize_t step, Py_ssize_t places, float *out)
    void lanewise_dots_double(int set, const double *y, const double *x, const Py_ssize_t *offset, Py_ssize_t terms,
                              Py_ssize_t step, Py_ssize_t places, double *out)
    void copy_float(int set, float *out, Py_ssize_t out_row, const float *x, Py_ssize_t x_row, Py_ssize_t planes,
                    Py_ssize_t size, bint zeros)
    void copy_double(int set, double *out, Py_ssize_t out_row, const double *x, Py_ssize_t x_row, Py_ssize_t planes,
                     Py_ssize_t size, bint zeros)
    void pick_float(int set, float *out, const float *x, Py_ssize_t stride, Py_ssize_t size)
    void pick_double(int set, double *out, const double *x, Py_ssize_t stride, Py_ssize_t size)
    void put_float(int set, float *out, Py_ssize_t stride, const float *x, Py_ssize_t size)
    void put_double(int set, double *out, Py_ssize_t stride, const double *x, Py_ssize_t size)
    bint finite_float(int set, const float *x, Py_ssize_t size)
    bint finite_double(int set, const double *x, Py_ssize_t size)
    void transpose_float(int set, float *out, Py_ssize_t out_row, const float *x, Py_ssize_t x_row, Py_ssize_t rows,
                         Py_ssize_t columns)
    void transpose_double(int set, double *out, Py_ssize_t out_row, const double *x, Py_ssize_t x_row, Py_ssize_t rows,
                          Py_ssize_t columns)
    double multiply_adds_float(int set, Py_ssize_t count)
    double multiply_adds_double(int set, Py_ssize_t count)


cdef inline Py_ssize_t lanes(int set, const real *numbers) noexcept nogil:
    """How many of them fit into a vector."""
    if real is float:
        return lanes_float(set)
    else:
        return lanes_double(set)


cdef inline Py_ssize_t tile_columns(int set, Py_ssize_t rows, const real *numbers) noexcept nogil:
    if real is float:
        return tile_columns_float(set, rows)
    else:
        return tile_columns_double(set, rows)


cdef inline void tile(
    int set, const real *w, const Py_ssize_t *w_offset, Py_ssize_t w_row, const real *x, const Py_ssize_t *x_offset,
    Py_ssize_t terms, real *out, Py_ssize_t out_row, Py_ssize_t rows, Py_ssize_t columns, bint fresh,
) noexcept nogil:
    if real is float:
        tile_float(set, w, w_offset, w_row, x, x_offset, terms, out, out_row, rows, columns, fresh)
    else:
        tile_double(set, w, w_offset, w_row, x, x_offset, terms, out, out_row, rows, columns, fresh)


cdef inline void dot(
    int set, const real *y, const real *x, const Py_ssize_t *offset, Py_ssize_t terms, Py_ssize_t size, real *out,
) noexcept nogil:
    if real is float:
        dot_float(set, y, x, offset, terms, size, out)
    else:
        dot_double(set, y, x, offset, terms, size, out)


cdef inline void lanewise(
    int set, const real *w, const real *x, const Py_ssize_t *offset, Py_ssize_t terms, Py_ssize_t step, real *out,
    Py_ssize_t out_step, Py_ssize_t places,
) noexcept nogil:
    if real is float:
        lanewise_float(set, w, x, offset, terms, step, out, out_step, places)
    else:
        lanewise_double(set, w, x, offset, terms, step, out, out_step, places)


cdef inline void lanewise_dots(
    int set, const real *y, const real *x, const Py_ssize_t *offset, Py_ssize_t terms, Py_ssize_t step,
    Py_ssize_t places, real *out,
) noexcept nogil:
    if real is float:
        lanewise_dots_float(set, y, x, offset, terms, step, places, out)
    else:
        lanewise_dots_double(set, y, x, offset, terms, step, places, out)


cdef inline void copy(
    int set, real *out, Py_ssize_t out_row, const real *x, Py_ssize_t x_row, Py_ssize_t planes, Py_ssize_t size,
    bint zeros,
) noexcept nogil:
    if real is float:
        copy_float(set, out, out_row, x, x_row, planes, size, zeros)
    else:
        copy_double(set, out, out_row, x, x_row, planes, size, zeros)


cdef inline void pick(int set, real *out, const real *x, Py_ssize_t stride, Py_ssize_t size) noexcept nogil:
    if real is float:
        pick_float(set, out, x, stride, size)
    else:
        pick_double(set, out, x, stride, size)


cdef inline void put(int set, real *out, Py_ssize_t stride, const real *x, Py_ssize_t size) noexcept nogil:
    if real is float:
        put_float(set, out, stride, x, size)
    else:
        put_double(set, out, stride, x, size)


cdef inline bint finite(int set, const real *x, Py_ssize_t size) noexcept nogil:
    if real is float:
        return finite_float(set, x, size)
    else:
        return finite_double(set, x, size)


cdef inline void transpose(
    int set, real *out, Py_ssize_t out_row, const real *x, Py_ssize_t x_row, Py_ssize_t rows, Py_ssize_t columns,
) noexcept nogil:
    if real is float:
        transpose_float(set, out, out_row, x, x_row, rows, columns)
    else:
        transpose_double(set, out, out_row, x, x_row, rows, columns)
