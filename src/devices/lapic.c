// SPDX-License-Identifier: MIT
// Local APIC, Intel SDM vol. 3, chapter "Advanced Programmable Interrupt Controller". One
// processor: messages to others go nowhere. Left out: x2APIC, TSC deadline, focus processor
// checking, SMI. The timer counts a 100 MHz bus clock.
#include "devices/lapic.h"

#include <stdlib.h>

#define APIC_SIZE     0x1000u
#define VERSION       0x00050014u
#define TICK_NS       10
#define MIN_PERIOD_NS 10000 // a periodic timer is not served more often

#define BASE_ENABLE   (1u << 11)
#define BASE_BSP      (1u << 8)
#define BASE_DEFAULT  0xfee00000u
#define BASE_RESERVED (~UINT64_C(0xffffff900)) // bits 0-7, 9, 10 and above 35

enum lvt { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_COUNT };
enum {
    LVT_PENDING = 1 << 12,
    LVT_ACTIVE_LOW = 1 << 13,
    LVT_REMOTE_IRR = 1 << 14,
    LVT_LEVEL = 1 << 15,
    LVT_MASKED = 1 << 16,
    LVT_PERIODIC = 1 << 17
};
enum { ESR_SEND_VECTOR = 1 << 5, ESR_RECEIVE_VECTOR = 1 << 6, ESR_REGISTER = 1 << 7 };
#define SVR_ENABLE (1u << 8)

struct lapic {
    struct physmem *mem;
    struct clock *clock;
    struct log *log;
    struct state_registry *registry;
    struct lapic_config config;
    struct phys_region *region;
    struct timer *timer;
    uint64_t base;
    uint32_t id, tpr, ldr, dfr, svr;
    uint32_t isr[8], tmr[8], irr[8];
    uint32_t esr, esr_pending;
    uint32_t icr_low, icr_high;
    uint32_t lvt[LVT_COUNT];
    uint32_t initial_count, divide;
    int64_t timer_start; // when the count was loaded
    bool lint[2];
    bool extint_message; // an ExtINT message waits for the acknowledge cycle
    bool intr_level;
};

bool lapic_is_enabled(const struct lapic *apic)
{
    return (apic->base & BASE_ENABLE) != 0;
}

static bool is_active(const struct lapic *apic)
{
    return lapic_is_enabled(apic) && (apic->svr & SVR_ENABLE);
}

// Vector bitmaps.

static int highest(const uint32_t bitmap[8])
{
    for (int i = 7; i >= 0; i--)
        if (bitmap[i])
            return 32 * i + 31 - __builtin_clz(bitmap[i]);
    return -1;
}

static void bit_set(uint32_t bitmap[8], uint8_t vector)
{
    bitmap[vector >> 5] |= 1u << (vector & 31);
}

static void bit_clear(uint32_t bitmap[8], uint8_t vector)
{
    bitmap[vector >> 5] &= ~(1u << (vector & 31));
}

static bool bit_test(const uint32_t bitmap[8], uint8_t vector)
{
    return (bitmap[vector >> 5] >> (vector & 31)) & 1;
}

static uint32_t ppr(const struct lapic *apic)
{
    int serving = highest(apic->isr);
    uint32_t class_served = serving < 0 ? 0 : (uint32_t)serving & 0xf0;

    return (apic->tpr & 0xf0) >= class_served ? apic->tpr : class_served;
}

// The vector that may be delivered now, -1: none.
static int deliverable(const struct lapic *apic)
{
    int vector = is_active(apic) ? highest(apic->irr) : -1;

    return vector >= 0 && ((uint32_t)vector & 0xf0) > (ppr(apic) & 0xf0) ? vector : -1;
}

static bool extint_waits(const struct lapic *apic)
{
    uint32_t lint0 = apic->lvt[LVT_LINT0];

    if (apic->extint_message)
        return true;
    if (!apic->lint[0])
        return false;
    return !lapic_is_enabled(apic) || (!(lint0 & LVT_MASKED) && (lint0 >> 8 & 7) == APIC_EXTINT);
}

