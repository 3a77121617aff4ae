// SPDX-License-Identifier: MIT
// Lockstep: each block is interpreted first, with the memory it stores to kept as it was; then
// everything is put back and the translated block runs; registers, flags, FPU, exceptions and that
// memory must be equal. What may be done once only (ports, device registers, clocks, mode changes,
// plugin calls, repeated strings) is interpreted alone. A store of translated code far from all
// that the interpreter stored to is not seen, nor is what depends on how blocks follow one another:
// each runs alone, with all flags alive at its ends.
#include <stdlib.h>

#include "base/disassemble.h"
#include "cpu/flags.h"
#include "cpu/mem.h"
#include "jit/executor_internal.h"

#define LINE_BYTES 64u
#define LINE_COUNT 256u // 64 instructions rarely need more

// Memory around a store.
struct touched_line {
    uint8_t *host;
    uint8_t before[LINE_BYTES], after[LINE_BYTES];
};

// What a run of a block leaves behind.
struct outcome {
    bool faulted;
    struct cpu_exception raised;
    uint32_t regs[8], eip, insn_eip, eflags, cr2;
    uint64_t instructions;
    bool shadow;
    struct fpu_state fpu;
};

struct lockstep {
    bool impure, overflow;
    unsigned count;
    struct outcome start, expected, got;
    uint32_t flags_result, flags_aux;
    bool fpu; // the block has such instructions
    struct touched_line lines[LINE_COUNT];
};

struct lockstep *lockstep_create(void)
{
    return xcalloc(1, sizeof(struct lockstep));
}

void lockstep_destroy(struct lockstep *ls)
{
    free(ls);
}

static void keep_line(struct lockstep *ls, uint8_t *host)
{
    for (unsigned i = 0; i < ls->count; i++)
        if (ls->lines[i].host == host)
            return;
    if (ls->count == LINE_COUNT) {
        ls->overflow = true;
        return;
    }
    struct touched_line *line = &ls->lines[ls->count++];
    line->host = host;
    memcpy(line->before, host, LINE_BYTES);
}

static void see_byte(struct cpu *cpu, struct lockstep *ls, bool is_store, uint32_t linear)
{
    // What the TLB has is plain memory.
    enum mmu_access access = is_store ? MMU_WRITE : MMU_READ;
    uintptr_t addend = cpu->hook.tlb[cpu->is_user][access][linear >> PAGE_SHIFT];
    if (LIKELY(addend != 0)) {
        if (is_store)
            keep_line(ls, (uint8_t *)((addend + linear) & ~(uintptr_t)(LINE_BYTES - 1)));
        return;
    }
    uint64_t physical;
    if (!mmu_probe(&cpu->mmu, linear, &physical) || physical >> 32) {
        ls->impure = true;
        return;
    }
    struct phys_page page = physmem_page(cpu->mem, (uint32_t)physical);
    if (page.is_mmio || (!is_store && !page.read) || (is_store && !page.write))
        ls->impure = true;
    else if (is_store)
        keep_line(ls, page.write + (physical & (PAGE_SIZE - LINE_BYTES)));
}

static void observe(struct cpu *cpu, bool is_store, bool done, uint32_t linear, uint64_t value,
                    unsigned size)
{
    struct lockstep *ls = ((struct executor *)cpu->executor)->lockstep;
    if (done)
        return;
    see_byte(cpu, ls, is_store, linear);
    if (((linear ^ (linear + size - 1)) & ~(LINE_BYTES - 1)) != 0)
        see_byte(cpu, ls, is_store, linear + size - 1);
}

static void take_outcome(const struct cpu *cpu, bool faulted, bool fpu, struct outcome *out)
{
    out->faulted = faulted;
    out->raised = cpu->raised;
    memcpy(out->regs, cpu->regs, sizeof out->regs);
    out->eip = faulted ? 0 : cpu->eip;
    out->insn_eip = cpu->insn_eip;
    out->eflags = cpu_get_eflags(cpu);
    out->cr2 = cpu->cr2;
    out->instructions = cpu->instructions;
    out->shadow = cpu->interrupt_shadow;
    if (fpu)
        out->fpu = cpu->fpu;
}

