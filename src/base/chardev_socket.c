// SPDX-License-Identifier: MIT
// Unix and TCP stream sockets. A server serves one client at a time; the next one waits in the
// backlog. What is written while nobody is connected is dropped. A client (server=off) connects
// once, when it is opened.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/chardev_internal.h"

struct socket_dev {
    struct chardev dev;
    int client;   // -1: nobody is connected
    int listener; // -1: not a server
    struct fd_watch *listener_watch;
    char *unlink_path; // of a unix server
};

struct socket_options {
    bool server;
    bool wait;
    bool nodelay;
};

static bool parse_options(const char *spec, const char *rest, struct socket_options *options,
                          struct error *err)
{
    *options = (struct socket_options){.wait = true, .nodelay = true};
    struct chardev_option option;
    while (chardev_next_option(&rest, &option)) {
        bool *value = NULL;
        if (strcmp(option.key, "server") == 0)
            value = &options->server;
        else if (strcmp(option.key, "wait") == 0)
            value = &options->wait;
        else if (strcmp(option.key, "nodelay") == 0)
            value = &options->nodelay;
        if (value) {
            if (!chardev_option_bool(spec, &option, value, err))
                return false;
        } else if (strcmp(option.key, "nowait") == 0) {
            options->wait = false;
        } else {
            return error_set(err,
                             "%s: unknown option '%s' (server=on|off, wait=on|off, "
                             "nodelay=on|off)",
                             spec, option.key);
        }
    }
    return true;
}

static void drop_client(struct socket_dev *sock)
{
    if (sock->client < 0)
        return;
    chardev_stop_input(&sock->dev);
    chardev_stop_output(&sock->dev);
    close(sock->client);
    sock->client = -1;
}

static void use_client(struct socket_dev *sock, int fd)
{
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    sock->client = fd;
    chardev_start_output(&sock->dev, fd);
    chardev_set_connected(&sock->dev, true);
    chardev_start_input(&sock->dev, fd);
}

static void socket_input_ended(struct chardev *dev)
{
    struct socket_dev *sock = (struct socket_dev *)dev;
    chardev_drain(dev); // a client that only sends still reads its answers
    drop_client(sock);
    chardev_set_connected(dev, false);
    if (sock->listener_watch)
        fd_watch_set_events(sock->listener_watch, EVENT_READ);
}

