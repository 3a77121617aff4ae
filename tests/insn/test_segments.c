// SPDX-License-Identifier: MIT
// Segment loads, far transfers, call gates, LAR/LSL/VERR/VERW over all descriptor types.
#include "harness.h"

static void test_real_mode_loads_keep_limits(void **state)
{
    struct vm *vm = vm_create(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    cpu->eip = 0x100;
    segment_set_real(cpu, SEG_CS, 0x1000, false);
    cpu->segs[SEG_DS].limit = 0xffffffff; // "unreal" mode
    cpu->regs[REG_EAX] = 0x2345;
    VM_ONE(vm, 0x8e, 0xd8);
    assert_int_equal(cpu->segs[SEG_DS].selector, 0x2345);
    assert_int_equal(cpu->segs[SEG_DS].base, 0x23450);
    assert_int_equal(cpu->segs[SEG_DS].limit, 0xffffffff);
    vm->ram[0x123450] = 0x5a;
    VM_ONE(vm, 0x67, 0xa0, 0, 0, 0x10, 0); // mov al, [100000]
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->regs[REG_EAX] & 0xff, 0x5a);
    // Far jump, far call, far return.
    cpu->eip = 0x100;
    VM_ONE(vm, 0xea, 0x34, 0x12, 0x00, 0x20);
    assert_int_equal(cpu->segs[SEG_CS].base, 0x20000);
    assert_int_equal(cpu->eip, 0x1234);
    cpu->regs[REG_ESP] = 0x1000;
    VM_ONE(vm, 0x9a, 0x10, 0x00, 0x00, 0x28);
    assert_int_equal(cpu->regs[REG_ESP], 0xffc);
    assert_int_equal(vm_get16(vm, 0xffc), 0x1239);
    assert_int_equal(vm_get16(vm, 0xffe), 0x2000);
    VM_ONE(vm, 0xca, 0x02, 0x00);
    assert_int_equal(cpu->eip, 0x1239);
    assert_int_equal(cpu->segs[SEG_CS].selector, 0x2000);
    assert_int_equal(cpu->regs[REG_ESP], 0x1002);
    vm_destroy(vm);
}

static void test_switch_to_protected_mode_and_back(void **state)
{
    struct vm *vm = vm_create(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    vm_tables(vm);
    segment_set_real(cpu, SEG_CS, 0x1000, false);
    cpu->eip = 0;
    vm_set16(vm, 0x500, VM_GDT_LIMIT);
    vm_set32(vm, 0x502, VM_GDT);
    static const uint8_t code[] = {
        0x66, 0x0f, 0x01, 0x16, 0x00, 0x05,             // lgdt32 [500]
        0x0f, 0x20, 0xc0,                               // mov eax, cr0
        0x0c, 0x01,                                     // or al, 1
        0x0f, 0x22, 0xc0,                               // mov cr0, eax
        0x66, 0xea, 0x16, 0x00, 0x01, 0x00, 0x08, 0x00, // jmp 8:10016
        // 32-bit code
        0xb8, 0x50, 0, 0, 0, 0x8e, 0xd8,          // mov ds, 50 (16-bit data, base 70000)
        0x0f, 0x01, 0xe3,                         // smsw ebx
        0xea, 0x27, 0x00, 0x00, 0x00, 0x48, 0x00, // jmp 48:27 (16-bit code, base 10000)
        // 16-bit code
        0x0f, 0x20, 0xc0, 0x24, 0xfe, 0x0f, 0x22, 0xc0, // clear PE
        0xea, 0x34, 0x00, 0x00, 0x10,                   // jmp 1000:34
        0xf4};
    vm_exec(vm, code, sizeof code);
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->activity, CPU_HALTED);
    assert_int_equal(cpu->segs[SEG_CS].selector, 0x1000);
    assert_int_equal(cpu->eip, 0x35);
    assert_int_equal(cpu->regs[REG_EBX] & 1, 1);
    assert_int_equal(cpu->cr0 & 1, 0);
    assert_int_equal(cpu->segs[SEG_DS].base, 0x70000); // kept until DS is loaded
    assert_int_equal(cpu->mode_bits & (CPU_MODE_CODE32 | CPU_MODE_PROTECTED), 0);
    assert_int_equal(vm_access(vm, SEL_CODE0), 0x9b);
    assert_int_equal(vm_access(vm, SEL_DATA0_16), 0x93);
    vm_destroy(vm);
}

