// SPDX-License-Identifier: MIT
// Without pi_start.
#include <emu/plugin.h>

EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, NULL, NULL};
