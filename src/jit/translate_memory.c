// SPDX-License-Identifier: MIT
// Guest memory accesses in translated code, flat-table form: the addend of the page, a test for a
// miss, a test for a page crossing. This file and its interface in translate.h are all that knows
// how guest memory is reached.
#include "jit/translate.h"

void slow_open(struct translator *t)
{
    if (t->slow_opened)
        return;
    t->slow[t->slow_count++] =
        (struct slow_path){.insn = (uint16_t)t->index, .begun = t->plan.native};
    t->slow_opened = true;
}

void slow_branch(struct translator *t, enum x64_condition condition)
{
    slow_open(t);
    struct slow_path *slow = &t->slow[t->slow_count - 1];
    slow->sites[slow->count++] = x64_jcc(&t->hot, condition, NULL);
}

bool segment_is_native(const struct translator *t, unsigned segment, enum access access)
{
    switch (segment) {
    case SEG_DS:
        return t->mode & (access == ACCESS_READ ? CPU_MODE_DS_FLAT_READ : CPU_MODE_DS_FLAT_WRITE);
    case SEG_ES:
        return t->mode & (access == ACCESS_READ ? CPU_MODE_ES_FLAT_READ : CPU_MODE_ES_FLAT_WRITE);
    case SEG_SS:
        return t->mode & CPU_MODE_SS_FLAT;
    case SEG_CS:
        return access == ACCESS_READ && (t->mode & CPU_MODE_CS_FLAT_READ);
    default:
        return true; // FS and GS: tested when they are used
    }
}

bool stack_is_native(const struct translator *t)
{
    return (t->mode & CPU_MODE_SS_FLAT) && (t->mode & CPU_MODE_STACK32);
}

bool window_is_used(const struct translator *t)
{
    return t->window && !t->tabled;
}

void flags_release_for_memory(struct translator *t, unsigned live)
{
    if (!window_is_used(t))
        flags_release(t, live);
}

struct x64_memory emit_window(struct translator *t, struct x64_memory place)
{
    slow_open(t);
    t->windows[t->window_count++] =
        (struct window_site){.at = t->hot.at,
                             .slow = (uint16_t)(t->slow_count - 1),
                             .flags_host = t->flags_host && !t->flags_saved};
    place.gs = true;
    return place;
}

static struct x64_memory guest_address(const struct insn *insn)
{
    return (struct x64_memory){
        .base = insn->base == INSN_NO_REG ? X64_NONE : (uint8_t)host_reg(insn->base),
        .index = insn->index == INSN_NO_REG ? X64_NONE : insn->index,
        .scale = insn->scale,
        .disp = (int32_t)insn->disp,
    };
}

bool emit_address(struct translator *t, enum access access, bool own, unsigned *reg)
{
    const struct insn *insn = &t->block->insns[t->index];
    if (insn->address_size != 4 || !segment_is_native(t, insn->segment, access))
        return false;
    struct x64 *a = &t->hot;
    bool based = insn->segment == SEG_FS || insn->segment == SEG_GS;
    bool plain = insn->index == INSN_NO_REG && insn->disp == 0 && insn->base != INSN_NO_REG;
    if (plain && !own && !based) {
        *reg = host_reg(insn->base);
        return true;
    }
    *reg = SCRATCH_ADDRESS;
    if (insn->base == INSN_NO_REG && insn->index == INSN_NO_REG)
        x64_mov_imm32(a, SCRATCH_ADDRESS, insn->disp);
    else if (plain)
        x64_rr(a, 0x89, host_reg(insn->base), SCRATCH_ADDRESS);
    else
        x64_rm(a, 0x8d, SCRATCH_ADDRESS, guest_address(insn));
    if (based) {
        size_t segment = offsetof(struct cpu, segs) + insn->segment * sizeof(struct segment);
        x64_rm(a, 0xf6, 0, cpu_field(segment + offsetof(struct segment, rights)));
        x64_imm(a, SEGMENT_FULL, 1);
        slow_branch(t, X64_E);
        x64_rm(a, 0x03, SCRATCH_ADDRESS, cpu_field(segment + offsetof(struct segment, base)));
    }
    return true;
}

