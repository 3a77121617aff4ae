// SPDX-License-Identifier: MIT
// Instructions on segment registers and descriptors: MOV, PUSH and POP of segment registers, LDS
// and its kin, LAR, LSL, VERR, VERW, ARPL, LLDT, LTR, LGDT, LIDT and what stores them. Intel SDM
// vol. 2.
#include "cpu/segments.h"

#include "cpu/interp.h"

static void require_protected(struct cpu *cpu)
{
    if (!cpu_is_protected(cpu) || cpu_is_v86(cpu))
        cpu_raise(cpu, EXC_UD);
}

static void require_cpl0(struct cpu *cpu)
{
    if (cpu->cpl != 0)
        cpu_raise_error(cpu, EXC_GP, 0);
}

// Loads of SS hold interrupts and debug traps back for one instruction.
static void load_register(struct cpu *cpu, enum segment_index index, uint16_t selector)
{
    segment_load(cpu, index, selector);
    if (index == SEG_SS)
        cpu->interrupt_shadow = cpu->debug_shadow = true;
}

static void push_segment(struct cpu *cpu, const struct insn *insn, enum segment_index index)
{
    stack_push(cpu, cpu->segs[index].selector, insn->operand_size);
}

static void pop_segment(struct cpu *cpu, const struct insn *insn, enum segment_index index)
{
    unsigned size = insn->operand_size;
    uint16_t selector = (uint16_t)stack_top(cpu, size);
    // The increment wraps as the old stack segment says, also for POP SS.
    uint32_t esp = stack_moved(cpu, cpu->regs[REG_ESP], size);
    load_register(cpu, index, selector);
    cpu->regs[REG_ESP] = esp;
}

void op_push_es(struct cpu *cpu, const struct insn *insn)
{
    push_segment(cpu, insn, SEG_ES);
}

void op_push_cs(struct cpu *cpu, const struct insn *insn)
{
    push_segment(cpu, insn, SEG_CS);
}

void op_push_ss(struct cpu *cpu, const struct insn *insn)
{
    push_segment(cpu, insn, SEG_SS);
}

void op_push_ds(struct cpu *cpu, const struct insn *insn)
{
    push_segment(cpu, insn, SEG_DS);
}

void op_push_fs(struct cpu *cpu, const struct insn *insn)
{
    push_segment(cpu, insn, SEG_FS);
}

void op_push_gs(struct cpu *cpu, const struct insn *insn)
{
    push_segment(cpu, insn, SEG_GS);
}

void op_pop_es(struct cpu *cpu, const struct insn *insn)
{
    pop_segment(cpu, insn, SEG_ES);
}

void op_pop_ss(struct cpu *cpu, const struct insn *insn)
{
    pop_segment(cpu, insn, SEG_SS);
}

void op_pop_ds(struct cpu *cpu, const struct insn *insn)
{
    pop_segment(cpu, insn, SEG_DS);
}

void op_pop_fs(struct cpu *cpu, const struct insn *insn)
{
    pop_segment(cpu, insn, SEG_FS);
}

void op_pop_gs(struct cpu *cpu, const struct insn *insn)
{
    pop_segment(cpu, insn, SEG_GS);
}

// RMw: a register takes the operand size, zero-extended; memory takes 16 bits.
static void write_word(struct cpu *cpu, const struct insn *insn, uint32_t value)
{
    if (insn->is_memory)
        operand_write(cpu, insn, value, 2, true);
    else
        reg_set(cpu, insn->rm, value, insn->operand_size);
}

static uint16_t read_word(struct cpu *cpu, const struct insn *insn)
{
    return (uint16_t)operand_read(cpu, insn, 2, insn->is_memory);
}

void op_mov_RM_S(struct cpu *cpu, const struct insn *insn)
{
    if (insn->reg >= SEG_COUNT)
        cpu_raise(cpu, EXC_UD);
    write_word(cpu, insn, cpu->segs[insn->reg].selector);
}

void op_mov_S_E(struct cpu *cpu, const struct insn *insn)
{
    if (insn->reg >= SEG_COUNT || insn->reg == SEG_CS)
        cpu_raise(cpu, EXC_UD);
    load_register(cpu, (enum segment_index)insn->reg, read_word(cpu, insn));
}

