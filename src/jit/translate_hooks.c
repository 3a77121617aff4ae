// SPDX-License-Identifier: MIT
// Attached operations as host code: counts, stores, records, predicates; lists with calls as one
// call of C. SCRATCH_A and, saved at memory accesses, SCRATCH_B are theirs. Room in record buffers
// has been checked at the start of the block.
#include "jit/translate_hooks.h"

#include <assert.h>

static bool fits_imm32(uint64_t value)
{
    return value <= INT32_MAX;
}

static int64_t distance(const void *address, const void *from)
{
    return (int64_t)((uintptr_t)address - (uintptr_t)from);
}

static bool is_short(int64_t d)
{
    return d > INT32_MIN + (1 << 20) && d < INT32_MAX - (1 << 20);
}

bool hook_is_near(const struct translator *t, const void *address)
{
    return is_short(distance(address, t->cpu)) ||
           is_short(distance(address, code_cache_executable(t->cache, t->hot.at)));
}

static void hook_emit_host_with(const struct translator *t, struct x64 *a, unsigned opcode,
                                unsigned reg, const void *address, unsigned scratch,
                                unsigned trailing)
{
    if (is_short(distance(address, t->cpu))) {
        x64_rm(a, opcode, reg, cpu_field((size_t)distance(address, t->cpu)));
    } else if (hook_is_near(t, address)) {
        // Displacements are those of the executable view.
        uintptr_t shift = (uintptr_t)t->cache->rw - (uintptr_t)t->cache->rx;
        x64_rip(a, opcode, reg, (const uint8_t *)((uintptr_t)address + shift), trailing);
    } else {
        x64_mov_imm64(a, scratch, (uintptr_t)address);
        x64_rm(a, opcode, reg, x64_at(scratch, 0));
    }
}

void hook_emit_host(struct translator *t, unsigned opcode, unsigned reg, const void *address,
                    unsigned trailing)
{
    hook_emit_host_with(t, &t->hot, opcode, reg, address, SCRATCH_B, trailing);
}

bool hooks_end_is_at_hand(const struct translator *t)
{
    return t->plan.buffer && !(t->hot.named & 1u << SCRATCH_A);
}

void hooks_load_end(const struct translator *t, struct x64 *a)
{
    hook_emit_host_with(t, a, 0x8b | X64_W, SCRATCH_A, &t->plan.buffer->next, SCRATCH_A, 0);
}

void hook_emit_context(struct translator *t, unsigned reg)
{
    struct x64 *a = &t->hot;
    const size_t mmu = offsetof(struct cpu, mmu);
    x64_rm(a, 0x8b, reg, cpu_field(mmu + offsetof(struct mmu, cr3)));
    x64_rm(a, 0xf6, 0, cpu_field(mmu + offsetof(struct mmu, cr4)));
    x64_imm(a, CR4_PAE, 1);
    uint8_t *pae = x64_jcc_short(a, X64_NE);
    x64_alu_imm(a, 4, 0, reg, (int32_t)0xfffff000);
    x64_bind_short(a, pae);
    x64_alu_imm(a, 4, 0, reg, (int32_t)0xffffffe0);
}

// Jumps that skip the operation when a predicate does not hold.
static unsigned emit_predicates(struct translator *t, const struct hook_site *site,
                                const struct hook *hook, uint8_t **skips)
{
    struct x64 *a = &t->hot;
    unsigned n = 0;
    for (unsigned i = 0; i < hook->npredicates; i++) {
        const JitPredicate *p = &hook->predicates[i];
        enum x64_condition skip = X64_NE;
        if (hook_predicate_truth(t, site, p) == HOOK_ALWAYS)
            continue;
        switch (p->kind) {
        case JIT_IF_CONTEXT:
            hook_emit_context(t, SCRATCH_B);
            x64_alu_imm(a, 7, 0, SCRATCH_B, (int32_t)p->low);
            break;
        case JIT_IF_CPL:
            x64_rm(a, 0x80, 7, cpu_field(offsetof(struct cpu, cpl)));
            x64_imm(a, (uint32_t)p->low, 1);
            break;
        case JIT_IF_ADDRESS:
            x64_rm(a, 0x8d, SCRATCH_A,
                   x64_at(site->reg, (int32_t)((uint32_t)site->offset - (uint32_t)p->low)));
            x64_alu_imm(a, 7, 0, SCRATCH_A,
                        (int32_t)((p->high > UINT32_MAX ? UINT32_MAX : p->high) - p->low));
            skip = X64_A;
            break;
        default: // JIT_IF_COUNTER
            hook_emit_host(t, 0x8b | X64_W, SCRATCH_A, p->counter, 0);
            x64_mov_imm64(a, SCRATCH_B, p->low);
            x64_rr(a, 0x39 | X64_W, SCRATCH_B, SCRATCH_A);
            skip = X64_B;
            break;
        }
        skips[n++] = x64_jcc(a, skip, NULL);
    }
    return n;
}

