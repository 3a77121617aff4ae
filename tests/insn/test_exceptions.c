// SPDX-License-Identifier: MIT
// Exceptions and interrupts: vectors, error codes, frames, gates, double and triple faults, debug.
#include "harness.h"

static void test_real_mode_int_iret(void **state)
{
    struct vm *vm = vm_create(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    segment_set_real(cpu, SEG_CS, 0x1000, false);
    segment_set_real(cpu, SEG_SS, 0x2000, false);
    cpu->eip = 0x100;
    cpu->regs[REG_ESP] = 0x12340100;
    cpu_set_eflags(cpu, FLAG_FIXED | FLAG_IF | FLAG_CF);
    vm_set32(vm, 0x21 * 4, 0x30000020); // 3000:0020
    vm->ram[0x30020] = 0xf4;
    VM_EXEC(vm, 0xcd, 0x21);
    assert_int_equal(cpu->segs[SEG_CS].selector, 0x3000);
    assert_int_equal(cpu->eip, 0x21);
    assert_int_equal(cpu->regs[REG_ESP], 0x123400fa);
    assert_int_equal(vm_stack16(vm, 0), 0x102);
    assert_int_equal(vm_stack16(vm, 1), 0x1000);
    assert_int_equal(vm_stack16(vm, 2), 0x203);
    assert_int_equal(cpu->eflags & FLAG_IF, 0);
    VM_ONE(vm, 0xcf);
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->segs[SEG_CS].selector, 0x1000);
    assert_int_equal(cpu->eip, 0x102);
    assert_int_equal(cpu_get_eflags(cpu), 0x203);
    assert_int_equal(cpu->regs[REG_ESP], 0x12340100);
    // A real-mode fault pushes no error code and returns to the instruction.
    cpu->eip = 0x200;
    vm_set32(vm, 13 * 4, 0x30000020);
    VM_EXEC(vm, 0xa1, 0xff, 0xff); // mov ax, [ffff]
    VM_EXPECT(vm, EXC_GP, 0);
    assert_int_equal(vm_stack16(vm, 0), 0x200);
    assert_int_equal(cpu->regs[REG_ESP], 0x123400fa);
    vm_destroy(vm);
}

// Runs bytes at CPL 0 and expects the fault, its frame and that the handler was reached.
static void expect_fault(struct vm *vm, const uint8_t *bytes, size_t length, unsigned vector,
                         uint32_t error_code, bool has_error_code)
{
    struct cpu *cpu = vm->cpu;
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    cpu_set_eflags(cpu, FLAG_FIXED | FLAG_IF);
    vm_exec(vm, bytes, length);
    VM_EXPECT(vm, vector, error_code);
    assert_int_equal(vm->event_count, 1);
    assert_int_equal(cpu->eip, VM_HANDLERS + 16 * vector + 1);
    unsigned i = 0;
    if (has_error_code)
        assert_int_equal(vm_stack32(vm, i++), error_code);
    assert_int_equal(vm_stack32(vm, i), VM_CODE);
    assert_int_equal(vm_stack32(vm, i + 1), SEL_CODE0);
    assert_int_equal(vm_stack32(vm, i + 2), FLAG_FIXED | FLAG_IF | FLAG_RF);
    assert_int_equal(cpu->regs[REG_ESP], VM_STACK0 - 12 - 4 * i);
    assert_int_equal(cpu->eflags & (FLAG_IF | FLAG_RF), 0);
}

#define FAULT(vm, vector, code, has_code, ...)                                                     \
    expect_fault(vm, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}),       \
                 vector, code, has_code)

static void test_faults_in_protected_mode(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    memset(cpu->regs, 0, sizeof cpu->regs);
    FAULT(vm, EXC_DE, 0, false, 0xf7, 0xf1); // div ecx
    vm_set32(vm, VM_DATA, 5);
    vm_set32(vm, VM_DATA + 4, 6);
    FAULT(vm, EXC_BR, 0, false, 0x62, 0x05, 0, 0, 3, 0); // bound eax, [VM_DATA]
    FAULT(vm, EXC_UD, 0, false, 0x0f, 0x0b);
    FAULT(vm, EXC_UD, 0, false, 0xf0, 0x90);       // lock nop
    FAULT(vm, EXC_UD, 0, false, 0x8e, 0xc8);       // mov cs, ax
    FAULT(vm, EXC_UD, 0, false, 0x0f, 0x20, 0xe8); // mov eax, cr5
    FAULT(vm, EXC_UD, 0, false, 0x0f, 0xaa);       // rsm
    cpu->cr0 |= CR0_TS;
    FAULT(vm, EXC_NM, 0, false, 0xd9, 0xe8); // fld1
    cpu->cr0 &= ~CR0_TS;
    cpu->regs[REG_EAX] = 0xf8;
    vm_descriptor(vm, 0xf8, 0, 0xfffff, 0x12, 0xc);
    FAULT(vm, EXC_NP, 0xf8, true, 0x8e, 0xd8); // mov ds, ax
    FAULT(vm, EXC_SS, 0xf8, true, 0x8e, 0xd0); // mov ss, ax
    cpu->regs[REG_EAX] = 0x100;
    FAULT(vm, EXC_GP, 0x100, true, 0x8e, 0xd8);
    cpu->regs[REG_EAX] = 3;
    FAULT(vm, EXC_GP, 0, true, 0x8e, 0xd0);             // null SS
    FAULT(vm, EXC_GP, 0, true, 0x2e, 0xa2, 0, 0, 0, 0); // store to a code segment
    cpu->regs[REG_EAX] = 0x800;
    FAULT(vm, EXC_GP, 0, true, 0x0f, 0x22, 0xe0); // mov cr4, eax: a reserved bit
    cpu->regs[REG_EAX] = CR0_PG;
    FAULT(vm, EXC_GP, 0, true, 0x0f, 0x22, 0xc0); // PG without PE
    vm_destroy(vm);
}

