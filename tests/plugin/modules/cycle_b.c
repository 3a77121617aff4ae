// SPDX-License-Identifier: MIT
// Depends on cycle_a, which depends on it.
#include <emu/plugin.h>

static const char *const dependencies[] = {"cycle_a", NULL};
EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, dependencies, NULL};

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    plugin_printf("cycle_b started\n");
}
