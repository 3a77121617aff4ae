// SPDX-License-Identifier: MIT
// The virtual clock and its timers: a binary heap ordered by (deadline, arming order).
#include "base/clock.h"

#include <stdlib.h>
#include <time.h>

#include "base/error.h"

#define TIMER_NOT_ARMED SIZE_MAX

// Real-time mode, while guest code runs: how often the thread's CPU time is looked at, what counts
// as time without a CPU, and how much of it the clock makes up for at most, at which speed.
#define CPU_TIME_INTERVAL INT64_C(1000000)
#define CPU_TIME_SLACK    INT64_C(500000)
#define LOST_TIME_KEPT    (60 * NANOSECONDS_PER_SECOND)
#define CATCH_UP_DIVISOR  8

struct timer {
    struct clock *clock;
    const char *name;
    void (*fn)(void *self);
    void *self;
    int64_t deadline;
    uint64_t order;  // of arming: breaks ties
    size_t position; // in the heap, TIMER_NOT_ARMED when not in it
};

struct clock {
    bool running;
    const uint64_t *instructions; // NULL: real-time mode
    unsigned shift;
    // Real time: what to add to the host clock while running. Instruction mode: what to add to the
    // executed time. In both modes the reading while stopped is `frozen`.
    int64_t offset;
    int64_t frozen;
    bool executing;
    int64_t checked_real; // host clock and CPU time of the thread when they were last compared
    int64_t checked_cpu;
    int64_t last_now; // the latest reading, which no later one goes below
    int64_t lost;     // time without a CPU that the clock is still behind
    struct timer **heap;
    size_t armed;
    size_t capacity;
    uint64_t next_order;
    void (*notify)(void *self);
    void *notify_self;
};

static int64_t host_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * NANOSECONDS_PER_SECOND + ts.tv_nsec;
}

int64_t clock_host_now(void)
{
    return host_clock(CLOCK_MONOTONIC);
}

static int64_t source_now(const struct clock *clock)
{
    if (clock->instructions)
        return (int64_t)(*clock->instructions << clock->shift);
    return clock_host_now();
}

static void compare_cpu_time_from(struct clock *clock, int64_t real)
{
    clock->checked_real = real;
    clock->checked_cpu = host_clock(CLOCK_THREAD_CPUTIME_ID);
}

static void catch_up(struct clock *clock, int64_t elapsed)
{
    int64_t step = elapsed / CATCH_UP_DIVISOR;
    if (step > clock->lost)
        step = clock->lost;
    clock->lost -= step;
    clock->offset += step;
}

// Guest code has run since the last comparison: takes time without a CPU out of the clock.
static void leave_out_lost_time(struct clock *clock, int64_t real)
{
    int64_t elapsed = real - clock->checked_real, cpu = clock->checked_cpu;
    compare_cpu_time_from(clock, real);
    int64_t lost = elapsed - (clock->checked_cpu - cpu);
    int64_t limit = real + clock->offset - clock->last_now; // readings do not go back
    if (lost > limit)
        lost = limit;
    if (lost < CPU_TIME_SLACK) {
        catch_up(clock, elapsed);
        return;
    }
    clock->offset -= lost;
    clock->lost += lost;
    if (clock->lost > LOST_TIME_KEPT)
        clock->lost = LOST_TIME_KEPT;
}

struct clock *clock_create(void)
{
    return xcalloc(1, sizeof(struct clock));
}

void clock_destroy(struct clock *clock)
{
    if (!clock)
        return;
    for (size_t i = 0; i < clock->armed; i++)
        clock->heap[i]->position = TIMER_NOT_ARMED;
    free(clock->heap);
    free(clock);
}

void clock_set_icount(struct clock *clock, const uint64_t *instructions, unsigned shift)
{
    int64_t now = clock_now(clock);
    clock->instructions = instructions;
    clock->shift = shift & 31;
    clock_set_now(clock, now);
}

bool clock_is_icount(const struct clock *clock)
{
    return clock->instructions != NULL;
}

unsigned clock_icount_shift(const struct clock *clock)
{
    return clock->shift;
}

int64_t clock_now(struct clock *clock)
{
    // Instructions count executed time by themselves: that clock needs no stopping.
    if (!clock->running && !clock->instructions)
        return clock->frozen;
    int64_t source = source_now(clock);
    if (clock->executing && source - clock->checked_real >= CPU_TIME_INTERVAL)
        leave_out_lost_time(clock, source);
    clock->last_now = (int64_t)((uint64_t)source + (uint64_t)clock->offset);
    return clock->last_now;
}

void clock_start(struct clock *clock)
{
    if (clock->running)
        return;
    if (!clock->instructions)
        clock->offset = clock->frozen - source_now(clock);
    clock->last_now = clock->frozen;
    clock->running = true;
    compare_cpu_time_from(clock, clock_host_now()); // nothing is made up for while it stood
}

void clock_stop(struct clock *clock)
{
    if (!clock->running)
        return;
    clock->frozen = clock_now(clock);
    clock->running = false;
}

