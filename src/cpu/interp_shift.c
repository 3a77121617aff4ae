// SPDX-License-Identifier: MIT
// Shifts and rotates: ROL ROR RCL RCR SHL SHR SAR SHLD SHRD. Intel SDM vol. 2. What the manual
// leaves undefined is as AMD's Zen family has it: OF follows the formula of a count of 1, AF is set
// by shifts, a 16-bit double shift by more than 16 goes on into the source again.
#include "cpu/alu.h"

// As encoded in ModRM.reg of group 2; 6 is an alias of SHL.
enum shift_op { SHIFT_ROL, SHIFT_ROR, SHIFT_RCL, SHIFT_RCR, SHIFT_SHL, SHIFT_SHR, SHIFT_SAR };

// OF after a move to the left: the sign changed against the last bit out.
ALWAYS_INLINE uint32_t overflow_left(uint32_t result, uint32_t carry, unsigned size)
{
    return alu_overflow(result ^ carry << (8 * size - 1), size);
}

// OF after a move to the right: the two top bits differ.
ALWAYS_INLINE uint32_t overflow_right(uint32_t result, unsigned size)
{
    return alu_overflow(result ^ result << 1, size);
}

// Rotates change CF and OF only.
ALWAYS_INLINE void set_rotate_flags(struct cpu *cpu, uint32_t carry, uint32_t overflow)
{
    cpu->flags_aux = (cpu->flags_aux & ~(FLAG_CF | FLAG_OF)) | carry | overflow;
}

// `a` is zero-extended; count is 1..31.
ALWAYS_INLINE uint32_t rotate(struct cpu *cpu, enum shift_op op, uint32_t a, unsigned count,
                              unsigned size)
{
    const unsigned bits = 8 * size;
    uint32_t result = a;
    uint32_t carry = 0;
    if (op == SHIFT_ROL || op == SHIFT_ROR) {
        count &= bits - 1;
        if (op == SHIFT_ROR)
            count = (bits - count) & (bits - 1);
        result = (uint32_t)((uint64_t)a << count | (uint64_t)a >> (bits - count)) & size_mask(size);
        carry = op == SHIFT_ROL ? result & 1 : result >> (bits - 1) & 1;
    } else {
        uint64_t wide = (uint64_t)(cpu->flags_aux & FLAG_CF) << bits | a; // bits + 1 wide
        count %= bits + 1;
        if (op == SHIFT_RCR)
            count = bits + 1 - count;
        uint64_t rotated = count == 0 ? wide : wide << count | wide >> (bits + 1 - count);
        result = (uint32_t)rotated & size_mask(size);
        carry = (uint32_t)(rotated >> bits) & 1;
    }
    bool left = op == SHIFT_ROL || op == SHIFT_RCL;
    set_rotate_flags(cpu, carry,
                     left ? overflow_left(result, carry, size) : overflow_right(result, size));
    return result;
}

ALWAYS_INLINE uint32_t shift(struct cpu *cpu, enum shift_op op, uint32_t a, unsigned count,
                             unsigned size)
{
    uint32_t result = 0;
    uint32_t aux = FLAG_AF;
    if (op == SHIFT_SHL) {
        uint64_t wide = (uint64_t)a << count;
        uint32_t carry = (uint32_t)(wide >> (8 * size)) & 1;
        result = (uint32_t)wide & size_mask(size);
        aux |= carry | overflow_left(result, carry, size);
    } else {
        if (op == SHIFT_SAR)
            a = sign_extend(a, size);
        uint32_t last = op == SHIFT_SAR ? (uint32_t)((int32_t)a >> (count - 1)) : a >> (count - 1);
        result = op == SHIFT_SAR ? (uint32_t)((int32_t)last >> 1) : last >> 1;
        aux |= (last & FLAG_CF) | overflow_right(result, size);
    }
    flags_set_lazy(cpu, sign_extend(result, size), aux);
    return result;
}