struct load_case {
    uint8_t access;
    uint16_t rpl;
    unsigned cpl;
    int ds, ss; // vector, 0: accepted
};

static void try_load(struct vm *vm, unsigned cpl, uint16_t selector, uint8_t modrm, int vector)
{
    if (cpl == 3)
        vm_enter_ring3(vm);
    else
        vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    vm->cpu->regs[REG_EAX] = selector;
    VM_ONE(vm, 0x8e, modrm);
    if (vector == 0) {
        VM_EXPECT_NONE(vm);
        assert_int_equal(vm_access(vm, selector) & 1, 1);
    } else {
        VM_EXPECT(vm, (unsigned)vector, selector & 0xfffcu);
        assert_int_equal(vm_access(vm, selector) & 1, 0);
    }
}

static void test_data_segment_checks(void **state)
{
    static const struct load_case cases[] = {
        {0x92, 0, 0, 0, 0},           {0x90, 0, 0, 0, EXC_GP}, // read-only
        {0x92, 3, 0, EXC_GP, EXC_GP},                          // RPL > DPL
        {0xf2, 0, 0, 0, EXC_GP},      {0xf2, 3, 0, 0, EXC_GP},
        {0xf2, 3, 3, 0, 0},           {0xf2, 0, 3, 0, EXC_GP},
        {0x92, 0, 3, EXC_GP, EXC_GP}, {0x98, 0, 0, EXC_GP, EXC_GP}, // execute-only
        {0x9a, 0, 0, 0, EXC_GP},      {0x9a, 3, 3, EXC_GP, EXC_GP}, // readable code
        {0x9e, 3, 3, 0, EXC_GP},                                    // conforming readable code
        {0x12, 0, 0, EXC_NP, EXC_SS}, {0x10, 0, 0, EXC_NP, EXC_GP},
        {0x82, 0, 0, EXC_GP, EXC_GP}, {0x8c, 0, 0, EXC_GP, EXC_GP}, // system
    };
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint16_t selector = (uint16_t)(SEL_FREE | cases[i].rpl);
        vm_descriptor(vm, SEL_FREE, 0, 0xfffff, cases[i].access, 0xc);
        try_load(vm, cases[i].cpl, selector, 0xd8, cases[i].ds);
        vm_descriptor(vm, SEL_FREE, 0, 0xfffff, cases[i].access, 0xc);
        try_load(vm, cases[i].cpl, selector, 0xd0, cases[i].ss);
    }
    // LDT.
    vm_descriptor(vm, 0x0c, 0x1234, 0xfff, 0x92, 4);
    try_load(vm, 0, 0x0c, 0xd8, 0);
    assert_int_equal(vm->cpu->segs[SEG_DS].base, 0x1234);
    vm->cpu->ldtr.attributes &= ~DESC_P;
    vm->cpu->eip = VM_CODE;
    VM_ONE(vm, 0x8e, 0xd8);
    VM_EXPECT(vm, EXC_GP, 0x0c);
    vm_destroy(vm);
}

