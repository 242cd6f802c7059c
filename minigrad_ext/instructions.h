/* The kernels of tile.h (and winograd.h), compiled for each instruction set and number type; which set is used is
   chosen at run time, so one binary serves old processors and makes the most of new ones.

       set          registers          compiled for
       BASELINE     16 or 32 x 16 bytes   whatever the compiler is told to compile for: SSE2, NEON, one number at a time
       AVX2         16 x 32 bytes      x86-64 with fused multiply-add, since about 2013
       AVX512       32 x 64 bytes      x86-64 servers since about 2017, Zen 4

   After this, Cython sees functions whose first argument is the set: tile_float(set, ...), tile_double(set, ...) ...
*/
#ifndef MINIGRAD_INSTRUCTIONS_H
#define MINIGRAD_INSTRUCTIONS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { BASELINE, AVX2, AVX512, SETS };

#if defined(__GNUC__) && defined(__x86_64__)
#define SEVERAL_SETS 1
#endif

/* What follows until END is compiled for another instruction set. */
#ifdef __clang__
#define BEGIN(set) _Pragma(STRING(clang attribute push(__attribute__((target(set))), apply_to = function)))
#define END _Pragma("clang attribute pop")
#else
#define BEGIN(set) _Pragma("GCC push_options") _Pragma(STRING(GCC target(set)))
#define END _Pragma("GCC pop_options")
#endif
#define STRING(text) #text

#define REAL float
#define SIZE 4
#define SINGLE
#define NAME(f) f##_float_baseline
#ifdef __GNUC__
#define BYTES 16
#else
#define BYTES SIZE
#endif
#ifdef __aarch64__
#define SUMS 24
#else
#define SUMS 12
#endif
#include "kernels.h"
#undef REAL
#undef SIZE
#undef NAME
#undef SINGLE
#define REAL double
#define SIZE 8
#define NAME(f) f##_double_baseline
#include "kernels.h"
#undef REAL
#undef SIZE
#undef NAME
#undef BYTES
#undef SUMS

#ifdef SEVERAL_SETS

BEGIN("avx2,fma")
#define BYTES 32
#define SUMS 12
#define REAL float
#define SIZE 4
#define SINGLE
#define NAME(f) f##_float_avx2
#include "kernels.h"
#undef REAL
#undef SIZE
#undef NAME
#undef SINGLE
#define REAL double
#define SIZE 8
#define NAME(f) f##_double_avx2
#include "kernels.h"
#undef REAL
#undef SIZE
#undef NAME
#undef BYTES
#undef SUMS
END

BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
#define BYTES 64
#define SUMS 24
#define REAL float
#define SIZE 4
#define SINGLE
#define NAME(f) f##_float_avx512
#include "kernels.h"
#undef REAL
#undef SIZE
#undef NAME
#undef SINGLE
#define REAL double
#define SIZE 8
#define NAME(f) f##_double_avx512
#include "kernels.h"
#undef REAL
#undef SIZE
#undef NAME
#undef BYTES
#undef SUMS
END

#endif

