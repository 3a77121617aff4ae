// SPDX-License-Identifier: MIT
// The life of plugins: loading with what they depend on, starting, stopping in the right order,
// reloading. What is asked for while code of a plugin or of the guest runs is done by
// plugin_host_settle, when neither is on the stack.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/host_internal.h"

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

static ssize_t output_write(void *cookie, const char *text, size_t length)
{
    struct plugin_host *host = cookie;
    host->env.print(host->env.self, text, length);
    return (ssize_t)length;
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
            host_want_work(host);
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
        host_want_work(host);
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
    host_want_work(host);
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
        host_want_work(host);
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
