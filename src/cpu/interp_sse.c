// SPDX-License-Identifier: MIT
// SSE and SSE2 arithmetic, comparisons and conversions (SDM vol. 1, chapters 10 and 11). The host
// runs each operation under the guest's rounding, FTZ and DAZ with all exceptions masked.
// Left out: after an unmasked #O or #U the sticky PE flag is the one of the masked response.
#include "cpu/flags.h"
#include "cpu/interp_sse.h"

static uint32_t run_under(uint32_t mxcsr, simd_operation *operation, union simd *dest,
                          const union simd *source)
{
    uint32_t host;
    __asm__ volatile("stmxcsr %0" : "=m"(host));
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr) : "memory");
    operation(dest, source);
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr) : : "memory");
    __asm__ volatile("ldmxcsr %0" : : "m"(host));
    return mxcsr & FPU_EXCEPTIONS;
}

// Flushing to zero finds results that are tiny but exact: #U when it is not masked.
static uint32_t find_tiny(uint32_t mxcsr, simd_operation *operation, const union simd *dest,
                          const union simd *source)
{
    union simd scratch = *dest;
    return run_under(mxcsr | MXCSR_FTZ, operation, &scratch, source) & FPU_UE;
}

static NOINLINE void raise_float(struct cpu *cpu, uint32_t flags, uint32_t unmasked)
{
    // A pre-computation exception keeps the others from being found.
    if (unmasked & (FPU_IE | FPU_DE | FPU_ZE))
        flags &= FPU_IE | FPU_DE | FPU_ZE;
    cpu->fpu.mxcsr |= flags;
    cpu_raise(cpu, cpu->cr4 & CR4_OSXMMEXCPT ? EXC_XM : EXC_UD);
}

void sse_run_float(struct cpu *cpu, simd_operation *operation, union simd *dest,
                   const union simd *source)
{
    uint32_t guest = cpu->fpu.mxcsr;
    uint32_t mxcsr = (guest & MXCSR_MASK_DAZ & ~(uint32_t)FPU_EXCEPTIONS) | MXCSR_INIT;
    // Sticky flags that are masked stay: raising a clear one is slow.
    mxcsr |= guest & guest >> MXCSR_MASK_SHIFT & FPU_EXCEPTIONS;
    uint32_t tiny = 0;
    if (UNLIKELY(!(guest & (uint32_t)FPU_UE << MXCSR_MASK_SHIFT))) {
        mxcsr &= ~MXCSR_FTZ; // it needs a masked #U
        tiny = find_tiny(mxcsr, operation, dest, source);
    }
    uint32_t flags = run_under(mxcsr, operation, dest, source) | tiny;
    uint32_t unmasked = flags & ~(guest >> MXCSR_MASK_SHIFT);
    if (UNLIKELY(unmasked))
        raise_float(cpu, flags, unmasked);
    cpu->fpu.mxcsr = guest | flags;
}

static void run_integer(struct cpu *cpu, const struct insn *insn, simd_operation *operation)
{
    union simd source, dest;
    sse_begin(cpu);
    sse_read_operand(cpu, insn, 16, true, &source);
    sse_get(cpu, insn->reg, &dest);
    operation(&dest, &source);
    sse_set(cpu, insn->reg, &dest);
}

static void run_shift(struct cpu *cpu, const struct insn *insn, simd_operation *operation)
{
    union simd count = {.u64 = {insn->imm & 0xff}};
    union simd dest;
    sse_begin(cpu);
    sse_get(cpu, insn->rm, &dest);
    operation(&dest, &count);
    sse_set(cpu, insn->rm, &dest);
}

static void run_float(struct cpu *cpu, const struct insn *insn, simd_operation *operation,
                      unsigned size)
{
    union simd source, dest;
    sse_begin(cpu);
    sse_read_operand(cpu, insn, size, true, &source);
    sse_get(cpu, insn->reg, &dest);
    sse_run_float(cpu, operation, &dest, &source);
    sse_set(cpu, insn->reg, &dest);
}

