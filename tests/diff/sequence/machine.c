// SPDX-License-Identifier: MIT
// A machine that runs programs: CPU, memory, one device with ports and registers in memory, and an
// executor.
#include <stdatomic.h>
#include <stdlib.h>

#include "sequence.h"

#include "cpu/segments.h"

struct machine {
    struct log log;
    struct clock *clock;
    struct physmem *mem;
    struct portio *ports;
    struct cpu *cpu;
    struct executor *ex;
    uint8_t *ram;
    uint64_t number; // of the program
    uint64_t device; // all accesses so far
    uint32_t dma;    // where the next transfer goes
    atomic_bool late;
    bool abandoned;
    uint64_t seen; // instructions, when it was late
};

// All accesses are kept as a hash, so that none may be left out, added or moved; that is also what
// a port answers.
static uint32_t device_access(struct machine *m, unsigned kind, uint32_t offset, uint32_t value,
                              unsigned size)
{
    uint32_t mask = size == 4 ? UINT32_MAX : (1u << 8 * size) - 1;
    uint64_t access = (uint64_t)kind << 60 | (uint64_t)size << 48 | (uint64_t)offset << 32;
    m->device = (m->device ^ access ^ (value & mask)) * UINT64_C(0x9e3779b97f4a7c15);
    m->device ^= m->device >> 29;
    return (uint32_t)(m->device >> 20) & mask;
}

// Registers in memory keep their values: a program may run them as code, and whoever looks at its
// instructions one by one has to see the same ones.
static uint8_t mmio_peek(const void *self, uint32_t offset)
{
    const struct machine *m = self;
    return (uint8_t)((m->number + offset) * UINT64_C(0xd6e8feb86659fd93) >> 56);
}

static uint32_t mmio_read(void *self, uint32_t offset, unsigned size)
{
    uint32_t value = 0;
    device_access(self, 1, offset, 0, size);
    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)mmio_peek(self, offset + i) << 8 * i;
    return value;
}

// Frames of exceptions that are pushed to it hold flags that nobody was going to read.
static void mmio_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    const struct machine *m = self;
    device_access(self, 2, offset, m->cpu->ext ? 0 : value, size);
}

static uint32_t port_read(void *self, uint32_t offset, unsigned size)
{
    struct machine *m = self;
    if (offset == PORT_INTR - PORT_BASE)
        cpu_set_intr(m->cpu, true);
    return device_access(m, 3, offset, 0, size);
}

static void port_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct machine *m = self;
    device_access(m, 4, offset, value, size);
    uint8_t byte = (uint8_t)value;
    if (offset == PORT_DMA - PORT_BASE && m->dma)
        physmem_write(m->mem, m->dma, &byte, 1);
    if (offset == PORT_INTR - PORT_BASE)
        cpu_set_intr(m->cpu, true);
}

static int acknowledge(void *self)
{
    struct machine *m = self;
    cpu_set_intr(m->cpu, false);
    return VECTOR_DEVICE;
}

static void fail_with(const char *what)
{
    fprintf(stderr, "sequence: %s\n", what);
    exit(3);
}

