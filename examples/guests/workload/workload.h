// SPDX-License-Identifier: MIT
// The self-checking guest workload: what its parts share.
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct workload {
    const char *folder; // where files are made
    uint64_t hash;      // FNV-1a over every result that has one right value
    unsigned failures;
};

// Counts and prints a failure unless `good`.
void workload_check(struct workload *w, bool good, const char *what);
// Mixes a result into the hash.
void workload_mix(struct workload *w, const void *data, size_t size);
// A reproducible pseudo-random sequence (xorshift32); the seed must not be 0.
uint32_t workload_random(uint32_t *seed);

void workload_test_integers(struct workload *w);
void workload_test_x87(struct workload *w);
void workload_test_sse2(struct workload *w);
void workload_test_files(struct workload *w);
void workload_test_memory(struct workload *w);
void workload_test_processes(struct workload *w);
void workload_test_signals(struct workload *w);
void workload_test_threads(struct workload *w);

#endif