static void test_too_long_and_limits(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    FAULT(vm, EXC_GP, 0, true, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
          0x66, 0x66, 0x66, 0x66, 0x90);
    // A data segment with a byte limit: the last byte decides.
    struct cpu *cpu = vm->cpu;
    vm_descriptor(vm, SEL_FREE, VM_DATA, 0xfff, 0x92, 4);
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    vm_load_segment(vm, SEG_DS, SEL_FREE);
    cpu_update_mode(cpu);
    VM_ONE(vm, 0xa1, 0xfc, 0x0f, 0, 0); // mov eax, [ffc]
    VM_EXPECT_NONE(vm);
    VM_ONE(vm, 0xa1, 0xfd, 0x0f, 0, 0);
    VM_EXPECT(vm, EXC_GP, 0);
    // Expand-down: valid above the limit; 16-bit ones end at FFFF.
    vm_descriptor(vm, SEL_FREE, VM_DATA, 0xfff, 0x96, 0);
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    vm_load_segment(vm, SEG_SS, SEL_FREE);
    vm_load_segment(vm, SEG_DS, SEL_FREE);
    cpu_update_mode(cpu);
    VM_ONE(vm, 0xa0, 0x00, 0x10, 0, 0);
    VM_EXPECT_NONE(vm);
    VM_ONE(vm, 0xa0, 0x00, 0x00, 1, 0);
    VM_EXPECT(vm, EXC_GP, 0);
    vm_destroy(vm);
}

static void test_software_interrupts(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    VM_EXEC(vm, 0xcc);
    VM_EXPECT(vm, EXC_BP, 0);
    assert_int_equal(vm_stack32(vm, 0), VM_CODE + 1);
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    cpu_set_eflags(cpu, FLAG_FIXED | FLAG_OF);
    VM_EXEC(vm, 0xce);
    VM_EXPECT(vm, EXC_OF, 0);
    assert_int_equal(vm_stack32(vm, 0), VM_CODE + 1);
    assert_int_equal(vm_stack32(vm, 2), FLAG_FIXED | FLAG_OF);
    // INT n at CPL 3 through a gate of DPL 0: #GP(vector * 8 + 2), no EXT.
    vm_enter_ring3(vm);
    cpu_set_eflags(cpu, FLAG_FIXED);
    VM_EXEC(vm, 0xcd, 0x80);
    assert_int_equal(vm->events[0].vector, 0x80);
    assert_int_equal(cpu->raised.vector, EXC_GP);
    assert_int_equal(vm_stack32(vm, 0), 0x80 * 8 + 2);
    assert_int_equal(vm_stack32(vm, 1), VM_CODE); // the fault is INT's own
    vm_destroy(vm);
}

static const uint8_t int80[] = {0xcd, 0x80};

// The error that delivery of INT 80h from `cs` hits.
static void expect_int80(struct vm *vm, bool ring3, unsigned vector, uint32_t error_code)
{
    if (ring3)
        vm_enter_ring3(vm);
    else
        vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    vm_exec(vm, int80, sizeof int80);
    const struct cpu_exception *nested = &vm->cpu->raised;
    if (vm->event_count != 1 || nested->vector != vector || nested->error_code != error_code) {
        print_error("expected vector %u error %x, got %u events, vector %u error %x\n", vector,
                    error_code, vm->event_count, nested->vector, nested->error_code);
        fail();
    }
}

static void test_gate_checks(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    uint32_t gate = VM_IDT + 0x80 * 8;
    vm_gate(vm, gate, SEL_CODE0, VM_HANDLERS, 0x6e, 0); // not present
    expect_int80(vm, true, EXC_NP, 0x402);
    vm_gate(vm, gate, SEL_CODE0, VM_HANDLERS, 0xec, 0); // call gate
    expect_int80(vm, true, EXC_GP, 0x402);
    vm_gate(vm, gate, 3, VM_HANDLERS, 0xee, 0); // null selector
    expect_int80(vm, true, EXC_GP, 0);
    vm_gate(vm, gate, 0x108, VM_HANDLERS, 0xee, 0);
    expect_int80(vm, true, EXC_GP, 0x108);
    vm_gate(vm, gate, SEL_DATA0, VM_HANDLERS, 0xee, 0);
    expect_int80(vm, true, EXC_GP, SEL_DATA0);
    vm_gate(vm, gate, SEL_CODE3, VM_HANDLERS, 0xee, 0); // outward
    expect_int80(vm, false, EXC_GP, SEL_CODE3 & ~3);
    vm_descriptor(vm, SEL_FREE, 0, 0xfffff, 0x1a, 0xc); // code, not present
    vm_gate(vm, gate, SEL_FREE, VM_HANDLERS, 0xee, 0);
    expect_int80(vm, true, EXC_NP, SEL_FREE);
    vm_descriptor(vm, SEL_FREE, 0, 0x1000, 0x9a, 4); // offset beyond the limit
    vm_gate(vm, gate, SEL_FREE, VM_HANDLERS, 0xee, 0);
    expect_int80(vm, true, EXC_GP, 0);
    // IDT limit.
    vm->cpu->idtr.limit = 0x80 * 8 + 6;
    expect_int80(vm, true, EXC_GP, 0x402);
    vm_destroy(vm);
}

