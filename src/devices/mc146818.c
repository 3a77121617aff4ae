// SPDX-License-Identifier: MIT
// MC146818A real-time clock (Motorola data sheet; 82371SB, "RTC") at ports 0x70 and 0x71, 128
// bytes, with a century byte at 0x32 that the clock keeps. Time follows the virtual clock;
// registers are computed when they are looked at. The second changes when an update cycle ends; UIP
// is set for the 244 + 1984 us before. Left out: daylight-saving switching (DSE), the square-wave
// pin, other time bases than 32768 Hz.
#include "devices/mc146818.h"

#include <stdlib.h>

enum {
    RTC_SECONDS = 0x00,
    RTC_SECONDS_ALARM = 0x01,
    RTC_MINUTES = 0x02,
    RTC_MINUTES_ALARM = 0x03,
    RTC_HOURS = 0x04,
    RTC_HOURS_ALARM = 0x05,
    RTC_DAY_OF_WEEK = 0x06,
    RTC_DAY_OF_MONTH = 0x07,
    RTC_MONTH = 0x08,
    RTC_YEAR = 0x09,
    RTC_REG_A = 0x0a,
    RTC_REG_B = 0x0b,
    RTC_REG_C = 0x0c,
    RTC_REG_D = 0x0d,
    RTC_CENTURY = 0x32,
};

enum {
    REG_A_UIP = 1u << 7,
    REG_A_RATE = 0x0f,
    REG_B_SET = 1u << 7,
    REG_B_PIE = 1u << 6,
    REG_B_AIE = 1u << 5,
    REG_B_UIE = 1u << 4,
    REG_B_SQWE = 1u << 3,
    REG_B_DM = 1u << 2,
    REG_B_24H = 1u << 1,
    REG_C_IRQF = 1u << 7,
    REG_C_PF = 1u << 6,
    REG_C_AF = 1u << 5,
    REG_C_UF = 1u << 4,
    REG_D_VRT = 1u << 7,
    HOUR_PM = 0x80,
    ALARM_ANY = 0xc0, // both high bits: this field always matches
};

#define UPDATE_NS     INT64_C(2228000) // UIP before the second changes
#define HALF_SECOND   (NANOSECONDS_PER_SECOND / 2)
#define SECONDS_A_DAY INT64_C(86400)
#define RTC_HZ        INT64_C(32768)

struct mc146818 {
    uint8_t cmos[CMOS_SIZE];
    uint8_t index;
    bool nmi_masked;
    int64_t base_second;  // seconds since 1970 that were shown ...
    int64_t base_ns;      // ... from this reading of the virtual clock on
    int64_t seen_second;  // UF and AF are known up to here
    int64_t seen_period;  // and PF up to here
    uint8_t weekday_skew; // the guest may count its weekdays from any day
    struct clock *clock;
    struct timer *timer;
    struct irq_line irq8;
    struct state_registry *registry;
    struct port_range *range;
};

static const struct state_field rtc_fields[] = {
    STATE_BYTES_OF(struct mc146818, cmos),
    STATE_FIELD(STATE_U8, struct mc146818, index),
    STATE_FIELD(STATE_BOOL, struct mc146818, nmi_masked),
    STATE_FIELD(STATE_U64, struct mc146818, base_second),
    STATE_FIELD(STATE_U64, struct mc146818, base_ns),
    STATE_FIELD(STATE_U64, struct mc146818, seen_second),
    STATE_FIELD(STATE_U64, struct mc146818, seen_period),
    STATE_FIELD(STATE_U8, struct mc146818, weekday_skew),
    STATE_FIELD(STATE_TIMER, struct mc146818, timer),
    STATE_FIELDS_END,
};

struct civil {
    int64_t year;
    unsigned month, day; // from 1
};

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return a % b < 0 ? q - 1 : q;
}

// Days since 1970-01-01 of a proleptic Gregorian date; years are counted from March so that leap
// days come last.
static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = floor_div(year, 400);
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static struct civil civil_from_days(int64_t days)
{
    days += 719468;
    int64_t era = floor_div(days, 146097);
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    struct civil date;
    date.day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
    date.month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
    date.year = yoe + era * 400 + (date.month <= 2);
    return date;
}

static uint8_t rtc_encode(const struct mc146818 *rtc, unsigned value)
{
    if (rtc->cmos[RTC_REG_B] & REG_B_DM)
        return (uint8_t)value;
    return (uint8_t)((value / 10 % 10) << 4 | value % 10);
}

