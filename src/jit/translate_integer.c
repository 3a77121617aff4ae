// SPDX-License-Identifier: MIT
// One-byte opcodes: arithmetic, moves, shifts, multiplication and division, flag instructions.
// Guest and host encode them alike; registers and memory operands are renamed.
#include "jit/translate.h"

// The E operand of an instruction that takes its flags from the host.
static bool open_operand(struct translator *t, const struct insn *insn, enum access access,
                         unsigned size, unsigned other, struct operand *operand)
{
    bool own = size == 1 && is_high_byte(other);
    return emit_operand(t, access, size, own, t->flags_before, operand);
}

// op E, G or op G, E: `opcode` as the guest has it.
static bool emit_E_G(struct translator *t, const struct insn *insn, unsigned opcode,
                     enum access access, unsigned size, bool sets_flags)
{
    struct operand operand;
    if (!open_operand(t, insn, access, size, insn->reg, &operand))
        return false;
    if (sets_flags)
        flags_acquire(t, insn_flags_needed(insn, t->flags_after));
    emit_op(t, opcode | size_flag(size), size == 1 ? insn->reg : host_reg(insn->reg), &operand);
    if (sets_flags)
        flags_written(t);
    return true;
}

static unsigned imm_size(unsigned size)
{
    return size;
}

// op E, imm with the digit in ModRM.reg.
static bool emit_E_I(struct translator *t, const struct insn *insn, unsigned opcode, unsigned digit,
                     enum access access, unsigned size, unsigned immediate, bool sets_flags)
{
    struct operand operand;
    if (!emit_operand(t, access, size, false, t->flags_before, &operand))
        return false;
    if (sets_flags)
        flags_acquire(t, insn_flags_needed(insn, t->flags_after));
    unsigned flags = size == 2 ? X64_66 : size == 1 ? X64_BYTE_RM : 0;
    emit_op(t, opcode | flags, digit, &operand);
    if (immediate)
        x64_imm(&t->hot, insn->imm, immediate);
    if (sets_flags)
        flags_written(t);
    return true;
}

static bool alu_E_I(struct translator *t, const struct insn *insn, unsigned op, unsigned size)
{
    enum access access = op == 7 ? ACCESS_READ : ACCESS_WRITE;
    bool narrow = size != 1 && (int32_t)insn->imm >= INT8_MIN && (int32_t)insn->imm <= INT8_MAX &&
                  opcode_rows[insn->row].opcode == 0x83;
    if (size != 1 && !narrow && size == 4)
        narrow = (int32_t)insn->imm >= INT8_MIN && (int32_t)insn->imm <= INT8_MAX;
    unsigned opcode = size == 1 ? 0x80 : narrow ? 0x83 : 0x81;
    return emit_E_I(t, insn, opcode, op, access, size, narrow ? 1 : imm_size(size), true);
}

static bool alu_A_I(struct translator *t, const struct insn *insn, unsigned op, unsigned size)
{
    flags_acquire(t, insn_flags_needed(insn, t->flags_after));
    unsigned flags = size_flag(size);
    x64_alu_imm(&t->hot, op, flags, X64_RAX, size == 2 ? (int16_t)insn->imm : (int32_t)insn->imm);
    flags_written(t);
    return true;
}

static bool translate_alu(struct translator *t, const struct insn *insn, unsigned opcode)
{
    unsigned op = opcode >> 3;
    unsigned size = insn->operand_size;
    switch (opcode & 7) {
    case 0:
    case 1:
        return emit_E_G(t, insn, opcode, op == 7 ? ACCESS_READ : ACCESS_WRITE, size, true);
    case 2:
    case 3:
        return emit_E_G(t, insn, opcode, ACCESS_READ, size, true);
    default:
        return alu_A_I(t, insn, op, size);
    }
}

// INC and DEC of a register; their short form is a prefix on the host.
static bool translate_step(struct translator *t, const struct insn *insn, unsigned digit)
{
    flags_acquire(t, insn_flags_needed(insn, t->flags_after));
    x64_rr(&t->hot, 0xff | size_flag(insn->operand_size), digit, host_reg(insn->rm));
    flags_written(t);
    return true;
}

