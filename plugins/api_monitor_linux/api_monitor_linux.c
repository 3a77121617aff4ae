// SPDX-License-Identifier: MIT
// api_monitor_linux: calls of functions that shared objects export. A call is attached to the first
// instruction of each exported function; a return is seen at the instruction behind the CALL, whose
// operation does nothing unless a return is expected there. A function chosen at load time
// (STT_GNU_IFUNC) is where its resolver's return says. Leaves out: programs that ran before the
// plugin came.
#include "api_monitor_linux.h"

#include <stdlib.h>
#include <string.h>

#include "../file_monitor/file_monitor.h"
#include "../syscalls_linux/syscalls_linux.h"
#include "modules.h"

static const char *const signals_list[] = {"api", NULL};
static const char *const dependencies[] = {"contexts", "files", "syscall", "processes", NULL};
static const char *const os_list[] = {"Linux", NULL};
EMU_PLUGIN_EXPORT const struct pi_info init_info = {signals_list, dependencies, os_list};

EMU_PLUGIN_EXPORT extern const struct plugin_option plugin_options[];
const struct plugin_option plugin_options[] = {
    {"log", "FILE", "log calls there from the start; - is the monitor"},
    {"format", "text|json", "of the log"},
    {"name", "PROGRAM", "log only what processes of this name call"},
    {"main", "0|1", "1: log only calls that programs make themselves, not their libraries"},
    {NULL, NULL, NULL}};

enum {
    TASK_BUCKETS = 256,
    SITE_BUCKETS = 4096,
    MAX_FRAMES = 512,
    TEXT_SIZE = 256,
    STRING_SIZE = 48
};

static const struct payload_field api_fields[] = {
    PAYLOAD_FIELD(struct api_payload, tid, PAYLOAD_U32, "thread"),
    PAYLOAD_FIELD(struct api_payload, pid, PAYLOAD_U32, "process"),
    PAYLOAD_FIELD(struct api_payload, process, PAYLOAD_STRING, "its name"),
    PAYLOAD_FIELD(struct api_payload, module, PAYLOAD_STRING, "file that exports the function"),
    PAYLOAD_FIELD(struct api_payload, function, PAYLOAD_STRING, "its name"),
    PAYLOAD_FIELD(struct api_payload, address, PAYLOAD_HEX32, "of the function"),
    PAYLOAD_FIELD(struct api_payload, return_address, PAYLOAD_HEX32, "behind the CALL"),
    PAYLOAD_FIELD(struct api_payload, arg0, PAYLOAD_HEX32, "first word of the arguments"),
    PAYLOAD_FIELD(struct api_payload, arg1, PAYLOAD_HEX32, "second"),
    PAYLOAD_FIELD(struct api_payload, arg2, PAYLOAD_HEX32, "third"),
    PAYLOAD_FIELD(struct api_payload, arg3, PAYLOAD_HEX32, "fourth"),
    PAYLOAD_FIELD(struct api_payload, text, PAYLOAD_STRING, "arguments as text"),
    PAYLOAD_FIELD(struct api_payload, returned, PAYLOAD_BOOL, "result is valid"),
    PAYLOAD_FIELD(struct api_payload, result, PAYLOAD_HEX32, "EAX"),
    PAYLOAD_FIELDS_END};
static const struct payload_type api_type = {"api", 1, sizeof(struct api_payload), api_fields,
                                             "An exported function is called, or returned."};

struct frame {
    struct function *function;
    struct site *site;
    uint32_t esp, return_address, args[4];
    bool logged;
    bool unread; // a string was not in memory yet
};

struct task {
    struct task *next;
    uint32_t task;
    unsigned depth;
    struct frame frames[MAX_FRAMES];
};

static struct {
    const struct processes_functions *processes;
    const struct file_monitor_functions *files;
    SignalInfo *group;
    SignalHandle *call, *ret;
    struct image *images;
    struct process *all;
    struct task *tasks[TASK_BUCKETS];
    struct site *sites[SITE_BUCKETS];
    PluginChannel *log;
    char program[16];
    bool main_only, json;
    // the process that was asked for last, while nothing starts, executes or ends
    struct process *cached;
    uint32_t cached_context;
    bool flush;
    uint64_t calls, flushes;
} api;

