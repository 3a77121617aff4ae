// SPDX-License-Identifier: MIT
// Hardware task switches: sources, both TSS sizes, busy bits, links, and every check.
#include "harness.h"

enum { TASK_ENTRY = VM_CODE + 0x800, TASK_STACK = 0x60000 };

// Fills the second 32-bit TSS: ring `cpl` code at TASK_ENTRY.
static void fill_tss32(struct vm *vm, uint16_t cs, uint16_t ss, uint16_t data, uint32_t eflags)
{
    memset(vm->ram + VM_TSS2, 0, 0x68);
    vm_set32(vm, VM_TSS2 + 4, VM_STACK0 - 0x1000);
    vm_set16(vm, VM_TSS2 + 8, SEL_DATA0);
    vm_set32(vm, VM_TSS2 + 0x1c, VM_PAGE_DIR);
    vm_set32(vm, VM_TSS2 + 0x20, TASK_ENTRY);
    vm_set32(vm, VM_TSS2 + 0x24, eflags);
    for (unsigned i = 0; i < 8; i++)
        vm_set32(vm, VM_TSS2 + 0x28 + 4 * i, 0x1000 + i);
    vm_set32(vm, VM_TSS2 + 0x28 + 4 * REG_ESP, TASK_STACK);
    vm_set16(vm, VM_TSS2 + 0x48, data);
    vm_set16(vm, VM_TSS2 + 0x4c, cs);
    vm_set16(vm, VM_TSS2 + 0x50, ss);
    vm_set16(vm, VM_TSS2 + 0x54, data);
    vm_set16(vm, VM_TSS2 + 0x58, 0);
    vm_set16(vm, VM_TSS2 + 0x5c, data);
    vm_set16(vm, VM_TSS2 + 0x60, SEL_LDT);
}

static void fill_default(struct vm *vm)
{
    fill_tss32(vm, SEL_CODE0, SEL_DATA0, SEL_DATA0, FLAG_FIXED);
}

static void test_jump_saves_and_loads_everything(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    fill_default(vm);
    for (unsigned i = 0; i < 8; i++)
        cpu->regs[i] = 0x5500 + i;
    cpu->regs[REG_ESP] = VM_STACK0;
    cpu_set_eflags(cpu, FLAG_FIXED | FLAG_CF | FLAG_IF);
    cpu->dr[7] = DR7_FIXED | 3;
    cpu_update_mode(cpu);
    VM_ONE(vm, 0xea, 0, 0, 0, 0, SEL_TSS2, 0);
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->eip, TASK_ENTRY);
    assert_int_equal(cpu->tr.selector, SEL_TSS2);
    assert_int_equal(cpu->tr.base, VM_TSS2);
    assert_int_equal(cpu->regs[REG_EAX], 0x1000);
    assert_int_equal(cpu->regs[REG_EDI], 0x1007);
    assert_int_equal(cpu->regs[REG_ESP], TASK_STACK);
    assert_int_equal(cpu->ldtr.selector, SEL_LDT);
    assert_int_equal(cpu->segs[SEG_FS].selector, 0);
    assert_int_equal(cpu_get_eflags(cpu), FLAG_FIXED); // no NT
    assert_true(cpu->cr0 & CR0_TS);
    assert_int_equal(cpu->dr[7] & 0xff, 2); // L0 cleared, G0 kept
    // The old task.
    assert_int_equal(vm_get32(vm, VM_TSS + 0x20), VM_CODE + 7);
    assert_int_equal(vm_get32(vm, VM_TSS + 0x24), FLAG_FIXED | FLAG_CF | FLAG_IF);
    assert_int_equal(vm_get32(vm, VM_TSS + 0x28), 0x5500);
    assert_int_equal(vm_get32(vm, VM_TSS + 0x28 + 4 * REG_ESP), VM_STACK0);
    assert_int_equal(vm_get16(vm, VM_TSS + 0x4c), SEL_CODE0);
    assert_int_equal(vm_access(vm, SEL_TSS), 0x89);  // no longer busy
    assert_int_equal(vm_access(vm, SEL_TSS2), 0x8b); // busy
    assert_int_equal(vm_get16(vm, VM_TSS2), 0);      // no link
    vm_destroy(vm);
}