// LDS, LES, LFS, LGS, LSS: the general register changes after the segment register was accepted.
static void load_far_pointer(struct cpu *cpu, const struct insn *insn, enum segment_index index)
{
    enum segment_index segment = (enum segment_index)insn->segment;
    uint32_t address = insn_address(cpu, insn);
    unsigned size = insn->operand_size;
    uint32_t mask = insn->address_size == 4 ? 0xffffffffu : 0xffffu;
    uint32_t offset = (uint32_t)(size == 4 ? mem_read(cpu, segment, address, 4)
                                           : mem_read(cpu, segment, address, 2));
    uint16_t selector = (uint16_t)mem_read(cpu, segment, (address + size) & mask, 2);
    segment_load(cpu, index, selector);
    reg_set(cpu, insn->reg, offset, size);
}

void op_les(struct cpu *cpu, const struct insn *insn)
{
    load_far_pointer(cpu, insn, SEG_ES);
}

void op_lds(struct cpu *cpu, const struct insn *insn)
{
    load_far_pointer(cpu, insn, SEG_DS);
}

void op_lss(struct cpu *cpu, const struct insn *insn)
{
    load_far_pointer(cpu, insn, SEG_SS);
}

void op_lfs(struct cpu *cpu, const struct insn *insn)
{
    load_far_pointer(cpu, insn, SEG_FS);
}

void op_lgs(struct cpu *cpu, const struct insn *insn)
{
    load_far_pointer(cpu, insn, SEG_GS);
}

static void set_zf(struct cpu *cpu, bool zf)
{
    uint32_t flags = flags_get(cpu) & ~FLAG_ZF;
    flags_set(cpu, zf ? flags | FLAG_ZF : flags);
}

void op_arpl(struct cpu *cpu, const struct insn *insn)
{
    require_protected(cpu);
    uint32_t value = operand_read(cpu, insn, 2, insn->is_memory);
    uint32_t rpl = cpu->regs[insn->reg] & 3;
    bool lower = (value & 3) < rpl;
    if (lower) // otherwise the operand need not even be writable
        operand_write(cpu, insn, (value & ~3u) | rpl, 2, insn->is_memory);
    set_zf(cpu, lower);
}

// The descriptor that LAR, LSL, VERR and VERW look at; false when the current privilege may not see
// it. system_types: types of system descriptors that are accepted.
static bool inspect(struct cpu *cpu, uint16_t selector, uint32_t system_types,
                    struct descriptor *desc)
{
    if (selector_is_null(selector) || !descriptor_fetch(cpu, selector, desc))
        return false;
    if (!(desc->high & DESC_S) && !(system_types >> descriptor_type(desc) & 1))
        return false;
    unsigned dpl = descriptor_dpl(desc);
    return descriptor_is_conforming_code(desc) || (cpu->cpl <= dpl && (selector & 3u) <= dpl);
}

#define TYPE(t)   (1u << DESC_##t)
#define LSL_TYPES (TYPE(TSS16) | TYPE(LDT) | TYPE(TSS16_BUSY) | TYPE(TSS32) | TYPE(TSS32_BUSY))
#define LAR_TYPES (LSL_TYPES | TYPE(CALL_GATE16) | TYPE(TASK_GATE) | TYPE(CALL_GATE32))

void op_lar(struct cpu *cpu, const struct insn *insn)
{
    require_protected(cpu);
    struct descriptor desc;
    bool visible = inspect(cpu, read_word(cpu, insn), LAR_TYPES, &desc);
    if (visible)
        reg_set(cpu, insn->reg, desc.high & 0x00f0ff00u, insn->operand_size);
    set_zf(cpu, visible);
}

void op_lsl(struct cpu *cpu, const struct insn *insn)
{
    require_protected(cpu);
    struct descriptor desc;
    bool visible = inspect(cpu, read_word(cpu, insn), LSL_TYPES, &desc);
    if (visible)
        reg_set(cpu, insn->reg, descriptor_limit(&desc), insn->operand_size);
    set_zf(cpu, visible);
}

void op_verr(struct cpu *cpu, const struct insn *insn)
{
    require_protected(cpu);
    struct descriptor desc;
    set_zf(cpu, inspect(cpu, read_word(cpu, insn), 0, &desc) && descriptor_is_readable(&desc));
}

