// SPDX-License-Identifier: MIT
// syscalls_linux: what group "syscall" carries.
#include <stdlib.h>
#include <string.h>

#include "monitor.h"

static const struct payload_field syscall_fields[] = {
    PAYLOAD_FIELD(struct syscall_payload, task, PAYLOAD_HEX32, "the thread, see plugin processes"),
    PAYLOAD_FIELD(struct syscall_payload, tid, PAYLOAD_U32, "thread"),
    PAYLOAD_FIELD(struct syscall_payload, pid, PAYLOAD_U32, "process"),
    PAYLOAD_FIELD(struct syscall_payload, context, PAYLOAD_HEX32, "CR3 at entry"),
    PAYLOAD_FIELD(struct syscall_payload, number, PAYLOAD_U32, "number of the call"),
    PAYLOAD_FIELD(struct syscall_payload, name, PAYLOAD_STRING, "name of the call"),
    PAYLOAD_FIELD(struct syscall_payload, arg0, PAYLOAD_HEX32, "EBX"),
    PAYLOAD_FIELD(struct syscall_payload, arg1, PAYLOAD_HEX32, "ECX"),
    PAYLOAD_FIELD(struct syscall_payload, arg2, PAYLOAD_HEX32, "EDX"),
    PAYLOAD_FIELD(struct syscall_payload, arg3, PAYLOAD_HEX32, "ESI"),
    PAYLOAD_FIELD(struct syscall_payload, arg4, PAYLOAD_HEX32, "EDI"),
    PAYLOAD_FIELD(struct syscall_payload, arg5, PAYLOAD_HEX32, "EBP"),
    PAYLOAD_FIELD(struct syscall_payload, returned, PAYLOAD_BOOL, "ret is valid"),
    PAYLOAD_FIELD(struct syscall_payload, ret, PAYLOAD_S32, "what it returned"),
    PAYLOAD_FIELD(struct syscall_payload, path, PAYLOAD_STRING, "first path argument"),
    PAYLOAD_FIELD(struct syscall_payload, path2, PAYLOAD_STRING, "second path argument"),
    PAYLOAD_FIELD(struct syscall_payload, args, PAYLOAD_STRING, "the call as strace prints it"),
    PAYLOAD_FIELDS_END};
const struct payload_type syscall_payload_type = {
    "syscall", 1, sizeof(struct syscall_payload), syscall_fields,
    "A system call is made (SYSCALL_ENTRY), is done (SYSCALL_RETURN), or its thread ended in it "
    "(SYSCALL_ABANDONED)."};

#define WHO(struct_)                                                                               \
    PAYLOAD_FIELD(struct_, tid, PAYLOAD_U32, "thread"),                                            \
        PAYLOAD_FIELD(struct_, pid, PAYLOAD_U32, "process"),                                       \
        PAYLOAD_FIELD(struct_, context, PAYLOAD_HEX32, "CR3 at entry")

static const struct payload_field open_fields[] = {
    WHO(struct syscall_open),
    PAYLOAD_FIELD(struct syscall_open, name, PAYLOAD_STRING, "path"),
    PAYLOAD_FIELD(struct syscall_open, handle, PAYLOAD_U32, "file descriptor"),
    PAYLOAD_FIELD(struct syscall_open, access, PAYLOAD_U32,
                  "read 1, write 2, create 4, truncate 8, append 16"),
    PAYLOAD_FIELD(struct syscall_open, ret, PAYLOAD_S32, "result"),
    PAYLOAD_FIELDS_END};
static const struct payload_type open_type = {"syscall_open", 1, sizeof(struct syscall_open),
                                              open_fields, "A file was opened or created."};

