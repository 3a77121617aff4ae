// SPDX-License-Identifier: MIT
// All legacy chips on one bus against random port accesses, keys, mouse movements, DMA and time.
// Nothing is expected but that no sanitizer speaks, nothing hangs, and a snapshot taken anywhere
// loads again.
#include "isa_bench.h"

#include <stdio.h>
#include <time.h>

#include "devices/debug_exit.h"
#include "devices/debugcon.h"
#include "devices/i8042.h"
#include "devices/i8237.h"
#include "devices/i8254.h"
#include "devices/i8259.h"
#include "devices/keymap.h"
#include "devices/mc146818.h"
#include "devices/port61.h"
#include "devices/post_port.h"
#include "devices/uart16550.h"

enum { STEPS = 2000000, SNAPSHOT_EVERY = 50000 };

struct board {
    struct bench b;
    struct bench_pin intr, reset, a20;
    struct physmem *mem;
    struct i8259_pair *pic;
    struct i8254 *pit;
    struct port61 *port61;
    struct mc146818 *rtc;
    struct port92 *port92;
    struct i8042 *kbc;
    struct i8237 *dma;
    struct uart16550 *uart[2];
    struct post_port *post;
    struct debugcon *debugcon;
    struct debug_exit *exit;
    uint32_t exit_value;
    uint64_t random;
};

static uint32_t next_random(struct board *o)
{
    // xorshift64*
    o->random ^= o->random >> 12;
    o->random ^= o->random << 25;
    o->random ^= o->random >> 27;
    return (uint32_t)(o->random * UINT64_C(0x2545f4914f6cdd1d) >> 32);
}

static void exit_written(void *self, uint32_t value)
{
    ((struct board *)self)->exit_value = value;
}

static void board_create(struct board *o)
{
    struct error err = {{0}};
    struct bench *b = &o->b;
    bench_init(b);
    o->mem = physmem_create(&b->log);
    uint8_t *ram = physmem_alloc_ram(o->mem, 1 << 20, &err);
    assert_non_null(ram);
    physmem_add_host(o->mem, "ram", 0, 1 << 20, 0, ram, ram);
    o->pic = i8259_create(b->ports, &b->log, b->registry, bench_line(&o->intr));
    o->pit = i8254_create(b->clock, b->ports, b->registry, i8259_input(o->pic, 0));
    o->port61 = port61_create(b->clock, b->ports, b->registry, o->pit);
    o->rtc = mc146818_create(b->clock, b->ports, b->registry, 1700000000, i8259_input(o->pic, 8));
    o->port92 = port92_create(b->ports, b->registry, bench_line(&o->a20), bench_line(&o->reset));
    o->kbc = i8042_create(b->ports, b->registry,
                          &(struct i8042_config){.irq1 = i8259_input(o->pic, 1),
                                                 .irq12 = i8259_input(o->pic, 12),
                                                 .reset = bench_line(&o->reset),
                                                 .a20 = o->port92});
    o->dma = i8237_create(b->ports, o->mem, &b->log, b->registry);
    for (unsigned i = 0; i < 2; i++)
        o->uart[i] =
            uart16550_create(b->clock, b->ports, b->registry,
                             &(struct uart16550_config){.name = i ? "uart1" : "uart0",
                                                        .base = i ? 0x2f8 : 0x3f8,
                                                        .irq = i8259_input(o->pic, i ? 3 : 4),
                                                        .speedup = i ? 8 : 0,
                                                        .ignore_out2 = i});
    o->post = post_port_create(b->ports, &b->log, b->registry, 0x190);
    o->debugcon = debugcon_create(b->ports, DEBUGCON_PORT, NULL);
    o->exit = debug_exit_create(b->ports, 0xf4, 4, exit_written, o);
}

static void board_destroy(struct board *o)
{
    debug_exit_destroy(o->exit);
    debugcon_destroy(o->debugcon);
    post_port_destroy(o->post);
    for (int i = 0; i < 2; i++)
        uart16550_destroy(o->uart[i]);
    i8237_destroy(o->dma);
    i8042_destroy(o->kbc);
    port92_destroy(o->port92);
    mc146818_destroy(o->rtc);
    port61_destroy(o->port61);
    i8254_destroy(o->pit);
    i8259_destroy(o->pic);
    physmem_destroy(o->mem);
    bench_done(&o->b);
}

