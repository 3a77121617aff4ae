// SPDX-License-Identifier: MIT
// A PS/2 keyboard, behind the keyboard controller.
// Thread: the machine's thread.
#ifndef EMU_DEVICES_PS2_KEYBOARD_H
#define EMU_DEVICES_PS2_KEYBOARD_H

#include "mmu/irq.h"
#include "state/state.h"

struct ps2_keyboard;

enum { PS2_LED_SCROLL = 1, PS2_LED_NUM = 2, PS2_LED_CAPS = 4 };

// ready: raised when there is a byte to fetch where there was none.
struct ps2_keyboard *ps2_keyboard_create(struct state_registry *registry, struct irq_line ready);
void ps2_keyboard_destroy(struct ps2_keyboard *kbd);
void ps2_keyboard_reset(struct ps2_keyboard *kbd);

// The host's side: presses or releases a key (a key code of devices/keymap.h). False: the key was
// lost, because the buffer is full or the guest has disabled scanning.
bool ps2_keyboard_key(struct ps2_keyboard *kbd, uint8_t key, bool down);
uint8_t ps2_keyboard_leds(const struct ps2_keyboard *kbd);

// The controller's side: what the keyboard has to say, and what it is told.
bool ps2_keyboard_has_byte(const struct ps2_keyboard *kbd);
uint8_t ps2_keyboard_take(struct ps2_keyboard *kbd);
void ps2_keyboard_write(struct ps2_keyboard *kbd, uint8_t byte);

#endif
