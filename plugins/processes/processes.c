// SPDX-License-Identifier: MIT
// processes: the tasks of a Linux guest, from kernel memory, and what happens to them. A task is
// looked at when the kernel switches to it; an exec shows as another mm_struct when CR3 is loaded.
#include <stdlib.h>
#include <string.h>

#include "common/pace.h"
#include "internal.h"

static const struct payload_field process_fields[] = {
    PAYLOAD_FIELD(struct process_payload, task, PAYLOAD_HEX32, "its task_struct"),
    PAYLOAD_FIELD(struct process_payload, tid, PAYLOAD_U32, "thread"),
    PAYLOAD_FIELD(struct process_payload, pid, PAYLOAD_U32, "process"),
    PAYLOAD_FIELD(struct process_payload, parent_pid, PAYLOAD_U32, "its parent"),
    PAYLOAD_FIELD(struct process_payload, context, PAYLOAD_HEX32, "CR3, 0: a kernel thread"),
    PAYLOAD_FIELD(struct process_payload, old_context, PAYLOAD_HEX32,
                  "PROCESS_EXEC_MM: the address space left"),
    PAYLOAD_FIELD(struct process_payload, old_tid, PAYLOAD_U32, "PROCESS_SWITCH: who ran before"),
    PAYLOAD_FIELD(struct process_payload, exit_code, PAYLOAD_U32,
                  "PROCESS_EXIT: status << 8 | signal"),
    PAYLOAD_FIELD(struct process_payload, name, PAYLOAD_STRING, "what ps shows"),
    PAYLOAD_FIELDS_END};
static const struct payload_type process_payload_type = {
    "process", 1, sizeof(struct process_payload), process_fields,
    "A task of the guest starts, executes another program, ends, or runs from now on."};

static const char *const signals_list[] = {"processes", NULL};
static const char *const os_list[] = {"Linux", NULL};
EMU_PLUGIN_EXPORT const struct pi_info init_info = {signals_list, NULL, os_list};
EMU_PLUGIN_EXPORT extern const struct plugin_option plugin_options[];
const struct plugin_option plugin_options[] = {
    {"log", "FILE", "print start, exec and exit of tasks there; - is the monitor"},
    {NULL, NULL, NULL}};

enum { BUCKETS = 1024, TRY_SHARE = 8, SCAN_SHARE = 16 };

struct known_task {
    struct known_task *next;
    uint32_t task, tid, mm;
    uint32_t context;
    bool exec_pending, gone;
};

enum event { EVENT_START, EVENT_EXEC_MM, EVENT_EXEC, EVENT_EXIT, EVENT_SWITCH, EVENTS };
static const char *const event_names[EVENTS] = {"PROCESS_START", "PROCESS_EXEC_MM", "PROCESS_EXEC",
                                                "PROCESS_EXIT", "PROCESS_SWITCH"};

static struct {
    struct kernel_layout k;
    SignalInfo *group;
    SignalHandle *signals[EVENTS];
    PluginChannel *log;
    struct known_task *buckets[BUCKETS];
    struct known_task *running; // whom the kernel last switched to
    struct known_task *execing; // has a new address space, its program did not run yet
    struct pace try, scan;
} ps;

// ---- Reading tasks

static int32_t task_field(uint32_t task, int32_t offset)
{
    return (int32_t)kernel_read32(&ps.k, task + ps.k.base + (uint32_t)offset);
}

static uint32_t context_of(uint32_t mm)
{
    uint32_t pgd = mm ? kernel_read32(&ps.k, mm + ps.k.pgd) : 0;
    return pgd > ps.k.page_offset ? pgd - ps.k.page_offset : 0;
}

static bool describe(uint32_t task, struct process_info *info)
{
    uint32_t ids[2], family[7];
    if (!ps.k.ready || !kernel_read(&ps.k, task + ps.k.base, info->name, 16) ||
        !kernel_comm_valid(info->name) ||
        !kernel_read(&ps.k, task + ps.k.base + (uint32_t)ps.k.pid, ids, sizeof ids) ||
        !kernel_read(&ps.k, task + ps.k.base + (uint32_t)ps.k.group_leader - 24, family,
                     sizeof family))
        return false;
    info->task = task;
    info->tid = ids[0];
    info->pid = ids[1];
    info->parent_pid = (uint32_t)task_field(family[0], ps.k.pid + 4);
    info->mm = (uint32_t)task_field(task, ps.k.mm);
    info->context = context_of(info->mm);
    return true;
}

