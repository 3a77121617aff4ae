// SPDX-License-Identifier: MIT
// The Windows calls that the plugins know: their arguments, and one call in progress.
#ifndef EMU_PLUGINS_COMMON_WINDOWS_CALLS_H
#define EMU_PLUGINS_COMMON_WINDOWS_CALLS_H

#include <emu/plugin.h>

#include "common/text.h"
#include "common/windows/names.h"

enum win_call_id {
    NT_CREATE_FILE,
    NT_OPEN_FILE,
    NT_READ_FILE,
    NT_WRITE_FILE,
    NT_CLOSE,
    NT_CREATE_SECTION,
    NT_MAP_VIEW_OF_SECTION,
    NT_UNMAP_VIEW_OF_SECTION,
    NT_OPEN_SECTION,
    NT_DUPLICATE_OBJECT,
    NT_CREATE_PROCESS,
    NT_CREATE_PROCESS_EX,
    NT_OPEN_PROCESS,
    NT_TERMINATE_PROCESS,
    NT_OPEN_PROCESS_TOKEN,
    NT_RESUME_PROCESS,
    NT_SUSPEND_PROCESS,
    NT_CREATE_THREAD,
    NT_OPEN_THREAD,
    NT_OPEN_THREAD_TOKEN,
    NT_RESUME_THREAD,
    NT_SUSPEND_THREAD,
    NT_TERMINATE_THREAD,
    NT_ALLOCATE_USER_PHYSICAL_PAGES,
    NT_ALLOCATE_VIRTUAL_MEMORY,
    NT_QUERY_INFORMATION_PROCESS,
    NT_CALLS
};

#define WIN_MAX_ARGS       11u
#define WIN_STATUS_PENDING 0x103u

enum win_arg_kind {
    ARG_HANDLE,
    ARG_PROCESS, // handle, or NtCurrentProcess()
    ARG_THREAD,
    ARG_U32,
    ARG_POINTER,
    ARG_BOOLEAN,
    ARG_FLAGS,
    ARG_ENUM,
    ARG_STATUS,
    ARG_OBJECT_ATTRIBUTES,
    ARG_LARGE_IN,   // LARGE_INTEGER *
    ARG_ULONG_IN,   // ULONG *
    ARG_CLIENT_IN,  // CLIENT_ID *
    ARG_CONTEXT_IN, // CONTEXT *
    ARG_INITIAL_TEB_IN,
    ARG_BUFFER_IN, // its length is the next argument
    // Known when the call has returned.
    ARG_FIRST_OUT,
    ARG_HANDLE_OUT = ARG_FIRST_OUT,
    ARG_ULONG_OUT,
    ARG_CLIENT_OUT,
    ARG_IOSB_OUT,                // IO_STATUS_BLOCK *, Information counts bytes
    ARG_IOSB_CREATE_OUT,         // ... says what was done
    ARG_BUFFER_OUT,              // as much as the IO_STATUS_BLOCK before it says
    ARG_PFN_OUT,                 // array, as many as the argument before it says
    ARG_PROCESS_INFORMATION_OUT, // class before it, length behind it
    // Both.
    ARG_FIRST_INOUT,
    ARG_POINTER_INOUT = ARG_FIRST_INOUT,
    ARG_SIZE_INOUT,
    ARG_LARGE_INOUT
};

struct win_arg {
    const char *name;
    enum win_arg_kind kind;
    const struct win_name *names;
};

struct win_call {
    const char *name;
    const char *signal; // id in group syscall
    unsigned args;
    struct win_arg arg[WIN_MAX_ARGS];
};

extern const struct win_call win_calls[NT_CALLS];

// One version of Windows: the number of each call.
struct win_version {
    const char *system;
    uint16_t number[NT_CALLS];
};

enum win_entry { WIN_SYSENTER, WIN_INT_2E };

// A call in progress.
struct win_record {
    struct win_record *outer; // of the same thread: interrupted by a callback, an APC, an exception
    const struct win_call *call; // NULL: the number is not known
    enum win_call_id id;         // with call
    uint32_t context, thread;
    uint32_t number;
    enum win_entry entry;
    uint32_t esp; // the caller's when the call returns
    uint32_t eip; // likewise; 0: not known (SYSEXIT returns where the system likes)
    uint32_t arg[WIN_MAX_ARGS];
    unsigned args;              // that could be read
    uint64_t in[WIN_MAX_ARGS];  // what pointers of the kinds _IN and _INOUT point at
    uint64_t out[WIN_MAX_ARGS]; // likewise _OUT and _INOUT, when it has returned
    uint32_t has_in, has_out;   // bits: it could be read
    char *object_name;          // out of OBJECT_ATTRIBUTES; NULL: none
    uint32_t client_thread;     // second half of a CLIENT_ID
    uint32_t entry_point;       // of a new thread's CONTEXT
    char *text[WIN_MAX_ARGS];   // rendered; NULL: not
};

// At entry: reads arguments and what they point at. render: texts too, of at most `bytes` octets of
// data each.
void win_record_enter(struct win_record *r, CPUArchState *cpu, uint32_t arguments, bool render,
                      uint32_t bytes);
// At return with a status; not for calls that never return.
void win_record_return(struct win_record *r, CPUArchState *cpu, uint32_t status, bool render,
                       uint32_t bytes);
// Index of the first argument of a kind; -1: none.
int win_call_find(const struct win_call *call, enum win_arg_kind kind);
// Nobody shall take an error's out values for real: warnings and successes have them.
static inline bool win_status_has_values(uint32_t status)
{
    return status >> 30 != 3;
}
void win_record_free(struct win_record *r);

#endif
