/* The transforms of Winograd's convolution, for one instruction set (instructions.h); winograd.pyx explains the idea. */

#define P 0.75f
#define Q 1.5f
#define AT_0 (1 / (P * P * Q * Q))
#define AT_P (1 / (2 * P * P * (P * P - Q * Q)))
#define AT_Q (1 / (2 * Q * Q * (Q * Q - P * P)))

INLINE void NAME(image)(VECTOR *t, const VECTOR *d)
{
    const VECTOR p = d[3] - Q * Q * d[1], q = d[3] - P * P * d[1];
    t[0] = P * P * Q * Q * d[0] - (P * P + Q * Q) * d[2] + d[4];
    t[1] = d[4] - Q * Q * d[2] + P * p;
    t[2] = d[4] - Q * Q * d[2] - P * p;
    t[3] = d[4] - P * P * d[2] + Q * q;
    t[4] = d[4] - P * P * d[2] - Q * q;
    t[5] = P * P * Q * Q * d[1] - (P * P + Q * Q) * d[3] + d[5];
}

INLINE void NAME(kernel)(VECTOR *t, const VECTOR *g)
{
    t[0] = AT_0 * g[0];
    t[1] = AT_P * (g[0] + P * P * g[2] + P * g[1]);
    t[2] = AT_P * (g[0] + P * P * g[2] - P * g[1]);
    t[3] = AT_Q * (g[0] + Q * Q * g[2] + Q * g[1]);
    t[4] = AT_Q * (g[0] + Q * Q * g[2] - Q * g[1]);
    t[5] = g[2];
}

INLINE void NAME(kernel_adjoint)(VECTOR *g, const VECTOR *t)
{
    const VECTOR p = AT_P * (t[1] + t[2]), q = AT_Q * (t[3] + t[4]);
    g[0] = AT_0 * t[0] + p + q;
    g[1] = AT_P * P * (t[1] - t[2]) + AT_Q * Q * (t[3] - t[4]);
    g[2] = P * P * p + Q * Q * q + t[5];
}

INLINE void NAME(result)(VECTOR *t, const VECTOR *y)
{
    const VECTOR p = y[1] + P * P * y[3], q = y[1] + Q * Q * y[3];
    t[0] = y[0];
    t[1] = y[0] + P * P * y[2] + P * p;
    t[2] = y[0] + P * P * y[2] - P * p;
    t[3] = y[0] + Q * Q * y[2] + Q * q;
    t[4] = y[0] + Q * Q * y[2] - Q * q;
    t[5] = y[3];
}

INLINE void NAME(result_adjoint)(VECTOR *y, const VECTOR *t)
{
    const VECTOR p = t[1] + t[2], q = t[3] + t[4], p_odd = t[1] - t[2], q_odd = t[3] - t[4];
    y[0] = t[0] + p + q;
    y[1] = P * p_odd + Q * q_odd;
    y[2] = P * P * p + Q * Q * q;
    y[3] = P * P * P * p_odd + Q * Q * Q * q_odd + t[5];
}

/* The transform `once` of all columns, then of all rows. */
INLINE void NAME(twice)(void (*once)(VECTOR *, const VECTOR *), const int from, const int to, const REAL *in,
                        ptrdiff_t in_row, ptrdiff_t in_column, REAL *out, ptrdiff_t out_row, ptrdiff_t out_column)
{
    VECTOR middle[6][6], a[6], b[6];
    UNROLL for (int j = 0; j < from; j++) {
        UNROLL for (int i = 0; i < from; i++) a[i] = *(const VECTOR *)(in + i * in_row + j * in_column);
        once(b, a);
        UNROLL for (int i = 0; i < to; i++) middle[i][j] = b[i];
    }
    UNROLL for (int i = 0; i < to; i++) {
        once(b, middle[i]);
        UNROLL for (int j = 0; j < to; j++) *(VECTOR *)(out + i * out_row + j * out_column) = b[j];
    }
}

/* --- channels first to channels last and back ---------------------------------------------------------------------- */

#if BYTES == 64
#define LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif BYTES == 32
#define LOW 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define LOW 0, 4, 1, 5
#define HIGH 2, 6, 3, 7
#endif

#ifdef __clang__
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#elif defined(__GNUC__)
typedef int NAME(index) __attribute__((vector_size(BYTES)));
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (NAME(index)){__VA_ARGS__})
#else
#define SHUFFLE(a, b, ...) (a)
#endif

/* Transposes a square of LANES x LANES numbers: log2(LANES) times, the first half of the rows and the second are
   interleaved, as one shuffles cards. */
INLINE void NAME(turn)(VECTOR *a)
{
    VECTOR b[16];
    UNROLL for (int step = 1; step < LANES; step *= 2) {
        UNROLL for (int i = 0; i < LANES / 2; i++) {
            b[2 * i] = SHUFFLE(a[i], a[i + LANES / 2], LOW);
            b[2 * i + 1] = SHUFFLE(a[i], a[i + LANES / 2], HIGH);
        }
        UNROLL for (int i = 0; i < LANES; i++) a[i] = b[i];
    }
}

