/* SPDX-License-Identifier: MIT */
/* syscalls_linux: a string that grows. */
#ifndef SYSCALLS_TEXT_H
#define SYSCALLS_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *data; /* NULL while empty and never used */
    size_t length, capacity;
};

void text_clear(struct text *t);
void text_free(struct text *t);
void text_add(struct text *t, const char *s);
void text_printf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Quoted as strace quotes: octal escapes, or hexadecimal for every byte. */
void text_quote(struct text *t, const void *bytes, size_t length, bool hex);

/* Names of values or bits. */
struct name {
    uint32_t value;
    const char *name; /* NULL ends the table */
};
/* The value's name, else its number and the comment. */
void text_value(struct text *t, const struct name *names, uint32_t value, const char *unknown);
/* Names of its bits joined by |; zero: the name of 0 in the table, else "0". */
void text_bits(struct text *t, const struct name *names, uint32_t value, const char *unknown);
const char *name_of(const struct name *names, uint32_t value); /* NULL: none */

#endif
