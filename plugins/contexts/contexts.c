// SPDX-License-Identifier: MIT
// contexts: remembers every address space (CR3 value) that the guest loads and emits
// contexts/NEW_CONTEXT for each new one.
#include <emu/plugin.h>
#include <stdlib.h>

struct new_context {
    uint32_t context; // CR3 without its flag bits
    uint32_t count;   // contexts known, this one included
};

static const struct payload_field new_context_fields[] = {
    PAYLOAD_FIELD(struct new_context, context, PAYLOAD_HEX32, "CR3 of the new address space"),
    PAYLOAD_FIELD(struct new_context, count, PAYLOAD_U32,
                  "address spaces known, this one included"),
    PAYLOAD_FIELDS_END};
static const struct payload_type new_context_payload = {
    "new_context", 1, sizeof(struct new_context), new_context_fields,
    "An address space that was not seen before is loaded."};

// An open-addressing set of CR3 values; 0 marks a free slot (no kernel keeps a page directory
// there).
struct context_set {
    uint32_t *slots;
    uint32_t capacity; // a power of two
    uint32_t count;
};

static const char *const signals_list[] = {"contexts", NULL};
EMU_PLUGIN_EXPORT const struct pi_info init_info = {signals_list, NULL, NULL};
EMU_PLUGIN_EXPORT const struct plugin_option plugin_options[];
const struct plugin_option plugin_options[] = {{NULL, NULL, NULL}};

static struct {
    SignalInfo *group;
    struct context_set known;
    bool stop_on_new;
} contexts;

static uint32_t slot_of(const struct context_set *set, uint32_t context)
{
    uint32_t i = (context >> 5) * 2654435761u & (set->capacity - 1);
    while (set->slots[i] && set->slots[i] != context)
        i = (i + 1) & (set->capacity - 1);
    return i;
}

static bool set_grow(struct context_set *set)
{
    struct context_set bigger = {.capacity = set->capacity ? set->capacity * 2 : 256,
                                 .count = set->count};
    bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
    if (!bigger.slots)
        return false;
    for (uint32_t i = 0; i < set->capacity; i++)
        if (set->slots[i])
            bigger.slots[slot_of(&bigger, set->slots[i])] = set->slots[i];
    free(set->slots);
    *set = bigger;
    return true;
}

// True when it was not there before.
static bool set_add(struct context_set *set, uint32_t context)
{
    if (context == 0 || (set->count * 2 >= set->capacity && !set_grow(set)))
        return false;
    uint32_t i = slot_of(set, context);
    if (set->slots[i])
        return false;
    set->slots[i] = context;
    set->count++;
    return true;
}

static void on_page_dir(void *data, CPUArchState *cpu)
{
    struct new_context payload = {.context = get_current_context()};
    if (!set_add(&contexts.known, payload.context))
        return;
    payload.count = contexts.known.count;
    plugin_gen_signal(contexts.group, "NEW_CONTEXT", &payload, cpu);
    if (contexts.stop_on_new) {
        plugin_printf("contexts: new context %08x, machine stopped\n", payload.context);
        machine_stop();
    }
}

static void enable_stop(PluginInterface *pi, const char *args)
{
    contexts.stop_on_new = true;
}

static void disable_stop(PluginInterface *pi, const char *args)
{
    contexts.stop_on_new = false;
}

static const PluginCommand commands[] = {
    {"context_enable_stop", NULL, "stop the machine when a new context (address space) appears",
     enable_stop},
    {"context_disable_stop", NULL, "let the machine run when a new context appears", disable_stop},
    {NULL, NULL, NULL, NULL}};

static void contexts_exit(PluginInterface *pi)
{
    free(contexts.known.slots);
}

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    pi->cmd_table = commands;
    pi->exit = contexts_exit;
    contexts.group = plugin_reg_signal("contexts");
    plugin_describe_signal(contexts.group, "NEW_CONTEXT", &new_context_payload);
    plugin_subscribe(on_page_dir, "qemu", "PLUGIN_QEMU_PAGE_DIR_UPD");
}
