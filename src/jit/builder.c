// SPDX-License-Identifier: MIT
// A block ends at a branch, at an instruction that changes modes, before a page edge, at a REP
// string instruction, or when it is full. An instruction that crosses a page stands alone in its
// block.
#include "jit/builder.h"

#include <stdlib.h>

#include "cpu/mem.h"

static bool insn_ends_block(const struct insn *insn)
{
    uint32_t attributes = opcode_rows[insn->row].attributes;
    if (insn->row == OPCODE_INVALID || (attributes & (ATTR_BRANCH | ATTR_STOP)))
        return true;
    return (attributes & ATTR_STRING) && (insn->prefixes & (INSN_REP | INSN_REPNE));
}

// Bytes from linear on that may be fetched by CS's limit, at most INSN_MAX_LENGTH + 1 are of
// interest.
static uint32_t limit_room(const struct cpu *cpu, uint32_t offset)
{
    const struct segment *cs = &cpu->segs[SEG_CS];
    if (offset > cs->limit)
        return 0;
    uint32_t room = cs->limit - offset;
    return room == UINT32_MAX ? UINT32_MAX : room + 1;
}

// Reads up to `want` bytes of code at linear, page by page; returns how many could be had. A fault
// on the first byte of a page is left in *fault (error code + 1).
static size_t fetch_bytes(struct cpu *cpu, uint32_t linear, uint8_t *out, size_t want,
                          uint32_t *fault, uint32_t *fault_linear, const uint8_t **second_host)
{
    size_t done = 0;
    *fault = 0;
    while (done < want) {
        uint8_t *host;
        struct mmu_result result;
        uint32_t at = linear + (uint32_t)done;
        if (!mmu_fill(&cpu->mmu, at, MMU_EXECUTE, cpu->is_user, &host, &result)) {
            *fault = result.error_code + 1;
            *fault_linear = at;
            return done;
        }
        size_t in_page = PAGE_SIZE - (at & (PAGE_SIZE - 1));
        size_t n = want - done < in_page ? want - done : in_page;
        if (done > 0 && second_host)
            *second_host = host;
        for (size_t i = 0; i < n; i++)
            out[done + i] =
                host ? host[i] : (uint8_t)physmem_load(cpu->mem, result.physical + i, 1);
        done += n;
    }
    return done;
}

// The instruction at the block's start lies across a page edge or outside plain memory: fetch its
// bytes one by one.
static void build_single(struct block_builder *b, uint32_t room, bool *cacheable)
{
    struct cpu *cpu = b->cpu;
    uint8_t bytes[INSN_MAX_LENGTH + 1];
    uint32_t fault, fault_linear = 0;
    size_t want = room < sizeof bytes ? room : sizeof bytes;
    const uint8_t *second = NULL;
    size_t got = fetch_bytes(cpu, b->linear, bytes, want, &fault, &fault_linear, &second);
    struct insn *insn = &b->insns[0];
    switch (insn_decode(&b->mode, bytes, got, insn)) {
    case DECODE_TOO_LONG:
        cpu_raise_error(cpu, EXC_GP, 0);
    case DECODE_TRUNCATED:
        if (fault)
            cpu_raise_page_fault(cpu, fault_linear, fault - 1);
        cpu_raise_error(cpu, EXC_GP, 0); // beyond CS's limit
    case DECODE_OK:
        break;
    }
    b->count = 1;
    b->bytes = insn->length;
    b->stop = true;
    bool crosses = (b->linear & (PAGE_SIZE - 1)) + insn->length > PAGE_SIZE;
    b->second_host = crosses ? second : NULL;
    *cacheable = b->host && (!crosses || second);
}

static void build_run(struct block_builder *b, uint32_t room, unsigned max_insns, bool *cacheable)
{
    uint32_t in_page = PAGE_SIZE - (b->linear & (PAGE_SIZE - 1));
    uint32_t available = room < in_page ? room : in_page;
    *cacheable = true;
    while (b->count < max_insns) {
        struct insn *insn = &b->insns[b->count];
        if (insn_decode(&b->mode, b->host + b->bytes, available - b->bytes, insn) != DECODE_OK)
            break;
        insn->offset = b->bytes;
        b->bytes = (uint16_t)(b->bytes + insn->length);
        b->count++;
        if (insn_ends_block(insn)) {
            b->stop = (opcode_rows[insn->row].attributes & ATTR_STOP) != 0;
            break;
        }
    }
    if (b->count == 0)
        build_single(b, room, cacheable);
}

static bool take_predicates(struct hook *hook, const struct builder_filter *filter,
                            const JitPredicate *predicates, struct error *err)
{
    unsigned n = filter->count;
    memcpy(hook->predicates, filter->predicates, n * sizeof filter->predicates[0]);
    for (const JitPredicate *p = predicates; p && p->kind != JIT_IF_END; p++) {
        if (n == HOOK_MAX_PREDICATES)
            return error_set(err,
                             "an operation has more than %u predicates, with those of the "
                             "subscription's filter",
                             HOOK_MAX_PREDICATES);
        if ((unsigned)p->kind > JIT_IF_COUNTER || (p->kind == JIT_IF_COUNTER && !p->counter))
            return error_set(err, "predicate %u is not a valid one", n + 1);
        hook->predicates[n++] = *p;
    }
    hook->npredicates = (uint8_t)n;
    return true;
}