/* out[k, c] = x[c * plane + k]  for c < channels and k < size, 0 for channels <= c < LANES;  out is an array (size, LANES),
   and writable up to the next multiple of LANES rows. Reads nothing at or behind `end`. */
INLINE void NAME(channels_last)(REAL *out, const REAL *x, ptrdiff_t plane, ptrdiff_t channels, ptrdiff_t size,
                                const REAL *end)
{
    for (ptrdiff_t k = 0; k < size; k += LANES) {
        VECTOR a[16];
        if (channels >= LANES && end - x >= (LANES - 1) * plane + k + LANES)
            UNROLL for (int c = 0; c < LANES; c++) a[c] = *(const VECTOR *)(x + c * plane + k);
        else
            for (int c = 0; c < LANES; c++) {
                a[c] = (VECTOR){0};
                if (c < channels)
                    memcpy(&a[c], x + c * plane + k, (size - k < LANES ? size - k : LANES) * sizeof(REAL));
            }
        NAME(turn)(a);
        UNROLL for (int c = 0; c < LANES; c++) *(VECTOR *)(out + (k + c) * LANES) = a[c];
    }
}

/* x[c * plane + k] = in[k, c]  for c < channels and k < size;  in is readable up to the next multiple of LANES rows. */
INLINE void NAME(channels_first)(REAL *x, ptrdiff_t plane, ptrdiff_t channels, ptrdiff_t size, const REAL *in)
{
    for (ptrdiff_t k = 0; k < size; k += LANES) {
        VECTOR a[16];
        UNROLL for (int c = 0; c < LANES; c++) a[c] = *(const VECTOR *)(in + (k + c) * LANES);
        NAME(turn)(a);
        if (channels >= LANES && size - k >= LANES)
            UNROLL for (int c = 0; c < LANES; c++) *(VECTOR *)(x + c * plane + k) = a[c];
        else
            NAME(gather)(x + k, plane, (const REAL *)a, LANES, channels < LANES ? channels : LANES, 1,
                         size - k < LANES ? size - k : LANES);
    }
}

#define SEGMENT 16  /* tiles of one row that are transformed together: their pixels stay in the first-level cache */

/* strip[r, k] = x[row + r, column + k]  for r < rows and k < columns, for LANES channels each; 0 outside the image */
INLINE void NAME(read_strip)(REAL *strip, const REAL *x, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels,
                             const REAL *end, ptrdiff_t row, ptrdiff_t column, ptrdiff_t rows, ptrdiff_t columns)
{
    for (ptrdiff_t r = row; r < row + rows; r++, strip += columns * LANES) {
        ptrdiff_t first = column < 0 ? -column : 0, last = width - column < columns ? width - column : columns;
        if (r < 0 || r >= height || first >= last)
            first = last = columns;
        for (ptrdiff_t k = 0; k < first * LANES; k++) strip[k] = 0;
        NAME(channels_last)(strip + first * LANES, x + r * width + column + first, height * width, channels, last - first,
                            end);
        for (ptrdiff_t k = last * LANES; k < columns * LANES; k++) strip[k] = 0;
    }
}

/* out[p, t] = (B^T d B)[p]  for the `tiles` tiles whose pixels begin at (row, column), at most SEGMENT */
static inline void NAME(transform_image)(const REAL *x, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels, const REAL *end,
                                  ptrdiff_t row, ptrdiff_t column, ptrdiff_t tiles, REAL *out, ptrdiff_t out_tile,
                                  ptrdiff_t out_plane)
{
    REAL strip[(6 * (4 * SEGMENT + 2) + LANES) * LANES];
    const ptrdiff_t columns = 4 * tiles + 2;
    NAME(read_strip)(strip, x, height, width, channels, end, row, column, 6, columns);
    for (ptrdiff_t t = 0; t < tiles; t++)
        NAME(twice)(NAME(image), 6, 6, strip + 4 * t * LANES, columns * LANES, LANES, out + t * out_tile, 6 * out_plane,
                    out_plane);
}

/* out[p, t] = (A y A^T)[p] */
static inline void NAME(transform_result)(const REAL *y, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels, const REAL *end,
                                   ptrdiff_t row, ptrdiff_t column, ptrdiff_t tiles, REAL *out, ptrdiff_t out_tile,
                                   ptrdiff_t out_plane)
{
    REAL strip[(4 * 4 * SEGMENT + LANES) * LANES];
    const ptrdiff_t columns = 4 * tiles;
    NAME(read_strip)(strip, y, height, width, channels, end, row, column, 4, columns);
    for (ptrdiff_t t = 0; t < tiles; t++)
        NAME(twice)(NAME(result), 4, 6, strip + 4 * t * LANES, columns * LANES, LANES, out + t * out_tile, 6 * out_plane,
                    out_plane);
}

