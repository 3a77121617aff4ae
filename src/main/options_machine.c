// SPDX-License-Identifier: MIT
// Options that describe the machine: memory, CPU, time.
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "main/options_internal.h"

#define RAM_MIN_MIB      2u
#define ICOUNT_SHIFT_MAX 10u // 1.024 us an instruction
#define ICOUNT_AUTO      3u  // 8 ns an instruction: near the speed of the executors

// A number with one of the suffixes B, K, M, G, T; without one it counts MiB.
static bool parse_size(const char *text, uint64_t *bytes, struct error *err)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 0);
    if (end == text || text[0] == '-' || text[0] == '+' || errno)
        return error_set(err, "not a size (say 512M or 1G)");
    static const char suffixes[] = "BKMGT";
    unsigned shift = 20;
    if (*end) {
        const char *suffix = strchr(suffixes, *end >= 'a' ? *end - 'a' + 'A' : *end);
        if (!suffix || end[1])
            return error_set(err, "not a size (say 512M or 1G)");
        shift = 10 * (unsigned)(suffix - suffixes);
    }
    if (number > UINT64_MAX >> shift)
        return error_set(err, "too much memory: at most %uM", MACHINE_MAX_RAM_MIB);
    *bytes = (uint64_t)number << shift;
    return true;
}

bool option_memory(struct options *o, const char *value, struct error *err)
{
    struct key_value kv;
    const char *rest = value;
    uint64_t bytes = 0;
    while (key_value_next(&rest, "size", &kv)) {
        if (strcmp(kv.key, "size") != 0)
            return error_set(err, "unknown parameter '%s' (only size=)", kv.key);
        if (!parse_size(kv.value, &bytes, err))
            return false;
    }
    if (bytes > (uint64_t)MACHINE_MAX_RAM_MIB << 20)
        return error_set(err, "too much memory: at most %uM", MACHINE_MAX_RAM_MIB);
    if (bytes < (uint64_t)RAM_MIN_MIB << 20)
        return error_set(err, "too little memory: at least %uM", RAM_MIN_MIB);
    if (bytes & 0xfffff)
        return error_set(err, "not a whole number of MiB");
    o->config.ram_mib = (uint32_t)(bytes >> 20);
    return true;
}

bool option_machine(struct options *o, const char *value, struct error *err)
{
    struct key_value kv;
    const char *rest = value;
    if (strcmp(value, "help") == 0) {
        fprintf(o->out, "pc  i440FX and PIIX3 (alias pc-i440fx)\n");
        o->action = OPTIONS_SHOWN;
        return true;
    }
    while (key_value_next(&rest, "type", &kv)) {
        if (strcmp(kv.key, "accel") == 0) {
            if (!option_accel(o, kv.value, err))
                return false;
        } else if (strcmp(kv.key, "type") != 0) {
            return error_set(err, "unknown property '%s' (only type= and accel=)", kv.key);
        } else if (strcmp(kv.value, "pc") != 0 && strncmp(kv.value, "pc-i440fx", 9) != 0) {
            return error_set(err, "unknown machine '%s'; the only one is pc", kv.value);
        }
    }
    return true;
}

// Properties of -accel: tb-size=MiB, window=on|off.
static bool accel_properties(struct options *o, const char *rest, struct error *err)
{
    struct key_value kv;
    while (key_value_next(&rest, NULL, &kv)) {
        char *end = NULL;
        unsigned long mib = strtoul(kv.value, &end, 10);
        if (strcmp(kv.key, "tb-size") == 0) {
            if (end == kv.value || *end || mib < 1 || mib > 1024)
                return error_set(err, "tb-size wants 1 to 1024 (MiB)");
            o->config.tb_size = (size_t)mib << 20;
        } else if (strcmp(kv.key, "window") == 0) {
            bool on;
            if (!parse_on_off(kv.value, &on, err))
                return error_prefix(err, "window");
            o->config.no_window = !on;
        } else {
            return error_set(err, "unknown property '%s' (only tb-size= and window=)", kv.key);
        }
    }
    return true;
}

// NAME[,PROPERTY=VALUE...]
bool option_accel(struct options *o, const char *value, struct error *err)
{
    static const char *const names[] = {
        [ACCEL_INTERP] = "interp", [ACCEL_JIT] = "jit", [ACCEL_LOCKSTEP] = "lockstep"};
    if (strcmp(value, "help") == 0) {
        fprintf(o->out, "jit       translates to host code\n"
                        "interp    the reference interpreter\n"
                        "lockstep  both, compared\n");
        o->action = OPTIONS_SHOWN;
        return true;
    }
    size_t length = strcspn(value, ",");
    const char *rest = value[length] == ',' ? value + length + 1 : "";
    unsigned accel = ACCEL_INTERP;
    while (accel < ARRAY_SIZE(names) &&
           (strlen(names[accel]) != length || strncmp(names[accel], value, length) != 0))
        accel++;
    if (accel == ARRAY_SIZE(names))
        return error_set(err, "unknown accelerator; use jit, interp or lockstep");
    o->config.accel = (enum machine_accel)accel;
    return accel_properties(o, rest, err);
}

