// SPDX-License-Identifier: MIT
// Calls of attached helpers through libffi.
#include "jit/hook.h"

union ffi_value {
    uint32_t i;
    uint64_t l;
    const void *p;
};

static union ffi_value argument_value(struct cpu *cpu, const JitArg *arg)
{
    union ffi_value v = {.l = 0};
    switch (arg->kind) {
    case JIT_ARG_CONST32:
    case JIT_ARG_PC:
        v.i = (uint32_t)arg->value;
        break;
    case JIT_ARG_CONST64:
        v.l = arg->value;
        break;
    case JIT_ARG_POINTER:
        v.p = (const void *)(uintptr_t)arg->value;
        break;
    case JIT_ARG_CPU:
        v.p = cpu;
        break;
    case JIT_ARG_REG:
        v.i = cpu->regs[arg->value & 7];
        break;
    case JIT_ARG_NONE:
        break;
    }
    return v;
}

static void hook_call(struct cpu *cpu, const struct hook *hook)
{
    union ffi_value values[HELPER_MAX_ARGS];
    void *pointers[HELPER_MAX_ARGS];
    for (unsigned i = 0; i < hook->nargs; i++) {
        values[i] = argument_value(cpu, &hook->args[i]);
        pointers[i] = &values[i];
    }
    ffi_arg result = 0;
    ffi_call(&hook->helper->cif, hook->helper->func, &result, pointers);
    if (hook->ret.kind == JIT_ARG_REG)
        cpu->regs[hook->ret.value & 7] = (uint32_t)result;
}

void hook_run_list(struct cpu *cpu, const struct hook *hook)
{
    for (; hook; hook = hook->next)
        if (hook->kind == HOOK_CALL)
            hook_call(cpu, hook);
}
