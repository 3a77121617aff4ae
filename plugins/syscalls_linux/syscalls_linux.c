// SPDX-License-Identifier: MIT
// syscalls_linux: every system call of an i386 Linux guest, by INT 80h and SYSENTER, of each thread
// from its entry to its return. A call belongs to the task that the kernel runs, so it survives
// preemption, signals, fork and exec; what the kernel's function returned is seen where the kernel
// stores it to the saved registers, before signal delivery changes it.
#include <stdlib.h>
#include <string.h>

#include "monitor.h"

static struct monitor m;

static const char *const signals_list[] = {"syscall", NULL};
static const char *const dependencies[] = {"contexts", "processes", NULL};
static const char *const os_list[] = {"Linux", NULL};
EMU_PLUGIN_EXPORT const struct pi_info init_info = {signals_list, dependencies, os_list};
EMU_PLUGIN_EXPORT extern const struct plugin_option plugin_options[];
const struct plugin_option plugin_options[] = {
    {"log", "FILE", "log the calls there from the start; - is the monitor"},
    {"format", "text|json", "of the log"},
    {"name", "PROGRAM", "log only processes that execute it, and their children"},
    {"strings", "N", "bytes of a string or buffer that are shown (32)"},
    {NULL, NULL, NULL}};

enum {
    NR_SOCKETCALL = 102,
    NR_EXIT = 1,
    NR_FORK = 2,
    NR_EXECVE = 11,
    NR_SIGRETURN = 119,
    NR_CLONE = 120,
    NR_RT_SIGRETURN = 173,
    NR_VFORK = 190,
    NR_EXIT_GROUP = 252,
    NR_EXECVEAT = 358,
    NR_CLONE3 = 435,
    SITE_TRIES = 256,
    FLAG_USER = 3
};

// ---- Threads

static struct call **bucket_of(uint32_t task)
{
    return &m.buckets[(task >> 6) * 2654435761u >> 22];
}

static struct call *find_call(uint32_t task)
{
    struct call *c = *bucket_of(task);
    while (c && c->task != task)
        c = c->next;
    return c;
}

static struct call *add_call(const struct process_info *info)
{
    struct call *c = find_call(info->task);
    if (!c) {
        c = calloc(1, sizeof *c);
        if (!c)
            return NULL;
        c->task = info->task;
        c->next = *bucket_of(info->task);
        *bucket_of(info->task) = c;
    } else if (c->tid != info->tid) {
        c->active = false;
        c->frame = 0;
        c->restarted = NULL;
    }
    c->tid = info->tid;
    c->pid = info->pid;
    c->followed = log_follows(&m, info->pid, info->tid);
    return c;
}

// The record of the thread that runs. One that is there is right: the record of a task that ends,
// or whose task_struct is used again, is dropped.
static struct call *running_call(void)
{
    uint32_t task = m.processes->current_task();
    struct call *c = task ? find_call(task) : NULL;
    struct process_info info;
    if (!c)
        return m.processes->current(&info) ? add_call(&info) : NULL;
    c->followed = log_follows(&m, c->pid, c->tid);
    return c;
}

static void free_call(struct call *c)
{
    for (unsigned i = 0; i < MAX_TEXTS; i++)
        text_free(&c->texts[i]);
    text_free(&c->out);
    free(c->path[0]);
    free(c->path[1]);
    free(c);
}

static void drop_call(uint32_t task)
{
    for (struct call **at = bucket_of(task); *at; at = &(*at)->next)
        if ((*at)->task == task) {
            struct call *c = *at;
            *at = c->next;
            free_call(c);
            return;
        }
}

// ---- Decoding while the call goes on

static struct decoder decoder(CPUArchState *cpu, uint32_t context)
{
    return (struct decoder){cpu, m.processes, context, false, m.string_limit};
}

