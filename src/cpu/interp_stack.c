// SPDX-License-Identifier: MIT
// PUSH, POP (general registers, memory, immediates), PUSHA, POPA, ENTER, LEAVE. Intel SDM vol. 2.
// ESP changes only after the last access that can fault.
#include "cpu/interp.h"

ALWAYS_INLINE void push_Z(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                          bool memory)
{
    stack_push(cpu, cpu->regs[insn->rm & 7], size); // PUSH ESP pushes the old value
}

ALWAYS_INLINE void push_I(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                          bool memory)
{
    stack_push(cpu, insn->imm, size);
}

ALWAYS_INLINE void push_E(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                          bool memory)
{
    stack_push(cpu, operand_read(cpu, insn, size, memory), size);
}

// POP ESP: the value read wins over the increment.
ALWAYS_INLINE void pop_Z(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                         bool memory)
{
    uint32_t value = stack_top(cpu, size);
    cpu->regs[REG_ESP] = stack_moved(cpu, cpu->regs[REG_ESP], size);
    reg_set(cpu, insn->rm, value, size);
}

// A destination addressed by ESP is found with the ESP after the increment.
ALWAYS_INLINE void pop_E(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                         bool memory)
{
    if (!memory) {
        pop_Z(cpu, insn, op, size, memory);
        return;
    }
    uint32_t value = stack_top(cpu, size);
    uint32_t old_esp = cpu->regs[REG_ESP];
    uint32_t new_esp = stack_moved(cpu, old_esp, size);
    cpu->regs[REG_ESP] = new_esp;
    uint32_t address = insn_address(cpu, insn);
    cpu->regs[REG_ESP] = old_esp;
    mem_write(cpu, (enum segment_index)insn->segment, address, value, size);
    cpu->regs[REG_ESP] = new_esp;
}

ALWAYS_INLINE void pusha(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                         bool memory)
{
    uint32_t mask = cpu_stack_mask(cpu);
    uint32_t esp = cpu->regs[REG_ESP];
    for (unsigned n = REG_EAX; n <= REG_EDI; n++) {
        esp = stack_moved(cpu, esp, 0u - size);
        mem_write(cpu, SEG_SS, esp & mask, cpu->regs[n], size);
    }
    cpu->regs[REG_ESP] = esp;
}

// The saved ESP is read and dropped.
ALWAYS_INLINE void popa(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                        bool memory)
{
    uint32_t mask = cpu_stack_mask(cpu);
    uint32_t esp = cpu->regs[REG_ESP];
    uint32_t values[8];
    for (unsigned n = 8; n-- > 0;) {
        values[n] = (uint32_t)mem_read(cpu, SEG_SS, esp & mask, size);
        esp = stack_moved(cpu, esp, size);
    }
    for (unsigned n = REG_EAX; n <= REG_EDI; n++) {
        if (n != REG_ESP)
            reg_set(cpu, n, values[n], size);
    }
    cpu->regs[REG_ESP] = esp;
}

// Level 1 and above copy the frame pointers of the enclosing procedures. The new top of the stack
// must be writable.
ALWAYS_INLINE void enter(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                         bool memory)
{
    uint32_t mask = cpu_stack_mask(cpu);
    unsigned level = insn->imm2 & 31;
    uint32_t ebp = cpu->regs[REG_EBP];
    uint32_t esp = stack_moved(cpu, cpu->regs[REG_ESP], 0u - size);
    mem_write(cpu, SEG_SS, esp & mask, ebp, size);
    uint32_t frame = esp;
    if (level > 0) {
        for (unsigned i = 1; i < level; i++) {
            ebp = stack_moved(cpu, ebp, 0u - size);
            uint32_t link = (uint32_t)mem_read(cpu, SEG_SS, ebp & mask, size);
            esp = stack_moved(cpu, esp, 0u - size);
            mem_write(cpu, SEG_SS, esp & mask, link, size);
        }
        esp = stack_moved(cpu, esp, 0u - size);
        mem_write(cpu, SEG_SS, esp & mask, frame, size);
    }
    esp = stack_moved(cpu, esp, 0u - insn->imm);
    mem_probe_write(cpu, mem_linear_write(cpu, SEG_SS, esp & mask, size), size, cpu->is_user);
    reg_set(cpu, REG_EBP, frame, size);
    cpu->regs[REG_ESP] = esp;
}

ALWAYS_INLINE void leave(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                         bool memory)
{
    uint32_t mask = cpu_stack_mask(cpu);
    uint32_t esp = (cpu->regs[REG_ESP] & ~mask) | (cpu->regs[REG_EBP] & mask);
    uint32_t value = (uint32_t)mem_read(cpu, SEG_SS, esp & mask, size);
    reg_set(cpu, REG_EBP, value, size);
    cpu->regs[REG_ESP] = stack_moved(cpu, esp, size);
}

// clang-format off
DEFINE_SV(op_push_Zv, push_Z, 0)
DEFINE_SV(op_push_I, push_I, 0)
DEFINE_SVRM(op_push_Ev, push_E, 0)
DEFINE_SV(op_pop_Zv, pop_Z, 0)
DEFINE_SVRM(op_pop_Ev, pop_E, 0)
DEFINE_SV(op_pusha, pusha, 0)
DEFINE_SV(op_popa, popa, 0)
DEFINE_SV(op_enter, enter, 0)
DEFINE_SV(op_leave, leave, 0)
