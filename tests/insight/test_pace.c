// SPDX-License-Identifier: MIT
// How often a search is repeated: by what the thread worked meanwhile, not by how long it waited.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "common/pace.h"

static int64_t worked(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void work(int64_t ns)
{
    int64_t end = worked() + ns;
    while (worked() < end)
        ;
}

static void test_first_is_due(void **state)
{
    struct pace p = {0};
    assert_true(pace_begin(&p));
}

static void test_waiting_does_not_count(void **state)
{
    struct pace p = {0};
    assert_true(pace_begin(&p));
    work(20 * 1000 * 1000);
    pace_end(&p, 8);
    nanosleep(&(struct timespec){.tv_nsec = 300 * 1000 * 1000}, NULL);
    assert_false(pace_begin(&p));
    work(40 * 1000 * 1000);
    assert_false(pace_begin(&p));
    work(130 * 1000 * 1000);
    assert_true(pace_begin(&p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_is_due),
        cmocka_unit_test(test_waiting_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
