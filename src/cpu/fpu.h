// SPDX-License-Identifier: MIT
// x87 and SSE state on the host's own units: conversions of the FXSAVE image, checks before an
// instruction, and the primitives that run one instruction on the host FPU.
// C code runs with the host's default control words (FCW 037FH); the primitives restore them.
#ifndef EMU_CPU_FPU_H
#define EMU_CPU_FPU_H

#include "cpu/cpu.h"

enum {
    FPU_IE = 0x0001,
    FPU_DE = 0x0002,
    FPU_ZE = 0x0004,
    FPU_OE = 0x0008,
    FPU_UE = 0x0010,
    FPU_PE = 0x0020,
    FPU_EXCEPTIONS = 0x003f, // in the status word; the same bits mask them in the control word
    FPU_SF = 0x0040,
    FPU_ES = 0x0080,
    FPU_C0 = 0x0100,
    FPU_C1 = 0x0200,
    FPU_C2 = 0x0400,
    FPU_TOP = 0x3800,
    FPU_C3 = 0x4000,
    FPU_B = 0x8000,
};
#define FPU_CONDITIONS      (FPU_C0 | FPU_C1 | FPU_C2 | FPU_C3)
#define FPU_CONTROL_INIT    0x037fu
#define FPU_CONTROL_DEFINED 0x1f3fu // bit 6 reads as one, the others as zero
#define FPU_OPCODE_MASK     0x07ffu
#define MXCSR_INIT          0x1f80u
#define MXCSR_DAZ           0x0040u
#define MXCSR_MASK_SHIFT    7u
#define MXCSR_FTZ           0x8000u
#define MXCSR_MASK_SSE      0xffbfu // MXCSR_MASK of a processor without DAZ
#define MXCSR_MASK_DAZ      0xffffu

// What FXSAVE writes: with and without the SSE part.
#define FXSAVE_SIZE_X87 160u
#define FXSAVE_SIZE_SSE 288u
#define FXSAVE_AREA     512u

static inline unsigned fpu_top(const struct fpu_state *state)
{
    return state->status >> 11 & 7;
}

// The bit of a stack position in fpu_state.tags.
static inline unsigned fpu_tag_bit(const struct fpu_state *state, unsigned position)
{
    return 1u << ((fpu_top(state) + position) & 7);
}

static inline bool fpu_is_empty(const struct fpu_state *state, unsigned position)
{
    return !(state->tags & fpu_tag_bit(state, position));
}

// Power-on state (SDM vol. 3, table 9-1). mxcsr_mask: MXCSR_MASK_SSE, MXCSR_MASK_DAZ, or 0 on a
// processor without SSE.
void fpu_reset(struct fpu_state *state, uint32_t mxcsr_mask);
// FNINIT: registers keep their contents.
void fpu_init(struct fpu_state *state);

// Moves TOP by `delta` modulo 8; physical registers and their tags stay.
void fpu_rotate(struct fpu_state *state, unsigned delta);
// Takes a whole status word: TOP moves, ES and B follow from the flags and the control word.
void fpu_set_status(struct fpu_state *state, uint16_t status);
void fpu_set_control(struct fpu_state *state, uint16_t control);
// ES and B as flags and masks give them.
void fpu_update_summary(struct fpu_state *state);

// The full tag word of FNSTENV and FNSAVE: two bits a physical register, 0 valid, 1 zero, 2
// special, 3 empty; and back to the abridged form.
uint16_t fpu_tag_word(const struct fpu_state *state);
uint8_t fpu_abridge_tags(uint16_t tag_word);

// The whole x87 and SSE state into the host's units and back, for translated code. Saving keeps the
// instruction and operand pointers, the opcode and MXCSR_MASK of *state.
void fpu_load_host(const struct fpu_state *state);
void fpu_save_host(struct fpu_state *state);

// Image in memory <-> state. The image is FXSAVE_SIZE_SSE bytes.
void fpu_to_fxsave(const struct fpu_state *state, uint8_t *image);
void fpu_from_fxsave(struct fpu_state *state, const uint8_t *image, bool with_sse);

// Checks before an instruction. They raise #NM, #UD, #MF.
void fpu_raise_pending(struct cpu *cpu); // ES is set: #MF, or FERR# when CR0.NE is clear
void fpu_raise_unavailable(struct cpu *cpu);
void mmx_raise_unavailable(struct cpu *cpu);
void sse_raise_unavailable(struct cpu *cpu);
// After ES was cleared: FERR# goes away.
void fpu_lower_ferr(struct cpu *cpu);

// A non-waiting x87 instruction.
ALWAYS_INLINE void fpu_begin_no_wait(struct cpu *cpu)
{
    if (UNLIKELY(cpu->cr0 & (CR0_EM | CR0_TS)))
        fpu_raise_unavailable(cpu);
}

ALWAYS_INLINE void fpu_begin(struct cpu *cpu)
{
    fpu_begin_no_wait(cpu);
    if (UNLIKELY(cpu->fpu.status & FPU_ES))
        fpu_raise_pending(cpu);
}

