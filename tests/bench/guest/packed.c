// SPDX-License-Identifier: MIT
// Packed SSE and SSE2 workloads; only instructions whose result is defined to the last bit.
#include "bench.h"

#include <emmintrin.h>

#include <stdlib.h>

uint64_t bench_packed_float(const struct bench *b)
{
    enum { SIZE = 1024 };
    float *x = aligned_alloc(16, SIZE * sizeof *x), *y = aligned_alloc(16, SIZE * sizeof *y);
    uint32_t seed = 21;
    if (x == NULL || y == NULL)
        bench_fail(b, "no memory");
    for (int i = 0; i < SIZE; i++) {
        x[i] = (float)(bench_random(&seed) >> 8) / 16777216.0f;
        y[i] = (float)(bench_random(&seed) >> 8) / 8388608.0f;
    }
    __m128 half = _mm_set1_ps(0.5f), limit = _mm_set1_ps(3.0f), one = _mm_set1_ps(1.0f);
    __m128 dot = _mm_setzero_ps();
    bench_begin(b);
    for (uint32_t round = 0; round < b->n * 60; round++) {
        for (int i = 0; i < SIZE; i += 4) {
            __m128 u = _mm_load_ps(x + i), v = _mm_loadu_ps(y + ((i + 1) & (SIZE - 4)));
            __m128 w =
                _mm_add_ps(_mm_mul_ps(u, half), _mm_shuffle_ps(v, v, _MM_SHUFFLE(0, 3, 2, 1)));
            __m128 over = _mm_cmpgt_ps(w, limit);
            w = _mm_or_ps(_mm_and_ps(over, one), _mm_andnot_ps(over, w));
            _mm_store_ps(x + i, _mm_max_ps(w, half));
            _mm_store_ps(y + i, _mm_sub_ps(limit, _mm_min_ps(v, w)));
            dot = _mm_add_ps(_mm_mul_ps(dot, half), w);
        }
        dot = _mm_sqrt_ps(_mm_div_ps(dot, limit));
    }
    float lanes[4];
    _mm_storeu_ps(lanes, dot);
    uint64_t sum = bench_hash(BENCH_HASH, lanes, sizeof lanes);
    return bench_hash(sum, x, SIZE * sizeof *x);
}

uint64_t bench_packed_int(const struct bench *b)
{
    enum { SIZE = 4096 };
    uint8_t *image = aligned_alloc(16, SIZE), *other = aligned_alloc(16, SIZE);
    uint32_t seed = 22;
    if (image == NULL || other == NULL)
        bench_fail(b, "no memory");
    for (int i = 0; i < SIZE; i++) {
        image[i] = (uint8_t)bench_random(&seed);
        other[i] = (uint8_t)bench_random(&seed);
    }
    __m128i zero = _mm_setzero_si128(), weight = _mm_set1_epi16(181), distance = zero, sum = zero;
    bench_begin(b);
    for (uint32_t round = 0; round < b->n * 60; round++) {
        for (int i = 0; i < SIZE; i += 16) {
            __m128i p = _mm_load_si128((const __m128i *)(const void *)(image + i));
            __m128i q = _mm_load_si128((const __m128i *)(const void *)(other + i));
            distance = _mm_add_epi32(distance, _mm_sad_epu8(p, q));
            __m128i low = _mm_unpacklo_epi8(p, zero), high = _mm_unpackhi_epi8(p, zero);
            low = _mm_srli_epi16(_mm_mullo_epi16(low, weight), 7);
            high = _mm_srli_epi16(_mm_mullo_epi16(high, weight), 7);
            sum = _mm_add_epi32(sum, _mm_madd_epi16(low, high));
            __m128i mixed = _mm_avg_epu8(_mm_packus_epi16(low, high), q);
            __m128i above = _mm_cmpgt_epi8(mixed, p);
            mixed = _mm_xor_si128(mixed, _mm_and_si128(above, _mm_shuffle_epi32(q, 0x1b)));
            _mm_store_si128((__m128i *)(void *)(image + i),
                            _mm_adds_epu8(mixed, _mm_slli_epi64(p, 3)));
        }
    }
    uint32_t lanes[8];
    _mm_storeu_si128((__m128i *)(void *)lanes, distance);
    _mm_storeu_si128((__m128i *)(void *)(lanes + 4), sum);
    return bench_hash(bench_hash(BENCH_HASH, lanes, sizeof lanes), image, SIZE);
}
