// SPDX-License-Identifier: MIT
// x87 arithmetic, comparisons and transcendentals (SDM vol. 1, chapter 8; vol. 2, D8 to DF). The
// plain case loads two operands on the host's FPU with all exceptions masked; stack faults and
// unmasked exceptions run the whole guest state there.
#include "cpu/flags.h"
#include "cpu/fpu_exec.h"

void fpu_exact_register(struct cpu *cpu, const struct insn *insn, unsigned escape, unsigned modrm)
{
    struct fpu_state out;
    uint32_t flags = flags_get(cpu);
    fpu_run_exact(&cpu->fpu, &out, fpu_routine_register(escape, modrm), NULL, &flags);
    fpu_accept(&cpu->fpu, &out);
}

void fpu_exact_memory(struct cpu *cpu, const struct insn *insn, void *memory)
{
    struct fpu_state out;
    unsigned escape = opcode_rows[insn->row].opcode;
    fpu_run_exact(&cpu->fpu, &out, fpu_routine_memory(escape, insn->reg), memory, NULL);
    fpu_accept(&cpu->fpu, &out);
}

// ST(0) and ST(i) are there.
static bool has_both(const struct fpu_state *state, unsigned i)
{
    return !fpu_is_empty(state, 0) && !fpu_is_empty(state, i);
}

// The six operations as D8 has them on ST(0) and ST(1), the result for `dest`. In DC and DE bit 3
// of ModRM, which reverses the operands, refers to the destination: the result is the same one.
static bool arith_fast(struct fpu_state *state, const struct insn *insn, unsigned dest)
{
    if (!has_both(state, insn->rm) || !fpu_is_plain(state))
        return false;
    uint8_t scratch[16];
    uint8_t *result = fpu_result_place(state, dest, scratch);
    uint16_t control = fpu_enter_control(state);
    uint16_t status = fpu_host_binary(&state->st[0], &state->st[insn->rm], result,
                                      fpu_routine_register(0xd8, 0xc1u | (unsigned)insn->reg << 3));
    fpu_leave_control(control);
    if (!fpu_take_status(state, status, FPU_C1))
        return false;
    fpu_take_result(state, dest, result);
    return true;
}

void x87_arith_st0(struct cpu *cpu, const struct insn *insn)
{
    fpu_begin(cpu);
    if (!arith_fast(&cpu->fpu, insn, 0))
        fpu_exact_register(cpu, insn, 0xd8, insn->modrm);
    fpu_note(cpu, insn);
}

void x87_arith_sti(struct cpu *cpu, const struct insn *insn)
{
    fpu_begin(cpu);
    if (!arith_fast(&cpu->fpu, insn, insn->rm))
        fpu_exact_register(cpu, insn, 0xdc, insn->modrm);
    fpu_note(cpu, insn);
}

void x87_arith_pop(struct cpu *cpu, const struct insn *insn)
{
    fpu_begin(cpu);
    if (arith_fast(&cpu->fpu, insn, insn->rm))
        fpu_pop(&cpu->fpu);
    else
        fpu_exact_register(cpu, insn, 0xde, insn->modrm);
    fpu_note(cpu, insn);
}

static void arith_memory(struct cpu *cpu, const struct insn *insn, unsigned size)
{
    struct fpu_state *state = &cpu->fpu;
    fpu_begin(cpu);
    uint64_t operand = mem_read(cpu, insn->segment, insn_address(cpu, insn), size);
    uint8_t scratch[16];
    uint8_t *result = fpu_result_place(state, 0, scratch);
    bool done = false;
    if (!fpu_is_empty(state, 0) && fpu_is_plain(state)) {
        uint16_t control = fpu_enter_control(state);
        uint16_t status =
            fpu_host_binary_memory(&state->st[0], &operand, result,
                                   fpu_routine_memory(opcode_rows[insn->row].opcode, insn->reg));
        fpu_leave_control(control);
        done = fpu_take_status(state, status, FPU_C1);
    }
    if (done)
        fpu_take_result(state, 0, result);
    else
        fpu_exact_memory(cpu, insn, &operand);
    fpu_note(cpu, insn);
}

void x87_arith_m32(struct cpu *cpu, const struct insn *insn)
{
    arith_memory(cpu, insn, 4);
}

void x87_arith_m64(struct cpu *cpu, const struct insn *insn)
{
    arith_memory(cpu, insn, 8);
}

void x87_arith_i32(struct cpu *cpu, const struct insn *insn)
{
    arith_memory(cpu, insn, 4);
}

