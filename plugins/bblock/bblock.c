// SPDX-License-Identifier: MIT
// bblock: counts executed blocks.
#include <inttypes.h>

#include "common/filter.h"

EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, NULL, NULL};

EMU_PLUGIN_EXPORT const struct plugin_option plugin_options[];
const struct plugin_option plugin_options[] = {FILTER_OPTIONS, {NULL, NULL, NULL}};

static uint64_t count;

static void on_block(void *data, CPUArchState *cpu)
{
    const struct qemu_block_payload *payload = data;
    jit_attach_count(payload->ctx, JIT_BEFORE, NULL, &count, 1);
}

static void show(PluginInterface *pi, const char *args)
{
    plugin_printf("bblock: %" PRIu64 " blocks\n", count);
}

static void restart(PluginInterface *pi, const char *args)
{
    count = 0;
}

static const PluginCommand commands[] = {
    {"bblock", NULL, "how many blocks were executed", show},
    {"bblock_reset", NULL, "count blocks from 0 again", restart},
    {NULL, NULL, NULL, NULL}};

static void finish(PluginInterface *pi)
{
    show(pi, "");
}

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    struct plugin_subscribe_options options = {0};
    if (!filter_read(pi, &options.filter))
        return;
    pi->cmd_table = commands;
    pi->funcs = &count;
    pi->exit = finish;
    plugin_subscribe_with(on_block, "qemu", "PLUGIN_QEMU_BEFORE_GEN_TB", &options);
}
