// SPDX-License-Identifier: MIT
// Fits Windows XP and 7 only.
#include <emu/plugin.h>

static const char *const systems[] = {"WinXP", "Win7", NULL};
EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, NULL, systems};

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    plugin_printf("only_xp started\n");
}