bool builder_attach(struct block_builder *b, enum jit_place place, const JitPredicate *predicates,
                    const struct hook *wanted, struct error *err)
{
    if ((unsigned)place >= JIT_PLACES)
        return error_set(err, "there is no place %d", (int)place);
    if (b->at_start && place != JIT_BEFORE)
        return error_set(err, "at block start operations are attached with JIT_BEFORE");
    const struct insn *insn = &b->insns[b->place];
    for (unsigned i = 0; i < wanted->nargs; i++)
        if (!helper_check_place(&wanted->args[i], place, insn->is_memory, err))
            return false;
    struct hook checked = *wanted;
    if (!take_predicates(&checked, &b->filter, predicates, err))
        return false;
    checked.next = NULL;
    for (unsigned i = 0; i < checked.nargs; i++) {
        if (checked.args[i].kind == JIT_ARG_PC)
            checked.args[i].value = b->linear + insn->offset;
        checked.by_parts |= checked.args[i].kind == JIT_ARG_VALUE;
    }
    size_t size = offsetof(struct hook, args) + checked.nargs * sizeof checked.args[0];
    struct hook *hook = xcalloc(1, size);
    memcpy(hook, &checked, size);
    struct hook_list *list = &b->lists[b->place][place];
    *list->last = hook;
    list->last = &hook->next;
    b->any_hooks = true;
    return true;
}

// Lets plugins see the block and each instruction; their calls arrive through builder_attach_call.
static void ask_plugins(struct block_builder *b, const struct executor_signals *signals,
                        struct jit_context *ctx, const uint8_t *bytes)
{
    bool block_seen = signal_has_subscribers(signals->before_gen_tb);
    bool insns_seen = signal_has_subscribers(signals->instr_translate);
    if (!block_seen && !insns_seen)
        return;
    for (unsigned i = 0; i < b->count; i++) {
        for (unsigned k = 0; k < JIT_PLACES; k++) {
            b->lists[i][k].first = NULL;
            b->lists[i][k].last = &b->lists[i][k].first;
        }
    }
    b->place = 0;
    b->filter.count = 0;
    ctx->builder = b;
    if (block_seen) {
        b->at_start = true;
        struct qemu_block_payload payload = {.ctx = ctx,
                                             .pc = b->linear,
                                             .context = mmu_context(&b->cpu->mmu),
                                             .instructions = b->count,
                                             .length = b->bytes};
        signal_emit(signals->before_gen_tb, &payload, b->cpu);
        b->at_start = false;
    }
    for (unsigned i = 0; insns_seen && i < b->count; i++) {
        b->place = i;
        struct qemu_instr_payload payload = {.ctx = ctx,
                                             .pc = b->linear + b->insns[i].offset,
                                             .block_pc = b->linear,
                                             .bytes = bytes + b->insns[i].offset,
                                             .length = b->insns[i].length};
        signal_emit(signals->instr_translate, &payload, b->cpu);
    }
    ctx->builder = NULL;
}

static bool take_lists(const struct block_builder *b, unsigned i, struct insn_hooks *hooks)
{
    bool any = false;
    hooks->linear = b->linear + b->insns[i].offset;
    hooks->only_before = true;
    hooks->only_inline = true;
    for (unsigned place = 0; place < JIT_PLACES; place++) {
        hooks->at[place] = b->lists[i][place].first;
        if (!hooks->at[place])
            continue;
        any = true;
        if (place != JIT_BEFORE)
            hooks->only_before = false;
        if (place >= JIT_LOAD_BEFORE && place <= JIT_STORE)
            hooks->sees_memory = true;
        for (const struct hook *hook = hooks->at[place]; hook; hook = hook->next)
            if (hook->kind == HOOK_CALL || hook->kind == HOOK_RECORD)
                hooks->only_inline = false;
    }
    return any;
}

static struct block *finish(struct block_builder *b)
{
    struct block *block = xcalloc(1, sizeof *block + b->count * sizeof block->insns[0]);
    block->host = b->host;
    block->linear = b->linear;
    block->cs_base = b->cpu->segs[SEG_CS].base;
    block->mode = block_mode(b->cpu);
    block->stop = b->stop;
    block->count = (uint16_t)b->count;
    block->bytes = b->bytes;
    block->second_host = b->second_host;
    memcpy(block->insns, b->insns, b->count * sizeof block->insns[0]);
    if (b->any_hooks) {
        block->hooks = xcalloc(b->count, sizeof *block->hooks);
        for (unsigned i = 0; i < b->count; i++)
            if (take_lists(b, i, &block->hooks[i]))
                block->insns[i].hooks = &block->hooks[i];
    }
    return block;
}

struct block *block_build(struct block_builder *b, struct cpu *cpu,
                          const struct executor_signals *signals, struct jit_context *ctx,
                          const uint8_t *host, uint32_t linear, unsigned max_insns, bool *cacheable)
{
    b->cpu = cpu;
    b->mode = (struct decode_mode){.code32 = cpu_code32(cpu), .features = cpu->features};
    b->host = host;
    b->second_host = NULL;
    b->linear = linear;
    b->count = 0;
    b->bytes = 0;
    b->stop = false;
    b->any_hooks = false;
    uint32_t room = limit_room(cpu, cpu->eip);
    if (room == 0)
        cpu_raise_error(cpu, EXC_GP, 0);
    if (max_insns > BLOCK_MAX_INSNS)
        max_insns = BLOCK_MAX_INSNS;
    if (host)
        build_run(b, room, max_insns, cacheable);
    else
        build_single(b, room, cacheable);
    if (signal_has_subscribers(signals->before_gen_tb) ||
        signal_has_subscribers(signals->instr_translate)) {
        uint8_t bytes[PAGE_SIZE];
        mmu_debug_read(&cpu->mmu, linear, bytes, b->bytes);
        ask_plugins(b, signals, ctx, bytes);
    }
    return finish(b);
}
