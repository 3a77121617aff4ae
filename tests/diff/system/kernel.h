// SPDX-License-Identifier: MIT
// Shared by the parts of the test kernel. One program at a time; its whole state is here.
#ifndef DIFF_KERNEL_H
#define DIFF_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.h"

// What the CPU is loaded with and what it was left with. stubs.asm knows the order.
struct context {
    uint32_t vec; // 0x100 and more: double-fault task, 0x200 and more: fault inside the kernel
    uint32_t err, eip, cs, eflags, esp, ss;
    uint32_t eax, ecx, edx, ebx, ebp, esi, edi;
    uint32_t ds, es, fs, gs;
    uint32_t cr0, cr2, cr3, cr4, dr6, dr7, tr, ldtr;
    uint32_t fesp, fss; // stack pointer of the handler
    uint32_t gdtr[2], idtr[2];
    uint32_t unreal;
};
extern struct context ctx;
extern const uint8_t stubs[], df_entry[];
extern uint64_t kernel_idt[48];
void run_test(void);
void set_ldtr(uint32_t selector);
void set_tr(uint32_t selector);

// Written into the image by the driver.
struct params {
    char magic[8];
    uint32_t detail;     // 0: a hash a program; 1: everything
    uint32_t first;      // number of the first program
    uint32_t count;      // how many
    uint32_t features;   // F_*: what programs may use
    uint32_t flags_mask; // EFLAGS bits that are not compared, also in pushed images
    uint32_t drop;       // operations left out (bit n: the n-th)
    uint32_t port;       // the debug console
    uint32_t listed;     // not 0: run these programs instead
    uint32_t list[16000];
};

enum {
    F_VME = 1 << 0,
    F_PAE = 1 << 1,
    F_NX = 1 << 2,
    F_INTR = 1 << 3,
    F_DEBUG = 1 << 4,
    F_TASK = 1 << 5,
    F_REAL = 1 << 6,
    F_V86 = 1 << 7,
    F_PVI = 1 << 8,
    F_FPU = 1 << 9,
    F_LIMITS = 1 << 10,       // segment limits are checked
    F_AC = 1 << 11,           // alignment checks
    F_IDT = 1 << 12,          // gates are changed
    F_STACK_BREAK = 1 << 13,  // data breakpoints on stacks
    F_CR4_RESERVED = 1 << 14, // reserved bits of CR4 are written
    // Details that QEMU does not model: accessed bits of code segments and page directories, none
    // in PDPTEs, null selectors with an RPL, MSRs that do not exist.
    F_PRECISE = 1 << 15,
};

enum mode { MODE_REAL, MODE_PROTECTED, MODE_V86 };
enum paging { PAGING_OFF, PAGING_TWO_LEVEL, PAGING_PAE };

#define MAX_OPS 12u

struct program {
    uint32_t index;
    uint32_t random; // generator state
    uint32_t features;
    enum mode mode;
    enum paging paging;
    bool is32; // code size at the start
    bool pse;  // large page window exists
    bool intr; // an interrupt request is pending
    unsigned cpl;
    uint32_t base;      // of CS
    uint32_t data_base; // of the data segments' usual base
    uint32_t drop;
    unsigned pointers; // far pointers in memory so far
    unsigned ops;
    uint8_t op[MAX_OPS + 1];
    uint32_t at[MAX_OPS + 2]; // linear addresses; the last: end
    uint8_t *out;
};

uint32_t rnd(struct program *p);
static inline uint32_t below(struct program *p, uint32_t n)
{
    return (uint32_t)((uint64_t)rnd(p) * n >> 32);
}
static inline bool chance(struct program *p, uint32_t percent)
{
    return below(p, 100) < percent;
}
static inline bool has(const struct program *p, uint32_t feature)
{
    return (p->features & feature) == feature;
}