void x87_arith_i16(struct cpu *cpu, const struct insn *insn)
{
    arith_memory(cpu, insn, 2);
}

// FCOM or FUCOM of ST(0) with ST(i).
enum { COMPARE_ORDERED = 0xd8d1, COMPARE_UNORDERED = 0xdde1 };

static bool compare_fast(struct fpu_state *state, unsigned i, unsigned code)
{
    if (!has_both(state, i))
        return false;
    fpu_enter_flags(state);
    uint16_t status = fpu_host_compare(&state->st[0], &state->st[i],
                                       fpu_routine_register(code >> 8, code & 0xff));
    return fpu_take_status(state, status, FPU_CONDITIONS);
}

static void compare(struct cpu *cpu, const struct insn *insn, unsigned i, unsigned code,
                    unsigned pops, unsigned exact)
{
    fpu_begin(cpu);
    if (compare_fast(&cpu->fpu, i, code)) {
        for (; pops > 0; pops--)
            fpu_pop(&cpu->fpu);
    } else {
        fpu_exact_register(cpu, insn, exact >> 8, exact & 0xff);
    }
    fpu_note(cpu, insn);
}

void x87_fcom(struct cpu *cpu, const struct insn *insn)
{
    compare(cpu, insn, insn->rm, COMPARE_ORDERED, 0, 0xd8d0u + insn->rm);
}

void x87_fcomp(struct cpu *cpu, const struct insn *insn)
{
    compare(cpu, insn, insn->rm, COMPARE_ORDERED, 1, 0xd8d8u + insn->rm);
}

void x87_fcompp(struct cpu *cpu, const struct insn *insn)
{
    compare(cpu, insn, 1, COMPARE_ORDERED, 2, 0xded9);
}

void x87_fucom(struct cpu *cpu, const struct insn *insn)
{
    compare(cpu, insn, insn->rm, COMPARE_UNORDERED, 0, 0xdde0u + insn->rm);
}

void x87_fucomp(struct cpu *cpu, const struct insn *insn)
{
    compare(cpu, insn, insn->rm, COMPARE_UNORDERED, 1, 0xdde8u + insn->rm);
}

void x87_fucompp(struct cpu *cpu, const struct insn *insn)
{
    compare(cpu, insn, 1, COMPARE_UNORDERED, 2, 0xdae9);
}

static void compare_memory(struct cpu *cpu, const struct insn *insn, unsigned size)
{
    struct fpu_state *state = &cpu->fpu;
    fpu_begin(cpu);
    uint64_t operand = mem_read(cpu, insn->segment, insn_address(cpu, insn), size);
    bool done = false;
    if (!fpu_is_empty(state, 0)) {
        unsigned escape = opcode_rows[insn->row].opcode;
        fpu_enter_flags(state);
        uint16_t status = fpu_host_compare_memory(&state->st[0], &operand,
                                                  fpu_routine_memory(escape, 2)); // without the pop
        done = fpu_take_status(state, status, FPU_CONDITIONS);
    }
    if (!done)
        fpu_exact_memory(cpu, insn, &operand);
    else if (insn->reg == 3)
        fpu_pop(state);
    fpu_note(cpu, insn);
}

void x87_compare_m32(struct cpu *cpu, const struct insn *insn)
{
    compare_memory(cpu, insn, 4);
}

void x87_compare_m64(struct cpu *cpu, const struct insn *insn)
{
    compare_memory(cpu, insn, 8);
}

void x87_compare_i32(struct cpu *cpu, const struct insn *insn)
{
    compare_memory(cpu, insn, 4);
}

void x87_compare_i16(struct cpu *cpu, const struct insn *insn)
{
    compare_memory(cpu, insn, 2);
}

// FCOMI and FUCOMI: the result goes to ZF, PF and CF as C3, C2 and C0 would have it; OF, SF and AF
// are cleared. Intel processors clear C1, others keep it: when it is set, the host decides.
static void compare_flags(struct cpu *cpu, const struct insn *insn, unsigned code)
{
    struct fpu_state *state = &cpu->fpu;
    unsigned escape = opcode_rows[insn->row].opcode;
    fpu_begin(cpu);
    uint32_t flags = flags_get(cpu);
    uint16_t status = 0;
    bool done = false;
    if (has_both(state, insn->rm) && !(state->status & FPU_C1)) {
        fpu_enter_flags(state);
        status = fpu_host_compare(&state->st[0], &state->st[insn->rm],
                                  fpu_routine_register(code >> 8, code & 0xff));
        done = fpu_take_status(state, status, 0);
    }
    if (done) {
        flags = (status & FPU_C0 ? FLAG_CF : 0) | (status & FPU_C2 ? FLAG_PF : 0) |
                (status & FPU_C3 ? FLAG_ZF : 0);
        if (escape == 0xdf)
            fpu_pop(state);
    } else {
        struct fpu_state out;
        fpu_run_exact(state, &out, fpu_routine_register(escape, insn->modrm), NULL, &flags);
        fpu_accept(state, &out);
    }
    flags_set(cpu, flags);
    fpu_note(cpu, insn);
}

