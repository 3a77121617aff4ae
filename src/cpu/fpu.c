// SPDX-License-Identifier: MIT
// The x87 and SSE state apart from arithmetic: reset, stack rotation, tag words, the FXSAVE image,
// checks before an instruction, error reporting, block accesses to guest memory.
// Intel SDM vol. 1, chapter 8 and section 10.5; vol. 3, sections 9.2 (x87), 13.
#include "cpu/fpu.h"

#include "cpu/mem.h"

void fpu_reset(struct fpu_state *state, uint32_t mxcsr_mask)
{
    memset(state, 0, sizeof *state);
    state->control = 0x0040;
    state->tags = 0xff; // all zero, none empty
    state->mxcsr = MXCSR_INIT;
    state->mxcsr_mask = mxcsr_mask;
}

void fpu_init(struct fpu_state *state)
{
    fpu_rotate(state, 8 - fpu_top(state));
    state->control = FPU_CONTROL_INIT;
    state->status = 0;
    state->tags = 0;
    state->opcode = 0;
    state->ip = state->ip_selector = 0;
    state->dp = state->dp_selector = 0;
}

void fpu_rotate(struct fpu_state *state, unsigned delta)
{
    struct fpu_register old[8];
    memcpy(old, state->st, sizeof old);
    for (unsigned i = 0; i < 8; i++)
        state->st[i] = old[(i + delta) & 7];
    unsigned top = (fpu_top(state) + delta) & 7;
    state->status = (uint16_t)((state->status & ~FPU_TOP) | top << 11);
}

void fpu_update_summary(struct fpu_state *state)
{
    state->status &= (uint16_t) ~(FPU_ES | FPU_B);
    if (state->status & ~state->control & FPU_EXCEPTIONS)
        state->status |= FPU_ES | FPU_B;
}

void fpu_set_status(struct fpu_state *state, uint16_t status)
{
    fpu_rotate(state, (status >> 11 & 7) + 8 - fpu_top(state));
    state->status = status;
    fpu_update_summary(state);
}

void fpu_set_control(struct fpu_state *state, uint16_t control)
{
    state->control = (control & FPU_CONTROL_DEFINED) | 0x0040u;
    fpu_update_summary(state);
}

static unsigned register_class(const struct fpu_register *reg)
{
    uint16_t exponent = load_le16(reg->bytes + 8) & 0x7fff;
    uint64_t mantissa = load_le64(reg->bytes);
    if (exponent == 0 && mantissa == 0)
        return 1;
    return exponent == 0 || exponent == 0x7fff || !(mantissa >> 63) ? 2 : 0;
}

uint16_t fpu_tag_word(const struct fpu_state *state)
{
    unsigned word = 0;
    unsigned top = fpu_top(state);
    for (unsigned i = 0; i < 8; i++) { // physical registers
        unsigned tag = state->tags >> i & 1 ? register_class(&state->st[(i + 8 - top) & 7]) : 3;
        word |= tag << (2 * i);
    }
    return (uint16_t)word;
}

uint8_t fpu_abridge_tags(uint16_t tag_word)
{
    unsigned tags = 0;
    for (unsigned i = 0; i < 8; i++)
        tags |= (unsigned)((tag_word >> (2 * i) & 3) != 3) << i;
    return (uint8_t)tags;
}

void fpu_to_fxsave(const struct fpu_state *state, uint8_t *image)
{
    memcpy(image, state, FXSAVE_SIZE_SSE);
    for (unsigned i = 0; i < 8; i++)
        memset(image + offsetof(struct fpu_state, st[i]) + 10, 0, 6);
}

void fpu_from_fxsave(struct fpu_state *state, const uint8_t *image, bool with_sse)
{
    struct fpu_state in;
    memset(&in, 0, sizeof in);
    memcpy(&in, image, FXSAVE_SIZE_SSE);
    state->status = in.status;
    state->tags = in.tags;
    state->opcode = in.opcode & FPU_OPCODE_MASK;
    state->ip = in.ip;
    state->ip_selector = in.ip_selector & 0xffff;
    state->dp = in.dp;
    state->dp_selector = in.dp_selector & 0xffff;
    for (unsigned i = 0; i < 8; i++)
        memcpy(state->st[i].bytes, in.st[i].bytes, sizeof in.st[i].bytes);
    fpu_set_control(state, in.control);
    if (with_sse) {
        state->mxcsr = in.mxcsr & state->mxcsr_mask;
        memcpy(state->xmm, in.xmm, sizeof state->xmm);
    }
}

void fpu_raise_unavailable(struct cpu *cpu)
{
    cpu_raise(cpu, EXC_NM);
}

void mmx_raise_unavailable(struct cpu *cpu)
{
    cpu_raise(cpu, cpu->cr0 & CR0_EM ? EXC_UD : EXC_NM);
}

void sse_raise_unavailable(struct cpu *cpu)
{
    bool absent = (cpu->cr0 & CR0_EM) || !(cpu->cr4 & CR4_OSFXSR);
    cpu_raise(cpu, absent ? EXC_UD : EXC_NM);
}

