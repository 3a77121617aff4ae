// SPDX-License-Identifier: MIT
// mem_log: what it writes about a known loop, as text and binary, filtered and limited.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <unistd.h>

#include "small_machine.h"

static char *log_of(const char *args, size_t *size, enum executor_accel accel)
{
    setenv("EMU_PLUGIN_PATH", PLUGIN_DIR, 1);
    struct small_machine *m = small_create(NULL);
    struct error err;
    char path[] = "/tmp/mem-log-XXXXXX", text[256];
    close(mkstemp(path));
    snprintf(text, sizeof text, "file=%s,%s", path, args);
    executor_set_accel(m->executor, accel, 0, &err);
    executor_set_threshold(m->executor, 0);
    small_load_loop(m);
    if (!plugin_host_load(m->host, "mem_log", text, &err))
        fail_msg("%s", err.text);
    small_run(m, 0x1000, 10000);
    assert_int_equal(m->cpu->activity, CPU_HALTED);
    small_destroy(m);
    FILE *file = fopen(path, "rb");
    char *data = calloc(1, 65536);
    *size = fread(data, 1, 65535, file);
    fclose(file);
    unlink(path);
    return data;
}

static unsigned lines(const char *text)
{
    unsigned n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void test_text(void **state)
{
    for (int accel = EXECUTOR_INTERP; accel <= EXECUTOR_JIT; accel++) {
        size_t size;
        char *text = log_of("format=text", &size, (enum executor_accel)accel);
        assert_int_equal(lines(text), 60);
        assert_memory_equal(text,
                            "00001005 store32 0000000a v 00002000 p 00002000 cr3 00000000 cpl 0\n"
                            "0000100b load32 0000000a v 00002000 p 00002000 cr3 00000000 cpl 0\n"
                            "00001010 store32 0000000a v 00007ffc p 00007ffc cr3 00000000 cpl 0\n"
                            "00001011 load32 0000000a v 00007ffc p 00007ffc cr3 00000000 cpl 0\n"
                            "00001012 store32 00001017 v 00007ffc p 00007ffc cr3 00000000 cpl 0\n"
                            "00001020 load32 00001017 v 00007ffc p 00007ffc cr3 00000000 cpl 0\n"
                            "00001005 store32 00000009 v",
                            420);
        free(text);
    }
}

static void test_filters(void **state)
{
    size_t size;
    char *text = log_of("first=2000,last=2003,cpl=0,context=0", &size, EXECUTOR_INTERP);
    assert_int_equal(lines(text), 20);
    free(text);
    text = log_of("limit=7", &size, EXECUTOR_INTERP);
    assert_int_equal(lines(text), 7);
    free(text);
    text = log_of("cpl=3", &size, EXECUTOR_INTERP);
    assert_int_equal(size, 0);
    free(text);
}

static void test_binary(void **state)
{
    size_t size;
    char *data = log_of("format=binary", &size, EXECUTOR_INTERP);
    assert_int_equal(size, 16 + 60 * 40);
    assert_memory_equal(data, "EMUMEMLG\1\0\0\0\50\0\0\0", 16);
    assert_int_equal(load_le64(data + 16 + 8), 10);
    assert_int_equal(load_le32(data + 16 + 24), 0x1005);
    assert_int_equal(load_le32(data + 16 + 28), 0x2000);
    free(data);
}

static void refuse(const char *args, const char *text)
{
    struct small_machine *m = small_create(NULL);
    struct error err = {"?"};
    assert_false(plugin_host_load(m->host, "mem_log", args, &err));
    if (!strstr(err.text, text))
        fail_msg("%s", err.text);
    small_destroy(m);
}

static void test_bad_arguments(void **state)
{
    refuse("format=xml", "format=xml: say text or binary");
    refuse("format=binary", "format=binary needs file=PATH");
    refuse("cpl=4", "cpl=4 is not a number that fits");
    refuse("first=zz", "first=zz is not a number");
    refuse("file=/nowhere/log", "its output file cannot be written");
    refuse("colour=red", "it takes file, format, context");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_bad_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
