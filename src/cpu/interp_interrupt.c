// SPDX-License-Identifier: MIT
// INT n, INT3, INTO, INT1, IRET, SYSENTER, SYSEXIT, RSM. Intel SDM vol. 3,
// sections 5.8.7, 6.12, 20.3.
#include "cpu/exception.h"
#include "cpu/flags.h"
#include "cpu/handlers.h"

#define TSS_IO_MAP_BASE 102u

static unsigned iopl(const struct cpu *cpu)
{
    return cpu->eflags >> 12 & 3;
}

// The interrupt redirection bitmap: 32 bytes below the I/O permission bitmap. True: the interrupt
// goes to the protected-mode handler.
static bool vme_goes_to_monitor(struct cpu *cpu, unsigned vector)
{
    if (!tss_is_32(&cpu->tr) || cpu->tr.limit < TSS_IO_MAP_BASE + 1)
        cpu_raise_error(cpu, EXC_GP, 0);
    uint32_t map = (uint32_t)mem_read_system(cpu, cpu->tr.base + TSS_IO_MAP_BASE, 2);
    uint32_t offset = map - 32 + vector / 8;
    if (offset > cpu->tr.limit) // also when the map base is below 32
        cpu_raise_error(cpu, EXC_GP, 0);
    return mem_read_system(cpu, cpu->tr.base + offset, 1) >> (vector & 7) & 1;
}

// INT n in virtual-8086 mode. Returns when it must go through the IDT.
static bool redirect_to_8086(struct cpu *cpu, unsigned vector)
{
    if (!(cpu->cr4 & CR4_VME) || vme_goes_to_monitor(cpu, vector)) {
        if (iopl(cpu) < 3)
            cpu_raise_error(cpu, EXC_GP, 0);
        return false;
    }
    uint32_t flags = cpu_get_eflags(cpu) & 0xffff;
    uint32_t cleared = FLAG_TF | FLAG_RF | FLAG_IF;
    if (iopl(cpu) < 3) {
        flags = (flags & ~FLAG_IF) | FLAG_IOPL;
        flags |= (cpu->eflags & FLAG_VIF) ? FLAG_IF : 0;
        cleared = FLAG_TF | FLAG_RF | FLAG_VIF;
    }
    exception_deliver_real(cpu, vector, 0, flags, cleared);
    cpu->step_trap = false; // as after every INT n: no single-step trap
    return true;
}

void op_int_Ib(struct cpu *cpu, const struct insn *insn)
{
    unsigned vector = insn->imm & 0xff;
    if (cpu_is_v86(cpu) && redirect_to_8086(cpu, vector))
        return;
    cpu_raise_software(cpu, (uint8_t)vector);
}

void op_int3(struct cpu *cpu, const struct insn *insn)
{
    cpu_raise_software(cpu, EXC_BP);
}

void op_into(struct cpu *cpu, const struct insn *insn)
{
    if (flags_of(cpu))
        cpu_raise_software(cpu, EXC_OF);
}

void op_int1(struct cpu *cpu, const struct insn *insn)
{
    cpu_raise_icebp(cpu);
}

static void set_eflags_masked(struct cpu *cpu, uint32_t image, uint32_t mask)
{
    cpu_set_eflags(cpu, (cpu_get_eflags(cpu) & ~mask) | (image & mask));
}

#define IRET_FLAGS16 (FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT)
#define IRET_FLAGS32 (IRET_FLAGS16 | FLAG_RF | FLAG_AC | FLAG_ID)

static void finish_iret(struct cpu *cpu, unsigned size)
{
    cpu->keep_rf = size == 4;
    cpu->nmi_blocked = false;
    if (cpu->nmi_pending)
        cpu_kick(cpu);
}

