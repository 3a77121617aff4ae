// SPDX-License-Identifier: MIT
// Port 0x92 of PS/2 and later boards (82371SB, "Port 92"): bit 1 opens A20, a rising bit 0 pulses
// INIT. The security lock and the disk lamps are left out.
#include "devices/port92.h"

#include <stdlib.h>

enum { FAST_RESET = 1u << 0, FAST_A20 = 1u << 1 };

struct port92 {
    bool a20;
    bool reset_bit;
    struct irq_line a20_line, reset_line;
    struct state_registry *registry;
    struct port_range *range;
};

static const struct state_field port92_fields[] = {
    STATE_FIELD(STATE_BOOL, struct port92, a20),
    STATE_FIELD(STATE_BOOL, struct port92, reset_bit),
    STATE_FIELDS_END,
};

void port92_set_a20(struct port92 *port, bool open)
{
    if (port->a20 == open)
        return;
    port->a20 = open;
    irq_set(&port->a20_line, open);
}

bool port92_a20(const struct port92 *port)
{
    return port->a20;
}

static uint32_t port92_read(void *self, uint32_t offset, unsigned size)
{
    const struct port92 *port = self;
    return (port->a20 ? FAST_A20 : 0u) | (port->reset_bit ? FAST_RESET : 0u);
}

static void port92_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct port92 *port = self;
    bool reset = (value & FAST_RESET) && !port->reset_bit;
    port->reset_bit = value & FAST_RESET;
    port92_set_a20(port, value & FAST_A20);
    if (reset) {
        irq_set(&port->reset_line, true);
        irq_set(&port->reset_line, false);
    }
}

static const struct port_ops port92_ops = {.read = port92_read, .write = port92_write};

static bool port92_after_load(void *object, struct error *err)
{
    const struct port92 *port = object;
    irq_set(&port->a20_line, port->a20);
    return true;
}

void port92_reset(struct port92 *port)
{
    port->a20 = true;
    port->reset_bit = false;
    irq_set(&port->a20_line, true);
}

struct port92 *port92_create(struct portio *ports, struct state_registry *registry,
                             struct irq_line a20, struct irq_line reset)
{
    struct port92 *port = xcalloc(1, sizeof *port);
    port->a20_line = a20;
    port->reset_line = reset;
    port->registry = registry;
    port->range = portio_add(ports, "port92", 0x92, 1, &port92_ops, port);
    port92_reset(port);
    state_register(registry, &(struct state_section){.name = "port92",
                                                     .version = 1,
                                                     .fields = port92_fields,
                                                     .object = port,
                                                     .after_load = port92_after_load});
    return port;
}

void port92_destroy(struct port92 *port)
{
    if (!port)
        return;
    state_unregister(port->registry, port);
    port_range_remove(port->range);
    free(port);
}
