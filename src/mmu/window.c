// SPDX-License-Identifier: MIT
// The window's pages: an entry for each linear page (the page of RAM and the rights it is mapped
// with), a list of those that are mapped, and for each page of RAM the one linear page that may
// write to it, because a page that becomes code must lose that right.
#define _GNU_SOURCE
#include "mmu/window.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "mmu/mmu_internal.h"

// Each page may be a mapping of its own, of which the kernel allows some 65,000.
#define WINDOW_PAGES   16384u
#define WINDOW_GUARD   PAGE_SIZE // an access at the top may reach beyond it
#define ENTRIES_BYTES  (TLB_ENTRIES * sizeof(uint32_t))
#define ENTRY_WRITABLE 1u
#define ENTRY_MAPPED   2u
#define ENTRY_SHIFT    2u

struct mmu_window {
    uint8_t *base;
    uint32_t *entries; // page of RAM << ENTRY_SHIFT | ENTRY_*, 0: not mapped
    uint32_t *writers; // for each page of RAM: linear page + 1, 0: none
    uint32_t *pages;   // those with an entry
    uint32_t count;
    bool user;
    uint32_t cr3; // of the last opening
    struct window_stats stats;
};

bool mmu_window_create(struct mmu *mmu)
{
    if (physmem_ram_file(mmu->mem) < 0)
        return false;
    void *base = mmap(NULL, WINDOW_BYTES + WINDOW_GUARD, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return false;
    void *entries = mmap(NULL, ENTRIES_BYTES, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (entries == MAP_FAILED) {
        munmap(base, WINDOW_BYTES + WINDOW_GUARD);
        return false;
    }
    struct mmu_window *w = xcalloc(1, sizeof *w);
    w->base = base;
    w->entries = entries;
    w->writers = xcalloc(physmem_ram_size(mmu->mem) / PAGE_SIZE, sizeof *w->writers);
    w->pages = xcalloc(WINDOW_PAGES, sizeof *w->pages);
    mmu->window = w;
    return true;
}

void mmu_window_destroy(struct mmu *mmu)
{
    struct mmu_window *w = mmu->window;
    if (!w)
        return;
    munmap(w->base, WINDOW_BYTES + WINDOW_GUARD);
    munmap(w->entries, ENTRIES_BYTES);
    free(w->writers);
    free(w->pages);
    free(w);
    mmu->window = NULL;
    mmu->window_open = false;
}

uint8_t *mmu_window_base(const struct mmu *mmu)
{
    return mmu->window ? mmu->window->base : NULL;
}

struct window_stats mmu_window_stats(const struct mmu *mmu)
{
    struct window_stats stats = {0};
    if (mmu->window) {
        stats = mmu->window->stats;
        stats.pages = mmu->window->count;
    }
    return stats;
}

static uint8_t *place_of(const struct mmu_window *w, uint32_t page)
{
    return w->base + ((size_t)page << PAGE_SHIFT);
}

static void forget(struct mmu_window *w, uint32_t page)
{
    uint32_t entry = w->entries[page];
    if (w->writers[entry >> ENTRY_SHIFT] == page + 1)
        w->writers[entry >> ENTRY_SHIFT] = 0;
    w->entries[page] = 0;
}

static bool reserve(uint8_t *from, size_t size)
{
    return mmap(from, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
                0) != MAP_FAILED;
}

// A window whose mappings cannot be taken away must not be used again.
static void drop_all(struct mmu *mmu)
{
    struct mmu_window *w = mmu->window;
    mmu->window_open = false;
    for (uint32_t i = 0; i < w->count; i++)
        forget(w, w->pages[i]);
    w->stats.dropped += w->count;
    bool done = w->count == 0 || reserve(w->base, WINDOW_BYTES);
    w->count = 0;
    if (!done)
        mmu_window_destroy(mmu);
}

// Is what the window maps at this page what the page tables say now?
static bool is_current(const struct mmu *mmu, const struct mmu_window *w, uint32_t page, bool user)
{
    uint32_t entry = w->entries[page];
    bool writable = entry & ENTRY_WRITABLE;
    struct page_walk walk;
    page_walk_read(mmu, page << PAGE_SHIFT, true, &walk);
    if (page_walk_check(mmu, &walk, writable ? MMU_WRITE : MMU_READ, user) != PAGE_WALK_ALLOWED)
        return false;
    for (unsigned i = 0; i < walk.levels; i++)
        if (!(walk.entry_low[i] & PTE_A))
            return false;
    if (writable && !(walk.leaf & PTE_D))
        return false;
    uint64_t physical = mmu_apply_a20(mmu, walk.physical);
    if (physical >> 32)
        return false;
    struct phys_page behind = physmem_page(mmu->mem, (uint32_t)physical);
    const uint8_t *host = physmem_ram(mmu->mem) + ((size_t)(entry >> ENTRY_SHIFT) << PAGE_SHIFT);
    return behind.read == host && (!writable || behind.write == host);
}

static bool check_all(struct mmu *mmu, bool user)
{
    struct mmu_window *w = mmu->window;
    uint32_t kept = 0;
    bool done = true;
    w->stats.checked += w->count;
    for (uint32_t i = 0; i < w->count; i++) {
        uint32_t page = w->pages[i];
        if (is_current(mmu, w, page, user)) {
            w->pages[kept++] = page;
        } else {
            forget(w, page);
            done = reserve(place_of(w, page), PAGE_SIZE) && done;
            w->stats.dropped++;
        }
    }
    w->count = kept;
    return done;
}

bool mmu_window_open(struct mmu *mmu, bool user)
{
    struct mmu_window *w = mmu->window;
    if (!w || mmu->trace_all || signal_has_subscribers(mmu->signal_tlb_set_page))
        return false;
    if (w->cr3 != mmu->cr3 || w->user != user || w->count == WINDOW_PAGES)
        drop_all(mmu);
    else if (!check_all(mmu, user))
        drop_all(mmu);
    if (!mmu->window)
        return false;
    w->cr3 = mmu->cr3;
    w->user = user;
    w->stats.opened++;
    mmu->window_open = true;
    mmu->window_user = user;
    return true;
}

static void unmap_page(struct mmu *mmu, uint32_t page)
{
    struct mmu_window *w = mmu->window;
    uint32_t i = 0;
    while (w->pages[i] != page)
        i++;
    forget(w, page);
    w->pages[i] = w->pages[--w->count];
    if (!reserve(place_of(w, page), PAGE_SIZE))
        drop_all(mmu);
}

static void make_read_only(struct mmu *mmu, uint32_t page)
{
    struct mmu_window *w = mmu->window;
    w->writers[w->entries[page] >> ENTRY_SHIFT] = 0;
    w->entries[page] &= ~ENTRY_WRITABLE;
    if (mprotect(place_of(w, page), PAGE_SIZE, PROT_READ) != 0)
        drop_all(mmu);
}

void window_page_is_code(struct mmu *mmu, size_t ram_page)
{
    if (mmu->window && mmu->window->writers[ram_page])
        make_read_only(mmu, mmu->window->writers[ram_page] - 1);
}

void window_page_changed(struct mmu *mmu, uint32_t linear)
{
    if (mmu->window_open && mmu->window->entries[linear >> PAGE_SHIFT])
        mmu->window_open = false;
}

// The host address of the page as far as the window may map it; NULL: the slow path's.
static const uint8_t *find_page(struct mmu *mmu, uint32_t linear, bool *write)
{
    struct mmu_result result;
    uint8_t *host;
    if (!mmu_fill(mmu, linear, *write ? MMU_WRITE : MMU_READ, mmu->window_user, &host, &result) ||
        !host)
        return NULL;
    host -= linear & ~PAGE_MASK;
    // Writable at once where a write has been seen already: that spares a second fault.
    if (mmu_host(mmu, linear & PAGE_MASK, MMU_WRITE, mmu->window_user) == host)
        *write = true;
    else if (*write)
        return NULL;
    return host;
}

bool mmu_window_fill(struct mmu *mmu, uint32_t linear, bool write)
{
    struct mmu_window *w = mmu->window;
    uint32_t page = linear >> PAGE_SHIFT;
    const uint8_t *host = find_page(mmu, linear, &write);
    if (!host || !mmu->window_open)
        return false;
    size_t offset = (size_t)(host - physmem_ram(mmu->mem));
    if (offset >= physmem_ram_size(mmu->mem))
        return false;
    uint32_t ram_page = (uint32_t)(offset / PAGE_SIZE);
    if (w->entries[page])
        unmap_page(mmu, page);
    if (!mmu->window || w->count == WINDOW_PAGES) {
        mmu->window_open = false;
        return false;
    }
    if (write && w->writers[ram_page])
        return false; // one page of RAM has one writer
    if (mmap(place_of(w, page), PAGE_SIZE, PROT_READ | (write ? PROT_WRITE : 0),
             MAP_SHARED | MAP_FIXED | MAP_POPULATE, physmem_ram_file(mmu->mem),
             (off_t)offset) == MAP_FAILED) {
        mmu->window_open = false;
        return false;
    }
    w->entries[page] = ram_page << ENTRY_SHIFT | ENTRY_MAPPED | (write ? ENTRY_WRITABLE : 0);
    w->pages[w->count++] = page;
    if (write)
        w->writers[ram_page] = page + 1;
    w->stats.mapped++;
    return true;
}
