// SPDX-License-Identifier: MIT
// Error messages and log categories.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/log.h"

static void test_error_text(void **state)
{
    struct error err = {.text = ""};
    assert_false(error_set(&err, "port %d: %s", 96, "in use"));
    assert_string_equal(err.text, "port 96: in use");
    assert_false(error_prefix(&err, "-%s %d", "serial", 1));
    assert_string_equal(err.text, "-serial 1: port 96: in use");
    assert_false(error_set(&err, "[%s]", err.text)); // the old text as an argument
    assert_string_equal(err.text, "[-serial 1: port 96: in use]");
    error_set(&err, "%s: bad", "a\nb\033[2J"); // names come from files
    assert_string_equal(err.text, "a?b?[2J: bad");
    error_prefix(&err, "%s", "\r");
    assert_string_equal(err.text, "?: a?b?[2J: bad");
    assert_false(error_set(NULL, "nobody listens"));
    assert_false(error_prefix(NULL, "nobody listens"));
}

static void test_error_is_cut_not_overrun(void **state)
{
    struct {
        struct error err;
        char guard[8];
    } box = {.guard = "guarded"};
    char longer[2000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    error_set(&box.err, "%s", longer);
    assert_int_equal(strlen(box.err.text), sizeof box.err.text - 1);
    error_prefix(&box.err, "short");
    assert_int_equal(strlen(box.err.text), sizeof box.err.text - 1);
    assert_memory_equal(box.err.text, "short: xxx", 10);
    for (size_t length = 500; length < 520; length++) {
        error_set(&box.err, "inner");
        error_prefix(&box.err, "%.*s", (int)length, longer);
        assert_true(strlen(box.err.text) < sizeof box.err.text);
    }
    assert_string_equal(box.guard, "guarded");
}

static void test_allocators(void **state)
{
    uint8_t *zeroed = xcalloc(16, 4);
    for (int i = 0; i < 64; i++)
        assert_int_equal(zeroed[i], 0);
    zeroed = xrealloc(zeroed, 128);
    zeroed[127] = 1;
    free(zeroed);
    char *copy = xstrdup("abc");
    char *text = xasprintf("%s-%05d", copy, 42);
    assert_string_equal(text, "abc-00042");
    free(copy);
    free(text);
    free(xcalloc(0, 0));
}

static void test_log_mask(void **state)
{
    struct error err;
    uint32_t mask = 0;
    assert_true(log_parse_mask("int,cpu_reset", &mask, &err));
    assert_int_equal(mask, LOG_INT | LOG_RESET);
    assert_true(log_parse_mask("none", &mask, &err));
    assert_int_equal(mask, 0);
    assert_true(log_parse_mask("all", &mask, &err));
    assert_int_equal(mask, (LOG_PLUGIN << 1) - 1);
    assert_true(
        log_parse_mask("in_asm,op,out_asm,exec,cpu,mmu,guest_errors,unimp,ioport,pci,ide,post,"
                       "plugin",
                       &mask, &err));
    assert_int_equal(mask, ((LOG_PLUGIN << 1) - 1) & ~(uint32_t)(LOG_INT | LOG_RESET));
    mask = 77;
    assert_false(log_parse_mask("int,bogus,mmu", &mask, &err));
    assert_non_null(strstr(err.text, "'bogus'"));
    assert_int_equal(mask, 77);
    assert_false(log_parse_mask("", &mask, &err));
    assert_false(log_parse_mask("int,", &mask, &err));
    assert_false(log_parse_mask("in", &mask, &err));
}

static void test_log_list_names_parse(void **state)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    log_list_categories(out);
    fclose(out);
    unsigned lines = 0;
    uint32_t all = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        uint32_t mask;
        line[strcspn(line, " ")] = '\0';
        assert_true(log_parse_mask(line, &mask, NULL));
        assert_int_equal(all & mask, 0);
        all |= mask;
    }
    assert_int_equal(lines, 15);
    free(text);
}

static void test_log_file(void **state)
{
    struct log log;
    struct error err;
    char path[] = "/tmp/emu-log-XXXXXX";
    close(mkstemp(path));
    log_init(&log);
    assert_false(log_set_file(&log, "/nonexistent/dir/log", &err));
    assert_non_null(strstr(err.text, "'/nonexistent/dir/log'"));
    assert_ptr_equal(log.out, stderr);
    assert_true(log_set_file(&log, path, &err));
    log_write(&log, LOG_INT, "dropped\n");
    log.mask = LOG_INT;
    log_write(&log, LOG_INT, "vector %d\n", 14);
    log_write(&log, LOG_MMU, "dropped\n");
    log_close(&log);
    char text[64] = "";
    FILE *file = fopen(path, "r");
    assert_int_equal(fread(text, 1, sizeof text - 1, file), 10);
    assert_string_equal(text, "vector 14\n");
    fclose(file);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_text),
        cmocka_unit_test(test_error_is_cut_not_overrun),
        cmocka_unit_test(test_allocators),
        cmocka_unit_test(test_log_mask),
        cmocka_unit_test(test_log_list_names_parse),
        cmocka_unit_test(test_log_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
