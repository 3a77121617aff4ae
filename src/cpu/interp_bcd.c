// SPDX-License-Identifier: MIT
// Decimal adjustment: DAA DAS AAA AAS AAM AAD. Intel SDM vol. 2. Where the manual leaves flags
// undefined, OF is cleared and the others are those of the result in AL.
#include "cpu/interp.h"

// SF, ZF and PF of AL with the given CF and AF.
static void set_decimal_flags(struct cpu *cpu, uint32_t carries)
{
    flags_set_lazy(cpu, sign_extend(*reg8(cpu, REG_EAX), 1), carries);
}

// DAA (add) and DAS.
static void decimal_adjust(struct cpu *cpu, bool add)
{
    uint8_t al = *reg8(cpu, REG_EAX);
    uint8_t result = al;
    bool old_carry = flags_cf(cpu);
    uint32_t carries = 0;
    if ((al & 0x0f) > 9 || flags_af(cpu)) {
        result = (uint8_t)(add ? result + 6 : result - 6);
        carries |= FLAG_AF;
        if (!add && (old_carry || al < 6))
            carries |= FLAG_CF;
        if (add && (old_carry || al > 0xf9))
            carries |= FLAG_CF;
    }
    if (al > 0x99 || old_carry) {
        result = (uint8_t)(add ? result + 0x60 : result - 0x60);
        carries |= FLAG_CF;
    }
    *reg8(cpu, REG_EAX) = result;
    set_decimal_flags(cpu, carries);
}

// AAA (add) and AAS.
static void ascii_adjust(struct cpu *cpu, bool add)
{
    uint32_t ax = (uint16_t)cpu->regs[REG_EAX];
    uint32_t carries = 0;
    if ((ax & 0x0f) > 9 || flags_af(cpu)) {
        ax = add ? ax + 0x106 : ax - 0x106;
        carries = FLAG_AF | FLAG_CF;
    }
    reg_set(cpu, REG_EAX, ax & 0xff0f, 2);
    set_decimal_flags(cpu, carries);
}

void op_daa(struct cpu *cpu, const struct insn *insn)
{
    decimal_adjust(cpu, true);
}

void op_das(struct cpu *cpu, const struct insn *insn)
{
    decimal_adjust(cpu, false);
}

void op_aaa(struct cpu *cpu, const struct insn *insn)
{
    ascii_adjust(cpu, true);
}

void op_aas(struct cpu *cpu, const struct insn *insn)
{
    ascii_adjust(cpu, false);
}

// The base is an operand: 10 in the assembler's plain spelling.
void op_aam(struct cpu *cpu, const struct insn *insn)
{
    uint32_t base = insn->imm & 0xff;
    if (base == 0)
        cpu_raise(cpu, EXC_DE);
    uint32_t al = *reg8(cpu, REG_EAX);
    reg_set(cpu, REG_EAX, (al / base) << 8 | al % base, 2);
    set_decimal_flags(cpu, 0);
}

void op_aad(struct cpu *cpu, const struct insn *insn)
{
    uint32_t ax = cpu->regs[REG_EAX];
    reg_set(cpu, REG_EAX, ((ax & 0xff) + (ax >> 8 & 0xff) * insn->imm) & 0xff, 2);
    set_decimal_flags(cpu, 0);
}
