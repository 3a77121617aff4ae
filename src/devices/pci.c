// SPDX-License-Identifier: MIT
// PCI bus 0 and configuration mechanism #1. See pci.h.
#include "devices/pci.h"

#include <stdlib.h>

#define PCI_FUNCTIONS  256u
#define CONFADD_PORT   0xcf8u
#define CONFDATA_PORT  0xcfcu
#define CONFADD_ENABLE (1u << 31)

struct pci_bus {
    struct portio *ports;
    struct physmem *mem;
    struct log *log;
    struct state_registry *registry;
    struct port_range *address_range;
    struct port_range *data_range;
    struct pci_device *devices[PCI_FUNCTIONS];
    struct irq_line router;
    uint32_t confadd;
    uint32_t pirq_count[4]; // functions that assert each wire
};

static const struct state_field bus_fields[] = {
    STATE_FIELD(STATE_U32, struct pci_bus, confadd),
    STATE_FIELDS_END,
};

static const struct state_field device_fields[] = {
    STATE_BYTES_OF(struct pci_device, config),
    STATE_FIELD(STATE_BOOL, struct pci_device, irq),
    STATE_FIELDS_END,
};

static uint32_t bar_offset(unsigned n)
{
    return n == PCI_ROM_BAR ? PCI_ROM_ADDRESS : PCI_BAR0 + 4 * n;
}

// Where a BAR decodes now; false when it does not.
static bool bar_decodes(const struct pci_device *dev, unsigned n, uint32_t *base)
{
    const struct pci_bar *bar = &dev->bars[n];
    uint16_t command = load_le16(dev->config + PCI_COMMAND);
    uint32_t value = load_le32(dev->config + bar_offset(n));

    *base = value & ~(bar->size - 1);
    if (bar->kind == PCI_BAR_IO)
        return (command & PCI_COMMAND_IO) && *base != 0 && *base <= 0x10000u - bar->size;
    if (!(command & PCI_COMMAND_MEMORY) || *base == 0)
        return false;
    if (bar->kind == PCI_BAR_ROM && !(value & 1))
        return false;
    // All ones in a BAR is software asking for the size: the top of the address space never
    // decodes.
    return (uint64_t)*base + bar->size < UINT64_C(0x100000000);
}

static void device_map_bar(struct pci_device *dev, unsigned n)
{
    struct pci_bar *bar = &dev->bars[n];
    uint32_t base;

    if (bar->kind == PCI_BAR_NONE)
        return;
    bool decodes = bar_decodes(dev, n, &base);
    if (decodes == bar->mapped && (!decodes || base == bar->base))
        return;
    log_write(dev->bus->log, LOG_PCI, "pci: %s BAR%u %s 0x%08x\n", dev->name, n,
              decodes ? "at" : "off, was at", decodes ? base : bar->base);
    if (bar->kind == PCI_BAR_IO) {
        port_range_set_enabled(bar->ports, false);
        if (decodes)
            port_range_set_base(bar->ports, (uint16_t)base);
        port_range_set_enabled(bar->ports, decodes);
    } else {
        phys_region_set_enabled(bar->region, false);
        if (decodes)
            phys_region_set_base(bar->region, base);
        phys_region_set_enabled(bar->region, decodes);
    }
    bar->mapped = decodes;
    bar->base = decodes ? base : bar->base;
}

static void device_map_bars(struct pci_device *dev)
{
    physmem_begin_changes(dev->bus->mem);
    for (unsigned n = 0; n < PCI_BARS; n++)
        device_map_bar(dev, n);
    physmem_end_changes(dev->bus->mem);
}

