// SPDX-License-Identifier: MIT
// Attached operations: every place, argument, predicate and request, against exact counts.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "modules/hooks.h"
#include "small_machine.h"

static const struct hooks_found *found_of(struct small_machine *m)
{
    static const struct hooks_found *found;
    found = plugin_host_functions(m->host, "hooks");
    assert_non_null(found);
    return found;
}

static const struct hooks_found *start(struct small_machine *m, const char *args)
{
    struct error err;
    small_load_loop(m);
    if (!plugin_host_load(m->host, "hooks", args, &err))
        fail_msg("%s", err.text);
    return found_of(m);
}

static const struct hooks_found *run(struct small_machine *m, const char *args)
{
    const struct hooks_found *found = start(m, args);
    uint64_t before = m->cpu->instructions;
    small_run(m, 0x1000, 10000);
    if (m->cpu->activity == CPU_HALTED && !strstr(args, "elsewhere"))
        assert_int_equal(m->cpu->instructions - before, 82);
    assert_int_equal(found->wrong, 0);
    return found;
}

static void test_count_everything(struct small_machine *m)
{
    const struct hooks_found *f = run(m, "mode=count");
    static const uint64_t expected[JIT_PLACES] = {82, 82, 30, 30, 30, 30, 29, 10, 10};
    for (int i = 0; i < JIT_PLACES; i++)
        assert_int_equal(f->at[i], expected[i]);
    assert_int_equal(f->block_starts, 31); // the entry, and behind each call, return and jump
}

static void test_loads(struct small_machine *m)
{
    const struct hooks_found *f = run(m, "mode=access");
    assert_int_equal(f->calls, 30);
    assert_int_equal(f->sum, 55 + 55 + 10 * 0x1017);
}

static void test_stores(struct small_machine *m)
{
    const struct hooks_found *f = run(m, "mode=store");
    assert_int_equal(f->calls, 30);
    assert_int_equal(f->sum, 55 + 55 + 10 * 0x1017);
}

static void test_range(struct small_machine *m)
{
    const struct hooks_found *f = run(m, "mode=range");
    assert_int_equal(f->calls, 10);
    assert_int_equal(f->last, 1);
}

static void test_threshold(struct small_machine *m)
{
    const struct hooks_found *f = run(m, "mode=threshold");
    assert_int_equal(f->at[JIT_BEFORE], 82);
    assert_int_equal(f->at[JIT_AFTER], 78);
}

static void test_records(struct small_machine *m)
{
    const struct hooks_found *f = run(m, "mode=record");
    assert_int_equal(f->flushes, 1); // 16 of 30
    assert_int_equal(f->records, 16);
}

static void test_store_operation(struct small_machine *m)
{
    assert_int_equal(run(m, "mode=put")->last, 0x1017); // the last `ret`
}

static void test_eight_arguments(struct small_machine *m)
{
    assert_int_equal(run(m, "mode=eight")->calls, 10);
}

static void test_result(struct small_machine *m)
{
    assert_int_equal(run(m, "mode=result")->calls, 10);
    assert_int_equal(m->cpu->regs[REG_EBX], 7);
}

static void test_skip(struct small_machine *m)
{
    assert_int_equal(run(m, "mode=skip")->calls, 10);
    assert_int_equal(m->cpu->regs[REG_EAX], 0); // nothing was ever stored
}

static void test_elsewhere(struct small_machine *m)
{
    assert_int_equal(run(m, "mode=elsewhere")->calls, 1);
    assert_int_equal(m->cpu->regs[REG_ECX], 10);
    assert_int_equal(m->cpu->eip, 0x101b);
}

static void test_raise(struct small_machine *m)
{
    const struct hooks_found *f = start(m, "mode=raise");
    m->cpu->idtr.limit = 0;
    small_run(m, 0x1000, 10000);
    assert_int_equal(f->vector, 6);
    assert_int_equal(f->eip, 0x1010);
    assert_int_equal(m->cpu->activity, CPU_SHUTDOWN); // there is no IDT
}

// An instruction whose accesses are watched faults in the middle.
static void test_fault_while_watched(struct small_machine *m)
{
    const struct hooks_found *f = start(m, "mode=count");
    m->cpu->idtr.limit = 0;
    m->cpu->segs[SEG_DS].limit = 0xfff;
    cpu_update_mode(m->cpu);
    small_run(m, 0x1000, 10000);
    assert_int_equal(m->cpu->activity, CPU_SHUTDOWN);
    assert_int_equal(f->at[JIT_BEFORE], 2);
    assert_int_equal(f->at[JIT_AFTER], 1);
    assert_null(m->cpu->hook.observe);
    assert_ptr_not_equal(m->cpu->mmu.tlb[0][MMU_READ], mmu_empty_table(&m->cpu->mmu));
    assert_false(m->cpu->mmu.trace_all);
}

static void test_stop(struct small_machine *m)
{
    const struct hooks_found *f = start(m, "mode=stop");
    small_run(m, 0x1000, 10000);
    assert_int_equal(f->calls, 1);
    assert_int_equal(m->stops, 1);
    assert_int_equal(m->cpu->eip, 0x1011); // behind the instruction
}

static void test_change(struct small_machine *m)
{
    run(m, "mode=change");
    uint32_t value = 0;
    assert_int_equal(m->cpu->regs[REG_ESI], 99);
    physmem_read(m->mem, 0x2ffe, &value, 4);
    assert_int_equal(value, 0x1234);
}