static void test_call_links_and_iret_returns(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    fill_tss32(vm, SEL_CODE3, SEL_DATA3, SEL_DATA3, FLAG_FIXED);
    cpu_set_eflags(cpu, FLAG_FIXED | FLAG_ZF);
    cpu->regs[REG_EBX] = 0x77;
    VM_ONE(vm, 0x9a, 0, 0, 0, 0, SEL_TSS2, 0);
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->cpl, 3);
    assert_true(cpu->is_user);
    assert_int_equal(cpu->eflags & FLAG_NT, FLAG_NT);
    assert_int_equal(vm_get16(vm, VM_TSS2), SEL_TSS);
    assert_int_equal(vm_access(vm, SEL_TSS), 0x8b); // stays busy
    assert_int_equal(vm_access(vm, SEL_TSS2), 0x8b);
    VM_ONE(vm, 0xcf); // IRET with NT
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->tr.selector, SEL_TSS);
    assert_int_equal(cpu->cpl, 0);
    assert_int_equal(cpu->eip, VM_CODE + 7);
    assert_int_equal(cpu->regs[REG_EBX], 0x77);
    assert_int_equal(cpu_get_eflags(cpu), FLAG_FIXED | FLAG_ZF);
    assert_int_equal(vm_access(vm, SEL_TSS2), 0x89);
    assert_int_equal(vm_access(vm, SEL_TSS), 0x8b);
    assert_int_equal(vm_get32(vm, VM_TSS2 + 0x24) & FLAG_NT, 0);
    assert_int_equal(vm_get32(vm, VM_TSS2 + 0x20), TASK_ENTRY + 1);
    // IRET with NT and a link that is not busy: #TS(link).
    cpu->eflags |= FLAG_NT;
    vm_set16(vm, VM_TSS, SEL_TSS2);
    VM_ONE(vm, 0xcf);
    VM_EXPECT(vm, EXC_TS, SEL_TSS2);
    vm_destroy(vm);
}

static void test_16_bit_tasks(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    memset(vm->ram + VM_TSS16, 0, 0x2c);
    vm_set16(vm, VM_TSS16 + 0x0e, 0x123);
    vm_set16(vm, VM_TSS16 + 0x10, FLAG_FIXED | FLAG_SF);
    for (unsigned i = 0; i < 8; i++)
        vm_set16(vm, VM_TSS16 + 0x12 + 2 * i, 0x2000 + i);
    vm_set16(vm, VM_TSS16 + 0x22, SEL_DATA0_16);
    vm_set16(vm, VM_TSS16 + 0x24, SEL_CODE0_16);
    vm_set16(vm, VM_TSS16 + 0x26, SEL_DATA0_16);
    vm_set16(vm, VM_TSS16 + 0x28, SEL_DATA0_16);
    vm_load_segment(vm, SEG_FS, SEL_DATA3);
    cpu_update_mode(cpu);
    VM_ONE(vm, 0x9a, 0, 0, 0, 0, SEL_TSS16, 0);
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->eip, 0x123);
    assert_false(cpu_code32(cpu));
    assert_int_equal(cpu->regs[REG_EAX] & 0xffff, 0x2000);
    assert_int_equal(cpu->regs[REG_ESP] & 0xffff, 0x2004);
    assert_int_equal(cpu->segs[SEG_FS].selector, 0);
    assert_int_equal(cpu->ldtr.attributes & DESC_P, 0); // null LDT
    assert_int_equal(cpu_get_eflags(cpu), FLAG_FIXED | FLAG_SF | FLAG_NT);
    assert_int_equal(vm_get16(vm, VM_TSS16), SEL_TSS);
    assert_int_equal(vm_access(vm, SEL_TSS16), 0x83);
    VM_ONE(vm, 0xcf); // back to the 32-bit task
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->eip, VM_CODE + 7);
    assert_int_equal(cpu->segs[SEG_FS].selector, SEL_DATA3);
    assert_int_equal(vm_get16(vm, VM_TSS16 + 0x0e), 0x124);
    assert_int_equal(vm_get16(vm, VM_TSS16 + 0x10), FLAG_FIXED | FLAG_SF);
    assert_int_equal(vm_access(vm, SEL_TSS16), 0x81);
    vm_destroy(vm);
}

