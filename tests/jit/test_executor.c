// SPDX-License-Identifier: MIT
// What random programs do not reach: kicks from another thread, code that changes itself, pages
// that are mapped elsewhere under linked jumps, runs without end in instruction mode, lockstep.
#include <pthread.h>
#include <unistd.h>

#include "../insn/harness.h"

#include "jit/executor.h"
#include "mmu/window.h"

struct fixture {
    struct vm *vm;
    struct executor *ex;
};

static struct fixture make(enum executor_accel accel)
{
    struct error err;
    struct fixture f = {.vm = vm_protected(CPU_MODEL_PENTIUM4)};
    vm_paging(f.vm);
    f.ex = executor_create(f.vm->cpu, &f.vm->log, &err);
    assert_true(executor_set_accel(f.ex, accel, 2u << 20, &err));
    executor_set_threshold(f.ex, 0);
    return f;
}

static void drop(struct fixture *f)
{
    executor_destroy(f->ex);
    vm_destroy(f->vm);
}

// From VM_CODE to HLT.
static void run(struct fixture *f)
{
    f->vm->cpu->eip = VM_CODE;
    f->vm->cpu->activity = CPU_RUNNING;
    atomic_store(&f->vm->cpu->kicked, 0);
    executor_run(f->ex, UINT64_MAX);
    assert_int_equal(f->vm->cpu->activity, CPU_HALTED);
}

static void *kick_later(void *cpu)
{
    usleep(20000);
    cpu_kick(cpu);
    return NULL;
}

static void kick_out_of(struct fixture *f)
{
    pthread_t thread;
    f->vm->cpu->eip = VM_CODE;
    atomic_store(&f->vm->cpu->kicked, 0);
    pthread_create(&thread, NULL, kick_later, f->vm->cpu);
    executor_run(f->ex, UINT64_MAX);
    pthread_join(thread, NULL);
    assert_int_equal(f->vm->cpu->activity, CPU_RUNNING);
}

static void test_kick(void **state)
{
    struct fixture f = make(EXECUTOR_JIT);
    VM_BYTES(f.vm, VM_CODE, 0xeb, 0xfe); // jmp itself
    kick_out_of(&f);
    executor_flush(f.ex);
    // push next; ret; next: jmp back: only the RET and the last jump go backwards
    VM_BYTES(f.vm, VM_CODE, 0x68, 0x06, 0x00, 0x01, 0x00, 0xc3, 0xeb, 0xf8);
    kick_out_of(&f);
    drop(&f);
}

static uint32_t changing_code(enum executor_accel accel, enum window_use window)
{
    struct fixture f = make(accel);
    executor_set_window(f.ex, window);
    // mov ecx, 50; xor ebx, ebx; L: mov eax, 1; add ebx, eax; inc byte [imm of the mov]; dec ecx;
    // jnz L; hlt
    VM_BYTES(f.vm, VM_CODE, 0xb9, 50, 0, 0, 0, 0x31, 0xdb, 0xb8, 1, 0, 0, 0, 0x01, 0xc3, 0xfe, 0x05,
             0x08, 0x00, 0x01, 0x00, 0x49, 0x75, 0xf0, 0xf4);
    run(&f);
    uint32_t sum = f.vm->cpu->regs[REG_EBX];
    drop(&f);
    return sum;
}

static void test_changing_code(void **state)
{
    assert_int_equal(changing_code(EXECUTOR_INTERP, WINDOW_OFF), 50 * 51 / 2);
    assert_int_equal(changing_code(EXECUTOR_JIT, WINDOW_OFF), 50 * 51 / 2);
    assert_int_equal(changing_code(EXECUTOR_JIT, WINDOW_ALWAYS), 50 * 51 / 2);
    assert_int_equal(changing_code(EXECUTOR_LOCKSTEP, WINDOW_OFF), 50 * 51 / 2);
}

