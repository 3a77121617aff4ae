// SPDX-License-Identifier: MIT
// Opcodes of the 0F map: conditional moves and sets, double shifts, bit tests, extensions,
// exchanges.
#include "cpu/handlers.h"
#include "jit/translate.h"

static bool emit_E_G(struct translator *t, const struct insn *insn, unsigned opcode,
                     enum access access, unsigned size, unsigned immediate)
{
    struct operand operand;
    bool own = size == 1 && is_high_byte(insn->reg);
    if (!emit_operand(t, access, size, own, t->flags_before, &operand))
        return false;
    flags_acquire(t, insn_flags_needed(insn, t->flags_after));
    emit_op(t, opcode | X64_0F | size_flag(size), size == 1 ? insn->reg : host_reg(insn->reg),
            &operand);
    if (immediate)
        x64_imm(&t->hot, insn->imm, 1);
    if (opcode_rows[insn->row].flags_written)
        flags_written(t);
    return true;
}

static bool translate_cmov(struct translator *t, const struct insn *insn, unsigned opcode)
{
    unsigned size = insn->operand_size;
    struct operand operand;
    if (!emit_operand(t, ACCESS_READ, size, false, t->flags_before, &operand))
        return false;
    flags_acquire(t, t->flags_before);
    emit_op(t, opcode | X64_0F | size_flag(size), host_reg(insn->reg), &operand);
    return true;
}

static bool translate_setcc(struct translator *t, const struct insn *insn, unsigned opcode)
{
    struct operand operand;
    flags_acquire(t, t->flags_before);
    if (!insn->is_memory) {
        x64_rr(&t->hot, opcode | X64_0F | X64_BYTE_RM, 0, insn->rm);
        return true;
    }
    if (!segment_is_native(t, insn->segment, ACCESS_WRITE) || insn->address_size != 4)
        return false;
    // The slow path reads the flags again. Saving them leaves them in place, and uses SCRATCH_B.
    flags_release(t, t->flags_before);
    x64_rr(&t->hot, opcode | X64_0F | X64_BYTE_RM, 0, SCRATCH_B);
    if (!emit_operand(t, ACCESS_WRITE, 1, false, t->flags_before, &operand))
        return false;
    emit_op(t, 0x88 | X64_BYTE, SCRATCH_B, &operand);
    return true;
}

// MOVZX, MOVSX: opcode's low bit says that the source is a word.
static bool translate_extend(struct translator *t, const struct insn *insn, unsigned opcode)
{
    struct operand operand;
    unsigned size = opcode & 1 ? 2 : 1;
    if (size == 1 && !insn->is_memory && is_high_byte(insn->rm) && insn->reg == REG_ESP)
        return false; // AH-BH and R15 do not go together
    if (!emit_operand(t, ACCESS_READ, size, false, t->flags_before, &operand))
        return false;
    unsigned flags = (size == 1 ? X64_BYTE_RM : 0) | (insn->operand_size == 2 ? X64_66 : 0);
    emit_op(t, opcode | X64_0F | flags, host_reg(insn->reg), &operand);
    return true;
}

static bool translate_bswap(struct translator *t, const struct insn *insn)
{
    if (insn->operand_size != 4)
        return false;
    x64_plus_r(&t->hot, 0xc8 | X64_0F, host_reg(insn->rm));
    return true;
}

// BT, BTS, BTR, BTC with the number in a register; in memory it reaches beyond the operand.
static bool translate_bit_G(struct translator *t, const struct insn *insn, unsigned opcode)
{
    unsigned size = insn->operand_size;
    enum access access = opcode == 0xa3 ? ACCESS_READ : ACCESS_WRITE;
    struct x64 *a = &t->hot;
    if (!insn->is_memory) {
        flags_acquire(t, insn_flags_needed(insn, t->flags_after));
        x64_rr(a, opcode | X64_0F | size_flag(size), host_reg(insn->reg), host_reg(insn->rm));
        flags_written(t);
        return true;
    }
    if (size != 4 || !segment_is_native(t, insn->segment, access) || insn->address_size != 4)
        return false;
    flags_release(t, t->flags_before);
    unsigned reg;
    emit_address(t, access, true, &reg);
    x64_rr(a, 0x89, host_reg(insn->reg), SCRATCH_A);
    x64_rr(a, 0xc1, 7, SCRATCH_A);
    x64_imm(a, 5, 1);
    x64_rm(a, 0x8d, reg, x64_indexed(reg, SCRATCH_A, 2, 0));
    struct x64_memory memory = emit_lookup(t, reg, access, size);
    t->carry_at_hand = false;
    x64_rr(a, 0x89, host_reg(insn->reg), SCRATCH_B);
    x64_alu_imm(a, 4, 0, SCRATCH_B, 31);
    flags_acquire(t, insn_flags_needed(insn, t->flags_after));
    x64_rm(a, opcode | X64_0F, SCRATCH_B, memory);
    flags_written(t);
    return true;
}

