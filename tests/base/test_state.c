// SPDX-License-Identifier: MIT
// Snapshots: round trips, and input that was cut off or damaged.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/fifo.h"
#include "state/state.h"

struct channel {
    uint16_t count;
    bool gate;
};

struct chip {
    uint8_t status;
    uint16_t words[3];
    uint32_t address;
    uint64_t ticks;
    bool flags[2];
    uint8_t ram[16];
    struct timer *timer;
    struct fifo fifo;
    struct channel channels[3];
    uint32_t derived; // from address, not saved
    bool refuse;
};

static const struct state_field channel_fields[] = {
    STATE_FIELD(STATE_U16, struct channel, count),
    STATE_FIELD(STATE_BOOL, struct channel, gate),
    STATE_FIELDS_END,
};

static const struct state_field chip_fields[] = {
    STATE_FIELD(STATE_U8, struct chip, status),
    STATE_ARRAY(STATE_U16, struct chip, words),
    STATE_FIELD(STATE_U32, struct chip, address),
    STATE_FIELD(STATE_U64, struct chip, ticks),
    STATE_ARRAY(STATE_BOOL, struct chip, flags),
    STATE_BYTES_OF(struct chip, ram),
    STATE_FIELD(STATE_TIMER, struct chip, timer),
    STATE_FIELD(STATE_FIFO, struct chip, fifo),
    STATE_STRUCTS(struct chip, channels, 3, sizeof(struct channel), channel_fields),
    STATE_FIELDS_END,
};

struct rig {
    struct clock *clock;
    struct chip a;
    struct chip b;
    struct state_registry *registry;
    int timer_calls;
};

static void on_timer(void *self)
{
    ++*(int *)self;
}

static bool chip_after_load(void *object, struct error *err)
{
    struct chip *chip = object;
    chip->derived = chip->address * 2;
    return chip->refuse ? error_set(err, "bad address") : true;
}

static void rig_register(struct rig *rig, const char *name, struct chip *chip)
{
    const struct state_section section = {.name = name,
                                          .version = 3,
                                          .fields = chip_fields,
                                          .object = chip,
                                          .after_load = chip_after_load};
    state_register(rig->registry, &section);
}

static void rig_create(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    rig->clock = clock_create();
    rig->registry = state_registry_create();
    rig->a.timer = timer_create_on(rig->clock, "a", on_timer, &rig->timer_calls);
    rig->b.timer = timer_create_on(rig->clock, "b", on_timer, &rig->timer_calls);
    fifo_init(&rig->a.fifo, 16);
    fifo_init(&rig->b.fifo, 64);
    rig_register(rig, "chip-a", &rig->a);
    rig_register(rig, "chip-b", &rig->b);
}

static void rig_destroy(struct rig *rig)
{
    timer_destroy(rig->a.timer);
    timer_destroy(rig->b.timer);
    clock_destroy(rig->clock);
    state_registry_destroy(rig->registry);
}

static void chip_fill(struct chip *chip, uint32_t seed)
{
    chip->status = (uint8_t)seed;
    for (int i = 0; i < 3; i++) {
        chip->words[i] = (uint16_t)(seed * 3 + (uint32_t)i);
        chip->channels[i].count = (uint16_t)(seed + 1000u * (uint32_t)i);
        chip->channels[i].gate = i & 1;
    }
    chip->address = seed * 0x01010101u;
    chip->ticks = UINT64_C(0x123456789abcdef0) + seed;
    chip->flags[0] = true;
    memset(chip->ram, (int)seed, sizeof chip->ram);
    timer_arm(chip->timer, 1000 + (int)seed);
    for (uint32_t i = 0; i < 20; i++) { // moves the head round
        fifo_push(&chip->fifo, (uint8_t)(seed + i));
        if (i < 15)
            fifo_pop(&chip->fifo);
    }
}

static uint8_t *rig_save(struct rig *rig, size_t *length)
{
    struct state_writer *writer = state_writer_create();
    state_save(rig->registry, writer);
    uint8_t *data = state_writer_take(writer, length);
    state_writer_destroy(writer);
    return data;
}

