// SPDX-License-Identifier: MIT
// Finds the block to run: jump cache, block table, builder.
#include "jit/executor_internal.h"

#include "base/disassemble.h"
#include "cpu/mem.h"

void executor_log_block(struct executor *ex, const struct block *block)
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

// Room for more blocks: those that ran too seldom to be translated go, and when that is not enough,
// all.
static void keep_budget(struct executor *ex)
{
    if (LIKELY(block_table_bytes(ex->table) + code_cache_used(&ex->code) < ex->budget))
        return;
    if (ex->code.rw)
        block_invalidate_cold(ex->table);
    if (block_table_bytes(ex->table) + code_cache_used(&ex->code) > ex->budget / 4 * 3)
        executor_drop_code(ex);
    block_free_retired(ex->table);
}

static struct block *make_block(struct executor *ex, const uint8_t *host, uint32_t linear,
                                unsigned max_insns, bool keep)
{
    bool cacheable;
    struct block *block = block_build(&ex->builder, ex->cpu, &ex->signals, &ex->context, host,
                                      linear, max_insns, &cacheable);
    ex->stats.blocks_made++;
    if (log_enabled(ex->log, LOG_IN_ASM))
        executor_log_block(ex, block);
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

static void enter_in_cache(struct executor *ex, struct block *block, uint32_t linear, uint32_t mode)
{
    const struct cpu *cpu = ex->cpu;
    const uint8_t *code = block->code.entry_saved ? block->code.entry_saved : ex->stubs.leave_at;
    ex->cache[jump_cache_index(linear)] = (struct jump_cache_entry){
        .linear = linear,
        .mode = mode,
        .addend = cpu->mmu.tlb[cpu->is_user][MMU_EXECUTE][linear >> PAGE_SHIFT],
        .code = code ? code_cache_executable(&ex->code, code) : NULL,
        .block = block,
    };
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
    uint32_t mode = block_mode(cpu), cs_base = cpu->segs[SEG_CS].base;
    struct block *block = block_find(ex->table, host, linear, cs_base, mode);
    if (block && block->second_host && !second_page_current(cpu, block)) {
        block_invalidate(ex->table, block->host, 1);
        block = NULL;
    }
    if (!block) {
        keep_budget(ex);
        block = make_block(ex, host, linear, BLOCK_MAX_INSNS, true);
    }
    if (block == ex->uncached)
        return block;
    if (cpu->segs[SEG_CS].limit - cpu->eip < block->bytes - 1u)
        return make_block(ex, host, linear, 1, false); // made under a larger limit
    if (!block->second_host)
        enter_in_cache(ex, block, linear, mode);
    return block;
}

struct block *executor_find(struct executor *ex)
{
    struct cpu *cpu = ex->cpu;
    if (UNLIKELY(ex->uncached != NULL)) {
        block_free(ex->uncached);
        ex->uncached = NULL;
    }
    if (UNLIKELY(ex->seen_drops != block_table_generation(ex->table))) {
        ex->seen_drops = block_table_generation(ex->table);
        block_free_retired(ex->table);
    }
    uint32_t cs_base = cpu->segs[SEG_CS].base;
    uint32_t linear = cs_base + cpu->eip;
    const struct jump_cache_entry *e = &ex->cache[jump_cache_index(linear)];
    if (LIKELY(e->linear == linear && e->mode == block_mode(cpu) &&
               e->addend == cpu->mmu.tlb[cpu->is_user][MMU_EXECUTE][linear >> PAGE_SHIFT] &&
               e->block->cs_base == cs_base &&
               cpu->segs[SEG_CS].limit - cpu->eip >= e->block->bytes - 1u &&
               cpu->eip <= cpu->segs[SEG_CS].limit))
        return e->block;
    return find_slow(ex, linear);
}