// How arguments of common functions look: s string, i int, u unsigned, p pointer, x hexadecimal.
static const struct prototype {
    const char *name, *args;
} prototypes[] = {
    {"puts", "s"},      {"printf", "s"},     {"getenv", "s"},    {"setenv", "ssi"},
    {"malloc", "u"},    {"calloc", "uu"},    {"realloc", "pu"},  {"free", "p"},
    {"fopen", "ss"},    {"fclose", "p"},     {"fgets", "pip"},   {"fputs", "sp"},
    {"atoi", "s"},      {"strtol", "spi"},   {"strdup", "s"},    {"open", "sx"},
    {"close", "i"},     {"read", "ipu"},     {"write", "ipu"},   {"exit", "i"},
    {"getpid", ""},     {"getppid", ""},     {"abs", "i"},       {"qsort", "puup"},
    {"unlink", "s"},    {"access", "si"},    {"chdir", "s"},     {"mkdir", "sx"},
    {"rmdir", "s"},     {"sleep", "u"},      {"usleep", "u"},    {"system", "s"},
    {"perror", "s"},    {"remove", "s"},     {"rand", ""},       {"srand", "u"},
    {"fork", ""},       {"dlopen", "sx"},    {"dlsym", "ps"},    {"putchar", "i"},
    {"strtok", "ss"},   {"getcwd", "pu"},    {"isatty", "i"},    {"toupper", "i"},
    {"tolower", "i"},   {"memcpy", "ppu"},   {"memmove", "ppu"}, {"memset", "piu"},
    {"memcmp", "ppu"},  {"memchr", "piu"},   {"strlen", "s"},    {"strcmp", "ss"},
    {"strncmp", "ssu"}, {"strcpy", "ps"},    {"strncpy", "psu"}, {"strcat", "ps"},
    {"strchr", "si"},   {"strrchr", "si"},   {"strstr", "ss"},   {"strspn", "ss"},
    {"fprintf", "ps"},  {"snprintf", "pus"}, {"sprintf", "ps"},  {"fflush", "p"},
    {"kill", "ii"},
};

// ---- Tasks, sites

static struct task *task_for(uint32_t id, bool create)
{
    struct task **bucket = &api.tasks[(id >> 6) * 2654435761u >> 24];
    struct task *t = *bucket;
    while (t && t->task != id)
        t = t->next;
    if (!t && create && (t = calloc(1, sizeof *t)) != NULL) {
        t->task = id;
        t->next = *bucket;
        *bucket = t;
    }
    return t;
}

static void pop_frame(struct task *t)
{
    struct frame *f = &t->frames[--t->depth];
    if (f->site && f->site->armed > 0)
        f->site->armed--;
}

static void drop_task(uint32_t id)
{
    for (struct task **at = &api.tasks[(id >> 6) * 2654435761u >> 24]; *at; at = &(*at)->next)
        if ((*at)->task == id) {
            struct task *t = *at;
            *at = t->next;
            while (t->depth > 0)
                pop_frame(t);
            free(t);
            return;
        }
}

static struct site *site_for(struct image *image, uint32_t offset, bool create)
{
    uint32_t hash = (offset ^ (uint32_t)((uintptr_t)image >> 4)) * 2654435761u >> 20;
    struct site **bucket = &api.sites[hash % SITE_BUCKETS];
    struct site *s = *bucket;
    while (s && (s->offset != offset || s->image != image))
        s = s->next;
    if (!s && create && (s = calloc(1, sizeof *s)) != NULL) {
        s->image = image;
        s->offset = offset;
        s->next = *bucket;
        *bucket = s;
    }
    return s;
}

static struct process *current_process(void)
{
    uint32_t context = get_current_context();
    struct process_info info;
    if (api.cached && api.cached_context == context)
        return api.cached;
    if (!api.processes->current(&info))
        return NULL;
    api.cached = process_for(&api.all, info.pid, false);
    api.cached_context = context;
    return api.cached;
}

static struct site *site_at(const struct process *p, uint32_t address, bool create)
{
    const struct module *m = process_find(p, address);
    return m ? site_for(m->image, address - m->start, create) : site_for(NULL, address, create);
}

// ---- Output

