// SPDX-License-Identifier: MIT
// x87 loads, stores, exchanges, constants, sign operations and conditional moves (SDM vol. 2, D9 to
// DF).
#include "cpu/flags.h"
#include "cpu/fpu_exec.h"

static void encode(uint8_t *image, bool negative, unsigned exponent, uint64_t mantissa)
{
    store_le64(image, mantissa);
    store_le16(image + 8, (uint16_t)(exponent | (negative ? 0x8000u : 0)));
}

static bool can_push(const struct fpu_state *state)
{
    return fpu_is_empty(state, 7);
}

static void push_plain(struct fpu_state *state, const void *value)
{
    fpu_push(state, value);
    state->status &= (uint16_t)~FPU_C1;
}

void x87_fld_sti(struct cpu *cpu, const struct insn *insn)
{
    struct fpu_state *state = &cpu->fpu;
    fpu_begin(cpu);
    if (can_push(state) && !fpu_is_empty(state, insn->rm)) {
        struct fpu_register value = state->st[insn->rm];
        push_plain(state, value.bytes);
    } else {
        fpu_exact_register(cpu, insn, 0xd9, 0xc0u + insn->rm);
    }
    fpu_note(cpu, insn);
}

// m32 and m64: normal numbers and zeros convert without looking at any control word. NaNs,
// infinities and denormals go to the host.
static bool convert_float(const struct fpu_state *state, uint8_t *image, uint64_t bits,
                          unsigned exponent_bits, unsigned fraction_bits)
{
    unsigned max = (1u << exponent_bits) - 1;
    unsigned exponent = (unsigned)(bits >> fraction_bits) & max;
    bool negative = bits >> (fraction_bits + exponent_bits) & 1;
    uint64_t fraction = bits << (63 - fraction_bits) & (UINT64_MAX >> 1);
    if (exponent - 1 < max - 1) {
        encode(image, negative, exponent - (max >> 1) + 0x3fff, fraction | UINT64_C(1) << 63);
        return true;
    }
    encode(image, negative, 0, 0);
    return exponent == 0 && fraction == 0;
}

static void load_float(struct cpu *cpu, const struct insn *insn, unsigned size)
{
    struct fpu_state *state = &cpu->fpu;
    fpu_begin(cpu);
    uint64_t operand = mem_read(cpu, insn->segment, insn_address(cpu, insn), size);
    uint8_t image[16];
    bool done = false;
    if (can_push(state)) {
        done = size == 4 ? convert_float(state, image, operand, 8, 23)
                         : convert_float(state, image, operand, 11, 52);
        if (!done) {
            fpu_enter_flags(state);
            uint16_t status = fpu_host_load(&operand, image,
                                            fpu_routine_memory(opcode_rows[insn->row].opcode, 0));
            done = fpu_take_status(state, status, 0);
        }
    }
    if (done)
        push_plain(state, image);
    else
        fpu_exact_memory(cpu, insn, &operand);
    fpu_note(cpu, insn);
}

void x87_fld_m32(struct cpu *cpu, const struct insn *insn)
{
    load_float(cpu, insn, 4);
}

void x87_fld_m64(struct cpu *cpu, const struct insn *insn)
{
    load_float(cpu, insn, 8);
}

static void load_integer(struct cpu *cpu, const struct insn *insn, int64_t value)
{
    struct fpu_state *state = &cpu->fpu;
    if (can_push(state)) {
        uint8_t image[10];
        uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
        if (magnitude == 0) {
            encode(image, false, 0, 0);
        } else {
            unsigned zeros = (unsigned)__builtin_clzll(magnitude);
            encode(image, value < 0, 0x3fff + 63 - zeros, magnitude << zeros);
        }
        push_plain(state, image);
    } else {
        fpu_exact_memory(cpu, insn, &value);
    }
    fpu_note(cpu, insn);
}

void x87_fild_i16(struct cpu *cpu, const struct insn *insn)
{
    fpu_begin(cpu);
    load_integer(cpu, insn, (int16_t)mem_read(cpu, insn->segment, insn_address(cpu, insn), 2));
}

void x87_fild_i32(struct cpu *cpu, const struct insn *insn)
{
    fpu_begin(cpu);
    load_integer(cpu, insn, (int32_t)mem_read(cpu, insn->segment, insn_address(cpu, insn), 4));
}

