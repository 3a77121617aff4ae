// SPDX-License-Identifier: MIT
// file_monitor: which process opens, reads, writes, duplicates and closes which file. The names and
// the tables of descriptors are the guest kernel's own, so dup, fork, exec, close-on-exec and files
// that were open before this plugin came need no bookkeeping.
#include "file_monitor.h"

#include <stdlib.h>
#include <string.h>

#include "../syscalls_linux/syscalls_linux.h"
#include "files.h"

static const char *const signals_list[] = {"files", NULL};
static const char *const dependencies[] = {"contexts", "syscall", "processes", NULL};
static const char *const os_list[] = {"Linux", NULL};
EMU_PLUGIN_EXPORT const struct pi_info init_info = {signals_list, dependencies, os_list};
EMU_PLUGIN_EXPORT extern const struct plugin_option plugin_options[];
const struct plugin_option plugin_options[] = {
    {"log", "FILE", "log there from the start; - is the monitor"},
    {"format", "text|json", "of the log"},
    {"limit", "N", "bytes of each read and write that are shown (64)"},
    {"name", "PROGRAM", "log only what processes of this name do"},
    {NULL, NULL, NULL}};

enum { NAME_LIMIT = 512, PENDING_BUCKETS = 256, MAX_BYTES = 1 << 20 };

static const struct payload_field file_fields[] = {
    PAYLOAD_FIELD(struct file_payload, tid, PAYLOAD_U32, "thread"),
    PAYLOAD_FIELD(struct file_payload, pid, PAYLOAD_U32, "process"),
    PAYLOAD_FIELD(struct file_payload, process, PAYLOAD_STRING, "its name"),
    PAYLOAD_FIELD(struct file_payload, call, PAYLOAD_STRING, "system call"),
    PAYLOAD_FIELD(struct file_payload, handle, PAYLOAD_U32, "file descriptor"),
    PAYLOAD_FIELD(struct file_payload, new_handle, PAYLOAD_U32, "FILE_DUPLICATE: the other one"),
    PAYLOAD_FIELD(struct file_payload, name, PAYLOAD_STRING, "path, pipe, socket"),
    PAYLOAD_FIELD(struct file_payload, access, PAYLOAD_U32,
                  "read 1, write 2, create 4, truncate 8, append 16"),
    PAYLOAD_FIELD(struct file_payload, offset, PAYLOAD_S64, "in the file, -1: it has none"),
    PAYLOAD_FIELD(struct file_payload, length, PAYLOAD_U32, "bytes transferred"),
    PAYLOAD_FIELD(struct file_payload, bytes, PAYLOAD_BYTES, "the first of them"),
    PAYLOAD_FIELD(struct file_payload, size, PAYLOAD_SIZE, "how many of them"),
    PAYLOAD_FIELDS_END};
static const struct payload_type file_type = {"file", 1, sizeof(struct file_payload), file_fields,
                                              "A process did something with a file."};

enum event { NOTHING, OPEN, CREATE, READ, WRITE, DUPLICATE, CLOSE, PAIR, SEND, EVENTS = PAIR };
static const char *const event_names[EVENTS] = {
    NULL, "FILE_OPEN", "FILE_CREATE", "FILE_READ", "FILE_WRITE", "FILE_DUPLICATE", "FILE_CLOSE"};

