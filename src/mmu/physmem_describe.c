// SPDX-License-Identifier: MIT
// `info mtree`: the regions by priority, then the flattened map as runs of pages, with their owners
// inside shared pages.
#include "mmu/physmem_internal.h"

static const char *region_kind(const struct phys_region *region)
{
    if (!region->is_host)
        return "i/o";
    if (!region->write_host)
        return region->read_host ? "rom" : "absent";
    return region->read_host == region->write_host ? "ram"
           : region->read_host                     ? "rom, writes ram"
                                                   : "write-only";
}

static void describe_where(const struct physmem *mem, const struct phys_region *region,
                           uint64_t from, FILE *out)
{
    const uint8_t *host = region->is_host ? region->read_host : NULL;
    if (!host || !mem->ram || (uintptr_t)host - (uintptr_t)mem->ram >= mem->ram_size)
        return;
    unsigned long long offset = (uintptr_t)host - (uintptr_t)mem->ram;
    fprintf(out, " @%016llx", offset + (from - region->base));
}

static void describe_run(const struct physmem *mem, uint64_t from, uint64_t to,
                         const struct phys_region *region, FILE *out)
{
    fprintf(out, "  %016llx-%016llx (prio %d, %s): %s", (unsigned long long)from,
            (unsigned long long)(to - 1), region->priority, region_kind(region), region->name);
    describe_where(mem, region, from, out);
    fputc('\n', out);
}

// The owner of a byte and where its run inside the page ends.
static const struct phys_region *owner_until(const struct phys_section *section, uint64_t at,
                                             uint64_t *end)
{
    for (uint32_t i = 0; i < section->count; i++) {
        const struct phys_region *region = section->regions[i];
        if (phys_region_contains(region, (uint32_t)at)) {
            if (phys_region_end(region) < *end)
                *end = phys_region_end(region);
            return region;
        }
        if (region->base > at && region->base < *end)
            *end = region->base;
    }
    return NULL;
}

static void describe_flat(const struct physmem *mem, FILE *out)
{
    const struct phys_region *current = NULL;
    uint64_t from = 0, at = 0;
    while (at < PHYS_END) {
        const struct phys_section *section = phys_section_of(mem, (uint32_t)at);
        uint64_t end = (at & PAGE_MASK) + PAGE_SIZE;
        const struct phys_region *owner = owner_until(section, at, &end);
        if (owner != current) {
            if (current)
                describe_run(mem, from, at, current, out);
            current = owner;
            from = at;
        }
        at = end;
    }
    if (current)
        describe_run(mem, from, PHYS_END, current, out);
}

void physmem_describe(const struct physmem *mem, FILE *out)
{
    fprintf(out, "memory-region: system\n");
    fprintf(out, "  0000000000000000-00000000ffffffff (prio 0, container): system\n");
    for (uint32_t i = 0; i < mem->region_count; i++) {
        const struct phys_region *region = mem->regions[i];
        uint64_t last = phys_region_end(region) - (region->size ? 1 : 0);
        fprintf(out, "    %016llx-%016llx (prio %d, %s): %s", (unsigned long long)region->base,
                (unsigned long long)last, region->priority, region_kind(region), region->name);
        describe_where(mem, region, region->base, out);
        fputs(region->enabled ? "\n" : " [disabled]\n", out);
    }
    fprintf(out, "FlatView (A20 %s)\n", physmem_a20(mem) ? "open" : "closed");
    describe_flat(mem, out);
}
