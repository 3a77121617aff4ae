// SPDX-License-Identifier: MIT
// The port to which firmware writes its progress codes.
#ifndef EMU_DEVICES_POST_PORT_H
#define EMU_DEVICES_POST_PORT_H

#include "base/log.h"
#include "mmu/portio.h"
#include "state/state.h"

struct post_port;

// second: another port for codes of test programs, written only; 0: none.
struct post_port *post_port_create(struct portio *ports, struct log *log,
                                   struct state_registry *registry, uint16_t second);
void post_port_destroy(struct post_port *post);
void post_port_reset(struct post_port *post);
uint8_t post_port_value(const struct post_port *post);

#endif
