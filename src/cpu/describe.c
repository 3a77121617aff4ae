// SPDX-License-Identifier: MIT
// `info registers`.
#include "cpu/cpu.h"

static const char *segment_kind(const struct cpu *cpu, const struct segment *segment)
{
    if (!cpu_is_protected(cpu) || cpu_is_v86(cpu))
        return "real";
    if (!(segment->attributes & DESC_P))
        return "null";
    bool write = (segment->attributes & 0x200) != 0;
    if (segment->attributes & 0x800)
        return segment->attributes & DESC_DB ? "CS32" : "CS16";
    return write ? "DS [RW]" : "DS [R-]";
}

static void describe_segment(const struct cpu *cpu, const char *name, const struct segment *segment,
                             const char *kind, FILE *out)
{
    fprintf(out, "%-3s=%04x %08x %08x %08x DPL=%u %s\n", name, segment->selector, segment->base,
            segment->limit, segment->attributes, segment->attributes >> 13 & 3, kind);
}

static void describe_general(const struct cpu *cpu, FILE *out)
{
    const uint32_t *r = cpu->regs;
    uint32_t eflags = cpu_get_eflags(cpu);
    fprintf(out, "EAX=%08x EBX=%08x ECX=%08x EDX=%08x\n", r[REG_EAX], r[REG_EBX], r[REG_ECX],
            r[REG_EDX]);
    fprintf(out, "ESI=%08x EDI=%08x EBP=%08x ESP=%08x\n", r[REG_ESI], r[REG_EDI], r[REG_EBP],
            r[REG_ESP]);
    fprintf(
        out, "EIP=%08x EFL=%08x [%c%c%c%c%c%c%c] CPL=%u A20=%d HLT=%d\n", cpu->eip, eflags,
        eflags & FLAG_DF ? 'D' : '-', eflags & FLAG_OF ? 'O' : '-', eflags & FLAG_SF ? 'S' : '-',
        eflags & FLAG_ZF ? 'Z' : '-', eflags & FLAG_AF ? 'A' : '-', eflags & FLAG_PF ? 'P' : '-',
        eflags & FLAG_CF ? 'C' : '-', cpu->cpl, physmem_a20(cpu->mem), cpu->activity == CPU_HALTED);
}

void cpu_describe(const struct cpu *cpu, FILE *out)
{
    static const char *const names[SEG_COUNT] = {"ES", "CS", "SS", "DS", "FS", "GS"};
    describe_general(cpu, out);
    for (unsigned i = 0; i < SEG_COUNT; i++)
        describe_segment(cpu, names[i], &cpu->segs[i], segment_kind(cpu, &cpu->segs[i]), out);
    describe_segment(cpu, "LDT", &cpu->ldtr, cpu->ldtr.attributes & DESC_P ? "LDT" : "null", out);
    describe_segment(cpu, "TR", &cpu->tr, cpu->tr.attributes & 0x800 ? "TSS32" : "TSS16", out);
    fprintf(out, "GDT=     %08x %08x\n", cpu->gdtr.base, cpu->gdtr.limit);
    fprintf(out, "IDT=     %08x %08x\n", cpu->idtr.base, cpu->idtr.limit);
    fprintf(out, "CR0=%08x CR2=%08x CR3=%08x CR4=%08x\n", cpu->cr0, cpu->cr2, cpu->cr3, cpu->cr4);
    fprintf(out, "DR0=%08x DR1=%08x DR2=%08x DR3=%08x DR6=%08x DR7=%08x\n", cpu->dr[0], cpu->dr[1],
            cpu->dr[2], cpu->dr[3], cpu->dr[6], cpu->dr[7]);
    fprintf(out, "EFER=%016llx\n", (unsigned long long)cpu->efer);
    const struct fpu_state *fpu = &cpu->fpu;
    fprintf(out, "FCW=%04x FSW=%04x [ST=%u] FTW=%02x MXCSR=%08x\n", fpu->control, fpu->status,
            fpu->status >> 11 & 7, fpu->tags, fpu->mxcsr);
    for (unsigned i = 0; i < 8; i++)
        fprintf(out, "ST%u=%04x %016llx%s", i, load_le16(fpu->st[i].bytes + 8),
                (unsigned long long)load_le64(fpu->st[i].bytes), i & 1 ? "\n" : "  ");
    for (unsigned i = 0; i < 8; i++)
        fprintf(out, "XMM%u=%016llx%016llx%s", i, (unsigned long long)load_le64(fpu->xmm[i] + 8),
                (unsigned long long)load_le64(fpu->xmm[i]), i & 1 ? "\n" : "  ");
}
