// SPDX-License-Identifier: MIT
// Character devices, each spoken to from its other end.
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/chardev.h"

struct peer {
    struct chardev *dev;
    size_t room; // what can_receive says, minus what came
    uint8_t data[65536];
    size_t length;
    const char *reply; // written from inside receive
    unsigned connects;
    unsigned disconnects;
    unsigned gained; // focus
    unsigned lost;
};

static size_t peer_can_receive(void *self)
{
    return ((struct peer *)self)->room;
}

static void peer_receive(void *self, const uint8_t *data, size_t length)
{
    struct peer *peer = self;
    assert_true(length > 0 && length <= peer->room);
    peer->room -= length;
    memcpy(peer->data + peer->length, data, length);
    peer->length += length;
    peer->data[peer->length] = 0;
    if (peer->reply)
        chardev_write(peer->dev, peer->reply, strlen(peer->reply));
}

static void peer_event(void *self, bool connected)
{
    struct peer *peer = self;
    connected ? peer->connects++ : peer->disconnects++;
}

static void peer_focus(void *self, bool focused)
{
    struct peer *peer = self;
    focused ? peer->gained++ : peer->lost++;
}

static void peer_attach(struct peer *peer, struct chardev *dev, size_t room)
{
    memset(peer, 0, sizeof *peer);
    peer->dev = dev;
    peer->room = room;
    const struct chardev_frontend frontend = {.can_receive = peer_can_receive,
                                              .receive = peer_receive,
                                              .event = peer_event,
                                              .focus = peer_focus,
                                              .self = peer};
    chardev_attach(dev, &frontend);
}

struct rig {
    struct event_loop *loop;
    char dir[32];
    char path[64];
    char spec[128];
};

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    rig->loop = event_loop_create(NULL, NULL, NULL);
    strcpy(rig->dir, "/tmp/emu-chr-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    snprintf(rig->path, sizeof rig->path, "%s/end", rig->dir);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    event_loop_destroy(rig->loop);
    unlink(rig->path);
    assert_int_equal(rmdir(rig->dir), 0);
    free(rig);
    return 0;
}

static struct chardev *open_spec(struct rig *rig, const char *fmt)
{
    struct error err = {.text = ""};
    snprintf(rig->spec, sizeof rig->spec, fmt, rig->path);
    struct chardev *dev = chardev_open(rig->loop, rig->spec, &err);
    if (!dev)
        fail_msg("%s", err.text);
    return dev;
}

static void expect_refused(struct rig *rig, const char *spec, const char *part)
{
    struct error err = {.text = ""};
    assert_null(chardev_open(rig->loop, spec, &err));
    if (strncmp(err.text, spec, strlen(spec)) != 0 || !strstr(err.text, part))
        fail_msg("'%s' does not name '%s' and mention '%s'", err.text, spec, part);
}

static void run_for_ms(struct rig *rig, int ms)
{
    for (int i = 0; i < ms; i += 2)
        event_loop_run(rig->loop, 2000000);
}

static void run_until_length(struct rig *rig, const struct peer *peer, size_t length)
{
    for (int i = 0; i < 500 && peer->length < length; i++)
        event_loop_run(rig->loop, 10000000);
    assert_int_equal(peer->length, length);
}

static void run_until(struct rig *rig, const unsigned *counter, unsigned value)
{
    for (int i = 0; i < 500 && *counter < value; i++)
        event_loop_run(rig->loop, 10000000);
    assert_int_equal(*counter, value);
}

static void send_text(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

// Reads that many bytes from the other end while the loop runs.
static void expect_text(struct rig *rig, int fd, const char *text)
{
    char got[256] = "";
    size_t length = 0;
    for (int i = 0; i < 500 && length < strlen(text); i++) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        event_loop_run(rig->loop, 0);
        if (poll(&p, 1, 10) > 0) {
            ssize_t n = read(fd, got + length, sizeof got - 1 - length);
            if (n <= 0)
                break;
            length += (size_t)n;
        }
    }
    assert_string_equal(got, text);
}