static const struct payload_field transfer_fields[] = {
    WHO(struct syscall_transfer),
    PAYLOAD_FIELD(struct syscall_transfer, handle, PAYLOAD_U32, "file descriptor"),
    PAYLOAD_FIELD(struct syscall_transfer, buffer, PAYLOAD_HEX32, "its address"),
    PAYLOAD_FIELD(struct syscall_transfer, length, PAYLOAD_U32, "bytes asked for"),
    PAYLOAD_FIELD(struct syscall_transfer, bytes, PAYLOAD_BYTES, "what was transferred"),
    PAYLOAD_FIELD(struct syscall_transfer, size, PAYLOAD_SIZE, "how many"),
    PAYLOAD_FIELD(struct syscall_transfer, ret, PAYLOAD_S32, "result"),
    PAYLOAD_FIELDS_END};
static const struct payload_type transfer_type = {"syscall_transfer", 1,
                                                  sizeof(struct syscall_transfer), transfer_fields,
                                                  "Bytes were read or written."};

static const struct payload_field close_fields[] = {
    WHO(struct syscall_close),
    PAYLOAD_FIELD(struct syscall_close, handle, PAYLOAD_U32, "file descriptor"),
    PAYLOAD_FIELD(struct syscall_close, ret, PAYLOAD_S32, "result"), PAYLOAD_FIELDS_END};
static const struct payload_type close_type = {"syscall_close", 1, sizeof(struct syscall_close),
                                               close_fields, "A file descriptor was closed."};

static const struct payload_field mmap_fields[] = {
    WHO(struct syscall_mmap),
    PAYLOAD_FIELD(struct syscall_mmap, address, PAYLOAD_HEX32, "where it was mapped, or an error"),
    PAYLOAD_FIELD(struct syscall_mmap, length, PAYLOAD_U32, "bytes"),
    PAYLOAD_FIELD(struct syscall_mmap, offset, PAYLOAD_U64, "in the file"),
    PAYLOAD_FIELD(struct syscall_mmap, handle, PAYLOAD_U32, "file descriptor"),
    PAYLOAD_FIELD(struct syscall_mmap, prot, PAYLOAD_U32, "read 1, write 2, execute 4"),
    PAYLOAD_FIELD(struct syscall_mmap, flags, PAYLOAD_HEX32, "MAP_*"),
    PAYLOAD_FIELDS_END};
static const struct payload_type mmap_type = {"syscall_mmap", 1, sizeof(struct syscall_mmap),
                                              mmap_fields, "Memory was mapped."};

static const struct payload_field process_fields[] = {
    WHO(struct syscall_process),
    PAYLOAD_FIELD(struct syscall_process, child, PAYLOAD_U32, "the new task, in the parent"),
    PAYLOAD_FIELD(struct syscall_process, flags, PAYLOAD_HEX32, "CLONE_*"),
    PAYLOAD_FIELD(struct syscall_process, ret, PAYLOAD_S32, "result"), PAYLOAD_FIELDS_END};
static const struct payload_type process_type = {"syscall_process", 1,
                                                 sizeof(struct syscall_process), process_fields,
                                                 "A process call returned."};

static const struct payload_field execve_fields[] = {
    WHO(struct syscall_execve), PAYLOAD_FIELD(struct syscall_execve, name, PAYLOAD_STRING, "path"),
    PAYLOAD_FIELD(struct syscall_execve, argv, PAYLOAD_STRING, "its arguments, when decoded"),
    PAYLOAD_FIELD(struct syscall_execve, ret, PAYLOAD_S32, "result"), PAYLOAD_FIELDS_END};
static const struct payload_type execve_type = {"syscall_execve", 1, sizeof(struct syscall_execve),
                                                execve_fields,
                                                "VMI_SCP_EXECVE: at entry; VMI_SCP_EXECVE_END: "
                                                "when the new program starts or it failed."};

