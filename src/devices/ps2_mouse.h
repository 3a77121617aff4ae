// SPDX-License-Identifier: MIT
// A PS/2 mouse with the IntelliMouse extensions, behind the keyboard controller.
// Thread: the machine's thread.
#ifndef EMU_DEVICES_PS2_MOUSE_H
#define EMU_DEVICES_PS2_MOUSE_H

#include "mmu/irq.h"
#include "state/state.h"

struct ps2_mouse;

enum {
    PS2_BUTTON_LEFT = 1,
    PS2_BUTTON_RIGHT = 2,
    PS2_BUTTON_MIDDLE = 4,
    PS2_BUTTON_SIDE = 8,
    PS2_BUTTON_EXTRA = 16,
};

// ready: raised when there is a byte to fetch where there was none.
struct ps2_mouse *ps2_mouse_create(struct state_registry *registry, struct irq_line ready);
void ps2_mouse_destroy(struct ps2_mouse *mouse);
void ps2_mouse_reset(struct ps2_mouse *mouse);

// The host's side: movement to the right, down and of the wheel towards the user, and the buttons
// that are down now.
void ps2_mouse_move(struct ps2_mouse *mouse, int dx, int dy, int dz, unsigned buttons);

// The controller's side.
bool ps2_mouse_has_byte(const struct ps2_mouse *mouse);
uint8_t ps2_mouse_take(struct ps2_mouse *mouse);
void ps2_mouse_write(struct ps2_mouse *mouse, uint8_t byte);

#endif