static uint32_t current_task(void)
{
    return ps.k.ready ? kernel_read32(&ps.k, ps.k.current) : 0;
}

static bool current(struct process_info *info)
{
    uint32_t task = current_task();
    return task && describe(task, info);
}

static bool is_ready(void)
{
    return ps.k.ready;
}

static bool read_kernel(uint32_t vaddr, void *buffer, size_t length)
{
    return ps.k.ready && kernel_read(&ps.k, vaddr, buffer, length);
}

// Circular list at `offset` in tasks, from `task` on.
static bool walk(uint32_t task, int32_t offset, bool (*fn)(void *opaque, uint32_t task),
                 void *opaque)
{
    uint32_t head = task + ps.k.base + (uint32_t)offset, entry = head;
    for (unsigned n = 0; n < MAX_TASKS; n++) {
        if (!fn(opaque, entry - ps.k.base - (uint32_t)offset))
            return false;
        entry = kernel_read32(&ps.k, entry);
        if (entry == head || entry <= ps.k.page_offset)
            break;
    }
    return true;
}

struct iteration {
    bool (*fn)(void *opaque, const struct process_info *info);
    void *opaque;
    bool threads;
};

static bool visit_thread(void *opaque, uint32_t task)
{
    struct iteration *it = opaque;
    struct process_info info;
    return !describe(task, &info) || it->fn(it->opaque, &info);
}

static bool visit_process(void *opaque, uint32_t task)
{
    struct iteration *it = opaque;
    if (it->threads && ps.k.thread_list)
        return walk(task, ps.k.thread_list, visit_thread, it);
    return visit_thread(it, task);
}

static void for_each(bool threads, bool (*fn)(void *opaque, const struct process_info *info),
                     void *opaque)
{
    struct iteration it = {fn, opaque, threads};
    if (ps.k.ready)
        walk(ps.k.init_comm - ps.k.base, ps.k.tasks, visit_process, &it);
}

static const struct processes_functions functions = {is_ready, current,     current_task, describe,
                                                     for_each, read_kernel, context_read};

// ---- Known tasks

static struct known_task **bucket_of(uint32_t task)
{
    return &ps.buckets[(task >> 6) * 2654435761u >> 22];
}

static struct known_task *find_task(uint32_t task)
{
    struct known_task *t = *bucket_of(task);
    while (t && t->task != task)
        t = t->next;
    return t;
}

static struct known_task *add_task(const struct process_info *info)
{
    struct known_task *t = find_task(info->task);
    if (!t) {
        t = calloc(1, sizeof *t);
        if (!t)
            return NULL;
        t->task = info->task;
        t->next = *bucket_of(info->task);
        *bucket_of(info->task) = t;
    }
    t->tid = info->tid;
    t->mm = info->mm;
    t->context = info->context;
    t->gone = t->exec_pending = false;
    return t;
}

static void on_user_page(void *data, CPUArchState *cpu);

static void forget_all(void)
{
    for (unsigned i = 0; i < BUCKETS; i++) {
        struct known_task *next;
        for (struct known_task *t = ps.buckets[i]; t; t = next) {
            next = t->next;
            free(t);
        }
        ps.buckets[i] = NULL;
    }
    if (ps.execing)
        plugin_del_subscriber(on_user_page, "qemu", "PLUGIN_QEMU_TLB_SET_PAGE");
    ps.running = ps.execing = NULL;
}

static bool learn(void *opaque, const struct process_info *info)
{
    add_task(info);
    return true;
}

// ---- Events

static void emit(enum event event, const struct process_info *info, uint32_t old_context,
                 uint32_t old_tid, CPUArchState *cpu)
{
    if (event != EVENT_SWITCH && event != EVENT_EXEC_MM && ps.log)
        plugin_channel_printf(ps.log, "%u %s tid %u parent %u \"%s\"\n", info->pid,
                              event_names[event] + 8, info->tid, info->parent_pid, info->name);
    if (!plugin_has_subscribers(ps.signals[event]))
        return;
    struct process_payload p = {.task = info->task,
                                .tid = info->tid,
                                .pid = info->pid,
                                .parent_pid = info->parent_pid,
                                .context = info->context,
                                .old_context = old_context,
                                .old_tid = old_tid,
                                .name = info->name};
    if (event == EVENT_EXIT && ps.k.exit_state)
        p.exit_code = (uint32_t)task_field(info->task, ps.k.exit_state + 4);
    plugin_emit(ps.signals[event], &p, cpu);
}

static void finish_exec(CPUArchState *cpu);

