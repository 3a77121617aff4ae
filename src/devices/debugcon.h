// SPDX-License-Identifier: MIT
// The firmware's debug console: a port that takes characters.
#ifndef EMU_DEVICES_DEBUGCON_H
#define EMU_DEVICES_DEBUGCON_H

#include "base/chardev.h"
#include "mmu/portio.h"

#define DEBUGCON_PORT 0xe9 // where it is by default; SeaBIOS writes to 0x402

struct debugcon;

// chardev may be NULL: what is written is dropped. The chardev stays the caller's.
struct debugcon *debugcon_create(struct portio *ports, uint16_t port, struct chardev *chardev);
uint16_t debugcon_port(const struct debugcon *console);
void debugcon_destroy(struct debugcon *console);

#endif
