// SPDX-License-Identifier: MIT
// MUL, IMUL, DIV, IDIV. Intel SDM vol. 2. Flags that the manual leaves undefined are as AMD's Zen
// family has them: multiplications leave SF, ZF, AF and PF alone; divisions leave CF and OF alone,
// clear SF, ZF and PF, and set AF.
#include "cpu/interp.h"

ALWAYS_INLINE void set_multiply_flags(struct cpu *cpu, bool overflow)
{
    cpu->flags_aux = (cpu->flags_aux & ~(FLAG_CF | FLAG_OF)) | (overflow ? FLAG_CF | FLAG_OF : 0);
}

ALWAYS_INLINE void set_divide_flags(struct cpu *cpu)
{
    flags_set_lazy(cpu, 1, (cpu->flags_aux & (FLAG_CF | FLAG_OF)) | FLAG_AF);
}

// The double-width accumulator: AX, DX:AX, EDX:EAX.
ALWAYS_INLINE uint64_t accumulator_get(struct cpu *cpu, unsigned size)
{
    if (size == 1)
        return (uint16_t)cpu->regs[REG_EAX];
    return (uint64_t)reg_get(cpu, REG_EDX, size) << (8 * size) | reg_get(cpu, REG_EAX, size);
}

ALWAYS_INLINE void accumulator_set(struct cpu *cpu, uint32_t low, uint32_t high, unsigned size)
{
    if (size == 1) {
        reg_set(cpu, REG_EAX, (low & 0xff) | high << 8, 2);
    } else {
        reg_set(cpu, REG_EAX, low, size);
        reg_set(cpu, REG_EDX, high, size);
    }
}

ALWAYS_INLINE void mul_E(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                         bool memory)
{
    uint64_t product =
        (uint64_t)reg_get(cpu, REG_EAX, size) * operand_read(cpu, insn, size, memory);
    uint32_t high = (uint32_t)(product >> (8 * size));
    accumulator_set(cpu, (uint32_t)product, high, size);
    set_multiply_flags(cpu, high != 0);
}

ALWAYS_INLINE int64_t signed_value(uint32_t value, unsigned size)
{
    return (int32_t)sign_extend(value, size);
}

ALWAYS_INLINE bool product_overflows(int64_t product, unsigned size)
{
    return product != signed_value((uint32_t)product, size);
}

ALWAYS_INLINE void imul_E(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                          bool memory)
{
    int64_t product = signed_value(operand_read(cpu, insn, size, memory), size) *
                      signed_value(reg_get(cpu, REG_EAX, size), size);
    accumulator_set(cpu, (uint32_t)product, (uint32_t)((uint64_t)product >> (8 * size)), size);
    set_multiply_flags(cpu, product_overflows(product, size));
}

ALWAYS_INLINE void imul_G(struct cpu *cpu, const struct insn *insn, uint32_t a, uint32_t b,
                          unsigned size)
{
    int64_t product = signed_value(a, size) * signed_value(b, size);
    reg_set(cpu, insn->reg, (uint32_t)product, size);
    set_multiply_flags(cpu, product_overflows(product, size));
}

ALWAYS_INLINE void imul_G_E(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                            bool memory)
{
    uint32_t b = operand_read(cpu, insn, size, memory);
    imul_G(cpu, insn, reg_get(cpu, insn->reg, size), b, size);
}

ALWAYS_INLINE void imul_G_E_I(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                              bool memory)
{
    imul_G(cpu, insn, operand_read(cpu, insn, size, memory), insn->imm, size);
}

ALWAYS_INLINE void div_E(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                         bool memory)
{
    uint32_t divisor = operand_read(cpu, insn, size, memory);
    uint64_t dividend = accumulator_get(cpu, size);
    if (UNLIKELY(dividend >> (8 * size) >= divisor)) // zero, or a quotient that does not fit
        cpu_raise(cpu, EXC_DE);
    accumulator_set(cpu, (uint32_t)(dividend / divisor), (uint32_t)(dividend % divisor), size);
    set_divide_flags(cpu);
}

ALWAYS_INLINE void idiv_E(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                          bool memory)
{
    int64_t divisor = signed_value(operand_read(cpu, insn, size, memory), size);
    uint64_t raw = accumulator_get(cpu, size);
    int64_t dividend = size == 1   ? (int64_t)(int16_t)raw
                       : size == 2 ? (int64_t)(int32_t)raw
                                   : (int64_t)raw;
    if (UNLIKELY(divisor == 0 || (divisor == -1 && dividend == INT64_MIN)))
        cpu_raise(cpu, EXC_DE);
    int64_t quotient = dividend / divisor;
    if (UNLIKELY(product_overflows(quotient, size)))
        cpu_raise(cpu, EXC_DE);
    accumulator_set(cpu, (uint32_t)quotient, (uint32_t)(dividend % divisor), size);
    set_divide_flags(cpu);
}

// clang-format off
DEFINE_SRM(op_mul_Eb, mul_E, 0, 1)
DEFINE_SVRM(op_mul_Ev, mul_E, 0)
DEFINE_SRM(op_imul_Eb, imul_E, 0, 1)
DEFINE_SVRM(op_imul_Ev, imul_E, 0)
DEFINE_SVRM(op_imul_Gv_Ev, imul_G_E, 0)
DEFINE_SVRM(op_imul_Gv_Ev_Iz, imul_G_E_I, 0)
DEFINE_SRM(op_div_Eb, div_E, 0, 1)
DEFINE_SVRM(op_div_Ev, div_E, 0)
DEFINE_SRM(op_idiv_Eb, idiv_E, 0, 1)
DEFINE_SVRM(op_idiv_Ev, idiv_E, 0)
