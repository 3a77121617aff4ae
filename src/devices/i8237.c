// SPDX-License-Identifier: MIT
// 8237A DMA controllers as the PIIX has them (82371SB, "DMA controller"; 8237A data sheet):
// channels 0-3 move bytes within 64 KiB, channels 5-7 words within 128 KiB, channel 4 is the
// cascade of 0-3. A device moves its data when it likes: single, block and demand mode differ on
// the bus only and behave alike here. Left out: memory-to-memory transfers and compressed timing
// (the PIIX has neither), rotating priority has no effect.
#include "devices/i8237.h"

#include <stdlib.h>

enum {
    COMMAND_DISABLE = 1u << 2,
    MODE_TYPE_WRITE = 1, // device to memory
    MODE_TYPE_READ = 2,  // memory to device
    MODE_AUTOINIT = 1u << 4,
    MODE_DECREMENT = 1u << 5,
    MODE_CASCADE = 3u << 6,
    CASCADE_CHANNEL = 4,
    REG_STATUS_COMMAND = 8,
    REG_REQUEST = 9,
    REG_SINGLE_MASK = 10,
    REG_MODE = 11,
    REG_CLEAR_FLIP_FLOP = 12,
    REG_MASTER_CLEAR = 13,
    REG_CLEAR_MASK = 14,
    REG_ALL_MASK = 15,
};

struct i8237_channel {
    uint16_t base_address, base_count;
    uint16_t address, count; // count: transfers that remain, minus one
    uint8_t mode;
    bool request; // DREQ
    void (*ready)(void *self);
    void *self;
};

struct i8237_controller {
    struct i8237 *dma;
    struct i8237_channel channel[4];
    uint8_t command, mask, terminal, software_request;
    bool high_byte; // flip-flop
    unsigned shift; // of register numbers
    struct port_range *range;
};

struct i8237 {
    struct i8237_controller controller[2];
    uint8_t pages[16];
    struct physmem *mem;
    struct log *log;
    struct state_registry *registry;
    struct port_range *page_range;
};

static const struct state_field channel_fields[] = {
    STATE_FIELD(STATE_U16, struct i8237_channel, base_address),
    STATE_FIELD(STATE_U16, struct i8237_channel, base_count),
    STATE_FIELD(STATE_U16, struct i8237_channel, address),
    STATE_FIELD(STATE_U16, struct i8237_channel, count),
    STATE_FIELD(STATE_U8, struct i8237_channel, mode),
    STATE_FIELD(STATE_BOOL, struct i8237_channel, request),
    STATE_FIELDS_END,
};

static const struct state_field controller_fields[] = {
    STATE_STRUCTS(struct i8237_controller, channel, 4, sizeof(struct i8237_channel),
                  channel_fields),
    STATE_FIELD(STATE_U8, struct i8237_controller, command),
    STATE_FIELD(STATE_U8, struct i8237_controller, mask),
    STATE_FIELD(STATE_U8, struct i8237_controller, terminal),
    STATE_FIELD(STATE_U8, struct i8237_controller, software_request),
    STATE_FIELD(STATE_BOOL, struct i8237_controller, high_byte),
    STATE_FIELDS_END,
};

static const struct state_field dma_fields[] = {
    STATE_STRUCTS(struct i8237, controller, 2, sizeof(struct i8237_controller), controller_fields),
    STATE_BYTES_OF(struct i8237, pages),
    STATE_FIELDS_END,
};

// Page register (offset from port 0x80) of each channel.
static const uint8_t page_index[8] = {0x7, 0x3, 0x1, 0x2, 0xf, 0xb, 0x9, 0xa};

static bool channel_is_open(const struct i8237 *dma, unsigned channel)
{
    const struct i8237_controller *ctl = &dma->controller[channel >> 2];
    return !(ctl->command & COMMAND_DISABLE) && !(ctl->mask & (1u << (channel & 3)));
}

static bool channel_is_cascade(const struct i8237 *dma, unsigned channel)
{
    uint8_t mode = dma->controller[channel >> 2].channel[channel & 3].mode;
    return (mode & MODE_CASCADE) == MODE_CASCADE;
}

bool i8237_is_ready(const struct i8237 *dma, unsigned channel)
{
    channel &= 7;
    if (!channel_is_open(dma, channel) || channel_is_cascade(dma, channel))
        return false;
    return channel > CASCADE_CHANNEL ||
           (channel_is_open(dma, CASCADE_CHANNEL) && channel_is_cascade(dma, CASCADE_CHANNEL));
}

