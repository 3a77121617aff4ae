// SPDX-License-Identifier: MIT
// Runs guest code block by block: interprets decoded blocks, or translates them to host code.
// Thread: the machine's thread.
#ifndef EMU_JIT_EXECUTOR_H
#define EMU_JIT_EXECUTOR_H

#include "jit/window.h"

struct executor;

// Signals of group "qemu" that are emitted while blocks are made; resolved by the plugin host.
struct executor_signals {
    struct signal *before_gen_tb;   // PLUGIN_QEMU_BEFORE_GEN_TB
    struct signal *instr_translate; // PLUGIN_QEMU_INSTR_TRANSLATE
};

enum executor_accel { EXECUTOR_INTERP, EXECUTOR_JIT, EXECUTOR_LOCKSTEP };

struct executor_stats {
    uint64_t blocks_made, blocks_run, lookups_slow, exceptions;
    uint64_t translated, links, steps, cache_flushes;
    uint64_t leaves[3];             // enum jit_leave
    uint64_t compared, differences; // lockstep
    uint64_t refused;               // faults in the window that a slow path answered
    size_t blocks_live, bytes_live, code_used, code_size;
};

struct executor *executor_create(struct cpu *cpu, struct log *log, struct error *err);
void executor_destroy(struct executor *ex);

// A new executor interprets. tb_size: bytes of memory for blocks and their code, 0 for the default.
// When it is used up, blocks that ran too seldom to be translated go first, then all. Hosts that
// cannot run translated code refuse.
#define EXECUTOR_TB_SIZE_DEFAULT (28u << 20)
bool executor_set_accel(struct executor *ex, enum executor_accel accel, size_t tb_size,
                        struct error *err);

// How often a block is interpreted before it is translated: much code runs only once or twice.
#define EXECUTOR_THRESHOLD_DEFAULT 4u
void executor_set_threshold(struct executor *ex, unsigned runs);

// Whether translated code may reach memory through the window (jit/window.h); only with
// EXECUTOR_JIT. Hosts that cannot give one do without.
void executor_set_window(struct executor *ex, enum window_use use);

// Names each translated block for Linux perf, in a map file, a jitdump file, or both: perf_log.h.
bool executor_set_perf(struct executor *ex, bool map, bool dump, struct error *err);

// Runs until cpu_kick, a halt or shutdown, or until cpu->instructions reaches `target`; then
// returns to the machine.
void executor_run(struct executor *ex, uint64_t target);

// Drops every block: after a change of subscriptions or helpers. The running block is left after
// the present instruction.
void executor_flush(struct executor *ex);

// True inside executor_run: guest code, or what it called, is on the stack.
bool executor_is_running(const struct executor *ex);

// Drops every block and all translated code, whose memory is filled from the start again; not from
// inside a block.
void executor_drop_code(struct executor *ex);

// What is executed at a linear address in the CPU's present mode; valid until the executor runs or
// drops blocks. False: there is no block.
struct executor_view {
    const struct block *block;
    size_t block_size;
    const uint8_t *code[2]; // hot and cold; NULL: not translated
    size_t code_size[2];
};
bool executor_view_block(const struct executor *ex, uint32_t linear, struct executor_view *view);

void executor_set_signals(struct executor *ex, const struct executor_signals *signals);
struct helper_registry *executor_helpers(struct executor *ex);
struct executor_stats executor_get_stats(const struct executor *ex);

// Where attached calls go: valid only inside the two signals above.
struct jit_context {
    struct executor *executor;
    struct block_builder *builder; // NULL outside the signals
};

#endif
