// SPDX-License-Identifier: MIT
// Control, debug and model-specific registers, PUSHF and POPF, CLI and STI with their virtual
// forms, HLT, INVLPG, CPUID, RDTSC. Caches are not modelled: INVD and WBINVD do nothing. Intel SDM
// vol. 2; vol. 3, sections 20.2.7, 20.3, 20.4.
#include "cpu/control.h"
#include "cpu/debug.h"
#include "cpu/interp.h"

static void require_cpl0(struct cpu *cpu)
{
    if (cpu->cpl != 0)
        cpu_raise_error(cpu, EXC_GP, 0);
}

static unsigned iopl(const struct cpu *cpu)
{
    return cpu->eflags >> 12 & 3;
}

// Virtual-8086 mode with IOPL below 3: sensitive instructions trap, or work on VIF with CR4.VME.
static bool v86_is_sensitive(const struct cpu *cpu)
{
    return cpu_is_v86(cpu) && iopl(cpu) < 3;
}

void op_pushf(struct cpu *cpu, const struct insn *insn)
{
    uint32_t image = cpu_get_eflags(cpu) & ~(FLAG_VM | FLAG_RF);
    if (v86_is_sensitive(cpu)) {
        if (!(cpu->cr4 & CR4_VME) || insn->operand_size == 4)
            cpu_raise_error(cpu, EXC_GP, 0);
        image = (image & ~FLAG_IF) | FLAG_IOPL;
        image |= (cpu->eflags & FLAG_VIF) ? FLAG_IF : 0;
    }
    if (insn->operand_size == 4)
        stack_push(cpu, image, 4);
    else
        stack_push(cpu, image, 2);
}

static void popf_virtual(struct cpu *cpu, const struct insn *insn)
{
    if (!(cpu->cr4 & CR4_VME) || insn->operand_size == 4)
        cpu_raise_error(cpu, EXC_GP, 0);
    uint32_t image = stack_top(cpu, 2);
    bool wants_if = (image & FLAG_IF) != 0;
    if ((image & FLAG_TF) || (wants_if && (cpu->eflags & FLAG_VIP)))
        cpu_raise_error(cpu, EXC_GP, 0);
    cpu->regs[REG_ESP] = stack_moved(cpu, cpu->regs[REG_ESP], 2);
    uint32_t mask = FLAGS_ARITH | FLAG_DF | FLAG_NT | FLAG_TF | FLAG_VIF;
    image |= wants_if ? FLAG_VIF : 0;
    cpu_set_eflags(cpu, (cpu_get_eflags(cpu) & ~mask) | (image & mask));
}

void op_popf(struct cpu *cpu, const struct insn *insn)
{
    if (v86_is_sensitive(cpu)) {
        popf_virtual(cpu, insn);
        return;
    }
    unsigned size = insn->operand_size;
    uint32_t image = size == 4 ? stack_top(cpu, 4) : stack_top(cpu, 2);
    cpu->regs[REG_ESP] = stack_moved(cpu, cpu->regs[REG_ESP], size);
    uint32_t mask = FLAGS_ARITH | FLAG_DF | FLAG_NT | FLAG_TF;
    mask |= size == 4 ? FLAG_AC | FLAG_ID : 0;
    if (!cpu_is_protected(cpu) || cpu->cpl == 0)
        mask |= FLAG_IF | FLAG_IOPL;
    else if (cpu->cpl <= iopl(cpu))
        mask |= FLAG_IF;
    cpu_set_eflags(cpu, (cpu_get_eflags(cpu) & ~mask & ~FLAG_RF) | (image & mask));
}

// What CLI and STI change: IF, VIF (virtual-8086 extensions, protected-mode virtual interrupts), or
// neither: #GP(0).
static uint32_t interrupt_flag(struct cpu *cpu)
{
    if (!cpu_is_protected(cpu))
        return FLAG_IF;
    if (iopl(cpu) >= cpu->cpl)
        return FLAG_IF;
    if (cpu->cpl == 3 && (cpu->cr4 & (cpu_is_v86(cpu) ? CR4_VME : CR4_PVI)))
        return FLAG_VIF;
    cpu_raise_error(cpu, EXC_GP, 0);
}

void op_cli(struct cpu *cpu, const struct insn *insn)
{
    cpu->eflags &= ~interrupt_flag(cpu);
}

void op_sti(struct cpu *cpu, const struct insn *insn)
{
    uint32_t flag = interrupt_flag(cpu);
    if (flag == FLAG_VIF && (cpu->eflags & FLAG_VIP))
        cpu_raise_error(cpu, EXC_GP, 0);
    if (flag == FLAG_IF && !(cpu->eflags & FLAG_IF)) {
        cpu->interrupt_shadow = true;
        if (cpu->intr)
            cpu_kick(cpu);
    }
    cpu->eflags |= flag;
}

void op_hlt(struct cpu *cpu, const struct insn *insn)
{
    require_cpl0(cpu);
    cpu->activity = CPU_HALTED;
    cpu_kick(cpu);
}

