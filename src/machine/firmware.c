// SPDX-License-Identifier: MIT
// Reading firmware files from the folders distributions use.
#include "machine/firmware.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define BIOS_GRANULE (64u * 1024)
#define BIOS_MAX     (1024u * 1024)
#define VGA_BIOS_MAX (64u * 1024)

static const char *const default_dirs[] = {"/usr/share/seabios", "/usr/share/qemu",
                                           "/usr/local/share/seabios", "/usr/local/share/qemu",
                                           NULL};

void firmware_free(struct firmware *firmware)
{
    free(firmware->data);
    firmware->data = NULL;
    firmware->size = 0;
}

static bool read_file(FILE *file, const char *path, uint32_t max, struct firmware *out,
                      struct error *err)
{
    uint8_t *data = xcalloc(1, (size_t)max + 1);
    size_t size = fread(data, 1, (size_t)max + 1, file);
    if (ferror(file) || size == 0 || size > max) {
        free(data);
        if (ferror(file))
            return error_set(err, "%s: cannot be read", path);
        return error_set(err, "%s: %s", path,
                         size ? "is larger than a firmware image can be" : "is empty");
    }
    out->data = data;
    out->size = (uint32_t)size;
    return true;
}

// Tries one path; *found tells whether the file exists.
static bool try_path(const char *dir, const char *name, uint32_t max, struct firmware *out,
                     bool *found, struct error *err)
{
    char *path = dir ? xasprintf("%s/%s", dir, name) : xstrdup(name);
    FILE *file = file_open_read(path);
    *found = file != NULL || errno != ENOENT;
    bool ok = false;
    if (file) {
        ok = read_file(file, path, max, out, err);
        fclose(file);
    } else {
        error_set(err, "%s: %s", path, strerror(errno));
    }
    free(path);
    return ok;
}

static bool find_file(const char *name, const char *const *dirs, uint32_t max, struct firmware *out,
                      bool *found, struct error *err)
{
    bool ok = try_path(NULL, name, max, out, found, err);
    if (*found || strchr(name, '/'))
        return ok;
    const char *const *lists[] = {dirs, default_dirs};
    for (unsigned l = 0; l < ARRAY_SIZE(lists); l++) {
        for (const char *const *dir = lists[l]; dir && *dir; dir++) {
            ok = try_path(*dir, name, max, out, found, err);
            if (*found)
                return ok;
        }
    }
    return error_set(err, "%s: not found; install the seabios package, or name the folder with -L",
                     name);
}

bool firmware_load_bios(const char *name, const char *const *dirs, struct firmware *out,
                        struct error *err)
{
    bool found;
    bool ok = find_file(name ? name : "bios-256k.bin", dirs, BIOS_MAX, out, &found, err);
    if (!found && !name)
        ok = find_file("bios.bin", dirs, BIOS_MAX, out, &found, err);
    if (!ok)
        return false;
    if (out->size % BIOS_GRANULE != 0) {
        uint32_t size = out->size;
        firmware_free(out);
        return error_set(err, "%s: %u bytes; a firmware image is a multiple of 64 KiB",
                         name ? name : "bios-256k.bin", size);
    }
    return true;
}

bool firmware_load_vga_bios(const char *const *dirs, struct firmware *out, struct error *err)
{
    bool found;
    return find_file("vgabios-stdvga.bin", dirs, VGA_BIOS_MAX, out, &found, err);
}
