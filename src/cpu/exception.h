// SPDX-License-Identifier: MIT
// Parts of exception delivery that other files of this folder share.
#ifndef EMU_CPU_EXCEPTION_H
#define EMU_CPU_EXCEPTION_H

#include "cpu/segments.h"

// Reads SS:ESP of an inner privilege level from the current TSS; #TS(TR) when it lies outside.
void exception_inner_stack(struct cpu *cpu, unsigned dpl, uint16_t *ss, uint32_t *esp);

// Interrupt through the table of 4-byte vectors at `base`, as real-address mode takes it and
// virtual-8086 mode by VME redirection. `flags` is the image to push.
void exception_deliver_real(struct cpu *cpu, unsigned vector, uint32_t base, uint32_t flags,
                            uint32_t flags_cleared);

// INT1 (ICEBP): a #DB trap that no gate's DPL guards and that leaves DR6 alone.
_Noreturn void cpu_raise_icebp(struct cpu *cpu);

// Where a task switch comes from.
enum task_source { TASK_JUMP, TASK_CALL, TASK_INT, TASK_IRET };

// Switches to the task of an available TSS (TASK_IRET: a busy one): the descriptor's type and
// presence are checked. cpu->eip is what the old task resumes at, eflags the image it resumes with.
// After TASK_INT the caller checks EIP against the limit of CS.
void task_switch(struct cpu *cpu, uint16_t selector, struct descriptor *desc,
                 enum task_source source, uint32_t eflags);

// Fetches the TSS that a task gate, JMP or CALL names, checks that it is in the GDT, available and
// present: #GP(selector) or #NP(selector).
void task_require_available(struct cpu *cpu, uint16_t selector, struct descriptor *desc);

// IRET with NT set.
void task_return(struct cpu *cpu);

// CS of a far return or IRET: #GP(selector), #NP(selector).
void return_check_code(struct cpu *cpu, uint16_t selector, struct descriptor *desc);

static inline bool tss_is_32(const struct segment *tr)
{
    return (tr->attributes >> 8 & 8) != 0;
}

#endif
