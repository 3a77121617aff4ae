// SPDX-License-Identifier: MIT
// The monitor seen from the other end of its device: a terminal with the editor, and a socket.
#include "monitor_fixture.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct fixture fixture;
static struct fixture *const f = &fixture;
static int peer;

static int make(void **state)
{
    setenv("TERM", "xterm", 1);
    fixture_make(f);
    return 0;
}

static int destroy(void **state)
{
    close(peer);
    fixture_free(f);
    return 0;
}

// Lets the machine's event loop run and collects what arrives, until `part` is there.
static void expect(const char *part)
{
    for (unsigned turns = 0; turns < 400; turns++) {
        event_loop_run(machine_loop(f->machine), 10 * 1000 * 1000);
        size_t have = strlen(f->text);
        ssize_t n = read(peer, f->text + have, sizeof f->text - 1 - have);
        if (n > 0)
            f->text[have + (size_t)n] = '\0';
        char *at = strstr(f->text, part);
        if (at) {
            memmove(f->text, at + strlen(part), strlen(at + strlen(part)) + 1);
            return;
        }
    }
    fail_msg("no '%s' in '%s'", part, f->text);
}

static void type(const char *keys)
{
    assert_int_equal(write(peer, keys, strlen(keys)), strlen(keys));
}

static void open_terminal(void)
{
    struct error err = {""};
    f->dev = chardev_open(machine_loop(f->machine), "pty", &err);
    assert_non_null(f->dev);
    peer = open(chardev_describe(f->dev) + 4, O_RDWR | O_NOCTTY | O_NONBLOCK);
    assert_true(peer >= 0);
    f->monitor = monitor_create(f->machine, f->dev);
    expect("monitor - type 'help'");
    expect("(emu) ");
}

static void editing(void **state)
{
    open_terminal();
    type("print 6*8");
    expect("6*8");
    type("\b7\r");
    expect("42\r\n");
    type("\033[A\r"); // the line before
    expect("42\r\n");
    type("\033");
    type("[A");
    type("\x01\x0bprint 5*5\r"); // to the beginning, cut
    expect("25\r\n");
    type("info history\r");
    expect("print 5*5");
    type("\x04"); // the end of the input is no command
    type("print 9*9\r");
    expect("81\r\n");
}

static void completion(void **state)
{
    open_terminal();
    type("info regi\t\r");
    expect("EIP=0000fff0");
    type("pri\t6*7\r");
    expect("42\r\n");
    type("info p\t\t");
    expect("pic");
    expect("plugins");
    type("\x15print $eb\t\t");
    expect("ebx");
    expect("ebp");
    type("\x15sendkey ctrl-del\t\r");
    type("eject ide\t\r");
    type("info history\r");
    expect("sendkey ctrl-delete");
    expect("eject ide1-cd0");
    type("nonsense \t\r");
    expect("unknown command: 'nonsense'");
}

static void text_from_elsewhere(void **state)
{
    open_terminal();
    type("print 12");
    expect("12");
    // As a plugin prints: the line under way is shown again below.
    monitor_execute(f->monitor, "info name");
    expect("box\r\n");
    expect("print 12");
    type("3\r");
    expect("123\r\n");
}

static void socket_client(void **state)
{
    struct error err = {""};
    char *spec = xasprintf("unix:%s/socket,server=on,wait=off", f->folder);
    f->dev = chardev_open(machine_loop(f->machine), spec, &err);
    free(spec);
    assert_non_null(f->dev);
    f->monitor = monitor_create(f->machine, f->dev);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = fixture_path(f, "socket");
    assert_true(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    for (unsigned round = 0; round < 2; round++) {
        peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(peer, (struct sockaddr *)&address, sizeof address), 0);
        fcntl(peer, F_SETFL, O_NONBLOCK);
        expect("emu " EMU_VERSION " monitor - type 'help' for more information\n(emu) ");
        type("print 6*7\r\nprint 1+1\n");
        expect("42\n(emu) 2\n(emu) ");
        type("a line without its end");
        if (round == 0)
            close(peer);
    }
    char line[6000];
    memset(line, 'a', sizeof line - 2);
    strcpy(line + sizeof line - 2, "\n");
    type("\n");
    expect("unknown command: 'a'");
    for (size_t sent = 0; sent < sizeof line - 1;) {
        ssize_t n = write(peer, line + sent, sizeof line - 1 - sent);
        sent += n > 0 ? (size_t)n : 0;
        event_loop_run(machine_loop(f->machine), 1000 * 1000);
    }
    expect("longer than 4095 characters\n(emu) ");
    type("print 2+2\n");
    expect("4\n(emu) ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(editing, make, destroy),
        cmocka_unit_test_setup_teardown(completion, make, destroy),
        cmocka_unit_test_setup_teardown(text_from_elsewhere, make, destroy),
        cmocka_unit_test_setup_teardown(socket_client, make, destroy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
