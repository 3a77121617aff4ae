// SPDX-License-Identifier: MIT
// Page tables of a program: the area's pages in three windows, with random rights, accessed and
// dirty bits, NX and reserved bits. The kernel's own pages are always mapped, for supervisors.
#include "kernel.h"

#define PTE_P  1u
#define PTE_RW 2u
#define PTE_US 4u
#define PTE_A  0x20u
#define PTE_D  0x40u
#define PTE_PS 0x80u
#define PTE_G  0x100u

static uint32_t random_pte(struct program *p, uint32_t frame)
{
    uint32_t pte = frame | PTE_P | PTE_RW | PTE_US;
    if (chance(p, 35)) {
        pte ^= chance(p, 40) ? PTE_P : 0;
        pte ^= chance(p, 40) ? PTE_RW : 0;
        pte ^= chance(p, 30) ? PTE_US : 0;
    }
    pte |= chance(p, 30) ? PTE_A : 0;
    pte |= chance(p, 20) ? PTE_D : 0;
    pte |= chance(p, 10) ? PTE_G : 0;
    pte |= rnd(p) & 0xe00;
    return pte;
}

// The pages that delivery of any exception needs must be there: stacks and tables of ring 0.
static uint32_t page_of_area(struct program *p, unsigned page)
{
    uint32_t frame = AREA + page * 0x1000;
    bool vital = page >= 4;
    if (!vital)
        return random_pte(p, frame);
    uint32_t user = page == 4 ? PTE_US : below(p, 2) * PTE_US;
    return frame | PTE_P | PTE_RW | user | (chance(p, 50) ? PTE_A : 0) |
           (chance(p, 50) ? PTE_D : 0);
}

static uint32_t random_pde(struct program *p)
{
    uint32_t pde = (random_pte(p, PAGE_TABLE) & ~PTE_D) | (rnd(p) & PTE_D);
    return has(p, F_PRECISE) ? pde : pde | PTE_A;
}

// Identity, for supervisors.
static uint32_t two_level[1024], pae[512][2];

void setup_paging_once(void)
{
    for (uint32_t i = 0; i < 1024; i++)
        two_level[i] = i << 12 | PTE_P | PTE_RW | PTE_A | PTE_D;
    for (uint32_t i = 0; i < 512; i++)
        pae[i][0] = i << 12 | PTE_P | PTE_RW | PTE_A | PTE_D;
}

void setup_two_level(struct program *p)
{
    copy_dwords(PAGE_TABLE, (uint32_t)(uintptr_t)two_level, sizeof two_level);
    put32(PAGE_TABLE, get32(PAGE_TABLE) | PTE_US);
    for (unsigned i = 0; i < 8; i++)
        put32(PAGE_TABLE + (AREA >> 12) * 4 + i * 4, page_of_area(p, i));
    fill_wide(PAGE_DIR, 0, 0x1000);
    put32(PAGE_DIR, PAGE_TABLE | PTE_P | PTE_RW | PTE_US | PTE_A);
    put32(PAGE_DIR + 4, random_pde(p));
    uint32_t large = random_pte(p, 0) | PTE_PS;
    if (chance(p, 6))
        large |= 1u << 21; // reserved whatever the width of physical addresses
    if (p->pse)
        put32(PAGE_DIR + 8, large);
}

static void put64(uint32_t address, uint32_t low, uint32_t high)
{
    put32(address, low);
    put32(address + 4, high);
}

static uint32_t random_high(struct program *p)
{
    if (has(p, F_NX) && chance(p, 12))
        return 0x80000000u;
    return chance(p, 3) ? 1u << (8 + below(p, 23)) : 0;
}

void setup_pae(struct program *p)
{
    copy_dwords(PAGE_TABLE, (uint32_t)(uintptr_t)pae, sizeof pae);
    put32(PAGE_TABLE, get32(PAGE_TABLE) | PTE_US);
    for (unsigned i = 0; i < 8; i++)
        put64(PAGE_TABLE + (AREA >> 12) * 8 + i * 8, page_of_area(p, i),
              i < 4 ? random_high(p) : 0);
    fill_wide(PAGE_DIR, 0, 0x1000);
    put64(PAGE_DIR, PAGE_TABLE | PTE_P | PTE_RW | PTE_US | PTE_A, 0);
    put64(PAGE_DIR + 8, 0x200000 | PTE_P | PTE_RW | PTE_A | PTE_D | PTE_PS, 0);
    put64(PAGE_DIR + 16, random_pde(p), random_high(p));
    put64(PAGE_DIR + 32, random_pte(p, 0) | PTE_PS | (chance(p, 5) ? 1u << (13 + below(p, 8)) : 0),
          random_high(p));
    fill_dwords(PDPT, 0, 32);
    put64(PDPT, PAGE_DIR | PTE_P, 0);
    put64(PDPT + 8, (PAGE_DIR | PTE_P) & (rnd(p) | ~PTE_P), 0);
}
