// SPDX-License-Identifier: MIT
// syscalls_linux: a string that grows, quoting, and names of values.
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool text_reserve(struct text *t, size_t more)
{
    if (t->length + more + 1 <= t->capacity)
        return true;
    size_t capacity = t->capacity ? t->capacity : 64;
    while (capacity < t->length + more + 1)
        capacity *= 2;
    char *data = realloc(t->data, capacity);
    if (!data)
        return false;
    t->data = data;
    t->capacity = capacity;
    return true;
}

void text_clear(struct text *t)
{
    t->length = 0;
    if (t->data)
        t->data[0] = '\0';
}

void text_free(struct text *t)
{
    free(t->data);
    *t = (struct text){0};
}

static void text_append(struct text *t, const char *s, size_t n)
{
    if (!text_reserve(t, n))
        return;
    memcpy(t->data + t->length, s, n);
    t->length += n;
    t->data[t->length] = '\0';
}

void text_add(struct text *t, const char *s)
{
    text_append(t, s, strlen(s));
}

void text_printf(struct text *t, const char *fmt, ...)
{
    char buffer[256];
    va_list list, again;
    va_start(list, fmt);
    va_copy(again, list);
    int n = vsnprintf(buffer, sizeof buffer, fmt, list);
    if (n >= 0 && (size_t)n < sizeof buffer)
        text_append(t, buffer, (size_t)n);
    else if (n > 0 && text_reserve(t, (size_t)n)) {
        vsnprintf(t->data + t->length, (size_t)n + 1, fmt, again);
        t->length += (size_t)n;
    }
    va_end(again);
    va_end(list);
}

void text_quote(struct text *t, const void *bytes, size_t length, bool hex)
{
    static const char escaped[] = "\t\n\v\f\r\"\\", letters[] = "tnvfr\"\\";
    const unsigned char *p = bytes;
    text_append(t, "\"", 1);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = p[i];
        const char *e = c ? strchr(escaped, c) : NULL;
        bool digit = i + 1 < length && p[i + 1] >= '0' && p[i + 1] <= '9';
        char out[8] = {(char)c, 0};
        if (hex)
            snprintf(out, sizeof out, "\\x%02x", c);
        else if (e)
            snprintf(out, sizeof out, "\\%c", letters[e - escaped]);
        else if (c < ' ' || c > '~')
            snprintf(out, sizeof out, digit ? "\\%03o" : "\\%o", c);
        text_add(t, out);
    }
    text_append(t, "\"", 1);
}

const char *name_of(const struct name *names, uint32_t value)
{
    while (names->name && names->value != value)
        names++;
    return names->name;
}

void text_value(struct text *t, const struct name *names, uint32_t value, const char *unknown)
{
    const char *name = name_of(names, value);
    if (name)
        text_add(t, name);
    else if (unknown)
        text_printf(t, "%#x /* %s */", value, unknown);
    else
        text_printf(t, "%#x", value);
}

void text_bits(struct text *t, const struct name *names, uint32_t value, const char *unknown)
{
    const char *zero = value ? NULL : name_of(names, 0);
    if (!value) {
        text_add(t, zero ? zero : "0");
        return;
    }
    bool first = true;
    for (const struct name *n = names; n->name; n++)
        if (n->value && (value & n->value) == n->value) {
            text_printf(t, "%s%s", first ? "" : "|", n->name);
            value &= ~n->value;
            first = false;
        }
    if (first && unknown)
        text_printf(t, "%#x /* %s */", value, unknown);
    else if (value)
        text_printf(t, "%s%#x", first ? "" : "|", value);
}
