// SPDX-License-Identifier: MIT
// Subscribes to ring_b's group before it registers its own.
#include <emu/plugin.h>

static const char *const signals_list[] = {"ring_a", NULL};
EMU_PLUGIN_EXPORT const struct pi_info init_info = {signals_list, NULL, NULL};

static void on_signal(void *data, CPUArchState *cpu)
{
}

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    if (!plugin_subscribe(on_signal, "ring_b", "X"))
        plugin_fail("no ring_b");
    plugin_reg_signal("ring_a");
}
