// SPDX-License-Identifier: MIT
// What the files of the MMU share. Nobody outside src/mmu includes this.
#ifndef EMU_MMU_MMU_INTERNAL_H
#define EMU_MMU_MMU_INTERNAL_H

#include "mmu/mmu.h"

#define MMU_CR0_WP  0x00010000u
#define MMU_CR0_PG  0x80000000u
#define MMU_CR4_PSE 0x00000010u
#define MMU_CR4_PAE 0x00000020u
#define MMU_CR4_PGE 0x00000080u

// Paging-structure entries, SDM vol. 3 section 4.3 and 4.4. The low half is the same in both
// formats.
#define PTE_P   0x001u
#define PTE_RW  0x002u
#define PTE_US  0x004u
#define PTE_PWT 0x008u
#define PTE_PCD 0x010u
#define PTE_A   0x020u
#define PTE_D   0x040u
#define PTE_PS  0x080u // in a directory entry: maps a large page
#define PTE_G   0x100u
#define PTE_NX  (UINT64_C(1) << 63)

// 36 physical address bits: every CPU that emu reports.
#define PAE_FRAME_MASK     UINT64_C(0x0000000ffffff000)
#define PAE_RESERVED       UINT64_C(0x7ffffff000000000)
#define PAE_LARGE_RESERVED UINT64_C(0x00000000001fe000)
#define PDPTE_RESERVED     UINT64_C(0xfffffff0000001e6)
// Two-level 4 MiB page with PSE-36: bits 16:13 are address bits 35:32, bits 21:17 are reserved.
#define PSE_LARGE_RESERVED 0x003e0000u

#define LARGE_4M 0x400000u
#define LARGE_2M 0x200000u

// What the paging structures say about a linear address, rights of all levels combined.
struct page_walk {
    uint64_t physical; // of the byte, before A20
    uint32_t page_size;
    bool present,
        reserved; // present: a leaf was reached; reserved: a reserved bit stopped the walk
    bool writable, user, no_execute, global;
    uint32_t leaf;       // low half of the leaf entry
    uint64_t leaf_entry; // its value as in memory
    unsigned levels;     // entries below: 1 or 2 (0: paging is off)
    uint64_t entry_address[2];
    uint32_t entry_low[2];
};

// Reads the structures. peek: no side effects even where they lie in device registers.
void page_walk_read(const struct mmu *mmu, uint32_t linear, bool peek, struct page_walk *walk);

// The page-fault error code of an access under this walk, or PAGE_WALK_ALLOWED.
#define PAGE_WALK_ALLOWED UINT32_MAX
uint32_t page_walk_check(const struct mmu *mmu, const struct page_walk *walk,
                         enum mmu_access access, bool user);

// Sets accessed bits, and the dirty bit for a write, where they are clear.
void page_walk_mark(struct mmu *mmu, struct page_walk *walk, bool write);

// Loads the four PDPTEs that cr3 points to; false when a present one has a reserved bit set.
bool page_walk_load_pdptes(const struct mmu *mmu, uint32_t cr3, uint64_t pdpte[4]);

// The window (mmu/window.h). A page of RAM became code; what was known of a linear page is stale.
void window_page_is_code(struct mmu *mmu, size_t ram_page);
void window_page_changed(struct mmu *mmu, uint32_t linear);

static inline uint64_t mmu_apply_a20(const struct mmu *mmu, uint64_t physical)
{
    return physical & (UINT64_C(0xffffffff00000000) | physmem_a20_mask(mmu->mem));
}

#endif