static bool translate_bit_I(struct translator *t, const struct insn *insn)
{
    unsigned digit = insn->modrm >> 3 & 7;
    unsigned size = insn->operand_size;
    struct operand operand;
    if (!emit_operand(t, digit == 4 ? ACCESS_READ : ACCESS_WRITE, size, false, t->flags_before,
                      &operand))
        return false;
    flags_acquire(t, insn_flags_needed(insn, t->flags_after));
    emit_op(t, 0xba | X64_0F | size_flag(size), digit, &operand);
    x64_imm(&t->hot, insn->imm & (8 * size - 1), 1);
    flags_written(t);
    return true;
}

static bool translate_cmpxchg(struct translator *t, const struct insn *insn, unsigned opcode)
{
    unsigned size = insn->operand_size;
    if (size == 1 && insn->is_memory && is_high_byte(insn->reg))
        return false; // AL is an operand too, and must not be rotated away
    return emit_E_G(t, insn, opcode, ACCESS_WRITE, size, 0);
}

static bool translate_cmpxchg8b(struct translator *t, const struct insn *insn)
{
    struct operand operand;
    if (!emit_operand(t, ACCESS_WRITE, 8, false, t->flags_before, &operand))
        return false;
    flags_acquire(t, insn_flags_needed(insn, t->flags_after));
    emit_op(t, 0xc7 | X64_0F, 1, &operand);
    flags_written(t);
    return true;
}

// XADD of a register with itself or with memory addressed by it goes as on the host.
static bool translate_xadd(struct translator *t, const struct insn *insn, unsigned opcode)
{
    return emit_E_G(t, insn, opcode, ACCESS_WRITE, insn->operand_size, 0);
}

bool translate_0f(struct translator *t, const struct insn *insn)
{
    unsigned opcode = opcode_rows[insn->row].opcode;
    unsigned size = insn->operand_size;
    switch (opcode >> 4) {
    case 4:
        return translate_cmov(t, insn, opcode);
    case 9:
        return translate_setcc(t, insn, opcode);
    default:
        break;
    }
    switch (opcode) {
    case 0x18:
    case 0x19:
    case 0x1a:
    case 0x1b:
    case 0x1c:
    case 0x1d:
    case 0x1e:
    case 0x1f:
        return insn->handler == op_nop || insn->handler == sse_prefetch;
    case 0xa0:
    case 0xa8:
        return translate_system(t, insn);
    case 0xa3:
    case 0xab:
    case 0xb3:
    case 0xbb:
        return translate_bit_G(t, insn, opcode);
    case 0xba:
        return translate_bit_I(t, insn);
    case 0xa4: // of words, counts above 16 are undefined: as the interpreter has them
    case 0xac:
        return size == 4 && emit_E_G(t, insn, opcode, ACCESS_WRITE, size, 1);
    case 0xa5:
    case 0xad:
        return size == 4 && emit_E_G(t, insn, opcode, ACCESS_WRITE, size, 0);
    case 0xaf:
    case 0xbc:
    case 0xbd:
        return emit_E_G(t, insn, opcode, ACCESS_READ, size, 0);
    case 0xb0:
    case 0xb1:
        return translate_cmpxchg(t, insn, opcode);
    case 0xb6:
    case 0xb7:
    case 0xbe:
    case 0xbf:
        return translate_extend(t, insn, opcode);
    case 0xc0:
    case 0xc1:
        return translate_xadd(t, insn, opcode);
    case 0xc7:
        return insn->row == OPCODE_CMPXCHG8B && translate_cmpxchg8b(t, insn);
    case 0xc8:
        return translate_bswap(t, insn);
    default:
        return false;
    }
}
