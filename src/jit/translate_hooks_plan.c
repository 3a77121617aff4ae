// SPDX-License-Identifier: MIT
// Which attached operations are emitted, and what stands at the start of a block: the test for room
// in record buffers, the reservation of records, and counts that several instructions of the block
// add to one counter, merged. Everything else runs in C with the instruction.
#include "jit/translate_hooks.h"

#define MAX_BUFFERS 4u

// A record weighs 2 at least.
_Static_assert(BLOCK_MAX_INSNS *MAX_HOOK_WEIGHT / 2 <= HOOK_SLACK, "records of a block");

enum hook_truth hook_predicate_truth(const struct translator *t, const struct hook_site *site,
                                     const JitPredicate *p)
{
    switch (p->kind) {
    case JIT_IF_CPL:
        if (t->mode & CPU_MODE_USER)
            return p->low == 3 ? HOOK_ALWAYS : HOOK_NEVER;
        return p->low < 3 ? HOOK_TESTED : HOOK_NEVER;
    case JIT_IF_ADDRESS: {
        uint32_t pc = site->insn->hooks->linear;
        if (p->low > UINT32_MAX || p->high < p->low)
            return HOOK_NEVER;
        if (site->access)
            return HOOK_TESTED;
        return pc >= p->low && pc <= p->high ? HOOK_ALWAYS : HOOK_NEVER;
    }
    case JIT_IF_CONTEXT:
    case JIT_IF_COUNTER:
        return HOOK_TESTED;
    default:
        return HOOK_ALWAYS;
    }
}

enum hook_truth hook_truth(const struct translator *t, const struct hook_site *site,
                           const struct hook *hook)
{
    enum hook_truth all = HOOK_ALWAYS;
    for (unsigned i = 0; i < hook->npredicates; i++) {
        enum hook_truth one = hook_predicate_truth(t, site, &hook->predicates[i]);
        if (one == HOOK_NEVER)
            return HOOK_NEVER;
        if (one == HOOK_TESTED)
            all = HOOK_TESTED;
    }
    return all;
}

static unsigned weight_of(const struct hook *list)
{
    unsigned weight = 0;
    for (const struct hook *h = list; h; h = h->next)
        weight += 1u + h->nargs + 2u * h->npredicates;
    return weight;
}

static bool place_is_access(enum jit_place place)
{
    return place >= JIT_LOAD_BEFORE && place <= JIT_STORE;
}

// Does an instruction that accesses memory like this come to the place?
static bool place_applies(enum insn_access kind, enum jit_place place)
{
    bool load = place == JIT_LOAD_BEFORE || place == JIT_LOAD;
    return !place_is_access(place) ||
           (kind != INSN_ACCESS_NONE && kind != (load ? INSN_ACCESS_STORE : INSN_ACCESS_LOAD));
}

static bool operation_is_native(const struct translator *t, const struct insn *insn,
                                const struct hook *h, enum jit_place place)
{
    bool access = place_is_access(place), reserved = hook_is_reserved(t, h);
    if (h->kind == HOOK_CALL)
        return !access;
    if (access && !reserved && insn_access_is_late(insn))
        return false;
    if (h->kind == HOOK_COUNT && h->step > INT32_MAX)
        return false;
    for (unsigned i = 0; i < h->nargs; i++) {
        if (h->args[i].kind == JIT_ARG_EA && insn->address_size != 4)
            return false;
        if (h->args[i].kind == JIT_ARG_VALUE && place != JIT_LOAD && !reserved)
            return false;
    }
    return true;
}

static unsigned value_fields(const struct hook *h)
{
    unsigned n = 0;
    for (unsigned i = 0; i < h->nargs; i++)
        n += h->args[i].kind == JIT_ARG_VALUE;
    return n;
}

bool hooks_are_native(const struct translator *t, const struct insn *insn, bool ends)
{
    const struct insn_hooks *hooks = insn->hooks;
    uint32_t attributes = opcode_rows[insn->row].attributes;
    enum insn_access kind = insn_access_of(insn);
    unsigned weight = 0, values = 0;
    if (t->single || t->plan.called ||
        ((attributes & ATTR_STRING) && (insn->prefixes & (INSN_REP | INSN_REPNE))) ||
        (ends && hooks->after))
        return false;
    if ((attributes & ATTR_BRANCH) && (hooks->branch || ((attributes & ATTR_CALL) && hooks->call) ||
                                       ((attributes & ATTR_RET) && hooks->ret)))
        return false;
    if (hooks->sees_memory && kind == INSN_ACCESS_UNKNOWN)
        return false;
    for (enum jit_place place = JIT_BEFORE; place <= JIT_STORE; place++) {
        if (!place_applies(kind, place))
            continue;
        weight += weight_of(hooks->at[place]) * (place_is_access(place) ? 2 : 1);
        for (const struct hook *h = hooks->at[place]; h; h = h->next) {
            if (!operation_is_native(t, insn, h, place))
                return false;
            if (place == JIT_STORE_BEFORE || place == JIT_STORE)
                values += value_fields(h);
        }
    }
    return weight <= MAX_HOOK_WEIGHT && 2 * values <= MAX_STORED_VALUES;
}

