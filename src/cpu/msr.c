// SPDX-License-Identifier: MIT
// Model-specific registers that are storage: MTRRs and PAT (memory types have no effect here),
// machine-check banks (nothing ever reports an error), performance counters (they count retired
// instructions whatever event is chosen). Intel SDM vol. 3, sections 11.11, 11.12, 15.3, 18.6;
// vol. 4.
#include "cpu/control.h"

enum {
    MSR_P5_CESR = 0x11,
    MSR_P5_CTR0 = 0x12,
    MSR_PERFCTR0 = 0xc1,
    MSR_MTRRCAP = 0xfe,
    MSR_MCG_CAP = 0x179,
    MSR_MCG_STATUS = 0x17a,
    MSR_MCG_CTL = 0x17b,
    MSR_PERFEVTSEL0 = 0x186,
    MSR_MTRR_VAR = 0x200,
    MSR_MTRR_FIX64K = 0x250,
    MSR_MTRR_FIX16K = 0x258,
    MSR_MTRR_FIX4K = 0x268,
    MSR_PAT = 0x277,
    MSR_MTRR_DEF_TYPE = 0x2ff,
    MSR_MC0_CTL = 0x400,
};

#define MTRRCAP_VALUE    0x508u // 8 variable ranges, fixed ranges, write-combining
#define MCG_CAP_VALUE    0x105u // 5 banks, MCG_CTL present
#define PHYS_MASK        UINT64_C(0xfffffffff)
#define PERF_COUNTER     UINT64_C(0xffffffffff) // 40 bits
#define PERF_EVENT_ON    UINT64_C(0x400000)
#define PERF_EVENT_RINGS UINT64_C(0x030000)

static uint64_t *fixed_mtrr(struct cpu *cpu, uint32_t index)
{
    if (index == MSR_MTRR_FIX64K)
        return &cpu->mtrr_fixed[0];
    if (index == MSR_MTRR_FIX16K || index == MSR_MTRR_FIX16K + 1)
        return &cpu->mtrr_fixed[1 + index - MSR_MTRR_FIX16K];
    if (index >= MSR_MTRR_FIX4K && index < MSR_MTRR_FIX4K + 8)
        return &cpu->mtrr_fixed[3 + index - MSR_MTRR_FIX4K];
    return NULL;
}

static bool memory_type_is_valid(unsigned type, bool pat)
{
    return type == 0 || type == 1 || (type >= 4 && type <= 6) || (pat && type == 7);
}

static bool memory_types_are_valid(uint64_t value, bool pat)
{
    for (unsigned i = 0; i < 8; i++) {
        if (!memory_type_is_valid(value >> (8 * i) & 0xff, pat))
            return false;
    }
    return true;
}

static bool mtrr_read(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    if (index == MSR_PAT) {
        *value = cpu->pat;
        return cpu_has_cpuid(cpu, CPUID_PAT);
    }
    if (!cpu_has_cpuid(cpu, CPUID_MTRR))
        return false;
    const uint64_t *fixed = fixed_mtrr(cpu, index);
    if (fixed)
        *value = *fixed;
    else if (index >= MSR_MTRR_VAR && index < MSR_MTRR_VAR + 16)
        *value = cpu->mtrr_var[index - MSR_MTRR_VAR];
    else if (index == MSR_MTRR_DEF_TYPE)
        *value = cpu->mtrr_def_type;
    else if (index == MSR_MTRRCAP)
        *value = MTRRCAP_VALUE;
    else
        return false;
    return true;
}

static bool mtrr_write(struct cpu *cpu, uint32_t index, uint64_t value)
{
    if (index == MSR_PAT) {
        if (!cpu_has_cpuid(cpu, CPUID_PAT) || !memory_types_are_valid(value, true))
            return false;
        cpu->pat = value;
        return true;
    }
    if (!cpu_has_cpuid(cpu, CPUID_MTRR))
        return false;
    uint64_t *fixed = fixed_mtrr(cpu, index);
    if (fixed) {
        if (!memory_types_are_valid(value, false))
            return false;
        *fixed = value;
    } else if (index >= MSR_MTRR_VAR && index < MSR_MTRR_VAR + 16) {
        uint64_t allowed = PHYS_MASK & ~UINT64_C(0xfff);
        allowed |= (index & 1) ? 0x800 : 0xff;
        if ((value & ~allowed) || (!(index & 1) && !memory_type_is_valid(value & 0xff, false)))
            return false;
        cpu->mtrr_var[index - MSR_MTRR_VAR] = value;
    } else if (index == MSR_MTRR_DEF_TYPE) {
        if ((value & ~UINT64_C(0xcff)) || !memory_type_is_valid(value & 0xff, false))
            return false;
        cpu->mtrr_def_type = value;
    } else {
        return false;
    }
    return true;
}

