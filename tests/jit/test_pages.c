// SPDX-License-Identifier: MIT
// Code and data on one page, and devices' pages: stores take effect on the code they hit, whichever
// way they come, and a loop of such accesses costs neither a page walk nor a fault each.
#include "../insn/harness.h"

#include "jit/executor.h"

#define DEVICE 0x200000u
#define LOOPS  5000u
#define FEW    40u // walks or faults that may come before everything is known

struct fixture {
    struct vm *vm;
    struct executor *ex;
    uint32_t device, reads, writes;
};

struct way {
    const char *name;
    enum executor_accel accel;
    enum window_use window;
    unsigned threshold;
};

static const struct way ways[] = {
    {"interpreter", EXECUTOR_INTERP, WINDOW_OFF, 0}, {"tables", EXECUTOR_JIT, WINDOW_OFF, 0},
    {"tables, later", EXECUTOR_JIT, WINDOW_OFF, 4},  {"window", EXECUTOR_JIT, WINDOW_ALWAYS, 0},
    {"lockstep", EXECUTOR_LOCKSTEP, WINDOW_OFF, 0},
};

static uint32_t device_read(void *self, uint32_t offset, unsigned size)
{
    struct fixture *f = self;
    f->reads++;
    return f->device;
}

static void device_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct fixture *f = self;
    f->writes++;
    f->device = value;
}

static void make(struct fixture *f, const struct way *way)
{
    static const struct mmio_ops ops = {.read = device_read, .write = device_write};
    struct error err;
    *f = (struct fixture){.vm = vm_protected(CPU_MODEL_PENTIUM4)};
    physmem_add_mmio(f->vm->mem, "device", DEVICE, PAGE_SIZE, 1, &ops, f);
    vm_paging(f->vm);
    mmu_flush_all(&f->vm->cpu->mmu);
    f->ex = executor_create(f->vm->cpu, &f->vm->log, &err);
    assert_true(executor_set_accel(f->ex, way->accel, 2u << 20, &err));
    executor_set_window(f->ex, way->window);
    executor_set_threshold(f->ex, way->threshold);
}

static void drop(struct fixture *f)
{
    assert_int_equal(executor_get_stats(f->ex).differences, 0);
    executor_destroy(f->ex);
    vm_destroy(f->vm);
}

// From EIP to HLT.
static void run(struct fixture *f, uint32_t eip)
{
    struct cpu *cpu = f->vm->cpu;
    cpu->eip = eip;
    cpu->activity = CPU_RUNNING;
    atomic_store(&cpu->kicked, 0);
    executor_run(f->ex, UINT64_MAX);
    assert_int_equal(cpu->activity, CPU_HALTED);
}

static void run_cheaply(struct fixture *f, uint32_t eip)
{
    const struct mmu *mmu = &f->vm->cpu->mmu;
    uint64_t walks = mmu->walks;
    run(f, eip);
    assert_in_range(mmu->walks - walks, 0, FEW);
    assert_in_range(executor_get_stats(f->ex).refused, 0, FEW);
}

// mov ecx, LOOPS; L: inc dword [data]; push eax; pop eax; dec ecx; jnz L; hlt, with the data and
// the stack on the page of the code.
static void test_store_beside(void **state)
{
    static const uint32_t places[] = {VM_CODE + 0x13, VM_CODE + 0x40, VM_CODE + 0x801,
                                      VM_CODE + 0xffc};
    for (unsigned w = 0; w < ARRAY_SIZE(ways); w++) {
        for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
            struct fixture f;
            make(&f, &ways[w]);
            VM_BYTES(f.vm, VM_CODE, 0xb9, LOOPS & 0xff, LOOPS >> 8, 0, 0, 0xff, 0x05, 0, 0, 0, 0,
                     0x50, 0x58, 0x49, 0x75, 0xf5, 0xf4);
            vm_set32(f.vm, VM_CODE + 7, places[i]);
            f.vm->cpu->regs[REG_ESP] = VM_CODE + 0x900;
            run_cheaply(&f, VM_CODE);
            assert_int_equal(vm_get32(f.vm, places[i]), LOOPS);
            drop(&f);
        }
    }
}

