// SPDX-License-Identifier: MIT
// The emulated side: a machine whose user space looks like the host process. Linear addresses,
// descriptors and page rights are the same; every exception leads to a HLT of its own in ring 0,
// and what lies on that stack is the outcome.
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>

#include "cpu/flags.h"
#include "cpu/segments.h"
#include "jit/executor.h"

#define RAM_SIZE (2u << 20)

// Where things lie in RAM; the kernel's part is seen at KERNEL + the same offset, which no case
// happens to meet.
#define KERNEL 0xd3a50000u
enum {
    RAM_GDT = 0x1000,
    RAM_IDT = 0x2000,
    RAM_TSS = 0x3000,
    RAM_STACK = 0x5000,    // top
    RAM_HANDLERS = 0x6000, // 16 bytes a vector: HLT
    RAM_KERNEL_END = 0x8000,
    RAM_PDPT = 0x8000,
    RAM_TABLES = 0x10000, // page directories and tables, as needed
    RAM_CODE = 0x80000,
    RAM_ARENA = 0x90000, // three pages, not next to one another
};
enum { KERNEL_CODE = 0x08, KERNEL_DATA = 0x18, KERNEL_TSS = 0x40 };

enum {
    PTE_USER_READ = 0x5,
    PTE_USER_WRITE = 0x7,
    PTE_KERNEL = 0x3,
};
#define PTE_NX (UINT64_C(1) << 63)

struct machine {
    struct log log;
    struct physmem *mem;
    struct portio *ports;
    struct clock *clock;
    struct cpu *cpu;
    struct executor *ex;
    uint8_t *ram;
    uint8_t *pages[3]; // of the arena
    const uint8_t (*pristine)[USER_PAGE];
    uint32_t tables; // next free one
};

static uint32_t arena_page(unsigned i)
{
    return RAM_ARENA + (2 - i) * 2 * USER_PAGE;
}

static uint32_t new_table(struct machine *m)
{
    uint32_t table = m->tables;
    m->tables += PAGE_SIZE;
    return table;
}

static void map_page(struct machine *m, uint32_t linear, uint64_t entry)
{
    uint8_t *pdpte = m->ram + RAM_PDPT + 8 * (linear >> 30);
    if (!load_le64(pdpte))
        store_le64(pdpte, new_table(m) | 1);
    uint8_t *pde = m->ram + (load_le64(pdpte) & ~UINT64_C(0xfff)) + 8 * (linear >> 21 & 511);
    if (!load_le64(pde))
        store_le64(pde, new_table(m) | 7);
    uint8_t *pte = m->ram + (load_le64(pde) & ~UINT64_C(0xfff)) + 8 * (linear >> 12 & 511);
    store_le64(pte, entry);
}

static void map_memory(struct machine *m)
{
    m->tables = RAM_TABLES;
    for (uint32_t at = 0; at < RAM_KERNEL_END; at += PAGE_SIZE)
        map_page(m, KERNEL + at, at | PTE_KERNEL);
    map_page(m, USER_CODE, RAM_CODE | PTE_USER_READ);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t rights = (i < 2 ? PTE_USER_WRITE : PTE_USER_READ) | PTE_NX;
        uint32_t offset = USER_WRITABLE + i * USER_PAGE;
        map_page(m, USER_HIGH + offset, arena_page(i) | rights);
        map_page(m, USER_LOW + offset, arena_page(i) | rights);
        m->pages[i] = m->ram + arena_page(i);
        memcpy(m->pages[i], m->pristine[i], USER_PAGE);
    }
    memset(m->ram + RAM_CODE, 0xcc, USER_PAGE);
}

static void put_descriptor(struct machine *m, uint32_t selector, uint32_t base, uint32_t limit,
                           uint32_t access)
{
    uint8_t *at = m->ram + RAM_GDT + (selector & ~7u);
    store_le32(at, (limit & 0xffff) | base << 16);
    store_le32(at + 4, (base >> 16 & 0xff) | (base & 0xff000000u) | (limit & 0xf0000) |
                           (access & 0xf0ff00));
}

