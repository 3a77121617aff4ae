// SPDX-License-Identifier: MIT
// The benchmark guest program: what its workloads share. The same static i386 binary runs natively
// and in every guest, so its checksums have one right value.
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

struct bench {
    const char *name;
    int64_t *cpu_before;       // CPU time of the process when the measured interval starts
    uint32_t n;                // amount of work; time is proportional to it
    const char *disk_folder;   // on the disk's file system
    const char *memory_folder; // on a tmpfs
};

// Prints "BEGIN name": the measured interval starts. A workload calls it once, after its set-up.
void bench_begin(const struct bench *b);
// Ends the workload with a message; its run counts as failed.
_Noreturn void bench_fail(const struct bench *b, const char *what);
// FNV-1a over 32-bit words; start with BENCH_HASH.
#define BENCH_HASH UINT64_C(0xcbf29ce484222325)
uint64_t bench_hash(uint64_t hash, const void *data, size_t size);
// xorshift32; the seed must not be 0.
static inline uint32_t bench_random(uint32_t *seed)
{
    uint32_t x = *seed;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *seed = x;
}

// Each returns the checksum of what it computed.
uint64_t bench_int_loop(const struct bench *b);
uint64_t bench_table(const struct bench *b);
uint64_t bench_sort(const struct bench *b);
uint64_t bench_int64(const struct bench *b);
uint64_t bench_chase(const struct bench *b);
uint64_t bench_recursion(const struct bench *b);
uint64_t bench_vm_switch(const struct bench *b);
uint64_t bench_vm_goto(const struct bench *b);
uint64_t bench_string(const struct bench *b);
uint64_t bench_rep(const struct bench *b);
uint64_t bench_sha256(const struct bench *b);
uint64_t bench_x87_matrix(const struct bench *b);
uint64_t bench_x87_nbody(const struct bench *b);
uint64_t bench_sse_nbody(const struct bench *b);
uint64_t bench_sse_mandel(const struct bench *b);
uint64_t bench_packed_float(const struct bench *b);
uint64_t bench_packed_int(const struct bench *b);
uint64_t bench_syscall(const struct bench *b);
uint64_t bench_fork(const struct bench *b);
uint64_t bench_exec(const struct bench *b);
uint64_t bench_fault(const struct bench *b);
uint64_t bench_pipe(const struct bench *b);
uint64_t bench_signal(const struct bench *b);
uint64_t bench_smc(const struct bench *b);
uint64_t bench_file_disk(const struct bench *b);
uint64_t bench_file_tmpfs(const struct bench *b);

#endif
