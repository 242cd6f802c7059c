/* Functions of each element, and of each row of a matrix, which instructions.h has compiled for each instruction set:
   see functions.pyx. None has a branch, so that compilers make vectors of the loops over elements.

   Those of float are computed here, from one polynomial for e^x; those of double by the C library. The coefficients are
   fitted for the smallest largest error; results are right to one or two units in the last place. */

#ifdef SINGLE

static inline uint32_t NAME(bits)(float x) { uint32_t u; memcpy(&u, &x, 4); return u; }
static inline float NAME(number)(uint32_t u) { float x; memcpy(&x, &u, 4); return x; }

/* x = n ln 2 + r with a whole n and the smallest r. The result is e^r - 1, and *n. */
INLINE float NAME(reduced_exp)(float x, int32_t *n)
{
    const float shift = 12582912.0f;  /* 1.5 * 2^23: added, it leaves the nearest whole number in the last bits */
    const float shifted = x * 1.442695041f + shift, whole = shifted - shift;
    const float r = x - whole * 0.693359375f + whole * 2.12194440e-4f;  /* ln 2 in two parts, the first exact */
    float p = 0.00139517174f;
    p = p * r + 0.00836959854f;
    p = p * r + 0.0416661873f;
    p = p * r + 0.166665122f;
    p = p * r + 0.5f;
    *n = (int32_t)(NAME(bits)(shifted) - NAME(bits)(shift));
    return r + r * r * p;
}

static inline float NAME(power_of_2)(int32_t n) { return NAME(number)((uint32_t)(n + 127) << 23); }

INLINE float NAME(exp)(float x)
{
    int32_t n;
    x = x > 89 ? 89 : x;  /* beyond these e^x is infinity, or 0; a NaN is neither and stays */
    x = x < -104 ? -104 : x;
    const float p = 1 + NAME(reduced_exp)(x, &n);
    return p * NAME(power_of_2)(n >> 1) * NAME(power_of_2)(n - (n >> 1));  /* in two steps: 2^n may be out of range */
}

/* 1 / (1 + e^-x), of a power that does not overflow. */
INLINE float NAME(sigmoid)(float x)
{
    const float small = NAME(exp)(x < 0 ? x : -x);
    return (x < 0 ? small : 1) / (1 + small);
}

/* (e^2x - 1) / (e^2x + 1), for |x|; e^2x - 1 = 2^n (e^r - 1) + (2^n - 1) keeps its digits where x is small. */
INLINE float NAME(tanh)(float x)
{
    int32_t n;
    float twice = 2 * (x < 0 ? -x : x);
    twice = twice > 20 ? 20 : twice;  /* where the result is 1 already */
    const float p = NAME(reduced_exp)(twice, &n), power = NAME(power_of_2)(n);
    const float less = power * p + (power - 1), result = less / (less + 2);
    return NAME(number)(NAME(bits)(result) | (NAME(bits)(x) & 0x80000000u));  /* the sign of x */
}

/* x P(x^2) where |x| < 1, else 1 - e^-Q(|x|). */
INLINE float NAME(erf)(float x)
{
    const float size = x < 0 ? -x : x, square = x * x, far = size > 4 ? 4 : size;
    float p = 7.85385782e-5f, q = -1.88823584e-4f;
    p = p * square - 8.01019254e-4f;
    p = p * square + 5.18832775e-3f;
    p = p * square - 2.68538110e-2f;
    p = p * square + 1.12835854e-1f;
    p = p * square - 3.76126260e-1f;
    p = p * square + 1.28379166e-1f;
    q = q * far + 2.97244173e-3f;
    q = q * far - 2.19404288e-2f;
    q = q * far + 1.03327349e-1f;
    q = q * far + 6.37883067e-1f;
    q = q * far + 1.12725151f;
    q = q * far + 3.00428685e-4f;
    const float outer = 1 - NAME(exp)(-q), inner = x + x * p;
    const float signed_outer = NAME(number)(NAME(bits)(outer) | (NAME(bits)(x) & 0x80000000u));
    return size < 1 ? inner : signed_outer;
}

#else

INLINE double NAME(exp)(double x) { return exp(x); }
INLINE double NAME(tanh)(double x) { return tanh(x); }
INLINE double NAME(erf)(double x) { return erf(x); }

INLINE double NAME(sigmoid)(double x)
{
    const double small = exp(x < 0 ? x : -x);
    return (x < 0 ? small : 1) / (1 + small);
}

#endif

/* How much of the normal distribution is below x. */
INLINE REAL NAME(below)(REAL x) { return (REAL)0.5 * (1 + NAME(erf)(x * (REAL)0.7071067811865476)); }

INLINE REAL NAME(gelu)(REAL x) { return x * NAME(below)(x); }

INLINE REAL NAME(gelu_grad)(REAL x, REAL dy)
{
    return dy * (NAME(below)(x) + x * (REAL)0.3989422804014327 * NAME(exp)((REAL)-0.5 * x * x));
}

