// SPDX-License-Identifier: MIT
// Log categories (-d a,b -D file, and the monitor's `log`). One struct log belongs to one machine.
#ifndef EMU_BASE_LOG_H
#define EMU_BASE_LOG_H

#include <stdio.h>

#include "base/error.h"

enum log_category {
    LOG_IN_ASM = 1u << 0,      // guest code of each block when it is decoded
    LOG_OP = 1u << 1,          // attached operations of each block
    LOG_OUT_ASM = 1u << 2,     // host code of each block
    LOG_EXEC = 1u << 3,        // each block that is executed
    LOG_CPU = 1u << 4,         // registers before each block
    LOG_INT = 1u << 5,         // exceptions and interrupts
    LOG_MMU = 1u << 6,         // TLB fills, page faults, flushes
    LOG_RESET = 1u << 7,       // CPU state at reset
    LOG_GUEST_ERROR = 1u << 8, // what no correct guest does
    LOG_UNIMP = 1u << 9,       // what emu does not model
    LOG_IOPORT = 1u << 10,     // accesses to ports nobody claims
    LOG_PCI = 1u << 11,
    LOG_IDE = 1u << 12,
    LOG_POST = 1u << 13,   // POST codes (port 0x80, isa-post)
    LOG_PLUGIN = 1u << 14, // loading, unloading, subscriptions
};

struct log {
    uint32_t mask; // enabled categories
    FILE *out;     // never NULL after log_init; owned when it is not stderr
};

void log_init(struct log *log);
void log_close(struct log *log);

// Parses "int,cpu_reset,..." ("all", "none", "help" is the caller's affair) into *mask.
bool log_parse_mask(const char *names, uint32_t *mask, struct error *err);

// Writes one "name  description" line for each category.
void log_list_categories(FILE *out);

bool log_set_file(struct log *log, const char *path, struct error *err);

static inline bool log_enabled(const struct log *log, uint32_t category)
{
    return UNLIKELY((log->mask & category) != 0);
}

void log_write(struct log *log, uint32_t category, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
