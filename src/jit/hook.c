// SPDX-License-Identifier: MIT
// Runs attached operations for the interpreter: predicates, arguments, helpers through libffi.
// What a helper asks for (skip, another EIP, an exception, a stop) is noted while it runs and done
// after it returned, so that no plugin frame is ever jumped over.
#include "jit/hook.h"

#include <stdlib.h>

#include "cpu/mem.h"

union ffi_value {
    uint32_t i;
    uint64_t l;
    const void *p;
};

static uint32_t operand_linear(const struct cpu *cpu, const struct insn *insn)
{
    return cpu->segs[insn->segment].base + insn_address(cpu, insn);
}

static uint64_t argument_value(struct cpu *cpu, const JitArg *arg, const struct hook_event *event)
{
    switch (arg->kind) {
    case JIT_ARG_CONST32:
    case JIT_ARG_CONST64:
    case JIT_ARG_POINTER:
    case JIT_ARG_PC:
        return arg->value;
    case JIT_ARG_CPU:
        return (uint64_t)(uintptr_t)cpu;
    case JIT_ARG_REG:
        return cpu->regs[arg->value & 7];
    case JIT_ARG_EA:
        return operand_linear(cpu, event->insn);
    case JIT_ARG_ADDRESS:
        return event->address;
    case JIT_ARG_SIZE:
        return event->size;
    case JIT_ARG_VALUE:
        return event->value;
    case JIT_ARG_ACCESS:
        return hook_access_word(event->address, event->size, event->store, arg->value);
    case JIT_ARG_CONTEXT:
        return mmu_context(&cpu->mmu);
    case JIT_ARG_CPL:
        return cpu->cpl;
    case JIT_ARG_ICOUNT:
        return cpu->instructions;
    case JIT_ARG_NONE:
        break;
    }
    return 0;
}

static bool predicate_holds(const struct cpu *cpu, const JitPredicate *p,
                            const struct hook_event *event)
{
    switch (p->kind) {
    case JIT_IF_CONTEXT:
        return mmu_context(&cpu->mmu) == (uint32_t)p->low;
    case JIT_IF_CPL:
        return cpu->cpl == p->low;
    case JIT_IF_ADDRESS:
        return event->address >= p->low && event->address <= p->high;
    case JIT_IF_COUNTER:
        return *p->counter >= p->low;
    case JIT_IF_END:
        break;
    }
    return true;
}

static bool predicates_hold(const struct cpu *cpu, const struct hook *hook,
                            const struct hook_event *event)
{
    unsigned i = 0;
    while (i < hook->npredicates && predicate_holds(cpu, &hook->predicates[i], event))
        i++;
    return i == hook->npredicates;
}

struct call_frame {
    struct cpu *cpu;
    const struct hook *hook;
    const struct hook_event *event;
};

static void call_helper(void *self)
{
    const struct call_frame *frame = self;
    const struct hook *hook = frame->hook;
    union ffi_value values[HELPER_MAX_ARGS];
    void *pointers[HELPER_MAX_ARGS];
    for (unsigned i = 0; i < hook->nargs; i++) {
        values[i].l = argument_value(frame->cpu, &hook->args[i], frame->event);
        pointers[i] = &values[i];
    }
    ffi_arg result = 0;
    ffi_call(&hook->helper->cif, hook->helper->func, &result, pointers);
    if (hook->ret.kind == JIT_ARG_REG)
        frame->cpu->regs[hook->ret.value & 7] = (uint32_t)result;
}

static void hook_call(struct cpu *cpu, const struct hook *hook, const struct hook_event *event)
{
    const struct helper *helper = hook->helper;
    if (helper->dead)
        return;
    struct call_frame frame = {cpu, hook, event};
    cpu->hook.helper = helper;
    helper_invoke(helper->registry, helper->owner, call_helper, &frame);
    cpu->hook.helper = NULL;
}