// As Linux has them. Those of 64-bit code are what 32-bit code sees of them.
static void make_tables(struct machine *m)
{
    put_descriptor(m, KERNEL_CODE, 0, 0xfffff, 0xc09b00);
    put_descriptor(m, 0x10, 0, 0xfffff, 0xa09b00);
    put_descriptor(m, KERNEL_DATA, 0, 0xfffff, 0xc09300);
    put_descriptor(m, USER_CS, 0, 0xfffff, 0xc0fb00);
    put_descriptor(m, USER_DS, 0, 0xfffff, 0xc0f300);
    put_descriptor(m, KERNEL_TSS, KERNEL + RAM_TSS, 0x67, 0x008b00);
    put_descriptor(m, USER_SEL_SMALL, USER_SMALL_BASE, USER_SMALL_LIMIT, 0x50f300);
    put_descriptor(m, USER_SEL_READ, USER_READ_BASE, USER_READ_LIMIT, 0xd0f100);
    put_descriptor(m, USER_SEL_DOWN, USER_DOWN_BASE, USER_DOWN_LIMIT, 0x50f700);
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t handler = KERNEL + RAM_HANDLERS + 16 * i;
        uint32_t access = i == EXC_BP || i == EXC_OF ? 0xee00 : 0x8e00;
        m->ram[RAM_HANDLERS + 16 * i] = 0xf4;
        store_le32(m->ram + RAM_IDT + 8 * i, (uint32_t)KERNEL_CODE << 16 | (handler & 0xffff));
        store_le32(m->ram + RAM_IDT + 8 * i + 4, (handler & 0xffff0000u) | access);
    }
    store_le32(m->ram + RAM_TSS + 4, KERNEL + RAM_STACK);
    store_le16(m->ram + RAM_TSS + 8, KERNEL_DATA);
    store_le16(m->ram + RAM_TSS + 102, 0xffff); // no I/O bitmap
}

static void load_segment(struct machine *m, enum segment_index index, uint16_t selector)
{
    struct cpu *cpu = m->cpu;
    if (selector_is_null(selector)) {
        segment_set_null(cpu, index, selector);
        return;
    }
    const uint8_t *at = m->ram + RAM_GDT + (selector & ~7u);
    struct descriptor descriptor = {.low = load_le32(at), .high = load_le32(at + 4)};
    segment_from_descriptor(&cpu->segs[index], selector, &descriptor);
}

static void start_protected_mode(struct machine *m)
{
    struct cpu *cpu = m->cpu;
    cpu->gdtr = (struct descriptor_table){.base = KERNEL + RAM_GDT, .limit = 0x7f};
    cpu->idtr = (struct descriptor_table){.base = KERNEL + RAM_IDT, .limit = 0x7ff};
    cpu->tr = (struct segment){.base = KERNEL + RAM_TSS,
                               .limit = 0x67,
                               .attributes = DESC_P | DESC_TSS32_BUSY << 8,
                               .selector = KERNEL_TSS};
    cpu->ldtr = (struct segment){.selector = 0};
    cpu->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
    cpu->cr3 = RAM_PDPT;
    cpu->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    cpu->efer = EFER_NXE;
    if (!mmu_set_control(&cpu->mmu, cpu->cr0, cpu->cr3, cpu->cr4, true, true))
        abort();
}