void x87_fcomi(struct cpu *cpu, const struct insn *insn)
{
    compare_flags(cpu, insn, COMPARE_ORDERED);
}

void x87_fcomip(struct cpu *cpu, const struct insn *insn)
{
    compare_flags(cpu, insn, COMPARE_ORDERED);
}

void x87_fucomi(struct cpu *cpu, const struct insn *insn)
{
    compare_flags(cpu, insn, COMPARE_UNORDERED);
}

void x87_fucomip(struct cpu *cpu, const struct insn *insn)
{
    compare_flags(cpu, insn, COMPARE_UNORDERED);
}

// FTST and FXAM.
static void examine(struct cpu *cpu, const struct insn *insn)
{
    struct fpu_state *state = &cpu->fpu;
    fpu_begin(cpu);
    bool done = false;
    if (!fpu_is_empty(state, 0)) {
        fpu_enter_flags(state);
        uint16_t status =
            fpu_host_compare(&state->st[0], &state->st[0], fpu_routine_register(0xd9, insn->modrm));
        done = fpu_take_status(state, status, FPU_CONDITIONS);
    }
    if (!done)
        fpu_exact_register(cpu, insn, 0xd9, insn->modrm);
    fpu_note(cpu, insn);
}

void x87_ftst(struct cpu *cpu, const struct insn *insn)
{
    examine(cpu, insn);
}

void x87_fxam(struct cpu *cpu, const struct insn *insn)
{
    examine(cpu, insn);
}

// FSQRT, FRNDINT, F2XM1, FSIN, FCOS: C2 of FSIN and FCOS says that the operand is out of range.
void x87_unary(struct cpu *cpu, const struct insn *insn)
{
    struct fpu_state *state = &cpu->fpu;
    fpu_begin(cpu);
    uint8_t scratch[16];
    uint8_t *result = fpu_result_place(state, 0, scratch);
    bool done = false;
    if (!fpu_is_empty(state, 0) && fpu_is_plain(state)) {
        unsigned conditions = insn->modrm >= 0xfe ? FPU_C1 | FPU_C2 : FPU_C1;
        uint16_t control = fpu_enter_control(state);
        uint16_t status =
            fpu_host_unary(&state->st[0], result, fpu_routine_register(0xd9, insn->modrm));
        fpu_leave_control(control);
        done = fpu_take_status(state, status, conditions);
    }
    if (done)
        fpu_take_result(state, 0, result);
    else
        fpu_exact_register(cpu, insn, 0xd9, insn->modrm);
    fpu_note(cpu, insn);
}

// FPREM, FPREM1 (the quotient's low bits in C0, C3, C1; C2: not finished) and FSCALE.
void x87_binary_st1(struct cpu *cpu, const struct insn *insn)
{
    struct fpu_state *state = &cpu->fpu;
    fpu_begin(cpu);
    uint8_t result[16];
    bool done = false;
    if (has_both(state, 1) && fpu_is_plain(state)) {
        unsigned conditions = insn->modrm == 0xfd ? FPU_C1 : FPU_CONDITIONS;
        uint16_t control = fpu_enter_control(state);
        uint16_t status = fpu_host_binary(&state->st[0], &state->st[1], result,
                                          fpu_routine_register(0xd9, insn->modrm));
        fpu_leave_control(control);
        // The condition codes of a remainder that is a NaN are the processor's own.
        if ((load_le16(result + 8) & 0x7fff) != 0x7fff)
            done = fpu_take_status(state, status, conditions);
    }
    if (done)
        fpu_set_register(state, 0, result);
    else
        fpu_exact_register(cpu, insn, 0xd9, insn->modrm);
    fpu_note(cpu, insn);
}

// Instructions that change the depth of the stack by their result, and rare ones.
void x87_exact(struct cpu *cpu, const struct insn *insn)
{
    fpu_begin(cpu);
    fpu_exact_register(cpu, insn, 0xd9, insn->modrm);
    fpu_note(cpu, insn);
}
