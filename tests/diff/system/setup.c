// SPDX-License-Identifier: MIT
// What a program finds: descriptor tables, task states, page tables, stacks, registers. Everything
// is a function of the program's number.
#include "kernel.h"

static uint64_t make_descriptor(uint32_t base, uint32_t limit, uint32_t access, uint32_t flags)
{
    uint32_t low = (limit & 0xffff) | base << 16;
    uint32_t high =
        (base >> 16 & 0xff) | (base & 0xff000000u) | (limit & 0xf0000) | access << 8 | flags << 20;
    return (uint64_t)high << 32 | low;
}

static uint64_t make_gate(uint32_t selector, uint32_t offset, uint32_t access, uint32_t count)
{
    uint32_t low = (offset & 0xffff) | selector << 16;
    uint32_t high = (offset & 0xffff0000u) | access << 8 | count;
    return (uint64_t)high << 32 | low;
}

static void put_descriptor(uint32_t table, unsigned index, uint64_t value)
{
    put32(table + index * 8, (uint32_t)value);
    put32(table + index * 8 + 4, (uint32_t)(value >> 32));
}

void setup_once(void)
{
    // A stray jump into unused memory meets INT3 at once; a stray far pointer, 07CC:07CC, leads
    // there too.
    fill_dwords(0x400, 0x07cc07cc, LOW_STUB - 0x400);
    fill_dwords(0x2000, 0x07cc07cc, FILL_END - 0x2000);
    setup_paging_once();
    for (unsigned i = 0; i < 48; i++)
        kernel_idt[i] = make_gate(8, (uint32_t)(uintptr_t)stubs + i * 8, 0x8e, 0);
}

uint32_t random_pad(struct program *p)
{
    return PADS + below(p, 60) * 4;
}

uint32_t selector_base(const struct program *p, uint16_t selector)
{
    unsigned index = selector >> 3;
    if (p->mode != MODE_PROTECTED)
        return (uint32_t)selector << 4;
    if (selector & 4)
        return index & 1 ? AREA : 0;
    if (index >= G_CODE16 && index < G_RANDOM)
        return AREA;
    if (index >= G_RANDOM && index < G_TSS_A)
        return index & 1 ? AREA : 0;
    return 0;
}

uint16_t random_selector(struct program *p)
{
    uint32_t rpl = chance(p, 60) ? p->cpl : below(p, 4);
    uint32_t n;
    if (p->mode != MODE_PROTECTED) {
        static const uint16_t values[] = {0x000, 0x800, 0xa00, 0xaff, 0x8f0, 0xc00, 0xfff, 0xd00};
        return values[below(p, 8)];
    }
    switch (below(p, 16)) {
    case 0:
        return has(p, F_PRECISE) ? (uint16_t)below(p, 4) : 0;
    case 1 ... 4:
        n = G_DATA32 + p->cpl + (chance(p, 40) ? 8 : 0);
        break;
    case 5:
        n = G_CODE32 + below(p, 16);
        break;
    case 6 ... 8:
        n = G_RANDOM + below(p, G_TSS_A - G_RANDOM);
        break;
    case 9 ... 11:
        return (uint16_t)(below(p, L_COUNT + 2) << 3 | 4 | rpl);
    case 12:
        n = G_TSS_A + below(p, G_COUNT - G_TSS_A);
        break;
    case 13:
        return (uint16_t)below(p, G_COUNT * 8 + 16);
    case 14:
        return (uint16_t)rnd(p);
    default:
        n = below(p, G_COUNT);
        break;
    }
    return (uint16_t)(n << 3 | rpl);
}

