// SPDX-License-Identifier: MIT
// Memory for translated code: one memfd mapped twice, writable and executable. Hot code has the
// lower part, cold code (slow paths, exits) the upper one; when one is full, everything is dropped.
#ifndef EMU_JIT_CODE_CACHE_H
#define EMU_JIT_CODE_CACHE_H

#include "base/error.h"
#include "jit/assembler_x64.h"

struct code_cache {
    uint8_t *rw, *rx;
    size_t size;
    size_t fixed;     // bytes at the bottom that survive code_cache_reset
    size_t split;     // where the cold part starts
    size_t hot, cold; // first free byte of each part
    size_t peak;
};

bool code_cache_create(struct code_cache *cache, size_t size, struct error *err);
void code_cache_destroy(struct code_cache *cache);
// Drops everything above `fixed` and gives its memory back.
void code_cache_reset(struct code_cache *cache);

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