static void test_task_gate_in_idt(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    fill_default(vm);
    vm_gate(vm, VM_IDT + 8 * EXC_GP, SEL_TSS2, 0, 0x85, 0);
    vm_enter_ring3(vm);
    cpu->regs[REG_EAX] = 0x100;
    VM_ONE(vm, 0x8e, 0xd8); // #GP(100)
    VM_EXPECT(vm, EXC_GP, 0x100);
    assert_int_equal(cpu->eip, TASK_ENTRY);
    assert_int_equal(cpu->cpl, 0);
    assert_int_equal(cpu->regs[REG_ESP], TASK_STACK - 4);
    assert_int_equal(vm_stack32(vm, 0), 0x100);
    assert_int_equal(cpu->eflags & FLAG_NT, FLAG_NT);
    assert_int_equal(vm_get32(vm, VM_TSS + 0x20), VM_CODE);
    assert_int_equal(vm_get32(vm, VM_TSS + 0x24) & FLAG_RF, FLAG_RF);
    // INT n through a task gate returns behind the INT.
    struct vm *other = vm_protected(CPU_MODEL_PENTIUM4);
    fill_default(other);
    vm_gate(other, VM_IDT + 8 * 0x80, SEL_TSS2, 0, 0xe5, 0);
    vm_enter_ring3(other);
    VM_ONE(other, 0xcd, 0x80);
    assert_int_equal(other->cpu->eip, TASK_ENTRY);
    assert_int_equal(vm_get32(other, VM_TSS + 0x20), VM_CODE + 2);
    assert_int_equal(other->cpu->regs[REG_ESP], TASK_STACK);
    vm_destroy(other);
    vm_destroy(vm);
}

// SDM vol. 2, INT n, TASK-GATE: the error code is pushed before EIP is checked.
static void test_task_gate_to_eip_beyond_limit(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    vm_descriptor(vm, SEL_FREE, 0, 0xff, 0x9a, 4); // small code
    fill_tss32(vm, SEL_FREE, SEL_DATA0, SEL_DATA0, FLAG_FIXED);
    vm_gate(vm, VM_IDT + 8 * EXC_UD, SEL_TSS2, 0, 0x85, 0);
    VM_ONE(vm, 0x0f, 0x0b);
    VM_EXPECT(vm, EXC_UD, 0);
    assert_int_equal(vm->cpu->eip, VM_HANDLERS + 16 * EXC_GP);
    assert_int_equal(vm_stack32(vm, 0), 1); // #GP(EXT)
    assert_int_equal(vm_stack32(vm, 1), TASK_ENTRY);
    vm_destroy(vm);

    struct vm *paged = vm_protected(CPU_MODEL_PENTIUM4);
    vm_descriptor(paged, SEL_FREE, 0, 0xff, 0x9a, 4);
    fill_tss32(paged, SEL_FREE, SEL_DATA0, SEL_DATA0, FLAG_FIXED);
    vm_paging(paged);
    vm_gate(paged, VM_IDT + 8 * EXC_PF, SEL_TSS2, 0, 0x85, 0);
    vm_gate(paged, VM_IDT + 8 * EXC_DF, SEL_TSS16, 0, 0x85, 0);
    memset(paged->ram + VM_TSS16, 0, 0x2c);
    vm_set16(paged, VM_TSS16 + 0x1a, 0x2004);
    vm_set16(paged, VM_TSS16 + 0x24, SEL_CODE0_16);
    for (unsigned i = 0x22; i < 0x2a; i += i == 0x22 ? 4 : 2)
        vm_set16(paged, VM_TSS16 + i, SEL_DATA0_16);
    vm_map(paged, 0x50000, 0);
    paged->cpu->regs[REG_ESP] = 0x51000;
    VM_ONE(paged, 0x50); // #PF, #GP in the new task: double fault
    VM_EXPECT(paged, EXC_PF, 2);
    assert_int_equal(paged->cpu->tr.selector, SEL_TSS16);
    assert_int_equal(vm_get32(paged, TASK_STACK - 4), 2);
    assert_int_equal(vm_get32(paged, VM_TSS2 + 0x28 + 4 * REG_ESP), TASK_STACK);
    vm_destroy(paged);
}

