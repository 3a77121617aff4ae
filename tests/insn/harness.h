// SPDX-License-Identifier: MIT
// A CPU with memory and ports, and a plain fetch-decode-execute loop: runs instruction bytes.
// vm_protected lays out descriptor tables, gates to HLT handlers, a TSS and stacks.
#ifndef EMU_TESTS_INSN_HARNESS_H
#define EMU_TESTS_INSN_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#include "cpu/decode.h"
#include "cpu/flags.h"
#include "cpu/segments.h"

#define VM_RAM_SIZE (4u << 20)

enum {
    VM_GDT = 0x1000,
    VM_IDT = 0x2000,
    VM_TSS = 0x3000,  // 32-bit, current
    VM_TSS2 = 0x3200, // 32-bit
    VM_TSS16 = 0x3400,
    VM_LDT = 0x3600,
    VM_CODE = 0x10000,
    VM_HANDLERS = 0x20000, // 16 bytes a vector: HLT
    VM_DATA = 0x30000,
    VM_STACK0 = 0x70000, // tops of the stacks
    VM_STACK1 = 0x78000,
    VM_STACK3 = 0x80000,
    VM_PAGE_DIR = 0x100000,
    VM_PAGE_TABLE = 0x101000,
};

// Selectors.
enum {
    SEL_CODE0 = 0x08,
    SEL_DATA0 = 0x10,
    SEL_CODE3 = 0x1b,
    SEL_DATA3 = 0x23,
    SEL_TSS = 0x28,
    SEL_TSS2 = 0x30,
    SEL_TSS16 = 0x38,
    SEL_LDT = 0x40,
    SEL_CODE0_16 = 0x48,
    SEL_DATA0_16 = 0x50,
    SEL_CONFORMING = 0x58, // DPL 0
    SEL_CODE1 = 0x61,
    SEL_DATA1 = 0x69,
    SEL_CODE3_16 = 0x73,
    SEL_DATA3_16 = 0x7b,
    SEL_FREE = 0x80, // for tests, up to VM_GDT_LIMIT
    VM_GDT_LIMIT = 0xff,
};

struct vm_event {
    uint8_t vector;
    bool has_error_code, is_int;
    uint32_t error_code;
};

struct vm {
    struct log log;
    struct clock *clock;
    struct physmem *mem;
    struct portio *ports;
    struct cpu *cpu;
    uint8_t *ram;
    struct vm_event events[16]; // what cpu_raise raised, in order
    unsigned event_count;
    int intr_vector;
    uint32_t port_value;
    unsigned port_reads, port_writes;
};

static inline int vm_acknowledge(void *self)
{
    struct vm *vm = self;
    vm->cpu->intr = false;
    return vm->intr_vector;
}

static inline uint32_t vm_port_read(void *self, uint32_t offset, unsigned size)
{
    struct vm *vm = self;
    vm->port_reads++;
    return vm->port_value;
}

static inline void vm_port_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct vm *vm = self;
    vm->port_writes++;
    vm->port_value = value;
}

static inline struct vm *vm_create(enum cpu_model model)
{
    static const struct port_ops ops = {
        .read = vm_port_read, .write = vm_port_write, .max_size = 4};
    struct vm *vm = xcalloc(1, sizeof *vm);
    log_init(&vm->log);
    vm->clock = clock_create();
    vm->mem = physmem_create(&vm->log);
    vm->ram = physmem_alloc_ram(vm->mem, VM_RAM_SIZE, NULL);
    physmem_add_host(vm->mem, "ram", 0, VM_RAM_SIZE, 0, vm->ram, vm->ram);
    vm->ports = portio_create(&vm->log);
    portio_add(vm->ports, "test", 0x100, 0x40, &ops, vm);
    struct cpu_board board = {.self = vm, .acknowledge = vm_acknowledge};
    struct error err;
    vm->cpu = cpu_create(model, vm->mem, vm->ports, vm->clock, &vm->log, &board, NULL, &err);
    assert_non_null(vm->cpu);
    return vm;
}

static inline void vm_destroy(struct vm *vm)
{
    cpu_destroy(vm->cpu);
    portio_destroy(vm->ports);
    physmem_destroy(vm->mem);
    clock_destroy(vm->clock);
    free(vm);
}

static inline void vm_put(struct vm *vm, uint32_t address, const void *bytes, size_t length)
{
    assert_true(address + length <= VM_RAM_SIZE);
    memcpy(vm->ram + address, bytes, length);
}

