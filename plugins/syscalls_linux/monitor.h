/* SPDX-License-Identifier: MIT */
/* syscalls_linux: its state, the log, and the signals it emits. */
#ifndef SYSCALLS_MONITOR_H
#define SYSCALLS_MONITOR_H

#include "decode.h"
#include "syscalls_linux.h"

enum { CALL_BUCKETS = 1024, MAX_PID = 1 << 22 };

/* An instruction of the kernel that may store a result. */
struct store_site {
    struct store_site *next;
    uint64_t enabled;
    uint32_t pc, tries, hits;
};

enum event_id {
    EVENT_ENTRY,
    EVENT_RETURN,
    EVENT_ABANDONED,
    EVENT_CREATE,
    EVENT_OPEN,
    EVENT_READ,
    EVENT_WRITE,
    EVENT_CLOSE,
    EVENT_MMAP,
    EVENT_FORK,
    EVENT_CLONE,
    EVENT_EXECVE,
    EVENT_EXECVE_END,
    EVENT_GETPID,
    EVENT_GETPPID,
    EVENT_COUNT
};

struct monitor {
    const struct processes_functions *processes;
    struct call *buckets[CALL_BUCKETS];
    struct store_site *sites;
    unsigned string_limit;
    int text_wanted;
    uint64_t calls;
    /* log */
    PluginChannel *log;
    bool json;
    bool everyone;
    char program[64];  /* "": no filter by name */
    uint8_t *followed; /* a bit for each pid */
    /* signals */
    SignalInfo *group;
    SignalHandle *events[EVENT_COUNT];
};

void log_enable(struct monitor *m, const char *args);
void log_disable(struct monitor *m);
bool log_follows(const struct monitor *m, uint32_t pid, uint32_t tid);
/* Whether an exec of path makes pid one of those followed; then it is. */
bool log_wants_program(struct monitor *m, const char *path, uint32_t pid);
void log_inherit(struct monitor *m, uint32_t parent, uint32_t child);
void log_forget(struct monitor *m, uint32_t pid);
void log_call(struct monitor *m, struct decoder *d, struct call *c, bool returned);
void log_signal(struct monitor *m, struct decoder *d, struct call *c, uint32_t signal,
                uint32_t info);
void log_exit(struct monitor *m, struct call *c, uint32_t exit_code);

void events_register(struct monitor *m);
void events_entry(struct monitor *m, struct call *c, CPUArchState *cpu);
void events_return(struct monitor *m, struct call *c, CPUArchState *cpu);
void events_abandoned(struct monitor *m, struct call *c, CPUArchState *cpu);
/* For JSON lines. */
void events_fill(const struct call *c, bool returned, struct syscall_payload *p);
extern const struct payload_type syscall_payload_type;

#endif