static void test_round_trip(void **state)
{
    struct rig from, to;
    struct error err = {.text = ""};
    rig_create(&from);
    rig_create(&to);
    chip_fill(&from.a, 7);
    chip_fill(&from.b, 99);
    timer_cancel(from.b.timer);
    timer_arm(to.b.timer, 5); // must be cancelled by loading
    assert_true(state_hash(from.registry) != state_hash(to.registry));
    size_t length;
    uint8_t *data = rig_save(&from, &length);
    assert_true(state_load(to.registry, data, length, &err));
    assert_int_equal(to.a.status, 7);
    assert_int_equal(to.a.words[2], 23);
    assert_true(to.a.ticks == from.a.ticks);
    assert_true(to.a.flags[0]);
    assert_false(to.a.flags[1]);
    assert_memory_equal(to.b.ram, from.b.ram, sizeof to.b.ram);
    assert_int_equal(to.b.channels[2].count, 2099);
    assert_true(to.b.channels[1].gate);
    assert_int_equal(to.a.derived, to.a.address * 2);
    assert_int_equal(timer_deadline(to.a.timer), 1007);
    assert_false(timer_is_armed(to.b.timer));
    assert_int_equal(to.a.fifo.limit, 16);
    assert_int_equal(to.a.fifo.count, 5);
    for (uint8_t i = 15; i < 20; i++)
        assert_int_equal(fifo_pop(&to.a.fifo), 7 + i);
    assert_true(state_load(to.registry, data, length, &err));
    size_t again_length;
    uint8_t *again = rig_save(&to, &again_length);
    assert_int_equal(again_length, length);
    assert_memory_equal(again, data, length);
    assert_true(state_hash(from.registry) == state_hash(to.registry));
    to.a.flags[1] = true;
    assert_true(state_hash(from.registry) != state_hash(to.registry));
    clock_set_now(to.clock, 1007);
    clock_run_due(to.clock);
    assert_int_equal(to.timer_calls, 1); // loading armed it
    free(data);
    free(again);
    rig_destroy(&from);
    rig_destroy(&to);
}

static void test_every_truncation_fails(void **state)
{
    struct rig from, to;
    rig_create(&from);
    rig_create(&to);
    chip_fill(&from.a, 1);
    chip_fill(&from.b, 2);
    size_t length;
    uint8_t *data = rig_save(&from, &length);
    uint64_t before = state_hash(to.registry);
    for (size_t cut = 0; cut < length; cut++) {
        struct error err = {.text = ""};
        uint8_t *copy = malloc(cut ? cut : 1); // exact size: a sanitizer sees one byte too many
        memcpy(copy, data, cut);
        assert_false(state_load(to.registry, copy, cut, &err));
        assert_true(err.text[0] != '\0');
        assert_true(state_hash(to.registry) == before); // nothing was touched
        free(copy);
    }
    free(data);
    rig_destroy(&from);
    rig_destroy(&to);
}

