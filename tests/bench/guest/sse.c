// SPDX-License-Identifier: MIT
// Scalar SSE2 workloads; compiled with -msse2 -mfpmath=sse.
#include "bench.h"

#include "float_kernels.h"

#include <emmintrin.h>

static double root_sse(double x)
{
    __m128d v = _mm_set_sd(x);
    return _mm_cvtsd_f64(_mm_sqrt_sd(v, v));
}

uint64_t bench_sse_nbody(const struct bench *b)
{
    struct body body[BODIES];
    bodies_place(body);
    bench_begin(b);
    for (uint32_t i = 0; i < b->n * 1500; i++)
        bodies_advance(body, 0.001, root_sse);
    return bench_hash(BENCH_HASH, body, sizeof body);
}

uint64_t bench_sse_mandel(const struct bench *b)
{
    uint32_t total = 0;
    double last = 0;
    bench_begin(b);
    for (uint32_t round = 0; round < b->n; round++) {
        for (int py = 0; py < 32; py++) {
            for (int px = 0; px < 32; px++) {
                double cx = px * 0.09375 - 2.25 + round * 0.0001, cy = py * 0.0703125 - 1.125;
                double x = 0, y = 0;
                int i = 0;
                for (; i < 200 && x * x + y * y < 4; i++) {
                    double t = x * x - y * y + cx;
                    y = 2 * x * y + cy;
                    x = t;
                }
                total = total * 3 + (uint32_t)i;
                last += (float)x; // cvtsd2ss and back
            }
        }
    }
    return bench_hash(total, &last, sizeof last);
}
