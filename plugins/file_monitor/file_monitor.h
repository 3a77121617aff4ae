/* SPDX-License-Identifier: MIT */
/*
 * What plugin `file_monitor` offers: group "files", ids FILE_OPEN, FILE_CREATE, FILE_READ,
 * FILE_WRITE, FILE_DUPLICATE, FILE_CLOSE, all with struct file_payload, after a call that
 * succeeded.
 */
#ifndef FILE_MONITOR_H
#define FILE_MONITOR_H

#include <emu/plugin.h>

struct file_payload {
    uint32_t tid, pid;
    const char *process;
    const char *call;    /* name of the system call */
    uint32_t handle;     /* file descriptor */
    uint32_t new_handle; /* FILE_DUPLICATE */
    const char *name;    /* path, or pipe:[..], socket:.., anon_inode:[..] */
    uint32_t access; /* FILE_OPEN, FILE_CREATE: read 1, write 2, create 4, truncate 8, append 16 */
    int64_t offset;  /* FILE_READ, FILE_WRITE: where in the file; -1: it has none */
    uint32_t length; /* bytes transferred */
    const void *bytes; /* the first of them */
    size_t size;       /* how many of them */
};

struct open_file {
    uint32_t handle;
    uint32_t flags;  /* 1: closed at exec */
    int64_t offset;  /* -1: not known */
    uint32_t object; /* linear address of the kernel's struct file: equal for duplicates */
    char name[512];
};

struct file_monitor_functions {
    /* Fills at most `max` open files of a process; returns how many it has. */
    size_t (*get_open_files_list)(uint32_t pid, struct open_file *files, size_t max);
    /* Name of a thread's descriptor; false: not open. */
    bool (*name_of)(uint32_t task, uint32_t handle, char *name, size_t size);
};

#endif
