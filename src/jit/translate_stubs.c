// SPDX-License-Identifier: MIT
// The code between C and translated blocks: the way in, the ways out, and the call of the
// interpreter. System V calling convention.
#include "cpu/fpu.h"
#include "jit/translate.h"

static const uint8_t saved_registers[] = {X64_RBX, X64_RBP, X64_R12, X64_R13, X64_R14, X64_R15};

static struct x64_memory guest_field(unsigned n)
{
    return cpu_field(offsetof(struct cpu, regs) + 4 * n);
}

static void emit_load_registers(struct x64 *a)
{
    for (unsigned n = 0; n < 8; n++)
        x64_rm(a, 0x8b, host_reg(n), guest_field(n));
}

static void emit_spill_registers(struct x64 *a)
{
    for (unsigned n = 0; n < 8; n++)
        x64_rm(a, 0x89, host_reg(n), guest_field(n));
}

static struct x64_memory fpu_field(size_t offset)
{
    return cpu_field(offsetof(struct cpu, fpu) + offset);
}

// The host's FPU becomes C's again; what it holds of the guest goes to cpu->fpu, but for the
// pointers and MXCSR_MASK, which are the guest's own. The guest's registers have been spilled.
static void emit_fpu_save(struct x64 *a)
{
    struct x64_memory flag = cpu_field(offsetof(struct cpu, jit.fpu_on_host));
    x64_rm(a, 0x80, 7, flag);
    x64_imm(a, 0, 1);
    uint8_t *skip = x64_jcc_short(a, X64_E);
    x64_rm(a, 0x8b | X64_W, X64_RAX, fpu_field(offsetof(struct fpu_state, ip)));
    x64_rm(a, 0x8b | X64_W, X64_RCX, fpu_field(offsetof(struct fpu_state, dp)));
    x64_rm(a, 0xb7 | X64_0F, X64_RDX, fpu_field(offsetof(struct fpu_state, opcode)));
    x64_rm(a, 0x8b, X64_RSI, fpu_field(offsetof(struct fpu_state, mxcsr_mask)));
    x64_rm(a, 0xae | X64_0F, 0, fpu_field(0)); // fxsave
    x64_rm(a, 0x89 | X64_W, X64_RAX, fpu_field(offsetof(struct fpu_state, ip)));
    x64_rm(a, 0x89 | X64_W, X64_RCX, fpu_field(offsetof(struct fpu_state, dp)));
    x64_rm(a, 0x89 | X64_66, X64_RDX, fpu_field(offsetof(struct fpu_state, opcode)));
    x64_rm(a, 0x89, X64_RSI, fpu_field(offsetof(struct fpu_state, mxcsr_mask)));
    x64_byte(a, 0xdb); // fninit
    x64_byte(a, 0xe3);
    x64_rm(a, 0xae | X64_0F, 2, cpu_field(offsetof(struct cpu, jit.mxcsr_of_c))); // ldmxcsr
    x64_rm(a, 0xc6, 0, flag);
    x64_imm(a, 0, 1);
    x64_bind_short(a, skip);
}

// Only while the FPU is available, nothing is pending and everything is masked.
static void emit_fpu_load(struct x64 *a)
{
    uint8_t *fail[5];
    x64_rm(a, 0xf7, 0, cpu_field(offsetof(struct cpu, cr0)));
    x64_imm(a, CR0_EM | CR0_TS, 4);
    fail[0] = x64_jcc_short(a, X64_NE);
    x64_rm(a, 0xf7, 0, cpu_field(offsetof(struct cpu, cr4)));
    x64_imm(a, CR4_OSFXSR, 4);
    fail[1] = x64_jcc_short(a, X64_E);
    x64_rm(a, 0xf6, 0, fpu_field(offsetof(struct fpu_state, status)));
    x64_imm(a, FPU_ES, 1);
    fail[2] = x64_jcc_short(a, X64_NE);
    x64_rm(a, 0xb7 | X64_0F, X64_R8, fpu_field(offsetof(struct fpu_state, control)));
    x64_rr(a, 0xf7, 2, X64_R8);
    x64_rr(a, 0xf7, 0, X64_R8);
    x64_imm(a, FPU_EXCEPTIONS, 4);
    fail[3] = x64_jcc_short(a, X64_NE);
    x64_rm(a, 0x8b, X64_R8, fpu_field(offsetof(struct fpu_state, mxcsr)));
    x64_rr(a, 0xf7, 2, X64_R8);
    x64_rr(a, 0xf7, 0, X64_R8);
    x64_imm(a, FPU_EXCEPTIONS << MXCSR_MASK_SHIFT, 4);
    fail[4] = x64_jcc_short(a, X64_NE);
    x64_rm(a, 0xae | X64_0F, 1, fpu_field(0)); // fxrstor
    x64_rm(a, 0xc6, 0, cpu_field(offsetof(struct cpu, jit.fpu_on_host)));
    x64_imm(a, 1, 1);
    x64_byte(a, 0xf8); // clc
    x64_byte(a, 0xc3);
    for (unsigned i = 0; i < ARRAY_SIZE(fail); i++)
        x64_bind_short(a, fail[i]);
    x64_byte(a, 0xf9); // stc
    x64_byte(a, 0xc3);
}

static void emit_enter(struct x64 *a)
{
    for (unsigned i = 0; i < ARRAY_SIZE(saved_registers); i++)
        x64_plus_r(a, 0x50, saved_registers[i]);
    x64_rr(a, 0x89 | X64_W, X64_RDI, HOST_CPU);
    x64_rr(a, 0x89 | X64_W, X64_RDX, HOST_TLB);
    x64_rr(a, 0x89 | X64_W, X64_RCX, HOST_COUNTER);
    x64_rr(a, 0x89 | X64_W, X64_RSI, X64_R8);
    emit_load_registers(a);
    x64_rr(a, 0xff, 4, X64_R8); // jmp r8
}

