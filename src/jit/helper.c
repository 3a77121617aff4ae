// SPDX-License-Identifier: MIT
// The registry of helpers and the check of attached arguments against their signatures.
#include "jit/helper.h"

#include "jit/hook.h"

#include <stdlib.h>
#include <string.h>

static ffi_type *type_of_letter(char letter)
{
    switch (letter) {
    case 'v':
        return &ffi_type_void;
    case 'i':
        return &ffi_type_uint32;
    case 'l':
        return &ffi_type_uint64;
    case 'p':
    case 'c':
        return &ffi_type_pointer;
    default:
        return NULL;
    }
}

static const char *letter_means(char letter)
{
    switch (letter) {
    case 'v':
        return "void";
    case 'i':
        return "32-bit integer";
    case 'l':
        return "64-bit integer";
    case 'p':
        return "host pointer";
    default:
        return "CPU";
    }
}

// The letters an argument kind may stand for.
static const char *letters_of_kind(enum jit_arg_kind kind)
{
    switch (kind) {
    case JIT_ARG_CONST32:
    case JIT_ARG_REG:
    case JIT_ARG_PC:
    case JIT_ARG_EA:
    case JIT_ARG_ADDRESS:
    case JIT_ARG_SIZE:
    case JIT_ARG_CONTEXT:
    case JIT_ARG_CPL:
        return "i";
    case JIT_ARG_CONST64:
    case JIT_ARG_ICOUNT:
    case JIT_ARG_ACCESS:
        return "l";
    case JIT_ARG_VALUE:
        return "il";
    case JIT_ARG_POINTER:
        return "p";
    case JIT_ARG_CPU:
        return "cp";
    case JIT_ARG_NONE:
        break;
    }
    return "";
}

struct helper *helper_find(const struct helper_registry *registry, void (*func)(void))
{
    for (struct helper *h = registry->first; h; h = h->next)
        if (h->func == func)
            return h;
    return NULL;
}

bool helper_observes(const struct helper_registry *registry)
{
    for (const struct helper *h = registry->first; h; h = h->next)
        if (h->flags != JIT_HELPER_PURE)
            return true;
    return false;
}

static bool signature_check(const char *name, const char *signature, struct error *err)
{
    size_t length = signature ? strlen(signature) : 0;
    if (length == 0)
        return error_set(err, "helper '%s': the signature is empty; it starts with the return type",
                         name);
    if (length - 1 > HELPER_MAX_ARGS)
        return error_set(err, "helper '%s': %zu arguments, at most %u are allowed", name,
                         length - 1, HELPER_MAX_ARGS);
    for (size_t i = 0; i < length; i++)
        if (!type_of_letter(signature[i]) || (i > 0 && signature[i] == 'v'))
            return error_set(err, "helper '%s': '%c' in signature \"%s\" is not one of v i l p c",
                             name, signature[i], signature);
    return true;
}

bool helper_register(struct helper_registry *registry, void (*func)(void), const char *name,
                     unsigned flags, const char *signature, void *owner, struct error *err)
{
    if (!func || !name || !*name)
        return error_set(err, "a helper needs a function and a name");
    if (!signature_check(name, signature, err))
        return false;
    struct helper *known = helper_find(registry, func);
    if (known) {
        if (strcmp(known->signature, signature) == 0)
            return true;
        return error_set(err, "helper '%s' is already registered with signature \"%s\"", name,
                         known->signature);
    }
    struct helper *h = xcalloc(1, sizeof *h);
    h->func = func;
    h->name = xstrdup(name);
    h->owner = owner;
    h->flags = flags;
    strcpy(h->signature, signature);
    h->nargs = (unsigned)strlen(signature) - 1;
    for (unsigned i = 0; i < h->nargs; i++)
        h->types[i] = type_of_letter(signature[i + 1]);
    if (ffi_prep_cif(&h->cif, FFI_DEFAULT_ABI, h->nargs, type_of_letter(signature[0]), h->types) !=
        FFI_OK) {
        free(h->name);
        free(h);
        return error_set(err, "helper '%s': libffi refuses signature \"%s\"", name, signature);
    }
    h->registry = registry;
    h->next = registry->first;
    registry->first = h;
    return true;
}

static void buffer_free(struct JitBuffer *buffer)
{
    free(buffer->records);
    free(buffer);
}

bool helper_drop_owner(struct helper_registry *registry, void *owner)
{
    bool any = false;
    struct helper **link = &registry->first;
    while (*link) {
        struct helper *h = *link;
        if (h->owner == owner) {
            *link = h->next;
            h->dead = true;
            h->next = registry->retired;
            registry->retired = h;
            any = true;
        } else {
            link = &h->next;
        }
    }
    for (struct JitBuffer *b = registry->buffers; b; b = b->link) {
        if (b->owner == owner && !b->dead) {
            b->dead = true;
            any = true;
        }
    }
    return any;
}

