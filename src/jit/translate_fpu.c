// SPDX-License-Identifier: MIT
// x87, MMX and SSE on the host's own units. The guest's whole state is on the host from the first
// such instruction until C code is called; it goes there only while every exception is masked, so
// that nothing can trap. Everything else is the handlers'. The instruction and operand pointers are
// not kept: without unmasked exceptions nobody needs them.
#include "cpu/handlers.h"
#include "jit/translate.h"

// Checks that the state is on the host; if not, loads it, or has the block interpreted.
static void emit_check(struct translator *t)
{
    if (t->fpu)
        return;
    flags_release(t, t->flags_before);
    x64_rm(&t->hot, 0x80, 7, cpu_field(offsetof(struct cpu, jit.fpu_on_host)));
    x64_imm(&t->hot, 0, 1);
    struct fpu_check *check = &t->fpu_checks[t->fpu_check_count++];
    check->site = x64_jcc(&t->hot, X64_E, NULL);
    check->resume = t->hot.at;
    t->hot.named = X64_ALL_REGISTERS;
    check->insn = (uint16_t)t->index;
    check->begun = t->plan.native;
    t->fpu = true;
}

// Bytes of an x87 memory operand, 0: the handler's; *store: it is written.
static unsigned x87_operand(unsigned escape, unsigned digit, bool *store)
{
    static const uint8_t sizes[8][8] = {
        {4, 4, 4, 4, 4, 4, 4, 4},   // D8: m32
        {4, 0, 4, 4, 0, 2, 0, 2},   // D9: m32; FLDENV, FLDCW, FNSTENV, FNSTCW
        {4, 4, 4, 4, 4, 4, 4, 4},   // DA: i32
        {4, 0, 4, 4, 0, 10, 0, 10}, // DB: i32, m80
        {8, 8, 8, 8, 8, 8, 8, 8},   // DC: m64
        {8, 0, 8, 8, 0, 0, 0, 2},   // DD: m64; FRSTOR, FNSAVE, FNSTSW
        {2, 2, 2, 2, 2, 2, 2, 2},   // DE: i16
        {2, 0, 2, 2, 10, 8, 10, 8}, // DF: i16, BCD, i64
    };
    *store =
        (escape & 1) && (digit == 2 || digit == 3 || digit == 7 || (escape == 7 && digit == 6));
    return sizes[escape][digit];
}

// FLDCW: with all exceptions masked in the new word too.
static bool translate_fldcw(struct translator *t)
{
    struct operand operand;
    emit_check(t);
    flags_release(t, t->flags_before);
    if (!emit_operand(t, ACCESS_READ, 2, false, t->flags_before, &operand))
        return false;
    emit_op(t, 0xb7 | X64_0F, SCRATCH_B, &operand);
    x64_rr(&t->hot, 0xf7, 2, SCRATCH_B); // not
    x64_rr(&t->hot, 0xf6 | X64_BYTE_RM, 0, SCRATCH_B);
    x64_imm(&t->hot, 0x3f, 1);
    slow_branch(t, X64_NE);
    emit_op(t, 0xd9, 5, &operand);
    t->fpu = false; // the handler may have unmasked some
    return true;
}

static bool translate_x87(struct translator *t, const struct insn *insn)
{
    const struct opcode_row *row = &opcode_rows[insn->row];
    unsigned escape = row->opcode & 7;
    if (row->opcode == 0x9b) { // WAIT: nothing can be pending
        emit_check(t);
        return true;
    }
    if (!insn->is_memory) {
        if (row->opcode == 0xdb && insn->modrm == 0xe3)
            return false; // FNINIT clears what is not on the host as well
        emit_check(t);
        if (row->flags_read || row->flags_written)
            flags_acquire(t, insn_flags_needed(insn, t->flags_after));
        x64_byte(&t->hot, row->opcode);
        x64_byte(&t->hot, insn->modrm);
        if (row->flags_written)
            flags_written(t);
        return true;
    }
    bool store;
    unsigned digit = insn->modrm >> 3 & 7;
    unsigned size = x87_operand(escape, digit, &store);
    if (size == 0)
        return false;
    if (row->opcode == 0xd9 && digit == 5)
        return translate_fldcw(t);
    struct operand operand;
    emit_check(t);
    if (!emit_operand(t, store ? ACCESS_WRITE : ACCESS_READ, size, false, t->flags_before,
                      &operand))
        return false;
    emit_op(t, row->opcode, digit, &operand);
    return true;
}

