// SPDX-License-Identifier: MIT
// Attached operations in translated code: random programs with random operations attached, run by
// the interpreter and by the translator, must count, record, store and call the same.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "jit/builder.h"
#include "mmu/window.h"
#include "small_user.h"

#define PROGRAM_BYTES 330u
#define CODE          0x1000u
#define DATA          0x100000u

enum { WORDS = 4 };

struct watch {
    struct small_machine *m;
    struct JitBuffer *buffers[2];
    uint64_t counters[4], stored;
    uint64_t hash, record_hash, records, flushes, calls;
    uint64_t first[4096]; // words of records, to tell where a difference is
    size_t kept;
    uint32_t salt;
    unsigned shown;  // instructions
    bool lost;       // it changes its own code for ever
    unsigned wanted; // which kinds
    uint32_t left;   // ECX when the first buffer was flushed
    bool remaps;     // ... which maps DATA elsewhere
};

enum {
    WANT_COUNT = 1,
    WANT_RECORD = 2,
    WANT_CALL = 4,
    WANT_PREDICATE = 8,
    WANT_MEMORY = 16,
    WANT_AFTER = 32,
    WANT_VALUE = 64,
    WANT_FAULTS = 128, // pages that are not there, that are read-only, that no memory is behind
    WANT_PLAIN = 256,  // records of every access, without calls and predicates
    WANT_USER =
        512 // at CPL 3, accesses through the window: no values, a count before each instruction
};

static uint64_t mix(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15) + (hash >> 29);
}

static void on_flush(void *opaque, const uint64_t *records, size_t count)
{
    struct watch *w = opaque;
    w->flushes++;
    w->records += count;
    // Translated code is a block late with it: what a flush sees of other things may differ.
    for (size_t i = 0; i < count * WORDS; i++)
        w->record_hash = mix(w->record_hash, records[i]);
    for (size_t i = 0; i < count * WORDS && w->kept < ARRAY_SIZE(w->first); i++)
        w->first[w->kept++] = records[i];
    w->record_hash = mix(w->record_hash, count);
    if (w->remaps && w->flushes == 1) {
        w->left = w->m->cpu->regs[REG_ECX];
        small_user_page(w->m, DATA, (DATA + PAGE_SIZE) | 7);
        mmu_flush_page(&w->m->cpu->mmu, DATA);
    }
}

static void on_call(void *self, uint32_t pc, uint32_t value, uint64_t icount)
{
    struct watch *w = self;
    w->calls++;
    w->hash = mix(mix(mix(w->hash, pc), value), icount);
    for (unsigned i = 0; i < 4; i++)
        w->hash = mix(w->hash, w->counters[i]);
}

static uint32_t on_call_observing(void *self, CPUArchState *cpu)
{
    struct watch *w = self;
    w->calls++;
    w->hash = mix(w->hash, cpu_get_eflags(cpu));
    w->hash = mix(w->hash, cpu->eip);
    for (unsigned i = 0; i < 8; i++)
        w->hash = mix(w->hash, cpu->regs[i]);
    return (uint32_t)(w->hash >> 40);
}

static JitArg random_argument(uint32_t r, bool memory)
{
    switch (r % 9) {
    case 0:
        return jit_const64(r * UINT64_C(0x123456789));
    case 1:
        return jit_reg(r >> 8 & 7);
    case 2:
        return jit_pc();
    case 3:
        return jit_context();
    case 4:
        return jit_cpl();
    case 5:
        return jit_icount();
    case 6:
        return !memory ? jit_const32(r) : r & 0x1000 ? jit_size() : jit_access();
    default:
        return memory ? jit_address() : jit_const32(r);
    }
}

static unsigned random_predicates(struct watch *w, uint32_t r, JitPredicate *out)
{
    unsigned n = 0;
    if (!(w->wanted & WANT_PREDICATE))
        r = 0;
    if (r & 1)
        out[n++] = jit_if_cpl(r >> 8 & 3 ? 0 : 3);
    if (r & 2)
        out[n++] = jit_if_address(r & 4 ? DATA : CODE, r & 4 ? DATA + 0x8000 : CODE + (r & 0xff));
    if (r & 8)
        out[n++] = jit_if_counter(&w->counters[1], r >> 20);
    if (r & 16)
        out[n++] = jit_if_context(r & 32 ? 0 : 0x1000);
    out[n] = jit_if_end();
    return n;
}

