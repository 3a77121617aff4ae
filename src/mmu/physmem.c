// SPDX-License-Identifier: MIT
// The physical address space: RAM, the list of regions, the A20 gate. Flattening stands in
// physmem_flat.c, accesses in physmem_access.c, the code tracker in physmem_code.c. Left out:
// memory above 4 GiB, caching attributes (MTRR, PAT): all memory is coherent.
#define _GNU_SOURCE
#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "mmu/physmem_internal.h"

#define SECTION_MAP_BYTES (PHYS_PAGES * sizeof(uint16_t))

static void *map_zeroed(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

// A memory file, so that pages can be mapped a second time. A host that limits the size of files
// does not give one.
static int ram_file_create(size_t size)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || size > limit.rlim_cur)
        return -1;
    int fd = memfd_create("emu-ram", MFD_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, (off_t)size) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void *ram_map(struct physmem *mem, size_t size)
{
    mem->ram_file = ram_file_create(size);
    if (mem->ram_file >= 0) {
        void *p =
            mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, mem->ram_file, 0);
        if (p != MAP_FAILED)
            return p;
        close(mem->ram_file);
        mem->ram_file = -1;
    }
    return map_zeroed(size);
}

struct physmem *physmem_create(struct log *log)
{
    struct physmem *mem = xcalloc(1, sizeof *mem);
    mem->log = log;
    mem->a20_mask = A20_OPEN;
    mem->ram_file = -1;
    mem->page_section = map_zeroed(SECTION_MAP_BYTES);
    if (!mem->page_section) {
        free(mem);
        return NULL;
    }
    mem->section_capacity = 16;
    mem->sections = xcalloc(mem->section_capacity, sizeof *mem->sections);
    mem->section_count = 1;
    mem->sections[0].pages = PHYS_PAGES;
    return mem;
}

static void region_free(struct phys_region *region)
{
    free(region->name);
    free(region);
}

void phys_region_free_removed(struct physmem *mem)
{
    while (mem->removed) {
        struct phys_region *region = mem->removed;
        mem->removed = region->next_removed;
        region_free(region);
    }
}

void physmem_destroy(struct physmem *mem)
{
    if (!mem)
        return;
    for (uint32_t i = 0; i < mem->region_count; i++)
        region_free(mem->regions[i]);
    phys_region_free_removed(mem);
    free(mem->regions);
    phys_section_release_all(mem);
    phys_code_release_all(mem);
    munmap(mem->page_section, SECTION_MAP_BYTES);
    if (mem->ram)
        munmap(mem->ram, mem->ram_size);
    if (mem->ram_file >= 0)
        close(mem->ram_file);
    free(mem);
}

uint8_t *physmem_alloc_ram(struct physmem *mem, uint32_t size, struct error *err)
{
    if (mem->ram) {
        error_set(err, "guest RAM is already allocated (%u MiB)", mem->ram_size >> 20);
        return NULL;
    }
    if (size == 0 || size % PAGE_SIZE != 0) {
        error_set(err, "guest RAM of %u bytes: give a multiple of %u bytes", size, PAGE_SIZE);
        return NULL;
    }
    mem->ram = ram_map(mem, size);
    if (!mem->ram) {
        error_set(err, "the host refuses %u MiB for guest RAM; give less with -m", size >> 20);
        return NULL;
    }
    madvise(mem->ram, size, MADV_DONTFORK); // child processes never run the guest
    mem->ram_size = size;
    mem->ram_code = xcalloc((size / PAGE_SIZE + 63) / 64, sizeof *mem->ram_code);
    return mem->ram;
}

uint8_t *physmem_ram(const struct physmem *mem)
{
    return mem->ram;
}

int physmem_ram_file(const struct physmem *mem)
{
    return mem->ram_file;
}

uint32_t physmem_ram_size(const struct physmem *mem)
{
    return mem->ram_size;
}

static struct phys_region *region_add(struct physmem *mem, const char *name, uint32_t base,
                                      uint32_t size, int priority)
{
    if (mem->region_count == mem->region_capacity) {
        mem->region_capacity = mem->region_capacity ? mem->region_capacity * 2 : 32;
        mem->regions = xrealloc(mem->regions, mem->region_capacity * sizeof(struct phys_region *));
    }
    struct phys_region *region = xcalloc(1, sizeof *region);
    region->mem = mem;
    region->name = xstrdup(name);
    region->base = base;
    region->size = size;
    region->priority = priority;
    region->enabled = true;
    uint32_t at = 0;
    while (at < mem->region_count && mem->regions[at]->priority > priority)
        at++;
    memmove(mem->regions + at + 1, mem->regions + at,
            (mem->region_count - at) * sizeof(struct phys_region *));
    mem->regions[at] = region;
    mem->region_count++;
    phys_flat_touch(mem, base, size);
    return region;
}