static void test_every_bit_flip_is_survived(void **state)
{
    struct rig from, to;
    rig_create(&from);
    rig_create(&to);
    chip_fill(&from.a, 1);
    chip_fill(&from.b, 2);
    size_t length;
    uint8_t *data = rig_save(&from, &length);
    unsigned refused = 0;
    for (size_t bit = 0; bit < length * 8; bit++) {
        struct error err = {.text = ""};
        data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        uint64_t before = state_hash(to.registry);
        if (state_load(to.registry, data, length, &err)) {
            size_t again_length;
            uint8_t *again = rig_save(&to, &again_length);
            assert_int_equal(again_length, length);
            assert_memory_equal(again, data, length); // what was accepted is what is there
            free(again);
        } else {
            assert_true(err.text[0] != '\0');
            assert_true(state_hash(to.registry) == before);
            refused++;
        }
        assert_true(to.a.fifo.limit <= FIFO_CAPACITY && to.a.fifo.count <= to.a.fifo.limit);
        data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    // Names, versions, lengths (2 x 15 bytes), 7 bits of each bool, most bits of the fifo's words.
    assert_true(refused > 2 * 15 * 8 + 2 * 5 * 7);
    free(data);
    rig_destroy(&from);
    rig_destroy(&to);
}

static void expect_error(struct rig *rig, const uint8_t *data, size_t length, const char *part)
{
    struct error err = {.text = ""};
    assert_false(state_load(rig->registry, data, length, &err));
    if (!strstr(err.text, part))
        fail_msg("'%s' does not mention '%s'", err.text, part);
}

static void test_messages(void **state)
{
    struct rig rig;
    rig_create(&rig);
    size_t length;
    uint8_t *data = rig_save(&rig, &length);
    uint8_t *twice = malloc(length * 2);
    memcpy(twice, data, length);
    memcpy(twice + length, data, length);
    expect_error(&rig, twice, length * 2, "'chip-a' occurs twice");
    free(twice);
    expect_error(&rig, data, length / 2, "no section 'chip-b'");
    expect_error(&rig, data, length - 1, "cut off in section 'chip-b'");
    data[1] = 'X';
    expect_error(&rig, data, length, "'Xhip-a'");
    data[1] = '\n';
    expect_error(&rig, data, length, "'?hip-a'");
    data[1] = 'c';
    data[7] = 4;
    expect_error(&rig, data, length, "version 4, this emu reads version 3");
    data[7] = 3;
    rig.b.refuse = true;
    expect_error(&rig, data, length, "section 'chip-b' of the snapshot: bad address");
    rig.b.refuse = false;
    state_unregister(rig.registry, &rig.b);
    expect_error(&rig, data, length, "'chip-b', which this machine does not have");
    assert_true(state_load(rig.registry, data, length / 2, NULL));
    free(data);
    rig_destroy(&rig);
}

static void test_payload_with_rest(void **state)
{
    struct rig rig;
    rig_create(&rig);
    state_unregister(rig.registry, &rig.b);
    size_t length;
    uint8_t *data = rig_save(&rig, &length);
    uint8_t *longer = calloc(1, length + 3);
    memcpy(longer, data, length);
    store_le32(longer + 11, load_le32(data + 11) + 3);
    expect_error(&rig, longer, length + 3, "3 bytes too long");
    store_le32(longer + 11, UINT32_MAX);
    expect_error(&rig, longer, length + 3, "cut off");
    free(longer);
    free(data);
    rig_destroy(&rig);
}

static void test_absent_timer(void **state)
{
    struct rig from, to;
    rig_create(&from);
    rig_create(&to);
    struct timer *kept = to.a.timer;
    to.a.timer = NULL;
    size_t length;
    uint8_t *data = rig_save(&from, &length);
    assert_true(state_load(to.registry, data, length, NULL));
    free(data);
    timer_arm(from.a.timer, 9);
    data = rig_save(&from, &length);
    expect_error(&to, data, length, "arms timer 'timer'");
    free(data);
    to.a.timer = kept;
    rig_destroy(&from);
    rig_destroy(&to);
}

static void test_writer(void **state)
{
    struct state_writer *writer = state_writer_create();
    size_t length = 1;
    free(state_writer_take(writer, &length));
    assert_int_equal(length, 0);
    for (uint32_t i = 0; i < 100000; i++)
        state_write_bytes(writer, &i, sizeof i);
    uint32_t *data = state_writer_take(writer, &length);
    assert_int_equal(length, 400000);
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(data[i], i);
    free(data);
    state_write_bytes(writer, "abc", 3); // usable again
    state_writer_destroy(writer);
    struct state_registry *empty = state_registry_create();
    assert_true(state_load(empty, NULL, 0, NULL));
    assert_true(state_hash(empty) == state_hash(empty));
    state_registry_destroy(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_truncation_fails),
        cmocka_unit_test(test_every_bit_flip_is_survived),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_payload_with_rest),
        cmocka_unit_test(test_absent_timer),
        cmocka_unit_test(test_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
