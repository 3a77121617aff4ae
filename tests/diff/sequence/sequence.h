// SPDX-License-Identifier: MIT
// Random programs on two machines, one interpreted, one translated. What the files share.
#ifndef EMU_TESTS_SEQUENCE_H
#define EMU_TESTS_SEQUENCE_H

#include <stdio.h>

#include "cpu/decode.h"
#include "jit/executor.h"
#include "layout.h"

#define MAX_ITEMS      200u
#define ITEM_BYTES     48u
#define MAX_INTERRUPTS 4u
#define LIMIT          4000u // instructions
#define NO_ITEM        0xffffu

struct random {
    uint64_t state;
};

static inline uint32_t random_next(struct random *r)
{
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return (uint32_t)(r->state * UINT64_C(0x2545f4914f6cdd1d) >> 29);
}

static inline uint32_t random_below(struct random *r, uint32_t n)
{
    return (uint32_t)((uint64_t)random_next(r) * n >> 32);
}

static inline bool random_one_in(struct random *r, uint32_t n)
{
    return random_below(r, n) == 0;
}

// A place in an item's bytes that holds an address of another item.
// ALIAS: linear, in a data page that maps the same code (or the place itself when there is none).
enum reloc_kind { RELOC_REL8, RELOC_REL32, RELOC_LINEAR, RELOC_OFFSET, RELOC_ALIAS };

struct reloc {
    uint8_t kind, at;
    uint8_t addend;
    uint16_t target; // index of an item; a dropped one means what follows it
};

// One instruction, or a few that belong together.
struct item {
    uint8_t bytes[ITEM_BYTES];
    uint8_t length, reloc_count;
    uint8_t section;
    bool code16;
    bool whole; // means something else without one of its parts
    bool dropped;
    struct reloc relocs[2];
};

enum { SECTION_MAIN, SECTION_F1, SECTION_F2, SECTION_ISLAND, SECTIONS };

enum page_kind {
    PAGE_PLAIN,
    PAGE_LAZY,
    PAGE_RO,
    PAGE_SUPERVISOR,
    PAGE_CODE, // alias of a code page
    PAGE_MMIO,
    PAGE_ALIAS, // of the data page before it
    PAGE_ABSENT,
    PAGE_ROM,
    PAGE_KINDS
};

// Everything that a program's run depends on.
struct program {
    uint64_t number;
    struct item items[MAX_ITEMS];
    unsigned count;
    uint16_t section_base[SECTIONS]; // from CODE on
    uint32_t regs[8];
    uint32_t eflags;
    struct fpu_state fpu;
    uint64_t memory_seed; // 0: zeros
    uint8_t pages[DATA_PAGES];
    uint8_t cpl;
    bool counting; // instruction mode: the only one where interrupts come from outside
    bool code_writable, wp, am, pge, fix_esp;
    bool window; // memory through the window, where it serves
    uint32_t cr4;
    uint8_t threshold, rounds;
    uint8_t small_cache; // 0 large, 1 small, 2 tight; 3 to 5: the same, the interpreter's is tight
    uint8_t interrupts;
    uint16_t interrupt_at[MAX_INTERRUPTS]; // instruction counts; bit 15: NMI
    uint16_t faults;
    struct {
        uint16_t item;
        uint8_t at, change;
    } patch, other[4]; // by the kernel and by DMA; in the second version of the code
    uint8_t remap;
};

void program_generate(struct program *p, uint64_t number);

// Counts of what was generated and executed, for each row: [memory operand].
struct coverage {
    uint32_t generated[OPCODE_COUNT][2];
    uint32_t executed[OPCODE_COUNT][2];
};
void program_count_rows(const struct program *p, struct coverage *coverage);
// Rows that programs never hold on purpose.
bool row_is_left_out(unsigned row);

// The program as memory: linear addresses of the items in at[].
struct image {
    uint8_t ram[FRAMES * PAGE_SIZE];
    uint16_t at[MAX_ITEMS + 1]; // from CODE on
};
void image_make(struct image *image, const struct program *p);
// The bytes of one item with its addresses filled in.
void image_item(const struct image *image, const struct program *p, unsigned index, uint8_t *bytes);

struct machine;
// cache 0: interpreter. Tight: all blocks are dropped before each new one.
struct machine *machine_create(bool counting, size_t cache, bool tight);
void machine_destroy(struct machine *m);
void machine_load(struct machine *m, const struct program *p, const struct image *image);
// Runs it once from its start. False: it did not end within LIMIT (where that can be told).
bool machine_run(struct machine *m, const struct program *p, const struct image *image);
// It takes too long, says a signal handler: a repeated string instruction is abandoned.
void machine_hurry(struct machine *m);
bool machine_abandoned(const struct machine *m);
struct cpu *machine_cpu(struct machine *m);
uint8_t *machine_ram(struct machine *m);
uint64_t machine_device_hash(const struct machine *m);
uint64_t machine_translated(const struct machine *m);

// Looks at each instruction of the first rounds of a program; true: it depends on flags that the
// manual leaves undefined, or keeps the x87 pointers. left: flags that are undefined at their end.
bool machine_walk(struct machine *m, const struct program *p, const struct image *image,
                  unsigned rounds, struct coverage *coverage, unsigned *left);

// What differs, or NULL.
const char *machine_difference(struct machine *a, struct machine *b, const struct program *p);
void machine_describe(struct machine *a, struct machine *b, FILE *out);

enum {
    MACHINE_INTERP,
    MACHINE_JIT,
    MACHINE_SMALL,
    MACHINE_TIGHT_JIT,
    MACHINE_TIGHT_INTERP,
    MACHINES
};

// The machines of one process.
struct rig {
    struct machine *machines[2][MACHINES]; // [counting]
    struct image image;
    struct coverage *coverage;
    bool explain; // prints a difference where it is seen: it may not come again
    uint64_t programs, instructions, open, endless, abandoned, translated;
};
enum verdict { VERDICT_SAME, VERDICT_DIFFERENT, VERDICT_OPEN };
void rig_create(struct rig *rig);
void rig_destroy(struct rig *rig);
void rig_hurry(struct rig *rig);
enum verdict rig_try(struct rig *rig, struct program *p, const char **what);
// Runs a failing program again and prints everything about it.
void rig_report(struct rig *rig, struct program *p, FILE *out);

// The shortest program that still fails. Each trial is a process of its own.
unsigned program_minimise(struct program *p);
unsigned program_length(const struct program *p); // instructions

#endif
