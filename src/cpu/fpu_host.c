// SPDX-License-Identifier: MIT
// Primitives that run one x87 instruction on the host's FPU: a routine for each opcode, and frames
// that load its operands and store its result. Intel SDM vol. 1, chapter 8; x86-64 hosts only.
#include "cpu/fpu.h"

// Routines are four bytes: escape opcode, ModRM, RET, INT3. First the 8 x 64 register forms, then
// the 8 x 8 memory forms with RSI as the operand's address.
#define ROUTINE_BYTES 4u
extern const uint8_t fpu_routines_register[8 * 64 * ROUTINE_BYTES];
extern const uint8_t fpu_routines_memory[8 * 8 * ROUTINE_BYTES];
__asm__(".pushsection .text\n"
        ".hidden fpu_routines_register, fpu_routines_memory\n"
        ".globl fpu_routines_register, fpu_routines_memory\n"
        ".balign 64\n"
        "fpu_routines_register:\n"
        ".set fpu_escape, 0xd8\n"
        ".rept 8\n"
        ".set fpu_modrm, 0xc0\n"
        ".rept 64\n"
        ".byte fpu_escape, fpu_modrm, 0xc3, 0xcc\n"
        ".set fpu_modrm, fpu_modrm + 1\n"
        ".endr\n"
        ".set fpu_escape, fpu_escape + 1\n"
        ".endr\n"
        "fpu_routines_memory:\n"
        ".set fpu_escape, 0xd8\n"
        ".rept 8\n"
        ".set fpu_modrm, 0x06\n"
        ".rept 8\n"
        ".byte fpu_escape, fpu_modrm, 0xc3, 0xcc\n"
        ".set fpu_modrm, fpu_modrm + 8\n"
        ".endr\n"
        ".set fpu_escape, fpu_escape + 1\n"
        ".endr\n"
        ".popsection\n");

fpu_routine *fpu_routine_register(unsigned escape, unsigned modrm)
{
    unsigned index = (escape & 7) * 64 + (modrm & 63);
    return (fpu_routine *)(uintptr_t)(fpu_routines_register + index * ROUTINE_BYTES);
}

fpu_routine *fpu_routine_memory(unsigned escape, unsigned reg)
{
    unsigned index = (escape & 7) * 8 + (reg & 7);
    return (fpu_routine *)(uintptr_t)(fpu_routines_memory + index * ROUTINE_BYTES);
}

// System V calling convention: RDI, RSI, RDX, RCX. FLD and FSTP of an 80-bit image raise nothing.
__asm__(".pushsection .text\n"
        ".hidden fpu_host_binary, fpu_host_binary_memory, fpu_host_unary, fpu_host_compare\n"
        ".hidden fpu_host_compare_memory, fpu_host_load, fpu_host_store, fpu_host_store_pop\n"
        ".globl fpu_host_binary, fpu_host_binary_memory, fpu_host_unary, fpu_host_compare\n"
        ".globl fpu_host_compare_memory, fpu_host_load, fpu_host_store, fpu_host_store_pop\n"
        ".balign 16\n"
        "fpu_host_binary:\n"
        "   fldt (%rsi)\n"
        "   fldt (%rdi)\n"
        "   call *%rcx\n"
        "   fnstsw %ax\n"
        "   fstpt (%rdx)\n"
        "   fstp %st(0)\n"
        "   ret\n"
        ".balign 16\n"
        "fpu_host_binary_memory:\n"
        "   fldt (%rdi)\n"
        "   call *%rcx\n"
        "   fnstsw %ax\n"
        "   fstpt (%rdx)\n"
        "   ret\n"
        ".balign 16\n"
        "fpu_host_unary:\n"
        "   fldt (%rdi)\n"
        "   call *%rdx\n"
        "   fnstsw %ax\n"
        "   fstpt (%rsi)\n"
        "   ret\n"
        ".balign 16\n"
        "fpu_host_compare:\n"
        "   fldt (%rsi)\n"
        "   fldt (%rdi)\n"
        "   call *%rdx\n"
        "   fnstsw %ax\n"
        "   fstp %st(0)\n"
        "   fstp %st(0)\n"
        "   ret\n"
        ".balign 16\n"
        "fpu_host_compare_memory:\n"
        "   fldt (%rdi)\n"
        "   call *%rdx\n"
        "   fnstsw %ax\n"
        "   fstp %st(0)\n"
        "   ret\n"
        ".balign 16\n"
        "fpu_host_load:\n"
        "   xchg %rdi, %rsi\n"
        "   call *%rdx\n"
        "   fnstsw %ax\n"
        "   fstpt (%rdi)\n"
        "   ret\n"
        ".balign 16\n"
        "fpu_host_store:\n"
        "   fldt (%rdi)\n"
        "   call *%rdx\n"
        "   fnstsw %ax\n"
        "   fstp %st(0)\n"
        "   ret\n"
        ".balign 16\n"
        "fpu_host_store_pop:\n"
        "   fldt (%rdi)\n"
        "   call *%rdx\n"
        "   fnstsw %ax\n"
        "   ret\n"
        ".popsection\n");

