// SPDX-License-Identifier: MIT
// Translated code as the run loop sees it: translation on demand, the way in and out, linking, and
// the interpreter's part in it.
#include "jit/executor_internal.h"

#include "base/disassemble.h"
#include "cpu/fpu.h"

typedef struct jit_result jit_enter(struct cpu *cpu, const uint8_t *code, const uintptr_t *tlb,
                                    uint64_t counter);

static bool host_is_able(void)
{
    return __builtin_cpu_supports("bmi2");
}

bool executor_set_accel(struct executor *ex, enum executor_accel accel, size_t tb_size,
                        struct error *err)
{
    executor_flush(ex);
    ex->budget = tb_size ? tb_size : EXECUTOR_TB_SIZE_DEFAULT;
    if (accel != EXECUTOR_INTERP && !ex->code.rw) {
        if (!host_is_able())
            return error_set(err, "this host's CPU has no BMI2, which translated code needs: use "
                                  "-accel interp");
        if (!code_cache_create(&ex->code, ex->budget, err))
            return false;
        jit_stubs_create(&ex->stubs, &ex->code);
        ex->cpu->jit.mxcsr_of_c = MXCSR_INIT;
        ex->translator.cpu = ex->cpu;
        ex->translator.cache = &ex->code;
        ex->translator.stubs = &ex->stubs;
        ex->translator.sites = &ex->window.sites;
    }
    if (accel == EXECUTOR_LOCKSTEP && !ex->lockstep)
        ex->lockstep = lockstep_create();
    ex->translator.single = accel == EXECUTOR_LOCKSTEP;
    ex->translator.stop_at = BLOCK_MAX_INSNS;
    ex->accel = accel;
    return true;
}

void executor_set_window(struct executor *ex, enum window_use use)
{
    if (use == WINDOW_OFF)
        window_stop(ex);
    else if (ex->accel == EXECUTOR_JIT)
        window_start(ex, use);
}

void executor_set_threshold(struct executor *ex, unsigned runs)
{
    ex->threshold = runs;
}

bool executor_set_perf(struct executor *ex, bool map, bool dump, struct error *err)
{
    perf_log_destroy(ex->perf);
    ex->perf = perf_log_create(map, dump, err);
    if (ex->perf && ex->code.rw)
        perf_log_code(ex->perf, ex->code.rx, ex->code.fixed, "emu stubs");
    return ex->perf != NULL;
}

static void name_code(struct executor *ex, const struct block *block)
{
    const struct block_code *code = &block->code;
    const char *who = block->mode & CPU_MODE_USER ? "user" : "kernel";
    char name[64];
    snprintf(name, sizeof name, "guest %s %08x", who, block->linear);
    perf_log_code(ex->perf, code_cache_executable(&ex->code, code->entry_saved),
                  (size_t)(code->hot_end - code->entry_saved), name);
    snprintf(name, sizeof name, "guest %s %08x exits", who, block->linear);
    perf_log_code(ex->perf, code_cache_executable(&ex->code, code->cold),
                  (size_t)(code->cold_end - code->cold), name);
}

static void log_range(struct executor *ex, const char *title, const uint8_t *from,
                      const uint8_t *to)
{
    log_write(ex->log, LOG_OUT_ASM, "%s:\n", title);
    while (from < to) {
        char text[128];
        uint64_t at = (uint64_t)(uintptr_t)code_cache_executable(&ex->code, from);
        unsigned length =
            disassemble(DISASSEMBLE_64, at, from, (size_t)(to - from), text, sizeof text);
        log_write(ex->log, LOG_OUT_ASM, "0x%08llx:  %s\n", (unsigned long long)at, text);
        from += length;
    }
}

void executor_log_code(struct executor *ex, const struct block *block)
{
    const struct block_code *code = &block->code;
    log_write(ex->log, LOG_OUT_ASM, "OUT: %08x [size=%u]\n", block->linear, code->bytes);
    log_range(ex, "hot", code->entry_saved, code->hot_end);
    log_range(ex, "cold", code->cold + sizeof(uint64_t), code->cold_end);
}

void executor_drop_code(struct executor *ex)
{
    executor_flush(ex);
    if (ex->code.rw)
        code_cache_reset(&ex->code);
    ex->stats.cache_flushes++;
}

