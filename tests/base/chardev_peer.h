// SPDX-License-Identifier: MIT
// What the tests of the character devices share: a front end that records, and waiting with the
// loop running.
#ifndef TESTS_BASE_CHARDEV_PEER_H
#define TESTS_BASE_CHARDEV_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
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

static inline size_t peer_can_receive(void *self)
{
    return ((struct peer *)self)->room;
}

static inline void peer_receive(void *self, const uint8_t *data, size_t length)
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

static inline void peer_event(void *self, bool connected)
{
    struct peer *peer = self;
    connected ? peer->connects++ : peer->disconnects++;
}

static inline void peer_focus(void *self, bool focused)
{
    struct peer *peer = self;
    focused ? peer->gained++ : peer->lost++;
}

static inline void peer_attach(struct peer *peer, struct chardev *dev, size_t room)
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

static inline int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    rig->loop = event_loop_create(NULL, NULL, NULL);
    strcpy(rig->dir, "/tmp/emu-chr-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    snprintf(rig->path, sizeof rig->path, "%s/end", rig->dir);
    *state = rig;
    return 0;
}

static inline int teardown(void **state)
{
    struct rig *rig = *state;
    event_loop_destroy(rig->loop);
    unlink(rig->path);
    assert_int_equal(rmdir(rig->dir), 0);
    free(rig);
    return 0;
}

static inline struct chardev *open_spec(struct rig *rig, const char *fmt)
{
    struct error err = {.text = ""};
    snprintf(rig->spec, sizeof rig->spec, fmt, rig->path);
    struct chardev *dev = chardev_open(rig->loop, rig->spec, &err);
    if (!dev)
        fail_msg("%s", err.text);
    return dev;
}

static inline void run_for_ms(struct rig *rig, int ms)
{
    for (int i = 0; i < ms; i += 2)
        event_loop_run(rig->loop, 2000000);
}

static inline void run_until_length(struct rig *rig, const struct peer *peer, size_t length)
{
    for (int i = 0; i < 500 && peer->length < length; i++)
        event_loop_run(rig->loop, 10000000);
    assert_int_equal(peer->length, length);
}

static inline void run_until(struct rig *rig, const unsigned *counter, unsigned value)
{
    for (int i = 0; i < 500 && *counter < value; i++)
        event_loop_run(rig->loop, 10000000);
    assert_int_equal(*counter, value);
}

static inline void send_text(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

// Reads that many bytes from the other end while the loop runs.
static inline void expect_text(struct rig *rig, int fd, const char *text)
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

#endif