// The guest changed something: tells every device that waits and can go on.
static void dma_wake(struct i8237 *dma)
{
    for (unsigned i = 0; i < 8; i++) {
        const struct i8237_channel *ch = &dma->controller[i >> 2].channel[i & 3];
        if (ch->request && ch->ready && i8237_is_ready(dma, i))
            ch->ready(ch->self);
    }
}

void i8237_attach(struct i8237 *dma, unsigned channel, void (*ready)(void *self), void *self)
{
    struct i8237_channel *ch = &dma->controller[channel >> 2 & 1].channel[channel & 3];
    ch->ready = ready;
    ch->self = self;
}

void i8237_set_request(struct i8237 *dma, unsigned channel, bool level)
{
    dma->controller[channel >> 2 & 1].channel[channel & 3].request = level;
}

// One run of the buffer that is contiguous in memory.
static void dma_move(struct i8237 *dma, uint32_t address, uint8_t *buffer, size_t length,
                     uint8_t type)
{
    if (type == MODE_TYPE_WRITE)
        physmem_write(dma->mem, address, buffer, length);
    else if (type == MODE_TYPE_READ)
        physmem_read(dma->mem, address, buffer, length);
}

static void channel_end(struct i8237_controller *ctl, unsigned n)
{
    struct i8237_channel *ch = &ctl->channel[n];
    uint8_t bit = (uint8_t)(1u << n);
    ctl->terminal |= bit;
    ctl->software_request &= (uint8_t)~bit;
    if (ch->mode & MODE_AUTOINIT) {
        ch->address = ch->base_address;
        ch->count = ch->base_count;
    } else {
        ctl->mask |= bit;
    }
}

static size_t dma_transfer(struct i8237 *dma, unsigned channel, uint8_t *buffer, size_t length,
                           uint8_t wanted, bool *terminal_count)
{
    channel &= 7;
    *terminal_count = false;
    struct i8237_controller *ctl = &dma->controller[channel >> 2];
    struct i8237_channel *ch = &ctl->channel[channel & 3];
    if (!i8237_is_ready(dma, channel))
        return 0;
    uint8_t type = (ch->mode >> 2) & 3;
    if (type != 0 && type != wanted) {
        if (log_enabled(dma->log, LOG_GUEST_ERROR))
            log_write(dma->log, LOG_GUEST_ERROR, "dma: channel %u runs the wrong way\n", channel);
        return 0;
    }
    unsigned wide = channel >> 2; // 1: words
    uint32_t page = dma->pages[page_index[channel]];
    size_t units = length >> wide, done = 0;
    if (units > ch->count + (size_t)1)
        units = ch->count + (size_t)1;
    while (done < units) {
        // The page register does not count: addresses wrap within 64 Ki transfers.
        size_t run = ch->mode & MODE_DECREMENT ? 1 : 0x10000u - ch->address;
        if (run > units - done)
            run = units - done;
        uint32_t address =
            wide ? (page & 0xfe) << 16 | (uint32_t)ch->address << 1 : page << 16 | ch->address;
        dma_move(dma, address, buffer + (done << wide), run << wide, type);
        ch->address = (uint16_t)(ch->mode & MODE_DECREMENT ? ch->address - run : ch->address + run);
        done += run;
    }
    bool ends = units == ch->count + (size_t)1;
    ch->count = (uint16_t)(ch->count - units);
    if (ends && units) {
        *terminal_count = true;
        channel_end(ctl, channel & 3);
    }
    return units << wide;
}

size_t i8237_to_memory(struct i8237 *dma, unsigned channel, const void *buffer, size_t length,
                       bool *terminal_count)
{
    return dma_transfer(dma, channel, (uint8_t *)buffer, length, MODE_TYPE_WRITE, terminal_count);
}

size_t i8237_from_memory(struct i8237 *dma, unsigned channel, void *buffer, size_t length,
                         bool *terminal_count)
{
    return dma_transfer(dma, channel, buffer, length, MODE_TYPE_READ, terminal_count);
}

static void controller_clear(struct i8237_controller *ctl)
{
    ctl->command = 0;
    ctl->terminal = 0;
    ctl->software_request = 0;
    ctl->high_byte = false;
    ctl->mask = 0x0f;
}

static void set_byte(uint16_t *reg, bool high, uint8_t value)
{
    *reg = (uint16_t)(high ? (*reg & 0x00ff) | value << 8 : (*reg & 0xff00) | value);
}

static void controller_write_counter(struct i8237_controller *ctl, unsigned reg, uint8_t value)
{
    struct i8237_channel *ch = &ctl->channel[reg >> 1];
    bool high = ctl->high_byte;
    ctl->high_byte = !high;
    set_byte(reg & 1 ? &ch->base_count : &ch->base_address, high, value);
    set_byte(reg & 1 ? &ch->count : &ch->address, high, value);
}

