// SPDX-License-Identifier: MIT
// PIIX3 function 0: PIRQRC[A:D] (60h-63h) and RST_CNT (0xcf9); the other ISA bridge registers are
// plain storage with their reset values. ELCR belongs to the 8259 pair. Datasheet: Intel 290550,
// sections 2.2 and 2.5.6.
#include "devices/piix3.h"

#include <stdlib.h>

#define PIRQRCA  0x60u
#define RST_CNT  0xcf9u
#define PIRQ_OFF 0x80u

enum { RST_SYSTEM = 1 << 1, RST_CPU = 1 << 2 };

struct piix3 {
    struct pci_device *pci;
    struct piix3_config config;
    struct port_range *reset_range;
    uint8_t rst_cnt;
    bool pirq[4];
    uint16_t driven; // ISA interrupts asserted by this router
};

int piix3_pirq_route(const struct piix3 *chip, unsigned pirq)
{
    uint8_t value = chip->pci->config[PIRQRCA + (pirq & 3)];
    uint8_t irq = value & 15;

    // 0, 1, 2, 8 and 13 are reserved: those interrupts belong to the board.
    if ((value & PIRQ_OFF) || ((1u << irq) & 0x2107u))
        return -1;
    return irq;
}

static void piix3_update(struct piix3 *chip)
{
    uint16_t wanted = 0;

    for (unsigned n = 0; n < 4; n++) {
        int irq = piix3_pirq_route(chip, n);
        if (chip->pirq[n] && irq >= 0)
            wanted |= (uint16_t)(1u << irq);
    }
    uint16_t changed = wanted ^ chip->driven;
    chip->driven = wanted;
    for (unsigned irq = 0; irq < 16; irq++) {
        if ((changed >> irq) & 1 && chip->config.isa_irq.set)
            chip->config.isa_irq.set(chip->config.isa_irq.self, irq, (wanted >> irq) & 1);
    }
}

static void piix3_set_pirq(void *self, unsigned n, bool level)
{
    struct piix3 *chip = self;

    chip->pirq[n & 3] = level;
    piix3_update(chip);
}

static void piix3_config_written(void *self, uint32_t offset, unsigned size)
{
    if (offset + size > PIRQRCA && offset < PIRQRCA + 4)
        piix3_update(self);
}

static uint32_t rst_cnt_read(void *self, uint32_t offset, unsigned size)
{
    const struct piix3 *chip = self;

    return chip->rst_cnt;
}

// The rising edge of RCPU resets; SRST chooses between the whole board and INIT of the CPU.
static void rst_cnt_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct piix3 *chip = self;
    bool edge = (value & RST_CPU) && !(chip->rst_cnt & RST_CPU);

    chip->rst_cnt = value & (RST_SYSTEM | RST_CPU);
    if (edge && chip->config.reset_request)
        chip->config.reset_request(chip->config.reset_self, (value & RST_SYSTEM) != 0);
}

static const struct port_ops rst_cnt_ops = {rst_cnt_read, rst_cnt_write, 1};

static const struct state_field piix3_fields[] = {
    STATE_FIELD(STATE_U8, struct piix3, rst_cnt),
    STATE_ARRAY(STATE_BOOL, struct piix3, pirq),
    STATE_FIELD(STATE_U16, struct piix3, driven),
    STATE_FIELDS_END,
};

void piix3_reset(struct piix3 *chip)
{
    pci_device_reset(chip->pci);
    chip->rst_cnt = 0;
    piix3_update(chip);
}

struct piix3 *piix3_create(struct pci_bus *bus, struct portio *ports,
                           const struct piix3_config *config)
{
    struct piix3 *chip = xcalloc(1, sizeof *chip);

    chip->config = *config;
    chip->pci = pci_device_create(bus, &(struct pci_device_info){
                                           .name = "piix3",
                                           .devfn = PCI_DEVFN(1, 0),
                                           .vendor = 0x8086,
                                           .device = 0x7000,
                                           .subsystem_vendor = 0x1af4,
                                           .subsystem = 0x1100,
                                           .class_code = 0x060100,
                                           .multifunction = true,
                                           .config_written = piix3_config_written,
                                           .self = chip,
                                       });
    // The bridge answers I/O and memory cycles and masters the bus for ISA DMA whatever software
    // writes.
    pci_device_define(chip->pci, PCI_COMMAND, 2, 0x0007, 0x0100);
    pci_device_define(chip->pci, PCI_STATUS, 2, 0x0200, 0);
    pci_device_define(chip->pci, 0x4c, 1, 0x4d, 0xff);    // IORT
    pci_device_define(chip->pci, 0x4e, 2, 0x0003, 0x1ff); // XBCS
    for (unsigned n = 0; n < 4; n++)
        pci_device_define(chip->pci, PIRQRCA + n, 1, PIRQ_OFF, 0x8f);
    pci_device_define(chip->pci, 0x69, 1, 0x02, 0xfe);     // TOM
    pci_device_define(chip->pci, 0x6a, 2, 0, 0x8015);      // MSTAT
    pci_device_define(chip->pci, 0x70, 2, 0x8080, 0xcfcf); // MBIRQ0, MBIRQ1
    pci_device_define(chip->pci, 0x76, 2, 0x0c0c, 0x8787); // MBDMA0, MBDMA1
    pci_device_define(chip->pci, 0x78, 2, 0x0002, 0x3ff3); // PCSC
    pci_device_define(chip->pci, 0xa0, 1, 0x08, 0x1f);     // SMICNTL
    pci_device_define(chip->pci, 0xa2, 2, 0, 0xff);        // SMIEN
    pci_device_define(chip->pci, 0xa8, 1, 0x0f, 0xff);     // FTMR
    chip->reset_range = portio_add(ports, "piix3-rst-cnt", RST_CNT, 1, &rst_cnt_ops, chip);
    pci_bus_set_router(bus, &(struct irq_line){piix3_set_pirq, chip, 0});
    state_register(pci_bus_registry(bus),
                   &(struct state_section){
                       .name = "piix3", .version = 1, .fields = piix3_fields, .object = chip});
    return chip;
}

void piix3_destroy(struct piix3 *chip)
{
    if (!chip)
        return;
    pci_bus_set_router(chip->pci->bus, &(struct irq_line){0});
    port_range_remove(chip->reset_range);
    state_unregister(pci_bus_registry(chip->pci->bus), chip);
    pci_device_destroy(chip->pci);
    free(chip);
}
