// SPDX-License-Identifier: MIT
// What can stand where the cursor is: commands, and arguments by the letter of the grammar.
#include "monitor/complete.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "devices/keymap.h"
#include "monitor/command.h"

struct completion {
    struct monitor *mon;
    const char *prefix;
    struct word_list *list;
};

static void offer(struct completion *c, const char *word)
{
    if (word && strncmp(word, c->prefix, strlen(c->prefix)) == 0)
        word_list_add(c->list, word);
}

static void offer_commands(struct completion *c, const struct command *table, size_t count)
{
    for (size_t i = 0; i < count; i++)
        offer(c, table[i].name);
}

static void offer_plugin_command(void *self, const char *plugin, const PluginCommand *command)
{
    offer(self, command->name);
}

static void offer_all_commands(struct completion *c)
{
    offer_commands(c, commands, command_count);
    plugin_host_for_each_command(machine_plugins(c->mon->machine), offer_plugin_command, c);
}

static void offer_loaded(void *self, const struct plugin_view *view)
{
    offer(self, view->name);
}

static void offer_available(void *self, const char *name)
{
    offer(self, name);
}

static void offer_signal(void *self, const struct signal_view *view)
{
    char *name = xasprintf("%s/%s", view->group, view->id);
    offer(self, name);
    free(name);
}

static void offer_devices(struct completion *c)
{
    static const char *const kinds[] = {"hd", "cd"};
    const struct machine_config *config = machine_get_config(c->mon->machine);
    for (unsigned i = 0; i < MACHINE_MAX_DRIVES; i++) {
        if (!config->drives[i].present)
            continue;
        char *name = xasprintf("ide%u-%s%u", i / 2, kinds[config->drives[i].cdrom], i % 2);
        offer(c, name);
        free(name);
    }
}

// The last key of a chord.
static void offer_keys(struct completion *c, size_t *start)
{
    const char *dash = strrchr(c->prefix, '-');
    if (dash) {
        *start += (size_t)(dash + 1 - c->prefix);
        c->prefix = dash + 1;
    }
    for (size_t i = 0; i < keymap_count(); i++)
        offer(c, keymap_name(i));
}

static void offer_categories(struct completion *c, size_t *start)
{
    const char *comma = strrchr(c->prefix, ',');
    if (comma) {
        *start += (size_t)(comma + 1 - c->prefix);
        c->prefix = comma + 1;
    }
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return;
    log_list_categories(out);
    fclose(out);
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        line[strcspn(line, " ")] = '\0';
        if (*line)
            offer(c, line);
    }
    free(text);
    offer(c, "all");
    offer(c, "none");
}

static void offer_files(struct completion *c)
{
    const char *slash = strrchr(c->prefix, '/');
    int length = slash ? (int)(slash + 1 - c->prefix) : 0;
    char *folder = length ? xasprintf("%.*s", length, c->prefix) : xstrdup(".");
    DIR *dir = opendir(folder);
    free(folder);
    if (!dir)
        return;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (entry->d_name[0] == '.' && c->prefix[length] != '.')
            continue;
        char *path = xasprintf("%.*s%s", length, c->prefix, entry->d_name);
        struct stat st;
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
            char *with_slash = xasprintf("%s/", path);
            size_t before = c->list->count;
            offer(c, with_slash);
            c->list->is_partial |= c->list->count > before;
            free(with_slash);
        } else {
            offer(c, path);
        }
        free(path);
    }
    closedir(dir);
}

// The register at the end of an expression.
static void offer_registers(struct completion *c, size_t *start)
{
    const char *dollar = strrchr(c->prefix, '$');
    if (!dollar)
        return;
    *start += (size_t)(dollar + 1 - c->prefix);
    c->prefix = dollar + 1;
    for (size_t i = 0; register_name(i); i++)
        offer(c, register_name(i));
}

static void offer_kind(struct completion *c, char kind, size_t *start)
{
    struct plugin_host *plugins = machine_plugins(c->mon->machine);
    switch (kind) {
    case 'e':
        offer_registers(c, start);
        break;
    case 'f':
        offer_files(c);
        break;
    case 'l':
        plugin_host_for_each(plugins, offer_loaded, c);
        break;
    case 'L':
        if (*c->prefix == '.' || *c->prefix == '/')
            offer_files(c);
        else
            plugin_host_for_each_available(plugins, offer_available, c);
        break;
    case 'b':
        offer_devices(c);
        break;
    case 'k':
        offer_keys(c, start);
        break;
    case 'c':
        offer_categories(c, start);
        break;
    case 't':
        offer_commands(c, info_topics, info_topic_count);
        break;
    case 's':
        broker_for_each(machine_broker(c->mon->machine), offer_signal, c);
        break;
    default:
        break;
    }
}

void complete_line(void *self, const char *line, size_t length, size_t *start,
                   struct word_list *list)
{
    struct completion c = {.mon = self, .list = list};
    const char *name;
    size_t name_length = command_name(line, &name);
    if (!name[name_length]) {
        *start = (size_t)(name - line);
        c.prefix = name;
        offer_all_commands(&c);
        return;
    }
    const char *rest = name + name_length;
    const struct command *command = command_find(commands, command_count, name, name_length);
    if (!command)
        return;
    rest += strspn(rest, " \t");
    if (command->run == command_help) {
        *start = (size_t)(rest - line);
        c.prefix = rest;
        offer_all_commands(&c);
        return;
    }
    size_t word = strcspn(rest, " \t");
    if (command->run == command_info && rest[word]) {
        command = command_find(info_topics, info_topic_count, rest, word);
        if (!command)
            return;
        rest += word;
    }
    size_t at;
    char kind = command_line_kind_at_end(rest, command->grammar, &at);
    if (!kind)
        return;
    c.prefix = rest + at;
    *start = (size_t)(rest + at - line);
    offer_kind(&c, kind, start);
}
