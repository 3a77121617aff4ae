// SPDX-License-Identifier: MIT
// A plugin that listens to every id of groups syscall and api in a Windows guest and writes what it
// hears to FILE, one JSON object a line: ids of group api and one function's own id are subscribed
// to with the layouts stated here.
#include <stdarg.h>

#include "common/windows/signals.h"

EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, NULL, NULL};
EMU_PLUGIN_EXPORT const struct plugin_option plugin_options[] = {{"file", "FILE", "written to"},
                                                                 {NULL, NULL, NULL}};

struct create_process {
    uint32_t context, thread;
    const char *name, *command_line;
    uint32_t process_handle, thread_handle, pid, tid, ret;
};

struct word {
    uint32_t context, thread, value;
};

struct api_event {
    uint32_t context, thread;
    const char *module, *function;
    uint32_t ordinal, address, return_address, esp;
    bool entered, returned;
    uint32_t ret;
};

static PluginChannel *channel;

static void write_id(const char *id, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void write_id(const char *id, const char *fmt, ...)
{
    char text[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    plugin_channel_printf(channel, "ID %s %s\n", id, text);
}

static void write_create(const char *id, const struct create_process *p)
{
    char caller[32];
    snprintf(caller, sizeof caller, "%08x %08x", p->context, p->thread);
    write_id(caller, "%s %s|%s|%x %x %u %u|%u", id, p->name ? p->name : "",
             p->command_line ? p->command_line : "", p->process_handle, p->thread_handle, p->pid,
             p->tid, p->ret);
}

static void on_create(void *data, CPUArchState *cpu)
{
    write_create("API_CREATE_PROCESS", data);
}

static void on_create_as_user(void *data, CPUArchState *cpu)
{
    write_create("API_CREATE_PROCESS_AS_USER", data);
}

static void write_word(const char *id, const struct word *w)
{
    char caller[32];
    snprintf(caller, sizeof caller, "%08x %08x", w->context, w->thread);
    write_id(caller, "%s %u", id, w->value);
}

static void on_exit_process(void *data, CPUArchState *cpu)
{
    write_word("API_EXIT_PROCESS", data);
}

static void on_pid(void *data, CPUArchState *cpu)
{
    write_word("API_GET_CUR_PROC_ID", data);
}

static void on_leaf(void *data, CPUArchState *cpu)
{
    const struct api_event *e = data;
    uint32_t argument = 0;
    if (e->entered)
        cpu_read_memory(cpu, e->esp + 4, &argument, 4);
    plugin_channel_printf(channel, "LEAF %08x %08x %s!%s entered=%d returned=%d value=%x\n",
                          e->context, e->thread, e->module, e->function, e->entered, e->returned,
                          e->entered ? argument : e->ret);
}

// One callback an id of group syscall: it writes the id and the payload as its type says.
#define SYSCALL_IDS(X)                                                                             \
    X(VMI_SC_CREATE, syscall_open_payload)                                                         \
    X(VMI_SC_OPEN, syscall_open_payload)                                                           \
    X(VMI_SC_READ, syscall_io_payload)                                                             \
    X(VMI_SC_WRITE, syscall_io_payload)                                                            \
    X(VMI_SC_CLOSE, syscall_close_payload)                                                         \
    X(VMI_SC_DUPLICATE_OBJ, win_duplicate_payload)                                                 \
    X(VMI_SC_CREATE_SECTION, win_section_payload)                                                  \
    X(VMI_SC_OPEN_SECTION, win_section_payload)                                                    \
    X(VMI_SC_MAP_VIEW_OF_SECTION, win_view_payload)                                                \
    X(VMI_SC_UNMAP_VIEW_OF_SECTION, win_view_payload)                                              \
    X(VMI_SCP_CREATE, win_process_payload)                                                         \
    X(VMI_SCP_CREATE_EX, win_process_payload)                                                      \
    X(VMI_SCP_OPEN, win_process_payload)                                                           \
    X(VMI_SCP_OPEN_TOKEN, win_process_payload)                                                     \
    X(VMI_SCP_RESUME, win_process_payload)                                                         \
    X(VMI_SCP_SUSPEND, win_process_payload)                                                        \
    X(VMI_SCP_TERMINATE, win_process_payload)                                                      \
    X(VMI_SCP_ALLOCATE_VIRTUAL_MEMORY, win_memory_payload)                                         \
    X(VMI_SCP_ALLOCATE_USER_PHYSICAL_PAGES, win_memory_payload)                                    \
    X(VMI_SCP_QUERY_INFO_PROCESS, win_query_payload)                                               \
    X(VMI_SCT_CREATE, win_thread_payload_type)                                                     \
    X(VMI_SCT_OPEN, win_thread_payload_type)                                                       \
    X(VMI_SCT_OPEN_TOKEN, win_thread_payload_type)                                                 \
    X(VMI_SCT_RESUME, win_thread_payload_type)                                                     \
    X(VMI_SCT_SUSPEND, win_thread_payload_type)                                                    \
    X(VMI_SCT_TERMINATE, win_thread_payload_type)                                                  \
    X(SYSCALL_ENTRY, syscall_call_payload)                                                         \
    X(SYSCALL_RETURN, syscall_call_payload)

#define CALLBACK(id_, type_)                                                                       \
    static void on_##id_(void *data, CPUArchState *cpu)                                            \
    {                                                                                              \
        plugin_channel_json(channel, #id_, &type_, data);                                          \
    }
SYSCALL_IDS(CALLBACK)

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    channel = plugin_channel_open(plugin_argument(pi, "file"));
    if (!channel) {
        plugin_fail("file= is missing");
        return;
    }
#define SUBSCRIBE(id_, type_)                                                                      \
    {                                                                                              \
        const struct plugin_subscribe_options options = {.payload = &type_};                       \
        if (!plugin_subscribe_with(on_##id_, "syscall", #id_, &options))                           \
            plugin_fail("no " #id_);                                                               \
    }
    SYSCALL_IDS(SUBSCRIBE)
    if (!plugin_subscribe(on_create, "api", "API_CREATE_PROCESS") ||
        !plugin_subscribe(on_create_as_user, "api", "API_CREATE_PROCESS_AS_USER") ||
        !plugin_subscribe(on_exit_process, "api", "API_EXIT_PROCESS") ||
        !plugin_subscribe(on_pid, "api", "API_GET_CUR_PROC_ID") ||
        !plugin_subscribe(on_leaf, "api", "kernel32.dll!Leaf"))
        plugin_fail("no group api");
}
