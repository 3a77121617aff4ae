// SPDX-License-Identifier: MIT
// The two 8237A DMA controllers of a PC with their page registers.
// Thread: the machine's thread.
#ifndef EMU_DEVICES_I8237_H
#define EMU_DEVICES_I8237_H

#include "base/log.h"
#include "mmu/physmem.h"
#include "mmu/portio.h"
#include "state/state.h"

struct i8237;

// Claims ports 0x00-0x0f, 0x81-0x8f and 0xc0-0xdf (0x80 is the POST port's).
struct i8237 *i8237_create(struct portio *ports, struct physmem *mem, struct log *log,
                           struct state_registry *registry);
void i8237_destroy(struct i8237 *dma);
void i8237_reset(struct i8237 *dma);

// A device on channel 0..3 (8 bits) or 5..7 (16 bits) says who is to be told when the guest makes
// its channel ready while DREQ is up. `ready` runs inside a port write.
void i8237_attach(struct i8237 *dma, unsigned channel, void (*ready)(void *self), void *self);

// The device's DREQ pin.
void i8237_set_request(struct i8237 *dma, unsigned channel, bool level);

// The channel would serve a request now: unmasked, controllers on, cascade open, not in cascade
// mode.
bool i8237_is_ready(const struct i8237 *dma, unsigned channel);

// Moves up to `length` bytes (whole words on 16-bit channels) between the device's buffer and
// memory at the channel's address. Returns how many went; less than asked when the terminal count
// is reached (*terminal_count is true then), 0 when the channel is not ready or programmed for the
// other direction. In verify mode the counters run and nothing is moved.
size_t i8237_to_memory(struct i8237 *dma, unsigned channel, const void *buffer, size_t length,
                       bool *terminal_count);
size_t i8237_from_memory(struct i8237 *dma, unsigned channel, void *buffer, size_t length,
                         bool *terminal_count);

#endif
