// SPDX-License-Identifier: MIT
// The ends of blocks: direct jumps that link to their targets, indirect jumps through the jump
// cache, and the look at cpu->kicked on every backward jump. Intel SDM vol. 2.
#include "jit/translate.h"

static bool same_page(const struct translator *t, uint32_t linear)
{
    return ((linear ^ t->block->linear) & PAGE_MASK) == 0;
}

static uint32_t insn_linear(const struct translator *t, const struct insn *insn)
{
    return t->block->linear + insn->offset;
}

static bool is_backward(const struct translator *t, uint32_t linear)
{
    return linear <= insn_linear(t, &t->block->insns[t->index]);
}

// The stub of exits[number]: saves what is still in host flags, names the exit, leaves.
static uint8_t *emit_exit_stub(struct translator *t, unsigned number, unsigned live)
{
    uint8_t *start = t->cold.at;
    if (!t->flags_saved)
        translate_emit_save(&t->cold, live);
    if (t->shadow) {
        x64_rm(&t->cold, 0xc6, 0, cpu_field(offsetof(struct cpu, interrupt_shadow)));
        x64_imm(&t->cold, 1, 1);
    }
    x64_mov_imm32(&t->cold, X64_R8, number);
    x64_rip(&t->cold, 0x8d | X64_W, X64_R9, t->header, 0);
    x64_jmp(&t->cold, t->stubs->leave_direct);
    return start;
}

// Leaves when cpu->kicked is set. Without answered faults this changes the flags.
static void emit_poll(struct translator *t, const uint8_t *leave)
{
    struct x64 *a = &t->hot;
    if (t->faulting) {
        t->windows[t->window_count++] = (struct window_site){.at = a->at, .leave = leave};
        x64_rm(a, 0x8b | X64_W, SCRATCH_A, cpu_field(offsetof(struct cpu, poll)));
        x64_rm(a, 0x8b, SCRATCH_A, x64_at(SCRATCH_A, 0));
        return;
    }
    x64_rm(a, 0x83, 7, cpu_field(offsetof(struct cpu, kicked)));
    x64_imm(a, 0, 1);
    x64_jcc(a, X64_NE, leave);
}

// A backward jump polls; a jump to another page is guarded by the execute table's entry.
void emit_exit(struct translator *t, unsigned number, uint32_t linear)
{
    struct block_exit *exit = &t->block->code.exits[number];
    struct x64 *a = &t->hot;
    bool guard = !same_page(t, linear) && !t->single;
    bool poll = is_backward(t, linear) && !t->single;
    unsigned live = flags_live_at(t, linear);
    if (guard || (poll && !t->faulting) || t->counting)
        flags_release(t, live);
    bool saved = !t->flags_host || t->counting;
    *exit = (struct block_exit){.from = t->block, .target = linear, .saved = saved};
    exit->stub = emit_exit_stub(t, number, live);
    if (poll)
        emit_poll(t, exit->stub);
    if (guard) {
        int32_t entry =
            (int32_t)(MMU_EXECUTE * TLB_TABLE_BYTES + (linear >> PAGE_SHIFT) * sizeof(uintptr_t));
        exit->guard = t->cold.at;
        x64_imm64(&t->cold, ADDEND_NEVER);
        x64_rm(a, 0x8b | X64_W, SCRATCH_ADDEND, x64_at(HOST_TLB, entry));
        x64_rip(a, 0x3b | X64_W, SCRATCH_ADDEND, exit->guard, 0);
        x64_jcc(a, X64_NE, exit->stub);
    }
    exit->site = x64_jmp(a, exit->stub);
}

