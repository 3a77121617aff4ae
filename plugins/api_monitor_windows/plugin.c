// SPDX-License-Identifier: MIT
// api_monitor_windows: calls of the functions that DLLs export, in a 32-bit Windows guest: options,
// commands, log and signals. common/api_trace.c follows the calls.
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "common/guest.h"
#include "internal.h"

#define MAX_LOGGED_ARGS 16u

static const char *const signals_list[] = {"api", NULL};
static const char *const os_ver[] = {"WinXP", "Win7", "Win8", "Win8.1", NULL};
EMU_PLUGIN_EXPORT const struct pi_info init_info = {signals_list, NULL, os_ver};

EMU_PLUGIN_EXPORT const struct plugin_option plugin_options[] = {
    {"log", "FILE", "write each call to FILE as text from the start (-: the monitor)"},
    {"json", "FILE", "write each call to FILE as one JSON object a line"},
    {"only", "PATTERN",
     "calls of module!function that fit (shell pattern, e.g. kernel32.dll!Create*)"},
    {"args", "N", "show N words of the stack as arguments (default 4)"},
    {NULL, NULL, NULL}};

// API_CALL, API_RETURN, and MODULE!FUNCTION at both
struct api_event {
    uint32_t context, thread;
    const char *module;
    const char *function; // NULL: exported by ordinal only
    uint32_t ordinal;
    uint32_t address, return_address;
    uint32_t esp;  // at entry: the arguments stand at esp + 4
    bool entered;  // true at entry
    bool returned; // false: entry, or known never to return
    uint32_t ret;
};

static const struct payload_field event_fields[] = {
    PAYLOAD_FIELD(struct api_event, context, PAYLOAD_HEX32, "CR3 of the caller"),
    PAYLOAD_FIELD(struct api_event, thread, PAYLOAD_HEX32, "address of the caller's TEB"),
    PAYLOAD_FIELD(struct api_event, module, PAYLOAD_STRING, "file name, in small letters"),
    PAYLOAD_FIELD(struct api_event, function, PAYLOAD_STRING, "NULL: exported by ordinal only"),
    PAYLOAD_FIELD(struct api_event, ordinal, PAYLOAD_U32, "its ordinal"),
    PAYLOAD_FIELD(struct api_event, address, PAYLOAD_HEX32, "of the function"),
    PAYLOAD_FIELD(struct api_event, return_address, PAYLOAD_HEX32, "where it returns to"),
    PAYLOAD_FIELD(struct api_event, esp, PAYLOAD_HEX32, "at entry; arguments from esp + 4"),
    PAYLOAD_FIELD(struct api_event, entered, PAYLOAD_BOOL, "true at entry"),
    PAYLOAD_FIELD(struct api_event, returned, PAYLOAD_BOOL, "false at the end: it never returns"),
    PAYLOAD_FIELD(struct api_event, ret, PAYLOAD_HEX32, "EAX at return"),
    PAYLOAD_FIELDS_END};
static const struct payload_type event_payload = {
    "api_event", 1, sizeof(struct api_event), event_fields,
    "`API_CALL`: an exported function is entered. `API_RETURN`: the call is over. The function's "
    "own "
    "id (kernel32.dll!CreateFileW): both."};

static struct {
    struct api_trace *trace;
    SignalInfo *group;
    SignalHandle *call, *leave;
    PluginChannel *log, *json;
    bool log_on;
    char *only;
    uint32_t args;
} plugin;

static void add_function(struct text *text, const struct api_image *image,
                         const struct api_export *export)
{
    text_printf(text, "%s!", image->name);
    if (export->name)
        text_add(text, export->name);
    else
        text_printf(text, "#%u", export->ordinal);
}

// ---- Log

