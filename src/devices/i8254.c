// SPDX-License-Identifier: MIT
// 8254 programmable interval timer at ports 0x40-0x43 (82C54 data sheet): six modes, binary and
// BCD, counter latch, read-back. Counts are computed from the virtual clock, nothing ticks: a
// counting element is a starting tick, a modulus and the mode's waveform. Only the rising edges of
// channel 0 need timer events. Left out: the undefined reads of a counter within the one CLK before
// a new count is loaded (the new count is seen).
#include "devices/i8254.h"

#include <stdlib.h>

enum { CHANNELS = 3, NO_TICK = -1 };
enum { RW_LATCH = 0, RW_LOW = 1, RW_HIGH = 2, RW_WORD = 3 };
enum { STATUS_NULL_COUNT = 1u << 6, STATUS_OUT = 1u << 7 };

struct i8254_channel {
    uint8_t mode; // 0..5
    uint8_t rw;
    bool bcd;
    bool gate;
    bool write_high, read_high; // flip-flops of two-byte transfers
    uint8_t low_byte;
    bool count_latched, status_latched;
    uint16_t latch;
    uint8_t status;
    uint32_t count;  // CR: what was written last, 1..65536 (10000 in BCD), 0: nothing yet
    uint32_t loaded; // modulus of the running counting element
    bool running;    // a count was loaded and, where the mode needs one, a trigger came
    bool frozen;     // GATE holds the counting element at `held`
    bool has_next;   // `count` replaces `loaded` at the end of this (half) period
    int64_t start;   // tick at which the element held `loaded`
    int64_t held;
    int64_t swap_tick; // end of the (half) period after which `count` runs
    bool swap_low;     // it begins with its low half
};

struct i8254 {
    struct i8254_channel channel[CHANNELS];
    struct clock *clock;
    struct timer *timer;
    struct irq_line irq0;
    struct state_registry *registry;
    struct port_range *range;
    int64_t seen_tick; // edges of channel 0 up to this tick were delivered
};

static const struct state_field channel_fields[] = {
    STATE_FIELD(STATE_U8, struct i8254_channel, mode),
    STATE_FIELD(STATE_U8, struct i8254_channel, rw),
    STATE_FIELD(STATE_BOOL, struct i8254_channel, bcd),
    STATE_FIELD(STATE_BOOL, struct i8254_channel, gate),
    STATE_FIELD(STATE_BOOL, struct i8254_channel, write_high),
    STATE_FIELD(STATE_BOOL, struct i8254_channel, read_high),
    STATE_FIELD(STATE_U8, struct i8254_channel, low_byte),
    STATE_FIELD(STATE_BOOL, struct i8254_channel, count_latched),
    STATE_FIELD(STATE_BOOL, struct i8254_channel, status_latched),
    STATE_FIELD(STATE_U16, struct i8254_channel, latch),
    STATE_FIELD(STATE_U8, struct i8254_channel, status),
    STATE_FIELD(STATE_U32, struct i8254_channel, count),
    STATE_FIELD(STATE_U32, struct i8254_channel, loaded),
    STATE_FIELD(STATE_BOOL, struct i8254_channel, running),
    STATE_FIELD(STATE_BOOL, struct i8254_channel, frozen),
    STATE_FIELD(STATE_BOOL, struct i8254_channel, has_next),
    STATE_FIELD(STATE_U64, struct i8254_channel, start),
    STATE_FIELD(STATE_U64, struct i8254_channel, held),
    STATE_FIELD(STATE_U64, struct i8254_channel, swap_tick),
    STATE_FIELD(STATE_BOOL, struct i8254_channel, swap_low),
    STATE_FIELDS_END,
};

static const struct state_field pit_fields[] = {
    STATE_STRUCTS(struct i8254, channel, CHANNELS, sizeof(struct i8254_channel), channel_fields),
    STATE_FIELD(STATE_U64, struct i8254, seen_tick),
    STATE_FIELD(STATE_TIMER, struct i8254, timer),
    STATE_FIELDS_END,
};

static int64_t pit_tick(const struct i8254 *pit)
{
    int64_t now = clock_now(pit->clock);
    return (int64_t)muldiv64(now > 0 ? (uint64_t)now : 0, I8254_HZ, NANOSECONDS_PER_SECOND);
}