static void test_inner_stack_checks(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    vm_gate(vm, VM_IDT + 0x80 * 8, SEL_CODE1 & ~3, VM_HANDLERS, 0xee, 0);
    vm->ram[VM_HANDLERS] = 0xf4;
    vm_set16(vm, VM_TSS + 16, 1); // null SS1
    expect_int80(vm, true, EXC_TS, 0);
    vm_set16(vm, VM_TSS + 16, 0x101);
    expect_int80(vm, true, EXC_TS, 0x100);
    vm_set16(vm, VM_TSS + 16, SEL_DATA1 & ~3); // RPL 0
    expect_int80(vm, true, EXC_TS, SEL_DATA1 & ~3);
    vm_set16(vm, VM_TSS + 16, SEL_DATA0 | 1); // DPL 0
    expect_int80(vm, true, EXC_TS, SEL_DATA0);
    vm_descriptor(vm, SEL_FREE, 0, 0xfffff, 0x32, 0xc); // not present
    vm_set16(vm, VM_TSS + 16, SEL_FREE | 1);
    expect_int80(vm, true, EXC_SS, SEL_FREE);
    vm_descriptor(vm, SEL_FREE, 0, 15, 0xb2, 4); // no room for 20 bytes
    vm_set32(vm, VM_TSS + 12, 16);
    expect_int80(vm, true, EXC_SS, SEL_FREE);
    vm->cpu->tr.limit = 16; // SS1 beyond the TSS
    vm_gate(vm, VM_IDT + EXC_TS * 8, SEL_CODE0, VM_HANDLERS, 0x8e, 0);
    vm_enter_ring3(vm);
    vm_exec(vm, int80, sizeof int80);
    assert_int_equal(vm->cpu->activity, CPU_HALTED);
    assert_int_equal(vm_stack32(vm, 0), SEL_TSS);
    vm_destroy(vm);
}

static void test_privilege_change_frames(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    uint32_t gate = VM_IDT + 0x80 * 8;
    // Trap gate: IF stays; 32-bit frame on the TSS's stack.
    vm_gate(vm, gate, SEL_CODE0, VM_HANDLERS, 0xef, 0);
    vm_enter_ring3(vm);
    cpu_set_eflags(cpu, FLAG_FIXED | FLAG_IF | FLAG_NT | FLAG_ZF);
    VM_EXEC(vm, 0xcd, 0x80);
    assert_int_equal(cpu->cpl, 0);
    assert_int_equal(cpu->segs[SEG_SS].selector, SEL_DATA0);
    assert_int_equal(cpu->regs[REG_ESP], VM_STACK0 - 20);
    assert_int_equal(vm_stack32(vm, 0), VM_CODE + 2);
    assert_int_equal(vm_stack32(vm, 1), SEL_CODE3);
    assert_int_equal(vm_stack32(vm, 2), FLAG_FIXED | FLAG_IF | FLAG_NT | FLAG_ZF);
    assert_int_equal(vm_stack32(vm, 3), VM_STACK3);
    assert_int_equal(vm_stack32(vm, 4), SEL_DATA3);
    assert_int_equal(cpu->eflags & (FLAG_IF | FLAG_NT), FLAG_IF);
    assert_int_equal(vm_access(vm, SEL_CODE0), 0x9b); // accessed
    assert_int_equal(vm_access(vm, SEL_DATA0), 0x93);
    // IRET goes back and loads the flags that CPL 0 may load.
    vm_set32(vm, cpu->regs[REG_ESP] + 8, FLAG_FIXED | FLAG_IOPL | FLAG_AC | FLAG_CF);
    VM_ONE(vm, 0xcf);
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->cpl, 3);
    assert_true(cpu->is_user);
    assert_int_equal(cpu->regs[REG_ESP], VM_STACK3);
    assert_int_equal(cpu->segs[SEG_SS].selector, SEL_DATA3);
    assert_int_equal(cpu_get_eflags(cpu), FLAG_FIXED | FLAG_IOPL | FLAG_AC | FLAG_CF);
    // Data segments of DPL 0 became null.
    assert_int_equal(cpu->segs[SEG_DS].selector, SEL_DATA3);
    // 16-bit interrupt gate.
    vm_gate(vm, gate, SEL_CODE0_16, 0x100, 0xe6, 0);
    vm->ram[VM_CODE + 0x100] = 0xf4;
    vm_enter_ring3(vm);
    cpu_set_eflags(cpu, FLAG_FIXED | FLAG_IF);
    VM_EXEC(vm, 0xcd, 0x80);
    assert_int_equal(cpu->regs[REG_ESP], VM_STACK0 - 10);
    assert_int_equal(vm_get16(vm, VM_STACK0 - 10), (VM_CODE + 2) & 0xffff);
    assert_int_equal(vm_get16(vm, VM_STACK0 - 8), SEL_CODE3);
    assert_int_equal(vm_get16(vm, VM_STACK0 - 6), FLAG_FIXED | FLAG_IF);
    assert_int_equal(vm_get16(vm, VM_STACK0 - 4), VM_STACK3 & 0xffff);
    assert_int_equal(cpu->eflags & FLAG_IF, 0);
    // Conforming handler: no level change.
    vm_gate(vm, gate, SEL_CONFORMING, VM_CODE + 0x200, 0xee, 0);
    vm_enter_ring3(vm);
    cpu_set_eflags(cpu, FLAG_FIXED);
    VM_ONE(vm, 0xcd, 0x80);
    assert_int_equal(cpu->cpl, 3);
    assert_int_equal(cpu->segs[SEG_CS].selector, SEL_CONFORMING | 3);
    assert_int_equal(cpu->regs[REG_ESP], VM_STACK3 - 12);
    vm_destroy(vm);
}

static void test_iret_drops_inner_segments(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    uint32_t esp = VM_STACK0 - 20;
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, esp);
    vm_load_segment(vm, SEG_FS, SEL_DATA3);
    vm_load_segment(vm, SEG_GS, SEL_CONFORMING);
    segment_set_null(cpu, SEG_ES, 3);
    vm_set32(vm, esp, VM_CODE + 0x100);
    vm_set32(vm, esp + 4, SEL_CODE3);
    vm_set32(vm, esp + 8, FLAG_FIXED);
    vm_set32(vm, esp + 12, VM_STACK3);
    vm_set32(vm, esp + 16, SEL_DATA3);
    VM_ONE(vm, 0xcf);
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->eip, VM_CODE + 0x100);
    assert_int_equal(cpu->segs[SEG_DS].selector, 0);
    assert_int_equal(cpu->segs[SEG_ES].selector, 0); // a null selector loses its RPL
    assert_int_equal(cpu->segs[SEG_FS].selector, SEL_DATA3);
    assert_int_equal(cpu->segs[SEG_GS].selector, SEL_CONFORMING);
    VM_ONE(vm, 0xa0, 0, 0, 0, 0); // a null DS faults when used
    VM_EXPECT(vm, EXC_GP, 0);
    vm_destroy(vm);
}

