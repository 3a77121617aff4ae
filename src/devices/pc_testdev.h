// SPDX-License-Identifier: MIT
// pc-testdev: what test programs for a PC use to make a device do something.
#ifndef EMU_DEVICES_PC_TESTDEV_H
#define EMU_DEVICES_PC_TESTDEV_H

#include "mmu/irq.h"
#include "mmu/physmem.h"
#include "mmu/portio.h"
#include "state/state.h"

#define PC_TESTDEV_LINES 24u // interrupt lines: of the I/O APIC, and of the 8259s below 16

struct pc_testdev;

// line: called with its n set to 0 .. PC_TESTDEV_LINES - 1.
struct pc_testdev *pc_testdev_create(struct portio *ports, struct physmem *mem,
                                     struct state_registry *registry, struct irq_line line);
void pc_testdev_destroy(struct pc_testdev *dev);
void pc_testdev_reset(struct pc_testdev *dev);

#endif