static bool machine_check_read(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    if (!cpu_has_cpuid(cpu, CPUID_MCA))
        return false;
    if (index == MSR_MCG_CAP)
        *value = MCG_CAP_VALUE;
    else if (index == MSR_MCG_STATUS)
        *value = cpu->mcg_status;
    else if (index == MSR_MCG_CTL)
        *value = cpu->mcg_ctl;
    else if (index >= MSR_MC0_CTL && index < MSR_MC0_CTL + ARRAY_SIZE(cpu->mc_banks))
        *value = cpu->mc_banks[index - MSR_MC0_CTL];
    else
        return false;
    return true;
}

static bool machine_check_write(struct cpu *cpu, uint32_t index, uint64_t value)
{
    if (!cpu_has_cpuid(cpu, CPUID_MCA))
        return false;
    if (index == MSR_MCG_STATUS)
        cpu->mcg_status = value & 7;
    else if (index == MSR_MCG_CTL)
        cpu->mcg_ctl = value;
    else if (index >= MSR_MC0_CTL && index < MSR_MC0_CTL + ARRAY_SIZE(cpu->mc_banks)) {
        // Status, address and misc registers take zero only.
        if ((index & 3) != 0 && value != 0)
            return false;
        cpu->mc_banks[index - MSR_MC0_CTL] = value;
    } else {
        return false;
    }
    return true;
}

// The P6 enables both counters by the bit in PERFEVTSEL0.
static uint64_t perf_counted(const struct cpu *cpu, unsigned n)
{
    bool on = (cpu->perf_select[0] & PERF_EVENT_ON) && (cpu->perf_select[n] & PERF_EVENT_RINGS);
    return on ? cpu->instructions : 0;
}

uint64_t msr_read_counter(const struct cpu *cpu, unsigned n)
{
    return (cpu->perf_counter[n] + perf_counted(cpu, n)) & PERF_COUNTER;
}

static void perf_write_counter(struct cpu *cpu, unsigned n, uint64_t value)
{
    cpu->perf_counter[n] = value - perf_counted(cpu, n);
}

static void perf_write_select(struct cpu *cpu, unsigned n, uint64_t value)
{
    uint64_t counters[2] = {msr_read_counter(cpu, 0), msr_read_counter(cpu, 1)};
    cpu->perf_select[n] = value;
    perf_write_counter(cpu, 0, counters[0]);
    perf_write_counter(cpu, 1, counters[1]);
}

// Numbers of the counter registers; a counter that a model has not is MSR_NONE.
#define MSR_NONE 0xffffffffu

static uint32_t perf_base(const struct cpu *cpu)
{
    if (cpu->model == CPU_MODEL_PENTIUM3)
        return MSR_PERFCTR0;
    return cpu->model == CPU_MODEL_PENTIUM ? MSR_P5_CTR0 : MSR_NONE;
}

static uint32_t perf_select_base(const struct cpu *cpu)
{
    if (cpu->model == CPU_MODEL_PENTIUM3)
        return MSR_PERFEVTSEL0;
    return cpu->model == CPU_MODEL_PENTIUM ? MSR_P5_CESR : MSR_NONE;
}

static unsigned perf_selects(const struct cpu *cpu)
{
    return cpu->model == CPU_MODEL_PENTIUM ? 1 : 2;
}

bool msr_read_storage(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    if (index - perf_base(cpu) < 2) {
        *value = msr_read_counter(cpu, index - perf_base(cpu));
        return true;
    }
    if (index - perf_select_base(cpu) < perf_selects(cpu)) {
        *value = cpu->perf_select[index - perf_select_base(cpu)];
        return true;
    }
    return mtrr_read(cpu, index, value) || machine_check_read(cpu, index, value);
}

bool msr_write_storage(struct cpu *cpu, uint32_t index, uint64_t value)
{
    if (index - perf_base(cpu) < 2) {
        // The P6 writes the low half and sign-extends it.
        perf_write_counter(cpu, index - perf_base(cpu), (uint64_t)(int64_t)(int32_t)value);
        return true;
    }
    if (index - perf_select_base(cpu) < perf_selects(cpu)) {
        perf_write_select(cpu, index - perf_select_base(cpu), value & 0xffffffffu);
        return true;
    }
    return mtrr_write(cpu, index, value) || machine_check_write(cpu, index, value);
}