// False: a string is not in memory, because nobody touched its page yet; its address stands for it.
static bool describe_args(CPUArchState *cpu, const struct function *f, const uint32_t *args,
                          char *text)
{
    const char *kinds = "xxxx";
    size_t n = 0;
    bool all = true;
    for (size_t i = 0; i < sizeof prototypes / sizeof *prototypes; i++)
        if (strcmp(prototypes[i].name, f->name) == 0)
            kinds = prototypes[i].args;
    text[0] = '\0';
    for (unsigned i = 0; i < 4 && kinds[i]; i++) {
        const char *separator = i ? ", " : "";
        char string[STRING_SIZE + 1];
        bool is_string = kinds[i] == 's' && args[i];
        if (is_string && cpu_read_memory(cpu, args[i], string, 1) < 1) {
            all = is_string = false;
        }
        if (is_string) {
            size_t length = cpu_read_string(cpu, args[i], string, sizeof string);
            for (size_t k = 0; k < length; k++)
                if (string[k] < ' ')
                    string[k] = '.';
            n += (size_t)snprintf(text + n, TEXT_SIZE - n, "%s\"%s\"%s", separator, string,
                                  length == STRING_SIZE ? "..." : "");
        } else {
            n += (size_t)snprintf(text + n, TEXT_SIZE - n,
                                  kinds[i] == 'i'   ? "%s%d"
                                  : kinds[i] == 'u' ? "%s%u"
                                                    : "%s%#x",
                                  separator, args[i]);
        }
    }
    return all;
}

static SignalHandle *signal_of(struct function *f)
{
    char id[256];
    if (!f->signal) {
        snprintf(id, sizeof id, "%s!%s", f->image->file, f->name);
        plugin_describe_signal(api.group, id, &api_type);
        f->signal = plugin_resolve_signal(api.group, id);
    }
    return f->signal;
}

static bool is_logged(const struct process *p, const struct process_info *info,
                      uint32_t return_address)
{
    if (!api.log || (api.program[0] && strcmp(api.program, info->name) != 0))
        return false;
    const struct module *m = api.main_only ? process_find(p, return_address) : NULL;
    return !api.main_only || (m && m->main);
}

static void log_text(const struct process_info *info, const struct frame *f, const char *text,
                     bool returned, uint32_t result)
{
    const char *file = f->function->image->file, *name = f->function->name;
    if (returned)
        plugin_channel_printf(
            api.log, *text ? "%u %s %s!%s(%s) returned %#x\n" : "%u %s %s!%s%s returned %#x\n",
            info->tid, info->name, file, name, text, result);
    else
        plugin_channel_printf(api.log, "%u %s %s!%s(%s) from %08x\n", info->tid, info->name, file,
                              name, text, f->return_address);
}

static void report(CPUArchState *cpu, const struct process_info *info, struct frame *f,
                   uint32_t address, bool returned, uint32_t result)
{
    if (f->function->resolver)
        return;
    SignalHandle *own = signal_of(f->function), *all = returned ? api.ret : api.call;
    bool heard = plugin_has_subscribers(own) || plugin_has_subscribers(all);
    char text[TEXT_SIZE] = "";
    if (!f->logged && !heard)
        return;
    if (!returned || f->unread)
        f->unread = !describe_args(cpu, f->function, f->args, text) && !returned;
    if (f->logged && !api.json)
        log_text(info, f, text, returned, result);
    if (!heard && !(f->logged && api.json))
        return;
    struct api_payload p = {
        info->tid,         info->pid,  info->name,        f->function->image->file,
        f->function->name, address,    f->return_address, f->args[0],
        f->args[1],        f->args[2], f->args[3],        text,
        returned,          result};
    if (f->logged && api.json)
        plugin_channel_json(api.log, returned ? "API_RETURN" : "API_CALL", &api_type, &p);
    plugin_emit(all, &p, cpu);
    plugin_emit(own, &p, cpu);
}

// ---- At run time

// A resolver chose the code of the function that it stands for.
static void resolved(struct function *resolver, uint32_t address)
{
    const struct process *p = current_process();
    const struct module *m = p ? process_find(p, address) : NULL;
    if (m && m->image == resolver->image)
        api.flush |= image_add(m->image, address - m->start, resolver->name, resolver->weak);
}