// What is to be read before the call: what fails stays open for the return.
static void decode_entry(struct call *c, CPUArchState *cpu, uint32_t context)
{
    unsigned paths = 0;
    for (unsigned i = 0; i < MAX_ARGS && c->row->args[i] != ARG_NONE; i++) {
        enum arg_kind kind = c->row->args[i];
        struct decoder d = decoder(cpu, context);
        if (kind == ARG_PATH && paths < 2) {
            if (!c->path[paths])
                c->path[paths] = decode_path(&d, c->args[i]);
            paths++;
        }
        if (!c->decode || c->done[i] || !decode_is_in(kind))
            continue;
        d.failed = false;
        text_clear(&c->texts[i]);
        decode_argument(&d, c, i, &c->texts[i]);
        c->done[i] = !d.failed;
    }
}

static void read_socketcall(struct call *c, CPUArchState *cpu)
{
    unsigned count;
    uint32_t args[MAX_ARGS];
    const struct syscall_row *row = socketcall_row(c->args[0], &count);
    if (row && cpu_read_memory(cpu, c->args[1], args, count * 4) == count * 4) {
        memcpy(c->args, args, count * 4);
        c->row = row;
    }
}

static void start_call(struct call *c, CPUArchState *cpu, uint32_t nr, uint32_t sixth)
{
    static const enum emu_register registers[5] = {EMU_EBX, EMU_ECX, EMU_EDX, EMU_ESI, EMU_EDI};
    c->nr = nr;
    c->row = syscall_row(nr);
    for (unsigned i = 0; i < 5; i++)
        c->args[i] = cpu_get_register(cpu, registers[i]);
    c->args[5] = sixth;
    c->ebx = c->args[0];
    if (nr == NR_SOCKETCALL)
        read_socketcall(c, cpu);
    c->entry_esp = cpu_get_register(cpu, EMU_ESP);
    c->context = get_current_context();
    c->active = true;
    c->raw_known = false;
    c->old_sockaddr_known = false;
    for (unsigned i = 0; i < MAX_TEXTS; i++) {
        c->done[i] = false;
        text_clear(&c->texts[i]);
    }
    for (unsigned i = 0; i < 2; i++) {
        free(c->path[i]);
        c->path[i] = NULL;
    }
    for (unsigned i = 0; i < MAX_ARGS; i++)
        if (c->row->args[i] == ARG_SOCKLENP && c->args[i])
            c->old_sockaddr_known = cpu_read_memory(cpu, c->args[i], &c->old_length, 4) == 4;
    if (nr == NR_SIGRETURN || nr == NR_RT_SIGRETURN)
        c->frame = 0;
}

static void on_entry(CPUArchState *cpu, uint32_t pc, uint32_t fast)
{
    struct call *c = running_call();
    if (!c)
        return;
    uint32_t sixth = cpu_get_register(cpu, EMU_EBP);
    if (fast) // the vDSO saved EBP on the stack that EBP points to
        cpu_read_memory(cpu, sixth, &sixth, 4);
    c->return_eip = pc + (fast ? 4 : 2);
    start_call(c, cpu, cpu_get_register(cpu, EMU_EAX), sixth);
    m.calls++;
    c->decode = (m.log && c->followed) || m.text_wanted > 0;
    decode_entry(c, cpu, 0);
    if ((c->nr == NR_EXECVE || c->nr == NR_EXECVEAT) && c->path[0] &&
        log_wants_program(&m, c->path[0], c->pid) && !c->followed) {
        c->followed = true;
        c->decode = true;
        decode_entry(c, cpu, 0);
    }
    events_entry(&m, c, cpu);
    if (c->nr == NR_EXIT || c->nr == NR_EXIT_GROUP) {
        struct decoder d = decoder(cpu, 0);
        log_call(&m, &d, c, false);
    }
}

// ---- Return

static const uint8_t old_retcode[8] = {0x58, 0xB8, 0x77, 0, 0, 0, 0xCD, 0x80};
static const uint8_t rt_retcode[8] = {0xB8, 0xAD, 0, 0, 0, 0xCD, 0x80, 0};

