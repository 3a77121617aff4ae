// SPDX-License-Identifier: MIT
// The plugin host: finds, loads, starts, stops and unloads plugins, and stands behind the functions
// of the SDK. Thread: the machine's thread.
#ifndef EMU_PLUGIN_HOST_H
#define EMU_PLUGIN_HOST_H

#include "jit/executor.h"
#include "plugin/signal.h"

struct plugin_host;

struct plugin_host_env {
    struct broker *
        broker; // the host registers group "qemu" and hands its signals to the CPU and the executor
    struct cpu *cpu;
    struct executor *executor;
    struct log *log;
    const char *os_version; // -os-version, NULL: none given
    void (*stop)(void *self);
    void (*cont)(void *self);
    void (*reset)(void *self);               // may be NULL
    void (*quit)(void *self, int exit_code); // may be NULL
    void (*print)(void *self, const char *text,
                  size_t length); // plugin output and messages: the monitor, or stdout
    void *self;
};

struct plugin_host *plugin_host_create(const struct plugin_host_env *env);
void plugin_host_destroy(struct plugin_host *host); // unloads everything

// NAME is looked for as plugin-NAME-i386.plugin in $EMU_PLUGIN_PATH, the folder `plugins` beside
// the executable and the installed libexec folder; a name that starts with '.' or '/' is a path.
// Loads dependencies first. Loading a loaded plugin is an error.
bool plugin_host_load(struct plugin_host *host, const char *name, const char *args,
                      struct error *err);
// `-plugin a,key=value,b`: items without '=' name plugins, the others belong to the plugin before.
bool plugin_host_load_list(struct plugin_host *host, const char *list, struct error *err);
// Unloads it and those that depend on it, and loads them again from their files; with its old
// arguments when args is NULL or empty.
bool plugin_host_reload(struct plugin_host *host, const char *name, const char *args,
                        struct error *err);
// Plugins that depend on it go first. Safe from inside a plugin's own callback: then it happens
// when the callback has returned.
bool plugin_host_unload(struct plugin_host *host, const char *name, struct error *err);
void plugin_host_unload_all(struct plugin_host *host);
// Carries out what was asked for inside callbacks; the machine calls it between blocks.
void plugin_host_settle(struct plugin_host *host);

struct plugin_view {
    const char *name;
    const char *path;
    const char *const *signals; // groups it provides
    const char *const *dependencies;
    const char *const *args;             // "key=value", NULL-terminated
    const struct plugin_option *options; // what it takes, NULL: not declared
};
void plugin_host_for_each(const struct plugin_host *host,
                          void (*fn)(void *self, const struct plugin_view *view), void *self);

// The function table of a loaded plugin; NULL: it has none, or is not loaded.
const void *plugin_host_functions(const struct plugin_host *host, const char *name);

// Monitor commands of plugins.
bool plugin_host_run_command(struct plugin_host *host, const char *name,
                             const char *args); // false: no such command
void plugin_host_for_each_command(const struct plugin_host *host,
                                  void (*fn)(void *self, const char *plugin,
                                             const PluginCommand *command),
                                  void *self);
// Names of plugins that could be loaded (for completion).
void plugin_host_for_each_available(const struct plugin_host *host,
                                    void (*fn)(void *self, const char *name), void *self);

// `info signals [GROUP[/ID]]`: payload fields, subscribers, emissions a second, time a subscriber.
// False when there is no such signal.
bool plugin_host_describe_signals(struct plugin_host *host, const char *name, FILE *out,
                                  struct error *err);
// The reference of all described signals, in Markdown.
void plugin_host_write_reference(struct plugin_host *host, FILE *out);

// The machine's own events of group "qemu".
void plugin_host_cpu_paused(struct plugin_host *host);
void plugin_host_cpus_stopped(struct plugin_host *host);

#endif
