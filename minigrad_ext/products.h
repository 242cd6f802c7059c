/* Products of small matrices, which instructions.h has compiled for each instruction set: see products.pyx. The
   vectors, and the macros, are those of tile.h. */

#define PANEL_COLUMNS (3 * LANES)  /* of y that meet the rows of x together */

static inline ptrdiff_t NAME(panel_columns)(void) { return PANEL_COLUMNS; }

/* out[a, q] = (fresh ? 0 : out[a, q]) + sum over k of x[a * x_row + k * x_term] * y[k * y_row + q]

   for q of so many vectors. Literal numbers of rows and vectors let the compiler keep the sums in registers. */
INLINE void NAME(panel_block)(const REAL *x, ptrdiff_t x_row, ptrdiff_t x_term, const REAL *y, ptrdiff_t y_row,
                              ptrdiff_t terms, REAL *out, ptrdiff_t out_row, int fresh, const int rows,
                              const int vectors)
{
    VECTOR sum[4][3], column[3];
    UNROLL for (int a = 0; a < rows; a++)
        UNROLL for (int b = 0; b < vectors; b++)
            sum[a][b] = (VECTOR){0};
    for (ptrdiff_t k = 0; k < terms; k++) {
        UNROLL for (int b = 0; b < vectors; b++)
            column[b] = *(const VECTOR *)(y + k * y_row + b * LANES);
        UNROLL for (int a = 0; a < rows; a++)
            UNROLL for (int b = 0; b < vectors; b++)
                sum[a][b] += x[a * x_row + k * x_term] * column[b];
    }
    UNROLL for (int a = 0; a < rows; a++)
        UNROLL for (int b = 0; b < vectors; b++) {
            VECTOR *place = (VECTOR *)(out + a * out_row + b * LANES);
            if (!fresh) sum[a][b] += *place;
            *place = sum[a][b];
        }
}

/* The same for any number of rows, and of columns up to panel_columns; y must be readable up to whole vectors. */
static void NAME(multiply_panel)(const REAL *x, ptrdiff_t x_row, ptrdiff_t x_term, const REAL *y, ptrdiff_t y_row,
                                 ptrdiff_t terms, REAL *out, ptrdiff_t out_row, ptrdiff_t rows, ptrdiff_t columns,
                                 int fresh)
{
    const ptrdiff_t vectors = (columns + LANES - 1) / LANES;
    REAL beside[4 * PANEL_COLUMNS];  /* for vectors that reach beyond the columns */
    for (ptrdiff_t a = 0; a < rows; a += 4, x += 4 * x_row, out += 4 * out_row) {
        const ptrdiff_t height = rows - a < 4 ? rows - a : 4;
        const int whole = columns == vectors * LANES;
        REAL *to = whole ? out : beside;
        const ptrdiff_t to_row = whole ? out_row : PANEL_COLUMNS;
#define BLOCK(rows, vectors) \
    NAME(panel_block)(x, x_row, x_term, y, y_row, terms, to, to_row, fresh || !whole, rows, vectors)
#define BLOCKS(rows) (vectors > 2 ? BLOCK(rows, 3) : vectors > 1 ? BLOCK(rows, 2) : BLOCK(rows, 1))
        if (height > 3) BLOCKS(4);
        else if (height > 2) BLOCKS(3);
        else if (height > 1) BLOCKS(2);
        else BLOCKS(1);
#undef BLOCK
#undef BLOCKS
        if (!whole)
            for (ptrdiff_t b = 0; b < height; b++)
                for (ptrdiff_t q = 0; q < columns; q++) {
                    const REAL before = fresh ? 0 : out[b * out_row + q];
                    out[b * out_row + q] = before + beside[b * PANEL_COLUMNS + q];
                }
    }
}

/* panel[k, q] = y[k, q] for k < terms and q < columns, 0 for the others up to panel_columns. */
static void NAME(pack_panel)(REAL *panel, const REAL *y, ptrdiff_t y_row, ptrdiff_t terms, ptrdiff_t columns)
{
    for (ptrdiff_t k = 0; k < terms; k++, panel += PANEL_COLUMNS, y += y_row) {
        if (columns == PANEL_COLUMNS) {
            memcpy(panel, y, sizeof(REAL) * PANEL_COLUMNS);
            continue;
        }
        for (ptrdiff_t q = 0; q < columns; q++) panel[q] = y[q];
        for (ptrdiff_t q = columns; q < PANEL_COLUMNS; q++) panel[q] = 0;
    }
}

/* The same of the transpose of y: panel[k, q] = y[q, k]. */
static void NAME(turn_panel)(REAL *panel, const REAL *y, ptrdiff_t y_row, ptrdiff_t terms, ptrdiff_t columns)
{
    if (columns < PANEL_COLUMNS) memset(panel, 0, sizeof(REAL) * PANEL_COLUMNS * terms);
    NAME(transpose)(panel, PANEL_COLUMNS, y, y_row, columns, terms);
}

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

#undef PANEL_COLUMNS