uint16_t random_code_selector(struct program *p)
{
    uint32_t rpl = chance(p, 70) ? p->cpl : below(p, 4);
    if (p->mode != MODE_PROTECTED) {
        static const uint16_t values[] = {0x000, 0x800, 0x8f0, 0x8ff, 0x900, 0x7ff};
        return values[below(p, 6)];
    }
    switch (below(p, 16)) {
    case 0 ... 4:
        return (uint16_t)((G_CODE32 + p->cpl) << 3 | rpl);
    case 5:
        return (uint16_t)((G_CODE16 + p->cpl) << 3 | rpl);
    case 6:
        return (uint16_t)((G_CODE32 + below(p, 4) + below(p, 2) * 8) << 3 | rpl);
    case 7:
    case 8:
        return (uint16_t)((G_CALL_GATE + below(p, G_TASK_GATE - G_CALL_GATE)) << 3 | rpl);
    case 9:
        return (uint16_t)(below(p, L_COUNT) << 3 | 4 | rpl);
    case 10:
        if (has(p, F_TASK))
            return (uint16_t)((G_TSS_A + below(p, 3)) << 3 | rpl);
        break;
    case 11:
        if (has(p, F_TASK))
            return (uint16_t)((G_TASK_GATE + below(p, G_COUNT - G_TASK_GATE)) << 3 | rpl);
        break;
    case 12:
        return (uint16_t)((G_RANDOM + below(p, G_TSS_A - G_RANDOM)) << 3 | rpl);
    default:
        break;
    }
    uint16_t selector = random_selector(p);
    unsigned index = selector >> 3;
    bool is_task = !(selector & 4) && (index < G_TSS_MAIN || index >= G_TSS_A);
    return is_task && !has(p, F_TASK) ? (uint16_t)(G_CODE32 + p->cpl) << 3 : selector;
}

// Code or data; odd indices lie at AREA. Limits end inside the area.
static uint64_t random_segment(struct program *p, unsigned index)
{
    static const uint32_t limits[] = {0x7fff, 0x4fff, 0x2fff, 0x2ffd, 0x3003, 0xffff, 0x43ff, 0x0};
    uint32_t base = index & 1 ? AREA : 0;
    uint32_t access = 0x10 | below(p, 16) | below(p, 4) << 5;
    if (chance(p, 90))
        access |= 0x80;
    uint32_t flags = below(p, 2) * 4;
    uint32_t limit = 0xffff;
    if (!has(p, F_LIMITS)) // code or data that can be read and written, up to the end
        return make_descriptor(base, p->paging ? 0xfffff : 0xff,
                               (access & 0x1ff & ~4u) | 0x93 | (access & 8 ? below(p, 2) * 4 : 0),
                               flags | 8);
    if (chance(p, 70))
        limit = limits[below(p, 8)] + (base ? 0 : AREA);
    if (chance(p, 25)) {
        flags |= 8;
        limit = chance(p, 50) ? (p->paging ? 0xfffff : 0xff) : limit >> 12;
    }
    if ((access & 0xc) == 4 && !chance(p, 30)) // expand-down: offsets above the limit
        limit = (flags & 8) ? below(p, 2) * 10 : base ? 0x1fff : 0x9fff;
    return make_descriptor(base, limit, access, flags | below(p, 2));
}

static uint64_t random_call_gate(struct program *p)
{
    uint16_t selector = (uint16_t)((G_CODE32 + below(p, 4)) << 3 | below(p, 4));
    if (chance(p, 30))
        selector = (uint16_t)((G_CODE16 + below(p, 4)) << 3 | below(p, 4));
    if (chance(p, 15))
        selector = random_selector(p);
    uint32_t access = (chance(p, 70) ? 0xc : 4) | (chance(p, 60) ? 3u : below(p, 4)) << 5;
    access |= chance(p, 93) ? 0x80 : 0;
    return make_gate(selector, random_pad(p) - selector_base(p, selector), access,
                     chance(p, 50) ? 0 : below(p, 32));
}

static uint64_t random_task_gate(struct program *p)
{
    uint16_t selector = (uint16_t)((G_TSS_A + below(p, 3)) << 3 | below(p, 4));
    if (chance(p, 15))
        selector = random_selector(p);
    uint32_t access = 5 | (chance(p, 60) ? 3u : below(p, 4)) << 5 | (chance(p, 93) ? 0x80 : 0);
    return make_gate(selector, chance(p, 20) ? rnd(p) : 0, access, 0);
}

