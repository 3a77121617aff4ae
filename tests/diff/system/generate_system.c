// SPDX-License-Identifier: MIT
// Operations of the generator: segments, far transfers, gates, tasks, system registers.
#include "kernel.h"

// Far pointers in memory lie here, inside the reported part of the data page.
#define POINTERS (DATA + 0xf10)

static uint32_t new_pointer(struct program *p)
{
    return POINTERS + p->pointers++ % 12 * 8;
}

// Returns its offset for the usual data segments.
static uint32_t store_pointer(struct program *p, uint32_t offset, unsigned size, uint32_t selector)
{
    uint32_t at = new_pointer(p);
    put32(at, offset);
    put32(at + 4, 0);
    put16(at + size, selector);
    return at - p->data_base;
}

static void gen_mov_segment(struct program *p)
{
    static const uint8_t order[] = {0, 2, 3, 4, 5};
    emit_mov_size(p, 0, random_selector(p), 2);
    emit8(p, 0x8e);
    emit8(p, 0xc0 | order[below(p, 5)] << 3);
}

static void gen_pop_segment(struct program *p)
{
    static const uint16_t opcodes[] = {0x07, 0x17, 0x1f, 0x0fa1, 0x0fa9};
    unsigned size = random_size(p);
    uint32_t opcode = opcodes[below(p, 5)];
    emit_push(p, random_selector(p), size);
    emit_size(p, size);
    if (opcode > 0xff)
        emit8(p, opcode >> 8);
    emit8(p, opcode);
}

static void gen_push_segment(struct program *p)
{
    static const uint16_t opcodes[] = {0x06, 0x0e, 0x16, 0x1e, 0x0fa0, 0x0fa8};
    uint32_t opcode = opcodes[below(p, 6)];
    emit_size(p, 2); // what a 32-bit push leaves in the upper half depends on the processor
    if (opcode > 0xff)
        emit8(p, opcode >> 8);
    emit8(p, opcode);
}

static void gen_load_pointer(struct program *p)
{
    static const uint16_t opcodes[] = {0xc4, 0xc5, 0x0fb2, 0x0fb4, 0x0fb5};
    unsigned size = random_size(p);
    uint32_t opcode = opcodes[below(p, 5)];
    uint32_t offset = rnd(p);
    uint32_t at = store_pointer(p, offset, size, random_selector(p));
    emit_memory(p, size, opcode, below(p, 4), at);
}

static void gen_inspect(struct program *p)
{
    uint32_t r = below(p, 4);
    emit_mov_size(p, 0, random_selector(p), 2);
    if (r >= 2) { // VERR, VERW
        emit8(p, 0x0f);
        emit8(p, 0x00);
        emit8(p, 0xc0 | (r + 2) << 3);
        return;
    }
    unsigned reg = 1 + below(p, 3);
    unsigned size = p->index % 4 == 0 ? random_size(p) : 2;
    emit_size(p, size);
    emit8(p, 0x0f);
    emit8(p, 0x02 + r);
    emit8(p, 0xc0 | reg << 3);
    if (r == 0 && size == 4) { // bits 19-16 of LAR's result are undefined: taken out, flags kept
        emit8(p, 0x9f);
        emit_size(p, 4);
        emit8(p, 0x81);
        emit8(p, 0xe0 | reg);
        emit_value(p, 0xfff0ffff, 4);
        emit8(p, 0x9e);
    }
}

static void gen_arpl(struct program *p)
{
    emit8(p, 0x63);
    emit8(p, 0xc0 | below(p, 4) << 3 | below(p, 4));
}

// Where a far transfer to the selector goes: a pad, or the next instruction.
static uint32_t far_offset(struct program *p, uint16_t selector, uint32_t next, bool is_call)
{
    bool same = p->mode != MODE_PROTECTED || selector >> 3 == ctx.cs >> 3;
    if (same && chance(p, 50)) {
        uint32_t offset = next + p->base - selector_base(p, selector);
        return p->mode == MODE_PROTECTED ? offset : offset & 0xffff;
    }
    if (chance(p, 5) && !is_call && p->mode == MODE_PROTECTED)
        return p->paging != PAGING_OFF ? rnd(p) : rnd(p) & 0x7ffff;
    return random_pad(p) - selector_base(p, selector);
}