static bool is_general(unsigned operand)
{
    return operand >= OPND_Eb && operand <= OPND_Gd;
}

// Bytes of a memory operand of this kind; 0: none.
static unsigned operand_size(unsigned operand)
{
    switch (operand) {
    case OPND_Mw:
    case OPND_Ew:
        return 2;
    case OPND_Ed:
    case OPND_Md:
    case OPND_Qd:
    case OPND_Wss:
    case OPND_Wd:
        return 4;
    case OPND_Mq:
    case OPND_Qq:
    case OPND_Wsd:
    case OPND_Wq:
        return 8;
    case OPND_Mdq:
    case OPND_Wps:
    case OPND_Wpd:
    case OPND_Wdq:
        return 16;
    default:
        return 0;
    }
}

static bool is_register_operand(unsigned operand)
{
    return operand == OPND_Nq || operand == OPND_Udq || operand == OPND_Ups ||
           operand == OPND_Upd || operand == OPND_Rd || operand_size(operand) != 0;
}

static unsigned simd_opcode(const struct opcode_row *row)
{
    static const unsigned prefixes[] = {
        [PFX_66] = X64_66, [PFX_F3] = X64_F3, [PFX_F2] = X64_F2, [PFX_ANY] = 0, [PFX_NONE] = 0};
    return row->opcode | X64_0F | prefixes[row->prefix];
}

static bool translate_simd(struct translator *t, const struct insn *insn)
{
    const struct opcode_row *row = &opcode_rows[insn->row];
    if (row->map != MAP_0F || row->opcode == 0xae || row->opcode == 0xf7 || row->prefix == PFX_ANY)
        return false;
    // CVTPI2PS from memory: processors differ in whether it turns the registers to MMX.
    if (row->opcode == 0x2a && row->prefix == PFX_NONE && insn->is_memory)
        return false;
    unsigned place = is_register_operand(row->operand[0]) ? 0 : 1;
    unsigned kind = row->operand[place];
    bool immediate = row->operand[1] == OPND_Ib || row->operand[2] == OPND_Ib;
    bool group = immediate && row->operand[1] == OPND_Ib; // shifts by an immediate: a digit
    if (row->opcode == 0x77) {                            // EMMS
        emit_check(t);
        x64_byte(&t->hot, 0x0f);
        x64_byte(&t->hot, 0x77);
        return true;
    }
    if (!is_register_operand(kind) || (insn->is_memory && operand_size(kind) == 0))
        return false;
    unsigned other = row->operand[1 - place];
    unsigned reg = !group && is_general(other) ? host_reg(insn->reg) : insn->reg;
    struct operand operand;
    emit_check(t);
    if (insn->is_memory) {
        unsigned size = operand_size(kind);
        if (!emit_operand(t, place == 0 ? ACCESS_WRITE : ACCESS_READ,
                          row->attributes & ATTR_ALIGN16 ? ACCESS_ALIGNED_16 : size, false,
                          t->flags_before, &operand))
            return false;
    } else {
        bool general = is_general(kind) || kind == OPND_Rd;
        operand = (struct operand){.reg = general ? (uint8_t)host_reg(insn->rm) : insn->rm};
    }
    if (row->flags_written)
        flags_acquire(t, insn_flags_needed(insn, t->flags_after));
    emit_op(t, simd_opcode(row), reg, &operand);
    if (immediate)
        x64_imm(&t->hot, insn->imm, 1);
    if (row->flags_written)
        flags_written(t);
    return true;
}

bool translate_fpu(struct translator *t, const struct insn *insn)
{
    const struct opcode_row *row = &opcode_rows[insn->row];
    if ((row->attributes & ATTR_FPU) && row->map == MAP_1)
        return translate_x87(t, insn);
    return (row->attributes & (ATTR_MMX | ATTR_SSE)) && translate_simd(t, insn);
}
