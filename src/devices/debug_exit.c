// SPDX-License-Identifier: MIT
// The isa-debug-exit device: a write to its ports asks for the end of the run. Reads give 0. It has
// no state to save.
#include "devices/debug_exit.h"

#include <stdlib.h>

struct debug_exit {
    struct port_ops ops;
    void (*written)(void *self, uint32_t value);
    void *self;
    struct port_range *range;
};

static uint32_t debug_exit_read(void *self, uint32_t offset, unsigned size)
{
    return 0;
}

static void debug_exit_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    const struct debug_exit *device = self;
    device->written(device->self, value);
}

struct debug_exit *debug_exit_create(struct portio *ports, uint16_t iobase, uint32_t iosize,
                                     void (*written)(void *self, uint32_t value), void *self)
{
    struct debug_exit *device = xcalloc(1, sizeof *device);
    uint32_t size = iosize < 1 ? 1 : iosize > 4 ? 4 : iosize;
    device->ops = (struct port_ops){
        .read = debug_exit_read, .write = debug_exit_write, .max_size = size == 3 ? 2 : size};
    device->written = written;
    device->self = self;
    device->range = portio_add(ports, "isa-debug-exit", iobase, size, &device->ops, device);
    return device;
}

void debug_exit_destroy(struct debug_exit *device)
{
    if (!device)
        return;
    port_range_remove(device->range);
    free(device);
}
