// SPDX-License-Identifier: MIT
// Helpers that plugins register and attach to guest code, with their signatures.
#ifndef EMU_JIT_HELPER_H
#define EMU_JIT_HELPER_H

#include <ffi.h>

#include "base/error.h"
#include "plugin/plugin_api.h"

#define HELPER_MAX_ARGS 8u

struct helper {
    struct helper *next;
    void (*func)(void);
    char *name;
    void *owner; // the plugin
    unsigned flags;
    char signature[HELPER_MAX_ARGS + 2]; // return letter, then argument letters
    unsigned nargs;
    ffi_cif cif;
    ffi_type *types[HELPER_MAX_ARGS];
};

struct helper_registry {
    struct helper *first;
};

void helper_registry_clear(struct helper_registry *registry);

// Registering a function again with the same signature is allowed and does nothing.
bool helper_register(struct helper_registry *registry, void (*func)(void), const char *name,
                     unsigned flags, const char *signature, void *owner, struct error *err);
struct helper *helper_find(const struct helper_registry *registry, void (*func)(void));
// Returns true when the owner had any. No block may hold a call of one any more.
bool helper_drop_owner(struct helper_registry *registry, void *owner);

// Does this argument fit letter `letter`? Integers of 32 bits do not widen silently.
bool helper_check_arguments(const struct helper *helper, const JitArg *ret, int nargs,
                            const JitArg *args, struct error *err);

#endif
