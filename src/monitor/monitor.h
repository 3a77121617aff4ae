// SPDX-License-Identifier: MIT
// The monitor: a command prompt on a character device. On a terminal it has an editor with history
// and completion; on a socket a prompt; on a pipe it prints results only, and the end of the input
// does not end the machine. Thread: the machine's thread.
#ifndef EMU_MONITOR_MONITOR_H
#define EMU_MONITOR_MONITOR_H

#include "machine/machine.h"

struct monitor;

// The device stays the caller's. What plugins print goes to the monitor that was made or used last.
struct monitor *monitor_create(struct machine *machine, struct chardev *dev);
void monitor_destroy(struct monitor *monitor);

// Runs one command line and prints its results, as if it had been typed.
void monitor_execute(struct monitor *monitor, const char *line);

#endif
