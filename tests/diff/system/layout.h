// SPDX-License-Identifier: MIT
// Where things lie in the guest's memory. stubs.asm and rom.asm repeat the addresses they need.
#ifndef DIFF_LAYOUT_H
#define DIFF_LAYOUT_H

// The area that a program works on, and whose changes are reported. Below 64 KiB, so that 16-bit
// gates, real-address mode and virtual-8086 mode reach all of it.
#define AREA       0x8000u
#define AREA_SIZE  0x8000u
#define CODE       0x8000u // two pages; pads at the end of the second one
#define PADS       0x9f00u
#define DATA       0xa000u // two pages
#define STACKS     0xc000u // four stacks of 1 KiB
#define GDT        0xd000u
#define LDT        0xd200u
#define IDT        0xd400u
#define TSS_MAIN   0xd600u
#define TSS_A      0xd800u
#define TSS_B      0xd900u
#define TSS_C      0xda00u
#define TSS_DF     0xdb00u
#define PDPT       0xdc00u
#define PAGE_DIR   0xe000u
#define PAGE_TABLE 0xf000u

#define LOW_STUB 0x1000u // real-mode entry and exit
#define FILL_END 0xa0000u

// The linear windows onto the area: identity, the same table through another directory entry, a
// large page.
#define WINDOW_ALIAS 0x400000u
#define WINDOW_LARGE 0x800000u

#define KERNEL     0x200000u
#define PERSIST    0x3f0000u // survives a reset
#define ROM_BASE   0xfffe0000u
#define ROM_PARAMS 0xfffe0000u

// GDT indices.
enum {
    G_KCODE = 1,
    G_KDATA,
    G_TSS_DF,
    G_TSS_MAIN,
    G_LDT,
    G_CODE16_FLAT0, // ring 0, base 0, limit 64 KiB: for 16-bit gates
    G_CODE32 = 8,   // rings 0-3, flat
    G_DATA32 = 12,
    G_CODE16 = 16, // rings 0-3, base AREA, limit 0x7fff
    G_DATA16 = 20,
    G_RANDOM = 24, // code and data
    G_TSS_A = 36,
    G_TSS_B,
    G_TSS_C,
    G_SYSTEM, // random system descriptors
    G_CALL_GATE = 44,
    G_TASK_GATE = 58,
    G_COUNT = 64,
    L_COUNT = 32,
};

#define EXIT_VECTOR 0x2fu
#define IDT_COUNT   0x30u

#endif
