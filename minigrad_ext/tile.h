/* The kernels that all fast convolutions and matrix products here are made of, and what brings numbers into their shape.

   instructions.h includes this file once for each instruction set and number type, which it names by the macros

       REAL       float or double
       SIZE       its bytes
       BYTES      those of a vector register; LANES numbers fit into one
       SUMS       the registers for the sums of a tile, three of four that there are
       NAME(f)    the name of f for this instruction set and type

   The vectors are GCC's and clang's "vector extensions": arithmetic on whole registers, written as on numbers. For
   other compilers a vector is one number, and everything stays right.
*/

#define LANES ((ptrdiff_t)(BYTES / SIZE))

#ifdef __GNUC__
typedef REAL NAME(vector) __attribute__((vector_size(BYTES), aligned(sizeof(REAL)), may_alias));
#if SIZE == 8
typedef int64_t NAME(places) __attribute__((vector_size(BYTES)));  /* numbers of lanes, or masks */
#else
typedef int32_t NAME(places) __attribute__((vector_size(BYTES)));
#endif
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 24")
/* To the compiler, what the pointer is from here on is news: else it makes one pointer for each thing that this one
   reaches, and has no registers left for them. */
#define KEEP(pointer) __asm__("" : "+r"(pointer))
#else
typedef REAL NAME(vector);  /* BYTES is sizeof(REAL) then */
#define INLINE static __forceinline
#define UNROLL
#define KEEP(pointer)
#endif

#define VECTOR NAME(vector)

/* The shapes of tiles. A number of a row is loaded once for all vectors, and a vector once for all rows: tiles that are
   nearly square load least. The most vectors for some rows: of a single one more, since what is added to a sum waits
   for what was added before. */
#define ROWS (SUMS / 2)
#define MOST(rows) ((rows) == 1 ? 8 : (rows) > SUMS / 4 ? SUMS / (rows) : SUMS == 24 ? 4 : 3)

/* `tile` for literal numbers of rows and vectors, which let the compiler unroll the loops over them and keep `sum` in
   registers. */
INLINE void NAME(block)(const REAL *w, const ptrdiff_t *w_offset, ptrdiff_t w_row, const REAL *x,
                        const ptrdiff_t *x_offset, ptrdiff_t terms, REAL *out, ptrdiff_t out_row, int fresh,
                        const int rows, const int vectors)
{
    VECTOR sum[ROWS][8], column[8];
    UNROLL for (int a = 0; a < rows; a++)
        UNROLL for (int b = 0; b < vectors; b++)
            sum[a][b] = (VECTOR){0};
    for (ptrdiff_t k = 0; k < terms; k++) {
        const REAL *row[3] = {w + w_offset[k]}, *seen = x + x_offset[k];  /* every fourth row has a pointer */
        UNROLL for (int i = 0; i < (rows + 3) / 4; i++) {
            if (i > 0) row[i] = row[i - 1] + 4 * w_row;
            KEEP(row[i]);
        }
        KEEP(seen);
        UNROLL for (int b = 0; b < vectors; b++)
            column[b] = *(const VECTOR *)(seen + b * LANES);
        UNROLL for (int a = 0; a < rows; a++)
            UNROLL for (int b = 0; b < vectors; b++)
                sum[a][b] += row[a / 4][a % 4 * w_row] * column[b];
    }
    UNROLL for (int a = 0; a < rows; a++)
        UNROLL for (int b = 0; b < vectors; b++) {
            VECTOR *place = (VECTOR *)(out + a * out_row + b * LANES);
            if (!fresh) sum[a][b] += *place;
            *place = sum[a][b];
        }
}

/* out[a, q] = (fresh ? 0 : out[a, q]) + sum over k < terms of w[w_offset[k] + a * w_row] * x[x_offset[k] + q]
   for a < rows <= ROWS and q < columns

   The terms are added to each other first and to `out` in the end: long sums that come in blocks are the more accurate
   for it. Columns are done in whole vectors: x must be readable, and out writable, up to the next multiple of LANES. */
