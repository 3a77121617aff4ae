// SPDX-License-Identifier: MIT
// A CPU for x87, MMX and SSE instructions, encodings of their rows, and random states. What the
// instructions compute is compared with hardware by tests/diff/user.
#ifndef EMU_TESTS_INSN_FPU_RIG_H
#define EMU_TESTS_INSN_FPU_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cpu/decode.h"
#include "cpu/flags.h"
#include "cpu/fpu.h"

#define RIG_LINEAR 0x10000u // the operand area in the guest
#define RIG_AREA   640u
#define RIG_RAM    0x200000u

// What an instruction runs from.
struct rig_state {
    struct fpu_state fpu;
    uint32_t regs[8];
    uint32_t flags;
    uint32_t offset; // of the memory operand in the area
    uint8_t memory[RIG_AREA];
};

struct rig {
    struct cpu *cpu;
    struct physmem *mem;
    struct portio *ports;
    struct clock *clock;
    struct log log;
    struct state_registry *registry;
    uint8_t *ram;
    uint64_t seed;
};

struct rig_encoding {
    uint8_t bytes[16];
    unsigned length;
    bool is_memory;
    unsigned modrm;
};

static inline uint64_t rig_random(struct rig *rig)
{
    rig->seed ^= rig->seed << 13;
    rig->seed ^= rig->seed >> 7;
    rig->seed ^= rig->seed << 17;
    return rig->seed * UINT64_C(0x2545f4914f6cdd1d);
}

static inline unsigned rig_below(struct rig *rig, unsigned n)
{
    return (unsigned)((rig_random(rig) >> 32) % n);
}

static inline bool rig_open(struct rig *rig, uint64_t seed)
{
    *rig = (struct rig){.seed = seed};
    struct error err = {0};
    struct cpu_board board = {0};
    log_init(&rig->log);
    rig->clock = clock_create();
    rig->mem = physmem_create(&rig->log);
    rig->ports = portio_create(&rig->log);
    rig->registry = state_registry_create();
    rig->ram = physmem_alloc_ram(rig->mem, RIG_RAM, &err);
    if (!rig->ram)
        return false;
    physmem_add_host(rig->mem, "ram", 0, RIG_RAM, 0, rig->ram, rig->ram);
    rig->cpu = cpu_create(CPU_MODEL_PENTIUM4, rig->mem, rig->ports, rig->clock, &rig->log, &board,
                          rig->registry, &err);
    if (!rig->cpu)
        return false;
    cpu_reset(rig->cpu);
    struct cpu *cpu = rig->cpu;
    cpu->cr0 |= CR0_PE | CR0_NE | CR0_MP;
    cpu->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        cpu->segs[i].base = 0;
        cpu->segs[i].limit = 0xffffffffu;
        cpu->segs[i].attributes |= DESC_DB | DESC_G;
    }
    cpu_update_mode(cpu);
    return true;
}

static inline void rig_close(struct rig *rig)
{
    cpu_destroy(rig->cpu);
    state_registry_destroy(rig->registry);
    portio_destroy(rig->ports);
    physmem_destroy(rig->mem);
    clock_destroy(rig->clock);
    log_close(&rig->log);
}

