// SPDX-License-Identifier: MIT
// One CPU: creation, reset, pins, EFLAGS, what is derived from the mode, snapshot fields.
// Intel SDM vol. 3, chapters 2 and 9.
#include "cpu/cpu.h"

#include <stdlib.h>

#include "cpu/control.h"
#include "cpu/debug.h"
#include "cpu/flags.h"
#include "cpu/fpu.h"
#include "cpu/segments.h"

#define EFLAGS_KNOWN                                                                               \
    (FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_RF | FLAG_VM |         \
     FLAG_AC | FLAG_VIF | FLAG_VIP | FLAG_ID)

static const struct state_field segment_fields[] = {
    STATE_FIELD(STATE_U32, struct segment, base),
    STATE_FIELD(STATE_U32, struct segment, limit),
    STATE_FIELD(STATE_U32, struct segment, attributes),
    STATE_FIELD(STATE_U16, struct segment, selector),
    STATE_FIELDS_END,
};

static const struct state_field table_fields[] = {
    STATE_FIELD(STATE_U32, struct descriptor_table, base),
    STATE_FIELD(STATE_U16, struct descriptor_table, limit),
    STATE_FIELDS_END,
};

static const struct state_field cpu_fields[] = {
    STATE_FIELD(STATE_U32, struct cpu, model),
    STATE_FIELD_N(STATE_U32, struct cpu, regs, 8),
    STATE_FIELD(STATE_U32, struct cpu, eip),
    STATE_FIELD(STATE_U32, struct cpu, eflags),
    STATE_FIELD(STATE_U32, struct cpu, flags_result),
    STATE_FIELD(STATE_U32, struct cpu, flags_aux),
    STATE_FIELD(STATE_U8, struct cpu, cpl),
    STATE_FIELD(STATE_BOOL, struct cpu, interrupt_shadow),
    STATE_FIELD(STATE_BOOL, struct cpu, debug_shadow),
    STATE_FIELD(STATE_U64, struct cpu, instructions),
    STATE_STRUCTS(struct cpu, segs, SEG_COUNT, sizeof(struct segment), segment_fields),
    STATE_STRUCTS(struct cpu, ldtr, 1, sizeof(struct segment), segment_fields),
    STATE_STRUCTS(struct cpu, tr, 1, sizeof(struct segment), segment_fields),
    STATE_STRUCTS(struct cpu, gdtr, 1, sizeof(struct descriptor_table), table_fields),
    STATE_STRUCTS(struct cpu, idtr, 1, sizeof(struct descriptor_table), table_fields),
    STATE_FIELD(STATE_U32, struct cpu, cr0),
    STATE_FIELD(STATE_U32, struct cpu, cr2),
    STATE_FIELD(STATE_U32, struct cpu, cr3),
    STATE_FIELD(STATE_U32, struct cpu, cr4),
    STATE_ARRAY(STATE_U64, struct cpu, mmu.pdpte),
    STATE_ARRAY(STATE_U32, struct cpu, dr),
    STATE_FIELD(STATE_U64, struct cpu, efer),
    STATE_FIELD(STATE_U32, struct cpu, sysenter_cs),
    STATE_FIELD(STATE_U32, struct cpu, sysenter_esp),
    STATE_FIELD(STATE_U32, struct cpu, sysenter_eip),
    STATE_FIELD(STATE_U64, struct cpu, tsc_offset),
    STATE_FIELD(STATE_U64, struct cpu, pat),
    STATE_FIELD(STATE_U64, struct cpu, mtrr_def_type),
    STATE_ARRAY(STATE_U64, struct cpu, mtrr_fixed),
    STATE_ARRAY(STATE_U64, struct cpu, mtrr_var),
    STATE_FIELD(STATE_U64, struct cpu, mcg_status),
    STATE_FIELD(STATE_U64, struct cpu, mcg_ctl),
    STATE_ARRAY(STATE_U64, struct cpu, mc_banks),
    STATE_FIELD(STATE_U64, struct cpu, misc_enable),
    STATE_FIELD(STATE_U64, struct cpu, debugctl),
    STATE_FIELD(STATE_U64, struct cpu, microcode_revision),
    STATE_ARRAY(STATE_U64, struct cpu, perf_select),
    STATE_ARRAY(STATE_U64, struct cpu, perf_counter),
    STATE_BYTES_OF(struct cpu, fpu),
    STATE_FIELD(STATE_U32, struct cpu, activity),
    STATE_FIELD(STATE_BOOL, struct cpu, intr),
    STATE_FIELD(STATE_BOOL, struct cpu, nmi_pending),
    STATE_FIELD(STATE_BOOL, struct cpu, nmi_blocked),
    STATE_FIELD(STATE_BOOL, struct cpu, keep_rf),
    STATE_FIELD(STATE_U32, struct cpu, pending_debug),
    STATE_FIELDS_END,
};