static bool translate_xchg(struct translator *t, const struct insn *insn, unsigned opcode)
{
    unsigned size = insn->operand_size;
    if (!insn->is_memory)
        return emit_E_G(t, insn, opcode, ACCESS_WRITE, size, false);
    struct operand operand;
    if (size == 1 && is_high_byte(insn->reg)) // the host's XCHG locks, but this is rare
        return emit_E_G(t, insn, opcode, ACCESS_WRITE, size, false);
    if (!open_operand(t, insn, ACCESS_WRITE, size, insn->reg, &operand))
        return false;
    struct x64 *a = &t->hot;
    unsigned reg = size == 1 ? insn->reg : host_reg(insn->reg);
    unsigned flag = size_flag(size);
    x64_rm(a, (size == 1 ? 0x8au : 0x8bu) | flag, SCRATCH_B, operand.memory);
    x64_rm(a, (size == 1 ? 0x88u : 0x89u) | flag, reg, operand.memory);
    x64_rr(a, (size == 1 ? 0x88u : 0x89u) | flag, SCRATCH_B, reg);
    return true;
}

static bool translate_mov_imm(struct translator *t, const struct insn *insn)
{
    struct x64 *a = &t->hot;
    if (insn->operand_size == 4) {
        x64_mov_imm32(a, host_reg(insn->rm), insn->imm);
    } else if (insn->operand_size == 2) {
        x64_plus_r(a, 0xb8 | X64_66, host_reg(insn->rm));
        x64_imm(a, insn->imm, 2);
    } else {
        x64_plus_r(a, 0xb0 | X64_BYTE, insn->rm);
        x64_imm(a, insn->imm, 1);
    }
    return true;
}

static bool translate_lea(struct translator *t, const struct insn *insn)
{
    if (insn->address_size != 4)
        return false;
    struct x64_memory memory = {
        .base = insn->base == INSN_NO_REG ? X64_NONE : (uint8_t)host_reg(insn->base),
        .index = insn->index == INSN_NO_REG ? X64_NONE : insn->index,
        .scale = insn->scale,
        .disp = (int32_t)insn->disp,
    };
    x64_rm(&t->hot, 0x8d | size_flag(insn->operand_size), host_reg(insn->reg), memory);
    return true;
}

// MOV between the accumulator and an absolute address.
static bool translate_moffs(struct translator *t, const struct insn *insn, unsigned opcode)
{
    bool store = opcode & 2;
    unsigned size = insn->operand_size;
    struct operand operand;
    if (!emit_operand(t, store ? ACCESS_WRITE : ACCESS_READ, size, false, t->flags_before,
                      &operand))
        return false;
    unsigned op = (store ? 0x88u : 0x8au) | (size != 1);
    emit_op(t, op | size_flag(size), X64_RAX, &operand);
    return true;
}

// Group 2. A count of 0 keeps the flags, which the liveness of its row expects.
static bool translate_shift(struct translator *t, const struct insn *insn, unsigned opcode)
{
    unsigned digit = insn->modrm >> 3 & 7;
    if (digit == 6)
        digit = 4; // SAL
    bool immediate = opcode < 0xd0;
    return emit_E_I(t, insn, opcode, digit, ACCESS_WRITE, insn->operand_size, immediate ? 1 : 0,
                    true);
}

// DIV: the quotient fits when the high half is below the divisor, which is then not 0 either.
static bool translate_div(struct translator *t, const struct insn *insn, unsigned size)
{
    struct operand operand;
    if (size == 1 && insn->is_memory)
        return false;
    flags_release(t, t->flags_before);
    if (!emit_operand(t, ACCESS_READ, size, false, t->flags_before, &operand))
        return false;
    unsigned flag = size_flag(size);
    if (size == 1)
        emit_op(t, 0x3a | X64_BYTE, 4, &operand); // cmp ah, r
    else
        emit_op(t, 0x3b | flag, X64_RDX, &operand);
    slow_branch(t, X64_AE);
    flags_acquire(t, insn_flags_needed(insn, t->flags_after));
    unsigned digit_flag = size == 1 ? X64_BYTE_RM : flag;
    emit_op(t, (size == 1 ? 0xf6u : 0xf7u) | digit_flag, 6, &operand);
    flags_written(t);
    return true;
}

