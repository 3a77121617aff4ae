// SPDX-License-Identifier: MIT
// Commands and topics of the plugin bus.
#include <stdlib.h>

#include "monitor/command.h"

bool command_load_plugin(struct monitor *mon, const struct arguments *args, struct error *err)
{
    const char *p = args->item[0].text;
    for (;;) {
        size_t length = strcspn(p, ",");
        if (length == 0)
            return error_set(err, "an empty plugin name");
        char *name = xasprintf("%.*s", (int)length, p);
        bool ok = plugin_host_load(machine_plugins(mon->machine), name, "", err);
        free(name);
        if (!ok || !p[length])
            return ok;
        p += length + 1;
    }
}

static void list_one(void *self, const struct plugin_view *view)
{
    monitor_printf(self, "%s\n", view->name);
}

bool command_list_plugins(struct monitor *mon, const struct arguments *args, struct error *err)
{
    plugin_host_for_each(machine_plugins(mon->machine), list_one, mon);
    return true;
}

bool command_stop_plugin(struct monitor *mon, const struct arguments *args, struct error *err)
{
    return plugin_host_unload(machine_plugins(mon->machine), args->item[0].text, err);
}

bool command_unload_plugin(struct monitor *mon, const struct arguments *args, struct error *err)
{
    if (args->item[0].present)
        return command_stop_plugin(mon, args, err);
    plugin_host_unload_all(machine_plugins(mon->machine));
    return true;
}

static void print_names(struct monitor *mon, const char *title, const char *const *names)
{
    if (!names || !*names)
        return;
    monitor_printf(mon, "  %s:", title);
    for (; *names; names++)
        monitor_printf(mon, " %s", *names);
    monitor_printf(mon, "\n");
}

static void describe_one(void *self, const struct plugin_view *view)
{
    struct monitor *mon = self;
    monitor_printf(mon, "%s (%s)\n", view->name, view->path);
    print_names(mon, "provides", view->signals);
    print_names(mon, "needs", view->dependencies);
}

bool info_plugins(struct monitor *mon, const struct arguments *args, struct error *err)
{
    plugin_host_for_each(machine_plugins(mon->machine), describe_one, mon);
    return true;
}

struct signal_query {
    struct monitor *mon;
    const char *group; // NULL: all
    size_t group_length;
    const char *id; // NULL: all of the group
    bool found;
};

static void print_field(struct monitor *mon, const struct payload_field *field)
{
    static const char *const types[] = {
        [PAYLOAD_U8] = "u8",          [PAYLOAD_U16] = "u16",     [PAYLOAD_U32] = "u32",
        [PAYLOAD_U64] = "u64",        [PAYLOAD_S32] = "s32",     [PAYLOAD_S64] = "s64",
        [PAYLOAD_BOOL] = "bool",      [PAYLOAD_HEX32] = "hex32", [PAYLOAD_HEX64] = "hex64",
        [PAYLOAD_STRING] = "string",  [PAYLOAD_BYTES] = "bytes", [PAYLOAD_SIZE] = "size",
        [PAYLOAD_POINTER] = "pointer"};
    bool known = field->type < ARRAY_SIZE(types);
    monitor_printf(mon, "    %-16s %-8s offset %u, size %u%s%s\n", field->name,
                   known ? types[field->type] : "?", field->offset, field->size,
                   field->help ? "  -- " : "", field->help ? field->help : "");
}

static void print_signal(void *self, const struct signal_view *view)
{
    struct signal_query *query = self;
    if (query->group && (strlen(view->group) != query->group_length ||
                         memcmp(view->group, query->group, query->group_length) != 0))
        return;
    if (query->id && strcmp(view->id, query->id) != 0)
        return;
    query->found = true;
    monitor_printf(query->mon, "%s/%s: by %s, %u subscriber%s, emitted %llu times to them\n",
                   view->group, view->id, view->owner_name ? view->owner_name : "emu",
                   view->subscribers, view->subscribers == 1 ? "" : "s",
                   (unsigned long long)view->emissions);
    const struct payload_type *payload = view->payload;
    if (!query->group || !payload)
        return;
    monitor_printf(query->mon, "  payload %s version %u, %u bytes\n", payload->name,
                   payload->version, payload->size);
    for (const struct payload_field *f = payload->fields; f && f->name; f++)
        print_field(query->mon, f);
}

bool info_signals(struct monitor *mon, const struct arguments *args, struct error *err)
{
    struct signal_query query = {.mon = mon, .group = args->item[0].text};
    if (query.group) {
        query.group_length = strcspn(query.group, "/");
        if (query.group[query.group_length] == '/')
            query.id = query.group + query.group_length + 1;
    }
    broker_for_each(machine_broker(mon->machine), print_signal, &query);
    if (query.group && !query.found)
        return error_set(err, "no signal '%.64s'", query.group);
    return true;
}
