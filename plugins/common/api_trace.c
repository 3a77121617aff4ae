// SPDX-License-Identifier: MIT
// Calls of exported functions. A return is seen at the instruction behind the call, not at return
// instructions: that place gets its operation when it is first returned to. Code that was
// translated before its address became interesting is translated anew: writing one of its bytes
// back does that.
#include "common/api_trace.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS             1024u
#define MAX_MODULES         65536u
#define MAX_ADDRESSES       (1u << 21)
#define MAX_THREADS         16384u
#define MAX_DEPTH           256u
#define MAX_STACK_ARGUMENTS 1024u // bytes that a callee may remove

enum { SITE_ENTRY = 1, SITE_RETURN = 2 };

struct site_set { // open addressing; 0 marks a free slot
    uint32_t *keys;
    uint8_t *flags;
    uint32_t capacity, count;
};

struct api_thread {
    struct api_thread *next;
    uint32_t context, thread;
    struct api_call *top;
    unsigned depth;
};

struct api_trace {
    struct api_trace_user user;
    struct api_module *modules[BUCKETS];
    struct api_thread *threads[BUCKETS];
    struct site_set sites;
    unsigned module_count, thread_count, sweep;
    uint64_t in_progress; // counter for predicates
    uint64_t calls, returns, lost;
};

// Callbacks of signals carry no pointer of their own.
static struct api_trace *the_trace;

// ---- Addresses

static uint32_t site_slot(const struct site_set *s, uint32_t address)
{
    uint32_t i = address * 2654435761u & (s->capacity - 1);
    while (s->keys[i] && s->keys[i] != address)
        i = (i + 1) & (s->capacity - 1);
    return i;
}

static bool site_grow(struct site_set *s)
{
    struct site_set bigger = {.capacity = s->capacity ? s->capacity * 2 : 4096};
    if (bigger.capacity > 2 * MAX_ADDRESSES)
        return false;
    bigger.keys = calloc(bigger.capacity, sizeof *bigger.keys);
    bigger.flags = calloc(bigger.capacity, 1);
    if (!bigger.keys || !bigger.flags) {
        free(bigger.keys);
        free(bigger.flags);
        return false;
    }
    for (uint32_t i = 0; i < s->capacity; i++) {
        if (!s->keys[i])
            continue;
        uint32_t to = site_slot(&bigger, s->keys[i]);
        bigger.keys[to] = s->keys[i];
        bigger.flags[to] = s->flags[i];
        bigger.count++;
    }
    free(s->keys);
    free(s->flags);
    *s = bigger;
    return true;
}

static uint8_t site_flags(const struct site_set *s, uint32_t address)
{
    return s->capacity ? s->flags[site_slot(s, address)] : 0;
}

// Marks an address and has its code translated anew.
static void site_add(struct api_trace *t, CPUArchState *cpu, uint32_t address, uint8_t flag)
{
    struct site_set *s = &t->sites;
    if (address == 0 || site_flags(s, address) & flag ||
        (s->count * 2 >= s->capacity && !site_grow(s)))
        return;
    uint32_t i = site_slot(s, address);
    s->count += s->keys[i] == 0;
    s->keys[i] = address;
    s->flags[i] |= flag;
    uint8_t byte;
    if (cpu_read_memory(cpu, address, &byte, 1) == 1)
        cpu_write_memory(cpu, address, &byte, 1);
}

// ---- Modules

static uint32_t bucket_of(uint32_t context)
{
    return (context >> 5) * 2654435761u >> 22;
}

static void exports_free(struct api_export *list, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        free(list[i].name);
    free(list);
}

static void image_release(struct api_image *image)
{
    if (--image->references > 0)
        return;
    exports_free(image->exports, image->export_count);
    free(image->name);
    free(image->path);
    free(image);
}

