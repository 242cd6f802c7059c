/* Products of few rows, which instructions.h has compiled for each instruction set: see products.pyx. The vectors, and
   the macros, are those of tile.h. */

/* out[a, b] = (fresh ? 0 : out[a, b]) + sum over k of x[a * x_row + k] * y[b * y_row + k]

   for literal numbers of rows a and columns b. */
INLINE void NAME(rows_block)(const REAL *x, ptrdiff_t x_row, const REAL *y, ptrdiff_t y_row, ptrdiff_t terms, REAL *out,
                             ptrdiff_t out_row, int fresh, const int rows, const int columns)
{
    VECTOR sum[4][3], column[3];
    REAL lane[4][3][BYTES / sizeof(REAL)];
    ptrdiff_t k = 0;
    UNROLL for (int a = 0; a < rows; a++)
        UNROLL for (int b = 0; b < columns; b++)
            sum[a][b] = (VECTOR){0};
    for (; k + LANES <= terms; k += LANES) {
        UNROLL for (int b = 0; b < columns; b++)
            column[b] = *(const VECTOR *)(y + b * y_row + k);
        UNROLL for (int a = 0; a < rows; a++)
            UNROLL for (int b = 0; b < columns; b++)
                sum[a][b] += *(const VECTOR *)(x + a * x_row + k) * column[b];
    }
    UNROLL for (int a = 0; a < rows; a++)
        UNROLL for (int b = 0; b < columns; b++)
            *(VECTOR *)lane[a][b] = sum[a][b];
    for (int a = 0; a < rows; a++)
        for (int b = 0; b < columns; b++) {
            REAL *each = lane[a][b], rest = 0;
            for (ptrdiff_t half = LANES / 2; half > 0; half /= 2)
                for (ptrdiff_t j = 0; j < half; j++) each[j] += each[j + half];
            for (ptrdiff_t j = k; j < terms; j++) rest += x[a * x_row + j] * y[b * y_row + j];
            const REAL total = each[0] + rest;
            out[a * out_row + b] = fresh ? total : out[a * out_row + b] + total;
        }
}

/* The same for any numbers of rows and columns. */
static void NAME(multiply_rows)(const REAL *x, ptrdiff_t x_row, const REAL *y, ptrdiff_t y_row, ptrdiff_t terms,
                                REAL *out, ptrdiff_t out_row, ptrdiff_t rows, ptrdiff_t columns, int fresh)
{
    for (ptrdiff_t a = 0; a < rows; a += 4)
        for (ptrdiff_t b = 0; b < columns; b += 3) {
            const ptrdiff_t height = rows - a, width = columns - b;
#define BLOCK(rows, columns) \
    NAME(rows_block)(x + a * x_row, x_row, y + b * y_row, y_row, terms, out + a * out_row + b, out_row, fresh, rows, \
                     columns)
#define BLOCKS(rows) (width > 2 ? BLOCK(rows, 3) : width > 1 ? BLOCK(rows, 2) : BLOCK(rows, 1))
            if (height > 3) BLOCKS(4);
            else if (height > 2) BLOCKS(3);
            else if (height > 1) BLOCKS(2);
            else BLOCKS(1);
#undef BLOCK
#undef BLOCKS
        }
}