struct iret_case {
    uint16_t cs, ss;
    uint32_t eip;
    unsigned vector;
    uint32_t error_code;
};

static void test_iret_checks(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    vm_descriptor(vm, SEL_FREE, 0, 0xfffff, 0x7a, 0xc);     // code 3, not present
    vm_descriptor(vm, SEL_FREE + 8, 0, 0xfffff, 0x72, 0xc); // data 3, not present
    vm_descriptor(vm, SEL_FREE + 16, 0, 0xff, 0xfa, 4);     // code 3, small
    static const struct iret_case cases[] = {
        {0, SEL_DATA3, 0, EXC_GP, 0},
        {0x10b, SEL_DATA3, 0, EXC_GP, 0x108},
        {SEL_DATA3, SEL_DATA3, 0, EXC_GP, 0x20},
        {SEL_CODE0 | 3, SEL_DATA3, 0, EXC_GP, 8}, // DPL != RPL
        {SEL_FREE | 3, SEL_DATA3, 0, EXC_NP, SEL_FREE},
        {SEL_CODE3, 0, 0, EXC_GP, 0},
        {SEL_CODE3, 0x103, 0, EXC_GP, 0x100},
        {SEL_CODE3, SEL_DATA0, 0, EXC_GP, SEL_DATA0},
        {SEL_CODE3, SEL_CODE3, 0, EXC_GP, SEL_CODE3 & ~3},
        {SEL_CODE3, (SEL_FREE + 8) | 3, 0, EXC_SS, SEL_FREE + 8},
        {(SEL_FREE + 16) | 3, SEL_DATA3, 0x100, EXC_GP, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint32_t esp = VM_STACK0 - 20;
        vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, esp);
        vm_set32(vm, esp, cases[i].eip);
        vm_set32(vm, esp + 4, cases[i].cs);
        vm_set32(vm, esp + 8, FLAG_FIXED);
        vm_set32(vm, esp + 12, VM_STACK3);
        vm_set32(vm, esp + 16, cases[i].ss);
        VM_ONE(vm, 0xcf);
        VM_EXPECT(vm, cases[i].vector, cases[i].error_code);
        assert_int_equal(vm_stack32(vm, 1), VM_CODE);
        assert_int_equal(vm->cpu->regs[REG_ESP], esp - 16); // the frame was not released
    }
    vm_destroy(vm);
}

static void test_page_faults(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    vm_paging(vm);
    vm_map(vm, 0x40000, 0);
    FAULT(vm, EXC_PF, 0, true, 0xa0, 0x23, 0x01, 0x04, 0);
    assert_int_equal(cpu->cr2, 0x40123);
    FAULT(vm, EXC_PF, 2, true, 0xa2, 0x24, 0x01, 0x04, 0);
    assert_int_equal(cpu->cr2, 0x40124);
    vm_map(vm, 0x40000, 0x40005); // read-only: WP makes it hold for CPL 0
    FAULT(vm, EXC_PF, 3, true, 0xa2, 0, 0, 0x04, 0);
    // A store across pages: nothing is written when the second page faults.
    vm_map(vm, 0x40000, 0x40007);
    vm_map(vm, 0x41000, 0);
    vm_set32(vm, 0x40ffc, 0x11223344);
    cpu->regs[REG_EAX] = 0xaabbccdd;
    FAULT(vm, EXC_PF, 2, true, 0xa3, 0xfe, 0x0f, 0x04, 0);
    assert_int_equal(cpu->cr2, 0x41000);
    assert_int_equal(vm_get32(vm, 0x40ffc), 0x11223344);
    vm_map(vm, 0x41000, 0x50007); // the second page elsewhere
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    VM_ONE(vm, 0xa3, 0xfe, 0x0f, 0x04, 0);
    VM_EXPECT_NONE(vm);
    assert_int_equal(vm_get32(vm, 0x40ffc), 0xccdd3344);
    assert_int_equal(vm_get16(vm, 0x50000), 0xaabb);
    VM_ONE(vm, 0x8b, 0x1d, 0xfe, 0x0f, 0x04, 0); // mov ebx
    assert_int_equal(cpu->regs[REG_EBX], 0xaabbccdd);
    // User mode.
    vm_map(vm, 0x40000, 0x40003); // supervisor page
    vm_enter_ring3(vm);
    VM_ONE(vm, 0xa0, 0, 0, 0x04, 0);
    VM_EXPECT(vm, EXC_PF, 5);
    vm_enter_ring3(vm);
    cpu->eip = 0x40000;
    vm_run(vm, 1);
    assert_int_equal(vm->events[1].error_code, 5);
    vm_destroy(vm);
}

static void test_alignment_check(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    cpu->cr0 |= CR0_AM;
    vm_enter_ring3(vm);
    VM_ONE(vm, 0xa1, 1, 0, 3, 0); // AC clear
    VM_EXPECT_NONE(vm);
    cpu_set_eflags(cpu, FLAG_FIXED | FLAG_AC);
    VM_ONE(vm, 0xa0, 1, 0, 3, 0); // a byte
    VM_EXPECT_NONE(vm);
    VM_ONE(vm, 0xa1, 4, 0, 3, 0);
    VM_EXPECT_NONE(vm);
    VM_ONE(vm, 0xa1, 2, 0, 3, 0);
    VM_EXPECT(vm, EXC_AC, 0);
    assert_int_equal(vm_stack32(vm, 0), 0); // error code
    assert_int_equal(cpu->cpl, 0);
    VM_ONE(vm, 0xa1, 2, 0, 3, 0); // AC stays set, CPL 0 is not checked
    VM_EXPECT_NONE(vm);
    vm_destroy(vm);
}