void op_smsw(struct cpu *cpu, const struct insn *insn)
{
    if (insn->is_memory)
        operand_write(cpu, insn, cpu->cr0, 2, true);
    else
        reg_set(cpu, insn->rm, cpu->cr0, insn->operand_size);
}

// Sets PE, MP, EM, TS; cannot clear PE.
void op_lmsw(struct cpu *cpu, const struct insn *insn)
{
    require_cpl0(cpu);
    uint32_t value = operand_read(cpu, insn, 2, insn->is_memory);
    uint32_t kept = cpu->cr0 & ~(uint32_t)(CR0_MP | CR0_EM | CR0_TS);
    cpu_write_cr0(cpu, kept | (value & (CR0_PE | CR0_MP | CR0_EM | CR0_TS)));
}

void op_clts(struct cpu *cpu, const struct insn *insn)
{
    require_cpl0(cpu);
    cpu->cr0 &= ~CR0_TS;
    cpu_update_mode(cpu);
}

void op_invlpg(struct cpu *cpu, const struct insn *insn)
{
    require_cpl0(cpu);
    uint32_t linear = cpu->segs[insn->segment].base + insn_address(cpu, insn);
    mmu_flush_page(&cpu->mmu, linear);
}

void op_invd(struct cpu *cpu, const struct insn *insn)
{
    require_cpl0(cpu);
}

void op_mov_R_C(struct cpu *cpu, const struct insn *insn)
{
    uint32_t value = 0;
    switch (insn->reg) {
    case 0:
        value = cpu->cr0;
        break;
    case 2:
        value = cpu->cr2;
        break;
    case 3:
        value = cpu->cr3;
        break;
    case 4:
        value = cpu->cr4;
        break;
    default:
        cpu_raise(cpu, EXC_UD);
    }
    require_cpl0(cpu);
    cpu->regs[insn->rm & 7] = value;
}

void op_mov_C_R(struct cpu *cpu, const struct insn *insn)
{
    uint32_t value = cpu->regs[insn->rm & 7];
    if (insn->reg == 1 || insn->reg > 4)
        cpu_raise(cpu, EXC_UD);
    require_cpl0(cpu);
    switch (insn->reg) {
    case 0:
        cpu_write_cr0(cpu, value);
        break;
    case 2:
        cpu->cr2 = value;
        break;
    case 3:
        cpu_write_cr3(cpu, value);
        break;
    default:
        cpu_write_cr4(cpu, value);
        break;
    }
}

// DR4 and DR5 are undefined with CR4.DE at every privilege level.
static void require_debug_register(struct cpu *cpu, unsigned n)
{
    if ((n & 6) == 4 && (cpu->cr4 & CR4_DE))
        cpu_raise(cpu, EXC_UD);
    require_cpl0(cpu);
}

void op_mov_R_D(struct cpu *cpu, const struct insn *insn)
{
    require_debug_register(cpu, insn->reg & 7);
    cpu->regs[insn->rm & 7] = debug_read_register(cpu, insn->reg & 7);
}

void op_mov_D_R(struct cpu *cpu, const struct insn *insn)
{
    require_debug_register(cpu, insn->reg & 7);
    debug_write_register(cpu, insn->reg & 7, cpu->regs[insn->rm & 7]);
}

static void return_pair(struct cpu *cpu, uint64_t value)
{
    cpu->regs[REG_EAX] = (uint32_t)value;
    cpu->regs[REG_EDX] = (uint32_t)(value >> 32);
}

void op_rdmsr(struct cpu *cpu, const struct insn *insn)
{
    require_cpl0(cpu);
    return_pair(cpu, cpu_read_msr(cpu, cpu->regs[REG_ECX]));
}

void op_wrmsr(struct cpu *cpu, const struct insn *insn)
{
    require_cpl0(cpu);
    uint64_t value = (uint64_t)cpu->regs[REG_EDX] << 32 | cpu->regs[REG_EAX];
    cpu_write_msr(cpu, cpu->regs[REG_ECX], value);
}

void op_rdtsc(struct cpu *cpu, const struct insn *insn)
{
    if (cpu->cpl != 0 && (cpu->cr4 & CR4_TSD))
        cpu_raise_error(cpu, EXC_GP, 0);
    return_pair(cpu, cpu_read_tsc(cpu));
}

void op_rdpmc(struct cpu *cpu, const struct insn *insn)
{
    if (cpu->cpl != 0 && !(cpu->cr4 & CR4_PCE))
        cpu_raise_error(cpu, EXC_GP, 0);
    uint32_t n = cpu->regs[REG_ECX];
    bool is_pentium4 = cpu->model == CPU_MODEL_PENTIUM4;
    if (is_pentium4)
        n &= 0x7fffffff; // bit 31 asks for the fast, 32-bit read
    if (n >= (is_pentium4 ? 18u : 2u))
        cpu_raise_error(cpu, EXC_GP, 0);
    // The Pentium 4's counters cannot be programmed here: each counts retired instructions.
    return_pair(cpu, is_pentium4 ? cpu->instructions & UINT64_C(0xffffffffff)
                                 : msr_read_counter(cpu, n));
}

void op_cpuid(struct cpu *cpu, const struct insn *insn)
{
    cpu_execute_cpuid(cpu);
}
