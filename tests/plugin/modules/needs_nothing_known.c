// SPDX-License-Identifier: MIT
// Depends on what nobody has.
#include <emu/plugin.h>

static const char *const dependencies[] = {"nowhere", NULL};
EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, dependencies, NULL};

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    plugin_printf("started\n");
}