static const struct {
    const char *id;
    const struct payload_type *type;
} event_table[EVENT_COUNT] = {
    [EVENT_ENTRY] = {"SYSCALL_ENTRY", &syscall_payload_type},
    [EVENT_RETURN] = {"SYSCALL_RETURN", &syscall_payload_type},
    [EVENT_ABANDONED] = {"SYSCALL_ABANDONED", &syscall_payload_type},
    [EVENT_CREATE] = {"VMI_SC_CREATE", &open_type},
    [EVENT_OPEN] = {"VMI_SC_OPEN", &open_type},
    [EVENT_READ] = {"VMI_SC_READ", &transfer_type},
    [EVENT_WRITE] = {"VMI_SC_WRITE", &transfer_type},
    [EVENT_CLOSE] = {"VMI_SC_CLOSE", &close_type},
    [EVENT_MMAP] = {"VMI_SC_MMAP", &mmap_type},
    [EVENT_FORK] = {"VMI_SCP_FORK", &process_type},
    [EVENT_CLONE] = {"VMI_SCP_CLONE", &process_type},
    [EVENT_EXECVE] = {"VMI_SCP_EXECVE", &execve_type},
    [EVENT_EXECVE_END] = {"VMI_SCP_EXECVE_END", &execve_type},
    [EVENT_GETPID] = {"VMI_SCP_GETPID", &process_type},
    [EVENT_GETPPID] = {"VMI_SCP_GETPPID", &process_type},
};

void events_register(struct monitor *m)
{
    m->group = plugin_reg_signal("syscall");
    for (unsigned i = 0; i < EVENT_COUNT; i++) {
        plugin_describe_signal(m->group, event_table[i].id, event_table[i].type);
        m->events[i] = plugin_resolve_signal(m->group, event_table[i].id);
    }
}

void events_fill(const struct call *c, bool returned, struct syscall_payload *p)
{
    *p = (struct syscall_payload){.task = c->task,
                                  .tid = c->tid,
                                  .pid = c->pid,
                                  .context = c->context,
                                  .number = c->nr,
                                  .name = c->row->name,
                                  .arg0 = c->args[0],
                                  .arg1 = c->args[1],
                                  .arg2 = c->args[2],
                                  .arg3 = c->args[3],
                                  .arg4 = c->args[4],
                                  .arg5 = c->args[5],
                                  .returned = returned,
                                  .ret = returned ? c->ret : 0,
                                  .path = c->path[0],
                                  .path2 = c->path[1]};
}

static bool wanted(const struct monitor *m, enum event_id id)
{
    return plugin_has_subscribers(m->events[id]);
}

static void emit_call(struct monitor *m, enum event_id id, struct call *c, CPUArchState *cpu)
{
    struct syscall_payload p;
    if (!wanted(m, id))
        return;
    events_fill(c, id == EVENT_RETURN, &p);
    if (c->decode && id == EVENT_RETURN) {
        struct decoder d = {cpu, m->processes, 0, false, m->string_limit};
        text_clear(&c->out);
        decode_line(&d, c, true, &c->out);
        p.args = c->out.data;
    }
    plugin_emit(m->events[id], &p, cpu);
}

static void emit_execve(struct monitor *m, enum event_id id, struct call *c, CPUArchState *cpu)
{
    if (!wanted(m, id))
        return;
    unsigned argv = c->nr == 11 ? 1 : 2;
    struct syscall_execve p = {c->tid,
                               c->pid,
                               c->context,
                               c->path[0],
                               c->done[argv] ? c->texts[argv].data : NULL,
                               id == EVENT_EXECVE ? 0 : c->ret};
    plugin_emit(m->events[id], &p, cpu);
}

void events_entry(struct monitor *m, struct call *c, CPUArchState *cpu)
{
    emit_call(m, EVENT_ENTRY, c, cpu);
    if (c->nr == 11 || c->nr == 358)
        emit_execve(m, EVENT_EXECVE, c, cpu);
}

void events_abandoned(struct monitor *m, struct call *c, CPUArchState *cpu)
{
    emit_call(m, EVENT_ABANDONED, c, cpu);
}

static void emit_open(struct monitor *m, enum event_id id, struct call *c, uint32_t flags,
                      CPUArchState *cpu)
{
    enum { READ = 1, WRITE = 2, CREATE = 4, TRUNCATE = 8, APPEND = 16 };
    static const uint8_t modes[4] = {READ, WRITE, READ | WRITE, READ | WRITE};
    if (!wanted(m, id))
        return;
    struct syscall_open p = {.tid = c->tid,
                             .pid = c->pid,
                             .context = c->context,
                             .name = c->path[0],
                             .handle = (uint32_t)c->ret,
                             .ret = c->ret};
    p.access = modes[flags & 3] | (flags & 0100 ? CREATE : 0u) | (flags & 01000 ? TRUNCATE : 0u) |
               (flags & 02000 ? APPEND : 0u);
    plugin_emit(m->events[id], &p, cpu);
}

