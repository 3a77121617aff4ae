/* SPDX-License-Identifier: MIT */
/*
 * What plugin `processes` offers to other plugins: the tasks of a Linux guest.
 * Group "processes":
 *     PROCESS_START    a task runs for the first time          struct process_payload
 *     PROCESS_EXEC_MM  an exec replaced the address space; the old one is still readable
 *     PROCESS_EXEC     the new program runs its first instruction
 *     PROCESS_EXIT     a task runs no more; exit_code is valid
 *     PROCESS_SWITCH   another task runs now
 */
#ifndef PROCESSES_H
#define PROCESSES_H

#include <emu/plugin.h>

struct process_info {
    uint32_t task; /* linear address of its task_struct: identifies the thread while it lives */
    uint32_t tid;
    uint32_t pid; /* of the thread group */
    uint32_t parent_pid;
    uint32_t mm;      /* linear address of its mm_struct, 0: a kernel thread */
    uint32_t context; /* CR3 of the kernel's view of its address space, 0: a kernel thread */
    char name[16];
};

struct process_payload {
    uint32_t task;
    uint32_t tid;
    uint32_t pid;
    uint32_t parent_pid;
    uint32_t context;
    uint32_t old_context; /* PROCESS_EXEC_MM: the address space left; PROCESS_SWITCH: 0 */
    uint32_t old_tid;     /* PROCESS_SWITCH: who ran before */
    uint32_t exit_code;   /* PROCESS_EXIT: as wait() gives it: status << 8 | signal */
    const char *name;
};

struct processes_functions {
    /* The layout of the kernel is known. Until then everything else returns false. */
    bool (*ready)(void);
    bool (*current)(struct process_info *info);
    /* The same, only what identifies the thread; 0: not known. */
    uint32_t (*current_task)(void);
    bool (*describe)(uint32_t task, struct process_info *info);
    /* Calls fn for each process, with its threads if asked for; ends when fn returns false. */
    void (*for_each)(bool threads, bool (*fn)(void *opaque, const struct process_info *info),
                     void *opaque);
    /* Memory of the kernel, in its direct map. */
    bool (*read_kernel)(uint32_t vaddr, void *buffer, size_t length);
    /* Memory of any address space; the bytes done before the first unmapped page. */
    size_t (*read_context)(uint32_t context, uint32_t vaddr, void *buffer, size_t length);
};

#endif
