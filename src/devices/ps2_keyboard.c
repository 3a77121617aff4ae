// SPDX-License-Identifier: MIT
// IBM PS/2 keyboard (PS/2 hardware interface technical reference, "Keyboards"): commands and scan
// code sets 1, 2 and 3. Left out: typematic repeat, the fake shifts around E0 keys under Num Lock,
// the overrun code (keys that do not fit are refused whole), and the delays of the wire: a reply is
// there at once.
#include "devices/ps2_keyboard.h"

#include <stdlib.h>

#include "base/fifo.h"
#include "devices/keymap.h"

enum {
    KBD_SET_LEDS = 0xed,
    KBD_ECHO = 0xee,
    KBD_SCAN_SET = 0xf0,
    KBD_GET_ID = 0xf2,
    KBD_SET_RATE = 0xf3,
    KBD_ENABLE = 0xf4,
    KBD_DEFAULT_DISABLE = 0xf5,
    KBD_DEFAULT = 0xf6,
    KBD_ALL_TYPEMATIC = 0xf7,
    KBD_ALL_MAKE_BREAK = 0xf8,
    KBD_ALL_MAKE = 0xf9,
    KBD_ALL_TYPEMATIC_MAKE_BREAK = 0xfa,
    KBD_KEY_TYPEMATIC = 0xfb,
    KBD_KEY_MAKE_BREAK = 0xfc,
    KBD_KEY_MAKE = 0xfd,
    KBD_RESEND = 0xfe,
    KBD_RESET = 0xff,
    REPLY_BAT_OK = 0xaa,
    REPLY_ACK = 0xfa,
    SCAN_LIMIT = 64,
    REPLY_LIMIT = 16,
};

struct ps2_keyboard {
    struct fifo replies; // go before scan codes
    struct fifo scans;
    bool enabled;
    uint8_t set;
    uint8_t leds;
    uint8_t rate;
    uint8_t command;        // that waits for its parameter, 0: none
    uint8_t last;           // for RESEND
    uint8_t shifts;         // modifiers that are down: they change Print and Pause
    uint8_t set3_break[32]; // bit per set 3 code: releases are reported
    struct irq_line ready;
    struct state_registry *registry;
};

enum { SHIFT_SHIFT = 1, SHIFT_CTRL = 2, SHIFT_ALT = 4 };

static const struct state_field kbd_fields[] = {
    STATE_FIELD(STATE_FIFO, struct ps2_keyboard, replies),
    STATE_FIELD(STATE_FIFO, struct ps2_keyboard, scans),
    STATE_FIELD(STATE_BOOL, struct ps2_keyboard, enabled),
    STATE_FIELD(STATE_U8, struct ps2_keyboard, set),
    STATE_FIELD(STATE_U8, struct ps2_keyboard, leds),
    STATE_FIELD(STATE_U8, struct ps2_keyboard, rate),
    STATE_FIELD(STATE_U8, struct ps2_keyboard, command),
    STATE_FIELD(STATE_U8, struct ps2_keyboard, last),
    STATE_FIELD(STATE_U8, struct ps2_keyboard, shifts),
    STATE_BYTES_OF(struct ps2_keyboard, set3_break),
    STATE_FIELDS_END,
};

bool ps2_keyboard_has_byte(const struct ps2_keyboard *kbd)
{
    return !fifo_is_empty(&kbd->replies) || !fifo_is_empty(&kbd->scans);
}

uint8_t ps2_keyboard_take(struct ps2_keyboard *kbd)
{
    struct fifo *fifo = fifo_is_empty(&kbd->replies) ? &kbd->scans : &kbd->replies;
    if (fifo_is_empty(fifo))
        return kbd->last;
    kbd->last = fifo_pop(fifo);
    return kbd->last;
}

uint8_t ps2_keyboard_leds(const struct ps2_keyboard *kbd)
{
    return kbd->leds;
}

static void kbd_reply(struct ps2_keyboard *kbd, uint8_t byte)
{
    fifo_push(&kbd->replies, byte);
}

static void kbd_break_all(struct ps2_keyboard *kbd, bool on)
{
    memset(kbd->set3_break, on ? 0xff : 0, sizeof kbd->set3_break);
}

static void kbd_break_one(struct ps2_keyboard *kbd, uint8_t code, bool on)
{
    uint8_t bit = (uint8_t)(1u << (code & 7));
    if (on)
        kbd->set3_break[code >> 3] |= bit;
    else
        kbd->set3_break[code >> 3] &= (uint8_t)~bit;
}

