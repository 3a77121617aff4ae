// SPDX-License-Identifier: MIT
// Flattening: from prioritised regions to one section a page. Only the pages that a change touches
// are looked at, because firmware switches shadow RAM, the VGA window and SMRAM, and sizes PCI
// BARs, hundreds of times.
#include <assert.h>
#include <stdlib.h>

#include "mmu/physmem_internal.h"

static bool spans_touch(const struct page_span *a, const struct page_span *b)
{
    return a->first <= b->end && b->first <= a->end;
}

static void span_join(struct page_span *a, const struct page_span *b)
{
    if (b->first < a->first)
        a->first = b->first;
    if (b->end > a->end)
        a->end = b->end;
}

void phys_flat_touch(struct physmem *mem, uint32_t base, uint32_t size)
{
    uint64_t end = (uint64_t)base + size;
    if (end > PHYS_END)
        end = PHYS_END;
    if (size == 0)
        return;
    struct page_span span = {base >> PAGE_SHIFT, (uint32_t)((end + PAGE_SIZE - 1) >> PAGE_SHIFT)};
    for (unsigned i = 0; i < mem->dirty_count;) {
        if (spans_touch(&mem->dirty[i], &span)) {
            span_join(&span, &mem->dirty[i]);
            mem->dirty[i] = mem->dirty[--mem->dirty_count];
            i = 0;
        } else {
            i++;
        }
    }
    if (mem->dirty_count == PHYS_DIRTY_SPANS) {
        for (unsigned i = 0; i < mem->dirty_count; i++)
            span_join(&span, &mem->dirty[i]);
        mem->dirty_count = 0;
    }
    mem->dirty[mem->dirty_count++] = span;
}

static bool region_covers_page(const struct phys_region *region, uint64_t page_base)
{
    return region->base <= page_base && phys_region_end(region) >= page_base + PAGE_SIZE;
}

// The regions behind a page, highest priority first, up to the first that covers all of it. list
// has room for all regions.
static uint32_t page_regions(const struct physmem *mem, uint32_t page, struct phys_region **list)
{
    uint64_t base = (uint64_t)page << PAGE_SHIFT;
    uint32_t count = 0;
    for (uint32_t i = 0; i < mem->region_count; i++) {
        struct phys_region *region = mem->regions[i];
        if (!region->enabled || region->base >= base + PAGE_SIZE || phys_region_end(region) <= base)
            continue;
        list[count++] = region;
        if (region_covers_page(region, base))
            break;
    }
    return count;
}

static uint32_t section_slot(struct physmem *mem)
{
    for (uint32_t i = 1; i < mem->section_count; i++)
        if (mem->sections[i].pages == 0)
            return i;
    assert(mem->section_count < UINT16_MAX);
    if (mem->section_count == mem->section_capacity) {
        mem->section_capacity *= 2;
        mem->sections = xrealloc(mem->sections, mem->section_capacity * sizeof *mem->sections);
    }
    return mem->section_count++;
}

static uint32_t section_find(struct physmem *mem, struct phys_region **list, uint32_t count)
{
    if (count == 0)
        return 0;
    for (uint32_t i = 1; i < mem->section_count; i++) {
        const struct phys_section *s = &mem->sections[i];
        if (s->pages && !s->stale && s->count == count &&
            !memcmp(s->regions, list, count * sizeof(struct phys_region *)))
            return i;
    }
    uint32_t slot = section_slot(mem);
    struct phys_section *section = &mem->sections[slot];
    *section = (struct phys_section){.count = count, .base = list[0]->base};
    section->regions = xcalloc(count, sizeof(struct phys_region *));
    memcpy(section->regions, list, count * sizeof(struct phys_region *));
    for (uint32_t i = 0; i < count; i++)
        section->is_mmio |= !list[i]->is_host;
    if (!section->is_mmio) { // host-backed regions are whole pages: the first is the only one
        section->read = list[0]->read_host;
        section->write = list[0]->write_host;
    }
    return slot;
}

static void section_release(struct physmem *mem, uint32_t slot, uint32_t pages)
{
    struct phys_section *section = &mem->sections[slot];
    section->pages -= pages;
    if (slot != 0 && section->pages == 0) {
        free(section->regions);
        *section = (struct phys_section){0};
    }
}

void phys_section_release_all(struct physmem *mem)
{
    for (uint32_t i = 0; i < mem->section_count; i++)
        free(mem->sections[i].regions);
    free(mem->sections);
}

static void pages_assign(struct physmem *mem, uint32_t page, uint32_t end, uint32_t slot)
{
    while (page < end) {
        uint16_t old = mem->page_section[page];
        uint32_t run = page;
        while (run < end && mem->page_section[run] == old)
            run++;
        if (old != slot) {
            for (uint32_t i = page; i < run; i++)
                mem->page_section[i] = (uint16_t)slot;
            mem->sections[slot].pages += run - page;
            section_release(mem, old, run - page);
            mem->change_seen = true;
        }
        page = run;
    }
}

static int compare_pages(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

// The answer can change only where a region begins or ends, in whole pages outwards and inwards.
static void span_rebuild(struct physmem *mem, const struct page_span *span)
{
    uint32_t *edges = xcalloc(2 + 4 * (size_t)mem->region_count, sizeof *edges);
    struct phys_region **list =
        xcalloc(1 + (size_t)mem->region_count, sizeof(struct phys_region *));
    size_t count = 0;
    edges[count++] = span->first;
    edges[count++] = span->end;
    for (uint32_t i = 0; i < mem->region_count; i++) {
        const struct phys_region *region = mem->regions[i];
        if (!region->enabled)
            continue;
        uint64_t end = phys_region_end(region);
        uint64_t candidates[4] = {region->base, (uint64_t)region->base + PAGE_SIZE - 1, end,
                                  end + PAGE_SIZE - 1};
        for (unsigned j = 0; j < 4; j++) {
            uint32_t page = (uint32_t)(candidates[j] >> PAGE_SHIFT);
            if (page > span->first && page < span->end)
                edges[count++] = page;
        }
    }
    qsort(edges, count, sizeof *edges, compare_pages);
    for (size_t i = 0; i + 1 < count; i++) {
        if (edges[i] == edges[i + 1])
            continue;
        uint32_t regions = page_regions(mem, edges[i], list);
        pages_assign(mem, edges[i], edges[i + 1], section_find(mem, list, regions));
    }
    free(edges);
    free(list);
}

static bool section_is_stale(const struct phys_section *section)
{
    for (uint32_t i = 0; i < section->count; i++)
        if (section->regions[i]->moved)
            return true;
    return false;
}

void phys_flat_commit(struct physmem *mem)
{
    if (mem->change_depth)
        return;
    if (mem->dirty_count) {
        for (uint32_t i = 1; i < mem->section_count; i++)
            mem->sections[i].stale = mem->sections[i].stale || section_is_stale(&mem->sections[i]);
        for (uint32_t i = 0; i < mem->region_count; i++)
            mem->regions[i]->moved = false;
        for (unsigned i = 0; i < mem->dirty_count; i++)
            span_rebuild(mem, &mem->dirty[i]);
        mem->dirty_count = 0;
    }
    phys_region_free_removed(mem);
    if (mem->change_seen) {
        mem->change_seen = false;
        if (mem->map_changed)
            mem->map_changed(mem->map_listener);
    }
}
