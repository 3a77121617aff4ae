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

// Registers move as FSTP of 80 bits writes them, 8 bytes and 2: a wider load would have to wait
// until both have left the store buffer.
ALWAYS_INLINE void fpu_copy_register(uint8_t *to, const uint8_t *from)
{
    uint64_t mantissa = load_le64(from);
    uint16_t exponent = load_le16(from + 8);
    store_le64(to, mantissa);
    store_le16(to + 8, exponent);
}

ALWAYS_INLINE void fpu_set_register(struct fpu_state *state, unsigned position, const void *value)
{
    fpu_copy_register(state->st[position].bytes, value);
}

// Where a primitive may put a result for st[position]: in place when nothing can be unmasked, else
// into `scratch`.
ALWAYS_INLINE uint8_t *fpu_result_place(struct fpu_state *state, unsigned position,
                                        uint8_t *scratch)
{
    bool all_masked = (state->control & FPU_EXCEPTIONS) == FPU_EXCEPTIONS;
    return LIKELY(all_masked) ? state->st[position].bytes : scratch;
}

ALWAYS_INLINE void fpu_take_result(struct fpu_state *state, unsigned position, const uint8_t *place)
{
    if (UNLIKELY(place != state->st[position].bytes))
        fpu_set_register(state, position, place);
}

ALWAYS_INLINE void fpu_set_top(struct fpu_state *state, unsigned top)
{
    state->status = (uint16_t)((state->status & ~FPU_TOP) | (top & 7) << 11);
}

ALWAYS_INLINE void fpu_pop(struct fpu_state *state)
{
    uint8_t first[10];
    state->tags &= (uint8_t)~fpu_tag_bit(state, 0);
    fpu_copy_register(first, state->st[0].bytes);
    for (unsigned i = 0; i < 7; i++)
        fpu_copy_register(state->st[i].bytes, state->st[i + 1].bytes);
    fpu_copy_register(state->st[7].bytes, first);
    fpu_set_top(state, fpu_top(state) + 1);
}

// Pushes onto an empty ST(7).
ALWAYS_INLINE void fpu_push(struct fpu_state *state, const void *value)
{
    for (unsigned i = 7; i > 0; i--)
        fpu_copy_register(state->st[i].bytes, state->st[i - 1].bytes);
    fpu_set_register(state, 0, value);
    fpu_set_top(state, fpu_top(state) + 7);
    state->tags |= (uint8_t)fpu_tag_bit(state, 0);
}

// Runs an instruction the exact way and takes the result.
void fpu_exact_register(struct cpu *cpu, const struct insn *insn, unsigned escape, unsigned modrm);
void fpu_exact_memory(struct cpu *cpu, const struct insn *insn, void *memory);

#endif
