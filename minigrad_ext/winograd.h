/* Winograd's transforms for one instruction set and number type (instructions.h); winograd.pyx explains the idea and
   has the loops around them. All here works on LANES channels at once: numbers of one pixel, or one tap, that lie side
   by side. */

#ifdef __GNUC__
#define ALIGNED __attribute__((aligned(64)))
#define PREFETCH_TO_WRITE(address) __builtin_prefetch(address, 1, 2)
#else
#define ALIGNED
#define PREFETCH_TO_WRITE(address)
#endif

/* --- one dimension: the polynomials at 0, P, -P, Q, -Q and infinity ----------------------------------------------- */

#define P ((REAL)0.75)  /* powers of these are exact, and errors half of those with the usual 1 and 2 */
#define Q ((REAL)1.5)
#define G_0 (1 / (P * P * Q * Q))
#define G_P (1 / (2 * P * P * (P * P - Q * Q)))
#define G_Q (1 / (2 * Q * Q * (Q * Q - P * P)))

/* G g: three taps, divided by the product of the distances to the other points */
INLINE void NAME(G)(VECTOR *t, const VECTOR *g)
{
    t[0] = G_0 * g[0];
    t[1] = G_P * (g[0] + P * P * g[2] + P * g[1]);
    t[2] = G_P * (g[0] + P * P * g[2] - P * g[1]);
    t[3] = G_Q * (g[0] + Q * Q * g[2] + Q * g[1]);
    t[4] = G_Q * (g[0] + Q * Q * g[2] - Q * g[1]);
    t[5] = g[2];
}

/* G^T t */
INLINE void NAME(G_adjoint)(VECTOR *g, const VECTOR *t)
{
    const VECTOR p = G_P * (t[1] + t[2]), q = G_Q * (t[3] + t[4]);
    g[0] = G_0 * t[0] + p + q;
    g[1] = G_P * P * (t[1] - t[2]) + G_Q * Q * (t[3] - t[4]);
    g[2] = P * P * p + Q * Q * q + t[5];
}

/* A y: four results */
INLINE void NAME(A)(VECTOR *t, const VECTOR *y)
{
    const VECTOR p = y[1] + P * P * y[3], q = y[1] + Q * Q * y[3];
    t[0] = y[0];
    t[1] = y[0] + P * P * y[2] + P * p;
    t[2] = y[0] + P * P * y[2] - P * p;
    t[3] = y[0] + Q * Q * y[2] + Q * q;
    t[4] = y[0] + Q * Q * y[2] - Q * q;
    t[5] = y[3];
}

/* A^T t */
INLINE void NAME(A_adjoint)(VECTOR *y, const VECTOR *t)
{
    const VECTOR p = t[1] + t[2], q = t[3] + t[4], odd_p = t[1] - t[2], odd_q = t[3] - t[4];
    y[0] = t[0] + p + q;
    y[1] = P * odd_p + Q * odd_q;
    y[2] = P * P * p + Q * Q * q;
    y[3] = P * P * P * odd_p + Q * Q * Q * odd_q + t[5];
}

/* B^T d: six pixels. Row s has the coefficients of the polynomial that is 0 at all points but s. */
INLINE void NAME(B_adjoint)(VECTOR *t, const VECTOR *d)
{
    const VECTOR p = d[3] - Q * Q * d[1], q = d[3] - P * P * d[1];
    t[0] = P * P * Q * Q * d[0] - (P * P + Q * Q) * d[2] + d[4];
    t[1] = d[4] - Q * Q * d[2] + P * p;
    t[2] = d[4] - Q * Q * d[2] - P * p;
    t[3] = d[4] - P * P * d[2] + Q * q;
    t[4] = d[4] - P * P * d[2] - Q * q;
    t[5] = P * P * Q * Q * d[1] - (P * P + Q * Q) * d[3] + d[5];
}

