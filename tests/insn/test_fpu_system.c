// SPDX-License-Identifier: MIT
// What the host cannot show of x87, MMX and SSE: availability by CR0 and CR4, faults that change
// nothing, instruction and operand pointers, environment formats, FERR# and IRQ13, host state.
#include "fpu_rig.h"

static const enum opcode_id rows[] = {
#define ROW(id, ...) OPCODE_##id,
#include "cpu/opcodes_x87.def"
#include "cpu/opcodes_simd.def"
#undef ROW
};

static void open_rig(struct rig *rig)
{
    assert_true(rig_open(rig, UINT64_C(0x0123456789abcdef)));
}

static struct fpu_state initial_fpu(void)
{
    struct fpu_state fpu;
    fpu_reset(&fpu, MXCSR_MASK_DAZ);
    fpu_init(&fpu);
    return fpu;
}

// Runs bytes with the CPU as it is; EBX and EDI are the caller's. Returns the exception or -1.
static int run(struct rig *rig, const void *bytes, unsigned length)
{
    struct cpu *cpu = rig->cpu;
    const struct decode_mode mode = {.code32 = true, .features = cpu->features};
    struct insn insn;
    uint8_t copy[32] = {0};
    memcpy(copy, bytes, length);
    assert_int_equal(insn_decode(&mode, copy, sizeof copy, &insn), DECODE_OK);
    cpu->insn_eip = 0x12345678;
    cpu->eip = cpu->insn_eip + insn.length;
    sigjmp_buf jump;
    cpu->jump = &jump;
    if (sigsetjmp(jump, 0) != 0)
        return cpu->raised.vector;
    insn.handler(cpu, &insn);
    return -1;
}

#define RUN(rig, bytes) run(rig, bytes, sizeof(bytes) - 1)

static void test_availability(void **state)
{
    struct rig rig;
    open_rig(&rig);
    struct cpu *cpu = rig.cpu;
    uint32_t cr0 = cpu->cr0;
    uint32_t cr4 = cpu->cr4;
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig_encoding encoding;
        const struct opcode_row *row = &opcode_rows[rows[i]];
        if (!rig_encode(&rig, rows[i], true, &encoding) &&
            !rig_encode(&rig, rows[i], false, &encoding))
            fail();
        bool wait = rows[i] == OPCODE_X87_FWAIT;
        unsigned kinds = row->attributes & (ATTR_FPU | ATTR_MMX | ATTR_SSE);
        bool simd = kinds & (ATTR_MMX | ATTR_SSE);
        cpu->regs[REG_EBX] = cpu->regs[REG_EDI] = RIG_LINEAR;
        memset(rig.ram + RIG_LINEAR, 0, RIG_AREA);
        cpu->fpu = initial_fpu();
        assert_int_equal(run(&rig, encoding.bytes, encoding.length), -1);
        cpu->cr0 = cr0 | CR0_TS;
        int expected = kinds || wait ? EXC_NM : -1;
        assert_int_equal(run(&rig, encoding.bytes, encoding.length), expected);
        cpu->cr0 = (cr0 | CR0_EM | CR0_TS) & ~CR0_MP;
        expected = simd ? EXC_UD : kinds ? EXC_NM : -1;
        assert_int_equal(run(&rig, encoding.bytes, encoding.length), expected);
        cpu->cr0 = cr0;
        cpu->cr4 = cr4 & ~CR4_OSFXSR;
        expected = row->attributes & ATTR_SSE ? EXC_UD : -1;
        assert_int_equal(run(&rig, encoding.bytes, encoding.length), expected);
        cpu->cr4 = cr4;
    }
    // SQRTPS of minus one with #I unmasked.
    cpu->fpu.mxcsr = MXCSR_INIT & ~0x80u;
    store_le32(cpu->fpu.xmm[1], 0xbf800000);
    assert_int_equal(RUN(&rig, "\x0f\x51\xc1"), EXC_XM);
    cpu->cr4 = cr4 & ~CR4_OSXMMEXCPT;
    assert_int_equal(RUN(&rig, "\x0f\x51\xc1"), EXC_UD);
    rig_close(&rig);
}