static void setup_gdt(struct program *p)
{
    fill_dwords(GDT, 0, 0x300);
    put_descriptor(GDT, G_KCODE, make_descriptor(0, 0xfffff, 0x9b, 0xc));
    put_descriptor(GDT, G_KDATA, make_descriptor(0, 0xfffff, 0x93, 0xc));
    put_descriptor(GDT, G_TSS_DF, make_descriptor(TSS_DF, 0x67, 0x89, 0));
    uint32_t limit = 0x8f + 0x80;
    if (chance(p, 20))
        limit = 0x67 + below(p, 0x40);
    put_descriptor(GDT, G_TSS_MAIN, make_descriptor(TSS_MAIN, limit, 0x89, 0));
    put_descriptor(GDT, G_LDT, make_descriptor(LDT, L_COUNT * 8 - 1, 0x82, 0));
    put_descriptor(GDT, G_CODE16_FLAT0,
                   make_descriptor(0, 0xffff, has(p, F_PRECISE) ? 0x9a : 0x9b, 0));
    for (unsigned ring = 0; ring < 4; ring++) {
        uint32_t a = (has(p, F_PRECISE) ? below(p, 2) : 1) | ring << 5;
        // Without paging nothing stops code that runs away into memory that is not there.
        put_descriptor(GDT, G_CODE32 + ring,
                       make_descriptor(0, p->paging ? 0xfffff : 0xff, 0x9a | a, 0xc));
        put_descriptor(GDT, G_DATA32 + ring, make_descriptor(0, 0xfffff, 0x92 | a, 0xc));
        put_descriptor(GDT, G_CODE16 + ring, make_descriptor(AREA, 0x7fff, 0x9a | a, 0));
        put_descriptor(GDT, G_DATA16 + ring, make_descriptor(AREA, 0x7fff, 0x92 | a, 0));
    }
    for (unsigned i = G_RANDOM; i < G_TSS_A; i++)
        put_descriptor(GDT, i, random_segment(p, i));
    uint32_t dpl = (chance(p, 60) ? 3u : below(p, 4)) << 5;
    uint32_t present = chance(p, 93) ? 0x80 : 0;
    limit = chance(p, 85) ? 0x67 : 0x66;
    put_descriptor(GDT, G_TSS_A, make_descriptor(TSS_A, limit, 9 | dpl | present, 0));
    put_descriptor(GDT, G_TSS_B,
                   make_descriptor(TSS_B, 0x67, (chance(p, 80) ? 9 : 11) | 0x80 | dpl, 0));
    limit = chance(p, 85) ? 0x2b : 0x2a;
    put_descriptor(GDT, G_TSS_C,
                   make_descriptor(TSS_C, limit, (chance(p, 85) ? 1 : 3) | 0x80 | dpl, 0));
    for (unsigned i = G_SYSTEM; i < G_CALL_GATE; i++)
        put_descriptor(GDT, i,
                       make_descriptor(TSS_A, below(p, 0x100),
                                       below(p, 16) | below(p, 4) << 5 | (chance(p, 90) ? 0x80 : 0),
                                       below(p, 2) * 8));
    // A random system descriptor is a task only where tasks are wanted, and never a kernel's one.
    for (unsigned i = G_SYSTEM; i < G_CALL_GATE && !has(p, F_TASK); i++)
        put32(GDT + i * 8 + 4, get32(GDT + i * 8 + 4) | 0x200);
    for (unsigned i = G_CALL_GATE; i < G_TASK_GATE; i++)
        put_descriptor(GDT, i, random_call_gate(p));
    for (unsigned i = G_TASK_GATE; i < G_COUNT; i++)
        put_descriptor(GDT, i, random_task_gate(p));
    for (unsigned i = 0; i < L_COUNT; i++)
        put_descriptor(LDT, i,
                       i < 24                      ? random_segment(p, i)
                       : i < 29 || !has(p, F_TASK) ? random_call_gate(p)
                                                   : random_task_gate(p));
    ctx.gdtr[0] = (G_COUNT * 8 - 1) | GDT << 16;
    ctx.gdtr[1] = GDT >> 16;
    if (chance(p, 5))
        ctx.gdtr[0] -= below(p, 0x140);
}