static void test_far_code_checks(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    static const struct {
        uint8_t access;
        uint16_t rpl;
        unsigned cpl;
        unsigned vector;
    } cases[] = {
        {0x9a, 0, 0, 0},      {0x9a, 3, 0, EXC_GP}, {0xfa, 3, 0, EXC_GP}, {0x9a, 0, 3, EXC_GP},
        {0x9e, 3, 3, 0},      {0x9e, 3, 0, 0},      {0xfe, 0, 0, EXC_GP}, {0xfa, 0, 3, 0},
        {0x1a, 0, 0, EXC_NP}, {0x92, 0, 0, EXC_GP}, {0x82, 0, 0, EXC_GP}, {0x8e, 0, 0, EXC_GP},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint16_t selector = (uint16_t)(SEL_FREE | cases[i].rpl);
        vm_descriptor(vm, SEL_FREE, 0, 0xfffff, cases[i].access, 0xc);
        if (cases[i].cpl == 3)
            vm_enter_ring3(vm);
        else
            vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
        VM_ONE(vm, 0xea, 0, 1, 2, 0, (uint8_t)selector, 0);
        if (cases[i].vector) {
            VM_EXPECT(vm, cases[i].vector, SEL_FREE);
        } else {
            VM_EXPECT_NONE(vm);
            assert_int_equal(cpu->eip, 0x20100);
            assert_int_equal(cpu->segs[SEG_CS].selector, SEL_FREE | cases[i].cpl);
            assert_int_equal(vm_access(vm, SEL_FREE) & 1, 1);
        }
    }
    // The offset is checked against the new limit, and nothing was pushed.
    vm_descriptor(vm, SEL_FREE, 0, 0xff, 0x9a, 4);
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    VM_ONE(vm, 0x9a, 0, 1, 0, 0, SEL_FREE, 0);
    VM_EXPECT(vm, EXC_GP, 0);
    assert_int_equal(vm_stack32(vm, 1), VM_CODE);
    assert_int_equal(cpu->regs[REG_ESP], VM_STACK0 - 16);
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    VM_ONE(vm, 0xea, 0, 0, 0, 0, 3, 0); // null
    VM_EXPECT(vm, EXC_GP, 0);
    vm_destroy(vm);
}

static void test_call_gate_to_inner_level(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    vm_gate(vm, VM_GDT + SEL_FREE, SEL_CODE0, VM_CODE + 0x500, 0xec, 2);
    vm_enter(vm, SEL_CODE3, SEL_DATA3, VM_CODE, VM_STACK3 - 8);
    vm_set32(vm, VM_STACK3 - 8, 0x1111);
    vm_set32(vm, VM_STACK3 - 4, 0x2222);
    VM_ONE(vm, 0x9a, 0, 0, 0, 0, SEL_FREE | 3, 0);
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->cpl, 0);
    assert_int_equal(cpu->eip, VM_CODE + 0x500);
    assert_int_equal(cpu->regs[REG_ESP], VM_STACK0 - 24);
    static const uint32_t frame[] = {VM_CODE + 7, SEL_CODE3,     0x1111,
                                     0x2222,      VM_STACK3 - 8, SEL_DATA3};
    for (unsigned i = 0; i < ARRAY_SIZE(frame); i++)
        assert_int_equal(vm_stack32(vm, i), frame[i]);
    // RETF 8 releases the parameters on both stacks.
    VM_ONE(vm, 0xca, 8, 0);
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->cpl, 3);
    assert_int_equal(cpu->eip, VM_CODE + 7);
    assert_int_equal(cpu->regs[REG_ESP], VM_STACK3);
    // 16-bit gate.
    vm_gate(vm, VM_GDT + SEL_FREE, SEL_CODE0_16, 0x500, 0xe4, 1);
    vm_enter(vm, SEL_CODE3, SEL_DATA3, VM_CODE, VM_STACK3 - 8);
    VM_ONE(vm, 0x9a, 0, 0, 0, 0, SEL_FREE | 3, 0);
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->regs[REG_ESP], VM_STACK0 - 10);
    assert_int_equal(vm_stack16(vm, 0), 7);
    assert_int_equal(vm_stack16(vm, 2), 0x1111);
    assert_int_equal(vm_stack16(vm, 4), SEL_DATA3);
    vm_destroy(vm);
}