// IDIV of a sign-extended dividend by neither 0 nor -1; everything else is the handler's.
static bool translate_idiv(struct translator *t, const struct insn *insn)
{
    struct operand operand;
    struct x64 *a = &t->hot;
    flags_release(t, t->flags_before);
    if (!emit_operand(t, ACCESS_READ, 4, false, t->flags_before, &operand))
        return false;
    t->carry_at_hand = false;
    emit_op(t, 0x8b, SCRATCH_B, &operand);
    x64_rr(a, 0x89, X64_RAX, SCRATCH_A);
    x64_rr(a, 0xc1, 7, SCRATCH_A);
    x64_imm(a, 31, 1);
    x64_rr(a, 0x39, X64_RDX, SCRATCH_A);
    slow_branch(t, X64_NE);
    x64_rm(a, 0x8d, SCRATCH_A, x64_at(SCRATCH_B, 1));
    x64_alu_imm(a, 7, 0, SCRATCH_A, 1);
    slow_branch(t, X64_BE);
    flags_acquire(t, insn_flags_needed(insn, t->flags_after));
    x64_rr(a, 0xf7, 7, SCRATCH_B);
    flags_written(t);
    return true;
}

static bool translate_group3(struct translator *t, const struct insn *insn, unsigned opcode)
{
    unsigned digit = insn->modrm >> 3 & 7;
    unsigned size = insn->operand_size;
    switch (digit) {
    case 0:
    case 1:
        return emit_E_I(t, insn, opcode, 0, ACCESS_READ, size, imm_size(size), true);
    case 2:
        return emit_E_I(t, insn, opcode, 2, ACCESS_WRITE, size, 0, false);
    case 3:
        return emit_E_I(t, insn, opcode, 3, ACCESS_WRITE, size, 0, true);
    case 4:
    case 5:
        return emit_E_I(t, insn, opcode, digit, ACCESS_READ, size, 0, true);
    case 6:
        return translate_div(t, insn, size);
    default:
        return size == 4 && translate_idiv(t, insn);
    }
}

static bool translate_flag_insn(struct translator *t, const struct insn *insn, unsigned opcode)
{
    struct x64 *a = &t->hot;
    switch (opcode) {
    case 0x9e: // SAHF
    case 0xf5: // CMC
    case 0xf8: // CLC
    case 0xf9: // STC
        flags_acquire(t, insn_flags_needed(insn, t->flags_after));
        x64_byte(a, opcode);
        flags_written(t);
        return true;
    case 0x9f: // LAHF
        flags_acquire(t, t->flags_before);
        x64_byte(a, opcode);
        return true;
    default: // CLD, STD
        flags_release(t, t->flags_before);
        x64_rm(a, 0x81, opcode == 0xfc ? 4 : 1, cpu_field(offsetof(struct cpu, eflags)));
        x64_imm(a, opcode == 0xfc ? ~FLAG_DF : FLAG_DF, 4);
        return true;
    }
}

static bool translate_convert(struct translator *t, const struct insn *insn, unsigned opcode)
{
    if (insn->operand_size == 2)
        x64_byte(&t->hot, 0x66);
    x64_byte(&t->hot, opcode);
    return true;
}

// AL = [EBX + AL]
static bool translate_xlat(struct translator *t, const struct insn *insn)
{
    if (insn->address_size != 4 || insn->segment >= SEG_FS ||
        !segment_is_native(t, insn->segment, ACCESS_READ))
        return false;
    flags_release(t, t->flags_before);
    x64_rr(&t->hot, 0xb6 | X64_0F | X64_BYTE_RM, SCRATCH_ADDRESS, X64_RAX);
    x64_rm(&t->hot, 0x8d, SCRATCH_ADDRESS, x64_indexed(SCRATCH_ADDRESS, X64_RBX, 0, 0));
    struct x64_memory memory = emit_lookup(t, SCRATCH_ADDRESS, ACCESS_READ, 1);
    x64_rm(&t->hot, 0x8a | X64_BYTE, X64_RAX, memory);
    return true;
}

