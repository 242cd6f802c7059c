"""The kernels of winograd.h as Cython sees them: for float and double under one name, `set` being the instruction set.
Whoever cimports them defines WINOGRAD before, which makes instructions.h include them."""

from minigrad_ext.instructions cimport real

cdef extern from "instructions.h" nogil:
    const Py_ssize_t SEGMENT, TERMS
    void transform_tiles_float(int set, const float *x, const float *end, Py_ssize_t height, Py_ssize_t width,
                               Py_ssize_t channels, Py_ssize_t row, Py_ssize_t column, Py_ssize_t row_dilation,
                               Py_ssize_t dilation, Py_ssize_t first, Py_ssize_t tiles, bint of_y, float *out,
                               Py_ssize_t out_tile, Py_ssize_t out_plane)
    void transform_tiles_double(int set, const double *x, const double *end, Py_ssize_t height, Py_ssize_t width,
                                Py_ssize_t channels, Py_ssize_t row, Py_ssize_t column, Py_ssize_t row_dilation,
                                Py_ssize_t dilation, Py_ssize_t first, Py_ssize_t tiles, bint of_y, double *out,
                                Py_ssize_t out_tile, Py_ssize_t out_plane)
    int finish_y_float(int set, const float *s, Py_ssize_t s_tile, Py_ssize_t s_plane, float *y, Py_ssize_t height,
                       Py_ssize_t width, Py_ssize_t channels, Py_ssize_t row, Py_ssize_t column,
                       Py_ssize_t row_dilation, Py_ssize_t dilation, Py_ssize_t tiles)
    int finish_y_double(int set, const double *s, Py_ssize_t s_tile, Py_ssize_t s_plane, double *y,
                        Py_ssize_t height, Py_ssize_t width, Py_ssize_t channels, Py_ssize_t row, Py_ssize_t column,
                        Py_ssize_t row_dilation, Py_ssize_t dilation, Py_ssize_t tiles)
    void transform_w_float(int set, const float *w, const float *end, Py_ssize_t distance, Py_ssize_t kernels,
                           bint turned, float *out, Py_ssize_t out_plane)
    void transform_w_double(int set, const double *w, const double *end, Py_ssize_t distance, Py_ssize_t kernels,
                            bint turned, double *out, Py_ssize_t out_plane)
    int finish_w_float(int set, const float *s, Py_ssize_t s_plane, float *w, Py_ssize_t kernels)
    int finish_w_double(int set, const double *s, Py_ssize_t s_plane, double *w, Py_ssize_t kernels)
    void multiply_v_u_float(int set, const float *v, Py_ssize_t v_row, Py_ssize_t tiles, const float *u,
                            Py_ssize_t vectors, Py_ssize_t outputs, float *s, Py_ssize_t s_row, Py_ssize_t channels,
                            bint fresh)
    void multiply_v_u_double(int set, const double *v, Py_ssize_t v_row, Py_ssize_t tiles, const double *u,
                             Py_ssize_t vectors, Py_ssize_t outputs, double *s, Py_ssize_t s_row,
                             Py_ssize_t channels, bint fresh)
    void multiply_u_v_float(int set, const float *u, Py_ssize_t u_row, Py_ssize_t outputs, const float *v,
                            Py_ssize_t v_row, Py_ssize_t vectors, Py_ssize_t channels, float *s, Py_ssize_t s_row,
                            Py_ssize_t tiles, bint fresh)
    void multiply_u_v_double(int set, const double *u, Py_ssize_t u_row, Py_ssize_t outputs, const double *v,
                             Py_ssize_t v_row, Py_ssize_t vectors, Py_ssize_t channels, double *s, Py_ssize_t s_row,
                             Py_ssize_t tiles, bint fresh)


cdef inline void transform_tiles(
    int set, const real *x, const real *end, Py_ssize_t height, Py_ssize_t width, Py_ssize_t channels, Py_ssize_t row,
    Py_ssize_t column, Py_ssize_t row_dilation, Py_ssize_t dilation, Py_ssize_t first, Py_ssize_t tiles, bint of_y,
    real *out, Py_ssize_t out_tile, Py_ssize_t out_plane,
) noexcept nogil:
    if real is float:
        transform_tiles_float(set, x, end, height, width, channels, row, column, row_dilation, dilation, first, tiles,
                              of_y, out, out_tile, out_plane)
    else:
        transform_tiles_double(set, x, end, height, width, channels, row, column, row_dilation, dilation, first,
                               tiles, of_y, out, out_tile, out_plane)


cdef inline bint finish_y(
    int set, const real *s, Py_ssize_t s_tile, Py_ssize_t s_plane, real *y, Py_ssize_t height, Py_ssize_t width,
    Py_ssize_t channels, Py_ssize_t row, Py_ssize_t column, Py_ssize_t row_dilation, Py_ssize_t dilation,
    Py_ssize_t tiles,
) noexcept nogil:
    if real is float:
        return finish_y_float(set, s, s_tile, s_plane, y, height, width, channels, row, column, row_dilation,
                              dilation, tiles)
    else:
        return finish_y_double(set, s, s_tile, s_plane, y, height, width, channels, row, column, row_dilation,
                               dilation, tiles)


cdef inline void transform_w(
    int set, const real *w, const real *end, Py_ssize_t distance, Py_ssize_t kernels, bint turned, real *out,
    Py_ssize_t out_plane,
) noexcept nogil:
    if real is float:
        transform_w_float(set, w, end, distance, kernels, turned, out, out_plane)
    else:
        transform_w_double(set, w, end, distance, kernels, turned, out, out_plane)


cdef inline bint finish_w(
    int set, const real *s, Py_ssize_t s_plane, real *w, Py_ssize_t kernels,
) noexcept nogil:
    if real is float:
        return finish_w_float(set, s, s_plane, w, kernels)
    else:
        return finish_w_double(set, s, s_plane, w, kernels)


cdef inline void multiply_v_u(
    int set, const real *v, Py_ssize_t v_row, Py_ssize_t tiles, const real *u, Py_ssize_t vectors,
    Py_ssize_t outputs, real *s, Py_ssize_t s_row, Py_ssize_t channels, bint fresh,
) noexcept nogil:
    if real is float:
        multiply_v_u_float(set, v, v_row, tiles, u, vectors, outputs, s, s_row, channels, fresh)
    else:
        multiply_v_u_double(set, v, v_row, tiles, u, vectors, outputs, s, s_row, channels, fresh)


cdef inline void multiply_u_v(
    int set, const real *u, Py_ssize_t u_row, Py_ssize_t outputs, const real *v, Py_ssize_t v_row,
    Py_ssize_t vectors, Py_ssize_t channels, real *s, Py_ssize_t s_row, Py_ssize_t tiles, bint fresh,
) noexcept nogil:
    if real is float:
        multiply_u_v_float(set, u, u_row, outputs, v, v_row, vectors, channels, s, s_row, tiles, fresh)
    else:
        multiply_u_v_double(set, u, u_row, outputs, v, v_row, vectors, channels, s, s_row, tiles, fresh)
