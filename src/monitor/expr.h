// SPDX-License-Identifier: MIT
// Integer expressions of the monitor: C's numbers, operators + - * / % & | ^ ~ << >> with C's
// precedence, parentheses, 'c' and $register. 64 bits, signed, wrapping.
#ifndef EMU_MONITOR_EXPR_H
#define EMU_MONITOR_EXPR_H

#include "base/error.h"

struct expr_env {
    void *self;
    // False when there is no register of that name.
    bool (*get_register)(void *self, const char *name, size_t length, int64_t *value);
};

// Parses at *text and moves it behind the expression. `one_word`: other arguments follow, so that
// an operator after a space and before no space ("16 /tmp/x", "0x80 -1") begins the next one.
bool expr_parse(const char **text, const struct expr_env *env, bool one_word, int64_t *value,
                struct error *err);

#endif