void x87_fild_i64(struct cpu *cpu, const struct insn *insn)
{
    fpu_begin(cpu);
    load_integer(cpu, insn, (int64_t)mem_read(cpu, insn->segment, insn_address(cpu, insn), 8));
}

void x87_fld_m80(struct cpu *cpu, const struct insn *insn)
{
    fpu_begin(cpu);
    uint8_t operand[16];
    fpu_read_block(cpu, insn, operand, 10, 8);
    if (can_push(&cpu->fpu))
        push_plain(&cpu->fpu, operand);
    else
        fpu_exact_memory(cpu, insn, operand);
    fpu_note(cpu, insn);
}

void x87_fbld(struct cpu *cpu, const struct insn *insn)
{
    fpu_begin(cpu);
    uint8_t operand[16];
    fpu_read_block(cpu, insn, operand, 10, 8);
    fpu_exact_memory(cpu, insn, operand);
    fpu_note(cpu, insn);
}

static void push_constant(struct cpu *cpu, const struct insn *insn, unsigned exponent,
                          uint64_t mantissa)
{
    fpu_begin(cpu);
    if (can_push(&cpu->fpu)) {
        uint8_t image[10];
        encode(image, false, exponent, mantissa);
        push_plain(&cpu->fpu, image);
    } else {
        fpu_exact_register(cpu, insn, 0xd9, insn->modrm);
    }
    fpu_note(cpu, insn);
}

void x87_fld1(struct cpu *cpu, const struct insn *insn)
{
    push_constant(cpu, insn, 0x3fff, UINT64_C(1) << 63);
}

void x87_fldz(struct cpu *cpu, const struct insn *insn)
{
    push_constant(cpu, insn, 0, 0);
}

// The other constants depend on the rounding control.
void x87_constant(struct cpu *cpu, const struct insn *insn)
{
    fpu_begin(cpu);
    fpu_exact_register(cpu, insn, 0xd9, insn->modrm);
    fpu_note(cpu, insn);
}

// FST and FSTP to a register, with the aliases of FSTP: FSTP1 (D9) of an empty ST(0) raises
// nothing.
void x87_fst_sti(struct cpu *cpu, const struct insn *insn)
{
    struct fpu_state *state = &cpu->fpu;
    fpu_begin(cpu);
    bool pops = insn->reg != 2 || opcode_rows[insn->row].opcode == 0xdf;
    if (!fpu_is_empty(state, 0)) {
        state->st[insn->rm] = state->st[0];
        state->tags |= (uint8_t)fpu_tag_bit(state, insn->rm);
        state->status &= (uint16_t)~FPU_C1;
        if (pops)
            fpu_pop(state);
    } else {
        fpu_exact_register(cpu, insn, opcode_rows[insn->row].opcode, insn->modrm);
    }
    fpu_note(cpu, insn);
}

// The exact way of a store. An unmasked exception other than #P leaves memory and the stack alone,
// but memory faults come first.
static void store_exact(struct cpu *cpu, const struct insn *insn, unsigned size)
{
    struct fpu_state out;
    uint8_t image[16] = {0};
    fpu_routine *routine = fpu_routine_memory(opcode_rows[insn->row].opcode, insn->reg);
    uint16_t raised = fpu_run_exact(&cpu->fpu, &out, routine, image, NULL);
    if (!(raised & ~cpu->fpu.control & (FPU_EXCEPTIONS & ~FPU_PE)))
        fpu_write_block(cpu, insn, image, size, 8);
    else
        fpu_probe_block(cpu, insn, size, 8);
    fpu_accept(&cpu->fpu, &out);
    fpu_note(cpu, insn);
}

// FST, FSTP, FIST, FISTP to memory. `routine` stores without a pop, unless `routine_pops`.
static void store(struct cpu *cpu, const struct insn *insn, unsigned size, fpu_routine *routine,
                  bool routine_pops)
{
    struct fpu_state *state = &cpu->fpu;
    fpu_begin(cpu);
    if (fpu_is_empty(state, 0) || !fpu_is_plain(state)) {
        store_exact(cpu, insn, size);
        return;
    }
    uint64_t value = 0;
    uint16_t control = fpu_enter_control(state);
    uint16_t status = routine_pops ? fpu_host_store_pop(&state->st[0], &value, routine)
                                   : fpu_host_store(&state->st[0], &value, routine);
    fpu_leave_control(control);
    if (UNLIKELY(status & ~state->control & FPU_EXCEPTIONS)) {
        store_exact(cpu, insn, size);
        return;
    }
    mem_write(cpu, insn->segment, insn_address(cpu, insn), value, size);
    fpu_take_status(state, status, FPU_C1);
    if (insn->reg != 2)
        fpu_pop(state);
    fpu_note(cpu, insn);
}

