// SPDX-License-Identifier: MIT
// System control port B: speaker, timer 2 gate, refresh toggle.
#ifndef EMU_DEVICES_PORT61_H
#define EMU_DEVICES_PORT61_H

#include "devices/i8254.h"

struct port61;

struct port61 *port61_create(struct clock *clock, struct portio *ports,
                             struct state_registry *registry, struct i8254 *pit);
void port61_destroy(struct port61 *port);
void port61_reset(struct port61 *port);

// The frequency the speaker plays in Hz; 0: silent.
uint32_t port61_speaker_frequency(const struct port61 *port);

#endif
