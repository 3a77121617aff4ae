// SPDX-License-Identifier: MIT
// The physical address space below 4 GiB: RAM, ROM and memory-mapped registers, as prioritised
// regions that are flattened into one section a page. Addresses from 4 GiB on read as ones and
// ignore writes. Thread: the machine's thread.
#ifndef EMU_MMU_PHYSMEM_H
#define EMU_MMU_PHYSMEM_H

#include "base/error.h"
#include "base/log.h"

#define PAGE_SHIFT 12u
#define PAGE_SIZE  (1u << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1u))
#define PHYS_PAGES (1u << 20)

struct physmem;
struct phys_region;

// Register access: offset from the region's base, size 1, 2 or 4 bytes and naturally aligned to it
// (wider or crossing guest accesses are split). Reads return the value in the low bytes.
struct mmio_ops {
    uint32_t (*read)(void *self, uint32_t offset, unsigned size);
    void (*write)(void *self, uint32_t offset, uint32_t value, unsigned size);
    unsigned max_size; // widest access the device takes (0 means 4); wider ones are split
    // The byte that a read would give, without a read's effects; NULL: there is no such thing.
    uint8_t (*peek)(const void *self, uint32_t offset);
};

struct physmem *physmem_create(struct log *log);
void physmem_destroy(struct physmem *mem);

// Host memory for guest RAM: zeroed, reserved lazily, page-aligned; freed by physmem_destroy. NULL
// when the host refuses. All RAM is one block so that "offset in RAM" names a byte of guest memory
// whatever is mapped where.
uint8_t *physmem_alloc_ram(struct physmem *mem, uint32_t size, struct error *err);
uint8_t *physmem_ram(const struct physmem *mem);
// The memory file that RAM is a mapping of, from its start; -1: the host gave none.
int physmem_ram_file(const struct physmem *mem);
uint32_t physmem_ram_size(const struct physmem *mem);

// Regions. Higher priority wins where they overlap. Base and size are multiples of a page for
// host-backed regions; MMIO regions may be smaller than a page. A region is created enabled.
// Among equal priorities the region added last wins. A region does not own its host memory, which
// must outlive it. Host-backed: reads come from read_host (NULL: all ones), writes go to write_host
// (NULL: ignored). RAM: the same pointer twice. ROM: write_host NULL. Shadow RAM being filled
// (PAM): read ROM, write RAM.
struct phys_region *physmem_add_host(struct physmem *mem, const char *name, uint32_t base,
                                     uint32_t size, int priority, uint8_t *read_host,
                                     uint8_t *write_host);
struct phys_region *physmem_add_mmio(struct physmem *mem, const char *name, uint32_t base,
                                     uint32_t size, int priority, const struct mmio_ops *ops,
                                     void *self);
void phys_region_remove(struct phys_region *region);
void phys_region_set_enabled(struct phys_region *region, bool enabled);
void phys_region_set_base(struct phys_region *region, uint32_t base);
void phys_region_set_host(struct phys_region *region, uint8_t *read_host, uint8_t *write_host);

// Several changes in one go: the map is rebuilt, and the listener told, at the outermost end.
void physmem_begin_changes(struct physmem *mem);
void physmem_end_changes(struct physmem *mem);

// A20 gate: while it is closed, address bit 20 reads as zero.
void physmem_set_a20(struct physmem *mem, bool open);
bool physmem_a20(const struct physmem *mem);
uint32_t physmem_a20_mask(const struct physmem *mem);

// Told after the map or A20 changed: cached translations are stale.
void physmem_set_map_listener(struct physmem *mem, void (*changed)(void *self), void *self);

// What backs the page of a physical address (after A20): pointers to the *page's* first byte, NULL
// where reads or writes go elsewhere (MMIO, ROM, nothing). `is_mmio`: accesses must go through
// physmem_read/physmem_write.
struct phys_page {
    uint8_t *read;
    uint8_t *write;
    bool is_mmio;
};
struct phys_page physmem_page(const struct physmem *mem, uint32_t address);

// Single accesses of 1, 2, 4 or 8 bytes with device side effects, as the CPU makes them; may cross
// pages.
uint64_t physmem_load(struct physmem *mem, uint64_t address, unsigned size);
void physmem_store(struct physmem *mem, uint64_t address, uint64_t value, unsigned size);

// Block transfers, as DMA and the monitor make them. A bus master must not reach devices'
// registers: MMIO bytes are read as ones and writes to them are dropped. Writes tell the code
// tracker. False when any byte had no memory behind it.
bool physmem_read(struct physmem *mem, uint64_t address, void *buffer, size_t length);
bool physmem_write(struct physmem *mem, uint64_t address, const void *buffer, size_t length);
// For who looks at the machine from outside: as physmem_read, but with devices' memory that can be
// read without effects (mmio_ops.peek). What has nothing to tell is filled with ones; returns how
// many bytes there are before the first such.
size_t physmem_peek(struct physmem *mem, uint64_t address, void *buffer, size_t length);

// Code tracking: host pages that decoded or translated code was made from. A store to such a page
// calls `written(self, host, length)` *before* the bytes change, once for each page. A page counts
// from the start of the host memory it lies in (RAM, or what physmem_add_host was given). Host
// pointers, because the same page may be mapped twice.
void physmem_set_code_listener(struct physmem *mem,
                               void (*written)(void *self, uint8_t *host, size_t length),
                               void *self);
void physmem_mark_code(struct physmem *mem, const uint8_t *host_page);
void physmem_clear_code(struct physmem *mem, const uint8_t *host_page);
bool physmem_is_code(const struct physmem *mem, const uint8_t *host_page);
// Whoever writes host memory directly (a slow-path store) calls this first.
void physmem_will_write(struct physmem *mem, uint8_t *host, size_t length);

// `info mtree`: each region, then each run of the flattened map.
void physmem_describe(const struct physmem *mem, FILE *out);

#endif
