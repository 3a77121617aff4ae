// SPDX-License-Identifier: MIT
// What the kernel and the user program of the test guest share.
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "numbers.h"

#define USER_TEXT __attribute__((section(".user_text")))
#define USER_DATA __attribute__((section(".user_data")))

enum { PROCESSES = 2, THREADS_EACH = 2, THREADS = PROCESSES * THREADS_EACH };

#define TEB_BASE     0x7ffd0000u // one page a thread, the last thread's lowest
#define SCRATCH_BASE 0x00600000u // two pages a thread
#define STACK_BASE   0x00700000u // four pages a thread
#define IMAGE_BASE   0x10000000u // where a section of the module is mapped
#define MEMORY_BASE  0x00800000u // what NtAllocateVirtualMemory gives

#define PEB_BASE 0x7ffdf000u // one page a process

// The beginning is a TEB's; what the test needs stands behind it.
struct teb {
    uint32_t exception_list, stack_base, stack_limit, sub_system, fiber, user, self;
    uint32_t environment, process_id, thread_id, rpc, tls;
    uint32_t peb;
    uint32_t reserved[0x80 - 13];
    uint32_t context;   // CR3
    uint32_t index;     // of the thread in the guest
    uint32_t rounds;    // of the busy loop, 0: perform each call once
    uint32_t has_image; // a module was given
    uint32_t number[CALL_COUNT];
    uint32_t hostile;         // perform calls with nonsense for arguments
    uint32_t callback_number; // of the call by which a callback ends
};

_Static_assert(CALL_COUNT == 26, "the table of calls");

#endif
