// SPDX-License-Identifier: MIT
// Which attached operations are emitted, which instructions' accesses are known, and what stands at
// the start of a block: the test for room in record buffers, and counts that several instructions
// of the block add to one counter, merged. Everything else runs in C with the instruction.
#include "jit/translate_hooks.h"

#define MAX_BUFFERS 4u
#define MAX_WEIGHT  16u // of an instruction: 32 bytes of code each

static enum insn_access access_group(const struct insn *insn, unsigned opcode)
{
    unsigned digit = insn->modrm >> 3 & 7;
    switch (opcode) {
    case 0x80:
    case 0x81:
    case 0x82:
    case 0x83:
        return digit == 7 ? INSN_ACCESS_LOAD : INSN_ACCESS_MODIFY;
    case 0xc0:
    case 0xc1:
        return insn->imm & 31 ? INSN_ACCESS_MODIFY : INSN_ACCESS_UNKNOWN;
    case 0xd0:
    case 0xd1:
        return INSN_ACCESS_MODIFY;
    case 0xf6:
    case 0xf7:
        return digit >= 6                 ? INSN_ACCESS_UNKNOWN
               : digit == 2 || digit == 3 ? INSN_ACCESS_MODIFY
                                          : INSN_ACCESS_LOAD;
    case 0xfe:
    case 0xff:
        return digit < 2 ? INSN_ACCESS_MODIFY : digit == 4 ? INSN_ACCESS_LOAD : INSN_ACCESS_UNKNOWN;
    default:
        return INSN_ACCESS_UNKNOWN;
    }
}

// One-byte opcodes with a memory operand.
static enum insn_access access_1(const struct insn *insn, unsigned opcode)
{
    if (opcode < 0x40)
        return (opcode & 7) > 1 || opcode >> 3 == 7 ? INSN_ACCESS_LOAD : INSN_ACCESS_MODIFY;
    switch (opcode) {
    case 0x69:
    case 0x6b:
    case 0x84:
    case 0x85:
    case 0x8a:
    case 0x8b:
    case 0xa0:
    case 0xa1:
        return INSN_ACCESS_LOAD;
    case 0x86:
    case 0x87:
        return INSN_ACCESS_MODIFY;
    case 0x88:
    case 0x89:
    case 0xa2:
    case 0xa3:
    case 0xc6:
    case 0xc7:
        return INSN_ACCESS_STORE;
    case 0x8d:
        return INSN_ACCESS_NONE;
    default:
        return access_group(insn, opcode);
    }
}

// ... without one.
static enum insn_access access_stack(const struct insn *insn, unsigned opcode)
{
    switch (opcode) {
    case 0x50:
    case 0x68:
    case 0x6a:
    case 0x9c:
    case 0xaa:
    case 0xab:
    case 0xe8:
        return INSN_ACCESS_STORE;
    case 0x58:
    case 0x8f:
    case 0xac:
    case 0xad:
    case 0xae:
    case 0xaf:
    case 0xc2:
    case 0xc3:
    case 0xc9:
    case 0xd7:
        return INSN_ACCESS_LOAD;
    case 0xff: {
        unsigned digit = insn->modrm >> 3 & 7;
        return digit == 2 || digit == 6 ? INSN_ACCESS_STORE : INSN_ACCESS_NONE;
    }
    default:
        if ((opcode < 0x40 && (opcode & 7) >= 6) || (opcode >= 0xa4 && opcode <= 0xa7))
            return INSN_ACCESS_UNKNOWN;
        return opcode == 0xfe ? INSN_ACCESS_UNKNOWN : INSN_ACCESS_NONE;
    }
}

