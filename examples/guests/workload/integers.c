// SPDX-License-Identifier: MIT
// Integer arithmetic: SHA-256 against its published answer, 64-bit division, decimal adjust, string
// instructions, bit scans, locked operations.
#include "workload.h"

#include <stdlib.h>
#include <string.h>

static uint32_t rotate_right(uint32_t x, unsigned n)
{
    return (x >> n) | (x << (32 - n));
}

// The round constants: the fractional bits of the cube roots of the first 64 primes, found by
// integer search.
static void sha256_constants(uint32_t k[64])
{
    unsigned found = 0;
    for (uint32_t p = 2; found < 64; p++) {
        bool prime = true;
        for (uint32_t d = 2; d * d <= p; d++) {
            prime = prime && p % d != 0;
        }
        if (!prime) {
            continue;
        }
        // The largest r with r^3 <= p * 2^96, in 36 bits, using 128-bit products in two halves.
        uint64_t root = 0;
        for (int bit = 35; bit >= 0; bit--) {
            uint64_t r = root | UINT64_C(1) << bit;
            uint64_t low_square = (r & 0xffffffff) * (r & 0xffffffff);
            uint64_t mid = (r >> 32) * (r & 0xffffffff) * 2;
            uint64_t high_square = (r >> 32) * (r >> 32);
            uint64_t s0 = low_square + (mid << 32);
            uint64_t s1 = high_square + (mid >> 32) + (s0 < low_square);
            // r^2 = s1:s0, at most 72 bits; times r, at most 108 bits; only the comparison is
            // wanted.
            uint64_t a = (s0 & 0xffffffff) * (r & 0xffffffff);
            uint64_t b = (s0 >> 32) * (r & 0xffffffff);
            uint64_t c = (s0 & 0xffffffff) * (r >> 32);
            uint64_t d = (s0 >> 32) * (r >> 32);
            uint64_t middle = (a >> 32) + (b & 0xffffffff) + (c & 0xffffffff);
            uint64_t high = d + (b >> 32) + (c >> 32) + (middle >> 32) + s1 * r;
            // p * 2^96 has p << 32 in its upper 64 bits and nothing below.
            bool exceeds = high > (uint64_t)p << 32 ||
                           (high == (uint64_t)p << 32 && ((middle << 32) | (a & 0xffffffff)) != 0);
            if (!exceeds) {
                root = r;
            }
        }
        k[found++] = (uint32_t)root;
    }
}

static void sha256_block(uint32_t h[8], const uint8_t *block, const uint32_t k[64])
{
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++) {
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    }
    for (int i = 16; i < 64; i++) {
        uint32_t s0 = rotate_right(w[i - 15], 7) ^ rotate_right(w[i - 15], 18) ^ (w[i - 15] >> 3);
        uint32_t s1 = rotate_right(w[i - 2], 17) ^ rotate_right(w[i - 2], 19) ^ (w[i - 2] >> 10);
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    memcpy(v, h, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t s1 = rotate_right(v[4], 6) ^ rotate_right(v[4], 11) ^ rotate_right(v[4], 25);
        uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
        uint32_t s0 = rotate_right(v[0], 2) ^ rotate_right(v[0], 13) ^ rotate_right(v[0], 22);
        uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof v[0]);
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) {
        h[i] += v[i];
    }
}

static void test_sha256(struct workload *w)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    // The standard's answer for a million letters "a".
    static const uint32_t million[8] = {0xcdc76e5c, 0x9914fb92, 0x81a1c7e2, 0x84d73e67,
                                        0xf1809a48, 0xa497200e, 0x046d39cc, 0xc7112cd0};
    uint32_t k[64], h[8];
    uint8_t block[64];
    sha256_constants(k);
    workload_check(w, k[0] == 0x428a2f98 && k[63] == 0xc67178f2, "SHA-256 constants");
    memcpy(h, start, sizeof h);
    memset(block, 'a', sizeof block);
    for (int i = 0; i < 1000000 / 64; i++) {
        sha256_block(h, block, k);
    }
    memset(block, 0, sizeof block);
    block[0] = 0x80;
    block[61] = 0x7a;
    block[62] = 0x12;
    sha256_block(h, block, k);
    workload_check(w, memcmp(h, million, sizeof h) == 0, "SHA-256 of a million letters");
    workload_mix(w, h, sizeof h);
}