static struct api_image *image_new(const char *name, const char *path)
{
    struct api_image *image = calloc(1, sizeof *image);
    if (!image)
        return NULL;
    image->references = 1;
    image->name = strdup(name);
    image->path = strdup(path);
    if (image->name && image->path)
        return image;
    image_release(image);
    return NULL;
}

static struct api_module **module_link(struct api_trace *t, const struct api_module *module)
{
    struct api_module **link = &t->modules[bucket_of(module->context)];
    while (*link && *link != module)
        link = &(*link)->next;
    return link;
}

void api_trace_remove(struct api_trace *t, struct api_module *module)
{
    *module_link(t, module) = module->next;
    image_release(module->image);
    free(module->state);
    free(module);
    t->module_count--;
}

struct api_module *api_trace_first(struct api_trace *t, uint32_t context)
{
    struct api_module *m = t->modules[bucket_of(context)];
    while (m && m->context != context)
        m = m->next;
    return m;
}

void api_trace_remove_context(struct api_trace *t, uint32_t context)
{
    struct api_module *m;
    while ((m = api_trace_first(t, context)))
        api_trace_remove(t, m);
}

void api_trace_for_each(struct api_trace *t, void (*fn)(void *self, struct api_module *module),
                        void *self)
{
    for (unsigned i = 0; i < BUCKETS; i++) {
        for (struct api_module *m = t->modules[i], *next; m; m = next) {
            next = m->next;
            fn(self, m);
        }
    }
}

struct api_module *api_trace_at(struct api_trace *t, uint32_t context, uint32_t address)
{
    struct api_module *m = t->modules[bucket_of(context)];
    while (m && (m->context != context || address - m->base >= m->size))
        m = m->next;
    return m;
}

static void remove_overlapping(struct api_trace *t, uint32_t context, uint32_t base, uint32_t size)
{
    for (struct api_module *m = t->modules[bucket_of(context)], *next; m; m = next) {
        next = m->next;
        if (m->context == context && (m->base - base < size || base - m->base < m->size))
            api_trace_remove(t, m);
    }
}

struct api_module *api_trace_add(struct api_trace *t, uint32_t context, uint32_t base,
                                 uint32_t size, const char *name, const char *path)
{
    remove_overlapping(t, context, base, size);
    struct api_module *m = t->module_count < MAX_MODULES ? calloc(1, sizeof *m) : NULL;
    if (!m)
        return NULL;
    *m = (struct api_module){.context = context, .base = base, .size = size};
    m->image = image_new(name, path);
    if (!m->image) {
        free(m);
        return NULL;
    }
    m->next = t->modules[bucket_of(context)];
    t->modules[bucket_of(context)] = m;
    t->module_count++;
    return m;
}

// Calls in progress may still name the exports of before: they keep the old list.
static bool image_replace(struct api_module *module)
{
    struct api_image *old = module->image;
    if (!old->exports || old->references == 1) {
        exports_free(old->exports, old->export_count);
        old->exports = NULL;
        old->export_count = 0;
        return true;
    }
    struct api_image *image = image_new(old->name, old->path);
    if (!image)
        return false;
    module->image = image;
    image_release(old);
    return true;
}

void api_trace_set_exports(struct api_trace *t, CPUArchState *cpu, struct api_module *module,
                           struct api_export *exports, unsigned count)
{
    if (!image_replace(module)) {
        exports_free(exports, count);
        return;
    }
    struct api_image *image = module->image;
    image->exports = exports;
    image->export_count = count;
    for (unsigned i = 0; i < count; i++)
        if (exports[i].rva < module->size &&
            (!t->user.wanted || t->user.wanted(image, &exports[i])))
            site_add(t, cpu, module->base + exports[i].rva, SITE_ENTRY);
}

