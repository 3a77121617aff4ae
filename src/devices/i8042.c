// SPDX-License-Identifier: MIT
// 8042 keyboard controller at ports 0x60 and 0x64 with the PS/2 commands (PS/2 hardware interface
// technical reference, "Keyboard and auxiliary device controller"). One output buffer; controller
// replies go before the keyboard's bytes, those before the mouse's. Left out: wire timing (the
// input buffer is never seen full), parity and time-out errors, the password, and the mouse
// multiplexer (its probe finds a plain loopback).
#include "devices/i8042.h"

#include <stdlib.h>

#include "base/fifo.h"
#include "devices/keymap.h"

enum { // status register
    STATUS_OBF = 1u << 0,
    STATUS_SYSTEM = 1u << 2,
    STATUS_COMMAND = 1u << 3,
    STATUS_UNLOCKED = 1u << 4,
    STATUS_AUX_OBF = 1u << 5,
};

enum { // command byte, byte 0 of the controller's RAM
    MODE_KBD_IRQ = 1u << 0,
    MODE_AUX_IRQ = 1u << 1,
    MODE_SYSTEM = 1u << 2,
    MODE_KBD_DISABLED = 1u << 4,
    MODE_AUX_DISABLED = 1u << 5,
    MODE_TRANSLATE = 1u << 6,
};

enum { // output port
    OUT_RESET = 1u << 0,
    OUT_A20 = 1u << 1,
    OUT_KBD_OBF = 1u << 4,
    OUT_AUX_OBF = 1u << 5,
    OUT_FIXED = 0xc0, // keyboard clock and data lines are high
};

enum {
    KBC_READ_RAM = 0x20,
    KBC_WRITE_RAM = 0x60,
    KBC_TEST_PASSWORD = 0xa4,
    KBC_DISABLE_AUX = 0xa7,
    KBC_ENABLE_AUX = 0xa8,
    KBC_TEST_AUX = 0xa9,
    KBC_SELF_TEST = 0xaa,
    KBC_TEST_KBD = 0xab,
    KBC_DISABLE_KBD = 0xad,
    KBC_ENABLE_KBD = 0xae,
    KBC_READ_INPUT = 0xc0,
    KBC_READ_OUTPUT = 0xd0,
    KBC_WRITE_OUTPUT = 0xd1,
    KBC_WRITE_KBD_BUFFER = 0xd2,
    KBC_WRITE_AUX_BUFFER = 0xd3,
    KBC_WRITE_AUX = 0xd4,
    KBC_A20_OFF = 0xdd,
    KBC_A20_ON = 0xdf,
    KBC_READ_TEST = 0xe0,
    KBC_PULSE = 0xf0,  // 0xf0..0xff: pulses the output port's bits whose mask bit is 0
    INPUT_PORT = 0xb0, // not locked, colour display, no manufacturing jumper
    SELF_TEST_OK = 0x55,
    NO_PASSWORD = 0xf1,
};

struct i8042 {
    uint8_t ram[32]; // 0: the command byte
    uint8_t status;  // without OBF and AUX_OBF
    uint8_t command; // that waits for its data byte, 0: none
    uint8_t data;    // output buffer
    bool full, full_aux;
    bool break_prefix; // translation has seen F0
    struct fifo replies, aux_replies;
    struct irq_line irq1, irq12, reset;
    struct port92 *a20;
    struct ps2_keyboard *keyboard;
    struct ps2_mouse *mouse;
    struct state_registry *registry;
    struct port_range *data_range, *command_range;
};

static const struct state_field kbc_fields[] = {
    STATE_BYTES_OF(struct i8042, ram),
    STATE_FIELD(STATE_U8, struct i8042, status),
    STATE_FIELD(STATE_U8, struct i8042, command),
    STATE_FIELD(STATE_U8, struct i8042, data),
    STATE_FIELD(STATE_BOOL, struct i8042, full),
    STATE_FIELD(STATE_BOOL, struct i8042, full_aux),
    STATE_FIELD(STATE_BOOL, struct i8042, break_prefix),
    STATE_FIELD(STATE_FIFO, struct i8042, replies),
    STATE_FIELD(STATE_FIFO, struct i8042, aux_replies),
    STATE_FIELDS_END,
};

static bool kbc_kbd_irq(const struct i8042 *kbc)
{
    return kbc->full && !kbc->full_aux &&
           (kbc->ram[0] & (MODE_KBD_IRQ | MODE_KBD_DISABLED)) == MODE_KBD_IRQ;
}

static bool kbc_aux_irq(const struct i8042 *kbc)
{
    return kbc->full && kbc->full_aux && (kbc->ram[0] & MODE_AUX_IRQ);
}

static void kbc_update_irqs(struct i8042 *kbc)
{
    irq_set(&kbc->irq1, kbc_kbd_irq(kbc));
    irq_set(&kbc->irq12, kbc_aux_irq(kbc));
}

static void kbc_fill(struct i8042 *kbc, uint8_t byte, bool aux)
{
    kbc->data = byte;
    kbc->full = true;
    kbc->full_aux = aux;
}

