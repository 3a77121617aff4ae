// SPDX-License-Identifier: MIT
// 82093AA I/O APIC (Intel 290566): redirection table, edge and level pins, remote IRR, EOI. The
// wires of the board carry "asserted", so the polarity bit is storage only.
#include "devices/ioapic.h"

#include <stdlib.h>

#define IOAPIC_BASE 0xfec00000u
#define IOAPIC_SIZE 0x1000u
#define VERSION     (((IOAPIC_PINS - 1) << 16) | 0x11u)

#define RED_REMOTE_IRR   (1u << 14)
#define RED_LEVEL        (1u << 15)
#define RED_MASKED       (1u << 16)
#define RED_WRITABLE_LOW 0x0001afffu

struct ioapic {
    struct physmem *mem;
    struct log *log;
    struct state_registry *registry;
    struct lapic *lapic;
    struct phys_region *region;
    uint8_t select;
    uint32_t id;
    uint32_t low[IOAPIC_PINS], high[IOAPIC_PINS];
    uint32_t lines; // asserted pins
};

static bool pin_deliver(struct ioapic *chip, unsigned pin)
{
    uint32_t entry = chip->low[pin];

    return lapic_deliver(chip->lapic, (uint8_t)(chip->high[pin] >> 24), (entry >> 11) & 1,
                         (enum apic_delivery)(entry >> 8 & 7), (uint8_t)entry,
                         (entry & RED_LEVEL) != 0);
}

// A level pin sends again only after its EOI.
static void pin_service_level(struct ioapic *chip, unsigned pin)
{
    uint32_t entry = chip->low[pin];

    if (!(chip->lines >> pin & 1) || !(entry & RED_LEVEL) ||
        (entry & (RED_MASKED | RED_REMOTE_IRR)))
        return;
    if (pin_deliver(chip, pin) && (entry >> 8 & 7) <= APIC_LOWEST)
        chip->low[pin] |= RED_REMOTE_IRR;
}

void ioapic_set_irq(struct ioapic *chip, unsigned n, bool level)
{
    if (n >= IOAPIC_PINS)
        return;
    bool edge = level && !(chip->lines >> n & 1);
    if (level)
        chip->lines |= 1u << n;
    else
        chip->lines &= ~(1u << n);
    if (chip->low[n] & RED_LEVEL)
        pin_service_level(chip, n);
    else if (edge && !(chip->low[n] & RED_MASKED)) // an edge on a masked pin is lost
        pin_deliver(chip, n);
}

static void ioapic_eoi(void *self, uint8_t vector)
{
    struct ioapic *chip = self;

    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        uint32_t entry = chip->low[pin];
        if ((entry & 0xff) != vector || !(entry & RED_LEVEL) || !(entry & RED_REMOTE_IRR))
            continue;
        chip->low[pin] &= ~RED_REMOTE_IRR;
        pin_service_level(chip, pin);
    }
}

static uint32_t register_read(const struct ioapic *chip, uint8_t reg)
{
    if (reg == 0x00 || reg == 0x02)
        return chip->id;
    if (reg == 0x01)
        return VERSION;
    if (reg >= 0x10 && reg < 0x10 + 2 * IOAPIC_PINS) {
        unsigned pin = (reg - 0x10u) / 2;
        return reg & 1 ? chip->high[pin] : chip->low[pin];
    }
    return 0;
}

static void register_write(struct ioapic *chip, uint8_t reg, uint32_t value)
{
    if (reg == 0x00) {
        chip->id = value & 0x0f000000;
        return;
    }
    if (reg < 0x10 || reg >= 0x10 + 2 * IOAPIC_PINS)
        return;
    unsigned pin = (reg - 0x10u) / 2;
    if (reg & 1) {
        chip->high[pin] = value & 0xff000000;
        return;
    }
    uint32_t remote = value & RED_LEVEL ? chip->low[pin] & RED_REMOTE_IRR : 0;
    chip->low[pin] = (value & RED_WRITABLE_LOW) | remote;
    pin_service_level(chip, pin);
}

// IOREGSEL at 0x00, IOWIN at 0x10.
static uint32_t mmio_read(void *self, uint32_t offset, unsigned size)
{
    const struct ioapic *chip = self;

    if (offset == 0x00)
        return chip->select;
    return offset == 0x10 ? register_read(chip, chip->select) : 0;
}

static void mmio_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct ioapic *chip = self;

    if (offset == 0x00)
        chip->select = (uint8_t)value;
    else if (offset == 0x10 && size == 4)
        register_write(chip, chip->select, value);
}

static const struct mmio_ops ioapic_ops = {.read = mmio_read, .write = mmio_write, .max_size = 4};

static const struct state_field ioapic_fields[] = {
    STATE_FIELD(STATE_U8, struct ioapic, select), STATE_FIELD(STATE_U32, struct ioapic, id),
    STATE_ARRAY(STATE_U32, struct ioapic, low),   STATE_ARRAY(STATE_U32, struct ioapic, high),
    STATE_FIELD(STATE_U32, struct ioapic, lines), STATE_FIELDS_END,
};

struct ioapic *ioapic_create(struct physmem *mem, struct log *log, struct state_registry *registry,
                             struct lapic *lapic)
{
    struct ioapic *chip = xcalloc(1, sizeof *chip);

    chip->mem = mem;
    chip->log = log;
    chip->registry = registry;
    chip->lapic = lapic;
    chip->region = physmem_add_mmio(mem, "ioapic", IOAPIC_BASE, IOAPIC_SIZE, LAPIC_PRIORITY,
                                    &ioapic_ops, chip);
    lapic_set_eoi(lapic, ioapic_eoi, chip);
    state_register(registry,
                   &(struct state_section){
                       .name = "ioapic", .version = 1, .fields = ioapic_fields, .object = chip});
    ioapic_reset(chip);
    return chip;
}

void ioapic_destroy(struct ioapic *chip)
{
    if (!chip)
        return;
    lapic_set_eoi(chip->lapic, NULL, NULL);
    state_unregister(chip->registry, chip);
    phys_region_remove(chip->region);
    free(chip);
}

// Wires keep their level through a reset: their drivers are reset on their own.
void ioapic_reset(struct ioapic *chip)
{
    chip->select = 0;
    chip->id = 0;
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        chip->low[pin] = RED_MASKED;
        chip->high[pin] = 0;
    }
}

void ioapic_describe(const struct ioapic *chip, FILE *out)
{
    fprintf(out, "I/O APIC: id %u, version %08x\n", chip->id >> 24, VERSION);
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        uint32_t entry = chip->low[pin];
        fprintf(out, "  pin %2u: vector %02x mode %u dest %s %02x %s%s%s%s\n", pin, entry & 0xff,
                entry >> 8 & 7, entry >> 11 & 1 ? "logical" : "physical", chip->high[pin] >> 24,
                entry & RED_LEVEL ? "level" : "edge", entry & RED_MASKED ? " masked" : "",
                entry & RED_REMOTE_IRR ? " remote-irr" : "",
                chip->lines >> pin & 1 ? " asserted" : "");
    }
}