// Double fault through a task gate, as Linux has it.
static void test_double_fault_task(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    fill_default(vm);
    vm_paging(vm);
    vm_gate(vm, VM_IDT + 8 * EXC_DF, SEL_TSS2, 0, 0x85, 0);
    cpu->regs[REG_ESP] = 0x51000; // the stack is not mapped
    vm_map(vm, 0x50000, 0);
    VM_ONE(vm, 0x50);
    VM_EXPECT(vm, EXC_PF, 2);
    assert_int_equal(cpu->eip, TASK_ENTRY);
    assert_int_equal(vm_stack32(vm, 0), 0);
    assert_int_equal(cpu->cr2, 0x50ffc);
    assert_int_equal(vm_get32(vm, VM_TSS + 0x20), VM_CODE);
    assert_int_equal(vm_get32(vm, VM_TSS + 0x28 + 4 * REG_ESP), 0x51000);
    vm_destroy(vm);
}

static void test_far_jump_through_task_gate(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    fill_default(vm);
    vm_gate(vm, VM_GDT + SEL_FREE, SEL_TSS2, 0, 0xe5, 0);
    vm_enter_ring3(vm);
    VM_ONE(vm, 0xea, 0, 0, 0, 0, SEL_FREE | 3, 0);
    VM_EXPECT_NONE(vm);
    assert_int_equal(vm->cpu->tr.selector, SEL_TSS2);
    vm_destroy(vm);
}

// Checks before the commit point: the fault is the old task's, and nothing changed.
static void expect_before(struct vm *vm, uint8_t opcode, uint16_t selector, unsigned vector,
                          uint32_t error_code)
{
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    VM_ONE(vm, opcode, 0, 0, 0, 0, (uint8_t)selector, (uint8_t)(selector >> 8));
    VM_EXPECT(vm, vector, error_code);
    assert_int_equal(vm->cpu->tr.selector, SEL_TSS);
    assert_int_equal(vm_stack32(vm, 1), VM_CODE);
    assert_int_equal(vm_access(vm, SEL_TSS), 0x8b);
}