static uint64_t random_interrupt_gate(struct program *p)
{
    static const uint8_t types[] = {0xe, 0xf, 6, 7};
    uint16_t selector = 8;
    switch (below(p, 8)) {
    case 0 ... 2:
        selector = (uint16_t)((G_CODE32 + below(p, 4)) << 3 | below(p, 4));
        break;
    case 3:
        selector = (uint16_t)((G_CODE16 + below(p, 4)) << 3 | below(p, 4));
        break;
    case 4:
        selector = G_CODE16_FLAT0 << 3;
        break;
    case 5:
        selector = random_selector(p);
        break;
    case 6:
        if (has(p, F_TASK))
            return random_task_gate(p);
        break;
    default:
        break;
    }
    uint32_t access = types[below(p, 4)] | (chance(p, 50) ? 3u : below(p, 4)) << 5;
    access |= chance(p, 93) ? 0x80 : 0;
    if (chance(p, 3) && has(p, F_TASK))
        access = (access & 0xe0) | below(p, 16);
    return make_gate(selector, random_pad(p) - selector_base(p, selector), access, 0);
}

static void setup_idt(struct program *p)
{
    for (unsigned i = 0; i < IDT_COUNT; i++) {
        uint32_t dpl = i >= 0x20 || i == 3 || i == 4 ? (chance(p, 70) ? 3u : below(p, 4)) << 5 : 0;
        uint32_t access = (chance(p, 80) ? 0x8e : 0x8f) | dpl;
        put_descriptor(IDT, i, make_gate(8, (uint32_t)(uintptr_t)stubs + i * 8, access, 0));
    }
    if (has(p, F_IDT) && p->mode != MODE_REAL) {
        for (uint32_t n = chance(p, 40) ? 1 + below(p, 4) : 0; n > 0; n--)
            put_descriptor(IDT, below(p, IDT_COUNT), random_interrupt_gate(p));
        // #AC through a conforming segment to a misaligned stack never ends.
        put_descriptor(IDT, 17, make_gate(8, (uint32_t)(uintptr_t)stubs + 17 * 8, 0x8e, 0));
    }
    put_descriptor(IDT, 8, make_gate(G_TSS_DF << 3, 0, 0x85, 0));
    put_descriptor(IDT, EXIT_VECTOR,
                   make_gate(8, (uint32_t)(uintptr_t)stubs + EXIT_VECTOR * 8, 0xee, 0));
    ctx.idtr[0] = (IDT_COUNT * 8 - 1) | IDT << 16;
    ctx.idtr[1] = IDT >> 16;
    if (chance(p, 3) && has(p, F_IDT))
        ctx.idtr[0] -= below(p, 0x100);
    if (p->mode == MODE_REAL) {
        ctx.idtr[0] = IDT_COUNT * 4 - 1;
        ctx.idtr[1] = 0;
        for (unsigned i = 0; i < IDT_COUNT; i++)
            put32(i * 4, LOW_STUB + 0x100 + i * 16);
    } else {
        // Virtual-8086 mode with VME uses these.
        for (unsigned i = 0; i < IDT_COUNT; i++)
            put32(i * 4, (AREA >> 4) << 16 | (random_pad(p) - AREA));
        put32(PADS + 63 * 4, 0x07cc07f4); // HLT ends a program whose exit was redirected
        put32(EXIT_VECTOR * 4, (AREA >> 4) << 16 | (PADS + 63 * 4 - AREA));
    }
}