static void device_drive_irq(struct pci_device *dev)
{
    struct pci_bus *bus = dev->bus;
    uint8_t pin = dev->config[PCI_INTERRUPT_PIN];
    bool level = dev->irq && !(load_le16(dev->config + PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE);

    if (dev->irq)
        dev->config[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
    else
        dev->config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTERRUPT;
    if (pin < 1 || pin > 4 || level == dev->irq_out)
        return;
    dev->irq_out = level;
    unsigned pirq = ((dev->devfn >> 3) + pin - 1u - 1u) & 3u;
    if (level) {
        if (bus->pirq_count[pirq]++ == 0 && bus->router.set)
            bus->router.set(bus->router.self, pirq, true);
    } else if (--bus->pirq_count[pirq] == 0 && bus->router.set) {
        bus->router.set(bus->router.self, pirq, false);
    }
}

void pci_device_set_irq(struct pci_device *dev, bool level)
{
    dev->irq = level;
    device_drive_irq(dev);
}

static bool device_after_load(void *object, struct error *err)
{
    struct pci_device *dev = object;

    (void)err;
    for (uint32_t i = 0; i < PCI_CONFIG_SIZE; i++) {
        // A snapshot may not change what software cannot: identity, BAR types.
        uint8_t soft = dev->writable[i] | dev->clear[i];
        if (i == PCI_STATUS)
            soft |= PCI_STATUS_INTERRUPT;
        if (i < 0x40)
            dev->config[i] = (uint8_t)((dev->config[i] & soft) | (dev->initial[i] & ~soft));
    }
    device_map_bars(dev);
    device_drive_irq(dev);
    return true;
}

// Configuration accesses.

uint32_t pci_config_read(struct pci_bus *bus, uint8_t devfn, uint32_t offset, unsigned size)
{
    struct pci_device *dev = bus->devices[devfn];
    uint32_t value = 0;

    if (!dev)
        return UINT32_MAX >> (32 - 8 * size);
    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)dev->config[(offset + i) & 0xff] << (8 * i);
    log_write(bus->log, LOG_PCI, "pci: %s read 0x%02x size %u = 0x%x\n", dev->name, offset, size,
              value);
    return value;
}

void pci_config_write(struct pci_bus *bus, uint8_t devfn, uint32_t offset, uint32_t value,
                      unsigned size)
{
    struct pci_device *dev = bus->devices[devfn];

    if (!dev)
        return;
    log_write(bus->log, LOG_PCI, "pci: %s write 0x%02x size %u = 0x%x\n", dev->name, offset, size,
              value);
    for (unsigned i = 0; i < size; i++) {
        uint32_t at = (offset + i) & 0xff;
        uint8_t byte = (uint8_t)(value >> (8 * i));
        uint8_t mask = dev->writable[at];
        uint8_t now = (uint8_t)((dev->config[at] & ~mask) | (byte & mask));
        dev->config[at] = (uint8_t)(now & ~(byte & dev->clear[at]));
    }
    if (offset < 0x40) {
        device_map_bars(dev);
        device_drive_irq(dev);
    }
    if (dev->config_written)
        dev->config_written(dev->self, offset & 0xff, size);
}

static uint32_t confadd_read(void *self, uint32_t offset, unsigned size)
{
    const struct pci_bus *bus = self;

    // Only a whole dword is CONFADD; narrower cycles are ordinary I/O that nobody claims.
    return offset == 0 && size == 4 ? bus->confadd : UINT32_MAX;
}

static void confadd_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct pci_bus *bus = self;

    if (offset == 0 && size == 4)
        bus->confadd = value & 0x80fffffcu;
}

static uint32_t confdata_read(void *self, uint32_t offset, unsigned size)
{
    struct pci_bus *bus = self;

    if (!(bus->confadd & CONFADD_ENABLE) || bits_get(bus->confadd, 23, 16) != 0)
        return UINT32_MAX;
    return pci_config_read(bus, (uint8_t)(bus->confadd >> 8), (bus->confadd & 0xfc) + (offset & 3),
                           size);
}

static void confdata_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct pci_bus *bus = self;

    if (!(bus->confadd & CONFADD_ENABLE) || bits_get(bus->confadd, 23, 16) != 0)
        return;
    pci_config_write(bus, (uint8_t)(bus->confadd >> 8), (bus->confadd & 0xfc) + (offset & 3), value,
                     size);
}

static const struct port_ops confadd_ops = {confadd_read, confadd_write, 4};
static const struct port_ops confdata_ops = {confdata_read, confdata_write, 4};

struct pci_bus *pci_bus_create(struct portio *ports, struct physmem *mem, struct log *log,
                               struct state_registry *registry)
{
    struct pci_bus *bus = xcalloc(1, sizeof *bus);

    bus->ports = ports;
    bus->mem = mem;
    bus->log = log;
    bus->registry = registry;
    bus->address_range = portio_add(ports, "pci-confadd", CONFADD_PORT, 4, &confadd_ops, bus);
    bus->data_range = portio_add(ports, "pci-confdata", CONFDATA_PORT, 4, &confdata_ops, bus);
    state_register(registry, &(struct state_section){
                                 .name = "pci", .version = 1, .fields = bus_fields, .object = bus});
    return bus;
}

void pci_bus_destroy(struct pci_bus *bus)
{
    if (!bus)
        return;
    state_unregister(bus->registry, bus);
    port_range_remove(bus->address_range);
    port_range_remove(bus->data_range);
    free(bus);
}

