// SPDX-License-Identifier: MIT
// System instructions: tables, control and model-specific registers, CPUID, SYSENTER, ports.
#include "harness.h"

// What CPL 3 may not do.
static void test_privileged_instructions(void **state)
{
    static const uint8_t code[][4] = {
        {0xf4},
        {0x0f, 0x06},
        {0x0f, 0x08},
        {0x0f, 0x09},
        {0x0f, 0x20, 0xc0},
        {0x0f, 0x22, 0xc0},
        {0x0f, 0x21, 0xf8},
        {0x0f, 0x23, 0xf8},
        {0x0f, 0x30},
        {0x0f, 0x32},
        {0x0f, 0x01, 0x38},
        {0x0f, 0x01, 0x10},
        {0x0f, 0x01, 0x18},
        {0x0f, 0x01, 0xf0},
        {0x0f, 0x00, 0xd0},
        {0x0f, 0x00, 0xd8},
        {0x0f, 0x35},
        {0xfa},
        {0xfb},
        {0xec},
    };
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    vm->cpu->sysenter_cs = 8;
    for (size_t i = 0; i < ARRAY_SIZE(code); i++) {
        vm_enter_ring3(vm);
        cpu_set_eflags(vm->cpu, FLAG_FIXED);
        vm->cpu->regs[REG_EAX] = VM_DATA;
        vm_one(vm, code[i], 4);
        VM_EXPECT(vm, EXC_GP, 0);
        assert_int_equal(vm_stack32(vm, 1), VM_CODE);
    }
    vm_destroy(vm);
}

static void test_tables(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    vm_set16(vm, VM_DATA, 0x1234);
    vm_set32(vm, VM_DATA + 2, 0x89abcdef);
    VM_ONE(vm, 0x0f, 0x01, 0x1d, 0, 0, 3, 0); // lidt
    assert_int_equal(cpu->idtr.base, 0x89abcdef);
    assert_int_equal(cpu->idtr.limit, 0x1234);
    VM_ONE(vm, 0x66, 0x0f, 0x01, 0x1d, 0, 0, 3, 0); // 16-bit: 24 bits of base
    assert_int_equal(cpu->idtr.base, 0xabcdef);
    VM_ONE(vm, 0x0f, 0x01, 0x05, 0x10, 0, 3, 0); // sgdt
    assert_int_equal(vm_get16(vm, VM_DATA + 0x10), VM_GDT_LIMIT);
    assert_int_equal(vm_get32(vm, VM_DATA + 0x12), VM_GDT);
    VM_ONE(vm, 0x0f, 0x00, 0xc8); // str eax
    assert_int_equal(cpu->regs[REG_EAX], SEL_TSS);
    cpu->idtr = (struct descriptor_table){.base = VM_IDT, .limit = 0x7ff};
    VM_ONE(vm, 0x0f, 0x01, 0xc0); // sgdt of a register
    VM_EXPECT(vm, EXC_UD, 0);
    vm_destroy(vm);
}

static void test_ltr_lldt(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    static const struct {
        uint16_t selector;
        unsigned lldt, ltr; // vectors
    } cases[] = {
        {0, 0, EXC_GP},
        {SEL_LDT, 0, EXC_GP},
        {SEL_TSS2, EXC_GP, 0},
        {SEL_TSS16, EXC_GP, 0},
        {SEL_TSS, EXC_GP, EXC_GP} /* busy */,
        {0x0c, EXC_GP, EXC_GP} /* in the LDT */,
        {0x100, EXC_GP, EXC_GP},
        {SEL_DATA0, EXC_GP, EXC_GP},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        for (unsigned ltr = 0; ltr < 2; ltr++) {
            unsigned vector = ltr ? cases[i].ltr : cases[i].lldt;
            vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
            cpu->regs[REG_EAX] = cases[i].selector;
            VM_ONE(vm, 0x0f, 0x00, ltr ? 0xd8 : 0xd0);
            if (vector)
                VM_EXPECT(vm, vector, cases[i].selector & 0xfffcu);
            else
                VM_EXPECT_NONE(vm);
        }
    }
    assert_int_equal(vm_access(vm, SEL_TSS2), 0x8b);
    assert_int_equal(vm_access(vm, SEL_TSS16), 0x83);
    vm_descriptor(vm, SEL_FREE, VM_TSS2, 0x67, 0x09, 0);
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    cpu->regs[REG_EAX] = SEL_FREE;
    VM_ONE(vm, 0x0f, 0x00, 0xd8);
    VM_EXPECT(vm, EXC_NP, SEL_FREE);
    vm_destroy(vm);
}

