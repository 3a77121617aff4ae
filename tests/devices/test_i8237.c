// SPDX-License-Identifier: MIT
// 8237 DMA controllers: programming as BIOS and drivers do it, transfers through memory, limits.
#include "isa_bench.h"

#include "devices/i8237.h"

struct fixture {
    struct bench b;
    struct physmem *mem;
    uint8_t *ram;
    struct i8237 *dma;
    unsigned wakes;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct error err = {{0}};
    bench_init(&f->b);
    f->mem = physmem_create(&f->b.log);
    f->ram = physmem_alloc_ram(f->mem, 1 << 20, &err);
    assert_non_null(f->ram);
    physmem_add_host(f->mem, "ram", 0, 1 << 20, 0, f->ram, f->ram);
    f->dma = i8237_create(f->b.ports, f->mem, &f->b.log, f->b.registry);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    i8237_destroy(f->dma);
    physmem_destroy(f->mem);
    bench_done(&f->b);
    free(f);
    return 0;
}

static void ready(void *self)
{
    ((struct fixture *)self)->wakes++;
}

static void open_cascade(struct fixture *f)
{
    out8(&f->b, 0x0d, 0);
    out8(&f->b, 0xda, 0);
    out8(&f->b, 0xd6, 0xc0);
    out8(&f->b, 0xd4, 0x00);
}

static void program2(struct fixture *f, unsigned mode, uint32_t address, unsigned count)
{
    out8(&f->b, 0x0a, 0x06);
    out8(&f->b, 0x0c, 0);
    out8(&f->b, 0x04, address & 0xff);
    out8(&f->b, 0x04, address >> 8 & 0xff);
    out8(&f->b, 0x81, address >> 16);
    out8(&f->b, 0x0c, 0);
    out8(&f->b, 0x05, count & 0xff);
    out8(&f->b, 0x05, count >> 8);
    out8(&f->b, 0x0b, mode | 2);
    out8(&f->b, 0x0a, 0x02);
}

static unsigned read_pair(struct fixture *f, uint16_t port)
{
    unsigned low = in8(&f->b, port);
    return low | (unsigned)in8(&f->b, port) << 8;
}

static void test_floppy_read(void **state)
{
    struct fixture *f = *state;
    uint8_t sector[512];
    bool tc;
    memset(sector, 0x5a, sizeof sector);
    i8237_attach(f->dma, 2, ready, f);
    i8237_set_request(f->dma, 2, true);
    assert_int_equal(i8237_to_memory(f->dma, 2, sector, 512, &tc), 0); // masked
    assert_false(tc);
    program2(f, 0x44, 0x12345, 1023);
    assert_int_equal(f->wakes, 0); // the cascade is closed
    assert_int_equal(i8237_to_memory(f->dma, 2, sector, 512, &tc), 0);
    open_cascade(f);
    program2(f, 0x44, 0x12345, 1023);
    assert_true(f->wakes >= 1);
    assert_true(in8(&f->b, 0x08) & 0x40);                                // request pending
    assert_int_equal(i8237_from_memory(f->dma, 2, sector, 512, &tc), 0); // wrong way
    assert_int_equal(i8237_to_memory(f->dma, 2, sector, 512, &tc), 512);
    assert_false(tc);
    out8(&f->b, 0x0c, 0);
    assert_int_equal(read_pair(f, 0x04), 0x2545);
    assert_int_equal(read_pair(f, 0x05), 511);
    memset(sector, 0xa5, sizeof sector);
    assert_int_equal(i8237_to_memory(f->dma, 2, sector, 512, &tc), 512);
    assert_true(tc);
    assert_int_equal(f->ram[0x12344], 0x00);
    assert_int_equal(f->ram[0x12345], 0x5a);
    assert_int_equal(f->ram[0x12545], 0xa5);
    assert_int_equal(f->ram[0x12744], 0xa5);
    assert_int_equal(f->ram[0x12745], 0x00);
    i8237_set_request(f->dma, 2, false);
    assert_int_equal(in8(&f->b, 0x08), 0x04); // terminal count, once
    assert_int_equal(in8(&f->b, 0x08), 0x00);
    assert_int_equal(in8(&f->b, 0x0f) & 4, 4); // masked itself
    assert_int_equal(i8237_to_memory(f->dma, 2, sector, 512, &tc), 0);
}

static void test_from_memory_and_limits(void **state)
{
    struct fixture *f = *state;
    uint8_t data[1024] = {0};
    bool tc;
    open_cascade(f);
    for (int i = 0; i < 0x20000; i++)
        f->ram[i] = (uint8_t)(i >> 8);
    // Wraps within its 64 KiB.
    program2(f, 0x48, 0x1ff00, 0x1ff);
    assert_int_equal(i8237_from_memory(f->dma, 2, data, sizeof data, &tc), 512); // clamped
    assert_true(tc);
    assert_int_equal(data[0], 0xff);
    assert_int_equal(data[255], 0xff);
    assert_int_equal(data[256], 0x00);
    // Downwards.
    program2(f, 0x68, 0x00101, 3);
    assert_int_equal(i8237_from_memory(f->dma, 2, data, 4, &tc), 4);
    assert_true(tc);
    assert_memory_equal(data, "\x01\x01\x00\x00", 4);
    // Verify moves nothing.
    program2(f, 0x40, 0x0, 9);
    data[0] = 0x77;
    assert_int_equal(i8237_from_memory(f->dma, 2, data, 4, &tc), 4);
    assert_int_equal(data[0], 0x77);
    out8(&f->b, 0x0c, 0);
    assert_int_equal(read_pair(f, 0x05), 5);
    // Autoinitialise.
    program2(f, 0x58, 0x8000, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(i8237_from_memory(f->dma, 2, data, sizeof data, &tc), 4);
        assert_true(tc);
    }
    out8(&f->b, 0x0c, 0);
    assert_int_equal(read_pair(f, 0x04), 0x8000);
    // The whole controller off.
    out8(&f->b, 0x08, 0x04);
    assert_false(i8237_is_ready(f->dma, 2));
    // Beyond memory: ones, no harm.
    out8(&f->b, 0x08, 0x00);
    program2(f, 0x48, 0xff0000, 3);
    assert_int_equal(i8237_from_memory(f->dma, 2, data, 4, &tc), 4);
    assert_memory_equal(data, "\xff\xff\xff\xff", 4);
    assert_int_equal(i8237_from_memory(f->dma, 4, data, 4, &tc), 0);
}

static void test_words(void **state)
{
    struct fixture *f = *state;
    bool tc;
    open_cascade(f);
    out8(&f->b, 0xd8, 0);
    out8(&f->b, 0xc4, 0x80); // channel 5: words from 0x30100
    out8(&f->b, 0xc4, 0x80);
    out8(&f->b, 0xc6, 0x01);
    out8(&f->b, 0xc6, 0x00);
    out8(&f->b, 0x8b, 0x03);
    out8(&f->b, 0xd6, 0x45);
    out8(&f->b, 0xd4, 0x01);
    assert_int_equal(i8237_to_memory(f->dma, 5, "abcdef", 6, &tc), 4);
    assert_true(tc);
    assert_memory_equal(f->ram + 0x30100, "abcd", 4);
    assert_int_equal(f->ram[0x30104], 0);
    assert_int_equal(in8(&f->b, 0xd0), 0x02);
    assert_int_equal(in8(&f->b, 0x8b), 0x03);
    out8(&f->b, 0x84, 0x99);
    assert_int_equal(in8(&f->b, 0x84), 0x99);
    bench_check_snapshot(&f->b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_floppy_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_from_memory_and_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_words, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