static unsigned rtc_decode(const struct mc146818 *rtc, uint8_t byte)
{
    if (rtc->cmos[RTC_REG_B] & REG_B_DM)
        return byte;
    return (byte >> 4) * 10u + (byte & 15u);
}

static uint8_t rtc_encode_hour(const struct mc146818 *rtc, unsigned hour)
{
    if (rtc->cmos[RTC_REG_B] & REG_B_24H)
        return rtc_encode(rtc, hour);
    unsigned twelve = hour % 12 ? hour % 12 : 12;
    return (uint8_t)(rtc_encode(rtc, twelve) | (hour >= 12 ? HOUR_PM : 0));
}

static unsigned rtc_decode_hour(const struct mc146818 *rtc, uint8_t byte)
{
    if (rtc->cmos[RTC_REG_B] & REG_B_24H)
        return rtc_decode(rtc, byte);
    return rtc_decode(rtc, byte & 0x7f) % 12 + (byte & HOUR_PM ? 12 : 0);
}

// The divider counts: reset patterns 11x and the test patterns stop it.
static bool rtc_divider_runs(const struct mc146818 *rtc)
{
    return (rtc->cmos[RTC_REG_A] >> 4 & 7) <= 2;
}

// The time registers follow the divider.
static bool rtc_runs(const struct mc146818 *rtc)
{
    return rtc_divider_runs(rtc) && !(rtc->cmos[RTC_REG_B] & REG_B_SET);
}

static int64_t rtc_elapsed(const struct mc146818 *rtc)
{
    return clock_now(rtc->clock) - rtc->base_ns;
}

static int64_t rtc_second(const struct mc146818 *rtc)
{
    return rtc->base_second + floor_div(rtc_elapsed(rtc), NANOSECONDS_PER_SECOND);
}

static bool is_time_register(unsigned index)
{
    switch (index) {
    case RTC_SECONDS:
    case RTC_MINUTES:
    case RTC_HOURS:
    case RTC_DAY_OF_WEEK:
    case RTC_DAY_OF_MONTH:
    case RTC_MONTH:
    case RTC_YEAR:
    case RTC_CENTURY:
        return true;
    default:
        return false;
    }
}

// Update cycle: the registers show the running time.
static void rtc_show(struct mc146818 *rtc)
{
    int64_t second = rtc_second(rtc);
    int64_t days = floor_div(second, SECONDS_A_DAY);
    unsigned of_day = (unsigned)(second - days * SECONDS_A_DAY);
    struct civil date = civil_from_days(days);
    int64_t weekday = ((days + 4 + rtc->weekday_skew) % 7 + 7) % 7; // 1970-01-01: Thursday
    unsigned year = (unsigned)((date.year % 10000 + 10000) % 10000);
    rtc->cmos[RTC_SECONDS] = rtc_encode(rtc, of_day % 60);
    rtc->cmos[RTC_MINUTES] = rtc_encode(rtc, of_day / 60 % 60);
    rtc->cmos[RTC_HOURS] = rtc_encode_hour(rtc, of_day / 3600);
    rtc->cmos[RTC_DAY_OF_WEEK] = rtc_encode(rtc, (unsigned)weekday + 1);
    rtc->cmos[RTC_DAY_OF_MONTH] = rtc_encode(rtc, date.day);
    rtc->cmos[RTC_MONTH] = rtc_encode(rtc, date.month);
    rtc->cmos[RTC_YEAR] = rtc_encode(rtc, year % 100);
    rtc->cmos[RTC_CENTURY] = rtc_encode(rtc, year / 100);
}