static void test_control_registers(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    cpu->regs[REG_EAX] = cpu->cr0 & ~CR0_ET;
    VM_ONE(vm, 0x0f, 0x22, 0x40); // mod is ignored
    VM_EXPECT_NONE(vm);
    assert_true(cpu->cr0 & CR0_ET);
    cpu->eip = VM_CODE;
    cpu->regs[REG_EAX] = CR0_TS | CR0_MP; // LMSW does not clear PE
    VM_ONE(vm, 0x0f, 0x01, 0xf0);
    assert_int_equal(cpu->cr0 & 0xf, CR0_PE | CR0_TS | CR0_MP);
    assert_int_equal(cpu_mode_bits(cpu) & CPU_MODE_TS, CPU_MODE_TS);
    VM_ONE(vm, 0x0f, 0x06); // clts
    assert_int_equal(cpu->cr0 & CR0_TS, 0);
    assert_int_equal(cpu_mode_bits(cpu) & CPU_MODE_TS, 0);
    cpu->regs[REG_EAX] = cpu->cr0 | CR0_NW;
    VM_ONE(vm, 0x0f, 0x22, 0xc0);
    VM_EXPECT(vm, EXC_GP, 0);
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    cpu->regs[REG_EAX] = CR4_PSE | CR4_OSFXSR;
    VM_ONE(vm, 0x0f, 0x22, 0xe0);
    VM_EXPECT_NONE(vm);
    VM_ONE(vm, 0x0f, 0x20, 0xe3);
    assert_int_equal(cpu->regs[REG_EBX], CR4_PSE | CR4_OSFXSR);
    vm_destroy(vm);
    vm = vm_protected(CPU_MODEL_PENTIUM); // no PGE, no OSFXSR
    vm->cpu->regs[REG_EAX] = CR4_PGE;
    VM_ONE(vm, 0x0f, 0x22, 0xe0);
    VM_EXPECT(vm, EXC_GP, 0);
    vm_destroy(vm);
}

static void test_pae_pointers_are_checked(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    vm_paging(vm);
    // The page directory, read as PDPTEs, has R/W and U/S set, which are reserved there.
    cpu->regs[REG_EAX] = CR4_PAE;
    VM_ONE(vm, 0x0f, 0x22, 0xe0);
    VM_EXPECT(vm, EXC_GP, 0);
    assert_int_equal(cpu->cr4, 0);
    assert_int_equal(cpu->mmu.cr4, 0);
    vm_destroy(vm);
}

static void cpuid(struct vm *vm, uint32_t leaf)
{
    vm->cpu->eip = VM_CODE;
    vm->cpu->regs[REG_EAX] = leaf;
    VM_ONE(vm, 0x0f, 0xa2);
    VM_EXPECT_NONE(vm);
}

