// SPDX-License-Identifier: MIT
// The event loop: descriptors, posts from other threads, removal inside callbacks, and that it does
// not spin.
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/event_loop.h"

struct rig {
    struct event_loop *loop;
    atomic_uint kicks;
    int pipe[2];
    struct fd_watch *watch;
    struct fd_watch *other;
    unsigned calls;
    unsigned events;
    unsigned posts;
    pthread_t thread; // that ran the callback
};

static int64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void sleep_ms(long ms)
{
    struct timespec ts = {.tv_nsec = ms * 1000000};
    nanosleep(&ts, NULL);
}

static void count_kick(void *opaque)
{
    atomic_fetch_add(&((struct rig *)opaque)->kicks, 1);
}

static void rig_create(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    struct error err;
    rig->loop = event_loop_create(count_kick, rig, &err);
    assert_non_null(rig->loop);
    assert_int_equal(pipe(rig->pipe), 0);
}

static void rig_destroy(struct rig *rig)
{
    event_loop_destroy(rig->loop);
    close(rig->pipe[0]);
    if (rig->pipe[1] >= 0)
        close(rig->pipe[1]);
}

// Runs the loop until the counter reaches a value, two seconds at most.
static void run_until(struct rig *rig, const unsigned *counter, unsigned value)
{
    int64_t end = now_ns() + 2000000000;
    while (*counter < value && now_ns() < end)
        event_loop_run(rig->loop, 100000000);
    assert_true(*counter >= value);
}

static void on_read(void *self, unsigned events)
{
    struct rig *rig = self;
    uint8_t byte;
    rig->calls++;
    rig->events = events;
    rig->thread = pthread_self();
    if (events & EVENT_READ)
        assert_int_equal(read(rig->pipe[0], &byte, 1), 1);
}

static void test_read(void **state)
{
    struct rig rig;
    rig_create(&rig);
    rig.watch = event_loop_watch(rig.loop, rig.pipe[0], EVENT_READ, on_read, &rig);
    assert_true(event_loop_watches(rig.loop, rig.pipe[0]));
    assert_false(event_loop_watches(rig.loop, rig.pipe[1]));
    event_loop_run(rig.loop, 0);
    assert_int_equal(rig.calls, 0);
    assert_false(event_loop_pending(rig.loop));
    assert_int_equal(write(rig.pipe[1], "abc", 3), 3);
    run_until(&rig, &rig.calls, 3); // level-triggered: one byte a call
    assert_int_equal(rig.events, EVENT_READ);
    assert_true(pthread_equal(rig.thread, pthread_self()));
    assert_true(atomic_load(&rig.kicks) >= 2); // the last one may still be under way
    close(rig.pipe[1]);
    rig.pipe[1] = -1;
    run_until(&rig, &rig.calls, 4);
    assert_true(rig.events & EVENT_HANGUP);
    fd_watch_remove(rig.watch);
    assert_false(event_loop_watches(rig.loop, rig.pipe[0]));
    rig_destroy(&rig);
}

static void on_ready(void *self, unsigned events)
{
    struct rig *rig = self;
    rig->calls++;
    rig->events = events;
}

static void test_pause_and_write(void **state)
{
    struct rig rig;
    rig_create(&rig);
    rig.watch = event_loop_watch(rig.loop, rig.pipe[1], EVENT_WRITE, on_ready, &rig);
    run_until(&rig, &rig.calls, 1);
    assert_int_equal(rig.events, EVENT_WRITE);
    fd_watch_set_events(rig.watch, 0);
    unsigned calls = rig.calls;
    for (int i = 0; i < 5; i++)
        event_loop_run(rig.loop, 2000000);
    assert_int_equal(rig.calls, calls);
    fd_watch_set_events(rig.watch, EVENT_WRITE);
    run_until(&rig, &rig.calls, calls + 1);
    rig_destroy(&rig); // with the watch still there
}

