// SPDX-License-Identifier: MIT
// What the tests of the PCI-era chips stand on: ports, 4 MiB of RAM, a bus and a clock that the
// test moves by hand.
#ifndef TESTS_DEVICES_PCI_BENCH_H
#define TESTS_DEVICES_PCI_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "devices/pci.h"

#define BENCH_RAM (4u << 20)

struct bench {
    struct log log;
    struct clock *clock;
    uint64_t instructions;
    struct portio *ports;
    struct physmem *mem;
    uint8_t *ram;
    struct state_registry *registry;
    struct pci_bus *bus;
    bool irq[32];       // levels, by line number
    unsigned rises[32]; // rising edges
};

static inline void bench_irq(void *self, unsigned n, bool level)
{
    struct bench *b = self;
    if (level && !b->irq[n & 31])
        b->rises[n & 31]++;
    b->irq[n & 31] = level;
}

static inline struct irq_line bench_line(struct bench *b, unsigned n)
{
    return (struct irq_line){bench_irq, b, n};
}

static inline void bench_open(struct bench *b)
{
    struct error err;
    memset(b, 0, sizeof *b);
    log_init(&b->log);
    b->clock = clock_create();
    clock_set_icount(b->clock, &b->instructions, 0);
    clock_start(b->clock);
    b->ports = portio_create(&b->log);
    b->mem = physmem_create(&b->log);
    b->ram = physmem_alloc_ram(b->mem, BENCH_RAM, &err);
    assert_non_null(b->ram);
    physmem_add_host(b->mem, "ram", 0, BENCH_RAM, 0, b->ram, b->ram);
    b->registry = state_registry_create();
    b->bus = pci_bus_create(b->ports, b->mem, &b->log, b->registry);
}

static inline void bench_close(struct bench *b)
{
    pci_bus_destroy(b->bus);
    state_registry_destroy(b->registry);
    physmem_destroy(b->mem);
    portio_destroy(b->ports);
    clock_destroy(b->clock);
    log_close(&b->log);
}

static inline void bench_run(struct bench *b, int64_t ns)
{
    int64_t end = clock_now(b->clock) + ns;
    while (clock_next_deadline(b->clock) <= end) {
        int64_t at = clock_next_deadline(b->clock);
        if (at > clock_now(b->clock))
            b->instructions += (uint64_t)(at - clock_now(b->clock));
        clock_run_due(b->clock);
    }
    b->instructions += (uint64_t)(end - clock_now(b->clock));
}

static inline uint32_t in8(struct bench *b, uint32_t port)
{
    return portio_read(b->ports, (uint16_t)port, 1);
}

static inline uint32_t in16(struct bench *b, uint32_t port)
{
    return portio_read(b->ports, (uint16_t)port, 2);
}

static inline uint32_t in32(struct bench *b, uint32_t port)
{
    return portio_read(b->ports, (uint16_t)port, 4);
}

static inline void out8(struct bench *b, uint32_t port, uint32_t value)
{
    portio_write(b->ports, (uint16_t)port, value, 1);
}

static inline void out16(struct bench *b, uint32_t port, uint32_t value)
{
    portio_write(b->ports, (uint16_t)port, value, 2);
}

static inline void out32(struct bench *b, uint32_t port, uint32_t value)
{
    portio_write(b->ports, (uint16_t)port, value, 4);
}

// Configuration cycles through the ports.
static inline uint32_t config_in(struct bench *b, unsigned devfn, unsigned reg, unsigned size)
{
    out32(b, 0xcf8, 0x80000000u | devfn << 8 | (reg & 0xfc));
    return portio_read(b->ports, (uint16_t)(0xcfc + (reg & 3)), size);
}

static inline void config_out(struct bench *b, unsigned devfn, unsigned reg, uint32_t value,
                              unsigned size)
{
    out32(b, 0xcf8, 0x80000000u | devfn << 8 | (reg & 0xfc));
    portio_write(b->ports, (uint16_t)(0xcfc + (reg & 3)), value, size);
}

static inline uint32_t bench_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return (uint32_t)(*seed >> 16);
}

#endif