static void die(const struct error *err)
{
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

struct machine *machine_create(enum machine_kind kind, const uint8_t pristine[3][USER_PAGE])
{
    struct machine *m = calloc(1, sizeof *m);
    if (!m)
        abort();
    struct error err = {0};
    log_init(&m->log);
    m->clock = clock_create();
    m->mem = physmem_create(&m->log);
    m->ram = physmem_alloc_ram(m->mem, RAM_SIZE, &err);
    if (!m->ram)
        die(&err);
    physmem_add_host(m->mem, "ram", 0, RAM_SIZE, 0, m->ram, m->ram);
    m->ports = portio_create(&m->log);
    m->cpu = cpu_create(CPU_MODEL_PENTIUM4, m->mem, m->ports, m->clock, &m->log, NULL, NULL, &err);
    if (!m->cpu)
        die(&err);
    m->pristine = pristine;
    map_memory(m);
    make_tables(m);
    start_protected_mode(m);
    m->ex = executor_create(m->cpu, &m->log, &err);
    if (!m->ex || !executor_set_accel(
                      m->ex, kind == MACHINE_INTERP ? EXECUTOR_INTERP : EXECUTOR_JIT, 0, &err))
        die(&err);
    executor_set_window(m->ex, kind == MACHINE_WINDOW ? WINDOW_ALWAYS : WINDOW_OFF);
    executor_set_threshold(m->ex, 0);
    return m;
}

void machine_destroy(struct machine *m)
{
    executor_destroy(m->ex);
    cpu_destroy(m->cpu);
    portio_destroy(m->ports);
    physmem_destroy(m->mem);
    clock_destroy(m->clock);
    free(m);
}

void machine_put_code(struct machine *m, const struct user_code *code)
{
    uint32_t at = code->eip - USER_CODE;
    uint32_t length = code->length;
    if (length > USER_PAGE - at)
        length = USER_PAGE - at;
    executor_drop_code(m->ex); // nothing of the page is code any more: it can be written plainly
    memset(m->ram + RAM_CODE, 0xcc, USER_PAGE);
    memcpy(m->ram + RAM_CODE + at, code->bytes, length);
}

static void enter_user(struct machine *m, const struct user_code *code, const struct user_input *in)
{
    struct cpu *cpu = m->cpu;
    memcpy(cpu->regs, in->regs, sizeof in->regs);
    cpu->eip = code->eip;
    cpu->cpl = 3;
    for (unsigned i = 0; i < SEG_COUNT; i++)
        if (i == SEG_CS || cpu->segs[i].selector != in->segs[i])
            load_segment(m, (enum segment_index)i, in->segs[i]);
    cpu_set_eflags(cpu, in->eflags);
    cpu_update_mode(cpu);
    if (code->fpu)
        memcpy(&cpu->fpu, in->fpu, sizeof cpu->fpu);
    cpu->activity = CPU_RUNNING;
    atomic_store_explicit(&cpu->kicked, 0, memory_order_relaxed);
}

static void take_outcome(struct machine *m, const struct user_code *code, struct user_output *out)
{
    struct cpu *cpu = m->cpu;
    uint32_t handlers = KERNEL + RAM_HANDLERS;
    out->vector = cpu->activity == CPU_HALTED ? (cpu->eip - handlers) / 16 : 0xff;
    const uint8_t *frame = m->ram + ((cpu->regs[REG_ESP] - KERNEL) & (RAM_SIZE - 1));
    out->error = 0;
    if (frame + 24 == m->ram + RAM_STACK) {
        out->error = load_le32(frame);
        frame += 4;
    }
    memcpy(out->regs, cpu->regs, sizeof out->regs);
    out->eip = load_le32(frame);
    out->eflags = load_le32(frame + 8);
    out->regs[REG_ESP] = load_le32(frame + 12);
    out->cr2 = cpu->cr2;
    for (unsigned i = 0; i < SEG_COUNT; i++)
        out->segs[i] = cpu->segs[i].selector;
    out->segs[SEG_CS] = load_le16(frame + 4);
    out->segs[SEG_SS] = load_le16(frame + 16);
    if (code->fpu)
        memcpy(out->fpu, &cpu->fpu, sizeof out->fpu);
    out->count = out->hash = 0;
    for (uint32_t i = 0; i < 2; i++)
        user_collect((uint64_t *)(void *)m->pages[i],
                     (const uint64_t *)(const void *)m->pristine[i], USER_WRITABLE + i * USER_PAGE,
                     out);
}

static void patch(struct machine *m, const struct user_input *in)
{
    const uint8_t *data = in->data;
    for (unsigned i = 0; i < 2; i++) {
        for (uint32_t n = 0; n < in->patches[i].length;) {
            uint32_t at = in->patches[i].at + n - USER_WRITABLE;
            uint32_t length = USER_PAGE - (at & (USER_PAGE - 1));
            if (length > in->patches[i].length - n)
                length = in->patches[i].length - n;
            memcpy(m->pages[at / USER_PAGE] + (at & (USER_PAGE - 1)), data + n, length);
            n += length;
        }
        data += in->patches[i].length;
    }
}

bool machine_run(struct machine *m, const struct user_code *code, const struct user_input *in,
                 struct user_output *out)
{
    uint64_t before = executor_get_stats(m->ex).steps;
    patch(m, in);
    enter_user(m, code, in);
    executor_run(m->ex, UINT64_MAX);
    take_outcome(m, code, out);
    // Translated code called the handlers of INT3 and HLT, and no other.
    return executor_get_stats(m->ex).steps - before == 2 && out->vector == EXC_BP;
}