static void gen_far_direct(struct program *p)
{
    unsigned size = random_size(p);
    uint16_t selector = random_code_selector(p);
    emit_size(p, size);
    bool is_call = chance(p, 50);
    emit8(p, is_call ? 0x9a : 0xea);
    uint32_t next = here(p) + size + 2;
    emit_value(p, far_offset(p, selector, next, is_call), size);
    emit_value(p, selector, 2);
}

static void gen_far_indirect(struct program *p)
{
    unsigned size = random_size(p);
    uint16_t selector = random_code_selector(p);
    bool is_call = chance(p, 50);
    bool through_cs = p->mode != MODE_PROTECTED; // whose base is known: a stray pointer leads to
                                                 // memory that machines fill differently
    uint32_t next = here(p) + through_cs + ((size == 4) != p->is32) + 2 + (p->is32 ? 4 : 2);
    uint32_t at = store_pointer(p, far_offset(p, selector, next, is_call), size, selector);
    if (through_cs)
        emit8(p, 0x2e);
    emit_size(p, size);
    emit8(p, 0xff);
    emit8(p, (is_call ? 3 : 5) << 3 | (p->is32 ? 5 : 6));
    emit_value(p, through_cs ? at + p->data_base - p->base : at, p->is32 ? 4 : 2);
}

static uint16_t return_selector(struct program *p)
{
    if (p->mode != MODE_PROTECTED || chance(p, 15))
        return random_code_selector(p);
    unsigned ring = chance(p, 50) ? p->cpl : below(p, 4);
    unsigned n = chance(p, 70) ? G_CODE32 : G_CODE16;
    return (uint16_t)((n + ring) << 3 | ring);
}

static void push_stack(struct program *p, uint16_t cs, unsigned size)
{
    unsigned ring = cs & 3;
    uint16_t ss = (uint16_t)((G_DATA32 + ring + 8 * chance(p, 30)) << 3 | ring);
    if (chance(p, 12))
        ss = random_selector(p);
    emit_push(p, ss, size);
    emit_push(p, STACKS + ring * 0x400 + 0x300 - selector_base(p, ss) + below(p, 4), size);
}

// The offset behind a push of a value and a one-byte instruction of that size.
static uint32_t behind_push(const struct program *p, unsigned size)
{
    unsigned prefix = (size == 4) != p->is32;
    return here(p) + prefix + 1 + size + prefix + 1;
}

static void gen_far_return(struct program *p)
{
    unsigned size = random_size(p);
    uint16_t cs = return_selector(p);
    if (p->mode == MODE_PROTECTED)
        push_stack(p, cs, size);
    emit_push(p, cs, size);
    bool release = chance(p, 30);
    uint32_t next = behind_push(p, size) + release * 2;
    emit_push(p, far_offset(p, cs, next, false), size);
    emit_size(p, size);
    if (release) {
        emit8(p, 0xca);
        emit_value(p, below(p, 8) * 2, 2);
    } else {
        emit8(p, 0xcb);
    }
}

static void gen_iret(struct program *p)
{
    unsigned size = random_size(p);
    uint16_t cs = return_selector(p);
    uint32_t image = rnd(p) & 0x3f7ed5u;
    if (!has(p, F_TASK) || chance(p, 80))
        image &= ~0x4000u;
    if (!has(p, F_AC) || p->paging != PAGING_OFF)
        image &= ~0x40000u;
    if (has(p, F_DEBUG) && chance(p, 15))
        image |= 0x100;
    if (!(ctx.dr7 & 0xff))
        image &= ~0x10000u;
    bool to_v86 = p->mode == MODE_PROTECTED && chance(p, 12) && has(p, F_V86);
    if (to_v86) {
        image |= 0x20000;
        for (unsigned i = 0; i < 4; i++)
            emit_push(p, AREA >> 4, size);
        emit_push(p, AREA >> 4, size);
        emit_push(p, STACKS + 0xf00 - AREA, size);
        cs = AREA >> 4;
    } else if (p->mode == MODE_PROTECTED) {
        push_stack(p, cs, size);
    }
    if (!to_v86 && chance(p, 95))
        image &= ~0x20000u;
    if (!has(p, F_VME) || (image & 0x180000) == 0x180000)
        image &= ~0x180000u;
    emit_push(p, image, size);
    emit_push(p, cs, size);
    uint32_t offset =
        to_v86 ? random_pad(p) - AREA : far_offset(p, cs, behind_push(p, size), false);
    emit_push(p, offset, size);
    emit_size(p, size);
    emit8(p, 0xcf);
}