// A miss has been tested, so that the instruction has a slow path.
static void emit_crossing_test(struct translator *t, unsigned reg, unsigned size)
{
    struct x64 *a = &t->hot;
    if (size == 2 || size == 4) {
        if (reg < 4 || reg >= 8)
            x64_rr(a, 0xf6 | X64_BYTE_RM, 0, reg);
        else
            x64_rr(a, 0xf7, 0, reg); // ESI, EDI, EBP have no byte form without REX
        x64_imm(a, size - 1, reg < 4 || reg >= 8 ? 1 : 4);
        struct unaligned_path *u = &t->unaligned[t->unaligned_count++];
        u->site = x64_jcc(a, X64_NE, NULL);
        u->resume = a->at;
        u->address = (uint8_t)reg;
        u->size = (uint8_t)size;
        u->slow = (uint16_t)(t->slow_count - 1);
        a->named |= 1u << SCRATCH_A; // that path uses it
    } else if (size == ACCESS_ALIGNED_16) {
        x64_rr(a, 0xf7, 0, reg);
        x64_imm(a, 15, 4);
        slow_branch(t, X64_NE);
    } else if (size > 1) {
        x64_rorx32(a, SCRATCH_A, reg, 12);
        x64_alu_imm(a, 7, 0, SCRATCH_A, (int32_t)((PAGE_SIZE - size + 1) << 20));
        slow_branch(t, X64_AE);
    }
}

static struct x64_memory emit_table_lookup(struct translator *t, unsigned reg, enum access access,
                                           unsigned size)
{
    struct x64 *a = &t->hot;
    x64_rr(a, 0x89, reg, SCRATCH_ADDEND);
    x64_rr(a, 0xc1, 5, SCRATCH_ADDEND);
    x64_imm(a, PAGE_SHIFT, 1);
    int32_t table = access == ACCESS_WRITE ? (int32_t)(MMU_WRITE * TLB_TABLE_BYTES) : 0;
    x64_rm(a, 0x8b | X64_W, SCRATCH_ADDEND, x64_indexed(HOST_TLB, SCRATCH_ADDEND, 3, table));
    x64_rr(a, 0x85 | X64_W, SCRATCH_ADDEND, SCRATCH_ADDEND);
    slow_branch(t, X64_E);
    emit_crossing_test(t, reg, size);
    if (UNLIKELY(t->plan.native))
        hooks_emit_access(t, reg, access, size);
    return x64_indexed(SCRATCH_ADDEND, reg, 0, 0);
}

struct x64_memory emit_lookup(struct translator *t, unsigned reg, enum access access, unsigned size)
{
    if (!window_is_used(t))
        return emit_table_lookup(t, reg, access, size);
    if (size == ACCESS_ALIGNED_16)
        emit_crossing_test(t, reg, size);
    if (UNLIKELY(t->plan.native))
        hooks_emit_access(t, reg, access, size);
    return emit_window(t, x64_at(reg, 0));
}

// An operand of an instruction with AH-BH is reached by the tables: emit_op changes that register
// before the access.
bool emit_operand(struct translator *t, enum access access, unsigned size, bool own, unsigned live,
                  struct operand *out)
{
    const struct insn *insn = &t->block->insns[t->index];
    *out = (struct operand){.is_memory = insn->is_memory, .reg = insn->rm};
    if (!insn->is_memory) {
        if (size != 1)
            out->reg = (uint8_t)host_reg(insn->rm);
        return true;
    }
    if (insn->address_size != 4 || !segment_is_native(t, insn->segment, access))
        return false;
    bool plain = insn->segment < SEG_FS && !own && size != ACCESS_ALIGNED_16;
    if (plain && window_is_used(t)) {
        unsigned address;
        if (UNLIKELY(t->plan.native) && emit_address(t, access, false, &address))
            hooks_emit_access(t, address, access, size);
        out->memory = emit_window(t, guest_address(insn));
        return true;
    }
    flags_release(t, live);
    unsigned reg;
    emit_address(t, access, own, &reg);
    out->memory = own ? emit_table_lookup(t, reg, access, size) : emit_lookup(t, reg, access, size);
    return true;
}

// With a memory operand a REX prefix stands, so that AH-BH cannot be named: the register is rotated
// for the moment. RORX leaves the flags alone.
void emit_op(struct translator *t, unsigned opcode, unsigned reg, const struct operand *operand)
{
    struct x64 *a = &t->hot;
    if (!operand->is_memory) {
        x64_rr(a, opcode, reg, operand->reg);
    } else if ((opcode & (X64_BYTE | X64_BYTE_REG)) && is_high_byte(reg)) {
        x64_rorx32(a, reg - 4, reg - 4, 8);
        x64_rm(a, opcode, reg - 4, operand->memory);
        x64_rorx32(a, reg - 4, reg - 4, 24);
    } else {
        x64_rm(a, opcode, reg, operand->memory);
    }
}