static void on_connection(void *self, unsigned events)
{
    struct socket_dev *sock = self;
    if (sock->client >= 0)
        return;
    int fd = accept4(sock->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return; // the client has gone already
    fd_watch_set_events(sock->listener_watch, 0);
    use_client(sock, fd);
}

static void socket_close(struct chardev *dev)
{
    struct socket_dev *sock = (struct socket_dev *)dev;
    drop_client(sock);
    fd_watch_remove(sock->listener_watch);
    if (sock->listener >= 0)
        close(sock->listener);
    if (sock->unlink_path)
        unlink(sock->unlink_path);
    free(sock->unlink_path);
}

static const struct chardev_class socket_class = {
    .close = socket_close,
    .input_ended = socket_input_ended,
};

static struct socket_dev *socket_create(struct event_loop *loop, char *description)
{
    struct socket_dev *sock = xcalloc(1, sizeof *sock);
    chardev_init(&sock->dev, &socket_class, loop);
    sock->dev.description = description;
    sock->dev.out_is_socket = true;
    sock->dev.out_nonblocking = true;
    sock->client = -1;
    sock->listener = -1;
    return sock;
}

// wait=on: the machine starts with its first client.
static bool wait_for_client(struct socket_dev *sock, struct error *err)
{
    fprintf(stderr, "emu: waiting for a connection on %s\n", sock->dev.description);
    int fd = accept4(sock->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return error_set(err, "%s: no client came: %s", sock->dev.description, strerror(errno));
    use_client(sock, fd);
    return true;
}

static struct chardev *start_server(struct socket_dev *sock, int listener, bool wait,
                                    struct error *err)
{
    sock->listener = listener;
    if (wait && !wait_for_client(sock, err)) {
        chardev_close(&sock->dev);
        return NULL;
    }
    fcntl(listener, F_SETFL, fcntl(listener, F_GETFL) | O_NONBLOCK);
    unsigned events = sock->client < 0 ? EVENT_READ : 0;
    sock->listener_watch = event_loop_watch(sock->dev.loop, listener, events, on_connection, sock);
    return &sock->dev;
}

static bool fill_unix_address(struct sockaddr_un *address, const char *spec, const char *path,
                              size_t length, struct error *err)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (length == 0)
        return error_set(err, "%s: no socket path (say unix:PATH)", spec);
    if (length >= sizeof address->sun_path)
        return error_set(err, "%s: the socket path is longer than %zu bytes", spec,
                         sizeof address->sun_path - 1);
    memcpy(address->sun_path, path, length);
    return true;
}

static bool connect_unix(int fd, const struct sockaddr_un *address)
{
    return connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;
}

// Removes a socket that a dead server left behind; never another kind of file, never a living
// server's.
static bool remove_stale(const char *spec, const struct sockaddr_un *address, struct error *err)
{
    struct stat st;
    if (lstat(address->sun_path, &st) != 0)
        return true;
    if (!S_ISSOCK(st.st_mode))
        return error_set(err, "%s: cannot listen: the file exists and is not a socket", spec);
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool alive = probe >= 0 && connect_unix(probe, address);
    if (probe >= 0)
        close(probe);
    if (alive)
        return error_set(err, "%s: cannot listen: another program listens there", spec);
    unlink(address->sun_path);
    return true;
}

static int listen_unix(const char *spec, const struct sockaddr_un *address, struct error *err)
{
    if (!remove_stale(spec, address, err))
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)address, sizeof *address) == 0 &&
        listen(fd, 1) == 0)
        return fd;
    error_set(err, "%s: cannot listen: %s", spec, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

struct chardev *chardev_open_unix(struct event_loop *loop, const char *spec, struct error *err)
{
    const char *path = spec + strlen("unix:");
    size_t length = strcspn(path, ",");
    struct socket_options options;
    struct sockaddr_un address;
    if (!parse_options(spec, path + length, &options, err) ||
        !fill_unix_address(&address, spec, path, length, err))
        return NULL;
    if (options.server) {
        int listener = listen_unix(spec, &address, err);
        if (listener < 0)
            return NULL;
        struct socket_dev *sock =
            socket_create(loop, xasprintf("unix:%s,server=on", address.sun_path));
        sock->unlink_path = xstrdup(address.sun_path);
        return start_server(sock, listener, options.wait, err);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || !connect_unix(fd, &address)) {
        error_set(err, "%s: cannot connect: %s", spec, strerror(errno));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    struct socket_dev *sock = socket_create(loop, xasprintf("unix:%s", address.sun_path));
    use_client(sock, fd);
    return &sock->dev;
}

// "HOST:PORT" up to the first comma; HOST may be empty or in brackets.
static bool split_host_port(const char *spec, const char *text, size_t length, char *host,
                            size_t host_size, char *port, size_t port_size, struct error *err)
{
    const char *colon = memrchr(text, ':', length);
    if (!colon || colon + 1 == text + length)
        return error_set(err, "%s: no port (say tcp:HOST:PORT)", spec);
    size_t host_length = (size_t)(colon - text);
    size_t port_length = length - host_length - 1;
    if (host_length >= 2 && text[0] == '[' && colon[-1] == ']') {
        text++;
        host_length -= 2;
    }
    if (host_length >= host_size || port_length >= port_size)
        return error_set(err, "%s: host or port too long", spec);
    memcpy(host, text, host_length);
    host[host_length] = '\0';
    memcpy(port, colon + 1, port_length);
    port[port_length] = '\0';
    return true;
}

static int try_address(const struct addrinfo *ai, bool server, bool nodelay)
{
    int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC, ai->ai_protocol);
    if (fd < 0)
        return -1;
    int one = 1;
    if (nodelay) // inherited by the sockets that accept() makes
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    bool ok;
    if (server) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        ok = bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, 1) == 0;
    } else {
        ok = connect(fd, ai->ai_addr, ai->ai_addrlen) == 0;
    }
    if (ok)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static int open_tcp(const char *spec, const char *host, const char *port,
                    const struct socket_options *options, struct error *err)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list;
    if (options->server)
        hints.ai_flags = AI_PASSIVE;
    int code = getaddrinfo(host[0] ? host : NULL, port, &hints, &list);
    if (code != 0) {
        error_set(err, "%s: cannot resolve the address: %s", spec, gai_strerror(code));
        return -1;
    }
    int fd = -1;
    int saved = 0;
    for (const struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next) {
        fd = try_address(ai, options->server, options->nodelay);
        saved = errno;
    }
    freeaddrinfo(list);
    if (fd < 0)
        error_set(err, "%s: cannot %s: %s", spec, options->server ? "listen" : "connect",
                  strerror(saved));
    return fd;
}

// The port that the host chose when 0 was asked for.
static unsigned local_port(int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        return 0;
    if (address.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&address)->sin_port);
    return ntohs(((const struct sockaddr_in6 *)&address)->sin6_port);
}

struct chardev *chardev_open_tcp(struct event_loop *loop, const char *spec, struct error *err)
{
    const char *text = spec + strlen("tcp:");
    size_t length = strcspn(text, ",");
    struct socket_options options = {0};
    char host[256] = "";
    char port[32] = "";
    if (!parse_options(spec, text + length, &options, err) ||
        !split_host_port(spec, text, length, host, sizeof host, port, sizeof port, err))
        return NULL;
    int fd = open_tcp(spec, host, port, &options, err);
    if (fd < 0)
        return NULL;
    bool v6 = strchr(host, ':') != NULL;
    if (options.server) {
        char *description = xasprintf("tcp:%s%s%s:%u,server=on", v6 ? "[" : "", host, v6 ? "]" : "",
                                      local_port(fd));
        return start_server(socket_create(loop, description), fd, options.wait, err);
    }
    struct socket_dev *sock =
        socket_create(loop, xasprintf("tcp:%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port));
    use_client(sock, fd);
    return &sock->dev;
}