static void controller_write(void *self, uint32_t offset, uint32_t value32, unsigned size)
{
    struct i8237_controller *ctl = self;
    unsigned reg = (offset >> ctl->shift) & 15;
    uint8_t value = (uint8_t)value32;
    uint8_t bit = (uint8_t)(1u << (value & 3));
    if (reg < 8) {
        controller_write_counter(ctl, reg, value);
        return;
    }
    switch (reg) {
    case REG_STATUS_COMMAND:
        ctl->command = value;
        break;
    case REG_REQUEST:
        ctl->software_request =
            (uint8_t)(value & 4 ? ctl->software_request | bit : ctl->software_request & ~bit);
        break;
    case REG_SINGLE_MASK:
        ctl->mask = (uint8_t)(value & 4 ? ctl->mask | bit : ctl->mask & ~bit);
        break;
    case REG_MODE:
        ctl->channel[value & 3].mode = value;
        break;
    case REG_CLEAR_FLIP_FLOP:
        ctl->high_byte = false;
        break;
    case REG_MASTER_CLEAR:
        controller_clear(ctl);
        break;
    case REG_CLEAR_MASK:
        ctl->mask = 0;
        break;
    default:
        ctl->mask = value & 0x0f;
        break;
    }
    dma_wake(ctl->dma);
}

static uint8_t controller_read_status(struct i8237_controller *ctl)
{
    uint8_t value = ctl->terminal;
    ctl->terminal = 0;
    for (unsigned i = 0; i < 4; i++) {
        if (ctl->channel[i].request || (ctl->software_request & (1u << i)))
            value |= (uint8_t)(0x10u << i);
    }
    return value;
}

static uint32_t controller_read(void *self, uint32_t offset, unsigned size)
{
    struct i8237_controller *ctl = self;
    unsigned reg = (offset >> ctl->shift) & 15;
    if (reg < 8) {
        const struct i8237_channel *ch = &ctl->channel[reg >> 1];
        uint16_t value = reg & 1 ? ch->count : ch->address;
        bool high = ctl->high_byte;
        ctl->high_byte = !high;
        return high ? value >> 8 : value & 0xffu;
    }
    switch (reg) {
    case REG_STATUS_COMMAND:
        return controller_read_status(ctl);
    case REG_MASTER_CLEAR:
        return 0; // the temporary register of memory-to-memory transfers
    case REG_ALL_MASK:
        return ctl->mask | 0xf0u;
    default:
        return 0xff;
    }
}

static void page_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    ((struct i8237 *)self)->pages[(offset + 1) & 15] = (uint8_t)value;
}

static uint32_t page_read(void *self, uint32_t offset, unsigned size)
{
    return ((const struct i8237 *)self)->pages[(offset + 1) & 15];
}

static const struct port_ops controller_ops = {.read = controller_read, .write = controller_write};
static const struct port_ops page_ops = {.read = page_read, .write = page_write};

void i8237_reset(struct i8237 *dma)
{
    for (int i = 0; i < 2; i++) {
        controller_clear(&dma->controller[i]);
        for (int n = 0; n < 4; n++)
            dma->controller[i].channel[n].mode = 0;
    }
}

struct i8237 *i8237_create(struct portio *ports, struct physmem *mem, struct log *log,
                           struct state_registry *registry)
{
    struct i8237 *dma = xcalloc(1, sizeof *dma);
    dma->mem = mem;
    dma->log = log;
    dma->registry = registry;
    for (unsigned i = 0; i < 2; i++) {
        struct i8237_controller *ctl = &dma->controller[i];
        ctl->dma = dma;
        ctl->shift = i;
        ctl->range = portio_add(ports, i ? "i8237 16-bit" : "i8237 8-bit", i ? 0xc0 : 0x00,
                                16u << i, &controller_ops, ctl);
    }
    dma->page_range = portio_add(ports, "i8237 pages", 0x81, 15, &page_ops, dma);
    i8237_reset(dma);
    state_register(registry,
                   &(struct state_section){
                       .name = "i8237", .version = 1, .fields = dma_fields, .object = dma});
    return dma;
}

void i8237_destroy(struct i8237 *dma)
{
    if (!dma)
        return;
    state_unregister(dma->registry, dma);
    for (int i = 0; i < 2; i++)
        port_range_remove(dma->controller[i].range);
    port_range_remove(dma->page_range);
    free(dma);
}