bool lapic_has_interrupt(const struct lapic *apic)
{
    return deliverable(apic) >= 0 || extint_waits(apic);
}

static void update(struct lapic *apic)
{
    bool level = lapic_has_interrupt(apic);

    if (level == apic->intr_level)
        return;
    apic->intr_level = level;
    irq_set(&apic->config.intr, level);
}

static void pulse(const struct irq_line *line)
{
    irq_set(line, true);
    irq_set(line, false);
}

static void raise_error(struct lapic *apic, uint32_t bit);

static bool accept(struct lapic *apic, uint8_t vector, bool level)
{
    if (!is_active(apic))
        return false;
    if (vector < 16) {
        raise_error(apic, ESR_RECEIVE_VECTOR);
        return false;
    }
    bit_set(apic->irr, vector);
    if (level)
        bit_set(apic->tmr, vector);
    else
        bit_clear(apic->tmr, vector);
    update(apic);
    return true;
}

// An error in delivering the error interrupt itself is not reported again.
static void raise_error(struct lapic *apic, uint32_t bit)
{
    uint32_t lvt = apic->lvt[LVT_ERROR];
    bool first = !(apic->esr_pending & bit);

    apic->esr_pending |= bit;
    if (first && !(lvt & LVT_MASKED) && (lvt & 0xff) >= 16)
        accept(apic, (uint8_t)lvt, false);
}

static void deliver_local(struct lapic *apic, enum lvt n)
{
    uint32_t lvt = apic->lvt[n];

    if ((lvt & LVT_MASKED) || !lapic_is_enabled(apic))
        return;
    switch (lvt >> 8 & 7) {
    case APIC_FIXED:
        if ((n == LVT_LINT0 || n == LVT_LINT1) && (lvt & LVT_LEVEL)) {
            if (lvt & LVT_REMOTE_IRR)
                return;
            if (accept(apic, (uint8_t)lvt, true))
                apic->lvt[n] |= LVT_REMOTE_IRR;
        } else {
            accept(apic, (uint8_t)lvt, false);
        }
        break;
    case APIC_NMI:
        pulse(&apic->config.nmi);
        break;
    case APIC_INIT:
        pulse(&apic->config.init);
        break;
    default:
        break;
    }
}

void lapic_set_lint0(struct lapic *apic, bool level)
{
    bool edge = level && !apic->lint[0];

    apic->lint[0] = level;
    if (edge)
        deliver_local(apic, LVT_LINT0);
    update(apic);
}

void lapic_set_lint1(struct lapic *apic, bool level)
{
    bool edge = level && !apic->lint[1];

    apic->lint[1] = level;
    if (!edge)
        return;
    if (lapic_is_enabled(apic))
        deliver_local(apic, LVT_LINT1);
    else
        pulse(&apic->config.nmi);
}

int lapic_acknowledge(struct lapic *apic)
{
    int vector = deliverable(apic);

    if (vector >= 0) {
        bit_clear(apic->irr, (uint8_t)vector);
        bit_set(apic->isr, (uint8_t)vector);
    } else if (extint_waits(apic)) {
        apic->extint_message = false;
        vector = apic->config.extint_acknowledge
                     ? apic->config.extint_acknowledge(apic->config.self)
                     : 0;
    } else {
        vector = (int)(apic->svr & 0xff);
    }
    update(apic);
    return vector;
}

static void write_eoi(struct lapic *apic)
{
    int vector = highest(apic->isr);

    if (vector < 0)
        return;
    bit_clear(apic->isr, (uint8_t)vector);
    if (bit_test(apic->tmr, (uint8_t)vector)) {
        for (enum lvt n = LVT_LINT0; n <= LVT_LINT1; n++) {
            if (!(apic->lvt[n] & LVT_REMOTE_IRR) || (int)(apic->lvt[n] & 0xff) != vector)
                continue;
            apic->lvt[n] &= ~(uint32_t)LVT_REMOTE_IRR;
            if (apic->lint[n - LVT_LINT0])
                deliver_local(apic, n);
        }
        if (apic->config.eoi)
            apic->config.eoi(apic->config.eoi_self, (uint8_t)vector);
    }
    update(apic);
}