// The code at VM_CODE calls a function on the next page, which is then mapped to another frame.
static void test_remapped_page(void **state)
{
    struct fixture f = make(EXECUTOR_JIT);
    const uint32_t page = VM_CODE + PAGE_SIZE, frame = 0x90000;
    VM_BYTES(f.vm, VM_CODE, 0xe8, 0xfb, 0x0f, 0x00, 0x00, 0xf4); // call page; hlt
    VM_BYTES(f.vm, page, 0xb8, 1, 0, 0, 0, 0xc3);                // mov eax, 1; ret
    VM_BYTES(f.vm, frame, 0xb8, 2, 0, 0, 0, 0xc3);               // mov eax, 2; ret
    for (unsigned i = 0; i < 20; i++) {
        vm_map(f.vm, page, (i & 1 ? frame : page) | 7);
        for (unsigned n = 0; n < 3; n++) {
            f.vm->cpu->regs[REG_ESP] = VM_STACK0;
            run(&f);
            assert_int_equal(f.vm->cpu->regs[REG_EAX], i & 1 ? 2 : 1);
        }
    }
    drop(&f);
}

// A block whose flags nobody reads, until the code that it jumps to becomes other code.
static void flags_across_change(uint32_t target, bool remap)
{
    struct fixture f = make(EXECUTOR_JIT);
    const uint32_t frame = 0x90000;
    const uint8_t ignores[] = {0x01, 0xc0, 0xf4};     // add eax, eax; hlt
    const uint8_t reads[] = {0x0f, 0x94, 0xc1, 0xf4}; // setz cl; hlt
    // xor eax, eax; mov [30000h], eax; jmp target
    VM_BYTES(f.vm, VM_CODE, 0x31, 0xc0, 0xa3, 0x00, 0x00, 0x03, 0x00, 0xe9);
    vm_set32(f.vm, VM_CODE + 8, target - (VM_CODE + 12));
    physmem_write(f.vm->mem, target, ignores, sizeof ignores);
    for (unsigned n = 0; n < 6; n++) {
        if (n == 3 && remap) {
            vm_put(f.vm, frame + target % PAGE_SIZE, reads, sizeof reads);
            vm_map(f.vm, target & PAGE_MASK, frame | 7);
        } else if (n == 3) {
            physmem_write(f.vm->mem, target, reads, sizeof reads);
        }
        f.vm->cpu->regs[REG_ECX] = 0;
        cpu_set_eflags(f.vm->cpu, FLAG_FIXED);
        run(&f);
        assert_int_equal(f.vm->cpu->regs[REG_ECX], n >= 3);
    }
    drop(&f);
}

static void test_flags_across_change(void **state)
{
    flags_across_change(VM_CODE + 0x800, false);
    flags_across_change(VM_CODE + 12, false);
    flags_across_change(VM_CODE + PAGE_SIZE + 0x10, false);
    flags_across_change(VM_CODE + PAGE_SIZE + 0x10, true);
}

static void test_endless_count(void **state)
{
    struct fixture f = make(EXECUTOR_JIT);
    clock_set_icount(f.vm->clock, &f.vm->cpu->instructions, 0);
    VM_BYTES(f.vm, VM_CODE, 0xb9, 100, 0, 0, 0, 0x49, 0x75, 0xfd, 0xf4); // mov ecx; dec; jnz; hlt
    run(&f);
    assert_int_equal(f.vm->cpu->instructions, 1 + 200 + 1);
    drop(&f);
}

// A jump to itself is no repeated string instruction, whatever its prefix: it counts.
static void test_repeated_jump(void **state)
{
    static const enum executor_accel accels[] = {EXECUTOR_INTERP, EXECUTOR_JIT, EXECUTOR_LOCKSTEP};
    for (unsigned i = 0; i < ARRAY_SIZE(accels); i++) {
        struct fixture f = make(accels[i]);
        clock_set_icount(f.vm->clock, &f.vm->cpu->instructions, 0);
        VM_BYTES(f.vm, VM_CODE, 0xf2, 0xeb, 0xfd); // repne jmp itself
        f.vm->cpu->eip = VM_CODE;
        atomic_store(&f.vm->cpu->kicked, 0);
        executor_run(f.ex, 100);
        assert_int_equal(f.vm->cpu->instructions, 100);
        drop(&f);
    }
}

static void test_exact_count(void **state)
{
    for (unsigned n = 1; n < 60; n++) {
        struct fixture f = make(EXECUTOR_JIT);
        clock_set_icount(f.vm->clock, &f.vm->cpu->instructions, 0);
        VM_BYTES(f.vm, VM_CODE, 0x40, 0x40, 0x40, 0xeb, 0xfb); // inc eax, three times; jmp
        f.vm->cpu->regs[REG_EAX] = 0;
        f.vm->cpu->eip = VM_CODE;
        atomic_store(&f.vm->cpu->kicked, 0);
        executor_run(f.ex, n);
        assert_int_equal(f.vm->cpu->instructions, n);
        assert_int_equal(f.vm->cpu->regs[REG_EAX], n - n / 4);
        drop(&f);
    }
}

