// SPDX-License-Identifier: MIT
// `info tlb` and `info mem`: what the current page tables map, read without side effects.
#include "mmu/mmu_internal.h"

// Calls fn for each mapping in rising linear order; absent stretches are skipped by the size of the
// table that lacks them.
static void for_each_mapping(const struct mmu *mmu,
                             void (*fn)(void *self, uint32_t linear, const struct page_walk *walk),
                             void *self)
{
    bool pae = mmu->cr4 & MMU_CR4_PAE;
    uint32_t directory_span = pae ? LARGE_2M : LARGE_4M;
    for (uint64_t linear = 0; linear < UINT64_C(1) << 32;) {
        struct page_walk walk;
        page_walk_read(mmu, (uint32_t)linear, true, &walk);
        if (walk.present) {
            fn(self, (uint32_t)linear, &walk);
            linear += walk.page_size;
        } else if (walk.levels == 0 || (walk.levels == 1 && walk.reserved)) {
            linear = (linear | (directory_span - 1)) + 1;
        } else {
            linear += PAGE_SIZE;
        }
    }
}

static void describe_mapping(void *self, uint32_t linear, const struct page_walk *walk)
{
    static const struct {
        uint32_t bit;
        char letter;
    } flags[] = {{PTE_G, 'G'},   {PTE_PS, 'P'},  {PTE_D, 'D'},  {PTE_A, 'A'},
                 {PTE_PCD, 'C'}, {PTE_PWT, 'T'}, {PTE_US, 'U'}, {PTE_RW, 'W'}};
    FILE *out = self;
    char text[ARRAY_SIZE(flags) + 2];
    size_t n = 0;
    text[n++] = walk->leaf_entry & PTE_NX ? 'X' : '-';
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        // Bit 7 of a 4 KiB entry selects a memory type and is not the page size.
        bool set =
            (walk->leaf & flags[i].bit) && (flags[i].bit != PTE_PS || walk->page_size != PAGE_SIZE);
        text[n++] = set ? flags[i].letter : '-';
    }
    text[n] = '\0';
    fprintf(out, "%016x: %016llx %s\n", linear, (unsigned long long)walk->physical, text);
}

void mmu_describe_mappings(const struct mmu *mmu, FILE *out)
{
    if (!(mmu->cr0 & MMU_CR0_PG)) {
        fprintf(out, "PG disabled\n");
        return;
    }
    for_each_mapping(mmu, describe_mapping, out);
}

struct range_printer {
    FILE *out;
    bool open;
    bool user, writable;
    uint64_t first, end;
};

static void range_close(struct range_printer *printer)
{
    if (printer->open)
        fprintf(printer->out, "%016llx-%016llx %016llx %cr%c\n", (unsigned long long)printer->first,
                (unsigned long long)printer->end,
                (unsigned long long)(printer->end - printer->first), printer->user ? 'u' : '-',
                printer->writable ? 'w' : '-');
    printer->open = false;
}

static void range_extend(void *self, uint32_t linear, const struct page_walk *walk)
{
    struct range_printer *printer = self;
    bool same = printer->open && printer->end == linear && printer->user == walk->user &&
                printer->writable == walk->writable;
    if (!same) {
        range_close(printer);
        printer->open = true;
        printer->first = linear;
        printer->user = walk->user;
        printer->writable = walk->writable;
    }
    printer->end = (uint64_t)linear + walk->page_size;
}

void mmu_describe_ranges(const struct mmu *mmu, FILE *out)
{
    if (!(mmu->cr0 & MMU_CR0_PG)) {
        fprintf(out, "PG disabled\n");
        return;
    }
    struct range_printer printer = {.out = out};
    for_each_mapping(mmu, range_extend, &printer);
    range_close(&printer);
}
