// SPDX-License-Identifier: MIT
// Delta debugging: leaves out items, then simplifies what the program starts from, then operands,
// as long as the machines still differ. A trial runs in a process of its own: translated code that
// is wrong may do anything.
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sequence.h"

#define TRIAL_SECONDS 3
#define MAX_PAIRED    12 // items

static bool still_fails(const struct program *p)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct rig rig = {.coverage = xcalloc(1, sizeof *rig.coverage)};
        struct program copy = *p;
        const char *what;
        struct rlimit none = {0, 0}, limit = {TRIAL_SECONDS, TRIAL_SECONDS};
        setrlimit(RLIMIT_CORE, &none);
        setrlimit(RLIMIT_CPU, &limit);
        rig_create(&rig);
        _exit(rig_try(&rig, &copy, &what) == VERDICT_DIFFERENT ? 1 : 0);
    }
    int status = 0;
    while (child < 0 || waitpid(child, &status, 0) < 0)
        if (child < 0)
            return false;
    return !WIFEXITED(status) || WEXITSTATUS(status) == 1;
}

// Keeps a change of *p where it still fails.
static bool keep(struct program *p, const struct program *changed)
{
    if (memcmp(p, changed, sizeof *p) == 0 || !still_fails(changed))
        return false;
    *p = *changed;
    return true;
}

static bool drop_items(struct program *p)
{
    bool any = false;
    for (unsigned size = p->count / 2; size >= 1; size /= 2) {
        for (unsigned from = 0; from < p->count; from += size) {
            struct program q = *p;
            for (unsigned i = from; i < from + size && i < p->count; i++)
                q.items[i].dropped = true;
            any |= keep(p, &q);
        }
    }
    return any;
}

// Two that only go together, when few are left.
static bool drop_pairs(struct program *p)
{
    unsigned left[MAX_ITEMS], n = 0;
    for (unsigned i = 0; i < p->count; i++)
        if (!p->items[i].dropped)
            left[n++] = i;
    if (n > MAX_PAIRED)
        return false;
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = i + 1; k < n; k++) {
            struct program q = *p;
            q.items[left[i]].dropped = q.items[left[k]].dropped = true;
            if (keep(p, &q))
                return true;
        }
    }
    return false;
}

// A macro's parts: an item of several instructions loses one of them.
static void drop_parts(struct program *p)
{
    for (unsigned i = 0; i < p->count; i++) {
        unsigned at = 0;
        while (!p->items[i].dropped && !p->items[i].whole && at < p->items[i].length) {
            struct program q = *p;
            struct item *item = &q.items[i];
            struct insn insn;
            struct decode_mode mode = {.code32 = !item->code16, .features = UINT32_MAX};
            if (insn_decode(&mode, item->bytes + at, item->length - at, &insn) != DECODE_OK)
                break;
            unsigned n = insn.length, relocs = 0;
            if (n == item->length)
                break;
            for (unsigned k = 0; k < item->reloc_count; k++) {
                struct reloc reloc = item->relocs[k];
                if (reloc.at >= at && reloc.at < at + n)
                    continue;
                reloc.at = (uint8_t)(reloc.at >= at + n ? reloc.at - n : reloc.at);
                item->relocs[relocs++] = reloc;
            }
            item->reloc_count = (uint8_t)relocs;
            memmove(item->bytes + at, item->bytes + at + n, item->length - at - n);
            item->length = (uint8_t)(item->length - n);
            if (!keep(p, &q))
                at += n;
        }
    }
}

#define TRY_SET(p, field, value)                                                                   \
    {                                                                                              \
        struct program q = *(p);                                                                   \
        q.field = (value);                                                                         \
        keep(p, &q);                                                                               \
    }

