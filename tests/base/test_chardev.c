// SPDX-License-Identifier: MIT
// Character devices, each spoken to from its other end.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "chardev_peer.h"

static void expect_refused(struct rig *rig, const char *spec, const char *part)
{
    struct error err = {.text = ""};
    assert_null(chardev_open(rig->loop, spec, &err));
    if (strncmp(err.text, spec, strlen(spec)) != 0 || !strstr(err.text, part))
        fail_msg("'%s' does not name '%s' and mention '%s'", err.text, spec, part);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