void pci_bus_reset(struct pci_bus *bus)
{
    bus->confadd = 0;
}

void pci_bus_set_router(struct pci_bus *bus, const struct irq_line *line)
{
    bus->router = *line;
}

struct pci_device *pci_bus_find(struct pci_bus *bus, uint8_t devfn)
{
    return bus->devices[devfn];
}

struct physmem *pci_bus_memory(struct pci_bus *bus)
{
    return bus->mem;
}

struct log *pci_bus_log(struct pci_bus *bus)
{
    return bus->log;
}

struct state_registry *pci_bus_registry(struct pci_bus *bus)
{
    return bus->registry;
}

// Devices.

void pci_device_define(struct pci_device *dev, uint32_t offset, unsigned size, uint32_t value,
                       uint32_t writable)
{
    for (unsigned i = 0; i < size; i++) {
        uint32_t at = (offset + i) & 0xff;
        dev->initial[at] = dev->config[at] = (uint8_t)(value >> (8 * i));
        dev->writable[at] = (uint8_t)(writable >> (8 * i));
    }
}

struct pci_device *pci_device_create(struct pci_bus *bus, const struct pci_device_info *info)
{
    struct pci_device *dev = xcalloc(1, sizeof *dev);

    dev->bus = bus;
    dev->name = info->name;
    dev->devfn = info->devfn;
    dev->config_written = info->config_written;
    dev->self = info->self;
    pci_device_define(dev, PCI_VENDOR_ID, 2, info->vendor, 0);
    pci_device_define(dev, PCI_DEVICE_ID, 2, info->device, 0);
    pci_device_define(dev, PCI_COMMAND, 2, 0, 0x0547);
    pci_device_define(dev, PCI_STATUS, 2, 0, 0);
    dev->clear[PCI_STATUS + 1] = 0xf9; // parity, aborts, system error
    pci_device_define(dev, PCI_REVISION, 4, info->class_code << 8 | info->revision, 0);
    pci_device_define(dev, 0x0c, 2, 0, 0xffff); // cache line size, latency timer
    pci_device_define(dev, PCI_HEADER_TYPE, 1, info->multifunction ? 0x80 : 0, 0);
    pci_device_define(dev, PCI_SUBSYSTEM_VENDOR, 2, info->subsystem_vendor, 0);
    pci_device_define(dev, PCI_SUBSYSTEM, 2, info->subsystem, 0);
    pci_device_define(dev, PCI_INTERRUPT_LINE, 1, 0, 0xff);
    pci_device_define(dev, PCI_INTERRUPT_PIN, 1, info->interrupt_pin, 0);
    bus->devices[dev->devfn] = dev;
    snprintf(dev->section, sizeof dev->section, "pci-00:%02x.%u", dev->devfn >> 3, dev->devfn & 7u);
    state_register(bus->registry, &(struct state_section){.name = dev->section,
                                                          .version = 1,
                                                          .fields = device_fields,
                                                          .object = dev,
                                                          .after_load = device_after_load});
    return dev;
}

void pci_device_destroy(struct pci_device *dev)
{
    if (!dev)
        return;
    pci_device_set_irq(dev, false);
    for (unsigned n = 0; n < PCI_BARS; n++) {
        if (dev->bars[n].ports)
            port_range_remove(dev->bars[n].ports);
        if (dev->bars[n].region)
            phys_region_remove(dev->bars[n].region);
    }
    state_unregister(dev->bus->registry, dev);
    dev->bus->devices[dev->devfn] = NULL;
    free(dev);
}

void pci_device_reset(struct pci_device *dev)
{
    pci_device_set_irq(dev, false);
    memcpy(dev->config, dev->initial, sizeof dev->config);
    device_map_bars(dev);
}

static struct pci_bar *device_new_bar(struct pci_device *dev, unsigned n, enum pci_bar_kind kind,
                                      uint32_t size, uint32_t type_bits)
{
    struct pci_bar *bar = &dev->bars[n];

    bar->kind = kind;
    bar->size = size;
    pci_device_define(dev, bar_offset(n), 4, type_bits, ~(size - 1));
    return bar;
}

void pci_device_add_io(struct pci_device *dev, unsigned n, uint32_t size,
                       const struct port_ops *ops, void *self)
{
    struct pci_bar *bar = device_new_bar(dev, n, PCI_BAR_IO, size, 1);

    bar->ports = portio_add(dev->bus->ports, dev->name, 0, size, ops, self);
    port_range_set_enabled(bar->ports, false);
}