// Messages.

static bool is_addressed(const struct lapic *apic, uint8_t destination, bool logical)
{
    if (!logical)
        return destination == 0xff || destination == apic->id >> 24;
    uint8_t ldr = (uint8_t)(apic->ldr >> 24);
    if (apic->dfr >> 28 == 0xf) // flat
        return (destination & ldr) != 0;
    return ((destination ^ ldr) & 0xf0) == 0 && (destination & ldr & 0x0f) != 0; // cluster
}

static bool take_message(struct lapic *apic, enum apic_delivery mode, uint8_t vector, bool level)
{
    switch (mode) {
    case APIC_FIXED:
    case APIC_LOWEST:
        return accept(apic, vector, level);
    case APIC_NMI:
        pulse(&apic->config.nmi);
        return true;
    case APIC_INIT:
        pulse(&apic->config.init);
        return true;
    case APIC_EXTINT:
        apic->extint_message = true;
        update(apic);
        return true;
    default:
        return true; // SMI, start-up of a running processor
    }
}

bool lapic_deliver(struct lapic *apic, uint8_t destination, bool logical, enum apic_delivery mode,
                   uint8_t vector, bool level_triggered)
{
    if (!lapic_is_enabled(apic) || !is_addressed(apic, destination, logical))
        return false;
    return take_message(apic, mode, vector, level_triggered);
}

static void write_icr(struct lapic *apic, uint32_t value)
{
    enum apic_delivery mode = value >> 8 & 7;
    unsigned shorthand = value >> 18 & 3;
    bool deassert = (value & LVT_LEVEL) && !(value & (1u << 14));

    apic->icr_low = value & 0x000ccfff; // delivered at once: never pending
    if ((mode == APIC_FIXED || mode == APIC_LOWEST) && (value & 0xff) < 16)
        raise_error(apic, ESR_SEND_VECTOR);
    // INIT level de-assert only synchronises arbitration ids.
    if (mode == APIC_INIT && deassert)
        return;
    bool self = shorthand == 1 || shorthand == 2;
    if (shorthand == 0)
        self = is_addressed(apic, (uint8_t)(apic->icr_high >> 24), (value >> 11) & 1);
    if (self)
        take_message(apic, mode, (uint8_t)value, false);
}

// Timer.

static int64_t timer_unit(const struct lapic *apic)
{
    unsigned code = (apic->divide & 3) | (apic->divide >> 1 & 4);

    return TICK_NS * (INT64_C(1) << ((code + 1) & 7));
}

static int64_t timer_period(const struct lapic *apic)
{
    return timer_unit(apic) * apic->initial_count;
}

static void timer_schedule(struct lapic *apic)
{
    int64_t now = clock_now(apic->clock), period = timer_period(apic), deadline;

    if (apic->initial_count == 0) {
        timer_cancel(apic->timer);
        return;
    }
    int64_t passed = now - apic->timer_start;
    if (apic->lvt[LVT_TIMER] & LVT_PERIODIC) {
        deadline = apic->timer_start + (passed / period + 1) * period;
        if (deadline < now + MIN_PERIOD_NS)
            deadline = now + MIN_PERIOD_NS;
    } else if (passed < period) {
        deadline = apic->timer_start + period;
    } else {
        timer_cancel(apic->timer);
        return;
    }
    timer_arm(apic->timer, deadline);
}

static void timer_fired(void *self)
{
    struct lapic *apic = self;

    if (!(apic->lvt[LVT_TIMER] & LVT_MASKED))
        accept(apic, (uint8_t)apic->lvt[LVT_TIMER], false);
    timer_schedule(apic);
}

