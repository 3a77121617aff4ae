// SPDX-License-Identifier: MIT
// Workloads shaped like programs: two bytecode interpreters, string and memory functions, SHA-256.
#include "bench.h"

#include <stdlib.h>
#include <string.h>

enum opcode { SET, ADD, XOR, MUL, SHR, LOAD, STORE, SUBI, JNZ, JODD, HALT, OPCODES };
struct op {
    uint8_t code, a, b;
    int32_t value;
};

// Registers: 0 counter, 1 index, 2 and 3 data, 4 a constant.
static const struct op program[] = {
    {SET, 0, 0, 1000}, {SET, 4, 0, 2654435761u & 0x7fffffff},
    {LOAD, 2, 1, 0}, // 2
    {ADD, 3, 2, 0},    {MUL, 3, 4, 0},
    {JODD, 3, 0, 7},   {XOR, 3, 1, 0},
    {STORE, 3, 1, 0}, // 7
    {SHR, 3, 0, 3},    {ADD, 1, 3, 0},
    {SUBI, 0, 0, 1},   {JNZ, 0, 0, 2},
    {HALT, 0, 0, 0},
};

__attribute__((noinline)) static uint32_t run_switch(const struct op *code, uint32_t *memory)
{
    uint32_t r[8] = {0};
    for (const struct op *op = code;; op++) {
        switch (op->code) {
        case SET:
            r[op->a] = (uint32_t)op->value;
            break;
        case ADD:
            r[op->a] += r[op->b];
            break;
        case XOR:
            r[op->a] ^= r[op->b];
            break;
        case MUL:
            r[op->a] *= r[op->b];
            break;
        case SHR:
            r[op->a] >>= op->value;
            break;
        case LOAD:
            r[op->a] = memory[r[op->b] & 255];
            break;
        case STORE:
            memory[r[op->b] & 255] = r[op->a];
            break;
        case SUBI:
            r[op->a] -= (uint32_t)op->value;
            break;
        case JNZ:
            op = r[op->a] != 0 ? code + op->value - 1 : op;
            break;
        case JODD:
            op = r[op->a] & 1 ? code + op->value - 1 : op;
            break;
        default:
            return r[3];
        }
    }
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic" // labels as values
__attribute__((noinline)) static uint32_t run_goto(const struct op *code, uint32_t *memory)
{
    static const void *const labels[OPCODES] = {&&set,   &&add,  &&xor, &&mul,  &&shr, &&load,
                                                &&store, &&subi, &&jnz, &&jodd, &&halt};
    uint32_t r[8] = {0};
    const struct op *op = code;
    goto *labels[op->code];
set:
    r[op->a] = (uint32_t)op->value;
    op++;
    goto *labels[op->code];
add:
    r[op->a] += r[op->b];
    op++;
    goto *labels[op->code];
    xor : r[op->a] ^= r[op->b];
    op++;
    goto *labels[op->code];
mul:
    r[op->a] *= r[op->b];
    op++;
    goto *labels[op->code];
shr:
    r[op->a] >>= op->value;
    op++;
    goto *labels[op->code];
load:
    r[op->a] = memory[r[op->b] & 255];
    op++;
    goto *labels[op->code];
store:
    memory[r[op->b] & 255] = r[op->a];
    op++;
    goto *labels[op->code];
subi:
    r[op->a] -= (uint32_t)op->value;
    op++;
    goto *labels[op->code];
jnz:
    op = r[op->a] != 0 ? code + op->value : op + 1;
    goto *labels[op->code];
jodd:
    op = r[op->a] & 1 ? code + op->value : op + 1;
    goto *labels[op->code];
halt:
    return r[3];
}
#pragma GCC diagnostic pop

static uint64_t run_vm(const struct bench *b, uint32_t (*run)(const struct op *, uint32_t *))
{
    uint32_t memory[256], seed = 5;
    uint64_t sum = BENCH_HASH;
    for (int i = 0; i < 256; i++)
        memory[i] = bench_random(&seed);
    bench_begin(b);
    for (uint32_t round = 0; round < b->n * 75; round++) {
        uint32_t result = run(program, memory);
        sum = bench_hash(sum, &result, sizeof result);
    }
    return bench_hash(sum, memory, sizeof memory);
}

uint64_t bench_vm_switch(const struct bench *b)
{
    return run_vm(b, run_switch);
}

uint64_t bench_vm_goto(const struct bench *b)
{
    return run_vm(b, run_goto);
}

// Own versions: a library's depend on what CPUID says.
__attribute__((noinline, optimize("no-tree-loop-distribute-patterns"))) static size_t
string_length(const char *s)
{
    const char *at = s;
    while (*at != '\0')
        at++;
    return (size_t)(at - s);
}

__attribute__((noinline)) static int string_compare(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

__attribute__((noinline)) static const char *find_byte(const char *s, char wanted, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (s[i] == wanted)
            return s + i;
    }
    return NULL;
}

__attribute__((noinline, optimize("no-tree-loop-distribute-patterns"))) static void
copy_words(uint32_t *to, const uint32_t *from, size_t words)
{
    for (size_t i = 0; i < words; i++)
        to[i] = from[i];
}

uint64_t bench_string(const struct bench *b)
{
    enum { SIZE = 16384 };
    char *text = malloc(SIZE), *copy = malloc(SIZE);
    uint32_t seed = 3, sum = 0;
    if (text == NULL || copy == NULL)
        bench_fail(b, "no memory");
    for (int i = 0; i < SIZE; i++)
        text[i] = (char)('a' + bench_random(&seed) % 25);
    for (int i = 63; i < SIZE; i += 64) // words, the last byte of each line a newline
        text[i] = '\n';
    text[SIZE - 1] = '\0';
    bench_begin(b);
    for (uint32_t round = 0; round < b->n * 20; round++) {
        text[round * 7 % (SIZE - 1)] ^= 1;
        sum = sum * 3 + string_length(text);
        copy_words((uint32_t *)(void *)copy, (const uint32_t *)(const void *)text, SIZE / 4);
        sum += (uint32_t)string_compare(text, copy);
        const char *line = text, *end;
        for (size_t left = SIZE; (end = find_byte(line, '\n', left)) != NULL;) {
            sum = sum * 33 + (uint32_t)(end - text);
            left -= (size_t)(end + 1 - line);
            line = end + 1;
        }
    }
    return bench_hash(sum, copy, SIZE);
}

uint64_t bench_rep(const struct bench *b)
{
    enum { SIZE = 16384 };
    uint8_t *from = malloc(SIZE + 8), *to = malloc(SIZE + 8);
    uint32_t seed = 17, sum = 0;
    if (from == NULL || to == NULL)
        bench_fail(b, "no memory");
    for (int i = 0; i < SIZE + 8; i++)
        from[i] = (uint8_t)(bench_random(&seed) | 1);
    bench_begin(b);
    for (uint32_t round = 0; round < b->n * 40; round++) {
        uint32_t count = 1 + round * 37 % (SIZE / 4 - 1);
        void *source = from + (round & 3), *target = to;
        from[round % SIZE] ^= 2;
        __asm__ volatile("rep movsl" : "+S"(source), "+D"(target), "+c"(count) : : "memory");
        // Short moves, as compilers inline them.
        for (uint32_t i = 0; i < 64; i++) {
            count = 5 + (i & 15);
            source = from + i * 32;
            target = to + i * 48;
            __asm__ volatile("rep movsb" : "+S"(source), "+D"(target), "+c"(count) : : "memory");
        }
        count = 256 + (round & 255);
        target = to + 8000;
        __asm__ volatile("rep stosl" : "+D"(target), "+c"(count) : "a"(round) : "memory");
        to[4000 + (round & 63)] = 0;
        count = 4096;
        target = to;
        __asm__ volatile("repne scasb" : "+D"(target), "+c"(count) : "a"(0) : "memory", "cc");
        sum = sum * 31 + count;
        count = SIZE / 16;
        source = from;
        target = to;
        __asm__ volatile("repe cmpsl" : "+S"(source), "+D"(target), "+c"(count) : : "memory", "cc");
        sum = sum * 31 + count;
    }
    return bench_hash(sum, to, SIZE);
}

static uint32_t rotate(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

// FIPS 180-4: the round constants are the first 32 bits of the fractions of the cube roots of the
// first 64 primes; they are computed rather than listed.
static void sha_constants(uint32_t k[64])
{
    int found = 0;
    for (uint32_t p = 2; found < 64; p++) {
        int prime = 1;
        for (uint32_t d = 2; d * d <= p; d++)
            prime &= p % d != 0;
        if (!prime)
            continue;
        uint64_t low = 0, high = UINT64_C(8) << 32; // cube root, 32 fraction bits
        while (high - low > 1) {
            uint64_t middle = (low + high) / 2;
            // middle^3 < p * 2^96, in 64-bit pieces
            uint64_t square_low = middle * middle; // modulo 2^64, the rest is square_high
            uint64_t m1 = middle >> 32, m0 = middle & 0xffffffff;
            uint64_t square_high = (m1 * m1) + ((2 * m1 * m0 + (m0 * m0 >> 32)) >> 32); // >> 64
            uint64_t a = square_low & 0xffffffff, c = square_low >> 32;
            uint64_t t0 = a * m0, t1 = a * m1 + c * m0, t2 = c * m1 + square_high * m0,
                     t3 = square_high * m1;
            t1 += t0 >> 32;
            t2 += t1 >> 32;
            t3 += t2 >> 32;
            if (t3 >= p)
                high = middle;
            else
                low = middle;
        }
        k[found++] = (uint32_t)low;
    }
}

static void sha_block(uint32_t state[8], const uint32_t k[64], const uint8_t *data)
{
    uint32_t w[64];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)data[4 * i] << 24 | (uint32_t)data[4 * i + 1] << 16 |
               (uint32_t)data[4 * i + 2] << 8 | data[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + w[i - 7] +
               (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 64; i++) {
        uint32_t t1 =
            h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + k[i] + w[i];
        uint32_t t2 =
            (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + t1;
        d = c, c = b, b = a, a = t1 + t2;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

static void sha_initial(uint32_t state[8])
{
    static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(state, initial, sizeof initial);
}

uint64_t bench_sha256(const struct bench *b)
{
    enum { SIZE = 16384 };
    uint8_t *data = malloc(SIZE), one[64] = {'a', 'b', 'c', 0x80, [63] = 24};
    uint32_t state[8], k[64], seed = 8;
    if (data == NULL)
        bench_fail(b, "no memory");
    sha_constants(k);
    sha_initial(state);
    sha_block(state, k, one); // the standard's example "abc"
    if (state[0] != 0xba7816bf || state[7] != 0xf20015ad)
        bench_fail(b, "SHA-256 of abc is wrong");
    for (int i = 0; i < SIZE; i++)
        data[i] = (uint8_t)bench_random(&seed);
    sha_initial(state);
    bench_begin(b);
    for (uint32_t round = 0; round < b->n * 2; round++) {
        for (int i = 0; i < SIZE; i += 64)
            sha_block(state, k, data + i);
        data[round % SIZE] ^= (uint8_t)state[0];
    }
    return bench_hash(BENCH_HASH, state, sizeof state);
}