static int connect_unix(const struct rig *rig)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, rig->path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void test_bad_specs(void **state)
{
    struct rig *rig = *state;
    expect_refused(rig, "teletype", "unknown character device");
    expect_refused(rig, "stdiox", "unknown character device");
    expect_refused(rig, "", "unknown character device");
    expect_refused(rig, "file:", "no file name");
    expect_refused(rig, "file:/nonexistent/x", "No such file");
    expect_refused(rig, "file:/tmp/x,bogus=on", "'bogus'");
    expect_refused(rig, "file:/tmp/x,append=maybe", "append=on or append=off");
    expect_refused(rig, "null,x", "no options");
    expect_refused(rig, "pty,x", "no options");
    expect_refused(rig, "unix:", "no socket path");
    expect_refused(rig, "unix:/nonexistent/s", "cannot connect: No such file");
    expect_refused(rig, "unix:/nonexistent/s,server=on,wait=off", "cannot listen: No such file");
    expect_refused(rig, "unix:/x,server=on,colour=red", "'colour'");
    expect_refused(rig, "tcp:localhost", "no port");
    expect_refused(rig, "tcp:localhost:", "no port");
    expect_refused(rig, "tcp:127.0.0.1:1", "cannot connect: Connection refused");
    expect_refused(rig, "tcp:127.0.0.1:nowhere", "cannot resolve");
    expect_refused(rig, "mon:mon:stdio", "cannot be shared again");
    expect_refused(rig, "stdio,mux=on", "'mux'");
    char longer[300] = "unix:/";
    memset(longer + 6, 'x', 200);
    expect_refused(rig, longer, "longer than");
}

static void test_null(void **state)
{
    struct rig *rig = *state;
    static struct peer peer;
    struct chardev *dev = open_spec(rig, "null");
    peer_attach(&peer, dev, 10);
    chardev_write(dev, "gone", 4);
    run_for_ms(rig, 4);
    assert_int_equal(peer.length, 0);
    assert_int_equal(peer.connects, 1);
    assert_int_equal(chardev_fd(dev), -1);
    assert_false(chardev_is_terminal(dev));
    chardev_set_quit_handler(dev, NULL, NULL);
    chardev_close(dev);
    chardev_close(NULL);
}

static void check_file(const char *path, const char *text)
{
    char got[64] = "";
    int fd = open(path, O_RDONLY);
    assert_true(read(fd, got, sizeof got - 1) >= 0);
    close(fd);
    assert_string_equal(got, text);
}

static void test_file(void **state)
{
    struct rig *rig = *state;
    struct chardev *dev = open_spec(rig, "file:%s");
    chardev_write(dev, "one", 3);
    chardev_write(dev, "", 0);
    chardev_close(dev);
    check_file(rig->path, "one");
    dev = open_spec(rig, "file:%s,append=on");
    assert_memory_equal(chardev_describe(dev), "file:/tmp/", 10);
    chardev_write(dev, "two", 3);
    chardev_close(dev);
    check_file(rig->path, "onetwo");
    dev = open_spec(rig, "file:%s");
    chardev_close(dev);
    check_file(rig->path, "");
}

static void test_unix_server_clients_in_turn(void **state)
{
    struct rig *rig = *state;
    static struct peer peer;
    struct chardev *dev = open_spec(rig, "unix:%s,server=on,wait=off");
    peer_attach(&peer, dev, 1000);
    chardev_write(dev, "nobody hears", 12);
    assert_int_equal(peer.connects, 0);
    int first = connect_unix(rig);
    int second = connect_unix(rig); // waits in the backlog
    send_text(second, "later");
    run_until(rig, &peer.connects, 1);
    send_text(first, "hello");
    run_until_length(rig, &peer, 5);
    assert_string_equal((char *)peer.data, "hello");
    chardev_write(dev, "world", 5);
    expect_text(rig, first, "world");
    assert_int_equal(peer.connects, 1);
    close(first);
    run_until(rig, &peer.connects, 2);
    assert_int_equal(peer.disconnects, 1);
    run_until_length(rig, &peer, 10);
    assert_string_equal((char *)peer.data, "hellolater");
    chardev_write(dev, "again", 5);
    expect_text(rig, second, "again");
    chardev_close(dev);
    char byte;
    assert_int_equal(read(second, &byte, 1), 0);
    close(second);
    assert_int_equal(access(rig->path, F_OK), -1); // the socket file is gone
}

static void test_unix_half_closed_client_gets_its_answer(void **state)
{
    struct rig *rig = *state;
    static struct peer peer;
    struct chardev *dev = open_spec(rig, "unix:%s,server,nowait");
    peer_attach(&peer, dev, 1000);
    peer.reply = "running";
    int client = connect_unix(rig);
    send_text(client, "info status");
    shutdown(client, SHUT_WR);
    run_until_length(rig, &peer, 11);
    run_until(rig, &peer.disconnects, 1);
    expect_text(rig, client, "running");
    close(client);
    chardev_close(dev);
}

static void test_unix_paths(void **state)
{
    struct rig *rig = *state;
    // A file that is no socket is left alone.
    close(open(rig->path, O_CREAT | O_WRONLY, 0644));
    char spec[128];
    snprintf(spec, sizeof spec, "unix:%s,server=on,wait=off", rig->path);
    expect_refused(rig, spec, "not a socket");
    assert_int_equal(access(rig->path, F_OK), 0);
    unlink(rig->path);
    // A stale socket is replaced, a living one is not.
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, rig->path);
    int stale = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(stale, (struct sockaddr *)&address, sizeof address), 0);
    close(stale);
    struct chardev *dev = open_spec(rig, "unix:%s,server=on,wait=off");
    expect_refused(rig, spec, "another program listens");
    chardev_close(dev);
}