// The first translation for user code in the new address space.
static void on_user_page(void *data, CPUArchState *cpu)
{
    const struct qemu_tlb_payload *p = data;
    if (p->mmu_idx == 1 && ps.execing && current_task() == ps.execing->task)
        finish_exec(cpu);
}

static void finish_exec(CPUArchState *cpu)
{
    struct known_task *t = ps.execing;
    struct process_info info;
    plugin_del_subscriber(on_user_page, "qemu", "PLUGIN_QEMU_TLB_SET_PAGE");
    ps.execing = NULL;
    if (describe(t->task, &info) && info.tid == t->tid)
        emit(EVENT_EXEC, &info, 0, 0, cpu);
}

static void begin_exec(struct known_task *t, const struct process_info *info, CPUArchState *cpu)
{
    uint32_t old = t->context;
    if (ps.execing)
        finish_exec(cpu);
    t->mm = info->mm;
    t->context = info->context;
    emit(EVENT_EXEC_MM, info, old, 0, cpu);
    ps.execing = t;
    plugin_subscribe(on_user_page, "qemu", "PLUGIN_QEMU_TLB_SET_PAGE");
}

static bool has_exited(const struct known_task *t)
{
    if (t->mm && (uint32_t)task_field(t->task, ps.k.mm) == 0)
        return true;
    return ps.k.exit_state && task_field(t->task, ps.k.exit_state) != 0;
}

static void report_exit(struct known_task *t, CPUArchState *cpu)
{
    struct process_info info;
    if (t->gone || !has_exited(t) || !describe(t->task, &info) || info.tid != t->tid)
        return;
    t->gone = true;
    info.context = t->context;
    emit(EVENT_EXIT, &info, 0, 0, cpu);
}

static void on_switch(CPUArchState *cpu)
{
    uint32_t task = current_task();
    struct known_task *before = ps.running, *t = find_task(task);
    if (before && before->task == task)
        return;
    struct process_info info;
    if (!describe(task, &info))
        return;
    uint32_t old_tid = before ? before->tid : 0;
    if (before)
        report_exit(before, cpu);
    bool started = !t || t->tid != info.tid;
    if (started)
        t = add_task(&info);
    if (!t)
        return;
    ps.running = t;
    if (info.tid != info.pid && !ps.k.thread_list) {
        uint32_t leader = (uint32_t)task_field(task, ps.k.group_leader);
        kernel_find_threads(&ps.k, leader, task);
    }
    if (started && info.tid != 0)
        emit(EVENT_START, &info, 0, 0, cpu);
    if (plugin_has_subscribers(ps.signals[EVENT_SWITCH]))
        emit(EVENT_SWITCH, &info, 0, old_tid, cpu);
}

// At the instructions that store to current_task.
static void on_translate(void *data, CPUArchState *cpu)
{
    const struct qemu_instr_payload *p = data;
    const JitArg args[] = {jit_cpu()};
    for (unsigned i = 0; i < ps.k.switch_site_count; i++)
        if (ps.k.switch_sites[i] == p->pc)
            jit_attach_call(p->ctx, JIT_AFTER, NULL, (void (*)(void))on_switch, jit_none(), 1,
                            args);
}

static void attach(CPUArchState *cpu)
{
    forget_all();
    for_each(true, learn, NULL);
    ps.running = find_task(current_task());
    struct plugin_subscribe_options options = {0};
    options.filter.by_address = true;
    options.filter.first = UINT32_MAX;
    for (unsigned i = 0; i < ps.k.switch_site_count; i++) {
        uint32_t site = ps.k.switch_sites[i];
        if (site < options.filter.first)
            options.filter.first = site;
        if (site > options.filter.last)
            options.filter.last = site;
    }
    plugin_subscribe_with(on_translate, "qemu", "PLUGIN_QEMU_INSTR_TRANSLATE", &options);
    // It was found in the middle of an exec, or between two: what runs counts as just executed.
    struct process_info info;
    if (current(&info) && info.mm)
        emit(EVENT_EXEC, &info, 0, 0, cpu);
}

static void try_discover(CPUArchState *cpu)
{
    if (!(cpu_get_register(cpu, EMU_CR0) & 0x80000000) || !pace_begin(&ps.try))
        return;
    bool scan = pace_begin(&ps.scan);
    bool found = (scan || ps.k.candidate_count > 0) && kernel_discover(&ps.k, cpu, scan);
    if (scan)
        pace_end(&ps.scan, SCAN_SHARE);
    pace_end(&ps.try, TRY_SHARE);
    if (found)
        attach(cpu);
}