static void on_function(CPUArchState *cpu, struct function *function)
{
    uint32_t esp = cpu_get_register(cpu, EMU_ESP), eip = cpu_get_register(cpu, EMU_EIP), words[5];
    struct process *p = current_process();
    struct process_info info;
    if (!p || !api.processes->current(&info) || cpu_read_memory(cpu, esp, words, 4) < 4)
        return;
    if (cpu_read_memory(cpu, esp, words, sizeof words) < sizeof words)
        memset(words + 1, 0, sizeof words - 4);
    struct task *t = task_for(info.task, true);
    if (!t)
        return;
    // What lies deeper than this stack pointer was left without a return (longjmp, exec).
    while (t->depth > 0 && (t->frames[t->depth - 1].esp < esp || t->depth == MAX_FRAMES)) {
        struct site *left = t->frames[t->depth - 1].site;
        // ... or its return went by, where the code is older than the site.
        if (left && !left->attached && !left->retried)
            api.flush = left->retried = true;
        pop_frame(t);
    }
    api.calls++;
    struct frame *f = &t->frames[t->depth++];
    *f = (struct frame){.function = function, .esp = esp, .return_address = words[0]};
    memcpy(f->args, words + 1, sizeof f->args);
    f->site = site_at(p, words[0], false);
    if (!f->site) { // its CALL was translated unseen, what follows may have been too
        f->site = site_at(p, words[0], true);
        api.flush = true;
    }
    f->logged = is_logged(p, &info, words[0]);
    if (f->site)
        f->site->armed++;
    report(cpu, &info, f, eip, false, 0);
}

static void on_site(CPUArchState *cpu, struct site *site)
{
    struct process_info info;
    uint32_t esp = cpu_get_register(cpu, EMU_ESP), eip = cpu_get_register(cpu, EMU_EIP);
    if (!api.processes->current(&info))
        return;
    struct task *t = task_for(info.task, false);
    while (t && t->depth > 0 && t->frames[t->depth - 1].esp < esp) {
        struct frame *f = &t->frames[t->depth - 1];
        bool mine = f->site == site && f->return_address == eip;
        if (mine && f->function->resolver)
            resolved(f->function, cpu_get_register(cpu, EMU_EAX));
        else if (mine)
            report(cpu, &info, f, 0, true, cpu_get_register(cpu, EMU_EAX));
        pop_frame(t);
    }
}

// ---- Translation

static bool is_call(const struct qemu_instr_payload *p)
{
    const uint8_t *b = p->bytes;
    size_t i = 0;
    while (i + 1 < p->length && (b[i] == 0x65 || b[i] == 0x64 || b[i] == 0x66 || b[i] == 0x2E ||
                                 b[i] == 0x3E || b[i] == 0xF2 || b[i] == 0xF3))
        i++;
    return b[i] == 0xE8 || (b[i] == 0xFF && i + 1 < p->length && (b[i + 1] >> 3 & 7) == 2);
}

static void on_translate(void *data, CPUArchState *cpu)
{
    const struct qemu_instr_payload *p = data;
    if (cpu_get_register(cpu, EMU_CPL) != 3)
        return;
    struct process *process = current_process();
    if (!process || !process->modules)
        return;
    const struct module *m = process_find(process, p->pc);
    struct function *f = m ? image_find(m->image, p->pc - m->start) : NULL;
    struct site *s = m ? site_for(m->image, p->pc - m->start, false) : site_for(NULL, p->pc, false);
    if (s) {
        const JitArg args[] = {jit_cpu(), jit_pointer(s)};
        const JitPredicate armed[] = {jit_if_counter(&s->armed, 1), jit_if_end()};
        s->attached = true;
        jit_attach_call(p->ctx, JIT_BEFORE, armed, (void (*)(void))on_site, jit_none(), 2, args);
    }
    if (f) {
        const JitArg args[] = {jit_cpu(), jit_pointer(f)};
        jit_attach_call(p->ctx, JIT_BEFORE, NULL, (void (*)(void))on_function, jit_none(), 2, args);
    }
    if (is_call(p))
        site_at(process, p->pc + (uint32_t)p->length, true);
}

// Code that was translated before its functions were known is made anew.
static void translate_again(void)
{
    api.flush = false;
    api.flushes++;
    plugin_del_subscriber(on_translate, "qemu", "PLUGIN_QEMU_INSTR_TRANSLATE");
    plugin_subscribe(on_translate, "qemu", "PLUGIN_QEMU_INSTR_TRANSLATE");
}

// ---- Modules

static void parse_modules(struct process *p, CPUArchState *cpu)
{
    bool new = false;
    p->incomplete = false;
    for (struct module *m = p->modules; m; m = m->next) {
        new |= image_parse(m->image, m->start, cpu);
        p->incomplete |= !m->image->complete;
    }
    api.flush |= new;
}

static uint32_t image_end(CPUArchState *cpu, uint32_t phdr, uint32_t count, uint32_t *start)
{
    uint32_t p[8], low = UINT32_MAX, high = 0, self = 0;
    for (uint32_t i = 0; i < count && i < 64; i++) {
        if (cpu_read_memory(cpu, phdr + i * 32, p, sizeof p) < sizeof p)
            return 0;
        if (p[0] == 6) // PT_PHDR
            self = p[2];
        if (p[0] == 1 && p[2] < low)
            low = p[2];
        if (p[0] == 1 && p[2] + p[5] > high)
            high = p[2] + p[5];
    }
    *start = (low & ~0xFFFu) + (self ? phdr - self : 0);
    return high > low ? *start + (high - (low & ~0xFFFu)) : 0;
}

