// SPDX-License-Identifier: MIT
// The 64 KiB I/O port space.
// Thread: the machine's thread.
#ifndef EMU_MMU_PORTIO_H
#define EMU_MMU_PORTIO_H

#include "base/error.h"
#include "base/log.h"

struct portio;
struct port_range;

// offset from the range's base; size 1, 2 or 4. An access wider than max_size (0 means 1) is split
// into naturally ordered smaller ones; each may fall into another range.
struct port_ops {
    uint32_t (*read)(void *self, uint32_t offset, unsigned size);
    void (*write)(void *self, uint32_t offset, uint32_t value, unsigned size);
    unsigned max_size;
};

struct portio *portio_create(struct log *log);
void portio_destroy(struct portio *ports);

// Later ranges win over earlier ones on ports both claim; removing one uncovers the other. name: a
// string literal.
struct port_range *portio_add(struct portio *ports, const char *name, uint16_t base, uint32_t count,
                              const struct port_ops *ops, void *self);
void port_range_remove(struct port_range *range);
void port_range_set_base(struct port_range *range, uint16_t base);
void port_range_set_enabled(struct port_range *range, bool enabled);

// Unclaimed ports read as all ones.
uint32_t portio_read(struct portio *ports, uint16_t port, unsigned size);
void portio_write(struct portio *ports, uint16_t port, uint32_t value, unsigned size);

void portio_describe(const struct portio *ports, FILE *out);

#endif
