// SPDX-License-Identifier: MIT
// The functions of <emu/plugin.h>. Whose call it is follows from the address it returns to, so
// ownership is right in every context: pi_start, callbacks, helpers, commands.
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/cpu.h"
#include "jit/builder.h"
#include "plugin/host_internal.h"

#define CALLER(host) host_plugin_at((host), __builtin_return_address(0))

static void report(struct plugin_host *host, const struct plugin *plugin, const struct error *err)
{
    host_print(host, "%s: %s\n", plugin ? plugin->name : "plugin", err->text);
}

EMU_API SignalInfo *plugin_reg_signal(const char *group)
{
    struct plugin_host *host = host_current();
    struct plugin *caller = CALLER(host);
    struct error err;
    struct signal_group *g = broker_register_group(host->env.broker, group, caller, &err);
    if (!g)
        report(host, caller, &err);
    return g;
}

EMU_API bool plugin_describe_signal(SignalInfo *group, const char *id,
                                    const struct payload_type *type)
{
    if (!group || !id)
        return false;
    signal_resolve(group, id, type);
    return true;
}

EMU_API void plugin_gen_signal(SignalInfo *group, const char *id, void *data, CPUArchState *cpu)
{
    if (group && id)
        signal_emit(signal_resolve(group, id, NULL), data, cpu);
}

EMU_API bool plugin_subscribe(void (*func)(void *data, CPUArchState *cpu), const char *group,
                              const char *id)
{
    struct plugin_host *host = host_current();
    struct plugin *caller = CALLER(host);
    struct error err;
    // The broker is below the CPU and knows it as void *; on this ABI the two function types are
    // called alike.
    signal_callback *callback = (signal_callback *)(void (*)(void))func;
    if (!broker_subscribe(host->env.broker, group, id, callback, caller, NULL, &err)) {
        report(host, caller, &err);
        return false;
    }
    struct signal_group *g = broker_find_group(host->env.broker, group);
    plugin_add_need(caller, signal_group_owner(g));
    return true;
}

EMU_API bool plugin_del_subscriber(void (*func)(void *data, CPUArchState *cpu), const char *group,
                                   const char *id)
{
    struct plugin_host *host = host_current();
    return broker_unsubscribe(host->env.broker, group, id, (signal_callback *)(void (*)(void))func,
                              CALLER(host));
}

EMU_API bool plugin_del_signal(SignalInfo *group)
{
    struct plugin_host *host = host_current();
    if (!group || signal_group_owner(group) != CALLER(host))
        return false;
    broker_remove_group(group);
    return true;
}

EMU_API const void *plugin_get_functions_list(const char *name)
{
    struct plugin_host *host = host_current();
    struct plugin *caller = CALLER(host);
    struct plugin *plugin = host_find(host, name);
    if (!plugin) {
        struct error err;
        plugin = host_load(host, name, &err);
        if (!plugin) {
            report(host, caller, &err);
            return NULL;
        }
    }
    plugin_add_need(caller, plugin);
    return plugin->pi.funcs;
}

EMU_API bool jit_register_helper(JitContext *ctx, void (*func)(void), const char *name,
                                 unsigned flags, const char *signature)
{
    struct plugin_host *host = host_current();
    struct plugin *caller = CALLER(host);
    struct error err;
    if (helper_register(executor_helpers(host->env.executor), func, name, flags, signature, caller,
                        &err))
        return true;
    report(host, caller, &err);
    return false;
}

EMU_API bool jit_gen_callN(JitContext *ctx, void (*func)(void), JitArg ret, int nargs,
                           const JitArg *args)
{
    struct plugin_host *host = host_current();
    struct plugin *caller = CALLER(host);
    struct error err;
    struct helper *helper = helper_find(executor_helpers(host->env.executor), func);
    if (!helper)
        error_set(&err, "jit_gen_callN: the function is not a registered helper; call "
                        "jit_register_helper first");
    else if (!ctx || !ctx->builder)
        error_set(&err, "jit_gen_callN: helper '%s' can be attached only while a block is made",
                  helper->name);
    else if (helper_check_arguments(helper, &ret, nargs, args, &err)) {
        builder_attach_call(ctx->builder, helper, ret, (unsigned)nargs, args);
        return true;
    }
    report(host, caller, &err);
    return false;
}

EMU_API uint32_t get_current_context(void)
{
    return mmu_context(&host_current()->env.cpu->mmu);
}

EMU_API uint32_t cpu_get_register(CPUArchState *cpu, enum emu_register reg)
{
    if (reg <= EMU_EDI)
        return cpu->regs[reg];
    switch (reg) {
    case EMU_EIP:
        return cpu->jump ? cpu->insn_eip : cpu->eip;
    case EMU_EFLAGS:
        return cpu_get_eflags(cpu);
    case EMU_ES:
    case EMU_CS:
    case EMU_SS:
    case EMU_DS:
    case EMU_FS:
    case EMU_GS:
        return cpu->segs[reg - EMU_ES].selector;
    case EMU_CR0:
        return cpu->cr0;
    case EMU_CR2:
        return cpu->cr2;
    case EMU_CR3:
        return cpu->cr3;
    case EMU_CR4:
        return cpu->cr4;
    case EMU_CPL:
        return cpu->cpl;
    default:
        return 0;
    }
}

EMU_API void cpu_set_register(CPUArchState *cpu, enum emu_register reg, uint32_t value)
{
    if (reg <= EMU_EDI)
        cpu->regs[reg] = value;
    else if (reg == EMU_EFLAGS)
        cpu_set_eflags(cpu, value);
    else if (reg == EMU_EIP && !cpu->jump)
        cpu->eip = value;
}

EMU_API size_t cpu_read_memory(CPUArchState *cpu, uint32_t vaddr, void *buffer, size_t length)
{
    return mmu_debug_read(&cpu->mmu, vaddr, buffer, length);
}

EMU_API size_t cpu_write_memory(CPUArchState *cpu, uint32_t vaddr, const void *buffer,
                                size_t length)
{
    return mmu_debug_write(&cpu->mmu, vaddr, buffer, length);
}

EMU_API bool cpu_translate(CPUArchState *cpu, uint32_t vaddr, uint64_t *paddr)
{
    return mmu_probe(&cpu->mmu, vaddr, paddr);
}

EMU_API void machine_stop(void)
{
    struct plugin_host *host = host_current();
    host->env.stop(host->env.self);
}

EMU_API void machine_continue(void)
{
    struct plugin_host *host = host_current();
    host->env.cont(host->env.self);
}

EMU_API void plugin_printf(const char *fmt, ...)
{
    struct plugin_host *host = host_current();
    va_list args;
    va_start(args, fmt);
    char *text = NULL;
    int length = vasprintf(&text, fmt, args);
    va_end(args);
    if (length > 0)
        host->env.print(host->env.self, text, (size_t)length);
    if (length >= 0)
        free(text);
}
