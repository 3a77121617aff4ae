// SPDX-License-Identifier: MIT
// The watcher thread polls descriptors; the machine's thread runs their callbacks. A watch is
// one-shot for the watcher: armed -> ready (poll saw it) -> served (its callback ran) -> armed
// again at the end of event_loop_run, so that the watcher sleeps while a ready descriptor waits to
// be served.
#define _GNU_SOURCE
#include "base/event_loop.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum watch_state { WATCH_ARMED, WATCH_READY, WATCH_SERVED };

struct fd_watch {
    struct event_loop *loop;
    struct fd_watch *next;
    int fd;
    unsigned events;
    unsigned ready; // events seen by the watcher, while WATCH_READY
    enum watch_state state;
    bool removed; // on the dead list, freed by the watcher
    void (*fn)(void *self, unsigned events);
    void *self;
};

struct post {
    struct post *next;
    void (*fn)(void *self);
    void *self;
};

// What one round of the watcher polls; entry 0 is its own eventfd.
struct poll_set {
    struct pollfd *fds;
    struct fd_watch **watches;
    size_t count;
    size_t capacity;
};

struct event_loop {
    void (*kick)(void *opaque);
    void *kick_opaque;
    pthread_t watcher;
    int watcher_fd; // eventfd: the set of armed watches changed
    int machine_fd; // eventfd: ends the wait of event_loop_run
    atomic_bool pending;
    struct poll_set set;   // the watcher's
    unsigned run_depth;    // machine's thread: event_loop_run inside a callback
    pthread_mutex_t mutex; // guards all below
    struct fd_watch *watches;
    struct fd_watch *dead;
    struct post *posts;
    struct post **posts_tail;
    bool quit;
};

static void eventfd_raise(int fd)
{
    uint64_t one = 1;
    int saved = errno;
    // Only a counter at its maximum refuses, and then the reader has been woken already.
    ssize_t ignored = write(fd, &one, sizeof one);
    (void)ignored;
    errno = saved;
}

static void eventfd_drain(int fd)
{
    uint64_t value;
    ssize_t ignored = read(fd, &value, sizeof value);
    (void)ignored;
}

static void signal_machine(struct event_loop *loop)
{
    if (!atomic_exchange(&loop->pending, true))
        eventfd_raise(loop->machine_fd);
    if (loop->kick)
        loop->kick(loop->kick_opaque);
}

static short poll_events(unsigned events)
{
    return (short)((events & EVENT_READ ? POLLIN : 0) | (events & EVENT_WRITE ? POLLOUT : 0));
}

static unsigned watch_events(short revents)
{
    return (unsigned)((revents & POLLIN ? EVENT_READ : 0) | (revents & POLLOUT ? EVENT_WRITE : 0) |
                      (revents & (POLLHUP | POLLERR | POLLNVAL) ? EVENT_HANGUP : 0));
}

static void poll_set_add(struct poll_set *set, int fd, short events, struct fd_watch *watch)
{
    if (set->count == set->capacity) {
        set->capacity = set->capacity ? set->capacity * 2 : 16;
        set->fds = xrealloc(set->fds, set->capacity * sizeof set->fds[0]);
        set->watches = xrealloc(set->watches, set->capacity * sizeof set->watches[0]);
    }
    set->fds[set->count] = (struct pollfd){.fd = fd, .events = events};
    set->watches[set->count++] = watch;
}

static void free_watches(struct fd_watch *watch)
{
    while (watch) {
        struct fd_watch *next = watch->next;
        free(watch);
        watch = next;
    }
}

// False when the loop ends.
static bool poll_set_collect(struct poll_set *set, struct event_loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    free_watches(loop->dead); // no round of the watcher refers to them any more
    loop->dead = NULL;
    bool quit = loop->quit;
    set->count = 0;
    poll_set_add(set, loop->watcher_fd, POLLIN, NULL);
    for (struct fd_watch *watch = loop->watches; watch; watch = watch->next) {
        if (watch->state == WATCH_ARMED && watch->events)
            poll_set_add(set, watch->fd, poll_events(watch->events), watch);
    }
    pthread_mutex_unlock(&loop->mutex);
    return !quit;
}

