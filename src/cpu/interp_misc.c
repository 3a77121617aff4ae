// SPDX-License-Identifier: MIT
// Instructions without operands to speak of: undefined opcodes, NOP, flag instructions, XLAT, BOUND.
// Intel SDM vol. 2.
#include "cpu/handlers.h"
#include "cpu/cpu.h"

void op_invalid(struct cpu *cpu, const struct insn *insn)
{
    cpu_raise(cpu, EXC_UD);
}

// NOP, PAUSE and the hint NOPs, whose operand is not accessed.
void op_nop(struct cpu *cpu, const struct insn *insn)
{
}
