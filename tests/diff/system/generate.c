// SPDX-License-Identifier: MIT
// The generator: bytes of one program, and the operations that every mode shares (memory, stack,
// strings, flags).
#include "kernel.h"

void emit8(struct program *p, uint32_t value)
{
    *p->out++ = (uint8_t)value;
}

void emit_value(struct program *p, uint32_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        emit8(p, value >> 8 * i);
}

void emit_size(struct program *p, unsigned size)
{
    if ((size == 4) != p->is32)
        emit8(p, 0x66);
}

uint32_t here(const struct program *p)
{
    return (uint32_t)(uintptr_t)p->out - p->base;
}

unsigned random_size(struct program *p)
{
    return chance(p, 75) == p->is32 ? 4 : 2;
}

void emit_mov_size(struct program *p, unsigned reg, uint32_t value, unsigned size)
{
    emit_size(p, size);
    emit8(p, 0xb8 + reg);
    emit_value(p, value, size);
}

void emit_mov(struct program *p, unsigned reg, uint32_t value)
{
    emit_mov_size(p, reg, value, p->is32 ? 4 : 2);
}

void emit_push(struct program *p, uint32_t value, unsigned size)
{
    emit_size(p, size);
    emit8(p, 0x68);
    emit_value(p, value, size);
}

static void emit_segment_prefix(struct program *p)
{
    static const uint8_t prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    if (chance(p, 25))
        emit8(p, prefixes[below(p, 6)]);
}

// opcode: bytes in reading order, so 0x0fb2 is LSS.
void emit_memory(struct program *p, unsigned size, uint32_t opcode, unsigned reg, uint32_t address)
{
    emit_segment_prefix(p);
    if (size > 1)
        emit_size(p, size);
    if (opcode > 0xff)
        emit8(p, opcode >> 8);
    emit8(p, opcode);
    emit8(p, (reg & 7) << 3 | (p->is32 ? 5 : 6));
    emit_value(p, address, p->is32 ? 4 : 2);
}

uint32_t random_address(struct program *p)
{
    static const uint32_t spots[] = {DATA + 0xffc, DATA + 0xffa,  DATA + 0x1ffc,  DATA + 0xff8,
                                     DATA + 0x0,   CODE + 0x1ffc, STACKS + 0xbf8, DATA + 0x10};
    uint32_t address = spots[below(p, 8)] + below(p, 8);
    if (chance(p, 5))
        address = GDT + G_CODE32 * 8 + below(p, 0x1b0);
    if (chance(p, 5) && has(p, F_LIMITS))
        address = 0xfffc + below(p, 8);
    if (p->is32 && p->paging != PAGING_OFF) {
        if (chance(p, 20))
            address += WINDOW_ALIAS;
        else if (chance(p, 20))
            address += WINDOW_LARGE;
        else if (chance(p, 3))
            address += 0x40000000u << below(p, 2);
    }
    if (p->is32 && chance(p, 3))
        address = 0xfffffffeu - below(p, 8) * 0x1000;
    return address - p->data_base;
}

static void gen_mov_load(struct program *p)
{
    unsigned size = random_size(p);
    emit_memory(p, size, 0x8b, below(p, 4), random_address(p));
}

static void gen_mov_store(struct program *p)
{
    unsigned size = random_size(p);
    emit_memory(p, size, 0x89, below(p, 4), random_address(p));
}

static void gen_rmw(struct program *p)
{
    static const uint16_t opcodes[] = {0x01, 0x29, 0x31, 0x11, 0x87, 0x0fc1, 0x0fb1, 0x39};
    unsigned size = random_size(p);
    uint32_t opcode = opcodes[below(p, 8)];
    if (chance(p, 10) && opcode != 0x39)
        emit8(p, 0xf0);
    emit_memory(p, size, opcode, below(p, 4), random_address(p));
}

static void gen_cmpxchg8b(struct program *p)
{
    emit_memory(p, 1, 0x0fc7, 1, random_address(p));
}

static void gen_push_pop_memory(struct program *p)
{
    unsigned size = random_size(p);
    if (chance(p, 50))
        emit_memory(p, size, 0xff, 6, random_address(p));
    else
        emit_memory(p, size, 0x8f, 0, random_address(p));
}

static uint32_t random_stack(struct program *p)
{
    static const uint32_t spots[] = {STACKS,       STACKS + 0xff4, DATA + 0x1000,
                                     DATA + 0xfa0, AREA,           0x10000};
    uint32_t address = spots[below(p, 6)] + below(p, 40) - 20; // the null descriptor is the highest
    return address - p->data_base;
}