static void iret_real(struct cpu *cpu, unsigned size)
{
    struct stack_frame stack;
    frame_open(cpu, &stack);
    uint32_t eip = frame_pop(&stack, size);
    uint16_t selector = (uint16_t)frame_pop(&stack, size);
    uint32_t eflags = frame_pop(&stack, size);
    segment_check_eip(cpu, cpu->segs[SEG_CS].limit, eip);
    frame_commit_esp(&stack);
    segment_set_real(cpu, SEG_CS, selector, false);
    cpu->eip = eip;
    set_eflags_masked(cpu, eflags, (size == 4 ? IRET_FLAGS32 : IRET_FLAGS16) | FLAG_IF | FLAG_IOPL);
    finish_iret(cpu, size);
}

static void iret_in_v86(struct cpu *cpu, unsigned size)
{
    bool virtual_if = iopl(cpu) < 3;
    if (virtual_if && (!(cpu->cr4 & CR4_VME) || size == 4))
        cpu_raise_error(cpu, EXC_GP, 0);
    struct stack_frame stack;
    frame_open(cpu, &stack);
    uint32_t eip = frame_pop(&stack, size);
    uint16_t selector = (uint16_t)frame_pop(&stack, size);
    uint32_t eflags = frame_pop(&stack, size);
    segment_check_eip(cpu, cpu->segs[SEG_CS].limit, eip);
    uint32_t mask = (size == 4 ? IRET_FLAGS32 : IRET_FLAGS16) | FLAG_IF;
    if (virtual_if) {
        bool wants_if = (eflags & FLAG_IF) != 0;
        if ((eflags & FLAG_TF) || (wants_if && (cpu->eflags & FLAG_VIP)))
            cpu_raise_error(cpu, EXC_GP, 0);
        mask = (mask & ~FLAG_IF) | FLAG_VIF;
        eflags = (eflags & 0xffff) | (wants_if ? FLAG_VIF : 0);
    }
    frame_commit_esp(&stack);
    segment_set_real(cpu, SEG_CS, selector, true);
    cpu->eip = eip;
    set_eflags_masked(cpu, eflags, mask);
    finish_iret(cpu, size);
}

static void iret_to_v86(struct cpu *cpu, struct stack_frame *stack, uint32_t eip, uint16_t cs,
                        uint32_t eflags)
{
    uint32_t esp = frame_pop(stack, 4);
    uint16_t ss = (uint16_t)frame_pop(stack, 4);
    uint16_t es = (uint16_t)frame_pop(stack, 4);
    uint16_t ds = (uint16_t)frame_pop(stack, 4);
    uint16_t fs = (uint16_t)frame_pop(stack, 4);
    uint16_t gs = (uint16_t)frame_pop(stack, 4);
    segment_check_eip(cpu, 0xffff, eip);
    cpu->cpl = 3;
    set_eflags_masked(cpu, eflags,
                      IRET_FLAGS32 | FLAG_IF | FLAG_IOPL | FLAG_VM | FLAG_VIF | FLAG_VIP);
    segment_set_real(cpu, SEG_CS, cs, true);
    segment_set_real(cpu, SEG_SS, ss, true);
    segment_set_real(cpu, SEG_ES, es, true);
    segment_set_real(cpu, SEG_DS, ds, true);
    segment_set_real(cpu, SEG_FS, fs, true);
    segment_set_real(cpu, SEG_GS, gs, true);
    cpu->regs[REG_ESP] = esp;
    cpu->eip = eip;
    cpu_update_mode(cpu);
    finish_iret(cpu, 4);
}

static uint32_t iret_mask(const struct cpu *cpu, unsigned size)
{
    uint32_t mask = size == 4 ? IRET_FLAGS32 : IRET_FLAGS16;
    if (cpu->cpl <= iopl(cpu))
        mask |= FLAG_IF;
    if (cpu->cpl == 0)
        mask |= FLAG_IOPL | (size == 4 ? FLAG_VIF | FLAG_VIP : 0);
    return mask;
}

