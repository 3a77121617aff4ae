// SPDX-License-Identifier: MIT
// IDE function of the PIIX3 (8086:7010) at 00:01.1: two channels with an ATA disk or an ATAPI
// CD-ROM in each of two places, and bus-master DMA. The parts: piix_ide.c (PCI function, bus
// master), ide_channel.c (registers, selection, reset), ata.c, ata_identify.c, atapi.c,
// atapi_info.c.
#ifndef EMU_DEVICES_IDE_H
#define EMU_DEVICES_IDE_H

#include "base/block_image.h"
#include "base/clock.h"
#include "devices/pci.h"

struct piix_ide;

struct piix_ide_config {
    struct irq_line irq[2]; // IRQ14, IRQ15
    // A write found the host's disk full: stop the machine, say which image. The command is tried
    // again when the clock runs again.
    void (*on_host_full)(void *self, const char *path);
    void *self;
};

struct piix_ide *piix_ide_create(struct pci_bus *bus, struct portio *ports, struct clock *clock,
                                 const struct piix_ide_config *config);
void piix_ide_destroy(struct piix_ide *ide); // closes the images
void piix_ide_reset(struct piix_ide *ide);

// index 0..3: primary master, primary slave, secondary master, secondary slave (-hda..-hdd). The
// controller owns the image from here on. A CD-ROM drive may be empty (image NULL). Before the
// first reset.
void piix_ide_attach_disk(struct piix_ide *ide, unsigned index, struct block_image *image);
void piix_ide_attach_cd(struct piix_ide *ide, unsigned index, struct block_image *image);

// Monitor: drives are named "ide0-hd0", "ide1-cd0" (channel, kind, unit).
bool piix_ide_eject(struct piix_ide *ide, const char *name, bool force, struct error *err);
bool piix_ide_change(struct piix_ide *ide, const char *name, const char *path, struct error *err);
void piix_ide_describe(const struct piix_ide *ide, FILE *out); // `info block`

// What the firmware's CMOS wants to know: 0 when there is no disk at index.
uint64_t piix_ide_disk_sectors(const struct piix_ide *ide, unsigned index);

#endif
