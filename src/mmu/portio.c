// SPDX-License-Identifier: MIT
// The port space: one slot number a port, and the ranges painted over each other in the order they
// were added. The range that answers at the first port of an access decides: it gets the access in
// one piece when it takes that width and reaches that far, aligned or not (the Bochs VBE data port
// is 16 bits wide at an odd address), even where another range lies over its later ports (the reset
// control register 0xCF9 inside CONFADD 0xCF8). Else the access is halved.
#include <assert.h>
#include <stdlib.h>

#include "mmu/portio.h"

#define PORT_COUNT  65536u
#define PORT_NOBODY 0u

struct port_range {
    struct portio *ports;
    const char *name;
    uint32_t base, count;
    unsigned max_size;
    bool enabled;
    uint16_t slot;
    struct port_ops ops;
    void *self;
};

struct portio {
    struct log *log;
    uint16_t slot_of[PORT_COUNT];
    struct port_range **slots; // by slot number; slot 0 stays NULL
    uint32_t slot_count;
    struct port_range **ranges; // in the order they were added
    uint32_t range_count;
};

struct portio *portio_create(struct log *log)
{
    struct portio *ports = xcalloc(1, sizeof *ports);
    ports->log = log;
    ports->slots = xcalloc(1, sizeof(struct port_range *));
    ports->slot_count = 1;
    return ports;
}

void portio_destroy(struct portio *ports)
{
    if (!ports)
        return;
    for (uint32_t i = 0; i < ports->range_count; i++)
        free(ports->ranges[i]);
    free(ports->ranges);
    free(ports->slots);
    free(ports);
}

static uint32_t range_end(const struct port_range *range)
{
    uint32_t end = range->base + range->count;
    return end < PORT_COUNT ? end : PORT_COUNT;
}

// Repaints the ports of [first, end).
static void repaint(struct portio *ports, uint32_t first, uint32_t end)
{
    for (uint32_t port = first; port < end; port++)
        ports->slot_of[port] = PORT_NOBODY;
    for (uint32_t i = 0; i < ports->range_count; i++) {
        const struct port_range *range = ports->ranges[i];
        if (!range->enabled)
            continue;
        uint32_t from = range->base > first ? range->base : first;
        uint32_t to = range_end(range) < end ? range_end(range) : end;
        for (uint32_t port = from; port < to; port++)
            ports->slot_of[port] = range->slot;
    }
}

static uint16_t slot_take(struct portio *ports)
{
    for (uint32_t i = 1; i < ports->slot_count; i++)
        if (!ports->slots[i])
            return (uint16_t)i;
    assert(ports->slot_count < UINT16_MAX);
    ports->slots = xrealloc(ports->slots, (ports->slot_count + 1) * sizeof(struct port_range *));
    ports->slots[ports->slot_count] = NULL;
    return (uint16_t)ports->slot_count++;
}

struct port_range *portio_add(struct portio *ports, const char *name, uint16_t base, uint32_t count,
                              const struct port_ops *ops, void *self)
{
    struct port_range *range = xcalloc(1, sizeof *range);
    unsigned max = ops->max_size;
    *range = (struct port_range){
        .ports = ports,
        .name = name,
        .base = base,
        .count = count < PORT_COUNT ? count : PORT_COUNT,
        .max_size = max >= 4   ? 4
                    : max >= 2 ? 2
                               : 1,
        .enabled = true,
        .slot = slot_take(ports),
        .ops = *ops,
        .self = self,
    };
    ports->slots[range->slot] = range;
    ports->ranges = xrealloc(ports->ranges, (ports->range_count + 1) * sizeof(struct port_range *));
    ports->ranges[ports->range_count++] = range;
    repaint(ports, range->base, range_end(range));
    return range;
}

void port_range_remove(struct port_range *range)
{
    if (!range)
        return;
    struct portio *ports = range->ports;
    uint32_t at = 0;
    while (at < ports->range_count && ports->ranges[at] != range)
        at++;
    assert(at < ports->range_count);
    ports->range_count--;
    memmove(ports->ranges + at, ports->ranges + at + 1,
            (ports->range_count - at) * sizeof(struct port_range *));
    ports->slots[range->slot] = NULL;
    repaint(ports, range->base, range_end(range));
    free(range);
}

void port_range_set_base(struct port_range *range, uint16_t base)
{
    uint32_t first = range->base, end = range_end(range);
    if (first == base)
        return;
    range->base = base;
    repaint(range->ports, first, end);
    repaint(range->ports, range->base, range_end(range));
}

void port_range_set_enabled(struct port_range *range, bool enabled)
{
    if (range->enabled == enabled)
        return;
    range->enabled = enabled;
    repaint(range->ports, range->base, range_end(range));
}

static uint32_t ones(unsigned size)
{
    return size >= 4 ? UINT32_MAX : (1u << (8 * size)) - 1;
}

// Who answers at `port`, and how many bytes of an access of `left` bytes it takes at once. The port
// space wraps at 64 KiB.
static struct port_range *range_at(const struct portio *ports, uint16_t port, unsigned left,
                                   unsigned *size)
{
    struct port_range *range = ports->slots[ports->slot_of[port]];
    unsigned n = 1;
    if (range) {
        n = range->max_size;
        while (n > left || port + n > range_end(range))
            n /= 2;
    }
    *size = n;
    return range;
}

static void log_unclaimed(struct portio *ports, const char *what, uint16_t port, unsigned size)
{
    if (ports->log && log_enabled(ports->log, LOG_IOPORT))
        log_write(ports->log, LOG_IOPORT, "port %04x: %s of %u bytes that nobody answers\n", port,
                  what, size);
}

uint32_t portio_read(struct portio *ports, uint16_t port, unsigned size)
{
    uint32_t value = 0;
    for (unsigned done = 0; done < size && done < 4;) {
        unsigned n;
        uint16_t at = (uint16_t)(port + done);
        // Taken before the call: a chip may move or remove its own range in it.
        const struct port_range *range = range_at(ports, at, size - done, &n);
        uint32_t piece = ones(n);
        if (!range)
            log_unclaimed(ports, "read", at, n);
        else if (range->ops.read)
            piece &= range->ops.read(range->self, at - range->base, n);
        value |= piece << (8 * done);
        done += n;
    }
    return value;
}

void portio_write(struct portio *ports, uint16_t port, uint32_t value, unsigned size)
{
    for (unsigned done = 0; done < size && done < 4;) {
        unsigned n;
        uint16_t at = (uint16_t)(port + done);
        const struct port_range *range = range_at(ports, at, size - done, &n);
        if (!range)
            log_unclaimed(ports, "write", at, n);
        else if (range->ops.write)
            range->ops.write(range->self, at - range->base, (value >> (8 * done)) & ones(n), n);
        done += n;
    }
}

void portio_describe(const struct portio *ports, FILE *out)
{
    fprintf(out, "FlatView I/O\n");
    for (uint32_t port = 0; port < PORT_COUNT;) {
        uint16_t slot = ports->slot_of[port];
        uint32_t end = port;
        while (end < PORT_COUNT && ports->slot_of[end] == slot)
            end++;
        if (slot != PORT_NOBODY)
            fprintf(out, "  %016x-%016x (prio 0, i/o): %s\n", port, end - 1,
                    ports->slots[slot]->name);
        port = end;
    }
    for (uint32_t i = 0; i < ports->range_count; i++) {
        const struct port_range *range = ports->ranges[i];
        if (!range->enabled)
            fprintf(out, "  %016x-%016x (prio 0, i/o): %s [disabled]\n", range->base,
                    range_end(range) - 1, range->name);
    }
}
