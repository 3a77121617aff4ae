// SPDX-License-Identifier: MIT
// MC146818 real-time clock: time, formats, interrupts and memory through ports 0x70 and 0x71.
#include "isa_bench.h"

#include "devices/mc146818.h"

#define SECOND NANOSECONDS_PER_SECOND

struct fixture {
    struct bench b;
    struct bench_pin irq8;
    struct mc146818 *rtc;
};

static uint8_t get(struct fixture *f, unsigned index)
{
    out8(&f->b, 0x70, index);
    return in8(&f->b, 0x71);
}

static void put(struct fixture *f, unsigned index, unsigned value)
{
    out8(&f->b, 0x70, index);
    out8(&f->b, 0x71, value);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    bench_init(&f->b);
    // 1999-12-31 23:59:58, a Friday
    f->rtc =
        mc146818_create(f->b.clock, f->b.ports, f->b.registry, 946684798, bench_line(&f->irq8));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    mc146818_destroy(f->rtc);
    bench_done(&f->b);
    free(f);
    return 0;
}

static void assert_time(struct fixture *f, unsigned century, unsigned year, unsigned month,
                        unsigned day, unsigned hour, unsigned minute, unsigned second)
{
    assert_int_equal(get(f, 0x32), century);
    assert_int_equal(get(f, 9), year);
    assert_int_equal(get(f, 8), month);
    assert_int_equal(get(f, 7), day);
    assert_int_equal(get(f, 4), hour);
    assert_int_equal(get(f, 2), minute);
    assert_int_equal(get(f, 0), second);
}

static void test_time_runs(void **state)
{
    struct fixture *f = *state;
    assert_time(f, 0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x58);
    assert_int_equal(get(f, 6), 6);
    bench_run_to(&f->b, 2 * SECOND - 1);
    assert_time(f, 0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x59);
    bench_run_to(&f->b, 2 * SECOND);
    assert_time(f, 0x20, 0x00, 0x01, 0x01, 0x00, 0x00, 0x00);
    assert_int_equal(get(f, 6), 7);
    bench_run_to(&f->b, (2 + INT64_C(86400) * 59) * SECOND); // leap year
    assert_time(f, 0x20, 0x00, 0x02, 0x29, 0x00, 0x00, 0x00);
    assert_int_equal(mc146818_seconds(f->rtc), 951782400);
    assert_int_equal(get(f, 0x0d), 0x80);
}

static void test_uip(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(get(f, 0x0a), 0x26);
    bench_run_to(&f->b, SECOND - 2228001);
    assert_int_equal(get(f, 0x0a), 0x26);
    bench_run_to(&f->b, SECOND - 2228000);
    assert_int_equal(get(f, 0x0a), 0xa6);
    assert_int_equal(get(f, 0), 0x58);
    bench_run_to(&f->b, SECOND - 1);
    assert_int_equal(get(f, 0x0a), 0xa6);
    bench_run_to(&f->b, SECOND);
    assert_int_equal(get(f, 0x0a), 0x26);
    assert_int_equal(get(f, 0), 0x59);
    put(f, 0x0b, 0x82);
    bench_run_to(&f->b, 2 * SECOND - 1000);
    assert_int_equal(get(f, 0x0a), 0x26); // SET: no updates
}

static void test_formats(void **state)
{
    struct fixture *f = *state;
    put(f, 0x0b, 0x06); // binary, 24 hours
    assert_time(f, 19, 99, 12, 31, 23, 59, 58);
    put(f, 0x0b, 0x04); // binary, 12 hours
    assert_int_equal(get(f, 4), 0x80 | 11);
    put(f, 0x0b, 0x00); // BCD, 12 hours
    assert_int_equal(get(f, 4), 0x91);
    bench_run_to(&f->b, 2 * SECOND);
    assert_int_equal(get(f, 4), 0x12); // midnight
    bench_run_to(&f->b, (2 + 12 * 3600) * SECOND);
    assert_int_equal(get(f, 4), 0x92); // noon
    put(f, 4, 0x01);
    put(f, 0x0b, 0x02);
    assert_int_equal(get(f, 4), 0x01);
}

static void test_set_time(void **state)
{
    struct fixture *f = *state;
    bench_run(&f->b, SECOND / 4);
    // As Linux does it: SET, divider reset, registers, SET off, divider on.
    put(f, 0x0b, 0x82);
    put(f, 0x0a, 0x76);
    put(f, 9, 0x24), put(f, 8, 0x02), put(f, 7, 0x28), put(f, 0x32, 0x20);
    put(f, 4, 0x23), put(f, 2, 0x59), put(f, 0, 0x59), put(f, 6, 2);
    bench_run(&f->b, 3 * SECOND);
    put(f, 0x0b, 0x02);
    bench_run(&f->b, 3 * SECOND);
    assert_time(f, 0x20, 0x24, 0x02, 0x28, 0x23, 0x59, 0x59);
    put(f, 0x0a, 0x26);
    bench_run(&f->b, SECOND / 2 - 1);
    assert_time(f, 0x20, 0x24, 0x02, 0x28, 0x23, 0x59, 0x59);
    bench_run(&f->b, 1); // the first update comes after half a second
    assert_time(f, 0x20, 0x24, 0x02, 0x29, 0x00, 0x00, 0x00);
    assert_int_equal(get(f, 6), 3); // weekdays go on from what was written
    // A single register, while it runs.
    put(f, 2, 0x30);
    assert_time(f, 0x20, 0x24, 0x02, 0x29, 0x00, 0x30, 0x00);
    // Nonsense is brought into range.
    put(f, 8, 0xff);
    put(f, 7, 0xff);
    put(f, 0x32, 0xff);
    put(f, 9, 0xff);
    bench_run(&f->b, 5 * SECOND);
    unsigned month = get(f, 8);
    assert_in_range(month, 0x01, 0x12);
}