static void test_call_gate_checks(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    static const struct {
        uint8_t gate_access;
        uint16_t target;
        uint8_t opcode;
        unsigned vector;
        uint32_t error_code;
    } cases[] = {
        {0x8c, SEL_CODE0, 0x9a, EXC_GP, SEL_FREE},        // gate DPL 0 from CPL 3
        {0x6c, SEL_CODE0, 0x9a, EXC_NP, SEL_FREE},        // not present
        {0xec, 0, 0x9a, EXC_GP, 0},                       // null target
        {0xec, 0x100, 0x9a, EXC_GP, 0x100},               // outside the GDT
        {0xec, SEL_DATA0, 0x9a, EXC_GP, SEL_DATA0},       // not code
        {0xec, SEL_CODE0, 0xea, EXC_GP, SEL_CODE0},       // JMP cannot change the level
        {0xec, SEL_FREE + 8, 0x9a, EXC_NP, SEL_FREE + 8}, // target not present
        {0xec, SEL_CODE3, 0x9a, 0, 0},                    // same level
        {0xec, SEL_CODE3, 0xea, 0, 0},
        {0xec, SEL_CONFORMING, 0xea, 0, 0},
    };
    vm_descriptor(vm, SEL_FREE + 8, 0, 0xfffff, 0x1a, 0xc);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        vm_gate(vm, VM_GDT + SEL_FREE, cases[i].target, VM_CODE + 0x500, cases[i].gate_access, 0);
        vm_enter_ring3(vm);
        VM_ONE(vm, cases[i].opcode, 0, 0, 0, 0, SEL_FREE | 3, 0);
        if (cases[i].vector) {
            VM_EXPECT(vm, cases[i].vector, cases[i].error_code);
        } else {
            VM_EXPECT_NONE(vm);
            assert_int_equal(cpu->eip, VM_CODE + 0x500);
            assert_int_equal(cpu->cpl, 3);
            assert_int_equal(cpu->regs[REG_ESP], VM_STACK3 - (cases[i].opcode == 0x9a ? 8 : 0));
        }
    }
    // An error in the new stack names it and is #TS.
    vm_gate(vm, VM_GDT + SEL_FREE, SEL_CODE0, VM_CODE, 0xec, 0);
    vm_gate(vm, VM_IDT + 8 * EXC_TS, SEL_CONFORMING, VM_HANDLERS, 0x8e, 0);
    vm_set16(vm, VM_TSS + 8, SEL_DATA3);
    vm_enter_ring3(vm);
    VM_ONE(vm, 0x9a, 0, 0, 0, 0, SEL_FREE | 3, 0);
    VM_EXPECT(vm, EXC_TS, SEL_DATA3 & ~3);
    vm_destroy(vm);
}

static void test_far_return_checks(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    // To an inner level: never.
    vm_enter(vm, SEL_CODE3, SEL_DATA3, VM_CODE, VM_STACK3 - 8);
    vm_set32(vm, VM_STACK3 - 8, 0);
    vm_set32(vm, VM_STACK3 - 4, SEL_CODE0);
    VM_ONE(vm, 0xcb);
    VM_EXPECT(vm, EXC_GP, SEL_CODE0);
    // Same level.
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0 - 8);
    vm_set32(vm, VM_STACK0 - 8, VM_CODE + 0x300);
    vm_set32(vm, VM_STACK0 - 4, SEL_CODE0);
    VM_ONE(vm, 0xcb);
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->eip, VM_CODE + 0x300);
    assert_int_equal(cpu->regs[REG_ESP], VM_STACK0);
    // To a 16-bit stack only SP changes.
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0 - 16);
    vm_set32(vm, VM_STACK0 - 16, 0x40);
    vm_set32(vm, VM_STACK0 - 12, SEL_CODE3_16);
    vm_set32(vm, VM_STACK0 - 8, 0x99991000);
    vm_set32(vm, VM_STACK0 - 4, SEL_DATA3_16);
    VM_ONE(vm, 0xcb);
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->regs[REG_ESP], ((VM_STACK0 - 16) & 0xffff0000u) | 0x1000);
    assert_int_equal(cpu->mode_bits & (CPU_MODE_STACK32 | CPU_MODE_CODE32), 0);
    vm_destroy(vm);
}

static bool zf(struct vm *vm)
{
    return flags_zf(vm->cpu);
}

