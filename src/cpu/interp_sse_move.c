// SPDX-License-Identifier: MIT
// SSE and SSE2 moves, shuffles, inserts, masks, and the operand accesses of all SIMD handlers (SDM
// vol. 2). Non-temporal stores are plain stores.
#include "cpu/interp_sse.h"

void sse_read16(struct cpu *cpu, const struct insn *insn, bool aligned, union simd *value)
{
    uint32_t linear = mem_linear_read(cpu, insn->segment, insn_address(cpu, insn), 16);
    if (aligned && UNLIKELY(linear & 15))
        cpu_raise_error(cpu, EXC_GP, 0);
    mem_observe_piece(cpu, 16, 0);
    value->u64[0] = mem_read_linear(cpu, linear, 8, cpu->is_user);
    mem_observe_piece(cpu, 16, 8);
    value->u64[1] = mem_read_linear(cpu, linear + 8, 8, cpu->is_user);
    mem_observe_piece(cpu, 0, 0);
}

void sse_write16(struct cpu *cpu, const struct insn *insn, bool aligned, const union simd *value)
{
    uint32_t linear = mem_linear_write(cpu, insn->segment, insn_address(cpu, insn), 16);
    if (aligned && UNLIKELY(linear & 15))
        cpu_raise_error(cpu, EXC_GP, 0);
    fpu_write_linear(cpu, linear, value->u8, 16, 8);
}

void sse_read_operand(struct cpu *cpu, const struct insn *insn, unsigned size, bool aligned,
                      union simd *value)
{
    if (!insn->is_memory) {
        sse_get(cpu, insn->rm, value);
    } else if (size == 16) {
        sse_read16(cpu, insn, aligned, value);
    } else {
        value->u64[0] = mem_read(cpu, insn->segment, insn_address(cpu, insn), size);
        value->u64[1] = 0;
    }
}

static void load16(struct cpu *cpu, const struct insn *insn, bool aligned)
{
    union simd value;
    sse_begin(cpu);
    sse_read_operand(cpu, insn, 16, aligned, &value);
    sse_set(cpu, insn->reg, &value);
}

static void store16(struct cpu *cpu, const struct insn *insn, bool aligned)
{
    union simd value;
    sse_begin(cpu);
    sse_get(cpu, insn->reg, &value);
    if (insn->is_memory)
        sse_write16(cpu, insn, aligned, &value);
    else
        sse_set(cpu, insn->rm, &value);
}

void sse_load_aligned(struct cpu *cpu, const struct insn *insn)
{
    load16(cpu, insn, true);
}

void sse_load_unaligned(struct cpu *cpu, const struct insn *insn)
{
    load16(cpu, insn, false);
}

void sse_store_aligned(struct cpu *cpu, const struct insn *insn)
{
    store16(cpu, insn, true);
}

void sse_store_unaligned(struct cpu *cpu, const struct insn *insn)
{
    store16(cpu, insn, false);
}

// MOVSS and MOVSD: from memory the rest becomes zero, between registers it stays.
static void load_scalar(struct cpu *cpu, const struct insn *insn, unsigned size)
{
    union simd value;
    sse_begin(cpu);
    sse_read_operand(cpu, insn, size, false, &value);
    memcpy(cpu->fpu.xmm[insn->reg], &value, insn->is_memory ? 16 : size);
}

static void store_scalar(struct cpu *cpu, const struct insn *insn, unsigned size)
{
    union simd value;
    sse_begin(cpu);
    sse_get(cpu, insn->reg, &value);
    if (insn->is_memory)
        mem_write(cpu, insn->segment, insn_address(cpu, insn), value.u64[0], size);
    else
        memcpy(cpu->fpu.xmm[insn->rm], &value, size);
}

void sse_movss_load(struct cpu *cpu, const struct insn *insn)
{
    load_scalar(cpu, insn, 4);
}

void sse_movss_store(struct cpu *cpu, const struct insn *insn)
{
    store_scalar(cpu, insn, 4);
}

void sse_movsd_load(struct cpu *cpu, const struct insn *insn)
{
    load_scalar(cpu, insn, 8);
}

void sse_movsd_store(struct cpu *cpu, const struct insn *insn)
{
    store_scalar(cpu, insn, 8);
}

// One half of a register: memory of 8 bytes, or half `from` of another register.
static void load_half(struct cpu *cpu, const struct insn *insn, unsigned half, unsigned from)
{
    union simd value;
    sse_begin(cpu);
    sse_read_operand(cpu, insn, 8, false, &value);
    store_le64(cpu->fpu.xmm[insn->reg] + 8 * half, value.u64[from]);
}