static void save_start(struct lockstep *ls, const struct cpu *cpu)
{
    take_outcome(cpu, false, ls->fpu, &ls->start);
    ls->flags_result = cpu->flags_result;
    ls->flags_aux = cpu->flags_aux;
    ls->impure = ls->overflow = false;
    ls->count = 0;
}

static void restore_start(struct lockstep *ls, struct cpu *cpu)
{
    const struct outcome *start = &ls->start;
    memcpy(cpu->regs, start->regs, sizeof start->regs);
    cpu->eip = start->eip;
    cpu->insn_eip = start->insn_eip;
    cpu->eflags = (start->eflags & ~FLAGS_ARITH) | FLAG_FIXED;
    cpu->flags_result = ls->flags_result;
    cpu->flags_aux = ls->flags_aux;
    cpu->cr2 = start->cr2;
    cpu->instructions = start->instructions;
    cpu->interrupt_shadow = start->shadow;
    if (ls->expected.eflags & FLAG_TF) // by POPF
        cpu_update_mode(cpu);
    if (ls->fpu)
        cpu->fpu = start->fpu;
    for (unsigned i = 0; i < ls->count; i++) {
        struct touched_line *line = &ls->lines[i];
        memcpy(line->after, line->host, LINE_BYTES);
        memcpy(line->host, line->before, LINE_BYTES);
    }
}

static bool interpret(struct executor *ex, struct block *block, unsigned n)
{
    struct cpu *cpu = ex->cpu;
    sigjmp_buf *outer = cpu->jump;
    sigjmp_buf local;
    cpu->jump = &local;
    volatile bool faulted = false;
    if (sigsetjmp(local, 0) != 0) {
        faulted = true;
    } else {
        mem_observe_stores_begin(cpu, observe);
        executor_interpret(cpu, block, 0, n);
    }
    mem_observe_end(cpu);
    cpu->jump = outer;
    return faulted;
}

static bool run_code(struct executor *ex, struct block *block)
{
    struct cpu *cpu = ex->cpu;
    sigjmp_buf *outer = cpu->jump;
    sigjmp_buf local;
    cpu->jump = &local;
    volatile bool faulted = false;
    if (sigsetjmp(local, 0) != 0)
        faulted = true;
    else
        executor_run_code(ex, block);
    cpu->jump = outer;
    ex->link = NULL;
    return faulted;
}

static bool fpu_equal(const struct fpu_state *a, const struct fpu_state *b)
{
    bool equal = a->control == b->control && a->status == b->status && a->tags == b->tags &&
                 a->mxcsr == b->mxcsr && memcmp(a->xmm, b->xmm, sizeof a->xmm) == 0;
    for (unsigned i = 0; i < 8; i++)
        equal = equal && memcmp(a->st[i].bytes, b->st[i].bytes, 10) == 0;
    return equal;
}

// The flags an exception finds may be ones nobody was going to read.
static const char *difference(const struct lockstep *ls)
{
    const struct outcome *a = &ls->expected, *b = &ls->got;
    if (a->faulted != b->faulted)
        return "exception";
    if (a->faulted &&
        (a->raised.vector != b->raised.vector || a->raised.error_code != b->raised.error_code ||
         a->insn_eip != b->insn_eip || a->cr2 != b->cr2))
        return "exception";
    if (a->eip != b->eip)
        return "EIP";
    if (memcmp(a->regs, b->regs, sizeof a->regs) != 0)
        return "registers";
    if ((a->eflags ^ b->eflags) & (a->faulted ? ~FLAGS_ARITH : ~0u))
        return "flags";
    if (a->instructions != b->instructions)
        return "instruction count";
    if (a->shadow != b->shadow)
        return "interrupt shadow";
    if (ls->fpu && !fpu_equal(&a->fpu, &b->fpu))
        return "FPU";
    for (unsigned i = 0; i < ls->count; i++)
        if (memcmp(ls->lines[i].after, ls->lines[i].host, LINE_BYTES) != 0)
            return "memory";
    return NULL;
}

static void print_outcome(FILE *out, const char *name, const struct outcome *o)
{
    static const char *const names[8] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    fprintf(out, "%s: eip %08x eflags %08x instructions %llu", name, o->eip, o->eflags,
            (unsigned long long)o->instructions);
    if (o->faulted)
        fprintf(out, " exception %u error %x at %08x cr2 %08x", o->raised.vector,
                o->raised.error_code, o->insn_eip, o->cr2);
    for (unsigned i = 0; i < 8; i++)
        fprintf(out, "%s%s %08x", i % 4 ? " " : "\n  ", names[i], o->regs[i]);
    fprintf(out, "\n");
}