static enum insn_access access_0f(const struct insn *insn, unsigned opcode)
{
    if (opcode == 0xa0 || opcode == 0xa8)
        return INSN_ACCESS_UNKNOWN; // PUSH FS, PUSH GS
    if (!insn->is_memory)
        return INSN_ACCESS_NONE;
    switch (opcode) {
    case 0xa4:
    case 0xac:
        return insn->imm & 31 ? INSN_ACCESS_MODIFY : INSN_ACCESS_UNKNOWN;
    case 0xaf:
    case 0xb6:
    case 0xb7:
    case 0xbc:
    case 0xbd:
    case 0xbe:
    case 0xbf:
        return INSN_ACCESS_LOAD;
    default:
        return opcode >> 4 == 4   ? INSN_ACCESS_LOAD
               : opcode >> 4 == 9 ? INSN_ACCESS_STORE
               : opcode >> 4 == 1 ? INSN_ACCESS_NONE
                                  : INSN_ACCESS_UNKNOWN;
    }
}

// x87 loads and arithmetic of 2, 4 and 8 bytes; SSE and MMX by the place of their memory operand.
static enum insn_access access_fpu(const struct insn *insn, const struct opcode_row *row)
{
    unsigned escape = row->opcode & 7, digit = insn->modrm >> 3 & 7;
    if (!insn->is_memory)
        return INSN_ACCESS_NONE;
    if (!(row->attributes & ATTR_FPU) || row->map != MAP_1) {
        switch (row->operand[0]) {
        case OPND_Ed:
        case OPND_Qd:
        case OPND_Qq:
        case OPND_Wss:
        case OPND_Wsd:
        case OPND_Wq:
        case OPND_Wd:
        case OPND_Wps:
        case OPND_Wpd:
        case OPND_Wdq:
        case OPND_Mq:
        case OPND_Md:
        case OPND_Mdq:
            return INSN_ACCESS_STORE;
        default:
            return INSN_ACCESS_LOAD;
        }
    }
    if (!(escape & 1))
        return INSN_ACCESS_LOAD;
    if (digit == 0)
        return INSN_ACCESS_LOAD;
    if ((digit == 2 || digit == 3) || (escape == 7 && digit == 7))
        return INSN_ACCESS_STORE;
    if (escape == 7 && digit == 5)
        return INSN_ACCESS_LOAD;
    return INSN_ACCESS_UNKNOWN;
}

enum insn_access insn_access_of(const struct insn *insn)
{
    const struct opcode_row *row = &opcode_rows[insn->row];
    if (insn->row == OPCODE_INVALID || (row->attributes & ATTR_STOP))
        return INSN_ACCESS_UNKNOWN;
    if (row->attributes & (ATTR_FPU | ATTR_MMX | ATTR_SSE))
        return access_fpu(insn, row);
    if (row->map == MAP_0F)
        return access_0f(insn, row->opcode);
    return insn->is_memory ? access_1(insn, row->opcode) : access_stack(insn, row->opcode);
}

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

static bool operation_is_native(const struct insn *insn, const struct hook *h, enum jit_place place)
{
    bool access = place >= JIT_LOAD_BEFORE && place <= JIT_STORE;
    if (h->kind == HOOK_CALL)
        return !access;
    if (h->kind == HOOK_COUNT && h->step > INT32_MAX)
        return false;
    for (unsigned i = 0; i < h->nargs; i++) {
        if (h->args[i].kind == JIT_ARG_EA && insn->address_size != 4)
            return false;
        if (h->args[i].kind == JIT_ARG_VALUE && place != JIT_LOAD)
            return false;
    }
    return true;
}

bool hooks_are_native(const struct translator *t, const struct insn *insn, bool ends)
{
    const struct insn_hooks *hooks = insn->hooks;
    uint32_t attributes = opcode_rows[insn->row].attributes;
    enum insn_access kind = insn_access_of(insn);
    unsigned weight = 0;
    if (t->single || t->plan.called ||
        ((attributes & ATTR_STRING) && (insn->prefixes & (INSN_REP | INSN_REPNE))) ||
        (ends && hooks->after))
        return false;
    if ((attributes & ATTR_BRANCH) && (hooks->branch || ((attributes & ATTR_CALL) && hooks->call) ||
                                       ((attributes & ATTR_RET) && hooks->ret)))
        return false;
    if (hooks->sees_memory && kind == INSN_ACCESS_UNKNOWN)
        return false;
    for (unsigned place = JIT_BEFORE; place <= JIT_STORE; place++) {
        bool access = place >= JIT_LOAD_BEFORE;
        if (access && kind == INSN_ACCESS_NONE)
            continue;
        weight += weight_of(hooks->at[place]) * (access ? 2 : 1);
        for (const struct hook *h = hooks->at[place]; h; h = h->next)
            if (!operation_is_native(insn, h, (enum jit_place)place))
                return false;
    }
    return weight <= MAX_WEIGHT;
}