static void write_text(const struct api_call *call, CPUArchState *cpu, bool entered, bool returned)
{
    struct text line = {0};
    text_printf(&line, "%08x %08x %s ", call->context, call->thread, entered ? "call" : "return");
    add_function(&line, call->image, call->export);
    if (entered) {
        text_add(&line, "(");
        for (unsigned i = 0; i < plugin.args; i++) {
            uint32_t word;
            if (!guest_read_u32(cpu, call->esp + 4 + 4 * i, &word))
                break;
            text_printf(&line, "%s0x%x", i ? ", " : "", word);
        }
        text_printf(&line, ") from 0x%08x\n", call->return_address);
    } else if (returned) {
        text_printf(&line, " = 0x%x\n", cpu_get_register(cpu, EMU_EAX));
    } else {
        text_add(&line, " = ?\n");
    }
    plugin_channel_write(plugin.log, text_string(&line), line.length);
    text_free(&line);
}

static void report(struct api_call *call, CPUArchState *cpu, bool entered, bool returned)
{
    struct api_export *export = call->export;
    struct api_event event = {.context = call->context,
                              .thread = call->thread,
                              .module = call->image->name,
                              .function = export->name,
                              .ordinal = export->ordinal,
                              .address = call->address,
                              .return_address = call->return_address,
                              .esp = call->esp,
                              .entered = entered,
                              .returned = returned,
                              .ret = returned ? cpu_get_register(cpu, EMU_EAX) : 0};
    if (plugin.log_on && plugin.log)
        write_text(call, cpu, entered, returned);
    if (plugin.log_on && plugin.json)
        plugin_channel_json(plugin.json, entered ? "API_CALL" : "API_RETURN", &event_payload,
                            &event);
    SignalHandle *generic = entered ? plugin.call : plugin.leave;
    if (plugin_has_subscribers(generic))
        plugin_emit(generic, &event, cpu);
    if (export->signal && plugin_has_subscribers(export->signal))
        plugin_emit(export->signal, &event, cpu);
}

static void on_enter(struct api_call *call, CPUArchState *cpu)
{
    struct api_export *export = call->export;
    if (!export->seen) {
        struct text id = {0};
        add_function(&id, call->image, export);
        export->seen = true;
        export->kind = process_kind(call->image, export);
        export->signal = plugin_resolve_signal(plugin.group, text_string(&id));
        plugin_describe_signal(plugin.group, text_string(&id), &event_payload);
        text_free(&id);
    }
    report(call, cpu, true, false);
    process_enter(call, cpu);
}

static void on_leave(struct api_call *call, CPUArchState *cpu, bool returned)
{
    report(call, cpu, false, returned);
    process_leave(call, cpu, returned);
}

static bool is_wanted(const struct api_image *image, const struct api_export *export)
{
    if (!plugin.only || process_kind(image, export) != API_OTHER)
        return true;
    struct text id = {0};
    add_function(&id, image, export);
    bool fits = fnmatch(plugin.only, text_string(&id), 0) == 0;
    text_free(&id);
    return fits;
}

// ---- Commands

static void show_module(void *self, struct api_module *m)
{
    const uint32_t *context = self;
    if (*context && *context != m->context)
        return;
    plugin_printf("%08x %08x-%08x %5u %-20s %s\n", m->context, m->base, m->base + m->size - 1,
                  m->image->export_count, m->image->name, m->image->path);
}

static void show_dll_list(PluginInterface *pi, const char *args)
{
    char *end = NULL;
    uint32_t context = *args ? (uint32_t)strtoul(args, &end, 16) : 0;
    if (*args && *end) {
        plugin_printf("show_dll_list: '%s' is no context; give a CR3 in hexadecimal\n", args);
        return;
    }
    plugin_printf("context  addresses         exports name                 path\n");
    api_trace_for_each(plugin.trace, show_module, &context);
    struct api_trace_counts n = api_trace_counts(plugin.trace);
    plugin_printf("%u modules, %u of them with pages to come; %u addresses watched; %llu calls, "
                  "%llu returns, %llu never returned, %u in progress\n",
                  n.modules, modules_incomplete(), n.addresses, (unsigned long long)n.calls,
                  (unsigned long long)n.returns, (unsigned long long)n.lost, n.in_progress);
}