// The running time becomes what the registers show, `fraction` ns into the second. Fields out of
// range carry over.
static void rtc_take(struct mc146818 *rtc, int64_t fraction)
{
    unsigned month = rtc_decode(rtc, rtc->cmos[RTC_MONTH]);
    unsigned year =
        rtc_decode(rtc, rtc->cmos[RTC_CENTURY]) * 100 + rtc_decode(rtc, rtc->cmos[RTC_YEAR]);
    month = month < 1 ? 1 : month > 12 ? 12 : month;
    int64_t days = days_from_civil(year, month, rtc_decode(rtc, rtc->cmos[RTC_DAY_OF_MONTH]));
    int64_t second = days * SECONDS_A_DAY +
                     rtc_decode_hour(rtc, rtc->cmos[RTC_HOURS]) * INT64_C(3600) +
                     rtc_decode(rtc, rtc->cmos[RTC_MINUTES]) * INT64_C(60) +
                     rtc_decode(rtc, rtc->cmos[RTC_SECONDS]);
    int64_t weekday = rtc_decode(rtc, rtc->cmos[RTC_DAY_OF_WEEK]);
    days = floor_div(second, SECONDS_A_DAY);
    rtc->weekday_skew = (uint8_t)(((weekday - 1 - (days + 4)) % 7 + 7) % 7);
    rtc->base_second = second;
    rtc->base_ns = clock_now(rtc->clock) - fraction;
    rtc->seen_second = second;
}

static bool alarm_matches(uint8_t alarm, uint8_t shown)
{
    return (alarm & ALARM_ANY) == ALARM_ANY || alarm == shown;
}

// The first second after `second` at which the alarm goes off, or INT64_MAX when its registers
// match no time of day.
static int64_t rtc_next_alarm(const struct mc146818 *rtc, int64_t second)
{
    // At most: the rest of an hour's minutes, a day's hours, then minutes and seconds of the right
    // one.
    int64_t at = second + 1;
    for (int i = 0; i < 300; i++) {
        unsigned of_day = (unsigned)(at - floor_div(at, SECONDS_A_DAY) * SECONDS_A_DAY);
        if (!alarm_matches(rtc->cmos[RTC_HOURS_ALARM], rtc_encode_hour(rtc, of_day / 3600)))
            at += 3600 - of_day % 3600;
        else if (!alarm_matches(rtc->cmos[RTC_MINUTES_ALARM], rtc_encode(rtc, of_day / 60 % 60)))
            at += 60 - of_day % 60;
        else if (!alarm_matches(rtc->cmos[RTC_SECONDS_ALARM], rtc_encode(rtc, of_day % 60)))
            at += 1;
        else
            return at;
    }
    return INT64_MAX;
}

// Length of the periodic interrupt in cycles of 32768 Hz, 0 when it is off.
static int64_t rtc_period(const struct mc146818 *rtc)
{
    unsigned rate = rtc->cmos[RTC_REG_A] & REG_A_RATE;
    if (!rate || !rtc_divider_runs(rtc))
        return 0;
    return INT64_C(1) << (rate <= 2 ? rate + 6 : rate - 1);
}

static int64_t rtc_period_index(const struct mc146818 *rtc, int64_t period)
{
    __int128 cycle = (__int128)rtc_elapsed(rtc) * RTC_HZ / NANOSECONDS_PER_SECOND;
    return floor_div((int64_t)cycle, period);
}

static void rtc_update_irq(struct mc146818 *rtc)
{
    uint8_t enabled =
        rtc->cmos[RTC_REG_C] & rtc->cmos[RTC_REG_B] & (REG_C_PF | REG_C_AF | REG_C_UF);
    if (enabled)
        rtc->cmos[RTC_REG_C] |= REG_C_IRQF;
    else
        rtc->cmos[RTC_REG_C] &= (uint8_t)~REG_C_IRQF;
    irq_set(&rtc->irq8, enabled != 0);
}

// Sets the flags of what happened since the last look.
static void rtc_catch_up(struct mc146818 *rtc)
{
    if (rtc_runs(rtc)) {
        int64_t second = rtc_second(rtc);
        if (second > rtc->seen_second) {
            rtc->cmos[RTC_REG_C] |= REG_C_UF;
            if (rtc_next_alarm(rtc, rtc->seen_second) <= second)
                rtc->cmos[RTC_REG_C] |= REG_C_AF;
            rtc->seen_second = second;
        }
    }
    int64_t period = rtc_period(rtc);
    if (period) {
        int64_t index = rtc_period_index(rtc, period);
        if (index > rtc->seen_period)
            rtc->cmos[RTC_REG_C] |= REG_C_PF;
        rtc->seen_period = index;
    }
    rtc_update_irq(rtc);
}

