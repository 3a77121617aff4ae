// SPDX-License-Identifier: MIT
// 8259A pair: what the data sheet and the PIIX say, seen through the ports.
#include "isa_bench.h"

#include <stdio.h>

#include "devices/i8259.h"

struct fixture {
    struct bench b;
    struct bench_pin intr;
    struct i8259_pair *pic;
};

static void program(struct fixture *f, unsigned icw1, unsigned icw4)
{
    out8(&f->b, 0x20, icw1);
    out8(&f->b, 0x21, 0x30);
    out8(&f->b, 0x21, 0x04);
    out8(&f->b, 0x21, icw4);
    out8(&f->b, 0xa0, icw1);
    out8(&f->b, 0xa1, 0x38);
    out8(&f->b, 0xa1, 0x02);
    out8(&f->b, 0xa1, icw4);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    bench_init(&f->b);
    f->pic = i8259_create(f->b.ports, &f->b.log, f->b.registry, bench_line(&f->intr));
    program(f, 0x11, 0x01);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    i8259_destroy(f->pic);
    bench_done(&f->b);
    free(f);
    return 0;
}

static void set(struct fixture *f, unsigned irq, bool level)
{
    struct irq_line line = i8259_input(f->pic, irq);
    irq_set(&line, level);
}

static void raise(struct fixture *f, unsigned irq)
{
    set(f, irq, false);
    set(f, irq, true);
}

static uint8_t isr(struct fixture *f, uint16_t base)
{
    out8(&f->b, base, 0x0b);
    return in8(&f->b, base);
}

static uint8_t irr(struct fixture *f, uint16_t base)
{
    out8(&f->b, base, 0x0a);
    return in8(&f->b, base);
}

static void test_priority_and_eoi(void **state)
{
    struct fixture *f = *state;
    assert_false(f->intr.level);
    raise(f, 4);
    raise(f, 1);
    assert_true(f->intr.level);
    assert_int_equal(irr(f, 0x20), 0x12);
    assert_int_equal(i8259_acknowledge(f->pic), 0x31);
    assert_int_equal(isr(f, 0x20), 0x02);
    assert_int_equal(irr(f, 0x20), 0x10);
    assert_false(f->intr.level); // 4 waits behind 1
    raise(f, 0);
    assert_true(f->intr.level); // 0 nests
    assert_int_equal(i8259_acknowledge(f->pic), 0x30);
    out8(&f->b, 0x20, 0x20);
    assert_int_equal(isr(f, 0x20), 0x02);
    out8(&f->b, 0x20, 0x61); // specific
    assert_int_equal(isr(f, 0x20), 0x00);
    assert_true(f->intr.level);
    assert_int_equal(i8259_acknowledge(f->pic), 0x34);
}

static void test_mask(void **state)
{
    struct fixture *f = *state;
    out8(&f->b, 0x21, 0xff);
    raise(f, 3);
    assert_false(f->intr.level);
    assert_int_equal(in8(&f->b, 0x21), 0xff);
    out8(&f->b, 0x21, 0xf7);
    assert_true(f->intr.level);
}

static void test_cascade(void **state)
{
    struct fixture *f = *state;
    raise(f, 12);
    assert_true(f->intr.level);
    assert_int_equal(i8259_acknowledge(f->pic), 0x3c);
    assert_int_equal(isr(f, 0x20), 0x04);
    assert_int_equal(isr(f, 0xa0), 0x10);
    raise(f, 8); // higher in the slave, but the master serves IR2
    assert_false(f->intr.level);
    out8(&f->b, 0xa0, 0x20);
    assert_false(f->intr.level);
    out8(&f->b, 0x20, 0x20);
    assert_true(f->intr.level);
    assert_int_equal(i8259_acknowledge(f->pic), 0x38);
    assert_null(i8259_input(f->pic, 2).set);
}

static void test_special_fully_nested(void **state)
{
    struct fixture *f = *state;
    program(f, 0x11, 0x11);
    raise(f, 12);
    assert_int_equal(i8259_acknowledge(f->pic), 0x3c);
    raise(f, 9);
    assert_true(f->intr.level); // the slave's higher request gets through
    assert_int_equal(i8259_acknowledge(f->pic), 0x39);
    assert_int_equal(isr(f, 0xa0), 0x12);
}

static void test_spurious(void **state)
{
    struct fixture *f = *state;
    raise(f, 5);
    set(f, 5, false); // gone before the acknowledge
    assert_false(f->intr.level);
    assert_int_equal(i8259_acknowledge(f->pic), 0x37);
    assert_int_equal(isr(f, 0x20), 0x00); // a spurious one is not in service
    // A request of the slave that goes away takes the master's with it.
    raise(f, 10);
    set(f, 10, false);
    assert_false(f->intr.level);
    assert_int_equal(i8259_acknowledge(f->pic), 0x37);
    assert_int_equal(isr(f, 0x20), 0x00);
    assert_int_equal(isr(f, 0xa0), 0x00);
}

static void test_edge_and_level(void **state)
{
    struct fixture *f = *state;
    raise(f, 5);
    assert_int_equal(i8259_acknowledge(f->pic), 0x35);
    out8(&f->b, 0x20, 0x20);
    assert_false(f->intr.level); // still high, but no new edge
    set(f, 5, false);
    out8(&f->b, 0x4d0, 0xff);
    out8(&f->b, 0x4d1, 0xff);
    assert_int_equal(in8(&f->b, 0x4d0), 0xf8); // 0..2 are edge for ever
    assert_int_equal(in8(&f->b, 0x4d1), 0xde);
    set(f, 5, true);
    assert_int_equal(i8259_acknowledge(f->pic), 0x35);
    out8(&f->b, 0x20, 0x20);
    assert_true(f->intr.level); // level: asks again
    set(f, 5, false);
    assert_false(f->intr.level);
    // Level on the slave: asked again through the cascade after both EOIs.
    set(f, 11, true);
    assert_int_equal(i8259_acknowledge(f->pic), 0x3b);
    out8(&f->b, 0xa0, 0x20);
    out8(&f->b, 0x20, 0x20);
    assert_true(f->intr.level);
    set(f, 11, false);
    assert_false(f->intr.level);
}

