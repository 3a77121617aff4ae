// SPDX-License-Identifier: MIT
// Finds and reads firmware images: -L folders first, then where distributions put SeaBIOS.
#ifndef EMU_MACHINE_FIRMWARE_H
#define EMU_MACHINE_FIRMWARE_H

#include "base/error.h"

struct firmware {
    uint8_t *data; // malloc'ed
    uint32_t size;
};

// The system BIOS: `name` as a path or within the folders, NULL: bios-256k.bin, then bios.bin. Its
// size must be a multiple of 64 KiB, at most 1 MiB.
bool firmware_load_bios(const char *name, const char *const *dirs, struct firmware *out,
                        struct error *err);
// The VGA BIOS of the standard VGA.
bool firmware_load_vga_bios(const char *const *dirs, struct firmware *out, struct error *err);
void firmware_free(struct firmware *firmware);

#endif
