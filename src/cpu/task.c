// SPDX-License-Identifier: MIT
// Hardware task switches through 16- and 32-bit TSSs. Intel SDM vol. 3, chapter 7.
#include "cpu/control.h"
#include "cpu/exception.h"
#include "cpu/flags.h"

// Offsets in a 32-bit TSS.
enum {
    TSS32_LINK = 0,
    TSS32_CR3 = 0x1c,
    TSS32_EIP = 0x20,
    TSS32_EFLAGS = 0x24,
    TSS32_REGS = 0x28,
    TSS32_SEGS = 0x48,
    TSS32_LDT = 0x60,
    TSS32_TRAP = 0x64,
    TSS32_LIMIT = 0x67,
};
// Offsets in a 16-bit TSS.
enum {
    TSS16_IP = 0x0e,
    TSS16_FLAGS = 0x10,
    TSS16_REGS = 0x12,
    TSS16_SEGS = 0x22,
    TSS16_LDT = 0x2a,
    TSS16_LIMIT = 0x2b,
};

#define TASK_EFLAGS_MASK                                                                           \
    (FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_RF | FLAG_VM |         \
     FLAG_AC | FLAG_VIF | FLAG_VIP | FLAG_ID)

// The order of segment registers in a TSS is that of enum segment_index.
struct task_state {
    uint32_t cr3, eip, eflags;
    uint32_t regs[8];
    uint16_t segs[SEG_COUNT];
    uint16_t ldt;
    bool trap;
};

static bool type_is_32(unsigned type)
{
    return (type & 8) != 0;
}

static void load_tss32(struct cpu *cpu, uint32_t base, struct task_state *state)
{
    state->cr3 = (uint32_t)mem_read_system(cpu, base + TSS32_CR3, 4);
    state->eip = (uint32_t)mem_read_system(cpu, base + TSS32_EIP, 4);
    state->eflags = (uint32_t)mem_read_system(cpu, base + TSS32_EFLAGS, 4);
    for (unsigned i = 0; i < 8; i++)
        state->regs[i] = (uint32_t)mem_read_system(cpu, base + TSS32_REGS + 4 * i, 4);
    for (unsigned i = 0; i < SEG_COUNT; i++)
        state->segs[i] = (uint16_t)mem_read_system(cpu, base + TSS32_SEGS + 4 * i, 2);
    state->ldt = (uint16_t)mem_read_system(cpu, base + TSS32_LDT, 2);
    state->trap = mem_read_system(cpu, base + TSS32_TRAP, 2) & 1;
}

static void load_tss16(struct cpu *cpu, uint32_t base, struct task_state *state)
{
    *state = (struct task_state){.cr3 = cpu->cr3};
    state->eip = (uint32_t)mem_read_system(cpu, base + TSS16_IP, 2);
    state->eflags = (uint32_t)mem_read_system(cpu, base + TSS16_FLAGS, 2);
    // The upper halves of the registers are undefined: ones, as the 386 left them.
    for (unsigned i = 0; i < 8; i++)
        state->regs[i] = 0xffff0000u | (uint32_t)mem_read_system(cpu, base + TSS16_REGS + 2 * i, 2);
    for (unsigned i = 0; i <= SEG_DS; i++)
        state->segs[i] = (uint16_t)mem_read_system(cpu, base + TSS16_SEGS + 2 * i, 2);
    state->ldt = (uint16_t)mem_read_system(cpu, base + TSS16_LDT, 2);
}

static void save_tss32(struct cpu *cpu, uint32_t base, uint32_t eflags)
{
    mem_write_system(cpu, base + TSS32_EIP, cpu->eip, 4);
    mem_write_system(cpu, base + TSS32_EFLAGS, eflags, 4);
    for (unsigned i = 0; i < 8; i++)
        mem_write_system(cpu, base + TSS32_REGS + 4 * i, cpu->regs[i], 4);
    for (unsigned i = 0; i < SEG_COUNT; i++)
        mem_write_system(cpu, base + TSS32_SEGS + 4 * i, cpu->segs[i].selector, 2);
}

static void save_tss16(struct cpu *cpu, uint32_t base, uint32_t eflags)
{
    mem_write_system(cpu, base + TSS16_IP, cpu->eip, 2);
    mem_write_system(cpu, base + TSS16_FLAGS, eflags, 2);
    for (unsigned i = 0; i < 8; i++)
        mem_write_system(cpu, base + TSS16_REGS + 2 * i, cpu->regs[i], 2);
    for (unsigned i = 0; i <= SEG_DS; i++)
        mem_write_system(cpu, base + TSS16_SEGS + 2 * i, cpu->segs[i].selector, 2);
}