static inline void NAME(tile)(const REAL *w, const ptrdiff_t *w_offset, ptrdiff_t w_row, const REAL *x,
                              const ptrdiff_t *x_offset, ptrdiff_t terms, REAL *out, ptrdiff_t out_row, ptrdiff_t rows,
                              ptrdiff_t columns, int fresh)
{
    ptrdiff_t left = (columns + LANES - 1) / LANES;
#define BLOCK(rows, vectors) NAME(block)(w, w_offset, w_row, x, x_offset, terms, out, out_row, fresh, rows, vectors)
#define CASE(rows) \
    case rows: \
        while (left > 0) { \
            const ptrdiff_t blocks = (left + MOST(rows) - 1) / MOST(rows), vectors = (left + blocks - 1) / blocks; \
            if (vectors == 1) BLOCK(rows, 1); \
            else if (MOST(rows) > 2 && vectors == 3) BLOCK(rows, 3); \
            else if (MOST(rows) > 3 && vectors == 4) BLOCK(rows, 4); \
            else if (MOST(rows) > 4 && vectors == 5) BLOCK(rows, 5); \
            else if (MOST(rows) > 4 && vectors == 6) BLOCK(rows, 6); \
            else if (MOST(rows) > 4 && vectors == 7) BLOCK(rows, 7); \
            else if (MOST(rows) > 4 && vectors == 8) BLOCK(rows, 8); \
            else BLOCK(rows, 2); \
            x += vectors * LANES; \
            out += vectors * LANES; \
            left -= vectors; \
        } \
        break;
    switch (rows) {
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
#if SUMS == 24
        CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
#endif
    }
#undef BLOCK
#undef CASE
}

/* What others must know of that: the widest tile of many rows, in vectors; the rows of a tile of so many vectors; the
   columns of one of so many rows; the numbers of a vector. */
static inline ptrdiff_t NAME(vectors)(void) { return SUMS / 6; }
static inline ptrdiff_t NAME(rows)(ptrdiff_t vectors) { return vectors > 2 ? SUMS / vectors : ROWS; }
static inline ptrdiff_t NAME(columns)(ptrdiff_t rows) { return MOST(rows) * LANES; }
static inline ptrdiff_t NAME(lanes)(void) { return LANES; }

/* out[c, j] = x[c, j]  for c < planes and j < size;  arrays (planes, out_row) and (planes, x_row). Exactly these are
   written; or with `zeros`, which says that what lies between two rows of out shall be 0, that may be written, too. */
static inline void NAME(copy)(REAL *out, ptrdiff_t out_row, const REAL *x, ptrdiff_t x_row, ptrdiff_t planes,
                              ptrdiff_t size, int zeros)
{
    const ptrdiff_t beyond = (LANES - size % LANES) % LANES;
#ifdef __GNUC__
    NAME(places) rest;
    for (int j = 0; j < LANES; j++) rest[j] = j < size % LANES ? -1 : 0;
#endif
    for (ptrdiff_t c = planes - 1; c >= 0; c--, out += out_row, x += x_row) {  /* c rows are still to come */
        ptrdiff_t j = 0;
        for (; j + LANES <= size; j += LANES)
            *(VECTOR *)(out + j) = *(const VECTOR *)(x + j);
#ifdef __GNUC__
        /* A whole vector where the rows to come overwrite what is too much of it. */
        if (j < size && (zeros || out_row == size) && c * out_row >= beyond && c * x_row >= beyond) {
            *(VECTOR *)(out + j) = (VECTOR)((NAME(places)) * (const VECTOR *)(x + j) & rest);
            continue;
        }
#endif
        /* Else the rest in pieces of 8, 4, 2 and 1: memcpy of a literal size is one or two instructions. */
        if (LANES > 8 && (size & 8)) { memcpy(out + j, x + j, 8 * sizeof(REAL)); j += 8; }
        if (LANES > 4 && (size & 4)) { memcpy(out + j, x + j, 4 * sizeof(REAL)); j += 4; }
        if (LANES > 2 && (size & 2)) { memcpy(out + j, x + j, 2 * sizeof(REAL)); j += 2; }
        if (LANES > 1 && (size & 1)) out[j] = x[j];
    }
}

/* --- numbers change places ---------------------------------------------------------------------------------------- */

#ifdef __GNUC__

/* f(j, s) for all lanes j of a vector. */
#if BYTES / SIZE == 16
#define ALL(f, s) f(0, s), f(1, s), f(2, s), f(3, s), f(4, s), f(5, s), f(6, s), f(7, s), \
                  f(8, s), f(9, s), f(10, s), f(11, s), f(12, s), f(13, s), f(14, s), f(15, s)
