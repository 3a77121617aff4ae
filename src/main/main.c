// SPDX-License-Identifier: MIT
// The program: options, then a machine with its character devices and monitors, run to its end.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "main/options.h"
#include "monitor/monitor.h"

#define MAX_DEVICES (MACHINE_MAX_SERIALS + OPTIONS_MAX_MONITORS + 1)

// A character device and the option that opened it. Two options may name one shared device.
struct device {
    const char *option;
    const char *spec;
    struct chardev *dev;
    unsigned shared_with; // index of the device that is closed for it; its own index when first
};

struct program {
    struct options options;
    struct log log;
    struct machine *machine;
    struct device devices[MAX_DEVICES];
    unsigned device_count;
    struct monitor *monitors[OPTIONS_MAX_MONITORS];
    unsigned monitor_count;
    int signal_fd;
    struct fd_watch *signal_watch;
};

static void ending_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
}

// While a socket waits for its first client nothing is open that must be closed in order.
static void end_at_once(int signal)
{
    _exit(0);
}

static void signals_init(void)
{
    signal(SIGPIPE, SIG_IGN);
    sigset_t set;
    ending_signals(&set);
    struct sigaction action = {.sa_handler = end_at_once};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    // Threads made later inherit the mask: signals come through the descriptor only.
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void signals_let_through(bool through)
{
    sigset_t set;
    ending_signals(&set);
    pthread_sigmask(through ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
}

static void signal_came(void *self, unsigned events)
{
    struct program *p = self;
    struct signalfd_siginfo info;
    if (read(p->signal_fd, &info, sizeof info) > 0)
        machine_quit(p->machine, 0);
}

static bool signals_watch(struct program *p, struct error *err)
{
    sigset_t set;
    ending_signals(&set);
    p->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (p->signal_fd < 0)
        return error_set(err, "the host gives no signal descriptor");
    p->signal_watch =
        event_loop_watch(machine_loop(p->machine), p->signal_fd, EVENT_READ, signal_came, p);
    return true;
}

static void add_device(struct program *p, const char *option, const char *spec)
{
    struct device *d = &p->devices[p->device_count];
    *d = (struct device){.option = option, .spec = spec, .shared_with = p->device_count};
    for (unsigned i = 0; i < p->device_count && strncmp(spec, "mon:", 4) == 0; i++) {
        if (strcmp(p->devices[i].spec, spec) == 0) {
            d->shared_with = i;
            break;
        }
    }
    p->device_count++;
}

static bool is_stdio(const char *spec)
{
    return strncmp(spec, "mon:", 4) == 0 || strncmp(spec, "stdio", 5) == 0;
}

// Sockets may wait for a client, and then a signal ends the program at once: so the terminal, which
// must get its settings back, is opened after them.
static bool open_pass(struct program *p, bool stdio, struct error *err)
{
    for (unsigned i = 0; i < p->device_count; i++) {
        struct device *d = &p->devices[i];
        if (is_stdio(d->spec) != stdio)
            continue;
        if (d->shared_with != i) {
            d->dev = p->devices[d->shared_with].dev;
            continue;
        }
        if (!stdio)
            signals_let_through(true);
        d->dev = chardev_open(machine_loop(p->machine), d->spec, err);
        signals_let_through(false);
        if (!d->dev) {
            struct error reason = *err; // begins with the device
            return error_set(err, "%s %s", d->option, reason.text);
        }
        if (strncmp(chardev_describe(d->dev), "pty:", 4) == 0)
            fprintf(stderr, "emu: %s is at %s\n", d->option, chardev_describe(d->dev) + 4);
    }
    return true;
}

static struct chardev *find_device(const struct program *p, const char *option, const char *spec)
{
    for (unsigned i = 0; i < p->device_count; i++)
        if (p->devices[i].spec == spec && strcmp(p->devices[i].option, option) == 0)
            return p->devices[i].dev;
    return NULL;
}

static bool open_devices(struct program *p, struct error *err)
{
    struct options *o = &p->options;
    for (unsigned i = 0; i < o->serial_count; i++)
        if (o->serials[i])
            add_device(p, "-serial", o->serials[i]);
    if (o->debugcon)
        add_device(p, "-debugcon", o->debugcon);
    for (unsigned i = 0; i < o->monitor_count; i++)
        add_device(p, "-monitor", o->monitors[i]);
    if (!open_pass(p, false, err) || !open_pass(p, true, err))
        return false;
    for (unsigned i = 0; i < o->serial_count; i++)
        if (o->serials[i])
            o->config.serials[i] = find_device(p, "-serial", o->serials[i]);
    if (o->debugcon)
        o->config.debugcon = find_device(p, "-debugcon", o->debugcon);
    return true;
}

static void ctrl_a_x(void *self)
{
    machine_quit(self, 0);
}

static void create_monitors(struct program *p)
{
    const struct options *o = &p->options;
    for (unsigned i = 0; i < p->device_count; i++)
        chardev_set_quit_handler(p->devices[i].dev, ctrl_a_x, p->machine);
    for (unsigned i = 0; i < o->monitor_count; i++) {
        struct chardev *dev = find_device(p, "-monitor", o->monitors[i]);
        // Nobody reads there: what plugins print had better go to standard output.
        if (strcmp(o->monitors[i], "null") != 0)
            p->monitors[p->monitor_count++] = monitor_create(p->machine, dev);
    }
}

static bool set_up(struct program *p, struct error *err)
{
    struct options *o = &p->options;
    p->log.mask = o->log_mask;
    if (o->log_file && !log_set_file(&p->log, o->log_file, err))
        return error_prefix(err, "-D %s", o->log_file);
    p->machine = machine_create(&p->log, err);
    if (!p->machine || !signals_watch(p, err) || !open_devices(p, err))
        return false;
    if (!machine_configure(p->machine, &o->config, err))
        return false;
    create_monitors(p);
    return true;
}

static void tear_down(struct program *p)
{
    // The board's last bytes, and what plugins say when they go, still find their devices.
    if (p->machine)
        machine_dismantle(p->machine);
    for (unsigned i = 0; i < p->monitor_count; i++)
        monitor_destroy(p->monitors[i]);
    for (unsigned i = 0; i < p->device_count; i++)
        if (p->devices[i].shared_with == i && p->devices[i].dev)
            chardev_close(p->devices[i].dev);
    if (p->signal_watch)
        fd_watch_remove(p->signal_watch);
    if (p->signal_fd >= 0)
        close(p->signal_fd);
    machine_destroy(p->machine);
    log_close(&p->log);
    options_free(&p->options);
}

int main(int argc, char **argv)
{
    struct program program = {.signal_fd = -1};
    struct error err = {""};
    signals_init();
    log_init(&program.log);
    if (!options_parse(&program.options, argc, argv, getenv("PLUGIN"), stdout, &err)) {
        options_free(&program.options);
        fprintf(stderr, "emu: %s\n", err.text);
        return EXIT_FAILURE;
    }
    int code = EXIT_SUCCESS;
    if (program.options.action == OPTIONS_RUN) {
        if (set_up(&program, &err)) {
            code = machine_run(program.machine);
        } else {
            fprintf(stderr, "emu: %s\n", err.text);
            code = EXIT_FAILURE;
        }
    }
    tear_down(&program);
    return code;
}