// A count of 0 changes nothing, but the right to write was checked.
ALWAYS_INLINE void shift_E(struct cpu *cpu, const struct insn *insn, enum shift_op op,
                           unsigned count, unsigned size, bool memory)
{
    struct target target;
    uint32_t a = target_open(cpu, insn, size, memory, &target);
    count &= 31;
    if (count == 0)
        return;
    uint32_t result =
        op >= SHIFT_SHL ? shift(cpu, op, a, count, size) : rotate(cpu, op, a, count, size);
    target_close(cpu, insn, &target, result, size, memory);
}

ALWAYS_INLINE void shift_E_I(struct cpu *cpu, const struct insn *insn, enum shift_op op,
                             unsigned size, bool memory)
{
    shift_E(cpu, insn, op, insn->imm, size, memory);
}

ALWAYS_INLINE void shift_E_CL(struct cpu *cpu, const struct insn *insn, enum shift_op op,
                              unsigned size, bool memory)
{
    shift_E(cpu, insn, op, cpu->regs[REG_ECX], size, memory);
}

// SHLD (left) and SHRD.
ALWAYS_INLINE void shift_double(struct cpu *cpu, const struct insn *insn, bool left, unsigned count,
                                unsigned size, bool memory)
{
    struct target target;
    uint32_t a = target_open(cpu, insn, size, memory, &target);
    uint32_t b = reg_get(cpu, insn->reg, size);
    count &= 31;
    if (count == 0)
        return;
    uint64_t wide = 0;
    uint32_t result = 0;
    uint32_t carry = 0;
    if (left) { // the target's bits leave through bit 32 (size 4) or 48 (size 2: target:b:b)
        wide = size == 4 ? (uint64_t)a << 32 | b : (uint64_t)a << 32 | b << 16 | b;
        result = (uint32_t)(wide << count >> 32) & size_mask(size);
        carry = (uint32_t)(wide >> (8 * size + 32 - count)) & 1;
    } else {
        wide = size == 4 ? (uint64_t)b << 32 | a : (uint64_t)b << 32 | b << 16 | a;
        result = (uint32_t)(wide >> count) & size_mask(size);
        carry = (uint32_t)(wide >> (count - 1)) & 1;
    }
    uint32_t overflow = left ? overflow_left(result, carry, size) : overflow_right(result, size);
    flags_set_lazy(cpu, sign_extend(result, size), carry | overflow | FLAG_AF);
    target_close(cpu, insn, &target, result, size, memory);
}

ALWAYS_INLINE void shift_double_I(struct cpu *cpu, const struct insn *insn, bool left,
                                  unsigned size, bool memory)
{
    shift_double(cpu, insn, left, insn->imm, size, memory);
}

ALWAYS_INLINE void shift_double_CL(struct cpu *cpu, const struct insn *insn, bool left,
                                   unsigned size, bool memory)
{
    shift_double(cpu, insn, left, cpu->regs[REG_ECX], size, memory);
}

// The handlers of one operation of group 2; a count of 1 is an immediate too.
#define DEFINE_GROUP2(name, op)                                                                    \
    DEFINE_SRM(op_##name##_Eb_Ib, shift_E_I, op, 1)                                                \
    DEFINE_SVRM(op_##name##_Ev_Ib, shift_E_I, op)                                                  \
    DEFINE_SRM(op_##name##_Eb_CL, shift_E_CL, op, 1)                                               \
    DEFINE_SVRM(op_##name##_Ev_CL, shift_E_CL, op)

// clang-format off
DEFINE_GROUP2(rol, SHIFT_ROL)
DEFINE_GROUP2(ror, SHIFT_ROR)
DEFINE_GROUP2(rcl, SHIFT_RCL)
DEFINE_GROUP2(rcr, SHIFT_RCR)
DEFINE_GROUP2(shl, SHIFT_SHL)
DEFINE_GROUP2(shr, SHIFT_SHR)
DEFINE_GROUP2(sar, SHIFT_SAR)
DEFINE_SVRM(op_shld_Ev_Gv_Ib, shift_double_I, true)
DEFINE_SVRM(op_shld_Ev_Gv_CL, shift_double_CL, true)
DEFINE_SVRM(op_shrd_Ev_Gv_Ib, shift_double_I, false)
DEFINE_SVRM(op_shrd_Ev_Gv_CL, shift_double_CL, false)
