// SPDX-License-Identifier: MIT
// Recorded outcomes: one hash for each form of each row, over a fixed number of cases that the
// generator makes again anywhere. Rows are known by the hash of their names.
#ifndef EMU_TESTS_DIFF_USER_VECTORS_H
#define EMU_TESTS_DIFF_USER_VECTORS_H

#include <stdbool.h>
#include <stdint.h>

#define VECTORS_ENCODINGS 3u // of a form
#define VECTORS_INPUTS    8u // of an encoding

struct vectors;
struct vectors *vectors_create(void);
// NULL: it cannot be read, or is none; said on stderr.
struct vectors *vectors_load(const char *path);
void vectors_free(struct vectors *vectors);
bool vectors_save(const struct vectors *vectors, const char *path);

// The outcome of the next case of a form. Executor 0 is the host when vectors are recorded.
void vectors_add(struct vectors *vectors, unsigned row, unsigned form, unsigned executor,
                 uint64_t outcome);
// An explained difference: the form is not recorded.
void vectors_omit(struct vectors *vectors, unsigned row, unsigned form);
// Loaded vectors: whether this form is among them, and this host can be expected to agree.
bool vectors_has(const struct vectors *vectors, unsigned row, unsigned form);
// False: some form's outcomes are not the recorded ones; they are named.
bool vectors_compare(const struct vectors *vectors, const char *const *executors, unsigned count);

#endif
