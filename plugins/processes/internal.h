/* SPDX-License-Identifier: MIT */
/* processes: how the parts share what is known of the guest kernel. */
#ifndef PROCESSES_INTERNAL_H
#define PROCESSES_INTERNAL_H

#include "processes.h"

enum { MAX_TASKS = 65536, MAX_SWITCH_SITES = 8, MAX_CANDIDATES = 16 };

/* Offsets in task_struct are relative to `comm`, whose address is what the search finds first. */
struct kernel_layout {
    uint32_t page_offset; /* linear address of physical 0 in the direct map */
    uint32_t init_comm;   /* linear address of init_task.comm */
    int32_t tasks, pid, group_leader, mm;
    int32_t exit_state;                      /* 0: not found */
    int32_t thread_list;                     /* 0: not found: a list of a process's threads */
    uint32_t base;                           /* distance from the start of task_struct to comm */
    uint32_t pgd;                            /* in mm_struct */
    uint32_t current;                        /* linear address of the variable current_task */
    uint32_t switch_sites[MAX_SWITCH_SITES]; /* instructions that store to it */
    unsigned switch_site_count;
    uint32_t candidates[MAX_CANDIDATES]; /* physical addresses that may be that of init_task.comm */
    unsigned candidate_count;
    bool ready;
};

bool kernel_read(const struct kernel_layout *k, uint32_t vaddr, void *buffer, size_t length);
uint32_t kernel_read32(const struct kernel_layout *k, uint32_t vaddr); /* 0: not readable */
/* Finds the layout. `scan`: with a search of all memory, which costs tens of milliseconds, for
 * where the idle task may be; else with what the last such search found. */
bool kernel_discover(struct kernel_layout *k, CPUArchState *cpu, bool scan);
/* The kernel that was found still runs: its idle task has its name and others beside it. */
bool kernel_alive(const struct kernel_layout *k);
bool kernel_comm_valid(const char comm[16]);
bool kernel_find_threads(struct kernel_layout *k, uint32_t leader, uint32_t thread);
size_t context_read(uint32_t context, uint32_t vaddr, void *buffer, size_t length);

#endif