static void attach(struct watch *w, struct block_builder *b, enum jit_place place, uint32_t r,
                   struct hook hook)
{
    JitPredicate predicates[HOOK_MAX_PREDICATES + 1];
    struct error err;
    random_predicates(w, r, predicates);
    if (!builder_attach(b, place, predicates, &hook, &err))
        fail_msg("%s", err.text);
}

static void attach_call(struct watch *w, struct block_builder *b, enum jit_place place, uint32_t r)
{
    struct helper_registry *helpers = executor_helpers(w->m->executor);
    struct hook hook = {.kind = HOOK_CALL, .ret = jit_none()};
    if (r & 64) {
        hook.helper = helper_find(helpers, (void (*)(void))on_call);
        hook.nargs = 4;
        hook.args[0] = jit_pointer(w);
        hook.args[1] = jit_pc();
        hook.args[2] = jit_reg(r >> 12 & 7);
        hook.args[3] = jit_icount();
    } else {
        hook.helper = helper_find(helpers, (void (*)(void))on_call_observing);
        hook.nargs = 2;
        hook.args[0] = jit_pointer(w);
        hook.args[1] = jit_cpu();
        if (r & 128)
            hook.ret = jit_reg(REG_EAX);
    }
    attach(w, b, place, r >> 3, hook);
}

static void attach_at(struct watch *w, struct block_builder *b, enum jit_place place, uint32_t r)
{
    bool memory = place >= JIT_LOAD_BEFORE && place <= JIT_STORE;
    if ((w->wanted & WANT_USER) && place == JIT_BEFORE)
        r |= 1;
    if ((w->wanted & WANT_COUNT) && (r & 1))
        attach(
            w, b, place, r >> 4,
            (struct hook){.kind = HOOK_COUNT, .target = &w->counters[r >> 10 & 3], .step = r & 7});
    if ((w->wanted & WANT_RECORD) && (r & 2)) {
        struct hook hook = {.kind = HOOK_RECORD, .buffer = w->buffers[r >> 9 & 1], .nargs = WORDS};
        for (unsigned i = 0; i < WORDS; i++)
            hook.args[i] = random_argument(r >> (3 * i + 3), memory);
        if (place == JIT_LOAD ||
            ((w->wanted & WANT_VALUE) && (place == JIT_STORE || place == JIT_STORE_BEFORE)))
            hook.args[2] = jit_value();
        attach(w, b, place, r >> 5, hook);
    }
    if ((w->wanted & WANT_COUNT) && (r & 12) == 12)
        attach(w, b, place, r >> 6,
               (struct hook){.kind = HOOK_STORE,
                             .target = &w->stored,
                             .nargs = 1,
                             .args = {random_argument(r >> 7, memory)}});
    if ((w->wanted & WANT_CALL) && (r & 0xf00) == 0)
        attach_call(w, b, place, r);
}

static void on_instruction(void *context, void *data, void *cpu)
{
    struct watch *w = context;
    const struct qemu_instr_payload *payload = data;
    struct block_builder *b = payload->ctx->builder;
    if (w->shown++ > 20000 || w->lost) {
        w->lost = true;
        cpu_kick(w->m->cpu);
    }
    if (w->wanted & WANT_PLAIN) {
        struct hook hook = {.kind = HOOK_RECORD,
                            .buffer = w->buffers[0],
                            .nargs = WORDS,
                            .args = {jit_access(), jit_pc(),
                                     w->wanted & WANT_USER ? jit_size() : jit_value(),
                                     jit_address()}};
        attach(w, b, JIT_LOAD, 0, hook);
        attach(w, b, JIT_STORE, 0, hook);
        return;
    }
    for (unsigned place = JIT_BEFORE; place < JIT_PLACES; place++) {
        uint32_t r = (uint32_t)(mix(mix(w->salt, payload->pc), place) >> 20);
        bool memory = place >= JIT_LOAD_BEFORE && place <= JIT_STORE;
        if ((memory && !(w->wanted & WANT_MEMORY)) ||
            (place == JIT_AFTER && !(w->wanted & WANT_AFTER)))
            continue;
        attach_at(w, b, (enum jit_place)place, r);
    }
}

