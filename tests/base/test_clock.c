// SPDX-License-Identifier: MIT
// The virtual clock in both modes, and its timers.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "base/clock.h"

struct probe {
    struct timer *timer;
    struct timer *other;
    struct probe *trace_to;
    struct clock *clock;
    int id;
    int calls;
    int64_t again; // re-arm this far from now
    int order[256];
    int count;
};

static void record(void *self)
{
    struct probe *p = self;
    struct probe *trace = p->trace_to ? p->trace_to : p;
    trace->order[trace->count++ % 256] = p->id;
    p->calls++;
}

static void record_and_cancel_other(void *self)
{
    struct probe *p = self;
    record(self);
    timer_cancel(p->other);
}

static void record_and_arm_again(void *self)
{
    struct probe *p = self;
    record(self);
    assert_false(timer_is_armed(p->timer));
    timer_arm(p->timer, clock_now(p->clock) + p->again);
}

static void record_and_arm_other(void *self)
{
    struct probe *p = self;
    record(self);
    timer_arm(p->other, clock_now(p->clock));
}

static void sleep_ms(long ms)
{
    struct timespec ts = {.tv_nsec = ms * 1000000};
    nanosleep(&ts, NULL);
}

static void test_real_time_stands_while_stopped(void **state)
{
    struct clock *clock = clock_create();
    assert_int_equal(clock_now(clock), 0);
    sleep_ms(2);
    assert_int_equal(clock_now(clock), 0);
    clock_start(clock);
    sleep_ms(5);
    assert_true(clock_now(clock) >= 5000000);
    clock_stop(clock);
    int64_t stopped = clock_now(clock);
    sleep_ms(5);
    assert_int_equal(clock_now(clock), stopped);
    clock_start(clock);
    clock_start(clock); // harmless
    int64_t resumed = clock_now(clock);
    assert_true(resumed >= stopped && resumed < stopped + 2000000000);
    clock_set_now(clock, 7 * NANOSECONDS_PER_SECOND);
    assert_true(clock_now(clock) >= 7 * NANOSECONDS_PER_SECOND);
    assert_true(clock_now(clock) < 9 * NANOSECONDS_PER_SECOND);
    clock_stop(clock);
    clock_set_now(clock, 123);
    assert_int_equal(clock_now(clock), 123);
    assert_false(clock_is_icount(clock));
    clock_destroy(clock);
}

static void test_icount(void **state)
{
    struct clock *clock = clock_create();
    uint64_t instructions = 100;
    clock_set_now(clock, 50);
    clock_set_icount(clock, &instructions, 3);
    assert_true(clock_is_icount(clock));
    assert_int_equal(clock_icount_shift(clock), 3);
    assert_int_equal(clock_now(clock), 50); // switching does not jump
    clock_start(clock);
    instructions += 10;
    assert_int_equal(clock_now(clock), 130);
    clock_skip_to(clock, 1000);
    assert_int_equal(clock_now(clock), 1000);
    clock_skip_to(clock, 500); // never backwards
    assert_int_equal(clock_now(clock), 1000);
    instructions += 1;
    assert_int_equal(clock_now(clock), 1008);
    clock_stop(clock);
    clock_start(clock);
    assert_int_equal(clock_now(clock), 1008);
    clock_set_now(clock, 5);
    assert_int_equal(clock_now(clock), 5);
    clock_destroy(clock);
}

static struct clock *icount_clock(uint64_t *instructions)
{
    struct clock *clock = clock_create();
    *instructions = 0;
    clock_set_icount(clock, instructions, 0);
    clock_start(clock);
    return clock;
}

static void test_timers_run_in_order(void **state)
{
    uint64_t now;
    struct clock *clock = icount_clock(&now);
    struct probe probes[100] = {0};
    struct probe trace = {0};
    // Deadlines 0..9, ten of each, armed in a scrambled order.
    for (int i = 0; i < 100; i++) {
        probes[i] = (struct probe){.id = i, .trace_to = &trace};
        probes[i].timer = timer_create_on(clock, "t", record, &probes[i]);
        timer_arm(probes[i].timer, (i * 7) % 10);
    }
    assert_int_equal(clock_next_deadline(clock), 0);
    now = 4;
    clock_run_due(clock);
    assert_int_equal(trace.count, 50);
    assert_int_equal(clock_next_deadline(clock), 5);
    for (int i = 50; i < 100; i++)
        assert_int_equal(timer_is_armed(probes[i].timer), (i * 7) % 10 >= 5);
    now = 100;
    clock_run_due(clock);
    assert_int_equal(trace.count, 100);
    for (int i = 1; i < 100; i++) {
        int before = trace.order[i - 1];
        int after = trace.order[i];
        int d0 = before * 7 % 10;
        int d1 = after * 7 % 10;
        assert_true(d0 < d1 || (d0 == d1 && before < after));
    }
    assert_int_equal(clock_next_deadline(clock), CLOCK_NEVER);
    for (int i = 0; i < 100; i++)
        timer_destroy(probes[i].timer);
    clock_destroy(clock);
}