static void test_checks_before_commit(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    fill_default(vm);
    expect_before(vm, 0xea, SEL_TSS, EXC_GP, SEL_TSS); // busy
    vm_descriptor(vm, SEL_TSS2, VM_TSS2, 0x67, 0x09, 0);
    expect_before(vm, 0xea, SEL_TSS2, EXC_NP, SEL_TSS2);
    vm_descriptor(vm, SEL_TSS2, VM_TSS2, 0x66, 0x89, 0);
    expect_before(vm, 0x9a, SEL_TSS2, EXC_TS, SEL_TSS2);
    vm_descriptor(vm, SEL_TSS16, VM_TSS16, 0x2a, 0x81, 0);
    expect_before(vm, 0x9a, SEL_TSS16, EXC_TS, SEL_TSS16);
    // A task gate whose selector is in the LDT, or names a busy TSS.
    vm_gate(vm, VM_GDT + SEL_FREE, SEL_TSS2 | 4, 0, 0x85, 0);
    expect_before(vm, 0xea, SEL_FREE, EXC_GP, SEL_TSS2 | 4);
    vm_gate(vm, VM_GDT + SEL_FREE, SEL_TSS, 0, 0x85, 0);
    expect_before(vm, 0xea, SEL_FREE, EXC_GP, SEL_TSS);
    // DPL of the TSS below CPL.
    vm_descriptor(vm, SEL_TSS2, VM_TSS2, 0x67, 0x89, 0);
    vm_enter_ring3(vm);
    VM_ONE(vm, 0xea, 0, 0, 0, 0, SEL_TSS2, 0);
    VM_EXPECT(vm, EXC_GP, SEL_TSS2);
    vm_destroy(vm);
}

// Checks after the commit point: delivered in the new task.
static void expect_after(uint16_t offset, uint16_t value, unsigned vector, uint32_t error_code)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    vm_descriptor(vm, SEL_FREE, 0, 0xfffff, 0x1a, 0xc);     // code, not present
    vm_descriptor(vm, SEL_FREE + 8, 0, 0xfffff, 0x12, 0xc); // data, not present
    vm_descriptor(vm, SEL_FREE + 16, 0, 0xff, 0x9a, 4);     // code, small
    // The handler runs on a stack of its own: through a conforming-free interrupt gate at CPL 0.
    fill_tss32(vm, SEL_CODE0, SEL_DATA0, SEL_DATA0, FLAG_FIXED);
    vm_set16(vm, VM_TSS2 + offset, value);
    VM_ONE(vm, 0xea, 0, 0, 0, 0, SEL_TSS2, 0);
    VM_EXPECT(vm, vector, error_code);
    assert_int_equal(vm->cpu->tr.selector, SEL_TSS2);
    assert_int_equal(vm_access(vm, SEL_TSS2), 0x8b);
    assert_int_equal(vm_access(vm, SEL_TSS), 0x89);
    assert_int_equal(vm_get32(vm, VM_TSS + 0x20), VM_CODE + 7);
    vm_destroy(vm);
}

static void test_checks_after_commit(void **state)
{
    expect_after(0x60, 0x100, EXC_TS, 0x100);             // LDT outside the GDT
    expect_after(0x60, SEL_LDT | 4, EXC_TS, SEL_LDT | 4); // LDT in the LDT
    expect_after(0x60, SEL_DATA0, EXC_TS, SEL_DATA0);     // not an LDT
    expect_after(0x4c, 0, EXC_TS, 0);                     // null CS
    expect_after(0x4c, 0x100, EXC_TS, 0x100);
    expect_after(0x4c, SEL_DATA0, EXC_TS, SEL_DATA0);
    expect_after(0x4c, SEL_CODE3 & ~3, EXC_TS, SEL_CODE3 & ~3); // DPL != RPL
    expect_after(0x4c, SEL_FREE, EXC_NP, SEL_FREE);
    expect_after(0x50, 0, EXC_TS, 0);
    expect_after(0x50, SEL_DATA3, EXC_TS, SEL_DATA3 & ~3);
    expect_after(0x50, SEL_FREE + 8, EXC_SS, SEL_FREE + 8);
    expect_after(0x54, 0x100, EXC_TS, 0x100);
    expect_after(0x48, SEL_FREE + 8, EXC_NP, SEL_FREE + 8);
    expect_after(0x58, SEL_TSS, EXC_TS, SEL_TSS); // FS: a system descriptor
    expect_after(0x4c, SEL_FREE + 16, EXC_GP, 0); // EIP beyond the limit
}