// Delivery at CPL 3 to a misaligned stack: the error code of the #AC is EXT, clear for INT n.
static void test_alignment_check_of_delivery(void **state)
{
    static const struct {
        uint8_t code[2], vector, error;
    } cases[] = {{{0x0f, 0x0b}, EXC_UD, 1}, {{0xf1, 0x90}, EXC_DB, 1}, {{0xcd, 0x21}, 0x21, 0}};
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    cpu->cr0 |= CR0_AM;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        vm_gate(vm, VM_IDT + 8 * cases[i].vector, SEL_CONFORMING, VM_HANDLERS, 0xee, 0);
        vm_enter_ring3(vm);
        cpu->regs[REG_ESP] += 2;
        cpu_set_eflags(cpu, FLAG_FIXED | FLAG_AC);
        VM_ONE(vm, cases[i].code[0], cases[i].code[1]);
        assert_int_equal(vm->events[0].vector, cases[i].vector);
        assert_int_equal(cpu->raised.vector, EXC_AC);
        assert_int_equal(vm_stack32(vm, 0), cases[i].error);
        assert_int_equal(vm_stack32(vm, 1), VM_CODE);
        assert_int_equal(cpu->cpl, 0);
    }
    vm_destroy(vm);
}

// #AC whose handler runs at CPL 3 on the same misaligned stack: the CPU never gets out of it.
// Delivery must come back, with the instruction about to start again.
static void test_endless_alignment_check(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    cpu->cr0 |= CR0_AM;
    vm_gate(vm, VM_IDT + 8 * EXC_AC, SEL_CONFORMING, VM_HANDLERS, 0x8e, 0);
    vm_enter_ring3(vm);
    cpu->regs[REG_ESP] += 2;
    uint32_t esp = cpu->regs[REG_ESP];
    cpu_set_eflags(cpu, FLAG_FIXED | FLAG_AC);
    VM_ONE(vm, 0xa1, 2, 0, 3, 0);
    assert_int_equal(cpu->eip, VM_CODE);
    assert_int_equal(cpu->cpl, 3);
    assert_int_equal(cpu->regs[REG_ESP], esp);
    assert_int_equal(cpu->activity, CPU_RUNNING);
    vm_destroy(vm);
}

// INT n and INT1 began by clearing RF, so that they push it clear.
static void test_software_interrupts_clear_rf(void **state)
{
    static const uint8_t code[][2] = {{0xcd, 0x21}, {0xcc, 0x90}, {0xf1, 0x90}};
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    for (unsigned i = 0; i < ARRAY_SIZE(code); i++) {
        vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
        cpu->dr[0] = VM_DATA; // a breakpoint that does not hit: RF is exact
        cpu->dr[7] = DR7_FIXED | 1;
        cpu_set_eflags(cpu, FLAG_FIXED | FLAG_RF);
        cpu_update_mode(cpu);
        vm_exec(vm, code[i], 2);
        assert_int_equal(vm_stack32(vm, 2) & FLAG_RF, 0);
    }
    vm_destroy(vm);
}

// A far call whose target lies beyond its segment pushes nothing.
static void test_nothing_is_pushed_before_the_offset_is_checked(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    vm_descriptor(vm, SEL_FREE, 0, 0xfff, 0xfa, 4);
    vm_enter_ring3(vm);
    uint32_t esp = vm->cpu->regs[REG_ESP];
    vm_set32(vm, esp - 4, 0x11111111);
    VM_EXEC(vm, 0x9a, 0, 0x10, 0, 0, SEL_FREE | 3, SEL_FREE >> 8);
    VM_EXPECT(vm, EXC_GP, 0);
    assert_int_equal(vm_get32(vm, esp - 4), 0x11111111);
    vm_destroy(vm);
}

// Room on the stack, then the offset, then the pushes: SDM vol. 2, CALL.
static void test_the_room_on_the_stack_is_checked_before_the_offset(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    vm_descriptor(vm, SEL_FREE, 0, 0xfff, 0xfa, 4);
    vm_enter_ring3(vm);
    vm->cpu->segs[SEG_SS].limit = vm->cpu->regs[REG_ESP] - 3; // EIP would fit, CS does not
    VM_EXEC(vm, 0x9a, 0, 0x10, 0, 0, SEL_FREE | 3, SEL_FREE >> 8);
    VM_EXPECT(vm, EXC_SS, 0);
    vm_destroy(vm);
}

static void test_double_and_triple_fault(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    // #GP whose gate is not present: #NP during #GP = #DF with error code 0.
    vm_gate(vm, VM_IDT + 8 * EXC_GP, SEL_CODE0, VM_HANDLERS, 0x0e, 0);
    cpu->regs[REG_EAX] = 0x100;
    VM_EXEC(vm, 0x8e, 0xd8);
    assert_int_equal(vm->event_count, 1);
    assert_int_equal(cpu->eip, VM_HANDLERS + 16 * EXC_DF + 1);
    assert_int_equal(vm_stack32(vm, 0), 0);
    assert_int_equal(vm_stack32(vm, 1), VM_CODE);
    // #UD is benign: the #NP is handled, EXT set.
    vm_gate(vm, VM_IDT + 8 * EXC_UD, SEL_CODE0, VM_HANDLERS, 0x0e, 0);
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    VM_EXEC(vm, 0x0f, 0x0b);
    assert_int_equal(cpu->eip, VM_HANDLERS + 16 * EXC_NP + 1);
    assert_int_equal(vm_stack32(vm, 0), EXC_UD * 8 + 3);
    // #DF's gate is bad as well: shutdown.
    vm_gate(vm, VM_IDT + 8 * EXC_DF, SEL_CODE0, VM_HANDLERS, 0x0e, 0);
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    VM_EXEC(vm, 0x8e, 0xd8);
    assert_int_equal(cpu->activity, CPU_SHUTDOWN);
    vm_destroy(vm);
    // A page fault while a page fault is delivered: the stack is not mapped.
    vm = vm_protected(CPU_MODEL_PENTIUM4);
    vm_paging(vm);
    vm_map(vm, 0x6f000, 0);
    VM_EXEC(vm, 0xa1, 0, 0xf0, 6, 0);
    assert_int_equal(vm->cpu->activity, CPU_SHUTDOWN); // #DF's push faults again
    vm_destroy(vm);
}