// A new program: what the kernel mapped is in the auxiliary vector on its stack.
static void executed(const struct syscall_payload *s, CPUArchState *cpu)
{
    enum { PHDR = 3, PHNUM = 5, BASE = 7, SCAN = 1 << 16 };
    struct process *p = process_for(&api.all, s->pid, true);
    uint32_t at = cpu_get_register(cpu, EMU_ESP), word = 1, aux[2], phdr = 0, count = 0, base = 0;
    if (!p)
        return;
    process_clear(p);
    drop_task(s->task);
    api.cached = NULL;
    cpu_read_memory(cpu, at, &word, 4);
    at += 4 + (word < SCAN ? word * 4 : 0) + 4;
    for (unsigned i = 0; i < SCAN && cpu_read_memory(cpu, at, &word, 4) == 4; i++) {
        at += 4;
        if (!word)
            break;
    }
    for (unsigned i = 0; i < 64 && cpu_read_memory(cpu, at, aux, 8) == 8 && aux[0]; i++, at += 8) {
        phdr = aux[0] == PHDR ? aux[1] : phdr;
        count = aux[0] == PHNUM ? aux[1] : count;
        base = aux[0] == BASE ? aux[1] : base;
    }
    uint32_t start = phdr & ~0xFFFu, end = image_end(cpu, phdr, count, &start);
    struct image *image = image_for(&api.images, s->path ? s->path : "?");
    struct module *m = image ? process_add(p, image, start, end ? end : start + (1u << 20)) : NULL;
    if (m)
        m->main = true;
    if (base && (image = image_for(&api.images, "ld-linux.so.2")) != NULL)
        process_add(p, image, base, base + 0x40000);
    parse_modules(p, cpu);
}

static void mapped(const struct syscall_payload *s, struct process *p)
{
    enum { MAP_ANONYMOUS = 0x20 };
    char name[512];
    if (s->arg3 & MAP_ANONYMOUS || s->arg5 != 0 || (uint32_t)s->ret >= 0xFFFFF000 ||
        !api.files->name_of(s->task, s->arg4, name, sizeof name))
        return;
    uint32_t start = (uint32_t)s->ret;
    const struct module *old = process_find(p, start);
    if (old && old->start != start)
        return; // a segment of what is known
    struct image *image = image_for(&api.images, name);
    if (image && !old)
        process_add(p, image, start, start + s->arg1);
}

static void on_return(void *data, CPUArchState *cpu)
{
    enum { EXECVE = 11, MUNMAP = 91, MMAP2 = 192, EXECVEAT = 358 };
    const struct syscall_payload *s = data;
    if ((s->number == EXECVE || s->number == EXECVEAT) && s->ret == 0) {
        executed(s, cpu);
    } else {
        struct process *p = process_for(&api.all, s->pid, false);
        if (!p)
            return;
        if (s->number == MMAP2)
            mapped(s, p);
        else if (s->number == MUNMAP && s->ret == 0)
            process_remove(p, s->arg0, s->arg0 + s->arg1);
        if (p->incomplete)
            parse_modules(p, cpu);
    }
    if (api.flush)
        translate_again();
}

static void on_task_start(void *data, CPUArchState *cpu)
{
    const struct process_payload *p = data;
    struct process *parent = process_for(&api.all, p->parent_pid, false);
    drop_task(p->task);
    api.cached = NULL;
    if (p->tid != p->pid || !parent)
        return;
    process_drop(&api.all, p->pid);
    struct process *child = process_for(&api.all, p->pid, true);
    if (child)
        process_copy(child, parent);
}

static void on_task_exit(void *data, CPUArchState *cpu)
{
    const struct process_payload *p = data;
    drop_task(p->task);
    api.cached = NULL;
    if (p->tid == p->pid)
        process_drop(&api.all, p->pid);
}

static void on_exec_mm(void *data, CPUArchState *cpu)
{
    api.cached = NULL;
}

// ---- Commands