static void test_cpuid(void **state)
{
    static const uint32_t signatures[] = {0x480, 0x52c, 0x68a, 0xf29};
    static const uint32_t highest[] = {1, 1, 2, 2};
    for (unsigned model = 0; model < 4; model++) {
        struct vm *vm = vm_protected((enum cpu_model)model);
        const uint32_t *r = vm->cpu->regs;
        cpuid(vm, 0);
        assert_int_equal(r[REG_EAX], highest[model]);
        assert_memory_equal(&r[REG_EBX], "Genu", 4);
        assert_memory_equal(&r[REG_EDX], "ineI", 4);
        assert_memory_equal(&r[REG_ECX], "ntel", 4);
        cpuid(vm, 1);
        assert_int_equal(r[REG_EAX], signatures[model]);
        // The reported features are those that do not raise #UD.
        assert_int_equal(r[REG_EDX] >> 4 & 1, cpu_has_feature(vm->cpu, FEATURE_TSC));
        assert_int_equal(r[REG_EDX] >> 15 & 1, cpu_has_feature(vm->cpu, FEATURE_CMOV));
        assert_int_equal(r[REG_EDX] >> 25 & 1, cpu_has_feature(vm->cpu, FEATURE_SSE));
        assert_int_equal(r[REG_EDX] >> 26 & 1, cpu_has_feature(vm->cpu, FEATURE_SSE2));
        assert_int_equal(r[REG_EDX] >> 28 & 1, 0); // no hyper-threading
        cpuid(vm, 0x80000001);
        assert_int_equal(r[REG_EDX] >> 20 & 1, model == CPU_MODEL_PENTIUM4);
        VM_ONE(vm, 0x0f, 0x31); // rdtsc
        if (model == CPU_MODEL_486)
            VM_EXPECT(vm, EXC_UD, 0);
        else
            VM_EXPECT_NONE(vm);
        vm_destroy(vm);
    }
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    cpuid(vm, 0x80000002);
    assert_memory_equal(&vm->cpu->regs[REG_EAX], "Inte", 4);
    vm_destroy(vm);
}

static uint64_t rdmsr(struct vm *vm, uint32_t index)
{
    vm->cpu->eip = VM_CODE;
    vm->cpu->regs[REG_ECX] = index;
    VM_ONE(vm, 0x0f, 0x32);
    return (uint64_t)vm->cpu->regs[REG_EDX] << 32 | vm->cpu->regs[REG_EAX];
}

static void wrmsr(struct vm *vm, uint32_t index, uint64_t value)
{
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    vm->cpu->regs[REG_ECX] = index;
    vm->cpu->regs[REG_EAX] = (uint32_t)value;
    vm->cpu->regs[REG_EDX] = (uint32_t)(value >> 32);
    VM_ONE(vm, 0x0f, 0x30);
}

static void test_msrs(void **state)
{
    static const struct {
        uint32_t index;
        uint64_t value;
    } stored[] = {
        {0x174, 0x60},
        {0x175, 0x1234},
        {0x176, 0xc0001000},
        {0x277, 0x0007010600070106},
        {0x2ff, 0xc06},
        {0x200, 6},
        {0x201, 0xff0000800},
        {0x250, 0x0606060606060606},
        {0x26f, 0x505},
        {0x17a, 4},
        {0x400, 0xffffffffffffff},
        {0x1d9, 0x41},
        {0xc0000080, 0x800},
        {0x8b, 0},
    };
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    for (size_t i = 0; i < ARRAY_SIZE(stored); i++) {
        wrmsr(vm, stored[i].index, stored[i].value);
        VM_EXPECT_NONE(vm);
        assert_true(rdmsr(vm, stored[i].index) == stored[i].value);
        VM_EXPECT_NONE(vm);
    }
    assert_true(vm->cpu->mmu.nx);
    assert_true(rdmsr(vm, 0xfe) == 0x508);
    static const struct {
        uint32_t index;
        uint64_t value;
    } refused[] = {{0x277, 2},      {0x2ff, 0x300}, {0x200, 2},
                   {0xc0000080, 1}, {0x401, 1},     {0x12345, 0}};
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        wrmsr(vm, refused[i].index, refused[i].value);
        VM_EXPECT(vm, EXC_GP, 0);
    }
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    rdmsr(vm, 0x12345);
    VM_EXPECT(vm, EXC_GP, 0);
    vm_destroy(vm);
    vm = vm_protected(CPU_MODEL_PENTIUM3); // no EFER
    rdmsr(vm, 0xc0000080);
    VM_EXPECT(vm, EXC_GP, 0);
    // Performance counter: counts instructions while enabled, keeps its value when stopped.
    wrmsr(vm, 0xc1, 100);
    wrmsr(vm, 0x186, 0x4300c0);
    uint64_t before = rdmsr(vm, 0xc1);
    assert_true(before >= 100);
    vm->cpu->regs[REG_ECX] = 0;
    VM_ONE(vm, 0x0f, 0x33);
    VM_EXPECT_NONE(vm);
    assert_true(vm->cpu->regs[REG_EAX] > before);
    vm_destroy(vm);
}