bool executor_view_block(const struct executor *ex, uint32_t linear, struct executor_view *view)
{
    struct cpu *cpu = ex->cpu;
    const uint8_t *host = mmu_host(&cpu->mmu, linear, MMU_EXECUTE, cpu->is_user);
    const struct block *block =
        host ? block_find(ex->table, host, linear, cpu->segs[SEG_CS].base, block_mode(cpu)) : NULL;
    if (!block)
        return false;
    const struct block_code *code = &block->code;
    *view = (struct executor_view){
        .block = block, .block_size = sizeof *block + block->count * sizeof block->insns[0]};
    if (code->entry) {
        view->code[0] = code->entry_saved;
        view->code_size[0] = (size_t)(code->hot_end - code->entry_saved);
        view->code[1] = code->cold;
        view->code_size[1] = (size_t)(code->cold_end - code->cold);
    }
    return true;
}

bool executor_translate(struct executor *ex, struct block *block)
{
    if (LIKELY(block->code.entry != NULL))
        return true;
    if (!translate_accepts(block) || block == ex->uncached)
        return false;
    if (block->code.runs < ex->threshold && !(block->mode & BLOCK_MODE_WINDOW) &&
        !ex->translator.single) {
        block->code.runs++;
        return false;
    }
    bool observed = helper_observes(&ex->helpers);
    if (observed != ex->translator.observed) {
        ex->translator.observed = observed;
        if (ex->code.hot > ex->code.fixed) { // blocks so far do not keep flags for it
            executor_drop_code(ex);
            return false;
        }
    }
    if (!translate_block(&ex->translator, block)) {
        executor_drop_code(ex);
        return false;
    }
    block_watch_peeked(ex->table, block);
    ex->stats.translated++;
    struct jump_cache_entry *e = &ex->cache[jump_cache_index(block->linear)];
    if (e->block == block)
        e->code = code_cache_executable(&ex->code, block->code.entry_saved);
    if (log_enabled(ex->log, LOG_OUT_ASM))
        executor_log_code(ex, block);
    if (UNLIKELY(ex->perf != NULL))
        name_code(ex, block);
    return true;
}

static void link_to(struct executor *ex, struct block *block)
{
    struct block_exit *exit = ex->link;
    ex->link = NULL;
    if (ex->link_drops != block_table_generation(ex->table) || exit->to ||
        exit->target != block->linear || block->mode != exit->from->mode ||
        block->cs_base != exit->from->cs_base)
        return;
    const struct cpu *cpu = ex->cpu;
    uint64_t addend = cpu->mmu.tlb[cpu->is_user][MMU_EXECUTE][block->linear >> PAGE_SHIFT];
    if (addend + block->linear != (uintptr_t)block->host)
        return;
    block_exit_link(exit, block, addend);
    ex->stats.links++;
}

void executor_run_code(struct executor *ex, struct block *block)
{
    struct cpu *cpu = ex->cpu;
    if (ex->link)
        link_to(ex, block);
    jit_flags_from_cpu(cpu);
    jit_enter *enter = (jit_enter *)(uintptr_t)ex->stubs.enter;
    struct jit_result result =
        enter(cpu, code_cache_executable(&ex->code, block->code.entry_saved),
              cpu->mmu.tlb[cpu->is_user][MMU_READ], cpu->jit.target - cpu->instructions);
    enum jit_leave why = (enum jit_leave)(result.why & 0xff);
    ex->stats.leaves[why]++;
    if (why == LEAVE_STEPPED)
        return;
    ex->look = false;
    jit_flags_to_cpu(cpu);
    if (why == LEAVE_DIRECT) {
        struct block_exit *exit = &result.from->code.exits[result.why >> 8];
        cpu->eip = exit->target - result.from->cs_base;
        if (!result.from->dead) {
            ex->link = exit;
            ex->link_drops = block_table_generation(ex->table);
        }
    }
}

bool executor_interpret(struct cpu *cpu, struct block *block, unsigned first, unsigned n)
{
    const struct insn *insn = &block->insns[first];
    const struct insn *end = insn + n;
    bool leave = false;
    do {
        cpu->insn_eip = cpu->eip;
        cpu->eip += insn->length;
        if (UNLIKELY(insn->hooks != NULL))
            leave = hook_run_insn(cpu, insn);
        else
            insn->handler(cpu, insn);
        cpu->instructions++;
        insn++;
    } while (LIKELY(!leave && !block->dead) && insn != end);
    // A REP instruction that was interrupted stays at its own address and does not count.
    if (UNLIKELY((insn[-1].prefixes & (INSN_REP | INSN_REPNE)) && cpu->eip == cpu->insn_eip))
        cpu->instructions--;
    return !leave && !block->dead;
}

