// SPDX-License-Identifier: MIT
// Life of plugins: loading with dependencies, starting, stopping in the right order, crashes, and
// the group "qemu".
#include <dlfcn.h>
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

static ssize_t output_write(void *cookie, const char *text, size_t length)
{
    struct plugin_host *host = cookie;
    host->env.print(host->env.self, text, length);
    return (ssize_t)length;
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

static void want_work(struct plugin_host *host)
{
    host->work_pending = true;
    cpu_kick(host->env.cpu);
}

// Takes everything of a plugin out of use; nothing of it is called any more.
static void plugin_disconnect(struct plugin *plugin)
{
    struct plugin_host *host = plugin->host;
    broker_drop_owner(host->env.broker, plugin);
    helper_drop_owner(executor_helpers(host->env.executor), plugin);
    executor_flush(host->env.executor);
}

bool host_call(struct plugin *plugin, void (*fn)(void *arg), void *arg)
{
    struct guard_crash crash;
    if (plugin->crashed)
        return false;
    if (guard_call(plugin, fn, arg, &crash))
        return true;
    report_crash(plugin, &crash);
    plugin->crashed = true;
    plugin->unload_wanted = true;
    if (plugin->building && plugin->building->builder)
        plugin->building->builder->filter.count = 0;
    plugin->building = NULL;
    plugin_disconnect(plugin);
    want_work(plugin->host);
    return false;
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
    executor_helpers(host->env.executor)->invoke = NULL;
    if (guard_host() == host)
        guard_set_host(NULL);
    guard_uninstall();
    free(host->proven);
    free(host->own_dir);
    free(host->lib_dir);
    free(host);
}

static bool host_is_busy(const struct plugin_host *host)
{
    return host->entered > 0 || broker_is_dispatching(host->env.broker) ||
           executor_is_running(host->env.executor);
}

static bool list_has(const char *const *list, const char *name)
{
    for (; list && *list; list++)
        if (strcmp(*list, name) == 0)
            return true;
    return false;
}

bool host_system_fits(const struct plugin_host *host, const struct pi_info *info)
{
    return !info->os_ver || !info->os_ver[0] ||
           (host->env.os_version && list_has(info->os_ver, host->env.os_version));
}

static bool os_fits(const struct plugin_host *host, const struct pi_info *info, const char *name,
                    struct error *err)
{
    if (host_system_fits(host, info))
        return true;
    char systems[128] = "";
    for (const char *const *os = info->os_ver; *os; os++) {
        size_t used = strlen(systems);
        snprintf(systems + used, sizeof systems - used, "%s%s", used ? ", " : "", *os);
    }
    return error_set(
        err, "plugin '%s' is for %s, but the guest is %s; start emu with -os-version %s", name,
        systems, host->env.os_version ? host->env.os_version : "not named", info->os_ver[0]);
}

// Loads what a plugin names in `dependencies`: plugins by name, or groups through their provider.
static bool load_dependencies(struct plugin_host *host, struct plugin *plugin, struct error *err)
{
    for (const char *const *d = plugin->info->dependencies; d && *d; d++) {
        struct signal_group *group = broker_find_group(host->env.broker, *d);
        struct plugin *provider = group ? signal_group_owner(group) : host_find(host, *d);
        if (group && !provider)
            continue; // emu's own group
        if (provider && provider->state == PLUGIN_LOADING)
            return error_set(err, "plugin '%s' needs '%s', which needs '%s': cyclic dependency",
                             plugin->name, provider->name, plugin->name);
        if (!provider) {
            struct error by_name;
            char *path = loader_find(host, *d, &by_name);
            char *name = path ? xstrdup(*d) : loader_find_provider(host, *d);
            free(path);
            if (!name)
                return error_set(
                    err,
                    "plugin '%s' needs '%s', and no plugin has that name or provides that group",
                    plugin->name, *d);
            struct plugin *other = host_find(host, name);
            if (other && other->state == PLUGIN_LOADING) {
                free(name);
                return error_set(
                    err, "plugin '%s' needs '%s', which is still loading: cyclic dependency",
                    plugin->name, *d);
            }
            provider = other ? other : host_load(host, name, NULL, err);
            free(name);
            if (!provider)
                return error_prefix(err, "plugin '%s'", plugin->name);
        }
        plugin_add_need(plugin, provider);
    }
    return true;
}

// ---- Loading

static void plugin_link(struct plugin_host *host, struct plugin *plugin)
{
    struct plugin **link = &host->plugins;
    while (*link)
        link = &(*link)->next;
    *link = plugin;
}

static void plugin_unlink_free(struct plugin_host *host, struct plugin *plugin)
{
    struct plugin **link = &host->plugins;
    while (*link != plugin)
        link = &(*link)->next;
    *link = plugin->next;
    for (struct plugin *p = host->plugins; p; p = p->next) {
        for (unsigned i = 0; i < p->need_count; i++)
            if (p->needs[i] == plugin)
                p->needs[i--] = p->needs[--p->need_count];
    }
    if (plugin->pi.output)
        fclose(plugin->pi.output);
    // The code of a plugin that crashed stays: one of its frames may not have been its own last.
    if (plugin->handle && !plugin->crashed)
        dlclose(plugin->handle);
    arguments_free(plugin->args);
    free(plugin->needs);
    free(plugin->name);
    free(plugin->path);
    free(plugin);
}

static void call_start(void *arg)
{
    struct plugin *plugin = arg;
    void (*start)(PluginInterface *);
    *(void **)&start = dlsym(plugin->handle, "pi_start");
    start(&plugin->pi);
}

static bool plugin_start(struct plugin_host *host, struct plugin *plugin, struct error *err)
{
    static const cookie_io_functions_t functions = {.write = output_write};
    plugin->pi.name = plugin->name;
    plugin->pi.os_ver = host->env.os_version;
    plugin->pi.args = (const char *const *)plugin->args;
    plugin->pi.output = fopencookie(host, "w", functions);
    if (plugin->pi.output)
        setvbuf(plugin->pi.output, NULL, _IOLBF, 1024);
    if (!host_call(plugin, call_start, plugin))
        return error_set(err, "plugin '%s' crashed while it started", plugin->name);
    if (plugin->failed)
        return error_set(err, "plugin '%s': %s", plugin->name, plugin->failure.text);
    plugin->state = PLUGIN_ACTIVE;
    return true;
}

static bool plugin_open(struct plugin_host *host, struct plugin *plugin, const char *args,
                        struct error *err)
{
    if (!arguments_parse(args, &plugin->args, err))
        return error_prefix(err, "plugin '%s'", plugin->name);
    if (!loader_open(host, plugin->path, &plugin->handle, &plugin->info, err))
        return false;
    loader_bounds(plugin->handle, &plugin->first, &plugin->last);
    plugin->options = dlsym(plugin->handle, "plugin_options");
    return arguments_check(plugin, err) && os_fits(host, plugin->info, plugin->name, err) &&
           load_dependencies(host, plugin, err);
}

struct plugin *host_load(struct plugin_host *host, const char *name, const char *args,
                         struct error *err)
{
    char *path = loader_find(host, name, err);
    if (!path)
        return NULL;
    char *plugin_name = loader_name_of(path);
    if (host_find(host, plugin_name)) {
        error_set(err, "plugin '%s' is already loaded", plugin_name);
        free(plugin_name);
        free(path);
        return NULL;
    }
    struct plugin *plugin = xcalloc(1, sizeof *plugin);
    plugin->host = host;
    plugin->path = path;
    plugin->name = plugin_name;
    plugin->state = PLUGIN_LOADING;
    plugin_link(host, plugin);
    if (!plugin_open(host, plugin, args, err)) {
        plugin_unlink_free(host, plugin);
        return NULL;
    }
    if (!plugin_start(host, plugin, err)) {
        plugin->failed = true;
        if (host_is_busy(host)) {
            plugin_disconnect(plugin);
            plugin->unload_wanted = true;
            want_work(host);
        } else {
            host_unload(host, plugin);
        }
        return NULL;
    }
    log_write(host->env.log, LOG_PLUGIN, "plugin %s loaded from %s\n", plugin->name, plugin->path);
    return plugin;
}

bool plugin_host_load(struct plugin_host *host, const char *name, const char *args,
                      struct error *err)
{
    bool ok = host_load(host, name, args, err) != NULL;
    plugin_host_settle(host); // what failed on the way
    return ok;
}

bool plugin_host_load_list(struct plugin_host *host, const char *list, struct error *err)
{
    const char *at = list;
    while (*(at += strspn(at, ",")) != 0) {
        size_t length = strcspn(at, ",");
        char *name = xasprintf("%.*s", (int)length, at);
        at += length;
        const char *args = at;
        while (*at == ',') {
            size_t item = strcspn(at + 1, ",");
            if (!memchr(at + 1, '=', item))
                break;
            at += 1 + item;
        }
        char *text = xasprintf("%.*s", (int)(at - args), args);
        bool ok = strchr(name, '=')
                      ? error_set(err, "'%s' belongs to no plugin; name one first", name)
                      : host_load(host, name, text, err) != NULL;
        free(text);
        free(name);
        plugin_host_settle(host);
        if (!ok)
            return false;
    }
    return true;
}

// ---- Unloading

static struct plugin *find_dependent(struct plugin_host *host, const struct plugin *provider)
{
    for (struct plugin *p = host->plugins; p; p = p->next)
        for (unsigned i = 0; i < p->need_count; i++)
            if (p->needs[i] == provider && p->state != PLUGIN_STOPPING)
                return p;
    return NULL;
}

static void call_unload_signal(void *arg)
{
    ((struct plugin *)arg)->pi.unload_signal();
}

static void call_exit(void *arg)
{
    struct plugin *plugin = arg;
    plugin->pi.exit(&plugin->pi);
}

static void flush_buffers(struct plugin *plugin)
{
    struct helper_registry *helpers = executor_helpers(plugin->host->env.executor);
    for (struct JitBuffer *b = helpers->buffers; b && !plugin->crashed; b = b->link)
        if (b->owner == plugin && !b->dead)
            hook_buffer_flush(b);
}

void host_unload(struct plugin_host *host, struct plugin *plugin)
{
    bool started = plugin->state == PLUGIN_ACTIVE;
    plugin->state = PLUGIN_STOPPING;
    struct plugin *dependent;
    while ((dependent = find_dependent(host, plugin)) != NULL) {
        if (dependent->pi.unload_signal)
            host_call(dependent, call_unload_signal, dependent);
        host_print(host, "plugin %s is stopped too: it uses %s\n", dependent->name, plugin->name);
        host_unload(host, dependent);
    }
    if (started)
        flush_buffers(plugin);
    if (started && plugin->pi.exit)
        host_call(plugin, call_exit, plugin);
    if (plugin->pi.output)
        fflush(plugin->pi.output);
    plugin_disconnect(plugin);
    plugin_close_resources(plugin);
    if (!executor_is_running(host->env.executor))
        helper_free_retired(executor_helpers(host->env.executor));
    log_write(host->env.log, LOG_PLUGIN, "plugin %s unloaded\n", plugin->name);
    plugin_unlink_free(host, plugin);
}

bool plugin_host_unload(struct plugin_host *host, const char *name, struct error *err)
{
    struct plugin *plugin = host_find(host, name);
    if (!plugin)
        return error_set(err, "plugin '%s' is not loaded", name);
    if (host_is_busy(host)) {
        plugin->unload_wanted = true;
        want_work(host);
        return true;
    }
    host_unload(host, plugin);
    return true;
}

void plugin_host_unload_all(struct plugin_host *host)
{
    bool busy = host_is_busy(host);
    for (struct plugin *p = host->plugins; p; p = p->next)
        p->unload_wanted = true;
    if (!host->plugins)
        return;
    want_work(host);
    if (!busy)
        plugin_host_settle(host);
}

// ---- Reloading

struct reload_item {
    char *path, *args;
};

static char *arguments_join(char **args)
{
    char *text = xstrdup("");
    for (char **item = args; item && *item; item++) {
        char *longer = xasprintf("%s%s%s", text, *text ? "," : "", *item);
        free(text);
        text = longer;
    }
    return text;
}

// Marks a plugin and all that depend on it, at whatever distance.
static void mark_dependents(struct plugin_host *host, struct plugin *plugin)
{
    for (struct plugin *p = host->plugins; p; p = p->next)
        p->marked = p == plugin;
    for (bool more = true; more;) {
        more = false;
        for (struct plugin *p = host->plugins; p; p = p->next) {
            for (unsigned i = 0; i < p->need_count && !p->marked; i++)
                more |= p->marked = p->needs[i]->marked;
        }
    }
}

static bool host_reload(struct plugin_host *host, struct plugin *plugin, const char *args,
                        struct error *err)
{
    size_t count = 0;
    struct reload_item *items = NULL;
    mark_dependents(host, plugin);
    for (struct plugin *p = host->plugins; p; p = p->next) {
        if (!p->marked)
            continue;
        items = xrealloc(items, (count + 1) * sizeof *items);
        items[count++] = (struct reload_item){
            xstrdup(p->path), p == plugin && args ? xstrdup(args) : arguments_join(p->args)};
    }
    host_unload(host, plugin);
    bool ok = true;
    for (size_t i = 0; i < count; i++) {
        char *name = loader_name_of(items[i].path);
        if (ok && !host_find(host, name))
            ok = host_load(host, items[i].path, items[i].args, err) != NULL;
        free(name);
        free(items[i].path);
        free(items[i].args);
    }
    free(items);
    return ok;
}

bool plugin_host_reload(struct plugin_host *host, const char *name, const char *args,
                        struct error *err)
{
    struct plugin *plugin = host_find(host, name);
    if (!plugin)
        return error_set(err, "plugin '%s' is not loaded", name);
    if (host_is_busy(host)) {
        plugin->reload_wanted = true;
        want_work(host);
        return true;
    }
    return host_reload(host, plugin, args && *args ? args : NULL, err);
}

void plugin_host_settle(struct plugin_host *host)
{
    if (!host->work_pending || host_is_busy(host))
        return;
    host->work_pending = false;
    for (struct plugin *p = host->plugins; p;) {
        if (p->reload_wanted && !p->crashed) {
            struct error err;
            p->reload_wanted = false;
            if (!host_reload(host, p, NULL, &err))
                host_print(host, "%s\n", err.text);
            p = host->plugins;
        } else if (p->unload_wanted) {
            host_unload(host, p);
            p = host->plugins; // dependents went too
        } else {
            p = p->next;
        }
    }
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