static int acknowledge_and_stay(void *self)
{
    struct vm *vm = self;
    return vm->intr_vector;
}

// Faults and interrupts count: a guest that never executes an instruction runs out of them.
static void test_events_count(void **state)
{
    static const enum executor_accel accels[] = {EXECUTOR_INTERP, EXECUTOR_JIT, EXECUTOR_LOCKSTEP};
    for (unsigned i = 0; i < ARRAY_SIZE(accels) * 2; i++) {
        struct fixture f = make(accels[i / 2]);
        clock_set_icount(f.vm->clock, &f.vm->cpu->instructions, 0);
        bool interrupts = i % 2;
        VM_BYTES(f.vm, VM_CODE, 0x0f, 0x0b); // ud2, and at its handler again
        VM_BYTES(f.vm, VM_HANDLERS + 16 * EXC_UD, 0x0f, 0x0b);
        VM_BYTES(f.vm, VM_IDT + 8 * 0x40 + 5, 0x8f); // a trap gate
        f.vm->intr_vector = 0x40;
        f.vm->cpu->board.acknowledge = acknowledge_and_stay;
        f.vm->cpu->intr = interrupts;
        cpu_set_eflags(f.vm->cpu, FLAG_FIXED | FLAG_IF);
        f.vm->cpu->eip = VM_CODE;
        f.vm->cpu->regs[REG_ESP] = VM_STACK0;
        atomic_store(&f.vm->cpu->kicked, 0);
        executor_run(f.ex, 100);
        assert_int_equal(f.vm->cpu->instructions, 100);
        assert_int_equal(f.vm->cpu->regs[REG_ESP], VM_STACK0 - 100 * 12);
        assert_int_equal(f.vm->cpu->activity, CPU_RUNNING);
        drop(&f);
    }
}

// The same without a count: the other threads still get through.
static void test_kick_out_of_interrupts(void **state)
{
    struct fixture f = make(EXECUTOR_JIT);
    VM_BYTES(f.vm, VM_IDT + 8 * 0x40 + 5, 0x8f);
    f.vm->intr_vector = 0x40;
    f.vm->cpu->board.acknowledge = acknowledge_and_stay;
    f.vm->cpu->intr = true;
    cpu_set_eflags(f.vm->cpu, FLAG_FIXED | FLAG_IF);
    // Pushes go round in a segment of 64 KiB.
    vm_load_segment(f.vm, SEG_SS, SEL_DATA0_16);
    cpu_update_mode(f.vm->cpu);
    kick_out_of(&f);
    drop(&f);
}

// The carry alone survives the push of a segment register.
static void test_push_segment(void **state)
{
    struct fixture f = make(EXECUTOR_JIT);
    VM_BYTES(f.vm, VM_CODE, 0xf9, 0x1e, 0xb8, 0, 0, 0, 0, 0x83, 0xd0, 0x00, 0xf4); // stc; push ds;
    for (unsigned i = 0; i < 3; i++) { // mov eax, 0; adc eax, 0; hlt
        f.vm->cpu->regs[REG_ESP] = VM_STACK0;
        run(&f);
        assert_int_equal(f.vm->cpu->regs[REG_EAX], 1);
        assert_int_equal(vm_get32(f.vm, VM_STACK0 - 4), SEL_DATA0);
    }
    drop(&f);
}

static void test_lockstep(void **state)
{
    struct fixture f = make(EXECUTOR_LOCKSTEP);
    // mov ecx, 100; L: push ecx; add [30000h], ecx; adc eax, [30000h]; pop ecx; dec ecx; jnz L; hlt
    VM_BYTES(f.vm, VM_CODE, 0xb9, 100, 0, 0, 0, 0x51, 0x01, 0x0d, 0x00, 0x00, 0x03, 0x00, 0x13,
             0x05, 0x00, 0x00, 0x03, 0x00, 0x59, 0x49, 0x75, 0xef, 0xf4);
    f.vm->cpu->regs[REG_EAX] = 0;
    run(&f);
    struct executor_stats stats = executor_get_stats(f.ex);
    assert_true(stats.compared >= 100);
    assert_int_equal(stats.differences, 0);
    assert_int_equal(vm_get32(f.vm, 0x30000), 5050);
    drop(&f);
}

