// SPDX-License-Identifier: MIT
// Near branches: Jcc, JMP, CALL, RET, LOOP, JCXZ. Intel SDM vol. 2. Far ones belong to segments.
#include "cpu/interp.h"

ALWAYS_INLINE void jmp_J(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                         bool memory)
{
    cpu->eip = branch_target(cpu, cpu->eip + insn->imm, size);
}

ALWAYS_INLINE void jcc_J(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                         bool memory)
{
    if (condition(cpu, op))
        cpu->eip = branch_target(cpu, cpu->eip + insn->imm, size);
}

ALWAYS_INLINE void jmp_E(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                         bool memory)
{
    cpu->eip = branch_target(cpu, operand_read(cpu, insn, size, memory), size);
}

ALWAYS_INLINE void call_J(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                          bool memory)
{
    uint32_t target = branch_target(cpu, cpu->eip + insn->imm, size);
    stack_push(cpu, cpu->eip, size);
    cpu->eip = target;
}

ALWAYS_INLINE void call_E(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                          bool memory)
{
    uint32_t target = branch_target(cpu, operand_read(cpu, insn, size, memory), size);
    stack_push(cpu, cpu->eip, size);
    cpu->eip = target;
}

// RET and RET Iw: insn->imm is 0 without operand.
ALWAYS_INLINE void ret_near(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                            bool memory)
{
    cpu->eip = branch_target(cpu, stack_top(cpu, size), size);
    cpu->regs[REG_ESP] = stack_moved(cpu, cpu->regs[REG_ESP], size + insn->imm);
}

// LOOPNE (0), LOOPE (1), LOOP (2): the counter's size is the address size.
ALWAYS_INLINE void loop_J(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                          bool memory)
{
    uint32_t mask = insn->address_size == 2 ? 0xffffu : 0xffffffffu;
    uint32_t count = (cpu->regs[REG_ECX] - 1) & mask;
    if (count != 0 && (op == 2 || flags_zf(cpu) == (op == 1)))
        cpu->eip = branch_target(cpu, cpu->eip + insn->imm, size);
    cpu->regs[REG_ECX] = (cpu->regs[REG_ECX] & ~mask) | count;
}

ALWAYS_INLINE void jcxz_J(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                          bool memory)
{
    uint32_t mask = insn->address_size == 2 ? 0xffffu : 0xffffffffu;
    if ((cpu->regs[REG_ECX] & mask) == 0)
        cpu->eip = branch_target(cpu, cpu->eip + insn->imm, size);
}

// clang-format off
DEFINE_SV(op_jo, jcc_J, 0)
DEFINE_SV(op_jno, jcc_J, 1)
DEFINE_SV(op_jb, jcc_J, 2)
DEFINE_SV(op_jae, jcc_J, 3)
DEFINE_SV(op_je, jcc_J, 4)
DEFINE_SV(op_jne, jcc_J, 5)
DEFINE_SV(op_jbe, jcc_J, 6)
DEFINE_SV(op_ja, jcc_J, 7)
DEFINE_SV(op_js, jcc_J, 8)
DEFINE_SV(op_jns, jcc_J, 9)
DEFINE_SV(op_jp, jcc_J, 10)
DEFINE_SV(op_jnp, jcc_J, 11)
DEFINE_SV(op_jl, jcc_J, 12)
DEFINE_SV(op_jge, jcc_J, 13)
DEFINE_SV(op_jle, jcc_J, 14)
DEFINE_SV(op_jg, jcc_J, 15)
DEFINE_SV(op_jmp_J, jmp_J, 0)
DEFINE_SVRM(op_jmp_Ev, jmp_E, 0)
DEFINE_SV(op_call_Jz, call_J, 0)
DEFINE_SVRM(op_call_Ev, call_E, 0)
DEFINE_SV(op_ret, ret_near, 0)
DEFINE_SV(op_loopne, loop_J, 0)
DEFINE_SV(op_loope, loop_J, 1)
DEFINE_SV(op_loop, loop_J, 2)
DEFINE_SV(op_jcxz, jcxz_J, 0)
