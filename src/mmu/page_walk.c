// SPDX-License-Identifier: MIT
// The page walk: two-level paging with 4 KiB and 4 MiB (PSE, PSE-36) pages, and PAE with 2 MiB
// pages and NX. Structures are read by physical address, through A20, wherever they lie. Left out:
// paging-structure caches (every walk reads memory), SMEP, SMAP, protection keys (none exists in
// this CPU family). Intel SDM vol. 3, chapter 4.
#include "mmu/mmu_internal.h"

static uint64_t entry_read(const struct mmu *mmu, uint64_t address, unsigned size, bool peek)
{
    if (!peek)
        return physmem_load(mmu->mem, address, size);
    uint64_t value = 0;
    physmem_read(mmu->mem, address, &value, size);
    return value;
}

static void walk_add_entry(struct page_walk *walk, uint64_t address, uint64_t entry)
{
    walk->entry_address[walk->levels] = address;
    walk->entry_low[walk->levels] = (uint32_t)entry;
    walk->levels++;
    walk->writable = walk->writable && (entry & PTE_RW);
    walk->user = walk->user && (entry & PTE_US);
}

static void walk_set_leaf(const struct mmu *mmu, struct page_walk *walk, uint64_t entry,
                          uint64_t frame, uint32_t linear, uint32_t page_size)
{
    walk->present = true;
    walk->leaf = (uint32_t)entry;
    walk->leaf_entry = entry;
    walk->page_size = page_size;
    walk->physical = frame | (linear & (page_size - 1));
    walk->global = (entry & PTE_G) && (mmu->cr4 & MMU_CR4_PGE);
}

static void walk_two_level(const struct mmu *mmu, uint32_t linear, bool peek,
                           struct page_walk *walk)
{
    uint64_t address = (mmu->cr3 & 0xfffff000u) + (linear >> 22) * 4;
    uint32_t entry = (uint32_t)entry_read(mmu, address, 4, peek);
    if (!(entry & PTE_P))
        return;
    walk_add_entry(walk, address, entry);
    if ((entry & PTE_PS) && (mmu->cr4 & MMU_CR4_PSE)) {
        if (entry & PSE_LARGE_RESERVED) {
            walk->reserved = true;
            return;
        }
        uint64_t high = (entry >> 13) & 0xf;
        walk_set_leaf(mmu, walk, entry, high << 32 | (entry & 0xffc00000u), linear, LARGE_4M);
        return;
    }
    address = (entry & 0xfffff000u) + ((linear >> 12) & 0x3ff) * 4;
    entry = (uint32_t)entry_read(mmu, address, 4, peek);
    if (!(entry & PTE_P))
        return;
    walk_add_entry(walk, address, entry);
    walk_set_leaf(mmu, walk, entry, entry & 0xfffff000u, linear, PAGE_SIZE);
}

static void walk_pae(const struct mmu *mmu, uint32_t linear, bool peek, struct page_walk *walk)
{
    uint64_t reserved = PAE_RESERVED | (mmu->nx ? 0 : PTE_NX);
    uint64_t pdpte = mmu->pdpte[linear >> 30];
    if (!(pdpte & PTE_P))
        return;
    uint64_t address = (pdpte & PAE_FRAME_MASK) + ((linear >> 21) & 0x1ff) * 8;
    uint64_t entry = entry_read(mmu, address, 8, peek);
    if (!(entry & PTE_P))
        return;
    walk_add_entry(walk, address, entry);
    walk->no_execute = (entry & PTE_NX) != 0;
    bool large = entry & PTE_PS;
    if (entry & (reserved | (large ? PAE_LARGE_RESERVED : 0))) {
        walk->reserved = true;
        return;
    }
    if (large) {
        walk_set_leaf(mmu, walk, entry, entry & PAE_FRAME_MASK & ~(uint64_t)(LARGE_2M - 1), linear,
                      LARGE_2M);
        return;
    }
    address = (entry & PAE_FRAME_MASK) + ((linear >> 12) & 0x1ff) * 8;
    entry = entry_read(mmu, address, 8, peek);
    if (!(entry & PTE_P))
        return;
    walk_add_entry(walk, address, entry);
    walk->no_execute = walk->no_execute || (entry & PTE_NX);
    if (entry & reserved) {
        walk->reserved = true;
        return;
    }
    walk_set_leaf(mmu, walk, entry, entry & PAE_FRAME_MASK, linear, PAGE_SIZE);
}

void page_walk_read(const struct mmu *mmu, uint32_t linear, bool peek, struct page_walk *walk)
{
    *walk = (struct page_walk){.writable = true, .user = true};
    if (!(mmu->cr0 & MMU_CR0_PG)) {
        walk->present = true;
        walk->page_size = PAGE_SIZE;
        walk->physical = linear;
        walk->leaf = PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D;
        walk->leaf_entry = walk->leaf;
    } else if (mmu->cr4 & MMU_CR4_PAE) {
        walk_pae(mmu, linear, peek, walk);
    } else {
        walk_two_level(mmu, linear, peek, walk);
    }
}

uint32_t page_walk_check(const struct mmu *mmu, const struct page_walk *walk,
                         enum mmu_access access, bool user)
{
    bool allowed = walk->present;
    if (user && !walk->user)
        allowed = false;
    if (access == MMU_WRITE && !walk->writable && (user || (mmu->cr0 & MMU_CR0_WP)))
        allowed = false;
    if (access == MMU_EXECUTE && walk->no_execute)
        allowed = false;
    if (LIKELY(allowed))
        return PAGE_WALK_ALLOWED;

    uint32_t code = 0;
    if (walk->present || walk->reserved)
        code |= PF_PRESENT;
    if (walk->reserved)
        code |= PF_RESERVED;
    if (access == MMU_WRITE)
        code |= PF_WRITE;
    if (user)
        code |= PF_USER;
    // The fetch bit exists only where fetches have rights of their own, SDM vol. 3 section 4.7.
    if (access == MMU_EXECUTE && (mmu->cr4 & MMU_CR4_PAE) && mmu->nx)
        code |= PF_FETCH;
    return code;
}

void page_walk_mark(struct mmu *mmu, struct page_walk *walk, bool write)
{
    for (unsigned i = 0; i < walk->levels; i++) {
        bool is_leaf = i + 1 == walk->levels;
        uint32_t want = PTE_A | (is_leaf && write ? PTE_D : 0);
        if ((walk->entry_low[i] & want) == want)
            continue;
        walk->entry_low[i] |= want;
        physmem_store(mmu->mem, walk->entry_address[i], walk->entry_low[i], 4);
        if (is_leaf) {
            walk->leaf |= want;
            walk->leaf_entry |= want;
        }
    }
}

bool page_walk_load_pdptes(const struct mmu *mmu, uint32_t cr3, uint64_t pdpte[4])
{
    for (unsigned i = 0; i < 4; i++) {
        pdpte[i] = physmem_load(mmu->mem, (cr3 & 0xffffffe0u) + i * 8, 8);
        if ((pdpte[i] & PTE_P) && (pdpte[i] & PDPTE_RESERVED))
            return false;
    }
    return true;
}
