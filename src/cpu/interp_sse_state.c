// SPDX-License-Identifier: MIT
// FXSAVE, FXRSTOR, MXCSR, fences, prefetches and CLFLUSH (SDM vol. 1, section 10.5; vol. 2). Memory
// is always in order and caches are not modelled: fences and prefetches do nothing.
#include "cpu/interp_sse.h"

static uint32_t state_area(struct cpu *cpu, const struct insn *insn, bool write)
{
    uint32_t offset = insn_address(cpu, insn);
    uint32_t linear = write ? mem_linear_write(cpu, insn->segment, offset, FXSAVE_AREA)
                            : mem_linear_read(cpu, insn->segment, offset, FXSAVE_AREA);
    if (linear & 15)
        cpu_raise_error(cpu, EXC_GP, 0);
    return linear;
}

// Without CR4.OSFXSR the XMM registers and MXCSR are neither saved nor restored.
void sse_fxsave(struct cpu *cpu, const struct insn *insn)
{
    uint8_t image[FXSAVE_SIZE_SSE];
    fpu_begin_no_wait(cpu);
    uint32_t linear = state_area(cpu, insn, true);
    bool with_sse = cpu->cr4 & CR4_OSFXSR;
    fpu_to_fxsave(&cpu->fpu, image);
    if (!with_sse)
        memset(image + offsetof(struct fpu_state, mxcsr), 0, 8);
    fpu_probe_linear(cpu, linear, FXSAVE_AREA); // what is reserved is not written
    fpu_write_linear(cpu, linear, image, with_sse ? FXSAVE_SIZE_SSE : FXSAVE_SIZE_X87, 8);
}

void sse_fxrstor(struct cpu *cpu, const struct insn *insn)
{
    uint8_t image[FXSAVE_SIZE_SSE] = {0};
    uint64_t last; // the area is all there
    fpu_begin_no_wait(cpu);
    uint32_t linear = state_area(cpu, insn, false);
    bool with_sse = cpu->cr4 & CR4_OSFXSR;
    fpu_read_linear(cpu, linear, image, with_sse ? FXSAVE_SIZE_SSE : FXSAVE_SIZE_X87, 8);
    fpu_read_linear(cpu, linear + FXSAVE_AREA - 8, &last, sizeof last, 8);
    uint32_t mxcsr = load_le32(image + offsetof(struct fpu_state, mxcsr));
    if (with_sse && (mxcsr & ~cpu->fpu.mxcsr_mask))
        cpu_raise_error(cpu, EXC_GP, 0);
    fpu_from_fxsave(&cpu->fpu, image, with_sse);
    fpu_lower_ferr(cpu);
}

void sse_ldmxcsr(struct cpu *cpu, const struct insn *insn)
{
    sse_begin(cpu);
    uint32_t value = (uint32_t)mem_read(cpu, insn->segment, insn_address(cpu, insn), 4);
    if (value & ~cpu->fpu.mxcsr_mask)
        cpu_raise_error(cpu, EXC_GP, 0);
    cpu->fpu.mxcsr = value;
}

void sse_stmxcsr(struct cpu *cpu, const struct insn *insn)
{
    sse_begin(cpu);
    mem_write(cpu, insn->segment, insn_address(cpu, insn), cpu->fpu.mxcsr, 4);
}

void sse_fence(struct cpu *cpu, const struct insn *insn)
{
}

// Never faults.
void sse_prefetch(struct cpu *cpu, const struct insn *insn)
{
}

// Checked as a load of one byte, without touching a device's registers.
void sse_clflush(struct cpu *cpu, const struct insn *insn)
{
    uint32_t linear = mem_linear_read(cpu, insn->segment, insn_address(cpu, insn), 1);
    struct mmu_result result;
    if (!mmu_translate(&cpu->mmu, linear, MMU_READ, cpu->is_user, &result))
        cpu_raise_page_fault(cpu, linear, result.error_code);
}
