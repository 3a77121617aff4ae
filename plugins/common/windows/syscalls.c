// SPDX-License-Identifier: MIT
// System calls of a 32-bit Windows guest. A user program enters one by SYSENTER, with the number in
// EAX and EDX at the return addresses in front of the arguments, or by INT 2Eh with EDX at the
// arguments; the system comes back by SYSEXIT or IRET. FS holds the thread's TEB then and before.
// Left out: names of calls beyond the table (they are counted by number), 64-bit Windows.
#include "common/windows/syscalls.h"

#include <stdlib.h>
#include <string.h>

#include "common/windows/signals.h"
#include "common/windows/threads.h"

#define NUMBER_MASK        0x3fffu // KiSystemService: table and index; it looks at no other bits
#define SYSENTER_ARGUMENTS 8u

static struct {
    const struct win_version *version;
    struct win_signals signals;
    struct win_threads threads;
    PluginChannel *log, *json;
    bool log_on, json_on;
    uint32_t bytes;
    bool by_context;
    uint32_t context;
    uint64_t call_mask; // of enum win_call_id: what is logged
    bool log_unknown;
    int8_t id_of[NUMBER_MASK + 1]; // -1: not known
    uint32_t int_esp, int_eip;     // of the INT 2Eh that is being delivered
    bool in_int;
    uint64_t entered, returned, lost;
} plugin;

// ---- Log

static void write_text(const struct win_record *r, bool returned, uint32_t status)
{
    struct text line = {0};
    text_printf(&line, "%08x %08x ", r->context, r->thread);
    if (r->call)
        text_printf(&line, "%s(", r->call->name);
    else
        text_printf(&line, "syscall_0x%04x(", r->number);
    unsigned args = r->call ? r->call->args : 0;
    for (unsigned i = 0; i < args; i++)
        text_printf(&line, "%s%s=%s", i ? ", " : "", r->call->arg[i].name,
                    r->text[i] ? r->text[i] : "?");
    text_add(&line, ") = ");
    if (returned)
        win_add_status(&line, status);
    else
        text_add(&line, "?");
    text_add(&line, "\n");
    plugin_channel_write(plugin.log, text_string(&line), line.length);
    text_free(&line);
}

static void write_json(const struct win_record *r, bool returned, uint32_t status)
{
    struct text line = {0};
    text_add(&line, "{\"event\":\"syscall\",\"call\":");
    if (r->call)
        text_add_json(&line, r->call->name);
    else
        text_add(&line, "null");
    text_printf(&line, ",\"number\":%u,\"entry\":\"%s\",\"context\":%u,\"thread\":%u,\"args\":{",
                r->number, r->entry == WIN_SYSENTER ? "sysenter" : "int2e", r->context, r->thread);
    for (unsigned i = 0; r->call && i < r->call->args; i++) {
        text_add(&line, i ? "," : "");
        text_add_json(&line, r->call->arg[i].name);
        text_add(&line, ":");
        if (r->text[i])
            text_add_json(&line, r->text[i]);
        else
            text_add(&line, "null");
    }
    if (returned) {
        struct text name = {0};
        win_add_status(&name, status);
        text_printf(&line, "},\"ret\":%u,\"status\":", status);
        text_add_json(&line, text_string(&name));
        text_free(&name);
        text_add(&line, "}\n");
    } else {
        text_add(&line, "},\"ret\":null,\"status\":null}\n");
    }
    plugin_channel_write(plugin.json, text_string(&line), line.length);
    text_free(&line);
}

static bool is_logged(const struct win_record *r)
{
    return (plugin.log_on || plugin.json_on) &&
           (!plugin.by_context || plugin.context == r->context) &&
           (r->call ? plugin.call_mask >> r->id & 1 : plugin.log_unknown);
}

static void write_record(const struct win_record *r, bool returned, uint32_t status)
{
    if (!is_logged(r))
        return;
    if (plugin.log_on && plugin.log)
        write_text(r, returned, status);
    if (plugin.json_on && plugin.json)
        write_json(r, returned, status);
}

// ---- Entry and return

static void record_lost(void *self, struct win_record *r)
{
    plugin.lost++;
    write_record(r, false, 0);
    win_signals_end(&plugin.signals, r, machine_get_cpu(), false, 0);
}

// NtTerminateProcess(NtCurrentProcess()) and NtTerminateThread(NULL or NtCurrentThread()).
static bool ends_caller(const struct win_record *r)
{
    if (!r->call || r->args < 1)
        return false;
    return (r->id == NT_TERMINATE_PROCESS && r->arg[0] == 0xffffffff) ||
           (r->id == NT_TERMINATE_THREAD && (r->arg[0] == 0 || r->arg[0] == 0xfffffffe));
}

