// SPDX-License-Identifier: MIT
// Control registers and model-specific registers. What an absent feature would need raises #GP(0).
// Intel SDM vol. 3, section 2.5; vol. 4.
#include "cpu/control.h"

#define CR0_KNOWN                                                                                  \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD |     \
     CR0_PG)

enum {
    MSR_P5_MC_ADDR = 0x00,
    MSR_P5_MC_TYPE = 0x01,
    MSR_TSC = 0x10,
    MSR_PLATFORM_ID = 0x17,
    MSR_APIC_BASE = 0x1b,
    MSR_EBL_CR_POWERON = 0x2a,
    MSR_EBC_FREQUENCY_ID = 0x2c,
    MSR_BIOS_UPDT_TRIG = 0x79,
    MSR_BIOS_SIGN_ID = 0x8b,
    MSR_SYSENTER_CS = 0x174,
    MSR_SYSENTER_ESP = 0x175,
    MSR_SYSENTER_EIP = 0x176,
    MSR_MISC_ENABLE = 0x1a0,
    MSR_DEBUGCTL = 0x1d9,
    MSR_LBR_FIRST = 0x1db,
    MSR_LBR_LAST = 0x1de,
};
#define MSR_EFER 0xc0000080u

void cpu_write_cr0(struct cpu *cpu, uint32_t value)
{
    value = (value & CR0_KNOWN) | CR0_ET;
    bool bad = ((value & CR0_PG) && !(value & CR0_PE)) || ((value & CR0_NW) && !(value & CR0_CD));
    if (bad ||
        !mmu_set_control(&cpu->mmu, value, cpu->cr3, cpu->cr4, (cpu->efer & EFER_NXE) != 0, false))
        cpu_raise_error(cpu, EXC_GP, 0);
    cpu->cr0 = value;
    cpu_update_mode(cpu);
    cpu_kick(cpu);
}

void cpu_write_cr3(struct cpu *cpu, uint32_t value)
{
    if (!mmu_set_control(&cpu->mmu, cpu->cr0, value, cpu->cr4, (cpu->efer & EFER_NXE) != 0, true))
        cpu_raise_error(cpu, EXC_GP, 0);
    cpu->cr3 = value;
    struct qemu_page_dir_payload payload = {.cr3 = value};
    signal_emit(cpu->signals.page_dir_upd, &payload, cpu->host);
}

void cpu_write_cr4(struct cpu *cpu, uint32_t value)
{
    if ((value & ~cpu_model_info(cpu->model)->cr4_mask) ||
        !mmu_set_control(&cpu->mmu, cpu->cr0, cpu->cr3, value, (cpu->efer & EFER_NXE) != 0, false))
        cpu_raise_error(cpu, EXC_GP, 0);
    cpu->cr4 = value;
    cpu_update_mode(cpu);
    cpu_kick(cpu);
}

uint64_t cpu_read_tsc(const struct cpu *cpu)
{
    return (uint64_t)clock_now(cpu->clock) + (uint64_t)cpu->tsc_offset;
}

static bool is_p6(const struct cpu *cpu)
{
    return cpu_has_feature(cpu, FEATURE_P6);
}

static bool is_pentium4(const struct cpu *cpu)
{
    return cpu->model == CPU_MODEL_PENTIUM4;
}