void x87_fst_m32(struct cpu *cpu, const struct insn *insn)
{
    store(cpu, insn, 4, fpu_routine_memory(0xd9, 2), false);
}

void x87_fst_m64(struct cpu *cpu, const struct insn *insn)
{
    store(cpu, insn, 8, fpu_routine_memory(0xdd, 2), false);
}

void x87_fist_i16(struct cpu *cpu, const struct insn *insn)
{
    store(cpu, insn, 2, fpu_routine_memory(0xdf, 2), false);
}

void x87_fist_i32(struct cpu *cpu, const struct insn *insn)
{
    store(cpu, insn, 4, fpu_routine_memory(0xdb, 2), false);
}

void x87_fistp_i64(struct cpu *cpu, const struct insn *insn)
{
    store(cpu, insn, 8, fpu_routine_memory(0xdf, 7), true);
}

void x87_fstp_m80(struct cpu *cpu, const struct insn *insn)
{
    struct fpu_state *state = &cpu->fpu;
    fpu_begin(cpu);
    if (fpu_is_empty(state, 0)) {
        store_exact(cpu, insn, 10);
        return;
    }
    fpu_write_block(cpu, insn, state->st[0].bytes, 10, 8);
    state->status &= (uint16_t)~FPU_C1;
    fpu_pop(state);
    fpu_note(cpu, insn);
}

void x87_fbstp(struct cpu *cpu, const struct insn *insn)
{
    fpu_begin(cpu);
    store_exact(cpu, insn, 10);
}

void x87_fxch(struct cpu *cpu, const struct insn *insn)
{
    struct fpu_state *state = &cpu->fpu;
    fpu_begin(cpu);
    if (!fpu_is_empty(state, 0) && !fpu_is_empty(state, insn->rm)) {
        struct fpu_register value = state->st[0];
        state->st[0] = state->st[insn->rm];
        state->st[insn->rm] = value;
        state->status &= (uint16_t)~FPU_C1;
    } else {
        fpu_exact_register(cpu, insn, 0xd9, 0xc8u + insn->rm);
    }
    fpu_note(cpu, insn);
}

static void change_sign(struct cpu *cpu, const struct insn *insn, unsigned clear, unsigned invert)
{
    struct fpu_state *state = &cpu->fpu;
    fpu_begin(cpu);
    if (!fpu_is_empty(state, 0)) {
        uint8_t *top = &state->st[0].bytes[9];
        *top = (uint8_t)((*top & ~clear) ^ invert);
        state->status &= (uint16_t)~FPU_C1;
    } else {
        fpu_exact_register(cpu, insn, 0xd9, insn->modrm);
    }
    fpu_note(cpu, insn);
}

void x87_fchs(struct cpu *cpu, const struct insn *insn)
{
    change_sign(cpu, insn, 0, 0x80);
}

void x87_fabs(struct cpu *cpu, const struct insn *insn)
{
    change_sign(cpu, insn, 0x80, 0);
}

// FCMOVcc: DA moves on the condition, DB on its opposite.
void x87_fcmov(struct cpu *cpu, const struct insn *insn)
{
    struct fpu_state *state = &cpu->fpu;
    unsigned escape = opcode_rows[insn->row].opcode;
    fpu_begin(cpu);
    if (fpu_is_empty(state, 0) || fpu_is_empty(state, insn->rm)) {
        fpu_exact_register(cpu, insn, escape, insn->modrm);
    } else {
        bool condition = false;
        switch (insn->reg & 3) {
        case 0:
            condition = flags_cf(cpu);
            break;
        case 1:
            condition = flags_zf(cpu);
            break;
        case 2:
            condition = flags_cf(cpu) || flags_zf(cpu);
            break;
        default:
            condition = flags_pf(cpu);
            break;
        }
        if (condition == (escape == 0xda))
            state->st[0] = state->st[insn->rm];
    }
    fpu_note(cpu, insn);
}