static uint32_t stack_top(unsigned ring)
{
    return STACKS + ring * 0x400 + 0x3f0;
}

static uint32_t random_eflags(struct program *p)
{
    uint32_t flags = 2 | (rnd(p) & 0x8d5);
    flags |= chance(p, 20) ? 0x400 : 0;
    flags |= (chance(p, 40) ? 3u : below(p, 4)) << 12;
    flags |= chance(p, 40) ? 0x200 : 0;
    if (has(p, F_DEBUG)) {
        flags |= chance(p, 12) ? 0x100 : 0;
        flags |= chance(p, 10) && (ctx.dr7 & 0xff) ? 0x10000 : 0;
    }
    flags |= chance(p, 15) && has(p, F_TASK) ? 0x4000 : 0;
    flags |= chance(p, 15) && has(p, F_AC) && !p->paging ? 0x40000 : 0;
    flags |= chance(p, 20) ? 0x200000 : 0;
    if (has(p, F_VME)) {
        uint32_t r = below(p, 10); // not VIF and VIP: a pending virtual interrupt that nobody took
        flags |= r < 2 ? 0x80000 : r == 2 ? 0x100000 : 0;
    }
    return flags;
}

static void setup_tss32(struct program *p, uint32_t tss)
{
    bool v86 = has(p, F_V86) && chance(p, 15);
    uint16_t cs = chance(p, 80) ? (uint16_t)((G_CODE32 + below(p, 4) + below(p, 2) * 8) << 3) : 0;
    if (cs)
        cs |= (uint16_t)((cs >> 3) & 3);
    else
        cs = random_code_selector(p);
    unsigned ring = cs & 3;
    put32(tss + 0x1c, p->paging == PAGING_PAE ? PDPT : PAGE_DIR);
    for (unsigned i = 0; i < 3; i++) {
        put32(tss + 4 + i * 8, stack_top(i) - 0x80);
        put32(tss + 8 + i * 8, (G_DATA32 + i) << 3 | i);
    }
    put32(tss + 0x20, random_pad(p) - (v86 ? AREA : selector_base(p, cs)));
    put32(tss + 0x24, (random_eflags(p) & ~0x4100u) | (v86 ? 0x20000 : 0));
    for (unsigned i = 0; i < 8; i++)
        put32(tss + 0x28 + i * 4, rnd(p));
    put32(tss + 0x38, stack_top(ring) - 0x40);
    for (unsigned i = 0; i < 6; i++) {
        uint32_t selector = (G_DATA32 + ring) << 3 | ring;
        if (chance(p, 12))
            selector = random_selector(p);
        if (i == 1)
            selector = cs;
        put32(tss + 0x48 + i * 4, v86 ? AREA >> 4 : selector);
    }
    put32(tss + 0x60, chance(p, 80) ? G_LDT << 3 : chance(p, 50) ? 0 : random_selector(p));
    put32(tss + 0x64, 0x680000 | (has(p, F_DEBUG) && chance(p, 12)));
    put32(tss, (G_TSS_MAIN + below(p, 2) * (G_TSS_A - G_TSS_MAIN)) << 3);
}

static void setup_tss16(struct program *p, uint32_t tss)
{
    unsigned ring = below(p, 4);
    put16(tss, G_TSS_MAIN << 3);
    for (unsigned i = 0; i < 3; i++) {
        put16(tss + 2 + i * 4, stack_top(i) - AREA - 0x80);
        put16(tss + 4 + i * 4, (G_DATA16 + i) << 3 | i);
    }
    put16(tss + 0x0e, random_pad(p) - AREA);
    put16(tss + 0x10, random_eflags(p) & ~0x4100u);
    for (unsigned i = 0; i < 8; i++)
        put16(tss + 0x12 + i * 2, rnd(p));
    put16(tss + 0x1a, stack_top(ring) - AREA - 0x40);
    for (unsigned i = 0; i < 4; i++)
        put16(tss + 0x22 + i * 2,
              chance(p, 12) ? random_selector(p) : (uint32_t)((G_DATA16 + ring) << 3 | ring));
    put16(tss + 0x24, (G_CODE16 + ring) << 3 | ring);
    put16(tss + 0x2a, chance(p, 80) ? G_LDT << 3 : chance(p, 50) ? 0 : random_selector(p));
}

