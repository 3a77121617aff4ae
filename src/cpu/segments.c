// SPDX-License-Identifier: MIT
// Descriptor fetch and checks, segment register loads, derived rights, stacks. In real-address mode
// a load changes selector and base only and keeps the limit, so that "unreal" mode works.
// Intel SDM vol. 3, chapters 3 and 5.
#include "cpu/segments.h"

uint32_t descriptor_base(const struct descriptor *desc)
{
    return desc->low >> 16 | (desc->high & 0xffu) << 16 | (desc->high & 0xff000000u);
}

uint32_t descriptor_limit(const struct descriptor *desc)
{
    uint32_t limit = (desc->low & 0xffffu) | (desc->high & 0x000f0000u);
    return (desc->high & DESC_G) ? limit << 12 | 0xfffu : limit;
}

void segment_fault(struct cpu *cpu, enum exception_vector vector, uint16_t selector)
{
    cpu_raise_error(cpu, vector, selector & 0xfffcu);
}

bool descriptor_fetch(struct cpu *cpu, uint16_t selector, struct descriptor *desc)
{
    uint32_t base = cpu->gdtr.base;
    uint32_t limit = cpu->gdtr.limit;
    if (selector & 4) {
        if (!(cpu->ldtr.attributes & DESC_P))
            return false;
        base = cpu->ldtr.base;
        limit = cpu->ldtr.limit;
    }
    uint32_t offset = selector & 0xfff8u;
    if (offset + 7 > limit)
        return false;
    desc->address = base + offset;
    uint64_t value = mem_read_system(cpu, desc->address, 8);
    desc->low = (uint32_t)value;
    desc->high = (uint32_t)(value >> 32);
    return true;
}

void descriptor_require(struct cpu *cpu, uint16_t selector, enum exception_vector vector,
                        struct descriptor *desc)
{
    if (!descriptor_fetch(cpu, selector, desc))
        segment_fault(cpu, vector, selector);
}

void descriptor_set_accessed(struct cpu *cpu, struct descriptor *desc)
{
    if (desc->high & DESC_ACCESSED)
        return;
    desc->high |= DESC_ACCESSED;
    mem_write_system(cpu, desc->address + 4, desc->high, 4);
}

void descriptor_set_busy(struct cpu *cpu, struct descriptor *desc, bool busy)
{
    desc->high = busy ? desc->high | DESC_TSS_BUSY : desc->high & ~DESC_TSS_BUSY;
    mem_write_system(cpu, desc->address + 4, desc->high, 4);
}

void segment_from_descriptor(struct segment *segment, uint16_t selector,
                             const struct descriptor *desc)
{
    segment->selector = selector;
    segment->base = descriptor_base(desc);
    segment->limit = descriptor_limit(desc);
    segment->attributes = desc->high & 0x00f0ff00u;
    segment->rights = 0;
}

static uint16_t segment_rights(const struct cpu *cpu, const struct segment *segment)
{
    unsigned rights = 0;
    uint32_t attributes = segment->attributes;
    if (!(attributes & DESC_P))
        return 0;
    if (attributes & DESC_CODE) {
        rights |= (attributes & DESC_READ_WRITE) ? SEGMENT_READ : 0;
    } else {
        rights |= SEGMENT_READ | ((attributes & DESC_READ_WRITE) ? SEGMENT_WRITE : 0);
        rights |= (attributes & DESC_EXPAND_DOWN) ? SEGMENT_EXPAND_DOWN : 0;
    }
    // Real-address mode checks limits, not types.
    if (!cpu_is_protected(cpu))
        rights |= SEGMENT_READ | SEGMENT_WRITE;
    if (segment->base == 0 && segment->limit == 0xffffffffu && !(rights & SEGMENT_EXPAND_DOWN)) {
        rights |= SEGMENT_FLAT;
        rights |= (rights & SEGMENT_READ) ? SEGMENT_FLAT_READ : 0;
        rights |= (rights & SEGMENT_WRITE) ? SEGMENT_FLAT_WRITE : 0;
    }
    if (segment->limit == 0xffffffffu && !(rights & SEGMENT_EXPAND_DOWN) &&
        (rights & SEGMENT_READ) && (rights & SEGMENT_WRITE))
        rights |= SEGMENT_FULL;
    return (uint16_t)rights;
}

static uint32_t mode_bit(bool on, uint32_t bit)
{
    return on ? bit : 0;
}

