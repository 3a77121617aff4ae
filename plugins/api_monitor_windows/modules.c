// SPDX-License-Identifier: MIT
// Which files are mapped where: from the calls that open files, make sections of them and map
// views, and from the loader's list that the PEB points at, which knows what was mapped before the
// plugin came, or by the system itself. Export tables are read as their pages become present. Left
// out: views that one process maps into another.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/guest.h"
#include "common/pe_exports.h"
#include "common/windows/syscall_signals.h"
#include "common/windows/signals.h"
#include "internal.h"

#define CURRENT_PROCESS 0xffffffffu
#define SEC_IMAGE       0x01000000u
#define BUCKETS         4096u
#define MAX_HANDLES     262144u
#define MAX_LIST        1024u
#define NAME_LIMIT      32768u

// winternl.h and its kin, 32 bits
enum {
    TEB_PID = 0x20,
    TEB_PEB = 0x30,
    PEB_LDR = 0x0c,
    LDR_IN_LOAD_ORDER = 0x0c,
    ENTRY_BASE = 0x18,
    ENTRY_SIZE = 0x20,
    ENTRY_FULL_NAME = 0x24
};

struct handle {
    struct handle *next;
    uint32_t context, handle;
    bool is_section, is_image;
    char *name;
};

// Of a module: what of its export table is still to come.
struct table_state {
    bool complete;
    struct pe_exports missing; // its list is empty
};

static struct {
    struct api_trace *trace;
    struct handle *handles[BUCKETS];
    unsigned handle_count, incomplete;
    bool watching; // subscribed to PLUGIN_QEMU_TLB_SET_PAGE
    struct {
        uint32_t context, pid;
    } known[BUCKETS]; // processes whose list was read, by hash of the context
} modules;

// ---- Handles

static struct handle **handle_link(uint32_t context, uint32_t handle)
{
    uint32_t hash = (context >> 5 ^ handle >> 2) * 2654435761u >> 20;
    struct handle **link = &modules.handles[hash];
    while (*link && ((*link)->context != context || (*link)->handle != handle))
        link = &(*link)->next;
    return link;
}

static void handle_remove(uint32_t context, uint32_t handle)
{
    struct handle **link = handle_link(context, handle), *h = *link;
    if (!h)
        return;
    *link = h->next;
    free(h->name);
    free(h);
    modules.handle_count--;
}

// name may be that of the handle which this one replaces.
static void handle_add(uint32_t context, uint32_t handle, const char *name, bool section,
                       bool image)
{
    char *copy = strdup(name ? name : "");
    handle_remove(context, handle);
    struct handle *h = copy && modules.handle_count < MAX_HANDLES ? calloc(1, sizeof *h) : NULL;
    if (!h) {
        free(copy);
        return;
    }
    *h = (struct handle){NULL, context, handle, section, image, copy};
    *handle_link(context, handle) = h;
    modules.handle_count++;
}

// ---- Export tables

static size_t read_image(void *self, uint32_t rva, void *buffer, size_t length)
{
    const struct api_module *module = self;
    return cpu_read_memory(machine_get_cpu(), module->base + rva, buffer, length);
}

static void on_tlb_page(void *data, CPUArchState *cpu);

static void watch_update(void)
{
    bool want = modules.incomplete > 0;
    if (want == modules.watching)
        return;
    if (want)
        plugin_subscribe(on_tlb_page, "qemu", "PLUGIN_QEMU_TLB_SET_PAGE");
    else
        plugin_del_subscriber(on_tlb_page, "qemu", "PLUGIN_QEMU_TLB_SET_PAGE");
    modules.watching = want;
}

// Reads what is there of a module's export table. In its address space. False: it is no PE image.
static bool table_read(struct api_module *module, CPUArchState *cpu)
{
    struct table_state *state = module->state;
    struct pe_reader reader = {read_image, module};
    struct pe_exports *e = &state->missing;
    if (!pe_exports_read(&reader, e)) {
        pe_exports_free(e);
        return false;
    }
    if (e->image_size > module->size)
        module->size = e->image_size;
    struct api_export *list = calloc(e->count + 1, sizeof *list);
    for (unsigned i = 0; list && i < e->count; i++) {
        list[i] = (struct api_export){
            .rva = e->list[i].rva, .ordinal = e->list[i].ordinal, .name = e->list[i].name};
        e->list[i].name = NULL;
    }
    if (list)
        api_trace_set_exports(modules.trace, cpu, module, list, e->count);
    bool complete = e->missing_count == 0;
    struct pe_exports rest = *e;
    rest.list = NULL;
    rest.count = 0;
    pe_exports_free(e);
    *e = rest;
    if (complete != state->complete) {
        state->complete = complete;
        modules.incomplete -= complete;
    }
    return true;
}

