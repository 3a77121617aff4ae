// SPDX-License-Identifier: MIT
// The two cascaded 8259A interrupt controllers of a PC with the edge/level control registers of the
// PIIX. Thread: the machine's thread.
#ifndef EMU_DEVICES_I8259_H
#define EMU_DEVICES_I8259_H

#include <stdio.h>

#include "base/log.h"
#include "mmu/irq.h"
#include "mmu/portio.h"
#include "state/state.h"

struct i8259_pair;

// output: the master's INT pin, to the CPU's INTR or the local APIC's LINT0. It follows the level
// of the pin, and it falls for a moment at each acknowledge, as the pin does.
struct i8259_pair *i8259_create(struct portio *ports, struct log *log,
                                struct state_registry *registry, struct irq_line output);
void i8259_destroy(struct i8259_pair *pair);
void i8259_reset(struct i8259_pair *pair);

// The input pin of ISA interrupt 0..15 (2 is taken by the cascade and goes nowhere).
struct irq_line i8259_input(struct i8259_pair *pair, unsigned irq);

// The CPU's interrupt acknowledge cycle: the vector to run. Always answers: a request that went
// away gives the spurious vector (IR7 of the chip that was asked).
int i8259_acknowledge(struct i8259_pair *pair);

// The level of the INT pin.
bool i8259_is_pending(const struct i8259_pair *pair);

// `info pic`: the registers of both chips. `info irq`: how often each input rose.
void i8259_describe(const struct i8259_pair *pair, FILE *out);
void i8259_describe_counts(const struct i8259_pair *pair, FILE *out);
uint64_t i8259_irq_count(const struct i8259_pair *pair, unsigned irq);

#endif
