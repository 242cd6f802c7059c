/* The kernel that all fast convolutions and matrix products here are made of, and what brings numbers into its shape.

   instructions.h includes this file once for each instruction set and number type, which it names by the macros

       REAL       float or double
       BYTES      the size of a vector register; LANES numbers fit into one
       ROWS       rows of `tile` that are computed at once: as many as keep the sums in registers
       NAME(f)    the name of f for this instruction set and type

   The vectors are GCC's and clang's "vector extensions": arithmetic on whole registers, written as on numbers. For other
   compilers a vector is one number, and everything stays right.
*/

#define LANES ((ptrdiff_t)(sizeof(NAME(vector)) / sizeof(REAL)))

#ifdef __GNUC__
typedef REAL NAME(vector) __attribute__((vector_size(BYTES), aligned(sizeof(REAL)), may_alias));
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")
#else
typedef REAL NAME(vector);
#define INLINE static __forceinline
#define UNROLL
#endif

#define VECTOR NAME(vector)

/* `block` with literal numbers of rows and vectors: the loops over them are unrolled, and `sum` stays in registers. */
INLINE void NAME(block)(const REAL *w, ptrdiff_t w_term, ptrdiff_t w_row, const REAL *x, const ptrdiff_t *offset,
                        ptrdiff_t terms, REAL *out, ptrdiff_t out_row, int fresh, const int rows, const int vectors)
{
    VECTOR sum[8][3], column[3];
    UNROLL for (int a = 0; a < rows; a++)
        UNROLL for (int b = 0; b < vectors; b++)
            sum[a][b] = (VECTOR){0};
    for (ptrdiff_t k = 0; k < terms; k++) {
        UNROLL for (int b = 0; b < vectors; b++)
            column[b] = *(const VECTOR *)(x + offset[k] + b * LANES);
        UNROLL for (int a = 0; a < rows; a++)
            UNROLL for (int b = 0; b < vectors; b++)
                sum[a][b] += w[k * w_term + a * w_row] * column[b];
    }
    UNROLL for (int a = 0; a < rows; a++)
        UNROLL for (int b = 0; b < vectors; b++) {
            VECTOR *place = (VECTOR *)(out + a * out_row + b * LANES);
            if (!fresh) sum[a][b] += *place;
            *place = sum[a][b];
        }
}

/* out[a, q] = (fresh ? 0 : out[a, q]) + sum over k < terms of w[k, a] * x[offset[k] + q],  a < rows <= 8,  q < columns

   The terms are added to each other first and to `out` in the end: long sums that come in blocks are the more accurate for
   it. w is an array (terms, 8), whatever the number of rows. Columns are done in whole vectors: x must be readable, and out
   writable, up to the next multiple of LANES. */
static void NAME(tile)(const REAL *w, const REAL *x, const ptrdiff_t *offset, ptrdiff_t terms, REAL *out,
                       ptrdiff_t out_row, ptrdiff_t rows, ptrdiff_t columns, int fresh)
{
    for (ptrdiff_t a = 0; a < rows; a += ROWS) {
        const ptrdiff_t height = rows - a < ROWS ? rows - a : ROWS;
        for (ptrdiff_t q = 0; q < columns; q += 3 * LANES) {
            const ptrdiff_t vectors = (columns - q + LANES - 1) / LANES;
#define BLOCK(rows, vectors) NAME(block)(w + a, 8, 1, x + q, offset, terms, out + a * out_row + q, out_row, fresh, rows, vectors)
#define BLOCKS(rows) (vectors > 2 ? BLOCK(rows, 3) : vectors > 1 ? BLOCK(rows, 2) : BLOCK(rows, 1))
            if (height > 4) BLOCKS(ROWS);
            else if (height > 2) BLOCKS(4);
            else if (height > 1) BLOCKS(2);
            else BLOCKS(1);
#undef BLOCK
#undef BLOCKS
        }
    }
}

/* out[c, j] = x[c * plane + j * stride]  for c < planes and j < size;  out is an array (planes, row). Reads and writes
   nothing else. */
static void NAME(gather)(REAL *out, ptrdiff_t row, const REAL *x, ptrdiff_t plane, ptrdiff_t planes, ptrdiff_t stride,
                         ptrdiff_t size)
{
    if (stride == 1)
        for (ptrdiff_t c = 0; c < planes; c++, out += row, x += plane) {
            ptrdiff_t j = 0;
            for (; j + LANES <= size; j += LANES)
                *(VECTOR *)(out + j) = *(const VECTOR *)(x + j);
            /* The rest in pieces of 8, 4, 2 and 1: memcpy of a literal size is one or two instructions. */
            if (LANES > 8 && (size & 8)) { memcpy(out + j, x + j, 8 * sizeof(REAL)); j += 8; }
            if (LANES > 4 && (size & 4)) { memcpy(out + j, x + j, 4 * sizeof(REAL)); j += 4; }
            if (LANES > 2 && (size & 2)) { memcpy(out + j, x + j, 2 * sizeof(REAL)); j += 2; }
            if (LANES > 1 && (size & 1)) out[j] = x[j];
        }
    else if (stride == 2)  /* a literal, for which the compiler knows a way with vectors */
        for (ptrdiff_t c = 0; c < planes; c++, out += row, x += plane)
            for (ptrdiff_t j = 0; j < size; j++) out[j] = x[2 * j];
    else
        for (ptrdiff_t c = 0; c < planes; c++, out += row, x += plane)
            for (ptrdiff_t j = 0; j < size; j++) out[j] = x[stride * j];
}

/* out[j, a] = x[a, j]  for a < rows and j < columns;  arrays (columns, out_row) and (rows, x_row). */
static void NAME(transpose)(REAL *out, ptrdiff_t out_row, const REAL *x, ptrdiff_t x_row, ptrdiff_t rows,
                            ptrdiff_t columns)
{
    ptrdiff_t a = 0;
    for (; a + 8 <= rows; a += 8, out += 8, x += 8 * x_row)
        for (ptrdiff_t j = 0; j < columns; j++)
            UNROLL for (int b = 0; b < 8; b++) out[j * out_row + b] = x[b * x_row + j];
    for (; a < rows; a++, out++, x += x_row)
        for (ptrdiff_t j = 0; j < columns; j++) out[j * out_row] = x[j];
}