static void test_external_interrupts(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    vm->intr_vector = 0x40;
    cpu_set_intr(cpu, true);
    VM_ONE(vm, 0x90); // IF clear
    assert_int_equal(cpu->eip, VM_CODE + 1);
    // STI shadows one instruction.
    vm_put(vm, cpu->eip, (const uint8_t[]){0xfb, 0x41, 0x42, 0xf4}, 4);
    cpu->regs[REG_ECX] = cpu->regs[REG_EDX] = 0;
    vm_run(vm, 100);
    assert_int_equal(cpu->regs[REG_ECX], 1);
    assert_int_equal(cpu->regs[REG_EDX], 0);
    assert_int_equal(cpu->eip, VM_HANDLERS + 0x400 + 1);
    assert_int_equal(vm_stack32(vm, 0), VM_CODE + 3);
    assert_int_equal(vm_stack32(vm, 2) & FLAG_IF, FLAG_IF);
    // MOV SS shadows one instruction, too.
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    cpu_set_eflags(cpu, FLAG_FIXED | FLAG_IF);
    cpu->activity = CPU_RUNNING;
    cpu->regs[REG_EAX] = SEL_DATA0;
    VM_ONE(vm, 0x8e, 0xd0);
    cpu_set_intr(cpu, true);
    VM_EXEC(vm, 0x41, 0x42);
    assert_int_equal(cpu->regs[REG_ECX], 2);
    assert_int_equal(cpu->regs[REG_EDX], 0);
    // HLT wakes up.
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    cpu_set_eflags(cpu, FLAG_FIXED | FLAG_IF);
    VM_EXEC(vm, 0xf4);
    assert_int_equal(cpu->activity, CPU_HALTED);
    assert_false(cpu_has_wake_event(cpu));
    cpu_set_intr(cpu, true);
    assert_true(cpu_has_wake_event(cpu));
    assert_true(cpu_take_pending(cpu));
    assert_int_equal(cpu->activity, CPU_RUNNING);
    assert_int_equal(vm_stack32(vm, 0), VM_CODE + 1);
    vm_destroy(vm);
}

static void test_nmi_is_blocked_until_iret(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    vm->ram[VM_HANDLERS + 2 * 16] = 0x90;
    vm->ram[VM_HANDLERS + 2 * 16 + 1] = 0xcf;
    cpu_raise_nmi(cpu);
    assert_true(cpu_take_pending(cpu));
    assert_int_equal(cpu->eip, VM_HANDLERS + 0x20);
    cpu_raise_nmi(cpu);
    assert_false(cpu_take_pending(cpu));
    vm_run(vm, 2); // NOP, IRET
    assert_int_equal(cpu->eip, VM_CODE);
    assert_true(cpu_take_pending(cpu));
    assert_int_equal(cpu->eip, VM_HANDLERS + 0x20);
    vm_destroy(vm);
}

static void test_single_step(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    // POPF sets TF; the trap comes after the next instruction.
    vm_set32(vm, VM_STACK0 - 4, FLAG_FIXED | FLAG_TF);
    cpu->regs[REG_ESP] = VM_STACK0 - 4;
    cpu->regs[REG_ECX] = cpu->regs[REG_EDX] = 0;
    VM_EXEC(vm, 0x9d, 0x41, 0x42);
    assert_int_equal(cpu->eip, VM_HANDLERS + 0x10 + 1);
    assert_int_equal(cpu->regs[REG_ECX], 1);
    assert_int_equal(cpu->regs[REG_EDX], 0);
    assert_int_equal(vm_stack32(vm, 0), VM_CODE + 2);
    assert_int_equal(vm_stack32(vm, 2), FLAG_FIXED | FLAG_TF);
    assert_int_equal(cpu->dr[6], DR6_FIXED | DR6_BS);
    assert_int_equal(cpu->eflags & FLAG_TF, 0);
    // MOV SS holds its own trap back.
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    cpu_set_eflags(cpu, FLAG_FIXED | FLAG_TF);
    cpu->regs[REG_EAX] = SEL_DATA0;
    VM_EXEC(vm, 0x8e, 0xd0, 0x41, 0x42);
    assert_int_equal(vm_stack32(vm, 0), VM_CODE + 3);
    // INT n clears TF: no trap.
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    cpu_set_eflags(cpu, FLAG_FIXED | FLAG_TF);
    VM_EXEC(vm, 0xcd, 0x80);
    assert_int_equal(cpu->eip, VM_HANDLERS + 0x800 + 1);
    // INT1.
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    cpu_set_eflags(cpu, FLAG_FIXED);
    cpu->dr[6] = DR6_FIXED;
    VM_EXEC(vm, 0xf1);
    assert_int_equal(vm_stack32(vm, 0), VM_CODE + 1);
    assert_int_equal(cpu->dr[6], DR6_FIXED);
    vm_destroy(vm);
}

static void arm(struct vm *vm, unsigned n, uint32_t address, unsigned kind, unsigned length)
{
    struct cpu *cpu = vm->cpu;
    cpu->dr[n] = address;
    cpu->dr[7] |= 2u << (2 * n) | kind << (16 + 4 * n) | length << (18 + 4 * n);
    cpu_update_mode(cpu);
}

