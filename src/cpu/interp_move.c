// SPDX-License-Identifier: MIT
// Moves and conversions: MOV (general registers and memory), MOVZX, MOVSX, LEA, XCHG, BSWAP, CBW,
// CWD, CMOVcc, SETcc, XLAT. Intel SDM vol. 2.
#include "cpu/interp.h"

ALWAYS_INLINE void mov_E_G(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                           bool memory)
{
    operand_write(cpu, insn, reg_get(cpu, insn->reg, size), size, memory);
}

ALWAYS_INLINE void mov_G_E(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                           bool memory)
{
    reg_set(cpu, insn->reg, operand_read(cpu, insn, size, memory), size);
}

ALWAYS_INLINE void mov_E_I(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                           bool memory)
{
    operand_write(cpu, insn, insn->imm, size, memory);
}

ALWAYS_INLINE void mov_Z_I(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                           bool memory)
{
    reg_set(cpu, insn->rm, insn->imm, size);
}

ALWAYS_INLINE void mov_A_O(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                           bool memory)
{
    reg_set(cpu, REG_EAX, operand_read(cpu, insn, size, true), size);
}

ALWAYS_INLINE void mov_O_A(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                           bool memory)
{
    operand_write(cpu, insn, reg_get(cpu, REG_EAX, size), size, true);
}

// MOVZX and MOVSX; op is the source's size.
ALWAYS_INLINE void movzx(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                         bool memory)
{
    reg_set(cpu, insn->reg, operand_read(cpu, insn, op, memory), size);
}

ALWAYS_INLINE void movsx(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                         bool memory)
{
    reg_set(cpu, insn->reg, sign_extend(operand_read(cpu, insn, op, memory), op), size);
}

ALWAYS_INLINE void lea(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                       bool memory)
{
    reg_set(cpu, insn->reg, insn_address(cpu, insn), size);
}

ALWAYS_INLINE void xchg_E_G(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                            bool memory)
{
    struct target target;
    uint32_t a = target_open(cpu, insn, size, memory, &target);
    target_close(cpu, insn, &target, reg_get(cpu, insn->reg, size), size, memory);
    reg_set(cpu, insn->reg, a, size);
}

ALWAYS_INLINE void xchg_Z_A(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                            bool memory)
{
    uint32_t a = reg_get(cpu, REG_EAX, size);
    reg_set(cpu, REG_EAX, reg_get(cpu, insn->rm, size), size);
    reg_set(cpu, insn->rm, a, size);
}

// A 16-bit BSWAP is undefined in the manual; hardware leaves 0.
ALWAYS_INLINE void bswap(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                         bool memory)
{
    uint32_t value = size == 4 ? __builtin_bswap32(cpu->regs[insn->rm & 7]) : 0;
    reg_set(cpu, insn->rm, value, size);
}

ALWAYS_INLINE void cbw(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                       bool memory)
{
    reg_set(cpu, REG_EAX, sign_extend(cpu->regs[REG_EAX], size / 2), size);
}

ALWAYS_INLINE void cwd(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                       bool memory)
{
    bool negative = sign_extend(cpu->regs[REG_EAX], size) >> 31;
    reg_set(cpu, REG_EDX, negative ? 0xffffffffu : 0, size);
}

// Memory is read whatever the condition says.
ALWAYS_INLINE void cmov(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                        bool memory)
{
    uint32_t value = operand_read(cpu, insn, size, memory);
    if (condition(cpu, op))
        reg_set(cpu, insn->reg, value, size);
}

ALWAYS_INLINE void setcc(struct cpu *cpu, const struct insn *insn, unsigned op, unsigned size,
                         bool memory)
{
    operand_write(cpu, insn, condition(cpu, op), size, memory);
}

// AL = [(E)BX + AL].
void op_xlat(struct cpu *cpu, const struct insn *insn)
{
    uint32_t address = cpu->regs[REG_EBX] + (uint8_t)cpu->regs[REG_EAX];
    if (insn->address_size == 2)
        address &= 0xffff;
    reg_set(cpu, REG_EAX, (uint32_t)mem_read(cpu, (enum segment_index)insn->segment, address, 1),
            1);
}

// The handlers of one condition code.
#define DEFINE_CONDITION(name, code)                                                               \
    DEFINE_SVRM(op_cmov##name, cmov, code)                                                         \
    DEFINE_SRM(op_set##name, setcc, code, 1)

// clang-format off
DEFINE_SRM(op_mov_Eb_Gb, mov_E_G, 0, 1)
DEFINE_SVRM(op_mov_Ev_Gv, mov_E_G, 0)
DEFINE_SRM(op_mov_Gb_Eb, mov_G_E, 0, 1)
DEFINE_SVRM(op_mov_Gv_Ev, mov_G_E, 0)
DEFINE_SRM(op_mov_Eb_Ib, mov_E_I, 0, 1)
DEFINE_SVRM(op_mov_Ev_Iz, mov_E_I, 0)
DEFINE_S1(op_mov_Zb_Ib, mov_Z_I, 0, 1)
DEFINE_SV(op_mov_Zv_Iz, mov_Z_I, 0)
DEFINE_S1(op_mov_AL_Ob, mov_A_O, 0, 1)
DEFINE_SV(op_mov_eAX_Ov, mov_A_O, 0)
DEFINE_S1(op_mov_Ob_AL, mov_O_A, 0, 1)
DEFINE_SV(op_mov_Ov_eAX, mov_O_A, 0)
DEFINE_SVRM(op_movzx_Gv_Eb, movzx, 1)
DEFINE_SVRM(op_movzx_Gv_Ew, movzx, 2)
DEFINE_SVRM(op_movsx_Gv_Eb, movsx, 1)
DEFINE_SVRM(op_movsx_Gv_Ew, movsx, 2)
DEFINE_SV(op_lea, lea, 0)
DEFINE_SRM(op_xchg_Eb_Gb, xchg_E_G, 0, 1)
DEFINE_SVRM(op_xchg_Ev_Gv, xchg_E_G, 0)
DEFINE_SV(op_xchg_Zv_eAX, xchg_Z_A, 0)
DEFINE_SV(op_bswap, bswap, 0)
DEFINE_SV(op_cbw, cbw, 0)
DEFINE_SV(op_cwd, cwd, 0)
DEFINE_CONDITION(o, 0)
DEFINE_CONDITION(no, 1)
DEFINE_CONDITION(b, 2)
DEFINE_CONDITION(ae, 3)
DEFINE_CONDITION(e, 4)
DEFINE_CONDITION(ne, 5)
DEFINE_CONDITION(be, 6)
DEFINE_CONDITION(a, 7)
DEFINE_CONDITION(s, 8)
DEFINE_CONDITION(ns, 9)
DEFINE_CONDITION(p, 10)
DEFINE_CONDITION(np, 11)
DEFINE_CONDITION(l, 12)
DEFINE_CONDITION(ge, 13)
DEFINE_CONDITION(le, 14)
DEFINE_CONDITION(g, 15)
