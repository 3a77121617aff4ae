// SPDX-License-Identifier: MIT
// One program on all machines, and what is said about it when they differ.
#include "sequence.h"

#include "base/disassemble.h"
#include "cpu/flags.h"

#define CACHE_LARGE (2u << 20)
#define CACHE_SMALL (192u << 10) // a few blocks

void rig_create(struct rig *rig)
{
    static const size_t caches[MACHINES] = {0, CACHE_LARGE, CACHE_SMALL, CACHE_SMALL, 0};
    for (unsigned counting = 0; counting < 2; counting++)
        for (unsigned i = 0; i < MACHINES; i++)
            rig->machines[counting][i] =
                machine_create(counting, caches[i], i >= MACHINE_TIGHT_JIT);
}

void rig_destroy(struct rig *rig)
{
    for (unsigned counting = 0; counting < 2; counting++)
        for (unsigned i = 0; i < MACHINES; i++)
            machine_destroy(rig->machines[counting][i]);
}

void rig_hurry(struct rig *rig)
{
    for (unsigned i = 0; i < 2 * MACHINES; i++)
        machine_hurry(rig->machines[i / MACHINES][i % MACHINES]);
}

// A program that does not end is run by its count of instructions.
static bool ends(struct rig *rig, const struct program *p)
{
    struct machine *m = rig->machines[p->counting][0];
    machine_load(m, p, &rig->image);
    for (unsigned round = 0; round < p->rounds; round++)
        if (!machine_run(m, p, &rig->image))
            return false;
    return true;
}

// What is left of the handlers may read flags of before the fault, which translated code need not
// keep.
static bool kernel_changed(const struct rig *rig, struct machine *m)
{
    const size_t at = FRAME_KERNEL * PAGE_SIZE;
    return memcmp(machine_ram(m) + at, rig->image.ram + at, PAGE_SIZE) != 0;
}

// A difference that the manual allows: flags it leaves undefined. It was there after that many
// rounds.
static enum verdict judge(struct rig *rig, struct machine *a, struct machine *b,
                          const struct program *p, unsigned rounds, const char *what)
{
    unsigned left;
    unsigned flags = cpu_get_eflags(machine_cpu(a)) ^ cpu_get_eflags(machine_cpu(b));
    if (machine_walk(a, p, &rig->image, rounds, rig->coverage, &left) || kernel_changed(rig, a) ||
        (strcmp(what, "flags") == 0 && (flags & ~left) == 0)) {
        rig->open++;
        return VERDICT_OPEN;
    }
    return VERDICT_DIFFERENT;
}

static struct machine *translating(struct rig *rig, const struct program *p)
{
    return rig->machines[p->counting][MACHINE_JIT + p->small_cache % 3];
}

static struct machine *interpreting(struct rig *rig, const struct program *p)
{
    unsigned which = p->small_cache > 2 ? MACHINE_TIGHT_INTERP : MACHINE_INTERP;
    return rig->machines[p->counting][which];
}

// Stops at the first difference; *rounds: how many were run.
static const char *run_both(struct rig *rig, const struct program *p, unsigned *rounds)
{
    struct machine *a = interpreting(rig, p), *b = translating(rig, p);
    const char *what = NULL;
    machine_load(a, p, &rig->image);
    machine_load(b, p, &rig->image);
    for (*rounds = 0; *rounds < p->rounds && !what; ++*rounds) {
        machine_run(a, p, &rig->image);
        if (machine_abandoned(a))
            break;
        machine_run(b, p, &rig->image);
        what = machine_difference(a, b, p);
    }
    return what;
}

enum verdict rig_try(struct rig *rig, struct program *p, const char **what)
{
    image_make(&rig->image, p);
    rig->programs++;
    if (!p->counting && !ends(rig, p)) {
        rig->endless++;
        p->counting = true;
    }
    struct machine *a = interpreting(rig, p), *b = translating(rig, p);
    uint64_t translated = machine_translated(b);
    unsigned rounds;
    *what = run_both(rig, p, &rounds);
    if (*what && rig->explain) {
        printf("program 0x%llx: different %s\n", (unsigned long long)p->number, *what);
        machine_describe(a, b, stdout);
        fflush(stdout);
    }
    rig->abandoned += machine_abandoned(a);
    rig->instructions += machine_cpu(a)->instructions;
    rig->translated += machine_translated(b) - translated;
    return *what ? judge(rig, a, b, p, rounds, *what) : VERDICT_SAME;
}

