// SPDX-License-Identifier: MIT
// PS/2 mouse (PS/2 hardware interface technical reference, "Mouse"), with a wheel after the sample
// rates 200, 100, 80 and with five buttons after 200, 200, 80. Left out: the sample rate does not
// limit reports; a report is made when the guest has taken the one before.
#include "devices/ps2_mouse.h"

#include <stdlib.h>

#include "base/fifo.h"

enum {
    MOUSE_SCALE_1_1 = 0xe6,
    MOUSE_SCALE_2_1 = 0xe7,
    MOUSE_RESOLUTION = 0xe8,
    MOUSE_STATUS = 0xe9,
    MOUSE_STREAM = 0xea,
    MOUSE_READ_DATA = 0xeb,
    MOUSE_RESET_WRAP = 0xec,
    MOUSE_WRAP = 0xee,
    MOUSE_REMOTE = 0xf0,
    MOUSE_GET_ID = 0xf2,
    MOUSE_SAMPLE_RATE = 0xf3,
    MOUSE_ENABLE = 0xf4,
    MOUSE_DISABLE = 0xf5,
    MOUSE_DEFAULT = 0xf6,
    MOUSE_RESEND = 0xfe,
    MOUSE_RESET = 0xff,
    REPLY_BAT_OK = 0xaa,
    REPLY_ACK = 0xfa,
    ID_PLAIN = 0,
    ID_WHEEL = 3,
    ID_FIVE_BUTTONS = 4,
    MOVE_LIMIT = 4096, // what is remembered while the guest does not look
};

struct ps2_mouse {
    struct fifo replies; // go before reports
    struct fifo reports;
    bool enabled, remote, wrap, scale_2_1;
    uint8_t id;
    uint8_t resolution, rate;
    uint8_t rates[3]; // the last three that were set: they unlock the extensions
    uint8_t command;  // that waits for its parameter
    uint8_t last;
    uint8_t buttons, reported_buttons;
    int32_t dx, dy, dz; // not reported yet
    struct irq_line ready;
    struct state_registry *registry;
};

static const struct state_field mouse_fields[] = {
    STATE_FIELD(STATE_FIFO, struct ps2_mouse, replies),
    STATE_FIELD(STATE_FIFO, struct ps2_mouse, reports),
    STATE_FIELD(STATE_BOOL, struct ps2_mouse, enabled),
    STATE_FIELD(STATE_BOOL, struct ps2_mouse, remote),
    STATE_FIELD(STATE_BOOL, struct ps2_mouse, wrap),
    STATE_FIELD(STATE_BOOL, struct ps2_mouse, scale_2_1),
    STATE_FIELD(STATE_U8, struct ps2_mouse, id),
    STATE_FIELD(STATE_U8, struct ps2_mouse, resolution),
    STATE_FIELD(STATE_U8, struct ps2_mouse, rate),
    STATE_BYTES_OF(struct ps2_mouse, rates),
    STATE_FIELD(STATE_U8, struct ps2_mouse, command),
    STATE_FIELD(STATE_U8, struct ps2_mouse, last),
    STATE_FIELD(STATE_U8, struct ps2_mouse, buttons),
    STATE_FIELD(STATE_U8, struct ps2_mouse, reported_buttons),
    STATE_FIELD(STATE_U32, struct ps2_mouse, dx),
    STATE_FIELD(STATE_U32, struct ps2_mouse, dy),
    STATE_FIELD(STATE_U32, struct ps2_mouse, dz),
    STATE_FIELDS_END,
};

static int clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

// In stream mode with 2:1 scaling small movements are damped and large ones doubled.
static int mouse_scale(const struct ps2_mouse *mouse, int value)
{
    static const int8_t scaled[6] = {0, 1, 1, 3, 6, 9};
    if (!mouse->scale_2_1 || mouse->remote)
        return value;
    int size = value < 0 ? -value : value;
    size = size < 6 ? scaled[size] : 2 * size;
    return value < 0 ? -size : size;
}

static void mouse_report(struct ps2_mouse *mouse, struct fifo *fifo)
{
    int dx = clamp(mouse->dx, -255, 255), dy = clamp(mouse->dy, -255, 255);
    int dz = clamp(mouse->dz, mouse->id == ID_FIVE_BUTTONS ? -8 : -128,
                   mouse->id == ID_FIVE_BUTTONS ? 7 : 127);
    mouse->dx -= dx;
    mouse->dy -= dy;
    if (mouse->id == ID_PLAIN)
        dz = mouse->dz;
    mouse->dz -= dz;
    mouse->reported_buttons = mouse->buttons;
    int x = clamp(mouse_scale(mouse, dx), -255, 255);
    int y = clamp(mouse_scale(mouse, -dy), -255, 255); // the mouse counts upwards
    fifo_push(fifo,
              (uint8_t)((mouse->buttons & 7) | 0x08 | (x < 0 ? 0x10 : 0) | (y < 0 ? 0x20 : 0)));
    fifo_push(fifo, (uint8_t)x);
    fifo_push(fifo, (uint8_t)y);
    if (mouse->id == ID_WHEEL)
        fifo_push(fifo, (uint8_t)dz);
    else if (mouse->id == ID_FIVE_BUTTONS)
        fifo_push(fifo, (uint8_t)((dz & 0x0f) | (mouse->buttons & 0x18) << 1));
}

