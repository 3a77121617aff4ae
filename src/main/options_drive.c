// SPDX-License-Identifier: MIT
// Options that put drives into the four IDE places and order them for booting.
#include <stdlib.h>

#include "main/options_internal.h"

static const char *const places[MACHINE_MAX_DRIVES] = {"primary master", "primary slave",
                                                       "secondary master", "secondary slave"};

static bool add_drive(struct options *o, unsigned index, const struct drive_config *drive,
                      struct error *err)
{
    struct drive_config *d = &o->config.drives[index];
    if (d->present)
        return error_set(err, "there is already a drive at the %s IDE place (index %u)",
                         places[index], index);
    if (drive->path && !*drive->path)
        return error_set(err, "no file name");
    *d = *drive;
    d->present = true;
    return true;
}

static bool add_disk(struct options *o, const char *option, unsigned index, const char *path,
                     struct error *err)
{
    return add_drive(o, index, &(struct drive_config){.option = option, .path = path}, err);
}

bool option_hda(struct options *o, const char *value, struct error *err)
{
    return add_disk(o, "-hda", 0, value, err);
}

bool option_hdb(struct options *o, const char *value, struct error *err)
{
    return add_disk(o, "-hdb", 1, value, err);
}

bool option_hdc(struct options *o, const char *value, struct error *err)
{
    return add_disk(o, "-hdc", 2, value, err);
}

bool option_hdd(struct options *o, const char *value, struct error *err)
{
    return add_disk(o, "-hdd", 3, value, err);
}

bool option_cdrom(struct options *o, const char *value, struct error *err)
{
    return add_drive(
        o, 2,
        &(struct drive_config){.option = "-cdrom", .path = value, .cdrom = true, .read_only = true},
        err);
}

struct drive_values {
    struct drive_config config;
    uint64_t index, bus, unit;
    bool has_index, has_bus, has_unit;
};

static bool drive_place(const struct key_value *kv, uint64_t max, uint64_t *value, bool *given,
                        struct error *err)
{
    *given = true;
    return parse_unsigned(kv->value, max, value, err) || error_prefix(err, "%s=", kv->key);
}

static bool drive_word(const struct key_value *kv, const char *wanted, const char *remedy,
                       struct error *err)
{
    if (strcmp(kv->value, wanted) == 0)
        return true;
    return error_set(err, "%s=%s: %s", kv->key, kv->value, remedy);
}

static bool drive_value(struct options *o, const struct key_value *kv, struct drive_values *v,
                        struct error *err)
{
    if (strcmp(kv->key, "file") == 0) {
        v->config.path = options_own(o, xstrdup(kv->value));
        return true;
    }
    if (strcmp(kv->key, "if") == 0)
        return drive_word(kv, "ide", "only if=ide", err);
    if (strcmp(kv->key, "format") == 0)
        return drive_word(kv, "raw", "only raw images; convert it with qemu-img convert -O raw",
                          err);
    if (strcmp(kv->key, "snapshot") == 0)
        return drive_word(kv, "off", "it goes for all drives: use the option -snapshot", err);
    if (strcmp(kv->key, "index") == 0)
        return drive_place(kv, MACHINE_MAX_DRIVES - 1, &v->index, &v->has_index, err);
    if (strcmp(kv->key, "bus") == 0)
        return drive_place(kv, 1, &v->bus, &v->has_bus, err);
    if (strcmp(kv->key, "unit") == 0)
        return drive_place(kv, 1, &v->unit, &v->has_unit, err);
    if (strcmp(kv->key, "readonly") == 0 || strcmp(kv->key, "read-only") == 0)
        return parse_on_off(kv->value, &v->config.read_only, err) ||
               error_prefix(err, "%s=%s", kv->key, kv->value);
    if (strcmp(kv->key, "media") == 0) {
        v->config.cdrom = strcmp(kv->value, "cdrom") == 0;
        return v->config.cdrom || drive_word(kv, "disk", "say disk or cdrom", err);
    }
    return error_set(err,
                     "unknown parameter '%s' (file, if, index, bus, unit, media, format, readonly)",
                     kv->key);
}

bool option_drive(struct options *o, const char *value, struct error *err)
{
    struct drive_values v = {.config.option = "-drive"};
    struct key_value kv;
    const char *rest = value;
    while (key_value_next(&rest, "file", &kv))
        if (!drive_value(o, &kv, &v, err))
            return false;
    if (!v.config.path && !v.config.cdrom)
        return error_set(err, "no file= (a CD drive may be empty, a disk not)");
    if (v.has_index && (v.has_bus || v.has_unit))
        return error_set(err, "say index=, or bus= and unit=, not both");
    if (v.has_bus || v.has_unit) {
        v.index = v.bus * 2 + v.unit;
    } else if (!v.has_index) {
        // As QEMU: the first free place; a CD-ROM without index takes one just the same.
        while (v.index < MACHINE_MAX_DRIVES && o->config.drives[v.index].present)
            v.index++;
        if (v.index == MACHINE_MAX_DRIVES)
            return error_set(err, "all four IDE places are taken");
    }
    v.config.read_only |= v.config.cdrom;
    return add_drive(o, (unsigned)v.index, &v.config, err);
}

static bool boot_order(struct options *o, const char *letters, struct error *err)
{
    if (!*letters)
        return error_set(err, "order= names no device (a floppy, c disk, d CD, n network)");
    for (const char *p = letters; *p; p++) {
        if (!strchr("acdn", *p))
            return error_set(err, "'%c' is no boot device (a floppy, c disk, d CD, n network)", *p);
        if (strchr(p + 1, *p))
            return error_set(err, "boot device '%c' is named twice", *p);
    }
    o->config.boot_order = options_own(o, xstrdup(letters));
    return true;
}

bool option_boot(struct options *o, const char *value, struct error *err)
{
    struct key_value kv;
    const char *rest = value;
    while (key_value_next(&rest, "order", &kv)) {
        bool ok = true;
        bool strict;
        if (strcmp(kv.key, "order") == 0)
            ok = boot_order(o, kv.value, err);
        else if (strcmp(kv.key, "menu") == 0)
            ok = parse_on_off(kv.value, &o->config.boot_menu, err);
        else if (strcmp(kv.key, "strict") == 0)
            ok = parse_on_off(kv.value, &strict, err);
        else
            return error_set(err, "unknown parameter '%s' (order= and menu=)", kv.key);
        if (!ok)
            return false;
    }
    return true;
}