static void region_add_code_blocks(struct phys_region *region)
{
    if (region->read_host)
        phys_code_add_block(region->mem, region->read_host, region->size);
    if (region->write_host)
        phys_code_add_block(region->mem, region->write_host, region->size);
}

struct phys_region *physmem_add_host(struct physmem *mem, const char *name, uint32_t base,
                                     uint32_t size, int priority, uint8_t *read_host,
                                     uint8_t *write_host)
{
    assert(base % PAGE_SIZE == 0 && size % PAGE_SIZE == 0);
    struct phys_region *region = region_add(mem, name, base, size, priority);
    region->is_host = true;
    region->read_host = read_host;
    region->write_host = write_host;
    region_add_code_blocks(region);
    phys_flat_commit(mem);
    return region;
}

struct phys_region *physmem_add_mmio(struct physmem *mem, const char *name, uint32_t base,
                                     uint32_t size, int priority, const struct mmio_ops *ops,
                                     void *self)
{
    struct phys_region *region = region_add(mem, name, base, size, priority);
    region->ops = *ops;
    region->self = self;
    // Splitting halves, so the widest access is a power of two.
    unsigned max = ops->max_size;
    region->ops.max_size = max == 0 || max >= 4 ? 4 : max >= 2 ? 2 : 1;
    phys_flat_commit(mem);
    return region;
}

void phys_region_remove(struct phys_region *region)
{
    if (!region)
        return;
    struct physmem *mem = region->mem;
    uint32_t at = 0;
    while (at < mem->region_count && mem->regions[at] != region)
        at++;
    assert(at < mem->region_count);
    mem->region_count--;
    memmove(mem->regions + at, mem->regions + at + 1,
            (mem->region_count - at) * sizeof(struct phys_region *));
    region->next_removed = mem->removed;
    mem->removed = region;
    if (region->enabled)
        phys_flat_touch(mem, region->base, region->size);
    phys_flat_commit(mem);
}

void phys_region_set_enabled(struct phys_region *region, bool enabled)
{
    if (region->enabled == enabled)
        return;
    region->enabled = enabled;
    phys_flat_touch(region->mem, region->base, region->size);
    phys_flat_commit(region->mem);
}

void phys_region_set_base(struct phys_region *region, uint32_t base)
{
    if (region->is_host)
        base &= PAGE_MASK;
    if (region->base == base)
        return;
    if (region->enabled)
        phys_flat_touch(region->mem, region->base, region->size);
    region->base = base;
    region->moved = true;
    if (region->enabled)
        phys_flat_touch(region->mem, region->base, region->size);
    phys_flat_commit(region->mem);
}

void phys_region_set_host(struct phys_region *region, uint8_t *read_host, uint8_t *write_host)
{
    assert(region->is_host);
    if (region->read_host == read_host && region->write_host == write_host)
        return;
    region->read_host = read_host;
    region->write_host = write_host;
    region->moved = true;
    region_add_code_blocks(region);
    if (region->enabled)
        phys_flat_touch(region->mem, region->base, region->size);
    phys_flat_commit(region->mem);
}

void physmem_begin_changes(struct physmem *mem)
{
    mem->change_depth++;
}

void physmem_end_changes(struct physmem *mem)
{
    assert(mem->change_depth > 0);
    mem->change_depth--;
    phys_flat_commit(mem);
}

void physmem_set_a20(struct physmem *mem, bool open)
{
    uint32_t mask = open ? A20_OPEN : A20_CLOSED;
    if (mem->a20_mask == mask)
        return;
    mem->a20_mask = mask;
    mem->change_seen = true;
    phys_flat_commit(mem);
}

bool physmem_a20(const struct physmem *mem)
{
    return mem->a20_mask == A20_OPEN;
}

uint32_t physmem_a20_mask(const struct physmem *mem)
{
    return mem->a20_mask;
}

void physmem_set_map_listener(struct physmem *mem, void (*changed)(void *self), void *self)
{
    mem->map_changed = changed;
    mem->map_listener = self;
}

struct phys_page physmem_page(const struct physmem *mem, uint32_t address)
{
    address &= mem->a20_mask & PAGE_MASK;
    const struct phys_section *section = phys_section_of(mem, address);
    uint32_t offset = address - section->base;
    return (struct phys_page){
        .read = section->read ? section->read + offset : NULL,
        .write = section->write ? section->write + offset : NULL,
        .is_mmio = section->is_mmio,
    };
}
