// SPDX-License-Identifier: MIT
// A 16550A serial port in front of a character device.
// Thread: the machine's thread.
#ifndef EMU_DEVICES_UART16550_H
#define EMU_DEVICES_UART16550_H

#include "base/chardev.h"
#include "base/clock.h"
#include "mmu/irq.h"
#include "mmu/portio.h"
#include "state/state.h"

struct uart16550;

struct uart16550_config {
    const char *name; // of the snapshot section, "uart0": a string that outlives the port
    uint16_t base;    // 0x3f8
    struct irq_line irq;
    struct chardev *chardev; // NULL: nothing is connected; stays the caller's
    // How many times faster than the programmed rate the transmitter empties for a guest that waits
    // for its interrupt (0 means 1). A guest that polls never waits.
    unsigned speedup;
    // PCs wire OUT2 to the gate of the interrupt line. True: interrupts come whatever OUT2 is.
    bool ignore_out2;
};

struct uart16550 *uart16550_create(struct clock *clock, struct portio *ports,
                                   struct state_registry *registry,
                                   const struct uart16550_config *config);
void uart16550_destroy(struct uart16550 *uart); // sends what is still in the FIFO
void uart16550_reset(struct uart16550 *uart);

// Bytes from the line (the chardev calls this; without a chardev anybody may). Returns how many
// were taken.
size_t uart16550_receive(struct uart16550 *uart, const uint8_t *data, size_t length);
size_t uart16550_can_receive(const struct uart16550 *uart);

// A break condition on the line: a zero byte with the break flag.
void uart16550_receive_break(struct uart16550 *uart);

#endif