// Push and pop where the stack ends: SP near an edge, then where it was at the start.
static void gen_stack_edge(struct program *p)
{
    static const uint8_t opcodes[] = {0x60, 0x61, 0x50, 0x59, 0xc9, 0x06, 0x1e, 0x9c};
    emit_mov(p, 4, random_stack(p));
    uint32_t opcode = opcodes[below(p, 8)];
    bool segment =
        (opcode & 0xe7) == 0x06; // the upper half of a 32-bit push depends on the processor
    if (chance(p, 15)) {
        emit_size(p, random_size(p));
        emit8(p, 0xc8);
        emit_value(p, below(p, 32), 2);
        emit8(p, below(p, 8));
    } else {
        emit_size(p, segment ? 2 : random_size(p));
        emit8(p, opcode);
    }
    emit_mov(p, 4, ctx.esp);
}

static void gen_enter_leave(struct program *p)
{
    emit_size(p, p->is32 ? 4 : 2);
    emit8(p, 0x89);
    emit8(p, 0xe5); // mov ebp, esp
    emit_size(p, random_size(p));
    emit8(p, 0xc8);
    emit_value(p, below(p, 16), 2);
    emit8(p, below(p, 6));
    emit_size(p, random_size(p));
    emit8(p, 0xc9);
}

static void gen_string(struct program *p)
{
    static const uint8_t opcodes[] = {0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad, 0xa6, 0xa7, 0xae, 0xaf};
    emit_mov(p, 6, random_address(p));
    emit_mov(p, 7, random_address(p));
    emit_mov(p, 1, below(p, 12));
    if (chance(p, 15))
        emit8(p, 0xfd);
    if (chance(p, 75))
        emit8(p, 0xf2 + below(p, 2));
    emit_segment_prefix(p);
    emit_size(p, random_size(p));
    emit8(p, opcodes[below(p, 10)]);
    if (chance(p, 50))
        emit8(p, 0xfc);
}

static void gen_io_string(struct program *p)
{
    emit_mov(p, 6, random_address(p));
    emit_mov(p, 7, random_address(p));
    emit_mov(p, 1, 1 + below(p, 3));
    bool in = chance(p, 50); // INSB from the interrupt mask register, OUTSB to the POST port
    emit_mov(p, 2, in ? 0x21 : 0x80);
    if (chance(p, 60))
        emit8(p, 0xf3);
    emit8(p, in ? 0x6c : 0x6e);
}

static void gen_bound(struct program *p)
{
    unsigned size = random_size(p);
    emit_memory(p, size, 0x62, below(p, 4), random_address(p));
}

static void gen_flags(struct program *p)
{
    static const uint8_t opcodes[] = {0xfa, 0xfb, 0xfa, 0xfb, 0x9e, 0x9f, 0xf8, 0xfd};
    emit8(p, opcodes[below(p, 8)]);
    emit8(p, 0x90);
}

static void gen_pushf(struct program *p)
{
    emit_size(p, random_size(p));
    emit8(p, 0x9c);
}

static void gen_popf(struct program *p)
{
    unsigned size = random_size(p);
    uint32_t image = rnd(p) & (has(p, F_DEBUG) && chance(p, 20) ? 0x3f7fd5u : 0x3f7ed5u);
    if (!has(p, F_TASK) || chance(p, 70))
        image &= ~0x4000u;
    if (!has(p, F_AC) || p->paging != PAGING_OFF)
        image &= ~0x40000u;
    if (!(ctx.dr7 & 0xff))
        image &= ~0x10000u;
    if ((image & 0x180000) == 0x180000)
        image &= ~0x100000u;
    emit_push(p, image, size);
    emit_size(p, chance(p, 95) ? size : 6 - size);
    emit8(p, 0x9d);
    emit8(p, 0x90);
}

static void gen_int(struct program *p)
{
    uint32_t r = below(p, 10);
    if (r == 0)
        emit8(p, 0xcc);
    else if (r == 1)
        emit8(p, 0xce);
    else if (r == 2)
        emit8(p, 0xf1);
    else {
        emit8(p, 0xcd);
        emit8(p, chance(p, 75) ? 0x20 + below(p, 15) : below(p, 0x34));
    }
}

static void gen_undefined(struct program *p)
{
    switch (below(p, 6)) {
    case 0:
        emit8(p, 0x0f);
        emit8(p, 0x0b);
        break;
    case 1: // LOCK where it is not allowed
        emit8(p, 0xf0);
        emit8(p, 0x90);
        break;
    case 2: // 16 bytes
        for (unsigned i = 0; i < 15; i++)
            emit8(p, 0x3e);
        emit8(p, 0x90);
        break;
    case 3: // LEA, LES of a register
        emit8(p, chance(p, 50) ? 0x8d : 0xc4);
        emit8(p, 0xc0 | below(p, 64));
        break;
    case 4: // MOV CS
        emit8(p, 0x8e);
        emit8(p, 0xc8 | below(p, 8));
        break;
    default: // MOV from segment registers 6 and 7
        emit8(p, 0x8c + below(p, 2) * 2);
        emit8(p, 0xf0 | below(p, 16));
        break;
    }
}