// Asks to be called when the next enabled interrupt comes. While one is pending nothing more can be
// seen on the pin.
static void rtc_arm(struct mc146818 *rtc)
{
    int64_t deadline = CLOCK_NEVER; // counted from base_ns
    uint8_t enables = rtc->cmos[RTC_REG_B];
    if (rtc_runs(rtc)) {
        if (enables & REG_B_UIE)
            deadline = (rtc->seen_second + 1 - rtc->base_second) * NANOSECONDS_PER_SECOND;
        int64_t alarm = enables & REG_B_AIE ? rtc_next_alarm(rtc, rtc->seen_second) : INT64_MAX;
        if (alarm != INT64_MAX && (alarm - rtc->base_second) * NANOSECONDS_PER_SECOND < deadline)
            deadline = (alarm - rtc->base_second) * NANOSECONDS_PER_SECOND;
    }
    int64_t period = rtc_period(rtc);
    if (period && (enables & REG_B_PIE)) {
        __int128 cycle = (__int128)(rtc_period_index(rtc, period) + 1) * period;
        int64_t at = (int64_t)((cycle * NANOSECONDS_PER_SECOND + RTC_HZ - 1) / RTC_HZ);
        if (at < deadline)
            deadline = at;
    }
    if (deadline == CLOCK_NEVER || (rtc->cmos[RTC_REG_C] & REG_C_IRQF))
        timer_cancel(rtc->timer);
    else
        timer_arm(rtc->timer, deadline + rtc->base_ns);
}

static void rtc_timer(void *self)
{
    struct mc146818 *rtc = self;
    rtc_catch_up(rtc);
    rtc_arm(rtc);
}

static void rtc_restart_periods(struct mc146818 *rtc)
{
    int64_t period = rtc_period(rtc);
    rtc->seen_period = period ? rtc_period_index(rtc, period) : 0;
}

static int64_t rtc_fraction(const struct mc146818 *rtc)
{
    int64_t elapsed = rtc_elapsed(rtc);
    return elapsed - floor_div(elapsed, NANOSECONDS_PER_SECOND) * NANOSECONDS_PER_SECOND;
}

static void rtc_write_a(struct mc146818 *rtc, uint8_t value)
{
    bool was_running = rtc_divider_runs(rtc);
    if (was_running && rtc_runs(rtc))
        rtc_show(rtc);
    rtc->cmos[RTC_REG_A] = value & (uint8_t)~REG_A_UIP;
    // The first update comes half a second after the divider is released.
    if (!was_running && rtc_divider_runs(rtc))
        rtc_take(rtc, HALF_SECOND);
    rtc_restart_periods(rtc);
}

static void rtc_write_b(struct mc146818 *rtc, uint8_t value)
{
    bool was_running = rtc_runs(rtc);
    if (was_running)
        rtc_show(rtc);
    // SET ends an update cycle and clears UIE.
    if (value & REG_B_SET)
        value &= (uint8_t)~REG_B_UIE;
    rtc->cmos[RTC_REG_B] = value;
    if (!was_running && rtc_runs(rtc)) {
        rtc_take(rtc, rtc_fraction(rtc));
        rtc_restart_periods(rtc);
    }
    rtc_update_irq(rtc);
}

static void rtc_store(struct mc146818 *rtc, unsigned index, uint8_t value)
{
    rtc_catch_up(rtc);
    switch (index) {
    case RTC_REG_A:
        rtc_write_a(rtc, value);
        break;
    case RTC_REG_B:
        rtc_write_b(rtc, value);
        break;
    case RTC_REG_C:
    case RTC_REG_D:
        break;
    default:
        if (is_time_register(index) && rtc_runs(rtc)) {
            int64_t fraction = rtc_fraction(rtc);
            rtc_show(rtc);
            rtc->cmos[index] = value;
            rtc_take(rtc, fraction);
            rtc_restart_periods(rtc);
        } else {
            rtc->cmos[index] = value;
        }
        break;
    }
    rtc_arm(rtc);
}

static uint8_t rtc_load(struct mc146818 *rtc, unsigned index)
{
    uint8_t value;
    if (is_time_register(index) && rtc_runs(rtc))
        rtc_show(rtc);
    switch (index) {
    case RTC_REG_A:
        value = rtc->cmos[RTC_REG_A];
        if (rtc_runs(rtc) && rtc_fraction(rtc) >= NANOSECONDS_PER_SECOND - UPDATE_NS)
            value |= REG_A_UIP;
        return value;
    case RTC_REG_C:
        rtc_catch_up(rtc);
        value = rtc->cmos[RTC_REG_C];
        rtc->cmos[RTC_REG_C] = 0;
        rtc_update_irq(rtc);
        rtc_arm(rtc);
        return value;
    case RTC_REG_D:
        return REG_D_VRT;
    default:
        return rtc->cmos[index];
    }
}