void hook_emit_operand_address(struct translator *t, const struct insn *insn, unsigned reg)
{
    struct x64_memory memory = {
        .base = insn->base == INSN_NO_REG ? X64_NONE : (uint8_t)host_reg(insn->base),
        .index = insn->index == INSN_NO_REG ? X64_NONE : insn->index,
        .scale = insn->scale,
        .disp = (int32_t)insn->disp,
    };
    if (insn->base == INSN_NO_REG && insn->index == INSN_NO_REG)
        x64_mov_imm32(&t->hot, reg, insn->disp);
    else
        x64_rm(&t->hot, 0x8d, reg, memory);
    x64_rm(&t->hot, 0x03, reg,
           cpu_field(offsetof(struct cpu, segs) + insn->segment * sizeof(struct segment) +
                     offsetof(struct segment, base)));
}

static void emit_load(struct x64 *a, unsigned reg, struct x64_memory memory, unsigned size)
{
    unsigned opcode = size == 8   ? 0x8b | X64_W
                      : size == 4 ? 0x8b
                      : size == 2 ? 0xb7 | X64_0F
                                  : 0xb6 | X64_0F;
    x64_rm(a, opcode, reg, memory);
}

static bool constant_of(const struct translator *t, const struct hook_site *site, const JitArg *arg,
                        uint64_t *value)
{
    switch (arg->kind) {
    case JIT_ARG_CONST32:
    case JIT_ARG_CONST64:
    case JIT_ARG_POINTER:
    case JIT_ARG_PC:
        *value = arg->value;
        return true;
    case JIT_ARG_SIZE:
        *value = site->size;
        return true;
    case JIT_ARG_CPL:
        *value = 3;
        return t->mode & CPU_MODE_USER;
    default:
        return false;
    }
}

// The host register that holds an argument; SCRATCH_B where none does.
static unsigned emit_argument(struct translator *t, const struct hook_site *site, const JitArg *arg)
{
    struct x64 *a = &t->hot;
    uint64_t value;
    if (constant_of(t, site, arg, &value)) {
        x64_mov_imm64(a, SCRATCH_B, value);
        return SCRATCH_B;
    }
    switch (arg->kind) {
    case JIT_ARG_CPU:
        return HOST_CPU;
    case JIT_ARG_REG:
        return host_reg(arg->value & 7);
    case JIT_ARG_ADDRESS:
        if (site->offset == 0)
            return site->reg;
        x64_rm(a, 0x8d, SCRATCH_B, x64_at(site->reg, site->offset));
        break;
    case JIT_ARG_EA:
        hook_emit_operand_address(t, site->insn, SCRATCH_B);
        break;
    case JIT_ARG_ACCESS:
        x64_mov_imm64(a, SCRATCH_B, hook_access_word(0, site->size, !site->load, arg->value));
        x64_rm(a, 0x8d | X64_W, SCRATCH_B, x64_indexed(SCRATCH_B, site->reg, 0, site->offset));
        break;
    case JIT_ARG_VALUE:
        emit_load(a, SCRATCH_B, x64_indexed(SCRATCH_ADDEND, site->reg, 0, site->offset),
                  site->size);
        break;
    case JIT_ARG_CONTEXT:
        hook_emit_context(t, SCRATCH_B);
        break;
    case JIT_ARG_CPL:
        x64_rm(a, 0xb6 | X64_0F, SCRATCH_B, cpu_field(offsetof(struct cpu, cpl)));
        break;
    default: // JIT_ARG_ICOUNT
        x64_rm(a, 0x8b | X64_W, SCRATCH_B, cpu_field(offsetof(struct cpu, jit.target)));
        x64_rr(a, 0x29 | X64_W, HOST_COUNTER, SCRATCH_B);
        x64_alu_imm(a, 5, X64_W, SCRATCH_B, (int32_t)(t->block->count - t->index));
        break;
    }
    return SCRATCH_B;
}

