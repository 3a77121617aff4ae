// SPDX-License-Identifier: MIT
// Keys by name, as QEMU's sendkey spells them, and the scan codes they have in the three sets of an
// AT keyboard.
#ifndef EMU_DEVICES_KEYMAP_H
#define EMU_DEVICES_KEYMAP_H

#include "base/error.h"

// A key code is the key's make code in scan code set 1, with bit 7 for the E0 prefix.
#define KEYMAP_E0 0x80u

enum {
    KEY_CTRL = 0x1d,
    KEY_SHIFT = 0x2a,
    KEY_SHIFT_R = 0x36,
    KEY_ALT = 0x38,
    KEY_PAUSE = KEYMAP_E0 | 0x46,
    KEY_PRINT = KEYMAP_E0 | 0x37,
    KEY_CTRL_R = KEYMAP_E0 | 0x1d,
    KEY_ALT_R = KEYMAP_E0 | 0x38,
};

// The key code of a name ("a", "ret", "ctrl_r", or a number "0x1c"), -1 when there is no such key.
int keymap_find(const char *name, size_t length);

// "ctrl-alt-delete" into key codes, in order of pressing; the error names the key that is unknown.
bool keymap_parse_chord(const char *text, uint8_t *keys, size_t max, size_t *count,
                        struct error *err);

// The names, for completion and help: 0 .. keymap_count() - 1.
size_t keymap_count(void);
const char *keymap_name(size_t index);

// The key that types an ASCII character on a US layout, -1 when none does; *shift says whether
// Shift is needed.
int keymap_from_ascii(char c, bool *shift);

// Set 2 code without its E0 prefix (the prefix goes with bit 7 of the key code), 0 when the key has
// none.
uint8_t keymap_set2(uint8_t key);
// Set 3 code, 0 when the key has none.
uint8_t keymap_set3(uint8_t key);
// The keyboard controller's translation of one set 2 byte to set 1.
uint8_t keymap_translate(uint8_t set2);

#endif
