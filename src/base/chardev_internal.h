// SPDX-License-Identifier: MIT
// What the character backends share: the device, its input pump and its output queue.
#ifndef EMU_BASE_CHARDEV_INTERNAL_H
#define EMU_BASE_CHARDEV_INTERNAL_H

#include "base/chardev.h"

#define CHARDEV_QUEUE_LIMIT (1024u * 1024u)

// NULL members mean the common behaviour of a device with one input and one output descriptor.
struct chardev_class {
    void (*close)(struct chardev *dev); // releases what the backend owns, not dev itself
    void (*attach)(struct chardev *dev, const struct chardev_frontend *frontend);
    void (*write)(struct chardev *dev, const void *data, size_t length);
    void (*accept_input)(struct chardev *dev);
    void (*input_ended)(struct chardev *dev); // end of file or error on in_fd
    void (*set_quit_handler)(struct chardev *dev, void (*fn)(void *self), void *self);
};

// Bytes that the output descriptor did not take yet.
struct chardev_queue {
    uint8_t *data;
    size_t start;
    size_t end;
    size_t capacity;
};

// First member of each backend's struct.
struct chardev {
    const struct chardev_class *class;
    struct event_loop *loop;
    char *description;
    bool is_terminal;
    bool connected; // a peer is there
    bool attached;
    struct chardev_frontend frontend;

    int in_fd; // -1: no input
    struct fd_watch *in_watch;

    int out_fd; // -1: output is dropped
    struct fd_watch *out_watch;
    bool out_is_socket;   // send() without SIGPIPE
    bool out_nonblocking; // a write never blocks; otherwise poll() is asked first
    bool out_blocks; // a full queue waits (files, standard output) instead of losing its oldest
                     // bytes
    struct chardev_queue queue;
};

void chardev_init(struct chardev *dev, const struct chardev_class *class, struct event_loop *loop);

// Starts and ends the use of descriptors that the backend owns; chardev_stop does not close them.
void chardev_start_input(struct chardev *dev, int fd);
void chardev_start_output(struct chardev *dev, int fd);
void chardev_stop_input(struct chardev *dev);
void chardev_stop_output(struct chardev *dev);
void chardev_set_connected(struct chardev *dev, bool connected); // tells the front end

// Writes the queue out. Waits without limit when out_blocks (a signal ends it), else at most a
// fifth of a second.
void chardev_drain(struct chardev *dev);

// One "key=value" or "key" after the address of a spec; `rest` moves behind it. False at the end.
struct chardev_option {
    char key[16];
    char value[16]; // "on" for a bare key
};
bool chardev_next_option(const char **rest, struct chardev_option *option);

// Sets *value from on/off; false with the error set for anything else.
bool chardev_option_bool(const char *spec, const struct chardev_option *option, bool *value,
                         struct error *err);

struct chardev *chardev_open_null(struct event_loop *loop, const char *spec, struct error *err);
struct chardev *chardev_open_stdio(struct event_loop *loop, const char *spec, struct error *err);
struct chardev *chardev_open_file(struct event_loop *loop, const char *spec, struct error *err);
struct chardev *chardev_open_pty(struct event_loop *loop, const char *spec, struct error *err);
struct chardev *chardev_open_unix(struct event_loop *loop, const char *spec, struct error *err);
struct chardev *chardev_open_tcp(struct event_loop *loop, const char *spec, struct error *err);
struct chardev *chardev_open_mux(struct event_loop *loop, const char *spec, struct error *err);

// stdio with signal keys given to the front end unless the spec says otherwise.
struct chardev *chardev_open_stdio_keys(struct event_loop *loop, const char *spec, bool signals,
                                        struct error *err);

#endif
