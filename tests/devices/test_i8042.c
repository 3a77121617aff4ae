// SPDX-License-Identifier: MIT
// 8042 keyboard controller with keyboard and mouse, the key table and port 0x92, as firmware and
// Linux probe them.
#include "isa_bench.h"

#include "devices/i8042.h"
#include "devices/keymap.h"

struct fixture {
    struct bench b;
    struct bench_pin irq1, irq12, reset, a20;
    struct port92 *port92;
    struct i8042 *kbc;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    bench_init(&f->b);
    f->port92 =
        port92_create(f->b.ports, f->b.registry, bench_line(&f->a20), bench_line(&f->reset));
    f->kbc = i8042_create(f->b.ports, f->b.registry,
                          &(struct i8042_config){.irq1 = bench_line(&f->irq1),
                                                 .irq12 = bench_line(&f->irq12),
                                                 .reset = bench_line(&f->reset),
                                                 .a20 = f->port92});
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    i8042_destroy(f->kbc);
    port92_destroy(f->port92);
    bench_done(&f->b);
    free(f);
    return 0;
}

static void expect(struct fixture *f, unsigned byte)
{
    assert_int_equal(in8(&f->b, 0x64) & 0x21, 0x01);
    assert_int_equal(in8(&f->b, 0x60), byte);
}

static void expect_aux(struct fixture *f, unsigned byte)
{
    assert_int_equal(in8(&f->b, 0x64) & 0x21, 0x21);
    assert_int_equal(in8(&f->b, 0x60), byte);
}

static void expect_nothing(struct fixture *f)
{
    assert_int_equal(in8(&f->b, 0x64) & 0x01, 0);
}

static void command(struct fixture *f, unsigned byte)
{
    out8(&f->b, 0x64, byte);
}

static void command_data(struct fixture *f, unsigned byte, unsigned data)
{
    out8(&f->b, 0x64, byte);
    assert_true(in8(&f->b, 0x64) & 0x08);
    out8(&f->b, 0x60, data);
    assert_false(in8(&f->b, 0x64) & 0x08);
}

static void mouse(struct fixture *f, unsigned byte)
{
    command_data(f, 0xd4, byte);
}

static void press(struct fixture *f, const char *name, bool down)
{
    int key = keymap_find(name, strlen(name));
    assert_true(key >= 0);
    ps2_keyboard_key(i8042_keyboard(f->kbc), (uint8_t)key, down);
}

static void expect_bytes(struct fixture *f, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect(f, (uint8_t)bytes[i]);
    expect_nothing(f);
}

#define EXPECT(f, text) expect_bytes(f, text, sizeof(text) - 1)

static void test_controller(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(in8(&f->b, 0x64) & 0x04, 0);
    command(f, 0xaa);
    EXPECT(f, "\x55");
    assert_int_equal(in8(&f->b, 0x64) & 0x14, 0x14);
    command(f, 0xab);
    EXPECT(f, "\x00");
    command(f, 0xa9);
    EXPECT(f, "\x00");
    command_data(f, 0x60, 0x61);
    command(f, 0x20);
    EXPECT(f, "\x61");
    command(f, 0xa7);
    command(f, 0xad);
    command(f, 0x20);
    EXPECT(f, "\x71");
    command(f, 0xa8);
    command(f, 0xae);
    command(f, 0x20);
    EXPECT(f, "\x41");
    command_data(f, 0x65, 0x99); // RAM
    command(f, 0x25);
    EXPECT(f, "\x99");
    command(f, 0xc0);
    EXPECT(f, "\xb0");
    command(f, 0xa4);
    EXPECT(f, "\xf1");
    command_data(f, 0xd2, 0x77); // as if from the keyboard
    EXPECT(f, "\x77");
    command(f, 0xbf); // unknown: nothing
    expect_nothing(f);
}

// What Linux's i8042 driver asks: AUX loopback, AUX enable bit, interrupt on loopback, multiplexer
// probe.
static void test_linux_aux_probe(void **state)
{
    struct fixture *f = *state;
    command_data(f, 0x60, 0x65);
    static const uint8_t probes[] = {0x5a, 0xf0, 0x56, 0xa4, 0xf0, 0x56, 0xa5};
    for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
        command_data(f, 0xd3, probes[i]);
        expect_aux(f, probes[i]);
    }
    command(f, 0xa7);
    command(f, 0x20);
    expect(f, 0x65);
    command(f, 0xa8);
    command(f, 0x20);
    expect(f, 0x45);
    command_data(f, 0x60, 0x47); // AUX interrupt on
    unsigned rises = f->irq12.rises;
    command_data(f, 0xd3, 0xa5);
    assert_int_equal(f->irq12.rises, rises + 1);
    expect_aux(f, 0xa5);
    assert_false(f->irq12.level);
}