static bool mouse_has_news(const struct ps2_mouse *mouse)
{
    return mouse->dx || mouse->dy || (mouse->dz && mouse->id != ID_PLAIN) ||
           mouse->buttons != mouse->reported_buttons;
}

static void mouse_stream(struct ps2_mouse *mouse)
{
    if (!mouse->enabled || mouse->remote || mouse->wrap || !fifo_is_empty(&mouse->reports))
        return;
    if (mouse_has_news(mouse))
        mouse_report(mouse, &mouse->reports);
}

bool ps2_mouse_has_byte(const struct ps2_mouse *mouse)
{
    return !fifo_is_empty(&mouse->replies) || !fifo_is_empty(&mouse->reports);
}

uint8_t ps2_mouse_take(struct ps2_mouse *mouse)
{
    struct fifo *fifo = fifo_is_empty(&mouse->replies) ? &mouse->reports : &mouse->replies;
    if (!fifo_is_empty(fifo))
        mouse->last = fifo_pop(fifo);
    mouse_stream(mouse);
    return mouse->last;
}

void ps2_mouse_move(struct ps2_mouse *mouse, int dx, int dy, int dz, unsigned buttons)
{
    dx = clamp(dx, -MOVE_LIMIT, MOVE_LIMIT);
    dy = clamp(dy, -MOVE_LIMIT, MOVE_LIMIT);
    dz = clamp(dz, -MOVE_LIMIT, MOVE_LIMIT);
    mouse->buttons = buttons & 0x1f;
    if (!mouse->enabled && !mouse->remote)
        return;
    mouse->dx = clamp(mouse->dx + dx, -MOVE_LIMIT, MOVE_LIMIT);
    mouse->dy = clamp(mouse->dy + dy, -MOVE_LIMIT, MOVE_LIMIT);
    mouse->dz = clamp(mouse->dz + dz, -MOVE_LIMIT, MOVE_LIMIT);
    mouse_stream(mouse);
    if (!fifo_is_empty(&mouse->reports))
        irq_set(&mouse->ready, true);
}

static void mouse_reply(struct ps2_mouse *mouse, uint8_t byte)
{
    fifo_push(&mouse->replies, byte);
}

static void mouse_forget(struct ps2_mouse *mouse)
{
    mouse->dx = mouse->dy = mouse->dz = 0;
    mouse->reported_buttons = mouse->buttons;
    fifo_clear(&mouse->reports);
}

static void mouse_defaults(struct ps2_mouse *mouse)
{
    mouse_forget(mouse);
    mouse->enabled = mouse->remote = mouse->wrap = mouse->scale_2_1 = false;
    mouse->resolution = 2;
    mouse->rate = 100;
    mouse->command = 0;
}

static void mouse_power_on(struct ps2_mouse *mouse)
{
    mouse_defaults(mouse);
    fifo_clear(&mouse->replies);
    memset(mouse->rates, 0, sizeof mouse->rates);
    mouse->id = ID_PLAIN;
}

static void mouse_set_rate(struct ps2_mouse *mouse, uint8_t rate)
{
    mouse->rate = rate;
    mouse->rates[0] = mouse->rates[1];
    mouse->rates[1] = mouse->rates[2];
    mouse->rates[2] = rate;
    if (mouse->rates[0] != 200 || rate != 80)
        return;
    if (mouse->rates[1] == 100 && mouse->id == ID_PLAIN)
        mouse->id = ID_WHEEL;
    else if (mouse->rates[1] == 200)
        mouse->id = ID_FIVE_BUTTONS;
}

static void mouse_parameter(struct ps2_mouse *mouse, uint8_t command, uint8_t byte)
{
    if (command == MOUSE_SAMPLE_RATE) {
        mouse_set_rate(mouse, byte);
    } else if (byte > 3) {
        mouse->command = command;
        mouse_reply(mouse, MOUSE_RESEND);
        return;
    } else {
        mouse->resolution = byte;
    }
    mouse_reply(mouse, REPLY_ACK);
}

