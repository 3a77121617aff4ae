// SPDX-License-Identifier: MIT
// 16550A: registers, FIFOs, interrupts and pacing, and the probes that Linux's 8250 driver makes.
#include "isa_bench.h"

#include <stdio.h>
#include <unistd.h>

#include "devices/uart16550.h"

enum { THR = 0x3f8, IER = 0x3f9, IIR = 0x3fa, LCR = 0x3fb, MCR = 0x3fc, LSR = 0x3fd, MSR = 0x3fe };
enum { SCR = 0x3ff, CHARACTER = 86805 }; // ns at 115200 8N1

struct fixture {
    struct bench b;
    struct bench_pin irq;
    struct event_loop *loop;
    struct chardev *chardev;
    char path[64];
    struct uart16550 *uart;
};

static void kick(void *opaque)
{
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct error err = {{0}};
    char spec[80];
    bench_init(&f->b);
    f->loop = event_loop_create(kick, f, &err);
    assert_non_null(f->loop);
    strcpy(f->path, "/tmp/test_uart16550.XXXXXX");
    close(mkstemp(f->path));
    snprintf(spec, sizeof spec, "file:%s", f->path);
    f->chardev = chardev_open(f->loop, spec, &err);
    assert_non_null(f->chardev);
    f->uart = uart16550_create(
        f->b.clock, f->b.ports, f->b.registry,
        &(struct uart16550_config){
            .name = "uart0", .base = 0x3f8, .irq = bench_line(&f->irq), .chardev = f->chardev});
    out8(&f->b, LCR, 0x83);
    out8(&f->b, THR, 1); // 115200
    out8(&f->b, IER, 0);
    out8(&f->b, LCR, 0x03);
    out8(&f->b, MCR, 0x0b);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    uart16550_destroy(f->uart);
    chardev_close(f->chardev);
    event_loop_destroy(f->loop);
    unlink(f->path);
    bench_done(&f->b);
    free(f);
    return 0;
}

static void assert_sent(struct fixture *f, const char *text)
{
    char data[256] = {0};
    FILE *in = fopen(f->path, "r");
    assert_non_null(in);
    size_t length = fread(data, 1, sizeof data - 1, in);
    fclose(in);
    assert_int_equal(length, strlen(text));
    assert_string_equal(data, text);
}

static void receive(struct fixture *f, const char *text)
{
    assert_int_equal(uart16550_receive(f->uart, (const uint8_t *)text, strlen(text)), strlen(text));
}

static void test_registers(void **state)
{
    struct fixture *f = *state;
    out8(&f->b, SCR, 0xa5);
    assert_int_equal(in8(&f->b, SCR), 0xa5);
    out8(&f->b, IER, 0xff);
    assert_int_equal(in8(&f->b, IER), 0x0f);
    out8(&f->b, IER, 0);
    assert_int_equal(in8(&f->b, LSR), 0x60);
    assert_int_equal(in8(&f->b, MSR), 0xb0);
    assert_int_equal(in8(&f->b, IIR), 0x01);
    out8(&f->b, LCR, 0x80);
    out8(&f->b, THR, 0x34);
    out8(&f->b, IER, 0x12);
    assert_int_equal(in8(&f->b, THR), 0x34);
    assert_int_equal(in8(&f->b, IER), 0x12);
    out8(&f->b, LCR, 0x03);
    assert_int_equal(in8(&f->b, IER), 0x00);
    out8(&f->b, MCR, 0xff);
    assert_int_equal(in8(&f->b, MCR), 0x1f);
}

// drivers/tty/serial/8250: what tells a 16550A from its relatives.
static void test_linux_autoconfig(void **state)
{
    struct fixture *f = *state;
    out8(&f->b, IER, 0x00);
    assert_int_equal(in8(&f->b, IER) & 0x0f, 0x00);
    out8(&f->b, IER, 0x0f);
    assert_int_equal(in8(&f->b, IER) & 0x0f, 0x0f);
    out8(&f->b, IER, 0x00);
    out8(&f->b, MCR, 0x10 | 0x0a);
    assert_int_equal(in8(&f->b, MSR) & 0xf0, 0x90);
    out8(&f->b, MCR, 0x0b);
    out8(&f->b, LCR, 0xbf);
    out8(&f->b, IIR, 0x00);
    out8(&f->b, LCR, 0x00);
    out8(&f->b, IIR, 0x01);
    assert_int_equal(in8(&f->b, IIR) >> 6, 3); // a 16550A
    out8(&f->b, LCR, 0x80);
    assert_int_not_equal(in8(&f->b, IIR), 0); // no EFR
    out8(&f->b, LCR, 0x00);
    out8(&f->b, IIR, 0x21);
    assert_int_equal(in8(&f->b, IIR) >> 5, 6); // not a TI16750
    out8(&f->b, LCR, 0x03);
    // THRE must be raised again each time it is enabled.
    for (int i = 0; i < 2; i++) {
        out8(&f->b, IER, 0x02);
        assert_true(f->irq.level);
        assert_int_equal(in8(&f->b, IIR) & 0x0f, 0x02);
        assert_int_equal(in8(&f->b, IIR) & 0x0f, 0x01);
        assert_false(f->irq.level);
        out8(&f->b, IER, 0x00);
    }
    out8(&f->b, IER, 0x02);
    assert_int_equal(in8(&f->b, LSR), 0x60);
    assert_int_equal(in8(&f->b, IIR) & 0x0f, 0x02); // LSR does not eat it
}

