// SPDX-License-Identifier: MIT
// Arguments that several plugins take: numbers, and the filter of what they look at.
#ifndef EMU_PLUGINS_COMMON_FILTER_H
#define EMU_PLUGINS_COMMON_FILTER_H

#include <emu/plugin.h>

// False, after plugin_fail, when the argument is no number of that base up to `most`. *value stays
// when it was not given.
bool filter_number(const PluginInterface *pi, const char *key, int base, uint64_t most, bool *given,
                   uint64_t *value);

// context=, cpl=, first= and last=.
bool filter_read(const PluginInterface *pi, struct plugin_filter *filter);

#define FILTER_OPTIONS                                                                             \
    {"context", "CR3", "this process only (hexadecimal)"},                                         \
        {"cpl", "0..3", "this privilege level"},                                                   \
        {"first", "ADDRESS", "code from this linear address on (hexadecimal)"},                    \
    {                                                                                              \
        "last", "ADDRESS", "up to this one"                                                        \
    }

#endif
