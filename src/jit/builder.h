// SPDX-License-Identifier: MIT
// Makes a block from guest bytes: decodes, asks plugins, attaches their calls.
#ifndef EMU_JIT_BUILDER_H
#define EMU_JIT_BUILDER_H

#include "jit/executor.h"

struct hook_list {
    struct hook *first, **last;
};

// Predicates that every operation attached by the present subscriber gets.
struct builder_filter {
    unsigned count;
    JitPredicate predicates[HOOK_MAX_PREDICATES];
};

struct block_builder {
    struct cpu *cpu;
    struct decode_mode mode;
    const uint8_t *host;        // first byte
    const uint8_t *second_host; // next page, when an instruction crosses
    uint32_t linear;
    unsigned count;
    uint16_t bytes;
    bool stop;
    bool any_hooks;
    unsigned place; // instruction that attached calls belong to
    bool at_start;  // in PLUGIN_QEMU_BEFORE_GEN_TB
    struct builder_filter filter;
    struct insn insns[BLOCK_MAX_INSNS];
    struct hook_list lists[BLOCK_MAX_INSNS][JIT_PLACES];
};

// Builds the block at the CPU's CS:EIP, whose linear address is `linear` and whose bytes are at
// host (NULL: not plain memory). Raises #PF or #GP(0) in the guest when its first instruction
// cannot be fetched. max_insns >= 1. *cacheable is false when the block must run once and be freed.
struct block *block_build(struct block_builder *builder, struct cpu *cpu,
                          const struct executor_signals *signals, struct jit_context *ctx,
                          const uint8_t *host, uint32_t linear, unsigned max_insns,
                          bool *cacheable);

// Attaches a copy of *hook at a place of the builder's present instruction. Predicates: those of
// the builder's filter, then the list (NULL, or ended by JIT_IF_END).
bool builder_attach(struct block_builder *builder, enum jit_place place,
                    const JitPredicate *predicates, const struct hook *hook, struct error *err);

#endif