static void call_entered(CPUArchState *cpu, enum win_entry entry, uint32_t esp, uint32_t eip)
{
    struct win_record *r = calloc(1, sizeof *r);
    if (!r)
        return;
    uint32_t edx = cpu_get_register(cpu, EMU_EDX);
    r->entry = entry;
    r->context = get_current_context();
    r->thread = cpu_get_register(cpu, EMU_FS_BASE);
    r->number = cpu_get_register(cpu, EMU_EAX) & NUMBER_MASK;
    r->esp = esp;
    r->eip = eip;
    int id = plugin.id_of[r->number];
    if (id >= 0) {
        r->id = (enum win_call_id)id;
        r->call = &win_calls[id];
    }
    plugin.entered++;
    if (!is_logged(r) && !win_signals_wanted(&plugin.signals, r)) {
        free(r);
        return;
    }
    win_record_enter(r, cpu, entry == WIN_SYSENTER ? edx + SYSENTER_ARGUMENTS : edx, is_logged(r),
                     plugin.bytes);
    win_signals_enter(&plugin.signals, r, cpu);
    if (ends_caller(r))
        win_signals_emit(&plugin.signals, r, cpu, false, 0);
    win_threads_push(&plugin.threads, r);
}

// After SYSENTER: the registers that matter are still the caller's.
static void after_sysenter(CPUArchState *cpu)
{
    call_entered(cpu, WIN_SYSENTER, cpu_get_register(cpu, EMU_EDX), 0);
}

// After SYSEXIT and IRET into user code.
static void after_return(CPUArchState *cpu)
{
    struct win_record *r =
        win_threads_pop(&plugin.threads, get_current_context(), cpu_get_register(cpu, EMU_FS_BASE),
                        cpu_get_register(cpu, EMU_EIP), cpu_get_register(cpu, EMU_ESP));
    if (!r)
        return;
    uint32_t status = cpu_get_register(cpu, EMU_EAX);
    plugin.returned++;
    win_record_return(r, cpu, status, is_logged(r), plugin.bytes);
    write_record(r, true, status);
    win_signals_emit(&plugin.signals, r, cpu, true, status);
    win_signals_end(&plugin.signals, r, cpu, true, status);
    win_record_free(r);
}

static void on_instruction(void *data, CPUArchState *cpu)
{
    const struct qemu_instr_payload *instr = data;
    const uint8_t *bytes = instr->bytes, *end = bytes + instr->length;
    while (bytes < end && (*bytes == 0x66 || *bytes == 0xf2 || *bytes == 0xf3))
        bytes++;
    const JitArg args[] = {jit_cpu()};
    bool iret = bytes < end && *bytes == 0xcf;
    bool sysexit = end - bytes >= 2 && bytes[0] == 0x0f && bytes[1] == 0x35;
    if (iret || sysexit) {
        const JitPredicate user[] = {jit_if_cpl(3), jit_if_counter(&plugin.threads.records, 1),
                                     jit_if_end()};
        jit_attach_call(instr->ctx, JIT_AFTER, user, (void (*)(void))after_return, jit_none(), 1,
                        args);
    } else if (end - bytes >= 2 && bytes[0] == 0x0f && bytes[1] == 0x34) {
        jit_attach_call(instr->ctx, JIT_AFTER, NULL, (void (*)(void))after_sysenter, jit_none(), 1,
                        args);
    }
}

static bool is_int_2e(const struct qemu_exception_payload *e)
{
    return e->is_int && e->vector == 0x2e;
}

static void on_exception(void *data, CPUArchState *cpu)
{
    const struct qemu_exception_payload *e = data;
    plugin.in_int = is_int_2e(e) && cpu_get_register(cpu, EMU_CPL) == 3;
    if (!plugin.in_int)
        return;
    plugin.int_esp = cpu_get_register(cpu, EMU_ESP);
    plugin.int_eip = e->return_eip;
}

// Only now it is certain that the gate let the caller in.
static void on_handler(void *data, CPUArchState *cpu)
{
    if (plugin.in_int && is_int_2e(data) && cpu_get_register(cpu, EMU_CPL) == 0)
        call_entered(cpu, WIN_INT_2E, plugin.int_esp, plugin.int_eip);
    plugin.in_int = false;
}

// ---- Commands and options

static void enable_log(PluginInterface *pi, const char *args)
{
    if (!plugin.log || *args) {
        PluginChannel *channel = plugin_channel_open(*args ? args : NULL);
        if (!channel)
            return;
        if (plugin.log)
            plugin_channel_close(plugin.log);
        plugin.log = channel;
    }
    plugin.log_on = true;
    plugin.json_on = plugin.json != NULL;
}