static void test_task_fault_is_delivered_in_new_task(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    fill_default(vm);
    vm_set16(vm, VM_TSS2 + 0x54, 0x100); // bad DS
    VM_ONE(vm, 0xea, 0, 0, 0, 0, SEL_TSS2, 0);
    VM_EXPECT(vm, EXC_TS, 0x100);
    assert_int_equal(cpu->eip, VM_HANDLERS + 16 * EXC_TS);
    assert_int_equal(cpu->regs[REG_ESP], TASK_STACK - 16);
    assert_int_equal(vm_stack32(vm, 0), 0x100);
    assert_int_equal(vm_stack32(vm, 1), TASK_ENTRY);
    vm_destroy(vm);
}

static void test_cr3_v86_and_trap_bit(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    vm_paging(vm);
    fill_tss32(vm, 0x1000, 0x6000, 0x3000, FLAG_FIXED | FLAG_VM | FLAG_IOPL);
    memcpy(vm->ram + VM_PAGE_DIR + 0x8000, vm->ram + VM_PAGE_DIR, 4096);
    vm_set32(vm, VM_TSS2 + 0x1c, VM_PAGE_DIR + 0x8000);
    vm_set32(vm, VM_TSS2 + 0x20, 0x20);
    vm_set16(vm, VM_TSS2 + 0x64, 1); // T
    VM_ONE(vm, 0x9a, 0, 0, 0, 0, SEL_TSS2, 0);
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->cr3, VM_PAGE_DIR + 0x8000);
    assert_int_equal(mmu_context(&cpu->mmu), VM_PAGE_DIR + 0x8000);
    assert_true(cpu_is_v86(cpu));
    assert_int_equal(cpu->cpl, 3);
    assert_int_equal(cpu->segs[SEG_CS].base, 0x10000);
    assert_int_equal(cpu->segs[SEG_DS].base, 0x30000);
    assert_int_equal(cpu->eip, 0x20);
    assert_true(cpu_take_pending(cpu));
    assert_int_equal(cpu->dr[6], DR6_FIXED | DR6_BT);
    assert_int_equal(cpu->eip, VM_HANDLERS + 16);
    assert_int_equal(vm_stack32(vm, 0), 0x20);
    vm_destroy(vm);
}

static void test_old_tss_must_be_writable(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    vm_paging(vm);
    fill_default(vm);
    // The old TSS straddles a page that is read-only for everybody.
    vm_descriptor(vm, SEL_TSS, 0x5ffc0, 0x67, 0x8b, 0);
    cpu->tr.base = 0x5ffc0;
    cpu->tr.limit = 0x67;
    vm_map(vm, 0x60000, 0x60005);
    vm_set32(vm, VM_TSS2 + 0x28 + 4 * REG_ESP, 0x58000);
    vm_set32(vm, 0x5ffc0 + 0x20, 0x99);
    VM_ONE(vm, 0xea, 0, 0, 0, 0, SEL_TSS2, 0);
    VM_EXPECT(vm, EXC_PF, 3);
    assert_int_equal(cpu->cr2, 0x60000);
    assert_int_equal(cpu->tr.selector, SEL_TSS);
    assert_int_equal(vm_get32(vm, 0x5ffc0 + 0x20), 0x99);
    assert_int_equal(vm_access(vm, SEL_TSS2), 0x89);
    vm_destroy(vm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jump_saves_and_loads_everything),
        cmocka_unit_test(test_call_links_and_iret_returns),
        cmocka_unit_test(test_16_bit_tasks),
        cmocka_unit_test(test_task_gate_in_idt),
        cmocka_unit_test(test_task_gate_to_eip_beyond_limit),
        cmocka_unit_test(test_double_fault_task),
        cmocka_unit_test(test_far_jump_through_task_gate),
        cmocka_unit_test(test_checks_before_commit),
        cmocka_unit_test(test_checks_after_commit),
        cmocka_unit_test(test_task_fault_is_delivered_in_new_task),
        cmocka_unit_test(test_cr3_v86_and_trap_bit),
        cmocka_unit_test(test_old_tss_must_be_writable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