static void enable_log(PluginInterface *pi, const char *args)
{
    if ((!plugin.log && !plugin.json) || *args) {
        PluginChannel *channel = plugin_channel_open(*args ? args : NULL);
        if (!channel)
            return;
        if (plugin.log)
            plugin_channel_close(plugin.log);
        plugin.log = channel;
    }
    plugin.log_on = true;
}

static void disable_log(PluginInterface *pi, const char *args)
{
    plugin.log_on = false;
    if (plugin.log)
        plugin_channel_flush(plugin.log);
    if (plugin.json)
        plugin_channel_flush(plugin.json);
}

static const PluginCommand commands[] = {
    {"show_dll_list", "[CR3]", "DLLs by address space, with how many functions they export",
     show_dll_list},
    {"enable_api_log", "[FILE]", "log calls of exported functions, to FILE or to the monitor",
     enable_log},
    {"disable_api_log", NULL, "log calls of exported functions no more", disable_log},
    {NULL, NULL, NULL, NULL}};

// ---- Start

// Group "syscall" has a provider for each system: load this guest's.
static bool load_syscalls(const PluginInterface *pi)
{
    static const char *const providers[][2] = {{"WinXP", "syscalls_windows_xp"},
                                               {"Win7", "syscalls_windows_7"},
                                               {"Win8", "syscalls_windows_8"},
                                               {"Win8.1", "syscalls_windows_8.1"}};
    for (size_t i = 0; pi->os_ver && i < sizeof providers / sizeof *providers; i++)
        if (strcmp(pi->os_ver, providers[i][0]) == 0)
            return plugin_get_functions_list(providers[i][1]) != NULL;
    return false;
}

static bool take_options(const PluginInterface *pi)
{
    const char *log = plugin_argument(pi, "log"), *json = plugin_argument(pi, "json");
    const char *only = plugin_argument(pi, "only"), *args = plugin_argument(pi, "args");
    char *end = NULL;
    plugin.args = 4;
    if (args) {
        unsigned long n = strtoul(args, &end, 0);
        if (!*args || *end || n > MAX_LOGGED_ARGS) {
            plugin_fail("args=%s: give a number up to %u", args, MAX_LOGGED_ARGS);
            return false;
        }
        plugin.args = (uint32_t)n;
    }
    plugin.only = only ? strdup(only) : NULL;
    plugin.log = log ? plugin_channel_open(log) : NULL;
    plugin.json = json ? plugin_channel_open(json) : NULL;
    plugin.log_on = plugin.log || plugin.json;
    if ((log && !plugin.log) || (json && !plugin.json)) {
        plugin_fail("%s cannot be written", log && !plugin.log ? log : json);
        return false;
    }
    return true;
}

static void stop(PluginInterface *pi)
{
    modules_stop();
    api_trace_destroy(plugin.trace);
    free(plugin.only);
}

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    static const struct api_trace_user user = {EMU_FS_BASE, on_enter, on_leave, is_wanted};
    pi->cmd_table = commands;
    pi->exit = stop;
    if (!take_options(pi))
        return;
    plugin.group = plugin_reg_signal("api");
    if (!plugin.group || !load_syscalls(pi)) {
        plugin_fail(plugin.group ? "the plugin for the guest's system calls cannot be loaded"
                                 : "another plugin provides group 'api'; stop it first");
        return;
    }
    plugin_describe_signal(plugin.group, "API_CALL", &event_payload);
    plugin_describe_signal(plugin.group, "API_RETURN", &event_payload);
    plugin.call = plugin_resolve_signal(plugin.group, "API_CALL");
    plugin.leave = plugin_resolve_signal(plugin.group, "API_RETURN");
    process_register(plugin.group);
    plugin.trace = api_trace_create(&user);
    if (!plugin.trace || !modules_start(plugin.trace))
        plugin_fail("it cannot follow the guest's system calls");
}