// A memory operand that ends in an absent page, or beyond the segment's limit.
static void check_fault(struct rig *rig, const struct rig_encoding *encoding, uint32_t address,
                        int vector)
{
    static uint8_t before[2 * PAGE_SIZE];
    struct cpu *cpu = rig->cpu;
    for (unsigned i = 0; i < sizeof before; i++)
        rig->ram[RIG_LINEAR + i] = (uint8_t)rig_random(rig);
    memcpy(before, rig->ram + RIG_LINEAR, sizeof before);
    struct rig_state random;
    rig_randomise(rig, &random);
    cpu->fpu = random.fpu;
    cpu->fpu.control |= FPU_EXCEPTIONS;
    fpu_update_summary(&cpu->fpu);
    struct fpu_state fpu = cpu->fpu;
    uint32_t regs[8];
    memcpy(cpu->regs, random.regs, sizeof random.regs);
    cpu->regs[REG_EBX] = address;
    memcpy(regs, cpu->regs, sizeof regs);
    int raised = run(rig, encoding->bytes, encoding->length);
    if (raised != EXC_GP) // misaligned
        assert_int_equal(raised, vector);
    assert_memory_equal(&fpu, &cpu->fpu, sizeof fpu);
    assert_memory_equal(regs, cpu->regs, sizeof regs);
    assert_memory_equal(before, rig->ram + RIG_LINEAR, sizeof before);
}

static bool accesses_memory(enum opcode_id id)
{
    const struct opcode_row *row = &opcode_rows[id];
    return row->map != MAP_0F || row->opcode != 0x18; // prefetches never fault
}

// One page at RIG_LINEAR, the next one absent.
static void enable_paging(struct rig *rig)
{
    const uint32_t directory = 0x100000, table = 0x101000;
    memset(rig->ram + directory, 0, 2 * PAGE_SIZE);
    store_le32(rig->ram + directory, table | 7);
    store_le32(rig->ram + table + (RIG_LINEAR >> PAGE_SHIFT) * 4, RIG_LINEAR | 7);
    struct cpu *cpu = rig->cpu;
    cpu->cr3 = directory;
    cpu->cr0 |= CR0_PG;
    assert_true(mmu_set_control(&cpu->mmu, cpu->cr0, cpu->cr3, cpu->cr4, false, true));
}

static void test_faults_change_nothing(void **state)
{
    struct rig rig;
    open_rig(&rig);
    enable_paging(&rig);
    struct cpu *cpu = rig.cpu;
    unsigned checked = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig_encoding encoding;
        if (!accesses_memory(rows[i]) || !rig_encode(&rig, rows[i], true, &encoding))
            continue;
        const uint32_t absent = RIG_LINEAR + PAGE_SIZE;
        check_fault(&rig, &encoding, absent, EXC_PF);
        assert_int_equal(cpu->raised.vector, EXC_PF);
        bool is_byte = opcode_rows[rows[i]].operand[0] == OPND_Mb;
        if (!is_byte)
            check_fault(&rig, &encoding, absent - 1, EXC_PF);
        cpu->segs[SEG_DS].limit = RIG_LINEAR + 15;
        cpu_update_mode(cpu);
        check_fault(&rig, &encoding, RIG_LINEAR + 16 - !is_byte, EXC_GP);
        cpu->segs[SEG_DS].limit = 0xffffffff;
        cpu_update_mode(cpu);
        checked++;
    }
    assert_true(checked > 250);
    // 80-bit and 16-byte operands with only their last bytes in the absent page.
    const char *stores[] = {"\xdb\x3b\x90", "\x0f\x11\x03", "\xdd\x33\x90"};
    for (unsigned i = 0; i < ARRAY_SIZE(stores); i++) {
        struct rig_encoding encoding = {.length = 3, .is_memory = true};
        memcpy(encoding.bytes, stores[i], 3);
        check_fault(&rig, &encoding, RIG_LINEAR + PAGE_SIZE - 9, EXC_PF);
    }
    rig_close(&rig);
}

