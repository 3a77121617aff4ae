// SPDX-License-Identifier: MIT
// The broker: order, once, changes from inside callbacks, payload versions, filters.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "plugin/signal.h"

struct bench {
    struct broker *broker;
    struct signal_group *group;
    struct signal *signal;
    char trace[64];
    size_t length;
    struct subscription *victim;
    int depth;
};

static struct bench *bench; // callbacks have no context of their own

static void put(char c)
{
    if (bench->length + 1 < sizeof bench->trace)
        bench->trace[bench->length++] = c;
    bench->trace[bench->length] = 0;
}

static int setup(void **state)
{
    bench = xcalloc(1, sizeof *bench);
    bench->broker = broker_create();
    bench->group = broker_register_group(bench->broker, "g", NULL, NULL);
    bench->signal = signal_resolve(bench->group, "s", NULL);
    *state = bench;
    return 0;
}

static int teardown(void **state)
{
    broker_destroy(bench->broker);
    free(bench);
    return 0;
}

static void call_a(void *data, void *cpu)
{
    put('a');
}

static void call_b(void *data, void *cpu)
{
    put('b');
}

static void call_c(void *data, void *cpu)
{
    put('c');
}

static struct subscription *subscribe(signal_callback *callback, int priority, bool once)
{
    struct subscribe_options options = {.priority = priority, .once = once};
    struct subscription *s =
        broker_subscribe(bench->broker, "g", "s", callback, bench, &options, NULL);
    assert_non_null(s);
    return s;
}

static void emit(void)
{
    signal_emit(bench->signal, bench, NULL);
}

static void test_priority(void **state)
{
    subscribe(call_a, 0, false);
    subscribe(call_b, 5, false);
    subscribe(call_c, 0, false);
    subscribe(call_b, -1, false);
    emit();
    assert_string_equal(bench->trace, "bacb");
}

static void test_once(void **state)
{
    subscribe(call_a, 0, true);
    subscribe(call_b, 0, false);
    emit();
    emit();
    assert_string_equal(bench->trace, "abb");
    assert_true(signal_has_subscribers(bench->signal));
    assert_true(broker_unsubscribe(bench->broker, "g", "s", call_b, bench));
    assert_false(signal_has_subscribers(bench->signal));
    assert_false(broker_unsubscribe(bench->broker, "g", "s", call_b, bench));
}

static void once_recursive(void *data, void *cpu)
{
    put('o');
    emit();
}

static void test_once_is_not_called_again_from_inside(void **state)
{
    subscribe(once_recursive, 0, true);
    emit();
    assert_string_equal(bench->trace, "o");
}

static void cancel_victim(void *data, void *cpu)
{
    put('x');
    if (bench->victim)
        subscription_cancel(bench->victim);
    bench->victim = NULL;
}

static void test_cancel_later_and_earlier(void **state)
{
    subscribe(cancel_victim, 0, false);
    bench->victim = subscribe(call_a, 0, false);
    emit();
    assert_string_equal(bench->trace, "x");
    bench->victim = subscribe(call_b, 1, false);
    emit();
    emit();
    assert_string_equal(bench->trace, "xbxx");
}

static void cancel_self(void *data, void *cpu)
{
    put('s');
    subscription_cancel(bench->victim);
}

static void test_cancel_self(void **state)
{
    bench->victim = subscribe(cancel_self, 0, false);
    subscribe(call_a, 0, false);
    emit();
    emit();
    assert_string_equal(bench->trace, "saa");
}

static void subscribe_more(void *data, void *cpu)
{
    put('m');
    subscribe(call_a, 9, false);
}

static void test_subscribe_inside(void **state)
{
    subscribe(subscribe_more, 0, true);
    emit();
    assert_string_equal(bench->trace, "m"); // the new one is older than nothing it could have seen
    emit();
    assert_string_equal(bench->trace, "ma");
}

static void remove_group(void *data, void *cpu)
{
    put('r');
    broker_remove_group(bench->group);
    assert_null(broker_find_group(bench->broker, "g"));
    assert_false(broker_has_group(bench->broker, bench->group));
    signal_emit(bench->signal, NULL, NULL); // a handle that the emitter still holds
}

static void test_remove_group_inside(void **state)
{
    subscribe(remove_group, 0, false);
    subscribe(call_a, 0, false);
    emit();
    assert_string_equal(bench->trace, "r");
    struct error err;
    assert_non_null(broker_register_group(bench->broker, "g", NULL, &err));
}

static void drop_owner(void *data, void *cpu)
{
    put('d');
    broker_drop_owner(bench->broker, bench);
}

static void test_drop_owner_inside(void **state)
{
    subscribe(drop_owner, 0, false);
    subscribe(call_a, 0, false);
    int other;
    assert_non_null(broker_subscribe(bench->broker, "g", "s", call_b, &other, NULL, NULL));
    emit();
    emit();
    assert_string_equal(bench->trace, "dbb");
}

static void nest(void *data, void *cpu)
{
    put((char)('0' + bench->depth));
    if (++bench->depth < 3)
        emit();
}

static void test_nested(void **state)
{
    subscribe(nest, 0, false);
    subscribe(call_a, 0, false);
    emit();
    assert_string_equal(bench->trace, "012aaa");
}

static void test_names(void **state)
{
    struct error err;
    assert_null(broker_register_group(bench->broker, "g", NULL, &err));
    assert_string_equal(err.text, "signal group 'g' is already provided by emu");
    assert_null(broker_register_group(bench->broker, "", NULL, &err));
    assert_null(broker_subscribe(bench->broker, "h", "s", call_a, NULL, NULL, &err));
    assert_string_equal(err.text, "no plugin provides signal group 'h'");
}