static void test_breakpoints(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    // Execution: a fault before the instruction, RF clear in the frame; IRET with RF passes it.
    arm(vm, 0, VM_CODE + 1, 0, 0);
    cpu->regs[REG_ECX] = 0;
    VM_EXEC(vm, 0x90, 0x41, 0xf4);
    assert_int_equal(cpu->regs[REG_ECX], 0);
    assert_int_equal(cpu->dr[6], DR6_FIXED | 1);
    assert_int_equal(vm_stack32(vm, 0), VM_CODE + 1);
    assert_int_equal(vm_stack32(vm, 2) & FLAG_RF, 0);
    vm_set32(vm, cpu->regs[REG_ESP] + 8, FLAG_FIXED | FLAG_RF);
    cpu->activity = CPU_RUNNING;
    VM_ONE(vm, 0xcf);
    cpu->activity = CPU_RUNNING;
    vm_run(vm, 10);
    assert_int_equal(cpu->regs[REG_ECX], 1);
    assert_int_equal(cpu->eip, VM_CODE + 3);
    assert_int_equal(cpu->eflags & FLAG_RF, 0);
    vm_destroy(vm);
    // Data: a trap after the write; reads do not hit a write breakpoint; partial overlap does.
    vm = vm_protected(CPU_MODEL_PENTIUM4);
    cpu = vm->cpu;
    arm(vm, 2, VM_DATA + 4, 1, 3);
    VM_ONE(vm, 0xa1, 4, 0, 3, 0);
    assert_int_equal(cpu->pending_debug, 0);
    VM_ONE(vm, 0xa2, 8, 0, 3, 0);
    assert_int_equal(cpu->pending_debug, 0);
    cpu->eip = VM_CODE;
    VM_EXEC(vm, 0xa3, 1, 0, 3, 0, 0x90);
    assert_int_equal(cpu->dr[6], DR6_FIXED | 4);
    assert_int_equal(vm_stack32(vm, 0), VM_CODE + 5);
    // I/O with CR4.DE.
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    cpu->cr4 |= CR4_DE;
    cpu->dr[6] = DR6_FIXED;
    arm(vm, 1, 0x101, 2, 0);
    cpu->regs[REG_EDX] = 0x100;
    VM_EXEC(vm, 0xec, 0xed, 0x90);
    assert_int_equal(cpu->dr[6], DR6_FIXED | 2);
    assert_int_equal(vm_stack32(vm, 0), VM_CODE + 2);
    // General detect.
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    cpu->dr[7] = DR7_FIXED | DR7_GD;
    cpu->dr[6] = DR6_FIXED;
    VM_EXEC(vm, 0x0f, 0x21, 0xc0);
    VM_EXPECT(vm, EXC_DB, 0);
    assert_int_equal(cpu->dr[6], DR6_FIXED | DR6_BD);
    assert_int_equal(cpu->dr[7], DR7_FIXED);
    assert_int_equal(vm_stack32(vm, 0), VM_CODE);
    vm_destroy(vm);
}

static void test_interrupt_from_v86(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    vm_enter_v86(vm, 0x1000, 0x10, 0x200, 0);
    VM_EXEC(vm, 0x0f, 0x0b);
    VM_EXPECT(vm, EXC_UD, 0);
    assert_int_equal(cpu->cpl, 0);
    assert_false(cpu_is_v86(cpu));
    assert_int_equal(cpu->regs[REG_ESP], VM_STACK0 - 36);
    static const uint32_t frame[] = {0x10,   0x1000, FLAG_FIXED | FLAG_VM | FLAG_RF,
                                     0x200,  0x7000, 0x3000,
                                     0x3003, 0x3004, 0x3005};
    for (unsigned i = 0; i < ARRAY_SIZE(frame); i++)
        assert_int_equal(vm_stack32(vm, i), frame[i]);
    assert_int_equal(cpu->segs[SEG_DS].selector, 0);
    assert_int_equal(cpu->segs[SEG_GS].selector, 0);
    // IRET back.
    vm_set32(vm, cpu->regs[REG_ESP] + 8, FLAG_FIXED | FLAG_VM | FLAG_IF);
    VM_ONE(vm, 0xcf);
    VM_EXPECT_NONE(vm);
    assert_true(cpu_is_v86(cpu));
    assert_int_equal(cpu->cpl, 3);
    assert_int_equal(cpu->segs[SEG_CS].base, 0x10000);
    assert_int_equal(cpu->segs[SEG_GS].selector, 0x3005);
    assert_int_equal(cpu->segs[SEG_ES].base, 0x30000);
    assert_int_equal(cpu->regs[REG_ESP], 0x200);
    // A gate to a handler that is not DPL 0: #GP(selector).
    vm_gate(vm, VM_IDT + 8 * EXC_UD, SEL_CODE1 & ~3, 0, 0xee, 0);
    vm_enter_v86(vm, 0x1000, 0x10, 0x200, 0);
    VM_EXEC(vm, 0x0f, 0x0b);
    assert_int_equal(cpu->eip, VM_HANDLERS + 16 * EXC_GP + 1);
    assert_int_equal(vm_stack32(vm, 0), (SEL_CODE1 & ~3) | 1);
    vm_destroy(vm);
}

