// SPDX-License-Identifier: MIT
// Emission of x86-64 encodings. Intel SDM vol. 2, sections 2.1 to 2.3.
#include "jit/assembler_x64.h"

#include <assert.h>

void x64_byte(struct x64 *a, unsigned value)
{
    assert(a->at < a->end);
    *a->at++ = (uint8_t)value;
}

void x64_imm(struct x64 *a, uint32_t value, unsigned size)
{
    assert(a->at + size <= a->end && (size == 1 || size == 2 || size == 4));
    memcpy(a->at, &value, size);
    a->at += size;
}

void x64_imm64(struct x64 *a, uint64_t value)
{
    assert(a->at + 8 <= a->end);
    memcpy(a->at, &value, 8);
    a->at += 8;
}

static void emit_prefixes(struct x64 *a, unsigned opcode, unsigned rex, bool high_byte)
{
    if (opcode & X64_66)
        x64_byte(a, 0x66);
    if (opcode & X64_F3)
        x64_byte(a, 0xf3);
    if (opcode & X64_F2)
        x64_byte(a, 0xf2);
    if (opcode & X64_W)
        rex |= 8;
    assert(!(rex && high_byte));
    if (rex)
        x64_byte(a, 0x40 | rex);
}

static void emit_opcode(struct x64 *a, unsigned opcode)
{
    switch (opcode & X64_MAP) {
    case X64_0F:
        x64_byte(a, 0x0f);
        break;
    case X64_0F38:
        x64_byte(a, 0x0f);
        x64_byte(a, 0x38);
        break;
    case X64_0F3A:
        x64_byte(a, 0x0f);
        x64_byte(a, 0x3a);
        break;
    default:
        break;
    }
    x64_byte(a, opcode & 0xff);
}

static bool is_high(unsigned reg)
{
    return reg >= 4 && reg < 8;
}