static void simplify_machine(struct program *p)
{
    TRY_SET(p, interrupts, 0)
    TRY_SET(p, rounds, 1)
    TRY_SET(p, threshold, 0)
    TRY_SET(p, window, false)
    TRY_SET(p, small_cache, 0)
    TRY_SET(p, counting, false)
    TRY_SET(p, am, false)
    TRY_SET(p, pge, false)
    TRY_SET(p, wp, false)
    TRY_SET(p, code_writable, true)
    TRY_SET(p, fix_esp, false)
    TRY_SET(p, memory_seed, 0)
    TRY_SET(p, faults, 1)
    TRY_SET(p, cpl, 0)
    TRY_SET(p, eflags, 0)
    TRY_SET(p, patch.item, NO_ITEM)
    for (unsigned i = 0; i < ARRAY_SIZE(p->other); i++)
        TRY_SET(p, other[i].item, NO_ITEM)
    for (unsigned i = 0; i < DATA_PAGES; i++)
        TRY_SET(p, pages[i], PAGE_PLAIN)
    static const uint16_t plain[SECTIONS] = {0, 0x1900, 0x2400, 0x3400};
    for (unsigned i = 0; i < SECTIONS; i++)
        TRY_SET(p, section_base[i], plain[i])
}

static void simplify_registers(struct program *p)
{
    for (unsigned i = 0; i < 8; i++) {
        if (i == REG_ESP)
            TRY_SET(p, regs[i], STACK_TOP)
        else
            TRY_SET(p, regs[i], 0)
        for (unsigned byte = 0; byte < 4; byte++)
            TRY_SET(p, regs[i], p->regs[i] & ~(0xffu << 8 * byte))
    }
    TRY_SET(p, fpu.control, 0x37f)
    TRY_SET(p, fpu.status, 0)
    TRY_SET(p, fpu.tags, 0)
    TRY_SET(p, fpu.mxcsr, 0x1f80)
    for (unsigned i = 0; i < 8; i++) {
        struct program q = *p;
        memset(&q.fpu.st[i], 0, sizeof q.fpu.st[i]);
        keep(p, &q);
        q = *p;
        memset(&q.fpu.xmm[i], 0, sizeof q.fpu.xmm[i]);
        keep(p, &q);
    }
}

// Prefixes go, immediates and displacements become 0.
static void simplify_operands(struct program *p)
{
    for (unsigned i = 0; i < p->count; i++) {
        for (unsigned at = 0; !p->items[i].dropped && !p->items[i].whole && at < p->items[i].length;
             at++) {
            struct program q = *p;
            struct item *item = &q.items[i];
            if (at == 0 && item->reloc_count == 0 && item->length > 1) {
                memmove(item->bytes, item->bytes + 1, item->length - 1u);
                item->length--;
                if (keep(p, &q)) {
                    at--;
                    continue;
                }
                q = *p;
            }
            struct insn insn;
            struct decode_mode mode = {.code32 = !item->code16, .features = UINT32_MAX};
            item->bytes[at] = 0;
            // The same instruction, not another.
            struct insn old;
            const struct item *was = &p->items[i];
            if (insn_decode(&mode, was->bytes, was->length, &old) == DECODE_OK &&
                insn_decode(&mode, item->bytes, item->length, &insn) == DECODE_OK &&
                insn.row == old.row && insn.length == old.length)
                keep(p, &q);
        }
    }
}

unsigned program_length(const struct program *p)
{
    unsigned count = 0;
    for (unsigned i = 0; i < p->count; i++) {
        const struct item *item = &p->items[i];
        struct decode_mode mode = {.code32 = !item->code16, .features = UINT32_MAX};
        struct insn insn;
        for (unsigned at = 0; !item->dropped && at < item->length; at += insn.length, count++)
            if (insn_decode(&mode, item->bytes + at, item->length - at, &insn) != DECODE_OK)
                insn.length = (uint8_t)(item->length - at);
    }
    return count;
}

unsigned program_minimise(struct program *p)
{
    if (!still_fails(p))
        return 0;
    unsigned before;
    do {
        before = program_length(p);
        while (drop_items(p))
            ;
        drop_parts(p);
        simplify_machine(p);
        simplify_registers(p);
        simplify_operands(p);
        while (drop_pairs(p) || drop_items(p))
            ;
    } while (program_length(p) < before);
    return program_length(p);
}
