// SPDX-License-Identifier: MIT
// Of another ABI.
// The SDK header defines emu_plugin_abi; this plugin says something else.
#define emu_plugin_abi emu_plugin_abi_of_header
#include <emu/plugin.h>
#undef emu_plugin_abi

EMU_PLUGIN_EXPORT const uint32_t emu_plugin_abi;
const uint32_t emu_plugin_abi = 77;

EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, NULL, NULL};

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    plugin_printf("started\n");
}