static bool flags_are_free(const struct translator *t, unsigned live)
{
    return !t->flags_host || live == 0;
}

// *target += step; mov and lea leave the flags alone.
static void emit_count(struct translator *t, const struct hook *hook, bool free)
{
    struct x64 *a = &t->hot;
    bool byte = hook->step <= INT8_MAX;
    if (free) {
        hook_emit_host(t, (byte ? 0x83u : 0x81u) | X64_W, 0, hook->target, byte ? 1 : 4);
        x64_imm(a, (uint32_t)hook->step, byte ? 1 : 4);
        return;
    }
    hook_emit_host(t, 0x8b | X64_W, SCRATCH_A, hook->target, 0);
    x64_rm(a, 0x8d | X64_W, SCRATCH_A, x64_at(SCRATCH_A, (int32_t)hook->step));
    hook_emit_host(t, 0x89 | X64_W, SCRATCH_A, hook->target, 0);
}

static void emit_store(struct translator *t, const struct hook_site *site, const struct hook *hook)
{
    uint64_t value;
    if (constant_of(t, site, &hook->args[0], &value) && fits_imm32(value)) {
        hook_emit_host(t, 0xc7 | X64_W, 0, hook->target, 4);
        x64_imm(&t->hot, (uint32_t)value, 4);
        return;
    }
    unsigned reg = emit_argument(t, site, &hook->args[0]);
    if (reg == SCRATCH_B) {
        x64_rr(&t->hot, 0x89 | X64_W, SCRATCH_B, SCRATCH_A);
        reg = SCRATCH_A;
    }
    hook_emit_host(t, 0x89 | X64_W, reg, hook->target, 0);
}

// A place in a record: from where the record starts in SCRATCH_A, or from the end of the reserved
// part, which SCRATCH_A holds, and from which the distance is known when the block is finished.
struct slot {
    bool reserved;
    int32_t at;
};

#define NARROW_BIAS 128
#define WIDE_BIAS   (1 << 20)

static void emit_slot(struct translator *t, unsigned opcode, unsigned reg, struct slot slot)
{
    struct x64 *a = &t->hot;
    bool wide = t->plan.wide || slot.at >= NARROW_BIAS; // that is not narrow: hooks_finish refuses
    if (!slot.reserved) {
        x64_rm(a, opcode, reg, x64_at(SCRATCH_A, slot.at));
        return;
    }
    x64_rm(a, opcode, reg, x64_at(SCRATCH_A, slot.at - (wide ? WIDE_BIAS : NARROW_BIAS)));
    assert(t->plan.slots < MAX_SLOTS);
    t->slots[t->plan.slots++] = (uint32_t)(a->at - (wide ? 4 : 1) - t->hot_start);
}

static void finish_slots(const struct translator *t, int32_t bytes)
{
    for (unsigned i = 0; i < t->plan.slots; i++) {
        uint8_t *site = t->hot_start + t->slots[i];
        int32_t value = (int8_t)*site + NARROW_BIAS - bytes;
        if (t->plan.wide) {
            memcpy(&value, site, sizeof value);
            value += WIDE_BIAS - bytes;
            memcpy(site, &value, sizeof value);
        } else {
            *site = (uint8_t)value;
        }
    }
}

bool hooks_finish_reserved(struct translator *t)
{
    const struct JitBuffer *buffer = t->plan.buffer;
    uint32_t bytes = t->plan.records * buffer->fields * (uint32_t)sizeof(uint64_t);
    if (!t->plan.wide && bytes > NARROW_BIAS)
        return false;
    memcpy(t->plan.reserved, &bytes, sizeof bytes);
    finish_slots(t, (int32_t)bytes);
    return true;
}