/* Two dimensions: the transform `once` of all columns, then of all rows. */
INLINE void NAME(twice)(void (*once)(VECTOR *, const VECTOR *), const int from, const int to, const REAL *in,
                        ptrdiff_t in_row, ptrdiff_t in_column, REAL *out, ptrdiff_t out_row, ptrdiff_t out_column)
{
    VECTOR between[6][6], a[6], b[6];
    UNROLL for (int j = 0; j < from; j++) {
        UNROLL for (int i = 0; i < from; i++) a[i] = *(const VECTOR *)(in + i * in_row + j * in_column);
        once(b, a);
        UNROLL for (int i = 0; i < to; i++) between[i][j] = b[i];
    }
    UNROLL for (int i = 0; i < to; i++) {
        once(b, between[i]);
        UNROLL for (int j = 0; j < to; j++) *(VECTOR *)(out + i * out_row + j * out_column) = b[j];
    }
}

/* --- channels first to channels last and back --------------------------------------------------------------------- */

/* out[k, c] = x[c * plane + k]  for k < size and c < channels, 0 for channels <= c < LANES;  out is an array (size,
   LANES) that is writable up to the next multiple of LANES rows. May read more of x, but nothing from `end` on. */
INLINE void NAME(channels_last)(REAL *out, const REAL *x, ptrdiff_t plane, ptrdiff_t channels, ptrdiff_t size,
                                const REAL *end)
{
    for (ptrdiff_t k = 0; k < size; k += LANES) {
        VECTOR a[16];
        if (channels >= LANES && end - x >= (LANES - 1) * plane + k + LANES)
            NAME(load_rows)(a, x + k, plane);
        else
            for (int c = 0; c < LANES; c++) {
                a[c] = (VECTOR){0};
                if (c < channels)
                    memcpy(&a[c], x + c * plane + k, (size - k < LANES ? size - k : LANES) * sizeof(REAL));
            }
        NAME(turn)(a);
        NAME(store_rows)(out + k * LANES, LANES, a);
    }
}

/* x[c * plane + k] = in[k, c]  for k < size and c < channels;  `in` is readable up to a multiple of LANES rows. */
INLINE void NAME(channels_first)(REAL *x, ptrdiff_t plane, ptrdiff_t channels, ptrdiff_t size, const REAL *in)
{
    for (ptrdiff_t k = 0; k < size; k += LANES) {
        VECTOR a[16];
        NAME(load_rows)(a, in + k * LANES, LANES);
        NAME(turn)(a);
        if (channels >= LANES && size - k >= LANES)
            NAME(store_rows)(x + k, plane, a);
        else
            NAME(copy)(x + k, plane, (const REAL *)a, LANES, channels < LANES ? channels : LANES,
                       size - k < LANES ? size - k : LANES, 0);
    }
}

/* --- the transforms ----------------------------------------------------------------------------------------------- */

/* Tiles of a row that are transformed together, at most: their pixels stay in the first-level cache. With dilation d, a
   tile is of every d-th pixel: d tiles, which begin side by side, share 4 * d columns of results. */
#define SEGMENT 16

/* The column in which a tile of such a row begins. */
INLINE ptrdiff_t NAME(column_of)(ptrdiff_t tile, ptrdiff_t dilation)
{
    return tile / dilation * 4 * dilation + tile % dilation;
}

/* out[s, t] = (B^T x B)[s] (or, `of_y`, (A x A^T)[s]) for `tiles` tiles of a row from the tile `first` on, from
   `size` = 6 (or 4) rows of pixels. Pixel 0 of tile 0 is (row, column); pixels outside the image are 0. */
INLINE void NAME(transform)(void (*once)(VECTOR *, const VECTOR *), const int size, const REAL *x, const REAL *end,
                            ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels, ptrdiff_t row, ptrdiff_t column,
                            ptrdiff_t row_dilation, ptrdiff_t dilation, ptrdiff_t first, ptrdiff_t tiles, REAL *out,
                            ptrdiff_t out_tile, ptrdiff_t out_plane)
{
    ALIGNED REAL pixels[(6 * 6 * SEGMENT + LANES) * LANES];
    const ptrdiff_t begin = NAME(column_of)(first, dilation);
    const ptrdiff_t columns = NAME(column_of)(first + tiles - 1, dilation) - begin + (size - 1) * dilation + 1;
    column += begin;
    for (ptrdiff_t r = 0; r < size; r++, row += row_dilation) {
        REAL *to = pixels + r * columns * LANES;
        ptrdiff_t left = column < 0 ? -column : 0, right = width - column < columns ? width - column : columns;
        if (row < 0 || row >= height || left >= right)
            left = right = columns;
        for (ptrdiff_t k = 0; k < left * LANES; k++) to[k] = 0;
        if (left < right)
            NAME(channels_last)(to + left * LANES, x + row * width + column + left, height * width, channels,
                                right - left, end);
        for (ptrdiff_t k = right * LANES; k < columns * LANES; k++) to[k] = 0;
    }
#define TWICE(dilation) \
    for (ptrdiff_t t = first; t < first + tiles; t++, out += out_tile) \
        NAME(twice)(once, size, 6, pixels + (NAME(column_of)(t, dilation) - begin) * LANES, columns * LANES, \
                    (dilation) * LANES, out, 6 * out_plane, out_plane)
    if (dilation == 1) TWICE(1);  /* a literal, for which the compiler needs fewer pointers */
    else TWICE(dilation);
#undef TWICE
}

