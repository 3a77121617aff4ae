// SPDX-License-Identifier: MIT
// What machine.c and run.c share.
#ifndef EMU_MACHINE_MACHINE_INTERNAL_H
#define EMU_MACHINE_MACHINE_INTERNAL_H

#include "machine/firmware.h"
#include "machine/machine.h"

struct machine {
    struct machine_config config;
    struct log *log;
    struct event_loop *loop;
    struct clock *clock;
    struct state_registry *registry;
    struct physmem *mem;
    struct portio *ports;
    struct cpu *cpu;
    struct executor *executor;
    struct broker *broker;
    struct plugin_host *plugins;
    struct pc *pc;
    struct firmware bios, vga_bios;
    enum machine_status status;
    _Atomic bool quit_requested; // by a signal
    bool quit;
    int exit_code;
    bool reset_wanted, power_off_wanted;
    // Real-time mode: a timer descriptor on the event loop kicks the CPU when the next virtual
    // timer is due.
    int timer_fd;
    struct fd_watch *timer_watch;
    int64_t armed_deadline;
    int64_t guest_ran_at; // the host's clock when guest code last ran, or had nothing to do
    void (*print)(void *self, const char *text, size_t length);
    void *print_self;
};

// Ends the current stretch of guest code soon. Any thread.
void machine_kick(struct machine *machine);

#endif
