// SPDX-License-Identifier: MIT
// SIMD operations on the host's XMM registers, and what the MMX and SSE handlers share.
#ifndef EMU_CPU_INTERP_SSE_H
#define EMU_CPU_INTERP_SSE_H

#include <emmintrin.h>

#include "cpu/fpu.h"
#include "cpu/handlers.h"
#include "cpu/mem.h"

union simd {
    uint8_t u8[16];
    uint16_t u16[8];
    uint32_t u32[4];
    uint64_t u64[2];
    __m128i vector;
};

// *dest = *dest op *source, or op *source.
typedef void simd_operation(union simd *dest, const union simd *source);

// clang-format off
#define SIMD_BOTH(name)        simd_operation simd_##name;
#define SIMD_LOW(name)         simd_operation simd_##name;
#define SIMD_HIGH(name, low)   simd_operation simd_##name;
#define SIMD_PACK(name)        simd_operation simd_##name;
#define SIMD_SHIFT(name)
#define SIMD_INTEGER(name)     simd_operation simd_##name;
#define SIMD_FLOAT(name, size) simd_operation simd_##name;
#define SIMD_COMPARE(name)     simd_operation simd_##name;
#include "cpu/opcodes_simd_ops.def"
// clang-format on

// Scalar comparisons leave EFLAGS in dest->u32[0]; conversions take and give a general register in
// u32[0].
simd_operation simd_comiss, simd_comisd, simd_ucomiss, simd_ucomisd;
simd_operation simd_cvtsi2ss, simd_cvtsi2sd, simd_cvtpi2ps;
simd_operation simd_cvtss2si, simd_cvttss2si, simd_cvtsd2si, simd_cvttsd2si;

// Runs an operation under the guest's MXCSR. An unmasked exception raises #XM, or #UD without
// CR4.OSXMMEXCPT, and *dest is not to be used then.
void sse_run_float(struct cpu *cpu, simd_operation *operation, union simd *dest,
                   const union simd *source);

ALWAYS_INLINE void sse_get(const struct cpu *cpu, unsigned reg, union simd *value)
{
    memcpy(value, cpu->fpu.xmm[reg & 7], 16);
}

ALWAYS_INLINE void sse_set(struct cpu *cpu, unsigned reg, const union simd *value)
{
    memcpy(cpu->fpu.xmm[reg & 7], value, 16);
}

// XMM register or memory operand of `size` bytes (4, 8, 16), the rest zero. A memory operand of 16
// bytes must be aligned when `aligned`.
void sse_read_operand(struct cpu *cpu, const struct insn *insn, unsigned size, bool aligned,
                      union simd *value);
void sse_read16(struct cpu *cpu, const struct insn *insn, bool aligned, union simd *value);
void sse_write16(struct cpu *cpu, const struct insn *insn, bool aligned, const union simd *value);

// Stores the bytes of `value` whose byte in `mask` has bit 7 set at DS:[EDI] (MASKMOVQ,
// MASKMOVDQU). Changes nothing when it faults.
void simd_store_masked(struct cpu *cpu, const struct insn *insn, const union simd *value,
                       const union simd *mask, unsigned size);

// Registers hold state->st[] by physical number after mmx_enter.
ALWAYS_INLINE uint64_t mmx_get(const struct cpu *cpu, unsigned reg)
{
    // Before mmx_enter physical register n is at position n - TOP.
    return load_le64(cpu->fpu.st[(reg - fpu_top(&cpu->fpu)) & 7].bytes);
}

ALWAYS_INLINE void mmx_set(struct cpu *cpu, unsigned reg, uint64_t value)
{
    uint8_t *bytes = cpu->fpu.st[reg & 7].bytes;
    store_le64(bytes, value);
    store_le16(bytes + 8, 0xffff);
}

ALWAYS_INLINE uint64_t mmx_read_operand(struct cpu *cpu, const struct insn *insn, unsigned size)
{
    if (insn->is_memory)
        return mem_read(cpu, insn->segment, insn_address(cpu, insn), size);
    return mmx_get(cpu, insn->rm);
}

#endif
