// SPDX-License-Identifier: MIT
// 82371SB PIIX3, function 0: PCI-to-ISA bridge (8086:7000) at 00:01.0 with the PIRQ router and the
// reset control register.
#ifndef EMU_DEVICES_PIIX3_H
#define EMU_DEVICES_PIIX3_H

#include "devices/pci.h"

struct piix3;

struct piix3_config {
    // Driven when PIRQs routed to an ISA interrupt change: set(self, isa_irq 0..15, level). The
    // board hands it on to the 8259s and to the I/O APIC pin of the same number; it ORs with other
    // drivers of that interrupt.
    struct irq_line isa_irq;
    // Reset control register (port 0xcf9): hard = PCI reset too. Called inside a port write: post
    // it, do not reset at once.
    void (*reset_request)(void *self, bool hard);
    void *reset_self;
};

// Becomes the bus's interrupt router.
struct piix3 *piix3_create(struct pci_bus *bus, struct portio *ports,
                           const struct piix3_config *config);
void piix3_destroy(struct piix3 *chip);
void piix3_reset(struct piix3 *chip);

// For `info irq`-style output: the ISA interrupt PIRQ n (0..3) goes to, -1 when disabled.
int piix3_pirq_route(const struct piix3 *chip, unsigned pirq);

#endif