static void test_aeoi(void **state)
{
    struct fixture *f = *state;
    program(f, 0x11, 0x03);
    raise(f, 9);
    raise(f, 10);
    assert_int_equal(i8259_acknowledge(f->pic), 0x39);
    assert_int_equal(isr(f, 0x20), 0);
    assert_int_equal(isr(f, 0xa0), 0);
    assert_true(f->intr.level); // the cascade rises again for the second request
    assert_int_equal(i8259_acknowledge(f->pic), 0x3a);
    assert_false(f->intr.level);
    // Rotate in automatic EOI mode.
    out8(&f->b, 0x20, 0x80);
    raise(f, 3);
    assert_int_equal(i8259_acknowledge(f->pic), 0x33);
    raise(f, 1);
    raise(f, 4);
    assert_int_equal(i8259_acknowledge(f->pic), 0x34); // 3 became the lowest
}

static void test_rotation(void **state)
{
    struct fixture *f = *state;
    raise(f, 1);
    assert_int_equal(i8259_acknowledge(f->pic), 0x31);
    out8(&f->b, 0x20, 0xa0); // rotate on non-specific EOI
    raise(f, 1);
    raise(f, 6);
    assert_int_equal(i8259_acknowledge(f->pic), 0x36);
    out8(&f->b, 0x20, 0xe6); // rotate on specific EOI: 7 is the highest
    assert_int_equal(isr(f, 0x20), 0);
    raise(f, 7);
    assert_int_equal(i8259_acknowledge(f->pic), 0x37);
    out8(&f->b, 0x20, 0x20);
    out8(&f->b, 0x20, 0xc0); // set priority: 0 is the lowest
    raise(f, 0);
    assert_int_equal(i8259_acknowledge(f->pic), 0x31);
    out8(&f->b, 0x20, 0x20);
    assert_int_equal(i8259_acknowledge(f->pic), 0x30);
}

static void test_special_mask(void **state)
{
    struct fixture *f = *state;
    raise(f, 1);
    assert_int_equal(i8259_acknowledge(f->pic), 0x31);
    raise(f, 6);
    assert_false(f->intr.level);
    out8(&f->b, 0x21, 0x02);
    assert_false(f->intr.level);
    out8(&f->b, 0x20, 0x68); // special mask on
    assert_true(f->intr.level);
    assert_int_equal(i8259_acknowledge(f->pic), 0x36);
    out8(&f->b, 0x20, 0x20); // skips the masked level
    assert_int_equal(isr(f, 0x20), 0x02);
    out8(&f->b, 0x20, 0x48);
    out8(&f->b, 0x20, 0x20);
    assert_int_equal(isr(f, 0x20), 0x00);
}

static void test_poll(void **state)
{
    struct fixture *f = *state;
    out8(&f->b, 0x20, 0x0c);
    assert_int_equal(in8(&f->b, 0x20), 0x07);
    raise(f, 6);
    out8(&f->b, 0x20, 0x0c);
    assert_int_equal(in8(&f->b, 0x20), 0x86);
    assert_int_equal(isr(f, 0x20), 0x40);
    assert_false(f->intr.level);
}

static void test_initialisation(void **state)
{
    struct fixture *f = *state;
    raise(f, 3);
    out8(&f->b, 0x21, 0xff);
    out8(&f->b, 0x20, 0x12); // single, no ICW4
    assert_int_equal(in8(&f->b, 0x21), 0x00);
    assert_int_equal(irr(f, 0x20), 0x00); // edges must come again
    out8(&f->b, 0x21, 0x47);
    out8(&f->b, 0x21, 0xf0); // an OCW1 already
    assert_int_equal(in8(&f->b, 0x21), 0xf0);
    raise(f, 3);
    assert_int_equal(i8259_acknowledge(f->pic), 0x43);
}

static void test_snapshot_and_describe(void **state)
{
    struct fixture *f = *state;
    raise(f, 12);
    i8259_acknowledge(f->pic);
    bench_check_snapshot(&f->b);
    char text[1024] = {0};
    FILE *out = fmemopen(text, sizeof text - 1, "w");
    i8259_describe(f->pic, out);
    i8259_describe_counts(f->pic, out);
    fclose(out);
    assert_non_null(strstr(text, "pic1: irr=00 imr=00 isr=10"));
    assert_non_null(strstr(text, "12: 1\n"));
    assert_int_equal(i8259_irq_count(f->pic, 12), 1);
    i8259_reset(f->pic);
    assert_false(f->intr.level);
    assert_int_equal(isr(f, 0xa0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_priority_and_eoi, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mask, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cascade, setup, teardown),
        cmocka_unit_test_setup_teardown(test_special_fully_nested, setup, teardown),
        cmocka_unit_test_setup_teardown(test_spurious, setup, teardown),
        cmocka_unit_test_setup_teardown(test_edge_and_level, setup, teardown),
        cmocka_unit_test_setup_teardown(test_aeoi, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rotation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_special_mask, setup, teardown),
        cmocka_unit_test_setup_teardown(test_poll, setup, teardown),
        cmocka_unit_test_setup_teardown(test_initialisation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshot_and_describe, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