static void mouse_reply_status(struct ps2_mouse *mouse)
{
    unsigned buttons = (mouse->buttons & PS2_BUTTON_LEFT ? 4u : 0) |
                       (mouse->buttons & PS2_BUTTON_MIDDLE ? 2u : 0) |
                       (mouse->buttons & PS2_BUTTON_RIGHT ? 1u : 0);
    mouse_reply(mouse, REPLY_ACK);
    mouse_reply(mouse, (uint8_t)((mouse->remote ? 0x40 : 0) | (mouse->enabled ? 0x20 : 0) |
                                 (mouse->scale_2_1 ? 0x10 : 0) | buttons));
    mouse_reply(mouse, mouse->resolution);
    mouse_reply(mouse, mouse->rate);
}

static void mouse_command(struct ps2_mouse *mouse, uint8_t byte)
{
    switch (byte) {
    case MOUSE_SCALE_1_1:
    case MOUSE_SCALE_2_1:
        mouse->scale_2_1 = byte == MOUSE_SCALE_2_1;
        break;
    case MOUSE_RESOLUTION:
    case MOUSE_SAMPLE_RATE:
        mouse->command = byte;
        break;
    case MOUSE_STATUS:
        mouse_reply_status(mouse);
        return;
    case MOUSE_STREAM:
    case MOUSE_REMOTE:
        mouse_forget(mouse);
        mouse->remote = byte == MOUSE_REMOTE;
        break;
    case MOUSE_READ_DATA:
        mouse_reply(mouse, REPLY_ACK);
        mouse_report(mouse, &mouse->replies);
        return;
    case MOUSE_RESET_WRAP:
    case MOUSE_WRAP:
        mouse->wrap = byte == MOUSE_WRAP;
        break;
    case MOUSE_GET_ID:
        mouse_reply(mouse, REPLY_ACK);
        mouse_reply(mouse, mouse->id);
        return;
    case MOUSE_ENABLE:
        mouse_forget(mouse);
        mouse->enabled = true;
        break;
    case MOUSE_DISABLE:
        mouse_forget(mouse);
        mouse->enabled = false;
        break;
    case MOUSE_DEFAULT:
        mouse_defaults(mouse);
        break;
    case MOUSE_RESEND:
        mouse_reply(mouse, mouse->last);
        return;
    case MOUSE_RESET:
        mouse_power_on(mouse);
        mouse_reply(mouse, REPLY_ACK);
        mouse_reply(mouse, REPLY_BAT_OK);
        mouse_reply(mouse, mouse->id);
        return;
    default:
        mouse_reply(mouse, MOUSE_RESEND);
        return;
    }
    mouse_reply(mouse, REPLY_ACK);
}

void ps2_mouse_write(struct ps2_mouse *mouse, uint8_t byte)
{
    uint8_t command = mouse->command;
    if (byte != MOUSE_RESEND)
        fifo_clear(&mouse->replies);
    mouse->command = 0;
    if (mouse->wrap && byte != MOUSE_RESET && byte != MOUSE_RESET_WRAP)
        mouse_reply(mouse, byte);
    else if (command && byte < MOUSE_SCALE_1_1)
        mouse_parameter(mouse, command, byte);
    else
        mouse_command(mouse, byte);
    irq_set(&mouse->ready, true);
}

static bool mouse_after_load(void *object, struct error *err)
{
    struct ps2_mouse *mouse = object;
    if (mouse->id != ID_PLAIN && mouse->id != ID_WHEEL && mouse->id != ID_FIVE_BUTTONS)
        return error_set(err, "ps2_mouse: there is no mouse with the ID %u", mouse->id);
    mouse->dx = clamp(mouse->dx, -MOVE_LIMIT, MOVE_LIMIT);
    mouse->dy = clamp(mouse->dy, -MOVE_LIMIT, MOVE_LIMIT);
    mouse->dz = clamp(mouse->dz, -MOVE_LIMIT, MOVE_LIMIT);
    return true;
}

void ps2_mouse_reset(struct ps2_mouse *mouse)
{
    mouse_power_on(mouse);
    mouse->last = 0;
    mouse->buttons = mouse->reported_buttons = 0;
}

struct ps2_mouse *ps2_mouse_create(struct state_registry *registry, struct irq_line ready)
{
    struct ps2_mouse *mouse = xcalloc(1, sizeof *mouse);
    mouse->ready = ready;
    mouse->registry = registry;
    fifo_init(&mouse->replies, 16);
    fifo_init(&mouse->reports, 16);
    ps2_mouse_reset(mouse);
    state_register(registry, &(struct state_section){.name = "ps2_mouse",
                                                     .version = 1,
                                                     .fields = mouse_fields,
                                                     .object = mouse,
                                                     .after_load = mouse_after_load});
    return mouse;
}

void ps2_mouse_destroy(struct ps2_mouse *mouse)
{
    if (!mouse)
        return;
    state_unregister(mouse->registry, mouse);
    free(mouse);
}