static bool read_cpu_msr(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    switch (index) {
    case MSR_P5_MC_ADDR:
    case MSR_P5_MC_TYPE:
        return true;
    case MSR_TSC:
        *value = cpu_read_tsc(cpu);
        return true;
    case MSR_APIC_BASE:
        if (!is_p6(cpu) || !cpu->board.read_apic_base)
            return false;
        *value = cpu->board.read_apic_base(cpu->board.self);
        return true;
    case MSR_BIOS_SIGN_ID:
        *value = cpu->microcode_revision;
        return is_p6(cpu);
    case MSR_PLATFORM_ID:
    case MSR_EBL_CR_POWERON:
        return is_p6(cpu);
    case MSR_EBC_FREQUENCY_ID:
        *value = 0x0a000000; // 10 x 100 MHz
        return is_pentium4(cpu);
    case MSR_SYSENTER_CS:
        *value = cpu->sysenter_cs;
        return cpu_has_cpuid(cpu, CPUID_SEP);
    case MSR_SYSENTER_ESP:
        *value = cpu->sysenter_esp;
        return cpu_has_cpuid(cpu, CPUID_SEP);
    case MSR_SYSENTER_EIP:
        *value = cpu->sysenter_eip;
        return cpu_has_cpuid(cpu, CPUID_SEP);
    case MSR_MISC_ENABLE:
        *value = cpu->misc_enable;
        return is_pentium4(cpu);
    case MSR_DEBUGCTL:
        *value = cpu->debugctl;
        return is_p6(cpu);
    case MSR_EFER:
        *value = cpu->efer;
        return is_pentium4(cpu);
    default:
        return index >= MSR_LBR_FIRST && index <= MSR_LBR_LAST && is_p6(cpu);
    }
}

static bool write_efer(struct cpu *cpu, uint64_t value)
{
    if (!is_pentium4(cpu) || (value & ~(uint64_t)EFER_NXE))
        return false;
    if (!mmu_set_control(&cpu->mmu, cpu->cr0, cpu->cr3, cpu->cr4, (value & EFER_NXE) != 0, false))
        return false;
    cpu->efer = value;
    return true;
}

static bool write_cpu_msr(struct cpu *cpu, uint32_t index, uint64_t value)
{
    switch (index) {
    case MSR_P5_MC_ADDR:
    case MSR_P5_MC_TYPE:
        return true;
    case MSR_TSC: // the high half cannot be written before Pentium 4 model 3: it is cleared
        cpu->tsc_offset = (int64_t)((value & 0xffffffffu) - (uint64_t)clock_now(cpu->clock));
        return true;
    case MSR_APIC_BASE:
        return is_p6(cpu) && cpu->board.write_apic_base &&
               cpu->board.write_apic_base(cpu->board.self, value);
    case MSR_BIOS_SIGN_ID:
        // Software clears it; CPUID would load the revision of an update, and none is loaded.
        cpu->microcode_revision = value;
        return is_p6(cpu);
    case MSR_BIOS_UPDT_TRIG:
    case MSR_EBL_CR_POWERON:
        return is_p6(cpu);
    case MSR_SYSENTER_CS:
        cpu->sysenter_cs = (uint32_t)value;
        return cpu_has_cpuid(cpu, CPUID_SEP);
    case MSR_SYSENTER_ESP:
        cpu->sysenter_esp = (uint32_t)value;
        return cpu_has_cpuid(cpu, CPUID_SEP);
    case MSR_SYSENTER_EIP:
        cpu->sysenter_eip = (uint32_t)value;
        return cpu_has_cpuid(cpu, CPUID_SEP);
    case MSR_MISC_ENABLE:
        cpu->misc_enable = value;
        return is_pentium4(cpu);
    case MSR_DEBUGCTL:
        cpu->debugctl = value & 0x7f;
        return is_p6(cpu);
    case MSR_EFER:
        return write_efer(cpu, value);
    default:
        return false;
    }
}

uint64_t cpu_read_msr(struct cpu *cpu, uint32_t index)
{
    uint64_t value = 0;
    if (!read_cpu_msr(cpu, index, &value) && !msr_read_storage(cpu, index, &value)) {
        log_write(cpu->log, LOG_UNIMP, "RDMSR of unknown register %x at %08x\n", index,
                  cpu->insn_eip);
        cpu_raise_error(cpu, EXC_GP, 0);
    }
    return value;
}

void cpu_write_msr(struct cpu *cpu, uint32_t index, uint64_t value)
{
    if (!write_cpu_msr(cpu, index, value) && !msr_write_storage(cpu, index, value)) {
        log_write(cpu->log, LOG_UNIMP, "WRMSR of %llx to register %x refused at %08x\n",
                  (unsigned long long)value, index, cpu->insn_eip);
        cpu_raise_error(cpu, EXC_GP, 0);
    }
}