// The first nanosecond at which pit_tick gives `tick`.
static int64_t tick_time(int64_t tick)
{
    unsigned __int128 ns = (unsigned __int128)(uint64_t)tick * NANOSECONDS_PER_SECOND;
    return (int64_t)((ns + I8254_HZ - 1) / I8254_HZ);
}

static bool is_periodic(const struct i8254_channel *ch)
{
    return ch->mode == 2 || ch->mode == 3;
}

static bool is_triggered(const struct i8254_channel *ch)
{
    return ch->mode == 1 || ch->mode == 5;
}

static int64_t high_ticks(uint32_t modulus)
{
    return (modulus + 1) / 2;
}

// Ticks since the counting element was loaded; negative in the CLK before the load.
static int64_t channel_elapsed(const struct i8254_channel *ch, int64_t tick)
{
    return ch->frozen ? ch->held : tick - ch->start;
}

static int64_t channel_phase(const struct i8254_channel *ch, int64_t elapsed)
{
    int64_t phase = elapsed % ch->loaded;
    return phase < 0 ? phase + ch->loaded : phase;
}

// Mode 2 and 3: lets a count that was written in mid-period take over at the end of that (half)
// period.
static bool channel_swap_due(const struct i8254_channel *ch, int64_t tick)
{
    return ch->has_next && is_periodic(ch) && ch->running && !ch->frozen && tick >= ch->swap_tick;
}

static void channel_swap(struct i8254_channel *ch)
{
    // A new count that begins with the low half: its high half counts as done.
    ch->start = ch->swap_tick - (ch->swap_low ? high_ticks(ch->count) : 0);
    ch->loaded = ch->count;
    ch->has_next = false;
}

// A new count while the element runs: it waits for the end of the period (mode 2) or half period
// (mode 3).
static void channel_plan_swap(struct i8254_channel *ch, int64_t tick)
{
    if (ch->has_next)
        return;
    int64_t elapsed = tick - ch->start;
    int64_t phase = elapsed < 0 ? 0 : channel_phase(ch, elapsed);
    int64_t period_start = elapsed < 0 ? ch->start : tick - phase;
    int64_t high = high_ticks(ch->loaded);
    ch->swap_low = ch->mode == 3 && ch->loaded > 1 && phase < high;
    ch->swap_tick = period_start + (ch->swap_low ? high : ch->loaded);
    ch->has_next = true;
}

static bool channel_output(const struct i8254_channel *ch, int64_t tick)
{
    if (!ch->running)
        return ch->mode != 0;
    int64_t elapsed = channel_elapsed(ch, tick);
    switch (ch->mode) {
    case 0:
        return elapsed >= ch->loaded;
    case 1:
        return elapsed < 0 || elapsed >= ch->loaded;
    case 2:
        return ch->frozen || elapsed < 0 || channel_phase(ch, elapsed) != ch->loaded - 1;
    case 3:
        return ch->frozen || elapsed < 0 || channel_phase(ch, elapsed) < high_ticks(ch->loaded);
    default:
        return elapsed != ch->loaded;
    }
}

// The counting element as the data bus shows it.
static uint16_t channel_count(const struct i8254_channel *ch, int64_t tick)
{
    if (!ch->running)
        return (uint16_t)ch->count;
    int64_t wrap = ch->bcd ? 10000 : 65536;
    int64_t elapsed = channel_elapsed(ch, tick);
    int64_t value;
    if (elapsed < 0)
        elapsed = 0;
    if (ch->mode == 2) {
        value = ch->loaded - channel_phase(ch, elapsed);
    } else if (ch->mode == 3) {
        int64_t phase = channel_phase(ch, elapsed), high = high_ticks(ch->loaded);
        int64_t even = ch->loaded & ~1u;
        value = even - 2 * (phase < high ? phase : phase - high);
    } else {
        value = ch->loaded - elapsed % wrap;
    }
    value = ((value % wrap) + wrap) % wrap;
    if (!ch->bcd)
        return (uint16_t)value;
    return (uint16_t)((value / 1000) << 12 | (value / 100 % 10) << 8 | (value / 10 % 10) << 4 |
                      value % 10);
}

