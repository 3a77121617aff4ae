// SPDX-License-Identifier: MIT
// Provides group "alpha" with a described payload and a table of functions.
#include <emu/plugin.h>

#include "alpha.h"

static const char *const signals_list[] = {"alpha", NULL};
EMU_PLUGIN_EXPORT const struct pi_info init_info = {signals_list, NULL, NULL};

static SignalInfo *group;
static SignalHandle *handle;

static void emit(uint32_t value, const char *text)
{
    struct alpha_tick tick = {value, text};
    plugin_gen_signal(group, "TICK", &tick, NULL);
}

static void emit_handle(uint32_t value)
{
    struct alpha_tick tick = {value, "handle"};
    plugin_emit(handle, &tick, NULL);
}

static int add(int a, int b)
{
    return a + b;
}

static const struct alpha_functions functions = {emit, emit_handle, add};

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    pi->funcs = &functions;
    group = plugin_reg_signal("alpha");
    plugin_describe_signal(group, "TICK", &alpha_tick_type);
    handle = plugin_resolve_signal(group, "TICK");
}
