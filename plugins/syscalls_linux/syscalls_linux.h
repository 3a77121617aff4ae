/* SPDX-License-Identifier: MIT */
/*
 * What plugin `syscalls_linux` offers: group "syscall".
 *     SYSCALL_ENTRY, SYSCALL_RETURN   every call; struct syscall_payload. A call that never returns
 *                                     has no SYSCALL_RETURN; SYSCALL_ABANDONED says so.
 *     VMI_SC_* and VMI_SCP_*          some calls, at return (VMI_SCP_EXECVE: at entry)
 */
#ifndef SYSCALLS_LINUX_H
#define SYSCALLS_LINUX_H

#include <emu/plugin.h>

struct syscall_payload {
    uint32_t task; /* see plugin processes: identifies the thread */
    uint32_t tid, pid;
    uint32_t context; /* CR3 at entry */
    uint32_t number;
    const char *name;
    uint32_t arg0, arg1, arg2, arg3, arg4, arg5;
    bool returned;
    int32_t ret;       /* -1 .. -4095: an error; -512 .. -516: interrupted, will be restarted */
    const char *path;  /* the first path among the arguments, NULL: none or not readable */
    const char *path2; /* the second one */
    const char *args;  /* decoded as strace does; NULL when nobody asked for it */
};

struct syscall_open {
    uint32_t tid, pid, context;
    const char *name;
    uint32_t handle;
    uint32_t access; /* read 1, write 2, create 4, truncate 8, append 16 */
    int32_t ret;
};

struct syscall_transfer {
    uint32_t tid, pid, context;
    uint32_t handle;
    uint32_t buffer, length;
    const void *bytes; /* what was transferred, as far as it is readable */
    size_t size;
    int32_t ret;
};

struct syscall_close {
    uint32_t tid, pid, context;
    uint32_t handle;
    int32_t ret;
};

struct syscall_mmap {
    uint32_t tid, pid, context;
    uint32_t address, length;
    uint64_t offset;
    uint32_t handle;
    uint32_t prot, flags;
};

struct syscall_process {
    uint32_t tid, pid, context;
    uint32_t child; /* fork, vfork, clone */
    uint32_t flags; /* clone */
    int32_t ret;
};

struct syscall_execve {
    uint32_t tid, pid, context;
    const char *name;
    const char *argv; /* as strace prints it; NULL: not readable */
    int32_t ret;      /* 0 at entry */
};

struct syscalls_functions {
    /* Whether decoded arguments are wanted by this plugin's user; counts. */
    void (*want_text)(bool wanted);
};

#endif