struct flush_frame {
    struct JitBuffer *buffer;
    size_t count;
};

static void call_flush(void *self)
{
    const struct flush_frame *frame = self;
    struct JitBuffer *b = frame->buffer;
    b->flush(b->opaque, b->records, frame->count);
}

static void flush_piece(struct JitBuffer *buffer, size_t words)
{
    struct flush_frame frame = {buffer, words / buffer->fields};
    buffer->flushing = true;
    if (buffer->flush && !buffer->dead)
        helper_invoke(buffer->registry, buffer->owner, call_flush, &frame);
    buffer->flushing = false;
}

void hook_buffer_flush_full(struct JitBuffer *buffer)
{
    const size_t whole = (size_t)(buffer->end - buffer->records);
    while (buffer->next >= buffer->end && !buffer->flushing) {
        size_t rest = (size_t)(buffer->next - buffer->end);
        flush_piece(buffer, whole);
        memmove(buffer->records, buffer->end, rest * sizeof *buffer->records);
        buffer->next = buffer->records + rest;
    }
}

void hook_buffer_flush(struct JitBuffer *buffer)
{
    if (buffer->flushing)
        return;
    hook_buffer_flush_full(buffer);
    if (buffer->next > buffer->records)
        flush_piece(buffer, (size_t)(buffer->next - buffer->records));
    buffer->next = buffer->records;
}

static void hook_record(struct cpu *cpu, const struct hook *hook, const struct hook_event *event)
{
    struct JitBuffer *buffer = hook->buffer;
    if (buffer->dead)
        return;
    for (unsigned i = 0; i < hook->nargs; i++)
        buffer->next[i] = argument_value(cpu, &hook->args[i], event);
    buffer->next += buffer->fields;
    if (buffer->next >= buffer->end)
        hook_buffer_flush_full(buffer);
}

static void run_one(struct cpu *cpu, const struct hook *hook, const struct hook_event *event)
{
    if (!predicates_hold(cpu, hook, event))
        return;
    switch (hook->kind) {
    case HOOK_CALL:
        hook_call(cpu, hook, event);
        break;
    case HOOK_COUNT:
        *hook->target += hook->step;
        break;
    case HOOK_STORE:
        *hook->target = argument_value(cpu, &hook->args[0], event);
        break;
    case HOOK_RECORD:
        hook_record(cpu, hook, event);
        break;
    }
}

void hook_run_list(struct cpu *cpu, const struct hook *hook, const struct hook_event *event)
{
    for (; hook; hook = hook->next)
        run_one(cpu, hook, event);
}

// A piece of an access of more than 8 bytes: who does not look at values gets the whole one, before
// the first piece or after the last.
static void run_piece(struct cpu *cpu, const struct hook *hook, const struct hook_event *event,
                      bool done)
{
    unsigned whole = cpu->hook.whole, at = cpu->hook.piece_at;
    struct hook_event all = *event;
    all.address -= at;
    all.size = whole;
    for (; hook; hook = hook->next) {
        if (hook->by_parts)
            run_one(cpu, hook, event);
        else if (done ? at + event->size == whole : at == 0)
            run_one(cpu, hook, &all);
    }
}

static void raise_requested(struct cpu *cpu)
{
    if (cpu->hook.requests & CPU_HOOK_RAISE)
        cpu_raise_error(cpu, cpu->hook.vector, cpu->hook.error_code);
}

static void on_access(struct cpu *cpu, bool is_store, bool done, uint32_t linear, uint64_t value,
                      unsigned size)
{
    const struct insn *insn = cpu->hook.insn;
    const struct insn_hooks *hooks = insn->hooks;
    const struct hook *list = is_store ? (done ? hooks->store : hooks->store_before)
                                       : (done ? hooks->load : hooks->load_before);
    if (!list)
        return;
    struct hook_event event = {.insn = insn,
                               .pc = hooks->linear,
                               .address = linear,
                               .size = size,
                               .store = is_store,
                               .value = value};
    if (cpu->hook.whole)
        run_piece(cpu, list, &event, done);
    else
        hook_run_list(cpu, list, &event);
    raise_requested(cpu);
}