struct machine *machine_create(bool counting, size_t cache, bool tight)
{
    static const struct port_ops port_ops = {port_read, port_write, .max_size = 4};
    static const struct mmio_ops mmio_ops = {mmio_read, mmio_write, .peek = mmio_peek,
                                             .max_size = 4};
    struct machine *m = xcalloc(1, sizeof *m);
    struct error err;
    log_init(&m->log);
    m->clock = clock_create();
    m->mem = physmem_create(&m->log);
    m->ram = physmem_alloc_ram(m->mem, FRAMES * PAGE_SIZE, &err);
    physmem_add_host(m->mem, "ram", 0, FRAMES * PAGE_SIZE, 0, m->ram, m->ram);
    physmem_add_host(m->mem, "rom", ROM_PHYSICAL, PAGE_SIZE, 0, m->ram + FRAME_OTHER * PAGE_SIZE,
                     NULL);
    physmem_add_mmio(m->mem, "device", MMIO_PHYSICAL, PAGE_SIZE, 0, &mmio_ops, m);
    m->ports = portio_create(&m->log);
    portio_add(m->ports, "device", PORT_BASE, 0x40, &port_ops, m);
    struct cpu_board board = {.self = m, .acknowledge = acknowledge};
    m->cpu =
        cpu_create(CPU_MODEL_PENTIUM4, m->mem, m->ports, m->clock, &m->log, &board, NULL, &err);
    if (!m->cpu)
        fail_with(err.text);
    if (counting)
        clock_set_icount(m->clock, &m->cpu->instructions, 0);
    m->ex = executor_create(m->cpu, &m->log, &err);
    if (!m->ex || (cache && !executor_set_accel(m->ex, EXECUTOR_JIT, cache, &err)))
        fail_with(err.text);
    if (tight && !executor_set_accel(m->ex, cache ? EXECUTOR_JIT : EXECUTOR_INTERP, 1, &err))
        fail_with(err.text);
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

static void load_segment(struct machine *m, enum segment_index index, uint16_t selector)
{
    uint32_t at = FRAME_GDT * PAGE_SIZE + (selector & 0xfff8u);
    struct descriptor d = {.low = load_le32(m->ram + at), .high = load_le32(m->ram + at + 4)};
    segment_from_descriptor(&m->cpu->segs[index], selector, &d);
}

static void enter_program(struct machine *m, const struct program *p, const struct image *image)
{
    struct cpu *cpu = m->cpu;
    bool user = p->cpl == 3;
    cpu->gdtr = (struct descriptor_table){.base = GDT, .limit = GDT_LIMIT};
    cpu->idtr = (struct descriptor_table){.base = IDT, .limit = 0x7ff};
    cpu->tr = (struct segment){.base = TSS,
                               .limit = 0x67,
                               .attributes = DESC_P | DESC_TSS32_BUSY << 8,
                               .selector = SEL_TSS};
    cpu->ldtr = (struct segment){.attributes = 0};
    cpu->cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_PG | (p->wp ? CR0_WP : 0) | (p->am ? CR0_AM : 0);
    cpu->cr3 = FRAME_DIR_A * PAGE_SIZE;
    cpu->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT | (p->pge ? CR4_PGE : 0);
    if (!mmu_set_control(&cpu->mmu, cpu->cr0, cpu->cr3, cpu->cr4, false, true))
        fail_with("the page tables are refused");
    mmu_flush_all(&cpu->mmu);
    cpu->sysenter_cs = SEL_CODE0;
    cpu->sysenter_esp = KERNEL + (FRAME_STACK0 + 1) * PAGE_SIZE;
    cpu->sysenter_eip = STUBS + STUB_SYSENTER;
    cpu->cpl = p->cpl;
    for (unsigned i = 0; i < SEG_COUNT; i++)
        load_segment(m, (enum segment_index)i, user ? SEL_DATA3 : SEL_DATA0);
    load_segment(m, SEG_CS, user ? SEL_CODE3 : SEL_CODE0);
    memcpy(cpu->regs, p->regs, sizeof p->regs);
    cpu->eip = CODE + image->at[0];
    uint32_t mask = cpu->fpu.mxcsr_mask;
    cpu->fpu = p->fpu;
    cpu->fpu.mxcsr_mask = mask;
    cpu_set_eflags(cpu, FLAG_FIXED | p->eflags);
    cpu_update_mode(cpu);
}

// The state that a round starts from. Memory and translations stay.
static void start_round(struct machine *m, const struct program *p, const struct image *image)
{
    uint64_t instructions = m->cpu->instructions;
    cpu_reset(m->cpu);
    m->cpu->instructions = instructions;
    enter_program(m, p, image);
    // What ends a program or takes its pages away is put back.
    physmem_store(m->mem, FRAME_VARIABLES * PAGE_SIZE, p->faults, 4);
    uint8_t busy = 0x89;
    physmem_write(m->mem, FRAME_GDT * PAGE_SIZE + SEL_TSS_DF + 5, &busy, 1);
}

void machine_load(struct machine *m, const struct program *p, const struct image *image)
{
    executor_drop_code(m->ex);
    executor_set_threshold(m->ex, p->threshold);
    executor_set_window(m->ex, p->window ? WINDOW_ALWAYS : WINDOW_OFF);
    memcpy(m->ram, image->ram, sizeof image->ram);
    m->number = p->number;
    m->device = p->number;
    m->cpu->instructions = 0;
    m->dma = 0;
    m->abandoned = false;
    m->seen = UINT64_MAX;
    atomic_store(&m->late, false);
    if (p->patch.item != NO_ITEM && !p->items[p->patch.item].dropped)
        m->dma = FRAME_CODE * PAGE_SIZE + image->at[p->patch.item] + p->patch.at;
}

void machine_hurry(struct machine *m)
{
    atomic_store(&m->late, true);
    cpu_kick(m->cpu);
}

bool machine_abandoned(const struct machine *m)
{
    return m->abandoned;
}

// A repeated instruction may go on for minutes where it meets no page that is absent; nothing else
// leaves the count of instructions where it is.
static bool is_running(struct machine *m, uint64_t target)
{
    if (atomic_exchange(&m->late, false)) {
        m->abandoned = m->seen == m->cpu->instructions;
        m->seen = m->cpu->instructions;
    }
    return !m->abandoned && m->cpu->activity == CPU_RUNNING && m->cpu->instructions < target;
}

static void run_to(struct machine *m, uint64_t target)
{
    while (is_running(m, target)) {
        atomic_store(&m->cpu->kicked, 0);
        executor_run(m->ex, target);
    }
}

bool machine_run(struct machine *m, const struct program *p, const struct image *image)
{
    struct cpu *cpu = m->cpu;
    start_round(m, p, image);
    uint64_t start = cpu->instructions;
    for (unsigned i = 0; p->counting && i < p->interrupts; i++) {
        run_to(m, start + (p->interrupt_at[i] & 0x7fff));
        if (p->interrupt_at[i] & 0x8000)
            cpu_raise_nmi(cpu);
        else
            cpu_set_intr(cpu, true);
    }
    bool jit = executor_get_stats(m->ex).code_size != 0;
    run_to(m, jit && !p->counting ? UINT64_MAX : start + LIMIT);
    return cpu->activity != CPU_RUNNING;
}

struct cpu *machine_cpu(struct machine *m)
{
    return m->cpu;
}

uint8_t *machine_ram(struct machine *m)
{
    return m->ram;
}

uint64_t machine_device_hash(const struct machine *m)
{
    return m->device;
}

uint64_t machine_translated(const struct machine *m)
{
    return executor_get_stats(m->ex).translated;
}

// The multiplications and divisions.
static unsigned undefined_flags(const struct insn *insn)
{
    const struct opcode_row *row = &opcode_rows[insn->row];
    bool group3 = row->map == MAP_1 && (row->opcode & 0xfe) == 0xf6 && (insn->modrm >> 3 & 7) >= 4;
    bool imul =
        row->map == MAP_1 ? row->opcode == 0x69 || row->opcode == 0x6b : row->opcode == 0xaf;
    return group3 || imul ? row->flags_undefined & FLAGS_ARITH : 0;
}

// Shifts whose count may be 0 and repeated string instructions leave flags alone at times: these
// stay undefined.
static bool may_leave_flags(const struct insn *insn)
{
    const struct opcode_row *row = &opcode_rows[insn->row];
    unsigned digit = insn->modrm >> 3 & 7;
    if (row->map == MAP_0F)
        return (row->opcode & 0xf6) == 0xa4;
    bool shift = (row->opcode & 0xfc) == 0xd0 || (row->opcode & 0xfe) == 0xc0;
    return (shift && digit != 2 && digit != 3) || (row->attributes & ATTR_STRING);
}

static bool step_flags(const struct cpu *cpu, const struct insn *insn, unsigned *tainted)
{
    const struct opcode_row *row = &opcode_rows[insn->row];
    bool frame = cpu->cpl == 0 && (insn->row == OPCODE_INT || insn->row == OPCODE_INT3 ||
                                   insn->row == OPCODE_INTO || insn->row == OPCODE_INT1);
    bool open = false;
    if (may_leave_flags(insn))
        return false;
    if ((*tainted & row->flags_read) || (*tainted && frame))
        open = true;
    *tainted &= ~(unsigned)row->flags_written;
    *tainted |= undefined_flags(insn);
    return open;
}

// Does the code behind an image of the FPU clear its pointers, as the generator made it?
static bool clears_pointers(struct machine *m, uint32_t linear, bool fxsave)
{
    static const uint8_t mov_word[] = {0x66, 0xc7, 0x05};
    const uint32_t image = SCRATCH_IMAGE + (fxsave ? 0x200 : 0);
    uint8_t code[9 + 4 * 7], *at = code;
    if (mmu_debug_read(&m->cpu->mmu, linear, code, sizeof code) < sizeof code)
        return false;
    if (fxsave) {
        if (memcmp(at, mov_word, 3) != 0 || load_le32(at + 3) != image + 6 || load_le16(at + 7))
            return false;
        at += 9;
    }
    for (unsigned i = 0; i < 4; i++, at += 7) // and dword [image + n], 0
        if (at[0] != 0x83 || at[1] != 0x25 || at[6] != 0 ||
            load_le32(at + 2) != image + (fxsave ? 8 : 12) + 4 * i)
            return false;
    return true;
}

// An image of the FPU that is not one of those whose pointers the program clears: it runs data as
// code, or has changed its code.
static bool stores_pointers(struct machine *m, uint32_t linear, const struct insn *insn)
{
    bool fxsave = insn->row == OPCODE_SSE_FXSAVE;
    if (insn->row != OPCODE_X87_FNSTENV && insn->row != OPCODE_X87_FNSAVE && !fxsave)
        return false;
    return insn->base != INSN_NO_REG || insn->index != INSN_NO_REG ||
           insn->disp != SCRATCH_IMAGE + (fxsave ? 0x200 : 0) ||
           !clears_pointers(m, linear + insn->length, fxsave);
}

// The code ahead, as far as a block may reach.
struct ahead {
    uint32_t linear;
    size_t length;
    uint8_t bytes[PAGE_SIZE];
};

static void look_ahead(struct machine *m, uint32_t linear, struct ahead *ahead)
{
    ahead->linear = linear;
    ahead->length =
        mmu_debug_read(&m->cpu->mmu, linear, ahead->bytes, PAGE_SIZE - (linear & (PAGE_SIZE - 1)));
}

// A translator may have left out flags that this code did not read before it changed.
static bool has_changed(struct machine *m, const struct ahead *before)
{
    struct ahead now;
    look_ahead(m, before->linear, &now);
    return now.length != before->length || memcmp(now.bytes, before->bytes, now.length) != 0;
}

static bool walk_to(struct machine *m, uint64_t target, struct coverage *coverage,
                    unsigned *tainted)
{
    struct cpu *cpu = m->cpu;
    bool open = false;
    while (is_running(m, target)) {
        uint8_t bytes[INSN_MAX_LENGTH];
        struct insn insn;
        struct decode_mode mode = {.code32 = cpu_code32(cpu), .features = cpu->features};
        uint32_t linear = cpu->segs[SEG_CS].base + cpu->eip;
        size_t got = mmu_debug_read(&cpu->mmu, linear, bytes, sizeof bytes);
        if (insn_decode(&mode, bytes, got, &insn) == DECODE_OK) {
            coverage->executed[insn.row][insn.is_memory]++;
            open |= step_flags(cpu, &insn, tainted) | stores_pointers(m, linear, &insn);
        }
        uint64_t before = cpu->instructions;
        struct ahead ahead;
        look_ahead(m, linear, &ahead);
        atomic_store(&cpu->kicked, 0);
        executor_run(m->ex, before + 1);
        if (has_changed(m, &ahead))
            *tainted = FLAGS_ARITH;
        if (cpu->instructions == before && cpu->activity == CPU_RUNNING &&
            !atomic_load(&cpu->kicked))
            break;
    }
    return open;
}

bool machine_walk(struct machine *m, const struct program *p, const struct image *image,
                  unsigned rounds, struct coverage *coverage, unsigned *left)
{
    struct cpu *cpu = m->cpu;
    bool open = false;
    unsigned tainted = 0;
    machine_load(m, p, image);
    for (unsigned round = 0; round < rounds; round++) {
        start_round(m, p, image);
        uint64_t start = cpu->instructions;
        tainted = 0;
        for (unsigned i = 0; p->counting && i < p->interrupts; i++) {
            open |= walk_to(m, start + (p->interrupt_at[i] & 0x7fff), coverage, &tainted);
            if (p->interrupt_at[i] & 0x8000)
                cpu_raise_nmi(cpu);
            else
                cpu_set_intr(cpu, true);
        }
        open |= walk_to(m, start + LIMIT, coverage, &tainted);
    }
    *left = tainted;
    return open;
}
