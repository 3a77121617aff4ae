// SPDX-License-Identifier: MIT
// A self-checking guest workload: arithmetic with known answers, files, memory, processes, signals
// and threads. Prints one line a part, then "WORKLOAD PASS <hash>" (exit 0) or "WORKLOAD FAIL <n>"
// (exit 1). The hash covers results that have one right value on every i386, so it is the same
// natively and in any correct emulator.
#include "workload.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// What a correct machine computes; printed by the same program run natively.
#define EXPECTED_WITH_SSE2    UINT64_C(0x4fe933ed751eac86)
#define EXPECTED_WITHOUT_SSE2 UINT64_C(0x176483217339de16)

void workload_check(struct workload *w, bool good, const char *what)
{
    if (!good) {
        w->failures++;
        printf("FAIL %s\n", what);
    }
}

void workload_mix(struct workload *w, const void *data, size_t size)
{
    const uint8_t *byte = data;
    for (size_t i = 0; i < size; i++) {
        w->hash = (w->hash ^ byte[i]) * UINT64_C(0x100000001b3);
    }
}

uint32_t workload_random(uint32_t *seed)
{
    uint32_t x = *seed;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *seed = x;
}

static const struct part {
    const char *name;
    void (*run)(struct workload *w);
} parts[] = {
    {"integers", workload_test_integers}, {"x87", workload_test_x87},
    {"sse2", workload_test_sse2},         {"files", workload_test_files},
    {"memory", workload_test_memory},     {"processes", workload_test_processes},
    {"signals", workload_test_signals},   {"threads", workload_test_threads},
};

int main(int argc, char **argv)
{
    struct workload w = {argc > 1 ? argv[1] : ".", UINT64_C(0xcbf29ce484222325), 0};
    __builtin_cpu_init();
    bool sse2 = __builtin_cpu_supports("sse2");
    setvbuf(stdout, NULL, _IONBF, 0);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        unsigned before = w.failures;
        if (!sse2 && strcmp(parts[i].name, "sse2") == 0) {
            printf("part sse2: not on this CPU\n");
            continue;
        }
        parts[i].run(&w);
        printf("part %s: %s %016" PRIx64 "\n", parts[i].name,
               w.failures == before ? "ok" : "FAILED", w.hash);
    }
    workload_check(&w, w.hash == (sse2 ? EXPECTED_WITH_SSE2 : EXPECTED_WITHOUT_SSE2),
                   "the hash of all results");
    if (w.failures > 0) {
        printf("WORKLOAD FAIL %u\n", w.failures);
        return 1;
    }
    printf("WORKLOAD PASS %016" PRIx64 "\n", w.hash);
    return 0;
}