static void test_update_interrupt(void **state)
{
    struct fixture *f = *state;
    bench_run_to(&f->b, SECOND + 5);
    assert_int_equal(get(f, 0x0c), 0x50); // UF and PF come also when disabled
    assert_int_equal(get(f, 0x0c), 0x00);
    put(f, 0x0b, 0x12);
    bench_run_to(&f->b, 2 * SECOND - 1);
    assert_false(f->irq8.level);
    bench_run_to(&f->b, 2 * SECOND);
    assert_true(f->irq8.level);
    bench_run_to(&f->b, 4 * SECOND);
    assert_int_equal(f->irq8.rises, 1); // stays until C is read
    assert_int_equal(get(f, 0x0c) & 0x90, 0x90);
    assert_false(f->irq8.level);
    bench_run_to(&f->b, 5 * SECOND);
    assert_int_equal(f->irq8.rises, 2);
    put(f, 0x0b, 0x92); // SET clears UIE
    assert_int_equal(get(f, 0x0b), 0x82);
    assert_false(f->irq8.level);
}

static void test_periodic_interrupt(void **state)
{
    struct fixture *f = *state;
    put(f, 0x0b, 0x42);
    put(f, 0x0a, 0x2f); // 2 Hz
    bench_run_to(&f->b, SECOND / 2 - 1);
    get(f, 0x0c);
    assert_int_equal(f->irq8.rises, 0);
    bench_run_to(&f->b, SECOND / 2);
    assert_true(f->irq8.level);
    assert_int_equal(get(f, 0x0c), 0xc0);
    put(f, 0x0a, 0x26); // 1024 Hz
    int seen = 0;
    for (int i = 0; i < 10240; i++) {
        bench_run(&f->b, SECOND / 10240);
        if (f->irq8.level) {
            seen++;
            assert_int_equal(get(f, 0x0c) & 0xc0, 0xc0);
        }
    }
    assert_in_range(seen, 1023, 1024);
    put(f, 0x0a, 0x20); // rate 0: off
    get(f, 0x0c);
    bench_run(&f->b, SECOND / 100);
    assert_false(f->irq8.level);
    assert_int_equal(get(f, 0x0c), 0);
    put(f, 0x0a, 0x21); // 256 Hz
    bench_run(&f->b, SECOND / 256);
    assert_true(f->irq8.level);
}

static void test_alarm(void **state)
{
    struct fixture *f = *state;
    put(f, 5, 0x00), put(f, 3, 0x01), put(f, 1, 0x30); // 00:01:30
    put(f, 0x0b, 0x22);
    bench_run_to(&f->b, (2 + 90) * SECOND - 1);
    assert_int_equal(f->irq8.rises, 0);
    bench_run_to(&f->b, (2 + 90) * SECOND);
    assert_true(f->irq8.level);
    assert_int_equal(get(f, 0x0c) & 0xa0, 0xa0);
    bench_run_to(&f->b, (2 + 90 + 86400) * SECOND - 1);
    assert_int_equal(f->irq8.rises, 1);
    bench_run_to(&f->b, (2 + 90 + 86400) * SECOND);
    assert_int_equal(f->irq8.rises, 2);
    get(f, 0x0c);
    // Every minute at second 30.
    put(f, 5, 0xff), put(f, 3, 0xc0);
    for (unsigned i = 1; i <= 3; i++) {
        bench_run_to(&f->b, (2 + 90 + 86400 + 60 * i) * SECOND);
        assert_int_equal(f->irq8.rises, 2 + i);
        get(f, 0x0c);
    }
    // Never.
    put(f, 1, 0x77);
    bench_run(&f->b, 200 * SECOND);
    assert_int_equal(f->irq8.rises, 5);
    // 12-hour format: 01:00:00 PM.
    put(f, 0x0b, 0x20);
    put(f, 5, 0x81), put(f, 3, 0x00), put(f, 1, 0x00);
    bench_run_to(&f->b, (2 + 86400 + 13 * 3600) * SECOND);
    assert_int_equal(f->irq8.rises, 6);
}

static void test_memory_and_reset(void **state)
{
    struct fixture *f = *state;
    mc146818_set(f->rtc, 0x34, 0x5a);
    assert_int_equal(get(f, 0x34), 0x5a);
    put(f, 0x80 | 0x0f, 0xa5);
    assert_true(mc146818_nmi_masked(f->rtc));
    assert_int_equal(mc146818_get(f->rtc, 0x0f), 0xa5);
    put(f, 0x7f, 0x11);
    assert_int_equal(get(f, 0x7f), 0x11);
    put(f, 0x0d, 0);
    assert_int_equal(get(f, 0x0d), 0x80);
    put(f, 0x0b, 0x7a);
    bench_run(&f->b, SECOND);
    assert_true(f->irq8.level);
    bench_check_snapshot(&f->b);
    assert_true(f->irq8.level);
    mc146818_reset(f->rtc);
    assert_false(f->irq8.level);
    assert_int_equal(get(f, 0x0b), 0x02);
    assert_int_equal(get(f, 0x34), 0x5a);
    assert_int_equal(get(f, 0), 0x59);
    assert_int_equal(in8(&f->b, 0x70), 0xff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_time_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_uip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_formats, setup, teardown),
        cmocka_unit_test_setup_teardown(test_set_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_update_interrupt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_periodic_interrupt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_alarm, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory_and_reset, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
