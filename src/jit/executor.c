// SPDX-License-Identifier: MIT
// The interpreter's run loop. Between blocks it looks at what is pending; inside a block it only
// watches for the block's own death (self-modifying code, a plugin that came or went).
#include "jit/executor.h"

#include <stdlib.h>

#include "base/disassemble.h"
#include "cpu/mem.h"
#include "jit/builder.h"
#include "jit/hook.h"

#define JUMP_CACHE_BITS 12u
#define JUMP_CACHE_SIZE (1u << JUMP_CACHE_BITS)

// A direct-mapped cache in front of the translation and the hash. Valid while neither the TLB was
// flushed nor a block dropped.
struct jump_cache_entry {
    uint32_t linear;
    uint32_t mode;
    uint32_t cs_base;
    uint32_t generation; // of the executor when it was filled
    struct block *block;
};

struct executor {
    struct cpu *cpu;
    struct log *log;
    struct block_table *table;
    struct block *uncached;            // the block being run when it is not in the table
    uint64_t seen_flushes, seen_drops; // what the cache's generation stands for
    uint32_t generation;               // never 0
    struct jump_cache_entry cache[JUMP_CACHE_SIZE];
    struct executor_signals signals;
    struct helper_registry helpers;
    struct jit_context context;
    struct executor_stats stats;
    struct block_builder builder;
};

static void code_written(void *self, uint8_t *host, size_t length)
{
    struct executor *ex = self;
    block_invalidate(ex->table, host, length);
}

struct executor *executor_create(struct cpu *cpu, struct log *log, struct error *err)
{
    struct executor *ex = xcalloc(1, sizeof *ex);
    ex->cpu = cpu;
    ex->log = log;
    ex->table = block_table_create(cpu->mem, &cpu->mmu);
    ex->context.executor = ex;
    ex->generation = 1;
    cpu->executor = ex;
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
    block_table_destroy(ex->table);
    helper_registry_clear(&ex->helpers);
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
    return stats;
}

static void log_block(struct executor *ex, const struct block *block)
{
    log_write(ex->log, LOG_IN_ASM, "----------------\nIN: mode %05x\n", block->mode);
    for (unsigned i = 0; i < block->count; i++) {
        uint8_t bytes[INSN_MAX_LENGTH];
        char text[128];
        uint32_t at = block->linear + block->insns[i].offset;
        size_t got = mmu_debug_read(&ex->cpu->mmu, at, bytes, block->insns[i].length);
        disassemble(block->mode & CPU_MODE_CODE32 ? DISASSEMBLE_32 : DISASSEMBLE_16, at, bytes, got,
                    text, sizeof text);
        log_write(ex->log, LOG_IN_ASM, "0x%08x:  %s\n", at, text);
    }
}

static struct block *make_block(struct executor *ex, const uint8_t *host, uint32_t linear,
                                unsigned max_insns, bool keep)
{
    bool cacheable;
    struct block *block = block_build(&ex->builder, ex->cpu, &ex->signals, &ex->context, host,
                                      linear, max_insns, &cacheable);
    ex->stats.blocks_made++;
    if (log_enabled(ex->log, LOG_IN_ASM))
        log_block(ex, block);
    if (cacheable && keep)
        block_insert(ex->table, block);
    else
        ex->uncached = block;
    return block;
}

// The page behind a crossing instruction may have been mapped anew.
static bool second_page_current(struct cpu *cpu, const struct block *block)
{
    uint8_t *host;
    struct mmu_result result;
    uint32_t next = (block->linear | (PAGE_SIZE - 1)) + 1;
    return mmu_fill(&cpu->mmu, next, MMU_EXECUTE, cpu->is_user, &host, &result) &&
           host == block->second_host;
}

static NOINLINE struct block *find_slow(struct executor *ex, uint32_t linear)
{
    struct cpu *cpu = ex->cpu;
    ex->stats.lookups_slow++;
    cpu->insn_eip = cpu->eip;
    uint8_t *host;
    struct mmu_result result;
    if (cpu->eip > cpu->segs[SEG_CS].limit)
        cpu_raise_error(cpu, EXC_GP, 0);
    host = mmu_host(&cpu->mmu, linear, MMU_EXECUTE, cpu->is_user);
    if (!host && !mmu_fill(&cpu->mmu, linear, MMU_EXECUTE, cpu->is_user, &host, &result))
        cpu_raise_page_fault(cpu, linear, result.error_code);
    if (!host)
        return make_block(ex, NULL, linear, 1, false);
    uint32_t mode = cpu_mode_bits(cpu), cs_base = cpu->segs[SEG_CS].base;
    struct block *block = block_find(ex->table, host, linear, cs_base, mode);
    if (block && block->second_host && !second_page_current(cpu, block)) {
        block_invalidate(ex->table, block->host, 1);
        block = NULL;
    }
    if (!block)
        block = make_block(ex, host, linear, BLOCK_MAX_INSNS, true);
    if (block == ex->uncached)
        return block;
    if (cpu->segs[SEG_CS].limit - cpu->eip < block->bytes - 1u)
        return make_block(ex, host, linear, 1, false); // made under a larger limit
    if (!block->second_host) {
        struct jump_cache_entry *e = &ex->cache[linear & (JUMP_CACHE_SIZE - 1)];
        *e = (struct jump_cache_entry){.linear = linear,
                                       .mode = mode,
                                       .cs_base = cs_base,
                                       .generation = ex->generation,
                                       .block = block};
    }
    return block;
}