static void test_unix_client(void **state)
{
    struct rig *rig = *state;
    static struct peer a, b;
    struct chardev *server = open_spec(rig, "unix:%s,server=on,wait=off");
    struct chardev *client = open_spec(rig, "unix:%s");
    peer_attach(&a, server, 100);
    peer_attach(&b, client, 100);
    assert_int_equal(b.connects, 1);
    chardev_write(client, "ping", 4);
    run_until_length(rig, &a, 4);
    chardev_write(server, "pong", 4);
    run_until_length(rig, &b, 4);
    chardev_close(server);
    run_until(rig, &b.disconnects, 1);
    chardev_write(client, "dropped", 7);
    chardev_close(client);
}

static void *connect_later(void *opaque)
{
    struct timespec ts = {.tv_nsec = 20000000};
    nanosleep(&ts, NULL);
    return (void *)(intptr_t)connect_unix(opaque);
}

static void test_wait_for_client(void **state)
{
    struct rig *rig = *state;
    static struct peer peer;
    pthread_t thread;
    void *client;
    pthread_create(&thread, NULL, connect_later, rig);
    struct chardev *dev = open_spec(rig, "unix:%s,server=on"); // returns with the client
    pthread_join(thread, &client);
    peer_attach(&peer, dev, 100);
    assert_int_equal(peer.connects, 1);
    send_text((int)(intptr_t)client, "x");
    run_until_length(rig, &peer, 1);
    close((int)(intptr_t)client);
    run_until(rig, &peer.disconnects, 1);
    int next = connect_unix(rig);
    run_until(rig, &peer.connects, 2);
    close(next);
    chardev_close(dev);
}

static void test_tcp(void **state)
{
    struct rig *rig = *state;
    static struct peer a, b;
    struct chardev *server = open_spec(rig, "tcp:127.0.0.1:0,server=on,wait=off");
    unsigned port = 0;
    assert_int_equal(sscanf(chardev_describe(server), "tcp:127.0.0.1:%u,server=on", &port), 1);
    char spec[64];
    snprintf(spec, sizeof spec, "tcp:127.0.0.1:%u,server=on,wait=off", port);
    expect_refused(rig, spec, "Address already in use");
    snprintf(spec, sizeof spec, "tcp:localhost:%u", port);
    peer_attach(&a, server, 100);
    for (unsigned round = 1; round <= 2; round++) {
        struct chardev *client = chardev_open(rig->loop, spec, NULL);
        assert_non_null(client);
        peer_attach(&b, client, 100);
        chardev_write(client, "ping", 4);
        run_until_length(rig, &a, 4 * round);
        chardev_write(server, "pong", 4);
        run_until_length(rig, &b, 4);
        chardev_close(client);
        run_until(rig, &a.disconnects, round);
    }
    chardev_close(server);
}

static void test_input_waits_for_room(void **state)
{
    struct rig *rig = *state;
    static struct peer peer;
    struct chardev *dev = open_spec(rig, "unix:%s,server=on,wait=off");
    peer_attach(&peer, dev, 3);
    int client = connect_unix(rig);
    send_text(client, "abcdefghij");
    run_until_length(rig, &peer, 3);
    run_for_ms(rig, 20);
    assert_int_equal(peer.length, 3);
    peer.room = 4;
    chardev_accept_input(dev);
    run_until_length(rig, &peer, 7);
    close(client);
    run_for_ms(rig, 10);
    assert_int_equal(peer.disconnects, 0); // bytes before the end
    peer.room = 100;
    chardev_accept_input(dev);
    run_until(rig, &peer.disconnects, 1);
    assert_string_equal((char *)peer.data, "abcdefghij");
    chardev_close(dev);
}

static void test_slow_client_keeps_the_newest(void **state)
{
    struct rig *rig = *state;
    static struct peer peer;
    static uint32_t block[1024];
    struct chardev *dev = open_spec(rig, "unix:%s,server=on,wait=off");
    peer_attach(&peer, dev, 100);
    int client = connect_unix(rig);
    run_until(rig, &peer.connects, 1);
    uint32_t number = 0;
    for (int i = 0; i < 1000; i++) { // 4 MiB: more than socket and queue hold
        for (int j = 0; j < 1024; j++)
            block[j] = number++;
        chardev_write(dev, block, sizeof block);
    }
    uint32_t last = 0;
    size_t total = 0;
    for (;;) {
        struct pollfd p = {.fd = client, .events = POLLIN};
        event_loop_run(rig->loop, 1000000);
        if (poll(&p, 1, 50) <= 0)
            break;
        ssize_t n = read(client, block, sizeof block);
        total += (size_t)n;
        last = block[n / 4 - 1];
    }
    assert_int_equal(last, number - 1);
    assert_true(total >= 1024 * 1024 && total < 3 * 1024 * 1024);
    close(client);
    chardev_close(dev);
}