// IRET of a nested task.
static void gen_task_return(struct program *p)
{
    emit_push(p, 0x4002, p->is32 ? 4 : 2);
    emit8(p, 0x9d);
    emit8(p, 0xcf);
}

static void gen_table_register(struct program *p)
{
    uint32_t r = below(p, 8);
    if (r < 2) { // SLDT, STR
        emit_size(p, random_size(p));
        emit8(p, 0x0f);
        emit8(p, 0x00);
        emit8(p, 0xc0 | r << 3 | below(p, 4));
    } else if (r < 4) { // LLDT, LTR
        emit_mov_size(p, 0, random_selector(p), 2);
        emit8(p, 0x0f);
        emit8(p, 0x00);
        emit8(p, 0xc0 | (r == 2 || !has(p, F_TASK) ? 2 : 3) << 3);
    } else if (r < 6) { // SGDT, SIDT
        // Not across pages, both parts aligned: which of them is written before a fault is open.
        uint32_t at = (((random_address(p) + p->data_base) & ~15u) | 2) - p->data_base;
        emit_memory(p, random_size(p), 0x0f01, r & 1, at);
    } else { // LGDT, LIDT of what is loaded already, sometimes with another limit
        // In real-address mode a wrong IDT would end everything.
        unsigned which = p->mode == MODE_REAL ? 0 : r & 1;
        const uint32_t *now = which ? ctx.idtr : ctx.gdtr;
        uint32_t limit = now[0] & 0xffff;
        if (p->mode != MODE_REAL && chance(p, 15))
            limit -= below(p, 0x80);
        uint32_t at = new_pointer(p);
        put16(at, limit);
        put32(at + 2, now[0] >> 16 | now[1] << 16);
        emit8(p, 0x2e); // through CS, whose base is known
        emit_size(p, random_size(p));
        emit8(p, 0x0f);
        emit8(p, 0x01);
        emit8(p, (2 + which) << 3 | (p->is32 ? 5 : 6));
        emit_value(p, at - p->base, p->is32 ? 4 : 2);
    }
}

static void gen_msw(struct program *p)
{
    uint32_t r = below(p, 4);
    if (r == 0) {
        emit8(p, 0x0f);
        emit8(p, 0x06); // CLTS
    } else if (r == 1) {
        emit_size(p, random_size(p));
        emit8(p, 0x0f);
        emit8(p, 0x01);
        emit8(p, 0xe0 | below(p, 4)); // SMSW
    } else if (r == 2) {
        emit_memory(p, 1, 0x0f01, 4, random_address(p));
    } else {
        uint32_t value = p->mode == MODE_REAL ? 0 : rnd(p) & 1;
        emit_mov_size(p, 0, value | (has(p, F_FPU) ? rnd(p) & 0xfffe : 0), 2);
        emit8(p, 0x0f);
        emit8(p, 0x01);
        emit8(p, 0xf0); // LMSW
    }
}