static inline void rig_random_float80(struct rig *rig, uint8_t *bytes)
{
    uint64_t mantissa = rig_random(rig);
    unsigned exponent = 0x3fff - 70 + rig_below(rig, 140);
    bool negative = rig_below(rig, 2);
    switch (rig_below(rig, 16)) {
    case 0:
        mantissa = 0, exponent = 0; // zero
        break;
    case 1:
        mantissa = UINT64_C(1) << 63, exponent = 0x7fff; // infinity
        break;
    case 2:
        mantissa |= UINT64_C(3) << 62, exponent = 0x7fff; // quiet NaN
        break;
    case 3:
        mantissa = (mantissa & ~(UINT64_C(3) << 62)) | UINT64_C(1) << 63 | 1, exponent = 0x7fff;
        break; // signalling NaN
    case 4:
        mantissa = mantissa << 1 >> 1 >> rig_below(rig, 63), exponent = 0; // denormal
        break;
    case 5:
        mantissa |= UINT64_C(1) << 63, exponent = 0; // pseudo-denormal
        break;
    case 6:
        mantissa = mantissa << 1 >> 1; // unnormal
        break;
    case 7:
        mantissa = mantissa << 1 >> 1, exponent = 0x7fff; // pseudo-NaN, pseudo-infinity
        break;
    case 8: // a small integer, or half of one
        exponent = 0x3fff + rig_below(rig, 8) - 1;
        mantissa = (mantissa | UINT64_C(1) << 63) & UINT64_C(0xff00000000000000);
        break;
    case 9: // the ends of the range
        mantissa |= UINT64_C(1) << 63;
        exponent = rig_below(rig, 2) ? 0x7ffe - rig_below(rig, 3) : 1 + rig_below(rig, 3);
        break;
    case 10: // around the ends of single and double
        mantissa |= UINT64_C(1) << 63;
        exponent = rig_below(rig, 2) ? 0x3fff + (rig_below(rig, 2) ? 127 : 1023)
                                     : 0x3fff - (rig_below(rig, 2) ? 126 : 1022);
        exponent += rig_below(rig, 5) - 2;
        break;
    case 11: // around the ends of the integers
        mantissa |= UINT64_C(1) << 63;
        exponent = 0x3fff + 16 * (1 + rig_below(rig, 4)) - 1 - rig_below(rig, 3);
        break;
    default:
        mantissa |= UINT64_C(1) << 63;
        break;
    }
    store_le64(bytes, mantissa);
    store_le16(bytes + 8, (uint16_t)(exponent | (negative ? 0x8000u : 0)));
}

// A lane of `size` bytes (4 or 8) in the formats of IEEE 754.
static inline uint64_t rig_random_float(struct rig *rig, unsigned size)
{
    unsigned fraction_bits = size == 4 ? 23 : 52;
    unsigned max = size == 4 ? 0xff : 0x7ff;
    uint64_t fraction_mask = (UINT64_C(1) << fraction_bits) - 1;
    uint64_t fraction = rig_random(rig) & fraction_mask;
    unsigned exponent = max / 2 - 20 + rig_below(rig, 40);
    switch (rig_below(rig, 14)) {
    case 0:
        fraction = 0, exponent = 0;
        break;
    case 1:
        fraction = 0, exponent = max;
        break;
    case 2:
        fraction |= UINT64_C(1) << (fraction_bits - 1), exponent = max;
        break;
    case 3:
        fraction = (fraction & (fraction_mask >> 1)) | 1, exponent = max;
        break;
    case 4:
        fraction >>= rig_below(rig, fraction_bits), exponent = 0;
        break;
    case 5:
        exponent = max - 1 - rig_below(rig, 3);
        break;
    case 6:
        exponent = 1 + rig_below(rig, 3);
        break;
    case 7:
        fraction = 0;
        break;
    case 8:
        exponent = max / 2 + 28 + rig_below(rig, 5);
        break;
    default:
        break;
    }
    return fraction | (uint64_t)exponent << fraction_bits |
           (uint64_t)rig_below(rig, 2) << (8 * size - 1);
}

// Bytes of floats of one kind, of numbers of 80 bits, or anything.
static inline void rig_random_bytes(struct rig *rig, uint8_t *bytes, unsigned size)
{
    unsigned kind = rig_below(rig, 4);
    for (unsigned i = 0; i < size; i += 8) {
        uint64_t value = rig_random(rig);
        if (kind == 0)
            value = rig_random_float(rig, 8);
        else if (kind == 1)
            value = rig_random_float(rig, 4) | rig_random_float(rig, 4) << 32;
        else if (kind == 2 && rig_below(rig, 2))
            value = rig_below(rig, 70); // shift counts
        memcpy(bytes + i, &value, size - i < 8 ? size - i : 8);
    }
}

static inline uint16_t rig_random_control(struct rig *rig)
{
    unsigned control = 0x40 | rig_below(rig, 4) << 10 | (rig_below(rig, 8) ? 0 : 1u << 12);
    static const uint8_t precisions[8] = {3, 3, 3, 2, 2, 0, 0, 1};
    control |= (unsigned)precisions[rig_below(rig, 8)] << 8;
    control |= rig_below(rig, 2) ? FPU_EXCEPTIONS : rig_below(rig, 64);
    return (uint16_t)control;
}

