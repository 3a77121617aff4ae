// SPDX-License-Identifier: MIT
// What the files behind <emu/plugin.h> share.
#ifndef EMU_PLUGIN_API_INTERNAL_H
#define EMU_PLUGIN_API_INTERNAL_H

#include "plugin/guard.h"

// Whose call it is: the plugin that the return address lies in; after a tail call the plugin that
// was entered last.
static inline struct plugin *api_caller(const struct plugin_host *host, const void *return_address)
{
    struct plugin *plugin = host_plugin_at(host, return_address);
    return plugin ? plugin : guard_plugin();
}

#define API_CALLER(host) api_caller((host), __builtin_return_address(0))

// Prints why a call of the SDK was refused; returns false.
bool api_refuse(struct plugin_host *host, const struct plugin *plugin, const struct error *err);

#endif
