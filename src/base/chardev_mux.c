// SPDX-License-Identifier: MIT
// mon:stdio - one device shared by several front ends, as a rule a serial port and the monitor. All
// of them write to it; what is typed goes to the one that has the focus. Ctrl-A begins a command: c
// moves the focus on, x quits, h or ? explains, Ctrl-A Ctrl-A sends a Ctrl-A.
#include <stdlib.h>

#include "base/chardev_internal.h"
#include "base/fifo.h"

#define MUX_FRONTENDS 8
#define MUX_ESCAPE    0x01 // Ctrl-A

struct mux_port {
    struct chardev_frontend frontend;
    struct fifo input; // typed, not yet taken
    bool connected;    // what its front end was told last
};

struct mux_dev {
    struct chardev dev;
    struct chardev *inner;
    struct mux_port ports[MUX_FRONTENDS];
    size_t count;
    size_t focus;
    bool escape; // the last byte was Ctrl-A
    bool delivering;
    bool again; // asked for while delivering
    void (*quit)(void *self);
    void *quit_self;
};

static void port_set_focus(struct mux_port *port, bool focused)
{
    if (port->frontend.focus)
        port->frontend.focus(port->frontend.self, focused);
}

static void port_tell_connected(struct mux_port *port, bool connected)
{
    if (port->connected == connected)
        return;
    port->connected = connected;
    if (port->frontend.event)
        port->frontend.event(port->frontend.self, connected);
}

static void port_deliver(struct mux_port *port)
{
    const struct chardev_frontend *frontend = &port->frontend;
    while (!fifo_is_empty(&port->input)) {
        uint8_t bytes[FIFO_CAPACITY];
        size_t room = frontend->can_receive(frontend->self);
        size_t n = 0;
        while (n < room && n < sizeof bytes && !fifo_is_empty(&port->input))
            bytes[n++] = fifo_pop(&port->input);
        if (n == 0)
            return;
        frontend->receive(frontend->self, bytes, n);
    }
}

// A front end may ask for more from inside receive(): then the outer call goes round once more.
static void mux_deliver(struct mux_dev *mux)
{
    mux->again = true;
    if (mux->delivering)
        return;
    mux->delivering = true;
    while (mux->again) {
        mux->again = false;
        for (size_t i = 0; i < mux->count; i++) {
            struct mux_port *port = &mux->ports[i];
            port_deliver(port);
            // The end of the input comes after all of the input.
            if (mux->inner->connected || fifo_is_empty(&port->input))
                port_tell_connected(port, mux->inner->connected);
        }
    }
    mux->delivering = false;
}

static void mux_help(struct mux_dev *mux)
{
    static const char help[] =
        "\r\n"
        "Ctrl-A h       this help\r\n"
        "Ctrl-A x       quit the emulator\r\n"
        "Ctrl-A c       switch between the serial console and the monitor\r\n"
        "Ctrl-A Ctrl-A  send Ctrl-A\r\n";
    chardev_write(mux->inner, help, sizeof help - 1);
}

static void mux_switch(struct mux_dev *mux)
{
    if (mux->count < 2)
        return;
    port_set_focus(&mux->ports[mux->focus], false);
    mux->focus = (mux->focus + 1) % mux->count;
    port_set_focus(&mux->ports[mux->focus], true);
}

static void mux_command(struct mux_dev *mux, uint8_t byte)
{
    switch (byte) {
    case 'c':
        mux_deliver(mux); // what was typed before belongs to the old focus
        mux_switch(mux);
        break;
    case 'h':
    case '?':
        mux_help(mux);
        break;
    case 'x':
        if (mux->quit)
            mux->quit(mux->quit_self);
        break;
    case MUX_ESCAPE:
        fifo_push(&mux->ports[mux->focus].input, byte);
        break;
    default:
        break;
    }
}

// A person at a terminal can always switch away from a front end that takes nothing; a pipe waits
// and loses nothing.
static size_t mux_can_receive(void *self)
{
    struct mux_dev *mux = self;
    size_t room = fifo_free(&mux->ports[mux->focus].input);
    return room || !mux->inner->is_terminal ? room : 1;
}

static void mux_receive(void *self, const uint8_t *data, size_t length)
{
    struct mux_dev *mux = self;
    for (size_t i = 0; i < length; i++) {
        if (mux->escape) {
            mux->escape = false;
            mux_command(mux, data[i]);
        } else if (data[i] == MUX_ESCAPE) {
            mux->escape = true;
        } else {
            // The focus may have moved to a port with less room than was announced.
            struct mux_port *port = &mux->ports[mux->focus];
            if (fifo_is_full(&port->input))
                mux_deliver(mux);
            fifo_push(&port->input, data[i]);
        }
    }
    mux_deliver(mux);
}

static void mux_event(void *self, bool connected)
{
    mux_deliver(self);
}

static void mux_attach(struct chardev *dev, const struct chardev_frontend *frontend)
{
    struct mux_dev *mux = (struct mux_dev *)dev;
    if (mux->count == MUX_FRONTENDS)
        return;
    struct mux_port *port = &mux->ports[mux->count++];
    port->frontend = *frontend;
    fifo_init(&port->input, FIFO_CAPACITY);
    if (mux->count == 1) {
        const struct chardev_frontend inner = {.can_receive = mux_can_receive,
                                               .receive = mux_receive,
                                               .event = mux_event,
                                               .self = mux};
        chardev_attach(mux->inner, &inner);
        port_set_focus(port, true);
    }
    port_tell_connected(port, mux->inner->connected);
}

static void mux_write(struct chardev *dev, const void *data, size_t length)
{
    chardev_write(((struct mux_dev *)dev)->inner, data, length);
}

static void mux_accept_input(struct chardev *dev)
{
    struct mux_dev *mux = (struct mux_dev *)dev;
    mux_deliver(mux);
    chardev_accept_input(mux->inner);
}

static void mux_set_quit_handler(struct chardev *dev, void (*fn)(void *self), void *self)
{
    struct mux_dev *mux = (struct mux_dev *)dev;
    mux->quit = fn;
    mux->quit_self = self;
}

static void mux_close(struct chardev *dev)
{
    chardev_close(((struct mux_dev *)dev)->inner);
}

static const struct chardev_class mux_class = {
    .close = mux_close,
    .attach = mux_attach,
    .write = mux_write,
    .accept_input = mux_accept_input,
    .set_quit_handler = mux_set_quit_handler,
};

struct chardev *chardev_open_mux(struct event_loop *loop, const char *spec, struct error *err)
{
    const char *inner_spec = spec + strlen("mon:");
    bool is_stdio =
        strncmp(inner_spec, "stdio", 5) == 0 && (inner_spec[5] == '\0' || inner_spec[5] == ',');
    if (strncmp(inner_spec, "mon:", 4) == 0) {
        error_set(err, "%s: a shared device cannot be shared again", spec);
        return NULL;
    }
    struct chardev *inner = is_stdio ? chardev_open_stdio_keys(loop, inner_spec, false, err)
                                     : chardev_open(loop, inner_spec, err);
    if (!inner)
        return NULL;
    struct mux_dev *mux = xcalloc(1, sizeof *mux);
    chardev_init(&mux->dev, &mux_class, loop);
    mux->inner = inner;
    mux->dev.description = xasprintf("mon:%s", inner->description);
    mux->dev.is_terminal = inner->is_terminal;
    mux->dev.in_fd = inner->in_fd;
    return &mux->dev;
}