static void test_cancel_and_rearm(void **state)
{
    uint64_t now;
    struct clock *clock = icount_clock(&now);
    struct probe probes[64] = {0};
    for (int i = 0; i < 64; i++) {
        probes[i].timer = timer_create_on(clock, "t", record, &probes[i]);
        assert_false(timer_is_armed(probes[i].timer));
        assert_int_equal(timer_deadline(probes[i].timer), CLOCK_NEVER);
        timer_arm(probes[i].timer, 1000 - i);
    }
    for (int i = 0; i < 64; i += 2)
        timer_cancel(probes[i].timer);
    timer_cancel(probes[0].timer); // twice is harmless
    for (int i = 1; i < 64; i += 4)
        timer_arm(probes[i].timer, 5000 + i); // moved while armed
    assert_int_equal(timer_deadline(probes[1].timer), 5001);
    assert_int_equal(clock_next_deadline(clock), 1000 - 63);
    now = 2000;
    clock_run_due(clock);
    for (int i = 0; i < 64; i++)
        assert_int_equal(probes[i].calls, i % 4 == 3);
    timer_arm(probes[1].timer, CLOCK_NEVER);
    assert_false(timer_is_armed(probes[1].timer));
    assert_int_equal(clock_next_deadline(clock), 5005);
    for (int i = 0; i < 64; i++)
        timer_destroy(probes[i].timer); // armed ones too
    assert_int_equal(clock_next_deadline(clock), CLOCK_NEVER);
    clock_destroy(clock);
}

static void test_arming_inside_callbacks(void **state)
{
    uint64_t now;
    struct clock *clock = icount_clock(&now);
    struct probe trace = {0};
    struct probe a = {.id = 1, .trace_to = &trace, .clock = clock};
    struct probe b = {.id = 2, .trace_to = &trace, .clock = clock};
    struct probe c = {.id = 3, .trace_to = &trace, .clock = clock, .again = 10};
    a.timer = timer_create_on(clock, "a", record_and_cancel_other, &a);
    b.timer = timer_create_on(clock, "b", record, &b);
    c.timer = timer_create_on(clock, "c", record_and_arm_again, &c);
    a.other = b.timer;
    timer_arm(a.timer, 10);
    timer_arm(b.timer, 10);
    timer_arm(c.timer, 10);
    now = 10;
    clock_run_due(clock);
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 0); // cancelled by a, in the same moment
    assert_int_equal(c.calls, 1);
    assert_int_equal(timer_deadline(c.timer), 20);
    now = 20;
    clock_run_due(clock);
    assert_int_equal(c.calls, 2);
    // A period of zero runs once a call and cannot hold the machine.
    c.again = 0;
    now = 30;
    clock_run_due(clock);
    clock_run_due(clock);
    assert_int_equal(c.calls, 4);
    assert_int_equal(clock_next_deadline(clock), 30);
    // Armed by another's callback: due at the next call.
    timer_cancel(c.timer);
    struct probe d = {.id = 4, .trace_to = &trace, .clock = clock, .other = b.timer};
    d.timer = timer_create_on(clock, "d", record_and_arm_other, &d);
    timer_arm(d.timer, 0);
    clock_run_due(clock);
    clock_run_due(clock);
    assert_int_equal(b.calls, 1);
    timer_destroy(a.timer);
    timer_destroy(b.timer);
    timer_destroy(c.timer);
    timer_destroy(d.timer);
    clock_destroy(clock);
}

static void count_notify(void *self)
{
    ++*(int *)self;
}

