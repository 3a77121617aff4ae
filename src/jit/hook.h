// SPDX-License-Identifier: MIT
// What plugins attach to an instruction: lists of operations by place, each with predicates. The
// interpreter runs them from here; generated code implements what it knows natively and calls
// hook_run_insn or hook_run_list for the rest.
#ifndef EMU_JIT_HOOK_H
#define EMU_JIT_HOOK_H

#include "cpu/cpu.h"
#include "jit/helper.h"

#define HOOK_MAX_PREDICATES 4u
#define HOOK_MAX_FIELDS     JIT_MAX_FIELDS
#define HOOK_SLACK          2048u // more than the records of a block: of an instruction 24

enum hook_kind {
    HOOK_CALL,   // helper(args), result to ret
    HOOK_COUNT,  // *target += step
    HOOK_STORE,  // *target = args[0]
    HOOK_RECORD, // appends args[0..nargs) to buffer, 64 bits each
};

// A record buffer of a plugin: `fields` words a record. A block of generated code is begun only
// when next < end, and may append HOOK_SLACK records: there is room behind end. It may also reserve
// what it needs when it is begun: next is behind that then.
struct JitBuffer {
    uint64_t *next, *end, *records;
    unsigned fields;
    bool dead; // its plugin is gone
    bool flushing;
    void *owner;
    struct helper_registry *registry;
    void (*flush)(void *opaque, const uint64_t *records, size_t count);
    void *opaque;
    struct JitBuffer *link;
};

struct hook {
    struct hook *next;
    enum hook_kind kind;
    bool merged;   // HOOK_COUNT: translated code adds its step at the start of the block
    bool by_parts; // looks at values: accesses of more than 8 bytes are told in parts
    uint8_t nargs;
    uint8_t npredicates;
    JitPredicate predicates[HOOK_MAX_PREDICATES]; // all must hold
    struct helper *helper;                        // HOOK_CALL
    JitArg ret;                                   // HOOK_CALL: JIT_ARG_NONE or JIT_ARG_REG
    uint64_t *target;                             // HOOK_COUNT, HOOK_STORE
    uint64_t step;                                // HOOK_COUNT
    struct JitBuffer *buffer;                     // HOOK_RECORD
    JitArg args[HOOK_MAX_FIELDS]; // JIT_ARG_PC holds its value; attached hooks have only nargs
};

// The operations of one instruction, by enum jit_place, each in order of attachment; block-start
// operations come first in `before` of the block's first instruction.
struct insn_hooks {
    union {
        struct hook *at[JIT_PLACES];
        struct {
            struct hook *before, *after, *load_before, *load, *store_before, *store, *branch, *call,
                *ret;
        };
    };
    uint32_t linear;  // of the instruction
    uint16_t records; // reserved by the translated block for the instructions before this one
    uint16_t begun;   // ... for what is attached before this one
    bool sees_memory; // load_before, load, store_before or store is not empty
    bool only_before; // nothing but `before`
    bool only_inline; // HOOK_COUNT and HOOK_STORE only
};

// What arguments and predicates refer to.
struct hook_event {
    const struct insn *insn;
    uint32_t pc;      // linear address of the instruction
    uint32_t address; // linear address of the access; the target of a branch; else pc
    uint32_t size;
    bool store;
    uint64_t value;
};

static inline uint64_t hook_access_word(uint32_t address, unsigned size, bool store, uint64_t site)
{
    return address | (uint64_t)size << 32 | (site & JIT_ACCESS_SITES) << 40 |
           (store ? JIT_ACCESS_STORE : 0);
}

// Runs one list; what helpers ask for is left in cpu->hook.requests.
void hook_run_list(struct cpu *cpu, const struct hook *hook, const struct hook_event *event);

// Executes an instruction that has hooks, all of them included. On entry as for a handler:
// cpu->insn_eip is its offset and cpu->eip the next one. True: the block must be left, because EIP
// goes elsewhere or somebody wants to stop. Leaves through cpu_raise like a handler.
bool hook_run_insn(struct cpu *cpu, const struct insn *insn);

// The same in three parts, for translated code that does the others by itself. hook_begin_insn:
// what is attached before it; true: EIP goes elsewhere and the instruction is not executed.
// hook_end_insn: the instruction and all the rest. hook_after_insn: what is attached after it.
bool hook_begin_insn(struct cpu *cpu, const struct insn *insn);
bool hook_end_insn(struct cpu *cpu, const struct insn *insn);
bool hook_after_insn(struct cpu *cpu, const struct insn *insn);

void hook_free_list(struct hook *hook);
// All that is there, in pieces of at most the buffer's capacity.
void hook_buffer_flush(struct JitBuffer *buffer);
// As many whole capacities as are there.
void hook_buffer_flush_full(struct JitBuffer *buffer);

#endif