static void test_operand_across_pages(void **state)
{
    struct rig rig;
    open_rig(&rig);
    struct cpu *cpu = rig.cpu;
    uint8_t image[16];
    for (unsigned i = 1; i < 16; i++) {
        for (unsigned j = 0; j < 16; j++)
            image[j] = (uint8_t)rig_random(&rig);
        cpu->regs[REG_EBX] = RIG_LINEAR + PAGE_SIZE - i;
        memcpy(rig.ram + cpu->regs[REG_EBX], image, 16);
        assert_int_equal(RUN(&rig, "\x0f\x10\x03"), -1); // movups xmm0, [ebx]
        assert_memory_equal(cpu->fpu.xmm[0], image, 16);
        memset(rig.ram + RIG_LINEAR, 0, 2 * PAGE_SIZE);
        assert_int_equal(RUN(&rig, "\x0f\x11\x03"), -1);
        assert_memory_equal(rig.ram + cpu->regs[REG_EBX], image, 16);
        cpu->fpu = initial_fpu();
        assert_int_equal(RUN(&rig, "\xdb\x2b"), -1); // fld tbyte [ebx]
        memset(rig.ram + RIG_LINEAR, 0, 2 * PAGE_SIZE);
        assert_int_equal(RUN(&rig, "\xdb\x3b"), -1); // fstp tbyte [ebx]
        assert_memory_equal(rig.ram + cpu->regs[REG_EBX], image, 10);
        assert_int_equal(rig.ram[cpu->regs[REG_EBX] + 10], 0);
    }
    rig_close(&rig);
}

// CR2 is the first byte that cannot be accessed, and FXSAVE's reserved bytes belong to its operand.
static void test_fault_address(void **state)
{
    struct rig rig;
    open_rig(&rig);
    enable_paging(&rig);
    struct cpu *cpu = rig.cpu;
    const uint32_t absent = RIG_LINEAR + PAGE_SIZE;
    cpu->regs[REG_EBX] = absent - 3;
    const char *stores[] = {"\x0f\x11\x03", "\xdb\x3b", "\xd9\x33", "\xdd\x33"};
    for (unsigned i = 0; i < ARRAY_SIZE(stores); i++) {
        cpu->fpu = initial_fpu();
        cpu->fpu.tags = 0xff;
        cpu->cr2 = 0;
        assert_int_equal(run(&rig, stores[i], (unsigned)strlen(stores[i])), EXC_PF);
        assert_int_equal(cpu->cr2, absent);
    }
    cpu->regs[REG_EBX] = absent - FXSAVE_AREA + 16;
    assert_int_equal(RUN(&rig, "\x0f\xae\x03"), EXC_PF); // fxsave
    assert_int_equal(RUN(&rig, "\x0f\xae\x0b"), EXC_PF); // fxrstor
    cpu->regs[REG_EBX] -= 16;
    assert_int_equal(RUN(&rig, "\x0f\xae\x03"), -1);
    assert_int_equal(RUN(&rig, "\x0f\xae\x0b"), -1);
    rig_close(&rig);
}

// A store that an unmasked exception suppresses still checks its memory, before the exception.
static void test_suppressed_stores(void **state)
{
    struct rig rig;
    open_rig(&rig);
    enable_paging(&rig);
    struct cpu *cpu = rig.cpu;
    const char *stores[] = {"\xd9\x13", "\xdd\x1b", "\xdf\x13", "\xdb\x1b",
                            "\xdf\x3b", "\xdb\x3b", "\xdf\x33"};
    for (unsigned i = 0; i < ARRAY_SIZE(stores); i++) {
        cpu->fpu = initial_fpu();
        cpu->fpu.control &= ~FPU_IE; // all registers are empty
        struct fpu_state before = cpu->fpu;
        cpu->regs[REG_EBX] = RIG_LINEAR + PAGE_SIZE - 1;
        assert_int_equal(run(&rig, stores[i], 2), EXC_PF);
        assert_memory_equal(&cpu->fpu, &before, sizeof before);
        cpu->regs[REG_EBX] = RIG_LINEAR;
        store_le64(rig.ram + RIG_LINEAR, 77);
        assert_int_equal(run(&rig, stores[i], 2), -1);
        assert_true(cpu->fpu.status & FPU_ES);
        assert_int_equal(load_le64(rig.ram + RIG_LINEAR), 77);
    }
    rig_close(&rig);
}

// The environment is aligned to the operand size (SDM vol. 3, table 6-7).
static void test_environment_alignment(void **state)
{
    struct rig rig;
    open_rig(&rig);
    struct cpu *cpu = rig.cpu;
    cpu->cr0 |= CR0_AM;
    cpu->cpl = 3;
    cpu_set_eflags(cpu, FLAG_FIXED | FLAG_AC);
    cpu_update_mode(cpu);
    cpu->regs[REG_EBX] = RIG_LINEAR + 4;
    assert_int_equal(RUN(&rig, "\xd9\x33"), -1); // fnstenv [ebx]
    assert_int_equal(RUN(&rig, "\xdd\x33"), -1); // fnsave
    assert_int_equal(RUN(&rig, "\xdd\x23"), -1); // frstor
    cpu->regs[REG_EBX] = RIG_LINEAR + 2;
    assert_int_equal(RUN(&rig, "\xd9\x33"), EXC_AC);
    assert_int_equal(RUN(&rig, "\x66\xd9\x33"), -1);
    assert_int_equal(RUN(&rig, "\x66\xd9\x23"), -1); // fldenv
    cpu->regs[REG_EBX] = RIG_LINEAR + 1;
    assert_int_equal(RUN(&rig, "\x66\xd9\x33"), EXC_AC);
    rig_close(&rig);
}

