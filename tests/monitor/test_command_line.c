// SPDX-License-Identifier: MIT
// Splitting command lines by grammar.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "monitor/command_line.h"

static struct arguments args;

static void takes(const char *line, const char *grammar)
{
    struct error err = {""};
    if (!command_line_parse(line, grammar, NULL, &args, &err))
        fail_msg("'%s' by '%s': %s", line, grammar, err.text);
}

static void refuses(const char *line, const char *grammar, const char *reason)
{
    struct error err = {""};
    if (command_line_parse(line, grammar, NULL, &args, &err))
        fail_msg("'%s' by '%s' was accepted", line, grammar);
    if (!strstr(err.text, reason))
        fail_msg("'%s': '%s' does not say '%s'", line, err.text, reason);
}

static void none(void **state)
{
    takes("", "");
    takes("   ", "");
    refuses(" x", "", "unexpected 'x'");
}

static void words_and_strings(void **state)
{
    takes(" one two", "wf");
    assert_string_equal(args.item[0].text, "one");
    assert_string_equal(args.item[1].text, "two");
    takes("\"a b\\\"c\\\\d\" x", "ff");
    assert_string_equal(args.item[0].text, "a b\"c\\d");
    assert_string_equal(args.item[1].text, "x");
    takes("\"\"", "f");
    assert_string_equal(args.item[0].text, "");
    refuses("\"abc", "f", "no closing quote");
    refuses("\"abc\\", "f", "no closing quote");
    refuses("\"abc\"d", "f", "after the closing quote");
    refuses("one", "ff", "missing");
    refuses("one two three", "ff", "unexpected 'three'");
}

static void optional_and_rest(void **state)
{
    takes("", "t?r");
    assert_false(args.item[0].present);
    takes("signals  a b  ", "t?r");
    assert_string_equal(args.item[0].text, "signals");
    assert_string_equal(args.item[1].text, "a b");
    takes("ctrl-c", "ke?");
    assert_false(args.item[1].present);
    takes("ctrl-c 50", "ke?");
    assert_int_equal(args.item[1].value, 50);
    refuses("ctrl-c x", "ke?", "'x' is not");
}

static void numbers_and_paths(void **state)
{
    takes("0xf0000 65536 bios.bin", "eef");
    assert_int_equal(args.item[1].value, 65536);
    assert_string_equal(args.item[2].text, "bios.bin");
    takes("0x10 16 /tmp/x", "eef");
    assert_int_equal(args.item[1].value, 16);
    assert_string_equal(args.item[2].text, "/tmp/x");
    takes("6 * 7", "/e");
    assert_int_equal(args.item[0].value, 42);
    refuses("6 7", "/e", "unexpected '7'");
}

static void formats(void **state)
{
    takes("/4xw 0x10", "/e");
    assert_int_equal(args.format.count, 4);
    assert_int_equal(args.format.format, 'x');
    assert_int_equal(args.format.size, 4);
    takes(" /2i 5", "/e");
    assert_int_equal(args.format.format, 'i');
    assert_int_equal(args.format.size, 0);
    takes("/g 5", "/e");
    assert_int_equal(args.format.size, 8);
    takes("5", "/e");
    assert_int_equal(args.format.count, 1);
    assert_int_equal(args.format.format, 0);
    refuses("/0x 5", "/e", "count");
    refuses("/65537b 5", "/e", "count");
    refuses("/99999999999999999999999x 5", "/e", "count");
    refuses("/xx 5", "/e", "bad format");
    refuses("/z 5", "/e", "bad format '/z'");
    refuses("/4x", "/e", "missing");
}

static void flags(void **state)
{
    takes("-f ide1-cd0", "-fb");
    assert_true(args.flag);
    assert_string_equal(args.item[0].text, "ide1-cd0");
    takes("ide1-cd0 -f", "-fb");
    assert_true(args.flag);
    takes("ide1-cd0", "-fb");
    assert_false(args.flag);
    takes("a.png -f ppm", "f=f");
    assert_string_equal(args.flag_text, "ppm");
    takes("-f ppm a.png", "f=f");
    assert_string_equal(args.item[0].text, "a.png");
    refuses("a.png -f", "f=f", "-f needs a value");
    takes("-5", "e");
    assert_int_equal(args.item[0].value, -5);
}

static void long_lines(void **state)
{
    size_t n = 100000;
    char *line = malloc(n + 1);
    memset(line, 'a', n);
    line[n] = '\0';
    refuses(line, "w", "too long");
    line[ARGUMENTS_TEXT_MAX - 1] = '\0';
    takes(line, "w");
    assert_int_equal(strlen(args.item[0].text), ARGUMENTS_TEXT_MAX - 1);
    line[ARGUMENTS_TEXT_MAX / 2] = ' ';
    takes(line, "ww");
    free(line);
}

static void kind_is(const char *line, const char *grammar, char kind, size_t where)
{
    size_t start = 999;
    assert_int_equal(command_line_kind_at_end(line, grammar, &start), kind);
    if (kind)
        assert_int_equal(start, where);
}

static void kinds_for_completion(void **state)
{
    kind_is(" ", "Lw", 'L', 1);
    kind_is(" exa", "L", 'L', 1);
    kind_is(" 0x10 5 /tm", "eef", 'f', 8);
    kind_is("/4x $e", "/e", 'e', 4);
    kind_is("/4", "/e", 0, 0);
    kind_is(" a b", "L", 0, 0);
    kind_is(" -f id", "-fb", 'b', 4);
    kind_is(" -", "-fb", 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none),
        cmocka_unit_test(words_and_strings),
        cmocka_unit_test(optional_and_rest),
        cmocka_unit_test(numbers_and_paths),
        cmocka_unit_test(formats),
        cmocka_unit_test(flags),
        cmocka_unit_test(long_lines),
        cmocka_unit_test(kinds_for_completion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
