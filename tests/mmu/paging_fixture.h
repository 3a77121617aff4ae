// SPDX-License-Identifier: MIT
// A machine of RAM, a ROM page, a register page and an MMU, for the paging tests.
#ifndef EMU_TESTS_PAGING_FIXTURE_H
#define EMU_TESTS_PAGING_FIXTURE_H

#include "mmu_test.h"

#define RAM_SIZE  0x1000000u // 16 MiB
#define ROM_BASE  0xfffff000u
#define MMIO_BASE 0xfee00000u
#define ROOT      0x10000u // CR3
#define TABLE     0x20000u // first page table
#define FRAME     0x300000u

enum { P = 1, RW = 2, US = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100 };
#define NX      (UINT64_C(1) << 63)
#define CR0_PE  0x1u
#define CR0_WP  0x10000u
#define CR0_PG  0x80000000u
#define CR4_PSE 0x10u
#define CR4_PAE 0x20u
#define CR4_PGE 0x80u

struct fixture {
    struct log log;
    struct physmem *mem;
    struct mmu mmu;
    uint8_t *ram;
    uint8_t rom[PAGE_SIZE];
    unsigned mmio_reads, mmio_writes;
};

static uint32_t mmio_read(void *self, uint32_t offset, unsigned size)
{
    ((struct fixture *)self)->mmio_reads++;
    return 0;
}

static void mmio_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    ((struct fixture *)self)->mmio_writes++;
}

static int fixture_setup(void **state)
{
    static const struct mmio_ops ops = {.read = mmio_read, .write = mmio_write};
    struct fixture *f = xcalloc(1, sizeof *f);
    struct error err;
    log_init(&f->log);
    f->mem = physmem_create(&f->log);
    f->ram = physmem_alloc_ram(f->mem, RAM_SIZE, &err);
    physmem_add_host(f->mem, "ram", 0, RAM_SIZE, 0, f->ram, f->ram);
    physmem_add_host(f->mem, "rom", ROM_BASE, PAGE_SIZE, 0, f->rom, NULL);
    physmem_add_mmio(f->mem, "mmio", MMIO_BASE, PAGE_SIZE, 0, &ops, f);
    assert_true(mmu_init(&f->mmu, f->mem, &f->log, &err));
    *state = f;
    return 0;
}

static int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    mmu_destroy(&f->mmu);
    physmem_destroy(f->mem);
    log_close(&f->log);
    free(f);
    return 0;
}

static inline void set32(struct fixture *f, uint32_t address, uint32_t value)
{
    store_le32(f->ram + address, value);
}

static inline void set64(struct fixture *f, uint32_t address, uint64_t value)
{
    store_le64(f->ram + address, value);
}

// Two-level paging: one directory entry to TABLE, one entry to FRAME.
static inline void map_4k(struct fixture *f, uint32_t linear, uint32_t pde_flags, uint32_t pte)
{
    set32(f, ROOT + (linear >> 22) * 4, TABLE | pde_flags);
    set32(f, TABLE + ((linear >> 12) & 0x3ff) * 4, pte);
}

#define ASSERT_HIT(f, linear, access, user)                                                        \
    assert_non_null(mmu_host(&(f)->mmu, linear, access, user))
#define ASSERT_MISS(f, linear, access, user) assert_null(mmu_host(&(f)->mmu, linear, access, user))

#endif
