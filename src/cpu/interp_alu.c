// SPDX-License-Identifier: MIT
// Binary and unary integer arithmetic: ADD OR ADC SBB AND SUB XOR CMP TEST INC DEC NEG NOT XADD
// CMPXCHG CMPXCHG8B. Intel SDM vol. 2. LOCK has no effect of its own: one CPU, one thread.
#include "cpu/alu.h"

ALWAYS_INLINE void alu_E(struct cpu *cpu, const struct insn *insn, enum alu_op op, uint32_t b,
                         unsigned size, bool memory)
{
    if (op == ALU_CMP) {
        alu(cpu, op, operand_read(cpu, insn, size, memory), b, size);
        return;
    }
    struct target target;
    uint32_t a = target_open(cpu, insn, size, memory, &target);
    target_close(cpu, insn, &target, alu(cpu, op, a, b, size), size, memory);
}

ALWAYS_INLINE void alu_E_G(struct cpu *cpu, const struct insn *insn, enum alu_op op, unsigned size,
                           bool memory)
{
    alu_E(cpu, insn, op, reg_get(cpu, insn->reg, size), size, memory);
}

ALWAYS_INLINE void alu_E_I(struct cpu *cpu, const struct insn *insn, enum alu_op op, unsigned size,
                           bool memory)
{
    alu_E(cpu, insn, op, insn->imm & size_mask(size), size, memory);
}

ALWAYS_INLINE void alu_G_E(struct cpu *cpu, const struct insn *insn, enum alu_op op, unsigned size,
                           bool memory)
{
    uint32_t b = operand_read(cpu, insn, size, memory);
    uint32_t result = alu(cpu, op, reg_get(cpu, insn->reg, size), b, size);
    if (op != ALU_CMP)
        reg_set(cpu, insn->reg, result, size);
}

ALWAYS_INLINE void alu_A_I(struct cpu *cpu, const struct insn *insn, enum alu_op op, unsigned size,
                           bool memory)
{
    uint32_t result = alu(cpu, op, reg_get(cpu, REG_EAX, size), insn->imm & size_mask(size), size);
    if (op != ALU_CMP)
        reg_set(cpu, REG_EAX, result, size);
}

ALWAYS_INLINE void test_E_G(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                            bool memory)
{
    uint32_t a = operand_read(cpu, insn, size, memory);
    alu_logic(cpu, a & reg_get(cpu, insn->reg, size), size);
}

ALWAYS_INLINE void test_E_I(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                            bool memory)
{
    alu_logic(cpu, operand_read(cpu, insn, size, memory) & insn->imm, size);
}

ALWAYS_INLINE void test_A_I(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                            bool memory)
{
    alu_logic(cpu, reg_get(cpu, REG_EAX, size) & insn->imm, size);
}

// INC (op 0) and DEC (op 1) leave CF alone.
ALWAYS_INLINE uint32_t step_one(struct cpu *cpu, unsigned op, uint32_t a, unsigned size)
{
    uint32_t carry = cpu->flags_aux & FLAG_CF;
    uint32_t result = op == 0 ? alu_add(cpu, a, 1, 0, size) : alu_sub(cpu, a, 1, 0, size);
    cpu->flags_aux = (cpu->flags_aux & ~FLAG_CF) | carry;
    return result;
}

ALWAYS_INLINE void step_E(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                          bool memory)
{
    struct target target;
    uint32_t a = target_open(cpu, insn, size, memory, &target);
    target_close(cpu, insn, &target, step_one(cpu, op, a, size), size, memory);
}

ALWAYS_INLINE void step_Z(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                          bool memory)
{
    uint32_t a = reg_get(cpu, insn->rm, size);
    reg_set(cpu, insn->rm, step_one(cpu, op, a, size), size);
}

ALWAYS_INLINE void neg_E(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                         bool memory)
{
    struct target target;
    uint32_t a = target_open(cpu, insn, size, memory, &target);
    target_close(cpu, insn, &target, alu_sub(cpu, 0, a, 0, size), size, memory);
}

ALWAYS_INLINE void not_E(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                         bool memory)
{
    struct target target;
    uint32_t a = target_open(cpu, insn, size, memory, &target);
    target_close(cpu, insn, &target, ~a, size, memory);
}

// When both operands are one register, it ends as the sum.
ALWAYS_INLINE void xadd_E_G(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                            bool memory)
{
    struct target target;
    uint32_t a = target_open(cpu, insn, size, memory, &target);
    uint32_t sum = alu_add(cpu, a, reg_get(cpu, insn->reg, size), 0, size);
    if (memory) { // registers change after the last access
        target_store(cpu, &target, sum, size);
        reg_set(cpu, insn->reg, a, size);
        return;
    }
    reg_set(cpu, insn->reg, a, size);
    target_close(cpu, insn, &target, sum, size, memory);
}