static uint32_t model_mxcsr_mask(const struct cpu *cpu)
{
    if (!cpu_has_feature(cpu, FEATURE_SSE))
        return 0;
    return cpu_has_feature(cpu, FEATURE_SSE2) ? MXCSR_MASK_DAZ : MXCSR_MASK_SSE;
}

// A snapshot is not trusted: what could lead the emulator astray is put right.
static bool cpu_after_load(void *object, struct error *err)
{
    struct cpu *cpu = object;
    if ((unsigned)cpu->model > CPU_MODEL_PENTIUM4 ||
        cpu_model_info(cpu->model)->features != cpu->features)
        return error_set(err, "the snapshot was made with another CPU model (-cpu)");
    if ((unsigned)cpu->activity > CPU_SHUTDOWN)
        return error_set(err, "the snapshot's CPU activity state is invalid");
    cpu->cpl &= 3;
    cpu->regs[REG_ZERO] = 0;
    cpu->eflags = (cpu->eflags & EFLAGS_KNOWN & ~FLAGS_ARITH) | FLAG_FIXED;
    if (cpu->eflags & FLAG_VM)
        cpu->cpl = 3;
    cpu->insn_eip = cpu->eip;
    cpu->step_trap = false;
    cpu->raised = (struct cpu_exception){0};
    cpu->fpu.mxcsr_mask = model_mxcsr_mask(cpu);
    cpu->fpu.mxcsr &= cpu->fpu.mxcsr_mask;
    // The PDPTEs are registers: memory may have changed since they were loaded.
    uint64_t pdpte[ARRAY_SIZE(cpu->mmu.pdpte)];
    memcpy(pdpte, cpu->mmu.pdpte, sizeof pdpte);
    bool nx = (cpu->efer & EFER_NXE) != 0;
    if (!mmu_set_control(&cpu->mmu, cpu->cr0, cpu->cr3, cpu->cr4, nx, true))
        return error_set(err, "the snapshot's page directory pointers are invalid");
    memcpy(cpu->mmu.pdpte, pdpte, sizeof pdpte);
    mmu_flush_all(&cpu->mmu);
    cpu_update_mode(cpu);
    cpu_kick(cpu);
    return true;
}

struct cpu *cpu_create(enum cpu_model model, struct physmem *mem, struct portio *ports,
                       struct clock *clock, struct log *log, const struct cpu_board *board,
                       struct state_registry *registry, struct error *err)
{
    struct cpu *cpu = xcalloc(1, sizeof *cpu);
    cpu->model = model;
    cpu->features = cpu_model_info(model)->features;
    cpu->mem = mem;
    cpu->ports = ports;
    cpu->clock = clock;
    cpu->log = log;
    if (board)
        cpu->board = *board;
    if (!mmu_init(&cpu->mmu, mem, log, err)) {
        free(cpu);
        return NULL;
    }
    cpu_reset(cpu);
    if (registry) {
        state_register(registry, &(struct state_section){.name = "cpu",
                                                         .version = 1,
                                                         .fields = cpu_fields,
                                                         .object = cpu,
                                                         .after_load = cpu_after_load});
    }
    return cpu;
}

void cpu_destroy(struct cpu *cpu)
{
    if (!cpu)
        return;
    mmu_destroy(&cpu->mmu);
    free(cpu);
}

static void reset_segments(struct cpu *cpu)
{
    for (unsigned i = 0; i < SEG_COUNT; i++)
        cpu->segs[i] = (struct segment){
            .limit = 0xffff, .attributes = DESC_P | DESC_S | DESC_READ_WRITE | DESC_ACCESSED};
    cpu->segs[SEG_CS].selector = 0xf000;
    cpu->segs[SEG_CS].base = 0xffff0000;
    cpu->ldtr = (struct segment){.limit = 0xffff, .attributes = DESC_P | DESC_LDT << 8};
    cpu->tr = (struct segment){.limit = 0xffff, .attributes = DESC_P | DESC_TSS32_BUSY << 8};
    cpu->gdtr = cpu->idtr = (struct descriptor_table){.limit = 0xffff};
}

