// SPDX-License-Identifier: MIT
// What the files of the plugin host share.
#ifndef EMU_PLUGIN_HOST_INTERNAL_H
#define EMU_PLUGIN_HOST_INTERNAL_H

#include "plugin/host.h"

enum plugin_state { PLUGIN_LOADING, PLUGIN_ACTIVE, PLUGIN_STOPPING };

struct plugin {
    struct plugin *next;
    struct plugin_host *host;
    char *name;
    char *path;
    void *handle;          // dlopen
    uintptr_t first, last; // addresses of the object: tell whose code calls the SDK
    const struct pi_info *info;
    const struct plugin_option *options; // NULL: takes any
    PluginInterface pi;
    char **args; // "key=value", NULL-terminated
    enum plugin_state state;
    struct plugin **needs; // plugins whose signals or functions it uses
    unsigned need_count;
    bool unload_wanted, reload_wanted, marked;
    bool crashed; // nothing of it is called any more; its code stays mapped
    bool failed;  // plugin_fail was called
    struct error failure;
    JitContext *building; // a filtered callback of it runs: see api.c
    struct PluginTimer *timers;
    struct PluginChannel *channels;
};

struct guard_crash {
    int signal; // 0: none
    const void *address;
    const void *code; // where it happened
};

struct plugin_host {
    struct plugin_host_env env;
    struct plugin *plugins; // in order of loading
    struct signal_group *qemu;
    struct signal *cpu_paused, *cpus_stopped;
    unsigned entered; // plugin code is on the stack
    bool work_pending;
    struct broker_mark direct_mark; // of helpers that translated code calls
    struct guard_crash direct_crash;
    uint64_t *proven; // hashes of files that the dynamic linker has survived
    size_t proven_count;
    uint32_t copies; // files that were opened as copies
    char *own_dir;   // `plugins` beside the executable
    char *lib_dir;   // of the installation the executable belongs to
};

// The host of the machine whose turn it is on this thread: the SDK's functions carry no handle.
struct plugin_host *host_current(void);

struct plugin *host_find(const struct plugin_host *host, const char *name);
struct plugin *host_plugin_at(const struct plugin_host *host,
                              const void *code); // NULL: no plugin's code
// The plugin is for the guest system that -os-version names, or for any.
bool host_system_fits(const struct plugin_host *host, const struct pi_info *info);
void host_print(struct plugin_host *host, const char *fmt, ...) PRINTF_LIKE(2, 3);
// Records that `plugin` uses `provider`: it is stopped before the provider is.
void plugin_add_need(struct plugin *plugin, struct plugin *provider);
// plugin_host_settle has something to do.
void host_want_work(struct plugin_host *host);
// Takes everything of a plugin out of use; nothing of it is called any more.
void plugin_disconnect(struct plugin *plugin);
// lifecycle.c
struct plugin *host_load(struct plugin_host *host, const char *name, const char *args,
                         struct error *err);
void host_unload(struct plugin_host *host, struct plugin *plugin);
// host.c: calls fn(arg) in the plugin's name. After a crash the plugin is reported and taken out of
// use. False when it crashed.
bool host_call(struct plugin *plugin, void (*fn)(void *arg), void *arg);

// loader.c
char *loader_find(const struct plugin_host *host, const char *name,
                  struct error *err); // path, malloc'ed
// Opens a plugin and checks its ABI and exports.
bool loader_open(struct plugin_host *host, const char *path, void **handle,
                 const struct pi_info **info, struct error *err);
// First and last address of an open object.
void loader_bounds(void *handle, uintptr_t *first, uintptr_t *last);
// The name in plugin-NAME-i386.plugin, malloc'ed.
char *loader_name_of(const char *path);
// The plugin in the folders that lists `group` in signals_list; malloc'ed name, NULL when none.
char *loader_find_provider(struct plugin_host *host, const char *group);
void loader_for_each(const struct plugin_host *host,
                     bool (*fn)(void *self, const char *path, const char *name), void *self);

// elf_check.c
bool elf_check_file(const char *path, uint64_t *hash, struct error *err);

// arguments.c
// Splits "a=b c=d" (or commas) into a list; false when an item has no '='.
bool arguments_parse(const char *text, char ***list, struct error *err);
void arguments_free(char **list);
bool arguments_check(const struct plugin *plugin, struct error *err);

// api_output.c
void plugin_close_resources(struct plugin *plugin);

#endif
