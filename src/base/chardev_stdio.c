// SPDX-License-Identifier: MIT
// Backends on plain descriptors: standard input and output, a file, a pseudo terminal, and nothing
// at all. A terminal on standard input loses line editing and echo while the device is open; it
// gets its settings back on close and on exit(). Without a terminal nothing is changed, and end of
// file only ends the input.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "base/chardev_internal.h"

// Lives until the process ends: on_exit cannot be taken back.
struct saved_terminal {
    struct termios settings;
    bool changed;
};

struct stdio_dev {
    struct chardev dev;
    struct saved_terminal *saved;
};

struct file_dev {
    struct chardev dev;
    int fd;
    int slave; // pty: held open, so that clients may come and go; -1 otherwise
};

static bool unknown_option(const char *spec, const struct chardev_option *option,
                           const char *choices, struct error *err)
{
    return error_set(err, "%s: unknown option '%s' (%s)", spec, option->key, choices);
}

static void restore_terminal(struct saved_terminal *saved)
{
    if (saved && saved->changed)
        tcsetattr(STDIN_FILENO, TCSANOW, &saved->settings);
    if (saved)
        saved->changed = false;
}

static void restore_on_exit(int status, void *saved)
{
    restore_terminal(saved);
}

static void set_raw(struct stdio_dev *stdio, bool signals)
{
    // A background job that changes the terminal would be stopped.
    if (!isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp())
        return;
    struct saved_terminal *saved = xcalloc(1, sizeof *saved);
    if (tcgetattr(STDIN_FILENO, &saved->settings) != 0 || on_exit(restore_on_exit, saved) != 0) {
        free(saved);
        return;
    }
    struct termios raw = saved->settings;
    raw.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    raw.c_oflag |= OPOST;
    raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN);
    if (!signals)
        raw.c_lflag &= ~(tcflag_t)ISIG;
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    saved->changed = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    stdio->saved = saved;
}

static void stdio_close(struct chardev *dev)
{
    restore_terminal(((struct stdio_dev *)dev)->saved);
}

static const struct chardev_class stdio_class = {.close = stdio_close};

struct chardev *chardev_open_stdio_keys(struct event_loop *loop, const char *spec, bool signals,
                                        struct error *err)
{
    const char *rest = spec + strlen("stdio");
    struct chardev_option option;
    while (chardev_next_option(&rest, &option)) {
        if (strcmp(option.key, "signal") != 0) {
            unknown_option(spec, &option, "signal=on|off", err);
            return NULL;
        }
        if (!chardev_option_bool(spec, &option, &signals, err))
            return NULL;
    }
    if (event_loop_watches(loop, STDIN_FILENO)) {
        error_set(err, "%s: stdio is in use by another device (mon:stdio shares it)", spec);
        return NULL;
    }
    struct stdio_dev *stdio = xcalloc(1, sizeof *stdio);
    struct chardev *dev = &stdio->dev;
    chardev_init(dev, &stdio_class, loop);
    dev->description = xstrdup("stdio");
    dev->is_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    dev->connected = true;
    dev->out_blocks = true;
    set_raw(stdio, signals);
    chardev_start_output(dev, STDOUT_FILENO);
    chardev_start_input(dev, STDIN_FILENO);
    return dev;
}

struct chardev *chardev_open_stdio(struct event_loop *loop, const char *spec, struct error *err)
{
    return chardev_open_stdio_keys(loop, spec, true, err);
}

static void file_close(struct chardev *dev)
{
    struct file_dev *file = (struct file_dev *)dev;
    if (file->slave >= 0)
        close(file->slave);
    close(file->fd);
}

static const struct chardev_class file_class = {.close = file_close};

static struct file_dev *file_create(struct event_loop *loop, int fd, int slave, char *description)
{
    struct file_dev *file = xcalloc(1, sizeof *file);
    chardev_init(&file->dev, &file_class, loop);
    file->dev.description = description;
    file->dev.connected = true;
    file->fd = fd;
    file->slave = slave;
    chardev_start_output(&file->dev, fd);
    return file;
}

struct chardev *chardev_open_file(struct event_loop *loop, const char *spec, struct error *err)
{
    const char *path = spec + strlen("file:");
    bool append = false;
    const char *rest = path + strcspn(path, ",");
    size_t length = (size_t)(rest - path);
    struct chardev_option option;
    while (chardev_next_option(&rest, &option)) {
        if (strcmp(option.key, "append") != 0) {
            unknown_option(spec, &option, "append=on|off", err);
            return NULL;
        }
        if (!chardev_option_bool(spec, &option, &append, err))
            return NULL;
    }
    if (length == 0) {
        error_set(err, "%s: no file name (say file:PATH)", spec);
        return NULL;
    }
    char *name = xasprintf("%.*s", (int)length, path);
    int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0666);
    free(name);
    if (fd < 0) {
        error_set(err, "%s: cannot write: %s", spec, strerror(errno));
        return NULL;
    }
    char *description = xasprintf("file:%.*s", (int)length, path);
    struct file_dev *file = file_create(loop, fd, -1, description);
    file->dev.out_blocks = true;
    return &file->dev;
}

// -1 with the error set. The name of the client's side goes to `name`.
static int open_pty_master(char *name, size_t size, struct error *err)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0 && ptsname_r(fd, name, size) == 0)
        return fd;
    error_set(err, "pty: cannot make a pseudo terminal: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

struct chardev *chardev_open_pty(struct event_loop *loop, const char *spec, struct error *err)
{
    char name[64];
    if (spec[strlen("pty")] != '\0') {
        error_set(err, "%s: pty takes no options", spec);
        return NULL;
    }
    int fd = open_pty_master(name, sizeof name, err);
    if (fd < 0)
        return NULL;
    int slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct termios raw;
    if (slave < 0 || tcgetattr(slave, &raw) != 0) {
        error_set(err, "pty: cannot open %s: %s", name, strerror(errno));
        if (slave >= 0)
            close(slave);
        close(fd);
        return NULL;
    }
    cfmakeraw(&raw);
    tcsetattr(slave, TCSANOW, &raw);
    struct file_dev *file = file_create(loop, fd, slave, xasprintf("pty:%s", name));
    file->dev.out_nonblocking = true;
    chardev_start_input(&file->dev, fd);
    return &file->dev;
}

static const struct chardev_class null_class = {0};

struct chardev *chardev_open_null(struct event_loop *loop, const char *spec, struct error *err)
{
    if (spec[strlen("null")] != '\0') {
        error_set(err, "%s: null takes no options", spec);
        return NULL;
    }
    struct chardev *dev = xcalloc(1, sizeof *dev);
    chardev_init(dev, &null_class, loop);
    dev->description = xstrdup("null");
    dev->connected = true;
    return dev;
}
