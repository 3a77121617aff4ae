// SPDX-License-Identifier: MIT
// What the files of the plugin host share.
#ifndef EMU_PLUGIN_HOST_INTERNAL_H
#define EMU_PLUGIN_HOST_INTERNAL_H

#include "plugin/host.h"

#define PLUGIN_MAX_NEEDS 32u

enum plugin_state { PLUGIN_LOADING, PLUGIN_ACTIVE, PLUGIN_STOPPING };

struct plugin {
    struct plugin *next;
    struct plugin_host *host;
    char *name;
    char *path;
    void *handle;     // dlopen
    const void *base; // where the object is mapped: tells whose code calls the SDK
    const struct pi_info *info;
    PluginInterface pi;
    enum plugin_state state;
    struct plugin *needs[PLUGIN_MAX_NEEDS]; // plugins whose signals or functions it uses
    unsigned need_count;
    bool unload_wanted;
};

struct plugin_host {
    struct plugin_host_env env;
    struct plugin *plugins; // in order of loading
    struct signal_group *qemu;
    struct signal *cpu_paused, *cpus_stopped;
    unsigned entered; // plugin code (pi_start, exit, a command) is on the stack
    bool unload_pending;
    char *own_dir; // `plugins` beside the executable
};

// The host of this thread's machine: the SDK's functions carry no handle.
struct plugin_host *host_current(void);

struct plugin *host_find(const struct plugin_host *host, const char *name);
struct plugin *host_plugin_at(const struct plugin_host *host,
                              const void *code); // NULL: no plugin's code
void host_print(struct plugin_host *host, const char *fmt, ...) PRINTF_LIKE(2, 3);
// Records that `plugin` uses `provider`: it is stopped before the provider is.
void plugin_add_need(struct plugin *plugin, struct plugin *provider);
struct plugin *host_load(struct plugin_host *host, const char *name, struct error *err);
void host_unload(struct plugin_host *host, struct plugin *plugin);

// loader.c
char *loader_find(const struct plugin_host *host, const char *name,
                  struct error *err); // path, malloc'ed
// Opens a plugin and checks its ABI and exports.
bool loader_open(const char *path, void **handle, const struct pi_info **info, struct error *err);
// The name in plugin-NAME-i386.plugin, malloc'ed.
char *loader_name_of(const char *path);
// The plugin in the folders that lists `group` in signals_list; malloc'ed name, NULL when none.
char *loader_find_provider(const struct plugin_host *host, const char *group);
void loader_for_each(const struct plugin_host *host,
                     bool (*fn)(void *self, const char *path, const char *name), void *self);

#endif
