// SPDX-License-Identifier: MIT
// What the files of the executor share. Nobody outside executor*.c and lockstep.c includes this.
#ifndef EMU_JIT_EXECUTOR_INTERNAL_H
#define EMU_JIT_EXECUTOR_INTERNAL_H

#include "jit/builder.h"
#include "jit/executor.h"
#include "jit/perf_log.h"
#include "jit/translate.h"
#include "jit/window.h"

struct executor {
    struct cpu *cpu;
    struct log *log;
    struct block_table *table;
    struct block *uncached; // the block being run when it is not in the table
    uint64_t seen_drops;    // blocks retired before this count have been freed
    struct jump_cache_entry *cache;
    struct executor_signals signals;
    struct helper_registry helpers;
    struct jit_context context;
    struct executor_stats stats;
    struct block_builder builder;

    enum executor_accel accel;
    unsigned threshold;
    bool run_code, use_window; // in this call of executor_run
    struct code_cache code;
    struct jit_stubs stubs;
    struct translator translator;
    size_t budget;           // bytes for blocks and their code
    struct block_exit *link; // the exit that was left by, to be linked to the block that follows
    uint64_t link_drops;     // generation of the table at that time
    struct lockstep *lockstep;
    struct window_policy window;
    struct perf_log *perf; // NULL: nobody wants names
    bool look;             // after a handler: pending events may have changed
};

// The block at CS:EIP: from the jump cache, the table, or made now. Raises what its fetch raises.
struct block *executor_find(struct executor *ex);

// -d in_asm and out_asm of one block.
void executor_log_block(struct executor *ex, const struct block *block);
void executor_log_code(struct executor *ex, const struct block *block);

struct lockstep *lockstep_create(void);
void lockstep_destroy(struct lockstep *ls);
void lockstep_run(struct executor *ex, struct block *block);

// Interprets n instructions of a block from number `first` on. True: nothing asked to leave before
// the last of them.
bool executor_interpret(struct cpu *cpu, struct block *block, unsigned first, unsigned n);

// Takes the merged counts of the instructions from number `first` on away again, or gives them
// back: whoever looks at the counters meanwhile finds them exact.
void executor_count(struct block *block, unsigned first, bool back);

// After a crash of a helper that translated code called: its plugin is stopped, the instruction is
// finished.
void executor_helper_crashed(struct executor *ex);

// Runs translated code from a block on, until it leaves.
void executor_run_code(struct executor *ex, struct block *block);
// Makes sure that a block is translated; false: it must be interpreted, or everything was dropped
// (then it is dead).
bool executor_translate(struct executor *ex, struct block *block);

#endif
