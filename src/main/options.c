// SPDX-License-Identifier: MIT
// The table of command-line options, in the order -help prints them, and the parser that walks it.
#include "main/options.h"

#include <errno.h>
#include <stdlib.h>

#include "main/options_internal.h"

#define RAM_DEFAULT_MIB 128u
#define VALUE_SHOWN_MAX 200u

bool key_value_next(const char **rest, const char *implied, struct key_value *kv)
{
    const char *p = *rest;
    if (!*p)
        return false;
    size_t key = strcspn(p, "=,");
    bool has_key = p[key] == '=';
    const char *name = has_key || !implied ? p : implied;
    size_t name_length = has_key || !implied ? key : strlen(implied);
    bool too_long = name_length >= sizeof kv->key;
    if (!too_long) {
        memcpy(kv->key, name, name_length);
        kv->key[name_length] = '\0';
    }
    if (has_key)
        p += key + 1;
    size_t length = 0;
    for (; *p && !(*p == ',' && p[1] != ','); p++) {
        if (*p == ',')
            p++; // ",," is one comma
        if (length < sizeof kv->value - 1)
            kv->value[length++] = *p;
        else
            too_long = true;
    }
    kv->value[length] = '\0';
    if (!has_key && !implied)
        memcpy(kv->value, "on", 3);
    if (too_long)
        memcpy(kv->key, KEY_TOO_LONG, sizeof KEY_TOO_LONG);
    *rest = *p ? p + 1 : p;
    return true;
}

bool parse_on_off(const char *text, bool *value, struct error *err)
{
    *value = strcmp(text, "on") == 0;
    return *value || strcmp(text, "off") == 0 || error_set(err, "say on or off");
}

bool parse_unsigned(const char *text, uint64_t max, uint64_t *value, struct error *err)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 0);
    if (*text < '0' || *text > '9' || *end || errno || number > max)
        return error_set(err, "not a number from 0 to %llu", (unsigned long long)max);
    *value = number;
    return true;
}

const char *options_own(struct options *o, char *text)
{
    o->owned = xrealloc(o->owned, (o->owned_count + 1) * sizeof *o->owned);
    o->owned[o->owned_count++] = text;
    return text;
}

static bool option_bios(struct options *o, const char *value, struct error *err)
{
    o->config.bios = value;
    return true;
}

static bool option_firmware_dir(struct options *o, const char *value, struct error *err)
{
    if (o->firmware_dir_count == ARRAY_SIZE(o->config.firmware_dirs) - 1)
        return error_set(err, "at most %u folders", o->firmware_dir_count);
    o->config.firmware_dirs[o->firmware_dir_count++] = value;
    return true;
}

static bool option_kernel(struct options *o, const char *value, struct error *err)
{
    o->config.kernel = value;
    return true;
}

static bool option_initrd(struct options *o, const char *value, struct error *err)
{
    o->config.initrd = value;
    return true;
}

static bool option_append(struct options *o, const char *value, struct error *err)
{
    o->config.append = value;
    return true;
}

static bool option_snapshot(struct options *o, const char *value, struct error *err)
{
    o->config.snapshot = true;
    return true;
}

static bool option_serial(struct options *o, const char *value, struct error *err)
{
    if (o->serial_count == MACHINE_MAX_SERIALS)
        return error_set(err, "at most %u serial ports", MACHINE_MAX_SERIALS);
    o->serial_given = true;
    o->serials[o->serial_count++] = strcmp(value, "none") == 0 ? NULL : value;
    return true;
}

static bool option_monitor(struct options *o, const char *value, struct error *err)
{
    o->monitor_given = true;
    if (strcmp(value, "none") == 0)
        return true;
    if (o->monitor_count == OPTIONS_MAX_MONITORS)
        return error_set(err, "at most %u monitors", OPTIONS_MAX_MONITORS);
    o->monitors[o->monitor_count++] = value;
    return true;
}

static bool option_display(struct options *o, const char *value, struct error *err)
{
    return strcmp(value, "none") == 0 ||
           error_set(err, "this build has no window; use -display none (screendump at the monitor "
                          "saves the screen)");
}

static bool option_nographic(struct options *o, const char *value, struct error *err)
{
    o->nographic = true;
    return true;
}

