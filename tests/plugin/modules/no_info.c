// SPDX-License-Identifier: MIT
// Without init_info.
#include <emu/plugin.h>

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    plugin_printf("started\n");
}
