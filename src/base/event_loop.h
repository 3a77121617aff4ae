// SPDX-License-Identifier: MIT
// What comes from outside the machine's thread: file descriptors that became ready and functions
// posted by other threads. A watcher thread sleeps in poll(); when something is ready it calls the
// kick function, and the machine's thread runs the callbacks at its next event_loop_run.
#ifndef EMU_BASE_EVENT_LOOP_H
#define EMU_BASE_EVENT_LOOP_H

#include "base/error.h"

struct event_loop;
struct fd_watch;

enum { EVENT_READ = 1, EVENT_WRITE = 2, EVENT_HANGUP = 4 };

// kick(opaque) is called on the watcher thread or a posting thread: it must be async-safe for the
// running CPU (set an atomic flag). It may be called more often than needed.
struct event_loop *event_loop_create(void (*kick)(void *opaque), void *opaque, struct error *err);
void event_loop_destroy(struct event_loop *loop);

// Calls fn(self, events) on the machine's thread while `fd` is ready for `events`. Level-triggered.
// EVENT_HANGUP comes unasked (end of file, error, peer gone) unless the watch is paused.
struct fd_watch *event_loop_watch(struct event_loop *loop, int fd, unsigned events,
                                  void (*fn)(void *self, unsigned events), void *self);
void fd_watch_set_events(struct fd_watch *watch, unsigned events); // 0 pauses
// Forgets what was seen but not yet delivered: readiness kicks again. For who has seen to the
// descriptor without its callback.
void fd_watch_rearm(struct fd_watch *watch);
void fd_watch_remove(struct fd_watch *watch); // safe inside its own callback
bool event_loop_watches(struct event_loop *loop, int fd);

// Runs fn(self) on the machine's thread soon. Any thread.
void event_loop_post(struct event_loop *loop, void (*fn)(void *self), void *self);

// True when event_loop_run has something to do; one atomic load. Machine's thread.
bool event_loop_pending(const struct event_loop *loop);

// Runs what is ready; when nothing is, waits up to timeout_ns (0: return at once, negative: no
// limit).
void event_loop_run(struct event_loop *loop, int64_t timeout_ns);

// Ends a waiting event_loop_run early. Any thread, async-signal-safe.
void event_loop_wake(struct event_loop *loop);

#endif