static void fuzz_port(struct board *o)
{
    static const uint16_t ranges[][2] = {
        {0x00, 0x10}, {0x20, 2},  {0xa0, 2},  {0x4d0, 2}, {0x40, 4}, {0x40, 4},
        {0x60, 1},    {0x64, 1},  {0x61, 1},  {0x70, 2},  {0x71, 1}, {0x80, 16},
        {0x92, 1},    {0xc0, 32}, {0x3f8, 8}, {0x2f8, 8}, {0xf4, 4}, {0xe9, 1},
    };
    const uint16_t *range = ranges[next_random(o) % ARRAY_SIZE(ranges)];
    uint16_t port = (uint16_t)(range[0] + next_random(o) % range[1]);
    unsigned size = 1u << (next_random(o) % 8 ? 0 : next_random(o) % 3);
    if (next_random(o) & 1)
        portio_read(o->b.ports, port, size);
    else
        portio_write(o->b.ports, port, next_random(o), size);
}

static void fuzz_device(struct board *o)
{
    uint8_t buffer[700];
    bool tc;
    switch (next_random(o) % 8) {
    case 0:
        ps2_keyboard_key(i8042_keyboard(o->kbc), (uint8_t)next_random(o), next_random(o) & 1);
        break;
    case 1:
        ps2_mouse_move(i8042_mouse(o->kbc), (int)next_random(o), (int)next_random(o) % 300,
                       (int)next_random(o) % 3, next_random(o));
        break;
    case 2:
        memset(buffer, (int)next_random(o), sizeof buffer);
        uart16550_receive(o->uart[next_random(o) & 1], buffer, next_random(o) % 20);
        break;
    case 3:
        uart16550_receive_break(o->uart[next_random(o) & 1]);
        break;
    case 4:
        i8237_set_request(o->dma, next_random(o) & 7, next_random(o) & 1);
        memset(buffer, 1, sizeof buffer);
        if (next_random(o) & 1)
            i8237_to_memory(o->dma, next_random(o) & 7, buffer, next_random(o) % 700, &tc);
        else
            i8237_from_memory(o->dma, next_random(o) & 7, buffer, next_random(o) % 700, &tc);
        break;
    case 5:
        i8259_acknowledge(o->pic);
        break;
    case 6: {
        // Inputs that no chip of this board drives.
        static const uint8_t inputs[] = {2, 5, 6, 7, 9, 10, 11, 13, 14, 15};
        struct irq_line line = i8259_input(o->pic, inputs[next_random(o) % sizeof inputs]);
        irq_set(&line, next_random(o) & 1);
        break;
    }
    default:
        port61_speaker_frequency(o->port61);
        break;
    }
}

// Time passes at once, so that chips see deadlines that are long over.
static void fuzz_time(struct board *o)
{
    unsigned shift = next_random(o) % 34;
    o->b.instructions += next_random(o) & ((UINT64_C(1) << shift) - 1);
    for (int i = 0; i < 4; i++)
        clock_run_due(o->b.clock);
}

static void test_fuzz(void **state)
{
    struct board *o = calloc(1, sizeof *o);
    o->random = UINT64_C(0x9e3779b97f4a7c15);
    board_create(o);
    for (int i = 0; i < STEPS; i++) {
        unsigned what = next_random(o) % 16;
        if (what < 11)
            fuzz_port(o);
        else if (what < 14)
            fuzz_device(o);
        else
            fuzz_time(o);
        if (i % SNAPSHOT_EVERY == 0)
            bench_check_snapshot(&o->b);
    }
    assert_true(o->reset.rises > 0); // the run went through the controllers
    assert_true(i8259_irq_count(o->pic, 0) > 0);
    assert_true(i8259_irq_count(o->pic, 1) > 0);
    assert_true(i8259_irq_count(o->pic, 4) > 0);
    i8259_reset(o->pic);
    i8254_reset(o->pit);
    port61_reset(o->port61);
    mc146818_reset(o->rtc);
    port92_reset(o->port92);
    i8042_reset(o->kbc);
    i8237_reset(o->dma);
    uart16550_reset(o->uart[0]);
    post_port_reset(o->post);
    assert_int_equal(in8(&o->b, 0x64) & 1, 0);
    assert_int_equal(in8(&o->b, 0x3fd), 0x60);
    board_destroy(o);
    free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fuzz)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
