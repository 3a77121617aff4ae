// SPDX-License-Identifier: MIT
// 82441FX PMC, the i440FX host bridge (8086:1237) at 00:00.0: shadow RAM (PAM) and the SMRAM
// window. See i440fx.c.
#ifndef EMU_DEVICES_I440FX_H
#define EMU_DEVICES_I440FX_H

#include "devices/pci.h"

struct i440fx;

// Physical map priorities the board keeps to: RAM 0, BARs -1 (PCI_BAR_PRIORITY), VGA window and PAM
// 1, SMRAM 2, APIC windows 3. The board maps RAM at 0..ram_size below 4 GiB; this chip adds regions
// over 0xc0000..0xfffff and 0xa0000.
#define I440FX_PAM_PRIORITY   1
#define I440FX_SMRAM_PRIORITY 2

struct i440fx_config {
    uint8_t *ram;       // at least 1 MiB
    uint8_t *bios;      // what the PCI side answers with at 0xe0000..0xfffff when shadowing is off:
                        // page-aligned
    uint32_t bios_size; // the last bios_size bytes below 1 MiB: 64 KiB or 128 KiB
};

struct i440fx *i440fx_create(struct pci_bus *bus, const struct i440fx_config *config);
void i440fx_destroy(struct i440fx *chip);
void i440fx_reset(struct i440fx *chip);

#endif