static void test_pty(void **state)
{
    struct rig *rig = *state;
    static struct peer peer;
    struct chardev *dev = open_spec(rig, "pty");
    peer_attach(&peer, dev, 1000);
    const char *name = chardev_describe(dev);
    assert_memory_equal(name, "pty:/dev/pts/", 13);
    for (int round = 1; round <= 2; round++) { // clients come and go
        int fd = open(name + 4, O_RDWR | O_NOCTTY);
        assert_true(fd >= 0);
        send_text(fd, "a\rb\003"); // raw: nothing is translated, nothing echoed
        run_until_length(rig, &peer, (size_t)round * 4);
        chardev_write(dev, "x\ny\r", 4);
        expect_text(rig, fd, "x\ny\r");
        close(fd);
        run_for_ms(rig, 10);
    }
    assert_memory_equal(peer.data, "a\rb\003a\rb\003", 8);
    chardev_close(dev);
}

static void count_call(void *self)
{
    ++*(unsigned *)self;
}

static void test_mux(void **state)
{
    struct rig *rig = *state;
    static struct peer serial, monitor;
    unsigned quits = 0;
    struct chardev *dev = open_spec(rig, "mon:unix:%s,server=on,wait=off");
    peer_attach(&serial, dev, 1000);
    peer_attach(&monitor, dev, 1000);
    chardev_set_quit_handler(dev, count_call, &quits);
    assert_int_equal(serial.gained, 1);
    assert_int_equal(monitor.gained, 0);
    int client = connect_unix(rig);
    send_text(client, "ls\001cinfo\001");
    run_until_length(rig, &monitor, 4);
    assert_string_equal((char *)serial.data, "ls");
    assert_string_equal((char *)monitor.data, "info");
    assert_int_equal(serial.connects, 1);
    assert_int_equal(monitor.connects, 1);
    assert_int_equal(serial.lost, 1);
    assert_int_equal(monitor.gained, 1);
    send_text(client, "c\001\001!\001zq"); // back; a literal Ctrl-A; an unknown key is swallowed
    run_until_length(rig, &serial, 5);
    assert_string_equal((char *)serial.data, "ls\001!q");
    assert_int_equal(serial.gained, 2);
    send_text(client, "\001x");
    run_until(rig, &quits, 1);
    send_text(client, "\001h");
    char got[512] = "";
    for (int i = 0; i < 200 && !strstr(got, "Ctrl-A x"); i++) {
        struct pollfd p = {.fd = client, .events = POLLIN};
        event_loop_run(rig->loop, 0);
        if (poll(&p, 1, 10) > 0)
            assert_true(read(client, got, sizeof got - 1) > 0);
    }
    assert_non_null(strstr(got, "Ctrl-A x"));
    chardev_write(dev, "out", 3);
    expect_text(rig, client, "out");
    close(client);
    run_until(rig, &monitor.disconnects, 1);
    assert_int_equal(serial.disconnects, 1);
    chardev_close(dev);
}

static void test_mux_keeps_input_until_taken(void **state)
{
    struct rig *rig = *state;
    static struct peer serial, monitor;
    struct chardev *dev = open_spec(rig, "mon:unix:%s,server=on,wait=off");
    peer_attach(&serial, dev, 2);
    peer_attach(&monitor, dev, 1000);
    int client = connect_unix(rig);
    send_text(client, "abcdef\001cquit");
    run_until_length(rig, &monitor, 4); // the switch works while the serial port is full
    assert_string_equal((char *)serial.data, "ab");
    close(client);
    run_until(rig, &monitor.disconnects, 1);
    assert_int_equal(serial.disconnects, 0); // its bytes come first
    serial.room = 100;
    chardev_accept_input(dev);
    assert_string_equal((char *)serial.data, "abcdef");
    assert_int_equal(serial.disconnects, 1);
    chardev_close(dev);
}

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
        cmocka_unit_test_setup_teardown(test_bad_specs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_null, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unix_server_clients_in_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unix_half_closed_client_gets_its_answer, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_unix_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unix_client, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wait_for_client, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tcp, setup, teardown),
        cmocka_unit_test_setup_teardown(test_input_waits_for_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow_client_keeps_the_newest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mux, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mux_keeps_input_until_taken, setup, teardown),
        cmocka_unit_test(test_stdio_pipes_lose_nothing),
        cmocka_unit_test(test_stdio_reader_gone),
        cmocka_unit_test_setup_teardown(test_terminal_is_restored, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