// What a record of a run of elements holds, and what is added to it from one element to the next.
struct span_record {
    struct JitBuffer *buffer;
    unsigned nargs;
    uint64_t words[HOOK_MAX_FIELDS], steps[HOOK_MAX_FIELDS];
};
#define SPAN_MAX_RECORDS 8u

// Is it the same for each element, but for the address?
static bool list_suits_span(const struct hook *list, unsigned *records)
{
    for (const struct hook *h = list; h; h = h->next) {
        if (h->kind == HOOK_CALL || h->kind == HOOK_STORE)
            return false;
        *records += h->kind == HOOK_RECORD;
        for (unsigned i = 0; i < h->npredicates; i++)
            if (h->predicates[i].kind != JIT_IF_CONTEXT && h->predicates[i].kind != JIT_IF_CPL)
                return false;
        for (unsigned i = 0; i < h->nargs; i++)
            if (h->args[i].kind == JIT_ARG_REG || h->args[i].kind == JIT_ARG_VALUE)
                return false;
    }
    return true;
}

static bool insn_suits_span(const struct insn *insn)
{
    const struct insn_hooks *hooks = insn->hooks;
    unsigned records = 0;
    return (insn->prefixes & (INSN_REP | INSN_REPNE)) &&
           list_suits_span(hooks->load_before, &records) &&
           list_suits_span(hooks->load, &records) &&
           list_suits_span(hooks->store_before, &records) &&
           list_suits_span(hooks->store, &records) && 2 * records <= SPAN_MAX_RECORDS;
}

static unsigned add_span_list(struct cpu *cpu, const struct hook *list, const struct cpu_span *span,
                              unsigned place, struct span_record *out)
{
    const struct insn *insn = cpu->hook.insn;
    const struct hook_event event = {.insn = insn,
                                     .pc = insn->hooks->linear,
                                     .address = span->places[place].linear,
                                     .size = span->size,
                                     .store = span->places[place].is_store};
    unsigned n = 0;
    for (const struct hook *h = list; h; h = h->next) {
        if (!predicates_hold(cpu, h, &event))
            continue;
        if (h->kind == HOOK_COUNT) {
            *h->target += h->step * span->count;
        } else if (!h->buffer->dead) {
            out[n] = (struct span_record){.buffer = h->buffer, .nargs = h->nargs};
            for (unsigned i = 0; i < h->nargs; i++) {
                enum jit_arg_kind kind = h->args[i].kind;
                out[n].words[i] = argument_value(cpu, &h->args[i], &event);
                out[n].steps[i] =
                    kind == JIT_ARG_ADDRESS || kind == JIT_ARG_ACCESS ? span->size : 0;
            }
            n++;
        }
    }
    return n;
}

#define SPAN_MAX_WORDS 16u

typedef uint64_t word_pair __attribute__((vector_size(16), aligned(8)));

static uint64_t *fill_pairs(uint64_t *at, uint32_t count, uint64_t *words, const uint64_t *steps,
                            unsigned pairs)
{
    word_pair w[2] = {{words[0], words[1]}}, s[2] = {{steps[0], steps[1]}};
    if (pairs == 2) {
        w[1] = (word_pair){words[2], words[3]};
        s[1] = (word_pair){steps[2], steps[3]};
        for (uint32_t i = 0; i < count; i++, at += 4) {
            *(word_pair *)at = w[0];
            *(word_pair *)(at + 2) = w[1];
            w[0] += s[0];
            w[1] += s[1];
        }
    } else {
        for (uint32_t i = 0; i < count; i++, at += 2) {
            *(word_pair *)at = w[0];
            w[0] += s[0];
        }
    }
    for (unsigned i = 0; i < 2 * pairs; i++)
        words[i] = w[i / 2][i % 2];
    return at;
}