static inline void put32(uint32_t address, uint32_t value)
{
    *(volatile uint32_t *)(uintptr_t)address = value;
}
static inline void put16(uint32_t address, uint32_t value)
{
    *(volatile uint16_t *)(uintptr_t)address = (uint16_t)value;
}
static inline uint32_t get32(uint32_t address)
{
    return *(volatile uint32_t *)(uintptr_t)address;
}
static inline void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}
static inline uint8_t inb(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
static inline void copy_dwords(uint32_t to, uint32_t from, uint32_t bytes)
{
    uint32_t n = bytes / 4;
    __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(n)::"memory");
}
static inline void fill_dwords(uint32_t to, uint32_t value, uint32_t bytes)
{
    uint32_t n = bytes / 4;
    __asm__ volatile("rep stosl" : "+D"(to), "+c"(n) : "a"(value) : "memory");
}

// 128 bytes at a step, from a multiple of 16 on: machines that take each element of a repeated
// string instruction as a step spend most of their time in large fills otherwise. Leaves XMM0
// changed.
static inline void fill_wide(uint32_t to, uint32_t value, uint32_t bytes)
{
    uint32_t n = bytes / 128;
    uint32_t cr4 = 0x200;
    __asm__ volatile("mov %2, %%cr4\n\t"
                     "movd %3, %%xmm0\n\t"
                     "pshufd $0, %%xmm0, %%xmm0\n"
                     "1:\tmovaps %%xmm0, (%0)\n\t"
                     "movaps %%xmm0, 16(%0)\n\t"
                     "movaps %%xmm0, 32(%0)\n\t"
                     "movaps %%xmm0, 48(%0)\n\t"
                     "movaps %%xmm0, 64(%0)\n\t"
                     "movaps %%xmm0, 80(%0)\n\t"
                     "movaps %%xmm0, 96(%0)\n\t"
                     "movaps %%xmm0, 112(%0)\n\t"
                     "add $128, %0\n\t"
                     "dec %1\n\t"
                     "jnz 1b\n\t"
                     "xor %2, %2\n\t"
                     "mov %2, %%cr4"
                     : "+r"(to), "+r"(n), "+r"(cr4)
                     : "r"(value)
                     : "cc", "memory");
}

// setup.c: what the program finds: tables, memory, registers.
void setup_once(void);
void setup_program(struct program *p);
uint16_t random_selector(struct program *p);
uint16_t random_code_selector(struct program *p);
// The base that programs assume a selector's segment to have.
uint32_t selector_base(const struct program *p, uint16_t selector);
uint32_t random_pad(struct program *p);
void setup_paging_once(void); // setup_paging.c
void setup_two_level(struct program *p);
void setup_pae(struct program *p);

// generate.c, generate_system.c: the program's instructions.
void generate_program(struct program *p);
const char *op_name(unsigned op);
bool op_is_unordered(unsigned op);

typedef void op_emitter(struct program *p);
struct operation {
    op_emitter *emit;
    const char *name;
    uint8_t weight[3]; // by enum mode
    uint16_t features;
    bool unordered; // two accesses whose order is not architectural
};
extern const struct operation system_operations[];
extern const unsigned system_operation_count;

// Emission.
void emit8(struct program *p, uint32_t value);
void emit_value(struct program *p, uint32_t value, unsigned size);
void emit_size(struct program *p, unsigned size);               // the operand size prefix if needed
void emit_mov(struct program *p, unsigned reg, uint32_t value); // full width of the code
void emit_mov_size(struct program *p, unsigned reg, uint32_t value, unsigned size);
void emit_push(struct program *p, uint32_t value, unsigned size);
void emit_memory(struct program *p, unsigned size, uint32_t opcode, unsigned reg, uint32_t address);
unsigned random_size(struct program *p);    // 2 or 4, mostly that of the code
uint32_t random_address(struct program *p); // offset for the usual data segments
uint32_t here(const struct program *p);     // offset of the next byte to be emitted

#endif
