// SPDX-License-Identifier: MIT
// Paging: the page walk (two-level, 4 MiB pages, PAE with NX) and the guest TLB as flat tables of
// host addends that both executors index by linear address >> 12. Intel SDM vol. 3, chapter 4.
// Thread: the machine's thread.
#ifndef EMU_MMU_MMU_H
#define EMU_MMU_MMU_H

#include "mmu/physmem.h"
#include "plugin/signal.h"

enum mmu_access { MMU_READ, MMU_WRITE, MMU_EXECUTE };
#define MMU_ACCESSES 3u

// Page-fault error code, SDM vol. 3 section 4.7.
enum {
    PF_PRESENT = 1u << 0,
    PF_WRITE = 1u << 1,
    PF_USER = 1u << 2,
    PF_RESERVED = 1u << 3,
    PF_FETCH = 1u << 4,
};

// Flat tables: entry[linear >> 12] + linear = host address; 0 = miss. 2^20 entries each, zero pages
// until touched. tlb[user][access], contiguous in memory in this order, so that generated code
// reaches each at a constant distance from the first: TLB_TABLE_BYTES * (user * MMU_ACCESSES +
// access).
#define TLB_ENTRIES     (1u << 20)
#define TLB_TABLE_BYTES (TLB_ENTRIES * sizeof(uintptr_t))

struct mmu {
    uintptr_t *tlb[2][MMU_ACCESSES]; // [user][access]
    struct physmem *mem;
    struct log *log;
    // Control state, written by mmu_set_control only.
    uint32_t cr0, cr3, cr4;
    bool nx;           // EFER.NXE and the CPU has it
    uint64_t pdpte[4]; // PAE: loaded with CR3
    // Pages that must always take the slow path although they are memory: armed data watchpoints,
    // memory plugins.
    bool trace_all; // nothing enters the read and write tables
    // Counters for `info tlb` and `info jit`.
    uint64_t fills, walks;
    uint64_t slow_hits;            // accesses to pages with code or of devices that needed no walk
    uint64_t flushes;              // of any extent: who caches translations compares it
    struct mmu_private *priv;      // filled-entry lists
    struct mmu_window *window;     // mmu/window.h; NULL: there is none
    bool window_open, window_user; // it may be used, and for which privilege
    struct signal *signal_tlb_set_page; // PLUGIN_QEMU_TLB_SET_PAGE, resolved by whoever owns the
                                        // broker; may be NULL
    void *signal_cpu;                   // handed to subscribers
};

// After physmem_alloc_ram, because it keeps a word for each page of RAM. The physical map's and the
// code tracker's listeners are the caller's: a changed map needs mmu_flush_all, a page newly marked
// as code needs mmu_flush_writes_to.
bool mmu_init(struct mmu *mmu, struct physmem *mem, struct log *log, struct error *err);
void mmu_destroy(struct mmu *mmu);

// A table that stays empty: whoever puts it in place of a table of tlb[][] makes each access miss.
// Fills and flushes go on in the table that belongs there.
uintptr_t *mmu_empty_table(struct mmu *mmu);

// New CR0, CR3, CR4, EFER.NXE; flushes what the change requires (a CR3 load keeps global pages when
// CR4.PGE). In PAE mode a CR3 load or a change of CR0.PG/CR4.PAE/PSE/PGE loads the PDPTEs: returns
// false when one has reserved bits set (#GP(0), nothing changed).
bool mmu_set_control(struct mmu *mmu, uint32_t cr0, uint32_t cr3, uint32_t cr4, bool nxe,
                     bool cr3_written);

void mmu_flush_all(struct mmu *mmu);                   // global pages too
void mmu_flush_page(struct mmu *mmu, uint32_t linear); // INVLPG
void mmu_flush_writes_to(struct mmu *mmu,
                         const uint8_t *host_page); // page became code: drop write entries of it

struct mmu_result {
    uint64_t physical;   // of the byte, A20 applied
    uint32_t error_code; // page-fault error code when the walk failed
};

// Walks the tables as the CPU does: checks rights, sets accessed and dirty bits. False: page fault,
// error_code is set.
bool mmu_translate(struct mmu *mmu, uint32_t linear, enum mmu_access access, bool user,
                   struct mmu_result *result);

// Like mmu_translate, and enters the page in the table of (user, access) when plain memory is
// behind it and nothing asks to see each access. *host is the byte's host address, or NULL when the
// access must go through physmem_load/store. A page with code, or of a device, stays out of the
// tables, but is walked only once until the next flush.
bool mmu_fill(struct mmu *mmu, uint32_t linear, enum mmu_access access, bool user, uint8_t **host,
              struct mmu_result *result);

// Translation without side effects for the monitor and plugins (no A/D update, no rights). False
// when not mapped.
bool mmu_probe(const struct mmu *mmu, uint32_t linear, uint64_t *physical);

// Reads or writes virtual memory for debuggers and plugins, across pages, ignoring rights. Returns
// bytes done before the first unmapped page.
size_t mmu_debug_read(struct mmu *mmu, uint32_t linear, void *buffer, size_t length);
size_t mmu_debug_write(struct mmu *mmu, uint32_t linear, const void *buffer, size_t length);

// `info tlb` (mappings of the current page tables) and `info mem` (runs with the same rights).
void mmu_describe_mappings(const struct mmu *mmu, FILE *out);
void mmu_describe_ranges(const struct mmu *mmu, FILE *out);

// The current linear address space: CR3 without its flag bits (get_current_context()).
static inline uint32_t mmu_context(const struct mmu *mmu)
{
    return mmu->cr3 & ((mmu->cr4 & (1u << 5)) ? 0xffffffe0u : 0xfffff000u);
}

// Table look-up of the fast path. NULL: miss.
ALWAYS_INLINE uint8_t *mmu_host(const struct mmu *mmu, uint32_t linear, enum mmu_access access,
                                bool user)
{
    uintptr_t addend = mmu->tlb[user][access][linear >> PAGE_SHIFT];
    return LIKELY(addend != 0) ? (uint8_t *)(addend + linear) : NULL;
}

#endif
