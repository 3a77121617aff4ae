// SPDX-License-Identifier: MIT
// x87, MMX and SSE states and operands with special values: zeros, infinities, NaNs, denormals, the
// encodings that only the 80-bit format has, and the ends of all formats' ranges.
#include "rig.h"

#include "cpu/fpu.h"

void random_float80(struct rng *rng, uint8_t *bytes)
{
    uint64_t mantissa = rng_next(rng);
    unsigned exponent = 0x3fff - 70 + rng_below(rng, 140);
    const uint64_t integer = UINT64_C(1) << 63;
    switch (rng_below(rng, 18)) {
    case 0: // zero
        mantissa = 0, exponent = 0;
        break;
    case 1: // infinity
        mantissa = integer, exponent = 0x7fff;
        break;
    case 2: // quiet NaN
        mantissa |= UINT64_C(3) << 62, exponent = 0x7fff;
        break;
    case 3: // signalling NaN
        mantissa = (mantissa & (UINT64_MAX >> 2)) | integer | 1, exponent = 0x7fff;
        break;
    case 4: // denormal
        mantissa = (mantissa & ~integer) >> rng_below(rng, 63), exponent = 0;
        break;
    case 5: // pseudo-denormal
        mantissa |= integer, exponent = 0;
        break;
    case 6: // unnormal
        mantissa &= ~integer;
        break;
    case 7: // pseudo-NaN, pseudo-infinity
        mantissa = rng_one_in(rng, 4) ? 0 : mantissa & ~integer, exponent = 0x7fff;
        break;
    case 8: // few bits: small integers and halves of them
        exponent = 0x3ffe + rng_below(rng, 9);
        mantissa = (mantissa | integer) & UINT64_C(0xff00000000000000);
        break;
    case 9: // the ends of the range
        mantissa |= integer;
        exponent = rng_one_in(rng, 2) ? 0x7ffe - rng_below(rng, 3) : 1 + rng_below(rng, 3);
        break;
    case 10: // around the ends of single and double
        mantissa |= integer;
        exponent = rng_one_in(rng, 2) ? 0x3fffu + (rng_one_in(rng, 2) ? 127 : 1023)
                                      : 0x3fffu - (rng_one_in(rng, 2) ? 126 : 1022);
        exponent += rng_below(rng, 5) - 2;
        break;
    case 11: // around the ends of the integers
        mantissa |= integer;
        exponent = 0x3fff + 16 * (1 + rng_below(rng, 4)) - 1 - rng_below(rng, 3);
        break;
    case 12: // all ones or nearly: rounding carries
        mantissa = UINT64_MAX << rng_below(rng, 12);
        break;
    case 13: // a power of two
        mantissa = integer;
        break;
    default:
        mantissa |= integer;
        break;
    }
    store_le64(bytes, mantissa);
    store_le16(bytes + 8, (uint16_t)(exponent | rng_below(rng, 2) << 15));
}

// `size` bytes (4 or 8) in the formats of IEEE 754.
static uint64_t random_float(struct rng *rng, unsigned size)
{
    unsigned bits = size == 4 ? 23 : 52;
    unsigned max = size == 4 ? 0xff : 0x7ff;
    uint64_t mask = (UINT64_C(1) << bits) - 1;
    uint64_t fraction = rng_next(rng) & mask;
    unsigned exponent = max / 2 - 20 + rng_below(rng, 40);
    switch (rng_below(rng, 15)) {
    case 0: // zero
        fraction = 0, exponent = 0;
        break;
    case 1: // infinity
        fraction = 0, exponent = max;
        break;
    case 2: // quiet NaN
        fraction |= UINT64_C(1) << (bits - 1), exponent = max;
        break;
    case 3: // signalling NaN
        fraction = (fraction & (mask >> 1)) | 1, exponent = max;
        break;
    case 4: // denormal
        fraction >>= rng_below(rng, bits), exponent = 0;
        break;
    case 5:
        exponent = max - 1 - rng_below(rng, 3);
        break;
    case 6:
        exponent = 1 + rng_below(rng, 3);
        break;
    case 7:
        fraction = 0;
        break;
    case 8: // around 2^31
        exponent = max / 2 + 28 + rng_below(rng, 5);
        break;
    case 9:
        fraction = mask - rng_below(rng, 4);
        break;
    default:
        break;
    }
    return fraction | (uint64_t)exponent << bits | (uint64_t)rng_below(rng, 2) << (8 * size - 1);
}

