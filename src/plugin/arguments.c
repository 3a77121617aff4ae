// SPDX-License-Identifier: MIT
// Arguments of plugins: "key=value" items, separated by spaces or commas.
#include <stdlib.h>
#include <string.h>

#include "plugin/host_internal.h"

void arguments_free(char **list)
{
    for (char **item = list; item && *item; item++)
        free(*item);
    free(list);
}

bool arguments_parse(const char *text, char ***list, struct error *err)
{
    size_t count = 0;
    char **items = xcalloc(1, sizeof *items);
    for (const char *at = text ? text : ""; *(at += strspn(at, " \t,")) != 0;) {
        size_t length = strcspn(at, " \t,");
        char *item = xasprintf("%.*s", (int)length, at);
        at += length;
        if (!strchr(item, '=') || item[0] == '=') {
            error_set(err, "'%s' is no argument of a plugin; write key=value", item);
            free(item);
            arguments_free(items);
            return false;
        }
        items = xrealloc(items, (count + 2) * sizeof *items);
        items[count++] = item;
        items[count] = NULL;
    }
    *list = items;
    return true;
}

static bool option_is(const char *item, const char *name)
{
    size_t length = strlen(name);
    return strncmp(item, name, length) == 0 && item[length] == '=';
}

bool arguments_check(const struct plugin *plugin, struct error *err)
{
    if (!plugin->options)
        return true;
    for (char **item = plugin->args; *item; item++) {
        const struct plugin_option *option = plugin->options;
        while (option->name && !option_is(*item, option->name))
            option++;
        if (option->name)
            continue;
        char known[256] = "";
        for (option = plugin->options; option->name; option++) {
            size_t used = strlen(known);
            snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", option->name);
        }
        return error_set(err, "plugin '%s' has no argument '%.*s'; it takes %s", plugin->name,
                         (int)strcspn(*item, "="), *item, known[0] ? known : "none");
    }
    return true;
}

EMU_API const char *plugin_argument(const PluginInterface *pi, const char *key)
{
    for (const char *const *item = pi && key ? pi->args : NULL; item && *item; item++)
        if (option_is(*item, key))
            return strchr(*item, '=') + 1;
    return NULL;
}