static void load_ldt(struct cpu *cpu, uint16_t selector)
{
    struct descriptor desc;
    if (selector_is_null(selector))
        return;
    if (selector & 4)
        segment_fault(cpu, EXC_TS, selector);
    descriptor_require(cpu, selector, EXC_TS, &desc);
    if ((desc.high & DESC_S) || descriptor_type(&desc) != DESC_LDT || !descriptor_is_present(&desc))
        segment_fault(cpu, EXC_TS, selector);
    segment_from_descriptor(&cpu->ldtr, selector, &desc);
}

// True when the selector names a code segment whose privilege does not fit.
static bool code_privilege_is_bad(const struct descriptor *desc, uint16_t selector)
{
    unsigned rpl = selector & 3u;
    unsigned dpl = descriptor_dpl(desc);
    return descriptor_is_conforming_code(desc) ? dpl > rpl : dpl != rpl;
}

static void check_stack(struct cpu *cpu, uint16_t selector, struct descriptor *desc)
{
    if (selector_is_null(selector))
        segment_fault(cpu, EXC_TS, selector);
    descriptor_require(cpu, selector, EXC_TS, desc);
    if (!descriptor_is_writable_data(desc))
        segment_fault(cpu, EXC_TS, selector);
    if (!descriptor_is_present(desc))
        segment_fault(cpu, EXC_SS, selector);
    if (descriptor_dpl(desc) != cpu->cpl)
        segment_fault(cpu, EXC_TS, selector);
}

// CS and SS, in the order of the P6 (SDM vol. 3, table 7-1).
static void load_code_and_stack(struct cpu *cpu, uint16_t cs, uint16_t ss, uint32_t eip)
{
    struct descriptor code = {0};
    struct descriptor stack;
    bool found =
        !selector_is_null(cs) && descriptor_fetch(cpu, cs, &code) && descriptor_is_code(&code);
    if (found && code_privilege_is_bad(&code, cs))
        segment_fault(cpu, EXC_TS, cs);
    check_stack(cpu, ss, &stack);
    if (!found)
        segment_fault(cpu, EXC_TS, cs);
    if (!descriptor_is_present(&code))
        segment_fault(cpu, EXC_NP, cs);
    if ((ss & 3u) != cpu->cpl)
        segment_fault(cpu, EXC_TS, ss);
    segment_load_code(cpu, cs, &code, cs & 3u, eip);
    descriptor_set_accessed(cpu, &stack);
    segment_from_descriptor(&cpu->segs[SEG_SS], ss, &stack);
    segment_update_rights(cpu, SEG_SS);
}

static void load_data(struct cpu *cpu, enum segment_index index, uint16_t selector)
{
    struct descriptor desc;
    if (selector_is_null(selector))
        return;
    descriptor_require(cpu, selector, EXC_TS, &desc);
    unsigned dpl = descriptor_dpl(&desc);
    unsigned rpl = selector & 3u;
    if (!descriptor_is_readable(&desc) ||
        (!descriptor_is_conforming_code(&desc) && (rpl > dpl || cpu->cpl > dpl)))
        segment_fault(cpu, EXC_TS, selector);
    if (!descriptor_is_present(&desc))
        segment_fault(cpu, EXC_NP, selector);
    descriptor_set_accessed(cpu, &desc);
    segment_from_descriptor(&cpu->segs[index], selector, &desc);
    segment_update_rights(cpu, index);
}

// The part after the commit point: faults belong to the new task.
static void load_segments(struct cpu *cpu, const struct task_state *state)
{
    static const enum segment_index data[4] = {SEG_DS, SEG_ES, SEG_FS, SEG_GS};
    load_ldt(cpu, state->ldt);
    if (cpu_is_v86(cpu)) {
        for (unsigned i = 0; i < SEG_COUNT; i++)
            segment_set_real(cpu, (enum segment_index)i, state->segs[i], true);
    } else {
        load_code_and_stack(cpu, state->segs[SEG_CS], state->segs[SEG_SS], state->eip);
        for (unsigned i = 0; i < ARRAY_SIZE(data); i++)
            load_data(cpu, data[i], state->segs[data[i]]);
    }
}

static void load_registers(struct cpu *cpu, const struct task_state *state)
{
    memcpy(cpu->regs, state->regs, sizeof state->regs);
    cpu->eip = cpu->insn_eip = state->eip;
    bool v86 = (state->eflags & FLAG_VM) != 0;
    cpu->cpl = v86 ? 3 : (uint8_t)(state->segs[SEG_CS] & 3);
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        cpu->segs[i].selector = state->segs[i];
        cpu->segs[i].attributes &= ~DESC_P;
    }
    cpu->ldtr.selector = state->ldt;
    cpu->ldtr.attributes &= ~DESC_P;
    cpu->cr0 |= CR0_TS;
    cpu->dr[7] &= ~0x155u; // L0-L3 and LE belong to the old task
    cpu_set_eflags(cpu, (state->eflags & TASK_EFLAGS_MASK) | FLAG_FIXED);
    cpu->keep_rf = true;
    cpu_update_mode(cpu);
}

