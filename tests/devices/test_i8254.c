// SPDX-License-Identifier: MIT
// 8254 and system control port B: counts and edges to the tick, on the virtual clock.
#include "isa_bench.h"

#include "devices/i8254.h"
#include "devices/port61.h"

struct fixture {
    struct bench b;
    struct bench_pin irq0;
    struct i8254 *pit;
    struct port61 *port61;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    bench_init(&f->b);
    f->pit = i8254_create(f->b.clock, f->b.ports, f->b.registry, bench_line(&f->irq0));
    f->port61 = port61_create(f->b.clock, f->b.ports, f->b.registry, f->pit);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    port61_destroy(f->port61);
    i8254_destroy(f->pit);
    bench_done(&f->b);
    free(f);
    return 0;
}

// Moves to the first nanosecond of a tick.
static void to_tick(struct fixture *f, int64_t tick)
{
    int64_t ns = (int64_t)(((unsigned __int128)tick * 1000000000u + I8254_HZ - 1) / I8254_HZ);
    bench_run_to(&f->b, ns);
}

static unsigned count16(struct fixture *f, unsigned channel)
{
    out8(&f->b, 0x43, channel << 6);
    unsigned low = in8(&f->b, (uint16_t)(0x40 + channel));
    return low | (unsigned)in8(&f->b, (uint16_t)(0x40 + channel)) << 8;
}

static void load16(struct fixture *f, unsigned channel, unsigned mode, unsigned count)
{
    out8(&f->b, 0x43, channel << 6 | 0x30 | mode << 1);
    out8(&f->b, (uint16_t)(0x40 + channel), count & 0xff);
    out8(&f->b, (uint16_t)(0x40 + channel), count >> 8);
}

static uint8_t status(struct fixture *f, unsigned channel)
{
    out8(&f->b, 0x43, 0xe0 | 2u << channel);
    return in8(&f->b, (uint16_t)(0x40 + channel));
}

static void test_mode0(void **state)
{
    struct fixture *f = *state;
    load16(f, 0, 0, 100);
    assert_false(f->irq0.level);
    unsigned rises = f->irq0.rises;
    to_tick(f, 51); // loaded at tick 1
    assert_int_equal(count16(f, 0), 50);
    to_tick(f, 100);
    assert_false(f->irq0.level);
    to_tick(f, 101); // N + 1 CLKs after the write
    assert_true(f->irq0.level);
    assert_int_equal(f->irq0.rises, rises + 1);
    assert_int_equal(count16(f, 0), 0);
    to_tick(f, 102);
    assert_int_equal(count16(f, 0), 0xffff);
    to_tick(f, 200000);
    assert_int_equal(f->irq0.rises, rises + 1);
    // The first byte of a new count stops it and takes OUT down.
    out8(&f->b, 0x40, 10);
    assert_false(f->irq0.level);
    to_tick(f, 300000);
    assert_false(f->irq0.level);
    out8(&f->b, 0x40, 0);
    to_tick(f, 300010);
    assert_false(f->irq0.level);
    to_tick(f, 300011);
    assert_true(f->irq0.level);
}

static void test_mode2_rate(void **state)
{
    struct fixture *f = *state;
    load16(f, 0, 2, 11932);
    unsigned rises = f->irq0.rises;
    to_tick(f, 1);
    assert_int_equal(count16(f, 0), 11932);
    to_tick(f, 11932);
    assert_int_equal(f->irq0.rises, rises);
    assert_int_equal(count16(f, 0), 1);
    assert_false(i8254_output(f->pit, 0));
    to_tick(f, 11933);
    assert_int_equal(f->irq0.rises, rises + 1);
    assert_int_equal(count16(f, 0), 11932);
    to_tick(f, 1 + 11932 * 100);
    assert_int_equal(f->irq0.rises, rises + 100);
    // A new count waits for the end of the period.
    out8(&f->b, 0x40, 0xe8);
    out8(&f->b, 0x40, 0x03);
    assert_true(status(f, 0) & 0x40);
    to_tick(f, 11932 * 101);
    assert_int_equal(f->irq0.rises, rises + 100);
    to_tick(f, 1 + 11932 * 101);
    assert_int_equal(f->irq0.rises, rises + 101);
    assert_false(status(f, 0) & 0x40);
    to_tick(f, 1 + 11932 * 101 + 1000);
    assert_int_equal(f->irq0.rises, rises + 102);
    to_tick(f, 1 + 11932 * 101 + 10000);
    assert_int_equal(f->irq0.rises, rises + 111);
}

