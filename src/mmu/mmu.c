// SPDX-License-Identifier: MIT
// The guest TLB: six flat tables of host addends in one reserved mapping, filled by page walks and
// emptied at the cost of what was filled. Intel SDM vol. 3, sections 4.7, 4.8 and 4.10.
//
// Every live entry stands in one of two lists, global or not, as its index in the six tables
// together; a flush walks the list and zeroes. INVLPG leaves its list entry behind, so a list may
// name an empty or a refilled entry. A full list empties everything and gives the tables' memory
// back. A page that becomes code must lose its write entries: for each page of RAM a hint names the
// one linear page through which it may be written, or says "several", and only then the lists are
// searched.
//
// Pages that cannot be in the tables, because code lies on them or because they are a device's, are
// remembered in a small cache beside them, so that accesses there cost no walk each. Its entries
// live at most as long as those of the tables.
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "mmu/mmu_internal.h"
#include "mmu/window.h"

#define TLB_TABLES     (2u * MMU_ACCESSES)
#define TLB_BYTES      (TLB_TABLES * TLB_TABLE_BYTES)
#define LIST_CAPACITY  (1u << 16)
#define LARGE_REGIONS  (UINT64_C(1) << (32 - 22))
#define REGION_ENTRIES (LARGE_4M / PAGE_SIZE)
#define HINT_NONE      0u
#define HINT_SEVERAL   UINT32_MAX

struct entry_list {
    uint32_t count;
    uint32_t index[LIST_CAPACITY];
};

#define SLOW_PAGES      256u
#define SLOW_KEY_BITS   22u // linear page, privilege, access
#define SLOW_PER_LINEAR 4u

// What a walk found for one linear page, privilege and kind of data access.
struct slow_page {
    uint64_t tag;      // generation and key; 0: nothing
    uint64_t physical; // of the page
    uint8_t *host;     // memory with code on it; NULL: no plain memory
};

struct mmu_private {
    uintptr_t *tables; // the six, contiguous
    uintptr_t *empty;  // made when first asked for
    struct entry_list global, local;
    uint64_t large[LARGE_REGIONS / 64]; // 4 MiB of linear space with entries from a large page
    uint32_t *write_hint; // for each page of RAM: linear page + 1, HINT_NONE or HINT_SEVERAL
    size_t hints;
    struct slow_page slow[SLOW_PAGES];
    uint64_t slow_generation; // entries of others are void; never 0
};

static uint32_t table_index(enum mmu_access access, bool user, uint32_t linear)
{
    return (user * MMU_ACCESSES + access) * TLB_ENTRIES + (linear >> PAGE_SHIFT);
}