void clock_execution_begins(struct clock *clock)
{
    if (clock->instructions)
        return;
    int64_t real = source_now(clock);
    if (real - clock->checked_real >= CPU_TIME_SLACK) {
        catch_up(clock, real - clock->checked_real);
        compare_cpu_time_from(clock, real);
    }
    clock->executing = true;
}

void clock_execution_ends(struct clock *clock)
{
    if (!clock->executing)
        return;
    clock_now(clock);
    clock->executing = false;
}

void clock_skip_to(struct clock *clock, int64_t when)
{
    int64_t now = clock_now(clock);
    if (when > now)
        clock_set_now(clock, when);
}

void clock_set_now(struct clock *clock, int64_t now)
{
    clock->frozen = now;
    clock->last_now = now;
    clock->offset = (int64_t)((uint64_t)now - (uint64_t)source_now(clock));
}

static bool runs_before(const struct timer *a, const struct timer *b)
{
    return a->deadline != b->deadline ? a->deadline < b->deadline : a->order < b->order;
}

static void heap_place(struct clock *clock, size_t position, struct timer *timer)
{
    clock->heap[position] = timer;
    timer->position = position;
}

static void heap_sift_up(struct clock *clock, size_t position)
{
    struct timer *timer = clock->heap[position];
    while (position > 0) {
        size_t parent = (position - 1) / 2;
        if (!runs_before(timer, clock->heap[parent]))
            break;
        heap_place(clock, position, clock->heap[parent]);
        position = parent;
    }
    heap_place(clock, position, timer);
}

static void heap_sift_down(struct clock *clock, size_t position)
{
    struct timer *timer = clock->heap[position];
    for (;;) {
        size_t child = 2 * position + 1;
        if (child >= clock->armed)
            break;
        if (child + 1 < clock->armed && runs_before(clock->heap[child + 1], clock->heap[child]))
            child++;
        if (!runs_before(clock->heap[child], timer))
            break;
        heap_place(clock, position, clock->heap[child]);
        position = child;
    }
    heap_place(clock, position, timer);
}

struct timer *timer_create_on(struct clock *clock, const char *name, void (*fn)(void *self),
                              void *self)
{
    struct timer *timer = xcalloc(1, sizeof *timer);
    timer->clock = clock;
    timer->name = name;
    timer->fn = fn;
    timer->self = self;
    timer->deadline = CLOCK_NEVER;
    timer->position = TIMER_NOT_ARMED;
    return timer;
}

void timer_destroy(struct timer *timer)
{
    if (!timer)
        return;
    timer_cancel(timer);
    free(timer);
}

void timer_arm(struct timer *timer, int64_t deadline)
{
    struct clock *clock = timer->clock;
    if (deadline == CLOCK_NEVER) {
        timer_cancel(timer);
        return;
    }
    int64_t earliest = clock_next_deadline(clock);
    timer->deadline = deadline;
    timer->order = clock->next_order++;
    if (timer->position == TIMER_NOT_ARMED) {
        if (clock->armed == clock->capacity) {
            clock->capacity = clock->capacity ? clock->capacity * 2 : 16;
            clock->heap = xrealloc(clock->heap, clock->capacity * sizeof clock->heap[0]);
        }
        heap_place(clock, clock->armed++, timer);
    }
    heap_sift_up(clock, timer->position);
    heap_sift_down(clock, timer->position);
    if (deadline < earliest && clock->notify)
        clock->notify(clock->notify_self);
}

void timer_cancel(struct timer *timer)
{
    if (timer->position == TIMER_NOT_ARMED)
        return;
    struct clock *clock = timer->clock;
    size_t position = timer->position;
    struct timer *last = clock->heap[--clock->armed];
    timer->position = TIMER_NOT_ARMED;
    timer->deadline = CLOCK_NEVER;
    if (last != timer) {
        heap_place(clock, position, last);
        heap_sift_up(clock, position);
        heap_sift_down(clock, last->position);
    }
}

bool timer_is_armed(const struct timer *timer)
{
    return timer->position != TIMER_NOT_ARMED;
}

int64_t timer_deadline(const struct timer *timer)
{
    return timer->deadline;
}

int64_t clock_next_deadline(const struct clock *clock)
{
    return clock->armed ? clock->heap[0]->deadline : CLOCK_NEVER;
}

void clock_run_due(struct clock *clock)
{
    // What a callback arms in the past waits for the next call, so that a guest's zero-length
    // period cannot keep the machine here for ever.
    int64_t now = clock_now(clock);
    uint64_t order = clock->next_order;
    while (clock->armed && clock->heap[0]->deadline <= now && clock->heap[0]->order < order) {
        struct timer *timer = clock->heap[0];
        timer_cancel(timer);
        timer->fn(timer->self);
    }
}

void clock_set_notify(struct clock *clock, void (*fn)(void *self), void *self)
{
    clock->notify = fn;
    clock->notify_self = self;
}
