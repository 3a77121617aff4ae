// SPDX-License-Identifier: MIT
// Calls that start, end and name processes: CreateProcess and CreateProcessAsUser (both character
// sets), ExitProcess, GetCurrentProcessId, whichever module exports them. When one of them calls
// another (kernel32 its kernelbase), the outermost is reported.
#include <stdlib.h>
#include <string.h>

#include "common/guest.h"
#include "internal.h"

#define NAME_LIMIT 32768u

struct create_process {
    uint32_t context, thread;
    const char *name;                                 // application, NULL: not given
    const char *command_line;                         // NULL: not given
    uint32_t process_handle, thread_handle, pid, tid; // PROCESS_INFORMATION
    uint32_t ret;                                     // 0: it failed
};

struct exit_process {
    uint32_t context, thread;
    uint32_t exit_code;
};

struct process_id {
    uint32_t context, thread;
    uint32_t pid;
};

static const struct payload_field create_fields[] = {
    PAYLOAD_FIELD(struct create_process, context, PAYLOAD_HEX32, "CR3 of the caller"),
    PAYLOAD_FIELD(struct create_process, thread, PAYLOAD_HEX32, "address of the caller's TEB"),
    PAYLOAD_FIELD(struct create_process, name, PAYLOAD_STRING, "application; NULL: not given"),
    PAYLOAD_FIELD(struct create_process, command_line, PAYLOAD_STRING, "NULL: not given"),
    PAYLOAD_FIELD(struct create_process, process_handle, PAYLOAD_HEX32, "of the new process"),
    PAYLOAD_FIELD(struct create_process, thread_handle, PAYLOAD_HEX32, "of its first thread"),
    PAYLOAD_FIELD(struct create_process, pid, PAYLOAD_U32, "of the new process"),
    PAYLOAD_FIELD(struct create_process, tid, PAYLOAD_U32, "of its first thread"),
    PAYLOAD_FIELD(struct create_process, ret, PAYLOAD_U32, "0: it failed"),
    PAYLOAD_FIELDS_END};
static const struct payload_type create_payload = {
    "create_process", 1, sizeof(struct create_process), create_fields,
    "CreateProcess or CreateProcessAsUser returned."};

static const struct payload_field exit_fields[] = {
    PAYLOAD_FIELD(struct exit_process, context, PAYLOAD_HEX32, "CR3 of the caller"),
    PAYLOAD_FIELD(struct exit_process, thread, PAYLOAD_HEX32, "address of the caller's TEB"),
    PAYLOAD_FIELD(struct exit_process, exit_code, PAYLOAD_U32, "of the process"),
    PAYLOAD_FIELDS_END};
static const struct payload_type exit_payload = {"exit_process", 1, sizeof(struct exit_process),
                                                 exit_fields, "ExitProcess is entered."};

static const struct payload_field id_fields[] = {
    PAYLOAD_FIELD(struct process_id, context, PAYLOAD_HEX32, "CR3 of the caller"),
    PAYLOAD_FIELD(struct process_id, thread, PAYLOAD_HEX32, "address of the caller's TEB"),
    PAYLOAD_FIELD(struct process_id, pid, PAYLOAD_U32, "of the caller"), PAYLOAD_FIELDS_END};
static const struct payload_type id_payload = {"process_id", 1, sizeof(struct process_id),
                                               id_fields, "GetCurrentProcessId returned."};

static struct {
    SignalHandle *create, *create_as_user, *exit, *pid;
} signals;

void process_register(SignalInfo *group)
{
    plugin_describe_signal(group, "API_CREATE_PROCESS", &create_payload);
    plugin_describe_signal(group, "API_CREATE_PROCESS_AS_USER", &create_payload);
    plugin_describe_signal(group, "API_EXIT_PROCESS", &exit_payload);
    plugin_describe_signal(group, "API_GET_CUR_PROC_ID", &id_payload);
    signals.create = plugin_resolve_signal(group, "API_CREATE_PROCESS");
    signals.create_as_user = plugin_resolve_signal(group, "API_CREATE_PROCESS_AS_USER");
    signals.exit = plugin_resolve_signal(group, "API_EXIT_PROCESS");
    signals.pid = plugin_resolve_signal(group, "API_GET_CUR_PROC_ID");
}

