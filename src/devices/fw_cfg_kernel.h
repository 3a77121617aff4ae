// SPDX-License-Identifier: MIT
// What the two -kernel loaders share.
#ifndef EMU_DEVICES_FW_CFG_KERNEL_H
#define EMU_DEVICES_FW_CFG_KERNEL_H

#include "devices/fw_cfg.h"

// Reads a file of 1 to `limit` bytes; `what` is the option for the message. malloc'ed, NULL on
// failure.
uint8_t *kernel_read_file(const char *what, const char *path, uint32_t limit, uint32_t *size,
                          struct error *err);

// A multiboot header within the first 8 KiB.
bool multiboot_detect(const uint8_t *image, uint32_t size);
bool fw_cfg_add_multiboot(struct fw_cfg *cfg, const uint8_t *image, uint32_t size, const char *path,
                          const char *initrd, const char *append, uint32_t ram_size,
                          struct error *err);

#endif