static bool option_vga(struct options *o, const char *value, struct error *err)
{
    return strcmp(value, "std") == 0 || error_set(err, "unknown card; the only one is std");
}

static bool option_none(struct options *o, const char *value, struct error *err)
{
    return strcmp(value, "none") == 0 ||
           error_set(err, "not in this build; leave it out or say none");
}

static bool option_nodefaults(struct options *o, const char *value, struct error *err)
{
    o->nodefaults = true;
    return true;
}

static bool option_stopped(struct options *o, const char *value, struct error *err)
{
    o->config.start_stopped = true;
    return true;
}

static bool option_no_reboot(struct options *o, const char *value, struct error *err)
{
    o->config.no_reboot = true;
    return true;
}

static bool option_no_shutdown(struct options *o, const char *value, struct error *err)
{
    o->config.no_shutdown = true;
    return true;
}

static bool option_name(struct options *o, const char *value, struct error *err)
{
    struct key_value kv;
    const char *rest = value;
    while (key_value_next(&rest, "guest", &kv)) {
        if (strcmp(kv.key, "guest") != 0)
            return error_set(err, "unknown parameter '%s' (only guest=)", kv.key);
        o->config.name = options_own(o, xstrdup(kv.value));
    }
    return true;
}

// The list is the plugin host's to read: "a,key=value,b".
static bool option_plugin(struct options *o, const char *value, struct error *err)
{
    size_t length = strlen(value);
    if (length == 0 || *value == ',' || value[length - 1] == ',' || strstr(value, ",,"))
        return error_set(err, "an empty plugin name");
    if (o->config.plugin_count == MACHINE_MAX_PLUGINS)
        return error_set(err, "at most %u times", MACHINE_MAX_PLUGINS);
    o->config.plugins[o->config.plugin_count++] = value;
    return true;
}

static bool option_os_version(struct options *o, const char *value, struct error *err)
{
    static const char *const systems[] = {"Linux", "WinXP", "Win7", "Win8", "Win8.1"};
    for (size_t i = 0; i < ARRAY_SIZE(systems); i++) {
        if (strcmp(value, systems[i]) == 0) {
            o->config.os_version = systems[i];
            return true;
        }
    }
    return error_set(err, "unknown guest system (Linux, WinXP, Win7, Win8 or Win8.1)");
}

static bool option_log(struct options *o, const char *value, struct error *err)
{
    if (strcmp(value, "help") != 0)
        return log_parse_mask(value, &o->log_mask, err);
    log_list_categories(o->out);
    o->action = OPTIONS_SHOWN;
    return true;
}

static bool option_log_file(struct options *o, const char *value, struct error *err)
{
    o->log_file = value;
    return true;
}

static bool option_perfmap(struct options *o, const char *value, struct error *err)
{
    o->config.perfmap = true;
    return true;
}

static bool option_jitdump(struct options *o, const char *value, struct error *err)
{
    o->config.jitdump = true;
    return true;
}

static bool option_version(struct options *o, const char *value, struct error *err)
{
    fprintf(o->out, "emu version %s\n", EMU_VERSION);
    o->action = OPTIONS_SHOWN;
    return true;
}

static bool option_help(struct options *o, const char *value, struct error *err);