enum api_kind process_kind(const struct api_image *image, const struct api_export *export)
{
    static const struct {
        const char *name;
        enum api_kind kind;
    } known[] = {{"CreateProcessW", API_CREATE_W},
                 {"CreateProcessA", API_CREATE_A},
                 {"CreateProcessAsUserW", API_AS_USER_W},
                 {"CreateProcessAsUserA", API_AS_USER_A},
                 {"ExitProcess", API_EXIT},
                 {"GetCurrentProcessId", API_PID}};
    static const char *const modules[] = {"kernel32.dll", "kernelbase.dll", "advapi32.dll"};
    bool ours = false;
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
        ours |= strcmp(image->name, modules[i]) == 0;
    for (size_t i = 0; ours && export->name && i < sizeof known / sizeof *known; i++)
        if (strcmp(export->name, known[i].name) == 0)
            return known[i].kind;
    return API_OTHER;
}

// What CreateProcess was asked for. The caller may change the strings before it returns.
struct request {
    char *name, *command_line;
    uint32_t information;
};

static bool is_as_user(uint32_t kind)
{
    return kind == API_AS_USER_W || kind == API_AS_USER_A;
}

static bool is_create(uint32_t kind)
{
    return kind == API_CREATE_W || kind == API_CREATE_A || is_as_user(kind);
}

static bool is_inner(const struct api_call *call)
{
    for (const struct api_call *c = call->outer; c; c = c->outer)
        if (c->export->kind == call->export->kind ||
            (is_create(c->export->kind) && is_create(call->export->kind)))
            return true;
    return false;
}

static char *read_string(CPUArchState *cpu, uint32_t address, bool wide)
{
    struct text text = {0};
    if (!address)
        return NULL;
    if (wide)
        guest_read_utf16z(cpu, address, NAME_LIMIT, &text);
    else
        guest_read_stringz(cpu, address, NAME_LIMIT, &text);
    return text_take(&text);
}

static void enter_create(struct api_call *call, CPUArchState *cpu)
{
    // 10 arguments; CreateProcessAsUser has the token in front of them. The request and its strings
    // are one piece of memory, because the call's data is.
    uint32_t kind = call->export->kind, arg[11], shift = is_as_user(kind);
    bool wide = kind == API_CREATE_W || kind == API_AS_USER_W;
    if (!guest_read(cpu, call->esp + 4, arg, sizeof arg))
        memset(arg, 0, sizeof arg);
    char *name = read_string(cpu, arg[shift], wide);
    char *line = read_string(cpu, arg[shift + 1], wide);
    size_t name_size = name ? strlen(name) + 1 : 0, line_size = line ? strlen(line) + 1 : 0;
    struct request *r = malloc(sizeof *r + name_size + line_size);
    if (r) {
        char *strings = (char *)(r + 1);
        *r = (struct request){.information = arg[shift + 9]};
        if (name)
            r->name = memcpy(strings, name, name_size);
        if (line)
            r->command_line = memcpy(strings + name_size, line, line_size);
    }
    free(name);
    free(line);
    call->data = r;
}

void process_enter(struct api_call *call, CPUArchState *cpu)
{
    uint32_t kind = call->export->kind;
    if (kind == API_OTHER || is_inner(call))
        return;
    if (is_create(kind)) {
        enter_create(call, cpu);
    } else if (kind == API_EXIT && plugin_has_subscribers(signals.exit)) {
        struct exit_process payload = {.context = call->context, .thread = call->thread};
        guest_read_u32(cpu, call->esp + 4, &payload.exit_code);
        plugin_emit(signals.exit, &payload, cpu);
    }
}

void process_leave(struct api_call *call, CPUArchState *cpu, bool returned)
{
    uint32_t kind = call->export->kind;
    const struct request *r = call->data;
    if (!returned || kind == API_OTHER)
        return;
    uint32_t ret = cpu_get_register(cpu, EMU_EAX);
    if (is_create(kind) && r) {
        struct create_process payload = {.context = call->context,
                                         .thread = call->thread,
                                         .name = r->name,
                                         .command_line = r->command_line,
                                         .ret = ret};
        uint32_t information[4];
        if (ret && guest_read(cpu, r->information, information, sizeof information)) {
            payload.process_handle = information[0];
            payload.thread_handle = information[1];
            payload.pid = information[2];
            payload.tid = information[3];
        }
        plugin_emit(is_as_user(kind) ? signals.create_as_user : signals.create, &payload, cpu);
    } else if (kind == API_PID && !is_inner(call)) {
        struct process_id payload = {call->context, call->thread, ret};
        plugin_emit(signals.pid, &payload, cpu);
    }
}