/* y[j] = f(x[j])  for j < size, with a function for each f. */
#define EACH(f) \
    static void NAME(each_##f)(const REAL *x, REAL *y, ptrdiff_t size) \
    { \
        for (ptrdiff_t j = 0; j < size; j++) y[j] = NAME(f)(x[j]); \
    }
EACH(exp)
EACH(sigmoid)
EACH(tanh)
EACH(erf)
EACH(gelu)
#undef EACH

static void NAME(each_gelu_grad)(const REAL *x, const REAL *dy, REAL *dx, ptrdiff_t size)
{
    for (ptrdiff_t j = 0; j < size; j++) dx[j] = NAME(gelu_grad)(x[j], dy[j]);
}

static void NAME(each_sigmoid_grad)(const REAL *y, const REAL *dy, REAL *dx, ptrdiff_t size)
{
    for (ptrdiff_t j = 0; j < size; j++) dx[j] = dy[j] * y[j] * (1 - y[j]);
}

static void NAME(each_tanh_grad)(const REAL *y, const REAL *dy, REAL *dx, ptrdiff_t size)
{
    for (ptrdiff_t j = 0; j < size; j++) dx[j] = dy[j] * (1 - y[j] * y[j]);
}

/* z[j] = f(x[j], y[j])  for j < size; f is counted in the order of functions.pyx, and some have no y. */
static void NAME(each)(int f, const REAL *x, const REAL *y, REAL *z, ptrdiff_t size)
{
    switch (f) {
    case 0: NAME(each_exp)(x, z, size); break;
    case 1: NAME(each_sigmoid)(x, z, size); break;
    case 2: NAME(each_tanh)(x, z, size); break;
    case 3: NAME(each_erf)(x, z, size); break;
    case 4: NAME(each_gelu)(x, z, size); break;
    case 5: NAME(each_gelu_grad)(x, y, z, size); break;
    case 6: NAME(each_sigmoid_grad)(x, y, z, size); break;
    case 7: NAME(each_tanh_grad)(x, y, z, size); break;
    }
}

/* Sums, and the search for the largest, go on in so many lanes: more than compilers would take apart. What does not
   fill them is done one by one. */
#define MANY 32
#define IN_LANES(start, body) \
    REAL lane[MANY]; \
    for (int k = 0; k < MANY; k++) lane[k] = start; \
    for (; j + MANY <= size; j += MANY) \
        for (int k = 0; k < MANY; k++) lane[k] = body;

/* The largest of a row; if there is NaN among them, it may be any. */
static REAL NAME(largest)(const REAL *x, ptrdiff_t size)
{
    REAL most = -INFINITY;
    ptrdiff_t j = 0;
    if (size >= MANY) {
        IN_LANES(-INFINITY, x[j + k] > lane[k] ? x[j + k] : lane[k])
        for (int k = 0; k < MANY; k++) most = lane[k] > most ? lane[k] : most;
    }
    for (; j < size; j++) most = x[j] > most ? x[j] : most;
    return most;
}

/* The sum of x[j], or of x[j] * y[j]. */
static REAL NAME(row_sum)(const REAL *x, ptrdiff_t size)
{
    double total = 0;
    ptrdiff_t j = 0;
    if (size >= MANY) {
        IN_LANES(0, lane[k] + x[j + k])
        for (int k = 0; k < MANY; k++) total += lane[k];
    }
    for (; j < size; j++) total += x[j];
    return (REAL)total;
}

static REAL NAME(row_product)(const REAL *x, const REAL *y, ptrdiff_t size)
{
    double total = 0;
    ptrdiff_t j = 0;
    if (size >= MANY) {
        IN_LANES(0, lane[k] + x[j + k] * y[j + k])
        for (int k = 0; k < MANY; k++) total += lane[k];
    }
    for (; j < size; j++) total += x[j] * y[j];
    return (REAL)total;
}

/* y[j] = e^(x[j] - most), and their sum. */
static REAL NAME(powers)(const REAL *x, REAL most, REAL *y, ptrdiff_t size)
{
    for (ptrdiff_t j = 0; j < size; j++) y[j] = NAME(exp)(x[j] - most);
    return NAME(row_sum)(y, size);
}

static void NAME(softmax)(const REAL *x, REAL *y, ptrdiff_t size)
{
    const REAL sum = NAME(powers)(x, NAME(largest)(x, size), y, size);
    for (ptrdiff_t j = 0; j < size; j++) y[j] /= sum;
}

static void NAME(softmax_grad)(const REAL *dy, const REAL *y, REAL *dx, ptrdiff_t size)
{
    const REAL mean = NAME(row_product)(dy, y, size);
    for (ptrdiff_t j = 0; j < size; j++) dx[j] = y[j] * (dy[j] - mean);
}

static void NAME(log_softmax)(const REAL *x, REAL *y, ptrdiff_t size)
{
    const REAL most = NAME(largest)(x, size), logarithm = (REAL)log(NAME(powers)(x, most, y, size));
    for (ptrdiff_t j = 0; j < size; j++) y[j] = x[j] - most - logarithm;
}

static void NAME(log_softmax_grad)(const REAL *dy, const REAL *y, REAL *dx, ptrdiff_t size)
{
    const REAL sum = NAME(row_sum)(dy, size);
    for (ptrdiff_t j = 0; j < size; j++) dx[j] = dy[j] - NAME(exp)(y[j]) * sum;
}

#undef MANY
#undef IN_LANES
