// SPDX-License-Identifier: MIT
// Local APIC, Intel SDM vol. 3, chapter "Advanced Programmable Interrupt Controller". One
// processor: messages to others go nowhere. Left out: x2APIC, TSC deadline, focus processor
// checking, SMI. The timer counts a 100 MHz bus clock.
#include "devices/lapic_internal.h"

#include <stdlib.h>

bool lapic_is_enabled(const struct lapic *apic)
{
    return (apic->base & BASE_ENABLE) != 0;
}

bool lapic_is_active(const struct lapic *apic)
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

uint32_t lapic_ppr(const struct lapic *apic)
{
    int serving = highest(apic->isr);
    uint32_t class_served = serving < 0 ? 0 : (uint32_t)serving & 0xf0;

    return (apic->tpr & 0xf0) >= class_served ? apic->tpr : class_served;
}

// The vector that may be delivered now, -1: none.
static int deliverable(const struct lapic *apic)
{
    int vector = lapic_is_active(apic) ? highest(apic->irr) : -1;

    return vector >= 0 && ((uint32_t)vector & 0xf0) > (lapic_ppr(apic) & 0xf0) ? vector : -1;
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

void lapic_update(struct lapic *apic)
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

static bool accept(struct lapic *apic, uint8_t vector, bool level)
{
    if (!lapic_is_active(apic))
        return false;
    if (vector < 16) {
        lapic_raise_error(apic, ESR_RECEIVE_VECTOR);
        return false;
    }
    bit_set(apic->irr, vector);
    if (level)
        bit_set(apic->tmr, vector);
    else
        bit_clear(apic->tmr, vector);
    lapic_update(apic);
    return true;
}

// An error in delivering the error interrupt itself is not reported again.
void lapic_raise_error(struct lapic *apic, uint32_t bit)
{
    uint32_t lvt = apic->lvt[LVT_ERROR];
    bool first = !(apic->esr_pending & bit);

    apic->esr_pending |= bit;
    if (first && !(lvt & LVT_MASKED) && (lvt & 0xff) >= 16)
        accept(apic, (uint8_t)lvt, false);
}

void lapic_deliver_local(struct lapic *apic, enum lvt n)
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
        lapic_deliver_local(apic, LVT_LINT0);
    lapic_update(apic);
}

void lapic_set_lint1(struct lapic *apic, bool level)
{
    bool edge = level && !apic->lint[1];

    apic->lint[1] = level;
    if (!edge)
        return;
    if (lapic_is_enabled(apic))
        lapic_deliver_local(apic, LVT_LINT1);
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
    lapic_update(apic);
    return vector;
}

void lapic_write_eoi(struct lapic *apic)
{
    int vector = highest(apic->isr);

    if (vector < 0)
        return;
    bit_clear(apic->isr, (uint8_t)vector);
    if (lapic_bit_test(apic->tmr, (uint8_t)vector)) {
        for (enum lvt n = LVT_LINT0; n <= LVT_LINT1; n++) {
            if (!(apic->lvt[n] & LVT_REMOTE_IRR) || (int)(apic->lvt[n] & 0xff) != vector)
                continue;
            apic->lvt[n] &= ~(uint32_t)LVT_REMOTE_IRR;
            if (apic->lint[n - LVT_LINT0])
                lapic_deliver_local(apic, n);
        }
        if (apic->config.eoi)
            apic->config.eoi(apic->config.eoi_self, (uint8_t)vector);
    }
    lapic_update(apic);
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
        lapic_update(apic);
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

void lapic_write_icr(struct lapic *apic, uint32_t value)
{
    enum apic_delivery mode = value >> 8 & 7;
    unsigned shorthand = value >> 18 & 3;
    bool deassert = (value & LVT_LEVEL) && !(value & (1u << 14));

    apic->icr_low = value & 0x000ccfff; // delivered at once: never pending
    if ((mode == APIC_FIXED || mode == APIC_LOWEST) && (value & 0xff) < 16)
        lapic_raise_error(apic, ESR_SEND_VECTOR);
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

void lapic_timer_start(struct lapic *apic, uint32_t count)
{
    apic->initial_count = count;
    apic->timer_start = clock_now(apic->clock);
    if (count)
        timer_arm(apic->timer, apic->timer_start + timer_period(apic));
    else
        timer_cancel(apic->timer);
}

static void timer_next_period(struct lapic *apic)
{
    if (apic->initial_count == 0) // a snapshot may say so
        return;
    int64_t now = clock_now(apic->clock), period = timer_period(apic);
    int64_t deadline = apic->timer_start + ((now - apic->timer_start) / period + 1) * period;

    if (deadline < now + MIN_PERIOD_NS)
        deadline = now + MIN_PERIOD_NS;
    timer_arm(apic->timer, deadline);
}

// A count that has run out but has not been told of is: the timer is still armed, however late.
void lapic_timer_changed(struct lapic *apic)
{
    if (apic->lvt[LVT_TIMER] & LVT_PERIODIC)
        timer_next_period(apic);
    else if (timer_is_armed(apic->timer))
        timer_arm(apic->timer, apic->timer_start + timer_period(apic));
}

static void timer_fired(void *self)
{
    struct lapic *apic = self;

    if (!(apic->lvt[LVT_TIMER] & LVT_MASKED))
        accept(apic, (uint8_t)apic->lvt[LVT_TIMER], false);
    if (apic->lvt[LVT_TIMER] & LVT_PERIODIC)
        timer_next_period(apic);
}

uint32_t lapic_current_count(const struct lapic *apic)
{
    if (apic->initial_count == 0)
        return 0;
    uint64_t ticks = (uint64_t)((clock_now(apic->clock) - apic->timer_start) / timer_unit(apic));
    if (apic->lvt[LVT_TIMER] & LVT_PERIODIC)
        return apic->initial_count - (uint32_t)(ticks % apic->initial_count);
    return ticks >= apic->initial_count ? 0 : apic->initial_count - (uint32_t)ticks;
}

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
    lapic_update(apic);
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
    apic->region = physmem_add_mmio(mem, "lapic", BASE_DEFAULT, APIC_SIZE, LAPIC_PRIORITY,
                                    &lapic_mmio_ops, apic);
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
    lapic_update(apic);
}