void random_operand(struct rng *rng, uint8_t *bytes, unsigned size)
{
    unsigned kind = rng_below(rng, 6);
    if (kind == 4 && size >= 10) {
        memset(bytes, 0, size);
        random_float80(rng, bytes);
        return;
    }
    for (unsigned i = 0; i < size; i += 8) {
        uint64_t value = rng_next(rng);
        if (kind == 0)
            value = random_float(rng, 8);
        else if (kind == 1)
            value = random_float(rng, 4) | random_float(rng, 4) << 32;
        else if (kind == 2)
            value = rng_below(rng, 70); // shift counts
        else if (kind == 3)
            value = pick_value(rng) | (uint64_t)pick_value(rng) << 32;
        else if (kind == 5) // decimal digits
            value = (value & UINT64_C(0x7777777777777777)) +
                    (rng_below(rng, 2) ? UINT64_C(0x0101010101010101) : 0);
        memcpy(bytes + i, &value, size - i < 8 ? size - i : 8);
    }
}

static uint16_t random_control(struct rng *rng)
{
    static const uint8_t precisions[8] = {3, 3, 3, 2, 2, 0, 0, 1};
    unsigned control = 0x40 | rng_below(rng, 4) << 10 | (rng_below(rng, 8) ? 0 : 1u << 12);
    control |= (unsigned)precisions[rng_below(rng, 8)] << 8;
    control |= rng_below(rng, 3) ? FPU_EXCEPTIONS : rng_below(rng, 64);
    return (uint16_t)control;
}

void state_make_fpu(struct rng *rng, const struct encoding *e, uint8_t *image)
{
    struct fpu_state fpu = {.control = random_control(rng), .mxcsr_mask = MXCSR_MASK_DAZ};
    const struct opcode_row *row = &opcode_rows[e->row];
    unsigned status = (unsigned)rng_next(rng) & (FPU_CONDITIONS | FPU_TOP);
    unsigned sticky = rng_below(rng, 2) ? rng_below(rng, 64) : 0;
    if (rng_below(rng, 16))
        sticky &= fpu.control; // nothing pending
    fpu.status = (uint16_t)(status | sticky | (rng_below(rng, 4) ? 0 : FPU_SF));
    fpu_update_summary(&fpu);
    unsigned fill = rng_below(rng, 4);
    fpu.tags = (uint8_t)(fill < 2    ? 0xff
                         : fill == 2 ? rng_next(rng)
                                     : rng_next(rng) & rng_next(rng));
    if (rng_below(rng, 2))
        fpu.tags &= (uint8_t)~fpu_tag_bit(&fpu, 7); // room for a push
    for (unsigned i = 0; i < 8; i++) {
        random_float80(rng, fpu.st[i].bytes);
        if (row->attributes & ATTR_MMX)
            random_operand(rng, fpu.st[i].bytes, 8);
        random_operand(rng, fpu.xmm[i], 16);
    }
    fpu.mxcsr = MXCSR_INIT | rng_below(rng, 4) << 13 | rng_below(rng, 64);
    if (rng_below(rng, 3) == 0)
        fpu.mxcsr = (fpu.mxcsr & ~0x1f80u) | rng_below(rng, 64) << 7;
    if (rng_one_in(rng, 6))
        fpu.mxcsr |= MXCSR_FTZ;
    if (rng_one_in(rng, 6))
        fpu.mxcsr |= MXCSR_DAZ;
    // Intel's processors turn to MMX even with a memory operand, AMD's do not.
    if (e->row == OPCODE_SSE_CVTPI2PS && e->insn.is_memory) {
        fpu.status = 0;
        fpu.tags = 0xff;
    }
    if (rng_one_in(rng, 2)) { // nothing can trap: the translator's native way
        fpu.control |= FPU_EXCEPTIONS;
        fpu.mxcsr |= FPU_EXCEPTIONS << MXCSR_MASK_SHIFT;
        fpu_update_summary(&fpu);
    }
    memcpy(image, &fpu, 512);
}