static void gen_mov_control(struct program *p)
{
    static const uint32_t toggles[] = {0x10000, 0x40000, 0x60000000, 0x20000000, 0x40000000,
                                       0x20,    2,       0x10,       0x80000000, 1};
    static const uint32_t cr4[] = {1,    2,     4,     8,     0x10,       0x20,
                                   0x80, 0x100, 0x200, 0x400, 0x80000000, 0x800};
    uint32_t r = below(p, 10);
    if (r < 4) { // read
        static const uint8_t numbers[] = {0, 2, 3, 4, 0, 2, 1, 5, 6, 7};
        emit8(p, 0x0f);
        emit8(p, 0x20);
        emit8(p, 0xc0 | numbers[below(p, 10)] << 3 | below(p, 4));
        return;
    }
    unsigned n = 0;
    uint32_t value = rnd(p);
    if (r < 7) {
        value = ctx.cr0;
        uint32_t bit = toggles[below(p, 8)];
        if (bit == 2 && !has(p, F_FPU))
            bit = 0;
        if (bit == 0x40000 && !has(p, F_AC))
            bit = 0;
        value ^= bit;
        if (p->mode == MODE_REAL)
            value &= 0x7ffffffe;
        if (chance(p, 5) && p->mode != MODE_REAL)
            value = (value & ~1u) | 0x80000000u; // paging without protection
    } else if (r == 7) {
        n = 2;
    } else if (r == 8) {
        n = 3;
        value = ctx.cr3 | (rnd(p) & 0x18);
    } else {
        n = 4;
        value = ctx.cr4;
        uint32_t bit = cr4[below(p, 12)];
        if ((bit == 0x20 && !has(p, F_PAE)) || (bit == 1 && !has(p, F_VME)) ||
            (bit == 2 && !has(p, F_PVI)) || ((bit & 0x80000800u) && !has(p, F_CR4_RESERVED)))
            bit = 0;
        if (bit == 0x20 && p->paging != PAGING_OFF)
            bit = 0;
        value ^= bit;
    }
    emit_mov_size(p, 0, value, 4);
    emit8(p, 0x0f);
    emit8(p, 0x22);
    emit8(p, 0xc0 | n << 3);
    if (n == 0) {
        emit8(p, 0xeb);
        emit8(p, 0);
    }
}

static void gen_mov_debug(struct program *p)
{
    unsigned n = below(p, 8);
    if (chance(p, 50)) {
        emit8(p, 0x0f);
        emit8(p, 0x21);
        emit8(p, 0xc0 | (n < 4 ? 6 : n) << 3 | below(p, 4));
    } else {
        uint32_t value = n < 4 ? DATA + 0xff0 + below(p, 32) : rnd(p);
        if (n == 7 || n == 5) // lengths and kinds stay 0: no breakpoint that hits
            value &= p->mode == MODE_REAL ? 0xd700u : 0xff00u;
        emit_mov_size(p, 0, value, 4);
        emit8(p, 0x0f);
        emit8(p, 0x23);
        emit8(p, 0xc0 | n << 3);
    }
}

static void gen_msr(struct program *p)
{
    static const uint32_t numbers[] = {0x174, 0x175, 0x176, 0xc0000080, 0x277, 0x12345, 0x40000000};
    uint32_t index = numbers[below(p, has(p, F_PRECISE) ? 7 : 5)];
    if (index == 0xc0000080 && !has(p, F_NX))
        index = 0x174;
    emit_mov_size(p, 1, index, 4);
    if (chance(p, 50) && index != 0xc0000080) {
        emit8(p, 0x0f);
        emit8(p, 0x32);
        return;
    }
    uint32_t low = rnd(p);
    uint32_t high = 0;
    if (index == 0x174)
        low = (G_CODE32 << 3) + below(p, 4);
    else if (index == 0x175)
        low = STACKS + 0x300;
    else if (index == 0x176)
        low = random_pad(p);
    else if (index == 0xc0000080)
        low = chance(p, 80) ? below(p, 2) << 11 : 0x1000u << below(p, 10);
    else if (index == 0x277)
        low = high = chance(p, 70) ? 0x00070406 : 0x02030405;
    emit_mov_size(p, 0, low, 4);
    emit_mov_size(p, 2, high, 4);
    emit8(p, 0x0f);
    emit8(p, 0x30);
}

