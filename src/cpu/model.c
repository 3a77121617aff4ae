// SPDX-License-Identifier: MIT
// The CPU models: what CPUID reports and which features exist. No SMM, hyper-threading, debug store
// or thermal control. Intel SDM vol. 2, CPUID; AP-485.
#include "cpu/control.h"

#define FEATURE(f) (1u << FEATURE_##f)

#define EDX_PENTIUM                                                                                \
    (CPUID_FPU | CPUID_VME | CPUID_DE | CPUID_PSE | CPUID_TSC | CPUID_MSR | CPUID_MCE | CPUID_CX8)
#define EDX_PENTIUM3                                                                               \
    (EDX_PENTIUM | CPUID_PAE | CPUID_APIC | CPUID_SEP | CPUID_MTRR | CPUID_PGE | CPUID_MCA |       \
     CPUID_CMOV | CPUID_PAT | CPUID_PSE36 | CPUID_MMX | CPUID_FXSR | CPUID_SSE)
#define EDX_PENTIUM4 (EDX_PENTIUM3 | CPUID_CLFSH | CPUID_SSE2)

#define FEATURES_PENTIUM                                                                           \
    (FEATURE(FPU) | FEATURE(TSC) | FEATURE(MSR) | FEATURE(CX8) | FEATURE(PENTIUM))
#define FEATURES_PENTIUM3                                                                          \
    (FEATURES_PENTIUM | FEATURE(CMOV) | FEATURE(SEP) | FEATURE(MMX) | FEATURE(FXSR) |              \
     FEATURE(SSE) | FEATURE(RDPMC) | FEATURE(P6))
#define FEATURES_PENTIUM4 (FEATURES_PENTIUM3 | FEATURE(SSE2) | FEATURE(CLFLUSH))

#define CR4_486      (CR4_VME | CR4_PVI)
#define CR4_PENTIUM  (CR4_486 | CR4_TSD | CR4_DE | CR4_PSE | CR4_MCE)
#define CR4_PENTIUM3 (CR4_PENTIUM | CR4_PAE | CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT)

static const struct cpu_model_info models[] = {
    [CPU_MODEL_486] = {.name = "486",
                       .signature = 0x480, // Intel486 DX4
                       .edx = CPUID_FPU | CPUID_VME,
                       .cr4_mask = CR4_486,
                       .features = FEATURE(FPU)},
    [CPU_MODEL_PENTIUM] = {.name = "pentium",
                           .signature = 0x52c, // P54C
                           .edx = EDX_PENTIUM,
                           .cr4_mask = CR4_PENTIUM,
                           .features = FEATURES_PENTIUM},
    [CPU_MODEL_PENTIUM3] = {.name = "pentium3",
                            .signature = 0x68a, // Coppermine
                            .edx = EDX_PENTIUM3,
                            .leaf2 = {0x03020101, 0, 0, 0x0c040882},
                            .cr4_mask = CR4_PENTIUM3,
                            .features = FEATURES_PENTIUM3},
    [CPU_MODEL_PENTIUM4] = {.name = "pentium4",
                            .brand = "Intel(R) Pentium(R) 4 CPU 1.00GHz",
                            .signature = 0xf29, // Northwood
                            .edx = EDX_PENTIUM4,
                            .ext_edx = CPUID_EXT_NX,
                            .leaf2 = {0x665b5001, 0, 0, 0x007b7040},
                            .cr4_mask = CR4_PENTIUM3,
                            .features = FEATURES_PENTIUM4},
};

const struct cpu_model_info *cpu_model_info(enum cpu_model model)
{
    return &models[model];
}

bool cpu_model_parse(const char *name, enum cpu_model *model)
{
    for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
        if (strcmp(models[i].name, name) == 0) {
            *model = (enum cpu_model)i;
            return true;
        }
    }
    return false;
}

const char *cpu_model_name(enum cpu_model model)
{
    return models[model].name;
}

static void cpuid_leaf1(struct cpu *cpu, const struct cpu_model_info *info)
{
    uint32_t edx = info->edx;
    // An APIC that is absent or disabled in its base register is not reported.
    if (!cpu->board.read_apic_base ||
        !(cpu->board.read_apic_base(cpu->board.self) & UINT64_C(0x800)))
        edx &= ~CPUID_APIC;
    cpu->regs[REG_EAX] = info->signature;
    cpu->regs[REG_EBX] = (info->edx & CPUID_CLFSH) ? 8u << 8 : 0; // CLFLUSH line of 64 bytes
    cpu->regs[REG_ECX] = 0;
    cpu->regs[REG_EDX] = edx;
}

static void cpuid_extended(struct cpu *cpu, const struct cpu_model_info *info, uint32_t leaf)
{
    char brand[48] = {0};
    uint32_t *regs = cpu->regs;
    regs[REG_EAX] = regs[REG_EBX] = regs[REG_ECX] = regs[REG_EDX] = 0;
    switch (leaf) {
    case 0x80000000:
        regs[REG_EAX] = 0x80000004;
        break;
    case 0x80000001:
        regs[REG_EDX] = info->ext_edx;
        break;
    default:
        memcpy(brand, info->brand, strlen(info->brand));
        const char *part = brand + 16 * (leaf - 0x80000002);
        regs[REG_EAX] = load_le32(part);
        regs[REG_EBX] = load_le32(part + 4);
        regs[REG_ECX] = load_le32(part + 8);
        regs[REG_EDX] = load_le32(part + 12);
        break;
    }
}

void cpu_execute_cpuid(struct cpu *cpu)
{
    const struct cpu_model_info *info = cpu_model_info(cpu->model);
    uint32_t leaf = cpu->regs[REG_EAX];
    uint32_t highest = info->leaf2[0] ? 2 : 1;
    if (info->brand && leaf >= 0x80000000 && leaf <= 0x80000004) {
        cpuid_extended(cpu, info, leaf);
        return;
    }
    if (leaf > highest) // the highest basic leaf answers for leaves that do not exist
        leaf = highest;
    switch (leaf) {
    case 0:
        cpu->regs[REG_EAX] = highest;
        cpu->regs[REG_EBX] = 0x756e6547; // "Genu"
        cpu->regs[REG_EDX] = 0x49656e69; // "ineI"
        cpu->regs[REG_ECX] = 0x6c65746e; // "ntel"
        break;
    case 1:
        cpuid_leaf1(cpu, info);
        break;
    default:
        cpu->regs[REG_EAX] = info->leaf2[0];
        cpu->regs[REG_EBX] = info->leaf2[1];
        cpu->regs[REG_ECX] = info->leaf2[2];
        cpu->regs[REG_EDX] = info->leaf2[3];
        break;
    }
}
