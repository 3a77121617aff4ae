// SPDX-License-Identifier: MIT
// x87 workloads; compiled with -mfpmath=387 -mno-sse.
#include "bench.h"

#include "float_kernels.h"

#include <string.h>

uint64_t bench_x87_matrix(const struct bench *b)
{
    enum { SIZE = 24 };
    static const long double scale = 1.0L / 64;
    long double a[SIZE][SIZE], c[SIZE][SIZE], product[SIZE][SIZE];
    double narrow[SIZE][SIZE];
    uint32_t seed = 77;
    uint64_t sum = BENCH_HASH;
    for (int i = 0; i < SIZE; i++) {
        for (int j = 0; j < SIZE; j++) {
            a[i][j] = (long double)(int32_t)bench_random(&seed) / 2147483648.0L;
            c[i][j] = (long double)(int32_t)bench_random(&seed) / 3000000000.0L;
        }
    }
    bench_begin(b);
    for (uint32_t round = 0; round < b->n * 4; round++) {
        for (int i = 0; i < SIZE; i++) {
            for (int j = 0; j < SIZE; j++) {
                long double dot = 0;
                for (int k = 0; k < SIZE; k++)
                    dot += a[i][k] * c[k][j];
                product[i][j] = dot;
            }
        }
        for (int i = 0; i < SIZE; i++) {
            for (int j = 0; j < SIZE; j++) {
                narrow[i][j] = (double)product[i][j]; // through memory as a double
                a[i][j] = a[i][j] * 0.5L + narrow[j][i < j ? i : j] * scale;
            }
        }
        sum = bench_hash(sum, narrow[round % SIZE], sizeof narrow[0]);
    }
    for (int i = 0; i < SIZE; i++) {
        unsigned char bytes[12] = {0}; // ten bytes are the number, the rest is padding
        memcpy(bytes, &a[i][i], 10);
        sum = bench_hash(sum, bytes, sizeof bytes);
    }
    return sum;
}

static double root_x87(double x)
{
    double result;
    __asm__("fsqrt" : "=t"(result) : "0"(x));
    return result;
}

uint64_t bench_x87_nbody(const struct bench *b)
{
    struct body body[BODIES];
    bodies_place(body);
    bench_begin(b);
    for (uint32_t i = 0; i < b->n * 1000; i++)
        bodies_advance(body, 0.001, root_x87);
    return bench_hash(BENCH_HASH, body, sizeof body);
}