static void disable_log(PluginInterface *pi, const char *args)
{
    for (unsigned i = 0; i < TASK_BUCKETS; i++)
        for (struct task *t = api.tasks[i]; t; t = t->next)
            for (unsigned k = 0; k < t->depth; k++)
                t->frames[k].logged = false;
    if (api.log)
        plugin_channel_close(api.log);
    api.log = NULL;
    api.program[0] = '\0';
    api.main_only = false;
}

static void enable_log(PluginInterface *pi, const char *args)
{
    char line[512];
    const char *file = "-";
    disable_log(pi, "");
    api.json = false;
    snprintf(line, sizeof line, "%s", args);
    char *rest = line;
    for (char *word; (word = strsep(&rest, " ")) != NULL;) {
        if (strcmp(word, "main") == 0)
            api.main_only = true;
        else if (strcmp(word, "json") == 0)
            api.json = true;
        else if (strncmp(word, "name=", 5) == 0)
            snprintf(api.program, sizeof api.program, "%s", word + 5);
        else if (*word)
            file = word;
    }
    api.log = plugin_channel_open(file);
}

static void show_dll_list(PluginInterface *pi, const char *args)
{
    unsigned long pid = strtoul(args, NULL, 10);
    plugin_printf("%llu calls seen, code translated anew %llu times\n",
                  (unsigned long long)api.calls, (unsigned long long)api.flushes);
    for (const struct process *p = api.all; p; p = p->next) {
        if (!p->modules || (pid && p->pid != pid))
            continue;
        plugin_printf("%u\n", p->pid);
        for (const struct module *m = p->modules; m; m = m->next)
            plugin_printf("  %08x-%08x %5u functions%s %s\n", m->start, m->end, m->image->count,
                          m->image->complete ? "" : " so far", m->image->path);
    }
}

static const PluginCommand commands[] = {
    {"show_dll_list", "[PID]", "list the modules of each process", show_dll_list},
    {"enable_api_log", "[main] [json] [name=PROGRAM] [FILE]",
     "log calls of exported functions; main: only those that programs make themselves", enable_log},
    {"disable_api_log", NULL, "end the log of calls", disable_log},
    {NULL, NULL, NULL, NULL}};

static void plugin_exit(PluginInterface *pi)
{
    while (api.all)
        process_drop(&api.all, api.all->pid);
    for (unsigned i = 0; i < TASK_BUCKETS; i++)
        while (api.tasks[i])
            drop_task(api.tasks[i]->task);
    for (unsigned i = 0; i < SITE_BUCKETS; i++)
        while (api.sites[i]) {
            struct site *s = api.sites[i];
            api.sites[i] = s->next;
            free(s);
        }
    images_free(api.images);
}

static void log_from_arguments(PluginInterface *pi)
{
    const char *log = plugin_argument(pi, "log"), *format = plugin_argument(pi, "format");
    const char *name = plugin_argument(pi, "name"), *main = plugin_argument(pi, "main");
    char line[512];
    if (!log)
        return;
    snprintf(line, sizeof line, "%s%s%s%s %s", main && strcmp(main, "1") == 0 ? "main " : "",
             format && strcmp(format, "json") == 0 ? "json " : "", name ? "name=" : "",
             name ? name : "", log);
    enable_log(pi, line);
}

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    pi->cmd_table = commands;
    pi->exit = plugin_exit;
    api.processes = plugin_get_functions_list("processes");
    api.files = plugin_get_functions_list("file_monitor");
    if (!api.processes || !api.files) {
        plugin_fail("the plugins processes and file_monitor cannot be loaded");
        return;
    }
    api.group = plugin_reg_signal("api");
    plugin_describe_signal(api.group, "API_CALL", &api_type);
    plugin_describe_signal(api.group, "API_RETURN", &api_type);
    api.call = plugin_resolve_signal(api.group, "API_CALL");
    api.ret = plugin_resolve_signal(api.group, "API_RETURN");
    jit_register_helper(NULL, (void (*)(void))on_function, "api_call", JIT_HELPER_READS_REGS,
                        "vcp");
    jit_register_helper(NULL, (void (*)(void))on_site, "api_return", JIT_HELPER_READS_REGS, "vcp");
    plugin_subscribe(on_return, "syscall", "SYSCALL_RETURN");
    plugin_subscribe(on_task_start, "processes", "PROCESS_START");
    plugin_subscribe(on_exec_mm, "processes", "PROCESS_EXEC_MM");
    plugin_subscribe(on_task_exit, "processes", "PROCESS_EXIT");
    plugin_subscribe(on_translate, "qemu", "PLUGIN_QEMU_INSTR_TRANSLATE");
    log_from_arguments(pi);
}
