// SPDX-License-Identifier: MIT
// Subscribes to alpha/TICK with the layout it was built against, and calls provider's functions.
#include "alpha.h"

EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, NULL, NULL};

static void on_tick(void *data, CPUArchState *cpu)
{
    const struct alpha_tick *tick = data;
    plugin_printf("consumer: tick %u %s\n", tick->value, tick->text);
}

static void at_exit(PluginInterface *pi)
{
    plugin_printf("consumer: exit\n");
}

static void provider_goes(void)
{
    plugin_printf("consumer: provider goes\n");
}

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    static const struct plugin_subscribe_options options = {.payload = &alpha_tick_type};
    pi->exit = at_exit;
    pi->unload_signal = provider_goes;
    plugin_subscribe_with(on_tick, "alpha", "TICK", &options);
    const struct alpha_functions *alpha = plugin_get_functions_list("provider");
    if (alpha)
        plugin_printf("consumer: 2 + 3 = %d\n", alpha->add(2, 3));
}