static void test_lar_lsl_verr_verw_tables(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    const unsigned lar_ok =
        1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 9 | 1u << 11 | 1u << 12;
    const unsigned lsl_ok = 1u << 1 | 1u << 2 | 1u << 3 | 1u << 9 | 1u << 11;
    for (unsigned type = 0; type < 32; type++) {
        bool segment = type >= 16;
        vm_descriptor(vm, SEL_FREE, 0x12345678, 0x54321, 0x80 | type, 0x8);
        vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
        cpu->regs[REG_ECX] = SEL_FREE;
        cpu->regs[REG_EAX] = 0xdeadbeef;
        VM_ONE(vm, 0x0f, 0x02, 0xc1); // lar eax, ecx
        VM_EXPECT_NONE(vm);
        bool ok = segment || (lar_ok >> type & 1);
        assert_int_equal(zf(vm), ok);
        assert_int_equal(cpu->regs[REG_EAX], ok ? 0x00808000 | type << 8 : 0xdeadbeef);
        cpu->regs[REG_EAX] = 0xdeadbeef;
        VM_ONE(vm, 0x0f, 0x03, 0xc1); // lsl eax, ecx
        ok = segment || (lsl_ok >> type & 1);
        assert_int_equal(zf(vm), ok);
        assert_int_equal(cpu->regs[REG_EAX], ok ? 0x54321fff : 0xdeadbeef);
        VM_ONE(vm, 0x0f, 0x00, 0xe1); // verr cx
        assert_int_equal(zf(vm), segment && (!(type & 8) || (type & 2)));
        VM_ONE(vm, 0x0f, 0x00, 0xe9); // verw cx
        assert_int_equal(zf(vm), segment && !(type & 8) && (type & 2));
        // From CPL 3 only conforming code of DPL 0 is visible.
        vm_enter_ring3(vm);
        VM_ONE(vm, 0x0f, 0x02, 0xc1);
        VM_EXPECT_NONE(vm);
        assert_int_equal(zf(vm), type >= 28);
        VM_ONE(vm, 0x0f, 0x00, 0xe1);
        assert_int_equal(zf(vm), type >= 28 && (type & 2));
    }
    cpu->regs[REG_ECX] = 0; // null, and outside the table
    VM_ONE(vm, 0x0f, 0x02, 0xc1);
    assert_false(zf(vm));
    cpu->regs[REG_ECX] = 0x1000;
    VM_ONE(vm, 0x0f, 0x03, 0xc1);
    VM_EXPECT_NONE(vm);
    assert_false(zf(vm));
    vm_destroy(vm);
}

static void test_arpl(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    cpu->regs[REG_EAX] = 0xffff0021;
    cpu->regs[REG_ECX] = 3;
    VM_ONE(vm, 0x63, 0xc8); // arpl ax, cx
    assert_int_equal(cpu->regs[REG_EAX], 0xffff0023);
    assert_true(zf(vm));
    VM_ONE(vm, 0x63, 0xc8);
    assert_false(zf(vm));
    // An operand that stays as it is need not be writable.
    cpu->segs[SEG_DS].attributes &= ~DESC_READ_WRITE;
    cpu_update_mode(cpu);
    vm_set16(vm, VM_DATA, 0x23);
    VM_ONE(vm, 0x63, 0x0d, 0, 0, 3, 0); // arpl [VM_DATA], cx
    VM_EXPECT_NONE(vm);
    assert_false(zf(vm));
    vm_set16(vm, VM_DATA, 0x21);
    VM_ONE(vm, 0x63, 0x0d, 0, 0, 3, 0);
    VM_EXPECT(vm, EXC_GP, 0);
    vm_enter_v86(vm, 0x1000, 0, 0x100, 3);
    VM_ONE(vm, 0x63, 0xc8);
    VM_EXPECT(vm, EXC_UD, 0);
    vm_destroy(vm);
}

