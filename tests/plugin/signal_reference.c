// SPDX-License-Identifier: MIT
// signal_reference: writes docs/signals.md, from what emu and the plugins of this build describe.
// Plugins for other guest systems provide groups of the same name: each system's reference is made,
// and sections that say the same are one.
#include <string.h>

#include "small_machine.h"

#define MAX_SECTIONS 64

struct section {
    const char *title, *body; // lengths below; they point into texts that are kept
    size_t title_length, body_length;
    char providers[256];
};

static void load_one(void *self, const char *name)
{
    struct error err;
    plugin_host_load(self, name, NULL, &err); // one for another system describes nothing
}

static void reference_of(const char *os_version, char **text)
{
    size_t size = 0;
    struct small_machine *m = small_create(os_version);
    plugin_host_for_each_available(m->host, load_one, m->host);
    FILE *out = open_memstream(text, &size);
    plugin_host_write_reference(m->host, out);
    fclose(out);
    small_destroy(m);
}

// Adds a section, "## Group NAME\n\nProvided by PROVIDER.\n" and the rest, to those known.
static size_t merge(struct section *known, size_t count, const char *text, size_t length)
{
    static const char by[] = "\n\nProvided by ";
    const char *provider = strstr(text, by);
    const char *end = strstr(provider, ".\n");
    struct section s = {.title = text,
                        .title_length = (size_t)(provider - text),
                        .body = end,
                        .body_length = (size_t)(text + length - end)};
    provider += sizeof by - 1;
    snprintf(s.providers, sizeof s.providers, "%.*s", (int)(end - provider), provider);
    size_t at = count;
    for (size_t i = 0; i < count; i++) {
        if (known[i].title_length != s.title_length ||
            memcmp(known[i].title, s.title, s.title_length) != 0)
            continue;
        at = i + 1; // sections of one group stay together
        if (known[i].body_length != s.body_length ||
            memcmp(known[i].body, s.body, s.body_length) != 0)
            continue;
        size_t used = strlen(known[i].providers);
        if (!strstr(known[i].providers, s.providers))
            snprintf(known[i].providers + used, sizeof known[i].providers - used, ", %s",
                     s.providers);
        return count;
    }
    if (count == MAX_SECTIONS)
        return count;
    memmove(known + at + 1, known + at, (count - at) * sizeof *known);
    known[at] = s;
    return count + 1;
}

int main(void)
{
    static const char *const systems[] = {"Linux", "WinXP", "Win7", "Win8", "Win8.1"};
    char *texts[sizeof systems / sizeof systems[0]];
    struct section sections[MAX_SECTIONS];
    size_t count = 0, head = 0;
    setenv("EMU_PLUGIN_PATH", PLUGIN_DIR, 1);
    for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++) {
        reference_of(systems[i], &texts[i]);
        const char *at = strstr(texts[i], "## Group ");
        head = (size_t)(at - texts[i]);
        while (at) {
            const char *next = strstr(at + 1, "\n## Group ");
            size_t length = next ? (size_t)(next - at) : strlen(at) - 1;
            count = merge(sections, count, at, length);
            at = next ? next + 1 : NULL;
        }
    }
    printf("%.*s", (int)head, texts[0]);
    for (size_t i = 0; i < count; i++)
        printf("%.*s\n\nProvided by %s%.*s\n", (int)sections[i].title_length, sections[i].title,
               sections[i].providers, (int)sections[i].body_length, sections[i].body);
    for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++)
        free(texts[i]);
    return 0;
}
