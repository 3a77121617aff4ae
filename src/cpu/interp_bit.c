// SPDX-License-Identifier: MIT
// BT, BTS, BTR, BTC, BSF, BSR. Intel SDM vol. 2. With a memory operand and the bit number in a
// register, the number is signed and reaches beyond the operand. The bit tests change CF only, as
// hardware does.
#include "cpu/interp.h"

// As encoded in ModRM.reg of group 8, less 4.
enum bit_op { BIT_TEST, BIT_SET, BIT_RESET, BIT_COMPLEMENT };

ALWAYS_INLINE uint32_t bit_change(enum bit_op op, uint32_t value, uint32_t bit)
{
    return op == BIT_SET ? value | bit : op == BIT_RESET ? value & ~bit : value ^ bit;
}

ALWAYS_INLINE void bit_at(struct cpu *cpu, const struct insn *insn, enum bit_op op, uint32_t offset,
                          unsigned number, unsigned size, bool memory)
{
    enum segment_index segment = (enum segment_index)insn->segment;
    struct target target;
    uint32_t bit = UINT32_C(1) << number;
    uint32_t value = 0;
    if (!memory)
        value = reg_get(cpu, insn->rm, size);
    else if (op == BIT_TEST)
        value = (uint32_t)mem_read(cpu, segment, offset, size);
    else
        value = (uint32_t)target_open_at(cpu, segment, offset, size, &target);
    cpu->flags_aux = (cpu->flags_aux & ~FLAG_CF) | (value >> number & FLAG_CF);
    if (op == BIT_TEST)
        return;
    value = bit_change(op, value, bit);
    if (memory)
        target_store(cpu, &target, value, size);
    else
        reg_set(cpu, insn->rm, value, size);
}

ALWAYS_INLINE void bit_E_I(struct cpu *cpu, const struct insn *insn, enum bit_op op, unsigned size,
                           bool memory)
{
    uint32_t offset = memory ? insn_address(cpu, insn) : 0;
    bit_at(cpu, insn, op, offset, insn->imm & (8 * size - 1), size, memory);
}

ALWAYS_INLINE void bit_E_G(struct cpu *cpu, const struct insn *insn, enum bit_op op, unsigned size,
                           bool memory)
{
    uint32_t offset = 0;
    uint32_t index = sign_extend(reg_get(cpu, insn->reg, size), size);
    if (memory) {
        uint32_t step = (uint32_t)((int32_t)index >> (size == 4 ? 5 : 4)) * size;
        offset = insn_address(cpu, insn) + step;
        if (insn->address_size == 2)
            offset &= 0xffff;
    }
    bit_at(cpu, insn, op, offset, index & (8 * size - 1), size, memory);
}

// ZF says that the source is zero, and then the destination stays. The other flags are undefined:
// those of the index, as AMD's Zen family has them.
ALWAYS_INLINE void bit_scan(struct cpu *cpu, const struct insn *insn, bool reverse, unsigned size,
                            bool memory)
{
    uint32_t value = operand_read(cpu, insn, size, memory);
    if (value == 0) {
        flags_set_lazy(cpu, 0, 0);
        return;
    }
    uint32_t index = (uint32_t)(reverse ? 31 - __builtin_clz(value) : __builtin_ctz(value));
    reg_set(cpu, insn->reg, index, size);
    flags_set_lazy(cpu, index | 0x100, 0);
}

// clang-format off
DEFINE_SVRM(op_bt_Ev_Gv, bit_E_G, BIT_TEST)
DEFINE_SVRM(op_bts_Ev_Gv, bit_E_G, BIT_SET)
DEFINE_SVRM(op_btr_Ev_Gv, bit_E_G, BIT_RESET)
DEFINE_SVRM(op_btc_Ev_Gv, bit_E_G, BIT_COMPLEMENT)
DEFINE_SVRM(op_bt_Ev_Ib, bit_E_I, BIT_TEST)
DEFINE_SVRM(op_bts_Ev_Ib, bit_E_I, BIT_SET)
DEFINE_SVRM(op_btr_Ev_Ib, bit_E_I, BIT_RESET)
DEFINE_SVRM(op_btc_Ev_Ib, bit_E_I, BIT_COMPLEMENT)
DEFINE_SVRM(op_bsf, bit_scan, false)
DEFINE_SVRM(op_bsr, bit_scan, true)
