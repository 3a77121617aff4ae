// SPDX-License-Identifier: MIT
// The states of two machines after the same program.
#include "sequence.h"

#include "cpu/flags.h"

static bool same_segment(const struct segment *a, const struct segment *b)
{
    return a->base == b->base && a->limit == b->limit && a->attributes == b->attributes &&
           a->selector == b->selector;
}

// All but the instruction and operand pointers.
static bool same_fpu(const struct fpu_state *a, const struct fpu_state *b)
{
    if (a->control != b->control || a->status != b->status || a->tags != b->tags ||
        a->mxcsr != b->mxcsr || memcmp(a->xmm, b->xmm, sizeof a->xmm) != 0)
        return false;
    for (unsigned i = 0; i < 8; i++)
        if (memcmp(a->st[i].bytes, b->st[i].bytes, 10) != 0)
            return false;
    return true;
}

// In a double fault's task, in a shutdown or anywhere in the kernel: frames that were begun, and
// have not been treated by the kernel, hold flags nobody was going to read.
static bool ended_early(const struct cpu *cpu)
{
    return cpu->activity != CPU_HALTED || cpu->tr.selector == SEL_TSS_DF;
}

// Does a difference at ram[at] lie in arithmetic flags of an EFLAGS image?
static bool is_flags_image(const uint8_t *a, const uint8_t *b, uint32_t at)
{
    for (uint32_t from = at > 0 ? at - 1 : at; from <= at; from++) {
        uint32_t x = load_le32(a + from), y = load_le32(b + from);
        if (((x ^ y) & ~FLAGS_ARITH) == 0 && (x & 0xffc0802au) == 2)
            return true;
    }
    return false;
}

// A stack in a device's registers: the kernel does not find its frames again.
static bool may_lose_frames(const struct program *p)
{
    for (unsigned i = 0; i < DATA_PAGES; i++)
        if (p->cpl == 0 && p->pages[i] == PAGE_MMIO)
            return true;
    return false;
}

// The instruction and operand pointers in an FPU image that was made just before the end.
static bool is_fpu_pointer(uint32_t at)
{
    const uint32_t image = FRAME_SCRATCH * PAGE_SIZE + (SCRATCH_IMAGE - SCRATCH);
    return (at >= image + 12 && at < image + 28) || (at >= image + 0x206 && at < image + 0x218);
}

// The window may read an entry of the page tables, and set its accessed bit, before the guest uses
// it; the dirty bit is set by stores only.
static bool is_early_accessed(const struct program *p, uint32_t at, uint8_t interpreted,
                              uint8_t translated)
{
    uint32_t frame = at / PAGE_SIZE;
    return p->window && frame >= FRAME_DIR_A && frame <= FRAME_TABLE_K && at % 4 == 0 &&
           translated == (interpreted | 0x20);
}

// What is excused is made equal, so that it does not count again after the next round.
static bool same_memory(struct machine *a, struct machine *b, const struct program *p)
{
    const uint8_t *x = machine_ram(a);
    uint8_t *y = machine_ram(b);
    if (memcmp(x, y, FRAMES * PAGE_SIZE) == 0)
        return true;
    bool ended = ended_early(machine_cpu(a)) || may_lose_frames(p);
    for (uint32_t i = 0; i < FRAMES * PAGE_SIZE; i++) {
        if (x[i] == y[i])
            continue;
        bool kernel_stack = p->cpl == 3 && i / PAGE_SIZE == FRAME_STACK0;
        if (!is_fpu_pointer(i) && !is_early_accessed(p, i, x[i], y[i]) &&
            (!(ended || kernel_stack) || !is_flags_image(x, y, i)))
            return false;
        y[i] = x[i];
    }
    return true;
}

