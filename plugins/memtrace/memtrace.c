// SPDX-License-Identifier: MIT
// memtrace: every load and store, appended to a buffer by the guest's own code; a full buffer is
// counted and, if asked, written to a file.
#include <inttypes.h>
#include <stdlib.h>

#include "common/filter.h"

EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, NULL, NULL};

EMU_PLUGIN_EXPORT const struct plugin_option plugin_options[];
const struct plugin_option plugin_options[] = {
    {"file", "PATH", "binary records (default: the accesses are only counted)"},
    {"places", "NUMBER", "of code that get a number each; records of others are twice as long"},
    FILTER_OPTIONS,
    {NULL, NULL, NULL}};

#define RECORDS 2048u

// A record is one access. It names the instruction by its number in `places`; number 0 means that
// the record before it is a PC.
#define PLACE_BEFORE 0u
#define FIRST_SLOTS  4096u

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

// PCs by number, and a hash table of the numbers; both have room for `slots`, a power of two.
struct places {
    uint32_t *pcs, *numbers;
    uint32_t count, slots, most;
};

static struct {
    JitBuffer *buffer;
    PluginChannel *channel;
    uint64_t accesses, stores;
    struct places places;
    uint32_t pc;  // of the record before
    bool has_pcs; // some records are PCs
} trace;

// Where the number of a PC stands, or would.
static uint32_t *find_slot(const struct places *p, uint32_t pc)
{
    uint32_t mask = p->slots - 1, at = (uint32_t)(pc * UINT64_C(0x9e3779b97f4a7c15) >> 32);
    while (p->numbers[at & mask] && p->pcs[p->numbers[at & mask]] != pc)
        at++;
    return &p->numbers[at & mask];
}

static bool grow(struct places *p, uint32_t slots)
{
    uint32_t *pcs = realloc(p->pcs, slots * sizeof *pcs);
    if (pcs)
        p->pcs = pcs;
    uint32_t *numbers = calloc(slots, sizeof *numbers);
    if (!pcs || !numbers) {
        free(numbers);
        return false;
    }
    free(p->numbers);
    p->numbers = numbers;
    p->slots = slots;
    for (uint32_t i = 1; i <= p->count; i++)
        *find_slot(p, p->pcs[i]) = i;
    return true;
}

static uint32_t number_of(struct places *p, uint32_t pc)
{
    uint32_t *slot = find_slot(p, pc);
    if (*slot || p->count == p->most)
        return *slot;
    if (p->count + 1 >= p->slots / 2) {
        if (!grow(p, p->slots * 2))
            return PLACE_BEFORE;
        slot = find_slot(p, pc);
    }
    p->pcs[++p->count] = pc;
    return *slot = p->count;
}

static void write_records(const uint64_t *r, size_t count)
{
    static struct record out[RECORDS];
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t place = jit_access_site(r[i]);
        if (jit_access_size(r[i]) == 0)
            trace.pc = (uint32_t)r[i];
        else
            out[n++] =
                (struct record){.pc = place == PLACE_BEFORE ? trace.pc : trace.places.pcs[place],
                                .address = jit_access_address(r[i]),
                                .size = (uint8_t)jit_access_size(r[i]),
                                .is_store = jit_access_is_store(r[i])};
    }
    plugin_channel_write(trace.channel, out, n * sizeof out[0]);
}

static uint64_t count_pcs(const uint64_t *r, size_t count)
{
    uint64_t pcs = 0;
    for (size_t i = 0; i < count; i++)
        pcs += jit_access_size(r[i]) == 0;
    return pcs;
}

// All that happens for each access when there is no file: by four vectors.
typedef uint64_t pair __attribute__((vector_size(16), aligned(8)));

static uint64_t count_stores(const uint64_t *r, size_t count)
{
    pair a = {0}, b = {0}, c = {0}, d = {0};
    const uint64_t *end = r + count;
    for (; end - r >= 8; r += 8) {
        const pair *p = (const pair *)r;
        a += p[0] >> 63;
        b += p[1] >> 63;
        c += p[2] >> 63;
        d += p[3] >> 63;
    }
    a += b + c + d;
    uint64_t stores = a[0] + a[1];
    for (; r < end; r++)
        stores += *r >> 63;
    return stores;
}

static void on_full(void *opaque, const uint64_t *records, size_t count)
{
    trace.stores += count_stores(records, count);
    trace.accesses += count;
    if (trace.has_pcs)
        trace.accesses -= count_pcs(records, count);
    if (trace.channel)
        write_records(records, count);
}

static void attach(JitContext *ctx, enum jit_place place, uint32_t number)
{
    const JitArg access = jit_access_at(number), pc = jit_pc();
    if (number == PLACE_BEFORE) {
        trace.has_pcs = true;
        jit_attach_record(ctx, place, NULL, trace.buffer, 1, &pc);
    }
    jit_attach_record(ctx, place, NULL, trace.buffer, 1, &access);
}

static void on_instruction(void *data, CPUArchState *cpu)
{
    const struct qemu_instr_payload *payload = data;
    uint32_t number = number_of(&trace.places, payload->pc);
    attach(payload->ctx, JIT_LOAD, number);
    attach(payload->ctx, JIT_STORE, number);
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
    free(trace.places.pcs);
    free(trace.places.numbers);
}

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    struct plugin_subscribe_options options = {0};
    uint64_t most = JIT_ACCESS_SITES;
    bool given;
    if (!filter_read(pi, &options.filter) ||
        !filter_number(pi, "places", 10, JIT_ACCESS_SITES, &given, &most))
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
    trace.places.most = (uint32_t)most;
    if (!grow(&trace.places, FIRST_SLOTS)) {
        plugin_fail("there is no memory");
        return;
    }
    trace.buffer = jit_buffer_create(1, RECORDS, on_full, NULL);
    pi->cmd_table = commands;
    pi->exit = finish;
    plugin_subscribe_with(on_instruction, "qemu", "PLUGIN_QEMU_INSTR_TRANSLATE", &options);
}
