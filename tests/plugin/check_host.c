// SPDX-License-Identifier: MIT
// The loader and the life of plugins: refusals with their messages, dependencies, unloading,
// crashes. Damaged files: check_damaged.c.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <link.h>
#include <unistd.h>

#include "modules/alpha.h"
#include "small_machine.h"

// cmocka sets its own signal handlers when a test begins: the machine, which sets those of the
// plugin host, is made after that.
static void with_machine(void (*test)(void **state))
{
    setenv("EMU_PLUGIN_PATH", MODULE_DIR ":" PLUGIN_DIR, 1);
    void *state = small_create(NULL);
    test(&state);
    small_destroy(state);
}

struct counter {
    const char *name;
    unsigned all, hits;
};

static void count_one(void *self, const struct plugin_view *view)
{
    struct counter *c = self;
    c->all++;
    if (c->name && strcmp(c->name, view->name) == 0)
        c->hits++;
}

static unsigned loaded(struct small_machine *m)
{
    struct counter c = {0};
    plugin_host_for_each(m->host, count_one, &c);
    return c.all;
}

static bool is_loaded(struct small_machine *m, const char *name)
{
    struct counter c = {.name = name};
    plugin_host_for_each(m->host, count_one, &c);
    return c.hits == 1;
}

static void load(struct small_machine *m, const char *name, const char *args)
{
    struct error err = {"?"};
    if (!plugin_host_load(m->host, name, args, &err))
        fail_msg("%s: %s", name, err.text);
}

// Loading fails with this text, and leaves nothing behind.
static void refuse(struct small_machine *m, const char *name, const char *args, const char *text)
{
    struct error err = {"?"};
    assert_false(plugin_host_load(m->host, name, args, &err));
    if (!strstr(err.text, text))
        fail_msg("%s: '%s' does not say '%s'", name, err.text, text);
    assert_null(strchr(err.text, '\n'));
    assert_int_equal(loaded(m), 0);
}

static void emit_tick(struct small_machine *m, uint32_t value)
{
    struct signal_group *g = broker_find_group(m->broker, "alpha");
    struct alpha_tick tick = {value, "tock"};
    assert_non_null(g);
    signal_emit(signal_resolve(g, "TICK", NULL), &tick, m->cpu);
}

static void test_json(void **state)
{
    struct small_machine *m = *state;
    char path[] = "/tmp/emu-json-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    char *args = xasprintf("file=%s", path);
    load(m, "json_writer", args);
    struct error err;
    assert_true(plugin_host_unload(m->host, "json_writer", &err));
    char text[2048] = "";
    assert_true(read(fd, text, sizeof text - 1) > 0);
    assert_string_equal(text,
                        "{\"event\":\"said\",\"text\":\"a \\\"b\\\" \\\\ \\u000a\"}\n"
                        "{\"event\":\"said\",\"text\":\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x99\x82\"}\n"
                        "{\"event\":\"said\",\"text\":\"\\u00e9 \\u00c0\\u0080 "
                        "\\u00ed\\u00a0\\u0080 \\u00e2\\u0082\"}\n"
                        "{\"event\":\"said\",\"text\":null}\n");
    close(fd);
    unlink(path);
    free(args);
}

static void test_refusals(void **state)
{
    struct small_machine *m = *state;
    refuse(m, "no_such_thing", NULL, "no plugin-no_such_thing-i386.plugin in ");
    refuse(m, "", NULL, "is no plugin name");
    refuse(m, "a/b", NULL, "a path starts with '.' or '/'");
    refuse(m, "/nowhere/plugin-x-i386.plugin", NULL, "No such file");
    refuse(m, "no_start", NULL, "exports no pi_start");
    refuse(m, "no_info", NULL, "exports no init_info");
    refuse(m, "not_a_plugin", NULL, "was not built with <emu/plugin.h>");
    refuse(m, "old_abi", NULL, "was built for plugin ABI 77, this emu has ABI 1; build it again");
    refuse(m, "needs_nothing_known", NULL,
           "needs 'nowhere', and no plugin has that name or provides that group");
    refuse(m, "only_xp", NULL,
           "is for WinXP, Win7, but the guest is not named; start emu with -os-version WinXP");
    refuse(m, "cycle_a", NULL, "cyclic dependency");
    refuse(m, "cycle_b", NULL, "cyclic dependency");
    refuse(m, "refuses", NULL, "plugin 'refuses': the weather is bad");
    refuse(m, "provider", "nonsense", "'nonsense' is no argument of a plugin; write key=value");
    refuse(m, "crasher", "at=exit,color=red", "has no argument 'color'; it takes at, how");
    refuse(m, "contexts", "color=red", "has no argument 'color'; it takes none");
    refuse(m, MODULE_DIR, NULL, "damaged");
}