static bool translate_moves(struct translator *t, const struct insn *insn, unsigned opcode)
{
    unsigned size = insn->operand_size;
    switch (opcode) {
    case 0x86:
    case 0x87:
        return translate_xchg(t, insn, opcode);
    case 0x88:
    case 0x89:
        return emit_E_G(t, insn, opcode, ACCESS_WRITE, size, false);
    case 0x8a:
    case 0x8b:
        return emit_E_G(t, insn, opcode, ACCESS_READ, size, false);
    case 0x8d:
        return translate_lea(t, insn);
    case 0xc6:
    case 0xc7:
        return emit_E_I(t, insn, opcode, 0, ACCESS_WRITE, size, imm_size(size), false);
    default:
        return translate_moffs(t, insn, opcode);
    }
}

static bool translate_high(struct translator *t, const struct insn *insn, unsigned opcode)
{
    unsigned size = insn->operand_size;
    unsigned digit = insn->modrm >> 3 & 7;
    switch (opcode) {
    case 0xc0:
    case 0xc1:
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return translate_shift(t, insn, opcode);
    case 0xc6:
    case 0xc7:
        return translate_moves(t, insn, opcode);
    case 0xd7:
        return translate_xlat(t, insn);
    case 0xf5:
    case 0xf8:
    case 0xf9:
    case 0xfc:
    case 0xfd:
        return translate_flag_insn(t, insn, opcode);
    case 0xf6:
    case 0xf7:
        return translate_group3(t, insn, opcode);
    case 0xfe:
    case 0xff:
        return digit < 2 ? emit_E_I(t, insn, opcode, digit, ACCESS_WRITE, size, 0, true)
                         : translate_stack(t, insn);
    default:
        return translate_stack(t, insn);
    }
}

bool translate_integer(struct translator *t, const struct insn *insn)
{
    unsigned opcode = opcode_rows[insn->row].opcode; // of a row with a register: the first one
    unsigned size = insn->operand_size;
    if (opcode < 0x40)
        return (opcode & 7) < 6 ? translate_alu(t, insn, opcode) : translate_system(t, insn);
    switch (opcode) {
    case 0x40:
    case 0x48:
        return translate_step(t, insn, opcode == 0x48);
    case 0x69:
    case 0x6b:
        return emit_E_G(t, insn, 0x69, ACCESS_READ, size, true) &&
               (x64_imm(&t->hot, insn->imm, size), true);
    case 0x80:
    case 0x81:
    case 0x82:
    case 0x83:
        return alu_E_I(t, insn, insn->modrm >> 3 & 7, size);
    case 0x84:
    case 0x85:
        return emit_E_G(t, insn, opcode, ACCESS_READ, size, true);
    case 0x90:
        if (insn->row != OPCODE_XCHG_Zv_eAX)
            return true;
        x64_rr(&t->hot, 0x87 | size_flag(size), X64_RAX, host_reg(insn->rm));
        return true;
    case 0x98:
    case 0x99:
        return translate_convert(t, insn, opcode);
    case 0x9e:
    case 0x9f:
        return translate_flag_insn(t, insn, opcode);
    case 0xa4:
    case 0xa5:
    case 0xa6:
    case 0xa7:
    case 0xaa:
    case 0xab:
    case 0xac:
    case 0xad:
    case 0xae:
    case 0xaf:
        return translate_string(t, insn);
    case 0xa8:
        x64_byte(&t->hot, 0xa8);
        x64_imm(&t->hot, insn->imm, 1);
        flags_written(t);
        return true;
    case 0xa9:
        return translate_convert(t, insn, 0xa9) && (x64_imm(&t->hot, insn->imm, size), true) &&
               (flags_written(t), true);
    case 0xb0:
    case 0xb8:
        return translate_mov_imm(t, insn);
    default:
        return opcode >= 0xb0 ? translate_high(t, insn, opcode)
               : opcode >= 0x84 && opcode <= 0xa3 && opcode != 0x8c && opcode != 0x8e &&
                       opcode != 0x8f && (opcode < 0x90 || opcode >= 0xa0)
                   ? translate_moves(t, insn, opcode)
                   : translate_stack(t, insn);
    }
}