// RAX and RDX hold the result.
static void emit_epilogue(struct x64 *a)
{
    for (unsigned i = ARRAY_SIZE(saved_registers); i-- > 0;)
        x64_plus_r(a, 0x58, saved_registers[i]);
    x64_byte(a, 0xc3);
}

static void emit_call_c(struct x64 *a, uintptr_t function)
{
    x64_mov_imm64(a, X64_RAX, function);
    x64_rr(a, 0xff, 2, X64_RAX);
}

// RSP is 16-byte aligned here.
// The guest's registers are in struct cpu, the host's FPU is C's, and it is known where that was.
static void emit_before_helper(struct x64 *a)
{
    emit_spill_registers(a);
    x64_rm(a, 0x8b | X64_W, X64_R9, x64_at(X64_R9, 0));
    x64_rm(a, 0x89 | X64_W, X64_R9, cpu_field(offsetof(struct cpu, jit.helper_block)));
    x64_rm(a, 0x89, X64_R8, cpu_field(offsetof(struct cpu, jit.helper_index)));
    x64_rm(a, 0x89 | X64_W, HOST_COUNTER, cpu_field(offsetof(struct cpu, jit.helper_counter)));
    emit_fpu_save(a);
    x64_byte(a, 0xc3);
}

static void emit_step_call(struct x64 *a, uintptr_t function)
{
    emit_spill_registers(a);
    emit_fpu_save(a);
    x64_rr(a, 0x89 | X64_W, HOST_CPU, X64_RDI);
    x64_rm(a, 0x8b | X64_W, X64_RSI, x64_at(X64_R9, 0));
    x64_rr(a, 0x89, X64_R8, X64_RDX);
    x64_rr(a, 0x89 | X64_W, HOST_COUNTER, X64_RCX);
    emit_call_c(a, function);
}

static void emit_step_stub(struct x64 *a, uintptr_t function)
{
    emit_step_call(a, function);
    x64_rr(a, 0x85, X64_RAX, X64_RAX);
    uint8_t *leave = x64_jcc_short(a, X64_NE);
    emit_load_registers(a);
    x64_byte(a, 0xc3);
    x64_bind_short(a, leave);
    x64_alu_imm(a, 0, X64_W, X64_RSP, 8);
    x64_mov_imm32(a, X64_RAX, 0);
    x64_mov_imm32(a, X64_RDX, LEAVE_STEPPED);
    emit_epilogue(a);
}

static void emit_step_leave(struct x64 *a, uintptr_t function)
{
    x64_alu_imm(a, 5, X64_W, X64_RSP, 8);
    emit_step_call(a, function);
    x64_alu_imm(a, 0, X64_W, X64_RSP, 8);
    x64_mov_imm32(a, X64_RAX, 0);
    x64_mov_imm32(a, X64_RDX, LEAVE_STEPPED);
    emit_epilogue(a);
}

static void emit_leave_common(struct x64 *a)
{
    emit_spill_registers(a);
    emit_fpu_save(a);
    x64_rm(a, 0x8b | X64_W, SCRATCH_A, cpu_field(offsetof(struct cpu, jit.target)));
    x64_rr(a, 0x29 | X64_W, HOST_COUNTER, SCRATCH_A);
    x64_rm(a, 0x89 | X64_W, SCRATCH_A, cpu_field(offsetof(struct cpu, instructions)));
}

static void emit_leave_direct(struct x64 *a)
{
    emit_leave_common(a);
    x64_rm(a, 0x8b | X64_W, X64_RAX, x64_at(X64_R9, 0));
    x64_rr(a, 0x89, X64_R8, X64_RDX);
    x64_rr(a, 0xc1, 4, X64_RDX);
    x64_imm(a, 8, 1);
    x64_alu_imm(a, 1, 0, X64_RDX, LEAVE_DIRECT);
    emit_epilogue(a);
}

static void emit_leave_at(struct x64 *a)
{
    x64_rm(a, 0x89, X64_R8, cpu_field(offsetof(struct cpu, eip)));
    emit_leave_common(a);
    x64_mov_imm32(a, X64_RAX, 0);
    x64_mov_imm32(a, X64_RDX, LEAVE_AT_EIP);
    emit_epilogue(a);
}

void jit_stubs_create(struct jit_stubs *stubs, struct code_cache *cache)
{
    struct x64 a = {.at = cache->rw, .end = cache->rw + 4096};
    stubs->enter = cache->rx;
    emit_enter(&a);
    stubs->step = a.at;
    emit_step_stub(&a, (uintptr_t)jit_step);
    stubs->before = a.at;
    emit_step_stub(&a, (uintptr_t)jit_before);
    stubs->after = a.at;
    emit_step_stub(&a, (uintptr_t)jit_after);
    stubs->helper = a.at;
    emit_before_helper(&a);
    stubs->flush = a.at;
    emit_step_stub(&a, (uintptr_t)jit_flush);
    stubs->step_leave = a.at;
    emit_step_leave(&a, (uintptr_t)jit_step);
    stubs->rest = a.at;
    emit_step_leave(&a, (uintptr_t)jit_rest);
    stubs->leave_direct = a.at;
    emit_leave_direct(&a);
    stubs->leave_at = a.at;
    emit_leave_at(&a);
    stubs->fpu_load = a.at;
    emit_fpu_load(&a);
    cache->fixed = 4096;
    cache->hot = cache->fixed;
}