/* y = A^T in A;  returns NaN or infinity if ... */
static inline int NAME(finish_result)(const REAL *in, ptrdiff_t in_tile, ptrdiff_t in_plane, REAL *y, ptrdiff_t height,
                               ptrdiff_t width, ptrdiff_t channels, ptrdiff_t row, ptrdiff_t column, ptrdiff_t tiles)
{
    REAL strip[(4 * 4 * SEGMENT + LANES) * LANES];
    const ptrdiff_t columns = 4 * tiles, inside = width - column < columns ? width - column : columns;
    for (ptrdiff_t t = 0; t < tiles; t++)
        NAME(twice)(NAME(result_adjoint), 6, 4, in + t * in_tile, 6 * in_plane, in_plane, strip + 4 * t * LANES,
                    columns * LANES, LANES);
    for (ptrdiff_t r = 0; r < 4 && row + r < height; r++)
        NAME(channels_first)(y + (row + r) * width + column, height * width, channels, inside, strip + r * columns * LANES);
    return 0;
}

/* out[p, o] = (G w[o] G^T)[p],  o < outputs <= LANES;  w[o] = w + o * w_output are 9 numbers, backwards if `turned` */
static inline void NAME(transform_kernel)(const REAL *w, ptrdiff_t w_output, ptrdiff_t outputs, const REAL *end, int turned,
                                   REAL *out, ptrdiff_t out_plane)
{
    REAL taps[(9 + LANES) * LANES];
    NAME(channels_last)(taps, w, w_output, outputs, 9, end);
    NAME(twice)(NAME(kernel), 3, 6, turned ? taps + 8 * LANES : taps, turned ? -3 * LANES : 3 * LANES,
                turned ? -LANES : LANES, out, 6 * out_plane, out_plane);
}

/* w[c] = G^T in[c] G,  c < channels <= LANES */
static inline void NAME(finish_kernel)(const REAL *in, ptrdiff_t in_plane, ptrdiff_t channels, REAL *w)
{
    REAL taps[(9 + LANES) * LANES];
    NAME(twice)(NAME(kernel_adjoint), 6, 3, in, 6 * in_plane, in_plane, taps, 3 * LANES, LANES);
    NAME(channels_first)(w, 9, channels, 9, taps);
}

/* --- the products in between ---------------------------------------------------------------------------------------- */

#define TERMS 128  /* as many products are added up before the sum is added to those before: rounding errors stay small */

/* out[r, q] = (fresh ? 0 : out[r, q]) + sum over k < terms of w[k * w_term + r * w_row] * x[k, q]

   x is stored in panels of `vectors` vectors: column q of panel s at  x + s * x_panel + k * x_term + q. */
INLINE void NAME(panels)(const REAL *w, ptrdiff_t w_term, ptrdiff_t w_row, ptrdiff_t rows, const REAL *x, ptrdiff_t x_term,
                         ptrdiff_t x_panel, ptrdiff_t vectors, ptrdiff_t columns, REAL *out, ptrdiff_t out_row,
                         ptrdiff_t terms, int fresh)
{
    ptrdiff_t offset[TERMS];
    for (ptrdiff_t k = 0; k < TERMS && k < terms; k++) offset[k] = k * x_term;
    for (; columns > 0; columns -= vectors * LANES, x += x_panel, out += vectors * LANES) {
        const ptrdiff_t left = (columns + LANES - 1) / LANES, wide = left < vectors ? left : vectors;
        for (ptrdiff_t k = 0; k == 0 || k < terms; k += TERMS) {
            const ptrdiff_t some = terms - k < TERMS ? terms - k : TERMS;
            const int first = fresh && k == 0;
#define BLOCK(rows, vectors) \
    NAME(block)(w + k * w_term + r * w_row, w_term, w_row, x + k * x_term, offset, some, out + r * out_row, out_row, first, \
                rows, vectors)
#define BLOCKS(rows) (wide > 2 ? BLOCK(rows, 3) : wide > 1 ? BLOCK(rows, 2) : BLOCK(rows, 1))
            ptrdiff_t r = 0;
            for (; r + ROWS <= rows; r += ROWS) BLOCKS(ROWS);
            if (ROWS > 4 && r + 4 <= rows) { BLOCKS(4); r += 4; }
            if (r + 2 <= rows) { BLOCKS(2); r += 2; }
            if (r < rows) BLOCKS(1);
#undef BLOCK
#undef BLOCKS
        }
    }
}

static inline void NAME(multiply)(const REAL *w, ptrdiff_t w_row, ptrdiff_t rows, const REAL *x, ptrdiff_t vectors,
                           ptrdiff_t columns, REAL *out, ptrdiff_t out_row, ptrdiff_t terms)
{
    NAME(panels)(w, 1, w_row, rows, x, vectors * LANES, terms * vectors * LANES, vectors, columns, out, out_row, terms, 1);
}

static inline void NAME(accumulate)(const REAL *w, ptrdiff_t w_term, ptrdiff_t rows, const REAL *x, ptrdiff_t x_term,
                             ptrdiff_t vectors, ptrdiff_t columns, REAL *out, ptrdiff_t out_row, ptrdiff_t terms, int fresh)
{
    NAME(panels)(w, w_term, 1, rows, x, x_term, vectors * LANES, vectors, columns, out, out_row, terms, fresh);
}

static inline ptrdiff_t NAME(lanes)(void) { return LANES; }

#undef LOW
#undef HIGH
#undef SHUFFLE