// How a call deals with files. `vector`: the buffer is an iovec array; `positioned`: the offset is
// an argument (low word at index `offset`).
struct call_kind {
    const char *name;
    enum event event;
    uint8_t flags_arg; // OPEN: index of the flags + 1
    bool vector;
    uint8_t offset;   // index of the offset
    uint8_t pair_arg; // PAIR: index of the int[2]
};
static const struct call_kind kinds[] = {
    {.name = "open", .event = OPEN, .flags_arg = 2},
    {.name = "openat", .event = OPEN, .flags_arg = 3},
    {.name = "openat2", .event = OPEN},
    {.name = "creat", .event = CREATE},
    {.name = "read", .event = READ},
    {.name = "pread64", .event = READ, .offset = 3},
    {.name = "readv", .event = READ, .vector = true},
    {.name = "preadv", .event = READ, .vector = true, .offset = 3},
    {.name = "recv", .event = READ},
    {.name = "recvfrom", .event = READ},
    {.name = "sendfile", .event = SEND},
    {.name = "sendfile64", .event = SEND},
    {.name = "write", .event = WRITE},
    {.name = "pwrite64", .event = WRITE, .offset = 3},
    {.name = "writev", .event = WRITE, .vector = true},
    {.name = "pwritev", .event = WRITE, .vector = true, .offset = 3},
    {.name = "send", .event = WRITE},
    {.name = "sendto", .event = WRITE},
    {.name = "close", .event = CLOSE},
    {.name = "dup", .event = DUPLICATE},
    {.name = "dup2", .event = DUPLICATE},
    {.name = "dup3", .event = DUPLICATE},
    {.name = "fcntl", .event = DUPLICATE},
    {.name = "fcntl64", .event = DUPLICATE},
    {.name = "pipe", .event = PAIR},
    {.name = "pipe2", .event = PAIR},
    {.name = "socketpair", .event = PAIR, .pair_arg = 3},
    {.name = "socket", .event = OPEN},
    {.name = "accept", .event = OPEN},
    {.name = "accept4", .event = OPEN},
    {.name = "epoll_create", .event = OPEN},
    {.name = "epoll_create1", .event = OPEN},
    {.name = "eventfd", .event = OPEN},
    {.name = "eventfd2", .event = OPEN},
    {.name = "signalfd4", .event = OPEN},
    {.name = "timerfd_create", .event = OPEN},
    {.name = "inotify_init", .event = OPEN},
    {.name = "inotify_init1", .event = OPEN},
    {.name = "memfd_create", .event = OPEN},
    {.name = "pidfd_open", .event = OPEN},
};
enum { KINDS = sizeof kinds / sizeof *kinds, CACHE = 256 };

// What a thread's call was about before it changed anything.
struct pending {
    struct pending *next;
    uint32_t task;
    uint32_t file;
    int64_t position;
    bool have_words;
    uint32_t words[FILE_WORDS];
    char name[NAME_LIMIT];
};

static struct {
    struct file_layout layout;
    SignalInfo *group;
    SignalHandle *signals[EVENTS];
    PluginChannel *log;
    bool json;
    size_t limit;
    char program[16];
    struct pending *pending[PENDING_BUCKETS];
    struct {
        const char *name;
        const struct call_kind *kind;
    } cache[CACHE]; // by the name's address, which is a constant of syscalls_linux
} fm;

static const struct call_kind *kind_of(const char *name)
{
    if (!name)
        return NULL;
    unsigned i = (unsigned)((uintptr_t)name >> 1) % CACHE;
    if (fm.cache[i].name != name) {
        fm.cache[i].name = name;
        fm.cache[i].kind = NULL;
        for (unsigned k = 0; k < KINDS; k++)
            if (strcmp(kinds[k].name, name) == 0)
                fm.cache[i].kind = &kinds[k];
    }
    return fm.cache[i].kind;
}

static bool wanted(void)
{
    if (fm.log)
        return true;
    for (unsigned i = OPEN; i < EVENTS; i++)
        if (plugin_has_subscribers(fm.signals[i]))
            return true;
    return false;
}

static struct pending *pending_of(uint32_t task, bool create)
{
    struct pending **bucket = &fm.pending[(task >> 6) * 2654435761u >> 24];
    struct pending *p = *bucket;
    while (p && p->task != task)
        p = p->next;
    if (!p && create && (p = calloc(1, sizeof *p)) != NULL) {
        p->task = task;
        p->next = *bucket;
        *bucket = p;
    }
    return p;
}

static void drop_pending(uint32_t task)
{
    for (struct pending **at = &fm.pending[(task >> 6) * 2654435761u >> 24]; *at; at = &(*at)->next)
        if ((*at)->task == task) {
            struct pending *p = *at;
            *at = p->next;
            free(p);
            return;
        }
}

// ---- Events

static void put_quoted(const unsigned char *bytes, size_t size, bool more)
{
    static const char digits[] = "0123456789abcdef";
    char line[4 * 256 + 4];
    size_t n = 0;
    plugin_channel_write(fm.log, " \"", 2);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = bytes[i];
        bool plain = c >= ' ' && c <= '~';
        if (c == '\n' || c == '"' || c == '\\') {
            line[n++] = '\\';
            line[n++] = c == '\n' ? 'n' : (char)c;
        } else if (plain) {
            line[n++] = (char)c;
        } else {
            line[n++] = '\\';
            line[n++] = 'x';
            line[n++] = digits[c >> 4];
            line[n++] = digits[c & 15];
        }
        if (n > sizeof line - 8) {
            plugin_channel_write(fm.log, line, n);
            n = 0;
        }
    }
    plugin_channel_write(fm.log, line, n);
    plugin_channel_printf(fm.log, more ? "\"...\n" : "\"\n");
}