// clang-format off
#define SIMD_BOTH(name) \
    void sse_##name(struct cpu *cpu, const struct insn *insn) \
    { run_integer(cpu, insn, simd_##name); }
#define SIMD_LOW(name)       SIMD_BOTH(name)
#define SIMD_HIGH(name, low) SIMD_BOTH(name)
#define SIMD_PACK(name)      SIMD_BOTH(name)
#define SIMD_INTEGER(name)   SIMD_BOTH(name)
#define SIMD_SHIFT(name) \
    void sse_##name##_imm(struct cpu *cpu, const struct insn *insn) \
    { run_shift(cpu, insn, simd_##name); }
#define SIMD_FLOAT(name, size) \
    void sse_##name(struct cpu *cpu, const struct insn *insn) \
    { run_float(cpu, insn, simd_##name, size); }
#define SIMD_COMPARE(name)
#include "cpu/opcodes_simd_ops.def"
// clang-format on

// CMPPS, CMPPD, CMPSS, CMPSD: the predicate is the immediate's low three bits.
enum { COMPARE_PS, COMPARE_PD, COMPARE_SS, COMPARE_SD };

static void run_compare(struct cpu *cpu, const struct insn *insn, unsigned kind, unsigned size)
{
    static simd_operation *const operations[4][8] = {
        [COMPARE_PS] = {simd_cmpeqps, simd_cmpltps, simd_cmpleps, simd_cmpunordps, simd_cmpneqps,
                        simd_cmpnltps, simd_cmpnleps, simd_cmpordps},
        [COMPARE_PD] = {simd_cmpeqpd, simd_cmpltpd, simd_cmplepd, simd_cmpunordpd, simd_cmpneqpd,
                        simd_cmpnltpd, simd_cmpnlepd, simd_cmpordpd},
        [COMPARE_SS] = {simd_cmpeqss, simd_cmpltss, simd_cmpless, simd_cmpunordss, simd_cmpneqss,
                        simd_cmpnltss, simd_cmpnless, simd_cmpordss},
        [COMPARE_SD] = {simd_cmpeqsd, simd_cmpltsd, simd_cmplesd, simd_cmpunordsd, simd_cmpneqsd,
                        simd_cmpnltsd, simd_cmpnlesd, simd_cmpordsd},
    };
    run_float(cpu, insn, operations[kind][insn->imm & 7], size);
}

void sse_cmpps(struct cpu *cpu, const struct insn *insn)
{
    run_compare(cpu, insn, COMPARE_PS, 16);
}

void sse_cmppd(struct cpu *cpu, const struct insn *insn)
{
    run_compare(cpu, insn, COMPARE_PD, 16);
}

void sse_cmpss(struct cpu *cpu, const struct insn *insn)
{
    run_compare(cpu, insn, COMPARE_SS, 4);
}

void sse_cmpsd(struct cpu *cpu, const struct insn *insn)
{
    run_compare(cpu, insn, COMPARE_SD, 8);
}

// COMISS and the like set ZF, PF and CF and clear OF, SF and AF.
static void run_flags(struct cpu *cpu, const struct insn *insn, simd_operation *operation,
                      unsigned size)
{
    union simd source, dest;
    sse_begin(cpu);
    sse_read_operand(cpu, insn, size, true, &source);
    sse_get(cpu, insn->reg, &dest);
    sse_run_float(cpu, operation, &dest, &source);
    flags_set(cpu, dest.u32[0]);
}

void sse_comiss(struct cpu *cpu, const struct insn *insn)
{
    run_flags(cpu, insn, simd_comiss, 4);
}

void sse_comisd(struct cpu *cpu, const struct insn *insn)
{
    run_flags(cpu, insn, simd_comisd, 8);
}

void sse_ucomiss(struct cpu *cpu, const struct insn *insn)
{
    run_flags(cpu, insn, simd_ucomiss, 4);
}

void sse_ucomisd(struct cpu *cpu, const struct insn *insn)
{
    run_flags(cpu, insn, simd_ucomisd, 8);
}

static void float_to_register(struct cpu *cpu, const struct insn *insn, simd_operation *operation,
                              unsigned size)
{
    union simd source, dest;
    sse_begin(cpu);
    sse_read_operand(cpu, insn, size, true, &source);
    dest.u64[0] = 0;
    sse_run_float(cpu, operation, &dest, &source);
    cpu->regs[insn->reg] = dest.u32[0];
}

void sse_cvtss2si(struct cpu *cpu, const struct insn *insn)
{
    float_to_register(cpu, insn, simd_cvtss2si, 4);
}

void sse_cvttss2si(struct cpu *cpu, const struct insn *insn)
{
    float_to_register(cpu, insn, simd_cvttss2si, 4);
}

void sse_cvtsd2si(struct cpu *cpu, const struct insn *insn)
{
    float_to_register(cpu, insn, simd_cvtsd2si, 8);
}

void sse_cvttsd2si(struct cpu *cpu, const struct insn *insn)
{
    float_to_register(cpu, insn, simd_cvttsd2si, 8);
}

static void register_to_float(struct cpu *cpu, const struct insn *insn, simd_operation *operation)
{
    union simd source = {.u64 = {0}};
    union simd dest;
    sse_begin(cpu);
    source.u32[0] = insn->is_memory
                        ? (uint32_t)mem_read(cpu, insn->segment, insn_address(cpu, insn), 4)
                        : cpu->regs[insn->rm];
    sse_get(cpu, insn->reg, &dest);
    sse_run_float(cpu, operation, &dest, &source);
    sse_set(cpu, insn->reg, &dest);
}

void sse_cvtsi2ss(struct cpu *cpu, const struct insn *insn)
{
    register_to_float(cpu, insn, simd_cvtsi2ss);
}

void sse_cvtsi2sd(struct cpu *cpu, const struct insn *insn)
{
    register_to_float(cpu, insn, simd_cvtsi2sd);
}

// A pending x87 exception and TOP concern these forms when they use an MMX register.
static void begin_with_mmx(struct cpu *cpu, bool uses_mmx)
{
    sse_begin(cpu);
    if (uses_mmx && UNLIKELY(cpu->fpu.status & FPU_ES))
        fpu_raise_pending(cpu);
}

void sse_cvtpi2ps(struct cpu *cpu, const struct insn *insn)
{
    begin_with_mmx(cpu, true);
    union simd source = {.u64 = {mmx_read_operand(cpu, insn, 8)}};
    union simd dest;
    sse_get(cpu, insn->reg, &dest);
    sse_run_float(cpu, simd_cvtpi2ps, &dest, &source);
    mmx_enter(&cpu->fpu);
    sse_set(cpu, insn->reg, &dest);
}

void sse_cvtpi2pd(struct cpu *cpu, const struct insn *insn)
{
    begin_with_mmx(cpu, !insn->is_memory);
    union simd source = {.u64 = {mmx_read_operand(cpu, insn, 8)}};
    union simd dest = source;
    simd_cvtdq2pd(&dest, &source); // exact
    if (!insn->is_memory)
        mmx_enter(&cpu->fpu);
    sse_set(cpu, insn->reg, &dest);
}

static void float_to_mmx(struct cpu *cpu, const struct insn *insn, simd_operation *operation,
                         unsigned size)
{
    union simd source;
    union simd dest = {.u64 = {0}};
    begin_with_mmx(cpu, true);
    sse_read_operand(cpu, insn, size, true, &source);
    if (size == 8)
        source.u64[1] = 0;
    sse_run_float(cpu, operation, &dest, &source);
    mmx_enter(&cpu->fpu);
    mmx_set(cpu, insn->reg, dest.u64[0]);
}

void sse_cvtps2pi(struct cpu *cpu, const struct insn *insn)
{
    float_to_mmx(cpu, insn, simd_cvtps2dq, 8);
}

void sse_cvttps2pi(struct cpu *cpu, const struct insn *insn)
{
    float_to_mmx(cpu, insn, simd_cvttps2dq, 8);
}

void sse_cvtpd2pi(struct cpu *cpu, const struct insn *insn)
{
    float_to_mmx(cpu, insn, simd_cvtpd2dq, 16);
}

void sse_cvttpd2pi(struct cpu *cpu, const struct insn *insn)
{
    float_to_mmx(cpu, insn, simd_cvttpd2dq, 16);
}
