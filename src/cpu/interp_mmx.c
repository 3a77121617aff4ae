// SPDX-License-Identifier: MIT
// MMX instructions (SDM vol. 1, chapter 9), computed in the low half of an XMM register. Registers
// are the mantissas of the physical x87 registers; each instruction but EMMS makes all x87
// registers valid and TOP zero, a written register gets an exponent of ones.
#include "cpu/interp_sse.h"

static void finish(struct cpu *cpu, unsigned reg, uint64_t value)
{
    mmx_enter(&cpu->fpu);
    mmx_set(cpu, reg, value);
}

static void run(struct cpu *cpu, const struct insn *insn, simd_operation *operation, unsigned size)
{
    mmx_begin(cpu);
    union simd source = {.u64 = {mmx_read_operand(cpu, insn, size)}};
    union simd dest = {.u64 = {mmx_get(cpu, insn->reg)}};
    operation(&dest, &source);
    finish(cpu, insn->reg, dest.u64[0]);
}

// The low interleave of 16 bytes holds both results of the 8-byte forms.
static void run_high(struct cpu *cpu, const struct insn *insn, simd_operation *low)
{
    mmx_begin(cpu);
    union simd source = {.u64 = {mmx_read_operand(cpu, insn, 8)}};
    union simd dest = {.u64 = {mmx_get(cpu, insn->reg)}};
    low(&dest, &source);
    finish(cpu, insn->reg, dest.u64[1]);
}

static void run_pack(struct cpu *cpu, const struct insn *insn, simd_operation *operation)
{
    mmx_begin(cpu);
    uint64_t high = mmx_read_operand(cpu, insn, 8);
    union simd dest = {.u64 = {mmx_get(cpu, insn->reg), high}};
    union simd source = dest;
    operation(&dest, &source);
    finish(cpu, insn->reg, dest.u64[0]);
}

static void run_shift(struct cpu *cpu, const struct insn *insn, simd_operation *operation)
{
    mmx_begin(cpu);
    union simd count = {.u64 = {insn->imm & 0xff}};
    union simd dest = {.u64 = {mmx_get(cpu, insn->rm)}};
    operation(&dest, &count);
    finish(cpu, insn->rm, dest.u64[0]);
}

// clang-format off
#define SIMD_BOTH(name) \
    void mmx_##name(struct cpu *cpu, const struct insn *insn) { run(cpu, insn, simd_##name, 8); }
#define SIMD_LOW(name) \
    void mmx_##name(struct cpu *cpu, const struct insn *insn) { run(cpu, insn, simd_##name, 4); }
#define SIMD_HIGH(name, low) \
    void mmx_##name(struct cpu *cpu, const struct insn *insn) { run_high(cpu, insn, simd_##low); }
#define SIMD_PACK(name) \
    void mmx_##name(struct cpu *cpu, const struct insn *insn) { run_pack(cpu, insn, simd_##name); }
#define SIMD_SHIFT(name) \
    void mmx_##name##_imm(struct cpu *cpu, const struct insn *insn) \
    { run_shift(cpu, insn, simd_##name); }
#define SIMD_INTEGER(name)
#define SIMD_FLOAT(name, size)
#define SIMD_COMPARE(name)
#include "cpu/opcodes_simd_ops.def"
// clang-format on

void mmx_movd_load(struct cpu *cpu, const struct insn *insn)
{
    mmx_begin(cpu);
    uint32_t value = insn->is_memory
                         ? (uint32_t)mem_read(cpu, insn->segment, insn_address(cpu, insn), 4)
                         : cpu->regs[insn->rm];
    finish(cpu, insn->reg, value);
}

void mmx_movd_store(struct cpu *cpu, const struct insn *insn)
{
    mmx_begin(cpu);
    uint32_t value = (uint32_t)mmx_get(cpu, insn->reg);
    if (insn->is_memory)
        mem_write(cpu, insn->segment, insn_address(cpu, insn), value, 4);
    else
        cpu->regs[insn->rm] = value;
    mmx_enter(&cpu->fpu);
}

void mmx_movq_load(struct cpu *cpu, const struct insn *insn)
{
    mmx_begin(cpu);
    finish(cpu, insn->reg, mmx_read_operand(cpu, insn, 8));
}

// MOVQ and MOVNTQ.
void mmx_movq_store(struct cpu *cpu, const struct insn *insn)
{
    mmx_begin(cpu);
    uint64_t value = mmx_get(cpu, insn->reg);
    if (insn->is_memory) {
        mem_write(cpu, insn->segment, insn_address(cpu, insn), value, 8);
        mmx_enter(&cpu->fpu);
    } else {
        finish(cpu, insn->rm, value);
    }
}

void mmx_emms(struct cpu *cpu, const struct insn *insn)
{
    mmx_begin(cpu);
    mmx_enter(&cpu->fpu);
    cpu->fpu.tags = 0;
}

void mmx_pshufw(struct cpu *cpu, const struct insn *insn)
{
    mmx_begin(cpu);
    union simd source = {.u64 = {mmx_read_operand(cpu, insn, 8)}};
    union simd dest = {.u64 = {0}};
    for (unsigned i = 0; i < 4; i++)
        dest.u16[i] = source.u16[insn->imm >> (2 * i) & 3];
    finish(cpu, insn->reg, dest.u64[0]);
}

void mmx_pinsrw(struct cpu *cpu, const struct insn *insn)
{
    mmx_begin(cpu);
    uint32_t value = insn->is_memory
                         ? (uint32_t)mem_read(cpu, insn->segment, insn_address(cpu, insn), 2)
                         : cpu->regs[insn->rm];
    union simd dest = {.u64 = {mmx_get(cpu, insn->reg)}};
    dest.u16[insn->imm & 3] = (uint16_t)value;
    finish(cpu, insn->reg, dest.u64[0]);
}

void mmx_pextrw(struct cpu *cpu, const struct insn *insn)
{
    mmx_begin(cpu);
    cpu->regs[insn->reg] = mmx_get(cpu, insn->rm) >> (16 * (insn->imm & 3)) & 0xffff;
    mmx_enter(&cpu->fpu);
}

void mmx_pmovmskb(struct cpu *cpu, const struct insn *insn)
{
    mmx_begin(cpu);
    union simd source = {.u64 = {mmx_get(cpu, insn->rm)}};
    cpu->regs[insn->reg] = (uint32_t)_mm_movemask_epi8(source.vector);
    mmx_enter(&cpu->fpu);
}

void mmx_maskmovq(struct cpu *cpu, const struct insn *insn)
{
    mmx_begin(cpu);
    union simd value = {.u64 = {mmx_get(cpu, insn->reg)}};
    union simd mask = {.u64 = {mmx_get(cpu, insn->rm)}};
    simd_store_masked(cpu, insn, &value, &mask, 8);
    mmx_enter(&cpu->fpu);
}