static void log_event(enum event event, const struct file_payload *payload)
{
    struct file_payload limited = *payload, *p = &limited;
    if (p->size > fm.limit) // subscribers get more
        p->size = fm.limit;
    if (fm.program[0] && strcmp(fm.program, p->process) != 0)
        return;
    if (fm.json) {
        plugin_channel_json(fm.log, event_names[event], &file_type, p);
        return;
    }
    plugin_channel_printf(fm.log, "%u %s %s %u \"%s\"", p->tid, p->process, event_names[event] + 5,
                          p->handle, p->name);
    if (event == DUPLICATE)
        plugin_channel_printf(fm.log, " to %u", p->new_handle);
    if (event == OPEN || event == CREATE)
        plugin_channel_printf(fm.log, " by %s, access %u", p->call, p->access);
    if (event != READ && event != WRITE) {
        plugin_channel_printf(fm.log, "\n");
        return;
    }
    if (p->offset >= 0)
        plugin_channel_printf(fm.log, " at %lld", (long long)p->offset);
    plugin_channel_printf(fm.log, ", %u bytes", p->length);
    put_quoted(p->bytes, p->size, p->size < p->length);
}

static void emit(enum event event, struct file_payload *p, CPUArchState *cpu)
{
    if (fm.log)
        log_event(event, p);
    plugin_emit(fm.signals[event], p, cpu);
}

static size_t read_transfer(CPUArchState *cpu, const struct syscall_payload *s, bool vector,
                            void *bytes, size_t size)
{
    if (!vector)
        return cpu_read_memory(cpu, s->arg1, bytes, size);
    size_t done = 0;
    for (uint32_t i = 0; i < s->arg2 && i < 1024 && done < size; i++) {
        uint32_t v[2];
        if (cpu_read_memory(cpu, s->arg1 + i * 8, v, 8) < 8)
            break;
        size_t n = v[1] < size - done ? v[1] : size - done;
        size_t got = cpu_read_memory(cpu, v[0], (char *)bytes + done, n);
        done += got;
        if (got < n)
            break;
    }
    return done;
}

static bool subscribed(enum event event)
{
    return plugin_has_subscribers(fm.signals[event]);
}

static void transfer(const struct call_kind *kind, const struct syscall_payload *s,
                     struct pending *pending, struct file_payload *p, CPUArchState *cpu)
{
    const uint32_t args[6] = {s->arg0, s->arg1, s->arg2, s->arg3, s->arg4, s->arg5};
    p->length = (uint32_t)s->ret;
    p->offset = pending->position;
    if (kind->offset)
        p->offset = (int64_t)(args[kind->offset] | (uint64_t)args[kind->offset + 1] << 32);
    else if (pending->have_words)
        files_learn_position(&fm.layout, pending->file, pending->words, p->length);
    size_t size = subscribed(kind->event) ? MAX_BYTES : fm.limit;
    if (size > p->length)
        size = p->length;
    void *bytes = malloc(size + 1);
    if (!bytes)
        return;
    p->bytes = bytes;
    p->size = read_transfer(cpu, s, kind->vector, bytes, size);
    emit(kind->event, p, cpu);
    free(bytes);
}

static uint32_t access_of(uint32_t flags)
{
    static const uint8_t modes[4] = {1, 2, 3, 3};
    return modes[flags & 3] | (flags & 0100 ? 4u : 0u) | (flags & 01000 ? 8u : 0u) |
           (flags & 02000 ? 16u : 0u);
}

static void opened(enum event event, struct file_payload *p, uint32_t task, uint32_t fd,
                   CPUArchState *cpu)
{
    char name[NAME_LIMIT] = "?";
    files_name(&fm.layout, files_lookup(&fm.layout, task, fd, NULL), name, sizeof name);
    p->handle = fd;
    p->name = name;
    emit(event, p, cpu);
}

// From one file to another inside the kernel: there are no bytes to show.
static void sent(const struct syscall_payload *s, struct file_payload *p, CPUArchState *cpu)
{
    char name[NAME_LIMIT];
    const uint32_t handles[2] = {s->arg1, s->arg0};
    for (unsigned i = 0; i < 2 && s->ret > 0; i++) {
        uint32_t file = files_lookup(&fm.layout, s->task, handles[i], NULL);
        if (!files_name(&fm.layout, file, name, sizeof name))
            continue;
        int64_t at = name[0] == '/' && (i == 1 || !s->arg2) ? files_position(&fm.layout, file) : -1;
        p->handle = handles[i];
        p->name = name;
        p->length = (uint32_t)s->ret;
        p->offset = at >= s->ret ? at - s->ret : -1;
        emit(i == 0 ? READ : WRITE, p, cpu);
    }
}

