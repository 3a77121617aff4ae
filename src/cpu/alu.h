// SPDX-License-Identifier: MIT
// The eight operations of group 1 and their flags, for every handler that adds, subtracts or
// compares. Intel SDM vol. 1, section 3.4.3.1.
#ifndef EMU_CPU_ALU_H
#define EMU_CPU_ALU_H

#include "cpu/interp.h"

// As encoded in ModRM.reg of opcodes 80-83.
enum alu_op { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };

// Moves the sign bit of a value of `size` bytes to FLAG_OF.
ALWAYS_INLINE uint32_t alu_overflow(uint32_t value, unsigned size)
{
    return (size == 4 ? value >> 20 : size == 2 ? value >> 4 : value << 4) & FLAG_OF;
}

// a + b + carry.
ALWAYS_INLINE uint32_t alu_add(struct cpu *cpu, uint32_t a, uint32_t b, uint32_t carry,
                               unsigned size)
{
    uint64_t wide = (uint64_t)a + b + carry;
    uint32_t result = (uint32_t)wide;
    uint32_t aux = (uint32_t)(wide >> (8 * size)) & FLAG_CF;
    aux |= (a ^ b ^ result) & FLAG_AF;
    aux |= alu_overflow((a ^ result) & (b ^ result), size);
    flags_set_lazy(cpu, sign_extend(result, size), aux);
    return result;
}

// a - b - borrow.
ALWAYS_INLINE uint32_t alu_sub(struct cpu *cpu, uint32_t a, uint32_t b, uint32_t borrow,
                               unsigned size)
{
    uint64_t wide = (uint64_t)a - b - borrow;
    uint32_t result = (uint32_t)wide;
    uint32_t aux = (uint32_t)(wide >> (8 * size)) & FLAG_CF;
    aux |= (a ^ b ^ result) & FLAG_AF;
    aux |= alu_overflow((a ^ b) & (a ^ result), size);
    flags_set_lazy(cpu, sign_extend(result, size), aux);
    return result;
}

// Flags of AND, OR, XOR, TEST; AF is cleared, as hardware does.
ALWAYS_INLINE uint32_t alu_logic(struct cpu *cpu, uint32_t result, unsigned size)
{
    flags_set_lazy(cpu, sign_extend(result, size), 0);
    return result;
}

// a and b are zero-extended from size bytes; the bits of the result above them mean nothing.
ALWAYS_INLINE uint32_t alu(struct cpu *cpu, enum alu_op op, uint32_t a, uint32_t b, unsigned size)
{
    switch (op) {
    case ALU_ADD:
        return alu_add(cpu, a, b, 0, size);
    case ALU_OR:
        return alu_logic(cpu, a | b, size);
    case ALU_ADC:
        return alu_add(cpu, a, b, flags_cf(cpu), size);
    case ALU_SBB:
        return alu_sub(cpu, a, b, flags_cf(cpu), size);
    case ALU_AND:
        return alu_logic(cpu, a & b, size);
    case ALU_XOR:
        return alu_logic(cpu, a ^ b, size);
    default: // SUB, CMP
        return alu_sub(cpu, a, b, 0, size);
    }
}

#endif