// The same in 16-bit code, which is executed from segments that are not flat.
static void test_store_beside_16(void **state)
{
    for (unsigned w = 0; w < ARRAY_SIZE(ways); w++) {
        struct fixture f;
        make(&f, &ways[w]);
        // mov cx, LOOPS; L: inc word [0840h]; push ax; pop ax; dec cx; jnz L; hlt
        VM_BYTES(f.vm, VM_CODE, 0xb9, LOOPS & 0xff, LOOPS >> 8, 0xff, 0x06, 0x40, 0x08, 0x50, 0x58,
                 0x49, 0x75, 0xf7, 0xf4);
        vm_enter(f.vm, SEL_CODE0_16, SEL_DATA0_16, 0, 0xf00);
        segment_set_real(f.vm->cpu, SEG_DS, VM_CODE >> 4, true);
        segment_set_real(f.vm->cpu, SEG_SS, VM_CODE >> 4, true);
        cpu_update_mode(f.vm->cpu);
        run_cheaply(&f, 0);
        assert_int_equal(vm_get16(f.vm, VM_CODE + 0x840), LOOPS);
        drop(&f);
    }
}

// Stores that are probed first, and accesses that cross a page, are no misses: mov edx, 100h;
// mov edi, VM_DATA; mov ecx, 400h; rep insw; mov ecx, LOOPS; L: inc dword [VM_DATA + 0ffeh];
// dec ecx; jnz L; hlt
static void test_known_pages(void **state)
{
    for (unsigned w = 0; w < ARRAY_SIZE(ways); w++) {
        struct fixture f;
        make(&f, &ways[w]);
        f.vm->port_value = 0x5aa5;
        VM_BYTES(f.vm, VM_CODE, 0xba, 0, 1, 0, 0, 0xbf, 0, 0, 3, 0, 0xb9, 0, 4, 0, 0, 0xf3, 0x66,
                 0x6d, 0xb9, LOOPS & 0xff, LOOPS >> 8, 0, 0, 0xff, 0x05, 0xfe, 0x0f, 3, 0, 0x49,
                 0x75, 0xf7, 0xf4);
        run_cheaply(&f, VM_CODE);
        assert_int_equal(vm_get16(f.vm, VM_DATA), 0x5aa5);
        assert_int_equal(vm_get16(f.vm, VM_DATA + 0x7fe), 0x5aa5);
        assert_int_equal(vm_get16(f.vm, VM_DATA + 0x800), 0);
        assert_int_equal(vm_get32(f.vm, VM_DATA + 0xffe), LOOPS);
        drop(&f);
    }
}

// mov ecx, LOOPS; L: mov eax, [DEVICE + 8]; inc eax; mov [DEVICE + 8], eax; inc dword [30000h];
// adc ebx, 0; dec ecx; jnz L; hlt
static void test_device(void **state)
{
    for (unsigned w = 0; w < ARRAY_SIZE(ways); w++) {
        if (ways[w].accel == EXECUTOR_LOCKSTEP)
            continue; // each access is made once there, which its own tests show
        struct fixture f;
        make(&f, &ways[w]);
        VM_BYTES(f.vm, VM_CODE, 0xb9, LOOPS & 0xff, LOOPS >> 8, 0, 0, 0xa1, 8, 0, 0x20, 0, 0x40,
                 0xa3, 8, 0, 0x20, 0, 0xff, 0x05, 0, 0, 3, 0, 0x83, 0xd3, 0, 0x49, 0x75, 0xe9,
                 0xf4);
        run_cheaply(&f, VM_CODE);
        assert_int_equal(f.reads, LOOPS);
        assert_int_equal(f.writes, LOOPS);
        assert_int_equal(f.device, LOOPS);
        assert_int_equal(vm_get32(f.vm, VM_DATA), LOOPS);
        drop(&f);
    }
}

// A device goes away under the site that has been using it, and comes back.
static void test_device_moves(void **state)
{
    for (unsigned w = 0; w < ARRAY_SIZE(ways); w++) {
        struct fixture f;
        make(&f, &ways[w]);
        // mov ecx, 50; L: mov eax, [DEVICE]; inc eax; mov [DEVICE], eax; dec ecx; jnz L; hlt
        VM_BYTES(f.vm, VM_CODE, 0xb9, 50, 0, 0, 0, 0xa1, 0, 0, 0x20, 0, 0x40, 0xa3, 0, 0, 0x20, 0,
                 0x49, 0x75, 0xf2, 0xf4);
        uint32_t memory = 0x90000;
        for (unsigned i = 0; i < 6; i++) {
            vm_map(f.vm, DEVICE, (i & 1 ? memory : DEVICE) | 7);
            run(&f, VM_CODE);
            assert_int_equal(f.device, (i / 2 + 1) * 50);
            assert_int_equal(vm_get32(f.vm, memory), (i + 1) / 2 * 50);
        }
        drop(&f);
    }
}