// The TLB was flushed or blocks were dropped: what the cache holds is void.
static NOINLINE void cache_expire(struct executor *ex)
{
    ex->seen_flushes = ex->cpu->mmu.flushes;
    ex->seen_drops = block_table_generation(ex->table);
    block_free_retired(ex->table);
    if (++ex->generation == 0) {
        memset(ex->cache, 0, sizeof ex->cache);
        ex->generation = 1;
    }
}

ALWAYS_INLINE struct block *find(struct executor *ex)
{
    struct cpu *cpu = ex->cpu;
    if (UNLIKELY(ex->uncached != NULL)) {
        block_free(ex->uncached);
        ex->uncached = NULL;
    }
    if (UNLIKELY(ex->seen_flushes != cpu->mmu.flushes ||
                 ex->seen_drops != block_table_generation(ex->table)))
        cache_expire(ex);
    uint32_t cs_base = cpu->segs[SEG_CS].base;
    uint32_t linear = cs_base + cpu->eip;
    const struct jump_cache_entry *e = &ex->cache[linear & (JUMP_CACHE_SIZE - 1)];
    if (LIKELY(e->generation == ex->generation && e->linear == linear &&
               e->mode == cpu_mode_bits(cpu) && e->cs_base == cs_base &&
               cpu->segs[SEG_CS].limit - cpu->eip >= e->block->bytes - 1u &&
               cpu->eip <= cpu->segs[SEG_CS].limit))
        return e->block;
    return find_slow(ex, linear);
}

// Runs the first n instructions of a block. A REP instruction that was interrupted stays at its own
// address and does not count.
static void run_block(struct cpu *cpu, struct block *block, unsigned n)
{
    const struct insn *insn = block->insns;
    const struct insn *end = insn + n;
    do {
        cpu->insn_eip = cpu->eip;
        cpu->eip += insn->length;
        bool leave = false;
        if (UNLIKELY(insn->hooks != NULL))
            leave = hook_run_insn(cpu, insn);
        else
            insn->handler(cpu, insn);
        cpu->instructions++;
        if (UNLIKELY(leave || block->dead))
            break;
        insn++;
    } while (insn != end);
    const struct insn *last = insn == end ? insn - 1 : insn;
    if (UNLIKELY((last->prefixes & (INSN_REP | INSN_REPNE)) && cpu->eip == cpu->insn_eip))
        cpu->instructions--;
}

static void step(struct executor *ex)
{
    struct cpu *cpu = ex->cpu;
    if (cpu_begin_step(cpu)) {
        cpu_deliver(cpu);
        return;
    }
    run_block(cpu, find(ex), 1);
    cpu_finish_step(cpu);
}

static void run_loop(struct executor *ex, uint64_t target)
{
    struct cpu *cpu = ex->cpu;
    bool look = true;
    for (;;) {
        if (UNLIKELY(look || atomic_load_explicit(&cpu->kicked, memory_order_acquire))) {
            if (cpu->activity == CPU_RUNNING || cpu_has_wake_event(cpu))
                while (cpu_take_pending(cpu))
                    ;
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
        struct block *block = find(ex);
        uint64_t left = target - cpu->instructions;
        ex->stats.blocks_run++;
        if (log_enabled(ex->log, LOG_EXEC | LOG_CPU)) {
            log_write(ex->log, LOG_EXEC, "Trace %08x [%08x/%05x]\n", block->linear, block->cs_base,
                      block->mode);
            if (log_enabled(ex->log, LOG_CPU))
                cpu_describe(cpu, ex->log->out);
        }
        run_block(cpu, block, LIKELY(block->count <= left) ? block->count : (unsigned)left);
        look = block->stop;
    }
}

void executor_run(struct executor *ex, uint64_t target)
{
    struct cpu *cpu = ex->cpu;
    sigjmp_buf jump;
    cpu->jump = &jump;
    ex->context.builder = NULL;
    if (sigsetjmp(jump, 0)) {
        ex->stats.exceptions++;
        cpu_deliver(cpu);
    }
    run_loop(ex, target);
    cpu->jump = NULL;
}
