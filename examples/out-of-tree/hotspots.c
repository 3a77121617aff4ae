// SPDX-License-Identifier: MIT
// hotspots: counts how often each block of guest code starts; command `hotspots` prints the
// busiest.
#include <emu/plugin.h>
#include <inttypes.h>
#include <stdlib.h>

EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, NULL, NULL};

struct spot {
    struct spot *next;
    uint32_t pc;
    uint64_t count; // incremented by the guest's own code: see on_block
};

static struct spot *table[4096];

static struct spot *spot_of(uint32_t pc)
{
    struct spot **link = &table[(pc >> 2) % 4096];
    while (*link && (*link)->pc != pc)
        link = &(*link)->next;
    if (!*link) {
        *link = calloc(1, sizeof **link);
        if (*link)
            (*link)->pc = pc;
    }
    return *link;
}

static void on_block(void *data, CPUArchState *cpu)
{
    const struct qemu_block_payload *block = data;
    struct spot *spot = spot_of(block->pc);
    if (spot)
        jit_attach_count(block->ctx, JIT_BEFORE, NULL, &spot->count, 1);
    (void)cpu;
}

static void print_hotspots(PluginInterface *pi, const char *args)
{
    static const struct spot nothing;
    uint64_t below = UINT64_MAX;
    for (int n = 0; n < 10; n++) {
        const struct spot *best = &nothing;
        for (unsigned i = 0; i < 4096; i++)
            for (const struct spot *s = table[i]; s; s = s->next)
                if (s->count > best->count && s->count < below)
                    best = s;
        if (best == &nothing)
            break;
        below = best->count;
        plugin_printf("%08" PRIx32 " %" PRIu64 "\n", best->pc, best->count);
    }
    (void)pi;
    (void)args;
}

static const PluginCommand commands[] = {
    {"hotspots", NULL, "the busiest blocks of guest code", print_hotspots},
    {NULL, NULL, NULL, NULL}};

static void leave(PluginInterface *pi)
{
    (void)pi;
    for (unsigned i = 0; i < 4096; i++) {
        while (table[i]) {
            struct spot *s = table[i];
            table[i] = s->next;
            free(s);
        }
    }
}

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    pi->cmd_table = commands;
    pi->exit = leave;
    plugin_subscribe(on_block, "qemu", "PLUGIN_QEMU_BEFORE_GEN_TB");
}