/* Whether this machine has the instructions of a set. */
static inline int has_instructions(int set)
{
#ifdef SEVERAL_SETS
    if (set == AVX2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (set == AVX512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
            && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && has_instructions(AVX2);
#endif
    return set == BASELINE;
}

/* f_float(set, ...) and f_double(set, ...): f of the set. */
#ifdef SEVERAL_SETS
#define CHOOSE(f, type, set, ...) \
    ((set) == AVX512 ? f##_##type##_avx512(__VA_ARGS__) : (set) == AVX2 ? f##_##type##_avx2(__VA_ARGS__) \
                     : f##_##type##_baseline(__VA_ARGS__))
#else
#define CHOOSE(f, type, set, ...) f##_##type##_baseline(__VA_ARGS__)
#endif

#define tile_vectors(set) CHOOSE(vectors, float, set, )
#define tile_rows(set, ...) CHOOSE(rows, float, set, __VA_ARGS__)
#define tile_columns_float(set, ...) CHOOSE(columns, float, set, __VA_ARGS__)
#define tile_columns_double(set, ...) CHOOSE(columns, double, set, __VA_ARGS__)
#define lanes_float(set) CHOOSE(lanes, float, set, )
#define lanes_double(set) CHOOSE(lanes, double, set, )
#define tile_float(set, ...) CHOOSE(tile, float, set, __VA_ARGS__)
#define tile_double(set, ...) CHOOSE(tile, double, set, __VA_ARGS__)
#define dot_float(set, ...) CHOOSE(dot, float, set, __VA_ARGS__)
#define dot_double(set, ...) CHOOSE(dot, double, set, __VA_ARGS__)
#define lanewise_float(set, ...) CHOOSE(lanewise, float, set, __VA_ARGS__)
#define lanewise_double(set, ...) CHOOSE(lanewise, double, set, __VA_ARGS__)
#define lanewise_dots_float(set, ...) CHOOSE(lanewise_dots, float, set, __VA_ARGS__)
#define lanewise_dots_double(set, ...) CHOOSE(lanewise_dots, double, set, __VA_ARGS__)
#define copy_float(set, ...) CHOOSE(copy, float, set, __VA_ARGS__)
#define copy_double(set, ...) CHOOSE(copy, double, set, __VA_ARGS__)
#define pick_float(set, ...) CHOOSE(pick, float, set, __VA_ARGS__)
#define pick_double(set, ...) CHOOSE(pick, double, set, __VA_ARGS__)
#define put_float(set, ...) CHOOSE(put, float, set, __VA_ARGS__)
#define put_double(set, ...) CHOOSE(put, double, set, __VA_ARGS__)
#define finite_float(set, ...) CHOOSE(finite, float, set, __VA_ARGS__)
#define finite_double(set, ...) CHOOSE(finite, double, set, __VA_ARGS__)
#define transpose_float(set, ...) CHOOSE(transpose, float, set, __VA_ARGS__)
#define transpose_double(set, ...) CHOOSE(transpose, double, set, __VA_ARGS__)
#ifdef WINOGRAD
#define transform_tiles_float(set, ...) CHOOSE(transform_tiles, float, set, __VA_ARGS__)
#define transform_tiles_double(set, ...) CHOOSE(transform_tiles, double, set, __VA_ARGS__)
#define transform_w_float(set, ...) CHOOSE(transform_w, float, set, __VA_ARGS__)
#define transform_w_double(set, ...) CHOOSE(transform_w, double, set, __VA_ARGS__)
#define finish_y_float(set, ...) CHOOSE(finish_y, float, set, __VA_ARGS__)
#define finish_y_double(set, ...) CHOOSE(finish_y, double, set, __VA_ARGS__)
#define finish_w_float(set, ...) CHOOSE(finish_w, float, set, __VA_ARGS__)
#define finish_w_double(set, ...) CHOOSE(finish_w, double, set, __VA_ARGS__)
#define multiply_v_u_float(set, ...) CHOOSE(multiply_v_u, float, set, __VA_ARGS__)
#define multiply_v_u_double(set, ...) CHOOSE(multiply_v_u, double, set, __VA_ARGS__)
#define multiply_u_v_float(set, ...) CHOOSE(multiply_u_v, float, set, __VA_ARGS__)
#define multiply_u_v_double(set, ...) CHOOSE(multiply_u_v, double, set, __VA_ARGS__)
#endif
#ifdef PRODUCTS
#define multiply_rows_float(set, ...) CHOOSE(multiply_rows, float, set, __VA_ARGS__)
#define multiply_rows_double(set, ...) CHOOSE(multiply_rows, double, set, __VA_ARGS__)
#endif
#ifdef FUNCTIONS
#define each_float(set, ...) CHOOSE(each, float, set, __VA_ARGS__)
#define each_double(set, ...) CHOOSE(each, double, set, __VA_ARGS__)
#define softmax_float(set, ...) CHOOSE(softmax, float, set, __VA_ARGS__)
#define softmax_double(set, ...) CHOOSE(softmax, double, set, __VA_ARGS__)
#define softmax_grad_float(set, ...) CHOOSE(softmax_grad, float, set, __VA_ARGS__)
#define softmax_grad_double(set, ...) CHOOSE(softmax_grad, double, set, __VA_ARGS__)
#define log_softmax_float(set, ...) CHOOSE(log_softmax, float, set, __VA_ARGS__)
#define log_softmax_double(set, ...) CHOOSE(log_softmax, double, set, __VA_ARGS__)
#define log_softmax_grad_float(set, ...) CHOOSE(log_softmax_grad, float, set, __VA_ARGS__)
#define log_softmax_grad_double(set, ...) CHOOSE(log_softmax_grad, double, set, __VA_ARGS__)
#endif
#define multiply_adds_float(set, ...) CHOOSE(multiply_adds, float, set, __VA_ARGS__)
#define multiply_adds_double(set, ...) CHOOSE(multiply_adds, double, set, __VA_ARGS__)

#endif