#elif BYTES / SIZE == 8
#define ALL(f, s) f(0, s), f(1, s), f(2, s), f(3, s), f(4, s), f(5, s), f(6, s), f(7, s)
#elif BYTES / SIZE == 4
#define ALL(f, s) f(0, s), f(1, s), f(2, s), f(3, s)
#else
#define ALL(f, s) f(0, s), f(1, s)
#endif

#ifdef __clang__
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (NAME(places)){__VA_ARGS__})
#endif

#endif

/* out[j] = x[j * stride]  for j < size. */
static inline void NAME(pick)(REAL *out, const REAL *x, ptrdiff_t stride, ptrdiff_t size)
{
    if (stride == 2)  /* a literal, for which compilers know a way with vectors */
        for (ptrdiff_t j = 0; j < size; j++) out[j] = x[2 * j];
    else
        for (ptrdiff_t j = 0; j < size; j++) out[j] = x[stride * j];
}

/* out[j * stride] = x[j]  for j < size; what lies between may be read, and written as it was. */
static inline void NAME(put)(REAL *out, ptrdiff_t stride, const REAL *x, ptrdiff_t size)
{
    ptrdiff_t j = 0;
#ifdef __GNUC__
#define FIRST(i, s) ((i) & 1 ? BYTES / SIZE + (i) : (i) / 2)
#define LAST(i, s) ((i) & 1 ? BYTES / SIZE + (i) : BYTES / SIZE / 2 + (i) / 2)
    if (stride == 2)
        for (; j + LANES < size; j += LANES) {
            const VECTOR numbers = *(const VECTOR *)(x + j);
            VECTOR *between = (VECTOR *)(out + 2 * j), *after = (VECTOR *)(out + 2 * j + LANES);
            *between = SHUFFLE(numbers, *between, ALL(FIRST, 0));
            *after = SHUFFLE(numbers, *after, ALL(LAST, 0));
        }
#undef FIRST
#undef LAST
#endif
    for (; j < size; j++) out[j * stride] = x[j];
}

/* `dot` for a literal number of terms. */
INLINE void NAME(dots)(const REAL *y, const REAL *x, const ptrdiff_t *offset, const int terms, ptrdiff_t size,
                       REAL *out)
{
    VECTOR sum[9];
    UNROLL for (int k = 0; k < terms; k++) sum[k] = (VECTOR){0};
    for (ptrdiff_t q = 0; q < size; q += LANES) {
        const VECTOR factor = *(const VECTOR *)(y + q);
        UNROLL for (int k = 0; k < terms; k++) sum[k] += factor * *(const VECTOR *)(x + offset[k] + q);
    }
    for (int k = 0; k < terms; k++) {
        REAL total = 0;
        for (ptrdiff_t lane = 0; lane < LANES; lane++) total += ((const REAL *)&sum[k])[lane];
        out[k] += total;
    }
}

/* out[k] += sum over q < size of y[q] * x[offset[k] + q]  for k < terms;  size is a multiple of LANES. */
static inline void NAME(dot)(const REAL *y, const REAL *x, const ptrdiff_t *offset, ptrdiff_t terms, ptrdiff_t size,
                             REAL *out)
{
    for (ptrdiff_t k = 0; k < terms;) {  /* by nines, the taps of most kernels; else by as many as are left */
        const ptrdiff_t some = terms - k < 9 ? terms - k : 9;
        switch (some) {
#define CASE(some) case some: NAME(dots)(y, x, offset + k, some, size, out + k); break;
            CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9)
#undef CASE
        }
        k += some;
    }
}

/* --- each lane for itself ----------------------------------------------------------------------------------------- */

/* `lanewise` for a literal number of places, and mostly a literal step. */
INLINE void NAME(pixels)(const REAL *w, const REAL *x, const ptrdiff_t *offset, ptrdiff_t terms, const ptrdiff_t step,
                         REAL *out, ptrdiff_t out_step, const int places)
{
    VECTOR sum[12];
    UNROLL for (int p = 0; p < places; p++) sum[p] = (VECTOR){0};
    for (ptrdiff_t k = 0; k < terms; k++) {
        const VECTOR weight = *(const VECTOR *)(w + k * LANES);
        const REAL *seen = x + offset[k];
        UNROLL for (int p = 0; p < places; p++) sum[p] += weight * *(const VECTOR *)(seen + p * step);
    }
    UNROLL for (int p = 0; p < places; p++) *(VECTOR *)(out + p * out_step) = sum[p];
}