static void emit_slot_imm32(struct translator *t, struct slot slot, uint32_t value)
{
    emit_slot(t, 0xc7, 0, slot);
    x64_imm(&t->hot, value, 4);
}

static struct slot upper_half(struct slot slot)
{
    slot.at += 4;
    return slot;
}

static void emit_field(struct translator *t, const struct hook_site *site, const JitArg *arg,
                       struct slot slot)
{
    uint64_t value;
    if (arg->kind == JIT_ARG_ACCESS) {
        const JitArg address = jit_address();
        emit_slot(t, 0x89, emit_argument(t, site, &address), slot);
        value = hook_access_word(0, site->size, !site->load, arg->value);
        emit_slot_imm32(t, upper_half(slot), (uint32_t)(value >> 32));
    } else if (!constant_of(t, site, arg, &value)) {
        emit_slot(t, 0x89 | X64_W, emit_argument(t, site, arg), slot);
    } else if (fits_imm32(value)) {
        emit_slot(t, 0xc7 | X64_W, 0, slot);
        x64_imm(&t->hot, (uint32_t)value, 4);
    } else {
        emit_slot_imm32(t, slot, (uint32_t)value);
        emit_slot_imm32(t, upper_half(slot), (uint32_t)(value >> 32));
    }
}

// The stored value is there when the instruction has been executed.
static void note_stored(struct translator *t, const struct hook_site *site, int32_t at)
{
    struct stored_value value = {at, (uint8_t)site->offset, (uint8_t)site->size};
    if (t->stored_count == 0) {
        x64_rm(&t->hot, 0x8d | X64_W, SCRATCH_A, x64_indexed(SCRATCH_ADDEND, site->reg, 0, 0));
        x64_rm(&t->hot, 0x89 | X64_W, SCRATCH_A, cpu_field(offsetof(struct cpu, jit.stored)));
    }
    t->stored[t->stored_count++] = value;
}

static void take_end(struct translator *t)
{
    if (hooks_end_is_at_hand(t))
        return;
    hooks_load_end(t, &t->hot);
    t->hot.named &= ~(1u << SCRATCH_A);
}

static void emit_reserved(struct translator *t, const struct hook_site *site,
                          const struct hook *hook)
{
    int32_t at = (int32_t)(t->plan.records++ * hook->buffer->fields * sizeof(uint64_t));
    take_end(t);
    for (unsigned i = 0; i < hook->nargs; i++)
        if (hook->args[i].kind != JIT_ARG_VALUE || site->load)
            emit_field(t, site, &hook->args[i], (struct slot){true, at + (int32_t)(8 * i)});
    for (unsigned i = 0; i < hook->nargs; i++)
        if (hook->args[i].kind == JIT_ARG_VALUE && !site->load)
            note_stored(t, site, at + (int32_t)(8 * i));
}

void hooks_emit_stored(struct translator *t)
{
    struct x64 *a = &t->hot;
    if (t->stored_count == 0)
        return;
    x64_rm(a, 0x8b | X64_W, SCRATCH_ADDEND, cpu_field(offsetof(struct cpu, jit.stored)));
    take_end(t);
    for (unsigned i = 0; i < t->stored_count; i++) {
        const struct stored_value *value = &t->stored[i];
        emit_load(a, SCRATCH_ADDRESS, x64_at(SCRATCH_ADDEND, value->offset), value->size);
        emit_slot(t, 0x89 | X64_W, SCRATCH_ADDRESS, (struct slot){true, value->at});
    }
    t->stored_count = 0;
}

static void emit_record(struct translator *t, const struct hook_site *site, const struct hook *hook)
{
    const struct JitBuffer *buffer = hook->buffer;
    hook_emit_host(t, 0x8b | X64_W, SCRATCH_A, &buffer->next, 0);
    for (unsigned i = 0; i < hook->nargs; i++)
        emit_field(t, site, &hook->args[i], (struct slot){false, (int32_t)(8 * i)});
    x64_rm(&t->hot, 0x8d | X64_W, SCRATCH_A, x64_at(SCRATCH_A, (int32_t)(8 * buffer->fields)));
    hook_emit_host(t, 0x89 | X64_W, SCRATCH_A, &buffer->next, 0);
}

