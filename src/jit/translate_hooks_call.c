// SPDX-License-Identifier: MIT
// Helpers that touch nothing of the guest, called by translated code itself: arguments in
// registers, System V calling convention. What a crash needs is in struct cpu: the guest's
// registers, and which helper runs where.
#include "jit/translate_hooks.h"

static const uint8_t argument_registers[] = {X64_RDI, X64_RSI, X64_RDX, X64_RCX, X64_R8, X64_R9};

// A helper may flush record buffers, where reserved records are not yet written.
bool hook_is_direct(const struct translator *t, const struct hook *hook)
{
    const struct helper *helper = hook->helper;
    return hook->kind == HOOK_CALL && helper->flags == JIT_HELPER_PURE && !helper->dead &&
           hook->nargs <= ARRAY_SIZE(argument_registers) && !t->plan.buffer && !t->single &&
           helper->registry->crashed;
}

static void emit_argument(struct translator *t, const JitArg *arg, unsigned reg)
{
    struct x64 *a = &t->hot;
    switch (arg->kind) {
    case JIT_ARG_CPU:
        x64_rr(a, 0x89 | X64_W, HOST_CPU, reg);
        break;
    case JIT_ARG_REG:
        x64_rm(a, 0x8b, reg, cpu_field(offsetof(struct cpu, regs) + 4 * (arg->value & 7)));
        break;
    case JIT_ARG_EA:
        x64_rr(a, 0x89, SCRATCH_A, reg);
        break;
    case JIT_ARG_CONTEXT:
        hook_emit_context(t, reg);
        break;
    case JIT_ARG_CPL:
        x64_rm(a, 0xb6 | X64_0F, reg, cpu_field(offsetof(struct cpu, cpl)));
        break;
    case JIT_ARG_ICOUNT:
        x64_rm(a, 0x8b | X64_W, reg, cpu_field(offsetof(struct cpu, jit.target)));
        x64_rr(a, 0x29 | X64_W, HOST_COUNTER, reg);
        x64_alu_imm(a, 5, X64_W, reg, (int32_t)(t->block->count - t->index));
        break;
    default: // constants
        x64_mov_imm64(a, reg, arg->value);
        break;
    }
}

static void emit_reload(struct x64 *a, unsigned guest)
{
    x64_rm(a, 0x8b, host_reg(guest), cpu_field(offsetof(struct cpu, regs) + 4 * guest));
}

// The flags have been released.
void hook_emit_direct(struct translator *t, const struct hook_site *site, const struct hook *hook,
                      bool after)
{
    static const uint8_t lost[] = {REG_EAX, REG_ECX, REG_EDX, REG_ESI, REG_EDI};
    struct x64 *a = &t->hot;
    const struct x64_memory running = cpu_field(offsetof(struct cpu, jit.helper));
    for (unsigned i = 0; i < hook->nargs; i++)
        if (hook->args[i].kind == JIT_ARG_EA)
            hook_emit_operand_address(t, site->insn, SCRATCH_A);
    x64_mov_imm32(a, X64_R8, t->index | (after ? STEP_AFTER : 0));
    x64_rip(a, 0x8d | X64_W, X64_R9, t->header, 0);
    x64_call(a, t->stubs->helper);
    x64_mov_imm64(a, X64_RAX, (uintptr_t)hook->helper);
    x64_rm(a, 0x80, 7, x64_at(X64_RAX, offsetof(struct helper, dead)));
    x64_imm(a, 0, 1);
    uint8_t *dead = x64_jcc(a, X64_NE, NULL);
    x64_rm(a, 0x89 | X64_W, X64_RAX, running);
    for (unsigned i = 0; i < hook->nargs; i++)
        emit_argument(t, &hook->args[i], argument_registers[i]);
    x64_alu_imm(a, 5, X64_W, X64_RSP, 8);
    x64_mov_imm64(a, X64_RAX, (uintptr_t)hook->helper->func);
    x64_rr(a, 0xff, 2, X64_RAX);
    x64_alu_imm(a, 0, X64_W, X64_RSP, 8);
    x64_rm(a, 0xc7 | X64_W, 0, running);
    x64_imm(a, 0, 4);
    if (hook->ret.kind == JIT_ARG_REG)
        x64_rm(a, 0x89, X64_RAX, cpu_field(offsetof(struct cpu, regs) + 4 * (hook->ret.value & 7)));
    x64_patch(dead, a->at);
    for (unsigned i = 0; i < ARRAY_SIZE(lost); i++)
        emit_reload(a, lost[i]);
    if (hook->ret.kind == JIT_ARG_REG)
        emit_reload(a, hook->ret.value & 7);
}
