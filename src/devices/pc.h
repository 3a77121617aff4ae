// SPDX-License-Identifier: MIT
// The board: i440FX + PIIX3/PIIX4, and the only file that wires chips together. It knows nothing of
// the CPU but its pins. Thread: the machine's thread.
#ifndef EMU_DEVICES_PC_H
#define EMU_DEVICES_PC_H

#include "base/block_image.h"
#include "base/chardev.h"
#include "base/clock.h"
#include "mmu/irq.h"
#include "mmu/physmem.h"
#include "mmu/portio.h"
#include "state/state.h"

#define PC_DRIVES  4u // IDE primary master, primary slave, secondary master, secondary slave
#define PC_SERIALS 2u

enum pc_drive_kind { PC_DRIVE_NONE, PC_DRIVE_DISK, PC_DRIVE_CD };

struct pc_drive {
    enum pc_drive_kind kind;
    struct block_image *image; // becomes the board's; NULL: a CD drive without a medium
};

// What the board tells the machine. Every one may be called inside a port access: post it, do not
// act at once.
struct pc_events {
    void *self;
    void (*intr)(void *self, bool level);
    void (*nmi)(void *self);
    void (*init)(void *self);      // INIT# of the CPU (keyboard controller, port 92h, LAPIC INIT)
    void (*reset)(void *self);     // the whole machine (port CF9h)
    void (*power_off)(void *self); // ACPI S5
    void (*debug_exit)(void *self, uint32_t value);
    void (*host_full)(void *self, const char *image); // a guest write found the host's disk full
};

struct pc_config {
    uint32_t ram_size;
    const uint8_t *bios; // firmware image, a multiple of 64 KiB up to 1 MiB
    uint32_t bios_size;
    const uint8_t *vga_bios;
    uint32_t vga_bios_size;
    struct pc_drive drives[PC_DRIVES];
    struct chardev *serials[PC_SERIALS];
    bool debugcon_present;
    uint16_t debugcon_base;
    struct chardev *debugcon; // NULL: what is written is dropped
    uint16_t post_base;       // of a second port for POST codes; 0: none
    bool testdev;             // pc-testdev
    const char *boot_order;   // "cdan" letters
    bool boot_menu;
    const char *kernel, *initrd, *append; // Linux bzImage boot through the firmware
    int64_t rtc_base;
    bool debug_exit;
    uint16_t debug_exit_base, debug_exit_size;
    struct pc_events events;
};

struct pc;
struct vga;

struct pc *pc_create(struct physmem *mem, struct portio *ports, struct clock *clock,
                     struct log *log, struct state_registry *registry,
                     const struct pc_config *config, struct error *err);
void pc_destroy(struct pc *pc);
void pc_reset(struct pc *pc); // every chip; the CPU is the machine's

int pc_acknowledge(struct pc *pc); // interrupt vector for the CPU: local APIC, or 8259 through it
uint64_t pc_read_apic_base(struct pc *pc);
bool pc_write_apic_base(struct pc *pc, uint64_t value);
void pc_set_ferr(struct pc *pc, bool level); // IRQ13

void pc_power_button(struct pc *pc);

// For the monitor.
struct vga *pc_vga(struct pc *pc);
bool pc_send_keys(struct pc *pc, const char *keys, unsigned hold_ms,
                  struct error *err);                                           // "ctrl-alt-delete"
bool pc_eject(struct pc *pc, const char *drive, bool force, struct error *err); // "ide1-cd0"
bool pc_change(struct pc *pc, const char *drive, const char *path, struct error *err);
void pc_describe_pic(struct pc *pc, FILE *out);
void pc_describe_irq(struct pc *pc, FILE *out);
void pc_describe_block(struct pc *pc, FILE *out);
void pc_describe_pci(struct pc *pc, FILE *out);
void pc_describe_tree(struct pc *pc, FILE *out); // `info qtree`

#endif