// A random state with many edge cases.
static inline void rig_randomise(struct rig *rig, struct rig_state *state)
{
    memset(state, 0, sizeof *state);
    struct fpu_state *fpu = &state->fpu;
    fpu->control = rig_random_control(rig);
    unsigned status = (unsigned)rig_random(rig) & (FPU_CONDITIONS | FPU_TOP);
    unsigned sticky = rig_below(rig, 2) ? rig_below(rig, 64) : 0;
    if (rig_below(rig, 16))
        sticky &= fpu->control; // nothing pending
    fpu->status = (uint16_t)(status | sticky | (rig_below(rig, 4) ? 0 : FPU_SF));
    fpu_update_summary(fpu);
    unsigned fill = rig_below(rig, 4);
    fpu->tags = (uint8_t)(fill < 2    ? 0xff
                          : fill == 2 ? rig_random(rig)
                                      : rig_random(rig) & rig_random(rig));
    if (rig_below(rig, 2))
        fpu->tags &= (uint8_t)~fpu_tag_bit(fpu, 7); // room for a push
    for (unsigned i = 0; i < 8; i++)
        rig_random_float80(rig, fpu->st[i].bytes);
    fpu->mxcsr_mask = MXCSR_MASK_DAZ;
    fpu->mxcsr = MXCSR_INIT | rig_below(rig, 4) << 13 | rig_below(rig, 64);
    if (rig_below(rig, 2))
        fpu->mxcsr = (fpu->mxcsr & ~0x1f80u) | rig_below(rig, 64) << 7;
    if (rig_below(rig, 6) == 0)
        fpu->mxcsr |= MXCSR_FTZ;
    if (rig_below(rig, 6) == 0)
        fpu->mxcsr |= MXCSR_DAZ;
    for (unsigned i = 0; i < 8; i++)
        rig_random_bytes(rig, fpu->xmm[i], 16);
    rig_random_bytes(rig, state->memory, RIG_AREA);
    if (rig_below(rig, 4) == 0)
        rig_random_float80(rig, state->memory + 64);
    for (unsigned i = 0; i < 8; i++)
        state->regs[i] = (uint32_t)rig_random(rig) >> rig_below(rig, 32);
    state->flags = (uint32_t)rig_random(rig) & FLAGS_ARITH;
    state->offset = rig_below(rig, 12) ? 64 : 64 + rig_below(rig, 16);
}

static inline bool rig_operand_is(const struct opcode_row *row, unsigned operand)
{
    return row->operand[0] == operand || row->operand[1] == operand || row->operand[2] == operand;
}

// The memory form with [EBX], or the register form with registers other than ESP, EBX and EDI.
// False when the row has no such form.
static inline bool rig_encode(struct rig *rig, enum opcode_id id, bool memory,
                              struct rig_encoding *encoding)
{
    static const uint8_t prefixes[] = {[PFX_66] = 0x66, [PFX_F3] = 0xf3, [PFX_F2] = 0xf2};
    const struct opcode_row *row = &opcode_rows[id];
    unsigned class = row->form & FORM_CLASS;
    *encoding = (struct rig_encoding){.is_memory = memory};
    if (class == FORM_NO_MODRM ? memory : class == (memory ? FORM_REG : FORM_MEM))
        return false;
    uint8_t *p = encoding->bytes;
    if (row->prefix == PFX_ANY || row->prefix == PFX_NONE)
        *p = 0;
    else
        *p++ = prefixes[row->prefix];
    if (row->map == MAP_0F)
        *p++ = 0x0f;
    *p++ = row->opcode;
    if (class != FORM_NO_MODRM) {
        unsigned reg = row->form & FORM_HAS_G ? row->form >> 5 & 7 : rig_below(rig, 8);
        unsigned rm = row->form & FORM_HAS_R ? row->form >> 9 & 7 : rig_below(rig, 8);
        bool reg_is_general = rig_operand_is(row, OPND_Gd);
        bool rm_is_general = rig_operand_is(row, OPND_Ed) || rig_operand_is(row, OPND_Ew);
        if (reg_is_general && (reg == REG_ESP || reg == REG_EBX || reg == REG_EDI))
            reg = REG_EDX;
        if (rm_is_general && (rm == REG_ESP || rm == REG_EBX || rm == REG_EDI))
            rm = REG_ECX;
        encoding->modrm = reg << 3 | (memory ? REG_EBX : 0xc0 | rm);
        *p++ = (uint8_t)encoding->modrm;
    }
    if (rig_operand_is(row, OPND_Ib))
        *p++ = (uint8_t)(rig_below(rig, 2) ? rig_random(rig) : rig_below(rig, 20));
    encoding->length = (unsigned)(p - encoding->bytes);
    return true;
}

#endif
