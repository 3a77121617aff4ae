// SPDX-License-Identifier: MIT
// <emu/plugin.h>: signals, functions of other plugins, failure. A callback belongs to the plugin
// whose code it is.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/cpu.h"
#include "jit/builder.h"
#include "plugin/api_internal.h"

bool api_refuse(struct plugin_host *host, const struct plugin *plugin, const struct error *err)
{
    host_print(host, "%s: %s\n", plugin ? plugin->name : "plugin", err->text);
    return false;
}

EMU_API void plugin_fail(const char *fmt, ...)
{
    struct plugin_host *host = host_current();
    struct plugin *caller = API_CALLER(host);
    if (!caller)
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(caller->failure.text, sizeof caller->failure.text, fmt, args);
    va_end(args);
    if (caller->state == PLUGIN_LOADING)
        caller->failed = true;
    else
        api_refuse(host, caller, &caller->failure);
}

EMU_API SignalInfo *plugin_reg_signal(const char *group)
{
    struct plugin_host *host = host_current();
    struct plugin *caller = API_CALLER(host);
    struct error err;
    struct signal_group *g = NULL;
    if (!caller || caller->state == PLUGIN_STOPPING)
        error_set(&err, "a plugin that is being stopped registers no signal group");
    else
        g = broker_register_group(host->env.broker, group, caller, &err);
    if (!g)
        api_refuse(host, caller, &err);
    return g;
}

static bool group_is_valid(const struct plugin_host *host, const SignalInfo *group)
{
    return group && broker_has_group(host->env.broker, group);
}

EMU_API bool plugin_describe_signal(SignalInfo *group, const char *id,
                                    const struct payload_type *type)
{
    if (!group_is_valid(host_current(), group) || !id)
        return false;
    signal_resolve(group, id, type);
    return true;
}

EMU_API void plugin_gen_signal(SignalInfo *group, const char *id, void *data, CPUArchState *cpu)
{
    if (group_is_valid(host_current(), group) && id)
        signal_emit(signal_resolve(group, id, NULL), data, cpu);
}

EMU_API SignalHandle *plugin_resolve_signal(SignalInfo *group, const char *id)
{
    return group_is_valid(host_current(), group) && id ? signal_resolve(group, id, NULL) : NULL;
}

EMU_API void plugin_emit(SignalHandle *signal, void *data, CPUArchState *cpu)
{
    signal_emit(signal, data, cpu);
}

EMU_API bool plugin_has_subscribers(const SignalHandle *signal)
{
    return signal_has_subscribers(signal);
}

// ---- Filters

// What a filtered subscription needs when its signal comes.
struct filtered {
    void (*func)(void *data, CPUArchState *cpu);
    struct plugin *owner;
    struct plugin_filter filter;
    struct cpu *cpu;
    bool at_translation;                 // the payload begins with a JitContext *
    const struct payload_field *address; // where the payload has one; NULL: EIP counts
};

static uint32_t payload_address(const struct filtered *f, const void *data)
{
    const struct cpu *cpu = f->cpu;
    uint32_t address;
    if (!f->address || !data)
        return cpu->segs[SEG_CS].base + (cpu->jump ? cpu->insn_eip : cpu->eip);
    memcpy(&address, (const char *)data + f->address->offset, sizeof address);
    return address;
}

static bool filter_passes(void *context, void *data, void *cpu)
{
    const struct filtered *f = context;
    if (f->filter.by_address) {
        uint32_t address = payload_address(f, data);
        if (address < f->filter.first || address > f->filter.last)
            return false;
    }
    if (f->at_translation)
        return true;
    return (!f->filter.by_context || mmu_context(&f->cpu->mmu) == f->filter.context) &&
           (!f->filter.by_cpl || f->cpu->cpl == f->filter.cpl);
}

// At translation: blocks are shared between processes, so each attached operation asks again.
static void filtered_call(void *context, void *data, void *cpu)
{
    const struct filtered *f = context;
    JitContext *ctx = f->at_translation ? *(JitContext **)data : NULL;
    struct builder_filter *filter = ctx && ctx->builder ? &ctx->builder->filter : NULL;
    if (filter) {
        filter->count = 0;
        if (f->filter.by_context)
            filter->predicates[filter->count++] = jit_if_context(f->filter.context);
        if (f->filter.by_cpl)
            filter->predicates[filter->count++] = jit_if_cpl(f->filter.cpl);
    }
    f->owner->building = filter ? ctx : NULL; // for a crash in there
    f->func(data, cpu);
    f->owner->building = NULL;
    if (filter)
        filter->count = 0;
}