static void test_notify_and_real_time_timers(void **state)
{
    struct clock *clock = clock_create();
    int notified = 0;
    struct probe a = {0};
    struct probe b = {0};
    clock_set_notify(clock, count_notify, &notified);
    a.timer = timer_create_on(clock, "a", record, &a);
    b.timer = timer_create_on(clock, "b", record, &b);
    timer_arm(a.timer, 2000000);
    assert_int_equal(notified, 1);
    timer_arm(b.timer, 3000000); // later: nobody needs to look
    assert_int_equal(notified, 1);
    timer_arm(b.timer, 1000000);
    assert_int_equal(notified, 2);
    sleep_ms(4);
    clock_run_due(clock); // stopped: nothing is due
    assert_int_equal(a.calls + b.calls, 0);
    clock_start(clock);
    sleep_ms(4);
    clock_run_due(clock);
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 1);
    timer_destroy(a.timer);
    timer_destroy(b.timer);
    clock_destroy(clock);
}

static void test_muldiv(void **state)
{
    assert_true(muldiv64(UINT64_C(1) << 40, 1193182, 1000000000) == UINT64_C(1311917483));
    assert_true(muldiv64(UINT64_MAX, 3, 3) == UINT64_MAX);
}

static int64_t host_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * NANOSECONDS_PER_SECOND + ts.tv_nsec;
}

static int64_t cpu_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * NANOSECONDS_PER_SECOND + ts.tv_nsec;
}

// Sleeping stands for a host that runs something else.
static void test_time_without_a_cpu_is_left_out_while_guest_code_runs(void **state)
{
    struct clock *clock = clock_create();
    clock_start(clock);
    clock_execution_begins(clock);
    int64_t start = clock_now(clock);
    sleep_ms(50);
    int64_t after = clock_now(clock);
    assert_true(after >= start);
    assert_true(after - start < 20000000);

    // What it computes counts in full.
    for (int64_t from = cpu_now(), last = after; cpu_now() - from < 20000000;) {
        int64_t now = clock_now(clock);
        assert_true(now >= last);
        last = now;
    }
    assert_true(clock_now(clock) - after >= 18000000);
    clock_execution_ends(clock);

    // Outside, time passes as the host's does, and an eighth of that is made up for.
    int64_t idle_host = host_now(), idle = clock_now(clock);
    sleep_ms(40);
    clock_execution_begins(clock);
    assert_true(clock_now(clock) - idle >= 40000000 + 40000000 / 8 - 1000000);
    clock_execution_ends(clock);
    assert_true(clock_now(clock) - idle <= (host_now() - idle_host) * 9 / 8 + 2000000);

    // Time in which it stood is not made up for.
    clock_stop(clock);
    int64_t stopped = clock_now(clock);
    sleep_ms(200);
    int64_t started_host = host_now();
    clock_start(clock);
    clock_execution_begins(clock);
    assert_true(clock_now(clock) - stopped <= (host_now() - started_host) * 9 / 8 + 2000000);
    clock_execution_ends(clock);
    clock_destroy(clock);
    (void)state;
}

static void test_a_clock_with_nothing_to_make_up_for_keeps_to_the_host(void **state)
{
    struct clock *clock = clock_create();
    clock_start(clock);
    int64_t host = host_now(), start = clock_now(clock);
    for (int i = 0; i < 10; i++) {
        sleep_ms(3);
        clock_execution_begins(clock);
        clock_execution_ends(clock);
    }
    int64_t now = clock_now(clock);
    assert_true(now - start <= host_now() - host);
    assert_true(now - start >= 30000000 - 1000000);
    clock_destroy(clock);
    (void)state;
}

static void test_instruction_mode_knows_no_lost_time(void **state)
{
    struct clock *clock = clock_create();
    uint64_t instructions = 0;
    clock_set_icount(clock, &instructions, 2);
    clock_start(clock);
    clock_execution_begins(clock);
    instructions = 1000;
    sleep_ms(5);
    assert_int_equal(clock_now(clock), 4000);
    clock_execution_ends(clock);
    assert_int_equal(clock_now(clock), 4000);
    clock_destroy(clock);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real_time_stands_while_stopped),
        cmocka_unit_test(test_time_without_a_cpu_is_left_out_while_guest_code_runs),
        cmocka_unit_test(test_a_clock_with_nothing_to_make_up_for_keeps_to_the_host),
        cmocka_unit_test(test_instruction_mode_knows_no_lost_time),
        cmocka_unit_test(test_icount),
        cmocka_unit_test(test_timers_run_in_order),
        cmocka_unit_test(test_cancel_and_rearm),
        cmocka_unit_test(test_arming_inside_callbacks),
        cmocka_unit_test(test_notify_and_real_time_timers),
        cmocka_unit_test(test_muldiv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
