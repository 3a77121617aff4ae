// SPDX-License-Identifier: MIT
// System calls of a 32-bit Windows guest: what the plugins of all versions share.
#ifndef EMU_PLUGINS_COMMON_WINDOWS_SYSCALLS_H
#define EMU_PLUGINS_COMMON_WINDOWS_SYSCALLS_H

#include "common/windows/calls.h"

#define WIN_SYSCALL_OPTIONS                                                                        \
    {"log", "FILE", "write each call to FILE as text from the start (-: the monitor)"},            \
        {"json", "FILE", "write each call to FILE as one JSON object a line"},                     \
        {"bytes", "N", "show at most N bytes of a buffer (default 32)"},                           \
        {"context", "CR3", "log this address space only (hexadecimal)"},                           \
        {"calls", "A:B...", "log these calls only"},                                               \
    {                                                                                              \
        NULL, NULL, NULL                                                                           \
    }

// What the plugins offer to others.
struct win_syscall_functions {
    const char *(*call_name)(uint32_t number); // NULL: the plugin does not know it
};

// From pi_start. version must stay valid while the plugin is loaded.
void win_syscalls_start(PluginInterface *pi, const struct win_version *version);

#endif
