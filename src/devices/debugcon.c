// SPDX-License-Identifier: MIT
// The debug console of Bochs and QEMU: bytes written to the port are output, reads give 0xe9, by
// which firmware knows it is there. It has no state to save.
#include "devices/debugcon.h"

#include <stdlib.h>

enum { DEBUGCON_SIGNATURE = 0xe9 };

struct debugcon {
    struct chardev *chardev;
    uint16_t port;
    struct port_range *range;
};

static uint32_t debugcon_read(void *self, uint32_t offset, unsigned size)
{
    return DEBUGCON_SIGNATURE;
}

static void debugcon_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    const struct debugcon *console = self;
    uint8_t byte = (uint8_t)value;
    if (console->chardev)
        chardev_write(console->chardev, &byte, 1);
}

static const struct port_ops debugcon_ops = {.read = debugcon_read, .write = debugcon_write};

struct debugcon *debugcon_create(struct portio *ports, uint16_t port, struct chardev *chardev)
{
    struct debugcon *console = xcalloc(1, sizeof *console);
    console->chardev = chardev;
    console->port = port;
    console->range = portio_add(ports, "debugcon", port, 1, &debugcon_ops, console);
    return console;
}

uint16_t debugcon_port(const struct debugcon *console)
{
    return console->port;
}

void debugcon_destroy(struct debugcon *console)
{
    if (!console)
        return;
    port_range_remove(console->range);
    free(console);
}