static bool poll_set_report(const struct poll_set *set, struct event_loop *loop)
{
    bool any = false;
    pthread_mutex_lock(&loop->mutex);
    for (size_t i = 1; i < set->count; i++) {
        struct fd_watch *watch = set->watches[i];
        if (watch->removed || watch->state != WATCH_ARMED || !watch->events)
            continue;
        watch->ready = watch_events(set->fds[i].revents) & (watch->events | EVENT_HANGUP);
        if (watch->ready) {
            watch->state = WATCH_READY;
            any = true;
        }
    }
    pthread_mutex_unlock(&loop->mutex);
    return any;
}

static void *watcher_main(void *opaque)
{
    struct event_loop *loop = opaque;
    struct poll_set *set = &loop->set;
    while (poll_set_collect(set, loop)) {
        if (poll(set->fds, set->count, -1) < 0)
            continue;
        if (set->fds[0].revents)
            eventfd_drain(loop->watcher_fd);
        if (poll_set_report(set, loop))
            signal_machine(loop);
    }
    return NULL;
}

// Signals belong to the other threads: the watcher starts with all of them blocked.
static int start_watcher(struct event_loop *loop)
{
    sigset_t all, saved;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved);
    int code = pthread_create(&loop->watcher, NULL, watcher_main, loop);
    pthread_sigmask(SIG_SETMASK, &saved, NULL);
    return code;
}

struct event_loop *event_loop_create(void (*kick)(void *opaque), void *opaque, struct error *err)
{
    struct event_loop *loop = xcalloc(1, sizeof *loop);
    loop->kick = kick;
    loop->kick_opaque = opaque;
    atomic_init(&loop->pending, false);
    pthread_mutex_init(&loop->mutex, NULL);
    loop->posts_tail = &loop->posts;
    loop->watcher_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->machine_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int code = loop->watcher_fd < 0 || loop->machine_fd < 0 ? errno : start_watcher(loop);
    if (code == 0)
        return loop;
    error_set(err, "cannot start the event thread: %s", strerror(code));
    if (loop->watcher_fd >= 0)
        close(loop->watcher_fd);
    if (loop->machine_fd >= 0)
        close(loop->machine_fd);
    pthread_mutex_destroy(&loop->mutex);
    free(loop);
    return NULL;
}

void event_loop_destroy(struct event_loop *loop)
{
    if (!loop)
        return;
    pthread_mutex_lock(&loop->mutex);
    loop->quit = true;
    pthread_mutex_unlock(&loop->mutex);
    eventfd_raise(loop->watcher_fd);
    pthread_join(loop->watcher, NULL);
    free(loop->set.fds);
    free(loop->set.watches);
    free_watches(loop->watches);
    free_watches(loop->dead);
    while (loop->posts) {
        struct post *next = loop->posts->next;
        free(loop->posts);
        loop->posts = next;
    }
    close(loop->watcher_fd);
    close(loop->machine_fd);
    pthread_mutex_destroy(&loop->mutex);
    free(loop);
}

struct fd_watch *event_loop_watch(struct event_loop *loop, int fd, unsigned events,
                                  void (*fn)(void *self, unsigned events), void *self)
{
    struct fd_watch *watch = xcalloc(1, sizeof *watch);
    watch->loop = loop;
    watch->fd = fd;
    watch->events = events;
    watch->state = WATCH_ARMED;
    watch->fn = fn;
    watch->self = self;
    pthread_mutex_lock(&loop->mutex);
    watch->next = loop->watches;
    loop->watches = watch;
    pthread_mutex_unlock(&loop->mutex);
    eventfd_raise(loop->watcher_fd);
    return watch;
}

void fd_watch_set_events(struct fd_watch *watch, unsigned events)
{
    struct event_loop *loop = watch->loop;
    pthread_mutex_lock(&loop->mutex);
    bool changed = watch->events != events;
    watch->events = events;
    if (changed && watch->state == WATCH_READY)
        watch->state = WATCH_ARMED; // what was seen may no longer be wanted
    pthread_mutex_unlock(&loop->mutex);
    if (changed)
        eventfd_raise(loop->watcher_fd);
}