static void iret_protected(struct cpu *cpu, unsigned size)
{
    struct stack_frame stack;
    struct descriptor desc;
    frame_open(cpu, &stack);
    uint32_t eip = frame_pop(&stack, size);
    uint16_t selector = (uint16_t)frame_pop(&stack, size);
    uint32_t eflags = frame_pop(&stack, size);
    if (size == 4 && (eflags & FLAG_VM) && cpu->cpl == 0) {
        iret_to_v86(cpu, &stack, eip, selector, eflags);
        return;
    }
    return_check_code(cpu, selector, &desc);
    uint32_t mask = iret_mask(cpu, size);
    unsigned rpl = selector & 3u;
    if (rpl == cpu->cpl) {
        segment_check_eip(cpu, descriptor_limit(&desc), eip);
        descriptor_set_accessed(cpu, &desc);
        frame_commit_esp(&stack);
        segment_load_code(cpu, selector, &desc, rpl, eip);
        set_eflags_masked(cpu, eflags, mask);
    } else {
        uint32_t esp = frame_pop(&stack, size);
        uint16_t ss = (uint16_t)frame_pop(&stack, size);
        struct segment segment = segment_check_stack(cpu, ss, rpl, EXC_GP);
        segment_check_eip(cpu, descriptor_limit(&desc), eip);
        segment_mark_stack(cpu, &segment);
        descriptor_set_accessed(cpu, &desc);
        struct stack_frame outer;
        frame_open_new(cpu, &outer, &segment, esp, rpl == 3);
        segment_load_code(cpu, selector, &desc, rpl, eip);
        frame_commit(&outer);
        segment_drop_inner(cpu);
        set_eflags_masked(cpu, eflags, mask);
    }
    finish_iret(cpu, size);
}

void op_iret(struct cpu *cpu, const struct insn *insn)
{
    unsigned size = insn->operand_size;
    if (!cpu_is_protected(cpu))
        iret_real(cpu, size);
    else if (cpu_is_v86(cpu))
        iret_in_v86(cpu, size);
    else if (cpu->eflags & FLAG_NT) {
        task_return(cpu);
        finish_iret(cpu, 4);
    } else {
        iret_protected(cpu, size);
    }
}

// SYSENTER and SYSEXIT load flat 32-bit segments whatever the descriptors say.
static void load_flat(struct cpu *cpu, enum segment_index index, uint32_t selector, uint32_t type,
                      unsigned dpl)
{
    cpu->segs[index] =
        (struct segment){.limit = 0xffffffff,
                         .attributes = DESC_P | DESC_S | DESC_DB | DESC_G | DESC_ACCESSED |
                                       DESC_READ_WRITE | type | dpl << 13,
                         .selector = (uint16_t)((selector & 0xfffcu) | dpl)};
}

static void fast_transfer(struct cpu *cpu, uint32_t cs, unsigned cpl, uint32_t eip, uint32_t esp)
{
    load_flat(cpu, SEG_CS, cs, DESC_CODE, cpl);
    load_flat(cpu, SEG_SS, cs + 8, 0, cpl);
    cpu->cpl = (uint8_t)cpl;
    cpu->eip = eip;
    cpu->regs[REG_ESP] = esp;
    cpu_update_mode(cpu);
}

void op_sysenter(struct cpu *cpu, const struct insn *insn)
{
    if (!cpu_is_protected(cpu) || selector_is_null((uint16_t)cpu->sysenter_cs))
        cpu_raise_error(cpu, EXC_GP, 0);
    cpu->eflags &= ~(FLAG_VM | FLAG_IF | FLAG_RF);
    fast_transfer(cpu, cpu->sysenter_cs, 0, cpu->sysenter_eip, cpu->sysenter_esp);
}

void op_sysexit(struct cpu *cpu, const struct insn *insn)
{
    if (!cpu_is_protected(cpu) || cpu->cpl != 0 || selector_is_null((uint16_t)cpu->sysenter_cs))
        cpu_raise_error(cpu, EXC_GP, 0);
    fast_transfer(cpu, cpu->sysenter_cs + 16, 3, cpu->regs[REG_EDX], cpu->regs[REG_ECX]);
}

// There is no system-management mode to return from.
void op_rsm(struct cpu *cpu, const struct insn *insn)
{
    cpu_raise(cpu, EXC_UD);
}