// Jumps to the offset in SCRATCH_ADDRESS by way of the jump cache. The flags have been released.
static void emit_indirect(struct translator *t)
{
    struct x64 *a = &t->hot;
    const uint8_t *miss = t->stubs->leave_at;
    if (t->single) {
        x64_jmp(a, miss);
        return;
    }
    emit_poll(t, miss);
    x64_rr(a, 0x89, SCRATCH_ADDRESS, SCRATCH_A);
    x64_alu_imm(a, 4, 0, SCRATCH_A, JUMP_CACHE_SIZE - 1);
    x64_rr(a, 0xc1, 4, SCRATCH_A);
    x64_imm(a, JUMP_CACHE_SHIFT, 1);
    x64_rm(a, 0x03 | X64_W, SCRATCH_A, cpu_field(offsetof(struct cpu, jit.jump_cache)));
    x64_rm(a, 0x39, SCRATCH_ADDRESS, x64_at(SCRATCH_A, offsetof(struct jump_cache_entry, linear)));
    x64_jcc(a, X64_NE, miss);
    x64_rm(a, 0x81, 7, x64_at(SCRATCH_A, offsetof(struct jump_cache_entry, mode)));
    x64_imm(a, t->mode, 4);
    x64_jcc(a, X64_NE, miss);
    x64_rr(a, 0x89, SCRATCH_ADDRESS, SCRATCH_ADDEND);
    x64_rr(a, 0xc1, 5, SCRATCH_ADDEND);
    x64_imm(a, PAGE_SHIFT, 1);
    x64_rm(a, 0x8b | X64_W, SCRATCH_ADDEND,
           x64_indexed(HOST_TLB, SCRATCH_ADDEND, 3, (int32_t)(MMU_EXECUTE * TLB_TABLE_BYTES)));
    x64_rm(a, 0x3b | X64_W, SCRATCH_ADDEND,
           x64_at(SCRATCH_A, offsetof(struct jump_cache_entry, addend)));
    x64_jcc(a, X64_NE, miss);
    x64_rm(a, 0xff, 4, x64_at(SCRATCH_A, offsetof(struct jump_cache_entry, code)));
}

// Jcc: the conditional jump leads straight to the target where nothing stands before it.
static bool translate_jcc(struct translator *t, const struct insn *insn, unsigned condition)
{
    struct x64 *a = &t->hot;
    uint32_t next = insn_linear(t, insn) + insn->length;
    uint32_t target = next + insn->imm;
    flags_acquire(t, t->flags_before);
    bool polls = is_backward(t, target) && !t->single;
    bool simple = same_page(t, target) && (!polls || t->faulting) && !t->counting;
    if (simple) {
        struct block_exit *exit = &t->block->code.exits[1];
        *exit = (struct block_exit){.from = t->block, .target = target};
        exit->stub = emit_exit_stub(t, 1, flags_live_at(t, target));
        exit->saved = false;
        if (polls)
            emit_poll(t, t->cold.at);
        exit->site = x64_jcc(a, (enum x64_condition)condition, exit->stub);
        if (polls) { // the poll's way out: the jump again, not linked
            x64_jcc(&t->cold, (enum x64_condition)condition, exit->stub);
            x64_jmp(&t->cold, a->at);
        }
        emit_exit(t, 0, next);
        return true;
    }
    uint8_t *not_taken = x64_jcc(a, (enum x64_condition)(condition ^ 1), NULL);
    bool saved = t->flags_saved;
    emit_exit(t, 1, target);
    t->flags_host = true;
    t->flags_saved = saved;
    x64_patch(not_taken, a->at);
    emit_exit(t, 0, next);
    return true;
}

// LOOP and JECXZ leave the flags alone, as the host's JRCXZ does.
static bool translate_count(struct translator *t, const struct insn *insn, bool loop)
{
    struct x64 *a = &t->hot;
    uint32_t next = insn_linear(t, insn) + insn->length;
    if (insn->address_size != 4)
        return false;
    if (loop)
        x64_rm(a, 0x8d, X64_RCX, x64_at(X64_RCX, -1));
    x64_byte(a, 0xe3); // jrcxz
    x64_byte(a, 0);
    uint8_t *zero = a->at - 1;
    uint8_t *other = x64_jmp(a, NULL);
    x64_bind_short(a, zero);
    bool host = t->flags_host, saved = t->flags_saved;
    emit_exit(t, 0, loop ? next : next + insn->imm);
    t->flags_host = host;
    t->flags_saved = saved;
    x64_patch(other, a->at);
    emit_exit(t, 1, loop ? next + insn->imm : next);
    return true;
}

