// SPDX-License-Identifier: MIT
// isa-debug-exit: a guest ends the emulator with a status.
#ifndef EMU_DEVICES_DEBUG_EXIT_H
#define EMU_DEVICES_DEBUG_EXIT_H

#include "mmu/portio.h"

struct debug_exit;

// written(self, value): what the guest wrote; the exit status is (value << 1) | 1, the caller's
// affair. iosize 1..4 (other values are brought into that range).
struct debug_exit *debug_exit_create(struct portio *ports, uint16_t iobase, uint32_t iosize,
                                     void (*written)(void *self, uint32_t value), void *self);
void debug_exit_destroy(struct debug_exit *device);

#endif
