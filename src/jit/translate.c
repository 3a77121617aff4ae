// SPDX-License-Identifier: MIT
// A block's translation: liveness, entry, instructions, slow paths. One pass forward over the
// instructions after one backward for the flags.
#include "jit/translate.h"

#include <assert.h>

#include "jit/window.h"

// More than any block needs: an instruction takes less than 256 bytes of hot and of cold code.
#define ROOM_NEEDED ((BLOCK_MAX_INSNS + 2) * 512u)
#define ROOM_HOOKS  (BLOCK_MAX_INSNS * 1600u)

bool translate_accepts(const struct block *block)
{
    uint32_t needed = CPU_MODE_CODE32 | CPU_MODE_CS_FLAT | CPU_MODE_PROTECTED;
    return (block->mode & needed) == needed && !(block->mode & (CPU_MODE_V86 | CPU_MODE_TF)) &&
           !block->second_host && block->linear + block->bytes >= block->linear;
}

static void compute_liveness(struct translator *t)
{
    const struct block *block = t->block;
    unsigned live = FLAGS_ARITH;
    const struct insn *last = &block->insns[block->count - 1];
    const struct opcode_row *row = &opcode_rows[last->row];
    uint32_t next = block->linear + last->offset + last->length;
    bool ends = (row->attributes & (ATTR_BRANCH | ATTR_STOP)) && !insn_is_native_stop(t, last);
    if (!ends && !(last->prefixes & (INSN_REP | INSN_REPNE)))
        live = flags_live_at(t, next);
    else if (row->operand[0] == OPND_Jb || row->operand[0] == OPND_Jz) {
        live = flags_live_at(t, next + last->imm);
        if (last->row != OPCODE_JMP_Jb && last->row != OPCODE_JMP_Jz && last->row != OPCODE_CALL_Jz)
            live |= flags_live_at(t, next);
    }
    for (unsigned i = block->count; i-- > 0;) {
        if (i + 1 == t->stop_at)
            live = FLAGS_ARITH;
        const struct insn *insn = &block->insns[i];
        if (insn->hooks && hooks_look_at_flags(insn, true))
            live = FLAGS_ARITH;
        t->live[i + 1] = (uint16_t)live;
        live = insn_flags_needed(insn, live);
        if (insn->hooks && hooks_look_at_flags(insn, false))
            live = FLAGS_ARITH;
    }
    t->live[0] = (uint16_t)live;
}

// R12 -= count. When instructions are counted exactly, a block that does not fit is not begun.
static void emit_entry(struct translator *t)
{
    struct block *block = t->block;
    struct x64 *a = &t->hot;
    unsigned live = t->live[0];
    block->code.entry_saved = a->at;
    if (t->counting) {
        x64_alu_imm(a, 5, X64_W, HOST_COUNTER, block->count);
        uint8_t *full = x64_jcc(a, X64_S, NULL);
        x64_patch(full, t->cold.at);
        x64_alu_imm(&t->cold, 0, X64_W, HOST_COUNTER, block->count);
        x64_mov_imm32(&t->cold, SCRATCH_ADDRESS, block->linear);
        x64_jmp(&t->cold, t->stubs->leave_at);
        block->code.entry = block->code.entry_saved;
        t->flags_saved = true;
        t->flags_saved_mask = FLAGS_ARITH;
        t->flags_host = false;
        return;
    }
    translate_emit_restore(a, live);
    block->code.entry = a->at;
    x64_rm(a, 0x8d | X64_W, HOST_COUNTER, x64_at(HOST_COUNTER, -(int32_t)block->count));
    t->flags_host = true;
    t->flags_saved = false;
}

// Runs the interpreter's handler (and whatever is attached to the instruction).
static void emit_step(struct translator *t, bool last)
{
    struct x64 *a = &t->hot;
    flags_release(t, t->flags_before);
    x64_mov_imm32(a, X64_R8, t->index);
    x64_rip(a, 0x8d | X64_W, X64_R9, t->header, 0);
    if (last) {
        x64_jmp(a, t->stubs->step_leave);
        return;
    }
    x64_call(a, t->stubs->step);
    t->flags_saved = true;
    t->flags_saved_mask = FLAGS_ARITH;
    t->flags_host = false;
    t->fpu = false;
}

static bool translate_native(struct translator *t, const struct insn *insn)
{
    const struct opcode_row *row = &opcode_rows[insn->row];
    if (insn->row == OPCODE_INVALID || (row->attributes & ATTR_STOP))
        return false;
    if (row->attributes & (ATTR_FPU | ATTR_MMX | ATTR_SSE))
        return translate_fpu(t, insn);
    return row->map == MAP_0F ? translate_0f(t, insn) : translate_integer(t, insn);
}