static void test_a20_and_reset(void **state)
{
    struct fixture *f = *state;
    assert_true(f->a20.level);
    command(f, 0xd0);
    assert_int_equal(in8(&f->b, 0x60) & 0x03, 0x03);
    command_data(f, 0xd1, 0xdd);
    assert_false(f->a20.level);
    assert_int_equal(in8(&f->b, 0x92), 0x00);
    out8(&f->b, 0x92, 0x02);
    assert_true(f->a20.level);
    command(f, 0xdd);
    assert_false(port92_a20(f->port92));
    command(f, 0xdf);
    assert_int_equal(in8(&f->b, 0x92), 0x02);
    assert_int_equal(f->reset.rises, 0);
    command(f, 0xff); // pulses nothing
    assert_int_equal(f->reset.rises, 0);
    command(f, 0xfe);
    assert_int_equal(f->reset.rises, 1);
    assert_false(f->reset.level);
    command_data(f, 0xd1, 0x02);
    assert_int_equal(f->reset.rises, 2);
    out8(&f->b, 0x92, 0x03);
    assert_int_equal(f->reset.rises, 3);
    out8(&f->b, 0x92, 0x03); // only the rising bit
    assert_int_equal(f->reset.rises, 3);
    out8(&f->b, 0x92, 0x00);
    port92_reset(f->port92);
    assert_true(f->a20.level);
}

static void test_keyboard_commands(void **state)
{
    struct fixture *f = *state;
    out8(&f->b, 0x60, 0xff);
    EXPECT(f, "\xfa\xaa");
    out8(&f->b, 0x60, 0xf2);
    EXPECT(f, "\xfa\xab\x83");
    out8(&f->b, 0x60, 0xed);
    EXPECT(f, "\xfa");
    out8(&f->b, 0x60, 0x05);
    EXPECT(f, "\xfa");
    assert_int_equal(ps2_keyboard_leds(i8042_keyboard(f->kbc)), 5);
    out8(&f->b, 0x60, 0xee);
    EXPECT(f, "\xee");
    out8(&f->b, 0x60, 0xf3);
    EXPECT(f, "\xfa");
    out8(&f->b, 0x60, 0x00);
    EXPECT(f, "\xfa");
    out8(&f->b, 0x60, 0xfe);
    EXPECT(f, "\xfa"); // once more
    out8(&f->b, 0x60, 0xef);
    EXPECT(f, "\xfe"); // unknown: resend
    out8(&f->b, 0x60, 0xf0);
    EXPECT(f, "\xfa");
    out8(&f->b, 0x60, 0x00);
    EXPECT(f, "\xfa\x02");
    out8(&f->b, 0x60, 0xf0);
    EXPECT(f, "\xfa");
    out8(&f->b, 0x60, 0x09);
    EXPECT(f, "\xfe");
    out8(&f->b, 0x60, 0x01);
    EXPECT(f, "\xfa");
    out8(&f->b, 0x60, 0xf5);
    EXPECT(f, "\xfa");
    press(f, "a", true);
    expect_nothing(f);
    out8(&f->b, 0x60, 0xf4);
    EXPECT(f, "\xfa");
    press(f, "a", true);
    EXPECT(f, "\x1c");
    // A command in place of a parameter.
    out8(&f->b, 0x60, 0xed);
    EXPECT(f, "\xfa");
    out8(&f->b, 0x60, 0xf4);
    EXPECT(f, "\xfa");
}