static void test_pointers_and_environment(void **state)
{
    struct rig rig;
    open_rig(&rig);
    struct cpu *cpu = rig.cpu;
    uint8_t *memory = rig.ram + RIG_LINEAR;
    cpu->regs[REG_EBX] = RIG_LINEAR;
    cpu->segs[SEG_CS].selector = 0x0123;
    cpu->segs[SEG_DS].selector = 0x0456;
    cpu->fpu = initial_fpu();
    assert_int_equal(RUN(&rig, "\xdd\x03"), -1); // fld qword [ebx]
    assert_int_equal(cpu->fpu.opcode, 0x503);
    assert_int_equal(cpu->fpu.ip, 0x12345678);
    assert_int_equal(cpu->fpu.dp, RIG_LINEAR);
    assert_int_equal(RUN(&rig, "\xd9\xe0"), -1); // fchs: no operand, FDP stays
    assert_int_equal(cpu->fpu.opcode, 0x1e0);
    assert_int_equal(cpu->fpu.dp_selector, 0x0456);
    struct fpu_state fpu = cpu->fpu;

    static const uint32_t protected32[7] = {0xffff037f, 0xffff3800, 0xffff7fff, 0x12345678,
                                            0x01e00123, RIG_LINEAR, 0xffff0456};
    assert_int_equal(RUN(&rig, "\xd9\x33"), -1); // fnstenv [ebx]
    assert_memory_equal(memory, protected32, sizeof protected32);
    cpu->fpu = initial_fpu();
    assert_int_equal(RUN(&rig, "\xd9\x23"), -1); // fldenv [ebx]
    assert_int_equal(cpu->fpu.ip, fpu.ip);
    assert_int_equal(cpu->fpu.dp_selector, fpu.dp_selector);
    assert_int_equal(cpu->fpu.opcode, fpu.opcode);
    assert_int_equal(cpu->fpu.status, fpu.status);
    assert_int_equal(cpu->fpu.tags, fpu.tags);

    static const uint16_t protected16[7] = {0x037f, 0x3800, 0x7fff, 0x5678, 0x0123, 0x0000, 0x0456};
    assert_int_equal(RUN(&rig, "\x66\xd9\x33"), -1);
    assert_memory_equal(memory, protected16, sizeof protected16);

    // Linear pointers: 1230H + 12345678H and 4560H + 10000H.
    cpu->cr0 &= ~CR0_PE;
    static const uint32_t real32[7] = {0xffff037f, 0xffff3800, 0xffff7fff, 0xffff68a8,
                                       0x012341e0, 0xffff4560, 0x00001000};
    assert_int_equal(RUN(&rig, "\xd9\x33"), -1);
    assert_memory_equal(memory, real32, sizeof real32);
    static const uint16_t real16[7] = {0x037f, 0x3800, 0x7fff, 0x68a8, 0x41e0, 0x4560, 0x1000};
    assert_int_equal(RUN(&rig, "\x66\xd9\x33"), -1);
    assert_memory_equal(memory, real16, sizeof real16);
    cpu->fpu = initial_fpu();
    assert_int_equal(RUN(&rig, "\x66\xd9\x23"), -1);
    assert_int_equal(cpu->fpu.ip, 0x468a8);
    assert_int_equal(cpu->fpu.dp, 0x14560);
    assert_int_equal(cpu->fpu.ip_selector, 0);
    assert_int_equal(cpu->fpu.opcode, 0x1e0);
    rig_close(&rig);
}

struct ferr_board {
    struct cpu *cpu;
    bool level;
    unsigned acknowledged;
};

static void set_ferr(void *self, bool level)
{
    struct ferr_board *board = self;
    board->level = level;
    board->cpu->intr = level;
}

static int acknowledge(void *self)
{
    struct ferr_board *board = self;
    board->acknowledged++;
    return 0x75;
}

