// SPDX-License-Identifier: MIT
// Names of translated code for Linux perf: the map file /tmp/perf-PID.map, and the jitdump file
// jit-PID.dump in the current folder, which also holds the code.
#ifndef EMU_JIT_PERF_LOG_H
#define EMU_JIT_PERF_LOG_H

#include "base/error.h"
#include "base/util.h"

struct perf_log;

// NULL with a message when a file cannot be made.
struct perf_log *perf_log_create(bool map, bool dump, struct error *err);
void perf_log_destroy(struct perf_log *log);

// Code that runs at `at` from now on. Whatever was there before is gone: the map file names both,
// the dump knows the time.
void perf_log_code(struct perf_log *log, const uint8_t *at, size_t size, const char *name);

#endif