// The last tick <= `tick` at which OUT rose since the count was loaded, NO_TICK when it did not.
static int64_t channel_last_rise(const struct i8254_channel *ch, int64_t tick)
{
    if (!ch->running || ch->frozen)
        return NO_TICK;
    int64_t elapsed = tick - ch->start;
    switch (ch->mode) {
    case 0:
    case 1:
        return elapsed >= ch->loaded ? ch->start + ch->loaded : NO_TICK;
    case 2:
    case 3:
        if (ch->loaded < 2 || elapsed < ch->loaded)
            return NO_TICK;
        return tick - channel_phase(ch, elapsed);
    default:
        return elapsed > ch->loaded ? ch->start + ch->loaded + 1 : NO_TICK;
    }
}

// The first tick > `tick` that channel 0's line has to hear of: rises, and the falls that are not
// coalesced into them.
static int64_t channel_next_edge(const struct i8254_channel *ch, int64_t tick)
{
    if (!ch->running || ch->frozen)
        return NO_TICK;
    if (is_periodic(ch) && ch->has_next)
        return ch->swap_tick;
    int64_t elapsed = tick - ch->start;
    int64_t base = elapsed < 0 ? ch->start : tick - channel_phase(ch, elapsed);
    switch (ch->mode) {
    case 0:
        return elapsed < ch->loaded ? ch->start + ch->loaded : NO_TICK;
    case 1:
        if (elapsed < 0)
            return ch->start;
        return elapsed < ch->loaded ? ch->start + ch->loaded : NO_TICK;
    case 2:
        return ch->loaded < 2 ? NO_TICK : base + ch->loaded;
    case 3:
        if (ch->loaded < 2)
            return NO_TICK;
        return base + high_ticks(ch->loaded) > tick ? base + high_ticks(ch->loaded)
                                                    : base + ch->loaded;
    default:
        return elapsed <= ch->loaded ? ch->start + ch->loaded + 1 : NO_TICK;
    }
}

// Brings channel 0's line up to date and asks to be called at its next edge.
static void pit_update(struct i8254 *pit)
{
    struct i8254_channel *ch = &pit->channel[0];
    int64_t tick = pit_tick(pit);
    int64_t rise = NO_TICK;
    if (channel_swap_due(ch, tick)) {
        rise = channel_last_rise(ch, ch->swap_tick);
        channel_swap(ch);
    }
    int64_t later = channel_last_rise(ch, tick);
    if (later > rise)
        rise = later;
    if (rise > pit->seen_tick) {
        irq_set(&pit->irq0, false);
        irq_set(&pit->irq0, true);
    }
    irq_set(&pit->irq0, ch->mode == 2 || ch->mode >= 4 ? true : channel_output(ch, tick));
    pit->seen_tick = tick;
    int64_t next = channel_next_edge(ch, tick);
    if (next == NO_TICK)
        timer_cancel(pit->timer);
    else
        timer_arm(pit->timer, tick_time(next));
}

static void pit_timer(void *self)
{
    pit_update(self);
}

// Channels 1 and 2 are brought up to date when somebody looks.
static struct i8254_channel *pit_channel_at(struct i8254 *pit, unsigned n, int64_t tick)
{
    struct i8254_channel *ch = &pit->channel[n];
    if (n == 0)
        pit_update(pit);
    else if (channel_swap_due(ch, tick))
        channel_swap(ch);
    return ch;
}

static void channel_load(struct i8254_channel *ch, uint32_t count, int64_t tick)
{
    ch->count = count ? count : (ch->bcd ? 10000u : 65536u);
    if (is_triggered(ch)) {
        // The next trigger loads it; a shot under way goes on with the old one.
        ch->has_next = true;
        return;
    }
    if (is_periodic(ch) && ch->running && !ch->frozen) {
        channel_plan_swap(ch, tick);
        return;
    }
    ch->loaded = ch->count;
    ch->running = true;
    ch->has_next = false;
    ch->start = tick + 1;
    ch->frozen = !ch->gate;
    ch->held = 0;
}