static uint64_t *fill_words(uint64_t *at, uint32_t count, uint64_t *words, const uint64_t *steps,
                            unsigned nwords)
{
    if (nwords == 2 || nwords == 4)
        return fill_pairs(at, count, words, steps, nwords / 2);
    if (nwords == 1 && count > 1) { // two elements at once
        uint64_t two[2] = {words[0], words[0] + steps[0]}, by[2] = {2 * steps[0], 2 * steps[0]};
        at = fill_pairs(at, count / 2, two, by, 1);
        words[0] = two[0];
        count %= 2;
    }
    for (uint32_t i = 0; i < count; i++, at += nwords) {
        for (unsigned k = 0; k < nwords; k++) {
            at[k] = words[k];
            words[k] += steps[k];
        }
    }
    return at;
}

// Every record goes to one buffer: as many elements at once as fill it. The flush may drop
// everything: nothing of the block is looked at after it.
static void fill_span(struct JitBuffer *b, const struct span_record *records, unsigned n,
                      uint32_t count)
{
    uint64_t words[SPAN_MAX_WORDS] = {0}, steps[SPAN_MAX_WORDS] = {0};
    const unsigned nwords = n * b->fields;
    for (unsigned i = 0; i < nwords; i++) {
        words[i] = records[i / b->fields].words[i % b->fields];
        steps[i] = records[i / b->fields].steps[i % b->fields];
    }
    while (count > 0 && !b->dead) {
        if (b->next >= b->end) // the block's own records go beyond it
            hook_buffer_flush_full(b);
        if (b->dead || b->next >= b->end)
            return; // inside of its own flush
        size_t elements = ((size_t)(b->end - b->next) + nwords - 1) / nwords;
        uint32_t now = elements < count ? (uint32_t)elements : count;
        b->next = fill_words(b->next, now, words, steps, nwords);
        count -= now;
        if (b->next >= b->end)
            hook_buffer_flush_full(b);
    }
}