static void test_transmit_polled(void **state)
{
    struct fixture *f = *state;
    for (const char *p = "hello"; *p; p++) {
        assert_true(in8(&f->b, LSR) & 0x20);
        out8(&f->b, THR, (uint8_t)*p);
    }
    assert_int_equal(in8(&f->b, LSR), 0x60);
    assert_sent(f, "hello");
    // Without polling nothing is lost either, with or without FIFOs.
    for (const char *p = " careless world, longer than a FIFO"; *p; p++)
        out8(&f->b, THR, (uint8_t)*p);
    out8(&f->b, IIR, 0x01);
    for (const char *p = " careless world, longer than a FIFO"; *p; p++)
        out8(&f->b, THR, (uint8_t)*p);
    bench_run(&f->b, 17 * CHARACTER);
    assert_sent(f, "hello careless world, longer than a FIFO careless world, longer than a FIFO");
}

static void test_transmit_paced(void **state)
{
    struct fixture *f = *state;
    out8(&f->b, IIR, 0x01);
    out8(&f->b, IER, 0x02);
    assert_int_equal(in8(&f->b, IIR), 0xc2);
    unsigned rises = f->irq.rises;
    for (int i = 0; i < 16; i++)
        out8(&f->b, THR, 'a' + (unsigned)i);
    assert_false(f->irq.level);
    bench_run(&f->b, 15 * CHARACTER - 100);
    assert_false(f->irq.level);
    bench_run(&f->b, 200);
    assert_true(f->irq.level);
    assert_int_equal(f->irq.rises, rises + 1);
    assert_sent(f, "abcdefghijklmnop");
    assert_int_equal(in8(&f->b, IIR), 0xc2);
    assert_false(f->irq.level);
    // One byte goes to the shift register at once: the holding register is free again.
    bench_run(&f->b, 20 * CHARACTER);
    out8(&f->b, THR, 'q');
    bench_run(&f->b, 0);
    assert_true(f->irq.level);
    out8(&f->b, THR, 'r');
    assert_false(f->irq.level);
    bench_run(&f->b, CHARACTER + 10);
    assert_true(f->irq.level);
    bench_check_snapshot(&f->b);
}

static void test_receive(void **state)
{
    struct fixture *f = *state;
    out8(&f->b, IER, 0x01);
    assert_int_equal(uart16550_can_receive(f->uart), 1);
    receive(f, "x");
    assert_int_equal(uart16550_can_receive(f->uart), 0);
    assert_true(f->irq.level);
    assert_int_equal(in8(&f->b, IIR), 0x04);
    assert_int_equal(in8(&f->b, LSR), 0x61);
    assert_int_equal(in8(&f->b, THR), 'x');
    assert_false(f->irq.level);
    assert_int_equal(in8(&f->b, LSR), 0x60);

    out8(&f->b, IIR, 0x81); // FIFOs, trigger at 8
    receive(f, "1234567");
    assert_false(f->irq.level);
    receive(f, "8");
    assert_int_equal(in8(&f->b, IIR), 0xc4);
    assert_int_equal(in8(&f->b, THR), '1');
    assert_false(f->irq.level);
    // Below the trigger level: character timeout after 4 characters.
    bench_run(&f->b, 4 * CHARACTER - 100);
    assert_false(f->irq.level);
    bench_run(&f->b, 200);
    assert_true(f->irq.level);
    assert_int_equal(in8(&f->b, IIR), 0xcc);
    for (unsigned c = '2'; c <= '8'; c++)
        assert_int_equal(in8(&f->b, THR), c);
    assert_int_equal(in8(&f->b, IIR), 0xc1);
    assert_int_equal(in8(&f->b, THR), 0);
    receive(f, "0123456789abcdef");
    assert_int_equal(uart16550_receive(f->uart, (const uint8_t *)"g", 1), 0);
    out8(&f->b, IIR, 0x03); // clears the receiver
    assert_int_equal(in8(&f->b, LSR), 0x60);
    assert_int_equal(uart16550_can_receive(f->uart), 16);
}

