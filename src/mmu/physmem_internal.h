// SPDX-License-Identifier: MIT
// What the files of the physical address space share. Nobody outside physmem*.c includes this.
#ifndef EMU_MMU_PHYSMEM_INTERNAL_H
#define EMU_MMU_PHYSMEM_INTERNAL_H

#include "mmu/physmem.h"

#define PHYS_END         (UINT64_C(1) << 32)
#define A20_OPEN         0xffffffffu
#define A20_CLOSED       0xffefffffu
#define PHYS_DIRTY_SPANS 8u

struct phys_region {
    struct physmem *mem;
    char *name;
    uint32_t base, size;
    int priority;
    bool enabled;
    bool is_host;
    bool moved; // base or host pointers changed since the last commit: its sections are out of date
    uint8_t *read_host, *write_host;
    struct mmio_ops ops;
    void *self;
    struct phys_region *next_removed; // freed at the next commit, because sections still name it
};

// What is behind a page. Pages with the same answer share a section.
// A page that one host-backed region covers has read and/or write; everything else goes through
// `regions`.
struct phys_section {
    uint8_t *read, *write; // host memory of the region's first byte, or NULL
    uint32_t base;         // physical address of that byte
    bool is_mmio;          // registers behind at least one byte
    bool stale;            // a region of it has changed: not to be shared any more
    uint32_t pages;        // pages that use it; 0: the slot is free
    uint32_t count;        // regions, highest priority first, up to one that covers the page
    struct phys_region **regions;
};

// Host memory in which code may lie, with one bit for each page counted from its start.
struct code_block {
    uint8_t *start;
    size_t size;
    uint64_t *bits;
};

struct page_span {
    uint32_t first, end; // pages, end exclusive
};

struct physmem {
    struct log *log;
    uint16_t *page_section; // section of each page; 0 is "nothing there"
    struct phys_section *sections;
    uint32_t section_count, section_capacity;
    uint32_t a20_mask;

    struct phys_region **regions; // highest priority first, among equals the one added last
    uint32_t region_count, region_capacity;
    struct phys_region *removed;

    unsigned change_depth;
    bool change_seen; // what the listener was not told yet
    struct page_span dirty[PHYS_DIRTY_SPANS];
    unsigned dirty_count;
    void (*map_changed)(void *self);
    void *map_listener;

    uint8_t *ram;
    uint32_t ram_size;
    int ram_file;              // -1: anonymous memory
    uint64_t *ram_code;        // one bit a page of RAM
    struct code_block *blocks; // other host memory
    uint32_t block_count;
    void (*code_written)(void *self, uint8_t *host, size_t length);
    void *code_listener;
};

static inline uint64_t phys_region_end(const struct phys_region *region)
{
    uint64_t end = (uint64_t)region->base + region->size;
    return end < PHYS_END ? end : PHYS_END;
}

static inline bool phys_region_contains(const struct phys_region *region, uint32_t address)
{
    return address >= region->base && address < phys_region_end(region);
}

static inline const struct phys_section *phys_section_of(const struct physmem *mem,
                                                         uint32_t address)
{
    return &mem->sections[mem->page_section[address >> PAGE_SHIFT]];
}

// Notes that the pages of [base, base + size) have to be looked at again.
void phys_flat_touch(struct physmem *mem, uint32_t base, uint32_t size);

// Rebuilds what was touched and tells the listener, unless a group of changes is open.
void phys_flat_commit(struct physmem *mem);

void phys_region_free_removed(struct physmem *mem);
void phys_section_release_all(struct physmem *mem);

// Makes the host range known to the code tracker.
void phys_code_add_block(struct physmem *mem, uint8_t *start, size_t size);
void phys_code_release_all(struct physmem *mem);

#endif
