// SPDX-License-Identifier: MIT
// The block table: a hash by key, and a list of blocks for each page of host memory that holds
// guest code.
#include "jit/block.h"

#include <stdlib.h>

#define HASH_BITS  15u
#define HASH_SIZE  (1u << HASH_BITS)
#define PAGES_BITS 13u
#define PAGES_SIZE (1u << PAGES_BITS)

// Stores to code pages are looked up by granule first: many such pages hold data as well.
#define GRANULE_SHIFT 7u // 32 to a page

struct code_page {
    struct code_page *next;
    const uint8_t *host; // first byte
    uint32_t granules;   // with code; those of dead blocks stay until the page is dropped
    struct block *blocks;
};

struct block_table {
    struct block *hash[HASH_SIZE];
    struct code_page *pages[PAGES_SIZE];
    struct block *retired;
    struct physmem *mem;
    struct mmu *mmu;
    size_t count, bytes;
    uint64_t generation;
    void (*retired_listener)(void *self, struct block *block);
    void *listener;
};

static uint32_t hash_key(const uint8_t *host, uint32_t linear, uint32_t mode)
{
    // Not host ^ linear: where memory is mapped one to one their low bits cancel out.
    uint64_t h = ((uint64_t)(uintptr_t)host + mode) * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ (h >> 29)) + linear * UINT64_C(0xbf58476d1ce4e5b9);
    h *= UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(h >> (64 - HASH_BITS));
}

static const uint8_t *page_of(const uint8_t *host)
{
    return (const uint8_t *)((uintptr_t)host & ~(uintptr_t)(PAGE_SIZE - 1));
}

static uint32_t page_hash(const uint8_t *page)
{
    return (uint32_t)(((uintptr_t)page >> PAGE_SHIFT) * 2654435761u >> 8) % PAGES_SIZE;
}

static struct code_page **page_link(struct block_table *table, const uint8_t *page)
{
    struct code_page **link = &table->pages[page_hash(page)];
    while (*link && (*link)->host != page)
        link = &(*link)->next;
    return link;
}

struct block_table *block_table_create(struct physmem *mem, struct mmu *mmu,
                                       void (*retired)(void *self, struct block *block), void *self)
{
    struct block_table *table = xcalloc(1, sizeof *table);
    table->retired_listener = retired;
    table->listener = self;
    table->mem = mem;
    table->mmu = mmu;
    return table;
}

void block_free(struct block *block)
{
    if (block->hooks) {
        for (unsigned i = 0; i < block->count; i++)
            for (unsigned place = 0; place < JIT_PLACES; place++)
                hook_free_list(block->hooks[i].at[place]);
        free(block->hooks);
    }
    free(block);
}

void block_table_destroy(struct block_table *table)
{
    if (!table)
        return;
    block_invalidate_all(table);
    block_free_retired(table);
    free(table);
}

struct block *block_find(const struct block_table *table, const uint8_t *host, uint32_t linear,
                         uint32_t cs_base, uint32_t mode)
{
    struct block *b = table->hash[hash_key(host, linear, mode)];
    while (b &&
           (b->host != host || b->linear != linear || b->mode != mode || b->cs_base != cs_base))
        b = b->hash_next;
    return b;
}

// The granules of bytes first..last of a page.
static uint32_t granule_mask(size_t first, size_t last)
{
    uint32_t low = UINT32_MAX << (first >> GRANULE_SHIFT);
    return low & (UINT32_MAX >> (31 - (last >> GRANULE_SHIFT)));
}

static uint32_t block_granules(const struct block *block, unsigned which)
{
    size_t first = (uintptr_t)block->host & (PAGE_SIZE - 1);
    size_t end = first + block->bytes;
    if (which == 1)
        return granule_mask(0, end - PAGE_SIZE - 1);
    return granule_mask(first, (end <= PAGE_SIZE ? end : PAGE_SIZE) - 1);
}

static void page_add(struct block_table *table, struct block *block, const uint8_t *page,
                     unsigned which)
{
    struct code_page **link = page_link(table, page);
    if (!*link) {
        *link = xcalloc(1, sizeof **link);
        (*link)->host = page;
        physmem_mark_code(table->mem, page);
        mmu_flush_writes_to(table->mmu, page);
    }
    block->page_next[which] = (*link)->blocks;
    (*link)->blocks = block;
    (*link)->granules |= block_granules(block, which);
}

static size_t block_size(const struct block *block)
{
    return sizeof *block + block->count * sizeof block->insns[0];
}

void block_insert(struct block_table *table, struct block *block)
{
    uint32_t slot = hash_key(block->host, block->linear, block->mode);
    block->hash_next = table->hash[slot];
    table->hash[slot] = block;
    page_add(table, block, page_of(block->host), 0);
    if (block->second_host && page_of(block->second_host) != page_of(block->host))
        page_add(table, block, page_of(block->second_host), 1);
    table->count++;
    table->bytes += block_size(block);
}