// Lockstep runs a block up to its first instruction that may be executed only once.
static unsigned last_step(const struct executor *ex, const struct block *block)
{
    unsigned stop = ex->translator.stop_at;
    return stop < block->count ? stop : block->count;
}

static void step_begin(struct cpu *cpu, const struct block *block, unsigned index, uint64_t counter)
{
    cpu->instructions = cpu->jit.target - counter - (block->count - index);
    jit_flags_to_cpu(cpu);
    cpu->eip = block->linear - block->cs_base + block->insns[index].offset;
}

// An instruction whose attached operations have been begun.
static bool finish_insn(struct cpu *cpu, const struct block *block, unsigned index)
{
    const struct insn *insn = &block->insns[index];
    cpu->insn_eip = cpu->eip;
    cpu->eip += insn->length;
    cpu->hook.requests = 0;
    bool leave = hook_end_insn(cpu, insn);
    cpu->instructions++;
    if (UNLIKELY((insn->prefixes & (INSN_REP | INSN_REPNE)) && cpu->eip == cpu->insn_eip))
        cpu->instructions--;
    return !leave && !block->dead;
}

// Records that the block reserves for what comes before instruction number index.
static unsigned records_before(const struct block *block, unsigned index)
{
    return index < block->count ? block->hooks[index].records : block->code.records;
}

// C appends records behind those that are there.
static void records_take_back(const struct block *block, unsigned index, bool begun)
{
    struct JitBuffer *b = block->code.buffer;
    if (LIKELY(!b))
        return;
    unsigned done = records_before(block, index) + (begun ? block->hooks[index].begun : 0);
    b->next -= (block->code.records - done) * b->fields;
}

// The rest of the block writes its records behind those of C.
static void records_give_back(const struct block *block, unsigned next)
{
    struct JitBuffer *b = block->code.buffer;
    if (LIKELY(!b))
        return;
    b->next += (block->code.records - records_before(block, next)) * b->fields;
}

// Translated code was entered while the window was open.
static bool window_is_lost(const struct cpu *cpu, const struct block *block)
{
    return (block->mode & BLOCK_MODE_WINDOW) && !cpu->mmu.window_open;
}

// Behind instruction number index, which was run in C. Nonzero: translated code must be left.
static unsigned step_end(struct cpu *cpu, struct block *block, unsigned index, bool whole)
{
    struct executor *ex = cpu->executor;
    unsigned next = index + 1;
    // Who asks for attention from within a block gets it at the block's end, as in the interpreter.
    if (whole && next < last_step(ex, block) &&
        (UNLIKELY(atomic_load_explicit(&cpu->kicked, memory_order_relaxed)) ||
         UNLIKELY(window_is_lost(cpu, block)))) {
        executor_interpret(cpu, block, next, last_step(ex, block) - next);
        next = block->count;
    }
    if (!whole || next == block->count) {
        ex->look = block->stop;
        return 1;
    }
    executor_count(block, next, true);
    records_give_back(block, next);
    jit_flags_from_cpu(cpu);
    return 0;
}

// Translated code calls this for an instruction that it leaves to the interpreter. Nonzero: it must
// be left.
unsigned jit_step(struct cpu *cpu, struct block *block, unsigned index, uint64_t counter)
{
    struct executor *ex = cpu->executor;
    bool begun = index & STEP_BEGUN;
    index &= STEP_INDEX;
    ex->stats.steps++;
    step_begin(cpu, block, index, counter);
    executor_count(block, index + 1, false);
    records_take_back(block, index, begun);
    bool refused = ex->window.refused_now;
    ex->window.refused_now = false;
    bool whole = begun ? finish_insn(cpu, block, index) : executor_interpret(cpu, block, index, 1);
    if (UNLIKELY(refused) && whole && window_note_refused(ex, block, index)) {
        block_invalidate(ex->table, block->host, 1);
        whole = false;
    }
    return step_end(cpu, block, index, whole);
}