static void helper_free_list(struct helper **list)
{
    while (*list) {
        struct helper *h = *list;
        *list = h->next;
        free(h->name);
        free(h);
    }
}

void helper_free_retired(struct helper_registry *registry)
{
    helper_free_list(&registry->retired);
    struct JitBuffer **link = &registry->buffers;
    while (*link) {
        struct JitBuffer *b = *link;
        if (b->dead) {
            *link = b->link;
            buffer_free(b);
        } else {
            link = &b->link;
        }
    }
}

void helper_registry_clear(struct helper_registry *registry)
{
    for (struct JitBuffer *b = registry->buffers; b; b = b->link)
        b->dead = true;
    helper_free_retired(registry);
    helper_free_list(&registry->first);
}

struct JitBuffer *helper_buffer_create(
    struct helper_registry *registry, void *owner, unsigned fields, size_t capacity,
    void (*flush)(void *opaque, const uint64_t *records, size_t count), void *opaque)
{
    struct JitBuffer *b = xcalloc(1, sizeof *b);
    b->records = xcalloc((capacity + HOOK_SLACK) * fields, sizeof *b->records);
    b->next = b->records;
    b->end = b->records + capacity * fields;
    b->fields = fields;
    b->owner = owner;
    b->registry = registry;
    b->flush = flush;
    b->opaque = opaque;
    b->link = registry->buffers;
    registry->buffers = b;
    return b;
}

bool helper_buffer_exists(const struct helper_registry *registry, const struct JitBuffer *buffer)
{
    for (const struct JitBuffer *b = registry->buffers; b; b = b->link)
        if (b == buffer)
            return !b->dead;
    return false;
}

bool helper_buffer_drop(struct helper_registry *registry, struct JitBuffer *buffer, void *owner)
{
    if (!helper_buffer_exists(registry, buffer) || buffer->owner != owner)
        return false;
    buffer->dead = true;
    return true;
}

bool helper_check_field(const JitArg *arg, int index, struct error *err)
{
    if ((unsigned)arg->kind > JIT_ARG_ACCESS || arg->kind == JIT_ARG_NONE ||
        (arg->kind == JIT_ARG_REG && arg->value > 7))
        return error_set(err, "field %d is not a valid argument", index);
    if (arg->kind == JIT_ARG_ACCESS && arg->value > JIT_ACCESS_SITES)
        return error_set(err, "field %d: the greatest number of a place is %u", index,
                         JIT_ACCESS_SITES);
    return true;
}

bool helper_check_place(const JitArg *arg, enum jit_place place, bool memory_operand,
                        struct error *err)
{
    bool memory = place >= JIT_LOAD_BEFORE && place <= JIT_STORE;
    bool branch = place >= JIT_BRANCH && place <= JIT_RETURN;
    switch (arg->kind) {
    case JIT_ARG_EA:
        return (memory_operand && place == JIT_BEFORE) ||
               error_set(err, "jit_ea() needs JIT_BEFORE and an instruction with a memory operand");
    case JIT_ARG_ADDRESS:
        return memory || branch ||
               error_set(err, "jit_address() is for loads, stores, branches, calls and returns");
    case JIT_ARG_SIZE:
        return memory || error_set(err, "jit_size() is for loads and stores");
    case JIT_ARG_ACCESS:
        return memory || error_set(err, "jit_access() is for loads and stores");
    case JIT_ARG_VALUE:
        return (memory && place != JIT_LOAD_BEFORE) ||
               error_set(err, "jit_value() is for JIT_LOAD, JIT_STORE and JIT_STORE_BEFORE");
    default:
        return true;
    }
}

bool helper_check_arguments(const struct helper *helper, const JitArg *ret, int nargs,
                            const JitArg *args, struct error *err)
{
    if (nargs < 0 || (unsigned)nargs != helper->nargs)
        return error_set(err, "helper '%s' takes %u arguments (\"%s\"), %d were given",
                         helper->name, helper->nargs, helper->signature, nargs);
    for (int i = 0; i < nargs; i++) {
        char letter = helper->signature[i + 1];
        if (!strchr(letters_of_kind(args[i].kind), letter))
            return error_set(err, "helper '%s': argument %d must be a %s (\"%s\")", helper->name,
                             i + 1, letter_means(letter), helper->signature);
        if (args[i].kind == JIT_ARG_REG && args[i].value > 7)
            return error_set(err, "helper '%s': argument %d: there is no guest register %llu",
                             helper->name, i + 1, (unsigned long long)args[i].value);
    }
    if (ret->kind == JIT_ARG_NONE)
        return true;
    if (ret->kind != JIT_ARG_REG || ret->value > 7)
        return error_set(err, "helper '%s': a result goes to nowhere or to a guest register",
                         helper->name);
    if (helper->signature[0] != 'i')
        return error_set(err,
                         "helper '%s' returns a %s; only a 32-bit integer fits a guest register",
                         helper->name, letter_means(helper->signature[0]));
    return true;
}
