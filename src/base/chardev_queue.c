// SPDX-License-Identifier: MIT
// Output of a character device: what the descriptor does not take now is queued, up to
// CHARDEV_QUEUE_LIMIT. Descriptors shared with other processes (standard output) are never made
// non-blocking: poll() is asked before each write of at most PIPE_BUF bytes, which a pipe then
// takes at once.
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/chardev_internal.h"

#define DRAIN_TIMEOUT_MS 200

static size_t queue_length(const struct chardev_queue *queue)
{
    return queue->end - queue->start;
}

static void queue_clear(struct chardev_queue *queue)
{
    queue->start = 0;
    queue->end = 0;
}

// The caller keeps the length within CHARDEV_QUEUE_LIMIT.
static void queue_append(struct chardev_queue *queue, const uint8_t *data, size_t length)
{
    if (queue->end + length > queue->capacity && queue->start > 0) {
        memmove(queue->data, queue->data + queue->start, queue_length(queue));
        queue->end -= queue->start;
        queue->start = 0;
    }
    if (queue->end + length > queue->capacity) {
        size_t capacity = queue->capacity ? queue->capacity : 4096;
        while (capacity < queue->end + length)
            capacity *= 2;
        queue->data = xrealloc(queue->data, capacity);
        queue->capacity = capacity;
    }
    memcpy(queue->data + queue->end, data, length);
    queue->end += length;
}

static bool is_writable(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, timeout_ms) > 0;
}

// The peer is gone or the disk is full: from now on output is dropped.
static void output_failed(struct chardev *dev, int code)
{
    if (code != EPIPE && code != ECONNRESET && code != EIO)
        fprintf(stderr, "emu: %s: cannot write: %s; further output is dropped\n", dev->description,
                strerror(code));
    dev->out_fd = -1;
    queue_clear(&dev->queue);
    if (dev->out_watch)
        fd_watch_set_events(dev->out_watch, 0);
}

// Writes what the descriptor takes without waiting; returns the bytes that are done with.
static size_t write_some(struct chardev *dev, const uint8_t *data, size_t length)
{
    size_t done = 0;
    while (done < length) {
        size_t chunk = length - done;
        if (!dev->out_nonblocking) {
            chunk = chunk < PIPE_BUF ? chunk : PIPE_BUF;
            if (!is_writable(dev->out_fd, 0))
                break;
        }
        ssize_t n = dev->out_is_socket ? send(dev->out_fd, data + done, chunk, MSG_NOSIGNAL)
                                       : write(dev->out_fd, data + done, chunk);
        if (n >= 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            break;
        } else if (errno != EINTR) {
            output_failed(dev, errno);
            return length;
        }
    }
    return done;
}

static void queue_flush(struct chardev *dev)
{
    struct chardev_queue *queue = &dev->queue;
    if (dev->out_fd < 0 || queue_length(queue) == 0)
        return;
    size_t done = write_some(dev, queue->data + queue->start, queue_length(queue));
    if (dev->out_fd < 0)
        return;
    queue->start += done;
    if (queue->start == queue->end)
        queue_clear(queue);
}

static void on_writable(void *self, unsigned events)
{
    struct chardev *dev = self;
    queue_flush(dev);
    if (dev->out_watch && queue_length(&dev->queue) == 0)
        fd_watch_set_events(dev->out_watch, 0);
}

// Makes room for one byte at least. False when a signal ended the wait: the program wants to go on.
static bool make_room(struct chardev *dev, size_t wanted)
{
    struct chardev_queue *queue = &dev->queue;
    if (!dev->out_blocks) {
        size_t length = queue_length(queue);
        queue->start += wanted < length ? wanted : length;
        return true;
    }
    if (!is_writable(dev->out_fd, -1))
        return false;
    queue_flush(dev);
    return dev->out_fd >= 0;
}

void chardev_write(struct chardev *dev, const void *data, size_t length)
{
    if (dev->class->write) {
        dev->class->write(dev, data, length);
        return;
    }
    const uint8_t *bytes = data;
    if (dev->out_fd < 0 || length == 0)
        return;
    if (queue_length(&dev->queue) == 0) {
        size_t done = write_some(dev, bytes, length);
        bytes += done;
        length -= done;
    }
    while (length && dev->out_fd >= 0) {
        size_t room = CHARDEV_QUEUE_LIMIT - queue_length(&dev->queue);
        if (room == 0) {
            if (!make_room(dev, length))
                return;
            continue;
        }
        size_t chunk = length < room ? length : room;
        queue_append(&dev->queue, bytes, chunk);
        bytes += chunk;
        length -= chunk;
    }
    if (dev->out_fd >= 0 && queue_length(&dev->queue)) {
        if (!dev->out_watch)
            dev->out_watch =
                event_loop_watch(dev->loop, dev->out_fd, EVENT_WRITE, on_writable, dev);
        else
            fd_watch_set_events(dev->out_watch, EVENT_WRITE);
    }
}

void chardev_drain(struct chardev *dev)
{
    while (dev->out_fd >= 0 && queue_length(&dev->queue)) {
        if (!is_writable(dev->out_fd, dev->out_blocks ? -1 : DRAIN_TIMEOUT_MS))
            return;
        queue_flush(dev);
    }
}

void chardev_start_output(struct chardev *dev, int fd)
{
    dev->out_fd = fd;
}

void chardev_stop_output(struct chardev *dev)
{
    fd_watch_remove(dev->out_watch);
    dev->out_watch = NULL;
    dev->out_fd = -1;
    free(dev->queue.data);
    dev->queue = (struct chardev_queue){0};
}
