// SPDX-License-Identifier: MIT
// Group "syscall" of a Windows guest: descriptions and emission.
#include "common/windows/signals.h"

#include <stdlib.h>

#define IO_BYTES_LIMIT 65536u

#define CALLER_FIELDS(struct_)                                                                     \
    PAYLOAD_FIELD(struct struct_, context, PAYLOAD_HEX32, "CR3 of the caller"),                    \
        PAYLOAD_FIELD(struct struct_, thread, PAYLOAD_HEX32, "address of the caller's TEB")

static const struct payload_field duplicate_fields[] = {
    CALLER_FIELDS(win_duplicate),
    PAYLOAD_FIELD(struct win_duplicate, source_process, PAYLOAD_HEX32, "handle"),
    PAYLOAD_FIELD(struct win_duplicate, source_handle, PAYLOAD_HEX32, "in source_process"),
    PAYLOAD_FIELD(struct win_duplicate, target_process, PAYLOAD_HEX32, "handle"),
    PAYLOAD_FIELD(struct win_duplicate, target_handle, PAYLOAD_HEX32, "new, in target_process"),
    PAYLOAD_FIELD(struct win_duplicate, access, PAYLOAD_HEX32, "access mask"),
    PAYLOAD_FIELD(struct win_duplicate, options, PAYLOAD_HEX32, "DUPLICATE_*"),
    PAYLOAD_FIELD(struct win_duplicate, ret, PAYLOAD_S32, "NTSTATUS"),
    PAYLOAD_FIELDS_END};
const struct payload_type win_duplicate_payload = {"win_duplicate", 1, sizeof(struct win_duplicate),
                                                   duplicate_fields, "A handle was duplicated."};

static const struct payload_field section_fields[] = {
    CALLER_FIELDS(win_section),
    PAYLOAD_FIELD(struct win_section, name, PAYLOAD_STRING, "NULL: none"),
    PAYLOAD_FIELD(struct win_section, handle, PAYLOAD_HEX32, "of the section"),
    PAYLOAD_FIELD(struct win_section, file, PAYLOAD_HEX32, "handle of the file, 0: none"),
    PAYLOAD_FIELD(struct win_section, access, PAYLOAD_HEX32, "access mask"),
    PAYLOAD_FIELD(struct win_section, protection, PAYLOAD_HEX32, "PAGE_*"),
    PAYLOAD_FIELD(struct win_section, attributes, PAYLOAD_HEX32, "SEC_*"),
    PAYLOAD_FIELD(struct win_section, size, PAYLOAD_U64, "asked for; 0: the file's"),
    PAYLOAD_FIELD(struct win_section, ret, PAYLOAD_S32, "NTSTATUS"),
    PAYLOAD_FIELDS_END};
const struct payload_type win_section_payload = {"win_section", 1, sizeof(struct win_section),
                                                 section_fields,
                                                 "A section was created or opened."};

static const struct payload_field view_fields[] = {
    CALLER_FIELDS(win_view),
    PAYLOAD_FIELD(struct win_view, process, PAYLOAD_HEX32, "handle"),
    PAYLOAD_FIELD(struct win_view, section, PAYLOAD_HEX32, "handle"),
    PAYLOAD_FIELD(struct win_view, base, PAYLOAD_HEX32, "address of the view"),
    PAYLOAD_FIELD(struct win_view, size, PAYLOAD_U32, "bytes"),
    PAYLOAD_FIELD(struct win_view, offset, PAYLOAD_U64, "in the section"),
    PAYLOAD_FIELD(struct win_view, protection, PAYLOAD_HEX32, "PAGE_*"),
    PAYLOAD_FIELD(struct win_view, ret, PAYLOAD_S32, "NTSTATUS"),
    PAYLOAD_FIELDS_END};
const struct payload_type win_view_payload = {"win_view", 1, sizeof(struct win_view), view_fields,
                                              "A view of a section was mapped or unmapped."};