static void test_tsc(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    wrmsr(vm, 0x10, 5000);
    clock_set_now(vm->clock, clock_now(vm->clock) + 1000000);
    assert_int_equal(rdmsr(vm, 0x10), 1005000);
    cpu->cr4 |= CR4_TSD;
    vm_enter_ring3(vm);
    VM_ONE(vm, 0x0f, 0x31);
    VM_EXPECT(vm, EXC_GP, 0);
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    VM_ONE(vm, 0x0f, 0x31);
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->regs[REG_EAX], 1005000);
    vm_enter_ring3(vm);
    VM_ONE(vm, 0x0f, 0x33); // RDPMC without CR4.PCE
    VM_EXPECT(vm, EXC_GP, 0);
    vm_destroy(vm);
}

static void test_sysenter_sysexit(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    vm_enter_ring3(vm);
    VM_ONE(vm, 0x0f, 0x34); // SYSENTER_CS is 0
    VM_EXPECT(vm, EXC_GP, 0);
    cpu->sysenter_cs = 0x88;
    cpu->sysenter_esp = 0x60000;
    cpu->sysenter_eip = VM_CODE + 0x700;
    vm_enter_ring3(vm);
    cpu_set_eflags(cpu, FLAG_FIXED | FLAG_IF);
    VM_ONE(vm, 0x0f, 0x34);
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->cpl, 0);
    assert_int_equal(cpu->eip, VM_CODE + 0x700);
    assert_int_equal(cpu->regs[REG_ESP], 0x60000);
    assert_int_equal(cpu->segs[SEG_CS].selector, 0x88);
    assert_int_equal(cpu->segs[SEG_SS].selector, 0x90);
    assert_true(cpu->segs[SEG_SS].rights & SEGMENT_FLAT_WRITE);
    assert_int_equal(cpu->eflags & FLAG_IF, 0);
    cpu->regs[REG_ECX] = VM_STACK3;
    cpu->regs[REG_EDX] = VM_CODE + 0x20;
    VM_ONE(vm, 0x0f, 0x35);
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->cpl, 3);
    assert_true(cpu->is_user);
    assert_int_equal(cpu->eip, VM_CODE + 0x20);
    assert_int_equal(cpu->regs[REG_ESP], VM_STACK3);
    assert_int_equal(cpu->segs[SEG_CS].selector, 0x9b);
    assert_int_equal(cpu->segs[SEG_SS].selector, 0xa3);
    vm_destroy(vm);
    vm = vm_protected(CPU_MODEL_PENTIUM);
    VM_ONE(vm, 0x0f, 0x34);
    VM_EXPECT(vm, EXC_UD, 0);
    vm_destroy(vm);
}

static void test_ports(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    cpu->regs[REG_EDX] = 0x120;
    cpu->regs[REG_EAX] = 0x11223344;
    VM_ONE(vm, 0x66, 0xef); // out dx, ax
    assert_int_equal(vm->port_value, 0x3344);
    vm->port_value = 0xa5b6c7d8;
    VM_ONE(vm, 0xec);
    assert_int_equal(cpu->regs[REG_EAX], 0x112233d8);
    VM_ONE(vm, 0xed);
    assert_int_equal(cpu->regs[REG_EAX], 0xa5b6c7d8);
    VM_ONE(vm, 0xe4, 0x42); // nobody there
    assert_int_equal(cpu->regs[REG_EAX] & 0xff, 0xff);
    vm_destroy(vm);
}