static struct api_export *export_at(const struct api_image *image, uint32_t rva)
{
    unsigned low = 0, high = image->export_count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (image->exports[middle].rva < rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low < image->export_count && image->exports[low].rva == rva ? &image->exports[low]
                                                                       : NULL;
}

// ---- Calls in progress

static struct api_thread **thread_link(struct api_trace *t, uint32_t context, uint32_t thread)
{
    uint32_t hash = (context >> 5 ^ thread >> 12) * 2654435761u >> 22;
    struct api_thread **link = &t->threads[hash];
    while (*link && ((*link)->context != context || (*link)->thread != thread))
        link = &(*link)->next;
    return link;
}

static struct api_call *call_take(struct api_trace *t, struct api_thread *th)
{
    struct api_call *call = th->top;
    th->top = call->outer;
    th->depth--;
    t->in_progress--;
    return call;
}

static void call_end(struct api_trace *t, struct api_call *call, CPUArchState *cpu, bool returned)
{
    if (returned)
        t->returns++;
    else
        t->lost++;
    t->user.leave(call, cpu, returned);
    image_release(call->image);
    free(call->data);
    free(call);
}

static void thread_free(struct api_trace *t, struct api_thread **link, CPUArchState *cpu)
{
    struct api_thread *th = *link;
    while (th->top)
        call_end(t, call_take(t, th), cpu, false);
    *link = th->next;
    free(th);
    t->thread_count--;
}

static struct api_thread *thread_get(struct api_trace *t, CPUArchState *cpu, uint32_t context,
                                     uint32_t thread)
{
    struct api_thread **link = thread_link(t, context, thread);
    if (*link)
        return *link;
    // Too many threads that never came back: lose those of one bucket after the other.
    while (t->thread_count >= MAX_THREADS) {
        t->sweep = (t->sweep + 1) % BUCKETS;
        while (t->threads[t->sweep])
            thread_free(t, &t->threads[t->sweep], cpu);
        link = thread_link(t, context, thread);
    }
    struct api_thread *th = calloc(1, sizeof *th);
    if (!th)
        return NULL;
    th->context = context;
    th->thread = thread;
    th->next = *link;
    *link = th;
    t->thread_count++;
    return th;
}

static void helper_enter(struct api_trace *t, CPUArchState *cpu)
{
    uint32_t context = get_current_context();
    uint32_t pc = cpu_get_register(cpu, EMU_EIP) + cpu_get_register(cpu, EMU_CS_BASE);
    struct api_module *module = api_trace_at(t, context, pc);
    struct api_export *export = module ? export_at(module->image, pc - module->base) : NULL;
    uint32_t esp = cpu_get_register(cpu, EMU_ESP), from;
    if (!export || (t->user.wanted && !t->user.wanted(module->image, export)) ||
        cpu_read_memory(cpu, esp + cpu_get_register(cpu, EMU_SS_BASE), &from, 4) < 4)
        return;
    struct api_thread *th =
        thread_get(t, cpu, context, cpu_get_register(cpu, t->user.thread_register));
    if (!th)
        return;
    struct api_call *top = th->top;
    if (top && top->faulted && top->address == pc && top->esp == esp) {
        top->faulted = false; // the first instruction again, behind its page fault
        return;
    }
    // Only a jump from one function to another leaves two calls with one place to return to.
    while ((top = th->top) &&
           (top->esp < esp || th->depth >= MAX_DEPTH ||
            (top->esp == esp && (top->return_address != from || top->address == pc))))
        call_end(t, call_take(t, th), cpu, false);
    struct api_call *call = calloc(1, sizeof *call);
    if (!call)
        return;
    *call = (struct api_call){.outer = th->top,
                              .context = context,
                              .thread = th->thread,
                              .image = module->image,
                              .export = export,
                              .address = pc,
                              .esp = esp,
                              .return_address = from};
    module->image->references++;
    th->top = call;
    th->depth++;
    t->in_progress++;
    t->calls++;
    site_add(t, cpu, from, SITE_RETURN);
    t->user.enter(call, cpu);
}

static bool returns_to(const struct api_call *call, uint32_t pc, uint32_t esp)
{
    return call->return_address == pc && esp - call->esp >= 4 &&
           esp - call->esp <= 4 + MAX_STACK_ARGUMENTS;
}

static void helper_return(struct api_trace *t, CPUArchState *cpu)
{
    uint32_t pc = cpu_get_register(cpu, EMU_EIP) + cpu_get_register(cpu, EMU_CS_BASE);
    uint32_t esp = cpu_get_register(cpu, EMU_ESP);
    struct api_thread **link =
        thread_link(t, get_current_context(), cpu_get_register(cpu, t->user.thread_register));
    struct api_thread *th = *link;
    if (!th)
        return;
    struct api_call *match = th->top;
    while (match && !returns_to(match, pc, esp))
        match = match->outer;
    if (!match)
        return;
    while (th->top != match) // entered deeper and left by another way
        call_end(t, call_take(t, th), cpu, false);
    while (th->top && returns_to(th->top, pc, esp)) // one function may have jumped to another
        call_end(t, call_take(t, th), cpu, true);
    if (!th->top)
        thread_free(t, thread_link(t, th->context, th->thread), cpu);
}

// ---- Translation

static void on_instruction(void *data, CPUArchState *cpu)
{
    const struct qemu_instr_payload *instr = data;
    struct api_trace *t = the_trace;
    uint8_t flags = site_flags(&t->sites, instr->pc);
    if (!flags)
        return;
    const JitArg args[] = {jit_pointer(t), jit_cpu()};
    const JitPredicate user[] = {jit_if_cpl(3), jit_if_end()};
    const JitPredicate pending[] = {jit_if_cpl(3), jit_if_counter(&t->in_progress, 1),
                                    jit_if_end()};
    if (flags & SITE_RETURN)
        jit_attach_call(instr->ctx, JIT_BEFORE, pending, (void (*)(void))helper_return, jit_none(),
                        2, args);
    if (flags & SITE_ENTRY)
        jit_attach_call(instr->ctx, JIT_BEFORE, user, (void (*)(void))helper_enter, jit_none(), 2,
                        args);
}

static void on_fault(void *data, CPUArchState *cpu)
{
    const struct qemu_fault_payload *fault = data;
    struct api_trace *t = the_trace;
    if (fault->vector != 14 || !(site_flags(&t->sites, fault->pc) & SITE_ENTRY))
        return;
    struct api_thread *th =
        *thread_link(t, get_current_context(), cpu_get_register(cpu, t->user.thread_register));
    if (th && th->top && th->top->address == fault->pc)
        th->top->faulted = true;
}

struct api_trace *api_trace_create(const struct api_trace_user *user)
{
    struct api_trace *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->user = *user;
    the_trace = t;
    const unsigned reads = JIT_HELPER_READS_REGS;
    jit_register_helper(NULL, (void (*)(void))helper_enter, "api_enter", reads, "vpc");
    jit_register_helper(NULL, (void (*)(void))helper_return, "api_return", reads, "vpc");
    plugin_subscribe(on_instruction, "qemu", "PLUGIN_QEMU_INSTR_TRANSLATE");
    plugin_subscribe(on_fault, "qemu", "PLUGIN_QEMU_INSTRUCTION_EXCEPTION");
    return t;
}

void api_trace_destroy(struct api_trace *t)
{
    if (!t)
        return;
    for (unsigned i = 0; i < BUCKETS; i++) {
        while (t->threads[i])
            thread_free(t, &t->threads[i], machine_get_cpu());
        while (t->modules[i])
            api_trace_remove(t, t->modules[i]);
    }
    free(t->sites.keys);
    free(t->sites.flags);
    free(t);
    the_trace = NULL;
}

struct api_trace_counts api_trace_counts(const struct api_trace *t)
{
    return (struct api_trace_counts){t->module_count, t->sites.count, (unsigned)t->in_progress,
                                     t->calls,        t->returns,     t->lost};
}