void pci_device_add_mmio(struct pci_device *dev, unsigned n, uint32_t size,
                         const struct mmio_ops *ops, void *self)
{
    struct pci_bar *bar = device_new_bar(dev, n, PCI_BAR_MEMORY, size, 0);

    physmem_begin_changes(dev->bus->mem);
    bar->region = physmem_add_mmio(dev->bus->mem, dev->name, 0, size, PCI_BAR_PRIORITY, ops, self);
    phys_region_set_enabled(bar->region, false);
    physmem_end_changes(dev->bus->mem);
}

void pci_device_add_host(struct pci_device *dev, unsigned n, uint32_t size, uint8_t *host)
{
    struct pci_bar *bar = device_new_bar(dev, n, PCI_BAR_MEMORY, size, 8);

    physmem_begin_changes(dev->bus->mem);
    bar->region = physmem_add_host(dev->bus->mem, dev->name, 0, size, PCI_BAR_PRIORITY, host, host);
    phys_region_set_enabled(bar->region, false);
    physmem_end_changes(dev->bus->mem);
}

void pci_device_add_rom(struct pci_device *dev, uint32_t size, uint8_t *host)
{
    struct pci_bar *bar = device_new_bar(dev, PCI_ROM_BAR, PCI_BAR_ROM, size, 0);

    dev->writable[PCI_ROM_ADDRESS] |= 1;
    physmem_begin_changes(dev->bus->mem);
    bar->region = physmem_add_host(dev->bus->mem, dev->name, 0, size, PCI_BAR_PRIORITY, host, NULL);
    phys_region_set_enabled(bar->region, false);
    physmem_end_changes(dev->bus->mem);
}

// `info pci`.

static const char *class_name(uint16_t class_code)
{
    switch (class_code) {
    case 0x0100:
        return "SCSI controller";
    case 0x0101:
        return "IDE controller";
    case 0x0200:
        return "Ethernet controller";
    case 0x0300:
        return "VGA controller";
    case 0x0401:
        return "Audio controller";
    case 0x0600:
        return "Host bridge";
    case 0x0601:
        return "ISA bridge";
    case 0x0680:
        return "Bridge";
    case 0x0c03:
        return "USB controller";
    default:
        return "Device";
    }
}

static void describe_bar(const struct pci_device *dev, unsigned n, FILE *out)
{
    const struct pci_bar *bar = &dev->bars[n];
    uint32_t base;

    if (bar->kind == PCI_BAR_NONE)
        return;
    bool decodes = bar_decodes(dev, n, &base);
    const char *kind = bar->kind == PCI_BAR_IO                      ? "I/O"
                       : load_le32(dev->config + bar_offset(n)) & 8 ? "32 bit prefetchable memory"
                                                                    : "32 bit memory";
    int width = bar->kind == PCI_BAR_IO ? 4 : 8;
    if (decodes)
        fprintf(out, "      BAR%u: %s at 0x%0*x [0x%0*x].\n", n, kind, width, base, width,
                base + bar->size - 1);
    else
        fprintf(out, "      BAR%u: %s of 0x%x bytes, not mapped.\n", n, kind, bar->size);
}

void pci_bus_describe(const struct pci_bus *bus, FILE *out)
{
    for (unsigned devfn = 0; devfn < PCI_FUNCTIONS; devfn++) {
        const struct pci_device *dev = bus->devices[devfn];
        if (!dev)
            continue;
        fprintf(out, "  Bus  0, device %3u, function %u:\n", devfn >> 3, devfn & 7);
        fprintf(out, "    %s: PCI device %04x:%04x (%s)\n",
                class_name(load_le16(dev->config + PCI_CLASS)), load_le16(dev->config),
                load_le16(dev->config + PCI_DEVICE_ID), dev->name);
        if (load_le16(dev->config + PCI_SUBSYSTEM_VENDOR))
            fprintf(out, "      PCI subsystem %04x:%04x\n",
                    load_le16(dev->config + PCI_SUBSYSTEM_VENDOR),
                    load_le16(dev->config + PCI_SUBSYSTEM));
        if (dev->config[PCI_INTERRUPT_PIN])
            fprintf(out, "      IRQ %u, pin %c\n", dev->config[PCI_INTERRUPT_LINE],
                    'A' + dev->config[PCI_INTERRUPT_PIN] - 1);
        for (unsigned n = 0; n < PCI_BARS; n++)
            describe_bar(dev, n, out);
    }
}