static const struct payload_field process_fields[] = {
    CALLER_FIELDS(win_process),
    PAYLOAD_FIELD(struct win_process, name, PAYLOAD_STRING, "of the object; NULL: none"),
    PAYLOAD_FIELD(struct win_process, handle, PAYLOAD_HEX32, "of the process"),
    PAYLOAD_FIELD(struct win_process, token, PAYLOAD_HEX32, "handle"),
    PAYLOAD_FIELD(struct win_process, parent, PAYLOAD_HEX32, "handle"),
    PAYLOAD_FIELD(struct win_process, section, PAYLOAD_HEX32, "handle of its image"),
    PAYLOAD_FIELD(struct win_process, pid, PAYLOAD_U32, "that was opened"),
    PAYLOAD_FIELD(struct win_process, access, PAYLOAD_HEX32, "access mask"),
    PAYLOAD_FIELD(struct win_process, exit_status, PAYLOAD_HEX32, "of a terminated process"),
    PAYLOAD_FIELD(struct win_process, returned, PAYLOAD_BOOL, "false: the caller ends itself"),
    PAYLOAD_FIELD(struct win_process, ret, PAYLOAD_S32, "NTSTATUS"),
    PAYLOAD_FIELDS_END};
const struct payload_type win_process_payload = {"win_process", 1, sizeof(struct win_process),
                                                 process_fields, "A call on a process."};

static const struct payload_field thread_fields[] = {
    CALLER_FIELDS(win_thread_payload),
    PAYLOAD_FIELD(struct win_thread_payload, name, PAYLOAD_STRING, "of the object; NULL: none"),
    PAYLOAD_FIELD(struct win_thread_payload, handle, PAYLOAD_HEX32, "of the thread"),
    PAYLOAD_FIELD(struct win_thread_payload, process, PAYLOAD_HEX32, "handle"),
    PAYLOAD_FIELD(struct win_thread_payload, token, PAYLOAD_HEX32, "handle"),
    PAYLOAD_FIELD(struct win_thread_payload, pid, PAYLOAD_U32, "of its process"),
    PAYLOAD_FIELD(struct win_thread_payload, tid, PAYLOAD_U32, "of the thread"),
    PAYLOAD_FIELD(struct win_thread_payload, access, PAYLOAD_HEX32, "access mask"),
    PAYLOAD_FIELD(struct win_thread_payload, entry, PAYLOAD_HEX32, "where a new thread starts"),
    PAYLOAD_FIELD(struct win_thread_payload, suspend_count, PAYLOAD_U32, "the previous one"),
    PAYLOAD_FIELD(struct win_thread_payload, exit_status, PAYLOAD_HEX32, "of a terminated thread"),
    PAYLOAD_FIELD(struct win_thread_payload, returned, PAYLOAD_BOOL,
                  "false: the caller ends itself"),
    PAYLOAD_FIELD(struct win_thread_payload, ret, PAYLOAD_S32, "NTSTATUS"),
    PAYLOAD_FIELDS_END};
const struct payload_type win_thread_payload_type = {
    "win_thread", 1, sizeof(struct win_thread_payload), thread_fields, "A call on a thread."};

static const struct payload_field memory_fields[] = {
    CALLER_FIELDS(win_memory),
    PAYLOAD_FIELD(struct win_memory, process, PAYLOAD_HEX32, "handle"),
    PAYLOAD_FIELD(struct win_memory, base, PAYLOAD_HEX32, "address"),
    PAYLOAD_FIELD(struct win_memory, size, PAYLOAD_U32, "bytes, or physical pages"),
    PAYLOAD_FIELD(struct win_memory, type, PAYLOAD_HEX32, "MEM_*"),
    PAYLOAD_FIELD(struct win_memory, protection, PAYLOAD_HEX32, "PAGE_*"),
    PAYLOAD_FIELD(struct win_memory, ret, PAYLOAD_S32, "NTSTATUS"),
    PAYLOAD_FIELDS_END};
const struct payload_type win_memory_payload = {"win_memory", 1, sizeof(struct win_memory),
                                                memory_fields, "Memory was allocated."};

static const struct payload_field query_fields[] = {
    CALLER_FIELDS(win_query),
    PAYLOAD_FIELD(struct win_query, process, PAYLOAD_HEX32, "handle"),
    PAYLOAD_FIELD(struct win_query, information_class, PAYLOAD_U32, "PROCESSINFOCLASS"),
    PAYLOAD_FIELD(struct win_query, buffer, PAYLOAD_HEX32, "its address in the guest"),
    PAYLOAD_FIELD(struct win_query, length, PAYLOAD_U32, "of the buffer"),
    PAYLOAD_FIELD(struct win_query, returned_length, PAYLOAD_U32, "0: not given"),
    PAYLOAD_FIELD(struct win_query, ret, PAYLOAD_S32, "NTSTATUS"),
    PAYLOAD_FIELDS_END};