struct buffer_use {
    struct JitBuffer *buffer;
    unsigned records;
};

// False: too many buffers.
static bool use_buffers(const struct hook *list, unsigned times, struct buffer_use *uses)
{
    for (const struct hook *h = list; h; h = h->next) {
        if (h->kind != HOOK_RECORD || h->buffer->dead)
            continue;
        unsigned i = 0;
        while (i < MAX_BUFFERS && uses[i].buffer && uses[i].buffer != h->buffer)
            i++;
        if (i == MAX_BUFFERS)
            return false;
        uses[i].buffer = h->buffer;
        uses[i].records += times;
    }
    return true;
}

static bool use_insn(const struct insn *insn, struct buffer_use *uses)
{
    enum insn_access kind = insn_access_of(insn);
    bool loads = kind == INSN_ACCESS_LOAD || kind == INSN_ACCESS_MODIFY;
    bool stores = kind == INSN_ACCESS_STORE || kind == INSN_ACCESS_MODIFY;
    unsigned pieces = opcode_rows[insn->row].attributes & ATTR_SSE ? 2 : 1;
    const struct insn_hooks *hooks = insn->hooks;
    return use_buffers(hooks->before, 1, uses) && use_buffers(hooks->after, 1, uses) &&
           use_buffers(hooks->load_before, loads ? pieces : 0, uses) &&
           use_buffers(hooks->load, loads ? pieces : 0, uses) &&
           use_buffers(hooks->store_before, stores ? pieces : 0, uses) &&
           use_buffers(hooks->store, stores ? pieces : 0, uses);
}

// A block whose records might fill a buffer is interpreted, which flushes it.
static void emit_room_test(struct translator *t, const struct buffer_use *use)
{
    const struct JitBuffer *buffer = use->buffer;
    uint64_t needed = (uint64_t)use->records * buffer->fields * sizeof(uint64_t);
    const uint8_t *limit = t->cold.at;
    x64_imm64(&t->cold, (uintptr_t)buffer->end - needed);
    hook_emit_host(t, 0x8b | X64_W, SCRATCH_A, &buffer->next, 0);
    x64_rip(&t->hot, 0x3b | X64_W, SCRATCH_A, limit, 0);
    uint8_t *full = x64_jcc(&t->hot, X64_AE, NULL);
    x64_patch(full, t->cold.at);
    x64_mov_imm32(&t->cold, X64_R8, STEP_UNCOUNTED);
    x64_rip(&t->cold, 0x8d | X64_W, X64_R9, t->header, 0);
    x64_jmp(&t->cold, t->stubs->rest);
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
    struct buffer_use uses[MAX_BUFFERS] = {0};
    if (t->single)
        return;
    for (unsigned i = 0; i < block->count; i++)
        if (block->insns[i].hooks && !use_insn(&block->insns[i], uses))
            t->plan.called = true;
    for (unsigned i = 0; i < MAX_BUFFERS && uses[i].buffer && !t->plan.called; i++) {
        if (uses[i].records == 0)
            continue;
        flags_release(t, t->live[0]);
        emit_room_test(t, &uses[i]);
        uint32_t needed = uses[i].records * uses[i].buffer->fields * (uint32_t)sizeof(uint64_t);
        if (needed > t->block->code.room)
            t->block->code.room = needed;
    }
    if (counts_are_unseen(block))
        open_merged(t);
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

void hooks_finish(struct translator *t)
{
    uint32_t total = (uint32_t)t->plan.total;
    if (!t->plan.merged)
        return;
    memcpy(t->plan.merged, &total, sizeof total);
    t->block->code.merged = total != 0;
}
