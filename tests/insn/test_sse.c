// SPDX-License-Identifier: MIT
// SSE and SSE2 against the host: every row on XMM registers, register and memory form, random
// states with special values, rounding, FTZ, DAZ and unmasked exceptions.
#include "host_rig.h"

#define CASES 2000u

static const struct {
    enum opcode_id id;
    const char *name;
} rows[] = {
#define ROW(id, ...) {OPCODE_##id, #id},
#include "cpu/opcodes_simd.def"
#undef ROW
};

static uint16_t unmasked_of(uint32_t mxcsr)
{
    return (uint16_t)(mxcsr & ~(mxcsr >> MXCSR_MASK_SHIFT) & FPU_EXCEPTIONS);
}

// MXCSR images without the bits that only some hosts have.
static void prepare(struct rig *rig, enum opcode_id id, bool memory, struct rig_state *before)
{
    uint8_t *operand = before->memory + before->offset;
    uint32_t valid = rig_below(rig, 4) ? MXCSR_MASK_DAZ : ~0x20000u;
    if (id == OPCODE_SSE_LDMXCSR)
        store_le32(operand, load_le32(operand) & valid);
    if (id == OPCODE_SSE_FXRSTOR)
        store_le32(operand + 24, load_le32(operand + 24) & valid);
    // With a memory operand Intel's processors switch to MMX, others do not.
    if (id == OPCODE_SSE_CVTPI2PS && memory) {
        before->fpu.status = 0;
        before->fpu.tags = 0xff;
    }
}

// What differs between processors, or is left out.
static void excuse(enum opcode_id id, const struct rig_state *before, struct rig_state *guest,
                   struct rig_state *native)
{
    if (native->vector == EXC_XM) {
        // Whether #XM comes before or after the switch to MMX.
        if (opcode_rows[id].attributes & ATTR_MMX)
            fpu_accept(&guest->fpu, &native->fpu);
        // The sticky PE after a trapped #O or #U.
        if (unmasked_of(native->fpu.mxcsr) & (FPU_OE | FPU_UE) && guest->fpu.mxcsr & FPU_PE)
            native->fpu.mxcsr |= FPU_PE;
    }
    if (id == OPCODE_SSE_FXSAVE && native->vector < 0) { // pointers and MXCSR_MASK
        memcpy(guest->memory + before->offset + 6, native->memory + before->offset + 6, 18);
        memcpy(guest->memory + before->offset + 28, native->memory + before->offset + 28, 4);
        // A 64-bit host saves XMM8 to XMM15 too.
        memcpy(guest->memory + before->offset + FXSAVE_SIZE_SSE,
               native->memory + before->offset + FXSAVE_SIZE_SSE, 128);
    }
}

static bool run_case(struct rig *rig, unsigned row, bool memory)
{
    static struct rig_state before, guest, native;
    struct rig_encoding encoding;
    if (!rig_encode(rig, rows[row].id, memory, &encoding))
        return true;
    rig_randomise(rig, &before);
    prepare(rig, rows[row].id, memory, &before);
    rig_run_native(rig, &encoding, &before, &native);
    rig_run_guest(rig, &encoding, &before, &guest);
    excuse(rows[row].id, &before, &guest, &native);
    return rig_compare(rig, &encoding, rows[row].name, &before, &guest, &native, 0xffff);
}

static void test_rows_against_host(void **state)
{
    struct rig rig;
    assert_true(rig_open(&rig, UINT64_C(0xfedcba0987654321)));
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
