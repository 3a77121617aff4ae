// SPDX-License-Identifier: MIT
// The tables of commands and info topics, and running a line.
#include "monitor/command.h"

#include <ctype.h>
#include <stdlib.h>

#define COMMAND(name, alias, grammar, params, help, function)                                      \
    {name, alias, grammar, params, help, function},
#define INFO(name, grammar, params, help, function) {name, NULL, grammar, params, help, function},
const struct command commands[] = {
#include "monitor/commands.def"
};
const struct command info_topics[] = {
#include "monitor/info.def"
};
const size_t command_count = ARRAY_SIZE(commands);
const size_t info_topic_count = ARRAY_SIZE(info_topics);

const struct command *command_find(const struct command *table, size_t count, const char *name,
                                   size_t length)
{
    for (size_t i = 0; i < count; i++) {
        const char *names[] = {table[i].name, table[i].alias};
        for (size_t n = 0; n < ARRAY_SIZE(names); n++)
            if (names[n] && strlen(names[n]) == length && memcmp(names[n], name, length) == 0)
                return &table[i];
    }
    return NULL;
}

// A format may follow without a space: x/4i.
size_t command_name(const char *line, const char **name)
{
    line += strspn(line, " \t");
    *name = line;
    return strcspn(line, " \t/");
}

static bool run(struct monitor *mon, const struct command *command, const char *rest,
                struct error *err)
{
    struct arguments *args = xcalloc(1, sizeof *args);
    struct expr_env env = command_expr_env(mon);
    bool ok =
        command_line_parse(rest, command->grammar, &env, args, err) && command->run(mon, args, err);
    free(args);
    return ok;
}

static void print_error(struct monitor *mon, const struct command *command, const struct error *err)
{
    // Some of those who know the reason name the command themselves.
    size_t length = strlen(command->name);
    bool named = strncmp(err->text, command->name, length) == 0 && err->text[length] == ':';
    monitor_printf(mon, "%s%s%s\n", named ? "" : command->name, named ? "" : ": ", err->text);
}

void command_execute(struct monitor *mon, const char *line)
{
    const char *name;
    size_t length = command_name(line, &name);
    if (length == 0 && !*name)
        return;
    int shown = length > 64 ? 64 : (int)length;
    struct error err = {""};
    const struct command *command = command_find(commands, command_count, name, length);
    if (command) {
        if (!run(mon, command, name + length, &err))
            print_error(mon, command, &err);
        return;
    }
    char *copy = xasprintf("%.*s", (int)length, name);
    char *rest = xstrdup(name + length + strspn(name + length, " \t"));
    size_t end = strlen(rest);
    while (end > 0 && isspace((unsigned char)rest[end - 1]))
        rest[--end] = '\0';
    fflush(mon->out);
    if (!plugin_host_run_command(machine_plugins(mon->machine), copy, rest))
        monitor_printf(mon, "unknown command: '%.*s'; type help\n", shown, name);
    free(rest);
    free(copy);
}

static void list_topics(struct monitor *mon)
{
    for (size_t i = 0; i < info_topic_count; i++)
        monitor_printf(mon, "info %s%s%s  -- %s\n", info_topics[i].name,
                       *info_topics[i].params ? " " : "", info_topics[i].params,
                       info_topics[i].help);
}

bool command_info(struct monitor *mon, const struct arguments *args, struct error *err)
{
    const char *name = args->item[0].text;
    if (!name) {
        list_topics(mon);
        return true;
    }
    const struct command *topic = command_find(info_topics, info_topic_count, name, strlen(name));
    if (!topic)
        return error_set(err, "unknown topic '%.64s'; type info", name);
    return run(mon, topic, args->item[1].text ? args->item[1].text : "", err) ||
           error_prefix(err, "%s", name);
}

static void explain(struct monitor *mon, const struct command *command)
{
    monitor_printf(mon, "%s%s%s%s%s  -- %s\n", command->name, command->alias ? "|" : "",
                   command->alias ? command->alias : "", *command->params ? " " : "",
                   command->params, command->help);
}

struct plugin_help {
    struct monitor *mon;
    const char *name; // only this one; NULL: all
    bool found;
};

static void explain_plugin_command(void *self, const char *plugin, const PluginCommand *command)
{
    struct plugin_help *help = self;
    if (help->name && strcmp(help->name, command->name) != 0)
        return;
    help->found = true;
    monitor_printf(help->mon, "%s%s%s  -- %s [plugin %s]\n", command->name,
                   command->params && *command->params ? " " : "",
                   command->params ? command->params : "", command->help ? command->help : "",
                   plugin);
}

bool command_help(struct monitor *mon, const struct arguments *args, struct error *err)
{
    const char *name = args->item[0].text;
    struct plugin_help help = {.mon = mon, .name = name};
    const struct plugin_host *plugins = machine_plugins(mon->machine);
    if (!name) {
        for (size_t i = 0; i < command_count; i++)
            explain(mon, &commands[i]);
        plugin_host_for_each_command(plugins, explain_plugin_command, &help);
        return true;
    }
    const struct command *command = command_find(commands, command_count, name, strlen(name));
    if (strcmp(name, "info") == 0) {
        list_topics(mon);
    } else if (strncmp(name, "info ", 5) == 0) {
        command = command_find(info_topics, info_topic_count, name + 5, strlen(name + 5));
        if (!command)
            return error_set(err, "unknown topic '%.64s'; type info", name + 5);
        explain(mon, command);
    } else if (command) {
        explain(mon, command);
    } else {
        plugin_host_for_each_command(plugins, explain_plugin_command, &help);
        if (!help.found)
            return error_set(err, "unknown command '%.64s'", name);
    }
    return true;
}