// A count of BCD digits above 9 cannot be meant: each digit counts as it stands.
static uint32_t channel_decode(const struct i8254_channel *ch, uint16_t raw)
{
    if (!ch->bcd)
        return raw;
    uint32_t value =
        (raw >> 12) * 1000u + (raw >> 8 & 15u) * 100u + (raw >> 4 & 15u) * 10u + (raw & 15u);
    return value % 10000u;
}

static void channel_write(struct i8254_channel *ch, uint8_t byte, int64_t tick)
{
    switch (ch->rw) {
    case RW_LOW:
        channel_load(ch, channel_decode(ch, byte), tick);
        break;
    case RW_HIGH:
        channel_load(ch, channel_decode(ch, (uint16_t)(byte << 8)), tick);
        break;
    default:
        if (!ch->write_high) {
            ch->low_byte = byte;
            ch->write_high = true;
            if (ch->mode == 0)
                ch->running = false; // the first byte stops the count, OUT is low
        } else {
            ch->write_high = false;
            channel_load(ch, channel_decode(ch, (uint16_t)(byte << 8 | ch->low_byte)), tick);
        }
        break;
    }
}

static uint8_t channel_read(struct i8254_channel *ch, int64_t tick)
{
    if (ch->status_latched) {
        ch->status_latched = false;
        return ch->status;
    }
    uint16_t value = ch->count_latched ? ch->latch : channel_count(ch, tick);
    bool high = ch->rw == RW_HIGH || (ch->rw == RW_WORD && ch->read_high);
    if (ch->rw == RW_WORD)
        ch->read_high = !ch->read_high;
    if (ch->rw != RW_WORD || high)
        ch->count_latched = false;
    return (uint8_t)(high ? value >> 8 : value);
}

static void channel_latch_count(struct i8254_channel *ch, int64_t tick)
{
    if (ch->count_latched)
        return;
    ch->latch = channel_count(ch, tick);
    ch->count_latched = true;
}

static void channel_latch_status(struct i8254_channel *ch, int64_t tick)
{
    if (ch->status_latched)
        return;
    bool null_count = !ch->count || ch->has_next ||
                      (ch->running && !ch->frozen && tick < ch->start) || ch->write_high;
    ch->status = (uint8_t)((channel_output(ch, tick) ? STATUS_OUT : 0) |
                           (null_count ? STATUS_NULL_COUNT : 0) | ch->rw << 4 | ch->mode << 1 |
                           (ch->bcd ? 1 : 0));
    ch->status_latched = true;
}

static void channel_control(struct i8254_channel *ch, uint8_t value)
{
    static const uint8_t modes[8] = {0, 1, 2, 3, 4, 5, 2, 3};
    ch->rw = (value >> 4) & 3;
    ch->mode = modes[(value >> 1) & 7];
    ch->bcd = value & 1;
    ch->write_high = ch->read_high = false;
    ch->count_latched = ch->status_latched = false;
    ch->count = 0;
    ch->running = ch->frozen = ch->has_next = false;
}

static void pit_write_control(struct i8254 *pit, uint8_t value, int64_t tick)
{
    unsigned n = value >> 6;
    if (n < CHANNELS) {
        struct i8254_channel *ch = pit_channel_at(pit, n, tick);
        if (((value >> 4) & 3) == RW_LATCH)
            channel_latch_count(ch, tick);
        else
            channel_control(ch, value);
        return;
    }
    for (n = 0; n < CHANNELS; n++) {
        if (!(value & (2u << n)))
            continue;
        struct i8254_channel *ch = pit_channel_at(pit, n, tick);
        if (!(value & 0x20))
            channel_latch_count(ch, tick);
        if (!(value & 0x10))
            channel_latch_status(ch, tick);
    }
}

static void pit_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct i8254 *pit = self;
    int64_t tick = pit_tick(pit);
    unsigned n = offset & 3;
    if (n == 3)
        pit_write_control(pit, (uint8_t)value, tick);
    else
        channel_write(pit_channel_at(pit, n, tick), (uint8_t)value, tick);
    pit_update(pit);
}

