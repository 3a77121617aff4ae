// SPDX-License-Identifier: MIT
// Expressions: C's numbers and precedence, hostile input.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "monitor/expr.h"

static bool get_register(void *self, const char *name, size_t length, int64_t *value)
{
    if (length != 3 || memcmp(name, "eax", 3) != 0)
        return false;
    *value = *(int64_t *)self;
    return true;
}

static bool eval(const char *text, bool one_word, int64_t *value, const char **rest,
                 struct error *err)
{
    static int64_t eax = 0x1000;
    struct expr_env env = {&eax, get_register};
    *rest = text;
    return expr_parse(rest, &env, one_word, value, err);
}

static void is(const char *text, int64_t expected)
{
    struct error err = {""};
    const char *rest;
    int64_t value;
    if (!eval(text, false, &value, &rest, &err))
        fail_msg("%s: %s", text, err.text);
    assert_string_equal(rest, "");
    if (value != expected)
        fail_msg("%s: %lld, not %lld", text, (long long)value, (long long)expected);
}

static void refuses(const char *text, const char *reason)
{
    struct error err = {""};
    const char *rest;
    int64_t value;
    if (eval(text, false, &value, &rest, &err))
        fail_msg("%s was accepted", text);
    if (!strstr(err.text, reason))
        fail_msg("%s: '%s' does not say '%s'", text, err.text, reason);
}

static void numbers(void **state)
{
    is("42", 42);
    is("0x2a", 42);
    is("0XfF", 255);
    is("052", 42);
    is("0", 0);
    is("'A'", 65);
    is("' '", 32);
    is("0xffffffffffffffff", -1);
    is("$eax", 0x1000);
    refuses("08", "not a number");
    refuses("0x", "not a number");
    refuses("12ab", "'12ab' is not a number");
    refuses("0x10000000000000000", "64 bits");
    refuses("18446744073709551616", "64 bits");
    refuses("$nope", "unknown register '$nope'");
    refuses("$", "unknown register");
    refuses("'A", "unterminated");
    refuses("'", "unterminated");
    refuses("foo", "'foo' is not");
    refuses("", "not complete");
}

static void precedence(void **state)
{
    is("1+2*3", 7);
    is("(1+2)*3", 9);
    is("10-4-3", 3);
    is("100/10/5", 2);
    is("7%4+1", 4);
    is("1|2^3&2", 1 | (2 ^ (3 & 2)));
    is("1<<4+1", 32);
    is("0xff00>>8&0xf", 0xf);
    is("-3", -3);
    is("- -3", 3);
    is("~0", -1);
    is("-(2+3)*~1", 10);
    is(" 1 + 2", 3);
}

static void rest_is_left(void **state)
{
    struct error err;
    const char *rest;
    int64_t value;
    assert_true(eval("0xf0000 65536 file", true, &value, &rest, &err));
    assert_int_equal(value, 0xf0000);
    assert_string_equal(rest, " 65536 file");
    assert_true(eval("16 /tmp/x", true, &value, &rest, &err));
    assert_string_equal(rest, " /tmp/x");
    assert_true(eval("0x80 -1", true, &value, &rest, &err));
    assert_string_equal(rest, " -1");
    assert_true(eval("16 / 4 x", true, &value, &rest, &err));
    assert_int_equal(value, 4);
    assert_true(eval("16/4 x", true, &value, &rest, &err));
    assert_int_equal(value, 4);
    assert_true(eval("(8 -4) x", true, &value, &rest, &err));
    assert_int_equal(value, 4);
}

static void arithmetic_never_traps(void **state)
{
    refuses("1/0", "division by zero");
    refuses("1%0", "division by zero");
    refuses("1%($eax-0x1000)", "division by zero");
    is("0x8000000000000000/-1", INT64_MIN);
    is("0x8000000000000000%-1", 0);
    is("-0x8000000000000000", INT64_MIN);
    is("0x7fffffffffffffff+1", INT64_MIN);
    is("0x7fffffffffffffff*2", -2);
    is("1<<63", INT64_MIN);
    is("-1>>63", 1);
    refuses("1<<64", "shift");
    refuses("1>>-1", "shift");
}

static void incomplete(void **state)
{
    refuses("1+", "not complete");
    refuses("(1", "')'");
    refuses("()", "not a number");
    refuses("1+*2", "not a number");
    refuses("~", "not complete");
}

static void nesting_is_bounded(void **state)
{
    size_t n = 200000;
    char *text = malloc(n + 2);
    static const char openers[] = "(-~+";
    for (size_t k = 0; k < sizeof openers - 1; k++) {
        memset(text, openers[k], n);
        text[n] = '1';
        text[n + 1] = '\0';
        refuses(text, "nested too deeply");
    }
    free(text);
    is("((((((((((1))))))))))", 1);
    is("~~~~~~~~~~1", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),      cmocka_unit_test(precedence),
        cmocka_unit_test(rest_is_left), cmocka_unit_test(arithmetic_never_traps),
        cmocka_unit_test(incomplete),   cmocka_unit_test(nesting_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
