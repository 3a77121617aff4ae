// SPDX-License-Identifier: MIT
// The 8254 programmable interval timer.
// Thread: the machine's thread.
#ifndef EMU_DEVICES_I8254_H
#define EMU_DEVICES_I8254_H

#include "base/clock.h"
#include "mmu/irq.h"
#include "mmu/portio.h"
#include "state/state.h"

#define I8254_HZ UINT64_C(1193182)

struct i8254;

// irq0: the OUT pin of channel 0. A low pulse of one CLK (modes 2, 4) is seen as fall and rise at
// the rising edge.
struct i8254 *i8254_create(struct clock *clock, struct portio *ports,
                           struct state_registry *registry, struct irq_line irq0);
void i8254_destroy(struct i8254 *pit);
void i8254_reset(struct i8254 *pit);

// The GATE pin of a channel; only channel 2's can be moved on a PC.
void i8254_set_gate(struct i8254 *pit, unsigned channel, bool level);
bool i8254_gate(const struct i8254 *pit, unsigned channel);

// The level of an OUT pin now.
bool i8254_output(struct i8254 *pit, unsigned channel);

// What a speaker needs to know: frequency of channel 2 in Hz when it makes a square wave or pulses,
// else 0.
uint32_t i8254_frequency(const struct i8254 *pit, unsigned channel);

#endif