static uint32_t pit_read(void *self, uint32_t offset, unsigned size)
{
    struct i8254 *pit = self;
    unsigned n = offset & 3;
    if (n == 3)
        return 0xff; // the control word cannot be read
    int64_t tick = pit_tick(pit);
    return channel_read(pit_channel_at(pit, n, tick), tick);
}

static const struct port_ops pit_ops = {.read = pit_read, .write = pit_write};

static void channel_rising_gate(struct i8254_channel *ch, int64_t tick)
{
    if (is_triggered(ch)) {
        if (!ch->count)
            return;
        ch->loaded = ch->count;
        ch->running = true;
        ch->start = tick + 1;
        ch->has_next = false;
    } else if (ch->running && is_periodic(ch)) {
        ch->loaded = ch->count;
        ch->has_next = false;
        ch->start = tick + 1;
    } else if (ch->running) {
        ch->start = tick - ch->held;
    }
    ch->frozen = false;
}

void i8254_set_gate(struct i8254 *pit, unsigned channel, bool level)
{
    int64_t tick = pit_tick(pit);
    struct i8254_channel *ch = pit_channel_at(pit, channel % CHANNELS, tick);
    if (ch->gate == level)
        return;
    ch->gate = level;
    if (level) {
        channel_rising_gate(ch, tick);
    } else if (!is_triggered(ch) && ch->running) {
        int64_t elapsed = tick - ch->start;
        ch->held = elapsed < 0 ? 0 : elapsed;
        ch->frozen = true;
    }
    pit_update(pit);
}

bool i8254_gate(const struct i8254 *pit, unsigned channel)
{
    return pit->channel[channel % CHANNELS].gate;
}

bool i8254_output(struct i8254 *pit, unsigned channel)
{
    int64_t tick = pit_tick(pit);
    return channel_output(pit_channel_at(pit, channel % CHANNELS, tick), tick);
}

uint32_t i8254_frequency(const struct i8254 *pit, unsigned channel)
{
    const struct i8254_channel *ch = &pit->channel[channel % CHANNELS];
    if (!is_periodic(ch) || !ch->running || ch->frozen || !ch->count)
        return 0;
    return (uint32_t)(I8254_HZ / ch->count);
}

static bool is_sane_tick(int64_t tick)
{
    return tick > -(INT64_C(1) << 56) && tick < (INT64_C(1) << 56);
}

static bool pit_after_load(void *object, struct error *err)
{
    struct i8254 *pit = object;
    for (int i = 0; i < CHANNELS; i++) {
        const struct i8254_channel *ch = &pit->channel[i];
        if (ch->mode > 5 || ch->loaded > 65536 || ch->count > 65536 ||
            (ch->running && (!ch->loaded || !ch->count)) || !is_sane_tick(ch->start) ||
            !is_sane_tick(ch->held) || !is_sane_tick(ch->swap_tick))
            return error_set(err, "i8254: channel %d holds a state no 8254 has", i);
    }
    return true;
}

void i8254_reset(struct i8254 *pit)
{
    for (int i = 0; i < CHANNELS; i++) {
        pit->channel[i] = (struct i8254_channel){.gate = i != 2, .rw = RW_WORD, .mode = 3};
    }
    pit->seen_tick = pit_tick(pit);
    pit_update(pit);
}

struct i8254 *i8254_create(struct clock *clock, struct portio *ports,
                           struct state_registry *registry, struct irq_line irq0)
{
    struct i8254 *pit = xcalloc(1, sizeof *pit);
    pit->clock = clock;
    pit->irq0 = irq0;
    pit->registry = registry;
    pit->timer = timer_create_on(clock, "i8254", pit_timer, pit);
    pit->range = portio_add(ports, "i8254", 0x40, 4, &pit_ops, pit);
    i8254_reset(pit);
    state_register(registry, &(struct state_section){.name = "i8254",
                                                     .version = 1,
                                                     .fields = pit_fields,
                                                     .object = pit,
                                                     .after_load = pit_after_load});
    return pit;
}

void i8254_destroy(struct i8254 *pit)
{
    if (!pit)
        return;
    state_unregister(pit->registry, pit);
    port_range_remove(pit->range);
    timer_destroy(pit->timer);
    free(pit);
}