static void module_drop(struct api_module *module)
{
    const struct table_state *state = module->state;
    modules.incomplete -= state && !state->complete;
    api_trace_remove(modules.trace, module);
}

static void drop_overlapping(uint32_t context, uint32_t base, uint32_t size)
{
    struct api_module *m = api_trace_first(modules.trace, context);
    while (m) {
        struct api_module *next = m->next;
        if (m->context == context && (m->base - base < size || base - m->base < m->size))
            module_drop(m);
        m = next;
    }
}

static const char *file_of(const char *path)
{
    const char *slash = strrchr(path, '\\');
    return slash ? slash + 1 : path;
}

static void module_add(CPUArchState *cpu, uint32_t context, uint32_t base, uint32_t size,
                       const char *path)
{
    const struct api_module *have = api_trace_at(modules.trace, context, base);
    char *name = strdup(file_of(path));
    for (char *c = name; c && *c; c++)
        *c = (char)tolower((unsigned char)*c);
    if (name && size && !(have && have->base == base && strcmp(have->image->name, name) == 0)) {
        drop_overlapping(context, base, size);
        struct api_module *module = api_trace_add(modules.trace, context, base, size, name, path);
        if (module) {
            module->state = calloc(1, sizeof(struct table_state));
            modules.incomplete++;
            if (!module->state || !table_read(module, cpu))
                module_drop(module);
        }
        watch_update();
    }
    free(name);
}

// A page of some module may have come that was waited for. The set of modules may change here.
static void on_tlb_page(void *data, CPUArchState *cpu)
{
    const struct qemu_tlb_payload *page = data;
    uint32_t context = get_current_context();
    struct api_module *m = api_trace_at(modules.trace, context, page->vaddr);
    struct table_state *state = m ? m->state : NULL;
    if (!state || state->complete || !pe_exports_misses(&state->missing, page->vaddr - m->base))
        return;
    if (!table_read(m, cpu))
        module_drop(m);
    watch_update();
}

// ---- The loader's list

static void read_loader_list(CPUArchState *cpu)
{
    uint32_t teb = cpu_get_register(cpu, EMU_FS_BASE), peb, ldr, entry, base, size;
    if (!guest_read_u32(cpu, teb + TEB_PEB, &peb) || !peb ||
        !guest_read_u32(cpu, peb + PEB_LDR, &ldr) || !ldr)
        return;
    uint32_t head = ldr + LDR_IN_LOAD_ORDER;
    if (!guest_read_u32(cpu, head, &entry))
        return;
    for (unsigned i = 0; i < MAX_LIST && entry != head; i++) {
        struct {
            uint16_t length, maximum;
            uint32_t buffer;
        } name;
        struct text path = {0};
        if (!guest_read_u32(cpu, entry + ENTRY_BASE, &base) ||
            !guest_read_u32(cpu, entry + ENTRY_SIZE, &size) ||
            !guest_read(cpu, entry + ENTRY_FULL_NAME, &name, sizeof name) ||
            !guest_read_utf16(cpu, name.buffer, name.length, NAME_LIMIT, &path)) {
            text_free(&path);
            break;
        }
        if (base && path.length && size < 0x40000000)
            module_add(cpu, get_current_context(), base, size, text_string(&path));
        text_free(&path);
        if (!guest_read_u32(cpu, entry, &entry))
            break;
    }
}

// ---- Signals of the syscall plugin

static void on_open(void *data, CPUArchState *cpu)
{
    const struct syscall_open *p = data;
    if (p->ret >= 0)
        handle_add(p->context, p->handle, p->name, false, false);
}

static void on_close(void *data, CPUArchState *cpu)
{
    const struct syscall_close *p = data;
    if (p->ret >= 0)
        handle_remove(p->context, p->handle);
}

static void on_duplicate(void *data, CPUArchState *cpu)
{
    const struct win_duplicate *p = data;
    if (p->ret < 0 || p->source_process != CURRENT_PROCESS)
        return;
    const struct handle *h = *handle_link(p->context, p->source_handle);
    if (h && p->target_process == CURRENT_PROCESS && p->target_handle)
        handle_add(p->context, p->target_handle, h->name, h->is_section, h->is_image);
    if (p->options & 1) // DUPLICATE_CLOSE_SOURCE
        handle_remove(p->context, p->source_handle);
}