static void test_v86_int_and_vme(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    vm_gate(vm, VM_IDT + 8 * 0x21, SEL_CODE0, VM_HANDLERS + 0x210, 0xee, 0);
    // No VME: IOPL 3 goes through the IDT, below it #GP(0).
    vm_enter_v86(vm, 0x1000, 0, 0x200, 3);
    VM_EXEC(vm, 0xcd, 0x21);
    assert_int_equal(cpu->eip, VM_HANDLERS + 0x210 + 1);
    assert_int_equal(vm_stack32(vm, 0), 2);
    vm_enter_v86(vm, 0x1000, 0, 0x200, 2);
    VM_EXEC(vm, 0xcd, 0x21);
    VM_EXPECT(vm, EXC_GP, 0);
    // VME: bitmap bit clear: through the 8086 table at 0.
    cpu->cr4 |= CR4_VME;
    vm_set16(vm, VM_TSS + 102, 104 + 32);
    memset(vm->ram + VM_TSS + 104, 0, 32);
    vm_set32(vm, 0x21 * 4, 0x11000030); // 1100:0030
    vm_enter_v86(vm, 0x1000, 0, 0x200, 0);
    cpu->eflags |= FLAG_VIF | FLAG_TF;
    cpu->eflags &= ~FLAG_TF;
    VM_ONE(vm, 0xcd, 0x21);
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->segs[SEG_CS].selector, 0x1100);
    assert_int_equal(cpu->eip, 0x30);
    assert_int_equal(cpu->regs[REG_ESP], 0x1fa);
    assert_int_equal(vm_stack16(vm, 0), 2);
    assert_int_equal(vm_stack16(vm, 1), 0x1000);
    assert_int_equal(vm_stack16(vm, 2), FLAG_FIXED | FLAG_IF | FLAG_IOPL);
    assert_int_equal(cpu->eflags & FLAG_VIF, 0);
    VM_ONE(vm, 0xcf); // IRET: IF of the image goes to VIF
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->eflags & (FLAG_VIF | FLAG_IF | FLAG_IOPL), FLAG_VIF);
    assert_int_equal(cpu->eip, 2);
    // Bit set: #GP(0) below IOPL 3.
    vm->ram[VM_TSS + 104 + 0x21 / 8] = 1u << (0x21 & 7);
    VM_ONE(vm, 0xcd, 0x21);
    VM_EXPECT(vm, EXC_GP, 0);
    // CLI, STI, PUSHF, POPF on VIF.
    vm_enter_v86(vm, 0x1000, 0, 0x200, 0);
    VM_ONE(vm, 0xfb);
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->eflags & (FLAG_VIF | FLAG_IF), FLAG_VIF);
    VM_ONE(vm, 0x9c);
    assert_int_equal(vm_stack16(vm, 0), FLAG_FIXED | FLAG_IF | FLAG_IOPL);
    VM_ONE(vm, 0xfa);
    assert_int_equal(cpu->eflags & (FLAG_VIF | FLAG_IF), 0);
    VM_ONE(vm, 0x9d);
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->eflags & (FLAG_VIF | FLAG_IF), FLAG_VIF);
    cpu->eflags |= FLAG_VIP;
    VM_ONE(vm, 0xfb);
    VM_EXPECT(vm, EXC_GP, 0);
    vm_enter_v86(vm, 0x1000, 0, 0x200, 0);
    VM_ONE(vm, 0x66, 0x9c); // PUSHFD
    VM_EXPECT(vm, EXC_GP, 0);
    vm_destroy(vm);
}

static void test_pvi(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    vm_enter_ring3(vm);
    VM_ONE(vm, 0xfa);
    VM_EXPECT(vm, EXC_GP, 0);
    cpu->cr4 |= CR4_PVI;
    vm_enter_ring3(vm);
    VM_ONE(vm, 0xfb);
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->eflags & (FLAG_VIF | FLAG_IF), FLAG_VIF);
    VM_ONE(vm, 0xfa);
    assert_int_equal(cpu->eflags & FLAG_VIF, 0);
    vm_destroy(vm);
}

static void test_popf_privileges(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    uint32_t all = FLAG_IOPL | FLAG_IF | FLAG_NT | FLAG_AC | FLAG_ID | FLAGS_ARITH | FLAG_VIF |
                   FLAG_VIP | FLAG_VM | FLAG_RF | FLAG_DF;
    cpu->regs[REG_ESP] = VM_STACK0 - 4;
    vm_set32(vm, VM_STACK0 - 4, all);
    VM_ONE(vm, 0x9d);
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu_get_eflags(cpu),
                     FLAG_FIXED | (all & ~(FLAG_VIF | FLAG_VIP | FLAG_VM | FLAG_RF)));
    vm_enter(vm, SEL_CODE3, SEL_DATA3, VM_CODE, VM_STACK3 - 4);
    cpu_set_eflags(cpu, FLAG_FIXED);
    vm_set32(vm, VM_STACK3 - 4, all);
    VM_ONE(vm, 0x9d);
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu_get_eflags(cpu),
                     FLAG_FIXED | FLAG_NT | FLAG_AC | FLAG_ID | FLAGS_ARITH | FLAG_DF);
    vm_destroy(vm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real_mode_int_iret),
        cmocka_unit_test(test_faults_in_protected_mode),
        cmocka_unit_test(test_too_long_and_limits),
        cmocka_unit_test(test_software_interrupts),
        cmocka_unit_test(test_gate_checks),
        cmocka_unit_test(test_inner_stack_checks),
        cmocka_unit_test(test_privilege_change_frames),
        cmocka_unit_test(test_iret_drops_inner_segments),
        cmocka_unit_test(test_iret_checks),
        cmocka_unit_test(test_page_faults),
        cmocka_unit_test(test_alignment_check),
        cmocka_unit_test(test_alignment_check_of_delivery),
        cmocka_unit_test(test_endless_alignment_check),
        cmocka_unit_test(test_software_interrupts_clear_rf),
        cmocka_unit_test(test_nothing_is_pushed_before_the_offset_is_checked),
        cmocka_unit_test(test_the_room_on_the_stack_is_checked_before_the_offset),
        cmocka_unit_test(test_double_and_triple_fault),
        cmocka_unit_test(test_external_interrupts),
        cmocka_unit_test(test_nmi_is_blocked_until_iret),
        cmocka_unit_test(test_single_step),
        cmocka_unit_test(test_breakpoints),
        cmocka_unit_test(test_interrupt_from_v86),
        cmocka_unit_test(test_v86_int_and_vme),
        cmocka_unit_test(test_pvi),
        cmocka_unit_test(test_popf_privileges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
