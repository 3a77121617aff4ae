// SPDX-License-Identifier: MIT
// Far JMP, CALL and RET: direct, through call gates, task gates and TSSs. Intel SDM vol. 3,
// sections 5.8 and 7.3.
#include "cpu/exception.h"
#include "cpu/flags.h"
#include "cpu/handlers.h"

static bool is_real_or_v86(const struct cpu *cpu)
{
    return !cpu_is_protected(cpu) || cpu_is_v86(cpu);
}

static void push_return(struct stack_frame *stack, unsigned size)
{
    frame_push(stack, stack->cpu->segs[SEG_CS].selector, size);
    frame_push(stack, stack->cpu->eip, size);
}

static void far_real(struct cpu *cpu, uint16_t selector, uint32_t offset, unsigned size,
                     bool is_call)
{
    struct stack_frame stack;
    frame_open(cpu, &stack);
    frame_check_eip(&stack, is_call ? 2 : 0, size, cpu->segs[SEG_CS].limit, offset);
    if (is_call) {
        push_return(&stack, size);
        frame_commit_esp(&stack);
    }
    segment_set_real(cpu, SEG_CS, selector, cpu_is_v86(cpu));
    cpu->eip = offset;
}

// A target at the current privilege level. The selector's checks are done.
static void far_same_level(struct cpu *cpu, uint16_t selector, struct descriptor *desc,
                           uint32_t offset, unsigned size, bool is_call)
{
    struct stack_frame stack;
    frame_open(cpu, &stack);
    frame_check_eip(&stack, is_call ? 2 : 0, size, descriptor_limit(desc), offset);
    if (is_call)
        push_return(&stack, size);
    descriptor_set_accessed(cpu, desc);
    if (is_call)
        frame_commit_esp(&stack);
    segment_load_code(cpu, selector, desc, cpu->cpl, offset);
}

static void far_code(struct cpu *cpu, uint16_t selector, struct descriptor *desc, uint32_t offset,
                     unsigned size, bool is_call)
{
    unsigned dpl = descriptor_dpl(desc);
    bool allowed = descriptor_is_conforming_code(desc)
                       ? dpl <= cpu->cpl
                       : (selector & 3u) <= cpu->cpl && dpl == cpu->cpl;
    if (!allowed)
        segment_fault(cpu, EXC_GP, selector);
    if (!descriptor_is_present(desc))
        segment_fault(cpu, EXC_NP, selector);
    far_same_level(cpu, selector, desc, offset, size, is_call);
}

// CALL through a gate to a more privileged level: new stack, parameters copied.
static void call_inner(struct cpu *cpu, const struct descriptor *gate, uint16_t selector,
                       struct descriptor *code, uint32_t offset, unsigned size)
{
    unsigned dpl = descriptor_dpl(code);
    unsigned count = gate->high & 31;
    uint16_t ss;
    uint32_t esp;
    exception_inner_stack(cpu, dpl, &ss, &esp);
    struct segment segment = segment_check_stack(cpu, ss, dpl, EXC_TS);
    struct stack_frame stack;
    frame_open_new(cpu, &stack, &segment, esp, false);
    frame_check_eip(&stack, 4 + count, size, descriptor_limit(code), offset);
    frame_push(&stack, cpu->segs[SEG_SS].selector, size);
    frame_push(&stack, cpu->regs[REG_ESP], size);
    while (count > 0) {
        struct stack_frame old;
        frame_open(cpu, &old);
        frame_skip(&old, --count * size);
        frame_push(&stack, frame_pop(&old, size), size);
    }
    push_return(&stack, size);
    segment_mark_stack(cpu, &segment);
    descriptor_set_accessed(cpu, code);
    segment_load_code(cpu, selector, code, dpl, offset);
    frame_commit(&stack);
}

static void far_call_gate(struct cpu *cpu, const struct descriptor *gate, bool is_call)
{
    uint16_t selector = (uint16_t)(gate->low >> 16);
    unsigned size = descriptor_type(gate) == DESC_CALL_GATE32 ? 4 : 2;
    uint32_t offset = gate->low & 0xffff;
    if (size == 4)
        offset |= gate->high & 0xffff0000u;
    struct descriptor code;
    if (selector_is_null(selector))
        segment_fault(cpu, EXC_GP, 0);
    descriptor_require(cpu, selector, EXC_GP, &code);
    unsigned dpl = descriptor_dpl(&code);
    bool conforming = descriptor_is_conforming_code(&code);
    if (!descriptor_is_code(&code) || dpl > cpu->cpl ||
        (!is_call && !conforming && dpl != cpu->cpl))
        segment_fault(cpu, EXC_GP, selector);
    if (!descriptor_is_present(&code))
        segment_fault(cpu, EXC_NP, selector);
    if (!conforming && dpl < cpu->cpl)
        call_inner(cpu, gate, selector, &code, offset, size);
    else
        far_same_level(cpu, selector, &code, offset, size, is_call);
}

static void far_task(struct cpu *cpu, uint16_t selector, bool is_call)
{
    struct descriptor tss;
    task_require_available(cpu, selector, &tss);
    uint32_t eflags = cpu_get_eflags(cpu) & ~FLAG_RF;
    task_switch(cpu, selector, &tss, is_call ? TASK_CALL : TASK_JUMP, eflags);
}