/* out[p * out_step, l] = sum over k < terms of w[k, l] * x[offset[k] + (p * step, l)]  for p < places and lanes l;
   arrays (..., LANES), of which the steps count the rows. */
static inline void NAME(lanewise)(const REAL *w, const REAL *x, const ptrdiff_t *offset, ptrdiff_t terms,
                                  ptrdiff_t step, REAL *out, ptrdiff_t out_step, ptrdiff_t places)
{
    while (places > 0) {
        const ptrdiff_t some = places <= 12 ? places : places < 24 ? (places + 1) / 2 : 12;
        switch (some) {
#define CASE(some) \
            case some: \
                if (step == 1) NAME(pixels)(w, x, offset, terms, LANES, out, out_step * LANES, some); \
                else NAME(pixels)(w, x, offset, terms, step * LANES, out, out_step * LANES, some); \
                break;
            CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
#undef CASE
        }
        x += some * step * LANES;
        out += some * out_step * LANES;
        places -= some;
    }
}

/* `lanewise_dots` for a literal number of terms. */
INLINE void NAME(lane_dots)(const REAL *y, const REAL *x, const ptrdiff_t *offset, ptrdiff_t step, ptrdiff_t places,
                            REAL *out, const int terms)
{
    VECTOR sum[9];
    UNROLL for (int k = 0; k < terms; k++) sum[k] = (VECTOR){0};  /* added to out in the end: the more accurate */
    for (ptrdiff_t p = 0; p < places; p++) {
        const VECTOR factor = *(const VECTOR *)(y + p * LANES);
        UNROLL for (int k = 0; k < terms; k++) sum[k] += factor * *(const VECTOR *)(x + offset[k] + p * step);
    }
    UNROLL for (int k = 0; k < terms; k++) *(VECTOR *)(out + k * LANES) += sum[k];
}

/* out[k, l] += sum over p < places of y[p, l] * x[offset[k] + (p * step, l)]  for k < terms and lanes l; as above. */
static inline void NAME(lanewise_dots)(const REAL *y, const REAL *x, const ptrdiff_t *offset, ptrdiff_t terms,
                                       ptrdiff_t step, ptrdiff_t places, REAL *out)
{
    for (ptrdiff_t k = 0; k < terms;) {
        const ptrdiff_t some = terms - k < 9 ? terms - k : 9;
        switch (some) {
#define CASE(some) case some: NAME(lane_dots)(y, x, offset + k, step * LANES, places, out + k * LANES, some); break;
            CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9)
#undef CASE
        }
        k += some;
    }
}

/* Whether `size` numbers are all finite: 0 times infinity is NaN, as is 0 times NaN. */
static inline int NAME(finite)(const REAL *x, ptrdiff_t size)
{
    VECTOR sum[4] = {{0}};
    REAL rest = 0;
    ptrdiff_t j = 0;
    for (; j + 4 * LANES <= size; j += 4 * LANES)
        UNROLL for (int b = 0; b < 4; b++) sum[b] += 0 * *(const VECTOR *)(x + j + b * LANES);
    for (; j < size; j++) rest += 0 * x[j];
    for (ptrdiff_t lane = 0; lane < 4 * LANES; lane++) rest += ((const REAL *)sum)[lane];
    return rest == 0;
}

/* --- rows to columns ---------------------------------------------------------------------------------------------- */

#ifdef __GNUC__

/* In each pair of rows i, i + s the blocks of s numbers beside the diagonal change places: of two rows, one after the
   other in the mind of SHUFFLE, the first gets those that UPPER names, and the second those of LOWER. */
#define UPPER(j, s) ((j) & (s) ? (j) - (s) + BYTES / SIZE : (j))
#define LOWER(j, s) ((j) & (s) ? (j) + BYTES / SIZE : (j) + (s))
#define EXCHANGE(s) \
    UNROLL for (int i = 0; i < LANES; i++) \
        if (!(i & s)) { \
            const VECTOR first = a[i], second = a[i + s]; \
            a[i] = SHUFFLE(first, second, ALL(UPPER, s)); \
            a[i + s] = SHUFFLE(first, second, ALL(LOWER, s)); \
        }

/* Transposes a square of LANES x LANES numbers: blocks of 1 x 1 in squares of 2 x 2, blocks of 2 x 2 in ... */
INLINE void NAME(turn)(VECTOR *a)
{
    EXCHANGE(1)
#if BYTES / SIZE > 2
    EXCHANGE(2)
#endif
#if BYTES / SIZE > 4
    EXCHANGE(4)
#endif
#if BYTES / SIZE > 8
    EXCHANGE(8)
#endif
}

