// SPDX-License-Identifier: MIT
// A string that grows. Running out of memory leaves it as it is.
#include "common/text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *text_string(const struct text *text)
{
    return text->data ? text->data : "";
}

void text_clear(struct text *text)
{
    text->length = 0;
    if (text->data)
        text->data[0] = 0;
}

void text_free(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

char *text_take(struct text *text)
{
    char *data = text->data ? text->data : calloc(1, 1);
    *text = (struct text){0};
    return data;
}

static bool text_reserve(struct text *text, size_t more)
{
    size_t need = text->length + more + 1;
    if (need <= text->capacity)
        return true;
    size_t capacity = text->capacity ? text->capacity : 128;
    while (capacity < need)
        capacity *= 2;
    char *data = realloc(text->data, capacity);
    if (!data)
        return false;
    text->data = data;
    text->capacity = capacity;
    return true;
}

void text_append(struct text *text, const char *data, size_t length)
{
    if (!text_reserve(text, length))
        return;
    memcpy(text->data + text->length, data, length);
    text->length += length;
    text->data[text->length] = 0;
}

void text_add(struct text *text, const char *string)
{
    text_append(text, string, strlen(string));
}

void text_printf(struct text *text, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (length > 0 && text_reserve(text, (size_t)length)) {
        vsnprintf(text->data + text->length, (size_t)length + 1, fmt, again);
        text->length += (size_t)length;
    }
    va_end(again);
}

void text_add_code_point(struct text *text, uint32_t code)
{
    char out[4];
    size_t n;
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        code = 0xfffd;
    if (code < 0x80) {
        out[0] = (char)code;
        n = 1;
    } else if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        n = 2;
    } else if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        n = 3;
    } else {
        out[0] = (char)(0xf0 | code >> 18);
        out[1] = (char)(0x80 | (code >> 12 & 0x3f));
        out[2] = (char)(0x80 | (code >> 6 & 0x3f));
        out[3] = (char)(0x80 | (code & 0x3f));
        n = 4;
    }
    text_append(text, out, n);
}

// The escape of a control character or quote; false: none is needed.
static bool add_escape(struct text *text, unsigned char c)
{
    switch (c) {
    case '"':
        text_add(text, "\\\"");
        return true;
    case '\n':
        text_add(text, "\\n");
        return true;
    case '\r':
        text_add(text, "\\r");
        return true;
    case '\t':
        text_add(text, "\\t");
        return true;
    default:
        return false;
    }
}

void text_add_name(struct text *text, const char *string)
{
    text_add(text, "\"");
    for (; *string; string++) {
        unsigned char c = (unsigned char)*string;
        if (add_escape(text, c))
            continue;
        if (c < 0x20 || c == 0x7f)
            text_printf(text, "\\x%02x", c);
        else
            text_append(text, string, 1);
    }
    text_add(text, "\"");
}

void text_add_bytes(struct text *text, const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    text_add(text, "\"");
    for (size_t i = 0; i < length; i++) {
        if (add_escape(text, at[i]))
            continue;
        if (at[i] == '\\')
            text_add(text, "\\\\");
        else if (at[i] < 0x20 || at[i] > 0x7e)
            text_printf(text, "\\x%02x", at[i]);
        else
            text_append(text, (const char *)at + i, 1);
    }
    text_add(text, "\"");
}

// Length of the UTF-8 sequence at s; 0: none.
static size_t utf8_length(const unsigned char *s)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : 0;
    if (s[0] >= 0xf0 && s[0] <= 0xf4)
        n = 4;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool beyond = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f);
    return overlong || beyond ? 0 : n;
}

void text_add_json(struct text *text, const char *string)
{
    text_add(text, "\"");
    while (*string) {
        unsigned char c = (unsigned char)*string;
        size_t n = utf8_length((const unsigned char *)string);
        if (c == '\\')
            text_add(text, "\\\\");
        else if (n == 0)
            text_add(text, "\xef\xbf\xbd");
        else if (c < 0x20 && !add_escape(text, c))
            text_printf(text, "\\u%04x", c);
        else if (c == '"')
            text_add(text, "\\\"");
        else if (c >= 0x20)
            text_append(text, string, n);
        string += n ? n : 1;
    }
    text_add(text, "\"");
}