bool mmu_init(struct mmu *mmu, struct physmem *mem, struct log *log, struct error *err)
{
    *mmu = (struct mmu){.mem = mem, .log = log};
    void *tables = mmap(NULL, TLB_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (tables == MAP_FAILED)
        return error_set(err, "the host refuses %u MiB of address space for the guest TLB",
                         (unsigned)(TLB_BYTES >> 20));
    struct mmu_private *priv = xcalloc(1, sizeof *priv);
    priv->tables = tables;
    priv->slow_generation = 1;
    priv->hints = physmem_ram_size(mem) / PAGE_SIZE;
    priv->write_hint = xcalloc(priv->hints + 1, sizeof *priv->write_hint);
    mmu->priv = priv;
    for (unsigned user = 0; user < 2; user++)
        for (unsigned access = 0; access < MMU_ACCESSES; access++)
            mmu->tlb[user][access] = priv->tables + table_index(access, user, 0);
    return true;
}

void mmu_destroy(struct mmu *mmu)
{
    if (!mmu->priv)
        return;
    mmu_window_destroy(mmu);
    munmap(mmu->priv->tables, TLB_BYTES);
    if (mmu->priv->empty)
        munmap(mmu->priv->empty, TLB_TABLE_BYTES);
    free(mmu->priv->write_hint);
    free(mmu->priv);
    mmu->priv = NULL;
}

uintptr_t *mmu_empty_table(struct mmu *mmu)
{
    struct mmu_private *priv = mmu->priv;
    if (!priv->empty) {
        void *table = mmap(NULL, TLB_TABLE_BYTES, PROT_READ,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (table == MAP_FAILED) {
            fprintf(stderr, "emu: the host is out of address space\n");
            exit(1);
        }
        priv->empty = table;
    }
    return priv->empty;
}

static void list_flush(struct mmu_private *priv, struct entry_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        priv->tables[list->index[i]] = 0;
    list->count = 0;
}

static uint64_t slow_key(enum mmu_access access, bool user, uint32_t linear)
{
    return (uint64_t)(linear >> PAGE_SHIFT) * SLOW_PER_LINEAR + user * 2u + (access == MMU_WRITE);
}

static struct slow_page *slow_slot(struct mmu_private *priv, uint64_t key)
{
    return &priv->slow[key % SLOW_PAGES];
}

static void slow_forget(struct mmu_private *priv, uint32_t linear)
{
    struct slow_page *slots = slow_slot(priv, slow_key(MMU_READ, false, linear));
    for (unsigned i = 0; i < SLOW_PER_LINEAR; i++)
        slots[i].tag = 0;
}

static void slow_forget_all(struct mmu_private *priv)
{
    priv->slow_generation++;
}

static void slow_remember(struct mmu_private *priv, enum mmu_access access, bool user,
                          uint32_t linear, uint64_t physical, uint8_t *host_page)
{
    uint64_t key = slow_key(access, user, linear);
    *slow_slot(priv, key) = (struct slow_page){
        .tag = priv->slow_generation << SLOW_KEY_BITS | key,
        .physical = physical & ~(uint64_t)(PAGE_SIZE - 1),
        .host = host_page,
    };
}

// A page without code any more is for the tables again.
static bool slow_find(struct mmu *mmu, enum mmu_access access, bool user, uint32_t linear,
                      uint8_t **host, struct mmu_result *result)
{
    struct mmu_private *priv = mmu->priv;
    uint64_t key = slow_key(access, user, linear);
    const struct slow_page *slow = slow_slot(priv, key);
    if (access == MMU_EXECUTE || slow->tag != (priv->slow_generation << SLOW_KEY_BITS | key) ||
        (slow->host && !physmem_is_code(mmu->mem, slow->host)))
        return false;
    mmu->slow_hits++;
    *host = slow->host ? slow->host + (linear & ~PAGE_MASK) : NULL;
    *result = (struct mmu_result){.physical = slow->physical | (linear & ~PAGE_MASK)};
    return true;
}

// Gives the memory back, which also makes every entry zero.
static void drop_tables(struct mmu *mmu)
{
    struct mmu_private *priv = mmu->priv;
    if (madvise(priv->tables, TLB_BYTES, MADV_DONTNEED) != 0) {
        list_flush(priv, &priv->local);
        list_flush(priv, &priv->global);
    }
    priv->local.count = 0;
    priv->global.count = 0;
    slow_forget_all(priv);
    memset(priv->large, 0, sizeof priv->large);
    mmu->flushes++;
}

void mmu_flush_all(struct mmu *mmu)
{
    struct mmu_private *priv = mmu->priv;
    list_flush(priv, &priv->local);
    list_flush(priv, &priv->global);
    slow_forget_all(priv);
    memset(priv->large, 0, sizeof priv->large);
    mmu->flushes++;
    mmu->window_open = false;
    if (log_enabled(mmu->log, LOG_MMU))
        log_write(mmu->log, LOG_MMU, "mmu: flush all\n");
}

static void flush_local(struct mmu *mmu)
{
    list_flush(mmu->priv, &mmu->priv->local);
    slow_forget_all(mmu->priv);
    mmu->flushes++;
    mmu->window_open = false;
    if (log_enabled(mmu->log, LOG_MMU))
        log_write(mmu->log, LOG_MMU, "mmu: flush all but global pages, cr3 %08x\n", mmu->cr3);
}

// Writes only where something stands, so that untouched table memory stays unbacked.
static void clear_entries(struct mmu_private *priv, uint32_t first, uint32_t count)
{
    for (unsigned table = 0; table < TLB_TABLES; table++) {
        uintptr_t *entries = priv->tables + (size_t)table * TLB_ENTRIES + first;
        for (uint32_t i = 0; i < count; i++)
            if (entries[i])
                entries[i] = 0;
    }
}

static void invalidate_page(struct mmu *mmu, uint32_t linear)
{
    struct mmu_private *priv = mmu->priv;
    uint32_t region = linear / LARGE_4M;
    uint64_t bit = UINT64_C(1) << (region % 64);
    // A large page has entered the tables in pieces, and all of them must go.
    if (UNLIKELY(priv->large[region / 64] & bit)) {
        priv->large[region / 64] &= ~bit;
        clear_entries(priv, region * REGION_ENTRIES, REGION_ENTRIES);
        slow_forget_all(priv);
        mmu->window_open = false;
    } else {
        clear_entries(priv, linear >> PAGE_SHIFT, 1);
        slow_forget(priv, linear);
        window_page_changed(mmu, linear);
    }
}

void mmu_flush_page(struct mmu *mmu, uint32_t linear)
{
    invalidate_page(mmu, linear);
    mmu->flushes++;
    if (log_enabled(mmu->log, LOG_MMU))
        log_write(mmu->log, LOG_MMU, "mmu: flush page %08x\n", linear);
}

// The host page that entry `index` reaches.
static uintptr_t entry_host(const struct mmu_private *priv, uint32_t index)
{
    return priv->tables[index] + ((uintptr_t)(index % TLB_ENTRIES) << PAGE_SHIFT);
}

static void drop_write_entry(struct mmu_private *priv, uint32_t index, uintptr_t host_page)
{
    if (priv->tables[index] && entry_host(priv, index) == host_page)
        priv->tables[index] = 0;
}

static void list_drop_writes(struct mmu_private *priv, const struct entry_list *list,
                             uintptr_t host_page)
{
    for (uint32_t i = 0; i < list->count; i++)
        if ((list->index[i] / TLB_ENTRIES) % MMU_ACCESSES == MMU_WRITE)
            drop_write_entry(priv, list->index[i], host_page);
}

void mmu_flush_writes_to(struct mmu *mmu, const uint8_t *host_page)
{
    struct mmu_private *priv = mmu->priv;
    uintptr_t host = (uintptr_t)host_page;
    size_t page = (host - (uintptr_t)physmem_ram(mmu->mem)) / PAGE_SIZE;
    uint32_t hint = HINT_SEVERAL; // memory that is not RAM has no hints
    if (page < priv->hints) {
        window_page_is_code(mmu, page);
        hint = priv->write_hint[page];
        priv->write_hint[page] = HINT_NONE;
    }
    if (hint == HINT_SEVERAL) {
        list_drop_writes(priv, &priv->local, host);
        list_drop_writes(priv, &priv->global, host);
    } else if (hint != HINT_NONE) {
        uint32_t linear = (hint - 1) << PAGE_SHIFT;
        drop_write_entry(priv, table_index(MMU_WRITE, false, linear), host);
        drop_write_entry(priv, table_index(MMU_WRITE, true, linear), host);
    }
}

static bool write_is_live(const struct mmu_private *priv, uint32_t linear, uintptr_t host_page)
{
    for (unsigned user = 0; user < 2; user++) {
        uint32_t index = table_index(MMU_WRITE, user, linear);
        if (priv->tables[index] && entry_host(priv, index) == host_page)
            return true;
    }
    return false;
}

// Called before a write entry from linear to host_page is made.
static void note_write(struct mmu *mmu, uint32_t linear, const uint8_t *host_page)
{
    struct mmu_private *priv = mmu->priv;
    size_t page = ((uintptr_t)host_page - (uintptr_t)physmem_ram(mmu->mem)) / PAGE_SIZE;
    if (page >= priv->hints)
        return;
    uint32_t own = (linear >> PAGE_SHIFT) + 1;
    uint32_t hint = priv->write_hint[page];
    if (hint == own || hint == HINT_SEVERAL)
        return;
    if (hint != HINT_NONE && write_is_live(priv, (hint - 1) << PAGE_SHIFT, (uintptr_t)host_page))
        own = HINT_SEVERAL;
    priv->write_hint[page] = own;
}

static void note_large(struct mmu_private *priv, uint32_t linear, const struct page_walk *walk)
{
    if (walk->page_size != PAGE_SIZE)
        priv->large[linear / LARGE_4M / 64] |= UINT64_C(1) << (linear / LARGE_4M % 64);
}

// The page is one that accesses of this kind reach without the tables.
static void enter_slow(struct mmu *mmu, enum mmu_access access, bool user, uint32_t linear,
                       uint64_t physical, uint8_t *host_page, const struct page_walk *walk)
{
    if (access == MMU_EXECUTE)
        return;
    note_large(mmu->priv, linear, walk);
    slow_remember(mmu->priv, access, user, linear, physical, host_page);
}

static void enter(struct mmu *mmu, enum mmu_access access, bool user, uint32_t linear,
                  const uint8_t *host_page, const struct page_walk *walk)
{
    struct mmu_private *priv = mmu->priv;
    uint32_t index = table_index(access, user, linear);
    uintptr_t addend = (uintptr_t)host_page - (linear & PAGE_MASK);
    if (access == MMU_WRITE)
        note_write(mmu, linear, host_page);
    // An entry that stands is in a list already; only one that was global and is not any more has
    // to move.
    if (priv->tables[index] == 0 || !walk->global) {
        struct entry_list *list = walk->global ? &priv->global : &priv->local;
        if (UNLIKELY(list->count == LIST_CAPACITY))
            drop_tables(mmu);
        list->index[list->count++] = index;
    }
    note_large(priv, linear, walk);
    priv->tables[index] = addend;
}

static void emit_set_page(struct mmu *mmu, uint32_t linear, bool user, const struct page_walk *walk)
{
    uint32_t prot = EMU_PROT_READ;
    if (page_walk_check(mmu, walk, MMU_WRITE, user) == PAGE_WALK_ALLOWED)
        prot |= EMU_PROT_WRITE;
    if (!walk->no_execute)
        prot |= EMU_PROT_EXEC;
    struct qemu_tlb_payload payload = {
        .vaddr = linear & PAGE_MASK,
        .paddr = mmu_apply_a20(mmu, walk->physical) & ~(uint64_t)(PAGE_SIZE - 1),
        .prot = prot,
        .mmu_idx = user,
        .size = walk->page_size,
    };
    signal_emit(mmu->signal_tlb_set_page, &payload, mmu->signal_cpu);
}

// The walk that an access makes, up to the accessed and dirty bits. False: page fault.
static bool walk_access(struct mmu *mmu, uint32_t linear, enum mmu_access access, bool user,
                        struct page_walk *walk, struct mmu_result *result)
{
    mmu->walks++;
    page_walk_read(mmu, linear, false, walk);
    uint32_t code = page_walk_check(mmu, walk, access, user);
    if (UNLIKELY(code != PAGE_WALK_ALLOWED)) {
        *result = (struct mmu_result){.error_code = code};
        invalidate_page(mmu, linear); // SDM vol. 3 section 4.10.4.1: a page fault does
        if (log_enabled(mmu->log, LOG_MMU))
            log_write(mmu->log, LOG_MMU, "mmu: page fault at %08x, error code %02x, cr3 %08x\n",
                      linear, code, mmu->cr3);
        return false;
    }
    page_walk_mark(mmu, walk, access == MMU_WRITE);
    *result = (struct mmu_result){.physical = mmu_apply_a20(mmu, walk->physical)};
    return true;
}

bool mmu_translate(struct mmu *mmu, uint32_t linear, enum mmu_access access, bool user,
                   struct mmu_result *result)
{
    struct page_walk walk;
    return walk_access(mmu, linear, access, user, &walk, result);
}

bool mmu_fill(struct mmu *mmu, uint32_t linear, enum mmu_access access, bool user, uint8_t **host,
              struct mmu_result *result)
{
    struct page_walk walk;
    if (slow_find(mmu, access, user, linear, host, result))
        return true;
    *host = NULL;
    if (!walk_access(mmu, linear, access, user, &walk, result))
        return false;
    if (UNLIKELY(signal_has_subscribers(mmu->signal_tlb_set_page)))
        emit_set_page(mmu, linear, user, &walk);
    if (UNLIKELY(result->physical >> 32)) {
        enter_slow(mmu, access, user, linear, result->physical, NULL, &walk);
        return true;
    }
    // Looked up after the accessed bits were stored: a listener told of that store may have changed
    // what is cached.
    struct phys_page page = physmem_page(mmu->mem, (uint32_t)result->physical);
    uint8_t *host_page = access == MMU_WRITE ? page.write : page.read;
    if (!host_page) {
        enter_slow(mmu, access, user, linear, result->physical, NULL, &walk);
        return true;
    }
    *host = host_page + (linear & ~PAGE_MASK);
    mmu->fills++;
    if (log_enabled(mmu->log, LOG_MMU))
        log_write(mmu->log, LOG_MMU, "mmu: fill %08x -> %08x access %d user %d%s\n",
                  linear & PAGE_MASK, (uint32_t)result->physical & PAGE_MASK, access, user,
                  walk.global ? " global" : "");
    if (access == MMU_EXECUTE) {
        enter(mmu, MMU_EXECUTE, user, linear, host_page, &walk);
        return true;
    }
    if (mmu->trace_all)
        return true;
    if (access == MMU_READ) {
        enter(mmu, MMU_READ, user, linear, host_page, &walk);
        return true;
    }
    if (!physmem_is_code(mmu->mem, host_page))
        enter(mmu, MMU_WRITE, user, linear, host_page, &walk);
    else
        enter_slow(mmu, MMU_WRITE, user, linear, result->physical, host_page, &walk);
    // What may be written may be read, and mostly is soon.
    if (page.read && mmu_host(mmu, linear & PAGE_MASK, MMU_READ, user) != page.read)
        enter(mmu, MMU_READ, user, linear, page.read, &walk);
    return true;
}

bool mmu_set_control(struct mmu *mmu, uint32_t cr0, uint32_t cr3, uint32_t cr4, bool nxe,
                     bool cr3_written)
{
    uint32_t cr0_changed = cr0 ^ mmu->cr0, cr4_changed = cr4 ^ mmu->cr4;
    bool paging = cr0 & MMU_CR0_PG;
    cr3_written = cr3_written || cr3 != mmu->cr3;
    if (paging && (cr4 & MMU_CR4_PAE) &&
        (cr3_written || (cr0_changed & MMU_CR0_PG) ||
         (cr4_changed & (MMU_CR4_PAE | MMU_CR4_PSE | MMU_CR4_PGE)))) {
        uint64_t pdpte[4];
        if (!page_walk_load_pdptes(mmu, cr3, pdpte))
            return false;
        memcpy(mmu->pdpte, pdpte, sizeof pdpte);
    }
    bool everything = (cr0_changed & (MMU_CR0_PG | MMU_CR0_WP)) || nxe != mmu->nx ||
                      (cr4_changed & (MMU_CR4_PAE | MMU_CR4_PSE | MMU_CR4_PGE));
    mmu->cr0 = cr0;
    mmu->cr3 = cr3;
    mmu->cr4 = cr4;
    mmu->nx = nxe;
    if (everything)
        mmu_flush_all(mmu);
    else if (cr3_written && paging)
        flush_local(mmu);
    return true;
}

bool mmu_probe(const struct mmu *mmu, uint32_t linear, uint64_t *physical)
{
    struct page_walk walk;
    page_walk_read(mmu, linear, true, &walk);
    if (!walk.present)
        return false;
    *physical = mmu_apply_a20(mmu, walk.physical);
    return true;
}

size_t mmu_debug_read(struct mmu *mmu, uint32_t linear, void *buffer, size_t length)
{
    uint8_t *to = buffer;
    size_t done = 0;
    while (done < length) {
        uint64_t physical;
        if (!mmu_probe(mmu, linear, &physical))
            break;
        size_t n = PAGE_SIZE - (linear & ~PAGE_MASK);
        if (n > length - done)
            n = length - done;
        physmem_peek(mmu->mem, physical, to + done, n);
        done += n;
        linear += (uint32_t)n;
    }
    return done;
}

size_t mmu_debug_write(struct mmu *mmu, uint32_t linear, const void *buffer, size_t length)
{
    const uint8_t *from = buffer;
    size_t done = 0;
    while (done < length) {
        uint64_t physical;
        if (!mmu_probe(mmu, linear, &physical))
            break;
        size_t n = PAGE_SIZE - (linear & ~PAGE_MASK);
        if (n > length - done)
            n = length - done;
        physmem_write(mmu->mem, physical, from + done, n);
        done += n;
        linear += (uint32_t)n;
    }
    return done;
}
