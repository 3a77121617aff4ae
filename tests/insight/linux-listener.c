// SPDX-License-Identifier: MIT
// A plugin that listens to groups processes, syscall, files and api in a Linux guest and writes
// what processes that execute "ids" and "library", and their children, do to FILE.
#include <stdarg.h>
#include <string.h>

#include "api_monitor_linux/api_monitor_linux.h"
#include "file_monitor/file_monitor.h"
#include "processes/processes.h"
#include "syscalls_linux/syscalls_linux.h"

EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, NULL, NULL};
EMU_PLUGIN_EXPORT const struct plugin_option plugin_options[] = {{"file", "FILE", "written to"},
                                                                 {NULL, NULL, NULL}};

static struct {
    PluginChannel *out;
    const struct file_monitor_functions *files;
    bool followed[65536];
    unsigned long entries, returns, calls, done;
    bool listed;
} l;

static void say(uint32_t pid, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(uint32_t pid, const char *fmt, ...)
{
    char text[2048];
    va_list args;
    if (!l.followed[pid & 0xFFFF])
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    for (char *c = text; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '.';
    plugin_channel_printf(l.out, "%u %s\n", pid, text);
}

static void on_exec(void *data, CPUArchState *cpu)
{
    const struct process_payload *p = data;
    if (strcmp(p->name, "ids") == 0 || strcmp(p->name, "library") == 0)
        l.followed[p->pid & 0xFFFF] = true;
    say(p->pid, "PROCESS_EXEC %s", p->name);
}

static void on_start(void *data, CPUArchState *cpu)
{
    const struct process_payload *p = data;
    if (l.followed[p->parent_pid & 0xFFFF])
        l.followed[p->pid & 0xFFFF] = true;
    say(p->pid, "PROCESS_START %s", p->tid == p->pid ? "process" : "thread");
}

static void on_exit_task(void *data, CPUArchState *cpu)
{
    const struct process_payload *p = data;
    say(p->pid, "PROCESS_EXIT %s %u", p->tid == p->pid ? "process" : "thread", p->exit_code >> 8);
}

static void on_entry(void *data, CPUArchState *cpu)
{
    const struct syscall_payload *p = data;
    l.entries += l.followed[p->pid & 0xFFFF];
    // The list of open files while the program has one open that it knows twice.
    if (!l.listed && l.followed[p->pid & 0xFFFF] && p->number == 6 && p->arg0 == 20) {
        static struct open_file files[32];
        size_t n = l.files->get_open_files_list(p->pid, files, 32);
        l.listed = true;
        for (size_t i = 0; i < n && i < 32; i++)
            if (strcmp(files[i].name, "/tmp/ids-file") == 0)
                say(p->pid, "OPEN %s at %lld, same %d", files[i].name, (long long)files[i].offset,
                    i > 0 && files[i].object == files[i - 1].object);
    }
}

static void on_return(void *data, CPUArchState *cpu)
{
    l.returns += l.followed[((const struct syscall_payload *)data)->pid & 0xFFFF];
}

static void on_abandoned(void *data, CPUArchState *cpu)
{
    const struct syscall_payload *p = data;
    say(p->pid, "SYSCALL_ABANDONED %s", p->name);
}

#define ON_OPEN(name_)                                                                             \
    static void on_##name_(void *data, CPUArchState *cpu)                                          \
    {                                                                                              \
        const struct syscall_open *p = data;                                                       \
        say(p->pid, #name_ " %s handle %d access %u ret %d", p->name, (int)p->handle, p->access,   \
            p->ret);                                                                               \
    }
ON_OPEN(VMI_SC_CREATE)
ON_OPEN(VMI_SC_OPEN)

#define ON_TRANSFER(name_)                                                                         \
    static void on_##name_(void *data, CPUArchState *cpu)                                          \
    {                                                                                              \
        const struct syscall_transfer *p = data;                                                   \
        say(p->pid, #name_ " handle %u length %u \"%.*s\" ret %d", p->handle, p->length,           \
            (int)p->size, (const char *)p->bytes, p->ret);                                         \
    }
ON_TRANSFER(VMI_SC_READ)
ON_TRANSFER(VMI_SC_WRITE)

static void on_close(void *data, CPUArchState *cpu)
{
    const struct syscall_close *p = data;
    say(p->pid, "VMI_SC_CLOSE handle %u ret %d", p->handle, p->ret);
}

static void on_mmap(void *data, CPUArchState *cpu)
{
    const struct syscall_mmap *p = data;
    say(p->pid, "VMI_SC_MMAP length %u offset %llu handle %d prot %u flags %#x %s", p->length,
        (unsigned long long)p->offset, (int)p->handle, p->prot, p->flags,
        p->address < 0xFFFFF000 ? "mapped" : "failed");
}

#define ON_PROCESS(name_)                                                                          \
    static void on_##name_(void *data, CPUArchState *cpu)                                          \
    {                                                                                              \
        const struct syscall_process *p = data;                                                    \
        say(p->pid, #name_ " flags %#x %s %s", p->flags, p->child ? "child" : "no child",          \
            p->ret < 0                   ? "failed"                                                \
            : p->ret == 0                ? "zero"                                                  \
            : (uint32_t)p->ret == p->pid ? "self"                                                  \
                                         : "number");                                              \
    }
ON_PROCESS(VMI_SCP_FORK)
ON_PROCESS(VMI_SCP_CLONE)
ON_PROCESS(VMI_SCP_GETPID)
ON_PROCESS(VMI_SCP_GETPPID)

#define ON_EXECVE(name_)                                                                           \
    static void on_##name_(void *data, CPUArchState *cpu)                                          \
    {                                                                                              \
        const struct syscall_execve *p = data;                                                     \
        say(p->pid, #name_ " %s %s ret %d", p->name, p->argv ? p->argv : "?", p->ret);             \
    }
ON_EXECVE(VMI_SCP_EXECVE)
ON_EXECVE(VMI_SCP_EXECVE_END)

#define ON_FILE(name_)                                                                             \
    static void on_##name_(void *data, CPUArchState *cpu)                                          \
    {                                                                                              \
        const struct file_payload *p = data;                                                       \
        say(p->pid, #name_ " %s %s %u to %u access %u at %lld \"%.*s\"", p->process, p->name,      \
            p->handle, p->new_handle, p->access, (long long)p->offset, (int)p->size,               \
            (const char *)p->bytes);                                                               \
    }
ON_FILE(FILE_OPEN)
ON_FILE(FILE_CREATE)
ON_FILE(FILE_READ)
ON_FILE(FILE_WRITE)
ON_FILE(FILE_DUPLICATE)
ON_FILE(FILE_CLOSE)

static void on_api(const char *what, const struct api_payload *p)
{
    if (p->returned)
        say(p->pid, "%s %s!%s returned %d", what, p->module, p->function, (int)p->result);
    else
        say(p->pid, "%s %s!%s(%s)", what, p->module, p->function, p->text);
}

static void on_puts(void *data, CPUArchState *cpu)
{
    on_api("OWN", data);
}

static void on_memcpy(void *data, CPUArchState *cpu)
{
    const struct api_payload *p = data;
    if (!p->returned)
        say(p->pid, "OWN %s!%s length %u", p->module, p->function, p->arg2);
}

static void on_call(void *data, CPUArchState *cpu)
{
    l.calls++;
}

static void on_done(void *data, CPUArchState *cpu)
{
    l.done++;
}

static void finish(PluginInterface *pi)
{
    plugin_channel_printf(l.out, "SUM entries %lu returns %lu calls %lu done %lu\n", l.entries,
                          l.returns, l.calls, l.done);
}

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    static const struct {
        void (*fn)(void *data, CPUArchState *cpu);
        const char *group, *id;
    } wanted[] = {
        {on_exec, "processes", "PROCESS_EXEC"},
        {on_start, "processes", "PROCESS_START"},
        {on_exit_task, "processes", "PROCESS_EXIT"},
        {on_entry, "syscall", "SYSCALL_ENTRY"},
        {on_return, "syscall", "SYSCALL_RETURN"},
        {on_abandoned, "syscall", "SYSCALL_ABANDONED"},
        {on_VMI_SC_CREATE, "syscall", "VMI_SC_CREATE"},
        {on_VMI_SC_OPEN, "syscall", "VMI_SC_OPEN"},
        {on_VMI_SC_READ, "syscall", "VMI_SC_READ"},
        {on_VMI_SC_WRITE, "syscall", "VMI_SC_WRITE"},
        {on_close, "syscall", "VMI_SC_CLOSE"},
        {on_mmap, "syscall", "VMI_SC_MMAP"},
        {on_VMI_SCP_FORK, "syscall", "VMI_SCP_FORK"},
        {on_VMI_SCP_CLONE, "syscall", "VMI_SCP_CLONE"},
        {on_VMI_SCP_GETPID, "syscall", "VMI_SCP_GETPID"},
        {on_VMI_SCP_GETPPID, "syscall", "VMI_SCP_GETPPID"},
        {on_VMI_SCP_EXECVE, "syscall", "VMI_SCP_EXECVE"},
        {on_VMI_SCP_EXECVE_END, "syscall", "VMI_SCP_EXECVE_END"},
        {on_FILE_OPEN, "files", "FILE_OPEN"},
        {on_FILE_CREATE, "files", "FILE_CREATE"},
        {on_FILE_READ, "files", "FILE_READ"},
        {on_FILE_WRITE, "files", "FILE_WRITE"},
        {on_FILE_DUPLICATE, "files", "FILE_DUPLICATE"},
        {on_FILE_CLOSE, "files", "FILE_CLOSE"},
        {on_call, "api", "API_CALL"},
        {on_done, "api", "API_RETURN"},
        {on_puts, "api", "libc.so.6!puts"},
        {on_memcpy, "api", "libc.so.6!memcpy"},
    };
    l.out = plugin_channel_open(plugin_argument(pi, "file"));
    pi->exit = finish;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!plugin_subscribe(wanted[i].fn, wanted[i].group, wanted[i].id)) {
            plugin_fail("nobody provides %s/%s", wanted[i].group, wanted[i].id);
            return;
        }
    const struct syscalls_functions *syscalls = plugin_get_functions_list("syscalls_linux");
    l.files = plugin_get_functions_list("file_monitor");
    if (!syscalls || !l.files) {
        plugin_fail("the plugins have no functions");
        return;
    }
    syscalls->want_text(true);
}
