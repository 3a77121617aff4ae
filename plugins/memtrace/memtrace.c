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

enum { FIELD_ADDRESS, FIELD_CODE, FIELD_SIZE, FIELDS };
#define STORE   (UINT64_C(1) << 32) // in FIELD_CODE, above the program counter
#define RECORDS 4096u

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

static void on_full(void *opaque, const uint64_t *records, size_t count)
{
    static struct record out[RECORDS];
    const uint64_t *r = records;
    trace.accesses += count;
    for (size_t i = 0; i < count; i++, r += FIELDS) {
        bool is_store = (r[FIELD_CODE] & STORE) != 0;
        trace.stores += is_store;
        out[i] = (struct record){.pc = (uint32_t)r[FIELD_CODE],
                                 .address = (uint32_t)r[FIELD_ADDRESS],
                                 .size = (uint8_t)r[FIELD_SIZE],
                                 .is_store = is_store};
    }
    if (trace.channel)
        plugin_channel_write(trace.channel, out, count * sizeof out[0]);
}

static void on_instruction(void *data, CPUArchState *cpu)
{
    const struct qemu_instr_payload *payload = data;
    const JitArg load[FIELDS] = {jit_address(), jit_const64(payload->pc), jit_size()};
    const JitArg store[FIELDS] = {jit_address(), jit_const64(payload->pc | STORE), jit_size()};
    jit_attach_record(payload->ctx, JIT_LOAD, NULL, trace.buffer, FIELDS, load);
    jit_attach_record(payload->ctx, JIT_STORE, NULL, trace.buffer, FIELDS, store);
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