static uint32_t current_count(const struct lapic *apic)
{
    if (apic->initial_count == 0)
        return 0;
    uint64_t ticks = (uint64_t)((clock_now(apic->clock) - apic->timer_start) / timer_unit(apic));
    if (apic->lvt[LVT_TIMER] & LVT_PERIODIC)
        return apic->initial_count - (uint32_t)(ticks % apic->initial_count);
    return ticks >= apic->initial_count ? 0 : apic->initial_count - (uint32_t)ticks;
}

// Registers.

static uint32_t register_read(const struct lapic *apic, uint32_t reg)
{
    if (reg >= 0x10 && reg < 0x18)
        return apic->isr[reg - 0x10];
    if (reg >= 0x18 && reg < 0x20)
        return apic->tmr[reg - 0x18];
    if (reg >= 0x20 && reg < 0x28)
        return apic->irr[reg - 0x20];
    if (reg >= 0x32 && reg < 0x32 + LVT_COUNT)
        return apic->lvt[reg - 0x32];
    switch (reg) {
    case 0x02:
        return apic->id;
    case 0x03:
        return VERSION;
    case 0x08:
        return apic->tpr;
    case 0x09: // arbitration priority: nobody competes
    case 0x0a:
        return ppr(apic);
    case 0x0d:
        return apic->ldr;
    case 0x0e:
        return apic->dfr;
    case 0x0f:
        return apic->svr;
    case 0x28:
        return apic->esr;
    case 0x30:
        return apic->icr_low;
    case 0x31:
        return apic->icr_high;
    case 0x38:
        return apic->initial_count;
    case 0x39:
        return current_count(apic);
    case 0x3e:
        return apic->divide;
    default:
        return 0;
    }
}

static void write_lvt(struct lapic *apic, enum lvt n, uint32_t value)
{
    static const uint32_t writable[LVT_COUNT] = {
        [LVT_TIMER] = 0x300ff, [LVT_THERMAL] = 0x107ff, [LVT_PERF] = 0x107ff,
        [LVT_LINT0] = 0x1a7ff, [LVT_LINT1] = 0x1a7ff,   [LVT_ERROR] = 0x100ff,
    };
    uint32_t keep = apic->lvt[n] & LVT_REMOTE_IRR;

    if (!(apic->svr & SVR_ENABLE))
        value |= LVT_MASKED;
    apic->lvt[n] = (value & writable[n]) | keep;
    if (n == LVT_TIMER)
        timer_schedule(apic);
    // A level wire that is already up is seen when its vector opens.
    if ((n == LVT_LINT0 || n == LVT_LINT1) && (value & LVT_LEVEL) && apic->lint[n - LVT_LINT0])
        deliver_local(apic, n);
    update(apic);
}

static void write_svr(struct lapic *apic, uint32_t value)
{
    apic->svr = value & 0x3ff;
    if (!(value & SVR_ENABLE))
        for (unsigned n = 0; n < LVT_COUNT; n++)
            apic->lvt[n] |= LVT_MASKED;
    update(apic);
}

static void register_write(struct lapic *apic, uint32_t reg, uint32_t value)
{
    if (reg >= 0x32 && reg < 0x32 + LVT_COUNT) {
        write_lvt(apic, reg - 0x32, value);
        return;
    }
    switch (reg) {
    case 0x02:
        apic->id = value & 0xff000000;
        break;
    case 0x08:
        apic->tpr = value & 0xff;
        update(apic);
        break;
    case 0x0b:
        write_eoi(apic);
        break;
    case 0x0d:
        apic->ldr = value & 0xff000000;
        break;
    case 0x0e:
        apic->dfr = value | 0x0fffffff;
        break;
    case 0x0f:
        write_svr(apic, value);
        break;
    case 0x28: // a write makes the errors since the last one readable
        apic->esr = apic->esr_pending;
        apic->esr_pending = 0;
        break;
    case 0x30:
        write_icr(apic, value);
        break;
    case 0x31:
        apic->icr_high = value & 0xff000000;
        break;
    case 0x38:
        apic->initial_count = value;
        apic->timer_start = clock_now(apic->clock);
        timer_schedule(apic);
        break;
    case 0x3e:
        apic->divide = value & 0x0b;
        timer_schedule(apic);
        break;
    default:
        break;
    }
}