static void test_scan_codes(void **state)
{
    struct fixture *f = *state;
    press(f, "a", true), press(f, "a", false);
    EXPECT(f, "\x1c\xf0\x1c");
    press(f, "f7", true), press(f, "up", true), press(f, "up", false);
    EXPECT(f, "\x83\xe0\x75\xe0\xf0\x75");
    press(f, "pause", true), press(f, "pause", false);
    EXPECT(f, "\xe1\x14\x77\xe1\xf0\x14\xf0\x77");
    press(f, "print", true), press(f, "print", false);
    EXPECT(f, "\xe0\x12\xe0\x7c\xe0\xf0\x7c\xe0\xf0\x12");
    press(f, "alt", true), press(f, "print", true), press(f, "alt", false);
    EXPECT(f, "\x11\x84\xf0\x11");
    press(f, "print", false);
    in8(&f->b, 0x60), in8(&f->b, 0x60), in8(&f->b, 0x60), in8(&f->b, 0x60), in8(&f->b, 0x60);
    in8(&f->b, 0x60);
    expect_nothing(f);
    // Translated to set 1 by the controller.
    command_data(f, 0x60, 0x45);
    press(f, "a", true), press(f, "a", false);
    EXPECT(f, "\x1e\x9e");
    press(f, "up", true), press(f, "up", false);
    EXPECT(f, "\xe0\x48\xe0\xc8");
    press(f, "pause", true);
    EXPECT(f, "\xe1\x1d\x45\xe1\x9d\xc5");
    press(f, "ctrl", true), press(f, "pause", true), press(f, "ctrl", false);
    EXPECT(f, "\x1d\xe0\x46\xe0\xc6\x9d");
    press(f, "f7", true), press(f, "f7", false);
    EXPECT(f, "\x41\xc1");
    out8(&f->b, 0x60, 0xf2);
    EXPECT(f, "\xfa\xab\x41");
    command_data(f, 0x60, 0x05);
    // Set 1 of its own.
    out8(&f->b, 0x60, 0xf0);
    expect(f, 0xfa);
    out8(&f->b, 0x60, 1);
    expect(f, 0xfa);
    press(f, "right", true), press(f, "right", false);
    EXPECT(f, "\xe0\x4d\xe0\xcd");
    // Set 3: no releases but for some modifiers, until told.
    out8(&f->b, 0x60, 0xf0);
    expect(f, 0xfa);
    out8(&f->b, 0x60, 3);
    expect(f, 0xfa);
    press(f, "right", true), press(f, "right", false);
    EXPECT(f, "\x6a");
    press(f, "shift", true), press(f, "shift", false);
    EXPECT(f, "\x12\xf0\x12");
    out8(&f->b, 0x60, 0xfc); // make and break for one key
    expect(f, 0xfa);
    out8(&f->b, 0x60, 0x6a);
    expect(f, 0xfa);
    out8(&f->b, 0x60, 0xf4);
    expect(f, 0xfa);
    press(f, "right", true), press(f, "right", false), press(f, "a", true), press(f, "a", false);
    EXPECT(f, "\x6a\xf0\x6a\x1c");
    out8(&f->b, 0x60, 0xf8);
    expect(f, 0xfa);
    press(f, "a", true), press(f, "a", false);
    EXPECT(f, "\x1c\xf0\x1c");
}

static void test_keyboard_interrupt(void **state)
{
    struct fixture *f = *state;
    command_data(f, 0x60, 0x41);
    press(f, "a", true), press(f, "a", false);
    assert_true(f->irq1.level);
    assert_int_equal(f->irq1.rises, 1);
    expect(f, 0x1e);
    assert_int_equal(f->irq1.rises, 2); // fell and rose for the next byte
    assert_int_equal(f->irq1.falls, 1);
    expect(f, 0x9e);
    assert_false(f->irq1.level);
    command(f, 0xad); // disabled: the keys wait
    press(f, "b", true);
    expect_nothing(f);
    command(f, 0xae);
    assert_true(f->irq1.level);
    EXPECT(f, "\x30");
    assert_int_equal(in8(&f->b, 0x60), 0x30); // the buffer keeps the last byte
    // More keys than fit are lost whole.
    for (int i = 0; i < 200; i++)
        press(f, "up", i % 2 == 0);
    unsigned bytes = 0;
    for (; in8(&f->b, 0x64) & 1; bytes++) {
        uint8_t byte = in8(&f->b, 0x60);
        assert_int_equal(byte, bytes % 2 == 0 ? 0xe0 : bytes % 4 == 1 ? 0x48 : 0xc8);
        assert_true(bytes < 1000);
    }
    assert_in_range(bytes, 40, 64);
    bench_check_snapshot(&f->b);
}

