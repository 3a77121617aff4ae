// SPDX-License-Identifier: MIT
// The bounded byte queue and the little-endian helpers.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/fifo.h"

static void test_limits(void **state)
{
    struct fifo f;
    fifo_init(&f, 16);
    assert_true(fifo_is_empty(&f));
    assert_int_equal(fifo_pop(&f), 0);
    assert_int_equal(fifo_peek(&f), 0);
    for (uint8_t i = 0; i < 16; i++)
        assert_true(fifo_push(&f, (uint8_t)(i + 1)));
    assert_true(fifo_is_full(&f));
    assert_false(fifo_push(&f, 99));
    assert_int_equal(fifo_free(&f), 0);
    assert_int_equal(fifo_peek(&f), 1);
    for (uint8_t i = 0; i < 16; i++)
        assert_int_equal(fifo_pop(&f), i + 1);
    assert_true(fifo_is_empty(&f));
    fifo_init(&f, 100000);
    assert_int_equal(f.limit, FIFO_CAPACITY);
    fifo_init(&f, 0);
    assert_false(fifo_push(&f, 1));
}

static void test_wraps(void **state)
{
    struct fifo f;
    uint8_t in = 0;
    uint8_t out = 0;
    fifo_init(&f, FIFO_CAPACITY);
    for (int round = 0; round < 1000; round++) {
        for (int i = 0; i < round % 200; i++)
            in += fifo_push(&f, in) ? 1 : 0;
        for (int i = 0; i < round % 190 && !fifo_is_empty(&f); i++)
            assert_int_equal(fifo_pop(&f), out++);
        assert_int_equal(f.count, (uint8_t)(in - out) ? (uint8_t)(in - out) : f.count & 256);
    }
    fifo_clear(&f);
    assert_int_equal(fifo_free(&f), FIFO_CAPACITY);
}

// A damaged snapshot may leave any head: it is masked when used.
static void test_wild_head_stays_inside(void **state)
{
    struct fifo f;
    fifo_init(&f, 8);
    f.head = 0xfffffff0;
    for (uint8_t i = 0; i < 8; i++)
        assert_true(fifo_push(&f, i));
    for (uint8_t i = 0; i < 8; i++)
        assert_int_equal(fifo_pop(&f), i);
}

static void test_helpers(void **state)
{
    uint8_t bytes[9] = {0};
    store_le64(bytes + 1, UINT64_C(0x8877665544332211));
    assert_int_equal(load_le16(bytes + 1), 0x2211);
    assert_int_equal(load_le32(bytes + 3), 0x66554433);
    assert_true(load_le64(bytes + 1) == UINT64_C(0x8877665544332211));
    assert_int_equal(bits_get(0xdeadbeef, 31, 0), 0xdeadbeef);
    assert_int_equal(bits_get(0xdeadbeef, 15, 12), 0xb);
    assert_int_equal(bits_get(0xdeadbeef, 31, 31), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_wraps),
        cmocka_unit_test(test_wild_head_stays_inside),
        cmocka_unit_test(test_helpers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