static void on_entry(void *data, CPUArchState *cpu)
{
    const struct syscall_payload *s = data;
    const struct call_kind *kind = kind_of(s->name);
    if (!kind || kind->event < READ || kind->event > CLOSE || !wanted())
        return;
    struct pending *p = pending_of(s->task, true);
    if (!p)
        return;
    p->file = files_lookup(&fm.layout, s->task, s->arg0, NULL);
    if (!p->file || !files_name(&fm.layout, p->file, p->name, sizeof p->name))
        snprintf(p->name, sizeof p->name, "?");
    bool has_position = p->name[0] == '/';
    p->position = has_position && p->file ? files_position(&fm.layout, p->file) : -1;
    p->have_words =
        has_position && !fm.layout.pos && p->file && files_snapshot(&fm.layout, p->file, p->words);
}

static void returned(const struct call_kind *kind, const struct syscall_payload *s,
                     struct file_payload *p, CPUArchState *cpu)
{
    enum { DUPFD = 0, DUPFD_CLOEXEC = 1030 };
    const uint32_t args[6] = {s->arg0, s->arg1, s->arg2, s->arg3, s->arg4, s->arg5};
    struct pending *pending = pending_of(s->task, false);
    int32_t pair[2];
    switch (kind->event) {
    case OPEN:
    case CREATE:
        p->access = kind->flags_arg ? access_of(args[kind->flags_arg - 1]) : 3;
        if (kind->event == CREATE)
            p->access = access_of(01101);
        opened(kind->event, p, s->task, (uint32_t)s->ret, cpu);
        return;
    case PAIR:
        p->access = 3;
        if (cpu_read_memory(cpu, args[kind->pair_arg], pair, sizeof pair) == sizeof pair) {
            opened(OPEN, p, s->task, (uint32_t)pair[0], cpu);
            opened(OPEN, p, s->task, (uint32_t)pair[1], cpu);
        }
        return;
    case SEND:
        sent(s, p, cpu);
        return;
    default:
        break;
    }
    if (!pending)
        return;
    p->name = pending->name;
    if (kind->event == READ || kind->event == WRITE) {
        transfer(kind, s, pending, p, cpu);
    } else if (kind->event == DUPLICATE) {
        bool is_fcntl = s->name[0] == 'f';
        p->new_handle = (uint32_t)s->ret;
        if (!is_fcntl || s->arg1 == DUPFD || s->arg1 == DUPFD_CLOEXEC)
            emit(DUPLICATE, p, cpu);
    } else if (kind->event == CLOSE) {
        emit(CLOSE, p, cpu);
    }
}

static void on_return(void *data, CPUArchState *cpu)
{
    const struct syscall_payload *s = data;
    const struct call_kind *kind = kind_of(s->name);
    if (!kind || kind->event == NOTHING || s->ret < 0 || !wanted())
        return;
    struct process_info info;
    if (!fm.layout.processes->describe(s->task, &info))
        return;
    struct file_payload p = {.tid = s->tid,
                             .pid = s->pid,
                             .process = info.name,
                             .call = s->name,
                             .handle = s->arg0,
                             .offset = -1,
                             .bytes = ""};
    returned(kind, s, &p, cpu);
}

static void on_task_exit(void *data, CPUArchState *cpu)
{
    drop_pending(((const struct process_payload *)data)->task);
}

// ---- Lists

struct listing {
    uint32_t pid;
    uint32_t task;
    bool found;
};

static bool match_pid(void *opaque, const struct process_info *info)
{
    struct listing *l = opaque;
    if (info->pid != l->pid)
        return true;
    l->task = info->task;
    l->found = true;
    return false;
}

static bool describe_file(uint32_t task, uint32_t fd, struct open_file *f)
{
    bool cloexec = false;
    uint32_t file = files_lookup(&fm.layout, task, fd, &cloexec);
    if (!file)
        return false;
    f->handle = fd;
    f->flags = cloexec;
    f->object = file;
    f->offset = files_position(&fm.layout, file);
    if (!files_name(&fm.layout, file, f->name, sizeof f->name))
        snprintf(f->name, sizeof f->name, "?");
    return true;
}

static size_t get_open_files_list(uint32_t pid, struct open_file *files, size_t max)
{
    struct listing l = {pid, 0, false};
    fm.layout.processes->for_each(false, match_pid, &l);
    size_t n = 0;
    uint32_t count = l.found ? files_count(&fm.layout, l.task) : 0;
    for (uint32_t fd = 0; fd < count; fd++) {
        struct open_file f;
        if (!describe_file(l.task, fd, &f))
            continue;
        if (n < max)
            files[n] = f;
        n++;
    }
    return n;
}

