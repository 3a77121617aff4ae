// SPDX-License-Identifier: MIT
// NMI status and control register at port 0x61 (82371SB, "NMISC"): the gate and output of timer
// channel 2, the speaker's data gate, the refresh toggle. Parity and IOCHK# errors do not occur;
// their enable bits are kept.
#include "devices/port61.h"

#include <stdlib.h>

enum {
    TIMER2_GATE = 1u << 0,
    SPEAKER_DATA = 1u << 1,
    WRITABLE = 0x0f,
    REFRESH_TOGGLE = 1u << 4,
    TIMER2_OUT = 1u << 5,
    REFRESH_NS = 15085, // 18 CLKs of timer channel 1
};

struct port61 {
    uint8_t control;
    struct clock *clock;
    struct i8254 *pit;
    struct state_registry *registry;
    struct port_range *range;
};

static const struct state_field port61_fields[] = {
    STATE_FIELD(STATE_U8, struct port61, control),
    STATE_FIELDS_END,
};

static uint32_t port61_read(void *self, uint32_t offset, unsigned size)
{
    struct port61 *port = self;
    bool toggle = (clock_now(port->clock) / REFRESH_NS) & 1;
    return (uint32_t)(port->control | (toggle ? REFRESH_TOGGLE : 0) |
                      (i8254_output(port->pit, 2) ? TIMER2_OUT : 0));
}

static void port61_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct port61 *port = self;
    port->control = value & WRITABLE;
    i8254_set_gate(port->pit, 2, value & TIMER2_GATE);
}

static const struct port_ops port61_ops = {.read = port61_read, .write = port61_write};

uint32_t port61_speaker_frequency(const struct port61 *port)
{
    return port->control & SPEAKER_DATA ? i8254_frequency(port->pit, 2) : 0;
}

void port61_reset(struct port61 *port)
{
    port61_write(port, 0, 0, 1);
}

struct port61 *port61_create(struct clock *clock, struct portio *ports,
                             struct state_registry *registry, struct i8254 *pit)
{
    struct port61 *port = xcalloc(1, sizeof *port);
    port->clock = clock;
    port->pit = pit;
    port->registry = registry;
    port->range = portio_add(ports, "port61", 0x61, 1, &port61_ops, port);
    state_register(registry,
                   &(struct state_section){
                       .name = "port61", .version = 1, .fields = port61_fields, .object = port});
    return port;
}

void port61_destroy(struct port61 *port)
{
    if (!port)
        return;
    state_unregister(port->registry, port);
    port_range_remove(port->range);
    free(port);
}
