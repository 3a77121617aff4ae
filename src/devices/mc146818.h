// SPDX-License-Identifier: MIT
// The MC146818 real-time clock with 128 bytes of battery-backed memory.
// Thread: the machine's thread.
#ifndef EMU_DEVICES_MC146818_H
#define EMU_DEVICES_MC146818_H

#include "base/clock.h"
#include "mmu/irq.h"
#include "mmu/portio.h"
#include "state/state.h"

#define CMOS_SIZE 128u

struct mc146818;

// base_seconds: what the clock shows at power-on, in seconds since 1970-01-01 00:00 (already in the
// zone the guest shall see).
struct mc146818 *mc146818_create(struct clock *clock, struct portio *ports,
                                 struct state_registry *registry, int64_t base_seconds,
                                 struct irq_line irq8);
void mc146818_destroy(struct mc146818 *rtc);
void mc146818_reset(struct mc146818 *rtc); // RESET#: the battery-backed contents stay

// The memory behind the ports, for whoever builds the machine: memory size, drive types, boot
// order.
uint8_t mc146818_get(struct mc146818 *rtc, unsigned index);
void mc146818_set(struct mc146818 *rtc, unsigned index, uint8_t value);

// Bit 7 of port 0x70: the board's NMI gate.
bool mc146818_nmi_masked(const struct mc146818 *rtc);

// What the clock shows now, in seconds since 1970.
int64_t mc146818_seconds(struct mc146818 *rtc);

#endif