// A refusal must come before anything was emitted that matters: what stands is skipped over.
static void translate_insn(struct translator *t, bool last)
{
    const struct insn *insn = &t->block->insns[t->index];
    const struct opcode_row *row = &opcode_rows[insn->row];
    struct translator before_state = {.flags_host = t->flags_host,
                                      .flags_saved = t->flags_saved,
                                      .flags_saved_mask = t->flags_saved_mask,
                                      .fpu = t->fpu,
                                      .slow_count = t->slow_count,
                                      .unaligned_count = t->unaligned_count,
                                      .window_count = t->window_count,
                                      .fpu_check_count = t->fpu_check_count};
    uint8_t *hot = t->hot.at, *cold = t->cold.at;
    struct hook_plan plan = t->plan;
    bool ends = (row->attributes & (ATTR_BRANCH | ATTR_STOP)) ||
                ((row->attributes & ATTR_STRING) && (insn->prefixes & (INSN_REP | INSN_REPNE)));
    if (t->block->hooks)
        hooks_begin(t);
    t->plan.native = insn->hooks && hooks_are_native(t, insn, ends);
    if (t->plan.native) {
        hooks_take(t, insn);
        hooks_emit_before(t, insn);
    }
    bool native = (!insn->hooks || t->plan.native) &&
                  (ends ? translate_branch(t, insn) : translate_native(t, insn));
    if (native) {
        if (t->plan.native) {
            hooks_emit_stored(t);
            hooks_emit_after(t, insn);
        }
        t->plan.native = false;
        if (t->slow_opened && !ends) {
            struct slow_path *slow = &t->slow[t->slow_count - 1];
            slow->resume = last ? NULL : t->hot.at;
            slow->restore_flags = t->flags_host && t->flags_after != 0;
            slow->flags = (uint16_t)t->flags_after;
            slow->fpu = t->fpu;
            slow->records = hooks_end_is_at_hand(t);
        }
        if (last && !ends)
            emit_exit(t, 0, t->block->linear + insn->offset + insn->length);
        return;
    }
    t->plan = plan;
    if (insn->hooks)
        hooks_refuse(insn);
    t->hot.at = hot;
    t->cold.at = cold;
    t->flags_host = before_state.flags_host;
    t->flags_saved = before_state.flags_saved;
    t->flags_saved_mask = before_state.flags_saved_mask;
    t->fpu = before_state.fpu;
    t->slow_count = before_state.slow_count;
    t->unaligned_count = before_state.unaligned_count;
    t->window_count = before_state.window_count;
    t->fpu_check_count = before_state.fpu_check_count;
    emit_step(t, ends || insn->hooks != NULL ? last : false);
    if (last && !ends && !insn->hooks)
        emit_exit(t, 0, t->block->linear + insn->offset + insn->length);
}

// The FPU's state must not be on the host: the rest of the block is interpreted.
static void emit_rest(struct translator *t, unsigned index, bool begun)
{
    index |= begun ? STEP_BEGUN : 0;
    x64_mov_imm32(&t->cold, X64_R8, index);
    x64_rip(&t->cold, 0x8d | X64_W, X64_R9, t->header, 0);
    x64_jmp(&t->cold, t->stubs->rest);
}

