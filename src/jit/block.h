// SPDX-License-Identifier: MIT
// Blocks: straight runs of decoded instructions with what plugins attached to them, the table that
// finds them, and their invalidation when the guest writes to its code.
#ifndef EMU_JIT_BLOCK_H
#define EMU_JIT_BLOCK_H

#include "cpu/decode.h"
#include "cpu/cpu.h"
#include "jit/hook.h"

#define BLOCK_MAX_INSNS 64u

struct block;

// A direct jump out of translated code. Unlinked it leads to its stub, which leaves to the
// executor.
struct block_exit {
    struct block *from;
    struct block *to; // NULL: not linked
    struct block_exit *next_incoming;
    uint8_t *site;   // its rel32; NULL: the block has no such exit
    uint8_t *stub;   // unlinked target
    uint8_t *guard;  // to another page: the execute table's entry it expects; NULL: same page
    uint32_t target; // linear
    bool saved;      // the guest's flags are in memory there
};

// Bytes of a block's page, as offsets; `to` is behind the last, 0: none.
struct page_range {
    uint16_t from, to;
};

// What the translator made of a block. Addresses are of the writable view; NULL: not translated.
struct block_code {
    uint8_t *entry;       // guest flags in host flags
    uint8_t *entry_saved; // guest flags in cpu->jit.flags
    uint8_t *hot_end, *cold, *cold_end;
    uint32_t bytes;
    uint32_t runs;            // before it was translated
    bool merged;              // it has merged counts
    struct JitBuffer *buffer; // where it reserves `records` records at its start; may be NULL
    uint32_t records;
    struct block_exit exits[2];
    struct block_exit *incoming;
    struct page_range peeked[2]; // code behind its exits that its translation relies on
};

struct block {
    // Key: where the bytes are, where the guest sees them, and the modes that change their meaning.
    const uint8_t *host;
    uint32_t linear;
    uint32_t cs_base;
    uint32_t mode; // cpu_mode_bits
    bool dead;     // invalidated; freed when no executor runs it
    bool
        stop; // its last instruction changes modes or interrupts: look at pending events afterwards
    uint16_t count;
    uint16_t bytes;
    const uint8_t
        *second_host; // an instruction that crosses a page: where its second page is; else NULL
    struct block *hash_next;
    struct block *page_next[2]; // lists of the code pages it lies on
    struct block *retired_next;
    struct insn_hooks *hooks; // array of count, or NULL
    struct block_code code;
    struct insn insns[];
};

// Beside the CPU's mode bits: the code may use the window.
#define BLOCK_MODE_WINDOW (1u << 17)
_Static_assert(BLOCK_MODE_WINDOW > CPU_MODE_DEBUG, "a bit that the CPU does not use");

// The bits that blocks are keyed by: whether the FPU is available is looked at when it is used.
static inline uint32_t block_mode(const struct cpu *cpu)
{
    uint32_t bits = cpu_mode_bits(cpu) & ~(CPU_MODE_EM | CPU_MODE_TS | CPU_MODE_OSFXSR);
    if (cpu->mmu.window_open && cpu->mmu.window_user == cpu->is_user)
        bits |= BLOCK_MODE_WINDOW;
    return bits;
}

struct block_table;

// `retired(self, block)` is told of each block that dies.
struct block_table *block_table_create(struct physmem *mem, struct mmu *mmu,
                                       void (*retired)(void *self, struct block *block),
                                       void *self);
void block_table_destroy(struct block_table *table);

struct block *block_find(const struct block_table *table, const uint8_t *host, uint32_t linear,
                         uint32_t cs_base, uint32_t mode);
void block_insert(struct block_table *table, struct block *block);
// After a block of the table was translated: stores to what it peeked at invalidate it too.
void block_watch_peeked(struct block_table *table, const struct block *block);

// Marks dead and unlinks every block that overlaps [host, host + length).
void block_invalidate(struct block_table *table, const uint8_t *host, size_t length);
void block_invalidate_all(struct block_table *table);
// The same for every block without translated code.
void block_invalidate_cold(struct block_table *table);

// Frees what was unlinked; no executor may be inside a block.
void block_free_retired(struct block_table *table);
void block_free(struct block *block);

size_t block_table_count(const struct block_table *table);
size_t block_table_bytes(const struct block_table *table);
uint64_t
block_table_generation(const struct block_table *table); // changes whenever a block is invalidated

#endif