static void test_line_status(void **state)
{
    struct fixture *f = *state;
    out8(&f->b, IIR, 0x01);
    out8(&f->b, IER, 0x0f);
    in8(&f->b, IIR);
    receive(f, "a");
    uart16550_receive_break(f->uart);
    assert_int_equal(in8(&f->b, IIR), 0xc4); // the break is not at the top yet
    assert_int_equal(in8(&f->b, LSR), 0xe1); // but it is in the FIFO
    assert_int_equal(in8(&f->b, THR), 'a');
    assert_int_equal(in8(&f->b, IIR), 0xc6);
    assert_int_equal(in8(&f->b, LSR), 0xf1);
    assert_int_equal(in8(&f->b, LSR), 0x61);
    assert_int_equal(in8(&f->b, IIR), 0xc4);
    assert_int_equal(in8(&f->b, THR), 0);
    assert_int_equal(in8(&f->b, IIR), 0xc1);
}

static void test_loopback(void **state)
{
    struct fixture *f = *state;
    in8(&f->b, MSR);
    out8(&f->b, IER, 0x01);
    out8(&f->b, MCR, 0x1b);
    assert_int_equal(uart16550_can_receive(f->uart), 0);
    out8(&f->b, THR, 0x5a);
    assert_false(f->irq.level); // OUT2 is disconnected
    assert_int_equal(in8(&f->b, IIR), 0x04);
    out8(&f->b, THR, 0xa5); // overruns the receiver
    assert_int_equal(in8(&f->b, LSR), 0x63);
    assert_int_equal(in8(&f->b, THR), 0xa5);
    out8(&f->b, IIR, 0x01);
    for (int i = 0; i < 17; i++)
        out8(&f->b, THR, (unsigned)i);
    assert_int_equal(in8(&f->b, LSR), 0x63);
    for (int i = 0; i < 16; i++)
        assert_int_equal(in8(&f->b, THR), i);
    assert_int_equal(in8(&f->b, LSR), 0x60);
    out8(&f->b, LCR, 0x43); // break
    assert_int_equal(in8(&f->b, LSR), 0xf1);
    assert_int_equal(in8(&f->b, THR), 0);
    out8(&f->b, LCR, 0x00); // five bits
    out8(&f->b, THR, 0xff);
    assert_int_equal(in8(&f->b, THR), 0x1f);
    assert_sent(f, "");
    // Modem lines: each output shows at its input, with deltas.
    in8(&f->b, MSR);
    out8(&f->b, MCR, 0x10);
    assert_int_equal(in8(&f->b, MSR), 0x0b); // CTS, DSR, DCD fell
    out8(&f->b, MCR, 0x14);
    assert_int_equal(in8(&f->b, MSR), 0x40); // a rising ring is no event
    out8(&f->b, IER, 0x08);
    out8(&f->b, MCR, 0x10);
    assert_int_equal(in8(&f->b, IIR), 0xc0);
    assert_int_equal(in8(&f->b, MSR), 0x04); // its end is
    assert_int_equal(in8(&f->b, IIR), 0xc1);
}

static void test_priorities_and_out2(void **state)
{
    struct fixture *f = *state;
    out8(&f->b, IER, 0x0f);
    receive(f, "x");
    out8(&f->b, MCR, 0x1b), out8(&f->b, MCR, 0x0b); // delta CTS.. while nothing changed: none
    out8(&f->b, MCR, 0x10), out8(&f->b, MCR, 0x0b); // now some
    uart16550_receive_break(f->uart);               // overrun and break
    assert_int_equal(in8(&f->b, IIR), 0x06);
    assert_true(in8(&f->b, LSR) & 0x12);
    assert_int_equal(in8(&f->b, IIR), 0x04);
    in8(&f->b, THR);
    assert_int_equal(in8(&f->b, IIR), 0x02);
    assert_int_equal(in8(&f->b, IIR), 0x00);
    assert_true(f->irq.level);
    out8(&f->b, MCR, 0x03); // OUT2 off
    assert_false(f->irq.level);
    out8(&f->b, MCR, 0x0b);
    assert_true(f->irq.level);
    in8(&f->b, MSR);
    assert_int_equal(in8(&f->b, IIR), 0x01);
    uart16550_reset(f->uart);
    assert_int_equal(in8(&f->b, IER), 0);
    assert_int_equal(in8(&f->b, LSR), 0x60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_registers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_linux_autoconfig, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transmit_polled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transmit_paced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_receive, setup, teardown),
        cmocka_unit_test_setup_teardown(test_line_status, setup, teardown),
        cmocka_unit_test_setup_teardown(test_loopback, setup, teardown),
        cmocka_unit_test_setup_teardown(test_priorities_and_out2, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