const char *machine_difference(struct machine *a, struct machine *b, const struct program *p)
{
    const struct cpu *x = machine_cpu(a), *y = machine_cpu(b);
    if (x->activity != y->activity)
        return "activity";
    if (x->eip != y->eip)
        return "EIP";
    if (memcmp(x->regs, y->regs, 8 * sizeof x->regs[0]) != 0)
        return "registers";
    if (x->instructions != y->instructions)
        return "instruction count";
    // RF is kept exact only while breakpoints are armed.
    uint32_t compared = x->debug_armed ? ~0u : ~FLAG_RF;
    if (ended_early(x))
        compared = ~FLAGS_ARITH;
    if ((cpu_get_eflags(x) ^ cpu_get_eflags(y)) & compared)
        return "flags";
    for (unsigned i = 0; i < SEG_COUNT; i++)
        if (!same_segment(&x->segs[i], &y->segs[i]))
            return "segments";
    if (x->cr0 != y->cr0 || x->cr2 != y->cr2 || x->cr3 != y->cr3 || x->cr4 != y->cr4 ||
        x->cpl != y->cpl || memcmp(x->dr, y->dr, sizeof x->dr) != 0 ||
        !same_segment(&x->tr, &y->tr) || x->sysenter_eip != y->sysenter_eip)
        return "control registers";
    if (x->intr != y->intr || x->nmi_pending != y->nmi_pending ||
        x->nmi_blocked != y->nmi_blocked || x->interrupt_shadow != y->interrupt_shadow)
        return "interrupt state";
    if (!same_fpu(&x->fpu, &y->fpu))
        return "FPU";
    if (machine_device_hash(a) != machine_device_hash(b))
        return "device accesses";
    return same_memory(a, b, p) ? NULL : "memory";
}

static void describe_fpu(const struct fpu_state *a, const struct fpu_state *b, FILE *out)
{
    if (same_fpu(a, b))
        return;
    fprintf(out, "control %04x %04x status %04x %04x tags %02x %02x mxcsr %04x %04x\n", a->control,
            b->control, a->status, b->status, a->tags, b->tags, a->mxcsr, b->mxcsr);
    for (unsigned i = 0; i < 8; i++) {
        const uint8_t *s = a->st[i].bytes, *t = b->st[i].bytes;
        if (memcmp(s, t, 10) != 0)
            fprintf(out, "st(%u): %04x%016llx %04x%016llx\n", i, load_le16(s + 8),
                    (unsigned long long)load_le64(s), load_le16(t + 8),
                    (unsigned long long)load_le64(t));
        if (memcmp(a->xmm[i], b->xmm[i], 16) != 0)
            fprintf(out, "xmm%u: %016llx%016llx %016llx%016llx\n", i,
                    (unsigned long long)load_le64(a->xmm[i] + 8),
                    (unsigned long long)load_le64(a->xmm[i]),
                    (unsigned long long)load_le64(b->xmm[i] + 8),
                    (unsigned long long)load_le64(b->xmm[i]));
    }
}

static void describe_cpu(const char *name, const struct cpu *cpu, FILE *out)
{
    static const char *const names[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    fprintf(out, "%s: eip %04x:%08x eflags %08x instructions %llu activity %d cr0 %08x cr2 %08x\n ",
            name, cpu->segs[SEG_CS].selector, cpu->eip, cpu_get_eflags(cpu),
            (unsigned long long)cpu->instructions, cpu->activity, cpu->cr0, cpu->cr2);
    for (unsigned i = 0; i < 8; i++)
        fprintf(out, " %s %08x", names[i], cpu->regs[i]);
    fprintf(out, "\n");
}

void machine_describe(struct machine *a, struct machine *b, FILE *out)
{
    describe_cpu("interpreted", machine_cpu(a), out);
    describe_cpu("translated ", machine_cpu(b), out);
    describe_fpu(&machine_cpu(a)->fpu, &machine_cpu(b)->fpu, out);
    const uint8_t *x = machine_ram(a), *y = machine_ram(b);
    unsigned shown = 0;
    for (uint32_t i = 0; i < FRAMES * PAGE_SIZE && shown < 24; i++)
        if (x[i] != y[i] && ++shown)
            fprintf(out, "memory %05x: %02x %02x\n", i, x[i], y[i]);
}
