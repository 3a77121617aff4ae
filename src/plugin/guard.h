// SPDX-License-Identifier: MIT
// Calls into plugin code. A crash there (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, stack overflow)
// comes back as a return value. Thread: the machine's thread; the signal handlers are the
// process's, and hand on what does not come from a plugin.
#ifndef EMU_PLUGIN_GUARD_H
#define EMU_PLUGIN_GUARD_H

#include "plugin/host_internal.h"

void guard_install(void);
void guard_uninstall(void);

// Calls fn(arg) in the plugin's name; false when it crashed.
bool guard_call(struct plugin *plugin, void (*fn)(void *arg), void *arg, struct guard_crash *crash);

// The plugin whose code runs on this thread; NULL: none.
struct plugin *guard_plugin(void);
// The host of the machine whose turn it is on this thread.
struct plugin_host *guard_host(void);
void guard_set_host(struct plugin_host *host);

#endif