static unsigned page_slot(const struct block *block, const uint8_t *page)
{
    return page_of(block->host) == page ? 0 : 1;
}

static void page_drop(struct block_table *table, struct block *block, const uint8_t *page)
{
    struct code_page **link = page_link(table, page);
    struct code_page *code = *link;
    if (!code)
        return;
    struct block **b = &code->blocks;
    while (*b && *b != block)
        b = &(*b)->page_next[page_slot(*b, page)];
    if (*b)
        *b = block->page_next[page_slot(block, page)];
    if (!code->blocks) {
        physmem_clear_code(table->mem, page);
        *link = code->next;
        free(code);
    }
}

static void block_retire(struct block_table *table, struct block *block)
{
    struct block **link = &table->hash[hash_key(block->host, block->linear, block->mode)];
    while (*link != block)
        link = &(*link)->hash_next;
    *link = block->hash_next;
    page_drop(table, block, page_of(block->host));
    if (block->second_host && page_of(block->second_host) != page_of(block->host))
        page_drop(table, block, page_of(block->second_host));
    block->dead = true;
    block->retired_next = table->retired;
    table->retired = block;
    table->count--;
    table->bytes -= block_size(block);
    table->generation++;
    table->retired_listener(table->listener, block);
}

void block_watch_peeked(struct block_table *table, const struct block *block)
{
    struct code_page *code = *page_link(table, page_of(block->host));
    for (unsigned i = 0; i < ARRAY_SIZE(block->code.peeked); i++) {
        const struct page_range *range = &block->code.peeked[i];
        if (range->to)
            code->granules |= granule_mask(range->from, range->to - 1u);
    }
}

static bool peeked_overlaps(const struct block *block, const uint8_t *host, size_t length)
{
    uintptr_t page = (uintptr_t)page_of(block->host);
    uintptr_t from = (uintptr_t)host, to = from + length;
    for (unsigned i = 0; i < ARRAY_SIZE(block->code.peeked); i++) {
        const struct page_range *range = &block->code.peeked[i];
        if (range->to && from < page + range->to && to > page + range->from)
            return true;
    }
    return false;
}

static bool block_overlaps(const struct block *block, const uint8_t *host, size_t length)
{
    uintptr_t from = (uintptr_t)host, to = from + length;
    if (peeked_overlaps(block, host, length))
        return true;
    uintptr_t start = (uintptr_t)block->host, end = start + block->bytes;
    if (block->second_host) {
        uintptr_t page_end = ((uintptr_t)block->host | (PAGE_SIZE - 1)) + 1;
        uintptr_t second = (uintptr_t)block->second_host;
        if (from < second + (end - page_end) && to > second)
            return true;
        end = page_end;
    }
    return from < end && to > start;
}

static void page_invalidate(struct block_table *table, const uint8_t *page, const uint8_t *host,
                            size_t length)
{
    struct code_page *code = *page_link(table, page);
    if (!code)
        return;
    size_t first = host > page ? (size_t)(host - page) : 0;
    size_t last = (size_t)(host - page) + length - 1;
    if (!(code->granules & granule_mask(first, last < PAGE_SIZE ? last : PAGE_SIZE - 1)))
        return;
    struct block *b = code->blocks;
    while (b) {
        struct block *next = b->page_next[page_slot(b, page)];
        if (block_overlaps(b, host, length))
            block_retire(table, b); // may free `code` with its last block; then next is NULL
        b = next;
    }
}

void block_invalidate(struct block_table *table, const uint8_t *host, size_t length)
{
    if (length == 0)
        return;
    const uint8_t *last = page_of(host + length - 1);
    for (const uint8_t *page = page_of(host); page <= last; page += PAGE_SIZE)
        page_invalidate(table, page, host, length);
}

void block_invalidate_all(struct block_table *table)
{
    // Page by page: the head of a page's list is unlinked without a search.
    for (unsigned i = 0; i < PAGES_SIZE; i++)
        while (table->pages[i])
            block_retire(table, table->pages[i]->blocks);
}

void block_invalidate_cold(struct block_table *table)
{
    for (unsigned i = 0; i < HASH_SIZE; i++) {
        struct block *next;
        for (struct block *b = table->hash[i]; b; b = next) {
            next = b->hash_next;
            if (!b->code.entry)
                block_retire(table, b);
        }
    }
}

void block_free_retired(struct block_table *table)
{
    while (table->retired) {
        struct block *block = table->retired;
        table->retired = block->retired_next;
        block_free(block);
    }
}

size_t block_table_count(const struct block_table *table)
{
    return table->count;
}

size_t block_table_bytes(const struct block_table *table)
{
    return table->bytes;
}

uint64_t block_table_generation(const struct block_table *table)
{
    return table->generation;
}