static void test_far_pointers_and_stack_forms(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    vm_set32(vm, VM_DATA, 0x11223344);
    vm_set16(vm, VM_DATA + 4, SEL_DATA3);
    VM_ONE(vm, 0x0f, 0xb4, 0x1d, 0, 0, 3, 0); // lfs ebx, [VM_DATA]
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->regs[REG_EBX], 0x11223344);
    assert_int_equal(cpu->segs[SEG_FS].selector, SEL_DATA3);
    vm_set16(vm, VM_DATA + 4, 0x200);
    cpu->regs[REG_EBX] = 7;
    VM_ONE(vm, 0xc5, 0x1d, 0, 0, 3, 0); // lds: bad selector, EBX stays
    VM_EXPECT(vm, EXC_GP, 0x200);
    assert_int_equal(cpu->regs[REG_EBX], 7);
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    VM_ONE(vm, 0x0e); // push cs
    assert_int_equal(vm_stack32(vm, 0), SEL_CODE0);
    assert_int_equal(cpu->regs[REG_ESP], VM_STACK0 - 4);
    VM_ONE(vm, 0x66, 0x0f, 0xa8); // push gs, 16 bits
    assert_int_equal(vm_stack16(vm, 0), SEL_DATA0);
    assert_int_equal(cpu->regs[REG_ESP], VM_STACK0 - 6);
    VM_ONE(vm, 0x66, 0x17); // pop ss
    VM_EXPECT_NONE(vm);
    assert_true(cpu->interrupt_shadow && cpu->debug_shadow);
    assert_int_equal(cpu->regs[REG_ESP], VM_STACK0 - 4);
    // MOV r32, Sreg zero-extends; MOV m, Sreg writes 16 bits.
    cpu->regs[REG_EDX] = 0xffffffff;
    VM_ONE(vm, 0x8c, 0xda);
    assert_int_equal(cpu->regs[REG_EDX], SEL_DATA0);
    vm_set32(vm, VM_DATA, 0xffffffff);
    VM_ONE(vm, 0x8c, 0x1d, 0, 0, 3, 0);
    assert_int_equal(vm_get32(vm, VM_DATA), 0xffff0000u | SEL_DATA0);
    vm_destroy(vm);
}

static void test_mode_bits(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    uint32_t flat = CPU_MODE_CODE32 | CPU_MODE_STACK32 | CPU_MODE_PROTECTED | CPU_MODE_CS_FLAT |
                    CPU_MODE_CS_FLAT_READ | CPU_MODE_SS_FLAT | CPU_MODE_DS_FLAT_READ |
                    CPU_MODE_DS_FLAT_WRITE | CPU_MODE_ES_FLAT_READ | CPU_MODE_ES_FLAT_WRITE;
    assert_int_equal(cpu_mode_bits(cpu), flat);
    vm_enter_ring3(vm);
    assert_int_equal(cpu_mode_bits(cpu), flat | CPU_MODE_USER);
    cpu_set_eflags(cpu, FLAG_FIXED | FLAG_TF);
    assert_int_equal(cpu_mode_bits(cpu), flat | CPU_MODE_USER | CPU_MODE_TF);
    cpu->regs[REG_EAX] = SEL_CODE3; // readable code: no write
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    cpu_set_eflags(cpu, FLAG_FIXED);
    VM_ONE(vm, 0x8e, 0xd8);
    assert_int_equal(cpu_mode_bits(cpu), flat & ~CPU_MODE_DS_FLAT_WRITE);
    vm_destroy(vm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real_mode_loads_keep_limits),
        cmocka_unit_test(test_switch_to_protected_mode_and_back),
        cmocka_unit_test(test_data_segment_checks),
        cmocka_unit_test(test_far_code_checks),
        cmocka_unit_test(test_call_gate_to_inner_level),
        cmocka_unit_test(test_call_gate_checks),
        cmocka_unit_test(test_far_return_checks),
        cmocka_unit_test(test_lar_lsl_verr_verw_tables),
        cmocka_unit_test(test_arpl),
        cmocka_unit_test(test_far_pointers_and_stack_forms),
        cmocka_unit_test(test_mode_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
