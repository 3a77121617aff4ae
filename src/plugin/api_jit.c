// SPDX-License-Identifier: MIT
// <emu/plugin.h>: helpers, attached operations, record buffers, and what a helper may ask for.
#include <string.h>

#include "jit/builder.h"
#include "plugin/api_internal.h"

static struct helper_registry *registry_of(struct plugin_host *host)
{
    return executor_helpers(host->env.executor);
}

EMU_API bool jit_register_helper(JitContext *ctx, void (*func)(void), const char *name,
                                 unsigned flags, const char *signature)
{
    struct plugin_host *host = host_current();
    struct plugin *owner = host_plugin_at(host, (const void *)(uintptr_t)func);
    if (!owner)
        owner = API_CALLER(host);
    struct error err;
    return helper_register(registry_of(host), func, name, flags, signature, owner, &err) ||
           api_refuse(host, owner, &err);
}

static bool attach(struct plugin_host *host, JitContext *ctx, enum jit_place place,
                   const JitPredicate *predicates, const struct hook *hook, struct error *err)
{
    if (!ctx || !ctx->builder)
        return error_set(err, "an operation can be attached only in PLUGIN_QEMU_BEFORE_GEN_TB and "
                              "PLUGIN_QEMU_INSTR_TRANSLATE, while a block is made");
    return builder_attach(ctx->builder, place, predicates, hook, err);
}

static bool take_arguments(struct hook *hook, int nargs, const JitArg *args, struct error *err)
{
    if (nargs < 0 || (unsigned)nargs > HOOK_MAX_FIELDS || (nargs > 0 && !args))
        return error_set(err, "an operation takes 0 to %u arguments", HOOK_MAX_FIELDS);
    hook->nargs = (uint8_t)nargs;
    for (int i = 0; i < nargs; i++)
        hook->args[i] = args[i];
    return true;
}

static bool call_hook(struct plugin_host *host, struct hook *hook, void (*func)(void), JitArg ret,
                      int nargs, const JitArg *args, struct error *err)
{
    hook->kind = HOOK_CALL;
    hook->ret = ret;
    hook->helper = helper_find(registry_of(host), func);
    if (!hook->helper)
        return error_set(err, "the function is not a registered helper; call jit_register_helper "
                              "first");
    return helper_check_arguments(hook->helper, &ret, nargs, args, err) &&
           take_arguments(hook, nargs, args, err);
}

EMU_API bool jit_attach_call(JitContext *ctx, enum jit_place place, const JitPredicate *predicates,
                             void (*func)(void), JitArg ret, int nargs, const JitArg *args)
{
    struct plugin_host *host = host_current();
    struct hook hook = {0};
    struct error err;
    return (call_hook(host, &hook, func, ret, nargs, args, &err) &&
            attach(host, ctx, place, predicates, &hook, &err)) ||
           api_refuse(host, API_CALLER(host), &err);
}

EMU_API bool jit_gen_callN(JitContext *ctx, void (*func)(void), JitArg ret, int nargs,
                           const JitArg *args)
{
    struct plugin_host *host = host_current();
    struct hook hook = {0};
    struct error err;
    return (call_hook(host, &hook, func, ret, nargs, args, &err) &&
            attach(host, ctx, JIT_BEFORE, NULL, &hook, &err)) ||
           api_refuse(host, API_CALLER(host), &err);
}

EMU_API bool jit_attach_count(JitContext *ctx, enum jit_place place, const JitPredicate *predicates,
                              uint64_t *counter, uint64_t step)
{
    struct plugin_host *host = host_current();
    struct hook hook = {.kind = HOOK_COUNT, .target = counter, .step = step};
    struct error err;
    if (!counter)
        error_set(&err, "jit_attach_count needs a counter");
    else if (attach(host, ctx, place, predicates, &hook, &err))
        return true;
    return api_refuse(host, API_CALLER(host), &err);
}

