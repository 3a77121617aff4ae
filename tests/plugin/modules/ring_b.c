// SPDX-License-Identifier: MIT
// Subscribes to ring_a's group before it registers its own.
#include <emu/plugin.h>

static const char *const signals_list[] = {"ring_b", NULL};
EMU_PLUGIN_EXPORT const struct pi_info init_info = {signals_list, NULL, NULL};

static void on_signal(void *data, CPUArchState *cpu)
{
}

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    if (!plugin_subscribe(on_signal, "ring_a", "X"))
        plugin_fail("no ring_a");
    plugin_reg_signal("ring_b");
}
