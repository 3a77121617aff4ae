// SPDX-License-Identifier: MIT
// Undefined opcodes, NOP, the flag instructions, BOUND. Intel SDM vol. 2.
#include "cpu/interp.h"

void op_invalid(struct cpu *cpu, const struct insn *insn)
{
    cpu_raise(cpu, EXC_UD);
}

// NOP, PAUSE and the hint NOPs, whose operand is not accessed.
void op_nop(struct cpu *cpu, const struct insn *insn)
{
}

void op_clc(struct cpu *cpu, const struct insn *insn)
{
    cpu->flags_aux &= ~FLAG_CF;
}

void op_stc(struct cpu *cpu, const struct insn *insn)
{
    cpu->flags_aux |= FLAG_CF;
}

void op_cmc(struct cpu *cpu, const struct insn *insn)
{
    cpu->flags_aux ^= FLAG_CF;
}

void op_cld(struct cpu *cpu, const struct insn *insn)
{
    cpu->eflags &= ~FLAG_DF;
}

void op_std(struct cpu *cpu, const struct insn *insn)
{
    cpu->eflags |= FLAG_DF;
}

void op_lahf(struct cpu *cpu, const struct insn *insn)
{
    *reg8(cpu, 4) = (uint8_t)(flags_get(cpu) | FLAG_FIXED);
}

void op_sahf(struct cpu *cpu, const struct insn *insn)
{
    flags_set(cpu, *reg8(cpu, 4) | (flags_get(cpu) & FLAG_OF));
}

// Undocumented by Intel until the Pentium Pro: AL = CF ? FF : 0.
void op_salc(struct cpu *cpu, const struct insn *insn)
{
    *reg8(cpu, REG_EAX) = flags_cf(cpu) ? 0xff : 0;
}

// The bounds are two signed numbers in memory.
ALWAYS_INLINE void bound(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                         bool memory)
{
    enum segment_index segment = (enum segment_index)insn->segment;
    uint32_t address = insn_address(cpu, insn);
    uint32_t next = address + size;
    if (insn->address_size == 2)
        next &= 0xffff;
    int32_t low = (int32_t)sign_extend((uint32_t)mem_read(cpu, segment, address, size), size);
    int32_t high = (int32_t)sign_extend((uint32_t)mem_read(cpu, segment, next, size), size);
    int32_t index = (int32_t)sign_extend(reg_get(cpu, insn->reg, size), size);
    if (index < low || index > high)
        cpu_raise(cpu, EXC_BR);
}

// clang-format off
DEFINE_SV(op_bound, bound, 0)