static void setup_tss_main(struct program *p)
{
    fill_dwords(TSS_MAIN, 0, 0x200);
    bool based = chance(p, 25);
    for (unsigned i = 0; i < 3; i++) {
        uint32_t ss = (uint32_t)((based ? G_DATA16 : G_DATA32) + i) << 3 | i;
        uint32_t esp = stack_top(i) - (based ? AREA : 0);
        if (i == 0 && !based && chance(p, 50))
            ss = G_KDATA << 3;
        if (i == 0 && based) { // handlers address the stack as 32 bits
            ss = G_DATA32 << 3;
            esp = stack_top(0);
        }
        if (chance(p, 4) && i > 0)
            ss = random_selector(p);
        put32(TSS_MAIN + 4 + i * 8, esp);
        put32(TSS_MAIN + 8 + i * 8, ss);
    }
    put32(TSS_MAIN + 0x1c, p->paging == PAGING_PAE ? PDPT : PAGE_DIR);
    put32(TSS_MAIN, (G_TSS_A + below(p, 3)) << 3);
    uint32_t map = chance(p, 85) ? 0x88 : chance(p, 50) ? 0x68 + below(p, 0x40) : rnd(p);
    put32(TSS_MAIN + 0x64, map << 16);
    for (unsigned i = 0; i < 8; i++) // interrupt redirection, then I/O permissions
        put32(TSS_MAIN + 0x68 + i * 4, rnd(p));
    put32(TSS_MAIN + 0x68 + EXIT_VECTOR / 32 * 4,
          get32(TSS_MAIN + 0x68 + EXIT_VECTOR / 32 * 4) | 1u << EXIT_VECTOR % 32);
    for (unsigned i = 0; i < 32; i++)
        put32(TSS_MAIN + 0x88 + i * 4, rnd(p) & rnd(p));
    put32(TSS_MAIN + 0x108, 0xff);
}

static void setup_tss_df(struct program *p)
{
    fill_dwords(TSS_DF, 0, 0x68);
    put32(TSS_DF + 0x1c, p->paging == PAGING_PAE ? PDPT : PAGE_DIR);
    put32(TSS_DF + 0x20, (uint32_t)(uintptr_t)df_entry);
    put32(TSS_DF + 0x24, 2);
    put32(TSS_DF + 0x38, 0x3d0000);
    for (unsigned i = 0; i < 4; i++)
        put32(TSS_DF + 0x48 + i * 4, (i == 1 ? G_KCODE : G_KDATA) << 3);
    put32(TSS_DF + 0x64, 0x680000);
}

static void write_msr(uint32_t index, uint32_t low)
{
    __asm__ volatile("wrmsr" ::"c"(index), "a"(low), "d"(0));
}