// Memory is written either way.
ALWAYS_INLINE void cmpxchg_E_G(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                               bool memory)
{
    struct target target;
    uint32_t a = target_open(cpu, insn, size, memory, &target);
    uint32_t accumulator = reg_get(cpu, REG_EAX, size);
    alu_sub(cpu, accumulator, a, 0, size);
    if (accumulator == a) {
        target_close(cpu, insn, &target, reg_get(cpu, insn->reg, size), size, memory);
    } else {
        if (memory)
            target_store(cpu, &target, a, size);
        reg_set(cpu, REG_EAX, a, size);
    }
}

void op_cmpxchg8b(struct cpu *cpu, const struct insn *insn)
{
    struct target target;
    uint64_t a =
        target_open_at(cpu, (enum segment_index)insn->segment, insn_address(cpu, insn), 8, &target);
    uint64_t expected = (uint64_t)cpu->regs[REG_EDX] << 32 | cpu->regs[REG_EAX];
    uint32_t flags = flags_get(cpu) & ~FLAG_ZF;
    if (a == expected) {
        target_store(cpu, &target, (uint64_t)cpu->regs[REG_ECX] << 32 | cpu->regs[REG_EBX], 8);
        flags |= FLAG_ZF;
    } else {
        target_store(cpu, &target, a, 8);
        cpu->regs[REG_EAX] = (uint32_t)a;
        cpu->regs[REG_EDX] = (uint32_t)(a >> 32);
    }
    flags_set(cpu, flags);
}

// The handlers of one operation of group 1.
#define DEFINE_GROUP1(name, op)                                                                    \
    DEFINE_SRM(op_##name##_Eb_Gb, alu_E_G, op, 1)                                                  \
    DEFINE_SVRM(op_##name##_Ev_Gv, alu_E_G, op)                                                    \
    DEFINE_SRM(op_##name##_Gb_Eb, alu_G_E, op, 1)                                                  \
    DEFINE_SVRM(op_##name##_Gv_Ev, alu_G_E, op)                                                    \
    DEFINE_S1(op_##name##_AL_Ib, alu_A_I, op, 1)                                                   \
    DEFINE_SV(op_##name##_eAX_Iz, alu_A_I, op)                                                     \
    DEFINE_SRM(op_##name##_Eb_Ib, alu_E_I, op, 1)                                                  \
    DEFINE_SVRM(op_##name##_Ev_Iz, alu_E_I, op)

// clang-format off
DEFINE_GROUP1(add, ALU_ADD)
DEFINE_GROUP1(or, ALU_OR)
DEFINE_GROUP1(adc, ALU_ADC)
DEFINE_GROUP1(sbb, ALU_SBB)
DEFINE_GROUP1(and, ALU_AND)
DEFINE_GROUP1(sub, ALU_SUB)
DEFINE_GROUP1(xor, ALU_XOR)
DEFINE_GROUP1(cmp, ALU_CMP)
DEFINE_SRM(op_test_Eb_Gb, test_E_G, 0, 1)
DEFINE_SVRM(op_test_Ev_Gv, test_E_G, 0)
DEFINE_SRM(op_test_Eb_Ib, test_E_I, 0, 1)
DEFINE_SVRM(op_test_Ev_Iz, test_E_I, 0)
DEFINE_S1(op_test_AL_Ib, test_A_I, 0, 1)
DEFINE_SV(op_test_eAX_Iz, test_A_I, 0)
DEFINE_SRM(op_inc_Eb, step_E, 0, 1)
DEFINE_SVRM(op_inc_Ev, step_E, 0)
DEFINE_SV(op_inc_Zv, step_Z, 0)
DEFINE_SRM(op_dec_Eb, step_E, 1, 1)
DEFINE_SVRM(op_dec_Ev, step_E, 1)
DEFINE_SV(op_dec_Zv, step_Z, 1)
DEFINE_SRM(op_neg_Eb, neg_E, 0, 1)
DEFINE_SVRM(op_neg_Ev, neg_E, 0)
DEFINE_SRM(op_not_Eb, not_E, 0, 1)
DEFINE_SVRM(op_not_Ev, not_E, 0)
DEFINE_SRM(op_xadd_Eb_Gb, xadd_E_G, 0, 1)
DEFINE_SVRM(op_xadd_Ev_Gv, xadd_E_G, 0)
DEFINE_SRM(op_cmpxchg_Eb_Gb, cmpxchg_E_G, 0, 1)
DEFINE_SVRM(op_cmpxchg_Ev_Gv, cmpxchg_E_G, 0)