static void test_ring_by_subscription(void **state)
{
    struct small_machine *m = *state;
    refuse(m, "ring_a", NULL, "no ring_b");
    assert_true(small_has(m, "still loading (cyclic dependency)"));
}

static void test_os_version(void **state)
{
    struct small_machine *m = small_create("Win7");
    load(m, "only_xp", NULL);
    assert_true(small_has(m, "only_xp started"));
    small_destroy(m);
}

static void test_name_taken(void **state)
{
    struct small_machine *m = *state;
    struct error err;
    load(m, "provider", NULL);
    assert_false(plugin_host_load(m->host, "taker", NULL, &err));
    assert_true(small_has(m, "signal group 'alpha' is already provided by provider"));
    assert_int_equal(loaded(m), 1);
    assert_false(plugin_host_load(m->host, "provider", NULL, &err));
    assert_string_equal(err.text, "plugin 'provider' is already loaded");
    load(m, "believer", NULL);
    assert_true(small_has(m, "liar started"));
    assert_true(small_has(m, "no plugin provides signal group 'lies'"));
}

static void test_provider_comes_along(void **state)
{
    struct small_machine *m = *state;
    struct error err;
    load(m, "consumer", NULL);
    assert_true(is_loaded(m, "provider"));
    assert_true(small_has(m, "consumer: 2 + 3 = 5"));
    emit_tick(m, 41);
    assert_true(small_has(m, "consumer: tick 41 tock"));
    // The provider takes its user with it, which is told first.
    assert_true(plugin_host_unload(m->host, "provider", &err));
    assert_int_equal(loaded(m), 0);
    assert_true(small_has(m, "consumer: provider goes\n"
                             "plugin consumer is stopped too: it uses provider\n"
                             "consumer: exit\n"));
    assert_false(plugin_host_unload(m->host, "provider", &err));
    assert_string_equal(err.text, "plugin 'provider' is not loaded");
}

static void test_unload_user_first(void **state)
{
    struct small_machine *m = *state;
    load(m, "consumer", NULL);
    assert_true(plugin_host_unload(m->host, "consumer", NULL));
    assert_int_equal(loaded(m), 1);
    emit_tick(m, 1);
    assert_false(small_has(m, "tick"));
}

static void test_other_layout(void **state)
{
    struct small_machine *m = *state;
    struct error err;
    assert_false(plugin_host_load(m->host, "old_consumer", NULL, &err));
    assert_true(small_has(m, "'alpha_tick' is version 1 here, the subscriber wants version 0"));
    assert_false(is_loaded(m, "old_consumer"));
}

static void test_list_of_plugins(void **state)
{
    struct small_machine *m = *state;
    struct error err;
    assert_true(plugin_host_load_list(m->host, "provider,crasher,at=exit,how=segv,consumer", &err));
    assert_int_equal(loaded(m), 3);
    assert_false(plugin_host_load_list(m->host, "at=exit,provider", &err));
    assert_true(strstr(err.text, "'at=exit' belongs to no plugin") != NULL);
}

static void test_reload(void **state)
{
    struct small_machine *m = *state;
    struct error err;
    load(m, "consumer", NULL);
    assert_true(plugin_host_reload(m->host, "provider", NULL, &err));
    assert_int_equal(loaded(m), 2);
    emit_tick(m, 5);
    assert_true(small_has(m, "consumer: tick 5"));
    assert_false(plugin_host_reload(m->host, "taker", NULL, &err));
}

static void test_thousand_rounds(void **state)
{
    struct small_machine *m = *state;
    for (int i = 0; i < 1000; i++) {
        load(m, "consumer", NULL);
        assert_int_equal(loaded(m), 2);
        assert_true(plugin_host_unload(m->host, i & 1 ? "provider" : "consumer", NULL));
        plugin_host_unload_all(m->host);
        assert_int_equal(loaded(m), 0);
        small_forget(m);
    }
}

// ---- Crashes

static void expect_crash(struct small_machine *m, const char *signal)
{
    char text[64];
    snprintf(text, sizeof text, "plugin crasher crashed: %s", signal);
    if (!small_has(m, text))
        fail_msg("no '%s' in: %s", text, m->printed ? m->printed : "");
    assert_true(small_has(m, "guest: cs:eip "));
    plugin_host_settle(m->host);
    assert_false(is_loaded(m, "crasher"));
    small_forget(m);
}