#define VM_BYTES(vm, address, ...)                                                                 \
    vm_put(vm, address, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static inline uint32_t vm_get32(const struct vm *vm, uint32_t address)
{
    return load_le32(vm->ram + address);
}

static inline uint16_t vm_get16(const struct vm *vm, uint32_t address)
{
    return load_le16(vm->ram + address);
}

static inline void vm_set32(struct vm *vm, uint32_t address, uint32_t value)
{
    store_le32(vm->ram + address, value);
}

static inline void vm_set16(struct vm *vm, uint32_t address, uint32_t value)
{
    store_le16(vm->ram + address, (uint16_t)value);
}

// access: the byte with P, DPL, S, type; flags: G, D/B (bits 3, 2).
static inline void vm_descriptor(struct vm *vm, uint16_t selector, uint32_t base, uint32_t limit,
                                 unsigned access, unsigned flags)
{
    uint32_t address = ((selector & 4) ? VM_LDT : VM_GDT) + (selector & 0xfff8u);
    vm_set32(vm, address, (limit & 0xffff) | base << 16);
    vm_set32(vm, address + 4,
             (base >> 16 & 0xff) | access << 8 | (limit & 0xf0000) | flags << 20 |
                 (base & 0xff000000u));
}

static inline void vm_gate(struct vm *vm, uint32_t address, uint16_t selector, uint32_t offset,
                           unsigned access, unsigned parameters)
{
    vm_set32(vm, address, (uint32_t)selector << 16 | (offset & 0xffff));
    vm_set32(vm, address + 4, (offset & 0xffff0000u) | access << 8 | parameters);
}

static inline uint8_t vm_access(const struct vm *vm, uint16_t selector)
{
    return vm->ram[((selector & 4) ? VM_LDT : VM_GDT) + (selector & 0xfff8u) + 5];
}

// Loads a segment register from its descriptor without any check.
static inline void vm_load_segment(struct vm *vm, enum segment_index index, uint16_t selector)
{
    uint32_t address = ((selector & 4) ? VM_LDT : VM_GDT) + (selector & 0xfff8u);
    struct descriptor desc = {
        .low = vm_get32(vm, address), .high = vm_get32(vm, address + 4), .address = address};
    segment_from_descriptor(&vm->cpu->segs[index], selector, &desc);
}

static inline void vm_enter(struct vm *vm, uint16_t cs, uint16_t ss, uint32_t eip, uint32_t esp)
{
    struct cpu *cpu = vm->cpu;
    cpu->cpl = cs & 3;
    vm_load_segment(vm, SEG_CS, cs);
    vm_load_segment(vm, SEG_SS, ss);
    uint16_t data = cpu->cpl == 3 ? SEL_DATA3 : SEL_DATA0;
    vm_load_segment(vm, SEG_DS, data);
    vm_load_segment(vm, SEG_ES, data);
    vm_load_segment(vm, SEG_FS, data);
    vm_load_segment(vm, SEG_GS, data);
    cpu->eip = eip;
    cpu->regs[REG_ESP] = esp;
    cpu_update_mode(cpu);
}

static inline void vm_tables(struct vm *vm)
{
    vm_descriptor(vm, SEL_CODE0, 0, 0xfffff, 0x9a, 0xc);
    vm_descriptor(vm, SEL_DATA0, 0, 0xfffff, 0x92, 0xc);
    vm_descriptor(vm, SEL_CODE3, 0, 0xfffff, 0xfa, 0xc);
    vm_descriptor(vm, SEL_DATA3, 0, 0xfffff, 0xf2, 0xc);
    vm_descriptor(vm, SEL_TSS, VM_TSS, 0x1ff, 0x8b, 0);
    vm_descriptor(vm, SEL_TSS2, VM_TSS2, 0x67, 0x89, 0);
    vm_descriptor(vm, SEL_TSS16, VM_TSS16, 0x2b, 0x81, 0);
    vm_descriptor(vm, SEL_LDT, VM_LDT, 0x3f, 0x82, 0);
    vm_descriptor(vm, SEL_CODE0_16, VM_CODE, 0xffff, 0x9a, 0);
    vm_descriptor(vm, SEL_DATA0_16, 0x70000, 0xffff, 0x92, 0);
    vm_descriptor(vm, SEL_CONFORMING, 0, 0xfffff, 0x9e, 0xc);
    vm_descriptor(vm, SEL_CODE1, 0, 0xfffff, 0xba, 0xc);
    vm_descriptor(vm, SEL_DATA1, 0, 0xfffff, 0xb2, 0xc);
    vm_descriptor(vm, SEL_CODE3_16, VM_CODE, 0xffff, 0xfa, 0);
    vm_descriptor(vm, SEL_DATA3_16, 0x70000, 0xffff, 0xf2, 0);
    for (unsigned i = 0; i < 256; i++) {
        vm->ram[VM_HANDLERS + 16 * i] = 0xf4;
        vm_gate(vm, VM_IDT + 8 * i, SEL_CODE0, VM_HANDLERS + 16 * i, 0x8e, 0);
    }
    vm_set32(vm, VM_TSS + 4, VM_STACK0);
    vm_set16(vm, VM_TSS + 8, SEL_DATA0);
    vm_set32(vm, VM_TSS + 12, VM_STACK1);
    vm_set16(vm, VM_TSS + 16, SEL_DATA1);
    vm_set16(vm, VM_TSS + 102, 0xffff); // no I/O bitmap
}

// Protected mode, 32-bit flat, CPL 0.
static inline struct vm *vm_protected(enum cpu_model model)
{
    struct vm *vm = vm_create(model);
    struct cpu *cpu = vm->cpu;
    vm_tables(vm);
    cpu->gdtr = (struct descriptor_table){.base = VM_GDT, .limit = VM_GDT_LIMIT};
    cpu->idtr = (struct descriptor_table){.base = VM_IDT, .limit = 0x7ff};
    cpu->cr0 = CR0_PE | CR0_ET | CR0_NE;
    cpu->tr = (struct segment){.base = VM_TSS,
                               .limit = 0x1ff,
                               .attributes = DESC_P | DESC_TSS32_BUSY << 8,
                               .selector = SEL_TSS};
    cpu->ldtr = (struct segment){
        .base = VM_LDT, .limit = 0x3f, .attributes = DESC_P | DESC_LDT << 8, .selector = SEL_LDT};
    vm_enter(vm, SEL_CODE0, SEL_DATA0, VM_CODE, VM_STACK0);
    return vm;
}

static inline void vm_enter_ring3(struct vm *vm)
{
    vm_enter(vm, SEL_CODE3, SEL_DATA3, VM_CODE, VM_STACK3);
}

// Virtual-8086 mode at cs:ip, stack 7000:sp.
static inline void vm_enter_v86(struct vm *vm, uint16_t cs, uint16_t ip, uint16_t sp, unsigned iopl)
{
    struct cpu *cpu = vm->cpu;
    cpu->cpl = 3;
    cpu_set_eflags(cpu, FLAG_FIXED | FLAG_VM | iopl << 12);
    for (unsigned i = 0; i < SEG_COUNT; i++)
        segment_set_real(cpu, (enum segment_index)i, (uint16_t)(0x3000 + i), true);
    segment_set_real(cpu, SEG_CS, cs, true);
    segment_set_real(cpu, SEG_SS, 0x7000, true);
    cpu->eip = ip;
    cpu->regs[REG_ESP] = sp;
    cpu_update_mode(cpu);
}

// Identity-maps the RAM with 4 KiB user pages and turns paging on.
static inline void vm_paging(struct vm *vm)
{
    for (uint32_t i = 0; i < VM_RAM_SIZE / PAGE_SIZE; i++)
        vm_set32(vm, VM_PAGE_TABLE + 4 * i, i << 12 | 7);
    vm_set32(vm, VM_PAGE_DIR, VM_PAGE_TABLE | 7);
    struct cpu *cpu = vm->cpu;
    cpu->cr0 |= CR0_PG | CR0_WP;
    cpu->cr3 = VM_PAGE_DIR;
    assert_true(mmu_set_control(&cpu->mmu, cpu->cr0, cpu->cr3, cpu->cr4, false, true));
}

static inline void vm_map(struct vm *vm, uint32_t linear, uint32_t entry)
{
    vm_set32(vm, VM_PAGE_TABLE + 4 * (linear >> 12), entry);
    mmu_flush_all(&vm->cpu->mmu);
}

static inline void vm_record(struct vm *vm)
{
    const struct cpu_exception *raised = &vm->cpu->raised;
    if (vm->event_count < ARRAY_SIZE(vm->events))
        vm->events[vm->event_count++] = (struct vm_event){.vector = raised->vector,
                                                          .has_error_code = raised->has_error_code,
                                                          .is_int = raised->is_int,
                                                          .error_code = raised->error_code};
}

// Fetches at CS:EIP through the page tables; raises what the fetch raises.
static inline void vm_fetch(struct vm *vm, struct insn *insn)
{
    struct cpu *cpu = vm->cpu;
    uint8_t bytes[INSN_MAX_LENGTH];
    struct decode_mode mode = {.code32 = cpu_code32(cpu), .features = cpu->features};
    cpu->insn_eip = cpu->eip;
    for (unsigned n = 0; n < INSN_MAX_LENGTH; n++) {
        struct mmu_result result;
        if (cpu->eip + n > cpu->segs[SEG_CS].limit)
            cpu_raise_error(cpu, EXC_GP, 0);
        uint32_t linear = cpu->segs[SEG_CS].base + cpu->eip + n;
        if (!mmu_translate(&cpu->mmu, linear, MMU_EXECUTE, cpu->is_user, &result))
            cpu_raise_page_fault(cpu, linear, result.error_code);
        bytes[n] = (uint8_t)physmem_load(cpu->mem, result.physical, 1);
        enum decode_status status = insn_decode(&mode, bytes, n + 1, insn);
        if (status == DECODE_OK)
            return;
        if (status == DECODE_TOO_LONG)
            break;
    }
    cpu_raise_error(cpu, EXC_GP, 0);
}

static inline void vm_step_raw(struct vm *vm)
{
    struct cpu *cpu = vm->cpu;
    struct insn insn;
    bool step = cpu_must_step(cpu);
    if (step && cpu_begin_step(cpu)) {
        vm_record(vm);
        cpu_deliver(cpu);
        return;
    }
    vm_fetch(vm, &insn);
    cpu->eip += insn.length;
    insn.handler(cpu, &insn);
    cpu->instructions++;
    if (step)
        cpu_finish_step(cpu);
}

// Runs until HLT, shutdown or `limit` instructions. Returns instructions and events handled.
static inline unsigned vm_run(struct vm *vm, unsigned limit)
{
    struct cpu *cpu = vm->cpu;
    sigjmp_buf env;
    volatile unsigned done = 0;
    cpu->jump = &env;
    if (sigsetjmp(env, 0) != 0) {
        vm_record(vm);
        cpu_deliver(cpu);
    }
    while (done < limit) {
        done++;
        cpu->kicked = 0;
        cpu_take_pending(cpu);
        if (cpu->activity != CPU_RUNNING)
            break;
        vm_step_raw(vm);
    }
    return done;
}

// Puts bytes at CS:EIP's linear address and runs until HLT or shutdown.
static inline void vm_exec(struct vm *vm, const uint8_t *bytes, size_t length)
{
    struct cpu *cpu = vm->cpu;
    vm_put(vm, cpu->segs[SEG_CS].base + cpu->eip, bytes, length);
    vm->event_count = 0;
    cpu->activity = CPU_RUNNING;
    vm_run(vm, 1000);
}

#define VM_EXEC(vm, ...)                                                                           \
    vm_exec(vm, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

// One instruction only: what it raises is delivered, its handler is not run.
static inline void vm_one(struct vm *vm, const uint8_t *bytes, size_t length)
{
    struct cpu *cpu = vm->cpu;
    vm_put(vm, cpu->segs[SEG_CS].base + cpu->eip, bytes, length);
    vm->event_count = 0;
    cpu->activity = CPU_RUNNING;
    vm_run(vm, 1);
}

#define VM_ONE(vm, ...)                                                                            \
    vm_one(vm, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

// Exactly one exception was raised: this one.
static inline void vm_expect_at(struct vm *vm, unsigned vector, uint32_t error_code,
                                const char *file, int line)
{
    if (vm->event_count < 1 || vm->events[0].vector != vector ||
        vm->events[0].error_code != error_code) {
        print_error("%s:%d: expected vector %u error %x, got %u event(s), first %u error %x\n",
                    file, line, vector, error_code, vm->event_count, vm->events[0].vector,
                    vm->events[0].error_code);
        fail();
    }
}
#define VM_EXPECT(vm, vector, error_code) vm_expect_at(vm, vector, error_code, __FILE__, __LINE__)

static inline void vm_expect_none_at(struct vm *vm, const char *file, int line)
{
    if (vm->event_count != 0) {
        print_error("%s:%d: unexpected vector %u error %x\n", file, line, vm->events[0].vector,
                    vm->events[0].error_code);
        fail();
    }
}
#define VM_EXPECT_NONE(vm) vm_expect_none_at(vm, __FILE__, __LINE__)

static inline uint32_t vm_stack32(const struct vm *vm, unsigned index)
{
    const struct cpu *cpu = vm->cpu;
    uint32_t offset = cpu->regs[REG_ESP] & cpu_stack_mask(cpu);
    return vm_get32(vm, cpu->segs[SEG_SS].base + offset + 4 * index);
}

static inline uint16_t vm_stack16(const struct vm *vm, unsigned index)
{
    const struct cpu *cpu = vm->cpu;
    uint32_t offset = cpu->regs[REG_ESP] & cpu_stack_mask(cpu);
    return vm_get16(vm, cpu->segs[SEG_SS].base + offset + 2 * index);
}

#endif
