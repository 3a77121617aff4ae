// SPDX-License-Identifier: MIT
// Character backends behind serial ports, the monitor and debug consoles:
// stdio, null, file:PATH, pty, unix:PATH[,server=on,wait=off], tcp:HOST:PORT[,server=on,wait=off],
// mon:stdio (stdio shared between a serial port and the monitor, Ctrl-A c switches). Thread: the
// machine's thread.
#ifndef EMU_BASE_CHARDEV_H
#define EMU_BASE_CHARDEV_H

#include "base/event_loop.h"

struct chardev;

// The front end: whoever receives bytes. can_receive says how many it takes now (0: try again after
// chardev_accept_input).
struct chardev_frontend {
    size_t (*can_receive)(void *self);
    void (*receive)(void *self, const uint8_t *data, size_t length);
    // May be NULL; also called by chardev_attach when a peer is there.
    void (*event)(void *self, bool connected);
    // May be NULL; the multiplexer's input comes here or goes elsewhere.
    void (*focus)(void *self, bool focused);
    void *self;
};

// Options: stdio[,signal=on|off]: off gives Ctrl-C and Ctrl-Z to the front end (mon:stdio: off,
// otherwise on). file:PATH[,append=on]. A socket server with wait=on (the default) returns when its
// first client is there. The program ignores SIGPIPE. Errors name the spec; the caller adds the
// option ("-serial").
struct chardev *chardev_open(struct event_loop *loop, const char *spec, struct error *err);

// Writes out what is queued and restores the terminal. Not inside a callback of this device.
void chardev_close(struct chardev *dev);

// A chardev has one front end, except the stdio multiplexer, where each call adds one and Ctrl-A c
// goes round.
void chardev_attach(struct chardev *dev, const struct chardev_frontend *frontend);

// Writes what the backend takes now and queues a bounded rest; output to a peer that is gone is
// dropped.
void chardev_write(struct chardev *dev, const void *data, size_t length);

// The front end has room again.
void chardev_accept_input(struct chardev *dev);

// Ctrl-A x at the multiplexer; without a handler, and with other devices, it does nothing.
void chardev_set_quit_handler(struct chardev *dev, void (*fn)(void *self), void *self);

bool chardev_is_terminal(const struct chardev *dev); // editing and echo make sense
int chardev_fd(const struct chardev *dev);           // input descriptor, -1 when none
const char *
chardev_describe(const struct chardev *dev); // "pty:/dev/pts/3": for messages; owned by dev

#endif
