// SPDX-License-Identifier: MIT
// PCI bus 0 behind configuration mechanism #1 (ports 0xcf8 and 0xcfc): device registry,
// configuration space with write masks, BARs and expansion ROMs mapped through portio and physmem,
// INTx wires to the interrupt router. PCI Local Bus Specification 2.2, chapters 3.2.2.3 and 6. Left
// out: bridges, MSI, 64-bit BARs, type 1 cycles (no other bus). Thread: the machine's thread.
#ifndef EMU_DEVICES_PCI_H
#define EMU_DEVICES_PCI_H

#include <stdio.h>

#include "mmu/irq.h"
#include "mmu/physmem.h"
#include "mmu/portio.h"
#include "state/state.h"

#define PCI_DEVFN(slot, function) ((uint8_t)(((slot) << 3) | (function)))
#define PCI_CONFIG_SIZE           256u
#define PCI_ROM_BAR               6u
#define PCI_BARS                  7u

// Memory BARs lie below everything else: DRAM and the chips' fixed windows win over a BAR that a
// guest puts on them.
#define PCI_BAR_PRIORITY (-1)

enum {
    PCI_VENDOR_ID = 0x00,
    PCI_DEVICE_ID = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION = 0x08,
    PCI_CLASS_PROG = 0x09,
    PCI_CLASS = 0x0a,
    PCI_HEADER_TYPE = 0x0e,
    PCI_BAR0 = 0x10,
    PCI_SUBSYSTEM_VENDOR = 0x2c,
    PCI_SUBSYSTEM = 0x2e,
    PCI_ROM_ADDRESS = 0x30,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d
};

enum {
    PCI_COMMAND_IO = 1u << 0,
    PCI_COMMAND_MEMORY = 1u << 1,
    PCI_COMMAND_MASTER = 1u << 2,
    PCI_COMMAND_INTX_DISABLE = 1u << 10,
    PCI_STATUS_INTERRUPT = 1u << 3
};

struct pci_bus;

enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_IO, PCI_BAR_MEMORY, PCI_BAR_ROM };

struct pci_bar {
    enum pci_bar_kind kind;
    uint32_t size; // a power of two
    bool mapped;
    uint32_t base;
    struct port_range *ports;
    struct phys_region *region;
};

// A function on the bus. Fields are read-only for everybody but pci.c; chips read their registers
// from config[].
struct pci_device {
    struct pci_bus *bus;
    const char *name; // "piix3-ide"
    char section[24]; // of the snapshot
    uint8_t devfn;
    uint8_t config[PCI_CONFIG_SIZE];
    uint8_t initial[PCI_CONFIG_SIZE];  // after reset
    uint8_t writable[PCI_CONFIG_SIZE]; // bits that software may change
    uint8_t clear[PCI_CONFIG_SIZE];    // bits that a written one clears
    struct pci_bar bars[PCI_BARS];
    bool irq;     // level the function drives on its INTx pin
    bool irq_out; // level on the wire, after the command register's disable bit
    void (*config_written)(void *self, uint32_t offset, unsigned size);
    void *self;
};

struct pci_device_info {
    const char *name; // string literal
    uint8_t devfn;
    uint16_t vendor, device, subsystem_vendor, subsystem;
    uint8_t revision;
    uint32_t class_code;   // 24 bits: class, subclass, programming interface
    uint8_t interrupt_pin; // 0 none, 1..4 = INTA..INTD
    bool multifunction;
    void (*config_written)(void *self, uint32_t offset,
                           unsigned size); // after the bytes changed; may be NULL
    void *self;
};

struct pci_bus *pci_bus_create(struct portio *ports, struct physmem *mem, struct log *log,
                               struct state_registry *registry);
void pci_bus_destroy(struct pci_bus *bus); // devices must be gone
void pci_bus_reset(
    struct pci_bus *bus); // CONFADD only; chips reset themselves with pci_device_reset

// Who receives PIRQA..PIRQD: line->set(self, 0..3, level). Slot and pin are folded as on a PIIX
// board: (slot + pin - 1) mod 4.
void pci_bus_set_router(struct pci_bus *bus, const struct irq_line *line);
struct pci_device *pci_bus_find(struct pci_bus *bus, uint8_t devfn); // NULL: empty
struct physmem *pci_bus_memory(struct pci_bus *bus);
struct log *pci_bus_log(struct pci_bus *bus);
struct state_registry *pci_bus_registry(struct pci_bus *bus);

// `info pci`.
void pci_bus_describe(const struct pci_bus *bus, FILE *out);

// The slot must be free. Standard header registers get their usual write masks.
struct pci_device *pci_device_create(struct pci_bus *bus, const struct pci_device_info *info);
void pci_device_destroy(struct pci_device *dev); // removes its regions and ranges
void pci_device_reset(struct pci_device *dev);   // initial values, BARs unmapped, INTx released

// Sets a device-specific register's value at reset and its writable bits.
void pci_device_define(struct pci_device *dev, uint32_t offset, unsigned size, uint32_t value,
                       uint32_t writable);

// BARs; n is 0..5, size a power of two. A host-backed BAR is RAM of the device (prefetchable), the
// ROM is read-only.
void pci_device_add_io(struct pci_device *dev, unsigned n, uint32_t size,
                       const struct port_ops *ops, void *self);
void pci_device_add_mmio(struct pci_device *dev, unsigned n, uint32_t size,
                         const struct mmio_ops *ops, void *self);
void pci_device_add_host(struct pci_device *dev, unsigned n, uint32_t size, uint8_t *host);
void pci_device_add_rom(struct pci_device *dev, uint32_t size, uint8_t *host);

void pci_device_set_irq(struct pci_device *dev, bool level);

static inline bool pci_device_is_master(const struct pci_device *dev)
{
    return (dev->config[PCI_COMMAND] & PCI_COMMAND_MASTER) != 0;
}

// Configuration cycles as the host bridge makes them; size 1, 2 or 4, offset within a dword.
uint32_t pci_config_read(struct pci_bus *bus, uint8_t devfn, uint32_t offset, unsigned size);
void pci_config_write(struct pci_bus *bus, uint8_t devfn, uint32_t offset, uint32_t value,
                      unsigned size);

#endif
