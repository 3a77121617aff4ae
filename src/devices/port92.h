// SPDX-License-Identifier: MIT
// System control port A: the A20 gate and fast reset. The gate has one state; the keyboard
// controller's A20 pin drives it too.
#ifndef EMU_DEVICES_PORT92_H
#define EMU_DEVICES_PORT92_H

#include "mmu/irq.h"
#include "mmu/portio.h"
#include "state/state.h"

struct port92;

// a20: true opens the gate (it is open after reset); reset: pulsed high and low.
struct port92 *port92_create(struct portio *ports, struct state_registry *registry,
                             struct irq_line a20, struct irq_line reset);
void port92_destroy(struct port92 *port);
void port92_reset(struct port92 *port);

// The last writer wins, whether port 0x92 or the keyboard controller.
void port92_set_a20(struct port92 *port, bool open);
bool port92_a20(const struct port92 *port);

#endif
