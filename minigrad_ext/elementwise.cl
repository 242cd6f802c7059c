// Elementwise kernels: an element of the result depends on the same element of the operands.
//
// Compiled per dtype: -D real=float, double, int, long or uchar, with -D FLOATING for the first two and -D TRUTH for
// bool, which is a uchar that holds 0 or 1. And per kind of device: a work-item computes RUN neighbouring elements.

#define FOR_EACH_ELEMENT                                                                                  \
    const int first = get_global_id(0) * RUN, end = min(size, first + RUN);                               \
    for (int k = first; k < end; k++)

// y = expression in x
#define MAP(name, result, expression)                                                                     \
    kernel void map_##name(const int size, global const real *restrict xs, global result *restrict ys)    \
    {                                                                                                     \
        FOR_EACH_ELEMENT                                                                                  \
        {                                                                                                 \
            const real x = xs[k];                                                                         \
            ys[k] = expression;                                                                           \
        }                                                                                                 \
    }

// z = expression in x and y
#define MAP2(name, result, expression)                                                                    \
    kernel void map_##name(                                                                               \
        const int size, global const real *restrict xs, global const real *restrict ys, global result *restrict zs) \
    {                                                                                                     \
        FOR_EACH_ELEMENT                                                                                  \
        {                                                                                                 \
            const real x = xs[k], y = ys[k];                                                              \
            zs[k] = expression;                                                                           \
        }                                                                                                 \
    }

#ifdef target // the dtype of the result
MAP(convert, target, x)
#else

// x^n by squaring: exact wherever the products are, as in x^2 = x * x
real power_by_squaring(real x, ulong n)
{
    real z = 1;
    for (; n != 0; n >>= 1, x *= x)
        if (n & 1)
            z *= x;
    return z;
}

#ifdef FLOATING

// The same for functions that cost more than to read and write: drivers have fast versions for vectors. (Of 4, because
// PoCL 3.0 cannot load a program with double8 from its cache.) `vector` is the type of x in the expression.
#define PASTE(a, b) a##b
#define VECTOR_OF(type) PASTE(type, 4)
#define MAP_VECTOR(name, expression)                                                                      \
    kernel void map_##name(const int size, global const real *restrict xs, global real *restrict ys)      \
    {                                                                                                     \
        int k = get_global_id(0) * RUN;                                                                   \
        const int end = min(size, k + RUN);                                                               \
        for (; k + 4 <= end; k += 4) {                                                                    \
            typedef VECTOR_OF(real) vector;                                                               \
            const vector x = vload4(0, xs + k);                                                           \
            vstore4(expression, 0, ys + k);                                                               \
        }                                                                                                 \
        for (; k < end; k++) {                                                                            \
            typedef real vector;                                                                          \
            const vector x = xs[k];                                                                       \
            ys[k] = expression;                                                                           \
        }                                                                                                 \
    }

MAP_VECTOR(exp, exp(x))
MAP_VECTOR(log, log(x))
MAP_VECTOR(log1p, log1p(x))
MAP_VECTOR(tanh, tanh(x))
MAP_VECTOR(erf, erf(x))
MAP_VECTOR(sigmoid, (x < 0 ? exp(-fabs(x)) : (vector)1) / (1 + exp(-fabs(x)))) // exp never overflows

real power(const real x, const real y)
{
    if (fabs(y) <= 16 && y == rint(y))
        return y < 0 ? 1 / power_by_squaring(x, (ulong)-y) : power_by_squaring(x, (ulong)y);
    return pow(x, y);
}

real floor_remainder(const real x, const real y)
{
    const real r = fmod(x, y); // it has the sign of x
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

real floor_quotient(const real x, const real y)
{
    if (y == 0)
        return x / y;
    const real r = fmod(x, y);
    return rint((x - r) / y) - (r != 0 && (r < 0) != (y < 0)); // x - r is a multiple of y, but for its rounding
}

MAP(abs, real, fabs(x))
MAP(sin, real, sin(x)) // not vectors: in PoCL 3.0 a huge element spoils its neighbours
MAP(cos, real, cos(x))
MAP(round, real, rint(x))
MAP2(div, real, x / y)

#else // integers and bools

real power(const real x, const real y)
{
    return power_by_squaring(x, y); // the host has refused negative exponents
}

real floor_remainder(const real x, const real y)
{
    if (y == 0 || y == -1) // the host has refused zeros; the smallest integer has no quotient by -1
        return 0;
    const real r = x % y;
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

real floor_quotient(const real x, const real y)
{
    return y == 0 ? 0 : y == -1 ? -x : x / y - (x % y != 0 && (x < 0) != (y < 0));
}

MAP(abs, real, abs(x))
MAP2(bitwise_and, real, x & y)
MAP2(bitwise_or, real, x | y)
MAP2(bitwise_xor, real, x ^ y)
#define OUTSIDE (y < 0 || y >= 8 * (int)sizeof(real)) // there, C leaves a shift undefined
MAP2(left_shift, real, OUTSIDE ? 0 : x << y)
MAP2(right_shift, real, OUTSIDE ? (x < 0 ? -1 : 0) : x >> y)

#endif

#ifdef TRUTH
MAP2(add, real, x | y) // NumPy's rule: truths add up to "or"
#else
MAP2(add, real, x + y)
#endif

MAP(neg, real, -x)
MAP(sign, real, x != x ? x : (x > 0) - (x < 0)) // x != x: it is NaN
MAP(relu, real, x <= 0 ? 0 : x)                 // false for NaN, so that it passes through
MAP(nonzero, uchar, x != 0)
MAP2(relu_grad, real, x <= 0 ? 0 : y)           // x is the result of relu, y the gradient
MAP2(sub, real, x - y)
MAP2(mul, real, x * y)
MAP2(floor_divide, real, floor_quotient(x, y))
MAP2(remainder, real, floor_remainder(x, y))
MAP2(power, real, power(x, y))
MAP2(maximum, real, x != x || x > y ? x : y)
MAP2(equal, uchar, x == y)
MAP2(less, uchar, x < y)
MAP2(less_equal, uchar, x <= y)

// z = x^y for one exponent y, a square root where it is 1/2
kernel void map_power_number(const int size, const real y, global const real *restrict xs, global real *restrict zs)
{
    FOR_EACH_ELEMENT
    {
        const real x = xs[k];
#ifdef FLOATING
        zs[k] = y == (real)0.5 ? sqrt(x) : power(x, y);
#else
        zs[k] = power(x, y);
#endif
    }
}

kernel void map_where(
    const int size, global const uchar *restrict conditions, global const real *restrict xs,
    global const real *restrict ys, global real *restrict zs)
{
    FOR_EACH_ELEMENT
    zs[k] = conditions[k] ? xs[k] : ys[k];
}

#endif
