// SPDX-License-Identifier: MIT
// The window: rights of what enters, what closes it, and what opening it again keeps.
#include "paging_fixture.h"

#include "mmu/window.h"

static const uint32_t cr0_on = CR0_PE | CR0_PG | CR0_WP;

static bool opened(struct fixture *f)
{
    if (!mmu_window_base(&f->mmu))
        assert_true(mmu_window_create(&f->mmu));
    mmu_set_control(&f->mmu, cr0_on, ROOT, 0, false, true);
    return mmu_window_open(&f->mmu, true);
}

static uint32_t pte(struct fixture *f, uint32_t linear)
{
    return load_le32(f->ram + TABLE + ((linear >> 12) & 0x3ff) * 4);
}

static volatile uint8_t *at(struct fixture *f, uint32_t linear)
{
    return mmu_window_base(&f->mmu) + linear;
}

static void test_rights(void **state)
{
    struct fixture *f = *state;
    map_4k(f, 0x5000, P | RW | US, FRAME | P | RW | US);
    map_4k(f, 0x6000, P | RW | US, (FRAME + PAGE_SIZE) | P | US);
    map_4k(f, 0x7000, P | RW | US, (FRAME + 2 * PAGE_SIZE) | P | RW);
    map_4k(f, 0x8000, P | RW | US, MMIO_BASE | P | RW | US);
    map_4k(f, 0x9000, P | RW | US, ROM_BASE | P | RW | US);
    f->ram[FRAME + 0x123] = 42;
    assert_true(opened(f));
    assert_true(mmu_window_fill(&f->mmu, 0x5123, false));
    assert_int_equal(*at(f, 0x5123), 42);
    assert_true(pte(f, 0x5000) & A);
    assert_false(pte(f, 0x5000) & D);
    assert_true(mmu_window_fill(&f->mmu, 0x5000, true));
    assert_true(pte(f, 0x5000) & D);
    *at(f, 0x5124) = 43;
    assert_int_equal(f->ram[FRAME + 0x124], 43);
    assert_true(mmu_window_fill(&f->mmu, 0x6000, false));
    assert_false(mmu_window_fill(&f->mmu, 0x7000, false)); // the supervisor's
    assert_false(mmu_window_fill(&f->mmu, 0x8000, false));
    assert_int_equal(f->mmio_reads, 0);
    assert_false(mmu_window_fill(&f->mmu, 0x9000, false));
    assert_true(f->mmu.window_open);
    assert_int_equal(mmu_window_stats(&f->mmu).pages, 2);
    assert_false(mmu_window_fill(&f->mmu, 0x6000, true)); // a fault drops what was there
    assert_false(f->mmu.window_open);
}

static void test_closed_by_changes(void **state)
{
    struct fixture *f = *state;
    map_4k(f, 0x5000, P | RW | US, FRAME | P | RW | US);
    assert_true(opened(f));
    assert_true(mmu_window_fill(&f->mmu, 0x5000, false));
    mmu_flush_page(&f->mmu, 0x6000); // not in it
    assert_true(f->mmu.window_open);
    mmu_flush_page(&f->mmu, 0x5000);
    assert_false(f->mmu.window_open);
    assert_true(opened(f));
    mmu_flush_all(&f->mmu);
    assert_false(f->mmu.window_open);
    assert_true(opened(f));
    mmu_set_control(&f->mmu, cr0_on, ROOT, 0, false, true);
    assert_false(f->mmu.window_open);
    f->mmu.trace_all = true;
    assert_false(mmu_window_open(&f->mmu, true));
}

// Opening again keeps the pages that are as they were, and no others.
static void test_opened_again(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < 8; i++)
        map_4k(f, 0x10000 + i * PAGE_SIZE, P | RW | US, (FRAME + i * PAGE_SIZE) | P | RW | US);
    assert_true(opened(f));
    for (uint32_t i = 0; i < 8; i++)
        assert_true(mmu_window_fill(&f->mmu, 0x10000 + i * PAGE_SIZE, i >= 4));
    assert_int_equal(mmu_window_stats(&f->mmu).pages, 8);
    const uint32_t changed[] = {
        0,                                             // gone
        (FRAME + 9 * PAGE_SIZE) | P | RW | US | A | D, // another frame
        (FRAME + 2 * PAGE_SIZE) | P | RW | A,          // the supervisor's
        (FRAME + 3 * PAGE_SIZE) | P | RW | US,         // to be seen again
        (FRAME + 4 * PAGE_SIZE) | P | US | A | D,      // read only
        (FRAME + 5 * PAGE_SIZE) | P | RW | US | A,     // to be written again
    };
    for (uint32_t i = 0; i < ARRAY_SIZE(changed); i++)
        map_4k(f, 0x10000 + i * PAGE_SIZE, P | RW | US | A, changed[i]);
    assert_true(opened(f));
    assert_int_equal(mmu_window_stats(&f->mmu).pages, 2);
    *at(f, 0x16000) = 7;
    assert_int_equal(f->ram[FRAME + 6 * PAGE_SIZE], 7);
    // Another address space begins with an empty one.
    mmu_set_control(&f->mmu, cr0_on, ROOT + PAGE_SIZE, 0, false, true);
    assert_true(mmu_window_open(&f->mmu, true));
    assert_int_equal(mmu_window_stats(&f->mmu).pages, 0);
}

// A page that becomes code cannot be written to any more; one page of RAM has one writer.
static void test_code_and_aliases(void **state)
{
    struct fixture *f = *state;
    map_4k(f, 0x5000, P | RW | US, FRAME | P | RW | US);
    map_4k(f, 0x6000, P | RW | US, FRAME | P | RW | US);
    assert_true(opened(f));
    assert_true(mmu_window_fill(&f->mmu, 0x5000, true));
    assert_false(mmu_window_fill(&f->mmu, 0x6000, true));
    assert_true(mmu_window_fill(&f->mmu, 0x5000, true));
    *at(f, 0x5000) = 5;
    assert_false(mmu_window_fill(&f->mmu, 0x6000, true));
    assert_int_equal(*at(f, 0x5000), 5);
    physmem_mark_code(f->mem, f->ram + FRAME);
    mmu_flush_writes_to(&f->mmu, f->ram + FRAME);
    assert_true(f->mmu.window_open);
    assert_int_equal(*at(f, 0x5000), 5);
    assert_false(mmu_window_fill(&f->mmu, 0x5000, true));
    assert_false(mmu_window_fill(&f->mmu, 0x6000, true));
    physmem_clear_code(f->mem, f->ram + FRAME);
    assert_true(mmu_window_fill(&f->mmu, 0x5000, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rights, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_closed_by_changes, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_opened_again, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_code_and_aliases, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