// Registers are dwords at multiples of 16.
static uint32_t mmio_read(void *self, uint32_t offset, unsigned size)
{
    struct lapic *apic = self;

    if ((offset & 0xf) + size > 4)
        return 0;
    return register_read(apic, (offset >> 4) & 0xff) >> (8 * (offset & 3));
}

static void mmio_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    if ((offset & 0xf) == 0 && size == 4)
        register_write(self, (offset >> 4) & 0xff, value);
}

static const struct mmio_ops apic_ops = {mmio_read, mmio_write, 4};

// IA32_APIC_BASE.

static void update_window(struct lapic *apic)
{
    uint64_t base = apic->base & UINT64_C(0xffffff000);
    bool visible = lapic_is_enabled(apic) && base <= 0xfffff000u;

    physmem_begin_changes(apic->mem);
    if (visible)
        phys_region_set_base(apic->region, (uint32_t)base);
    phys_region_set_enabled(apic->region, visible);
    physmem_end_changes(apic->mem);
}

static void reset_registers(struct lapic *apic)
{
    timer_cancel(apic->timer);
    memset(apic->isr, 0, sizeof apic->isr);
    memset(apic->tmr, 0, sizeof apic->tmr);
    memset(apic->irr, 0, sizeof apic->irr);
    apic->id = apic->tpr = apic->ldr = apic->esr = apic->esr_pending = 0;
    apic->dfr = 0xffffffff;
    apic->svr = 0xff;
    apic->icr_low = apic->icr_high = 0;
    apic->initial_count = apic->divide = 0;
    apic->timer_start = 0;
    apic->extint_message = false;
    for (unsigned n = 0; n < LVT_COUNT; n++)
        apic->lvt[n] = LVT_MASKED;
    // PC boards start in virtual wire mode: the 8259 reaches the boot processor before any software
    // sets up the APIC.
    apic->lvt[LVT_LINT0] = APIC_EXTINT << 8;
}

uint64_t lapic_get_base(const struct lapic *apic)
{
    return apic->base;
}

bool lapic_set_base(struct lapic *apic, uint64_t value)
{
    bool was = lapic_is_enabled(apic);

    if (value & BASE_RESERVED)
        return false;
    apic->base = (value & ~(uint64_t)BASE_BSP) | BASE_BSP;
    if (was && !lapic_is_enabled(apic))
        reset_registers(apic);
    update_window(apic);
    update(apic);
    return true;
}

// Life.

static const struct state_field lapic_fields[] = {
    STATE_FIELD(STATE_TIMER, struct lapic, timer),
    STATE_FIELD(STATE_U64, struct lapic, base),
    STATE_FIELD(STATE_U32, struct lapic, id),
    STATE_FIELD(STATE_U32, struct lapic, tpr),
    STATE_FIELD(STATE_U32, struct lapic, ldr),
    STATE_FIELD(STATE_U32, struct lapic, dfr),
    STATE_FIELD(STATE_U32, struct lapic, svr),
    STATE_ARRAY(STATE_U32, struct lapic, isr),
    STATE_ARRAY(STATE_U32, struct lapic, tmr),
    STATE_ARRAY(STATE_U32, struct lapic, irr),
    STATE_FIELD(STATE_U32, struct lapic, esr),
    STATE_FIELD(STATE_U32, struct lapic, esr_pending),
    STATE_FIELD(STATE_U32, struct lapic, icr_low),
    STATE_FIELD(STATE_U32, struct lapic, icr_high),
    STATE_ARRAY(STATE_U32, struct lapic, lvt),
    STATE_FIELD(STATE_U32, struct lapic, initial_count),
    STATE_FIELD(STATE_U32, struct lapic, divide),
    STATE_FIELD(STATE_U64, struct lapic, timer_start),
    STATE_ARRAY(STATE_BOOL, struct lapic, lint),
    STATE_FIELD(STATE_BOOL, struct lapic, extint_message),
    STATE_FIELD(STATE_BOOL, struct lapic, intr_level),
    STATE_FIELDS_END,
};