static void reset_msrs(struct cpu *cpu)
{
    cpu->efer = 0;
    cpu->sysenter_cs = cpu->sysenter_esp = cpu->sysenter_eip = 0;
    cpu->tsc_offset = -clock_now(cpu->clock);
    cpu->pat = UINT64_C(0x0007040600070406);
    cpu->mtrr_def_type = 0;
    memset(cpu->mtrr_fixed, 0, sizeof cpu->mtrr_fixed);
    memset(cpu->mtrr_var, 0, sizeof cpu->mtrr_var);
    memset(cpu->mc_banks, 0, sizeof cpu->mc_banks);
    memset(cpu->perf_select, 0, sizeof cpu->perf_select);
    memset(cpu->perf_counter, 0, sizeof cpu->perf_counter);
    cpu->mcg_status = 0;
    cpu->mcg_ctl = 0;
    cpu->misc_enable = 1; // fast strings
    cpu->debugctl = 0;
    cpu->microcode_revision = 0;
}

void cpu_reset(struct cpu *cpu)
{
    memset(cpu->regs, 0, sizeof cpu->regs);
    cpu->regs[REG_EDX] = cpu_model_info(cpu->model)->signature;
    cpu->eip = cpu->insn_eip = 0xfff0;
    cpu->eflags = FLAG_FIXED;
    flags_set(cpu, 0);
    cpu->cpl = 0;
    cpu->cr0 = CR0_ET | CR0_NW | CR0_CD;
    cpu->cr2 = cpu->cr3 = cpu->cr4 = 0;
    memset(cpu->dr, 0, sizeof cpu->dr);
    cpu->dr[6] = DR6_FIXED;
    cpu->dr[7] = DR7_FIXED;
    reset_segments(cpu);
    reset_msrs(cpu);
    fpu_reset(&cpu->fpu, model_mxcsr_mask(cpu));
    cpu->activity = CPU_RUNNING;
    cpu->intr = cpu->nmi_pending = cpu->nmi_blocked = false;
    cpu->interrupt_shadow = cpu->debug_shadow = cpu->step_trap = cpu->keep_rf = false;
    cpu->pending_debug = 0;
    cpu->raised = (struct cpu_exception){0};
    cpu->delivering = -1;
    cpu->ext = false;
    // Without paging nothing can be refused.
    mmu_set_control(&cpu->mmu, cpu->cr0, cpu->cr3, cpu->cr4, false, true);
    mmu_flush_all(&cpu->mmu);
    cpu_update_mode(cpu);
    cpu_kick(cpu);
    log_write(cpu->log, LOG_RESET, "CPU reset (%s)\n", cpu_model_name(cpu->model));
}

void cpu_set_intr(struct cpu *cpu, bool level)
{
    cpu->intr = level;
    if (level)
        cpu_kick(cpu);
}

void cpu_raise_nmi(struct cpu *cpu)
{
    cpu->nmi_pending = true;
    cpu_kick(cpu);
}

// Whether every data access must take the slow path: somebody watches, or alignment is checked.
static bool must_trace(const struct cpu *cpu)
{
    bool alignment = (cpu->cr0 & CR0_AM) && (cpu->eflags & FLAG_AC);
    return cpu->mem_hooked || alignment || (cpu->debug_armed && debug_watches_data(cpu));
}

void cpu_update_mode(struct cpu *cpu)
{
    cpu->is_user = cpu->cpl == 3;
    cpu->debug_armed = (cpu->dr[7] & 0xff) != 0;
    bool trace = must_trace(cpu);
    if (trace != cpu->mmu.trace_all) {
        cpu->mmu.trace_all = trace;
        mmu_flush_all(&cpu->mmu);
    }
    segment_update_all(cpu);
}

uint32_t cpu_get_eflags(const struct cpu *cpu)
{
    return (cpu->eflags & ~FLAGS_ARITH) | flags_get(cpu) | FLAG_FIXED;
}

void cpu_set_eflags(struct cpu *cpu, uint32_t eflags)
{
    uint32_t old = cpu->eflags;
    cpu->eflags = (eflags & EFLAGS_KNOWN & ~FLAGS_ARITH) | FLAG_FIXED;
    flags_set(cpu, eflags);
    if ((old ^ cpu->eflags) & (FLAG_VM | FLAG_TF | FLAG_AC))
        cpu_update_mode(cpu);
    if (cpu->intr && (cpu->eflags & FLAG_IF))
        cpu_kick(cpu);
}