// Takes one byte of the keyboard; true when it goes to the output buffer. Translation swallows the
// break prefix.
static bool kbc_take_keyboard(struct i8042 *kbc)
{
    uint8_t byte = ps2_keyboard_take(kbc->keyboard);
    if (kbc->ram[0] & MODE_TRANSLATE) {
        if (byte == 0xf0) {
            kbc->break_prefix = true;
            return false;
        }
        byte = keymap_translate(byte);
        if (kbc->break_prefix)
            byte |= 0x80;
        kbc->break_prefix = false;
    }
    kbc_fill(kbc, byte, false);
    return true;
}

// Puts the next byte into the output buffer when that is empty.
static void kbc_update(struct i8042 *kbc)
{
    while (!kbc->full) {
        if (!fifo_is_empty(&kbc->replies)) {
            kbc_fill(kbc, fifo_pop(&kbc->replies), false);
        } else if (!fifo_is_empty(&kbc->aux_replies)) {
            kbc_fill(kbc, fifo_pop(&kbc->aux_replies), true);
        } else if (!(kbc->ram[0] & MODE_KBD_DISABLED) && ps2_keyboard_has_byte(kbc->keyboard)) {
            kbc_take_keyboard(kbc);
        } else if (!(kbc->ram[0] & MODE_AUX_DISABLED) && ps2_mouse_has_byte(kbc->mouse)) {
            kbc_fill(kbc, ps2_mouse_take(kbc->mouse), true);
        } else {
            break;
        }
    }
    kbc_update_irqs(kbc);
}

static void kbc_device_ready(void *self, unsigned n, bool level)
{
    kbc_update(self);
}

static void kbc_reply(struct i8042 *kbc, uint8_t byte)
{
    fifo_push(&kbc->replies, byte);
}

static uint8_t kbc_output_port(const struct i8042 *kbc)
{
    return (uint8_t)(OUT_FIXED | OUT_RESET | (port92_a20(kbc->a20) ? OUT_A20 : 0) |
                     (kbc_kbd_irq(kbc) ? OUT_KBD_OBF : 0) | (kbc_aux_irq(kbc) ? OUT_AUX_OBF : 0));
}

static void kbc_pulse_reset(struct i8042 *kbc)
{
    irq_set(&kbc->reset, true);
    irq_set(&kbc->reset, false);
}

static void kbc_write_output_port(struct i8042 *kbc, uint8_t value)
{
    port92_set_a20(kbc->a20, value & OUT_A20);
    if (!(value & OUT_RESET))
        kbc_pulse_reset(kbc);
}

static void kbc_write_ram(struct i8042 *kbc, unsigned index, uint8_t value)
{
    kbc->ram[index & 31] = value;
    if (index == 0) {
        // The system flag is shown in the status register.
        kbc->status =
            (uint8_t)((kbc->status & ~STATUS_SYSTEM) | (value & MODE_SYSTEM ? STATUS_SYSTEM : 0));
    }
}

static void kbc_self_test(struct i8042 *kbc)
{
    kbc->ram[0] |= MODE_SYSTEM;
    kbc->status |= STATUS_SYSTEM;
    fifo_clear(&kbc->replies);
    fifo_clear(&kbc->aux_replies);
    kbc->full = false;
    kbc_reply(kbc, SELF_TEST_OK);
}

static void kbc_do_command(struct i8042 *kbc, uint8_t byte)
{
    switch (byte) {
    case KBC_WRITE_OUTPUT:
    case KBC_WRITE_KBD_BUFFER:
    case KBC_WRITE_AUX_BUFFER:
    case KBC_WRITE_AUX:
        kbc->command = byte;
        break;
    case KBC_TEST_PASSWORD:
        kbc_reply(kbc, NO_PASSWORD);
        break;
    case KBC_DISABLE_AUX:
        kbc->ram[0] |= MODE_AUX_DISABLED;
        break;
    case KBC_ENABLE_AUX:
        kbc->ram[0] &= (uint8_t)~MODE_AUX_DISABLED;
        break;
    case KBC_TEST_AUX:
    case KBC_TEST_KBD:
    case KBC_READ_TEST:
        kbc_reply(kbc, 0); // no error; the clock lines are low
        break;
    case KBC_SELF_TEST:
        kbc_self_test(kbc);
        break;
    case KBC_DISABLE_KBD:
        kbc->ram[0] |= MODE_KBD_DISABLED;
        break;
    case KBC_ENABLE_KBD:
        kbc->ram[0] &= (uint8_t)~MODE_KBD_DISABLED;
        break;
    case KBC_READ_INPUT:
        kbc_reply(kbc, INPUT_PORT);
        break;
    case KBC_READ_OUTPUT:
        kbc_reply(kbc, kbc_output_port(kbc));
        break;
    case KBC_A20_OFF:
    case KBC_A20_ON:
        port92_set_a20(kbc->a20, byte == KBC_A20_ON);
        break;
    default:
        if (byte >= KBC_PULSE) {
            if (!(byte & 1))
                kbc_pulse_reset(kbc);
        } else if (byte >= KBC_READ_RAM && byte < KBC_READ_RAM + 0x20) {
            kbc_reply(kbc, kbc->ram[byte & 31]);
        } else if (byte >= KBC_WRITE_RAM && byte < KBC_WRITE_RAM + 0x20) {
            kbc->command = byte;
        }
        break;
    }
}

