// SPDX-License-Identifier: MIT
// A stopped machine of 64 MiB with an empty CD drive and a monitor that writes to a file.
#ifndef EMU_TESTS_MONITOR_FIXTURE_H
#define EMU_TESTS_MONITOR_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "monitor/monitor.h"

struct fixture {
    char folder[64];
    struct log log;
    struct machine *machine;
    struct chardev *dev;
    struct monitor *monitor;
    long seen; // bytes of the output file that were looked at
    char text[262144];
};

static inline char *fixture_path(struct fixture *f, const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    return path;
}

static inline void fixture_make(struct fixture *f)
{
    static const char *const order = "cd";
    struct error err = {""};
    memset(f, 0, sizeof *f);
    strcpy(f->folder, "/tmp/emu-monitor.XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    log_init(&f->log);
    f->machine = machine_create(&f->log, &err);
    struct machine_config config = {.cpu_model = CPU_MODEL_PENTIUM4,
                                    .ram_mib = 64,
                                    .boot_order = order,
                                    .name = "box",
                                    .start_stopped = true};
    config.drives[2] = (struct drive_config){.present = true, .cdrom = true, .read_only = true};
    if (!f->machine || !machine_configure(f->machine, &config, &err))
        fail_msg("no machine: %s", err.text);
}

static inline void fixture_add_monitor(struct fixture *f)
{
    struct error err = {""};
    char *spec = xasprintf("file:%s/out", f->folder);
    f->dev = chardev_open(machine_loop(f->machine), spec, &err);
    free(spec);
    assert_non_null(f->dev);
    f->monitor = monitor_create(f->machine, f->dev);
}

static inline void fixture_free(struct fixture *f)
{
    machine_dismantle(f->machine);
    monitor_destroy(f->monitor);
    chardev_close(f->dev);
    machine_destroy(f->machine);
    log_close(&f->log);
    char *command = xasprintf("rm -rf %s", f->folder);
    assert_int_equal(system(command), 0);
    free(command);
}

// Runs a command and returns what it printed.
static inline const char *fixture_run(struct fixture *f, const char *line)
{
    monitor_execute(f->monitor, line);
    FILE *file = fopen(fixture_path(f, "out"), "r");
    assert_non_null(file);
    fseek(file, f->seen, SEEK_SET);
    size_t n = fread(f->text, 1, sizeof f->text - 1, file);
    fclose(file);
    f->text[n] = '\0';
    f->seen += (long)n;
    return f->text;
}

static inline void fixture_is(struct fixture *f, const char *line, const char *expected)
{
    const char *got = fixture_run(f, line);
    if (strcmp(got, expected) != 0)
        fail_msg("%s: '%s', not '%s'", line, got, expected);
}

static inline void fixture_has(struct fixture *f, const char *line, const char *part)
{
    const char *got = fixture_run(f, line);
    if (!strstr(got, part))
        fail_msg("%s: no '%s' in '%s'", line, part, got);
}

// One line that names the thing.
static inline void fixture_refuses(struct fixture *f, const char *line, const char *part)
{
    const char *got = fixture_run(f, line);
    const char *end = strchr(got, '\n');
    if (!strstr(got, part) || !end || end[1])
        fail_msg("%s: '%s' is not one line with '%s'", line, got, part);
}

#endif