static void test_pause_drops_what_was_seen(void **state)
{
    struct rig rig;
    rig_create(&rig);
    rig.watch = event_loop_watch(rig.loop, rig.pipe[0], EVENT_READ, on_read, &rig);
    assert_int_equal(write(rig.pipe[1], "a", 1), 1);
    for (int i = 0; i < 1000 && !event_loop_pending(rig.loop); i++)
        sleep_ms(1);
    assert_true(event_loop_pending(rig.loop));
    fd_watch_set_events(rig.watch, 0);
    event_loop_run(rig.loop, 0);
    assert_int_equal(rig.calls, 0);
    fd_watch_set_events(rig.watch, EVENT_READ);
    run_until(&rig, &rig.calls, 1);
    rig_destroy(&rig);
}

// While a ready descriptor waits for the machine, the watcher sleeps.
static void wait_for_kicks(struct rig *rig, unsigned kicks)
{
    int64_t end = now_ns() + 2000000000;
    while (atomic_load(&rig->kicks) < kicks && now_ns() < end)
        sleep_ms(1);
    assert_int_equal(atomic_load(&rig->kicks), kicks);
}

// What was seen and is not yet delivered does not kick again, until it is forgotten.
static void test_rearm(void **state)
{
    struct rig rig;
    uint8_t byte;
    rig_create(&rig);
    rig.watch = event_loop_watch(rig.loop, rig.pipe[0], EVENT_READ, on_read, &rig);
    assert_int_equal(write(rig.pipe[1], "a", 1), 1);
    wait_for_kicks(&rig, 1);
    assert_int_equal(read(rig.pipe[0], &byte, 1), 1); // not by the callback
    fd_watch_rearm(rig.watch);
    sleep_ms(5);
    assert_int_equal(atomic_load(&rig.kicks), 1);
    assert_int_equal(write(rig.pipe[1], "b", 1), 1);
    wait_for_kicks(&rig, 2);
    run_until(&rig, &rig.calls, 1);
    rig_destroy(&rig);
}

static void test_no_spinning(void **state)
{
    struct rig rig;
    rig_create(&rig);
    rig.watch = event_loop_watch(rig.loop, rig.pipe[0], EVENT_READ, on_ready, &rig);
    assert_int_equal(write(rig.pipe[1], "a", 1), 1);
    struct timespec before, after;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    sleep_ms(100);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    int64_t used =
        (after.tv_sec - before.tv_sec) * INT64_C(1000000000) + after.tv_nsec - before.tv_nsec;
    assert_true(used < 50000000);
    assert_true(atomic_load(&rig.kicks) <= 2);
    rig_destroy(&rig);
}

static void on_read_remove(void *self, unsigned events)
{
    struct rig *rig = self;
    rig->calls++;
    fd_watch_remove(rig->watch);
    fd_watch_remove(rig->other); // as ready as this one
    rig->watch = NULL;
    rig->other = NULL;
}

static void test_removal_inside_callback(void **state)
{
    for (int round = 0; round < 200; round++) {
        struct rig rig;
        rig_create(&rig);
        rig.watch = event_loop_watch(rig.loop, rig.pipe[0], EVENT_READ, on_read_remove, &rig);
        rig.other = event_loop_watch(rig.loop, rig.pipe[0], EVENT_READ, on_read_remove, &rig);
        assert_int_equal(write(rig.pipe[1], "a", 1), 1);
        run_until(&rig, &rig.calls, 1);
        event_loop_run(rig.loop, 100000);
        assert_int_equal(rig.calls, 1);
        // A new watch in its place.
        rig.watch = event_loop_watch(rig.loop, rig.pipe[0], EVENT_READ, on_read, &rig);
        run_until(&rig, &rig.calls, 2);
        rig_destroy(&rig);
    }
}

static void on_read_nested(void *self, unsigned events)
{
    struct rig *rig = self;
    rig->calls++;
    uint8_t byte;
    assert_int_equal(read(rig->pipe[0], &byte, 1), 1);
    event_loop_run(rig->loop, 1000000); // does not call this watch again
}

static void test_nested_run(void **state)
{
    struct rig rig;
    rig_create(&rig);
    rig.watch = event_loop_watch(rig.loop, rig.pipe[0], EVENT_READ, on_read_nested, &rig);
    assert_int_equal(write(rig.pipe[1], "ab", 2), 2);
    run_until(&rig, &rig.calls, 2);
    assert_int_equal(rig.calls, 2);
    rig_destroy(&rig);
}