static bool translate_call(struct translator *t, const struct insn *insn, bool direct)
{
    struct x64 *a = &t->hot;
    uint32_t next = insn_linear(t, insn) + insn->length;
    if (!stack_is_native(t))
        return false;
    if (!direct) {
        struct operand operand;
        if (!emit_operand(t, ACCESS_READ, 4, false, t->flags_before, &operand))
            return false;
        flags_release(t, t->flags_before);
        emit_op(t, 0x8b, SCRATCH_B, &operand);
    }
    struct x64_memory slot = open_push(t);
    x64_mov_store_imm32(a, slot, next);
    close_push(t);
    hooks_emit_stored(t);
    if (direct) {
        emit_exit(t, 0, next + insn->imm);
    } else {
        x64_rr(a, 0x89, SCRATCH_B, SCRATCH_ADDRESS);
        emit_indirect(t);
    }
    return true;
}

static bool translate_jmp_E(struct translator *t)
{
    struct operand operand;
    if (!emit_operand(t, ACCESS_READ, 4, false, t->flags_before, &operand))
        return false;
    flags_release(t, t->flags_before);
    emit_op(t, 0x8b, SCRATCH_ADDRESS, &operand);
    emit_indirect(t);
    return true;
}

static bool translate_ret(struct translator *t, const struct insn *insn)
{
    if (!stack_is_native(t))
        return false;
    flags_release(t, t->flags_before);
    struct x64_memory slot = emit_lookup(t, X64_R15, ACCESS_READ, 4);
    x64_rm(&t->hot, 0x8b, SCRATCH_ADDRESS, slot);
    x64_rm(&t->hot, 0x8d, X64_R15, x64_at(X64_R15, 4 + (int32_t)insn->imm));
    emit_indirect(t);
    return true;
}

bool translate_branch(struct translator *t, const struct insn *insn)
{
    const struct opcode_row *row = &opcode_rows[insn->row];
    if (row->attributes & ATTR_STOP)
        return translate_stop(t, insn);
    if (insn->operand_size != 4 || insn->row == OPCODE_INVALID)
        return false;
    if (row->attributes & ATTR_COND)
        return translate_jcc(t, insn, row->opcode & 15);
    switch (insn->row) {
    case OPCODE_JMP_Jz:
    case OPCODE_JMP_Jb:
        emit_exit(t, 0, insn_linear(t, insn) + insn->length + insn->imm);
        return true;
    case OPCODE_CALL_Jz:
        return translate_call(t, insn, true);
    case OPCODE_CALL_Ev:
        return translate_call(t, insn, false);
    case OPCODE_JMP_Ev:
        return translate_jmp_E(t);
    case OPCODE_RET:
    case OPCODE_RET_Iw:
        return translate_ret(t, insn);
    case OPCODE_LOOP:
        return translate_count(t, insn, true);
    case OPCODE_JCXZ:
        return translate_count(t, insn, false);
    default:
        return false;
    }
}

void block_exit_link(struct block_exit *exit, struct block *to, uint64_t addend)
{
    exit->to = to;
    exit->next_incoming = to->code.incoming;
    to->code.incoming = exit;
    x64_patch(exit->site, exit->saved ? to->code.entry_saved : to->code.entry);
    if (exit->guard)
        memcpy(exit->guard, &addend, sizeof addend);
}

void block_exit_unlink(struct block_exit *exit)
{
    if (!exit->to)
        return;
    struct block_exit **link = &exit->to->code.incoming;
    while (*link != exit)
        link = &(*link)->next_incoming;
    *link = exit->next_incoming;
    exit->to = NULL;
    x64_patch(exit->site, exit->stub);
    if (exit->guard)
        memcpy(exit->guard, &(uint64_t){ADDEND_NEVER}, sizeof(uint64_t));
}

void block_unlink(struct block *block)
{
    while (block->code.incoming)
        block_exit_unlink(block->code.incoming);
    for (unsigned i = 0; i < ARRAY_SIZE(block->code.exits); i++)
        block_exit_unlink(&block->code.exits[i]);
}