static uint32_t next(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return (uint32_t)(*random * UINT64_C(0x2545f4914f6cdd1d) >> 29);
}

// Opcodes whose rows a translation knows, with and without memory operand.
static const uint8_t opcodes[] = {
    0x00, 0x01, 0x02, 0x03, 0x09, 0x0b, 0x11, 0x13, 0x19, 0x21, 0x29, 0x2b, 0x31, 0x38, 0x39, 0x3b,
    0x3c, 0x40, 0x48, 0x50, 0x53, 0x58, 0x59, 0x68, 0x69, 0x6a, 0x6b, 0x80, 0x81, 0x83, 0x84, 0x85,
    0x86, 0x87, 0x88, 0x89, 0x89, 0x8a, 0x8b, 0x8b, 0x8d, 0x90, 0x98, 0x99, 0x9c, 0xa4, 0xa5, 0xa6,
    0xa8, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xb0, 0xb8, 0xc0, 0xc1, 0xc6, 0xc7, 0xd0, 0xd2, 0xd3, 0xd7,
    0xf6, 0xf7, 0xfe, 0xff, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf};
static const uint8_t opcodes_0f[] = {0x10, 0x11, 0x12, 0x13, 0x16, 0x17, 0x28, 0x29, 0x2c, 0x40,
                                     0x44, 0x4c, 0x51, 0x54, 0x58, 0x59, 0x5c, 0x6e, 0x6f, 0x7e,
                                     0x7f, 0x92, 0x94, 0x9f, 0xa3, 0xa4, 0xac, 0xaf, 0xb1, 0xb6,
                                     0xb7, 0xba, 0xbc, 0xbe, 0xbf, 0xc1, 0xc7, 0xd6, 0xef, 0xfe,
                                     0xa0, 0xa5, 0xa8, 0xab, 0xad, 0xb0, 0xb3, 0xbb, 0xc0, 0xe7};

static unsigned make_insn(const struct cpu *cpu, uint64_t *random, uint8_t *out)
{
    uint8_t b[20];
    unsigned n = 0;
    uint32_t r = next(random);
    if (r % 7 == 0)
        b[n++] = r & 0x100 ? 0x66 : r & 0x200 ? 0xf2 : 0xf3;
    if (r / 16 % 3 == 0) {
        b[n++] = 0x0f;
        b[n++] = opcodes_0f[next(random) % ARRAY_SIZE(opcodes_0f)];
    } else {
        b[n++] = opcodes[next(random) % ARRAY_SIZE(opcodes)];
    }
    static const uint8_t bases[] = {3, 6, 7, 5};
    unsigned mod = r >> 12 & 1 ? 1 : r >> 13 & 1 ? 3 : 2;
    b[n++] =
        (uint8_t)(mod << 6 | (r >> 16 & 7) << 3 | (mod == 3 ? r >> 20 & 7 : bases[r >> 20 & 3]));
    for (unsigned i = 0; i < 10; i++)
        b[n + i] = (uint8_t)next(random);
    if (mod == 2)
        store_le32(b + n, next(random) % 0x3000);
    struct insn insn;
    struct decode_mode mode = {.code32 = true, .features = cpu->features};
    if ((b[n - 2] & 0xfe) == 0xf6 && (b[n - 1] & 0x30) == 0x30)
        return 0; // divisions mostly fault
    if (insn_decode(&mode, b, 15, &insn) != DECODE_OK || insn.row == OPCODE_INVALID ||
        (opcode_rows[insn.row].attributes & (ATTR_BRANCH | ATTR_STOP)) ||
        (insn.prefixes & (INSN_REP | INSN_REPNE) &&
         (opcode_rows[insn.row].attributes & ATTR_STRING)) ||
        opcode_rows[insn.row].operand[0] == OPND_Env ||
        opcode_rows[insn.row].operand[0] == OPND_Fsave)
        return 0;
    memcpy(out, b, insn.length);
    out[insn.length] = 0x85; // test eax, eax: nothing undefined is left
    out[insn.length + 1] = 0xc0;
    return insn.length + 2u;
}

