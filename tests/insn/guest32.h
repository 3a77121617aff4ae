// SPDX-License-Identifier: MIT
// A CPU with RAM and flat 32-bit segments, and one instruction at a time on it.
#ifndef EMU_TESTS_GUEST32_H
#define EMU_TESTS_GUEST32_H

#include <stdlib.h>

#include "cpu/decode.h"
#include "cpu/flags.h"
#include "cpu/mem.h"

#define GUEST32_RAM (16u << 20)

struct guest32 {
    struct log log;
    struct physmem *mem;
    struct portio *ports;
    struct clock *clock;
    struct cpu *cpu;
    uint8_t *ram;
    struct decode_mode mode;
};

static inline void guest32_set_segment(struct cpu *cpu, enum segment_index index, uint32_t base,
                                       uint32_t limit, bool big)
{
    cpu->segs[index] = (struct segment){
        .base = base,
        .limit = limit,
        .selector = 8,
        .attributes = DESC_P | DESC_S | (big ? DESC_DB : 0) | (index == SEG_CS ? 0xb00u : 0x300u),
    };
    segment_update_rights(cpu, index);
}

// Flat segments, protected mode, CPL 0, no paging.
static inline void guest32_set_flat(struct guest32 *guest, bool code32)
{
    struct cpu *cpu = guest->cpu;
    cpu->cr0 = CR0_ET | CR0_PE;
    for (unsigned i = 0; i < SEG_COUNT; i++)
        guest32_set_segment(cpu, (enum segment_index)i, 0, 0xffffffff, true);
    guest32_set_segment(cpu, SEG_CS, 0, 0xffffffff, code32);
    cpu_update_mode(cpu);
    guest->mode.code32 = code32;
}

static inline struct guest32 *guest32_create(void)
{
    struct guest32 *guest = xcalloc(1, sizeof *guest);
    struct error err;
    log_init(&guest->log);
    guest->mem = physmem_create(&guest->log);
    guest->ram = physmem_alloc_ram(guest->mem, GUEST32_RAM, &err);
    physmem_add_host(guest->mem, "ram", 0, GUEST32_RAM, 0, guest->ram, guest->ram);
    guest->ports = portio_create(&guest->log);
    guest->clock = clock_create();
    guest->cpu = cpu_create(CPU_MODEL_PENTIUM4, guest->mem, guest->ports, guest->clock, &guest->log,
                            NULL, NULL, &err);
    guest->mode.features = guest->cpu->features;
    atomic_store(&guest->cpu->kicked, 0);
    guest32_set_flat(guest, true);
    return guest;
}

static inline void guest32_destroy(struct guest32 *guest)
{
    cpu_destroy(guest->cpu);
    clock_destroy(guest->clock);
    portio_destroy(guest->ports);
    physmem_destroy(guest->mem);
    free(guest);
}

#define GUEST32_PAGE_DIRECTORY 0x1000u
#define GUEST32_PAGE_TABLES    0x10000u // four of them: all RAM, identity-mapped

// Gives the page of a linear address the low bits of its page-table entry: 0 = not present, 1 =
// present and read-only, 3 = writable, +4 = user.
static inline void guest32_set_page(struct guest32 *guest, uint32_t linear, uint32_t flags)
{
    uint32_t page = linear >> PAGE_SHIFT;
    store_le32(guest->ram + GUEST32_PAGE_TABLES + page * 4, page << PAGE_SHIFT | flags);
    mmu_flush_page(&guest->cpu->mmu, linear);
}

// Paging with CR0.WP, everything present, writable and supervisor.
static inline void guest32_enable_paging(struct guest32 *guest)
{
    struct cpu *cpu = guest->cpu;
    for (uint32_t i = 0; i < GUEST32_RAM >> 22; i++)
        store_le32(guest->ram + GUEST32_PAGE_DIRECTORY + i * 4,
                   (GUEST32_PAGE_TABLES + i * PAGE_SIZE) | 7);
    for (uint32_t linear = 0; linear < GUEST32_RAM; linear += PAGE_SIZE)
        guest32_set_page(guest, linear, 3);
    cpu->cr0 |= CR0_PG | CR0_WP;
    cpu->cr3 = GUEST32_PAGE_DIRECTORY;
    mmu_set_control(&cpu->mmu, cpu->cr0, cpu->cr3, cpu->cr4, false, true);
    cpu_update_mode(cpu);
}

// Executes the instruction in bytes[] as if it stood at cpu->eip. Returns the vector it raised, -1
// when none; cpu->eip is then still that of the instruction.
static inline int guest32_step(struct guest32 *guest, const uint8_t *bytes, size_t available)
{
    struct cpu *cpu = guest->cpu;
    struct insn insn;
    sigjmp_buf jump;
    if (insn_decode(&guest->mode, bytes, available, &insn) != DECODE_OK)
        return EXC_GP;
    cpu->insn_eip = cpu->eip;
    cpu->jump = &jump;
    if (sigsetjmp(jump, 0) != 0) {
        cpu->eip = cpu->insn_eip;
        return cpu->raised.vector;
    }
    cpu->eip += insn.length;
    insn.handler(cpu, &insn);
    return -1;
}

#endif