void op_verw(struct cpu *cpu, const struct insn *insn)
{
    require_protected(cpu);
    struct descriptor desc;
    set_zf(cpu, inspect(cpu, read_word(cpu, insn), 0, &desc) && descriptor_is_writable_data(&desc));
}

void op_sldt(struct cpu *cpu, const struct insn *insn)
{
    require_protected(cpu);
    write_word(cpu, insn, cpu->ldtr.selector);
}

void op_str(struct cpu *cpu, const struct insn *insn)
{
    require_protected(cpu);
    write_word(cpu, insn, cpu->tr.selector);
}

static void fetch_system(struct cpu *cpu, uint16_t selector, struct descriptor *desc)
{
    if (selector & 4)
        segment_fault(cpu, EXC_GP, selector);
    descriptor_require(cpu, selector, EXC_GP, desc);
    if (desc->high & DESC_S)
        segment_fault(cpu, EXC_GP, selector);
}

void op_lldt(struct cpu *cpu, const struct insn *insn)
{
    require_protected(cpu);
    require_cpl0(cpu);
    uint16_t selector = read_word(cpu, insn);
    if (selector_is_null(selector)) {
        cpu->ldtr.selector = selector;
        cpu->ldtr.attributes &= ~DESC_P;
        return;
    }
    struct descriptor desc;
    fetch_system(cpu, selector, &desc);
    if (descriptor_type(&desc) != DESC_LDT)
        segment_fault(cpu, EXC_GP, selector);
    if (!descriptor_is_present(&desc))
        segment_fault(cpu, EXC_NP, selector);
    segment_from_descriptor(&cpu->ldtr, selector, &desc);
}

void op_ltr(struct cpu *cpu, const struct insn *insn)
{
    require_protected(cpu);
    require_cpl0(cpu);
    uint16_t selector = read_word(cpu, insn);
    if (selector_is_null(selector))
        segment_fault(cpu, EXC_GP, 0);
    struct descriptor desc;
    fetch_system(cpu, selector, &desc);
    if (descriptor_type(&desc) != DESC_TSS16 && descriptor_type(&desc) != DESC_TSS32)
        segment_fault(cpu, EXC_GP, selector);
    if (!descriptor_is_present(&desc))
        segment_fault(cpu, EXC_NP, selector);
    descriptor_set_busy(cpu, &desc, true);
    segment_from_descriptor(&cpu->tr, selector, &desc);
}

// All 32 bits of the base are stored whatever the operand size.
static void store_table(struct cpu *cpu, const struct insn *insn,
                        const struct descriptor_table *table)
{
    enum segment_index segment = (enum segment_index)insn->segment;
    uint32_t address = insn_address(cpu, insn);
    uint32_t mask = insn->address_size == 4 ? 0xffffffffu : 0xffffu;
    uint32_t base_at = mem_linear_write(cpu, segment, (address + 2) & mask, 4);
    mem_probe_write(cpu, base_at, 4, cpu->is_user);
    mem_write(cpu, segment, address, table->limit, 2);
    mem_write(cpu, segment, (address + 2) & mask, table->base, 4);
}

static void load_table(struct cpu *cpu, const struct insn *insn, struct descriptor_table *table)
{
    require_cpl0(cpu);
    enum segment_index segment = (enum segment_index)insn->segment;
    uint32_t address = insn_address(cpu, insn);
    uint32_t mask = insn->address_size == 4 ? 0xffffffffu : 0xffffu;
    uint16_t limit = (uint16_t)mem_read(cpu, segment, address, 2);
    uint32_t base = (uint32_t)mem_read(cpu, segment, (address + 2) & mask, 4);
    table->limit = limit;
    table->base = insn->operand_size == 4 ? base : base & 0x00ffffffu;
}

void op_sgdt(struct cpu *cpu, const struct insn *insn)
{
    store_table(cpu, insn, &cpu->gdtr);
}

void op_sidt(struct cpu *cpu, const struct insn *insn)
{
    store_table(cpu, insn, &cpu->idtr);
}

void op_lgdt(struct cpu *cpu, const struct insn *insn)
{
    load_table(cpu, insn, &cpu->gdtr);
}

void op_lidt(struct cpu *cpu, const struct insn *insn)
{
    load_table(cpu, insn, &cpu->idtr);
}
