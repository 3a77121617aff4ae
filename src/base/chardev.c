// SPDX-License-Identifier: MIT
// Character devices: choice of the backend, the input pump, and what the backends have in common.
#include "base/chardev.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/chardev_internal.h"

// Reads of one event, so that a fast writer cannot keep the machine's thread.
#define READS_PER_EVENT 16

struct backend {
    const char *prefix; // a trailing ':' wants an address
    struct chardev *(*open)(struct event_loop *loop, const char *spec, struct error *err);
};

static const struct backend backends[] = {
    {"null", chardev_open_null}, {"stdio", chardev_open_stdio}, {"file:", chardev_open_file},
    {"pty", chardev_open_pty},   {"unix:", chardev_open_unix},  {"tcp:", chardev_open_tcp},
    {"mon:", chardev_open_mux},
};

struct chardev *chardev_open(struct event_loop *loop, const char *spec, struct error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(backends); i++) {
        const char *prefix = backends[i].prefix;
        size_t length = strlen(prefix);
        if (strncmp(spec, prefix, length) != 0)
            continue;
        if (prefix[length - 1] == ':' || spec[length] == '\0' || spec[length] == ',')
            return backends[i].open(loop, spec, err);
    }
    error_set(err,
              "%s: unknown character device (choose stdio, null, file:PATH, pty, "
              "unix:PATH,server=on,wait=off, tcp:HOST:PORT,server=on,wait=off or mon:stdio)",
              spec);
    return NULL;
}

void chardev_init(struct chardev *dev, const struct chardev_class *class, struct event_loop *loop)
{
    dev->class = class;
    dev->loop = loop;
    dev->in_fd = -1;
    dev->out_fd = -1;
}

void chardev_close(struct chardev *dev)
{
    if (!dev)
        return;
    chardev_drain(dev);
    chardev_stop_input(dev);
    chardev_stop_output(dev);
    if (dev->class->close)
        dev->class->close(dev);
    free(dev->description);
    free(dev);
}

void chardev_set_connected(struct chardev *dev, bool connected)
{
    if (dev->connected == connected)
        return;
    dev->connected = connected;
    if (dev->attached && dev->frontend.event)
        dev->frontend.event(dev->frontend.self, connected);
}

static size_t frontend_room(struct chardev *dev)
{
    return dev->attached ? dev->frontend.can_receive(dev->frontend.self) : 0;
}

static void end_input(struct chardev *dev)
{
    if (dev->class->input_ended) {
        dev->class->input_ended(dev);
        return;
    }
    chardev_stop_input(dev);
    chardev_set_connected(dev, false);
}

// False when there is nothing more to do for this event.
static bool read_once(struct chardev *dev)
{
    uint8_t buffer[4096];
    size_t room = frontend_room(dev);
    if (room == 0) {
        fd_watch_set_events(dev->in_watch, 0);
        return false;
    }
    struct pollfd p = {.fd = dev->in_fd, .events = POLLIN};
    if (poll(&p, 1, 0) <= 0)
        return false;
    ssize_t n = read(dev->in_fd, buffer, room < sizeof buffer ? room : sizeof buffer);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return false;
    if (n <= 0) {
        end_input(dev);
        return false;
    }
    dev->frontend.receive(dev->frontend.self, buffer, (size_t)n);
    return dev->in_watch != NULL;
}

static void on_readable(void *self, unsigned events)
{
    struct chardev *dev = self;
    for (unsigned i = 0; i < READS_PER_EVENT && read_once(dev); i++)
        continue;
}

void chardev_start_input(struct chardev *dev, int fd)
{
    dev->in_fd = fd;
    unsigned events = frontend_room(dev) ? EVENT_READ : 0;
    dev->in_watch = event_loop_watch(dev->loop, fd, events, on_readable, dev);
}

void chardev_stop_input(struct chardev *dev)
{
    fd_watch_remove(dev->in_watch);
    dev->in_watch = NULL;
    dev->in_fd = -1;
}

void chardev_accept_input(struct chardev *dev)
{
    if (dev->class->accept_input)
        dev->class->accept_input(dev);
    else if (dev->in_watch && frontend_room(dev))
        fd_watch_set_events(dev->in_watch, EVENT_READ);
}

void chardev_attach(struct chardev *dev, const struct chardev_frontend *frontend)
{
    if (dev->class->attach) {
        dev->class->attach(dev, frontend);
        return;
    }
    dev->frontend = *frontend;
    dev->attached = true;
    if (dev->connected && frontend->event)
        frontend->event(frontend->self, true);
    chardev_accept_input(dev);
}

void chardev_set_quit_handler(struct chardev *dev, void (*fn)(void *self), void *self)
{
    if (dev->class->set_quit_handler)
        dev->class->set_quit_handler(dev, fn, self);
}

bool chardev_is_terminal(const struct chardev *dev)
{
    return dev->is_terminal;
}

int chardev_fd(const struct chardev *dev)
{
    return dev->in_fd;
}

const char *chardev_describe(const struct chardev *dev)
{
    return dev->description;
}

static void copy_part(char *to, size_t size, const char *from, size_t length)
{
    length = length < size - 1 ? length : size - 1;
    memcpy(to, from, length);
    to[length] = '\0';
}

bool chardev_next_option(const char **rest, struct chardev_option *option)
{
    const char *p = *rest;
    if (*p != ',')
        return false;
    p++;
    size_t length = strcspn(p, ",");
    size_t key = strcspn(p, ",=");
    copy_part(option->key, sizeof option->key, p, key);
    if (key < length)
        copy_part(option->value, sizeof option->value, p + key + 1, length - key - 1);
    else
        copy_part(option->value, sizeof option->value, "on", 2);
    *rest = p + length;
    return true;
}

bool chardev_option_bool(const char *spec, const struct chardev_option *option, bool *value,
                         struct error *err)
{
    bool on = strcmp(option->value, "on") == 0 || strcmp(option->value, "yes") == 0;
    bool off = strcmp(option->value, "off") == 0 || strcmp(option->value, "no") == 0;
    if (!on && !off)
        return error_set(err, "%s: %s=%s: say %s=on or %s=off", spec, option->key, option->value,
                         option->key, option->key);
    *value = on;
    return true;
}
