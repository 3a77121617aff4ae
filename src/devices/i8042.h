// SPDX-License-Identifier: MIT
// The keyboard controller of a PS/2 board with its keyboard and mouse.
// Thread: the machine's thread.
#ifndef EMU_DEVICES_I8042_H
#define EMU_DEVICES_I8042_H

#include "devices/port92.h"
#include "devices/ps2_keyboard.h"
#include "devices/ps2_mouse.h"

struct i8042;

struct i8042_config {
    struct irq_line irq1;  // keyboard
    struct irq_line irq12; // mouse
    struct irq_line
        reset; // the CPU's reset pin: pulsed high and low. Called inside a port write: post it.
    struct port92 *a20; // whose A20 gate the output port's bit 1 moves
};

// Makes the keyboard and the mouse too.
struct i8042 *i8042_create(struct portio *ports, struct state_registry *registry,
                           const struct i8042_config *config);
void i8042_destroy(struct i8042 *kbc);
void i8042_reset(struct i8042 *kbc); // controller, keyboard and mouse

struct ps2_keyboard *i8042_keyboard(struct i8042 *kbc);
struct ps2_mouse *i8042_mouse(struct i8042 *kbc);

#endif