static void kbd_defaults(struct ps2_keyboard *kbd)
{
    // Set 3 by default reports the release of Ctrl, Shift, Caps Lock, Alt and right Shift only.
    static const uint8_t with_break[] = {0x11, 0x12, 0x14, 0x19, 0x59};
    fifo_clear(&kbd->scans);
    kbd->set = 2;
    kbd->rate = 0x2b;
    kbd->command = 0;
    kbd_break_all(kbd, false);
    for (size_t i = 0; i < ARRAY_SIZE(with_break); i++)
        kbd_break_one(kbd, with_break[i], true);
}

static void kbd_power_on(struct ps2_keyboard *kbd)
{
    kbd_defaults(kbd);
    fifo_clear(&kbd->replies);
    kbd->enabled = true;
    kbd->leds = 0;
}

static void kbd_parameter(struct ps2_keyboard *kbd, uint8_t command, uint8_t byte)
{
    switch (command) {
    case KBD_SET_LEDS:
        kbd->leds = byte & 7;
        break;
    case KBD_SET_RATE:
        kbd->rate = byte & 0x7f;
        break;
    case KBD_SCAN_SET:
        if (byte > 3) {
            kbd_reply(kbd, KBD_RESEND);
            kbd->command = command;
            return;
        }
        if (byte) {
            kbd->set = byte;
            fifo_clear(&kbd->scans);
        }
        kbd_reply(kbd, REPLY_ACK);
        if (!byte)
            kbd_reply(kbd, kbd->set);
        return;
    default: // KBD_KEY_*: a list of set 3 codes that ends with the next command
        kbd_break_one(kbd, byte, command == KBD_KEY_MAKE_BREAK);
        kbd->command = command;
        break;
    }
    kbd_reply(kbd, REPLY_ACK);
}

static void kbd_command(struct ps2_keyboard *kbd, uint8_t byte)
{
    switch (byte) {
    case KBD_ECHO:
        kbd_reply(kbd, KBD_ECHO);
        return;
    case KBD_RESEND:
        kbd_reply(kbd, kbd->last);
        return;
    case KBD_SET_LEDS:
    case KBD_SCAN_SET:
    case KBD_SET_RATE:
    case KBD_KEY_TYPEMATIC:
    case KBD_KEY_MAKE_BREAK:
    case KBD_KEY_MAKE:
        kbd->command = byte;
        break;
    case KBD_ENABLE:
        kbd->enabled = true;
        break;
    case KBD_DEFAULT_DISABLE:
        kbd_defaults(kbd);
        kbd->enabled = false;
        break;
    case KBD_DEFAULT:
        kbd_defaults(kbd);
        break;
    case KBD_ALL_TYPEMATIC:
    case KBD_ALL_MAKE:
        kbd_break_all(kbd, false);
        break;
    case KBD_ALL_MAKE_BREAK:
    case KBD_ALL_TYPEMATIC_MAKE_BREAK:
        kbd_break_all(kbd, true);
        break;
    case KBD_GET_ID:
        kbd_reply(kbd, REPLY_ACK);
        kbd_reply(kbd, 0xab);
        kbd_reply(kbd, 0x83);
        return;
    case KBD_RESET:
        kbd_power_on(kbd);
        kbd_reply(kbd, REPLY_ACK);
        kbd_reply(kbd, REPLY_BAT_OK);
        return;
    default:
        kbd_reply(kbd, KBD_RESEND);
        return;
    }
    kbd_reply(kbd, REPLY_ACK);
}

void ps2_keyboard_write(struct ps2_keyboard *kbd, uint8_t byte)
{
    uint8_t command = kbd->command;
    // A new command takes the place of what was unanswered. RESEND asks for the last byte once
    // more, whatever it was.
    if (byte != KBD_RESEND)
        fifo_clear(&kbd->replies);
    kbd->command = 0;
    if (command && byte < KBD_SET_LEDS)
        kbd_parameter(kbd, command, byte);
    else
        kbd_command(kbd, byte);
    irq_set(&kbd->ready, true);
}

struct scan_sequence {
    uint8_t bytes[8];
    unsigned count;
};

static void sequence_add(struct scan_sequence *seq, uint8_t byte)
{
    if (seq->count < sizeof seq->bytes)
        seq->bytes[seq->count++] = byte;
}

// One key in set 1 or 2, with its prefixes.
static void sequence_add_key(struct scan_sequence *seq, uint8_t set, uint8_t key, bool down)
{
    if (key & KEYMAP_E0)
        sequence_add(seq, 0xe0);
    if (set == 1) {
        sequence_add(seq, (uint8_t)((key & 0x7f) | (down ? 0 : 0x80)));
        return;
    }
    if (!down)
        sequence_add(seq, 0xf0);
    sequence_add(seq, keymap_set2(key));
}