static void disable_log(PluginInterface *pi, const char *args)
{
    plugin.log_on = plugin.json_on = false;
    if (plugin.log)
        plugin_channel_flush(plugin.log);
    if (plugin.json)
        plugin_channel_flush(plugin.json);
}

static void show_state(PluginInterface *pi, const char *args)
{
    plugin_printf("%s: %llu calls entered, %llu returns seen, %llu never returned, %llu in "
                  "progress in %u threads; log %s\n",
                  pi->name, (unsigned long long)plugin.entered, (unsigned long long)plugin.returned,
                  (unsigned long long)plugin.lost, (unsigned long long)plugin.threads.records,
                  plugin.threads.threads, plugin.log_on || plugin.json_on ? "on" : "off");
}

static const char *call_name(uint32_t number)
{
    int id = plugin.id_of[number & NUMBER_MASK];
    return id >= 0 ? win_calls[id].name : NULL;
}

static const struct win_syscall_functions functions = {call_name};

static const PluginCommand commands[] = {
    {"enable_syscall_log", "[FILE]", "log system calls, to FILE or to the monitor", enable_log},
    {"disable_syscall_log", NULL, "log system calls no more", disable_log},
    {"syscall_state", NULL, "how many system calls were seen, and are in progress", show_state},
    {NULL, NULL, NULL, NULL}};

static bool choose_calls(const char *list)
{
    plugin.call_mask = 0;
    plugin.log_unknown = false;
    while (*list) {
        size_t length = strcspn(list, ":");
        unsigned i = 0;
        while (i < NT_CALLS && (strlen(win_calls[i].name) != length ||
                                strncmp(win_calls[i].name, list, length) != 0))
            i++;
        if (i == NT_CALLS) {
            plugin_fail("calls=%.*s: this plugin knows no such call; the list is in its README",
                        (int)length, list);
            return false;
        }
        plugin.call_mask |= 1ull << i;
        list += length + (list[length] == ':');
    }
    return true;
}

static bool take_number(const PluginInterface *pi, const char *key, int base, uint32_t *value)
{
    const char *text = plugin_argument(pi, key);
    if (!text)
        return false;
    char *end;
    unsigned long long number = strtoull(text, &end, base);
    if (!*text || *end || number > UINT32_MAX) {
        plugin_fail("%s=%s: this is no number", key, text);
        return false;
    }
    *value = (uint32_t)number;
    return true;
}

static bool take_options(const PluginInterface *pi)
{
    const char *log = plugin_argument(pi, "log"), *json = plugin_argument(pi, "json");
    const char *calls = plugin_argument(pi, "calls");
    plugin.bytes = 32;
    plugin.call_mask = (1ull << NT_CALLS) - 1;
    plugin.log_unknown = true;
    take_number(pi, "bytes", 0, &plugin.bytes);
    plugin.by_context = take_number(pi, "context", 16, &plugin.context);
    if (calls && !choose_calls(calls))
        return false;
    if (log)
        plugin.log_on = (plugin.log = plugin_channel_open(log)) != NULL;
    if (json)
        plugin.json_on = (plugin.json = plugin_channel_open(json)) != NULL;
    if ((log && !plugin.log) || (json && !plugin.json)) {
        plugin_fail("%s cannot be written", log && !plugin.log ? log : json);
        return false;
    }
    return true;
}

static void stop(PluginInterface *pi)
{
    if (plugin.threads.buckets)
        win_threads_free(&plugin.threads);
}

void win_syscalls_start(PluginInterface *pi, const struct win_version *version)
{
    plugin.version = version;
    pi->cmd_table = commands;
    pi->funcs = &functions;
    pi->exit = stop;
    memset(plugin.id_of, -1, sizeof plugin.id_of);
    for (unsigned i = 0; i < NT_CALLS; i++)
        plugin.id_of[version->number[i] & NUMBER_MASK] = (int8_t)i;
    if (!win_threads_init(&plugin.threads, record_lost, NULL)) {
        plugin_fail("out of memory");
        return;
    }
    win_signals_register(&plugin.signals);
    if (!plugin.signals.group) {
        plugin_fail("another plugin provides group 'syscall'; stop it first");
        return;
    }
    if (!take_options(pi))
        return;
    const unsigned reads = JIT_HELPER_READS_REGS;
    jit_register_helper(NULL, (void (*)(void))after_sysenter, "win_sysenter", reads, "vc");
    jit_register_helper(NULL, (void (*)(void))after_return, "win_return", reads, "vc");
    plugin_subscribe(on_instruction, "qemu", "PLUGIN_QEMU_INSTR_TRANSLATE");
    plugin_subscribe(on_exception, "qemu", "PLUGIN_QEMU_EXCEPTION");
    plugin_subscribe(on_handler, "qemu", "PLUGIN_QEMU_EXCEPTION_HANDLER");
}