// At the first instruction of a signal handler the kernel's frame lies at ESP, EAX holds the
// number.
static uint32_t signal_frame(CPUArchState *cpu, bool *rt, uint32_t *info)
{
    enum { OLD_RETCODE = 724, RT_RETCODE = 260 };
    uint32_t signal = cpu_get_register(cpu, EMU_EAX), esp = cpu_get_register(cpu, EMU_ESP);
    uint32_t head[4];
    uint8_t code[8];
    if (signal < 1 || signal > 64 || cpu_read_memory(cpu, esp, head, 16) < 16 || head[1] != signal)
        return 0;
    *rt = cpu_read_memory(cpu, esp + RT_RETCODE, code, 8) == 8 && memcmp(code, rt_retcode, 8) == 0;
    *info = *rt ? head[2] : 0;
    if (!*rt &&
        (cpu_read_memory(cpu, esp + OLD_RETCODE, code, 8) < 8 || memcmp(code, old_retcode, 8) != 0))
        return 0;
    return signal;
}

static bool is_fork(uint32_t nr)
{
    return nr == NR_FORK || nr == NR_VFORK || nr == NR_CLONE || nr == NR_CLONE3;
}

static void finish_call(struct call *c, CPUArchState *cpu, uint32_t signal, bool rt)
{
    enum { OLD_SAVED_EAX = 8 + 11 * 4, RT_SAVED_EAX = 16 + 128 + 20 + 11 * 4 };
    c->ret = (int32_t)cpu_get_register(cpu, EMU_EAX);
    if (c->raw_known)
        c->ret = c->raw;
    else if (signal)
        cpu_read_memory(cpu, cpu_get_register(cpu, EMU_ESP) + (rt ? RT_SAVED_EAX : OLD_SAVED_EAX),
                        &c->ret, 4);
    c->active = false;
    decode_entry(c, cpu, 0);
    if (is_fork(c->nr) && c->ret > 0)
        log_inherit(&m, c->pid, (uint32_t)c->ret);
    struct decoder d = decoder(cpu, 0);
    if (c->nr != NR_EXIT && c->nr != NR_EXIT_GROUP)
        log_call(&m, &d, c, true);
    events_return(&m, c, cpu);
    if (c->raw_known && c->raw == -516)
        c->restarted = c->nr == 0 ? c->restarted : c->row->name;
}

static void on_return(CPUArchState *cpu)
{
    struct call *c = find_call(m.processes->current_task());
    if (!c || (!c->active && !(c->followed && m.log)))
        return;
    bool rt = false;
    uint32_t info = 0, esp = cpu_get_register(cpu, EMU_ESP);
    uint32_t signal = signal_frame(cpu, &rt, &info);
    if (signal && !c->active && c->frame == esp) // its first instruction was interrupted
        return;
    if (c->active)
        finish_call(c, cpu, signal, rt);
    if (!signal)
        return;
    c->frame = esp;
    if (m.log && c->followed) {
        struct decoder d = decoder(cpu, 0);
        log_signal(&m, &d, c, signal, info);
    }
}

// At MOV [reg + 18h], EAX in the kernel: if reg points to the registers that the running call
// saved, EAX is what its function returned.
static void on_store(CPUArchState *cpu, struct store_site *site, uint32_t address, uint32_t eax)
{
    enum { AX = 0x18, ORIG_AX = 0x2C, SAVED = 0x44 };
    uint32_t regs[SAVED / 4];
    struct call *c = find_call(m.processes->current_task());
    if (!c || !c->active || c->raw_known)
        return;
    if ((m.processes->read_kernel(address - AX, regs, sizeof regs) ||
         cpu_read_memory(cpu, address - AX, regs, sizeof regs) == sizeof regs) &&
        regs[ORIG_AX / 4] == c->nr && regs[0] == c->ebx && regs[0x38 / 4] != 0 &&
        ((regs[0x34 / 4] & FLAG_USER) == FLAG_USER)) {
        c->raw_known = true;
        c->raw = (int32_t)eax;
        site->hits++;
    } else if (++site->tries >= SITE_TRIES && site->hits == 0) {
        site->enabled = 0;
    }
}