static void test_error_reporting(void **state)
{
    struct rig rig;
    open_rig(&rig);
    struct cpu *cpu = rig.cpu;
    struct ferr_board board = {.cpu = cpu};
    cpu->board = (struct cpu_board){.self = &board, .ferr = set_ferr, .acknowledge = acknowledge};
    cpu->fpu = initial_fpu();
    cpu->fpu.control = 0x037b;                   // #Z unmasked
    assert_int_equal(RUN(&rig, "\xd9\xe8"), -1); // fld1
    assert_int_equal(RUN(&rig, "\xd9\xee"), -1); // fldz
    assert_int_equal(RUN(&rig, "\xde\xf9"), -1); // fdivp: not waiting yet
    assert_int_equal(cpu->fpu.status & (FPU_ES | FPU_B | FPU_ZE), FPU_ES | FPU_B | FPU_ZE);
    assert_int_equal(RUN(&rig, "\xdf\xe0"), -1); // fnstsw ax does not wait
    assert_int_equal(RUN(&rig, "\x9b"), EXC_MF);
    assert_int_equal(RUN(&rig, "\xd9\xe8"), EXC_MF);
    assert_int_equal(RUN(&rig, "\x0f\x77"), EXC_MF); // emms
    cpu->cr0 &= ~CR0_NE;
    // Interrupts off: FERR# is asserted and the instruction goes on.
    assert_int_equal(RUN(&rig, "\xd9\xe8"), -1);
    assert_true(board.level);
    assert_int_equal(board.acknowledged, 0);
    assert_true(cpu->fpu.status & FPU_ES);
    // Interrupts on: IRQ13 comes before the waiting instruction.
    cpu->eflags |= FLAG_IF;
    struct fpu_state fpu = cpu->fpu;
    assert_int_equal(RUN(&rig, "\xd9\xe8"), 0x75);
    assert_true(cpu->raised.is_external);
    assert_int_equal(board.acknowledged, 1);
    assert_memory_equal(&fpu, &cpu->fpu, sizeof fpu);
    assert_int_equal(RUN(&rig, "\xdb\xe2"), -1); // fnclex
    assert_false(board.level);
    assert_int_equal(RUN(&rig, "\x9b"), -1);
    rig_close(&rig);
}

static void test_host_state(void **state)
{
    struct rig rig;
    open_rig(&rig);
    for (unsigned i = 0; i < 1000; i++) {
        struct rig_state random;
        rig_randomise(&rig, &random);
        random.fpu.control |= FPU_EXCEPTIONS;
        fpu_update_summary(&random.fpu);
        random.fpu.ip = 0x1234;
        random.fpu.opcode = 0x456;
        struct fpu_state fpu = random.fpu;
        memset(fpu.st, 0, sizeof fpu.st);
        memset(fpu.xmm, 0, sizeof fpu.xmm);
        fpu_load_host(&random.fpu);
        fpu_save_host(&fpu);
        static const uint32_t mxcsr = MXCSR_INIT;
        __asm__ volatile("fninit; ldmxcsr %0" : : "m"(mxcsr));
        assert_memory_equal(&fpu, &random.fpu, sizeof fpu);
    }
    rig_close(&rig);
}

static void test_tag_words(void **state)
{
    struct fpu_state fpu = initial_fpu();
    assert_int_equal(fpu_tag_word(&fpu), 0xffff);
    fpu.status = 6 << 11;
    fpu.tags = 0xc3; // R0, R1, R6, R7
    store_le16(fpu.st[0].bytes + 8, 0x3fff);
    store_le64(fpu.st[0].bytes, UINT64_C(1) << 63); // R6 valid
    store_le16(fpu.st[1].bytes + 8, 0x7fff);        // R7 special
    fpu.st[2].bytes[0] = 1;                         // R0 denormal, R1 zero
    assert_int_equal(fpu_tag_word(&fpu), 0x8ff6);
    assert_int_equal(fpu_abridge_tags(0x8ff6), 0xc3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_availability),
        cmocka_unit_test(test_faults_change_nothing),
        cmocka_unit_test(test_operand_across_pages),
        cmocka_unit_test(test_fault_address),
        cmocka_unit_test(test_suppressed_stores),
        cmocka_unit_test(test_environment_alignment),
        cmocka_unit_test(test_pointers_and_environment),
        cmocka_unit_test(test_error_reporting),
        cmocka_unit_test(test_host_state),
        cmocka_unit_test(test_tag_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