const struct payload_type win_query_payload = {"win_query", 1, sizeof(struct win_query),
                                               query_fields, "A process was asked about."};

static const struct payload_type *payload_of(enum win_call_id id)
{
    switch (id) {
    case NT_CREATE_FILE:
    case NT_OPEN_FILE:
        return &syscall_open_payload;
    case NT_READ_FILE:
    case NT_WRITE_FILE:
        return &syscall_io_payload;
    case NT_CLOSE:
        return &syscall_close_payload;
    case NT_CREATE_SECTION:
    case NT_OPEN_SECTION:
        return &win_section_payload;
    case NT_MAP_VIEW_OF_SECTION:
    case NT_UNMAP_VIEW_OF_SECTION:
        return &win_view_payload;
    case NT_DUPLICATE_OBJECT:
        return &win_duplicate_payload;
    case NT_ALLOCATE_VIRTUAL_MEMORY:
    case NT_ALLOCATE_USER_PHYSICAL_PAGES:
        return &win_memory_payload;
    case NT_QUERY_INFORMATION_PROCESS:
        return &win_query_payload;
    case NT_CREATE_THREAD:
    case NT_OPEN_THREAD:
    case NT_OPEN_THREAD_TOKEN:
    case NT_RESUME_THREAD:
    case NT_SUSPEND_THREAD:
    case NT_TERMINATE_THREAD:
        return &win_thread_payload_type;
    default:
        return &win_process_payload;
    }
}

void win_signals_register(struct win_signals *signals)
{
    signals->group = plugin_reg_signal("syscall");
    if (!signals->group)
        return;
    plugin_describe_signal(signals->group, "SYSCALL_ENTRY", &syscall_call_payload);
    plugin_describe_signal(signals->group, "SYSCALL_RETURN", &syscall_call_payload);
    signals->call = plugin_resolve_signal(signals->group, "SYSCALL_ENTRY");
    signals->call_end = plugin_resolve_signal(signals->group, "SYSCALL_RETURN");
    for (unsigned i = 0; i < NT_CALLS; i++) {
        const char *id = win_calls[i].signal;
        plugin_describe_signal(signals->group, id, payload_of(i));
        signals->known[i] = plugin_resolve_signal(signals->group, id);
    }
}

bool win_signals_wanted(const struct win_signals *signals, const struct win_record *r)
{
    return plugin_has_subscribers(signals->call) || plugin_has_subscribers(signals->call_end) ||
           (r->call && plugin_has_subscribers(signals->known[r->id]));
}

static struct syscall_call generic(const struct win_record *r, bool returned, uint32_t status)
{
    return (struct syscall_call){.context = r->context,
                                 .thread = r->thread,
                                 .number = r->number,
                                 .name = r->call ? r->call->name : NULL,
                                 .arg = r->arg,
                                 .args = r->args,
                                 .returned = returned,
                                 .ret = (int32_t)status};
}

void win_signals_enter(const struct win_signals *signals, const struct win_record *r,
                       CPUArchState *cpu)
{
    if (!plugin_has_subscribers(signals->call))
        return;
    struct syscall_call payload = generic(r, false, 0);
    plugin_emit(signals->call, &payload, cpu);
}

void win_signals_end(const struct win_signals *signals, const struct win_record *r,
                     CPUArchState *cpu, bool returned, uint32_t status)
{
    if (!plugin_has_subscribers(signals->call_end))
        return;
    struct syscall_call payload = generic(r, returned, status);
    plugin_emit(signals->call_end, &payload, cpu);
}

// ---- One function a kind of payload

struct emission {
    SignalHandle *signal;
    const struct win_record *r;
    CPUArchState *cpu;
    bool returned;
    uint32_t status;
};

static uint32_t access_of(const struct win_record *r)
{
    uint32_t mask = r->arg[1], access = 0;
    if (mask & 0xb0000021) // FILE_READ_DATA, FILE_EXECUTE, GENERIC_READ, EXECUTE, ALL
        access |= SYSCALL_ACCESS_READ;
    if (mask & 0x50000002) // FILE_WRITE_DATA, GENERIC_WRITE, ALL
        access |= SYSCALL_ACCESS_WRITE;
    if ((mask & 0x50000006) == 4) // FILE_APPEND_DATA alone
        access |= SYSCALL_ACCESS_APPEND;
    if (r->id == NT_CREATE_FILE) {
        uint32_t disposition = r->arg[7];
        if (disposition != 1 && disposition != 4)
            access |= SYSCALL_ACCESS_CREATE;
        if (disposition == 0 || disposition == 4 || disposition == 5)
            access |= SYSCALL_ACCESS_TRUNCATE;
    }
    return access;
}