static uint8_t *put(uint8_t *at, unsigned opcode, uint32_t immediate)
{
    if (opcode > 0xff)
        *at++ = (uint8_t)(opcode >> 8);
    *at++ = (uint8_t)opcode;
    store_le32(at, immediate);
    return at + 4;
}

// Repeated string instructions, up and down.
static uint8_t *make_repeat(uint64_t *random, uint8_t *at)
{
    static const uint8_t strings[] = {0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf};
    uint32_t r = next(random);
    at = put(at, 0xb9, r & 64 ? r >> 8 & 7 : r >> 8 & 63); // mov ecx
    *at++ = r & 0x30000 ? 0xfc : 0xfd;                     // cld, std
    *at++ = r & 0x40000 ? 0xf3 : 0xf2;
    if (r & 0x80000)
        *at++ = strings[r >> 20 & 1 ? 0 : 4]; // long runs of bytes
    else
        *at++ = strings[r >> 22 & 15 & 7];
    *at++ = 0xfc;
    *at++ = 0x85; // test eax, eax
    *at++ = 0xc0;
    return at;
}

// Calls, returns and jumps through memory, divisions by memory, elements with DF set.
static uint8_t *make_special(uint64_t *random, uint8_t *at, uint32_t linear)
{
    uint32_t r = next(random), slot = DATA + 0x11000 + (r >> 8 & 0xff);
    switch (r & 7) {
    case 0: // call the next instruction, pop
        at = put(at, 0xe8, 0);
        *at++ = 0x58;
        return at;
    case 1: // push the address behind, ret
        at = put(at, 0x68, linear + 6);
        *at++ = 0xc3;
        return at;
    case 2: // mov [slot], the address behind; call [slot] or jmp [slot]
    case 3:
        at = put(at, 0xc705, slot);
        store_le32(at, linear + 16);
        return put(at + 4, r & 1 ? 0xff25 : 0xff15, slot);
    case 4: // xor edx, edx; div or idiv dword [slot]
        *at++ = 0x31;
        *at++ = 0xd2;
        at = put(at, r & 0x10000 ? 0xf735 : 0xf73d, slot);
        *at++ = 0x85;
        *at++ = 0xc0;
        return at;
    case 5: // pushf, popf
        *at++ = 0x9c;
        *at++ = 0x9d;
        return at;
    case 6: // push and pop of memory
        at = put(at, 0xff35, slot);
        return put(at, 0x8f05, slot + 4);
    default: // segment registers
        *at++ = (uint8_t[]){0x06, 0x0e, 0x16, 0x1e}[r >> 8 & 3];
        *at++ = 0x5a;
        return at;
    }
}

static uint32_t random_pointer(uint64_t *random)
{
    uint32_t r = next(random);
    return r % 4 == 0 ? DATA + (r >> 8 & 7) * PAGE_SIZE + PAGE_SIZE - (r >> 16 & 15)
                      : DATA + (r >> 8) % 0x8000;
}

// Straight code with short jumps and calls, again and again until ECX' place in memory is 0.
static void make_program(const struct cpu *cpu, uint64_t *random, uint8_t *code)
{
    uint8_t *at = code, *end = code + PROGRAM_BYTES - 60;
    while (at < end) {
        uint32_t r = next(random);
        // Pointers and the stack are set again now and then.
        if (r % 5 == 0) {
            static const uint8_t pointers[] = {0xbb, 0xbe, 0xbf, 0xbd, 0xbc};
            *at++ = pointers[r >> 8 & 3];
            store_le32(at, random_pointer(random));
            at += 4;
            *at++ = 0xbc;
            store_le32(at, DATA + 0x10000 + (r & 15));
            at += 4;
        } else if (r % 11 == 1) {
            *at++ = (uint8_t)(0x70 | (r >> 12 & 15));
            *at++ = 0;
        } else if (r % 11 == 2) {
            at = make_repeat(random, at);
        } else if (r % 11 == 3) {
            at = make_special(random, at, CODE + (uint32_t)(at - code));
        } else {
            at += make_insn(cpu, random, at);
        }
    }
    static const uint8_t again[] = {0xff, 0x0d, 0x00, 0x00, 0x20, 0x00, 0x75, 0x01, 0xf4, 0xe9};
    memcpy(at, again, sizeof again);
    at += sizeof again;
    store_le32(at, (uint32_t)(code - (at + 4)));
}