ALWAYS_INLINE void mmx_begin(struct cpu *cpu)
{
    if (UNLIKELY(cpu->cr0 & (CR0_EM | CR0_TS)))
        mmx_raise_unavailable(cpu);
    if (UNLIKELY(cpu->fpu.status & FPU_ES))
        fpu_raise_pending(cpu);
}

ALWAYS_INLINE void sse_begin(struct cpu *cpu)
{
    if (UNLIKELY((cpu->cr0 & (CR0_EM | CR0_TS)) || !(cpu->cr4 & CR4_OSFXSR)))
        sse_raise_unavailable(cpu);
}

// MMX instructions see the physical registers, and make all of them valid.
ALWAYS_INLINE void mmx_enter(struct fpu_state *state)
{
    if (UNLIKELY(state->status & FPU_TOP))
        fpu_rotate(state, 8 - fpu_top(state));
    state->tags = 0xff;
}

// Memory operands of any size up to a page: segment check, then pieces of at most `unit` bytes (2,
// 4 or 8), which is also what they must be aligned to where alignment is checked (SDM vol. 3, table
// 6-7); a store that can fault changes nothing.
void fpu_read_block(struct cpu *cpu, const struct insn *insn, void *buffer, unsigned size,
                    unsigned unit);
void fpu_write_block(struct cpu *cpu, const struct insn *insn, const void *buffer, unsigned size,
                     unsigned unit);
// A store that an unmasked exception suppresses: memory is checked all the same.
void fpu_probe_block(struct cpu *cpu, const struct insn *insn, unsigned size, unsigned unit);
// The same by linear address, after the segment check.
void fpu_read_linear(struct cpu *cpu, uint32_t linear, void *buffer, unsigned size, unsigned unit);
void fpu_write_linear(struct cpu *cpu, uint32_t linear, const void *buffer, unsigned size,
                      unsigned unit);
void fpu_probe_linear(struct cpu *cpu, uint32_t linear, unsigned size);

// One x87 instruction as a host routine: an escape opcode (D8H to DFH) and a ModRM byte. Of the
// memory forms only ModRM.reg counts.
typedef void fpu_routine(void);
fpu_routine *fpu_routine_register(unsigned escape, unsigned modrm);
fpu_routine *fpu_routine_memory(unsigned escape, unsigned reg);

// Fast primitives between fpu_enter_* and fpu_leave_control: all exceptions masked, the status word
// returned. The caller has checked tags.
// Operands and results are 80-bit images; `memory` is the routine's own memory operand.
// ST(0) op ST(1), result in ST(0):
uint16_t fpu_host_binary(const void *st0, const void *st1, void *result, fpu_routine *routine);
uint16_t fpu_host_binary_memory(const void *st0, const void *memory, void *result,
                                fpu_routine *routine);
uint16_t fpu_host_unary(const void *st0, void *result, fpu_routine *routine);
uint16_t fpu_host_compare(const void *st0, const void *st1, fpu_routine *routine);
uint16_t fpu_host_compare_memory(const void *st0, const void *memory, fpu_routine *routine);
uint16_t fpu_host_load(const void *memory, void *result, fpu_routine *routine);
uint16_t fpu_host_store(const void *st0, void *memory, fpu_routine *routine);
uint16_t fpu_host_store_pop(const void *st0, void *memory, fpu_routine *routine);

// Before a fast primitive: the host's sticky flags stay when the guest has them too and masks them,
// because raising a clear flag, as nearly every operation does with #P, costs more than the rest.
ALWAYS_INLINE void fpu_enter_flags(const struct fpu_state *state)
{
    uint16_t status;
    __asm__ volatile("fnstsw %0" : "=a"(status));
    if (UNLIKELY(status & FPU_EXCEPTIONS & ~(state->status & state->control)))
        __asm__ volatile("fnclex");
}

// The same, with the rounding and precision of the guest; fpu_leave_control ends it.
ALWAYS_INLINE uint16_t fpu_enter_control(const struct fpu_state *state)
{
    uint16_t control = (state->control & 0x0f00u) | 0x7fu;
    fpu_enter_flags(state);
    if (UNLIKELY(control != FPU_CONTROL_INIT))
        __asm__ volatile("fldcw %0" : : "m"(control));
    return control;
}

ALWAYS_INLINE void fpu_leave_control(uint16_t control)
{
    static const uint16_t initial = FPU_CONTROL_INIT;
    if (UNLIKELY(control != FPU_CONTROL_INIT))
        __asm__ volatile("fldcw %0" : : "m"(initial));
}

// The exact way: the whole guest state on the host with the guest's masks, so that stack faults and
// unmasked exceptions are the hardware's own. *state is unchanged; *out is what fpu_accept takes.
// Returns the exceptions that this instruction raised. flags: arithmetic flags in and out.
uint16_t fpu_run_exact(const struct fpu_state *state, struct fpu_state *out, fpu_routine *routine,
                       void *memory, uint32_t *flags);
void fpu_accept(struct fpu_state *state, const struct fpu_state *out);

#endif