// With CR0.NE clear the processor asserts FERR# and waits for an interrupt, which the board's error
// logic requests as IRQ13: it is taken here, before the waiting instruction. When none comes,
// IGNNE# is taken as asserted and the instruction runs.
void fpu_raise_pending(struct cpu *cpu)
{
    if (cpu->cr0 & CR0_NE)
        cpu_raise(cpu, EXC_MF);
    if (!cpu->board.ferr)
        return;
    cpu->board.ferr(cpu->board.self, true);
    if (!cpu->intr || !(cpu->eflags & FLAG_IF) || cpu->interrupt_shadow || !cpu->board.acknowledge)
        return;
    int vector = cpu->board.acknowledge(cpu->board.self);
    if (vector < 0)
        return;
    struct qemu_interrupt_payload payload = {.vector = (uint8_t)vector};
    signal_emit(cpu->signals.interrupt, &payload, cpu->host);
    cpu->raised = (struct cpu_exception){.vector = (uint8_t)vector, .is_external = true};
    cpu_leave_instruction(cpu);
}

void fpu_lower_ferr(struct cpu *cpu)
{
    if (cpu->board.ferr && !(cpu->fpu.status & FPU_ES))
        cpu->board.ferr(cpu->board.self, false);
}

// The next piece of a block: as much of `unit` as is left.
static unsigned piece_size(unsigned left, unsigned unit)
{
    while (unit > left)
        unit /= 2;
    return unit;
}

// An operand of the x87 or SSE that is more than 8 bytes, not a block of several values.
static unsigned observed_whole(unsigned size, unsigned unit)
{
    return size > 8 && size <= 16 && unit == 8 ? size : 0;
}

void fpu_read_linear(struct cpu *cpu, uint32_t linear, void *buffer, unsigned size, unsigned unit)
{
    uint8_t *out = buffer;
    for (unsigned done = 0, piece; done < size; done += piece) {
        piece = piece_size(size - done, unit);
        uint32_t at = linear + done;
        mem_observe_piece(cpu, observed_whole(size, unit), done);
        if (piece == 8)
            store_le64(out + done, mem_read_linear(cpu, at, 8, cpu->is_user));
        else if (piece == 4)
            store_le32(out + done, (uint32_t)mem_read_linear(cpu, at, 4, cpu->is_user));
        else
            store_le16(out + done, (uint16_t)mem_read_linear(cpu, at, 2, cpu->is_user));
    }
    mem_observe_piece(cpu, 0, 0);
}

// Both pages that it may touch, in order: CR2 is the first byte that cannot be written.
void fpu_probe_linear(struct cpu *cpu, uint32_t linear, unsigned size)
{
    unsigned room = PAGE_SIZE - (linear & (PAGE_SIZE - 1));
    mem_probe_write(cpu, linear, 1, cpu->is_user);
    if (size > room)
        mem_probe_write(cpu, linear + room, 1, cpu->is_user);
}

void fpu_write_linear(struct cpu *cpu, uint32_t linear, const void *buffer, unsigned size,
                      unsigned unit)
{
    const uint8_t *in = buffer;
    if ((linear & (PAGE_SIZE - 1)) + size > PAGE_SIZE)
        fpu_probe_linear(cpu, linear, size);
    for (unsigned done = 0, piece; done < size; done += piece) {
        piece = piece_size(size - done, unit);
        uint32_t at = linear + done;
        mem_observe_piece(cpu, observed_whole(size, unit), done);
        if (piece == 8)
            mem_write_linear(cpu, at, load_le64(in + done), 8, cpu->is_user);
        else if (piece == 4)
            mem_write_linear(cpu, at, load_le32(in + done), 4, cpu->is_user);
        else
            mem_write_linear(cpu, at, load_le16(in + done), 2, cpu->is_user);
    }
    mem_observe_piece(cpu, 0, 0);
}

void fpu_read_block(struct cpu *cpu, const struct insn *insn, void *buffer, unsigned size,
                    unsigned unit)
{
    uint32_t linear = mem_linear_read(cpu, insn->segment, insn_address(cpu, insn), size);
    fpu_read_linear(cpu, linear, buffer, size, unit);
}

void fpu_write_block(struct cpu *cpu, const struct insn *insn, const void *buffer, unsigned size,
                     unsigned unit)
{
    uint32_t linear = mem_linear_write(cpu, insn->segment, insn_address(cpu, insn), size);
    fpu_write_linear(cpu, linear, buffer, size, unit);
}

void fpu_probe_block(struct cpu *cpu, const struct insn *insn, unsigned size, unsigned unit)
{
    uint32_t linear = mem_linear_write(cpu, insn->segment, insn_address(cpu, insn), size);
    fpu_probe_linear(cpu, linear, size);
    mem_probe_write(cpu, linear, piece_size(size, unit), cpu->is_user); // its alignment
}
