// SPDX-License-Identifier: MIT
// What the monitor's files share.
#ifndef EMU_MONITOR_MONITOR_INTERNAL_H
#define EMU_MONITOR_MONITOR_INTERNAL_H

#include "monitor/editor.h"
#include "monitor/monitor.h"

#define MONITOR_LINE_MAX  4096u
#define MONITOR_QUEUE_MAX 8192u

enum monitor_style {
    MONITOR_PLAIN,  // a pipe or a file: results only
    MONITOR_PROMPT, // a socket: greeting and prompt
    MONITOR_EDITOR, // a terminal
};

struct monitor {
    struct machine *machine;
    struct chardev *dev;
    enum monitor_style style;
    FILE *out;    // buffered; the monitor flushes it after each command
    bool is_raw;  // the far end wants a carriage return before each line feed
    bool shared;  // on a device with other front ends
    bool focused; // what is typed comes here
    bool greeted;
    bool leaving;       // `quit`: nothing is read any more
    bool at_line_start; // what was written last ended a line

    uint8_t queue[MONITOR_QUEUE_MAX]; // typed, not yet read
    size_t queued;
    bool input_ended;
    bool work_posted;
    char line[MONITOR_LINE_MAX]; // being collected (not by the editor)
    size_t line_length;
    bool line_too_long;

    struct editor *editor; // NULL: not a terminal
    bool prompt_shown;     // the editor's line is on the screen
    bool redraw_posted;
    const char *erase; // takes the editor's line from the screen
};

void monitor_printf(struct monitor *mon, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