static void on_create_section(void *data, CPUArchState *cpu)
{
    const struct win_section *p = data;
    const struct handle *file = p->file ? *handle_link(p->context, p->file) : NULL;
    if (p->ret >= 0)
        handle_add(p->context, p->handle, file ? file->name : p->name, true,
                   (p->attributes & SEC_IMAGE) != 0);
}

// Sections that are opened by name are those of known libraries; others show no PE header.
static void on_open_section(void *data, CPUArchState *cpu)
{
    const struct win_section *p = data;
    if (p->ret >= 0)
        handle_add(p->context, p->handle, p->name, true, true);
}

static void on_map(void *data, CPUArchState *cpu)
{
    const struct win_view *p = data;
    const struct handle *h = *handle_link(p->context, p->section);
    if (p->ret < 0 || p->process != CURRENT_PROCESS)
        return;
    if (h && h->is_section && h->is_image)
        module_add(cpu, p->context, p->base, p->size, h->name);
    else
        drop_overlapping(p->context, p->base, p->size);
}

static void on_unmap(void *data, CPUArchState *cpu)
{
    const struct win_view *p = data;
    struct api_module *m = api_trace_at(modules.trace, p->context, p->base);
    if (p->ret >= 0 && p->process == CURRENT_PROCESS && m) {
        module_drop(m);
        watch_update();
    }
}

static void forget_context(uint32_t context)
{
    for (struct api_module *m; (m = api_trace_first(modules.trace, context));)
        module_drop(m);
    for (unsigned i = 0; i < BUCKETS; i++) {
        for (struct handle *h = modules.handles[i], *next; h; h = next) {
            next = h->next;
            if (h->context == context)
                handle_remove(context, h->handle);
        }
    }
    for (unsigned i = 0; i < BUCKETS; i++)
        if (modules.known[i].context == context)
            modules.known[i].pid = 0;
    watch_update();
}

static void on_terminate(void *data, CPUArchState *cpu)
{
    const struct win_process *p = data;
    if (p->handle == CURRENT_PROCESS && !p->returned)
        forget_context(p->context);
}

// The loader's list is read when a process is first seen: from then on its mappings are. Another
// process id shows that the address space has a new owner.
static void on_call_end(void *data, CPUArchState *cpu)
{
    const struct syscall_call *p = data;
    uint32_t pid, hash = (p->context >> 5) * 2654435761u >> 20, slot = hash;
    if (!p->returned || !guest_read_u32(cpu, p->thread + TEB_PID, &pid))
        return;
    for (unsigned i = 0; i < 8; i++) {
        uint32_t at = (hash + i) % BUCKETS;
        if (modules.known[at].context == p->context || !modules.known[at].context) {
            slot = at;
            break;
        }
    }
    if (modules.known[slot].context == p->context && modules.known[slot].pid == pid)
        return;
    if (modules.known[slot].context == p->context)
        forget_context(p->context);
    modules.known[slot].context = p->context;
    modules.known[slot].pid = pid;
    read_loader_list(cpu);
}

bool modules_start(struct api_trace *trace)
{
    modules.trace = trace;
    return plugin_subscribe(on_open, "syscall", "VMI_SC_OPEN") &&
           plugin_subscribe(on_open, "syscall", "VMI_SC_CREATE") &&
           plugin_subscribe(on_close, "syscall", "VMI_SC_CLOSE") &&
           plugin_subscribe(on_duplicate, "syscall", "VMI_SC_DUPLICATE_OBJ") &&
           plugin_subscribe(on_create_section, "syscall", "VMI_SC_CREATE_SECTION") &&
           plugin_subscribe(on_open_section, "syscall", "VMI_SC_OPEN_SECTION") &&
           plugin_subscribe(on_map, "syscall", "VMI_SC_MAP_VIEW_OF_SECTION") &&
           plugin_subscribe(on_unmap, "syscall", "VMI_SC_UNMAP_VIEW_OF_SECTION") &&
           plugin_subscribe(on_terminate, "syscall", "VMI_SCP_TERMINATE") &&
           plugin_subscribe(on_call_end, "syscall", "SYSCALL_RETURN");
}

void modules_stop(void)
{
    for (unsigned i = 0; i < BUCKETS; i++)
        while (modules.handles[i])
            handle_remove(modules.handles[i]->context, modules.handles[i]->handle);
}

unsigned modules_incomplete(void)
{
    return modules.incomplete;
}
