// SPDX-License-Identifier: MIT
// A user-visible error: one line that names the thing and the remedy. Functions that can fail for a
// reason the user can mend take a `struct error *` last and return false or NULL.
#ifndef EMU_BASE_ERROR_H
#define EMU_BASE_ERROR_H

#include "base/util.h"

struct error {
    char text[512];
};

// Formats the message (err may be NULL) and returns false, so that a caller can `return
// error_set(...)`. It is one line: control characters become question marks.
bool error_set(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

// Puts "prefix: " before the message that is already there; returns false.
bool error_prefix(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

// malloc/calloc/strdup that end the process with one clear line when the host is out of memory.
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
