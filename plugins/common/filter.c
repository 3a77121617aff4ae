// SPDX-License-Identifier: MIT
// Filter arguments.
#include "common/filter.h"

#include <errno.h>
#include <stdlib.h>

bool filter_number(const PluginInterface *pi, const char *key, int base, uint64_t most, bool *given,
                   uint64_t *value)
{
    const char *text = plugin_argument(pi, key);
    *given = text != NULL;
    if (!text)
        return true;
    char *end;
    errno = 0;
    *value = strtoull(text, &end, base);
    if (*text && !*end && !errno && *value <= most)
        return true;
    plugin_fail("%s=%s is not a number that fits", key, text);
    return false;
}

bool filter_read(const PluginInterface *pi, struct plugin_filter *filter)
{
    uint64_t context = 0, cpl = 0, first = 0, last = UINT32_MAX;
    bool from, to;
    if (!filter_number(pi, "context", 16, UINT32_MAX, &filter->by_context, &context) ||
        !filter_number(pi, "cpl", 10, 3, &filter->by_cpl, &cpl) ||
        !filter_number(pi, "first", 16, UINT32_MAX, &from, &first) ||
        !filter_number(pi, "last", 16, UINT32_MAX, &to, &last))
        return false;
    filter->context = (uint32_t)context;
    filter->cpl = (uint32_t)cpl;
    filter->by_address = from || to;
    filter->first = (uint32_t)first;
    filter->last = (uint32_t)last;
    return true;
}
