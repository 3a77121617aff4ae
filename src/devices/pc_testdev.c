// SPDX-License-Identifier: MIT
// QEMU's pc-testdev, the device that kvm-unit-tests drives: a dword that is kept (ports 0xe0-0xe3,
// and as single bytes at 0xe8-0xeb), a port that flushes a page (0xe4), interrupt lines (0x2000 and
// up, one a byte), and 64 KiB of memory-mapped bytes at 0xff000000.
#include "devices/pc_testdev.h"

#include <stdlib.h>

#define DATA_PORT   0xe0u
#define FLUSH_PORT  0xe4u
#define BYTE_PORT   0xe8u
#define LINES_PORT  0x2000u
#define MEMORY_BASE 0xff000000u
#define MEMORY_SIZE 0x10000u

struct pc_testdev {
    uint8_t data[4];
    uint8_t memory[MEMORY_SIZE];
    uint32_t levels; // of the interrupt lines
    struct irq_line line;
    struct state_registry *registry;
    struct port_range *ranges[4];
    struct phys_region *region;
};

static const struct state_field testdev_fields[] = {
    STATE_BYTES_OF(struct pc_testdev, data),
    STATE_BYTES_OF(struct pc_testdev, memory),
    STATE_FIELD(STATE_U32, struct pc_testdev, levels),
    STATE_FIELDS_END,
};

static uint32_t bytes_get(const uint8_t *bytes, uint32_t at, uint32_t mask, unsigned size)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)bytes[(at + i) & mask] << (8 * i);
    return value;
}

static void bytes_set(uint8_t *bytes, uint32_t at, uint32_t mask, uint32_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        bytes[(at + i) & mask] = (uint8_t)(value >> (8 * i));
}

static uint32_t data_read(void *self, uint32_t offset, unsigned size)
{
    const struct pc_testdev *dev = self;
    return bytes_get(dev->data, offset, 3, size);
}

static void data_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct pc_testdev *dev = self;
    bytes_set(dev->data, offset, 3, value, size);
}

// Written: the physical address of a page whose cached translation the host shall forget. Here none
// outlives a change of its page.
static uint32_t flush_read(void *self, uint32_t offset, unsigned size)
{
    return 0;
}

static void flush_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
}

static uint32_t lines_read(void *self, uint32_t offset, unsigned size)
{
    return 0;
}

static void lines_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct pc_testdev *dev = self;
    if (offset >= PC_TESTDEV_LINES)
        return;
    uint32_t bit = 1u << offset;
    dev->levels = value ? dev->levels | bit : dev->levels & ~bit;
    struct irq_line line = dev->line;
    line.n = offset;
    irq_set(&line, value != 0);
}

static uint32_t memory_read(void *self, uint32_t offset, unsigned size)
{
    const struct pc_testdev *dev = self;
    return bytes_get(dev->memory, offset, MEMORY_SIZE - 1, size);
}

static void memory_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct pc_testdev *dev = self;
    bytes_set(dev->memory, offset, MEMORY_SIZE - 1, value, size);
}

static const struct port_ops data_ops = {.read = data_read, .write = data_write, .max_size = 4};
static const struct port_ops flush_ops = {.read = flush_read, .write = flush_write, .max_size = 4};
static const struct port_ops byte_ops = {.read = data_read, .write = data_write, .max_size = 1};
static const struct port_ops lines_ops = {.read = lines_read, .write = lines_write, .max_size = 1};
static const struct mmio_ops memory_ops = {.read = memory_read, .write = memory_write};

void pc_testdev_reset(struct pc_testdev *dev)
{
    for (uint32_t n = 0; n < PC_TESTDEV_LINES; n++)
        if (dev->levels >> n & 1)
            lines_write(dev, n, 0, 1);
    memset(dev->data, 0, sizeof dev->data);
    memset(dev->memory, 0, sizeof dev->memory);
}

struct pc_testdev *pc_testdev_create(struct portio *ports, struct physmem *mem,
                                     struct state_registry *registry, struct irq_line line)
{
    struct pc_testdev *dev = xcalloc(1, sizeof *dev);
    dev->line = line;
    dev->registry = registry;
    dev->ranges[0] = portio_add(ports, "pc-testdev-ioport", DATA_PORT, 4, &data_ops, dev);
    dev->ranges[1] = portio_add(ports, "pc-testdev-flush-page", FLUSH_PORT, 4, &flush_ops, dev);
    dev->ranges[2] = portio_add(ports, "pc-testdev-ioport-byte", BYTE_PORT, 4, &byte_ops, dev);
    dev->ranges[3] =
        portio_add(ports, "pc-testdev-irq-line", LINES_PORT, PC_TESTDEV_LINES, &lines_ops, dev);
    dev->region =
        physmem_add_mmio(mem, "pc-testdev-iomem", MEMORY_BASE, MEMORY_SIZE, 0, &memory_ops, dev);
    state_register(
        registry, &(struct state_section){
                      .name = "pc-testdev", .version = 1, .fields = testdev_fields, .object = dev});
    return dev;
}

void pc_testdev_destroy(struct pc_testdev *dev)
{
    if (!dev)
        return;
    state_unregister(dev->registry, dev);
    phys_region_remove(dev->region);
    for (unsigned i = 0; i < ARRAY_SIZE(dev->ranges); i++)
        port_range_remove(dev->ranges[i]);
    free(dev);
}