static void store_half(struct cpu *cpu, const struct insn *insn, unsigned half)
{
    union simd value;
    sse_begin(cpu);
    sse_get(cpu, insn->reg, &value);
    mem_write(cpu, insn->segment, insn_address(cpu, insn), value.u64[half], 8);
}

void sse_movlps_load(struct cpu *cpu, const struct insn *insn)
{
    load_half(cpu, insn, 0, 0);
}

void sse_movhps_load(struct cpu *cpu, const struct insn *insn)
{
    load_half(cpu, insn, 1, 0);
}

void sse_movhlps(struct cpu *cpu, const struct insn *insn)
{
    load_half(cpu, insn, 0, 1);
}

void sse_movlhps(struct cpu *cpu, const struct insn *insn)
{
    load_half(cpu, insn, 1, 0);
}

void sse_movlps_store(struct cpu *cpu, const struct insn *insn)
{
    store_half(cpu, insn, 0);
}

void sse_movhps_store(struct cpu *cpu, const struct insn *insn)
{
    store_half(cpu, insn, 1);
}

void sse_movd_load(struct cpu *cpu, const struct insn *insn)
{
    union simd value = {.u64 = {0}};
    sse_begin(cpu);
    value.u32[0] = insn->is_memory
                       ? (uint32_t)mem_read(cpu, insn->segment, insn_address(cpu, insn), 4)
                       : cpu->regs[insn->rm];
    sse_set(cpu, insn->reg, &value);
}

void sse_movd_store(struct cpu *cpu, const struct insn *insn)
{
    union simd value;
    sse_begin(cpu);
    sse_get(cpu, insn->reg, &value);
    if (insn->is_memory)
        mem_write(cpu, insn->segment, insn_address(cpu, insn), value.u32[0], 4);
    else
        cpu->regs[insn->rm] = value.u32[0];
}

void sse_movq_load(struct cpu *cpu, const struct insn *insn)
{
    union simd value;
    sse_begin(cpu);
    sse_read_operand(cpu, insn, 8, false, &value);
    value.u64[1] = 0;
    sse_set(cpu, insn->reg, &value);
}

void sse_movq_store(struct cpu *cpu, const struct insn *insn)
{
    union simd value;
    sse_begin(cpu);
    sse_get(cpu, insn->reg, &value);
    value.u64[1] = 0;
    if (insn->is_memory)
        mem_write(cpu, insn->segment, insn_address(cpu, insn), value.u64[0], 8);
    else
        sse_set(cpu, insn->rm, &value);
}

void sse_movq2dq(struct cpu *cpu, const struct insn *insn)
{
    sse_begin(cpu);
    mmx_begin(cpu);
    union simd value = {.u64 = {mmx_get(cpu, insn->rm)}};
    mmx_enter(&cpu->fpu);
    sse_set(cpu, insn->reg, &value);
}

void sse_movdq2q(struct cpu *cpu, const struct insn *insn)
{
    sse_begin(cpu);
    mmx_begin(cpu);
    mmx_enter(&cpu->fpu);
    mmx_set(cpu, insn->reg, load_le64(cpu->fpu.xmm[insn->rm]));
}

void simd_store_masked(struct cpu *cpu, const struct insn *insn, const union simd *value,
                       const union simd *mask, unsigned size)
{
    uint32_t selected = (uint32_t)_mm_movemask_epi8(mask->vector) & ((1u << size) - 1);
    if (selected == 0)
        return;
    unsigned first = (unsigned)__builtin_ctz(selected);
    unsigned last = 31u - (unsigned)__builtin_clz(selected);
    uint32_t offset = cpu->regs[REG_EDI];
    if (insn->address_size == 2)
        offset &= 0xffff;
    uint32_t linear = mem_linear_write(cpu, insn->segment, offset + first, last - first + 1);
    mem_probe_write(cpu, linear, 1, cpu->is_user);
    mem_probe_write(cpu, linear + (last - first), 1, cpu->is_user);
    for (unsigned i = first; i <= last; i++) {
        if (selected >> i & 1)
            mem_write_linear(cpu, linear + (i - first), value->u8[i], 1, cpu->is_user);
    }
}

void sse_maskmovdqu(struct cpu *cpu, const struct insn *insn)
{
    union simd value, mask;
    sse_begin(cpu);
    sse_get(cpu, insn->reg, &value);
    sse_get(cpu, insn->rm, &mask);
    simd_store_masked(cpu, insn, &value, &mask, 16);
}

