// SPDX-License-Identifier: MIT
// Integer workloads: loops, tables, sorting through callbacks, 64-bit arithmetic on a 32-bit
// machine, pointer chasing, recursion.
#include "bench.h"

#include <stdlib.h>

uint64_t bench_int_loop(const struct bench *b)
{
    uint32_t x = 12345, y = 99, odd = 0, longest = 0, bits = 0;
    bench_begin(b);
    for (uint32_t round = 0; round < b->n; round++) {
        for (uint32_t i = 0; i < 150000; i++) {
            x += i * 0x9e3779b9u;
            y ^= i << (i & 7);
            bits += (i & round) != 0 ? i >> 3 : 1;
            if (((x ^ i) & 12) == 4)
                odd += y - i;
        }
        for (uint32_t i = 0; i < 20000; i++) { // greatest common divisor by subtraction of shifts
            uint32_t u = (i * 77 + round) | 1, v = (i * 13 + 5) | 1;
            for (int k = 0; k < 6 && u != v; k++) {
                if (u > v)
                    u = (u - v) >> 1 | 1;
                else
                    v = (v - u) >> 1 | 1;
            }
            odd += u;
        }
        for (uint32_t start = 1; start < 500; start++) { // Collatz
            uint32_t steps = 0;
            for (uint32_t v = start; v != 1; steps++)
                v = v & 1 ? 3 * v + 1 : v / 2;
            if (steps > longest)
                longest = steps;
        }
    }
    return ((uint64_t)x << 32 | y) ^ ((uint64_t)odd << 16) ^ bits ^ (uint64_t)longest << 40;
}

uint64_t bench_table(const struct bench *b)
{
    enum { SIZE = 65536, DATA = 131072 };
    uint32_t crc[256], seed = 7, sum = 0xffffffff, walk = 0;
    uint16_t *table = malloc(SIZE * sizeof *table);
    uint8_t *data = malloc(DATA);
    if (table == NULL || data == NULL)
        bench_fail(b, "no memory");
    for (uint32_t i = 0; i < 256; i++) {
        crc[i] = i;
        for (int k = 0; k < 8; k++)
            crc[i] = crc[i] & 1 ? crc[i] >> 1 ^ 0xedb88320u : crc[i] >> 1;
    }
    for (uint32_t i = 0; i < SIZE; i++)
        table[i] = (uint16_t)bench_random(&seed);
    for (uint32_t i = 0; i < DATA; i++)
        data[i] = (uint8_t)bench_random(&seed);
    bench_begin(b);
    for (uint32_t round = 0; round < b->n; round++) {
        for (uint32_t i = 0; i < DATA; i++)
            sum = crc[(sum ^ data[i]) & 255] ^ sum >> 8;
        for (uint32_t i = 0; i < DATA; i++)
            walk = walk * 3 + table[(walk >> 3 ^ data[i]) & (SIZE - 1)];
    }
    return (uint64_t)sum << 32 ^ walk;
}

typedef int compare_function(const void *a, const void *b);

static int compare_up(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int compare_mixed(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a * 2654435761u, y = *(const uint32_t *)b * 2654435761u;
    return (x < y) - (x > y);
}

// Quicksort, the middle element as pivot; the comparison is only known at run time.
static void sort(uint32_t *v, int low, int high, compare_function *compare)
{
    while (low < high) {
        uint32_t pivot = v[low + (high - low) / 2];
        int i = low, j = high;
        while (i <= j) {
            while (compare(&v[i], &pivot) < 0)
                i++;
            while (compare(&v[j], &pivot) > 0)
                j--;
            if (i <= j) {
                uint32_t t = v[i];
                v[i++] = v[j];
                v[j--] = t;
            }
        }
        if (j - low < high - i) {
            sort(v, low, j, compare);
            low = i;
        } else {
            sort(v, i, high, compare);
            high = j;
        }
    }
}

uint64_t bench_sort(const struct bench *b)
{
    enum { SIZE = 10000 };
    compare_function *volatile compare[] = {compare_up, compare_mixed};
    uint32_t *v = malloc(SIZE * sizeof *v), seed = 4711;
    uint64_t sum = BENCH_HASH;
    if (v == NULL)
        bench_fail(b, "no memory");
    bench_begin(b);
    for (uint32_t round = 0; round < b->n; round++) {
        for (int i = 0; i < SIZE; i++)
            v[i] = bench_random(&seed);
        sort(v, 0, SIZE - 1, compare[round & 1]);
        sum = bench_hash(sum, v, 64);
    }
    return bench_hash(sum, v, SIZE * sizeof *v);
}

uint64_t bench_int64(const struct bench *b)
{
    volatile uint64_t modulus = UINT64_C(0x7fffffed);
    uint64_t x = UINT64_C(0x123456789abcdef1), sum = 0;
    bench_begin(b);
    for (uint32_t round = 0; round < b->n; round++) {
        for (uint32_t i = 0; i < 100000; i++) { // adc, sbb, mul, shld, shrd
            x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            sum += x >> (i & 63);
            sum ^= (sum << 13) - (x < sum ? i : 1);
        }
        for (uint32_t i = 0; i < 2000; i++) { // division through the compiler's library
            uint64_t m = modulus + i, r = x % m;
            sum += r * r % m + (sum >> 1) / (r + 1);
            x += (uint64_t)((int64_t)sum / -7);
        }
    }
    return x ^ sum;
}

uint64_t bench_chase(const struct bench *b)
{
    enum { NODES = 32768 };
    struct node {
        struct node *next;
        uint32_t value;
    } *nodes = malloc(NODES * sizeof *nodes);
    uint32_t *order = malloc(NODES * sizeof *order), seed = 91, sum = 0;
    if (nodes == NULL || order == NULL)
        bench_fail(b, "no memory");
    for (uint32_t i = 0; i < NODES; i++)
        order[i] = i;
    for (uint32_t i = NODES - 1; i > 0; i--) {
        uint32_t j = bench_random(&seed) % (i + 1), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    for (uint32_t i = 0; i < NODES; i++) {
        nodes[order[i]].next = &nodes[order[(i + 1) % NODES]];
        nodes[order[i]].value = i * 7;
    }
    const struct node *at = &nodes[order[0]];
    bench_begin(b);
    for (uint32_t round = 0; round < b->n; round++) {
        for (uint32_t i = 0; i < 250000; i++) {
            sum = sum * 5 + at->value;
            at = at->next;
        }
    }
    return (uint64_t)sum << 32 | (uint32_t)(at - nodes);
}

static uint32_t fibonacci(uint32_t n);
static uint32_t ackermann(uint32_t m, uint32_t n);
// Called through these, so that the compiler keeps the recursion.
static uint32_t (*const volatile call_fibonacci)(uint32_t) = fibonacci;
static uint32_t (*const volatile call_ackermann)(uint32_t, uint32_t) = ackermann;

__attribute__((noinline, optimize("no-optimize-sibling-calls", "no-inline"))) static uint32_t
fibonacci(uint32_t n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

__attribute__((noinline, optimize("no-optimize-sibling-calls", "no-inline"))) static uint32_t
ackermann(uint32_t m, uint32_t n)
{
    if (m == 0)
        return n + 1;
    return n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

uint64_t bench_recursion(const struct bench *b)
{
    uint64_t sum = 0;
    bench_begin(b);
    for (uint32_t round = 0; round < b->n; round++) {
        sum = sum * 31 + call_fibonacci(22 + round % 3);
        sum = sum * 31 + call_ackermann(2, 150 + round % 5);
    }
    return sum;
}
