// SPDX-License-Identifier: MIT
// Was built against another version of alpha/TICK.
#include "alpha.h"

EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, NULL, NULL};

static const struct payload_type old_type = {"alpha_tick", 0, sizeof(struct alpha_tick),
                                             alpha_tick_fields, NULL};

static void on_tick(void *data, CPUArchState *cpu)
{
    plugin_printf("old_consumer: tick\n");
}

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    static const struct plugin_subscribe_options options = {.payload = &old_type};
    if (!plugin_subscribe_with(on_tick, "alpha", "TICK", &options))
        plugin_fail("it needs alpha_tick version 0");
}