static void emit_operation(struct translator *t, const struct hook_site *site,
                           const struct hook *hook, bool free)
{
    uint8_t *skips[HOOK_MAX_PREDICATES];
    if (hook->merged || hook_truth(t, site, hook) == HOOK_NEVER ||
        (hook->kind == HOOK_RECORD && hook->buffer->dead))
        return;
    unsigned n = emit_predicates(t, site, hook, skips);
    if (hook->kind == HOOK_CALL)
        hook_emit_direct(t, site, hook, site->after);
    else if (hook->kind == HOOK_COUNT)
        emit_count(t, hook, free);
    else if (hook->kind == HOOK_STORE)
        emit_store(t, site, hook);
    else if (hook_is_reserved(t, hook))
        emit_reserved(t, site, hook);
    else
        emit_record(t, site, hook);
    for (unsigned i = 0; i < n; i++)
        x64_patch(skips[i], t->hot.at);
    if (hook->kind == HOOK_CALL)
        t->fpu = false;
}

bool hook_argument_is_simple(const JitArg *arg)
{
    return arg->kind != JIT_ARG_EA && arg->kind != JIT_ARG_CONTEXT && arg->kind != JIT_ARG_ICOUNT;
}

// Counts and stores of what is at hand leave the flags alone.
static bool list_needs_flags(const struct translator *t, const struct hook_site *site,
                             const struct hook *list)
{
    for (const struct hook *h = list; h; h = h->next) {
        if (h->merged)
            continue;
        if (hook_truth(t, site, h) == HOOK_TESTED || h->kind == HOOK_CALL)
            return true;
        for (unsigned i = 0; i < h->nargs; i++)
            if (!hook_argument_is_simple(&h->args[i]))
                return true;
    }
    return false;
}

static bool list_has_call(const struct translator *t, const struct hook *list)
{
    while (list && (list->kind != HOOK_CALL || hook_is_direct(t, list)))
        list = list->next;
    return list != NULL;
}

bool hooks_look_at_flags(const struct insn *insn, bool after)
{
    for (unsigned place = 0; place < JIT_PLACES; place++) {
        if (after && place != JIT_AFTER)
            continue;
        for (const struct hook *h = insn->hooks->at[place]; h; h = h->next)
            if (h->kind == HOOK_CALL && h->helper->flags != JIT_HELPER_PURE)
                return true;
    }
    return false;
}

// The whole list runs in C. Predicates of a single call are tested before it.
static void emit_call(struct translator *t, const struct hook_site *site, const struct hook *list,
                      const uint8_t *stub, unsigned live)
{
    uint8_t *skips[HOOK_MAX_PREDICATES];
    unsigned n = 0;
    struct x64 *a = &t->hot;
    if (!list->next && hook_truth(t, site, list) == HOOK_NEVER)
        return;
    flags_release(t, live);
    if (!list->next)
        n = emit_predicates(t, site, list, skips);
    x64_mov_imm32(a, X64_R8, t->index);
    x64_rip(a, 0x8d | X64_W, X64_R9, t->header, 0);
    x64_call(a, stub);
    for (unsigned i = 0; i < n; i++)
        x64_patch(skips[i], a->at);
    t->fpu = false;
}

static void emit_list(struct translator *t, const struct insn *insn, const struct hook *list,
                      const uint8_t *stub, unsigned live)
{
    const struct hook_site site = {.insn = insn, .after = stub == t->stubs->after};
    if (!list)
        return;
    if (list_has_call(t, list)) {
        emit_call(t, &site, list, stub, live);
    } else {
        if (list_needs_flags(t, &site, list))
            flags_release(t, live);
        for (const struct hook *h = list; h; h = h->next)
            emit_operation(t, &site, h, flags_are_free(t, live));
    }
    t->carry_at_hand = false;
}

