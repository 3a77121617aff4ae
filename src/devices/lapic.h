// SPDX-License-Identifier: MIT
// The local APIC of the (only) processor: xAPIC registers at 0xfee00000, timer, local vectors,
// interrupt messages, and the way of the 8259's INTR to the CPU.
#ifndef EMU_DEVICES_LAPIC_H
#define EMU_DEVICES_LAPIC_H

#include <stdio.h>

#include "base/clock.h"
#include "mmu/irq.h"
#include "mmu/physmem.h"
#include "state/state.h"

#define LAPIC_PRIORITY 3 // of APIC windows in the physical map

struct lapic;

enum apic_delivery {
    APIC_FIXED = 0,
    APIC_LOWEST = 1,
    APIC_SMI = 2,
    APIC_NMI = 4,
    APIC_INIT = 5,
    APIC_STARTUP = 6,
    APIC_EXTINT = 7
};

struct lapic_config {
    struct irq_line intr; // to the CPU: an interrupt waits; level
    struct irq_line nmi;  // pulsed: set true, then false
    struct irq_line init; // pulsed: an INIT message to this processor; may have no receiver
    int (*extint_acknowledge)(void *self); // acknowledge cycle of the 8259 pair: returns its vector
    void *self;
    void (*eoi)(
        void *self,
        uint8_t vector); // EOI of a level-triggered vector, to the I/O APIC; may be set later
    void *eoi_self;
};

struct lapic *lapic_create(struct clock *clock, struct physmem *mem, struct log *log,
                           struct state_registry *registry, const struct lapic_config *config);
void lapic_destroy(struct lapic *apic);
void lapic_reset(struct lapic *apic);
void lapic_set_eoi(struct lapic *apic, void (*eoi)(void *self, uint8_t vector), void *self);

// The CPU takes an interrupt: the vector, from the APIC or through ExtINT from the 8259; the
// spurious vector when it went away.
int lapic_acknowledge(struct lapic *apic);
bool lapic_has_interrupt(const struct lapic *apic); // the level of `intr`

// Wires: LINT0 is the 8259 pair's INTR output, LINT1 the board's NMI (port 61h logic).
void lapic_set_lint0(struct lapic *apic, bool level);
void lapic_set_lint1(struct lapic *apic, bool level);

// A message on the APIC bus. False: no APIC took it.
bool lapic_deliver(struct lapic *apic, uint8_t destination, bool logical, enum apic_delivery mode,
                   uint8_t vector, bool level_triggered);

// IA32_APIC_BASE (MSR 1Bh). False: #GP, nothing changed.
uint64_t lapic_get_base(const struct lapic *apic);
bool lapic_set_base(struct lapic *apic, uint64_t value);
bool lapic_is_enabled(const struct lapic *apic); // globally: what CPUID.1:EDX bit 9 shows

void lapic_describe(const struct lapic *apic, FILE *out); // `info lapic`

#endif