static void prepare(struct watch *w, enum executor_accel accel)
{
    struct error err;
    struct small_machine *m = w->m = small_create(NULL);
    struct helper_registry *helpers = executor_helpers(m->executor);
    struct subscribe_options options = {.callback2 = on_instruction, .context = w};
    assert_true(executor_set_accel(m->executor, accel, 0, &err));
    executor_set_threshold(m->executor, 0);
    if (w->wanted & WANT_USER)
        executor_set_window(m->executor, WINDOW_ALWAYS);
    helpers->invoke = NULL; // no plugin to be named
    for (unsigned i = 0; i < 2; i++)
        w->buffers[i] = helper_buffer_create(helpers, NULL, WORDS, 150 + 100 * i, on_flush, w);
    assert_true(helper_register(helpers, (void (*)(void))on_call, "on_call", JIT_HELPER_PURE,
                                "vpiil", NULL, &err));
    if (w->wanted & WANT_CALL)
        assert_true(helper_register(helpers, (void (*)(void))on_call_observing, "observing",
                                    JIT_HELPER_READS_REGS | JIT_HELPER_WRITES_REGS, "ipc", NULL,
                                    &err));
    if (!broker_subscribe(m->broker, "qemu", "PLUGIN_QEMU_INSTR_TRANSLATE", NULL, NULL, &options,
                          &err))
        fail_msg("%s", err.text);
}

// Identity, but for pages of the data that are not present (1), read-only (3) or have no memory
// behind them (5).
static void set_paging(struct cpu *cpu, struct small_machine *m)
{
    uint32_t directory = 0x301000 | 3, entries[1024];
    for (uint32_t i = 0; i < 1024; i++)
        entries[i] = i << PAGE_SHIFT | 3;
    entries[(DATA >> PAGE_SHIFT) + 1] = 0;
    entries[(DATA >> PAGE_SHIFT) + 3] &= ~2u;
    entries[(DATA >> PAGE_SHIFT) + 5] = 0x800000 | 3;
    small_write(m, 0x300000, &directory, sizeof directory);
    small_write(m, 0x301000, entries, sizeof entries);
    cpu->cr0 |= CR0_PG | CR0_WP;
    cpu->cr3 = 0x300000;
    assert_true(mmu_set_control(&cpu->mmu, cpu->cr0, cpu->cr3, cpu->cr4, false, true));
}

// As above, for user code, whose page faults are answered.
static void set_user_pages(struct small_machine *m)
{
    const uint32_t pages[] = {[1] = 6, [2] = 6, [3] = 5, [4] = 5, [5] = 0x800000 | 7, [6] = 6};
    for (uint32_t i = 1; i < ARRAY_SIZE(pages); i++) {
        uint32_t linear = DATA + i * PAGE_SIZE;
        small_user_page(m, linear, pages[i] & PAGE_MASK ? pages[i] : linear | pages[i]);
    }
}

static void run(struct watch *w, const uint8_t *code, uint64_t seed)
{
    struct cpu *cpu = w->m->cpu;
    uint8_t *data = xcalloc(1, 0x12000);
    for (unsigned i = 0; i < 0x12000; i++)
        data[i] = (uint8_t)next(&seed);
    uint32_t rounds = 6;
    small_write(w->m, CODE, code, PROGRAM_BYTES);
    small_write(w->m, DATA, data, 0x12000);
    small_write(w->m, 0x200000, &rounds, sizeof rounds);
    free(data);
    for (unsigned i = 0; i < 8; i++)
        cpu->regs[i] = DATA + next(&seed) % 0x8000;
    cpu->regs[REG_ESP] = DATA + 0x10000;
    cpu->idtr.limit = 0;
    cpu->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    if (w->wanted & WANT_USER) {
        small_enter_user(w->m);
        if (w->wanted & WANT_FAULTS)
            set_user_pages(w->m);
    } else if (w->wanted & WANT_FAULTS) {
        set_paging(cpu, w->m);
    }
    cpu_update_mode(cpu);
    small_run(w->m, CODE, SMALL_NO_LIMIT);
    for (unsigned i = 0; i < 2; i++)
        hook_buffer_flush(w->buffers[i]);
}