static void test_division(struct workload *w)
{
    uint32_t seed = 12345;
    for (int i = 0; i < 2000; i++) {
        uint64_t a = (uint64_t)workload_random(&seed) << 32 | workload_random(&seed);
        uint64_t b = ((uint64_t)workload_random(&seed) << 32 | workload_random(&seed)) >> (i % 63);
        b |= 1;
        uint64_t q = a / b, r = a % b;
        int64_t sq = (int64_t)a / (int64_t)(b >> 1 | 1);
        workload_check(w, q * b + r == a && r < b, "64-bit division");
        workload_mix(w, &q, sizeof q);
        workload_mix(w, &r, sizeof r);
        workload_mix(w, &sq, sizeof sq);
    }
}

static void test_decimal(struct workload *w)
{
    for (unsigned a = 0; a < 100; a += 3) {
        for (unsigned b = 0; b < 100; b += 7) {
            uint8_t x = (uint8_t)((a / 10) << 4 | a % 10), y = (uint8_t)((b / 10) << 4 | b % 10);
            uint8_t carry, sum = x, difference = x, borrow;
            __asm__("addb %2, %b0\n daa\n setc %1" : "+a"(sum), "=q"(carry) : "q"(y) : "cc");
            __asm__("subb %2, %b0\n das\n setc %1"
                    : "+a"(difference), "=q"(borrow)
                    : "q"(y)
                    : "cc");
            unsigned total = (sum >> 4) * 10u + (sum & 15u) + carry * 100u;
            unsigned less = (difference >> 4) * 10u + (difference & 15u);
            workload_check(w, total == a + b, "DAA");
            workload_check(w, less == (a + 100 - b) % 100 && borrow == (a < b), "DAS");
            uint16_t ax = (uint16_t)a;
            __asm__("aam\n aad $16" : "+a"(ax) : : "cc");
            workload_check(w, (ax & 0xff) == ((a / 10) << 4 | a % 10), "AAM, AAD");
        }
    }
}

static void test_strings_and_bits(struct workload *w)
{
    char text[300], copy[300];
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (char)('a' + i % 26);
    }
    void *to = copy;
    const void *from = text;
    size_t count = sizeof text;
    __asm__ volatile("cld\n rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory", "cc");
    workload_check(w, memcmp(text, copy, sizeof text) == 0, "REP MOVSB");
    to = copy + sizeof copy - 1;
    count = 100;
    __asm__ volatile("std\n rep stosb\n cld" : "+D"(to), "+c"(count) : "a"('Z') : "memory", "cc");
    workload_check(w, copy[199] == text[199] && copy[200] == 'Z' && copy[299] == 'Z',
                   "REP STOSB down");
    to = text;
    count = sizeof text;
    __asm__ volatile("repne scasb" : "+D"(to), "+c"(count) : "a"('q') : "cc");
    workload_check(w, (char *)to - text == 'q' - 'a' + 1, "REPNE SCASB");
    uint32_t seed = 99, mixed[4];
    for (int i = 0; i < 1000; i++) {
        uint32_t x = workload_random(&seed) | 1u << (i % 32), low, high, swapped = x, product;
        __asm__("bsf %1, %0" : "=r"(low) : "r"(x) : "cc");
        __asm__("bsr %1, %0" : "=r"(high) : "r"(x) : "cc");
        __asm__("bswap %0" : "+r"(swapped));
        __asm__("shldl $7, %1, %0" : "=r"(product) : "r"(swapped), "0"(x) : "cc");
        mixed[0] = low, mixed[1] = high, mixed[2] = swapped, mixed[3] = product;
        workload_mix(w, mixed, sizeof mixed);
    }
    uint64_t cell = UINT64_C(0x1122334455667788), expected = cell;
    bool swapped = __atomic_compare_exchange_n(&cell, &expected, UINT64_C(42), false,
                                               __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    workload_check(w, swapped && cell == 42, "CMPXCHG8B");
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

void workload_test_integers(struct workload *w)
{
    enum { COUNT = 20000 };
    uint32_t *values = malloc(COUNT * sizeof *values), seed = 7;
    test_sha256(w);
    test_division(w);
    test_decimal(w);
    test_strings_and_bits(w);
    for (int i = 0; i < COUNT; i++) {
        values[i] = workload_random(&seed);
    }
    qsort(values, COUNT, sizeof *values, compare);
    for (int i = 1; i < COUNT; i++) {
        workload_check(w, values[i - 1] <= values[i], "qsort");
    }
    workload_mix(w, values, COUNT * sizeof *values);
    free(values);
}