struct sample {
    uint32_t a;
    uint32_t b;
};

static const struct payload_field sample_fields[] = {
    PAYLOAD_FIELD(struct sample, a, PAYLOAD_U32, NULL),
    PAYLOAD_FIELD(struct sample, b, PAYLOAD_U32, NULL), PAYLOAD_FIELDS_END};
static const struct payload_field less_fields[] = {
    PAYLOAD_FIELD(struct sample, b, PAYLOAD_U32, NULL), PAYLOAD_FIELDS_END};
static const struct payload_field moved_fields[] = {{"a", PAYLOAD_U32, 4, 4, NULL},
                                                    PAYLOAD_FIELDS_END};
static const struct payload_field strange_fields[] = {{"z", PAYLOAD_U32, 0, 4, NULL},
                                                      PAYLOAD_FIELDS_END};

static bool accepts(const struct payload_type *want, struct error *err)
{
    struct subscribe_options options = {.payload = want};
    return broker_subscribe(bench->broker, "g", "s", call_a, NULL, &options, err) != NULL;
}

static void test_payloads(void **state)
{
    struct error err;
    const struct payload_type have = {"sample", 2, sizeof(struct sample), sample_fields, NULL};
    signal_resolve(bench->group, "s", &have);
    assert_true(accepts(&have, &err));
    assert_true(accepts(&(struct payload_type){"sample", 2, 8, less_fields, NULL}, &err));
    assert_false(accepts(&(struct payload_type){"sample", 1, 8, sample_fields, NULL}, &err));
    assert_string_equal(err.text, "cannot subscribe to g/s: 'sample' is version 2 here, the "
                                  "subscriber wants version 1");
    assert_false(accepts(&(struct payload_type){"other", 2, 8, sample_fields, NULL}, &err));
    assert_false(accepts(&(struct payload_type){"sample", 2, 8, moved_fields, NULL}, &err));
    assert_string_equal(err.text,
                        "cannot subscribe to g/s: field 'a' of 'sample' is laid out differently");
    assert_false(accepts(&(struct payload_type){"sample", 2, 8, strange_fields, NULL}, &err));
    assert_string_equal(err.text, "cannot subscribe to g/s: field 'z' of 'sample' is not there");
    assert_true(accepts(NULL, &err));
}

static bool odd_only(void *context, void *data, void *cpu)
{
    return (*(int *)data & 1) != 0;
}

static void context_call(void *context, void *data, void *cpu)
{
    put(*(char *)context);
}

static void count_free(void *context)
{
    put('f');
}

static void test_filter_and_context(void **state)
{
    char letter = 'k';
    struct subscribe_options options = {.once = true,
                                        .context = &letter,
                                        .callback2 = context_call,
                                        .filter = odd_only,
                                        .free_context = count_free};
    assert_non_null(broker_subscribe(bench->broker, "g", "s", call_a, NULL, &options, NULL));
    for (int i = 0; i < 6; i += 2)
        signal_emit(bench->signal, &i, NULL);
    assert_string_equal(bench->trace, ""); // `once` is not used up by what the filter held back
    int odd = 7;
    signal_emit(bench->signal, &odd, NULL);
    signal_emit(bench->signal, &odd, NULL);
    assert_string_equal(bench->trace, "kf");
}

static void watch(void *self, bool any)
{
    put(any ? '+' : '-');
}

static void test_watch(void **state)
{
    signal_set_watch(bench->signal, watch, NULL);
    struct subscription *a = subscribe(call_a, 0, false);
    struct subscription *b = subscribe(call_a, 0, false);
    subscription_cancel(a);
    subscription_cancel(b);
    assert_string_equal(bench->trace, "+++-");
}

static void see_subscriber(void *self, const struct subscriber_view *view)
{
    uint64_t *calls = self;
    *calls += view->calls;
    assert_true(view->seconds >= 0);
}

static void see_signal(void *self, const struct signal_view *view)
{
    assert_string_equal(view->group, "g");
    assert_int_equal(view->emissions, 3);
    assert_true(view->per_second > 0);
    signal_for_each_subscriber(view->signal, see_subscriber, self);
}

static void test_introspection(void **state)
{
    subscribe(call_a, 0, false);
    subscribe(call_b, 0, false);
    for (int i = 0; i < 3; i++)
        emit();
    uint64_t calls = 0;
    broker_for_each(bench->broker, see_signal, &calls);
    assert_int_equal(calls, 6);
}

static void invoke(void *self, void *owner, void (*fn)(void *arg), void *arg)
{
    put('<');
    fn(arg);
    put('>');
}

static void test_invoker(void **state)
{
    broker_set_invoker(bench->broker, invoke, NULL);
    subscribe(call_a, 0, false);
    assert_non_null(broker_subscribe(bench->broker, "g", "s", call_b, NULL, NULL, NULL));
    emit();
    assert_string_equal(bench->trace, "<a>b"); // emu's own are called directly
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_priority),
        TEST(test_once),
        TEST(test_once_is_not_called_again_from_inside),
        TEST(test_cancel_later_and_earlier),
        TEST(test_cancel_self),
        TEST(test_subscribe_inside),
        TEST(test_remove_group_inside),
        TEST(test_drop_owner_inside),
        TEST(test_nested),
        TEST(test_names),
        TEST(test_payloads),
        TEST(test_filter_and_context),
        TEST(test_watch),
        TEST(test_introspection),
        TEST(test_invoker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