static void print_item(const struct image *image, const struct program *p, unsigned index,
                       FILE *out)
{
    const struct item *item = &p->items[index];
    uint8_t bytes[ITEM_BYTES];
    image_item(image, p, index, bytes);
    for (unsigned at = 0; at < item->length;) {
        char text[128], hex[64] = "";
        unsigned length = disassemble(item->code16 ? DISASSEMBLE_16 : DISASSEMBLE_32,
                                      CODE + image->at[index] + at, bytes + at, item->length - at,
                                      text, sizeof text);
        for (unsigned i = 0; i < length; i++)
            snprintf(hex + 2 * i, 3, "%02x", bytes[at + i]);
        fprintf(out, "  %05x  %-24s %s\n", CODE + image->at[index] + at, hex, text);
        at += length;
    }
}

static void print_start(const struct program *p, FILE *out)
{
    static const char *const names[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    static const char *const cache_names[] = {
        "large",       "small", "tight", "large (interpreter: tight)", "small (interpreter: tight)",
        "tight (both)"};
    static const char *const kinds[] = {"plain", "lazy",  "read-only", "supervisor", "code",
                                        "mmio",  "alias", "absent",    "rom"};
    fprintf(out,
            "ring %u, %s, %u round(s), translated after %u runs, %s cache%s%s%s%s%s, faults %u\n",
            p->cpl, p->counting ? "instruction mode" : "real-time mode", p->rounds, p->threshold,
            cache_names[p->small_cache % 6], p->code_writable ? ", writable code" : "",
            p->wp ? ", WP" : "", p->am ? ", AM" : "", p->pge ? ", PGE" : "",
            p->window ? ", window" : "", p->faults);
    fprintf(out, "eflags %08x memory seed %llx", p->eflags, (unsigned long long)p->memory_seed);
    for (unsigned i = 0; i < 8; i++)
        fprintf(out, "%s%s %08x", i % 4 ? " " : "\n", names[i], p->regs[i]);
    fprintf(out, "\nfpu control %04x status %04x tags %02x mxcsr %04x\npages", p->fpu.control,
            p->fpu.status, p->fpu.tags, p->fpu.mxcsr);
    for (unsigned i = 0; i < DATA_PAGES; i++)
        if (p->pages[i] != PAGE_PLAIN)
            fprintf(out, " %05x %s", DATA + i * PAGE_SIZE, kinds[p->pages[i]]);
    for (unsigned i = 0; p->counting && i < p->interrupts; i++)
        fprintf(out, "%s %s at %u", i ? "," : "\ninterrupts",
                p->interrupt_at[i] & 0x8000 ? "NMI" : "INTR", p->interrupt_at[i] & 0x7fff);
    fprintf(out, "\n");
}

void rig_report(struct rig *rig, struct program *p, FILE *out)
{
    const char *what;
    enum verdict verdict = rig_try(rig, p, &what);
    print_start(p, out);
    for (unsigned i = 0; i < p->count; i++) {
        if (i > 0 && p->items[i].section != p->items[i - 1].section)
            fprintf(out, "  ...\n");
        if (!p->items[i].dropped)
            print_item(&rig->image, p, i, out);
    }
    fprintf(out, "verdict: %s%s%s\n",
            verdict == VERDICT_SAME   ? "no difference"
            : verdict == VERDICT_OPEN ? "depends on undefined flags, "
                                      : "different ",
            what ? what : "", verdict == VERDICT_OPEN ? " differ" : "");
    // Judging has run the interpreter again.
    unsigned rounds;
    if (run_both(rig, p, &rounds))
        machine_describe(interpreting(rig, p), translating(rig, p), out);
}
