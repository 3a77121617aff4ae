// SPDX-License-Identifier: MIT
// Calls in progress by thread: (address space, TEB). A thread has several when the system calls
// back into user code while it is in one (callbacks, APCs, exceptions): then the inner one's stack
// pointer is lower.
#ifndef EMU_PLUGINS_COMMON_WINDOWS_THREADS_H
#define EMU_PLUGINS_COMMON_WINDOWS_THREADS_H

#include "common/windows/calls.h"

struct win_threads {
    struct win_thread **buckets;
    struct win_thread *oldest, *newest; // by last entry
    unsigned threads;
    uint64_t records; // counter for predicates: something is in progress
    // A call is known never to return.
    void (*lost)(void *self, struct win_record *r);
    void *self;
};

bool win_threads_init(struct win_threads *t, void (*lost)(void *self, struct win_record *r),
                      void *self);
// Takes the record over. Calls of the same thread that this one shows to be over are lost first.
void win_threads_push(struct win_threads *t, struct win_record *r);
// The call that ends when this thread goes on at eip with esp; NULL: none. It is the caller's then.
struct win_record *win_threads_pop(struct win_threads *t, uint32_t context, uint32_t thread,
                                   uint32_t eip, uint32_t esp);
// Loses everything.
void win_threads_free(struct win_threads *t);

#endif