static void emit_open(const struct emission *e)
{
    const struct win_record *r = e->r;
    struct syscall_open payload = {.context = r->context,
                                   .thread = r->thread,
                                   .name = r->object_name,
                                   .handle = (uint32_t)r->out[0],
                                   .access = access_of(r),
                                   .ret = (int32_t)e->status};
    plugin_emit(e->signal, &payload, e->cpu);
}

static void emit_io(const struct emission *e)
{
    const struct win_record *r = e->r;
    uint32_t done = r->has_out >> 4 & 1 ? (uint32_t)(r->out[4] >> 32) : 0;
    if (done > r->arg[6])
        done = r->arg[6];
    uint8_t *bytes = malloc(done < IO_BYTES_LIMIT ? done + 1 : IO_BYTES_LIMIT);
    uint32_t want = done < IO_BYTES_LIMIT ? done : IO_BYTES_LIMIT;
    // -1: append, -2: at the file's position (ntifs.h)
    int64_t offset = r->has_in >> 7 & 1 ? (int64_t)r->in[7] : -1;
    struct syscall_io payload = {.context = r->context,
                                 .thread = r->thread,
                                 .handle = r->arg[0],
                                 .buffer = r->arg[5],
                                 .length = r->arg[6],
                                 .done = done,
                                 .offset = offset < 0 ? -1 : offset,
                                 .bytes = bytes,
                                 .bytes_size =
                                     bytes ? cpu_read_memory(e->cpu, r->arg[5], bytes, want) : 0,
                                 .ret = (int32_t)e->status};
    plugin_emit(e->signal, &payload, e->cpu);
    free(bytes);
}

static void emit_close(const struct emission *e)
{
    struct syscall_close payload = {.context = e->r->context,
                                    .thread = e->r->thread,
                                    .handle = e->r->arg[0],
                                    .ret = (int32_t)e->status};
    plugin_emit(e->signal, &payload, e->cpu);
}

static void emit_duplicate(const struct emission *e)
{
    const struct win_record *r = e->r;
    struct win_duplicate payload = {.context = r->context,
                                    .thread = r->thread,
                                    .source_process = r->arg[0],
                                    .source_handle = r->arg[1],
                                    .target_process = r->arg[2],
                                    .target_handle = (uint32_t)r->out[3],
                                    .access = r->arg[4],
                                    .options = r->arg[6],
                                    .ret = (int32_t)e->status};
    plugin_emit(e->signal, &payload, e->cpu);
}

static void emit_section(const struct emission *e)
{
    const struct win_record *r = e->r;
    bool create = r->id == NT_CREATE_SECTION;
    struct win_section payload = {.context = r->context,
                                  .thread = r->thread,
                                  .name = r->object_name,
                                  .handle = (uint32_t)r->out[0],
                                  .file = create ? r->arg[6] : 0,
                                  .access = r->arg[1],
                                  .protection = create ? r->arg[4] : 0,
                                  .attributes = create ? r->arg[5] : 0,
                                  .size = create ? r->in[3] : 0,
                                  .ret = (int32_t)e->status};
    plugin_emit(e->signal, &payload, e->cpu);
}

static void emit_view(const struct emission *e)
{
    const struct win_record *r = e->r;
    bool map = r->id == NT_MAP_VIEW_OF_SECTION;
    struct win_view payload = {.context = r->context,
                               .thread = r->thread,
                               .process = map ? r->arg[1] : r->arg[0],
                               .section = map ? r->arg[0] : 0,
                               .base = map ? (uint32_t)r->out[2] : r->arg[1],
                               .size = map ? (uint32_t)r->out[6] : 0,
                               .offset = map ? r->out[5] : 0,
                               .protection = map ? r->arg[9] : 0,
                               .ret = (int32_t)e->status};
    plugin_emit(e->signal, &payload, e->cpu);
}

