// SPDX-License-Identifier: MIT
// What plugin "hooks" found out; its function table.
#ifndef EMU_TESTS_HOOKS_H
#define EMU_TESTS_HOOKS_H

#include <emu/plugin.h>

struct hooks_found {
    uint64_t at[JIT_PLACES]; // operations that ran, by place
    uint64_t block_starts, records, flushes, calls, wrong;
    uint64_t sum; // of what was seen
    uint64_t last;
    uint64_t instructions; // counted in the chosen process only
    uint64_t refused;      // attachments that were refused, as they must be
    uint32_t vector;       // of the first exception
    uint32_t fs_base, eip;
    char text[64];
};

#endif
