// SPDX-License-Identifier: MIT
// The plugin host: what plugins reach of the machine, their crashes, the group "qemu", and what the
// monitor asks for.
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jit/builder.h"
#include "plugin/guard.h"
#include "plugin/qemu_signals.h"

struct plugin_host *host_current(void)
{
    return guard_host();
}

void host_print(struct plugin_host *host, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char text[1024];
    int length = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (length > 0)
        host->env.print(host->env.self, text,
                        (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

static const char *owner_name(void *owner)
{
    return ((struct plugin *)owner)->name;
}

struct plugin *host_find(const struct plugin_host *host, const char *name)
{
    for (struct plugin *p = host->plugins; p; p = p->next)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

struct plugin *host_plugin_at(const struct plugin_host *host, const void *code)
{
    uintptr_t at = (uintptr_t)code;
    for (struct plugin *p = host->plugins; p; p = p->next)
        if (at >= p->first && at <= p->last)
            return p;
    return NULL;
}

void plugin_add_need(struct plugin *plugin, struct plugin *provider)
{
    if (!plugin || !provider || plugin == provider)
        return;
    for (unsigned i = 0; i < plugin->need_count; i++)
        if (plugin->needs[i] == provider)
            return;
    plugin->needs = xrealloc(plugin->needs, (plugin->need_count + 1) * sizeof *plugin->needs);
    plugin->needs[plugin->need_count++] = provider;
}

// ---- Crashes

static const char *signal_text(int signal)
{
    switch (signal) {
    case SIGSEGV:
        return "SIGSEGV";
    case SIGBUS:
        return "SIGBUS";
    case SIGILL:
        return "SIGILL";
    case SIGFPE:
        return "SIGFPE";
    default:
        return "SIGABRT";
    }
}

static void report_crash(struct plugin *plugin, const struct guard_crash *crash)
{
    struct plugin_host *host = plugin->host;
    const struct cpu *cpu = host->env.cpu;
    uintptr_t code = (uintptr_t)crash->code;
    char where[64] = "";
    if (code >= plugin->first && code <= plugin->last)
        snprintf(where, sizeof where, " at its offset 0x%llx",
                 (unsigned long long)(code - plugin->first));
    host_print(host,
               "plugin %s crashed: %s%s, address %p; it is stopped, the guest goes on\n"
               "guest: cs:eip %04x:%08x cr3 %08x cpl %u eax %08x ebx %08x ecx %08x edx %08x "
               "esi %08x edi %08x ebp %08x esp %08x eflags %08x, %llu instructions\n",
               plugin->name, signal_text(crash->signal), where, crash->address,
               cpu->segs[SEG_CS].selector, cpu->jump ? cpu->insn_eip : cpu->eip, cpu->cr3, cpu->cpl,
               cpu->regs[REG_EAX], cpu->regs[REG_EBX], cpu->regs[REG_ECX], cpu->regs[REG_EDX],
               cpu->regs[REG_ESI], cpu->regs[REG_EDI], cpu->regs[REG_EBP], cpu->regs[REG_ESP],
               cpu_get_eflags(cpu), (unsigned long long)cpu->instructions);
}

void host_want_work(struct plugin_host *host)
{
    host->work_pending = true;
    cpu_kick(host->env.cpu);
}

void plugin_disconnect(struct plugin *plugin)
{
    struct plugin_host *host = plugin->host;
    broker_drop_owner(host->env.broker, plugin);
    helper_drop_owner(executor_helpers(host->env.executor), plugin);
    executor_flush(host->env.executor);
}

static void contain(struct plugin *plugin, const struct guard_crash *crash)
{
    report_crash(plugin, crash);
    plugin->crashed = true;
    plugin->unload_wanted = true;
    if (plugin->building && plugin->building->builder)
        plugin->building->builder->filter.count = 0;
    plugin->building = NULL;
    plugin_disconnect(plugin);
    host_want_work(plugin->host);
}

bool host_call(struct plugin *plugin, void (*fn)(void *arg), void *arg)
{
    struct guard_crash crash;
    if (plugin->crashed)
        return false;
    if (guard_call(plugin, fn, arg, &crash))
        return true;
    contain(plugin, &crash);
    return false;
}

static void direct_begin(void *self)
{
    struct plugin_host *host = self;
    guard_set_host(host);
    host->direct_mark = broker_mark(host->env.broker);
}

static void direct_crashed(void *self, void *owner)
{
    struct plugin_host *host = self;
    broker_unwind(host->env.broker, host->direct_mark);
    contain(owner, &host->direct_crash);
}

static void invoke(void *self, void *owner, void (*fn)(void *arg), void *arg)
{
    host_call(owner, fn, arg);
}

// ---- The host

// Somebody wants a group that nobody registered: load the plugin that lists it.
static bool provide_group(void *self, const char *group, struct error *err)
{
    struct plugin_host *host = self;
    char *name = loader_find_provider(host, group);
    if (!name)
        return error_set(err, "no plugin provides signal group '%s'", group);
    struct plugin *plugin = host_find(host, name);
    bool ok = false;
    if (plugin && plugin->state == PLUGIN_LOADING)
        error_set(err,
                  "signal group '%s' is wanted while its provider '%s' is still loading (cyclic "
                  "dependency)",
                  group, name);
    else if (plugin)
        error_set(err, "plugin '%s' lists signal group '%s' but does not register it", name, group);
    else
        ok = host_load(host, name, NULL, err) != NULL;
    free(name);
    return ok;
}

struct plugin_host *plugin_host_create(const struct plugin_host_env *env)
{
    struct plugin_host *host = xcalloc(1, sizeof *host);
    host->env = *env;
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length > 0) {
        path[length] = 0;
        char *slash = strrchr(path, '/');
        if (slash)
            *slash = 0;
        host->own_dir = xasprintf("%s/plugins", path);
        host->lib_dir = xasprintf("%s/../libexec/emu/plugins", path);
    }
    guard_install();
    guard_set_host(host);
    broker_set_owner_namer(env->broker, owner_name);
    broker_set_missing_hook(env->broker, provide_group, host);
    broker_set_invoker(env->broker, invoke, host);
    struct helper_registry *helpers = executor_helpers(env->executor);
    helpers->invoke = invoke;
    helpers->invoke_self = host;
    helpers->begin = direct_begin;
    helpers->crashed = direct_crashed;
    qemu_signals_register(host);
    return host;
}

void plugin_host_destroy(struct plugin_host *host)
{
    while (host->plugins) {
        struct plugin *last = host->plugins;
        while (last->next)
            last = last->next;
        host_unload(host, last);
    }
    qemu_signals_unregister(host);
    broker_set_missing_hook(host->env.broker, NULL, NULL);
    broker_set_invoker(host->env.broker, NULL, NULL);
    struct helper_registry *helpers = executor_helpers(host->env.executor);
    helpers->invoke = NULL;
    helpers->begin = NULL;
    helpers->crashed = NULL;
    if (guard_host() == host)
        guard_set_host(NULL);
    guard_uninstall();
    free(host->proven);
    free(host->own_dir);
    free(host->lib_dir);
    free(host);
}

// ---- What the monitor shows and runs

void plugin_host_for_each(const struct plugin_host *host,
                          void (*fn)(void *self, const struct plugin_view *view), void *self)
{
    for (const struct plugin *p = host->plugins; p; p = p->next) {
        struct plugin_view view = {.name = p->name,
                                   .path = p->path,
                                   .signals = p->info ? p->info->signals_list : NULL,
                                   .dependencies = p->info ? p->info->dependencies : NULL,
                                   .args = (const char *const *)p->args,
                                   .options = p->options};
        fn(self, &view);
    }
}

const void *plugin_host_functions(const struct plugin_host *host, const char *name)
{
    const struct plugin *plugin = host_find(host, name);
    return plugin ? plugin->pi.funcs : NULL;
}

struct command_call {
    PluginInterface *pi;
    const PluginCommand *command;
    const char *args;
};

static void call_command(void *arg)
{
    const struct command_call *call = arg;
    call->command->run(call->pi, call->args);
}

bool plugin_host_run_command(struct plugin_host *host, const char *name, const char *args)
{
    for (struct plugin *p = host->plugins; p; p = p->next) {
        for (const PluginCommand *c = p->pi.cmd_table; c && c->name; c++) {
            if (strcmp(c->name, name) != 0 || p->crashed)
                continue;
            struct command_call call = {&p->pi, c, args ? args : ""};
            if (c->run && host_call(p, call_command, &call) && p->pi.output)
                fflush(p->pi.output);
            plugin_host_settle(host);
            return true;
        }
    }
    return false;
}

void plugin_host_for_each_command(const struct plugin_host *host,
                                  void (*fn)(void *self, const char *plugin,
                                             const PluginCommand *command),
                                  void *self)
{
    for (const struct plugin *p = host->plugins; p; p = p->next)
        for (const PluginCommand *c = p->pi.cmd_table; c && c->name; c++)
            fn(self, p->name, c);
}

struct available {
    void (*fn)(void *self, const char *name);
    void *self;
};

static bool available_one(void *self, const char *path, const char *name)
{
    struct available *a = self;
    a->fn(a->self, name);
    return false;
}

void plugin_host_for_each_available(const struct plugin_host *host,
                                    void (*fn)(void *self, const char *name), void *self)
{
    struct available a = {fn, self};
    loader_for_each(host, available_one, &a);
}

void plugin_host_cpu_paused(struct plugin_host *host)
{
    signal_emit(host->cpu_paused, NULL, host->env.cpu);
}

void plugin_host_cpus_stopped(struct plugin_host *host)
{
    signal_emit(host->cpus_stopped, NULL, host->env.cpu);
}
