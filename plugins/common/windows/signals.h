// SPDX-License-Identifier: MIT
// What group "syscall" of a Windows guest carries beside common/windows/syscall_signals.h. Emitted
// when the call returns, in its own address space; VMI_SCP_TERMINATE and VMI_SCT_TERMINATE of the
// caller itself at entry, with returned = false (and again, should it return after all).
#ifndef EMU_PLUGINS_COMMON_WINDOWS_SIGNALS_H
#define EMU_PLUGINS_COMMON_WINDOWS_SIGNALS_H

#include "common/windows/syscall_signals.h"
#include "common/windows/calls.h"

// VMI_SC_DUPLICATE_OBJ
struct win_duplicate {
    uint32_t context, thread;
    uint32_t source_process, source_handle;
    uint32_t target_process, target_handle; // the new one, valid in target_process
    uint32_t access, options;
    int32_t ret;
};

// VMI_SC_CREATE_SECTION, VMI_SC_OPEN_SECTION
struct win_section {
    uint32_t context, thread;
    const char *name; // NULL: none
    uint32_t handle;
    uint32_t file; // handle of the file it maps; 0: none, or an open
    uint32_t access, protection, attributes;
    uint64_t size; // asked for; 0: the file's
    int32_t ret;
};

// VMI_SC_MAP_VIEW_OF_SECTION, VMI_SC_UNMAP_VIEW_OF_SECTION (section, size, offset, protection: 0)
struct win_view {
    uint32_t context, thread;
    uint32_t process, section;
    uint32_t base, size;
    uint64_t offset;
    uint32_t protection;
    int32_t ret;
};

// VMI_SCP_CREATE, CREATE_EX, OPEN, OPEN_TOKEN, RESUME, SUSPEND, TERMINATE: what the call does not
// have is 0
struct win_process {
    uint32_t context, thread;
    const char *name;
    uint32_t handle; // of the process
    uint32_t token, parent, section;
    uint32_t pid, access;
    uint32_t exit_status;
    bool returned;
    int32_t ret;
};

// VMI_SCT_CREATE, OPEN, OPEN_TOKEN, RESUME, SUSPEND, TERMINATE
struct win_thread_payload {
    uint32_t context, thread;
    const char *name;
    uint32_t handle; // of the thread
    uint32_t process, token;
    uint32_t pid, tid, access;
    uint32_t entry; // where a new thread starts
    uint32_t suspend_count;
    uint32_t exit_status;
    bool returned;
    int32_t ret;
};

// VMI_SCP_ALLOCATE_VIRTUAL_MEMORY, VMI_SCP_ALLOCATE_USER_PHYSICAL_PAGES (size in pages)
struct win_memory {
    uint32_t context, thread;
    uint32_t process;
    uint32_t base, size;
    uint32_t type, protection;
    int32_t ret;
};

// VMI_SCP_QUERY_INFO_PROCESS
struct win_query {
    uint32_t context, thread;
    uint32_t process;
    uint32_t information_class;
    uint32_t buffer, length, returned_length;
    int32_t ret;
};

extern const struct payload_type win_duplicate_payload, win_section_payload, win_view_payload,
    win_process_payload, win_thread_payload_type, win_memory_payload, win_query_payload;

struct win_signals {
    SignalInfo *group;
    SignalHandle *call, *call_end, *known[NT_CALLS];
};

void win_signals_register(struct win_signals *signals);
// Anybody listens to this call.
bool win_signals_wanted(const struct win_signals *signals, const struct win_record *r);
void win_signals_enter(const struct win_signals *signals, const struct win_record *r,
                       CPUArchState *cpu);
// The call's own id only.
void win_signals_emit(const struct win_signals *signals, const struct win_record *r,
                      CPUArchState *cpu, bool returned, uint32_t status);
// SYSCALL_RETURN
void win_signals_end(const struct win_signals *signals, const struct win_record *r,
                     CPUArchState *cpu, bool returned, uint32_t status);

#endif