static void emit_transfer(struct monitor *m, enum event_id id, struct call *c, CPUArchState *cpu)
{
    enum { LIMIT = 1 << 20 };
    if (!wanted(m, id))
        return;
    size_t size = c->ret > 0 ? (size_t)c->ret : 0;
    if (size > LIMIT)
        size = LIMIT;
    void *bytes = malloc(size + 1);
    if (!bytes)
        return;
    size = cpu_read_memory(cpu, c->args[1], bytes, size);
    struct syscall_transfer p = {c->tid,     c->pid, c->context, c->args[0], c->args[1],
                                 c->args[2], bytes,  size,       c->ret};
    plugin_emit(m->events[id], &p, cpu);
    free(bytes);
}

static void emit_mmap(struct monitor *m, struct call *c, CPUArchState *cpu)
{
    if (!wanted(m, EVENT_MMAP))
        return;
    uint32_t a[6];
    memcpy(a, c->args, sizeof a);
    if (c->nr == 90 && cpu_read_memory(cpu, c->args[0], a, sizeof a) < sizeof a)
        return;
    struct syscall_mmap p = {.tid = c->tid,
                             .pid = c->pid,
                             .context = c->context,
                             .address = (uint32_t)c->ret,
                             .length = a[1],
                             .handle = a[4],
                             .prot = a[2],
                             .flags = a[3]};
    p.offset = c->nr == 90 ? a[5] : (uint64_t)a[5] << 12;
    plugin_emit(m->events[EVENT_MMAP], &p, cpu);
}

static void emit_process(struct monitor *m, enum event_id id, struct call *c, CPUArchState *cpu)
{
    if (!wanted(m, id))
        return;
    bool makes = id == EVENT_FORK || id == EVENT_CLONE;
    struct syscall_process p = {c->tid,
                                c->pid,
                                c->context,
                                makes && c->ret > 0 ? (uint32_t)c->ret : 0,
                                id == EVENT_CLONE ? c->args[0] : 0,
                                c->ret};
    if (c->nr == 435)
        cpu_read_memory(cpu, c->args[0], &p.flags, 4);
    plugin_emit(m->events[id], &p, cpu);
}

void events_return(struct monitor *m, struct call *c, CPUArchState *cpu)
{
    emit_call(m, EVENT_RETURN, c, cpu);
    switch (c->nr) {
    case 2:
    case 190:
        emit_process(m, EVENT_FORK, c, cpu);
        break;
    case 3:
    case 180:
        emit_transfer(m, EVENT_READ, c, cpu);
        break;
    case 4:
    case 181:
        emit_transfer(m, EVENT_WRITE, c, cpu);
        break;
    case 5:
        emit_open(m, EVENT_OPEN, c, c->args[1], cpu);
        break;
    case 295:
        emit_open(m, EVENT_OPEN, c, c->args[2], cpu);
        break;
    case 8:
        emit_open(m, EVENT_CREATE, c, 01101, cpu);
        break;
    case 6:
        if (wanted(m, EVENT_CLOSE)) {
            struct syscall_close p = {c->tid, c->pid, c->context, c->args[0], c->ret};
            plugin_emit(m->events[EVENT_CLOSE], &p, cpu);
        }
        break;
    case 11:
    case 358:
        emit_execve(m, EVENT_EXECVE_END, c, cpu);
        break;
    case 20:
        emit_process(m, EVENT_GETPID, c, cpu);
        break;
    case 64:
        emit_process(m, EVENT_GETPPID, c, cpu);
        break;
    case 90:
    case 192:
        emit_mmap(m, c, cpu);
        break;
    case 120:
    case 435:
        emit_process(m, EVENT_CLONE, c, cpu);
        break;
    default:
        break;
    }
}