// Everything that the switch will write must be writable before it starts.
static void probe_writes(struct cpu *cpu, const struct descriptor *desc, enum task_source source)
{
    bool old32 = tss_is_32(&cpu->tr);
    uint32_t first = old32 ? TSS32_EIP : TSS16_IP;
    uint32_t end = old32 ? TSS32_LDT : TSS16_LDT;
    mem_probe_write(cpu, cpu->tr.base + first, end - first, false);
    mem_probe_write(cpu, desc->address + 4, 4, false);
    if (source == TASK_CALL || source == TASK_INT)
        mem_probe_write(cpu, descriptor_base(desc), 2, false);
    if (source == TASK_JUMP || source == TASK_IRET)
        mem_probe_write(cpu, cpu->gdtr.base + (cpu->tr.selector & 0xfff8u) + 4, 4, false);
}

static void clear_old_busy(struct cpu *cpu)
{
    uint32_t address = cpu->gdtr.base + (cpu->tr.selector & 0xfff8u) + 4;
    uint32_t high = (uint32_t)mem_read_system(cpu, address, 4);
    mem_write_system(cpu, address, high & ~DESC_TSS_BUSY, 4);
}

void task_switch(struct cpu *cpu, uint16_t selector, struct descriptor *desc,
                 enum task_source source, uint32_t eflags)
{
    bool new32 = type_is_32(descriptor_type(desc));
    uint32_t base = descriptor_base(desc);
    if (descriptor_limit(desc) < (new32 ? TSS32_LIMIT : TSS16_LIMIT))
        segment_fault(cpu, EXC_TS, selector);
    struct task_state state;
    if (new32)
        load_tss32(cpu, base, &state);
    else
        load_tss16(cpu, base, &state);
    probe_writes(cpu, desc, source);

    if (source == TASK_IRET)
        eflags &= ~FLAG_NT;
    if (tss_is_32(&cpu->tr))
        save_tss32(cpu, cpu->tr.base, eflags);
    else
        save_tss16(cpu, cpu->tr.base, eflags);
    if (source == TASK_JUMP || source == TASK_IRET)
        clear_old_busy(cpu);
    if (source == TASK_CALL || source == TASK_INT) {
        mem_write_system(cpu, base + TSS32_LINK, cpu->tr.selector, 2);
        state.eflags |= FLAG_NT;
    }
    if (source != TASK_IRET)
        descriptor_set_busy(cpu, desc, true);

    segment_from_descriptor(&cpu->tr, selector, desc);
    if (new32 && (cpu->cr0 & CR0_PG))
        cpu_write_cr3(cpu, state.cr3);
    load_registers(cpu, &state);
    load_segments(cpu, &state);
    if (source != TASK_INT) // delivery pushes the error code first
        segment_check_eip(cpu, cpu->segs[SEG_CS].limit, cpu->eip);
    if (state.trap)
        cpu->pending_debug |= DR6_BT;
    cpu_kick(cpu);
}

void task_require_available(struct cpu *cpu, uint16_t selector, struct descriptor *desc)
{
    if (selector & 4)
        segment_fault(cpu, EXC_GP, selector);
    descriptor_require(cpu, selector, EXC_GP, desc);
    unsigned type = descriptor_type(desc);
    if ((desc->high & DESC_S) || (type != DESC_TSS16 && type != DESC_TSS32))
        segment_fault(cpu, EXC_GP, selector);
    if (!descriptor_is_present(desc))
        segment_fault(cpu, EXC_NP, selector);
}

void task_return(struct cpu *cpu)
{
    uint16_t link = (uint16_t)mem_read_system(cpu, cpu->tr.base + TSS32_LINK, 2);
    struct descriptor desc;
    if (link & 4)
        segment_fault(cpu, EXC_TS, link);
    descriptor_require(cpu, link, EXC_TS, &desc);
    unsigned type = descriptor_type(&desc);
    if ((desc.high & DESC_S) || (type != DESC_TSS16_BUSY && type != DESC_TSS32_BUSY))
        segment_fault(cpu, EXC_TS, link);
    if (!descriptor_is_present(&desc))
        segment_fault(cpu, EXC_NP, link);
    uint32_t eflags = cpu_get_eflags(cpu) & ~FLAG_RF;
    task_switch(cpu, link, &desc, TASK_IRET, eflags);
}