static void rtc_port_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct mc146818 *rtc = self;
    if (offset == 0) {
        rtc->index = value & 0x7f;
        rtc->nmi_masked = value & 0x80;
    } else {
        rtc_store(rtc, rtc->index & (CMOS_SIZE - 1), (uint8_t)value);
    }
}

static uint32_t rtc_port_read(void *self, uint32_t offset, unsigned size)
{
    struct mc146818 *rtc = self;
    if (offset == 0)
        return 0xff; // the index is write-only
    return rtc_load(rtc, rtc->index & (CMOS_SIZE - 1));
}

static const struct port_ops rtc_ops = {.read = rtc_port_read, .write = rtc_port_write};

uint8_t mc146818_get(struct mc146818 *rtc, unsigned index)
{
    index &= CMOS_SIZE - 1;
    if (is_time_register(index) && rtc_runs(rtc))
        rtc_show(rtc);
    return rtc->cmos[index];
}

void mc146818_set(struct mc146818 *rtc, unsigned index, uint8_t value)
{
    rtc_store(rtc, index & (CMOS_SIZE - 1), value);
}

bool mc146818_nmi_masked(const struct mc146818 *rtc)
{
    return rtc->nmi_masked;
}

int64_t mc146818_seconds(struct mc146818 *rtc)
{
    return rtc_second(rtc);
}

static bool rtc_after_load(void *object, struct error *err)
{
    struct mc146818 *rtc = object;
    const int64_t seconds = INT64_C(1) << 41, ahead = INT64_C(1) << 31, ns = INT64_C(1) << 61;
    if (rtc->base_second < -seconds || rtc->base_second > seconds ||
        rtc->seen_second < rtc->base_second - 1 || rtc->seen_second > rtc->base_second + ahead ||
        rtc->base_ns < -ns || rtc->base_ns > ns)
        return error_set(err, "mc146818: the saved time is out of range");
    rtc_update_irq(rtc);
    return true;
}

void mc146818_reset(struct mc146818 *rtc)
{
    rtc_catch_up(rtc);
    rtc->cmos[RTC_REG_B] &= (uint8_t) ~(REG_B_PIE | REG_B_AIE | REG_B_UIE | REG_B_SQWE);
    rtc->cmos[RTC_REG_C] = 0;
    rtc->index = 0;
    rtc->nmi_masked = false;
    rtc_update_irq(rtc);
    rtc_arm(rtc);
}

struct mc146818 *mc146818_create(struct clock *clock, struct portio *ports,
                                 struct state_registry *registry, int64_t base_seconds,
                                 struct irq_line irq8)
{
    struct mc146818 *rtc = xcalloc(1, sizeof *rtc);
    // 0000-01-01 to 9999-12-31: what the registers can show.
    const int64_t first = INT64_C(-62167219200), last = INT64_C(253402300799);
    base_seconds = base_seconds > last ? last : base_seconds < first ? first : base_seconds;
    rtc->clock = clock;
    rtc->irq8 = irq8;
    rtc->registry = registry;
    rtc->base_second = base_seconds;
    rtc->base_ns = clock_now(clock);
    rtc->cmos[RTC_REG_A] = 0x26; // 32768 Hz, 1024 Hz periodic
    rtc->cmos[RTC_REG_B] = REG_B_24H;
    rtc->cmos[RTC_REG_D] = REG_D_VRT;
    rtc->seen_second = rtc_second(rtc);
    rtc->timer = timer_create_on(clock, "mc146818", rtc_timer, rtc);
    rtc_restart_periods(rtc);
    rtc->range = portio_add(ports, "mc146818", 0x70, 2, &rtc_ops, rtc);
    mc146818_reset(rtc);
    state_register(registry, &(struct state_section){.name = "mc146818",
                                                     .version = 1,
                                                     .fields = rtc_fields,
                                                     .object = rtc,
                                                     .after_load = rtc_after_load});
    return rtc;
}

void mc146818_destroy(struct mc146818 *rtc)
{
    if (!rtc)
        return;
    state_unregister(rtc->registry, rtc);
    port_range_remove(rtc->range);
    timer_destroy(rtc->timer);
    free(rtc);
}