static void report(struct executor *ex, const struct block *block, const char *what)
{
    const struct lockstep *ls = ex->lockstep;
    FILE *out = ex->log->out;
    uint32_t mask = ex->log->mask;
    fprintf(out, "lockstep: %s differs after the block at %08x\n", what, block->linear);
    print_outcome(out, "before", &ls->start);
    print_outcome(out, "interpreted", &ls->expected);
    print_outcome(out, "translated", &ls->got);
    for (unsigned i = 0; i < ls->count; i++)
        for (unsigned n = 0; n < LINE_BYTES; n++)
            if (ls->lines[i].after[n] != ls->lines[i].host[n])
                fprintf(out, "memory line %u + %02x: interpreted %02x, translated %02x\n", i, n,
                        ls->lines[i].after[n], ls->lines[i].host[n]);
    ex->log->mask |= LOG_IN_ASM | LOG_OUT_ASM;
    executor_log_block(ex, block);
    executor_log_code(ex, block);
    ex->log->mask = mask;
    fflush(out);
}

static bool insn_is_once(const struct insn *insn)
{
    return insn->hooks || insn->row == OPCODE_RDTSC || insn->row == OPCODE_RDPMC ||
           insn->row == OPCODE_RDMSR ||
           (opcode_rows[insn->row].attributes & (ATTR_IO | ATTR_STOP)) ||
           (insn->prefixes & (INSN_REP | INSN_REPNE));
}

// Instructions from the start that may run twice.
static unsigned comparable(struct executor *ex, const struct block *block, bool *fpu)
{
    unsigned n = 0;
    *fpu = false;
    while (n < block->count && !insn_is_once(&block->insns[n])) {
        if (opcode_rows[block->insns[n].row].attributes & (ATTR_FPU | ATTR_MMX | ATTR_SSE))
            *fpu = true;
        n++;
    }
    ex->translator.mode = block->mode;
    if (n < block->count && !block->insns[n].hooks &&
        insn_is_native_stop(&ex->translator, &block->insns[n]))
        n++; // CLI, STI, POPF
    return n;
}

// After the passes: the last instruction, or the exception.
static void finish(struct executor *ex, struct block *block, unsigned n, bool faulted)
{
    struct cpu *cpu = ex->cpu;
    if (faulted)
        siglongjmp(*cpu->jump, 1);
    if (n < block->count && !block->dead)
        executor_interpret(cpu, block, n, block->count - n);
    ex->look = block->stop;
}

// Runs a block both ways. The CPU goes on from the translated outcome.
void lockstep_run(struct executor *ex, struct block *block)
{
    struct cpu *cpu = ex->cpu;
    struct lockstep *ls = ex->lockstep;
    unsigned n = comparable(ex, block, &ls->fpu);
    ex->look = block->stop;
    ex->translator.stop_at = n;
    if (n == 0 || !executor_translate(ex, block)) {
        if (!block->dead)
            executor_interpret(cpu, block, 0, block->count);
        return;
    }
    uint32_t kicked = atomic_exchange(&cpu->kicked, 0);
    save_start(ls, cpu);
    bool faulted = interpret(ex, block, n);
    take_outcome(cpu, faulted, ls->fpu, &ls->expected);
    if (!ls->impure && !ls->overflow && !block->dead) {
        restore_start(ls, cpu);
        faulted = run_code(ex, block);
        take_outcome(cpu, faulted, ls->fpu, &ls->got);
        if (faulted) // the frame gets those that nobody was going to read, too
            flags_set(cpu, ls->expected.eflags & FLAGS_ARITH);
        const char *what = difference(ls);
        ex->stats.compared++;
        if (UNLIKELY(what != NULL)) {
            ex->stats.differences++;
            report(ex, block, what);
            fprintf(ex->log->out, "lockstep: the run goes on interpreted\n");
            ex->accel = EXECUTOR_INTERP;
        }
    }
    atomic_fetch_or(&cpu->kicked, kicked);
    finish(ex, block, n, faulted);
}