// Buffers of records whose place is not reserved. False: too many.
static bool use_buffers(const struct translator *t, const struct hook *list,
                        const struct JitBuffer **uses)
{
    for (const struct hook *h = list; h; h = h->next) {
        if (h->kind != HOOK_RECORD || h->buffer->dead || hook_is_reserved(t, h))
            continue;
        unsigned i = 0;
        while (i < MAX_BUFFERS && uses[i] && uses[i] != h->buffer)
            i++;
        if (i == MAX_BUFFERS)
            return false;
        uses[i] = h->buffer;
    }
    return true;
}

static bool use_insn(const struct translator *t, const struct insn *insn,
                     const struct JitBuffer **uses)
{
    enum insn_access kind = insn_access_of(insn);
    for (enum jit_place place = JIT_BEFORE; place <= JIT_STORE; place++)
        if (place_applies(kind, place) && !use_buffers(t, insn->hooks->at[place], uses))
            return false;
    return true;
}

static struct JitBuffer *first_buffer(const struct block *block)
{
    for (unsigned i = 0; i < block->count; i++) {
        const struct insn *insn = &block->insns[i];
        enum insn_access kind = insn->hooks ? insn_access_of(insn) : INSN_ACCESS_NONE;
        for (enum jit_place place = JIT_BEFORE; insn->hooks && place <= JIT_STORE; place++)
            for (const struct hook *h = insn->hooks->at[place]; h; h = h->next)
                if (h->kind == HOOK_RECORD && !h->buffer->dead && place_applies(kind, place) &&
                    !(place_is_access(place) && kind == INSN_ACCESS_UNKNOWN))
                    return h->buffer;
    }
    return NULL;
}

// Records whose predicates are tested have no certain place.
static bool can_reserve(const struct translator *t, const struct JitBuffer *buffer)
{
    const struct block *block = t->block;
    for (unsigned i = 0; i < block->count; i++) {
        const struct insn *insn = &block->insns[i];
        for (enum jit_place place = JIT_BEFORE; insn->hooks && place <= JIT_STORE; place++) {
            const struct hook_site site = {.insn = insn, .access = place_is_access(place)};
            for (const struct hook *h = insn->hooks->at[place]; h; h = h->next)
                if (h->kind == HOOK_RECORD && h->buffer == buffer &&
                    hook_truth(t, &site, h) == HOOK_TESTED)
                    return false;
        }
    }
    return true;
}

// Leaves next in SCRATCH_A, below end.
static void emit_room_test(struct translator *t, const struct JitBuffer *buffer)
{
    const uint8_t *limit = t->cold.at;
    x64_imm64(&t->cold, (uintptr_t)buffer->end);
    flags_release(t, t->live[0]);
    const uint8_t *again = t->hot.at;
    hook_emit_host(t, 0x8b | X64_W, SCRATCH_A, &buffer->next, 0);
    x64_rip(&t->hot, 0x3b | X64_W, SCRATCH_A, limit, 0);
    x64_patch(x64_jcc(&t->hot, X64_AE, NULL), t->cold.at);
    x64_mov_imm32(&t->cold, X64_R8, 0);
    x64_rip(&t->cold, 0x8d | X64_W, X64_R9, t->header, 0);
    x64_call(&t->cold, t->stubs->flush);
    x64_jmp(&t->cold, again);
}

// next += what the block needs, which is known when it has been translated.
static void emit_reservation(struct translator *t)
{
    struct JitBuffer *buffer = t->plan.buffer;
    x64_rm(&t->hot, 0x8d | X64_W, SCRATCH_A, x64_at(SCRATCH_A, INT32_MAX));
    t->plan.reserved = t->hot.at - 4;
    hook_emit_host(t, 0x89 | X64_W, SCRATCH_A, &buffer->next, 0);
    t->hot.named &= ~(1u << SCRATCH_A); // SCRATCH_A is the end of the reserved records
}

// May the block's counts be added at its start? Not when somebody may look in between.
static bool counts_are_unseen(const struct block *block)
{
    for (unsigned i = 0; i < block->count; i++) {
        const struct insn_hooks *hooks = block->insns[i].hooks;
        for (unsigned place = 0; hooks && place < JIT_PLACES; place++)
            for (const struct hook *h = hooks->at[place]; h; h = h->next) {
                if (h->kind == HOOK_CALL)
                    return false;
                for (unsigned k = 0; k < h->npredicates; k++)
                    if (h->predicates[k].kind == JIT_IF_COUNTER)
                        return false;
            }
    }
    return true;
}