static void gen_privileged(struct program *p)
{
    switch (below(p, 6)) {
    case 0: // HLT waits in ring 0
        emit8(p, p->cpl == 0 ? 0x90 : 0xf4);
        break;
    case 1:
        emit8(p, 0x0f);
        emit8(p, 0x09); // WBINVD
        break;
    case 2:
        emit_memory(p, 1, 0x0f01, 7, random_address(p)); // INVLPG
        break;
    case 3:
        if (p->cpl == 0 || !(ctx.cr4 & 4))
            break;
        emit8(p, 0x0f);
        emit8(p, 0x31); // RDTSC where it is not allowed
        break;
    case 4:
        emit8(p, 0x0f);
        emit8(p, 0x01);
        emit8(p, 0xf8 | below(p, 8)); // INVLPG of a register
        if ((p->out[-1] & 7) < 2)
            p->out[-1] = 0xfa; // not SWAPGS, RDTSCP
        break;
    default:
        emit8(p, 0x0f);
        emit8(p, 0x08); // INVD
        break;
    }
}

static void gen_io(struct program *p)
{
    static const uint16_t ports[] = {0x21, 0x80, 0xa1, 0x80, 0x22f, 0x2bf, 0x440, 0xffff, 0x7f};
    uint16_t port = ports[below(p, 9)];
    bool in = port == 0x21 || port == 0xa1;
    if (chance(p, 50) && port < 0x100) {
        emit8(p, in ? 0xe4 : 0xe6);
        emit8(p, port);
        return;
    }
    emit_mov_size(p, 2, port, 2);
    unsigned size = 1u << below(p, 3);
    if (in)
        size = 1;
    if (size > 1)
        emit_size(p, size);
    emit8(p, (in ? 0xec : 0xee) | (size > 1));
}

static void gen_sysenter(struct program *p)
{
    emit_mov_size(p, 2, random_pad(p), 4);
    emit_mov_size(p, 1, STACKS + 0xf00, 4);
    emit8(p, 0x0f);
    emit8(p, chance(p, 50) ? 0x34 : 0x35);
}

// A MOV SS or POP SS, then something that traps or is interrupted.
static void gen_shadow(struct program *p)
{
    emit8(p, 0x8c);
    emit8(p, 0xd0); // MOV AX, SS
    if (chance(p, 50))
        emit8(p, 0xfb); // STI
    emit8(p, 0x8e);
    emit8(p, 0xd0);
    if (chance(p, 60)) {
        emit_memory(p, random_size(p), 0x8b, 1, random_address(p));
    } else {
        emit8(p, 0x90);
    }
    emit8(p, 0x90);
}

const struct operation system_operations[] = {
    {gen_mov_segment, "movseg", {10, 25, 10}, 0},
    {gen_pop_segment, "popseg", {5, 12, 5}, 0},
    {gen_push_segment, "pushseg", {3, 4, 3}, 0},
    {gen_load_pointer, "loadptr", {5, 14, 5}, 0, true},
    {gen_inspect, "inspect", {3, 20, 3}, 0},
    {gen_arpl, "arpl", {1, 3, 1}, 0},
    {gen_far_direct, "fardirect", {8, 16, 8}, 0},
    {gen_far_indirect, "farindirect", {4, 10, 4}, 0, true},
    {gen_far_return, "retf", {6, 14, 6}, 0},
    {gen_iret, "iret", {8, 16, 10}, 0},
    {gen_task_return, "taskret", {0, 3, 0}, F_TASK},
    {gen_table_register, "tablereg", {3, 10, 5}, 0, true},
    {gen_msw, "msw", {3, 4, 4}, 0},
    {gen_mov_control, "movcr", {6, 8, 4}, 0},
    {gen_mov_debug, "movdr", {4, 6, 3}, F_DEBUG},
    {gen_msr, "msr", {4, 6, 3}, 0},
    {gen_privileged, "privileged", {4, 6, 5}, 0},
    {gen_io, "io", {4, 8, 8}, 0},
    {gen_sysenter, "sysenter", {3, 6, 3}, 0},
    {gen_shadow, "shadow", {4, 5, 4}, 0},
};
const unsigned system_operation_count = sizeof system_operations / sizeof system_operations[0];
