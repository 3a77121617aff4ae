// SPDX-License-Identifier: MIT
// The small ports: debug console, isa-debug-exit, POST codes.
#include "isa_bench.h"

#include <stdio.h>
#include <unistd.h>

#include "devices/debug_exit.h"
#include "devices/debugcon.h"
#include "devices/pc_testdev.h"
#include "devices/post_port.h"

static void kick(void *opaque)
{
}

static void read_file(const char *path, char *text, size_t size)
{
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    text[fread(text, 1, size - 1, in)] = '\0';
    fclose(in);
}

static void test_debugcon(void **state)
{
    struct bench b;
    struct error err = {{0}};
    char path[] = "/tmp/test_debugcon.XXXXXX", spec[64], text[64];
    bench_init(&b);
    close(mkstemp(path));
    snprintf(spec, sizeof spec, "file:%s", path);
    struct event_loop *loop = event_loop_create(kick, NULL, &err);
    struct chardev *chardev = chardev_open(loop, spec, &err);
    struct debugcon *console = debugcon_create(b.ports, DEBUGCON_PORT, chardev);
    assert_int_equal(in8(&b, 0xe9), 0xe9);
    for (const char *p = "SeaBIOS\n"; *p; p++)
        out8(&b, 0xe9, (uint8_t)*p);
    read_file(path, text, sizeof text);
    assert_string_equal(text, "SeaBIOS\n");
    debugcon_destroy(console);
    assert_int_equal(in8(&b, 0xe9), 0xff);
    console = debugcon_create(b.ports, 0x402, NULL); // nobody listens
    assert_int_equal(debugcon_port(console), 0x402);
    out8(&b, 0x402, 'x');
    assert_int_equal(in8(&b, 0x402), 0xe9);
    debugcon_destroy(console);
    chardev_close(chardev);
    event_loop_destroy(loop);
    unlink(path);
    bench_done(&b);
}

static void written(void *self, uint32_t value)
{
    *(uint32_t *)self = value;
}

static void test_debug_exit(void **state)
{
    struct bench b;
    uint32_t value = 0;
    bench_init(&b);
    struct debug_exit *device = debug_exit_create(b.ports, 0xf4, 4, written, &value);
    out8(&b, 0xf4, 0x31);
    assert_int_equal(value, 0x31);
    portio_write(b.ports, 0xf4, 0x12345678, 4);
    assert_int_equal(value, 0x12345678);
    assert_int_equal(in8(&b, 0xf4), 0);
    debug_exit_destroy(device);
    device = debug_exit_create(b.ports, 0x501, 1, written, &value);
    out8(&b, 0x501, 7);
    assert_int_equal(value, 7);
    debug_exit_destroy(device);
    out8(&b, 0x501, 9);
    assert_int_equal(value, 7);
    bench_done(&b);
}

static void test_post(void **state)
{
    struct bench b;
    struct error err = {{0}};
    char path[] = "/tmp/test_post.XXXXXX", text[256];
    bench_init(&b);
    close(mkstemp(path));
    assert_true(log_set_file(&b.log, path, &err));
    struct post_port *post = post_port_create(b.ports, &b.log, b.registry, 0x190);
    out8(&b, 0x80, 0x11); // not logged
    b.log.mask = LOG_POST;
    out8(&b, 0x80, 0xa7);
    out8(&b, 0x190, 0xfe);
    assert_int_equal(in8(&b, 0x80), 0xa7);
    assert_int_equal(post_port_value(post), 0xa7);
    fflush(b.log.out);
    read_file(path, text, sizeof text);
    assert_string_equal(text, "post: a7\npost 190: fe\n");
    bench_check_snapshot(&b);
    post_port_destroy(post);
    bench_done(&b);
    unlink(path);
}

struct lines {
    uint32_t level, calls;
};

static void line_set(void *self, unsigned n, bool level)
{
    struct lines *lines = self;
    lines->level = level ? lines->level | 1u << n : lines->level & ~(1u << n);
    lines->calls++;
}

// What QEMU 7.2 answers to the same accesses.
static void test_testdev(void **state)
{
    struct bench b;
    struct lines lines = {0};
    bench_init(&b);
    struct physmem *mem = physmem_create(&b.log);
    struct pc_testdev *dev = pc_testdev_create(b.ports, mem, b.registry,
                                               (struct irq_line){.set = line_set, .self = &lines});
    portio_write(b.ports, 0xe0, 0x12345678, 4);
    assert_int_equal(in8(&b, 0xe1), 0x56);
    assert_int_equal(portio_read(b.ports, 0xe2, 2), 0x1234);
    assert_int_equal(portio_read(b.ports, 0xe9, 2), 0x3456);
    assert_int_equal(portio_read(b.ports, 0xe8, 4), 0x12345678);
    out8(&b, 0xe9, 0xaa);
    portio_write(b.ports, 0xe2, 0xbbcc, 2);
    assert_int_equal(portio_read(b.ports, 0xe0, 4), 0xbbccaa78);
    assert_int_equal(portio_read(b.ports, 0xe1, 2), 0xccaa);
    assert_int_equal(portio_read(b.ports, 0xe1, 4), 0x00bbccaa);
    portio_write(b.ports, 0xe4, 0x1000, 4);
    assert_int_equal(portio_read(b.ports, 0xe4, 4), 0);
    for (unsigned n = 0; n < PC_TESTDEV_LINES; n++) {
        out8(&b, 0x2000 + n, 1);
        assert_int_equal(lines.level, 1u << n);
        assert_int_equal(in8(&b, 0x2000 + n), 0);
        out8(&b, 0x2000 + n, 0);
        assert_int_equal(lines.level, 0);
    }
    assert_int_equal(in8(&b, 0x2018), 0xff);
    portio_write(b.ports, 0x2004, 0x01000180, 4); // one a byte
    assert_int_equal(lines.level, 0xb0);
    physmem_store(mem, 0xff000000, 0x1122334455667788, 8);
    assert_int_equal(physmem_load(mem, 0xff000003, 2), 0x4455);
    physmem_store(mem, 0xff00ffff, 0x9a, 1);
    assert_int_equal(physmem_load(mem, 0xff00fffe, 4), 0xffff9a00);
    bench_check_snapshot(&b);
    pc_testdev_reset(dev);
    assert_int_equal(lines.level, 0);
    assert_int_equal(physmem_load(mem, 0xff000000, 4), 0);
    assert_int_equal(portio_read(b.ports, 0xe0, 4), 0);
    pc_testdev_destroy(dev);
    assert_int_equal(in8(&b, 0xe0), 0xff);
    physmem_destroy(mem);
    bench_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_debugcon),
        cmocka_unit_test(test_debug_exit),
        cmocka_unit_test(test_post),
        cmocka_unit_test(test_testdev),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