static void setup_control(struct program *p)
{
    ctx.cr0 = 0x11;
    if (p->mode == MODE_REAL)
        ctx.cr0 = 0x10;
    if (p->paging != PAGING_OFF)
        ctx.cr0 |= 0x80000000u;
    ctx.cr0 |= chance(p, 50) ? 0x10000 : 0;
    ctx.cr0 |= chance(p, 50) && has(p, F_AC) ? 0x40000 : 0;
    ctx.cr0 |= 0x20;
    if (has(p, F_FPU))
        ctx.cr0 |= chance(p, 30) ? rnd(p) & 0xe : 0;
    ctx.cr2 = rnd(p);
    ctx.cr3 = p->paging == PAGING_PAE ? PDPT : PAGE_DIR;
    ctx.cr4 = p->paging == PAGING_PAE ? 0x20 : 0;
    ctx.cr4 |= p->pse ? 0x10 : 0;
    ctx.cr4 |= chance(p, 40) ? 0x80 : 0;
    ctx.cr4 |= chance(p, 30) ? 0x04 : 0;
    ctx.cr4 |= chance(p, 30) ? 0x08 : 0;
    ctx.cr4 |= chance(p, 50) ? 0x200 : 0;
    if (has(p, F_VME) && chance(p, 50))
        ctx.cr4 |= 1;
    if (has(p, F_PVI) && chance(p, 40))
        ctx.cr4 |= 2;
    ctx.dr6 = 0xffff0ff0;
    ctx.dr7 = 0x400;
    write_msr(0xc0000080u, has(p, F_NX) && chance(p, 60) ? 0x800 : 0);
    __asm__ volatile("wrmsr" ::"c"(0x277), "a"(0x00070406), "d"(0x00070406)); // PAT as after reset
    __asm__ volatile("fninit");
    write_msr(0x174, chance(p, 80) ? (G_CODE32 << 3) : below(p, 4));
    write_msr(0x175, stack_top(0));
    write_msr(0x176, random_pad(p));
}

static void setup_debug(struct program *p)
{
    static const uint32_t targets[] = {DATA + 0xffc,   DATA + 0x1000, DATA + 0x10,   STACKS + 0xfe0,
                                       STACKS + 0xfa8, CODE + 0xff0,  CODE + 0x1000, CODE + 0x1008};
    uint32_t dr[4] = {0};
    uint32_t dr7 = 0x400;
    unsigned count = has(p, F_DEBUG) && chance(p, 15) ? 4 : 0;
    for (unsigned i = 0; i < count; i++) {
        uint32_t target = targets[below(p, 8)];
        if (target >= STACKS && target < GDT && !has(p, F_STACK_BREAK))
            target = DATA + 0x14;
        dr[i] = target + below(p, 8);
        uint32_t kind = below(p, 4);
        uint32_t length = below(p, 4);
        if (kind == 2)
            kind = 1;
        if (kind == 0)
            length = 0;
        if (length == 2)
            length = 3;
        if (length) // aligned, as the manual demands
            dr[i] &= ~length;
        dr7 |= kind << (16 + i * 4) | length << (18 + i * 4);
        if (chance(p, 40))
            dr7 |= 1u << (i * 2 + below(p, 2));
    }
    if (count) {
        dr7 |= chance(p, 20) ? 0x2000 : 0;
        dr7 |= chance(p, 30) ? 0x300 : 0;
    }
    __asm__ volatile("mov %0, %%dr0; mov %1, %%dr1; mov %2, %%dr2; mov %3, %%dr3" ::"r"(dr[0]),
                     "r"(dr[1]), "r"(dr[2]), "r"(dr[3]));
    ctx.dr7 = p->mode == MODE_REAL ? dr7 & ~0x2000u : dr7;
}

static void setup_segments(struct program *p)
{
    uint32_t *data[] = {&ctx.ds, &ctx.es, &ctx.fs, &ctx.gs};
    unsigned ring = p->cpl;
    if (p->mode == MODE_PROTECTED) {
        uint32_t first = p->is32 ? G_DATA32 : G_DATA16;
        ctx.cs = (uint32_t)((p->is32 ? G_CODE32 : G_CODE16) + ring) << 3 | ring;
        ctx.ss = (first + ring) << 3 | ring;
        if (ring != 0 && chance(p, 15)) // stack size unlike code size
            ctx.ss = ((p->is32 ? G_DATA16 : G_DATA32) + ring) << 3 | ring;
        for (unsigned i = 0; i < 4; i++)
            *data[i] = chance(p, 90)       ? (first + ring) << 3 | ring
                       : has(p, F_PRECISE) ? below(p, 4)
                                           : 0;
    } else {
        ctx.cs = p->base >> 4;
        ctx.ss = AREA >> 4;
        for (unsigned i = 0; i < 4; i++)
            *data[i] = chance(p, 80) ? AREA >> 4 : random_selector(p);
    }
    ctx.esp = stack_top(ring) - selector_base(p, (uint16_t)ctx.ss) - 0x40;
    if (chance(p, 10))
        ctx.esp = STACKS + 0xc08 - selector_base(p, (uint16_t)ctx.ss) + below(p, 0x20);
}

