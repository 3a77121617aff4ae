// SPDX-License-Identifier: MIT
// Life of plugins: loading with dependencies, starting, stopping in the right order, and the group
// "qemu".
#include "plugin/host.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin/host_internal.h"
#include "plugin/qemu_signals.h"

// The SDK's functions carry no handle of the machine. A machine has one thread, and this names its
// host there.
static _Thread_local struct plugin_host *thread_host;

struct plugin_host *host_current(void)
{
    return thread_host;
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
    Dl_info where;
    if (!dladdr(code, &where))
        return NULL;
    for (struct plugin *p = host->plugins; p; p = p->next)
        if (p->base == where.dli_fbase)
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
    if (plugin->need_count < PLUGIN_MAX_NEEDS)
        plugin->needs[plugin->need_count++] = provider;
}

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
        ok = host_load(host, name, err) != NULL;
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
    }
    broker_set_owner_namer(env->broker, owner_name);
    broker_set_missing_hook(env->broker, provide_group, host);
    qemu_signals_register(host);
    thread_host = host;
    return host;
}

void plugin_host_destroy(struct plugin_host *host)
{
    plugin_host_unload_all(host);
    qemu_signals_unregister(host);
    broker_set_missing_hook(host->env.broker, NULL, NULL);
    if (thread_host == host)
        thread_host = NULL;
    free(host->own_dir);
    free(host);
}

static bool list_has(const char *const *list, const char *name)
{
    for (; list && *list; list++)
        if (strcmp(*list, name) == 0)
            return true;
    return false;
}

static bool os_fits(const struct plugin_host *host, const struct pi_info *info, const char *name,
                    struct error *err)
{
    if (!info->os_ver || !info->os_ver[0] ||
        (host->env.os_version && list_has(info->os_ver, host->env.os_version)))
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
            provider = other ? other : host_load(host, name, err);
            free(name);
            if (!provider)
                return error_prefix(err, "plugin '%s'", plugin->name);
        }
        plugin_add_need(plugin, provider);
    }
    return true;
}

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
    if (plugin->handle)
        dlclose(plugin->handle);
    free(plugin->name);
    free(plugin->path);
    free(plugin);
}

static void plugin_start(struct plugin_host *host, struct plugin *plugin)
{
    static const cookie_io_functions_t functions = {.write = output_write};
    plugin->pi.name = plugin->name;
    plugin->pi.os_ver = host->env.os_version;
    plugin->pi.output = fopencookie(host, "w", functions);
    if (plugin->pi.output)
        setvbuf(plugin->pi.output, NULL, _IOLBF, 1024);
    void (*start)(PluginInterface *);
    *(void **)&start = dlsym(plugin->handle, "pi_start");
    host->entered++;
    start(&plugin->pi);
    host->entered--;
    plugin->state = PLUGIN_ACTIVE;
}

struct plugin *host_load(struct plugin_host *host, const char *name, struct error *err)
{
    char *path = loader_find(host, name, err);
    if (!path)
        return NULL;
    struct plugin *plugin = xcalloc(1, sizeof *plugin);
    plugin->host = host;
    plugin->path = path;
    plugin->name = loader_name_of(path);
    plugin->state = PLUGIN_LOADING;
    if (host_find(host, plugin->name)) {
        error_set(err, "plugin '%s' is already loaded", plugin->name);
        free(plugin->name);
        free(plugin->path);
        free(plugin);
        return NULL;
    }
    plugin_link(host, plugin);
    if (!loader_open(path, &plugin->handle, &plugin->info, err) ||
        !os_fits(host, plugin->info, plugin->name, err) || !load_dependencies(host, plugin, err)) {
        plugin_unlink_free(host, plugin);
        return NULL;
    }
    Dl_info where;
    if (dladdr(plugin->info, &where))
        plugin->base = where.dli_fbase;
    plugin_start(host, plugin);
    log_write(host->env.log, LOG_PLUGIN, "plugin %s loaded from %s\n", plugin->name, plugin->path);
    return plugin;
}

bool plugin_host_load(struct plugin_host *host, const char *name, const char *args,
                      struct error *err)
{
    return host_load(host, name, err) != NULL;
}

static struct plugin *find_dependent(struct plugin_host *host, const struct plugin *provider)
{
    for (struct plugin *p = host->plugins; p; p = p->next)
        for (unsigned i = 0; i < p->need_count; i++)
            if (p->needs[i] == provider && p->state != PLUGIN_STOPPING)
                return p;
    return NULL;
}

void host_unload(struct plugin_host *host, struct plugin *plugin)
{
    plugin->state = PLUGIN_STOPPING;
    struct plugin *dependent;
    while ((dependent = find_dependent(host, plugin)) != NULL) {
        if (dependent->pi.unload_signal) {
            host->entered++;
            dependent->pi.unload_signal();
            host->entered--;
        }
        host_print(host, "plugin %s is stopped too: it uses %s\n", dependent->name, plugin->name);
        host_unload(host, dependent);
    }
    if (plugin->pi.exit) {
        host->entered++;
        plugin->pi.exit(&plugin->pi);
        host->entered--;
    }
    if (plugin->pi.output)
        fflush(plugin->pi.output);
    broker_drop_owner(host->env.broker, plugin);
    if (helper_drop_owner(executor_helpers(host->env.executor), plugin))
        executor_flush(host->env.executor);
    log_write(host->env.log, LOG_PLUGIN, "plugin %s unloaded\n", plugin->name);
    plugin_unlink_free(host, plugin);
}

static bool host_is_busy(const struct plugin_host *host)
{
    return host->entered > 0 || broker_is_dispatching(host->env.broker) ||
           executor_is_running(host->env.executor);
}

bool plugin_host_unload(struct plugin_host *host, const char *name, struct error *err)
{
    struct plugin *plugin = host_find(host, name);
    if (!plugin)
        return error_set(err, "plugin '%s' is not loaded", name);
    if (host_is_busy(host)) {
        plugin->unload_wanted = true;
        host->unload_pending = true;
        cpu_kick(host->env.cpu);
        return true;
    }
    host_unload(host, plugin);
    return true;
}

void plugin_host_settle(struct plugin_host *host)
{
    if (!host->unload_pending || host_is_busy(host))
        return;
    host->unload_pending = false;
    for (struct plugin *p = host->plugins; p;) {
        if (p->unload_wanted && p->state == PLUGIN_ACTIVE) {
            host_unload(host, p);
            p = host->plugins; // dependents went too
        } else {
            p = p->next;
        }
    }
}

void plugin_host_unload_all(struct plugin_host *host)
{
    while (host->plugins) {
        struct plugin *last = host->plugins;
        while (last->next)
            last = last->next;
        host_unload(host, last);
    }
}

void plugin_host_for_each(const struct plugin_host *host,
                          void (*fn)(void *self, const struct plugin_view *view), void *self)
{
    for (const struct plugin *p = host->plugins; p; p = p->next) {
        struct plugin_view view = {.name = p->name,
                                   .path = p->path,
                                   .signals = p->info->signals_list,
                                   .dependencies = p->info->dependencies};
        fn(self, &view);
    }
}

bool plugin_host_run_command(struct plugin_host *host, const char *name, const char *args)
{
    for (struct plugin *p = host->plugins; p; p = p->next) {
        for (const PluginCommand *c = p->pi.cmd_table; c && c->name; c++) {
            if (strcmp(c->name, name) != 0)
                continue;
            host->entered++;
            c->run(&p->pi, args);
            host->entered--;
            if (p->pi.output)
                fflush(p->pi.output);
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