void sse_pmovmskb(struct cpu *cpu, const struct insn *insn)
{
    union simd value;
    sse_begin(cpu);
    sse_get(cpu, insn->rm, &value);
    cpu->regs[insn->reg] = (uint32_t)_mm_movemask_epi8(value.vector);
}

void sse_movmskps(struct cpu *cpu, const struct insn *insn)
{
    union simd value;
    sse_begin(cpu);
    sse_get(cpu, insn->rm, &value);
    cpu->regs[insn->reg] = value.u32[0] >> 31 | value.u32[1] >> 31 << 1 | value.u32[2] >> 31 << 2 |
                           value.u32[3] >> 31 << 3;
}

void sse_movmskpd(struct cpu *cpu, const struct insn *insn)
{
    union simd value;
    sse_begin(cpu);
    sse_get(cpu, insn->rm, &value);
    cpu->regs[insn->reg] = value.u32[1] >> 31 | value.u32[3] >> 31 << 1;
}

void sse_pshufd(struct cpu *cpu, const struct insn *insn)
{
    union simd source, dest;
    sse_begin(cpu);
    sse_read_operand(cpu, insn, 16, true, &source);
    for (unsigned i = 0; i < 4; i++)
        dest.u32[i] = source.u32[insn->imm >> (2 * i) & 3];
    sse_set(cpu, insn->reg, &dest);
}

static void shuffle_words(struct cpu *cpu, const struct insn *insn, unsigned base)
{
    union simd source, dest;
    sse_begin(cpu);
    sse_read_operand(cpu, insn, 16, true, &source);
    dest = source;
    for (unsigned i = 0; i < 4; i++)
        dest.u16[base + i] = source.u16[base + (insn->imm >> (2 * i) & 3)];
    sse_set(cpu, insn->reg, &dest);
}

void sse_pshuflw(struct cpu *cpu, const struct insn *insn)
{
    shuffle_words(cpu, insn, 0);
}

void sse_pshufhw(struct cpu *cpu, const struct insn *insn)
{
    shuffle_words(cpu, insn, 4);
}

void sse_shufps(struct cpu *cpu, const struct insn *insn)
{
    union simd source, old, dest;
    sse_begin(cpu);
    sse_read_operand(cpu, insn, 16, true, &source);
    sse_get(cpu, insn->reg, &old);
    for (unsigned i = 0; i < 4; i++)
        dest.u32[i] = (i < 2 ? &old : &source)->u32[insn->imm >> (2 * i) & 3];
    sse_set(cpu, insn->reg, &dest);
}

void sse_shufpd(struct cpu *cpu, const struct insn *insn)
{
    union simd source, old, dest;
    sse_begin(cpu);
    sse_read_operand(cpu, insn, 16, true, &source);
    sse_get(cpu, insn->reg, &old);
    dest.u64[0] = old.u64[insn->imm & 1];
    dest.u64[1] = source.u64[insn->imm >> 1 & 1];
    sse_set(cpu, insn->reg, &dest);
}

void sse_pinsrw(struct cpu *cpu, const struct insn *insn)
{
    sse_begin(cpu);
    uint32_t value = insn->is_memory
                         ? (uint32_t)mem_read(cpu, insn->segment, insn_address(cpu, insn), 2)
                         : cpu->regs[insn->rm];
    store_le16(cpu->fpu.xmm[insn->reg] + 2 * (insn->imm & 7), (uint16_t)value);
}

void sse_pextrw(struct cpu *cpu, const struct insn *insn)
{
    sse_begin(cpu);
    cpu->regs[insn->reg] = load_le16(cpu->fpu.xmm[insn->rm] + 2 * (insn->imm & 7));
}

// Shifts of whole registers by bytes; 16 and more give zero.
static void shift_bytes(struct cpu *cpu, const struct insn *insn, bool left)
{
    sse_begin(cpu);
    uint8_t *value = cpu->fpu.xmm[insn->rm];
    unsigned count = insn->imm & 0xff;
    uint8_t wide[48] = {0};
    if (count > 16)
        count = 16;
    memcpy(wide + 16, value, 16);
    memcpy(value, left ? wide + 16 - count : wide + 16 + count, 16);
}

void sse_pslldq(struct cpu *cpu, const struct insn *insn)
{
    shift_bytes(cpu, insn, true);
}

void sse_psrldq(struct cpu *cpu, const struct insn *insn)
{
    shift_bytes(cpu, insn, false);
}

void sse_movnti(struct cpu *cpu, const struct insn *insn)
{
    mem_write(cpu, insn->segment, insn_address(cpu, insn), cpu->regs[insn->reg], 4);
}
