// SPDX-License-Identifier: MIT
// Ports: splitting, ranges over each other, ranges that move; against a model asked port by port.
#include "mmu_test.h"

#include "mmu/portio.h"

#define RANGES 10u
#define WINDOW 0x80u

struct test_range {
    struct port_range *range; // NULL: free
    uint32_t base, count;
    uint64_t added;
    bool enabled;
    unsigned max_size;
    uint8_t tag;
    unsigned calls;
    uint32_t last_offset, last_value;
    unsigned last_size;
};

static void check_access(struct test_range *r, uint32_t offset, unsigned size)
{
    assert_true(size == 1 || size == 2 || size == 4);
    assert_true(size <= r->max_size);
    assert_true(offset + size <= r->count);
    r->calls++;
    r->last_offset = offset;
    r->last_size = size;
}

// Each byte names its range and its offset.
static uint32_t range_read(void *self, uint32_t offset, unsigned size)
{
    struct test_range *r = self;
    check_access(r, offset, size);
    uint32_t value = 0;
    for (unsigned i = 0; i < 4; i++)
        value |= (uint32_t)(uint8_t)(r->tag + (offset + i) * 7) << (8 * i);
    return value;
}

static void range_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct test_range *r = self;
    check_access(r, offset, size);
    r->last_value = value;
}

static const struct test_range *owner(const struct test_range *ranges, uint16_t port)
{
    const struct test_range *best = NULL;
    for (unsigned i = 0; i < RANGES; i++) {
        const struct test_range *r = &ranges[i];
        if (r->range && r->enabled && port >= r->base && port < r->base + r->count &&
            (!best || r->added > best->added))
            best = r;
    }
    return best;
}

static uint32_t expected_read(const struct test_range *ranges, uint16_t port, unsigned size)
{
    uint32_t value = 0;
    for (unsigned done = 0; done < size;) {
        uint16_t at = (uint16_t)(port + done);
        const struct test_range *r = owner(ranges, at);
        unsigned n = 1;
        if (r)
            for (n = r->max_size; n > size - done || at + n > r->base + r->count; n /= 2)
                ;
        for (unsigned i = 0; i < n; i++) {
            uint8_t byte = r ? (uint8_t)(r->tag + (at + i - r->base) * 7) : 0xff;
            value |= (uint32_t)byte << (8 * (done + i));
        }
        done += n;
    }
    return value;
}

static void random_change(struct portio *ports, struct rng *rng, struct test_range *ranges,
                          uint64_t *clock)
{
    static const unsigned widths[] = {1, 2, 4, 0};
    struct test_range *r = &ranges[rng_below(rng, RANGES)];
    if (!r->range) {
        unsigned max = widths[rng_below(rng, 4)];
        struct port_ops ops = {.read = range_read, .write = range_write, .max_size = max};
        *r = (struct test_range){.base = rng_below(rng, WINDOW),
                                 .count = 1 + rng_below(rng, 16),
                                 .added = ++*clock,
                                 .enabled = true,
                                 .max_size = max ? max : 1,
                                 .tag = (uint8_t)rng_next(rng)};
        r->range = portio_add(ports, "range", (uint16_t)r->base, r->count, &ops, r);
        return;
    }
    switch (rng_below(rng, 3)) {
    case 0:
        port_range_remove(r->range);
        r->range = NULL;
        break;
    case 1:
        r->base = rng_below(rng, WINDOW);
        port_range_set_base(r->range, (uint16_t)r->base);
        break;
    default:
        r->enabled = !r->enabled;
        port_range_set_enabled(r->range, r->enabled);
        break;
    }
}

static void test_random(void **state)
{
    struct log log;
    log_init(&log);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct rng rng = {seed};
        struct test_range ranges[RANGES] = {0};
        struct portio *ports = portio_create(&log);
        uint64_t clock = 0;
        for (unsigned round = 0; round < 1000; round++) {
            random_change(ports, &rng, ranges, &clock);
            for (unsigned i = 0; i < 20; i++) {
                uint16_t port = (uint16_t)(rng_below(&rng, WINDOW + 24) - 4);
                unsigned size = 1u << rng_below(&rng, 3);
                assert_int_equal(portio_read(ports, port, size), expected_read(ranges, port, size));
                portio_write(ports, port, rng_next(&rng), size);
            }
        }
        portio_destroy(ports);
    }
    log_close(&log);
}

static struct test_range add(struct portio *ports, struct test_range *r, uint16_t base,
                             uint32_t count, unsigned max)
{
    struct port_ops ops = {.read = range_read, .write = range_write, .max_size = max};
    *r = (struct test_range){
        .base = base, .count = count, .max_size = max ? max : 1, .tag = (uint8_t)base};
    r->range = portio_add(ports, "fixed", base, count, &ops, r);
    return *r;
}

static void test_chips(void **state)
{
    struct log log;
    log_init(&log);
    struct portio *ports = portio_create(&log);
    struct test_range confadd, reset, pic, vbe, ide;
    add(ports, &confadd, 0xcf8, 4, 4);
    add(ports, &reset, 0xcf9, 1, 1);
    portio_write(ports, 0xcf8, 0x80001234, 4); // whole, although another range lies over 0xcf9
    assert_int_equal(confadd.last_value, 0x80001234);
    assert_int_equal(reset.calls, 0);
    portio_write(ports, 0xcf9, 6, 1);
    assert_int_equal(reset.last_value, 6);
    port_range_remove(reset.range);
    portio_write(ports, 0xcf9, 7, 1);
    assert_int_equal(confadd.last_offset, 1);
    assert_int_equal(confadd.last_value, 7);

    add(ports, &pic, 0x20, 2, 0);
    portio_write(ports, 0x20, 0x3412, 2); // two byte accesses, low port first
    assert_int_equal(pic.calls, 2);
    assert_int_equal(pic.last_offset, 1);
    assert_int_equal(pic.last_value, 0x34);

    add(ports, &vbe, 0x1ce, 3, 2); // a 16-bit register at an odd port
    portio_write(ports, 0x1cf, 0xb0c5, 2);
    assert_int_equal(vbe.calls, 1);
    assert_int_equal(vbe.last_value, 0xb0c5);

    add(ports, &ide, 0x1f0, 8, 4);
    portio_read(ports, 0x1f0, 4);
    assert_int_equal(ide.last_size, 4);
    assert_int_equal(portio_read(ports, 0x1f7, 4) >> 8, 0xffffff); // past its end nobody answers
    assert_int_equal(ide.last_size, 1);
    assert_int_equal(portio_read(ports, 0xffff, 4), 0xffffffff);

    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    portio_describe(ports, out);
    fclose(out);
    assert_non_null(strstr(text, "  0000000000000020-0000000000000021 (prio 0, i/o): fixed\n"));
    free(text);
    portio_destroy(ports);
    log_close(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_chips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