// ---- Translation

static struct store_site *find_site(uint32_t pc)
{
    for (struct store_site *s = m.sites; s; s = s->next)
        if (s->pc == pc)
            return s;
    struct store_site *s = calloc(1, sizeof *s);
    if (s) {
        s->pc = pc;
        s->enabled = 1;
        s->next = m.sites;
        m.sites = s;
    }
    return s;
}

static void attach_store(const struct qemu_instr_payload *p)
{
    struct store_site *site = find_site(p->pc);
    if (!site || !site->enabled)
        return;
    const JitArg args[] = {jit_cpu(), jit_pointer(site), jit_ea(), jit_reg(EMU_EAX)};
    const JitPredicate predicates[] = {jit_if_counter(&site->enabled, 1), jit_if_end()};
    jit_attach_call(p->ctx, JIT_BEFORE, predicates, (void (*)(void))on_store, jit_none(), 4, args);
}

static void on_translate(void *data, CPUArchState *cpu)
{
    const struct qemu_instr_payload *p = data;
    const uint8_t *b = p->bytes;
    if (p->length == 0 || p->length > 3)
        return;
    if (p->length == 2 && ((b[0] == 0xCD && b[1] == 0x80) || (b[0] == 0x0F && b[1] == 0x34))) {
        const JitArg args[] = {jit_cpu(), jit_pc(), jit_const32(b[0] == 0x0F)};
        const JitPredicate user[] = {jit_if_cpl(FLAG_USER), jit_if_end()};
        jit_attach_call(p->ctx, JIT_BEFORE, user, (void (*)(void))on_entry, jit_none(), 3, args);
    } else if (b[0] == 0xCF || (p->length == 2 && b[0] == 0x0F && b[1] == 0x35)) {
        const JitArg args[] = {jit_cpu()};
        const JitPredicate user[] = {jit_if_cpl(FLAG_USER), jit_if_end()};
        jit_attach_call(p->ctx, JIT_AFTER, user, (void (*)(void))on_return, jit_none(), 1, args);
    } else if (p->length == 3 && b[0] == 0x89 && (b[1] & 0xF8) == 0x40 && b[1] != 0x44 &&
               b[2] == 0x18 && cpu_get_register(cpu, EMU_CPL) == 0) {
        attach_store(p);
    }
}

// ---- Processes

static void on_task_start(void *data, CPUArchState *cpu)
{
    const struct process_payload *p = data;
    struct call *c = find_call(p->task);
    if (c && c->tid != p->tid)
        drop_call(p->task);
    if (log_follows(&m, p->pid, p->tid) || log_follows(&m, p->parent_pid, p->parent_pid))
        log_inherit(&m, p->parent_pid, p->pid);
    struct process_info info = {.task = p->task, .tid = p->tid, .pid = p->pid};
    if (m.log && log_follows(&m, p->pid, p->tid))
        add_call(&info); // signals may come before its first call
}

static void on_exec_mm(void *data, CPUArchState *cpu)
{
    const struct process_payload *p = data;
    struct call *c = find_call(p->task);
    if (!c)
        return;
    c->tid = p->tid; // a thread that executes a program becomes the leader
    c->pid = p->pid;
    if (c->active && p->old_context)
        decode_entry(c, cpu, p->old_context);
}