static bool lapic_after_load(void *object, struct error *err)
{
    struct lapic *apic = object;

    if ((apic->base & BASE_RESERVED) || apic->timer_start < 0 || apic->timer_start > INT64_MAX / 4)
        return error_set(err, "snapshot: local APIC: state out of range");
    update_window(apic);
    return true;
}

struct lapic *lapic_create(struct clock *clock, struct physmem *mem, struct log *log,
                           struct state_registry *registry, const struct lapic_config *config)
{
    struct lapic *apic = xcalloc(1, sizeof *apic);

    apic->mem = mem;
    apic->clock = clock;
    apic->log = log;
    apic->registry = registry;
    apic->config = *config;
    apic->timer = timer_create_on(clock, "lapic", timer_fired, apic);
    apic->region =
        physmem_add_mmio(mem, "lapic", BASE_DEFAULT, APIC_SIZE, LAPIC_PRIORITY, &apic_ops, apic);
    state_register(registry, &(struct state_section){.name = "lapic",
                                                     .version = 1,
                                                     .fields = lapic_fields,
                                                     .object = apic,
                                                     .after_load = lapic_after_load});
    lapic_reset(apic);
    return apic;
}

void lapic_destroy(struct lapic *apic)
{
    if (!apic)
        return;
    state_unregister(apic->registry, apic);
    timer_destroy(apic->timer);
    phys_region_remove(apic->region);
    free(apic);
}

void lapic_set_eoi(struct lapic *apic, void (*eoi)(void *self, uint8_t vector), void *self)
{
    apic->config.eoi = eoi;
    apic->config.eoi_self = self;
}

void lapic_reset(struct lapic *apic)
{
    apic->base = BASE_DEFAULT | BASE_ENABLE | BASE_BSP;
    reset_registers(apic);
    update_window(apic);
    update(apic);
}

void lapic_describe(const struct lapic *apic, FILE *out)
{
    static const char *const names[LVT_COUNT] = {"timer", "thermal", "perf",
                                                 "LINT0", "LINT1",   "error"};

    fprintf(out, "local APIC: base 0x%llx, %s, id %u, version %08x\n",
            (unsigned long long)apic->base, is_active(apic) ? "enabled" : "disabled",
            apic->id >> 24, VERSION);
    fprintf(out, "  TPR %02x  PPR %02x  SVR %03x  LDR %08x  DFR %08x  ESR %02x  ICR %08x %08x\n",
            apic->tpr, ppr(apic), apic->svr, apic->ldr, apic->dfr, apic->esr, apic->icr_high,
            apic->icr_low);
    for (unsigned n = 0; n < LVT_COUNT; n++)
        fprintf(out, "  LVT %-8s %08x%s\n", names[n], apic->lvt[n],
                apic->lvt[n] & LVT_MASKED ? "  masked" : "");
    fprintf(out, "  timer: initial %u, current %u, divide %x\n", apic->initial_count,
            current_count(apic), apic->divide);
    for (unsigned vector = 0; vector < 256; vector++)
        if (bit_test(apic->irr, (uint8_t)vector) || bit_test(apic->isr, (uint8_t)vector))
            fprintf(out, "  vector %02x:%s%s%s\n", vector,
                    bit_test(apic->irr, (uint8_t)vector) ? " requested" : "",
                    bit_test(apic->isr, (uint8_t)vector) ? " in service" : "",
                    bit_test(apic->tmr, (uint8_t)vector) ? " level" : "");
}
