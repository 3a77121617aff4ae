// SPDX-License-Identifier: MIT
// PUSHF, POPF, CLI, STI at CPL 0 and pushes of segment registers. Where an interrupt becomes
// possible that is already pending, and for rights and flags beyond the usual ones, the handler.
#include "jit/translate.h"

#define POPF_PLAIN (FLAGS_ARITH | FLAG_IF | FLAG_DF)
#define POPF_OTHER (FLAG_TF | FLAG_NT | FLAG_AC | FLAG_ID | FLAG_IOPL)

static struct x64_memory eflags_field(void)
{
    return cpu_field(offsetof(struct cpu, eflags));
}

static void emit_test_byte(struct translator *t, size_t offset)
{
    x64_rm(&t->hot, 0x80, 7, cpu_field(offset));
    x64_imm(&t->hot, 0, 1);
}

static void emit_require_cpl0(struct translator *t)
{
    emit_test_byte(t, offsetof(struct cpu, cpl));
    slow_branch(t, X64_NE);
}

static bool translate_pushf(struct translator *t)
{
    struct x64 *a = &t->hot;
    const size_t raw = offsetof(struct cpu, jit.flags);
    flags_release(t, FLAGS_ARITH);
    x64_rm(a, 0xb6 | X64_0F, SCRATCH_B, cpu_field(raw + 1));
    x64_alu_imm(a, 4, 0, SCRATCH_B, FLAGS_ARITH & 0xff);
    x64_rm(a, 0xb6 | X64_0F, SCRATCH_A, cpu_field(raw));
    x64_rr(a, 0xc1, 4, SCRATCH_A);
    x64_imm(a, 11, 1); // OF
    x64_rr(a, 0x09, SCRATCH_A, SCRATCH_B);
    x64_rm(a, 0x8b, SCRATCH_A, eflags_field());
    x64_alu_imm(a, 4, 0, SCRATCH_A, (int32_t) ~(FLAGS_ARITH | FLAG_VM | FLAG_RF));
    x64_rr(a, 0x09, SCRATCH_A, SCRATCH_B);
    return push_register(t, SCRATCH_B);
}

static bool translate_push_segment(struct translator *t, unsigned segment)
{
    size_t selector = offsetof(struct cpu, segs) + segment * sizeof(struct segment) +
                      offsetof(struct segment, selector);
    flags_release_for_memory(t, t->flags_before); // uses SCRATCH_B
    x64_rm(&t->hot, 0xb7 | X64_0F, SCRATCH_B, cpu_field(selector));
    return push_register(t, SCRATCH_B);
}

bool translate_system(struct translator *t, const struct insn *insn)
{
    if (!stack_is_native(t) || insn->operand_size != 4)
        return false;
    switch (insn->row) {
    case OPCODE_PUSHF:
        return translate_pushf(t);
    case OPCODE_PUSH_ES:
        return translate_push_segment(t, SEG_ES);
    case OPCODE_PUSH_CS:
        return translate_push_segment(t, SEG_CS);
    case OPCODE_PUSH_SS:
        return translate_push_segment(t, SEG_SS);
    case OPCODE_PUSH_DS:
        return translate_push_segment(t, SEG_DS);
    case OPCODE_PUSH_FS:
        return translate_push_segment(t, SEG_FS);
    case OPCODE_PUSH_GS:
        return translate_push_segment(t, SEG_GS);
    default:
        return false;
    }
}

static void translate_popf(struct translator *t)
{
    struct x64 *a = &t->hot;
    struct x64_memory slot = emit_lookup(t, X64_R15, ACCESS_READ, 4);
    x64_rm(a, 0x8b, SCRATCH_B, slot);
    x64_alu_imm(a, 4, 0, SCRATCH_B, POPF_PLAIN | POPF_OTHER);
    x64_rm(a, 0x8b, SCRATCH_ADDRESS, eflags_field());
    x64_rr(a, 0x89, SCRATCH_ADDRESS, SCRATCH_A);
    x64_rr(a, 0x31, SCRATCH_B, SCRATCH_A);
    x64_rr(a, 0xf7, 0, SCRATCH_A);
    x64_imm(a, POPF_OTHER | FLAG_RF, 4);
    slow_branch(t, X64_NE);
    x64_rr(a, 0xf7, 0, SCRATCH_B);
    x64_imm(a, FLAG_IF, 4);
    uint8_t *masked = x64_jcc_short(a, X64_E);
    emit_test_byte(t, offsetof(struct cpu, intr));
    slow_branch(t, X64_NE);
    x64_bind_short(a, masked);
    x64_rr(a, 0x89, SCRATCH_B, SCRATCH_A);
    x64_alu_imm(a, 4, 0, SCRATCH_A, FLAG_IF | FLAG_DF);
    x64_alu_imm(a, 4, 0, SCRATCH_ADDRESS, (int32_t) ~(FLAG_IF | FLAG_DF));
    x64_rr(a, 0x09, SCRATCH_A, SCRATCH_ADDRESS);
    x64_rm(a, 0x89, SCRATCH_ADDRESS, eflags_field());
    x64_rr(a, 0xb6 | X64_0F | X64_BYTE_RM, SCRATCH_A, SCRATCH_B);
    x64_rr(a, 0xc1, 4, SCRATCH_A);
    x64_imm(a, 8, 1);
    x64_rr(a, 0xc1, 5, SCRATCH_B);
    x64_imm(a, 11, 1);
    x64_alu_imm(a, 4, 0, SCRATCH_B, 1); // OF
    x64_rr(a, 0x09, SCRATCH_B, SCRATCH_A);
    x64_rm(a, 0x89 | X64_66, SCRATCH_A, cpu_field(offsetof(struct cpu, jit.flags)));
    x64_rm(a, 0x8d, X64_R15, x64_at(X64_R15, 4));
    t->flags_host = false;
    t->flags_saved = true;
}

bool insn_is_native_stop(const struct translator *t, const struct insn *insn)
{
    if (t->counting || (t->mode & CPU_MODE_USER))
        return false;
    return insn->row == OPCODE_CLI || insn->row == OPCODE_STI ||
           (insn->row == OPCODE_POPF && insn->operand_size == 4 && stack_is_native(t));
}

bool translate_stop(struct translator *t, const struct insn *insn)
{
    struct x64 *a = &t->hot;
    if (!insn_is_native_stop(t, insn))
        return false;
    flags_release(t, t->flags_before);
    emit_require_cpl0(t);
    if (insn->row == OPCODE_POPF) {
        translate_popf(t);
    } else if (insn->row == OPCODE_CLI) {
        x64_rm(a, 0x81, 4, eflags_field());
        x64_imm(a, ~FLAG_IF, 4);
    } else {
        emit_test_byte(t, offsetof(struct cpu, intr));
        slow_branch(t, X64_NE);
        x64_rm(a, 0xf7, 0, eflags_field());
        x64_imm(a, FLAG_IF, 4);
        slow_branch(t, X64_NE); // no shadow then
        x64_rm(a, 0x81, 1, eflags_field());
        x64_imm(a, FLAG_IF, 4);
        t->shadow = true;
    }
    emit_exit(t, 0, t->block->linear + insn->offset + insn->length);
    t->shadow = false;
    return true;
}
