// SPDX-License-Identifier: MIT
// -device, -global and what else names devices that a board has only when they are asked for.
#include "main/options_internal.h"

#define DEBUGCON_BASE 0xe9u // QEMU's default

struct device_values {
    uint64_t iobase, iosize;
};

struct device_row {
    const char *name;
    struct device_values
        defaults; // iosize 0: it has no such property; iobase 0: no ports to choose
    bool (*add)(struct options *o, const struct device_values *v, struct error *err);
    const char *help;
};

static bool add_debug_exit(struct options *o, const struct device_values *v, struct error *err)
{
    o->config.debug_exit = true;
    o->config.debug_exit_base = (uint16_t)v->iobase;
    o->config.debug_exit_size = (uint16_t)v->iosize;
    return true;
}

static bool add_debugcon(struct options *o, const struct device_values *v, struct error *err)
{
    o->config.debugcon_present = true;
    o->config.debugcon_base = (uint16_t)v->iobase;
    return true;
}

static bool add_testdev(struct options *o, const struct device_values *v, struct error *err)
{
    o->config.testdev = true;
    return true;
}

static bool add_post(struct options *o, const struct device_values *v, struct error *err)
{
    o->config.post_base = (uint16_t)v->iobase;
    return true;
}

static const struct device_row devices[] = {
    {"isa-debug-exit",
     {0x501, 2},
     add_debug_exit,
     "a write of V to its ports ends emu with exit code (V << 1) | 1; iobase=, iosize="},
    {"isa-debugcon",
     {DEBUGCON_BASE, 0},
     add_debugcon,
     "the port of -debugcon; iobase= (SeaBIOS writes to 0x402)"},
    {"pc-testdev", {0, 0}, add_testdev, "the test device of kvm-unit-tests"},
    {"isa-post",
     {0x190, 0},
     add_post,
     "a port beside 0x80 for POST codes, logged by -d post; iobase="},
};

static void list_devices(struct options *o)
{
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
        fprintf(o->out, "name \"%s\", bus ISA, desc \"%s\"\n", devices[i].name, devices[i].help);
    o->action = OPTIONS_SHOWN;
}

static const struct device_row *find_device_row(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
        if (strcmp(devices[i].name, name) == 0)
            return &devices[i];
    return NULL;
}

static bool device_property(const struct device_row *row, struct device_values *v,
                            const struct key_value *kv, struct error *err)
{
    if (strcmp(kv->key, "iobase") == 0 && row->defaults.iobase) {
        if (!parse_unsigned(kv->value, 0xffff, &v->iobase, err))
            return error_prefix(err, "iobase=%s", kv->value);
        return v->iobase > 0 || error_set(err, "iobase=%s: say 1 to 0xffff", kv->value);
    }
    if (strcmp(kv->key, "iosize") == 0 && row->defaults.iosize) {
        if (!parse_unsigned(kv->value, 16, &v->iosize, err) || v->iosize == 0)
            return error_set(err, "iosize=%s: say 1 to 16", kv->value);
        return true;
    }
    if (strcmp(kv->key, "chardev") == 0)
        return error_set(err, "chardev=%s: its output is what -debugcon names", kv->value);
    return error_set(err, "unknown property '%s'; -device help lists what it has", kv->key);
}

bool option_device(struct options *o, const char *value, struct error *err)
{
    if (strcmp(value, "help") == 0 || strcmp(value, "?") == 0) {
        list_devices(o);
        return true;
    }
    struct key_value kv;
    const char *rest = value;
    if (!key_value_next(&rest, "driver", &kv))
        return error_set(err, "no device name");
    const struct device_row *row = strcmp(kv.key, "driver") == 0 ? find_device_row(kv.value) : NULL;
    if (!row)
        return error_set(err, "unknown device; -device help lists them");
    struct device_values v = row->defaults;
    while (key_value_next(&rest, NULL, &kv))
        if (!device_property(row, &v, &kv, err))
            return false;
    if (v.iobase + v.iosize > 0x10000)
        return error_set(err, "its ports go beyond 0xffff");
    return row->add(o, &v, err);
}

bool option_debugcon(struct options *o, const char *value, struct error *err)
{
    o->debugcon = value;
    o->config.debugcon_present = true;
    if (!o->config.debugcon_base)
        o->config.debugcon_base = DEBUGCON_BASE;
    return true;
}

// The one property that people set without naming the device.
bool option_global(struct options *o, const char *value, struct error *err)
{
    static const char key[] = "isa-debugcon.iobase=";
    uint64_t base;
    if (strncmp(value, key, sizeof key - 1) != 0)
        return error_set(err, "only isa-debugcon.iobase= can be set; give -device its properties");
    if (!parse_unsigned(value + sizeof key - 1, 0xffff, &base, err))
        return false;
    if (base == 0)
        return error_set(err, "say 1 to 0xffff");
    o->config.debugcon_base = (uint16_t)base;
    return true;
}