static bool name_of(uint32_t task, uint32_t handle, char *name, size_t size)
{
    return files_name(&fm.layout, files_lookup(&fm.layout, task, handle, NULL), name, size);
}

static const struct file_monitor_functions functions = {get_open_files_list, name_of};

static bool list_process(void *opaque, const struct process_info *info)
{
    const struct listing *l = opaque;
    if (!info->mm || (l->found && l->pid != info->pid))
        return true;
    plugin_printf("%u %s\n", info->pid, info->name);
    uint32_t count = files_count(&fm.layout, info->task);
    for (uint32_t fd = 0; fd < count; fd++) {
        struct open_file f;
        if (!describe_file(info->task, fd, &f))
            continue;
        plugin_printf("  %3u ", fd);
        if (f.offset >= 0 && f.name[0] == '/')
            plugin_printf("%10lld", (long long)f.offset);
        else
            plugin_printf("%10s", "-");
        plugin_printf("%s %s\n", f.flags ? " cloexec" : "        ", f.name);
    }
    return true;
}

static void list_files(PluginInterface *pi, const char *args)
{
    struct listing l = {(uint32_t)strtoul(args, NULL, 10), 0, *args != '\0'};
    if (!files_ready(&fm.layout)) {
        plugin_printf("file_monitor: the guest's tasks are not known yet; let it boot\n");
        return;
    }
    fm.layout.processes->for_each(false, list_process, &l);
}

static void disable_log(PluginInterface *pi, const char *args)
{
    if (fm.log)
        plugin_channel_close(fm.log);
    fm.log = NULL;
    fm.program[0] = '\0';
}

static void enable_log(PluginInterface *pi, const char *args)
{
    char line[512];
    const char *file = "-";
    disable_log(pi, "");
    fm.json = false;
    snprintf(line, sizeof line, "%s", args);
    char *rest = line;
    for (char *word; (word = strsep(&rest, " ")) != NULL;) {
        if (!*word)
            continue;
        if (strcmp(word, "json") == 0)
            fm.json = true;
        else if (strncmp(word, "limit=", 6) == 0)
            fm.limit = strtoul(word + 6, NULL, 10);
        else if (strncmp(word, "name=", 5) == 0)
            snprintf(fm.program, sizeof fm.program, "%s", word + 5);
        else
            file = word;
    }
    if (fm.limit > MAX_BYTES)
        fm.limit = MAX_BYTES;
    fm.log = plugin_channel_open(file);
}

static const PluginCommand commands[] = {
    {"enable_filemon_log", "[json] [limit=N] [name=PROGRAM] [FILE]",
     "log what processes do with files, with the first N bytes of each transfer", enable_log},
    {"disable_filemon_log", NULL, "end the log of files", disable_log},
    {"open_files", "[PID]", "list the open files of all processes or of one", list_files},
    {NULL, NULL, NULL, NULL}};

static void plugin_exit(PluginInterface *pi)
{
    for (unsigned i = 0; i < PENDING_BUCKETS; i++)
        while (fm.pending[i])
            drop_pending(fm.pending[i]->task);
}

static void log_from_arguments(PluginInterface *pi)
{
    const char *log = plugin_argument(pi, "log"), *format = plugin_argument(pi, "format");
    const char *limit = plugin_argument(pi, "limit"), *name = plugin_argument(pi, "name");
    char line[512];
    if (!log)
        return;
    snprintf(line, sizeof line, "%s%s%s%s%s %s",
             format && strcmp(format, "json") == 0 ? "json" : "", limit ? " limit=" : "",
             limit ? limit : "", name ? " name=" : "", name ? name : "", log);
    enable_log(pi, line);
}

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    pi->cmd_table = commands;
    pi->funcs = &functions;
    pi->exit = plugin_exit;
    fm.limit = 64;
    fm.layout.processes = plugin_get_functions_list("processes");
    if (!fm.layout.processes) {
        plugin_fail("the plugin processes cannot be loaded");
        return;
    }
    fm.group = plugin_reg_signal("files");
    for (unsigned i = OPEN; i < EVENTS; i++) {
        plugin_describe_signal(fm.group, event_names[i], &file_type);
        fm.signals[i] = plugin_resolve_signal(fm.group, event_names[i]);
    }
    plugin_subscribe(on_entry, "syscall", "SYSCALL_ENTRY");
    plugin_subscribe(on_return, "syscall", "SYSCALL_RETURN");
    plugin_subscribe(on_task_exit, "processes", "PROCESS_EXIT");
    log_from_arguments(pi);
}