static inline void NAME(transform_tiles)(const REAL *x, const REAL *end, ptrdiff_t height, ptrdiff_t width,
                                         ptrdiff_t channels, ptrdiff_t row, ptrdiff_t column, ptrdiff_t row_dilation,
                                         ptrdiff_t dilation, ptrdiff_t first, ptrdiff_t tiles, int of_y, REAL *out,
                                         ptrdiff_t out_tile, ptrdiff_t out_plane)
{
#define TRANSFORM(once, size) \
    NAME(transform)(once, size, x, end, height, width, channels, row, column, row_dilation, dilation, first, tiles, \
                    out, out_tile, out_plane)
    if (of_y) TRANSFORM(NAME(A), 4);
    else TRANSFORM(NAME(B_adjoint), 6);
#undef TRANSFORM
}

/* Whether there is an infinity or NaN among size * LANES numbers: times 0, those are NaN, and stay NaN in any sum. */
INLINE int NAME(not_finite)(const REAL *a, ptrdiff_t size)
{
    VECTOR sum = {0};
    REAL total = 0;
    for (ptrdiff_t k = 0; k < size; k++) sum += 0 * *(const VECTOR *)(a + k * LANES);
    for (ptrdiff_t c = 0; c < LANES; c++) total += ((const REAL *)&sum)[c];
    return total != 0;
}

/* y = A^T in A  for `tiles` tiles, a multiple of the dilation, the first at (row, column), as far as they lie within y.
   Returns whether a number is not finite. */
static inline int NAME(finish_y)(const REAL *in, ptrdiff_t in_tile, ptrdiff_t in_plane, REAL *y, ptrdiff_t height,
                                 ptrdiff_t width, ptrdiff_t channels, ptrdiff_t row, ptrdiff_t column,
                                 ptrdiff_t row_dilation, ptrdiff_t dilation, ptrdiff_t tiles)
{
    ALIGNED REAL pixels[(4 * 4 * SEGMENT + LANES) * LANES];
    const ptrdiff_t columns = 4 * tiles, size = width - column < columns ? width - column : columns;
    ptrdiff_t rows = 0;
    while (rows < 4 && row + rows * row_dilation < height) rows++;
    for (ptrdiff_t c = 0; c < channels; c++)
        for (ptrdiff_t r = 0; r < rows; r++)
            for (ptrdiff_t k = 0; k < size; k += 16)
                PREFETCH_TO_WRITE(y + (c * height + row + r * row_dilation) * width + column + k);
#define TWICE(dilation) \
    for (ptrdiff_t t = 0; t < tiles; t++, in += in_tile) \
        NAME(twice)(NAME(A_adjoint), 6, 4, in, 6 * in_plane, in_plane, pixels + NAME(column_of)(t, dilation) * LANES, \
                    columns * LANES, (dilation) * LANES)
    if (dilation == 1) TWICE(1);
    else TWICE(dilation);
#undef TWICE
    for (ptrdiff_t r = 0; r < rows; r++)
        NAME(channels_first)(y + (row + r * row_dilation) * width + column, height * width, channels, size,
                             pixels + r * columns * LANES);
    return NAME(not_finite)(pixels, 4 * columns);
}