static void cpu_update_mode_bits(struct cpu *cpu)
{
    const struct segment *segs = cpu->segs;
    uint32_t ss = segs[SEG_SS].rights;
    uint32_t bits = mode_bit(segs[SEG_CS].attributes & DESC_DB, CPU_MODE_CODE32);
    bits |= mode_bit(segs[SEG_SS].attributes & DESC_DB, CPU_MODE_STACK32);
    bits |= mode_bit(cpu->cpl == 3, CPU_MODE_USER);
    bits |= mode_bit(cpu->eflags & FLAG_VM, CPU_MODE_V86);
    bits |= mode_bit(cpu->cr0 & CR0_PE, CPU_MODE_PROTECTED);
    bits |= mode_bit(segs[SEG_CS].rights & SEGMENT_FLAT, CPU_MODE_CS_FLAT);
    bits |= mode_bit(segs[SEG_CS].rights & SEGMENT_FLAT_READ, CPU_MODE_CS_FLAT_READ);
    bits |= mode_bit((ss & SEGMENT_FLAT_READ) && (ss & SEGMENT_FLAT_WRITE), CPU_MODE_SS_FLAT);
    bits |= mode_bit(segs[SEG_DS].rights & SEGMENT_FLAT_READ, CPU_MODE_DS_FLAT_READ);
    bits |= mode_bit(segs[SEG_DS].rights & SEGMENT_FLAT_WRITE, CPU_MODE_DS_FLAT_WRITE);
    bits |= mode_bit(segs[SEG_ES].rights & SEGMENT_FLAT_READ, CPU_MODE_ES_FLAT_READ);
    bits |= mode_bit(segs[SEG_ES].rights & SEGMENT_FLAT_WRITE, CPU_MODE_ES_FLAT_WRITE);
    bits |= mode_bit(cpu->cr0 & CR0_EM, CPU_MODE_EM);
    bits |= mode_bit(cpu->cr0 & CR0_TS, CPU_MODE_TS);
    bits |= mode_bit(cpu->cr4 & CR4_OSFXSR, CPU_MODE_OSFXSR);
    bits |= mode_bit(cpu->eflags & FLAG_TF, CPU_MODE_TF);
    bits |= mode_bit(cpu->debug_armed, CPU_MODE_DEBUG);
    cpu->mode_bits = bits;
}

void segment_update_rights(struct cpu *cpu, enum segment_index index)
{
    cpu->segs[index].rights = segment_rights(cpu, &cpu->segs[index]);
    cpu_update_mode_bits(cpu);
}

void segment_update_all(struct cpu *cpu)
{
    for (unsigned i = 0; i < SEG_COUNT; i++)
        cpu->segs[i].rights = segment_rights(cpu, &cpu->segs[i]);
    cpu_update_mode_bits(cpu);
}

void segment_set_real(struct cpu *cpu, enum segment_index index, uint16_t selector, bool v86)
{
    struct segment *segment = &cpu->segs[index];
    segment->selector = selector;
    segment->base = (uint32_t)selector << 4;
    uint32_t kept = segment->attributes & (DESC_DB | DESC_G | DESC_AVL);
    segment->attributes = kept | DESC_P | DESC_S | DESC_READ_WRITE | DESC_ACCESSED;
    if (v86) {
        segment->limit = 0xffff;
        segment->attributes = DESC_P | DESC_S | DESC_READ_WRITE | DESC_ACCESSED | DESC_DPL;
    }
    segment_update_rights(cpu, index);
}

void segment_set_null(struct cpu *cpu, enum segment_index index, uint16_t selector)
{
    struct segment *segment = &cpu->segs[index];
    segment->selector = selector;
    segment->attributes &= ~DESC_P;
    segment_update_rights(cpu, index);
}

struct segment segment_check_stack(struct cpu *cpu, uint16_t selector, unsigned cpl,
                                   enum exception_vector vector)
{
    struct descriptor desc;
    struct segment segment;
    if (selector_is_null(selector))
        segment_fault(cpu, vector, 0);
    descriptor_require(cpu, selector, vector, &desc);
    if ((selector & 3u) != cpl || !descriptor_is_writable_data(&desc) ||
        descriptor_dpl(&desc) != cpl)
        segment_fault(cpu, vector, selector);
    if (!descriptor_is_present(&desc))
        segment_fault(cpu, EXC_SS, selector);
    segment_from_descriptor(&segment, selector, &desc);
    segment.rights = segment_rights(cpu, &segment);
    return segment;
}

void segment_mark_stack(struct cpu *cpu, const struct segment *segment)
{
    struct descriptor desc;
    if (!(segment->attributes & DESC_ACCESSED) && descriptor_fetch(cpu, segment->selector, &desc))
        descriptor_set_accessed(cpu, &desc);
}

static void segment_load_data(struct cpu *cpu, enum segment_index index, uint16_t selector)
{
    struct descriptor desc;
    if (selector_is_null(selector)) {
        segment_set_null(cpu, index, selector);
        return;
    }
    descriptor_require(cpu, selector, EXC_GP, &desc);
    unsigned rpl = selector & 3u;
    unsigned dpl = descriptor_dpl(&desc);
    if (!descriptor_is_readable(&desc))
        segment_fault(cpu, EXC_GP, selector);
    if (!descriptor_is_conforming_code(&desc) && (rpl > dpl || cpu->cpl > dpl))
        segment_fault(cpu, EXC_GP, selector);
    if (!descriptor_is_present(&desc))
        segment_fault(cpu, EXC_NP, selector);
    descriptor_set_accessed(cpu, &desc);
    segment_from_descriptor(&cpu->segs[index], selector, &desc);
    segment_update_rights(cpu, index);
}

