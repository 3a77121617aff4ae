// SPDX-License-Identifier: MIT
// What group "syscall" of a Windows guest carries of calls in general and of files. Emitted when a
// call returns, in its own address space; strings and bytes are valid during the callback.
//
// `ret` is the NTSTATUS: negative means that the call failed. `thread` is the address of the TEB:
// it tells threads of one address space apart.
#ifndef EMU_PLUGINS_COMMON_WINDOWS_SYSCALL_SIGNALS_H
#define EMU_PLUGINS_COMMON_WINDOWS_SYSCALL_SIGNALS_H

#include <emu/plugin.h>

// SYSCALL_ENTRY when any call is entered, SYSCALL_RETURN when it is over.
struct syscall_call {
    uint32_t context, thread;
    uint32_t number;
    const char *name;    // NULL: not known
    const uint32_t *arg; // the raw arguments
    uint32_t args;       // how many of them were read
    bool returned;       // false at entry, and at the end of calls that never return
    int32_t ret;
};
extern const struct payload_type syscall_call_payload;

enum syscall_access {
    SYSCALL_ACCESS_READ = 1,
    SYSCALL_ACCESS_WRITE = 2,
    SYSCALL_ACCESS_CREATE = 4,
    SYSCALL_ACCESS_TRUNCATE = 8,
    SYSCALL_ACCESS_APPEND = 16
};

// VMI_SC_OPEN, VMI_SC_CREATE
struct syscall_open {
    uint32_t context, thread;
    const char *name;
    uint32_t handle;
    uint32_t access; // enum syscall_access
    int32_t ret;
};
extern const struct payload_type syscall_open_payload;

// VMI_SC_READ, VMI_SC_WRITE
struct syscall_io {
    uint32_t context, thread;
    uint32_t handle;
    uint32_t buffer;   // guest address
    uint32_t length;   // asked for
    uint32_t done;     // transferred
    int64_t offset;    // -1: at the file's own position
    const void *bytes; // what was transferred, as far as it is mapped and within the plugin's limit
    size_t bytes_size;
    int32_t ret;
};
extern const struct payload_type syscall_io_payload;

// VMI_SC_CLOSE
struct syscall_close {
    uint32_t context, thread;
    uint32_t handle;
    int32_t ret;
};
extern const struct payload_type syscall_close_payload;

#endif
