// SPDX-License-Identifier: MIT
// Windows calls in progress: nesting, calls that are left, memory that is used again, and a guest
// that never returns from anything.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/windows/threads.h"

// What the records of the library would read the guest with.
size_t cpu_read_memory(CPUArchState *cpu, uint32_t vaddr, void *buffer, size_t length)
{
    return 0;
}

struct lost {
    unsigned count;
    uint32_t last;
};

static void on_lost(void *self, struct win_record *r)
{
    struct lost *lost = self;
    lost->count++;
    lost->last = r->number;
}

static void push(struct win_threads *t, uint32_t number, uint32_t thread, uint32_t esp,
                 uint32_t eip)
{
    struct win_record *r = calloc(1, sizeof *r);
    *r = (struct win_record){
        .context = 0x1000, .thread = thread, .number = number, .esp = esp, .eip = eip};
    win_threads_push(t, r);
}

// Number of the call that ends there; 0: none.
static uint32_t pop(struct win_threads *t, uint32_t thread, uint32_t eip, uint32_t esp)
{
    struct win_record *r = win_threads_pop(t, 0x1000, thread, eip, esp);
    uint32_t number = r ? r->number : 0;
    win_record_free(r);
    return number;
}

static void test_interleaved(void **state)
{
    struct win_threads t;
    struct lost lost = {0, 0};
    assert_true(win_threads_init(&t, on_lost, &lost));
    push(&t, 1, 0xa000, 100, 0);
    push(&t, 2, 0xb000, 100, 77); // another thread at the same stack pointer
    assert_int_equal(t.records, 2);
    assert_int_equal(pop(&t, 0xc000, 0, 100), 0);
    assert_int_equal(pop(&t, 0xb000, 76, 100), 0); // not where INT 2Eh returns to
    assert_int_equal(pop(&t, 0xb000, 77, 100), 2);
    assert_int_equal(pop(&t, 0xa000, 5, 104), 0);
    assert_int_equal(pop(&t, 0xa000, 5, 100), 1);
    assert_int_equal(pop(&t, 0xa000, 5, 100), 0);
    assert_int_equal(lost.count, 0);
    assert_int_equal(t.threads, 0);
    win_threads_free(&t);
}

static void test_nested(void **state)
{
    struct win_threads t;
    struct lost lost = {0, 0};
    assert_true(win_threads_init(&t, on_lost, &lost));
    push(&t, 1, 0xa000, 1000, 0); // calls back
    push(&t, 2, 0xa000, 800, 0);
    assert_int_equal(pop(&t, 0xa000, 0, 800), 2);
    push(&t, 3, 0xa000, 780, 0); // NtCallbackReturn: the outer one returns
    assert_int_equal(pop(&t, 0xa000, 0, 1000), 1);
    assert_int_equal(lost.count, 1);
    assert_int_equal(lost.last, 3);
    push(&t, 4, 0xa000, 500, 0); // never returns; the next call stands above it
    push(&t, 5, 0xa000, 600, 0);
    assert_int_equal(lost.count, 2);
    assert_int_equal(lost.last, 4);
    push(&t, 6, 0xa000, 600, 0); // the same place of the stack again
    assert_int_equal(lost.last, 5);
    win_threads_free(&t);
    assert_int_equal(lost.count, 4);
    assert_int_equal(lost.last, 6);
}

static void test_never_returns(void **state)
{
    struct win_threads t;
    struct lost lost = {0, 0};
    assert_true(win_threads_init(&t, on_lost, &lost));
    for (uint32_t i = 1; i <= 100000; i++)
        push(&t, i, i << 12, 0xf0000000, 0);
    assert_in_range(t.threads, 1, 16384);
    assert_int_equal(t.records, t.threads);
    assert_int_equal(lost.count, 100000 - t.threads);
    assert_int_equal(lost.last, 100000 - t.threads); // the oldest first
    for (uint32_t i = 0; i < 1000; i++)
        push(&t, i, 0x7000, 0xe0000000 - 4 * i, 0); // ever deeper
    assert_in_range(t.records - t.threads, 0, 32);
    win_threads_free(&t);
    assert_int_equal(lost.count, 101000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_interleaved),
                                       cmocka_unit_test(test_nested),
                                       cmocka_unit_test(test_never_returns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