static void kbd_make_set3(const struct ps2_keyboard *kbd, struct scan_sequence *seq, uint8_t key,
                          bool down)
{
    uint8_t code = keymap_set3(key);
    if (!code)
        return;
    if (!down) {
        if (!(kbd->set3_break[code >> 3] & (1u << (code & 7))))
            return;
        sequence_add(seq, 0xf0);
    }
    sequence_add(seq, code);
}

static void kbd_make_sequence(const struct ps2_keyboard *kbd, struct scan_sequence *seq,
                              uint8_t key, bool down)
{
    if (kbd->set == 3) {
        kbd_make_set3(kbd, seq, key, down);
    } else if (key == KEY_PAUSE) {
        // Pause has no release: make and break come together when it is pressed.
        if (!down)
            return;
        uint8_t code = kbd->shifts & SHIFT_CTRL ? KEY_PAUSE : 0x45;
        if (code == 0x45) {
            sequence_add(seq, 0xe1);
            sequence_add_key(seq, kbd->set, KEY_CTRL, true);
            sequence_add_key(seq, kbd->set, code, true);
            sequence_add(seq, 0xe1);
            sequence_add_key(seq, kbd->set, KEY_CTRL, false);
            sequence_add_key(seq, kbd->set, code, false);
        } else {
            sequence_add_key(seq, kbd->set, code, true);
            sequence_add_key(seq, kbd->set, code, false);
        }
    } else if (key == KEY_PRINT && (kbd->shifts & SHIFT_ALT)) {
        sequence_add_key(seq, kbd->set, 0x54, down); // SysRq
    } else if (key == KEY_PRINT && !(kbd->shifts & (SHIFT_SHIFT | SHIFT_CTRL))) {
        if (down)
            sequence_add_key(seq, kbd->set, KEYMAP_E0 | KEY_SHIFT, true);
        sequence_add_key(seq, kbd->set, key, down);
        if (!down)
            sequence_add_key(seq, kbd->set, KEYMAP_E0 | KEY_SHIFT, false);
    } else {
        sequence_add_key(seq, kbd->set, key, down);
    }
}

static uint8_t shift_of(uint8_t key)
{
    switch (key) {
    case KEY_SHIFT:
    case KEY_SHIFT_R:
        return SHIFT_SHIFT;
    case KEY_CTRL:
    case KEY_CTRL_R:
        return SHIFT_CTRL;
    case KEY_ALT:
    case KEY_ALT_R:
        return SHIFT_ALT;
    default:
        return 0;
    }
}

bool ps2_keyboard_key(struct ps2_keyboard *kbd, uint8_t key, bool down)
{
    struct scan_sequence seq = {.count = 0};
    uint8_t shift = shift_of(key);
    if (down)
        kbd->shifts |= shift;
    else
        kbd->shifts &= (uint8_t)~shift;
    if (!kbd->enabled || !keymap_set2(key))
        return false;
    kbd_make_sequence(kbd, &seq, key, down);
    if (seq.count > fifo_free(&kbd->scans))
        return false;
    for (unsigned i = 0; i < seq.count; i++)
        fifo_push(&kbd->scans, seq.bytes[i]);
    if (seq.count)
        irq_set(&kbd->ready, true);
    return true;
}

static bool kbd_after_load(void *object, struct error *err)
{
    struct ps2_keyboard *kbd = object;
    if (kbd->set < 1 || kbd->set > 3)
        return error_set(err, "ps2_keyboard: there is no scan code set %u", kbd->set);
    return true;
}

void ps2_keyboard_reset(struct ps2_keyboard *kbd)
{
    kbd_power_on(kbd);
    kbd->last = 0;
    kbd->shifts = 0;
}

struct ps2_keyboard *ps2_keyboard_create(struct state_registry *registry, struct irq_line ready)
{
    struct ps2_keyboard *kbd = xcalloc(1, sizeof *kbd);
    kbd->ready = ready;
    kbd->registry = registry;
    fifo_init(&kbd->replies, REPLY_LIMIT);
    fifo_init(&kbd->scans, SCAN_LIMIT);
    ps2_keyboard_reset(kbd);
    state_register(registry, &(struct state_section){.name = "ps2_keyboard",
                                                     .version = 1,
                                                     .fields = kbd_fields,
                                                     .object = kbd,
                                                     .after_load = kbd_after_load});
    return kbd;
}

void ps2_keyboard_destroy(struct ps2_keyboard *kbd)
{
    if (!kbd)
        return;
    state_unregister(kbd->registry, kbd);
    free(kbd);
}