static void emit_process(const struct emission *e)
{
    const struct win_record *r = e->r;
    struct win_process payload = {.context = r->context,
                                  .thread = r->thread,
                                  .name = r->object_name,
                                  .returned = e->returned,
                                  .ret = (int32_t)e->status};
    switch (r->id) {
    case NT_CREATE_PROCESS:
    case NT_CREATE_PROCESS_EX:
        payload.handle = (uint32_t)r->out[0];
        payload.access = r->arg[1];
        payload.parent = r->arg[3];
        payload.section = r->arg[5];
        break;
    case NT_OPEN_PROCESS:
        payload.handle = (uint32_t)r->out[0];
        payload.access = r->arg[1];
        payload.pid = (uint32_t)r->in[3];
        break;
    case NT_OPEN_PROCESS_TOKEN:
        payload.handle = r->arg[0];
        payload.access = r->arg[1];
        payload.token = (uint32_t)r->out[2];
        break;
    case NT_TERMINATE_PROCESS:
        payload.exit_status = r->arg[1];
        payload.handle = r->arg[0];
        break;
    default:
        payload.handle = r->arg[0];
        break;
    }
    plugin_emit(e->signal, &payload, e->cpu);
}

static void emit_thread(const struct emission *e)
{
    const struct win_record *r = e->r;
    struct win_thread_payload payload = {.context = r->context,
                                         .thread = r->thread,
                                         .name = r->object_name,
                                         .handle = r->arg[0],
                                         .returned = e->returned,
                                         .ret = (int32_t)e->status};
    switch (r->id) {
    case NT_CREATE_THREAD:
        payload.handle = (uint32_t)r->out[0];
        payload.access = r->arg[1];
        payload.process = r->arg[3];
        payload.pid = (uint32_t)r->out[4];
        payload.tid = r->client_thread;
        payload.entry = r->entry_point;
        break;
    case NT_OPEN_THREAD:
        payload.handle = (uint32_t)r->out[0];
        payload.access = r->arg[1];
        payload.pid = (uint32_t)r->in[3];
        payload.tid = r->client_thread;
        break;
    case NT_OPEN_THREAD_TOKEN:
        payload.access = r->arg[1];
        payload.token = (uint32_t)r->out[3];
        break;
    case NT_TERMINATE_THREAD:
        payload.exit_status = r->arg[1];
        break;
    default:
        payload.suspend_count = (uint32_t)r->out[1];
        break;
    }
    plugin_emit(e->signal, &payload, e->cpu);
}

static void emit_memory(const struct emission *e)
{
    const struct win_record *r = e->r;
    bool virtual = r->id == NT_ALLOCATE_VIRTUAL_MEMORY;
    struct win_memory payload = {.context = r->context,
                                 .thread = r->thread,
                                 .process = r->arg[0],
                                 .base = virtual ? (uint32_t)r->out[1] : 0,
                                 .size = (uint32_t)r->out[virtual ? 3 : 1],
                                 .type = virtual ? r->arg[4] : 0x00400000, // MEM_PHYSICAL
                                 .protection = virtual ? r->arg[5] : 0,
                                 .ret = (int32_t)e->status};
    plugin_emit(e->signal, &payload, e->cpu);
}

static void emit_query(const struct emission *e)
{
    const struct win_record *r = e->r;
    struct win_query payload = {.context = r->context,
                                .thread = r->thread,
                                .process = r->arg[0],
                                .information_class = r->arg[1],
                                .buffer = r->arg[2],
                                .length = r->arg[3],
                                .returned_length = (uint32_t)r->out[4],
                                .ret = (int32_t)e->status};
    plugin_emit(e->signal, &payload, e->cpu);
}

void win_signals_emit(const struct win_signals *signals, const struct win_record *r,
                      CPUArchState *cpu, bool returned, uint32_t status)
{
    if (!r->call || r->args < r->call->args || !plugin_has_subscribers(signals->known[r->id]))
        return;
    const struct payload_type *type = payload_of(r->id);
    struct emission e = {signals->known[r->id], r, cpu, returned, status};
    if (type == &syscall_open_payload)
        emit_open(&e);
    else if (type == &syscall_io_payload)
        emit_io(&e);
    else if (type == &syscall_close_payload)
        emit_close(&e);
    else if (type == &win_duplicate_payload)
        emit_duplicate(&e);
    else if (type == &win_section_payload)
        emit_section(&e);
    else if (type == &win_view_payload)
        emit_view(&e);
    else if (type == &win_thread_payload_type)
        emit_thread(&e);
    else if (type == &win_memory_payload)
        emit_memory(&e);
    else if (type == &win_query_payload)
        emit_query(&e);
    else
        emit_process(&e);
}