// FXRSTOR, the instruction, FXSAVE (which does not wait, so that an unmasked exception stays
// pending and FNINIT drops it). RDI image in, RSI image out, RDX routine, RCX its memory operand,
// R8 flags.
void fpu_host_exact(const void *in, void *out, fpu_routine *routine, void *memory, uint64_t *flags);
__asm__(".pushsection .text\n"
        ".hidden fpu_host_exact\n"
        ".globl fpu_host_exact\n"
        ".balign 16\n"
        "fpu_host_exact:\n"
        "   push %rbx\n"
        "   push %r12\n"
        "   sub $8, %rsp\n"
        "   stmxcsr (%rsp)\n"
        "   fnstcw 4(%rsp)\n"
        "   mov %rsi, %rbx\n"
        "   mov %r8, %r12\n"
        "   fxrstor (%rdi)\n"
        "   mov %rcx, %rsi\n"
        "   push (%r12)\n"
        "   popfq\n"
        "   call *%rdx\n"
        "   pushfq\n"
        "   pop (%r12)\n"
        "   fxsave (%rbx)\n"
        "   fninit\n"
        "   fldcw 4(%rsp)\n"
        "   ldmxcsr (%rsp)\n"
        "   add $8, %rsp\n"
        "   pop %r12\n"
        "   pop %rbx\n"
        "   ret\n"
        ".popsection\n");

uint16_t fpu_run_exact(const struct fpu_state *state, struct fpu_state *out, fpu_routine *routine,
                       void *memory, uint32_t *flags)
{
    struct fpu_state in = {
        .control = state->control,
        .status = state->status & (FPU_TOP | FPU_CONDITIONS), // nothing pending
        .tags = state->tags,
        .mxcsr = MXCSR_INIT,
    };
    memcpy(in.st, state->st, sizeof in.st);
    uint64_t host_flags = (flags ? *flags & FLAGS_ARITH : 0) | FLAG_FIXED;
    fpu_host_exact(&in, out, routine, memory, &host_flags);
    if (flags)
        *flags = (uint32_t)host_flags & FLAGS_ARITH;
    uint16_t raised = out->status & FPU_EXCEPTIONS;
    out->status |= state->status & (FPU_EXCEPTIONS | FPU_SF);
    fpu_update_summary(out);
    return raised;
}

void fpu_accept(struct fpu_state *state, const struct fpu_state *out)
{
    state->status = out->status;
    state->tags = out->tags;
    for (unsigned i = 0; i < 8; i++)
        memcpy(state->st[i].bytes, out->st[i].bytes, sizeof out->st[i].bytes);
}

void fpu_load_host(const struct fpu_state *state)
{
    __asm__ volatile("fxrstor %0" : : "m"(*state));
}

void fpu_save_host(struct fpu_state *state)
{
    struct fpu_state image;
    __asm__ volatile("fxsave %0" : "=m"(image));
    state->control = image.control;
    state->mxcsr = image.mxcsr;
    fpu_accept(state, &image);
    memcpy(state->xmm, image.xmm, sizeof state->xmm);
}