static void test_string_ports(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    cpu->regs[REG_EDX] = 0x120;
    cpu->regs[REG_ECX] = 3;
    cpu->regs[REG_EDI] = VM_DATA;
    vm->port_value = 0x55667788;
    VM_ONE(vm, 0xf3, 0x66, 0x6d); // rep insw
    VM_EXPECT_NONE(vm);
    assert_int_equal(cpu->regs[REG_ECX], 0);
    assert_int_equal(cpu->regs[REG_EDI], VM_DATA + 6);
    assert_int_equal(vm_get32(vm, VM_DATA), 0x77887788);
    assert_int_equal(vm_get32(vm, VM_DATA + 4), 0x7788);
    assert_int_equal(vm->port_reads, 3);
    // A fault on the third element: two are done, and no port value is lost.
    vm_paging(vm);
    vm_map(vm, 0x41000, 0);
    vm->port_reads = 0;
    cpu->regs[REG_ECX] = 4;
    cpu->regs[REG_EDI] = 0x40ff8;
    uint32_t eip = cpu->eip;
    VM_ONE(vm, 0xf3, 0x6d);
    VM_EXPECT(vm, EXC_PF, 2);
    assert_int_equal(cpu->regs[REG_ECX], 2);
    assert_int_equal(cpu->regs[REG_EDI], 0x41000);
    assert_int_equal(vm->port_reads, 2);
    assert_int_equal(vm_stack32(vm, 1), eip);
    // OUTS with a direction and a segment.
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    cpu_set_eflags(cpu, FLAG_FIXED | FLAG_DF);
    cpu->regs[REG_ESI] = VM_DATA + 1;
    vm->ram[VM_DATA + 1] = 0x99;
    VM_ONE(vm, 0x6e);
    assert_int_equal(vm->port_value, 0x99);
    assert_int_equal(cpu->regs[REG_ESI], VM_DATA);
    // ECX 0: nothing happens.
    vm->port_writes = 0;
    cpu->regs[REG_ECX] = 0;
    VM_ONE(vm, 0xf3, 0x6e);
    assert_int_equal(vm->port_writes, 0);
    vm_destroy(vm);
}

static void try_port(struct vm *vm, uint16_t port, unsigned size, bool allowed)
{
    vm_enter_ring3(vm);
    vm->cpu->regs[REG_EDX] = port;
    if (size == 1)
        VM_ONE(vm, 0xec);
    else if (size == 2)
        VM_ONE(vm, 0x66, 0xed);
    else
        VM_ONE(vm, 0xed);
    if (allowed)
        VM_EXPECT_NONE(vm);
    else
        VM_EXPECT(vm, EXC_GP, 0);
}

static void test_io_permission_bitmap(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    cpu_set_eflags(cpu, FLAG_FIXED | FLAG_IOPL);
    try_port(vm, 0x100, 4, true); // IOPL 3
    cpu_set_eflags(cpu, FLAG_FIXED);
    try_port(vm, 0x100, 1, false); // the map lies outside the TSS
    vm_set16(vm, VM_TSS + 102, 104);
    memset(vm->ram + VM_TSS + 104, 0, 0x40);
    vm->ram[VM_TSS + 104 + 0x108 / 8] = 0x01; // port 108 is closed
    try_port(vm, 0x107, 1, true);
    try_port(vm, 0x108, 1, false);
    try_port(vm, 0x109, 1, true);
    try_port(vm, 0x107, 2, false); // crosses into the next byte of the map
    try_port(vm, 0x105, 4, false);
    try_port(vm, 0x104, 4, true);
    // Two bytes are read: the last port of a map without a byte behind it is closed.
    cpu->tr.limit = 104 + 0x100 / 8;
    try_port(vm, 0xff, 1, true);
    try_port(vm, 0x100, 1, false);
    // Virtual-8086 mode asks the bitmap whatever IOPL is.
    cpu->tr.limit = 0x1ff;
    vm_enter_v86(vm, 0x1000, 0, 0x200, 3);
    cpu->regs[REG_EDX] = 0x108;
    VM_ONE(vm, 0xec);
    VM_EXPECT(vm, EXC_GP, 0);
    // A 16-bit TSS has no bitmap.
    cpu->tr.attributes = DESC_P | DESC_TSS16_BUSY << 8;
    vm_set16(vm, VM_TSS + 2, 0);
    vm_enter_ring3(vm);
    cpu_set_eflags(cpu, FLAG_FIXED);
    cpu->regs[REG_EDX] = 0x100;
    vm_set16(vm, VM_TSS + 2, VM_STACK0 & 0xffff);
    vm_set16(vm, VM_TSS + 4, SEL_DATA0);
    VM_ONE(vm, 0xec);
    VM_EXPECT(vm, EXC_GP, 0);
    vm_destroy(vm);
}

