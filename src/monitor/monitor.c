// SPDX-License-Identifier: MIT
// The monitor's input and output: lines from a character device to commands, and text back without
// disturbing a line that is being edited. One command is run for each turn of the event loop, so
// that the guest runs between the lines of a script.
#define _GNU_SOURCE
#include "monitor/monitor.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/command.h"
#include "monitor/complete.h"
#include "monitor/monitor_internal.h"

#define PROMPT "(emu) "

// ---- Output

static void write_device(struct monitor *mon, const char *text, size_t length)
{
    if (length == 0)
        return;
    mon->at_line_start = text[length - 1] == '\n';
    while (mon->is_raw && length > 0) {
        const char *end = memchr(text, '\n', length);
        size_t part = end ? (size_t)(end - text) : length;
        chardev_write(mon->dev, text, part);
        if (end)
            chardev_write(mon->dev, "\r\n", 2);
        part += end != NULL;
        text += part;
        length -= part;
    }
    chardev_write(mon->dev, text, length);
}

static void redraw(void *self)
{
    struct monitor *mon = self;
    mon->redraw_posted = false;
    if (!mon->focused || mon->leaving || mon->prompt_shown)
        return;
    if (!mon->at_line_start)
        write_device(mon, "\n", 1);
    mon->prompt_shown = true;
    editor_refresh(mon->editor);
}

// Text from a command or from elsewhere. A line under way is taken from the screen, and shown again
// when everything that comes in this turn of the event loop is written.
static void write_text(struct monitor *mon, const char *text, size_t length)
{
    if (length == 0)
        return;
    if (mon->prompt_shown) {
        mon->prompt_shown = false;
        write_device(mon, mon->erase, strlen(mon->erase));
        mon->redraw_posted = true;
        event_loop_post(machine_loop(mon->machine), redraw, mon);
    }
    write_device(mon, text, length);
}

static ssize_t output_write(void *cookie, const char *text, size_t length)
{
    write_text(cookie, text, length);
    return (ssize_t)length;
}

static void plugin_output(void *self, const char *text, size_t length)
{
    struct monitor *mon = self;
    fflush(mon->out);
    write_text(mon, text, length);
}

static void editor_output(void *self, const char *text, size_t length)
{
    write_device(self, text, length);
}

void monitor_printf(struct monitor *mon, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vfprintf(mon->out, fmt, args);
    va_end(args);
}

static void show_prompt(struct monitor *mon)
{
    if (mon->leaving || mon->style == MONITOR_PLAIN)
        return;
    if (mon->style == MONITOR_PROMPT) {
        chardev_write(mon->dev, PROMPT, strlen(PROMPT));
        return;
    }
    mon->prompt_shown = true;
    editor_begin(mon->editor);
}

static void greet(struct monitor *mon)
{
    if (mon->greeted || mon->style == MONITOR_PLAIN)
        return;
    mon->greeted = true;
    monitor_printf(mon, "%semu %s monitor - type 'help' for more information\n",
                   mon->shared ? "\n" : "", EMU_VERSION);
    fflush(mon->out);
    show_prompt(mon);
}

// ---- Input

void monitor_execute(struct monitor *mon, const char *line)
{
    machine_set_output(mon->machine, plugin_output, mon);
    command_execute(mon, line);
    fflush(mon->out);
}

// A complete line from the queue without an editor; NULL when there is none yet.
static const char *collect_line(struct monitor *mon)
{
    size_t used = 0;
    bool complete = false;
    while (used < mon->queued && !complete) {
        char c = (char)mon->queue[used++];
        if (c == '\n')
            complete = true;
        else if (mon->line_length == sizeof mon->line - 1)
            mon->line_too_long = true;
        else if (c != '\r' && c != '\0')
            mon->line[mon->line_length++] = c;
    }
    mon->queued -= used;
    memmove(mon->queue, mon->queue + used, mon->queued);
    if (!complete && !(mon->input_ended && mon->line_length > 0))
        return NULL;
    mon->line[mon->line_length] = '\0';
    mon->line_length = 0;
    return mon->line;
}

static const char *edit_line(struct monitor *mon)
{
    size_t used = 0;
    const char *line = editor_feed(mon->editor, mon->queue, mon->queued, &used);
    mon->queued -= used;
    memmove(mon->queue, mon->queue + used, mon->queued);
    if (line)
        mon->prompt_shown = false;
    return line;
}

static void work(void *self);

static void post_work(struct monitor *mon)
{
    if (mon->work_posted)
        return;
    mon->work_posted = true;
    event_loop_post(machine_loop(mon->machine), work, mon);
}