static void kbc_do_data(struct i8042 *kbc, uint8_t byte)
{
    uint8_t command = kbc->command;
    kbc->command = 0;
    switch (command) {
    case 0:
        // Talking to the keyboard releases its clock line.
        kbc->ram[0] &= (uint8_t)~MODE_KBD_DISABLED;
        kbc->break_prefix = false;
        ps2_keyboard_write(kbc->keyboard, byte);
        break;
    case KBC_WRITE_OUTPUT:
        kbc_write_output_port(kbc, byte);
        break;
    case KBC_WRITE_KBD_BUFFER:
        kbc_reply(kbc, byte);
        break;
    case KBC_WRITE_AUX_BUFFER:
        fifo_push(&kbc->aux_replies, byte);
        break;
    case KBC_WRITE_AUX:
        kbc->ram[0] &= (uint8_t)~MODE_AUX_DISABLED;
        ps2_mouse_write(kbc->mouse, byte);
        break;
    default:
        kbc_write_ram(kbc, command - KBC_WRITE_RAM, byte);
        break;
    }
}

static void kbc_write_command(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct i8042 *kbc = self;
    kbc->status |= STATUS_COMMAND;
    kbc->command = 0;
    kbc_do_command(kbc, (uint8_t)value);
    kbc_update(kbc);
}

static void kbc_write_data(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct i8042 *kbc = self;
    kbc->status &= (uint8_t)~STATUS_COMMAND;
    kbc_do_data(kbc, (uint8_t)value);
    kbc_update(kbc);
}

static uint32_t kbc_read_status(void *self, uint32_t offset, unsigned size)
{
    const struct i8042 *kbc = self;
    return kbc->status | (kbc->full ? STATUS_OBF : 0u) |
           (kbc->full && kbc->full_aux ? STATUS_AUX_OBF : 0u);
}

static uint32_t kbc_read_data(void *self, uint32_t offset, unsigned size)
{
    struct i8042 *kbc = self;
    uint8_t byte = kbc->data;
    // The pins fall between two bytes: edge-triggered inputs need it.
    kbc->full = false;
    kbc_update_irqs(kbc);
    kbc_update(kbc);
    return byte;
}

static const struct port_ops data_ops = {.read = kbc_read_data, .write = kbc_write_data};
static const struct port_ops command_ops = {.read = kbc_read_status, .write = kbc_write_command};

struct ps2_keyboard *i8042_keyboard(struct i8042 *kbc)
{
    return kbc->keyboard;
}

struct ps2_mouse *i8042_mouse(struct i8042 *kbc)
{
    return kbc->mouse;
}

static bool kbc_after_load(void *object, struct error *err)
{
    kbc_update_irqs(object);
    return true;
}

void i8042_reset(struct i8042 *kbc)
{
    ps2_keyboard_reset(kbc->keyboard);
    ps2_mouse_reset(kbc->mouse);
    memset(kbc->ram, 0, sizeof kbc->ram);
    kbc->ram[0] = MODE_KBD_IRQ | MODE_AUX_IRQ;
    kbc->status = STATUS_COMMAND | STATUS_UNLOCKED;
    kbc->command = 0;
    kbc->data = 0;
    kbc->full = kbc->full_aux = kbc->break_prefix = false;
    fifo_clear(&kbc->replies);
    fifo_clear(&kbc->aux_replies);
    kbc_update_irqs(kbc);
}

struct i8042 *i8042_create(struct portio *ports, struct state_registry *registry,
                           const struct i8042_config *config)
{
    struct i8042 *kbc = xcalloc(1, sizeof *kbc);
    struct irq_line ready = {.set = kbc_device_ready, .self = kbc};
    kbc->irq1 = config->irq1;
    kbc->irq12 = config->irq12;
    kbc->reset = config->reset;
    kbc->a20 = config->a20;
    kbc->registry = registry;
    fifo_init(&kbc->replies, 8);
    fifo_init(&kbc->aux_replies, 8);
    kbc->keyboard = ps2_keyboard_create(registry, ready);
    kbc->mouse = ps2_mouse_create(registry, ready);
    kbc->data_range = portio_add(ports, "i8042 data", 0x60, 1, &data_ops, kbc);
    kbc->command_range = portio_add(ports, "i8042 command", 0x64, 1, &command_ops, kbc);
    i8042_reset(kbc);
    state_register(registry, &(struct state_section){.name = "i8042",
                                                     .version = 1,
                                                     .fields = kbc_fields,
                                                     .object = kbc,
                                                     .after_load = kbc_after_load});
    return kbc;
}

void i8042_destroy(struct i8042 *kbc)
{
    if (!kbc)
        return;
    state_unregister(kbc->registry, kbc);
    port_range_remove(kbc->data_range);
    port_range_remove(kbc->command_range);
    ps2_keyboard_destroy(kbc->keyboard);
    ps2_mouse_destroy(kbc->mouse);
    free(kbc);
}