// Gates and TSSs.
static void far_system(struct cpu *cpu, uint16_t selector, const struct descriptor *desc,
                       bool is_call)
{
    unsigned type = descriptor_type(desc);
    unsigned dpl = descriptor_dpl(desc);
    bool is_tss = type == DESC_TSS16 || type == DESC_TSS32;
    bool is_gate = type == DESC_CALL_GATE16 || type == DESC_CALL_GATE32 || type == DESC_TASK_GATE;
    if ((!is_tss && !is_gate) || dpl < cpu->cpl || dpl < (selector & 3u))
        segment_fault(cpu, EXC_GP, selector);
    if (is_tss) {
        far_task(cpu, selector, is_call);
        return;
    }
    if (!descriptor_is_present(desc))
        segment_fault(cpu, EXC_NP, selector);
    if (type == DESC_TASK_GATE)
        far_task(cpu, (uint16_t)(desc->low >> 16), is_call);
    else
        far_call_gate(cpu, desc, is_call);
}

static void far_transfer(struct cpu *cpu, uint16_t selector, uint32_t offset, unsigned size,
                         bool is_call)
{
    if (is_real_or_v86(cpu)) {
        far_real(cpu, selector, offset, size, is_call);
        return;
    }
    struct descriptor desc;
    if (selector_is_null(selector))
        segment_fault(cpu, EXC_GP, 0);
    descriptor_require(cpu, selector, EXC_GP, &desc);
    if (descriptor_is_code(&desc))
        far_code(cpu, selector, &desc, offset, size, is_call);
    else if (desc.high & DESC_S)
        segment_fault(cpu, EXC_GP, selector);
    else
        far_system(cpu, selector, &desc, is_call);
}

// m16:16 or m16:32.
static void far_indirect(struct cpu *cpu, const struct insn *insn, bool is_call)
{
    enum segment_index segment = (enum segment_index)insn->segment;
    uint32_t address = insn_address(cpu, insn);
    unsigned size = insn->operand_size;
    uint32_t mask = insn->address_size == 4 ? 0xffffffffu : 0xffffu;
    uint32_t offset = (uint32_t)(size == 4 ? mem_read(cpu, segment, address, 4)
                                           : mem_read(cpu, segment, address, 2));
    uint16_t selector = (uint16_t)mem_read(cpu, segment, (address + size) & mask, 2);
    far_transfer(cpu, selector, offset, size, is_call);
}

void op_call_Ap(struct cpu *cpu, const struct insn *insn)
{
    far_transfer(cpu, insn->imm2, insn->imm, insn->operand_size, true);
}

void op_jmp_Ap(struct cpu *cpu, const struct insn *insn)
{
    far_transfer(cpu, insn->imm2, insn->imm, insn->operand_size, false);
}

void op_call_Mp(struct cpu *cpu, const struct insn *insn)
{
    far_indirect(cpu, insn, true);
}

void op_jmp_Mp(struct cpu *cpu, const struct insn *insn)
{
    far_indirect(cpu, insn, false);
}

static void far_return_outer(struct cpu *cpu, struct stack_frame *stack, uint16_t selector,
                             struct descriptor *desc, uint32_t eip, uint32_t release, unsigned size)
{
    unsigned rpl = selector & 3u;
    uint32_t esp = frame_pop(stack, size);
    uint16_t ss = (uint16_t)frame_pop(stack, size);
    struct segment segment = segment_check_stack(cpu, ss, rpl, EXC_GP);
    segment_check_eip(cpu, descriptor_limit(desc), eip);
    segment_mark_stack(cpu, &segment);
    descriptor_set_accessed(cpu, desc);
    struct stack_frame outer;
    frame_open_new(cpu, &outer, &segment, esp, rpl == 3);
    frame_skip(&outer, release);
    segment_load_code(cpu, selector, desc, rpl, eip);
    frame_commit(&outer);
    segment_drop_inner(cpu);
}

void return_check_code(struct cpu *cpu, uint16_t selector, struct descriptor *desc)
{
    unsigned rpl = selector & 3u;
    if (selector_is_null(selector))
        segment_fault(cpu, EXC_GP, 0);
    descriptor_require(cpu, selector, EXC_GP, desc);
    unsigned dpl = descriptor_dpl(desc);
    if (!descriptor_is_code(desc) || rpl < cpu->cpl ||
        (descriptor_is_conforming_code(desc) ? dpl > rpl : dpl != rpl))
        segment_fault(cpu, EXC_GP, selector);
    if (!descriptor_is_present(desc))
        segment_fault(cpu, EXC_NP, selector);
}

static void far_return(struct cpu *cpu, uint32_t release, unsigned size)
{
    struct stack_frame stack;
    frame_open(cpu, &stack);
    uint32_t eip = frame_pop(&stack, size);
    uint16_t selector = (uint16_t)frame_pop(&stack, size);
    frame_skip(&stack, release);
    if (is_real_or_v86(cpu)) {
        segment_check_eip(cpu, cpu->segs[SEG_CS].limit, eip);
        frame_commit_esp(&stack);
        segment_set_real(cpu, SEG_CS, selector, cpu_is_v86(cpu));
        cpu->eip = eip;
        return;
    }
    struct descriptor desc;
    return_check_code(cpu, selector, &desc);
    if ((selector & 3u) > cpu->cpl) {
        far_return_outer(cpu, &stack, selector, &desc, eip, release, size);
        return;
    }
    segment_check_eip(cpu, descriptor_limit(&desc), eip);
    descriptor_set_accessed(cpu, &desc);
    frame_commit_esp(&stack);
    segment_load_code(cpu, selector, &desc, cpu->cpl, eip);
}

void op_retf_Iw(struct cpu *cpu, const struct insn *insn)
{
    far_return(cpu, insn->imm & 0xffff, insn->operand_size);
}

void op_retf(struct cpu *cpu, const struct insn *insn)
{
    far_return(cpu, 0, insn->operand_size);
}
