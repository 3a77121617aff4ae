// SPDX-License-Identifier: MIT
// A bench for chips: ports, a virtual clock that the test moves by hand, pins that remember their
// level and edges.
#ifndef EMU_TESTS_ISA_BENCH_H
#define EMU_TESTS_ISA_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "mmu/irq.h"
#include "mmu/portio.h"
#include "state/state.h"

struct bench_pin {
    bool level;
    unsigned rises, falls;
};

struct bench {
    struct log log;
    struct clock *clock;
    uint64_t instructions; // one a nanosecond
    struct portio *ports;
    struct state_registry *registry;
};

static inline void bench_init(struct bench *b)
{
    memset(b, 0, sizeof *b);
    log_init(&b->log);
    b->clock = clock_create();
    clock_set_icount(b->clock, &b->instructions, 0);
    clock_start(b->clock);
    b->ports = portio_create(&b->log);
    b->registry = state_registry_create();
}

static inline void bench_done(struct bench *b)
{
    state_registry_destroy(b->registry);
    portio_destroy(b->ports);
    clock_destroy(b->clock);
    log_close(&b->log);
}

// Moves the clock to `when`, stopping at each deadline on the way.
static inline void bench_run_to(struct bench *b, int64_t when)
{
    for (;;) {
        int64_t next = clock_next_deadline(b->clock);
        if (next > when)
            break;
        if (next > clock_now(b->clock))
            b->instructions += (uint64_t)(next - clock_now(b->clock));
        clock_run_due(b->clock);
    }
    if (when > clock_now(b->clock))
        b->instructions += (uint64_t)(when - clock_now(b->clock));
    clock_run_due(b->clock);
}

static inline void bench_run(struct bench *b, int64_t ns)
{
    bench_run_to(b, clock_now(b->clock) + ns);
}

static inline void bench_pin_set(void *self, unsigned n, bool level)
{
    struct bench_pin *pin = self;
    if (level && !pin->level)
        pin->rises++;
    if (!level && pin->level)
        pin->falls++;
    pin->level = level;
}

static inline struct irq_line bench_line(struct bench_pin *pin)
{
    return (struct irq_line){.set = bench_pin_set, .self = pin};
}

static inline uint8_t in8(struct bench *b, uint16_t port)
{
    return (uint8_t)portio_read(b->ports, port, 1);
}

static inline void out8(struct bench *b, uint16_t port, unsigned value)
{
    portio_write(b->ports, port, value, 1);
}

// Saves everything, loads it back, saves again: the same bytes.
static inline void bench_check_snapshot(struct bench *b)
{
    struct state_writer *w = state_writer_create();
    struct error err = {{0}};
    size_t length, again;
    state_save(b->registry, w);
    void *first = state_writer_take(w, &length);
    state_writer_destroy(w);
    assert_true(state_load(b->registry, first, length, &err));
    w = state_writer_create();
    state_save(b->registry, w);
    void *second = state_writer_take(w, &again);
    state_writer_destroy(w);
    assert_int_equal(length, again);
    assert_memory_equal(first, second, length);
    free(first);
    free(second);
}

#endif
