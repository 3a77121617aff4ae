// SPDX-License-Identifier: MIT
// Calls of exported functions in user code: module maps by address space, calls attached at the
// first instruction of each export and at the places that such calls return to, entries matched
// with returns by thread. Knows no object format.
#ifndef EMU_PLUGINS_COMMON_API_TRACE_H
#define EMU_PLUGINS_COMMON_API_TRACE_H

#include <emu/plugin.h>

struct api_export {
    uint32_t rva;
    uint32_t ordinal;
    char *name;           // NULL: "#ordinal"
    SignalHandle *signal; // the user's: resolved at the first call
    uint32_t kind;        // likewise
    bool seen;            // likewise
};

// What was loaded from one file into one address space. Calls in progress hold it.
struct api_image {
    unsigned references;
    char *name; // of the file
    char *path;
    struct api_export *exports; // by RVA
    unsigned export_count;
};

struct api_module {
    struct api_module *next;
    uint32_t context, base, size;
    struct api_image *image;
    void *state; // the user's, freed with free()
};

struct api_call {
    struct api_call *outer;
    uint32_t context, thread;
    struct api_image *image;
    struct api_export *export;
    uint32_t address, esp, return_address;
    uint64_t opaque; // the user's
    void *data;      // the user's, freed with free()
    bool faulted;    // its first instruction has not run yet
};

struct api_trace_user {
    // FS_BASE or GS_BASE: what tells threads apart.
    enum emu_register thread_register;
    // A function is entered: its arguments stand at esp + 4.
    void (*enter)(struct api_call *call, CPUArchState *cpu);
    // It returned (EAX is its result), or is known never to return.
    void (*leave)(struct api_call *call, CPUArchState *cpu, bool returned);
    // Which functions are of interest. NULL: all.
    bool (*wanted)(const struct api_image *image, const struct api_export *export);
};

struct api_trace;

// From pi_start. One trace a plugin.
struct api_trace *api_trace_create(const struct api_trace_user *user);
// From pi->exit. What is in progress is left with returned = false.
void api_trace_destroy(struct api_trace *t);

// NULL: out of memory, or there are too many. Replaces modules that overlap.
struct api_module *api_trace_add(struct api_trace *t, uint32_t context, uint32_t base,
                                 uint32_t size, const char *name, const char *path);
// Takes the list (malloc'ed, sorted by RVA) and its names over. In the module's address space.
void api_trace_set_exports(struct api_trace *t, CPUArchState *cpu, struct api_module *module,
                           struct api_export *exports, unsigned count);
void api_trace_remove(struct api_trace *t, struct api_module *module);
void api_trace_remove_context(struct api_trace *t, uint32_t context);
struct api_module *api_trace_at(struct api_trace *t, uint32_t context, uint32_t address);
// The list of one address space; bucket for bucket all of them.
struct api_module *api_trace_first(struct api_trace *t, uint32_t context);
void api_trace_for_each(struct api_trace *t, void (*fn)(void *self, struct api_module *module),
                        void *self);

struct api_trace_counts {
    unsigned modules, addresses, in_progress;
    uint64_t calls, returns, lost;
};
struct api_trace_counts api_trace_counts(const struct api_trace *t);

#endif