static void test_mode3_square(void **state)
{
    struct fixture *f = *state;
    load16(f, 0, 3, 7); // odd: 4 high, 3 low
    to_tick(f, 1);
    static const bool out[14] = {1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0};
    static const unsigned counts[7] = {6, 4, 2, 0, 6, 4, 2};
    for (int i = 0; i < 14; i++) {
        to_tick(f, 1 + i);
        assert_int_equal(f->irq0.level, out[i]);
        assert_int_equal(count16(f, 0), counts[i % 7]);
    }
    load16(f, 0, 3, 0); // 65536
    int64_t start = 15;
    to_tick(f, start + 32767);
    assert_true(f->irq0.level);
    to_tick(f, start + 32768);
    assert_false(f->irq0.level);
    // A new count begins with the next half: the low half is 50 long then.
    out8(&f->b, 0x40, 100);
    out8(&f->b, 0x40, 0);
    to_tick(f, start + 65535);
    assert_false(f->irq0.level);
    to_tick(f, start + 65536);
    assert_true(f->irq0.level);
    to_tick(f, start + 65536 + 49);
    assert_true(f->irq0.level);
    to_tick(f, start + 65536 + 50);
    assert_false(f->irq0.level);
    to_tick(f, start + 65536 + 100);
    assert_true(f->irq0.level);
    out8(&f->b, 0x40, 200); // written in the high half: low for 100
    out8(&f->b, 0x40, 0);
    to_tick(f, start + 65536 + 150);
    assert_false(f->irq0.level);
    to_tick(f, start + 65536 + 249);
    assert_false(f->irq0.level);
    to_tick(f, start + 65536 + 250);
    assert_true(f->irq0.level);
}

static void test_one_shot_and_strobes(void **state)
{
    struct fixture *f = *state;
    load16(f, 2, 1, 50);
    assert_true(i8254_output(f->pit, 2));
    to_tick(f, 100);
    assert_true(i8254_output(f->pit, 2)); // no trigger yet
    out8(&f->b, 0x61, 1);
    to_tick(f, 101);
    assert_false(i8254_output(f->pit, 2));
    out8(&f->b, 0x61, 0);
    to_tick(f, 131);
    out8(&f->b, 0x61, 1); // retriggers
    to_tick(f, 132 + 49);
    assert_false(i8254_output(f->pit, 2));
    to_tick(f, 132 + 50);
    assert_true(i8254_output(f->pit, 2));

    load16(f, 2, 4, 20); // at tick 182
    to_tick(f, 182 + 20);
    assert_true(i8254_output(f->pit, 2));
    to_tick(f, 182 + 21);
    assert_false(i8254_output(f->pit, 2));
    to_tick(f, 182 + 22);
    assert_true(i8254_output(f->pit, 2));

    load16(f, 2, 5, 20);
    to_tick(f, 300);
    assert_true(i8254_output(f->pit, 2));
    out8(&f->b, 0x61, 0);
    out8(&f->b, 0x61, 1);
    to_tick(f, 321);
    assert_false(i8254_output(f->pit, 2));
    to_tick(f, 322);
    assert_true(i8254_output(f->pit, 2));
    load16(f, 0, 4, 20);
    unsigned rises = f->irq0.rises;
    to_tick(f, 322 + 21);
    assert_int_equal(f->irq0.rises, rises);
    to_tick(f, 322 + 22);
    assert_int_equal(f->irq0.rises, rises + 1);
    to_tick(f, 1000000);
    assert_int_equal(f->irq0.rises, rises + 1);
}

static void test_gate(void **state)
{
    struct fixture *f = *state;
    out8(&f->b, 0x61, 1);
    load16(f, 2, 0, 1000);
    to_tick(f, 101);
    out8(&f->b, 0x61, 0);
    to_tick(f, 5000);
    assert_int_equal(count16(f, 2), 900);
    out8(&f->b, 0x61, 1);
    to_tick(f, 5050);
    assert_int_equal(count16(f, 2), 850);
    load16(f, 2, 2, 1000);
    to_tick(f, 5551);
    out8(&f->b, 0x61, 0);
    assert_true(i8254_output(f->pit, 2));
    to_tick(f, 6000);
    out8(&f->b, 0x61, 1); // reloads
    to_tick(f, 6011);
    assert_int_equal(count16(f, 2), 990);
}