static void gen_near_jump(struct program *p)
{
    static const uint32_t targets[] = {0xffff, 0x8000, 0x7fff, 0xf678, 0xfffff000, 0x10000};
    unsigned size = random_size(p);
    emit_mov_size(p, 0, targets[below(p, 6)] + below(p, 4), size);
    if (!p->is32 || p->paging != PAGING_OFF || size == 2) {
        emit_size(p, size);
        emit8(p, 0xff);
        emit8(p, 0xe0);
    }
}

static void gen_fpu(struct program *p)
{
    static const uint16_t opcodes[] = {0x9b90, 0xd9ee, 0x0f77, 0x9b9b};
    uint32_t r = below(p, 7);
    if (r < 4) {
        emit8(p, opcodes[r] >> 8);
        emit8(p, opcodes[r]);
    } else if (r == 4) {
        emit_memory(p, 1, 0xdd, below(p, 2) * 2, random_address(p)); // FLD, FST m64
    } else if (r == 5) {
        emit_memory(p, 1, 0x0f6f, 0, random_address(p)); // MOVQ
    } else {
        emit_memory(p, 1, 0x0f28, 0, random_address(p)); // MOVAPS
    }
}

static const struct operation common_operations[] = {
    {gen_mov_load, "load", {10, 10, 10}, 0},
    {gen_mov_store, "store", {10, 12, 10}, 0},
    {gen_rmw, "rmw", {6, 10, 8}, 0},
    {gen_cmpxchg8b, "cmpxchg8b", {2, 3, 2}, 0},
    {gen_push_pop_memory, "pushpop", {5, 6, 5}, 0},
    {gen_stack_edge, "stackedge", {6, 8, 6}, 0},
    {gen_enter_leave, "enter", {3, 3, 3}, 0},
    {gen_string, "string", {8, 12, 8}, 0},
    {gen_io_string, "iostring", {3, 4, 4}, 0},
    {gen_bound, "bound", {3, 3, 3}, 0},
    {gen_flags, "flags", {6, 6, 8}, 0},
    {gen_pushf, "pushf", {4, 3, 6}, 0},
    {gen_popf, "popf", {8, 8, 10}, 0},
    {gen_int, "int", {8, 10, 12}, 0},
    {gen_undefined, "undefined", {4, 4, 4}, 0},
    {gen_near_jump, "nearjump", {2, 2, 2}, 0},
    {gen_fpu, "fpu", {4, 4, 4}, F_FPU},
};
#define COMMON (sizeof common_operations / sizeof common_operations[0])

static const struct operation *operation(unsigned op)
{
    return op < COMMON ? &common_operations[op] : &system_operations[op - COMMON];
}

bool op_is_unordered(unsigned op)
{
    return operation(op)->unordered;
}

const char *op_name(unsigned op)
{
    return operation(op)->name;
}

static unsigned choose_operation(struct program *p)
{
    unsigned total = 0;
    unsigned count = COMMON + system_operation_count;
    for (unsigned i = 0; i < count; i++) {
        if (has(p, operation(i)->features))
            total += operation(i)->weight[p->mode];
    }
    unsigned n = below(p, total);
    for (unsigned i = 0; i < count; i++) {
        if (!has(p, operation(i)->features))
            continue;
        if (n < operation(i)->weight[p->mode])
            return i;
        n -= operation(i)->weight[p->mode];
    }
    return 0;
}

void generate_program(struct program *p)
{
    p->out = (uint8_t *)(uintptr_t)(CODE + 0x1000 - (chance(p, 50) ? below(p, 80) : 0xe0));
    p->ops = 1 + below(p, MAX_OPS);
    ctx.eip = here(p);
    for (unsigned i = 0; i < p->ops; i++) {
        uint8_t *start = p->out;
        p->op[i] = (uint8_t)choose_operation(p);
        p->at[i] = (uint32_t)(uintptr_t)start;
        operation(p->op[i])->emit(p);
        if (p->drop >> i & 1) {
            for (uint8_t *byte = start; byte < p->out; byte++)
                *byte = 0x90;
        }
    }
    p->at[p->ops] = (uint32_t)(uintptr_t)p->out;
    emit8(p, 0xcd);
    emit8(p, EXIT_VECTOR);
    p->at[p->ops + 1] = (uint32_t)(uintptr_t)p->out;
}