static const struct payload_field *find_address_field(const struct payload_type *type)
{
    static const char *const names[] = {"vaddr", "pc"};
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        for (const struct payload_field *f = type ? type->fields : NULL; f && f->name; f++)
            if (strcmp(f->name, names[i]) == 0 && f->size == sizeof(uint32_t))
                return f;
    return NULL;
}

static bool is_translation_signal(const char *group, const char *id)
{
    return strcmp(group, "qemu") == 0 && (strcmp(id, "PLUGIN_QEMU_BEFORE_GEN_TB") == 0 ||
                                          strcmp(id, "PLUGIN_QEMU_INSTR_TRANSLATE") == 0);
}

// ---- Subscribing

static bool subscribe(struct plugin_host *host, struct plugin *owner,
                      void (*func)(void *data, CPUArchState *cpu), const char *group,
                      const char *id, const struct plugin_subscribe_options *wanted,
                      struct error *err)
{
    struct broker *broker = host->env.broker;
    if (!func || !group || !id)
        return error_set(err, "a subscription needs a function, a group and an id");
    if (!owner || owner->state == PLUGIN_STOPPING || owner->crashed)
        return error_set(err, "a plugin that is being stopped cannot subscribe to %s/%s", group,
                         id);
    struct subscribe_options options = {0};
    const struct plugin_filter *filter = NULL;
    if (wanted) {
        options.priority = wanted->priority;
        options.once = wanted->once;
        options.payload = wanted->payload;
        filter = &wanted->filter;
    }
    struct filtered *f = NULL;
    if (filter && (filter->by_context || filter->by_cpl || filter->by_address)) {
        f = xcalloc(1, sizeof *f);
        f->func = func;
        f->owner = owner;
        f->filter = *filter;
        f->cpu = host->env.cpu;
        f->at_translation = is_translation_signal(group, id);
        options.filter = filter_passes;
        options.callback2 = filtered_call;
        options.context = f;
        options.free_context = free;
    }
    // The broker is below the CPU and knows it as void *; on this ABI the two function types are
    // called alike.
    signal_callback *callback = (signal_callback *)(void (*)(void))func;
    if (!broker_subscribe(broker, group, id, callback, owner, &options, err)) {
        free(f);
        return false;
    }
    struct signal_group *g = broker_find_group(broker, group);
    if (f)
        f->address = find_address_field(signal_payload(signal_resolve(g, id, NULL)));
    plugin_add_need(owner, signal_group_owner(g));
    return true;
}

EMU_API bool plugin_subscribe_with(void (*func)(void *data, CPUArchState *cpu), const char *group,
                                   const char *id, const struct plugin_subscribe_options *options)
{
    struct plugin_host *host = host_current();
    struct plugin *owner = host_plugin_at(host, (const void *)(uintptr_t)func);
    if (!owner)
        owner = API_CALLER(host);
    struct error err;
    return subscribe(host, owner, func, group, id, options, &err) || api_refuse(host, owner, &err);
}

EMU_API bool plugin_subscribe(void (*func)(void *data, CPUArchState *cpu), const char *group,
                              const char *id)
{
    return plugin_subscribe_with(func, group, id, NULL);
}

EMU_API bool plugin_del_subscriber(void (*func)(void *data, CPUArchState *cpu), const char *group,
                                   const char *id)
{
    struct plugin_host *host = host_current();
    struct plugin *owner = host_plugin_at(host, (const void *)(uintptr_t)func);
    if (!owner)
        owner = API_CALLER(host);
    return group && id &&
           broker_unsubscribe(host->env.broker, group, id, (signal_callback *)(void (*)(void))func,
                              owner);
}

EMU_API bool plugin_del_signal(SignalInfo *group)
{
    struct plugin_host *host = host_current();
    if (!group_is_valid(host, group) || signal_group_owner(group) != API_CALLER(host))
        return false;
    broker_remove_group(group);
    return true;
}

EMU_API const void *plugin_get_functions_list(const char *name)
{
    struct plugin_host *host = host_current();
    struct plugin *caller = API_CALLER(host);
    struct plugin *plugin = name ? host_find(host, name) : NULL;
    struct error err;
    if (!name) {
        error_set(&err, "plugin_get_functions_list needs a plugin's name");
    } else if (plugin && plugin != caller && plugin->state == PLUGIN_LOADING) {
        error_set(&err,
                  "the functions of '%s' are wanted while it is still loading (cyclic "
                  "dependency)",
                  name);
        plugin = NULL;
    } else if (plugin && plugin->crashed) {
        error_set(&err, "plugin '%s' has crashed", name);
        plugin = NULL;
    } else if (!plugin) {
        plugin = host_load(host, name, NULL, &err);
    }
    if (!plugin) {
        api_refuse(host, caller, &err);
        return NULL;
    }
    plugin_add_need(caller, plugin);
    return plugin->pi.funcs;
}