struct poster {
    struct rig *rig;
    unsigned last; // of its posts that ran
};

struct job {
    struct poster *poster;
    unsigned number;
};

#define POSTS 2000

static struct job jobs[4][POSTS];

static void on_post(void *self)
{
    struct job *job = self;
    assert_int_equal(job->number, job->poster->last + 1); // in order
    job->poster->last = job->number;
    job->poster->rig->posts++;
}

static void *post_many(void *opaque)
{
    struct job *list = opaque;
    for (unsigned i = 0; i < POSTS; i++)
        event_loop_post(list[i].poster->rig->loop, on_post, &list[i]);
    return NULL;
}

static void test_posts_from_threads(void **state)
{
    struct rig rig;
    rig_create(&rig);
    struct poster posters[4];
    pthread_t threads[4];
    for (int t = 0; t < 4; t++) {
        posters[t] = (struct poster){.rig = &rig};
        for (unsigned i = 0; i < POSTS; i++)
            jobs[t][i] = (struct job){.poster = &posters[t], .number = i + 1};
        assert_int_equal(pthread_create(&threads[t], NULL, post_many, jobs[t]), 0);
    }
    run_until(&rig, &rig.posts, 4 * POSTS);
    for (int t = 0; t < 4; t++)
        pthread_join(threads[t], NULL);
    assert_int_equal(rig.posts, 4 * POSTS);
    post_many(jobs[0]); // destroyed with posts that never run
    rig_destroy(&rig);
}

static void post_again(void *self)
{
    struct rig *rig = self;
    rig->posts++;
    if (rig->posts < 10)
        event_loop_post(rig->loop, post_again, rig);
}

static void test_post_inside_post(void **state)
{
    struct rig rig;
    rig_create(&rig);
    event_loop_post(rig.loop, post_again, &rig);
    assert_true(event_loop_pending(rig.loop));
    event_loop_run(rig.loop, 0);
    assert_int_equal(rig.posts, 1); // the rest runs in later calls
    for (int i = 0; i < 9; i++)
        event_loop_run(rig.loop, 0);
    assert_int_equal(rig.posts, 10);
    assert_false(event_loop_pending(rig.loop));
    rig_destroy(&rig);
}

static void *wake_later(void *opaque)
{
    sleep_ms(20);
    event_loop_wake(((struct rig *)opaque)->loop);
    return NULL;
}

static void test_wake_and_timeout(void **state)
{
    struct rig rig;
    rig_create(&rig);
    int64_t start = now_ns();
    event_loop_run(rig.loop, 20000000);
    int64_t took = now_ns() - start;
    assert_true(took >= 19000000 && took < 2000000000);
    pthread_t thread;
    pthread_create(&thread, NULL, wake_later, &rig);
    event_loop_run(rig.loop, -1);
    pthread_join(thread, NULL);
    event_loop_wake(rig.loop); // before the wait: it does not wait
    start = now_ns();
    event_loop_run(rig.loop, -1);
    assert_true(now_ns() - start < 1000000000);
    rig_destroy(&rig);
}

static struct event_loop *signalled_loop;

static void on_alarm(int number)
{
    event_loop_wake(signalled_loop);
}

static void test_wake_from_signal(void **state)
{
    struct rig rig;
    rig_create(&rig);
    signalled_loop = rig.loop;
    signal(SIGALRM, on_alarm);
    ualarm(20000, 0);
    int64_t start = now_ns();
    event_loop_run(rig.loop, 5000000000);
    assert_true(now_ns() - start < 4000000000);
    signal(SIGALRM, SIG_DFL);
    rig_destroy(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_pause_and_write),
        cmocka_unit_test(test_pause_drops_what_was_seen),
        cmocka_unit_test(test_rearm),
        cmocka_unit_test(test_no_spinning),
        cmocka_unit_test(test_removal_inside_callback),
        cmocka_unit_test(test_nested_run),
        cmocka_unit_test(test_posts_from_threads),
        cmocka_unit_test(test_post_inside_post),
        cmocka_unit_test(test_wake_and_timeout),
        cmocka_unit_test(test_wake_from_signal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