void hooks_emit_before(struct translator *t, const struct insn *insn)
{
    struct insn_hooks *hooks = &t->block->hooks[t->index];
    emit_list(t, insn, insn->hooks->before, t->stubs->before, t->flags_before);
    hooks->begun = (uint16_t)(t->plan.records - hooks->records);
    if (hooks->sees_memory && insn_access_needs_count(insn)) {
        flags_release(t, t->flags_before);
        x64_rr(&t->hot, 0xf7, 0, X64_RCX);
        x64_imm(&t->hot, 31, 4);
        slow_branch(t, X64_E);
    }
}

void hooks_emit_after(struct translator *t, const struct insn *insn)
{
    emit_list(t, insn, insn->hooks->after, t->stubs->after, t->flags_after);
}

static const struct hook_site *site_for(const struct hook_site *site, const struct hook *hook)
{
    return hook->by_parts ? site : site->whole;
}

static bool list_needs_scratch(const struct translator *t, const struct hook_site *site,
                               const struct hook *list)
{
    for (const struct hook *h = list; h; h = h->next) {
        if (!site_for(site, h))
            continue;
        if (hook_truth(t, site, h) == HOOK_TESTED ||
            (!hook_is_reserved(t, h) &&
             !hook_is_near(t, h->kind == HOOK_RECORD ? (const void *)&h->buffer->next : h->target)))
            return true;
        for (unsigned i = 0; i < h->nargs; i++) {
            enum jit_arg_kind kind = h->args[i].kind;
            uint64_t value;
            if (kind == JIT_ARG_VALUE && !site->load)
                continue; // later
            if (constant_of(t, site, &h->args[i], &value) ? h->kind == HOOK_STORE
                : kind == JIT_ARG_ADDRESS || (kind == JIT_ARG_ACCESS && h->kind == HOOK_RECORD)
                    ? h->by_parts && site->offset != 0
                    : kind != JIT_ARG_REG)
                return true;
        }
    }
    return false;
}

static void emit_access_list(struct translator *t, const struct hook_site *site,
                             const struct hook *list)
{
    bool scratch = list_needs_scratch(t, site, list);
    if (scratch)
        x64_plus_r(&t->hot, 0x50, SCRATCH_B);
    for (const struct hook *h = list; h; h = h->next)
        if (site_for(site, h))
            emit_operation(t, site_for(site, h), h, true);
    if (scratch)
        x64_plus_r(&t->hot, 0x58, SCRATCH_B);
}

// One part of an access, or all of it: before the first part and after the last one stands what
// takes it as a whole.
static void emit_part(struct translator *t, struct hook_site *site, const struct hook_site *whole,
                      const struct hook *before, const struct hook *after)
{
    site->whole = site->offset == 0 ? whole : NULL;
    emit_access_list(t, site, before);
    site->whole = site->offset + site->size == whole->size ? whole : NULL;
    emit_access_list(t, site, after);
}

void hooks_emit_access(struct translator *t, unsigned reg, enum access access, unsigned size)
{
    const struct insn *insn = &t->block->insns[t->index];
    const struct insn_hooks *hooks = insn->hooks;
    enum insn_access kind = insn_access_of(insn);
    if (!hooks->sees_memory)
        return;
    if (size == ACCESS_ALIGNED_16)
        size = 16;
    if (kind == INSN_ACCESS_SEVERAL)
        kind = access == ACCESS_READ ? INSN_ACCESS_LOAD : INSN_ACCESS_STORE;
    struct hook_site whole = {.insn = insn, .access = true, .reg = reg, .size = size};
    for (unsigned done = 0; done < size; done += 8) {
        struct hook_site site = whole;
        site.size = size - done < 8 ? size - done : 8;
        site.offset = (int32_t)done;
        if (kind != INSN_ACCESS_STORE) {
            site.load = whole.load = true;
            emit_part(t, &site, &whole, hooks->load_before, hooks->load);
        }
        site.load = whole.load = false;
        if (kind == INSN_ACCESS_STORE || kind == INSN_ACCESS_MODIFY)
            emit_part(t, &site, &whole, hooks->store_before, hooks->store);
    }
}