void segment_load(struct cpu *cpu, enum segment_index index, uint16_t selector)
{
    if (!cpu_is_protected(cpu) || cpu_is_v86(cpu)) {
        segment_set_real(cpu, index, selector, cpu_is_v86(cpu));
    } else if (index == SEG_SS) {
        struct segment stack = segment_check_stack(cpu, selector, cpu->cpl, EXC_GP);
        segment_mark_stack(cpu, &stack);
        cpu->segs[SEG_SS] = stack;
        segment_update_rights(cpu, SEG_SS);
    } else {
        segment_load_data(cpu, index, selector);
    }
}

void segment_load_code(struct cpu *cpu, uint16_t selector, struct descriptor *desc, unsigned cpl,
                       uint32_t eip)
{
    selector = (uint16_t)((selector & 0xfffcu) | cpl);
    descriptor_set_accessed(cpu, desc);
    segment_from_descriptor(&cpu->segs[SEG_CS], selector, desc);
    cpu->eip = eip;
    if (cpu->cpl != cpl) {
        cpu->cpl = (uint8_t)cpl;
        cpu_update_mode(cpu);
    } else {
        segment_update_rights(cpu, SEG_CS);
    }
}

void segment_drop_inner(struct cpu *cpu)
{
    static const enum segment_index data[4] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    for (unsigned i = 0; i < ARRAY_SIZE(data); i++) {
        const struct segment *segment = &cpu->segs[data[i]];
        unsigned dpl = segment->attributes >> 13 & 3;
        bool conforming =
            (segment->attributes & (DESC_CODE | DESC_CONFORMING)) == (DESC_CODE | DESC_CONFORMING);
        // A null selector loses its RPL.
        if (!(segment->attributes & DESC_P) || (dpl < cpu->cpl && !conforming))
            segment_set_null(cpu, data[i], 0);
    }
}

void segment_check_eip(struct cpu *cpu, uint32_t limit, uint32_t eip)
{
    if (eip > limit)
        cpu_raise_error(cpu, EXC_GP, 0);
}

void frame_open(struct cpu *cpu, struct stack_frame *stack)
{
    frame_open_new(cpu, stack, &cpu->segs[SEG_SS], cpu->regs[REG_ESP], cpu->is_user);
    stack->fault_selector = 0;
}

void frame_open_new(struct cpu *cpu, struct stack_frame *stack, const struct segment *segment,
                    uint32_t esp, bool user)
{
    stack->cpu = cpu;
    stack->segment = *segment;
    stack->esp = esp;
    stack->mask = (segment->attributes & DESC_DB) ? 0xffffffffu : 0xffffu;
    stack->user = user;
    stack->fault_selector = segment->selector;
}

static uint32_t stack_linear(struct stack_frame *stack, uint32_t offset, unsigned size,
                             unsigned right)
{
    const struct segment *segment = &stack->segment;
    uint32_t last = offset + (size - 1);
    bool inside = segment->limit == 0xffffffffu || (last >= offset && last <= segment->limit);
    if (segment->rights & SEGMENT_EXPAND_DOWN)
        inside = offset > segment->limit && last >= offset && last <= stack->mask;
    if (!(segment->rights & right) || !inside)
        segment_fault(stack->cpu, EXC_SS, stack->fault_selector);
    return segment->base + offset;
}

static void stack_move(struct stack_frame *stack, uint32_t delta)
{
    stack->esp = (stack->esp & ~stack->mask) | ((stack->esp + delta) & stack->mask);
}

void frame_check_eip(struct stack_frame *stack, unsigned count, unsigned size, uint32_t limit,
                     uint32_t eip)
{
    for (unsigned i = 1; eip > limit && i <= count; i++)
        stack_linear(stack, (stack->esp - i * size) & stack->mask, size, SEGMENT_WRITE);
    segment_check_eip(stack->cpu, limit, eip);
}

void frame_push(struct stack_frame *stack, uint32_t value, unsigned size)
{
    uint32_t offset = (stack->esp - size) & stack->mask;
    uint32_t linear = stack_linear(stack, offset, size, SEGMENT_WRITE);
    if (size == 2)
        mem_write_linear(stack->cpu, linear, value, 2, stack->user);
    else
        mem_write_linear(stack->cpu, linear, value, 4, stack->user);
    stack_move(stack, 0u - size);
}

uint32_t frame_pop(struct stack_frame *stack, unsigned size)
{
    uint32_t linear = stack_linear(stack, stack->esp & stack->mask, size, SEGMENT_READ);
    uint64_t value = size == 2 ? mem_read_linear(stack->cpu, linear, 2, stack->user)
                               : mem_read_linear(stack->cpu, linear, 4, stack->user);
    stack_move(stack, size);
    return (uint32_t)value;
}

void frame_skip(struct stack_frame *stack, uint32_t bytes)
{
    stack_move(stack, bytes);
}

void frame_commit_esp(struct stack_frame *stack)
{
    uint32_t *esp = &stack->cpu->regs[REG_ESP];
    *esp = (*esp & ~stack->mask) | (stack->esp & stack->mask);
}

void frame_commit(struct stack_frame *stack)
{
    stack->cpu->segs[SEG_SS] = stack->segment;
    segment_update_rights(stack->cpu, SEG_SS);
    frame_commit_esp(stack);
}
