// SPDX-License-Identifier: MIT
// The small ports: debug console, isa-debug-exit, POST codes.
#include "isa_bench.h"

#include <stdio.h>
#include <unistd.h>

#include "devices/debug_exit.h"
#include "devices/debugcon.h"
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
    assert_int_equal(in8(&b, 0x402), 0xe9);
    for (const char *p = "SeaBIOS\n"; *p; p++)
        out8(&b, 0x402, (uint8_t)*p);
    read_file(path, text, sizeof text);
    assert_string_equal(text, "SeaBIOS\n");
    debugcon_destroy(console);
    assert_int_equal(in8(&b, 0x402), 0xff);
    console = debugcon_create(b.ports, 0xe9, NULL); // nobody listens
    out8(&b, 0xe9, 'x');
    assert_int_equal(in8(&b, 0xe9), 0xe9);
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
    struct post_port *post = post_port_create(b.ports, &b.log, b.registry);
    out8(&b, 0x80, 0x11); // not logged
    b.log.mask = LOG_POST;
    out8(&b, 0x80, 0xa7);
    assert_int_equal(in8(&b, 0x80), 0xa7);
    assert_int_equal(post_port_value(post), 0xa7);
    fflush(b.log.out);
    read_file(path, text, sizeof text);
    assert_non_null(strstr(text, "a7"));
    assert_null(strstr(text, "11"));
    bench_check_snapshot(&b);
    post_port_destroy(post);
    bench_done(&b);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_debugcon),
        cmocka_unit_test(test_debug_exit),
        cmocka_unit_test(test_post),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