/* out[s] = (G w G^T)[s]  for the kernels w, w + distance ...; `turned` by 180 degrees or not */
static inline void NAME(transform_w)(const REAL *w, const REAL *end, ptrdiff_t distance, ptrdiff_t kernels, int turned,
                                     REAL *out, ptrdiff_t out_plane)
{
    ALIGNED REAL taps[(9 + LANES) * LANES];
    const ptrdiff_t step = turned ? -LANES : LANES;
    NAME(channels_last)(taps, w, distance, kernels, 9, end);
    NAME(twice)(NAME(G), 3, 6, turned ? taps + 8 * LANES : taps, 3 * step, step, out, 6 * out_plane, out_plane);
}

/* w = G^T in G  for some kernels, one after the other. Returns whether a number is not finite. */
static inline int NAME(finish_w)(const REAL *in, ptrdiff_t in_plane, REAL *w, ptrdiff_t kernels)
{
    ALIGNED REAL taps[(9 + LANES) * LANES];
    for (ptrdiff_t k = 9 * LANES; k < LANES * LANES; k++) taps[k] = 0;  /* read with the others, and dropped */
    NAME(twice)(NAME(G_adjoint), 6, 3, in, 6 * in_plane, in_plane, taps, 3 * LANES, LANES);
    NAME(channels_first)(w, 9, kernels, 9, taps);
    return NAME(not_finite)(taps, 9);
}

/* --- the products in between -------------------------------------------------------------------------------------- */

#define TERMS 96  /* so many are added up before the sum joins the others: errors stay small, x in the cache */

/* out[r, q] = (fresh ? 0 : out[r, q]) + sum over k < terms of w[k * w_term + r * w_row] * x[k, q]

   x is cut into panels of `vectors` vectors: its column q of panel s is at  x + s * x_panel + k * x_term + q. */
INLINE void NAME(multiply)(const REAL *w, ptrdiff_t w_term, ptrdiff_t w_row, ptrdiff_t rows, const REAL *x,
                           ptrdiff_t x_term, ptrdiff_t x_panel, ptrdiff_t vectors, ptrdiff_t columns, REAL *out,
                           ptrdiff_t out_row, ptrdiff_t terms, int fresh)
{
    ptrdiff_t w_offset[TERMS], x_offset[TERMS];
    for (ptrdiff_t k = 0; k < TERMS; k++) {
        w_offset[k] = k * w_term;
        x_offset[k] = k * x_term;
    }
    for (; columns > 0; columns -= vectors * LANES, x += x_panel, out += vectors * LANES) {
        const ptrdiff_t left = (columns + LANES - 1) / LANES, width = left < vectors ? left : vectors;
        const ptrdiff_t height = NAME(rows)(width);
        for (ptrdiff_t k = 0; k == 0 || k < terms; k += TERMS) {
            const ptrdiff_t some = terms - k < TERMS ? terms - k : TERMS;
            for (ptrdiff_t r = 0; r < rows; r += height)
                NAME(tile)(w + k * w_term + r * w_row, w_offset, w_row, x + k * x_term, x_offset, some,
                           out + r * out_row, out_row, rows - r < height ? rows - r : height, width * LANES,
                           fresh && k == 0);
        }
    }
}

/* s[t, o] (+)= sum over c of v[t, c] * u[c, o] */
static inline void NAME(multiply_v_u)(const REAL *v, ptrdiff_t v_row, ptrdiff_t tiles, const REAL *u, ptrdiff_t vectors,
                                      ptrdiff_t outputs, REAL *s, ptrdiff_t s_row, ptrdiff_t channels, int fresh)
{
    NAME(multiply)(v, 1, v_row, tiles, u, vectors * LANES, channels * vectors * LANES, vectors, outputs, s, s_row,
                   channels, fresh);
}

/* s[o, c] (+)= sum over t of u[t, o] * v[t, c] */
static inline void NAME(multiply_u_v)(const REAL *u, ptrdiff_t u_row, ptrdiff_t outputs, const REAL *v, ptrdiff_t v_row,
                                      ptrdiff_t vectors, ptrdiff_t channels, REAL *s, ptrdiff_t s_row, ptrdiff_t tiles,
                                      int fresh)
{
    NAME(multiply)(u, u_row, 1, outputs, v, v_row, vectors * LANES, vectors, channels, s, s_row, tiles, fresh);
}

#undef ALIGNED
#undef PREFETCH_TO_WRITE
#undef G_0
#undef G_P
#undef G_Q
#undef P
#undef Q
