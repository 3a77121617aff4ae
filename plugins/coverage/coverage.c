// SPDX-License-Identifier: MIT
// coverage: which blocks were executed, as a drcov file (version 2) with one module that stands for
// the guest's linear memory, or for a range of it.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/filter.h"

EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, NULL, NULL};

EMU_PLUGIN_EXPORT const struct plugin_option plugin_options[];
const struct plugin_option plugin_options[] = {
    {"file", "PATH", "written by unloading; coverage_save PATH writes one at any time"},
    {"module", "NAME", "path of the module that first..last is shown as (default: guest)"},
    FILTER_OPTIONS,
    {NULL, NULL, NULL}};

#define BUCKETS 65536u

struct block {
    struct block *next;
    uint32_t pc, length;
    uint64_t seen; // stored by the guest's code
};

struct drcov_entry {
    uint32_t offset;
    uint16_t size, module;
};

static struct {
    struct block *buckets[BUCKETS];
    uint64_t made;
    struct plugin_subscribe_options options;
    const char *file, *module;
} coverage;

// A block is made anew each time its translation was dropped.
static struct block *find_block(uint32_t pc, uint32_t length)
{
    struct block **bucket = &coverage.buckets[(pc ^ pc >> 16) % BUCKETS];
    struct block *b = *bucket;
    while (b && (b->pc != pc || b->length != length))
        b = b->next;
    if (b)
        return b;
    b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->pc = pc;
    b->length = length;
    b->next = *bucket;
    *bucket = b;
    coverage.made++;
    return b;
}

static void on_block(void *data, CPUArchState *cpu)
{
    const struct qemu_block_payload *payload = data;
    struct block *b = find_block(payload->pc, payload->length);
    // Who was seen needs nothing more.
    if (b && !b->seen)
        jit_attach_store(payload->ctx, JIT_BEFORE, NULL, &b->seen, jit_const32(1));
}

static uint64_t seen_blocks(void)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < BUCKETS; i++)
        for (const struct block *b = coverage.buckets[i]; b; b = b->next)
            n += b->seen;
    return n;
}

static bool save(const char *path)
{
    uint32_t first = coverage.options.filter.by_address ? coverage.options.filter.first : 0;
    uint32_t last = coverage.options.filter.by_address ? coverage.options.filter.last : UINT32_MAX;
    PluginChannel *out = plugin_channel_open(path);
    if (!out)
        return false;
    plugin_channel_printf(out,
                          "DRCOV VERSION: 2\nDRCOV FLAVOR: drcov\n"
                          "Module Table: version 2, count 1\n"
                          "Columns: id, base, end, entry, checksum, timestamp, path\n"
                          " 0, 0x%08" PRIx32 ", 0x%08" PRIx32 ", 0x0000000000000000, 0x00000000, "
                          "0x00000000, %s\nBB Table: %" PRIu64 " bbs\n",
                          first, last, coverage.module ? coverage.module : "guest", seen_blocks());
    for (unsigned i = 0; i < BUCKETS; i++) {
        for (const struct block *b = coverage.buckets[i]; b; b = b->next) {
            struct drcov_entry entry = {b->pc - first, (uint16_t)b->length, 0};
            if (b->seen)
                plugin_channel_write(out, &entry, sizeof entry);
        }
    }
    plugin_channel_close(out);
    return true;
}

static void show(PluginInterface *pi, const char *args)
{
    plugin_printf("coverage: %" PRIu64 " of %" PRIu64 " blocks executed\n", seen_blocks(),
                  coverage.made);
}

static void save_command(PluginInterface *pi, const char *args)
{
    const char *path = *args ? args : coverage.file;
    if (!path)
        plugin_printf("coverage_save: name a file\n");
    else if (save(path))
        plugin_printf("coverage: %" PRIu64 " blocks written to %s\n", seen_blocks(), path);
}

static const PluginCommand commands[] = {
    {"coverage", NULL, "how many blocks were executed", show},
    {"coverage_save", "[file]", "write a drcov file", save_command},
    {NULL, NULL, NULL, NULL}};

static void finish(PluginInterface *pi)
{
    if (coverage.file)
        save(coverage.file);
    show(pi, "");
    plugin_del_subscriber(on_block, "qemu", "PLUGIN_QEMU_BEFORE_GEN_TB");
}

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    if (!filter_read(pi, &coverage.options.filter))
        return;
    coverage.file = plugin_argument(pi, "file");
    coverage.module = plugin_argument(pi, "module");
    pi->cmd_table = commands;
    pi->exit = finish;
    plugin_subscribe_with(on_block, "qemu", "PLUGIN_QEMU_BEFORE_GEN_TB", &coverage.options);
}

// The guest's code is gone when the module is.
__attribute__((destructor)) static void release(void)
{
    for (unsigned i = 0; i < BUCKETS; i++) {
        while (coverage.buckets[i]) {
            struct block *b = coverage.buckets[i];
            coverage.buckets[i] = b->next;
            free(b);
        }
    }
}
