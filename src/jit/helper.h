// SPDX-License-Identifier: MIT
// Helpers that plugins register and attach to guest code, with their signatures.
#ifndef EMU_JIT_HELPER_H
#define EMU_JIT_HELPER_H

#include <ffi.h>

#include "base/error.h"
#include "plugin/plugin_api.h"

#define HELPER_MAX_ARGS 8u

struct JitBuffer;

// Calls fn(arg) in the name of an owner: the plugin host contains crashes there.
typedef void helper_invoker(void *self, void *owner, void (*fn)(void *arg), void *arg);

struct helper {
    struct helper *next;
    struct helper_registry *registry;
    bool dead; // its plugin is gone: calls that are still in a running block do nothing
    void (*func)(void);
    char *name;
    void *owner; // the plugin
    unsigned flags;
    char signature[HELPER_MAX_ARGS + 2]; // return letter, then argument letters
    unsigned nargs;
    ffi_cif cif;
    ffi_type *types[HELPER_MAX_ARGS];
};

// Translated code calls helpers that touch nothing of the guest without helper_invoke;
// cpu->jit.helper says which one runs. begin: the executor is about to run code that does. crashed:
// it jumped to *cpu->jump with HELPER_CRASHED out of a helper of this owner.
#define HELPER_CRASHED 2

struct helper_registry {
    void (*begin)(void *self);
    void (*crashed)(void *self, void *owner);
    struct helper *first;
    struct helper *retired; // dropped, but a block that is being left may still name them
    struct JitBuffer *buffers;
    helper_invoker *invoke; // NULL: called directly
    void *invoke_self;
};

void helper_registry_clear(struct helper_registry *registry);

static inline void helper_invoke(const struct helper_registry *registry, void *owner,
                                 void (*fn)(void *arg), void *arg)
{
    if (registry->invoke)
        registry->invoke(registry->invoke_self, owner, fn, arg);
    else
        fn(arg);
}

// Registering a function again with the same signature is allowed and does nothing.
bool helper_register(struct helper_registry *registry, void (*func)(void), const char *name,
                     unsigned flags, const char *signature, void *owner, struct error *err);
// True when one of them may look at the guest's registers or change what the guest does.
bool helper_observes(const struct helper_registry *registry);
struct helper *helper_find(const struct helper_registry *registry, void (*func)(void));
// Drops the helpers and buffers of an owner: operations that use them do nothing from now on.
// Returns true when the owner had any.
bool helper_drop_owner(struct helper_registry *registry, void *owner);
// Frees what was dropped. No block may hold an operation that uses it.
void helper_free_retired(struct helper_registry *registry);

// Buffers for HOOK_RECORD.
struct JitBuffer *helper_buffer_create(
    struct helper_registry *registry, void *owner, unsigned fields, size_t capacity,
    void (*flush)(void *opaque, const uint64_t *records, size_t count), void *opaque);
// False when the buffer is not one of the owner's.
bool helper_buffer_drop(struct helper_registry *registry, struct JitBuffer *buffer, void *owner);
bool helper_buffer_exists(const struct helper_registry *registry, const struct JitBuffer *buffer);

// Does this argument fit letter `letter`? Integers of 32 bits do not widen silently.
bool helper_check_arguments(const struct helper *helper, const JitArg *ret, int nargs,
                            const JitArg *args, struct error *err);
// Can it be stored as a field of a record?
bool helper_check_field(const JitArg *arg, int index, struct error *err);
// Does this argument kind make sense at this place? memory_operand: the instruction has one.
bool helper_check_place(const JitArg *arg, enum jit_place place, bool memory_operand,
                        struct error *err);

#endif
