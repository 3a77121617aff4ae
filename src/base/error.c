// SPDX-License-Identifier: MIT
// User-visible errors and the allocators that end the process when the host is out of memory.
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

// Arguments may be names from files: a message stays one line, and says nothing to a terminal.
static void make_line(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

bool error_set(struct error *err, const char *fmt, ...)
{
    if (!err)
        return false;
    // Formatted aside first: an argument may be the old message itself.
    char text[sizeof err->text];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    make_line(text);
    memcpy(err->text, text, sizeof text);
    return false;
}

bool error_prefix(struct error *err, const char *fmt, ...)
{
    if (!err)
        return false;
    char text[sizeof err->text];
    va_list ap;
    va_start(ap, fmt);
    int length = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    size_t used = length < 0 ? 0 : (size_t)length;
    if (used < sizeof text - 3) {
        size_t room = sizeof text - used - 3; // ": " and the terminator
        size_t old = strnlen(err->text, room);
        memcpy(text + used, ": ", 2);
        memcpy(text + used + 2, err->text, old);
        text[used + 2 + old] = '\0';
    }
    make_line(text);
    memcpy(err->text, text, sizeof text);
    return false;
}

static _Noreturn void die_out_of_memory(size_t size)
{
    fprintf(stderr, "emu: the host is out of memory (%zu bytes asked for)\n", size);
    exit(1);
}

void *xcalloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (!p)
        die_out_of_memory(count * size);
    return p;
}

void *xrealloc(void *p, size_t size)
{
    void *q = realloc(p, size ? size : 1);
    if (!q)
        die_out_of_memory(size);
    return q;
}

char *xstrdup(const char *s)
{
    char *copy = strdup(s);
    if (!copy)
        die_out_of_memory(strlen(s) + 1);
    return copy;
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int length = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    size_t size = length < 0 ? 1 : (size_t)length + 1;
    char *text = xcalloc(1, size);
    va_start(ap, fmt);
    vsnprintf(text, size, fmt, ap);
    va_end(ap);
    return text;
}