static void work(void *self)
{
    struct monitor *mon = self;
    mon->work_posted = false;
    if (mon->leaving) {
        mon->queued = 0;
        return;
    }
    if (mon->editor && !mon->prompt_shown)
        redraw(mon);
    const char *line = mon->editor ? edit_line(mon) : collect_line(mon);
    if (line) {
        if (mon->line_too_long)
            monitor_printf(mon, "the line is longer than %u characters\n", MONITOR_LINE_MAX - 1);
        else
            monitor_execute(mon, line);
        mon->line_too_long = false;
        fflush(mon->out);
        show_prompt(mon);
        if (mon->queued > 0 || mon->input_ended)
            post_work(mon);
    }
    chardev_accept_input(mon->dev);
}

static size_t can_receive(void *self)
{
    const struct monitor *mon = self;
    return sizeof mon->queue - mon->queued;
}

static void receive(void *self, const uint8_t *data, size_t length)
{
    struct monitor *mon = self;
    if (mon->leaving)
        return;
    size_t room = sizeof mon->queue - mon->queued;
    length = length < room ? length : room;
    memcpy(mon->queue + mon->queued, data, length);
    mon->queued += length;
    post_work(mon);
}

static void event(void *self, bool connected)
{
    struct monitor *mon = self;
    mon->input_ended = !connected;
    if (connected) {
        mon->line_length = 0;
        mon->queued = 0;
        if (!mon->shared)
            greet(mon);
        return;
    }
    mon->greeted = false;
    if (mon->style == MONITOR_PLAIN)
        post_work(mon); // the last line may lack its end
}

static void focus(void *self, bool focused)
{
    struct monitor *mon = self;
    mon->focused = focused;
    if (!focused) {
        if (mon->prompt_shown)
            write_device(mon, "\n", 1);
        mon->prompt_shown = false;
        return;
    }
    mon->at_line_start = false; // others wrote meanwhile
    if (!mon->greeted)
        greet(mon);
    else if (mon->editor)
        redraw(mon);
    else
        show_prompt(mon);
}

// ---- Making and ending

static void choose_style(struct monitor *mon)
{
    const char *where = chardev_describe(mon->dev);
    mon->shared = strncmp(where, "mon:", 4) == 0;
    mon->focused = !mon->shared;
    if (mon->shared)
        where += 4;
    bool is_pty = strncmp(where, "pty:", 4) == 0;
    mon->is_raw = is_pty;
    mon->style = MONITOR_PLAIN;
    if (chardev_is_terminal(mon->dev) || is_pty)
        mon->style = MONITOR_EDITOR;
    else if (strncmp(where, "unix:", 5) == 0 || strncmp(where, "tcp:", 4) == 0)
        mon->style = MONITOR_PROMPT;
}

static void create_editor(struct monitor *mon)
{
    struct editor_env env = {.self = mon,
                             .write = editor_output,
                             .complete = complete_line,
                             .prompt = PROMPT,
                             .size_fd = chardev_is_terminal(mon->dev) ? chardev_fd(mon->dev) : -1};
    const char *term = getenv("TERM");
    bool dumb = !term || !*term || strcmp(term, "dumb") == 0;
    mon->erase = dumb ? "\n" : "\r\033[J";
    mon->editor = editor_create(&env, NULL);
    if (!mon->editor)
        mon->style = MONITOR_PROMPT;
}

struct monitor *monitor_create(struct machine *machine, struct chardev *dev)
{
    static const cookie_io_functions_t functions = {.write = output_write};
    struct monitor *mon = xcalloc(1, sizeof *mon);
    mon->machine = machine;
    mon->dev = dev;
    mon->at_line_start = true;
    mon->erase = "";
    mon->out = fopencookie(mon, "w", functions);
    if (!mon->out)
        abort();
    choose_style(mon);
    if (mon->style == MONITOR_EDITOR)
        create_editor(mon);
    machine_set_output(machine, plugin_output, mon);
    const struct chardev_frontend frontend = {.can_receive = can_receive,
                                              .receive = receive,
                                              .event = event,
                                              .focus = focus,
                                              .self = mon};
    chardev_attach(dev, &frontend);
    return mon;
}

void monitor_destroy(struct monitor *mon)
{
    if (!mon)
        return;
    machine_set_output(mon->machine, NULL, NULL);
    mon->leaving = true;
    editor_destroy(mon->editor);
    if (mon->prompt_shown || !mon->at_line_start)
        write_device(mon, "\n", 1);
    mon->prompt_shown = false;
    fclose(mon->out);
    free(mon);
}
