// SPDX-License-Identifier: MIT
// A string that grows: what plugins put their log lines together in.
#ifndef EMU_PLUGINS_COMMON_TEXT_H
#define EMU_PLUGINS_COMMON_TEXT_H

#include <stddef.h>
#include <stdint.h>

// Zero-initialise. data is NUL-terminated as soon as something was appended; text_string is always.
struct text {
    char *data;
    size_t length, capacity;
};

const char *text_string(const struct text *text);
void text_clear(struct text *text);
void text_free(struct text *text);
// The string, to be freed by the caller; the text is empty afterwards.
char *text_take(struct text *text);
void text_append(struct text *text, const char *data, size_t length);
void text_add(struct text *text, const char *string);
void text_printf(struct text *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// One code point as UTF-8; what is none becomes U+FFFD.
void text_add_code_point(struct text *text, uint32_t code);
// In double quotes; quotes and control characters escaped, backslashes (path separators) kept.
void text_add_name(struct text *text, const char *string);
// In double quotes, as a C string literal: octets outside 0x20..0x7e as \n, \t, \xNN ...
void text_add_bytes(struct text *text, const void *bytes, size_t length);
// In double quotes, as JSON wants it; octets that are no UTF-8 become U+FFFD.
void text_add_json(struct text *text, const char *string);

#endif
