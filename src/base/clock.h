// SPDX-License-Identifier: MIT
// The virtual clock of a machine, in nanoseconds since power-on, and the timers on it.
// Real-time mode: follows the host's monotonic clock while the machine runs, stands while it is
// stopped. Where guest code runs and the host gives the thread no CPU for a millisecond or more,
// the clock stands too, so that a guest on a busy host sees a slow clock and not one that leaps
// past its time limits; it makes up for that later, an eighth faster than the host's clock.
// Instruction mode (-icount): a pure function of executed instructions, plus the idle time that was
// skipped. Thread: the machine's thread only.
#ifndef EMU_BASE_CLOCK_H
#define EMU_BASE_CLOCK_H

#include "base/util.h"

#define NANOSECONDS_PER_SECOND INT64_C(1000000000)
#define CLOCK_NEVER            INT64_MAX

struct clock;
struct timer;

struct clock *clock_create(void);
void clock_destroy(struct clock *clock);

// Switches to instruction mode: now = (*instructions << shift) + skipped idle time. `instructions`
// stays the caller's.
void clock_set_icount(struct clock *clock, const uint64_t *instructions, unsigned shift);
bool clock_is_icount(const struct clock *clock);
unsigned clock_icount_shift(const struct clock *clock);

int64_t clock_now(struct clock *clock);
int64_t clock_host_now(void); // the host's monotonic clock

// The clock runs only between clock_start and clock_stop; it is created stopped.
void clock_start(struct clock *clock);
void clock_stop(struct clock *clock);

// Guest code runs between these two, on the calling thread. No effect in instruction mode.
void clock_execution_begins(struct clock *clock);
void clock_execution_ends(struct clock *clock);

// Instruction mode: jumps forward to `when` (the CPU is halted and nothing happens before it).
void clock_skip_to(struct clock *clock, int64_t when);

// Sets the reading of the clock (snapshot load); timers keep their absolute deadlines.
void clock_set_now(struct clock *clock, int64_t now);

// A timer calls fn(self) once when the clock reaches its deadline, in order of (deadline, arming
// order).
struct timer *timer_create_on(struct clock *clock, const char *name, void (*fn)(void *self),
                              void *self);
void timer_destroy(struct timer *timer);
void timer_arm(struct timer *timer, int64_t deadline);
void timer_cancel(struct timer *timer);
bool timer_is_armed(const struct timer *timer);
int64_t timer_deadline(const struct timer *timer); // CLOCK_NEVER when not armed

int64_t clock_next_deadline(const struct clock *clock); // CLOCK_NEVER when none
void clock_run_due(struct clock *clock); // runs every timer whose deadline has passed

// Called when the earliest deadline moved to an earlier time, so that whoever sleeps or runs guest
// code looks again.
void clock_set_notify(struct clock *clock, void (*fn)(void *self), void *self);

// a * b / c in 128 bits, for converting between ticks and nanoseconds.
static inline uint64_t muldiv64(uint64_t a, uint64_t b, uint64_t c)
{
    return (uint64_t)((unsigned __int128)a * b / c);
}

#endif
