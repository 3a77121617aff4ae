// SPDX-License-Identifier: MIT
// Wants the group that liar only lists.
#include <emu/plugin.h>

EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, NULL, NULL};

static void on_signal(void *data, CPUArchState *cpu)
{
}

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    plugin_subscribe(on_signal, "lies", "X");
}
