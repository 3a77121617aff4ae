// SPDX-License-Identifier: MIT
// What plugin "provider" publishes.
#ifndef EMU_TESTS_ALPHA_H
#define EMU_TESTS_ALPHA_H

#include <emu/plugin.h>

struct alpha_tick {
    uint32_t value;
    const char *text;
};

struct alpha_functions {
    void (*emit)(uint32_t value, const char *text);
    void (*emit_handle)(uint32_t value);
    int (*add)(int a, int b);
};

static const struct payload_field alpha_tick_fields[] = {
    PAYLOAD_FIELD(struct alpha_tick, value, PAYLOAD_U32, "a number"),
    PAYLOAD_FIELD(struct alpha_tick, text, PAYLOAD_STRING, "a text"), PAYLOAD_FIELDS_END};
static const struct payload_type alpha_tick_type = {"alpha_tick", 1, sizeof(struct alpha_tick),
                                                    alpha_tick_fields, "When a test asks for it."};

#endif