static void test_reset_values(void **state)
{
    struct vm *vm = vm_create(CPU_MODEL_PENTIUM4);
    struct cpu *cpu = vm->cpu;
    for (unsigned pass = 0; pass < 2; pass++) {
        assert_int_equal(cpu->segs[SEG_CS].selector, 0xf000);
        assert_int_equal(cpu->segs[SEG_CS].base, 0xffff0000);
        assert_int_equal(cpu->eip, 0xfff0);
        assert_int_equal(cpu_get_eflags(cpu), 2);
        assert_int_equal(cpu->cr0, 0x60000010);
        assert_int_equal(cpu->regs[REG_EDX], 0xf29);
        assert_int_equal(cpu->dr[6], 0xffff0ff0);
        assert_int_equal(cpu->dr[7], 0x400);
        assert_int_equal(cpu->idtr.limit, 0xffff);
        assert_int_equal(cpu->fpu.control, 0x40);
        // Garble and reset.
        memset(cpu->regs, 0xff, 8 * sizeof cpu->regs[0]);
        cpu->activity = CPU_SHUTDOWN;
        cpu->eflags |= FLAG_VM;
        cpu->cpl = 3;
        cpu->cr0 |= CR0_PE;
        cpu_reset(cpu);
    }
    assert_int_equal(cpu->regs[REG_ZERO], 0);
    vm_destroy(vm);
}

static void test_snapshot(void **state)
{
    struct vm *vm = vm_protected(CPU_MODEL_PENTIUM4);
    struct state_registry *registry = state_registry_create();
    struct error err = {0};
    struct cpu *other = cpu_create(CPU_MODEL_PENTIUM4, vm->mem, vm->ports, vm->clock, &vm->log,
                                   NULL, registry, &err);
    assert_non_null(other);
    other->regs[REG_EBX] = 0xabcdef;
    other->eflags |= FLAG_IF;
    other->dr[7] |= 1;
    cpu_update_mode(other);
    struct state_writer *writer = state_writer_create();
    state_save(registry, writer);
    size_t length;
    void *saved = state_writer_take(writer, &length);
    state_writer_destroy(writer);
    cpu_reset(other);
    assert_int_equal(other->regs[REG_EBX], 0);
    assert_true(state_load(registry, saved, length, &err));
    assert_int_equal(other->regs[REG_EBX], 0xabcdef);
    assert_true(other->debug_armed);
    assert_int_equal(other->eflags & FLAG_IF, FLAG_IF);
    uint64_t hash = state_hash(registry);
    assert_true(state_load(registry, saved, length, &err));
    assert_true(state_hash(registry) == hash);
    other->features = 0; // another model
    assert_false(state_load(registry, saved, length, &err));
    assert_non_null(strstr(err.text, "CPU model"));
    free(saved);
    state_registry_destroy(registry);
    cpu_destroy(other);
    vm_destroy(vm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_privileged_instructions),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_ltr_lldt),
        cmocka_unit_test(test_control_registers),
        cmocka_unit_test(test_pae_pointers_are_checked),
        cmocka_unit_test(test_cpuid),
        cmocka_unit_test(test_msrs),
        cmocka_unit_test(test_tsc),
        cmocka_unit_test(test_sysenter_sysexit),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_string_ports),
        cmocka_unit_test(test_io_permission_bitmap),
        cmocka_unit_test(test_reset_values),
        cmocka_unit_test(test_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