// The way Linux measures the TSC: channel 2, mode 0, port 0x61 bit 5.
static void test_calibration(void **state)
{
    struct fixture *f = *state;
    unsigned latch = 1193182 / 20; // 50 ms
    out8(&f->b, 0x61, (in8(&f->b, 0x61) & ~2u) | 1);
    out8(&f->b, 0x43, 0xb0);
    out8(&f->b, 0x42, latch & 0xff);
    out8(&f->b, 0x42, latch >> 8);
    int64_t start = clock_now(f->b.clock);
    assert_false(in8(&f->b, 0x61) & 0x20);
    int loops = 0;
    while (!(in8(&f->b, 0x61) & 0x20)) {
        bench_run(&f->b, 1000);
        assert_true(++loops < 100000);
    }
    int64_t ns = clock_now(f->b.clock) - start;
    assert_in_range(ns, 49999000, 50003000);
    // Refresh toggles.
    uint8_t toggle = in8(&f->b, 0x61) & 0x10;
    bench_run(&f->b, 15085);
    assert_int_not_equal(in8(&f->b, 0x61) & 0x10, toggle);
    assert_int_equal(port61_speaker_frequency(f->port61), 0);
    load16(f, 2, 3, 1193);
    out8(&f->b, 0x61, 3);
    assert_int_equal(port61_speaker_frequency(f->port61), 1000);
}

static void test_bcd_and_formats(void **state)
{
    struct fixture *f = *state;
    out8(&f->b, 0x43, 0x30 | 0x01 | 2 << 1); // mode 2, BCD
    out8(&f->b, 0x40, 0x00);
    out8(&f->b, 0x40, 0x10); // 1000
    to_tick(f, 1);
    assert_int_equal(count16(f, 0), 0x1000);
    to_tick(f, 2);
    assert_int_equal(count16(f, 0), 0x0999);
    to_tick(f, 1001);
    assert_int_equal(count16(f, 0), 0x1000);
    assert_int_equal(status(f, 0), 0x80 | 0x30 | 2 << 1 | 1);
    // Low byte only, high byte only.
    out8(&f->b, 0x43, 0x10);
    out8(&f->b, 0x40, 0x80);
    to_tick(f, 1002);
    assert_int_equal(in8(&f->b, 0x40), 0x80);
    assert_int_equal(in8(&f->b, 0x40), 0x80);
    out8(&f->b, 0x43, 0x20);
    out8(&f->b, 0x40, 0x12);
    to_tick(f, 1003);
    assert_int_equal(in8(&f->b, 0x40), 0x12);
    assert_int_equal(in8(&f->b, 0x43), 0xff);
}

static void test_latches(void **state)
{
    struct fixture *f = *state;
    load16(f, 0, 2, 50000);
    to_tick(f, 1001);
    out8(&f->b, 0x43, 0x00); // latch
    to_tick(f, 2001);
    out8(&f->b, 0x43, 0x00); // ignored: one is held
    assert_int_equal(in8(&f->b, 0x40), 49000 & 0xff);
    assert_int_equal(in8(&f->b, 0x40), 49000 >> 8);
    // Read-back of status and count: status comes first.
    out8(&f->b, 0x43, 0xc2);
    to_tick(f, 3001);
    assert_int_equal(in8(&f->b, 0x40), 0xb4);
    assert_int_equal(in8(&f->b, 0x40), 48000 & 0xff);
    assert_int_equal(in8(&f->b, 0x40), 48000 >> 8);
    assert_int_equal(in8(&f->b, 0x40), 47000 & 0xff);
    bench_check_snapshot(&f->b);
    assert_int_equal(in8(&f->b, 0x40), 47000 >> 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_mode0, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mode2_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mode3_square, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_shot_and_strobes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_calibration, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bcd_and_formats, setup, teardown),
        cmocka_unit_test_setup_teardown(test_latches, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