static const struct option_row rows[] = {
    {"m", NULL, "SIZE", option_memory, "memory in MiB, or with a suffix: 512M, 2G (default 128M)"},
    {"cpu", NULL, "MODEL", option_cpu, "486, pentium, pentium3 or pentium4 (default)"},
    {"smp", NULL, "1", option_smp, "the number of CPUs"},
    {"accel", NULL, "NAME", option_accel,
     "how guest code runs: jit (default), interp or lockstep; tb-size=MiB, window=on|off"},
    {"machine", "M", "pc", option_machine, "the board"},
    {"hda", NULL, "FILE", option_hda, "raw disk image at the primary master IDE place"},
    {"hdb", NULL, "FILE", option_hdb, "... primary slave"},
    {"hdc", NULL, "FILE", option_hdc, "... secondary master"},
    {"hdd", NULL, "FILE", option_hdd, "... secondary slave"},
    {"cdrom", NULL, "FILE", option_cdrom, "CD-ROM image, secondary master"},
    {"drive", NULL, "file=F,...", option_drive,
     "a drive: if=ide,index=N,bus=N,unit=N,media=disk|cdrom,format=raw,readonly=on|off"},
    {"snapshot", NULL, NULL, option_snapshot, "keep writes in a temporary file, not in the images"},
    {"boot", NULL, "ORDER", option_boot,
     "[order=]LETTERS (a floppy, c disk, d CD, n network),menu=on"},
    {"kernel", NULL, "FILE", option_kernel, "boot this Linux kernel or multiboot image"},
    {"initrd", NULL, "FILE", option_initrd, "its initial RAM disk"},
    {"append", NULL, "TEXT", option_append, "its command line"},
    {"bios", NULL, "FILE", option_bios, "firmware image (default: SeaBIOS of the distribution)"},
    {"L", NULL, "DIR", option_firmware_dir, "look for firmware in this folder first; may repeat"},
    {"serial", NULL, "DEV", option_serial,
     "serial port on DEV: stdio, null, none, file:P, pty, unix:P,server=on,wait=off,\n"
     "tcp:H:P,server=on,wait=off, or mon:stdio (shared with the monitor, Ctrl-A c switches)"},
    {"monitor", NULL, "DEV", option_monitor, "monitor on DEV, as for -serial; may repeat"},
    {"debugcon", NULL, "DEV", option_debugcon,
     "debug console on DEV: port 0xe9, or that of -device isa-debugcon"},
    {"display", NULL, "none", option_display, "no window"},
    {"vnc", NULL, "none", option_none, "no window elsewhere"},
    {"nographic", NULL, NULL, option_nographic, "serial port and monitor on this terminal"},
    {"vga", NULL, "std", option_vga, "the graphics card"},
    {"device", NULL, "NAME,...", option_device,
     "a further device: isa-debug-exit,iobase=0x501,iosize=2, isa-debugcon,iobase=0x402,\n"
     "pc-testdev, isa-post,iobase=0x190; -device help describes them"},
    {"global", NULL, "PROPERTY", option_global, "isa-debugcon.iobase=0x402: the port of -debugcon"},
    {"parallel", NULL, "none", option_none, "no parallel port"},
    {"net", "nic", "none", option_none, "no network"},
    {"nodefaults", NULL, NULL, option_nodefaults,
     "no serial port, monitor or CD drive unless named"},
    {"rtc", NULL, "base=TIME", option_rtc,
     "the guest's date: utc, localtime or 2024-05-06T07:08:09"},
    {"icount", NULL, "shift=N", option_icount,
     "time from executed instructions, 2^N ns each (auto: 3): equal runs repeat exactly"},
    {"S", NULL, NULL, option_stopped, "wait for cont at the monitor"},
    {"no-reboot", NULL, NULL, option_no_reboot, "a guest's reset ends emu"},
    {"no-shutdown", NULL, NULL, option_no_shutdown, "a guest's power-off pauses emu"},
    {"plugin", NULL, "NAME,...", option_plugin,
     "load plugins: a,key=value,b; may repeat (also: environment variable PLUGIN)"},
    {"os-version", NULL, "NAME", option_os_version,
     "guest system: Linux, WinXP, Win7, Win8, Win8.1"},
    {"d", NULL, "CATEGORIES", option_log, "log these; -d help lists them"},
    {"D", NULL, "FILE", option_log_file, "log to FILE"},
    {"perfmap", NULL, NULL, option_perfmap,
     "name translated code for Linux perf in /tmp/perf-PID.map"},
    {"jitdump", NULL, NULL, option_jitdump,
     "... in ./jit-PID.dump, with the code, for perf inject"},
    {"name", NULL, "NAME", option_name, "name of the machine"},
    {"version", NULL, NULL, option_version, "print the version"},
    {"help", "h", NULL, option_help, "print this"},
};

static void print_row(FILE *out, const struct option_row *row)
{
    char head[64];
    snprintf(head, sizeof head, "-%s%s%s", row->name, row->value ? " " : "",
             row->value ? row->value : "");
    const char *line = row->help;
    for (bool first = true; *line; first = false) {
        size_t length = strcspn(line, "\n");
        fprintf(out, "  %-20s %.*s\n", first ? head : "", (int)length, line);
        line += length + (line[length] != '\0');
    }
}

