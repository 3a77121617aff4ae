// SPDX-License-Identifier: MIT
// Comparing described payloads.
#include "plugin/payload.h"

#include <stdio.h>
#include <string.h>

static const struct payload_field *field_find(const struct payload_type *type, const char *name)
{
    for (const struct payload_field *f = type->fields; f && f->name; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

bool payload_compatible(const struct payload_type *have, const struct payload_type *want,
                        char *reason, size_t reason_size)
{
    if (strcmp(have->name, want->name) != 0) {
        snprintf(reason, reason_size, "it carries '%s', not '%s'", have->name, want->name);
        return false;
    }
    if (have->version != want->version) {
        snprintf(reason, reason_size, "'%s' is version %u here, the subscriber wants version %u",
                 have->name, have->version, want->version);
        return false;
    }
    for (const struct payload_field *f = want->fields; f && f->name; f++) {
        const struct payload_field *g = field_find(have, f->name);
        if (!g || g->offset != f->offset || g->size != f->size || g->type != f->type) {
            snprintf(reason, reason_size, "field '%s' of '%s' is %s", f->name, have->name,
                     g ? "laid out differently" : "not there");
            return false;
        }
    }
    return true;
}
