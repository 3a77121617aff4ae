// SPDX-License-Identifier: MIT
// The run loop. Between blocks it looks at what is pending; inside a block the interpreter only
// watches for the block's own death (self-modifying code, a plugin that came or went).
#include "jit/executor_internal.h"

#include <stdlib.h>

#include "base/disassemble.h"
#include "cpu/mem.h"

static void code_written(void *self, uint8_t *host, size_t length)
{
    struct executor *ex = self;
    block_invalidate(ex->table, host, length);
}

static void block_retired(void *self, struct block *block)
{
    struct executor *ex = self;
    struct jump_cache_entry *e = &ex->cache[jump_cache_index(block->linear)];
    if (e->block == block)
        *e = (struct jump_cache_entry){.addend = ADDEND_NEVER};
    if (block->code.entry)
        block_unlink(block);
}

struct executor *executor_create(struct cpu *cpu, struct log *log, struct error *err)
{
    struct executor *ex = xcalloc(1, sizeof *ex);
    ex->cpu = cpu;
    ex->log = log;
    ex->table = block_table_create(cpu->mem, &cpu->mmu, block_retired, ex);
    ex->context.executor = ex;
    ex->threshold = EXECUTOR_THRESHOLD_DEFAULT;
    ex->budget = EXECUTOR_TB_SIZE_DEFAULT;
    ex->cache = xcalloc(JUMP_CACHE_SIZE, sizeof *ex->cache);
    for (unsigned i = 0; i < JUMP_CACHE_SIZE; i++)
        ex->cache[i].addend = ADDEND_NEVER;
    cpu->executor = ex;
    cpu->jit.jump_cache = ex->cache;
    physmem_set_code_listener(cpu->mem, code_written, ex);
    return ex;
}

void executor_destroy(struct executor *ex)
{
    if (!ex)
        return;
    physmem_set_code_listener(ex->cpu->mem, NULL, NULL);
    if (ex->uncached)
        block_free(ex->uncached);
    window_stop(ex);
    block_table_destroy(ex->table);
    helper_registry_clear(&ex->helpers);
    code_cache_destroy(&ex->code);
    lockstep_destroy(ex->lockstep);
    perf_log_destroy(ex->perf);
    free(ex->cache);
    free(ex);
}

void executor_flush(struct executor *ex)
{
    block_invalidate_all(ex->table);
    if (ex->uncached)
        ex->uncached->dead = true;
}

bool executor_is_running(const struct executor *ex)
{
    return ex->cpu->jump != NULL;
}

void executor_set_signals(struct executor *ex, const struct executor_signals *signals)
{
    ex->signals = *signals;
}

struct helper_registry *executor_helpers(struct executor *ex)
{
    return &ex->helpers;
}

struct executor_stats executor_get_stats(const struct executor *ex)
{
    struct executor_stats stats = ex->stats;
    stats.blocks_live = block_table_count(ex->table);
    stats.bytes_live = block_table_bytes(ex->table);
    stats.code_used = ex->code.rw ? code_cache_used(&ex->code) : 0;
    stats.code_size = ex->code.size;
    stats.refused = ex->window.refused;
    return stats;
}

static void step(struct executor *ex)
{
    struct cpu *cpu = ex->cpu;
    if (cpu_begin_step(cpu)) {
        cpu_deliver(cpu);
        return;
    }
    executor_interpret(cpu, executor_find(ex), 0, 1);
    cpu_finish_step(cpu);
}

// A line that stays asserted and a gate that leaves IF set can go on for ever.
static void take_pending(struct cpu *cpu, uint64_t target)
{
    while (cpu_take_pending(cpu))
        if (cpu->instructions >= target || atomic_load_explicit(&cpu->kicked, memory_order_relaxed))
            break;
}

static void run_loop(struct executor *ex, uint64_t target)
{
    struct cpu *cpu = ex->cpu;
    bool look = true;
    for (;;) {
        if (UNLIKELY(look || atomic_load_explicit(&cpu->kicked, memory_order_acquire))) {
            if (cpu->activity == CPU_RUNNING || cpu_has_wake_event(cpu))
                take_pending(cpu, target);
            if (atomic_load_explicit(&cpu->kicked, memory_order_relaxed) ||
                cpu->activity != CPU_RUNNING)
                return;
            look = false;
        }
        if (UNLIKELY(cpu->instructions >= target))
            return;
        if (UNLIKELY(cpu_must_step(cpu))) {
            step(ex);
            look = true;
            continue;
        }
        if (UNLIKELY(ex->use_window && !cpu->mmu.window_open &&
                     (cpu->is_user || ex->window.use == WINDOW_ALWAYS)))
            window_consider(ex);
        struct block *block = executor_find(ex);
        uint64_t left = target - cpu->instructions;
        ex->stats.blocks_run++;
        if (log_enabled(ex->log, LOG_EXEC | LOG_CPU)) {
            log_write(ex->log, LOG_EXEC, "Trace %08x [%08x/%05x]\n", block->linear, block->cs_base,
                      block->mode);
            if (log_enabled(ex->log, LOG_CPU))
                cpu_describe(cpu, ex->log->out);
        }
        if (UNLIKELY(ex->accel == EXECUTOR_LOCKSTEP) && block->count <= left) {
            lockstep_run(ex, block);
            look = ex->look;
            continue;
        }
        if (ex->run_code && block->count <= left && executor_translate(ex, block)) {
            executor_run_code(ex, block);
            look = ex->look;
            continue;
        }
        ex->link = NULL;
        if (UNLIKELY(block->dead)) // the code cache was full
            continue;
        executor_interpret(cpu, block, 0,
                           LIKELY(block->count <= left) ? block->count : (unsigned)left);
        look = block->stop;
    }
}

// Translated code counts instructions exactly only in instruction mode; other runs that end at a
// count, and those that log each block, are interpreted.
static void prepare_code(struct executor *ex, uint64_t target)
{
    struct cpu *cpu = ex->cpu;
    bool icount = cpu->clock && clock_is_icount(cpu->clock);
    ex->run_code = ex->accel == EXECUTOR_JIT && (icount || target == UINT64_MAX) &&
                   !log_enabled(ex->log, LOG_EXEC | LOG_CPU);
    if (ex->run_code && icount != ex->translator.counting) {
        executor_flush(ex);
        ex->translator.counting = icount;
    }
    ex->use_window = ex->run_code && ex->window.use != WINDOW_OFF &&
                     (!icount || ex->window.use == WINDOW_ALWAYS);
    if (!ex->use_window)
        cpu->mmu.window_open = false;
    // The counter is signed where it is tested.
    uint64_t furthest = cpu->instructions + (UINT64_C(1) << 62);
    ex->cpu->jit.target = target < furthest ? target : furthest;
}

void executor_run(struct executor *ex, uint64_t target)
{
    struct cpu *cpu = ex->cpu;
    sigjmp_buf jump;
    cpu->jump = &jump;
    ex->context.builder = NULL;
    ex->link = NULL;
    prepare_code(ex, target);
    window_enter(ex);
    if (ex->helpers.begin && ex->helpers.first)
        ex->helpers.begin(ex->helpers.invoke_self);
    int reason = sigsetjmp(jump, 0);
    if (reason == HELPER_CRASHED) {
        executor_helper_crashed(ex);
    } else if (reason) {
        ex->stats.exceptions++;
        cpu_deliver(cpu);
    }
    run_loop(ex, target);
    window_leave(ex);
    cpu->jump = NULL;
}
