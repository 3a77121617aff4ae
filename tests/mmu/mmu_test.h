// SPDX-License-Identifier: MIT
// What the MMU tests share: a deterministic random generator and a machine of memory and MMU.
#ifndef EMU_TESTS_MMU_TEST_H
#define EMU_TESTS_MMU_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mmu/mmu.h"

struct rng {
    uint64_t state;
};

static inline uint32_t rng_next(struct rng *rng)
{
    rng->state = rng->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(rng->state >> 32);
}

static inline uint32_t rng_below(struct rng *rng, uint32_t n)
{
    return (uint32_t)(((uint64_t)rng_next(rng) * n) >> 32);
}

static inline bool rng_one_in(struct rng *rng, uint32_t n)
{
    return rng_below(rng, n) == 0;
}

#endif