static bool option_help(struct options *o, const char *value, struct error *err)
{
    fprintf(o->out, "usage: emu [options] [DISK-IMAGE]\n\n");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        print_row(o->out, &rows[i]);
    fprintf(o->out, "\nAt the monitor, help lists the commands. SIGINT and SIGTERM end emu.\n");
    o->action = OPTIONS_SHOWN;
    return true;
}

static const struct option_row *find_row(const char *arg)
{
    const char *name = arg + (arg[1] == '-' ? 2 : 1);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (strcmp(rows[i].name, name) == 0 || (rows[i].alias && strcmp(rows[i].alias, name) == 0))
            return &rows[i];
    return NULL;
}

// What nobody asked for by name: a serial port and the monitor where the display would be, and a CD
// drive to put images in.
static void add_defaults(struct options *o)
{
    bool alone = !o->serial_given && !o->monitor_given;
    if (o->nographic && !o->serial_given)
        option_serial(o, alone ? "mon:stdio" : "stdio", NULL);
    else if (!o->serial_given && !o->nodefaults)
        option_serial(o, "null", NULL);
    if (o->nographic && !o->monitor_given)
        option_monitor(o, alone ? "mon:stdio" : "stdio", NULL);
    // A serial port on a shared device brings its monitor.
    for (unsigned i = 0; i < o->serial_count && !o->monitor_given; i++)
        if (o->serials[i] && strncmp(o->serials[i], "mon:", 4) == 0)
            option_monitor(o, o->serials[i], NULL);
    if (!o->nodefaults && !o->config.drives[2].present)
        o->config.drives[2] =
            (struct drive_config){.present = true, .cdrom = true, .read_only = true};
}

static bool check_kernel(const struct options *o, struct error *err)
{
    if (o->config.kernel)
        return true;
    if (o->config.initrd)
        return error_set(err, "-initrd %s: it needs -kernel", o->config.initrd);
    if (o->config.append)
        return error_set(err, "-append %s: it needs -kernel", o->config.append);
    return true;
}

static bool parse_one(struct options *o, const struct option_row *row, const char *arg,
                      const char *value, struct error *err)
{
    if (row->parse(o, value, err))
        return true;
    if (!value)
        return error_prefix(err, "%s", arg);
    // The reason must fit behind it.
    bool cut = strlen(value) > VALUE_SHOWN_MAX;
    return error_prefix(err, "%s %.*s%s", arg, (int)VALUE_SHOWN_MAX, value, cut ? "..." : "");
}

static bool parse_args(struct options *o, int argc, char *const *argv, struct error *err)
{
    for (int i = 1; i < argc && o->action == OPTIONS_RUN; i++) {
        const char *arg = argv[i];
        if (arg[0] != '-' || !arg[1]) {
            if (!option_hda(o, arg, err))
                return error_prefix(err, "%s", arg);
            continue;
        }
        const struct option_row *row = find_row(arg);
        if (!row)
            return error_set(err, "%s: unknown option; emu -help lists them", arg);
        const char *value = NULL;
        if (row->value) {
            if (i + 1 == argc)
                return error_set(err, "%s: a value is missing (%s %s)", arg, arg, row->value);
            value = argv[++i];
        }
        if (!parse_one(o, row, arg, value, err))
            return false;
    }
    return true;
}

bool options_parse(struct options *o, int argc, char *const *argv, const char *plugin_variable,
                   FILE *out, struct error *err)
{
    memset(o, 0, sizeof *o);
    o->out = out;
    o->config.ram_mib = RAM_DEFAULT_MIB;
    o->config.cpu_model = CPU_MODEL_PENTIUM4;
    if (!option_rtc(o, "base=utc", err) || !parse_args(o, argc, argv, err))
        return false;
    if (o->action != OPTIONS_RUN)
        return true;
    if (plugin_variable && *plugin_variable && !option_plugin(o, plugin_variable, err))
        return error_prefix(err, "PLUGIN=%s", plugin_variable);
    add_defaults(o);
    return check_kernel(o, err);
}

void options_free(struct options *o)
{
    for (size_t i = 0; i < o->owned_count; i++)
        free(o->owned[i]);
    free(o->owned);
    o->owned = NULL;
    o->owned_count = 0;
}
