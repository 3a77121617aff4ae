// SPDX-License-Identifier: MIT
// What the x87 handlers share: the result of a fast primitive, the exact way, the instruction
// pointers.
#ifndef EMU_CPU_FPU_EXEC_H
#define EMU_CPU_FPU_EXEC_H

#include "cpu/fpu.h"
#include "cpu/handlers.h"
#include "cpu/mem.h"

// Notes the last x87 instruction that is not a control instruction: FIP, FDP, FOP. Every one is
// noted, as processors up to the Pentium III do.
ALWAYS_INLINE void fpu_note(struct cpu *cpu, const struct insn *insn)
{
    struct fpu_state *state = &cpu->fpu;
    state->ip = cpu->insn_eip;
    state->ip_selector = cpu->segs[SEG_CS].selector;
    state->opcode = (uint16_t)((opcode_rows[insn->row].opcode & 7) << 8 | insn->modrm);
    if (insn->is_memory) {
        state->dp = insn_address(cpu, insn);
        state->dp_selector = cpu->segs[insn->segment].selector;
    }
}

// True when the fast primitives give what the hardware would: with #U unmasked even an exact tiny
// result must be seen.
ALWAYS_INLINE bool fpu_is_plain(const struct fpu_state *state)
{
    return LIKELY(state->control & FPU_UE);
}

// Takes a fast primitive's status word: false, and nothing changed, when it raised an exception
// that is not masked. `conditions`: the condition codes that the instruction defines.
ALWAYS_INLINE bool fpu_take_status(struct fpu_state *state, unsigned status, unsigned conditions)
{
    if (UNLIKELY(status & ~state->control & FPU_EXCEPTIONS))
        return false;
    state->status =
        (uint16_t)((state->status & ~conditions) | (status & (FPU_EXCEPTIONS | conditions)));
    return true;
}

ALWAYS_INLINE void fpu_set_register(struct fpu_state *state, unsigned position, const void *value)
{
    memcpy(state->st[position].bytes, value, 10);
}

ALWAYS_INLINE void fpu_pop(struct fpu_state *state)
{
    state->tags &= (uint8_t)~fpu_tag_bit(state, 0);
    fpu_rotate(state, 1);
}

// Pushes onto an empty ST(7).
ALWAYS_INLINE void fpu_push(struct fpu_state *state, const void *value)
{
    fpu_rotate(state, 7);
    state->tags |= (uint8_t)fpu_tag_bit(state, 0);
    fpu_set_register(state, 0, value);
}

// Runs an instruction the exact way and takes the result.
void fpu_exact_register(struct cpu *cpu, const struct insn *insn, unsigned escape, unsigned modrm);
void fpu_exact_memory(struct cpu *cpu, const struct insn *insn, void *memory);

#endif