static void append_span(struct span_record *records, unsigned n, uint32_t count)
{
    bool same = n > 0 && n * records[0].buffer->fields <= SPAN_MAX_WORDS;
    for (unsigned i = 1; i < n; i++)
        same = same && records[i].buffer == records[0].buffer;
    if (same) {
        fill_span(records[0].buffer, records, n, count);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        for (unsigned k = 0; k < n; k++) {
            struct span_record *r = &records[k];
            if (!r->buffer->dead)
                r->buffer->next = fill_words(r->buffer->next, 1, r->words, r->steps, r->nargs);
            if (UNLIKELY(r->buffer->next >= r->buffer->end))
                hook_buffer_flush_full(r->buffer);
        }
}

static void on_span(struct cpu *cpu, const struct cpu_span *span)
{
    const struct insn_hooks *hooks = cpu->hook.insn->hooks;
    struct span_record records[SPAN_MAX_RECORDS];
    unsigned n = 0;
    for (unsigned i = 0; i < span->nplaces; i++) {
        bool store = span->places[i].is_store;
        n += add_span_list(cpu, store ? hooks->store_before : hooks->load_before, span, i,
                           records + n);
        n += add_span_list(cpu, store ? hooks->store : hooks->load, span, i, records + n);
    }
    append_span(records, n, span->count);
}

static void execute(struct cpu *cpu, const struct insn *insn)
{
    if (!insn->hooks->sees_memory) {
        insn->handler(cpu, insn);
        return;
    }
    cpu->hook.insn = insn;
    cpu->hook.phase = CPU_HOOK_DURING;
    mem_observe_begin(cpu, on_access);
    if (insn_suits_span(insn))
        cpu->hook.observe_span = on_span;
    insn->handler(cpu, insn);
    mem_observe_end(cpu);
    cpu->hook.phase = CPU_HOOK_IDLE;
}

static void run_phase(struct cpu *cpu, const struct hook *list, const struct hook_event *event,
                      enum cpu_hook_phase phase)
{
    if (!list)
        return;
    cpu->hook.phase = (uint8_t)phase;
    hook_run_list(cpu, list, event);
    cpu->hook.phase = CPU_HOOK_IDLE;
}

// Without a look at where it went: JMP, CALL, RET.
static bool branch_is_certain(const struct opcode_row *row)
{
    return (row->attributes & (ATTR_CALL | ATTR_RET)) || strcmp(row->mnemonic, "jmp") == 0;
}

// A branch is taken when it goes elsewhere than to the next instruction, or always does.
static void run_branch(struct cpu *cpu, const struct insn *insn, uint32_t next,
                       struct hook_event *event)
{
    const struct insn_hooks *hooks = insn->hooks;
    const struct opcode_row *row = &opcode_rows[insn->row];
    uint32_t attributes = row->attributes;
    if (!(hooks->branch || hooks->call || hooks->ret) || !(attributes & ATTR_BRANCH) ||
        (cpu->eip == next && !branch_is_certain(row)))
        return;
    uint32_t pc = event->address;
    event->address = cpu->segs[SEG_CS].base + cpu->eip;
    run_phase(cpu, hooks->branch, event, CPU_HOOK_AFTER);
    if (attributes & ATTR_CALL)
        run_phase(cpu, hooks->call, event, CPU_HOOK_AFTER);
    if (attributes & ATTR_RET)
        run_phase(cpu, hooks->ret, event, CPU_HOOK_AFTER);
    event->address = pc;
}

static struct hook_event event_of(const struct insn *insn)
{
    return (struct hook_event){
        .insn = insn, .pc = insn->hooks->linear, .address = insn->hooks->linear};
}

bool hook_begin_insn(struct cpu *cpu, const struct insn *insn)
{
    struct hook_event event = event_of(insn);
    cpu->hook.requests = 0;
    run_phase(cpu, insn->hooks->before, &event, CPU_HOOK_BEFORE);
    raise_requested(cpu);
    if (cpu->hook.requests & CPU_HOOK_EIP)
        cpu->eip = cpu->hook.new_eip;
    return (cpu->hook.requests & (CPU_HOOK_SKIP | CPU_HOOK_EIP)) != 0;
}

bool hook_after_insn(struct cpu *cpu, const struct insn *insn)
{
    struct hook_event event = event_of(insn);
    run_phase(cpu, insn->hooks->after, &event, CPU_HOOK_AFTER);
    unsigned requests = cpu->hook.requests;
    if (UNLIKELY(requests & (CPU_HOOK_RAISE | CPU_HOOK_EIP))) {
        if (requests & CPU_HOOK_EIP)
            cpu->eip = cpu->hook.new_eip;
        // The instruction is done: what is raised now belongs to the next one.
        cpu->insn_eip = cpu->eip;
        if (requests & CPU_HOOK_RAISE)
            cpu->instructions++;
        raise_requested(cpu);
    }
    return (requests & (CPU_HOOK_EIP | CPU_HOOK_LEAVE)) != 0;
}

bool hook_end_insn(struct cpu *cpu, const struct insn *insn)
{
    struct hook_event event = event_of(insn);
    uint32_t next = cpu->eip;
    execute(cpu, insn);
    if ((insn->prefixes & (INSN_REP | INSN_REPNE)) && cpu->eip == cpu->insn_eip)
        return true; // suspended by an interrupt; it is not yet over
    run_branch(cpu, insn, next, &event);
    return hook_after_insn(cpu, insn);
}

bool hook_run_insn(struct cpu *cpu, const struct insn *insn)
{
    return hook_begin_insn(cpu, insn) || hook_end_insn(cpu, insn);
}

void hook_free_list(struct hook *hook)
{
    while (hook) {
        struct hook *next = hook->next;
        free(hook);
        hook = next;
    }
}
