// SPDX-License-Identifier: MIT
// Control registers, model-specific registers and the CPU models. Intel SDM vol. 3, section 2.5;
// vol. 4.
#ifndef EMU_CPU_CONTROL_H
#define EMU_CPU_CONTROL_H

#include "cpu/cpu.h"

// Feature bits of CPUID leaf 1 EDX.
#define CPUID_FPU   (1u << 0)
#define CPUID_VME   (1u << 1)
#define CPUID_DE    (1u << 2)
#define CPUID_PSE   (1u << 3)
#define CPUID_TSC   (1u << 4)
#define CPUID_MSR   (1u << 5)
#define CPUID_PAE   (1u << 6)
#define CPUID_MCE   (1u << 7)
#define CPUID_CX8   (1u << 8)
#define CPUID_APIC  (1u << 9)
#define CPUID_SEP   (1u << 11)
#define CPUID_MTRR  (1u << 12)
#define CPUID_PGE   (1u << 13)
#define CPUID_MCA   (1u << 14)
#define CPUID_CMOV  (1u << 15)
#define CPUID_PAT   (1u << 16)
#define CPUID_PSE36 (1u << 17)
#define CPUID_CLFSH (1u << 19)
#define CPUID_MMX   (1u << 23)
#define CPUID_FXSR  (1u << 24)
#define CPUID_SSE   (1u << 25)
#define CPUID_SSE2  (1u << 26)
// Leaf 8000_0001h EDX.
#define CPUID_EXT_NX (1u << 20)

struct cpu_model_info {
    const char *name;
    const char *brand; // NULL: no extended leaves
    uint32_t signature;
    uint32_t edx, ext_edx;
    uint32_t leaf2[4]; // all 0: no leaf 2
    uint32_t cr4_mask;
    uint32_t features; // bit FEATURE_*
};

const struct cpu_model_info *cpu_model_info(enum cpu_model model);

static inline bool cpu_has_cpuid(const struct cpu *cpu, uint32_t edx_bit)
{
    return (cpu_model_info(cpu->model)->edx & edx_bit) != 0;
}

void cpu_execute_cpuid(struct cpu *cpu);

// The virtual frequency of the time-stamp counter: one tick a nanosecond of virtual time.
#define CPU_TSC_HZ UINT64_C(1000000000)
uint64_t cpu_read_tsc(const struct cpu *cpu);

// Each raises #GP(0) for what the model does not allow.
void cpu_write_cr0(struct cpu *cpu, uint32_t value);
void cpu_write_cr3(struct cpu *cpu, uint32_t value);
void cpu_write_cr4(struct cpu *cpu, uint32_t value);
uint64_t cpu_read_msr(struct cpu *cpu, uint32_t index);
void cpu_write_msr(struct cpu *cpu, uint32_t index, uint64_t value);

// MTRRs, PAT, machine-check and performance registers: storage. False: no such register, or (write)
// a value that raises #GP(0).
bool msr_read_storage(struct cpu *cpu, uint32_t index, uint64_t *value);
bool msr_write_storage(struct cpu *cpu, uint32_t index, uint64_t value);

// RDPMC.
uint64_t msr_read_counter(const struct cpu *cpu, unsigned n);

#endif
