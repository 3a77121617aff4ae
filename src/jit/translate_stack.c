// SPDX-License-Identifier: MIT
// PUSH, POP, LEAVE and the single string instructions, on flat 32-bit stacks and segments.
#include "jit/translate.h"

// The slot below the stack's top, checked; in table form its address is left in SCRATCH_ADDRESS.
struct x64_memory open_push(struct translator *t)
{
    if (window_is_used(t)) {
        if (UNLIKELY(t->plan.native)) {
            x64_rm(&t->hot, 0x8d, SCRATCH_ADDRESS, x64_at(X64_R15, -4));
            hooks_emit_access(t, SCRATCH_ADDRESS, ACCESS_WRITE, 4);
        }
        return emit_window(t, x64_at(X64_R15, -4));
    }
    flags_release(t, t->flags_before);
    x64_rm(&t->hot, 0x8d, SCRATCH_ADDRESS, x64_at(X64_R15, -4));
    return emit_lookup(t, SCRATCH_ADDRESS, ACCESS_WRITE, 4);
}

void close_push(struct translator *t)
{
    if (window_is_used(t))
        x64_rm(&t->hot, 0x8d, X64_R15, x64_at(X64_R15, -4));
    else
        x64_rr(&t->hot, 0x89, SCRATCH_ADDRESS, X64_R15);
}

bool push_register(struct translator *t, unsigned reg)
{
    struct x64_memory slot = open_push(t);
    x64_rm(&t->hot, 0x89, reg, slot);
    close_push(t);
    return true;
}

static bool push_immediate(struct translator *t, uint32_t value)
{
    struct x64_memory slot = open_push(t);
    x64_mov_store_imm32(&t->hot, slot, value);
    close_push(t);
    return true;
}

static bool push_memory(struct translator *t)
{
    struct operand operand;
    if (!emit_operand(t, ACCESS_READ, 4, false, t->flags_before, &operand))
        return false;
    emit_op(t, 0x8b, SCRATCH_B, &operand);
    return push_register(t, SCRATCH_B);
}

static bool pop_register(struct translator *t, unsigned reg)
{
    flags_release_for_memory(t, t->flags_before);
    struct x64_memory slot = emit_lookup(t, X64_R15, ACCESS_READ, 4);
    x64_rm(&t->hot, 0x8b, reg, slot);
    if (reg != X64_R15)
        x64_rm(&t->hot, 0x8d, X64_R15, x64_at(X64_R15, 4));
    return true;
}

static bool translate_leave(struct translator *t)
{
    flags_release_for_memory(t, t->flags_before);
    struct x64_memory slot = emit_lookup(t, X64_RBP, ACCESS_READ, 4);
    // An access through the window may fault: until then nothing changes.
    x64_rm(&t->hot, 0x8d, SCRATCH_ADDRESS, x64_at(X64_RBP, 4));
    x64_rm(&t->hot, 0x8b, X64_RBP, slot);
    x64_rr(&t->hot, 0x89, SCRATCH_ADDRESS, X64_R15);
    return true;
}

bool translate_stack(struct translator *t, const struct insn *insn)
{
    if (!stack_is_native(t) || insn->operand_size != 4)
        return false;
    if (translate_system(t, insn))
        return true;
    switch (opcode_rows[insn->row].opcode) {
    case 0x50:
        return push_register(t, host_reg(insn->rm));
    case 0x58:
        return pop_register(t, host_reg(insn->rm));
    case 0x68:
    case 0x6a:
        return push_immediate(t, insn->imm);
    case 0x8f:
        return !insn->is_memory && pop_register(t, host_reg(insn->rm));
    case 0xc9:
        return translate_leave(t);
    case 0xff:
        if ((insn->modrm >> 3 & 7) != 6)
            return false;
        return insn->is_memory ? push_memory(t) : push_register(t, host_reg(insn->rm));
    default:
        return false;
    }
}

static void advance(struct translator *t, unsigned reg, unsigned size)
{
    x64_rm(&t->hot, 0x8d, reg, x64_at(reg, (int32_t)size));
}

// One element, DF clear: otherwise the handler.
bool translate_string(struct translator *t, const struct insn *insn)
{
    unsigned opcode = opcode_rows[insn->row].opcode;
    unsigned size = insn->operand_size;
    unsigned flag = size_flag(size);
    unsigned wide = size != 1;
    bool reads_source = opcode <= 0xa7 || (opcode & 0xfe) == 0xac;
    bool uses_es = (opcode & 0xfe) != 0xac;
    bool writes = (opcode & 0xfe) == 0xa4 || (opcode & 0xfe) == 0xaa;
    if ((insn->prefixes & (INSN_REP | INSN_REPNE)) || insn->address_size != 4 ||
        (reads_source &&
         (insn->segment >= SEG_FS || !segment_is_native(t, insn->segment, ACCESS_READ))) ||
        (uses_es && !segment_is_native(t, SEG_ES, writes ? ACCESS_WRITE : ACCESS_READ)))
        return false;
    struct x64 *a = &t->hot;
    flags_release(t, t->flags_before);
    x64_rm(a, 0xf6, 0, cpu_field(offsetof(struct cpu, eflags) + 1));
    x64_imm(a, FLAG_DF >> 8, 1);
    slow_branch(t, X64_NE);
    if (reads_source) {
        struct x64_memory source = emit_lookup(t, X64_RSI, ACCESS_READ, size);
        unsigned to = (opcode & 0xfe) == 0xac ? (unsigned)X64_RAX : (unsigned)SCRATCH_B;
        x64_rm(a, (0x8a | wide) | flag, to, source);
    }
    if (uses_es) {
        struct x64_memory place =
            emit_lookup(t, X64_RDI, writes ? ACCESS_WRITE : ACCESS_READ, size);
        unsigned other = reads_source ? (unsigned)SCRATCH_B : (unsigned)X64_RAX;
        x64_rm(a, ((writes ? 0x88u : 0x3au) | wide) | flag, other, place);
        if (!writes)
            flags_written(t);
        advance(t, X64_RDI, size);
    }
    if (reads_source)
        advance(t, X64_RSI, size);
    return true;
}
