// SPDX-License-Identifier: MIT
// icount, bblock, coverage and memtrace on a known loop, under both executors; how long loading and
// unloading one takes on a guest that runs.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <time.h>
#include <unistd.h>

#include "small_machine.h"

static struct small_machine *start(const char *name, const char *args, enum executor_accel accel)
{
    struct error err;
    setenv("EMU_PLUGIN_PATH", PLUGIN_DIR, 1);
    struct small_machine *m = small_create(NULL);
    executor_set_threshold(m->executor, 0);
    executor_set_accel(m->executor, accel, 0, &err);
    small_load_loop(m);
    if (!plugin_host_load(m->host, name, args, &err))
        fail_msg("%s", err.text);
    return m;
}

static void expect(const char *name, const char *args, const char *text)
{
    for (int accel = EXECUTOR_INTERP; accel <= EXECUTOR_JIT; accel++) {
        struct small_machine *m = start(name, args, (enum executor_accel)accel);
        small_run(m, 0x1000, SMALL_NO_LIMIT);
        assert_int_equal(m->cpu->activity, CPU_HALTED);
        assert_true(plugin_host_unload(m->host, name, NULL));
        if (!small_has(m, text))
            fail_msg("%s", m->printed);
        small_destroy(m);
    }
}

static void test_icount(void **state)
{
    expect("icount", "", "icount: 82 instructions");
    expect("icount", "first=1017,last=1017", "icount: 10 instructions");
    expect("icount", "cpl=3", "icount: 0 instructions");
    expect("icount", "cpl=0,context=0", "icount: 82 instructions");
}

static void test_bblock(void **state)
{
    expect("bblock", "", "bblock: 31 blocks");
    expect("bblock", "first=1020", "bblock: 10 blocks");
}

static void test_memtrace_counts(void **state)
{
    expect("memtrace", "", "memtrace: 30 loads, 30 stores");
    expect("memtrace", "places=1", "memtrace: 30 loads, 30 stores");
    expect("memtrace", "first=1010,last=1011", "memtrace: 10 loads, 10 stores");
}

static size_t read_file(const char *path, uint8_t *data, size_t size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t got = fread(data, 1, size, file);
    fclose(file);
    unlink(path);
    return got;
}

static void write_file(const char *name, const char *args, enum executor_accel accel, uint8_t *data,
                       size_t *size)
{
    char path[] = "/tmp/instrument-XXXXXX", text[256];
    close(mkstemp(path));
    snprintf(text, sizeof text, "file=%s%s", path, args);
    struct small_machine *m = start(name, text, accel);
    small_run(m, 0x1000, SMALL_NO_LIMIT);
    plugin_host_unload(m->host, name, NULL);
    small_destroy(m);
    *size = read_file(path, data, *size);
}

static void test_memtrace_file(void **state)
{
    uint8_t data[2][4096], few[4096];
    for (int accel = EXECUTOR_INTERP; accel <= EXECUTOR_JIT; accel++) {
        size_t size = sizeof data[0];
        write_file("memtrace", "", (enum executor_accel)accel, data[accel], &size);
        assert_int_equal(size, 16 + 60 * 12);
        // The same with few places of code that have numbers.
        write_file("memtrace", ",places=2", (enum executor_accel)accel, few, &size);
        assert_int_equal(size, 16 + 60 * 12);
        assert_memory_equal(data[accel], few, size);
        assert_memory_equal(data[accel], "EMUMTRAC\1\0\0\0\14\0\0\0", 16);
        assert_int_equal(load_le32(data[accel] + 16), 0x1005);
        assert_int_equal(load_le32(data[accel] + 20), 0x2000);
        assert_int_equal(data[accel][24], 4);
        assert_int_equal(data[accel][25], 1);
    }
    assert_memory_equal(data[0], data[1], 16 + 60 * 12);
}