static void on_task_exit(void *data, CPUArchState *cpu)
{
    const struct process_payload *p = data;
    struct call *c = find_call(p->task);
    if (!c)
        return;
    struct decoder d = decoder(cpu, 0);
    if (c->active) {
        c->ret = c->raw_known ? c->raw : 0;
        if (c->nr != NR_EXIT && c->nr != NR_EXIT_GROUP)
            log_call(&m, &d, c, c->raw_known);
        events_abandoned(&m, c, cpu);
    }
    log_exit(&m, c, p->exit_code);
    if (p->tid == p->pid)
        log_forget(&m, p->pid);
    drop_call(p->task);
}

// ---- Plugin

static void enable_log(PluginInterface *pi, const char *args)
{
    log_enable(&m, args);
}

static void disable_log(PluginInterface *pi, const char *args)
{
    log_disable(&m);
}

static void show_statistics(PluginInterface *pi, const char *args)
{
    unsigned threads = 0, active = 0, sites = 0;
    for (unsigned i = 0; i < CALL_BUCKETS; i++)
        for (const struct call *c = m.buckets[i]; c; c = c->next) {
            threads++;
            active += c->active;
        }
    for (const struct store_site *s = m.sites; s; s = s->next)
        sites += s->hits != 0;
    plugin_printf("%llu calls, %u threads known, %u of them in a call; results are stored at %u "
                  "places of the kernel\n",
                  (unsigned long long)m.calls, threads, active, sites);
}

static const PluginCommand commands[] = {
    {"enable_syscall_log", "[json] [name=PROGRAM] [pid=N] [strings=N] [FILE]",
     "log system calls as strace prints them, of all processes or of some with their children",
     enable_log},
    {"disable_syscall_log", NULL, "end the log of system calls", disable_log},
    {"syscall_statistics", NULL, "calls seen and threads known", show_statistics},
    {NULL, NULL, NULL, NULL}};

static void want_text(bool wanted)
{
    m.text_wanted += wanted ? 1 : -1;
}

static const struct syscalls_functions functions = {want_text};

static void plugin_exit(PluginInterface *pi)
{
    log_disable(&m);
    for (unsigned i = 0; i < CALL_BUCKETS; i++)
        while (m.buckets[i])
            drop_call(m.buckets[i]->task);
    while (m.sites) {
        struct store_site *s = m.sites;
        m.sites = s->next;
        free(s);
    }
    free(m.followed);
}

static void log_from_arguments(PluginInterface *pi)
{
    const char *log = plugin_argument(pi, "log"), *format = plugin_argument(pi, "format");
    const char *name = plugin_argument(pi, "name"), *strings = plugin_argument(pi, "strings");
    char line[512];
    if (!log)
        return;
    snprintf(line, sizeof line, "%s%s%s%s%s %s",
             format && strcmp(format, "json") == 0 ? "json " : "", name ? "name=" : "",
             name ? name : "", strings ? " strings=" : "", strings ? strings : "", log);
    log_enable(&m, line);
}

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    pi->cmd_table = commands;
    pi->exit = plugin_exit;
    pi->funcs = &functions;
    m.string_limit = 32;
    m.processes = plugin_get_functions_list("processes");
    if (!m.processes) {
        plugin_fail("the plugin processes cannot be loaded");
        return;
    }
    events_register(&m);
    jit_register_helper(NULL, (void (*)(void))on_entry, "syscall_entry", JIT_HELPER_READS_REGS,
                        "vcii");
    jit_register_helper(NULL, (void (*)(void))on_return, "syscall_return", JIT_HELPER_READS_REGS,
                        "vc");
    jit_register_helper(NULL, (void (*)(void))on_store, "syscall_result", JIT_HELPER_READS_REGS,
                        "vcpii");
    plugin_subscribe(on_task_start, "processes", "PROCESS_START");
    plugin_subscribe(on_exec_mm, "processes", "PROCESS_EXEC_MM");
    plugin_subscribe(on_task_exit, "processes", "PROCESS_EXIT");
    plugin_subscribe(on_translate, "qemu", "PLUGIN_QEMU_INSTR_TRANSLATE");
    log_from_arguments(pi);
}