unsigned jit_rest(struct cpu *cpu, struct block *block, unsigned index, uint64_t counter)
{
    struct executor *ex = cpu->executor;
    unsigned how = index;
    index &= STEP_INDEX;
    step_begin(cpu, block, index, counter);
    unsigned end = last_step(ex, block);
    bool whole = true;
    executor_count(block, index + (how & STEP_BEGUN ? 1 : 0), false);
    records_take_back(block, index, how & STEP_BEGUN);
    if (how & STEP_BEGUN)
        whole = finish_insn(cpu, block, index++);
    if (whole && index < end)
        executor_interpret(cpu, block, index, end - index);
    ex->look = block->stop;
    return 1;
}

static void enter_insn(struct cpu *cpu, struct block *block, unsigned index, uint64_t counter)
{
    step_begin(cpu, block, index, counter);
    cpu->insn_eip = cpu->eip;
    cpu->eip += block->insns[index].length;
}

// What is attached before an instruction. Nonzero: the instruction has been dealt with, and
// translated code must be left.
unsigned jit_before(struct cpu *cpu, struct block *block, unsigned index, uint64_t counter)
{
    struct executor *ex = cpu->executor;
    const struct insn *insn = &block->insns[index];
    enter_insn(cpu, block, index, counter);
    records_take_back(block, index, false);
    bool leave = hook_begin_insn(cpu, insn);
    if (LIKELY(!leave && !block->dead && !cpu->hook.requests && !window_is_lost(cpu, block))) {
        records_give_back(block, index);
        jit_flags_from_cpu(cpu);
        return 0;
    }
    if (!leave)
        hook_end_insn(cpu, insn);
    cpu->instructions++;
    if ((insn->prefixes & (INSN_REP | INSN_REPNE)) && cpu->eip == cpu->insn_eip)
        cpu->instructions--;
    ex->look = block->stop;
    return 1;
}

void executor_helper_crashed(struct executor *ex)
{
    struct cpu *cpu = ex->cpu;
    struct block *block = cpu->jit.helper_block;
    unsigned index = cpu->jit.helper_index & STEP_INDEX;
    const struct insn *insn = &block->insns[index];
    const struct helper *helper = cpu->jit.helper;
    cpu->jit.helper = NULL;
    enter_insn(cpu, block, index, cpu->jit.helper_counter);
    ex->helpers.crashed(ex->helpers.invoke_self, helper->owner);
    cpu->hook.requests = 0;
    if (!(cpu->jit.helper_index & STEP_AFTER))
        hook_end_insn(cpu, insn);
    cpu->instructions++;
    if ((insn->prefixes & (INSN_REP | INSN_REPNE)) && cpu->eip == cpu->insn_eip)
        cpu->instructions--;
    ex->look = true;
}

// At the start of a block: a record buffer is full. Nonzero: the block is not begun.
unsigned jit_flush(struct cpu *cpu, struct block *block, unsigned index, uint64_t counter)
{
    struct executor *ex = cpu->executor;
    step_begin(cpu, block, index, counter);
    for (struct JitBuffer *b = ex->helpers.buffers; b; b = b->link)
        hook_buffer_flush_full(b);
    if (LIKELY(!block->dead && !window_is_lost(cpu, block) &&
               !atomic_load_explicit(&cpu->kicked, memory_order_relaxed))) {
        jit_flags_from_cpu(cpu);
        return 0;
    }
    ex->look = true;
    return 1;
}

unsigned jit_after(struct cpu *cpu, struct block *block, unsigned index, uint64_t counter)
{
    enter_insn(cpu, block, index, counter);
    records_take_back(block, index + 1, false);
    cpu->hook.requests = 0;
    bool leave = hook_after_insn(cpu, &block->insns[index]);
    cpu->instructions++;
    return step_end(cpu, block, index, !leave && !block->dead);
}

void executor_count(struct block *block, unsigned first, bool back)
{
    if (LIKELY(!block->code.merged))
        return;
    for (unsigned i = first; i < block->count; i++) {
        const struct insn_hooks *hooks = block->insns[i].hooks;
        for (struct hook *h = hooks ? hooks->before : NULL; h; h = h->next)
            if (h->merged)
                *h->target += back ? h->step : 0 - h->step;
    }
}
