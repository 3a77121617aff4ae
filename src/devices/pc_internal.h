// SPDX-License-Identifier: MIT
// What the board's files share.
#ifndef EMU_DEVICES_PC_INTERNAL_H
#define EMU_DEVICES_PC_INTERNAL_H

#include "devices/pc.h"

struct ps2_keyboard;

struct pc {
    struct physmem *mem;
    struct portio *ports;
    struct clock *clock;
    struct log *log;
    struct state_registry *registry;
    struct pc_events events;
    uint8_t *rom;
    uint32_t rom_size;
    uint8_t irq_drivers[16]; // who holds each ISA interrupt up
    struct irq_line pic_input[16];
    struct lapic *lapic;
    struct ioapic *ioapic;
    struct i8259_pair *pic;
    struct i8254 *pit;
    struct port61 *port61;
    struct mc146818 *rtc;
    struct i8237 *dma;
    struct port92 *port92;
    struct i8042 *kbc;
    struct post_port *post;
    struct uart16550 *uart[PC_SERIALS];
    struct debugcon *debugcon; // NULL unless asked for, as the next two
    struct pc_testdev *testdev;
    struct debug_exit *debug_exit;
    struct pci_bus *bus;
    struct i440fx *host;
    struct piix3 *piix3;
    struct piix_ide *ide;
    struct piix4_pm *pm;
    struct vga *vga;
    struct fw_cfg *fw_cfg;
    struct pc_keys *keys;
};

// pc_setup.c: what firmware looks for in CMOS memory and in fw_cfg.
void pc_cmos_fill(struct pc *pc, const struct pc_config *config);
bool pc_fw_cfg_fill(struct pc *pc, const struct pc_config *config, struct error *err);

// pc_keys.c: key presses of `sendkey`, held for a while on the virtual clock.
struct pc_keys *pc_keys_create(struct clock *clock, struct ps2_keyboard *keyboard);
void pc_keys_destroy(struct pc_keys *keys);
bool pc_keys_send(struct pc_keys *keys, const char *chord, unsigned hold_ms, struct error *err);

#endif
