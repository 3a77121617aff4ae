// SPDX-License-Identifier: MIT
// memtrace: every load and store, appended to a buffer by the guest's own code; a full buffer is
// counted and, if asked, written to a file.
#include <inttypes.h>

#include "common/filter.h"

EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, NULL, NULL};

EMU_PLUGIN_EXPORT const struct plugin_option plugin_options[];
const struct plugin_option plugin_options[] = {
    {"file", "PATH", "binary records (default: the accesses are only counted)"},
    FILTER_OPTIONS,
    {NULL, NULL, NULL}};

enum { FIELD_ACCESS, FIELD_PC, FIELDS };
#define RECORDS 1024u

// A file: the header, then records, all little-endian.
struct file_header {
    char magic[8]; // "EMUMTRAC"
    uint32_t version, record_size;
};

struct record {
    uint32_t pc, address;
    uint8_t size, is_store;
    uint16_t reserved;
};

static struct {
    JitBuffer *buffer;
    PluginChannel *channel;
    uint64_t accesses, stores;
} trace;

static void write_records(const uint64_t *r, size_t count)
{
    static struct record out[RECORDS];
    for (size_t i = 0; i < count; i++, r += FIELDS)
        out[i] = (struct record){.pc = (uint32_t)r[FIELD_PC],
                                 .address = jit_access_address(r[FIELD_ACCESS]),
                                 .size = (uint8_t)jit_access_size(r[FIELD_ACCESS]),
                                 .is_store = jit_access_is_store(r[FIELD_ACCESS])};
    plugin_channel_write(trace.channel, out, count * sizeof out[0]);
}

static void on_full(void *opaque, const uint64_t *records, size_t count)
{
    const uint64_t *access = records + FIELD_ACCESS, *end = access + count * FIELDS;
    uint64_t stores = 0;
    for (; end - access >= 4 * FIELDS; access += 4 * FIELDS)
        stores += access[0] / JIT_ACCESS_STORE + access[FIELDS] / JIT_ACCESS_STORE +
                  access[2 * FIELDS] / JIT_ACCESS_STORE + access[3 * FIELDS] / JIT_ACCESS_STORE;
    for (; access < end; access += FIELDS)
        stores += *access / JIT_ACCESS_STORE;
    trace.accesses += count;
    trace.stores += stores;
    if (trace.channel)
        write_records(records, count);
}

static void on_instruction(void *data, CPUArchState *cpu)
{
    const struct qemu_instr_payload *payload = data;
    const JitArg fields[FIELDS] = {jit_access(), jit_pc()};
    jit_attach_record(payload->ctx, JIT_LOAD, NULL, trace.buffer, FIELDS, fields);
    jit_attach_record(payload->ctx, JIT_STORE, NULL, trace.buffer, FIELDS, fields);
}

static void show(PluginInterface *pi, const char *args)
{
    jit_buffer_flush(trace.buffer);
    plugin_printf("memtrace: %" PRIu64 " loads, %" PRIu64 " stores\n",
                  trace.accesses - trace.stores, trace.stores);
    if (trace.channel)
        plugin_channel_flush(trace.channel);
}

static const PluginCommand commands[] = {
    {"memtrace", NULL, "how many loads and stores were seen", show}, {NULL, NULL, NULL, NULL}};

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
    if (plugin_argument(pi, "file")) {
        static const struct file_header header = {
            {'E', 'M', 'U', 'M', 'T', 'R', 'A', 'C'}, 1, sizeof(struct record)};
        trace.channel = plugin_channel_open(plugin_argument(pi, "file"));
        if (!trace.channel) {
            plugin_fail("its output file cannot be written");
            return;
        }
        plugin_channel_write(trace.channel, &header, sizeof header);
    }
    trace.buffer = jit_buffer_create(FIELDS, RECORDS, on_full, NULL);
    pi->cmd_table = commands;
    pi->exit = finish;
    plugin_subscribe_with(on_instruction, "qemu", "PLUGIN_QEMU_INSTR_TRANSLATE", &options);
}
