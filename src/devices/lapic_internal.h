// SPDX-License-Identifier: MIT
// What the files of the local APIC share.
#ifndef EMU_DEVICES_LAPIC_INTERNAL_H
#define EMU_DEVICES_LAPIC_INTERNAL_H

#include "devices/lapic.h"

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

static inline bool lapic_bit_test(const uint32_t bitmap[8], uint8_t vector)
{
    return (bitmap[vector >> 5] >> (vector & 31)) & 1;
}

// lapic.c
bool lapic_is_active(const struct lapic *apic); // globally and by software
uint32_t lapic_ppr(const struct lapic *apic);
void lapic_update(struct lapic *apic); // drives INTR
void lapic_raise_error(struct lapic *apic, uint32_t bit);
void lapic_deliver_local(struct lapic *apic, enum lvt n);
void lapic_write_eoi(struct lapic *apic);
void lapic_write_icr(struct lapic *apic, uint32_t value);
void lapic_timer_start(struct lapic *apic, uint32_t count);
void lapic_timer_changed(struct lapic *apic); // its mode or speed
uint32_t lapic_current_count(const struct lapic *apic);

// lapic_registers.c
extern const struct mmio_ops lapic_mmio_ops;

#endif