EMU_API bool jit_attach_store(JitContext *ctx, enum jit_place place, const JitPredicate *predicates,
                              uint64_t *target, JitArg value)
{
    struct plugin_host *host = host_current();
    struct hook hook = {.kind = HOOK_STORE, .target = target, .nargs = 1, .args = {value}};
    struct error err;
    if (!target)
        error_set(&err, "jit_attach_store needs a target");
    else if (helper_check_field(&value, 0, &err) &&
             attach(host, ctx, place, predicates, &hook, &err))
        return true;
    return api_refuse(host, API_CALLER(host), &err);
}

EMU_API bool jit_attach_record(JitContext *ctx, enum jit_place place,
                               const JitPredicate *predicates, JitBuffer *buffer, int nfields,
                               const JitArg *fields)
{
    struct plugin_host *host = host_current();
    struct hook hook = {.kind = HOOK_RECORD, .buffer = buffer};
    struct error err;
    bool ok = take_arguments(&hook, nfields, fields, &err);
    for (int i = 0; ok && i < nfields; i++)
        ok = helper_check_field(&fields[i], i, &err);
    if (ok && !(buffer && helper_buffer_exists(registry_of(host), buffer)))
        ok = error_set(&err, "jit_attach_record needs a buffer made by jit_buffer_create");
    if (ok && (unsigned)nfields != buffer->fields)
        ok = error_set(&err, "a record of this buffer has %u fields, %d were given", buffer->fields,
                       nfields);
    return (ok && attach(host, ctx, place, predicates, &hook, &err)) ||
           api_refuse(host, API_CALLER(host), &err);
}

#define BUFFER_MAX_RECORDS (1u << 24)

EMU_API JitBuffer *
jit_buffer_create(unsigned fields, size_t capacity,
                  void (*flush)(void *opaque, const uint64_t *records, size_t count), void *opaque)
{
    struct plugin_host *host = host_current();
    struct plugin *caller = API_CALLER(host);
    struct error err;
    if (fields == 0 || fields > JIT_MAX_FIELDS || capacity == 0 || capacity > BUFFER_MAX_RECORDS) {
        error_set(&err, "a buffer has 1 to %u fields and 1 to %u records", JIT_MAX_FIELDS,
                  BUFFER_MAX_RECORDS);
        api_refuse(host, caller, &err);
        return NULL;
    }
    return helper_buffer_create(registry_of(host), caller, fields, capacity, flush, opaque);
}

EMU_API void jit_buffer_flush(JitBuffer *buffer)
{
    if (buffer && helper_buffer_exists(registry_of(host_current()), buffer))
        hook_buffer_flush(buffer);
}

EMU_API void jit_buffer_destroy(JitBuffer *buffer)
{
    struct plugin_host *host = host_current();
    if (buffer && helper_buffer_drop(registry_of(host), buffer, API_CALLER(host)))
        executor_flush(host->env.executor);
}

EMU_API bool cpu_skip_instruction(CPUArchState *cpu)
{
    if (cpu->hook.phase != CPU_HOOK_BEFORE)
        return false;
    cpu->hook.requests |= CPU_HOOK_SKIP;
    return true;
}

EMU_API bool cpu_raise_exception(CPUArchState *cpu, uint32_t vector, uint32_t error_code)
{
    struct plugin_host *host = host_current();
    const struct helper *helper = cpu->hook.helper;
    struct error err;
    if (cpu->hook.phase == CPU_HOOK_IDLE || !helper)
        error_set(&err, "cpu_raise_exception is for helpers");
    else if (!(helper->flags & JIT_HELPER_MAY_RAISE))
        error_set(&err, "helper '%s' raises without JIT_HELPER_MAY_RAISE", helper->name);
    else if (vector > EXC_XM || vector == EXC_NMI)
        error_set(&err, "vector %u is no exception", vector);
    else {
        cpu->hook.requests |= CPU_HOOK_RAISE;
        cpu->hook.vector = (uint8_t)vector;
        cpu->hook.error_code = error_code;
        return true;
    }
    return api_refuse(host, API_CALLER(host), &err);
}
