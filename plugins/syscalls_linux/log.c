// SPDX-License-Identifier: MIT
// syscalls_linux: the log, as text or JSON lines, of everybody or of some processes.
#include <stdlib.h>
#include <string.h>

#include "monitor.h"
#include "names.h"

static bool bit(const struct monitor *m, uint32_t pid)
{
    return m->followed && pid < MAX_PID && m->followed[pid / 8] >> pid % 8 & 1;
}

static void set_bit(struct monitor *m, uint32_t pid, bool on)
{
    if (!m->followed && on)
        m->followed = calloc(MAX_PID / 8, 1);
    if (!m->followed || pid >= MAX_PID)
        return;
    if (on)
        m->followed[pid / 8] |= (uint8_t)(1u << pid % 8);
    else
        m->followed[pid / 8] &= (uint8_t) ~(1u << pid % 8);
}

bool log_follows(const struct monitor *m, uint32_t pid, uint32_t tid)
{
    return m->everyone || bit(m, pid) || bit(m, tid);
}

bool log_wants_program(struct monitor *m, const char *path, uint32_t pid)
{
    const char *slash = strrchr(path, '/');
    if (!m->program[0] || strcmp(slash ? slash + 1 : path, m->program) != 0)
        return false;
    set_bit(m, pid, true);
    return true;
}

void log_inherit(struct monitor *m, uint32_t parent, uint32_t child)
{
    if (bit(m, parent))
        set_bit(m, child, true);
}

void log_forget(struct monitor *m, uint32_t pid)
{
    set_bit(m, pid, false);
}

void log_disable(struct monitor *m)
{
    if (m->log)
        plugin_channel_close(m->log);
    m->log = NULL;
    m->everyone = false;
    m->program[0] = '\0';
    free(m->followed);
    m->followed = NULL;
}

void log_enable(struct monitor *m, const char *args)
{
    char line[512];
    const char *file = "-";
    log_disable(m);
    m->json = false;
    m->everyone = true;
    snprintf(line, sizeof line, "%s", args);
    char *rest = line;
    for (char *word; (word = strsep(&rest, " ")) != NULL;) {
        if (!*word)
            continue;
        if (strcmp(word, "json") == 0) {
            m->json = true;
        } else if (strncmp(word, "name=", 5) == 0) {
            snprintf(m->program, sizeof m->program, "%s", word + 5);
            m->everyone = false;
        } else if (strncmp(word, "pid=", 4) == 0) {
            set_bit(m, (uint32_t)strtoul(word + 4, NULL, 10), true);
            m->everyone = false;
        } else if (strncmp(word, "strings=", 8) == 0) {
            unsigned long n = strtoul(word + 8, NULL, 10);
            m->string_limit = n > 1024 ? 1024 : (unsigned)n;
        } else {
            file = word;
        }
    }
    m->log = plugin_channel_open(file);
    for (unsigned i = 0; i < CALL_BUCKETS; i++)
        for (struct call *c = m->buckets[i]; c; c = c->next)
            c->followed = log_follows(m, c->pid, c->tid);
}

void log_call(struct monitor *m, struct decoder *d, struct call *c, bool returned)
{
    if (!m->log || !c->followed)
        return;
    text_clear(&c->out);
    decode_line(d, c, returned, &c->out);
    if (m->json) {
        struct syscall_payload p;
        events_fill(c, returned, &p);
        p.args = c->out.data;
        plugin_channel_json(m->log, "syscall", &syscall_payload_type, &p);
    } else {
        plugin_channel_printf(m->log, "%-5u %s\n", c->tid, c->out.data);
    }
}

// What happens to a thread besides calls, as JSON: "signal" and "exit".
struct incident {
    uint32_t tid, pid;
    uint32_t number; // of the signal; exit: status << 8 | signal
    const char *args;
};
static const struct payload_field incident_fields[] = {
    PAYLOAD_FIELD(struct incident, tid, PAYLOAD_U32, "thread"),
    PAYLOAD_FIELD(struct incident, pid, PAYLOAD_U32, "process"),
    PAYLOAD_FIELD(struct incident, number, PAYLOAD_U32, "signal, or status << 8 | signal"),
    PAYLOAD_FIELD(struct incident, args, PAYLOAD_STRING, "as strace prints it"),
    PAYLOAD_FIELDS_END};
static const struct payload_type incident_type = {"incident", 1, sizeof(struct incident),
                                                  incident_fields, NULL};

static void put_incident(struct monitor *m, struct call *c, const char *event, uint32_t number)
{
    struct incident i = {c->tid, c->pid, number, c->out.data};
    if (m->json)
        plugin_channel_json(m->log, event, &incident_type, &i);
    else
        plugin_channel_printf(m->log, "%-5u %s\n", c->tid, c->out.data);
}

void log_signal(struct monitor *m, struct decoder *d, struct call *c, uint32_t signal,
                uint32_t info)
{
    text_clear(&c->out);
    text_add(&c->out, "--- ");
    text_value(&c->out, signal_names, signal, NULL);
    if (info) {
        text_add(&c->out, " ");
        decode_siginfo(d, info, signal, &c->out);
    }
    text_add(&c->out, " ---");
    put_incident(m, c, "signal", signal);
}

void log_exit(struct monitor *m, struct call *c, uint32_t exit_code)
{
    if (!m->log || !c->followed)
        return;
    const char *name = name_of(signal_names, exit_code & 0x7F);
    text_clear(&c->out);
    if ((exit_code & 0x7F) == 0)
        text_printf(&c->out, "+++ exited with %u +++", exit_code >> 8 & 0xFF);
    else
        text_printf(&c->out, "+++ killed by %s%s +++", name ? name : "?",
                    exit_code & 0x80 ? " (core dumped)" : "");
    put_incident(m, c, "exit", exit_code);
}