#undef ALL
#undef SHUFFLE
#undef UPPER
#undef LOWER
#undef EXCHANGE

/* LANES rows of LANES numbers, to and from registers. */
INLINE void NAME(load_rows)(VECTOR *square, const REAL *x, ptrdiff_t x_row)
{
    UNROLL for (int b = 0; b < LANES; b++, x += x_row) {
        square[b] = *(const VECTOR *)x;
        KEEP(x);
    }
}

INLINE void NAME(store_rows)(REAL *out, ptrdiff_t out_row, const VECTOR *square)
{
    UNROLL for (int b = 0; b < LANES; b++, out += out_row) {
        *(VECTOR *)out = square[b];
        KEEP(out);
    }
}

/* Of `transpose` a square of LANES rows and columns, */
INLINE void NAME(turn_square)(REAL *out, ptrdiff_t out_row, const REAL *x, ptrdiff_t x_row)
{
    VECTOR square[LANES];
    NAME(load_rows)(square, x, x_row);
    NAME(turn)(square);
    NAME(store_rows)(out, out_row, square);
}

/* and part of one: `rows` and `columns`, of an x with `behind` numbers from there to its end. `whole` says that out may
   be written in whole vectors. */
static __attribute__((noinline)) void NAME(turn_part)(REAL *out, ptrdiff_t out_row, const REAL *x, ptrdiff_t x_row,
                                                      ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t behind, int whole)
{
    VECTOR square[LANES];
    for (ptrdiff_t b = 0; b < LANES; b++) {
        square[b] = (VECTOR){0};
        if (b < rows && behind >= b * x_row + LANES)
            square[b] = *(const VECTOR *)(x + b * x_row);
        else if (b < rows)
            memcpy(&square[b], x + b * x_row, columns * sizeof(REAL));
    }
    NAME(turn)(square);
    for (ptrdiff_t b = 0; b < columns; b++)
        if (whole)
            *(VECTOR *)(out + b * out_row) = square[b];
        else
            memcpy(out + b * out_row, &square[b], rows * sizeof(REAL));
}

#else

INLINE void NAME(turn)(VECTOR *a) { (void)a; }  /* of 1 x 1 */

#endif

/* out[j, a] = x[a, j]  for a < rows and j < columns;  arrays (columns, out_row) and (rows, x_row). */
static inline void NAME(transpose)(REAL *out, ptrdiff_t out_row, const REAL *x, ptrdiff_t x_row, ptrdiff_t rows,
                            ptrdiff_t columns)
{
#ifdef __GNUC__
    for (ptrdiff_t a = 0; a < rows; a += LANES)
        for (ptrdiff_t j = 0; j < columns; j += LANES) {
            const ptrdiff_t height = rows - a < LANES ? rows - a : LANES;
            const ptrdiff_t width = columns - j < LANES ? columns - j : LANES;
            REAL *to = out + j * out_row + a;
            const REAL *from = x + a * x_row + j;
            if (height == LANES && width == LANES)
                NAME(turn_square)(to, out_row, from, x_row);
            else  /* whole vectors where the next row, if there is one, overwrites what is too much */
                NAME(turn_part)(to, out_row, from, x_row, height, width, (rows - 1 - a) * x_row + columns - j,
                                height == LANES || (out_row == height && (columns - j - width) * height >= LANES));
        }
#else
    for (ptrdiff_t j = 0; j < columns; j++)
        for (ptrdiff_t a = 0; a < rows; a++) out[j * out_row + a] = x[a * x_row + j];
#endif
}

/* Multiplies and adds `count` times in all registers that `tile` sums in; returns how many operations that were. */
static inline double NAME(multiply_adds)(ptrdiff_t count)
{
    VECTOR sum[SUMS];
    const VECTOR factor = (VECTOR){0} + (REAL)0.999;
    for (int a = 0; a < SUMS; a++) sum[a] = (VECTOR){0} + (REAL)a;
    for (ptrdiff_t k = 0; k < count; k++)
        UNROLL for (int a = 0; a < SUMS; a++) sum[a] = sum[a] * factor + factor;
    volatile REAL used = 0;  /* else the compiler would see that nobody reads them */
    for (int a = 0; a < SUMS; a++) used += *(const REAL *)&sum[a];
    return 2.0 * SUMS * LANES * count;
}
