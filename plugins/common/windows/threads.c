// SPDX-License-Identifier: MIT
// Calls in progress by thread. Bounded: a guest that enters calls from ever new threads and never
// returns loses its oldest.
#include "common/windows/threads.h"

#include <stdlib.h>

#define BUCKETS     1024u
#define MAX_THREADS 16384u
#define MAX_DEPTH   32u

struct win_thread {
    struct win_thread *next; // in the bucket
    struct win_thread *older, *newer;
    uint32_t context, thread;
    struct win_record *top;
    unsigned depth;
};

bool win_threads_init(struct win_threads *t, void (*lost)(void *self, struct win_record *r),
                      void *self)
{
    *t = (struct win_threads){
        .buckets = calloc(BUCKETS, sizeof *t->buckets), .lost = lost, .self = self};
    return t->buckets != NULL;
}

static struct win_thread **find(struct win_threads *t, uint32_t context, uint32_t thread)
{
    uint32_t hash = (context >> 5 ^ thread >> 12) * 2654435761u >> 22;
    struct win_thread **link = &t->buckets[hash % BUCKETS];
    while (*link && ((*link)->context != context || (*link)->thread != thread))
        link = &(*link)->next;
    return link;
}

static void unlink_age(struct win_threads *t, struct win_thread *th)
{
    *(th->older ? &th->older->newer : &t->oldest) = th->newer;
    *(th->newer ? &th->newer->older : &t->newest) = th->older;
    th->older = th->newer = NULL;
}

static void link_newest(struct win_threads *t, struct win_thread *th)
{
    th->older = t->newest;
    *(t->newest ? &t->newest->newer : &t->oldest) = th;
    t->newest = th;
}

static struct win_record *take_top(struct win_threads *t, struct win_thread *th)
{
    struct win_record *r = th->top;
    th->top = r->outer;
    r->outer = NULL;
    th->depth--;
    t->records--;
    return r;
}

static void lose_top(struct win_threads *t, struct win_thread *th)
{
    struct win_record *r = take_top(t, th);
    t->lost(t->self, r);
    win_record_free(r);
}

static void thread_remove(struct win_threads *t, struct win_thread **link)
{
    struct win_thread *th = *link;
    while (th->top)
        lose_top(t, th);
    *link = th->next;
    unlink_age(t, th);
    free(th);
    t->threads--;
}

static struct win_thread *thread_get(struct win_threads *t, uint32_t context, uint32_t thread)
{
    struct win_thread **link = find(t, context, thread);
    if (*link) {
        unlink_age(t, *link);
        link_newest(t, *link);
        return *link;
    }
    if (t->threads >= MAX_THREADS) {
        thread_remove(t, find(t, t->oldest->context, t->oldest->thread));
        link = find(t, context, thread);
    }
    struct win_thread *th = calloc(1, sizeof *th);
    if (!th)
        return NULL;
    th->context = context;
    th->thread = thread;
    *link = th;
    link_newest(t, th);
    t->threads++;
    return th;
}

void win_threads_push(struct win_threads *t, struct win_record *r)
{
    struct win_thread *th = thread_get(t, r->context, r->thread);
    if (!th) {
        t->lost(t->self, r);
        win_record_free(r);
        return;
    }
    // User code that runs below a call in progress has a lower stack pointer; one that is not lower
    // was reached without that call's return: it is over, or the thread is a new one in old memory.
    while (th->top && (th->top->esp <= r->esp || th->depth >= MAX_DEPTH))
        lose_top(t, th);
    r->outer = th->top;
    th->top = r;
    th->depth++;
    t->records++;
}

struct win_record *win_threads_pop(struct win_threads *t, uint32_t context, uint32_t thread,
                                   uint32_t eip, uint32_t esp)
{
    struct win_thread **link = find(t, context, thread);
    struct win_thread *th = *link;
    if (!th)
        return NULL;
    struct win_record *match = th->top;
    while (match && (match->esp != esp || (match->eip && match->eip != eip)))
        match = match->outer;
    if (!match)
        return NULL;
    while (th->top != match)
        lose_top(t, th); // NtCallbackReturn, NtContinue
    match = take_top(t, th);
    if (!th->top)
        thread_remove(t, link);
    return match;
}

void win_threads_free(struct win_threads *t)
{
    while (t->oldest)
        thread_remove(t, find(t, t->oldest->context, t->oldest->thread));
    free(t->buckets);
    t->buckets = NULL;
}
