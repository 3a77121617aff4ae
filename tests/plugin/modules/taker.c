// SPDX-License-Identifier: MIT
// Registers a group that provider has.
#include <emu/plugin.h>

EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, NULL, NULL};

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    if (!plugin_reg_signal("alpha"))
        plugin_fail("alpha is taken");
}
