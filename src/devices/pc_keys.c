// SPDX-License-Identifier: MIT
// A queue of key chords: each is pressed, held, released, one after the other.
#include <stdlib.h>
#include <string.h>

#include "devices/keymap.h"
#include "devices/pc_internal.h"
#include "devices/ps2_keyboard.h"

#define CHORD_KEYS         8u
#define QUEUE_CHORDS       64u
#define DEFAULT_HOLD_MS    100u
#define NANOSECONDS_PER_MS INT64_C(1000000)

struct chord {
    uint8_t keys[CHORD_KEYS];
    size_t count;
    int64_t hold; // ns
};

struct pc_keys {
    struct clock *clock;
    struct timer *timer;
    struct ps2_keyboard *keyboard;
    struct chord queue[QUEUE_CHORDS];
    unsigned head, count;
    bool down; // the first chord is pressed
};

static void press(struct pc_keys *keys, bool down)
{
    const struct chord *chord = &keys->queue[keys->head];
    for (size_t i = 0; i < chord->count; i++)
        ps2_keyboard_key(keys->keyboard, chord->keys[down ? i : chord->count - 1 - i], down);
    keys->down = down;
    timer_arm(keys->timer, clock_now(keys->clock) + chord->hold);
}

// Half of the time a chord is down, the other half nothing is.
static void keys_step(void *self)
{
    struct pc_keys *keys = self;
    if (keys->down) {
        press(keys, false);
        keys->head = (keys->head + 1) % QUEUE_CHORDS;
        keys->count--;
    } else if (keys->count > 0) {
        press(keys, true);
    }
}

struct pc_keys *pc_keys_create(struct clock *clock, struct ps2_keyboard *keyboard)
{
    struct pc_keys *keys = xcalloc(1, sizeof *keys);
    keys->clock = clock;
    keys->keyboard = keyboard;
    keys->timer = timer_create_on(clock, "sendkey", keys_step, keys);
    return keys;
}

void pc_keys_destroy(struct pc_keys *keys)
{
    if (!keys)
        return;
    timer_destroy(keys->timer);
    free(keys);
}

bool pc_keys_send(struct pc_keys *keys, const char *text, unsigned hold_ms, struct error *err)
{
    if (keys->count == QUEUE_CHORDS)
        return error_set(err, "%u key presses are waiting already", QUEUE_CHORDS);
    struct chord *chord = &keys->queue[(keys->head + keys->count) % QUEUE_CHORDS];
    if (!keymap_parse_chord(text, chord->keys, CHORD_KEYS, &chord->count, err))
        return false;
    chord->hold = (int64_t)(hold_ms ? hold_ms : DEFAULT_HOLD_MS) * NANOSECONDS_PER_MS / 2;
    if (keys->count++ == 0 && !timer_is_armed(keys->timer))
        timer_arm(keys->timer, clock_now(keys->clock));
    return true;
}
