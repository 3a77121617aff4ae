// SPDX-License-Identifier: MIT
// Lists a group that it does not register.
#include <emu/plugin.h>

static const char *const signals_list[] = {"lies", NULL};
EMU_PLUGIN_EXPORT const struct pi_info init_info = {signals_list, NULL, NULL};

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    plugin_printf("liar started\n");
}
