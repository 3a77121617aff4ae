// SPDX-License-Identifier: MIT
// The signals of group "qemu" that the CPU emits: order and payloads.
#include "harness.h"

struct seen {
    char order[16]; // one letter a signal
    unsigned count;
    struct qemu_exception_payload exception, handler;
    struct qemu_fault_payload fault;
    struct qemu_interrupt_payload interrupt;
    struct qemu_page_dir_payload page_dir;
    struct qemu_mem_op_payload mem_op;
    uint32_t eip_at_handler;
    struct vm *vm;
};

static void note(struct seen *seen, char letter)
{
    if (seen->count < sizeof seen->order - 1)
        seen->order[seen->count++] = letter;
}

static void on_exception(void *context, void *data, void *cpu)
{
    struct seen *seen = context;
    note(seen, 'E');
    seen->exception = *(struct qemu_exception_payload *)data;
}

static void on_handler(void *context, void *data, void *cpu)
{
    struct seen *seen = context;
    note(seen, 'H');
    seen->handler = *(struct qemu_exception_payload *)data;
    seen->eip_at_handler = seen->vm->cpu->eip;
}

static void on_fault(void *context, void *data, void *cpu)
{
    struct seen *seen = context;
    note(seen, 'F');
    seen->fault = *(struct qemu_fault_payload *)data;
}

static void on_interrupt(void *context, void *data, void *cpu)
{
    struct seen *seen = context;
    note(seen, 'I');
    seen->interrupt = *(struct qemu_interrupt_payload *)data;
}

static void on_page_dir(void *context, void *data, void *cpu)
{
    struct seen *seen = context;
    note(seen, 'P');
    seen->page_dir = *(struct qemu_page_dir_payload *)data;
}

static void on_mem_op(void *context, void *data, void *cpu)
{
    struct seen *seen = context;
    note(seen, 'M');
    seen->mem_op = *(struct qemu_mem_op_payload *)data;
}

static struct signal *hook(struct broker *broker, struct signal_group *group, const char *id,
                           void (*callback)(void *, void *, void *), struct seen *seen)
{
    struct error err = {0};
    struct signal *signal = signal_resolve(group, id, NULL);
    struct subscribe_options options = {.context = seen, .callback2 = callback};
    assert_non_null(broker_subscribe(broker, "qemu", id, NULL, NULL, &options, &err));
    return signal;
}

static void test_signals(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    struct seen seen = {.vm = vm};
    struct error err = {0};
    struct broker *broker = broker_create();
    struct signal_group *group = broker_register_group(broker, "qemu", NULL, &err);
    struct cpu_signals *signals = &cpu->signals;
    signals->exception = hook(broker, group, "PLUGIN_QEMU_EXCEPTION", on_exception, &seen);
    signals->exception_handler =
        hook(broker, group, "PLUGIN_QEMU_EXCEPTION_HANDLER", on_handler, &seen);
    signals->instruction_exception =
        hook(broker, group, "PLUGIN_QEMU_INSTRUCTION_EXCEPTION", on_fault, &seen);
    signals->interrupt = hook(broker, group, "PLUGIN_QEMU_INTERRUPT", on_interrupt, &seen);
    signals->page_dir_upd = hook(broker, group, "PLUGIN_QEMU_PAGE_DIR_UPD", on_page_dir, &seen);
    signals->mem_op = hook(broker, group, "PLUGIN_QEMU_MEM_OP", on_mem_op, &seen);

    vm_paging(vm);
    vm_map(vm, 0x40000, 0);
    VM_ONE(vm, 0xa2, 0x10, 0, 4, 0); // mov [40010], al
    assert_string_equal(seen.order, "FEH");
    assert_int_equal(seen.fault.pc, VM_CODE);
    assert_int_equal(seen.fault.vector, EXC_PF);
    assert_int_equal(seen.exception.vector, EXC_PF);
    assert_true(seen.exception.has_error_code);
    assert_int_equal(seen.exception.error_code, 2);
    assert_int_equal(seen.exception.cr2, 0x40010);
    assert_int_equal(seen.exception.return_eip, VM_CODE);
    assert_false(seen.exception.is_int);
    assert_int_equal(seen.eip_at_handler, VM_HANDLERS + 16 * EXC_PF);

    seen.count = 0;
    memset(seen.order, 0, sizeof seen.order);
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    VM_ONE(vm, 0xcd, 0x80);
    assert_string_equal(seen.order, "EH");
    assert_true(seen.handler.is_int);
    assert_int_equal(seen.handler.return_eip, VM_CODE + 2);

    seen.count = 0;
    memset(seen.order, 0, sizeof seen.order);
    cpu_set_eflags(cpu, FLAG_FIXED | FLAG_IF);
    vm->intr_vector = 0x33;
    cpu_set_intr(cpu, true);
    assert_true(cpu_take_pending(cpu));
    assert_string_equal(seen.order, "IEH");
    assert_int_equal(seen.interrupt.vector, 0x33);

    seen.count = 0;
    memset(seen.order, 0, sizeof seen.order);
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    cpu->regs[REG_EAX] = VM_PAGE_DIR | 8;
    VM_ONE(vm, 0x0f, 0x22, 0xd8);
    assert_string_equal(seen.order, "P");
    assert_int_equal(seen.page_dir.cr3, VM_PAGE_DIR | 8);

    // Memory operations only while somebody asked for them; a page already in the tables, too.
    seen.count = 0;
    memset(seen.order, 0, sizeof seen.order);
    cpu->regs[REG_EAX] = 0x11223344;
    VM_ONE(vm, 0xa3, 0, 0, 3, 0);
    assert_string_equal(seen.order, "");
    cpu->mem_hooked = true;
    cpu_update_mode(cpu);
    VM_ONE(vm, 0xa3, 0, 0, 3, 0);
    assert_string_equal(seen.order, "M");
    assert_false(seen.mem_op.is_load);
    assert_int_equal(seen.mem_op.vaddr, VM_DATA);
    assert_int_equal(seen.mem_op.size, 4);
    assert_int_equal(seen.mem_op.value, 0x11223344);
    VM_ONE(vm, 0x66, 0xa1, 0xff, 0x0f, 3, 0); // across two pages: one operation
    assert_string_equal(seen.order, "MM");
    assert_true(seen.mem_op.is_load);
    assert_int_equal(seen.mem_op.size, 2);
    cpu->mem_hooked = false;
    cpu_update_mode(cpu);
    VM_ONE(vm, 0xa3, 0, 0, 3, 0);
    assert_string_equal(seen.order, "MM");
    broker_destroy(broker);
    vm->cpu->signals = (struct cpu_signals){0};
    vm_destroy(vm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_signals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
