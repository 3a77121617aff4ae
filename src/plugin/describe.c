// SPDX-License-Identifier: MIT
// Signals as text: `info signals` and the Markdown reference.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/host_internal.h"

static const char *type_name(enum payload_field_type type)
{
    switch (type) {
    case PAYLOAD_U8:
        return "u8";
    case PAYLOAD_U16:
        return "u16";
    case PAYLOAD_U32:
        return "u32";
    case PAYLOAD_U64:
        return "u64";
    case PAYLOAD_S32:
        return "s32";
    case PAYLOAD_S64:
        return "s64";
    case PAYLOAD_BOOL:
        return "bool";
    case PAYLOAD_HEX32:
        return "hex32";
    case PAYLOAD_HEX64:
        return "hex64";
    case PAYLOAD_STRING:
        return "string";
    case PAYLOAD_BYTES:
        return "bytes";
    case PAYLOAD_SIZE:
        return "size";
    case PAYLOAD_POINTER:
        return "pointer";
    }
    return "?";
}

struct description {
    FILE *out;
    const char *group; // NULL: all
    size_t group_length;
    const char *id; // NULL: all of the group
    unsigned found;
};

static void describe_subscriber(void *self, const struct subscriber_view *view)
{
    FILE *out = self;
    fprintf(out, "    subscriber %s: %llu calls, %.6f s",
            view->owner_name ? view->owner_name : "emu", (unsigned long long)view->calls,
            view->seconds);
    if (view->calls)
        fprintf(out, " (%.0f ns each)", view->seconds * 1e9 / (double)view->calls);
    if (view->priority)
        fprintf(out, ", priority %d", view->priority);
    fprintf(out, "%s%s\n", view->once ? ", once" : "", view->filtered ? ", filtered" : "");
}

static void describe_signal(void *self, const struct signal_view *view)
{
    struct description *d = self;
    if (d->group &&
        (strncmp(view->group, d->group, d->group_length) != 0 || view->group[d->group_length] != 0))
        return;
    if (d->id && strcmp(view->id, d->id) != 0)
        return;
    d->found++;
    fprintf(d->out, "%s/%s  from %s, %u subscriber%s, %llu emissions, %.1f/s\n", view->group,
            view->id, view->owner_name ? view->owner_name : "emu", view->subscribers,
            view->subscribers == 1 ? "" : "s", (unsigned long long)view->emissions,
            view->per_second);
    if (!d->group)
        return;
    if (view->payload) {
        fprintf(d->out, "    payload %s, version %u, %u bytes\n", view->payload->name,
                view->payload->version, view->payload->size);
        for (const struct payload_field *f = view->payload->fields; f && f->name; f++)
            fprintf(d->out, "      %-16s %-8s offset %-3u size %-3u %s\n", f->name,
                    type_name(f->type), f->offset, f->size, f->help ? f->help : "");
    } else {
        fprintf(d->out, "    payload not described\n");
    }
    signal_for_each_subscriber(view->signal, describe_subscriber, d->out);
}

bool plugin_host_describe_signals(struct plugin_host *host, const char *name, FILE *out,
                                  struct error *err)
{
    struct description d = {.out = out};
    if (name && *name) {
        const char *slash = strchr(name, '/');
        d.group = name;
        d.group_length = slash ? (size_t)(slash - name) : strlen(name);
        d.id = slash && slash[1] ? slash + 1 : NULL;
    }
    broker_for_each(host->env.broker, describe_signal, &d);
    return d.found > 0 || !d.group ||
           error_set(err, "there is no signal '%s'; info signals lists them", name);
}

struct reference {
    struct signal_view *views;
    size_t count;
};

static void collect(void *self, const struct signal_view *view)
{
    struct reference *r = self;
    if (!view->payload)
        return;
    r->views = xrealloc(r->views, (r->count + 1) * sizeof *r->views);
    r->views[r->count++] = *view;
}

static int compare_views(const void *a, const void *b)
{
    const struct signal_view *x = a, *y = b;
    int groups = strcmp(x->group, y->group);
    return groups ? groups : strcmp(x->id, y->id);
}

// A '|' would end the table's cell.
static void write_cell(FILE *out, const char *text)
{
    for (; text && *text; text++) {
        if (*text == '|')
            fputc('\\', out);
        fputc(*text, out);
    }
}

static void write_view(FILE *out, const struct signal_view *view)
{
    fprintf(out, "\n### %s\n\n", view->id);
    if (view->payload->help)
        fprintf(out, "%s\n\n", view->payload->help);
    fprintf(out, "Payload `%s`, version %u", view->payload->name, view->payload->version);
    if (!view->payload->fields || !view->payload->fields->name) {
        fprintf(out, ": none.\n");
        return;
    }
    fprintf(out, ", %u bytes:\n\n", view->payload->size);
    fprintf(out, "| field | type | offset | size | meaning |\n|---|---|---|---|---|\n");
    for (const struct payload_field *f = view->payload->fields; f->name; f++) {
        fprintf(out, "| `%s` | %s | %u | %u | ", f->name, type_name(f->type), f->offset, f->size);
        write_cell(out, f->help);
        fprintf(out, " |\n");
    }
}

void plugin_host_write_reference(struct plugin_host *host, FILE *out)
{
    struct reference r = {0};
    broker_for_each(host->env.broker, collect, &r);
    if (r.count > 0)
        qsort(r.views, r.count, sizeof *r.views, compare_views);
    fprintf(out,
            "# Signals\n\n"
            "Generated from the descriptions that emu and its plugins register; do not edit.\n");
    for (size_t i = 0; i < r.count; i++) {
        if (i == 0 || strcmp(r.views[i].group, r.views[i - 1].group) != 0)
            fprintf(out, "\n## Group `%s`\n\nProvided by %s%s%s.\n", r.views[i].group,
                    r.views[i].owner_name ? "plugin `" : "emu",
                    r.views[i].owner_name ? r.views[i].owner_name : "",
                    r.views[i].owner_name ? "`" : "");
        write_view(out, &r.views[i]);
    }
    free(r.views);
}