// An access through the window may fault when its operations have been done: what they did must go
// with the records that the slow path takes back. They must not change flags either.
static bool operation_suits_window(const struct translator *t, const struct hook *h,
                                   enum jit_place place)
{
    if (h->kind == HOOK_CALL)
        return false;
    if (!place_is_access(place))
        return true;
    if (!hook_is_reserved(t, h))
        return false;
    for (unsigned i = 0; i < h->nargs; i++)
        if (h->args[i].kind == JIT_ARG_VALUE || !hook_argument_is_simple(&h->args[i]))
            return false;
    return true;
}

bool hooks_suit_window(const struct translator *t)
{
    const struct block *block = t->block;
    for (unsigned i = 0; i < block->count; i++) {
        const struct insn_hooks *hooks = block->insns[i].hooks;
        for (unsigned place = 0; hooks && place < JIT_PLACES; place++)
            for (const struct hook *h = hooks->at[place]; h; h = h->next)
                if (!operation_suits_window(t, h, (enum jit_place)place))
                    return false;
    }
    return true;
}

static bool can_merge(const struct translator *t, const struct insn *insn, const struct hook *h)
{
    const struct hook_site site = {.insn = insn};
    return h->kind == HOOK_COUNT && h->step <= UINT16_MAX &&
           hook_truth(t, &site, h) == HOOK_ALWAYS &&
           (!t->plan.target || h->target == t->plan.target);
}

// The counter that most likely has several counts: the first one that can be merged.
static void open_merged(struct translator *t)
{
    const struct block *block = t->block;
    struct x64 *a = &t->hot;
    for (unsigned i = 0; i < block->count && !t->plan.target; i++) {
        const struct insn *insn = &block->insns[i];
        for (const struct hook *h = insn->hooks ? insn->hooks->before : NULL; h; h = h->next)
            if (!t->plan.target && can_merge(t, insn, h))
                t->plan.target = h->target;
    }
    if (!t->plan.target)
        return;
    if (t->flags_host && t->live[0]) {
        hook_emit_host(t, 0x8b | X64_W, SCRATCH_A, t->plan.target, 0);
        x64_rm(a, 0x8d | X64_W, SCRATCH_A, x64_at(SCRATCH_A, INT32_MAX));
        t->plan.merged = a->at - 4;
        hook_emit_host(t, 0x89 | X64_W, SCRATCH_A, t->plan.target, 0);
    } else {
        hook_emit_host(t, 0x81 | X64_W, 0, t->plan.target, 4);
        t->plan.merged = a->at;
        x64_imm(a, 0, 4);
    }
}

void hooks_emit_start(struct translator *t)
{
    const struct block *block = t->block;
    const struct JitBuffer *uses[MAX_BUFFERS] = {0};
    struct JitBuffer *buffer = first_buffer(block);
    if (t->single)
        return;
    if (buffer && can_reserve(t, buffer))
        t->plan.buffer = buffer;
    for (unsigned i = 0; i < block->count; i++)
        if (block->insns[i].hooks && !use_insn(t, &block->insns[i], uses))
            t->plan.called = true;
    if (t->plan.called)
        t->plan.buffer = NULL;
    for (unsigned i = 0; i < MAX_BUFFERS && uses[i] && !t->plan.called; i++)
        emit_room_test(t, uses[i]);
    if (t->plan.buffer) {
        emit_room_test(t, t->plan.buffer);
        emit_reservation(t);
    }
    if (counts_are_unseen(block))
        open_merged(t);
}

void hooks_begin(struct translator *t)
{
    struct insn_hooks *hooks = &t->block->hooks[t->index];
    hooks->records = (uint16_t)t->plan.records;
    hooks->begun = 0;
    t->stored_count = 0;
}

void hooks_take(struct translator *t, const struct insn *insn)
{
    for (struct hook *h = insn->hooks->before; h && t->plan.merged; h = h->next) {
        h->merged = can_merge(t, insn, h);
        t->plan.total += h->merged ? h->step : 0;
    }
}

void hooks_refuse(const struct insn *insn)
{
    for (struct hook *h = insn->hooks->before; h; h = h->next)
        h->merged = false;
}

bool hooks_finish(struct translator *t)
{
    uint32_t total = (uint32_t)t->plan.total;
    if (t->plan.buffer) {
        if (!hooks_finish_reserved(t))
            return false;
        t->block->code.buffer = t->plan.buffer;
        t->block->code.records = t->plan.records;
    }
    if (t->plan.merged) {
        memcpy(t->plan.merged, &total, sizeof total);
        t->block->code.merged = total != 0;
    }
    return true;
}
