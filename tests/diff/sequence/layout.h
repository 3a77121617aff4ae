// SPDX-License-Identifier: MIT
// Where everything lies in the guest that runs the programs; read by C and by the assembler.
#ifndef EMU_TESTS_SEQUENCE_LAYOUT_H
#define EMU_TESTS_SEQUENCE_LAYOUT_H

// Physical pages.
#define FRAME_GDT       1
#define FRAME_IDT       2
#define FRAME_TSS       3
#define FRAME_KERNEL    4
#define FRAME_VARIABLES 5
#define FRAME_STACK0    6
#define FRAME_STACK_DF  7
#define FRAME_DIR_A     8
#define FRAME_DIR_B     9
#define FRAME_TABLE_A   10
#define FRAME_TABLE_B   11
#define FRAME_TABLE_K   12
#define FRAME_CODE      16
#define FRAME_OTHER     20 // second version of the code pages
#define FRAME_DATA      24
#define FRAME_STACK     40
#define FRAME_SCRATCH   42
#define FRAMES          43
#define MMIO_PHYSICAL   0x100000
#define ROM_PHYSICAL    0x101000 // FRAME_OTHER, read only

// Linear addresses. The kernel sees all of the memory from KERNEL on.
#define CODE       0x10000
#define CODE_PAGES 4
#define DATA       0x20000
#define DATA_PAGES 16
#define STACK      0x30000
#define STACK_TOP  0x31000 // where ESP starts: in the middle
#define SCRATCH    0x38000 // always writable: what programs and kernel agree on
#define KERNEL     0xc0000000

#define GDT       (KERNEL + FRAME_GDT * 0x1000)
#define IDT       (KERNEL + FRAME_IDT * 0x1000)
#define TSS       (KERNEL + FRAME_TSS * 0x1000)
#define TSS_DF    (TSS + 0x100)
#define STUBS     (KERNEL + FRAME_KERNEL * 0x1000)
#define VARIABLES (KERNEL + FRAME_VARIABLES * 0x1000)
#define TABLE_A   (KERNEL + FRAME_TABLE_A * 0x1000)
#define TABLE_B   (KERNEL + FRAME_TABLE_B * 0x1000)

// In SCRATCH.
#define SCRATCH_RESUME   (SCRATCH + 0x000) // where to go on after a fault
#define SCRATCH_POINTER  (SCRATCH + 0x010) // targets of indirect jumps
#define SCRATCH_COUNTERS (SCRATCH + 0x020)
#define SCRATCH_WORDS    (SCRATCH + 0x080) // control words
#define SCRATCH_FAR      (SCRATCH + 0x100) // far pointers, 8 bytes each
#define SCRATCH_IMAGE    (SCRATCH + 0x400) // FNSTENV, FNSAVE, FXSAVE

// In VARIABLES.
#define VAR_FAULTS     (VARIABLES + 0x00) // how many are left
#define VAR_CS         (VARIABLES + 0x04)
#define VAR_DS         (VARIABLES + 0x08)
#define VAR_ESP        (VARIABLES + 0x0c) // not 0: a user program's stack after a fault
#define VAR_PATCH      (VARIABLES + 0x10) // byte of code that a service changes ...
#define VAR_PATCH_XOR  (VARIABLES + 0x14) // ... by this
#define VAR_REMAP      (VARIABLES + 0x18) // code page that a service exchanges: linear
#define VAR_INTERRUPTS (VARIABLES + 0x1c)

// Data pages that services treat.
#define PAGE_TOGGLED  3
#define PAGE_SWAPPED  4
#define PAGE_PRESENT  6
#define PAGE_USER     7
#define PAGE_PERMUTED 8 // four: elsewhere in directory B

#define SEL_CODE0      0x08
#define SEL_DATA0      0x10
#define SEL_CODE3      0x1b
#define SEL_DATA3      0x23
#define SEL_TSS        0x28
#define SEL_TSS_DF     0x30
#define SEL_CODE16_0   0x40
#define SEL_CODE16_3   0x4b
#define SEL_BASED_0    0x50 // 32-bit code with a base
#define SEL_BASED_3    0x5b
#define SEL_LIMITED    0x63
#define SEL_BASED_DATA 0x6b
#define SEL_READ_ONLY  0x73
#define SEL_DOWN       0x7b
#define SEL_GATE       0x83
#define SEL_FULL       0x8b // a base, limit 4 GiB
#define SEL_ABSENT     0x93
#define SEL_STACK16_3  0x9b
#define SEL_STACK16_0  0xa0
#define GDT_LIMIT      0xa7

#define VECTOR_DEVICE  0x20
#define VECTOR_SERVICE 0x80
#define SERVICES       12
#define EXCEPTION_STUB 16 // bytes each
#define SERVICE_STUB   128
#define STUB_DEVICE    0x200
#define STUB_GATE      0x220
#define STUB_SYSENTER  0x230
#define STUB_DF        0x240
#define STUB_COMMON    0x260
#define STUB_SERVICES  0x400

#define PORT_BASE 0x100
#define PORT_DMA  0x130 // writes AL to a byte of code
#define PORT_INTR 0x134 // raises INTR

#endif
