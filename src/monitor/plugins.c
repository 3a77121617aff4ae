// SPDX-License-Identifier: MIT
// Commands and topics of the plugin bus.
#include "monitor/command.h"

bool command_load_plugin(struct monitor *mon, const struct arguments *args, struct error *err)
{
    struct plugin_host *host = machine_plugins(mon->machine);
    const char *name = args->item[0].text;
    if (args->item[1].present)
        return plugin_host_load(host, name, args->item[1].text, err);
    size_t length = strlen(name);
    if (length == 0 || *name == ',' || name[length - 1] == ',')
        return error_set(err, "an empty plugin name");
    return plugin_host_load_list(host, name, err);
}

bool command_reload_plugin(struct monitor *mon, const struct arguments *args, struct error *err)
{
    return plugin_host_reload(machine_plugins(mon->machine), args->item[0].text, args->item[1].text,
                              err);
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
    print_names(mon, "arguments", view->args);
    for (const struct plugin_option *o = view->options; o && o->name; o++)
        monitor_printf(mon, "  option %s=%s  -- %s\n", o->name, o->params ? o->params : "",
                       o->help ? o->help : "");
}

bool info_plugins(struct monitor *mon, const struct arguments *args, struct error *err)
{
    plugin_host_for_each(machine_plugins(mon->machine), describe_one, mon);
    return true;
}

bool info_signals(struct monitor *mon, const struct arguments *args, struct error *err)
{
    return plugin_host_describe_signals(machine_plugins(mon->machine), args->item[0].text, mon->out,
                                        err);
}