// The guest was reset, and another kernel starts: its idle task is alone.
static void start_over(void)
{
    forget_all();
    ps.k = (struct kernel_layout){0};
    plugin_del_subscriber(on_translate, "qemu", "PLUGIN_QEMU_INSTR_TRANSLATE");
}

static void on_page_dir(void *data, CPUArchState *cpu)
{
    if (ps.k.ready && !kernel_alive(&ps.k))
        start_over();
    if (!ps.k.ready) {
        try_discover(cpu);
        return;
    }
    uint32_t task = current_task();
    struct known_task *t = ps.running;
    if (!t || t->task != task || t->gone)
        return;
    uint32_t mm = (uint32_t)task_field(task, ps.k.mm);
    struct process_info info;
    if (mm != t->mm && mm && describe(task, &info))
        begin_exec(t, &info, cpu);
}

// ---- Commands

static bool print_task(void *opaque, const struct process_info *info)
{
    char id[16];
    snprintf(id, sizeof id, "%u", info->tid);
    plugin_printf("%7u %7s %7u %08x %08x %s\n", info->pid, info->tid == info->pid ? "-" : id,
                  info->parent_pid, info->task, info->context, info->name);
    return true;
}

static bool have_kernel(void)
{
    CPUArchState *cpu = machine_get_cpu();
    if (ps.k.ready)
        return true;
    if (kernel_discover(&ps.k, cpu, true)) {
        attach(cpu);
        return true;
    }
    plugin_printf("processes: no Linux kernel was found in the guest's memory yet; let it boot\n");
    return false;
}

static void list(PluginInterface *pi, const char *args)
{
    if (!have_kernel())
        return;
    plugin_printf("    PID     TID    PPID TASK     CR3      NAME\n");
    for_each(true, print_task, NULL);
}

static void show_layout(PluginInterface *pi, const char *args)
{
    if (!have_kernel())
        return;
    const struct kernel_layout *k = &ps.k;
    int32_t b = (int32_t)k->base;
    plugin_printf("page offset %08x, init_task %08x, current_task %08x\n", k->page_offset,
                  k->init_comm - k->base, k->current);
    plugin_printf("task_struct: tasks %d, mm %d, exit_state %d, pid %d, tgid %d, real_parent %d, "
                  "group_leader %d, threads %d, comm %d\n",
                  b + k->tasks, b + k->mm, k->exit_state ? b + k->exit_state : -1, b + k->pid,
                  b + k->pid + 4, b + k->group_leader - 24, b + k->group_leader,
                  k->thread_list ? b + k->thread_list : -1, b);
    plugin_printf("mm_struct: pgd %u\n", k->pgd);
    for (unsigned i = 0; i < k->switch_site_count; i++)
        plugin_printf("switch at %08x\n", k->switch_sites[i]);
}

static void log_to(PluginInterface *pi, const char *args)
{
    if (ps.log)
        plugin_channel_close(ps.log);
    ps.log = *args && strcmp(args, "off") != 0 ? plugin_channel_open(args) : NULL;
}

static const PluginCommand commands[] = {
    {"processes_log", "FILE|-|off", "print start, exec and exit of tasks there", log_to},
    {"processes", NULL, "list the tasks of the guest", list},
    {"ps", NULL, "list the tasks of the guest", list},
    {"processes_layout", NULL, "show where the guest kernel keeps what this plugin reads",
     show_layout},
    {NULL, NULL, NULL, NULL}};

static void processes_exit(PluginInterface *pi)
{
    forget_all();
}

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    pi->cmd_table = commands;
    pi->exit = processes_exit;
    pi->funcs = &functions;
    const char *log = plugin_argument(pi, "log");
    if (log && !(ps.log = plugin_channel_open(log))) {
        plugin_fail("cannot write %s", log);
        return;
    }
    ps.group = plugin_reg_signal("processes");
    for (unsigned i = 0; i < EVENTS; i++) {
        plugin_describe_signal(ps.group, event_names[i], &process_payload_type);
        ps.signals[i] = plugin_resolve_signal(ps.group, event_names[i]);
    }
    jit_register_helper(NULL, (void (*)(void))on_switch, "processes_switch", JIT_HELPER_READS_REGS,
                        "vc");
    plugin_subscribe(on_page_dir, "qemu", "PLUGIN_QEMU_PAGE_DIR_UPD");
    CPUArchState *cpu = machine_get_cpu();
    if (cpu && kernel_discover(&ps.k, cpu, true))
        attach(cpu);
}