static void test_mouse(void **state)
{
    struct fixture *f = *state;
    command_data(f, 0x60, 0x47);
    mouse(f, 0xff);
    expect_aux(f, 0xfa), expect_aux(f, 0xaa), expect_aux(f, 0x00);
    ps2_mouse_move(i8042_mouse(f->kbc), 5, 5, 0, 1);
    expect_nothing(f); // not enabled
    mouse(f, 0xf4);
    expect_aux(f, 0xfa);
    unsigned rises = f->irq12.rises;
    ps2_mouse_move(i8042_mouse(f->kbc), 5, 3, 1, PS2_BUTTON_LEFT);
    assert_int_equal(f->irq12.rises, rises + 1);
    expect_aux(f, 0x29), expect_aux(f, 5), expect_aux(f, 0xfd);
    expect_nothing(f);
    // Movement that comes while a report waits is added up.
    ps2_mouse_move(i8042_mouse(f->kbc), 1, 0, 0, 0);
    for (int i = 0; i < 100; i++)
        ps2_mouse_move(i8042_mouse(f->kbc), -10, 0, 0, 0);
    expect_aux(f, 0x08), expect_aux(f, 1), expect_aux(f, 0);
    expect_aux(f, 0x18), expect_aux(f, 0x01), expect_aux(f, 0); // -255
    for (int i = 0; i < 9; i++)
        in8(&f->b, 0x60);
    expect_nothing(f);
    // IntelliMouse.
    static const uint8_t knock[] = {200, 100, 80};
    for (int i = 0; i < 3; i++) {
        mouse(f, 0xf3);
        expect_aux(f, 0xfa);
        mouse(f, knock[i]);
        expect_aux(f, 0xfa);
    }
    mouse(f, 0xf2);
    expect_aux(f, 0xfa), expect_aux(f, 3);
    ps2_mouse_move(i8042_mouse(f->kbc), 0, 0, -1, 0);
    expect_aux(f, 0x08), expect_aux(f, 0), expect_aux(f, 0), expect_aux(f, 0xff);
    static const uint8_t knock5[] = {200, 200, 80};
    for (int i = 0; i < 3; i++) {
        mouse(f, 0xf3);
        expect_aux(f, 0xfa);
        mouse(f, knock5[i]);
        expect_aux(f, 0xfa);
    }
    mouse(f, 0xf2);
    expect_aux(f, 0xfa), expect_aux(f, 4);
    ps2_mouse_move(i8042_mouse(f->kbc), 0, 0, 1, PS2_BUTTON_EXTRA);
    expect_aux(f, 0x08), expect_aux(f, 0), expect_aux(f, 0), expect_aux(f, 0x21);
    mouse(f, 0xe9);
    expect_aux(f, 0xfa), expect_aux(f, 0x20), expect_aux(f, 2), expect_aux(f, 80);
    expect_nothing(f);
    // Remote mode, wrap mode, bad commands.
    mouse(f, 0xf0);
    expect_aux(f, 0xfa);
    ps2_mouse_move(i8042_mouse(f->kbc), 7, 0, 0, 0);
    expect_nothing(f);
    mouse(f, 0xeb);
    expect_aux(f, 0xfa), expect_aux(f, 0x08), expect_aux(f, 7), expect_aux(f, 0);
    expect_aux(f, 0);
    mouse(f, 0xee);
    expect_aux(f, 0xfa);
    mouse(f, 0xf4);
    expect_aux(f, 0xf4);
    mouse(f, 0xec);
    expect_aux(f, 0xfa);
    mouse(f, 0xe1);
    expect_aux(f, 0xfe);
    mouse(f, 0xe8);
    expect_aux(f, 0xfa);
    mouse(f, 9);
    expect_aux(f, 0xfe);
    mouse(f, 3);
    expect_aux(f, 0xfa);
}

static void test_keymap(void **state)
{
    uint8_t keys[4];
    size_t count;
    struct error err = {{0}};
    assert_true(keymap_parse_chord("ctrl-alt-delete", keys, 4, &count, &err));
    assert_int_equal(count, 3);
    assert_int_equal(keys[0], 0x1d);
    assert_int_equal(keys[1], 0x38);
    assert_int_equal(keys[2], 0xd3);
    assert_true(keymap_parse_chord("0x1e", keys, 4, &count, &err));
    assert_int_equal(keys[0], 0x1e);
    assert_false(keymap_parse_chord("ctrl-bogus", keys, 4, &count, &err));
    assert_non_null(strstr(err.text, "bogus"));
    assert_false(keymap_parse_chord("", keys, 4, &count, &err));
    assert_false(keymap_parse_chord("a-", keys, 4, &count, &err));
    assert_false(keymap_parse_chord("a-b-c-d-e", keys, 4, &count, &err));
    assert_int_equal(keymap_find("0xzz", 4), -1);
    for (size_t i = 0; i < keymap_count(); i++) {
        int key = keymap_find(keymap_name(i), strlen(keymap_name(i)));
        assert_true(key > 0);
        // What set 2 sends is translated back to the set 1 code.
        assert_int_equal(keymap_translate(keymap_set2((uint8_t)key)), key & 0x7f);
    }
    assert_null(keymap_name(keymap_count()));
    bool shift;
    assert_int_equal(keymap_from_ascii('a', &shift), 0x1e);
    assert_false(shift);
    assert_int_equal(keymap_from_ascii('|', &shift), 0x2b);
    assert_true(shift);
    assert_int_equal(keymap_from_ascii('*', &shift), 0x09);
    assert_true(shift);
    assert_int_equal(keymap_from_ascii('\n', &shift), 0x1c);
    assert_int_equal(keymap_from_ascii(' ', &shift), 0x39);
    assert_int_equal(keymap_from_ascii('\x01', &shift), -1);
    for (int c = 33; c < 127; c++)
        assert_true(keymap_from_ascii((char)c, &shift) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_controller, setup, teardown),
        cmocka_unit_test_setup_teardown(test_linux_aux_probe, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a20_and_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keyboard_commands, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scan_codes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keyboard_interrupt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mouse, setup, teardown),
        cmocka_unit_test(test_keymap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