static void choose(struct program *p)
{
    p->mode = MODE_PROTECTED;
    uint32_t r = below(p, 10);
    if (r < 2 && has(p, F_REAL))
        p->mode = MODE_REAL;
    else if (r < 4 && has(p, F_V86))
        p->mode = MODE_V86;
    p->cpl = p->mode == MODE_REAL ? 0 : p->mode == MODE_V86 ? 3 : below(p, 4);
    p->is32 = p->mode == MODE_PROTECTED && chance(p, 70);
    p->base = p->is32 ? 0 : AREA;
    if (p->mode != MODE_PROTECTED && chance(p, 30))
        p->base = 0x8f00 - below(p, 2) * 0x8f00;
    p->data_base = p->is32 ? 0 : AREA;
    p->paging = PAGING_OFF;
    if (p->mode != MODE_REAL && chance(p, 65))
        p->paging = has(p, F_PAE) && chance(p, 45) ? PAGING_PAE : PAGING_TWO_LEVEL;
    p->pse = chance(p, 60);
    p->intr = has(p, F_INTR) && chance(p, 12);
}

void setup_program(struct program *p)
{
    choose(p);
    fill_wide(CODE - 0x100, 0x07cc07cc, PADS - CODE + 0x100);
    fill_wide(DATA, 0x07cc07cc, 0x1f00);
    fill_wide(AREA + AREA_SIZE, 0x07cc07cc, 0x100);
    if (p->paging == PAGING_OFF) { // what stray stores reach: no program may see another's
        fill_wide(LOW_STUB + 0x800, 0x07cc07cc, CODE - LOW_STUB - 0x900);
        fill_wide(AREA + AREA_SIZE + 0x100, 0x07cc07cc, 0x10000);
    }
    for (uint32_t i = 0; i < 64; i++) // INT 2Fh
        put32(PADS + i * 4, 0xcccc2fcdu);
    for (uint32_t i = 0; i < 8; i++)
        put32(DATA + i * 4, rnd(p));
    for (uint32_t i = 0; i < 0x80; i++)
        put32(DATA + 0xf00 + i * 4, 0x01010101u * i + p->index);
    fill_dwords(DATA + 0x1f00, 0x5a5a5a5a, 0x100);
    fill_wide(STACKS, 0, 0x1000);
    setup_gdt(p);
    setup_idt(p);
    setup_control(p);
    setup_debug(p);
    fill_dwords(TSS_A, 0, 0x400);
    setup_tss_main(p);
    setup_tss32(p, TSS_A);
    setup_tss32(p, TSS_B);
    setup_tss16(p, TSS_C);
    setup_tss_df(p);
    if (p->paging == PAGING_PAE)
        setup_pae(p);
    else
        setup_two_level(p);
    setup_segments(p);
    ctx.eflags = random_eflags(p);
    if (p->mode == MODE_V86) {
        ctx.eflags |= 0x20000;
        ctx.eflags &= ~0x4000u;
    }
    ctx.unreal = chance(p, 20);
    uint32_t *regs[] = {&ctx.eax, &ctx.ecx, &ctx.edx, &ctx.ebx, &ctx.ebp, &ctx.esi, &ctx.edi};
    for (unsigned i = 0; i < 7; i++)
        *regs[i] = rnd(p);
    ctx.ebp = ctx.esp; // LEAVE makes a stack pointer of it
    set_ldtr(chance(p, 85) ? G_LDT << 3 : 0);
    set_tr(G_TSS_MAIN << 3);
}