static bool data_is_same(const struct watch *a, const struct watch *b)
{
    uint8_t data[2][PAGE_SIZE];
    for (uint32_t at = DATA; at < DATA + 0x12000; at += PAGE_SIZE) {
        physmem_read(a->m->mem, at, data[0], PAGE_SIZE);
        physmem_read(b->m->mem, at, data[1], PAGE_SIZE);
        if (memcmp(data[0], data[1], PAGE_SIZE) != 0)
            return false;
    }
    return true;
}

static bool compare(const struct watch *a, const struct watch *b)
{
    const struct cpu *c = a->m->cpu, *d = b->m->cpu;
    return a->hash == b->hash && a->record_hash == b->record_hash && a->records == b->records &&
           a->flushes == b->flushes && a->calls == b->calls && a->stored == b->stored &&
           memcmp(a->counters, b->counters, sizeof a->counters) == 0 &&
           memcmp(c->regs, d->regs, sizeof c->regs) == 0 && c->eip == d->eip &&
           c->instructions == d->instructions && c->activity == d->activity && data_is_same(a, b);
}

static void describe(const struct watch *w)
{
    const struct cpu *cpu = w->m->cpu;
    print_error("hash %016llx records %016llx, %llu flushes %llu calls %llu stored %llx counts",
                (unsigned long long)w->hash, (unsigned long long)w->record_hash,
                (unsigned long long)w->records, (unsigned long long)w->flushes,
                (unsigned long long)w->calls, (unsigned long long)w->stored);
    for (unsigned i = 0; i < 4; i++)
        print_error(" %llu", (unsigned long long)w->counters[i]);
    print_error(" eip %08x instructions %llu activity %d\n", cpu->eip,
                (unsigned long long)cpu->instructions, cpu->activity);
}

static void describe_records(const struct watch *a, const struct watch *b)
{
    for (size_t i = 0; i < a->kept && i < b->kept; i++) {
        if (a->first[i] == b->first[i])
            continue;
        const struct watch *both[] = {a, b};
        for (unsigned k = 0; k < 2; k++) {
            print_error("record %zu:", i / WORDS);
            for (unsigned n = 0; n < WORDS; n++)
                print_error(" %llx", (unsigned long long)both[k]->first[i / WORDS * WORDS + n]);
            print_error("\n");
        }
        break;
    }
}

static void run_programs(unsigned wanted, unsigned count, uint64_t seed)
{
    unsigned whole = 0;
    uint64_t records = 0, mapped = 0;
    for (unsigned n = 0; n < count; n++) {
        struct watch *w[2];
        uint8_t code[PROGRAM_BYTES] = {0};
        uint64_t random = seed + n * UINT64_C(0x9e3779b97f4a7c15);
        for (unsigned i = 0; i < 2; i++) {
            w[i] = xcalloc(1, sizeof *w[i]);
            w[i]->wanted = wanted;
            w[i]->salt = (uint32_t)seed + n;
            prepare(w[i], i ? EXECUTOR_JIT : EXECUTOR_INTERP);
        }
        // Helpers get the watch's address, which must not matter.
        make_program(w[0]->m->cpu, &random, code);
        for (unsigned i = 0; i < 2; i++)
            run(w[i], code, random);
        if (w[0]->lost != w[1]->lost || (!w[0]->lost && !compare(w[0], w[1]))) {
            print_error("program %u\n", n);
            describe(w[0]);
            describe(w[1]);
            describe_records(w[0], w[1]);
            fail();
        }
        uint32_t rounds;
        physmem_read(w[1]->m->mem, 0x200000, &rounds, sizeof rounds);
        whole += w[1]->m->cpu->activity == CPU_HALTED && rounds == 0;
        records += w[1]->records;
        mapped += mmu_window_stats(&w[1]->m->cpu->mmu).mapped;
        for (unsigned i = 0; i < 2; i++) {
            small_destroy(w[i]->m);
            free(w[i]);
        }
    }
    print_message("%u of %u programs ran to their end, %llu records\n", whole, count,
                  (unsigned long long)records);
    assert_true(whole > count / 20 || (wanted & WANT_FAULTS));
    assert_true(!(wanted & WANT_USER) == !mapped);
}