static void emit_slow_paths(struct translator *t)
{
    struct x64 *a = &t->cold;
    uint8_t *starts[BLOCK_MAX_INSNS];
    for (unsigned i = 0; i < t->slow_count; i++) {
        const struct slow_path *slow = &t->slow[i];
        starts[i] = a->at;
        for (unsigned k = 0; k < slow->count; k++)
            x64_patch(slow->sites[k], a->at);
        x64_mov_imm32(a, X64_R8, slow->insn | (slow->begun ? STEP_BEGUN : 0));
        x64_rip(a, 0x8d | X64_W, X64_R9, t->header, 0);
        if (!slow->resume) {
            x64_jmp(a, t->stubs->step_leave);
            continue;
        }
        x64_call(a, t->stubs->step);
        if (slow->fpu) {
            x64_call(a, t->stubs->fpu_load);
            uint8_t *loaded = x64_jcc_short(a, X64_AE);
            emit_rest(t, slow->insn + 1u, false);
            x64_bind_short(a, loaded);
        }
        if (slow->restore_flags)
            translate_emit_restore(a, slow->flags);
        if (slow->records)
            hooks_load_end(t, a);
        x64_jmp(a, slow->resume);
    }
    for (unsigned i = 0; i < t->unaligned_count; i++) {
        const struct unaligned_path *u = &t->unaligned[i];
        x64_patch(u->site, a->at);
        x64_rorx32(a, SCRATCH_A, u->address, 12);
        x64_alu_imm(a, 7, 0, SCRATCH_A, (int32_t)((PAGE_SIZE - u->size + 1) << 20));
        x64_jcc(a, X64_AE, starts[u->slow]);
        x64_jmp(a, u->resume);
    }
    for (unsigned i = 0; i < t->window_count; i++) {
        const struct window_site *w = &t->windows[i];
        const uint8_t *to = w->leave ? w->leave : starts[w->slow];
        struct code_site site = {.hot = (uint32_t)(w->at - t->cache->rw),
                                 .slow = (uint32_t)(to - t->cache->rw) & 0x3fffffffu,
                                 .flags_host = w->flags_host,
                                 .poll = w->leave != NULL};
        code_cache_add_site(t->cache, site);
    }
    for (unsigned i = 0; i < t->fpu_check_count; i++) {
        const struct fpu_check *check = &t->fpu_checks[i];
        x64_patch(check->site, a->at);
        x64_call(a, t->stubs->fpu_load);
        x64_jcc(a, X64_AE, check->resume);
        emit_rest(t, check->insn, check->begun);
    }
}

// Leaves before the present instruction, whose share of the count is given back.
static void emit_stop(struct translator *t)
{
    const struct insn *insn = &t->block->insns[t->index];
    flags_release(t, FLAGS_ARITH);
    x64_rm(&t->hot, 0x8d | X64_W, HOST_COUNTER,
           x64_at(HOST_COUNTER, (int32_t)(t->block->count - t->index)));
    x64_mov_imm32(&t->hot, SCRATCH_ADDRESS, t->block->linear + insn->offset);
    x64_jmp(&t->hot, t->stubs->leave_at);
}

// False: the records of what is attached need wide displacements.
static bool emit_block(struct translator *t, struct block *block, bool wide)
{
    struct code_cache *cache = t->cache;
    uint8_t *hot = cache->rw + cache->hot, *cold = cache->rw + cache->cold;
    t->hot = (struct x64){.at = hot, .end = cache->rw + cache->split};
    t->cold = (struct x64){.at = cold, .end = cache->rw + cache->size};
    t->hot_start = hot;
    t->block = block;
    t->mode = block->mode;
    t->slow_count = 0;
    t->unaligned_count = 0;
    t->window_count = 0;
    t->fpu_check_count = 0;
    t->fpu = false;
    memset(&block->code, 0, sizeof block->code);
    t->header = cold;
    x64_imm64(&t->cold, (uint64_t)(uintptr_t)block);
    compute_liveness(t);
    emit_entry(t);
    t->plan = (struct hook_plan){.wide = wide};
    t->index = 0;
    if (block->hooks)
        hooks_emit_start(t);
    t->window = (block->mode & BLOCK_MODE_WINDOW) && (!block->hooks || hooks_suit_window(t));
    for (unsigned i = 0; i < block->count; i++) {
        t->index = i;
        if (i == t->stop_at) {
            emit_stop(t);
            break;
        }
        t->slow_opened = false;
        t->tabled = t->window && !window_suits(t->sites, block->linear + block->insns[i].offset);
        t->carry_at_hand = false;
        t->flags_before = t->live[i];
        t->flags_after = t->live[i + 1];
        translate_insn(t, i + 1 == block->count);
    }
    if (block->hooks && !hooks_finish(t))
        return false;
    emit_slow_paths(t);
    return true;
}

bool translate_block(struct translator *t, struct block *block)
{
    struct code_cache *cache = t->cache;
    size_t room = ROOM_NEEDED + (block->hooks ? ROOM_HOOKS : 0);
    if (cache->split - cache->hot < room || cache->size - cache->cold < room)
        return false;
    uint8_t *hot = cache->rw + cache->hot, *cold = cache->rw + cache->cold;
    if (!emit_block(t, block, false))
        emit_block(t, block, true);
    block->code.bytes = (uint32_t)(t->hot.at - hot) + (uint32_t)(t->cold.at - cold);
    block->code.hot_end = t->hot.at;
    block->code.cold = cold;
    block->code.cold_end = t->cold.at;
    cache->hot = (size_t)(t->hot.at - cache->rw + 15) & ~(size_t)15;
    cache->cold = (size_t)(t->cold.at - cache->rw + 7) & ~(size_t)7;
    return true;
}