static void test_crash_in_command(void **state)
{
    struct small_machine *m = *state;
    static const char *const ways[][2] = {{"how=segv", "SIGSEGV"},
                                          {"how=abort", "SIGABRT"},
                                          {"how=ill", "SIGILL"},
                                          {"how=fpe", "SIGFPE"}};
    for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
        load(m, "crasher", ways[i][0]);
        assert_true(plugin_host_run_command(m->host, "crash", ""));
        expect_crash(m, ways[i][1]);
        assert_false(plugin_host_run_command(m->host, "crash", ""));
    }
}

static void test_stack_overflow(void **state)
{
    struct small_machine *m = *state;
    load(m, "crasher", "how=stack");
    assert_true(plugin_host_run_command(m->host, "crash", ""));
    expect_crash(m, "SIGSEGV");
}

static int count_object(struct dl_phdr_info *object, size_t size, void *count)
{
    ++*(int *)count;
    return 0;
}

// What crashed stays mapped; the next load is an object of its own, however many there are.
static void test_crash_at_start(void **state)
{
    int before = 0, after = 0;
    dl_iterate_phdr(count_object, &before);
    for (int i = 0; i < 100; i++)
        refuse(*state, "dies_at_start", NULL, "plugin 'dies_at_start' crashed while it started");
    dl_iterate_phdr(count_object, &after);
    assert_int_equal(after - before, 100);
}

static void test_crash_at_exit(void **state)
{
    struct small_machine *m = *state;
    load(m, "crasher", "at=exit");
    assert_true(plugin_host_unload(m->host, "crasher", NULL));
    expect_crash(m, "SIGSEGV");
}

static void test_crash_in_subscriber(void **state)
{
    struct small_machine *m = *state;
    load(m, "crasher", "at=tick");
    load(m, "consumer", NULL);
    emit_tick(m, 3);
    assert_true(small_has(m, "consumer: tick 3")); // the one behind it was called all the same
    expect_crash(m, "SIGSEGV");
    emit_tick(m, 4);
    assert_true(small_has(m, "consumer: tick 4"));
}

static void crash_in_guest_code(struct small_machine *m, enum executor_accel accel, uint64_t limit)
{
    static const char *const places[] = {"at=translate", "at=helper", "at=helper,how=abort",
                                         "at=helper,how=fpe", "at=helper,how=stack"};
    struct error err;
    assert_true(executor_set_accel(m->executor, accel, 0, &err));
    executor_set_threshold(m->executor, 0);
    small_load_loop(m);
    for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
        load(m, "crasher", places[i]);
        uint64_t before = m->cpu->instructions;
        small_run(m, 0x1000, limit);
        expect_crash(m, strstr(places[i], "abort") ? "SIGABRT"
                        : strstr(places[i], "fpe") ? "SIGFPE"
                                                   : "SIGSEGV");
        // The guest went on to its end, or (left by a kick) can.
        if (m->cpu->activity == CPU_RUNNING)
            small_run(m, m->cpu->eip, limit);
        assert_int_equal(m->cpu->activity, CPU_HALTED);
        assert_int_equal(m->cpu->instructions - before, 82);
        assert_int_equal(m->cpu->regs[REG_ECX], 0);
        assert_null(m->cpu->jit.helper);
    }
}

static void test_crash_in_guest_code(void **state)
{
    crash_in_guest_code(*state, EXECUTOR_INTERP, 1000);
    crash_in_guest_code(*state, EXECUTOR_JIT, SMALL_NO_LIMIT);
}

static void test_crash_in_timer(void **state)
{
    struct small_machine *m = *state;
    load(m, "crasher", "at=timer");
    clock_run_due(m->clock);
    expect_crash(m, "SIGSEGV");
}

// ---- The plugins that come along

static void test_examples(void **state)
{
    struct small_machine *m = *state;
    for (int i = 0; i < 1000; i++) {
        load(m, "example2", NULL);
        assert_true(is_loaded(m, "example1"));
        assert_true(is_loaded(m, "contexts"));
        assert_true(small_has(m, "example2: example1 has counted 0 instructions"));
        assert_true(small_has(m, "example2: example1 says that 2 + 3 = 5"));
        if (i % 3 == 0)
            assert_true(plugin_host_unload(m->host, "example2", NULL));
        if (i % 3 <= 1)
            assert_true(plugin_host_unload(m->host, "example1", NULL));
        assert_true(plugin_host_unload(m->host, "contexts", NULL));
        assert_int_equal(loaded(m), 0);
        small_forget(m);
    }
}