// mov ecx, 60; xor ebx, ebx; L: mov eax, 1; add ebx, eax; inc dword [ALIAS of that 1];
// inc dword [data on the page]; dec ecx; jnz L; hlt
static void changed_through(const struct way *way, uint32_t alias)
{
    struct fixture f;
    make(&f, way);
    vm_map(f.vm, alias, VM_CODE | 7);
    VM_BYTES(f.vm, VM_CODE, 0xb9, 60, 0, 0, 0, 0x31, 0xdb, 0xb8, 1, 0, 0, 0, 0x01, 0xc3, 0xff, 0x05,
             0, 0, 0, 0, 0xff, 0x05, 0x00, 0x0c, 0x01, 0x00, 0x49, 0x75, 0xea, 0xf4);
    vm_set32(f.vm, VM_CODE + 16, alias + 8);
    run(&f, VM_CODE);
    assert_int_equal(f.vm->cpu->regs[REG_EBX], 60 * 61 / 2);
    assert_int_equal(vm_get32(f.vm, VM_CODE + 0xc00), 60);
    drop(&f);
}

static void test_store_into(void **state)
{
    for (unsigned w = 0; w < ARRAY_SIZE(ways); w++) {
        changed_through(&ways[w], VM_CODE);
        changed_through(&ways[w], 0x150000);
    }
}

// A store may change what follows it in its own block.
static void test_store_ahead(void **state)
{
    for (unsigned w = 0; w < ARRAY_SIZE(ways); w++) {
        struct fixture f;
        make(&f, &ways[w]);
        // xor ebx, ebx; mov ecx, 60; L: mov [imm of the next], ecx; mov eax, 0; add ebx, eax;
        // dec ecx; jnz L; hlt
        VM_BYTES(f.vm, VM_CODE, 0x31, 0xdb, 0xb9, 60, 0, 0, 0, 0x89, 0x0d, 0x0e, 0, 1, 0, 0xb8, 0,
                 0, 0, 0, 0x01, 0xc3, 0x49, 0x75, 0xf0, 0xf4);
        run(&f, VM_CODE);
        assert_int_equal(f.vm->cpu->regs[REG_EBX], 60 * 61 / 2);
        drop(&f);
    }
}

// A store that begins on a page of data and ends in the first instruction of the next page.
static void test_store_across(void **state)
{
    const uint32_t page = VM_CODE + PAGE_SIZE;
    for (unsigned w = 0; w < ARRAY_SIZE(ways); w++) {
        struct fixture f;
        make(&f, &ways[w]);
        VM_BYTES(f.vm, page, 0xb8, 0, 0, 0, 0, 0x01, 0xc3, 0xc3); // mov eax, 0; add ebx, eax; ret
        // xor ebx, ebx; mov ecx, 60; L: mov eax, ecx; shl eax, 24; or eax, 0b81234h;
        // mov [page - 2], eax; call page; dec ecx; jnz L; hlt
        VM_BYTES(f.vm, VM_CODE, 0x31, 0xdb, 0xb9, 60, 0, 0, 0, 0x89, 0xc8, 0xc1, 0xe0, 24, 0x0d,
                 0x34, 0x12, 0xb8, 0, 0xa3, 0xfe, 0x0f, 1, 0, 0xe8, 0xe5, 0x0f, 0, 0, 0x49, 0x75,
                 0xe9, 0xf4);
        f.vm->cpu->regs[REG_ESP] = VM_STACK0;
        run(&f, VM_CODE);
        assert_int_equal(f.vm->cpu->regs[REG_EBX], 60 * 61 / 2);
        assert_int_equal(vm_get16(f.vm, page - 2), 0x1234);
        drop(&f);
    }
}

// A bus master writes code while the page's own stores are known to be slow ones.
static void test_dma(void **state)
{
    for (unsigned w = 0; w < ARRAY_SIZE(ways); w++) {
        struct fixture f;
        make(&f, &ways[w]);
        // mov ecx, 20; L: inc dword [VM_CODE + 0c00h]; mov eax, 0; dec ecx; jnz L; hlt
        VM_BYTES(f.vm, VM_CODE, 0xb9, 20, 0, 0, 0, 0xff, 0x05, 0x00, 0x0c, 1, 0, 0xb8, 0, 0, 0, 0,
                 0x49, 0x75, 0xf2, 0xf4);
        for (uint32_t i = 1; i <= 10; i++) {
            physmem_write(f.vm->mem, VM_CODE + 12, &i, sizeof i);
            run(&f, VM_CODE);
            assert_int_equal(f.vm->cpu->regs[REG_EAX], i);
            assert_int_equal(vm_get32(f.vm, VM_CODE + 0xc00), 20 * i);
        }
        drop(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_beside), cmocka_unit_test(test_store_beside_16),
        cmocka_unit_test(test_device),       cmocka_unit_test(test_device_moves),
        cmocka_unit_test(test_store_into),   cmocka_unit_test(test_store_ahead),
        cmocka_unit_test(test_store_across), cmocka_unit_test(test_dma),
        cmocka_unit_test(test_known_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