// An access of more than 8 bytes is one record, unless somebody looks at its value.
static void test_memtrace_wide(void **state)
{
    static const uint8_t code[] = {0xdb, 0x2d, 0xfc, 0x2f, 0, 0,   0xdb,
                                   0x3d, 0x20, 0x20, 0,    0, 0xf4};
    for (int accel = EXECUTOR_INTERP; accel <= EXECUTOR_JIT; accel++) {
        uint8_t data[128];
        char path[] = "/tmp/instrument-XXXXXX", text[256];
        close(mkstemp(path));
        snprintf(text, sizeof text, "file=%s", path);
        struct small_machine *m = start("memtrace", text, (enum executor_accel)accel);
        small_write(m, 0x1000, code, sizeof code); // fld tbyte [2ffch]; fstp tbyte [2020h]; hlt
        small_run(m, 0x1000, SMALL_NO_LIMIT);
        plugin_host_unload(m->host, "memtrace", NULL);
        small_destroy(m);
        assert_int_equal(read_file(path, data, sizeof data), 16 + 2 * 12);
        assert_int_equal(load_le32(data + 20), 0x2ffc);
        assert_int_equal(data[24] | data[25] << 8, 10);
        assert_int_equal(load_le32(data + 32), 0x2020);
        assert_int_equal(data[36] | data[37] << 8, 10 | 1 << 8);
    }
}

// The bytes of the first round's blocks: entry, call target, return, loop head, and HLT.
static void test_coverage(void **state)
{
    uint8_t data[4096];
    for (int accel = EXECUTOR_INTERP; accel <= EXECUTOR_JIT; accel++) {
        size_t size = sizeof data - 1;
        write_file("coverage", ",first=1000,last=1fff,module=loop", (enum executor_accel)accel,
                   data, &size);
        data[size] = 0;
        const char *text = (const char *)data, *table = strstr(text, "BB Table: 5 bbs\n");
        assert_non_null(strstr(text, "DRCOV VERSION: 2\nDRCOV FLAVOR: drcov\n"));
        assert_non_null(strstr(text, " 0, 0x00001000, 0x00001fff,"));
        assert_non_null(table);
        const uint8_t *entry = (const uint8_t *)strchr(table, '\n') + 1;
        assert_int_equal(size - (size_t)(entry - data), 5 * 8);
        unsigned starts = 0;
        for (unsigned i = 0; i < 5; i++)
            starts += load_le32(entry + 8 * i);
        assert_int_equal(starts, 0x00 + 0x20 + 0x17 + 0x05 + 0x1a);
    }
}

// A loop without end; the plugin comes and goes between two runs of it, as it does when a monitor
// command is carried out.
static void test_latency(void **state)
{
    static const uint8_t loop[] = {0xff, 0x05, 0, 0x20, 0, 0, 0xeb, 0xf8};
    struct small_machine *m = start("bblock", "", EXECUTOR_JIT);
    double worst = 0;
    small_write(m, 0x1000, loop, sizeof loop);
    plugin_host_unload(m->host, "bblock", NULL);
    for (unsigned i = 0; i < 20; i++) {
        struct timespec from, to;
        struct error err;
        clock_gettime(CLOCK_MONOTONIC, &from);
        if (i % 2 == 0)
            assert_true(plugin_host_load(m->host, "bblock", "", &err));
        else
            assert_true(plugin_host_unload(m->host, "bblock", NULL));
        small_run(m, 0x1000, 500); // in counted runs code is made anew too
        clock_gettime(CLOCK_MONOTONIC, &to);
        double seconds =
            (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
        worst = seconds > worst ? seconds : worst;
        if (i % 2)
            assert_true(small_has(m, "bblock: 250 blocks"));
        small_forget(m);
    }
    print_message("loading or unloading took %.2f ms at most\n", worst * 1e3);
    assert_true(worst < 1);
    small_destroy(m);
}

static void test_bad_arguments(void **state)
{
    struct error err;
    struct small_machine *m = small_create(NULL);
    assert_false(plugin_host_load(m->host, "icount", "cpl=4", &err));
    assert_non_null(strstr(err.text, "cpl=4 is not a number that fits"));
    assert_false(plugin_host_load(m->host, "memtrace", "file=/nowhere/x", &err));
    assert_non_null(strstr(err.text, "its output file cannot be written"));
    small_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_icount),          cmocka_unit_test(test_bblock),
        cmocka_unit_test(test_memtrace_counts), cmocka_unit_test(test_memtrace_file),
        cmocka_unit_test(test_memtrace_wide),   cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_latency),         cmocka_unit_test(test_bad_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