void fd_watch_rearm(struct fd_watch *watch)
{
    struct event_loop *loop = watch->loop;
    pthread_mutex_lock(&loop->mutex);
    bool ready = watch->state == WATCH_READY;
    if (ready)
        watch->state = WATCH_ARMED;
    pthread_mutex_unlock(&loop->mutex);
    if (ready)
        eventfd_raise(loop->watcher_fd);
}

void fd_watch_remove(struct fd_watch *watch)
{
    if (!watch)
        return;
    struct event_loop *loop = watch->loop;
    pthread_mutex_lock(&loop->mutex);
    struct fd_watch **link = &loop->watches;
    while (*link != watch)
        link = &(*link)->next;
    *link = watch->next;
    watch->removed = true;
    watch->next = loop->dead;
    loop->dead = watch;
    pthread_mutex_unlock(&loop->mutex);
    eventfd_raise(loop->watcher_fd);
}

bool event_loop_watches(struct event_loop *loop, int fd)
{
    bool found = false;
    pthread_mutex_lock(&loop->mutex);
    for (const struct fd_watch *watch = loop->watches; watch; watch = watch->next)
        found = found || watch->fd == fd;
    pthread_mutex_unlock(&loop->mutex);
    return found;
}

void event_loop_post(struct event_loop *loop, void (*fn)(void *self), void *self)
{
    struct post *post = xcalloc(1, sizeof *post);
    post->fn = fn;
    post->self = self;
    pthread_mutex_lock(&loop->mutex);
    *loop->posts_tail = post;
    loop->posts_tail = &post->next;
    pthread_mutex_unlock(&loop->mutex);
    signal_machine(loop);
}

bool event_loop_pending(const struct event_loop *loop)
{
    return atomic_load_explicit(&loop->pending, memory_order_relaxed);
}

static void wait_for_machine(struct event_loop *loop, int64_t timeout_ns)
{
    struct timespec ts = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    struct pollfd fd = {.fd = loop->machine_fd, .events = POLLIN};
    ppoll(&fd, 1, timeout_ns < 0 ? NULL : &ts, NULL);
}

static void run_posts(struct event_loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    struct post *posts = loop->posts;
    loop->posts = NULL;
    loop->posts_tail = &loop->posts;
    pthread_mutex_unlock(&loop->mutex);
    while (posts) {
        struct post *post = posts;
        posts = post->next;
        post->fn(post->self);
        free(post);
    }
}

// Takes one ready watch; its fields are copied out, because its callback may remove it.
static bool take_ready(struct event_loop *loop, struct fd_watch *taken)
{
    bool found = false;
    pthread_mutex_lock(&loop->mutex);
    for (struct fd_watch *watch = loop->watches; watch && !found; watch = watch->next) {
        if (watch->state == WATCH_READY) {
            watch->state = WATCH_SERVED;
            *taken = *watch;
            found = true;
        }
    }
    pthread_mutex_unlock(&loop->mutex);
    return found;
}

static void rearm_served(struct event_loop *loop)
{
    bool any = false;
    pthread_mutex_lock(&loop->mutex);
    for (struct fd_watch *watch = loop->watches; watch; watch = watch->next) {
        if (watch->state == WATCH_SERVED) {
            watch->state = WATCH_ARMED;
            any = true;
        }
    }
    pthread_mutex_unlock(&loop->mutex);
    if (any)
        eventfd_raise(loop->watcher_fd);
}

void event_loop_run(struct event_loop *loop, int64_t timeout_ns)
{
    if (!atomic_load(&loop->pending)) {
        if (timeout_ns == 0)
            return;
        wait_for_machine(loop, timeout_ns);
    }
    // Drained before the flag is cleared: who raises it afterwards writes the eventfd again.
    eventfd_drain(loop->machine_fd);
    if (!atomic_exchange(&loop->pending, false))
        return;
    loop->run_depth++;
    run_posts(loop);
    struct fd_watch taken;
    while (take_ready(loop, &taken))
        taken.fn(taken.self, taken.ready);
    if (--loop->run_depth == 0)
        rearm_served(loop);
}

void event_loop_wake(struct event_loop *loop)
{
    signal_machine(loop);
}