// Accesses that the window cannot serve: a page that is not there, one without rights, the top of
// the address space; flags, ESP and EBP are as the interpreter leaves them.
static void test_window_faults(void **state)
{
    // xor eax, eax; stc; CODE; adc edx, 0: CF lives over it. The page at 50000h is not mapped,
    // 51000h is read only.
    static const uint8_t cases[][9] = {
        {0x8b, 0x0d, 0x00, 0x00, 0x05, 0x00, 0x83, 0xd2, 0x00}, // mov ecx, [50000h]
        {0x89, 0x0d, 0x00, 0x10, 0x05, 0x00, 0x83, 0xd2, 0x00}, // mov [51000h], ecx
        {0xa1, 0xfe, 0xff, 0xff, 0xff, 0x83, 0xd2, 0x00},       // mov eax, [0fffffffeh]
        {0xbd, 0x00, 0x00, 0x05, 0x00, 0xc9, 0x83, 0xd2, 0x00}, // mov ebp, 50000h; leave
        {0xbc, 0x00, 0x00, 0x05, 0x00, 0x58, 0x83, 0xd2, 0x00}, // mov esp, 50000h; pop eax
        {0x88, 0x25, 0x00, 0x10, 0x05, 0x00, 0x83, 0xd2, 0x00}, // mov [51000h], ah
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct outcome {
            uint32_t regs[8], eflags, cr2;
            uint64_t instructions;
        } seen[2] = {0};
        for (unsigned which = 0; which < 2; which++) {
            struct fixture f = make(which ? EXECUTOR_JIT : EXECUTOR_INTERP);
            executor_set_window(f.ex, WINDOW_ALWAYS);
            vm_map(f.vm, 0x50000, 0);
            vm_map(f.vm, 0x51000, 0x51000 | 5);
            VM_BYTES(f.vm, VM_CODE, 0x31, 0xc0, 0xf9);
            memcpy(f.vm->ram + VM_CODE + 3, cases[i], 9);
            f.vm->cpu->regs[REG_ESP] = VM_STACK0;
            run(&f);
            struct cpu *cpu = f.vm->cpu;
            struct outcome *o = &seen[which];
            memcpy(o->regs, cpu->regs, sizeof o->regs);
            o->cr2 = cpu->cr2;
            o->instructions = cpu->instructions;
            o->eflags = vm_get32(f.vm, cpu->regs[REG_ESP] + 12) & FLAG_CF;
            drop(&f);
        }
        assert_memory_equal(&seen[0], &seen[1], sizeof seen[0]);
    }
}

// A program at CPL 3 that goes on for long gets the window by itself, and loses it when its
// mappings change.
static void test_window_by_itself(void **state)
{
    struct fixture f = make(EXECUTOR_JIT);
    struct cpu *cpu = f.vm->cpu;
    executor_set_window(f.ex, WINDOW_AUTO);
    // L: inc dword [30000h]; add eax, [31000h]; jmp L
    VM_BYTES(f.vm, VM_CODE, 0xff, 0x05, 0, 0, 3, 0, 0x03, 0x05, 0, 0x10, 3, 0, 0xeb, 0xf2);
    vm_enter_ring3(f.vm);
    for (unsigned i = 0; i < 200 && !cpu->mmu.window_open; i++)
        kick_out_of(&f);
    assert_true(cpu->mmu.window_open);
    kick_out_of(&f);
    assert_true(mmu_window_stats(&cpu->mmu).mapped >= 2);
    uint32_t count = vm_get32(f.vm, 0x30000);
    vm_map(f.vm, 0x30000, 0x38000 | 7);
    assert_false(cpu->mmu.window_open);
    kick_out_of(&f);
    assert_int_equal(vm_get32(f.vm, 0x30000), count);
    assert_true(vm_get32(f.vm, 0x38000) > 0);
    drop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kick),
        cmocka_unit_test(test_changing_code),
        cmocka_unit_test(test_remapped_page),
        cmocka_unit_test(test_endless_count),
        cmocka_unit_test(test_exact_count),
        cmocka_unit_test(test_lockstep),
        cmocka_unit_test(test_push_segment),
        cmocka_unit_test(test_flags_across_change),
        cmocka_unit_test(test_repeated_jump),
        cmocka_unit_test(test_window_faults),
        cmocka_unit_test(test_window_by_itself),
        cmocka_unit_test(test_events_count),
        cmocka_unit_test(test_kick_out_of_interrupts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