void x64_rr(struct x64 *a, unsigned opcode, unsigned reg, unsigned rm)
{
    assert(reg < 16 && rm < 16);
    a->named |= 1u << reg | 1u << rm;
    bool high = ((opcode & (X64_BYTE | X64_BYTE_REG)) && is_high(reg)) ||
                ((opcode & (X64_BYTE | X64_BYTE_RM)) && is_high(rm));
    emit_prefixes(a, opcode, (reg >> 3) << 2 | rm >> 3, high);
    emit_opcode(a, opcode);
    x64_byte(a, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

void x64_rm(struct x64 *a, unsigned opcode, unsigned reg, struct x64_memory mem)
{
    assert(reg < 16 && mem.base <= X64_NONE && mem.index != X64_RSP && mem.scale < 4);
    a->named |= 1u << reg;
    bool indexed = mem.index != X64_NONE;
    bool based = mem.base != X64_NONE;
    bool high = (opcode & (X64_BYTE | X64_BYTE_REG)) && is_high(reg);
    unsigned base = based ? mem.base : X64_RBP; // mod 0 and base 5: no base, disp32
    unsigned rex = (reg >> 3) << 2 | (indexed ? (mem.index >> 3u) << 1 : 0) | base >> 3;
    if (mem.gs) {
        x64_byte(a, 0x65);
        x64_byte(a, 0x67);
    }
    emit_prefixes(a, opcode, rex, high);
    emit_opcode(a, opcode);
    unsigned mod = !based || (mem.disp == 0 && (base & 7) != X64_RBP) ? 0
                   : mem.disp >= INT8_MIN && mem.disp <= INT8_MAX     ? 1
                                                                      : 2;
    bool sib = indexed || !based || (base & 7) == X64_RSP;
    x64_byte(a, mod << 6 | (reg & 7) << 3 | (sib ? 4u : base & 7u));
    if (sib)
        x64_byte(a, (unsigned)mem.scale << 6 | (indexed ? mem.index & 7u : 4u) << 3 | (base & 7u));
    if (mod || !based)
        x64_imm(a, (uint32_t)mem.disp, mod == 1 ? 1 : 4);
}

void x64_rip(struct x64 *a, unsigned opcode, unsigned reg, const uint8_t *target, unsigned trailing)
{
    assert(reg < 16);
    a->named |= 1u << reg;
    emit_prefixes(a, opcode, (reg >> 3) << 2, (opcode & (X64_BYTE | X64_BYTE_REG)) && is_high(reg));
    emit_opcode(a, opcode);
    x64_byte(a, (reg & 7) << 3 | 5);
    ptrdiff_t distance = target - (a->at + 4 + trailing);
    assert(distance == (int32_t)distance);
    x64_imm(a, (uint32_t)distance, 4);
}

void x64_plus_r(struct x64 *a, unsigned opcode, unsigned reg)
{
    assert(reg < 16);
    a->named |= 1u << reg;
    emit_prefixes(a, opcode, reg >> 3, (opcode & X64_BYTE) && is_high(reg));
    emit_opcode(a, opcode + (reg & 7));
}

void x64_mov_imm32(struct x64 *a, unsigned reg, uint32_t value)
{
    x64_plus_r(a, 0xb8, reg);
    x64_imm(a, value, 4);
}

void x64_mov_imm64(struct x64 *a, unsigned reg, uint64_t value)
{
    x64_plus_r(a, 0xb8 | X64_W, reg);
    x64_imm64(a, value);
}

void x64_mov_store_imm32(struct x64 *a, struct x64_memory mem, uint32_t value)
{
    x64_rm(a, 0xc7, 0, mem);
    x64_imm(a, value, 4);
}

// VEX.LZ.F2.0F3A.W0 F0 /r ib
void x64_rorx32(struct x64 *a, unsigned reg, unsigned rm, unsigned count)
{
    assert(reg < 16 && rm < 16 && count < 32);
    a->named |= 1u << reg;
    x64_byte(a, 0xc4);
    x64_byte(a, (reg & 8 ? 0u : 0x80u) | 0x40 | (rm & 8 ? 0u : 0x20u) | 3);
    x64_byte(a, 0x7b);
    x64_byte(a, 0xf0);
    x64_byte(a, 0xc0 | (reg & 7) << 3 | (rm & 7));
    x64_byte(a, count);
}

void x64_alu_imm(struct x64 *a, unsigned op, unsigned flags, unsigned rm, int32_t value)
{
    assert(op < 8);
    if (flags & X64_BYTE) {
        x64_rr(a, 0x80 | X64_BYTE_RM | (flags & ~(unsigned)X64_BYTE), op, rm);
        x64_imm(a, (uint32_t)value, 1);
    } else if (value >= INT8_MIN && value <= INT8_MAX) {
        x64_rr(a, 0x83 | flags, op, rm);
        x64_imm(a, (uint32_t)value, 1);
    } else {
        x64_rr(a, 0x81 | flags, op, rm);
        x64_imm(a, (uint32_t)value, flags & X64_66 ? 2 : 4);
    }
}

void x64_patch(uint8_t *site, const uint8_t *target)
{
    ptrdiff_t distance = target - (site + 4);
    assert(distance == (int32_t)distance);
    int32_t value = (int32_t)distance;
    memcpy(site, &value, 4);
}

static uint8_t *emit_rel32(struct x64 *a, const uint8_t *target)
{
    uint8_t *site = a->at;
    x64_imm(a, 0, 4);
    if (target)
        x64_patch(site, target);
    return site;
}

uint8_t *x64_jmp(struct x64 *a, const uint8_t *target)
{
    x64_byte(a, 0xe9);
    return emit_rel32(a, target);
}

uint8_t *x64_jcc(struct x64 *a, enum x64_condition condition, const uint8_t *target)
{
    assert((unsigned)condition < 16);
    x64_byte(a, 0x0f);
    x64_byte(a, 0x80 | condition);
    return emit_rel32(a, target);
}

uint8_t *x64_call(struct x64 *a, const uint8_t *target)
{
    a->named = X64_ALL_REGISTERS;
    x64_byte(a, 0xe8);
    return emit_rel32(a, target);
}

uint8_t *x64_jcc_short(struct x64 *a, enum x64_condition condition)
{
    assert((unsigned)condition < 16);
    x64_byte(a, 0x70 | condition);
    x64_byte(a, 0);
    return a->at - 1;
}

uint8_t *x64_jmp_short(struct x64 *a)
{
    x64_byte(a, 0xeb);
    x64_byte(a, 0);
    return a->at - 1;
}

void x64_bind_short(struct x64 *a, uint8_t *site)
{
    ptrdiff_t distance = a->at - (site + 1);
    assert(distance == (int8_t)distance);
    *site = (uint8_t)distance;
    a->named = X64_ALL_REGISTERS;
}
