// SPDX-License-Identifier: MIT
// x87 and SSE2 arithmetic. Operations that IEEE 754 defines to the last bit enter the hash;
// transcendental functions, which processors compute a little differently, are checked to a
// tolerance.
#include "workload.h"

#include <emmintrin.h>
#include <math.h>
#include <string.h>

static void mix_extended(struct workload *w, long double x)
{
    uint8_t bytes[10]; // the 80 bits: what follows them in memory is padding
    memcpy(bytes, &x, sizeof bytes);
    workload_mix(w, bytes, sizeof bytes);
}

static void test_exact(struct workload *w)
{
    uint32_t seed = 31337;
    long double sum = 0;
    for (int i = 0; i < 2000; i++) {
        long double a = (long double)workload_random(&seed) / 65537.0L;
        long double b = (long double)(int32_t)workload_random(&seed) * 3.0L + 1.0L;
        long double root;
        __asm__("fsqrt" : "=t"(root) : "0"(a));
        sum += a / b - root * 1e-9L;
        mix_extended(w, a + b);
        mix_extended(w, a * b);
        mix_extended(w, a / b);
        mix_extended(w, root);
        double narrow = (double)(a / b);
        float narrower = (float)(a * b);
        int64_t whole = (int64_t)b;
        workload_mix(w, &narrow, sizeof narrow);
        workload_mix(w, &narrower, sizeof narrower);
        workload_mix(w, &whole, sizeof whole);
    }
    mix_extended(w, sum);
}

static void test_rounding(struct workload *w)
{
    static const double values[] = {0.5, 1.5, 2.5, -0.5, -1.5, 1e9 + 0.5, 3.999999, -7.25};
    for (unsigned mode = 0; mode < 4; mode++) {
        uint16_t old, control = 0;
        __asm__ volatile("fnstcw %0" : "=m"(old));
        control = (uint16_t)((old & ~0x0c00) | mode << 10);
        __asm__ volatile("fldcw %0" : : "m"(control));
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
            int32_t integer;
            double rounded;
            __asm__ volatile("fldl %1\n fistpl %0" : "=m"(integer) : "m"(values[i]));
            __asm__ volatile("fldl %1\n frndint\n fstpl %0" : "=m"(rounded) : "m"(values[i]));
            workload_mix(w, &integer, sizeof integer);
            workload_mix(w, &rounded, sizeof rounded);
        }
        __asm__ volatile("fldcw %0" : : "m"(old));
    }
    uint8_t decimal[10];
    double number = 123456789012345.0;
    __asm__ volatile("fldl %1\n fbstp %0" : "=m"(decimal) : "m"(number));
    workload_check(w, decimal[0] == 0x45 && decimal[7] == 0x01 && decimal[9] == 0, "FBSTP");
    workload_mix(w, decimal, sizeof decimal);
}

void workload_test_x87(struct workload *w)
{
    test_exact(w);
    test_rounding(w);
    for (int i = 1; i < 200; i++) {
        volatile long double x = i * 0.03125L;
        long double one = sinl(x) * sinl(x) + cosl(x) * cosl(x);
        long double back = logl(expl(x)), angle = atanl(tanl(x / 8));
        workload_check(w, fabsl(one - 1.0L) < 1e-17L, "sin^2 + cos^2 = 1");
        workload_check(w, fabsl(back - x) < 1e-16L, "log(exp(x)) = x");
        workload_check(w, fabsl(angle - x / 8) < 1e-17L, "atan(tan(x)) = x");
    }
    volatile long double four = 4.0L;
    long double pi = four * atanl(1.0L);
    workload_check(w, fabsl(pi - 3.14159265358979323846L) < 1e-18L, "pi");
    volatile long double zero = 0.0L;
    long double nan = zero / zero, infinite = 1.0L / zero;
    workload_check(w, isnan(nan) && isinf(infinite) && !(nan == nan), "NaN and infinity");
    volatile long double tiny = 0x1p-16400L;
    mix_extended(w, tiny * 3.0L);
    mix_extended(w, tiny / 1024.0L);
}

__attribute__((target("sse2"))) void workload_test_sse2(struct workload *w)
{
    uint32_t seed = 4711;
    __m128d product = _mm_set_pd(1.0, 1.0);
    __m128i bytes = _mm_setzero_si128();
    for (int i = 0; i < 4000; i++) {
        double high = workload_random(&seed) / 4096.0, low = workload_random(&seed) / 8192.0;
        __m128d a = _mm_set_pd(high, low);
        __m128d b = _mm_set_pd(1.0 + i, 3.0 - i * 0.5);
        __m128d c = _mm_div_pd(_mm_sqrt_pd(a), _mm_add_pd(b, _mm_set1_pd(0.25)));
        product = _mm_add_pd(_mm_mul_pd(product, _mm_set1_pd(0.999)), c);
        __m128 d = _mm_mul_ps(_mm_cvtpd_ps(a), _mm_set1_ps(1.5f));
        __m128i e = _mm_cvttps_epi32(d);
        e = _mm_madd_epi16(_mm_shuffle_epi32(e, 0x1b), _mm_set1_epi16((short)(i * 77)));
        bytes = _mm_xor_si128(_mm_adds_epu8(bytes, _mm_packs_epi32(e, _mm_slli_epi32(e, 3))),
                              _mm_unpacklo_epi8(e, bytes));
        __m128i wide = _mm_mul_epu32(e, _mm_srli_epi64(bytes, 5));
        bytes = _mm_sub_epi64(bytes, wide);
        int mask = _mm_movemask_epi8(_mm_cmpgt_epi8(bytes, e)) | _mm_movemask_pd(c) << 16;
        workload_mix(w, &mask, sizeof mask);
        workload_mix(w, &bytes, sizeof bytes);
        workload_mix(w, &c, sizeof c);
        workload_mix(w, &d, sizeof d);
    }
    workload_mix(w, &product, sizeof product);
    __m128i sad = _mm_sad_epu8(_mm_set1_epi8(9), _mm_set1_epi8(4));
    workload_check(w, _mm_cvtsi128_si32(sad) == 40, "PSADBW");
    workload_check(w, _mm_cvtsd_si32(_mm_set_sd(2.5)) == 2, "CVTSD2SI rounds to even");
    workload_check(w, _mm_comilt_sd(_mm_set_sd(1.0), _mm_set_sd(2.0)), "COMISD");
}