// Two machines of one process: each plugin talks to its own.
static void test_two_machines(void **state)
{
    struct small_machine *a = *state;
    struct small_machine *b = small_create(NULL);
    load(a, "consumer", NULL);
    load(b, "consumer", NULL);
    small_forget(a);
    small_forget(b);
    emit_tick(a, 1);
    emit_tick(b, 2);
    assert_true(small_has(a, "tick 1"));
    assert_false(small_has(a, "tick 2"));
    assert_true(small_has(b, "tick 2"));
    assert_false(small_has(b, "tick 1"));
    small_destroy(b);
}

static void test_describe(void **state)
{
    struct small_machine *m = *state;
    struct error err;
    char *text = NULL;
    size_t size;
    load(m, "consumer", NULL);
    emit_tick(m, 1);
    FILE *out = open_memstream(&text, &size);
    assert_true(plugin_host_describe_signals(m->host, "alpha/TICK", out, &err));
    assert_false(plugin_host_describe_signals(m->host, "beta", out, &err));
    assert_string_equal(err.text, "there is no signal 'beta'; info signals lists them");
    fclose(out);
    assert_non_null(strstr(text, "alpha/TICK  from provider, 1 subscriber, 1 emissions"));
    assert_non_null(strstr(text, "payload alpha_tick, version 1, 16 bytes"));
    assert_non_null(strstr(text, "value            u32"));
    assert_non_null(strstr(text, "subscriber consumer: 1 calls"));
    free(text);
}

static void run_test_refusals(void **state)
{
    with_machine(test_refusals);
}

static void run_test_ring_by_subscription(void **state)
{
    with_machine(test_ring_by_subscription);
}

static void run_test_os_version(void **state)
{
    with_machine(test_os_version);
}

static void run_test_name_taken(void **state)
{
    with_machine(test_name_taken);
}

static void run_test_provider_comes_along(void **state)
{
    with_machine(test_provider_comes_along);
}

static void run_test_unload_user_first(void **state)
{
    with_machine(test_unload_user_first);
}

static void run_test_other_layout(void **state)
{
    with_machine(test_other_layout);
}

static void run_test_list_of_plugins(void **state)
{
    with_machine(test_list_of_plugins);
}

static void run_test_reload(void **state)
{
    with_machine(test_reload);
}

static void run_test_thousand_rounds(void **state)
{
    with_machine(test_thousand_rounds);
}

static void run_test_crash_in_command(void **state)
{
    with_machine(test_crash_in_command);
}

static void run_test_stack_overflow(void **state)
{
    with_machine(test_stack_overflow);
}

static void run_test_crash_at_start(void **state)
{
    with_machine(test_crash_at_start);
}

static void run_test_crash_at_exit(void **state)
{
    with_machine(test_crash_at_exit);
}

static void run_test_crash_in_subscriber(void **state)
{
    with_machine(test_crash_in_subscriber);
}

static void run_test_crash_in_guest_code(void **state)
{
    with_machine(test_crash_in_guest_code);
}

static void run_test_crash_in_timer(void **state)
{
    with_machine(test_crash_in_timer);
}

static void run_test_examples(void **state)
{
    with_machine(test_examples);
}

static void run_test_two_machines(void **state)
{
    with_machine(test_two_machines);
}

static void run_test_json(void **state)
{
    (void)state;
    with_machine(test_json);
}

static void run_test_describe(void **state)
{
    with_machine(test_describe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_test_refusals),
        cmocka_unit_test(run_test_ring_by_subscription),
        cmocka_unit_test(run_test_os_version),
        cmocka_unit_test(run_test_name_taken),
        cmocka_unit_test(run_test_provider_comes_along),
        cmocka_unit_test(run_test_unload_user_first),
        cmocka_unit_test(run_test_other_layout),
        cmocka_unit_test(run_test_list_of_plugins),
        cmocka_unit_test(run_test_reload),
        cmocka_unit_test(run_test_thousand_rounds),
        cmocka_unit_test(run_test_crash_in_command),
        cmocka_unit_test(run_test_stack_overflow),
        cmocka_unit_test(run_test_crash_at_start),
        cmocka_unit_test(run_test_crash_at_exit),
        cmocka_unit_test(run_test_crash_in_subscriber),
        cmocka_unit_test(run_test_crash_in_guest_code),
        cmocka_unit_test(run_test_crash_in_timer),
        cmocka_unit_test(run_test_examples),
        cmocka_unit_test(run_test_two_machines),
        cmocka_unit_test(run_test_describe),
        cmocka_unit_test(run_test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
