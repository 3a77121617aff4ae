// SPDX-License-Identifier: MIT
// Standard input and output as character devices: pipes that lose nothing, terminals that get their
// settings back.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

#include "chardev_peer.h"

// The child side of the stdio tests: its descriptors 0 and 1 are replaced, it exits with the body's
// result.
static pid_t spawn(int in, int out, int (*body)(void))
{
    pid_t pid = fork();
    if (pid)
        return pid;
    dup2(in, 0);
    dup2(out, 1);
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    alarm(30);
    exit(body());
}

static int wait_status(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

// Echoes what comes until the end of the input, then writes 3 MiB at once.
static int body_pipes(void)
{
    static struct peer peer;
    struct event_loop *loop = event_loop_create(NULL, NULL, NULL);
    struct chardev *dev = chardev_open(loop, "stdio", NULL);
    if (!dev || chardev_is_terminal(dev) || chardev_open(loop, "stdio", NULL))
        return 10;
    peer_attach(&peer, dev, 60000);
    while (peer.disconnects == 0)
        event_loop_run(loop, 100000000);
    chardev_write(dev, peer.data, peer.length);
    static uint8_t block[3 << 20];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (uint8_t)(i * 31 >> 8);
    chardev_write(dev, block, sizeof block);
    if (fcntl(1, F_GETFL) & O_NONBLOCK || fcntl(0, F_GETFL) & O_NONBLOCK)
        return 11;
    chardev_close(dev);
    event_loop_destroy(loop);
    return peer.connects == 1 ? 0 : 12;
}

static void test_stdio_pipes_lose_nothing(void **state)
{
    int in[2], out[2];
    assert_int_equal(pipe(in) + pipe(out), 0);
    pid_t pid = spawn(in[0], out[1], body_pipes);
    close(in[0]);
    close(out[1]);
    send_text(in[1], "echo me");
    close(in[1]);
    struct timespec ts = {.tv_nsec = 100000000};
    nanosleep(&ts, NULL); // a slow reader
    size_t total = 0;
    static uint8_t got[(3 << 20) + 100];
    for (ssize_t n; (n = read(out[0], got + total, sizeof got - total)) > 0;)
        total += (size_t)n;
    assert_int_equal(wait_status(pid), 0);
    assert_int_equal(total, (3 << 20) + 7);
    assert_memory_equal(got, "echo me", 7);
    for (size_t i = 0; i < 3 << 20; i++)
        assert_int_equal(got[i + 7], (uint8_t)(i * 31 >> 8));
    close(out[0]);
}

static int body_reader_gone(void)
{
    struct event_loop *loop = event_loop_create(NULL, NULL, NULL);
    struct chardev *dev = chardev_open(loop, "stdio", NULL);
    signal(SIGPIPE, SIG_IGN);
    static uint8_t block[3 << 20];
    chardev_write(dev, block, sizeof block);
    chardev_write(dev, block, sizeof block);
    event_loop_run(loop, 1000000);
    chardev_close(dev);
    event_loop_destroy(loop);
    return 0;
}

static void test_stdio_reader_gone(void **state)
{
    int in[2], out[2];
    assert_int_equal(pipe(in) + pipe(out), 0);
    pid_t pid = spawn(in[0], out[1], body_reader_gone);
    close(out[1]);
    close(out[0]);
    assert_int_equal(wait_status(pid), 0);
    close(in[0]);
    close(in[1]);
}

static int terminal_flags(tcflag_t *lflag)
{
    struct termios t;
    int code = tcgetattr(0, &t);
    *lflag = t.c_lflag;
    return code;
}

static int terminal_rounds(const char *spec, tcflag_t expected_isig, bool close_it)
{
    static struct peer peer;
    tcflag_t before, during, after;
    static struct chardev *dev; // still open at exit
    struct event_loop *loop = event_loop_create(NULL, NULL, NULL);
    if (terminal_flags(&before) != 0 || !(before & ICANON) || !(before & ECHO))
        return 20;
    dev = chardev_open(loop, spec, NULL);
    if (!dev || !chardev_is_terminal(dev))
        return 21;
    peer_attach(&peer, dev, 100);
    terminal_flags(&during);
    if (during & (ICANON | ECHO) || (during & ISIG) != expected_isig)
        return 22;
    chardev_write(dev, "ready", 5);
    while (peer.length < 2)
        event_loop_run(loop, 100000000);
    if (!close_it) {
        event_loop_destroy(loop);
        exit(memcmp(peer.data, "k\r", 2) == 0 ? 0 : 23);
    }
    chardev_close(dev);
    event_loop_destroy(loop);
    terminal_flags(&after);
    return after == before ? 0 : 24;
}

static int body_terminal(void)
{
    setsid();
    if (open(ptsname(0) ? ptsname(0) : ttyname(0), O_RDWR) < 0) // becomes the controlling terminal
        return 19;
    return 0;
}

static int body_terminal_close(void)
{
    int code = body_terminal();
    return code ? code : terminal_rounds("stdio", ISIG, true);
}

static int body_terminal_exit(void)
{
    int code = body_terminal();
    return code ? code : terminal_rounds("mon:stdio", 0, false);
}

static void run_terminal(struct rig *rig, int (*body)(void))
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_int_equal(grantpt(master) | unlockpt(master), 0);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    struct termios before, after;
    tcgetattr(slave, &before);
    pid_t pid = spawn(slave, slave, body);
    expect_text(rig, master, "ready");
    send_text(master, "k\r");
    assert_int_equal(wait_status(pid), 0);
    tcgetattr(slave, &after);
    assert_int_equal(before.c_lflag, after.c_lflag);
    assert_int_equal(before.c_iflag, after.c_iflag);
    close(slave);
    close(master);
}

static void test_terminal_is_restored(void **state)
{
    run_terminal(*state, body_terminal_close);
    run_terminal(*state, body_terminal_exit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stdio_pipes_lose_nothing),
        cmocka_unit_test(test_stdio_reader_gone),
        cmocka_unit_test_setup_teardown(test_terminal_is_restored, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
