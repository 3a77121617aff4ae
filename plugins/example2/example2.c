// SPDX-License-Identifier: MIT
// example2: listens to example1's signals (which loads example1) and calls its functions.
#include <emu/plugin.h>

// As example1 publishes it.
struct example1_functions {
    uint64_t (*get_count)(void);
    int (*add)(int a, int b);
};

EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, NULL, NULL};
EMU_PLUGIN_EXPORT const struct plugin_option plugin_options[];
const struct plugin_option plugin_options[] = {{NULL, NULL, NULL}};

static void on_every_10000(void *data, CPUArchState *cpu)
{
    plugin_printf("example2: EVERY_10000: %s\n", (const char *)data);
}

static void on_helper(void *data, CPUArchState *cpu)
{
    plugin_printf("example2: HELPER: %s\n", (const char *)data);
}

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    plugin_subscribe(on_every_10000, "test", "EVERY_10000");
    plugin_subscribe(on_helper, "test", "HELPER");
    const struct example1_functions *example1 = plugin_get_functions_list("example1");
    if (!example1)
        return;
    plugin_printf("example2: example1 has counted %llu instructions\n",
                  (unsigned long long)example1->get_count());
    plugin_printf("example2: example1 says that 2 + 3 = %d\n", example1->add(2, 3));
}