static void test_counts(void **state)
{
    run_programs(WANT_COUNT, 150, 1);
}

static void test_counts_after(void **state)
{
    run_programs(WANT_COUNT | WANT_AFTER | WANT_PREDICATE, 150, 2);
}

static void test_accesses(void **state)
{
    run_programs(WANT_RECORD | WANT_MEMORY, 200, 3);
}

static void test_predicates(void **state)
{
    run_programs(WANT_COUNT | WANT_RECORD | WANT_MEMORY | WANT_AFTER | WANT_PREDICATE, 200, 4);
}

static void test_calls(void **state)
{
    run_programs(WANT_CALL | WANT_COUNT | WANT_AFTER, 150, 5);
}

static void test_everything(void **state)
{
    run_programs(WANT_CALL | WANT_COUNT | WANT_RECORD | WANT_MEMORY | WANT_AFTER | WANT_PREDICATE |
                     WANT_VALUE,
                 200, 6);
}

static void test_memory_trace(void **state)
{
    run_programs(WANT_PLAIN, 300, 7);
}

static void test_values(void **state)
{
    run_programs(WANT_RECORD | WANT_MEMORY | WANT_VALUE | WANT_AFTER, 200, 8);
}

static void test_faults(void **state)
{
    run_programs(WANT_PLAIN | WANT_FAULTS, 300, 9);
    run_programs(WANT_RECORD | WANT_COUNT | WANT_MEMORY | WANT_VALUE | WANT_FAULTS, 200, 10);
}

// The whole of the data is reached through the window.
static void test_window(void **state)
{
    run_programs(WANT_USER | WANT_COUNT, 150, 11);
    run_programs(WANT_USER | WANT_COUNT | WANT_AFTER | WANT_PREDICATE | WANT_RECORD, 200, 12);
    run_programs(WANT_USER | WANT_PLAIN, 200, 16);
}

static void test_window_faults(void **state)
{
    run_programs(WANT_USER | WANT_COUNT | WANT_FAULTS, 200, 13);
    run_programs(WANT_USER | WANT_COUNT | WANT_AFTER | WANT_PREDICATE | WANT_RECORD | WANT_FAULTS,
                 200, 14);
    run_programs(WANT_USER | WANT_COUNT | WANT_AFTER | WANT_CALL | WANT_FAULTS, 100, 15);
    run_programs(WANT_USER | WANT_PLAIN | WANT_FAULTS, 400, 17);
}

// Who flushes a buffer at the start of a block changes a mapping that the block uses.
static void flush_remaps(uint32_t salt)
{
    // L: mov eax, [DATA]; add ebx, eax; dec ecx; jnz L; hlt
    static const uint8_t code[] = {0xa1, 0, 0, 0x10, 0, 0x01, 0xc3, 0x49, 0x75, 0xf6, 0xf4};
    struct watch *w = xcalloc(1, sizeof *w);
    w->wanted = WANT_USER | WANT_RECORD;
    w->remaps = true;
    w->salt = salt;
    prepare(w, EXECUTOR_JIT);
    small_write(w->m, CODE, code, sizeof code);
    small_write(w->m, DATA + PAGE_SIZE, &(uint32_t){1}, sizeof(uint32_t));
    small_enter_user(w->m);
    w->m->cpu->regs[REG_EBX] = 0;
    w->m->cpu->regs[REG_ECX] = 5000;
    small_run(w->m, CODE, SMALL_NO_LIMIT);
    if (w->flushes > 0)
        assert_int_equal(w->m->cpu->regs[REG_EBX], w->left);
    small_destroy(w->m);
    free(w);
}

static void test_window_flush(void **state)
{
    for (uint32_t salt = 0; salt < 40; salt++)
        flush_remaps(salt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),        cmocka_unit_test(test_counts_after),
        cmocka_unit_test(test_accesses),      cmocka_unit_test(test_predicates),
        cmocka_unit_test(test_calls),         cmocka_unit_test(test_everything),
        cmocka_unit_test(test_memory_trace),  cmocka_unit_test(test_values),
        cmocka_unit_test(test_faults),        cmocka_unit_test(test_window),
        cmocka_unit_test(test_window_faults), cmocka_unit_test(test_window_flush),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
