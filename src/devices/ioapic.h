// SPDX-License-Identifier: MIT
// 82093AA I/O APIC at 0xfec00000 with 24 pins.
#ifndef EMU_DEVICES_IOAPIC_H
#define EMU_DEVICES_IOAPIC_H

#include "devices/lapic.h"

#define IOAPIC_PINS 24u

struct ioapic;

// Registers itself as the receiver of the local APIC's EOIs.
struct ioapic *ioapic_create(struct physmem *mem, struct log *log, struct state_registry *registry,
                             struct lapic *lapic);
void ioapic_destroy(struct ioapic *chip);
void ioapic_reset(struct ioapic *chip);

// Pin n. Board wiring: ISA interrupt n to pin n, but IRQ0 (the 8254) to pin 2 and nothing to
// pin 0 (or the 8259 pair's INTR, for the ExtINT way).
void ioapic_set_irq(struct ioapic *chip, unsigned n, bool level);

void ioapic_describe(const struct ioapic *chip, FILE *out); // `info irq`, `info pic`

#endif
