// SPDX-License-Identifier: MIT
// Integer arithmetic of all widths, sorting, strings, bit operations, indirect calls and tables:
// one hash a topic.
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t seed = 12345;
static uint64_t hash = 14695981039346656037u;

static uint32_t next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed;
}

static void add(uint64_t value)
{
    for (int i = 0; i < 8; i++)
        hash = (hash ^ (value >> (8 * i) & 0xff)) * 1099511628211u;
}

static void report(const char *topic)
{
    printf("%s %016" PRIx64 "\n", topic, hash);
    hash = 14695981039346656037u;
}

static void divide(void)
{
    for (int i = 0; i < 20000; i++) {
        uint64_t a = (uint64_t)next() << 32 | next(),
                 b = ((uint64_t)next() << 32 | next()) >> (next() & 63);
        int64_t c = (int64_t)a, d = (int64_t)b >> (next() & 31);
        if (!b || !d || (d == -1 && c == INT64_MIN))
            continue;
        add(a / b), add(a % b), add((uint64_t)(c / d)), add((uint64_t)(c % d));
        add((uint32_t)a / ((uint32_t)b | 1)), add((uint16_t)a % ((uint16_t)b | 1)),
            add((uint8_t)a / ((uint8_t)b | 1));
        add(a * b), add((uint64_t)((int64_t)(int32_t)a * (int32_t)b));
    }
    report("divide");
}

static void shift(void)
{
    for (int i = 0; i < 20000; i++) {
        uint64_t a = (uint64_t)next() << 32 | next();
        unsigned n = next() & 63;
        add(a << n), add(a >> n), add((uint64_t)((int64_t)a >> n)), add(a << n | a >> (-n & 63));
        uint32_t b = (uint32_t)a;
        add(b << (n & 31) | b >> (-n & 31)),
            add((uint16_t)(b << (n & 15) | (uint16_t)b >> (-n & 15)));
        add((unsigned)__builtin_popcount(b)), add((unsigned)__builtin_clz(b | 1)),
            add((unsigned)__builtin_ctzll(a | 1ull << 63));
        add(__builtin_bswap32(b)), add(__builtin_bswap64(a));
        int sum;
        add((unsigned)__builtin_add_overflow((int)a, (int)(a >> 32), &sum)), add((unsigned)sum);
        add((unsigned)__builtin_mul_overflow((int)a, (int)(a >> 32), &sum)), add((unsigned)sum);
    }
    report("shift");
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void sort(void)
{
    enum { N = 20000 };
    uint32_t *values = malloc(N * sizeof *values);
    for (int i = 0; i < N; i++)
        values[i] = next();
    qsort(values, N, sizeof *values, compare);
    for (int i = 0; i < N; i++)
        add(values[i]);
    for (int i = 0; i < 1000; i++) {
        uint32_t key = next();
        add(bsearch(&key, values, N, sizeof key, compare) != NULL);
    }
    free(values);
    report("sort");
}

static void strings(void)
{
    char text[512], copy[512];
    for (int i = 0; i < 3000; i++) {
        size_t length = next() % 500;
        for (size_t k = 0; k < length; k++)
            text[k] = (char)(' ' + next() % 94);
        text[length] = 0;
        memcpy(copy, text, length + 1);
        memmove(copy + next() % 5, copy + next() % 5, length > 10 ? length - 10 : 0);
        copy[length] = 0;
        add(strlen(copy)), add((unsigned)(strcmp(text, copy) > 0)),
            add((unsigned)(memcmp(text, copy, length) < 0));
        char *found = strchr(text, 'q');
        add(found ? (uint64_t)(found - text) : 999), add(strspn(text, "abcdefghijkl ")),
            add(strcspn(text, "xyz"));
        found = strstr(text, "ab");
        add(found ? (uint64_t)(found - text) : 999);
        char number[64];
        snprintf(number, sizeof number, "%d %#x %o %lld %-8u|%+.3e", (int)next(), next(), next(),
                 (long long)next() * next(), next() & 0xff, (double)next() / 7);
        for (char *at = number; *at; at++)
            add((unsigned char)toupper((unsigned char)*at));
        add(strtoul(number, NULL, 10)), add((uint64_t)strtoll(number, &found, 0));
    }
    report("strings");
}

struct fields {
    unsigned a : 3, b : 11, c : 18;
    signed d : 7, e : 25;
    uint64_t f : 41;
};

static void bits(void)
{
    struct fields s = {0};
    for (int i = 0; i < 20000; i++) {
        s.a += next(), s.b ^= next(), s.c -= s.b, s.d += s.a;
        s.e = (int)(next() >> 7) - (1 << 24), s.f = s.f * 5 + s.c;
        add(s.a + s.b + s.c), add((uint64_t)(int64_t)(s.d * s.e)), add(s.f);
    }
    report("bits");
}

// clang-format off
static uint32_t op_add(uint32_t a, uint32_t b) { return a + b; }
static uint32_t op_sub(uint32_t a, uint32_t b) { return a - b; }
static uint32_t op_xor(uint32_t a, uint32_t b) { return a ^ b; }
static uint32_t op_mul(uint32_t a, uint32_t b) { return a * b; }
// clang-format on

static void calls(void)
{
    uint32_t (*volatile table[4])(uint32_t, uint32_t) = {op_add, op_sub, op_xor, op_mul};
    uint32_t value = 1;
    for (int i = 0; i < 200000; i++) {
        value = table[next() & 3](value, next());
        switch (value % 11) {
        case 0:
            value += 3;
            break;
        case 1:
            value ^= 0x55;
            break;
        case 4:
            value = ~value;
            break;
        case 7:
            value <<= 1;
            break;
        case 9:
            value = -value;
            break;
        default:
            break;
        }
    }
    add(value);
    report("calls");
}

int main(void)
{
    divide();
    shift();
    sort();
    strings();
    bits();
    calls();
    return 0;
}