static void test_refusals(struct small_machine *m)
{
    assert_int_equal(run(m, "mode=refuse")->refused, 10);
    assert_true(small_has(m, "hooks: helper 'skip': argument 1 must be a CPU"));
    assert_true(small_has(m, "'x' in signature \"ix\" is not one of v i l p c"));
}

// Two address spaces see the same code page: only the chosen one counts.
static void enter_space(struct small_machine *m, uint32_t directory)
{
    static const uint32_t large_page = 0x83;
    small_write(m, directory, &large_page, sizeof large_page);
    m->cpu->cr0 |= CR0_PG;
    m->cpu->cr3 = directory;
    m->cpu->cr4 |= CR4_PSE;
    mmu_set_control(&m->cpu->mmu, m->cpu->cr0, directory, m->cpu->cr4, false, true);
    cpu_update_mode(m->cpu);
}

static void test_shared_code(struct small_machine *m)
{
    const struct hooks_found *f = start(m, "mode=filter,context=101000");
    enter_space(m, 0x100000);
    small_run(m, 0x1000, 10000);
    assert_int_equal(f->instructions, 0);
    enter_space(m, 0x101000);
    small_run(m, 0x1000, 10000);
    assert_int_equal(f->instructions, 82);
    enter_space(m, 0x100000);
    small_run(m, 0x1000, 10000);
    assert_int_equal(f->instructions, 82);
}

static void test_address_filter(struct small_machine *m)
{
    assert_int_equal(run(m, "mode=filter,from=1017")->instructions, 10);
}

// Operations come and go with the plugin, also for code that was made before.
static void test_come_and_go(struct small_machine *m)
{
    small_load_loop(m);
    small_run(m, 0x1000, 10000);
    struct executor_stats clean = executor_get_stats(m->executor);
    const struct hooks_found *f = run(m, "mode=count");
    assert_int_equal(f->at[JIT_BEFORE], 82);
    assert_true(plugin_host_unload(m->host, "hooks", NULL));
    small_run(m, 0x1000, 10000);
    struct executor_stats after = executor_get_stats(m->executor);
    assert_int_equal(after.blocks_live, clean.blocks_live);
    assert_int_equal(after.bytes_live, clean.bytes_live);
}

// Under the interpreter and, where the host can, the translator: with the same results.
static void with_machine(void (*test)(struct small_machine *m))
{
    static const enum executor_accel accels[] = {EXECUTOR_INTERP, EXECUTOR_JIT};
    setenv("EMU_PLUGIN_PATH", MODULE_DIR, 1);
    for (unsigned i = 0; i < ARRAY_SIZE(accels); i++) {
        struct small_machine *m = small_create(NULL);
        struct error err;
        executor_set_threshold(m->executor, 0); // translates at once
        if (executor_set_accel(m->executor, accels[i], 0, &err))
            test(m);
        else
            print_message("not tested: %s\n", err.text);
        small_destroy(m);
    }
}

static void run_test_count_everything(void **state)
{
    with_machine(test_count_everything);
}

static void run_test_loads(void **state)
{
    with_machine(test_loads);
}

static void run_test_stores(void **state)
{
    with_machine(test_stores);
}

static void run_test_range(void **state)
{
    with_machine(test_range);
}

static void run_test_threshold(void **state)
{
    with_machine(test_threshold);
}

static void run_test_records(void **state)
{
    with_machine(test_records);
}

static void run_test_store_operation(void **state)
{
    with_machine(test_store_operation);
}

static void run_test_eight_arguments(void **state)
{
    with_machine(test_eight_arguments);
}

static void run_test_result(void **state)
{
    with_machine(test_result);
}

static void run_test_skip(void **state)
{
    with_machine(test_skip);
}

static void run_test_elsewhere(void **state)
{
    with_machine(test_elsewhere);
}

static void run_test_raise(void **state)
{
    with_machine(test_raise);
}

static void run_test_fault_while_watched(void **state)
{
    with_machine(test_fault_while_watched);
}

static void run_test_stop(void **state)
{
    with_machine(test_stop);
}

static void run_test_change(void **state)
{
    with_machine(test_change);
}

static void run_test_refusals(void **state)
{
    with_machine(test_refusals);
}

static void run_test_shared_code(void **state)
{
    with_machine(test_shared_code);
}

static void run_test_address_filter(void **state)
{
    with_machine(test_address_filter);
}

static void run_test_come_and_go(void **state)
{
    with_machine(test_come_and_go);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_test_count_everything),
        cmocka_unit_test(run_test_loads),
        cmocka_unit_test(run_test_stores),
        cmocka_unit_test(run_test_range),
        cmocka_unit_test(run_test_threshold),
        cmocka_unit_test(run_test_records),
        cmocka_unit_test(run_test_store_operation),
        cmocka_unit_test(run_test_eight_arguments),
        cmocka_unit_test(run_test_result),
        cmocka_unit_test(run_test_skip),
        cmocka_unit_test(run_test_elsewhere),
        cmocka_unit_test(run_test_raise),
        cmocka_unit_test(run_test_fault_while_watched),
        cmocka_unit_test(run_test_stop),
        cmocka_unit_test(run_test_change),
        cmocka_unit_test(run_test_refusals),
        cmocka_unit_test(run_test_shared_code),
        cmocka_unit_test(run_test_address_filter),
        cmocka_unit_test(run_test_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
