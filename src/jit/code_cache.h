// SPDX-License-Identifier: MIT
// Memory for translated code: one memfd mapped twice, writable and executable. Hot code has the
// lower part, cold code (slow paths, exits) the upper one; when one is full, everything is dropped.
#ifndef EMU_JIT_CODE_CACHE_H
#define EMU_JIT_CODE_CACHE_H

#include "base/error.h"
#include "jit/assembler_x64.h"

// From this offset of the hot part on, accesses through the window belong to one instruction, whose
// slow path has the other offset. Or a poll begins there, and the other offset leaves.
struct code_site {
    uint32_t hot;
    uint32_t slow : 30;
    uint32_t flags_host : 1; // the guest's flags are in the host's, not in cpu->jit.flags
    uint32_t poll : 1;
};

struct code_cache {
    uint8_t *rw, *rx;
    size_t size;
    size_t fixed;     // bytes at the bottom that survive code_cache_reset
    size_t split;     // where the cold part starts
    size_t hot, cold; // first free byte of each part
    size_t peak;
    struct code_site *sites; // in ascending order
    size_t site_count, site_capacity;
};

bool code_cache_create(struct code_cache *cache, size_t size, struct error *err);
void code_cache_destroy(struct code_cache *cache);
// Drops everything above `fixed` and gives its memory back.
void code_cache_reset(struct code_cache *cache);
void code_cache_add_site(struct code_cache *cache, struct code_site site);

static inline size_t code_cache_used(const struct code_cache *cache)
{
    return cache->hot + (cache->cold - cache->split);
}

// Where code that is written at `at` runs.
static inline const uint8_t *code_cache_executable(const struct code_cache *cache,
                                                   const uint8_t *at)
{
    return cache->rx + (at - cache->rw);
}

#endif
