// SPDX-License-Identifier: MIT
// Dereferences NULL when it starts.
#include <emu/plugin.h>

EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, NULL, NULL};

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void __attribute__((no_sanitize("undefined"))) pi_start(PluginInterface *pi)
{
    volatile int *volatile nowhere = NULL;
    *nowhere = 1;
}
