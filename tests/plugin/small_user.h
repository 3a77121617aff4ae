// SPDX-License-Identifier: MIT
// User code on the small machine: CPL 3, paging, a page fault handler that lets pages in, and an
// end by HLT, which faults there, at CPL 0.
#ifndef EMU_TESTS_SMALL_USER_H
#define EMU_TESTS_SMALL_USER_H

#include "small_machine.h"

enum {
    USER_DIRECTORY = 0x300000,
    USER_TABLE = 0x301000,
    USER_HANDLER = 0x302000,
    USER_END = 0x302080, // of all other exceptions
    USER_IDT = 0x303000,
    USER_GDT = 0x304000,
    USER_TSS = 0x305000,
    USER_STACK0 = 0x307f00
};

static inline void small_user_page(struct small_machine *m, uint32_t linear, uint32_t entry)
{
    small_write(m, USER_TABLE + (linear >> PAGE_SHIFT) * 4, &entry, sizeof entry);
}

// Identity; everything from USER_DIRECTORY on is the supervisor's.
static inline void small_user_tables(struct small_machine *m)
{
    const uint32_t directory = USER_TABLE | 7;
    small_write(m, USER_DIRECTORY, &directory, sizeof directory);
    for (uint32_t i = 0; i < SMALL_RAM; i += PAGE_SIZE)
        small_user_page(m, i, i | (i < USER_DIRECTORY ? 7u : 3u));
    const uint64_t gdt[] = {0, UINT64_C(0x00cf9b000000ffff), UINT64_C(0x00cf93000000ffff),
                            UINT64_C(0x00cffb000000ffff), UINT64_C(0x00cff3000000ffff)};
    small_write(m, USER_GDT, gdt, sizeof gdt);
    const uint32_t tss[26] = {[1] = USER_STACK0, [2] = 16};
    small_write(m, USER_TSS, tss, sizeof tss);
    for (unsigned i = 0; i < 32; i++) {
        uint32_t handler = i == EXC_PF ? USER_HANDLER : USER_END;
        uint64_t gate = (handler & 0xffff) | 8u << 16 | UINT64_C(0x8e00) << 32 |
                        (uint64_t)(handler >> 16) << 48;
        small_write(m, USER_IDT + 8 * i, &gate, sizeof gate);
    }
    // The entry of CR2's page becomes present, writable and the user's.
    static const uint8_t handler[] = {
        0x50,                                           // push eax
        0x0f, 0x20, 0xd0,                               // mov eax, cr2
        0xc1, 0xe8, 0x0c,                               // shr eax, 12
        0x3d, 0x00, 0x03, 0x00, 0x00,                   // cmp eax, 300h
        0x73, 0x13,                                     // jae end
        0x83, 0x0c, 0x85, 0x00, 0x10, 0x30, 0x00, 0x07, // or dword [eax * 4 + 301000h], 7
        0x0f, 0x20, 0xd8,                               // mov eax, cr3
        0x0f, 0x22, 0xd8,                               // mov cr3, eax
        0x58,                                           // pop eax
        0x83, 0xc4, 0x04,                               // add esp, 4
        0xcf,                                           // iret
        0xf4,                                           // end: hlt
    };
    small_write(m, USER_HANDLER, handler, sizeof handler);
    small_write(m, USER_END, (const uint8_t[]){0xf4}, 1);
}

static inline void small_enter_user(struct small_machine *m)
{
    struct cpu *cpu = m->cpu;
    small_user_tables(m);
    cpu->gdtr = (struct descriptor_table){USER_GDT, 39};
    cpu->idtr = (struct descriptor_table){USER_IDT, 255};
    cpu->tr = (struct segment){
        .base = USER_TSS, .limit = 103, .attributes = DESC_P | 0xb00u, .selector = 40};
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        cpu->segs[i].selector = i == SEG_CS ? 27 : 35;
        cpu->segs[i].attributes |= DESC_DPL;
    }
    cpu->cpl = 3;
    cpu->cr0 |= CR0_PG | CR0_WP;
    cpu->cr3 = USER_DIRECTORY;
    assert_true(mmu_set_control(&cpu->mmu, cpu->cr0, cpu->cr3, cpu->cr4, false, true));
    cpu_update_mode(cpu);
}

#endif
