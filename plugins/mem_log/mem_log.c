// SPDX-License-Identifier: MIT
// mem_log: writes every load and store of the guest to a file, as text or as binary records, for
// one process, privilege level or address range if asked.
#include <emu/plugin.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, NULL, NULL};

EMU_PLUGIN_EXPORT const struct plugin_option plugin_options[];
const struct plugin_option plugin_options[] = {
    {"file", "PATH", "where to write (default: the monitor)"},
    {"format", "text|binary", "default: text"},
    {"context", "CR3", "this process only (hexadecimal)"},
    {"cpl", "0..3", "this privilege level only"},
    {"first", "ADDRESS", "from this linear address on (hexadecimal)"},
    {"last", "ADDRESS", "up to this one"},
    {"limit", "N", "stop logging after N accesses"},
    {NULL, NULL, NULL}};

// A binary file: the header, then records, all little-endian.
struct file_header {
    char magic[8]; // "EMUMEMLG"
    uint32_t version, record_size;
};

struct record {
    uint64_t instruction; // count since power-on
    uint64_t value;
    uint64_t paddr; // all ones: not mapped
    uint32_t pc, vaddr, context;
    uint8_t is_load, size, cpl, reserved;
};

static struct {
    PluginChannel *channel;
    struct plugin_subscribe_options options;
    bool binary, on;
    uint64_t count, limit;
} mem_log;

static void write_text(const struct record *r)
{
    plugin_channel_printf(mem_log.channel,
                          "%08" PRIx32 " %s%u %0*" PRIx64 " v %08" PRIx32 " p %08" PRIx64
                          " cr3 %08" PRIx32 " cpl %u\n",
                          r->pc, r->is_load ? "load" : "store", r->size * 8u, r->size * 2, r->value,
                          r->vaddr, r->paddr, r->context, r->cpl);
}

static void set_logging(bool on);

static void on_access(void *data, CPUArchState *cpu)
{
    const struct qemu_mem_op_payload *op = data;
    struct record r = {.instruction = cpu_instruction_count(cpu),
                       .value = op->value,
                       .pc = cpu_get_register(cpu, EMU_CS_BASE) + cpu_get_register(cpu, EMU_EIP),
                       .vaddr = op->vaddr,
                       .context = get_current_context(),
                       .is_load = op->is_load,
                       .size = op->size,
                       .cpl = (uint8_t)cpu_get_register(cpu, EMU_CPL)};
    if (!cpu_translate(cpu, op->vaddr, &r.paddr))
        r.paddr = UINT64_MAX;
    if (mem_log.binary)
        plugin_channel_write(mem_log.channel, &r, sizeof r);
    else
        write_text(&r);
    if (++mem_log.count == mem_log.limit) {
        set_logging(false);
        plugin_printf("mem_log: %" PRIu64 " accesses written, the limit\n", mem_log.count);
    }
}

static void set_logging(bool on)
{
    if (on == mem_log.on)
        return;
    mem_log.on = on;
    if (on) {
        plugin_subscribe_with(on_access, "qemu", "PLUGIN_QEMU_MEM_OP", &mem_log.options);
    } else {
        plugin_del_subscriber(on_access, "qemu", "PLUGIN_QEMU_MEM_OP");
        plugin_channel_flush(mem_log.channel);
    }
}

static void enable(PluginInterface *pi, const char *args)
{
    set_logging(true);
}

static void disable(PluginInterface *pi, const char *args)
{
    set_logging(false);
    plugin_printf("mem_log: %" PRIu64 " accesses written\n", mem_log.count);
}

static const PluginCommand commands[] = {
    {"enable_mem_log", NULL, "write loads and stores again", enable},
    {"disable_mem_log", NULL, "stop writing loads and stores", disable},
    {NULL, NULL, NULL, NULL}};

// False, after plugin_fail, when the argument is no number of that base up to `most`.
static bool number(const PluginInterface *pi, const char *key, int base, uint64_t most, bool *given,
                   uint64_t *value)
{
    const char *text = plugin_argument(pi, key);
    *given = text != NULL;
    if (!text)
        return true;
    char *end;
    errno = 0;
    *value = strtoull(text, &end, base);
    if (*text && !*end && !errno && *value <= most)
        return true;
    plugin_fail("%s=%s is not a number that fits", key, text);
    return false;
}

static bool read_filter(const PluginInterface *pi, struct plugin_filter *filter)
{
    uint64_t context = 0, cpl = 0, first = 0, last = UINT32_MAX;
    bool from, to, limited;
    if (!number(pi, "context", 16, UINT32_MAX, &filter->by_context, &context) ||
        !number(pi, "cpl", 10, 3, &filter->by_cpl, &cpl) ||
        !number(pi, "first", 16, UINT32_MAX, &from, &first) ||
        !number(pi, "last", 16, UINT32_MAX, &to, &last) ||
        !number(pi, "limit", 10, UINT64_MAX, &limited, &mem_log.limit))
        return false;
    filter->context = (uint32_t)context;
    filter->cpl = (uint32_t)cpl;
    filter->by_address = from || to;
    filter->first = (uint32_t)first;
    filter->last = (uint32_t)last;
    return true;
}

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    const char *format = plugin_argument(pi, "format");
    pi->cmd_table = commands;
    if (format && strcmp(format, "text") != 0 && strcmp(format, "binary") != 0) {
        plugin_fail("format=%s: say text or binary", format);
        return;
    }
    mem_log.binary = format && strcmp(format, "binary") == 0;
    if (mem_log.binary && !plugin_argument(pi, "file")) {
        plugin_fail("format=binary needs file=PATH");
        return;
    }
    if (!read_filter(pi, &mem_log.options.filter))
        return;
    mem_log.channel = plugin_channel_open(plugin_argument(pi, "file"));
    if (!mem_log.channel) {
        plugin_fail("its output file cannot be written");
        return;
    }
    if (mem_log.binary) {
        static const struct file_header header = {
            {'E', 'M', 'U', 'M', 'E', 'M', 'L', 'G'}, 1, sizeof(struct record)};
        plugin_channel_write(mem_log.channel, &header, sizeof header);
    }
    set_logging(true);
}