bool option_cpu(struct options *o, const char *value, struct error *err)
{
    if (strcmp(value, "help") == 0) {
        for (unsigned m = CPU_MODEL_486; m <= CPU_MODEL_PENTIUM4; m++)
            fprintf(o->out, "%s\n", cpu_model_name((enum cpu_model)m));
        o->action = OPTIONS_SHOWN;
        return true;
    }
    // As QEMU: the model with everything there is.
    if (strcmp(value, "max") == 0)
        o->config.cpu_model = CPU_MODEL_PENTIUM4;
    else if (!cpu_model_parse(value, &o->config.cpu_model))
        return error_set(err, "unknown CPU model; -cpu help lists them");
    return true;
}

bool option_smp(struct options *o, const char *value, struct error *err)
{
    struct key_value kv;
    const char *rest = value;
    while (key_value_next(&rest, "cpus", &kv))
        if (strcmp(kv.value, "1") != 0)
            return error_set(err, "the machine has one CPU; say 1 or leave it out");
    return true;
}

// "2024-05-06T07:08:09" or "2024-05-06", as UTC.
static bool parse_date(const char *text, int64_t *seconds, struct error *err)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!end || *end) {
        tm = (struct tm){0};
        end = strptime(text, "%Y-%m-%d", &tm);
    }
    // timegm normalises: February 30th becomes another day, and is no date.
    struct tm normal = tm;
    time_t time = end && !*end ? timegm(&normal) : -1;
    if (!end || *end || normal.tm_mday != tm.tm_mday || normal.tm_mon != tm.tm_mon || time < 0)
        return error_set(err, "base=%s: say utc, localtime, 2024-05-06T07:08:09 or 2024-05-06",
                         text);
    *seconds = time;
    return true;
}

static bool rtc_base(struct options *o, const char *text, struct error *err)
{
    time_t now = time(NULL);
    o->config.rtc_base = now;
    if (strcmp(text, "utc") == 0)
        return true;
    if (strcmp(text, "localtime") != 0)
        return parse_date(text, &o->config.rtc_base, err);
    struct tm local;
    localtime_r(&now, &local);
    o->config.rtc_base = timegm(&local);
    return true;
}

bool option_rtc(struct options *o, const char *value, struct error *err)
{
    struct key_value kv;
    const char *rest = value;
    while (key_value_next(&rest, NULL, &kv)) {
        if (strcmp(kv.key, "base") == 0) {
            if (!rtc_base(o, kv.value, err))
                return false;
        } else if (strcmp(kv.key, "clock") == 0) {
            // The guest's clock is the machine's virtual one; host and rt only choose its epoch.
            if (strcmp(kv.value, "host") != 0 && strcmp(kv.value, "vm") != 0 &&
                strcmp(kv.value, "rt") != 0)
                return error_set(err, "clock=%s: say host, rt or vm", kv.value);
        } else {
            return error_set(err, "unknown parameter '%s' (only base= and clock=)", kv.key);
        }
    }
    return true;
}

static bool icount_shift(struct options *o, const char *text, struct error *err)
{
    uint64_t shift = ICOUNT_AUTO;
    if (strcmp(text, "auto") != 0 && !parse_unsigned(text, ICOUNT_SHIFT_MAX, &shift, NULL))
        return error_set(err, "shift=%s: say 0 to %u, or auto", text, ICOUNT_SHIFT_MAX);
    o->config.icount = true;
    o->config.icount_shift = (unsigned)shift;
    return true;
}

bool option_icount(struct options *o, const char *value, struct error *err)
{
    struct key_value kv;
    const char *rest = value;
    while (key_value_next(&rest, "shift", &kv)) {
        if (strcmp(kv.key, "shift") == 0) {
            if (!icount_shift(o, kv.value, err))
                return false;
        } else if (strcmp(kv.key, "sleep") == 0 || strcmp(kv.key, "align") == 0) {
            // Idle time is always skipped.
            if (strcmp(kv.value, "off") != 0)
                return error_set(err, "%s=%s is not possible: say %s=off", kv.key, kv.value,
                                 kv.key);
        } else {
            return error_set(err, "unknown parameter '%s' (only shift=, sleep=off, align=off)",
                             kv.key);
        }
    }
    if (!o->config.icount)
        return error_set(err, "no shift (say shift=3 or shift=auto)");
    return true;
}
